/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sync.c - see sync.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/sync.h"

int sync_fd(int fd)
{
    int code;

    do
        code = fsync(fd) < 0 ? -errno : 0;
    while (code == -EINTR);
    return code == -EINVAL || code == -EROFS || code == -ENOTSUP ? 0 : code;
}

int sync_path(const char *path, int flags)
{
    /* One that is a pipe now must not be waited for. */
    CLEANUP_FD int fd = open(path, O_RDONLY | flags | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0)
        return sync_fd(fd);
    if (errno == EACCES || errno == EPERM) {
        sync();
        return 0;
    }
    return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : 0;
}

int sync_folder_of(const char *path)
{
    CLEANUP_FREE char *folder = strdup(path);
    char *slash = folder != NULL ? strrchr(folder, '/') : NULL;

    if (slash == NULL)
        return folder != NULL ? 0 : WEIR_ENOMEM;
    slash[slash == folder] = '\0';
    return sync_path(folder, O_DIRECTORY);
}
