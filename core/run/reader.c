/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader.c - stdin, into the run's first queue: line by line, in blocks, or as
 * a whole. Runs in a process of its own, see ends.c.
 *
 * It reads only while its queue takes what was read. Before it waits for more
 * it commits what it has.
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
#define WHOLE_MOST (UINT64_C(1) << 30)

struct reading {
    struct end_place *place;
    struct buf data; /* read, not yet put */
    bool end;        /* of stdin */
    bool stop;       /* the run is being stopped */
    bool skipping;   /* in a line that is too long */
    uint64_t ordinal;
};

static int commit(struct reading *reading)
{
    struct book *book = turn_book(reading->place->member);

    book->ordinal = reading->ordinal;
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
                             READER_ROOT | reading->ordinal, why, 1);

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

static int too_long(struct reading *reading, size_t size)
{
    char why[200], most[32], is[32];

    snprintf(why, sizeof why,
             "%s of standard input has %s or more, and an item of it at most "
             "%s",
             reading->place->as == STDIN_LINES ? "a line" : "the whole",
             text_from_size(is, size),
             text_from_size(most, reading->place->bytes));
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

/* A line that is longer than the queue is left out, all of it. */
static int leave_long_line(struct reading *reading)
{
    size_t size = reading->data.size;

    if (size <= reading->place->bytes || reading->skipping)
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
    }
    buf_drop(&reading->data, at);
    if (code == 0)
        code = leave_long_line(reading);
    if (reading->skipping)
        buf_cut(&reading->data, 0);
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
    }
    buf_drop(&reading->data, at);
    return code;
}

static int put_whole(struct reading *reading)
{
    if (!reading->end || reading->skipping)
        return 0;
    return put(reading, reading->data.data, reading->data.size);
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
        if (reading->place->as == STDIN_WHOLE &&
            reading->data.size > WHOLE_MOST)
            code = leave_long_line(reading);
        if (code == 0)
            code = put_all(reading);
        if (code == 0)
            code = commit(reading);
    }
    return code;
}

int reader_main(struct end_place *place)
{
    struct reading reading = { .place = place };
    int code = read_all(&reading);

    buf_done(&reading.data);
    if (code == WEIR_ECANCELED)
        return 0;
    if (code < 0)
        return code;
    turn_book(place->member)->ended = 1;
    return commit(&reading);
}
