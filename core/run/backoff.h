/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backoff.h - how long an item waits before its next attempt, and a process
 * that came to nothing before the next is forked. Any process. */
#ifndef RUN_BACKOFF_H
#define RUN_BACKOFF_H

#include "job/job.h"
#include "queue/queue.h"

/* After @attempts of the item with this id that failed; 0: not at all. The part
 * that is chance is one of the id and of @attempts: the same in each run. */
int64_t backoff_ns(const struct job_wait *wait, unsigned attempts,
                   uint64_t root, uint64_t path);
/* What a lost attempt ended by. */
enum wait_class backoff_class(enum cause cause);
/* After so many in a row: 0, 10, 20, 40 ms ... 1 s. */
int64_t backoff_fork_ns(unsigned times);

#endif
