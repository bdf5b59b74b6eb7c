/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* failure.h - a failure as an item of the run's own queue: written by the
 * worker in the commit that settles the item, read when the run is over. */
#ifndef RUN_FAILURE_H
#define RUN_FAILURE_H

#include "queue/queue.h"
#include "run/run.h"

/* @item NULL: of a source. @wrote: the last lines of who died with it; NULL, or
 * empty: none. 0 or WEIR_ENOMEM. */
int failure_write(struct buf *out, unsigned stage, const struct item *item,
                  uint64_t root, const char *why, unsigned attempts,
                  const struct buf *wrote);
/* The texts point into the message, or are NULL. 0 or WEIR_EBROKEN. */
int failure_read(const void *data, size_t size, struct run_failure *out);

#endif
