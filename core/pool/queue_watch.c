/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue_watch.c - runs in the program and in its children: descriptors for an
 * event loop, and waiting for any of several queues.
 *
 * For each side that is watched the handle has an entry in the segment and a
 * bell (shm/bell.h), which whoever makes a difference there rings. A call that
 * finds nothing looks anew and arms it; so the descriptor is readable from the
 * moment that there is something until a call of this handle found nothing.
 * A program's own is an epoll of the bell and its helper's end. That of a named
 * queue is one of the bell and a clock: who only polls has to call now and
 * then, because a call that finds nothing looks after the others; and without
 * that nobody might, and a bell that a killed one did not ring be silent for
 * ever.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "pool/pool.h"
#include "pool/queue_handle.h"
#include "queue/strangers.h"
#include "shm/shm.h"

/* In the lock of the handle. 1: there is something; 0; or a code. */
static int look(weir_queue *queue, bool put, uint64_t bytes)
{
    struct watch *watch = &queue->watches[put];
    uint64_t ticks;

    if (watch->clock >= 0)
        (void)!read(watch->clock, &ticks, sizeof ticks);
    return member_watch(watch->member, QUEUE, put, watch->bell,
                        atomic_load(&watch->name), bytes);
}

void queue_found_nothing(weir_queue *queue, bool put, uint64_t bytes)
{
    if (atomic_load(&queue->watches[put].name) == 0)
        return;
    pthread_mutex_lock(&queue->lock);
    look(queue, put, bytes);
    pthread_mutex_unlock(&queue->lock);
}

void queue_ring_own(weir_queue *queue)
{
    _Atomic uint32_t park;

    for (unsigned i = 0; i < WATCHES; i++) {
        uint64_t name = atomic_load(&queue->watches[i].name);

        atomic_init(&park, 0);
        if (name != 0)
            bell_ring(name, &park, true);
    }
}

