/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schema.c - the one table of keys, and a map's keys against it. Runs in the
 * owner.
 *
 * The table gives the parser its names, types, bounds and defaults, the
 * messages their nearest names and right levels, and the manual its rows (a
 * test compares them). Keys that a later version will have stand in it too:
 * they are refused as such, not as misspelt.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "job/internal.h"

#define LATER(level_, name_)                                                   \
    {                                                                          \
        .level = (level_), .name = (name_), .type = KEY_TEXT, .id = KEY_LATER  \
    }
#define KEY(level_, name_, type_, id_, ...)                                    \
    {                                                                          \
        .level = (level_), .name = (name_), .type = (type_), .id = (id_),      \
        .since = "0.1", __VA_ARGS__                                            \
    }

const struct key job_keys[] = {
    KEY(LEVEL_JOB, "weir", KEY_COUNT, JOB_WEIR, .min = "1", .max = "1",
        .required = true, .summary = "version of the form of this file"),
    KEY(LEVEL_JOB, "job", KEY_NAME, JOB_JOB, .required = true,
        .summary = "name of the job"),
    KEY(LEVEL_JOB, "description", KEY_TEXT, JOB_DESCRIPTION,
        .summary = "what it does, for people"),
    KEY(LEVEL_JOB, "plugins", KEY_TEXTS, JOB_PLUGINS,
        .summary = "folders of plugins, relative to the job file"),
    KEY(LEVEL_JOB, "vars", KEY_MAP, JOB_VARS, .summary = "variables, by name"),
    KEY(LEVEL_JOB, "defaults", KEY_MAP, JOB_DEFAULTS,
        .summary = "stage keys for all stages that do not say otherwise"),
    KEY(LEVEL_JOB, "queues", KEY_MAP, JOB_QUEUES, .summary = "queues, by name"),
    KEY(LEVEL_JOB, "stages", KEY_LIST, JOB_STAGES, .required = true,
        .summary = "the list of stages"),
    KEY(LEVEL_JOB, "deadline", KEY_DURATION, JOB_DEADLINE, .min = "1ms",
        .max = "365d", .summary = "longest time of a run"),
    KEY(LEVEL_VAR, "type", KEY_CHOICE, VAR_TYPE, .value = "text",
        .words = "text uint int real bool size duration",
        .summary = "what its value must be"),
    KEY(LEVEL_VAR, "default", KEY_TEXT, VAR_DEFAULT,
        .summary = "its value without --set; without one, --set is needed"),
    KEY(LEVEL_VAR, "description", KEY_TEXT, VAR_DESCRIPTION,
        .summary = "what it is for"),
    KEY(LEVEL_QUEUE, "capacity", KEY_COUNT, QUEUE_CAPACITY, .value = "1024",
        .min = "1", .max = "1000000", .summary = "most items in it"),
    KEY(LEVEL_QUEUE, "bytes", KEY_SIZE, QUEUE_BYTES, .value = "8 MiB",
        .min = "1 B", .max = "64 GiB", .summary = "most bytes in it"),
    KEY(LEVEL_QUEUE, "name", KEY_TEXT, QUEUE_NAME,
        .summary = "other programs know it by this name"),
    KEY(LEVEL_QUEUE, "overflow", KEY_CHOICE, QUEUE_OVERFLOW, .value = "block",
        .words = "block fail drop-new drop-old",
        .summary = "what is given while it is full"),
    LATER(LEVEL_QUEUE, "priority"),
    LATER(LEVEL_QUEUE, "url"),
    KEY(LEVEL_STAGE, "name", KEY_NAME, STAGE_NAME, .required = true,
        .summary = "its name, once in a job"),
    KEY(LEVEL_STAGE, "task", KEY_TEXT, STAGE_TASK, .required = true,
        .summary = "PLUGIN.TASK"),
    KEY(LEVEL_STAGE, "with", KEY_MAP, STAGE_WITH,
        .summary = "the task's parameters"),
    KEY(LEVEL_STAGE, "from", KEY_TARGET, STAGE_FROM,
        .summary = "where its items come from"),
    KEY(LEVEL_STAGE, "to", KEY_TARGET, STAGE_TO,
        .summary = "where its outputs go"),
    KEY(LEVEL_STAGE, "workers", KEY_COUNT, STAGE_WORKERS, .min = "1",
        .max = "4000", .defaults = true, .summary = "processes that run it"),
    KEY(LEVEL_STAGE, "dispatch", KEY_CHOICE, STAGE_DISPATCH, .value = "async",
        .words = "async sync", .defaults = true,
        .summary = "all workers busy, or one item after another"),
    KEY(LEVEL_STAGE, "retries", KEY_COUNT, STAGE_RETRIES, .value = "2",
        .min = "0", .max = "60000", .defaults = true,
        .summary = "further attempts at an item after the first"),
    KEY(LEVEL_STAGE, "timeout", KEY_EITHER, STAGE_TIMEOUT, .defaults = true,
        .summary = "longest time of one attempt at one item"),
    KEY(LEVEL_STAGE, "heartbeat", KEY_DURATION, STAGE_HEARTBEAT, .min = "10ms",
        .max = "365d", .defaults = true,
        .summary = "longest time without a sign of life of the task"),
    KEY(LEVEL_STAGE, "memory", KEY_SIZE, STAGE_MEMORY, .min = "1 MiB",
        .max = "64 TiB", .defaults = true,
        .summary = "most memory of one worker"),
    KEY(LEVEL_STAGE, "after", KEY_TEXTS, STAGE_AFTER,
        .summary = "stages that must have ended first"),
    KEY(LEVEL_STAGE, "failed", KEY_TARGET, STAGE_FAILED, .defaults = true,
        .summary = "where items go that failed for good"),
    KEY(LEVEL_STAGE, "backoff", KEY_EITHER, STAGE_BACKOFF, .defaults = true,
        .summary = "wait before an item is tried again"),
    KEY(LEVEL_STAGE, "halt", KEY_EITHER, STAGE_HALT, .defaults = true,
        .summary = "failures that end the run"),
    KEY(LEVEL_STAGE, "order", KEY_CHOICE, STAGE_ORDER, .value = "any",
        .words = "any keep", .defaults = true,
        .summary = "whether outputs come in the order of the inputs"),
    KEY(LEVEL_STAGE, "key", KEY_NAME, STAGE_KEY,
        .summary = "attribute; items with one value go to one worker"),
    KEY(LEVEL_STAGE, "recycle", KEY_EITHER, STAGE_RECYCLE, .defaults = true,
        .summary = "when a worker is replaced by a new one"),
    LATER(LEVEL_STAGE, "batch"),
    LATER(LEVEL_STAGE, "rate"),
    LATER(LEVEL_STAGE, "nice"),
    LATER(LEVEL_STAGE, "cpus"),
    LATER(LEVEL_STAGE, "sandbox"),
    LATER(LEVEL_STAGE, "resources"),
    LATER(LEVEL_STAGE, "atomic"),
    KEY(LEVEL_LIMIT, "soft", KEY_DURATION, LIMIT_SOFT, .min = "1ms",
        .max = "365d", .summary = "then the task is told"),
    KEY(LEVEL_LIMIT, "hard", KEY_DURATION, LIMIT_HARD, .min = "1ms",
        .max = "365d", .summary = "then its worker is killed"),
    KEY(LEVEL_BACKOFF, "error", KEY_EITHER, BACKOFF_ERROR,
        .summary = "the wait after an error that the task calls transient"),
    KEY(LEVEL_BACKOFF, "crash", KEY_EITHER, BACKOFF_CRASH,
        .summary = "the wait after the death of a worker"),
    KEY(LEVEL_BACKOFF, "timeout", KEY_EITHER, BACKOFF_TIMEOUT,
        .summary = "the wait after a time limit"),
    KEY(LEVEL_WAIT, "first", KEY_DURATION, WAIT_FIRST, .min = "1ms",
        .max = "365d", .summary = "before the second attempt"),
    KEY(LEVEL_WAIT, "factor", KEY_REAL, WAIT_FACTOR, .value = "2", .min = "1",
        .max = "1000", .summary = "how much longer each time"),
    KEY(LEVEL_WAIT, "most", KEY_DURATION, WAIT_MOST, .value = "5min",
        .min = "1ms", .max = "365d", .summary = "no wait is longer"),
    KEY(LEVEL_WAIT, "jitter", KEY_SHARE, WAIT_JITTER, .value = "0%",
        .min = "0%", .max = "100%", .summary = "part of it that is chance"),
    KEY(LEVEL_HALT, "failures", KEY_COUNT, HALT_FAILURES, .min = "1",
        .max = "1000000000000", .summary = "so many items that failed"),
    KEY(LEVEL_HALT, "share", KEY_SHARE, HALT_SHARE, .min = "0.001%",
        .max = "100%", .summary = "such a share of all items that ended"),
    KEY(LEVEL_HALT, "within", KEY_DURATION, HALT_WITHIN, .min = "1s",
        .max = "365d", .summary = "count failures of this time only"),
    KEY(LEVEL_HALT, "least", KEY_COUNT, HALT_LEAST, .value = "20", .min = "1",
        .max = "1000000000000", .summary = "items before a share counts"),
    KEY(LEVEL_HALT, "how", KEY_CHOICE, HALT_HOW, .value = "soon",
        .words = "soon now", .summary = "finish what is in flight, or not"),
    KEY(LEVEL_RECYCLE, "items", KEY_COUNT, RECYCLE_ITEMS, .min = "1",
        .max = "1000000000000", .summary = "after so many items"),
    KEY(LEVEL_RECYCLE, "age", KEY_DURATION, RECYCLE_AGE, .min = "100ms",
        .max = "365d", .summary = "after such a time"),
    KEY(LEVEL_RECYCLE, "memory", KEY_SIZE, RECYCLE_MEMORY, .min = "1 MiB",
        .max = "64 TiB", .summary = "when it has so much"),
    KEY(LEVEL_STDIN, "as", KEY_CHOICE, STDIN_AS, .value = "lines",
        .words = "lines blocks whole", .summary = "what becomes an item"),
    KEY(LEVEL_STDOUT, "frame", KEY_CHOICE, STDOUT_FRAME, .value = "line",
        .words = "line nul raw", .summary = "what stands behind an item"),
    { .name = NULL },
};

