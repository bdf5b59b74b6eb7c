/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* internal.h - a process's own view of a segment; private to core/queue. */
#ifndef QUEUE_INTERNAL_H
#define QUEUE_INTERNAL_H

#include <string.h>

#include "base/fd.h"
#include "queue/layout.h"
#include "queue/queue.h"

/* A queue in this process's address space. Sizes are copied from the header
 * when the segment is attached, and checked: what stands in shared memory
 * afterwards is never used as a bound. */
struct queue {
    struct segment *segment;
    unsigned number;
    uint32_t capacity;
    uint32_t ring_mask;
    uint64_t bytes_most;
    struct queue_head *head;
    uint32_t *ring;
    uint32_t *free;
    struct slot *slots;
    _Atomic uint64_t *sleepers[SIDES];
    struct slot_order *order; /* NULL: nobody keeps it */
    uint32_t *lists[LISTS];
    struct lane *lanes; /* NULL: its items have no key */
    uint32_t *lane_of;
    uint64_t *served;
    const char *key;
    uint32_t lane_count, key_size;
    uint32_t kept;
    uint32_t swept_claim; /* what the last sweep saw; the owner's */
    uint64_t swept_turn;
};

struct lives; /* strangers.c */

struct segment {
    char *base;
    size_t size;
    int fd;
    struct segment_head *head;
    unsigned member_count, member_words, queue_count, sink_count;
    struct member_head *members;
    _Atomic uint64_t *refs; /* see layout.h */
    char *renames;
    struct queue *queues;
    struct sink_head *sinks;
    struct order_link *orders; /* this process's copy */
    unsigned order_count;
    struct store store;
    struct lives *lives; /* without an owner: what this process has of it */
    int sinks_log;       /* of a run with a journal: sinks_log.c; 0: none */
    struct fd_identity sinks_log_is;
    const char *shield; /* mapped once more, to be read only; NULL: not */
};

struct member {
    struct segment *segment;
    struct member_head *head;
    unsigned number;
    _Atomic uint64_t *in, *out;
    unsigned in_count, out_count; /* as in the head; this thread writes both */
    bool open;                    /* TXN is OPEN */
    struct book *next;            /* the book of the next commit, or NULL */
    bool counts; /* it differs from the one that counts in `ordinal` only */
    bool alike;  /* so do the one that counts and the one before it */
    uint32_t sequence;     /* of TXN: of the last commit */
    unsigned rotate;       /* which of several queues is looked at first */
    struct spin spin;      /* for an item, of one queue */
    struct spin park_spin; /* for all else */
    bool spinning;         /* that queue's `spinner` is this member */
    bool spun;             /* turn_spin began the wait that comes */
    unsigned spent;        /* of what is leased: SPENT */
    bool lingered;         /* turn_spin saw an item; how many were there? */
    int64_t linger_ns;     /* for others behind the first: spin_learn */
    unsigned ordered;      /* queue + 1 that it keeps the order of; 0: none */
    uint64_t first;        /* ticket it has that is the first; 0: not known */
    unsigned laned;        /* queue + 1 that it serves a lane of; 0: none */
    unsigned lane;
    bool listed; /* some queue may have this member among its sleepers */
    int sink_fd; /* the file of the last append, and its entry */
    unsigned sink;
};

/* This cache line is going to be written. No more than a hint. */
static inline void fetch_to_write(const void *line)
{
#if defined __x86_64__
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}

static inline struct member_head *member_at(const struct segment *segment,
                                            unsigned number)
{
    return &segment->members[number];
}

/* References of a member; REFS_IN or REFS_OUT. */
static inline _Atomic uint64_t *member_refs(const struct segment *segment,
                                            unsigned number, unsigned side)
{
    return segment->refs + ((size_t)number * 2 + side) * MEMBER_REFS;
}

/* A name of a member's rename: from (0) or to (1). */
static inline char *member_rename_name(const struct segment *segment,
                                       unsigned number, unsigned index,
                                       unsigned which)
{
    return segment->renames + number * RENAMES_SIZE +
           ((size_t)index * 2 + which) * FILE_NAME_MOST;
}

/* NULL for a wild reference. */
static inline struct queue *segment_queue(const struct segment *segment,
                                          unsigned number)
{
    return number < segment->queue_count ? &segment->queues[number] : NULL;
}

static inline struct slot *segment_slot(const struct segment *segment,
                                        uint64_t ref)
{
    struct queue *queue = segment_queue(segment, reference_queue(ref));

    if (queue == NULL || reference_slot(ref) >= queue->capacity)
        return NULL;
    return &queue->slots[reference_slot(ref)];
}

