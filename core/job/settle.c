/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle.c - what the tasks say of themselves against what the job says:
 * outputs, ends, workers, names of parameters. Runs in the owner, after the
 * plugins are known; a stage whose task is not known is left alone.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "job/internal.h"

struct settling {
    struct reading *reading;
    struct job_stage *stage;
    struct raw_stage *raw;
    char task[136]; /* "plugin.task" */
};

static struct mark key_mark(const struct settling *settling, enum key_id id)
{
    const struct node *key = settling->raw->slots.key[id];

    return key ? key->mark : settling->stage->task_mark;
}

static struct mark value_mark(const struct settling *settling, enum key_id id)
{
    const struct node *value = settling->raw->slots.value[id];

    return value ? value->mark : key_mark(settling, id);
}

/* ---------------------------------------------------------- parameters ---- */

static bool has_param(const struct task_desc *desc, const char *name)
{
    for (size_t i = 0; i < desc->params.count; i++)
        if (strcmp(desc->params.at[i].name, name) == 0)
            return true;
    return false;
}

static const char *near_param(const struct task_desc *desc, const char *name)
{
    const char *names[65] = { NULL };

    for (size_t i = 0; i < desc->params.count && i < 64; i++)
        names[i] = desc->params.at[i].name;
    return text_nearest(name, names);
}

/* Another stage whose task has it: only some are looked at. */
static const struct job_stage *other_with(const struct reading *reading,
                                          const char *name)
{
    for (size_t i = 0; i < reading->job->stages.count && i < 64; i++)
        if (reading->raw.at[i].described &&
            has_param(&reading->job->stages.at[i].desc, name))
            return &reading->job->stages.at[i];
    return NULL;
}

static void list_params(const struct task_desc *desc, struct buf *out)
{
    if (desc->params.count == 0)
        buf_text(out, "it has none");
    for (size_t i = 0; i < desc->params.count; i++)
        buf_printf(out, "%s%s", i == 0 ? "it has " : ", ",
                   desc->params.at[i].name);
}

static void unknown_param(const struct settling *settling, const char *name,
                          struct mark mark)
{
    struct reading *reading = settling->reading;
    const struct task_desc *desc = &settling->stage->desc;
    const char *near = near_param(desc, name);
    const struct job_stage *other;
    CLEANUP_BUF struct buf all = { 0 };

    if (near) {
        mistake(reading, mark,
                "task '%s' has no parameter '%s'; did you mean '%s'?",
                settling->task, QUOTE(name), near);
        return;
    }
    other = other_with(reading, name);
    if (other) {
        mistake(reading, mark,
                "task '%s' has no parameter '%s'; task '%s.%s' of stage '%s' "
                "has it",
                settling->task, name, other->plugin, other->task,
                other->name ? other->name : "?");
        return;
    }
    list_params(desc, &all);
    if (all.failed)
        starved(reading);
    else
        mistake(reading, mark, "task '%s' has no parameter '%s'; %s",
                settling->task, QUOTE(name), all.data);
}

static void settle_params(const struct settling *settling, int number)
{
    struct reading *reading = settling->reading;
    const struct job_stage *stage = settling->stage;

    for (size_t i = 0; i < stage->params.count && reading->code == 0; i++) {
        const struct job_param *param = &stage->params.at[i];
        struct stray stray = { settling->raw->param_keys.at[i],
                               settling->raw->slots.value[STAGE_WITH],
                               LEVEL_WITH, number, -1 };

        if (!has_param(&stage->desc, param->name) &&
            !stray_explain(reading, &stray))
            unknown_param(settling, param->name, param->name_mark);
    }
}

/* ------------------------------------------------------------- outputs ---- */

static void list_outputs(const struct task_desc *desc, const char *join,
                         const char *after, struct buf *out)
{
    for (size_t i = 0; i < desc->outputs.count; i++)
        buf_printf(out, "%s%s%s", i == 0 ? "" : join, desc->outputs.at[i],
                   after);
}

