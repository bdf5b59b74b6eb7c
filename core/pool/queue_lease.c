/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue_lease.c - runs in the program and in its children: items written and
 * read in place.
 *
 * What is leased by one call, or reserved, is held by one member of the
 * segment, until the last of it is settled; this process's part of it is a
 * `holding`. If the process dies, who recovers the member gives it all back.
 *
 * A lease that a caller has names its holding and the holding's `serial` of
 * then. That one is raised when the holding ends, and the item's bit is cleared
 * when it is settled: so a lease that was settled, or copied and settled
 * elsewhere, is known for what it is, whoever has the holding by now. Holdings
 * are freed with the handle only.
 */
#include "config.h"

#include <stdlib.h>
#include <sys/uio.h>

#include "base/base.h"
#include "pool/queue_handle.h"
#include "pool/queue_named.h"
#include "process/fork.h"

struct holding {
    pthread_mutex_t lock; /* a member is one thread's at a time */
    struct holding *next;
    weir_queue *queue;
    struct member *member; /* NULL: free */
    uint64_t serial;
    uint32_t held; /* bits: which of items are not settled */
    bool staged;   /* a reservation: `room` is what it is */
    struct staged room;
    struct item items[LEASE_MOST];
};

/* One that nobody uses, or a new one; locked. */
static struct holding *holding_of(struct call *call)
{
    weir_queue *queue = call->queue;
    struct holding *holding;

    pthread_mutex_lock(&queue->lock);
    for (holding = queue->holdings; holding != NULL; holding = holding->next) {
        if (pthread_mutex_trylock(&holding->lock) != 0)
            continue;
        if (holding->member == NULL)
            break;
        pthread_mutex_unlock(&holding->lock);
    }
    if (holding == NULL) {
        holding = calloc(1, sizeof *holding);
        if (holding != NULL) {
            pthread_mutex_init(&holding->lock, NULL);
            pthread_mutex_lock(&holding->lock);
            holding->queue = queue;
            holding->next = queue->holdings;
            queue->holdings = holding;
        }
    }
    if (holding != NULL)
        holding->member = call_keep_member(call);
    pthread_mutex_unlock(&queue->lock);
    return holding;
}

/* All of it is settled: the member is the next call's. */
static void holding_end(struct holding *holding)
{
    struct member *member = holding->member;

    holding->serial++;
    holding->held = 0;
    holding->staged = false;
    holding->member = NULL;
    queue_member_spare(holding->queue, member);
}

/* The holding of a lease that is still held, locked. */
static int holding_find(uint64_t serial, uint32_t bit, struct holding *holding)
{
    int code;

    if (holding == NULL)
        return WEIR_ESTATE;
    if (holding->queue->process != fork_self())
        return WEIR_EPROCESS;
    pthread_mutex_lock(&holding->lock);
    if (holding->member != NULL && holding->serial == serial &&
        (bit == 0 ? holding->staged : (holding->held & bit) != 0))
        code = queue_check(holding->queue);
    else
        code = WEIR_ESTATE;
    if (code != 0)
        pthread_mutex_unlock(&holding->lock);
    return code;
}

void holdings_free(weir_queue *queue, bool own)
{
    while (queue->holdings != NULL) {
        struct holding *holding = queue->holdings;

        queue->holdings = holding->next;
        if (own && holding->member != NULL) {
            for (unsigned i = LEASE_MOST; i-- > 0;)
                if ((holding->held & UINT32_C(1) << i) != 0)
                    turn_release(holding->member, &holding->items[i]);
            member_leave(&holding->member);
        } else if (holding->member != NULL) {
            member_forget(&holding->member);
        }
        if (own)
            pthread_mutex_destroy(&holding->lock);
        free(holding);
    }
}

/* -------------------------------------------------------------- lease ---- */

/* A death from here on charges each of them an attempt. */
static int take_up(struct holding *holding, unsigned count, weir_lease *leases)
{
    for (unsigned i = 0; i < count; i++) {
        struct item *item = &holding->items[i];
        int code = turn_take_up(holding->member, item);

        if (code != 0)
            return code;
        leases[i] = (weir_lease){ .data = item->data,
                                  .size = item->size,
                                  .id = { item->root, item->path },
                                  .attempt = item->attempt,
                                  .holding = holding,
                                  .serial = holding->serial,
                                  .index = i };
    }
    holding->held = count == LEASE_MOST ? UINT32_MAX
                                        : (UINT32_C(1) << count) - 1;
    return 0;
}

