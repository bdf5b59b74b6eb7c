/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* order.c - outputs in the order of their inputs: what is held, what is given
 * back, the first's room, a rebuild. Queue 0 is the input, 1 and 2 are filled
 * by its stage; 2 also by others. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "desk.h"
#include "queue/snapshot.h"

static struct desk open_desk(uint32_t capacity, uint64_t bytes)
{
    static const struct order_link orders[] = { { 0, 1 }, { 0, 2 } };
    struct queue_plan plans[] = { { .capacity = 32, .bytes = 1 << 20 },
                                  { .capacity = capacity, .bytes = bytes },
                                  { .capacity = capacity, .bytes = bytes } };
    struct segment_plan plan = { .queues = plans,
                                 .queue_count = 3,
                                 .orders = orders,
                                 .order_count = 2,
                                 .member_count = DESK_MEMBERS,
                                 .sink_count = 1 };
    struct desk desk = { 0 };

    ck_assert_int_eq(segment_create(&plan, &desk.segment, NULL), 0);
    for (unsigned i = 0; i < DESK_MEMBERS; i++)
        ck_assert_int_eq(member_enter(desk.segment, i, &desk.members[i]), 0);
    return desk;
}

static void put_numbers(struct desk *desk, unsigned count)
{
    char text[8];

    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%u", i);
        desk_put(desk->members[0], 0, text);
    }
}

/* The next item, by this member; its number. */
static unsigned take_up(struct member *member, struct item *item)
{
    ck_assert_int_eq(desk_lease(member, 0, item), 1);
    ck_assert_int_eq(turn_take_up(member, item), 0);
    return (unsigned)(item->ticket - POSITION_START);
}

static int stage_behind(struct member *member, unsigned queue,
                        const struct item *item, uint32_t index, size_t size,
                        const char *text)
{
    struct stage_order order = { .queue = 0,
                                 .ticket = item != NULL ? item->ticket
                                                        : ORDER_LAST,
                                 .index = index };
    struct stage_spec spec = { .queue = queue, .room = size, .order = &order };
    struct staged staged;
    int code = turn_stage(member, &spec, &staged);

    if (code < 0)
        return code;
    memset(staged.data, ' ', size);
    memcpy(staged.data, text, strlen(text));
    return turn_shrink(member, &staged, strlen(text));
}

static void give(struct member *member, unsigned queue, const struct item *item,
                 uint32_t index, const char *text)
{
    ck_assert_int_eq(stage_behind(member, queue, item, index, strlen(text),
                                  text),
                     0);
}

static void finish(struct member *member, const struct item *item)
{
    ck_assert_int_eq(turn_done(member, item), 0);
    ck_assert_int_eq(turn_commit(member, NULL, NULL), 0);
}

/* Its last one: the item is done. */
static void give_last(struct member *member, unsigned queue,
                      const struct item *item, uint32_t index, const char *text)
{
    give(member, queue, item, index, text);
    finish(member, item);
}

/* The members 1 and 2 have one each. */
static void take_two(struct desk *desk, struct item *items)
{
    put_numbers(desk, 2);
    for (unsigned i = 0; i < 2; i++)
        take_up(desk->members[i + 1], &items[i]);
}

static void expect(struct desk *desk, unsigned queue, const char *texts)
{
    char text[2] = "";

    for (; *texts != '\0'; texts++) {
        text[0] = *texts;
        desk_take(desk->members[0], queue, text);
    }
    ck_assert_uint_eq(desk_state(desk, queue).ready, 0);
}

/* ------------------------------------------------------------- holding ---- */

/* Done in the order 2, 1, 0, with two outputs in two queues each. */
START_TEST(held_until_its_turn)
{
    struct desk desk = open_desk(16, 1 << 16);
    struct member **m = desk.members;
    struct item items[3];

    put_numbers(&desk, 3);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(take_up(m[i + 1], &items[i]), i);
    for (unsigned i = 3; i-- > 0;) {
        char text[2] = { (char)('a' + 2 * i), '\0' };

        ck_assert_uint_eq(desk_state(&desk, 1).ready, 0);
        give(m[i + 1], 1, &items[i], 0, text);
        text[0]++;
        give(m[i + 1], 1, &items[i], 1, text);
        give(m[i + 1], 2, &items[i], 2, text);
        finish(m[i + 1], &items[i]);
        ck_assert_uint_eq(desk_state(&desk, 1).held, i > 0 ? 6 - 2 * i : 0);
    }
    expect(&desk, 1, "abcdef");
    expect(&desk, 2, "bdf");
    desk_close(&desk);
}
END_TEST

