/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lanes.c - items whose key has one value go to one member, in order. Runs in
 * any process that has the segment.
 *
 * A queue with a key has a LANE for each worker of the stage that takes from
 * it. An item's lane is chosen by the value of its attribute when it is staged,
 * and stands beside its slot (lane_of) until the slot is FREE. All lanes are of
 * one pool of slots: so the bounds are those of the queue, and one lane may
 * fill it; then those behind it wait, as behind any slow consumer, and nobody
 * waits for another lane.
 *
 * A lane has one SERVER. Its number in the stage is the lane's, and who comes
 * after a dead one has the same: so what has one key is with one member at a
 * time, and the next one begins when all that the dead one had is back.
 *
 * ORDER. `pos` of a slot here is the number of its first publication in this
 * queue, and does not change when it is given back: a lane stands by it, and
 * what is given back goes to its place, whoever gives it back when. So a member
 * that settles its items one after another settles those of each key in order,
 * through retries and deaths. Where the stages before keep order, too, the
 * number is the item's ticket (order.c).
 *
 * The truth is word, pos, lane_of and server; lists, counts and `served` are
 * caches. All that changes a list happens under the queue's lock, and who finds
 * its holder dead makes all of them anew:
 *
 *   publish    pos, word = READY, linked, tail + 1. Dies before the word:
 *              STAGED still, pos tells nothing. After it: READY at the tail's
 *              position, which is one behind then: it is raised.
 *   lease      word = LEASED, unlinked. Dies between: it is in no list.
 *   give back  word = READY, linked. Dies between: linked at its place.
 *   serve      one store. The bit in `served` follows from it.
 *
 * WAKING is as in wake.c, but that of the sleepers only one is chosen that has
 * something READY in its lane. The woken one takes it, and wakes the next such
 * one: so one wake on its way is enough here, too. Who waits awake is taken for
 * nobody's consumer: an item of another lane must not count on it.
 */
#include "config.h"

#include "base/base.h"
#include "queue/attrs.h"
#include "queue/internal.h"

/* ---------------------------------------------------------------- choice ----
 */

uint32_t lanes_choose(const struct queue *queue, const void *attrs, size_t size)
{
    const void *value = NULL;
    size_t value_size = 0;

    /* one that is not there is as one without bytes */
    if (attrs_find(attrs, size, queue->key, queue->key_size, &value,
                   &value_size) < 0)
        value_size = 0;
    return (uint32_t)(hash_bytes(value, value_size, 0) % queue->lane_count);
}

/* ----------------------------------------------------------------- lists ----
 */

static uint32_t count_of(const struct lane *lane)
{
    return atomic_load_explicit(&lane->ready, memory_order_relaxed);
}

/* NULL: damaged. */
static struct lane *lane_of_slot(const struct queue *queue, uint32_t number)
{
    uint32_t lane = queue->lane_of[number];

    return lane < queue->lane_count ? &queue->lanes[lane] : NULL;
}

/* The bit of who serves it. */
static void show(struct queue *queue, const struct lane *lane)
{
    uint32_t server = atomic_load_explicit(&lane->server, memory_order_relaxed);
    uint64_t bit = UINT64_C(1) << (server - 1) % 64;

    if (server == 0 || server > queue->segment->member_count)
        return;
    if (count_of(lane) != 0)
        queue->served[(server - 1) / 64] |= bit;
    else
        queue->served[(server - 1) / 64] &= ~bit;
}

static void set_count(struct queue *queue, struct lane *lane, uint32_t count)
{
    uint32_t before = count_of(lane);

    atomic_store_explicit(&lane->ready, count, memory_order_relaxed);
    if (before == 0 || count == 0)
        show(queue, lane);
}

static int link_last(struct queue *queue, struct lane *lane, uint32_t number)
{
    uint32_t count = count_of(lane), last = lane->last;

    if (count == 0)
        lane->first = number;
    else if (last < queue->capacity)
        queue->ring[last] = number;
    else
        return segment_damaged(queue->segment);
    lane->last = number;
    set_count(queue, lane, count + 1);
    return 0;
}

/* Behind the last one that was published before it: mostly there is none. */
static int link_at_place(struct queue *queue, struct lane *lane,
                         uint32_t number)
{
    uint32_t count = count_of(lane), at = lane->first, before = UINT32_MAX;
    uint64_t pos = queue->slots[number].pos;
    uint32_t passed = 0;

    if (count >= queue->capacity)
        return segment_damaged(queue->segment);
    for (; passed < count; passed++) {
        if (at >= queue->capacity)
            return segment_damaged(queue->segment);
        if (queue->slots[at].pos > pos && !WEIR_MUTATED("lane-back-last"))
            break;
        before = at;
        at = queue->ring[at];
    }
    if (before == UINT32_MAX)
        lane->first = number;
    else
        queue->ring[before] = number;
    if (passed == count)
        lane->last = number;
    else
        queue->ring[number] = at;
    set_count(queue, lane, count + 1);
    return 0;
}

