/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * faults.c - what a stage does about faults: keys that are one value or a map
 * of several. Runs in the owner.
 *
 * `halt: 10` is short for `halt: { failures: 10 }`: the one value is that of
 * the key that is meant nearly always, and messages call it by the name that
 * stands in the file.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "job/internal.h"

/* A key that is a map, or one value that stands for @usual in it. False: there
 * is nothing, or a mistake was told. */
static bool open_key(struct reading *reading, const struct slots *stage,
                     enum key_id id, enum level level, enum key_id usual,
                     struct slots *out)
{
    struct node *node = stage->value[id];

    *out = (struct slots){ .meant = { false } };
    if (!node || node->kind == NODE_BAD)
        return false;
    if (node->kind == NODE_MAP) {
        slots_read(reading, node, level, -1, -1, out);
        return true;
    }
    reading->alias = key_by_id(id)->name;
    out->key[usual] = stage->key[id];
    out->value[usual] = node;
    return true;
}

/* How many mistakes there are so far. */
static size_t told(const struct reading *reading)
{
    return reading->diags->list.count + reading->diags->more +
           reading->strays.count;
}

/* -------------------------------------------------------------- limits ---- */

static void timeout_read(struct reading *reading, const struct slots *stage,
                         struct job_stage *out)
{
    struct slots keys;

    out->timeout_ns = out->soft_ns = FOREVER;
    if (!open_key(reading, stage, STAGE_TIMEOUT, LEVEL_LIMIT, LIMIT_HARD,
                  &keys))
        return;
    if (keys.key[LIMIT_HARD])
        value_duration(reading, &keys, LIMIT_HARD, &out->timeout_ns);
    if (keys.key[LIMIT_SOFT])
        value_duration(reading, &keys, LIMIT_SOFT, &out->soft_ns);
    reading->alias = NULL;
    if (out->soft_ns != FOREVER && out->soft_ns >= out->timeout_ns)
        mistake(reading, keys.value[LIMIT_SOFT]->mark,
                "'soft' must be less than 'hard': the task could do nothing "
                "between the two");
}

static void limits_read(struct reading *reading, const struct slots *stage,
                        struct job_stage *out)
{
    timeout_read(reading, stage, out);
    out->heartbeat_ns = FOREVER;
    if (stage->key[STAGE_HEARTBEAT])
        value_duration(reading, stage, STAGE_HEARTBEAT, &out->heartbeat_ns);
    if (out->heartbeat_ns != FOREVER && out->heartbeat_ns >= out->timeout_ns)
        mistake(reading, stage->value[STAGE_HEARTBEAT]->mark,
                "'heartbeat' must be less than 'timeout', which strikes first");
    out->memory = 0;
    if (stage->key[STAGE_MEMORY])
        value_size(reading, stage, STAGE_MEMORY, &out->memory);
}

/* ------------------------------------------------------------- backoff ---- */

/* One value: the same wait each time. */
static void wait_take(struct reading *reading, const struct slots *keys,
                      struct job_wait *wait)
{
    const struct node *most = keys->key[WAIT_MOST];

    *wait = (struct job_wait){ .factor = reading->alias ? 1 : 2,
                               .most_ns = 5 * 60 * NS_PER_S };
    if (keys->key[WAIT_FIRST])
        value_duration(reading, keys, WAIT_FIRST, &wait->first_ns);
    if (keys->key[WAIT_FACTOR])
        value_real(reading, keys, WAIT_FACTOR, &wait->factor);
    if (most)
        value_duration(reading, keys, WAIT_MOST, &wait->most_ns);
    if (keys->key[WAIT_JITTER])
        value_share(reading, keys, WAIT_JITTER, &wait->jitter);
    if (most && wait->most_ns < wait->first_ns)
        mistake(reading, most->mark,
                "'most' is less than 'first': no wait could be so short");
    if (!most && wait->most_ns < wait->first_ns)
        wait->most_ns = wait->first_ns;
}

static bool has_wait(const struct slots *keys)
{
    return keys->key[WAIT_FIRST] || keys->key[WAIT_FACTOR] ||
           keys->key[WAIT_MOST] || keys->key[WAIT_JITTER];
}

static void wait_needs_first(struct reading *reading, const struct slots *keys,
                             struct mark mark)
{
    if (!keys->key[WAIT_FIRST] && !keys->meant[WAIT_FIRST])
        mistake(reading, mark,
                "'first' is missing: how long to wait before the second "
                "attempt");
}

static void backoff_read(struct reading *reading, const struct slots *stage,
                         struct job_wait *waits)
{
    static const enum key_id classes[WAIT_CLASSES] = { BACKOFF_ERROR,
                                                       BACKOFF_CRASH,
                                                       BACKOFF_TIMEOUT };
    struct job_wait all;
    struct slots keys, one;

    if (!open_key(reading, stage, STAGE_BACKOFF, LEVEL_BACKOFF, WAIT_FIRST,
                  &keys))
        return;
    wait_take(reading, &keys, &all);
    reading->alias = NULL;
    if (has_wait(&keys))
        wait_needs_first(reading, &keys, stage->value[STAGE_BACKOFF]->mark);
    for (unsigned i = 0; i < WAIT_CLASSES; i++) {
        waits[i] = all;
        if (!open_key(reading, &keys, classes[i], LEVEL_WAIT, WAIT_FIRST, &one))
            continue;
        wait_take(reading, &one, &waits[i]);
        reading->alias = NULL;
        wait_needs_first(reading, &one, keys.value[classes[i]]->mark);
    }
}

