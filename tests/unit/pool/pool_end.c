/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_end.c - core/pool/pool.c: `open` and `close` of workers, and how a pool
 * ends: closed, terminated, by itself. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "suites.h"
#include "watch.h"

static void expect_echo(weir_pool *pool)
{
    weir_result *result;
    weir_error err = { 0 };

    ck_assert_msg(weir_pool_apply(pool, echo, "x", 1, BOUND_NS, &result,
                                  &err) == 0,
                  "%s", err.text);
    weir_result_free(&result);
}

static void free_pool(weir_pool **pool)
{
    ck_assert_int_eq(weir_pool_join(*pool, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_free(pool), 0);
}

/* ----------------------------------------------------------- open, close ----
 */

/* Loop: says so; returns a code; exits; is killed. */
START_TEST(d5_open_fails)
{
    static const char *const words[] = { "no licence", "-2", "status 7",
                                         "SIGKILL" };
    static const int codes[] = { WEIR_EFAILED, -ENOENT, WEIR_ELOST,
                                 WEIR_ELOST };
    weir_pool_options options = bench_options();
    weir_result *early, *late;
    weir_error err = { 0 };
    weir_pool *pool;

    options.open = open_by_argument;
    options.argument = &"sxek"[_i];
    options.argument_size = 1;
    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_apply(pool, echo, "x", 1, BOUND_NS, &early,
                                     &err),
                     codes[_i]);
    ck_assert_msg(strstr(err.text, words[_i]) != NULL &&
                      strstr(err.text, "3 times in a row") != NULL,
                  "%s", err.text);
    memset(&err, 0, sizeof err);
    ck_assert_int_eq(weir_pool_apply_async(pool, echo, "x", 1, BOUND_NS, &late,
                                           &err),
                     codes[_i]);
    ck_assert_msg(strstr(err.text, words[_i]) != NULL, "%s", err.text);
    free_pool(&pool);
}
END_TEST

/* Fails twice, then does well: the pool goes on. And so twice. */
START_TEST(d5_open_fails_twice)
{
    weir_pool_options options = bench_options();
    weir_result *result;
    weir_pool *pool;

    options.workers = 1;
    options.open = open_by_pipe;
    ck_assert_int_eq(write(bench.pipe[1], "ffkffk", 6), 6);
    pool = bench_pool(&options);
    expect_echo(pool);
    ck_assert_int_eq(weir_pool_apply(pool, leave, "\1", 1, BOUND_NS, &result,
                                     NULL),
                     WEIR_ELOST);
    expect_echo(pool);
    bench_end(&pool);
}
END_TEST

/* Somebody kills each worker while it opens. */
START_TEST(d8_killed_in_open)
{
    weir_pool_options options = bench_options();
    weir_result *result;
    weir_error err = { 0 };
    weir_pool *pool;
    pid_t pid;

    options.workers = 1;
    options.open = open_by_argument;
    options.argument = "w";
    options.argument_size = 1;
    pool = bench_pool(&options);
    for (int i = 0; i < 3; i++) {
        watch_read(bench.pipe[0], &pid, sizeof pid);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
    }
    ck_assert_int_eq(weir_pool_apply(pool, echo, "x", 1, BOUND_NS, &result,
                                     &err),
                     WEIR_ELOST);
    ck_assert_msg(strstr(err.text, "SIGKILL") != NULL, "%s", err.text);
    free_pool(&pool);
}
END_TEST

/* Each worker opens once and closes once, with the pool's argument, and has a
 * state of its own between. */
START_TEST(open_and_close)
{
    weir_pool_options options = bench_options();
    char told[8];
    weir_pool *pool;

    options.workers = 4;
    options.open = open_by_argument;
    options.close = tell_close;
    options.argument = "oand more";
    options.argument_size = 9;
    pool = bench_pool(&options);
    for (int i = 0; i < 20; i++)
        expect_echo(pool);
    bench_end(&pool);
    watch_read(bench.pipe[0], told, 8);
    for (int i = 0, opened = 0; i < 8; i++) {
        ck_assert(told[i] == 'O' || told[i] == 'C');
        opened += told[i] == 'O' ? 1 : -1;
        ck_assert_int_ge(opened, 0);
    }
}
END_TEST

