/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exit.h - how a process ended, as a record and in words. */
#ifndef PROCESS_EXIT_H
#define PROCESS_EXIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

/* How a process ended. */
struct exit_record {
    bool signaled;
    int code;  /* exit status, or the signal's number */
    bool core; /* memory was dumped */
    struct rusage usage;
    bool lost;    /* somebody else took the status: code says nothing */
    bool refused; /* the worker's function returned what is no exit status */
    int returned; /* then: what it returned; code is EXIT_REFUSED */
    int64_t lived_ns; /* of a process with a handle: from its start to its end
                       */
};

enum {
    EXIT_REFUSED = 255, /* status of a worker whose return value is refused */
    EXIT_WORDS = 96,    /* bytes that exit_words may fill */
};

/* From what wait4 gave. */
struct exit_record exit_from_wait(int status, const struct rusage *usage);
/* The record of a process whose status nobody can have any more. */
struct exit_record exit_lost(void);

/* "exited with status 3", "killed by SIGSEGV (memory was dumped)"; @out has
 * EXIT_WORDS bytes; returns @out. */
char *exit_words(char *out, const struct exit_record *record);

#endif
