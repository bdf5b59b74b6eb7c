/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * direct.c - put and get of small items by who holds nothing else: the whole
 * turn in one hold of the queue's lock. Runs in the member's process.
 *
 * The words, and the order in which they are stored, are those of a turn that
 * is made step by step (stage.c, lease.c, commit.c); but the lock is not given
 * back in between, so that others see none of the states between. Who dies in
 * here dies with the lock held: whoever takes it next rebuilds the caches from
 * the slots, and recovery finds TXN and references as at any death:
 *
 *   put   out[], word = STAGED(w), the bytes; TXN = COMMITTED; pos, word =
 *         READY; then, unlocked, out[] is cut and TXN = OPEN. Before COMMITTED:
 *         dropped. After it: what is STAGED(w) still is published
 *   get   in[], word = LEASED(w), the bytes are copied, word = DONE(w);
 *         TXN = COMMITTED; word = FREE; then in[] is cut. Before COMMITTED:
 *         given back, not charged; after it: what is DONE(w) still is freed
 *
 * The caller's own memory is not touched under the lock: a fault there may take
 * long, or end in a handler that does not come back. Bytes go by this stack, at
 * most SLOT_INLINE of each item.
 */
#include "config.h"

#include <string.h>

#include "base/base.h"
#include "queue/internal.h"

/* One that holds nothing, at a queue without order or key. */
bool turn_is_simple(const struct member *member, const struct queue *queue)
{
    return queue != NULL && queue->kept == KEPT_NOT && member->in_count == 0 &&
           member->out_count == 0 && member->ordered == 0 &&
           !segment_broken(member->segment);
}

static int publish_all(struct member *member, struct queue *queue)
{
    int code = 0;

    for (unsigned i = 0; i < member->out_count && code == 0; i++)
        code = queue_publish(queue,
                             reference_slot(atomic_load(&member->out[i])));
    return code;
}

static int release_all(struct member *member, struct queue *queue)
{
    int code = 0;

    for (unsigned i = 0; i < member->in_count && code == 0; i++)
        code = queue_release_slot(queue,
                                  reference_slot(atomic_load(&member->in[i])));
    return code;
}

/* Under the lock, which it gives back: the commit and what follows from it. */
int turn_settle(struct member *member, struct queue *queue)
{
    struct wakes wakes = { 0 };
    int code;

    commit_store(member);
    code = publish_all(member, queue);
    if (code == 0)
        code = release_all(member, queue);
    queue_choose_wakes(queue, &wakes);
    queue_unlock(queue);
    WEIR_POINT("queue.slots.unlocked");
    wakes_send(queue, &wakes);
    if (code < 0)
        return code;
    WEIR_POINT("queue.commit.redone");
    refs_set_count(member, REFS_IN, 0);
    WEIR_POINT("queue.commit.kept");
    commit_end(member);
    return 0;
}

/* The first of @items that are small, copied to @bytes: how many. */
static unsigned gather(const weir_bytes *items, unsigned count, char *bytes,
                       weir_bytes *copies)
{
    unsigned small = 0;

    for (; small < count && small < PUT_MOST; small++) {
        weir_bytes item = items[small];

        if (item.size > SLOT_INLINE)
            break;
        if (item.size > 0)
            memcpy(bytes, item.data, item.size);
        copies[small] = (weir_bytes){ bytes, item.size };
        bytes += item.size;
    }
    return small;
}

int turn_put(struct member *member, unsigned number, const weir_bytes *items,
             unsigned count, uint64_t root)
{
    struct queue *queue = segment_queue(member->segment, number);
    char bytes[PUT_MOST * SLOT_INLINE];
    weir_bytes copies[PUT_MOST];
    unsigned put = 0;
    int code;

    if (!turn_is_simple(member, queue))
        return 0;
    count = gather(items, count, bytes, copies);
    turn_open(member);
    turn_book(member);
    code = queue_lock(queue);
    if (code < 0)
        return code;
    while (put < count && code == 0) {
        code = stage_inline(member, queue, &copies[put], root + put);
        put += code == 0;
    }
    if (put > 0 && code != WEIR_EBROKEN) {
        code = turn_settle(member, queue);
        return code < 0 ? code : (int)put;
    }
    queue_unlock(queue);
    return code == WEIR_EBROKEN ? code : 0;
}

/* How many of those at the head are to be taken: as many as there are, and as
 * have room. 0: not here, for one of them is not inline. */
static unsigned to_take(const struct queue *queue, unsigned most, size_t room)
{
    const struct queue_head *head = queue->head;
    uint32_t ready = atomic_load_explicit(&head->ready, memory_order_relaxed);
    unsigned count = 0;

    if (atomic_load(&head->closed) == CLOSED_NOW)
        return 0;
    for (; count < most && count < ready; count++) {
        uint32_t number = queue->ring[(head->head + count) & queue->ring_mask];
        const struct slot *slot = &queue->slots[number % queue->capacity];

        if (slot->chunk != 0 || slot->attrs_chunk != 0 ||
            slot->size > SLOT_INLINE)
            return 0;
        if (slot->size > room)
            break;
        room -= slot->size;
    }
    return count;
}

static int take_one(struct member *member, struct queue *queue, char *bytes,
                    size_t *size_out)
{
    struct item item;
    int code = lease_one(member, queue, &item);

    if (code < 0)
        return code;
    if (item.size > SLOT_INLINE)
        return segment_damaged(member->segment);
    memcpy(bytes, item.data, item.size);
    *size_out = item.size;
    slot_set(&queue->slots[reference_slot(item.ref)],
             word_of(SLOT_DONE, member->number));
    WEIR_POINT("queue.done.word");
    return 0;
}

int turn_get(struct member *member, unsigned number, void *data, size_t room,
             size_t *sizes, unsigned most)
{
    struct queue *queue = segment_queue(member->segment, number);
    char bytes[LEASE_MOST * SLOT_INLINE];
    size_t each[LEASE_MOST];
    unsigned count;
    size_t size = 0;
    int code;

    if (!turn_is_simple(member, queue) || most > LEASE_MOST ||
        atomic_load_explicit(&queue->head->ready, memory_order_relaxed) == 0)
        return 0;
    turn_open(member);
    turn_book(member);
    code = queue_lock(queue);
    if (code < 0)
        return code;
    count = to_take(queue, most, room);
    if (count > 0 && member->spinning) { /* else turn_lease sees to it */
        spinner_end(queue, member->number);
        member->spinning = false;
    }
    for (unsigned i = 0; i < count && code == 0; i++) {
        code = take_one(member, queue, bytes + size, &each[i]);
        size += code == 0 ? each[i] : 0;
        if (size > room) /* it was not, a moment ago */
            code = segment_damaged(member->segment);
    }
    if (count > 0 && code == 0) {
        code = turn_settle(member, queue);
        if (code < 0)
            return code;
        if (size > 0)
            memcpy(data, bytes, size);
        memcpy(sizes, each, count * sizeof *each);
        return (int)count;
    }
    queue_unlock(queue);
    return code;
}
