/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overflow.c - where a queue's `overflow` can be other than to wait. Runs in
 * the owner, after the tasks are known.
 *
 * What is dropped is never leased, and never held back for its order: so a
 * stage that keeps order fills no queue that drops, and takes from none whose
 * oldest goes. What fails is the item whose outputs find no room: so there must
 * be one.
 */
#include "config.h"

#include <stdio.h>

#include "job/internal.h"

const char *job_overflow_word(enum weir_overflow overflow)
{
    static const char *const words[] = { "block", "fail", "drop-new",
                                         "drop-old" };

    return words[overflow];
}

static const char *name_of(const struct job_stage *stage)
{
    return stage->name != NULL ? stage->name : "?";
}

bool job_fills(const struct job_stage *stage, int queue)
{
    for (size_t i = 0; i < stage->outputs.count; i++)
        for (size_t k = 0; k < stage->outputs.at[i].to.count; k++)
            if (stage->outputs.at[i].to.at[k] == queue)
                return true;
    return stage->failed == queue;
}

static void check_filler(struct reading *reading, const struct job_queue *queue,
                         const struct job_stage *stage)
{
    bool fails = queue->overflow == WEIR_OVERFLOW_FAIL;

    if (stage->keeps_order)
        mistake(reading, queue->overflow_mark,
                "stage '%s' fills it in the order of its input, and what comes "
                "too early waits in it: 'overflow' can be 'block' only",
                name_of(stage));
    else if (fails && stage->desc.source)
        mistake(reading, queue->overflow_mark,
                "stage '%s' is a source: it has no item that could fail; "
                "'overflow' can be 'block', 'drop-new' or 'drop-old'",
                name_of(stage));
    else if (fails && stage->desc.has_save)
        mistake(reading, queue->overflow_mark,
                "stage '%s' gives nothing before its state is saved, and then "
                "no item is left that could fail; 'overflow' can be 'block', "
                "'drop-new' or 'drop-old'",
                name_of(stage));
}

static void check_queue(struct reading *reading, int number)
{
    const struct job *job = reading->job;
    const struct job_queue *queue = &job->queues.at[number];

    if (queue->known != NULL && queue->consumer >= 0)
        mistake(reading, queue->overflow_mark,
                "other programs fill it by the name '%s', and the run takes "
                "from there what there is room for: 'overflow' can be 'block' "
                "only",
                queue->known);
    if (queue->overflow == WEIR_OVERFLOW_DROP_OLD && queue->consumer >= 0 &&
        job->stages.at[queue->consumer].keeps_order)
        mistake(reading, queue->overflow_mark,
                "stage '%s' takes from it in order, and nobody else can: write "
                "'overflow: drop-new'",
                name_of(&job->stages.at[queue->consumer]));
    if (queue->overflow == WEIR_OVERFLOW_DROP_OLD && queue->consumer >= 0 &&
        job->stages.at[queue->consumer].key != NULL)
        mistake(reading, queue->overflow_mark,
                "stage '%s' takes from it by key, and nobody else can: write "
                "'overflow: drop-new'",
                name_of(&job->stages.at[queue->consumer]));
}

/* The queues with `overflow` that a stage fills, each once. */
struct filled {
    int queues[JOB_OVERFLOWS_MOST];
    unsigned count; /* one more: too many */
};

static bool is_new(const struct filled *filled, int number)
{
    for (unsigned i = 0; i < filled->count; i++)
        if (filled->queues[i] == number)
            return false;
    return true;
}

static void check_filled(struct reading *reading, const struct job_stage *stage,
                         int number, struct filled *filled)
{
    const struct job_queue *queue;

    if (number < 0 || filled->count > JOB_OVERFLOWS_MOST)
        return;
    queue = &reading->job->queues.at[number];
    if (queue->overflow == WEIR_OVERFLOW_BLOCK || !is_new(filled, number))
        return;
    if (filled->count < JOB_OVERFLOWS_MOST)
        filled->queues[filled->count] = number;
    filled->count++;
    where_set(reading, "queue", queue->name, 0);
    check_filler(reading, queue, stage);
    where_set(reading, NULL, NULL, 0);
}

/* By its outputs, not by all queues: a job has thousands of both. */
static void check_stage(struct reading *reading, const struct job_stage *stage)
{
    struct filled filled = { .count = 0 };

    for (size_t i = 0; i < stage->outputs.count; i++)
        for (size_t k = 0; k < stage->outputs.at[i].to.count; k++)
            check_filled(reading, stage, stage->outputs.at[i].to.at[k],
                         &filled);
    check_filled(reading, stage, stage->failed, &filled);
    /* Each is counted in the books of the stage. */
    if (filled.count > JOB_OVERFLOWS_MOST)
        mistake(reading, stage->mark,
                "stage '%s' fills more than %d queues whose 'overflow' is not "
                "'block'",
                name_of(stage), JOB_OVERFLOWS_MOST);
}

void overflow_check(struct reading *reading)
{
    const struct job *job = reading->job;

    for (size_t q = 0; q < job->queues.count && reading->code == 0; q++) {
        const struct job_queue *queue = &job->queues.at[q];

        if (queue->overflow == WEIR_OVERFLOW_BLOCK)
            continue;
        where_set(reading, "queue", queue->name, 0);
        check_queue(reading, (int)q);
    }
    where_set(reading, NULL, NULL, 0);
    for (size_t i = 0; i < job->stages.count && reading->code == 0; i++)
        if (reading->raw.at[i].described)
            check_stage(reading, &job->stages.at[i]);
}
