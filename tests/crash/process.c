/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.c - d8 of Python's open questions, item 2: the parent dies before
 * its child is tied to it. A helper, nursery or child is stopped at each step
 * of its birth; then those above it are killed, in all combinations, and it is
 * let go on: nobody may be left. And the helper or the nursery dies at each
 * step of its work for a child: the program is told within a bound.
 */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <check.h>

#include "lib/points.h"
#include "lib/suites.h"
#include "process/process.h"

#define BOUND_NS (20 * NS_PER_S)

/* The births of one context: the first fork is between program and helper. */
static const struct {
    const char *fault;
    int depth; /* 1: helper, 2: nursery, 3: child */
} steps[] = {
    { "fork.child:2:stop", 1 },         { "fork.ready:2:stop", 1 },
    { "fork.child:3:stop", 2 },         { "fork.armed:1:stop", 2 },
    { "fork.ready:3:stop", 2 },         { "fork.child:4:stop", 3 },
    { "fork.armed:2:stop", 3 },         { "fork.ready:4:stop", 3 },
    { "nursery.fork.child:1:stop", 3 },
};

enum { STEPS = sizeof steps / sizeof *steps };

static int sleep_on(weir_child *self)
{
    (void)self;
    while (pause() < 0)
        continue;
    return 0;
}

static int end_well(weir_child *self)
{
    (void)self;
    return 0;
}

/* A program that opens a context and starts a child, as far as it comes. */
static pid_t start_program(const char *fault)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        weir_process_options options = { .size = sizeof options,
                                         .run = sleep_on };
        weir_context *context;
        weir_process *process;

        setpgid(0, 0);
        fault_start(fault, -1);
        if (weir_context_open(NULL, &context, NULL) != 0 ||
            weir_process_new(context, &options, &process, NULL) != 0 ||
            weir_process_start(process, NULL) != 0)
            _exit(1);
        for (;;)
            pause();
    }
    return pid;
}

/* Whether it comes from this test: all strays come down to it. */
static bool is_ours(pid_t pid)
{
    struct stat_line line;

    while (pid > 1 && stat_read(pid, &line) == 0) {
        if (line.parent == getpid())
            return true;
        pid = line.parent;
    }
    return false;
}

/* The one of ours that is stopped; 0: none yet. */
static pid_t find_stopped(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;

    ck_assert_ptr_nonnull(proc);
    while (found == 0 && (entry = readdir(proc)) != NULL) {
        struct stat_line line;
        pid_t pid = (pid_t)atoi(entry->d_name);

        if (isdigit((unsigned char)entry->d_name[0]) &&
            stat_read(pid, &line) == 0 && line.state == 'T' && is_ours(pid))
            found = pid;
    }
    closedir(proc);
    return found;
}

static void pause_a_little(void)
{
    struct timespec little = { .tv_nsec = 2 * NS_PER_MS };

    nanosleep(&little, NULL);
}

static pid_t wait_stopped(void)
{
    int64_t deadline = clock_deadline(BOUND_NS);
    pid_t pid;

    while ((pid = find_stopped()) == 0 && clock_left(deadline) > 0)
        pause_a_little();
    ck_assert_msg(pid != 0, "nobody has stopped");
    return pid;
}

static pid_t parent_of(pid_t pid)
{
    struct stat_line line;

    return stat_read(pid, &line) == 0 ? line.parent : 0;
}

static void wait_none(void)
{
    int64_t deadline = clock_deadline(BOUND_NS);

    for (;;) {
        pid_t got = waitpid(-1, NULL, WNOHANG);

        if (got < 0)
            return;
        if (got == 0)
            pause_a_little();
        ck_assert_msg(clock_left(deadline) > 0, "somebody is left");
    }
}

/* Dead, perhaps not yet reaped: it is nobody's parent any more. */
static void wait_dead(pid_t pid)
{
    int64_t deadline = clock_deadline(BOUND_NS);
    struct stat_line line;

    while (stat_read(pid, &line) == 0 && !stat_is_dead(&line)) {
        ck_assert_msg(clock_left(deadline) > 0, "it does not die");
        pause_a_little();
    }
}

/* Bits of @_i: kill the program, the helper, the nursery. */
START_TEST(d8_2_parent_dies_before_the_child_is_tied)
{
    int step = _i / 7, victims = _i % 7 + 1;
    pid_t above[3] = { 0 }, program, stopped;

    if (steps[step].depth < 3 && victims >= 1 << steps[step].depth)
        return; /* not above it */
    program = start_program(steps[step].fault);
    stopped = wait_stopped();
    /* The helper's own parent is gone: it came down to us. */
    above[0] = program;
    if (steps[step].depth == 2)
        above[1] = parent_of(stopped);
    if (steps[step].depth == 3) {
        above[2] = parent_of(stopped);
        above[1] = parent_of(above[2]);
    }
    for (int i = 0; i < 3; i++)
        if (above[i] > 0 && victims & 1 << i)
            kill(above[i], SIGKILL); /* it may have died of the one before */
    for (int i = 0; i < 3; i++)
        if (above[i] > 0 && victims & 1 << i)
            wait_dead(above[i]);
    kill(stopped, SIGCONT);
    if (!(victims & 1)) /* it lives on, and has lost its context */
        kill(program, SIGKILL);
    wait_none();
}
END_TEST

/* A program whose child ends by itself, or is never there: all its calls come
 * back, with the truth. */
static int see_a_child_end(void)
{
    weir_process_options options = { .size = sizeof options, .run = end_well };
    weir_context *context;
    weir_process *process;
    weir_exit end;
    int code;

    if (weir_context_open(NULL, &context, NULL) != 0 ||
        weir_process_new(context, &options, &process, NULL) != 0)
        return 1;
    code = weir_process_start(process, NULL);
    if (code == 0)
        code = weir_process_join(process, BOUND_NS);
    if (code == WEIR_ETIMEDOUT)
        return 2;
    /* Its end was seen, or nobody can tell any more. */
    if (code == 0 && (weir_process_exit(process, &end) != 0 ||
                      (end.kind == WEIR_EXIT_STATUS && end.code != 0)))
        return 3;
    weir_process_free(&process);
    weir_context_close(&context);
    return 0;
}

START_TEST(killed_at_work)
{
    static const char *const steps_of_work[] = { "nursery.forked",
                                                 "nursery.reap",
                                                 "helper.died" };
    const char *step = steps_of_work[_i];
    struct points points = { 0 };
    char fault[64];
    int status;
    pid_t pid;

    snprintf(fault, sizeof fault, "%s:1:kill", step);
    points_trace();
    pid = fork();
    if (pid == 0) {
        fault_start(fault, -1);
        _exit(see_a_child_end());
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "%s: status 0x%x", step, status);
    wait_none();
    points_read(&points);
    ck_assert_msg(points_has(&points, step), "nobody passes %s", step);
}
END_TEST

static Suite *process_suite(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = tcase_create("birth");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, children_setup, children_teardown);
    tcase_add_loop_test(tcase, d8_2_parent_dies_before_the_child_is_tied, 0,
                        STEPS * 7);
    tcase_add_loop_test(tcase, killed_at_work, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    static Suite *(*const suites[])(void) = { process_suite, NULL };

    return suites_main(suites);
}