/* The level as messages name it. */
static const char *const level_words[] = {
    [LEVEL_JOB] = "the job",         [LEVEL_VAR] = "a variable",
    [LEVEL_QUEUE] = "a queue",       [LEVEL_STAGE] = "a stage",
    [LEVEL_DEFAULTS] = "'defaults'", [LEVEL_HALT] = "'halt'",
    [LEVEL_LIMIT] = "'timeout'",     [LEVEL_BACKOFF] = "'backoff'",
    [LEVEL_WAIT] = "a wait",         [LEVEL_STDIN] = "'stdin'",
    [LEVEL_STDOUT] = "'stdout'",     [LEVEL_WITH] = "'with'",
    [LEVEL_RECYCLE] = "'recycle'",
};

static bool stands_at(const struct key *key, enum level level)
{
    if (level == LEVEL_DEFAULTS)
        return key->level == LEVEL_STAGE &&
               (key->defaults || key->id == KEY_LATER);
    /* `backoff` has the keys of a wait, for what it does not name apart. */
    return key->level == level ||
           (level == LEVEL_BACKOFF && key->level == LEVEL_WAIT);
}

const struct key *key_find(enum level level, const char *name, size_t size)
{
    for (const struct key *key = job_keys; key->name; key++)
        if (stands_at(key, level) && strlen(key->name) == size &&
            memcmp(key->name, name, size) == 0)
            return key;
    return NULL;
}