/* ---------------------------------------------------------------- halt ---- */

static bool is_share(const struct node *node)
{
    return node->kind == NODE_TEXT && node->size > 0 &&
           node->text[node->size - 1] == '%';
}

static void halt_judge(struct reading *reading, const struct slots *stage,
                       const struct slots *keys, struct job_halt *halt)
{
    struct mark mark = stage->value[STAGE_HALT]->mark;

    if (halt->failures == 0 && halt->share == 0)
        mistake(reading, mark,
                "'halt' needs 'failures', such as 10, or 'share', such as 5%%");
    if (keys->key[HALT_WITHIN] && halt->failures == 0)
        mistake(reading, keys->key[HALT_WITHIN]->mark,
                "'within' says in what time 'failures' are counted: it needs "
                "'failures'");
    if (keys->key[HALT_LEAST] && halt->share == 0)
        mistake(reading, keys->key[HALT_LEAST]->mark,
                "'least' says from how many items on 'share' counts: it needs "
                "'share'");
}

static void halt_read(struct reading *reading, const struct slots *stage,
                      struct job_halt *halt)
{
    struct node *node = stage->value[STAGE_HALT];
    size_t before = told(reading);
    struct slots keys;
    unsigned how = HALT_SOON;

    *halt = (struct job_halt){ .least = 20, .within_ns = FOREVER };
    if (!open_key(reading, stage, STAGE_HALT, LEVEL_HALT,
                  node && is_share(node) ? HALT_SHARE : HALT_FAILURES, &keys))
        return;
    if (keys.key[HALT_FAILURES])
        value_count(reading, &keys, HALT_FAILURES, &halt->failures);
    if (keys.key[HALT_SHARE])
        value_share(reading, &keys, HALT_SHARE, &halt->share);
    if (keys.key[HALT_WITHIN])
        value_duration(reading, &keys, HALT_WITHIN, &halt->within_ns);
    if (keys.key[HALT_LEAST])
        value_count(reading, &keys, HALT_LEAST, &halt->least);
    if (keys.key[HALT_HOW])
        value_choice(reading, &keys, HALT_HOW, &how);
    reading->alias = NULL;
    halt->how = how == 0 ? HALT_SOON : HALT_NOW;
    if (told(reading) == before)
        halt_judge(reading, stage, &keys, halt);
}

/* ------------------------------------------------------------- recycle ---- */

bool job_recycles(const struct job_stage *stage)
{
    const struct job_recycle *recycle = &stage->recycle;

    return recycle->items > 0 || recycle->age_ns > 0 || recycle->bytes > 0;
}

static void recycle_read(struct reading *reading, const struct slots *stage,
                         struct job_stage *out)
{
    struct job_recycle *recycle = &out->recycle;
    size_t before = told(reading);
    struct slots keys;

    *recycle = (struct job_recycle){ .items = 0 };
    if (!open_key(reading, stage, STAGE_RECYCLE, LEVEL_RECYCLE, RECYCLE_ITEMS,
                  &keys))
        return;
    if (keys.key[RECYCLE_ITEMS])
        value_count(reading, &keys, RECYCLE_ITEMS, &recycle->items);
    if (keys.key[RECYCLE_AGE])
        value_duration(reading, &keys, RECYCLE_AGE, &recycle->age_ns);
    if (keys.key[RECYCLE_MEMORY])
        value_size(reading, &keys, RECYCLE_MEMORY, &recycle->bytes);
    reading->alias = NULL;
    if (told(reading) > before)
        return;
    if (!job_recycles(out))
        mistake(reading, stage->value[STAGE_RECYCLE]->mark,
                "'recycle' needs 'items', such as 10000, 'age', such as 1h, "
                "or 'memory', such as 500 MiB");
    else if (out->memory > 0 && recycle->bytes >= out->memory)
        mistake(reading, keys.key[RECYCLE_MEMORY]->mark,
                "'memory' of 'recycle' must be less than that of the stage, "
                "at which the worker is killed");
}

/* --------------------------------------------------------------- whole ---- */

void faults_read(struct reading *reading, const struct slots *slots,
                 struct job_stage *stage)
{
    limits_read(reading, slots, stage);
    backoff_read(reading, slots, stage->waits);
    halt_read(reading, slots, &stage->halt);
    recycle_read(reading, slots, stage);
}

/* What is wrong in `defaults` would be wrong in each stage. */
void faults_check(struct reading *reading, struct slots *slots)
{
    static const enum key_id keys[] = { STAGE_TIMEOUT, STAGE_HEARTBEAT,
                                        STAGE_MEMORY,  STAGE_BACKOFF,
                                        STAGE_HALT,    STAGE_RECYCLE };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct slots one = { .meant = { false } };
        struct job_stage stage = { .timeout_ns = FOREVER };
        size_t before = told(reading);

        if (!slots->key[keys[i]])
            continue;
        one.key[keys[i]] = slots->key[keys[i]];
        one.value[keys[i]] = slots->value[keys[i]];
        faults_read(reading, &one, &stage);
        if (told(reading) > before)
            slots->key[keys[i]] = slots->value[keys[i]] = NULL;
    }
}

void deadline_read(struct reading *reading)
{
    reading->job->deadline_ns = FOREVER;
    value_duration(reading, &reading->top, JOB_DEADLINE,
                   &reading->job->deadline_ns);
}