/* One without outputs is done as well; and it sets those behind it free. */
START_TEST(nothing_is_enough)
{
    struct desk desk = open_desk(16, 1 << 16);
    struct member **m = desk.members;
    struct item items[3];

    put_numbers(&desk, 3);
    for (unsigned i = 0; i < 3; i++)
        take_up(m[i + 1], &items[i]);
    give_last(m[3], 1, &items[2], 0, "c");
    finish(m[2], &items[1]);
    ck_assert_uint_eq(desk_state(&desk, 1).held, 1);
    finish(m[1], &items[0]);
    expect(&desk, 1, "c");
    desk_close(&desk);
}
END_TEST

/* Others fill the queue, too: they do not wait for anybody's turn. */
START_TEST(strangers_pass)
{
    struct desk desk = open_desk(16, 1 << 16);
    struct member **m = desk.members;
    struct item items[2];

    take_two(&desk, items);
    give_last(m[2], 2, &items[1], 0, "b");
    desk_put(m[3], 2, "x");
    expect(&desk, 2, "x");
    finish(m[1], &items[0]);
    expect(&desk, 2, "b");
    desk_close(&desk);
}
END_TEST

/* What is given at the end comes behind what is held. */
START_TEST(flush_is_last)
{
    struct desk desk = open_desk(16, 1 << 16);
    struct member **m = desk.members;
    struct item items[2];

    put_numbers(&desk, 2);
    ck_assert_int_eq(queue_close(desk.segment, 0), 0);
    take_up(m[1], &items[0]);
    take_up(m[2], &items[1]);
    give_last(m[2], 1, &items[1], 0, "b");
    give_last(m[1], 1, &items[0], 0, "a");
    give(m[3], 1, NULL, 0, "y");
    give(m[3], 1, NULL, 1, "z");
    ck_assert_int_eq(turn_commit(m[3], NULL, NULL), 0);
    expect(&desk, 1, "abyz");
    desk_close(&desk);
}
END_TEST

/* --------------------------------------------------------- giving back ---- */

/* By whichever way: leased again by ticket. */
START_TEST(back_by_ticket)
{
    static const unsigned orders[][3] = {
        { 1, 2, 3 }, { 3, 2, 1 }, { 1, 3, 2 }, { 2, 3, 1 }, { 2, 1, 3 }
    };
    struct desk desk = open_desk(16, 1 << 16);
    struct member **m = desk.members;
    struct item items[4];

    put_numbers(&desk, 5);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 1; i <= 3; i++)
            ck_assert_uint_eq(take_up(m[i], &items[i]), i - 1);
        for (unsigned i = 0; i < 3; i++) {
            unsigned who = orders[round][i];

            if (i == 1)
                ck_assert_int_eq(turn_release(m[who], &items[who]), 0);
            else
                ck_assert_int_eq(turn_abort(m[who]), 0);
        }
    }
    expect(&desk, 0, "01234");
    desk_close(&desk);
}
END_TEST

/* It keeps its ticket, and what is behind it waits. */
START_TEST(back_is_not_done)
{
    struct desk desk = open_desk(16, 1 << 16);
    struct member **m = desk.members;
    struct item items[2];

    take_two(&desk, items);
    give_last(m[2], 1, &items[1], 0, "b");
    ck_assert_int_eq(turn_abort(m[1]), 0);
    ck_assert_int_eq(order_advance_all(desk.segment, FOREVER), 0);
    ck_assert_uint_eq(desk_state(&desk, 1).held, 1);
    ck_assert_uint_eq(take_up(m[3], &items[0]), 0);
    give_last(m[3], 1, &items[0], 0, "a");
    expect(&desk, 1, "ab");
    desk_close(&desk);
}
END_TEST

/* What a dead one has committed is held, and outlives it. */
START_TEST(held_outlives)
{
    struct desk desk = open_desk(16, 1 << 16);
    struct member **m = desk.members;
    struct item items[2];

    take_two(&desk, items);
    give_last(m[2], 1, &items[1], 0, "b");
    member_forget(&m[2]);
    ck_assert_int_eq(member_recover(desk.segment, 2, CAUSE_SIGNAL, 9, NULL), 0);
    ck_assert_uint_eq(desk_state(&desk, 1).held, 1);
    give_last(m[1], 1, &items[0], 0, "a");
    expect(&desk, 1, "ab");
    desk_close(&desk);
}
END_TEST

