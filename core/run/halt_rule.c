/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* halt_rule.c - see halt.h. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/halt.h"

/* How many of @failed are of the time that counts. Each sighting of more is
 * kept, with what had been counted before it, until it is older: so there are
 * never more of them than failures that the run may have. */
uint64_t halt_counted(const struct job_halt *halt, struct halt_state *state,
                      uint64_t failed, int64_t now)
{
    size_t old = 0;

    if (halt->within_ns == FOREVER)
        return failed;
    if (failed > state->failed_seen) {
        struct halt_sighting *entry = VEC_ADD(&state->sightings);

        if (entry == NULL)
            return failed; /* rather too many than none */
        *entry = (struct halt_sighting){ now, state->failed_seen };
        state->failed_seen = failed;
    }
    while (old < state->sightings.count &&
           now - state->sightings.at[old].seen_ns > halt->within_ns)
        old++;
    if (old > 0) {
        state->sightings.count -= old;
        memmove(state->sightings.at, state->sightings.at + old,
                state->sightings.count * sizeof *state->sightings.at);
    }
    return state->sightings.count > 0
               ? failed - state->sightings.at[0].failed_before
               : 0;
}

static char *too_many(const struct job_stage *stage, uint64_t failed)
{
    char within[48] = "", time[32];
    char *why;

    if (stage->halt.within_ns != FOREVER)
        snprintf(within, sizeof within, " within %s",
                 text_from_duration(time, stage->halt.within_ns));
    if (asprintf(&why,
                 "stage '%s' was halted: %" PRIu64 " failed%s; its `halt` "
                 "stands at %" PRIu64,
                 stage->name, failed, within, stage->halt.failures) < 0)
        why = NULL;
    return why;
}

static char *too_great(const struct job_stage *stage, uint64_t failed,
                       uint64_t all)
{
    char *why;

    if (asprintf(&why,
                 "stage '%s' was halted: %" PRIu64 " of %" PRIu64
                 " failed; its `halt` stands at %g %%",
                 stage->name, failed, all, stage->halt.share * 100) < 0)
        why = NULL;
    return why;
}

char *halt_reason(const struct job_stage *stage, struct halt_state *state,
                  uint64_t failed, uint64_t all, int64_t now)
{
    const struct job_halt *halt = &stage->halt;
    uint64_t count = halt_counted(halt, state, failed, now);

    if (halt->failures > 0 && count >= halt->failures)
        return too_many(stage, count);
    if (halt->share > 0 && all >= halt->least && failed > 0 &&
        (double)failed >= halt->share * (double)all)
        return too_great(stage, failed, all);
    return NULL;
}

void halt_done(struct halt_state *state)
{
    VEC_DONE(&state->sightings);
}
