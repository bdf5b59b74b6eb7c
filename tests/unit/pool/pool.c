/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool.c - core/pool/pool_submit.c and pool_result.c: calls and results; named
 * after what their Python counterpart does. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suites.h"
#include "watch.h"

static void expect(weir_pool *pool, weir_function *run, const void *data,
                   size_t size, const void *want, size_t want_size)
{
    weir_result *result = NULL;
    weir_error err = { 0 };
    weir_bytes bytes;

    ck_assert_msg(weir_pool_apply(pool, run, data, size, WEIR_FOREVER, &result,
                                  &err) == 0,
                  "%s", err.text);
    ck_assert_int_eq(weir_result_ready(result), 1);
    ck_assert_int_eq(weir_result_successful(result), 1);
    ck_assert_int_eq(weir_result_get(result, 0, &bytes, &err), 0);
    ck_assert_uint_eq(bytes.size, want_size);
    ck_assert_int_eq(memcmp(bytes.data, want, want_size), 0);
    weir_result_free(&result);
    ck_assert_ptr_null(result);
}

START_TEST(d5_apply)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);

    expect(pool, echo, "hello", 5, "hello", 5);
    expect(pool, reverse, "hello", 5, "olleh", 5);
    expect(pool, reverse, NULL, 0, "", 0);
    expect(pool, nothing, "x", 1, "", 0);
    for (unsigned i = 0; i < 1000; i++)
        expect(pool, echo, &i, sizeof i, &i, sizeof i);
    ck_assert_int_eq(weir_pool_workers(pool), 2);
    bench_end(&pool);
}
END_TEST

/* Sizes about every edge: inline, chunk, in parts, the whole bound. */
START_TEST(d8_sizes)
{
    static const size_t sizes[] = { 0,         1,         64,     65,
                                    65536,     (1 << 20), 131072, 131073,
                                    (3 << 20), (1 << 22) };
    weir_pool_options options = bench_options();
    char *data = malloc(1 << 22), *want = malloc(1 << 22);
    weir_pool *pool;

    options.bytes = _i == 0 ? 1 << 22 : 64 << 20;
    pool = bench_pool(&options);
    for (size_t i = 0; i < 1 << 22; i++)
        data[i] = (char)(i * 7 >> 5);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            want[k] = data[sizes[i] - 1 - k];
        expect(pool, echo, data, sizes[i], data, sizes[i]);
        expect(pool, reverse, data, sizes[i], want, sizes[i]);
    }
    free(data);
    free(want);
    bench_end(&pool);
}
END_TEST

/* The largest that a call can have, there and back. */
START_TEST(largest)
{
    const size_t size = getenv("WEIR_LONG") != NULL ? 1 << 30 : 64 << 20;
    weir_pool_options options = bench_options();
    char *data = malloc(size);
    weir_pool *pool;

    ck_assert_ptr_nonnull(data);
    memset(data, 'x', size);
    data[size - 1] = 'y';
    options.bytes = size;
    options.workers = 1;
    pool = bench_pool(&options);
    expect(pool, echo, data, size, data, size);
    free(data);
    bench_end(&pool);
}
END_TEST

/* Results far beyond the pool's bytes come in parts. */
START_TEST(large_results)
{
    static const size_t sizes[] = { 100, 20000, 1 << 20, 30 << 20 };
    weir_pool_options options = bench_options();
    weir_result *results[4];
    weir_pool *pool;
    size_t wrong = 0;
    weir_error err = { 0 };
    weir_bytes bytes;

    options.bytes = 1000;
    pool = bench_pool(&options);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(weir_pool_apply_async(pool, grow, &sizes[i],
                                               sizeof sizes[i], BOUND_NS,
                                               &results[i], &err),
                         0);
    for (int i = 0; i < 4; i++) {
        ck_assert_msg(weir_result_get(results[i], BOUND_NS, &bytes, &err) == 0,
                      "%s", err.text);
        ck_assert_uint_eq(bytes.size, sizes[i]);
        for (size_t k = 0; k < bytes.size; k++)
            wrong += ((const unsigned char *)bytes.data)[k] !=
                     (unsigned char)(k * 31 >> 7);
        ck_assert_uint_eq(wrong, 0);
        weir_result_free(&results[i]);
    }
    ck_assert_int_eq(weir_pool_apply(pool, echo, "", 1001, BOUND_NS,
                                     &results[0], &err),
                     WEIR_ETOOBIG);
    ck_assert_msg(strstr(err.text, "bytes") != NULL, "%s", err.text);
    bench_end(&pool);
}
END_TEST

