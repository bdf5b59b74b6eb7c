/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.c - `from`, `to`, `after`, `failed`: names into numbers. Runs in the
 * owner, before the plugins are known: outputs get their numbers in settle.c.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "job/internal.h"

/* Each more would be one more queue to be waited for in every commit. */
enum { COPIES_MOST = 64 };

int queue_find(struct reading *reading, const struct node *node,
               const char *what)
{
    const uintptr_t *number = map_get(&reading->queues, node->text, node->size);
    const char *near;

    if (number)
        return (int)*number - 1;
    if (map_get(&reading->stages, node->text, node->size)) {
        mistake(reading, node->mark,
                "'%s' is a stage; %s names the queue between two stages",
                node->text, what);
        return JOB_NONE;
    }
    near = map_nearest(reading, &reading->queues, node->text);
    if (near)
        mistake(reading, node->mark,
                "there is no queue '%s'; did you mean '%s'?", QUOTE(node->text),
                near);
    else
        mistake(reading, node->mark,
                "there is no queue '%s'; declare it: queues: { %s: {} }",
                QUOTE(node->text),
                text_is_name(node->text) ? node->text : "NAME");
    return JOB_NONE;
}

bool failed_read(struct reading *reading, const struct node *node, int *out)
{
    if (!node_text(reading, node, "'failed'", "a queue, stdout or drop"))
        return false;
    if (strcmp(node->text, "drop") == 0) {
        *out = JOB_DROP;
    } else if (strcmp(node->text, "stdout") == 0) {
        *out = JOB_STDOUT;
    } else if (strcmp(node->text, "stdin") == 0 ||
               strcmp(node->text, "copy") == 0) {
        mistake(reading, node->mark,
                "'failed' must be a queue, stdout or drop, not '%s'",
                node->text);
        return false;
    } else {
        *out = queue_find(reading, node, "'failed'");
    }
    return *out != JOB_NONE;
}

/* The only key of a map that has a reserved one; NULL: it has none. */
static struct node *reserved_key(struct node *map)
{
    for (struct node *k = map->first; k; k = k->next)
        if (k->kind == NODE_TEXT && name_is_reserved(k->text))
            return k;
    return NULL;
}

static bool stands_alone(struct reading *reading, const struct node *map,
                         const struct node *key)
{
    if (map->count == 1)
        return true;
    mistake(reading, key->mark,
            "'%s' stands alone in its braces; to wire several outputs, write "
            "to: { OUTPUT: { %s: ... }, ... }",
            key->text, key->text);
    return false;
}

/* ---------------------------------------------------------------- from ---- */

static bool add_from(struct reading *reading, int stage, int queue,
                     struct mark mark)
{
    int *slot = VEC_ADD(&reading->job->stages.at[stage].from);
    struct mark *place = VEC_ADD(&reading->raw.at[stage].from_marks);

    if (!slot || !place) {
        starved(reading);
        return false;
    }
    *slot = queue;
    *place = mark;
    return true;
}

static bool from_queue(struct reading *reading, int stage,
                       const struct node *node)
{
    struct job_queue *queue;
    const char *name;
    int number = queue_find(reading, node, "'from'");

    if (number < 0)
        return false;
    queue = &reading->job->queues.at[number];
    if (queue->consumer == stage) {
        mistake(reading, node->mark, "queue '%s' is there twice", queue->name);
        return false;
    }
    if (queue->consumer >= 0) {
        name = reading->job->stages.at[queue->consumer].name;
        mistake(reading, node->mark,
                "queue '%s' feeds stage '%s' already, and a queue feeds one "
                "stage; to give both each item, fill a queue for each with "
                "{ copy: [...] }",
                queue->name, name ? name : "?");
        return false;
    }
    queue->consumer = stage;
    return add_from(reading, stage, number, node->mark);
}

static bool from_stdin(struct reading *reading, int stage, struct mark mark)
{
    if (reading->job->uses_stdin) {
        mistake(reading, mark,
                "stdin feeds the stage in line %u already; only one stage can "
                "read it",
                reading->stdin_mark.line);
        return false;
    }
    reading->job->uses_stdin = true;
    reading->stdin_mark = mark;
    return add_from(reading, stage, JOB_STDIN, mark);
}

static bool from_text(struct reading *reading, int stage,
                      const struct node *node, bool in_list)
{
    if (!node_text(reading, node, "'from'",
                   "a queue, a list of queues, or stdin"))
        return false;
    if (strcmp(node->text, "stdin") == 0) {
        if (!in_list)
            return from_stdin(reading, stage, node->mark);
        mistake(reading, node->mark,
                "stdin cannot stand in a list; a stage that reads it has no "
                "queues beside it");
        return false;
    }
    if (name_is_reserved(node->text)) {
        mistake(reading, node->mark, "no stage can take items from '%s'",
                node->text);
        return false;
    }
    return from_queue(reading, stage, node);
}

