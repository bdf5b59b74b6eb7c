/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* segment.c - making, attaching, and damage found in the header. */
#include "config.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "desk.h"

START_TEST(bounds)
{
    static const struct queue_plan bad[] = {
        { .capacity = 0, .bytes = 1 },
        { .capacity = CAPACITY_MOST + 1, .bytes = 1 },
        { .capacity = 1, .bytes = 0 },
        { .capacity = 1, .bytes = BYTES_MOST + 1 },
        { .capacity = 1, .bytes = 1, .key = "", .lanes = 1 },
        { .capacity = 1, .bytes = 1, .key = "k", .lanes = 0 },
        { .capacity = 1, .bytes = 1, .key = "k", .lanes = MEMBERS_MOST + 1 },
    };
    struct segment_plan plan = { .queues = &bad[_i],
                                 .queue_count = 1,
                                 .member_count = 1 };
    struct segment *segment;
    weir_error err;

    ck_assert_int_eq(segment_create(&plan, &segment, &err), WEIR_EINVAL);
    plan.queues = &(struct queue_plan){ .capacity = 1, .bytes = 1 };
    plan.member_count = 0;
    ck_assert_int_eq(segment_create(&plan, &segment, &err), WEIR_EINVAL);
}
END_TEST

START_TEST(largest)
{
    struct queue_plan queue = { .capacity = CAPACITY_MOST,
                                .bytes = UINT64_C(1) << 30 };
    struct segment_plan plan = { .queues = &queue,
                                 .queue_count = 1,
                                 .member_count = 2 };
    struct segment *segment;
    struct member *member;
    weir_error err;

    ck_assert_msg(segment_create(&plan, &segment, &err) == 0, "%s", err.text);
    ck_assert_int_eq(member_enter(segment, 1, &member), 0);
    for (unsigned i = 0; i < 3000; i++) {
        ck_assert_int_eq(desk_stage(member, 0, &i, sizeof i), 0);
        ck_assert_int_eq(turn_commit(member, NULL, NULL), 0);
    }
    ck_assert_uint_eq(queue_ready_hint(segment, 0), 3000);
    member_leave(&member);
    segment_free(&segment);
}
END_TEST

START_TEST(attach)
{
    struct desk desk = desk_open(2, 4, 4096);
    struct segment *other;
    struct member *member;
    struct item item;

    desk_put(desk.members[0], 1, "over there");
    ck_assert_int_eq(segment_attach(segment_fd(desk.segment), &other, NULL), 0);
    ck_assert_uint_eq(segment_queue_count(other), 2);
    ck_assert_uint_eq(segment_member_count(other), DESK_MEMBERS);
    member_leave(&desk.members[3]);
    ck_assert_int_eq(member_enter(other, 3, &member), 0);
    ck_assert_int_eq(desk_lease(member, 1, &item), 1);
    ck_assert_mem_eq(item.data, "over there", 10);
    ck_assert_int_eq(turn_done(member, &item), 0);
    ck_assert_int_eq(turn_commit(member, NULL, NULL), 0);
    member_leave(&member);
    segment_free(&other);
    desk_close(&desk);
}
END_TEST

START_TEST(no_segment)
{
    int fd = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct segment *segment;
    weir_error err;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(segment_attach(fd, &segment, &err), WEIR_EBROKEN);
    close(fd);
    ck_assert_int_lt(segment_attach(fd, &segment, &err), 0);
}
END_TEST

/* Any 32-bit word of the head, set to anything: refused or attached, never a
 * crash. */
START_TEST(wild_head)
{
    static const uint32_t wild[] = { 0, 1, 0x7fffffff, 0xffffffff };
    struct desk desk = desk_open(1, 4, 4096);
    uint32_t *words = (uint32_t *)desk.segment->head;
    size_t count = sizeof *desk.segment->head / sizeof *words;

    for (size_t at = 0; at < count; at++) {
        uint32_t before = words[at];

        for (unsigned i = 0; i < 4; i++) {
            struct segment *other = NULL;

            words[at] = wild[i];
            if (segment_attach(segment_fd(desk.segment), &other, NULL) == 0) {
                (void)segment_store_used;
                segment_free(&other);
            }
        }
        words[at] = before;
    }
    desk_close(&desk);
}
END_TEST

