/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* table.c - an open-addressing hash table; words stand one behind the other in
 * one text. Runs in workers. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "table.h"

enum { FIRST_BITS = 12 };

void text_table_init(struct text_table *table)
{
    *table = (struct text_table){ 0 };
    if (getrandom(&table->seed, sizeof table->seed, GRND_NONBLOCK) < 0)
        table->seed = (uintptr_t)table;
}

void text_table_done(struct text_table *table)
{
    free(table->entries);
    free(table->text);
    *table = (struct text_table){ 0 };
}

static uint64_t hash_of(uint64_t hash, const char *word, size_t size)
{
    uint64_t part;

    for (; size >= 8; word += 8, size -= 8) {
        memcpy(&part, word, 8);
        hash = (hash ^ part) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    part = size; /* "a" is not "a\0" */
    for (size_t i = 0; i < size; i++)
        part = part << 8 | (unsigned char)word[i];
    hash = (hash ^ part) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

/* The entry of the word, or the free one where it belongs. */
static struct text_entry *find(const struct text_table *table, uint64_t hash,
                               const char *word, size_t size)
{
    size_t mask = ((size_t)1 << table->bits) - 1;
    size_t place = (size_t)(hash * 0xd6e8feb86659fd93u >> (64 - table->bits));

    for (;; place = (place + 1) & mask) {
        struct text_entry *entry = &table->entries[place];

        if (!entry->used ||
            (entry->hash == hash && entry->size == size &&
             memcmp(table->text + entry->offset, word, size) == 0))
            return entry;
    }
}

static int grow(struct text_table *table)
{
    unsigned bits = table->bits > 0 ? table->bits + 1 : FIRST_BITS;
    struct text_table more = *table;
    size_t count = table->bits > 0 ? (size_t)1 << table->bits : 0;

    more.bits = bits;
    more.entries = calloc((size_t)1 << bits, sizeof *more.entries);
    if (!more.entries)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct text_entry *entry = &table->entries[i];

        if (entry->used)
            *find(&more, entry->hash, table->text + entry->offset,
                  entry->size) = *entry;
    }
    free(table->entries);
    *table = more;
    return 0;
}

static int keep(struct text_table *table, const char *word, size_t size)
{
    size_t room = table->text_room > 0 ? table->text_room : 64 << 10;
    char *grown;

    while (room - table->text_size < size)
        room *= 2;
    if (room != table->text_room) {
        grown = realloc(table->text, room);
        if (!grown)
            return -ENOMEM;
        table->text = grown;
        table->text_room = room;
    }
    if (size > 0)
        memcpy(table->text + table->text_size, word, size);
    table->text_size += size;
    return 0;
}

int text_table_add(struct text_table *table, const char *word, size_t size,
                   uint64_t count)
{
    uint64_t hash = hash_of(table->seed, word, size);
    struct text_entry *entry;
    int code = 0;

    if (table->bits == 0 || table->used >= (size_t)1 << (table->bits - 1))
        code = grow(table);
    if (code < 0)
        return code;
    entry = find(table, hash, word, size);
    if (entry->used) {
        uint64_t sum;

        if (__builtin_add_overflow(entry->count, count, &sum))
            return -EOVERFLOW;
        entry->count = sum;
        return 0;
    }
    code = keep(table, word, size);
    if (code < 0)
        return code;
    *entry = (struct text_entry){
        .hash = hash,
        .count = count,
        .offset = table->text_size - size,
        .size = (uint32_t)size,
        .used = 1,
    };
    table->used++;
    return 0;
}
