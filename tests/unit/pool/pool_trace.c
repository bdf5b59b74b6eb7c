/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_trace.c - core/pool/pool_crash.c and pool_trace.c: what a call leaves
 * behind that crashes its worker. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/pool_host.h"
#include "suites.h"
#include "watch.h"

/* ------------------------------------------------- functions that crash ----
 */

typedef int stray(void);
static int *volatile nowhere = (int *)64; /* sanitizers look for NULL */
static stray *volatile no_function;
static volatile int sum;

/* By its own name in the trace, and what is called last stays a call. */
#if __has_attribute(noclone)
#define OWN_FRAME __attribute__((noinline, noclone))
#else
#define OWN_FRAME __attribute__((noinline))
#endif

static OWN_FRAME int touch_nothing(void)
{
    sum += *nowhere;
    return sum;
}

static OWN_FRAME int give_up(void)
{
    abort();
}

static OWN_FRAME int trap(void)
{
#if defined __x86_64__ || defined __i386__
    __asm__ volatile("ud2");
#else
    raise(SIGILL);
#endif
    return ++sum;
}

static OWN_FRAME int divide_badly(void)
{
    raise(SIGFPE);
    return ++sum;
}

static OWN_FRAME int bus_error(void)
{
    raise(SIGBUS);
    return ++sum;
}

static OWN_FRAME int call_nothing(void)
{
    return no_function() + sum;
}

static OWN_FRAME int sink_down(volatile int depth)
{
    volatile char room[4096];

    room[depth % 4096] = 1;
    if (depth < 0)
        return room[1];
    return sink_down(depth + 1) + room[depth % 4096];
}

static OWN_FRAME int overflow(void)
{
    return sink_down(0) + sum;
}

static const struct crasher {
    int (*run)(void);
    const char *name, *signal;
} crashers[] = {
    { touch_nothing, "touch_nothing+0x", "SIGSEGV" },
    { give_up, "give_up+0x", "SIGABRT" },
    { trap, "trap+0x", "SIGILL" },
    { divide_badly, "divide_badly+0x", "SIGFPE" },
    { bus_error, "bus_error+0x", "SIGBUS" },
    { call_nothing, "call_nothing+0x", "SIGSEGV" },
    { overflow, "sink_down+0x", "SIGSEGV" },
};
enum { CRASHERS = sizeof crashers / sizeof *crashers };

static int first_byte(weir_call *call)
{
    return *(const unsigned char *)weir_input(call).data;
}

static OWN_FRAME int crash(weir_call *call)
{
    int code = crashers[first_byte(call)].run();

    return code + ++sum;
}

/* In its first attempt one way, then another. */
static int crash_otherwise(weir_call *call)
{
    if (weir_attempt(call) == 1)
        return touch_nothing() + ++sum;
    if (first_byte(call) == 'k')
        raise(SIGKILL);
    return give_up() + ++sum;
}

static void tell_and_go(int signal)
{
    _exit(signal);
}

static int crash_by_itself(weir_call *call)
{
    (void)call;
    signal(SIGSEGV, tell_and_go);
    return touch_nothing() + ++sum;
}

/* A child of its own crashes: that is its own business. */
static int lose_a_child(weir_call *call)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(touch_nothing());
    if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) ||
        WTERMSIG(status) != SIGSEGV)
        return weir_fail(call, WEIR_PERMANENT, "no child was lost");
    return weir_pass(call, 0);
}

static pthread_barrier_t together;

static void *crash_aside(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&together);
    touch_nothing();
    return NULL;
}

static int crash_together(weir_call *call)
{
    pthread_t threads[4];

    (void)call;
    pthread_barrier_init(&together, NULL, 4);
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, crash_aside, NULL) != 0)
            return -EAGAIN;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

static weir_pool *crash_pool(uint32_t retries)
{
    static weir_function *const functions[] = {
        crash,           crash_otherwise,
        crash_by_itself, lose_a_child,
        crash_together,  echo,
        wait_on,         die
    };
    weir_pool_options options = bench_options();

    options.functions = functions;
    options.function_count = sizeof functions / sizeof *functions;
    options.workers = 1;
    options.retries = retries;
    return bench_pool(&options);
}

/* ------------------------------------------------------------------ tests ----
 */

static weir_result *crashed(weir_pool *pool, weir_function *run, char byte,
                            const char *text)
{
    weir_result *result = NULL;
    weir_error err = { 0 };

    ck_assert_int_eq(weir_pool_apply_async(pool, run, &byte, 1, BOUND_NS,
                                           &result, NULL),
                     0);
    ck_assert_int_eq(weir_result_get(result, BOUND_NS, NULL, &err), WEIR_ELOST);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    return result;
}

