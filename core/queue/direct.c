/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * direct.c - put and get of items that are quickly copied, by who holds nothing
 * else: the whole turn in one hold of the queue's lock. Runs in the member's
 * process.
 *
 * The words, and the order in which they are stored, are those of a turn that
 * is made step by step (stage.c, lease.c, commit.c); but the lock is not given
 * back in between, so that others see none of the states between. Who dies in
 * here dies with the lock held: whoever takes it next rebuilds the caches from
 * the slots, and recovery finds TXN and references as at any death:
 *
 *   put   out[], word = STAGED(w), its chunk, the bytes; TXN = COMMITTED; pos,
 *         word = READY; then, unlocked, out[] is cut and TXN = OPEN. Before
 *         COMMITTED: dropped. After it: what is STAGED(w) still is published
 *   get   in[], word = LEASED(w), the bytes are copied, word = DONE(w);
 *         TXN = COMMITTED; the chunk goes; word = FREE; then in[] is cut.
 *         Before COMMITTED: given back, not charged; after it: what is DONE(w)
 *         still is freed
 *
 * THE STORE'S LOCK IS TAKEN INSIDE OF THE QUEUE'S, here and nowhere else, and
 * never the other way round, so there is no circle. Who dies with both leaves
 * both to be rebuilt, each from the slots, by whoever takes it next; in either
 * order, for neither rebuild reads what the other writes. One who is stopped
 * with the store's lock holds up who waits for it with the queue's: the sweep
 * looks at the store's, too, and names the one who has it.
 *
 * The caller's own memory is not touched under the lock: a fault there may take
 * long, or end in a handler that does not come back. Bytes go by this stack.
 */
#include "config.h"

#include <string.h>

#include "base/base.h"
#include "queue/internal.h"

/* Of one turn, on the stack. */
enum { BYTES = PUT_MOST * ITEM_SMALL };

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
    bool puts = member->out_count > 0;
    int code;

    commit_store(member);
    code = publish_all(member, queue);
    if (code == 0 && !puts)
        code = slots_drop_chunks(member->segment, member->in, member->in_count,
                                 SLOT_DONE, member->number);
    if (code == 0)
        code = release_all(member, queue);
    queue_choose_wakes(queue, &wakes);
    if (puts) /* for the next turn, which likely is like this one */
        fetch_free(queue, 1);
    else
        fetch_ready(queue, 1);
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

/* The first of @items that have room, copied to @bytes: how many. One that can
 * never be in the queue is not looked at. */
static unsigned gather(const struct queue *queue, const weir_bytes *items,
                       unsigned count, char *bytes, weir_bytes *copies)
{
    unsigned some = 0;
    size_t room = BYTES;

    for (; some < count && some < PUT_MOST; some++) {
        weir_bytes item = items[some];

        if (item.size > ITEM_DIRECT || item.size > room ||
            item.size > queue->bytes_most)
            break;
        copy_bytes(bytes, item.data, item.size);
        copies[some] = (weir_bytes){ bytes, item.size };
        bytes += item.size;
        room -= item.size;
    }
    return some;
}

/* The largest needs a chunk: 1; and there is none with pages: -1. */
static int need_store(const struct member *member, const weir_bytes *items,
                      unsigned count)
{
    int need = 0;

    for (unsigned i = 0; i < count; i++) {
        if (items[i].size <= SLOT_INLINE)
            continue;
        if (!store_is_warm(&member->segment->store, items[i].size))
            return -1;
        need = 1;
    }
    return need;
}

/* Both locks, or none. */
static int lock_both(struct queue *queue, bool with_store)
{
    int code = queue_lock(queue);

    if (code < 0 || !with_store)
        return code;
    code = store_lock(&queue->segment->store);
    if (code == 0)
        return 0;
    queue_unlock(queue);
    return code == WEIR_EBROKEN ? segment_damaged(queue->segment) : code;
}