/* ---------------------------------------------------------------- room ---- */

/* The last slot is the first's; it waits for none that is held. */
START_TEST(last_slot)
{
    struct desk desk = open_desk(2, 1 << 16);
    struct member **m = desk.members;
    struct room room = { .queue = 1, .slots = 1, .bytes = 1 };
    struct item items[3];

    put_numbers(&desk, 3);
    for (unsigned i = 0; i < 3; i++)
        take_up(m[i + 1], &items[i]);
    give_last(m[2], 1, &items[1], 0, "b");
    ck_assert_int_eq(stage_behind(m[3], 1, &items[2], 0, 1, "c"), WEIR_EFULL);
    ck_assert_int_eq(turn_wait_first(m[3], &items[2], 0), WEIR_ETIMEDOUT);
    ck_assert_int_eq(stage_behind(m[1], 1, &items[0], 0, 1, "a"), WEIR_EFULL);
    ck_assert_int_eq(turn_wait_first(m[1], &items[0], 0), 0);
    ck_assert_int_eq(turn_claim(m[1], &room, 1, 0), 0);
    give(m[1], 1, &items[0], 0, "a");
    ck_assert_int_eq(turn_wait_first(m[1], &items[0], 0), WEIR_ESTATE);
    ck_assert_int_eq(turn_unclaim(m[1], &room, 1), 0);
    finish(m[1], &items[0]);
    ck_assert_int_eq(turn_wait_first(m[3], &items[2], 0), 0);
    expect(&desk, 1, "ab");
    give_last(m[3], 1, &items[2], 0, "c");
    expect(&desk, 1, "c");
    desk_close(&desk);
}
END_TEST

/* One item of the first may pass the bound in bytes, and only one. */
START_TEST(bytes_are_passed_once)
{
    struct desk desk = open_desk(8, 100);
    struct member **m = desk.members;
    struct item items[2];

    take_two(&desk, items);
    ck_assert_int_eq(stage_behind(m[2], 1, &items[1], 0, 60, "b"), 0);
    /* its room counts until then */
    ck_assert_int_eq(stage_behind(m[2], 1, &items[1], 1, 60, "x"), WEIR_EFULL);
    ck_assert_int_eq(turn_wait_first(m[1], &items[0], 0), 0);
    ck_assert_int_eq(stage_behind(m[1], 1, &items[0], 0, 60, "a"), 0);
    ck_assert_int_eq(stage_behind(m[1], 1, &items[0], 1, 60, "x"), WEIR_EFULL);
    ck_assert_uint_eq(desk_state(&desk, 1).bytes, 120);
    ck_assert_int_eq(stage_behind(m[3], 1, NULL, 0, 101, "x"), WEIR_ETOOBIG);
    finish(m[1], &items[0]);
    finish(m[2], &items[1]);
    expect(&desk, 1, "ab");
    desk_close(&desk);
}
END_TEST

/* A claim of one who waits for what is held is taken; not one that will have
 * its room, and not the first's own. */
START_TEST(claims)
{
    struct desk desk = open_desk(4, 1 << 16);
    struct member **m = desk.members;
    struct room all = { .queue = 2, .slots = 4, .bytes = 4 };
    struct room one = { .queue = 2, .slots = 1, .bytes = 1 };
    struct item items[2];

    take_two(&desk, items);
    ck_assert_int_eq(turn_wait_first(m[1], &items[0], 0), 0);
    ck_assert_int_eq(turn_claim(m[3], &all, 1, 0), 0);
    ck_assert_int_eq(turn_claim(m[1], &one, 1, 0), WEIR_EFULL);
    ck_assert_int_eq(turn_unclaim(m[3], &all, 1), 0);
    give_last(m[2], 2, &items[1], 0, "b");
    desk.segment->queues[2].head->claim = 3 + 1; /* who waits, and will */
    ck_assert(turn_claims(m[3], &all, 1));
    ck_assert_int_eq(turn_claim(m[1], &one, 1, 0), 0);
    ck_assert(!turn_claims(m[3], &all, 1));
    ck_assert_int_eq(turn_claim(m[3], &all, 1, 0), WEIR_EFULL);
    give(m[1], 2, &items[0], 0, "a");
    ck_assert_int_eq(turn_unclaim(m[1], &one, 1), 0);
    finish(m[1], &items[0]);
    expect(&desk, 2, "ab");
    desk_close(&desk);
}
END_TEST

