/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_map.c - weir_pool_map: each input its own result. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"
#include "watch.h"

static weir_bytes *numbers(size_t count, unsigned **values)
{
    weir_bytes *inputs = calloc(count + 1, sizeof *inputs);

    *values = calloc(count + 1, sizeof **values);
    for (size_t i = 0; i < count; i++) {
        (*values)[i] = (unsigned)i * 7;
        inputs[i] = (weir_bytes){ &(*values)[i], sizeof **values };
    }
    return inputs;
}

static void check_echoed(weir_result *result, unsigned value)
{
    weir_bytes bytes;

    ck_assert_int_eq(weir_result_get(result, 0, &bytes, NULL), 0);
    ck_assert_uint_eq(bytes.size, sizeof value);
    ck_assert_mem_eq(bytes.data, &value, sizeof value);
}

/* Loop: chunks; automatic and given. */
START_TEST(d5_map)
{
    static const unsigned chunks[] = { 0, 1, 7, 32 };
    enum { COUNT = 5000 };
    weir_pool_options options = bench_options();
    weir_result **results = calloc(COUNT, sizeof *results);
    unsigned *values;
    weir_bytes *inputs = numbers(COUNT, &values);
    weir_pool *pool;

    options.window = 500;
    options.retries = (uint32_t)_i % 2;
    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_map(pool, echo, inputs, COUNT, chunks[_i],
                                   BOUND_NS, results, NULL),
                     0);
    for (int i = 0; i < COUNT; i++) {
        check_echoed(results[i], values[i]);
        weir_result_free(&results[i]);
    }
    free(results);
    free(inputs);
    free(values);
    bench_end(&pool);
}
END_TEST

START_TEST(d5_map_of_nothing)
{
    weir_pool_options options = bench_options();
    weir_pool *pool;
    weir_result *result = NULL;
    weir_bytes input = { "one", 3 };

    options.workers = 8; /* more than there are calls */
    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_map(pool, echo, NULL, 0, 0, 0, NULL, NULL), 0);
    ck_assert_int_eq(weir_pool_map(pool, echo, &input, 1, 0, BOUND_NS, &result,
                                   NULL),
                     0);
    weir_result_free(&result);
    bench_end(&pool);
}
END_TEST

/* The first and the last fail, and one in the middle kills its worker: all are
 * told, by index, and no neighbour is harmed. Loop: chunks. */
START_TEST(d8_map_with_errors)
{
    static const char killer = 9;
    enum { COUNT = 100 };
    weir_pool_options options = bench_options();
    weir_result *results[COUNT];
    weir_error err = { 0 };
    unsigned *values;
    weir_bytes *inputs = numbers(COUNT, &values);
    weir_pool *pool = bench_pool(&options);
    weir_bytes bytes;

    inputs[0] = (weir_bytes){ "", 0 };
    inputs[50] = (weir_bytes){ &killer, 1 };
    inputs[COUNT - 1] = (weir_bytes){ "!!", 2 };
    ck_assert_int_eq(weir_pool_map(pool, picky, inputs, COUNT, _i == 0 ? 0 : 32,
                                   BOUND_NS, results, &err),
                     3);
    ck_assert_int_eq(err.code, WEIR_EFAILED);
    ck_assert_str_eq(err.text, "0 bytes");
    for (int i = 0; i < COUNT; i++) {
        int want = i == 0 || i == COUNT - 1 ? WEIR_EFAILED
                   : i == 50                ? WEIR_ELOST
                                            : 0;

        ck_assert_int_eq(weir_result_get(results[i], 0, &bytes, &err), want);
        ck_assert_int_eq(weir_result_successful(results[i]), want == 0);
        if (want == 0)
            check_echoed(results[i], values[i]);
        weir_result_free(&results[i]);
    }
    ck_assert_str_eq(err.text, "2 bytes");
    free(inputs);
    free(values);
    bench_end(&pool);
}
END_TEST

START_TEST(map_with_one_too_large)
{
    weir_pool_options options = bench_options();
    char large[2000] = "";
    weir_bytes inputs[] = { { "a", 1 }, { large, sizeof large }, { "c", 1 } };
    weir_result *results[3];
    weir_error err = { 0 };
    weir_pool *pool;

    options.bytes = 1000;
    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_map(pool, echo, inputs, 3, 0, BOUND_NS, results,
                                   &err),
                     1);
    ck_assert_int_eq(err.code, WEIR_ETOOBIG);
    ck_assert_msg(strstr(err.text, "bytes") != NULL, "%s", err.text);
    ck_assert_int_eq(weir_result_successful(results[0]), 1);
    ck_assert_int_eq(weir_result_successful(results[1]), 0);
    ck_assert_int_eq(weir_result_successful(results[2]), 1);
    for (int i = 0; i < 3; i++)
        weir_result_free(&results[i]);
    bench_end(&pool);
}
END_TEST

