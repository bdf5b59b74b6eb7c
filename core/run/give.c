/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * give.c - outputs of a task: staging them, and the rule of room. Runs in
 * workers.
 *
 * The rule: nobody waits for room while it holds staged outputs in that queue
 * or in one further down. host.h says by which three ways it is kept.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/brim.h"
#include "run/overflow.h"
#include "run/room.h"

enum { ITEM_MOST = 1 << 30 };

const char not_the_same[] = "task gives other output when tried again; not "
                            "safe to retry";

/* ---------------------------------------------------- private memory ---- */

static void forget_from(struct host *host, size_t from)
{
    for (size_t i = from; i < host->records.count; i++)
        if (host->records.at[i].owned)
            free(host->records.at[i].data);
    host->records.count = from;
}

static void count_needs(struct host *host)
{
    memset(host->needs, 0, host->post->queues.count * sizeof *host->needs);
    host->refs = 0;
    for (size_t i = 0; i < host->records.count; i++)
        host->refs += room_add_needs(host, &host->records.at[i], host->needs);
}

void give_forget(struct host *host)
{
    forget_from(host, 0);
    host->first_record = 0;
    count_needs(host);
}

int give_drop(struct host *host)
{
    give_close_reserved(host);
    forget_from(host, host->first_record);
    host->given = host->dropped = host->digest = 0;
    overflow_forget(host);
    count_needs(host);
    return turn_drop_from(host->member, host->first);
}

int give_withdraw(struct host *host)
{
    for (size_t i = host->first_record; i < host->records.count; i++)
        if (room_own(&host->records.at[i]) < 0)
            return room_told(host, &host->records.at[i], WEIR_ENOMEM);
    turn_drop_from(host->member, host->first);
    overflow_forget(host);
    host->give = GIVE_PRIVATE;
    count_needs(host);
    return 0;
}

int give_stage_all(struct host *host)
{
    int code;

    if (host->records.count == 0)
        return 0;
    if (!host->post->ordered)
        return room_claim_and_stage(host, host->records.at, host->records.count,
                                    host->needs, 0);
    code = room_stage(host, host->records.at, host->records.count);
    return code == WEIR_EFULL || code == WEIR_ESTATE ? give_first(host) : code;
}

int give_stage_failed(struct host *host)
{
    int code;

    if (host->keeps || host->give != GIVE_PRIVATE || host->records.count == 0)
        return 0;
    code = host_commit(host);
    if (code == 0 && host->post->ordered)
        code = order_wait(host);
    return code < 0 ? code
                    : room_claim_and_stage(host, host->records.at,
                                           host->records.count, host->needs, 0);
}

bool give_is_much(const struct host *host)
{
    for (size_t i = 0; i < host->post->queues.count; i++) {
        const struct post_queue *queue = &host->post->queues.at[i];

        if (host->needs[i].slots > 0 &&
            (host->needs[i].slots >= queue->capacity / 4 ||
             host->needs[i].bytes >= queue->bytes / 4))
            return true;
    }
    return host->refs >= REFS_MOST / 4;
}

/* ----------------------------------------------------------- one more ---- */

uint64_t give_digest(const struct host *host, const struct record *record)
{
    const void *data = record->pass ? record->of->data : record->data;

    if (!host->post->digests || record->output == OUTPUT_KEPT)
        return 0;
    return hash_mix(hash_bytes(data, record->size, 0),
                    (uint64_t)(record->output + 1));
}

static int note(struct host *host, const struct record *record)
{
    const post_places *places = room_places(host, record->output);
    struct record *kept = VEC_ADD(&host->records);

    if (kept == NULL)
        return room_told(host, record, WEIR_ENOMEM);
    *kept = *record;
    for (size_t i = 0; i < places->count; i++)
        if (places->at[i] == POST_DROP)
            host->dropped++;
        else
            host->given++;
    host->digest += give_digest(host, record);
    host->seen++;
    host->attrs_used = true;
    return 0;
}

static int claim_one(struct host *host, struct record *record)
{
    size_t count = host->post->queues.count;
    CLEANUP_FREE struct need *needs = calloc(count + 1, sizeof *needs);

    if (needs == NULL)
        return room_told(host, record, WEIR_ENOMEM);
    room_add_needs(host, record, needs);
    return room_claim_and_stage(host, record, 1, needs,
                                host->post->ordered ? 0 : CLAIM_PART);
}

/* There was no room. 0: there was in the end, and it is staged; 1: it is to be
 * kept; or a code. */
static int make_room(struct host *host, struct record *record)
{
    bool alone = turn_staged(host->member) == host->first;
    int code;

    if (host->post->ordered && host->give == GIVE_STAGED)
        alone = false;
    if (host->give == GIVE_STREAM || alone) {
        code = host->give == GIVE_STREAM ? host_commit_part(host)
                                         : host_commit(host);
        return code < 0 ? code : claim_one(host, record);
    }
    code = give_withdraw(host);
    if (code == 0)
        code = host_commit(host);
    return code < 0 ? code : 1;
}

