/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * beneath.c - open below a root, and nowhere else. Runs in workers.
 *
 * openat2 does it in one call where the kernel has it and no filter refuses
 * it; else each component is opened by itself, never through a link. Both
 * refuse the same.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "beneath.h"

bool file_beneath_walks;

static int make_all(const char *path)
{
    char part[PATH_MAX];
    size_t size = strlen(path);

    if (size >= sizeof part)
        return -ENAMETOOLONG;
    memcpy(part, path, size + 1);
    for (size_t i = 1; i <= size; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0777) < 0 && errno != EEXIST) {
            int code = -errno;

            if (access(part, F_OK) < 0)
                return code;
        }
        part[i] = path[i];
    }
    return 0;
}

int file_root_open(const char *path, bool make, struct file_root *out)
{
    int code = make ? make_all(path) : 0;

    if (code < 0)
        return code;
    if (!realpath(path, out->path))
        return -errno;
    out->fd = open(out->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return out->fd < 0 ? -errno : 0;
}

void file_root_close(struct file_root *root)
{
    if (root->fd >= 0)
        close(root->fd);
    root->fd = -1;
}

const char *file_name_parse(const char *text, struct file_name *out)
{
    size_t size = 0;

    if (text[0] == '/')
        return "it is absolute";
    for (const char *at = text; *at != '\0';) {
        size_t part = strcspn(at, "/");
        bool skip = part == 0 || (part == 1 && at[0] == '.');

        if (part == 2 && at[0] == '.' && at[1] == '.')
            return "it has '..' in it";
        if (size + part + 2 > sizeof out->text)
            return "it is too long";
        if (!skip) {
            if (size > 0)
                out->text[size++] = '/';
            out->last = size;
            memcpy(out->text + size, at, part);
            size += part;
        }
        at += part;
        if (*at == '/' && *++at == '\0')
            return "it ends in a slash";
        if (skip && *at == '\0')
            return "it names a folder";
    }
    out->text[size] = '\0';
    return size > 0 ? NULL : "it is empty";
}

/* A descriptor, a negated errno, or -ENOSYS where the call is not to be had;
 * a sandbox that does not know it may answer EPERM. */
static int open_at_once(int root, const char *name, uint64_t flags)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    long fd;

    if (file_beneath_walks)
        return -ENOSYS;
    do {
        fd = syscall(SYS_openat2, root, name, &how, sizeof how);
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd < 0)
        return errno == EPERM || errno == E2BIG || errno == EINVAL ? -ENOSYS
                                                                   : -errno;
    return (int)fd;
}

/* One component; never through a link. With O_NOFOLLOW a link that is asked
 * for as a folder is ENOTDIR, or ELOOP: one answer for both. */
static int open_part(int folder, const char *part, bool make)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat st;
    int fd;

    if (make && mkdirat(folder, part, 0777) < 0 && errno != EEXIST)
        return -errno;
    fd = openat(folder, part, flags);
    if (fd >= 0)
        return fd;
    fd = -errno;
    if (fstatat(folder, part, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(st.st_mode))
        return -ELOOP;
    return fd;
}

static int walk_down(int root, const char *path, bool make)
{
    char part[NAME_MAX + 1];
    int fd = fcntl(root, F_DUPFD_CLOEXEC, 3);

    if (fd < 0)
        return -errno;
    for (const char *at = path; *at != '\0' && fd >= 0;) {
        size_t size = strcspn(at, "/");
        int next = -ENAMETOOLONG;

        if (size < sizeof part) {
            memcpy(part, at, size);
            part[size] = '\0';
            next = open_part(fd, part, make);
        }
        close(fd);
        fd = next;
        at += size + (at[size] == '/');
    }
    return fd;
}

int file_folder_open(const struct file_root *root, const struct file_name *name,
                     bool make)
{
    char path[PATH_MAX];
    size_t size = name->last > 0 ? name->last - 1 : 0;
    int fd;

    memcpy(path, name->text, size);
    path[size] = '\0';
    fd = size > 0 ? open_at_once(root->fd, path, O_RDONLY | O_DIRECTORY)
                  : -ENOSYS;
    if (fd == -ENOSYS || (fd == -ENOENT && make))
        fd = walk_down(root->fd, path, make);
    return fd;
}

int file_beneath_read(const struct file_root *root,
                      const struct file_name *name)
{
    const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    int folder, fd = open_at_once(root->fd, name->text, (uint64_t)flags);

    if (fd != -ENOSYS)
        return fd;
    folder = file_folder_open(root, name, false);
    if (folder < 0)
        return folder;
    fd = openat(folder, name->text + name->last,
                flags | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        fd = -errno;
    close(folder);
    return fd;
}
