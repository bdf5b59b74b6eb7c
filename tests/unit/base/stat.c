/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stat.c - core/base/stat.c: what the kernel says of a process. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"

/* A child with a name that is hard to read, stopped. */
static pid_t stopped_child(void)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_NAME, "a) Z 1 (b");
        setpgid(0, 0);
        raise(SIGSTOP);
        _exit(7);
    }
    ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
    return pid;
}

START_TEST(lives)
{
    pid_t pid = stopped_child();
    struct stat_line line, again;

    ck_assert_int_eq(stat_read(pid, &line), 0);
    ck_assert_int_eq(line.state, 'T');
    ck_assert(stat_is_stopped(&line));
    ck_assert(!stat_is_dead(&line));
    ck_assert_int_eq(line.parent, getpid());
    ck_assert_int_eq(line.group, pid);
    ck_assert_int_eq(line.session, getsid(0));
    ck_assert_uint_gt(line.start_ticks, 0);
    ck_assert_int_eq(stat_read(pid, &again), 0);
    ck_assert_uint_eq(again.start_ticks, line.start_ticks);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(dies)
{
    pid_t pid = stopped_child();
    struct stat_line line;
    siginfo_t info;

    kill(pid, SIGCONT);
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(stat_read(pid, &line), 0);
    ck_assert_int_eq(line.state, 'Z');
    ck_assert(stat_is_dead(&line));
    ck_assert(WIFEXITED(line.status));
    ck_assert_int_eq(WEXITSTATUS(line.status), 7);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(stat_read(pid, &line), -ESRCH);
    ck_assert_int_eq(line.state, 'Z');
}
END_TEST

Suite *stat_suite(void)
{
    Suite *suite = suite_create("stat");
    TCase *tcase = tcase_create("stat");

    tcase_add_test(tcase, lives);
    tcase_add_test(tcase, dies);
    suite_add_tcase(suite, tcase);
    return suite;
}
