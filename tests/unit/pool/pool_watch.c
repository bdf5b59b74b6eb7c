/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_watch.c - core/pool/pool_watch.c: a pool in an event loop. */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "process/process.h"
#include "suites.h"
#include "watch.h"

static bool readable_now(int fd)
{
    struct pollfd look = { .fd = fd, .events = POLLIN };

    return poll(&look, 1, 0) == 1;
}

static int fd_of(weir_pool *pool)
{
    int fd = weir_pool_fd(pool);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(weir_pool_fd(pool), fd);
    return fd;
}

/* What can be told at first, is. */
static void settle(weir_pool *pool, int fd)
{
    while (readable_now(fd))
        weir_pool_dispatch(pool, 0);
}

struct tally {
    unsigned ended, failed;
};

static void count(weir_result *result, void *arg)
{
    struct tally *tally = arg;

    tally->ended++;
    tally->failed += weir_result_successful(result) != 1;
}

static weir_call_options counted(struct tally *tally)
{
    return (weir_call_options){ .size = sizeof(weir_call_options),
                                .on_done = count,
                                .arg = tally };
}

/* A turn of a loop: it must be told that there is something. */
static int turn(weir_pool *pool, int fd)
{
    ck_assert(watch_readable(fd));
    return weir_pool_dispatch(pool, 0);
}

/* Thousands of calls, made and told in a loop that waits for nothing but the
 * descriptor. Loop: a window of many, and of one; with workers that die. */
START_TEST(d7_loop_with_callbacks)
{
    const unsigned many = _i == 0 ? 20000 : _i == 1 ? 2000 : 500;
    weir_pool_options options = bench_options();
    struct tally tally = { 0 };
    weir_call_options each = counted(&tally);
    unsigned made = 0, lost = 0;
    weir_pool *pool;
    int fd;

    options.window = _i == 1 ? 1 : 100;
    pool = bench_pool(&options);
    fd = fd_of(pool);
    while (tally.ended < many) {
        while (made < many && made - tally.ended < options.window) {
            bool dies = _i == 2 && made % 50 == 7;
            int code = weir_pool_apply_async_with(pool, dies ? die : echo,
                                                  "\11", 1, 0, &each, NULL,
                                                  NULL);

            if (code != 0) { /* its worker is putting away the last one */
                ck_assert_int_eq(code, WEIR_EFULL);
                continue;
            }
            lost += dies;
            made++;
        }
        ck_assert_int_ne(turn(pool, fd), WEIR_ECLOSED);
    }
    ck_assert_uint_eq(tally.failed, lost);
    ck_assert_int_eq(weir_pool_close(pool), 0);
    while (turn(pool, fd) != WEIR_ECLOSED)
        continue;
    ck_assert(readable_now(fd)); /* and so it stays */
    ck_assert_int_eq(weir_pool_join(pool, 0), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}
END_TEST

/* Nothing to do: not readable, however long; something: at once. */
START_TEST(d7_descriptor_is_level)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    int fd = fd_of(pool);
    weir_result *result, *busy;

    settle(pool, fd);
    ck_assert_int_eq(weir_pool_dispatch(pool, 0), WEIR_ETIMEDOUT);
    ck_assert(!readable_now(fd));
    busy = bench_running(pool, be_deaf);
    settle(pool, fd);
    ck_assert(!readable_now(fd));
    for (int i = 0; i < 200; i++) {
        result = bench_call(pool, echo, "x", NULL);
        ck_assert(watch_readable(fd));
        ck_assert(readable_now(fd)); /* until it is seen to */
        if (i % 2 == 0)
            while (weir_result_ready(result) != 1)
                weir_pool_dispatch(pool, 0);
        bench_expect(&result, 0, "");
        settle(pool, fd);
    }
    /* What ends in this process is told, too. */
    ck_assert_int_eq(weir_result_stop(busy, 0), 0);
    ck_assert(watch_readable(fd));
    bench_expect(&busy, WEIR_ECANCELED, "");
    bench_end(&pool);
}
END_TEST

struct mate {
    weir_pool *pool;
    atomic_uint ended;
    atomic_bool stop;
    int code;
};

static void *wait_for_calls(void *arg)
{
    struct mate *mate = arg;

    while (!atomic_load(&mate->stop)) {
        weir_result *result = NULL;

        mate->code |= weir_pool_apply(mate->pool, echo, "x", 1, BOUND_NS,
                                      &result, NULL);
        weir_result_free(&result);
        atomic_fetch_add(&mate->ended, 1);
    }
    return NULL;
}

/* Other threads wait for calls of theirs, and move this one's results. It looks
 * at its handles after each turn. */
