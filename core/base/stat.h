/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stat.h - what the kernel says of any process or thread, by its lines in
 * /proc/ID/stat and statm: the one place that reads them. */
#ifndef BASE_STAT_H
#define BASE_STAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct stat_line {
    char state; /* 'R', 'S', 'T', 'Z', ... */
    pid_t parent;
    pid_t group;
    pid_t session;
    uint64_t start_ticks; /* since boot: with the pid, it names a process */
    int status; /* as of waitpid, once it is dead; 0 if it is not ours to see */
};

/* 0; -ESRCH: there is no such process; another negative code: not known, there
 * may be no /proc. */
int stat_read(pid_t pid, struct stat_line *line_out);

/* Memory that is its own: resident, and neither a file's nor shared. What it
 * has of its parent from its birth counts, too, touched or not. @pid 0: this
 * process. In bytes; 0: not known, it may be dead. */
uint64_t stat_own_bytes(pid_t pid);

/* Stopped by a signal or by a debugger. */
static inline bool stat_is_stopped(const struct stat_line *line)
{
    return line->state == 'T' || line->state == 't';
}

/* Dead, if not reaped. */
static inline bool stat_is_dead(const struct stat_line *line)
{
    return line->state == 'Z' || line->state == 'X';
}

#endif
