/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stat.c - core/base/stat.c: what the kernel says of a process. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
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

/* In a child, whose folder /proc is empty. */
static int look_without_proc(void)
{
    pid_t gone = fork();
    struct stat_line line;

    if (gone == 0)
        _exit(0);
    if (gone < 0 || waitpid(gone, NULL, 0) != gone)
        return 1;
    if (unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/proc", "tmpfs", 0, NULL) < 0)
        return 77;
    return stat_read(getppid(), &line) == -ENOSYS &&
                   stat_read(0, &line) == -ENOSYS &&
                   stat_read(gone, &line) == -ESRCH
               ? 0
               : 1;
}

/* Not seen is not gone: who holds a lock, say. */
START_TEST(no_proc)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(look_without_proc());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
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

/* What was asked for counts when it was touched; then for who looks, too. */
START_TEST(own_bytes)
{
    const size_t size = 32 << 20;
    uint64_t before = stat_own_bytes(0), all;
    char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_uint_gt(before, 0);
    ck_assert_ptr_ne(bytes, MAP_FAILED);
    ck_assert_uint_lt(stat_own_bytes(0), before + size / 2);
    memset(bytes, 1, size);
    all = stat_own_bytes(getpid());
    ck_assert_uint_ge(all, before + size / 2);
    ck_assert_uint_lt(all, before + 2 * size);
    munmap(bytes, size);
    ck_assert_uint_eq(stat_own_bytes(INT_MAX), 0);
}
END_TEST

Suite *stat_suite(void)
{
    Suite *suite = suite_create("stat");
    TCase *tcase = tcase_create("stat");

    tcase_add_test(tcase, lives);
    tcase_add_test(tcase, no_proc);
    tcase_add_test(tcase, dies);
    tcase_add_test(tcase, own_bytes);
    suite_add_tcase(suite, tcase);
    return suite;
}
