/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * expand.c - variables: declared in `vars`, set by --set, put into texts. Runs
 * in the owner.
 *
 * Values go into texts that are already nodes, so they never become structure.
 * A default may use variables that stand before it, so nothing can go round;
 * how much all texts may grow is bounded.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "job/internal.h"

/* One --set. */
struct setting {
    char *name;
    const char *value;
    bool used;
};

struct settings {
    VEC(struct setting) list;
    struct map names; /* to number + 1: the last one counts */
};

static const struct mark nowhere = { 0, 0, 0 };

/* ------------------------------------------------------------- texts ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Size of the name at @text that ends with '}' or '.', at most 64; 0: none. */
static size_t name_size(const char *text)
{
    size_t size = 0;

    if (!is_letter(text[0]))
        return 0;
    while (size <= 64 &&
           (is_letter(text[size]) || text[size] == '_' || text[size] == '-' ||
            (text[size] >= '0' && text[size] <= '9')))
        size++;
    return size <= 64 && (text[size] == '}' || text[size] == '.') ? size : 0;
}

/* The expansion of one node. */
struct expansion {
    struct reading *reading;
    struct node *node;
    struct buf out;
    bool bad;
    bool full; /* it grows too large */
    /* How far the node's source was looked through for places. */
    size_t at;
    struct mark mark;
};

/* Where "${name" stands in the file: exact, unless escapes hide it. */
static struct mark place_of(struct expansion *expansion, const char *name,
                            size_t size)
{
    const char *data = expansion->reading->job->text;
    const struct node *node = expansion->node;
    size_t at = expansion->at;
    struct mark mark = expansion->mark;

    while (at + size + 2 <= node->end) {
        size_t step = break_size(data + at, node->end - at);

        if (data[at] == '$' && data[at + 1] == '{' &&
            memcmp(data + at + 2, name, size) == 0) {
            expansion->at = at + 2;
            expansion->mark = mark;
            expansion->mark.column += 2;
            mark.length = (unsigned)size + 3;
            return mark;
        }
        if (step > 0) {
            mark.line++;
            mark.column = 1;
        } else {
            step = data[at] == '$' && data[at + 1] == '$'
                       ? 2 /* what is behind it is escaped */
                       : char_size(data + at, node->end - at);
            mark.column += step == 2 && data[at] == '$' ? 2 : 1;
        }
        at += step;
    }
    expansion->at = node->end;
    return node->mark;
}

static void refuse_name(struct expansion *expansion, const char *text,
                        size_t size)
{
    struct reading *reading = expansion->reading;
    struct mark mark = place_of(expansion, text, size);
    char name[72];
    const char *near;

    snprintf(name, sizeof name, "%.*s", (int)size, text);
    expansion->bad = true;
    near = map_nearest(reading, &reading->vars, name);
    if (strcmp(name, "item") == 0)
        mistake(reading, mark,
                "'${item}' is nothing; an attribute is '${item.NAME}'");
    else if (near)
        mistake(reading, mark, "there is no variable '%s'; did you mean '%s'?",
                name, near);
    else
        mistake(reading, mark,
                "there is no variable '%s'; declare it in 'vars', or write "
                "'$${' for a literal '${'",
                name);
}

static void refuse_prefix(struct expansion *expansion, const char *text,
                          size_t size)
{
    static const char *const item[] = { "item", NULL };
    char name[72];

    snprintf(name, sizeof name, "%.*s", (int)size, text);
    if (!text_nearest(name, item))
        return;
    expansion->bad = true;
    mistake(expansion->reading, place_of(expansion, text, size),
            "'${%s.' is nothing; did you mean '${item.'?", name);
}

static void put(struct expansion *expansion, const char *text, size_t size)
{
    struct reading *reading = expansion->reading;

    if (size > EXPANDED_MOST - expansion->out.size ||
        reading->expanded + expansion->out.size + size > EXPANDED_MOST) {
        if (!expansion->full)
            mistake(reading, expansion->node->mark,
                    "the texts with variables in this file come to more than "
                    "%d MiB",
                    EXPANDED_MOST >> 20);
        expansion->bad = expansion->full = true;
        return;
    }
    if (buf_add(&expansion->out, text, size) < 0)
        starved(reading);
}

