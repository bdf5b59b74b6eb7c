/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.c - a pool whose workers die at every named step, again and again: each
 * call has its one result, and nothing is left over.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* First: Check has a macro by a name of weir/plugin.h. */
#include "pool/pool_host.h"

#include "lib/points.h"
#include "lib/suites.h"

#define BOUND_NS (60 * NS_PER_S)

static bool is_long(void)
{
    return getenv("WEIR_LONG") != NULL;
}

/* So many bytes as the number says, and some more. */
static int grow(weir_call *call)
{
    uint32_t number;
    size_t size;
    void *out;
    int code;

    memcpy(&number, weir_input(call).data, sizeof number);
    size = sizeof number + number * 7919 % 200;
    if (number % 50 == 7)
        size += 40000; /* in parts */
    code = weir_reserve(call, 0, size, &out);
    if (code != 0)
        return code;
    memset(out, (int)(number % 251), size);
    memcpy(out, &number, sizeof number);
    return weir_submit(call, size);
}

/* The result of this call, to the byte. */
static bool is_right(weir_result *result, uint32_t number, weir_error *err)
{
    size_t size = sizeof number + number * 7919 % 200 +
                  (number % 50 == 7 ? 40000 : 0);
    weir_bytes bytes;

    if (weir_result_get(result, BOUND_NS, &bytes, err) != 0)
        return false;
    if (bytes.size != size || memcmp(bytes.data, &number, sizeof number) != 0)
        return false;
    for (size_t i = sizeof number; i < size; i++)
        if (((const unsigned char *)bytes.data)[i] != number % 251)
            return false;
    return true;
}

static void expect_empty(const weir_pool *pool)
{
    uint64_t chunks, touched;

    for (unsigned queue = 0; queue < POOL_QUEUES; queue++) {
        struct queue_state state;

        ck_assert_int_eq(queue_state(pool->segment, queue, FOREVER, &state), 0);
        ck_assert_uint_eq(state.ready + state.leased + state.staged, 0);
        ck_assert_uint_eq(state.bytes, 0);
    }
    ck_assert_int_eq(segment_store_used(pool->segment, &chunks, &touched), 0);
    ck_assert_uint_eq(chunks, 0);
}

/* All calls of one pool; @fault is for its workers. */
static void serve(const char *fault, uint32_t calls, uint32_t window,
                  uint32_t recycle)
{
    static weir_function *const functions[] = { grow };
    weir_pool_options options = { .size = sizeof options,
                                  .functions = functions,
                                  .function_count = 1,
                                  .workers = 3,
                                  .retries = 10000,
                                  .window = window,
                                  .recycle = recycle,
                                  .bytes = 64 << 10 };
    weir_result **results = calloc(calls, sizeof *results);
    weir_context *context = NULL;
    weir_pool *pool = NULL;
    weir_error err = { 0 };
    uint32_t wrong = 0;

    if (fault != NULL)
        ck_assert_int_eq(setenv("WEIR_FAULT", fault, 1), 0);
    ck_assert_int_eq(weir_context_open(NULL, &context, &err), 0);
    ck_assert_msg(weir_pool_new(context, &options, &pool, &err) == 0, "%s",
                  err.text);
    unsetenv("WEIR_FAULT");
    for (uint32_t i = 0; i < calls; i++)
        if (weir_pool_apply_async(pool, grow, &i, sizeof i, BOUND_NS,
                                  &results[i], &err) != 0)
            ck_abort_msg("%s: call %u: %s", fault, i, err.text);
    for (uint32_t i = 0; i < calls; i++) {
        if (!is_right(results[i], i, &err) && wrong++ == 0)
            printf("# %s: call %u: %s\n", fault, i, err.text);
        weir_result_free(&results[i]);
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_int_eq(weir_pool_close(pool), 0);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    expect_empty(pool);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    weir_context_close(&context);
    free(results);
}

/* All points that workers pass. */
static void learn_points(struct points *points)
{
    points_trace();
    serve(NULL, 500, 4, 20);
    serve(NULL, 500, 1024, 0);
    points_read(points);
}

/* Passed once in a worker's life. */
static bool is_once(const char *point)
{
    return strcmp(point, "pool.worker.closed") == 0 ||
           strncmp(point, "pool.seat.", 10) == 0;
}

START_TEST(at_each_point)
{
    static struct points points;

    learn_points(&points);
    printf("# %u points\n", points.count);
    points_expect(&points, "tests/crash/pool.c");
    for (unsigned i = 0; i < points.count; i++) {
        char fault[128];

        if (!is_long() && i % 3 != (unsigned)_i % 3)
            continue;
        snprintf(fault, sizeof fault, "%.63s:%u:kill", points.at[i],
                 is_once(points.at[i]) ? 1 : 60 + i % 7);
        serve(fault, is_long() ? 5000 : 500, i % 2 ? 4 : 1024,
              is_once(points.at[i]) ? 20 : 0);
    }
}
END_TEST

/* One worker is stopped while it holds a lock of the pool, another dies, and
 * the helper needs that lock for the recovery. */
START_TEST(stopped_with_a_lock)
{
    serve("lock.taken:90:stop:0,queue.hand.noted:20:kill:1", 500, 1024, 0);
}
END_TEST

/* All are stopped so, or killed: and then it is ended. */
START_TEST(terminated_with_a_lock)
{
    static weir_function *const functions[] = { grow };
    weir_pool_options options = { .size = sizeof options,
                                  .functions = functions,
                                  .function_count = 1,
                                  .workers = 4,
                                  .retries = 10000,
                                  .grace_ns = 20 * NS_PER_MS };
    weir_result *results[300];
    weir_context *context = NULL;
    weir_pool *pool = NULL;

    ck_assert_int_eq(setenv("WEIR_FAULT",
                            "lock.taken:30:stop,queue.hand.noted:20:kill:1", 1),
                     0);
    ck_assert_int_eq(weir_context_open(NULL, &context, NULL), 0);
    ck_assert_int_eq(weir_pool_new(context, &options, &pool, NULL), 0);
    unsetenv("WEIR_FAULT");
    for (uint32_t i = 0; i < 300; i++)
        ck_assert_int_eq(weir_pool_apply_async(pool, grow, &i, sizeof i,
                                               BOUND_NS, &results[i], NULL),
                         0);
    ck_assert_int_eq(weir_result_wait(results[20 * _i], BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    for (uint32_t i = 0; i < 300; i++)
        weir_result_free(&results[i]);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    weir_context_close(&context);
}
END_TEST

static Suite *pool_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("killed");

    tcase_set_timeout(tcase, 1200);
    tcase_add_checked_fixture(tcase, children_setup, children_teardown);
    tcase_add_loop_test(tcase, at_each_point, 0, is_long() ? 1 : 3);
    tcase_add_test(tcase, stopped_with_a_lock);
    tcase_add_loop_test(tcase, terminated_with_a_lock, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    static Suite *(*const suites[])(void) = { pool_suite, NULL };

    return suites_main(suites);
}
