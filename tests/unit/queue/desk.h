/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* desk.h - a segment with a few members, all in the test's own process. */
#ifndef UNIT_QUEUE_DESK_H
#define UNIT_QUEUE_DESK_H

#include <check.h>

#include "queue/internal.h"

enum { DESK_MEMBERS = 4 };

struct desk {
    struct segment *segment;
    struct member *members[DESK_MEMBERS];
};

/* @queues queues alike. */
struct desk desk_open(unsigned queues, uint32_t capacity, uint64_t bytes);
/* Also looks that nothing is left over: no slot, byte or chunk. */
void desk_close(struct desk *desk);
/* The same for one that is damaged: nothing is looked at. */
void desk_leave(struct desk *desk);

/* Stages bytes; returns what turn_stage did. */
int desk_stage(struct member *member, unsigned queue, const void *data,
               size_t size);
/* The same, and commits. */
void desk_put(struct member *member, unsigned queue, const char *text);
/* Leases one at once; the code when there is none. */
int desk_lease(struct member *member, unsigned queue, struct item *item);
/* Leases, settles and commits; the text must be this. */
void desk_take(struct member *member, unsigned queue, const char *text);
struct queue_state desk_state(const struct desk *desk, unsigned queue);

Suite *answer_suite(void);
Suite *attrs_suite(void);
Suite *segment_suite(void);
Suite *turn_suite(void);
Suite *direct_suite(void);
Suite *room_suite(void);
Suite *commit_suite(void);
Suite *sink_suite(void);
Suite *recover_suite(void);
Suite *order_suite(void);
Suite *lanes_suite(void);
Suite *wait_suite(void);
Suite *snapshot_suite(void);

#endif
