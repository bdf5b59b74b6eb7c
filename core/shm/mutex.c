/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutex.c - the public mutex. Unlike lock.h it guards what is the program's, so
 * only the program can repair it: the death is told, and nothing else is done.
 *
 * It is marked consistent as soon as it is had, before the caller has repaired
 * anything: the kernel marks it anew when that one dies with it, so the next is
 * told again. Unlocked without the mark it would be lost for ever.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include <weir/mutex.h>

#include "base/base.h"

#define MUTEX_MAGIC UINT32_C(0x77657872)

struct mutex {
    pthread_mutex_t mutex; /* robust, process-shared, errors checked */
    uint32_t magic;
};

_Static_assert(sizeof(struct mutex) <= sizeof(weir_mutex), "room for it");
_Static_assert(_Alignof(struct mutex) <= _Alignof(weir_mutex), "aligned");

/* NULL: it was not made. */
static pthread_mutex_t *mutex_of(weir_mutex *mutex)
{
    struct mutex *own = (struct mutex *)mutex;

    return own != NULL && own->magic == MUTEX_MAGIC ? &own->mutex : NULL;
}

int weir_mutex_init(weir_mutex *mutex)
{
    struct mutex *own = (struct mutex *)mutex;
    pthread_mutexattr_t attr;
    int code;

    if (own == NULL)
        return WEIR_EINVAL;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    code = pthread_mutex_init(&own->mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    own->magic = code == 0 ? MUTEX_MAGIC : 0;
    return -code;
}

static int lock_for(pthread_mutex_t *mutex, int64_t timeout_ns)
{
    struct timespec until;

    if (timeout_ns == 0)
        return pthread_mutex_trylock(mutex);
    if (timeout_ns == FOREVER)
        return pthread_mutex_lock(mutex);
    until = clock_timespec(clock_deadline(timeout_ns));
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
}

int weir_mutex_lock(weir_mutex *mutex, int64_t timeout_ns)
{
    pthread_mutex_t *own = mutex_of(mutex);
    int code;

    if (own == NULL || timeout_ns < 0)
        return WEIR_EINVAL;
    code = lock_for(own, timeout_ns);
    switch (code) {
    case EOWNERDEAD:
        return pthread_mutex_consistent(own) == 0 ? WEIR_MUTEX_DIED
                                                  : WEIR_EBROKEN;
    case ETIMEDOUT:
        return WEIR_ETIMEDOUT;
    case EDEADLK:
        return WEIR_ESTATE;
    default:
        return -code;
    }
}

int weir_mutex_unlock(weir_mutex *mutex)
{
    pthread_mutex_t *own = mutex_of(mutex);
    int code;

    if (own == NULL)
        return WEIR_EINVAL;
    code = pthread_mutex_unlock(own);
    return code == EPERM ? WEIR_ESTATE : -code;
}
