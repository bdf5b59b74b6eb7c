/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wait.c - waiting for items and for room: deadlines, close, cancel, wakes. A
 * member that waits runs in a thread of its own. */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "desk.h"

struct waiter {
    struct member *member;
    bool for_room;
    int code;
    pthread_t thread;
};

static void *wait_there(void *arg)
{
    struct waiter *waiter = arg;
    struct room room = { .queue = 0, .slots = 1, .bytes = 1 };
    const unsigned queue = 0;
    struct item item;

    if (waiter->for_room)
        waiter->code = turn_claim(waiter->member, &room, 1, FOREVER);
    else
        waiter->code = turn_lease(waiter->member, &queue, 1, 1, 1, FOREVER,
                                  &item);
    return NULL;
}

static void begin(struct waiter *waiter, struct member *member, bool for_room)
{
    waiter->member = member;
    waiter->for_room = for_room;
    ck_assert_int_eq(pthread_create(&waiter->thread, NULL, wait_there, waiter),
                     0);
}

static void until_waiting(const struct desk *desk, unsigned consumers,
                          unsigned producers)
{
    struct queue_state state;

    do {
        sched_yield();
        state = desk_state(desk, 0);
    } while (state.consumers_waiting != consumers ||
             state.producers_waiting != producers);
}

static int end(struct waiter *waiter)
{
    pthread_join(waiter->thread, NULL);
    return waiter->code;
}

START_TEST(deadlines)
{
    struct desk desk = desk_open(1, 1, 4096);
    const unsigned queue = 0;
    struct item item;

    ck_assert_int_eq(turn_lease(desk.members[0], &queue, 1, 1, 1,
                                clock_deadline(2 * NS_PER_MS), &item),
                     WEIR_ETIMEDOUT);
    ck_assert_int_eq(turn_lease(desk.members[0], &queue, 1, 1, 1,
                                clock_now() - 1, &item),
                     WEIR_ETIMEDOUT);
    /* one in the past still takes what is there */
    desk_put(desk.members[1], 0, "x");
    ck_assert_int_eq(turn_lease(desk.members[0], &queue, 1, 1, 1,
                                clock_now() - 1, &item),
                     1);
    ck_assert_uint_eq(desk_state(&desk, 0).consumers_waiting, 0);
    desk_close(&desk);
}
END_TEST

START_TEST(woken_by_an_item)
{
    struct desk desk = desk_open(1, 4, 4096);
    struct waiter waiter;

    begin(&waiter, desk.members[1], false);
    until_waiting(&desk, 1, 0);
    desk_put(desk.members[0], 0, "x");
    ck_assert_int_eq(end(&waiter), 1);
    ck_assert_uint_eq(desk_state(&desk, 0).consumers_waiting, 0);
    desk_close(&desk);
}
END_TEST

START_TEST(woken_by_room)
{
    struct desk desk = desk_open(1, 1, 4096);
    struct waiter waiter;

    desk_put(desk.members[0], 0, "x");
    begin(&waiter, desk.members[1], true);
    until_waiting(&desk, 0, 1);
    desk_take(desk.members[0], 0, "x");
    ck_assert_int_eq(end(&waiter), 0);
    desk_close(&desk);
}
END_TEST

/* All who wait see the end, whoever comes to see it first. */
START_TEST(woken_by_close)
{
    struct desk desk = desk_open(1, 1, 4096);
    struct waiter waiters[3];
    struct item item;

    desk_put(desk.members[0], 0, "x");
    ck_assert_int_eq(desk_lease(desk.members[0], 0, &item), 1);
    begin(&waiters[0], desk.members[1], false);
    begin(&waiters[1], desk.members[2], false);
    begin(&waiters[2], desk.members[3], true);
    until_waiting(&desk, 2, 1);
    ck_assert_int_eq(queue_close(desk.segment, 0), 0);
    ck_assert_int_eq(end(&waiters[2]), WEIR_ECLOSED);
    /* the lease may come back: the others go on waiting */
    until_waiting(&desk, 2, 0);
    ck_assert_int_eq(turn_done(desk.members[0], &item), 0);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    ck_assert_int_eq(end(&waiters[0]), WEIR_ECLOSED);
    ck_assert_int_eq(end(&waiters[1]), WEIR_ECLOSED);
    desk_close(&desk);
}
END_TEST

/* A consumer that stopped or died at queue.spin.begun: the first item is left
 * to it, and nobody is woken for that one until somebody sees to it. */
