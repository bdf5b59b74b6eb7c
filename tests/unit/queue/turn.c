/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* turn.c - leasing and settling: order, attempts, several queues, the end. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "desk.h"

START_TEST(first_in_first_out)
{
    struct desk desk = desk_open(1, 8, 4096);
    struct item item;
    char text[16];

    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 8; i++) {
            snprintf(text, sizeof text, "%u.%u", round, i);
            desk_put(desk.members[i % 2], 0, text);
        }
        ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), WEIR_EFULL);
        for (unsigned i = 0; i < 8; i++) {
            snprintf(text, sizeof text, "%u.%u", round, i);
            desk_take(desk.members[2], 0, text);
        }
        ck_assert_int_eq(desk_lease(desk.members[2], 0, &item), WEIR_EEMPTY);
    }
    desk_close(&desk);
}
END_TEST

START_TEST(staged_is_unseen)
{
    struct desk desk = desk_open(1, 8, 4096);
    struct item item;

    ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), 0);
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), WEIR_EEMPTY);
    ck_assert_uint_eq(desk_state(&desk, 0).staged, 1);
    ck_assert_int_eq(turn_abort(desk.members[0]), 0);
    ck_assert_uint_eq(desk_state(&desk, 0).free, 8);
    desk_close(&desk);
}
END_TEST

START_TEST(batches)
{
    struct desk desk = desk_open(1, 64, 4096);
    struct item items[LEASE_MOST];
    const unsigned queue = 0;

    for (unsigned i = 0; i < 40; i++)
        desk_put(desk.members[0], 0, "x");
    /* no more than a share of what is ready */
    ck_assert_int_eq(turn_lease(desk.members[1], &queue, 1, 32, 4, 0, items),
                     10);
    ck_assert_int_eq(turn_lease(desk.members[2], &queue, 1, 32, 1, 0, items),
                     30);
    ck_assert_uint_eq(desk_state(&desk, 0).leased, 40);
    desk_close(&desk);
}
END_TEST

START_TEST(released_to_the_head)
{
    struct desk desk = desk_open(1, 8, 4096);
    struct item items[3];
    const unsigned queue = 0;

    desk_put(desk.members[0], 0, "a");
    desk_put(desk.members[0], 0, "b");
    desk_put(desk.members[0], 0, "c");
    ck_assert_int_eq(turn_lease(desk.members[1], &queue, 1, 3, 1, 0, items), 3);
    ck_assert_int_eq(turn_release(desk.members[1], &items[2]), 0);
    ck_assert_int_eq(turn_release(desk.members[1], &items[1]), 0);
    ck_assert_int_eq(turn_release(desk.members[1], &items[1]), WEIR_ESTATE);
    desk_take(desk.members[2], 0, "b");
    ck_assert_int_eq(turn_abort(desk.members[1]), 0);
    desk_take(desk.members[2], 0, "a");
    desk_take(desk.members[2], 0, "c");
    desk_close(&desk);
}
END_TEST

START_TEST(attempts)
{
    struct desk desk = desk_open(1, 8, 4096);
    struct item item;

    desk_put(desk.members[0], 0, "a");
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), 1);
    ck_assert_uint_eq(item.attempt, 0);
    ck_assert_int_eq(turn_take_up(desk.members[1], &item), 0);
    ck_assert_int_eq(turn_release(desk.members[1], &item), 0);
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), 1);
    ck_assert_uint_eq(item.attempt, 0);
    ck_assert_int_eq(turn_take_up(desk.members[1], &item), 0);
    ck_assert_int_eq(turn_charge(desk.members[1], &item), 0);
    ck_assert_int_eq(turn_release(desk.members[1], &item), 0);
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), 1);
    ck_assert_uint_eq(item.attempt, 1);
    desk_close(&desk);
}
END_TEST

START_TEST(several_queues)
{
    struct desk desk = desk_open(3, 8, 4096);
    const unsigned queues[] = { 0, 1, 2 };
    unsigned seen[3] = { 0 };
    struct item item;

    for (unsigned i = 0; i < 6; i++)
        desk_put(desk.members[0], i % 3, "x");
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_int_eq(turn_lease(desk.members[1], queues, 3, 1, 1, 0, &item),
                         1);
        seen[item.queue]++;
        if (i == 2) /* none waits for another to be empty */
            ck_assert(seen[0] == 1 && seen[1] == 1 && seen[2] == 1);
    }
    ck_assert_int_eq(turn_lease(desk.members[1], queues, 3, 1, 1, 0, &item),
                     WEIR_EEMPTY);
    desk_close(&desk);
}
END_TEST

/* Closed is not the end: what is leased may come back, what is staged may be
 * committed. */
