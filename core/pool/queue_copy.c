/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue_copy.c - runs in the program and in its children: put and get by copy,
 * one item or many. All items of one commit become true in one store: so many
 * that are put at once cost a few holds of the lock together, and who is killed
 * has put some whole, in order, and the others not.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "pool/queue_handle.h"

/* ------------------------------------------------------------------ put ----
 */

struct put {
    struct stage_spec spec;
    struct staged *staged;
};

static int wait_for_room(struct call *call, int64_t deadline_ns, void *arg)
{
    struct put *put = arg;
    const struct room room = { .queue = QUEUE,
                               .slots = 1,
                               .bytes = queue_charge(put->spec.room, 0) };
    int code;

    do { /* the room is gone again when this process was stopped meanwhile */
        code = turn_claim(call->member, &room, 1, deadline_ns);
        if (code == 0)
            code = turn_stage(call->member, &put->spec, put->staged);
        turn_unclaim(call->member, &room, 1);
    } while (code == WEIR_EFULL);
    return code;
}

/* Each item's root: the entry that put it, and that one's own count. */
static uint64_t root_of(const struct member *member, uint64_t ordinal)
{
    return (uint64_t)(member_number(member) + 1) << ORDINAL_BITS | ordinal;
}

static int name_it(struct call *call, struct stage_spec *spec)
{
    const uint64_t mask = (UINT64_C(1) << ORDINAL_BITS) - 1;

    spec->root = root_of(call->member, (*turn_ordinal(call->member))++ & mask);
    return 0;
}

/* Small ones, with what an instant needs: how many; or a code. */
static int put_direct(struct call *call, const weir_bytes *items, size_t count)
{
    const uint64_t mask = (UINT64_C(1) << ORDINAL_BITS) - 1;
    unsigned some = count < PUT_MOST ? (unsigned)count : PUT_MOST;
    uint64_t *ordinal = turn_ordinal(call->member);
    uint64_t first = *ordinal & mask;

    if (items[0].size > ITEM_DIRECT || first + some > mask)
        return 0;
    /* Not a few of many at a time: the longer way takes all of them in a few
     * holds, and copies outside of those. */
    if (items[0].size > ITEM_SMALL &&
        some * items[0].size > PUT_MOST * ITEM_SMALL)
        return 0;
    *ordinal += some;
    return turn_put(call->member, QUEUE, items, some,
                    root_of(call->member, first));
}

/* Counts what a commit drops. A book is absolute, and becomes true with the
 * commit: nothing is counted twice or forgotten, whoever is killed. */
static int commit_dropped(struct call *call, uint64_t *(*which)(struct book *),
                          uint64_t more)
{
    struct book *book = turn_book(call->member);

    *which(book) += more;
    return turn_commit(call->member, NULL, NULL);
}

static uint64_t *dropped_new(struct book *book)
{
    return &book->dropped;
}

static uint64_t *dropped_old(struct book *book)
{
    return &book->skipped;
}

static uint64_t *dropped_closed(struct book *book)
{
    return &book->failed;
}

/* At one instant: no room, and nothing ready that could be dropped for it. */
static int is_stuck(struct call *call, const struct put *put)
{
    struct queue_state state;
    uint64_t charge = queue_charge(put->spec.room, 0);
    int code = queue_state(call->queue->segment, QUEUE, FOREVER, &state);

    if (code < 0)
        return code;
    return state.ready == 0 &&
           (state.free == 0 || state.bytes + charge > state.bytes_most);
}

/* Room by dropping the oldest, one after the other. WEIR_EFULL: nothing is
 * ready, all that is in it is somebody's. */
