/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * weir/queue.h - a bounded, crash-safe queue of items between processes.
 *
 * An item is bytes, 0 to 1 GiB. The queue is bounded in items and in bytes;
 * `size`, `empty` and `full` are exact at the moment of the call. A process
 * that is killed at any instruction loses nothing of the queue: what it had
 * put is there, what it had not finished putting is not; no lock stays held.
 *
 *     weir_context *context;
 *     weir_queue *queue;
 *     weir_queue_options options = WEIR_QUEUE_OPTIONS;
 *
 *     options.capacity = 1024;
 *     weir_context_open(NULL, &context, &err);
 *     weir_queue_new(context, &options, &queue, &err);
 *     ... start processes that were given the queue ...
 *     weir_queue_put(queue, "work", 4, WEIR_FOREVER);
 *     weir_queue_close(queue);
 *
 * A handle belongs to the process that made it or was given it: used in a
 * forked child it answers WEIR_EPROCESS. Any number of threads may use one
 * handle, up to `members` calls at once over all processes. The calls end with
 * WEIR_EBROKEN when the context is closed or its helper was killed.
 */
#ifndef WEIR_QUEUE_H
#define WEIR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/bytes.h>
#include <weir/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined __GNUC__
#pragma GCC visibility push(default)
#endif

typedef struct weir_context weir_context;
typedef struct weir_queue weir_queue;

/* What a put does that finds no room. The counts are in the snapshot; each is
 * stored by the commit that drops, so it is exact whoever is killed. */
enum weir_overflow {
    WEIR_OVERFLOW_BLOCK = 0, /* waits, as its timeout says */
    WEIR_OVERFLOW_FAIL,      /* WEIR_EFULL at once, whatever its timeout */
    /* The item is dropped and counted, and the put returns 0. A reserve, which
     * has no item yet, answers WEIR_EFULL, and counts nothing. */
    WEIR_OVERFLOW_DROP_NEW,
    /* The oldest ready items are dropped and counted until there is room. Never
     * waits: WEIR_EFULL when nothing is ready, all being leased or put. Who is
     * killed may have dropped, and counted, without having put. */
    WEIR_OVERFLOW_DROP_OLD,
};

/* Waits: relative, in ns. 0 tries once; other negatives are WEIR_EINVAL. */
#define WEIR_FOREVER INT64_MAX

typedef struct weir_queue_options {
    size_t size;       /* of this struct; set by WEIR_QUEUE_OPTIONS */
    uint32_t capacity; /* items, 1 to 1,000,000; default 1,024 */
    uint32_t members;  /* calls at once, 1 to 4,096; default 256. A process
                        * keeps as many as it needed at once, up to 8, until
                        * it frees its handle or ends */
    uint64_t bytes;    /* bytes of all items in it, 1 B to 64 GiB; default
                        * 8 MiB. An item above it is WEIR_ETOOBIG. Memory is
                        * used for what is in the queue, address space up to 50
                        * times the bound */
    uint32_t mode;     /* of a named queue's file, as chmod has it, whatever
                        * the umask; default 0600. Who may read and write it
                        * gets in */
    uint32_t overflow; /* enum weir_overflow: of all who put; default block */
} weir_queue_options;

#define WEIR_QUEUE_OPTIONS                                                     \
    {                                                                          \
        sizeof(weir_queue_options), 1024, 256, UINT64_C(8) << 20, 0600, 0      \
    }

/**
 * weir_queue_new - make a queue
 * @context:   the context whose processes may use it; its helper recovers them
 * @options:   NULL: the defaults
 * @queue_out: the caller's; ended by weir_queue_free
 * @err:       the sentence; may be NULL
 *
 * Returns 0; WEIR_EINVAL (out of range), WEIR_ENOMEM, -EMFILE and the like;
 * WEIR_EBROKEN when the context's helper is gone.
 * Threads: safe. Fork: not in a forked child. Signals: no. Since: 0.1
 */
int weir_queue_new(weir_context *context, const weir_queue_options *options,
                   weir_queue **queue_out, weir_error *err);

