/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue_named.h - what a handle and the opening of named queues have of each
 * other; for the files of core/pool. */
#ifndef POOL_QUEUE_NAMED_H
#define POOL_QUEUE_NAMED_H

#include <stdbool.h>

#include <weir/queue.h>

#include "queue/strangers.h"

/* queue_handle.c: a handle for a segment of strangers, which is the handle's
 * from here on. */
int queue_of(struct segment *segment, weir_queue **queue_out);
struct segment *queue_segment(weir_queue *queue);
bool queue_is_named(const weir_queue *queue);
/* The process whose handle it is. */
bool queue_is_own(const weir_queue *queue);

/* queue_lease.c: a file to which items of a named queue are appended exactly
 * once: its length is part of the commit. For the one process that holds a lock
 * on the file. */
int queue_append_open(weir_queue *queue, int fd, unsigned *file_out,
                      weir_error *err);
struct iovec;
/* As weir_queue_commit; or -errno, when it could not be written. */
int queue_append_commit(weir_lease *lease, int fd, const struct iovec *parts,
                        unsigned count, weir_error *err);
void queue_append_close(weir_queue *queue, int fd, unsigned file);

/* By its name, for who enters it by himself: as weir_queue_open_named.
 * *made_out: it was not there. */
int queue_named_open(const char *name, const weir_queue_options *options,
                     unsigned flags, struct segment **out, bool *made_out,
                     weir_error *err);

int queue_known_options(const weir_queue_options *options,
                        weir_queue_options *known, weir_error *err);

#endif
