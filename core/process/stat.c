/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stat.c - what the kernel says of a process. In any process; see stat.h. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "process/stat.h"

bool stat_read(pid_t pid, struct stat_line *line_out)
{
    char path[64], text[1024];
    struct stat_line line;
    unsigned long long ticks;
    const char *end;
    ssize_t size;
    CLEANUP_FD int fd = -1;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size = fd_read_all(fd, text, sizeof text - 1);
    if (size <= 0)
        return false;
    text[size] = '\0';
    /* The name may hold anything, also ')': the last one ends it. */
    end = strrchr(text, ')');
    if (end == NULL ||
        sscanf(end,
               ") %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
               "%*d %*d %*d %llu",
               &line.state, &line.parent, &line.group, &line.session,
               &ticks) != 5)
        return false;
    line.start_ticks = ticks;
    *line_out = line;
    return true;
}