START_TEST(left_by_a_spinner)
{
    struct desk desk = desk_open(1, 4, 4096);
    struct waiter waiter;
    struct recovered found;
    pid_t holder;

    ck_assert(spinner_begin(&desk.segment->queues[0], 3));
    begin(&waiter, desk.members[1], false);
    until_waiting(&desk, 1, 0);
    desk_put(desk.members[0], 0, "x");
    ck_assert_uint_eq(desk_state(&desk, 0).ready, 1);
    ck_assert_uint_eq(desk_state(&desk, 0).consumers_waiting, 1);
    if (_i == 0)
        ck_assert_int_eq(segment_sweep(desk.segment, &holder), 1);
    else
        ck_assert_int_eq(member_recover(desk.segment, 3, CAUSE_SIGNAL, SIGKILL,
                                        &found),
                         0);
    ck_assert_int_eq(end(&waiter), 1);
    /* it may be another's by now, which it does not take away */
    ck_assert(spinner_begin(&desk.segment->queues[0], 2));
    spinner_end(&desk.segment->queues[0], 3);
    ck_assert(!spinner_begin(&desk.segment->queues[0], 3));
    spinner_end(&desk.segment->queues[0], 2);
    desk_close(&desk);
}
END_TEST

/* The second item is not the spinner's. */
START_TEST(beside_a_spinner)
{
    struct desk desk = desk_open(1, 4, 4096);
    struct waiter waiter;

    ck_assert(spinner_begin(&desk.segment->queues[0], 3));
    begin(&waiter, desk.members[1], false);
    until_waiting(&desk, 1, 0);
    desk_put(desk.members[0], 0, "x");
    desk_put(desk.members[0], 0, "y");
    ck_assert_int_eq(end(&waiter), 1);
    desk_take(desk.members[0], 0, "y");
    spinner_end(&desk.segment->queues[0], 3);
    desk_close(&desk);
}
END_TEST

/* A cancel ends its spin, and then the wait, before it has looked: nothing is
 * left to it any more. */
START_TEST(spinner_canceled)
{
    struct desk desk = desk_open(1, 4, 4096);
    struct queue *queue = &desk.segment->queues[0];
    const unsigned number = 0;
    struct waiter waiter;
    struct item item;
    char data[1];
    size_t size;

    member_cancel(desk.segment, member_number(desk.members[2]), true);
    turn_spin(desk.members[2], 0, FOREVER);
    if (_i != 0)
        ck_assert_int_eq(turn_get(desk.members[2], 0, data, 1, &size, 1), 0);
    ck_assert_int_eq(turn_lease(desk.members[2], &number, 1, 1, 1, FOREVER,
                                &item),
                     WEIR_ECANCELED);
    ck_assert_uint_eq(queue->head->spinner, 0);
    begin(&waiter, desk.members[1], false);
    until_waiting(&desk, 1, 0);
    desk_put(desk.members[0], 0, "x");
    ck_assert_int_eq(end(&waiter), 1);
    desk_close(&desk);
}
END_TEST

/* turn_spin and the turn_lease behind it are one wait: one spin, or none. */
START_TEST(one_spin_a_wait)
{
    struct desk desk = desk_open(1, 4, 4096);
    struct member *member = desk.members[0];
    const unsigned number = 0;
    struct item item;

    member->spin.skip = 10;
    ck_assert(!turn_spin(member, 0, FOREVER));
    ck_assert_int_eq(turn_lease(member, &number, 1, 1, 1, 0, &item),
                     WEIR_EEMPTY);
    ck_assert_int_eq(turn_lease(member, &number, 1, 1, 1, clock_now(), &item),
                     WEIR_ETIMEDOUT);
    ck_assert_uint_eq(member->spin.skip, 9);
    ck_assert_int_eq(turn_lease(member, &number, 1, 1, 1, clock_now(), &item),
                     WEIR_ETIMEDOUT);
    ck_assert_uint_eq(member->spin.skip, 8);
    desk_close(&desk);
}
END_TEST

START_TEST(canceled)
{
    struct desk desk = desk_open(1, 1, 4096);
    struct waiter waiter;
    struct item item;

    begin(&waiter, desk.members[1], false);
    until_waiting(&desk, 1, 0);
    member_cancel(desk.segment, 1, true);
    ck_assert_int_eq(end(&waiter), WEIR_ECANCELED);
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), WEIR_ECANCELED);
    member_cancel(desk.segment, 1, false);
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), WEIR_EEMPTY);
    desk_close(&desk);
}
END_TEST

