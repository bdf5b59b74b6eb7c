/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * late.h - a helper for a program that has threads already.
 *
 * A fork would copy the locks that they hold, so it is an exec of a small
 * program of ours, weir-helper. That has nothing of the program's memory: no
 * function, but tasks of plugins by their name.
 */
#ifndef PROCESS_LATE_H
#define PROCESS_LATE_H

#include "process/helper.h"

/* In the program: the helper will say its first word on the socket. 0; a
 * negated errno, and its sentence. Any thread. */
int late_start(const struct helper_birth *birth, weir_error *err);

/* All that weir-helper does. Its exit status, when it could not. */
int late_main(int argc, char **argv,
              const struct helper_service *const *services);

#endif
