/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.h - a job's queues and workers as numbers of a segment. Runs in the
 * supervisor. */
#ifndef RUN_PLAN_H
#define RUN_PLAN_H

#include "job/job.h"
#include "queue/queue.h"
#include "run/post.h"

enum { PLAN_NONE = -1 };

struct plan {
    const struct job *job;
    VEC(struct queue_plan) queues; /* of the segment, upstream first */
    VEC(char *) names;             /* theirs; the job's or constants */
    VEC(struct order_link) orders;
    unsigned *numbers; /* of each of the job's queues, in the segment */
    int input, output; /* queues behind stdin, before stdout; PLAN_NONE */
    unsigned report;   /* the queue of failures */
    int kept;          /* of items that are kept; PLAN_NONE */
    unsigned *first;   /* of each stage: its first worker's member number */
    unsigned workers;  /* all of them: members 0 .. workers - 1 */
    unsigned reader, writer, reporter, members; /* member numbers; how many */
    unsigned keeper, feeder; /* with plan_keep; else no member has it */
    bool replays, digests;
    unsigned gate, gates; /* the first gate's; how many: one for each queue
                           * that has a name, in their order in the job */
    unsigned *dropper; /* of each stage: its first worker's member for what it
                        * drops (overflow.h); 0: it has none */
    unsigned sinks;
    bool journaled;
};

/* @input: the descriptor of stdin, for its size. */
int plan_init(struct plan *plan, const struct job *job, int input,
              weir_error *err);
/* Items that fail for good are kept (keeper.c). @replays: what was kept is fed
 * anew, and sources do not start. Before plan_segment. */
int plan_keep(struct plan *plan, bool replays, weir_error *err);
void plan_done(struct plan *plan);
int plan_segment(const struct plan *plan, struct segment **out,
                 weir_error *err);
/* What worker @index of @stage is told; ended by post_done. */
int plan_post(const struct plan *plan, unsigned stage, unsigned index,
              struct post *out);
/* The queue in the segment for a number of the job's, JOB_STDIN or JOB_STDOUT;
 * PLAN_NONE for the rest. */
int plan_queue(const struct plan *plan, int queue);
/* Whether the stage puts into this queue of the segment. */
bool plan_fills(const struct plan *plan, unsigned stage, unsigned queue);
/* What this queue of the segment does when it is full. */
enum weir_overflow plan_overflow(const struct plan *plan, unsigned queue);
/* How many items this queue dropped, or failed, by the books of who fills it.
 * @old: only those that were in it. */
uint64_t plan_overflowed(const struct plan *plan, const struct segment *segment,
                         unsigned queue, bool old);

#endif
