/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_reply.c - runs in a worker of a pool: the answer to a call, staged as a
 * result. It is true, and its call is done, by the commit that follows; a large
 * one goes in parts, with a commit for each.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "pool/pool.h"
#include "pool/pool_wire.h"
#include "pool/pool_worker.h"

enum {
    TEXT_LEAST = ITEM_SMALL, /* so much needs no memory of the store */
    PART_MOST = 1 << 20,
};

/* Until the commit a death gives the call back as if it had not run, and that
 * is told apart here: without retries it has. */
static void ran(const struct worker *worker, struct item *item)
{
    WEIR_POINT("pool.call.replied");
    if (worker_terms(worker, item).retries == 0)
        item->attempt++;
}

/* Its result is staged. */
int worker_done(struct worker *worker, struct item *item)
{
    ran(worker, item);
    worker->dirty = true;
    return turn_done(worker->member, item);
}

/* At most ITEM_SMALL bytes: at once, when there is room and nothing else waits
 * for the commit. */
static int reply_small(struct worker *worker, struct item *item, uint64_t path,
                       const void *data, size_t size)
{
    struct small answer = { .root = item->root, .path = path, .size = size };
    struct staged staged;
    int code = 0;

    if (size > 0)
        memcpy(answer.data, data, size);
    if (!worker->dirty) {
        struct item as_run = *item;

        ran(worker, &as_run);
        code = turn_answer(worker->member, &as_run, POOL_RESULTS, &answer);
    }
    if (code != 0)
        return code < 0 ? code : 0;
    code = worker_stage(worker, item->root, path, size, &staged);
    if (code != 0)
        return code;
    memcpy(staged.data, answer.data, size);
    return worker_done(worker, item);
}

int worker_reply_failure(struct worker *worker, struct item *item, int code,
                         const char *text)
{
    uint64_t path = reply_path(REPLY_FAILED, code);
    size_t size = strlen(text);
    struct staged staged;
    int result;

    if (size <= ITEM_SMALL)
        return reply_small(worker, item, path, text, size);
    result = worker_stage(worker, item->root, path, size, &staged);
    if (result == WEIR_ENOMEM)
        return reply_small(worker, item, path, text, TEXT_LEAST);
    if (result != 0)
        return result;
    memcpy(staged.data, text, size);
    return worker_done(worker, item);
}

static void lost_words(const struct worker *worker, const struct item *item,
                       const char *after, char *text)
{
    const struct call_terms terms = worker_terms(worker, item);
    char limit[32];

    if (item->cause == CAUSE_EXIT)
        snprintf(text, TEXT_MOST, "the task called exit(%d)%s",
                 item->cause_code, after);
    else if (item->cause == CAUSE_LIMIT && call_is_late(&terms))
        snprintf(text, TEXT_MOST,
                 "the call's deadline passed; its worker was killed%s", after);
    else if (item->cause == CAUSE_LIMIT)
        snprintf(text, TEXT_MOST,
                 "the call took longer than %s; its worker was killed%s",
                 text_from_duration(limit, terms.limit_ns), after);
    else if (item->cause_code == 0) /* between two steps; or nobody knows */
        snprintf(text, TEXT_MOST,
                 "the worker ended before the result was given on%s", after);
    else
        snprintf(text, TEXT_MOST, "the worker was killed by %s%s",
                 text_signal(item->cause_code), after);
}

int worker_lost(struct worker *worker, const struct item *item)
{
    unsigned attempt = item->attempt - worker->base;
    char after[48] = "";

    if (attempt > 1)
        snprintf(after, sizeof after, " (in attempt %u)", attempt);
    lost_words(worker, item, after, worker->text);
    return item->cause == CAUSE_LIMIT ? WEIR_ELIMIT : WEIR_ELOST;
}

/* Its last attempt ended a worker: that is its result. */
int worker_reply_lost(struct worker *worker, struct item *item)
{
    int code = worker_lost(worker, item);

    return worker_reply_failure(worker, item, code, worker->text);
}

/* It is not to be run, or not again. */
int worker_reply_marked(struct worker *worker, struct item *item)
{
    return worker_reply_failure(worker, item, WEIR_ECANCELED,
                                item->attempt > 0
                                    ? "the call was stopped"
                                    : "the call was cancelled before it began");
}

int worker_reply_late(struct worker *worker, struct item *item)
{
    return worker_reply_failure(
        worker, item, WEIR_ELIMIT,
        item->attempt > 0 ? "the call's deadline passed before another "
                            "attempt"
                          : "the call's deadline passed before it began");
}

/* The last part makes the call done. */
static int reply_parts(struct worker *worker, struct item *item)
{
    const struct reply *reply = &worker->reply;
    size_t most = worker->plan.result_bytes / 8, offset = 0;
    int code = 0;

    if (most > PART_MOST)
        most = PART_MOST;
    do {
        struct reply_part head = { .total = reply->size, .offset = offset };
        size_t size = reply->size - offset;
        struct staged staged;

        if (size > most)
            size = most;
        code = worker_stage(worker, item->root, reply_path(REPLY_PART, 0),
                            sizeof head + size, &staged);
        if (code != 0)
            return code;
        memcpy(staged.data, &head, sizeof head);
        memcpy((char *)staged.data + sizeof head, (char *)reply->own + offset,
               size);
        WEIR_POINT("pool.part.staged");
        offset += size;
        worker->dirty = true;
        code = offset < reply->size ? worker_commit(worker)
                                    : worker_done(worker, item);
    } while (code == 0 && offset < reply->size);
    return code;
}

int worker_reply_result(struct worker *worker, struct item *item)
{
    struct reply *reply = &worker->reply;

    if (reply->state != REPLY_GIVEN)
        worker_drop(worker);
    else if (reply->own != NULL)
        return reply_parts(worker, item);
    else if (!reply->is_small)
        return worker_done(worker, item);
    return reply_small(worker, item, worker_path(worker, item, REPLY_DONE),
                       reply->small, reply->size);
}
