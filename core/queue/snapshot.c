/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot.c - a segment at one instant. Runs in the journal process of a run,
 * which is no member; the restoring in the supervisor, before anybody else.
 *
 * Nothing is asked of those who work: no flag to be read before a commit, and
 * nothing per item. The snapshot takes locks that are there anyway, ALL AT
 * ONCE: the registry of files, the files, then the queues, each in ascending
 * order. Nobody else holds one of these while it waits for another (the store's
 * may be waited for with a queue's, direct.c; it is none of them), so there is
 * no circle; files come first, since a write may be under way under theirs, and
 * meanwhile no queue stands still. Each wait is bounded: what cannot be had is
 * given up, and the snapshot is tried again later. Who finds the snapshot's
 * process dead under the locks rebuilds the caches, as after any other: nothing
 * in the segment was changed.
 *
 * WHAT CAN HAPPEN DURING THE HOLD
 *   1  No slot changes between FREE, STAGED, READY and LEASED: that is done
 *      under the queue's lock. LEASED -> DONE may be: it needs no lock.
 *   2  A member may commit (the one store). When the commit concerns a slot,
 *      its redo waits for that queue's lock until the hold is over, so it is
 *      COMMITTED with that sequence for the rest of the hold. When it appends
 *      to a file, it cannot: the store is made under the file's lock. When it
 *      concerns neither (a source that dropped all it made), it may go on, and
 *      commit again.
 *   3  So no commit can build on another one that was made during the hold:
 *      what one member gives another goes through a queue or a file.
 *
 * THE INSTANT is one at which no TXN changes: all of them are read twice, in
 * two passes, until both passes agree. TXN has a sequence, so each stood still
 * from its first reading to its second, and all of them did between the two
 * passes. A book is copied between the two readings: it is overwritten only
 * after another commit (turn_book has the fence). By (3) what is found in the
 * queues belongs to that instant, given what TXN says of their holders:
 *
 *   OPEN, IDLE   its turn is undone in the copy: STAGED is left out, LEASED and
 *                DONE count as ready
 *   COMMITTED    its turn is done in the copy: STAGED counts as ready, DONE is
 *                left out, LEASED counts as ready; its part and its renames are
 *                noted, to be done again
 *   READY is what it is, and so is HELD, which is nobody's (order.c). STAGED by
 *   one who is COMMITTED counts as HELD where its order is kept. A dead member
 * that is not recovered yet is no other case: recovery would do the same.
 *
 * PAYLOADS
 *   - of what was LEASED or DONE are copied before the instant. Their chunks
 *     may be let go only after a commit of the holder (by its redo, under the
 *     store's lock alone), so: not COMMITTED at the instant, and the sequence
 *     is that from before the copy: nothing was let go. COMMITTED: of those
 *     that are DONE the copy is thrown away; LEASED ones keep their chunks.
 *     A commit in between that is over by the instant (it concerned no slot)
 *     may have changed what is known of a leased item: all is done again.
 *   - of what is STAGED by one who is COMMITTED at the instant are copied
 *     after it: by the commit they were written whole, and they stay as they
 *     are until they can be published.
 *   - which slots of a COMMITTED one were DONE is read after the instant, and
 *     then TXN once more: the same still, so it waits for us, and has called
 *     no task since. Another: the commit concerned no slot, so all were leased.
 *
 * FILES  The registry's lock is held, so no file is new. A length that is read
 * under the file's lock counts all appends whose commit was made: who commits
 * raises it before it gives the lock back, and who finds the lock of a dead one
 * raises it by what TXN says. None can be made before the hold is over.
 *
 * What the books name (the file that a saved state is in) is read by the
 * caller's function within the hold: a member saves into the *other* file and
 * then commits, which concerns the inputs that it held, so by (2) it does not
 * get to the next save.
 *
 * The item that a living member has in hand was charged an attempt when it was
 * taken up; in the copy it is not, as when it is given back. (`hand` is stored
 * a moment before the charge: who is caught between the two has one attempt
 * more in the end.)
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "queue/internal.h"
#include "queue/snapshot.h"

#define STILL_NS (20 * NS_PER_MS) /* for TXN to stand still, at most */
#define ROOM_MORE (1 << 20)

void snapshot_clear(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->renames.count; i++) {
        free(snapshot->renames.at[i].from);
        free(snapshot->renames.at[i].to);
    }
    for (size_t i = 0; i < snapshot->sinks.count; i++)
        free(snapshot->sinks.at[i].path);
    for (size_t i = 0; i < snapshot->folders.count; i++)
        free(snapshot->folders.at[i]);
    snapshot->renames.count = snapshot->sinks.count = 0;
    snapshot->folders.count = snapshot->slots.count = 0;
    snapshot->published.count = snapshot->books.count = 0;
    snapshot->sequences.count = snapshot->txns.count = 0;
    snapshot->folders_lost = false;
    buf_cut(&snapshot->data, 0);
}

void snapshot_done(struct snapshot *snapshot)
{
    snapshot_clear(snapshot);
    VEC_DONE(&snapshot->slots);
    VEC_DONE(&snapshot->published);
    VEC_DONE(&snapshot->books);
    VEC_DONE(&snapshot->sequences);
    VEC_DONE(&snapshot->renames);
    VEC_DONE(&snapshot->sinks);
    VEC_DONE(&snapshot->folders);
    VEC_DONE(&snapshot->txns);
    buf_done(&snapshot->data);
}

/* ---------------------------------------------------------------- locks ----
 */

struct hold {
    struct segment *segment;
    bool registry;
    unsigned sinks, queues; /* so many of them are looked through */
    bool *has_sink;         /* of each entry: its lock is ours */
    int64_t begun_ns;
};

static void let_go(struct hold *hold)
{
    while (hold->queues > 0)
        queue_unlock(&hold->segment->queues[--hold->queues]);
    while (hold->sinks > 0)
        if (hold->has_sink[--hold->sinks])
            lock_give(&hold->segment->sinks[hold->sinks].lock);
    if (hold->registry)
        sinks_registry_unlock(hold->segment);
    hold->registry = false;
}

static int take_sinks(struct hold *hold, int64_t deadline_ns)
{
    struct segment *segment = hold->segment;
    int code = sinks_registry_lock(segment, deadline_ns);

    if (code < 0)
        return code;
    hold->registry = true;
    for (; hold->sinks < segment->sink_count; hold->sinks++) {
        struct sink_head *sink = &segment->sinks[hold->sinks];

        hold->has_sink[hold->sinks] = atomic_load(&sink->state) == SINK_NAMED;
        if (!hold->has_sink[hold->sinks])
            continue;
        code = sink_lock_until(segment, hold->sinks, deadline_ns);
        if (code < 0)
            return code;
    }
    return 0;
}

static int take_all(struct hold *hold, int64_t deadline_ns)
{
    struct segment *segment = hold->segment;
    int code = take_sinks(hold, deadline_ns);

    WEIR_POINT("snapshot.sinks");
    hold->begun_ns = clock_now();
    for (; code == 0 && hold->queues < segment->queue_count; hold->queues++) {
        code = queue_lock_until(&segment->queues[hold->queues], deadline_ns);
        if (code < 0)
            break;
    }
    WEIR_POINT("snapshot.locked");
    if (code < 0)
        let_go(hold);
    return code;
}

/* ---------------------------------------------------------------- room ---- */

struct room_needed {
    size_t slots, bytes;
};

/* Exact: under the locks. */
static struct room_needed measure(const struct segment *segment)
{
    struct room_needed room = { 0 };

    for (unsigned i = 0; i < segment->queue_count; i++) {
        const struct queue_head *head = segment->queues[i].head;

        room.slots += (size_t)atomic_load(&head->ready) + head->leased +
                      head->staged;
        room.bytes += head->bytes;
    }
    return room;
}

static bool has_room(const struct snapshot *out, const struct segment *segment,
                     struct room_needed room)
{
    return out->slots.room >= room.slots && out->data.room > room.bytes &&
           out->published.room >= segment->queue_count &&
           out->books.room >= segment->member_count &&
           out->sequences.room >= segment->member_count &&
           out->txns.room >= segment->member_count;
}

static int grow(void **at, size_t *room, size_t size, size_t count)
{
    void *grown;

    if (*room >= count)
        return 0;
    grown = realloc(*at, count * size);
    if (grown == NULL)
        return WEIR_ENOMEM;
    *at = grown;
    *room = count;
    return 0;
}

#define GROW(vec, count)                                                       \
    grow((void **)&(vec)->at, &(vec)->room, sizeof *(vec)->at, count)

/* Without a lock, and a little more than is needed now. */
static int make_room(struct snapshot *out, const struct segment *segment,
                     struct room_needed room)
{
    room.slots += room.slots / 4 + 64;
    room.bytes += room.bytes / 4 + ROOM_MORE;
    if (GROW(&out->slots, room.slots) < 0 ||
        GROW(&out->published, segment->queue_count + 1) < 0 ||
        GROW(&out->books, segment->member_count) < 0 ||
        GROW(&out->sequences, segment->member_count) < 0 ||
        GROW(&out->txns, segment->member_count) < 0)
        return WEIR_ENOMEM;
    if (room.bytes > out->data.room) {
        buf_cut(&out->data, 0);
        if (buf_reserve(&out->data, room.bytes) < 0)
            return WEIR_ENOMEM;
        /* touched now, and not under the locks */
        memset(out->data.data, 0, room.bytes);
    }
    return 0;
}

/* ---------------------------------------------------------------- copies ----
 */

static int copy_payload(const struct segment *segment, const struct slot *slot,
                        struct snapshot *out, struct saved_slot *saved)
{
    struct slot_view view;
    size_t size;

    if (slot_view(segment, slot, &view) < 0)
        return WEIR_EBROKEN;
    size = view.size;
    if (word_state(saved->word) == SLOT_STAGED &&
        (saved->pos & SIZE_KNOWN) != 0 && (saved->pos & ~SIZE_KNOWN) < size)
        size = (size_t)(saved->pos & ~SIZE_KNOWN);
    if (size + view.attrs_size > out->data.room - out->data.size - 1)
        return WEIR_EBROKEN;
    saved->at = out->data.size;
    saved->size = (uint32_t)size;
    saved->attrs_size = (uint32_t)view.attrs_size;
    if (size > 0)
        memcpy(out->data.data + out->data.size, view.data, size);
    out->data.size += size;
    if (view.attrs_size > 0)
        memcpy(out->data.data + out->data.size, view.attrs, view.attrs_size);
    out->data.size += view.attrs_size;
    return 0;
}

static void copy_order(const struct queue *queue, uint32_t number,
                       enum slot_state state, struct saved_slot *saved)
{
    const struct slot_order *order;

    /* what goes back is not at the head, but at its place: lanes.c */
    if (queue->lanes != NULL && state != SLOT_STAGED && state != SLOT_HELD)
        saved->ticket = queue->slots[number].pos;
    if (queue->order == NULL)
        return;
    order = &queue->order[number];
    if (state != SLOT_STAGED && state != SLOT_HELD) {
        saved->ticket = order->ticket;
        return;
    }
    saved->held = order->from != 0;
    saved->behind = order->behind;
    saved->from = order->from;
    saved->index = order->index;
}

static int copy_slot(const struct queue *queue, uint32_t number,
                     struct snapshot *out)
{
    const struct segment *segment = queue->segment;
    const struct slot *slot = &queue->slots[number];
    uint32_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
    enum slot_state state = word_state(word);
    struct saved_slot *saved;
    unsigned holder = word_member(word);

    if (state == SLOT_FREE || state == SLOT_SPENT)
        return 0;
    if (state > SLOT_HELD || out->slots.count >= out->slots.room ||
        (state != SLOT_READY && state != SLOT_HELD &&
         holder >= segment->member_count))
        return WEIR_EBROKEN;
    saved = &out->slots.at[out->slots.count++];
    *saved = (struct saved_slot){ .queue = queue->number,
                                  .root = slot->root,
                                  .path = slot->path,
                                  .skip_hash = slot->skip_hash,
                                  .skip = slot->skip,
                                  .attempt = slot->attempt,
                                  .cause = slot->cause,
                                  .cause_code = slot->cause_code,
                                  .marked = atomic_load(&slot->marked) != 0,
                                  .word = word,
                                  .slot = number,
                                  .pos = slot->pos };
    copy_order(queue, number, state, saved);
    if (state == SLOT_LEASED && saved->attempt > 0 &&
        atomic_load(&member_at(segment, holder)->hand) ==
            reference(queue->number, number) + 1)
        saved->attempt--;
    return state == SLOT_STAGED ? 0 : copy_payload(segment, slot, out, saved);
}

static int copy_queues(const struct segment *segment, struct snapshot *out)
{
    for (unsigned i = 0; i < segment->queue_count; i++) {
        const struct queue *queue = &segment->queues[i];
        const struct queue_head *head = queue->head;
        size_t left = (size_t)atomic_load(&head->ready) + head->leased +
                      head->staged;

        out->published.at[out->published.count++] = head->tail - POSITION_START;
        for (uint32_t n = 0; n < queue->capacity && left > 0; n++) {
            size_t before = out->slots.count;

            if (copy_slot(queue, n, out) < 0)
                return WEIR_EBROKEN;
            left -= out->slots.count - before;
        }
    }
    return 0;
}

static uint32_t read_txn(const struct segment *segment, unsigned member)
{
    return atomic_load_explicit(&member_at(segment, member)->txn,
                                memory_order_acquire);
}

static void read_txns(const struct segment *segment, struct snapshot *out)
{
    for (unsigned i = 0; i < segment->member_count; i++)
        out->txns.at[i] = read_txn(segment, i);
    out->txns.count = segment->member_count;
}

static bool same_txns(const struct segment *segment, const uint32_t *txns)
{
    atomic_thread_fence(memory_order_acquire);
    for (unsigned i = 0; i < segment->member_count; i++)
        if (read_txn(segment, i) != txns[i])
            return false;
    return true;
}

/* The instant: sequences[] are the TXN words as of it, with the books. */
static int stand_still(const struct segment *segment, struct snapshot *out)
{
    int64_t deadline = clock_deadline(STILL_NS);

    do {
        for (unsigned i = 0; i < segment->member_count; i++) {
            out->sequences.at[i] = read_txn(segment, i);
            out->books.at[i] =
                member_at(segment, i)->books[txn_book(out->sequences.at[i])];
        }
        if (same_txns(segment, out->sequences.at)) {
            out->books.count = out->sequences.count = segment->member_count;
            return 0;
        }
    } while (clock_left(deadline) > 0);
    return WEIR_ETIMEDOUT;
}

/* ------------------------------------------------------------- judgement ----
 */

static bool is_committed(const struct snapshot *out, unsigned member)
{
    return txn_state(out->sequences.at[member]) == TXN_COMMITTED;
}

/* Whether what was copied of a leased item is as of the instant. */
static bool holds_still(const struct snapshot *out, unsigned member)
{
    uint32_t before = out->txns.at[member], then = out->sequences.at[member];

    return txn_sequence(before) == txn_sequence(then) ||
           txn_state(then) == TXN_COMMITTED;
}

static void use_part(struct saved_slot *saved, const struct book *book)
{
    if (book->part != reference(saved->queue, saved->slot) + 1)
        return;
    saved->skip = (uint32_t)book->part_skip;
    saved->skip_hash = book->part_hash;
}

/* Its place among what its member publishes, for the order: the list stands as
 * it is as long as the redo waits. */
static uint64_t place_of(const struct segment *segment, unsigned holder,
                         uint64_t ref)
{
    const _Atomic uint64_t *refs = member_refs(segment, holder, REFS_OUT);
    unsigned count = atomic_load(&member_at(segment, holder)->out_count);

    for (unsigned i = 0; i < count && i < MEMBER_REFS; i++)
        if (atomic_load(&refs[i]) == ref)
            return i;
    return count;
}

static int take_staged(const struct segment *segment, const struct slot *slot,
                       struct snapshot *out, struct saved_slot *saved,
                       unsigned holder)
{
    saved->pos = slot->pos; /* its size, as of the commit */
    if (copy_payload(segment, slot, out, saved) < 0)
        return WEIR_EBROKEN;
    saved->pos = place_of(segment, holder,
                          reference(saved->queue, saved->slot));
    return 1;
}

/* Of one that is COMMITTED: 1: it counts; 0: it does not. */
static int judge_committed(const struct segment *segment, struct snapshot *out,
                           struct saved_slot *saved, unsigned holder)
{
    const struct slot *slot = &segment->queues[saved->queue].slots[saved->slot];
    uint32_t word = atomic_load_explicit(&slot->word, memory_order_acquire);

    atomic_thread_fence(memory_order_acquire);
    if (read_txn(segment, holder) == out->sequences.at[holder]) {
        saved->word = word;
        if (word_state(word) == SLOT_DONE)
            return 0;
        if (word_state(word) == SLOT_STAGED)
            return take_staged(segment, slot, out, saved, holder);
    }
    use_part(saved, &out->books.at[holder]);
    return 1;
}

/* 1, 0, or a code; WEIR_EFULL: all is to be done again. */
static int judge(const struct segment *segment, struct snapshot *out,
                 struct saved_slot *saved)
{
    unsigned holder = word_member(saved->word);
    int counts;

    if (word_state(saved->word) == SLOT_READY ||
        word_state(saved->word) == SLOT_HELD)
        return 1;
    if (is_committed(out, holder)) {
        counts = judge_committed(segment, out, saved, holder);
        if (counts == 1 && word_state(saved->word) == SLOT_STAGED &&
            !saved->held)
            out->published.at[saved->queue]++;
        return counts;
    }
    if (word_state(saved->word) == SLOT_STAGED)
        return 0;
    return holds_still(out, holder) ? 1 : WEIR_EFULL;
}

static int judge_all(const struct segment *segment, struct snapshot *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < out->slots.count; i++) {
        struct saved_slot saved = out->slots.at[i];
        int counts = judge(segment, out, &saved);

        if (counts < 0)
            return counts;
        if (counts == 1)
            out->slots.at[kept++] = saved;
    }
    out->slots.count = kept;
    return 0;
}

