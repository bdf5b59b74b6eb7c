/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * order.c - the rule of room where a stage keeps order. Runs in workers.
 *
 * An output whose turn has not come stands in its queue, held, as long as there
 * is room (core/queue/order.c). Who finds none keeps its outputs to itself,
 * lets the task go on, and then waits until its item is the first that is not
 * done. The first waits for room, and gets it one slot at a time: what it has
 * staged so far is committed as a part, which is published at once. So it never
 * waits for a set of slots that those behind it hold.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "run/room.h"

int order_wait(struct host *host)
{
    int64_t before = clock_now();
    int code;

    member_set_waiting(host->member, WAITING_ROOM);
    code = turn_wait_first(host->member, host->item, FOREVER);
    member_set_waiting(host->member, WAITING_NOT);
    host->blocked_ns += clock_now() - before;
    return code < 0
               ? host_refuse(host, code, "an output could not be given: %s",
                             weir_strerror(code))
               : 0;
}

/* As if they had not been given yet. */
static void take_back(struct host *host, struct record **records_out,
                      size_t *count_out)
{
    *records_out = host->records.at;
    *count_out = host->records.count;
    memset(&host->records, 0, sizeof host->records);
    host->seen -= *count_out;
    for (size_t i = 0; i < *count_out; i++) {
        const post_places *places = room_places(host, (*records_out)[i].output);

        host->digest -= give_digest(host, &(*records_out)[i]);
        for (size_t k = 0; k < places->count; k++)
            if (places->at[k] == POST_DROP)
                host->dropped--;
            else
                host->given--;
    }
    give_forget(host);
}

int give_first(struct host *host)
{
    CLEANUP_FREE struct record *records = NULL;
    size_t count = 0;
    int code = host_commit(host); /* those before it that are done */

    if (code == 0)
        code = order_wait(host);
    if (code < 0)
        return code;
    host->give = GIVE_STREAM;
    take_back(host, &records, &count);
    for (size_t i = 0; i < count; i++) {
        if (code == 0)
            code = give_record(host, &records[i]);
        if (code < 0 && records[i].owned)
            free(records[i].data);
    }
    return code;
}
