/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * param.c - the kinds of parameters: how a value is read, bounded and shown,
 * and whether a plugin's table of them makes sense. One table of kinds says
 * what differs between the types. Runs where plugins are loaded.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "plugin/internal.h"

#define KIND(word_, type_, order_, ...)                                        \
    {                                                                          \
        .word = (word_), .size = sizeof(type_), .align = _Alignof(type_),      \
        .order = (order_), __VA_ARGS__                                         \
    }

const struct param_kind *param_kind(uint32_t type)
{
    static const struct param_kind kinds[] = {
        [WEIR_TYPE_TEXT] = KIND("text", const char *, ORDER_LENGTH,
                                .counts = "bytes"),
        [WEIR_TYPE_UINT] = KIND("uint", uint64_t, ORDER_UINT, ),
        [WEIR_TYPE_INT] = KIND("int", int64_t, ORDER_INT, ),
        [WEIR_TYPE_REAL] = KIND("real", double, ORDER_REAL, ),
        [WEIR_TYPE_BOOL] = KIND("bool", bool, ORDER_NONE, ),
        [WEIR_TYPE_SIZE] = KIND("size", uint64_t, ORDER_UINT,
                                .suffix = "_bytes"),
        [WEIR_TYPE_DURATION] = KIND("duration", int64_t, ORDER_INT,
                                    .suffix = "_ns"),
        [WEIR_TYPE_CHOICE] = KIND("choice", unsigned, ORDER_NONE, ),
        [WEIR_TYPE_LIST] = KIND("list", weir_list, ORDER_LENGTH,
                                .counts = "entries"),
    };

    if (type >= sizeof kinds / sizeof *kinds || !kinds[type].word)
        return NULL;
    return &kinds[type];
}

const char *param_name(const weir_param *param, char *out)
{
    const struct param_kind *kind = param_kind(param->type);
    size_t size = strnlen(param->field, FIELD_MAX - 1);
    size_t less = kind && kind->suffix ? strlen(kind->suffix) : 0;

    if (less > 0 && size > less &&
        memcmp(param->field + size - less, kind->suffix, less) == 0)
        size -= less;
    memcpy(out, param->field, size);
    out[size] = '\0';
    return out;
}

static int parse_choice(const weir_param *param, const char *text,
                        uint64_t *out, weir_error *err)
{
    char shown[QUOTED_MAX];
    unsigned place = 0;

    for (const char *at = param->choices; *at != '\0'; place++)
        if (word_is(word_next(&at), text)) {
            *out = place;
            return 0;
        }
    return error_set(err, WEIR_ESYNTAX, "'%s' is none of: %s",
                     quoted(shown, text), param->choices);
}

static int parse(const weir_param *param, const char *text,
                 union param_scalar *out, weir_error *err)
{
    size_t size = strlen(text);

    switch (param->type) {
    case WEIR_TYPE_UINT:
        return text_uint(text, &out->u, err);
    case WEIR_TYPE_INT:
        return text_int(text, &out->i, err);
    case WEIR_TYPE_REAL:
        return text_real(text, &out->r, err);
    case WEIR_TYPE_BOOL:
        return text_bool(text, &out->b, err);
    case WEIR_TYPE_SIZE:
        return text_size(text, &out->u, err);
    case WEIR_TYPE_DURATION:
        return text_duration(text, &out->i, err);
    case WEIR_TYPE_CHOICE:
        return parse_choice(param, text, &out->u, err);
    default:
        if (text_utf8_valid(text, size) != size)
            return error_set(err, WEIR_ESYNTAX, "it is not UTF-8");
        out->u = size;
        return 0;
    }
}

/* A bound is written as a value; a length's as a number. */
static int parse_bound(const weir_param *param, const char *text,
                       union param_scalar *out, weir_error *err)
{
    if (param_kind(param->type)->order == ORDER_LENGTH)
        return text_uint(text, &out->u, err);
    return parse(param, text, out, err);
}

static bool less(enum param_order order, union param_scalar a,
                 union param_scalar b)
{
    if (order == ORDER_INT)
        return a.i < b.i;
    if (order == ORDER_REAL)
        return a.r < b.r;
    return a.u < b.u;
}

static int refuse_range(const weir_param *param, const char *text,
                        union param_scalar value, bool low, weir_error *err)
{
    const struct param_kind *kind = param_kind(param->type);
    const char *word = low ? "less" : "more";
    const char *bound = low ? param->min : param->max;
    char shown[QUOTED_MAX];

    if (kind->order == ORDER_LENGTH)
        return error_set(err, WEIR_ESYNTAX, "%llu %s are %s than %s",
                         (unsigned long long)value.u, kind->counts, word,
                         bound);
    return error_set(err, WEIR_ESYNTAX, "%s is %s than %s", quoted(shown, text),
                     word, bound);
}

int param_range(const weir_param *param, const char *text,
                union param_scalar value, weir_error *err)
{
    enum param_order order = param_kind(param->type)->order;
    union param_scalar bound;

    if (param->min && parse_bound(param, param->min, &bound, NULL) == 0 &&
        less(order, value, bound))
        return refuse_range(param, text, value, true, err);
    if (param->max && parse_bound(param, param->max, &bound, NULL) == 0 &&
        less(order, bound, value))
        return refuse_range(param, text, value, false, err);
    return 0;
}

