/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * direct.c - put and get of items that are quickly copied, by who holds nothing
 * else: the whole turn in one hold of the queue's lock. Runs in the member's
 * process.
 *
 * The words, and the order in which they are stored, are those of a turn that
 * is made step by step (stage.c, lease.c, commit.c); but the lock is not given
 * back in between, so that others see none of the states between. Who dies in
 * here dies with the lock held: whoever takes it next rebuilds the caches from
 * the slots, and recovery finds TXN and references as at any death:
 *
 *   put   out[], all of them; for each word = STAGED(w), its chunk, the bytes;
 *         TXN = COMMITTED; for each pos, word = READY; then, unlocked, out[] is
 *         cut and TXN = OPEN. Before COMMITTED: dropped. After it: what is
 *         STAGED(w) still is published
 *   get   in[], all of them; for each word = DONE(w), the bytes are copied; TXN
 *         = COMMITTED; the chunks go; for each word = FREE; then in[] is cut.
 *         Before COMMITTED: given back, not charged; after it: what is DONE(w)
 *         still is freed
 *
 * References are noted all at once, before it is known that each is needed: one
 * whose slot never got a word of ours is stale, as one that was noted just
 * before a death. Nobody sees an item LEASED in here, and no attempt is made at
 * it, so its word goes from READY to DONE: to who recovers both are the same,
 * but for what a commit makes of them, and then it is DONE. Counts, head and
 * tail are caches: they are told once, when all words are stored, and whoever
 * finds the lock's owner dead makes them from the words.
 *
 * THE STORE'S LOCK IS TAKEN INSIDE OF THE QUEUE'S, here and nowhere else, and
 * never the other way round, so there is no circle. Who dies with both leaves
 * both to be rebuilt, each from the slots, by whoever takes it next; in either
 * order, for neither rebuild reads what the other writes. One who is stopped
 * with the store's lock holds up who waits for it with the queue's: the sweep
 * looks at the store's, too, and names the one who has it.
 *
 * The caller's own memory is not touched under the lock: a fault there may take
 * long, or end in a handler that does not come back. Bytes go by this stack.
 */
#include "config.h"

#include <string.h>

#include "base/base.h"
#include "queue/internal.h"

/* Of one turn, on the stack. */
enum { BYTES = PUT_MOST * ITEM_SMALL };

/* One that holds nothing, at a queue without order or key. */
bool turn_is_simple(const struct member *member, const struct queue *queue)
{
    return queue != NULL && queue->kept == KEPT_NOT && member->in_count == 0 &&
           member->out_count == 0 && member->ordered == 0 &&
           !segment_broken(member->segment);
}

static int publish_all(struct member *member, struct queue *queue)
{
    int code = 0;

    for (unsigned i = 0; i < member->out_count && code == 0; i++)
        code = queue_publish(queue,
                             reference_slot(atomic_load(&member->out[i])));
    return code;
}

static int release_all(struct member *member, struct queue *queue)
{
    int code = 0;

    for (unsigned i = 0; i < member->in_count && code == 0; i++)
        code = queue_release_slot(queue,
                                  reference_slot(atomic_load(&member->in[i])));
    return code;
}

/* Under the lock, which it gives back; all words are stored. */
static void end_turn(struct member *member, struct queue *queue, bool puts)
{
    struct wakes wakes = { 0 };

    queue_choose_wakes(queue, &wakes);
    if (puts) /* for the next turn, which likely is like this one */
        fetch_free(queue, 1);
    else
        fetch_ready(queue, 1);
    queue_unlock(queue);
    WEIR_POINT("queue.slots.unlocked");
    wakes_send(queue, &wakes);
    WEIR_POINT("queue.commit.redone");
    refs_set_count(member, REFS_IN, 0);
    WEIR_POINT("queue.commit.kept");
    commit_end(member);
}

/* Under the lock, which it gives back: the commit and what follows from it. */
int turn_settle(struct member *member, struct queue *queue)
{
    bool puts = member->out_count > 0;
    int code;

    commit_store(member);
    code = publish_all(member, queue);
    if (code == 0 && !puts)
        code = slots_drop_chunks(member->segment, member->in, member->in_count,
                                 SLOT_DONE, member->number);
    if (code == 0)
        code = release_all(member, queue);
    if (code == 0)
        end_turn(member, queue, puts);
    else
        queue_unlock(queue);
    return code;
}

/* The first of @items that have room, copied to @bytes: how many. One that can
 * never be in the queue is not looked at. */
