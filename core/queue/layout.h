/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layout.h - every byte of a segment, who writes it and when.
 *
 * Private to core/queue. Offsets from the segment's start, never pointers;
 * every index that is read from here is checked against its range before use
 * (a wild one is WEIR_EBROKEN).
 *
 * TRUTH is: slot.word, slot.chunk_ref, slot.attrs_ref, member.txn with the
 * book it names, queue.closed, where order is kept slot_order, and where items
 * go by a key each slot's lane, with who serves it. All else (ring, head, tail,
 * free stack, counts, bytes, the store's lists) is a cache, rebuilt in one pass
 * under the lock it stands under. No truth is a counter that is stepped: redo
 * and undo store absolute values, so that doing them twice, or half and then
 * again, is harmless.
 *
 * REFERENCE FIRST: a slot is noted in its member's in[] or out[] before its
 * word names the member, and forgotten after. So a dead member's references
 * are a superset of its slots; one whose word says otherwise is stale.
 */
#ifndef QUEUE_LAYOUT_H
#define QUEUE_LAYOUT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "queue/queue.h"
#include "shm/shm.h"

#define SEGMENT_MAGIC UINT64_C(0x315765697253656d) /* changes with version */
enum { SEGMENT_VERSION = 8, CACHE_LINE = 64, LINE_PAIR = 128 };

/* ------------------------------------------------------------- a slot ---- */

/* slot.word = state | (member number + 1) << 8; FREE, READY and HELD have no
 * owner.
 *
 *   FREE -> STAGED(w) -> READY -> LEASED(w) -> DONE(w) -> FREE
 *   STAGED -> FREE (dropped)      LEASED, DONE -> READY (given back)
 *   STAGED(w) -> HELD -> READY    where order is kept: order.c
 *   READY -> DONE(w)              where it is got in one hold: direct.c
 *   DONE(w) -> SPENT(w) -> FREE   where it is answered: answer.c             */
enum slot_state {
    SLOT_FREE = 0, /* zeroed memory is a free slot */
    SLOT_STAGED = 1,
    SLOT_READY = 2,
    SLOT_LEASED = 3,
    SLOT_DONE = 4,
    SLOT_HELD = 5,  /* committed; its turn to be published has not come */
    SLOT_SPENT = 6, /* done by a commit before; to be freed */
};

enum { SLOT_INLINE = ITEM_SMALL };

/*
 * `pos` is stored before word = READY. While STAGED it is SIZE_KNOWN | the
 * payload's final size, and `size` the room that was asked for: publishing
 * takes the size over. `skip`, `attempt`, the cause and the sizes are written
 * by the holder only, or by who recovers it. Payload: data[0, size) when chunk
 * is 0, else in the chunk; attributes: in attrs_chunk, or when that is 0 at
 * the end of data (so a payload that shrinks does not move them).
 */
#define SIZE_KNOWN (UINT64_C(1) << 63) /* no position has this bit */

struct slot {
    _Atomic uint32_t word;
    uint32_t size; /* payload bytes */
    uint64_t pos;
    uint64_t root;
    uint64_t path;
    uint64_t skip_hash; /* of what `skip` skips */
    uint32_t skip;      /* outputs that parts have committed already */
    uint32_t chunk;
    uint32_t attrs_chunk;
    uint16_t attrs_size;
    uint16_t attempt; /* charged so far */
    _Atomic uint8_t chunk_ref;
    _Atomic uint8_t attrs_ref;
    uint8_t cause;          /* enum cause of the last attempt that was lost */
    _Atomic uint8_t marked; /* not to be run: turn_marked */
    int32_t cause_code;     /* signal or exit status */
    uint8_t data[SLOT_INLINE];
};

/*
 * One for each slot of a queue that an ordered stage takes from or fills.
 *
 * `ticket` is stored before word = READY, once: the number of the item's first
 * publication in this queue. Giving back does not change it. `from`, `behind`
 * and `index` are stored before word = STAGED, and stay as long as it is
 * STAGED or HELD: the item may be published when all items of queue from - 1
 * whose tickets are less than `behind` are done, by `behind` and `index`.
 */
