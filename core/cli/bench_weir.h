/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench_weir.h - what this machine does with weir: pieces of work as a program
 * writes them with libweir, by its public headers alone. For `weir bench` and
 * tests/bench. Each as in bench_bare.h.
 */
#ifndef CLI_BENCH_WEIR_H
#define CLI_BENCH_WEIR_H

#include <weir/weir.h>

#include "cli/bench_bare.h"

enum { BENCH_BATCH_MOST = 1024 };

/* Exits, and says why, when @code is below 0; @err may be NULL. */
void bench_must(int code, const weir_error *err);
weir_context *bench_context(void);
weir_pool *bench_pool(weir_context *context, size_t workers);
void bench_end_pool(weir_pool *pool);
/* A call of 64 bytes and its result. */
void bench_call(weir_pool *pool);
/* 0: the default. */
weir_queue *bench_queue(weir_context *context, size_t mebibytes,
                        size_t capacity);
weir_process *bench_process(weir_context *context, int (*run)(weir_child *),
                            weir_queue *const *queues, size_t count);
void bench_join(weir_process *process);

/* A call of 64 bytes and its result by one worker, @pause_ns after the last. */
double with_call(int64_t for_ns, int64_t pause_ns);
/* Calls that do nothing, by apply_async and by map. */
double with_async(int64_t for_ns, size_t workers);
double with_map(int64_t for_ns, size_t workers);
/* @each processes put, @each get. */
double with_queue(int64_t for_ns, size_t size, size_t each, size_t batch,
                  size_t mebibytes, size_t capacity);
/* Context, pool of two, one call, all ended. */
double with_start(int64_t for_ns);
/* From a holder's death to the lease of its item; at this percentile. */
double with_recovery(int64_t for_ns, double percentile);

#endif
