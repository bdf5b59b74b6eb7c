/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue.c - one queue under its lock: states, positions, rebuild. Runs in any
 * process that has the segment.
 *
 * A lock holder works on one end, one slot at a time, so READY positions have
 * no holes: head is the least, tail the greatest + 1, equal where none is
 * READY. Each change is one store of a word; what is counted beside it is a
 * cache that the rebuild makes anew:
 *
 *   publish    pos, ring, word = READY, tail + 1. Dies before the word: STAGED
 *              still, pos tells nothing. After it: tail one behind; rebuilt.
 *   give back  the same at head - 1.
 *   release    word = FREE, then the free stack. Dies between: rebuilt.
 */
#include "config.h"

#include <string.h>

#include "base/base.h"
#include "queue/internal.h"

/* -------------------------------------------------------------- charge ---- */

/* Of bytes in a chunk, or to be put into one: more than half of it. */
static uint64_t chunk_charge(uint64_t size, chunk number)
{
    uint64_t half = (number != 0 ? chunk_size(number) : store_size_for(size)) /
                        2 +
                    1;

    return size > half ? size : half;
}

static bool payload_is_inline(const struct slot *slot)
{
    return slot->chunk == 0 && slot->size <= SLOT_INLINE;
}

static bool attrs_are_inline(const struct slot *slot)
{
    uint32_t taken = payload_is_inline(slot) ? slot->size : 0;

    return slot->attrs_chunk == 0 && slot->attrs_size <= SLOT_INLINE - taken;
}

/* The same before and after a slot got its chunks: what a rebuild counts does
 * not depend on when the member died. */
uint64_t slot_charge(const struct slot *slot)
{
    uint64_t charge = payload_is_inline(slot)
                          ? slot->size
                          : chunk_charge(slot->size, slot->chunk);

    if (slot->attrs_size == 0)
        return charge;
    return charge + (attrs_are_inline(slot)
                         ? slot->attrs_size
                         : chunk_charge(slot->attrs_size, slot->attrs_chunk));
}

uint64_t queue_charge(uint64_t size, uint64_t attrs_size)
{
    uint64_t taken = size <= SLOT_INLINE ? size : 0;
    uint64_t charge = size <= SLOT_INLINE ? size : chunk_charge(size, 0);

    return charge + (attrs_size <= SLOT_INLINE - taken
                         ? attrs_size
                         : chunk_charge(attrs_size, 0));
}

/* What it says of itself is read once: between two looks a wild write may make
 * it something else. */
int slot_view(const struct segment *segment, const struct slot *slot,
              struct slot_view *view_out)
{
    const struct store *store = &segment->store;
    struct slot says;
    struct slot_view view = { 0 };

    says.size = slot->size;
    says.chunk = slot->chunk;
    says.attrs_size = slot->attrs_size;
    says.attrs_chunk = slot->attrs_chunk;
    atomic_signal_fence(memory_order_seq_cst); /* nor by the compiler */
    view.size = says.size;
    view.attrs_size = says.attrs_size;
    if (payload_is_inline(&says))
        view.data = slot->data;
    else if (says.chunk != 0)
        view.data = chunk_data(store, says.chunk);
    if (view.data == NULL ||
        (says.chunk != 0 && view.size > chunk_size(says.chunk)))
        return WEIR_EBROKEN;
    if (attrs_are_inline(&says))
        view.attrs = slot->data + SLOT_INLINE - view.attrs_size;
    else if (says.attrs_chunk != 0)
        view.attrs = chunk_data(store, says.attrs_chunk);
    if (view.attrs == NULL || view.attrs_size > ATTRS_MOST ||
        (says.attrs_chunk != 0 &&
         view.attrs_size > chunk_size(says.attrs_chunk)))
        return WEIR_EBROKEN;
    *view_out = view;
    return 0;
}

/* ------------------------------------------------------------- rebuild ---- */

struct census {
    uint32_t free, ready, leased, staged;
    uint64_t bytes, least, greatest;
};

static int count_slot(struct queue *queue, uint32_t number,
                      struct census *census)
{
    const struct slot *slot = &queue->slots[number];
    uint32_t word = atomic_load(&slot->word);

    switch (word_state(word)) {
    case SLOT_FREE:
        queue->free[census->free++] = number;
        return 0;
    case SLOT_READY:
        queue->ring[slot->pos & queue->ring_mask] = number;
        if (census->ready == 0 || slot->pos < census->least)
            census->least = slot->pos;
        if (census->ready == 0 || slot->pos > census->greatest)
            census->greatest = slot->pos;
        census->ready++;
        break;
    case SLOT_LEASED:
    case SLOT_DONE:
    case SLOT_SPENT:
        census->leased++;
        break;
    case SLOT_STAGED:
    case SLOT_HELD:
        census->staged++;
        break;
    default:
        return WEIR_EBROKEN;
    }
    census->bytes += slot_charge(slot);
    return 0;
}

