/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * d5.c - Pool (d5) and AsyncResult (d6) of Python's multiprocessing, and ours.
 * Each row of theirs has a test that is named after it, here or where its file
 * of core is tested:
 *
 *   Pool(...)               d5_pool, d5_open_fails (pool_end.c)
 *   apply                   d5_apply (pool.c), d5_worker_killed and
 *                           d5_exit_in_a_task (pool_death.c)
 *   apply_async             d5_call_options (pool_handle.c), d5_callbacks and
 *                           d5_callbacks_always (pool_notice.c)
 *   map                     d5_map, d5_map_of_nothing (pool_map.c)
 *   map_async               d5_map_async (pool_notice.c)
 *   imap, imap_unordered    d5_imap..., d5_imap_unordered... (pool_imap.c)
 *   starmap                 there is none: an item is bytes
 *   maxtasksperchild        d5_maxtasksperchild; more in pool_seats.c
 *   close, terminate, join  d5_close, d5_terminate, d5_join (pool_end.c)
 *   with-block              d5_with_block
 *   other processes         d5_other_processes (pool.c)
 *   ThreadPool              d5_thread_pool; more in pool_inline.c
 *   a task forks            d8_task_forks (pool_death.c)
 *
 *   get, wait, ready, successful   d6_handles (pool.c)
 *   next of imap                   d6_next, d6_next_is_cancelled (pool_imap.c)
 *   missing in Pool                d6_cancel, d6_stop, d6_state,
 *                                  d6_wait_any_all (pool_handle.c)
 *   a worker dies                  d6_worker_dies
 */
#include "config.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "process/process.h"
#include "suites.h"
#include "watch.h"

/* As many as are asked for, or as the processors that can be used; never more
 * than there can be, and each of them serves. */
START_TEST(d5_pool)
{
    weir_pool_options options = bench_options();
    weir_error err = { 0 };
    weir_pool *pool = NULL;

    options.workers = 1025;
    ck_assert_int_eq(weir_pool_new(bench.context, &options, &pool, &err),
                     WEIR_EINVAL);
    ck_assert_ptr_null(pool);
    options.workers = 0;
    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_workers(pool), (int)processors_usable());
    bench_end(&pool);
    options.workers = 3;
    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_workers(pool), 3);
    bench_end(&pool);
}
END_TEST

/* Counts calls, also those of a map with a chunk: never more than so many in
 * one worker. (Theirs counts chunks.) */
START_TEST(d5_maxtasksperchild)
{
    enum { CALLS = 8, MOST = 2 };
    weir_pool_options options = bench_options();
    weir_bytes inputs[CALLS] = { 0 }, bytes;
    weir_result *results[CALLS];
    pid_t pids[CALLS];
    weir_pool *pool;

    options.workers = 1;
    options.recycle = MOST;
    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_map(pool, tell_pid, inputs, CALLS, 4, BOUND_NS,
                                   results, NULL),
                     0);
    for (int i = 0; i < CALLS; i++) {
        int same = 0;

        ck_assert_int_eq(weir_result_get(results[i], 0, &bytes, NULL), 0);
        memcpy(&pids[i], bytes.data, sizeof pids[i]);
        for (int k = 0; k <= i; k++)
            same += pids[k] == pids[i];
        ck_assert_int_le(same, MOST);
        weir_result_free(&results[i]);
    }
    bench_end(&pool);
}
END_TEST

/* Leaving a pool loses nothing without a word: free refuses until it is
 * joined, and join until it is closed. */
START_TEST(d5_with_block)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    weir_result *result = bench_call(pool, echo, "x", NULL);

    ck_assert_int_eq(weir_pool_free(&pool), WEIR_ESTATE);
    ck_assert_int_eq(weir_pool_join(pool, 0), WEIR_ESTATE);
    ck_assert_int_eq(weir_pool_close(pool), 0);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    bench_expect(&result, 0, "");
}
END_TEST

/* The same interface without processes. */
START_TEST(d5_thread_pool)
{
    weir_pool_options options = bench_options();
    weir_pool *pool;

    options.workers = WEIR_POOL_INLINE;
    pool = bench_pool(&options);
    ck_assert_int_eq(bench_worker(pool), getpid());
    bench_end(&pool);
}
END_TEST

/* Of fifty calls, one kills its worker: that one is lost, and the pool serves
 * the others and later ones. */
START_TEST(d6_worker_dies)
{
    enum { CALLS = 50 };
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    weir_result *results[CALLS];
    const char killer[] = { SIGKILL, '\0' };

    for (int i = 0; i < CALLS; i++)
        results[i] = bench_call(pool, i == 7 ? die : echo,
                                i == 7 ? killer : "abc", NULL);
    for (int i = 0; i < CALLS; i++)
        bench_expect(&results[i], i == 7 ? WEIR_ELOST : 0,
                     i == 7 ? "SIGKILL" : "");
    results[0] = bench_call(pool, echo, "abc", NULL);
    bench_expect(&results[0], 0, "");
    bench_end(&pool);
}
END_TEST

Suite *d5_suite(void)
{
    Suite *suite = suite_create("d5");
    TCase *tcase = tcase_create("rows");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, d5_pool);
    tcase_add_test(tcase, d5_maxtasksperchild);
    tcase_add_test(tcase, d5_with_block);
    tcase_add_test(tcase, d5_thread_pool);
    tcase_add_test(tcase, d6_worker_dies);
    suite_add_tcase(suite, tcase);
    return suite;
}
