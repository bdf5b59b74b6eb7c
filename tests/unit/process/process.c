/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.c - core/process/process.c and serve.c: handles and their children,
 * by the public calls alone. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/suites.h"
#include "watch.h"

static weir_context *context;
static int shared[2]; /* a pipe that the children keep */
static int fds_before;

static void setup(void)
{
    weir_context_options options = { .size = sizeof options,
                                     .keep = shared,
                                     .keep_count = 2 };
    weir_error err = { 0 };

    children_setup();
    ck_assert_int_eq(pipe2(shared, O_CLOEXEC), 0);
    fds_before = watch_fds();
    ck_assert_msg(weir_context_open(&options, &context, &err) == 0, "%s",
                  err.text);
}

static void teardown(void)
{
    weir_context_close(&context);
    ck_assert_int_eq(watch_fds(), fds_before);
    children_teardown();
}

static weir_process *make(int (*run)(weir_child *self), const void *argument,
                          size_t size)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = run,
                                     .argument = argument,
                                     .argument_size = size };
    weir_process *process = NULL;

    ck_assert_int_eq(weir_process_new(context, &options, &process, NULL), 0);
    return process;
}

static weir_process *launch(int (*run)(weir_child *self), const void *argument,
                            size_t size)
{
    weir_process *process = make(run, argument, size);
    weir_error err = { 0 };

    ck_assert_msg(weir_process_start(process, &err) == 0, "%s", err.text);
    return process;
}

static weir_exit finish(weir_process *process)
{
    weir_exit end;

    ck_assert_int_eq(weir_process_join(process, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_exit(process, &end), 0);
    ck_assert_int_eq(weir_process_free(&process), 0);
    ck_assert_ptr_null(process);
    return end;
}

static int return_number(weir_child *self)
{
    int number;

    memcpy(&number, weir_child_argument(self, NULL), sizeof number);
    return number;
}

static int sleep_on(weir_child *self)
{
    (void)self;
    while (pause() < 0)
        continue;
    return 0;
}

START_TEST(statuses)
{
    static const struct {
        int returned;
        weir_exit_kind kind;
        int code;
        const char *words;
    } rows[] = {
        { 0, WEIR_EXIT_STATUS, 0, "exited with status 0" },
        { 255, WEIR_EXIT_STATUS, 255, "exited with status 255" },
        { 9, WEIR_EXIT_STATUS, 9, "exited with status 9" },
        { 256, WEIR_EXIT_REFUSED, 256,
          "returned 256, which is no exit status (0 to 255)" },
        { -1, WEIR_EXIT_REFUSED, -1,
          "returned -1, which is no exit status (0 to 255)" },
    };
    weir_exit end = finish(
        launch(return_number, &rows[_i].returned, sizeof rows[_i].returned));

    ck_assert_int_eq(end.kind, rows[_i].kind);
    ck_assert_int_eq(end.code, rows[_i].code);
    ck_assert_str_eq(end.words, rows[_i].words);
    ck_assert(!end.core);
    ck_assert_int_gt(end.memory_bytes, 0);
}
END_TEST

static int raise_number(weir_child *self)
{
    int number;

    memcpy(&number, weir_child_argument(self, NULL), sizeof number);
    raise(number);
    return 0;
}

START_TEST(signals)
{
    int number = SIGSEGV;
    weir_exit end = finish(launch(raise_number, &number, sizeof number));

    ck_assert_int_eq(end.kind, WEIR_EXIT_SIGNAL);
    ck_assert_int_eq(end.code, SIGSEGV);
    number = SIGKILL;
    end = finish(launch(raise_number, &number, sizeof number));
    ck_assert_int_eq(end.code, SIGKILL);
    ck_assert_str_eq(end.words, "killed by SIGKILL");
}
END_TEST

static int check_argument(weir_child *self)
{
    size_t size;
    const unsigned char *data = weir_child_argument(self, &size);

    if (data[size] != 0)
        return 3;
    for (size_t i = 0; i < size; i++)
        if (data[i] != (i & 255))
            return 2;
    return size == 0 ? 7 : 0;
}

START_TEST(arguments)
{
    static unsigned char data[(252 << 10) + 1];
    weir_process_options options = { .size = sizeof options,
                                     .run = check_argument,
                                     .argument = data,
                                     .argument_size = sizeof data };
    weir_process *process = NULL;
    weir_error err;

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)i;
    ck_assert_int_eq(finish(launch(check_argument, NULL, 0)).code, 7);
    ck_assert_int_eq(finish(launch(check_argument, data, 1)).code, 0);
    process = launch(check_argument, data, sizeof data - 1);
    ck_assert_int_eq(finish(process).code, 0);
    ck_assert_int_eq(weir_process_new(context, &options, &process, &err),
                     WEIR_ETOOBIG);
    /* Copied when the handle was made. */
    process = make(check_argument, data, 1000);
    memset(data, 0, sizeof data);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    ck_assert_int_eq(finish(process).code, 0);
}
END_TEST