/* Names that a commit changes: they are done by its redo, maybe by now. A
 * member that has gone on has done them; its names are of another turn. */
static int copy_renames(const struct segment *segment, struct snapshot *out,
                        unsigned member)
{
    const struct book *book = &out->books.at[member];
    size_t before = out->renames.count;

    for (unsigned i = 0; i < book->renames && i < RENAME_MOST; i++) {
        struct saved_rename *rename = VEC_ADD(&out->renames);

        if (rename == NULL)
            return WEIR_ENOMEM;
        rename->from = strndup(member_rename_name(segment, member, i, 0),
                               FILE_NAME_MOST - 1);
        rename->to = strndup(member_rename_name(segment, member, i, 1),
                             FILE_NAME_MOST - 1);
        if (rename->from == NULL || rename->to == NULL)
            return WEIR_ENOMEM;
    }
    atomic_thread_fence(memory_order_acquire);
    if (read_txn(segment, member) == out->sequences.at[member])
        return 0;
    while (out->renames.count > before) {
        struct saved_rename *last = &out->renames.at[--out->renames.count];

        free(last->from);
        free(last->to);
    }
    return 0;
}

static int copy_sink(const struct sink_head *sink, struct snapshot *out)
{
    struct saved_sink *saved;
    char **folder;

    if (atomic_load(&sink->state) == SINK_FOLDER) {
        folder = VEC_ADD(&out->folders);
        if (folder == NULL)
            return WEIR_ENOMEM;
        *folder = strndup(sink->path, FILE_NAME_MOST - 1);
        return *folder != NULL ? 0 : WEIR_ENOMEM;
    }
    if (atomic_load(&sink->state) != SINK_NAMED)
        return 0;
    saved = VEC_ADD(&out->sinks);
    if (saved == NULL)
        return WEIR_ENOMEM;
    *saved = (struct saved_sink){ .group = sink->group,
                                  .dev = sink->dev,
                                  .ino = sink->ino,
                                  .born = sink->born,
                                  .length = atomic_load(&sink->length) };
    saved->path = strndup(sink->path, FILE_NAME_MOST - 1);
    return saved->path != NULL ? 0 : WEIR_ENOMEM;
}

