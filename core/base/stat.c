/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stat.c - what the kernel says of a process. In any process; see stat.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/stat.h"

int stat_read(pid_t pid, struct stat_line *line_out)
{
    char path[64], text[1024];
    struct stat_line line;
    const char *end, *last;
    ssize_t size;
    CLEANUP_FD int fd = -1;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    size = fd_read_all(fd, text, sizeof text - 1);
    if (size <= 0)
        return size < 0 ? (int)size : -ESRCH;
    text[size] = '\0';
    /* The name may hold anything, also ')': the last one ends it. The status is
     * what comes last. */
    end = strrchr(text, ')');
    last = strrchr(text, ' ');
    if (end == NULL ||
        sscanf(end,
               ") %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
               "%*d %*d %*d %" SCNu64,
               &line.state, &line.parent, &line.group, &line.session,
               &line.start_ticks) != 5)
        return WEIR_EBROKEN;
    line.status = atoi(last + 1);
    *line_out = line;
    return 0;
}
