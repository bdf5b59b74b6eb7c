/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* death.c - how a process of the run ended, before it is reaped. Runs in the
 * supervisor. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/supervisor.h"

/* Its owner sees its status there until it reaps it. */
struct death death_of(pid_t pid)
{
    struct stat_line line;

    /* Gone already: the kernel killed it together with its nursery. */
    if (stat_read(pid, &line) != 0)
        return (struct death){ CAUSE_SIGNAL, SIGKILL };
    if (WIFSIGNALED(line.status))
        return (struct death){ CAUSE_SIGNAL, WTERMSIG(line.status) };
    return (struct death){ CAUSE_EXIT, WEXITSTATUS(line.status) };
}

char *death_words(char *out, size_t room, const struct death *death)
{
    if (death->cause == CAUSE_MEMORY)
        snprintf(out, room, "was killed at its memory limit, with %d MiB",
                 death->code);
    else if (death->cause == CAUSE_LIMIT && death->code == LIMIT_SILENT)
        snprintf(out, room, "was killed for want of a sign of life");
    else if (death->cause == CAUSE_LIMIT)
        snprintf(out, room, "was killed at its time limit");
    else if (death->cause == CAUSE_SIGNAL)
        snprintf(out, room, "was killed by %s", text_signal(death->code));
    else
        snprintf(out, room, "ended with exit status %d", death->code);
    return out;
}
