/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * failed_sentence.c - a verdict without what differs from item to item, so
 * that failures of one cause fall together. Pure; any process.
 */
#include "config.h"

#include <string.h>

#include "run/failed_store.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool in_word(char c)
{
    return is_digit(c) || is_letter(c) || (unsigned char)c >= 0x80;
}

/* What stands in quotes that open at @at: with both quotes; 0: they are none.
 * The apostrophe of "doesn't" opens nothing. */
static size_t quoted(const char *why, size_t at)
{
    char quote = why[at];
    size_t end = at + 1;

    if ((quote != '\'' && quote != '"' && quote != '`') ||
        (at > 0 && in_word(why[at - 1])))
        return 0;
    while (why[end] != '\0' &&
           (why[end] != quote || (quote == '\'' && in_word(why[end + 1]))))
        end++;
    return why[end] == quote ? end + 1 - at : 0;
}

/* A path: a word with a slash in front or a dot and a slash. */
static size_t path_size(const char *why, size_t at)
{
    size_t dots = strspn(why + at, "."), size;

    if (dots > 2 || why[at + dots] != '/' || (at > 0 && in_word(why[at - 1])))
        return 0;
    size = strcspn(why + at, " \t\n,;()\"'");
    if (size > 1 && why[at + size - 1] == ':') /* of the sentence */
        size--;
    return size > dots + 1 ? size : 0;
}

static size_t number_size(const char *why, size_t at)
{
    const char *hex = "0123456789abcdefABCDEF";
    size_t size;

    if (!is_digit(why[at]))
        return 0;
    if (why[at] == '0' && why[at + 1] == 'x') {
        size = strspn(why + at + 2, hex);
        return size > 0 ? size + 2 : 1;
    }
    size = strspn(why + at, "0123456789");
    while (strchr(".,:", why[at + size]) != NULL && why[at + size] != '\0' &&
           is_digit(why[at + size + 1]))
        size += 1 + strspn(why + at + size + 1, "0123456789");
    return size;
}

int failed_sentence(struct buf *out, const char *why)
{
    size_t at = 0, size;

    buf_text(out, "");
    while (why[at] != '\0') {
        if ((size = quoted(why, at)) > 0 || (size = path_size(why, at)) > 0)
            buf_char(out, '*');
        else if ((size = number_size(why, at)) > 0)
            buf_char(out, 'N');
        else
            size = 1, buf_char(out, why[at]);
        at += size;
    }
    return buf_reserve(out, 1) < 0 || out->failed ? WEIR_ENOMEM : 0;
}

uint32_t failed_cause(const char *task, const char *class, const char *sentence)
{
    uint64_t hash = hash_bytes(task, strlen(task) + 1, 0);

    hash = hash_bytes(class, strlen(class) + 1, hash);
    hash = hash_bytes(sentence, strlen(sentence), hash);
    return (uint32_t)(hash ^ hash >> 32);
}