static unsigned gather(const struct queue *queue, const weir_bytes *items,
                       unsigned count, char *bytes, weir_bytes *copies)
{
    unsigned some = 0;
    size_t room = BYTES;

    for (; some < count && some < PUT_MOST; some++) {
        weir_bytes item = items[some];

        if (item.size > ITEM_DIRECT || item.size > room ||
            item.size > queue->bytes_most)
            break;
        copy_bytes(bytes, item.data, item.size);
        copies[some] = (weir_bytes){ bytes, item.size };
        bytes += item.size;
        room -= item.size;
    }
    return some;
}

/* The largest needs a chunk: 1; and there is none with pages: -1. */
static int need_store(const struct member *member, const weir_bytes *items,
                      unsigned count)
{
    int need = 0;

    for (unsigned i = 0; i < count; i++) {
        if (items[i].size <= SLOT_INLINE)
            continue;
        if (!store_is_warm(&member->segment->store, items[i].size))
            return -1;
        need = 1;
    }
    return need;
}

/* Both locks, or none. */
static int lock_both(struct queue *queue, bool with_store)
{
    int code = queue_lock(queue);

    if (code < 0 || !with_store)
        return code;
    code = store_lock(&queue->segment->store);
    if (code == 0)
        return 0;
    queue_unlock(queue);
    return code == WEIR_EBROKEN ? segment_damaged(queue->segment) : code;
}

/* Under the lock: the first of them that have room now; *charge_out: what they
 * count against the bound. */
static unsigned count_room(const struct member *member,
                           const struct queue *queue, const weir_bytes *items,
                           unsigned count, uint64_t *charge_out)
{
    const struct queue_head *head = queue->head;
    uint64_t left = queue->bytes_most - head->bytes, charge = 0;
    unsigned some = 0;

    if (atomic_load(&head->closed) != 0 || head->bytes > queue->bytes_most ||
        (head->claim != 0 && head->claim != member->number + 1))
        return 0;
    if (count > head->free_count)
        count = head->free_count;
    for (; some < count; some++) {
        size_t size = items[some].size;
        uint64_t more = size <= SLOT_INLINE ? size : queue_charge(size, 0);

        if (more > left - charge)
            break;
        charge += more;
    }
    *charge_out = charge;
    return some;
}

/* The free slots that are taken next: noted, all of them, before the first
 * word. Those that get no word are stale references. */
static int note_free(struct member *member, const struct queue *queue,
                     unsigned count, uint32_t *numbers)
{
    const uint32_t left = queue->head->free_count;

    /* Once more: who writes wild may have, since it was looked at. */
    if (left < count || left > queue->capacity)
        return segment_damaged(member->segment);
    for (unsigned i = 0; i < count; i++) {
        uint32_t number = queue->free[left - 1 - i];

        if (number >= queue->capacity)
            return segment_damaged(member->segment);
        fetch_slot(queue, number);
        numbers[i] = number;
        atomic_store_explicit(&member->out[i], reference(queue->number, number),
                              memory_order_release);
    }
    WEIR_POINT("queue.ref.noted");
    refs_set_count(member, REFS_OUT, count);
    WEIR_POINT("queue.ref.counted");
    return 0;
}

/* WEIR_EEMPTY: there is no chunk for it; it is FREE again. */
static int stage_one(struct member *member, struct queue *queue,
                     uint32_t number, const weir_bytes *item, uint64_t root)
{
    struct store *store = &member->segment->store;
    struct slot *slot = &queue->slots[number];
    void *to = slot->data;

    if (atomic_load_explicit(&slot->word, memory_order_relaxed) != SLOT_FREE)
        return segment_damaged(member->segment);
    slot_fill_plain(slot, (uint32_t)item->size, root);
    slot_set(slot, word_of(SLOT_STAGED, member->number));
    WEIR_POINT("queue.stage.word");
    if (item->size > SLOT_INLINE) {
        int code = store_take_locked(store, item->size, &slot->chunk,
                                     &slot->chunk_ref);

        if (code == WEIR_EEMPTY)
            slot_set(slot, SLOT_FREE);
        if (code == WEIR_EEMPTY)
            return code;
        to = code == 0 ? chunk_data(store, slot->chunk) : NULL;
        if (to == NULL)
            return segment_damaged(member->segment);
    }
    copy_bytes(to, item->data, item->size);
    return 0;
}