static int tell_self(weir_child *self)
{
    struct {
        char name[32], comm[32];
        pid_t pid, parent;
        size_t queues;
    } told = { .pid = getpid(), .parent = weir_child_parent_pid(self) };

    snprintf(told.name, sizeof told.name, "%s", weir_child_name(self));
    prctl(PR_GET_NAME, told.comm, 0, 0, 0);
    told.queues = weir_child_queue_count(self) +
                  (weir_child_queue(self, 0) != NULL);
    return fd_write_all(shared[1], &told, sizeof told) != 0;
}

START_TEST(names_and_numbers)
{
    struct {
        char name[32], comm[32];
        pid_t pid, parent;
        size_t queues;
    } told;
    weir_process *one = make(tell_self, NULL, 0);
    weir_process *two = make(tell_self, NULL, 0);

    ck_assert_str_eq(weir_process_name(one), "Process-1");
    ck_assert_str_eq(weir_process_name(two), "Process-2");
    ck_assert_int_eq(weir_process_pid(one), 0);
    ck_assert_int_eq(weir_process_fd(one), -1);
    ck_assert_int_eq(weir_process_set_name(one, NULL), WEIR_EINVAL);
    ck_assert_int_eq(weir_process_set_name(one, "the reader"), 0);
    ck_assert_int_eq(weir_process_start(one, NULL), 0);
    ck_assert_int_eq(weir_process_set_name(one, "late"), WEIR_ESTATE);
    watch_read(shared[0], &told, sizeof told);
    ck_assert_str_eq(told.name, "the reader");
    ck_assert_str_eq(told.comm, "the reader");
    ck_assert_int_eq(told.pid, weir_process_pid(one));
    ck_assert_int_eq(told.parent, getpid());
    ck_assert_uint_eq(told.queues, 0);
    ck_assert_int_ge(weir_process_fd(one), 0);
    ck_assert_int_eq(finish(one).code, 0);
    ck_assert_int_eq(weir_process_free(&two), 0);
}
END_TEST

START_TEST(misuse)
{
    weir_process_options options = { .size = sizeof options };
    weir_process *process = NULL;
    weir_error err = { 0 };
    weir_exit end;

    ck_assert_int_eq(weir_process_new(context, &options, &process, &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_process_new(context, NULL, &process, &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_process_new(NULL, &options, &process, &err),
                     WEIR_EINVAL);
    ck_assert_ptr_null(process);
    process = make(sleep_on, NULL, 0);
    ck_assert_int_eq(weir_process_join(process, 0), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_kill(process), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_terminate(process), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_exit(process, &end), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_alive(process), 0);
    ck_assert_int_eq(weir_process_start(process, &err), 0);
    ck_assert_int_eq(weir_process_start(process, &err), WEIR_ESTATE);
    ck_assert_msg(strstr(err.text, "already") != NULL, "%s", err.text);
    ck_assert_int_eq(weir_process_alive(process), 1);
    ck_assert_int_eq(weir_process_join(process, -1), WEIR_EINVAL);
    ck_assert_int_eq(weir_process_join(process, 0), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_process_join(process, NS_PER_MS), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_process_exit(process, &end), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_free(&process), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_kill(process), 0);
    ck_assert_int_eq(weir_process_join(process, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_join(process, 0), 0);
    ck_assert_int_eq(weir_process_kill(process), 0);
    ck_assert_int_eq(weir_process_alive(process), 0);
    ck_assert_int_eq(weir_process_start(process, NULL), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_exit(process, NULL), WEIR_EINVAL);
    ck_assert_int_eq(finish(process).code, SIGKILL);
    ck_assert_int_eq(weir_process_join(NULL, 0), WEIR_EINVAL);
    process = NULL;
    ck_assert_int_eq(weir_process_free(&process), 0);
    ck_assert_int_eq(weir_process_free(NULL), 0);
}
END_TEST

/* In a forked child of the host the handles are of no use, and harmless. */
START_TEST(foreign)
{
    weir_process *process = launch(sleep_on, NULL, 0);
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        weir_exit end;
        int wrong = 0;
        weir_process *made;
        weir_process_options options = { .size = sizeof options,
                                         .run = sleep_on };

        wrong += weir_process_join(process, 0) != WEIR_EPROCESS;
        wrong += weir_process_start(process, NULL) != WEIR_EPROCESS;
        wrong += weir_process_kill(process) != WEIR_EPROCESS;
        wrong += weir_process_alive(process) != WEIR_EPROCESS;
        wrong += weir_process_exit(process, &end) != WEIR_EPROCESS;
        wrong += weir_process_new(context, &options, &made, NULL) !=
                 WEIR_EPROCESS;
        wrong += weir_process_free(&process) != 0;
        weir_context_close(&context);
        _exit(wrong);
    }
    ck_assert(watch_gone(pid));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(weir_process_alive(process), 1);
    ck_assert_int_eq(weir_process_kill(process), 0);
    finish(process);
}
END_TEST

/* Ignores SIGTERM, and so does what it has forked. */
static int group(weir_child *self)
{
    pid_t child;
    int number;

    memcpy(&number, weir_child_argument(self, NULL), sizeof number);
    child = fork();
    if (child == 0)
        for (;;)
            pause();
    if (fd_write_all(shared[1], &child, sizeof child) != 0)
        return 1;
    if (number == SIGSTOP)
        raise(SIGSTOP);
    while (pause() < 0)
        continue;
    return 0;
}

START_TEST(whole_group)
{
    int number = _i == 2 ? SIGSTOP : 0;
    weir_process *process = launch(group, &number, sizeof number);
    pid_t child;

    watch_read(shared[0], &child, sizeof child);
    if (_i == 2)
        ck_assert(watch_until(weir_process_pid(process), 'T'));
    if (_i == 0)
        ck_assert_int_eq(weir_process_kill(process), 0);
    else
        ck_assert_int_eq(weir_process_terminate(process), 0);
    ck_assert_int_eq(finish(process).code, _i == 0 ? SIGKILL : SIGTERM);
    ck_assert(watch_until(child, 0));
}
END_TEST

static void *join_it(void *process)
{
    return (void *)(intptr_t)weir_process_join(process, BOUND_NS);
}

START_TEST(many_threads_join)
{
    enum { THREADS = 16 };
    weir_process *process = launch(sleep_on, NULL, 0), *other;
    pthread_t threads[THREADS];
    int number = 4;
    void *result;

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, join_it, process),
                         0);
    /* They wait, and hold up nothing. */
    other = launch(return_number, &number, sizeof number);
    ck_assert_int_eq(finish(other).code, 4);
    ck_assert_int_eq(weir_process_alive(process), 1);
    ck_assert_int_eq(weir_process_kill(process), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &result);
        ck_assert_int_eq((intptr_t)result, 0);
    }
    ck_assert_int_eq(finish(process).code, SIGKILL);
}
END_TEST