static void expect_failure(weir_pool *pool, weir_function *run,
                           const void *data, size_t size, int code,
                           const char *text)
{
    weir_result *result = NULL;
    weir_error err = { 0 };

    ck_assert_int_eq(weir_pool_apply(pool, run, data, size, BOUND_NS, &result,
                                     &err),
                     code);
    ck_assert_ptr_null(result);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
}

START_TEST(d5_failures_are_told)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    static const int codes[] = { -ENOENT, 42, WEIR_TRANSIENT, WEIR_FATAL,
                                 WEIR_SKIP };

    expect_failure(pool, fail_with, "no such luck", 12, WEIR_EFAILED,
                   "no such luck");
    expect_failure(pool, answer, &codes[0], sizeof(int), -ENOENT, "No such");
    expect_failure(pool, answer, &codes[1], sizeof(int), WEIR_EFAILED,
                   "returned 42");
    expect_failure(pool, answer, &codes[2], sizeof(int), WEIR_EFAILED,
                   "did not say why");
    expect_failure(pool, answer, &codes[3], sizeof(int), WEIR_EFAILED,
                   "did not say why");
    expect(pool, answer, &codes[4], sizeof(int), "", 0);
    bench_end(&pool);
}
END_TEST

START_TEST(d6_handles)
{
    weir_pool_options options = bench_options();
    weir_pool *pool;
    weir_result *slow, *quick;
    weir_error err = { 0 };
    weir_bytes bytes, again;

    options.workers = 1;
    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_apply_async(pool, wait_on, NULL, 0, 0, &slow,
                                           &err),
                     0);
    ck_assert_int_eq(weir_pool_apply_async(pool, echo, "abc", 3, 0, &quick,
                                           &err),
                     0);
    ck_assert_int_eq(weir_result_ready(quick), 0);
    ck_assert_int_eq(weir_result_wait(quick, 0), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_result_wait(quick, NS_PER_MS), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_result_successful(quick), WEIR_ESTATE);
    ck_assert_int_eq(weir_result_get(quick, NS_PER_MS, &bytes, &err),
                     WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_result_get(quick, -1, &bytes, &err), WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    ck_assert_int_eq(weir_result_ready(slow), 1);
    ck_assert_int_eq(weir_result_successful(slow), 0);
    ck_assert_int_eq(weir_result_get(slow, 0, NULL, &err), WEIR_ETERMINATED);
    ck_assert_msg(strstr(err.text, "terminated") != NULL, "%s", err.text);
    ck_assert_int_eq(weir_result_get(quick, WEIR_FOREVER, NULL, NULL),
                     WEIR_ETERMINATED);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    /* Handles outlive their pool. */
    ck_assert_int_eq(weir_result_get(slow, 0, NULL, NULL), WEIR_ETERMINATED);
    weir_result_free(&slow);
    weir_result_free(&quick);
    weir_result_free(&quick);
    weir_result_free(NULL);

    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_apply_async(pool, echo, "abc", 3, BOUND_NS,
                                           &quick, &err),
                     0);
    ck_assert_int_eq(weir_result_get(quick, WEIR_FOREVER, &bytes, &err), 0);
    ck_assert_int_eq(weir_result_get(quick, 0, &again, &err), 0);
    ck_assert_ptr_eq(bytes.data, again.data);
    bench_end(&pool);
    ck_assert_int_eq(weir_result_get(quick, 0, &again, &err), 0);
    ck_assert_mem_eq(again.data, "abc", 3);
    weir_result_free(&quick);
}
END_TEST

/* Many more calls than the window, and nobody reads a result meanwhile. */
START_TEST(window)
{
    const int most = getenv("WEIR_LONG") != NULL ? 1000000 : 100000;
    const int many = _i == 0 ? most : 1000;
    weir_result **results = calloc((size_t)many, sizeof *results);
    weir_pool_options options = bench_options();
    int wrong = 0;
    weir_bytes bytes;
    weir_pool *pool;

    options.window = _i == 0 ? 1024 : 1;
    pool = bench_pool(&options);
    for (int i = 0; i < many; i++)
        wrong += weir_pool_apply_async(pool, echo, &i, sizeof i, WEIR_FOREVER,
                                       &results[i], NULL) != 0;
    ck_assert_int_eq(wrong, 0);
    for (int i = 0; i < many; i++) {
        wrong += weir_result_get(results[i], BOUND_NS, &bytes, NULL) != 0 ||
                 bytes.size != sizeof i ||
                 memcmp(bytes.data, &i, sizeof i) != 0;
        weir_result_free(&results[i]);
    }
    ck_assert_int_eq(wrong, 0);
    free(results);
    bench_end(&pool);
}
END_TEST

static void count_right(weir_result *result, void *arg)
{
    *(int *)arg += weir_result_successful(result) == 1;
}