START_TEST(d7_loop_with_handles)
{
    enum { CALLS = 3000, MATES = 3 };
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct mate mate = { .pool = pool };
    pthread_t threads[MATES];
    int fd = fd_of(pool);

    for (int i = 0; i < MATES; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_for_calls,
                                        &mate),
                         0);
    for (int i = 0; i < CALLS; i++) {
        weir_result *result = bench_call(pool, echo, "x", NULL);

        while (weir_result_successful(result) == WEIR_ESTATE)
            turn(pool, fd);
        bench_expect(&result, 0, "");
    }
    atomic_store(&mate.stop, true);
    for (int i = 0; i < MATES; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(mate.code, 0);
    bench_end(&pool);
}
END_TEST

static void *wait_long(void *arg)
{
    return (void *)(intptr_t)weir_result_wait(arg, BOUND_NS);
}

static bool has_ended(const struct tally *tally, unsigned count)
{
    return __atomic_load_n(&tally->ended, __ATOMIC_SEQ_CST) >= count;
}

/* A turn beside a thread that may run the callback itself, at any moment: then
 * there is nothing to be told any more. */
static void turn_beside(weir_pool *pool, int fd, const struct tally *tally,
                        unsigned count)
{
    struct pollfd poller = { .fd = fd, .events = POLLIN };
    int64_t deadline = clock_deadline(BOUND_NS);

    while (poll(&poller, 1, 100) != 1 && !has_ended(tally, count))
        ck_assert_int_gt(clock_left(deadline), 0);
    weir_pool_dispatch(pool, 0);
}

/* Another thread sleeps as the reader, all the time: the loop does not spin,
 * and misses nothing. */
START_TEST(d7_loop_beside_a_reader)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    weir_result *busy = bench_running(pool, be_deaf);
    struct tally tally = { 0 };
    weir_call_options each = counted(&tally);
    unsigned turns = 0;
    int fd = fd_of(pool);
    pthread_t thread;
    void *code;

    ck_assert_int_eq(pthread_create(&thread, NULL, wait_long, busy), 0);
    for (unsigned i = 1; i <= 1000; i++) {
        ck_assert_int_eq(weir_pool_apply_async_with(pool, echo, "x", 1,
                                                    BOUND_NS, &each, NULL,
                                                    NULL),
                         0);
        for (; !has_ended(&tally, i); turns++)
            turn_beside(pool, fd, &tally, i);
    }
    ck_assert_uint_lt(turns, 10000);
    ck_assert_int_eq(weir_result_stop(busy, 0), 0);
    pthread_join(thread, &code);
    ck_assert_int_eq((intptr_t)code, 0);
    weir_result_free(&busy);
    bench_end(&pool);
}
END_TEST

static void *wait_a_moment(void *arg)
{
    return (void *)(intptr_t)weir_result_wait(arg, 200 * NS_PER_MS);
}

/* The loop found nothing while another thread was the reader; that one goes
 * without a result. What comes then is told. */
START_TEST(d7_loop_after_a_reader)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    weir_result *busy = bench_running(pool, be_deaf), *result;
    int fd = fd_of(pool);
    pthread_t thread;
    void *code;

    ck_assert_int_eq(pthread_create(&thread, NULL, wait_a_moment, busy), 0);
    for (int i = 0; i < 20; i++) { /* most likely it reads by now */
        usleep(1000);
        ck_assert_int_eq(weir_pool_dispatch(pool, 0), WEIR_ETIMEDOUT);
    }
    ck_assert(!readable_now(fd));
    pthread_join(thread, &code);
    ck_assert_int_eq((intptr_t)code, WEIR_ETIMEDOUT);
    result = bench_call(pool, echo, "x", NULL);
    ck_assert(watch_readable(fd));
    bench_expect(&result, 0, "");
    ck_assert_int_eq(weir_result_stop(busy, 0), 0);
    weir_result_free(&busy);
    bench_end(&pool);
}
END_TEST

/* ------------------------------------------------------------------- ends ----
 */

static void *terminate(void *pool)
{
    return (void *)(intptr_t)weir_pool_terminate(pool);
}

/* Terminated by another thread; closed; its helper is killed; its context is
 * closed: the loop is told, all callbacks run, and it ends. */
START_TEST(d7_loop_and_the_pool_ends)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct tally tally = { 0 };
    weir_call_options each = counted(&tally);
    int fd = fd_of(pool), code;
    pthread_t thread;

    settle(pool, fd);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(weir_pool_apply_async_with(pool,
                                                    _i == 1 ? echo : wait_on,
                                                    "x", 1, BOUND_NS, &each,
                                                    NULL, NULL),
                         0);
    if (_i == 0)
        ck_assert_int_eq(pthread_create(&thread, NULL, terminate, pool), 0);
    else if (_i == 1)
        ck_assert_int_eq(weir_pool_close(pool), 0);
    else if (_i == 2)
        kill(context_helper_pid(bench.context), SIGKILL);
    else
        weir_context_close(&bench.context);
    while ((code = turn(pool, fd)) != WEIR_ECLOSED)
        ck_assert(code >= 0 || code == WEIR_ETIMEDOUT);
    ck_assert_uint_eq(tally.ended, 100);
    ck_assert_uint_eq(tally.failed, _i == 1 ? 0 : 100);
    ck_assert_int_eq(turn(pool, fd), WEIR_ECLOSED);
    if (_i == 0)
        pthread_join(thread, NULL);
    ck_assert_int_eq(weir_pool_join(pool, 0), _i < 2 ? 0 : WEIR_EBROKEN);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}
