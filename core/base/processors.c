/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * processors.c - how many processors this process may use. In any process.
 *
 * A container is given a quota, not fewer processors: who counts those of the
 * machine starts ten times as many workers as can run. A quota of a cgroup
 * holds for all below it, so each ancestor up to where the hierarchy is
 * mounted is asked: cpu.max in version 2, cpu.cfs_quota_us in version 1; a
 * machine may have both.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cgroup.h"
#include "base/cleanup.h"
#include "base/processors.h"

static unsigned by_affinity(void)
{
    /* The kernel's set may be larger than cpu_set_t: EINVAL says so. */
    for (int room = 1024; room <= 1 << 20; room *= 2) {
        cpu_set_t *set = CPU_ALLOC(room);
        size_t size = CPU_ALLOC_SIZE(room);
        int count = 0;

        if (set == NULL)
            return 0;
        if (sched_getaffinity(0, size, set) == 0)
            count = CPU_COUNT_S(size, set);
        else if (errno != EINVAL)
            room = 1 << 20;
        CPU_FREE(set);
        if (count > 0)
            return (unsigned)count;
    }
    return 0;
}

/* Two numbers, rounded up; 0: no limit, or not to be understood. */
static unsigned quotient(const char *quota, const char *period)
{
    long long q = strtoll(quota, NULL, 10), p = strtoll(period, NULL, 10);

    if (q <= 0 || p <= 0) /* "max" and -1 too: none */
        return 0;
    q = q / p + (q % p != 0);
    return q > 1 << 20 ? 0 : (unsigned)q;
}

static unsigned quota_at(const struct cgroup *group, bool v2)
{
    CLEANUP_BUF struct buf quota = { 0 };
    CLEANUP_BUF struct buf period = { 0 };
    char *first = cgroup_text(group, v2 ? "cpu.max" : "cpu.cfs_quota_us",
                              &quota);
    char *second;

    if (first == NULL)
        return 0;
    if (v2)
        second = strchr(first, ' ');
    else
        second = cgroup_text(group, "cpu.cfs_period_us", &period);
    return second == NULL ? 0 : quotient(first, second);
}

static unsigned quota_of(const char *root, bool v2)
{
    struct cgroup group;
    unsigned least = 0;

    if (!cgroup_find(root, v2 ? NULL : "cpu", &group))
        return 0;
    do {
        unsigned quota = quota_at(&group, v2);

        if (quota != 0 && (least == 0 || quota < least))
            least = quota;
    } while (cgroup_up(&group));
    return least;
}

unsigned processors_quota(const char *root)
{
    unsigned one = quota_of(root, false), two = quota_of(root, true);

    if (one == 0 || two == 0)
        return one + two;
    return one < two ? one : two;
}

unsigned processors_usable(void)
{
    unsigned usable = by_affinity(), quota = processors_quota("");

    if (quota != 0 && (usable == 0 || quota < usable))
        usable = quota;
    return usable > 0 ? usable : 1;
}
