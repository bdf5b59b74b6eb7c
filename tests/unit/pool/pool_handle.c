/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_handle.c - core/pool/pool_handle.c and pool_cancel.c: what a handle can
 * do beside waiting, and the options of one call. */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"
#include "watch.h"

static weir_result_info info_of(weir_result *result)
{
    weir_result_info info = { .size = sizeof info };

    ck_assert_int_eq(weir_result_state(result, &info), 0);
    return info;
}

/* ---------------------------------------------------------------- cancel ----
 */

/* Out of the middle: the others keep their order, and run. */
START_TEST(d6_cancel)
{
    weir_pool_options options = bench_options();
    weir_result *results[100], *busy;
    char numbers[100];
    weir_pool *pool;

    options.workers = 1;
    pool = bench_pool(&options);
    busy = bench_running(pool, be_deaf);
    for (int i = 0; i < 100; i++)
        results[i] = bench_call(pool, mark, (char[]){ (char)(i + 1), '\0' },
                                NULL);
    ck_assert_int_eq(weir_result_cancel(busy), 0);
    for (int i = 0; i < 100; i++) {
        if (i % 3 == 0)
            continue;
        ck_assert_int_eq(weir_result_cancel(results[i]), 1);
        ck_assert_int_eq(weir_result_cancel(results[i]), 0);
        ck_assert_int_eq(weir_result_ready(results[i]), 1);
        bench_expect(&results[i], WEIR_ECANCELED, "before it began");
    }
    ck_assert_int_eq(weir_result_stop(busy, 0), 0);
    bench_expect(&busy, WEIR_ECANCELED, "was stopped");
    for (int i = 0; i < 100; i += 3)
        bench_expect(&results[i], 0, "");
    watch_read(bench.pipe[0], numbers, 34);
    for (int i = 0; i < 34; i++)
        ck_assert_int_eq(numbers[i], i * 3 + 1);
    bench_end(&pool);
}
END_TEST