const struct key *key_by_id(enum key_id id)
{
    const struct key *key = job_keys;

    while (key->name && key->id != id)
        key++;
    return key;
}

const char *node_words(const struct node *node)
{
    if (node->kind == NODE_LIST)
        return "a list";
    if (node->kind == NODE_MAP)
        return "a map";
    return node->plain ? "a plain text" : "a text in quotes";
}

bool node_is_null(const struct node *node)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL" };

    if (node->kind != NODE_TEXT || !node->plain || node->varied)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(node->text, words[i]) == 0)
            return true;
    return false;
}

/* The names of a level, for text_nearest and lists; room for all. */
static size_t level_names(enum level level, const char **out)
{
    size_t count = 0;

    for (const struct key *key = job_keys; key->name; key++)
        if (stands_at(key, level) && key->id != KEY_LATER)
            out[count++] = key->name;
    out[count] = NULL;
    return count;
}

enum { NAMES_ROOM = 64 };

static const char *level_nearest(enum level level, const char *name)
{
    const char *names[NAMES_ROOM];

    level_names(level, names);
    return text_nearest(name, names);
}

/* ------------------------------------------------------------- reading ---- */

static void stray_add(struct reading *reading, struct stray stray)
{
    struct stray *slot;

    if (reading->strays.count >= DIAGS_MOST) {
        reading->diags->more++;
        return;
    }
    slot = VEC_ADD(&reading->strays);
    if (slot)
        *slot = stray;
    else
        starved(reading);
}

