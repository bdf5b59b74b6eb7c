/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * terminal.c - the foreground group of the terminal: runs in a child and in
 * the helper. See terminal.h.
 *
 * Each child leads a process group, so that signals reach all of it. Such a
 * group may read from the terminal only in the foreground: otherwise it stops
 * at SIGTTIN. So the child takes the foreground, as a job of a shell does, and
 * the helper gives it back, also when nobody joins.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/base.h"
#include "process/terminal.h"

/* Who is in the background is stopped at tcsetpgrp, unless it blocks that. */
static int set_foreground(int fd, pid_t group)
{
    sigset_t set, before;
    int code = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    sigprocmask(SIG_BLOCK, &set, &before);
    if (tcsetpgrp(fd, group) < 0)
        code = -errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return code;
}

int terminal_take(pid_t owner)
{
    pid_t foreground = tcgetpgrp(STDIN_FILENO);
    int code;

    if (foreground < 0)
        return 0; /* no terminal, or none of this session */
    if (foreground != getpgid(owner))
        return -EBUSY;
    code = set_foreground(STDIN_FILENO, getpgrp());
    /* Nobody would continue it: the shell knows the program's group only. */
    if (code == 0)
        signal(SIGTSTP, SIG_IGN);
    return code;
}

void terminal_give_back(pid_t group, pid_t owner)
{
    CLEANUP_FD int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    pid_t foreground, to = getpgid(owner);

    if (fd < 0 || to < 0)
        return;
    foreground = tcgetpgrp(fd);
    /* Also when it has handed it on to a group that is gone. */
    if (foreground == group ||
        (foreground > 0 && kill(-foreground, 0) < 0 && errno == ESRCH))
        set_foreground(fd, to);
}
