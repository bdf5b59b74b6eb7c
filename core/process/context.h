/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* context.h - the program's side of its helper, for this room and those above
 * it. See weir/process.h and helper.h. */
#ifndef PROCESS_CONTEXT_H
#define PROCESS_CONTEXT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/process.h>

#include "base/base.h"
#include "process/helper.h"

/* weir_context_open with these services beside the one of this room; the list
 * ends with NULL. */
int context_open_with(const weir_context_options *options,
                      const struct helper_service *const *services,
                      weir_context **context_out, weir_error *err);

struct context_reply {
    struct buf data; /* the caller's, also after an error */
    int fd;          /* -1: none; the caller's */
};

/*
 * context_request - ask a service of the helper, and wait for its answer
 *
 * Returns what the service said, 0 or a negative code; WEIR_EBROKEN: the helper
 * is gone or the context closed; WEIR_EPROCESS. @reply may be NULL.
 * Threads: safe; one question at a time is under way.
 */
int context_request(weir_context *context, const struct helper_service *service,
                    const void *data, size_t size, const int *fds,
                    size_t fd_count, struct context_reply *reply);

/* 0; WEIR_EPROCESS: another process's; WEIR_EBROKEN. */
int context_check(weir_context *context);
/* The same, and looks whether the helper lives: for who waits for something
 * else, once in CONTEXT_LOOK_NS. */
#define CONTEXT_LOOK_NS NS_PER_S
int context_alive(weir_context *context);
/* Opened when the program had threads: its helper knows none of its functions.
 */
bool context_is_late(const weir_context *context);
/* Readable when the helper is gone. */
int context_helper_fd(const weir_context *context);
pid_t context_helper_pid(const weir_context *context);
const struct helper_service *const *context_services_of(const weir_context *c);
/* For a handle, which outlives weir_context_close. */
void context_ref(weir_context *context);
void context_unref(weir_context *context);

/* Its processes that were started and not yet freed, in that order. */
struct process_list {
    pthread_mutex_t lock;
    struct weir_process *first, *last;
};
struct process_list *context_list(weir_context *context);

/* All contexts that this process has opened end now, as weir_context_close
 * does it; their handles stay. For exit(), and for the end of a child. */
void context_finish_all(void);

/* In owner.c: the processes end as their options say; and then tell how. */
void owner_end(weir_context *context);
void owner_collect(weir_context *context);

#endif
