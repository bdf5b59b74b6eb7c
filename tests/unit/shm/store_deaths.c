/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* store_deaths.c - core/shm/store.c: a kill at each of its points. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "room.h"

#define KIB UINT64_C(1024)

enum { LARGE = 8192 };

static struct room room;

static void setup(void)
{
    children_setup();
    room_open(&room, 64 * KIB, 64 * KIB);
}

static void teardown(void)
{
    room_close(&room);
    children_teardown();
}

/* The first half of the holders is that of the parent, which lives. */
static bool is_mine(unsigned holder)
{
    return holder < HOLDERS / 2;
}

/* Passes each point: takes, shares, drops, and punches, since what is free
 * and what it wants is more than the limit. */
static int act(void *arg)
{
    struct holder *h = room.shelf->holders;
    const unsigned first = HOLDERS / 2;

    (void)arg;
    for (unsigned i = 0; i < 8; i++)
        if (room_take(&room, first + i, LARGE) < 0)
            return 1;
    if (store_share(&room.store, h[0].number, &h[60].number, &h[60].flag) < 0)
        return 2;
    for (unsigned i = 0; i < 8; i++)
        if (room_drop(&room, first + i) < 0)
            return 3;
    for (unsigned i = 0; i < 2; i++)
        if (room_take(&room, first + i, 64 * KIB) < 0)
            return 4;
    return 0;
}

static void recover(void)
{
    ck_assert_int_eq(store_end_punch(&room.store, &room.shelf->punch[0]), 0);
    ck_assert_uint_eq(room.shelf->punch[0], 0);
    for (unsigned i = 0; i < HOLDERS; i++)
        if (!is_mine(i))
            ck_assert_int_eq(room_drop(&room, i), 0);
}

static const char *const points[] = {
    "lock.locked",      "lock.taken",         "lock.give",
    "lock.settled",     "store.take.popped",  "store.take.flag",
    "store.share.flag", "store.drop.flag",    "store.punch.noted",
    "store.punch.done", "store.punch.listed",
};

enum { POINTS = sizeof points / sizeof *points };

static void look_around(void)
{
    ck_assert_uint_eq(room_used(&room), 1);
    ck_assert_str_eq(room_data(&room, 0), "mine");
    room_check(&room);
    /* All is still to be had. */
    for (unsigned i = 1; i < 14; i++)
        ck_assert_int_eq(room_take(&room, i, LARGE), 0);
    ck_assert_str_eq(room_data(&room, 0), "mine");
    ck_assert_uint_eq(room_used(&room), 14);
    /* The limit, and some pages of the lists. */
    ck_assert_uint_le(room_pages(&room), (128 + 64) * KIB);
    for (unsigned i = 1; i < 14; i++)
        ck_assert_int_eq(room_drop(&room, i), 0);
    ck_assert_uint_eq(room_used(&room), 1);
}

/* Each point, at its first and at each later passing, until one that nobody
 * reaches: then the actor ends by itself. */
START_TEST(at_each_point)
{
    bool reached = false;

    for (int nth = 1;; nth++) {
        char fault[64];
        pid_t pid;
        siginfo_t info;

        ck_assert_int_eq(room_take(&room, 0, 1000), 0);
        strcpy(room_data(&room, 0), "mine");
        snprintf(fault, sizeof fault, "%s:%d:kill", points[_i], nth);
        pid = actor(act, NULL, fault);
        ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        if (info.si_code == CLD_EXITED) {
            returned(pid, 0);
            break;
        }
        killed(pid);
        reached = true;
        recover();
        look_around();
        ck_assert_int_eq(room_drop(&room, 0), 0);
    }
    ck_assert_msg(reached, "nobody passes %s", points[_i]);
}
END_TEST

/* The one who repairs the lists dies, too. */
START_TEST(rebuild_dies)
{
    static const char *const in_rebuild[] = { "lock.rebuild", "lock.rebuilt" };

    for (unsigned i = 0; i < POINTS; i++) {
        char fault[64];

        ck_assert_int_eq(room_take(&room, 0, 1000), 0);
        strcpy(room_data(&room, 0), "mine");
        snprintf(fault, sizeof fault, "%s:1:kill", points[i]);
        killed(actor(act, NULL, fault));
        if (room.shelf->head.lock.flux != 0) {
            snprintf(fault, sizeof fault, "%s:1:kill", in_rebuild[_i]);
            killed(actor(act, NULL, fault));
        }
        recover();
        look_around();
        ck_assert_int_eq(room_drop(&room, 0), 0);
    }
}
END_TEST

/* The flags say that it is in use, a punch holder that it is going: the flags
 * are right. */