/* Under the lock: how many are STAGED now; or a code. */
static int stage_all(struct member *member, struct queue *queue,
                     const weir_bytes *items, unsigned count, uint64_t root,
                     uint32_t *numbers)
{
    struct queue_head *head = queue->head;
    uint64_t charge = 0;
    unsigned some = count_room(member, queue, items, count, &charge);
    unsigned staged = 0;
    int code = some == 0 ? 0 : note_free(member, queue, some, numbers);

    while (staged < some && code == 0) {
        code = stage_one(member, queue, numbers[staged], &items[staged],
                         root + staged);
        staged += code == 0;
    }
    if (code < 0 && code != WEIR_EEMPTY)
        return code;
    for (unsigned i = staged; i < some; i++)
        charge -= queue_charge(items[i].size, 0);
    if (staged < some)
        refs_set_count(member, REFS_OUT, staged);
    head->free_count -= staged;
    head->bytes += charge;
    return (int)staged;
}

/* What is STAGED becomes READY, in its order; the tail is told once. Dies
 * before: it is behind, rebuilt from the greatest position. */
static void publish_staged(struct queue *queue, const uint32_t *numbers,
                           unsigned count)
{
    struct queue_head *head = queue->head;
    uint64_t pos = head->tail;

    for (unsigned i = 0; i < count; i++, pos++) {
        struct slot *slot = &queue->slots[numbers[i]];

        slot->pos = pos;
        queue->ring[pos & queue->ring_mask] = numbers[i];
        WEIR_POINT("queue.ready.pos");
        slot_set(slot, SLOT_READY);
        WEIR_POINT("queue.ready.word");
    }
    atomic_signal_fence(memory_order_seq_cst);
    head->tail = pos;
    queue_add_ready(head, (int)count);
}

int turn_put(struct member *member, unsigned number, const weir_bytes *items,
             unsigned count, uint64_t root)
{
    struct queue *queue = segment_queue(member->segment, number);
    char bytes[BYTES];
    weir_bytes copies[PUT_MOST];
    uint32_t numbers[PUT_MOST];
    int code, store;

    if (!turn_is_simple(member, queue))
        return 0;
    count = gather(queue, items, count, bytes, copies);
    store = need_store(member, copies, count);
    if (count == 0 || store < 0)
        return 0;
    turn_open(member);
    turn_ordinal(member);
    code = lock_both(queue, store > 0);
    if (code < 0)
        return code;
    code = stage_all(member, queue, copies, count, root, numbers);
    if (store > 0)
        store_unlock(&member->segment->store);
    if (code <= 0) {
        queue_unlock(queue);
        return code;
    }
    commit_store(member);
    publish_staged(queue, numbers, (unsigned)code);
    end_turn(member, queue, true);
    return code;
}

/* What a get has taken: on the stack. */
struct taken {
    unsigned count;
    bool chunks; /* some lie in one */
    size_t size; /* of all */
    uint64_t charge;
    uint32_t numbers[LEASE_MOST];
    size_t sizes[LEASE_MOST];
};

/* The oldest, @most or as many as there are: noted, before they are looked at.
 * Those that get no word are stale references. */
static int note_ready(struct member *member, const struct queue *queue,
                      unsigned most, uint32_t *numbers)
{
    const struct queue_head *head = queue->head;
    uint32_t ready = atomic_load_explicit(&head->ready, memory_order_relaxed);
    uint64_t at = head->head;

    if (most > ready)
        most = ready;
    if (most == 0 || atomic_load(&head->closed) == CLOSED_NOW)
        return 0;
    for (unsigned i = 0; i < most; i++) {
        uint32_t number = queue->ring[at++ & queue->ring_mask];

        if (number >= queue->capacity)
            return segment_damaged(member->segment);
        fetch_slot(queue, number);
        numbers[i] = number;
        atomic_store_explicit(&member->in[i], reference(queue->number, number),
                              memory_order_release);
    }
    WEIR_POINT("queue.ref.noted");
    refs_set_count(member, REFS_IN, most);
    WEIR_POINT("queue.ref.counted");
    return (int)most;
}

/* False: some are too large for it, or all together; that is for the longer
 * way. */
static bool goes_here(const struct queue *queue, const uint32_t *numbers,
                      unsigned count, size_t room)
{
    size_t size = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct slot *slot = &queue->slots[numbers[i]];

        if (slot->attrs_chunk != 0 || slot->size > ITEM_DIRECT)
            return false;
        size += slot->size;
        if (size > room)
            return true; /* it is left, and those behind it */
        if (size > BYTES)
            return false;
    }
    return true;
}

