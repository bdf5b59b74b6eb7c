/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fork.c - core/process/fork.c: what a child inherits, and how it is tied. */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/suites.h"
#include "watch.h"

/* Stops the calling process where it is about to arm its death signal. */
static bool stop_before_arming;

/* In place of libc's: the program's own name comes first. */
int prctl(int option, ...)
{
    unsigned long arg;
    va_list args;

    va_start(args, option);
    arg = va_arg(args, unsigned long);
    va_end(args);
    if (option == PR_SET_PDEATHSIG && stop_before_arming)
        raise(SIGSTOP);
    return (int)syscall(SYS_prctl, option, arg, 0, 0, 0);
}

static int status_of(pid_t pid)
{
    int status;

    ck_assert(watch_gone(pid));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* What a child reports by its exit status: a bit for each thing amiss. */
enum amiss {
    AMISS_MASK = 1 << 0,
    AMISS_HANDLER = 1 << 1,
    AMISS_GROUP = 1 << 2,
    AMISS_STDIN = 1 << 3,
    AMISS_LOST = 1 << 4,
    AMISS_KEPT = 1 << 5,
    AMISS_ARMED = 1 << 6,
};

static int signals_amiss(void)
{
    struct sigaction action;
    sigset_t mask;
    int amiss = 0;

    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int s = 1; s < SIGRTMIN; s++) {
        if (sigismember(&mask, s) == 1)
            amiss |= AMISS_MASK;
        if (sigaction(s, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            amiss |= AMISS_HANDLER;
    }
    return amiss;
}

static void handler(int signal)
{
    (void)signal;
}

START_TEST(starts_clean)
{
    struct sigaction action = { .sa_handler = handler };
    int kept[2], other[2], amiss = 0, armed = -2;
    struct heritage heritage = { .death_signal = SIGKILL, .life = -1 };
    sigset_t mask;
    pid_t pid;
    char c;

    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    ck_assert_int_eq(pipe(kept), 0);
    ck_assert_int_eq(pipe(other), 0);
    heritage.fds = &kept[1];
    heritage.fd_count = 1;
    pid = fork_child(&heritage, &armed);
    if (pid == 0) {
        amiss |= signals_amiss();
        amiss |= getpgrp() != getpid() ? AMISS_GROUP : 0;
        amiss |= read(0, &c, 1) != 0 ? AMISS_STDIN : 0;
        amiss |= fcntl(kept[1], F_GETFD) < 0 ? AMISS_LOST : 0;
        for (int fd = 3; fd < 256; fd++)
            if (fd != kept[1] && fcntl(fd, F_GETFD) >= 0)
                amiss |= AMISS_KEPT;
        amiss |= armed != -1 ? AMISS_ARMED : 0;
        _exit(amiss);
    }
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(status_of(pid), 0);
    /* The parent's mask is as it was. */
    sigprocmask(SIG_SETMASK, NULL, &mask);
    ck_assert_int_eq(sigismember(&mask, SIGUSR1), 1);
    ck_assert_int_eq(sigismember(&mask, SIGUSR2), 0);
}
END_TEST

START_TEST(drops_only_the_listed)
{
    int kept[2], dropped[2];
    struct heritage heritage = { .life = -1, .all = true };
    pid_t pid;

    ck_assert_int_eq(pipe(kept), 0);
    ck_assert_int_eq(pipe(dropped), 0);
    heritage.fds = dropped;
    heritage.fd_count = 2;
    pid = fork_child(&heritage, NULL);
    if (pid == 0)
        _exit(fcntl(kept[0], F_GETFD) < 0 || fcntl(kept[1], F_GETFD) < 0 ||
              fcntl(dropped[0], F_GETFD) >= 0 ||
              fcntl(dropped[1], F_GETFD) >= 0);
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(status_of(pid), 0);
}
END_TEST

/* Busy with all signals blocked: only SIGKILL reaches it. */
static void deaf(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (;;)
        ;
}

START_TEST(life_pipe_kills_the_deaf)
{
    struct heritage heritage = { .life_signal = SIGKILL };
    struct life life;
    int told[2], armed;
    pid_t pid, child;

    ck_assert_int_eq(life_init(&life), 0);
    ck_assert_int_eq(pipe(told), 0);
    heritage.life = life.read_fd;
    heritage.fds = &told[1];
    heritage.fd_count = 1;
    pid = fork_child(&heritage, &armed);
    if (pid == 0) {
        child = fork(); /* a task's own: it goes with the group */
        if (child == 0)
            deaf();
        (void)!write(told[1], &child, sizeof child);
        deaf();
    }
    ck_assert_int_gt(pid, 0);
    watch_read(told[0], &child, sizeof child);
    ck_assert(!life_over(life.read_fd));
    fd_close(&life.write_fd);
    ck_assert(life_over(life.read_fd));
    ck_assert_int_eq(status_of(pid), W_EXITCODE(0, SIGKILL));
    ck_assert(watch_gone(child));
    waitpid(child, NULL, 0);
    life_done(&life);
}
END_TEST

START_TEST(life_pipe_over_before_it_was_armed)
{
    struct heritage heritage = { .life_signal = SIGKILL };
    struct life life;
    pid_t pid;

    ck_assert_int_eq(life_init(&life), 0);
    fd_close(&life.write_fd);
    heritage.life = life.read_fd;
    pid = fork_child(&heritage, NULL);
    if (pid == 0)
        _exit(77);
    ck_assert_int_ne(status_of(pid), W_EXITCODE(77, 0));
    life_done(&life);
}
END_TEST

/* A parent that forks a child and tells its number. */
static _Noreturn void parent_main(int tell)
{
    struct heritage heritage = { .death_signal = SIGKILL, .life = -1 };
    pid_t child;

    heritage.fds = &tell;
    heritage.fd_count = 1;
    child = fork_child(&heritage, NULL);
    if (child == 0)
        for (;;)
            pause();
    (void)!write(tell, &child, sizeof child);
    for (;;)
        pause();
}

START_TEST(follows_its_parent)
{
    int told[2];
    pid_t parent, child;

    stop_before_arming = _i == 1;
    ck_assert_int_eq(pipe(told), 0);
    parent = fork();
    if (parent == 0)
        parent_main(told[1]);
    watch_read(told[0], &child, sizeof child);
    ck_assert(watch_until(child, _i == 1 ? 'T' : 'S'));
    kill(parent, SIGKILL);
    ck_assert_int_eq(status_of(parent), W_EXITCODE(0, SIGKILL));
    if (_i == 1) /* the parent died before the child armed its signal */
        kill(child, SIGCONT);
    ck_assert(watch_gone(child));
    waitpid(child, NULL, 0);
}
END_TEST

START_TEST(refused)
{
    struct heritage heritage = { .death_signal = SIGKILL, .life = -1 };
    struct rlimit none = { 0, 0 };
    pid_t pid = fork();

    if (pid == 0) {
        /* The limit does not hold for root. */
        if (getuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            _exit(2);
        setrlimit(RLIMIT_NPROC, &none);
        _exit(fork_child(&heritage, NULL) == -EAGAIN ? 0 : 1);
    }
    ck_assert_int_eq(status_of(pid), 0);
}
END_TEST

START_TEST(strays)
{
    pid_t spared = fork(), stray;

    if (spared == 0)
        for (;;)
            pause();
    stray = fork();
    if (stray == 0) {
        prctl(PR_SET_NAME, ") R 1 (", 0, 0, 0); /* a name that misleads */
        for (;;)
            pause();
    }
    ck_assert_uint_eq(fork_clear_strays(&spared, 1), 1);
    ck_assert(watch_gone(stray));
    fork_clear_strays(&spared, 1);
    ck_assert_int_eq(watch_state(stray), 0);
    ck_assert_uint_eq(fork_clear_strays(&spared, 1), 0);
    ck_assert_int_ne(watch_state(spared), 0);
    ck_assert_uint_eq(fork_clear_strays(NULL, 0), 1);
    ck_assert(watch_gone(spared));
}
END_TEST

static void *wait_for_byte(void *fd)
{
    char c;

    (void)!read(*(int *)fd, &c, 1);
    return NULL;
}

START_TEST(threads)
{
    pthread_t thread;
    int gate[2];

    ck_assert_uint_eq(fork_threads(), 1);
    ck_assert_int_eq(pipe(gate), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_byte, &gate[0]), 0);
    ck_assert_uint_eq(fork_threads(), 2);
    close(gate[1]);
    pthread_join(thread, NULL);
}
END_TEST

/* Remembered, and anew in each child, which a raw clone may have made. */
START_TEST(self)
{
    pid_t pid;

    ck_assert_int_eq(fork_self(), getpid());
    ck_assert_int_eq(fork_self(), getpid());
    pid = (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL,
                         0UL);
    if (pid == 0)
        _exit(fork_self() != (pid_t)syscall(SYS_getpid));
    ck_assert_int_eq(status_of(pid), 0);
}
END_TEST

Suite *fork_suite(void)
{
    Suite *suite = suite_create("fork");
    TCase *tcase = tcase_create("child");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, children_setup, children_teardown);
    tcase_add_test(tcase, starts_clean);
    tcase_add_test(tcase, drops_only_the_listed);
    tcase_add_test(tcase, life_pipe_kills_the_deaf);
    tcase_add_test(tcase, life_pipe_over_before_it_was_armed);
    tcase_add_loop_test(tcase, follows_its_parent, 0, 2);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, strays);
    tcase_add_test(tcase, threads);
    tcase_add_test(tcase, self);
    suite_add_tcase(suite, tcase);
    return suite;
}