/* What is not there in time is told, what is there is given. */
START_TEST(map_not_in_time)
{
    weir_pool_options options = bench_options();
    weir_bytes inputs[20];
    weir_result *results[20];
    weir_error err = { 0 };
    weir_pool *pool;

    options.window = 10;
    options.workers = 1;
    pool = bench_pool(&options);
    for (int i = 0; i < 20; i++)
        inputs[i] = i == 3 ? (weir_bytes){ NULL, 0 } : (weir_bytes){ "x", 1 };
    ck_assert_int_eq(weir_pool_map(pool, wait_at_nothing, inputs, 20, 0,
                                   NS_PER_S, results, &err),
                     17);
    ck_assert_int_eq(err.code, WEIR_ETIMEDOUT);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(weir_result_ready(results[i]), 1);
        ck_assert_int_eq(weir_result_get(results[i], 0, NULL, NULL),
                         i < 3 ? 0 : WEIR_ETIMEDOUT);
        weir_result_free(&results[i]);
    }
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}
END_TEST

struct mapper {
    weir_pool *pool;
    int failed;
};

static void *map_numbers(void *arg)
{
    enum { COUNT = 3000 };
    struct mapper *mapper = arg;
    weir_result **results = calloc(COUNT, sizeof *results);
    unsigned *values;
    weir_bytes *inputs = numbers(COUNT, &values);

    mapper->failed = weir_pool_map(mapper->pool, echo, inputs, COUNT, 0,
                                   BOUND_NS, results, NULL);
    for (int i = 0; i < COUNT && mapper->failed >= 0; i++) {
        weir_bytes bytes;

        mapper->failed += weir_result_get(results[i], 0, &bytes, NULL) != 0 ||
                          memcmp(bytes.data, &values[i], sizeof values[i]) != 0;
        weir_result_free(&results[i]);
    }
    free(results);
    free(inputs);
    free(values);
    return NULL;
}

START_TEST(many_maps)
{
    enum { THREADS = 6 };
    weir_pool_options options = bench_options();
    struct mapper mappers[THREADS];
    pthread_t threads[THREADS];
    weir_pool *pool;

    options.window = 100;
    pool = bench_pool(&options);
    for (int i = 0; i < THREADS; i++) {
        mappers[i] = (struct mapper){ pool, -1 };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, map_numbers,
                                        &mappers[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(mappers[i].failed, 0);
    }
    bench_end(&pool);
}
END_TEST

START_TEST(map_misuse)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    weir_bytes inputs[] = { { "a", 1 }, { NULL, 1 } };
    weir_result *results[2] = { NULL, NULL };
    weir_error err = { 0 };

    ck_assert_int_eq(weir_pool_map(pool, echo, inputs, 1, 33, 0, results, &err),
                     WEIR_EINVAL);
    ck_assert_msg(strstr(err.text, "chunk") != NULL, "%s", err.text);
    ck_assert_int_eq(weir_pool_map(pool, echo, inputs, 2, 0, 0, results, &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_map(pool, echo, NULL, 2, 0, 0, results, &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_map(pool, echo, inputs, 1, 0, -1, results, &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_close(pool), 0);
    ck_assert_int_eq(weir_pool_map(pool, echo, inputs, 1, 0, BOUND_NS, results,
                                   &err),
                     WEIR_ECLOSED);
    ck_assert_ptr_null(results[0]);
    bench_end(&pool);
}
END_TEST

Suite *pool_map_suite(void)
{
    Suite *suite = suite_create("pool_map");
    TCase *tcase = tcase_create("map");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_loop_test(tcase, d5_map, 0, 4);
    tcase_add_test(tcase, d5_map_of_nothing);
    tcase_add_loop_test(tcase, d8_map_with_errors, 0, 2);
    tcase_add_test(tcase, map_with_one_too_large);
    tcase_add_test(tcase, map_not_in_time);
    tcase_add_test(tcase, many_maps);
    tcase_add_test(tcase, map_misuse);
    suite_add_tcase(suite, tcase);
    return suite;
}