int weir_queue_lease_many(weir_queue *queue, weir_lease *leases, size_t most,
                          int64_t timeout_ns)
{
    struct item items[LEASE_MOST];
    struct holding *holding;
    struct call call;
    int count, code;

    if (leases == NULL || most == 0)
        return WEIR_EINVAL;
    code = call_begin(&call, queue, timeout_ns);
    if (code != 0)
        return code;
    count = queue_take(&call, most < LEASE_MOST ? (unsigned)most : LEASE_MOST,
                       items);
    if (count < 0)
        return call_end(&call, count);
    holding = holding_of(&call);
    if (holding == NULL)
        return call_end(&call, WEIR_ENOMEM);
    for (int i = 0; i < count; i++)
        holding->items[i] = items[i];
    code = take_up(holding, (unsigned)count, leases);
    if (code != 0) {
        turn_abort(holding->member);
        holding_end(holding);
    }
    pthread_mutex_unlock(&holding->lock);
    return code != 0 ? code : count;
}

int weir_queue_lease(weir_queue *queue, int64_t timeout_ns,
                     weir_lease *lease_out)
{
    int code = weir_queue_lease_many(queue, lease_out, 1, timeout_ns);

    return code < 0 ? code : 0;
}

static int commit_item(struct holding *holding, const weir_lease *lease,
                       const struct append *append, weir_error *err)
{
    int code = turn_done(holding->member, &holding->items[lease->index]);

    return code != 0 ? code : turn_commit(holding->member, append, err);
}

static int settle(weir_lease *lease, bool commit, const struct append *append,
                  weir_error *err)
{
    struct holding *holding;
    uint32_t bit;
    int code;

    if (lease == NULL || lease->index >= LEASE_MOST)
        return WEIR_EINVAL;
    bit = UINT32_C(1) << lease->index;
    holding = lease->holding;
    code = holding_find(lease->serial, bit, holding);
    if (code != 0)
        return code;
    code = commit
               ? commit_item(holding, lease, append, err)
               : turn_release(holding->member, &holding->items[lease->index]);
    if (code == 0) {
        holding->held &= ~bit;
        if (holding->held == 0)
            holding_end(holding);
        *lease = (weir_lease){ .data = NULL };
    }
    pthread_mutex_unlock(&holding->lock);
    return code;
}

int weir_queue_commit(weir_lease *lease)
{
    return settle(lease, true, NULL, NULL);
}

int weir_queue_release(weir_lease *lease)
{
    return settle(lease, false, NULL, NULL);
}

/* ------------------------------------------------- appended to a file ---- */

int queue_append_open(weir_queue *queue, int fd, unsigned *file_out,
                      weir_error *err)
{
    int code = queue_check(queue);

    return code != 0 ? code : sink_open(queue->segment, fd, file_out, err);
}

int queue_append_commit(weir_lease *lease, int fd, const struct iovec *parts,
                        unsigned count, weir_error *err)
{
    struct append append = { .fd = fd, .parts = parts, .part_count = count };

    for (unsigned i = 0; i < count; i++)
        append.size += parts[i].iov_len;
    return settle(lease, true, &append, err);
}

void queue_append_close(weir_queue *queue, int fd, unsigned file)
{
    if (queue_check(queue) == 0)
        sink_close(queue->segment, file, fd);
}

/* ------------------------------------------------------------- reserve ---- */

int weir_queue_reserve(weir_queue *queue, size_t size, int64_t timeout_ns,
                       weir_slot *slot_out)
{
    struct staged staged;
    struct holding *holding;
    struct call call;
    int code;

    if (slot_out == NULL)
        return WEIR_EINVAL;
    code = call_begin(&call, queue, timeout_ns);
    if (code != 0)
        return code;
    code = queue_stage(&call, size, false, &staged);
    if (code != 0)
        return call_end(&call, code);
    holding = holding_of(&call);
    if (holding == NULL)
        return call_end(&call, WEIR_ENOMEM);
    holding->staged = true;
    holding->room = staged;
    *slot_out = (weir_slot){ .data = staged.data,
                             .size = size,
                             .holding = holding,
                             .serial = holding->serial };
    pthread_mutex_unlock(&holding->lock);
    return 0;
}

int weir_queue_submit(weir_slot *slot, size_t size)
{
    struct holding *holding;
    int code;

    if (slot == NULL)
        return WEIR_EINVAL;
    holding = slot->holding;
    code = holding_find(slot->serial, 0, holding);
    if (code != 0)
        return code;
    if (size < holding->room.room)
        code = turn_shrink(holding->member, &holding->room, size);
    else if (size > holding->room.room)
        code = WEIR_EINVAL;
    if (code == 0)
        code = turn_commit(holding->member, NULL, NULL);
    if (code == 0) {
        holding_end(holding);
        *slot = (weir_slot){ .data = NULL };
    }
    pthread_mutex_unlock(&holding->lock);
    return code;
}

int weir_queue_abandon(weir_slot *slot)
{
    struct holding *holding;
    int code;

    if (slot == NULL)
        return WEIR_EINVAL;
    holding = slot->holding;
    code = holding_find(slot->serial, 0, holding);
    if (code != 0)
        return code;
    code = turn_drop(holding->member, holding->room.ref);
    if (code == 0) {
        holding_end(holding);
        *slot = (weir_slot){ .data = NULL };
    }
    pthread_mutex_unlock(&holding->lock);
    return code;
}