static void missing_tell(struct reading *reading, const struct node *map,
                         enum level level, const struct slots *slots)
{
    struct mark mark = { map->mark.line, map->mark.column, 0 };

    for (const struct key *key = job_keys; key->name; key++)
        if (key->required && stands_at(key, level) && !slots->key[key->id] &&
            !slots->meant[key->id])
            mistake(reading, mark, "'%s' is missing: %s", key->name,
                    key->summary);
}

/* What a stray may stand for: of that, nobody says that it is missing. */
static void note_meant(enum level level, const struct node *key,
                       struct slots *slots)
{
    const char *colon = memchr(key->text, ':', key->size);
    const struct key *meant = NULL;
    const char *near;

    if (colon)
        meant = key_find(level, key->text, (size_t)(colon - key->text));
    near = meant ? NULL : level_nearest(level, key->text);
    if (near)
        meant = key_find(level, near, strlen(near));
    if (meant && meant->id != KEY_LATER)
        slots->meant[meant->id] = true;
}

void slots_read(struct reading *reading, struct node *map, enum level level,
                int stage, int queue, struct slots *out)
{
    *out = (struct slots){ .meant = { false } };
    for (struct node *k = map->first; k && reading->code == 0; k = k->next) {
        const struct key *key;

        if (k->kind != NODE_TEXT)
            continue;
        key = key_find(level, k->text, k->size);
        if (key && key->id == KEY_LATER) {
            mistake(reading, k->mark, "'%s' is not in this version", key->name);
        } else if (key) {
            out->key[key->id] = k;
            out->value[key->id] = k->value;
        } else {
            if (reading->strays.count < DIAGS_MOST)
                note_meant(level, k, out);
            stray_add(reading, (struct stray){ k, map, level, stage, queue });
        }
    }
    missing_tell(reading, map, level, out);
}

/* -------------------------------------------------------------- strays ---- */

static bool tell_form(struct reading *reading, const struct stray *stray)
{
    const struct node *key = stray->key;
    const char *colon = memchr(key->text, ':', key->size);
    bool empty = !key->value || node_is_null(key->value);

    if (strcmp(key->text, "<<") == 0) {
        mistake(reading, key->mark,
                "a job file has no '<<'; what stages share goes into "
                "'defaults'");
        return true;
    }
    if (colon && empty && key->plain) {
        char name[65];

        snprintf(name, sizeof name, "%.*s",
                 (int)(colon - key->text > 64 ? 64 : colon - key->text),
                 key->text);
        mistake(reading, key->mark,
                "a space is missing after the colon in '%s'; write '%s: %s'",
                QUOTE(key->text), QUOTE(name), QUOTE(colon + 1));
        return true;
    }
    if (key->text[0] == '-' && key->size > 1) {
        mistake(reading, key->mark,
                "a space is missing after the dash of '%s'; write '- %s'",
                QUOTE(key->text), QUOTE(key->text + 1));
        return true;
    }
    return false;
}

/* A stage's key under its `with`. */
static bool tell_with(struct reading *reading, const struct stray *stray)
{
    const struct node *key = stray->key;
    const struct node *stage = reading->raw.at[stray->stage].map;

    if (!key_find(LEVEL_STAGE, key->text, key->size))
        return false;
    if (!stray->map->flow && !stage->flow &&
        key->mark.column > stage->mark.column)
        mistake(reading, key->mark,
                "'%s' belongs to the stage, not to 'with': indent it %u less",
                key->text, key->mark.column - stage->mark.column);
    else
        mistake(reading, key->mark,
                "'%s' belongs to the stage, not to 'with': move it behind "
                "the braces of 'with'",
                key->text);
    return true;
}

