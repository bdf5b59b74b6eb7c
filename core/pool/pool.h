/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.h - the face of core/pool: a library's queues and pools, whose calls are
 * those of weir/queue.h and weir/pool.h.
 *
 *   queue_handle.c  in the program, and in its children
 *   queue_serve.c   in the helper
 *   pool.c          in the program: a pool's birth and end
 *   pool_submit.c   its calls
 *   pool_map.c      many at once
 *   pool_imap.c     one after the other
 *   pool_result.c   its results
 *   pool_handle.c   what is asked of one
 *   pool_notice.c   callbacks
 *   pool_watch.c    a descriptor for event loops
 *   pool_inline.c   calls that run there, without workers
 *   pool_cancel.c   calls that are taken back or stopped
 *   pool_worker.c   in a worker
 *   pool_reply.c    there: the answers to calls
 *   pool_call.c     what a function calls there
 *   pool_serve.c    in the helper
 *   pool_seats.c    there: how many workers, and who follows whom
 *   pool_halt.c     there: stops one call
 *   pool_board.c    what workers write up for others to read
 *   pool_crash.c    in a worker: its stack, when it crashes
 *   pool_trace.c    in the program: that, in words
 */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include <weir/pool.h>
#include <weir/queue.h>

#include "process/process.h"
#include "queue/queue.h"

extern const struct helper_service queue_service;
extern const struct helper_service pool_service;

/* How often a helper looks at its segments. */
#define SEGMENT_CARE_NS NS_PER_S

/* In a helper: wakes who sleeps beside work, and sends SIGCONT to a process
 * that was stopped while it held a lock (but not to the program). Once in that
 * time while anybody sleeps; and before a recovery, which needs the locks. */
void segment_care(struct segment *segment, const struct helper *helper);

/* An absolute deadline for the next part of a wait until @deadline_ns: between
 * the parts the waiter looks whether its helper lives. */
int64_t wait_part(int64_t deadline_ns);

#endif