/* What is cancelled makes room. */
START_TEST(d6_cancel_makes_room)
{
    weir_pool_options options = bench_options();
    weir_call_options tagged = { .size = sizeof tagged, .tag = 7 };
    weir_result *results[50], *busy, *other, *late;
    weir_pool *pool;

    options.workers = 1;
    options.window = 52;
    options.bytes = 1000;
    pool = bench_pool(&options);
    busy = bench_running(pool, be_deaf);
    other = bench_call(pool, echo, "x", NULL);
    for (int i = 0; i < 50; i++)
        results[i] = bench_call(pool, echo, "12345678901234567", &tagged);
    ck_assert_int_eq(weir_pool_apply_async(pool, echo, "x", 1, 0, &late, NULL),
                     WEIR_EFULL);
    ck_assert_int_eq(weir_pool_cancel(pool, 8), 0);
    ck_assert_int_eq(weir_pool_cancel(pool, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_cancel(pool, 7), 50);
    for (int i = 0; i < 50; i++)
        bench_expect(&results[i], WEIR_ECANCELED, "before it began");
    for (int i = 0; i < 50; i++)
        results[i] = bench_call(pool, echo, "12345678901234567", &tagged);
    ck_assert_int_eq(weir_result_stop(busy, 1), 0);
    bench_expect(&busy, WEIR_ECANCELED, "was stopped");
    bench_expect(&other, 0, "");
    for (int i = 0; i < 50; i++)
        bench_expect(&results[i], 0, "");
    bench_end(&pool);
}
END_TEST

/* Loop: ends by SIGTERM; does not; stands still itself. With retries left, and
 * with a neighbour in the other worker that goes on. */
START_TEST(d6_stop)
{
    weir_pool_options options = bench_options();
    weir_call_options tagged = { .size = sizeof tagged, .tag = 3 };
    weir_result *neighbour, *result;
    weir_result_info info;
    weir_pool *pool;
    pid_t pid;

    options.retries = 5;
    pool = bench_pool(&options);
    neighbour = bench_running(pool, be_deaf);
    pid = info_of(neighbour).worker;
    result = _i == 2
                 ? bench_call(pool, die, (char[]){ SIGSTOP, 0 }, &tagged)
                 : bench_call(pool, _i == 0 ? wait_on : be_deaf, "", &tagged);
    do {
        info = info_of(result);
    } while (info.state != WEIR_RESULT_RUNNING);
    ck_assert_uint_le(info.attempt, 1);
    ck_assert_uint_eq(info.tag, 3);
    if (_i == 1)
        watch_read(bench.pipe[0], &(char){ 0 }, 1);
    ck_assert_int_eq(weir_pool_stop(pool, 3, _i == 1 ? NS_PER_MS : BOUND_NS),
                     0);
    bench_expect(&result, WEIR_ECANCELED, "was stopped");
    result = bench_call(pool, echo, "x", NULL);
    bench_expect(&result, 0, "");
    ck_assert_int_eq(info_of(neighbour).worker, pid);
    weir_result_free(&neighbour);
    bench_end_now(&pool);
}
END_TEST

/* Short calls that are stopped while they come and go: only those with the tag
 * are touched. */
START_TEST(stop_spares_neighbours)
{
    enum { MANY = 3000 };
    static weir_result *results[MANY];
    weir_pool_options options = bench_options();
    weir_call_options tagged = { .size = sizeof tagged, .tag = 1 };
    weir_pool *pool;
    int stopped = 0;

    pool = bench_pool(&options); /* no retries: an innocent would be lost */
    for (int i = 0; i < MANY; i++) {
        bool marked = i % 50 == 0;

        results[i] = bench_call(pool, marked ? wait_on : echo, "x",
                                marked ? &tagged : NULL);
        if (i % 50 == 25)
            ck_assert_int_ge(weir_pool_stop(pool, 1, NS_PER_S), 0);
    }
    for (int i = 0; i < MANY; i++) {
        int code = weir_result_get(results[i], BOUND_NS, NULL, NULL);

        ck_assert_int_eq(code, i % 50 == 0 ? WEIR_ECANCELED : 0);
        stopped += code != 0;
        weir_result_free(&results[i]);
    }
    ck_assert_int_eq(stopped, MANY / 50);
    bench_end(&pool);
}
END_TEST

/* ------------------------------------------------------------- state, wait
 * ----
 */

START_TEST(d6_state)
{
    weir_pool_options options = bench_options();
    weir_result *busy, *queued;
    weir_result_info info;
    weir_pool *pool;
    pid_t pid;

    options.workers = 1;
    options.retries = 1;
    pool = bench_pool(&options);
    busy = bench_running(pool, be_deaf);
    queued = bench_call(pool, echo, "x", NULL);
    info = info_of(queued);
    ck_assert_int_eq(info.state, WEIR_RESULT_QUEUED);
    ck_assert_uint_eq(info.attempt, 0);
    ck_assert_int_eq(info.worker, 0);
    info = info_of(busy);
    ck_assert_int_eq(info.state, WEIR_RESULT_RUNNING);
    ck_assert_uint_eq(info.attempt, 1);
    pid = info.worker;
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    watch_read(bench.pipe[0], &(char){ 0 }, 1); /* its second attempt */
    info = info_of(busy);
    ck_assert_uint_eq(info.attempt, 2);
    ck_assert_int_ne(info.worker, pid);
    ck_assert_int_eq(kill(info.worker, SIGKILL), 0);
    bench_expect(&busy, WEIR_ELOST, "attempt 2");
    ck_assert_int_eq(weir_result_wait(queued, BOUND_NS), 0);
    ck_assert_int_eq(info_of(queued).state, WEIR_RESULT_DONE);
    ck_assert_int_eq(weir_result_state(queued, NULL), WEIR_EINVAL);
    weir_result_free(&queued);
    bench_end(&pool);
}
END_TEST

START_TEST(d6_wait_any_all)
{
    weir_pool_options options = bench_options();
    weir_result *results[5] = { NULL }, *other;
    weir_pool *pool = bench_pool(&options), *second = bench_pool(&options);
    size_t index = 99;

    ck_assert_int_eq(weir_result_wait_any(results, 5, 0, &index), WEIR_EEMPTY);
    ck_assert_int_eq(weir_result_wait_all(results, 5, 0, &index), 0);
    results[1] = bench_running(pool, be_deaf);
    ck_assert_int_eq(weir_result_wait_any(results, 5, NS_PER_MS, &index),
                     WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_result_wait_any(results, 5, -1, &index), WEIR_EINVAL);
    results[3] = bench_call(pool, echo, "x", NULL);
    ck_assert_int_eq(weir_result_wait_any(results, 5, BOUND_NS, &index), 0);
    ck_assert_uint_eq(index, 3);
    ck_assert_int_eq(weir_result_wait_all(results, 5, NS_PER_MS, &index),
                     WEIR_ETIMEDOUT);
    ck_assert_uint_eq(index, 1);
    other = bench_call(second, echo, "x", NULL);
    results[4] = other;
    ck_assert_int_eq(weir_result_wait_any(results, 5, 0, &index), WEIR_EINVAL);
    results[4] = NULL;
    ck_assert_int_eq(weir_result_stop(results[1], 0), 0);
    ck_assert_int_eq(weir_result_wait_all(results, 5, BOUND_NS, &index), 0);
    bench_expect(&results[1], WEIR_ECANCELED, "stopped");
    weir_result_free(&results[3]);
    weir_result_free(&other);
    bench_end(&pool);
    bench_end(&second);
}
END_TEST

/* A call takes its worker with it: it alone is charged, whatever lay beside it
 * in the batch. */
START_TEST(batch_charges_one)
{
    enum { MANY = 320, BAD = 133 };
    const char segv = SIGSEGV;
    weir_pool_options options = bench_options();
    weir_call_options chunk = { .size = sizeof chunk, .chunk = 32 };
    weir_bytes inputs[MANY];
    weir_result *results[MANY];
    weir_pool *pool;

    options.workers = 1; /* and no retries: a neighbour would be lost */
    pool = bench_pool(&options);
    for (int i = 0; i < MANY; i++)
        inputs[i] = i == BAD ? (weir_bytes){ &segv, 1 }
                             : (weir_bytes){ "good", 4 };
    ck_assert_int_eq(weir_pool_map_async(pool, picky, inputs, MANY, BOUND_NS,
                                         &chunk, results, NULL),
                     0);
    for (int i = 0; i < MANY; i++)
        if (i == BAD)
            bench_expect(&results[i], WEIR_ELOST, "SIGSEGV");
        else
            bench_expect(&results[i], 0, "");
    bench_end(&pool);
}
END_TEST

/* ------------------------------------------------------- options of a call
 * ----
 */

START_TEST(d5_call_options)
{
    weir_pool_options options = bench_options();
    weir_call_options own = { .size = sizeof own };
    weir_result *result;
    weir_error err = { 0 };
    weir_pool *pool;

    options.retries = 1;
    pool = bench_pool(&options);
    own.retries = 3;
    result = bench_call(pool, die_at_first, "\3", &own);
    bench_expect(&result, 0, "");
    own.retries = WEIR_NO_RETRIES;
    result = bench_call(pool, die_at_first, "\1", &own);
    bench_expect(&result, WEIR_ELOST, "SIGKILL");
    own.retries = 0;
    result = bench_call(pool, die_at_first, "\1", &own);
    bench_expect(&result, 0, "");
    own.limit_ns = 20 * NS_PER_MS;
    result = bench_call(pool, wait_on, "", &own);
    bench_expect(&result, WEIR_ELIMIT, "longer than 20 ms");
    own.retries = -2;
    ck_assert_int_eq(weir_pool_apply_async_with(pool, echo, "x", 1, 0, &own,
                                                &result, &err),
                     WEIR_EINVAL);
    own = (weir_call_options){ .size = 1 };
    ck_assert_int_eq(weir_pool_apply_async_with(pool, echo, "x", 1, 0, &own,
                                                &result, &err),
                     WEIR_EINVAL);
    ck_assert_msg(strstr(err.text, "size") != NULL, "%s", err.text);
    bench_end(&pool);
}
END_TEST

/* Those that have begun, and those that wait behind what never ends. */
START_TEST(d8_deadline)
{
    weir_pool_options options = bench_options();
    weir_call_options own = { .size = sizeof own,
                              .deadline_ns = 30 * NS_PER_MS,
                              .retries = 100 };
    weir_result *busy, *queued, *begun;
    weir_pool *pool;

    pool = bench_pool(&options);
    begun = bench_call(pool, wait_on, "", &own);
    bench_expect(&begun, WEIR_ELIMIT, "deadline");
    busy = bench_running(pool, be_deaf);
    begun = bench_running(pool, be_deaf);
    queued = bench_call(pool, echo, "x", &own);
    bench_expect(&queued, WEIR_ELIMIT, "before it began");
    own.deadline_ns = BOUND_NS;
    queued = bench_call(pool, echo, "x", &own);
    ck_assert_int_eq(weir_result_stop(busy, 0), 0);
    bench_expect(&queued, 0, "");
    weir_result_free(&busy);
    weir_result_free(&begun);
    bench_end_now(&pool);
}
END_TEST

Suite *pool_handle_suite(void)
{
    Suite *suite = suite_create("pool_handle");
    TCase *tcase = tcase_create("handles");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, d6_cancel);
    tcase_add_test(tcase, d6_cancel_makes_room);
    tcase_add_loop_test(tcase, d6_stop, 0, 3);
    tcase_add_test(tcase, stop_spares_neighbours);
    tcase_add_test(tcase, d6_state);
    tcase_add_test(tcase, d6_wait_any_all);
    tcase_add_test(tcase, batch_charges_one);
    tcase_add_test(tcase, d5_call_options);
    tcase_add_test(tcase, d8_deadline);
    suite_add_tcase(suite, tcase);
    return suite;
}
