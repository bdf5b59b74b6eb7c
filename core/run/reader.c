/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader.c - stdin, into the run's first queue: line by line, in blocks, or as
 * a whole. Runs in a process of its own, see ends.c.
 *
 * It reads only while its queue takes what was read. Before it waits for more
 * it commits what it has.
 *
 * Its cursor says how many bytes were put, for a run that goes on from a
 * journal. A file is read on from there. Of anything else all of it must come
 * once more: so many bytes are read and left out, and the last of them must be
 * those that were there before.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run/failure.h"
#include "run/host.h"
#include "run/kept.h"
#include "run/supervisor.h"

enum { BLOCK = 1 << 20, READ_SIZE = 256 << 10, CLAIM_PART = 4 };
#define READER_ROOT (UINT64_C(0xfff) << 52) /* source number of its items */
#define ITEM_MOST (UINT64_C(1) << 30)

enum { TAIL = 32 };

struct reader_cursor {
    uint64_t offset; /* bytes that are put, or left out */
    uint32_t skipping;
    uint32_t tail_size;
    uint8_t tail[TAIL]; /* the last of them */
};
_Static_assert(sizeof(struct reader_cursor) <= CURSOR_MOST, "it fits");

struct reading {
    struct end_place *place;
    struct reader_cursor passed; /* before data */
    struct buf data;             /* read, not yet put */
    size_t at;                   /* put, of data */
    bool end;                    /* of stdin */
    bool stop;                   /* the run is being stopped */
    bool skipping;               /* in a line that is too long */
    uint64_t ordinal;
};

/* @size bytes more are passed. */
static void pass(struct reader_cursor *cursor, const char *data, size_t size)
{
    size_t kept = size < TAIL ? TAIL - size : 0;

    cursor->offset += size;
    if (kept > cursor->tail_size)
        kept = cursor->tail_size;
    memmove(cursor->tail, cursor->tail + cursor->tail_size - kept, kept);
    if (size > TAIL) {
        data += size - TAIL;
        size = TAIL;
    }
    if (size > 0)
        memcpy(cursor->tail + kept, data, size);
    cursor->tail_size = (uint32_t)(kept + size);
}

static void put_cursor(const struct reading *reading, struct book *book)
{
    struct reader_cursor cursor = reading->passed;

    pass(&cursor, reading->data.data, reading->at);
    cursor.skipping = reading->skipping;
    memcpy(book->cursor, &cursor, sizeof cursor);
    book->cursor_size = sizeof cursor;
}

static void drop_passed(struct reading *reading, size_t size)
{
    pass(&reading->passed, reading->data.data, size);
    buf_drop(&reading->data, size);
    reading->at = 0;
}

static int commit(struct reading *reading)
{
    struct book *book = turn_book(reading->place->member);

    book->ordinal = reading->ordinal;
    put_cursor(reading, book);
    return turn_commit(reading->place->member, NULL, NULL);
}

static int wait_and_stage(struct member *member, const struct room *room,
                          const struct stage_spec *spec, struct staged *staged)
{
    int code;

    do {
        member_set_waiting(member, WAITING_ROOM);
        code = turn_claim(member, room, 1, FOREVER);
        member_set_waiting(member, WAITING_NOT);
        if (code < 0)
            return code;
        code = turn_stage(member, spec, staged);
        turn_unclaim(member, room, 1);
    } while (code == WEIR_EFULL);
    return code;
}

static int claim(struct reading *reading, size_t size, struct staged *staged,
                 const struct stage_spec *spec)
{
    struct end_place *place = reading->place;
    struct room room = { .queue = place->queue,
                         .slots = place->capacity / CLAIM_PART,
                         .bytes = place->bytes / CLAIM_PART };
    uint64_t charge = queue_charge(size, 0);

    if (room.slots == 0)
        room.slots = 1;
    if (room.bytes < charge)
        room.bytes = charge;
    return wait_and_stage(place->member, &room, spec, staged);
}

/* That what comes next was left out: in the commit that counts it. */
static int tell_keeper(struct reading *reading, const char *why)
{
    struct end_place *place = reading->place;
    CLEANUP_BUF struct buf attrs = { 0 };
    struct stage_spec spec = { .queue = (unsigned)place->kept,
                               .root = READER_ROOT | reading->ordinal };
    struct room room = { .queue = spec.queue, .slots = 1 };
    struct staged staged;
    int code = kept_about_source(&attrs, UINT32_MAX, KEPT_REFUSED, why);

    spec.attrs = attrs.data;
    spec.attrs_size = attrs.size;
    room.bytes = queue_charge(0, attrs.size);
    if (code == 0)
        code = turn_stage(place->member, &spec, &staged);
    if (code == WEIR_EFULL || code == WEIR_ESTATE) {
        code = commit(reading);
        if (code == 0)
            code = wait_and_stage(place->member, &room, &spec, &staged);
    }
    return code;
}

