/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flow_run.h - what the parts of flow.c share, see flow.h. */
#ifndef CRASH_FLOW_RUN_H
#define CRASH_FLOW_RUN_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "crash/flow.h"
#include "queue/queue.h"

enum { MEMBERS = 80, KEYS = 7 };
/* How a member ends that has found something wrong. */
enum { WRONG_PAYLOAD = 90, WRONG_CALL = 91, WRONG_WORKER = 92 };

/* What stands in the file, once for each output. */
struct record {
    uint32_t id, output;
};

/* Memory of all processes of one run. */
struct shared {
    _Atomic uint32_t appended;      /* a hint for trickle, not the truth */
    _Atomic uint32_t workers[KEYS]; /* member + 1 that has had this key */
};

struct run {
    const struct flow *flow;
    struct segment *segment;
    struct shared *shared;
    int file;
    unsigned members, queues;
    pid_t pids[MEMBERS];
    bool ended[MEMBERS];
    const char *points[MEMBERS]; /* where it is to die; NULL: nowhere */
    unsigned seed;
    sigset_t child; /* SIGCHLD, blocked: it is waited for */
    struct flow_result *result;
};

/* A fault: the first one is told. */
void fault_is(struct run *run, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));

/* In a member's process, all that it does (flow_member.c). */
_Noreturn void flow_member(const struct run *run, unsigned number);
/* An item that gives nothing; the key of one. */
bool is_dropped(const struct flow *flow, uint32_t id);
unsigned key_of(const struct flow *flow, uint32_t id);

/* When all have ended (flow_check.c). */
void check_file(struct run *run);
void check_rest(struct run *run);

#endif
