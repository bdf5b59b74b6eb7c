/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inline_stage.c - what a stage does in its turn, when a whole job runs in this
 * process: an item, a call of a source, the flush; and what becomes of it.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue/attrs.h"
#include "queue/queue.h"
#include "run/backoff.h"
#include "run/inline_stage.h"
#include "run/kept.h"

enum { OPEN_TRIES = 3, START_MOST = 48 };

int inline_over(struct inliner *all, const char *stage, const char *why)
{
    if (!all->over) {
        free(all->report->why);
        if (!stage)
            all->report->why = strdup(why);
        else if (asprintf(&all->report->why, "stage '%s': %s", stage, why) < 0)
            all->report->why = NULL;
        all->report->status = 3;
    }
    all->over = true;
    return WEIR_ECANCELED;
}

/* A task of this stage ended it. */
static int over_by(struct inline_stage *stage, const char *why)
{
    return inline_over(stage->all, stage->job->name, why);
}

/* -------------------------------------------------------------- lanes ---- */

struct lane *lane_of(const struct inliner *all, int queue)
{
    return &all->lanes[queue == JOB_STDIN ? (int)all->job->queues.count
                                          : queue];
}

/* Takes @item over. */
int lane_put(struct inliner *all, struct lane *lane, struct inline_item item)
{
    struct inline_item *slot = VEC_ADD(&lane->items);

    if (!slot) {
        inline_item_done(&item);
        return inline_over(all, NULL, "no memory for an item");
    }
    *slot = item;
    return 0;
}

static struct inline_item lane_take(struct lane *lane)
{
    struct inline_item item = lane->items.at[lane->head++];
    size_t left = lane->items.count - lane->head;

    if (lane->head > left) {
        if (left > 0)
            memmove(lane->items.at, lane->items.at + lane->head,
                    left * sizeof item);
        lane->items.count = left;
        lane->head = 0;
    }
    return item;
}

bool lane_empty(const struct lane *lane)
{
    return lane->head == lane->items.count;
}

void lane_done(struct lane *lane)
{
    for (size_t i = lane->head; i < lane->items.count; i++)
        inline_item_done(&lane->items.at[i]);
    VEC_DONE(&lane->items);
}

/* ------------------------------------------------------------- giving ---- */

/* One item to one place. */
static int give_to(struct inline_stage *stage, int to,
                   const struct inline_item *item)
{
    struct inliner *all = stage->all;
    CLEANUP_FREE char *text = NULL;
    int code;

    if (to == JOB_DROP) {
        stage->book->dropped++;
        return 0;
    }
    stage->book->given++;
    if (to != JOB_STDOUT)
        return lane_put(all, lane_of(all, to), inline_item_ref(item));
    code = inline_output(all->options->output, all->job->stdout_frame,
                         item->payload);
    if (code == 0)
        return 0;
    if (asprintf(&text, "cannot write to standard output: %s",
                 weir_strerror(code)) < 0)
        text = NULL;
    return inline_over(all, NULL, text ? text : "no memory");
}

/* What has been committed goes where the job says. */
int inline_give_on(void *arg)
{
    struct inline_stage *stage = arg;
    int code = 0;

    for (size_t i = 0; i < stage->task.outputs.count && code == 0; i++) {
        const struct inline_item *item = &stage->task.outputs.at[i];
        const struct job_output *output = &stage->job->outputs.at[item->output];

        for (size_t k = 0; k < output->to.count && code == 0; k++)
            code = give_to(stage, output->to.at[k], item);
    }
    for (size_t i = 0; i < stage->task.outputs.count; i++)
        inline_item_done(&stage->task.outputs.at[i]);
    stage->task.outputs.count = stage->task.passed = 0;
    return code;
}

/* The last call went well. */
static int commit(struct inline_stage *stage)
{
    int code = inline_commit(&stage->task);

    return code == 0 ? inline_give_on(stage) : code;
}

/* ------------------------------------------------------------ failing ---- */

static char *path_of(const struct inline_item *item)
{
    const void *value;
    size_t size;

    if (!item || !item->attrs ||
        attrs_find(item->attrs->data, item->attrs->size, "path", 4, &value,
                   &size) != 0)
        return NULL;
    return strndup(value, size);
}

static int report_failure(struct inline_stage *stage,
                          const struct inline_item *item, unsigned attempts)
{
    CLEANUP_BUF struct buf start = { 0 };
    CLEANUP_FREE char *name = path_of(item);
    struct run_failure it = {
        .stage = stage->number,
        .name = name,
        .attempts = attempts,
    };

    it.root = stage->task.plan.root | stage->task.ordinal;
    if (item) {
        it.root = item->root;
        it.path = item->path;
        buf_text(&start, "");
        text_escape(&start, item->payload->data, item->payload->size,
                    START_MOST);
    }
    it.start = start.data;
    it.why = stage->task.why;
    if (start.failed || run_report_fail(stage->all->report, &it))
        return inline_over(stage->all, NULL, "no memory for a failure");
    return 0;
}

/* The cause, in the attributes; what does not fit beside the item's own is
 * cut. */
static void mark_cause(struct inline_stage *stage, struct inline_item *item,
                       int verdict, unsigned attempts)
{
    const char *class = verdict == WEIR_TRANSIENT ? KEPT_AGAIN
                        : stage->task.refused < 0 ? KEPT_REFUSED
                                                  : KEPT_ERROR;
    const char *why = stage->task.why;
    char text[16];
    int size = snprintf(text, sizeof text, "%u", attempts);

    inline_item_set(item, "failed-stage", stage->job->name,
                    strlen(stage->job->name));
    inline_item_set(item, "failed-attempts", text, (size_t)size);
    inline_item_set(item, "failed-class", class, strlen(class));
    for (size_t most = strlen(why); most > 0; most /= 2)
        if (inline_item_set(item, "failed-why", why, most) == 0)
            break;
}