/* --------------------------------------------------------- named queues --- */

enum weir_queue_flag {
    WEIR_QUEUE_CREATE = 1 << 0,    /* make it when there is none */
    WEIR_QUEUE_EXCLUSIVE = 1 << 1, /* -EEXIST when there is one */
};

/**
 * weir_queue_open_named - open a queue by name, with no context
 * @name:      1 to 128 letters, digits, '.', '_' and '-'; the first is none of
 *             '.' and '-'
 * @options:   of a queue that is made; NULL: the defaults. Of one that is there
 *             they say nothing: it is as it was made
 * @flags:     enum weir_queue_flag, or-ed; 0: it must be there
 * @queue_out: the caller's; ended by weir_queue_free
 * @err:       the sentence; may be NULL
 *
 * Any number of processes that know nothing of each other may have it open; all
 * calls on a handle work as on another queue's. There is no helper: who finds
 * that another process has died cleans up after it, when it opens the queue,
 * before it waits, and four times a second while it waits. So what was put is
 * there whole or not at all, and an item that a process took up and did not
 * finish is back at the head of the queue a quarter of a second after its death
 * at the latest, if anybody waits, and when somebody comes, if not.
 *
 * A queue stays, with its items and whether it is closed, when nobody has it
 * open: until weir_queue_unlink, or the machine is started anew. It is a file
 * in /dev/shm/weir-UID, a folder of mode 0700 that is made at need, and refused
 * when it is anything else; or in the folder that the environment variable
 * WEIR_QUEUE_DIR names, which must be in memory (tmpfs), the caller's or
 * root's, and closed to others, but may be open to a group. All members must
 * live in one pid namespace: containers, each with its own, are kept out.
 *
 * A process that is stopped in the middle of a call, with the queue's lock
 * held, is told to go on (SIGCONT) by those who wait for it.
 *
 * Returns 0; WEIR_EINVAL (name, options, flags); -ENOENT: there is none;
 * -EEXIST; -EACCES: the file's mode; WEIR_ETRUST: the folder is not one's own;
 * WEIR_EBROKEN: what is there is no queue, is damaged, or of another version;
 * WEIR_EPROCESS: of another pid namespace; WEIR_ENOMEM, also when the folder
 * is full; -EMFILE and the like.
 * Threads: safe. Fork: a child does not have it, and opens it by itself; the
 * handle that it inherited answers WEIR_EPROCESS and may be freed. Signals: no.
 * Since: 0.1
 */
int weir_queue_open_named(const char *name, const weir_queue_options *options,
                          unsigned flags, weir_queue **queue_out,
                          weir_error *err);

/* weir_queue_unlink - take the name away. Who has the queue open goes on with
 * it, and with its items; a queue opened by that name afterwards is another.
 * Works on whatever has the name, also on a queue of another version. Returns
 * 0; -ENOENT; WEIR_EINVAL, WEIR_ETRUST, -EACCES. Threads: safe. Since: 0.1 */
int weir_queue_unlink(const char *name, weir_error *err);

/* weir_queue_names - calls @each with the name of each file in the folder, in
 * no order; what @each returns other than 0 ends it and is returned. What the
 * queue is like, weir_queue_open_named and weir_queue_snapshot tell. Returns
 * 0; WEIR_ETRUST, -EACCES, -EMFILE and the like. Threads: safe. Since: 0.1 */
int weir_queue_names(int (*each)(const char *name, void *arg), void *arg,
                     weir_error *err);

/* weir_queue_members - the processes that have a named queue open, but this
 * one: writes the first @room of their pids, and returns how many there are.
 * WEIR_EINVAL: not a named queue; WEIR_EPROCESS. Threads: safe. Since: 0.1 */
int weir_queue_members(weir_queue *queue, int32_t *pids, size_t room);

/* weir_queue_free - end this process's use of the queue; *queue = NULL. Items
 * stay for the others; the memory goes with the last handle. NULL-safe.
 * Threads: when no other call of this handle is under way. */
