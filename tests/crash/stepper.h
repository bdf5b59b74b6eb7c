/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stepper.h - a child that is taken through what it does by ptrace: one
 * instruction at a time, or up to the k-th of a way that another like it has
 * gone. On x86-64 alone: elsewhere a breakpoint is another, and where a lock is
 * taken by two instructions that must not be parted (arm64) no step ever takes
 * it. Whatever cannot be fails the test.
 */
#ifndef CRASH_STEPPER_H
#define CRASH_STEPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __x86_64__
#define STEPPER_WORKS 1
#else
#define STEPPER_WORKS 0
#endif

enum { STEPPER_MOST = 1 << 19 };

/* Where each instruction stands, in the order in which they come. */
struct path {
    unsigned count;
    uintptr_t at[STEPPER_MOST];
};

/* A child that is to do this, and stands before it. 0: no process may be traced
 * here. */
pid_t stepper_fork(void (*act)(void *arg), void *arg);
/* To its end, which must be a good one. */
void stepper_walk(pid_t pid, struct path *path);
/* So many instructions; false: it has ended before. */
bool stepper_step(pid_t pid, unsigned count);
/* From its start: true, now it stands before the k-th. False: it has ended, for
 * it did not come by there as often. By a breakpoint, so that it takes as many
 * stops as that instruction was passed before. */
bool stepper_reach(pid_t pid, const struct path *path, unsigned k);
void stepper_kill(pid_t pid);

#endif
