/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* desk.c - see desk.h. */
#include "config.h"

#include <string.h>

#include "desk.h"

struct desk desk_open(unsigned queues, uint32_t capacity, uint64_t bytes)
{
    struct queue_plan plans[8];
    struct segment_plan plan = { .queues = plans,
                                 .queue_count = queues,
                                 .member_count = DESK_MEMBERS,
                                 .sink_count = 2 };
    struct desk desk = { 0 };
    weir_error err;

    for (unsigned i = 0; i < queues; i++)
        plans[i] = (struct queue_plan){ .capacity = capacity, .bytes = bytes };
    ck_assert_msg(segment_create(&plan, &desk.segment, &err) == 0, "%s",
                  err.text);
    for (unsigned i = 0; i < DESK_MEMBERS; i++)
        ck_assert_int_eq(member_enter(desk.segment, i, &desk.members[i]), 0);
    return desk;
}

void desk_close(struct desk *desk)
{
    uint64_t chunks, touched;

    for (unsigned i = 0; i < DESK_MEMBERS; i++)
        member_leave(&desk->members[i]);
    for (unsigned q = 0; q < segment_queue_count(desk->segment); q++) {
        struct queue_state state = desk_state(desk, q);

        ck_assert_uint_eq(state.leased, 0);
        ck_assert_uint_eq(state.staged, 0);
        ck_assert_uint_eq(state.free + state.ready, state.capacity);
        if (state.ready == 0)
            ck_assert_uint_eq(state.bytes, 0);
    }
    ck_assert_int_eq(segment_store_used(desk->segment, &chunks, &touched), 0);
    for (unsigned q = 0; q < segment_queue_count(desk->segment); q++)
        if (desk_state(desk, q).ready != 0)
            chunks = 0; /* some are still in use */
    ck_assert_uint_eq(chunks, 0);
    segment_free(&desk->segment);
}

void desk_leave(struct desk *desk)
{
    for (unsigned i = 0; i < DESK_MEMBERS; i++)
        member_forget(&desk->members[i]);
    segment_free(&desk->segment);
}

int desk_stage(struct member *member, unsigned queue, const void *data,
               size_t size)
{
    struct stage_spec spec = { .queue = queue, .room = size };
    struct staged staged;
    int code = turn_stage(member, &spec, &staged);

    if (code == 0 && size > 0)
        memcpy(staged.data, data, size);
    return code;
}

void desk_put(struct member *member, unsigned queue, const char *text)
{
    ck_assert_int_eq(desk_stage(member, queue, text, strlen(text)), 0);
    ck_assert_int_eq(turn_commit(member, NULL, NULL), 0);
}

int desk_lease(struct member *member, unsigned queue, struct item *item)
{
    return turn_lease(member, &queue, 1, 1, 1, 0, item);
}

void desk_take(struct member *member, unsigned queue, const char *text)
{
    struct item item;

    ck_assert_int_eq(desk_lease(member, queue, &item), 1);
    ck_assert_uint_eq(item.size, strlen(text));
    ck_assert_mem_eq(item.data, text, item.size);
    ck_assert_int_eq(turn_take_up(member, &item), 0);
    ck_assert_int_eq(turn_done(member, &item), 0);
    ck_assert_int_eq(turn_commit(member, NULL, NULL), 0);
}

struct queue_state desk_state(const struct desk *desk, unsigned queue)
{
    struct queue_state state;

    ck_assert_int_eq(queue_state(desk->segment, queue, FOREVER, &state), 0);
    return state;
}
