/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.c - what workers have of memory. Runs in the supervisor.
 *
 * It is measured, MEMORY_NS apart, and only where the stage has a limit. A
 * limit of the kernel's on a process counts other things: RLIMIT_AS the address
 * space that the segment sets aside, many times what is used; RLIMIT_DATA what
 * was asked for and never touched; and where it strikes, malloc says no, which
 * a task may not look at. What is counted here is what would be free again
 * without the worker: resident pages less those of files and of shared memory.
 * Who takes it all between two looks meets the cgroup's limit, or the
 * machine's.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "run/supervisor.h"

#define MEMORY_NS (50 * NS_PER_MS)

/* 0 when it cannot be known: it is dead, or there is no /proc. */
static uint64_t memory_of(pid_t pid)
{
    static const char form[] = "%*u %llu %llu";
    unsigned long long resident, shared;
    char path[32], text[128] = "";
    ssize_t size;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0 || sscanf(text, form, &resident, &shared) != 2 ||
        resident < shared)
        return 0;
    return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* At once: while it is asked to go, it may take more. */
static void strike(struct seat *seat, uint64_t bytes)
{
    seat->struck = seat->killed = true;
    seat->verdict = (struct death){ CAUSE_MEMORY, (int)(bytes >> 20) };
    kill(-seat->pid, SIGKILL);
}

int64_t memory_watch(struct supervisor *sup)
{
    bool any = false;

    if (sup->now < sup->memory_ns)
        return sup->memory_ns;
    for (unsigned i = 0; i < sup->plan.workers; i++) {
        struct seat *seat = &sup->seats[i];
        uint64_t most = sup->stages[seat->stage].job->memory, bytes;

        if (most == 0 || seat->state != SEAT_LIVE || seat->killed)
            continue;
        any = true;
        bytes = memory_of(seat->pid);
        if (bytes > most)
            strike(seat, bytes);
    }
    sup->memory_ns = any ? sup->now + MEMORY_NS : 0;
    return any ? sup->memory_ns : FOREVER;
}
