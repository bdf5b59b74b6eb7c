/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * follow.c - a worker that follows another one, which has an entry of the
 * segment and is to be replaced; and how that one leaves it. Runs in workers;
 * recycle.c is the supervisor's side.
 *
 * In this order, and what is true if the process dies right behind the step:
 *
 *   the heir  opens the task. It has no entry, and nothing of anybody's: the
 *             old one serves on, and another heir is tried later.
 *             waits. The same; when the old one has gone meanwhile, or dies,
 *             the entry is free, and who takes it is forked then.
 *   the old   commits what is done, with the state that it saves. It had not
 *   one       left: a death as any other, and the heir's turn comes.
 *             goes (one exchange: member_goes). It holds nothing but items
 *             that wait for another attempt, which go back as at a death.
 *             leaves the entry. It is free, by one store.
 *             says so. Unsaid, its death says it.
 *   the heir  enters, by one exchange. It has the entry, as any worker.
 *             loads what the book says was saved. The next one loads it again.
 *
 * So who holds items, and whose state counts, is told by entry and book alone,
 * and never by this order.
 */
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "run/worker.h"

/* ------------------------------------------------------------ following ----
 */

void worker_set_turn(struct worker *worker, int fd)
{
    worker->turn_fd = fd;
    fd_identify(fd, &worker->turn_is);
}

/* TURN_SERVE, TURN_GO, or a code. */
static int await_turn(struct worker *worker)
{
    uint64_t turn = 0;
    ssize_t got;

    if (!fd_is(worker->turn_fd, &worker->turn_is))
        return host_refuse(&worker->host, WEIR_EFAILED,
                           "the task has closed descriptors of weir's");
    do {
        got = read(worker->turn_fd, &turn, sizeof turn);
    } while (got < 0 && errno == EINTR);
    if (got != sizeof turn)
        return host_refuse(&worker->host, WEIR_EFAILED,
                           "it cannot be told its turn: %s",
                           weir_strerror(got < 0 ? -errno : WEIR_EBROKEN));
    return (int)turn;
}

int worker_follow(struct worker *worker)
{
    struct host *host = &worker->host;
    int code = worker_open(worker);

    if (code < 0)
        return code;
    WEIR_POINT("follow.opened");
    host_say(host, NEWS_HEIR, 0, "%s", "");
    WEIR_POINT("follow.waits");
    code = await_turn(worker);
    if (code < 0)
        return code;
    if (code != TURN_SERVE) {
        worker_close_task(worker);
        return 1;
    }
    WEIR_POINT("follow.turn");
    code = worker_enter(worker);
    if (code < 0)
        return host_refuse(host, code, "%s", weir_strerror(code));
    WEIR_POINT("follow.entered");
    code = worker_load_saved(worker);
    WEIR_POINT("follow.loaded");
    return code;
}

/* -------------------------------------------------------------- leaving ----
 */

void worker_served(struct worker *worker, unsigned count)
{
    const uint64_t most = worker->post.recycle_items;
    const uint64_t before = worker->served;

    worker->served += count;
    if (most > 0 && before < most && worker->served >= most)
        host_say(&worker->host, NEWS_WISH, 0, "%s", "");
}

static void note_asked(struct worker *worker)
{
    worker->asked = true;
    worker->stay_ns = 0;
    for (size_t i = 0; i < worker->put_off.count; i++)
        if (worker->put_off.at[i].due_ns > worker->stay_ns)
            worker->stay_ns = worker->put_off.at[i].due_ns;
}

/* Items that waited for another attempt when it was asked have it here: their
 * wait would begin anew with the next one, and so for ever. */
bool worker_is_to_leave(struct worker *worker)
{
    if (!worker->post.recycled || !member_asked_leave(worker->member)) {
        worker->asked = false;
        return false;
    }
    if (!worker->asked)
        note_asked(worker);
    for (size_t i = 0; i < worker->put_off.count; i++)
        if (worker->put_off.at[i].due_ns <= worker->stay_ns)
            return false;
    return true;
}

bool worker_leaves(struct worker *worker)
{
    struct host *host = &worker->host;

    WEIR_POINT("follow.saved");
    if (!member_goes(worker->member))
        return false;
    WEIR_POINT("follow.gone");
    worker->left = true;
    host->member = NULL; /* what the task calls from here on has none */
    member_leave(&host->dropper);
    member_leave(&worker->member);
    WEIR_POINT("follow.left");
    host_say(host, NEWS_LEFT, 0, "%s", "");
    WEIR_POINT("follow.told");
    return true;
}
