/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host.c - a program that does with signals, children and threads what it
 * likes: the library takes nothing from it, and needs nothing of it. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "family.h"

static atomic_int reaped; /* by the program's own wait */

/* Children are started, joined, killed, waited for, as ever. */
static void use_all(void)
{
    int number = 9;
    weir_process_options options = { .size = sizeof options,
                                     .run = family_return,
                                     .argument = &number,
                                     .argument_size = sizeof number };
    weir_process *process, *two[2];
    size_t index;

    ck_assert_int_eq(family_finish(family_start(&options)).code, 9);
    process = family_run(family_sleep);
    ck_assert_int_eq(weir_process_stop(process, BOUND_NS, BOUND_NS), 0);
    ck_assert_int_eq(family_finish(process).code, SIGTERM);
    two[0] = family_run(family_sleep);
    two[1] = family_start(&options);
    ck_assert_int_eq(weir_process_wait_any(two, 2, BOUND_NS, &index), 0);
    ck_assert_uint_eq(index, 1);
    ck_assert_int_eq(weir_process_kill(two[0]), 0);
    ck_assert_int_eq(family_finish(two[0]).code, SIGKILL);
    ck_assert_int_eq(family_finish(two[1]).code, 9);
}

static void open_use_close(void)
{
    weir_error err = { 0 };

    ck_assert_msg(weir_context_open(NULL, &family, &err) == 0, "%s", err.text);
    use_all();
    weir_context_close(&family);
}

static void reap_all(int number)
{
    int saved = errno;

    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        atomic_fetch_add(&reaped, 1);
    errno = saved;
}

/* What the library must leave as it is. */
static void same_action(int number, const struct sigaction *before)
{
    struct sigaction now;

    sigaction(number, NULL, &now);
    ck_assert(now.sa_handler == before->sa_handler);
    ck_assert_int_eq(now.sa_flags, before->sa_flags);
}

START_TEST(sigchld)
{
    struct sigaction action[] = {
        { .sa_handler = SIG_DFL },
        { .sa_handler = SIG_IGN },
        { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT },
        { .sa_handler = reap_all, .sa_flags = SA_RESTART },
        { .sa_handler = reap_all }, /* system calls are interrupted */
    };
    struct sigaction before;

    sigaction(SIGCHLD, &action[_i], NULL);
    sigaction(SIGCHLD, NULL, &before);
    open_use_close();
    same_action(SIGCHLD, &before);
}
END_TEST

static void *reap_for_ever(void *stop)
{
    while (!atomic_load((atomic_bool *)stop))
        if (waitpid(-1, NULL, 0) > 0)
            atomic_fetch_add(&reaped, 1);
    return NULL;
}

/* A thread that waits for any child, all the time; it sees the program's own
 * alone. */
START_TEST(thread_reaps)
{
    atomic_bool stop = false;
    pthread_t thread;
    int before;
    pid_t own;

    ck_assert_int_eq(weir_context_open(NULL, &family, NULL), 0);
    before = atomic_load(&reaped);
    own = fork();
    if (own == 0)
        for (;;)
            pause();
    ck_assert_int_eq(pthread_create(&thread, NULL, reap_for_ever, &stop), 0);
    use_all();
    ck_assert_int_eq(atomic_load(&reaped), before);
    atomic_store(&stop, true);
    kill(own, SIGKILL);
    pthread_join(thread, NULL);
    ck_assert_int_eq(atomic_load(&reaped), before + 1);
    weir_context_close(&family);
}
END_TEST

static void count_pipes(int number)
{
    (void)number;
    atomic_fetch_add(&reaped, 1);
}

/* A helper that is gone is a code, never SIGPIPE. */
START_TEST(sigpipe)
{
    struct sigaction action[] = {
        { .sa_handler = SIG_DFL },
        { .sa_handler = SIG_IGN },
        { .sa_handler = count_pipes },
    };
    struct sigaction before;
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep };
    weir_process *process;

    sigaction(SIGPIPE, &action[_i], NULL);
    sigaction(SIGPIPE, NULL, &before);
    open_use_close();
    ck_assert_int_eq(weir_context_open(NULL, &family, NULL), 0);
    process = family_make(&options);
    kill(context_helper_pid(family), SIGKILL);
    ck_assert(watch_readable(context_helper_fd(family)));
    ck_assert_int_eq(weir_process_start(process, NULL), WEIR_EBROKEN);
    ck_assert_int_eq(weir_process_start(process, NULL), WEIR_EBROKEN);
    weir_process_free(&process);
    weir_context_close(&family);
    same_action(SIGPIPE, &before);
    ck_assert_int_eq(atomic_load(&reaped), 0);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}
END_TEST

static int tell_signals(weir_child *self)
{
    struct sigaction action;
    sigset_t mask;

    (void)self;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int s = 1; s < NSIG; s++) {
        if (sigismember(&mask, s) == 1)
            return s;
        if (sigaction(s, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            return s;
    }
    return 0;
}

/* All blocked and ignored in the program: its children begin anew. */
START_TEST(all_blocked)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = tell_signals };
    sigset_t all, now;

    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    ck_assert_int_eq(weir_context_open(NULL, &family, NULL), 0);
    ck_assert_int_eq(family_finish(family_start(&options)).code, 0);
    use_all();
    weir_context_close(&family);
    sigprocmask(SIG_SETMASK, NULL, &now);
    ck_assert_int_eq(sigismember(&now, SIGUSR1), 1);
}
END_TEST

/* Descriptors 0 to 2 are closed. */
START_TEST(no_standard_descriptors)
{
    int saved[3];

    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        close(i);
    }
    open_use_close();
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
}
END_TEST

Suite *host_suite(void)
{
    Suite *suite = suite_create("host");
    TCase *tcase = tcase_create("host");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, children_setup, children_teardown);
    tcase_add_loop_test(tcase, sigchld, 0, 5);
    tcase_add_test(tcase, thread_reaps);
    tcase_add_loop_test(tcase, sigpipe, 0, 3);
    tcase_add_test(tcase, all_blocked);
    tcase_add_test(tcase, no_standard_descriptors);
    suite_add_tcase(suite, tcase);
    return suite;
}
