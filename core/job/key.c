/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * key.c - the key of a stage: which attribute it is, and where there can be
 * one. Runs in the owner.
 *
 * Items with one value of it go to one worker of the stage, in the order in
 * which they came into its queue. So there is one queue, and its items have
 * attributes; nobody but that worker takes one of them away; and what the
 * worker gives has the order of its own items, not that of all.
 */
#include "config.h"

#include <string.h>

#include "job/internal.h"

void key_read(struct reading *reading, const struct slots *slots,
              struct job_stage *stage)
{
    const char *name;

    if (value_name(reading, slots, STAGE_KEY, &name))
        stage->key = keep_copy(reading, name);
}

/* Names by which a task asks for what is made from others. */
static bool is_derived(const char *name)
{
    static const char *const names[] = { "id", "name", "stem", "dir" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Why the stage cannot have one; NULL: it can. */
static const char *no_key(const struct job_stage *stage)
{
    if (stage->desc.source)
        return "the stage is a source and takes no items: take 'key: %s' away";
    if (is_derived(stage->key))
        return "'%s' is no attribute that an item has: it is made when a task "
               "asks for it";
    if (stage->from.count > 1)
        return "'from' has several queues, which have no order among them: let "
               "the stages that fill them fill one, or take 'key: %s' away";
    if (stage->from.count == 1 && stage->from.at[0] == JOB_STDIN)
        return "an item of stdin has no attributes: let a stage between set "
               "'%s'";
    return NULL;
}

void key_check(struct reading *reading, int number)
{
    struct job_stage *stage = &reading->job->stages.at[number];
    const struct slots *slots = &reading->raw.at[number].slots;
    const char *why = stage->key != NULL ? no_key(stage) : NULL;

    if (why != NULL) /* the formats are those above */
        mistake(reading, slots->value[STAGE_KEY]->mark, why, stage->key);
}