static void refuse_missing(const struct settling *settling)
{
    const struct task_desc *desc = &settling->stage->desc;
    CLEANUP_BUF struct buf names = { 0 };
    CLEANUP_BUF struct buf wires = { 0 };

    if (desc->outputs.count == 1) {
        mistake(settling->reading, settling->stage->task_mark,
                "nothing takes what task '%s' puts out; write 'to: QUEUE', "
                "'to: stdout' or 'to: drop'",
                settling->task);
        return;
    }
    list_outputs(desc, "', '", "", &names);
    list_outputs(desc, ", ", ": QUEUE", &wires);
    if (names.failed || wires.failed)
        starved(settling->reading);
    else
        mistake(settling->reading,
                settling->raw->one_to ? value_mark(settling, STAGE_TO)
                                      : settling->stage->task_mark,
                "task '%s' has the outputs '%s'; say where each goes: "
                "to: { %s }",
                settling->task, names.data, wires.data);
}

static struct job_output *output_find(struct job_stage *stage, const char *name)
{
    for (size_t i = 0; i < stage->outputs.count; i++)
        if (stage->outputs.at[i].name &&
            strcmp(stage->outputs.at[i].name, name) == 0)
            return &stage->outputs.at[i];
    return NULL;
}

static bool has_output(const struct task_desc *desc, const char *name)
{
    for (size_t i = 0; i < desc->outputs.count; i++)
        if (strcmp(desc->outputs.at[i], name) == 0)
            return true;
    return false;
}

/* Names that the task does not have. Returns how many. */
static size_t refuse_unknown(const struct settling *settling)
{
    const struct task_desc *desc = &settling->stage->desc;
    const char *names[65] = { NULL };
    CLEANUP_BUF struct buf all = { 0 };
    size_t bad = 0;

    for (size_t i = 0; i < desc->outputs.count && i < 64; i++)
        names[i] = desc->outputs.at[i];
    list_outputs(desc, "', '", "", &all);
    for (size_t i = 0; i < settling->stage->outputs.count && !all.failed; i++) {
        const char *name = settling->stage->outputs.at[i].name;
        const char *near;

        if (has_output(desc, name))
            continue;
        bad++;
        near = text_nearest(name, names);
        mistake(settling->reading, settling->raw->output_marks.at[i],
                near ? "task '%s' has no output '%s'; did you mean '%s'?"
                     : "task '%s' has no output '%s'; it has '%s'",
                settling->task, QUOTE(name), near ? near : all.data);
    }
    if (all.failed)
        starved(settling->reading);
    return bad;
}

/* Outputs in the task's order; all are there. */
static void order_outputs(const struct settling *settling)
{
    struct job_stage *stage = settling->stage;
    size_t count = stage->desc.outputs.count;
    struct job_output *list = calloc(count, sizeof *list);

    if (!list) {
        starved(settling->reading);
        return;
    }
    for (size_t i = 0; i < count; i++)
        list[i] = *output_find(stage, stage->desc.outputs.at[i]);
    free(stage->outputs.at);
    stage->outputs.at = list;
    stage->outputs.count = stage->outputs.room = count;
}

static void settle_named(const struct settling *settling)
{
    struct job_stage *stage = settling->stage;
    size_t missing = 0;

    if (refuse_unknown(settling) > 0)
        return;
    for (size_t i = 0; i < stage->desc.outputs.count; i++) {
        const char *name = stage->desc.outputs.at[i];

        if (output_find(stage, name))
            continue;
        missing++;
        mistake(settling->reading, key_mark(settling, STAGE_TO),
                "output '%s' of task '%s' goes nowhere; wire it, or write "
                "'%s: drop'",
                name, settling->task, name);
    }
    if (missing == 0 && settling->reading->code == 0)
        order_outputs(settling);
}

