/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.c - the turns of a worker that makes items from nothing. Runs in
 * workers.
 *
 * What it gives counts up to its cursor; behind it, by number and hash. So any
 * commit is right at any time, and it is made when those downstream have
 * nothing else, or when the batch is full.
 */
#include "config.h"

#include <stdio.h>

#include "run/worker.h"

#define BATCH_NS (50 * NS_PER_US)
enum { BATCH_ITEMS = 64 };

static bool hungry(const struct worker *worker)
{
    const struct post *post = &worker->post;

    for (size_t i = 0; i < post->queues.count; i++)
        if (queue_ready_hint(worker->segment, post->queues.at[i].number) == 0)
            return true;
    return post->queues.count == 0;
}

static int commit_if_due(struct worker *worker, bool now)
{
    struct host *host = &worker->host;
    unsigned staged = turn_staged(worker->member);
    int code = 0;

    if (staged == 0 && !host->cursor_set && !now)
        return 0;
    if (now || staged >= BATCH_ITEMS || hungry(worker) ||
        clock_now() - worker->now >= BATCH_NS) {
        code = host_commit(host);
        worker_add_times(worker, 0);
    }
    return code;
}

/* It goes on from the last cursor, as a successor would, after its wait; which
 * ends when sources are to stop. */
static int again(struct worker *worker, unsigned attempts)
{
    struct host *host = &worker->host;
    int code = 0;

    host_undo(host);
    if (turn_staged(worker->member) > 0) { /* before the cursor: they count */
        host->seen = host->hash = 0;
        code = host_commit(host);
    }
    if (code == 0) {
        worker_close_task(worker);
        worker_wait(worker, attempts);
        code = worker_open_task(worker);
    }
    return code;
}

/* Something of it cannot be given; behind that it goes on. */
static int leave_out(struct worker *worker, enum outcome outcome)
{
    struct host *host = &worker->host;
    int code;

    if (!host->cursor_set) /* it would fail there for ever */
        return WEIR_EFAILED;
    if (outcome == OUTCOME_FAIL) {
        code = host_fail(host, 1);
    } else {
        code = host_undo(host);
        host->seen = host->hash = 0;
        turn_book(worker->member)->skipped++;
    }
    return code < 0 ? code : commit_if_due(worker, true);
}

int worker_source(struct worker *worker)
{
    struct host *host = &worker->host;
    unsigned tries = 0;
    int code = 0;

    member_note_try(worker->member);
    while (code == 0 && !member_stopping(worker->member) &&
           !member_canceled(worker->member)) {
        enum outcome outcome;

        host_begin(host, PHASE_RUN, NULL);
        outcome = worker_judge(worker, worker_call(worker, worker->task->run));
        switch (outcome) {
        case OUTCOME_END:
            return host->seen < host->skip
                       ? host_refuse(host, WEIR_EFAILED, "%s", not_the_same)
                       : 0;
        case OUTCOME_DONE:
            tries = turn_staged(worker->member) > 0 ? 0 : tries;
            code = commit_if_due(worker, false);
            break;
        case OUTCOME_RETRY:
            code = tries++ < worker->post.retries ? again(worker, tries)
                                                  : WEIR_EFAILED;
            break;
        case OUTCOME_CANCELED:
            host_undo(host);
            code = member_stopping(worker->member) ? 0 : WEIR_ECANCELED;
            break;
        case OUTCOME_FATAL:
            return WEIR_EFAILED;
        default:
            code = leave_out(worker, outcome);
            break;
        }
    }
    if (code == 0 && member_canceled(worker->member))
        return WEIR_ECANCELED;
    worker->stopped = true;
    return code;
}
