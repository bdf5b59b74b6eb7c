/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gate.c - items between the run's queue and one that has a name. Runs in a
 * process of its own, one for each such queue; gate.h has the argument. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "queue/strangers.h"
#include "run/failure.h"
#include "run/gate.h"
#include "run/host.h"

enum { NAMED = 0, CLAIM_PARTS = 4, MEMBER_SHIFT = 40 };

struct moving {
    struct gate_place *place;
    struct member *run, *named;
    struct item items[LEASE_MOST];
    unsigned count, settled; /* of items; the rest is leased, or staged too */
    bool shut;               /* the file takes no more */
};

uint64_t gate_moved(const struct gate *gate, const struct book *book)
{
    return gate->in ? book->ordinal : book->done;
}

static int fatal(const struct gate_place *place, int code, const char *what)
{
    if (code != WEIR_ECANCELED)
        news_say(place->news, place->gate->member, NEWS_FATAL, code,
                 "queue '%s': %s the queue named '%s': %s",
                 place->gate->queue->name, what, place->gate->queue->known,
                 code == WEIR_ECLOSED ? "somebody has closed it"
                                      : weir_strerror(code));
    return code;
}

/* An item that can never fit where it is to go: a failure of the run. Without
 * room for the report it is counted all the same. */
static int report(struct moving *moving, const struct item *item, uint64_t root,
                  uint64_t bytes)
{
    const struct gate_place *place = moving->place;
    CLEANUP_BUF struct buf text = { 0 };
    struct stage_spec spec = { .queue = place->report };
    struct item shown = *item;
    struct staged staged;
    char why[300], is[32], most[32];
    int code;

    snprintf(why, sizeof why,
             "an item of %s can never fit %s '%s', whose `bytes` are %s",
             text_from_size(is, item->size),
             place->gate->in ? "queue" : "the queue named",
             place->gate->in ? place->gate->queue->name
                             : place->gate->queue->known,
             text_from_size(most, bytes));
    shown.root = root;
    code = failure_write(&text, place->stage, &shown, root, why, 1, NULL);
    if (code < 0)
        return code;
    spec.room = text.size;
    if (turn_stage(moving->run, &spec, &staged) == 0)
        memcpy(staged.data, text.data, text.size);
    turn_book(moving->run)->failed++;
    return 0;
}

static void copy(const struct item *item, const struct staged *staged)
{
    if (item->size > 0)
        memcpy(staged->data, item->data, item->size);
}

/* items[settled, to) are done where they were leased. */
static int settle(struct moving *moving, struct member *member, unsigned to)
{
    int code = 0;

    for (unsigned i = moving->settled; i < to && code == 0; i++)
        code = turn_done(member, &moving->items[i]);
    if (code < 0)
        return code;
    turn_book(member)->done += to - moving->settled;
    moving->settled = to;
    return turn_commit(member, NULL, NULL);
}

/* ------------------------------------------------------------------- in ----
 */

/* items[settled, to) stand staged in the run. */
static int commit_in(struct moving *moving, unsigned to)
{
    int code;

    if (to == moving->settled)
        return 0;
    turn_book(moving->run)->ordinal += to - moving->settled;
    code = turn_commit(moving->run, NULL, NULL);
    if (code < 0)
        return code;
    WEIR_POINT("gate.in.run");
    code = settle(moving, moving->named, to);
    WEIR_POINT("gate.in.named");
    return code;
}

static int claim_in(struct moving *moving, const struct stage_spec *spec,
                    struct staged *staged)
{
    const struct gate_place *place = moving->place;
    struct room room = { .queue = spec->queue,
                         .slots = place->capacity / CLAIM_PARTS,
                         .bytes = place->bytes / CLAIM_PARTS };
    uint64_t charge = queue_charge(spec->room, spec->attrs_size);
    int code;

    if (room.slots == 0)
        room.slots = 1;
    if (room.bytes < charge)
        room.bytes = charge;
    do { /* the claim is lost when this process was stopped meanwhile */
        member_set_waiting(moving->run, WAITING_ROOM);
        code = turn_claim(moving->run, &room, 1, FOREVER);
        member_set_waiting(moving->run, WAITING_NOT);
        if (code < 0)
            return code;
        code = turn_stage(moving->run, spec, staged);
        turn_unclaim(moving->run, &room, 1);
    } while (code == WEIR_EFULL);
    return code;
}

