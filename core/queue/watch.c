/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c - who waits for something else than an item or room for one: for all
 * to be done; by a bell, in somebody's event loop; and for the last registered
 * producer to go. Runs in any process that has the segment.
 *
 * ALL DONE is nothing READY, LEASED, DONE or STAGED, looked at under the lock:
 * derived, so that no death can make it wrong.
 *
 * A PRODUCER is an entry with its `producer` set: truth, changed under the lock
 * of queue 0. The last that goes, by itself or by recovery, closes the queue
 * *before* its own flag is cleared: who is killed in between is recovered, and
 * that closes it again. Another that registers amid this finds it closed.
 */
#include "config.h"

#include "base/base.h"
#include "queue/internal.h"

/* 1: all done; 2: but for what is ready in a queue that was closed NOW: the
 * caller is to drop that; 0: not, and it is noted who waits. */
static int look_idle(struct member *member, struct queue *queue, bool wait)
{
    int code = queue_lock(queue), idle = 0;

    if (code < 0)
        return code;
    sleeper_remove(queue, SIDE_IDLE, member->number);
    if (queue_is_reason(queue, SIDE_IDLE, 0))
        idle = atomic_load(&queue->head->ready) == 0 ? 1 : 2;
    else if (wait)
        sleeper_add(queue, SIDE_IDLE, member->number);
    queue_unlock(queue);
    return idle;
}

int turn_wait_idle(struct member *member, unsigned number, int64_t deadline_ns)
{
    struct queue *queue = segment_queue(member->segment, number);
    int code;

    if (queue == NULL)
        return WEIR_EINVAL;
    if (segment_broken(member->segment))
        return WEIR_EBROKEN;
    code = look_idle(member, queue, false);
    if (code == 0 && deadline_ns == 0)
        return WEIR_ETIMEDOUT;
    while (code == 0) {
        member_announce(member);
        code = look_idle(member, queue, true);
        if (code == 0)
            code = member_sleep(member, deadline_ns, true);
        if (code == WEIR_ETIMEDOUT) {
            code = look_idle(member, queue, false);
            code = code == 0 ? WEIR_ETIMEDOUT : code;
        }
    }
    member_unlist(member, &number, 1);
    return code;
}

/* ---------------------------------------------------------------- bells ----
 */

static enum side bell_side(bool put)
{
    return put ? SIDE_BELL_PUT : SIDE_BELL_GET;
}

int member_watch(struct member *member, unsigned number, bool put, int bell_fd,
                 uint64_t bell, uint64_t bytes)
{
    struct queue *queue = segment_queue(member->segment, number);
    enum side side = bell_side(put);
    bool reason;
    int code;

    if (queue == NULL)
        return WEIR_EINVAL;
    if (segment_broken(member->segment))
        return WEIR_EBROKEN;
    bell_quiet(bell_fd);
    code = queue_lock(queue);
    if (code < 0)
        return code;
    atomic_store(&member->head->bell, bell);
    atomic_store(&member->head->bell_bytes, bytes);
    bell_arm(&member->head->park);
    sleeper_add(queue, side, member->number);
    reason = queue_is_reason(queue, side, bytes);
    queue_unlock(queue);
    if (reason)
        bell_ring(bell, &member->head->park, true);
    return reason;
}

/* ------------------------------------------------------------- producers ----
 */

static unsigned count_producers(const struct segment *segment)
{
    unsigned count = 0;

    for (unsigned i = 0; i < segment->member_count; i++)
        count += atomic_load(&member_at(segment, i)->producer) != 0;
    return count;
}

int member_produce(struct member *member)
{
    struct queue *queue = segment_queue(member->segment, 0);
    int code = queue_lock(queue);

    if (code < 0)
        return code;
    if (atomic_load(&queue->head->closed) != 0)
        code = WEIR_ECLOSED;
    else
        atomic_store(&member->head->producer, 1);
    queue_unlock(queue);
    return code;
}

int member_produce_end(struct segment *segment, unsigned number)
{
    struct queue *queue = segment_queue(segment, 0);
    bool last;
    int code;

    if (atomic_load(&member_at(segment, number)->producer) == 0)
        return 0;
    code = queue_lock(queue);
    if (code < 0)
        return code;
    last = count_producers(segment) == 1;
    if (last && atomic_load(&queue->head->closed) == CLOSED_NOT)
        atomic_store(&queue->head->closed, CLOSED_DRAIN);
    WEIR_POINT("queue.produce.closed");
    atomic_store(&member_at(segment, number)->producer, 0);
    queue_unlock(queue);
    return last ? queue_wake_all(queue) : 0;
}

unsigned queue_producers(const struct segment *segment)
{
    return count_producers(segment);
}
