/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nursery_death.c - owner, nursery and workers killed, alone and together:
 * nobody may be left. The owner is a child of the test, which is a subreaper:
 * whoever is left comes down to it, and its fixture says so.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/suites.h"
#include "watch.h"

enum { WORKERS = 4 };

/* Who is there, as told to the test. */
struct cast {
    pid_t owner, nursery;
    pid_t workers[WORKERS];
    pid_t forked; /* by the first worker: in its group */
    pid_t fled;   /* by the first worker: in a session of its own */
};

/* What the order's descriptor is told, by the first worker. */
struct offspring {
    pid_t forked, fled;
};

static _Noreturn void stay(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (;;)
        pause();
}

static int worker(void *arg, const struct nursery_order *order)
{
    struct offspring offspring;

    (void)arg;
    if (order->id == 0) {
        offspring.forked = fork();
        if (offspring.forked == 0)
            stay();
        offspring.fled = fork();
        if (offspring.fled == 0) {
            setsid();
            fd_write_all(order->fds[0], "s", 1);
            stay();
        }
        fd_write_all(order->fds[1], &offspring, sizeof offspring);
    }
    stay();
}

static _Noreturn void owner_main(int tell)
{
    const struct nursery_spec spec = { .worker = worker };
    struct nursery_order order = { .fd_count = 2 };
    struct cast cast = { .owner = getpid() };
    struct offspring offspring;
    struct nursery *nursery;
    int fled[2], told[2];
    char c;

    if (pipe2(told, O_CLOEXEC) != 0 || pipe2(fled, O_CLOEXEC) != 0 ||
        nursery_start(&spec, &nursery, NULL, NULL, NULL, NULL) != 0)
        _exit(1);
    cast.nursery = nursery_pid(nursery);
    order.fds[0] = fled[1];
    order.fds[1] = told[1];
    for (order.id = 0; order.id < WORKERS; order.id++) {
        struct nursery_event event = { 0 };

        if (nursery_fork(nursery, &order) != 0)
            _exit(1);
        event = watch_event(nursery);
        cast.workers[order.id] = event.pid;
    }
    watch_read(told[0], &offspring, sizeof offspring);
    watch_read(fled[0], &c, 1);
    cast.forked = offspring.forked;
    cast.fled = offspring.fled;
    fd_write_all(tell, &cast, sizeof cast);
    for (;;)
        pause();
}

static struct cast start(void)
{
    struct cast cast;
    int told[2];
    pid_t pid;

    ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0)
        owner_main(told[1]);
    close(told[1]);
    watch_read(told[0], &cast, sizeof cast);
    close(told[0]);
    ck_assert_int_eq(cast.owner, pid);
    return cast;
}

static void all_workers_gone(const struct cast *cast)
{
    for (int i = 0; i < WORKERS; i++)
        ck_assert_msg(watch_gone(cast->workers[i]), "worker %d is left", i);
    ck_assert_msg(watch_gone(cast->forked), "a worker's child is left");
}

static void reap_all(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}

static void nobody_left(const struct cast *cast)
{
    ck_assert(watch_gone(cast->owner));
    ck_assert_msg(watch_gone(cast->nursery), "the nursery is left");
    all_workers_gone(cast);
    ck_assert_msg(watch_gone(cast->fled), "the one that fled is left");
    reap_all();
}

START_TEST(owner_killed)
{
    struct cast cast = start();

    kill(cast.owner, SIGKILL);
    nobody_left(&cast);
}
END_TEST

START_TEST(owner_killed_nursery_stopped)
{
    struct cast cast = start();

    kill(cast.nursery, SIGSTOP);
    ck_assert(watch_until(cast.nursery, 'T'));
    for (int i = 0; i < WORKERS; i++)
        kill(cast.workers[i], SIGSTOP);
    kill(cast.owner, SIGKILL);
    nobody_left(&cast);
}
END_TEST

/* The one that fled the group is nobody's then, and this is the limit: the
 * kernel knows of no tie between them. */
