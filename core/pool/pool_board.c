/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_board.c - runs in the program and in a pool's workers. See pool_board.h.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "pool/pool_board.h"
#include "shm/memory.h"

enum { PAGE = 4096 }; /* that a trace has to itself; no matter the kernel's */

uint32_t board_traces(uint32_t window)
{
    return window < TRACES_MOST ? window : TRACES_MOST;
}

static size_t size_of(uint32_t traces)
{
    const size_t page = memory_page();

    return ((size_t)traces * PAGE + page - 1) / page * page;
}

int board_create(struct board *board, uint32_t traces, int *fd_out)
{
    const size_t size = size_of(traces);
    int code = memory_create("weir-board", size, fd_out, &board->base, NULL);

    if (code != 0)
        return code;
    board->size = size;
    board->traces = traces;
    return 0;
}

int board_map(struct board *board, uint32_t traces, int fd)
{
    int code = memory_map(fd, &board->base, &board->size, NULL);

    if (code != 0)
        return code;
    board->traces = traces;
    if (board->size != size_of(traces))
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

/* Tickets have their place in the lower half. */
struct trace *board_trace(const struct board *board, uint64_t root)
{
    if (board->base == NULL || board->traces == 0)
        return NULL;
    return (struct trace *)((char *)board->base +
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
