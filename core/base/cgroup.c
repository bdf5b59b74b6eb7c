/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup.c - where the control group of this process is: its path in the
 * hierarchy, by /proc/self/cgroup, and where that is mounted, by
 * /proc/self/mountinfo. Any process.
 */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/cleanup.h"
#include "base/fd.h"

/* A machine with tens of thousands of mounts has some MiB of mountinfo. */
enum { FILE_MOST = 64 << 20 };

/* The text of a file; NULL when it cannot be read, or nothing is in it. */
static char *slurp(struct buf *buf, const char *root, const char *name)
{
    char path[PATH_MAX + 256];
    CLEANUP_FD int fd = -1;

    buf_cut(buf, 0);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", root, name) >= sizeof path)
        return NULL;
    fd = open(path, O_RDONLY | O_CLOEXEC);
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

/* -------------------------------------------------------------- mounts ---- */

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

/* Where a hierarchy is mounted, and which group of it is shown there. */
struct mount {
    char *point;
    char *root;
};

/* ID PARENT DEVICE ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER */
static bool parse_mount(char *line, const char *controller, struct mount *mount)
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
    if (strcmp(type, controller == NULL ? "cgroup2" : "cgroup") != 0 ||
        (controller != NULL && (super == NULL || !has_word(super, controller))))
        return false;
    unescape(words[3]);
    unescape(words[4]);
    *mount = (struct mount){ .root = words[3], .point = words[4] };
    return true;
}

/* The mount is in @buf, whose bytes it cuts up. */
static bool find_mount(const char *root, const char *controller,
                       struct buf *buf, struct mount *mount)
{
    char *rest = slurp(buf, root, "proc/self/mountinfo"), *line;

    while ((line = cut(&rest, "\n")) != NULL)
        if (parse_mount(line, controller, mount))
            return true;
    return false;
}

/* --------------------------------------------------------------- groups ----
 */

/* The group in the hierarchy: NUMBER:CONTROLLERS:PATH. */
static char *find_path(const char *root, const char *controller,
                       struct buf *buf)
{
    char *rest = slurp(buf, root, "proc/self/cgroup"), *line;

    while ((line = cut(&rest, "\n")) != NULL) {
        char *number = cut(&line, ":"), *list = line, *end;

        if (number == NULL || list == NULL || (end = strchr(list, ':')) == NULL)
            continue;
        *end = '\0';
        if (controller == NULL ? strcmp(number, "0") == 0 && *list == '\0'
                               : has_word(list, controller))
            return end + 1;
    }
    return NULL;
}

/* What of the path lies below what is mounted; a group outside of it (the
 * namespace is another's) can only be asked at the mount itself. */
static const char *below(const char *path, const char *root)
{
    size_t size = strlen(root);

    if (strcmp(root, "/") == 0)
        return strcmp(path, "/") == 0 ? "" : path;
    if (strncmp(path, root, size) == 0 &&
        (path[size] == '/' || path[size] == '\0'))
        return path + size;
    return "";
}

bool cgroup_find(const char *root, const char *controller, struct cgroup *out)
{
    CLEANUP_BUF struct buf mounts = { 0 };
    CLEANUP_BUF struct buf groups = { 0 };
    struct mount mount;
    /* First what is short: most machines have not both versions. */
    const char *path = find_path(root, controller, &groups);

    if (path == NULL || !find_mount(root, controller, &mounts, &mount))
        return false;
    out->top = strlen(root) + strlen(mount.point);
    return (size_t)snprintf(out->name, sizeof out->name, "%s", path) <
               sizeof out->name &&
           (size_t)snprintf(out->folder, sizeof out->folder, "%s%s%s", root,
                            mount.point,
                            below(path, mount.root)) < sizeof out->folder;
}

bool cgroup_up(struct cgroup *group)
{
    char *end = strrchr(group->folder, '/'), *name = strrchr(group->name, '/');

    if (end == NULL || (size_t)(end - group->folder) < group->top)
        return false;
    *end = '\0';
    if (name != NULL)
        name[name == group->name ? 1 : 0] = '\0';
    return true;
}

/* --------------------------------------------------------------- files ---- */

char *cgroup_text(const struct cgroup *group, const char *file, struct buf *buf)
{
    return slurp(buf, group->folder, file);
}

static bool read_number(const char *text, uint64_t *out)
{
    return text != NULL && sscanf(text, "%" SCNu64, out) == 1;
}

bool cgroup_number(const struct cgroup *group, const char *file,
                   const char *line, uint64_t *out)
{
    CLEANUP_BUF struct buf buf = { 0 };
    char *rest = cgroup_text(group, file, &buf), *each;

    if (line == NULL)
        return read_number(rest, out);
    while ((each = cut(&rest, "\n")) != NULL) {
        char *word = cut(&each, " ");

        if (word != NULL && strcmp(word, line) == 0)
            return read_number(each, out);
    }
    return false;
}
