/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lines.c - file.lines: the records of files, without their terminator. Runs
 * in workers. The window that is read at once grows only as far as a record
 * may become.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source.h"

enum { WINDOW = 256 << 10 };

static int set_number(weir_call *call, const struct file_source *source)
{
    char text[24];
    int size;

    if (!source->param->numbers)
        return 0;
    size = snprintf(text, sizeof text, "%llu",
                    (unsigned long long)source->place.line + 1);
    return weir_set_attr(call, "line", text, (size_t)size);
}

/* Room behind what has not been looked at, which moves to the front. Returns
 * 0, 1: the record is too long, or WEIR_ENOMEM. */
static int make_room(struct file_source *source)
{
    /* A record, CR LF, and a byte to see that it goes on. */
    uint64_t most = source->param->size_bytes + 3;
    size_t rest = source->fill - source->at, room = source->room;
    char *grown;

    if (source->at > 0)
        memmove(source->buffer, source->buffer + source->at, rest);
    source->at = 0;
    source->fill = rest;
    if (rest < room)
        return 0;
    if (rest >= most)
        return 1;
    room = room == 0 ? WINDOW : 2 * room;
    if (room > most)
        room = (size_t)most;
    grown = realloc(source->buffer, room);
    if (!grown)
        return WEIR_ENOMEM;
    source->buffer = grown;
    source->room = room;
    return 0;
}

/* Reads on. Sets *last when nothing more comes. Returns as make_room, or a
 * negated errno. */
static int refill(struct file_source *source, bool *last)
{
    uint64_t offset;
    size_t room;
    ssize_t got;
    int code = make_room(source);

    if (code != 0)
        return code;
    offset = source->place.offset + source->fill;
    room = source->room - source->fill;
    if (source->place.end > 0 && source->place.end - offset < room)
        room = (size_t)(source->place.end - offset);
    got = file_read_at(source->fd, source->buffer + source->fill, room, offset);
    if (got < 0)
        return (int)got;
    source->fill += (size_t)got;
    *last = (size_t)got < room || offset + room == source->place.end;
    return 0;
}

/* Finds the end of the record at `at`: *size without, *whole with its
 * terminator; 0 and 0: the file ends here. Returns as refill. */
static int find_record(struct file_source *source, size_t *size, size_t *whole)
{
    int end = source->param->terminator == FILE_NUL ? '\0' : '\n';
    const char *data = source->buffer, *found = NULL;
    size_t seen = 0;
    bool last = source->place.flags & FILE_DONE;
    int code = 0;

    for (;;) {
        size_t have = source->fill - source->at;

        if (have > seen)
            found = memchr(data + source->at + seen, end, have - seen);
        if (found || last)
            break;
        seen = have;
        code = refill(source, &last);
        if (code != 0)
            return code;
        data = source->buffer;
    }
    *whole = found ? (size_t)(found - data) + 1 - source->at
                   : source->fill - source->at;
    *size = *whole - (found != NULL);
    if (found && source->param->terminator == FILE_CRLF && *size > 0 &&
        found[-1] == '\r')
        --*size;
    return *size > source->param->size_bytes;
}

static int one_line(weir_call *call, struct file_source *source)
{
    size_t size = 0, whole = 0;
    int code = find_record(source, &size, &whole);

    if (code == 1)
        return file_source_too_long(call, source);
    if (code == WEIR_ENOMEM)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    if (code < 0)
        return file_source_broken(call, source, code);
    if (whole == 0)
        return file_source_next(call, source);
    code = set_number(call, source);
    if (code == 0)
        code = weir_emit(call, 0, source->buffer + source->at, size);
    if (code < 0)
        return code;
    source->emitted++;
    source->at += whole;
    source->place.offset += whole;
    source->place.line++;
    return file_source_set(call, source);
}

int file_lines_run(weir_call *call)
{
    struct file_source *source = weir_state(call);
    int code = file_source_begin(call, source);

    while (code == 0 && source->emitted < FILE_PIECE)
        code = one_line(call, source);
    return code == FILE_ENOUGH ? 0 : code;
}
