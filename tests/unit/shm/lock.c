/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.c - core/shm/lock.c: what a lock and its caches are after any death. */
#include "config.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "actor.h"

enum { WORKERS = 3, TURNS = 3000 };

static struct place {
    struct lock lock;
    _Atomic uint32_t held;    /* somebody is inside, and stays there */
    _Atomic uint32_t rebuilt; /* how often */
    uint32_t truth[WORKERS];  /* each steps its own */
    uint32_t sum;             /* the cache: of truth */
    uint32_t done[WORKERS];
} * place;

static void setup(void)
{
    children_setup();
    place = shared(sizeof *place);
    ck_assert_int_eq(lock_init(&place->lock), 0);
}

static int rebuild(void *arg)
{
    struct place *p = arg;

    atomic_fetch_add(&p->rebuilt, 1);
    p->sum = 0;
    for (int i = 0; i < WORKERS; i++)
        p->sum += p->truth[i];
    return 0;
}

static int rebuild_fails(void *arg)
{
    (void)arg;
    return WEIR_EBROKEN;
}

static int take(void)
{
    return lock_take_until(&place->lock, soon(), rebuild, place);
}

static int take_and_give(void *arg)
{
    (void)arg;
    if (take() < 0)
        return 1;
    lock_give(&place->lock);
    return 0;
}

static int take_and_stay(void *arg)
{
    (void)arg;
    if (take() < 0)
        return 1;
    atomic_store(&place->held, 1);
    for (;;)
        pause();
}

static int take_for_ever(void *arg)
{
    (void)arg;
    if (lock_take(&place->lock, rebuild, place) < 0)
        return 1;
    lock_give(&place->lock);
    return 0;
}

/* As a plugin that writes where it should not: the kernel finds no lock. */
static int destroy_and_stay(void *arg)
{
    static struct robust_list_head empty = { .list = { &empty.list } };

    (void)arg;
    if (take() < 0)
        return 1;
    if (syscall(SYS_set_robust_list, &empty, sizeof empty) < 0)
        return 2;
    atomic_store(&place->held, 1);
    for (;;)
        pause();
}

START_TEST(alone)
{
    ck_assert_int_eq(lock_holder(&place->lock), 0);
    ck_assert_int_eq(take(), 0);
    ck_assert_int_eq(lock_holder(&place->lock), getpid());
    ck_assert_uint_eq(place->lock.flux, 1);
    lock_give(&place->lock);
    ck_assert_int_eq(lock_holder(&place->lock), 0);
    ck_assert_uint_eq(place->lock.flux, 0);
    ck_assert_int_eq(lock_take(&place->lock, rebuild, place), 0);
    lock_give(&place->lock);
    ck_assert_uint_eq(place->rebuilt, 0);
}
END_TEST

START_TEST(timeout)
{
    pid_t holder = actor(take_and_stay, NULL, NULL);
    int64_t until = clock_deadline(5 * NS_PER_MS);

    ck_assert(becomes(&place->held, 1));
    ck_assert_int_eq(lock_holder(&place->lock), holder);
    ck_assert_int_eq(lock_take_until(&place->lock, until, rebuild, place),
                     WEIR_ETIMEDOUT);
    ck_assert_int_eq(clock_left(until), 0);
    ck_assert_int_eq(lock_take_until(&place->lock, 1, rebuild, place),
                     WEIR_ETIMEDOUT);
    ck_assert_int_eq(lock_take_until(&place->lock, -1, rebuild, place),
                     WEIR_ETIMEDOUT);
    ck_assert_uint_eq(place->rebuilt, 0);
    kill(holder, SIGKILL);
    killed(holder);
    ck_assert_int_eq(lock_holder(&place->lock), 0);
    ck_assert_int_eq(take(), 0);
    ck_assert_uint_eq(place->rebuilt, 1);
    lock_give(&place->lock);
}
END_TEST

static const struct {
    const char *fault;
    uint32_t rebuilt; /* by the next one */
} deaths[] = {
    { "lock.locked:1:kill", 0 },
    { "lock.taken:1:kill", 1 },
    { "lock.give:1:kill", 1 },
    { "lock.settled:1:kill", 0 },
};

START_TEST(owner_dies)
{
    killed(actor(take_and_give, NULL, deaths[_i].fault));
    ck_assert_int_eq(take(), 0);
    ck_assert_uint_eq(place->rebuilt, deaths[_i].rebuilt);
    lock_give(&place->lock);
    returned(actor(take_and_give, NULL, NULL), 0);
    ck_assert_uint_eq(place->rebuilt, deaths[_i].rebuilt);
}
END_TEST

static const char *const rebuild_points[] = {
    "lock.rebuild:1:kill",
    "lock.rebuilt:1:kill",
};

/* Whoever dies while it repairs leaves it to the next, any number of times. */
START_TEST(rebuild_dies)
{
    killed(actor(take_and_give, NULL, "lock.taken:1:kill"));
    for (int i = 0; i < 3; i++)
        killed(actor(take_and_give, NULL, rebuild_points[_i]));
    place->rebuilt = 0;
    ck_assert_int_eq(take(), 0);
    ck_assert_uint_eq(place->rebuilt, 1);
    lock_give(&place->lock);
}
END_TEST

START_TEST(rebuild_fails_for_good)
{
    killed(actor(take_and_give, NULL, "lock.taken:1:kill"));
    ck_assert_int_eq(lock_take(&place->lock, rebuild_fails, NULL),
                     WEIR_EBROKEN);
    ck_assert_int_eq(take(), WEIR_EBROKEN);
    returned(actor(take_and_give, NULL, NULL), 1);
}
END_TEST

