/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_board.h - what a pool's workers write up for others to read: shared
 * memory beside the segment, made by the program, mapped by its workers. In it
 * nothing is counted, leased or committed; what stands there is read with
 * doubt, and nobody waits for it.
 *
 * SEATS. One for each entry of the segment that a worker may have; a few more
 * than there are workers, so that a successor opens while the one that it
 * follows still serves. The seat's word says what the one of that generation is
 * to do; each change is one compare-and-swap, so two who change it at once
 * agree on who did:
 *   WAIT   open, and wait for your turn         -> SERVE  by the one before it,
 *                                                  or the helper
 *   SERVE  take calls                           -> LEAVE  by the helper
 *   LEAVE  take no more after those in hand     -> LEFT   by the worker
 *                                               -> SERVE  by the helper: stay
 *   LEFT   it takes no more; also from SERVE, after its last call
 * From LEFT on it holds no call, and gives its turn to its heir (WAIT -> SERVE)
 * before its `close` runs. So never do more serve than there are to be. If it
 * dies before it has, the helper does the same after the reaping.
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
#include <stdbool.h>
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
    char names[TRACE_NAMES]; /* each with its NUL */
};
_Static_assert(sizeof(struct trace) <= 4096, "a trace fits a page");

enum seat_word { SEAT_WAIT, SEAT_SERVE, SEAT_LEAVE, SEAT_LEFT };

/* What a worker wants for itself. */
enum seat_wish {
    WISH_NONE,
    WISH_HEIR,  /* its last call is near: one that is ready then */
    WISH_LEAVE, /* to go as soon as there is one */
};

struct seat {
    _Atomic uint32_t word; /* generation << 8 | enum seat_word */
    _Atomic uint32_t park; /* where it waits for its turn: shm/wait.h */
    _Atomic uint32_t wish; /* generation << 8 | enum seat_wish */
    uint32_t zero;
    _Atomic uint64_t heir; /* word of that one << 32 | its seat + 1; 0: none */
    char rest[40];
};
_Static_assert(sizeof(struct seat) == 64, "a line to each");

struct board_head {
    _Atomic uint32_t workers; /* how many there are to be now */
    char rest[60];
};

struct board {
    void *base; /* NULL: there is none */
    size_t size;
    uint32_t seats, traces;
    struct board_head *head;
    struct seat *seat; /* [seats] */
};

/* How many traces a pool with that many calls can hold. */
uint32_t board_traces(uint32_t window);
/* In the program. 0 or a code; the descriptor is the caller's. */
int board_create(struct board *board, uint32_t seats, uint32_t traces,
                 int *fd_out);
/* In the helper and its workers: of that size, and no child has it. */
int board_map(struct board *board, uint32_t seats, uint32_t traces, int fd);
void board_done(struct board *board);

/* Before its worker is forked. */
void seat_init(const struct board *board, uint32_t seat, uint32_t generation,
               enum seat_word word);
/* It is that one's, and says so. */
bool seat_is(const struct board *board, uint32_t seat, uint32_t generation,
             enum seat_word word);
/* From one to the other. False: it was not so. */
bool seat_change(const struct board *board, uint32_t seat, uint32_t generation,
                 enum seat_word from, enum seat_word to);
/* Its worker's last word. */
void seat_leave(const struct board *board, uint32_t seat, uint32_t generation);
/* Waits until it is not to wait any more. */
void seat_await(const struct board *board, uint32_t seat, uint32_t generation);
/* Has it look again. */
void seat_wake(const struct board *board, uint32_t seat);
enum seat_wish seat_wish(const struct board *board, uint32_t seat,
                         uint32_t generation);
void seat_set_wish(const struct board *board, uint32_t seat,
                   uint32_t generation, enum seat_wish wish);
/* Who comes after it. */
void seat_set_heir(const struct board *board, uint32_t seat, uint32_t heir,
                   uint32_t generation);
void seat_no_heir(const struct board *board, uint32_t seat);
/* It has left: its turn is its heir's, if it has one. */
void seat_hand_over(const struct board *board, uint32_t seat);

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
