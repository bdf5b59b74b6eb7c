/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * value.c - the value of a key, by the type and the bounds that the table of
 * keys gives it. Runs in the owner.
 *
 * YAML's texts have no type here but the key's: `010`, `yes` and `1e3` are
 * what the key says, or a mistake. What stands in quotes is text, so a number
 * in quotes is a mistake, unless a variable stands in it: in braces a variable
 * cannot be written without quotes.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "job/internal.h"

/* "a number, not a list" */
static void refuse_kind(struct reading *reading, const struct node *node,
                        const char *what, const char *kind)
{
    mistake(reading, node->mark, "%s must be %s, not %s", what, kind,
            node_words(node));
}

static bool is_text(const struct node *node)
{
    return node->kind == NODE_TEXT && !node_is_null(node);
}

bool node_text(struct reading *reading, const struct node *node,
               const char *what, const char *kind)
{
    if (!node || node->kind == NODE_BAD)
        return false;
    if (is_text(node))
        return true;
    if (node->kind != NODE_TEXT) {
        refuse_kind(reading, node, what, kind);
        return false;
    }
    if (node->size == 0)
        mistake(reading, node->mark, "%s has no value; it must be %s", what,
                kind);
    else
        mistake(reading, node->mark,
                "%s has no value ('%s' means none in YAML); put it in "
                "quotes if the text is meant",
                what, node->text);
    return false;
}

/* What kind of value a key takes, for messages. */
static const char *kind_words(const struct key *key, char *out, size_t room)
{
    switch (key->type) {
    case KEY_NAME:
        return "a name";
    case KEY_COUNT:
        return "a whole number";
    case KEY_SIZE:
        return "a size such as 64 MiB";
    case KEY_DURATION:
        return "a duration such as 30s";
    case KEY_MAP:
        return "a map";
    case KEY_LIST:
        return "a list";
    case KEY_REAL:
        return "a number such as 1.5";
    case KEY_SHARE:
        return "a share such as 5%";
    case KEY_CHOICE:
        snprintf(out, room, "one of: %s", key->words);
        return out;
    default:
        return "a text";
    }
}

/* What the key is called where its value stands. */
static const char *name_of(const struct reading *reading, const struct key *key)
{
    return reading->alias ? reading->alias : key->name;
}

static bool may_be_quoted(const struct key *key)
{
    return key->type == KEY_TEXT || key->type == KEY_NAME ||
           key->type == KEY_CHOICE;
}

static void refuse_text(struct reading *reading, const struct node *node,
                        const struct key *key)
{
    char what[72], kind[96];
    const char *words = kind_words(key, kind, sizeof kind);

    snprintf(what, sizeof what, "'%s'", name_of(reading, key));
    if (node_text(reading, node, what, words))
        mistake(reading, node->mark, "%s must be %s: take away the quotes",
                what, words);
}

/* The text under a key, when it is a usable one. */
static const struct node *take(struct reading *reading,
                               const struct slots *slots, enum key_id id)
{
    const struct key *key = key_by_id(id);
    const struct node *node = slots->value[id];

    if (!node)
        return NULL;
    if (is_text(node) && (node->plain || node->varied || may_be_quoted(key)))
        return node;
    refuse_text(reading, node, key);
    return NULL;
}

static void refuse(struct reading *reading, const struct node *node,
                   enum key_id id, const char *sentence)
{
    mistake(reading, node->mark, "'%s': %s", name_of(reading, key_by_id(id)),
            sentence);
}

/* @around: "'" or "" around what stands there; @hint: at the sentence's end. */
static bool out_of_range(struct reading *reading, const struct node *node,
                         const struct key *key, const char *around,
                         const char *hint)
{
    mistake(reading, node->mark,
            "'%s' must be between %s and %s; %s%s%s is not%s",
            name_of(reading, key), key->min, key->max, around,
            QUOTE(node->text), around, hint);
    return false;
}

bool value_text(struct reading *reading, const struct slots *slots,
                enum key_id id, const char **out)
{
    const struct node *node = take(reading, slots, id);

    if (node)
        *out = node->text;
    return node != NULL;
}

bool value_name(struct reading *reading, const struct slots *slots,
                enum key_id id, const char **out)
{
    const struct node *node = take(reading, slots, id);

    if (!node)
        return false;
    if (!text_is_name(node->text)) {
        mistake(reading, node->mark,
                "'%s' is no name: write up to 64 letters, digits, '-' and '_', "
                "beginning with a letter",
                QUOTE(node->text));
        return false;
    }
    *out = node->text;
    return true;
}

bool value_count(struct reading *reading, const struct slots *slots,
                 enum key_id id, uint64_t *out)
{
    const struct node *node = take(reading, slots, id);
    const struct key *key = key_by_id(id);
    uint64_t value, min = 0, max = 0;
    weir_error err;
    int code;

