/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stat.h - what the kernel says of any process, by /proc/PID/stat. */
#ifndef PROCESS_STAT_H
#define PROCESS_STAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct stat_line {
    char state;
    pid_t parent;
    pid_t group;
    pid_t session;
    uint64_t start_ticks; /* since boot: with the pid, it names a process */
};

/* False: it is gone, or there is no /proc. */
bool stat_read(pid_t pid, struct stat_line *line_out);

#endif
