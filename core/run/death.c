/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* death.c - how a process of the run ended, before it is reaped. Runs in the
 * supervisor. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/death.h"
#include "shm/memory.h"

bool death_of_child(pid_t pid, struct death *out)
{
    siginfo_t info = { .si_pid = 0 };

    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid != pid)
        return false;
    out->cause = info.si_code == CLD_EXITED ? CAUSE_EXIT : CAUSE_SIGNAL;
    out->code = info.si_status;
    return true;
}

/* Its owner sees its status there until it reaps it. */
struct death death_of(pid_t pid)
{
    struct stat_line line;
    struct death death;
    int code;

    if (death_of_child(pid, &death))
        return death;
    code = stat_read(pid, &line);
    /* Gone already: the kernel killed it together with its nursery. */
    if (code == -ESRCH)
        return (struct death){ CAUSE_SIGNAL, SIGKILL };
    if (code < 0)
        return (struct death){ CAUSE_SIGNAL, DEATH_UNSEEN };
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