struct slot_order {
    uint64_t ticket;
    uint64_t behind;
    uint32_t from; /* queue + 1; 0: published by its commit */
    uint32_t index;
};

_Static_assert(sizeof(struct slot) == LINE_PAIR, "two cache lines");
_Static_assert(offsetof(struct slot, data) == 64, "payload on its own line");

/* ------------------------------------------------------------ a queue ---- */

/* Who sleeps, and for what. Of consumers and producers one is woken at a time;
 * all others are all woken when there is reason for it, and leave the list by
 * themselves: who waits for all to be done, and who has a bell (shm/bell.h). */
enum side {
    SIDE_CONSUMER = 0,
    SIDE_PRODUCER = 1,
    SIDE_IDLE = 2,
    SIDE_BELL_GET = 3, /* something to get, or the end */
    SIDE_BELL_PUT = 4, /* room to put, or closed */
    SIDE_TURN = 5,     /* its item is the first that is not done: order.c */
    SIDES = 6,
    SIDES_ONE = 2, /* the first of them: one wake on its way */
};

/* Order is kept by a stage that takes from it, by one that fills it; or its
 * items go by a key. */
enum kept {
    KEPT_NOT = 0,
    KEPT_FROM = 1,
    KEPT_TO = 2,
    KEPT_KEY = 4,
    KEPT_ALL = KEPT_FROM | KEPT_TO | KEPT_KEY,
};

/* Slots by ticket; caches. LIST_READY is no list, but slots by position, for
 * who sorts them. */
enum { LIST_LEASED = 0, LIST_HELD = 1, LISTS = 2, LIST_READY = 2 };

struct list {
    uint32_t first, count;
};

/*
 * Of a queue whose items go by a key: what is READY for one worker of the stage
 * that takes from it (lanes.c). The first and the last of its slots; each has
 * the next one's number in ring[]. Caches, but for `server`.
 */
struct lane {
    uint32_t first, last;
    _Atomic uint32_t ready;  /* stored under the lock, read as a hint without */
    _Atomic uint32_t server; /* member + 1 who takes from it; 0: nobody yet */
};

/* Positions start high, so that giving back (--head) never wraps; the tail
 * never goes back: less this, it is how many items ever became READY. */
#define POSITION_START (UINT64_C(1) << 62)

struct queue_head {
    /* constant after creation */
    uint32_t capacity;
    uint32_t ring_mask;
    uint64_t bytes_most;
    uint64_t ring_at;     /* uint32_t[ring_mask + 1], slot numbers */
    uint64_t free_at;     /* uint32_t[capacity], a stack */
    uint64_t slots_at;    /* struct slot[capacity] */
    uint64_t sleepers_at; /* uint64_t[SIDES][words]: members asleep */
    uint64_t order_at;    /* struct slot_order[capacity]; 0: none */
    uint64_t lists_at;    /* uint32_t[LISTS][2 * capacity] */
    uint64_t lanes_at;    /* struct lane[lane_count] */
    uint64_t lane_of_at;  /* uint32_t[capacity]: of each slot; stored before
                           * word = STAGED, and stays until it is FREE */
    uint64_t served_at;   /* uint64_t[words]: members whose lane has something
                           * READY; a cache */
    uint64_t key_at;      /* char[key_size]: the attribute that is the key */
    uint32_t lane_count;  /* 0: no key, and none of these four */
    uint32_t key_size;
    uint32_t kept;     /* enum kept */
    uint32_t overflow; /* enum weir_overflow */

    /* Two processes that hand each other the lock hand each other each line
     * that a hold touches, too: some 100 ns for each. So what every hold
     * touches is in one line, and that one beside the lock's: many processors
     * fetch lines by pairs. */
    alignas(LINE_PAIR) struct lock lock;

