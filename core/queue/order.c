/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * order.c - a stage's outputs in the order of its inputs. Runs in any process
 * that has the segment.
 *
 * Each item of an ordered stage's input queue has a TICKET: the number of its
 * first publication there. The commit makes an output HELD instead of READY,
 * behind its input's ticket; and an output may be READY when all items with
 * lesser tickets are done:
 *
 *     behind <= next,  next = the least ticket in a slot of the input queue
 *                             that is READY, LEASED or DONE
 *
 * `next` is derived from the slots, and so is everything here: there is no
 * record of the stage. It never goes back: a later item has a greater ticket,
 * one that is given back keeps its own, and one that is done is never there
 * again. So whoever read it may use it as long as it likes. An item that
 * failed, or was skipped, is done without outputs: nothing is to be said of it.
 *
 * THE STEPS of a commit, and what is true if the process dies right there:
 *
 *   hold      `from`, `behind`, `index` stand since the slot was STAGED; word =
 *             HELD. Before it: STAGED(w), the redo holds it. After it: it is
 *             nobody's; the redo finds that it is not STAGED(w).
 *   free      the input, DONE(w): FREE. Only now `next` passes it, and by then
 *             all its outputs are HELD, in every queue: so whoever sees that
 *             `next` has passed a ticket sees all that stands behind it.
 *   advance   in each queue that the stage fills: what is HELD and behind
 *             <= next becomes READY, in order. Before it, or half way: HELD are
 *             a run that begins at the least; the next who comes publishes
 *             them. That is any later commit of the stage, or who recovers.
 *
 * Two who advance at once do so one after the other, under the queue's lock;
 * the second finds what the first left. Somebody always comes: who frees an
 * input advances after it, and recovery advances after each death.
 *
 * READY items of such an input queue stand by ticket, not by who gave them
 * back last: so items are leased by ticket, and the least is always with
 * somebody before those behind it. Positions are then no truth: a rebuild
 * sorts by ticket.
 *
 * ROOM. What is HELD takes room that only the first item can free. So: nobody
 * takes the last slot of such a queue but the FIRST (whose item is the least
 * that is not done), and nobody else of the stage waits for room: it waits
 * until it is the first. Who waits so has committed what it has done, and has
 * put off no other item: it would wait for itself. What the first commits is
 * READY at once, so the slot that was left drains downstream. It takes one slot
 * at a time, so that it never waits for what is HELD; it takes the claim of
 * others while there is something HELD or STAGED, or they would wait for each
 * other; and its one item may pass the byte bound. See turn_wait_first.
 *
 * A SNAPSHOT of a segment must have, beside the slots: `ticket` of each that is
 * READY, LEASED or DONE, and the queue's tail; `from`, `behind`, `index` of
 * each that is HELD. What is HELD comes from a commit and is not made again.
 * Tickets may be numbered anew if all that name them are, and the tail is
 * greater than all; restore.c keeps them. `next` follows from the copy, by what
 * the snapshot makes of each turn:
 *
 *   not committed   its inputs are READY with their tickets, and none of its
 *                   outputs is there: what they hold back stays HELD
 *   committed       its inputs are gone, its outputs are HELD, all of them: as
 *                   after `free`, so who restores it advances
 *   a part          is committed, and its input READY, the least of them: the
 *                   part comes out, and what is behind the input stays
 */
#include "config.h"

#include <string.h>

#include "base/base.h"
#include "queue/internal.h"

/* ---------------------------------------------------------------- lists ----
 * Slot numbers by key, in the first `count` places from `first` on, of twice
 * the capacity: most are added at the end and taken from the beginning.
 */

/* Numbers are read from shared memory, and a worker gone wild may write there
 * at any time: those out of range stand behind all others. */
