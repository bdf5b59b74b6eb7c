/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nursery.h - the single-threaded child that forks and reaps all workers.
 *
 * The owner (a run's supervisor, a program's helper) starts a nursery by a
 * plain fork; all that the owner's memory holds at that instant, the workers
 * see. First `prepare` runs in the nursery (plugins are loaded and vetted
 * there: what crashes takes the nursery, not the owner) and sends a reply.
 * Then the owner orders workers. For each the nursery forks, opens a pidfd,
 * and sends pid and pidfd before it may reap; the owner sees the death by the
 * pidfd, does its recovery, then asks for the reaping and gets the status.
 *
 * All calls here are the owner's, from one thread, which lives as long as the
 * owner (the parent-death signal follows the thread that forked); none waits
 * for a worker. A worker's group is killed when the worker is reaped.
 * Nobody outlives the owner: nursery and workers carry the parent-death
 * signal, checked after arming, and hold the owner's life pipe. Workers take
 * SIGKILL from both, with their whole group. The nursery, once prepared, takes
 * SIGCONT: stopped or not, it sees the end and kills what tasks have forked,
 * also what left the group, before it goes.
 */
#ifndef PROCESS_NURSERY_H
#define PROCESS_NURSERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"
#include "process/exit.h"

struct nursery;

/* What a new worker is told: bytes (copied) and descriptors (duplicated, they
 * arrive close-on-exec). `id` is the owner's own number for it. */
struct nursery_order {
    uint64_t id;
    const void *data;
    size_t size; /* at most NURSERY_ORDER_MAX */
    int fds[FD_MESSAGE_FDS];
    size_t fd_count;
    bool detached; /* outlives nursery and owner: carries no death signal, holds
                    * no life pipe, leads a session. At the end of the nursery
                    * it is spared, with all that is in its session */
};

#define NURSERY_ORDER_MAX (1024u << 10)

struct nursery_spec {
    void *arg; /* given to both functions */
    /* In the nursery, once; may append an answer for the owner. A negative
     * return ends the nursery (the reply still reaches the owner). While it
     * works it may name what it is busy with by nursery_busy_with. NULL: none.
     */
    int (*prepare)(void *arg, struct buf *reply);
    /* In each worker; what it returns (0..255) is the exit status. Signals
     * and mask are at their defaults, stdin is /dev/null, it stands in a
     * process group of its own; stdout and stderr are the owner's. Another
     * value is refused: the exit record says so. */
    int (*worker)(void *arg, const struct nursery_order *order);
    int64_t prepare_timeout_ns; /* killed after that; FOREVER: no limit */
    /* Descriptors of the owner that nursery and workers keep, besides 0 to 2;
     * those that prepare opens, the workers have too. */
    const int *keep;
    size_t keep_count;
};

enum nursery_event_kind {
    NURSERY_FORKED,  /* id, pid, pidfd (the receiver's to close) */
    NURSERY_REFUSED, /* id, code: the fork failed */
    NURSERY_REAPED,  /* id, pid, exit */
    NURSERY_GONE,    /* the nursery itself died; exit. The kernel kills its
                      * workers: their pidfds tell when. Comes once. */
};

struct nursery_event {
    enum nursery_event_kind kind;
    uint64_t id;
    pid_t pid;
    int pidfd;
    int code;
    struct exit_record exit;
};

/**
 * nursery_start - fork a nursery and wait until it is prepared
 * @reply:      what prepare appended, also when it failed
 * @busy_out:   when it died, hung or failed: what it was busy with (at most
 *              255 bytes and a NUL; may be NULL)
 *
 * Returns 0; WEIR_EPLUGIN: died, was killed at its time limit, or said
 * failure in prepare (err says which; *exit_out how, may be NULL); -EBADF: it
 * closed its socket in prepare, and was killed; or a negated errno of fork,
 * pipe, socketpair.
 */
int nursery_start(const struct nursery_spec *spec, struct nursery **out,
                  struct buf *reply, char *busy_out,
                  struct exit_record *exit_out, weir_error *err);

/* In prepare only: told to the owner should the nursery die now. */
void nursery_busy_with(const char *what);
/* In a worker: what the room itself holds open under this number moves to one
 * from @above on. 0 or a negated errno. */
int nursery_make_way(int number, int above);

/* Becomes readable when nursery_next has something. */
int nursery_fd(const struct nursery *nursery);
pid_t nursery_pid(const struct nursery *nursery);

/* Asks for a worker; the answer is an event. Never blocks: what the socket
 * does not take at once is kept and sent by nursery_next. */
int nursery_fork(struct nursery *nursery, const struct nursery_order *order);
/* After the pidfd was readable and the recovery is done: reap it. */
int nursery_reap(struct nursery *nursery, pid_t pid);
/* 1 and an event; 0 when there is none now; WEIR_EBROKEN: after GONE. */
int nursery_next(struct nursery *nursery, struct nursery_event *event_out);

/* Ends the nursery and with it all its workers (SIGKILL for what is left),
 * waits until all are gone; *nursery = NULL. NULL-safe. */
void nursery_stop(struct nursery **nursery);

#endif