    /* under the lock; caches, but for `closed` */
    alignas(CACHE_LINE) uint64_t head;
    uint64_t tail;
    uint64_t bytes; /* staged, ready and leased: slot_charge */
    uint32_t free_count;
    _Atomic uint32_t ready;  /* stored under the lock, read as a hint without */
    uint32_t leased, staged; /* leased counts DONE, SPENT too */
    uint32_t asleep;         /* 1 << side: sleeping[side] is not 0 */
    uint32_t claim;          /* member + 1: who alone may stage, or 0 */
    _Atomic uint32_t closed; /* truth: enum closed */
    _Atomic uint32_t spinner; /* member + 1: the consumer that waits awake, or
                               * 0; a hint, see wake.c */

    /* the same, while somebody sleeps or waits for room */
    alignas(CACHE_LINE) uint32_t sleeping[SIDES]; /* bits set; hint, rebuilt */
    uint32_t waking[SIDES]; /* member + 1: the one wake on its way, or 0 */
    uint32_t claim_slots;   /* what the claimant waits for */
    uint64_t claim_bytes;
    uint32_t claim_first; /* it is the first of an ordered stage */
    struct list lists[LISTS];
    _Atomic uint64_t next;  /* ticket: all before it are done */
    uint32_t rotate[SIDES]; /* where the search for a sleeper goes on */
};

_Static_assert(offsetof(struct queue_head, sleeping) -
                       offsetof(struct queue_head, lock) ==
                   LINE_PAIR,
               "the lock, and what every hold touches");

/* NOW: who finds something ready drops it. Only ever raised. */
enum closed { CLOSED_NOT = 0, CLOSED_DRAIN = 1, CLOSED_NOW = 2 };

/* ----------------------------------------------------------- a member ---- */

/* member.txn = state | sequence << 8. The sequence goes up by one in the one
 * commit store only, and its last bit is the index of the book that counts: so
 * that store makes "inputs done, outputs exist, this is the new book" true in
 * one go. Who reads the same word twice knows that there was no commit between
 * (snapshot.c): it would take 2^24 of them to come round. */
enum txn_state { TXN_IDLE = 0, TXN_OPEN = 1, TXN_COMMITTED = 2 };

enum member_state {
    MEMBER_EMPTY = 0,
    MEMBER_STARTING = 1,
    MEMBER_LIVE = 2,
    MEMBER_DEAD = 3,
};

/*
 * member.leave: whether the member is to make room for another. Each step is
 * one exchange of what is expected, so the owner that takes it back knows
 * whether it came in time.
 *
 *   STAYS -> ASKED (the owner) -> SEEN -> GONE (the member)
 *            ASKED, SEEN -> STAYS (the owner)
 *
 * Dies before GONE: it had not left, whatever was asked. After it: it holds
 * nothing that is not committed, and another enters, as after any death.
 */
enum leave {
    LEAVE_STAYS = 0,
    LEAVE_ASKED = 1, /* its waits for items end, until it has seen it */
    LEAVE_SEEN = 2,
    LEAVE_GONE = 3,
};

enum {
    FILE_NAME_MOST = 4096,
};

/* reference = queue << 32 | slot */
struct member_head {
    alignas(CACHE_LINE) _Atomic uint32_t txn;
    alignas(CACHE_LINE) _Atomic uint32_t park;

    alignas(CACHE_LINE) _Atomic uint32_t state;
    _Atomic int32_t process; /* whose: 0 nobody's; taken by one store */
    _Atomic int32_t pid;
    _Atomic uint32_t in_count, out_count;
    _Atomic uint64_t hand;    /* reference + 1 of the item in hand; 0 none */
    _Atomic uint64_t turn;    /* raised for each item, commit and wait */
    _Atomic uint32_t waiting; /* enum: nothing, for an item, for room */
    _Atomic uint32_t cancel;  /* waits end with WEIR_ECANCELED */
    _Atomic uint32_t punch;   /* chunk whose pages are going */
    _Atomic uint32_t tries;   /* starts since the last commit (source, flush) */
    _Atomic int64_t limit_ns; /* what the item in hand may take; 0: no limit */
    _Atomic uint64_t beat;    /* raised by signs of life of the task */
    _Atomic uint64_t overdue; /* turn + 1 that takes too long; 0: none */
    _Atomic uint32_t parting; /* enum parting, when it has ended itself */
    _Atomic uint32_t sink;    /* sink + 1 whose lock this member is to hold */
    _Atomic uint64_t sink_length; /* committed length once txn says so */