static uint32_t count_sleepers(const struct queue *queue, enum side side)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < queue->segment->member_words; i++)
        count += (uint32_t)__builtin_popcountll(
            atomic_load(&queue->sleepers[side][i]));
    return count;
}

/* All caches from the slots. Reads truth and writes caches only, so it may be
 * killed and started again at any point. */
static int queue_rebuild(void *arg)
{
    struct queue *queue = arg;
    struct queue_head *head = queue->head;
    struct census census = { 0 };

    if (head->tail < POSITION_START || head->tail >= 2 * POSITION_START)
        return WEIR_EBROKEN;
    for (uint32_t i = 0; i < queue->capacity; i++) {
        if (count_slot(queue, i, &census) < 0)
            return WEIR_EBROKEN;
        if (i == queue->capacity / 2)
            WEIR_POINT("queue.rebuild.half");
    }
    /* READY items end at the tail, so it is behind only when one is READY: by
     * one, or by those of a put of many. With none it is right, and counts all
     * that ever became so: it is kept. */
    if (queue->order != NULL && order_rebuild(queue) < 0)
        return WEIR_EBROKEN;
    if (queue->lanes != NULL) {
        if (lanes_rebuild(queue, census.free, census.ready) < 0)
            return WEIR_EBROKEN;
    } else if (queue->order != NULL) {
        /* it is done */
    } else if (census.ready == 0) {
        head->head = head->tail;
    } else if (census.greatest - census.least + 1 == census.ready) {
        head->head = census.least;
        head->tail = census.greatest + 1;
    } else {
        return WEIR_EBROKEN; /* a hole */
    }
    head->free_count = census.free;
    atomic_store(&head->ready, census.ready);
    head->leased = census.leased;
    head->staged = census.staged;
    head->bytes = census.bytes;
    head->asleep = 0;
    for (unsigned side = 0; side < SIDES; side++) {
        head->sleeping[side] = count_sleepers(queue, side);
        head->asleep |= (head->sleeping[side] != 0) * (1U << side);
        head->waking[side] = 0;
    }
    return 0;
}

int queue_lock_until(struct queue *queue, int64_t deadline_ns)
{
    int code = lock_take_until(&queue->head->lock, deadline_ns, queue_rebuild,
                               queue);

    return code == WEIR_EBROKEN ? segment_damaged(queue->segment) : code;
}

int queue_lock(struct queue *queue)
{
    return queue_lock_until(queue, FOREVER);
}

void queue_unlock(struct queue *queue)
{
    lock_give(&queue->head->lock);
}

/* -------------------------------------------------------- under the lock ----
 */

void fetch_free(const struct queue *queue, unsigned count)
{
    uint32_t left = queue->head->free_count;

    for (; count > 0 && left > 0 && left <= queue->capacity; count--)
        fetch_slot(queue, queue->free[--left]);
}

void fetch_ready(const struct queue *queue, unsigned count)
{
    const struct queue_head *head = queue->head;

    if (queue->lanes != NULL)
        return;
    for (uint64_t at = head->head; count > 0 && at < head->tail; count--)
        fetch_slot(queue, queue->ring[at++ & queue->ring_mask]);
}

bool queue_at_end(const struct queue *queue)
{
    const struct queue_head *head = queue->head;

    return atomic_load(&head->closed) != 0 && atomic_load(&head->ready) == 0 &&
           head->leased == 0 && head->staged == 0;
}

bool queue_fits(const struct queue *queue, uint32_t slots, uint64_t bytes)
{
    const struct queue_head *head = queue->head;

    return head->free_count >= slots && head->bytes <= queue->bytes_most &&
           bytes <= queue->bytes_most - head->bytes;
}

/* The slot at one end of the READY ones: position, ring and word. */
static void make_ready(struct queue *queue, uint32_t number, uint64_t pos)
{
    struct slot *slot = &queue->slots[number];

    if (WEIR_MUTATED("word-before-pos")) {
        slot_set(slot, SLOT_READY);
        WEIR_POINT("queue.ready.mutant");
    }
    slot->pos = pos;
    queue->ring[pos & queue->ring_mask] = number;
    WEIR_POINT("queue.ready.pos");
    slot_set(slot, SLOT_READY);
    atomic_signal_fence(memory_order_seq_cst); /* then head or tail */
    WEIR_POINT("queue.ready.word");
}

/* A payload that became smaller than its room: from now on that is its size.
 * Again by a redo: size is what it is, or pos is a position already. */
