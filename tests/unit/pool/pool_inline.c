/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_inline.c - core/pool/pool_inline.c: pools without workers. */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suites.h"
#include "watch.h"

static weir_pool *pool_here(weir_pool_options *options)
{
    weir_pool *pool = NULL;
    weir_error err = { 0 };

    options->workers = WEIR_POOL_INLINE;
    ck_assert_msg(weir_pool_new(NULL, options, &pool, &err) == 0, "%s",
                  err.text);
    return pool;
}

/* How one call ends: "code: bytes or sentence". */
static void describe(weir_pool *pool, weir_function *run, const void *data,
                     size_t size, char text[1024])
{
    weir_result *result = NULL;
    weir_error err = { 0 };
    weir_bytes bytes = { "", 0 };
    int code = weir_pool_apply(pool, run, data, size, BOUND_NS, &result, &err);

    if (code == 0)
        ck_assert_int_eq(weir_result_get(result, 0, &bytes, NULL), 0);
    snprintf(text, 1024, "%d %zu: %.900s", code, bytes.size,
             code == 0 ? (const char *)bytes.data : err.text);
    weir_result_free(&result);
}

/* The same results and failures, in the same words. */
START_TEST(inline_is_the_same)
{
    static const char large[1000001];
    static const size_t much = 300000;
    static const int skip = WEIR_SKIP, odd = 42, code = -ENOENT;
    static const struct {
        weir_function *run;
        const void *data;
        size_t size;
    } calls[] = {
        { echo, "hello", 5 },
        { echo, "", 0 },
        { reverse, "hello", 5 },
        { nothing, "x", 1 },
        { fail_with, "no such luck", 12 },
        { answer, &skip, sizeof skip },
        { answer, &odd, sizeof odd },
        { answer, &code, sizeof code },
        { fail_at_first, "\1", 1 },
        { fail_at_first, "\5", 1 },
        { grow, &much, sizeof much },
        { echo, large, sizeof large },
    };
    weir_pool_options options = bench_options();
    weir_pool *there, *here;

    options.retries = 2;
    options.bytes = 1000000;
    there = bench_pool(&options);
    here = pool_here(&options);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char one[1024], other[1024];

        describe(there, calls[i].run, calls[i].data, calls[i].size, one);
        describe(here, calls[i].run, calls[i].data, calls[i].size, other);
        ck_assert_str_eq(one, other);
    }
    ck_assert_int_eq(bench_worker(here), getpid());
    ck_assert_int_eq(weir_pool_workers(here), 0);
    ck_assert_int_eq(weir_pool_resize(here, 1), WEIR_EINVAL);
    bench_end(&there);
    bench_end(&here);
}
END_TEST

static void count(weir_result *result, void *arg)
{
    ck_assert_int_eq(weir_result_ready(result), 1);
    ++*(unsigned *)arg;
}

/* Handles have ended at once; callbacks come where they always do; a loop is
 * told of them. */
START_TEST(inline_callbacks_and_fd)
{
    weir_pool_options options = bench_options();
    unsigned told = 0;
    const weir_call_options each = { .size = sizeof each,
                                     .tag = 3,
                                     .deadline_ns = BOUND_NS,
                                     .on_done = count,
                                     .arg = &told };
    weir_result_info info = { .size = sizeof info };
    weir_result *results[100];
    weir_pool *pool;
    int fd;

    options.window = 10;
    pool = pool_here(&options);
    fd = weir_pool_fd(pool);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(weir_pool_dispatch(pool, 0), WEIR_ETIMEDOUT);
    ck_assert_int_eq(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0), 0);
    for (int i = 0; i < 100; i++) {
        results[i] = bench_call(pool, echo, "x", &each);
        ck_assert_int_eq(weir_result_successful(results[i]), 1);
        ck_assert_int_eq(weir_result_cancel(results[i]), 0);
        ck_assert_int_eq(weir_result_stop(results[i], 0), 0);
        ck_assert_int_eq(weir_result_state(results[i], &info), 0);
        ck_assert_int_eq(info.state, WEIR_RESULT_DONE);
    }
    ck_assert_int_eq(weir_pool_cancel(pool, 3), 0);
    ck_assert_uint_eq(told, 0);
    ck_assert(watch_readable(fd));
    ck_assert_int_eq(weir_pool_dispatch(pool, 0), 100);
    ck_assert_uint_eq(told, 100);
    ck_assert_int_eq(weir_pool_dispatch(pool, NS_PER_MS), WEIR_ETIMEDOUT);
    for (int i = 0; i < 100; i++)
        weir_result_free(&results[i]);
    ck_assert_int_eq(weir_pool_close(pool), 0);
    ck_assert(watch_readable(fd));
    ck_assert_int_eq(weir_pool_dispatch(pool, 0), WEIR_ECLOSED);
    bench_end(&pool);
}
END_TEST

