/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keeper_main.c - from the run's queue of failed items into the store. Runs in
 * a process of its own, see keeper.c.
 *
 * Items come by reference, in the commit that settled them as failed; so each
 * comes once, or again when this process died with it. First the store has it
 * on the disk, then its lease is committed: killed between, a successor adds
 * the same row once more, which changes nothing (failed_add). So whoever is
 * killed, whenever, each failed item has its row, and one.
 */
#include "config.h"

#include <string.h>
#include <time.h>

#include "queue/attrs.h"
#include "run/keeper.h"
#include "run/kept.h"
#include "run/news.h"

enum { PRUNE_PART = 8 }; /* looks at the size after that part of it */

struct keeping {
    struct keeper_place *place;
    struct failed_store *store;
    uint64_t added; /* bytes, since it was pruned */
    weir_error err;
};

static int64_t wall_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* --------------------------------------------------------------- start ---- */

static int tell_params(struct keeping *keeping, const struct job_stage *stage)
{
    for (size_t i = 0; i < stage->params.count; i++) {
        const struct job_param *param = &stage->params.at[i];

        for (size_t k = 0; k < param->texts.count; k++) {
            int code = failed_set_param(keeping->store, stage->name,
                                        param->name, param->texts.at[k],
                                        &keeping->err);

            if (code < 0)
                return code;
        }
    }
    return 0;
}

static int tell_stage(struct keeping *keeping, const struct job_stage *stage)
{
    CLEANUP_BUF struct buf task = { 0 };
    int code;

    if (buf_printf(&task, "%s.%s", stage->plugin, stage->task) < 0)
        return error_sys(&keeping->err, WEIR_ENOMEM, "cannot note a stage");
    code = failed_set_stage(keeping->store, stage->name, task.data,
                            &keeping->err);
    return code < 0 ? code : tell_params(keeping, stage);
}

static int tell_facts(struct keeping *keeping)
{
    const char *const *facts = keeping->place->keep->facts;
    int code = 0;

    for (; code == 0 && facts != NULL && facts[0] != NULL; facts += 2)
        code = failed_set_fact(keeping->store, facts[0], facts[1],
                               strlen(facts[1]), &keeping->err);
    return code;
}

static int prune(struct keeping *keeping, int64_t oldest_ns)
{
    keeping->added = 0;
    return failed_prune(keeping->store, keeping->place->keep->most_bytes,
                        oldest_ns, &keeping->err);
}

/* By the wall clock, which may be set at any time: so it is asked when this
 * process begins and not again, and what a run keeps is not let go of when the
 * clock is set forward while it is under way. */
static int64_t oldest(const struct keeping *keeping)
{
    int64_t most = keeping->place->keep->most_age_ns;

    return most == FOREVER ? 0 : wall_clock() - most;
}

/* What the run is, in one transaction. */
static int begin(struct keeping *keeping)
{
    const struct job *job = keeping->place->job;
    int code = failed_open(keeping->place->keep->file, FAILED_WRITE,
                           &keeping->store, &keeping->err);

    if (code == 0)
        code = failed_begin(keeping->store, &keeping->err);
    for (size_t i = 0; code == 0 && i < job->stages.count; i++)
        code = tell_stage(keeping, &job->stages.at[i]);
    if (code == 0)
        code = tell_facts(keeping);
    /* Of one that was cut off. Not of this one, whose keeper was replaced. */
    if (code == 0 && keeping->place->keep->replay != NULL &&
        member_book(keeping->place->segment, keeping->place->number)->done == 0)
        code = failed_end_replay(keeping->store, false, &keeping->err);
    if (code == 0)
        code = prune(keeping, oldest(keeping));
    return code < 0 ? code : failed_commit(keeping->store, &keeping->err);
}

/* --------------------------------------------------------------- items ---- */

static const char *stage_name(const struct keeping *keeping, unsigned stage)
{
    const struct job *job = keeping->place->job;

    return stage < job->stages.count ? job->stages.at[stage].name : "stdin";
}

