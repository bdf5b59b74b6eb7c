/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue_wire.h - what a library's queue asks of the helper, and what its
 * service has from it. */
#ifndef POOL_QUEUE_WIRE_H
#define POOL_QUEUE_WIRE_H

#include <stdint.h>

#include <weir/queue.h>

enum queue_word {
    QUEUE_KEEP = 1, /* the segment's descriptor. Answer: u64 id */
    QUEUE_FREED,    /* u64 id: the program has no use for it any more */
};

struct queue_question {
    uint32_t word;
    uint32_t zero;
    uint64_t id;
};

/* See struct helper_service. */
int queue_share(weir_queue *queue, int *fd_out);
int queue_adopt(int fd, weir_queue **queue_out);

#endif
