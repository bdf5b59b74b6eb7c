/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_notice.c - runs in the program: callbacks, and who runs them. See
 * pool_host.h.
 */
#include "config.h"

#include "pool/pool_host.h"

/* Callbacks that this thread is in, of whichever pool. */
static _Thread_local unsigned telling;

void pool_enter(weir_pool *pool)
{
    atomic_fetch_add(&pool->refs, 1);
    pthread_mutex_lock(&pool->lock);
}

void pool_leave(weir_pool *pool)
{
    pthread_mutex_unlock(&pool->lock);
    pool_unref(pool);
}

void pool_notice(weir_pool *pool, struct notice *notice)
{
    notice->next = NULL;
    *pool->last_notice = notice;
    pool->last_notice = &notice->next;
    watch_tell(pool);
}

void pool_poke(weir_pool *pool)
{
    if (pool->reading)
        member_cancel(pool->segment, member_number(pool->reader), true);
    if (pool->waiters > 0)
        pthread_cond_broadcast(&pool->moved);
}

unsigned pool_tell(weir_pool *pool, bool nested)
{
    unsigned count = 0;

    if (telling > 0 && !nested)
        return 0;
    while (pool->notices != NULL) {
        struct notice *notice = pool->notices;

        pool->notices = notice->next;
        if (pool->notices == NULL)
            pool->last_notice = &pool->notices;
        pthread_mutex_unlock(&pool->lock);
        telling++;
        notice->tell(pool, notice);
        telling--;
        pthread_mutex_lock(&pool->lock);
        count++;
    }
    return count;
}

int pool_turn(weir_pool *pool, int64_t deadline_ns)
{
    if (pool_tell(pool, false) > 0)
        return 0;
    return pool_pump(pool, deadline_ns);
}

/* Under the lock: all results that are there. How many turns moved some. */
static void move_all(weir_pool *pool)
{
    unsigned turns = 0;

    while (turns <= pool->window && pool->state != HOST_OVER &&
           pool_pump(pool, 0) == 0)
        turns++;
}

/* Under the lock: how many callbacks; or a code. */
static int dispatch(weir_pool *pool, int64_t deadline_ns)
{
    uint64_t ended = pool->ended;
    unsigned told;
    int code = 0;

    move_all(pool);
    told = pool_tell(pool, false);
    while (code == 0 && told == 0 && pool->ended == ended &&
           pool->state != HOST_OVER) {
        code = pool_pump(pool, deadline_ns);
        if (code != 0 && pool->here == NULL &&
            context_alive(pool->context) != 0)
            pool_over(pool, WEIR_EBROKEN, "the helper process is gone");
        told = pool_tell(pool, false);
    }
    if (told > 0 || pool->ended != ended)
        return (int)told;
    return pool->state == HOST_OVER ? WEIR_ECLOSED : code;
}

int weir_pool_dispatch(weir_pool *pool, int64_t timeout_ns)
{
    int code = pool_check(pool);
    bool arm;

    if (code != 0)
        return code;
    if (timeout_ns < 0)
        return WEIR_EINVAL;
    pool_enter(pool);
    code = dispatch(pool, timeout_ns == 0 ? 0 : clock_deadline(timeout_ns));
    arm = watch_settle(pool);
    pthread_mutex_unlock(&pool->lock);
    if (arm)
        watch_arm(pool);
    pool_unref(pool);
    return code;
}
