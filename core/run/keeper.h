/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keeper.h - what the keeper and the feeder of a run are told. Private to
 * core/run.
 */
#ifndef RUN_KEEPER_H
#define RUN_KEEPER_H

#include "queue/queue.h"
#include "run/plan.h"
#include "run/run.h"

struct keeper_place {
    const struct run_keep *keep;
    const struct job *job;
    const struct plan *plan;
    struct segment *segment;
    struct member *member;
    unsigned number; /* member */
    int news;
};

/* They return 0 when they have come to their end, and committed it. */
int keeper_main(struct keeper_place *place);
int feeder_main(struct keeper_place *place);

#endif