/* In private memory; a set that is too large for the queues becomes a part. */
static int keep(struct host *host, struct record *record)
{
    int code;

    if (!room_set_fits(host, record)) {
        if (host->keeps)
            return host_refuse(host, WEIR_EFAILED,
                               "a task that saves its state cannot give more "
                               "for one item than its queue holds: raise the "
                               "queue's `capacity` and `bytes`");
        code = host->post->ordered ? give_first(host) : host_commit_part(host);
        return code < 0 ? code : give_record(host, record);
    }
    code = room_own(record);
    if (code < 0)
        return room_told(host, record, code);
    host->refs += room_add_needs(host, record, host->needs);
    return note(host, record);
}

int give_record(struct host *host, struct record *record)
{
    int code;

    if (host->give == GIVE_PRIVATE)
        return keep(host, record);
    code = room_stage(host, record, 1);
    if (code == WEIR_EFULL || code == WEIR_ESTATE) {
        code = make_room(host, record);
        if (code == 1)
            return keep(host, record);
    }
    return code < 0 ? code : note(host, record);
}

static uint64_t hash_output(uint64_t hash, const struct record *record)
{
    const void *data = record->pass ? record->of->data : record->data;

    return hash_mix(hash_bytes(data, record->size, hash),
                    (uint64_t)(record->output + 1));
}

void give_hash(struct host *host)
{
    for (size_t i = host->first_record; i < host->records.count; i++)
        host->hash = hash_output(host->hash, &host->records.at[i]);
}

/* A part has committed it already: it must be the same again. */
static int skip(struct host *host, const struct record *record)
{
    host->hash = hash_output(host->hash, record);
    host->next.hash = hash_output(host->next.hash, record);
    host->seen++;
    if (host->seen < host->skip)
        return 0;
    if (host->hash != host->skip_hash)
        return host_refuse(host, WEIR_ELOST, "%s", not_the_same);
    if (host->next.set)
        host_move_cursor(host);
    return 0;
}

static int may_give(struct host *host, unsigned output)
{
    if (host->refused < 0)
        return host->refused;
    if ((host->phase != PHASE_RUN && host->phase != PHASE_FLUSH) ||
        host->reserved.open)
        return WEIR_ESTATE;
    if (output >= host->post->outputs.count)
        return WEIR_EINVAL;
    return 0;
}

static struct record record_of(const struct host *host, int output, size_t size)
{
    struct record record = { .output = output,
                             .attrs = host->attrs_now,
                             .index = (uint32_t)host->seen,
                             .size = size,
                             .of = host->item };

    if (host->item != NULL) {
        record.root = host->item->root;
        record.path = hash_mix(hash_mix(host->item->path,
                                        host->post->name_hash),
                               host->seen);
    } else {
        record.root = host->root | (host->ordinal + host->seen);
    }
    return record;
}

static int give_or_skip(struct host *host, struct record *record)
{
    const post_places *places = room_places(host, record->output);
    bool all_dropped = room_first(places) == places->count;
    bool again = !all_dropped && host->seen < host->skip;
    int code = 0;

    if (all_dropped)
        host->dropped += places->count;
    else
        code = again ? skip(host, record) : give_record(host, record);
    if ((all_dropped || again || code < 0) && record->owned)
        free(record->data);
    return code;
}

int give_emit(struct host *host, unsigned output, const void *data, size_t size)
{
    struct record record;
    int code = may_give(host, output);

    if (code < 0)
        return code;
    record = record_of(host, (int)output, size);
    record.data = (void *)data;
    return give_or_skip(host, &record);
}

int give_pass(struct host *host, unsigned output)
{
    struct record record;
    int code = may_give(host, output);

    if (code < 0)
        return code;
    if (host->item == NULL)
        return WEIR_ESTATE;
    record = record_of(host, (int)output, host->item->size);
    record.pass = true;
    return give_or_skip(host, &record);
}

int give_failed(struct host *host)
{
    struct record record = record_of(host, OUTPUT_FAILED, host->item->size);

    record.pass = true;
    record.index = UINT32_MAX;      /* behind what parts have committed */
    record.path = host->item->path; /* it is the same item still */
    return give_record(host, &record);
}

/* Attributes of its own, for one record. 0, or a code. */
static int own_attrs(struct host *host, const void *attrs, size_t size)
{
    struct buf *own = host_new_attrs(host);

    if (own == NULL)
        return WEIR_ENOMEM;
    host->attrs_count++;
    return buf_add(own, attrs, size);
}

/* What goes to who keeps it is none of the task's outputs. */
int give_kept(struct host *host, bool whole, const void *attrs, size_t size)
{
    size_t bytes = whole ? host->item->size : 0;
    struct record record = record_of(host, OUTPUT_KEPT, bytes);
    int code = own_attrs(host, attrs, size);

    if (code < 0)
        return room_told(host, &record, code);
    record.pass = whole;
    record.path = host->item->path;
    record.attrs = host->attrs_count;
    code = give_record(host, &record);
    if (code == 0)
        host->given--;
    return code;
}