static bool is_before(const struct queue *queue, unsigned which, uint32_t a,
                      uint32_t b)
{
    const struct slot_order *x, *y;

    if (a >= queue->capacity || b >= queue->capacity)
        return a < b;
    if (which == LIST_READY)
        return queue->slots[a].pos < queue->slots[b].pos;
    x = &queue->order[a];
    y = &queue->order[b];
    if (which == LIST_LEASED)
        return x->ticket < y->ticket;
    if (x->from != y->from)
        return x->from < y->from;
    if (x->behind != y->behind)
        return x->behind < y->behind;
    return x->index != y->index ? x->index < y->index : a < b;
}

/* NULL: damaged. */
static uint32_t *list_begin(const struct queue *queue, unsigned which)
{
    const struct list *list = &queue->head->lists[which];
    uint32_t *at;

    if (queue->order == NULL || list->count > queue->capacity ||
        list->first > 2 * queue->capacity - list->count)
        return NULL;
    at = queue->lists[which] + list->first;
    if (list->count > 0 && at[0] >= queue->capacity)
        return NULL;
    return at;
}

static uint32_t list_count(const struct queue *queue, unsigned which)
{
    return queue->head->lists[which].count;
}

/* How many stand before this one. Numbers out of range: as if they did. */
static uint32_t list_find(const struct queue *queue, unsigned which,
                          const uint32_t *at, uint32_t number)
{
    uint32_t low = 0, high = list_count(queue, which);

    if (high > 0 && at[high - 1] < queue->capacity &&
        is_before(queue, which, at[high - 1], number))
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (at[middle] >= queue->capacity ||
            is_before(queue, which, at[middle], number))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int list_add(struct queue *queue, unsigned which, uint32_t number)
{
    struct list *list = &queue->head->lists[which];
    uint32_t *at = list_begin(queue, which);
    uint32_t place;

    if (at == NULL || list->count >= queue->capacity)
        return segment_damaged(queue->segment);
    if (list->first + list->count == 2 * queue->capacity) {
        memmove(queue->lists[which], at, list->count * sizeof *at);
        list->first = 0;
        at = queue->lists[which];
    }
    place = list_find(queue, which, at, number);
    memmove(at + place + 1, at + place, (list->count - place) * sizeof *at);
    at[place] = number;
    list->count++;
    return 0;
}

/* @count of them from @place on. */
static void list_cut(struct queue *queue, unsigned which, uint32_t place,
                     uint32_t count)
{
    struct list *list = &queue->head->lists[which];
    uint32_t *at = queue->lists[which] + list->first;

    if (place == 0)
        list->first += count;
    else
        memmove(at + place, at + place + count,
                (list->count - place - count) * sizeof *at);
    list->count -= count;
    if (list->count == 0)
        list->first = 0;
}

static int list_remove(struct queue *queue, unsigned which, uint32_t number)
{
    uint32_t *at = list_begin(queue, which);
    uint32_t place;

    if (at == NULL)
        return segment_damaged(queue->segment);
    place = list_find(queue, which, at, number);
    if (place >= list_count(queue, which) || at[place] != number)
        return segment_damaged(queue->segment);
    list_cut(queue, which, place, 1);
    return 0;
}

/* A heap sort: in place, in n log n whatever the order. */
static void sift_down(const struct queue *queue, unsigned which, uint32_t *at,
                      uint32_t root, uint32_t count)
{
    uint32_t child;

    while ((child = 2 * root + 1) < count) {
        uint32_t other = at[root];

        if (child + 1 < count &&
            is_before(queue, which, at[child], at[child + 1]))
            child++;
        if (!is_before(queue, which, other, at[child]))
            return;
        at[root] = at[child];
        at[child] = other;
        root = child;
    }
}

void order_sort(const struct queue *queue, unsigned which, uint32_t *at,
                uint32_t count)
{
    for (uint32_t i = count / 2; i > 0; i--)
        sift_down(queue, which, at, i - 1, count);
    for (uint32_t left = count; left > 1; left--) {
        uint32_t last = at[left - 1];

        at[left - 1] = at[0];
        at[0] = last;
        sift_down(queue, which, at, 0, left - 1);
    }
}

/* ----------------------------------------------------------------- next ----
 */

static uint64_t ready_ticket(const struct queue *queue)
{
    const struct queue_head *head = queue->head;
    uint32_t number;

    if (queue->lanes != NULL)
        return 0; /* nobody keeps the order of what he takes from it */
    if (atomic_load_explicit(&head->ready, memory_order_relaxed) == 0)
        return UINT64_MAX;
    number = queue->ring[head->head & queue->ring_mask];
    return number < queue->capacity ? queue->order[number].ticket : 0;
}

static uint64_t leased_ticket(const struct queue *queue)
{
    const uint32_t *at = list_begin(queue, LIST_LEASED);

    if (at == NULL)
        return 0;
    return list_count(queue, LIST_LEASED) == 0 ? UINT64_MAX
                                               : queue->order[at[0]].ticket;
}

/* The tail is the next ticket that is given out. */
static void set_next(struct queue *queue)
{
    uint64_t ready = ready_ticket(queue), leased = leased_ticket(queue);
    uint64_t next = ready < leased ? ready : leased;

    atomic_store_explicit(&queue->head->next,
                          next != UINT64_MAX ? next : queue->head->tail,
                          memory_order_release);
}

/* ------------------------------------------------------------- rebuild ---- */

/* The READY ones by ticket; they end at the tail, which is one behind at most.
 * Their numbers are sorted in the list's second half. */
static int rebuild_ready(struct queue *queue, uint32_t *at, uint32_t count)
{
    struct queue_head *head = queue->head;
    uint32_t last;

    order_sort(queue, LIST_LEASED, at, count);
    last = count > 0 ? at[count - 1] : 0;
    if (last >= queue->capacity)
        return WEIR_EBROKEN;
    if (count > 0 && head->tail <= queue->order[last].ticket)
        head->tail = queue->order[last].ticket + 1;
    head->head = head->tail - count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t pos = head->head + i;
        uint32_t number = at[i];

        if (number >= queue->capacity)
            return WEIR_EBROKEN;
        queue->slots[number].pos = pos;
        queue->ring[pos & queue->ring_mask] = number;
    }
    return 0;
}

