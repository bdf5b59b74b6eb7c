/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.c - core/process/orders.c, child.c, terminal.c: what the options of a
 * process give its child, and what is refused. */
#include "config.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "family.h"

/* Cannot be started, says why, and can be tried again. */
static void refused(const weir_process_options *options, int code,
                    const char *why)
{
    weir_process *process = family_make(options);
    weir_error err = { 0 };

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(weir_process_start(process, &err), code);
        ck_assert_msg(strstr(err.text, why) != NULL, "%s", err.text);
        ck_assert_int_eq(weir_process_state(process), WEIR_PROCESS_INITIAL);
        ck_assert_int_eq(weir_process_pid(process), 0);
        ck_assert_int_eq(weir_process_alive(process), 0);
    }
    ck_assert_int_eq(weir_process_free(&process), 0);
}

static void wrong(const weir_process_options *options, int code,
                  const char *why)
{
    weir_process *process = NULL;
    weir_error err = { 0 };

    ck_assert_int_eq(weir_process_new(family, options, &process, &err), code);
    ck_assert_msg(strstr(err.text, why) != NULL, "%s", err.text);
    ck_assert_ptr_null(process);
}

/* ------------------------------------------------- folder, environment ---- */

static int tell_folder(weir_child *self)
{
    char folder[256] = "";

    (void)self;
    (void)!getcwd(folder, sizeof folder);
    return family_tell(folder, sizeof folder);
}

START_TEST(cwd)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = tell_folder,
                                     .cwd = "/proc/self" };
    char folder[256], want[64];
    weir_process *process = family_start(&options);

    family_hear(folder, sizeof folder);
    snprintf(want, sizeof want, "/proc/%d", weir_process_pid(process));
    ck_assert_str_eq(folder, want);
    family_finish(process);
    options.cwd = "/no such folder";
    refused(&options, -ENOENT, "folder '/no such folder': No such file");
    options.cwd = "";
    wrong(&options, WEIR_EINVAL, "folder");
}
END_TEST

extern char **environ;

static int tell_environment(weir_child *self)
{
    char text[256] = "";

    (void)self;
    for (char **at = environ; *at != NULL; at++)
        if (strncmp(*at, "MINE", 4) == 0 || getenv("MINE") == NULL)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s;",
                     *at);
    setenv("MINE2", "later", 1); /* it is as any other */
    if (strcmp(getenv("MINE2"), "later") != 0)
        return 1;
    return family_tell(text, sizeof text);
}

