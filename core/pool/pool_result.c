/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_result.c - runs in the program: handles of results, and the moving of
 * results into them. See pool_host.h for who does it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_host.h"
#include "shm/shm.h"

/* ---------------------------------------------------------------- places ----
 */

weir_result *result_alloc(weir_pool *pool)
{
    weir_result *result = calloc(1, sizeof *result);

    if (result == NULL)
        return NULL;
    result->pool = pool;
    result->made_ns = clock_now();
    result->deadline_ns = FOREVER;
    atomic_fetch_add(&pool->refs, 1);
    return result;
}

int result_new(weir_pool *pool, weir_result **result_out)
{
    weir_result *result = result_alloc(pool);
    uint32_t at = pool->free;
    struct place *place = &pool->places[at];

    if (result == NULL)
        return WEIR_ENOMEM;
    pool->free = place->next_free;
    place->result = result;
    if (++place->generation == 0)
        place->generation = 1; /* 0 is nobody */
    pool->outstanding++;
    result->ticket = (uint64_t)place->generation << 32 | at;
    *result_out = result;
    return 0;
}

weir_result *result_of(const weir_pool *pool, uint64_t ticket)
{
    uint32_t at = (uint32_t)ticket;

    if (at >= pool->window ||
        pool->places[at].generation != (uint32_t)(ticket >> 32))
        return NULL;
    return pool->places[at].result;
}

weir_result *leave_place(weir_pool *pool, uint64_t ticket)
{
    weir_result *result = result_of(pool, ticket);
    uint32_t at = (uint32_t)ticket;

    if (result == NULL)
        return NULL;
    pool->places[at].result = NULL;
    pool->places[at].next_free = pool->free;
    pool->free = at;
    pool->outstanding--;
    return result;
}

void result_free(weir_result *result)
{
    free(result->trace);
    free(result->trace_text);
    if (result->batch != NULL) {
        batch_left(result->batch);
        return;
    }
    free(result->data);
    pool_unref(result->pool);
    free(result);
}

void result_cancel(weir_pool *pool, uint64_t ticket)
{
    result_free(leave_place(pool, ticket));
}

/* ------------------------------------------------------------------- ends ----
 */

static void tell_group(weir_pool *pool, struct notice *notice)
{
    struct group *group = (struct group *)notice;

    (void)pool;
    group->on_all(group->arg, group->failed);
    free(group);
}

void group_left(weir_pool *pool, struct group *group, bool failed)
{
    group->failed += failed;
    if (--group->left > 0)
        return;
    group->notice.tell = tell_group;
    pool_notice(pool, &group->notice);
}

/* Without the lock. */
static void tell_done(weir_pool *pool, struct notice *notice)
{
    weir_result *result = (weir_result *)notice;
    bool last;

    if (result->on_done != NULL)
        result->on_done(result, result->arg);
    pthread_mutex_lock(&pool->lock);
    result->noticed = false;
    last = result->abandoned;
    pthread_mutex_unlock(&pool->lock);
    if (last)
        result_free(result);
}

void result_ended(weir_result *result)
{
    weir_pool *pool = result->pool;
    bool plain = result->plain && !result->abandoned;

    pool->ended++;
    watch_tell(pool);
    atomic_store_explicit(&result->ended, true, memory_order_release);
    if (plain)
        return; /* from here on its holder may free it, without the lock */
    if (result->on_done != NULL) {
        result->noticed = true;
        result->notice.tell = tell_done;
        pool_notice(pool, &result->notice);
    }
    if (result->pack != NULL)
        pack_ended(result);
    if (result->imap != NULL)
        imap_ended(result);
    if (result->group != NULL)
        group_left(pool, result->group, result->code != 0);
    result->group = NULL;
    if (result->abandoned && !result->noticed)
        result_free(result);
}

void result_end(weir_result *result, int code, const char *text)
{
    free(result->data);
    result->data = strdup(text);
    result->size = 0;
    result->code = code;
    result_ended(result);
}

void result_abandon(weir_result *result)
{
    result->abandoned = true;
    if (result->ended && !result->noticed)
        result_free(result);
}

void pool_end_all(weir_pool *pool, int code, const char *text)
{
    for (uint32_t i = 0; i < pool->window; i++) {
        weir_result *result = pool->places[i].result;

        if (result == NULL)
            continue;
        leave_place(pool, result->ticket);
        result_end(result, code, text);
    }
    pthread_cond_broadcast(&pool->moved);
    pthread_cond_broadcast(&pool->turn);
}

/* ---------------------------------------------------------------- moving ----
 */