/* One that was the first has no more rights than others, once its item is done
 * or has gone back: it is not the first for good. */
START_TEST(first_no_more)
{
    struct desk desk = open_desk(4, 1 << 16);
    struct member **m = desk.members;
    struct room one = { .queue = 2, .slots = 1, .bytes = 1 };
    struct item items[3];

    put_numbers(&desk, 3);
    for (unsigned way = 0; way < 3; way++) {
        take_up(m[1], &items[0]);
        ck_assert_int_eq(turn_wait_first(m[1], &items[0], 0), 0);
        if (way == 0)
            ck_assert_int_eq(turn_release(m[1], &items[0]), 0);
        else if (way == 1)
            ck_assert_int_eq(turn_abort(m[1]), 0);
        else
            finish(m[1], &items[0]);
        ck_assert_int_eq(desk_stage(m[2], 2, "x", 1), 0);
        desk.segment->queues[2].head->claim = 3 + 1;
        ck_assert_int_eq(turn_claim(m[1], &one, 1, 0), WEIR_EFULL);
        desk.segment->queues[2].head->claim = 0;
        ck_assert_int_eq(turn_drop_from(m[2], 0), 0);
    }
    expect(&desk, 0, "12");
    desk_close(&desk);
}
END_TEST

/* ------------------------------------------------------------- rebuild ---- */

/* All caches are made anew, whatever they were. */
START_TEST(rebuilt)
{
    struct desk desk = open_desk(16, 1 << 16);
    struct member **m = desk.members;
    struct item items[4];
    uint64_t next;

    put_numbers(&desk, 8);
    for (unsigned i = 0; i < 3; i++)
        take_up(m[i + 1], &items[i]);
    give(m[3], 1, &items[2], 0, "c");
    give_last(m[3], 1, &items[2], 1, "d");
    take_up(m[3], &items[3]);
    ck_assert_int_eq(turn_release(m[2], &items[1]), 0);
    next = atomic_load(&desk.segment->queues[0].head->next);
    for (unsigned q = 0; q < 3; q++) {
        struct queue_head *head = desk.segment->queues[q].head;

        memset(head->lists, 0xff, sizeof head->lists);
        atomic_store(&head->next, 12345);
        head->head = 0;
        if (q == 0)
            head->tail--; /* dies before it is counted */
        ck_assert_int_eq(order_rebuild(&desk.segment->queues[q]), 0);
    }
    ck_assert_uint_eq(atomic_load(&desk.segment->queues[0].head->next), next);
    ck_assert_uint_eq(desk_state(&desk, 0).published, 8);
    ck_assert_uint_eq(desk_state(&desk, 1).held, 2);
    ck_assert_int_eq(turn_release(m[3], &items[3]), 0);
    give_last(m[1], 1, &items[0], 0, "a");
    ck_assert_uint_eq(take_up(m[2], &items[1]), 1);
    give_last(m[2], 1, &items[1], 0, "b");
    expect(&desk, 1, "abcd");
    expect(&desk, 0, "34567");
    desk_close(&desk);
}
END_TEST

/* A segment at an instant, and a new one that goes on from there: the first is
 * given back, the second's output is held, the third's is not given yet. */
START_TEST(restored)
{
    struct desk desk = open_desk(16, 1 << 16), next = open_desk(16, 1 << 16);
    struct snapshot snapshot = { .hold_ns = 0 };
    struct member **m = desk.members;
    struct item items[3];

    put_numbers(&desk, 5);
    for (unsigned i = 0; i < 3; i++)
        take_up(m[i + 1], &items[i]);
    give(m[2], 1, &items[1], 0, "b");
    give_last(m[2], 1, &items[1], 1, "c");
    give(m[3], 1, &items[2], 0, "x");
    ck_assert_int_eq(segment_snapshot(desk.segment, NS_PER_S, NULL, NULL,
                                      &snapshot),
                     0);
    ck_assert_uint_eq(snapshot.slots.count, 6);
    for (unsigned i = 1; i <= 3; i++)
        ck_assert_int_eq(turn_abort(m[i]), 0);
    desk_leave(&desk);

    m = next.members;
    ck_assert_int_eq(segment_restore(next.segment, &snapshot, NULL), 0);
    snapshot_done(&snapshot);
    ck_assert_uint_eq(desk_state(&next, 0).published, 5);
    ck_assert_uint_eq(desk_state(&next, 1).held, 2);
    ck_assert_uint_eq(take_up(m[1], &items[0]), 0);
    ck_assert_uint_eq(take_up(m[2], &items[1]), 2);
    give_last(m[2], 1, &items[1], 0, "d");
    ck_assert_int_eq(turn_wait_first(m[1], &items[0], 0), 0);
    give_last(m[1], 1, &items[0], 0, "a");
    expect(&next, 1, "abcd");
    expect(&next, 0, "34");
    desk_put(m[1], 0, "5");
    ck_assert_uint_eq(take_up(m[1], &items[0]), 5);
    finish(m[1], &items[0]);
    desk_close(&next);
}
END_TEST