START_TEST(environment)
{
    static const char *const two[] = { "MINE=a b", "MINE3=", NULL };
    static const char *const none[] = { NULL };
    weir_process_options options = { .size = sizeof options,
                                     .run = tell_environment,
                                     .environment = two };
    char text[256];

    setenv("MINE", "later than the context", 1);
    ck_assert_int_eq(family_finish(family_start(&options)).code, 0);
    family_hear(text, sizeof text);
    ck_assert_str_eq(text, "MINE=a b;MINE3=;");
    options.environment = none;
    ck_assert_int_eq(family_finish(family_start(&options)).code, 0);
    family_hear(text, sizeof text);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(environment_too_big)
{
    static char big[600 << 10];
    const char *list[2] = { big, NULL };
    weir_process_options options = { .size = sizeof options,
                                     .run = tell_environment,
                                     .environment = list };

    memset(big, 'x', sizeof big - 1);
    wrong(&options, WEIR_ETOOBIG, "environment");
    big[500 << 10] = '\0';
    ck_assert_int_eq(family_finish(family_start(&options)).code, 0);
}
END_TEST

/* ------------------------------------------------------- nice, limits ---- */

static int tell_limits(weir_child *self)
{
    struct rlimit told[2] = { { .rlim_cur = (rlim_t)getpriority(PRIO_PROCESS,
                                                                0) } };

    (void)self;
    getrlimit(RLIMIT_NOFILE, &told[1]);
    return family_tell(told, sizeof told);
}

START_TEST(niceness_and_limits)
{
    static const weir_limit limits[] = { { RLIMIT_NOFILE, 40 },
                                         { RLIMIT_CORE, 0 },
                                         { RLIMIT_STACK, WEIR_UNLIMITED } };
    weir_process_options options = { .size = sizeof options,
                                     .run = tell_limits,
                                     .nice = 3,
                                     .limits = limits,
                                     .limit_count = 3 };
    weir_limit bad = { RLIMIT_NOFILE, 0 };
    struct rlimit told[2], own;

    getrlimit(RLIMIT_NOFILE, &own);
    ck_assert_int_eq(family_finish(family_start(&options)).code, 0);
    family_hear(told, sizeof told);
    ck_assert_int_eq((int)told[0].rlim_cur, getpriority(PRIO_PROCESS, 0) + 3);
    ck_assert_uint_eq(told[1].rlim_cur, 40);
    ck_assert_uint_eq(told[1].rlim_max, own.rlim_max);
    options.limits = &bad;
    options.limit_count = 1;
    if (own.rlim_max != RLIM_INFINITY) {
        bad.soft = own.rlim_max + 1;
        refused(&options, WEIR_EINVAL, "limit of resource");
    }
    bad = (weir_limit){ 999, 1 };
    refused(&options, WEIR_EINVAL, "limit of resource 999 to 1");
    options.limit_count = 17;
    wrong(&options, WEIR_EINVAL, "limits");
}
END_TEST

/* -------------------------------------------------------- descriptors ---- */

/* What is readable under each number that the argument lists. */
static int read_numbers(weir_child *self)
{
    size_t size;
    const int *numbers = weir_child_argument(self, &size);

    for (size_t i = 0; i < size / sizeof *numbers; i++) {
        char text[16] = "";

        if (read(numbers[i], text, sizeof text) < 0 ||
            family_tell(text, sizeof text) != 0)
            return (int)i + 1;
    }
    return 0;
}

/* All numbers from 3 on: whatever the room has there gives way. */
START_TEST(give_any_number)
{
    enum { MANY = 40 };
    weir_process_give gives[MANY];
    int numbers[MANY], count = 0;
    weir_process_options options = { .size = sizeof options,
                                     .run = read_numbers,
                                     .argument = numbers,
                                     .give = gives };
    char text[16];
    weir_exit end;

    /* But for those numbers by which it speaks. */
    for (int number = 0; count < MANY; number++) {
        int ends[2];

        if (number == 1 || number == 2 || number == family_pipe[0] ||
            number == family_pipe[1])
            continue;
        ck_assert_int_eq(pipe(ends), 0);
        snprintf(text, sizeof text, "%d", number);
        ck_assert_int_eq(write(ends[1], text, sizeof text), sizeof text);
        close(ends[1]);
        numbers[count] = number;
        gives[count++] = (weir_process_give){ ends[0], number };
    }
    options.argument_size = sizeof numbers;
    options.give_count = MANY;
    end = family_finish(family_start(&options));
    ck_assert_msg(end.code == 0, "%s", end.words);
    for (int i = 0; i < MANY; i++) {
        family_hear(text, sizeof text);
        ck_assert_int_eq(atoi(text), numbers[i]);
        close(gives[i].fd); /* the child's were copies */
    }
}
END_TEST

/* Tied to its owner, although what ties it had to move. */
START_TEST(give_and_still_tied)
{
    weir_process_give gives[30];
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep,
                                     .give = gives,
                                     .give_count = 30 };
    weir_process *process;
    pid_t pid;

    for (int i = 0; i < 30; i++)
        gives[i] = (weir_process_give){ family_pipe[0], 3 + i };
    process = family_start(&options);
    pid = weir_process_pid(process);
    ck_assert_int_eq(weir_process_alive(process), 1);
    kill(context_helper_pid(family), SIGKILL);
    ck_assert(watch_gone(pid));
    weir_process_free(&process);
}
END_TEST

/* What it returns is still heard when its descriptors are others'. */
START_TEST(give_and_still_heard)
{
    weir_process_give gives[30];
    int number = 300;
    weir_process_options options = { .size = sizeof options,
                                     .run = family_return,
                                     .argument = &number,
                                     .argument_size = sizeof number,
                                     .give = gives,
                                     .give_count = 30 };

    for (int i = 0; i < 30; i++)
        gives[i] = (weir_process_give){ family_pipe[0], 3 + i };
    ck_assert_int_eq(family_finish(family_start(&options)).kind,
                     WEIR_EXIT_REFUSED);
}
END_TEST

