/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* actor.h - processes that do one thing with shared memory, and may be killed
 * at a named point while they do it. */
#ifndef SHM_ACTOR_H
#define SHM_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/base.h"
#include "lib/suites.h"
#include "shm/shm.h"

Suite *available_suite(void);
Suite *lock_suite(void);
Suite *memory_suite(void);
Suite *mutex_suite(void);
Suite *spin_suite(void);
Suite *store_suite(void);
Suite *store_deaths_suite(void);
Suite *wait_suite(void);

/* Shared by all that are forked from now on; zeroed, gone with the test. */
void *shared(size_t size);

/* Forks one that does @act and ends with what it returns; @fault as in
 * WEIR_FAULT ("lock.taken:1:kill"), NULL: none. */
pid_t actor(int (*act)(void *arg), void *arg, const char *fault);
/* Waits for it, within a bound: it returned @code. */
void returned(pid_t pid, int code);
/* It was killed, at its point or by the test. */
void killed(pid_t pid);
/* It is stopped at its point. */
void stopped(pid_t pid);

/* Whether a word is, or soon becomes, @value. */
bool becomes(const _Atomic uint32_t *word, uint32_t value);
/* Whether the process is, or soon gets, asleep in a system call. */
bool falls_asleep(pid_t pid);

/* A deadline that only a hang passes. */
int64_t soon(void);

#endif
