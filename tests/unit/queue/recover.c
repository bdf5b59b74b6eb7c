/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recover.c - a member dies, and what is found and done. The deaths at each
 * step are in tests/crash; here is what recovery tells, and in which order
 * things come back. */
#include "config.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "desk.h"
#include "lib/suites.h"

/* Runs @act as member 3 in a child, which is then killed. */
static void die(struct desk *desk, void (*act)(struct member *member))
{
    pid_t pid;
    int status;

    member_leave(&desk->members[3]);
    pid = fork();
    if (pid == 0) {
        struct member *member;

        if (member_enter(desk->segment, 3, &member) == 0)
            act(member);
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static struct recovered recover(struct desk *desk)
{
    struct recovered found;

    ck_assert_int_eq(member_recover(desk->segment, 3, CAUSE_SIGNAL, SIGKILL,
                                    &found),
                     0);
    return found;
}

static void lease_three(struct member *member)
{
    struct item items[3];
    const unsigned queue = 0;

    if (turn_lease(member, &queue, 1, 3, 1, 0, items) != 3)
        return;
    turn_take_up(member, &items[0]);
    turn_done(member, &items[0]);
    turn_take_up(member, &items[1]);
    desk_stage(member, 1, "half", 4);
}

START_TEST(given_back)
{
    struct desk desk = desk_open(2, 8, 4096);
    struct recovered found;
    struct item item;

    desk_put(desk.members[0], 0, "a");
    desk_put(desk.members[0], 0, "b");
    desk_put(desk.members[0], 0, "c");
    desk_put(desk.members[0], 0, "d");
    die(&desk, lease_three);
    ck_assert_uint_eq(desk_state(&desk, 0).leased, 3);
    ck_assert_uint_eq(desk_state(&desk, 1).staged, 1);
    found = recover(&desk);
    ck_assert(!found.was_committed);
    ck_assert(found.had_hand);
    ck_assert_uint_eq(found.attempt, 1);
    ck_assert_uint_eq(desk_state(&desk, 1).staged, 0);
    desk_take(desk.members[0], 0, "a");
    ck_assert_int_eq(desk_lease(desk.members[0], 0, &item), 1);
    ck_assert_mem_eq(item.data, "b", 1);
    ck_assert_uint_eq(item.attempt, 1);
    ck_assert_int_eq(item.cause, CAUSE_SIGNAL);
    ck_assert_int_eq(item.cause_code, SIGKILL);
    ck_assert_int_eq(turn_done(desk.members[0], &item), 0);
    ck_assert_int_eq(desk_lease(desk.members[0], 0, &item), 1);
    ck_assert_mem_eq(item.data, "c", 1);
    ck_assert_uint_eq(item.attempt, 0);
    ck_assert_int_eq(turn_done(desk.members[0], &item), 0);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    desk_take(desk.members[0], 0, "d");
    desk_close(&desk);
}
END_TEST

START_TEST(twice_and_of_nobody)
{
    struct desk desk = desk_open(2, 8, 4096);
    struct recovered found;

    desk_put(desk.members[0], 0, "a");
    desk_put(desk.members[0], 0, "b");
    desk_put(desk.members[0], 0, "c");
    die(&desk, lease_three);
    ck_assert(recover(&desk).had_hand);
    found = recover(&desk);
    ck_assert(!found.had_hand && !found.was_committed);
    ck_assert_int_eq(member_recover(desk.segment, DESK_MEMBERS, CAUSE_NONE, 0,
                                    NULL),
                     WEIR_EINVAL);
    ck_assert_int_eq(member_enter(desk.segment, 3, &desk.members[3]), 0);
    desk_take(desk.members[3], 0, "a");
    desk_take(desk.members[3], 0, "b");
    desk_take(desk.members[3], 0, "c");
    desk_close(&desk);
}
END_TEST

static void part(struct member *member)
{
    member_part(member, PARTING_PAST);
}

/* It says nothing of the next one, who may die before he has entered. */
START_TEST(parting_ends)
{
    struct desk desk = desk_open(1, 8, 4096);

    die(&desk, part);
    ck_assert_uint_eq(member_parting(desk.segment, 3), PARTING_PAST);
    recover(&desk);
    ck_assert_uint_eq(member_parting(desk.segment, 3), 0);
    desk_close(&desk);
}
END_TEST

static void commit_then_lease(struct member *member)
{
    for (unsigned i = 0; i < 3; i++)
        desk_put(member, 1, "x");
    lease_three(member);
}

/* Two of three were settled by a commit elsewhere. It is one more commit, by
 * its number, too; and none the second time. */
START_TEST(settled_elsewhere)
{
    struct desk desk = desk_open(2, 8, 4096);
    const _Atomic uint32_t *txn = &member_at(desk.segment, 3)->txn;
    uint32_t before;

    desk_put(desk.members[0], 0, "a");
    desk_put(desk.members[0], 0, "b");
    desk_put(desk.members[0], 0, "c");
    die(&desk, commit_then_lease);
    before = txn_sequence(atomic_load(txn));
    ck_assert_uint_ge(before, 3);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(member_commit_for(desk.segment, 3, 2), 0);
        ck_assert_uint_eq(txn_sequence(atomic_load(txn)), before + 1);
    }
    ck_assert_uint_eq(member_book(desk.segment, 3)->done, 2);
    ck_assert(recover(&desk).was_committed);
    ck_assert_uint_eq(txn_sequence(atomic_load(txn)), before + 1);
    for (unsigned i = 0; i < 3; i++)
        desk_take(desk.members[0], 1, "x");
    ck_assert_uint_eq(desk_state(&desk, 1).staged, 0);
    desk_take(desk.members[0], 0, "c");
    ck_assert_int_eq(member_enter(desk.segment, 3, &desk.members[3]), 0);
    desk_close(&desk);
}
END_TEST

static void hold_lock(struct member *member)
{
    struct queue *queue = segment_queue(member_segment(member), 0);

    if (queue_lock(queue) == 0)
        queue->head->head += 1000; /* a cache, half-way */
}

START_TEST(lock_and_caches)
{
    struct desk desk = desk_open(1, 8, 4096);

    desk_put(desk.members[0], 0, "a");
    die(&desk, hold_lock);
    /* not even recovered: who comes first repairs */
    desk_put(desk.members[0], 0, "b");
    desk_take(desk.members[1], 0, "a");
    desk_take(desk.members[1], 0, "b");
    recover(&desk);
    ck_assert_uint_eq(desk_state(&desk, 0).published, 2);
    desk_close(&desk);
}
END_TEST

static void claim(struct member *member)
{
    struct room room = { .queue = 0, .slots = 1 };

    turn_claim(member, &room, 1, 0);
}

START_TEST(claim_ends)
{
    struct desk desk = desk_open(1, 8, 4096);

    die(&desk, claim);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), WEIR_EFULL);
    recover(&desk);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), 0);
    desk_close(&desk);
}
END_TEST