int turn_put(struct member *member, unsigned number, const weir_bytes *items,
             unsigned count, uint64_t root)
{
    struct queue *queue = segment_queue(member->segment, number);
    char bytes[BYTES];
    weir_bytes copies[PUT_MOST];
    unsigned put = 0;
    int code, store;

    if (!turn_is_simple(member, queue))
        return 0;
    count = gather(queue, items, count, bytes, copies);
    store = need_store(member, copies, count);
    if (count == 0 || store < 0)
        return 0;
    turn_open(member);
    turn_ordinal(member);
    code = lock_both(queue, store > 0);
    if (code < 0)
        return code;
    fetch_free(queue, count);
    while (put < count && code == 0) {
        code = stage_now(member, queue, &copies[put], root + put);
        put += code == 0;
    }
    if (store > 0)
        store_unlock(&member->segment->store);
    if (put > 0 && code != WEIR_EBROKEN) {
        code = turn_settle(member, queue);
        return code < 0 ? code : (int)put;
    }
    queue_unlock(queue);
    return code == WEIR_EBROKEN ? code : 0;
}

/* How many of those at the head are to be taken: as many as there are, and as
 * have room. 0: not here, for they are too large for it. */
static unsigned to_take(const struct queue *queue, unsigned most, size_t room)
{
    const struct queue_head *head = queue->head;
    uint32_t ready = atomic_load_explicit(&head->ready, memory_order_relaxed);
    unsigned count = 0;
    size_t bytes = BYTES;

    if (atomic_load(&head->closed) == CLOSED_NOW)
        return 0;
    fetch_ready(queue, most);
    for (; count < most && count < ready; count++) {
        uint32_t number = queue->ring[(head->head + count) & queue->ring_mask];
        const struct slot *slot = &queue->slots[number];

        if (number >= queue->capacity || slot->attrs_chunk != 0 ||
            slot->size > ITEM_DIRECT)
            return 0;
        if (slot->size > room)
            break;
        if (slot->size > bytes)
            return 0;
        room -= slot->size;
        bytes -= slot->size;
    }
    return count;
}

/* Takes the one at the head; @room: it had so much, a moment ago. */
static int take_one(struct member *member, struct queue *queue, char *bytes,
                    size_t room, size_t *size_out)
{
    uint32_t number = queue->ring[queue->head->head & queue->ring_mask];
    struct slot *slot = &queue->slots[number];
    struct slot_view view;
    int code;

    if (number >= queue->capacity || atomic_load(&slot->word) != SLOT_READY ||
        slot_view(member->segment, slot, &view) < 0 || view.size > room)
        return segment_damaged(member->segment);
    code = lease_slot(member, queue, number);
    if (code < 0)
        return code;
    queue->head->head++;
    copy_bytes(bytes, view.data, view.size);
    *size_out = view.size;
    slot_set(slot, word_of(SLOT_DONE, member->number));
    WEIR_POINT("queue.done.word");
    return 0;
}

/* Under the lock: how many bytes; or a code. */
static int take_many(struct member *member, struct queue *queue, char *bytes,
                     size_t room, size_t *sizes, unsigned count)
{
    size_t size = 0;

    for (unsigned i = 0; i < count; i++) {
        int code = take_one(member, queue, bytes + size, room - size,
                            &sizes[i]);

        if (code < 0)
            return code;
        size += sizes[i];
    }
    return (int)size;
}

int turn_get(struct member *member, unsigned number, void *data, size_t room,
             size_t *sizes, unsigned most)
{
    struct queue *queue = segment_queue(member->segment, number);
    char bytes[BYTES];
    size_t each[LEASE_MOST];
    unsigned count;
    int code, size;

    if (!turn_is_simple(member, queue) || most > LEASE_MOST ||
        atomic_load_explicit(&queue->head->ready, memory_order_relaxed) == 0)
        return 0;
    turn_open(member);
    turn_ordinal(member);
    code = queue_lock(queue);
    if (code < 0)
        return code;
    count = to_take(queue, most, room);
    if (count == 0) {
        queue_unlock(queue);
        return 0;
    }
    spin_learn(member, queue, count);
    if (member->spinning) { /* else turn_lease sees to it */
        spinner_end(queue, member->number);
        member->spinning = false;
    }
    size = take_many(member, queue, bytes, room < BYTES ? room : BYTES, each,
                     count);
    if (size < 0) {
        queue_unlock(queue);
        return size;
    }
    code = turn_settle(member, queue);
    if (code < 0)
        return code;
    copy_bytes(data, bytes, (size_t)size);
    copy_bytes(sizes, each, count * sizeof *each);
    return (int)count;
}
