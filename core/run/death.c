/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* death.c - how a process of the run ended, before it is reaped. Runs in the
 * supervisor. */
#include "config.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/death.h"
#include "shm/memory.h"

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

void death_ask_kernel(struct death *death, struct memory_kills *seen)
{
    struct memory_kills now;
    int code;

    if (death->cause != CAUSE_SIGNAL || death->code != SIGKILL)
        return;
    memory_kills_look(&now);
    code = memory_kills_judge(seen, &now);
    if (code != MEMORY_KILL_NOT)
        *death = (struct death){ CAUSE_OUT, code };
}