/* "${...": returns how much of it was used. */
static size_t put_braces(struct expansion *expansion, const char *text)
{
    struct reading *reading = expansion->reading;
    const char *name = text + 2;
    size_t size = name_size(name);
    const uintptr_t *number;
    const char *value;

    if (size > 0 && name[size] == '.' && strncmp(name, "item.", 5) != 0)
        refuse_prefix(expansion, name, size);
    if (size == 0 || name[size] == '.') {
        put(expansion, text, 2);
        return 2;
    }
    number = map_get(&reading->vars, name, size);
    if (!number) {
        refuse_name(expansion, name, size);
        return size + 3;
    }
    value = reading->job->vars.at[*number - 1].value;
    expansion->node->varied = true;
    if (value)
        put(expansion, value, strlen(value));
    else
        expansion->bad = true; /* it was told that it has none */
    return size + 3;
}

static void node_expand(struct reading *reading, struct node *node)
{
    struct expansion expansion = {
        .reading = reading, .node = node, .at = node->at, .mark = node->mark
    };
    const char *text = node->text;

    if (!strstr(text, "${"))
        return;
    while (*text != '\0' && reading->code == 0 && !expansion.full) {
        size_t plain = strcspn(text, "$");

        put(&expansion, text, plain);
        text += plain;
        if (strncmp(text, "$${", 3) == 0) {
            put(&expansion, "${", 2);
            text += 3;
        } else if (text[0] == '$' && text[1] == '{') {
            text += put_braces(&expansion, text);
        } else if (text[0] == '$') {
            put(&expansion, "$", 1);
            text++;
        }
    }
    node->size = expansion.out.size;
    node->text = arena_copy(&reading->arena, expansion.out.data, node->size);
    if (!node->text)
        starved(reading);
    if (expansion.bad)
        node->kind = NODE_BAD;
    reading->expanded += node->size;
    buf_done(&expansion.out);
}

/* Not deeper than DEPTH_MOST: yaml.c saw to that. */
void tree_expand(struct reading *reading, struct node *node)
{
    if (!node || reading->code < 0)
        return;
    if (node->kind == NODE_TEXT)
        node_expand(reading, node);
    else if (node->kind == NODE_LIST)
        for (struct node *n = node->first; n; n = n->next)
            tree_expand(reading, n);
    else if (node->kind == NODE_MAP)
        for (struct node *k = node->first; k; k = k->next)
            tree_expand(reading, k->value);
}

/* ---------------------------------------------------------- settings ---- */

static void set_add(struct reading *reading, struct settings *settings,
                    const char *text)
{
    const char *sign = strchr(text, '=');
    struct setting *setting;
    uintptr_t *number;

    if (!sign || sign == text) {
        mistake(reading, nowhere, "--set '%s': write NAME=VALUE", QUOTE(text));
        return;
    }
    if (text_utf8_valid(sign, strlen(sign)) != strlen(sign)) {
        mistake(reading, nowhere, "--set '%s': the value is not UTF-8",
                QUOTE(text));
        return;
    }
    setting = VEC_ADD(&settings->list);
    number = map_put(&settings->names, text, (size_t)(sign - text), NULL);
    if (setting)
        setting->name = strndup(text, (size_t)(sign - text));
    if (!setting || !setting->name || !number) {
        starved(reading);
        return;
    }
    setting->value = sign + 1;
    if (*number > 0)
        settings->list.at[*number - 1].used = true; /* by the later one */
    *number = settings->list.count;
}

static void settings_done(struct settings *settings)
{
    for (size_t i = 0; i < settings->list.count; i++)
        free(settings->list.at[i].name);
    VEC_DONE(&settings->list);
    map_done(&settings->names);
}

static void settings_left(struct reading *reading,
                          const struct settings *settings)
{
    for (size_t i = 0; i < settings->list.count; i++) {
        const struct setting *setting = &settings->list.at[i];
        const char *near;

        if (setting->used)
            continue;
        near = map_nearest(reading, &reading->vars, setting->name);
        mistake(reading, nowhere, "--set: the job has no variable '%s'%s%s%s",
                QUOTE(setting->name), near ? "; did you mean '" : "",
                near ? near : "", near ? "'?" : "");
    }
}

/* --------------------------------------------------------------- vars ---- */

enum var_type {
    VAR_TEXT,
    VAR_UINT,
    VAR_INT,
    VAR_REAL,
    VAR_BOOL,
    VAR_SIZE,
    VAR_TIME
};

static int type_check(unsigned type, const char *value, weir_error *err)
{
    uint64_t number;
    int64_t signed_number;
    double real;
    bool truth;

    switch ((enum var_type)type) {
    case VAR_UINT:
        return text_uint(value, &number, err);
    case VAR_INT:
        return text_int(value, &signed_number, err);
    case VAR_REAL:
        return text_real(value, &real, err);
    case VAR_BOOL:
        return text_bool(value, &truth, err);
    case VAR_SIZE:
        return text_size(value, &number, err);
    case VAR_TIME:
        return text_duration(value, &signed_number, err);
    default:
        return 0;
    }
}