void weir_queue_free(weir_queue **queue);

/**
 * weir_queue_put - put an item, by copy
 * @data:       its bytes; NULL only when @size is 0
 * @size:       bytes, 0 to 1 GiB
 * @timeout_ns: longest wait for room; 0 tries once
 *
 * On return the item is in the queue, visible to all. If this process dies in
 * the call, the item is in the queue whole, or not at all. FIFO in the order of
 * publication.
 *
 * Returns 0, or one of these, and then nothing has changed:
 *   WEIR_EFULL      tried once, no room
 *   WEIR_ETIMEDOUT  no room in time
 *   WEIR_ECLOSED    closed: no more puts
 *   WEIR_ECANCELED  weir_queue_cancel
 *   WEIR_ETOOBIG    larger than the queue's bytes, or than 1 GiB
 *   WEIR_ENOMEM     the machine or the cgroup has no memory left for it
 *   WEIR_EINVAL, WEIR_EPROCESS, WEIR_EBROKEN; -EAGAIN: all `members` are
 *   taken by calls
 * Cost: O(1); no system call when there is room and nobody sleeps.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_queue_put(weir_queue *queue, const void *data, size_t size,
                   int64_t timeout_ns);

/**
 * weir_queue_get - take the oldest item, by copy
 * @data:     room for it; may be NULL when @room is 0
 * @room:     bytes
 * @size_out: the item's size; also set with -EMSGSIZE
 *
 * If this process dies in the call, the item stays in the queue, at its head.
 *
 * Returns 0, or one of these, and then nothing has changed:
 *   WEIR_EEMPTY     tried once, nothing ready
 *   WEIR_ETIMEDOUT  nothing became ready in time
 *   WEIR_ECLOSED    closed and drained: the end of the stream
 *   WEIR_ECANCELED  weir_queue_cancel
 *   -EMSGSIZE       @room is too small; *size_out says what is needed, the item
 *                   stays at the head
 *   WEIR_EINVAL, WEIR_EPROCESS, WEIR_EBROKEN, -EAGAIN as weir_queue_put
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_queue_get(weir_queue *queue, void *data, size_t room, size_t *size_out,
                   int64_t timeout_ns);

/**
 * weir_queue_put_many - put items, by copy, a few holds of the lock for all
 * @items:      bytes of each, 0 to 1 GiB; data NULL only where size is 0
 * @count:      how many; 0 does nothing
 * @timeout_ns: longest wait for room, of the whole call; 0 puts what finds room
 * @put_out:    how many are in the queue, the first of @items; also set when
 *              the code is not 0, but for WEIR_EINVAL and WEIR_EPROCESS
 *
 * In their order; items of others may come between. If this process dies in
 * the call, the first of them are in the queue, each whole, the others not.
 *
 * Returns 0 when all are put; else why the next one is not, a code as of
 * weir_queue_put.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_queue_put_many(weir_queue *queue, const weir_bytes *items,
                        size_t count, int64_t timeout_ns, size_t *put_out);

/**
 * weir_queue_get_many - take the oldest items that are there, by copy
 * @data:       room for all of them, one behind the other without gaps; may be
 *              NULL when @room is 0
 * @room:       bytes
 * @sizes:      room for @most sizes, one for each item; the first is also set
 *              with -EMSGSIZE
 * @most:       items, at least 1; more than 4,096 count as 4,096
 * @timeout_ns: longest wait for the first; none is waited for then
 * @got_out:    how many: 1 to @most, when the code is 0
 *
 * Ends early where nothing more is ready, or the next does not fit in what is
 * left of @room: it stays at the head. If this process dies in the call, all
 * of them stay in the queue, at its head, in their order.
 *
 * Returns 0, or a code as of weir_queue_get, and then nothing has changed:
 * -EMSGSIZE when the first does not fit.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_queue_get_many(weir_queue *queue, void *data, size_t room,
                        size_t *sizes, size_t most, int64_t timeout_ns,
                        size_t *got_out);

/* ------------------------------------------------------------ in place --- */

