/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - runs the suites of a room, and looks for processes that a test has
 * left behind. The fixture runs in the test's own process, forked by Check.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/suites.h"

/* A debugger does not follow the fork of each test. */
static bool traced(void)
{
    char line[128];
    long tracer = 0;
    FILE *status = fopen("/proc/self/status", "re");

    if (!status)
        return false;
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "TracerPid: %ld", &tracer) == 1)
            break;
    fclose(status);
    return tracer != 0;
}

int suites_main(Suite *(*const suites[])(void))
{
    SRunner *runner = srunner_create(NULL);
    int ran, failed;

    for (size_t i = 0; suites[i]; i++)
        srunner_add_suite(runner, suites[i]());
    if (traced() && !getenv("CK_FORK"))
        srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    ran = srunner_ntests_run(runner);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (ran == 0)
        fputs("no test ran; is CK_RUN_SUITE or CK_RUN_CASE misspelt?\n",
              stderr);
    /* The harness has counted each failure; the status would be one more. */
    if (getenv("WEIR_HARNESS"))
        failed = 0;
    return ran > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int suites_skip(const char *why)
{
    printf("1..0 # SKIP %s\n", why);
    return EXIT_SUCCESS;
}

void children_setup(void)
{
    /* Orphans of this process come to it and not to init. */
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

/* Reaps one child within the bound: its pid, 0 when all still run, or -1 with
 * ECHILD when there is none. SIGCHLD is left as the test has set it. */
static pid_t reap_within(int milliseconds)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    pid_t pid;

    while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) == 0 &&
           milliseconds-- > 0)
        nanosleep(&pause, NULL);
    return pid;
}

/* The name of a child that still runs, for the message. */
static void first_child(char *name, size_t size)
{
    char list[256] = "", path[64];
    FILE *file = fopen("/proc/thread-self/children", "re");

    snprintf(name, size, "a child");
    if (!file)
        return;
    if (fgets(list, sizeof list, file)) {
        snprintf(path, sizeof path, "/proc/%d/comm", atoi(list));
        fclose(file);
        file = fopen(path, "re");
        if (!file)
            return;
        if (fgets(name, (int)size, file))
            name[strcspn(name, "\n")] = '\0';
    }
    fclose(file);
}

static void kill_all(void)
{
    char list[4096] = "";
    FILE *file = fopen("/proc/thread-self/children", "re");

    if (!file)
        return;
    if (fgets(list, sizeof list, file))
        for (char *at = strtok(list, " "); at; at = strtok(NULL, " "))
            kill((pid_t)atoi(at), SIGKILL);
    fclose(file);
}

void children_teardown(void)
{
    char name[64] = "";
    pid_t pid;
    int left = 0;

    /* What has ended and was not waited for is left behind, too; what is
     * about to end by its parent's death is not. */
    while ((pid = reap_within(5000)) != -1) {
        if (pid > 0)
            continue;
        if (left++ == 0)
            first_child(name, sizeof name);
        kill_all();
    }
    ck_assert_int_eq(errno, ECHILD);
    ck_assert_msg(left == 0, "the test left a process behind: %s", name);
}