int order_rebuild(struct queue *queue)
{
    struct list *lists = queue->head->lists;
    uint32_t *leased = queue->lists[LIST_LEASED];
    uint32_t *held = queue->lists[LIST_HELD];
    uint32_t *ready = leased + queue->capacity, count = 0;
    uint32_t leased_count = 0, held_count = 0; /* nobody else writes these */
    int code = 0;

    memset(lists, 0, sizeof queue->head->lists);
    for (uint32_t i = 0; i < queue->capacity; i++)
        switch (word_state(atomic_load(&queue->slots[i].word))) {
        case SLOT_READY:
            ready[count++] = i;
            break;
        case SLOT_LEASED:
        case SLOT_DONE:
        case SLOT_SPENT:
            leased[leased_count++] = i;
            break;
        case SLOT_HELD:
            held[held_count++] = i;
            break;
        default:
            break;
        }
    lists[LIST_LEASED].count = leased_count;
    lists[LIST_HELD].count = held_count;
    WEIR_POINT("queue.order.rebuild");
    if (queue->lanes == NULL)
        code = rebuild_ready(queue, ready, count);
    if (code < 0)
        return code;
    order_sort(queue, LIST_LEASED, leased, leased_count);
    order_sort(queue, LIST_HELD, held, held_count);
    atomic_store(&queue->head->ready, count);
    set_next(queue);
    return 0;
}

/* -------------------------------------------------- under the queue's lock
 * ----
 */

int order_leased(struct queue *queue, uint32_t number)
{
    return list_add(queue, LIST_LEASED, number);
}

int order_unleased(struct queue *queue, uint32_t number)
{
    int code = list_remove(queue, LIST_LEASED, number);

    set_next(queue);
    return code;
}