/* An item's id stays the same in every attempt: the put that made it, counted,
 * and the entry of its process. Unique in the queue as long as it lives. */
typedef struct weir_item_id {
    uint64_t root;
    uint64_t path; /* 0 for what was put by this header's calls */
} weir_item_id;

/* What this process has leased. The caller's storage; to be read only. It may
 * be copied, but is settled once: after that each copy is WEIR_ESTATE. */
typedef struct weir_lease {
    const void *data; /* the item, in place; not to be written to */
    size_t size;
    weir_item_id id;
    unsigned attempt; /* how many holders died with it; 0: the first try */
    unsigned index;   /* from here on: the library's */
    void *holding;
    uint64_t serial;
} weir_lease;

/**
 * weir_queue_lease - take the oldest item up, and leave it in the queue
 * @timeout_ns: longest wait; 0 tries once
 * @lease_out:  set on success only
 *
 * The item stays the queue's, and counts against its bounds, until
 * weir_queue_commit, which is when it leaves; until then nobody else gets it.
 * If this process dies before, the item goes back to the head of the queue, at
 * once, with attempt + 1. So what is done with an item before the commit may be
 * done again by another; attempt and id tell it so.
 *
 * Returns 0, or a code as of weir_queue_get, and then nothing has changed;
 * also WEIR_ENOMEM. A lease counts as a call under way: it takes one of
 * `members`, and -EAGAIN means that there is none left.
 * Cost:    O(1); no system call when an item is ready.
 * Threads: safe; any thread of this process may settle it. Fork: a child has
 * no part in it. Signals: no. Since: 0.1
 */
int weir_queue_lease(weir_queue *queue, int64_t timeout_ns,
                     weir_lease *lease_out);

/**
 * weir_queue_lease_many - the same, for up to @most items that are there
 * @leases: room for @most, of which the first are set
 * @most:   at least 1; more than 32 count as 32
 *
 * Waits for the first only. Each lease is settled by itself, in any order; all
 * of them together take one of `members` until the last is settled.
 * Returns how many, 1 to @most, or a code as of weir_queue_lease.
 * Threads: safe. Since: 0.1
 */
int weir_queue_lease_many(weir_queue *queue, weir_lease *leases, size_t most,
                          int64_t timeout_ns);

/* weir_queue_commit - the item is done with, and leaves the queue; its bytes
 * may not be read any more. Returns 0; WEIR_ESTATE: not held, settled before,
 * here or by a copy (no other lease is touched); WEIR_EPROCESS: leased by
 * another process, whose it stays; WEIR_EINVAL, WEIR_EBROKEN. The handle must
 * not be freed yet. Threads: safe. Signals: no. Since: 0.1 */
int weir_queue_commit(weir_lease *lease);

/* weir_queue_release - not done with: back to the head of the queue, for the
 * next who comes, its attempt as it was. Returns as weir_queue_commit. Several
 * that are released come out in the reverse order. Threads: safe. Since: 0.1 */
int weir_queue_release(weir_lease *lease);

/* Room for an item, written to in place. The caller's storage, as a lease. */
typedef struct weir_slot {
    void *data; /* @size bytes, of any content; aligned to 8 */
    size_t size;
    void *holding; /* from here on: the library's */
    uint64_t serial;
} weir_slot;

/**
 * weir_queue_reserve - room in the queue for an item, to be written in place
 * @size:       bytes, 0 to 1 GiB: the most it will have
 * @timeout_ns: longest wait for room; 0 tries once
 * @slot_out:   set on success only
 *
 * The room counts against the queue's bounds (`staged`), and nobody sees what
 * is in it until weir_queue_submit. If this process dies before, it was never
 * there. Who waits for room while it holds a slot of the same queue may wait
 * for itself: submit first.
 *
 * Returns 0, or a code as of weir_queue_put; WEIR_ENOMEM also when there is no
 * memory for the handle's part. Takes one of `members` until it is settled.
 * Threads: safe; any thread of this process may settle it. Signals: no.
 * Since: 0.1
 */