static int put_failure(struct reading *reading, const char *why)
{
    struct end_place *place = reading->place;
    CLEANUP_BUF struct buf text = { 0 };
    struct stage_spec spec = { .queue = place->report };
    struct staged staged;
    int code = failure_write(&text, UINT32_MAX, NULL,
                             READER_ROOT | reading->ordinal, why, 1, NULL);

    if (code < 0)
        return code;
    spec.room = text.size;
    if (turn_stage(place->member, &spec, &staged) == 0)
        memcpy(staged.data, text.data, text.size);
    if (place->kept >= 0)
        code = tell_keeper(reading, why);
    if (code < 0)
        return code;
    turn_book(place->member)->failed++;
    reading->ordinal++;
    return 0;
}

/* The largest item that can be made of it. */
static uint64_t most_of(const struct end_place *place)
{
    return place->bytes < ITEM_MOST ? place->bytes : ITEM_MOST;
}

static int too_long(struct reading *reading, size_t size)
{
    char why[200], most[32], is[32];

    snprintf(why, sizeof why,
             "%s of standard input has %s or more, and an item of it at most "
             "%s",
             reading->place->as == STDIN_LINES ? "a line" : "the whole",
             text_from_size(is, size),
             text_from_size(most, most_of(reading->place)));
    return put_failure(reading, why);
}

static int put(struct reading *reading, const char *data, size_t size)
{
    struct end_place *place = reading->place;
    struct stage_spec spec = { .queue = place->queue,
                               .room = size,
                               .root = READER_ROOT | reading->ordinal };
    struct staged staged;
    int code = turn_stage(place->member, &spec, &staged);

    if (code == WEIR_EFULL || code == WEIR_ESTATE) {
        code = commit(reading);
        if (code == 0)
            code = claim(reading, size, &staged, &spec);
    }
    if (code == WEIR_ETOOBIG)
        return too_long(reading, size);
    if (code < 0)
        return code;
    if (size > 0)
        memcpy(staged.data, data, size);
    turn_book(place->member)->emitted++;
    reading->ordinal++;
    return 0;
}

/* ------------------------------------------------------------- framing ---- */

/* A line, or the whole, that no item can hold is left out, all of it. */
static int leave_too_long(struct reading *reading)
{
    size_t size = reading->data.size;

    if (size <= most_of(reading->place) || reading->skipping)
        return 0;
    reading->skipping = true;
    return too_long(reading, size);
}

static int put_lines(struct reading *reading)
{
    size_t at = 0;
    int code = 0;

    while (code == 0 && at < reading->data.size) {
        const char *line = reading->data.data + at;
        size_t left = reading->data.size - at;
        const char *end = memchr(line, '\n', left);

        if (end == NULL && !reading->end)
            break;
        left = end != NULL ? (size_t)(end - line) : left;
        if (!reading->skipping)
            code = put(reading, line, left);
        reading->skipping = false;
        at += left + (end != NULL);
        reading->at = at;
    }
    drop_passed(reading, at);
    if (code == 0)
        code = leave_too_long(reading);
    if (reading->skipping)
        drop_passed(reading, reading->data.size);
    return code;
}

/* Whole lines where there are any; what is longer than a block is cut. */
static int put_blocks(struct reading *reading)
{
    size_t most = reading->place->bytes / 2 < BLOCK ? reading->place->bytes / 2
                                                    : BLOCK;
    size_t at = 0;
    int code = 0;

    while (code == 0 && reading->data.size - at > 0) {
        const char *data = reading->data.data + at;
        size_t size = reading->data.size - at;

        if (size < most && !reading->end)
            break;
        if (size > most) {
            const char *end = memrchr(data, '\n', most);

            size = end != NULL ? (size_t)(end - data) + 1 : most;
        }
        code = put(reading, data, size);
        at += size;
        reading->at = at;
    }
    drop_passed(reading, at);
    return code;
}

static int put_whole(struct reading *reading)
{
    int code = leave_too_long(reading);

    if (reading->skipping)
        drop_passed(reading, reading->data.size);
    if (code < 0 || !reading->end || reading->skipping)
        return code;
    code = put(reading, reading->data.data, reading->data.size);
    reading->at = reading->data.size;
    return code;
}

