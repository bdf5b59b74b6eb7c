/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * halt.c - what ends a run that could go on: too many failures, and the job's
 * deadline. Runs in the supervisor.
 *
 * Failures are counted from the workers' books, which say what is committed:
 * so a worker's death loses and doubles none. Those of a run that goes on here
 * do not count: one that was halted could never go on. They are looked at
 * HALT_NS apart, and only where a stage asks for it: "so many" is reached when
 * it is seen, and a few more may have failed by then.
 */
#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/supervisor.h"

#define HALT_NS (20 * NS_PER_MS)

static bool is_ending(const struct supervisor *sup)
{
    return sup->halted != NULL || sup->why != NULL || sup->stops > 1;
}

/* Takes @why over. The first reason counts. */
static void halt(struct supervisor *sup, char *why, bool now)
{
    if (is_ending(sup) || why == NULL) {
        free(why);
        return;
    }
    sup->halted = why;
    progress_say(sup, LOG_WARNING, "%s; %s", why,
                 now ? "the run ends now" : "finishing what is in flight");
    if (now)
        stop_at_once(sup);
    else if (sup->stops == 0)
        stop_sources(sup);
}

static void count(const struct supervisor *sup, unsigned number,
                  uint64_t *failed, uint64_t *all)
{
    *failed = *all = 0;
    for (unsigned i = 0; i < sup->stages[number].job->workers; i++) {
        const struct book *book = member_book(sup->segment,
                                              sup->plan.first[number] + i);

        *failed += book->failed;
        *all += book->done + book->failed + book->skipped;
    }
}

void halt_begin(struct supervisor *sup, unsigned number)
{
    struct stage *stage = &sup->stages[number];

    count(sup, number, &stage->before_failed, &stage->before_all);
}

static void watch_stage(struct supervisor *sup, unsigned number)
{
    struct stage *stage = &sup->stages[number];
    uint64_t failed, all;

    count(sup, number, &failed, &all);
    failed -= stage->before_failed;
    all -= stage->before_all;
    halt(sup, halt_reason(stage->job, &stage->halt, failed, all, sup->now),
         stage->job->halt.how == HALT_NOW);
}

static bool has_rule(const struct stage *stage)
{
    return stage->job->halt.failures > 0 || stage->job->halt.share > 0;
}

/* Returns when they are to be looked at again. */
static int64_t watch_failures(struct supervisor *sup)
{
    int64_t next = FOREVER;

    for (unsigned i = 0; i < sup->job->stages.count; i++) {
        if (!sup->stages[i].started || !has_rule(&sup->stages[i]))
            continue;
        watch_stage(sup, i);
        if (!sup->stages[i].ended)
            next = sup->now + HALT_NS;
    }
    return next;
}

static void pass_deadline(struct supervisor *sup)
{
    char time[32];
    char *why;

    text_from_duration(time, sup->job->deadline_ns);
    if (asprintf(&why, "the job's deadline, %s after its start, has passed",
                 time) < 0)
        why = strdup("the job's deadline has passed");
    halt(sup, why, true);
}

int64_t halt_watch(struct supervisor *sup)
{
    int64_t next;

    if (is_ending(sup))
        return FOREVER;
    next = watch_failures(sup);
    if (sup->deadline_ns == FOREVER)
        return next;
    if (sup->now >= sup->deadline_ns)
        pass_deadline(sup);
    return sooner(next, sup->deadline_ns);
}

static void stage_status(struct supervisor *sup, unsigned number,
                         struct buf *out)
{
    struct stage *stage = &sup->stages[number];
    const struct job_halt *rule = &stage->job->halt;
    uint64_t failed, all;
    char time[32];

    count(sup, number, &failed, &all);
    failed -= stage->before_failed;
    all -= stage->before_all;
    buf_printf(out, "  %s: halts", stage->job->name);
    if (rule->failures > 0) {
        buf_printf(out, " at %" PRIu64 " failures", rule->failures);
        if (rule->within_ns != FOREVER)
            buf_printf(out, " within %s",
                       text_from_duration(time, rule->within_ns));
        buf_printf(out, ", and there are %" PRIu64,
                   halt_counted(rule, &stage->halt, failed, sup->now));
    }
    if (rule->share > 0)
        buf_printf(out,
                   "%s at %g %%, from %" PRIu64 " items on, and %" PRIu64
                   " of %" PRIu64 " failed",
                   rule->failures > 0 ? ";" : "", rule->share * 100,
                   rule->least, failed, all);
    buf_char(out, '\n');
}

void halt_status(struct supervisor *sup, struct buf *out)
{
    char time[32];

    for (unsigned i = 0; i < sup->job->stages.count; i++)
        if (sup->stages[i].started && has_rule(&sup->stages[i]))
            stage_status(sup, i, out);
    if (sup->deadline_ns != FOREVER)
        buf_printf(out, "  the job's deadline is in %s\n",
                   text_from_duration(time, clock_left(sup->deadline_ns)));
}

/* Counted once more: the last failures may have come with the end. */
void halt_end(struct supervisor *sup)
{
    if (!is_ending(sup))
        watch_failures(sup);
    if (sup->why != NULL)
        return;
    sup->why = sup->halted;
    sup->halted = NULL;
}
