/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * points.h - the named points where tests kill (base/fault.h): which of them a
 * run has passed, and whether they are those that the test is there for.
 *
 * tests/crash/points.list says of each point of core which test kills there;
 * tests/crash/points.sh compares it with the source. So a point that is added
 * needs a test, and a test that does not come by any more fails.
 */
#ifndef LIB_POINTS_H
#define LIB_POINTS_H

#include <stdbool.h>

enum { POINTS_MOST = 256, POINT_ROOM = 64 };

struct points {
    char at[POINTS_MOST][POINT_ROOM];
    unsigned count;
};

/* Sets WEIR_FAULT_TRACE to a new file, for processes that begin from here on;
 * and ends that, and adds what stands there, each name once. */
void points_trace(void);
void points_read(struct points *points);
bool points_has(const struct points *points, const char *name);
/* Those that points.list gives to this test; none when it cannot be read. For
 * main, where nothing is asserted yet. */
void points_listed(struct points *points, const char *test);
/* Whether one is missing that points.list gives to this test, and which one. */
bool points_lack(const struct points *points, const char *test, char *name_out);
/* Fails when one is missing that points.list gives to this test, a file from
 * the source's root on, as "tests/crash/queue.c". */
void points_expect(const struct points *points, const char *test);

#endif
