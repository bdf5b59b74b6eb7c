/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * turns.c - a worker's turns: lease a batch, run the task on each item, settle
 * it, commit. Runs in workers.
 *
 * The batch is chosen: what is ready, at most LEASE_MOST, no more than its
 * share of what is ready, no more than BATCH_NS of work by the measured mean.
 * So nobody sits on slow items while its neighbours idle.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "run/death.h"
#include "run/kept.h"
#include "run/worker.h"

#define BATCH_NS (50 * NS_PER_US)
/* How long inputs may wait for a state to be saved: while there are more, and
 * while there are none. A save costs its state each time. */
#define SAVE_NS (1 * NS_PER_S)
#define SAVE_IDLE_NS (5 * NS_PER_MS)

/* ------------------------------------------------------------- verdict ---- */

static enum outcome by_verdict(struct host *host, int verdict)
{
    if (host->verdict == 0)
        snprintf(host->why, sizeof host->why, "the task gives no reason");
    switch (verdict) {
    case WEIR_TRANSIENT:
        return OUTCOME_RETRY;
    case WEIR_SKIP:
        return OUTCOME_SKIP;
    case WEIR_FATAL:
        return OUTCOME_FATAL;
    default:
        return OUTCOME_FAIL;
    }
}

/* A call had given the task a code to return. */
static enum outcome by_refusal(const struct host *host)
{
    switch (host->refused) {
    case WEIR_ETOOBIG:
    case WEIR_ELOST:
        return OUTCOME_FAIL;
    case WEIR_ENOMEM:
        return OUTCOME_RETRY;
    case WEIR_ECANCELED:
        return OUTCOME_CANCELED;
    default:
        return OUTCOME_FATAL;
    }
}

/* A negative code without a call of weir_fail. */
static enum outcome by_code(struct host *host, int code)
{
    snprintf(host->why, sizeof host->why, "%s", weir_strerror(code));
    if (code == WEIR_ECANCELED &&
        (member_canceled(host->member) ||
         (host->task->source && member_stopping(host->member))))
        return OUTCOME_CANCELED;
    if (code == WEIR_ETOOBIG || code == WEIR_EINVAL || code == WEIR_ESTATE)
        return OUTCOME_FAIL;
    return OUTCOME_RETRY;
}

enum outcome worker_judge(struct worker *worker, int returned)
{
    struct host *host = &worker->host;

    if (host->refused < 0)
        return by_refusal(host);
    if (returned >= WEIR_TRANSIENT && returned <= WEIR_FATAL)
        return by_verdict(host, returned);
    if (returned < 0)
        return host->verdict != 0 ? by_verdict(host, host->verdict)
                                  : by_code(host, returned);
    if (returned != 0 && !(returned == WEIR_END && worker->task->source)) {
        snprintf(host->why, sizeof host->why,
                 "the task returned %d, which is no verdict", returned);
        return OUTCOME_FAIL;
    }
    if (host_done(host) < 0)
        return by_refusal(host);
    return returned == 0 ? OUTCOME_DONE : OUTCOME_END;
}

/* ------------------------------------------------------------ one item ---- */

/* Its attempts are used up, by workers that died with it. */
static int fail_lost(struct worker *worker, struct item *item)
{
    const struct death death = { item->cause, item->cause_code };
    struct host *host = &worker->host;
    char words[DEATH_WORDS];
    int code;

    host_begin(host, PHASE_RUN, item);
    host->class = kept_class(item->cause);
    last_words_find(host->last_words, item->root, item->path, &host->wrote);
    switch (item->cause) {
    case CAUSE_EXIT:
        if (item->cause_code >= PARTING_FIRST)
            snprintf(host->why, sizeof host->why, "task %s",
                     parting_words(item->cause_code));
        else
            snprintf(host->why, sizeof host->why, "task called exit(%d)",
                     item->cause_code);
        break;
    case CAUSE_SIGNAL:
    case CAUSE_OUT:
    case CAUSE_KILLED:
        snprintf(host->why, sizeof host->why, "worker %s",
                 death_verdict(words, sizeof words, &death));
        break;
    case CAUSE_LIMIT:
        snprintf(host->why, sizeof host->why,
                 item->cause_code == LIMIT_SILENT
                     ? "gave no sign of life for longer than the heartbeat of "
                       "the stage"
                     : "took longer than the time limit of the stage");
        break;
    case CAUSE_MEMORY:
        snprintf(host->why, sizeof host->why,
                 "worker had %d MiB, more than the memory limit of the stage",
                 item->cause_code);
        break;
    default:
        snprintf(host->why, sizeof host->why, "worker was lost");
        break;
    }
    code = host_fail(host, item->attempt);
    buf_done(&host->wrote);
    return code;
}

static enum outcome try_item(struct worker *worker, struct item *item)
{
    struct host *host = &worker->host;

