/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* d2.c - Python's multiprocessing.Process, row by row, and ours: one test for
 * each, named after it. */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "family.h"

static int nothing(weir_child *self)
{
    (void)self;
    return 0;
}

/* ------------------------------------------------------- constructor ---- */

/* Tells the name of its first child. */
static int have_child(weir_child *self)
{
    weir_process_options options = { .size = sizeof options, .run = nothing };
    weir_context *own = NULL;
    weir_process *process = NULL;
    char name[64] = "";
    int wrong;

    (void)self;
    wrong = weir_context_open(NULL, &own, NULL) != 0 ||
            weir_process_new(own, &options, &process, NULL) != 0 ||
            weir_process_start(process, NULL) != 0 ||
            weir_process_join(process, BOUND_NS) != 0;
    if (!wrong)
        snprintf(name, sizeof name, "%s", weir_process_name(process));
    family_tell(name, sizeof name);
    weir_process_free(&process);
    weir_context_close(&own);
    return wrong;
}

START_TEST(d2_constructor)
{
    weir_process_options options = { .size = sizeof options, .run = nothing };
    weir_process *one = family_make(&options), *two = family_make(&options);
    weir_process *parent = family_run(have_child);
    char name[64];

    ck_assert_str_eq(weir_process_name(one), "Process-1");
    ck_assert_str_eq(weir_process_name(two), "Process-2");
    ck_assert_str_eq(weir_process_name(parent), "Process-3");
    ck_assert_int_eq(weir_process_state(one), WEIR_PROCESS_INITIAL);
    family_hear(name, sizeof name);
    ck_assert_str_eq(name, "Process-3:1");
    ck_assert_int_eq(family_finish(parent).code, 0);
    options.name = "Process-1"; /* duplicates are allowed */
    ck_assert_int_eq(weir_process_free(&two), 0);
    two = family_make(&options);
    ck_assert_str_eq(weir_process_name(two), "Process-1");
    weir_process_free(&one);
    weir_process_free(&two);
    /* A program that knows a shorter struct. */
    options.name = NULL;
    options.size = offsetof(weir_process_options, argument);
    options.cwd = "/nowhere";
    one = family_start(&options);
    ck_assert_int_eq(family_finish(one).code, 0);
}
END_TEST

/* -------------------------------------------------------------- start ---- */

static int print(weir_child *self)
{
    printf("%s", (const char *)weir_child_argument(self, NULL));
    return 0;
}

/* What waits in stdio is printed before the child prints, and once. */
START_TEST(d2_start)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = print,
                                     .argument = "child ",
                                     .argument_size = 6 };
    char text[32] = "";
    int out[2], before = dup(1);
    weir_context *own = NULL;
    weir_process *process = NULL;

    ck_assert_int_eq(pipe(out), 0);
    dup2(out[1], 1);
    ck_assert_int_eq(weir_context_open(NULL, &own, NULL), 0);
    printf("first ");
    ck_assert_int_eq(weir_process_new(own, &options, &process, NULL), 0);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    ck_assert_int_eq(weir_process_start(process, NULL), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_join(process, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_start(process, NULL), WEIR_ESTATE);
    printf("last");
    fflush(stdout);
    dup2(before, 1);
    close(before);
    ck_assert_int_eq(weir_process_free(&process), 0);
    weir_context_close(&own);
    watch_read(out[0], text, 16);
    close(out[0]);
    close(out[1]);
    ck_assert_str_eq(text, "first child last");
}
END_TEST

/* ---------------------------------------------------------------- run ---- */

static int leave(weir_child *self)
{
    int number;

    memcpy(&number, weir_child_argument(self, NULL), sizeof number);
    exit(number);
}