static int stage_in(struct moving *moving, unsigned number)
{
    const struct gate_place *place = moving->place;
    const struct item *item = &moving->items[number];
    struct book *book = turn_book(moving->run);
    struct stage_spec spec = {
        .queue = place->gate->number,
        .room = item->size,
        .attrs = item->attrs,
        .attrs_size = item->attrs_size,
        .root = place->root | (book->ordinal + number - moving->settled),
    };
    struct staged staged;
    int code = turn_stage(moving->run, &spec, &staged);

    if (code == WEIR_EFULL || code == WEIR_ESTATE) {
        code = commit_in(moving, number);
        if (code == 0)
            code = claim_in(moving, &spec, &staged);
    }
    if (code == WEIR_ETOOBIG)
        return report(moving, item, spec.root, place->bytes);
    if (code < 0)
        return code;
    copy(item, &staged);
    turn_book(moving->run)->emitted++;
    return 0;
}

/* What is not in the run stays in the file: the last goes back first. */
static int give_back(struct moving *moving)
{
    int code = 0;

    for (unsigned i = moving->count; i > moving->settled && code == 0; i--)
        code = turn_release(moving->named, &moving->items[i - 1]);
    moving->count = moving->settled;
    return code;
}

/* Closed at once, with all that is in it: nobody gets that. */
static int drop_all(struct moving *moving)
{
    int code = 0;

    for (unsigned i = 0; i < moving->count && code == 0; i++)
        code = turn_done(moving->named, &moving->items[i]);
    turn_book(moving->named)->failed += moving->count;
    moving->settled = moving->count;
    return code == 0 ? turn_commit(moving->named, NULL, NULL) : code;
}

static int look(struct moving *moving)
{
    int code = strangers_look(moving->place->named);

    return code < 0 ? code : 0;
}

/* Waits for some. WEIR_ECANCELED: the run takes no more. */
static int take_in(struct moving *moving)
{
    const unsigned queue = NAMED;
    int count = WEIR_ETIMEDOUT;

    member_set_waiting(moving->run, WAITING_ITEM);
    while (count == WEIR_ETIMEDOUT || count == WEIR_EEMPTY) {
        int code = look(moving);

        if (code < 0)
            return code;
        if (member_stopping(moving->run) || member_canceled(moving->run))
            return WEIR_ECANCELED;
        count = turn_lease(moving->named, &queue, 1, LEASE_MOST, 1,
                           clock_deadline(STRANGERS_LOOK_NS), moving->items);
    }
    member_set_waiting(moving->run, WAITING_NOT);
    moving->settled = 0;
    moving->count = count > 0 ? (unsigned)count : 0;
    WEIR_POINT("gate.in.leased");
    return count < 0 ? count : 0;
}

static int move_in(struct moving *moving)
{
    int code = take_in(moving);

    if (code == 0 && queue_drops(moving->place->named, NAMED))
        return drop_all(moving);
    for (unsigned i = 0; i < moving->count && code == 0; i++)
        code = stage_in(moving, i);
    if (code == 0)
        code = commit_in(moving, moving->count);
    return code;
}

static int all_in(struct moving *moving)
{
    int code = 0;

    while (code == 0)
        code = move_in(moving);
    if (code == WEIR_ECANCELED) {
        turn_drop_from(moving->run, 0);
        code = give_back(moving);
        if (code == 0 && member_canceled(moving->run))
            return WEIR_ECANCELED;
    } else if (code == WEIR_ECLOSED) {
        code = 0;
    }
    return code < 0 ? fatal(moving->place, code, "cannot take items from") : 0;
}

/* ------------------------------------------------------------------ out ----
 */

/* items[settled, to) stand staged in the file. */
static int commit_out(struct moving *moving, unsigned to)
{
    int code;

    if (to == moving->settled)
        return 0;
    code = turn_commit(moving->named, NULL, NULL);
    if (code < 0)
        return code;
    WEIR_POINT("gate.out.named");
    code = settle(moving, moving->run, to);
    WEIR_POINT("gate.out.run");
    return code;
}

