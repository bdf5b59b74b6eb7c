/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper.h - the process that holds a program's context together.
 *
 * It is forked by weir_context_open, has one thread, loads nothing, and lives
 * as long as the program. It forks the nursery (and another one, should it be
 * killed), holds the pidfds of all workers, and sees to each death in this
 * order: `died` of every service (recovery), the reaping, `reaped` of the one
 * whose worker it was.
 *
 * What it does for a program is in services: the process handles of this room,
 * and those of rooms above, which hand theirs in as a table. All functions of
 * a service run in the helper, but `worker`, which runs in a worker, with the
 * memory that the helper had when the nursery was forked; none may wait.
 */
#ifndef PROCESS_HELPER_H
#define PROCESS_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <weir/process.h>

#include "base/base.h"
#include "process/child.h"
#include "process/exit.h"
#include "process/nursery.h"

struct helper;

/* The answer of a `request` comes later, by helper_answer. */
#define HELPER_LATER 1

struct helper_request {
    uint64_t tag; /* for helper_answer */
    const void *data;
    size_t size;
    int *fds; /* a descriptor that is kept is set to -1; the rest is closed */
    size_t fd_count;
};

struct helper_service {
    const char *name;
    /* Before the nursery is forked: what it makes, workers see. */
    int (*open)(struct helper *helper, void **state_out);
    /* Asked by the program, context_request. Returns 0 or a negative code, and
     * may append to @reply; or HELPER_LATER. */
    int (*request)(void *state, const struct helper_request *request,
                   struct buf *reply);
    /* A worker, of whichever service, is dead and not yet reaped. */
    void (*died)(void *state, pid_t pid);
    /* A worker of this service: code 0 and its pid and pidfd (the helper's),
     * or why there is none. */
    void (*forked)(void *state, uint64_t id, int code, pid_t pid, int pidfd);
    void (*reaped)(void *state, uint64_t id, pid_t pid,
                   const struct exit_record *exit);
    /* Called at least once before @now + what it returned last, ns; FOREVER:
     * not again until something else has happened. */
    int64_t (*tick)(void *state, int64_t now_ns);
    /* In a worker. What it returns is the exit status. */
    int (*worker)(void *state, const struct nursery_order *order);

    /* Of the service that knows queues: a descriptor to be sent, the
     * receiver's to close; and the queue at the other end. */
    int (*queue_share)(weir_queue *queue, int *fd_out);
    int (*queue_adopt)(int fd, weir_queue **queue_out);
};

enum { SERVICES_MOST = 8 };

/* A worker for this service: `forked` and `reaped` are called with @id. At most
 * HELPER_ORDER_MOST bytes. */
#define HELPER_ORDER_MOST (NURSERY_ORDER_MAX - 16)
int helper_fork(struct helper *helper, const struct helper_service *service,
                uint64_t id, const void *data, size_t size, const int *fds,
                size_t fd_count);
/* The same; a worker that is detached outlives helper and program. */
int helper_fork_as(struct helper *helper, const struct helper_service *service,
                   uint64_t id, const struct helper_request *order,
                   bool detached);

/* Answers the question with this tag, once. */
void helper_answer(struct helper *helper, uint64_t tag, int code,
                   const void *data, size_t size, const int *fds,
                   size_t fd_count);

/* Calls @ready when the descriptor is readable, until it is unwatched. */
int helper_watch(struct helper *helper, int fd,
                 void (*ready)(void *arg, int fd), void *arg);
void helper_unwatch(struct helper *helper, int fd);

pid_t helper_host(const struct helper *helper);
/* The services of this helper; the array ends with NULL. */
const struct helper_service *const *
helper_services(const struct helper *helper);

/* The service of process handles, and those of the rooms above: their table,
 * which ends with NULL, stands in core/pool. */
extern const struct helper_service process_service;
extern const struct helper_service *const context_services[];

/* In the helper: never returns. */
struct helper_birth {
    const struct lineage *lineage; /* of the program, as its children see it */
    const struct helper_service *services[SERVICES_MOST + 1];
    int socket;
    int life;    /* read end */
    int host_fd; /* the program's pidfd */
    pid_t host;
    const int *keep;
    size_t keep_count;
};
_Noreturn void helper_main(const struct helper_birth *birth);
/* In the process between it and the program: forks it, and is gone. */
_Noreturn void helper_fork_off(const struct helper_birth *birth);

#endif
