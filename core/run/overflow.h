/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overflow.h - what becomes of an output for which its queue has no room, when
 * the queue's `overflow` is not to wait. Private to core/run; runs in workers.
 */
#ifndef RUN_OVERFLOW_H
#define RUN_OVERFLOW_H

#include "run/host.h"

/* Whether outputs at this place wait for room. */
bool overflow_waits(const struct host *host, int place);
/* Whether they are dropped for want of it, the new one or an old one. */
bool overflow_drops(const struct host *host, int place);
/*
 * overflow_settle - @spec was not staged at @place: WEIR_EFULL
 *
 * Returns 0: it is staged now, the oldest went; 1: it is dropped, and counted
 * as of this item; WEIR_EFULL: it waits; WEIR_ELOST: the item fails, with its
 * words; or another code of the queue.
 */
int overflow_settle(struct host *host, int place, const struct stage_spec *spec,
                    struct staged *staged);
/* How many outputs of this item are dropped so far. */
uint64_t overflow_lost(const struct host *host);
/* They are counted by the book of the commit that comes, or not at all. */
void overflow_count(struct host *host, struct book *book);
void overflow_forget(struct host *host);
/* The item is settled as one that failed for want of room; @full: as host.full
 * was. Not before: what goes to `failed` may wait for room, and commits
 * then. */
void overflow_failed(struct host *host, unsigned full);

#endif