/* ----------------------------------------------------------------- close ----
 */

/* What was called before goes on, also when a worker dies on the way. */
START_TEST(d5_close)
{
    weir_pool_options options = bench_options();
    weir_result *results[200], *late;
    weir_error err = { 0 };
    weir_pool *pool;

    options.retries = 1;
    pool = bench_pool(&options);
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(
            weir_pool_apply_async(pool, i % 50 == 7 ? die_at_first : echo, "\1",
                                  1, BOUND_NS, &results[i], NULL),
            0);
    ck_assert_int_eq(weir_pool_close(pool), 0);
    ck_assert_int_eq(weir_pool_close(pool), 0);
    ck_assert_int_eq(weir_pool_apply_async(pool, echo, "x", 1, BOUND_NS, &late,
                                           &err),
                     WEIR_ECLOSED);
    ck_assert_msg(strstr(err.text, "closed") != NULL, "%s", err.text);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    for (int i = 0; i < 200; i++) { /* join has moved them */
        ck_assert_int_eq(weir_result_successful(results[i]), 1);
        weir_result_free(&results[i]);
    }
    ck_assert_int_eq(weir_pool_apply(pool, echo, "x", 1, BOUND_NS, &late, &err),
                     WEIR_ECLOSED);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    free_pool(&pool);
}
END_TEST

static void *join(void *pool)
{
    return (void *)(intptr_t)weir_pool_join(pool, BOUND_NS);
}

START_TEST(d5_join)
{
    weir_pool_options options = bench_options();
    pthread_t threads[4];
    weir_result *result;
    weir_pool *pool = bench_pool(&options);
    void *code;

    ck_assert_int_eq(weir_pool_apply_async(pool, wait_on, NULL, 0, 0, &result,
                                           NULL),
                     0);
    ck_assert_int_eq(weir_pool_close(pool), 0);
    ck_assert_int_eq(weir_pool_join(pool, 0), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_pool_join(pool, NS_PER_MS), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_pool_free(&pool), WEIR_ESTATE);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, join, pool), 0);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &code);
        ck_assert_int_eq((intptr_t)code, 0);
    }
    ck_assert_int_eq(weir_result_get(result, 0, NULL, NULL), WEIR_ETERMINATED);
    weir_result_free(&result);
    free_pool(&pool);
}
END_TEST

/* ------------------------------------------------------------- terminate ----
 */

struct caller {
    weir_pool *pool;
    int code;
};

static void *call_and_wait(void *arg)
{
    struct caller *caller = arg;
    weir_result *result;

    caller->code = weir_pool_apply(caller->pool, wait_on, NULL, 0, WEIR_FOREVER,
                                   &result, NULL);
    return NULL;
}

/* Busy workers, queued calls, threads that wait for results, for room, and in
 * line behind those. Loop: workers that take SIGTERM, and those that do not. */
START_TEST(d5_terminate)
{
    enum { THREADS = 6 };
    weir_pool_options options = bench_options();
    struct caller callers[THREADS];
    pthread_t threads[THREADS];
    weir_result *results[2];
    weir_pool *pool;

    options.window = 4;
    pool = bench_pool(&options);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(weir_pool_apply_async(pool,
                                               _i == 0 ? wait_on : be_deaf,
                                               NULL, 0, BOUND_NS, &results[i],
                                               NULL),
                         0);
    for (int i = 0; _i == 1 && i < 2; i++)
        watch_read(bench.pipe[0], &(char){ 0 }, 1); /* deaf by now */
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){ pool, 0 };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call_and_wait,
                                        &callers[i]),
                         0);
    }
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(callers[i].code, WEIR_ETERMINATED);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(weir_result_get(results[i], 0, NULL, NULL),
                         WEIR_ETERMINATED);
        weir_result_free(&results[i]);
    }
    free_pool(&pool);
}
END_TEST

