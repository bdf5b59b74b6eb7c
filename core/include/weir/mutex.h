/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * weir/mutex.h - one at a time, between processes.
 *
 * A mutex that tells the next who takes it that its last holder died with it,
 * instead of leaving all others waiting. It stands in memory that the program
 * shares itself: mapped MAP_SHARED before the context opens, so that the
 * children have it at the same address.
 *
 *     struct shared {
 *         weir_mutex mutex;
 *         long sum, parts;
 *     } *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
 *                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
 *
 *     weir_mutex_init(&shared->mutex);
 *     ... open the context, start processes; in each of them: ...
 *     code = weir_mutex_lock(&shared->mutex, WEIR_FOREVER);
 *     if (code == WEIR_MUTEX_DIED)
 *         repair(shared);
 *     if (code >= 0) {
 *         shared->sum += part;
 *         weir_mutex_unlock(&shared->mutex);
 *     }
 *
 * For data that goes from one process to another, a queue is the better
 * answer: nothing in it needs repair. For a sign that something has happened,
 * eventfd(2) in the descriptors of the process options does it.
 */
#ifndef WEIR_MUTEX_H
#define WEIR_MUTEX_H

#include <stdint.h>

#include <weir/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined __GNUC__
#pragma GCC visibility push(default)
#endif

/* The caller's storage, in shared memory; not to be copied or looked into. */
typedef union weir_mutex {
    uint64_t align;
    char library[64];
} weir_mutex;

/* It is held, and whoever held it before died with it: what it guards may be
 * half-way. */
#define WEIR_MUTEX_DIED 1

/**
 * weir_mutex_init - make it ready, free
 * @mutex: in memory of the caller's, before anybody else uses it
 *
 * There is nothing to end: it goes with its memory.
 * Returns 0 or WEIR_EINVAL (NULL). Threads: while nobody uses it. Fork: a mutex
 * that is held stays the parent's alone. Signals: no. Since: 0.1
 */
int weir_mutex_init(weir_mutex *mutex);

/**
 * weir_mutex_lock - take it, waiting until it is free
 * @timeout_ns: longest wait; 0 tries once; WEIR_FOREVER of weir/queue.h
 *
 * A holder that dies, also by kill -9, frees it at once; one that is stopped
 * keeps it. Held by a thread, not by its process.
 *
 * Returns 0, or WEIR_MUTEX_DIED: it is held in both cases, and must be
 * unlocked; who comes after the repair is not told again, unless the repairer
 * dies, too. Else it is not held: WEIR_ETIMEDOUT (not in time); -EBUSY (tried
 * once); WEIR_ESTATE: this thread has it already; WEIR_EINVAL: a negative
 * timeout, or weir_mutex_init was not called there. Cost: no system call when
 * it is free. Threads: safe. Signals: no. Since: 0.1
 */
int weir_mutex_lock(weir_mutex *mutex, int64_t timeout_ns);

/* weir_mutex_unlock - let it go. Returns 0; WEIR_ESTATE: this thread does not
 * have it; WEIR_EINVAL as weir_mutex_lock. Threads: the one that locked it.
 * Signals: no. Since: 0.1 */
int weir_mutex_unlock(weir_mutex *mutex);

#if defined __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
