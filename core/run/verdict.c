/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verdict.c - how a process of the run ended, in words. The same in the
 * supervisor's log and in the worker that gives up the item. Any process of
 * the run: the names of cgroups are those of this one.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>

#include "run/death.h"
#include "shm/memory.h"

const char *parting_words(int code)
{
    switch (code) {
    case PARTING_FDS:
        return "closed descriptors that were weir's";
    case PARTING_PAST:
        return "wrote past the end of an output";
    default:
        return "jumped out of its call";
    }
}

char *death_words(char *out, size_t room, const struct death *death)
{
    switch (death->cause) {
    case CAUSE_MEMORY:
        snprintf(out, room, "was killed at its memory limit, with %d MiB",
                 death->code);
        break;
    case CAUSE_OUT:
        snprintf(out, room, "was killed %s",
                 death->code == MEMORY_KILL_PERHAPS ? "by SIGKILL"
                                                    : "for want of memory");
        break;
    case CAUSE_LIMIT:
        snprintf(out, room, "was killed %s",
                 death->code == LIMIT_SILENT ? "for want of a sign of life"
                                             : "at its time limit");
        break;
    case CAUSE_KILLED:
        snprintf(out, room, "was killed %s",
                 death->code == KILL_HOLDER ? "because it was stopped while it "
                                              "held a lock"
                                            : "with its nursery");
        break;
    case CAUSE_SIGNAL:
        if (death->code == DEATH_UNSEEN)
            snprintf(out, room, "died, and without /proc nobody sees of what");
        else
            snprintf(out, room, "was killed by %s", text_signal(death->code));
        break;
    default:
        if (death->code >= PARTING_FIRST)
            snprintf(out, room, "ended itself: its task %s",
                     parting_words(death->code));
        else
            snprintf(out, room, "ended with exit status %d", death->code);
        break;
    }
    return out;
}

/* Those that a process mostly sends itself, by a fault of its own. */
static bool is_crash(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL ||
           signal == SIGFPE || signal == SIGABRT || signal == SIGSYS ||
           signal == SIGTRAP;
}

static void out_of_memory(char *out, size_t room, int code)
{
    char group[128];

    if (code == MEMORY_KILL_PERHAPS)
        snprintf(out, room,
                 "was killed by SIGKILL, which weir did not send; perhaps for "
                 "want of memory: the kernel's log tells");
    else if (code == MEMORY_KILL_MACHINE)
        snprintf(out, room,
                 "was killed by the kernel: the machine was out of memory");
    else if (memory_group(code, group, sizeof group))
        snprintf(out, room,
                 "was killed by the kernel: out of memory, by the limit of "
                 "cgroup '%s'",
                 group);
    else
        snprintf(out, room,
                 "was killed by the kernel: out of memory, by the limit of a "
                 "cgroup");
}

char *death_verdict(char *out, size_t room, const struct death *death)
{
    if (death->cause == CAUSE_OUT)
        out_of_memory(out, room, death->code);
    else if (death->cause == CAUSE_SIGNAL && death->code != DEATH_UNSEEN &&
             !is_crash(death->code))
        snprintf(out, room, "was killed by %s, which weir did not send",
                 text_signal(death->code));
    else
        death_words(out, room, death);
    return out;
}
