/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue_state.c - runs in the program and in its children: what a queue is
 * like, and its end. */
#include "config.h"

#include <errno.h>

#include "base/base.h"
#include "pool/queue_handle.h"

/* What all entries' books say together: of those that were left, too. */
static void add_dropped(const struct segment *segment, weir_queue_state *state)
{
    for (unsigned i = 0; i < segment_member_count(segment); i++) {
        const struct book *book = member_book(segment, i);

        state->dropped_new += book->dropped;
        state->dropped_old += book->skipped;
        state->dropped_closed += book->failed;
    }
}

int weir_queue_snapshot(weir_queue *queue, weir_queue_state *state_out)
{
    struct queue_state state;
    int code = queue_check(queue);

    if (code != 0)
        return code;
    if (state_out == NULL)
        return WEIR_EINVAL;
    code = queue_state(queue->segment, QUEUE, FOREVER, &state);
    if (code != 0)
        return code;
    *state_out = (weir_queue_state){
        .capacity = state.capacity,
        .size = state.ready,
        .leased = state.leased,
        .staged = state.staged,
        .bytes = state.bytes,
        .bytes_most = state.bytes_most,
        .producers_waiting = state.producers_waiting,
        .consumers_waiting = state.consumers_waiting,
        .closed = state.closed,
        .empty = state.ready == 0,
        .full = state.ready + state.leased + state.staged >= state.capacity,
        .producers = queue_producers(queue->segment),
    };
    add_dropped(queue->segment, state_out);
    return 0;
}

int weir_queue_close(weir_queue *queue)
{
    int code = queue_check(queue);

    return code != 0 ? code : queue_close(queue->segment, QUEUE);
}

int weir_queue_close_now(weir_queue *queue, uint64_t *dropped_out)
{
    uint64_t dropped = 0;
    struct call call;
    int code = call_begin(&call, queue, 0);

    if (code != 0)
        return code;
    code = queue_close_now(queue->segment, QUEUE);
    if (code == 0)
        code = queue_drop_ready(&call, &dropped);
    if (dropped_out != NULL)
        *dropped_out = dropped;
    return call_end(&call, code);
}

/* ------------------------------------------------------------- producers ----
 */

int weir_queue_produce(weir_queue *queue)
{
    int code = queue_check(queue);

    if (code != 0)
        return code;
    pthread_mutex_lock(&queue->lock);
    if (queue->producer != NULL)
        code = WEIR_ESTATE;
    else
        code = member_enter_any(queue->segment, 0, &queue->producer);
    if (code == 0) {
        code = member_produce(queue->producer);
        if (code != 0)
            member_leave(&queue->producer);
    }
    pthread_mutex_unlock(&queue->lock);
    return code == WEIR_EFULL ? -EAGAIN : code;
}

int weir_queue_produce_end(weir_queue *queue)
{
    int code = queue_check(queue);

    if (code != 0)
        return code;
    pthread_mutex_lock(&queue->lock);
    if (queue->producer == NULL)
        code = WEIR_ESTATE;
    else
        code = member_produce_end(queue->segment,
                                  member_number(queue->producer));
    if (code == 0)
        member_leave(&queue->producer);
    pthread_mutex_unlock(&queue->lock);
    return code;
}

/* -------------------------------------------------------------- all done ----
 */

static int wait_idle_once(struct call *call, int64_t deadline_ns, void *arg)
{
    uint64_t dropped = 0;
    int code;

    (void)arg;
    do {
        code = turn_wait_idle(call->member, QUEUE, deadline_ns);
        if (code == 2)
            code = queue_drop_ready(call, &dropped);
    } while (code == 0);
    return code;
}

int weir_queue_wait_idle(weir_queue *queue, int64_t timeout_ns)
{
    struct call call;
    int code = call_begin(&call, queue, timeout_ns);

    if (code != 0)
        return code;
    code = wait_idle_once(&call, 0, NULL);
    if (code == WEIR_ETIMEDOUT && timeout_ns != 0)
        code = call_wait(&call, wait_idle_once, NULL);
    return call_end(&call, code < 0 ? code : 0);
}