static int claim_out(struct moving *moving, const struct stage_spec *spec,
                     struct staged *staged)
{
    const struct room room = { .queue = NAMED,
                               .slots = 1,
                               .bytes = queue_charge(spec->room,
                                                     spec->attrs_size) };
    int code = WEIR_EFULL;

    member_set_waiting(moving->run, WAITING_ROOM);
    while (code == WEIR_EFULL || code == WEIR_ETIMEDOUT) {
        code = look(moving);
        if (code == 0 && member_canceled(moving->run))
            code = WEIR_ECANCELED;
        if (code < 0)
            break;
        code = turn_claim(moving->named, &room, 1,
                          clock_deadline(STRANGERS_LOOK_NS));
        if (code == 0)
            code = turn_stage(moving->named, spec, staged);
        turn_unclaim(moving->named, &room, 1);
    }
    member_set_waiting(moving->run, WAITING_NOT);
    return code;
}

/* It is settled by itself, so that the two books say the same. */
static int fail_out(struct moving *moving, unsigned number)
{
    const struct item *item = &moving->items[number];
    struct queue_state state = { .bytes_most = 0 };
    int code = commit_out(moving, number);

    if (code == 0)
        code = queue_state(moving->place->named, NAMED, FOREVER, &state);
    if (code == 0)
        code = report(moving, item, item->root, state.bytes_most);
    if (code == 0)
        code = turn_done(moving->run, item);
    moving->settled = number + 1;
    return code == 0 ? turn_commit(moving->run, NULL, NULL) : code;
}

static int stage_out(struct moving *moving, unsigned number)
{
    const struct item *item = &moving->items[number];
    const struct book *book = turn_book(moving->named);
    struct stage_spec spec = {
        .queue = NAMED,
        .room = item->size,
        .attrs = item->attrs,
        .attrs_size = item->attrs_size,
        .root = (uint64_t)(moving->place->gate->entry + 1) << MEMBER_SHIFT |
                (book->ordinal & ((UINT64_C(1) << MEMBER_SHIFT) - 1)),
    };
    struct staged staged;
    int code = turn_stage(moving->named, &spec, &staged);

    if (code == WEIR_EFULL || code == WEIR_ESTATE) {
        code = commit_out(moving, number);
        if (code == 0)
            code = claim_out(moving, &spec, &staged);
    }
    if (code == WEIR_ETOOBIG)
        return fail_out(moving, number);
    moving->shut = code == WEIR_ECLOSED;
    if (code < 0)
        return code;
    copy(item, &staged);
    turn_book(moving->named)->ordinal++;
    return 0;
}

static int move_out(struct moving *moving)
{
    const unsigned queue = moving->place->gate->number;
    int count, code = 0;

    member_set_waiting(moving->run, WAITING_ITEM);
    count = turn_lease(moving->run, &queue, 1, LEASE_MOST, 1, FOREVER,
                       moving->items);
    member_set_waiting(moving->run, WAITING_NOT);
    if (count < 0)
        return count;
    moving->count = (unsigned)count;
    moving->settled = 0;
    for (unsigned i = 0; i < moving->count && code == 0; i++)
        code = stage_out(moving, i);
    return code == 0 ? commit_out(moving, moving->count) : code;
}

static int all_out(struct moving *moving)
{
    const struct gate_place *place = moving->place;
    int code = 0;

    while (code == 0)
        code = move_out(moving);
    if (code == WEIR_ECLOSED && !moving->shut)
        code = place->gate->made ? queue_close(place->named, NAMED) : 0;
    WEIR_POINT("gate.out.closed");
    return code < 0 ? fatal(place, code, "cannot put items into") : 0;
}

/* ----------------------------------------------------------------- both ----
 */

int gate_main(struct gate_place *place)
{
    struct moving moving = { .place = place,
                             .run = place->run_member,
                             .named = place->named_member };
    int code = place->gate->in ? all_in(&moving) : all_out(&moving);

    if (code < 0)
        return code;
    turn_book(place->run_member)->ended = ENDED_ALL;
    return turn_commit(place->run_member, NULL, NULL);
}