static inline bool slot_is(const struct slot *slot, enum slot_state state,
                           unsigned member)
{
    return atomic_load_explicit(&slot->word, memory_order_acquire) ==
           word_of(state, member);
}

static inline void slot_set(struct slot *slot, uint32_t word)
{
    atomic_store_explicit(&slot->word, word, memory_order_release);
}

/* What comes from another processor comes while other lines of it are under
 * way: asked for one by one each would take as long as all. Where the number is
 * a hint only, or wild, it does nothing. */
static inline void fetch_slot(const struct queue *queue, uint32_t number)
{
    if (number >= queue->capacity)
        return;
    fetch_to_write(&queue->slots[number]);
    fetch_to_write(queue->slots[number].data);
}

/* The fields of an item without attributes, before its word: who finds the word
 * then finds it whole. Its chunk is taken after it. */
static inline void slot_fill_plain(struct slot *slot, uint32_t size,
                                   uint64_t root)
{
    slot->size = size;
    slot->pos = SIZE_KNOWN | size;
    slot->root = root;
    slot->path = 0;
    slot->skip_hash = 0;
    slot->skip = 0;
    slot->chunk = 0;
    slot->attrs_chunk = 0;
    slot->attrs_size = 0;
    slot->attempt = 0;
    slot->cause = CAUSE_NONE;
    slot->cause_code = 0;
    atomic_store_explicit(&slot->marked, 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

/* Two halves of it, which may overlap. */
#define COPY_ENDS(to, from, size, half)                                        \
    (memcpy(to, from, half),                                                   \
     memcpy((char *)(to) + (size) - (half),                                    \
            (const char *)(from) + (size) - (half), half))

/* Of a payload; most are small, and for those any call, or a copy by the
 * processor's own instruction, takes longer than the copy. Above, the library
 * knows best (the compiler is not to think that it does). */
static inline void copy_bytes(void *to, const void *from, size_t size)
{
    if (size > 64) {
        __asm__("" : "+r"(size));
        memcpy(to, from, size);
    } else if (size >= 32) {
        COPY_ENDS(to, from, size, 32);
    } else if (size >= 16) {
        COPY_ENDS(to, from, size, 16);
    } else if (size >= 8) {
        COPY_ENDS(to, from, size, 8);
    } else {
        for (size_t at = 0; at < size; at++)
            ((char *)to)[at] = ((const char *)from)[at];
    }
}

/* A view of what is mapped at @base; owns the mapping from here on, and what
 * is in it is not looked at yet. */
int segment_view(void *base, size_t size, int fd, struct segment **out,
                 weir_error *err);
/* Takes the sizes over from the header, each checked. WEIR_EBROKEN. */
int segment_adopt(struct segment *segment, weir_error *err);
/* The header of a segment by that plan; init then fills what is mapped. */
void segment_plan_head(struct segment_head *head, uint64_t *queues_end,
                       const struct segment_plan *plan);
int segment_init(struct segment *segment, uint64_t queues_end,
                 const struct segment_plan *plan, weir_error *err);
int segment_check_plan(const struct segment_plan *plan, weir_error *err);

/* --- strangers.c --- */
int stranger_enter_any(struct segment *segment, unsigned from,
                       struct member **out);
/* The entry is empty: its life token goes back. */
void stranger_left(struct segment *segment, unsigned number);
/* An entry of a file that is appended to, for this process, by a token: see
 * strangers.h. Between lock and unlock. WEIR_ESTATE: somebody has it who
 * lives, maybe this process. */
void strangers_lock(struct segment *segment);
void strangers_unlock(struct segment *segment);
int stranger_use(struct segment *segment, unsigned sink);
void stranger_unuse(struct segment *segment, unsigned sink);
/* Ends this process's part. False: the mapping is not this process's. */
bool lives_free(struct segment *segment);

/* Damage was found: nothing goes on in this segment. Returns WEIR_EBROKEN. */
int segment_damaged(struct segment *segment);

/* Locks a queue, rebuilding it when its owner died. 0 or WEIR_EBROKEN. */
int queue_lock(struct queue *queue);
int queue_lock_until(struct queue *queue, int64_t deadline_ns);
void queue_unlock(struct queue *queue);

/* All that a slot counts against `bytes`. A chunk counts more than half its
 * size, so that the store's regions are large enough (store_plan). */
uint64_t slot_charge(const struct slot *slot);
/* Payload and attributes, checked; NULL in data when the slot is damaged. */
struct slot_view {
    const void *data;
    size_t size;
    const void *attrs;
    size_t attrs_size;
};
int slot_view(const struct segment *segment, const struct slot *slot,
              struct slot_view *view_out);

/* --- under the queue's lock --- */
bool queue_at_end(const struct queue *queue);
/* The slots that the next @count puts, gets are given: they are wanted. */
void fetch_free(const struct queue *queue, unsigned count);
void fetch_ready(const struct queue *queue, unsigned count);
bool queue_fits(const struct queue *queue, uint32_t slots, uint64_t bytes);
/* READY at the tail; READY again at the head. */
int queue_publish(struct queue *queue, uint32_t number);
/* A payload that became smaller than its room has its size from now on. */
void queue_settle_size(struct queue *queue, uint32_t number);
/* READY at this position, and the first of them is one before the head. */
int queue_ready_again(struct queue *queue, uint32_t number, uint64_t pos);
int queue_give_back(struct queue *queue, uint32_t number);
/* @more READY ones, or less. */
static inline void queue_add_ready(struct queue_head *head, int more)
{
    uint32_t ready = atomic_load_explicit(&head->ready, memory_order_relaxed);

    atomic_store_explicit(&head->ready, ready + (uint32_t)more,
                          memory_order_relaxed);
}
/* FREE, from whatever state; counts by the state that was. */
int queue_release_slot(struct queue *queue, uint32_t number);

/* --- order.c; but for the last two, under the queue's lock --- */
int order_rebuild(struct queue *queue);
/* A slot became LEASED; is LEASED or DONE no more. */
int order_leased(struct queue *queue, uint32_t number);
int order_unleased(struct queue *queue, uint32_t number);
/* Slots by what such a list is by. */
void order_sort(const struct queue *queue, unsigned which, uint32_t *at,
                uint32_t count);
/* HELD instead of STAGED. */
int order_hold(struct queue *queue, uint32_t number);
/* READY again, where its ticket says. */
int order_give_back(struct queue *queue, uint32_t number);
/* Whether a member may stage one more: it must not take the last slot. */
bool order_fits(const struct queue *queue, bool first, uint64_t bytes);
bool order_claim_fits(const struct queue *queue);
/* Who is to be woken since its item is the first; UINT32_MAX: nobody. */
unsigned order_turn(const struct queue *queue);
/* Publishes what is held and may be, behind the items of @from; @look: it may
 * be at its end. All of them: after a death, by the sweep. */
int order_advance(struct segment *segment, unsigned from, bool look);
int order_advance_all(struct segment *segment, int64_t deadline_ns);

/* --- lanes.c; under the queue's lock, but for the first --- */
/* The lane of an item with these attributes. */
uint32_t lanes_choose(const struct queue *queue, const void *attrs,
                      size_t size);
/* What there is to take for this member; NULL: it serves no lane here. */
const _Atomic uint32_t *lanes_ready(const struct queue *queue,
                                    const struct member *member);
/* The first that is READY for this member, which has one. */
uint32_t lanes_first(const struct queue *queue, const struct member *member);
/* That one, @number, became LEASED. */
void lanes_leased(struct queue *queue, const struct member *member,
                  uint32_t number);
/* As queue_publish, queue_give_back. */
int lanes_publish(struct queue *queue, uint32_t number);
int lanes_give_back(struct queue *queue, uint32_t number);
/* @ready of its slots are READY, and @free numbers stand in the free stack. */
int lanes_rebuild(struct queue *queue, uint32_t free, uint32_t ready);

/* Sleepers. A wake is chosen under the lock and sent after it. */
struct wakes {
    unsigned count;
    unsigned members[SIDES_ONE + 1];
    unsigned all;  /* 1 << side: all who sleep on it */
    bool forced;   /* also bells that were rung already */
    uint64_t room; /* bytes free, of SIDE_BELL_PUT */
};
void sleeper_add(struct queue *queue, enum side side, unsigned member);
void sleeper_remove(struct queue *queue, enum side side, unsigned member);
/* The one consumer that waits awake. False: another does. End: not under the
 * lock alone, but a test under the lock must follow. */
bool spinner_begin(struct queue *queue, unsigned member);
void spinner_end(struct queue *queue, unsigned member);
/* Whether those of this side, none of the first two, have something to wake
 * for; @bytes: that a putter needs. */
bool queue_is_reason(const struct queue *queue, enum side side, uint64_t bytes);
/* One wake on its way per side, when there is reason for it. */
void queue_choose_wakes(struct queue *queue, struct wakes *wakes);
void wakes_send_chosen(struct queue *queue, const struct wakes *wakes);
static inline void wakes_send(struct queue *queue, const struct wakes *wakes)
{
    if (wakes->count != 0 || wakes->all != 0)
        wakes_send_chosen(queue, wakes);
}
/* Everybody on both sides, marks cleared (recovery, close). Takes the lock. */
int queue_wake_all(struct queue *queue);

void member_wake(struct segment *segment, unsigned number);

/* --- the member's own process --- */
/* TXN = OPEN, when it is not. */
void turn_open(struct member *member);
/* Under the queue's lock: the item at its head becomes this member's. */
int lease_one(struct member *member, struct queue *queue, struct item *item);
/* A member that holds nothing, at a queue whose order nobody keeps. Then, under
 * the queue's lock, which it gives back: the commit of what it has staged and
 * done there, and all that follows from it. */
bool turn_is_simple(const struct member *member, const struct queue *queue);
int turn_settle(struct member *member, struct queue *queue);
/* Under the queue's lock: frees what this member has SPENT there. */
int spent_release(struct member *member, struct queue *queue);
/* in[] is cut down to what is held still. */
void refs_keep_held(struct member *member);
/* Under the queue's lock: a READY slot becomes this member's; it is for the
 * caller to take it out of its place. */
int lease_slot(struct member *member, struct queue *queue, uint32_t number);
/* Under the queue's lock, behind a turn_spin that saw an item: so many are to
 * be taken. Learns whether it is worth while to stay away for others. */
void spin_learn(struct member *member, const struct queue *queue,
                unsigned count);
/* Under the queue's lock, and the store's where it is more than SLOT_INLINE
 * bytes: staged and written. WEIR_EFULL: not now, or not without waiting. */
int stage_now(struct member *member, struct queue *queue,
              const weir_bytes *bytes, uint64_t root);
/* The one store; and, when all that follows from it is done and in[] is cut,
 * the end of the turn. */
void commit_store(struct member *member);
void commit_end(struct member *member);
/* The slot that this member holds in that state, or NULL. */
struct slot *held_slot(const struct member *member, uint64_t ref,
                       enum slot_state state);
/* Counts a sign of life. */
void member_turned(struct member *member);
/* Waiting: announce, test under each queue's lock and set the bit there, sleep
 * (@spin: awake at first, when that pays), test again; at the end take it off
 * all lists (NULL: of all queues). */
void member_announce(struct member *member);
int member_sleep(struct member *member, int64_t deadline_ns, bool spin);
void member_unlist(struct member *member, const unsigned *queues,
                   unsigned count);

/* References held: REFS_IN or REFS_OUT. WEIR_ESTATE: the list is full. */
int refs_add(struct member *member, unsigned side, uint64_t ref);
void refs_remove(struct member *member, unsigned side, uint64_t ref);
static inline void refs_set_count(struct member *member, unsigned side,
                                  unsigned count)
{
    if (side == REFS_IN) {
        member->in_count = count;
        atomic_store_explicit(&member->head->in_count, count,
                              memory_order_release);
    } else {
        member->out_count = count;
        atomic_store_explicit(&member->head->out_count, count,
                              memory_order_release);
    }
}

/* --- either; all may be done twice --- */

/* Drops the chunks of these slots that are held by @number in @state, then
 * frees the slots. */
int slots_drop_chunks(struct segment *segment, const _Atomic uint64_t *refs,
                      unsigned count, enum slot_state state, unsigned number);
int slots_free(struct segment *segment, const _Atomic uint64_t *refs,
               unsigned count, enum slot_state state, unsigned number);
int slots_publish(struct segment *segment, const _Atomic uint64_t *refs,
                  unsigned count, unsigned number);
/* READY again, in their order at the head. */
int slots_give_back(struct segment *segment, const _Atomic uint64_t *refs,
                    unsigned count, unsigned number);
/* The book of the commit behind this one: a copy, to be changed. */
struct book *book_begin(struct member_head *head, uint32_t sequence);
/* What follows from the commit store. @again: a part of it may have been done
 * before. */
int commit_redo(struct segment *segment, unsigned number, unsigned in_count,
                unsigned out_count, bool again, weir_error *err);
/* Writes under the file's lock, which it keeps when it returns 0; then comes
 * the commit store, then sink_committed. */
int sink_write(struct member *member, const struct append *append,
               weir_error *err);
void sink_committed(struct member *member);
/* For a snapshot: the locks of the registry and of one file, bounded. */
int sinks_registry_lock(struct segment *segment, int64_t deadline_ns);
void sinks_registry_unlock(struct segment *segment);
int sink_lock_until(struct segment *segment, unsigned sink,
                    int64_t deadline_ns);
/* Of a new segment: the file at @sink, as it was. */
struct saved_sink;
int sink_restore(struct segment *segment, unsigned sink,
                 const struct saved_sink *saved, weir_error *err);
/* A name of a run with a journal was changed to @to: its folder is noted. */
void sinks_note_folder(struct segment *segment, const char *to);
/* The file of a dead member: its length follows from the commit, or nothing
 * does. */
int sink_settle(struct segment *segment, unsigned number);

#endif
