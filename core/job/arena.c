/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena.c - memory for a tree: taken piece by piece, given back all at once.
 * Runs in the owner.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "job/internal.h"
#include "shm/shm.h"

/* Each is twice as large as the one before it, so that a large tree has few,
 * of large pages where the system has some. */
enum { BLOCK = 64 << 10, BLOCK_MOST = 4 << 20, HUGE = 2 << 20 };

struct arena_block {
    struct arena_block *next;
    size_t room, used;
    _Alignas(16) char data[];
};

static struct arena_block *new_block(size_t size)
{
    struct arena_block *block;

    if (size < HUGE)
        return malloc(size);
    block = aligned_alloc(HUGE, (size + HUGE - 1) / HUGE * HUGE);
    if (block)
        memory_allow_huge(block, size);
    return block;
}

/* A new first block with so much room. */
static struct arena_block *add_block(struct arena *arena, size_t need)
{
    struct arena_block *before = arena->blocks, *block;
    size_t size = before ? 2 * (before->room + sizeof *before) : BLOCK;

    if (size > BLOCK_MOST)
        size = BLOCK_MOST;
    if (size < need + sizeof *block)
        size = need + sizeof *block;
    block = new_block(size);
    if (!block)
        return NULL;
    *block = (struct arena_block){ .next = before,
                                   .room = size - sizeof *block };
    return arena->blocks = block;
}

void *arena_take(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    size_t need = (size + 15) & ~(size_t)15;
    char *taken;

    if (!block || block->room - block->used < need)
        block = add_block(arena, need);
    if (!block)
        return NULL;
    taken = block->data + block->used;
    block->used += need;
    return memset(taken, 0, size);
}

char *arena_copy(struct arena *arena, const char *text, size_t size)
{
    char *copy = arena_take(arena, size + 1);

    if (copy && size > 0)
        memcpy(copy, text, size);
    return copy;
}

void arena_done(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        free(block);
    }
}
