/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * room.c - staging outputs in all their places, and waiting for their room.
 * Runs in workers.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "run/overflow.h"
#include "run/room.h"

enum { SCALE_MOST = 1 << 20 };

const post_places *room_places(const struct host *host, int output)
{
    if (output == OUTPUT_KEPT)
        return &host->kept_places;
    return output == OUTPUT_FAILED ? &host->failed_places
                                   : &host->post->outputs.at[output];
}

/* Of the first place that is a queue; count: all of it is dropped. */
size_t room_first(const post_places *places)
{
    size_t i = 0;

    while (i < places->count && places->at[i] == POST_DROP)
        i++;
    return i;
}

static size_t attrs_size(const struct host *host, const struct record *record)
{
    if (record->attrs > 0)
        return host->attrs.at[record->attrs - 1].size;
    return record->of != NULL ? record->of->attrs_size : 0;
}

/* ------------------------------------------------------------ staging ---- */

int room_stage_at(struct host *host, const struct record *record, int place,
                  const struct item *pass, struct staged *out)
{
    struct stage_spec spec = { .queue = host->post->queues.at[place].number,
                               .room = record->size,
                               .pass = pass,
                               .root = record->root,
                               .path = record->path };

    struct stage_order order = { .ticket = ORDER_LAST, .index = record->index };
    int code;

    if (host->post->ordered && record->output != OUTPUT_KEPT) {
        order.queue = host->post->from.at[0];
        if (record->of != NULL)
            order.ticket = record->of->ticket;
        spec.order = &order;
    }
    if (record->attrs > 0) {
        const struct buf *attrs = &host->attrs.at[record->attrs - 1];

        spec.attrs = attrs->data;
        spec.attrs_size = attrs->size;
    } else {
        spec.inherit = record->of;
    }
    code = turn_stage(host->member, &spec, out);
    return code == WEIR_EFULL ? overflow_settle(host, place, &spec, out) : code;
}

static int too_big(struct host *host, const struct record *record)
{
    const post_places *places = room_places(host, record->output);
    const struct post_queue *queue = NULL;
    uint64_t charge = queue_charge(record->size, attrs_size(host, record));
    char size[32], most[32];

    for (size_t i = 0; i < places->count; i++)
        if (places->at[i] != POST_DROP &&
            (queue == NULL ||
             host->post->queues.at[places->at[i]].bytes < queue->bytes))
            queue = &host->post->queues.at[places->at[i]];
    return host_refuse(host, WEIR_ETOOBIG,
                       "an output of %s can never fit queue '%s', whose "
                       "`bytes` are %s: raise them to %llu B or more",
                       text_from_size(size, record->size),
                       queue != NULL ? queue->name : "",
                       text_from_size(most, queue != NULL ? queue->bytes : 0),
                       (unsigned long long)charge);
}

/* A code that the task must return, with its words. */
int room_told(struct host *host, const struct record *record, int code)
{
    switch (code) {
    case WEIR_EFULL:
    case WEIR_ESTATE:
        return code;
    case WEIR_ELOST: /* it is told */
        return code;
    case WEIR_ETOOBIG:
        return too_big(host, record);
    case WEIR_ENOMEM:
        return host_refuse(host, code, "no memory for an output of %zu bytes",
                           record->size);
    default:
        return host_refuse(host, code, "an output could not be given: %s",
                           weir_strerror(code));
    }
}

/* Where its bytes stand already; the same for all its places. */
struct source {
    struct item item;
    const struct item *pass; /* NULL: nowhere, they are private */
    void *data;
};

static int stage_place(struct host *host, const struct record *record,
                       int place, struct source *source)
{
    struct staged staged = { .data = NULL };
    int code = room_stage_at(host, record, place, source->pass, &staged);

    if (code != 0)
        return code;
    if (source->pass == NULL && record->size > 0)
        memcpy(staged.data, record->data, record->size);
    if (source->pass != &source->item) {
        source->item = (struct item){ .ref = staged.ref, .size = record->size };
        source->pass = &source->item;
        source->data = staged.data;
    }
    return 0;
}

/* First the places that may say no: an old item is not dropped for one that
 * then waits for room elsewhere. */
static int stage_places(struct host *host, const struct record *record,
                        size_t from, struct source *source)
{
    const post_places *places = room_places(host, record->output);
    int code = 0;

    for (unsigned drops = 0; drops < 2 && code >= 0; drops++)
        for (size_t i = from; i < places->count && code >= 0; i++)
            if (places->at[i] != POST_DROP &&
                overflow_drops(host, places->at[i]) == (drops == 1))
                code = stage_place(host, record, places->at[i], source);
    return code < 0 ? code : 0;
}

int room_stage_copies(struct host *host, const struct record *record,
                      size_t from, uint64_t ref)
{
    struct source source = { .item = { .ref = ref, .size = record->size } };
    uint64_t lost[OVERFLOWS_MOST];
    int code;

    memcpy(lost, host->lost, sizeof lost);
    source.pass = &source.item;
    code = stage_places(host, record, from, &source);
    if (code < 0)
        memcpy(host->lost, lost, sizeof lost);
    return code;
}

/* In all its places, or in none. One that was dropped everywhere is not in
 * shared memory: its bytes are kept, since a part is known by their hash. */
