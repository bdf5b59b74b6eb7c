/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blocks.c - file.blocks: large pieces of files, cut behind a record's end.
 * Runs in workers. Bytes go from the page cache into the queue's memory at
 * once; what stands behind the last whole record is read again as the start of
 * the next block.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "source.h"

static int set_offset(weir_call *call, uint64_t offset)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%llu", (unsigned long long)offset);

    return weir_set_attr(call, "offset", text, (size_t)size);
}

/* How much of @data is whole records; 0: not even one. */
static size_t cut(const struct file_source *source, const char *data,
                  size_t size, bool last)
{
    int end = source->param->terminator == FILE_NUL ? '\0' : '\n';
    const char *found = last ? NULL : memrchr(data, end, size);

    if (last)
        return size;
    return found ? (size_t)(found - data) + 1 : 0;
}

/* What is read up to place.offset + @got, less the part of a record at its
 * end. A reservation that is not submitted ends with the call only. */
static int give(weir_call *call, struct file_source *source, const char *data,
                size_t got, bool last)
{
    struct file_place *place = &source->place;
    size_t size = cut(source, data, got, last);
    int code;

    if (size == 0 && !last)
        return file_source_too_long(call, source);
    if (size > 0) {
        code = weir_submit(call, size);
        if (code < 0)
            return code;
        source->emitted++;
        place->offset += size;
    }
    if (last)
        place->flags |= FILE_DONE;
    code = file_source_set(call, source);
    return code == 0 && size == 0 ? FILE_ENOUGH : code;
}

static int one_block(weir_call *call, struct file_source *source)
{
    struct file_place *place = &source->place;
    uint64_t start = place->offset;
    size_t room = file_source_room(source, source->param->size_bytes);
    void *data;
    ssize_t got;
    bool last;
    int code = set_offset(call, start);

    if (code == 0)
        code = weir_reserve(call, 0, room, &data);
    if (code < 0)
        return code;
    got = file_read_at(source->fd, data, room, start);
    if (got < 0)
        return file_source_broken(call, source, (int)got);
    place->offset = start + (size_t)got;
    code = file_source_at_end(source, &last);
    place->offset = start;
    if (code < 0)
        return file_source_broken(call, source, code);
    return give(call, source, data, (size_t)got, last || (size_t)got < room);
}

int file_blocks_run(weir_call *call)
{
    struct file_source *source = weir_state(call);
    uint64_t bytes = 0;
    int code = file_source_begin(call, source);

    while (code == 0 && source->emitted < FILE_PIECE &&
           bytes < source->param->size_bytes) {
        uint64_t before = source->place.offset;
        bool end;

        code = file_source_at_end(source, &end);
        if (code < 0) {
            code = file_source_broken(call, source, code);
        } else if (end) {
            code = file_source_next(call, source);
        } else {
            code = one_block(call, source);
            bytes += source->place.offset - before;
        }
    }
    return code == FILE_ENOUGH ? 0 : code;
}
