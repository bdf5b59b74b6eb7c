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
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/processors.h"

enum { FILE_MOST = 1 << 20 };

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

/* The text of a file; NULL when it cannot be read. */
static char *slurp(struct buf *buf, const char *path)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

    buf_cut(buf, 0);
    if (fd < 0 || fd_slurp(fd, buf, FILE_MOST) != 0 || buf->size == 0)
        return NULL;
    return buf->data;
}

/* Cuts the next line, or word, off *rest; NULL at the end. */
static char *cut(char **rest, const char *ends)
{
    char *start = *rest;

    if (start == NULL || *start == '\0')
        return NULL;
    *rest += strcspn(start, ends);
    if (**rest != '\0')
        *(*rest)++ = '\0';
    return start;
}

/* Whether a list with commas has this word. */
static bool has_word(const char *list, const char *word)
{
    size_t size = strlen(word);

    for (; list != NULL; list = strchr(list, ',')) {
        list += *list == ',';
        if (strncmp(list, word, size) == 0 &&
            (list[size] == '\0' || list[size] == ','))
            return true;
        if (*list == '\0')
            break;
    }
    return false;
}

/* Blanks and the like are written as \040 in mountinfo. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0';) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' &&
            from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
            from[3] <= '7') {
            *to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 +
                           (from[3] - '0'));
            from += 4;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
}

/* Where a hierarchy is mounted, and which cgroup of it is shown there. */
struct mount {
    char *point;
    char *root;
};

/* ID PARENT DEVICE ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER */
static bool parse_mount(char *line, bool v2, struct mount *mount)
{
    char *words[6], *type, *super = NULL, *rest = line;

    for (int i = 0; i < 6; i++)
        if ((words[i] = cut(&rest, " ")) == NULL)
            return false;
    do {
        type = cut(&rest, " ");
    } while (type != NULL && strcmp(type, "-") != 0);
    type = cut(&rest, " ");
    if (type == NULL || cut(&rest, " ") == NULL)
        return false;
    super = cut(&rest, " ");
    if (strcmp(type, v2 ? "cgroup2" : "cgroup") != 0 ||
        (!v2 && (super == NULL || !has_word(super, "cpu"))))
        return false;
    unescape(words[3]);
    unescape(words[4]);
    *mount = (struct mount){ .root = words[3], .point = words[4] };
    return true;
}

/* The mount is in @buf, whose bytes it cuts up. */
static bool find_mount(const char *root, bool v2, struct buf *buf,
                       struct mount *mount)
{
    char path[4096], *rest, *line;

    snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
    rest = slurp(buf, path);
    while ((line = cut(&rest, "\n")) != NULL)
        if (parse_mount(line, v2, mount))
            return true;
    return false;
}

/* This process's cgroup in the hierarchy: NUMBER:CONTROLLERS:PATH. */
static char *find_path(const char *root, bool v2, struct buf *buf)
{
    char path[4096], *rest, *line;

    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    rest = slurp(buf, path);
    while ((line = cut(&rest, "\n")) != NULL) {
        char *number = cut(&line, ":"), *list = line, *end;

        if (number == NULL || list == NULL || (end = strchr(list, ':')) == NULL)
            continue;
        *end = '\0';
        if (v2 ? strcmp(number, "0") == 0 && *list == '\0'
               : has_word(list, "cpu"))
            return end + 1;
    }
    return NULL;
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

static unsigned quota_at(const char *folder, bool v2, struct buf *buf)
{
    char path[8192], quota[64], *rest, *first;

    snprintf(path, sizeof path, "%s/%s", folder,
             v2 ? "cpu.max" : "cpu.cfs_quota_us");
    rest = slurp(buf, path);
    first = cut(&rest, " \n");
    if (first == NULL)
        return 0;
    if (v2)
        return rest == NULL ? 0 : quotient(first, rest);
    snprintf(quota, sizeof quota, "%s", first);
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    rest = slurp(buf, path);
    return rest == NULL ? 0 : quotient(quota, rest);
}

/* What of the path lies below what is mounted; a cgroup outside of it (the
 * namespace is another's) can only be asked at the mount itself. */
static const char *below(const char *path, const char *root)
{
    size_t size = strlen(root);

    if (strcmp(root, "/") == 0)
        return path;
    if (strncmp(path, root, size) == 0 &&
        (path[size] == '/' || path[size] == '\0'))
        return path + size;
    return "";
}

static unsigned quota_of(const char *root, bool v2)
{
    CLEANUP_BUF struct buf mounts = { 0 };
    CLEANUP_BUF struct buf groups = { 0 };
    CLEANUP_BUF struct buf buf = { 0 };
    char folder[8192 - 64], *path, *end;
    unsigned least = 0;
    struct mount mount;
    size_t top;
    int size;

    if (!find_mount(root, v2, &mounts, &mount) ||
        (path = find_path(root, v2, &groups)) == NULL)
        return 0;
    top = strlen(root) + strlen(mount.point);
    size = snprintf(folder, sizeof folder, "%s%s%s", root, mount.point,
                    below(path, mount.root));
    if (size < 0 || (size_t)size >= sizeof folder)
        return 0;
    for (;;) {
        unsigned quota = quota_at(folder, v2, &buf);

        if (quota != 0 && (least == 0 || quota < least))
            least = quota;
        end = strrchr(folder, '/');
        if (end == NULL || (size_t)(end - folder) < top)
            return least;
        *end = '\0';
    }
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
