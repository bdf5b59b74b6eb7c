/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handle.h - the inside of a process handle, for the files of this room that
 * are its calls: process.c, orders.c, owner.c, facts.c. */
#ifndef PROCESS_HANDLE_H
#define PROCESS_HANDLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "process/child.h"
#include "process/context.h"
#include "process/exit.h"

enum process_state { PROCESS_NEW, PROCESS_STARTED, PROCESS_ENDED };

struct weir_process {
    weir_context *context;
    pid_t host;           /* whose handle it is */
    pthread_mutex_t lock; /* one call at a time changes it */
    _Atomic enum process_state state;
    char name[NAME_MOST + 1];
    char identity[IDENTITY_MOST + 1];
    /* The options that still count; the rest is in `order`. */
    int (*run)(weir_child *self);
    weir_owner_exit on_owner_exit;
    int64_t grace_ns;
    bool terminal;
    bool report;      /* there is more to be set up than can never fail */
    struct buf order; /* the rest of SERVE_START */
    weir_queue **queues;
    size_t queue_count;
    int *gives; /* the program's descriptors */
    size_t give_count;
    /* Since the start: */
    uint64_t id; /* the helper's */
    pid_t pid;
    int pidfd;
    int64_t start_time; /* wall clock, ns */
    struct exit_record exit;
    /* In the list of its context, from the start to the free. */
    struct weir_process *before, *after;
    bool listed;
};

/* ----------------------------------------------------------- orders.c ---- */

/* What of the options does not depend on the start becomes the handle's. */
int orders_take(weir_process *process, const weir_process_options *options,
                weir_error *err);
void orders_done(weir_process *process);
/* SERVE_START: flags, and all that the child reads. */
int orders_start(const weir_process *process, struct buf *bytes);

/* ---------------------------------------------------------- process.c ---- */

int process_check(const weir_process *process);
/* A question about this process to the helper. */
int process_ask(weir_process *process, uint32_t word, uint64_t number,
                struct context_reply *reply);
/* Whether a process is dead, by its pidfd. */
bool process_gone(const weir_process *process);
/* It is dead: how? Others that join it wait here, for moments. */
int process_take_exit(weir_process *process);

/* ------------------------------------------------------------ owner.c ---- */

void owner_add(weir_process *process);
void owner_remove(weir_process *process);

#endif