static int say(weir_child *self)
{
    (void)self;
    if (write(1, "out", 3) != 3 || write(2, "err", 3) != 3)
        return 1;
    return execl("/bin/sh", "sh", "-c", "echo in 7 >&7", NULL);
}

START_TEST(give_standard_and_exec)
{
    int ends[2];
    char text[11] = "";
    weir_process *process;

    ck_assert_int_eq(pipe(ends), 0);
    {
        weir_process_give gives[] = { { ends[1], 1 },
                                      { ends[1], 2 },
                                      { ends[1], 7 } };
        weir_process_options options = {
            .size = sizeof options, .run = say, .give = gives, .give_count = 3
        };

        process = family_start(&options);
    }
    watch_read(ends[0], text, 10);
    ck_assert_int_eq(memcmp(text, "outerrin 7", 10), 0);
    ck_assert_int_eq(family_finish(process).code, 0);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(give_refused)
{
    weir_process_give gives[64] = { { 999, 5 } };
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep,
                                     .give = gives,
                                     .give_count = 1 };

    refused(&options, -EBADF, "Bad file descriptor");
    gives[0] = (weir_process_give){ -1, 5 };
    wrong(&options, WEIR_EINVAL, "-1");
    gives[0] = (weir_process_give){ 1, 1024 };
    wrong(&options, WEIR_EINVAL, "1024");
    gives[0] = (weir_process_give){ 1, -1 };
    wrong(&options, WEIR_EINVAL, "number is 0 to");
    gives[0] = gives[1] = (weir_process_give){ 1, 5 };
    options.give_count = 2;
    wrong(&options, WEIR_EINVAL, "two");
    options.give_count = 64;
    wrong(&options, WEIR_EINVAL, "at most 63");
    options.give_count = 1;
    options.give = NULL;
    wrong(&options, WEIR_EINVAL, "count");
}
END_TEST

/* ----------------------------------------------------- standard input ---- */

static int read_line(weir_child *self)
{
    char line[64] = "";

    (void)self;
    if (fgets(line, sizeof line, stdin) == NULL)
        strcpy(line, "nothing");
    return family_tell(line, sizeof line);
}

START_TEST(no_stdin)
{
    char line[64];

    family_finish(family_run(read_line));
    family_hear(line, sizeof line);
    ck_assert_str_eq(line, "nothing");
}
END_TEST

/* A program on a terminal of its own: two children read from it, one after
 * another, and then the program itself. A second one at the same time is
 * refused. */
static int terminal_program(void)
{
    static const weir_process_give input = { 0, 0 };
    weir_context_options keep = { .size = sizeof keep,
                                  .keep = family_pipe,
                                  .keep_count = 2 };
    weir_process_options options = { .size = sizeof options,
                                     .run = read_line,
                                     .give = &input,
                                     .give_count = 1 };
    weir_process *one, *two;
    char line[64] = "";

    if (weir_context_open(&keep, &family, NULL) != 0)
        return 1;
    for (int i = 0; i < 2; i++) {
        if (weir_process_new(family, &options, &one, NULL) != 0 ||
            weir_process_start(one, NULL) != 0)
            return 2;
        if (weir_process_new(family, &options, &two, NULL) != 0 ||
            weir_process_start(two, NULL) != -EBUSY)
            return 3;
        if (write(1, "?", 1) != 1 || weir_process_join(one, BOUND_NS) != 0)
            return 4;
        weir_process_free(&one);
        weir_process_free(&two);
    }
    if (write(1, "!", 1) != 1 || read(0, line, sizeof line) <= 0)
        return 5;
    family_tell(line, sizeof line);
    weir_context_close(&family);
    return 0;
}

/* Until the terminal shows this. */
static void expect(int terminal, char what, pid_t program)
{
    char shown;

    do {
        ck_assert_msg(watch_readable(terminal), "nothing is shown");
        if (read(terminal, &shown, 1) != 1)
            ck_abort_msg("the program has ended, %x",
                         family_program_end(program));
    } while (shown != what);
}