int order_hold(struct queue *queue, uint32_t number)
{
    struct slot *slot = &queue->slots[number];
    int code;

    if (WEIR_MUTATED("not-held"))
        return queue_publish(queue, number);
    queue_settle_size(queue, number);
    code = list_add(queue, LIST_HELD, number);
    WEIR_POINT("queue.hold.listed");
    slot_set(slot, SLOT_HELD);
    WEIR_POINT("queue.hold.word");
    return code;
}

/* Those with lesser tickets move up, the first first. */
int order_give_back(struct queue *queue, uint32_t number)
{
    struct queue_head *head = queue->head;
    uint64_t ticket = queue->order[number].ticket, to = head->head - 1;
    int code = list_remove(queue, LIST_LEASED, number);

    if (code < 0)
        return code;
    for (; to + 1 < head->tail; to++) {
        uint32_t other = queue->ring[(to + 1) & queue->ring_mask];

        if (other >= queue->capacity)
            return segment_damaged(queue->segment);
        if (queue->order[other].ticket > ticket)
            break;
        queue->slots[other].pos = to;
        queue->ring[to & queue->ring_mask] = other;
        WEIR_POINT("queue.back.moved");
    }
    return queue_ready_again(queue, number, to);
}

/* What one item may pass the byte bound by: it drains, when it is there. */
static bool first_fits(const struct queue *queue, uint64_t bytes)
{
    const struct queue_head *head = queue->head;

    return queue_fits(queue, 1, bytes) ||
           (head->free_count > 0 && head->staged > 0 &&
            head->bytes <= queue->bytes_most);
}

bool order_fits(const struct queue *queue, bool first, uint64_t bytes)
{
    if (first && !WEIR_MUTATED("first-waits"))
        return first_fits(queue, bytes);
    return queue_fits(queue, 1, bytes) &&
           (queue->head->staged + 2 <= queue->capacity ||
            WEIR_MUTATED("last-slot"));
}

bool order_claim_fits(const struct queue *queue)
{
    const struct queue_head *head = queue->head;

    return head->claim_first != 0
               ? first_fits(queue, head->claim_bytes)
               : queue_fits(queue, head->claim_slots, head->claim_bytes);
}

unsigned order_turn(const struct queue *queue)
{
    const uint32_t *at = list_begin(queue, LIST_LEASED);

    if (at == NULL || list_count(queue, LIST_LEASED) == 0 ||
        ready_ticket(queue) < leased_ticket(queue))
        return UINT32_MAX;
    return word_member(atomic_load(&queue->slots[at[0]].word));
}

/* ------------------------------------------------------------- advance ---- */

/* How many of the list, from @place on, are behind @from's items up to @next.
 */
static uint32_t count_due(const struct queue *queue, const uint32_t *at,
                          uint32_t place, unsigned from, uint64_t next)
{
    uint32_t end = place;

    for (; end < list_count(queue, LIST_HELD); end++) {
        const struct slot_order *order;

        if (at[end] >= queue->capacity)
            break;
        order = &queue->order[at[end]];
        if (order->from != from + 1 ||
            (order->behind > next && !WEIR_MUTATED("next-ignored")))
            break;
    }
    return end - place;
}