START_TEST(both_killed)
{
    struct cast cast = start();

    kill(cast.nursery, SIGKILL);
    kill(cast.owner, SIGKILL);
    ck_assert(watch_gone(cast.owner));
    ck_assert(watch_gone(cast.nursery));
    all_workers_gone(&cast);
    kill(cast.fled, SIGKILL);
    ck_assert(watch_gone(cast.fled));
    reap_all();
}
END_TEST

/* ---------------------------------------- the owner is the test itself ---- */

struct crew {
    struct nursery *nursery;
    struct nursery_event workers[WORKERS];
    struct offspring offspring;
};

static void crew_start(struct crew *crew)
{
    const struct nursery_spec spec = { .worker = worker };
    struct nursery_order order = { .fd_count = 2 };
    int fled[2], told[2];
    char c;

    ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(fled, O_CLOEXEC), 0);
    order.fds[0] = fled[1];
    order.fds[1] = told[1];
    ck_assert_int_eq(nursery_start(&spec, &crew->nursery, NULL, NULL, NULL,
                                   NULL),
                     0);
    for (order.id = 0; order.id < WORKERS; order.id++) {
        ck_assert_int_eq(nursery_fork(crew->nursery, &order), 0);
        crew->workers[order.id] = watch_kind(crew->nursery, NURSERY_FORKED);
    }
    watch_read(told[0], &crew->offspring, sizeof crew->offspring);
    watch_read(fled[0], &c, 1);
    close(fled[0]);
    close(fled[1]);
    close(told[0]);
    close(told[1]);
}

static void crew_done(struct crew *crew)
{
    nursery_stop(&crew->nursery);
    for (int i = 0; i < WORKERS; i++)
        fd_close(&crew->workers[i].pidfd);
}

START_TEST(worker_killed)
{
    struct crew crew;
    struct nursery_event end;

    crew_start(&crew);
    kill(crew.workers[0].pid, SIGKILL);
    ck_assert(watch_readable(crew.workers[0].pidfd));
    ck_assert_int_eq(nursery_reap(crew.nursery, crew.workers[0].pid), 0);
    end = watch_kind(crew.nursery, NURSERY_REAPED);
    ck_assert(end.exit.signaled && end.exit.code == SIGKILL);
    /* Its group with it, and the nursery buries them too. */
    ck_assert(watch_until(crew.offspring.forked, 0));
    ck_assert_int_eq(kill(crew.workers[1].pid, 0), 0);
    crew_done(&crew);
    ck_assert_int_eq(watch_state(crew.offspring.fled), 0);
}
END_TEST

START_TEST(nursery_killed)
{
    int before = watch_fds();
    struct nursery_event gone;
    struct nursery_order order = { .id = 1 };
    struct crew crew;

    crew_start(&crew);
    if (_i == 1) {
        kill(nursery_pid(crew.nursery), SIGSTOP);
        ck_assert(watch_until(nursery_pid(crew.nursery), 'T'));
    }
    kill(nursery_pid(crew.nursery), SIGKILL);
    gone = watch_kind(crew.nursery, NURSERY_GONE);
    ck_assert(gone.exit.signaled && gone.exit.code == SIGKILL);
    for (int i = 0; i < WORKERS; i++)
        ck_assert(watch_readable(crew.workers[i].pidfd));
    ck_assert(watch_gone(crew.offspring.forked));
    ck_assert_int_eq(nursery_next(crew.nursery, &gone), WEIR_EBROKEN);
    ck_assert_int_eq(nursery_fork(crew.nursery, &order), WEIR_EBROKEN);
    ck_assert_int_eq(nursery_reap(crew.nursery, 1), WEIR_EBROKEN);
    crew_done(&crew);
    kill(crew.offspring.fled, SIGKILL); /* as above: nobody's */
    ck_assert(watch_gone(crew.offspring.fled));
    reap_all();
    ck_assert_int_eq(watch_fds(), before);
}
END_TEST