/* { stdin: { as: blocks } } */
static bool from_map(struct reading *reading, int stage, struct node *map)
{
    struct node *key = map->first;
    struct slots slots;
    unsigned as = STDIN_LINES;

    if (!key || key->kind != NODE_TEXT || strcmp(key->text, "stdin") != 0) {
        if (!key || key->kind == NODE_TEXT)
            mistake(reading, map->mark,
                    "'from' must be a queue, a list of queues, stdin, or "
                    "{ stdin: { as: lines } }");
        return false;
    }
    if (!stands_alone(reading, map, key))
        return false;
    if (key->value->kind == NODE_MAP) {
        slots_read(reading, key->value, LEVEL_STDIN, stage, -1, &slots);
        if (slots.value[STDIN_AS] &&
            !value_choice(reading, &slots, STDIN_AS, &as))
            return false;
    } else if (!node_is_null(key->value)) {
        if (key->value->kind != NODE_BAD)
            mistake(reading, key->value->mark,
                    "write { stdin: { as: lines } }, with lines, blocks or "
                    "whole");
        return false;
    }
    reading->job->stdin_as = (enum stdin_as)as;
    return from_stdin(reading, stage, key->mark);
}

static void from_read(struct reading *reading, int stage)
{
    struct raw_stage *raw = &reading->raw.at[stage];
    struct node *node = raw->slots.value[STAGE_FROM];
    bool good = true;

    if (!node)
        return;
    if (node->kind == NODE_MAP) {
        good = from_map(reading, stage, node);
    } else if (node->kind == NODE_LIST) {
        for (struct node *n = node->first; n && reading->code == 0; n = n->next)
            good &= from_text(reading, stage, n, true);
        if (node->count == 0)
            mistake(reading, node->mark,
                    "'from' has an empty list; name a queue");
        good &= node->count > 0;
    } else {
        good = from_text(reading, stage, node, false);
    }
    raw->bad_from = !good;
}

/* ------------------------------------------------------------------ to ---- */

/* What one output is given to: places are added. */
struct target {
    struct reading *reading;
    int stage;
    struct job_output *output;
    const char *what; /* "'to'" */
};

static bool add_place(struct target *target, int place, const struct node *node)
{
    struct job_output *output = target->output;
    int *slot;

    for (size_t i = 0; i < output->to.count; i++)
        if (output->to.at[i] == place) {
            mistake(target->reading, node->mark,
                    "'%s' is there twice: each place gets one copy",
                    node->kind == NODE_TEXT ? node->text : "stdout");
            return false;
        }
    if (output->to.count == COPIES_MOST) {
        mistake(target->reading, node->mark, "more than %d copies of an item",
                COPIES_MOST);
        return false;
    }
    slot = VEC_ADD(&output->to);
    if (!slot) {
        starved(target->reading);
        return false;
    }
    *slot = place;
    return true;
}

static bool to_text(struct target *target, const struct node *node)
{
    struct reading *reading = target->reading;
    int queue;

    if (strcmp(node->text, "drop") == 0)
        return add_place(target, JOB_DROP, node);
    if (strcmp(node->text, "stdout") == 0) {
        reading->job->uses_stdout = true;
        return add_place(target, JOB_STDOUT, node);
    }
    if (name_is_reserved(node->text)) {
        mistake(reading, node->mark,
                strcmp(node->text, "copy") == 0
                    ? "'%s' needs its list: { copy: [QUEUE, QUEUE] }"
                    : "nothing can be written to '%s'",
                node->text);
        return false;
    }
    queue = queue_find(reading, node, target->what);
    return queue >= 0 && add_place(target, queue, node);
}

/* { stdout: { frame: nul } } */
static bool to_stdout(struct target *target, const struct node *key)
{
    struct reading *reading = target->reading;
    struct node *value = key->value;
    unsigned frame = FRAME_LINE;
    struct slots slots;

    if (value->kind == NODE_MAP) {
        slots_read(reading, value, LEVEL_STDOUT, target->stage, -1, &slots);
        if (slots.value[STDOUT_FRAME]) {
            if (!value_choice(reading, &slots, STDOUT_FRAME, &frame))
                return false;
            if (reading->frame_said &&
                reading->job->stdout_frame != (enum frame)frame) {
                mistake(reading, slots.value[STDOUT_FRAME]->mark,
                        "stdout has another frame in line %u; there is one "
                        "for a whole job",
                        reading->frame_mark.line);
                return false;
            }
            reading->frame_said = true;
            reading->frame_mark = slots.value[STDOUT_FRAME]->mark;
            reading->job->stdout_frame = (enum frame)frame;
        }
    } else if (!node_is_null(value)) {
        if (value->kind != NODE_BAD)
            mistake(reading, value->mark,
                    "write { stdout: { frame: line } }, with line, nul or raw");
        return false;
    }
    reading->job->uses_stdout = true;
    return add_place(target, JOB_STDOUT, key);
}

static bool to_place(struct target *target, struct node *node);

static bool to_copy(struct target *target, const struct node *key)
{
    const struct node *list = key->value;
    bool good = true;

    if (list->kind != NODE_LIST || list->count == 0) {
        if (list->kind != NODE_BAD)
            mistake(target->reading,
                    list->kind == NODE_LIST ? list->mark : key->mark,
                    "'copy' needs a list: { copy: [QUEUE, QUEUE] }");
        return false;
    }
    for (struct node *n = list->first; n && target->reading->code == 0;
         n = n->next)
        good &= to_place(target, n);
    return good;
}

