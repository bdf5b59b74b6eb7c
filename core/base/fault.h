/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault.h - named points where a test kills, stops or fails a process, and
 * named mutations with which the tests prove themselves. Empty unless built
 * with WEIR_FAULTS.
 *
 * A point is WEIR_POINT("queue.lease.word"). The environment steers it:
 * WEIR_FAULT=point:nth:action[:member], action kill, stop or abort; several
 * are separated by commas. `member` is what fault_start was given, -1 none.
 * WEIR_MUTANT=name switches a mutation on: if (WEIR_MUTATED("no-wake")) ...
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#if WEIR_FAULTS

enum { FAULT_ORDERS = 16 };

/* Each process counts for itself how often it has passed the point of an order.
 * With WEIR_FAULT_COUNTS=file all of them count together, in that file, which
 * has FAULT_ORDERS of these, all 0 at first, one for each order of WEIR_FAULT:
 * then just one of them is killed, `who` is its name (prctl), and `when_ns` the
 * time (CLOCK_MONOTONIC). */
struct fault_count {
    uint64_t passed;
    int64_t when_ns;
    char who[16];
};

void fault_point(const char *name);
bool fault_mutated(const char *name);
/* Once in each process, after fork: reads the environment (or @spec, when not
 * NULL) and starts to count from 0. */
void fault_start(const char *spec, int member);
/* Every point passed so far in this process is appended to the file named in
 * WEIR_FAULT_TRACE, once each: how a test learns the list. */

#define WEIR_POINT(name) fault_point(name)
#define WEIR_MUTATED(name) fault_mutated(name)

#else

#define WEIR_POINT(name) ((void)0)
#define WEIR_MUTATED(name) false
#define fault_start(spec, member) ((void)(spec), (void)(member))

#endif
#endif
