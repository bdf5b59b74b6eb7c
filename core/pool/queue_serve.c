/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue_serve.c - runs in the helper: recovers the members of dead children in
 * all queues of its program, and sweeps them.
 *
 * A queue stays as long as anybody has it: the program, a child, or a message
 * on its way to one (memory_held). So it is looked for when the program frees
 * it, and later whenever a child has died.
 */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool.h"
#include "pool/queue_wire.h"
#include "shm/shm.h"

struct kept {
    uint64_t id;
    struct segment *segment;
    bool freed; /* by the program */
};

struct keeper {
    struct helper *helper;
    uint64_t ids;
    int64_t swept_ns;
    VEC(struct kept) queues;
};

static int open_keeper(struct helper *helper, void **state_out)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);

    if (keeper == NULL)
        return WEIR_ENOMEM;
    keeper->helper = helper;
    *state_out = keeper;
    return 0;
}

static int keep(struct keeper *keeper, const struct helper_request *request,
                struct buf *reply)
{
    struct segment *segment = NULL;
    struct kept *kept;
    int fd, code;

    if (request->fd_count != 1)
        return WEIR_EINVAL;
    fd = memory_reopen(request->fds[0]);
    if (fd < 0)
        return fd;
    code = segment_attach(fd, &segment, NULL);
    fd_close(&fd);
    if (code < 0)
        return code;
    kept = VEC_ADD(&keeper->queues);
    if (kept == NULL) {
        segment_free(&segment);
        return WEIR_ENOMEM;
    }
    kept->id = ++keeper->ids;
    kept->segment = segment;
    return buf_u64(reply, kept->id);
}

static void drop_unused(struct keeper *keeper)
{
    for (size_t i = keeper->queues.count; i-- > 0;) {
        struct kept *kept = &keeper->queues.at[i];

        if (!kept->freed || memory_held(segment_fd(kept->segment)))
            continue;
        segment_free(&kept->segment);
        *kept = keeper->queues.at[--keeper->queues.count];
    }
}

static int request(void *state, const struct helper_request *request,
                   struct buf *reply)
{
    struct keeper *keeper = state;
    struct queue_question question;

    if (request->size != sizeof question)
        return WEIR_EINVAL;
    memcpy(&question, request->data, sizeof question);
    if (question.word == QUEUE_KEEP)
        return keep(keeper, request, reply);
    for (size_t i = 0; i < keeper->queues.count; i++)
        if (keeper->queues.at[i].id == question.id)
            keeper->queues.at[i].freed = true;
    drop_unused(keeper);
    return 0;
}

static void died(void *state, pid_t pid)
{
    struct keeper *keeper = state;

    for (size_t i = 0; i < keeper->queues.count; i++) {
        struct segment *segment = keeper->queues.at[i].segment;

        for (unsigned n = 0; n < segment_member_count(segment); n++) {
            struct member_sample sample;

            member_sample(segment, n, &sample);
            if (sample.process != pid)
                continue;
            segment_care(segment, keeper->helper);
            member_recover(segment, n, CAUSE_SIGNAL, 0, NULL);
        }
    }
    drop_unused(keeper);
}

/* Not the program: if it was stopped, then by a person, on purpose. */
static void wake_stopped(struct segment *segment, pid_t holder, pid_t program)
{
    for (unsigned n = 0; n < segment_member_count(segment); n++) {
        struct member_sample sample;

        member_sample(segment, n, &sample);
        if (sample.pid == holder && sample.process > 0 &&
            sample.process != program)
            kill(sample.process, SIGCONT);
    }
}

void segment_care(struct segment *segment, const struct helper *helper)
{
    pid_t holder;

    segment_sweep(segment, &holder);
    if (holder > 0)
        wake_stopped(segment, holder, helper_host(helper));
}

static int64_t tick(void *state, int64_t now_ns)
{
    struct keeper *keeper = state;

    if (keeper->queues.count == 0)
        return FOREVER;
    if (now_ns - keeper->swept_ns < SEGMENT_CARE_NS)
        return keeper->swept_ns + SEGMENT_CARE_NS - now_ns;
    keeper->swept_ns = now_ns;
    for (size_t i = 0; i < keeper->queues.count; i++)
        if (segment_sleepers(keeper->queues.at[i].segment))
            segment_care(keeper->queues.at[i].segment, keeper->helper);
    return SEGMENT_CARE_NS;
}

const struct helper_service queue_service = {
    .name = "queue",
    .open = open_keeper,
    .request = request,
    .died = died,
    .tick = tick,
    .queue_share = queue_share,
    .queue_adopt = queue_adopt,
};
