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
    unsigned kills;    /* random, from outside */
    const char *point; /* members die at this point... */
    const char *also;  /* and at this one: point:nth:kill */
    unsigned nth;      /* ... the nth time they pass it, or soon after, */
    bool exact;        /* (or not) */
    unsigned deaths;   /* so many of them */
    int member;        /* this one only; -1: any */
    bool sweep;        /* the owner sweeps */
    unsigned seed;
    int limit_ms; /* then it "stands still" */
};

struct flow_result {
    unsigned kills;  /* deaths that were recovered */
    char fault[256]; /* "": every item once, nothing left over */
};

void flow_run(const struct flow *flow, struct flow_result *result);

#endif