    host_begin(host, PHASE_RUN, item);
    return worker_judge(worker, worker_call(worker, worker->task->run));
}

static int try_later(struct worker *worker, struct item *item, int64_t wait_ns)
{
    int code = turn_put_off(worker->member, item, CAUSE_ERROR);

    return code < 0 ? code : worker_put_off(worker, item, wait_ns);
}

static int run_item(struct worker *worker, struct item *item)
{
    struct host *host = &worker->host;
    enum outcome outcome;
    int code;

    if (item->attempt > worker->post.retries)
        return fail_lost(worker, item);
    code = worker_wait_lost(worker, item);
    if (code < 0)
        return code;
    code = turn_take_up(worker->member, item);
    if (code < 0)
        return code;
    while ((outcome = try_item(worker, item)) == OUTCOME_RETRY &&
           item->attempt < worker->post.retries) {
        int64_t wait = worker_wait_ns(worker, item, item->attempt + 1,
                                      CAUSE_ERROR);

        host_undo(host);
        if (wait > 0 && !worker->post.in_order)
            return try_later(worker, item, wait);
        code = wait > 0 ? worker_wait_here(worker, item, wait)
                        : turn_charge(worker->member, item);
        if (code < 0)
            return code;
    }
    switch (outcome) {
    case OUTCOME_DONE:
        return 0;
    case OUTCOME_SKIP:
        return host_skip(host);
    case OUTCOME_CANCELED:
        host_undo(host);
        return WEIR_ECANCELED;
    case OUTCOME_FATAL:
        return WEIR_EFAILED;
    default:
        if (outcome == OUTCOME_RETRY)
            host->class = KEPT_AGAIN;
        return host_fail(host, item->attempt + 1);
    }
}

/* --------------------------------------------------------------- batch ---- */

void worker_add_times(struct worker *worker, int64_t starved_ns)
{
    struct host *host = &worker->host;
    int64_t now = clock_now(), busy;

    starved_ns += host->paused_ns;
    busy = now - worker->now - starved_ns - host->blocked_ns;
    member_add_times(worker->member, busy > 0 ? (uint64_t)busy : 0,
                     (uint64_t)starved_ns, (uint64_t)host->blocked_ns);
    host->blocked_ns = host->paused_ns = 0;
    worker->now = now;
}

static unsigned batch_most(const struct worker *worker)
{
    const int64_t room = MEMBER_REFS - (int64_t)worker->held -
                         (int64_t)worker->put_off.count;
    int64_t most;

    if (worker->post.sync || worker->mean_ns == 0)
        return 1;
    most = BATCH_NS / worker->mean_ns;
    if (worker->host.keeps && most > room)
        most = room;
    return most < 1 ? 1 : most > LEASE_MOST ? LEASE_MOST : (unsigned)most;
}

/* Who holds inputs whose state is not saved does not sleep on them for long:
 * whoever fills this queue may wait for their room. */
static int64_t patience(const struct worker *worker)
{
    int64_t save = 4 * worker->host.save_ns;

    int64_t due = worker->put_off.count > 0 ? worker->due_ns : FOREVER;
    int64_t deadline;

    if (worker->held == 0)
        return due;
    deadline = clock_deadline(save > SAVE_IDLE_NS ? save : SAVE_IDLE_NS);
    return due < deadline ? due : deadline;
}

static int lease(struct worker *worker, int64_t *starved_ns)
{
    const struct post *post = &worker->post;
    unsigned most = batch_most(worker);
    /* what is in its lane is nobody else's */
    unsigned share = post->count > 1 && !post->keyed ? 2 * post->count : 1;
    struct item *items = worker->items + worker->held;
    int count = (int)worker_take_due(worker, items, most);

    if (count > 0)
        return count;
    if (worker_is_full(worker)) {
        worker_add_times(worker, 0);
        worker_await_due(worker);
        *starved_ns = clock_now() - worker->now;
        return WEIR_ETIMEDOUT;
    }
    count = turn_lease(worker->member, post->from.at,
                       (unsigned)post->from.count, most, share, 0, items);
    if (count == WEIR_EEMPTY) {
        worker_add_times(worker, 0);
        member_set_waiting(worker->member, WAITING_ITEM);
        count = turn_lease(worker->member, post->from.at,
                           (unsigned)post->from.count, most, share,
                           patience(worker), items);
        member_set_waiting(worker->member, WAITING_NOT);
        *starved_ns = clock_now() - worker->now;
    }
    return count > 0 ? worker_put_off_lost(worker, items, (unsigned)count)
                     : count;
}

static int commit(struct worker *worker)
{
    int code = host_commit(&worker->host);

    worker->held = 0;
    worker->held_bytes = 0;
    return code;
}

/* The rest goes back untouched, each to the head: so the last one first. What
 * is done counts. */
