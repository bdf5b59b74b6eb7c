/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_watch.c - runs in the program: a pool's descriptor for an event loop.
 *
 * It is an epoll of four, and can be read when one of them can:
 *   bell    results are in the segment, or their queue has ended (shm/bell.h):
 *           armed by a look that found nothing, rung by who makes a difference
 *   event   something in this process: a handle has ended, a callback is due,
 *           the pool is over
 *   timer   the first deadline of a call that may not have begun
 *   helper  its pidfd: nobody is left who could ring
 *
 * NOTHING IS MISSED. Whatever a dispatch is to see to is either there when it
 * looks, or comes later and is told:
 *   - What ends or is to be told is noted under the pool's lock, and the event
 *     is made readable in the same hold. A dispatch takes the event back in its
 *     last hold of the lock, and only if no callback is due and the pool is not
 *     over: what had ended by then can be seen in its handle when the dispatch
 *     returns; what ends later makes the event readable again.
 *   - The bell is armed after that, by watch_arm, which makes it quiet, then
 *     arms it and looks, under the queue's lock. What came before the look is
 *     seen by it, and it rings itself; what comes later finds it armed. A
 *     message that was taken away was sent before the look.
 *   - While another thread reads results, a look would find what that one is
 *     about to take, ring, and keep the loop turning for nothing. So then the
 *     bell is quiet and not armed, but owed: the reader arms it when it gives
 *     its role back. That is in one hold of the lock with the test that there
 *     is a reader; what comes before its look is seen by it as above, and what
 *     it moves makes the event readable.
 *   - Who dies between making a difference and ringing is recovered, by its
 *     helper, which rings all bells; a helper that dies is seen itself.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "pool/pool_host.h"
#include "shm/shm.h"

void watch_tell(weir_pool *pool)
{
    const uint64_t one = 1;

    if (pool->watch.fd < 0 || pool->watch.told)
        return;
    pool->watch.told = fd_write_all(pool->watch.event, &one, sizeof one) == 0;
}

/* Set anew, it cannot be read until then. */
void watch_time(weir_pool *pool)
{
    struct itimerspec at = { .it_value = { 0 } };

    if (pool->watch.fd < 0)
        return;
    if (pool->expires_ns != FOREVER)
        at.it_value = clock_timespec(pool->expires_ns);
    timerfd_settime(pool->watch.timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void untell(struct pool_watch *watch)
{
    uint64_t count;

    if (watch->told)
        watch->told = fd_read_all(watch->event, &count, sizeof count) < 0;
}

bool watch_settle(weir_pool *pool)
{
    struct pool_watch *watch = &pool->watch;

    if (watch->fd < 0)
        return false;
    if (pool->state == HOST_OVER)
        return false; /* it stays readable */
    if (pool->notices == NULL)
        untell(watch);
    if (pool->here != NULL)
        return false; /* nothing comes from elsewhere */
    if (!pool->reading)
        return true;
    bell_quiet(watch->bell);
    watch->owed = true;
    return false;
}

void watch_arm(weir_pool *pool)
{
    struct pool_watch *watch = &pool->watch;
    int code;

    pthread_mutex_lock(&pool->arming);
    code = member_watch(watch->member, POOL_RESULTS, false, watch->bell,
                        watch->name, 0);
    pthread_mutex_unlock(&pool->arming);
    if (code >= 0)
        return;
    pthread_mutex_lock(&pool->lock);
    watch_tell(pool); /* damaged: dispatch will see that */
    pthread_mutex_unlock(&pool->lock);
}

/* --------------------------------------------------------- birth and end ----
 */

static int join_epoll(int epoll, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int own(int fd)
{
    return fd < 0 ? -errno : fd;
}

static void close_all(struct pool_watch *watch)
{
    fd_close(&watch->fd);
    fd_close(&watch->bell);
    fd_close(&watch->event);
    fd_close(&watch->timer);
}

static int open_all(weir_pool *pool, struct pool_watch *watch)
{
    int code;

    *watch = (struct pool_watch){ .fd = -1, .bell = -1, .timer = -1 };
    code = watch->event = own(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (code >= 0)
        code = watch->timer = own(
            timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (code >= 0)
        code = watch->fd = own(epoll_create1(EPOLL_CLOEXEC));
    if (code >= 0)
        code = join_epoll(watch->fd, watch->event);
    if (code >= 0)
        code = join_epoll(watch->fd, watch->timer);
    if (code >= 0 && pool->here != NULL)
        return 0;
    if (code >= 0)
        code = watch->bell = bell_open(&watch->name);
    if (code >= 0)
        code = join_epoll(watch->fd, watch->bell);
    if (code >= 0)
        code = join_epoll(watch->fd, context_helper_fd(pool->context));
    if (code >= 0)
        code = member_enter(pool->segment,
                            segment_member_count(pool->segment) - 1,
                            &watch->member);
    return code;
}

/* Under the lock. What there is already is told: the first dispatch looks, and
 * arms the bell. */
static int watch_open(weir_pool *pool)
{
    struct pool_watch watch;
    int code = pool->here != NULL ? 0 : context_check(pool->context);

    if (code != 0)
        return code;
    code = open_all(pool, &watch);
    if (code < 0) {
        close_all(&watch);
        return code;
    }
    pool->watch = watch;
    watch_tell(pool);
    watch_time(pool);
    return 0;
}

void watch_done(weir_pool *pool)
{
    struct pool_watch *watch = &pool->watch;

    if (watch->fd < 0)
        return;
    if (pool->process == fork_self())
        member_leave(&watch->member);
    else
        member_forget(&watch->member);
    close_all(watch);
}

int weir_pool_fd(weir_pool *pool)
{
    int code = pool_check(pool);

    if (code != 0)
        return code;
    pool_enter(pool);
    if (pool->watch.fd < 0)
        code = watch_open(pool);
    if (code == 0)
        code = pool->watch.fd;
    pool_leave(pool);
    return code;
}
