/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_notice.c - core/pool/pool_notice.c: callbacks, and map_async. */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"
#include "watch.h"

/* -------------------------------------------------------------- callbacks ----
 */

struct told {
    weir_pool *pool;
    unsigned count, failed, all;
    size_t all_failed;
    int act;
    weir_result *made;
};

static void count_done(weir_result *result, void *arg)
{
    struct told *told = arg;

    ck_assert_int_eq(weir_result_ready(result), 1);
    __atomic_fetch_add(&told->count, 1, __ATOMIC_RELAXED);
    if (weir_result_successful(result) == 0)
        __atomic_fetch_add(&told->failed, 1, __ATOMIC_RELAXED);
}

static void count_all(void *arg, size_t failed)
{
    struct told *told = arg;

    told->all++;
    told->all_failed = failed;
}

static weir_call_options with_callback(struct told *told)
{
    return (weir_call_options){ .size = sizeof(weir_call_options),
                                .on_done = count_done,
                                .arg = told };
}

START_TEST(d5_callbacks)
{
    weir_pool_options options = bench_options();
    struct told told = { 0 };
    weir_call_options callback = with_callback(&told);
    weir_result *result;
    weir_pool *pool = bench_pool(&options);

    ck_assert_int_eq(weir_pool_dispatch(pool, 0), WEIR_ETIMEDOUT);
    for (int i = 0; i < 100; i++) /* no handle, freed early, kept */
        if (i % 3 == 0) {
            ck_assert_int_eq(weir_pool_apply_async_with(pool, echo, "x", 1,
                                                        BOUND_NS, &callback,
                                                        NULL, NULL),
                             0);
        } else {
            result = bench_call(pool, i % 10 ? echo : fail_with, "no",
                                &callback);
            weir_result_free(&result);
        }
    ck_assert_uint_eq(told.count, 0); /* nobody has dispatched yet */
    while (told.count < 100)
        ck_assert_int_ge(weir_pool_dispatch(pool, BOUND_NS), 0);
    ck_assert_uint_eq(told.count, 100);
    ck_assert_uint_eq(told.failed, 6);
    result = bench_call(pool, echo, "x", &callback);
    ck_assert_int_eq(weir_result_get(result, BOUND_NS, NULL, NULL), 0);
    ck_assert_uint_eq(told.count, 101); /* in any wait */
    weir_result_free(&result);
    bench_end(&pool);
    ck_assert_uint_eq(told.count, 101);
}
END_TEST

