/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feeder.c - items of the store, before the stages in which they failed. Runs
 * in a process of its own, see keeper.c.
 *
 * Its book has the number of the last row that it has put, and each commit
 * makes the two true together: killed, its successor goes on behind it, and
 * no item is put twice.
 */
#include "config.h"

#include <string.h>

#include "run/keeper.h"
#include "run/kept.h"
#include "run/news.h"

enum { CLAIM_PART = 4, BATCH = 32 };

struct feeding {
    struct keeper_place *place;
    unsigned staged; /* since the last commit */
};

static int commit(struct feeding *feeding)
{
    feeding->staged = 0;
    /* Here: a successor puts all of it again, nobody has seen it. */
    WEIR_POINT("feeder.staged");
    return turn_commit(feeding->place->member, NULL, NULL);
}

static const struct job_stage *stage_of(const struct job *job, const char *name)
{
    for (size_t i = 0; i < job->stages.count; i++)
        if (strcmp(job->stages.at[i].name, name) == 0)
            return &job->stages.at[i];
    return NULL;
}

/* Waits for room, with nothing staged. */
static int claim(struct feeding *feeding, const struct stage_spec *spec,
                 struct staged *out)
{
    struct member *member = feeding->place->member;
    const struct queue_plan *queue =
        &feeding->place->plan->queues.at[spec->queue];
    struct room room = { .queue = spec->queue,
                         .slots = queue->capacity / CLAIM_PART,
                         .bytes = queue->bytes / CLAIM_PART };
    uint64_t charge = queue_charge(spec->room, spec->attrs_size);
    int code;

    room.slots += room.slots == 0;
    room.bytes = room.bytes < charge ? charge : room.bytes;
    do {
        member_set_waiting(member, WAITING_ROOM);
        code = turn_claim(member, &room, 1, FOREVER);
        member_set_waiting(member, WAITING_NOT);
        if (code < 0)
            return code;
        code = turn_stage(member, spec, out);
        turn_unclaim(member, &room, 1);
    } while (code == WEIR_EFULL);
    return code;
}

static int put(struct feeding *feeding, unsigned queue,
               const struct failed_row *row, const struct buf *attrs)
{
    struct stage_spec spec = { .queue = queue,
                               .room = row->size,
                               .attrs = attrs->data,
                               .attrs_size = attrs->size,
                               .root = row->root,
                               .path = row->path };
    struct staged staged;
    struct book *book;
    int code = turn_stage(feeding->place->member, &spec, &staged);

    if (code == WEIR_EFULL || code == WEIR_ESTATE) {
        code = commit(feeding);
        if (code == 0)
            code = claim(feeding, &spec, &staged);
    }
    if (code < 0)
        return code;
    if (row->size > 0)
        memcpy(staged.data, row->data, row->size);
    book = turn_book(feeding->place->member);
    book->emitted++;
    book->ordinal = (uint64_t)row->number;
    return ++feeding->staged >= BATCH ? commit(feeding) : 0;
}

/* It stays in the store, and the rest goes on. */
static int leave(struct feeding *feeding, const struct failed_row *row,
                 const char *why)
{
    news_say(feeding->place->news, feeding->place->number, NEWS_LOG,
             WEIR_WARNING,
             "an item that failed in '%s' cannot be put before it: %s",
             row->stage, why);
    return 0;
}

static int feed(void *arg, const struct failed_row *row)
{
    struct feeding *feeding = arg;
    const struct keeper_place *place = feeding->place;
    const struct job_stage *stage = stage_of(place->job, row->stage);
    CLEANUP_BUF struct buf attrs = { 0 };
    int code = 0;

    if (member_stopping(place->member))
        return WEIR_ECANCELED;
    if (row->kept != FAILED_WHOLE)
        return 0;
    if (stage == NULL || stage->from.count == 0)
        return leave(feeding, row, "the job has no such stage that takes any");
    if (row->attrs_size > 0)
        code = buf_add(&attrs, row->attrs, row->attrs_size);
    if (code == 0)
        code = kept_feed(&attrs, row->root, row->path);
    if (code == WEIR_ETOOBIG)
        return leave(feeding, row, "its attributes leave no room for its id");
    if (code == 0)
        code = put(feeding,
                   (unsigned)plan_queue(place->plan, stage->from.at[0]), row,
                   &attrs);
    if (code == WEIR_ETOOBIG)
        return leave(feeding, row, "it can never fit its queue: raise `bytes`");
    return code;
}

int feeder_main(struct keeper_place *place)
{
    struct feeding feeding = { .place = place };
    struct failed_filter filter = *place->keep->replay;
    struct failed_store *store = NULL;
    weir_error err = { 0 };
    int code = failed_open(place->keep->file, FAILED_READ, &store, &err);

    filter.after = (int64_t)member_book(place->segment, place->number)->ordinal;
    if (code == 0)
        code = failed_each(store, &filter, true, feed, &feeding, &err);
    failed_close(&store);
    if (code == WEIR_ECANCELED && member_canceled(place->member))
        return 0;
    if (code < 0 && code != WEIR_ECANCELED) {
        news_say(place->news, place->number, NEWS_FATAL, code,
                 "failed items cannot be read: %s",
                 err.text[0] != '\0' ? err.text : weir_strerror(code));
        return code;
    }
    turn_book(place->member)->ended = ENDED_ALL;
    return commit(&feeding);
}
