/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_wire.h - what the program, its helper and a pool's workers have in
 * common: the segment, what items mean, and what is asked.
 *
 * THE DATA PATH. A segment has two queues. The program stages a call, and
 * commits: it is there. A worker leases it, runs the function, stages the
 * result, marks the call done, and commits: by that one store the call is gone
 * and its result is there. A worker that is killed before it has done nothing:
 * the call goes back to the head, its attempt counted, with the cause. Who
 * leases a call whose attempts are used up gives that as its result instead of
 * running it. So each call has one result, whoever is killed, whenever.
 *
 * A call that has not begun is taken back by the program, by its ticket. One
 * that has is marked, so that nobody runs it again, and then its worker is
 * stopped by the helper: whoever leases it next says so in its result.
 *
 * Members: one for each seat of a worker (pool_board.h); then the program's
 * four, one that submits, one that reads results, one that takes calls back,
 * each used by one thread at a time; and one that stands for its descriptor in
 * an event loop.
 */
#ifndef POOL_POOL_WIRE_H
#define POOL_POOL_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "process/process.h"

enum { POOL_CALLS, POOL_RESULTS, POOL_QUEUES };

/* A call: root is the program's ticket, path its function and chunk. */
static inline uint64_t call_path(unsigned function, unsigned chunk)
{
    return function | (uint64_t)chunk << 16;
}

static inline unsigned call_function(uint64_t path)
{
    return (unsigned)(path & 0xffff);
}

static inline unsigned call_chunk(uint64_t path)
{
    return (unsigned)(path >> 16 & 0xffff);
}

/* It stands for many: pool_pack.h. */
#define CALL_PACK (UINT64_C(1) << 32)

static inline bool call_is_pack(uint64_t path)
{
    return (path & CALL_PACK) != 0;
}

/* What one call asks for beside the pool's own options: its attributes. Behind
 * it, in a call of a plugin's task, what names that: pool_task.h. */
struct call_terms {
    int64_t limit_ns;    /* of one attempt; 0: none */
    int64_t deadline_ns; /* absolute; FOREVER: none */
    uint32_t retries;
    uint32_t zero;
};

/* A result: root is its call's ticket, path its kind and code. */
enum reply_kind {
    REPLY_DONE,   /* the bytes */
    REPLY_PART,   /* struct reply_part and some of them, in order; the last
                   * one is the end. Offset 0 begins anew: another attempt */
    REPLY_FAILED, /* the sentence */
    REPLY_UNFIT,  /* no call's: why `open` failed */
    REPLY_PACK,   /* a pack as it has ended; what is not answered has not begun
                   */
    REPLY_SOME,   /* a pack's answers so far; the next call's comes by itself,
                   * and is its last */
};

struct reply_part {
    uint64_t total;
    uint64_t offset;
};

static inline uint64_t reply_path(enum reply_kind kind, int code)
{
    return (uint64_t)kind | (uint64_t)(uint32_t)code << 32;
}

/* How long the function's calls take, in bits that kind and code leave free; 0:
 * not known. */
#define REPLY_TIME_MOST 0xffffff

static inline uint64_t reply_time(int64_t ns)
{
    return (uint64_t)(ns < REPLY_TIME_MOST ? ns : REPLY_TIME_MOST) << 8;
}

static inline uint32_t reply_took(uint64_t path)
{
    return (uint32_t)(path >> 8 & REPLY_TIME_MOST);
}

static inline enum reply_kind reply_kind(uint64_t path)
{
    return (enum reply_kind)(path & 0xff);
}

static inline int reply_code(uint64_t path)
{
    return (int)(uint32_t)(path >> 32);
}

/* How far a worker has come: in the ordinal of its book, with its generation,
 * which the helper raises for each successor. */
enum phase {
    PHASE_STARTING, /* not there yet */
    PHASE_OPENING,
    PHASE_WAITING, /* it has opened, and waits for its turn */
    PHASE_SERVING,
    PHASE_CLOSING, /* it ends by itself */
};

static inline uint64_t phase_word(uint32_t generation, enum phase phase)
{
    return (uint64_t)generation << 8 | phase;
}

/* All that a worker must know. Behind it: uint64_t functions[], then the
 * argument. Addresses are those of the context's birth. */
struct pool_plan {
    uint32_t workers;
    uint32_t retries;
    uint32_t recycle; /* 0: never */
    uint32_t workers_most;
    uint32_t seats;
    uint32_t function_count;
    uint32_t traces;        /* of the board */
    uint64_t open, close;   /* 0: none */
    int64_t limit_ns;       /* 0: none */
    int64_t grace_ns;       /* between SIGTERM and SIGKILL */
    int64_t recycle_age_ns; /* 0: never */
    uint64_t recycle_bytes; /* 0: never */
    uint64_t result_bytes;
    uint64_t argument_size;
};

/* What stands before the plan in the order of one worker; its descriptors: the
 * segment, the board, and an eventfd that wakes the helper, to look at the
 * board. */
enum { START_SEGMENT, START_BOARD, START_BELL, START_FDS };
enum { OPEN_FDS = START_BELL };
struct pool_start {
    uint32_t seat;
    uint32_t generation;
    uint32_t number; /* which of the pool's workers: its heir has the same */
    uint32_t zero;
};

enum pool_word {
    POOL_OPEN = 1,  /* and the plan; the segment, the board. Answer, when all
                     * workers are forked: u64 id */
    POOL_CLOSE,     /* no more calls come */
    POOL_TERMINATE, /* workers are killed */
    POOL_REASON,    /* answer: its code, and the sentence, when it ended by
                     * itself; else 0 */
    POOL_FREED,
    POOL_STOP,   /* pool_stop: whoever has these calls in hand */
    POOL_WATCH,  /* u64 ns: the shortest limit of a call so far */
    POOL_RESIZE, /* u64: so many workers from now on */
};

struct pool_question {
    uint32_t word;
    uint32_t zero;
    uint64_t id;
};

/* Behind the question: SIGTERM, and SIGKILL so much later; the tickets. */
struct pool_stop {
    int64_t grace_ns;
    uint64_t count;
};
enum { STOP_MOST = 4096 }; /* tickets in one question */

enum {
    UNFIT_MOST = 3,       /* as often in a row may `open` fail */
    FUNCTIONS_MOST = 256, /* tasks count, too */
    TASK_NAME_MOST = ATTRS_MOST - (int)sizeof(struct call_terms),
    WORKERS_MOST = 1024,
    SPARE_SEATS = 16, /* at most, for those that follow others */
    ARGUMENT_MOST = 128 << 10,
};

/* In pool_worker.c. */
int pool_work(void *state, const struct nursery_order *order);

#endif
