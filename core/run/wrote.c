/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wrote.c - what workers write to stderr. Runs in the supervisor, which never
 * waits here.
 *
 * A pipe stands between each worker and the run's stderr, so that the last
 * lines are at hand when it dies, and lines of two of them are never mixed. To
 * the worker it is as before: it waits when nobody takes what it writes. That
 * is what happens when the run's stderr is slow: what cannot be written there
 * waits here, and when that is much, the pipes are not read, and fill up. When
 * the other end of stderr is closed, what is written goes nowhere, and no
 * worker is killed for it.
 *
 * All that a worker wrote is in its pipe when it is dead, so as many bytes are
 * taken as are there then. The pipe's end is not waited for: a child that a
 * task has left behind may hold it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "run/supervisor.h"
#include "run/wrote.h"

enum {
    PIECE = 16 << 10,     /* read at a time */
    LINE_MOST = 64 << 10, /* a longer one is cut into such lines */
    PIPES = 16,           /* looked at in a round */
};
/* What waits to be passed on: with so much, no pipe is read (there is room
 * beyond that for the supervisor's own lines); with so much, the last ones of
 * many that died, no worker is forked. */
#define WAITS_MOST ((size_t)128 << 10)
#define WAITS_STUCK ((size_t)1 << 20)

/* -------------------------------------------------------------- the pipes ----
 */

void wrote_init(struct supervisor *sup)
{
    sup->wrote_epoll = epoll_create1(EPOLL_CLOEXEC);
    wrote_watch(sup);
}

void wrote_done(struct supervisor *sup)
{
    fd_close(&sup->wrote_epoll);
    sup->wrote_watched = false;
}

void wrote_watch(struct supervisor *sup)
{
    bool want = sup->wrote_epoll >= 0 && sup->notes.size < WAITS_MOST;

    if (want == sup->wrote_watched)
        return;
    if (!want)
        supervisor_unwatch(sup, sup->wrote_epoll);
    else if (supervisor_watch(sup, sup->wrote_epoll, WATCH_WROTE, 0) < 0)
        return; /* in the next round */
    sup->wrote_watched = want;
}

bool wrote_is_stuck(const struct supervisor *sup)
{
    return sup->notes.size >= WAITS_STUCK;
}

/* Half of the descriptors are left for what a run cannot be without. */
static bool is_scarce(int fd)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
           (rlim_t)fd >= limit.rlim_cur / 2;
}

/* The write end; -1: there is none. */
static int make_pipe(struct supervisor *sup, struct wrote *wrote)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = wrote };
    int fds[2];

    if (sup->wrote_epoll < 0 || pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    /* A task that opens its stderr once more may read what was announced. */
    if (is_scarce(fds[0]) || fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ||
        epoll_ctl(sup->wrote_epoll, EPOLL_CTL_ADD, fds[0], &event) < 0) {
        close(fds[0]);
        close(fds[1]);
        return -1;
    }
    wrote->fd = fds[0];
    wrote->epoll = sup->wrote_epoll;
    return fds[1];
}

/* Said to the epoll, too: a process that is being forked may have the pipe for
 * a moment longer, and its events would come, of a worker that is forgotten. */
static void close_pipe(struct wrote *wrote)
{
    if (wrote->fd >= 0)
        epoll_ctl(wrote->epoll, EPOLL_CTL_DEL, wrote->fd, NULL);
    fd_close(&wrote->fd);
}

void wrote_close(struct wrote **wrote)
{
    if (*wrote == NULL)
        return;
    close_pipe(*wrote);
    buf_done(&(*wrote)->begun);
    buf_done(&(*wrote)->last);
    free(*wrote);
    *wrote = NULL;
}

int wrote_open(struct supervisor *sup, unsigned member, struct wrote **wrote,
               bool *own_out)
{
    int fd = -1;

    wrote_close(wrote);
    *wrote = calloc(1, sizeof **wrote);
    if (*wrote != NULL) {
        **wrote = (struct wrote){ .member = member, .fd = -1 };
        fd = make_pipe(sup, *wrote);
        if (fd < 0)
            wrote_close(wrote);
    }
    *own_out = fd >= 0;
    return fd >= 0 ? fd : STDERR_FILENO;
}

/* ----------------------------------------------------------- passing on ----
 */

static void pass_on(struct supervisor *sup, const struct wrote *wrote,
                    const char *text, size_t size)
{
    if (size > 0)
        progress_pass(sup, wrote->member, text, size);
}

static void end_line(struct supervisor *sup, struct wrote *wrote)
{
    struct buf *begun = &wrote->begun;

    buf_char(begun, '\n');
    pass_on(sup, wrote, begun->data, begun->size);
    buf_done(begun);
}

