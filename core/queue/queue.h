/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue.h - the face of core/queue: segments, members, transactions, recovery.
 *
 * A segment holds queues, members and a store in one piece of shared memory.
 * A member (one per worker process, or per thread of a library's host) works
 * in turns: it leases items, stages outputs in any number of queues, marks
 * inputs done, and commits: one atomic store makes all of it true. Killed
 * before that store, it has done nothing; after it, whoever recovers it
 * finishes what follows from it.
 *
 * One thread per member. The owner (a run's supervisor, a program's helper)
 * recovers the dead: after it knows of the death, before the successor starts.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/queue.h>

#include "base/base.h"

struct segment;
struct member;

enum {
    CAPACITY_MOST = 1000000,
    QUEUES_MOST = 4096,
    MEMBERS_MOST = 4096,
    LEASE_MOST = 32,    /* items leased in one turn */
    MEMBER_REFS = 4096, /* inputs, outputs of one commit: beyond that, parts */
    RENAME_MOST = 32,   /* renames of one commit */
    OVERFLOWS_MOST = 8, /* queues whose overflow one member counts */
    CURSOR_MOST = 64,
    ATTRS_MOST = 4096,
    KEY_MOST = 255, /* bytes of the name of an attribute */
};
#define BYTES_MOST (UINT64_C(64) << 30) /* of a queue */

/* What the last lost attempt at an item ended by. */
enum cause {
    CAUSE_NONE,
    CAUSE_ERROR,  /* the task said so */
    CAUSE_EXIT,   /* code: status; from PARTING_FIRST on: enum parting */
    CAUSE_SIGNAL, /* code: signal, from outside or of its own making */
    CAUSE_LIMIT,  /* our kill: the time limit; code: enum limit_code */
    CAUSE_MEMORY, /* our kill: too much memory; code: MiB that it had */
    CAUSE_OUT,    /* the kernel's kill: no memory; code: of memory_kills_judge
                   */
    CAUSE_KILLED, /* our kill, for no fault of its item; code: enum kill_code */
};

enum limit_code { LIMIT_TIME, LIMIT_SILENT };
enum kill_code { KILL_HOLDER, KILL_NURSERY };

/* Why a member ended itself: its task had made it unfit. */
enum parting {
    PARTING_FIRST = 256, /* no exit status */
    PARTING_FDS = PARTING_FIRST,
    PARTING_JUMP,
    PARTING_PAST,
};

/* ------------------------------------------------------------ segment ---- */

struct queue_plan {
    uint32_t capacity; /* items, 1 .. CAPACITY_MOST */
    uint64_t bytes;    /* 1 .. */
    uint32_t overflow; /* kept for who puts: enum weir_overflow */
    /* An attribute's name, of KEY_MOST bytes at most: items in which it has the
     * same value go to the same of @lanes members, in order (lanes.c). NULL:
     * any member takes any item. */
    const char *key;
    uint32_t lanes; /* 1 .. MEMBERS_MOST, when there is a key */
};

/* A stage takes from one queue and fills the other, in order (order.c). */
struct order_link {
    uint32_t from, to;
};

struct segment_plan {
    const struct queue_plan *queues; /* upstream first */
    unsigned queue_count;
    const struct order_link *orders;
    unsigned order_count;
    unsigned member_count;
    unsigned sink_count;
    bool journaled; /* of a run with a journal: files are noted (sinks_log.c) */
};

int segment_create(const struct segment_plan *plan, struct segment **out,
                   weir_error *err);
/* Another process's segment, by its descriptor (duplicated). Header and
 * offsets are checked: WEIR_EBROKEN. */
int segment_attach(int fd, struct segment **out, weir_error *err);
void segment_free(struct segment **segment);
int segment_fd(const struct segment *segment);
/* In a worker, before segment_seclude: what it leases it has in memory that can
 * only be read, so that a task which writes to its input is killed by that
 * write. Best effort: it takes as much address space again. */
void segment_shield(struct segment *segment);
/* In a worker, once: no copy of the mapping in a task's own fork, and no
 * descriptor of it left. */
int segment_seclude(struct segment *segment);
/* Before anybody uses it: who waits for a lock of it sees to its holder
 * (lock_set_alone). All its members live in one pid namespace. */
void segment_set_alone(struct segment *segment);
bool segment_broken(const struct segment *segment);
void segment_set_broken(struct segment *segment);
unsigned segment_queue_count(const struct segment *segment);
unsigned segment_member_count(const struct segment *segment);
/* Sources end from now on; told by member_stopping. Wakes everybody. */
void segment_stop_sources(struct segment *segment);
/* Chunks in use and bytes with pages: 0 chunks when all queues are empty. */
int segment_store_used(struct segment *segment, uint64_t *chunks_out,
                       uint64_t *touched_out);

/* -------------------------------------------------------- queue, owner ---- */

struct queue_state {
    uint32_t capacity;
    uint64_t bytes_most;
    uint32_t ready, leased, staged, free; /* slots; those held are staged */
    uint32_t held; /* committed, and waiting for their turn */
    uint64_t bytes;
    uint32_t consumers_waiting, producers_waiting;
    uint64_t published; /* items that ever became ready, each once */
    bool closed;
    uint32_t overflow;
};

/* Exact at one instant: under the lock. @deadline_ns absolute. */
int queue_state(struct segment *segment, unsigned queue, int64_t deadline_ns,
                struct queue_state *out);
int queue_close(struct segment *segment, unsigned queue);
/* The same, and what is ready, now or later, is not to be taken any more: who
 * leases it commits it unseen (queue_drops). */
int queue_close_now(struct segment *segment, unsigned queue);
bool queue_drops(const struct segment *segment, unsigned queue);
/* As planned; anything at all when the segment is damaged. */
unsigned queue_overflow(const struct segment *segment, unsigned queue);
/* How many are ready, without the lock: a hint for spinning and batches. */
uint32_t queue_ready_hint(const struct segment *segment, unsigned queue);

/* ------------------------------------------------------------- member ---- */

/* Binds this thread to entry @number (below member_count), which must be
 * empty or recovered. */
int member_enter(struct segment *segment, unsigned number, struct member **out);
/* The first empty entry at or after @from. WEIR_EFULL: none. */
int member_enter_any(struct segment *segment, unsigned from,
                     struct member **out);
/* Gives back what is leased, drops what is staged, leaves the entry empty
 * (the book stays). Frees the handle. NULL-safe. */
void member_leave(struct member **member);
/* Frees the handle in a process that is not the member: after a fork. */
void member_forget(struct member **member);
unsigned member_number(const struct member *member);
struct segment *member_segment(const struct member *member);

/* Waits of this member end with WEIR_ECANCELED, now and until cleared; from
 * any process that has the segment, any thread, or a signal handler. */
void member_cancel(struct segment *segment, unsigned number, bool cancel);
bool member_canceled(const struct member *member);
bool member_stopping(const struct member *member);

bool segment_stopping(const struct segment *segment);

/* Another is to have this entry: the member is asked to leave it, and its waits
 * in turn_lease end with WEIR_ETIMEDOUT until it has seen that. */
void member_ask_leave(struct segment *segment, unsigned number);
/* After all it is to stay. False: it is on its way. */
bool member_ask_stay(struct segment *segment, unsigned number);
/* Asked by the member, between turns. */
bool member_asked_leave(struct member *member);
/* It goes: nothing may be leased or staged from here on but what member_leave
 * gives back. False: it was asked to stay. */
bool member_goes(struct member *member);

/* A sign of life of what the member does in this turn. */
void member_beat(struct member *member);
/* The turn of this number takes longer than it should; it is told so. */
void member_set_overdue(struct segment *segment, unsigned number,
                        uint64_t turn);
bool member_overdue(const struct member *member);
/* Left behind by one that ends now; what a dead one left: 0: nothing. */
void member_part(struct member *member, enum parting why);
unsigned member_parting(const struct segment *segment, unsigned number);

/* --- one item, as its holder sees it --- */

struct item {
    uint64_t ref;
    unsigned queue; /* that it was leased from */
    const void *data;
    size_t size;
    const void *attrs; /* encoded: attrs.h */
    size_t attrs_size;
    uint64_t root, path;
    unsigned attempt; /* charged so far: 0 in the first try */
    uint64_t ticket;  /* where order is kept: its place among all items */
    uint32_t skip;    /* outputs to drop: parts have committed them */
    uint64_t skip_hash;
    enum cause cause; /* of the last lost attempt */
    int cause_code;
};

/* Leases 1..@most (<= LEASE_MOST) of the oldest ready items of the first of
 * @queues that has one, waiting until @deadline_ns (0: try once). Returns how
 * many, or WEIR_EEMPTY (tried once), WEIR_ETIMEDOUT, WEIR_ECLOSED (all of them
 * closed and drained), WEIR_ECANCELED, WEIR_EBROKEN. @share >= 1 bounds the
 * batch to ready / share, rounded up. */
int turn_lease(struct member *member, const unsigned *queues,
               unsigned queue_count, unsigned most, unsigned share,
               int64_t deadline_ns, struct item *items);

/* This member takes the items of @lane from here on, those of a queue that has
 * a key, and no other member does: who served it before gets none any more,
 * and must hold none. Of one queue; its turn_lease names that queue alone. */
int turn_serve(struct member *member, unsigned queue, uint32_t lane);

/* This one is in hand now: a death from here on charges it an attempt. */
int turn_take_up(struct member *member, struct item *item);
/* The attempt failed but is tried again here: charge it. */
int turn_charge(struct member *member, struct item *item);
/* The attempt failed, and the next one comes later: meanwhile the item stays
 * leased, and is not in hand. @cause is kept with it, for who leases it should
 * this member die. Then turn_take_up again. */
int turn_put_off(struct member *member, struct item *item, enum cause cause);
/* The input is settled (done, skipped, or passed to `failed`): its attempt is
 * not charged. Counts for nothing until the commit. */
int turn_done(struct member *member, const struct item *item);
/* Leased, not taken up: back to the head, now. */
int turn_release(struct member *member, const struct item *item);

/* --- by who they are: pick.c; in the process that owns the segment --- */

/* Leases up to @most (<= LEASE_MOST) ready items of this queue whose root
 * matches, wherever they stand; the rest keeps its order. Only what settles
 * them is filled in: ref, queue, root. Waits for nothing but the lock. Returns
 * how many, or a code. */
typedef bool item_match(void *arg, uint64_t root);
int turn_pick(struct member *member, unsigned queue, item_match *match,
              void *arg, unsigned most, struct item *items);
/* Marks the item with this root that had this ref when it was staged, ready or
 * leased. WEIR_ESTATE: it is settled, or about to be. */
int item_mark(struct segment *segment, uint64_t ref, uint64_t root);
/* Asked by its holder once it has taken it up, and before each attempt. */
bool turn_marked(const struct member *member, const struct item *item);

/* Where it is now, without a lock: a hint. */
struct item_look {
    enum {
        ITEM_GONE,
        ITEM_STAGED,
        ITEM_READY,
        ITEM_LEASED,
        ITEM_DONE, /* settled, not yet committed */
    } state;
    bool in_hand;     /* leased, and being worked at */
    unsigned attempt; /* charged, with the one that runs */
    unsigned member;
    pid_t process; /* of who holds it */
};
void item_look(const struct segment *segment, uint64_t ref, uint64_t root,
               struct item_look *out);

/* What is staged: bytes, or the payload of an item that this member holds
 * (`pass`): one that it leased, or one that it staged itself, by ref alone
 * (that is how one output is copied to several queues). */
struct stage_spec {
    unsigned queue;
    size_t room;             /* payload bytes to be written (no pass) */
    const struct item *pass; /* not NULL: that item's payload, by reference */
    const void *attrs;
    size_t attrs_size;
    const struct item *inherit; /* its attributes are these: by reference */
    uint64_t root, path;
    const struct stage_order *order; /* NULL: published by its commit */
};

/* What an output of an ordered stage stands behind: its input, and what that
 * one has given before. A member works for one ordered queue. */
struct stage_order {
    unsigned queue;  /* of the input; linked with the output's by the plan */
    uint64_t ticket; /* of the input; ORDER_LAST: of a flush */
    uint32_t index;  /* rises with each output of this input */
};
#define ORDER_LAST UINT64_MAX

struct staged {
    uint64_t ref;
    void *data; /* where to write; NULL for a pass */
    size_t room;
    size_t brim; /* bytes behind the room that nobody else has */
};

/* Stages one item without waiting. WEIR_EFULL (no room now, or somebody else
 * claims it), WEIR_ETOOBIG (never), WEIR_ENOMEM, WEIR_ESTATE (MEMBER_REFS
 * staged already: commit), WEIR_EBROKEN. */
int turn_stage(struct member *member, const struct stage_spec *spec,
               struct staged *out);
/* Of a queue without order or key: the first of @items, as many as find room
 * now, in one hold of each lock:
 * their roots are @root and on, what is to be written @staged. 1 to @count; or
 * a code as of turn_stage, and then none is staged. */
int turn_stage_many(struct member *member, unsigned queue,
                    const weir_bytes *items, unsigned count, uint64_t root,
                    struct staged *staged);
/* It became smaller than its room. */
int turn_shrink(struct member *member, struct staged *staged, size_t size);
/* Drops one that is staged, or all from number @from on (in order staged). */
int turn_drop(struct member *member, uint64_t ref);
unsigned turn_staged(const struct member *member);
int turn_drop_from(struct member *member, unsigned from);

/* Waits until all these sets fit, each in its queue (queues in ascending
 * number, that is upstream first), and claims them: nobody else stages there
 * until turn_unclaim. This member must hold nothing staged. WEIR_ETOOBIG: a
 * set can never fit. */
struct room {
    unsigned queue;
    uint32_t slots;
    uint64_t bytes;
};
int turn_claim(struct member *member, const struct room *rooms, unsigned count,
               int64_t deadline_ns);
int turn_unclaim(struct member *member, const struct room *rooms,
                 unsigned count);
/* Whether these are still claimed by this member: one that is the first of an
 * ordered stage takes the claim of another. */
bool turn_claims(const struct member *member, const struct room *rooms,
                 unsigned count);
/* Where order is kept: waits until this leased item is the first that is not
 * done; this member holds none before it. Until it is done or given back, it
 * may use the room that others leave, one slot at a time, and what it commits
 * is published at once. Nothing may be staged. A code as of turn_lease. */
int turn_wait_first(struct member *member, const struct item *item,
                    int64_t deadline_ns);
/* What a payload of @size with @attrs_size of attributes is charged. */
uint64_t queue_charge(uint64_t size, uint64_t attrs_size);

/* Whether a worker number has given all it had. At a stop it gives no more,
 * and has not: a run that goes on later begins there. */
enum ended { ENDED_NOT = 0, ENDED_ALL = 1, ENDED_STOPPED = 2 };

/* What a commit makes true besides the slots: all absolute. */
struct book {
    uint8_t cursor[CURSOR_MOST];
    uint32_t cursor_size;
    uint32_t ended;     /* enum ended */
    uint32_t saved;     /* which state file counts: 0 none, 1, 2 */
    uint32_t renames;   /* how many of member.renames this commit does */
    uint64_t ordinal;   /* items made by a source so far */
    uint64_t skip;      /* source, flush: emits behind the cursor that parts */
    uint64_t skip_hash; /* have committed */
    uint64_t part;      /* reference + 1 of the leased input whose skip is: */
    uint64_t part_skip;
    uint64_t part_hash;
    uint64_t done, failed, skipped; /* items settled by this worker number */
    uint64_t emitted, dropped;      /* outputs given on; to `drop` */
    uint64_t retried;               /* attempts that were not the last */
    uint64_t digest; /* of what was emitted, in any order; where it is wanted */
    /* What a full queue did to items: dropped, or failed. Whose numbers these
     * are is told by who plans the segment. */
    uint64_t overflowed[OVERFLOWS_MOST];
};

/* The book of the next commit: a copy of the current one, to be changed. */
struct book *turn_book(struct member *member);
/* The same for who changes nothing else in it: how many a source has made. */
uint64_t *turn_ordinal(struct member *member);
const struct book *member_book(const struct segment *segment, unsigned number);

/* A file to which this commit appends: written before the commit, under the
 * file's lock. Sinks are found by device and inode; @group keeps stages apart.
 * The iov's bytes must stay until the commit. */
struct iovec;
struct append {
    int fd;
    unsigned group;
    const struct iovec *parts;
    unsigned part_count;
    uint64_t size;
};
int sink_register(struct segment *segment, unsigned group, int fd,
                  unsigned *sink_out, weir_error *err);
/* Of a segment of strangers: a file that this process alone appends to (group
 * 0), cut to what is committed when a dead one has left it; and no more. */
int sink_open(struct segment *segment, int fd, unsigned *sink_out,
              weir_error *err);
void sink_close(struct segment *segment, unsigned sink, int fd);
/* At the end of a group: cuts its files back to their committed lengths. */
int sinks_finish(struct segment *segment, unsigned group, weir_error *err);
uint64_t sink_length(const struct segment *segment, unsigned sink);

/* A rename that becomes true with the commit. WEIR_ESTATE: RENAME_MOST are
 * there already: commit. */
int turn_rename(struct member *member, const char *from, const char *to);
unsigned turn_renames(const struct member *member);
/* Forgets those from number @count on: of an item that failed. */
void turn_cut_renames(struct member *member, unsigned count);

/*
 * turn_commit - make it true: the done inputs, the staged outputs, the book,
 * the appended bytes, the renames; one store. Then redo what follows from it.
 * What is leased and not done stays leased. @append may be NULL.
 * Returns 0; -errno when the append could not be written (nothing has
 * happened then: the transaction is still open), or when a rename failed (all
 * else has happened); WEIR_EBROKEN.
 */
int turn_commit(struct member *member, const struct append *append,
                weir_error *err);
/* Undo: drops what is staged, gives back what is leased or done. */
int turn_abort(struct member *member);

/* --- all of a turn at once, for small items: direct.c --- */

enum { PUT_MOST = 64, ITEM_SMALL = 64, ITEM_DIRECT = 2048 };

/* By a member that holds nothing: puts the first of @items, as many as find
 * room, PUT_MOST at most, while they are of at most ITEM_DIRECT bytes each and
 * of PUT_MOST * ITEM_SMALL together; their roots are @root and on; the book
 * becomes true with them. Returns how many; 0: none, make the turn step by
 * step, which tells why; or WEIR_EBROKEN. */
int turn_put(struct member *member, unsigned queue, const weir_bytes *items,
             unsigned count, uint64_t root);
/* The same: gets the oldest, @most (<= LEASE_MOST) of them, or as many as there
 * are or have @room, one behind the other. Waits for nothing but the lock. */
int turn_get(struct member *member, unsigned queue, void *data, size_t room,
             size_t *sizes, unsigned most);
/* Awake for a while, until there may be something: true. After either answer
 * turn_get must get something, or turn_lease of this queue alone be called: the
 * first item is left to this member until then. turn_lease waits. */
bool turn_spin(struct member *member, unsigned queue, int64_t deadline_ns);

/* --- calls and their answers, small ones, in few holds: answer.c --- */

struct small {
    uint64_t root, path;
    uint64_t ref; /* where it was staged, or leased: told */
    size_t size;
    char data[ITEM_SMALL];
};

/* By a member that holds nothing: puts the first of @calls, as many as find
 * room. Returns how many; 0: none, make the turn step by step, which tells why;
 * or WEIR_EBROKEN. */
int turn_call(struct member *member, unsigned queue, struct small *calls,
              unsigned count);
/* Settles an item that this member has in hand by one answer, and commits: it
 * has staged nothing, and done nothing else, since its last commit. The item's
 * slot may be freed as late as in its next turn_lease of that queue, or in
 * turn_abort. 1; 0: nothing has happened, go step by step; or a code. */
int turn_answer(struct member *member, const struct item *item, unsigned queue,
                struct small *answer);
/* As turn_get: the oldest, as long as they are small. */
int turn_take(struct member *member, unsigned queue, struct small *taken,
              unsigned most);

/* ------------------------------------------------- watching: watch.c ---- */

/* Waits until nothing is ready, leased or staged: 1. 2: nothing but what is
 * ready and to be dropped, by the caller. Else a code as of turn_lease;
 * WEIR_ETIMEDOUT also when tried once. */
int turn_wait_idle(struct member *member, unsigned queue, int64_t deadline_ns);
/* This entry, which does no turns, has a bell (shm/bell.h): rung when there is
 * something to get; or room for @bytes more, @put. Looks, and arms it anew.
 * Returns 1 when there is something: it is rung; 0; or a code. */
int member_watch(struct member *member, unsigned queue, bool put, int bell_fd,
                 uint64_t bell, uint64_t bytes);
/* This entry stands for a registered producer of queue 0, until it ends, leaves
 * or dies; with the last one the queue is closed. WEIR_ECLOSED: it is. */
int member_produce(struct member *member);
int member_produce_end(struct segment *segment, unsigned number);
unsigned queue_producers(const struct segment *segment);

/* ----------------------------------------------------------- recovery ---- */

/*
 * member_recover - after a member's process is dead for certain
 * @cause, @code: stored with the item that it had in hand
 * @hand_out:     what it had in hand (may be NULL): had, size, root, path...
 *
 * Finishes its commit or undoes its turn, wakes everybody who may have waited
 * for it. May be run again from the start at any point. Then the entry is
 * EMPTY: member_enter may take it. By one process, the owner, only.
 */
struct recovered {
    bool was_committed;
    bool had_hand;
    unsigned queue;
    uint64_t root, path;
    unsigned attempt;
};
int member_recover(struct segment *segment, unsigned number, enum cause cause,
                   int code, struct recovered *out);
/* The item that a dead one has in hand was not at fault: its attempt is not
 * charged, as when it is given back. Before it is recovered, and once. */
void member_pardon(struct segment *segment, unsigned number);
/* What a dead one has in hand, before it is recovered. */
void member_hand(const struct segment *segment, unsigned number,
                 struct recovered *out);
/*
 * member_commit_for - commit in the name of a member that is dead, because what
 * it had leased was settled by a commit in another segment
 * @done: what its book's `done` is to be; the first inputs that it leased and
 *        did not commit, as many as are missing to it, become done
 *
 * Before member_recover, which does what follows from it; by the same process.
 * May be run again from the start at any point. If it had nothing staged no
 * lock is taken: what is changed is the dead one's. WEIR_EBROKEN: it had leased
 * fewer.
 */
int member_commit_for(struct segment *segment, unsigned number, uint64_t done);
/* Once a second: wakes who sleeps beside work, ends marks and claims that a
 * stopped process holds. Returns members woken, or a code. When a lock was not
 * to be had, *holder_out is the thread that holds it (else 0). */
int segment_sweep(struct segment *segment, pid_t *holder_out);
/* True when somebody sleeps at all: only then the sweep has any use. */
bool segment_sleepers(const struct segment *segment);

/* What the supervisor samples, without a lock. */
struct member_sample {
    uint32_t state;
    pid_t pid;     /* its thread */
    pid_t process; /* 0: nobody has this entry */
    uint64_t turn;
    bool in_hand;
    uint64_t root;    /* of the item in hand: a hint */
    unsigned waiting; /* 0 no, 1 for an item, 2 for room */
    uint64_t busy_ns, starved_ns, blocked_ns;
    unsigned tries;
    int64_t limit_ns; /* of the item in hand; 0: none */
    uint64_t beat;    /* raised by a sign of life of the task */
};
void member_sample(const struct segment *segment, unsigned number,
                   struct member_sample *out);
/* How many it has leased that were tried before and are not in hand: where a
 * stage waits between attempts, those that wait. A hint, without a lock. */
unsigned member_put_off(const struct segment *segment, unsigned number);
/* Measured shares, added by the member itself. */
void member_add_times(struct member *member, uint64_t busy_ns,
                      uint64_t starved_ns, uint64_t blocked_ns);
void member_set_waiting(struct member *member, unsigned what);
/* Before an item is taken up: what it may take, for who watches; 0: no limit.
 */
void member_set_limit(struct member *member, int64_t limit_ns);
/* Starts since the last commit: for sources and flushes that kill. */
void member_note_try(struct member *member);

#endif
