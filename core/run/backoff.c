/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backoff.c - see backoff.h. */
#include "config.h"

#include "run/backoff.h"

#define FORK_NS (10 * NS_PER_MS)
#define FORK_MOST_NS (1 * NS_PER_S)

/* From 0 to 1. */
static double chance(uint64_t root, uint64_t path, unsigned attempts)
{
    uint64_t bits = hash_mix(hash_mix(root, path), attempts);

    return (double)(bits >> 11) * 0x1p-53;
}

int64_t backoff_ns(const struct job_wait *wait, unsigned attempts,
                   uint64_t root, uint64_t path)
{
    double ns = (double)wait->first_ns;

    if (wait->first_ns == 0)
        return 0;
    for (unsigned i = 1;
         i < attempts && ns < (double)wait->most_ns && wait->factor > 1; i++)
        ns *= wait->factor;
    if (ns > (double)wait->most_ns)
        ns = (double)wait->most_ns;
    ns -= ns * wait->jitter * chance(root, path, attempts);
    return ns < 1 ? 1 : (int64_t)ns;
}

int64_t backoff_fork_ns(unsigned times)
{
    int64_t wait = FORK_NS;

    if (times == 0)
        return 0;
    while (--times > 0 && wait < FORK_MOST_NS)
        wait *= 2;
    return wait < FORK_MOST_NS ? wait : FORK_MOST_NS;
}

enum wait_class backoff_class(enum cause cause)
{
    switch (cause) {
    case CAUSE_LIMIT:
        return WAIT_TIMEOUT;
    case CAUSE_EXIT:
    case CAUSE_SIGNAL:
    case CAUSE_MEMORY:
    case CAUSE_OUT:
    case CAUSE_KILLED:
        return WAIT_CRASH;
    default:
        return WAIT_ERROR;
    }
}
