/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stat.c - what the kernel says of a process. In any process; see stat.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/stat.h"

/* There may be no /proc, or one that hides the processes of others. */
static int why_unseen(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH ? -ESRCH : -ENOSYS;
}

/* All of /proc/@pid/@name, of this process when @pid is 0. 0, or a code. */
static int read_line(pid_t pid, const char *name, char *text, size_t room)
{
    char path[64];
    ssize_t size;
    CLEANUP_FD int fd = -1;

    if (pid == 0)
        snprintf(path, sizeof path, "/proc/self/%s", name);
    else
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? why_unseen(pid) : -errno;
    size = fd_read_all(fd, text, room - 1);
    if (size <= 0)
        return size < 0 ? (int)size : -ESRCH;
    text[size] = '\0';
    return 0;
}

int stat_read(pid_t pid, struct stat_line *line_out)
{
    char text[1024];
    struct stat_line line;
    const char *end, *last;
    int code = read_line(pid, "stat", text, sizeof text);

    if (code < 0)
        return code;
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

uint64_t stat_own_bytes(pid_t pid)
{
    char text[128];
    uint64_t resident, shared;

    if (read_line(pid, "statm", text, sizeof text) < 0 ||
        sscanf(text, "%*u %" SCNu64 " %" SCNu64, &resident, &shared) != 2 ||
        resident < shared)
        return 0;
    return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}