START_TEST(d2_run)
{
    static const struct {
        int (*run)(weir_child *self);
        int number;
        weir_exit_kind kind;
        int code;
    } rows[] = {
        { family_return, 0, WEIR_EXIT_STATUS, 0 },
        { family_return, 255, WEIR_EXIT_STATUS, 255 },
        { family_return, 300, WEIR_EXIT_REFUSED, 300 }, /* not cut to 44 */
        { family_return, -1, WEIR_EXIT_REFUSED, -1 },
        { leave, 3, WEIR_EXIT_STATUS, 3 },
        { leave, 300, WEIR_EXIT_STATUS, 44 }, /* the kernel's */
    };
    weir_process_options options = { .size = sizeof options,
                                     .run = rows[_i].run,
                                     .argument = &rows[_i].number,
                                     .argument_size = sizeof(int) };
    weir_exit end = family_finish(family_start(&options));

    ck_assert_int_eq(end.kind, rows[_i].kind);
    ck_assert_int_eq(end.code, rows[_i].code);
}
END_TEST

/* --------------------------------------------------------------- join ---- */

static void *join_it(void *process)
{
    return (void *)(intptr_t)weir_process_join(process, BOUND_NS);
}

START_TEST(d2_join)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep };
    weir_process *process = family_make(&options);
    pthread_t thread;
    void *result;

    ck_assert_int_eq(weir_process_join(process, WEIR_FOREVER), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    ck_assert_int_eq(weir_process_join(process, 0), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_process_join(process, NS_PER_MS), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_process_join(process, -1), WEIR_EINVAL);
    ck_assert_int_eq(pthread_create(&thread, NULL, join_it, process), 0);
    ck_assert_int_eq(weir_process_kill(process), 0);
    ck_assert_int_eq(weir_process_join(process, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_join(process, 0), 0);
    pthread_join(thread, &result);
    ck_assert_int_eq((intptr_t)result, 0);
    family_finish(process);
}
END_TEST

/* ----------------------------------------------------------- is_alive ---- */

START_TEST(d2_is_alive)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep };
    weir_process *process = family_make(&options);
    weir_exit end;

    ck_assert_int_eq(weir_process_alive(process), 0);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    ck_assert_int_eq(weir_process_alive(process), 1);
    kill(weir_process_pid(process), SIGKILL);
    ck_assert(watch_readable(weir_process_fd(process)));
    ck_assert_int_eq(weir_process_alive(process), 0);
    /* A pure query: nobody was joined. */
    ck_assert_int_eq(weir_process_exit(process, &end), WEIR_ESTATE);
    family_finish(process);
    ck_assert_int_eq(weir_process_alive(NULL), WEIR_EINVAL);
}
END_TEST

/* ------------------------------------------------------------- signals ---- */

/* Its group: a child of its own that ignores the same. */
static int group(weir_child *self)
{
    pid_t child = fork();

    if (child != 0)
        family_tell(&child, sizeof child);
    return family_sleep(self);
}