/* The same with callbacks and no handle: nobody dispatches meanwhile. */
START_TEST(window_with_callbacks)
{
    const int many = getenv("WEIR_LONG") != NULL ? 1000000 : 20000;
    weir_pool_options options = bench_options();
    int right = 0, wrong = 0;
    const weir_call_options each = { .size = sizeof each,
                                     .on_done = count_right,
                                     .arg = &right };
    weir_pool *pool = bench_pool(&options);

    for (int i = 0; i < many; i++)
        wrong += weir_pool_apply_async_with(pool, echo, &i, sizeof i,
                                            WEIR_FOREVER, &each, NULL,
                                            NULL) != 0;
    ck_assert_int_eq(wrong, 0);
    bench_end(&pool);
    ck_assert_int_eq(right, many);
}
END_TEST

START_TEST(window_full)
{
    weir_pool_options options = bench_options();
    weir_result *results[2], *none = NULL;
    weir_error err = { 0 };
    weir_pool *pool;

    options.workers = 1;
    options.window = 2;
    pool = bench_pool(&options);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(weir_pool_apply_async(pool, wait_on, NULL, 0, 0,
                                               &results[i], &err),
                         0);
    ck_assert_int_eq(weir_pool_apply_async(pool, wait_on, NULL, 0, 0, &none,
                                           &err),
                     WEIR_EFULL);
    ck_assert_int_eq(weir_pool_apply_async(pool, wait_on, NULL, 0, NS_PER_MS,
                                           &none, &err),
                     WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_pool_apply(pool, wait_on, NULL, 0, NS_PER_MS, &none,
                                     &err),
                     WEIR_ETIMEDOUT);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    weir_result_free(&results[0]);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    weir_result_free(&results[1]);
}
END_TEST

/* By bytes, too: a call that fits only when all others are done. */
START_TEST(bytes_full)
{
    weir_pool_options options = bench_options();
    char *data = calloc(1, 100000);
    weir_result *results[300];
    weir_error err = { 0 };
    weir_pool *pool;

    options.bytes = 100000;
    pool = bench_pool(&options);
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq(weir_pool_apply_async(pool, echo, data,
                                               i % 10 == 0
                                                   ? 100000
                                                   : (size_t)(i * 97 % 30000),
                                               BOUND_NS, &results[i], &err),
                         0);
    for (int i = 0; i < 300; i++) {
        ck_assert_int_eq(weir_result_get(results[i], BOUND_NS, NULL, &err), 0);
        weir_result_free(&results[i]);
    }
    free(data);
    bench_end(&pool);
}
END_TEST

/* Handles that are freed at once: their results are dropped. */
START_TEST(freed_before_the_end)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    size_t large = 5 << 20;
    weir_result *result;

    for (int i = 0; i < 5000; i++) {
        ck_assert_int_eq(weir_pool_apply_async(pool, i % 500 ? echo : grow,
                                               &large, sizeof large, BOUND_NS,
                                               &result, NULL),
                         0);
        weir_result_free(&result);
    }
    ck_assert_int_eq(weir_pool_apply(pool, wait_on, NULL, 0, NS_PER_MS, &result,
                                     NULL),
                     WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}
END_TEST

struct caller {
    weir_pool *pool;
    int number;
    int wrong;
};

static void *call_many(void *arg)
{
    struct caller *caller = arg;

    for (int i = 0; i < 2000; i++) {
        int in = caller->number * 10000 + i;
        weir_result *result;
        weir_bytes bytes;

        if (i % 3 == 0) {
            if (weir_pool_apply(caller->pool, echo, &in, sizeof in, BOUND_NS,
                                &result, NULL) != 0) {
                caller->wrong++;
                continue;
            }
        } else if (weir_pool_apply_async(caller->pool, echo, &in, sizeof in,
                                         BOUND_NS, &result, NULL) != 0) {
            caller->wrong++;
            continue;
        }
        if (i % 3 == 2) {
            weir_result_free(&result);
            continue;
        }
        caller->wrong += weir_result_get(result, BOUND_NS, &bytes, NULL) != 0 ||
                         bytes.size != sizeof in ||
                         memcmp(bytes.data, &in, sizeof in) != 0;
        weir_result_free(&result);
    }
    return NULL;
}

/* Loop: a window of two; the usual one; many workers. */
START_TEST(many_threads)
{
    enum { THREADS = 16 };
    const bool is_long = getenv("WEIR_LONG") != NULL;
    const int count = _i < 2 ? 8 : is_long ? THREADS : 4;
    weir_pool_options options = bench_options();
    struct caller callers[THREADS];
    pthread_t threads[THREADS];
    weir_pool *pool;

    options.window = _i == 0 ? 2 : 1024;
    if (_i == 2)
        options.workers = is_long ? 64 : 8;
    pool = bench_pool(&options);
    for (int i = 0; i < count; i++) {
        callers[i] = (struct caller){ pool, i, 0 };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call_many,
                                        &callers[i]),
                         0);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(callers[i].wrong, 0);
    }
    bench_end(&pool);
}
END_TEST

