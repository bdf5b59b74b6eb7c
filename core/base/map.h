/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* map.h - names (copied; may hold any byte) to pointers or numbers; zeroed
 * storage is an empty map. Open addressing, linear in time and memory. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
    char *name; /* NULL: free */
    size_t size;
    uint64_t hash;
    uintptr_t value;
};

struct map {
    struct map_entry *entries;
    size_t count;
    size_t room; /* power of two */
};

/* Where the value of this name stands; a new one is 0, *new_out tells (may be
 * NULL). NULL when there is no memory. Valid until the next map_put. */
uintptr_t *map_put(struct map *map, const char *name, size_t size,
                   bool *new_out);
uintptr_t *map_get(const struct map *map, const char *name, size_t size);
void map_done(struct map *map);

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed);
uint64_t hash_mix(uint64_t a, uint64_t b); /* fixed for ever: ids use it */

#endif