/* What stands in `vars` under one name. */
struct declaration {
    struct node *key;
    struct node *value; /* the default; NULL: none */
    const char *description;
    unsigned type;
    bool bad;
};

static void declaration_read(struct reading *reading, struct node *key,
                             struct declaration *out)
{
    struct node *value = key->value;
    struct slots slots;

    *out = (struct declaration){ .key = key };
    if (!value || node_is_null(value))
        return;
    if (value->kind == NODE_TEXT) {
        tree_expand(reading, value);
        out->value = value;
    } else if (value->kind == NODE_MAP) {
        slots_read(reading, value, LEVEL_VAR, -1, -1, &slots);
        tree_expand(reading, value);
        value_text(reading, &slots, VAR_DESCRIPTION, &out->description);
        out->bad = slots.value[VAR_TYPE] &&
                   !value_choice(reading, &slots, VAR_TYPE, &out->type);
        out->value = slots.value[VAR_DEFAULT];
    } else if (value->kind == NODE_LIST) {
        mistake(reading, value->mark,
                "a variable is a text, or a map with 'default', 'type' and "
                "'description', not a list");
        out->bad = true;
    }
    out->bad |= value->kind == NODE_BAD ||
                (out->value && !node_text(reading, out->value,
                                          "a variable's default", "a text"));
}

/* The value that counts, checked; NULL: none, and that was told. */
static const char *value_settle(struct reading *reading,
                                const struct declaration *var,
                                struct setting *setting)
{
    const char *value = setting                   ? setting->value
                        : var->value && !var->bad ? var->value->text
                                                  : NULL;
    weir_error err;

    if (setting)
        setting->used = true;
    if (!value) {
        if (!var->bad)
            mistake(reading, var->key->mark,
                    "the variable has no default: give it by --set %s=VALUE",
                    var->key->text);
        return NULL;
    }
    if (type_check(var->type, value, &err) == 0)
        return value;
    if (setting)
        mistake(reading, nowhere, "--set %s: %s", setting->name, err.text);
    else
        mistake(reading, var->value->mark, "the default: %s", err.text);
    return NULL;
}

static void var_add(struct reading *reading, const struct declaration *var,
                    struct settings *settings)
{
    const uintptr_t *set = map_get(&settings->names, var->key->text,
                                   var->key->size);
    struct setting *setting = set ? &settings->list.at[*set - 1] : NULL;
    const char *value = value_settle(reading, var, setting);
    struct job_var *slot = VEC_ADD(&reading->job->vars);
    uintptr_t *number = map_put(&reading->vars, var->key->text, var->key->size,
                                NULL);

    if (!slot || !number) {
        starved(reading);
        return;
    }
    *number = reading->job->vars.count;
    slot->name = keep_copy(reading, var->key->text);
    slot->value = value ? keep_copy(reading, value) : NULL;
    slot->description = var->description ? keep_copy(reading, var->description)
                                         : NULL;
    slot->origin = keep_copy(reading, setting ? "--set" : "default");
}

static void var_read(struct reading *reading, struct node *key,
                     struct settings *settings)
{
    struct declaration var;

    if (key->kind != NODE_TEXT)
        return;
    if (!text_is_name(key->text) || strcmp(key->text, "item") == 0) {
        mistake(reading, key->mark,
                strcmp(key->text, "item") == 0
                    ? "no variable can be called '%s': '${item.NAME}' is an "
                      "attribute"
                    : "'%s' is no name of a variable: write letters, digits, "
                      "'-' and '_', beginning with a letter",
                QUOTE(key->text));
        return;
    }
    where_set(reading, "variable", key->text, 0);
    declaration_read(reading, key, &var);
    var_add(reading, &var, settings);
    where_set(reading, NULL, NULL, 0);
}

void vars_read(struct reading *reading)
{
    const char *const *sets = reading->options->sets;
    struct settings settings = { 0 };
    struct node *map = value_map(reading, &reading->top, JOB_VARS);

    for (; sets && *sets && reading->code == 0; sets++)
        set_add(reading, &settings, *sets);
    for (struct node *k = map ? map->first : NULL; k && reading->code == 0;
         k = k->next)
        var_read(reading, k, &settings);
    if (reading->code == 0)
        settings_left(reading, &settings);
    settings_done(&settings);
}
