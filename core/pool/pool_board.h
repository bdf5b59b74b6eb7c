/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_board.h - what a pool's workers write up for others to read: shared
 * memory beside the segment, made by the program, mapped by its workers. In it
 * nothing is counted, leased or committed; what stands there is read with
 * doubt, and nobody waits for it.
 *
 * TRACES. A worker that crashes writes its stack into the entry of the call
 * that it has in hand: first the entry is nobody's, then the frames, last whose
 * it is. Killed on the way it leaves an entry of nobody's. Who runs a call
 * again wipes its entry first, so what is read with the result is of the last
 * attempt.
 */
#ifndef POOL_POOL_BOARD_H
#define POOL_POOL_BOARD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    TRACE_FRAMES = 64,
    TRACE_NAMES = 2496, /* bytes of paths; what does not fit has none */
    /* Calls that can have one at a time: of those that crashed, and whose
     * results nobody has moved yet, the later ones take the places. */
    TRACES_MOST = 4096,
};

struct trace_frame {
    uint64_t address;
    uint64_t base; /* of its object: address less what the file has */
    uint32_t name; /* where in names its path begins; TRACE_NAMES: unknown */
    uint32_t zero;
};

struct trace {
    _Atomic uint64_t root; /* the call's; 0: nobody's */
    _Atomic uint32_t count;
    uint32_t names_size;
    struct trace_frame frames[TRACE_FRAMES];
    char names[TRACE_NAMES]; /* each with its NUL; "" is the program */
};
_Static_assert(sizeof(struct trace) <= 4096, "a trace fits a page");

struct board {
    void *base; /* NULL: there is none */
    size_t size;
    uint32_t traces;
};

/* How many traces a pool with that many calls can hold. */
uint32_t board_traces(uint32_t window);
/* In the program. 0 or a code; the descriptor is the caller's. */
int board_create(struct board *board, uint32_t traces, int *fd_out);
/* In its workers: of that size, and no child of a function has it. */
int board_map(struct board *board, uint32_t traces, int fd);
void board_done(struct board *board);

/* Where a call's trace is, or would be; NULL without a board. */
struct trace *board_trace(const struct board *board, uint64_t root);
/* A copy of this call's trace, the caller's; NULL: it has none, or no memory.
 */
struct trace *board_read_trace(const struct board *board, uint64_t root);
/* It has none from now on. */
void board_wipe_trace(const struct board *board, uint64_t root);

/* In words, one frame a line, innermost first: the caller's; NULL: no memory.
 * In the program, whose image is that of its workers. */
char *trace_words(const struct trace *trace);

#endif
