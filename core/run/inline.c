/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inline.c - a whole job in this process, one item at a time: for debuggers.
 *
 * Queues are lists in private memory. The most downstream stage that has input
 * runs; only when nobody has, a source makes some more: so no list becomes
 * longer than what one call has emitted, and the bounds of the queues need not
 * be kept (but an item that could never fit one fails here, too). There is
 * nobody to recover and nothing to wait for; a crash is a crash, a time limit
 * does not strike, and a signal does what it does to any program.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "run/inline_stage.h"

/* ----------------------------------------------------------- the turn ---- */

static bool may_start(const struct inline_stage *stage)
{
    if (stage->ended || stage->busy)
        return false;
    for (size_t i = 0; i < stage->job->after.count; i++)
        if (!stage->all->stages[stage->job->after.at[i]].ended)
            return false;
    return true;
}

static struct lane *lane_with_input(const struct inline_stage *stage)
{
    for (size_t i = 0; i < stage->job->from.count; i++) {
        struct lane *lane = lane_of(stage->all, stage->job->from.at[i]);

        if (!lane_empty(lane))
            return lane;
    }
    return NULL;
}

static bool gives_to(const struct job_stage *stage, int queue)
{
    bool found = stage->failed == queue;

    for (size_t i = 0; i < stage->outputs.count; i++)
        for (size_t k = 0; k < stage->outputs.at[i].to.count; k++)
            found |= stage->outputs.at[i].to.at[k] == queue;
    return found;
}

/* Can anything still come? */
static bool lane_closed(const struct inliner *all, int queue)
{
    if (queue == JOB_STDIN)
        return lane_of(all, queue)->closed;
    for (size_t i = 0; i < all->job->stages.count; i++)
        if (!all->stages[i].ended && gives_to(all->stages[i].job, queue))
            return false;
    return true;
}

static bool input_over(const struct inline_stage *stage)
{
    for (size_t i = 0; i < stage->job->from.count; i++)
        if (!lane_empty(lane_of(stage->all, stage->job->from.at[i])) ||
            !lane_closed(stage->all, stage->job->from.at[i]))
            return false;
    return true;
}

/* The most downstream stage that can do something with its input. 1: it did;
 * 0: there is none; or a code. */
static int turn_downstream(struct inliner *all)
{
    for (size_t i = all->job->stage_order.count; i-- > 0;) {
        struct inline_stage *stage;
        struct lane *lane;
        int code;

        stage = &all->stages[all->job->stage_order.at[i]];
        if (stage->job->from.count == 0 || !may_start(stage))
            continue;
        lane = lane_with_input(stage);
        if (!lane && (all->halted || !input_over(stage)))
            continue;
        code = lane ? inline_stage_item(stage, lane)
                    : inline_stage_flush(stage);
        return code < 0 ? code : 1;
    }
    return 0;
}

/* Before a source pauses: what it has given is worked off. */
static int source_pauses(void *arg)
{
    struct inline_stage *stage = arg;
    int code = inline_give_on(stage);

    while (code == 0) {
        code = turn_downstream(stage->all);
        if (code <= 0)
            break;
        code = 0;
    }
    return code;
}

static int turn_input(struct inliner *all)
{
    struct lane *lane = lane_of(all, JOB_STDIN);
    struct inline_item item;
    weir_error err = { 0 };
    int code;

    if (lane->closed)
        return 0;
    code = inline_input_next(&all->input, &item, &err);
    if (code < 0)
        return inline_over(all, NULL, err.text);
    if (code == 0) {
        lane->closed = true;
        return 1;
    }
    code = lane_put(all, lane, item);
    return code < 0 ? code : 1;
}

/* Some source, or standard input. As turn_downstream. */
static int turn_source(struct inliner *all)
{
    size_t count = all->job->stages.count;

    if (all->halted)
        return 0;
    for (size_t i = 0; i < count; i++) {
        size_t number = (all->last_source + 1 + i) % count;
        struct inline_stage *stage = &all->stages[number];
        int code;

        if (stage->job->from.count > 0 || !may_start(stage))
            continue;
        all->last_source = number;
        code = inline_stage_source(stage);
        return code < 0 ? code : 1;
    }
    return turn_input(all);
}

static bool all_ended(const struct inliner *all)
{
    for (size_t i = 0; i < all->job->stages.count; i++)
        if (!all->stages[i].ended)
            return false;
    return true;
}

