/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.h - a bounded channel between forked processes, as one writes it by
 * hand: slots of one size in shared memory under a mutex. No crash safety: who
 * dies with the lock takes all with him.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <pthread.h>

#include "bench.h"

struct channel {
    pthread_mutex_t lock;
    pthread_cond_t filled, freed;
    uint64_t head, tail, slots;
    size_t room; /* of one slot */
    int writers; /* that have not ended */
    char bytes[];
};

/* One slot: so many bytes, then they. */
struct slot {
    size_t size;
    char data[];
};

static inline struct channel *channel_new(size_t room, size_t slots,
                                          int writers)
{
    struct channel *channel;
    pthread_mutexattr_t mutex;
    pthread_condattr_t cond;

    room = (room + sizeof(struct slot) + 63) / 64 * 64;
    channel = bench_shared(sizeof *channel + room * slots);
    channel->room = room;
    channel->slots = slots;
    channel->writers = writers;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_condattr_init(&cond);
    pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&channel->lock, &mutex);
    pthread_cond_init(&channel->filled, &cond);
    pthread_cond_init(&channel->freed, &cond);
    return channel;
}

static inline void channel_put(struct channel *channel, const void *data,
                               size_t size)
{
    struct slot *slot;

    if (size + sizeof *slot > channel->room)
        bench_die("channel", "too large");
    pthread_mutex_lock(&channel->lock);
    while (channel->tail - channel->head == channel->slots)
        pthread_cond_wait(&channel->freed, &channel->lock);
    slot = (void *)(channel->bytes +
                    channel->tail % channel->slots * channel->room);
    slot->size = size;
    memcpy(slot->data, data, size);
    channel->tail++;
    pthread_cond_signal(&channel->filled);
    pthread_mutex_unlock(&channel->lock);
}

/* False at the end: all writers have ended, and nothing is left. */
static inline int channel_get(struct channel *channel, void *data, size_t *size)
{
    struct slot *slot;
    int got;

    pthread_mutex_lock(&channel->lock);
    while (channel->tail == channel->head && channel->writers > 0)
        pthread_cond_wait(&channel->filled, &channel->lock);
    got = channel->tail != channel->head;
    if (got) {
        slot = (void *)(channel->bytes +
                        channel->head % channel->slots * channel->room);
        *size = slot->size;
        memcpy(data, slot->data, slot->size);
        channel->head++;
        pthread_cond_signal(&channel->freed);
    }
    pthread_mutex_unlock(&channel->lock);
    return got;
}

/* One writer has ended. */
static inline void channel_end(struct channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    if (--channel->writers == 0)
        pthread_cond_broadcast(&channel->filled);
    pthread_mutex_unlock(&channel->lock);
}

#endif