START_TEST(waiter_inherits)
{
    pid_t holder = actor(take_and_stay, NULL, NULL);
    pid_t waiter;

    ck_assert(becomes(&place->held, 1));
    waiter = actor(take_for_ever, NULL, NULL);
    ck_assert(falls_asleep(waiter));
    kill(holder, SIGKILL);
    killed(holder);
    returned(waiter, 0);
    ck_assert_uint_eq(place->rebuilt, 1);
}
END_TEST

START_TEST(bury)
{
    pid_t holder = actor(destroy_and_stay, NULL, NULL);
    pid_t waiter;

    ck_assert(becomes(&place->held, 1));
    waiter = actor(take_for_ever, NULL, NULL);
    ck_assert(falls_asleep(waiter));
    kill(holder, SIGKILL);
    killed(holder);
    /* The kernel has not seen it. */
    ck_assert_int_eq(lock_holder(&place->lock), holder);
    ck_assert_int_eq(lock_take_until(&place->lock, 1, rebuild, place),
                     WEIR_ETIMEDOUT);
    lock_bury(&place->lock, holder);
    returned(waiter, 0);
    ck_assert_uint_eq(place->rebuilt, 1);
    ck_assert_int_eq(take(), 0);
    lock_give(&place->lock);
}
END_TEST

/* Not the lock of others, not twice. */
START_TEST(bury_nothing)
{
    ck_assert_int_eq(take(), 0);
    lock_bury(&place->lock, getpid() + 1);
    ck_assert_int_eq(lock_holder(&place->lock), getpid());
    lock_give(&place->lock);
    lock_bury(&place->lock, getpid());
    ck_assert_int_eq(take(), 0);
    ck_assert_uint_eq(place->rebuilt, 0);
    lock_give(&place->lock);
    killed(actor(take_and_give, NULL, "lock.taken:1:kill"));
    lock_bury(&place->lock, 1);
    ck_assert_int_eq(take(), 0);
    ck_assert_uint_eq(place->rebuilt, 1);
    lock_give(&place->lock);
}
END_TEST

/* It died in unlock: the word is free, a waiter sleeps, and the kernel, whose
 * list was destroyed, woke nobody. */
START_TEST(bury_in_unlock)
{
    pid_t holder = actor(destroy_and_stay, NULL, NULL);
    pid_t waiter;

    ck_assert(becomes(&place->held, 1));
    waiter = actor(take_for_ever, NULL, NULL);
    ck_assert(falls_asleep(waiter));
    place->lock.flux = 0;
    __atomic_store_n(&place->lock.mutex.__data.__lock, 0, __ATOMIC_SEQ_CST);
    kill(holder, SIGKILL);
    killed(holder);
    lock_bury(&place->lock, holder);
    returned(waiter, 0);
    ck_assert_uint_eq(place->rebuilt, 0);
}
END_TEST

struct turn {
    int worker;
};

static int step(void *arg)
{
    const struct turn *turn = arg;

    while (place->done[turn->worker] < TURNS) {
        if (take() < 0)
            return 1;
        place->truth[turn->worker]++;
        atomic_signal_fence(memory_order_seq_cst);
        place->sum++;
        place->done[turn->worker]++;
        lock_give(&place->lock);
    }
    return 0;
}

/* Three step a sum under the lock, and are killed at any point of it: it is
 * right all the same. */
START_TEST(torture)
{
    static const char *const points[] = { "lock.locked", "lock.taken",
                                          "lock.give", "lock.settled" };
    struct turn turns[WORKERS];
    pid_t pids[WORKERS];
    unsigned seed = 1;
    uint32_t truth = 0;

    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < WORKERS; i++) {
            char fault[64];

            place->done[i] = 0;
            turns[i].worker = i;
            snprintf(fault, sizeof fault, "%s:%d:kill",
                     points[rand_r(&seed) % 4], rand_r(&seed) % 200 + 1);
            pids[i] = actor(step, &turns[i], fault);
        }
        for (int i = 0; i < WORKERS; i++)
            killed(pids[i]);
    }
    ck_assert_int_eq(take(), 0);
    for (int i = 0; i < WORKERS; i++)
        truth += place->truth[i];
    ck_assert_uint_eq(place->sum, truth);
    ck_assert_uint_gt(place->rebuilt, 0);
    lock_give(&place->lock);
}
END_TEST

START_TEST(contention)
{
    struct turn turns[WORKERS];
    pid_t pids[WORKERS];

    for (int i = 0; i < WORKERS; i++) {
        turns[i].worker = i;
        pids[i] = actor(step, &turns[i], NULL);
    }
    for (int i = 0; i < WORKERS; i++)
        returned(pids[i], 0);
    ck_assert_uint_eq(place->sum, WORKERS * TURNS);
    ck_assert_uint_eq(place->rebuilt, 0);
}
END_TEST

Suite *lock_suite(void)
{
    Suite *suite = suite_create("lock");
    TCase *tcase = tcase_create("lock");

    tcase_add_checked_fixture(tcase, setup, children_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, alone);
    tcase_add_test(tcase, timeout);
    tcase_add_loop_test(tcase, owner_dies, 0, 4);
    tcase_add_loop_test(tcase, rebuild_dies, 0, 2);
    tcase_add_test(tcase, rebuild_fails_for_good);
    tcase_add_test(tcase, waiter_inherits);
    tcase_add_test(tcase, bury);
    tcase_add_test(tcase, bury_nothing);
    tcase_add_test(tcase, bury_in_unlock);
    tcase_add_test(tcase, contention);
    tcase_add_test(tcase, torture);
    suite_add_tcase(suite, tcase);
    return suite;
}