/* A copy with a NUL behind it; NULL: no memory. */
static char *copy_of(const void *data, size_t size)
{
    char *copy = malloc(size + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

/* Under the lock: it has its result, the bytes or the sentence. */
static void settle_locked(weir_pool *pool, uint64_t ticket, int code,
                          char *data, size_t size)
{
    weir_result *result = leave_place(pool, ticket);

    if (result == NULL) { /* terminated meanwhile */
        free(data);
        return;
    }
    free(result->data);
    result->data = data;
    result->size = size;
    result->code = code;
    if (result->pack != NULL)
        result->pack->apart = code != WEIR_EBROKEN;
    if (data == NULL)
        result->code = WEIR_ENOMEM;
    else if (code == WEIR_ELOST)
        result->trace = board_read_trace(&pool->board, ticket);
    result_ended(result);
}

static void settle(weir_pool *pool, uint64_t ticket, int code, char *data,
                   size_t size)
{
    pthread_mutex_lock(&pool->lock);
    settle_locked(pool, ticket, code, data, size);
    pthread_mutex_unlock(&pool->lock);
}

/* The reader alone writes a result that has not ended; so what it points to
 * stays, also without the lock: handles that are freed wait for their end. */
static void move_part(weir_pool *pool, const struct item *item)
{
    struct reply_part part;
    weir_result *result;
    size_t size = item->size - sizeof part;
    bool nonsense;
    char *data;

    if (item->size < sizeof part)
        return;
    memcpy(&part, item->data, sizeof part);
    nonsense = part.total > STORE_ITEM_MOST;
    pthread_mutex_lock(&pool->lock);
    result = result_of(pool, item->root);
    data = result == NULL ? NULL : result->data;
    if (result != NULL && part.offset == 0) {
        free(data); /* of an attempt before */
        data = nonsense ? NULL : malloc(part.total + 1);
        if (data != NULL)
            data[0] = '\0';
        result->data = data;
        result->got = 0;
        result->size = part.total;
    }
    if (data != NULL &&
        (part.offset != result->got || size > result->size - result->got)) {
        data = NULL;
        nonsense = true;
    }
    if (data != NULL) {
        memcpy(data + part.offset, (const char *)item->data + sizeof part,
               size);
        result->got += size;
        data[result->got] = '\0';
    }
    if (result != NULL && part.offset + size >= part.total) {
        leave_place(pool, item->root);
        if (result->pack != NULL)
            result->pack->apart = true;
        result->code = data != NULL ? 0 : nonsense ? WEIR_EBROKEN : WEIR_ENOMEM;
        result_ended(result);
    }
    pthread_mutex_unlock(&pool->lock);
}

static void move_unfit(weir_pool *pool, const struct item *item)
{
    size_t size = item->size < sizeof pool->unfit ? item->size
                                                  : sizeof pool->unfit - 1;

    pthread_mutex_lock(&pool->lock);
    pool->unfit_code = reply_code(item->path);
    memcpy(pool->unfit, item->data, size);
    pool->unfit[size] = '\0';
    pthread_mutex_unlock(&pool->lock);
}

static void move(weir_pool *pool, const struct item *item)
{
    switch (reply_kind(item->path)) {
    case REPLY_DONE:
        pthread_mutex_lock(&pool->lock);
        rate_note(pool, item->root, item->path, item->size);
        pthread_mutex_unlock(&pool->lock);
        settle(pool, item->root, 0, copy_of(item->data, item->size),
               item->size);
        break;
    case REPLY_PART:
        move_part(pool, item);
        break;
    case REPLY_FAILED:
        settle(pool, item->root, reply_code(item->path),
               copy_of(item->data, item->size), 0);
        break;
    case REPLY_UNFIT:
        move_unfit(pool, item);
        break;
    case REPLY_PACK:
    case REPLY_SOME:
        pack_move(pool, item);
        break;
    }
}

/* Under the lock, which it gives back meanwhile for what is no whole result. */
static void move_small(weir_pool *pool, const struct small *taken)
{
    const struct item item = { .root = taken->root,
                               .path = taken->path,
                               .data = taken->data,
                               .size = taken->size };
    enum reply_kind kind = reply_kind(taken->path);

    if (kind == REPLY_DONE)
        rate_note(pool, taken->root, taken->path, taken->size);
    if (kind == REPLY_DONE || kind == REPLY_FAILED) {
        settle_locked(pool, taken->root, reply_code(taken->path),
                      copy_of(taken->data, taken->size),
                      kind == REPLY_DONE ? taken->size : 0);
        return;
    }
    pthread_mutex_unlock(&pool->lock);
    move(pool, &item);
    pthread_mutex_lock(&pool->lock);
}

/* Without the lock, in the role of the reader: of small ones that are there.
 * How many have moved; 0: see why; or a code. */
static int read_small(weir_pool *pool)
{
    struct small taken[LEASE_MOST];
    int count = turn_take(pool->reader, POOL_RESULTS, taken, LEASE_MOST);

    if (count <= 0)
        return count;
    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < count; i++)
        move_small(pool, &taken[i]);
    pthread_mutex_unlock(&pool->lock);
    return count;
}

/* Without the lock, in the role of the reader. How many have moved; or a
 * code, of which WEIR_ECLOSED means that the pool is over. */
static int read_results(weir_pool *pool, int64_t deadline_ns)
{
    const unsigned results = POOL_RESULTS;
    struct item items[LEASE_MOST];
    int count = read_small(pool);

    if (count == 0 && deadline_ns != 0 &&
        queue_ready_hint(pool->segment, POOL_RESULTS) == 0 &&
        turn_spin(pool->reader, POOL_RESULTS, deadline_ns))
        count = read_small(pool);
    if (count == 0)
        count = turn_lease(pool->reader, &results, 1, LEASE_MOST, 1,
                           deadline_ns, items);
    else if (count > 0)
        return count;
    for (int i = 0; i < count; i++) {
        move(pool, &items[i]);
        turn_done(pool->reader, &items[i]);
    }
    if (count > 0 && turn_commit(pool->reader, NULL, NULL) != 0)
        return WEIR_EBROKEN;
    return count;
}

void pool_over(weir_pool *pool, int code, const char *text)
{
    if (pool->state == HOST_OVER)
        return;
    pool->state = HOST_OVER;
    pool->code = code;
    snprintf(pool->text, sizeof pool->text, "%s", text);
    watch_tell(pool);
    pool_end_all(pool, code, text);
}

/* Without the lock: no worker is left. Why? */
static void see_end(weir_pool *pool)
{
    struct context_reply reply;
    int code = pool_ask(pool, POOL_REASON, &reply);
    char text[sizeof pool->text] = "the pool is closed";

    pthread_mutex_lock(&pool->lock);
    if (code == WEIR_ELOST && pool->unfit[0] != '\0') {
        code = pool->unfit_code;
        snprintf(text, sizeof text,
                 "the pool's `open` failed %d times in a row; the last time: "
                 "%.400s",
                 UNFIT_MOST, pool->unfit);
    } else if (code != 0) {
        snprintf(text, sizeof text, "%.255s",
                 reply.data.size > 0 ? reply.data.data : weir_strerror(code));
    } else {
        code = pool->state == HOST_TERMINATED ? WEIR_ETERMINATED : WEIR_ECLOSED;
    }
    pool_over(pool, code, text);
    pthread_mutex_unlock(&pool->lock);
    buf_done(&reply.data);
    fd_close(&reply.fd);
}

/* In the role of the reader, without the lock. */
static int read_until(weir_pool *pool, int64_t deadline_ns)
{
    int64_t part = deadline_ns == 0 ? 0 : wait_part(deadline_ns);
    int code = read_results(pool, part);

    if (code == WEIR_ETIMEDOUT && clock_left(deadline_ns) > 0)
        code = context_alive(pool->context);
    switch (code) {
    case WEIR_EEMPTY:
    case WEIR_ETIMEDOUT:
        return WEIR_ETIMEDOUT;
    case WEIR_ECANCELED: /* for its state's sake: look at that */
        return 0;
    case WEIR_ECLOSED:
        see_end(pool);
        return 0;
    default:
        if (code >= 0)
            return 0;
    }
    pthread_mutex_lock(&pool->lock);
    pool_over(pool, WEIR_EBROKEN,
              "the helper process is gone, or shared memory is damaged");
    pthread_mutex_unlock(&pool->lock);
    return 0;
}

int pool_wait(weir_pool *pool, pthread_cond_t *cond, int64_t deadline_ns)
{
    struct timespec until;
    int code;

    if (deadline_ns == FOREVER) {
        code = pthread_cond_wait(cond, &pool->lock);
    } else {
        until = clock_timespec(deadline_ns);
        code = pthread_cond_timedwait(cond, &pool->lock, &until);
    }
    return code == ETIMEDOUT ? WEIR_ETIMEDOUT : 0;
}

static int pump(weir_pool *pool, int64_t deadline_ns)
{
    int code;

    if (pool->reading || pool->here != NULL) {
        if (deadline_ns == 0)
            return WEIR_ETIMEDOUT;
        pool->waiters++;
        code = pool_wait(pool, &pool->moved, deadline_ns);
        pool->waiters--;
        return code;
    }
    pool->reading = true;
    member_cancel(pool->segment, member_number(pool->reader), false);
    pthread_mutex_unlock(&pool->lock);
    code = read_until(pool, deadline_ns);
    pthread_mutex_lock(&pool->lock);
    pool->reading = false;
    if (pool->waiters > 0)
        pthread_cond_broadcast(&pool->moved);
    if (pool->watch.owed) {
        pool->watch.owed = false;
        pthread_mutex_unlock(&pool->lock);
        watch_arm(pool);
        pthread_mutex_lock(&pool->lock);
    }
    return code;
}

/* A call's deadline may come first: it ends by that. */
int pool_pump(weir_pool *pool, int64_t deadline_ns)
{
    int64_t now;
    int code;

    if (pool->state == HOST_OVER)
        return 0;
    if (pool->expires_ns == FOREVER)
        return pump(pool, deadline_ns);
    now = clock_now();
    if (pool->expires_ns <= now) {
        pool_expire(pool, now);
        return 0;
    }
    if (deadline_ns <= pool->expires_ns)
        return pump(pool, deadline_ns);
    code = pump(pool, pool->expires_ns);
    return code == WEIR_ETIMEDOUT ? 0 : code;
}
