/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wake.c - who sleeps at a queue, and who is woken. Runs in any process that
 * has the segment.
 *
 * A sleeper sets its bit under the queue's lock, together with the test that
 * told it to sleep; it alone clears it (or who recovers it). A waker chooses
 * under the lock and sends after it.
 *
 * ONE WAKE ON ITS WAY per side: the woken one clears the mark when it holds the
 * lock, and wakes the next if there is more. So n sleepers cost one wake at a
 * time, not n. Lost with a mark can be: the waker, between lock and send; the
 * woken one. Recovery of either wakes everybody, and a sweep does so once a
 * second, for those who are stopped and not dead.
 *
 * ONE CONSUMER MAY WAIT AWAKE, in `spinner`: the first item is his, so nobody
 * is woken for that one. It looks at `ready` without the lock, and afterwards,
 * whatever ended its spin, tests under the lock, where it is taken out of the
 * word: either it sees the item, or whoever publishes one sees that nobody
 * spins. Lost with the word can be just a wake: as with a mark, recovery clears
 * it and wakes everybody; so does the sweep.
 */
#include "config.h"

#include "base/base.h"
#include "queue/internal.h"

static _Atomic uint64_t *word_at(const struct queue *queue, enum side side,
                                 unsigned member)
{
    return &queue->sleepers[side][member / 64];
}

static uint64_t bit_of(unsigned member)
{
    return UINT64_C(1) << member % 64;
}

void sleeper_add(struct queue *queue, enum side side, unsigned member)
{
    _Atomic uint64_t *word = word_at(queue, side, member);
    uint64_t bits = atomic_load_explicit(word, memory_order_relaxed);

    if ((bits & bit_of(member)) != 0)
        return;
    atomic_store(word, bits | bit_of(member));
    WEIR_POINT("queue.sleep.bit");
    queue->head->sleeping[side]++;
    queue->head->asleep |= 1U << side;
}

void sleeper_remove(struct queue *queue, enum side side, unsigned member)
{
    struct queue_head *head = queue->head;
    _Atomic uint64_t *word = word_at(queue, side, member);
    uint64_t bits = atomic_load_explicit(word, memory_order_relaxed);

    if (head->waking[side] == member + 1)
        head->waking[side] = 0;
    if ((bits & bit_of(member)) == 0)
        return;
    atomic_store(word, bits & ~bit_of(member));
    if (--head->sleeping[side] == 0)
        head->asleep &= ~(1U << side);
}

bool spinner_begin(struct queue *queue, unsigned member)
{
    uint32_t nobody = 0;

    if (!atomic_compare_exchange_strong(&queue->head->spinner, &nobody,
                                        member + 1))
        return false;
    WEIR_POINT("queue.spin.begun");
    return true;
}

void spinner_end(struct queue *queue, unsigned member)
{
    uint32_t own = member + 1; /* the sweep may have given it away */

    atomic_compare_exchange_strong(&queue->head->spinner, &own, 0);
}

/* So many of those that are ready are taken without a wake. (Of lanes: it may
 * be for another one.) */
static uint32_t taken_awake(const struct queue *queue)
{
    return queue->lanes == NULL &&
                   atomic_load_explicit(&queue->head->spinner,
                                        memory_order_relaxed) != 0
               ? 1
               : 0;
}

/* Who sleeps on that side and has something to wake for; of members 64 * @word
 * and on. */
static uint64_t sleepers_of(const struct queue *queue, enum side side,
                            unsigned word)
{
    uint64_t bits = atomic_load_explicit(&queue->sleepers[side][word],
                                         memory_order_relaxed);

    return side == SIDE_CONSUMER && queue->lanes != NULL
               ? bits & queue->served[word]
               : bits;
}

/* The next sleeper behind the last one woken; UINT32_MAX: none. */
static unsigned next_sleeper(struct queue *queue, enum side side)
{
    unsigned words = queue->segment->member_words;
    unsigned first = queue->head->rotate[side] % (words * 64);

    for (unsigned i = 0; i <= words; i++) {
        unsigned word = (first / 64 + i) % words;
        uint64_t bits = sleepers_of(queue, side, word);

        if (i == 0)
            bits &= UINT64_MAX << first % 64;
        if (bits != 0)
            return word * 64 + (unsigned)__builtin_ctzll(bits);
    }
    return UINT32_MAX;
}

static bool asleep(const struct queue *queue, enum side side, unsigned member)
{
    return member < queue->segment->member_count &&
           (atomic_load(word_at(queue, side, member)) & bit_of(member)) != 0;
}

static void choose(struct queue *queue, enum side side, unsigned member,
                   struct wakes *wakes)
{
    if (member >= queue->segment->member_count)
        return;
    queue->head->waking[side] = member + 1;
    queue->head->rotate[side] = member + 1;
    wakes->members[wakes->count++] = member;
}

/* A producer is worth waking when a quarter of the queue is free; or nothing
 * in it can make more room: neither ready nor leased. */
static bool has_room(const struct queue *queue)
{
    const struct queue_head *head = queue->head;

    if (atomic_load_explicit(&head->ready, memory_order_relaxed) == 0 &&
        head->leased == 0)
        return true;
    return queue_fits(queue, queue->capacity / 4 + (queue->capacity < 4),
                      queue->bytes_most / 4);
}