START_TEST(the_end)
{
    struct desk desk = desk_open(1, 8, 4096);
    struct item item;

    desk_put(desk.members[0], 0, "a");
    ck_assert_int_eq(desk_stage(desk.members[0], 0, "b", 1), 0);
    ck_assert_int_eq(queue_close(desk.segment, 0), 0);
    ck_assert_int_eq(queue_close(desk.segment, 0), 0);
    ck_assert_int_eq(desk_stage(desk.members[1], 0, "c", 1), WEIR_ECLOSED);
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), 1);
    ck_assert_int_eq(desk_lease(desk.members[2], 0, &item), WEIR_EEMPTY);
    ck_assert_int_eq(turn_abort(desk.members[1]), 0);
    desk_take(desk.members[2], 0, "a");
    ck_assert_int_eq(desk_lease(desk.members[2], 0, &item), WEIR_EEMPTY);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    desk_take(desk.members[2], 0, "b");
    ck_assert_int_eq(desk_lease(desk.members[2], 0, &item), WEIR_ECLOSED);
    desk_close(&desk);
}
END_TEST

static struct member_sample sample_of(struct desk *desk, unsigned member)
{
    struct member_sample sample;

    member_sample(desk->segment, member_number(desk->members[member]), &sample);
    return sample;
}

/* What the one who watches sees of a task, and the task of who watches. */
START_TEST(signs_of_life)
{
    struct desk desk = desk_open(1, 4, 65536);
    struct member *member = desk.members[1];
    const unsigned number = member_number(member);
    struct member_sample before, after;
    struct item item;

    desk_put(desk.members[0], 0, "one");
    desk_put(desk.members[0], 0, "two");
    ck_assert_int_eq(desk_lease(member, 0, &item), 1);
    turn_take_up(member, &item);
    before = sample_of(&desk, 1);
    ck_assert(before.in_hand);
    member_beat(member);
    member_beat(member);
    after = sample_of(&desk, 1);
    ck_assert_uint_eq(after.beat, before.beat + 2);
    ck_assert_uint_eq(after.turn, before.turn); /* it is the same item still */
    ck_assert_uint_eq(sample_of(&desk, 0).beat, 0);
    ck_assert(!member_overdue(member));
    member_set_overdue(desk.segment, number, before.turn);
    ck_assert(member_overdue(member));
    ck_assert(!member_overdue(desk.members[0]));
    ck_assert_int_eq(turn_done(member, &item), 0);
    ck_assert_int_eq(turn_commit(member, NULL, NULL), 0);
    ck_assert(!member_overdue(member)); /* that was of the other item */
    desk_take(member, 0, "two");
    member_set_overdue(desk.segment, UINT32_MAX, 0); /* nobody's */
    desk_close(&desk);
}
END_TEST

START_TEST(misuse)
{
    struct desk desk = desk_open(1, 8, 4096);
    const unsigned queue = 9;
    struct item item = { .ref = UINT64_MAX };
    struct staged staged = { .ref = 3 };

    ck_assert_int_eq(turn_lease(desk.members[0], &queue, 1, 1, 1, 0, &item),
                     WEIR_EINVAL);
    ck_assert_int_eq(turn_lease(desk.members[0], &queue, 0, 1, 1, 0, &item),
                     WEIR_EINVAL);
    ck_assert_int_eq(desk_stage(desk.members[0], 9, "x", 1), WEIR_EINVAL);
    item.ref = UINT64_MAX;
    ck_assert_int_eq(turn_take_up(desk.members[0], &item), WEIR_ESTATE);
    ck_assert_int_eq(turn_done(desk.members[0], &item), WEIR_ESTATE);
    ck_assert_int_eq(turn_shrink(desk.members[0], &staged, 0), WEIR_ESTATE);
    ck_assert_int_eq(turn_drop(desk.members[0], 3), WEIR_ESTATE);
    desk_put(desk.members[0], 0, "a");
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), 1);
    ck_assert_int_eq(turn_done(desk.members[2], &item), WEIR_ESTATE);
    ck_assert_int_eq(turn_done(desk.members[1], &item), 0);
    ck_assert_int_eq(turn_done(desk.members[1], &item), WEIR_ESTATE);
    desk_close(&desk);
}
END_TEST

Suite *turn_suite(void)
{
    Suite *suite = suite_create("turn");
    TCase *test = tcase_create("turn");

    tcase_add_test(test, first_in_first_out);
    tcase_add_test(test, staged_is_unseen);
    tcase_add_test(test, batches);
    tcase_add_test(test, released_to_the_head);
    tcase_add_test(test, attempts);
    tcase_add_test(test, several_queues);
    tcase_add_test(test, the_end);
    tcase_add_test(test, signs_of_life);
    tcase_add_test(test, misuse);
    suite_add_tcase(suite, test);
    return suite;
}
