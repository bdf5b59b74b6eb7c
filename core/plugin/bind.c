/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bind.c - a job's parameters into a task's struct.
 *
 * The struct, the arrays of its lists and all texts that a job gave stand in
 * one allocation, made after the room was counted. Defaults
 * stay where they are, in the plugin, which is never unloaded. Mistakes are
 * gathered, not returned at the first one: an author wants to see them all.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "plugin/internal.h"

struct binding {
    const weir_task *task;
    const struct param_value *values;
    size_t count;
    char *block;          /* the struct first */
    const char **entries; /* where the next list's array goes */
    char *texts;          /* where the next text goes */
    param_mistake *mistake;
    void *arg;
    bool bad;
};

static const weir_param none[] = { { 0 } };

static void mistake(struct binding *binding, size_t index, const char *name,
                    const weir_error *err)
{
    binding->bad = true;
    if (binding->mistake)
        binding->mistake(binding->arg, index, name, err->text);
}

static const weir_param *find(const weir_param *params, const char *name)
{
    char own[FIELD_MAX];

    for (const weir_param *p = params; p->field; p++)
        if (strcmp(param_name(p, own), name) == 0)
            return p;
    return NULL;
}

static const weir_param *table(const weir_task *task)
{
    return task->params ? task->params : none;
}

/* All that a task takes, for "it has ...". */
static void known(const weir_param *params, char *out, size_t room)
{
    char name[FIELD_MAX];
    size_t at = 0;

    snprintf(out, room, "it has none");
    for (const weir_param *p = params; p->field && at < room; p++)
        at += (size_t)snprintf(out + at, room - at, "%s%s",
                               p == params ? "it has " : ", ",
                               param_name(p, name));
}

static void unknown(struct binding *binding, size_t index)
{
    const weir_param *params = table(binding->task);
    const char *given = binding->values[index].name;
    char names[PARAMS_MAX][FIELD_MAX], shown[QUOTED_MAX], all[300];
    const char *candidates[PARAMS_MAX + 1] = { NULL };
    const char *near;
    weir_error err;
    size_t count = 0;

    for (const weir_param *p = params; p->field && count < PARAMS_MAX; p++)
        candidates[count] = param_name(p, names[count]), count++;
    near = text_nearest(given, candidates);
    known(params, all, sizeof all);
    if (near)
        error_set(&err, WEIR_EINVAL,
                  "task '%s' has no parameter '%s'; did you mean '%s'?",
                  binding->task->name, quoted(shown, given), near);
    else
        error_set(&err, WEIR_EINVAL, "task '%s' has no parameter '%s'; %s",
                  binding->task->name, quoted(shown, given), all);
    mistake(binding, index, given, &err);
}

static const char *keep_text(struct binding *binding, const char *text)
{
    size_t size = strlen(text) + 1;
    char *kept = binding->texts;

    memcpy(kept, text, size);
    binding->texts += size;
    return kept;
}

/* Stores a scalar that was understood. */
static void store(struct binding *binding, const weir_param *param,
                  union param_scalar value, const char *text)
{
    char *field = binding->block + param->offset;
    unsigned place = (unsigned)value.u;

    switch (param->type) {
    case WEIR_TYPE_TEXT:
        memcpy(field, &text, sizeof text);
        break;
    case WEIR_TYPE_BOOL:
        memcpy(field, &value.b, sizeof value.b);
        break;
    case WEIR_TYPE_CHOICE:
        memcpy(field, &place, sizeof place);
        break;
    default: /* all others are the union's 8 bytes */
        memcpy(field, &value, sizeof value);
    }
}

static int bind_one(struct binding *binding, const weir_param *param,
                    const struct param_value *value, weir_error *err)
{
    union param_scalar scalar = { 0 };
    const char *text;
    int code;

    if (value->list)
        return error_set(err, WEIR_EINVAL, "it takes one value, not a list");
    if (value->count != 1)
        return error_set(err, WEIR_EINVAL, "it has no value");
    text = value->texts[0];
    code = param_parse(param, text, &scalar, err);
    if (code < 0)
        return code;
    if (param->type == WEIR_TYPE_TEXT)
        text = keep_text(binding, text);
    store(binding, param, scalar, text);
    return 0;
}

