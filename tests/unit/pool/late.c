/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* late.c - a context that is opened when the program has threads: its helper is
 * a program of its own, and its pools call tasks of plugins. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/weir.h>

#include "base/base.h"
#include "lib/suites.h"
#include "process/process.h"
#include "suites.h"
#include "watch.h"

static char folder[64];
static pthread_t thread;
static int gate[2], fds_before;

static void *wait_for_end(void *arg)
{
    char c;

    (void)!read(gate[0], &c, 1);
    return arg;
}

static void setup(void)
{
    char command[512];

    children_setup();
    snprintf(folder, sizeof folder, "/tmp/weir-late-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(command, sizeof command, "cp '%s/tasks.so' '%s' && chmod 644 %s/*",
             TEST_PLUGINS, folder, folder);
    ck_assert_int_eq(system(command), 0);
    setenv("WEIR_PLUGIN_PATH", folder, 1);
    setenv("WEIR_HELPER", TEST_HELPER, 1);
    ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_end, NULL), 0);
    fds_before = watch_fds();
}

static void teardown(void)
{
    char command[128];

    ck_assert_int_eq(watch_fds(), fds_before);
    close(gate[1]);
    pthread_join(thread, NULL);
    close(gate[0]);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
    children_teardown();
}

static weir_context *open_late(void)
{
    weir_context *context = NULL;
    weir_error err = { 0 };

    ck_assert_msg(weir_context_open(NULL, &context, &err) == 0, "%s", err.text);
    return context;
}

static weir_pool *open_pool(weir_context *context)
{
    weir_pool_options options = { .size = sizeof options, .workers = 2 };
    weir_pool *pool = NULL;
    weir_error err = { 0 };

    ck_assert_msg(weir_pool_new(context, &options, &pool, &err) == 0, "%s",
                  err.text);
    return pool;
}

static void call_some(weir_pool *pool)
{
    static const char *const params[] = { "times=2", NULL };
    weir_function *run;
    weir_error err = { 0 };

    ck_assert_int_eq(weir_pool_task(pool, "tasks.repeat", params, &run, &err),
                     0);
    for (int i = 0; i < 50; i++) {
        weir_result *result;
        weir_bytes bytes;

        ck_assert_msg(weir_pool_apply(pool, run, "ab", 2, BOUND_NS, &result,
                                      &err) == 0,
                      "%s", err.text);
        ck_assert_int_eq(weir_result_get(result, 0, &bytes, NULL), 0);
        ck_assert_uint_eq(bytes.size, 5);
        ck_assert_mem_eq(bytes.data, "abab", 4);
        weir_result_free(&result);
    }
}

/* Tasks by name, and queues; whoever dies is replaced. */
START_TEST(tasks_and_queues)
{
    weir_context *context = open_late();
    weir_pool *pool = open_pool(context);
    weir_function *crash;
    weir_queue *queue;
    weir_result *result;
    weir_error err = { 0 };
    size_t size;
    char c;

    call_some(pool);
    ck_assert_int_eq(weir_pool_task(pool, "tasks.crash", NULL, &crash, NULL),
                     0);
    ck_assert_int_eq(weir_pool_apply(pool, crash, "x", 1, BOUND_NS, &result,
                                     &err),
                     WEIR_ELOST);
    call_some(pool);
    ck_assert_int_eq(weir_queue_new(context, NULL, &queue, NULL), 0);
    ck_assert_int_eq(weir_queue_put(queue, "q", 1, 0), 0);
    ck_assert_int_eq(weir_queue_get(queue, &c, 1, &size, 0), 0);
    ck_assert_int_eq(c, 'q');
    weir_queue_free(&queue);
    bench_end(&pool);
    weir_context_close(&context);
}
END_TEST

static int never(weir_child *self)
{
    (void)self;
    return 0;
}

/* The program's own functions are not there, and that is said. */
START_TEST(no_functions)
{
    weir_pool_options options = bench_options();
    weir_process_options child = { .size = sizeof child, .run = never };
    weir_context *context = open_late();
    weir_process *process;
    weir_pool *pool = NULL;
    weir_error err = { 0 };

    ck_assert_int_eq(weir_pool_new(context, &options, &pool, &err),
                     WEIR_EINVAL);
    ck_assert_msg(strstr(err.text, "threads already") != NULL, "%s", err.text);
    ck_assert_ptr_null(pool);
    ck_assert_int_eq(weir_process_new(context, &child, &process, &err), 0);
    ck_assert_int_eq(weir_process_start(process, &err), WEIR_EINVAL);
    ck_assert_msg(strstr(err.text, "threads already") != NULL, "%s", err.text);
    ck_assert_int_eq(weir_process_free(&process), 0);
    weir_context_close(&context);
}
END_TEST

/* What the thread has opened outlives it. */
static void *open_in_thread(void *arg)
{
    weir_context **context = arg;

    *context = open_late();
    return NULL;
}

START_TEST(opener_ends)
{
    weir_context *context = NULL;
    pthread_t opener;
    weir_pool *pool;

    ck_assert_int_eq(pthread_create(&opener, NULL, open_in_thread, &context),
                     0);
    pthread_join(opener, NULL);
    pool = open_pool(context);
    call_some(pool);
    bench_end(&pool);
    weir_context_close(&context);
}
END_TEST

START_TEST(helper_killed)
{
    weir_context *context = open_late();
    weir_pool *pool = open_pool(context);
    weir_function *run;
    weir_result *result;
    int code;

    call_some(pool);
    ck_assert_int_eq(weir_pool_task(pool, "tasks.repeat", NULL, &run, NULL), 0);
    kill(context_helper_pid(context), SIGKILL);
    /* Its workers die a moment later. */
    while ((code = weir_pool_apply(pool, run, NULL, 0, BOUND_NS, &result,
                                   NULL)) == 0)
        weir_result_free(&result);
    ck_assert_int_eq(code, WEIR_EBROKEN);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), WEIR_EBROKEN);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    weir_context_close(&context);
}
END_TEST

