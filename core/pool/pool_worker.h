/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_worker.h - a worker of a pool, and what its functions have of it. */
#ifndef POOL_POOL_WORKER_H
#define POOL_POOL_WORKER_H

#include <stdalign.h>

#include <weir/plugin.h>

#include "pool/pool.h"
#include "pool/pool_board.h"
#include "pool/pool_task.h"
#include "pool/pool_wire.h"

enum { TEXT_MOST = 512 };

/* The result of the call in hand. */
struct reply {
    enum { REPLY_NONE, REPLY_OPEN, REPLY_GIVEN } state;
    struct staged staged; /* in the queue, or */
    void *own;            /* here, when it goes in parts, or */
    bool is_small;        /* here, until it is done: */
    size_t size;
    alignas(64) char small[ITEM_SMALL];
};

struct worker {
    weir_call call; /* first */
    struct pool_start start;
    struct pool_plan plan;
    const uint64_t *functions;
    struct pool_task own;    /* what its functions share: argument, state */
    struct pool_task *scope; /* the same of what runs now: never NULL */
    /* Tasks by name that it has loaded; NULL: not yet. */
    struct pool_task *tasks[FUNCTIONS_MOST];
    struct segment *segment;
    struct member *member; /* NULL: runs in the program (pool_inline.c) */
    struct board board;
    int bell_fd; /* of the helper; -1: none */
    enum seat_wish wish;
    int64_t looked_ns;     /* at its own size */
    uint64_t born_bytes;   /* what that was when it began to serve */
    _Atomic uint64_t hand; /* the call that runs; 0: none */
    struct item *item;     /* in hand; NULL in open and close */
    unsigned base;         /* attempts of its that were of other calls */
    bool packed;           /* it is one of a pack: results are kept here */
    unsigned calls;        /* that the item in hand was */
    struct reply reply;
    char text[TEXT_MOST]; /* of weir_fail */
    struct known {        /* how long a function's calls take */
        int64_t mean_ns;
        uint64_t calls;
    } known[FUNCTIONS_MOST];
    int64_t mean_ns; /* of the last one's */
    uint64_t served;
    bool dirty; /* something is staged or done, and not yet true */
};

/* The calls of weir/plugin.h, for worker.call. */
extern const struct weir_table worker_table;

/* Stages a result of so many bytes, waiting for room. What the batch has done
 * before becomes true then. */
int worker_stage(struct worker *worker, uint64_t root, uint64_t path,
                 size_t size, struct staged *out);
/* Makes true what the batch has done so far. */
int worker_commit(struct worker *worker);
/* A wait of its was cancelled, so that it sees that it is to leave: it does
 * when nothing is in hand. */
void worker_go_on(struct worker *worker);
/* What the function said, as the code of a result, with its sentence in
 * worker->text; WEIR_TRANSIENT stays. */
int worker_verdict(struct worker *worker, int verdict);
/* A plugin's task by its name, opened: 0, and it is in *slot; or a code, with
 * its sentence in worker->text. */
int worker_load(struct worker *worker, const char *texts, size_t size,
                struct pool_task **slot);
/* Runs the `close` of all that are loaded; FUNCTIONS_MOST of them. */
void worker_close_tasks(struct worker *worker, struct pool_task **tasks);
/* The payload of an item that it has leased as a result, waiting for room. */
int worker_stage_pass(struct worker *worker, const struct item *item,
                      uint64_t path);
/* --- pool_worker.c; of the item in hand --- */

/* What was asked for with this call, or else for all. */
struct call_terms worker_terms(const struct worker *worker,
                               const struct item *item);
/* Its function, in whose scope it is to run. */
int worker_find(struct worker *worker, const struct item *item,
                weir_function **function_out);
/* Attempts, until one is the last. What worker_verdict says of that;
 * WEIR_TRANSIENT becomes a failure. */
int worker_attempts(struct worker *worker, struct item *item,
                    weir_function *function, const struct call_terms *terms);
/* The path of a result that says how long its function takes. */
uint64_t worker_path(struct worker *worker, const struct item *item,
                     enum reply_kind kind);
static inline bool call_is_late(const struct call_terms *terms)
{
    return terms->deadline_ns != FOREVER && clock_left(terms->deadline_ns) == 0;
}

/* --- pool_reply.c; of the item in hand --- */

/* Its last attempt ended a worker: the code, with its sentence in
 * worker->text. */
int worker_lost(struct worker *worker, const struct item *item);
/* Each stages an answer, waiting for room, and settles the item; true by the
 * commit. */
int worker_done(struct worker *worker, struct item *item); /* it is staged */
int worker_reply_result(struct worker *worker, struct item *item);
int worker_reply_failure(struct worker *worker, struct item *item, int code,
                         const char *text);
/* Its last attempt ended a worker: that is its result. */
int worker_reply_lost(struct worker *worker, struct item *item);
/* It is not to be run, or not again: cancelled; its deadline has passed. */
int worker_reply_marked(struct worker *worker, struct item *item);
int worker_reply_late(struct worker *worker, struct item *item);

/* In pool_packed.c: all calls of a pack, and its commit. */
int worker_serve_pack(struct worker *worker, struct item *item);
/* How many the pool has now. */
unsigned worker_count(const struct worker *worker);
/* The call in hand has no result yet. */
void worker_drop(struct worker *worker);
/* The same; what was staged of it is given on, or dropped. */
void worker_forget(struct reply *reply);

#endif
