/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kills.c - whom the kernel has killed for want of memory: counters that it
 * raises before it kills. Any process.
 *
 * Of the group of this process, v1 and v2 tell how many of its processes were
 * killed, for whatever limit; where a limit was met and nothing was to be had,
 * each group tells for itself (v1) or for itself and those below (v2): so the
 * lowest one that has counted is the one whose limit it was. (That of memory
 * and swap together does not count in v1 of late: there the lowest one that has
 * ever been full of both is taken, when none has counted.) Without groups
 * there is one counter of the whole machine, which tells that somebody was
 * killed.
 */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cgroup.h"
#include "shm/memory.h"

struct version {
    const char *controller;         /* as of cgroup_find */
    const char *kills, *kills_name; /* a file, a line of it */
    const char *hits, *hits_name;   /* name NULL: the file is one number */
};

static const struct version version_1 = {
    .controller = "memory",
    .kills = "memory.oom_control",
    .kills_name = "oom_kill",
    .hits = "memory.failcnt",
};

static const struct version version_2 = {
    .controller = NULL,
    .kills = "memory.events",
    .kills_name = "oom_kill",
    .hits = "memory.events",
    .hits_name = "oom",
};

/* The group of this process, in the version that counts memory. */
static const struct version *find_group(const char *root, struct cgroup *group)
{
    if (cgroup_find(root, version_1.controller, group))
        return &version_1;
    return cgroup_find(root, version_2.controller, group) ? &version_2 : NULL;
}

static void look_at_machine(const char *root, struct memory_kills *out)
{
    char path[PATH_MAX], name[64];
    unsigned long long value;
    FILE *file;

    snprintf(path, sizeof path, "%s/proc/vmstat", root);
    file = fopen(path, "re");
    if (file == NULL)
        return;
    while (!out->has_machine && fscanf(file, "%63s %llu", name, &value) == 2)
        if (strcmp(name, "oom_kill") == 0) {
            out->has_machine = true;
            out->machine = value;
        }
    fclose(file);
}

static bool was_full(const struct cgroup *group)
{
    uint64_t limit, most;

    return cgroup_number(group, "memory.memsw.limit_in_bytes", NULL, &limit) &&
           cgroup_number(group, "memory.memsw.max_usage_in_bytes", NULL,
                         &most) &&
           most >= limit;
}

static void look_at_groups(const char *root, struct memory_kills *out)
{
    struct cgroup group;
    const struct version *version = find_group(root, &group);

    if (version == NULL)
        return;
    do {
        uint64_t *hits = &out->hits[out->levels++];

        /* One that cannot be read counts as it did: not at all. The uppermost
         * of version 2 has no such files. */
        if (!out->has_group)
            out->has_group = cgroup_number(&group, version->kills,
                                           version->kills_name, &out->group);
        if (!cgroup_number(&group, version->hits, version->hits_name, hits))
            *hits = 0;
        if (version == &version_1 && was_full(&group))
            out->full |= 1u << (out->levels - 1);
    } while (out->levels < MEMORY_LEVELS && cgroup_up(&group));
}

/* That of the machine is long, takes a while to be read, and is asked where
 * there is no other. */
void memory_kills_look_under(const char *root, struct memory_kills *out)
{
    *out = (struct memory_kills){ 0 };
    look_at_groups(root, out);
    if (!out->has_group)
        look_at_machine(root, out);
}

void memory_kills_look(struct memory_kills *out)
{
    memory_kills_look_under("", out);
}

static int whose(const struct memory_kills *seen,
                 const struct memory_kills *now)
{
    for (unsigned i = 0; i < now->levels && i < seen->levels; i++)
        if (now->hits[i] > seen->hits[i])
            return (int)i;
    for (unsigned i = 0; i < now->levels; i++)
        if ((now->full >> i & 1) != 0)
            return (int)i;
    return MEMORY_KILL_MACHINE;
}

int memory_kills_judge(struct memory_kills *seen,
                       const struct memory_kills *now)
{
    int found;

    if (seen->has_group && now->has_group) {
        if (now->group <= seen->group)
            return MEMORY_KILL_NOT;
        found = whose(seen, now);
        if (++seen->group == now->group)
            *seen = *now;
        return found;
    }
    if (!seen->has_machine || !now->has_machine)
        return MEMORY_KILL_PERHAPS;
    if (now->machine <= seen->machine)
        return MEMORY_KILL_NOT;
    seen->machine++;
    return MEMORY_KILL_PERHAPS;
}

bool memory_group_under(const char *root, int level, char *out, size_t room)
{
    struct cgroup group;

    if (find_group(root, &group) == NULL)
        return false;
    while (level-- > 0)
        if (!cgroup_up(&group))
            return false;
    snprintf(out, room, "%s", group.name);
    return true;
}

bool memory_group(int level, char *out, size_t room)
{
    return memory_group_under("", level, out, room);
}
