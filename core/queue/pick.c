/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pick.c - finding items by who they are, instead of by their turn: taking
 * some out of the middle of a queue, marking one, looking at one. Runs in the
 * process that owns the segment.
 *
 * A pick leaves no holes: those before a picked item move up one position,
 * from the tail to the head in one pass under the lock. Positions are truth,
 * and while they move two items may have the same one; a rebuild would call
 * that damage. So only the process whose death ends the segment may pick (a
 * program with its own pool): nobody rebuilds after it.
 */
#include "config.h"

#include "base/base.h"
#include "queue/internal.h"

static void move_to(struct queue *queue, uint32_t number, uint64_t pos)
{
    queue->slots[number].pos = pos;
    queue->ring[pos & queue->ring_mask] = number;
}

static int pick_one(struct member *member, struct queue *queue, uint32_t number,
                    uint64_t *ref_out)
{
    uint64_t ref = reference(queue->number, number);

    if (refs_add(member, REFS_IN, ref) < 0)
        return WEIR_ESTATE;
    slot_set(&queue->slots[number], word_of(SLOT_LEASED, member->number));
    *ref_out = ref;
    return 0;
}

/* Under the lock. */
static int pick_all(struct member *member, struct queue *queue,
                    item_match *match, void *arg, unsigned most, uint64_t *refs)
{
    struct queue_head *head = queue->head;
    uint64_t to = head->tail;
    unsigned count = 0;

    for (uint64_t from = head->tail; from > head->head; from--) {
        uint32_t number = queue->ring[(from - 1) & queue->ring_mask];

        if (number >= queue->capacity ||
            atomic_load(&queue->slots[number].word) != SLOT_READY)
            return segment_damaged(member->segment);
        if (count < most && match(arg, queue->slots[number].root) &&
            pick_one(member, queue, number, &refs[count]) == 0) {
            count++;
            continue;
        }
        if (--to != from - 1)
            move_to(queue, number, to);
    }
    head->head = to;
    head->leased += count;
    atomic_store_explicit(&head->ready, atomic_load(&head->ready) - count,
                          memory_order_relaxed);
    return (int)count;
}

int turn_pick(struct member *member, unsigned number, item_match *match,
              void *arg, unsigned most, struct item *items)
{
    struct queue *queue = segment_queue(member->segment, number);
    uint64_t refs[LEASE_MOST];
    int count, code;

    if (queue == NULL || queue->kept != KEPT_NOT)
        return WEIR_EINVAL;
    if (most > LEASE_MOST)
        most = LEASE_MOST;
    turn_open(member);
    code = queue_lock(queue);
    if (code < 0)
        return code;
    count = pick_all(member, queue, match, arg, most, refs);
    queue_unlock(queue);
    for (int i = 0; i < count; i++)
        items[i] = (struct item){
            .ref = refs[i],
            .queue = number,
            .root = segment_slot(member->segment, refs[i])->root,
        };
    return count;
}

/* ------------------------------------------------------------------ marks ----
 */

int item_mark(struct segment *segment, uint64_t ref, uint64_t root)
{
    struct queue *queue = segment_queue(segment, reference_queue(ref));
    struct slot *slot = segment_slot(segment, ref);
    enum slot_state state;
    int code;

    if (slot == NULL)
        return WEIR_EINVAL;
    code = queue_lock(queue);
    if (code < 0)
        return code;
    state = word_state(atomic_load(&slot->word));
    if (slot->root != root || (state != SLOT_READY && state != SLOT_LEASED))
        code = WEIR_ESTATE;
    else
        atomic_store(&slot->marked, 1);
    queue_unlock(queue);
    return code;
}

/* Taken up first, then looked at; marked first, then looked for who has it in
 * hand: one of the two sees the other. */
bool turn_marked(const struct member *member, const struct item *item)
{
    const struct slot *slot = segment_slot(member->segment, item->ref);

    atomic_thread_fence(memory_order_seq_cst);
    return slot != NULL && atomic_load(&slot->marked) != 0;
}

void item_look(const struct segment *segment, uint64_t ref, uint64_t root,
               struct item_look *out)
{
    const struct slot *slot = segment_slot(segment, ref);
    uint32_t word;

    *out = (struct item_look){ .state = ITEM_GONE };
    if (slot == NULL || slot->root != root)
        return;
    word = atomic_load(&slot->word);
    switch (word_state(word)) {
    case SLOT_READY:
        out->state = ITEM_READY;
        break;
    case SLOT_LEASED:
        out->state = ITEM_LEASED;
        break;
    case SLOT_DONE:
        out->state = ITEM_DONE;
        break;
    case SLOT_STAGED:
    case SLOT_HELD:
        out->state = ITEM_STAGED;
        break;
    default:
        return;
    }
    out->attempt = slot->attempt;
    out->member = word_member(word);
    if (out->state == ITEM_LEASED && out->member < segment->member_count) {
        const struct member_head *head = member_at(segment, out->member);

        out->in_hand = atomic_load(&head->hand) == ref + 1;
        out->process = atomic_load(&head->process);
    }
}