START_TEST(d2_terminate)
{
    weir_process_options options = { .size = sizeof options, .run = group };
    weir_process *process = family_make(&options);
    pid_t child;

    ck_assert_int_eq(weir_process_terminate(process), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    family_hear(&child, sizeof child);
    ck_assert_int_eq(weir_process_terminate(process), 0);
    ck_assert_int_eq(weir_process_join(process, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_terminate(process), 0); /* no effect */
    ck_assert_int_eq(family_finish(process).code, SIGTERM);
    ck_assert(watch_until(child, 0));
}
END_TEST

/* Grace, then KILL, as one call: a child that ignores TERM; one that does not;
 * one that is stopped. */
START_TEST(d2_terminate_with_grace)
{
    weir_process *process = family_run(_i == 0 ? family_stubborn
                                               : family_sleep);
    int64_t grace_ns = _i == 0 ? NS_PER_MS : WEIR_FOREVER;
    char said;

    if (_i == 0)
        family_hear(&said, 1);
    ck_assert_int_eq(weir_process_stop(process, -1, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_process_stop(process, 0, -1), WEIR_EINVAL);
    if (_i == 0) /* for ever: never killed */
        ck_assert_int_eq(weir_process_stop(process, WEIR_FOREVER, NS_PER_MS),
                         WEIR_ETIMEDOUT);
    if (_i == 2) {
        ck_assert_int_eq(weir_process_signal(process, SIGSTOP), 0);
        ck_assert(watch_until(weir_process_pid(process), 'T'));
    }
    ck_assert_int_eq(weir_process_stop(process, grace_ns, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_stop(process, grace_ns, 0), 0);
    ck_assert_int_eq(family_finish(process).code, _i == 0 ? SIGKILL : SIGTERM);
}
END_TEST

/* The helper goes through the steps by itself. */
START_TEST(d2_terminate_and_go_on)
{
    weir_process *process = family_run(family_stubborn);
    char said;

    family_hear(&said, 1);
    ck_assert_int_eq(weir_process_stop(process, 10 * NS_PER_MS, 0),
                     WEIR_ETIMEDOUT);
    ck_assert(watch_readable(weir_process_fd(process)));
    ck_assert_int_eq(family_finish(process).code, SIGKILL);
}
END_TEST

START_TEST(d2_kill)
{
    weir_process_options options = { .size = sizeof options, .run = group };
    weir_process *process = family_make(&options);
    pid_t child;

    ck_assert_int_eq(weir_process_kill(process), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    family_hear(&child, sizeof child);
    ck_assert_int_eq(weir_process_kill(process), 0);
    ck_assert_int_eq(family_finish(process).code, SIGKILL);
    ck_assert(watch_until(child, 0));
}
END_TEST

START_TEST(d2_interrupt)
{
    weir_process *process = family_run(family_stubborn);
    char said;

    family_hear(&said, 1);
    ck_assert_int_eq(weir_process_signal(process, SIGINT), 0); /* ignored */
    ck_assert_int_eq(weir_process_join(process, NS_PER_MS), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_process_signal(process, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_process_signal(process, 65), WEIR_EINVAL);
    ck_assert_int_eq(weir_process_signal(NULL, SIGINT), WEIR_EINVAL);
    ck_assert_int_eq(weir_process_stop(process, 0, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_signal(process, SIGINT), 0);
    family_finish(process);
    process = family_run(family_sleep);
    ck_assert_int_eq(weir_process_signal(process, SIGINT), 0);
    ck_assert_int_eq(family_finish(process).code, SIGINT);
}
END_TEST

/* -------------------------------------------------------------- close ---- */

START_TEST(d2_close)
{
    weir_process *process = family_run(family_sleep), *same = process;

    ck_assert_int_eq(weir_process_free(&process), WEIR_ESTATE);
    ck_assert_ptr_eq(process, same);
    ck_assert_int_eq(weir_process_alive(process), 1);
    ck_assert_int_eq(weir_process_stop(process, 0, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_free(&process), 0);
    ck_assert_ptr_null(process);
    ck_assert_int_eq(weir_process_free(&process), 0); /* twice */
}
END_TEST

/* --------------------------------------------------------------- facts ---- */

static int tell_names(weir_child *self)
{
    char names[2][32] = { "" };

    snprintf(names[0], sizeof names[0], "%s", weir_child_name(self));
    prctl(PR_GET_NAME, names[1], 0, 0, 0);
    return family_tell(names, sizeof names);
}

START_TEST(d2_name)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = tell_names };
    weir_process *process = family_make(&options);
    char names[2][32];

    ck_assert_int_eq(weir_process_set_name(process, "new name"), 0);
    ck_assert_str_eq(weir_process_name(process), "new name");
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    family_hear(names, sizeof names);
    ck_assert_str_eq(names[0], "new name");
    ck_assert_str_eq(names[1], "new name"); /* the process's title, too */
    ck_assert_int_eq(weir_process_set_name(process, "late"), WEIR_ESTATE);
    family_finish(process);
}
END_TEST

START_TEST(d2_pid_ident)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep };
    weir_process *process = family_make(&options);
    int64_t now = (int64_t)time(NULL) * NS_PER_S;

    ck_assert_int_eq(weir_process_pid(process), 0);
    ck_assert_int_eq(weir_process_start_time(process), 0);
    ck_assert_int_eq(weir_process_parent_pid(process), getpid());
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    ck_assert_int_eq(kill(weir_process_pid(process), 0), 0);
    ck_assert_int_ge(weir_process_start_time(process), now);
    ck_assert_int_le(weir_process_start_time(process), now + 3600 * NS_PER_S);
    weir_process_kill(process);
    family_finish(process);
}
END_TEST

static int work_a_little(weir_child *self)
{
    struct timespec used;

    (void)self;
    do {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    } while (used.tv_sec == 0 && used.tv_nsec < 30 * NS_PER_MS);
    return 5;
}

START_TEST(d2_exitcode)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = work_a_little };
    weir_process *process = family_make(&options);
    weir_exit end;

    ck_assert_int_eq(weir_process_exit(process, &end), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    end = family_finish(process);
    ck_assert_int_eq(end.kind, WEIR_EXIT_STATUS);
    ck_assert_int_eq(end.code, 5);
    ck_assert(!end.core);
    ck_assert_str_eq(end.words, "exited with status 5");
    ck_assert_int_ge(end.user_ns + end.system_ns, 20 * NS_PER_MS);
    ck_assert_int_ge(end.lived_ns, 20 * NS_PER_MS);
    ck_assert_int_gt(end.memory_bytes, 0);
    ck_assert_int_eq(end.usage.ru_maxrss * 1024, end.memory_bytes);
    process = family_run(family_sleep);
    weir_process_terminate(process);
    end = family_finish(process);
    ck_assert_int_eq(end.kind, WEIR_EXIT_SIGNAL);
    ck_assert_int_eq(end.code, SIGTERM);
    ck_assert_str_eq(end.words, "killed by SIGTERM");
}
END_TEST

/* What daemon is in Python is on_owner_exit here: see the suite "owner". */
START_TEST(d2_daemon)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep,
                                     .on_owner_exit = WEIR_OWNER_EXIT_TERMINATE,
                                     .grace_ns = BOUND_NS };
    weir_process *process = family_start(&options);
    weir_exit end;

    weir_context_close(&family);
    ck_assert_int_eq(weir_process_exit(process, &end), 0);
    ck_assert_int_eq(end.code, SIGTERM);
    ck_assert_int_eq(weir_process_free(&process), 0);
}
END_TEST

START_TEST(d2_sentinel)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep };
    weir_process *process = family_make(&options);
    struct pollfd poller = { .events = POLLIN };

    ck_assert_int_eq(weir_process_fd(process), -1);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    poller.fd = weir_process_fd(process);
    ck_assert_int_eq(poll(&poller, 1, 0), 0);
    weir_process_kill(process);
    ck_assert(watch_readable(poller.fd));
    family_finish(process);
}
END_TEST

