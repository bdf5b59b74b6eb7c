/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.c - a snapshot into a new segment. Runs in the supervisor, before
 * anybody else has the segment: so without locks, but for the store's.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "queue/internal.h"
#include "queue/snapshot.h"

/* When not both fit into the slot, the larger one gets the chunk, which is the
 * cheaper way: so no item counts for more than it did. */
static bool in_chunk(const struct saved_slot *saved)
{
    return saved->size > SLOT_INLINE ||
           (saved->attrs_size <= SLOT_INLINE &&
            saved->size + saved->attrs_size > SLOT_INLINE &&
            saved->size > saved->attrs_size);
}

static int fill_payload(struct segment *segment, struct slot *slot,
                        const struct saved_slot *saved, const char *bytes)
{
    _Atomic uint32_t *punch =
        &segment->members[segment->member_count - 1].punch;
    size_t taken = in_chunk(saved) ? 0 : saved->size;
    void *to = slot->data;
    int code;

    if (in_chunk(saved)) {
        code = store_take(&segment->store, saved->size, &slot->chunk,
                          &slot->chunk_ref, punch);
        if (code < 0)
            return code;
        to = chunk_data(&segment->store, slot->chunk);
    }
    if (saved->size > 0)
        memcpy(to, bytes, saved->size);
    to = slot->data + SLOT_INLINE - saved->attrs_size;
    if (saved->attrs_size > SLOT_INLINE - taken) {
        code = store_take(&segment->store, saved->attrs_size,
                          &slot->attrs_chunk, &slot->attrs_ref, punch);
        if (code < 0)
            return code;
        to = chunk_data(&segment->store, slot->attrs_chunk);
    }
    if (saved->attrs_size > 0)
        memcpy(to, bytes + saved->size, saved->attrs_size);
    return 0;
}

static bool may_be_held(const struct queue *queue,
                        const struct saved_slot *saved)
{
    const struct segment *segment = queue->segment;

    for (unsigned i = 0; i < segment->order_count; i++)
        if (segment->orders[i].to == queue->number &&
            segment->orders[i].from + 1 == saved->from)
            return true;
    return false;
}

/* With the ticket that it had: what is held elsewhere names it. */
static int restore_order(struct queue *queue, uint32_t number,
                         const struct saved_slot *saved, weir_error *err)
{
    struct slot_order *order;

    if (saved->held && !may_be_held(queue, saved))
        return error_set(err, WEIR_ESTATE,
                         "the job kept an order that it does not keep now");
    order = &queue->order[number];
    if (saved->held) {
        order->from = saved->from;
        order->behind = saved->behind;
        order->index = saved->index;
        return order_hold(queue, number);
    }
    queue_publish(queue, number);
    if (saved->ticket < POSITION_START || saved->ticket > order->ticket)
        return error_set(err, WEIR_EINVAL, "the count of a queue is wrong");
    order->ticket = saved->ticket;
    return 0;
}

/* Where order is kept one item may have passed the bound (order.c), and it need
 * not be the last that is put back. */
static bool has_room(const struct queue *queue, uint64_t charge)
{
    uint64_t most = queue->bytes_most;

    if ((queue->kept & KEPT_TO) != 0)
        most *= 2;
    return queue->head->bytes + charge <= most;
}

static int too_small(weir_error *err)
{
    return error_set(err, WEIR_EFULL,
                     "a queue is smaller than what stood in it");
}