static void choose_producer(struct queue *queue, struct wakes *wakes)
{
    const struct queue_head *head = queue->head;

    if (head->claim == 0) {
        if (has_room(queue))
            choose(queue, SIDE_PRODUCER, next_sleeper(queue, SIDE_PRODUCER),
                   wakes);
        return;
    }
    /* Nobody else may stage. One with a small set waits for more room, too:
     * it would only come back for the next. */
    if (!asleep(queue, SIDE_PRODUCER, head->claim - 1) ||
        !order_claim_fits(queue))
        return;
    if (has_room(queue) || head->claim_first != 0 ||
        head->claim_slots > queue->capacity / 4 ||
        head->claim_bytes > queue->bytes_most / 4)
        choose(queue, SIDE_PRODUCER, head->claim - 1, wakes);
}

static uint64_t free_bytes(const struct queue *queue)
{
    if (atomic_load(&queue->head->closed) != 0)
        return UINT64_MAX; /* a put of any size ends now */
    return queue->head->bytes < queue->bytes_most
               ? queue->bytes_most - queue->head->bytes
               : 0;
}

bool queue_is_reason(const struct queue *queue, enum side side, uint64_t bytes)
{
    const struct queue_head *head = queue->head;
    uint32_t ready = atomic_load_explicit(&head->ready, memory_order_relaxed);
    uint32_t closed = atomic_load(&head->closed);

    switch (side) {
    case SIDE_IDLE: /* or there is something that it must drop itself */
        return (ready == 0 || closed == CLOSED_NOW) && head->leased == 0 &&
               head->staged == 0;
    case SIDE_BELL_GET:
        return ready != 0 || queue_at_end(queue);
    case SIDE_BELL_PUT:
        return closed != 0 || (head->claim == 0 && queue_fits(queue, 1, bytes));
    default:
        return false;
    }
}

/* No mark: it is the same one until it has gone on. */
static void choose_turn(struct queue *queue, struct wakes *wakes)
{
    unsigned member = order_turn(queue);

    if (asleep(queue, SIDE_TURN, member))
        wakes->members[wakes->count++] = member;
}

static void choose_sides(struct queue *queue, struct wakes *wakes)
{
    const struct queue_head *head = queue->head;

    if (head->sleeping[SIDE_CONSUMER] != 0) {
        if (queue_at_end(queue))
            wakes->all |= 1U << SIDE_CONSUMER;
        else if (head->waking[SIDE_CONSUMER] == 0 &&
                 atomic_load_explicit(&head->ready, memory_order_relaxed) >
                     taken_awake(queue))
            choose(queue, SIDE_CONSUMER, next_sleeper(queue, SIDE_CONSUMER),
                   wakes);
    }
    if (head->sleeping[SIDE_PRODUCER] != 0 && atomic_load(&head->closed) != 0)
        wakes->all |= 1U << SIDE_PRODUCER;
    else if (head->sleeping[SIDE_PRODUCER] != 0 &&
             head->waking[SIDE_PRODUCER] == 0)
        choose_producer(queue, wakes);
    if (head->sleeping[SIDE_TURN] != 0)
        choose_turn(queue, wakes);
    for (unsigned side = SIDES_ONE; side < SIDE_TURN; side++)
        if (head->sleeping[side] != 0 && queue_is_reason(queue, side, 0))
            wakes->all |= 1U << side;
    wakes->room = free_bytes(queue);
}

void queue_choose_wakes(struct queue *queue, struct wakes *wakes)
{
    if (queue->head->asleep != 0)
        choose_sides(queue, wakes);
    WEIR_POINT("queue.wake.chosen");
}

/* @room: bytes that are free, of who waits for so many. */
static void wake_member(struct segment *segment, unsigned number, bool forced,
                        uint64_t room)
{
    struct member_head *head = member_at(segment, number);
    uint64_t bell = atomic_load(&head->bell);

    if (bell == 0)
        park_wake(&head->park);
    else if (atomic_load(&head->bell_bytes) <= room)
        bell_ring(bell, &head->park, forced);
}

void member_wake(struct segment *segment, unsigned number)
{
    wake_member(segment, number, true, UINT64_MAX);
}

static void wake_sleepers(struct queue *queue, enum side side, bool forced,
                          uint64_t room)
{
    for (unsigned i = 0; i < queue->segment->member_words; i++) {
        uint64_t bits = atomic_load(&queue->sleepers[side][i]);

        for (; bits != 0; bits &= bits - 1) {
            unsigned member = i * 64 + (unsigned)__builtin_ctzll(bits);

            if (member < queue->segment->member_count)
                wake_member(queue->segment, member, forced, room);
        }
    }
}

void wakes_send_chosen(struct queue *queue, const struct wakes *wakes)
{
    if (WEIR_MUTATED("no-wake"))
        return;
    for (unsigned i = 0; i < wakes->count; i++)
        member_wake(queue->segment, wakes->members[i]);
    for (unsigned side = 0; side < SIDES && wakes->all >> side != 0; side++)
        if ((wakes->all >> side & 1) != 0)
            wake_sleepers(queue, side, wakes->forced,
                          side == SIDE_BELL_PUT ? wakes->room : UINT64_MAX);
}

int queue_wake_all(struct queue *queue)
{
    int code = queue_lock(queue);

    if (code < 0)
        return code;
    for (unsigned side = 0; side < SIDES; side++)
        queue->head->waking[side] = 0;
    atomic_store_explicit(&queue->head->spinner, 0, memory_order_relaxed);
    queue_unlock(queue);
    for (unsigned side = 0; side < SIDES; side++)
        wake_sleepers(queue, side, true, UINT64_MAX);
    return 0;
}