static int stage(struct host *host, struct record *record)
{
    unsigned mark = turn_staged(host->member);
    struct source source = { .pass = record->pass ? record->of : NULL };
    int code = stage_places(host, record, 0, &source);

    record->staged = source.data;
    if (code == 0 && !record->pass && record->size > 0 && source.pass == NULL &&
        room_own(record) < 0)
        code = WEIR_ENOMEM;
    if (code == 0)
        return 0;
    turn_drop_from(host->member, mark);
    return room_told(host, record, code);
}

int room_own(struct record *record)
{
    void *copy;

    if (record->owned || record->pass || record->size == 0)
        return 0;
    copy = malloc(record->size);
    if (copy == NULL)
        return WEIR_ENOMEM;
    memcpy(copy, record->data, record->size);
    record->data = copy;
    record->owned = true;
    return 0;
}

/* It is staged for good: its bytes are now those in the queue. */
static void hand_over(struct record *record)
{
    if (record->staged == NULL && !record->pass)
        return; /* in none */
    if (record->owned)
        free(record->data);
    record->owned = false;
    if (!record->pass)
        record->data = record->staged;
}

/* ---------------------------------------------------- what is wanted ---- */

unsigned room_add_needs(const struct host *host, const struct record *record,
                        struct need *needs)
{
    const post_places *places = room_places(host, record->output);
    uint64_t charge = queue_charge(record->size, attrs_size(host, record));
    unsigned refs = 0;

    for (size_t i = 0; i < places->count; i++) {
        if (places->at[i] == POST_DROP)
            continue;
        refs++;
        if (!overflow_waits(host, places->at[i]))
            continue;
        needs[places->at[i]].slots++;
        needs[places->at[i]].bytes += charge;
    }
    return refs;
}

/* Whether the queues could ever hold the private records and this one. */
bool room_set_fits(struct host *host, const struct record *record)
{
    size_t count = host->post->queues.count;
    CLEANUP_FREE struct need *needs = malloc((count + 1) * sizeof *needs);

    if (needs == NULL)
        return false;
    memcpy(needs, host->needs, count * sizeof *needs);
    if (host->refs + room_add_needs(host, record, needs) > REFS_MOST)
        return false;
    for (size_t i = 0; i < count; i++)
        if (needs[i].slots > host->post->queues.at[i].capacity ||
            needs[i].bytes > host->post->queues.at[i].bytes)
            return false;
    return true;
}

/* The rooms for @needs, in the segment's order. With @part, at least that part
 * of the queue; the bytes are multiplied by @scale, up to the queue's bound. */
static unsigned rooms_of(const struct host *host, const struct need *needs,
                         unsigned part, unsigned scale, struct room *rooms)
{
    unsigned count = 0;

    for (size_t i = 0; i < host->post->queues.count; i++) {
        const struct post_queue *queue = &host->post->queues.at[i];
        struct room *room = &rooms[count];

        if (needs[i].slots == 0)
            continue;
        *room = (struct room){ queue->number, needs[i].slots, needs[i].bytes };
        if (part > 0 && room->slots < queue->capacity / part)
            room->slots = queue->capacity / part;
        if (part > 0 && room->bytes < queue->bytes / part)
            room->bytes = queue->bytes / part;
        if (scale > 1)
            room->bytes = room->bytes < queue->bytes / scale
                              ? room->bytes * scale
                              : queue->bytes;
        count++;
    }
    return count;
}

static int claim(struct host *host, const struct room *rooms, unsigned count)
{
    int64_t before = clock_now();
    int code;

    member_set_waiting(host->member, WAITING_ROOM);
    code = turn_claim(host->member, rooms, count, FOREVER);
    member_set_waiting(host->member, WAITING_NOT);
    host->blocked_ns += clock_now() - before;
    return code;
}

int room_stage(struct host *host, struct record *records, size_t count)
{
    unsigned mark = turn_staged(host->member);
    uint64_t lost[OVERFLOWS_MOST];

    memcpy(lost, host->lost, sizeof lost);
    for (size_t i = 0; i < count; i++) {
        int code = stage(host, &records[i]);

        if (code < 0) {
            turn_drop_from(host->member, mark);
            memcpy(host->lost, lost, sizeof lost);
            return code;
        }
    }
    for (size_t i = 0; i < count; i++)
        hand_over(&records[i]);
    return 0;
}

/*
 * Waits until there is room for all of it, has it for this process alone, and
 * stages it. What is passed on may count more than its size: its chunk is
 * larger when its maker reserved more: then once more, with more. And a claim
 * is lost when this process was stopped for long, or to the first of an ordered
 * stage: then once more.
 */
int room_claim_and_stage(struct host *host, struct record *records,
                         size_t count, const struct need *needs, unsigned part)
{
    CLEANUP_FREE struct room *rooms = calloc(host->post->queues.count + 1,
                                             sizeof *rooms);
    int code = WEIR_EFULL;

    if (rooms == NULL)
        return room_told(host, &records[0], WEIR_ENOMEM);
    for (unsigned scale = 1; code == WEIR_EFULL && scale < SCALE_MOST;) {
        unsigned rooms_count = rooms_of(host, needs, part, scale, rooms);

        code = claim(host, rooms, rooms_count);
        if (code < 0)
            return room_told(host, &records[0], code);
        host->claims = true;
        code = room_stage(host, records, count);
        host->claims = false;
        if (code == WEIR_EFULL && turn_claims(host->member, rooms, rooms_count))
            scale *= 2;
        turn_unclaim(host->member, rooms, rooms_count);
    }
    return code == WEIR_EFULL || code == WEIR_ESTATE
               ? too_big(host, &records[count - 1])
               : code;
}
