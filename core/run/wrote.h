/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wrote.h - what workers write to stderr: a pipe for each worker, which the
 * supervisor reads, passes on in whole lines, and whose last lines it keeps for
 * the verdict of a death. Runs in the supervisor; never waits.
 */
#ifndef RUN_WROTE_H
#define RUN_WROTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"

struct supervisor;

/* Where the last @most bytes begin, and no character of UTF-8 is cut. */
static inline size_t wrote_cut(const char *text, size_t size, size_t most)
{
    size_t at = size > most ? size - most : 0;

    while (at > 0 && at < size && ((unsigned char)text[at] & 0xc0) == 0x80)
        at++;
    return at;
}

enum {
    WROTE_LINES = 20,   /* of the last ones, at most so many, */
    WROTE_BYTES = 2000, /* and so much of them */
    WROTE_LAST = 400,   /* room for the last one in a sentence */
};

/* Of one worker. */
struct wrote {
    unsigned member;
    int fd;           /* read end; -1: it is closed */
    int epoll;        /* that watches it */
    struct buf begun; /* a line that has not ended */
    struct buf last;  /* the end of all that it wrote */
};

/* What watches the pipes. Without it, or without a descriptor to spare, workers
 * have the run's stderr itself, and no last lines. */
void wrote_init(struct supervisor *sup);
void wrote_done(struct supervisor *sup);

/* For a worker that is to be ordered now, in the place of the one before: the
 * descriptor that is to be its stderr, the caller's to close when @own_out says
 * so. *wrote is NULL when it has the run's stderr: all below is right of that,
 * too. */
int wrote_open(struct supervisor *sup, unsigned member, struct wrote **wrote,
               bool *own_out);
/* Some of them have written. */
void wrote_hear(struct supervisor *sup);
/* While too much waits to be passed on, nothing is read. */
void wrote_watch(struct supervisor *sup);
/* So much waits that no worker is to be forked, which could write more. */
bool wrote_is_stuck(const struct supervisor *sup);
/* The worker is dead: all that it has written is passed on. What others hold of
 * its pipe goes nowhere from then on. */
void wrote_end(struct supervisor *sup, struct wrote *wrote);
void wrote_close(struct wrote **wrote);
/* Its last lines, escaped each, without the last line's end. "" when it wrote
 * nothing. Good until the next worker is ordered; also after wrote_end. */
int wrote_last(const struct wrote *wrote, struct buf *out);
/* Appends `; it last wrote "..."` with the last of them, when there is one. */
void wrote_add_last(const struct wrote *wrote, char *out, size_t room);

#endif