static int bind_list(struct binding *binding, const weir_param *param,
                     const struct param_value *value, weir_error *err)
{
    weir_list list = { value->count, binding->entries };
    union param_scalar length = { .u = value->count };

    for (size_t i = 0; i < value->count; i++) {
        size_t size = strlen(value->texts[i]);

        if (text_utf8_valid(value->texts[i], size) != size)
            return error_set(err, WEIR_EINVAL, "entry %zu is not UTF-8", i + 1);
        *binding->entries++ = keep_text(binding, value->texts[i]);
    }
    *binding->entries++ = NULL;
    memcpy(binding->block + param->offset, &list, sizeof list);
    return param_range(param, "", length, err);
}

/* The table was checked with its defaults when the plugin was loaded, so a
 * default cannot fail here. */
static void bind_default(struct binding *binding, const weir_param *param)
{
    union param_scalar scalar = { 0 };
    weir_list list = { 0, binding->entries };

    if (param->type == WEIR_TYPE_LIST) {
        if (param->value[0] != '\0') {
            *binding->entries++ = param->value;
            list.count = 1;
        }
        *binding->entries++ = NULL;
        memcpy(binding->block + param->offset, &list, sizeof list);
    } else if (param_parse(param, param->value, &scalar, NULL) == 0) {
        store(binding, param, scalar, param->value);
    }
}

static bool given_before(const struct binding *binding, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(binding->values[i].name, binding->values[index].name) == 0)
            return true;
    return false;
}

static void bind_value(struct binding *binding, size_t index)
{
    const struct param_value *value = &binding->values[index];
    const weir_param *param = find(table(binding->task), value->name);
    weir_error err;
    int code;

    if (!param) {
        unknown(binding, index);
        return;
    }
    if (given_before(binding, index))
        code = error_set(&err, WEIR_EINVAL, "it is given twice");
    else if (param->type == WEIR_TYPE_LIST)
        code = bind_list(binding, param, value, &err);
    else
        code = bind_one(binding, param, value, &err);
    if (code < 0) {
        error_prefix(&err, "parameter '%s'", value->name);
        mistake(binding, index, value->name, &err);
    }
}

static void bind_absent(struct binding *binding)
{
    char name[FIELD_MAX];
    weir_error err;

    for (const weir_param *p = table(binding->task); p->field; p++) {
        bool given = false;

        param_name(p, name);
        for (size_t i = 0; i < binding->count && !given; i++)
            given = strcmp(binding->values[i].name, name) == 0;
        if (given)
            continue;
        if (p->value) {
            bind_default(binding, p);
            continue;
        }
        error_set(&err, WEIR_EINVAL, "parameter '%s' is missing: %s", name,
                  p->summary);
        mistake(binding, SIZE_MAX, name, &err);
    }
}

/* Room: the struct, then pointers (each text one, each list a NULL, each
 * default two), then bytes. */
static int make_room(struct binding *binding)
{
    size_t own = param_table_room(table(binding->task));
    size_t pointers = 0, bytes = 0;

    for (const weir_param *p = table(binding->task); p->field; p++)
        pointers += 2;
    for (size_t i = 0; i < binding->count; i++) {
        pointers += binding->values[i].count + 1;
        for (size_t k = 0; k < binding->values[i].count; k++)
            bytes += strlen(binding->values[i].texts[k]) + 1;
    }
    binding->block = calloc(1, own + pointers * sizeof(char *) + bytes);
    if (!binding->block)
        return WEIR_ENOMEM;
    binding->entries = (const char **)(void *)(binding->block + own);
    binding->texts = binding->block + own + pointers * sizeof(char *);
    return 0;
}

int param_bind(const weir_task *task, const struct param_value *values,
               size_t count, param_mistake *report, void *arg, void **out)
{
    struct binding binding = {
        .task = task,
        .values = values,
        .count = count,
        .mistake = report,
        .arg = arg,
    };

    if (make_room(&binding) < 0)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < count; i++)
        bind_value(&binding, i);
    bind_absent(&binding);
    if (binding.bad || !table(task)->field) {
        free(binding.block);
        binding.block = NULL;
    }
    if (binding.bad)
        return WEIR_EINVAL;
    *out = binding.block;
    return 0;
}

uint64_t param_size_of(const weir_task *task, const void *bound,
                       const char *name)
{
    const weir_param *param = name ? find(table(task), name) : NULL;
    uint64_t bytes = 0;

    if (bound && param && param->type == WEIR_TYPE_SIZE)
        memcpy(&bytes, (const char *)bound + param->offset, sizeof bytes);
    return bytes;
}

void param_unbind(const void *bound)
{
    free((void *)(uintptr_t)bound); /* the struct stands first in its block */
}
