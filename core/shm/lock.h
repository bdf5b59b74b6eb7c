/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.h - the robust lock of shared memory.
 *
 * A lock guards caches only: whatever is true stands in the slots and the
 * transaction words, and each store there is complete in itself. So who finds
 * that the owner died rebuilds the caches from the truth, and goes on:
 *
 *   lock_take: the mutex is ours. The owner died and `flux` is set: it died
 *   between flux = 1 and flux = 0, the caches may be half-way: `rebuild` runs
 *   before lock_take returns, under the lock. If this process dies in there,
 *   the next taker finds owner-died and flux again and starts it again; it
 *   reads truth and writes caches only, so it may start any number of times.
 *   Only then is the mutex marked consistent: marked first and dead after,
 *   nobody would rebuild. When it says that it cannot, all who come later are
 *   told, too.
 *
 * Never nested, but for the store's in a queue's (queue/direct.c), and where
 * all are taken at once (queue/snapshot.c). No task code, no allocation, no
 * system call inside (but what the mutex itself needs).
 */
#ifndef SHM_LOCK_H
#define SHM_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lock {
    pthread_mutex_t mutex; /* robust, process-shared */
    _Atomic uint32_t flux; /* caches may be half-way, or are broken */
    uint32_t alone;        /* nobody looks after it: lock_set_alone */
};

/* Returns 0, or WEIR_EBROKEN when the caches cannot be rebuilt. */
typedef int lock_rebuild(void *arg);

int lock_init(struct lock *lock);
/* No supervisor looks after this lock, so whoever waits for it does: after 100
 * ms, and again, a holder that is stopped is told to go on (SIGCONT), and one
 * that is gone without a mark of the kernel's is buried. All who use the lock
 * live in one pid namespace. Before anybody uses it. */
void lock_set_alone(struct lock *lock);
/* It looks like one that lock_init has made; a kind of its own would not be
 * robust. */
bool lock_is_sound(const struct lock *lock);
/* Waits as long as it takes: a dead owner ends the wait, a stopped one is the
 * owner's business (lock_holder). 0 or WEIR_EBROKEN. */
int lock_take(struct lock *lock, lock_rebuild *rebuild, void *arg);
/* The same, at most until @deadline_ns (monotonic): WEIR_ETIMEDOUT. */
int lock_take_until(struct lock *lock, int64_t deadline_ns,
                    lock_rebuild *rebuild, void *arg);
void lock_give(struct lock *lock);

/* The thread that holds it now, 0 for none; a hint. */
pid_t lock_holder(const struct lock *lock);
/* @tid is dead, but the kernel may not have seen that it held this lock, when
 * its robust list was overwritten: do what the kernel would have done. Only
 * after the death is certain, before the tid can be given out again. */
void lock_bury(struct lock *lock, pid_t tid);

#endif
