/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clock.c - monotonic time and deadlines that neither wrap nor end early. Any
 * process; safe in a signal handler. */
#include "config.h"

#include <limits.h>

#include "base/clock.h"

int64_t clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_coarse(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_deadline(int64_t timeout_ns)
{
    int64_t deadline;

    if (timeout_ns == FOREVER)
        return FOREVER;
    if (timeout_ns < 0)
        timeout_ns = 0;
    if (__builtin_add_overflow(clock_now(), timeout_ns, &deadline))
        return FOREVER;
    return deadline;
}

int64_t clock_left(int64_t deadline_ns)
{
    int64_t left;

    if (deadline_ns == FOREVER)
        return FOREVER;
    if (deadline_ns <= 0)
        return 0;
    left = deadline_ns - clock_now();
    return left > 0 ? left : 0;
}

struct timespec clock_timespec(int64_t ns)
{
    if (ns < 0)
        ns = 0;
    return (struct timespec){
        .tv_sec = ns / NS_PER_S,
        .tv_nsec = ns % NS_PER_S,
    };
}

int clock_poll_ms(int64_t left_ns)
{
    int64_t ms;

    if (left_ns == FOREVER)
        return -1;
    if (left_ns <= 0)
        return 0;
    ms = left_ns / NS_PER_MS + (left_ns % NS_PER_MS > 0);
    return ms < INT_MAX ? (int)ms : INT_MAX;
}
