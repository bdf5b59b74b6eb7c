/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recorder.h - what the journal process of a run is told. Private to core/run.
 */
#ifndef RUN_RECORDER_H
#define RUN_RECORDER_H

#include "queue/queue.h"
#include "run/run.h"

/* To the process: a checkpoint now; the end. From it: it is ready, the
 * checkpoint is made; it cannot go on. */
enum recorder_kind {
    RECORDER_CHECKPOINT = 1,
    RECORDER_END = 2,
    RECORDER_READY = 3,
    RECORDER_DONE = 4,
    RECORDER_FAILED = 5,
};

enum { RECORDER_TEXT = 1000 };

struct recorder_message {
    uint32_t kind;
    int32_t status, signal;
    uint32_t has_text;
    char text[RECORDER_TEXT]; /* ends with a NUL */
};

struct recorder_place {
    const struct run_journal *journal;
    struct segment *segment;
    int socket;             /* does not block */
    int output;             /* a file: synced with the others; -1 */
    unsigned state_count;   /* members that may save */
    const int (*states)[2]; /* of each member: its two files; -1: none */
};

int recorder_main(struct recorder_place *place);

#endif