static int join_epoll(int epoll, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_clock(void)
{
    const struct timespec part = { .tv_nsec = STRANGERS_LOOK_NS };
    const struct itimerspec time = { part, part };
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    if (fd >= 0 && timerfd_settime(fd, 0, &time, NULL) < 0)
        fd_close(&fd);
    return fd < 0 ? -errno : fd;
}

static int make_fd(const weir_queue *queue, struct watch *watch)
{
    int other, code;

    if (queue->named)
        other = watch->clock = open_clock();
    else if (queue->context != NULL)
        other = context_helper_fd(queue->context);
    else
        return watch->fd = watch->bell;
    if (other < 0)
        return other;
    watch->fd = epoll_create1(EPOLL_CLOEXEC);
    if (watch->fd < 0)
        return -errno;
    code = join_epoll(watch->fd, watch->bell);
    return code == 0 ? join_epoll(watch->fd, other) : code;
}

static void close_fds(struct watch *watch)
{
    if (watch->fd != watch->bell)
        fd_close(&watch->fd);
    fd_close(&watch->clock);
    fd_close(&watch->bell);
}

static int watch_open(weir_queue *queue, bool put)
{
    struct watch *watch = &queue->watches[put];
    uint64_t name;
    int code = member_enter_any(queue->segment, 0, &watch->member);

    watch->bell = watch->clock = watch->fd = -1;
    if (code < 0)
        return code == WEIR_EFULL ? -EAGAIN : code;
    code = watch->bell = bell_open(&name);
    if (code >= 0)
        code = make_fd(queue, watch);
    if (code >= 0) {
        atomic_store(&watch->name, name);
        code = look(queue, put, 1);
    }
    if (code >= 0)
        return 0;
    atomic_store(&watch->name, 0);
    close_fds(watch);
    member_leave(&watch->member);
    return code;
}

/* 1: there is something; 0; or a code. */
static int watch_look(weir_queue *queue, bool put, uint64_t bytes, int *fd_out)
{
    int code = queue_check(queue);

    if (code != 0)
        return code;
    pthread_mutex_lock(&queue->lock);
    if (queue->watches[put].member == NULL)
        code = watch_open(queue, put);
    if (code == 0)
        code = look(queue, put, bytes);
    *fd_out = queue->watches[put].fd;
    pthread_mutex_unlock(&queue->lock);
    return code;
}

void watches_free(weir_queue *queue, bool own)
{
    for (unsigned i = 0; i < WATCHES; i++) {
        struct watch *watch = &queue->watches[i];

        if (watch->member == NULL)
            continue;
        if (own)
            member_leave(&watch->member);
        else
            member_forget(&watch->member);
        close_fds(watch);
    }
}

int weir_queue_fd(weir_queue *queue, unsigned side)
{
    int fd, code;

    if (side != WEIR_QUEUE_GET && side != WEIR_QUEUE_PUT)
        return WEIR_EINVAL;
    code = queue_check(queue);
    if (code != 0)
        return code;
    pthread_mutex_lock(&queue->lock);
    if (queue->watches[side == WEIR_QUEUE_PUT].member == NULL)
        code = watch_open(queue, side == WEIR_QUEUE_PUT);
    fd = queue->watches[side == WEIR_QUEUE_PUT].fd;
    pthread_mutex_unlock(&queue->lock);
    return code < 0 ? code : fd;
}

/* ------------------------------------------------------ any of several ---- */

struct waiter {
    weir_queue_watch *watches;
    size_t count;
    struct pollfd *polls; /* two for each */
    unsigned *cancels;    /* of each handle, when the call began */
};

static bool is_canceled(const struct waiter *waiter)
{
    for (size_t i = 0; i < waiter->count; i++) {
        const weir_queue *queue = waiter->watches[i].queue;

        if (atomic_load(&queue->cancel) ||
            atomic_load(&queue->cancels) != waiter->cancels[i])
            return true;
    }
    return false;
}

/* How many have something now; the others are armed. */
static int look_at_all(struct waiter *waiter)
{
    int found = 0;

    for (size_t i = 0; i < waiter->count; i++) {
        weir_queue_watch *watch = &waiter->watches[i];
        unsigned ready = 0;

        for (unsigned put = 0; put < WATCHES; put++) {
            struct pollfd *poll = &waiter->polls[i * 2 + put];
            uint64_t bytes = put ? queue_charge(watch->size, 0) : 0;
            int code;

            *poll = (struct pollfd){ .fd = -1, .events = POLLIN };
            if ((watch->sides & 1U << put) == 0)
                continue;
            code = watch_look(watch->queue, put, bytes, &poll->fd);
            if (code < 0)
                return code;
            ready |= (unsigned)code << put;
        }
        watch->ready = ready;
        found += ready != 0;
    }
    return found;
}

static int look_after(const struct waiter *waiter, int64_t *until_ns)
{
    for (size_t i = 0; i < waiter->count; i++) {
        const weir_queue *queue = waiter->watches[i].queue;
        int code = queue_look(queue);

        if (code < 0)
            return code;
        *until_ns = queue_until_look(queue, *until_ns);
    }
    return 0;
}

static int wait_any(struct waiter *waiter, int64_t deadline_ns)
{
    for (;;) {
        int64_t until = clock_deadline(NS_PER_S);
        int code = look_at_all(waiter);

        if (code != 0)
            return code;
        if (is_canceled(waiter))
            return WEIR_ECANCELED;
        if (clock_left(deadline_ns) == 0)
            return WEIR_ETIMEDOUT;
        if (until > deadline_ns)
            until = deadline_ns;
        code = look_after(waiter, &until);
        if (code < 0)
            return code;
        fd_poll(waiter->polls, waiter->count * 2, until);
    }
}

int weir_queue_wait_any(weir_queue_watch *watches, size_t count,
                        int64_t timeout_ns)
{
    struct waiter waiter = { .watches = watches, .count = count };
    int code = 0;

    if (watches == NULL || count == 0 || count > INT32_MAX / 2 ||
        timeout_ns < 0)
        return WEIR_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (watches[i].sides == 0 || watches[i].sides > 3)
            return WEIR_EINVAL;
        code = queue_check(watches[i].queue);
        if (code != 0)
            return code;
    }
    waiter.polls = calloc(count * 2, sizeof *waiter.polls);
    waiter.cancels = calloc(count, sizeof *waiter.cancels);
    if (waiter.polls == NULL || waiter.cancels == NULL)
        code = WEIR_ENOMEM;
    for (size_t i = 0; i < count && code == 0; i++)
        waiter.cancels[i] = atomic_load(&watches[i].queue->cancels);
    if (code == 0)
        code = wait_any(&waiter,
                        timeout_ns == 0 ? 0 : clock_deadline(timeout_ns));
    free(waiter.polls);
    free(waiter.cancels);
    return code;
}