    if (!node)
        return false;
    code = text_uint(node->text, &value, &err);
    if (code == -ERANGE)
        value = UINT64_MAX;
    else if (code < 0) {
        refuse(reading, node, id, err.text);
        return false;
    }
    if (node->text[0] == '0' && node->size > 1) {
        mistake(reading, node->mark, "'%s': '%s' begins with 0; write %" PRIu64,
                name_of(reading, key), QUOTE(node->text), value);
        return false;
    }
    text_uint(key->min, &min, NULL);
    text_uint(key->max, &max, NULL);
    if (value == 0 && id == STAGE_WORKERS) {
        mistake(reading, node->mark,
                "'workers' must be at least 1; to run a job in one process, "
                "for a debugger, use 'weir run --inline'");
        return false;
    }
    if (id == JOB_WEIR && value != min) {
        mistake(reading, node->mark,
                "'weir' must be %s, the only version of job files that this "
                "weir knows",
                key->min);
        return false;
    }
    if (value < min || value > max)
        return out_of_range(reading, node, key, "", "");
    *out = value;
    return true;
}

bool value_size(struct reading *reading, const struct slots *slots,
                enum key_id id, uint64_t *out)
{
    const struct node *node = take(reading, slots, id);
    const struct key *key = key_by_id(id);
    uint64_t value, min = 0, max = 0;
    weir_error err;

    if (!node)
        return false;
    if (text_size(node->text, &value, &err) < 0) {
        refuse(reading, node, id, err.text);
        return false;
    }
    text_size(key->min, &min, NULL);
    text_size(key->max, &max, NULL);
    if (value < min || value > max)
        return out_of_range(reading, node, key, "'",
                            value == 0 ? " (0 does not mean unlimited)" : "");
    *out = value;
    return true;
}

bool value_duration(struct reading *reading, const struct slots *slots,
                    enum key_id id, int64_t *out)
{
    const struct node *node = take(reading, slots, id);
    const struct key *key = key_by_id(id);
    int64_t value, min = 0, max = 0;
    weir_error err;

    if (!node)
        return false;
    if (text_duration(node->text, &value, &err) < 0) {
        refuse(reading, node, id, err.text);
        return false;
    }
    text_duration(key->min, &min, NULL);
    text_duration(key->max, &max, NULL);
    if (value < min || value > max)
        return out_of_range(reading, node, key, "'",
                            value == 0 ? "; leave the key out for no limit"
                                       : "");
    *out = value;
    return true;
}

static int text_share(const char *text, double *out)
{
    char number[32];
    size_t size = strlen(text);

    if (size < 2 || size > sizeof number || text[size - 1] != '%')
        return WEIR_EINVAL;
    snprintf(number, sizeof number, "%.*s", (int)size - 1, text);
    if (text_real(number, out, NULL) < 0)
        return WEIR_EINVAL;
    *out /= 100;
    return 0;
}

bool value_share(struct reading *reading, const struct slots *slots,
                 enum key_id id, double *out)
{
    const struct node *node = take(reading, slots, id);
    const struct key *key = key_by_id(id);
    double value, min = 0, max = 1;

    if (!node)
        return false;
    if (text_share(node->text, &value) < 0) {
        mistake(reading, node->mark,
                "'%s' must be a share such as 5%%, not '%s'",
                name_of(reading, key), QUOTE(node->text));
        return false;
    }
    text_share(key->min, &min);
    text_share(key->max, &max);
    if (value < min || value > max)
        return out_of_range(reading, node, key, "", "");
    *out = value;
    return true;
}

bool value_real(struct reading *reading, const struct slots *slots,
                enum key_id id, double *out)
{
    const struct node *node = take(reading, slots, id);
    const struct key *key = key_by_id(id);
    double value, min = 0, max = 0;
    weir_error err;

    if (!node)
        return false;
    if (text_real(node->text, &value, &err) < 0) {
        refuse(reading, node, id, err.text);
        return false;
    }
    text_real(key->min, &min, NULL);
    text_real(key->max, &max, NULL);
    if (value < min || value > max)
        return out_of_range(reading, node, key, "", "");
    *out = value;
    return true;
}

bool value_choice(struct reading *reading, const struct slots *slots,
                  enum key_id id, unsigned *out)
{
    const struct node *node = take(reading, slots, id);
    const struct key *key = key_by_id(id);
    const char *list[16] = { NULL };
    char words[96];
    const char *near;
    unsigned count = 0;

    if (!node)
        return false;
    snprintf(words, sizeof words, "%s", key->words);
    for (char *word = words, *end; word && count < 15; word = end) {
        end = strchr(word, ' ');
        if (end)
            *end++ = '\0';
        list[count] = word;
        if (strcmp(word, node->text) == 0) {
            *out = count;
            return true;
        }
        count++;
    }
    near = text_nearest(node->text, list);
    if (near)
        mistake(reading, node->mark, "'%s' cannot be '%s'; did you mean '%s'?",
                name_of(reading, key), QUOTE(node->text), near);
    else
        mistake(reading, node->mark, "'%s' cannot be '%s'; it is one of: %s",
                name_of(reading, key), QUOTE(node->text), key->words);
    return false;
}

struct node *value_map(struct reading *reading, const struct slots *slots,
                       enum key_id id)
{
    const struct key *key = key_by_id(id);
    struct node *node = slots->value[id];

    if (!node || node->kind == NODE_BAD || node_is_null(node))
        return NULL;
    if (node->kind == NODE_MAP)
        return node;
    mistake(reading, node->mark, "'%s' must be a map (NAME: VALUE), not %s",
            key->name, node_words(node));
    return NULL;
}