static int stage_for_old(struct call *call, struct put *put)
{
    const unsigned queue = QUEUE;
    int code = WEIR_EFULL;

    while (code == WEIR_EFULL) {
        struct item item;

        code = turn_lease(call->member, &queue, 1, 1, 1, 0, &item);
        if (code > 0) {
            code = turn_done(call->member, &item);
            if (code == 0)
                code = commit_dropped(call, dropped_old, 1);
        } else if (code == WEIR_EEMPTY) {
            code = is_stuck(call, put);
            if (code > 0)
                return WEIR_EFULL;
        }
        if (code == 0)
            code = turn_stage(call->member, &put->spec, put->staged);
    }
    return code;
}

static int stage_when_full(struct call *call, struct put *put, bool drops)
{
    int code;

    switch (queue_overflow(call->queue->segment, QUEUE)) {
    case WEIR_OVERFLOW_FAIL:
        return WEIR_EFULL;
    case WEIR_OVERFLOW_DROP_OLD:
        return stage_for_old(call, put);
    case WEIR_OVERFLOW_DROP_NEW:
        if (!drops)
            return WEIR_EFULL;
        code = commit_dropped(call, dropped_new, 1);
        return code == 0 ? 1 : code;
    default:
        return call->deadline_ns != 0 ? call_wait(call, wait_for_room, put)
                                      : WEIR_EFULL;
    }
}

int queue_stage(struct call *call, size_t size, bool drops,
                struct staged *staged)
{
    struct put put = { .spec = { .queue = QUEUE, .room = size },
                       .staged = staged };
    int code = name_it(call, &put.spec);

    if (code == 0)
        code = turn_stage(call->member, &put.spec, staged);
    if (code == WEIR_EFULL && call->deadline_ns == 0 &&
        queue_is_worth_another(call->queue))
        code = turn_stage(call->member, &put.spec, staged);
    if (code == WEIR_EFULL)
        code = stage_when_full(call, &put, drops);
    if (code == WEIR_EFULL || code == WEIR_ETIMEDOUT)
        queue_found_nothing(call->queue, true, queue_charge(size, 0));
    return code;
}

static void fill(const struct staged *staged, const void *data)
{
    if (staged->room > 0)
        memcpy(staged->data, data, staged->room);
}

int weir_queue_put(weir_queue *queue, const void *data, size_t size,
                   int64_t timeout_ns)
{
    const weir_bytes bytes = { data, size };
    struct staged staged;
    struct call call;
    int code;

    if (data == NULL && size > 0)
        return WEIR_EINVAL;
    code = call_begin(&call, queue, timeout_ns);
    if (code != 0)
        return code;
    code = put_direct(&call, &bytes, 1);
    if (code != 0)
        return call_end(&call, code < 0 ? code : 0);
    code = queue_stage(&call, size, true, &staged);
    if (code == 0) {
        fill(&staged, data);
        code = turn_commit(call.member, NULL, NULL);
    }
    return call_end(&call, code < 0 ? code : 0);
}

/* As many as find room now, one commit: how many; or why there is none. */
static int put_staged(struct call *call, const weir_bytes *items, size_t count)
{
    const uint64_t mask = (UINT64_C(1) << ORDINAL_BITS) - 1;
    struct staged staged[PUT_MANY_MOST];
    uint64_t *ordinal = turn_ordinal(call->member);
    uint64_t first = *ordinal & mask;
    uint64_t left = mask + 1 - first;
    int some, code;

    if (count > PUT_MANY_MOST)
        count = PUT_MANY_MOST;
    if (count > left)
        count = left;
    some = turn_stage_many(call->member, QUEUE, items, (unsigned)count,
                           root_of(call->member, first), staged);
    if (some < 0)
        return some;
    for (int i = 0; i < some; i++)
        fill(&staged[i], items[i].data);
    *ordinal += (unsigned)some;
    code = turn_commit(call->member, NULL, NULL);
    return code < 0 ? code : some;
}

/* Returns why it ended early, or 0. */
static int put_some(struct call *call, const weir_bytes *items, size_t count,
                    size_t *put)
{
    int code = put_direct(call, items, count);

    if (code == 0)
        code = put_staged(call, items, count);
    if (code < 0)
        return code;
    *put += (size_t)code;
    return 0;
}