/* Whole lines at once; what is behind them waits for its end. */
static void take_lines(struct supervisor *sup, struct wrote *wrote,
                       const char *text, size_t size)
{
    struct buf *begun = &wrote->begun;
    const char *end = memrchr(text, '\n', size);
    size_t whole = end == NULL ? 0 : (size_t)(end + 1 - text);

    if (whole > 0 && begun->size > 0) {
        const char *first = memchr(text, '\n', size);
        size_t head = (size_t)(first - text);

        buf_add(begun, text, head);
        end_line(sup, wrote);
        text += head + 1;
        size -= head + 1;
        whole -= head + 1;
    }
    pass_on(sup, wrote, text, whole);
    if (size > whole)
        buf_add(begun, text + whole, size - whole);
    if (begun->size >= LINE_MOST)
        end_line(sup, wrote);
}

static void keep_last(struct buf *last, const char *text, size_t size)
{
    if (size >= WROTE_BYTES) {
        text += size - WROTE_BYTES;
        size = WROTE_BYTES;
        buf_cut(last, 0);
    }
    buf_add(last, text, size);
    if (last->size > 2 * WROTE_BYTES)
        buf_drop(last, last->size - WROTE_BYTES);
}

/* Reads once, at most so much of what is there. How much; 0: it is closed; or a
 * code, -EAGAIN when nothing is there. */
static int read_some(struct supervisor *sup, struct wrote *wrote, int most)
{
    char piece[PIECE];
    ssize_t got = read(wrote->fd, piece, (size_t)(most < PIECE ? most : PIECE));

    if (got <= 0)
        return got < 0 ? -errno : 0;
    take_lines(sup, wrote, piece, (size_t)got);
    keep_last(&wrote->last, piece, (size_t)got);
    return (int)got;
}

void wrote_hear(struct supervisor *sup)
{
    struct epoll_event events[PIPES];
    int count = epoll_wait(sup->wrote_epoll, events, PIPES, 0);

    for (int i = 0; i < count && sup->notes.size < WAITS_MOST; i++) {
        struct wrote *wrote = events[i].data.ptr;

        if (wrote->fd >= 0 && read_some(sup, wrote, PIECE) == 0)
            close_pipe(wrote); /* its task has closed it */
    }
    progress_flush(sup);
}

void wrote_end(struct supervisor *sup, struct wrote *wrote)
{
    int left = 0;

    if (wrote == NULL)
        return;
    if (wrote->fd >= 0)
        ioctl(wrote->fd, FIONREAD, &left);
    while (left > 0) {
        int got = read_some(sup, wrote, left);

        if (got <= 0)
            break;
        left -= got;
    }
    close_pipe(wrote);
    if (wrote->begun.size > 0)
        end_line(sup, wrote);
    progress_flush(sup);
}

/* ------------------------------------------------------------ last lines ----
 */

/* Where the last @lines lines begin. */
static size_t last_lines(const char *text, size_t size, unsigned lines)
{
    size_t at = size;

    while (at > 0 && lines > 0)
        if (text[--at] == '\n' && --lines == 0)
            return at + 1;
    return at;
}

/* The end of what it wrote, from the beginning of a line on where one begins
 * there, and without the end of the last. */
static const char *end_of(const struct buf *last, size_t most, unsigned lines,
                          size_t *size_out)
{
    size_t size = last->size, from;
    const char *line;

    while (size > 0 && last->data[size - 1] == '\n')
        size--;
    from = last_lines(last->data, size, lines);
    if (size - from > most) {
        line = memchr(last->data + size - most, '\n', most);
        from = line != NULL ? (size_t)(line + 1 - last->data) : size - most;
    }
    *size_out = size - from;
    return last->data + from;
}

int wrote_last(const struct wrote *wrote, struct buf *out)
{
    const struct buf *last = wrote != NULL ? &wrote->last : NULL;
    CLEANUP_BUF struct buf text = { 0 };
    size_t size, begin;
    const char *line;

    if (last == NULL || last->size == 0)
        return buf_text(out, "");
    line = end_of(last, WROTE_BYTES, WROTE_LINES, &size);
    while (size > 0) {
        const char *end = memchr(line, '\n', size);
        size_t length = end == NULL ? size : (size_t)(end - line);

        text_escape(&text, line, length, length);
        length += end != NULL;
        if (end != NULL)
            buf_char(&text, '\n');
        line += length;
        size -= length;
    }
    if (text.failed)
        return WEIR_ENOMEM;
    /* Escaped, it may be longer again. */
    begin = wrote_cut(text.data, text.size, WROTE_BYTES);
    return buf_add(out, text.data + begin, text.size - begin);
}

void wrote_add_last(const struct wrote *wrote, char *out, size_t room)
{
    const struct buf *last = wrote != NULL ? &wrote->last : NULL;
    size_t used = strlen(out), size;
    CLEANUP_BUF struct buf text = { 0 };
    const char *line;

    if (last == NULL || last->size == 0)
        return;
    line = end_of(last, WROTE_BYTES, 1, &size);
    if (size == 0 || used + sizeof "; it last wrote \"\"" >= room ||
        text_escape(&text, line, size, room / 2) < 0)
        return;
    buf_cut(&text, room - used - sizeof "; it last wrote \"\"");
    snprintf(out + used, room - used, "; it last wrote \"%s\"", text.data);
}