int weir_queue_reserve(weir_queue *queue, size_t size, int64_t timeout_ns,
                       weir_slot *slot_out);

/* weir_queue_submit - the item is written: it is in the queue, its first @size
 * bytes, at most what was reserved. One that was reserved before a close can
 * be submitted after it. Returns 0; WEIR_ESTATE: settled before, here or by a
 * copy; WEIR_EPROCESS, WEIR_EINVAL, WEIR_EBROKEN. Threads: safe. Since: 0.1 */
int weir_queue_submit(weir_slot *slot, size_t size);

/* weir_queue_abandon - the room is given back, nothing was there. Returns as
 * weir_queue_submit. Threads: safe. Since: 0.1 */
int weir_queue_abandon(weir_slot *slot);

/* All at one instant, but for producers and what was dropped, which are counted
 * beside it. size counts what a get could take now; full means that
 * one item of 0 bytes would find no room. */
typedef struct weir_queue_state {
    uint32_t capacity;
    uint32_t size;   /* ready */
    uint32_t leased; /* taken, not yet settled */
    uint32_t staged; /* being put */
    uint64_t bytes;  /* of ready, leased and staged */
    uint64_t bytes_most;
    uint32_t producers_waiting; /* asleep for room */
    uint32_t consumers_waiting; /* asleep for an item */
    bool closed;
    bool empty;
    bool full;
    uint32_t producers;      /* registered: weir_queue_produce */
    uint64_t dropped_new;    /* by WEIR_OVERFLOW_DROP_NEW, ever */
    uint64_t dropped_old;    /* by WEIR_OVERFLOW_DROP_OLD, ever */
    uint64_t dropped_closed; /* by weir_queue_close_now */
} weir_queue_state;

/* weir_queue_snapshot - exact, under the queue's lock. Returns 0,
 * WEIR_EPROCESS, WEIR_EINVAL or WEIR_EBROKEN. Threads: safe. */
int weir_queue_snapshot(weir_queue *queue, weir_queue_state *state_out);

/* weir_queue_close - no more puts, by anyone; what is in it can be taken.
 * All who wait look again. May be repeated. Returns 0, WEIR_EPROCESS,
 * WEIR_EINVAL or WEIR_EBROKEN. Threads: safe. */
int weir_queue_close(weir_queue *queue);

/* weir_queue_close_now - no more puts, and no more gets: what is ready is
 * dropped. What is leased goes on: it can be committed; if it comes back,
 * because its holder releases it or dies, it is dropped then, as is what is
 * submitted later. Who gets or leases finds the end (WEIR_ECLOSED) when nothing
 * is leased or staged. *dropped_out, if not NULL: how many this call dropped;
 * the snapshot counts all. Also after weir_queue_close. Returns as that one;
 * -EAGAIN: closed, but all `members` are taken, and the next who comes drops.
 * Threads: safe. Since: 0.1 */
int weir_queue_close_now(weir_queue *queue, uint64_t *dropped_out);

/**
 * weir_queue_produce - this process is a producer from now on
 *
 * When the last registered producer is gone, because it called
 * weir_queue_produce_end, freed the handle, or ended in whatever way, the queue
 * is closed as by weir_queue_close. A queue that never had one is closed by
 * calls only. Puts do not ask whether a process is registered. Who starts
 * producers registers itself first, and ends that when they are registered, or
 * the first that is done closes before the second has begun.
 *
 * Returns 0; WEIR_ECLOSED: closed already; WEIR_ESTATE: this handle is
 * registered; WEIR_EPROCESS, WEIR_EINVAL, WEIR_EBROKEN, WEIR_ENOMEM. It takes
 * one of `members`: -EAGAIN, none left. Threads: safe. Since: 0.1
 */
int weir_queue_produce(weir_queue *queue);

/* weir_queue_produce_end - no more. Returns 0; WEIR_ESTATE: not registered;
 * WEIR_EPROCESS, WEIR_EINVAL, WEIR_EBROKEN. Threads: safe. Since: 0.1 */
int weir_queue_produce_end(weir_queue *queue);