static int put_all(struct call *call, const weir_bytes *items, size_t count,
                   size_t *put)
{
    int code = 0;

    while (code == 0 && *put < count) {
        struct staged staged;

        code = put_some(call, items + *put, count - *put, put);
        if (code != WEIR_EFULL)
            continue;
        code = queue_stage(call, items[*put].size, true, &staged);
        if (code == 0) {
            fill(&staged, items[*put].data);
            code = turn_commit(call->member, NULL, NULL);
        } else if (code > 0) {
            code = 0;
        }
        *put += code == 0;
    }
    return code;
}

int weir_queue_put_many(weir_queue *queue, const weir_bytes *items,
                        size_t count, int64_t timeout_ns, size_t *put_out)
{
    struct call call;
    size_t put = 0;
    int code;

    if ((items == NULL && count > 0) || put_out == NULL)
        return WEIR_EINVAL;
    for (size_t i = 0; i < count; i++)
        if (items[i].data == NULL && items[i].size > 0)
            return WEIR_EINVAL;
    code = call_begin(&call, queue, timeout_ns);
    if (code != 0)
        return code;
    code = put_all(&call, items, count, &put);
    *put_out = put;
    return call_end(&call, code);
}

/* ------------------------------------------------------------------ get ----
 */

struct taking {
    unsigned most;
    struct item *items;
};

/* Leased from a queue that was closed NOW: nobody gets it. */
static int drop_leased(struct call *call, const struct item *items, int count)
{
    int code = 0;

    for (int i = 0; i < count && code == 0; i++)
        code = turn_done(call->member, &items[i]);
    return code == 0 ? commit_dropped(call, dropped_closed, (uint64_t)count)
                     : code;
}

static int wait_for_item(struct call *call, int64_t deadline_ns, void *arg)
{
    const struct taking *taking = arg;
    const unsigned queue = QUEUE;
    int count;

    do {
        count = turn_lease(call->member, &queue, 1, taking->most, 1,
                           deadline_ns, taking->items);
        if (count > 0 && queue_drops(call->queue->segment, QUEUE))
            count = drop_leased(call, taking->items, count);
    } while (count == 0);
    return count;
}

int queue_drop_ready(struct call *call, uint64_t *dropped)
{
    struct item items[LEASE_MOST];
    const unsigned queue = QUEUE;
    int count, code = 0;

    for (;;) {
        count = turn_lease(call->member, &queue, 1, LEASE_MOST, 1, 0, items);
        if (count < 0)
            break;
        code = drop_leased(call, items, count);
        if (code < 0)
            return code;
        *dropped += (uint64_t)count;
    }
    return count == WEIR_EEMPTY || count == WEIR_ECLOSED ? 0 : count;
}

int queue_take(struct call *call, unsigned most, struct item *items)
{
    struct taking taking = { most, items };
    int code = wait_for_item(call, 0, &taking);

    if (code == WEIR_EEMPTY && call->deadline_ns == 0 &&
        queue_is_worth_another(call->queue))
        code = wait_for_item(call, 0, &taking);
    if ((code == WEIR_EEMPTY || code == WEIR_ECANCELED) &&
        call->deadline_ns != 0)
        code = call_wait(call, wait_for_item, &taking);
    if (code == WEIR_EEMPTY || code == WEIR_ETIMEDOUT)
        queue_found_nothing(call->queue, false, 0);
    return code;
}

/* Small ones, in one hold of the lock, and awake for a while when there are
 * none: how many; 0: not so; or a code. */
static int get_direct(struct call *call, void *data, size_t room, size_t *sizes,
                      unsigned most)
{
    int count = turn_get(call->member, QUEUE, data, room, sizes, most);

    if (count != 0 || call->deadline_ns == 0 ||
        queue_ready_hint(call->queue->segment, QUEUE) != 0 ||
        !turn_spin(call->member, QUEUE, call->deadline_ns))
        return count;
    return turn_get(call->member, QUEUE, data, room, sizes, most);
}

