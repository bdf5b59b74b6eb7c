/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * acts.h - what the members of a small world do over core/queue, a turn at a
 * time, each in a process that may be killed amid it (steps.c):
 *
 *     source -> q0 -> worker -> q1 -> appender -> a file, or `seen`
 *
 * A call that fails ends the process, with ACT_FAILED.
 */
#ifndef CRASH_ACTS_H
#define CRASH_ACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/queue.h"

enum {
    ITEMS = 8,
    BATCH = 4,
    OUTPUTS = 2, /* of an item, at most */
    CAPACITY = 16,
    SMALL = 16,
    LARGE = 300, /* too large to lie in its slot */
    ACT_FAILED = 90,
};

/* Members. The owner is none: it recovers, and closes. */
enum { SOURCE, WORKER, APPENDER, MEMBERS, OWNER = MEMBERS };

struct record {
    uint32_t id, output;
};

/* Made anew for each that is killed. */
struct world {
    const struct turn *turn;
    struct segment *segment;
    int file;
    /* Of all its processes. */
    struct seen {
        uint32_t got[ITEMS];     /* by one who only gets */
        uint32_t charged[ITEMS]; /* attempts, before the one that was whole */
    } * seen;
};

/* One turn of a member, with as many items as are there, BATCH at most. Returns
 * with how many; 0: there is none. */
typedef unsigned act(struct world *world, struct member *member);

struct turn {
    const char *name;
    unsigned who; /* is stepped through, and killed */
    act *acts[MEMBERS];
    uint32_t size;
    bool ordered, keyed;
    bool charges;        /* it charges attempts itself */
    bool warm;           /* not the first of its kind in its segment */
    const char *dead_at; /* OWNER: recovers a worker that died there */
};

/* An error ends this process. */
void demand(int code);

act put_staged; /* step by step */
act put_many;   /* staged by many at once */
/* In one hold of the lock, unless the store is cold; what needs chunks one by
 * one, for else it may put fewer than it was asked to. */
act put_direct;
act put_calls;

act copy;    /* a new item for each */
act pass_on; /* each itself */
/* The first is put off and taken up again, the last given back. */
act give_back;
act undo; /* all is staged, and undone; then as copy */
/* Each output of an item is a part, with its own commit, for which it first
 * claims the room. */
act in_parts;
act answer; /* takes calls */

act append;
act get;  /* noted in `seen` */
act take; /* the same, of answers */

#endif