START_TEST(d2_repr)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep };
    weir_process *process = family_make(&options);
    char text[128], want[128];
    int size;

    size = weir_process_describe(process, text, sizeof text);
    snprintf(want, sizeof want, "Process-1: parent %d, initial", getpid());
    ck_assert_str_eq(text, want);
    ck_assert_int_eq(size, (int)strlen(want));
    ck_assert_int_eq(weir_process_describe(process, NULL, 0), size);
    weir_process_start(process, NULL);
    weir_process_describe(process, text, sizeof text);
    ck_assert_int_eq(weir_process_state(process), WEIR_PROCESS_STARTED);
    snprintf(want, sizeof want, "Process-1: pid %d, parent %d, started",
             weir_process_pid(process), getpid());
    ck_assert_str_eq(text, want);
    weir_process_terminate(process);
    ck_assert(watch_readable(weir_process_fd(process)));
    ck_assert_int_eq(weir_process_state(process), WEIR_PROCESS_STOPPED);
    weir_process_join(process, BOUND_NS);
    weir_process_describe(process, text, sizeof text);
    snprintf(want, sizeof want,
             "Process-1: pid %d, parent %d, stopped, killed by SIGTERM",
             weir_process_pid(process), getpid());
    ck_assert_str_eq(text, want);
    ck_assert_int_eq(weir_process_describe(process, text, 4),
                     (int)strlen(want));
    ck_assert_str_eq(text, "Pro");
    ck_assert_int_eq(weir_process_describe(NULL, text, 4), WEIR_EINVAL);
    family_finish(process);
}
END_TEST