static struct snapshot snapshot_of(const struct desk *desk)
{
    struct snapshot snapshot = { .hold_ns = 0 };

    ck_assert_int_eq(segment_snapshot(desk->segment, NS_PER_S, NULL, NULL,
                                      &snapshot),
                     0);
    return snapshot;
}

/* The first has committed, and died before anything followed from it: what was
 * held behind it is free in the new one, without anybody's commit. */
START_TEST(restored_is_free)
{
    struct desk desk = open_desk(16, 1 << 16), next = open_desk(16, 1 << 16);
    struct member **m = desk.members;
    struct snapshot snapshot;
    struct item items[2];

    take_two(&desk, items);
    give_last(m[2], 1, &items[1], 0, "b");
    give(m[1], 1, &items[0], 0, "a");
    ck_assert_int_eq(turn_done(m[1], &items[0]), 0);
    turn_book(m[1])->done = 1;
    atomic_store(&m[1]->head->txn, txn_of(TXN_COMMITTED, ++m[1]->sequence));
    snapshot = snapshot_of(&desk);
    ck_assert_uint_eq(snapshot.slots.count, 2);
    ck_assert(snapshot.slots.at[0].held && snapshot.slots.at[1].held);
    ck_assert_uint_eq(snapshot.published.at[1], 0);
    desk_leave(&desk);
    ck_assert_int_eq(segment_restore(next.segment, &snapshot, NULL), 0);
    snapshot_done(&snapshot);
    ck_assert_uint_eq(desk_state(&next, 1).held, 0);
    expect(&next, 1, "ab");
    desk_close(&next);
}
END_TEST

/* What was put before its commit gets the next tickets. */
START_TEST(restored_tickets)
{
    struct desk desk = open_desk(16, 1 << 16), next = open_desk(16, 1 << 16);
    struct member **m = desk.members;
    struct snapshot snapshot;
    struct item item;

    put_numbers(&desk, 3);
    ck_assert_uint_eq(take_up(m[1], &item), 0);
    ck_assert_int_eq(desk_stage(m[0], 0, "3", 1), 0);
    turn_book(m[0])->emitted = 4;
    atomic_store(&m[0]->head->txn, txn_of(TXN_COMMITTED, ++m[0]->sequence));
    snapshot = snapshot_of(&desk);
    ck_assert_uint_eq(snapshot.published.at[0], 4);
    desk_leave(&desk);
    ck_assert_int_eq(segment_restore(next.segment, &snapshot, NULL), 0);
    snapshot_done(&snapshot);
    m = next.members;
    desk_put(m[0], 0, "4");
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_uint_eq(take_up(m[1], &item), i);
        ck_assert_int_eq(*(const char *)item.data, (int)('0' + i));
        finish(m[1], &item);
    }
    desk_close(&next);
}
END_TEST

/* More bytes than the bound: the first's one item. */
START_TEST(restored_beyond_the_bound)
{
    struct desk desk = open_desk(8, 100), next = open_desk(8, 100);
    struct member **m = desk.members;
    char large[61] = "", x[61] = "";
    struct snapshot snapshot;
    struct item items[3];

    memset(large, 'a', 60);
    memset(x, 'x', 25);
    put_numbers(&desk, 3);
    for (unsigned i = 0; i < 3; i++)
        take_up(m[i + 1], &items[i]);
    give_last(m[2], 1, &items[1], 0, x);
    give(m[3], 1, &items[2], 0, x);
    give_last(m[3], 1, &items[2], 1, x);
    ck_assert_int_eq(turn_wait_first(m[1], &items[0], 0), 0);
    give_last(m[1], 1, &items[0], 0, large);
    ck_assert_uint_eq(desk_state(&desk, 1).bytes, 135);
    snapshot = snapshot_of(&desk);
    desk_leave(&desk);
    ck_assert_int_eq(segment_restore(next.segment, &snapshot, NULL), 0);
    snapshot_done(&snapshot);
    ck_assert_uint_eq(desk_state(&next, 1).bytes, 135);
    desk_take(next.members[1], 1, large);
    for (unsigned i = 0; i < 3; i++)
        desk_take(next.members[1], 1, x);
    desk_close(&next);
}
END_TEST

