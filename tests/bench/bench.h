/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench.h - what the programs of the suite share. Each runs one row for about
 * WEIR_BENCH_SECONDS (half a second) and prints one number: ns for one
 * operation, unless its row says otherwise.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_EVERY = 64 }; /* operations between two looks at the clock */

static inline int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t bench_ns(void)
{
    const char *seconds = getenv("WEIR_BENCH_SECONDS");

    return (int64_t)(1e9 * (seconds != NULL ? atof(seconds) : 0.5));
}

static inline void bench_print(int64_t ns, uint64_t operations)
{
    printf("%.2f\n", operations > 0 ? (double)ns / (double)operations : 0.0);
}

static inline void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

static inline void *bench_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        bench_die("mmap", "no memory");
    return memory;
}

static inline void bench_pause(int64_t ns)
{
    struct timespec pause = { ns / 1000000000, ns % 1000000000 };

    nanosleep(&pause, NULL);
}

/* Reads all of it, as a consumer does that looks at each word. */
static inline uint64_t bench_read(const void *data, size_t size)
{
    const char *at = data;
    uint64_t sum = 0, word;

    for (size_t i = 0; i + sizeof word <= size; i += sizeof word) {
        memcpy(&word, at + i, sizeof word);
        sum += word;
    }
    return sum;
}

/* What would be optimized away is not. */
static inline void bench_use(uint64_t value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

static inline size_t bench_number(const char *text)
{
    return text != NULL ? (size_t)strtoull(text, NULL, 10) : 0;
}

#endif