static void expect_trace(weir_result **result, const char *name)
{
    const char *text = NULL, *again = NULL;

    ck_assert_int_eq(weir_result_trace(*result, &text), 0);
    ck_assert_msg(strstr(text, name) != NULL, "no %s in:\n%s", name, text);
    ck_assert_msg(text[strlen(text) - 1] == '\n', "%s", text);
    ck_assert_int_eq(weir_result_trace(*result, &again), 0);
    ck_assert_ptr_eq(text, again);
    weir_result_free(result);
}

static void expect_no_trace(weir_result **result)
{
    const char *text = NULL;

    ck_assert_int_eq(weir_result_trace(*result, &text), WEIR_EEMPTY);
    ck_assert_ptr_null(text);
    weir_result_free(result);
}

/* Loop: each way to crash. */
START_TEST(each_signal)
{
    const struct crasher *crasher = &crashers[_i];
    weir_pool *pool = crash_pool(0);
    weir_result *result = crashed(pool, crash, (char)_i, crasher->signal);
    const char *text = NULL;

    ck_assert_int_eq(weir_result_trace(result, &text), 0);
    if (crasher->run != overflow && crasher->run != call_nothing)
        ck_assert_msg(strstr(text, "\ncrash+0x") != NULL, "%s", text);
    expect_trace(&result, crasher->name);
    bench_end(&pool);
}
END_TEST

/* The frame where it crashed comes first: nothing of ours stands before it. */
START_TEST(inmost_first)
{
    weir_pool *pool = crash_pool(0);
    weir_result *result = crashed(pool, crash, 0, "SIGSEGV");
    const char *text = NULL;

    ck_assert_int_eq(weir_result_trace(result, &text), 0);
    ck_assert_msg(strncmp(text, "touch_nothing+0x", 16) == 0, "%s", text);
    weir_result_free(&result);
    bench_end(&pool);
}
END_TEST

START_TEST(last_attempt)
{
    weir_pool *pool = crash_pool(1);
    weir_result *result = crashed(pool, crash_otherwise, 'a',
                                  "SIGABRT (in attempt 2)");
    const char *text = NULL;

    ck_assert_int_eq(weir_result_trace(result, &text), 0);
    ck_assert_msg(strstr(text, "touch_nothing") == NULL, "%s", text);
    expect_trace(&result, "give_up+0x");
    result = crashed(pool, crash_otherwise, 'k', "SIGKILL (in attempt 2)");
    expect_no_trace(&result);
    bench_end(&pool);
}
END_TEST

START_TEST(own_handler)
{
    weir_pool *pool = crash_pool(0);
    weir_result *result = crashed(pool, crash_by_itself, 0, "called exit(11)");

    expect_no_trace(&result);
    bench_end(&pool);
}
END_TEST

START_TEST(own_child)
{
    weir_pool *pool = crash_pool(0);
    weir_result *result = bench_call(pool, lose_a_child, "x", NULL);

    ck_assert_int_eq(weir_result_wait(result, BOUND_NS), 0);
    expect_no_trace(&result);
    bench_end(&pool);
}
END_TEST

START_TEST(threads_at_once)
{
    weir_pool *pool = crash_pool(0);

    for (int i = 0; i < 5; i++) {
        weir_result *result = crashed(pool, crash_together, 0, "SIGSEGV");

        expect_trace(&result, "touch_nothing+0x");
    }
    bench_end(&pool);
}
END_TEST

START_TEST(misuse)
{
    weir_pool *pool = crash_pool(0);
    weir_result *result = bench_call(pool, wait_on, "", NULL);
    const char *text;

    ck_assert_int_eq(weir_result_trace(NULL, &text), WEIR_EINVAL);
    ck_assert_int_eq(weir_result_trace(result, NULL), WEIR_EINVAL);
    ck_assert_int_eq(weir_result_trace(result, &text), WEIR_ESTATE);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    expect_no_trace(&result);
    bench_end_now(&pool);
    pool = crash_pool(0);
    result = crashed(pool, die, SIGKILL, "SIGKILL");
    expect_no_trace(&result);
    bench_end(&pool);
}
END_TEST

/* It is the handle's own, whatever becomes of the pool. */
START_TEST(after_the_pool)
{
    weir_pool *pool = crash_pool(0);
    weir_result *result = crashed(pool, crash, 0, "SIGSEGV");

    bench_end(&pool);
    expect_trace(&result, "touch_nothing+0x");
}
END_TEST

Suite *pool_trace_suite(void)
{
    Suite *suite = suite_create("pool_trace");
    TCase *tcase = tcase_create("trace");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_loop_test(tcase, each_signal, 0, CRASHERS);
    tcase_add_test(tcase, inmost_first);
    tcase_add_test(tcase, last_attempt);
    tcase_add_test(tcase, own_handler);
    tcase_add_test(tcase, own_child);
    tcase_add_test(tcase, threads_at_once);
    tcase_add_test(tcase, misuse);
    tcase_add_test(tcase, after_the_pool);
    suite_add_tcase(suite, tcase);
    return suite;
}
