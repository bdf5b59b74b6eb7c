/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_crash.h - a worker that crashes leaves its stack behind. */
#ifndef POOL_POOL_CRASH_H
#define POOL_POOL_CRASH_H

#include "pool/pool_board.h"

/* In the helper, before the nursery is forked: what the unwinder needs is
 * loaded once, and no worker has to. */
void crash_prepare(void);
/* In a worker, once. SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT, where nobody
 * else has them, write a trace of the call at *@hand (0: none) and then do what
 * they would have done. */
void crash_watch(const struct board *board, const _Atomic uint64_t *hand);

#endif
