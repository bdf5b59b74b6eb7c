/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench_bare.h - what this machine does without weir: pieces of work, each by a
 * program that is written by hand for just that. For `weir bench`, and the
 * limits of tests/bench; knows nothing of libweir.
 *
 * Each goes on for about @for_ns and returns ns for one operation. It belongs
 * into a process of its own, which has no threads: what it forks ends with it,
 * and where the system refuses something, it says so and exits with 3.
 */
#ifndef CLI_BENCH_BARE_H
#define CLI_BENCH_BARE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

enum {
    BENCH_LOOK_EVERY = 64,     /* operations between two looks at the clock */
    BENCH_IN_PLACE = 64 << 10, /* from here on written and read in place */
    BENCH_PROCESSES_MOST = 256,
};

int64_t bench_now(void); /* CLOCK_MONOTONIC, ns */
_Noreturn void bench_die(const char *what, const char *why);
/* Zeroed memory that children have too. */
void *bench_shared(size_t size);
/* Zeroed; exits when there is none. */
void *bench_memory(size_t count, size_t size);
void bench_pause(int64_t ns);
/* Is killed with its parent. */
pid_t bench_fork(void);
void bench_sort(double *values, size_t count);

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

static inline double bench_each(int64_t ns, uint64_t operations)
{
    return operations > 0 ? (double)ns / (double)operations : 0;
}

/* What would be optimized away is not. */
static inline void bench_use(uint64_t value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

/* 64 bytes there and back, both sides awake; needs two processors. */
double bare_spin_call(int64_t for_ns);
/* A word there and back, both sides asleep, @pause_ns after the last. */
double bare_futex_call(int64_t for_ns, int64_t pause_ns);
/* One puts, one gets, by a ring in shared memory without a lock. */
double bare_ring(int64_t for_ns, size_t size, size_t batch, size_t slots);
/* One memcpy of @size bytes again and again. */
double bare_copy(int64_t for_ns, size_t size);
/* Two children, one byte there and back, all ended. */
double bare_start(int64_t for_ns);

/* A ring of 1,024 places under a robust mutex: what a careful hand writes. */
struct robust;
struct robust *robust_new(size_t size);
void robust_put(struct robust *ring, size_t size, size_t count,
                const char *from);
/* At most @batch of them; 0 at the end. */
size_t robust_get(struct robust *ring, size_t size, size_t batch, char *to);
void robust_end(struct robust *ring);
/* The same bytes again and again; all of them, till the end: how many. */
void robust_put_until(struct robust *ring, int64_t until, size_t size,
                      size_t batch);
uint64_t robust_get_all(struct robust *ring, size_t size, size_t batch);

/* Some way from processes that put to others that get. */
struct bare_way {
    void (*put)(const struct bare_way *way, int64_t until);
    uint64_t (*get)(const struct bare_way *way); /* how many, till the end */
    void (*end)(const struct bare_way *way);     /* all is put */
    size_t size, batch, each;
    struct robust *ring;
    int in, out, queue; /* descriptors, or -1 */
};
double bare_many(int64_t for_ns, const struct bare_way *way);
/* @each put by a robust ring, @each get. */
double bare_robust(int64_t for_ns, size_t size, size_t each, size_t batch);

#endif
