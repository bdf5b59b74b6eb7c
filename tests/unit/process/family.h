/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* family.h - a context and its children, for the suites that know no more than
 * the public calls; children speak by a pipe that they keep. */
#ifndef PROCESS_FAMILY_H
#define PROCESS_FAMILY_H

#include "lib/suites.h"
#include "watch.h"

extern weir_context *family; /* open between setup and teardown */
extern int family_pipe[2];

void family_setup(void);
/* Also that no descriptor and no process is left. */
void family_teardown(void);

weir_process *family_make(const weir_process_options *options);
weir_process *family_start(const weir_process_options *options);
/* Of a function alone. */
weir_process *family_run(int (*run)(weir_child *self));
/* Joins, frees, tells. */
weir_exit family_finish(weir_process *process);

/* In a child, and where it is heard. */
int family_tell(const void *data, size_t size);
void family_hear(void *data, size_t size);

/* Functions of children. */
int family_sleep(weir_child *self);    /* until it is killed */
int family_stubborn(weir_child *self); /* tells 's', ignores all it can */
int family_return(weir_child *self);   /* the int of its argument */

/* What a program does in a process of its own, which may end as it likes:
 * returns its pid; its exit status 70 means that an assertion failed. */
pid_t family_program(void (*program)(void));
/* How it ended, as wait says; within the bound. */
int family_program_end(pid_t pid);

#endif
