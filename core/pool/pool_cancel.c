/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_cancel.c - runs in the program: calls that are taken back, stopped, or
 * whose deadline has passed; and where a call is. See pool_wire.h for how.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "pool/pool_host.h"

/* Calls that are wanted: by place, the generation; 0: not. */
struct wanted {
    uint32_t *generations;
    uint32_t window;
    uint32_t count;
};

static int want_none(const weir_pool *pool, struct wanted *wanted)
{
    *wanted = (struct wanted){
        .generations = calloc(pool->window, sizeof *wanted->generations),
        .window = pool->window,
    };
    return wanted->generations == NULL ? WEIR_ENOMEM : 0;
}

static void want(struct wanted *wanted, uint64_t ticket)
{
    wanted->generations[(uint32_t)ticket] = (uint32_t)(ticket >> 32);
    wanted->count++;
}

static bool is_wanted(void *arg, uint64_t ticket)
{
    const struct wanted *wanted = arg;
    uint32_t at = (uint32_t)ticket;

    return at < wanted->window && wanted->generations[at] != 0 &&
           wanted->generations[at] == (uint32_t)(ticket >> 32);
}

/* Without the lock: takes back a batch. How many; who is taken back will not
 * have a result from anybody else. */
static int pick_batch(weir_pool *pool, struct wanted *wanted, uint64_t *tickets)
{
    struct item items[LEASE_MOST];
    int count;

    pthread_mutex_lock(&pool->picking);
    count = turn_pick(pool->picker, POOL_CALLS, is_wanted, wanted, LEASE_MOST,
                      items);
    for (int i = 0; i < count; i++) {
        tickets[i] = items[i].root;
        turn_done(pool->picker, &items[i]);
    }
    if (count > 0 && turn_commit(pool->picker, NULL, NULL) != 0)
        count = WEIR_EBROKEN;
    pthread_mutex_unlock(&pool->picking);
    return count;
}

/* Under the lock, which it gives back meanwhile. How many have ended. */
static int take_back(weir_pool *pool, struct wanted *wanted, int code,
                     const char *text)
{
    uint64_t tickets[LEASE_MOST];
    int count, ended = 0;

    do {
        pthread_mutex_unlock(&pool->lock);
        count = pick_batch(pool, wanted, tickets);
        pthread_mutex_lock(&pool->lock);
        for (int i = 0; i < count; i++) {
            weir_result *result = leave_place(pool, tickets[i]);

            wanted->generations[(uint32_t)tickets[i]] = 0;
            wanted->count--;
            if (result == NULL)
                continue;
            result_end(result, code, text);
            ended++;
        }
    } while (count == LEASE_MOST);
    if (ended > 0)
        pool_poke(pool);
    return ended;
}

/* -------------------------------------------------------------- deadlines ----
 */

void pool_expire(weir_pool *pool, int64_t now_ns)
{
    struct wanted wanted;

    if (want_none(pool, &wanted) != 0)
        return; /* the next time */
    pool->expires_ns = FOREVER;
    for (uint32_t i = 0; i < pool->window; i++) {
        weir_result *result = pool->places[i].result;

        if (result == NULL || result->deadline_ns == FOREVER)
            continue;
        if (result->deadline_ns <= now_ns) {
            want(&wanted, result->ticket);
            result->deadline_ns = FOREVER; /* else its worker sees to it */
        } else if (result->deadline_ns < pool->expires_ns) {
            pool->expires_ns = result->deadline_ns;
        }
    }
    watch_time(pool);
    if (wanted.count > 0)
        take_back(pool, &wanted, WEIR_ELIMIT,
                  "the call's deadline passed before it began");
    free(wanted.generations);
}

/* ------------------------------------------------------------------ stop ----
 */

/* Those that are still wanted have begun: they are marked, and their workers
 * stopped. Under the lock, which it gives back meanwhile. */
static int stop_rest(weir_pool *pool, struct wanted *wanted, int64_t grace_ns)
{
    CLEANUP_BUF struct buf bytes = { 0 };
    const struct pool_question question = { .word = POOL_STOP, .id = pool->id };
    struct pool_stop stop = { .grace_ns = grace_ns };
    uint32_t at = 0;
    int code = 0;

    buf_add(&bytes, &question, sizeof question);
    buf_add(&bytes, &stop, sizeof stop);
    for (; at < pool->window && stop.count < STOP_MOST; at++) {
        uint64_t ticket = (uint64_t)wanted->generations[at] << 32 | at;
        uint64_t ref = pool->places[at].ref;

        if (wanted->generations[at] == 0 || result_of(pool, ticket) == NULL)
            continue;
        wanted->generations[at] = 0;
        pthread_mutex_unlock(&pool->lock);
        if (item_mark(pool->segment, ref, ticket) == 0) {
            buf_u64(&bytes, ticket);
            stop.count++;
        }
        pthread_mutex_lock(&pool->lock);
    }
    if (bytes.failed)
        return WEIR_ENOMEM;
    if (stop.count == 0)
        return 0;
    memcpy(bytes.data + sizeof question, &stop, sizeof stop);
    pthread_mutex_unlock(&pool->lock);
    code = context_request(pool->context, &pool_service, bytes.data, bytes.size,
                           NULL, 0, NULL);
    pthread_mutex_lock(&pool->lock);
    if (code == 0 && at < pool->window)
        return stop_rest(pool, wanted, grace_ns);
    return code;
}