START_TEST(damage_ends_waits)
{
    struct desk desk = desk_open(1, 1, 4096);
    struct waiter waiter;

    begin(&waiter, desk.members[1], false);
    until_waiting(&desk, 1, 0);
    segment_set_broken(desk.segment);
    ck_assert_int_eq(end(&waiter), WEIR_EBROKEN);
    desk_leave(&desk);
}
END_TEST

/* A wake is on its way to one who does not come: the sweep wakes another. */
START_TEST(swept)
{
    struct desk desk = desk_open(1, 4, 4096);
    struct queue *queue = segment_queue(desk.segment, 0);
    struct waiter waiter;
    pid_t holder;

    begin(&waiter, desk.members[1], false);
    until_waiting(&desk, 1, 0);
    ck_assert_int_eq(queue_lock(queue), 0);
    queue->head->waking[SIDE_CONSUMER] = 3; /* member 2, which is stopped */
    queue_unlock(queue);
    desk_put(desk.members[0], 0, "x");
    until_waiting(&desk, 1, 0);
    ck_assert(segment_sleepers(desk.segment));
    ck_assert_int_ge(segment_sweep(desk.segment, &holder), 1);
    ck_assert_int_eq(holder, 0);
    ck_assert_int_eq(end(&waiter), 1);
    ck_assert(!segment_sleepers(desk.segment));
    desk_close(&desk);
}
END_TEST

/* Asked to leave: its wait ends once, and it waits again as ever. */
START_TEST(asked_to_leave)
{
    struct desk desk = desk_open(1, 4, 4096);
    struct waiter waiter;

    ck_assert(!member_asked_leave(desk.members[1]));
    begin(&waiter, desk.members[1], false);
    until_waiting(&desk, 1, 0);
    member_ask_leave(desk.segment, 1);
    ck_assert_int_eq(end(&waiter), WEIR_ETIMEDOUT);
    ck_assert(member_asked_leave(desk.members[1]));
    begin(&waiter, desk.members[1], false);
    until_waiting(&desk, 1, 0);
    desk_put(desk.members[0], 0, "x");
    ck_assert_int_eq(end(&waiter), 1);
    ck_assert(member_asked_leave(desk.members[1]));
    ck_assert_int_eq(turn_abort(desk.members[1]), 0);
    ck_assert(member_goes(desk.members[1]));
    ck_assert(!member_goes(desk.members[1]));
    ck_assert(!member_ask_stay(desk.segment, 1));
    member_leave(&desk.members[1]);
    ck_assert_int_eq(member_enter(desk.segment, 1, &desk.members[1]), 0);
    ck_assert(!member_asked_leave(desk.members[1]));
    desk_take(desk.members[1], 0, "x");
    desk_close(&desk);
}
END_TEST

/* Before it has seen it, and after. */
START_TEST(asked_to_stay)
{
    struct desk desk = desk_open(1, 4, 4096);
    bool seen = _i == 1;

    member_ask_leave(desk.segment, 1);
    if (seen)
        ck_assert(member_asked_leave(desk.members[1]));
    ck_assert(member_ask_stay(desk.segment, 1));
    ck_assert(!member_asked_leave(desk.members[1]));
    ck_assert(!member_goes(desk.members[1]));
    desk_close(&desk);
}
END_TEST

Suite *wait_suite(void)
{
    Suite *suite = suite_create("wait");
    TCase *test = tcase_create("wait");

    tcase_set_timeout(test, 30);
    tcase_add_test(test, deadlines);
    tcase_add_test(test, woken_by_an_item);
    tcase_add_test(test, woken_by_room);
    tcase_add_test(test, woken_by_close);
    tcase_add_test(test, canceled);
    tcase_add_test(test, asked_to_leave);
    tcase_add_loop_test(test, asked_to_stay, 0, 2);
    tcase_add_loop_test(test, left_by_a_spinner, 0, 2);
    tcase_add_test(test, beside_a_spinner);
    tcase_add_loop_test(test, spinner_canceled, 0, 2);
    tcase_add_test(test, one_spin_a_wait);
    tcase_add_test(test, damage_ends_waits);
    tcase_add_test(test, swept);
    suite_add_tcase(suite, test);
    return suite;
}
