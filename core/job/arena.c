/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena.c - memory for a tree: taken piece by piece, given back all at once.
 * Runs in the owner.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "job/internal.h"

enum { BLOCK = 64 << 10 };

struct arena_block {
    struct arena_block *next;
    size_t room, used;
    _Alignas(16) char data[];
};

void *arena_take(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    size_t need = (size + 15) & ~(size_t)15;
    char *taken;

    if (!block || block->room - block->used < need) {
        size_t room = need > BLOCK ? need : BLOCK;
        struct arena_block *fresh = malloc(sizeof *fresh + room);

        if (!fresh)
            return NULL;
        *fresh = (struct arena_block){ .next = block, .room = room };
        arena->blocks = block = fresh;
    }
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
