/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stage.c - staging outputs, and claiming room for a set of them. Runs in the
 * member's process.
 *
 *   stage   out[], the slot's fields, word = STAGED(w); then, outside the
 *           queue's lock, chunk and flag. Dies before the word: a stale
 *           reference to a FREE slot; after it: dropped with what it holds.
 *   drop    flags and counts of its chunks, then word = FREE, then forgotten.
 *
 * NOBODY WAITS FOR ROOM while it holds staged slots in that queue or in one
 * further down: turn_claim refuses it.
 */
#include "config.h"

#include <stddef.h>
#include <string.h>

#include "base/base.h"
#include "queue/internal.h"

/* What is to be written into the slot, before it is known which. */
struct draft {
    struct slot head;         /* all but word and data */
    struct slot_view payload; /* of a pass */
    struct slot_view attrs;
    const struct stage_order *order;
    uint32_t lane;
    bool chunk_taken; /* room for the payload is to be taken from the store */
    bool attrs_taken;
};

static int view_ref(const struct member *member, uint64_t ref,
                    struct slot_view *view, const struct slot **slot_out)
{
    const struct slot *slot = held_slot(member, ref, SLOT_LEASED);

    if (slot == NULL)
        slot = held_slot(member, ref, SLOT_DONE);
    if (slot == NULL)
        slot = held_slot(member, ref, SLOT_STAGED);
    if (slot == NULL)
        return WEIR_ESTATE;
    if (slot_view(member->segment, slot, view) < 0)
        return segment_damaged(member->segment);
    /* its final size, when it is staged here */
    if (slot_is(slot, SLOT_STAGED, member->number) &&
        (slot->pos & ~SIZE_KNOWN) < view->size)
        view->size = (size_t)(slot->pos & ~SIZE_KNOWN);
    *slot_out = slot;
    return 0;
}

static int draft_payload(const struct member *member,
                         const struct stage_spec *spec, struct draft *draft)
{
    const struct slot *from;
    int code;

    if (spec->pass == NULL) {
        draft->head.size = (uint32_t)spec->room;
        draft->chunk_taken = spec->room > SLOT_INLINE;
        return 0;
    }
    code = view_ref(member, spec->pass->ref, &draft->payload, &from);
    if (code < 0)
        return code;
    draft->head.size = (uint32_t)draft->payload.size;
    draft->head.chunk = from->chunk;
    return 0;
}

/* Attributes lie beside the payload if they fit; by reference if they are
 * somebody's in a chunk already; else in a chunk of their own. */
static int draft_attrs(const struct member *member,
                       const struct stage_spec *spec, struct draft *draft)
{
    const struct slot *from = NULL;
    size_t taken = draft->head.chunk == 0 && draft->head.size <= SLOT_INLINE
                       ? draft->head.size
                       : 0;

    draft->attrs.attrs = spec->attrs;
    draft->attrs.attrs_size = spec->attrs_size;
    if (spec->inherit != NULL) {
        int code = view_ref(member, spec->inherit->ref, &draft->attrs, &from);

        if (code < 0)
            return code;
    }
    if (draft->attrs.attrs_size > ATTRS_MOST)
        return WEIR_ETOOBIG;
    draft->head.attrs_size = (uint16_t)draft->attrs.attrs_size;
    if (draft->attrs.attrs_size <= SLOT_INLINE - taken)
        return 0;
    if (from != NULL && from->attrs_chunk != 0)
        draft->head.attrs_chunk = from->attrs_chunk;
    else
        draft->attrs_taken = true;
    return 0;
}

static int make_draft(const struct member *member,
                      const struct stage_spec *spec, struct draft *draft)
{
    int code;

    memset(draft, 0, sizeof *draft);
    if (spec->room > STORE_ITEM_MOST)
        return WEIR_ETOOBIG;
    code = draft_payload(member, spec, draft);
    if (code == 0)
        code = draft_attrs(member, spec, draft);
    draft->head.root = spec->root;
    draft->head.path = spec->path;
    draft->head.pos = SIZE_KNOWN | draft->head.size;
    draft->order = spec->order;
    return code;
}