static void stage_large(struct member *member)
{
    char data[4000] = { 0 };

    desk_stage(member, 0, data, sizeof data);
}

START_TEST(chunks_come_back)
{
    struct desk desk = desk_open(1, 8, 4096);
    uint64_t chunks, touched;

    for (unsigned i = 0; i < 20; i++) {
        die(&desk, stage_large);
        recover(&desk);
        ck_assert_int_eq(member_enter(desk.segment, 3, &desk.members[3]), 0);
    }
    ck_assert_int_eq(segment_store_used(desk.segment, &chunks, &touched), 0);
    ck_assert_uint_eq(chunks, 0);
    desk_close(&desk);
}
END_TEST

START_TEST(sample)
{
    struct desk desk = desk_open(2, 8, 4096);
    struct member_sample before, now;

    desk_put(desk.members[0], 0, "a");
    desk_put(desk.members[0], 0, "b");
    desk_put(desk.members[0], 0, "c");
    member_sample(desk.segment, 3, &before);
    ck_assert(!before.in_hand);
    die(&desk, lease_three);
    member_sample(desk.segment, 3, &now);
    ck_assert(now.in_hand);
    ck_assert_uint_gt(now.turn, before.turn);
    recover(&desk);
    member_sample(desk.segment, 3, &now);
    ck_assert(!now.in_hand);
    desk_close(&desk);
}
END_TEST

Suite *recover_suite(void)
{
    Suite *suite = suite_create("recover");
    TCase *test = tcase_create("recover");

    tcase_add_checked_fixture(test, children_setup, children_teardown);
    tcase_add_test(test, given_back);
    tcase_add_test(test, twice_and_of_nobody);
    tcase_add_test(test, parting_ends);
    tcase_add_test(test, settled_elsewhere);
    tcase_add_test(test, lock_and_caches);
    tcase_add_test(test, claim_ends);
    tcase_add_test(test, chunks_come_back);
    tcase_add_test(test, sample);
    suite_add_tcase(suite, test);
    return suite;
}