/* Nobody outlives a program that is killed: the teardown looks. */
START_TEST(program_killed)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        pthread_create(&thread, NULL, wait_for_end, NULL);
        call_some(open_pool(open_late()));
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* Loop: not there; not to be run; one that is no helper. */
START_TEST(no_helper)
{
    static const char *const helpers[] = { "/nowhere/weir-helper",
                                           "/etc/passwd", "/bin/false" };
    weir_context *context = NULL;
    weir_error err = { 0 };

    setenv("WEIR_HELPER", helpers[_i], 1);
    ck_assert_int_eq(weir_context_open(NULL, &context, &err),
                     _i == 0   ? -ENOENT
                     : _i == 1 ? -EACCES
                               : WEIR_EBROKEN);
    ck_assert_msg(strstr(err.text, helpers[_i]) != NULL, "%s", err.text);
    ck_assert_ptr_null(context);
}
END_TEST

/* Who starts it by hand is told. */
START_TEST(by_hand)
{
    char command[512];

    snprintf(command, sizeof command,
             "%s 2>&1 | grep -q 'start it themselves' && ! %s " PACKAGE_VERSION
             " 1 2 x 4 n 2>/dev/null && %s 0.0 3 4 5 1 n; [ $? = 201 ]",
             TEST_HELPER, TEST_HELPER, TEST_HELPER);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

Suite *late_suite(void)
{
    Suite *suite = suite_create("late");
    TCase *tcase = tcase_create("late");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, tasks_and_queues);
    tcase_add_test(tcase, no_functions);
    tcase_add_test(tcase, opener_ends);
    tcase_add_test(tcase, helper_killed);
    tcase_add_test(tcase, program_killed);
    tcase_add_loop_test(tcase, no_helper, 0, 3);
    tcase_add_test(tcase, by_hand);
    suite_add_tcase(suite, tcase);
    return suite;
}