int param_parse(const weir_param *param, const char *text,
                union param_scalar *out, weir_error *err)
{
    union param_scalar value = { 0 };
    int code = parse(param, text, &value, err);

    if (code == 0 && param->type == WEIR_TYPE_REAL && !isfinite(value.r))
        code = error_set(err, WEIR_ESYNTAX, "it is not a finite number");
    if (code == 0)
        code = param_range(param, text, value, err);
    if (code == 0)
        *out = value;
    return code;
}

static int check_shape(const weir_param *param, weir_error *err)
{
    const struct param_kind *kind = param_kind(param->type);
    int code;

    if (!kind)
        return error_set(err, WEIR_EPLUGIN,
                         "its type, %u, is not known to this weir",
                         (unsigned)param->type);
    if (param->size != kind->size)
        return error_set(err, WEIR_EPLUGIN,
                         "its field has %u bytes, and a %s has %u",
                         (unsigned)param->size, kind->word,
                         (unsigned)kind->size);
    if (param->offset % kind->align != 0 ||
        param->offset > BOUND_MAX - param->size)
        return error_set(err, WEIR_EPLUGIN,
                         "its field cannot stand at offset %u",
                         (unsigned)param->offset);
    if (kind->order == ORDER_NONE && (param->min || param->max))
        return error_set(err, WEIR_EPLUGIN, "a %s has no bounds", kind->word);
    if ((param->type == WEIR_TYPE_CHOICE) != !!param->choices)
        return error_set(err, WEIR_EPLUGIN,
                         param->choices ? "a %s has no choices"
                                        : "a %s without choices",
                         kind->word);
    if (!param->choices)
        return 0;
    code = line_check(param->choices, "list of choices", err);
    return code < 0 ? code : words_check(param->choices, "choice", 256, err);
}

static int check_bounds(const weir_param *param, weir_error *err)
{
    enum param_order order = param_kind(param->type)->order;
    union param_scalar min, max;
    int code = 0;

    if (param->min) {
        code = parse_bound(param, param->min, &min, err);
        if (code < 0)
            error_prefix(err, "its least value");
    }
    if (code == 0 && param->max) {
        code = parse_bound(param, param->max, &max, err);
        if (code < 0)
            error_prefix(err, "its greatest value");
    }
    if (code == 0 && param->min && param->max && less(order, max, min))
        code = error_set(err, WEIR_EPLUGIN,
                         "its least value, %s, is above its greatest, %s",
                         param->min, param->max);
    return code;
}

static int check_default(const weir_param *param, weir_error *err)
{
    union param_scalar value;
    int code;

    if (!param->value)
        return 0;
    if (param->type == WEIR_TYPE_LIST) {
        value.u = param->value[0] != '\0';
        code = param_range(param, param->value, value, err);
    } else {
        code = param_parse(param, param->value, &value, err);
    }
    if (code < 0)
        error_prefix(err, "its default");
    return code;
}

static bool overlap(const weir_param *a, const weir_param *b)
{
    return a->offset < b->offset + b->size && b->offset < a->offset + a->size;
}

/* Against those before it in the table. */
static int check_others(const weir_param *params, const weir_param *param,
                        weir_error *err)
{
    char name[FIELD_MAX], other[FIELD_MAX];

    param_name(param, name);
    for (const weir_param *p = params; p != param; p++) {
        if (strcmp(param_name(p, other), name) == 0)
            return error_set(err, WEIR_EPLUGIN, "it is there twice");
        if (overlap(p, param))
            return error_set(err, WEIR_EPLUGIN,
                             "its field lies over that of '%s'", other);
    }
    return 0;
}

static int check_one(const weir_param *params, const weir_param *param,
                     weir_error *err)
{
    int code = check_shape(param, err);

    if (code == 0)
        code = line_check(param->summary, "summary", err);
    if (code == 0)
        code = check_bounds(param, err);
    if (code == 0)
        code = check_default(param, err);
    if (code == 0)
        code = check_others(params, param, err);
    return code;
}

int param_table_check(const weir_param *params, weir_error *err)
{
    char name[FIELD_MAX];

    for (const weir_param *p = params; p->field; p++) {
        char shown[QUOTED_MAX];

        if (!text_is_name(p->field) || !text_is_name(param_name(p, name)) ||
            strlen(name) >= PARAM_NAME_MAX)
            return error_set(err, WEIR_EPLUGIN,
                             "'%s' is no name of a parameter",
                             quoted(shown, p->field));
        if (check_one(params, p, err) < 0) {
            error_prefix(err, "parameter '%s'", name);
            if (err)
                err->code = WEIR_EPLUGIN;
            return WEIR_EPLUGIN;
        }
    }
    return 0;
}

/* Up to a cache line: what stands behind the last field (padding, or a field
 * that is no parameter) may then be read, as zero. */
size_t param_table_room(const weir_param *params)
{
    size_t room = 0;

    for (const weir_param *p = params; p->field; p++)
        if ((size_t)p->offset + p->size > room)
            room = (size_t)p->offset + p->size;
    return (room + 63) & ~(size_t)63;
}