static bool fits(const struct inliner *all, int queue,
                 const struct inline_item *item)
{
    size_t attrs = item->attrs ? item->attrs->size : 0;

    return queue < 0 || queue_charge(item->payload->size, attrs) <=
                            all->job->queues.at[queue].bytes;
}

/* @item has failed for good; NULL: something of a source. */
static int fail(struct inline_stage *stage, const struct inline_item *item,
                int verdict, unsigned attempts)
{
    int to = item ? stage->job->failed : JOB_NONE;
    struct inline_item marked;
    int code;

    stage->book->failed++;
    if (to == JOB_NONE)
        return report_failure(stage, item, attempts);
    marked = inline_item_ref(item);
    mark_cause(stage, &marked, verdict, attempts);
    if (fits(stage->all, to, &marked))
        code = give_to(stage, to, &marked);
    else
        code = report_failure(stage, item, attempts);
    inline_item_done(&marked);
    return code;
}

/* -------------------------------------------------------------- calls ---- */

static int open_stage(struct inline_stage *stage)
{
    int code = 0;

    for (unsigned i = 0; i < OPEN_TRIES; i++) {
        code = inline_open(&stage->task);
        stage->opened = true;
        if (code == 0)
            return 0;
        inline_close(&stage->task);
        stage->opened = false;
        if (code != WEIR_TRANSIENT)
            break;
    }
    return over_by(stage, stage->task.why);
}

static void end_stage(struct inline_stage *stage)
{
    if (stage->opened)
        inline_close(&stage->task);
    stage->opened = false;
    stage->ended = stage->book->ended = true;
}

static int settle(struct inline_stage *stage, const struct inline_item *item,
                  int code, unsigned attempts)
{
    switch (code) {
    case 0:
        stage->book->done++;
        return 0;
    case WEIR_SKIP:
        stage->book->skipped++;
        return 0;
    case WEIR_TRANSIENT:
    case WEIR_PERMANENT:
        return fail(stage, item, code, attempts);
    case WEIR_FATAL:
        return over_by(stage, stage->task.why);
    default:
        return code; /* the run is over, and has said why */
    }
}

/* Another attempt, after its wait: which everybody waits for. */
static void again(struct inline_stage *stage, unsigned attempts, uint64_t root,
                  uint64_t path)
{
    struct timespec left = clock_timespec(
        backoff_ns(&stage->job->waits[WAIT_ERROR], attempts, root, path));

    stage->book->retried++;
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

static int run_item(struct inline_stage *stage, struct inline_item *item)
{
    unsigned attempt = 0;
    int code;

    do {
        if (attempt > 0)
            again(stage, attempt, item->root, item->path);
        code = inline_call(&stage->task, item, ++attempt);
        if (code == 0)
            code = commit(stage);
    } while (code == WEIR_TRANSIENT && attempt <= stage->job->retries);
    return settle(stage, item, code, attempt);
}

int inline_stage_item(struct inline_stage *stage, struct lane *lane)
{
    struct inline_item item = lane_take(lane);
    int code = 0;

    stage->book->taken++;
    stage->busy = true;
    if (!stage->opened)
        code = open_stage(stage);
    if (code == 0)
        code = run_item(stage, &item);
    stage->busy = false;
    inline_forget(&stage->task);
    inline_item_done(&item);
    return code;
}

/* A source that failed begins anew behind its cursor, as its successor in
 * another process would; but what it cannot read, and has told, is behind it
 * already. */
static int source_failed(struct inline_stage *stage, int code, bool told)
{
    if (code == WEIR_PERMANENT && told)
        return fail(stage, NULL, WEIR_PERMANENT, 1);
    if (code == WEIR_SKIP && told) {
        stage->book->skipped++;
        return 0;
    }
    if (code != WEIR_TRANSIENT || stage->tries++ >= stage->job->retries)
        return over_by(stage, stage->task.why);
    again(stage, stage->tries, stage->task.plan.root, stage->task.ordinal);
    inline_close(&stage->task);
    stage->opened = false;
    return 0;
}

int inline_stage_source(struct inline_stage *stage)
{
    int verdict, code = stage->opened ? 0 : open_stage(stage);
    bool told;

    if (code < 0)
        return code;
    stage->busy = true;
    verdict = inline_call(&stage->task, NULL, stage->tries + 1);
    told = stage->task.cursor_set;
    if (stage->task.passed > 0 || verdict == 0)
        stage->tries = 0;
    if (stage->all->over)
        code = WEIR_ECANCELED;
    else if (verdict == 0 || verdict == WEIR_END)
        code = commit(stage);
    else
        code = inline_give_on(stage);
    if (code == 0 && verdict == WEIR_END)
        end_stage(stage);
    else if (code == 0 && verdict != 0)
        code = source_failed(stage, verdict, told);
    stage->busy = false;
    return code;
}

int inline_stage_flush(struct inline_stage *stage)
{
    unsigned attempt = 0;
    int code = stage->opened ? 0 : open_stage(stage);

    while (code == 0) {
        code = inline_flush(&stage->task);
        if (code == 0)
            code = commit(stage);
        if (code != WEIR_TRANSIENT || attempt++ >= stage->job->retries)
            break;
        again(stage, attempt, stage->task.plan.root, 0);
        code = 0;
    }
    if (code > 0)
        code = over_by(stage, stage->task.why);
    if (code == 0)
        end_stage(stage);
    return code;
}