START_TEST(d5_misuse)
{
    weir_pool_options options = bench_options();
    weir_function *bad[] = { echo, NULL };
    weir_pool *pool = NULL;
    weir_result *result;
    weir_error err = { 0 };

    ck_assert_int_eq(weir_pool_new(NULL, &options, &pool, &err), WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_new(bench.context, NULL, &pool, &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_new(bench.context, &options, NULL, &err),
                     WEIR_EINVAL);
    options.workers = 1025;
    ck_assert_int_eq(weir_pool_new(bench.context, &options, &pool, &err),
                     WEIR_EINVAL);
    options = bench_options();
    options.functions = NULL;
    ck_assert_int_eq(weir_pool_new(bench.context, &options, &pool, &err),
                     WEIR_EINVAL);
    options.functions = bad;
    options.function_count = 2;
    ck_assert_int_eq(weir_pool_new(bench.context, &options, &pool, &err),
                     WEIR_EINVAL);
    /* What is no code in the helper is refused. */
    bad[1] = (weir_function *)(uintptr_t)&bench;
    ck_assert_int_eq(weir_pool_new(bench.context, &options, &pool, &err),
                     WEIR_EINVAL);
    ck_assert_msg(strstr(err.text, "in memory") != NULL, "%s", err.text);
    ck_assert_ptr_null(pool);
    options = bench_options();
    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_apply(pool, (weir_function *)bench_worker, NULL,
                                     0, 0, &result, &err),
                     WEIR_EINVAL);
    ck_assert_msg(strstr(err.text, "none of the pool's") != NULL, "%s",
                  err.text);
    ck_assert_int_eq(weir_pool_apply(pool, echo, NULL, 1, 0, &result, NULL),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_apply(pool, echo, "a", 1, -1, &result, NULL),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_apply(pool, echo, "a", 1, 0, NULL, NULL),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_apply(NULL, echo, "a", 1, 0, &result, NULL),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_join(pool, 0), WEIR_ESTATE);
    ck_assert_int_eq(weir_pool_free(&pool), WEIR_ESTATE);
    ck_assert_int_eq(weir_pool_join(pool, -1), WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_close(NULL), WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_terminate(NULL), WEIR_EINVAL);
    ck_assert_int_eq(weir_result_ready(NULL), WEIR_EINVAL);
    bench_end(&pool);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    ck_assert_int_eq(weir_pool_free(NULL), 0);
}
END_TEST

START_TEST(d5_other_processes)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    weir_result *result;
    int status;
    pid_t pid;

    ck_assert_int_eq(weir_pool_apply_async(pool, echo, "abc", 3, 0, &result,
                                           NULL),
                     0);
    pid = fork();
    if (pid == 0) {
        weir_result *other;
        int wrong = 0;

        wrong += weir_pool_apply(pool, echo, "a", 1, 0, &other, NULL) !=
                 WEIR_EPROCESS;
        wrong += weir_pool_close(pool) != WEIR_EPROCESS;
        wrong += weir_pool_terminate(pool) != WEIR_EPROCESS;
        wrong += weir_pool_join(pool, 0) != WEIR_EPROCESS;
        wrong += weir_result_get(result, 0, NULL, NULL) != WEIR_EPROCESS;
        wrong += weir_pool_new(bench.context, &options, &pool, NULL) !=
                 WEIR_EPROCESS;
        weir_result_free(&result);
        wrong += weir_pool_free(&pool) != 0;
        weir_context_close(&bench.context);
        _exit(wrong);
    }
    ck_assert(watch_gone(pid));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(weir_result_get(result, BOUND_NS, NULL, NULL), 0);
    weir_result_free(&result);
    bench_end(&pool);
}
END_TEST

Suite *pool_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("calls");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, d5_apply);
    tcase_add_loop_test(tcase, d8_sizes, 0, 2);
    tcase_add_test(tcase, largest);
    tcase_add_test(tcase, large_results);
    tcase_add_test(tcase, d5_failures_are_told);
    tcase_add_test(tcase, d6_handles);
    tcase_add_loop_test(tcase, window, 0, 2);
    tcase_add_test(tcase, window_with_callbacks);
    tcase_add_test(tcase, window_full);
    tcase_add_test(tcase, bytes_full);
    tcase_add_test(tcase, freed_before_the_end);
    tcase_add_loop_test(tcase, many_threads, 0, 3);
    tcase_add_test(tcase, d5_misuse);
    tcase_add_test(tcase, d5_other_processes);
    suite_add_tcase(suite, tcase);
    return suite;
}