static void *start_some(void *arg)
{
    for (int i = 0; i < 10; i++) {
        int number = *(int *)arg + i;
        weir_process *process = launch(return_number, &number, sizeof number);

        if (finish(process).code != number)
            return arg;
    }
    return NULL;
}

START_TEST(many_threads_start)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    int numbers[THREADS];
    void *wrong;

    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i * 10;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, start_some,
                                        &numbers[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &wrong);
        ck_assert_ptr_null(wrong);
    }
}
END_TEST

START_TEST(sixty_four)
{
    enum { MANY = 64 };
    weir_process *processes[MANY];

    for (int i = 0; i < MANY; i++)
        processes[i] = launch(sleep_on, NULL, 0);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(weir_process_kill(processes[i]), 0);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(finish(processes[i]).code, SIGKILL);
}
END_TEST

/* Not joined by anybody: the helper forgets it all the same. */
START_TEST(not_joined)
{
    int number = 0;

    for (int i = 0; i < 20; i++) {
        weir_process *process = launch(return_number, &number, sizeof number);

        ck_assert(watch_readable(weir_process_fd(process)));
        ck_assert_int_eq(weir_process_free(&process), 0);
    }
}
END_TEST

/* A queue is given, and no service of this context knows queues. */
START_TEST(queues_without_service)
{
    weir_queue *queue = (weir_queue *)&context;
    weir_process_options options = { .size = sizeof options,
                                     .run = sleep_on,
                                     .queues = &queue,
                                     .queue_count = 1 };
    weir_process *process;

    ck_assert_int_eq(weir_process_new(context, &options, &process, NULL), 0);
    ck_assert_int_eq(weir_process_start(process, NULL), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_free(&process), 0);
}
END_TEST

Suite *process_suite(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = tcase_create("handle");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, statuses, 0, 5);
    tcase_add_test(tcase, signals);
    tcase_add_test(tcase, arguments);
    tcase_add_test(tcase, names_and_numbers);
    tcase_add_test(tcase, misuse);
    tcase_add_test(tcase, foreign);
    tcase_add_loop_test(tcase, whole_group, 0, 3);
    tcase_add_test(tcase, many_threads_join);
    tcase_add_test(tcase, many_threads_start);
    tcase_add_test(tcase, sixty_four);
    tcase_add_test(tcase, not_joined);
    tcase_add_test(tcase, queues_without_service);
    suite_add_tcase(suite, tcase);
    return suite;
}
