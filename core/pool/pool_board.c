/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_board.c - runs in the program and in a pool's workers. See pool_board.h.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "pool/pool_board.h"
#include "shm/memory.h"
#include "shm/wait.h"

enum { PAGE = 4096 }; /* that a trace has to itself; no matter the kernel's */

uint32_t board_traces(uint32_t window)
{
    return window < TRACES_MOST ? window : TRACES_MOST;
}

static size_t pages(size_t size)
{
    const size_t page = memory_page();

    return (size + page - 1) / page * page;
}

/* Head and seats; then the traces. */
static size_t traces_at(uint32_t seats)
{
    return pages(sizeof(struct board_head) + seats * sizeof(struct seat));
}

static size_t size_of(uint32_t seats, uint32_t traces)
{
    return traces_at(seats) + pages((size_t)traces * PAGE);
}

static void lay_out(struct board *board, uint32_t seats, uint32_t traces)
{
    board->seats = seats;
    board->traces = traces;
    board->head = board->base;
    board->seat = (struct seat *)(board->head + 1);
}

int board_create(struct board *board, uint32_t seats, uint32_t traces,
                 int *fd_out)
{
    const size_t size = size_of(seats, traces);
    int code = memory_create("weir-board", size, fd_out, &board->base, NULL);

    if (code != 0)
        return code;
    board->size = size;
    lay_out(board, seats, traces);
    return 0;
}

int board_map(struct board *board, uint32_t seats, uint32_t traces, int fd)
{
    int code = memory_map(fd, &board->base, &board->size, NULL);

    if (code != 0)
        return code;
    lay_out(board, seats, traces);
    if (board->size != size_of(seats, traces))
        code = WEIR_EBROKEN;
    if (code == 0)
        code = memory_dontfork(board->base, board->size);
    if (code != 0)
        board_done(board);
    return code;
}

void board_done(struct board *board)
{
    memory_unmap(board->base, board->size);
    *board = (struct board){ .base = NULL };
}

/* ----------------------------------------------------------------- seats ----
 */

static uint32_t word_of(uint32_t generation, unsigned what)
{
    return generation << 8 | what;
}

void seat_init(const struct board *board, uint32_t seat, uint32_t generation,
               enum seat_word word)
{
    struct seat *at = &board->seat[seat];

    atomic_store(&at->heir, 0);
    atomic_store(&at->wish, word_of(generation, WISH_NONE));
    atomic_store(&at->park, PARK_NONE);
    atomic_store(&at->word, word_of(generation, word));
}

bool seat_is(const struct board *board, uint32_t seat, uint32_t generation,
             enum seat_word word)
{
    return atomic_load(&board->seat[seat].word) == word_of(generation, word);
}

bool seat_change(const struct board *board, uint32_t seat, uint32_t generation,
                 enum seat_word from, enum seat_word to)
{
    uint32_t was = word_of(generation, from);

    return atomic_compare_exchange_strong(&board->seat[seat].word, &was,
                                          word_of(generation, to));
}

void seat_leave(const struct board *board, uint32_t seat, uint32_t generation)
{
    atomic_store(&board->seat[seat].word, word_of(generation, SEAT_LEFT));
}

void seat_await(const struct board *board, uint32_t seat, uint32_t generation)
{
    struct seat *at = &board->seat[seat];

    for (;;) {
        park_announce(&at->park);
        if (!seat_is(board, seat, generation, SEAT_WAIT))
            break;
        park_sleep(&at->park, FOREVER, NULL);
    }
    park_clear(&at->park);
}

void seat_wake(const struct board *board, uint32_t seat)
{
    park_wake(&board->seat[seat].park);
}

enum seat_wish seat_wish(const struct board *board, uint32_t seat,
                         uint32_t generation)
{
    uint32_t wish = atomic_load(&board->seat[seat].wish);

    return wish == word_of(generation, WISH_HEIR)    ? WISH_HEIR
           : wish == word_of(generation, WISH_LEAVE) ? WISH_LEAVE
                                                     : WISH_NONE;
}

void seat_set_wish(const struct board *board, uint32_t seat,
                   uint32_t generation, enum seat_wish wish)
{
    atomic_store(&board->seat[seat].wish, word_of(generation, wish));
}

void seat_set_heir(const struct board *board, uint32_t seat, uint32_t heir,
                   uint32_t generation)
{
    atomic_store(&board->seat[seat].heir,
                 (uint64_t)word_of(generation, SEAT_WAIT) << 32 | (heir + 1));
}

void seat_no_heir(const struct board *board, uint32_t seat)
{
    atomic_store(&board->seat[seat].heir, 0);
}

/* By the generation of the heir: should that be dead by now, and another one in
 * its seat, nothing happens. Dies between the swap and the wake, or before:
 * the helper wakes it. */
void seat_hand_over(const struct board *board, uint32_t seat)
{
    uint64_t heir = atomic_load(&board->seat[seat].heir);
    uint32_t number = (uint32_t)heir - 1;

    if (heir == 0 || number >= board->seats)
        return;
    if (seat_change(board, number, (uint32_t)(heir >> 40), SEAT_WAIT,
                    SEAT_SERVE)) {
        WEIR_POINT("pool.seat.given");
        seat_wake(board, number);
    }
}

/* ---------------------------------------------------------------- traces ----
 */

/* Tickets have their place in the lower half. */
struct trace *board_trace(const struct board *board, uint64_t root)
{
    if (board->base == NULL || board->traces == 0)
        return NULL;
    return (struct trace *)((char *)board->base + traces_at(board->seats) +
                            (size_t)((uint32_t)root % board->traces) * PAGE);
}

void board_wipe_trace(const struct board *board, uint64_t root)
{
    struct trace *trace = board_trace(board, root);

    if (trace != NULL && atomic_load(&trace->root) == root)
        atomic_store(&trace->root, 0);
}

/* While this copies, another call may take the place: then it is that one's
 * before and after, or nobody's. */
struct trace *board_read_trace(const struct board *board, uint64_t root)
{
    struct trace *trace = board_trace(board, root), *copy;

    if (trace == NULL || root == 0 || atomic_load(&trace->root) != root)
        return NULL;
    copy = malloc(sizeof *copy);
    if (copy == NULL)
        return NULL;
    memcpy(copy, trace, sizeof *copy);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load(&trace->root) != root || copy->count == 0) {
        free(copy);
        return NULL;
    }
    if (copy->count > TRACE_FRAMES)
        copy->count = TRACE_FRAMES;
    copy->names[TRACE_NAMES - 1] = '\0';
    return copy;
}
