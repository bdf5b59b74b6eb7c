/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* death.h - how a process of the run ended, and in words. death.c runs in the
 * supervisor, verdict.c in any process. */
#ifndef RUN_DEATH_H
#define RUN_DEATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "queue/queue.h"

/* As the signal: there is no /proc that would tell how a grandchild ended. */
enum { DEATH_UNSEEN = 0 };

/* How a process that is dead and not reaped ended. */
struct death {
    enum cause cause;
    int code;
};

struct memory_kills;

/* --- death.c --- */
struct death death_of(pid_t pid);
/* False: it lives, or is no child of this process. */
bool death_of_child(pid_t pid, struct death *out);
/* A SIGKILL that is none of ours: the kernel's, when its counters say so. */
void death_ask_kernel(struct death *death, struct memory_kills *seen);

/* --- verdict.c --- */
/* What follows "the process": at most DEATH_WORDS bytes. Short, for the middle
 * of a sentence; or with all that is known of why. */
enum { DEATH_WORDS = 256 };
char *death_words(char *out, size_t room, const struct death *death);
/* What follows "the task", of an enum parting. */
const char *parting_words(int code);
char *death_verdict(char *out, size_t room, const struct death *death);

#endif