/* ---------------------------------------------------------------- changes ----
 */

const _Atomic uint32_t *lanes_ready(const struct queue *queue,
                                    const struct member *member)
{
    static const _Atomic uint32_t nothing = 0;
    const struct lane *lane;

    if (member->laned != queue->number + 1 || member->lane >= queue->lane_count)
        return NULL;
    lane = &queue->lanes[member->lane];
    return atomic_load_explicit(&lane->server, memory_order_relaxed) ==
                   member->number + 1
               ? &lane->ready
               : &nothing;
}

uint32_t lanes_first(const struct queue *queue, const struct member *member)
{
    return queue->lanes[member->lane].first;
}

void lanes_leased(struct queue *queue, const struct member *member,
                  uint32_t number)
{
    struct lane *lane = &queue->lanes[member->lane];

    lane->first = queue->ring[number];
    WEIR_POINT("queue.lane.unlinked");
    set_count(queue, lane, count_of(lane) - 1);
}

int lanes_publish(struct queue *queue, uint32_t number)
{
    struct queue_head *head = queue->head;
    struct slot *slot = &queue->slots[number];
    struct lane *lane = lane_of_slot(queue, number);

    if (lane == NULL)
        return segment_damaged(queue->segment);
    slot->pos = head->tail;
    WEIR_POINT("queue.lane.pos");
    slot_set(slot, SLOT_READY);
    WEIR_POINT("queue.lane.word");
    if (link_last(queue, lane, number) < 0)
        return WEIR_EBROKEN;
    WEIR_POINT("queue.lane.linked");
    head->tail++;
    head->staged--;
    queue_add_ready(head, 1);
    return 0;
}

int lanes_give_back(struct queue *queue, uint32_t number)
{
    struct queue_head *head = queue->head;
    struct lane *lane = lane_of_slot(queue, number);

    if (lane == NULL)
        return segment_damaged(queue->segment);
    slot_set(&queue->slots[number], SLOT_READY);
    WEIR_POINT("queue.lane.back");
    if (link_at_place(queue, lane, number) < 0)
        return WEIR_EBROKEN;
    WEIR_POINT("queue.lane.placed");
    head->leased--;
    queue_add_ready(head, 1);
    return queue->order != NULL ? order_unleased(queue, number) : 0;
}

int turn_serve(struct member *member, unsigned number, uint32_t lane)
{
    struct queue *queue = segment_queue(member->segment, number);
    int code;

    if (queue == NULL || lane >= queue->lane_count)
        return WEIR_EINVAL;
    code = queue_lock(queue);
    if (code < 0)
        return code;
    for (unsigned i = 0; i < queue->segment->member_words; i++)
        queue->served[i] = 0;
    atomic_store_explicit(&queue->lanes[lane].server, member->number + 1,
                          memory_order_relaxed);
    WEIR_POINT("queue.lane.served");
    for (uint32_t i = 0; i < queue->lane_count; i++)
        show(queue, &queue->lanes[i]);
    queue_unlock(queue);
    member->laned = number + 1;
    member->lane = lane;
    return 0;
}

/* ---------------------------------------------------------------- rebuild ----
 */

/* Those that are READY, by number, behind all that stands in the free stack. */
static uint32_t *gather(struct queue *queue, uint32_t free, uint32_t ready)
{
    uint32_t *at = queue->free + free, count = 0;

    if (free + ready > queue->capacity)
        return NULL;
    for (uint32_t i = 0; i < queue->capacity; i++) {
        if (word_state(atomic_load(&queue->slots[i].word)) != SLOT_READY)
            continue;
        if (count == ready || queue->lane_of[i] >= queue->lane_count)
            return NULL;
        at[count++] = i;
    }
    return count == ready ? at : NULL; /* behind them stands anything */
}

int lanes_rebuild(struct queue *queue, uint32_t free, uint32_t ready)
{
    struct queue_head *head = queue->head;
    uint32_t *at = gather(queue, free, ready);

    if (at == NULL)
        return WEIR_EBROKEN;
    if (!WEIR_MUTATED("lane-unsorted"))
        order_sort(queue, LIST_READY, at, ready);
    for (uint32_t i = 0; i < queue->lane_count; i++)
        set_count(queue, &queue->lanes[i], 0);
    WEIR_POINT("queue.lane.rebuild");
    for (uint32_t i = 0; i < ready; i++) {
        uint32_t number = at[i];
        struct lane *lane = number < queue->capacity
                                ? lane_of_slot(queue, number)
                                : NULL;
        uint64_t pos;

        if (lane == NULL || link_last(queue, lane, number) < 0)
            return WEIR_EBROKEN;
        pos = queue->slots[number].pos;
        if (pos >= head->tail)
            head->tail = pos + 1;
    }
    for (unsigned i = 0; i < queue->segment->member_words; i++)
        queue->served[i] = 0;
    for (uint32_t i = 0; i < queue->lane_count; i++)
        show(queue, &queue->lanes[i]);
    return 0;
}
