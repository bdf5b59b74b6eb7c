/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clock.h - monotonic time in ns; deadlines are absolute, waits relative. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* Relative: wait for ever. Absolute: never. */
#define FOREVER INT64_MAX

int64_t clock_now(void); /* CLOCK_MONOTONIC, ns */
/* The same as of the last tick, 1 to 10 ms ago; for next to nothing. */
int64_t clock_coarse(void);

/* now + timeout, FOREVER stays FOREVER, saturates. */
int64_t clock_deadline(int64_t timeout_ns);
/* What is left until the deadline, at least 0; FOREVER for FOREVER. */
int64_t clock_left(int64_t deadline_ns);
struct timespec clock_timespec(int64_t ns);
/* For poll and epoll: ms, rounded up, -1 for FOREVER, at most INT_MAX. */
int clock_poll_ms(int64_t left_ns);

#endif