/* A job that keeps no order now: ready items go on, held ones cannot. */
START_TEST(restored_without_order)
{
    struct desk desk = open_desk(16, 1 << 16), next = desk_open(3, 32, 1 << 20);
    struct member **m = desk.members;
    struct snapshot snapshot;
    weir_error err = { 0 };
    struct item items[2];

    take_two(&desk, items);
    snapshot = snapshot_of(&desk);
    ck_assert_int_eq(segment_restore(next.segment, &snapshot, &err), 0);
    snapshot_done(&snapshot);
    expect(&next, 0, "01");
    desk_close(&next);
    give_last(m[2], 1, &items[1], 0, "b");
    snapshot = snapshot_of(&desk);
    next = desk_open(3, 32, 1 << 20);
    ck_assert_int_eq(segment_restore(next.segment, &snapshot, &err),
                     WEIR_ESTATE);
    ck_assert_str_ne(err.text, "");
    snapshot.slots.at[0].held = false;
    snapshot.slots.at[0].ticket = POSITION_START + 100; /* none has it yet */
    desk_leave(&next);
    next = open_desk(16, 1 << 16);
    ck_assert_int_eq(segment_restore(next.segment, &snapshot, &err),
                     WEIR_EINVAL);
    snapshot_done(&snapshot);
    desk_leave(&next);
    desk_leave(&desk);
}
END_TEST

/* A list that somebody wrote over is damage, and no crash. */
START_TEST(wild)
{
    struct desk desk = open_desk(16, 1 << 16);
    struct item item;

    put_numbers(&desk, 2);
    desk.segment->queues[0].head->lists[LIST_LEASED].count = 1 << 30;
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), WEIR_EBROKEN);
    ck_assert(segment_broken(desk.segment));
    desk_leave(&desk);
}
END_TEST

/* Numbers that are none are sorted behind all others: nobody looks there. */
START_TEST(wild_numbers)
{
    struct desk desk = open_desk(16, 1 << 16);
    const struct queue *queue = &desk.segment->queues[0];
    uint32_t at[] = { UINT32_MAX, 0, 1 << 30, 0, queue->capacity, 0 };
    const uint32_t last[] = { queue->capacity, 1 << 30, UINT32_MAX };
    struct item items[3];

    put_numbers(&desk, 3);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(take_up(desk.members[1], &items[i]), i);
    for (unsigned i = 0; i < 3; i++)
        at[2 * i + 1] = reference_slot(items[2 - i].ref);
    order_sort(queue, LIST_LEASED, at, 6);
    for (unsigned i = 0; i < 6; i++)
        ck_assert_uint_eq(at[i],
                          i < 3 ? reference_slot(items[i].ref) : last[i - 3]);
    desk_leave(&desk);
}
END_TEST

Suite *order_suite(void)
{
    Suite *suite = suite_create("order");
    TCase *test = tcase_create("order");

    tcase_add_test(test, held_until_its_turn);
    tcase_add_test(test, nothing_is_enough);
    tcase_add_test(test, strangers_pass);
    tcase_add_test(test, flush_is_last);
    tcase_add_test(test, back_by_ticket);
    tcase_add_test(test, back_is_not_done);
    tcase_add_test(test, held_outlives);
    tcase_add_test(test, last_slot);
    tcase_add_test(test, bytes_are_passed_once);
    tcase_add_test(test, claims);
    tcase_add_test(test, first_no_more);
    tcase_add_test(test, rebuilt);
    tcase_add_test(test, restored);
    tcase_add_test(test, restored_is_free);
    tcase_add_test(test, restored_tickets);
    tcase_add_test(test, restored_beyond_the_bound);
    tcase_add_test(test, restored_without_order);
    tcase_add_test(test, wild);
    tcase_add_test(test, wild_numbers);
    suite_add_tcase(suite, test);
    return suite;
}
