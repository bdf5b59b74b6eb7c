/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map.c - names to values by open addressing with linear probing, and the
 * fixed hash. Any process. At most three quarters of the entries are taken, so
 * a search always meets a free one; nothing is ever removed singly.
 */
#include "config.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

enum { FIRST_ROOM = 16 };

/* The finaliser of splitmix64: Sebastiano Vigna's constants after variant 13
 * of David Stafford, "Better Bit Mixing", 2011. A bijection. */
static uint64_t finalise(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* splitmix64's increment, 2^64 over the golden ratio: keeps 0 from being a
 * fixed point. */
static const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);

uint64_t hash_mix(uint64_t a, uint64_t b)
{
    return finalise((finalise(a + step) ^ b) + step);
}

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed)
{
    const char *at = data;
    uint64_t hash = hash_mix(seed, size);

    while (size > 0) {
        size_t part = size < 8 ? size : 8;
        uint64_t word = 0;

        memcpy(&word, at, part);
        hash = finalise((hash ^ le64toh(word)) + step);
        at += part;
        size -= part;
    }
    return hash;
}

/* The entry of this name, or the free one where it belongs. */
static struct map_entry *find(const struct map *map, const char *name,
                              size_t size, uint64_t hash)
{
    size_t at = hash & (map->room - 1);

    for (;;) {
        struct map_entry *entry = &map->entries[at];

        if (!entry->name ||
            (entry->hash == hash && entry->size == size &&
             (size == 0 || memcmp(entry->name, name, size) == 0)))
            return entry;
        at = (at + 1) & (map->room - 1);
    }
}

static bool grow(struct map *map)
{
    struct map wider = { .count = map->count, .room = FIRST_ROOM };

    if (map->room > 0 && __builtin_mul_overflow(map->room, 2, &wider.room))
        return false;
    wider.entries = calloc(wider.room, sizeof *wider.entries);
    if (!wider.entries)
        return false;
    for (size_t i = 0; i < map->room; i++) {
        const struct map_entry *old = &map->entries[i];

        if (old->name)
            *find(&wider, old->name, old->size, old->hash) = *old;
    }
    free(map->entries);
    *map = wider;
    return true;
}

static char *copy_name(const char *name, size_t size)
{
    char *copy = size < SIZE_MAX ? malloc(size + 1) : NULL;

    if (!copy)
        return NULL;
    if (size > 0)
        memcpy(copy, name, size);
    copy[size] = '\0';
    return copy;
}

uintptr_t *map_put(struct map *map, const char *name, size_t size,
                   bool *new_out)
{
    uint64_t hash = hash_bytes(name, size, 0);
    struct map_entry *entry = map->room ? find(map, name, size, hash) : NULL;
    bool new = !entry || !entry->name;

    if (new) {
        char *copy = copy_name(name, size);

        if (!copy)
            return NULL;
        if (map->count >= map->room / 4 * 3) {
            if (!grow(map)) {
                free(copy);
                return NULL;
            }
            entry = find(map, copy, size, hash);
        }
        *entry = (struct map_entry){ .name = copy, .size = size, .hash = hash };
        map->count++;
    }
    if (new_out)
        *new_out = new;
    return &entry->value;
}

uintptr_t *map_get(const struct map *map, const char *name, size_t size)
{
    struct map_entry *entry;

    if (map->room == 0)
        return NULL;
    entry = find(map, name, size, hash_bytes(name, size, 0));
    return entry->name ? &entry->value : NULL;
}

void map_done(struct map *map)
{
    for (size_t i = 0; i < map->room; i++)
        free(map->entries[i].name);
    free(map->entries);
    *map = (struct map){ 0 };
}
