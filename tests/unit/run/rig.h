/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rig.h - a worker of core/run in the test's own process: a real segment with
 * queues in, a, b, failed and failures, and a task that the test gives.
 *
 *     struct rig rig;
 *     rig_init(&rig, &task, 64, 64);       capacities of `in` and of a and b
 *     rig_put(&rig, "one", NULL);
 *     ck_assert_int_eq(rig_work(&rig), 0); to the end of `in`
 *     rig_take(&rig, RIG_A);               then rig.taken
 *     rig_done(&rig);
 */
#ifndef RUN_RIG_H
#define RUN_RIG_H

#include "suites.h"
#undef fail /* of Check; tables of functions have a member of that name */

#include "run/run.h"
#include "run/worker.h"

enum rig_queue { RIG_IN, RIG_A, RIG_B, RIG_FAILED, RIG_REPORT, RIG_QUEUES };

struct rig {
    struct segment *segment;
    struct worker worker;
    struct member *producer, *consumer;
    unsigned made;
    struct buf taken; /* payloads, each followed by '\n' */
    struct buf attrs; /* of the last one, encoded */
    unsigned count;
    int news[2];
    int stop_fd;
    int saved[2];
};

/* Members of the segment. */
enum {
    RIG_WORKER,
    RIG_PRODUCER,
    RIG_CONSUMER,
    RIG_DROPPER, /* the worker's second: overflow.h */
    RIG_MEMBERS
};

void rig_init(struct rig *rig, const weir_task *task, unsigned in_capacity,
              unsigned out_capacity);
void rig_done(struct rig *rig);
/* @attr: value of the attribute `path`; NULL: none. */
void rig_put(struct rig *rig, const char *text, const char *attr);
/* The worker's life: open, turns, the end. @end closes `in` first. */
int rig_work(struct rig *rig);
/* The worker is killed here, and recovered; another sits in its place. */
void rig_kill(struct rig *rig, int signal);
/* All that is ready in a queue. */
void rig_take(struct rig *rig, enum rig_queue queue);
/* "name=value" of the item that was taken last; "" when it has none. */
const char *rig_attr(const struct rig *rig, const char *name);
/* The book of the worker. */
const struct book *rig_book(const struct rig *rig);
/* How many are in a queue, ready and leased. */
unsigned rig_held(const struct rig *rig, enum rig_queue queue);

#endif
