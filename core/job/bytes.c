/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bytes.c - is this the text of a job file at all? Runs in the owner.
 *
 * libyaml's reader tells nothing of the place when it meets broken UTF-8 or a
 * control, and it tells a buffer too early. So all bytes are looked at first;
 * then its reader cannot fail. U+0085, U+2028 and U+2029 end a line for
 * libyaml and for no editor, and marks of writing direction can make a line
 * look like another one: neither is let in.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "job/internal.h"

static bool is_tail(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t char_size(const char *data, size_t size)
{
    unsigned char lead = (unsigned char)data[0];
    size_t want = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    if (lead > 0xf4 || want > size)
        return 1;
    for (size_t i = 1; i < want; i++)
        if (!is_tail(data[i]))
            return 1;
    return want;
}

size_t break_size(const char *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == '\r')
        return size > 1 && data[1] == '\n' ? 2 : 1;
    return data[0] == '\n';
}

size_t bom_size(const char *data, size_t size)
{
    return size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

const char *quote(char *out, const char *text)
{
    CLEANUP_BUF struct buf buf = { 0 };
    size_t size = strnlen(text, 65);
    size_t kept;

    text_escape(&buf, text, size, 64);
    kept = buf.size < QUOTE_ROOM ? buf.size : QUOTE_ROOM - 1;
    while (kept > 0 && kept < buf.size && is_tail(buf.data[kept]))
        kept--;
    if (kept > 0)
        memcpy(out, buf.data, kept);
    out[kept] = '\0';
    return out;
}

static uint32_t code_of(const char *data, size_t size)
{
    const unsigned char *at = (const unsigned char *)data;

    if (size == 1)
        return at[0];
    if (size == 2)
        return (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
    if (size == 3)
        return (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    return (at[0] & 0x07u) << 18 | (at[1] & 0x3fu) << 12 |
           (at[2] & 0x3fu) << 6 | (at[3] & 0x3fu);
}

/* What is wrong with a character; NULL: nothing. */
static const char *fault_of(uint32_t code)
{
    if (code == 0)
        return "a NUL byte; a job file is text";
    if (code == 0xfeff)
        return "a byte order mark inside the file (U+FEFF); take it out";
    if (code == 0x85 || code == 0x2028 || code == 0x2029)
        return "a line end that only YAML sees (U+%04X); write a plain "
               "newline";
    if ((code >= 0x202a && code <= 0x202e) ||
        (code >= 0x2066 && code <= 0x2069))
        return "a mark of writing direction (U+%04X), which can hide what a "
               "line says; take it out, or write \"\\u%04x\"";
    if ((code < 0x20 && code != '\t' && code != '\n' && code != '\r') ||
        (code >= 0x7f && code < 0xa0))
        return "a control character (U+%04X); in a text, write it as an "
               "escape in double quotes: \"\\u%04x\"";
    if ((code & 0xfffe) == 0xfffe)
        return "no character (U+%04X); take it out";
    return NULL;
}

static void tell_fault(struct diags *diags, struct mark mark, uint32_t code,
                       const char *fault)
{
    char text[200];
    const char *number = strstr(fault, "%04X");
    int size = number ? (int)(number - fault) : (int)strlen(fault);
    const char *rest = number ? number + 4 : "";
    const char *escape = strstr(rest, "%04x");

    if (!number)
        snprintf(text, sizeof text, "%s", fault);
    else if (!escape)
        snprintf(text, sizeof text, "%.*s%04X%s", size, fault, (unsigned)code,
                 rest);
    else
        snprintf(text, sizeof text, "%.*s%04X%.*s%04x%s", size, fault,
                 (unsigned)code, (int)(escape - rest), rest, (unsigned)code,
                 escape + 4);
    diag_add(diags, mark, "%s", text);
}

/* Other encodings, by their first bytes; in each of them, YAML's first
 * character is ASCII. */
static const char *other_encoding(const char *data, size_t size)
{
    if (size >= 2 &&
        (memcmp(data, "\xff\xfe", 2) == 0 || memcmp(data, "\xfe\xff", 2) == 0))
        return "UTF-16";
    if (size >= 4 && data[0] == 0 && data[1] == 0 && data[2] == 0)
        return "UTF-32";
    if (size >= 4 && data[0] && !data[1] && !data[2] && !data[3])
        return "UTF-32";
    if (size >= 2 && (data[0] == 0) != (data[1] == 0))
        return "UTF-16";
    return NULL;
}

/* How many characters from here on have nothing wrong, and one byte each. */
static size_t plain_run(const char *data, size_t size)
{
    size_t count = 0;

    while (count < size && data[count] >= ' ' && data[count] < 0x7f)
        count++;
    return count;
}

static void check_chars(const char *data, size_t size, struct diags *diags)
{
    struct mark mark = { .line = 1, .column = 1, .length = 1 };
    size_t valid = text_utf8_valid(data, size);

    for (size_t at = bom_size(data, size); at < size;) {
        size_t plain = plain_run(data + at, size - at), step;
        const char *fault;
        uint32_t code;

        at += plain;
        mark.column += (unsigned)plain;
        if (at == size)
            break;
        step = break_size(data + at, size - at);
        if (step > 0) {
            mark.line++;
            mark.column = 1;
            at += step;
            continue;
        }
        if (at >= valid) {
            diag_add(diags, mark,
                     "the byte 0x%02x is not UTF-8; save the file as UTF-8",
                     (unsigned char)data[at]);
            return;
        }
        step = char_size(data + at, size - at);
        code = code_of(data + at, step);
        fault = fault_of(code);
        if (fault)
            tell_fault(diags, mark, code, fault);
        mark.column++;
        at += step;
    }
}

void bytes_check(const char *data, size_t size, struct diags *diags)
{
    const char *encoding = other_encoding(data, size);

    if (encoding)
        diag_add(diags, (struct mark){ 1, 1, 0 },
                 "the file is %s; save it as UTF-8", encoding);
    else
        check_chars(data, size, diags);
}
