/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue_call.c - runs in the program and in its children: one call on a queue's
 * handle, from its begin to its end, and its waits. See queue_handle.h.
 *
 * A wait is cut into parts: between them the program looks whether its helper
 * lives, for without it nobody recovers, and all children are dead. (A child
 * need not look: it dies with the helper.)
 */
#include "config.h"

#include "pool/pool.h"
#include "pool/queue_handle.h"
#include "queue/strangers.h"

int queue_check(weir_queue *queue)
{
    if (queue == NULL)
        return WEIR_EINVAL;
    if (queue->process != fork_self())
        return WEIR_EPROCESS;
    return queue->context != NULL ? context_check(queue->context) : 0;
}

/* The place stays this call's, so that giving it back is one plain store. */
static bool take_spare(struct call *call)
{
    for (int i = 0; i < SPARES; i++) {
        _Atomic(struct member *) *place = &call->queue->spare[i];
        struct member *member = atomic_load_explicit(place,
                                                     memory_order_relaxed);

        if (member == NULL || member == SPARE_TAKEN ||
            !atomic_compare_exchange_strong(place, &member, SPARE_TAKEN))
            continue;
        call->member = member;
        call->place = i;
        return true;
    }
    return false;
}

int call_begin(struct call *call, weir_queue *queue, int64_t timeout_ns)
{
    int code = queue_check(queue);

    if (code != 0)
        return code;
    if (timeout_ns < 0)
        return WEIR_EINVAL;
    *call = (struct call){ .queue = queue,
                           .place = -1,
                           .cancels = atomic_load(&queue->cancels) };
    if (timeout_ns > 0)
        call->deadline_ns = clock_deadline(timeout_ns);
    if (take_spare(call))
        return 0;
    code = member_enter_any(queue->segment, 0, &call->member);
    return code == WEIR_EFULL ? -EAGAIN : code;
}

void queue_member_spare(weir_queue *queue, struct member *member)
{
    for (unsigned i = 0; i < SPARES; i++) {
        struct member *none = NULL;

        if (atomic_compare_exchange_strong(&queue->spare[i], &none, member))
            return;
    }
    member_leave(&member);
}

int call_end(struct call *call, int code)
{
    if (code != 0)
        turn_abort(call->member);
    if (call->place >= 0)
        atomic_store_explicit(&call->queue->spare[call->place], call->member,
                              memory_order_release);
    else
        queue_member_spare(call->queue, call->member);
    return code;
}

static void give_up_place(struct call *call)
{
    if (call->place >= 0)
        atomic_store_explicit(&call->queue->spare[call->place], NULL,
                              memory_order_release);
    call->place = -1;
}

struct member *call_keep_member(struct call *call)
{
    give_up_place(call);
    return call->member;
}

/* --------------------------------------------------------------- waiting ----
 */

int64_t wait_part(int64_t deadline_ns)
{
    int64_t part = clock_now() + CONTEXT_LOOK_NS;

    return part < deadline_ns ? part : deadline_ns;
}

int queue_look(const weir_queue *queue)
{
    int code = 0;

    if (queue->context != NULL)
        code = context_alive(queue->context);
    else if (queue->named)
        code = strangers_look(queue->segment);
    return code < 0 ? code : 0;
}

bool queue_is_worth_another(const weir_queue *queue)
{
    return queue->named && strangers_look(queue->segment) > 0;
}

int64_t queue_until_look(const weir_queue *queue, int64_t deadline_ns)
{
    int64_t part = clock_now() + STRANGERS_LOOK_NS;

    if (queue->context != NULL)
        return wait_part(deadline_ns);
    return queue->named && part < deadline_ns ? part : deadline_ns;
}

static bool is_canceled(const struct call *call)
{
    return atomic_load(&call->queue->cancel) ||
           atomic_load(&call->queue->cancels) != call->cancels;
}

static int wait_in_parts(struct call *call, call_wait_once *wait, void *arg)
{
    const weir_queue *queue = call->queue;
    int code = queue->named ? queue_look(queue) : 0;

    while (code == 0) {
        code = wait(call, queue_until_look(queue, call->deadline_ns), arg);
        /* A cancel of a call before us, that had this entry. */
        if (code == WEIR_ECANCELED && !is_canceled(call)) {
            member_cancel(call->queue->segment, member_number(call->member),
                          false);
            if (!is_canceled(call)) {
                code = 0;
                continue;
            }
        }
        if (code != WEIR_ETIMEDOUT || clock_left(call->deadline_ns) == 0)
            return code;
        code = queue_look(queue);
    }
    return code;
}

/*
 * Waits, in sight of weir_queue_cancel. That one raises `cancels` and then
 * looks at `waiting`; here it is the other way round: either it sees our bit,
 * or we see that we are cancelled.
 */
int call_wait(struct call *call, call_wait_once *wait, void *arg)
{
    struct segment *segment = call->queue->segment;
    unsigned number = member_number(call->member);
    _Atomic uint64_t *word = &call->queue->waiting[number / 64];
    const uint64_t bit = UINT64_C(1) << number % 64;
    int code = WEIR_ECANCELED;

    /* Or as many as there are places wait, and each call that need not enters
     * the segment and leaves it. */
    give_up_place(call);
    atomic_fetch_or(word, bit);
    if (!is_canceled(call))
        code = wait_in_parts(call, wait, arg);
    atomic_fetch_and(word, ~bit);
    member_cancel(segment, number, false);
    return code;
}

int weir_queue_cancel(weir_queue *queue, bool cancel)
{
    if (queue == NULL)
        return WEIR_EINVAL;
    if (queue->process != fork_self())
        return WEIR_EPROCESS;
    atomic_store(&queue->cancel, cancel);
    atomic_fetch_add(&queue->cancels, 1);
    for (unsigned i = 0; i < MEMBERS_MOST / 64; i++) {
        uint64_t bits = atomic_load(&queue->waiting[i]);

        for (; bits != 0; bits &= bits - 1)
            member_cancel(queue->segment,
                          i * 64 + (unsigned)__builtin_ctzll(bits), true);
    }
    queue_ring_own(queue);
    return 0;
}
