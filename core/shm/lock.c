/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.c - a robust mutex that cannot be left without repair. See lock.h. */
#include "config.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "shm/lock.h"
#include "shm/spin.h"

/*
 * AWAKE, BUT AWAY. A section is some 100 ns long, a sleep and a wake cost tens
 * of microseconds, so a waiter is awake at first. But each look takes the
 * lock's cache line from its holder, and whoever gets the lock takes all that
 * it guards from the one before, 100 ns a line: two that take turns run five
 * times slower than one alone. So who finds it held looks again soon, for it
 * may be one short section; then stays away for as long as many sections take,
 * and twice as long each time. Meanwhile the other makes them on lines that it
 * has. (Looks 60 ns apart: 700 ns for an item from one process to another; so:
 * 300.) Measured by the clock: a pause is 10 ns on some processors, 60 on
 * others.
 */
#define AWAY_FIRST INT64_C(100)
#define AWAY_LEAST (2 * NS_PER_US)
#define AWAY_MOST (16 * NS_PER_US)

/* How long who waits alone sleeps before it looks at the holder. */
#define LOOK_NS (100 * NS_PER_MS)

/* Not left to ENOTRECOVERABLE: with that, glibc's trylock (2.36) leaves the
 * mutex locked, and others wait for ever instead of being told. */
enum { FLUX_NO, FLUX_YES, FLUX_BROKEN };

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "words in shared memory");

int lock_init(struct lock *lock)
{
    pthread_mutexattr_t attr;
    int code = pthread_mutexattr_init(&attr);

    if (code != 0)
        return -code;
    code = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    if (code == 0)
        code = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    if (code == 0)
        code = pthread_mutex_init(&lock->mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    atomic_init(&lock->flux, 0);
    lock->alone = 0;
    return -code;
}

void lock_set_alone(struct lock *lock)
{
    lock->alone = 1;
}

bool lock_is_sound(const struct lock *lock)
{
    struct lock like;

    return lock_init(&like) == 0 &&
           lock->mutex.__data.__kind == like.mutex.__data.__kind;
}

static inline void relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* The mutex is ours and its last owner died: repair, then say so. */
static int inherit(struct lock *lock, lock_rebuild *rebuild, void *arg)
{
    if (atomic_load_explicit(&lock->flux, memory_order_relaxed) == FLUX_YES &&
        !WEIR_MUTATED("no-rebuild")) {
        WEIR_POINT("lock.rebuild");
        if (rebuild(arg) < 0)
            atomic_store_explicit(&lock->flux, FLUX_BROKEN,
                                  memory_order_relaxed);
        WEIR_POINT("lock.rebuilt");
    }
    return -pthread_mutex_consistent(&lock->mutex);
}

/* It has been held longer than anybody holds it who runs. One that is gone
 * had its robust list seen before it went: if the lock still names it, that
 * list was destroyed. */
static void unstick(struct lock *lock)
{
    pid_t tid = lock_holder(lock);
    struct stat_line line;
    int code = tid > 0 ? stat_read(tid, &line) : WEIR_EEMPTY;

    if (code == 0 && line.state == 'T')
        kill(tid, SIGCONT); /* a thread's number will do */
    else if (code == -ESRCH || (code == 0 && stat_is_dead(&line)))
        lock_bury(lock, tid);
}

/* Sleeps for it; @deadline_ns absolute. */
static int sleep_for(struct lock *lock, int64_t deadline_ns)
{
    struct timespec until;

    if (deadline_ns == FOREVER)
        return pthread_mutex_lock(&lock->mutex);
    until = clock_timespec(deadline_ns);
    return pthread_mutex_clocklock(&lock->mutex, CLOCK_MONOTONIC, &until);
}

static int sleep_alone(struct lock *lock, int64_t deadline_ns)
{
    for (;;) {
        int64_t part = clock_now() + LOOK_NS;
        int code = sleep_for(lock, part < deadline_ns ? part : deadline_ns);

        if (code != ETIMEDOUT || clock_left(deadline_ns) == 0)
            return code;
        unstick(lock);
    }
}

static void stay_away(int64_t ns)
{
    int64_t begun = clock_now();

    do
        relax();
    while (clock_now() - begun < ns);
}

static int take_awake(struct lock *lock)
{
    int code = pthread_mutex_trylock(&lock->mutex);
    int64_t away = AWAY_FIRST;

    while (code == EBUSY && away <= AWAY_MOST && !spin_is_vain()) {
        stay_away(away);
        away = away < AWAY_LEAST ? AWAY_LEAST : 2 * away;
        if (lock_holder(lock) == 0) /* a look is cheaper than a try in vain */
            code = pthread_mutex_trylock(&lock->mutex);
    }
    return code;
}

int lock_take_until(struct lock *lock, int64_t deadline_ns,
                    lock_rebuild *rebuild, void *arg)
{
    int code = take_awake(lock);

    if (code == EBUSY)
        code = lock->alone ? sleep_alone(lock, deadline_ns)
                           : sleep_for(lock, deadline_ns);
    if (code == ETIMEDOUT)
        return WEIR_ETIMEDOUT;
    if (code != 0 && code != EOWNERDEAD)
        return WEIR_EBROKEN;
    if ((code == EOWNERDEAD && inherit(lock, rebuild, arg) < 0) ||
        atomic_load_explicit(&lock->flux, memory_order_relaxed) ==
            FLUX_BROKEN) {
        pthread_mutex_unlock(&lock->mutex);
        return WEIR_EBROKEN;
    }
    WEIR_POINT("lock.locked");
    atomic_store_explicit(&lock->flux, FLUX_YES, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    WEIR_POINT("lock.taken");
    return 0;
}

int lock_take(struct lock *lock, lock_rebuild *rebuild, void *arg)
{
    return lock_take_until(lock, FOREVER, rebuild, arg);
}

void lock_give(struct lock *lock)
{
    WEIR_POINT("lock.give");
    atomic_store_explicit(&lock->flux, FLUX_NO, memory_order_release);
    WEIR_POINT("lock.settled");
    pthread_mutex_unlock(&lock->mutex);
}

/* glibc keeps the futex word of a robust mutex in __data.__lock: the owner's
 * tid with the kernel's two bits. That is ABI (the kernel reads it). */
static _Atomic uint32_t *futex_word(const struct lock *lock)
{
    return (_Atomic uint32_t *)&((struct lock *)lock)->mutex.__data.__lock;
}

pid_t lock_holder(const struct lock *lock)
{
    uint32_t word = atomic_load(futex_word(lock));

    return (word & FUTEX_OWNER_DIED) ? 0 : (pid_t)(word & FUTEX_TID_MASK);
}

static void wake_one(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void lock_bury(struct lock *lock, pid_t tid)
{
    _Atomic uint32_t *word = futex_word(lock);
    uint32_t seen = atomic_load(word);

    while ((seen & FUTEX_TID_MASK) == (uint32_t)tid &&
           (seen & FUTEX_OWNER_DIED) == 0) {
        uint32_t dead = (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED;

        if (!atomic_compare_exchange_weak(word, &seen, dead))
            continue;
        wake_one(word);
        return;
    }
    /* It may have died in unlock, between the word and the wake; or as one
     * who was woken, before it took the lock. */
    if ((seen & FUTEX_TID_MASK) == 0)
        wake_one(word);
}