/* Each part in turn lies upon the lock that guards it, or upon the part before
 * it: refused by who attaches, since a lock that is held would be written over.
 */
START_TEST(parts_overlap)
{
    struct desk desk = desk_open(2, 4, 4096);
    struct segment_head *head = desk.segment->head;
    struct queue_head *queue = segment_queue(desk.segment, 1)->head;
    uint64_t lock_at = (uint64_t)((char *)queue - (char *)head) + CACHE_LINE;
    uint64_t *parts[] = {
        &head->members_at,
        &head->queues_at,
        &head->refs_at,
        &head->renames_at,
        &head->sinks_at,
        &head->orders_at,
        &queue->ring_at,
        &queue->free_at,
        &queue->slots_at,
        &queue->sleepers_at,
        &head->store.classes[0].region,
        &head->store.classes[1].refs_at,
    };
    struct segment *other = NULL;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint64_t before = *parts[i];

        *parts[i] = parts[i] == &head->queues_at ? head->members_at : lock_at;
        ck_assert_int_eq(segment_attach(segment_fd(desk.segment), &other, NULL),
                         WEIR_EBROKEN);
        *parts[i] = before;
    }
    ck_assert_int_eq(segment_attach(segment_fd(desk.segment), &other, NULL), 0);
    segment_free(&other);
    desk_close(&desk);
}
END_TEST

/* A wild index in a queue, found by who works there: WEIR_EBROKEN, for all
 * from then on. */
START_TEST(wild_queue)
{
    struct desk desk = desk_open(1, 4, 4096);
    struct queue *queue = segment_queue(desk.segment, 0);
    struct item item;

    desk_put(desk.members[0], 0, "x");
    switch (_i) {
    case 0:
        queue->ring[queue->head->head & queue->ring_mask] = 77;
        break;
    case 1:
        queue->slots[0].chunk = 0xfffffff;
        break;
    case 2:
        queue->slots[0].size = 0xfffffff;
        break;
    case 3:
        queue->slots[0].attrs_size = 0xffff;
        break;
    case 4:
        atomic_store(&queue->slots[0].word, 0xdeadbeef);
        break;
    case 5:
        queue->slots[0].attrs_chunk = 0x7fffffff;
        queue->slots[0].attrs_size = 100;
        break;
    default:
        ck_abort();
    }
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), WEIR_EBROKEN);
    ck_assert(segment_broken(desk.segment));
    ck_assert_int_eq(desk_lease(desk.members[2], 0, &item), WEIR_EBROKEN);
    ck_assert_int_eq(desk_stage(desk.members[2], 0, "y", 1), WEIR_EBROKEN);
    desk_leave(&desk);
}
END_TEST

/* A kind of order that there is not. */
START_TEST(wild_kept)
{
    struct desk desk = desk_open(1, 4, 4096);
    struct segment *other = NULL;

    desk.segment->queues[0].head->kept = KEPT_ALL + 1;
    ck_assert_int_eq(segment_attach(segment_fd(desk.segment), &other, NULL),
                     WEIR_EBROKEN);
    desk.segment->queues[0].head->kept = KEPT_NOT;
    desk_close(&desk);
}
END_TEST

START_TEST(wild_free_list)
{
    struct desk desk = desk_open(1, 4, 4096);
    struct queue *queue = segment_queue(desk.segment, 0);

    queue->free[3] = 0xffff;
    ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), WEIR_EBROKEN);
    desk_leave(&desk);
}
END_TEST

Suite *segment_suite(void)
{
    Suite *suite = suite_create("segment");
    TCase *test = tcase_create("segment");

    tcase_add_loop_test(test, bounds, 0, 7);
    tcase_add_test(test, largest);
    tcase_add_test(test, attach);
    tcase_add_test(test, no_segment);
    tcase_add_test(test, wild_head);
    tcase_add_test(test, parts_overlap);
    tcase_add_loop_test(test, wild_queue, 0, 6);
    tcase_add_test(test, wild_kept);
    tcase_add_test(test, wild_free_list);
    suite_add_tcase(suite, test);
    return suite;
}
