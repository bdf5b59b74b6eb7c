/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * putoff.c - items that wait for their next attempt. Runs in workers.
 *
 * An item waits where it is: in its queue, leased by the worker that has it,
 * and not in hand. The worker goes on with others, and takes it up when its
 * time has come, before it leases more. So nobody is held up but the item, and
 * nothing is polled: a worker that has nothing else sleeps until then. (One
 * that has another in hand at that moment ends that first.)
 *
 * What is true when the worker dies: the item goes back to the head of its
 * queue as any lease does, with its attempts and the cause of the last one;
 * this death is not charged to it. Whoever leases an item with a lost attempt
 * puts it off himself: so a wait that a death has cut short begins anew, and is
 * longer than was asked for, never shorter; and there is no time in shared
 * memory that could be wrong. Items of a worker that crashed wait in the same
 * way: with the next one.
 *
 * Where a stage keeps order nothing may pass the item anyway, so its worker
 * waits with it: were it to go on, it could come to wait for room that only
 * this item can make (order.c).
 */
#include "config.h"

#include <poll.h>

#include "run/backoff.h"
#include "run/worker.h"

/* So that there is a reference left for each of a batch. */
enum { PUT_OFF_MOST = MEMBER_REFS / 2 };

int64_t worker_wait_ns(const struct worker *worker, const struct item *item,
                       unsigned attempts, enum cause cause)
{
    return backoff_ns(&worker->post.waits[backoff_class(cause)], attempts,
                      item->root, item->path);
}

int worker_put_off(struct worker *worker, const struct item *item,
                   int64_t wait_ns)
{
    struct put_off *entry = VEC_ADD(&worker->put_off);
    int64_t due = clock_deadline(wait_ns);

    if (entry == NULL)
        return host_refuse(&worker->host, WEIR_ENOMEM,
                           "no memory for an item that waits");
    *entry = (struct put_off){ .item = *item, .due_ns = due };
    if (worker->put_off.count == 1 || due < worker->due_ns)
        worker->due_ns = due;
    return 0;
}

static bool has_waits(const struct post *post)
{
    for (unsigned i = 0; i < WAIT_CLASSES; i++)
        if (post->waits[i].first_ns != 0)
            return true;
    return false;
}

/* Of one that is leased with a lost attempt. */
static int64_t lost_wait(const struct worker *worker, const struct item *item)
{
    if (item->attempt == 0 || item->attempt > worker->post.retries ||
        item->cause == CAUSE_NONE)
        return 0;
    return worker_wait_ns(worker, item, item->attempt, item->cause);
}

int worker_put_off_lost(struct worker *worker, struct item *items,
                        unsigned count)
{
    unsigned left = 0;

    /* Where order is kept: worker_wait_lost */
    if (worker->post.in_order || !has_waits(&worker->post))
        return (int)count;
    for (unsigned i = 0; i < count; i++) {
        const struct item *item = &items[i];
        int64_t wait = lost_wait(worker, item);
        int code = 0;

        if (wait > 0)
            code = worker_put_off(worker, item, wait);
        else
            items[left++] = *item;
        if (code < 0)
            return code;
    }
    return (int)left;
}

unsigned worker_take_due(struct worker *worker, struct item *items,
                         unsigned most)
{
    int64_t now, next = FOREVER;
    unsigned taken = 0;
    size_t left = 0;

    if (worker->put_off.count == 0)
        return 0;
    now = clock_now();
    if (now < worker->due_ns)
        return 0;
    for (size_t i = 0; i < worker->put_off.count; i++) {
        struct put_off *entry = &worker->put_off.at[i];

        if (entry->due_ns <= now && taken < most) {
            items[taken++] = entry->item;
            continue;
        }
        next = entry->due_ns < next ? entry->due_ns : next;
        worker->put_off.at[left++] = *entry;
    }
    worker->put_off.count = left;
    worker->due_ns = next;
    return taken;
}

bool worker_is_full(const struct worker *worker)
{
    return worker->put_off.count >=
           (worker->post.sync ? 1 : (size_t)PUT_OFF_MOST);
}

/* A sleep of its own: no item may end it, and a run that ends now ends it by
 * SIGTERM. */
static void sleep_until(struct worker *worker, int64_t deadline)
{
    member_set_waiting(worker->member, WAITING_ITEM);
    while (clock_left(deadline) > 0 && !member_canceled(worker->member))
        poll(NULL, 0, clock_poll_ms(clock_left(deadline)));
    member_set_waiting(worker->member, WAITING_NOT);
}

void worker_await_due(struct worker *worker)
{
    sleep_until(worker, worker->due_ns);
}

/* What is done before it counts first: nobody waits for that. */
static int wait_here(struct worker *worker, int64_t wait_ns)
{
    struct host *host = &worker->host;
    int code = host->keeps ? 0 : host_commit(host);
    int64_t before = clock_now();

    if (code < 0)
        return code;
    sleep_until(worker, clock_deadline(wait_ns));
    host->paused_ns += clock_now() - before;
    return member_canceled(worker->member) ? WEIR_ECANCELED : 0;
}

int worker_wait_here(struct worker *worker, struct item *item, int64_t wait_ns)
{
    int code = turn_put_off(worker->member, item, CAUSE_ERROR);

    if (code == 0)
        code = wait_here(worker, wait_ns);
    return code == 0 ? turn_take_up(worker->member, item) : code;
}

int worker_wait_lost(struct worker *worker, struct item *item)
{
    int64_t wait = worker->post.in_order ? lost_wait(worker, item) : 0;

    return wait > 0 ? wait_here(worker, wait) : 0;
}

void worker_wait(struct worker *worker, unsigned attempts)
{
    struct host *host = &worker->host;
    int64_t before = clock_now();
    struct pollfd stop = { .fd = host->stop_fd, .events = POLLIN };
    int64_t wait = backoff_ns(&worker->post.waits[WAIT_ERROR], attempts,
                              host->root, host->ordinal);
    int64_t deadline = clock_deadline(wait);

    if (wait == 0)
        return;
    member_set_waiting(worker->member, WAITING_ITEM);
    while (clock_left(deadline) > 0 && fd_poll(&stop, 1, deadline) <= 0)
        continue;
    member_set_waiting(worker->member, WAITING_NOT);
    host->paused_ns += clock_now() - before;
}