static int next_byte(void *arg, weir_bytes *input_out, weir_error *err)
{
    (void)err;
    *input_out = (weir_bytes){ "abcd", *(int *)arg % 4 + 1U };
    return ++*(int *)arg <= 200;
}

START_TEST(inline_maps)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = pool_here(&options);
    weir_bytes inputs[50];
    weir_result *results[50];
    int made = 0, given = 0;
    weir_imap *imap;

    for (int i = 0; i < 50; i++)
        inputs[i] = (weir_bytes){ "abcd", (size_t)i % 2 * 2 + 2 };
    ck_assert_int_eq(weir_pool_map(pool, picky, inputs, 50, 0, BOUND_NS,
                                   results, NULL),
                     25);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(weir_result_successful(results[i]), i % 2);
        weir_result_free(&results[i]);
    }
    ck_assert_int_eq(weir_pool_imap(pool, echo, next_byte, &made, NULL, &imap,
                                    NULL),
                     0);
    ck_assert_int_eq(made, 32);
    while (weir_imap_next(imap, 0, &results[0], NULL) == 0) {
        weir_result_free(&results[0]);
        given++;
    }
    ck_assert_int_eq(given, 200);
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

START_TEST(inline_open_and_close)
{
    weir_pool_options options = bench_options();
    weir_result *result;
    weir_error err = { 0 };
    weir_pool *pool;
    char told[2];

    options.open = open_by_argument;
    options.close = tell_close;
    options.argument = "oand more";
    options.argument_size = 9;
    pool = pool_here(&options);
    bench_expect(&(weir_result *){ bench_call(pool, echo, "x", NULL) }, 0, "");
    ck_assert_int_eq(weir_pool_free(&pool), WEIR_ESTATE);
    ck_assert_int_eq(weir_pool_join(pool, 0), WEIR_ESTATE);
    bench_end(&pool);
    watch_read(bench.pipe[0], told, 2);
    ck_assert_mem_eq(told, "OC", 2);
    options.argument = "s";
    options.argument_size = 1;
    pool = pool_here(&options);
    ck_assert_int_eq(weir_pool_apply(pool, echo, "x", 1, BOUND_NS, &result,
                                     &err),
                     WEIR_EFAILED);
    ck_assert_msg(strstr(err.text, "no licence") != NULL, "%s", err.text);
    ck_assert_int_eq(weir_pool_join(pool, 0), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}
END_TEST

/* ------------------------------------------------- functions of this file ----
 */

static weir_pool *shared;
static atomic_uint inside, most_inside;
static atomic_bool entered, leave_now;

/* Calls its own pool: as deep as its first byte says. */
static int nest(weir_call *call)
{
    unsigned char depth = *(const unsigned char *)weir_input(call).data;
    weir_result *result;
    weir_bytes bytes;
    int code;

    if (depth == 0)
        return weir_pass(call, 0);
    depth--;
    code = weir_pool_apply(shared, nest, &depth, 1, 0, &result, NULL);
    if (code != 0)
        return code;
    code = weir_result_get(result, 0, &bytes, NULL);
    if (code == 0)
        code = weir_emit(call, 0, bytes.data, bytes.size);
    weir_result_free(&result);
    return code;
}

/* Ends its pool: joined it can be only after this. */
static int end_it(weir_call *call)
{
    int code = *(const char *)weir_input(call).data == 't'
                   ? weir_pool_terminate(shared)
                   : weir_pool_close(shared);

    if (code == 0 && (weir_pool_join(shared, 0) != WEIR_ESTATE ||
                      weir_pool_free(&shared) != WEIR_ESTATE))
        code = WEIR_EBROKEN;
    return code != 0 ? code : weir_pass(call, 0);
}

static int alone(weir_call *call)
{
    unsigned now = atomic_fetch_add(&inside, 1) + 1;

    if (now > atomic_load(&most_inside))
        atomic_store(&most_inside, now);
    usleep(10);
    atomic_fetch_sub(&inside, 1);
    return weir_pass(call, 0);
}

static int stay(weir_call *call)
{
    atomic_store(&entered, true);
    while (!atomic_load(&leave_now))
        usleep(100);
    return weir_pass(call, 0);
}

static weir_pool *shared_pool(void)
{
    static weir_function *const functions[] = { nest, end_it, alone, stay };
    weir_pool_options options = { .size = sizeof options,
                                  .functions = functions,
                                  .function_count = 4,
                                  .window = 8 };

    return shared = pool_here(&options);
}

START_TEST(inline_nested)
{
    weir_pool *pool = shared_pool();
    char text[1024];

    describe(pool, nest, "\0", 1, text);
    ck_assert_str_eq(text, "0 1: ");
    describe(pool, nest, "\7", 1, text);
    ck_assert_str_eq(text, "0 1: ");
    describe(pool, nest, "\10", 1, text); /* deeper than the window */
    ck_assert_int_eq(atoi(text), WEIR_EFULL);
    bench_end(&pool);
}
END_TEST

/* A function that ends its pool, and the call that it is in. */
START_TEST(inline_ended_within)
{
    weir_pool *pool = shared_pool();
    weir_result *result = NULL;
    int code = weir_pool_apply(pool, end_it, _i == 0 ? "t" : "c", 1, BOUND_NS,
                               &result, NULL);

    ck_assert_int_eq(code, _i == 0 ? WEIR_ETERMINATED : 0);
    weir_result_free(&result);
    code = weir_pool_apply(pool, alone, "", 0, BOUND_NS, &result, NULL);
    ck_assert_int_eq(code, _i == 0 ? WEIR_ETERMINATED : WEIR_ECLOSED);
    ck_assert_int_eq(weir_pool_join(pool, 0), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}
END_TEST

/* The same in a map, which makes none of its calls again here. */
START_TEST(inline_map_ended_within)
{
    static const weir_bytes inputs[] = { { "c", 1 }, { "d", 1 } };
    weir_pool *pool = shared_pool();
    weir_result *results[2];
    weir_error err = { 0 };

    ck_assert_int_eq(weir_pool_map(pool, end_it, inputs, 2, 0, BOUND_NS,
                                   results, &err),
                     1);
    ck_assert_int_eq(err.code, WEIR_ECLOSED);
    for (int i = 0; i < 2; i++)
        weir_result_free(&results[i]);
    ck_assert_int_eq(weir_pool_join(pool, 0), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}
END_TEST

static void *call_many(void *arg)
{
    unsigned *done = arg;

    for (int i = 0; i < 200; i++) {
        weir_result *result = NULL;

        *done += weir_pool_apply(shared, alone, "abc", 3, BOUND_NS, &result,
                                 NULL) == 0;
        weir_result_free(&result);
    }
    return NULL;
}

START_TEST(inline_many_threads)
{
    weir_pool *pool = shared_pool();
    pthread_t threads[4];
    unsigned done[4] = { 0 };

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call_many, &done[i]),
                         0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_uint_eq(done[i], 200);
    }
    ck_assert_uint_eq(atomic_load(&most_inside), 1);
    bench_end(&pool);
}
END_TEST

static void *call_stay(void *arg)
{
    *(int *)arg = weir_pool_apply(shared, stay, "", 0, BOUND_NS,
                                  &(weir_result *){ NULL }, NULL);
    return NULL;
}

/* Another thread's function runs: nobody waits longer than it may; terminate
 * ends handles at once, and the pool is over when the function ends. */
START_TEST(inline_waits_for_a_function)
{
    weir_pool *pool = shared_pool();
    weir_result *result;
    pthread_t thread;
    int code = 0;

    ck_assert_int_eq(pthread_create(&thread, NULL, call_stay, &code), 0);
    while (!atomic_load(&entered))
        usleep(100);
    ck_assert_int_eq(weir_pool_apply_async(pool, alone, "", 0, 0, &result,
                                           NULL),
                     WEIR_EFULL);
    ck_assert_int_eq(weir_pool_apply_async(pool, alone, "", 0, NS_PER_MS,
                                           &result, NULL),
                     WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    ck_assert_int_eq(weir_pool_join(pool, NS_PER_MS), WEIR_ETIMEDOUT);
    atomic_store(&leave_now, true);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(code, WEIR_ETERMINATED);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}
END_TEST

Suite *pool_inline_suite(void)
{
    Suite *suite = suite_create("pool_inline");
    TCase *tcase = tcase_create("inline");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, inline_is_the_same);
    tcase_add_test(tcase, inline_callbacks_and_fd);
    tcase_add_test(tcase, inline_maps);
    tcase_add_test(tcase, inline_open_and_close);
    tcase_add_test(tcase, inline_nested);
    tcase_add_loop_test(tcase, inline_ended_within, 0, 2);
    tcase_add_test(tcase, inline_map_ended_within);
    tcase_add_test(tcase, inline_many_threads);
    tcase_add_test(tcase, inline_waits_for_a_function);
    suite_add_tcase(suite, tcase);
    return suite;
}