/* ----------------------------------------------- connection.wait on them ----
 */

START_TEST(d7_wait_any)
{
    enum { MANY = 20 };
    weir_process *processes[MANY];
    int seen[MANY] = { 0 };
    size_t index = 99;

    ck_assert_int_eq(weir_process_wait_any(NULL, 0, 0, &index), WEIR_EEMPTY);
    for (int i = 0; i < MANY; i++)
        processes[i] = family_run(family_sleep);
    ck_assert_int_eq(weir_process_wait_any(processes, MANY, 0, &index),
                     WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_process_wait_any(processes, MANY, NS_PER_MS, &index),
                     WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_process_wait_any(processes, MANY, -1, &index),
                     WEIR_EINVAL);
    ck_assert_uint_eq(index, 99);
    for (int i = 0; i < MANY; i++) {
        size_t victim = (size_t)(i * 7 % MANY);

        weir_process_kill(processes[victim]);
        ck_assert_int_eq(weir_process_wait_any(processes, MANY, BOUND_NS,
                                               &index),
                         0);
        ck_assert_uint_eq(index, victim);
        ck_assert_int_eq(seen[index]++, 0);
        /* Joined: it stands at once, until it is struck out. */
        ck_assert_int_eq(weir_process_wait_any(processes, MANY, 0, &index), 0);
        ck_assert_int_eq(family_finish(processes[index]).code, SIGKILL);
        processes[index] = NULL;
    }
    ck_assert_int_eq(weir_process_wait_any(processes, MANY, 0, &index),
                     WEIR_EEMPTY);
}
END_TEST

START_TEST(d7_wait_any_misuse)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep };
    weir_process *two[2] = { family_run(family_sleep), family_make(&options) };
    size_t index = 99;

    ck_assert_int_eq(weir_process_wait_any(two, 2, WEIR_FOREVER, &index),
                     WEIR_ESTATE);
    ck_assert_uint_eq(index, 1);
    ck_assert_int_eq(weir_process_wait_any(two, 2, 0, NULL), WEIR_EINVAL);
    weir_process_free(&two[1]);
    kill(context_helper_pid(family), SIGKILL);
    ck_assert_int_eq(weir_process_wait_any(two, 2, BOUND_NS, &index),
                     WEIR_EBROKEN);
    ck_assert_uint_eq(index, 0);
    ck_assert(watch_gone(weir_process_pid(two[0])));
    ck_assert_int_eq(weir_process_state(two[0]), WEIR_PROCESS_CLOSED);
    weir_process_free(&two[0]);
}
END_TEST

Suite *d2_suite(void)
{
    Suite *suite = suite_create("d2");
    TCase *tcase = tcase_create("process");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, family_setup, family_teardown);
    tcase_add_test(tcase, d2_constructor);
    tcase_add_test(tcase, d2_start);
    tcase_add_loop_test(tcase, d2_run, 0, 6);
    tcase_add_test(tcase, d2_join);
    tcase_add_test(tcase, d2_is_alive);
    tcase_add_test(tcase, d2_terminate);
    tcase_add_loop_test(tcase, d2_terminate_with_grace, 0, 3);
    tcase_add_test(tcase, d2_terminate_and_go_on);
    tcase_add_test(tcase, d2_kill);
    tcase_add_test(tcase, d2_interrupt);
    tcase_add_test(tcase, d2_close);
    tcase_add_test(tcase, d2_name);
    tcase_add_test(tcase, d2_pid_ident);
    tcase_add_test(tcase, d2_exitcode);
    tcase_add_test(tcase, d2_daemon);
    tcase_add_test(tcase, d2_sentinel);
    tcase_add_test(tcase, d2_repr);
    tcase_add_test(tcase, d7_wait_any);
    tcase_add_test(tcase, d7_wait_any_misuse);
    suite_add_tcase(suite, tcase);
    return suite;
}
