/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * expand.c - templates like "out/${item.stem}.zst". Runs in workers, for every
 * item: one pass, no allocation. The values are an item's and trusted for
 * nothing; the text is the job's.
 */
#include "config.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "plugin/expand.h"

enum { NAME_MOST = 64 }; /* as text_is_name */

struct output {
    char *at;
    size_t room;
    size_t size;
};

static int put(struct output *out, const void *data, size_t size)
{
    if (size >= out->room - out->size || size > (size_t)INT_MAX - out->size)
        return WEIR_ETOOBIG;
    if (size > 0)
        memcpy(out->at + out->size, data, size);
    out->size += size;
    return 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Size of the name that @text begins with and a brace ends; 0: none. */
static size_t name_size(const char *text)
{
    size_t size = 0;

    if (!is_letter(text[0]))
        return 0;
    while (is_letter(text[size]) || (text[size] >= '0' && text[size] <= '9') ||
           text[size] == '_' || text[size] == '-')
        size++;
    return text[size] == '}' && size <= NAME_MOST ? size : 0;
}

static int put_value(struct output *out, const char *name, size_t size,
                     template_lookup *lookup, void *arg, char *missing)
{
    const void *value = NULL;
    size_t value_size = 0;
    int code = lookup(arg, name, size, &value, &value_size);

    if (code == 0 && value_size > 0 && memchr(value, '\0', value_size))
        code = WEIR_EINVAL;
    if (code == WEIR_EEMPTY || code == WEIR_EINVAL) {
        size_t kept = size < NAME_MOST ? size : NAME_MOST - 1;

        memcpy(missing, name, kept);
        missing[kept] = '\0';
    }
    return code < 0 ? code : put(out, value, value_size);
}

int template_expand(const char *text, template_lookup *lookup, void *arg,
                    char *out, size_t room, char *missing)
{
    static const char open[] = "${item.";
    struct output output = { out, room, 0 };
    int code = 0;

    missing[0] = '\0';
    if (room == 0)
        return WEIR_ETOOBIG;
    while (*text != '\0' && code == 0) {
        size_t plain = strcspn(text, "$"), size = 0;

        if (plain > 0) {
            code = put(&output, text, plain);
            text += plain;
        } else if (strncmp(text, "$${", 3) == 0) {
            code = put(&output, "${", 2);
            text += 3;
        } else {
            if (strncmp(text, open, sizeof open - 1) == 0)
                size = name_size(text + sizeof open - 1);
            if (size > 0)
                code = put_value(&output, text + sizeof open - 1, size, lookup,
                                 arg, missing);
            else
                code = put(&output, text, 1);
            text += size > 0 ? sizeof open + size : 1;
        }
    }
    if (code < 0)
        return code;
    out[output.size] = '\0';
    return (int)output.size;
}

struct part {
    const char *at;
    size_t size;
};

/* The last component; of "/" the slash itself. */
static struct part last(const char *path, size_t size)
{
    size_t start;

    while (size > 1 && path[size - 1] == '/')
        size--;
    for (start = size; start > 0 && path[start - 1] != '/';)
        start--;
    if (start == size) /* only slashes */
        start = size - 1;
    return (struct part){ path + start, size - start };
}

static struct part part_dir(const char *path, size_t size)
{
    struct part name = last(path, size);
    size_t end = (size_t)(name.at - path);

    while (end > 1 && path[end - 1] == '/')
        end--;
    if (end == 0)
        return name.at[0] == '/' ? name : (struct part){ ".", 1 };
    return (struct part){ path, end };
}

static struct part part_stem(const char *path, size_t size)
{
    struct part name = last(path, size);
    const char *dot = memrchr(name.at, '.', name.size);

    if (!dot || dot == name.at || (name.size == 2 && name.at[0] == '.'))
        return name;
    return (struct part){ name.at, (size_t)(dot - name.at) };
}

static int put_id(struct derived *derived, struct part *part)
{
    snprintf(derived->id, sizeof derived->id, "%016" PRIx64 "%016" PRIx64,
             derived->root, derived->path);
    *part = (struct part){ derived->id, 32 };
    return 1;
}

static bool name_is(const char *name, size_t size, const char *text)
{
    return strlen(text) == size && memcmp(name, text, size) == 0;
}

int attr_derived(struct derived *derived, const char *name, size_t name_size,
                 const void **value, size_t *size)
{
    static const struct {
        const char *name;
        struct part (*of)(const char *path, size_t size);
    } parts[] = { { "name", last },
                  { "stem", part_stem },
                  { "dir", part_dir } };
    struct part part;
    int code = 0;

    if (name_is(name, name_size, "id"))
        code = put_id(derived, &part);
    for (size_t i = 0; i < 3 && code == 0; i++) {
        if (!name_is(name, name_size, parts[i].name))
            continue;
        if (!derived->file || derived->file_size == 0)
            return WEIR_EEMPTY;
        part = parts[i].of(derived->file, derived->file_size);
        code = 1;
    }
    if (code == 1) {
        *value = part.at;
        *size = part.size;
    }
    return code;
}
