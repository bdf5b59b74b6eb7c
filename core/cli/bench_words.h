/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench_words.h - the rows of `weir bench`, and what their figures say of this
 * machine. The command's own process. */
#ifndef CLI_BENCH_WORDS_H
#define CLI_BENCH_WORDS_H

#include "base/base.h"

enum bench_id {
    BENCH_CALL,
    BENCH_CALL_ASLEEP,
    BENCH_ASYNC,
    BENCH_MAP,
    BENCH_QUEUE,
    BENCH_BATCH,
    BENCH_64K,
    BENCH_1M,
    BENCH_START,
    BENCH_RECOVERY,
    BENCH_ROWS,
};

/* ns for one operation over some rounds; all 0: not measured. */
struct bench_figure {
    double median, least, most;
};

struct bench_measured {
    struct bench_figure weir, bare;
};

struct bench_machine {
    unsigned processors; /* that may be used */
    unsigned workers;    /* of async and map */
    char model[128];     /* of the processor; "" when it is not known */
};

/* Calls @say for each sentence; only rows that were measured speak. */
void bench_words(const struct bench_machine *machine,
                 const struct bench_measured rows[BENCH_ROWS],
                 void (*say)(const char *sentence, void *arg), void *arg);

#endif