/* At full load, with results that nobody has fetched. */
START_TEST(d8_terminate_while_busy)
{
    weir_pool_options options = bench_options();
    weir_result *results[1000];

    options.recycle = 3; /* successors are on their way, too */
    for (int round = 0; round < 10; round++) {
        weir_pool *pool = bench_pool(&options);

        for (int i = 0; i < 1000; i++)
            ck_assert_int_eq(weir_pool_apply_async(pool, echo, &i, sizeof i,
                                                   BOUND_NS, &results[i], NULL),
                             0);
        ck_assert_int_eq(weir_pool_terminate(pool), 0);
        for (int i = 0; i < 1000; i++) {
            int code = weir_result_get(results[i], 0, NULL, NULL);

            ck_assert(code == 0 || code == WEIR_ETERMINATED);
            weir_result_free(&results[i]);
        }
        free_pool(&pool);
    }
}
END_TEST

/* -------------------------------------------------------------- the rest ----
 */

START_TEST(context_closed)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    weir_result *result, *late;

    ck_assert_int_eq(weir_pool_apply_async(pool, wait_on, NULL, 0, 0, &result,
                                           NULL),
                     0);
    weir_context_close(&bench.context);
    ck_assert_int_eq(weir_result_get(result, WEIR_FOREVER, NULL, NULL),
                     WEIR_EBROKEN);
    ck_assert_int_eq(weir_pool_apply(pool, echo, NULL, 0, WEIR_FOREVER, &late,
                                     NULL),
                     WEIR_EBROKEN);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    weir_result_free(&result);
}
END_TEST

START_TEST(two_pools)
{
    weir_pool_options options = bench_options();
    weir_pool *one = bench_pool(&options), *two = bench_pool(&options);

    for (int i = 0; i < 20; i++) {
        expect_echo(one);
        expect_echo(two);
    }
    ck_assert_int_eq(weir_pool_terminate(one), 0);
    expect_echo(two);
    free_pool(&one);
    expect_echo(two);
    bench_end(&two);
}
END_TEST

/* No descriptors are left: refused, and nothing stays behind. */
START_TEST(d8_out_of_descriptors)
{
    struct rlimit limit, few;
    weir_pool_options options = bench_options();
    weir_pool *pool = NULL;
    weir_error err = { 0 };
    int next;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = limit;
    next = dup(0); /* the lowest number that is free */
    few.rlim_cur = (rlim_t)next;
    close(next);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    ck_assert_int_eq(weir_pool_new(bench.context, &options, &pool, &err),
                     -EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_msg(strstr(err.text, "Too many open files") != NULL, "%s",
                  err.text);
    pool = bench_pool(&options);
    expect_echo(pool);
    bench_end(&pool);
}
END_TEST

/* The size is chosen; the pool starts and ends many times. */
START_TEST(defaults)
{
    weir_pool_options options = bench_options();

    options.workers = 0;
    for (int i = 0; i < 30; i++) {
        weir_pool *pool = bench_pool(&options);

        ck_assert_int_eq(weir_pool_workers(pool), (int)processors_usable());
        bench_end(&pool);
    }
}
END_TEST

Suite *pool_end_suite(void)
{
    Suite *suite = suite_create("pool_end");
    TCase *tcase = tcase_create("end");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_loop_test(tcase, d5_open_fails, 0, 4);
    tcase_add_test(tcase, d5_open_fails_twice);
    tcase_add_test(tcase, d8_killed_in_open);
    tcase_add_test(tcase, open_and_close);
    tcase_add_test(tcase, d5_close);
    tcase_add_test(tcase, d5_join);
    tcase_add_loop_test(tcase, d5_terminate, 0, 2);
    tcase_add_test(tcase, d8_terminate_while_busy);
    tcase_add_test(tcase, context_closed);
    tcase_add_test(tcase, two_pools);
    tcase_add_test(tcase, d8_out_of_descriptors);
    tcase_add_test(tcase, defaults);
    suite_add_tcase(suite, tcase);
    return suite;
}