static int stop_batch(struct worker *worker, unsigned from, unsigned count)
{
    for (unsigned i = count; i > from; i--)
        turn_release(worker->member, &worker->items[worker->held + i - 1]);
    commit(worker);
    return WEIR_ECANCELED;
}

static int run_batch(struct worker *worker, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int code;

        if (member_canceled(worker->member))
            return stop_batch(worker, i, count);
        code = run_item(worker, &worker->items[worker->held + i]);
        if (code == WEIR_ECANCELED)
            return stop_batch(worker, i, count);
        if (code == 0 && worker->host.commit_soon && !worker->host.keeps)
            code = host_commit(&worker->host);
        if (code < 0)
            return code;
    }
    return 0;
}

/* Whether what is held is to be saved now. */
static bool save_is_due(const struct worker *worker)
{
    const struct post *post = &worker->post;

    return worker->held >= (post->from_capacity + 3) / 4 ||
           worker->held_bytes >= post->from_bytes / 4 ||
           worker->held + worker->put_off.count + LEASE_MOST >= MEMBER_REFS ||
           worker->now - worker->held_since > SAVE_NS ||
           worker->host.commit_soon || give_is_much(&worker->host);
}

static int hold(struct worker *worker, unsigned count)
{
    if (worker->held == 0)
        worker->held_since = worker->now;
    for (unsigned i = 0; i < count; i++)
        worker->held_bytes += worker->items[worker->held + i].size;
    worker->held += count;
    return save_is_due(worker) ? commit(worker) : 0;
}

static void measure(struct worker *worker, unsigned count, int64_t starved_ns)
{
    int64_t begun = worker->now + starved_ns;
    int64_t blocked = worker->host.blocked_ns, mean;

    worker_add_times(worker, starved_ns);
    mean = (worker->now - begun - blocked) / count;
    if (mean < 1)
        mean = 1;
    worker->mean_ns = worker->mean_ns == 0 ? mean
                                           : (3 * worker->mean_ns + mean) / 4;
}

int worker_turns(struct worker *worker)
{
    for (;;) {
        int64_t starved = 0;
        int count, code;

        guard_step(&worker->host);
        if (worker_is_to_leave(worker)) {
            code = commit(worker);
            if (code < 0 || worker_leaves(worker))
                return code;
        }
        count = lease(worker, &starved);
        if (count == WEIR_ETIMEDOUT || count == 0) {
            worker_add_times(worker, starved);
            code = commit(worker);
        } else if (count < 0) {
            worker_add_times(worker, starved);
            return count == WEIR_ECLOSED ? 0 : count;
        } else {
            code = run_batch(worker, (unsigned)count);
            if (code == 0)
                code = worker->host.keeps ? hold(worker, (unsigned)count)
                                          : commit(worker);
            measure(worker, (unsigned)count, starved);
            worker_served(worker, (unsigned)count);
        }
        if (code < 0)
            return code;
    }
}

/* ----------------------------------------------------------- the end ---- */

static int try_flush(struct worker *worker)
{
    struct host *host = &worker->host;
    enum outcome outcome;
    unsigned tries = 0;

    do {
        member_note_try(worker->member);
        host_begin_source(host);
        host_begin(host, PHASE_FLUSH, NULL);
        outcome = worker_judge(worker,
                               worker_call(worker, worker->task->flush));
        if (outcome == OUTCOME_DONE && host->seen < host->skip) {
            snprintf(host->why, sizeof host->why, "%s", not_the_same);
            outcome = OUTCOME_FAIL;
        }
        if (outcome == OUTCOME_RETRY)
            host_undo(host);
        if (outcome == OUTCOME_RETRY && tries < worker->post.retries)
            worker_wait(worker, tries + 1);
    } while (outcome == OUTCOME_RETRY && tries++ < worker->post.retries);
    if (outcome == OUTCOME_CANCELED)
        return WEIR_ECANCELED;
    if (outcome != OUTCOME_DONE) {
        char why[sizeof host->why];

        memcpy(why, host->why, sizeof why);
        return host_refuse(host, WEIR_EFAILED,
                           "what it gives at the end of its input failed: "
                           "%.440s",
                           why);
    }
    return 0;
}

int worker_ended(struct worker *worker)
{
    struct host *host = &worker->host;

    host->phase = PHASE_FLUSH;
    host->item = NULL;
    turn_book(worker->member)->ended = worker->stopped ? ENDED_STOPPED
                                                       : ENDED_ALL;
    return host_commit(host);
}

int worker_flush(struct worker *worker)
{
    int code = commit(worker); /* the state that the end is made of */

    if (code < 0)
        return code;
    host_begin_source(&worker->host);
    /* Asked once: what it gives at its end is given if, and only if, this is
     * its end also for a run that goes on from a journal. */
    worker->stopped = member_stopping(worker->member);
    if (worker->task->flush != NULL && !worker->stopped)
        code = try_flush(worker);
    worker_add_times(worker, 0);
    return code < 0 ? code : worker_ended(worker);
}