int give_kept_source(struct host *host, const void *attrs, size_t size)
{
    struct record record = record_of(host, OUTPUT_KEPT, 0);
    int code = own_attrs(host, attrs, size);

    if (code < 0)
        return code;
    record.attrs = host->attrs_count;
    return room_stage(host, &record, 1);
}

/* -------------------------------------------------------- reservation ---- */

/* Of memory that ends just behind the room no writing past it is seen. So one
 * that is small is not reserved there; of one that is large the copy would
 * cost more than it is worth. */
enum { BRIMLESS_LEAST = 1024, BRIM_PRIVATE = 16 };

static int reserve_private(struct host *host, size_t room)
{
    size_t size = (room + BRIM_PRIVATE + 63) / 64 * 64;

    host->reserved.data = room <= ITEM_MOST ? aligned_alloc(64, size) : NULL;
    host->reserved.brim = size - room;
    return host->reserved.data != NULL ? 0 : WEIR_ENOMEM;
}

/* Such sizes fill what they stand in, whatever the queue. */
static bool is_brimless(size_t room)
{
    return room >= ITEM_SMALL && (room & (room - 1)) == 0;
}

static int reserve_staged(struct host *host, const struct record *record,
                          int place)
{
    int code = room_stage_at(host, record, place, NULL, &host->reserved.slot);

    if (code < 0)
        return room_told(host, record, code);
    if (host->reserved.slot.brim == 0 && record->size <= BRIMLESS_LEAST) {
        turn_drop(host->member, host->reserved.slot.ref);
        return WEIR_EFULL;
    }
    host->reserved.staged = true;
    host->reserved.data = host->reserved.slot.data;
    host->reserved.brim = host->reserved.slot.brim;
    return 0;
}

/* Straight into the first queue's memory, where that can be. */
static int reserve(struct host *host, unsigned output, size_t room)
{
    struct record record = record_of(host, (int)output, room);
    const post_places *places = room_places(host, (int)output);
    size_t first = room_first(places);
    int code = WEIR_EFULL;

    if (first < places->count && host->give != GIVE_PRIVATE &&
        host->seen >= host->skip && overflow_waits(host, places->at[first]) &&
        !(is_brimless(room) && room <= BRIMLESS_LEAST))
        code = reserve_staged(host, &record, places->at[first]);
    if (code == WEIR_EFULL || code == WEIR_ESTATE)
        code = reserve_private(host, room);
    return code == WEIR_ENOMEM ? room_told(host, &record, code) : code;
}

int give_reserve(struct host *host, unsigned output, size_t room,
                 void **data_out)
{
    int code = may_give(host, output);

    if (code == 0)
        code = reserve(host, output, room);
    if (code < 0)
        return code;
    host->reserved.open = true;
    host->reserved.output = output;
    host->reserved.room = room;
    brim_fill(host->reserved.data, room, host->reserved.brim);
    *data_out = host->reserved.data;
    return 0;
}

/* Before anything of it counts. Private memory is this worker's own, which is
 * replaced, whatever was written to. */
static void look_at_brim(const struct host *host)
{
    enum brim brim = brim_look(host->reserved.data, host->reserved.room,
                               host->reserved.brim);

    if (brim != BRIM_WHOLE)
        guard_past(host, brim == BRIM_BEYOND && host->reserved.staged);
}

void give_close_reserved(struct host *host)
{
    if (!host->reserved.open)
        return;
    look_at_brim(host);
    if (host->reserved.staged)
        turn_drop(host->member, host->reserved.slot.ref);
    else
        free(host->reserved.data);
    host->reserved.open = host->reserved.staged = false;
}

/* It stands in its first queue already: only the copies are to be staged. */
static int submit_staged(struct host *host, struct record *record)
{
    const post_places *places = room_places(host, record->output);
    size_t first = room_first(places);
    unsigned mark = turn_staged(host->member) - 1;
    int code = 0;

    if (record->size < host->reserved.room)
        code = turn_shrink(host->member, &host->reserved.slot, record->size);
    if (code < 0)
        return room_told(host, record, code);
    record->data = host->reserved.slot.data;
    code = room_stage_copies(host, record, first + 1, host->reserved.slot.ref);
    if (code == 0)
        return note(host, record);
    if (code == WEIR_EFULL || code == WEIR_ESTATE)
        code = room_own(record);
    turn_drop_from(host->member, mark);
    return code < 0 ? room_told(host, record, code)
                    : give_or_skip(host, record);
}

int give_submit(struct host *host, size_t size)
{
    bool staged = host->reserved.staged;
    struct record record;

    if (!host->reserved.open)
        return WEIR_ESTATE;
    if (size > host->reserved.room)
        return WEIR_EINVAL;
    look_at_brim(host);
    record = record_of(host, (int)host->reserved.output, size);
    host->reserved.open = host->reserved.staged = false;
    if (staged)
        return submit_staged(host, &record);
    record.data = host->reserved.data;
    record.owned = true;
    return give_or_skip(host, &record);
}