static int restore_slot(struct segment *segment, const struct snapshot *from,
                        const struct saved_slot *saved, weir_error *err)
{
    struct queue *queue = segment_queue(segment, saved->queue);
    struct slot *slot;
    uint32_t number;
    int code;

    if (queue == NULL || saved->attrs_size > ATTRS_MOST ||
        saved->at + saved->size + saved->attrs_size > from->data.size)
        return error_set(err, WEIR_EINVAL, "an item of no queue");
    if (queue->head->free_count == 0)
        return too_small(err);
    number = queue->free[--queue->head->free_count];
    slot = &queue->slots[number];
    slot->size = saved->size;
    slot->attrs_size = (uint16_t)saved->attrs_size;
    slot->root = saved->root;
    slot->path = saved->path;
    slot->skip = saved->skip;
    slot->skip_hash = saved->skip_hash;
    slot->attempt = (uint16_t)saved->attempt;
    slot->cause = (uint8_t)saved->cause;
    slot->cause_code = saved->cause_code;
    atomic_store(&slot->marked, saved->marked);
    code = fill_payload(segment, slot, saved, from->data.data + saved->at);
    if (code < 0)
        return error_set(err, code, "the items that stood in the queues: %s",
                         weir_strerror(code));
    if (queue->lanes != NULL)
        queue->lane_of[number] = lanes_choose(queue,
                                              from->data.data + saved->at +
                                                  saved->size,
                                              saved->attrs_size);
    if (!has_room(queue, slot_charge(slot)))
        return too_small(err);
    queue->head->bytes += slot_charge(slot);
    queue->head->staged++;
    if (saved->held || (saved->ticket != 0 && queue->order != NULL))
        return restore_order(queue, number, saved, err);
    return queue_publish(queue, number);
}

/* Positions begin so that the tail tells how many were ever published. */
static int set_positions(struct segment *segment, const struct snapshot *from,
                         weir_error *err)
{
    for (unsigned i = 0; i < segment->queue_count; i++) {
        struct queue_head *head = segment->queues[i].head;
        uint64_t count = 0, published = from->published.at[i];

        for (size_t k = 0; k < from->slots.count; k++)
            count += from->slots.at[k].queue == i && !from->slots.at[k].held;
        if (published < count || published >= POSITION_START / 2)
            return error_set(err, WEIR_EINVAL, "the count of a queue is wrong");
        head->head = head->tail = POSITION_START + published - count;
    }
    return 0;
}

static void restore_book(struct member_head *head, const struct book *from)
{
    struct book *book = &head->books[0];

    *book = *from;
    book->ended = from->ended == ENDED_ALL;
    book->renames = 0; /* they are done by now */
    book->part = 0;    /* it stands in the slot */
    atomic_store(&head->txn, txn_of(TXN_IDLE, 0));
}

/* One that had nothing and is gone is not there yet: it is made by who appends,
 * and is another file then. */
static int restore_sinks(struct segment *segment,
                         const struct snapshot *snapshot, weir_error *err)
{
    unsigned count = 0;
    int code = 0;

    for (size_t i = 0; i < snapshot->sinks.count && code == 0; i++) {
        const struct saved_sink *sink = &snapshot->sinks.at[i];
        uint64_t size;

        if (sink->length == 0 && saved_sink_look(sink, &size) == -ENOENT)
            continue;
        code = sink_restore(segment, count++, sink, err);
    }
    return code;
}

int segment_restore(struct segment *segment, const struct snapshot *snapshot,
                    weir_error *err)
{
    int code = 0;

    if (snapshot->published.count != segment->queue_count ||
        snapshot->books.count != segment->member_count)
        return error_set(err, WEIR_EINVAL, "another number of queues");
    code = set_positions(segment, snapshot, err);
    for (size_t i = 0; i < snapshot->slots.count && code == 0; i++)
        code = restore_slot(segment, snapshot, &snapshot->slots.at[i], err);
    for (unsigned i = 0; i < segment->queue_count && code == 0; i++)
        if (segment->queues[i].order != NULL)
            code = order_rebuild(&segment->queues[i]);
    /* What the snapshot counts as done may have set some free. */
    if (code == 0)
        code = order_advance_all(segment, FOREVER);
    for (unsigned i = 0; i < segment->member_count && code == 0; i++)
        restore_book(member_at(segment, i), &snapshot->books.at[i]);
    if (code == 0)
        code = restore_sinks(segment, snapshot, err);
    return code;
}

void segment_begin_again(struct segment *segment, unsigned member)
{
    if (member < segment->member_count)
        member_at(segment, member)->books[0].ended = ENDED_NOT;
}
