/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* child.h - in a child of a context: who it is, what its order says it should
 * have, and whose child it is. */
#ifndef PROCESS_CHILD_H
#define PROCESS_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include <weir/process.h>

#include "process/nursery.h"

struct helper_service;

enum {
    NAME_MOST = 255,     /* bytes of a process's name */
    IDENTITY_MOST = 127, /* "1:4:2" */
    NUMBER_MOST = 1023,  /* of a descriptor that a child is given */
};

/* What a child knows of the program that has opened its context. */
struct lineage {
    pid_t pid;
    uint64_t start_ticks; /* so that a reused number is not taken for it */
    char name[NAME_MOST + 1];
};

/* This process as its children will see it. */
void child_lineage(struct lineage *lineage_out);
/* "" in a program; "1:2" in the second child of the first one. */
const char *child_identity(void);
/* The number of this process's next child, from 1. */
unsigned child_next_number(void);

/* First thing in a worker: it is a child now, known by this name until its
 * order gives it another. */
void child_enter(const struct lineage *parent, const char *name);

/* The whole life of a started child; returns its exit status. */
int child_main(const struct helper_service *const *services,
               const struct nursery_order *order);

#endif
