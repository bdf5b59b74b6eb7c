/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overflow.c - a full queue that does not wait. Runs in workers.
 *
 * drop-new  the output is left out, and counted by the commit that settles its
 *           item: killed before it, the item is given back and nothing was
 *           dropped; after it, the count is true with all the rest. An attempt
 *           that is undone has dropped nothing either.
 *
 * drop-old  the oldest ready item goes, so that there is room. It is leased,
 *           done and counted in one commit of its own, by a second member of
 *           this process: for that a worker's own may not commit amid an item.
 *           Killed before that commit, the old item is given back by the
 *           recovery of the second member, to the head; after it, it is gone,
 *           counted once, and its place is freed by the redo, whoever does it.
 *           The new one is staged in the worker's own turn then, and when that
 *           one dies it is given again by the next attempt, which finds room,
 *           or drops another. Only what is READY is dropped: an item that is
 *           leased is somebody's, and what is staged is nobody's yet. What this
 *           worker has staged and may commit now, it commits first. When there
 *           is nothing else, the new one is dropped, as by drop-new.
 *
 * fail      the item whose output it is fails, with all that it gave. Where
 *           there is no such item (what a task gives at its end), it waits.
 *
 * So nobody waits for such a queue, and it holds up none of its sisters.
 */
#include "config.h"

#include <string.h>

#include "run/overflow.h"

static const struct post_queue *queue_at(const struct host *host, int place)
{
    return &host->post->queues.at[place];
}

static bool may_fail(const struct host *host)
{
    return host->item != NULL && !host->keeps;
}

bool overflow_waits(const struct host *host, int place)
{
    enum weir_overflow overflow = queue_at(host, place)->overflow;

    return overflow == WEIR_OVERFLOW_BLOCK ||
           (overflow == WEIR_OVERFLOW_FAIL && !may_fail(host));
}

bool overflow_drops(const struct host *host, int place)
{
    return queue_at(host, place)->overflow >= WEIR_OVERFLOW_DROP_NEW;
}

/* ------------------------------------------------------------ drop-old ---- */

/* 0: one went; WEIR_EEMPTY: none is ready. */
static int drop_oldest(struct host *host, const struct post_queue *queue)
{
    struct member *member = host->dropper;
    struct item item;
    int code = turn_lease(member, &queue->number, 1, 1, 1, 0, &item);

    if (code <= 0)
        return code == WEIR_ECLOSED || code == 0 ? WEIR_EEMPTY : code;
    code = turn_done(member, &item);
    if (code < 0)
        return code;
    WEIR_POINT("overflow.old.done");
    if (!WEIR_MUTATED("counted-late"))
        turn_book(member)->overflowed[queue->counter]++;
    code = turn_commit(member, NULL, NULL);
    WEIR_POINT("overflow.old.dropped");
    if (WEIR_MUTATED("counted-late"))
        turn_book(member)->overflowed[queue->counter]++;
    return code;
}

/* A commit now would make something of this worker ready: of items that are
 * done, or of a source. Then it is as if there were no room: make_room. */
static bool may_commit(const struct host *host)
{
    if (host->claims)
        return false; /* it was made */
    if (host->give == GIVE_STREAM)
        return turn_staged(host->member) > 0;
    return host->give == GIVE_STAGED && host->settled > 0 && host->first > 0;
}

static int leave_out(struct host *host, const struct post_queue *queue)
{
    host->lost[queue->counter]++;
    return 1;
}

/* Another may take the room that was made: then once more. */
static int stage_for_old(struct host *host, const struct post_queue *queue,
                         const struct stage_spec *spec, struct staged *staged)
{
    int code = WEIR_EFULL;

    while (code == WEIR_EFULL) {
        code = host->dropper != NULL ? drop_oldest(host, queue) : WEIR_EEMPTY;
        if (code == WEIR_EEMPTY)
            return may_commit(host) ? WEIR_EFULL : leave_out(host, queue);
        if (code == 0)
            code = turn_stage(host->member, spec, staged);
    }
    return code;
}

/* ------------------------------------------------------------------------- */

static int fail_item(struct host *host, int place)
{
    const struct post_queue *queue = queue_at(host, place);

    host->full = queue->counter + 1;
    return host_refuse(host, WEIR_ELOST,
                       "an output found queue '%s' full, and its 'overflow' "
                       "is 'fail'",
                       queue->name);
}

int overflow_settle(struct host *host, int place, const struct stage_spec *spec,
                    struct staged *staged)
{
    const struct post_queue *queue = queue_at(host, place);

    if (overflow_waits(host, place))
        return WEIR_EFULL;
    switch (queue->overflow) {
    case WEIR_OVERFLOW_DROP_OLD:
        return stage_for_old(host, queue, spec, staged);
    case WEIR_OVERFLOW_DROP_NEW:
        return leave_out(host, queue);
    default:
        return fail_item(host, place);
    }
}

/* ------------------------------------------------------------- counting ----
 */

uint64_t overflow_lost(const struct host *host)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < OVERFLOWS_MOST; i++)
        sum += host->lost[i];
    return sum;
}

void overflow_count(struct host *host, struct book *book)
{
    if (!host->post->overflows)
        return;
    book->emitted -= overflow_lost(host);
    for (unsigned i = 0; i < OVERFLOWS_MOST; i++)
        book->overflowed[i] += host->lost[i];
    overflow_forget(host);
}

void overflow_forget(struct host *host)
{
    memset(host->lost, 0, sizeof host->lost);
}

void overflow_failed(struct host *host, unsigned full)
{
    if (full > 0)
        turn_book(host->member)->overflowed[full - 1]++;
}
