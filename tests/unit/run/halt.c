/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* halt.c - tests of core/run/halt_rule.c: when a stage has failed too much. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "run/halt.h"
#include "suites.h"

#define S NS_PER_S

static struct job_stage stage;
static struct halt_state state;

static void set_up(void)
{
    static char name[] = "try";

    stage = (struct job_stage){ .name = name,
                                .halt = { .within_ns = FOREVER } };
    state = (struct halt_state){ 0 };
}

static void tear_down(void)
{
    halt_done(&state);
}

/* So much stands in the reason; NULL: there is none. */
static void says(uint64_t failed, uint64_t all, int64_t now, const char *want)
{
    char *why = halt_reason(&stage, &state, failed, all, now);

    if (want == NULL) {
        ck_assert_msg(why == NULL, "%" PRIu64 " of %" PRIu64 ": %s", failed,
                      all, why);
        return;
    }
    ck_assert_msg(why != NULL, "%" PRIu64 " of %" PRIu64 ": no reason", failed,
                  all);
    ck_assert_msg(strstr(why, want) != NULL, "'%s' has no '%s'", why, want);
    free(why);
}

START_TEST(no_rule_halts_nothing)
{
    says(0, 0, 0, NULL);
    says(UINT64_MAX, UINT64_MAX, INT64_MAX, NULL);
}
END_TEST

START_TEST(a_number)
{
    stage.halt.failures = 3;
    says(0, 0, 0, NULL);
    says(2, 2, 1, NULL);
    says(3, 1000000, 2,
         "stage 'try' was halted: 3 failed; its `halt` stands at 3");
    says(7, 7, 3, "7 failed");
}
END_TEST

START_TEST(a_share)
{
    stage.halt.share = 0.25;
    stage.halt.least = 8;
    says(7, 7, 0, NULL); /* too few to judge by */
    says(1, 8, 1, NULL);
    says(2, 8, 2, "2 of 8 failed; its `halt` stands at 25 %");
    says(24, 100, 3, NULL);
    says(25, 100, 4, "25 of 100 failed");
}
END_TEST

START_TEST(no_failure_is_no_share)
{
    stage.halt.share = 1e-9;
    says(0, 1000000000, 0, NULL);
    says(1, 1000000000, 1, "1 of 1000000000");
}
END_TEST

START_TEST(all_of_them)
{
    stage.halt.share = 1;
    stage.halt.least = 1;
    says(99, 100, 0, NULL);
    says(100, 100, 1, "100 of 100");
}
END_TEST

START_TEST(a_rate)
{
    stage.halt.failures = 3;
    stage.halt.within_ns = 10 * S;
    says(2, 2, 0, NULL);
    says(2, 9, 10 * S, NULL); /* just as old as they may be */
    says(3, 10, 11 * S, NULL);
    says(4, 11, 12 * S, NULL); /* two of them are forgotten */
    says(5, 12, 21 * S, "3 failed within 10 s; its `halt` stands at 3");
}
END_TEST

/* What is gone from the window does not come back with the next one. */
START_TEST(a_rate_forgets)
{
    stage.halt.failures = 2;
    stage.halt.within_ns = S;
    for (int64_t i = 1; i <= 1000; i++) {
        says((uint64_t)i, (uint64_t)i, 2 * i * S, NULL);
        ck_assert_uint_le(state.sightings.count, 2);
    }
    says(1002, 1002, 2002 * S, "2 failed within 1 s");
}
END_TEST

/* Many that are seen at once are of one time. */
START_TEST(a_rate_of_many_at_once)
{
    stage.halt.failures = 100;
    stage.halt.within_ns = S;
    says(99, 99, 0, NULL);
    says(99, 99, 2 * S, NULL);
    says(198, 198, 4 * S, NULL);
    says(298, 298, 6 * S, "100 failed within");
}
END_TEST

Suite *halt_suite(void)
{
    Suite *suite = suite_create("halt");
    TCase *tcase = tcase_create("halt");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, no_rule_halts_nothing);
    tcase_add_test(tcase, a_number);
    tcase_add_test(tcase, a_share);
    tcase_add_test(tcase, no_failure_is_no_share);
    tcase_add_test(tcase, all_of_them);
    tcase_add_test(tcase, a_rate);
    tcase_add_test(tcase, a_rate_forgets);
    tcase_add_test(tcase, a_rate_of_many_at_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