static void settle_outputs(const struct settling *settling)
{
    struct job_stage *stage = settling->stage;
    const struct raw_stage *raw = settling->raw;
    size_t count = stage->desc.outputs.count;

    if (count == 0) {
        if (raw->slots.key[STAGE_TO])
            mistake(settling->reading, key_mark(settling, STAGE_TO),
                    "task '%s' puts nothing out: take 'to' away",
                    settling->task);
        return;
    }
    if (raw->bad_to || raw->slots.meant[STAGE_TO])
        return;
    if (stage->outputs.count == 0 || (raw->one_to && count > 1)) {
        refuse_missing(settling);
        return;
    }
    if (raw->one_to)
        stage->outputs.at[0].name = keep_copy(settling->reading,
                                              stage->desc.outputs.at[0]);
    else
        settle_named(settling);
}

static void settle_ends(const struct settling *settling)
{
    const struct job_stage *stage = settling->stage;
    const struct raw_stage *raw = settling->raw;

    if (stage->desc.source) {
        if (raw->slots.key[STAGE_FROM])
            mistake(settling->reading, key_mark(settling, STAGE_FROM),
                    "task '%s' is a source and takes nothing: take 'from' "
                    "away",
                    settling->task);
        if (raw->own_failed)
            mistake(settling->reading, key_mark(settling, STAGE_FAILED),
                    "task '%s' is a source: it has no items that could fail",
                    settling->task);
        settling->stage->failed = JOB_NONE;
    } else if (!raw->slots.key[STAGE_FROM] && !raw->slots.meant[STAGE_FROM]) {
        mistake(settling->reading, stage->task_mark,
                "the stage has no way in: task '%s' needs 'from: QUEUE' or "
                "'from: stdin'",
                settling->task);
    }
}

/* ------------------------------------------------------------- workers ---- */

/* Why the stage can have one worker only; NULL: it can have more. */
static const char *one_worker(const struct settling *settling)
{
    const struct job_stage *stage = settling->stage;

    if (stage->dispatch == DISPATCH_SYNC)
        return "'dispatch: sync' runs one item after another: it has one "
               "worker, not %u (task '%s')";
    if (!settling->raw->described)
        return NULL;
    if (stage->desc.single)
        return "it has one worker, not %u: task '%s' sees all items of a run "
               "together";
    if (stage->desc.source && !stage->desc.shares)
        return "it has one worker, not %u: source '%s' cannot share its work";
    return NULL;
}

static void settle_workers(const struct settling *settling, unsigned usual)
{
    struct job_stage *stage = settling->stage;
    const char *one = one_worker(settling);

    if (stage->workers == 0)
        stage->workers = one ? 1 : usual;
    if (!one || stage->workers == 1)
        return;
    if (settling->raw->own_workers) {
        /* -Wformat-nonliteral is not on: the formats are those above */
        mistake(settling->reading, value_mark(settling, STAGE_WORKERS), one,
                stage->workers, settling->task);
    }
    stage->workers = 1; /* a default is for stages that can have more */
}

/* Why the stage cannot keep order; NULL: it can. */
static const char *no_order(const struct settling *settling)
{
    const struct job_stage *stage = settling->stage;

    if (stage->desc.source)
        return "task '%s' is a source: there is no order of inputs to keep";
    if (stage->desc.outputs.count == 0)
        return "task '%s' puts nothing out whose order could be kept; with "
               "'workers: 1' it does one item after another";
    if (stage->from.count > 1)
        return "'from' has several queues, which have no order among them: let "
               "the stages that fill them fill one (task '%s')";
    if (stage->key != NULL && stage->workers > 1)
        return "'key' gives each worker items of its own, and their order is "
               "kept for each value of the key: with 'workers: 1' for all "
               "(task '%s')";
    if (stage->desc.has_save && stage->workers > 1)
        return "task '%s' keeps a state, and gives nothing before it is saved: "
               "order is kept with 'workers: 1' only";
    return NULL;
}

/* A default is for stages that can. */
static void settle_order(const struct settling *settling)
{
    struct job_stage *stage = settling->stage;
    const char *why = stage->keeps_order ? no_order(settling) : NULL;

    if (why == NULL)
        return;
    if (settling->raw->own_order)
        mistake(settling->reading, value_mark(settling, STAGE_ORDER), why,
                settling->task);
    stage->keeps_order = false;
}

