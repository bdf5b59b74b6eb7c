/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench.h - what the programs of the suite share. Each runs one row for about
 * WEIR_BENCH_SECONDS (half a second) and prints one number: ns for one
 * operation, unless its row says otherwise.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/bench_bare.h"

static inline int64_t row_ns(void)
{
    const char *seconds = getenv("WEIR_BENCH_SECONDS");

    return (int64_t)(1e9 * (seconds != NULL ? atof(seconds) : 0.5));
}

static inline void bench_print(double ns)
{
    printf("%.2f\n", ns);
}

static inline size_t bench_number(const char *text)
{
    return text != NULL ? (size_t)strtoull(text, NULL, 10) : 0;
}

#endif