static int add(struct keeping *keeping, const struct item *item,
               const struct kept_note *note, const struct buf *attrs)
{
    bool whole = note->item && item->size == note->size;
    struct failed_row row = {
        .root = item->root,
        .path = item->path,
        .stage = stage_name(keeping, note->stage),
        .class = note->class,
        .why = note->why,
        .wrote = note->wrote,
        .attempts = note->attempts,
        .at_ns = note->at_ns,
        .took_ns = note->took_ns,
        .kept = !note->item ? FAILED_NO_ITEM
                : whole     ? FAILED_WHOLE
                            : FAILED_TOO_LARGE,
        .data = item->data,
        .size = note->size,
        .attrs = attrs->data,
        .attrs_size = attrs->size,
    };

    if (row.size > keeping->place->keep->most_bytes &&
        keeping->place->keep->most_bytes > 0 && whole)
        row.kept = FAILED_TOO_LARGE;
    keeping->added += item->size + attrs->size + 1;
    return failed_add(keeping->store, &row, &keeping->err);
}

static int keep_item(struct keeping *keeping, const struct item *item)
{
    CLEANUP_BUF struct buf attrs = { 0 };
    struct kept_note note;
    const void *text;
    size_t size;
    int code = attrs_find(item->attrs, item->attrs_size, KEPT_NOTE,
                          strlen(KEPT_NOTE), &text, &size);

    if (code == 0)
        code = kept_read(text, size, &note);
    if (code < 0)
        return error_sys(&keeping->err, code, "a failed item has no verdict");
    if (note.kind == KEPT_SETTLED)
        return failed_set_settled(keeping->store, item->root, item->path,
                                  stage_name(keeping, note.stage), note.at_ns,
                                  &keeping->err);
    if (!note.bare)
        code = buf_add(&attrs, item->attrs, item->attrs_size);
    if (code < 0)
        return error_sys(&keeping->err, code, "a failed item cannot be kept");
    kept_strip(&attrs);
    return add(keeping, item, &note, &attrs);
}

static bool prune_is_due(const struct keeping *keeping)
{
    uint64_t most = keeping->place->keep->most_bytes;

    return most > 0 && keeping->added > most / PRUNE_PART;
}

/* On the disk first, and only then gone from the queue. */
static int keep_items(struct keeping *keeping, const struct item *items,
                      unsigned count)
{
    struct member *member = keeping->place->member;
    int code = failed_begin(keeping->store, &keeping->err);

    for (unsigned i = 0; i < count && code == 0; i++)
        code = keep_item(keeping, &items[i]);
    if (code == 0 && prune_is_due(keeping))
        code = prune(keeping, 0);
    /* Here: nothing of it is in the store, all of it comes back. */
    WEIR_POINT("keeper.leased");
    if (code == 0)
        code = failed_commit(keeping->store, &keeping->err);
    /* Here: all of it is in the store, and comes once more. */
    WEIR_POINT("keeper.stored");
    for (unsigned i = 0; i < count && code == 0; i++)
        code = turn_done(member, &items[i]);
    if (code < 0)
        return code;
    turn_book(member)->done += count;
    return turn_commit(member, NULL, &keeping->err);
}

static int keep_all(struct keeping *keeping)
{
    const unsigned queue = (unsigned)keeping->place->plan->kept;
    struct member *member = keeping->place->member;
    struct item items[LEASE_MOST];
    int count, code = 0;

    do {
        member_set_waiting(member, WAITING_ITEM);
        count = turn_lease(member, &queue, 1, LEASE_MOST, 1, FOREVER, items);
        member_set_waiting(member, WAITING_NOT);
        if (count > 0)
            code = keep_items(keeping, items, (unsigned)count);
    } while (count > 0 && code == 0);
    if (code < 0 || count != WEIR_ECLOSED)
        return code < 0 ? code : count;
    turn_book(member)->ended = ENDED_ALL;
    return turn_commit(member, NULL, &keeping->err);
}

int keeper_main(struct keeper_place *place)
{
    struct keeping keeping = { .place = place };
    int code = begin(&keeping);

    if (code == 0)
        code = keep_all(&keeping);
    if (code < 0)
        news_say(place->news, place->number, NEWS_FATAL, code,
                 "failed items cannot be kept: %s",
                 keeping.err.text[0] != '\0' ? keeping.err.text
                                             : weir_strerror(code));
    failed_close(&keeping.store);
    return code;
}
