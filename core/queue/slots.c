/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slots.c - what is done with many held slots at once, queue by queue: by the
 * member, or by who recovers it. Each looks at the word again before each
 * store, so that all of it may be done twice, or half and then again.
 *
 * References of several queues may stand in one list, in any order; the number
 * of passes is the number of queues in it, which the job's graph bounds.
 */
#include "config.h"

#include "base/base.h"
#include "queue/internal.h"

/* A reference that is out of range is damage: there is no such slot. */
static int check_refs(struct segment *segment, const _Atomic uint64_t *refs,
                      unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (segment_slot(segment, atomic_load(&refs[i])) == NULL)
            return segment_damaged(segment);
    return 0;
}

/* The first from @from on that is held in that state, in another queue than
 * those before; @count: none. */
static unsigned next_held(const struct segment *segment,
                          const _Atomic uint64_t *refs, unsigned from,
                          unsigned count, enum slot_state state,
                          unsigned number)
{
    while (from < count &&
           !slot_is(segment_slot(segment, atomic_load(&refs[from])), state,
                    number))
        from++;
    return from;
}

static bool is_held(const struct queue *queue, uint64_t ref,
                    enum slot_state state, unsigned number)
{
    if (state == SLOT_STAGED && WEIR_MUTATED("blind-redo"))
        return reference_queue(ref) == queue->number;
    return reference_queue(ref) == queue->number &&
           slot_is(&queue->slots[reference_slot(ref)], state, number);
}

typedef int slot_action(struct queue *queue, uint32_t slot);

/* Runs @act for all held slots, under each queue's lock once; from the first
 * to the last, or backwards. */
static int for_each_queue(struct segment *segment, const _Atomic uint64_t *refs,
                          unsigned count, enum slot_state state,
                          unsigned number, slot_action *act, bool backwards)
{
    int code = check_refs(segment, refs, count);
    unsigned at = 0;

    while (code == 0) {
        struct wakes wakes = { 0 };
        struct queue *queue;

        at = next_held(segment, refs, at, count, state, number);
        if (at == count)
            return 0;
        queue = segment_queue(segment, reference_queue(atomic_load(&refs[at])));
        code = queue_lock(queue);
        if (code < 0)
            return code;
        for (unsigned i = 0; i < count && code == 0; i++) {
            uint64_t ref = atomic_load(&refs[backwards ? count - 1 - i : i]);

            if (is_held(queue, ref, state, number))
                code = act(queue, reference_slot(ref));
        }
        queue_choose_wakes(queue, &wakes);
        queue_unlock(queue);
        WEIR_POINT("queue.slots.unlocked");
        wakes_send(queue, &wakes);
    }
    return code;
}

/* Under the store's lock: first the flag, then the count of the chunk. */
int slots_drop_chunks(struct segment *segment, const _Atomic uint64_t *refs,
                      unsigned count, enum slot_state state, unsigned number)
{
    bool locked = false;
    int code = 0;

    for (unsigned i = 0; i < count && code == 0; i++) {
        struct slot *slot = segment_slot(segment, atomic_load(&refs[i]));

        if (slot == NULL || !slot_is(slot, state, number) ||
            (atomic_load(&slot->chunk_ref) == 0 &&
             atomic_load(&slot->attrs_ref) == 0))
            continue;
        if (!locked) {
            code = store_lock(&segment->store);
            locked = code == 0;
        }
        if (code == 0)
            code = store_drop_locked(&segment->store, slot->chunk,
                                     &slot->chunk_ref);
        if (code == 0)
            code = store_drop_locked(&segment->store, slot->attrs_chunk,
                                     &slot->attrs_ref);
    }
    if (locked)
        store_unlock(&segment->store);
    return code == WEIR_EBROKEN ? segment_damaged(segment) : code;
}

int slots_free(struct segment *segment, const _Atomic uint64_t *refs,
               unsigned count, enum slot_state state, unsigned number)
{
    int code = check_refs(segment, refs, count);

    if (code == 0)
        code = slots_drop_chunks(segment, refs, count, state, number);
    if (code == 0)
        code = for_each_queue(segment, refs, count, state, number,
                              queue_release_slot, false);
    return code;
}

static int publish_or_hold(struct queue *queue, uint32_t number)
{
    return queue->order != NULL && queue->order[number].from != 0
               ? order_hold(queue, number)
               : queue_publish(queue, number);
}

int slots_publish(struct segment *segment, const _Atomic uint64_t *refs,
                  unsigned count, unsigned number)
{
    return for_each_queue(segment, refs, count, SLOT_STAGED, number,
                          publish_or_hold, false);
}

/* From the last to the first, each to the head. Those that are DONE among those
 * that are not: in one pass over both states, or their order would be lost. */
static bool is_input(const struct slot *slot, unsigned number)
{
    return slot_is(slot, SLOT_LEASED, number) ||
           slot_is(slot, SLOT_DONE, number);
}

int slots_give_back(struct segment *segment, const _Atomic uint64_t *refs,
                    unsigned count, unsigned number)
{
    int code = check_refs(segment, refs, count);

    for (unsigned left = count; left > 0 && code == 0; left--) {
        uint64_t last = atomic_load(&refs[left - 1]);
        struct wakes wakes = { 0 };
        struct queue *queue;

        if (!is_input(segment_slot(segment, last), number))
            continue;
        queue = segment_queue(segment, reference_queue(last));
        code = queue_lock(queue);
        if (code < 0)
            return code;
        for (unsigned i = left; i > 0; i--) {
            uint64_t ref = atomic_load(&refs[i - 1]);

            if (reference_queue(ref) == queue->number &&
                is_input(segment_slot(segment, ref), number))
                queue_give_back(queue, reference_slot(ref));
        }
        queue_choose_wakes(queue, &wakes);
        queue_unlock(queue);
        WEIR_POINT("queue.back.unlocked");
        wakes_send(queue, &wakes);
    }
    return code;
}
