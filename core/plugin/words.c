/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * words.c - small texts of a descriptor: lists of words, one-line texts,
 * names, and how they are shown in a message. A plugin wrote them, so nothing
 * about them is taken for granted but that they end with a NUL.
 */
#include "config.h"

#include <string.h>

#include "plugin/internal.h"

struct word word_next(const char **at)
{
    struct word word = { *at, strcspn(*at, " ") };

    *at += word.size;
    if (**at == ' ')
        (*at)++;
    return word;
}

bool word_is(struct word word, const char *text)
{
    return strlen(text) == word.size && memcmp(word.text, text, word.size) == 0;
}

static bool word_earlier(const char *words, struct word word)
{
    for (const char *at = words; at < word.text;) {
        struct word other = word_next(&at);

        if (other.text < word.text && other.size == word.size &&
            memcmp(other.text, word.text, word.size) == 0)
            return true;
    }
    return false;
}

int words_check(const char *words, const char *what, unsigned most,
                weir_error *err)
{
    size_t size = strlen(words);
    unsigned count = 0;

    if (size == 0 || words[0] == ' ' || words[size - 1] == ' ' ||
        strstr(words, "  "))
        return error_set(err, WEIR_EINVAL,
                         "its %ss are not words parted by one space", what);
    for (const char *at = words; *at != '\0';) {
        struct word word = word_next(&at);

        if (++count > most)
            return error_set(err, WEIR_EINVAL, "it has more than %u %ss", most,
                             what);
        if (word_earlier(words, word))
            return error_set(err, WEIR_EINVAL, "it has the %s '%.*s' twice",
                             what, (int)(word.size > 64 ? 64 : word.size),
                             word.text);
    }
    return 0;
}

int line_check(const char *line, const char *what, weir_error *err)
{
    size_t size;

    if (!line || line[0] == '\0')
        return error_set(err, WEIR_EINVAL, "it has no %s", what);
    size = strnlen(line, LINE_MAX_BYTES + 1);
    if (size > LINE_MAX_BYTES)
        return error_set(err, WEIR_EINVAL, "its %s is longer than %d bytes",
                         what, LINE_MAX_BYTES);
    if (text_utf8_valid(line, size) != size)
        return error_set(err, WEIR_EINVAL, "its %s is not UTF-8", what);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            return error_set(err, WEIR_EINVAL,
                             "its %s has a control character; it must be one "
                             "line",
                             what);
    return 0;
}

bool name_is_lower(const char *name)
{
    return text_is_name(name) && !strpbrk(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

const char *quoted(char *out, const char *text)
{
    CLEANUP_BUF struct buf buf = { 0 };
    size_t size = strnlen(text, 97);

    text_escape(&buf, text, size, 96);
    size = buf.size < QUOTED_MAX ? buf.size : QUOTED_MAX - 1;
    if (size > 0)
        memcpy(out, buf.data, size);
    out[size] = '\0';
    return out;
}