/* Under the lock. */
static int take_or_stop(weir_pool *pool, struct wanted *wanted, bool stop,
                        int64_t grace_ns)
{
    int count = take_back(pool, wanted, WEIR_ECANCELED,
                          "the call was cancelled before it began");
    int code = 0;

    if (stop && wanted->count > 0 && pool->state != HOST_OVER)
        code = stop_rest(pool, wanted, grace_ns);
    return code < 0 ? code : count;
}

static int cancel_one(weir_result *result, bool stop, int64_t grace_ns)
{
    int code = result_check(result);
    struct wanted wanted;
    weir_pool *pool;

    if (code != 0)
        return code;
    if (grace_ns < 0)
        return WEIR_EINVAL;
    pool = result->pool;
    pool_enter(pool);
    if (!result->ended) {
        code = want_none(pool, &wanted);
        if (code == 0) {
            want(&wanted, result->ticket);
            code = take_or_stop(pool, &wanted, stop, grace_ns);
        }
        free(wanted.generations);
    }
    pool_leave(pool);
    return code;
}

static int cancel_tag(weir_pool *pool, uint64_t tag, bool stop,
                      int64_t grace_ns)
{
    int code = pool_check(pool);
    struct wanted wanted;

    if (code != 0)
        return code;
    if (tag == 0 || grace_ns < 0)
        return WEIR_EINVAL;
    pool_enter(pool);
    code = want_none(pool, &wanted);
    for (uint32_t i = 0; i < pool->window && code == 0; i++) {
        const weir_result *result = pool->places[i].result;

        if (result != NULL && result->tag == tag)
            want(&wanted, result->ticket);
    }
    if (code == 0 && wanted.count > 0)
        code = take_or_stop(pool, &wanted, stop, grace_ns);
    free(wanted.generations);
    pool_leave(pool);
    return code;
}

void pool_cancel_imap(weir_pool *pool, const weir_imap *imap)
{
    struct wanted wanted;

    if (want_none(pool, &wanted) != 0)
        return; /* they run, then */
    for (uint32_t i = 0; i < pool->window; i++) {
        const weir_result *result = pool->places[i].result;

        if (result != NULL && result->imap == imap)
            want(&wanted, result->ticket);
    }
    if (wanted.count > 0)
        take_or_stop(pool, &wanted, false, 0);
    free(wanted.generations);
}

/* ----------------------------------------------------------- public calls ----
 */

int weir_result_cancel(weir_result *result)
{
    return cancel_one(result, false, 0);
}

int weir_result_stop(weir_result *result, int64_t grace_ns)
{
    return cancel_one(result, true, grace_ns);
}

int weir_pool_cancel(weir_pool *pool, uint64_t tag)
{
    return cancel_tag(pool, tag, false, 0);
}

int weir_pool_stop(weir_pool *pool, uint64_t tag, int64_t grace_ns)
{
    return cancel_tag(pool, tag, true, grace_ns);
}

int weir_result_state(weir_result *result, weir_result_info *info_out)
{
    weir_result_info info = { .size = sizeof info, .state = WEIR_RESULT_DONE };
    int code = result_check(result);
    struct item_look look;
    weir_pool *pool;

    if (code != 0)
        return code;
    if (info_out == NULL || info_out->size < sizeof(size_t))
        return WEIR_EINVAL;
    pool = result->pool;
    pool_enter(pool);
    info.made_ns = result->made_ns;
    info.tag = result->tag;
    if (!result->ended) {
        item_look(pool->segment, pool->places[(uint32_t)result->ticket].ref,
                  result->ticket, &look);
        info.state = look.in_hand || look.state == ITEM_DONE
                         ? WEIR_RESULT_RUNNING
                     : look.attempt > 0 ? WEIR_RESULT_RETRYING
                                        : WEIR_RESULT_QUEUED;
        if (look.state == ITEM_GONE) /* its result is on the way */
            info.state = WEIR_RESULT_RUNNING;
        info.attempt = look.attempt;
        info.worker = look.in_hand ? look.process : 0;
    }
    pool_leave(pool);
    info.size = info_out->size;
    memcpy(info_out, &info, info.size < sizeof info ? info.size : sizeof info);
    return 0;
}
