/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.c - what workers have of memory. Runs in the supervisor.
 *
 * It is measured, MEMORY_NS apart, and only where the stage has a limit, or
 * replaces workers for their size. A limit of the kernel's on a process counts
 * other things: RLIMIT_AS the address space that the segment sets aside, many
 * times what is used; RLIMIT_DATA what was asked for and never touched; and
 * where it strikes, malloc says no, which a task may not look at. What is
 * counted here is what would be free again without the worker: resident pages
 * less those of files and of shared memory. Who takes it all between two looks
 * meets the cgroup's limit, or the machine's.
 */
#include "config.h"

#include <signal.h>

#include "run/supervisor.h"

#define MEMORY_NS (50 * NS_PER_MS)

/* At once: while it is asked to go, it may take more. */
static void strike(struct seat *seat, uint64_t bytes)
{
    seat->struck = seat->killed = true;
    seat->verdict = (struct death){ CAUSE_MEMORY, (int)(bytes >> 20) };
    kill(-seat->pid, SIGKILL);
}

static bool watch_seat(struct seat *seat, const struct job_stage *job)
{
    uint64_t bytes;

    if (seat->state != SEAT_LIVE || seat->killed)
        return false;
    bytes = stat_own_bytes(seat->pid);
    if (job->memory > 0 && bytes > job->memory)
        strike(seat, bytes);
    else if (job->recycle.bytes > 0 && bytes > job->recycle.bytes)
        seat->wish |= seat->ready && !seat->large;
    return true;
}

int64_t memory_watch(struct supervisor *sup)
{
    bool any = false;

    if (sup->now < sup->memory_ns)
        return sup->memory_ns;
    for (unsigned i = 0; i < sup->job->stages.count; i++) {
        const struct job_stage *job = sup->stages[i].job;
        struct seat *seats = sup->seats + sup->plan.first[i];

        if (job->memory == 0 && job->recycle.bytes == 0)
            continue;
        for (unsigned k = 0; k < job->workers; k++)
            any |= watch_seat(&seats[k], job);
    }
    sup->memory_ns = any ? sup->now + MEMORY_NS : 0;
    return any ? sup->memory_ns : FOREVER;
}
