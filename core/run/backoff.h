/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backoff.h - how long an item waits before its next attempt. Any process. */
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

#endif
