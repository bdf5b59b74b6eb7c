/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answer.c - small calls and their answers, each in one hold of a lock. Runs in
 * the member's process.
 *
 *   call    as a put (direct.c): it tells, too, where each was staged
 *   answer  by who has leased the call. Under the lock of the answers: out[],
 *           word = STAGED(w), the bytes; then the call's word = DONE(w); TXN =
 *           COMMITTED; pos, word = READY. Unlocked: the call's word = SPENT(w),
 *           out[] is cut, TXN = OPEN. Dies before COMMITTED: the answer is
 *           dropped, the call given back. After it: what is STAGED(w) still is
 *           published, what is DONE(w) still is freed; and what is SPENT(w)
 *           is freed whatever TXN says, for its commit was before
 *   take    as a get
 *
 * SPENT is DONE whose commit is over: so a member may commit again and again
 * while the slots of what it has answered wait to be freed, all in one hold:
 * that of the next look for calls. Until then they count as leased.
 */
#include "config.h"

#include <string.h>

#include "base/base.h"
#include "queue/internal.h"

/* Slots that wait to be freed are room that nobody else has. */
enum { SPENT_BYTES = LEASE_MOST * SLOT_INLINE };

static int stage_small(struct member *member, struct queue *queue,
                       struct small *small)
{
    const weir_bytes bytes = { small->data, small->size };
    int code = stage_now(member, queue, &bytes, small->root);

    if (code != 0)
        return code;
    small->ref = atomic_load(&member->out[member->out_count - 1]);
    queue->slots[reference_slot(small->ref)].path = small->path;
    return 0;
}

int turn_call(struct member *member, unsigned number, struct small *calls,
              unsigned count)
{
    struct queue *queue = segment_queue(member->segment, number);
    unsigned put = 0;
    int code;

    if (!turn_is_simple(member, queue))
        return 0;
    turn_open(member);
    turn_book(member);
    code = queue_lock(queue);
    if (code < 0)
        return code;
    while (put < count && code == 0) {
        code = stage_small(member, queue, &calls[put]);
        put += code == 0;
    }
    if (put > 0 && code != WEIR_EBROKEN) {
        code = turn_settle(member, queue);
        return code < 0 ? code : (int)put;
    }
    queue_unlock(queue);
    return code == WEIR_EBROKEN ? code : 0;
}

/* ----------------------------------------------------------------- take ----
 */

/* The first of them, as long as they are inline. */
static unsigned to_take(const struct queue *queue, unsigned most)
{
    const struct queue_head *head = queue->head;
    uint32_t ready = atomic_load_explicit(&head->ready, memory_order_relaxed);
    unsigned count = 0;

    for (; count < most && count < ready; count++) {
        uint32_t number = queue->ring[(head->head + count) & queue->ring_mask];
        const struct slot *slot = &queue->slots[number % queue->capacity];

        if (slot->chunk != 0 || slot->attrs_chunk != 0 ||
            slot->size > SLOT_INLINE)
            break;
    }
    return count;
}

static int take_one(struct member *member, struct queue *queue,
                    struct small *taken)
{
    struct item item;
    int code = lease_one(member, queue, &item);

    if (code < 0)
        return code;
    if (item.size > SLOT_INLINE)
        return segment_damaged(member->segment);
    taken->root = item.root;
    taken->path = item.path;
    taken->ref = item.ref;
    taken->size = item.size;
    memcpy(taken->data, item.data, item.size);
    slot_set(&queue->slots[reference_slot(item.ref)],
             word_of(SLOT_DONE, member->number));
    WEIR_POINT("queue.done.word");
    return 0;
}

int turn_take(struct member *member, unsigned number, struct small *taken,
              unsigned most)
{
    struct queue *queue = segment_queue(member->segment, number);
    unsigned count;
    int code;

    if (!turn_is_simple(member, queue) || most > LEASE_MOST ||
        atomic_load_explicit(&queue->head->ready, memory_order_relaxed) == 0)
        return 0;
    turn_open(member);
    turn_book(member);
    code = queue_lock(queue);
    if (code < 0)
        return code;
    count = to_take(queue, most);
    if (count > 0 && member->spinning) { /* else turn_lease sees to it */
        spinner_end(queue, member->number);
        member->spinning = false;
    }
    for (unsigned i = 0; i < count && code == 0; i++)
        code = take_one(member, queue, &taken[i]);
    if (count > 0 && code == 0) {
        code = turn_settle(member, queue);
        return code < 0 ? code : (int)count;
    }
    queue_unlock(queue);
    return code;
}

/* --------------------------------------------------------------- answer ----
 */

/* What has a chunk needs the store's lock, so it goes at once; so does what
 * others may wait for the room of. */
static bool may_wait(const struct member *member, const struct queue *queue,
                     const struct slot *slot)
{
    return queue->kept == KEPT_NOT && slot->chunk == 0 &&
           slot->attrs_chunk == 0 && member->spent < LEASE_MOST &&
           queue->bytes_most / member->segment->member_count >= SPENT_BYTES;
}

static int put_away(struct member *member, uint64_t ref)
{
    struct slot *slot = segment_slot(member->segment, ref);
    const struct queue *queue = segment_queue(member->segment,
                                              reference_queue(ref));
    int code;

    if (may_wait(member, queue, slot)) {
        slot_set(slot, word_of(SLOT_SPENT, member->number));
        WEIR_POINT("queue.answer.spent");
        member->spent++;
        return 0;
    }
    code = slots_free(member->segment, member->in, member->in_count, SLOT_DONE,
                      member->number);
    WEIR_POINT("queue.commit.redone");
    refs_keep_held(member);
    return code;
}

static bool may_answer(const struct member *member, const struct queue *queue)
{
    return queue != NULL && queue->kept == KEPT_NOT && member->ordered == 0 &&
           member->out_count == 0 && !segment_broken(member->segment);
}

int turn_answer(struct member *member, const struct item *item, unsigned number,
                struct small *answer)
{
    struct queue *queue = segment_queue(member->segment, number);
    struct wakes wakes = { 0 };
    int code;

    if (!may_answer(member, queue))
        return 0;
    turn_open(member);
    turn_book(member);
    code = queue_lock(queue);
    if (code < 0)
        return code;
    code = stage_small(member, queue, answer);
    if (code == 0)
        code = turn_done(member, item);
    if (code != 0) {
        queue_unlock(queue);
        if (member->out_count > 0)
            turn_drop_from(member, 0);
        return code == WEIR_EFULL ? 0 : code;
    }
    commit_store(member);
    code = queue_publish(queue, reference_slot(answer->ref));
    queue_choose_wakes(queue, &wakes);
    queue_unlock(queue);
    WEIR_POINT("queue.slots.unlocked");
    wakes_send(queue, &wakes);
    if (code == 0)
        code = put_away(member, item->ref);
    if (code < 0)
        return code;
    WEIR_POINT("queue.commit.kept");
    commit_end(member);
    return 1;
}

/* Under the lock of the queue. Those that are freed stand in in[] for a moment
 * still: stale references. */
int spent_release(struct member *member, struct queue *queue)
{
    int code = 0;

    for (unsigned i = 0; i < member->in_count && code == 0; i++) {
        uint64_t ref = atomic_load(&member->in[i]);

        if (reference_queue(ref) != queue->number ||
            held_slot(member, ref, SLOT_SPENT) == NULL)
            continue;
        code = queue_release_slot(queue, reference_slot(ref));
        member->spent--;
    }
    refs_keep_held(member);
    WEIR_POINT("queue.answer.freed");
    return code;
}
