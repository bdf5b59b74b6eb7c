/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.h - a worker process of a run. Private to core/run.
 *
 * worker.c  its life: attach, open, load, close
 * turns.c   its turns: items of a stage; the end of the stream
 * source.c  its turns when it makes items from nothing
 */
#ifndef RUN_WORKER_H
#define RUN_WORKER_H

#include "job/job.h"
#include "run/host.h"

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

int worker_open_task(struct worker *worker);
void worker_close_task(struct worker *worker);
/* Adds the time since worker->now to the member's sums. */
void worker_add_times(struct worker *worker, int64_t starved_ns);

#endif
