/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue_handle.h - a library's queue, which is a segment with one queue in it,
 * as its files see it; for the files of core/pool. See weir/queue.h.
 *
 * Each call works as a member of the segment, an entry that it has for itself;
 * entries that were used stay with the handle for the next calls. Who cleans up
 * after a process that died: the context's helper; of a named queue, the other
 * members.
 *
 *     queue_handle.c  made, given to a child, freed
 *     queue_call.c    one call: begin, wait, end
 *     queue_copy.c    put and get, one item or many
 *     queue_lease.c   in place: reserve and submit, lease and commit
 *     queue_state.c   snapshot, the forms of close, producers, wait_idle
 *     queue_watch.c   descriptors, and waiting for any of several queues
 */
#ifndef POOL_QUEUE_HANDLE_H
#define POOL_QUEUE_HANDLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <weir/queue.h>

#include "queue/queue.h"

enum {
    QUEUE = 0, /* the only one in its segment */
    SPARES = 8,
    ORDINAL_BITS = 40,
    PUT_MANY_MOST = 256, /* items of one commit */
    WATCHES = 2,         /* WEIR_QUEUE_GET - 1, WEIR_QUEUE_PUT - 1 */
};

struct holding; /* queue_lease.c */

struct weir_queue {
    weir_context *context; /* NULL in a child, and of a named queue */
    bool named;            /* it has no helper: its members look */
    pid_t process;         /* whose handle it is */
    uint64_t id;           /* the helper's */
    struct segment *segment;
    _Atomic(struct member *) spare[SPARES]; /* NULL: a place for one;
                                             * SPARE_TAKEN: a call has it */
    atomic_bool cancel;                     /* all waits end */
    atomic_uint cancels; /* raised for each weir_queue_cancel */
    _Atomic uint64_t waiting[MEMBERS_MOST / 64]; /* members of this handle */
    pthread_mutex_t lock;                        /* of what stands below */
    struct holding *holdings; /* all that were ever used, kept for the next */
    struct member *producer;  /* not NULL: registered */
    struct watch {
        struct member *member; /* NULL: no descriptor yet */
        int bell, clock;       /* clock: of a named queue; else -1 */
        int fd;                /* what the program has; may be the bell */
        _Atomic uint64_t name;
    } watches[WATCHES];
};

#define SPARE_TAKEN ((struct member *)1)

struct call {
    weir_queue *queue;
    struct member *member;
    int place; /* in spare[], this call's until it ends or waits; -1: none */
    int64_t deadline_ns; /* absolute; 0: try once */
    unsigned cancels;    /* as they were when the call began */
};

/* 0, or why no call can be made on it. */
int queue_check(weir_queue *queue);
int call_begin(struct call *call, weir_queue *queue, int64_t timeout_ns);
/* Returns @code; when it is not 0, what the member holds is given back. */
int call_end(struct call *call, int code);
/* The call ends, but not what its member does: that one is the caller's, who
 * gives it to queue_member_spare in the end. */
struct member *call_keep_member(struct call *call);
/* The member goes to the next call, or leaves. It must hold nothing. */
void queue_member_spare(weir_queue *queue, struct member *member);

typedef int call_wait_once(struct call *call, int64_t deadline_ns, void *arg);
/* Waits, in sight of weir_queue_cancel and of a helper's death. */
int call_wait(struct call *call, call_wait_once *wait, void *arg);
/* Tried once, in vain; but it may have been a dead member that was in the way,
 * and is no more. */
bool queue_is_worth_another(const weir_queue *queue);
/* Whether those live without whom nobody would end a wait: 0 or a code. */
int queue_look(const weir_queue *queue);
/* Until when one may sleep before one looks again. */
int64_t queue_until_look(const weir_queue *queue, int64_t deadline_ns);

/* One item staged, as the queue's overflow policy has it: 0; or, when @drops,
 * 1: it was dropped and counted; or a code. */
int queue_stage(struct call *call, size_t size, bool drops,
                struct staged *staged);
/* The oldest leased, waited for: 1 to @most; or a code. */
int queue_take(struct call *call, unsigned most, struct item *items);
/* Of a queue that was closed NOW: drops all that is ready, counts it. */
int queue_drop_ready(struct call *call, uint64_t *dropped);
/* A call on the get side (or @put, for so many bytes) found nothing: its
 * descriptor, if there is one, is not readable from here on until there is. */
void queue_found_nothing(weir_queue *queue, bool put, uint64_t bytes);
/* Ends the waits of weir_queue_wait_any; in a signal handler, too. */
void queue_ring_own(weir_queue *queue);
void watches_free(weir_queue *queue, bool own);

/* Puts down all that leases and reservations of this handle still hold. */
void holdings_free(weir_queue *queue, bool own);

#endif
