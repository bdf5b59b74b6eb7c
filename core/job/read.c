/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read.c - the tree into a struct job: queues, defaults, stages with their
 * parameters. Where stages take and give is wire.c's. Runs in the owner.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "job/internal.h"
#include "shm/shm.h"

void where_set(struct reading *reading, const char *kind, const char *name,
               size_t number)
{
    reading->where = (struct where){ kind, name, number };
}

static void where_words(const struct where *where, char *out, size_t room)
{
    if (where->kind == NULL)
        out[0] = '\0';
    else if (where->name != NULL)
        snprintf(out, room, "%s '%s': ", where->kind, where->name);
    else if (where->number > 0)
        snprintf(out, room, "%s %zu: ", where->kind, where->number);
    else
        snprintf(out, room, "%s: ", where->kind);
}

void mistake(struct reading *reading, struct mark mark, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    char where[96];
    va_list args;

    if (reading->diags->list.count >= DIAGS_MOST) {
        reading->diags->more++;
        return;
    }
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    where_words(&reading->where, where, sizeof where);
    if (!text || diag_add(reading->diags, mark, "%s%s", where, text))
        starved(reading);
}

void starved(struct reading *reading)
{
    reading->code = WEIR_ENOMEM;
}

char *keep_copy(struct reading *reading, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        starved(reading);
    return copy;
}

const char *map_nearest(struct reading *reading, const struct map *map,
                        const char *name)
{
    const char **names;
    const char *near;
    size_t count = 0;

    if (map->count == 0 || map->count > reading->near_left)
        return NULL;
    reading->near_left -= map->count;
    names = calloc(map->count + 1, sizeof *names);
    if (!names) {
        starved(reading);
        return NULL;
    }
    for (size_t i = 0; i < map->room; i++)
        if (map->entries[i].name)
            names[count++] = map->entries[i].name;
    near = text_nearest(name, names);
    free(names);
    return near;
}

bool value_texts(struct reading *reading, const struct slots *slots,
                 enum key_id id, struct nodes *out)
{
    const struct key *key = key_by_id(id);
    const struct node *node = slots->value[id];
    const struct node *entry = node;
    char what[72];
    bool good = true;

    snprintf(what, sizeof what, "'%s'", key->name);
    if (node && node->kind == NODE_LIST)
        entry = node->first;
    for (; entry && reading->code == 0; entry = entry->next) {
        const struct node **slot;

        if (!node_text(reading, entry, what, "a text or a list of texts")) {
            good = false;
        } else {
            slot = VEC_ADD(&out->list);
            if (slot)
                *slot = entry;
            else
                starved(reading);
        }
        if (entry == node)
            break;
    }
    return good;
}