/**
 * weir_queue_wait_idle - wait until all that was put is done
 * @timeout_ns: longest wait; 0 looks once
 *
 * Done is: nothing ready, nothing leased, nothing being put, at one instant.
 * An item whose holder died is ready again, and waited for; no count can be
 * left behind. More may be put right after. Takes one of `members`.
 * Returns 0; WEIR_ETIMEDOUT; WEIR_ECANCELED; -EAGAIN, WEIR_EINVAL,
 * WEIR_EPROCESS, WEIR_EBROKEN as weir_queue_put. Threads: safe. Since: 0.1
 */
int weir_queue_wait_idle(weir_queue *queue, int64_t timeout_ns);

/* -------------------------------------------------------- event loops ---- */

enum weir_queue_side {
    WEIR_QUEUE_GET = 1 << 0, /* something to get, or the end */
    WEIR_QUEUE_PUT = 1 << 1, /* room to put, or closed */
};

/**
 * weir_queue_fd - a descriptor for poll, select, epoll
 * @side: WEIR_QUEUE_GET or WEIR_QUEUE_PUT
 *
 * Readable (POLLIN, both sides) from the moment that there is something to get,
 * or room to put, until a call on this handle finds nothing: a get or lease
 * that answers WEIR_EEMPTY or WEIR_ETIMEDOUT; a put or reserve that answers
 * WEIR_EFULL or WEIR_ETIMEDOUT, after which it waits for room for so many
 * bytes. So: poll; then get with a timeout of 0, until WEIR_EEMPTY or as often
 * as one likes. It may be readable for nothing, since others take items, too;
 * it is never unreadable beside something, but for the time that a waker needs,
 * and up to a second when it is killed, is stopped, or has no descriptor left.
 * Of a named queue it is readable four times a second at least, so that who
 * polls looks after members that died: the call that finds nothing does that.
 * At the end (WEIR_ECLOSED) it stays readable; in the program that has the
 * context also when the helper is gone. Edge-triggered use must go on until
 * WEIR_EEMPTY.
 *
 * The handle's: nothing else may be done with it, and weir_queue_free closes
 * it. Made at the first call, the same one later. Takes one of `members`. Who
 * wakes it must be in its network namespace; costs a put or get nothing while
 * it is readable, and one message when it becomes so.
 *
 * Returns the descriptor; WEIR_EINVAL, WEIR_EPROCESS, WEIR_EBROKEN; -EAGAIN, no
 * member left; -EMFILE and the like. Threads: safe. Signals: no. Since: 0.1
 */
int weir_queue_fd(weir_queue *queue, unsigned side);

typedef struct weir_queue_watch {
    weir_queue *queue;
    unsigned sides; /* enum weir_queue_side, or-ed */
    unsigned ready; /* answer: which of them */
    size_t size;    /* WEIR_QUEUE_PUT: room for an item of so many bytes */
} weir_queue_watch;

/**
 * weir_queue_wait_any - wait for any of several queues
 * @watches:    @count of them, at least one; `ready` is set
 * @timeout_ns: longest wait; 0 looks once
 *
 * Takes nothing: somebody else may be faster, so the get or put that follows
 * has a timeout of 0. Uses the descriptors of weir_queue_fd, and makes them.
 * A cancel of any of the handles ends it.
 * Returns how many have something, at least 1; WEIR_ETIMEDOUT, WEIR_ECANCELED,
 * WEIR_ENOMEM, and the codes of weir_queue_fd. Threads: safe. Since: 0.1
 */
int weir_queue_wait_any(weir_queue_watch *watches, size_t count,
                        int64_t timeout_ns);

/* weir_queue_cancel - the waits of this handle, in this process, end with
 * WEIR_ECANCELED; with @cancel true also all later ones, until it is called
 * with false. A call that need not wait goes on as ever. Returns 0,
 * WEIR_EPROCESS or WEIR_EINVAL. Threads: safe. Signals: safe. */
int weir_queue_cancel(weir_queue *queue, bool cancel);

#if defined __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
