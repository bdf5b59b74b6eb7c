/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wait.h - sleeping on a word of one's own, and waking who sleeps.
 *
 * Each member has one PARK word. A sleeper stores WAITING, once; then, for
 * each thing that it waits for, under that one's lock: tests, and notes itself
 * there when the test fails; spins a little; swaps WAITING for ASLEEP; sleeps;
 * and tests again, whatever ended the sleep. A waker: chooses under the lock;
 * unlocks; swaps in TOKEN; calls the kernel unless nobody can be asleep.
 *
 * No wake-up is lost between test and sleep: a token that comes after WAITING
 * makes the swap fail. One that came before is overwritten, but what it stood
 * for was changed under the lock before it was sent, and the tests see that.
 * One that comes for nothing makes the sleeper look once more. A waker that
 * dies before it has called the kernel leaves TOKEN beside a sleeper: the next
 * park_wake, which recovery sends to all, calls the kernel then.
 */
#ifndef SHM_WAIT_H
#define SHM_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shm/spin.h"

enum {
    PARK_NONE = 0,
    PARK_WAITING = 1,
    PARK_ASLEEP = 2,
    PARK_TOKEN = 3,
};

/* Before the first of the tests that may end in sleep. */
void park_announce(_Atomic uint32_t *park);
/* Sleeps until a token (0) or the deadline (WEIR_ETIMEDOUT); may end early with
 * 0. A token is never left behind: at the deadline it counts as one. The word
 * is PARK_NONE afterwards. @spin: awake at first, when that pays; NULL: never,
 * or the caller has done it. */
int park_sleep(_Atomic uint32_t *park, int64_t deadline_ns, struct spin *spin);
/* Not going to sleep after all. */
void park_clear(_Atomic uint32_t *park);
/* Wakes who sleeps, or is about to. */
void park_wake(_Atomic uint32_t *park);

#endif
