/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* call_out.c - what a task has given in `weir call`, on standard output. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/call_out.h"
#include "queue/attrs.h"

/* Bytes that are no text, for JSON (RFC 4648). */
static void base64(struct buf *out, const char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = (const unsigned char *)data;

    for (; size > 0; at += 3) {
        size_t part = size < 3 ? size : 3;
        unsigned bits = (unsigned)at[0] << 16;

        if (part > 1)
            bits |= (unsigned)at[1] << 8;
        if (part > 2)
            bits |= at[2];
        buf_char(out, digits[bits >> 18]);
        buf_char(out, digits[bits >> 12 & 63]);
        buf_char(out, part > 1 ? digits[bits >> 6 & 63] : '=');
        buf_char(out, part > 2 ? digits[bits & 63] : '=');
        size -= part;
    }
}

static bool is_plain(const char *data, size_t size)
{
    return text_utf8_valid(data, size) == size && !memchr(data, '\0', size);
}

static bool is_text(const struct payload *payload)
{
    return is_plain(payload->data, payload->size);
}

void call_out_content(struct json *json, const void *data, size_t size)
{
    CLEANUP_BUF struct buf encoded = { 0 };

    if (data == NULL)
        data = "";
    if (is_plain(data, size)) {
        json_bytes(json, "text", data, size);
        return;
    }
    base64(&encoded, data, size);
    json_bytes(json, "base64", encoded.data, encoded.size);
    json->out->failed |= encoded.failed;
}

static void attrs_json(struct json *json, const struct payload *attrs)
{
    struct attr attr;
    size_t at = 0;

    json_object(json, "attributes");
    while (attrs && attrs_next(attrs->data, attrs->size, &at, &attr) == 1) {
        CLEANUP_FREE char *name = strndup(attr.name, attr.name_size);

        json_bytes(json, name ? name : "", attr.value, attr.size);
    }
    json_object_end(json);
}

static void item_json(const struct call_out *out,
                      const struct inline_item *item)
{
    CLEANUP_BUF struct buf line = { 0 };
    struct json json = { .out = &line };
    char id[40];

    snprintf(id, sizeof id, "%016" PRIx64 "%016" PRIx64, item->root,
             item->path);
    json_object(&json, NULL);
    json_text(&json, "output", out->names[item->output]);
    json_text(&json, "id", id);
    json_uint(&json, "size", item->payload->size);
    attrs_json(&json, item->attrs);
    call_out_content(&json, item->payload->data, item->payload->size);
    json_object_end(&json);
    buf_char(&line, '\n');
    out_buf(&line);
}

/* What is put behind an item. */
static const char *ending(const struct call_out *out,
                          const struct payload *payload, size_t *size)
{
    const char *frame = out->frame ? out->frame : "auto";
    bool ended = payload->size > 0 && payload->data[payload->size - 1] == '\n';

    *size = 0;
    if (strcmp(frame, "nul") == 0)
        *size = 1;
    else if (strcmp(frame, "line") == 0)
        *size = !ended;
    else if (strcmp(frame, "auto") == 0)
        *size = !ended && is_text(payload);
    return strcmp(frame, "nul") == 0 ? "" : "\n";
}

void call_out_item(const struct call_out *out, const struct inline_item *item)
{
    const char *name = out->names[item->output];
    const char *end;
    size_t size;

    if (out->only >= 0 && (unsigned)out->only != item->output)
        return;
    if (out->json) {
        item_json(out, item);
        return;
    }
    if (out->count > 1 && out->only < 0)
        note_line("to '%s', %zu bytes:", name, item->payload->size);
    end = ending(out, item->payload, &size);
    out_bytes(item->payload->data, item->payload->size);
    out_bytes(end, size);
}