static int copy_names(const struct segment *segment, struct snapshot *out)
{
    int code = 0;

    for (unsigned i = 0; i < segment->member_count && code == 0; i++)
        if (is_committed(out, i))
            code = copy_renames(segment, out, i);
    for (unsigned i = 0; i < segment->sink_count && code == 0; i++)
        code = copy_sink(&segment->sinks[i], out);
    out->folders_lost = atomic_load(&segment->head->folders_lost) != 0;
    return code;
}

/* ------------------------------------------------------------- the whole ----
 */

/* READY in their positions, or by their tickets; held ones last, which sort
 * themselves; before them what goes back to the head, by the
 * positions they had; behind them what is published. */
static int by_order(const void *a, const void *b)
{
    static const int rank[] = { [SLOT_LEASED] = 0,
                                [SLOT_DONE] = 0,
                                [SLOT_READY] = 1,
                                [SLOT_STAGED] = 2,
                                [SLOT_HELD] = 2 };
    const struct saved_slot *one = a, *two = b;
    int first = rank[word_state(one->word)],
        second = rank[word_state(two->word)];

    if (one->queue != two->queue)
        return one->queue < two->queue ? -1 : 1;
    if (one->held != two->held)
        return one->held - two->held;
    if (one->ticket != 0 && two->ticket != 0)
        return one->ticket < two->ticket ? -1 : 1;
    if (first != second)
        return first - second;
    if (first == 2 && one->word != two->word) /* another member */
        return one->word < two->word ? -1 : 1;
    if (one->pos != two->pos)
        return one->pos < two->pos ? -1 : 1;
    return one->slot < two->slot ? -1 : one->slot > two->slot;
}