/* Terminated, cancelled, lost, in weir_pool_free at the latest: once each. */
static void free_it(weir_result *result, void *arg)
{
    weir_result_free(&result);
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static void *dispatch_all(void *arg)
{
    while (weir_pool_dispatch(arg, BOUND_NS) >= 0)
        continue;
    return NULL;
}

/* A callback may free the handle, also of a call whose handle nobody has, and
 * in another thread before the call has returned. */
START_TEST(d5_callback_frees)
{
    enum { MANY = 3000 };
    weir_pool_options options = bench_options();
    atomic_uint told = 0;
    const weir_call_options own = { .size = sizeof own,
                                    .on_done = free_it,
                                    .arg = &told };
    pthread_t thread;
    weir_pool *pool;

    options.workers = _i == 0 ? 2 : WEIR_POOL_INLINE;
    pool = bench_pool(&options);
    ck_assert_int_eq(pthread_create(&thread, NULL, dispatch_all, pool), 0);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(weir_pool_apply_async_with(pool, echo, "x", 1,
                                                    BOUND_NS, &own, NULL, NULL),
                         0);
    ck_assert_int_eq(weir_pool_close(pool), 0);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    ck_assert_uint_eq(told, MANY);
}
END_TEST

START_TEST(d5_callbacks_always)
{
    weir_pool_options options = bench_options();
    struct told told = { 0 };
    weir_call_options callback = with_callback(&told);
    weir_result *busy, *result;
    weir_pool *pool;

    options.workers = 1;
    pool = bench_pool(&options);
    result = bench_call(pool, leave, "\3", &callback);
    ck_assert_int_eq(weir_result_wait(result, BOUND_NS), 0);
    ck_assert_uint_eq(told.failed, 1);
    weir_result_free(&result);
    busy = bench_running(pool, be_deaf);
    callback.tag = 5;
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(weir_pool_apply_async_with(pool, echo, "x", 1, 0,
                                                    &callback, NULL, NULL),
                         0);
    ck_assert_int_eq(weir_pool_cancel(pool, 5), 10);
    ck_assert_int_eq(weir_pool_dispatch(pool, 0), 10);
    ck_assert_uint_eq(told.failed, 11);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(weir_pool_apply_async_with(pool, echo, "x", 1, 0,
                                                    &callback, NULL, NULL),
                         0);
    weir_context_close(&bench.context);
    weir_result_free(&busy);
    ck_assert_uint_eq(told.count, 11);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    ck_assert_uint_eq(told.count, 21);
    ck_assert_uint_eq(told.failed, 21);
}
END_TEST

static void act(weir_result *result, void *arg)
{
    struct told *told = arg;
    weir_bytes bytes;

    told->count++;
    switch (told->act) {
    case 0:
        ck_assert_int_eq(weir_pool_terminate(told->pool), 0);
        break;
    case 1:
        ck_assert_int_eq(weir_pool_close(told->pool), 0);
        ck_assert_int_eq(weir_pool_join(told->pool, BOUND_NS), 0);
        break;
    case 2: /* more calls than the window has */
        for (int i = 0; i < 20; i++) {
            told->made = bench_call(told->pool, echo, "abc", NULL);
            ck_assert_int_eq(weir_result_get(told->made, BOUND_NS, &bytes,
                                             NULL),
                             0);
            ck_assert_mem_eq(bytes.data, "abc", 3);
            weir_result_free(&told->made);
        }
        break;
    case 3: /* the handle itself */
        weir_result_free(&result);
        ck_assert_int_eq(weir_pool_free(&told->pool), WEIR_ESTATE);
        break;
    default:
        ck_assert_int_eq(weir_pool_terminate(told->pool), 0);
        ck_assert_int_eq(weir_pool_join(told->pool, BOUND_NS), 0);
        ck_assert_int_eq(weir_pool_free(&told->pool), 0);
    }
}

START_TEST(d8_callback_acts_on_its_pool)
{
    weir_pool_options options = bench_options();
    struct told told = { .act = _i };
    weir_call_options callback = { .size = sizeof callback,
                                   .on_done = act,
                                   .arg = &told };
    weir_result *waited = NULL;
    weir_pool *pool;

    options.window = 2;
    pool = told.pool = bench_pool(&options);
    if (_i == 3)
        bench_call(pool, echo, "x", &callback);
    else
        ck_assert_int_eq(weir_pool_apply_async_with(pool, echo, "x", 1,
                                                    BOUND_NS, &callback, NULL,
                                                    NULL),
                         0);
    if (_i % 2 == 0) { /* from within a wait for another call */
        waited = bench_call(pool, wait_on, "", NULL);
        ck_assert_int_eq(weir_result_wait(waited, _i == 2 ? 0 : BOUND_NS),
                         _i == 2 ? WEIR_ETIMEDOUT : 0);
    }
    while (told.count == 0)
        ck_assert_int_ge(weir_pool_dispatch(pool, BOUND_NS), 0);
    ck_assert_uint_eq(told.count, 1);
    if (_i == 4)
        ck_assert_ptr_null(told.pool);
    else
        bench_end_now(&pool);
    weir_result_free(&waited);
}
END_TEST

/* ---------------------------------------------------------------- map_async
 * ----
 */

/* Loop: 0 calls; fewer than the window; more. */
START_TEST(d5_map_async)
{
    static const size_t counts[] = { 0, 10, 5000 };
    const size_t count = counts[_i];
    weir_pool_options options = bench_options();
    struct told told = { 0 };
    weir_call_options callback = with_callback(&told);
    weir_bytes *inputs = calloc(count + 1, sizeof *inputs), bytes;
    weir_result **results = calloc(count + 1, sizeof *results);
    weir_pool *pool;
    size_t index;

    options.window = 100;
    pool = bench_pool(&options);
    callback.on_all = count_all;
    for (size_t i = 0; i < count; i++)
        inputs[i] = (weir_bytes){ "12345", i % 7 == 0 ? 3 : 4 };
    ck_assert_int_eq(weir_pool_map_async(pool, picky, inputs, count, BOUND_NS,
                                         &callback, results, NULL),
                     0);
    ck_assert_int_eq(weir_result_wait_all(results, count, BOUND_NS, &index), 0);
    while (told.all == 0)
        ck_assert_int_ge(weir_pool_dispatch(pool, BOUND_NS), 0);
    ck_assert_uint_eq(told.all, 1);
    ck_assert_uint_eq(told.all_failed, (count + 6) / 7);
    ck_assert_uint_eq(told.count, count);
    for (size_t i = 0; i < count; i++) {
        int code = weir_result_get(results[i], 0, &bytes, NULL);

        ck_assert_int_eq(code, i % 7 == 0 ? WEIR_EFAILED : 0);
        weir_result_free(&results[i]);
    }
    free(inputs);
    free(results);
    bench_end(&pool);
}
END_TEST

/* ------------------------------------------------------------ many threads
 * ----
 */

enum { THREADS = 8, CALLS = 400 };

struct crowd {
    struct told told;
    weir_call_options callback;
    unsigned seed;
};

static void *crowd_in(void *arg)
{
    struct crowd *crowd = arg;

    for (int i = 0; i < CALLS; i++) {
        weir_result *result;

        if (weir_pool_apply_async_with(crowd->told.pool, i % 40 ? echo : leave,
                                       "\1", 1, BOUND_NS, &crowd->callback,
                                       &result, NULL) != 0)
            return arg;
        switch (rand_r(&crowd->seed) % 4) {
        case 0:
            weir_result_cancel(result);
            break;
        case 1:
            weir_result_stop(result, NS_PER_MS);
            break;
        case 2:
            weir_result_wait(result, 0);
            break;
        default:
            weir_pool_dispatch(crowd->told.pool, 0);
        }
        weir_result_free(&result);
    }
    return NULL;
}

/* Every call tells once, whoever cancels, stops, dispatches or waits. */
START_TEST(d8_crowd)
{
    weir_pool_options options = bench_options();
    struct crowd crowds[THREADS];
    pthread_t threads[THREADS];
    weir_pool *pool;
    void *wrong;

    options.workers = 4;
    options.window = 50;
    pool = bench_pool(&options);
    for (int i = 0; i < THREADS; i++) {
        crowds[i] = (struct crowd){ .told.pool = pool, .seed = (unsigned)i };
        crowds[i].callback = with_callback(&crowds[i].told);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, crowd_in,
                                        &crowds[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
    bench_end(&pool);
    for (int i = 0; i < THREADS; i++)
        ck_assert_uint_eq(crowds[i].told.count, CALLS);
}
END_TEST

Suite *pool_notice_suite(void)
{
    Suite *suite = suite_create("pool_notice");
    TCase *tcase = tcase_create("callbacks");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, d5_callbacks);
    tcase_add_loop_test(tcase, d5_callback_frees, 0, 2);
    tcase_add_test(tcase, d5_callbacks_always);
    tcase_add_loop_test(tcase, d8_callback_acts_on_its_pool, 0, 5);
    tcase_add_loop_test(tcase, d5_map_async, 0, 3);
    tcase_add_test(tcase, d8_crowd);
    suite_add_tcase(suite, tcase);
    return suite;
}
