/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * torture_lives.c - a run under torture whose supervisor is killed, too: it
 * keeps a journal, and another supervisor goes on from its last checkpoint. In
 * the end the journal must say of each stage what the run says itself. Runs in
 * the torturer.
 *
 * The store is open here between two lives only, and closed before the next
 * one is forked.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "journal/facts.h"
#include "run/torture.h"

/* Often, so that lives differ in where they begin. */
#define INTERVAL_NS (20 * NS_PER_MS)
#define GONE_NS (60 * NS_PER_S)
#define LOOK_NS (1 * NS_PER_MS)

static void point(struct torture_lives *lives)
{
    lives->journal = (struct run_journal){
        .folder = &lives->folder,
        .run = &lives->run,
        .interval_ns = INTERVAL_NS,
        .from = lives->begun ? &lives->from : NULL,
        .states = lives->begun ? &lives->states : NULL,
    };
}

static void forget(struct torture_lives *lives)
{
    record_run_done(&lives->run);
    record_states_done(&lives->states);
    snapshot_done(&lives->from);
    lives->run = (struct record_run){ .text = NULL };
    lives->states = (record_states){ 0 };
    lives->from = (struct snapshot){ 0 };
}

static int first_life(struct torture_lives *lives, weir_error *err)
{
    const struct torture *torture = lives->torture;
    int code;

    forget(lives);
    code = facts_gather(torture->job, torture->job_options, lives->input,
                        lives->output, &lives->run, err);
    if (code == 0)
        code = folder_make(lives->base, torture->job->name, &lives->folder,
                           err);
    if (code < 0)
        return code;
    lives->run.name = strdup(lives->folder.name);
    lives->run.command = strdup("weir torture");
    lives->run.interval_ns = INTERVAL_NS;
    if (lives->run.name == NULL || lives->run.command == NULL)
        return error_sys(err, WEIR_ENOMEM, "a run cannot be started");
    point(lives);
    return 0;
}

int lives_begin(struct torture_lives *lives, const struct torture *torture,
                const char *base, int input, int output, weir_error *err)
{
    *lives = (struct torture_lives){ .torture = torture,
                                     .base = base,
                                     .input = input,
                                     .output = output,
                                     .folder = { .lock = -1 } };
    return first_life(lives, err);
}

/* All processes of a life hold it, and die of their supervisor's death. */
static int lock_again(struct torture_lives *lives, weir_error *err)
{
    const struct timespec pause = clock_timespec(LOOK_NS);
    int64_t deadline = clock_deadline(GONE_NS);
    int code;

    while ((code = folder_lock(&lives->folder, err)) == -EBUSY &&
           clock_left(deadline) > 0)
        nanosleep(&pause, NULL);
    return code == -EBUSY ? error_set(err, WEIR_ETIMEDOUT,
                                      "some process of it is there a minute "
                                      "later")
                          : code;
}

/* Before there is a checkpoint no worker has begun, and nothing is done. */
static bool has_not_begun(const struct torture_lives *lives, int code)
{
    return !lives->begun &&
           (code == WEIR_EEMPTY || code == WEIR_EBROKEN || code == -ENOENT);
}

int lives_next(struct torture_lives *lives, weir_error *err)
{
    int code = lock_again(lives, err);

    if (code < 0)
        return code;
    forget(lives);
    code = run_read_back(&lives->folder, &lives->run, &lives->from,
                         &lives->states, err);
    if (has_not_begun(lives, code)) {
        folder_done(&lives->folder);
        return first_life(lives, err);
    }
    lives->begun = code == 0;
    point(lives);
    return code;
}

/* ----------------------------------------------------------------- proof ----
 */

static int differs(const char *stage, const char *what, uint64_t journal,
                   uint64_t run, char **why_out)
{
    if (journal == run || *why_out != NULL)
        return 0;
    return asprintf(why_out,
                    "the journal says of stage '%s' that it %s %" PRIu64
                    ", and the run says %" PRIu64,
                    stage, what, journal, run) < 0
               ? WEIR_ENOMEM
               : 0;
}

/* Members are the workers of all stages, one stage after the other. */
static int judge_stages(const struct torture_lives *lives,
                        const struct torture_result *result,
                        const record_counts *counts, char **why_out)
{
    size_t member = 0;
    int code = 0;

    for (size_t i = 0; i < lives->run.stages.count && code == 0; i++) {
        const struct record_stage *stage = &lives->run.stages.at[i];
        const struct torture_stage *said = &result->stages.at[i];
        struct record_count sum = { 0 };

        for (unsigned k = 0; k < stage->workers && member < counts->count;
             k++, member++) {
            sum.done += counts->at[member].done;
            sum.failed += counts->at[member].failed;
            sum.skipped += counts->at[member].skipped;
        }
        if (lives->torture->job->stages.at[i].from.count > 0)
            code = differs(stage->name, "has done", sum.done, said->done,
                           why_out);
        if (code == 0)
            code = differs(stage->name, "failed at", sum.failed, said->failed,
                           why_out);
        if (code == 0)
            code = differs(stage->name, "left out", sum.skipped, said->skipped,
                           why_out);
    }
    return code;
}

int lives_judge(const struct torture_lives *lives,
                const struct torture_result *result, char **why_out,
                weir_error *err)
{
    CLEANUP_FREE char *path = folder_file(&lives->folder, JOURNAL_DB);
    struct record_run run = { .text = NULL };
    record_counts counts = { 0 };
    int code = path == NULL ? WEIR_ENOMEM : record_read(path, &run, err);

    *why_out = NULL;
    if (code == 0 && (!run.ended || run.status != result->status) &&
        asprintf(why_out,
                 "the journal does not say that the run has ended "
                 "with status %d",
                 result->status) < 0)
        code = WEIR_ENOMEM;
    if (code == 0)
        code = record_read_counts(path, &counts, err);
    if (code == 0 && result->stages.count == run.stages.count)
        code = judge_stages(lives, result, &counts, why_out);
    VEC_DONE(&counts);
    record_run_done(&run);
    return code;
}

void lives_done(struct torture_lives *lives)
{
    forget(lives);
    folder_done(&lives->folder);
}
