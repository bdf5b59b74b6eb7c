/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * available.c - how much memory there is to take, before it is taken. Any
 * process.
 *
 * A cgroup counts the files that were read through it, until they are in the
 * way: what the kernel would drop of them first is as good as free. Without
 * that, whoever reads as many files as a job does would soon be told that
 * nothing is left.
 */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cgroup.h"
#include "shm/memory.h"

enum { UNKNOWN_BITS = 62 }; /* an absurd limit is none: 2^63 and the like */

/* What each version of cgroups says where. */
struct version {
    const char *controller; /* as of cgroup_find */
    const char *limits[2];
    const char *usage;
    const char *inactive, *active; /* lines of memory.stat */
};

static const struct version version_1 = {
    .controller = "memory",
    .limits = { "memory.limit_in_bytes" },
    .usage = "memory.usage_in_bytes",
    .inactive = "total_inactive_file",
    .active = "total_active_file",
};

static const struct version version_2 = {
    .controller = NULL,
    .limits = { "memory.max", "memory.high" },
    .usage = "memory.current",
    .inactive = "inactive_file",
    .active = "active_file",
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* UINT64_MAX: "max", absurd, or no file. */
static uint64_t bytes_in(const struct cgroup *group, const char *file)
{
    uint64_t value;

    return cgroup_number(group, file, NULL, &value) &&
                   value >> UNKNOWN_BITS == 0
               ? value
               : UINT64_MAX;
}

/* Of the pages of files: those not used of late, and half of the others. */
static uint64_t droppable(const struct cgroup *group,
                          const struct version *version)
{
    uint64_t inactive = 0, active = 0;

    cgroup_number(group, "memory.stat", version->inactive, &inactive);
    cgroup_number(group, "memory.stat", version->active, &active);
    return inactive + active / 2;
}

static uint64_t group_left(const struct cgroup *group,
                           const struct version *version)
{
    uint64_t most = UINT64_MAX, used, free;

    for (size_t i = 0; i < 2 && version->limits[i] != NULL; i++)
        most = least(most, bytes_in(group, version->limits[i]));
    if (most == UINT64_MAX)
        return UINT64_MAX;
    used = bytes_in(group, version->usage);
    if (used == UINT64_MAX)
        return UINT64_MAX;
    free = droppable(group, version);
    used = used > free ? used - free : 0;
    return most > used ? most - used : 0;
}

/* The least that any level leaves. */
static uint64_t groups_left(const char *root, const struct version *version)
{
    uint64_t left = UINT64_MAX;
    struct cgroup group;

    if (!cgroup_find(root, version->controller, &group))
        return left;
    do {
        left = least(left, group_left(&group, version));
    } while (cgroup_up(&group));
    return left;
}

static uint64_t machine_left(const char *root)
{
    char line[PATH_MAX];
    unsigned long long kib = 0;
    bool found = false;
    FILE *file;

    snprintf(line, sizeof line, "%s/proc/meminfo", root);
    file = fopen(line, "re");
    if (file == NULL)
        return UINT64_MAX;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "MemAvailable: %llu kB", &kib) == 1;
    fclose(file);
    return found ? kib * 1024 : UINT64_MAX;
}

uint64_t memory_available_under(const char *root)
{
    return least(machine_left(root), least(groups_left(root, &version_1),
                                           groups_left(root, &version_2)));
}

uint64_t memory_available(void)
{
    return memory_available_under("");
}
