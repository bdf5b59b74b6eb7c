/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* halt.h - whether a stage has had too many failures. In the supervisor, and
 * in a run that is one process. */
#ifndef RUN_HALT_H
#define RUN_HALT_H

#include "base/base.h"
#include "job/job.h"

/* More failures than before were seen at that time. */
struct halt_sighting {
    int64_t seen_ns;
    uint64_t failed_before;
};

/* Of one stage; zeroed at first. */
struct halt_state {
    uint64_t failed_seen;
    VEC(struct halt_sighting) sightings; /* oldest first */
};

/* @failed of @all that came to an end. Returns the reason to halt, the
 * caller's; NULL: there is none. */
char *halt_reason(const struct job_stage *stage, struct halt_state *state,
                  uint64_t failed, uint64_t all, int64_t now);
/* Of @failed, those of the time that counts. */
uint64_t halt_counted(const struct job_halt *halt, struct halt_state *state,
                      uint64_t failed, int64_t now);
void halt_done(struct halt_state *state);

#endif
