/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* d8.c - what Python's multiprocessing gets wrong or leaves open, where it
 * concerns processes; each test by the number of its item. (Item 2, the parent
 * that dies before its child is tied to it: tests/crash/process.c.) */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/queue.h>

/* First: Check has a macro by a name of weir/plugin.h. */
#include "pool/pool.h"

#include "family.h"

/* ------------------------------------------- 2. the forking thread only ----
 */

static void *start_one(void *arg)
{
    weir_process *process = family_run(family_sleep);

    (void)arg;
    return process;
}

START_TEST(d8_2_starting_thread_ends)
{
    weir_process *process;
    pthread_t thread;
    void *made;

    ck_assert_int_eq(pthread_create(&thread, NULL, start_one, NULL), 0);
    pthread_join(thread, &made);
    process = made;
    ck_assert_int_eq(weir_process_join(process, NS_PER_MS), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_process_alive(process), 1);
    ck_assert_int_eq(weir_process_stop(process, 0, BOUND_NS), 0);
    family_finish(process);
}
END_TEST

/* ----------------------------------- 3. what a child's function may do ---- */

static int call_exit(weir_child *self)
{
    (void)self;
    exit(3);
}

static int call_quick_exit(weir_child *self)
{
    (void)self;
    _exit(4);
}

static int call_abort(weir_child *self)
{
    (void)self;
    abort();
}

static int raise_kill(weir_child *self)
{
    (void)self;
    raise(SIGKILL);
    return 0;
}

/* Both return. */
static int fork_and_return(weir_child *self)
{
    pid_t pid = fork();

    (void)self;
    return pid == 0 ? 9 : 5;
}

static int close_all(weir_child *self)
{
    (void)self;
    for (int fd = 0; fd < 256; fd++)
        close(fd);
    return 6;
}

static int close_all_and_lie(weir_child *self)
{
    close_all(self);
    return 300; /* nobody can be told any more */
}

static int change_folder(weir_child *self)
{
    (void)self;
    return chdir("/proc") == 0 ? 7 : 1;
}

static int take_all_memory(weir_child *self)
{
    const size_t size = 1 << 20;
    int count = 0;
    char *taken;

    (void)self;
    while (count < 4096 && (taken = malloc(size)) != NULL) {
        memset(taken, 1, size);
        count++;
    }
    return count < 4096 ? 8 : 1;
}

static int give_garbage(weir_child *self)
{
    (void)self;
    return -559038737;
}

START_TEST(d8_3_function_does)
{
    static const weir_limit little = { RLIMIT_AS, 256 << 20 };
    static const struct {
        int (*run)(weir_child *self);
        weir_exit_kind kind;
        int code;
    } rows[] = {
        { call_exit, WEIR_EXIT_STATUS, 3 },
        { call_quick_exit, WEIR_EXIT_STATUS, 4 },
        { call_abort, WEIR_EXIT_SIGNAL, SIGABRT },
        { raise_kill, WEIR_EXIT_SIGNAL, SIGKILL },
        { fork_and_return, WEIR_EXIT_STATUS, 5 },
        { close_all, WEIR_EXIT_STATUS, 6 },
        { close_all_and_lie, WEIR_EXIT_STATUS, 255 },
        { change_folder, WEIR_EXIT_STATUS, 7 },
        { take_all_memory, WEIR_EXIT_STATUS, 8 },
        { give_garbage, WEIR_EXIT_REFUSED, -559038737 },
    };
    weir_process_options options = { .size = sizeof options,
                                     .run = rows[_i].run };
    static const int five = 5;
    weir_exit end;

    if (rows[_i].run == take_all_memory) {
        if (SANITIZED) /* it maps more than any limit */
            return;
        options.limits = &little;
        options.limit_count = 1;
    }
    end = family_finish(family_start(&options));
    ck_assert_int_eq(end.kind, rows[_i].kind);
    ck_assert_int_eq(end.code, rows[_i].code);
    /* And the next child is as if nothing had been. */
    options = (weir_process_options){ .size = sizeof options,
                                      .run = family_return,
                                      .argument = &five,
                                      .argument_size = sizeof five };
    ck_assert_int_eq(family_finish(family_start(&options)).code, 5);
}
END_TEST

/* It never returns, blocks and ignores all signals, and has forked another. */
static int deaf(weir_child *self)
{
    sigset_t all;
    pid_t pid;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    pid = fork();
    if (pid != 0)
        family_tell(&pid, sizeof pid);
    return family_sleep(self);
}

START_TEST(d8_3_function_never_returns)
{
    weir_process *process = family_run(deaf);
    pid_t other;

    family_hear(&other, sizeof other);
    ck_assert_int_eq(weir_process_stop(process, NS_PER_MS, BOUND_NS), 0);
    ck_assert_int_eq(family_finish(process).code, SIGKILL);
    ck_assert(watch_until(other, 0));
}
END_TEST

/* It has closed what tied it to its owner, and dies with it all the same. */
static int close_and_sleep(weir_child *self)
{
    family_tell("c", 1);
    close_all(self);
    return family_sleep(self);
}

START_TEST(d8_3_closed_all_and_owner_dies)
{
    weir_process *process = family_run(close_and_sleep);
    pid_t pid = weir_process_pid(process);
    char said;

    family_hear(&said, 1);
    kill(context_helper_pid(family), SIGKILL);
    ck_assert(watch_gone(pid));
    weir_process_free(&process);
}
END_TEST

