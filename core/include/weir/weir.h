/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* weir/weir.h - all of libweir. */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <weir/error.h>
#include <weir/log.h>
#include <weir/mutex.h>
#include <weir/plugin.h>
#include <weir/pool.h>
#include <weir/process.h>
#include <weir/queue.h>
#include <weir/version.h>

#endif
