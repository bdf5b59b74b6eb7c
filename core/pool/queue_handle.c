/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue_handle.c - runs in the program and in its children: how a queue's
 * handle comes to be and ends. See queue_handle.h. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool/pool.h"
#include "pool/queue_handle.h"
#include "pool/queue_named.h"
#include "pool/queue_wire.h"
#include "shm/shm.h"

/* ---------------------------------------------------------- new, free ---- */

int queue_known_options(const weir_queue_options *options,
                        weir_queue_options *known, weir_error *err)
{
    *known = (weir_queue_options)WEIR_QUEUE_OPTIONS;
    if (options == NULL)
        return 0;
    if (options->size < sizeof(size_t))
        return error_set(err, WEIR_EINVAL,
                         "the options' own size is not set; begin with "
                         "WEIR_QUEUE_OPTIONS");
    memcpy(known, options,
           options->size < sizeof *known ? options->size : sizeof *known);
    if (known->capacity < 1 || known->capacity > CAPACITY_MOST)
        return error_set(err, WEIR_EINVAL,
                         "a capacity of %u items; it is 1 to %d",
                         known->capacity, CAPACITY_MOST);
    if (known->members < 1 || known->members > MEMBERS_MOST)
        return error_set(err, WEIR_EINVAL, "room for %u members; it is 1 to %d",
                         known->members, MEMBERS_MOST);
    if (known->bytes < 1 || known->bytes > BYTES_MOST)
        return error_set(err, WEIR_EINVAL,
                         "a bound of %llu bytes; it is 1 B to 64 GiB",
                         (unsigned long long)known->bytes);
    if (known->overflow > WEIR_OVERFLOW_DROP_OLD)
        return error_set(err, WEIR_EINVAL,
                         "an overflow policy of %u; see enum weir_overflow",
                         known->overflow);
    if (known->mode > 0777)
        return error_set(err, WEIR_EINVAL, "a mode of 0%o; it is 0 to 0777",
                         known->mode);
    return 0;
}

static void handle_init(weir_queue *queue)
{
    pthread_mutex_init(&queue->lock, NULL);
    queue->process = fork_self();
}

/* The helper has it from here on. */
static int entrust(weir_queue *queue)
{
    const struct queue_question question = { .word = QUEUE_KEEP };
    struct context_reply reply;
    int fd = segment_fd(queue->segment);
    int code = memory_hold(fd);

    if (code != 0)
        return code;
    code = context_request(queue->context, &queue_service, &question,
                           sizeof question, &fd, 1, &reply);
    if (code == 0) {
        struct reader in = { .data = reply.data.data, .size = reply.data.size };

        queue->id = read_u64(&in);
    }
    buf_done(&reply.data);
    fd_close(&reply.fd);
    return code;
}

int weir_queue_new(weir_context *context, const weir_queue_options *options,
                   weir_queue **queue_out, weir_error *err)
{
    weir_queue_options known;
    struct queue_plan plan = { 0 };
    struct segment_plan segment = { .queues = &plan, .queue_count = 1 };
    weir_queue *queue;
    int code;

    if (context == NULL || queue_out == NULL)
        return error_set(err, WEIR_EINVAL, "no context, or no place for it");
    code = context_check(context);
    if (code != 0)
        return error_sys(err, code, "cannot make a queue");
    code = queue_known_options(options, &known, err);
    if (code != 0)
        return code;
    queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for a queue handle");
    plan.capacity = known.capacity;
    plan.bytes = known.bytes;
    plan.overflow = known.overflow;
    segment.member_count = known.members;
    handle_init(queue);
    queue->context = context;
    context_ref(context);
    code = segment_create(&segment, &queue->segment, err);
    if (code == 0) {
        code = entrust(queue);
        if (code != 0)
            error_sys(err, code, "the helper process cannot take the queue");
    }
    if (code != 0) {
        weir_queue_free(&queue);
        return code;
    }
    *queue_out = queue;
    return 0;
}

void weir_queue_free(weir_queue **queue)
{
    weir_queue *q;
    bool own;

    if (queue == NULL || *queue == NULL)
        return;
    q = *queue;
    *queue = NULL;
    own = q->process == fork_self();
    holdings_free(q, own);
    watches_free(q, own);
    if (own)
        member_leave(&q->producer); /* it produces no more */
    else
        member_forget(&q->producer);
    for (unsigned i = 0; i < SPARES; i++) {
        struct member *member = atomic_load(&q->spare[i]);

        if (member == SPARE_TAKEN)
            continue; /* by a thread that was not copied by a fork */
        if (own)
            member_leave(&member);
        else
            member_forget(&member);
    }
    segment_free(&q->segment);
    if (own && q->id != 0) {
        const struct queue_question question = { .word = QUEUE_FREED,
                                                 .id = q->id };

        context_request(q->context, &queue_service, &question, sizeof question,
                        NULL, 0, NULL);
    }
    if (q->context != NULL)
        context_unref(q->context);
    if (own) /* the one of another process may be locked */
        pthread_mutex_destroy(&q->lock);
    free(q);
}

/* ------------------------------------------------- given to a child ---- */

int queue_share(weir_queue *queue, int *fd_out)
{
    int fd;

    if (queue == NULL)
        return WEIR_EINVAL;
    if (queue->process != fork_self())
        return WEIR_EPROCESS;
    fd = fcntl(segment_fd(queue->segment), F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return -errno;
    *fd_out = fd;
    return 0;
}

int queue_adopt(int fd, weir_queue **queue_out)
{
    weir_queue *queue = calloc(1, sizeof *queue);
    int code;

    if (queue == NULL)
        return WEIR_ENOMEM;
    handle_init(queue);
    code = segment_attach(fd, &queue->segment, NULL);
    if (code == 0 && segment_queue_count(queue->segment) != 1)
        code = WEIR_EBROKEN;
    if (code != 0) {
        weir_queue_free(&queue);
        return code;
    }
    *queue_out = queue;
    return 0;
}

/* ----------------------------------------------------- opened by name ---- */

int queue_of(struct segment *segment, weir_queue **queue_out)
{
    weir_queue *queue = calloc(1, sizeof *queue);
    struct member *member;

    if (queue == NULL)
        return WEIR_ENOMEM;
    handle_init(queue);
    queue->named = true;
    queue->segment = segment;
    /* Seen by the others from now on. Where all entries are taken: when one
     * of them is free and a call needs it. */
    if (member_enter_any(segment, 0, &member) == 0)
        atomic_store(&queue->spare[0], member);
    *queue_out = queue;
    return 0;
}

struct segment *queue_segment(weir_queue *queue)
{
    return queue->segment;
}

bool queue_is_named(const weir_queue *queue)
{
    return queue->named;
}

bool queue_is_own(const weir_queue *queue)
{
    return queue->process == fork_self();
}
