/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.h - a worker process of a run. Private to core/run.
 *
 * worker.c  its life: attach, open, load, close
 * turns.c   its turns: items of a stage; the end of the stream
 * putoff.c  items that wait for their next attempt
 * source.c  its turns when it makes items from nothing
 * follow.c  it follows another, or is followed
 */
#ifndef RUN_WORKER_H
#define RUN_WORKER_H

#include "job/job.h"
#include "run/host.h"

/* Leased, and not to be tried before that time. */
struct put_off {
    struct item item;
    int64_t due_ns;
};

struct worker {
    struct post post;
    struct host host;
    struct segment *segment;
    struct member *member;
    const weir_task *task;

    struct item *items; /* leased, and those that are done and not committed */
    unsigned held;      /* done and not committed: only when the task saves */
    uint64_t held_bytes;
    int64_t held_since;
    VEC(struct put_off) put_off;
    int64_t due_ns; /* of the first of them; FOREVER: there is none */

    uint64_t served; /* items, since it was forked */
    int turn_fd;     /* of one that follows: follow.c */
    struct fd_identity turn_is;
    bool asked;      /* to leave, and it has seen that */
    int64_t stay_ns; /* it tries items that are due until then */
    bool left;       /* it has no entry any more */

    bool stopped; /* the run is being stopped: this is not the end */

    int64_t now;     /* when the last batch ended */
    int64_t mean_ns; /* of one item; 0: not known yet */
};

/* What came of a call of the task. host->why says why, but for the first. */
enum outcome {
    OUTCOME_DONE,
    OUTCOME_END,   /* of a source: nothing is left */
    OUTCOME_RETRY, /* the task said so, or there was no memory */
    OUTCOME_FAIL,
    OUTCOME_SKIP,
    OUTCOME_FATAL,
    OUTCOME_CANCELED, /* the run ends now */
};

/* @returned: by the task's function. When it is 0, its outputs are settled. */
enum outcome worker_judge(struct worker *worker, int returned);

/* These return 0 at the end; WEIR_ECANCELED when the run ends now; another code
 * when it cannot go on, with host->why. */
int worker_turns(struct worker *worker);
int worker_source(struct worker *worker);
/* The end of the stream, and that it was reached. */
int worker_flush(struct worker *worker);
int worker_ended(struct worker *worker);

/* --- putoff.c --- */
/* How long the item waits after @attempts, of which the last ended by @cause.
 */
int64_t worker_wait_ns(const struct worker *worker, const struct item *item,
                       unsigned attempts, enum cause cause);
/* It waits from now on, with what is charged already. */
int worker_put_off(struct worker *worker, const struct item *item,
                   int64_t wait_ns);
/* Where order is kept: the worker waits with the item in its lease; after an
 * attempt that failed, or before one that a death cut short. WEIR_ECANCELED:
 * the run ends, and the item is leased still. */
int worker_wait_here(struct worker *worker, struct item *item, int64_t wait_ns);
int worker_wait_lost(struct worker *worker, struct item *item);
/* Of @count items that were leased, those that were lost before wait, too.
 * Returns how many are left in @items, or a code. */
int worker_put_off_lost(struct worker *worker, struct item *items,
                        unsigned count);
/* Those that are due, at most @most. Returns how many. */
unsigned worker_take_due(struct worker *worker, struct item *items,
                         unsigned most);
/* Nothing else is to be leased before one of them is due. */
bool worker_is_full(const struct worker *worker);
void worker_await_due(struct worker *worker);
/* Of a source, or a flush, that begins again. */
void worker_wait(struct worker *worker, unsigned attempts);

/* --- follow.c --- */
/* Before the task is opened: where it hears of its turn. */
void worker_set_turn(struct worker *worker, int fd);
/* Opens the task, waits for its turn, and takes the entry over. 0; 1: nobody
 * needed it, and it is closed; or a code, with host->why. */
int worker_follow(struct worker *worker);
/* So many items are done; the supervisor hears of it when they are enough. */
void worker_served(struct worker *worker, unsigned count);
/* Between turns. */
bool worker_is_to_leave(struct worker *worker);
/* All that it has done is committed. False: it is to stay after all. */
bool worker_leaves(struct worker *worker);

/* Takes its entry of the segment. */
int worker_enter(struct worker *worker);
/* What the function returned, if it came back. */
int worker_call(struct worker *worker, int (*function)(weir_call *call));
/* Both in one; else what was saved is loaded apart. */
int worker_open(struct worker *worker);
int worker_load_saved(struct worker *worker);
int worker_open_task(struct worker *worker);
void worker_close_task(struct worker *worker);
/* Adds the time since worker->now to the member's sums. */
void worker_add_times(struct worker *worker, int64_t starved_ns);

#endif
