/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kills.c - whom the kernel has killed for want of memory: counters that it
 * raises before it kills. Any process.
 *
 * Of the group of this process, v1 and v2 tell how many of its processes were
 * killed, for whatever limit; where a limit was met and nothing was to be had,
 * each group tells for itself (v1) or for itself and those below (v2): so the
 * lowest one that has counted is the one whose limit it was. Without groups
 * there is one counter of the whole machine, which tells that somebody was
 * killed.
 */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "shm/memory.h"

struct version {
    const char *mount;
    const char *kills, *kills_name; /* a file, a line of it */
    const char *hits, *hits_name;   /* name NULL: the file is one number */
};

static const struct version version_1 = {
    .mount = "/sys/fs/cgroup/memory",
    .kills = "memory.oom_control",
    .kills_name = "oom_kill",
    .hits = "memory.failcnt",
};

static const struct version version_2 = {
    .mount = "/sys/fs/cgroup",
    .kills = "memory.events",
    .kills_name = "oom_kill",
    .hits = "memory.events",
    .hits_name = "oom",
};

static bool read_number(const char *path, const char *name, uint64_t *out)
{
    FILE *file = fopen(path, "re");
    unsigned long long value = 0;
    bool found = false;
    char word[64];

    if (file == NULL)
        return false;
    if (name == NULL)
        found = fscanf(file, "%llu", &value) == 1;
    while (name != NULL && !found &&
           fscanf(file, "%63s %llu", word, &value) == 2)
        found = strcmp(word, name) == 0;
    fclose(file);
    *out = value;
    return found;
}

/* The group of this process, as the version that counts memory calls it. */
static const struct version *find_group(const char *root, char *out,
                                        size_t room)
{
    const struct version *found = NULL;
    char line[PATH_MAX];
    FILE *file;

    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    file = fopen(line, "re");
    if (file == NULL)
        return NULL;
    while (found != &version_1 && fgets(line, sizeof line, file) != NULL) {
        char *names = strchr(line, ':');
        char *group = names == NULL ? NULL : strchr(names + 1, ':');

        if (group == NULL)
            continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        if (strstr(names + 1, "memory") != NULL)
            found = &version_1;
        else if (names[1] == '\0')
            found = &version_2;
        else
            continue;
        snprintf(out, room, "%s", group);
    }
    fclose(file);
    return found;
}

/* False: that was the uppermost. */
static bool go_up(char *group)
{
    char *slash = strrchr(group, '/');

    if (slash == NULL || group[1] == '\0')
        return false;
    *(slash == group ? slash + 1 : slash) = '\0';
    return true;
}

static bool read_group(const char *root, const struct version *version,
                       const char *group, const char *file, const char *name,
                       uint64_t *out)
{
    char path[2 * PATH_MAX];

    snprintf(path, sizeof path, "%s%s%s/%s", root, version->mount, group, file);
    return read_number(path, name, out);
}

void memory_kills_look_under(const char *root, struct memory_kills *out)
{
    char group[PATH_MAX], path[PATH_MAX];
    const struct version *version = find_group(root, group, sizeof group);

    *out = (struct memory_kills){ 0 };
    snprintf(path, sizeof path, "%s/proc/vmstat", root);
    out->has_machine = read_number(path, "oom_kill", &out->machine);
    if (version == NULL)
        return;
    do {
        /* In a container the path may be that of the host; inside there is its
         * own root only. */
        if (!out->has_group)
            out->has_group = read_group(root, version, group, version->kills,
                                        version->kills_name, &out->group);
        /* One that cannot be read counts as it did: not at all. */
        if (!read_group(root, version, group, version->hits, version->hits_name,
                        &out->hits[out->levels]))
            out->hits[out->levels] = 0;
    } while (++out->levels < MEMORY_LEVELS && go_up(group));
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
    char group[PATH_MAX];

    if (find_group(root, group, sizeof group) == NULL)
        return false;
    while (level-- > 0)
        if (!go_up(group))
            return false;
    snprintf(out, room, "%s", group);
    return true;
}

bool memory_group(int level, char *out, size_t room)
{
    return memory_group_under("", level, out, room);
}
