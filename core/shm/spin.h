/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spin.h - waiting awake for what comes at once, instead of asleep.
 *
 * A sleep and a wake cost a system call on each side and up to some tens of
 * microseconds between them; a spin costs its own time, and that of whoever
 * could run in its place. So it is done
 *
 *   only by a process that may use two processors or more (affinity and cgroup
 *   quota): on one alone nobody could end it
 *   only while the waits of the last time, slept or not, were short in the
 *   mean; and for no longer than twice that
 *   not after some in a row that ended without what they waited for, nor after
 *   one in which this process did not get the processor for a while: there is
 *   more to run than there are processors. Then it skips a number of waits,
 *   twice as many each time, and tries one again
 *
 * Who waits long never spins, and so costs nothing; no setting is needed.
 */
#ifndef SHM_SPIN_H
#define SHM_SPIN_H

#include <stdbool.h>
#include <stdint.h>

/* What one who waits has learned; all zero at the beginning. His own. */
struct spin {
    uint32_t mean_ns; /* of the last waits */
    uint32_t misses;  /* in a row */
    uint32_t skip;    /* waits without a spin that are left */
    uint32_t skips;   /* how many they were */
};

typedef bool spin_test(const void *arg);

/* Before a fork of many that may wait: what they may use is asked for once,
 * which is some twenty calls of the system, and they know it from birth. */
void spin_prepare(void);
/* This process is known to have one processor only: nobody else runs. */
bool spin_is_vain(void);
/* Whether this wait is to begin awake; counts it. */
bool spin_pays(struct spin *spin);
/* Awake until @test holds (true), or for as long as it is worth, at most until
 * @deadline_ns. */
bool spin_until(struct spin *spin, int64_t deadline_ns, spin_test *test,
                const void *arg);
/* A wait has ended that took so long, in all: asleep and awake. */
void spin_waited(struct spin *spin, int64_t ns);

#endif