int weir_queue_get(weir_queue *queue, void *data, size_t room, size_t *size_out,
                   int64_t timeout_ns)
{
    struct call call;
    struct item item;
    int code;

    if ((data == NULL && room > 0) || size_out == NULL)
        return WEIR_EINVAL;
    code = call_begin(&call, queue, timeout_ns);
    if (code != 0)
        return code;
    code = get_direct(&call, data, room, size_out, 1);
    if (code != 0)
        return call_end(&call, code < 0 ? code : 0);
    code = queue_take(&call, 1, &item);
    if (code < 0)
        return call_end(&call, code);
    *size_out = item.size;
    if (item.size > room)
        return call_end(&call, -EMSGSIZE); /* back at the head */
    if (item.size > 0)
        memcpy(data, item.data, item.size);
    code = turn_done(call.member, &item);
    if (code == 0)
        code = turn_commit(call.member, NULL, NULL);
    return call_end(&call, code);
}

/* What a get of many has so far. */
struct many {
    char *data;
    size_t room;
    size_t *sizes;
    size_t most, count;
};

/* Takes over what fits; the rest goes back to the head, the last first. */
static int take_over(struct call *call, struct many *many,
                     const struct item *items, unsigned count, bool *full)
{
    unsigned taken = 0;
    int code = 0;

    while (taken < count && items[taken].size <= many->room && code == 0) {
        const struct item *item = &items[taken++];

        if (item->size > 0)
            memcpy(many->data, item->data, item->size);
        many->data += item->size;
        many->room -= item->size;
        many->sizes[many->count++] = item->size;
        code = turn_done(call->member, item);
    }
    *full = taken < count;
    if (many->count == 0 && *full)
        many->sizes[0] = items[0].size;
    for (unsigned i = count; i > taken && code == 0; i--)
        code = turn_release(call->member, &items[i - 1]);
    return code;
}

static int get_some(struct call *call, struct many *many)
{
    struct item items[LEASE_MOST];
    bool full = false;
    int code = 0;

    while (code == 0 && many->count < many->most && !full) {
        size_t left = many->most - many->count;
        unsigned most = left < LEASE_MOST ? (unsigned)left : LEASE_MOST;
        int count = many->count == 0
                        ? queue_take(call, most, items)
                        : wait_for_item(call, 0,
                                        &(struct taking){ most, items });

        if (count < 0 && many->count > 0 && count != WEIR_EBROKEN)
            break; /* no more for now */
        if (count < 0)
            return count;
        code = take_over(call, many, items, (unsigned)count, &full);
    }
    if (code == 0 && many->count == 0)
        return -EMSGSIZE;
    return code == 0 ? turn_commit(call->member, NULL, NULL) : code;
}

int weir_queue_get_many(weir_queue *queue, void *data, size_t room,
                        size_t *sizes, size_t most, int64_t timeout_ns,
                        size_t *got_out)
{
    struct many many = { .data = data, .room = room, .sizes = sizes };
    char nothing;
    struct call call;
    int code;

    if ((data == NULL && room > 0) || sizes == NULL || most == 0 ||
        got_out == NULL)
        return WEIR_EINVAL;
    if (data == NULL)
        many.data = &nothing;
    many.most = most < MEMBER_REFS ? most : MEMBER_REFS;
    code = call_begin(&call, queue, timeout_ns);
    if (code != 0)
        return code;
    code = many.most <= LEASE_MOST
               ? get_direct(&call, many.data, room, sizes, (unsigned)many.most)
               : 0;
    if (code > 0) {
        *got_out = (size_t)code;
        return call_end(&call, 0);
    }
    if (code == 0)
        code = get_some(&call, &many);
    *got_out = code == 0 ? many.count : 0;
    return call_end(&call, code);
}