void queue_settle_size(struct queue *queue, uint32_t number)
{
    struct slot *slot = &queue->slots[number];
    uint64_t before, size = slot->pos & ~SIZE_KNOWN;

    if ((slot->pos & SIZE_KNOWN) == 0 || size >= slot->size)
        return;
    before = slot_charge(slot);
    slot->size = (uint32_t)size;
    atomic_signal_fence(memory_order_seq_cst); /* then pos loses the mark */
    queue->head->bytes -= before - slot_charge(slot);
}

int queue_publish(struct queue *queue, uint32_t number)
{
    struct queue_head *head = queue->head;

    queue_settle_size(queue, number);
    if (queue->kept != KEPT_NOT) {
        if (queue->order != NULL)
            queue->order[number].ticket = head->tail;
        if (queue->lanes != NULL)
            return lanes_publish(queue, number);
    }
    make_ready(queue, number, head->tail);
    head->tail++;
    head->staged--;
    queue_add_ready(head, 1);
    return 0;
}

int queue_ready_again(struct queue *queue, uint32_t number, uint64_t pos)
{
    struct queue_head *head = queue->head;

    make_ready(queue, number, pos);
    head->head--;
    head->leased--;
    queue_add_ready(head, 1);
    return 0;
}

int queue_give_back(struct queue *queue, uint32_t number)
{
    if (queue->kept != KEPT_NOT)
        return queue->lanes != NULL ? lanes_give_back(queue, number)
                                    : order_give_back(queue, number);
    return queue_ready_again(queue, number, queue->head->head - 1);
}

int queue_release_slot(struct queue *queue, uint32_t number)
{
    struct queue_head *head = queue->head;
    struct slot *slot = &queue->slots[number];
    uint64_t charge = slot_charge(slot);
    enum slot_state state = word_state(atomic_load(&slot->word));

    if (head->free_count >= queue->capacity)
        return segment_damaged(queue->segment);
    slot_set(slot, SLOT_FREE);
    WEIR_POINT("queue.free.word");
    queue->free[head->free_count++] = number;
    head->bytes -= charge;
    if (state == SLOT_STAGED) {
        head->staged--;
        return 0;
    }
    head->leased--;
    return queue->order != NULL ? order_unleased(queue, number) : 0;
}

/* ----------------------------------------------------------- the owner's ----
 */

int queue_state(struct segment *segment, unsigned number, int64_t deadline_ns,
                struct queue_state *out)
{
    struct queue *queue = segment_queue(segment, number);
    struct queue_head *head;
    int code;

    if (queue == NULL)
        return WEIR_EINVAL;
    code = queue_lock_until(queue, deadline_ns);
    if (code < 0)
        return code;
    head = queue->head;
    *out = (struct queue_state){
        .capacity = queue->capacity,
        .bytes_most = queue->bytes_most,
        .ready = atomic_load(&head->ready),
        .leased = head->leased,
        .staged = head->staged,
        .held = head->lists[LIST_HELD].count,
        .free = head->free_count,
        .bytes = head->bytes,
        .consumers_waiting = head->sleeping[SIDE_CONSUMER],
        .producers_waiting = head->sleeping[SIDE_PRODUCER],
        .published = head->tail - POSITION_START,
        .closed = atomic_load(&head->closed) != 0,
        .overflow = head->overflow,
    };
    queue_unlock(queue);
    return 0;
}

static int close_as(struct segment *segment, unsigned number,
                    enum closed closed)
{
    struct queue *queue = segment_queue(segment, number);
    int code;

    if (queue == NULL)
        return WEIR_EINVAL;
    code = queue_lock(queue);
    if (code < 0)
        return code;
    if (atomic_load(&queue->head->closed) < (uint32_t)closed)
        atomic_store(&queue->head->closed, closed);
    WEIR_POINT("queue.close.word");
    queue_unlock(queue);
    return queue_wake_all(queue);
}

int queue_close(struct segment *segment, unsigned number)
{
    return close_as(segment, number, CLOSED_DRAIN);
}

int queue_close_now(struct segment *segment, unsigned number)
{
    return close_as(segment, number, CLOSED_NOW);
}

bool queue_drops(const struct segment *segment, unsigned number)
{
    const struct queue *queue = segment_queue(segment, number);

    return queue != NULL && atomic_load(&queue->head->closed) == CLOSED_NOW;
}

unsigned queue_overflow(const struct segment *segment, unsigned number)
{
    const struct queue *queue = segment_queue(segment, number);

    return queue == NULL ? 0 : queue->head->overflow;
}

uint32_t queue_ready_hint(const struct segment *segment, unsigned number)
{
    const struct queue *queue = segment_queue(segment, number);

    return queue == NULL ? 0
                         : atomic_load_explicit(&queue->head->ready,
                                                memory_order_relaxed);
}
