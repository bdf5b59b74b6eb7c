/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place.h - shared memory that has a name: one file in a folder that the
 * system keeps in memory.
 *
 * The folder is /dev/shm/weir-UID: the same for every process of a user,
 * whatever its session (XDG_RUNTIME_DIR is set in some and not in others, and
 * goes with the last of them). It is made with mode 0700 and refused when it
 * is not that: somebody else's, open to others, a link. WEIR_QUEUE_DIR names
 * another one, which may be a group's: whoever may write there is trusted, so
 * it is the user's or root's, not open to all, and in memory.
 *
 * A file is made without a name, filled, and then linked: a name never leads
 * to anything half-made, and whoever dies before leaves nothing.
 */
#ifndef SHM_PLACE_H
#define SHM_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"

enum { PLACE_NAME_MOST = 128 };

/* 1 to PLACE_NAME_MOST of letters, digits, '.', '_' and '-', the first no '.'
 * and no '-'. */
int place_check_name(const char *name, weir_error *err);

/* The folder's descriptor, made when there is none. */
int place_open(weir_error *err);
/* A file without a name, for reading and writing; the descriptor is >= 3. */
int place_create(int folder, mode_t mode, weir_error *err);
/* Gives it its name. -EEXIST, without a sentence: there is one. */
int place_link(int folder, int fd, const char *name, weir_error *err);
/* -ENOENT, without a sentence: there is none of this name. */
int place_find(int folder, const char *name, weir_error *err);
int place_unlink(int folder, const char *name, weir_error *err);
/* Calls @each for each name, in no order; what it returns other than 0 ends
 * it, and is returned. */
int place_each(int folder, int (*each)(const char *name, void *arg), void *arg,
               weir_error *err);

/* The file gets @size bytes, all of them a hole, and is mapped. */
int place_grow(int fd, size_t size, void **base_out, weir_error *err);
int place_map(int fd, void **base_out, size_t *size_out, weir_error *err);
/* Has the pages of a range there: what is touched without them ends in SIGBUS
 * when the folder is full. WEIR_ENOMEM: it is. */
int place_fill(int fd, uint64_t at, uint64_t size);

/*
 * Life tokens: who has number @n shows that it lives, until it gives it back
 * or dies. A lock of an open file description on one byte far behind the end:
 *
 * - It belongs to no thread (a robust mutex does: the end of the thread that
 *   took it looks like a death), and to no process (a POSIX lock does: it goes
 *   with whatever descriptor of this file the process closes, say a second
 *   handle's, and is then taken for a death while the process goes on).
 * - The kernel gives it back with the last descriptor, when all threads of the
 *   process have left for good and after their robust mutexes were marked. So
 *   who is given the token of another has proof that it is dead, without pids;
 *   and the right to clean up after it, alone, until it is given back or this
 *   process dies in turn.
 * - A child of fork shares the description: as long as it keeps the descriptor,
 *   a death would not be seen. That errs on the safe side, and
 *   core/queue/strangers.c closes it in the child.
 */
int life_token_take(int fd, unsigned n); /* -EAGAIN: its owner lives */
void life_token_drop(int fd, unsigned n);

/* The pid namespace of this process, never 0; 0: not known (no /proc). Robust
 * mutexes know their owner by a number that means something in there only. */
uint64_t place_pid_space(void);

#endif
