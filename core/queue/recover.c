/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover.c - what the owner does after a death, and once a second.
 *
 * By one process only, after the death is certain (its pidfd said so) and
 * before it is reaped: until then its thread number is not given out again.
 * (Without an owner: by whoever has the dead one's life token, strangers.h.)
 * Every step may be run again from the start: each looks at the words first.
 *
 *   1  locks that it held and the kernel did not see (robust list destroyed)
 *   2  its file's length
 *   3  COMMITTED: the redo. Else: what it staged is dropped. In any case: what
 *      an earlier commit has spent is freed
 *   4  what it leased goes back to the head, in order; the item in hand gets
 *      the cause (its attempt was charged when it was taken up); where order is
 *      kept, what is held and may be published is
 *   5  its chunk that was being punched is free
 *   6  its bits, marks and claims are cleared, and all sleepers woken: it may
 *      have been about to wake one, or have been woken for something
 *   7  if it was the last registered producer, the queue is closed
 *   8  TXN = IDLE, the entry is EMPTY
 */
#include "config.h"

#include "base/base.h"
#include "queue/internal.h"

static void bury_locks(struct segment *segment, pid_t pid)
{
    for (unsigned i = 0; i < segment->queue_count; i++)
        lock_bury(&segment->queues[i].head->lock, pid);
    for (unsigned i = 0; i < segment->sink_count; i++)
        lock_bury(&segment->sinks[i].lock, pid);
    lock_bury(&segment->head->sinks_lock, pid);
    lock_bury(&segment->head->store.lock, pid);
}

/* Clears all that the queue knows of this member; wakes all who sleep. */
static int clear_queue(struct queue *queue, unsigned number)
{
    int code = queue_lock(queue);

    if (code < 0)
        return code;
    for (unsigned side = 0; side < SIDES; side++)
        sleeper_remove(queue, side, number);
    spinner_end(queue, number);
    if (queue->head->claim == number + 1)
        queue->head->claim = 0;
    queue_unlock(queue);
    return WEIR_MUTATED("no-recovery-wake") ? 0 : queue_wake_all(queue);
}

static struct slot *hand_of(const struct segment *segment, unsigned number,
                            struct recovered *out)
{
    uint64_t hand = atomic_load(&member_at(segment, number)->hand);
    struct slot *slot = hand == 0 ? NULL : segment_slot(segment, hand - 1);

    if (slot == NULL || !slot_is(slot, SLOT_LEASED, number))
        return NULL;
    out->had_hand = true;
    out->queue = reference_queue(hand - 1);
    out->root = slot->root;
    out->path = slot->path;
    out->attempt = slot->attempt;
    return slot;
}

void member_hand(const struct segment *segment, unsigned number,
                 struct recovered *out)
{
    *out = (struct recovered){ 0 };
    if (number < segment->member_count)
        hand_of(segment, number, out);
}

/* Who died between noting it in hand and the charge (lease.c) had not charged
 * it: then an item that was tried before has one attempt more in the end. */
void member_pardon(struct segment *segment, unsigned number)
{
    struct recovered out;
    struct slot *slot = number < segment->member_count
                            ? hand_of(segment, number, &out)
                            : NULL;

    if (slot != NULL && slot->attempt > 0)
        slot->attempt--;
}

/* The item in hand, when it is one: its cause, and who it was. */
static void blame(struct segment *segment, unsigned number, enum cause cause,
                  int code, struct recovered *out)
{
    struct slot *slot = hand_of(segment, number, out);

    if (slot == NULL)
        return;
    slot->cause = (uint8_t)cause;
    slot->cause_code = code;
}

static int settle(struct segment *segment, unsigned number, bool committed)
{
    struct member_head *head = member_at(segment, number);
    unsigned in_count = atomic_load(&head->in_count);
    unsigned out_count = atomic_load(&head->out_count);
    const _Atomic uint64_t *in = member_refs(segment, number, REFS_IN);
    const _Atomic uint64_t *out = member_refs(segment, number, REFS_OUT);
    int code;

    if (in_count > MEMBER_REFS || out_count > MEMBER_REFS)
        return segment_damaged(segment);
    if (committed)
        code = commit_redo(segment, number, in_count, out_count, true, NULL);
    else
        code = slots_free(segment, out, out_count, SLOT_STAGED, number);
    if (code == WEIR_EBROKEN)
        return code;
    code = slots_free(segment, in, in_count, SLOT_SPENT, number);
    if (code == 0)
        code = slots_give_back(segment, in, in_count, number);
    return code < 0 ? code : order_advance_all(segment, FOREVER);
}

static int clear_member(struct segment *segment, unsigned number)
{
    struct member_head *head = member_at(segment, number);
    int code = store_end_punch(&segment->store, &head->punch);

    for (unsigned i = 0; i < segment->queue_count && code == 0; i++)
        code = clear_queue(&segment->queues[i], number);
    if (code == 0)
        code = member_produce_end(segment, number);
    if (code < 0)
        return segment_damaged(segment);
    atomic_store(&head->hand, 0);
    atomic_store(&head->waiting, 0);
    atomic_store(&head->txn,
                 txn_of(TXN_IDLE, txn_sequence(atomic_load(&head->txn))));
    WEIR_POINT("queue.recover.idle");
    atomic_store(&head->in_count, 0);
    atomic_store(&head->out_count, 0);
    atomic_store(&head->state, MEMBER_EMPTY);
    return 0;
}

int member_recover(struct segment *segment, unsigned number, enum cause cause,
                   int code, struct recovered *out)
{
    struct recovered found = { 0 };
    struct member_head *head;
    int result;

    if (number >= segment->member_count)
        return WEIR_EINVAL;
    head = member_at(segment, number);
    if (atomic_load(&head->state) == MEMBER_EMPTY)
        goto done; /* it was about to enter, or this is done */
    atomic_store(&head->state, MEMBER_DEAD);
    /* Of strangers nobody holds back a dead one's thread number: by now it
     * may be that of one who holds a lock and lives. */
    if (segment->lives == NULL)
        bury_locks(segment, atomic_load(&head->pid));
    result = sink_settle(segment, number);
    if (result < 0)
        return result;
    found.was_committed = txn_state(atomic_load(&head->txn)) == TXN_COMMITTED;
    blame(segment, number, cause, code, &found);
    WEIR_POINT("queue.recover.begun");
    result = settle(segment, number, found.was_committed);
    if (result == 0)
        result = clear_member(segment, number);
    if (result < 0)
        return result;
done:
    /* Who is to enter may die before he has: then it says nothing of him. */
    atomic_store(&head->parting, 0);
    atomic_store(&head->process, 0);
    if (out != NULL)
        *out = found;
    return 0;
}

/* ------------------------------------------------- settled elsewhere ---- */

/* The inputs that are leased or done, the first first: in the order in which
 * they were leased. Returns how many of @count became DONE, or are. */
static uint64_t mark_done(struct segment *segment, unsigned number,
                          uint64_t count)
{
    const struct member_head *head = member_at(segment, number);
    const _Atomic uint64_t *in = member_refs(segment, number, REFS_IN);
    unsigned in_count = atomic_load(&head->in_count);
    uint64_t marked = 0;

    for (unsigned i = 0; i < in_count && i < MEMBER_REFS && marked < count;
         i++) {
        struct slot *slot = segment_slot(segment, atomic_load(&in[i]));

        if (slot == NULL || (!slot_is(slot, SLOT_LEASED, number) &&
                             !slot_is(slot, SLOT_DONE, number)))
            continue;
        slot_set(slot, word_of(SLOT_DONE, number));
        WEIR_POINT("queue.elsewhere.done");
        marked++;
    }
    return marked;
}

/* TXN is OPEN still: what was staged beside the inputs goes, as at any death.
 * Who dies before the store of TXN has marked some; they are counted again. */
int member_commit_for(struct segment *segment, unsigned number, uint64_t done)
{
    struct member_head *head;
    uint64_t before;
    uint32_t txn;
    int code;

    if (number >= segment->member_count)
        return WEIR_EINVAL;
    head = member_at(segment, number);
    txn = atomic_load(&head->txn);
    before = head->books[txn_book(txn)].done;
    if (before == done)
        return 0; /* it came to its own commit */
    if (before > done || txn_state(txn) != TXN_OPEN ||
        atomic_load(&head->out_count) > MEMBER_REFS)
        return segment_damaged(segment);
    code = slots_free(segment, member_refs(segment, number, REFS_OUT),
                      atomic_load(&head->out_count), SLOT_STAGED, number);
    if (code < 0)
        return code;
    if (mark_done(segment, number, done - before) != done - before)
        return segment_damaged(segment);
    book_begin(head, txn_sequence(txn))->done = done;
    atomic_store(&head->txn, txn_of(TXN_COMMITTED, txn_sequence(txn) + 1));
    WEIR_POINT("queue.elsewhere.committed");
    return 0;
}

/* --------------------------------------------------------------- sweep ---- */

bool segment_sleepers(const struct segment *segment)
{
    for (unsigned i = 0; i < segment->queue_count; i++)
        for (unsigned side = 0; side < SIDES; side++)
            for (unsigned w = 0; w < segment->member_words; w++)
                if (atomic_load_explicit(&segment->queues[i].sleepers[side][w],
                                         memory_order_relaxed) != 0)
                    return true;
    return false;
}

/* A claim that held through a whole second although its set fits, by a member
 * that gave no sign of life: it is stopped. Should it go on, turn_stage tells
 * it that the room is gone. */
static void end_stale_claim(struct queue *queue)
{
    struct queue_head *head = queue->head;
    uint32_t claim = head->claim;
    uint64_t turn = 0;

    if (claim == 0 || claim > queue->segment->member_count) {
        queue->swept_claim = head->claim = 0;
        return;
    }
    turn = atomic_load(&member_at(queue->segment, claim - 1)->turn);
    if (queue->swept_claim == claim && queue->swept_turn == turn &&
        order_claim_fits(queue))
        head->claim = 0;
    queue->swept_claim = claim;
    queue->swept_turn = turn;
}

/* The mark of a member that was stopped after its wake stands until here. */
static unsigned sweep_queue(struct queue *queue)
{
    struct wakes wakes = { .forced = true };

    for (unsigned side = 0; side < SIDES; side++)
        queue->head->waking[side] = 0;
    atomic_store_explicit(&queue->head->spinner, 0, memory_order_relaxed);
    end_stale_claim(queue);
    queue_choose_wakes(queue, &wakes);
    queue_unlock(queue);
    wakes_send(queue, &wakes);
    return wakes.count + (wakes.all != 0);
}

int segment_sweep(struct segment *segment, pid_t *holder_out)
{
    unsigned woken = 0;
    int code;

    *holder_out = 0;
    if (WEIR_MUTATED("no-sweep"))
        return 0;
    for (unsigned i = 0; i < segment->queue_count; i++) {
        struct queue *queue = &segment->queues[i];

        code = queue_lock_until(queue, clock_deadline(10 * NS_PER_MS));
        if (code == WEIR_ETIMEDOUT)
            *holder_out = lock_holder(&queue->head->lock);
        else if (code < 0)
            return code;
        else
            woken += sweep_queue(queue);
    }
    /* Who has a queue's may be waiting for it. */
    code = store_lock_until(&segment->store, clock_deadline(10 * NS_PER_MS));
    if (code == 0)
        store_unlock(&segment->store);
    else if (code == WEIR_ETIMEDOUT)
        *holder_out = lock_holder(&segment->head->store.lock);
    else
        return segment_damaged(segment);
    /* One that was stopped right behind its commit has not done this. */
    if (*holder_out == 0 &&
        order_advance_all(segment, clock_deadline(10 * NS_PER_MS)) ==
            WEIR_EBROKEN)
        return WEIR_EBROKEN;
    return (int)woken;
}