/* A worker that was told of its end by nobody: the owner looks at its pidfd,
 * both die in one instant. */
START_TEST(nursery_and_worker_killed)
{
    struct nursery_event gone;
    struct crew crew;

    crew_start(&crew);
    kill(crew.workers[2].pid, SIGKILL);
    kill(nursery_pid(crew.nursery), SIGKILL);
    ck_assert(watch_readable(crew.workers[2].pidfd));
    gone = watch_kind(crew.nursery, NURSERY_GONE);
    ck_assert_int_eq(gone.exit.code, SIGKILL);
    crew_done(&crew);
    for (int i = 0; i < WORKERS; i++)
        ck_assert(watch_gone(crew.workers[i].pid));
    kill(crew.offspring.fled, SIGKILL);
    ck_assert(watch_gone(crew.offspring.fled));
    reap_all();
}
END_TEST

START_TEST(stopped_nursery_can_be_stopped)
{
    struct crew crew;

    crew_start(&crew);
    kill(nursery_pid(crew.nursery), SIGSTOP);
    ck_assert(watch_until(nursery_pid(crew.nursery), 'T'));
    crew_done(&crew);
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(watch_state(crew.workers[i].pid), 0);
    ck_assert_int_eq(watch_state(crew.offspring.forked), 0);
    ck_assert_int_eq(watch_state(crew.offspring.fled), 0);
}
END_TEST

/* The host's own waitpid(-1) took the nursery's status. */
START_TEST(status_stolen)
{
    struct nursery_event gone;
    struct crew crew;
    pid_t pid;

    crew_start(&crew);
    pid = nursery_pid(crew.nursery);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    gone = watch_kind(crew.nursery, NURSERY_GONE);
    ck_assert(gone.exit.lost);
    crew_done(&crew);
    for (int i = 0; i < WORKERS; i++)
        ck_assert(watch_gone(crew.workers[i].pid));
    kill(crew.offspring.fled, SIGKILL);
    ck_assert(watch_gone(crew.offspring.fled));
    reap_all();
}
END_TEST

/* The owner dies while the nursery loads: deaf, in a loop. */
static int prepare_deaf(void *arg, struct buf *reply)
{
    pid_t self = getpid();

    (void)reply;
    fd_write_all(*(int *)arg, &self, sizeof self);
    stay();
}

START_TEST(owner_killed_while_preparing)
{
    int told[2];
    pid_t owner, nursery_pid;

    ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
    owner = fork();
    if (owner == 0) {
        const struct nursery_spec spec = { .worker = worker,
                                           .arg = &told[1],
                                           .prepare = prepare_deaf,
                                           .prepare_timeout_ns = FOREVER,
                                           .keep = &told[1],
                                           .keep_count = 1 };
        struct nursery *nursery;

        nursery_start(&spec, &nursery, NULL, NULL, NULL, NULL);
        _exit(1);
    }
    watch_read(told[0], &nursery_pid, sizeof nursery_pid);
    if (_i == 1) {
        kill(nursery_pid, SIGSTOP);
        ck_assert(watch_until(nursery_pid, 'T'));
    }
    kill(owner, SIGKILL);
    ck_assert(watch_gone(owner));
    ck_assert(watch_gone(nursery_pid));
    reap_all();
}
END_TEST

Suite *nursery_death_suite(void)
{
    Suite *suite = suite_create("nursery-death");
    TCase *tcase = tcase_create("killed");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, children_setup, children_teardown);
    tcase_add_test(tcase, owner_killed);
    tcase_add_test(tcase, owner_killed_nursery_stopped);
    tcase_add_test(tcase, both_killed);
    tcase_add_test(tcase, worker_killed);
    tcase_add_loop_test(tcase, nursery_killed, 0, 2);
    tcase_add_test(tcase, nursery_and_worker_killed);
    tcase_add_test(tcase, stopped_nursery_can_be_stopped);
    tcase_add_test(tcase, status_stolen);
    tcase_add_loop_test(tcase, owner_killed_while_preparing, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
