/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clock.c - core/base/clock.c: deadlines at the ends of their range. */
#include "config.h"

#include <limits.h>

#include "base.h"

START_TEST(runs_forward)
{
    int64_t before = clock_now();

    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_now();

        ck_assert_int_ge(now, before);
        before = now;
    }
}
END_TEST

START_TEST(deadlines)
{
    int64_t before = clock_now();
    int64_t deadline = clock_deadline(NS_PER_S);

    ck_assert_int_ge(deadline, before + NS_PER_S);
    ck_assert_int_le(deadline, clock_now() + NS_PER_S);
    ck_assert_int_eq(clock_deadline(FOREVER), FOREVER);
    ck_assert_int_eq(clock_deadline(FOREVER - 1), FOREVER);
    ck_assert_int_ge(clock_deadline(0), before);
    ck_assert_int_ge(clock_deadline(-1), before);
    ck_assert_int_le(clock_deadline(INT64_MIN), clock_now());
}
END_TEST

START_TEST(what_is_left)
{
    ck_assert_int_eq(clock_left(FOREVER), FOREVER);
    ck_assert_int_eq(clock_left(0), 0);
    ck_assert_int_eq(clock_left(INT64_MIN), 0);
    ck_assert_int_eq(clock_left(1), 0);
    ck_assert_int_eq(clock_left(clock_now()), 0);
    ck_assert_int_gt(clock_left(clock_deadline(1000 * NS_PER_S)),
                     900 * NS_PER_S);
    ck_assert_int_gt(clock_left(FOREVER - 1), 0);
}
END_TEST

START_TEST(timespecs)
{
    struct timespec ts = clock_timespec(3 * NS_PER_S + 7);

    ck_assert_int_eq(ts.tv_sec, 3);
    ck_assert_int_eq(ts.tv_nsec, 7);
    ts = clock_timespec(-5);
    ck_assert_int_eq(ts.tv_sec, 0);
    ck_assert_int_eq(ts.tv_nsec, 0);
    ts = clock_timespec(FOREVER);
    ck_assert_int_lt(ts.tv_nsec, NS_PER_S);
}
END_TEST

START_TEST(for_poll)
{
    ck_assert_int_eq(clock_poll_ms(FOREVER), -1);
    ck_assert_int_eq(clock_poll_ms(0), 0);
    ck_assert_int_eq(clock_poll_ms(-1), 0);
    ck_assert_int_eq(clock_poll_ms(1), 1); /* never early */
    ck_assert_int_eq(clock_poll_ms(NS_PER_MS), 1);
    ck_assert_int_eq(clock_poll_ms(NS_PER_MS + 1), 2);
    ck_assert_int_eq(clock_poll_ms(FOREVER - 1), INT_MAX);
}
END_TEST

Suite *clock_suite(void)
{
    Suite *suite = suite_create("clock");
    TCase *tcase = tcase_create("clock");

    tcase_add_test(tcase, runs_forward);
    tcase_add_test(tcase, deadlines);
    tcase_add_test(tcase, what_is_left);
    tcase_add_test(tcase, timespecs);
    tcase_add_test(tcase, for_poll);
    suite_add_tcase(suite, tcase);
    return suite;
}
