/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.c - a streaming writer of JSON (RFC 8259). Any process. The bytes do
 * not depend on the locale; failures are remembered by the buf.
 */
#include "config.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

static void quoted_char(struct buf *out, const char *data, size_t size,
                        uint32_t code)
{
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* char, letter */

    for (size_t i = 0; i < sizeof named - 1; i += 2) {
        if (code == (unsigned char)named[i]) {
            buf_char(out, '\\');
            buf_char(out, named[i + 1]);
            return;
        }
    }
    if (code < 0x20)
        buf_printf(out, "\\u%04x", (unsigned)code);
    else
        buf_add(out, data, size);
}

static void quoted(struct buf *out, const char *data, size_t size)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    size_t at = 0;

    buf_char(out, '"');
    while (at < size) {
        uint32_t code;
        size_t next = utf8_next(data + at, size - at, &code);

        if (next == 0) {
            buf_text(out, replacement);
            at++;
            continue;
        }
        quoted_char(out, data + at, next, code);
        at += next;
    }
    buf_char(out, '"');
}

/* What stands before every value. */
static void begin(struct json *json, const char *key)
{
    if (json->comma)
        buf_char(json->out, ',');
    json->comma = true;
    if (key) {
        quoted(json->out, key, strlen(key));
        buf_char(json->out, ':');
    }
}

static void open_with(struct json *json, const char *key, char c)
{
    begin(json, key);
    buf_char(json->out, c);
    json->comma = false;
}

static void close_with(struct json *json, char c)
{
    buf_char(json->out, c);
    json->comma = true;
}

void json_object(struct json *json, const char *key)
{
    open_with(json, key, '{');
}

void json_object_end(struct json *json)
{
    close_with(json, '}');
}

void json_array(struct json *json, const char *key)
{
    open_with(json, key, '[');
}

void json_array_end(struct json *json)
{
    close_with(json, ']');
}

void json_bytes(struct json *json, const char *key, const void *data,
                size_t size)
{
    begin(json, key);
    quoted(json->out, data, size);
}

void json_text(struct json *json, const char *key, const char *text)
{
    if (text)
        json_bytes(json, key, text, strlen(text));
    else
        json_null(json, key);
}

void json_uint(struct json *json, const char *key, uint64_t value)
{
    begin(json, key);
    buf_printf(json->out, "%" PRIu64, value);
}

void json_int(struct json *json, const char *key, int64_t value)
{
    begin(json, key);
    buf_printf(json->out, "%" PRId64, value);
}

/* The fewest digits that read back as the same number; 17 always do (IEEE 754,
 * 5.12.2). glibc gives the "C" locale without allocating. */
static void print_real(struct buf *out, double value)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before;
    char text[32];

    if (c == (locale_t)0) {
        out->failed = true;
        return;
    }
    before = uselocale(c);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_text(out, text);
    uselocale(before);
    freelocale(c);
}

void json_real(struct json *json, const char *key, double value)
{
    begin(json, key);
    if (isfinite(value))
        print_real(json->out, value);
    else
        buf_text(json->out, "null");
}

void json_bool(struct json *json, const char *key, bool value)
{
    begin(json, key);
    buf_text(json->out, value ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
    begin(json, key);
    buf_text(json->out, "null");
}