/* Why its workers cannot be replaced; NULL: they can. */
static const char *no_recycling(const struct settling *settling)
{
    const struct task_desc *desc = &settling->stage->desc;

    if (desc->source)
        return "task '%s' is a source: its worker is not replaced";
    if (desc->has_flush && !desc->has_save && !desc->stateless)
        return "task '%s' gathers over its items and does not save what it "
               "has: who followed its worker would begin with nothing";
    return NULL;
}

/* A default is for stages that can. */
static void settle_recycle(const struct settling *settling)
{
    struct job_stage *stage = settling->stage;
    const char *why = job_recycles(stage) ? no_recycling(settling) : NULL;

    if (why == NULL)
        return;
    if (settling->raw->own_recycle)
        mistake(settling->reading, key_mark(settling, STAGE_RECYCLE), why,
                settling->task);
    stage->recycle = (struct job_recycle){ .items = 0 };
}

/* Where the parameter that bounds the task's items stands. */
static struct mark largest_mark(const struct settling *settling)
{
    const struct job_stage *stage = settling->stage;

    for (size_t i = 0; stage->desc.largest && i < stage->params.count; i++) {
        const struct job_param *param = &stage->params.at[i];

        if (strcmp(param->name, stage->desc.largest) == 0 &&
            param->marks.count > 0)
            return param->marks.at[0];
    }
    return stage->task_mark;
}

/* `bytes` that the job does not set: twice the largest item. */
static void settle_bytes(const struct settling *settling)
{
    const struct job_stage *stage = settling->stage;
    struct job *job = settling->reading->job;
    uint64_t want = 2 * stage->largest;

    if (stage->largest > ITEM_MOST) {
        mistake(settling->reading, largest_mark(settling),
                "parameter '%s': an item has at most 1 GiB",
                stage->desc.largest ? stage->desc.largest : "?");
        return;
    }

    for (size_t i = 0; i < stage->outputs.count; i++)
        for (size_t k = 0; k < stage->outputs.at[i].to.count; k++) {
            int place = stage->outputs.at[i].to.at[k];
            struct job_queue *queue = place >= 0 ? &job->queues.at[place]
                                                 : NULL;

            if (queue && !queue->bytes_set && queue->bytes < want)
                queue->bytes = want;
        }
}

static void settle_stage(struct reading *reading, int number, unsigned usual)
{
    struct settling settling = { .reading = reading,
                                 .stage = &reading->job->stages.at[number],
                                 .raw = &reading->raw.at[number] };

    snprintf(settling.task, sizeof settling.task, "%s.%s",
             settling.stage->plugin ? settling.stage->plugin : "?",
             settling.stage->task ? settling.stage->task : "?");
    where_set(reading, "stage", settling.stage->name, (size_t)number + 1);
    settle_workers(&settling, usual);
    if (settling.raw->described) {
        settle_params(&settling, number);
        settle_ends(&settling);
        settle_outputs(&settling);
        settle_order(&settling);
        key_check(reading, number);
        settle_recycle(&settling);
        settle_bytes(&settling);
    }
    where_set(reading, NULL, NULL, 0);
}

void job_settle(struct reading *reading)
{
    unsigned usual = reading->options->workers;
    uint64_t workers = 0;

    if (usual == 0)
        usual = processors_usable();
    for (size_t i = 0; i < reading->job->stages.count && reading->code == 0;
         i++) {
        settle_stage(reading, (int)i, usual);
        workers += reading->job->stages.at[i].workers;
    }
    if (workers > JOB_WORKERS_MOST && reading->top.key[JOB_STAGES])
        mistake(reading, reading->top.key[JOB_STAGES]->mark,
                "the stages have %llu workers together; at most %d can be: "
                "give some stages fewer by 'workers'",
                (unsigned long long)workers, JOB_WORKERS_MOST);
    overflow_check(reading);
    strays_tell(reading);
}