    /* Of an entry that does no turns: a name to ring (shm/bell.h), stored
     * once; how many bytes it waits for; or that it stands for a registered
     * producer of queue 0, which is truth, changed under that one's lock. */
    _Atomic uint64_t bell;
    _Atomic uint64_t bell_bytes;
    _Atomic uint32_t producer;

    _Atomic uint32_t leave; /* enum leave: member_ask_leave */

    /* measured by the member for the report, ns since its start */
    _Atomic uint64_t busy_ns, starved_ns, blocked_ns;

    struct book books[2];
};

/* What is large stands apart, found by the member's number:
 * refs[member][in, out][MEMBER_REFS], renames[member][RENAME_MOST][from, to].
 */
enum { REFS_IN = 0, REFS_OUT = 1 };
#define RENAMES_SIZE ((uint64_t)RENAME_MOST * 2 * FILE_NAME_MOST)

/* A file that is appended to; one lock for its length. */
enum {
    SINK_EMPTY = 0,
    SINK_NAMED = 1,
    SINK_FOLDER = 2, /* no file: a folder in which names were changed */
};

struct sink_head {
    struct lock lock;
    _Atomic uint32_t state;  /* stored last: all else is there */
    uint32_t group;          /* whose: a stage's number */
    _Atomic uint64_t length; /* committed; bytes beyond it do not count */
    _Atomic uint64_t intent; /* more than length: bytes up to here may be those
                              * of a write that was not committed */
    uint64_t dev, ino;
    uint64_t born; /* ns of its clock; 0: the file system does not say */
    char path[FILE_NAME_MOST];
};

/* -------------------------------------------------------- the segment ---- */

struct segment_head {
    uint64_t magic;
    uint32_t version;
    uint32_t head_size;
    uint64_t size;
    uint32_t member_count;
    uint32_t member_words; /* of a bitmap of members */
    uint32_t queue_count;
    uint32_t sink_count;
    uint32_t order_count;
    uint64_t members_at, queues_at, sinks_at;
    uint64_t refs_at, renames_at;
    uint64_t orders_at; /* struct order_link[order_count]; constant */
    uint64_t pid_space; /* of all its members, when it has no owner: a file of
                         * strangers (strangers.h); else 0 */
    struct lock sinks_lock;    /* held to give a file its entry */
    _Atomic uint32_t broken;   /* a damage was found: nothing goes on */
    _Atomic uint32_t stopping; /* sources end */
    uint32_t journaled;        /* constant: a journal is kept; sinks_log.c */
    _Atomic uint32_t folders_lost; /* more folders than entries */
    alignas(CACHE_LINE) struct store_head store;
};

static inline uint32_t word_of(enum slot_state state, unsigned member)
{
    return (uint32_t)state | (member + 1) << 8;
}

static inline enum slot_state word_state(uint32_t word)
{
    return (enum slot_state)(word & 0xff);
}

/* Member number; UINT32_MAX when the word names nobody. */
static inline unsigned word_member(uint32_t word)
{
    return (word >> 8) - 1;
}

static inline uint64_t reference(unsigned queue, uint32_t slot)
{
    return (uint64_t)queue << 32 | slot;
}

static inline unsigned reference_queue(uint64_t ref)
{
    return (unsigned)(ref >> 32);
}

static inline uint32_t reference_slot(uint64_t ref)
{
    return (uint32_t)ref;
}

static inline uint32_t txn_of(enum txn_state state, uint32_t sequence)
{
    return (uint32_t)state | sequence << 8;
}

static inline enum txn_state txn_state(uint32_t txn)
{
    return (enum txn_state)(txn & 0xff);
}

static inline uint32_t txn_sequence(uint32_t txn)
{
    return txn >> 8;
}

static inline unsigned txn_book(uint32_t txn)
{
    return txn_sequence(txn) & 1;
}

#endif
