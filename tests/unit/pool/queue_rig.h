/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue_rig.h - what the suites of a library's queue share: a context, small
 * queues of numbers, children that have one. */
#ifndef POOL_QUEUE_RIG_H
#define POOL_QUEUE_RIG_H

#include <unistd.h>

#include <weir/process.h>
#include <weir/queue.h>

#include "watch.h"

extern weir_context *rig_context;
/* Also looks that no descriptor and no child is left. */
void rig_setup(void);
void rig_teardown(void);
weir_queue *rig_queue(uint32_t capacity, uint32_t overflow);
weir_queue_state rig_state(weir_queue *queue);
void rig_put(weir_queue *queue, unsigned number);
unsigned rig_get(weir_queue *queue);
unsigned rig_number(const weir_lease *lease);
/* A child that runs this with the queue, and the number as its argument. */
weir_process *rig_launch(int (*run)(weir_child *self), weir_queue *queue,
                         unsigned number);
void rig_kill(weir_process **process);
/* Waits for its end, which must be of this status. */
void rig_join(weir_process **process, int status);

/* Until a field of the snapshot is so; no event tells of it. */
#define rig_await(queue, field, value)                                         \
    do {                                                                       \
        int64_t until_ = clock_deadline(BOUND_NS);                             \
                                                                               \
        while (rig_state(queue).field != (value)) {                            \
            ck_assert_msg(clock_left(until_) > 0, #field " is not " #value);   \
            usleep(1000);                                                      \
        }                                                                      \
    } while (0)

#endif