static bool to_reserved(struct target *target, const struct node *map,
                        struct node *key)
{
    if (!stands_alone(target->reading, map, key))
        return false;
    if (strcmp(key->text, "copy") == 0)
        return to_copy(target, key);
    if (strcmp(key->text, "stdout") == 0)
        return to_stdout(target, key);
    mistake(target->reading, key->mark,
            strcmp(key->text, "drop") == 0
                ? "'%s' takes nothing: write it without braces"
                : "nothing can be written to '%s'",
            key->text);
    return false;
}

/* Nested at most as deep as the file is. */
static bool to_place(struct target *target, struct node *node)
{
    struct reading *reading = target->reading;
    struct node *key;

    if (node->kind == NODE_LIST) {
        mistake(reading, node->mark,
                "%s cannot be a list: write { copy: [QUEUE, QUEUE] } to give "
                "each its own copy",
                target->what);
        return false;
    }
    if (node->kind == NODE_MAP) {
        key = reserved_key(node);
        if (key)
            return to_reserved(target, node, key);
        mistake(reading, node->mark,
                "outputs cannot stand here; this is one place: a queue, "
                "stdout, drop or { copy: [...] }");
        return false;
    }
    if (!node_text(reading, node, target->what, "a queue, stdout or drop"))
        return false;
    return to_text(target, node);
}

static bool add_output(struct reading *reading, int stage,
                       const struct node *key, struct node *value)
{
    struct raw_stage *raw = &reading->raw.at[stage];
    struct job_output *output = VEC_ADD(
        &reading->job->stages.at[stage].outputs);
    struct mark *mark = VEC_ADD(&raw->output_marks);
    char what[80] = "'to'";
    struct target target = { reading, stage, output, what };

    if (!output || !mark) {
        starved(reading);
        return false;
    }
    *mark = value->mark;
    if (key) {
        *mark = key->mark;
        output->name = keep_copy(reading, key->text);
        snprintf(what, sizeof what, "output '%.64s'", key->text);
    }
    return to_place(&target, value);
}

static void to_read(struct reading *reading, int stage)
{
    struct raw_stage *raw = &reading->raw.at[stage];
    struct node *node = raw->slots.value[STAGE_TO];
    bool good = true;

    if (!node)
        return;
    raw->one_to = node->kind != NODE_MAP || reserved_key(node);
    if (raw->one_to) {
        raw->bad_to = !add_output(reading, stage, NULL, node);
        return;
    }
    if (node->count == 0)
        mistake(reading, node->mark,
                "'to' has empty braces: write { OUTPUT: QUEUE }");
    for (struct node *k = node->first; k && reading->code == 0; k = k->next)
        if (k->kind == NODE_TEXT)
            good &= add_output(reading, stage, k, k->value);
        else
            good = false;
    raw->bad_to = !good || node->count == 0;
}

/* --------------------------------------------------------------- after ---- */

static void add_after(struct reading *reading, int stage,
                      const struct node *node)
{
    const uintptr_t *number = map_get(&reading->stages, node->text, node->size);
    struct mark *mark;
    const char *near;
    int *slot;

    if (!number) {
        near = map_nearest(reading, &reading->stages, node->text);
        mistake(reading, node->mark, "there is no stage '%s'%s%s%s",
                QUOTE(node->text), near ? "; did you mean '" : "",
                near ? near : "", near ? "'?" : "");
        return;
    }
    if ((int)*number - 1 == stage) {
        mistake(reading, node->mark, "a stage cannot wait for its own end");
        return;
    }
    slot = VEC_ADD(&reading->job->stages.at[stage].after);
    mark = VEC_ADD(&reading->raw.at[stage].after_marks);
    if (!slot || !mark) {
        starved(reading);
        return;
    }
    *slot = (int)*number - 1;
    *mark = node->mark;
}

static void after_read(struct reading *reading, int stage)
{
    struct nodes names = { 0 };

    value_texts(reading, &reading->raw.at[stage].slots, STAGE_AFTER, &names);
    for (size_t i = 0; i < names.list.count && reading->code == 0; i++)
        add_after(reading, stage, names.list.at[i]);
    VEC_DONE(&names.list);
}

void stages_wire(struct reading *reading)
{
    for (size_t i = 0; i < reading->job->stages.count && reading->code == 0;
         i++) {
        struct job_stage *stage = &reading->job->stages.at[i];
        struct raw_stage *raw = &reading->raw.at[i];
        const struct node *failed = raw->slots.value[STAGE_FAILED];

        where_set(reading, "stage", stage->name, i + 1);
        from_read(reading, (int)i);
        to_read(reading, (int)i);
        after_read(reading, (int)i);
        if (failed) {
            raw->failed_mark = failed->mark;
            failed_read(reading, failed, &stage->failed);
            reading->job->uses_stdout |= stage->failed == JOB_STDOUT;
        }
    }
    where_set(reading, NULL, NULL, 0);
}
