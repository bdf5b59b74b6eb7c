/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * buf.c - growing bytes, and messages written to and read from them. Any
 * process. What a message says is not believed: the reader checks each size
 * against what is there.
 *
 * Fixed-width fields stand in the order of the machine, since a message never
 * leaves it; a count is 64 bits wide.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { SMALLEST = 64 };

int buf_reserve(struct buf *buf, size_t more)
{
    size_t need;
    size_t room;
    char *data;

    if (buf->failed)
        return WEIR_ENOMEM;
    if (__builtin_add_overflow(buf->size, more, &need) ||
        __builtin_add_overflow(need, 1, &need))
        goto failed;
    if (need <= buf->room)
        return 0;
    if (__builtin_mul_overflow(buf->room, 2, &room) || room < need)
        room = need;
    if (room < SMALLEST)
        room = SMALLEST;
    data = realloc(buf->data, room);
    if (!data)
        goto failed;
    buf->data = data;
    buf->room = room;
    buf->data[buf->size] = '\0';
    return 0;

failed:
    buf->failed = true;
    return WEIR_ENOMEM;
}

/* For what buf_reserve has made room for. */
static void append(struct buf *buf, const void *data, size_t size)
{
    if (size > 0)
        memcpy(buf->data + buf->size, data, size);
    buf->size += size;
    buf->data[buf->size] = '\0';
}

int buf_add(struct buf *buf, const void *data, size_t size)
{
    if (buf_reserve(buf, size) < 0)
        return WEIR_ENOMEM;
    append(buf, data, size);
    return 0;
}

int buf_text(struct buf *buf, const char *text)
{
    return buf_add(buf, text, strlen(text));
}

int buf_char(struct buf *buf, char c)
{
    return buf_add(buf, &c, 1);
}

int buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0) /* longer than INT_MAX, or no memory inside libc */
        buf->failed = true;
    if (buf_reserve(buf, size < 0 ? 0 : (size_t)size) < 0)
        return WEIR_ENOMEM;
    va_start(args, format);
    vsnprintf(buf->data + buf->size, (size_t)size + 1, format, args);
    va_end(args);
    buf->size += (size_t)size;
    return 0;
}

void buf_cut(struct buf *buf, size_t size)
{
    if (size >= buf->size)
        return;
    buf->size = size;
    buf->data[size] = '\0';
}

void buf_drop(struct buf *buf, size_t size)
{
    if (size == 0 || buf->size == 0)
        return;
    if (size > buf->size)
        size = buf->size;
    buf->size -= size;
    memmove(buf->data, buf->data + size, buf->size + 1);
}

void buf_done(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){ 0 };
}

int buf_u32(struct buf *buf, uint32_t value)
{
    return buf_add(buf, &value, sizeof value);
}

int buf_u64(struct buf *buf, uint64_t value)
{
    return buf_add(buf, &value, sizeof value);
}

int buf_counted(struct buf *buf, const void *data, size_t size)
{
    uint64_t count = size;
    size_t whole;

    /* All or nothing: a message never ends between count and bytes. */
    if (__builtin_add_overflow(size, sizeof count + 1, &whole))
        buf->failed = true;
    if (buf_reserve(buf, whole) < 0)
        return WEIR_ENOMEM;
    append(buf, &count, sizeof count);
    append(buf, data, size);
    append(buf, "", 1);
    return 0;
}

static const char *take(struct reader *reader, size_t size)
{
    if (reader->bad || reader->at > reader->size ||
        size > reader->size - reader->at) {
        reader->bad = true;
        return NULL;
    }
    reader->at += size;
    return reader->data + reader->at - size;
}

uint32_t read_u32(struct reader *reader)
{
    uint32_t value = 0;
    const char *data = take(reader, sizeof value);

    if (data)
        memcpy(&value, data, sizeof value);
    return value;
}

uint64_t read_u64(struct reader *reader)
{
    uint64_t value = 0;
    const char *data = take(reader, sizeof value);

    if (data)
        memcpy(&value, data, sizeof value);
    return value;
}

const char *read_counted(struct reader *reader, size_t *size_out)
{
    uint64_t count = read_u64(reader);
    const char *data = NULL;

    if (count >= SIZE_MAX)
        reader->bad = true;
    if (!reader->bad)
        data = take(reader, (size_t)count + 1);
    if (data && data[count] != '\0')
        reader->bad = true;
    *size_out = reader->bad ? 0 : (size_t)count;
    return reader->bad ? "" : data;
}

const char *read_text(struct reader *reader)
{
    size_t size;

    return read_counted(reader, &size);
}