static void run_all(struct inliner *all)
{
    int code = 1;

    while (code > 0) {
        code = turn_downstream(all);
        if (code == 0)
            code = turn_source(all);
        if (code > 0 && inline_halt(all) < 0)
            return;
    }
    if (code == 0 && all->halted)
        inline_over(all, NULL, all->halted);
    else if (code == 0 && !all_ended(all))
        inline_over(all, NULL, "stages wait for each other");
}

/* ----------------------------------------------------- start and end ---- */

static struct inline_bound *bounds_of(const struct job *job,
                                      const struct job_stage *stage)
{
    struct inline_bound *bounds = calloc(stage->outputs.count + 1,
                                         sizeof *bounds);

    for (size_t i = 0; bounds && i < stage->outputs.count; i++) {
        bounds[i].bytes = UINT64_MAX;
        for (size_t k = 0; k < stage->outputs.at[i].to.count; k++) {
            int to = stage->outputs.at[i].to.at[k];

            if (to >= 0 && job->queues.at[to].bytes < bounds[i].bytes) {
                bounds[i].bytes = job->queues.at[to].bytes;
                bounds[i].queue = job->queues.at[to].name;
            }
        }
    }
    return bounds;
}

static bool prepare_stage(struct inliner *all, unsigned number,
                          const struct job_bound_stage *bound)
{
    struct inline_stage *stage = &all->stages[number];
    struct inline_plan plan = {
        .task = bound->task,
        .params = bound->params,
        .root = (uint64_t)number << 52,
        .pause = source_pauses,
        .arg = stage,
    };

    stage->all = all;
    stage->number = number;
    stage->job = &all->job->stages.at[number];
    stage->book = &all->report->stages.at[number];
    stage->book->workers = 1;
    stage->bounds = bounds_of(all->job, stage->job);
    plan.name = stage->job->name;
    plan.outputs = (unsigned)stage->job->outputs.count;
    plan.bounds = stage->bounds;
    inline_task_init(&stage->task, &plan);
    return stage->bounds != NULL;
}

static bool prepare(struct inliner *all, const struct job_bound *bound)
{
    all->stages = calloc(all->job->stages.count + 1, sizeof *all->stages);
    all->lanes = calloc(all->job->queues.count + 1, sizeof *all->lanes);
    if (!all->stages || !all->lanes)
        return false;
    for (size_t i = 0; i < all->job->stages.count; i++)
        if (!prepare_stage(all, (unsigned)i, &bound->stages[i]))
            return false;
    lane_of(all, JOB_STDIN)->closed = !all->job->uses_stdin;
    return true;
}

static void release(struct inliner *all)
{
    for (size_t i = 0; all->stages && i < all->job->stages.count; i++) {
        struct inline_stage *stage = &all->stages[i];

        if (stage->opened)
            inline_close(&stage->task);
        if (stage->bounds)
            inline_task_done(&stage->task);
        halt_done(&stage->halt);
        free(stage->bounds);
    }
    for (size_t i = 0; all->lanes && i <= all->job->queues.count; i++)
        lane_done(&all->lanes[i]);
    free(all->stages);
    free(all->halted);
    free(all->lanes);
    inline_input_done(&all->input);
}

/* An item in hand when the run could not go on is left, too. */
static void close_books(struct run_report *report)
{
    report->done = report->failed = 0;
    for (size_t i = 0; i < report->stages.count; i++) {
        struct run_stage *book = &report->stages.at[i];

        if (!book->source)
            book->left = book->taken - book->done - book->failed -
                         book->skipped;
        report->done += book->done;
        report->failed += book->failed;
    }
    if (report->status == 0 && report->failed > 0)
        report->status = 1;
}

int run_inline(const struct run_options *options, struct job *job,
               struct job_bound *bound, struct run_report *report,
               weir_error *err)
{
    struct inliner all = {
        .options = options,
        .job = job,
        .report = report,
        .input = { .fd = options->input, .as = job->stdin_as },
    };
    const struct job_queue *known = job_known(job);
    int64_t start = clock_now();
    int code;

    if (known != NULL)
        return error_set(err, WEIR_EINVAL,
                         "queue '%s' has the name '%s', and --inline lets "
                         "nobody in: take 'name' away, and read standard input "
                         "or write standard output",
                         known->name, known->known);
    code = run_report_init(report, job);

    if (code == 0 && !prepare(&all, bound))
        code = WEIR_ENOMEM;
    if (code < 0) {
        release(&all);
        return error_sys(err, code, "cannot start the run");
    }
    run_all(&all);
    close_books(report);
    report->time_ns = clock_now() - start;
    release(&all);
    return 0;
}
