/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * post.h - what a worker is told: its place in the run, and where its outputs
 * go. Made by the supervisor, read by the worker.
 *
 * Queues are numbered twice: in the segment, where the upstream one is first,
 * and in the post, which lists those that this stage has to do with in the
 * same order. Members: the workers of all stages, then the reader of stdin,
 * the writer of stdout, the supervisor, gates, and the second members of
 * workers that drop what is old (overflow.h).
 */
#ifndef RUN_POST_H
#define RUN_POST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "job/job.h"
#include "queue/queue.h"

/* Where an output goes, besides to a queue. */
enum { POST_DROP = -1, POST_REPORT = -2 };

struct post_queue {
    unsigned number; /* in the segment */
    const char *name;
    uint32_t capacity;
    uint64_t bytes;
    enum weir_overflow overflow;
    unsigned counter; /* of book.overflowed; when it is not to wait */
};

typedef VEC(int) post_places; /* indices of post.queues, or POST_DROP */

struct post {
    unsigned member;
    unsigned stage, index, count; /* worker `index` of `count` of the stage */
    const char *name;             /* the stage's */
    uint64_t name_hash;
    bool sync;
    bool in_order; /* keeps order, maybe with one worker, or of each key */
    bool keyed;    /* its only queue in `from` has a lane for each worker */
    bool ordered; /* its only queue in `from` has tickets: core/queue/order.c */
    unsigned retries;
    struct job_wait waits[WAIT_CLASSES]; /* before a next attempt */
    unsigned report; /* the queue of failures, in the segment */
    VEC(struct post_queue) queues;
    VEC(unsigned) from; /* queues in the segment; none: a source */
    VEC(post_places) outputs;
    int failed;    /* as outputs; or POST_REPORT */
    unsigned kept; /* 1 + the queue of items to be kept, in the post; 0: none */
    bool digests;  /* what is given is added up, to be compared */
    bool replays;  /* items that were kept are fed anew */
    bool overflows;         /* of one of its queues `overflow` is not to wait */
    unsigned dropper;       /* 1 + its member for what it drops; 0: none */
    bool recycled;          /* it is replaced now and then: follow.c */
    bool follows;           /* another still has its entry */
    uint64_t recycle_items; /* it wishes so after that many; 0: never */
    uint64_t recycle_bytes; /* and so for its size: the supervisor sees to it */
    uint64_t from_capacity; /* of all of them */
    uint64_t from_bytes;
};

/* The descriptors of an order, in this order. */
enum post_fd {
    POST_SEGMENT,
    POST_NEWS,       /* to the supervisor */
    POST_STOP,       /* readable when sources are to end */
    POST_FILES,      /* of a run with a journal: its lock, and where files are
                      * noted; else the same as POST_STOP */
    POST_TURN,       /* of one that follows: read when its turn has come; else
                      * the same as POST_STOP */
    POST_STDERR,     /* what is to be its stderr */
    POST_LAST_WORDS, /* last_words.h; or the same as POST_STOP */
    POST_SAVED,      /* two files for what the task saves; only when it does */
    POST_FDS = POST_SAVED + 2,
};

/* What is read from POST_TURN. */
enum { TURN_SERVE = 1, TURN_GO = 2 };

/* Texts of the post that is read point into the message. */
int post_write(const struct post *post, struct buf *out);
int post_read(const void *data, size_t size, struct post *out);
void post_done(struct post *post);

#endif
