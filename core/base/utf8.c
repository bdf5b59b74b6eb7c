/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utf8.c - what is UTF-8, and how to show what is not. Any process.
 *
 * Well-formed is what the table of RFC 3629, section 4, allows: no overlong
 * form, no surrogate, nothing above U+10FFFF.
 */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"

enum { ESCAPED_MOST = 16 }; /* four bytes, each as \xNN */

/* One row for each first byte that differs: the range of the second byte. All
 * further bytes are 80..bf. */
static const struct {
    unsigned char first, last, low, high, size;
} rows[] = {
    { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
    { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
    { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
    { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static size_t row_of(unsigned char first)
{
    size_t i = 0;

    while (i < sizeof rows / sizeof *rows &&
           (first < rows[i].first || first > rows[i].last))
        i++;
    return i;
}

size_t utf8_next(const char *data, size_t size, uint32_t *code_out)
{
    const unsigned char *at = (const unsigned char *)data;
    uint32_t code;
    size_t row;

    if (size == 0)
        return 0;
    if (at[0] < 0x80) {
        *code_out = at[0];
        return 1;
    }
    row = row_of(at[0]);
    if (row == sizeof rows / sizeof *rows || rows[row].size > size ||
        at[1] < rows[row].low || at[1] > rows[row].high)
        return 0;
    code = at[0] & (0x7fu >> rows[row].size);
    for (size_t i = 1; i < rows[row].size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    *code_out = code;
    return rows[row].size;
}

size_t utf8_cut(const char *data, size_t size, size_t most)
{
    uint32_t code;

    if (size <= most)
        return size;
    /* Only a character that begins up to three bytes before can be cut. */
    for (size_t back = 1; back <= 3 && back <= most; back++) {
        size_t next = utf8_next(data + most - back, size - most + back, &code);

        if (next > back)
            return most - back;
        if (next > 0)
            break;
    }
    return most;
}

size_t text_utf8_valid(const char *data, size_t size)
{
    uint32_t code;
    size_t at = 0;

    while (at < size) {
        size_t next;

        if ((unsigned char)data[at] < 0x80) {
            at++;
            continue;
        }
        next = utf8_next(data + at, size - at, &code);
        if (next == 0)
            break;
        at += next;
    }
    return at;
}

/* Marks that turn or hide text on a terminal without being seen, besides the
 * controls: a name with one may look like another (Unicode TR 36). */
static bool is_unseen(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x61c ||
           code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

static size_t escape_byte(char *out, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";

    out[0] = '\\';
    if (byte == '\n' || byte == '\t') {
        out[1] = byte == '\n' ? 'n' : 't';
        return 2;
    }
    out[1] = 'x';
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

/* The next character, or single byte, as it is shown: its bytes into @out, how
 * many into *shown; returns how much of the input that was. */
static size_t escape_next(char *out, const char *data, size_t size,
                          size_t *shown)
{
    uint32_t code;
    size_t next = utf8_next(data, size, &code);

    *shown = 0;
    if (next > 0 && !is_unseen(code)) {
        memcpy(out, data, next);
        *shown = next;
        return next;
    }
    if (next == 0)
        next = 1;
    for (size_t i = 0; i < next; i++)
        *shown += escape_byte(out + *shown, (unsigned char)data[i]);
    return next;
}

int text_escape(struct buf *buf, const char *data, size_t size, size_t most)
{
    size_t end = utf8_cut(data, size, most);
    size_t at = 0;

    while (at < end) {
        char out[ESCAPED_MOST];
        size_t shown;

        at += escape_next(out, data + at, end - at, &shown);
        if (buf_add(buf, out, shown) < 0)
            return WEIR_ENOMEM;
    }
    return buf_text(buf, end < size ? "..." : "");
}

char *utf8_shown(char *out, const char *text)
{
    size_t size = strlen(text);
    size_t at = 0;
    size_t used = 0;

    while (at < size && used + ESCAPED_MOST + sizeof "..." <= SHOWN_ROOM) {
        size_t shown;

        at += escape_next(out + used, text + at, size - at, &shown);
        used += shown;
    }
    memcpy(out + used, at < size ? "..." : "", at < size ? 4 : 1);
    return out;
}
