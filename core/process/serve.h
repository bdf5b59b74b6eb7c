/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* serve.h - what process handles ask of the helper: a word, then numbers and
 * counted bytes; see base/buf.h. */
#ifndef PROCESS_SERVE_H
#define PROCESS_SERVE_H

#include <stdint.h>
#include <sys/types.h>

#include "process/exit.h"

enum serve_word {
    SERVE_START = 1, /* u32 flags, u64 run, counted name, counted identity, and
                      * what orders.c writes; descriptors: the report's pipe, if
                      * flags say so, those given, those of the queues. Answer:
                      * struct serve_started, a pidfd */
    SERVE_EXIT,      /* u64 id; answered when it has ended, by an exit_record:
                      * the last that is said of it */
    SERVE_SIGNAL,    /* u64 id, u64 signal */
    SERVE_STOP,      /* u64 id, u64 grace, ns: SIGTERM now, then SIGKILL */
    SERVE_FORGET,    /* u64 id: nobody will ask how it ended */
};

enum serve_flag {
    START_DETACHED = 1 << 0,
    START_REPORT = 1 << 1,  /* it says by a pipe how its start went */
    START_TERMINAL = 1 << 2 /* its stdin is given: it may be the terminal */
};

struct serve_started {
    uint64_t id;
    pid_t pid;
};

/* What a child says of its own start: code 0, or what was refused. */
struct serve_report {
    int code;
    char text[256];
};

#endif