START_TEST(terminal)
{
    char line[64];
    int master, status;
    pid_t pid = forkpty(&master, NULL, NULL, NULL);

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(terminal_program());
    expect(master, '?', pid);
    ck_assert_int_eq(write(master, "one\n", 4), 4);
    family_hear(line, sizeof line);
    ck_assert_str_eq(line, "one\n");
    expect(master, '?', pid);
    /* Ctrl-Z does nothing to who reads. */
    ck_assert_int_eq(write(master, "\x1atwo\n", 5), 5);
    family_hear(line, sizeof line);
    ck_assert_str_eq(line, "two\n");
    expect(master, '!', pid);
    ck_assert_int_eq(write(master, "three\n", 6), 6);
    family_hear(line, sizeof line);
    ck_assert_str_eq(line, "three\n");
    status = family_program_end(pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "the program ended with %x", status);
    close(master);
}
END_TEST

/* Ctrl-C ends the child; the program has the terminal again. */
static int interrupted_program(void)
{
    static const weir_process_give input = { 0, 0 };
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep,
                                     .give = &input,
                                     .give_count = 1 };
    weir_process *process;
    weir_exit end;

    if (weir_context_open(NULL, &family, NULL) != 0 ||
        weir_process_new(family, &options, &process, NULL) != 0 ||
        weir_process_start(process, NULL) != 0 || write(1, "?", 1) != 1 ||
        weir_process_join(process, BOUND_NS) != 0 ||
        weir_process_exit(process, &end) != 0)
        return 1;
    if (end.kind != WEIR_EXIT_SIGNAL || end.code != SIGINT)
        return 2;
    return tcgetpgrp(0) == getpgrp() ? 0 : 3;
}

START_TEST(terminal_interrupt)
{
    int master, status;
    pid_t pid = forkpty(&master, NULL, NULL, NULL);

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(interrupted_program());
    expect(master, '?', pid);
    ck_assert_int_eq(write(master, "\x03", 1), 1);
    status = family_program_end(pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "the program ended with %x", status);
    close(master);
}
END_TEST

/* Memory that came after the context, also when it can be run. */
START_TEST(function_came_later)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    weir_process_options options = { .size = sizeof options };

    ck_assert_ptr_ne(page, MAP_FAILED);
    memcpy(&options.run, &page, sizeof page);
    refused(&options, WEIR_EINVAL, "not in memory when its context opened");
    munmap(page, 4096);
}
END_TEST

START_TEST(ranges)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep,
                                     .on_owner_exit = (weir_owner_exit)3 };
    weir_queue *queue = (weir_queue *)&options;

    wrong(&options, WEIR_EINVAL, "on_owner_exit");
    options.on_owner_exit = WEIR_OWNER_EXIT_TERMINATE;
    options.grace_ns = -1;
    wrong(&options, WEIR_EINVAL, "grace_ns");
    options.grace_ns = 0;
    options.on_owner_exit = WEIR_OWNER_EXIT_DETACH;
    options.queues = &queue;
    options.queue_count = 1;
    wrong(&options, WEIR_EINVAL, "detached");
}
END_TEST

Suite *options_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *tcase = tcase_create("options");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, family_setup, family_teardown);
    tcase_add_test(tcase, cwd);
    tcase_add_test(tcase, environment);
    tcase_add_test(tcase, environment_too_big);
    tcase_add_test(tcase, niceness_and_limits);
    tcase_add_test(tcase, give_any_number);
    tcase_add_test(tcase, give_and_still_tied);
    tcase_add_test(tcase, give_and_still_heard);
    tcase_add_test(tcase, give_standard_and_exec);
    tcase_add_test(tcase, give_refused);
    tcase_add_test(tcase, no_stdin);
    tcase_add_test(tcase, terminal);
    tcase_add_test(tcase, terminal_interrupt);
    tcase_add_test(tcase, function_came_later);
    tcase_add_test(tcase, ranges);
    suite_add_tcase(suite, tcase);
    return suite;
}