bool name_is_reserved(const char *name)
{
    static const char *const names[] = { "copy", "drop", "stdin", "stdout" };

    for (size_t i = 0; i < 4; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* -------------------------------------------------------------- queues ---- */

static bool queue_name_good(struct reading *reading, const struct node *key)
{
    if (name_is_reserved(key->text)) {
        mistake(reading, key->mark,
                "no queue can be called '%s', which has a meaning of its own",
                key->text);
        return false;
    }
    if (!text_is_name(key->text)) {
        mistake(reading, key->mark,
                "'%s' is no name of a queue: write up to 64 letters, digits, "
                "'-' and '_', beginning with a letter",
                QUOTE(key->text));
        return false;
    }
    return true;
}

/* A name that others know: each leads to one queue of the job. */
static void known_read(struct reading *reading, const struct slots *slots,
                       struct job_queue *queue)
{
    const struct job *job = reading->job;
    const char *name;
    weir_error err;

    if (!value_text(reading, slots, QUEUE_NAME, &name))
        return;
    if (place_check_name(name, &err) < 0) {
        mistake(reading, slots->value[QUEUE_NAME]->mark, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < job->queues.count; i++)
        if (job->queues.at[i].known != NULL &&
            strcmp(job->queues.at[i].known, name) == 0) {
            mistake(reading, slots->value[QUEUE_NAME]->mark,
                    "queue '%s' has the name '%s' already",
                    job->queues.at[i].name, name);
            return;
        }
    queue->known = keep_copy(reading, name);
}

static void queue_keys(struct reading *reading, const struct node *key,
                       int number, struct job_queue *queue)
{
    struct slots slots;
    unsigned overflow;

    if (!key->value || node_is_null(key->value) || key->value->kind == NODE_BAD)
        return;
    if (key->value->kind != NODE_MAP) {
        mistake(reading, key->value->mark,
                "a queue is a map such as { capacity: 64 }, not %s",
                node_words(key->value));
        return;
    }
    slots_read(reading, key->value, LEVEL_QUEUE, -1, number, &slots);
    value_count(reading, &slots, QUEUE_CAPACITY, &queue->capacity);
    queue->bytes_set = value_size(reading, &slots, QUEUE_BYTES, &queue->bytes);
    known_read(reading, &slots, queue);
    if (value_choice(reading, &slots, QUEUE_OVERFLOW, &overflow)) {
        queue->overflow = (enum weir_overflow)overflow;
        queue->overflow_mark = slots.value[QUEUE_OVERFLOW]->mark;
    }
}

static void queue_read(struct reading *reading, const struct node *key)
{
    struct job *job = reading->job;
    struct job_queue *queue;
    uintptr_t *number;

    if (key->kind != NODE_TEXT || !queue_name_good(reading, key))
        return;
    queue = VEC_ADD(&job->queues);
    number = map_put(&reading->queues, key->text, key->size, NULL);
    if (!queue || !number) {
        starved(reading);
        return;
    }
    *number = job->queues.count;
    *queue = (struct job_queue){ .capacity = 1024,
                                 .bytes = 8 << 20,
                                 .mark = key->mark,
                                 .consumer = JOB_NONE };
    queue->name = keep_copy(reading, key->text);
    where_set(reading, "queue", key->text, 0);
    queue_keys(reading, key, (int)job->queues.count - 1, queue);
    where_set(reading, NULL, NULL, 0);
}

static void queues_read(struct reading *reading)
{
    struct node *map = value_map(reading, &reading->top, JOB_QUEUES);

    for (struct node *k = map ? map->first : NULL; k && reading->code == 0;
         k = k->next) {
        if (reading->job->queues.count == JOB_QUEUES_MOST) {
            mistake(reading, k->mark, "a job has at most %d queues",
                    JOB_QUEUES_MOST);
            return;
        }
        queue_read(reading, k);
    }
}

/* ------------------------------------------------------------ defaults ---- */

static void forget(struct slots *slots, enum key_id id, bool good)
{
    if (good)
        return;
    slots->key[id] = slots->value[id] = NULL;
}

/* What is wrong here would be wrong in each stage: it is told once. */
static void defaults_read(struct reading *reading)
{
    struct node *map = value_map(reading, &reading->top, JOB_DEFAULTS);
    struct slots *slots = &reading->defaults;
    uint64_t count;
    unsigned choice;
    int place;

    if (!map)
        return;
    slots_read(reading, map, LEVEL_DEFAULTS, -1, -1, slots);
    where_set(reading, "defaults", NULL, 0);
    forget(slots, STAGE_WORKERS,
           value_count(reading, slots, STAGE_WORKERS, &count));
    forget(slots, STAGE_RETRIES,
           value_count(reading, slots, STAGE_RETRIES, &count));
    forget(slots, STAGE_DISPATCH,
           value_choice(reading, slots, STAGE_DISPATCH, &choice));
    forget(slots, STAGE_ORDER,
           value_choice(reading, slots, STAGE_ORDER, &choice));
    faults_check(reading, slots);
    if (slots->value[STAGE_FAILED])
        forget(slots, STAGE_FAILED,
               failed_read(reading, slots->value[STAGE_FAILED], &place));
    where_set(reading, NULL, NULL, 0);
}

static void defaults_apply(const struct slots *defaults, struct slots *slots)
{
    for (int id = 0; id < KEY_IDS; id++)
        if (!slots->key[id] && defaults->key[id]) {
            slots->key[id] = defaults->key[id];
            slots->value[id] = defaults->value[id];
        }
}

/* ---------------------------------------------------------- parameters ---- */

static void text_add(struct reading *reading, struct job_param *param,
                     const struct node *node)
{
    char **text = VEC_ADD(&param->texts);
    struct mark *mark = VEC_ADD(&param->marks);

    if (!text || !mark) {
        starved(reading);
        return;
    }
    *text = keep_copy(reading, node->text);
    *mark = node->mark;
}

static bool param_texts(struct reading *reading, struct job_param *param,
                        const struct node *node)
{
    static const char kind[] = "a text, a number or a list of texts";
    char what[96];
    bool good = true;

    snprintf(what, sizeof what, "parameter '%.64s'", param->name);
    if (node->kind != NODE_LIST) {
        good = node_text(reading, node, what, kind);
        if (good)
            text_add(reading, param, node);
        return good;
    }
    param->list = true;
    for (const struct node *n = node->first; n && reading->code == 0;
         n = n->next)
        if (node_text(reading, n, what, "a list of texts"))
            text_add(reading, param, n);
        else
            good = false;
    return good;
}

static void param_read(struct reading *reading, int stage, struct node *map,
                       struct node *key)
{
    struct raw_stage *raw = &reading->raw.at[stage];
    struct job_param *param;
    struct node **slot;

    if (key->kind != NODE_TEXT) {
        raw->bad_params = true;
        return;
    }
    if (memchr(key->text, ':', key->size) &&
        (!key->value || node_is_null(key->value))) {
        struct stray stray = { key, map, LEVEL_WITH, stage, -1 };

        raw->bad_params = true;
        stray_explain(reading, &stray);
        return;
    }
    param = VEC_ADD(&reading->job->stages.at[stage].params);
    slot = VEC_ADD(&raw->param_keys);
    if (!param || !slot) {
        starved(reading);
        return;
    }
    *slot = key;
    param->name = keep_copy(reading, key->text);
    param->name_mark = key->mark;
    if (param->name && !param_texts(reading, param, key->value))
        raw->bad_params = true;
}

static void params_read(struct reading *reading, int stage)
{
    struct raw_stage *raw = &reading->raw.at[stage];
    struct node *map = value_map(reading, &raw->slots, STAGE_WITH);
    const struct node *value = raw->slots.value[STAGE_WITH];

    if (!map) {
        raw->bad_params = value && !node_is_null(value);
        return;
    }
    for (struct node *k = map->first; k && reading->code == 0; k = k->next)
        param_read(reading, stage, map, k);
}

/* -------------------------------------------------------------- stages ---- */

static void name_read(struct reading *reading, int number)
{
    struct raw_stage *raw = &reading->raw.at[number];
    const char *name = NULL;
    uintptr_t *slot;
    bool fresh;

    if (!value_name(reading, &raw->slots, STAGE_NAME, &name))
        return;
    slot = map_put(&reading->stages, name, strlen(name), &fresh);
    if (!slot) {
        starved(reading);
        return;
    }
    if (fresh)
        *slot = (uintptr_t)number + 1;
    else
        mistake(reading, raw->slots.value[STAGE_NAME]->mark,
                "the name '%s' is taken by the stage in line %u; each stage "
                "has its own",
                name, reading->job->stages.at[*slot - 1].mark.line);
    reading->job->stages.at[number].name = keep_copy(reading, name);
}

static void refuse_task(struct reading *reading, const struct node *node)
{
    if (strchr(node->text, '/'))
        mistake(reading, node->mark,
                "a task is PLUGIN.TASK, without a path: '%s'; the plugin's "
                "folder goes into 'plugins' or --plugin-path",
                QUOTE(node->text));
    else
        mistake(reading, node->mark,
                "a task is PLUGIN.TASK, such as text.upper, not '%s'",
                QUOTE(node->text));
}

static void task_read(struct reading *reading, int number)
{
    struct job_stage *stage = &reading->job->stages.at[number];
    struct raw_stage *raw = &reading->raw.at[number];
    const struct node *node = raw->slots.value[STAGE_TASK];
    char plugin[66];
    const char *text, *dot;

    raw->bad_task = true;
    if (!value_text(reading, &raw->slots, STAGE_TASK, &text))
        return;
    stage->task_mark = node->mark;
    dot = strchr(text, '.');
    if (!dot || dot - text > 64) {
        refuse_task(reading, node);
        return;
    }
    snprintf(plugin, sizeof plugin, "%.*s", (int)(dot - text), text);
    if (!text_is_name(plugin) || !text_is_name(dot + 1)) {
        refuse_task(reading, node);
        return;
    }
    stage->plugin = keep_copy(reading, plugin);
    stage->task = keep_copy(reading, dot + 1);
    raw->bad_task = false;
}

static void figures_read(struct reading *reading, int number)
{
    struct job_stage *stage = &reading->job->stages.at[number];
    struct raw_stage *raw = &reading->raw.at[number];
    const struct slots *slots = &raw->slots;
    uint64_t workers = 0, retries = 2;
    unsigned dispatch = DISPATCH_ASYNC, order = 0;

    value_count(reading, slots, STAGE_WORKERS, &workers);
    value_count(reading, slots, STAGE_RETRIES, &retries);
    value_choice(reading, slots, STAGE_DISPATCH, &dispatch);
    value_choice(reading, slots, STAGE_ORDER, &order);
    stage->workers = (unsigned)workers;
    stage->retries = (unsigned)retries;
    stage->dispatch = dispatch == 0 ? DISPATCH_ASYNC : DISPATCH_SYNC;
    stage->keeps_order = order != 0;
    key_read(reading, slots, stage);
    faults_read(reading, slots, stage);
}

/* "stage 'count': ", or "stage 2: " while its name is not known. */
static void where_stage(struct reading *reading, const struct node *map,
                        int number)
{
    const struct node *key = map->first;

    while (key && (key->kind != NODE_TEXT || strcmp(key->text, "name") != 0))
        key = key->next;
    if (key && key->value->kind == NODE_TEXT && text_is_name(key->value->text))
        where_set(reading, "stage", key->value->text, 0);
    else
        where_set(reading, "stage", NULL, (size_t)number + 1);
}

static void stage_read(struct reading *reading, struct node *map)
{
    struct job_stage *stage = VEC_ADD(&reading->job->stages);
    struct raw_stage *raw = VEC_ADD(&reading->raw);
    int number = (int)reading->job->stages.count - 1;

    if (!stage || !raw) {
        if (stage)
            reading->job->stages.count--;
        starved(reading);
        return;
    }
    stage->mark = map->mark;
    stage->task_mark = map->mark;
    stage->failed = JOB_NONE;
    raw->map = map;
    where_stage(reading, map, number);
    slots_read(reading, map, LEVEL_STAGE, number, -1, &raw->slots);
    raw->own_workers = raw->slots.key[STAGE_WORKERS] != NULL;
    raw->own_failed = raw->slots.key[STAGE_FAILED] != NULL;
    raw->own_recycle = raw->slots.key[STAGE_RECYCLE] != NULL;
    raw->own_order = raw->slots.key[STAGE_ORDER] != NULL;
    defaults_apply(&reading->defaults, &raw->slots);
    name_read(reading, number);
    task_read(reading, number);
    params_read(reading, number);
    figures_read(reading, number);
    where_set(reading, NULL, NULL, 0);
}

static void stages_read(struct reading *reading)
{
    const struct node *key = reading->top.key[JOB_STAGES];
    const struct node *list = reading->top.value[JOB_STAGES];

    if (!list || list->kind == NODE_BAD)
        return;
    if (list->kind != NODE_LIST || list->count == 0) {
        mistake(reading, list->kind == NODE_MAP ? list->mark : key->mark,
                "'stages' must be a list of at least one stage: begin each "
                "with '- name: NAME'");
        return;
    }
    for (struct node *n = list->first; n && reading->code == 0; n = n->next)
        if (n->kind == NODE_MAP &&
            reading->job->stages.count < JOB_WORKERS_MOST)
            stage_read(reading, n);
        else if (n->kind == NODE_MAP) {
            mistake(reading, n->mark, "a job has at most %d stages",
                    JOB_WORKERS_MOST);
            return;
        } else {
            reading->holes = true;
            if (n->kind != NODE_BAD)
                mistake(reading, n->mark,
                        "a stage is a map (name: ..., task: ...), not %s",
                        node_words(n));
        }
}

static void plugins_read(struct reading *reading)
{
    struct nodes folders = { 0 };

    value_texts(reading, &reading->top, JOB_PLUGINS, &folders);
    for (size_t i = 0; i < folders.list.count && reading->code == 0; i++) {
        char **slot = VEC_ADD(&reading->job->plugins);

        if (slot)
            *slot = keep_copy(reading, folders.list.at[i]->text);
        else
            starved(reading);
    }
    VEC_DONE(&folders.list);
}

void job_read(struct reading *reading, struct node *root)
{
    const char *text = NULL;
    uint64_t version;

    slots_read(reading, root, LEVEL_JOB, -1, -1, &reading->top);
    vars_read(reading);
    for (struct node *k = root->first; k; k = k->next)
        if (k != reading->top.key[JOB_VARS])
            tree_expand(reading, k->value);
    value_count(reading, &reading->top, JOB_WEIR, &version);
    if (value_name(reading, &reading->top, JOB_JOB, &text))
        reading->job->name = keep_copy(reading, text);
    if (value_text(reading, &reading->top, JOB_DESCRIPTION, &text))
        reading->job->description = keep_copy(reading, text);
    deadline_read(reading);
    plugins_read(reading);
    queues_read(reading);
    defaults_read(reading);
    stages_read(reading);
    stages_wire(reading);
}
