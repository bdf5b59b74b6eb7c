/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writer.c - stdout, from the run's last queue: each item whole, then its
 * frame. Runs in a process of its own, see ends.c.
 *
 * An item is committed after it was written: its death can lose none, and ends
 * the run, so none is written twice. When nobody reads any more it says so and
 * takes what still comes, so that the rest of the run can finish. (With a
 * journal the run ends at once, and what still comes is left for who resumes.)
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "run/host.h"
#include "run/supervisor.h"

enum { PARTS = 2 * LEASE_MOST };

struct writing {
    struct end_place *place;
    struct item items[LEASE_MOST];
    struct iovec parts[PARTS];
    unsigned part_count;
    uint64_t written; /* bytes so far, of the run */
    bool nobody;      /* reads what we write */
};

/* What stands behind an item: a line ends in one newline. */
static const char *frame_of(const struct writing *writing,
                            const struct item *item)
{
    const char *data = item->data;

    if (writing->place->frame == FRAME_NUL)
        return "";
    if (writing->place->frame == FRAME_RAW)
        return NULL;
    return item->size > 0 && data[item->size - 1] == '\n' ? NULL : "\n";
}

static void add_part(struct writing *writing, const void *data, size_t size)
{
    if (size > 0)
        writing->parts[writing->part_count++] = (struct iovec){ (void *)data,
                                                                size };
}

static void take_off(struct writing *writing, size_t done)
{
    unsigned first = 0;

    while (first < writing->part_count && done >= writing->parts[first].iov_len)
        done -= writing->parts[first++].iov_len;
    memmove(writing->parts, writing->parts + first,
            (writing->part_count - first) * sizeof *writing->parts);
    writing->part_count -= first;
    if (writing->part_count > 0) {
        struct iovec *part = &writing->parts[0];

        part->iov_base = (char *)part->iov_base + done;
        part->iov_len -= done;
    }
}

/* All parts; stdout may be non-blocking, since others share it. */
static int write_parts(struct writing *writing)
{
    struct pollfd poller = { .fd = writing->place->fd, .events = POLLOUT };

    while (writing->part_count > 0) {
        ssize_t put = writev(writing->place->fd, writing->parts,
                             (int)writing->part_count);

        if (put >= 0)
            take_off(writing, (size_t)put);
        else if (errno == EAGAIN)
            fd_poll(&poller, 1, FOREVER);
        else if (errno != EINTR)
            return -errno;
    }
    return 0;
}

static uint64_t size_of_parts(const struct writing *writing)
{
    uint64_t size = 0;

    for (unsigned i = 0; i < writing->part_count; i++)
        size += writing->parts[i].iov_len;
    return size;
}

static int write_items(struct writing *writing, unsigned count)
{
    uint64_t size;
    int code;

    writing->part_count = 0;
    for (unsigned i = 0; i < count && !writing->nobody; i++) {
        const struct item *item = &writing->items[i];
        const char *frame = frame_of(writing, item);

        add_part(writing, item->data, item->size);
        add_part(writing, frame, frame != NULL);
    }
    size = size_of_parts(writing);
    code = write_parts(writing);
    if (code == 0)
        writing->written += size;
    if (code == -EPIPE) {
        writing->nobody = true;
        news_say(writing->place->news, writing->place->number, NEWS_PIPE, 0,
                 "%s", "");
        return writing->place->journaled ? WEIR_ECANCELED : 0;
    }
    if (code < 0)
        news_say(writing->place->news, writing->place->number, NEWS_FATAL, code,
                 "cannot write standard output: %s", weir_strerror(code));
    return code;
}

/* How long the file is by then, for a run that goes on from a journal. */
static void put_cursor(struct writing *writing)
{
    struct book *book = turn_book(writing->place->member);

    memcpy(book->cursor, &writing->written, sizeof writing->written);
    book->cursor_size = sizeof writing->written;
}

static void get_cursor(struct writing *writing)
{
    const struct book *book = member_book(writing->place->segment,
                                          writing->place->number);

    if (book->cursor_size == sizeof writing->written)
        memcpy(&writing->written, book->cursor, sizeof writing->written);
}

static int settle(struct writing *writing, unsigned count)
{
    struct member *member = writing->place->member;

    for (unsigned i = 0; i < count; i++) {
        int code = turn_done(member, &writing->items[i]);

        if (code < 0)
            return code;
    }
    turn_book(member)->done += count;
    put_cursor(writing);
    return turn_commit(member, NULL, NULL);
}

int writer_main(struct end_place *place)
{
    struct writing writing = { .place = place };
    int count, code = 0;

    get_cursor(&writing);
    do {
        member_set_waiting(place->member, WAITING_ITEM);
        count = turn_lease(place->member, &place->queue, 1, LEASE_MOST, 1,
                           FOREVER, writing.items);
        member_set_waiting(place->member, WAITING_NOT);
        if (count > 0)
            code = write_items(&writing, (unsigned)count);
        if (count > 0 && code == 0)
            code = settle(&writing, (unsigned)count);
    } while (count > 0 && code == 0);
    if (code < 0 || count == WEIR_ECANCELED)
        return code;
    if (count != WEIR_ECLOSED)
        return count;
    turn_book(place->member)->ended = member_stopping(place->member)
                                          ? ENDED_STOPPED
                                          : ENDED_ALL;
    return turn_commit(place->member, NULL, NULL);
}
