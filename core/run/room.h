/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* room.h - outputs in the queues' memory: the layer under give.c. Private to
 * core/run; runs in workers. */
#ifndef RUN_ROOM_H
#define RUN_ROOM_H

#include "run/host.h"

/* Who waits for room waits for this part of the queue: one wake-up is then
 * good for many items. */
enum { CLAIM_PART = 4, REFS_MOST = MEMBER_REFS / 2 };

/* One output more, whichever way they are given now. */
int give_record(struct host *host, struct record *record);
/* Until the item in hand is the first that is not done. Nothing is staged. */
int order_wait(struct host *host);

/* Where an output goes; also OUTPUT_FAILED, OUTPUT_KEPT. */
const post_places *room_places(const struct host *host, int output);
/* Of the first place that is a queue; their count: all of it is dropped. */
size_t room_first(const post_places *places);

/* Its bytes are in private memory from here on. WEIR_ENOMEM. */
int room_own(struct record *record);

/* A code of the queue as the task gets it, with words; WEIR_EFULL and
 * WEIR_ESTATE (as many as a commit can have) stay what they are. */
int room_told(struct host *host, const struct record *record, int code);

/* In one place, without waiting. @pass: the payload is this one's. 1: it is
 * dropped there (overflow.h). */
int room_stage_at(struct host *host, const struct record *record, int place,
                  const struct item *pass, struct staged *out);
/* In the places from number @from on; the first has it as @ref. */
int room_stage_copies(struct host *host, const struct record *record,
                      size_t from, uint64_t ref);
/* All records in all their places, or none in any; without waiting. */
int room_stage(struct host *host, struct record *records, size_t count);

/* What a record needs, added to @needs (one for each queue of the post).
 * Returns how many references. */
unsigned room_add_needs(const struct host *host, const struct record *record,
                        struct need *needs);
/* Whether the queues could ever hold host->needs and this one. */
bool room_set_fits(struct host *host, const struct record *record);
/* Waits until @needs fit, at least @part of each queue (0: just the needs), and
 * stages the records. */
int room_claim_and_stage(struct host *host, struct record *records,
                         size_t count, const struct need *needs, unsigned part);

#endif