START_TEST(damaged_punch)
{
    ck_assert_int_eq(room_take(&room, 0, LARGE), 0);
    strcpy(room_data(&room, 0), "mine");
    room.shelf->punch[1] = room.shelf->holders[0].number;
    killed(actor(act, NULL, "lock.taken:3:kill"));
    recover();
    ck_assert_uint_eq(room_used(&room), 1);
    ck_assert_int_eq(store_end_punch(&room.store, &room.shelf->punch[1]),
                     WEIR_EBROKEN);
    ck_assert_uint_eq(room_used(&room), 1);
    room_check(&room);
}
END_TEST

static int take_both(void *arg)
{
    (void)arg;
    for (unsigned i = 10; i < 12; i++)
        if (store_take(&room.store, 64 * KIB, &room.shelf->holders[i].number,
                       &room.shelf->holders[i].flag, &room.shelf->punch[1]) < 0)
            return 1;
    return 0;
}

/* All that are free are being punched: who wants one waits for it. */
START_TEST(waits_for_a_punch)
{
    struct store_class *class = &room.shelf->head.classes[9];
    pid_t puncher, taker;

    /* Of this class there are three: one is free, and goes. */
    ck_assert_uint_eq(class->count, 3);
    for (unsigned i = 1; i < 4; i++)
        ck_assert_int_eq(room_take(&room, i, 64 * KIB), 0);
    ck_assert_int_eq(room_drop(&room, 1), 0);
    puncher = actor(act, NULL, "store.punch.done:1:stop");
    stopped(puncher);
    ck_assert_int_eq(room_drop(&room, 2), 0);
    taker = actor(take_both, NULL, NULL);
    ck_assert(falls_asleep(taker));
    kill(puncher, SIGKILL);
    killed(puncher);
    recover();
    returned(taker, 0);
}
END_TEST

/* Three at once, each killed at a random point: nothing is left over. */
static int churn(void *arg)
{
    const unsigned me = *(unsigned *)arg;
    struct holder *h = room.shelf->holders + me * 16;
    unsigned seed = me + (unsigned)h[0].number;

    for (int i = 0; i < 2000; i++) {
        struct holder *one = h + rand_r(&seed) % 4;

        if (one->flag != 0) {
            if (store_lock(&room.store) < 0)
                return 1;
            if (store_drop_locked(&room.store, one->number, &one->flag) < 0)
                return 2;
            store_unlock(&room.store);
        } else {
            uint64_t size = UINT64_C(64) << rand_r(&seed) % 10;

            if (store_take(&room.store, size, &one->number, &one->flag,
                           &room.shelf->punch[me]) < 0)
                return 3;
            memset(chunk_data(&room.store, one->number), (int)me, size);
        }
    }
    return 0;
}

/* Whoever of @pids ends first has what it left cleaned up at once: the others
 * may wait for that. */
static void see_death(const pid_t *pids)
{
    siginfo_t info;
    unsigned i = 0;

    ck_assert_int_eq(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
    while (i < 3 && pids[i] != info.si_pid)
        i++;
    ck_assert_uint_lt(i, 3);
    if (info.si_code == CLD_EXITED)
        returned(pids[i], 0);
    else
        killed(pids[i]);
    ck_assert_int_eq(store_end_punch(&room.store, &room.shelf->punch[i]), 0);
}

/* There is room for what all twelve hold at most. */
START_TEST(churned)
{
    static unsigned names[3] = { 0, 1, 2 };
    unsigned seed = 7;

    room_close(&room);
    room_open(&room, 12 * 32 * KIB, 64 * KIB);
    for (int round = 0; round < 25; round++) {
        pid_t pids[3];

        for (unsigned i = 0; i < 3; i++) {
            char fault[64];

            snprintf(fault, sizeof fault, "%s:%d:kill",
                     points[rand_r(&seed) % POINTS], rand_r(&seed) % 150 + 1);
            pids[i] = actor(churn, &names[i], fault);
        }
        for (unsigned i = 0; i < 3; i++)
            see_death(pids);
        for (unsigned i = 0; i < HOLDERS; i++)
            ck_assert_int_eq(room_drop(&room, i), 0);
        ck_assert_uint_eq(room_used(&room), 0);
        room_check(&room);
    }
}
END_TEST

Suite *store_deaths_suite(void)
{
    Suite *suite = suite_create("store_deaths");
    TCase *tcase = tcase_create("deaths");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, at_each_point, 0, POINTS);
    tcase_add_loop_test(tcase, rebuild_dies, 0, 2);
    tcase_add_test(tcase, damaged_punch);
    tcase_add_test(tcase, waits_for_a_punch);
    tcase_add_test(tcase, churned);
    suite_add_tcase(suite, tcase);
    return suite;
}
