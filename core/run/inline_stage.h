/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inline_stage.h - a job in this process: its stages and queues. Between
 * inline.c, which says whose turn it is, and inline_stage.c, which does it. */
#ifndef RUN_INLINE_STAGE_H
#define RUN_INLINE_STAGE_H

#include "run/halt.h"
#include "run/inline.h"
#include "run/inline_ends.h"
#include "run/run.h"

/* Items that wait; the first is at `head`. */
struct lane {
    VEC(struct inline_item) items;
    size_t head;
    bool closed; /* nobody gives any more */
};

struct inline_stage {
    struct inliner *all;
    unsigned number;
    const struct job_stage *job;
    struct run_stage *book;
    struct inline_task task;
    struct inline_bound *bounds;
    bool opened, ended, busy;
    unsigned tries; /* of a source since it last got on */
    struct halt_state halt;
};

struct inliner {
    const struct run_options *options;
    const struct job *job;
    struct run_report *report;
    struct inline_stage *stages;
    struct lane *lanes; /* one for each queue, and the last for stdin */
    struct inline_input input;
    size_t last_source; /* they take turns */
    bool over;          /* the run cannot go on */
    char *halted;       /* it is not to: sources have ended, and why */
};

/* All of these return 0, or WEIR_ECANCELED: the run cannot go on, and the
 * report says why. */

/* It cannot, for this reason; @stage is a name, or NULL. */
int inline_over(struct inliner *all, const char *stage, const char *why);

/* The list of a queue, or of JOB_STDIN. */
struct lane *lane_of(const struct inliner *all, int queue);
/* Takes @item over. */
int lane_put(struct inliner *all, struct lane *lane, struct inline_item item);
bool lane_empty(const struct lane *lane);
void lane_done(struct lane *lane);

/* What a stage's task has given goes where the job says; @stage is a struct
 * inline_stage. */
int inline_give_on(void *stage);
/* One item of @lane; one call of a source; the end of the input. */
int inline_stage_item(struct inline_stage *stage, struct lane *lane);
int inline_stage_source(struct inline_stage *stage);
int inline_stage_flush(struct inline_stage *stage);
/* inline_halt.c: whether there were too many failures. */
int inline_halt(struct inliner *all);

#endif
