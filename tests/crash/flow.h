/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flow.h - a small pipeline straight over core/queue, to be killed in:
 *
 *     source -> q0 -> workers -> q1 [q2] -> appenders -> a file
 *
 * The caller's process is the owner: it forks all members, kills some, recovers
 * and forks them again, closes the queues, and looks at the file and at what is
 * left in the segment. Where order is kept, some items take longer than others,
 * and each worker gives one more item at the end, behind all others. Where
 * items have a key, each worker has a lane of q0.
 */
#ifndef CRASH_FLOW_H
#define CRASH_FLOW_H

#include <stdbool.h>
#include <stdint.h>

enum flow_kind {
    FLOW_COPY,  /* a new item per input, to q1 */
    FLOW_PASS,  /* the input itself, to q1 */
    FLOW_SPLIT, /* a new item to q1, the input itself to q2 */
    FLOW_BOTH,  /* one new item, to q1 and q2: two slots, one chunk */
    FLOW_PARTS, /* `outputs` new items per input, to q1 */
};

/* The source is member 0, then come workers, then appenders. The owner is no
 * member: it recovers, and closes. */
enum flow_role {
    FLOW_SOURCE,
    FLOW_WORKER,
    FLOW_APPENDER,
    FLOW_OWNER,
    FLOW_ROLES,
};

/* Where a process is to die. */
struct flow_order {
    const char *point; /* NULL: nowhere */
    unsigned nth;
    /* The owner only stops there. Meanwhile: */
    bool other; /* some member is killed, and then */
    bool ends;  /* the owner, too, and another one starts again */
    /* Of the owner it is told, when this is asked: */
    bool closes;    /* a queue is to be closed; else a member recovered */
    unsigned again; /* how often that was begun, and ended */
};

/* What has happened by one recovery, or one close. */
struct flow_event {
    unsigned gone; /* members: 0 at a close */
    struct {
        enum flow_role role;
        const char *point; /* NULL: wherever it was */
    } dead[2];
    unsigned amids; /* how often the owner came to where it was to stop */
    struct flow_order amid[4];
};

/* Who dies where is asked at each fork; of the owner, at each recovery and
 * close, and again whenever that was ended. */
struct flow_plan {
    void (*order)(void *arg, enum flow_role role, struct flow_order *order);
    void (*happened)(void *arg, const struct flow_event *event);
    void *arg;
    bool two; /* nobody is recovered before another is dead, too */
    /* A file for each role, in which the points stand that it passes. */
    const char *traces[FLOW_ROLES];
};

struct flow {
    enum flow_kind kind;
    uint32_t items;
    uint32_t capacity;
    uint32_t batch;
    uint32_t size;    /* of each payload, at least 8 */
    uint32_t outputs; /* FLOW_PARTS: per input; else 1 */
    unsigned workers, appenders;
    unsigned share;    /* a worker leases ready / share; 0: 2 * workers */
    uint64_t bytes;    /* bound of q1 and q2; 0: 8 MiB, as of q0 */
    bool ordered;      /* the workers keep order: needs one appender */
    bool keyed;        /* q0 has a key, of a few values: needs one appender */
    uint32_t drops;    /* ordered: each such item gives nothing; 0: none */
    unsigned trickle;  /* source rests until all is quiet after so many items */
    bool direct;       /* the source puts small items in one hold of the lock */
    bool back;         /* workers put some items off, and give some back */
    unsigned kills;    /* random, from outside */
    const char *point; /* members die at this point... */
    const char *also;  /* and at this one: point:nth:kill */
    unsigned nth;      /* ... the nth time they pass it, or soon after, */
    bool exact;        /* (or not) */
    unsigned deaths;   /* so many of them */
    int member;        /* this one only; -1: any */
    const struct flow_plan *plan; /* instead of a point; NULL: none */
    bool sweep;                   /* the owner sweeps */
    unsigned seed;
    int limit_ms; /* then it "stands still" */
};

struct flow_result {
    unsigned kills;  /* deaths that were recovered */
    char fault[256]; /* "": every item once, nothing left over */
};

void flow_run(const struct flow *flow, struct flow_result *result);

#endif