/* The list is by `from` first: mostly there is one. */
static uint32_t first_of(const struct queue *queue, const uint32_t *at,
                         unsigned from)
{
    uint32_t low = 0, high = list_count(queue, LIST_HELD);

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (at[middle] >= queue->capacity ||
            queue->order[at[middle]].from < from + 1)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int publish_due(struct queue *queue, unsigned from, uint64_t next)
{
    const uint32_t *at = list_begin(queue, LIST_HELD);
    uint32_t place, count;

    if (at == NULL)
        return segment_damaged(queue->segment);
    place = first_of(queue, at, from);
    count = count_due(queue, at, place, from, next);
    for (uint32_t i = place; i < place + count; i++) {
        if (atomic_load(&queue->slots[at[i]].word) != SLOT_HELD)
            return segment_damaged(queue->segment);
        queue_publish(queue, at[i]);
        WEIR_POINT("queue.order.published");
    }
    list_cut(queue, LIST_HELD, place, count);
    return 0;
}

/* What the queue @from says; LAST when nothing can come any more. */
static int read_next(struct queue *from, bool look, int64_t deadline_ns,
                     uint64_t *next_out)
{
    int code;

    *next_out = atomic_load_explicit(&from->head->next, memory_order_acquire);
    if (!look)
        return 0;
    code = queue_lock_until(from, deadline_ns);
    if (code < 0)
        return code;
    *next_out = queue_at_end(from) ? ORDER_LAST
                                   : atomic_load(&from->head->next);
    queue_unlock(from);
    return 0;
}

/* Whoever freed an input knows of all that is held before the `next` that it
 * left: so none in the list, read without the lock, is none. */
static int advance_to(struct queue *queue, unsigned from, uint64_t next,
                      int64_t deadline_ns)
{
    struct wakes wakes = { 0 };
    int code;

    if (*(volatile uint32_t *)&queue->head->lists[LIST_HELD].count == 0)
        return 0;
    code = queue_lock_until(queue, deadline_ns);
    if (code < 0)
        return code;
    code = publish_due(queue, from, next);
    queue_choose_wakes(queue, &wakes);
    queue_unlock(queue);
    WEIR_POINT("queue.order.unlocked");
    wakes_send(queue, &wakes);
    return code;
}

static int advance(struct segment *segment, unsigned number, bool look,
                   int64_t deadline_ns)
{
    struct queue *from = segment_queue(segment, number);
    uint64_t next;
    int code;

    if (from == NULL || from->order == NULL)
        return 0;
    code = read_next(from, look, deadline_ns, &next);
    for (unsigned i = 0; i < segment->order_count && code == 0; i++)
        if (segment->orders[i].from == number)
            code = advance_to(&segment->queues[segment->orders[i].to], number,
                              next, deadline_ns);
    return code;
}

int order_advance(struct segment *segment, unsigned from, bool look)
{
    WEIR_POINT("queue.order.freed");
    return advance(segment, from, look, FOREVER);
}

int order_advance_all(struct segment *segment, int64_t deadline_ns)
{
    int code = 0;

    if (WEIR_MUTATED("no-order-recovery"))
        return 0;
    for (unsigned i = 0; i < segment->queue_count && code == 0; i++)
        if ((segment->queues[i].kept & KEPT_FROM) != 0)
            code = advance(segment, i, true, deadline_ns);
    return code;
}

/* ------------------------------------------- waiting; in the member's own ----
 */

static int look_for_turn(struct member *member, struct queue *queue,
                         uint64_t ticket, bool wait)
{
    struct wakes wakes = { 0 };
    int code = queue_lock(queue);

    if (code < 0)
        return code;
    if (member->listed)
        sleeper_remove(queue, SIDE_TURN, member->number);
    if (atomic_load(&queue->head->next) == ticket)
        code = 1;
    else if (wait)
        sleeper_add(queue, SIDE_TURN, member->number);
    queue_choose_wakes(queue, &wakes);
    queue_unlock(queue);
    wakes_send(queue, &wakes);
    return code;
}

int turn_wait_first(struct member *member, const struct item *item,
                    int64_t deadline_ns)
{
    struct queue *queue = segment_queue(member->segment, item->queue);
    int code;

    if (queue == NULL || queue->order == NULL)
        return WEIR_EINVAL;
    if (member->out_count != 0)
        return WEIR_ESTATE;
    if (held_slot(member, item->ref, SLOT_LEASED) == NULL)
        return WEIR_ESTATE;
    code = look_for_turn(member, queue, item->ticket, false);
    if (code == 0 && deadline_ns == 0)
        return WEIR_ETIMEDOUT;
    while (code == 0) {
        member_announce(member);
        code = look_for_turn(member, queue, item->ticket, true);
        if (code == 0)
            code = member_sleep(member, deadline_ns, true);
    }
    member_unlist(member, &item->queue, 1);
    if (code < 0)
        return code;
    member->first = item->ticket;
    return 0;
}