/* Where it lies, and what it counts, when it is not the plain case. */
static int look_closer(const struct segment *segment, const struct slot *slot,
                       struct slot_view *view, uint64_t *charge)
{
    if (slot_view(segment, slot, view) < 0)
        return WEIR_EBROKEN;
    *charge = slot_charge(slot);
    return 0;
}

static bool is_plain(const struct slot *slot, size_t size)
{
    return size <= SLOT_INLINE && slot->chunk == 0 && slot->attrs_size == 0;
}

/* The next of those noted, when it fits @room: 0; 1: it does not; or a code. */
static int take_one(struct member *member, struct queue *queue, char *bytes,
                    size_t room, struct taken *taken)
{
    struct slot *slot = &queue->slots[taken->numbers[taken->count]];
    struct slot_view view = { slot->data, slot->size, NULL, 0 };
    uint64_t charge = view.size;
    int code = 0;

    if (atomic_load_explicit(&slot->word, memory_order_relaxed) != SLOT_READY)
        return WEIR_EBROKEN;
    if (!is_plain(slot, view.size))
        code = look_closer(member->segment, slot, &view, &charge);
    if (code == 0 && view.size > room - taken->size)
        code = 1;
    if (code != 0)
        return code;
    slot_set(slot, word_of(SLOT_DONE, member->number));
    WEIR_POINT("queue.done.word");
    copy_bytes(bytes + taken->size, view.data, view.size);
    taken->sizes[taken->count++] = view.size;
    taken->size += view.size;
    taken->charge += charge;
    taken->chunks |= view.data != slot->data;
    return 0;
}

/* What is DONE becomes FREE; the counts are told once. */
static int free_taken(struct queue *queue, const struct taken *taken)
{
    struct queue_head *head = queue->head;
    uint32_t *to = &queue->free[head->free_count];

    if (head->free_count > queue->capacity ||
        taken->count > queue->capacity - head->free_count)
        return segment_damaged(queue->segment);
    for (unsigned i = 0; i < taken->count; i++) {
        slot_set(&queue->slots[taken->numbers[i]], SLOT_FREE);
        WEIR_POINT("queue.free.word");
        to[i] = taken->numbers[i];
    }
    head->free_count += taken->count;
    head->bytes -= taken->charge;
    return 0;
}

/* Under the lock, which it gives back. */
static int take_all(struct member *member, struct queue *queue, char *bytes,
                    size_t room, unsigned most, struct taken *taken)
{
    int noted = note_ready(member, queue, most, taken->numbers);
    int code = noted < 0 ? noted : 0;

    if (noted > 0 && !goes_here(queue, taken->numbers, (unsigned)noted, room))
        noted = 0;
    room = room < BYTES ? room : BYTES;
    while (code == 0 && (int)taken->count < noted)
        code = take_one(member, queue, bytes, room, taken);
    if (code < 0) {
        queue_unlock(queue);
        return segment_damaged(member->segment);
    }
    if (taken->count == 0) {
        refs_set_count(member, REFS_IN, 0);
        queue_unlock(queue);
        return 0;
    }
    queue->head->head += taken->count;
    queue_add_ready(queue->head, -(int)taken->count);
    spin_learn(member, queue, taken->count);
    if (member->spinning) { /* else turn_lease sees to it */
        spinner_end(queue, member->number);
        member->spinning = false;
    }
    commit_store(member);
    code = 0;
    if (taken->chunks)
        code = slots_drop_chunks(member->segment, member->in, taken->count,
                                 SLOT_DONE, member->number);
    if (code == 0)
        code = free_taken(queue, taken);
    if (code == 0)
        end_turn(member, queue, false);
    else
        queue_unlock(queue);
    return code;
}

int turn_get(struct member *member, unsigned number, void *data, size_t room,
             size_t *sizes, unsigned most)
{
    struct queue *queue = segment_queue(member->segment, number);
    char bytes[BYTES];
    struct taken taken;
    int code;

    if (!turn_is_simple(member, queue) || most > LEASE_MOST ||
        atomic_load_explicit(&queue->head->ready, memory_order_relaxed) == 0)
        return 0;
    turn_open(member);
    turn_ordinal(member);
    code = queue_lock(queue);
    if (code < 0)
        return code;
    taken.count = 0;
    taken.chunks = false;
    taken.size = 0;
    taken.charge = 0;
    code = take_all(member, queue, bytes, room, most, &taken);
    if (code < 0 || taken.count == 0)
        return code;
    copy_bytes(data, bytes, taken.size);
    copy_bytes(sizes, taken.sizes, taken.count * sizeof *sizes);
    return (int)taken.count;
}