static int copy_all(struct segment *segment, struct snapshot *out)
{
    int code;

    snapshot_clear(out);
    read_txns(segment, out);
    code = copy_queues(segment, out);
    WEIR_POINT("snapshot.copied");
    if (code == 0)
        code = stand_still(segment, out);
    if (code == 0)
        code = judge_all(segment, out);
    if (code == 0)
        code = copy_names(segment, out);
    return code;
}

/* Under the locks. WEIR_EFULL: there was not enough room. */
static int copy_now(struct segment *segment, struct snapshot *out,
                    struct room_needed *room, snapshot_with *with, void *arg)
{
    int64_t deadline = clock_deadline(STILL_NS);
    int code;

    *room = measure(segment);
    if (!has_room(out, segment, *room))
        return WEIR_EFULL;
    do {
        code = copy_all(segment, out);
    } while (code == WEIR_EFULL && clock_left(deadline) > 0);
    if (code == WEIR_EFULL)
        code = WEIR_ETIMEDOUT;
    if (code == 0 && with != NULL)
        code = with(arg, out);
    WEIR_POINT("snapshot.read");
    return code;
}

int segment_snapshot(struct segment *segment, int64_t patience_ns,
                     snapshot_with *with, void *arg, struct snapshot *out)
{
    CLEANUP_FREE bool *has_sink = calloc(segment->sink_count + 1,
                                         sizeof *has_sink);
    struct hold hold = { .segment = segment, .has_sink = has_sink };
    int64_t deadline = clock_deadline(patience_ns);
    struct room_needed room = { 0 };
    int code = WEIR_EFULL;

    if (has_sink == NULL)
        return WEIR_ENOMEM;
    while (code == WEIR_EFULL && clock_left(deadline) > 0) {
        code = make_room(out, segment, room);
        if (code == 0)
            code = take_all(&hold, deadline);
        if (code < 0)
            break;
        code = copy_now(segment, out, &room, with, arg);
        let_go(&hold);
        out->hold_ns = clock_now() - hold.begun_ns;
    }
    WEIR_POINT("snapshot.released");
    if (code == 0 && out->slots.count > 0)
        qsort(out->slots.at, out->slots.count, sizeof *out->slots.at, by_order);
    return code == WEIR_EFULL ? WEIR_ETIMEDOUT : code;
}
