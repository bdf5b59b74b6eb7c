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

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "shm/memory.h"

enum { UNKNOWN_BITS = 62 }; /* an absurd limit is none: 2^63 and the like */

/* Where each version of cgroups says what. */
struct version {
    const char *mount;
    const char *limits[2];
    const char *usage;
    const char *inactive, *active; /* lines of memory.stat */
};

static const struct version version_1 = {
    .mount = "/sys/fs/cgroup/memory",
    .limits = { "memory.limit_in_bytes" },
    .usage = "memory.usage_in_bytes",
    .inactive = "total_inactive_file",
    .active = "total_active_file",
};

static const struct version version_2 = {
    .mount = "/sys/fs/cgroup",
    .limits = { "memory.max", "memory.high" },
    .usage = "memory.current",
    .inactive = "inactive_file",
    .active = "active_file",
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static FILE *open_at(const char *folder, const char *name)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= PATH_MAX)
        return NULL;
    return fopen(path, "re");
}

/* The number in a file of one line; UINT64_MAX: "max", absurd, or no file. */
static uint64_t number_in(const char *folder, const char *name)
{
    FILE *file = open_at(folder, name);
    unsigned long long value = 0;
    bool found;

    if (file == NULL)
        return UINT64_MAX;
    found = fscanf(file, "%llu", &value) == 1;
    fclose(file);
    return found && value >> UNKNOWN_BITS == 0 ? value : UINT64_MAX;
}

/* Of the pages of files: those not used of late, and half of the others. */
static uint64_t droppable(const char *folder, const struct version *version)
{
    FILE *file = open_at(folder, "memory.stat");
    uint64_t bytes = 0;
    char name[64];
    unsigned long long value;

    if (file == NULL)
        return 0;
    while (fscanf(file, "%63s %llu", name, &value) == 2) {
        if (strcmp(name, version->inactive) == 0)
            bytes += value;
        else if (strcmp(name, version->active) == 0)
            bytes += value / 2;
    }
    fclose(file);
    return bytes;
}

static uint64_t group_left(const char *folder, const struct version *version)
{
    uint64_t most = UINT64_MAX, used, free;

    for (size_t i = 0; i < 2 && version->limits[i] != NULL; i++)
        most = least(most, number_in(folder, version->limits[i]));
    if (most == UINT64_MAX)
        return UINT64_MAX;
    used = number_in(folder, version->usage);
    if (used == UINT64_MAX)
        return UINT64_MAX;
    free = droppable(folder, version);
    used = used > free ? used - free : 0;
    return most > used ? most - used : 0;
}

/* The least that any level from @group up to the mount's root leaves. */
static uint64_t walk_up(const char *root, char *group,
                        const struct version *version)
{
    uint64_t left = UINT64_MAX;

    for (;;) {
        char folder[PATH_MAX];
        char *slash = strrchr(group, '/');

        if (snprintf(folder, sizeof folder, "%s%s%s", root, version->mount,
                     group) < PATH_MAX)
            left = least(left, group_left(folder, version));
        if (slash == NULL || group[1] == '\0')
            return left;
        *(slash == group ? slash + 1 : slash) = '\0';
    }
}

static uint64_t groups_left(const char *root)
{
    uint64_t left = UINT64_MAX;
    char line[PATH_MAX];
    FILE *file = open_at(root, "proc/self/cgroup");

    if (file == NULL)
        return left;
    while (fgets(line, sizeof line, file) != NULL) {
        char *names = strchr(line, ':');
        char *group = names == NULL ? NULL : strchr(names + 1, ':');

        if (group == NULL)
            continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        if (names[1] == '\0') /* 0::/path, version 2 */
            left = least(left, walk_up(root, group, &version_2));
        else if (strstr(names + 1, "memory") != NULL)
            left = least(left, walk_up(root, group, &version_1));
    }
    fclose(file);
    return left;
}

static uint64_t machine_left(const char *root)
{
    FILE *file = open_at(root, "proc/meminfo");
    unsigned long long kib = 0;
    char line[128];
    bool found = false;

    if (file == NULL)
        return UINT64_MAX;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "MemAvailable: %llu kB", &kib) == 1;
    fclose(file);
    return found ? kib * 1024 : UINT64_MAX;
}

uint64_t memory_available_under(const char *root)
{
    return least(machine_left(root), groups_left(root));
}

uint64_t memory_available(void)
{
    return memory_available_under("");
}
