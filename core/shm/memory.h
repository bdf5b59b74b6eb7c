/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.h - a sealed memfd, mapped shared; and how much memory is left,
 * and who was killed for want of it. */
#ifndef SHM_MEMORY_H
#define SHM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

/* A new sparse memfd of @size bytes, sealed against shrinking and growing,
 * mapped at *base_out. The descriptor is >= 3 and close-on-exec. */
int memory_create(const char *name, size_t size, int *fd_out, void **base_out,
                  weir_error *err);
/* Maps what another process made; its size is read from the descriptor, and
 * one without the seals is refused. */
int memory_map(int fd, void **base_out, size_t *size_out, weir_error *err);
/* The same memory at another place, where it can only be read. NULL: there is
 * no address space left for that. */
void *memory_map_again(int fd, size_t size);
void memory_unmap(void *base, size_t size);
/* A child of this process shall not have the mapping (a task's own fork). */
int memory_dontfork(void *base, size_t size);
/* Gives the pages of a range back; they read as zeros. It begins and ends at
 * a page. */
int memory_punch(void *start, size_t size);
/* Has the pages of a range there at once, in one go. Best effort: kernels
 * before Linux 5.14 do it when they are touched. */
void memory_populate(void *start, size_t size);
/* The range may be of huge pages, where the system lets those who ask have
 * them. Best effort: no memory is taken, nothing else changes. */
void memory_allow_huge(void *start, size_t size);
size_t memory_page(void); /* bytes */

/*
 * Who still has it: memory_hold marks the open file that all duplicates of
 * this descriptor share, wherever they travel; memory_reopen gives one that
 * does not count (needs /proc); memory_held, by the latter, whether any
 * duplicate of the marked one is left in any process. The kernel counts, so
 * a death is never missed.
 */
int memory_hold(int fd);
int memory_reopen(int fd);
bool memory_held(int reopened_fd);

/* Bytes that this process could still take before the machine or one of its
 * cgroups (v1 and v2) is full; UINT64_MAX when it cannot be known. */
uint64_t memory_available(void);
/* The same; @root stands before each path that is read: "" but in tests. */
uint64_t memory_available_under(const char *root);

/* --- kills.c: who was killed for want of memory --- */

enum { MEMORY_LEVELS = 16 };

/* What the kernel has counted so far. */
struct memory_kills {
    bool has_machine, has_group;
    uint64_t machine; /* killed, on the whole machine */
    uint64_t group;   /* killed, in the cgroup of this process */
    /* From that one up: how often a limit was met, and nothing was to be had.
     */
    unsigned levels;
    uint64_t hits[MEMORY_LEVELS];
    unsigned full; /* a bit of each that was ever full of memory and swap */
};

/* Of one that died of SIGKILL: from 0 on, at the limit of the cgroup so many
 * levels up. */
enum {
    MEMORY_KILL_MACHINE = -1, /* the machine had none left */
    MEMORY_KILL_PERHAPS = -2, /* not to be known */
    MEMORY_KILL_NOT = -3,
};

void memory_kills_look(struct memory_kills *out);
/* Of one that was alive when @seen was looked at, and dead @now. What tells of
 * it goes over into @seen, so that it tells of one alone. */
int memory_kills_judge(struct memory_kills *seen,
                       const struct memory_kills *now);
/* The name of this process's cgroup so many levels up; cut to fit. */
bool memory_group(int level, char *out, size_t room);
/* The same; @root stands before each path that is read. */
void memory_kills_look_under(const char *root, struct memory_kills *out);
bool memory_group_under(const char *root, int level, char *out, size_t room);

#endif
