/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* death.c - how a process of the run ended, before it is reaped. Runs in the
 * supervisor. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/supervisor.h"

/* The status of a process that is dead and not reaped stands at the end of
 * its line in /proc, for its owner to see; -1 when it is not to be had. */
static int status_of(pid_t pid)
{
    char path[64], text[1024];
    const char *last;
    ssize_t size;
    CLEANUP_FD int fd = -1;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size = fd_read_all(fd, text, sizeof text - 1);
    if (size <= 0)
        return -1;
    text[size] = '\0';
    last = strrchr(text, ' ');
    return last != NULL ? atoi(last + 1) : -1;
}

struct death death_of(pid_t pid)
{
    int status = status_of(pid);

    /* Gone already: the kernel killed it together with its nursery. */
    if (status < 0)
        return (struct death){ CAUSE_SIGNAL, SIGKILL };
    if (WIFSIGNALED(status))
        return (struct death){ CAUSE_SIGNAL, WTERMSIG(status) };
    return (struct death){ CAUSE_EXIT, WEXITSTATUS(status) };
}

char *death_words(char *out, size_t room, const struct death *death)
{
    if (death->cause == CAUSE_LIMIT)
        snprintf(out, room, "was killed at its time limit");
    else if (death->cause == CAUSE_SIGNAL)
        snprintf(out, room, "was killed by %s", text_signal(death->code));
    else
        snprintf(out, room, "ended with exit status %d", death->code);
    return out;
}
