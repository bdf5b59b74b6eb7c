/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wait.c - the only file that calls futex to sleep. See wait.h. */
#include "config.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "shm/wait.h"

/* Never FUTEX_PRIVATE_FLAG: on shared memory such a wake reaches nobody. */
static long futex(_Atomic uint32_t *word, int op, uint32_t value,
                  const struct timespec *until)
{
    if (WEIR_MUTATED("private-futex"))
        op |= FUTEX_PRIVATE_FLAG;
    return syscall(SYS_futex, word, op, value, until, NULL,
                   FUTEX_BITSET_MATCH_ANY);
}

void park_announce(_Atomic uint32_t *park)
{
    atomic_store(park, PARK_WAITING);
}

static bool park_arm(_Atomic uint32_t *park)
{
    uint32_t waiting = PARK_WAITING;

    return atomic_compare_exchange_strong(park, &waiting, PARK_ASLEEP);
}

void park_clear(_Atomic uint32_t *park)
{
    atomic_store(park, PARK_NONE);
}

static bool has_token(const void *arg)
{
    const _Atomic uint32_t *park = arg;

    return atomic_load_explicit(park, memory_order_acquire) == PARK_TOKEN;
}

int park_sleep(_Atomic uint32_t *park, int64_t deadline_ns, struct spin *spin)
{
    int64_t begun = spin != NULL ? clock_now() : 0;
    bool token = spin != NULL && spin_pays(spin) &&
                 spin_until(spin, deadline_ns, has_token, park);
    struct timespec until;
    int code = 0;

    if (!token && park_arm(park)) {
        WEIR_POINT("wait.sleep");
        if (deadline_ns != FOREVER)
            until = clock_timespec(deadline_ns);
        while (atomic_load(park) == PARK_ASLEEP) {
            if (futex(park, FUTEX_WAIT_BITSET, PARK_ASLEEP,
                      deadline_ns == FOREVER ? NULL : &until) < 0 &&
                errno == ETIMEDOUT) {
                code = WEIR_ETIMEDOUT;
                break;
            }
        }
    }
    if (atomic_exchange(park, PARK_NONE) == PARK_TOKEN)
        code = 0;
    if (spin != NULL)
        spin_waited(spin, clock_now() - begun);
    WEIR_POINT("wait.woken");
    return code;
}

void park_wake(_Atomic uint32_t *park)
{
    uint32_t before = atomic_exchange(park, PARK_TOKEN);

    /* A token that was there already may be one whose giver died before it
     * called the kernel: its sleeper still sleeps. */
    if (before != PARK_ASLEEP &&
        (before != PARK_TOKEN || WEIR_MUTATED("token-is-enough")))
        return;
    WEIR_POINT("wait.wake");
    futex(park, FUTEX_WAKE, 1, NULL);
}