/* Under the lock, before the word: who finds it then finds it whole. */
static void fill_slot(struct slot *slot, const struct draft *draft)
{
    const struct slot *head = &draft->head;

    slot->size = head->size;
    slot->pos = head->pos;
    slot->root = head->root;
    slot->path = head->path;
    slot->skip_hash = 0;
    slot->skip = 0;
    slot->chunk = head->chunk;
    slot->attrs_chunk = head->attrs_chunk;
    slot->attrs_size = head->attrs_size;
    slot->attempt = 0;
    slot->cause = CAUSE_NONE;
    slot->cause_code = 0;
    atomic_store_explicit(&slot->marked, 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

/* Under the lock, before the word, too. */
static void fill_order(struct queue *queue, uint32_t number,
                       const struct stage_order *order)
{
    struct slot_order *to = &queue->order[number];

    to->from = order != NULL ? order->queue + 1 : 0;
    to->behind = order != NULL ? order->ticket : 0;
    to->index = order != NULL ? order->index : 0;
    atomic_signal_fence(memory_order_seq_cst);
}

static void fill_kept(struct queue *queue, uint32_t number,
                      const struct draft *draft)
{
    if (queue->order != NULL)
        fill_order(queue, number, draft->order);
    if (queue->lanes != NULL)
        queue->lane_of[number] = draft->lane;
}

static bool has_room(const struct member *member, const struct queue *queue,
                     const struct stage_order *order, uint64_t charge)
{
    const struct queue_head *head = queue->head;

    if (head->claim != 0 && head->claim != member->number + 1)
        return false;
    if (order == NULL)
        return queue_fits(queue, 1, charge);
    return order_fits(queue,
                      order->ticket == ORDER_LAST ||
                          order->ticket == member->first,
                      charge);
}

/* A free slot, ours from here on; or why there is none now. */
static int take_slot(struct member *member, struct queue *queue,
                     const struct draft *draft, uint64_t charge,
                     uint64_t *ref_out)
{
    struct queue_head *head = queue->head;
    struct slot *slot;
    uint32_t number;

    if (atomic_load(&head->closed) != 0)
        return WEIR_ECLOSED;
    if (!has_room(member, queue, draft->order, charge))
        return WEIR_EFULL;
    if (head->free_count > queue->capacity)
        return segment_damaged(member->segment);
    number = queue->free[head->free_count - 1];
    if (number >= queue->capacity ||
        atomic_load(&queue->slots[number].word) != SLOT_FREE)
        return segment_damaged(member->segment);
    slot = &queue->slots[number];
    *ref_out = reference(queue->number, number);
    fill_slot(slot, draft);
    if (queue->kept != KEPT_NOT)
        fill_kept(queue, number, draft);
    if (WEIR_MUTATED("stage-word-first")) {
        slot_set(slot, word_of(SLOT_STAGED, member->number));
        WEIR_POINT("queue.stage.mutant");
    }
    if (refs_add(member, REFS_OUT, *ref_out) < 0)
        return WEIR_ESTATE;
    slot_set(slot, word_of(SLOT_STAGED, member->number));
    WEIR_POINT("queue.stage.word");
    head->free_count--;
    head->staged++;
    head->bytes += charge;
    return 0;
}

/* Under the queue's lock: FREE first, then forgotten. */
static int give_up_slot(struct member *member, struct queue *queue,
                        uint64_t ref)
{
    int code = queue_release_slot(queue, reference_slot(ref));

    refs_remove(member, REFS_OUT, ref);
    return code < 0 ? code : WEIR_EFULL;
}

/* Under the queue's lock: a slot for bytes without attributes. */
static int take_plain(struct member *member, struct queue *queue, size_t size,
                      uint64_t root, uint64_t *ref_out)
{
    struct draft draft;

    memset(&draft.head, 0, offsetof(struct slot, data));
    draft.head.size = (uint32_t)size;
    draft.head.pos = SIZE_KNOWN | size;
    draft.head.root = root;
    draft.order = NULL;
    draft.lane = 0;
    return take_slot(member, queue, &draft, slot_charge(&draft.head), ref_out);
}

int stage_now(struct member *member, struct queue *queue,
              const weir_bytes *bytes, uint64_t root)
{
    struct store *store = &member->segment->store;
    struct slot *slot;
    uint64_t ref;
    void *to;
    int code = take_plain(member, queue, bytes->size, root, &ref);

    if (code < 0)
        return code;
    slot = &queue->slots[reference_slot(ref)];
    to = slot->data;
    if (bytes->size > SLOT_INLINE) {
        code = store_take_locked(store, bytes->size, &slot->chunk,
                                 &slot->chunk_ref);
        if (code == WEIR_EEMPTY)
            return give_up_slot(member, queue, ref);
        to = code == 0 ? chunk_data(store, slot->chunk) : NULL;
        if (to == NULL)
            return segment_damaged(member->segment);
    }
    copy_bytes(to, bytes->data, bytes->size);
    return 0;
}

static int take_chunk(struct member *member, struct slot *slot,
                      const struct draft *draft)
{
    struct store *store = &member->segment->store;

    if (draft->chunk_taken)
        return store_take(store, draft->head.size, &slot->chunk,
                          &slot->chunk_ref, &member->head->punch);
    if (draft->head.chunk != 0)
        return store_share(store, draft->head.chunk, &slot->chunk,
                           &slot->chunk_ref);
    if (draft->payload.size > 0)
        memcpy(slot->data, draft->payload.data, draft->payload.size);
    return 0;
}

static int take_attrs(struct member *member, struct slot *slot,
                      const struct draft *draft)
{
    struct store *store = &member->segment->store;
    size_t size = draft->attrs.attrs_size;
    void *to = slot->data + SLOT_INLINE - size;

    if (draft->head.attrs_chunk != 0)
        return store_share(store, draft->head.attrs_chunk, &slot->attrs_chunk,
                           &slot->attrs_ref);
    if (draft->attrs_taken) {
        int code = store_take(store, size, &slot->attrs_chunk, &slot->attrs_ref,
                              &member->head->punch);

        if (code < 0)
            return code;
        to = chunk_data(store, slot->attrs_chunk);
        if (to == NULL)
            return WEIR_EBROKEN;
    }
    if (size > 0)
        memcpy(to, draft->attrs.attrs, size);
    return 0;
}

static int check_stage(struct member *member, const struct queue *queue,
                       const struct stage_order *order)
{
    if (segment_broken(member->segment))
        return WEIR_EBROKEN;
    if (queue == NULL || (order != NULL && queue->order == NULL))
        return WEIR_EINVAL;
    if (order != NULL)
        member->ordered = order->queue + 1;
    return member->out_count >= MEMBER_REFS ? WEIR_ESTATE : 0;
}

/* Of a payload that is to be written: the rest of its chunk, or of its slot up
 * to the attributes. */
static size_t brim_of(const struct draft *draft)
{
    const struct slot *head = &draft->head;

    if (draft->chunk_taken)
        return store_size_for(head->size) - head->size;
    if (draft->attrs_taken || head->attrs_chunk != 0)
        return SLOT_INLINE - head->size;
    return SLOT_INLINE - head->size - head->attrs_size;
}

int turn_stage(struct member *member, const struct stage_spec *spec,
               struct staged *out)
{
    struct queue *queue = segment_queue(member->segment, spec->queue);
    struct draft draft;
    struct slot *slot;
    uint64_t ref = 0, charge;
    int code = check_stage(member, queue, spec->order);

    if (code == 0)
        code = make_draft(member, spec, &draft);
    if (code < 0)
        return code;
    if (queue->lanes != NULL)
        draft.lane = lanes_choose(queue, draft.attrs.attrs,
                                  draft.attrs.attrs_size);
    charge = slot_charge(&draft.head);
    if (charge > queue->bytes_most)
        return WEIR_ETOOBIG;
    turn_open(member);
    code = queue_lock(queue);
    if (code < 0)
        return code;
    code = take_slot(member, queue, &draft, charge, &ref);
    queue_unlock(queue);
    if (code < 0)
        return code;
    slot = &queue->slots[reference_slot(ref)];
    code = take_chunk(member, slot, &draft);
    if (code == 0)
        code = take_attrs(member, slot, &draft);
    if (code < 0) {
        turn_drop(member, ref);
        return code == WEIR_EBROKEN ? segment_damaged(member->segment) : code;
    }
    *out = (struct staged){ .ref = ref, .room = draft.head.size };
    if (spec->pass == NULL) {
        out->data = slot->chunk != 0
                        ? chunk_data(&member->segment->store, slot->chunk)
                        : slot->data;
        out->brim = brim_of(&draft);
    }
    return 0;
}

/* ---------------------------------------------------------- many at once ----
 */

/* In one hold: as many as find room. */
static int take_slots(struct member *member, struct queue *queue,
                      const weir_bytes *items, unsigned count, uint64_t root,
                      struct staged *staged)
{
    unsigned some = 0;
    int code = queue_lock(queue);

    if (code < 0)
        return code;
    fetch_free(queue, count);
    while (some < count && code == 0) {
        code = take_plain(member, queue, items[some].size, root + some,
                          &staged[some].ref);
        some += code == 0;
    }
    queue_unlock(queue);
    return some > 0 && code != WEIR_EBROKEN ? (int)some : code;
}

/* In one hold of the store's lock, as long as there are chunks with pages. */
static int take_warm_chunks(struct member *member, const weir_bytes *items,
                            const struct staged *staged, unsigned count)
{
    struct store *store = &member->segment->store;
    bool locked = false;
    int code = 0;

    for (unsigned i = 0; i < count && code == 0; i++) {
        struct slot *slot = segment_slot(member->segment, staged[i].ref);

        if (items[i].size <= SLOT_INLINE)
            continue;
        if (!locked) {
            code = store_lock(store);
            locked = code == 0;
        }
        if (code == 0)
            code = store_take_locked(store, items[i].size, &slot->chunk,
                                     &slot->chunk_ref);
    }
    if (locked)
        store_unlock(store);
    return code == WEIR_EEMPTY ? 0 : code;
}

/* Where to write; a chunk for each that has none yet. How many have room, the
 * first of them; *code_out: why not all. */
static unsigned take_chunks(struct member *member, const weir_bytes *items,
                            struct staged *staged, unsigned count,
                            int *code_out)
{
    struct store *store = &member->segment->store;

    for (unsigned i = 0; i < count; i++) {
        struct slot *slot = segment_slot(member->segment, staged[i].ref);

        staged[i] = (struct staged){ .ref = staged[i].ref,
                                     .room = items[i].size,
                                     .data = slot->data };
        if (items[i].size <= SLOT_INLINE)
            continue;
        *code_out = atomic_load(&slot->chunk_ref) != 0
                        ? 0
                        : store_take(store, items[i].size, &slot->chunk,
                                     &slot->chunk_ref, &member->head->punch);
        staged[i].data = chunk_data(store, slot->chunk);
        if (*code_out == 0 && staged[i].data == NULL)
            *code_out = WEIR_EBROKEN;
        if (*code_out != 0)
            return i;
    }
    return count;
}

/* Those before the first that is larger than any chunk, or than the queue. */
static unsigned count_possible(const struct queue *queue,
                               const weir_bytes *items, unsigned count)
{
    unsigned possible = 0;

    while (possible < count && items[possible].size <= STORE_ITEM_MOST &&
           queue_charge(items[possible].size, 0) <= queue->bytes_most)
        possible++;
    return possible;
}

int turn_stage_many(struct member *member, unsigned number,
                    const weir_bytes *items, unsigned count, uint64_t root,
                    struct staged *staged)
{
    struct queue *queue = segment_queue(member->segment, number);
    unsigned before = member->out_count, with_room = 0;
    int code = check_stage(member, queue, NULL), some;

    if (code == 0 && queue->kept != KEPT_NOT)
        code = WEIR_EINVAL;
    if (code < 0)
        return code;
    count = count_possible(queue, items, count);
    if (count == 0)
        return WEIR_ETOOBIG;
    turn_open(member);
    some = take_slots(member, queue, items, count, root, staged);
    if (some < 0)
        return some;
    code = take_warm_chunks(member, items, staged, (unsigned)some);
    if (code == 0)
        with_room = take_chunks(member, items, staged, (unsigned)some, &code);
    if (code == WEIR_EBROKEN)
        return segment_damaged(member->segment);
    if (with_room < (unsigned)some)
        turn_drop_from(member, before + with_room);
    return with_room > 0 ? (int)with_room : code;
}

int turn_shrink(struct member *member, struct staged *staged, size_t size)
{
    struct slot *slot = held_slot(member, staged->ref, SLOT_STAGED);

    if (slot == NULL)
        return WEIR_ESTATE;
    if (size > staged->room)
        return WEIR_EINVAL;
    slot->pos = SIZE_KNOWN | size;
    staged->room = size;
    return 0;
}

unsigned turn_staged(const struct member *member)
{
    return member->out_count;
}

int turn_drop(struct member *member, uint64_t ref)
{
    _Atomic uint64_t one = ref;
    int code;

    if (held_slot(member, ref, SLOT_STAGED) == NULL)
        return WEIR_ESTATE;
    code = slots_free(member->segment, &one, 1, SLOT_STAGED, member->number);
    refs_remove(member, REFS_OUT, ref);
    return code;
}

int turn_drop_from(struct member *member, unsigned from)
{
    int code;

    if (from >= member->out_count)
        return 0;
    code = slots_free(member->segment, member->out + from,
                      member->out_count - from, SLOT_STAGED, member->number);
    if (code == 0)
        refs_set_count(member, REFS_OUT, from);
    return code;
}

/* --------------------------------------------------------------- claims ----
 */

/* The first of an ordered stage does not wait for one who waits for it, as he
 * may while something is held there. Not when that is all gone: then he gets
 * what he waits for, and nobody starves. */
static bool takes_claim(const struct member *member, const struct queue *queue)
{
    return member->first != 0 && queue->order != NULL &&
           queue->head->claim_first == 0 && queue->head->staged > 0;
}

/* Under the lock. 0: the room is ours; WEIR_EFULL: wait. */
static int try_claim(struct member *member, struct queue *queue,
                     const struct room *room)
{
    struct queue_head *head = queue->head;

    if (atomic_load(&head->closed) != 0)
        return WEIR_ECLOSED;
    if (head->claim != 0 && head->claim != member->number + 1 &&
        !takes_claim(member, queue))
        return WEIR_EFULL;
    head->claim_slots = room->slots;
    head->claim_bytes = room->bytes;
    head->claim_first = member->first != 0 && queue->order != NULL &&
                        room->slots == 1;
    head->claim = member->number + 1;
    WEIR_POINT("queue.claim.set");
    return order_claim_fits(queue) ? 0 : WEIR_EFULL;
}

static int look_for_room(struct member *member, const struct room *room,
                         bool wait)
{
    struct queue *queue = segment_queue(member->segment, room->queue);
    struct wakes wakes = { 0 };
    int code = queue_lock(queue);

    if (code < 0)
        return code;
    if (member->listed)
        sleeper_remove(queue, SIDE_PRODUCER, member->number);
    code = try_claim(member, queue, room);
    if (code == WEIR_EFULL && wait)
        sleeper_add(queue, SIDE_PRODUCER, member->number);
    queue_choose_wakes(queue, &wakes);
    queue_unlock(queue);
    wakes_send(queue, &wakes);
    return code;
}

/* Claims one queue's room, waiting for it. */
static int claim_one(struct member *member, const struct room *room,
                     int64_t deadline_ns)
{
    int code = look_for_room(member, room, false);

    if (code == WEIR_EFULL && deadline_ns == 0)
        return WEIR_EFULL;
    while (code == WEIR_EFULL) {
        member_announce(member);
        code = look_for_room(member, room, true);
        if (code != WEIR_EFULL)
            break;
        code = member_sleep(member, deadline_ns, true);
        if (code == 0)
            code = WEIR_EFULL;
        if (code == WEIR_ETIMEDOUT) {
            /* what came with the deadline is taken */
            code = look_for_room(member, room, false);
            if (code == WEIR_EFULL)
                code = WEIR_ETIMEDOUT;
        }
    }
    member_unlist(member, &room->queue, 1);
    return code;
}

static int check_rooms(const struct member *member, const struct room *rooms,
                       unsigned count)
{
    if (member->out_count != 0 && !WEIR_MUTATED("wait-with-staged"))
        return WEIR_ESTATE;
    for (unsigned i = 0; i < count; i++) {
        const struct queue *queue = segment_queue(member->segment,
                                                  rooms[i].queue);

        if (queue == NULL || (i > 0 && rooms[i].queue <= rooms[i - 1].queue))
            return WEIR_EINVAL;
        if (rooms[i].slots > queue->capacity ||
            rooms[i].bytes > queue->bytes_most)
            return WEIR_ETOOBIG;
    }
    return 0;
}

int turn_claim(struct member *member, const struct room *rooms, unsigned count,
               int64_t deadline_ns)
{
    int code = check_rooms(member, rooms, count);

    if (code == 0 && segment_broken(member->segment))
        code = WEIR_EBROKEN;
    if (code < 0)
        return code;
    for (unsigned i = 0; i < count; i++) {
        code = claim_one(member, &rooms[i], deadline_ns);
        if (code < 0) {
            turn_unclaim(member, rooms, i + 1);
            return code;
        }
    }
    return 0;
}

bool turn_claims(const struct member *member, const struct room *rooms,
                 unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct queue *queue = segment_queue(member->segment, rooms[i].queue);
        bool ours;

        if (queue == NULL || queue_lock(queue) < 0)
            return false;
        ours = queue->head->claim == member->number + 1;
        queue_unlock(queue);
        if (!ours)
            return false;
    }
    return true;
}

int turn_unclaim(struct member *member, const struct room *rooms,
                 unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct queue *queue = segment_queue(member->segment, rooms[i].queue);
        struct wakes wakes = { 0 };
        int code;

        if (queue == NULL)
            return WEIR_EINVAL;
        code = queue_lock(queue);
        if (code < 0)
            return code;
        if (queue->head->claim == member->number + 1)
            queue->head->claim = 0;
        queue_choose_wakes(queue, &wakes);
        queue_unlock(queue);
        WEIR_POINT("queue.claim.ended");
        wakes_send(queue, &wakes);
    }
    return 0;
}
