/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backoff.c - tests of core/run/backoff.c: how long until the next attempt. */
#include "config.h"

#include "run/backoff.h"
#include "suites.h"

#define MS NS_PER_MS
#define LONG_NS (INT64_C(1) << 62)

static const struct {
    struct job_wait wait;
    unsigned attempts;
    int64_t ns;
} rows[] = {
    { { 0, 1, 0, 0 }, 1, 0 }, /* none */
    { { 0, 2, 10 * MS, 1 }, 9, 0 },
    { { 5 * MS, 1, 5 * MS, 0 }, 1, 5 * MS }, /* fixed */
    { { 5 * MS, 1, 5 * MS, 0 }, 1000, 5 * MS },
    { { 5 * MS, 2, 60 * MS, 0 }, 1, 5 * MS }, /* longer and longer */
    { { 5 * MS, 2, 60 * MS, 0 }, 2, 10 * MS },
    { { 5 * MS, 2, 60 * MS, 0 }, 4, 40 * MS },
    { { 5 * MS, 2, 60 * MS, 0 }, 5, 60 * MS }, /* up to the ceiling */
    { { 5 * MS, 2, 60 * MS, 0 }, UINT32_MAX, 60 * MS },
    { { 4 * MS, 1.5, 60 * MS, 0 }, 3, 9 * MS },
    { { 90 * MS, 2, 60 * MS, 0 }, 1, 60 * MS },
    { { 1, 1e300, LONG_NS, 0 }, 3, LONG_NS }, /* beyond all numbers */
    { { LONG_NS, 1, LONG_NS, 0 }, 7, LONG_NS },
};

START_TEST(how_long)
{
    ck_assert_int_eq(backoff_ns(&rows[_i].wait, rows[_i].attempts, 1, 2),
                     rows[_i].ns);
}
END_TEST

START_TEST(chance_is_of_the_item)
{
    const struct job_wait wait = { 100 * MS, 2, 10 * NS_PER_S, 0.5 };
    int64_t least = INT64_MAX, most = 0;

    for (uint64_t root = 0; root < 1000; root++) {
        int64_t ns = backoff_ns(&wait, 2, root, 7);

        ck_assert_int_eq(ns, backoff_ns(&wait, 2, root, 7));
        least = ns < least ? ns : least;
        most = ns > most ? ns : most;
    }
    /* Half of it is chance, and all of that half is met. */
    ck_assert(least >= 100 * MS && least < 105 * MS);
    ck_assert(most <= 200 * MS && most > 195 * MS);
    ck_assert_int_ne(backoff_ns(&wait, 2, 1, 7), backoff_ns(&wait, 2, 1, 8));
}
END_TEST

START_TEST(all_chance_is_never_nothing)
{
    const struct job_wait wait = { 1, 1, 1, 1 };

    for (uint64_t root = 0; root < 100; root++)
        ck_assert_int_eq(backoff_ns(&wait, 1, root, 0), 1);
}
END_TEST

static const int64_t forks_ms[] = { 0, 10, 20, 40, 80, 160, 320, 640, 1000 };

START_TEST(forks)
{
    ck_assert_int_eq(backoff_fork_ns((unsigned)_i), forks_ms[_i] * MS);
    ck_assert_int_eq(backoff_fork_ns(UINT32_MAX), NS_PER_S);
}
END_TEST

static const struct {
    enum cause cause;
    enum wait_class class;
} classes[] = {
    { CAUSE_NONE, WAIT_ERROR },    { CAUSE_ERROR, WAIT_ERROR },
    { CAUSE_EXIT, WAIT_CRASH },    { CAUSE_SIGNAL, WAIT_CRASH },
    { CAUSE_LIMIT, WAIT_TIMEOUT }, { CAUSE_MEMORY, WAIT_CRASH },
    { CAUSE_OUT, WAIT_CRASH },     { CAUSE_KILLED, WAIT_CRASH },
};

START_TEST(class_of_a_cause)
{
    ck_assert_int_eq(backoff_class(classes[_i].cause), classes[_i].class);
}
END_TEST

Suite *backoff_suite(void)
{
    Suite *suite = suite_create("backoff");
    TCase *tcase = tcase_create("backoff");

    tcase_add_loop_test(tcase, how_long, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tcase, chance_is_of_the_item);
    tcase_add_test(tcase, all_chance_is_never_nothing);
    tcase_add_loop_test(tcase, forks, 0, sizeof forks_ms / sizeof *forks_ms);
    tcase_add_loop_test(tcase, class_of_a_cause, 0,
                        sizeof classes / sizeof *classes);
    suite_add_tcase(suite, tcase);
    return suite;
}