static jmp_buf outside;
static pid_t outside_of;

static int jump_out(weir_child *self)
{
    (void)self;
    longjmp(outside, 1);
}

/* A child that jumps into the program's own code runs it in its own process:
 * there the program's handles are another's. */
START_TEST(d8_3_function_jumps_out)
{
    weir_context_options keep = { .size = sizeof keep,
                                  .keep = family_pipe,
                                  .keep_count = 2 };
    weir_process_options options = { .size = sizeof options, .run = jump_out };
    static weir_context *own;
    static weir_process *process;

    outside_of = getpid();
    if (setjmp(outside) != 0) {
        int wrong = getpid() == outside_of;

        /* It has the memory of when its context opened. */
        wrong += process != NULL;
        wrong += weir_process_new(family, &options, &process, NULL) !=
                 WEIR_EPROCESS;
        weir_context_close(&family);
        _exit(wrong == 0 ? 20 : 21);
    }
    ck_assert_int_eq(weir_context_open(&keep, &own, NULL), 0);
    ck_assert_int_eq(weir_process_new(own, &options, &process, NULL), 0);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    ck_assert_int_eq(family_finish(process).code, 20);
    weir_context_close(&own);
}
END_TEST

/* --------------------------------------------------- 8. the user forks ---- */

static int echo(weir_child *self)
{
    weir_queue *in = weir_child_queue(self, 0),
               *out = weir_child_queue(self, 1);
    char text[64];
    size_t size;

    while (weir_queue_get(in, text, sizeof text, &size, WEIR_FOREVER) == 0)
        if (weir_queue_put(out, text, size, WEIR_FOREVER) != 0)
            return 1;
    return 0;
}

/* In the copy each call is refused; then it frees all, or just exits. */
static _Noreturn void be_copy(weir_context *own, weir_process *process,
                              weir_queue **queues, bool frees)
{
    int wrong = 0;
    size_t size;
    char text[4];

    wrong += weir_process_kill(process) != WEIR_EPROCESS;
    wrong += weir_process_stop(process, 0, 0) != WEIR_EPROCESS;
    wrong += weir_process_state(process) != WEIR_EPROCESS;
    wrong += weir_process_describe(process, text, 4) != WEIR_EPROCESS;
    wrong += weir_context_processes(own, NULL, 0) != WEIR_EPROCESS;
    wrong += weir_context_join(own, 0) != WEIR_EPROCESS;
    wrong += weir_process_wait_any(&process, 1, 0, &size) != WEIR_EPROCESS;
    wrong += weir_queue_put(queues[0], "x", 1, 0) != WEIR_EPROCESS;
    wrong += weir_queue_get(queues[1], text, 4, &size, 0) != WEIR_EPROCESS;
    wrong += weir_queue_close(queues[0]) != WEIR_EPROCESS;
    if (frees) {
        wrong += weir_process_free(&process) != 0;
        weir_queue_free(&queues[0]);
        weir_queue_free(&queues[1]);
        weir_context_close(&own);
    }
    exit(wrong);
}

START_TEST(d8_8_user_forks)
{
    static const struct helper_service *const services[] = { &queue_service,
                                                             NULL };
    weir_context *own;
    weir_queue *queues[2];
    weir_process_options options = {
        .size = sizeof options, .run = echo, .queues = queues, .queue_count = 2
    };
    weir_process *process;
    size_t size;
    int number;

    ck_assert_int_eq(context_open_with(NULL, services, &own, NULL), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(weir_queue_new(own, NULL, &queues[i], NULL), 0);
    ck_assert_int_eq(weir_process_new(own, &options, &process, NULL), 0);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    for (int i = 0; i < 6; i++) {
        pid_t copy;
        int status;

        ck_assert_int_eq(weir_queue_put(queues[0], &i, sizeof i, BOUND_NS), 0);
        fflush(NULL);
        copy = fork();
        if (copy == 0)
            be_copy(own, process, queues, i % 2 == 0);
        status = family_program_end(copy);
        ck_assert_msg(status == 0, "the copy ended with %x", status);
        ck_assert_int_eq(weir_queue_get(queues[1], &number, sizeof number,
                                        &size, BOUND_NS),
                         0);
        ck_assert_int_eq(number, i);
    }
    ck_assert_int_eq(weir_process_alive(process), 1);
    ck_assert_int_eq(weir_queue_close(queues[0]), 0);
    ck_assert_int_eq(family_finish(process).code, 0);
    for (int i = 0; i < 2; i++)
        weir_queue_free(&queues[i]);
    weir_context_close(&own);
}
END_TEST

Suite *d8_suite(void)
{
    Suite *suite = suite_create("d8");
    TCase *tcase = tcase_create("processes");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, family_setup, family_teardown);
    tcase_add_test(tcase, d8_2_starting_thread_ends);
    tcase_add_loop_test(tcase, d8_3_function_does, 0, 10);
    tcase_add_test(tcase, d8_3_function_never_returns);
    tcase_add_test(tcase, d8_3_closed_all_and_owner_dies);
    tcase_add_test(tcase, d8_3_function_jumps_out);
    tcase_add_test(tcase, d8_8_user_forks);
    suite_add_tcase(suite, tcase);
    return suite;
}