END_TEST

/* A pool that ends by itself, before anybody has asked for its descriptor, or
 * after. */
START_TEST(d7_loop_and_open_fails)
{
    weir_pool_options options = bench_options();
    weir_pool *pool;
    int fd;

    options.open = open_by_argument;
    options.argument = "x";
    options.argument_size = 1;
    pool = bench_pool(&options);
    if (_i == 0)
        while (weir_pool_dispatch(pool, BOUND_NS) != WEIR_ECLOSED)
            continue;
    fd = fd_of(pool);
    while (turn(pool, fd) != WEIR_ECLOSED)
        continue;
    ck_assert_int_eq(weir_pool_join(pool, 0), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}
END_TEST

/* A deadline passes while the only worker is busy. */
START_TEST(d7_loop_and_a_deadline)
{
    weir_pool_options options = bench_options();
    struct tally tally = { 0 };
    weir_call_options each = counted(&tally);
    weir_result *busy;
    weir_pool *pool;
    int fd;

    options.workers = 1;
    pool = bench_pool(&options);
    busy = bench_running(pool, be_deaf);
    fd = fd_of(pool);
    settle(pool, fd);
    each.deadline_ns = 20 * NS_PER_MS;
    for (int i = 0; i < 2; i++) { /* the second sets the time anew */
        ck_assert_int_eq(weir_pool_apply_async_with(pool, echo, "x", 1, 0,
                                                    &each, NULL, NULL),
                         0);
        each.deadline_ns = 5 * NS_PER_MS;
    }
    while (tally.ended < 2)
        turn(pool, fd);
    ck_assert_uint_eq(tally.failed, 2);
    settle(pool, fd);
    ck_assert(!readable_now(fd));
    ck_assert_int_eq(weir_result_stop(busy, 0), 0);
    weir_result_free(&busy);
    bench_end(&pool);
}
END_TEST

static void free_pool(weir_result *result, void *arg)
{
    (void)result;
    ck_assert_int_eq(weir_pool_terminate(*(weir_pool **)arg), 0);
    ck_assert_int_eq(weir_pool_join(*(weir_pool **)arg, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_free(arg), 0);
}

START_TEST(d7_loop_frees_its_pool)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options), *same = pool;
    const weir_call_options each = { .size = sizeof each,
                                     .on_done = free_pool,
                                     .arg = &same };
    int fd = fd_of(pool);

    ck_assert_int_eq(weir_pool_apply_async_with(pool, echo, "x", 1, 0, &each,
                                                NULL, NULL),
                     0);
    while (same != NULL)
        turn(pool, fd);
}
END_TEST

START_TEST(fd_misuse)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct rlimit limit, few;
    int next;

    ck_assert_int_eq(weir_pool_fd(NULL), WEIR_EINVAL);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    next = dup(0); /* the lowest number that is free */
    close(next);
    for (int i = 0; i < 4; i++) { /* so many can be had, and no more */
        few = limit;
        few.rlim_cur = (rlim_t)(next + i);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        ck_assert_int_eq(weir_pool_fd(pool), -EMFILE);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    fd_of(pool);
    bench_end(&pool);
    pool = bench_pool(&options);
    weir_context_close(&bench.context);
    ck_assert_int_eq(weir_pool_fd(pool), WEIR_EBROKEN);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}
END_TEST

Suite *pool_watch_suite(void)
{
    Suite *suite = suite_create("pool_watch");
    TCase *tcase = tcase_create("loop");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_loop_test(tcase, d7_loop_with_callbacks, 0, 3);
    tcase_add_test(tcase, d7_descriptor_is_level);
    tcase_add_test(tcase, d7_loop_with_handles);
    tcase_add_test(tcase, d7_loop_beside_a_reader);
    tcase_add_test(tcase, d7_loop_after_a_reader);
    tcase_add_loop_test(tcase, d7_loop_and_the_pool_ends, 0, 4);
    tcase_add_loop_test(tcase, d7_loop_and_open_fails, 0, 2);
    tcase_add_test(tcase, d7_loop_and_a_deadline);
    tcase_add_test(tcase, d7_loop_frees_its_pool);
    tcase_add_test(tcase, fd_misuse);
    suite_add_tcase(suite, tcase);
    return suite;
}
