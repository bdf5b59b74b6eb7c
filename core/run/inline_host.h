/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inline_host.h - between inline_task.c and the table that tasks call. */
#ifndef RUN_INLINE_HOST_H
#define RUN_INLINE_HOST_H

#include "run/inline.h"

extern const struct weir_table inline_table;

#endif