/* A key that stands at a wrong level. */
static bool tell_level(struct reading *reading, const struct stray *stray)
{
    static const enum level levels[] = { LEVEL_STAGE, LEVEL_QUEUE, LEVEL_JOB,
                                         LEVEL_VAR };
    const struct node *key = stray->key;
    const struct key *found = NULL;

    for (size_t i = 0; i < 4 && !found; i++)
        if (levels[i] != stray->level)
            found = key_find(levels[i], key->text, key->size);
    if (!found)
        return false;
    if (stray->level == LEVEL_DEFAULTS && found->level == LEVEL_STAGE)
        mistake(reading, key->mark,
                "'%s' is each stage's own: it cannot stand in 'defaults'",
                key->text);
    else if (stray->level == LEVEL_JOB && found->level == LEVEL_STAGE)
        mistake(reading, key->mark,
                "'%s' belongs to a stage, not to the job: indent it like the "
                "stage's 'name'%s",
                key->text, found->defaults ? ", or put it in 'defaults'" : "");
    else if (found->level == LEVEL_JOB && !stray->map->flow &&
             key->mark.column > 1)
        mistake(reading, key->mark,
                "'%s' belongs to the job, not to %s: indent it %u less",
                key->text, level_words[stray->level], key->mark.column - 1);
    else
        mistake(reading, key->mark, "'%s' belongs to %s, not to %s", key->text,
                level_words[found->level], level_words[stray->level]);
    return true;
}

static const struct param_desc *param_find(const struct task_desc *desc,
                                           const char *name)
{
    for (size_t i = 0; i < desc->params.count; i++)
        if (strcmp(desc->params.at[i].name, name) == 0)
            return &desc->params.at[i];
    return NULL;
}

/* A parameter that stands beside `with`. */
static bool tell_param(struct reading *reading, const struct stray *stray)
{
    const struct job_stage *stage;

    if (stray->level != LEVEL_STAGE || stray->stage < 0)
        return false;
    stage = &reading->job->stages.at[stray->stage];
    if (!reading->raw.at[stray->stage].described ||
        !param_find(&stage->desc, stray->key->text))
        return false;
    mistake(reading, stray->key->mark,
            "'%s' is a parameter of task '%s.%s': put it under 'with'",
            stray->key->text, stage->plugin, stage->task);
    return true;
}

static void tell_unknown(struct reading *reading, const struct stray *stray)
{
    const char *names[NAMES_ROOM], *near;
    CLEANUP_BUF struct buf all = { 0 };
    size_t count = level_names(stray->level, names);

    near = text_nearest(stray->key->text, names);
    if (near) {
        mistake(reading, stray->key->mark,
                "unknown key '%s'; did you mean '%s'?", QUOTE(stray->key->text),
                near);
        return;
    }
    for (size_t i = 0; i < count; i++)
        buf_printf(&all, "%s%s", i > 0 ? ", " : "", names[i]);
    if (all.failed) {
        starved(reading);
        return;
    }
    mistake(reading, stray->key->mark, "unknown key '%s'; %s has %s",
            QUOTE(stray->key->text), level_words[stray->level], all.data);
}

bool stray_explain(struct reading *reading, const struct stray *stray)
{
    if (tell_form(reading, stray))
        return true;
    if (stray->level == LEVEL_WITH)
        return tell_with(reading, stray);
    return tell_level(reading, stray) || tell_param(reading, stray);
}

static void set_where(struct reading *reading, const struct stray *stray)
{
    const char *kind = stray->stage >= 0 ? "stage" : "queue";
    const char *name = NULL;

    if (stray->stage >= 0)
        name = reading->job->stages.at[stray->stage].name;
    else if (stray->queue >= 0)
        name = reading->job->queues.at[stray->queue].name;
    where_set(reading, name ? kind : NULL, name, 0);
}

void strays_tell(struct reading *reading)
{
    for (size_t i = 0; i < reading->strays.count && reading->code == 0; i++) {
        const struct stray *stray = &reading->strays.at[i];

        set_where(reading, stray);
        if (!stray_explain(reading, stray))
            tell_unknown(reading, stray);
    }
    where_set(reading, NULL, NULL, 0);
}