static int put_all(struct reading *reading)
{
    switch (reading->place->as) {
    case STDIN_LINES:
        return put_lines(reading);
    case STDIN_BLOCKS:
        return put_blocks(reading);
    default:
        return put_whole(reading);
    }
}

/* ------------------------------------------------------------- reading ---- */

/* Waits for stdin or the stop. */
static void wait_for_more(struct reading *reading)
{
    struct pollfd poller[] = {
        { .fd = reading->place->fd, .events = POLLIN },
        { .fd = reading->place->stop_fd, .events = POLLIN },
    };

    while (poll(poller, 2, -1) < 0 && errno == EINTR)
        continue;
    reading->stop = poller[1].revents != 0;
}

static int read_more(struct reading *reading)
{
    struct buf *data = &reading->data;
    ssize_t got;

    if (buf_reserve(data, READ_SIZE) < 0)
        return WEIR_ENOMEM;
    got = read(reading->place->fd, data->data + data->size, READ_SIZE);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    if (got == 0)
        reading->end = true;
    data->size += (size_t)got;
    data->data[data->size] = '\0';
    return 0;
}

static int read_all(struct reading *reading)
{
    int code = 0;

    while (code == 0 && !reading->end) {
        wait_for_more(reading);
        if (reading->stop)
            return 0; /* half a line is no line */
        code = read_more(reading);
        if (code < 0) {
            news_say(reading->place->news, reading->place->number, NEWS_FATAL,
                     code, "cannot read standard input: %s",
                     weir_strerror(code));
            return code;
        }
        code = put_all(reading);
        if (code == 0)
            code = commit(reading);
    }
    return code;
}

/* -------------------------------------------------------------- going on ----
 */

static int other_input(struct reading *reading, const char *why)
{
    news_say(reading->place->news, reading->place->number, NEWS_FATAL,
             WEIR_ESTATE,
             "standard input %s: the run had read %llu bytes of it; give it "
             "the same input once more, from its beginning",
             why, (unsigned long long)reading->passed.offset);
    return WEIR_ESTATE;
}

/* Reads @size bytes and leaves them out, or fewer when it is stopped. */
static int leave_out(struct reading *reading, struct reader_cursor *is,
                     uint64_t size)
{
    static char bytes[READ_SIZE];

    while (size > 0) {
        ssize_t got;

        wait_for_more(reading);
        if (reading->stop)
            return 0;
        got = read(reading->place->fd, bytes,
                   size < sizeof bytes ? (size_t)size : sizeof bytes);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return other_input(reading, "ends too early");
        pass(is, bytes, (size_t)got);
        size -= (uint64_t)got;
    }
    return 0;
}

/* To where the run was. */
static int go_on(struct reading *reading)
{
    const struct end_place *place = reading->place;
    const struct book *book = member_book(place->segment, place->number);
    struct reader_cursor is = { .offset = 0 };
    uint64_t skip;
    off_t start;
    int code;

    reading->ordinal = book->ordinal;
    if (book->cursor_size != sizeof reading->passed)
        return 0;
    memcpy(&reading->passed, book->cursor, sizeof reading->passed);
    reading->skipping = reading->passed.skipping != 0;
    if (reading->passed.tail_size > TAIL)
        return WEIR_EBROKEN;
    skip = reading->passed.offset;
    start = lseek(place->fd, 0, SEEK_CUR);
    if (start >= 0 &&
        lseek(place->fd, start + (off_t)(skip - reading->passed.tail_size),
              SEEK_SET) >= 0)
        skip = reading->passed.tail_size;
    code = leave_out(reading, &is, skip);
    if (code < 0 || reading->stop)
        return code;
    if (is.tail_size < reading->passed.tail_size ||
        memcmp(is.tail, reading->passed.tail, reading->passed.tail_size) != 0)
        return other_input(reading, "is not the same");
    return 0;
}

int reader_main(struct end_place *place)
{
    struct reading reading = { .place = place };
    int code = go_on(&reading);

    if (code == 0 && !reading.stop)
        code = read_all(&reading);
    if (code == 0) {
        turn_book(place->member)->ended = reading.stop ? ENDED_STOPPED
                                                       : ENDED_ALL;
        code = commit(&reading);
    }
    buf_done(&reading.data);
    return code == WEIR_ECANCELED ? 0 : code;
}
