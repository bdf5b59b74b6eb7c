/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* table.h - words of any bytes, each with a sum: the state of text.top. Runs in
 * workers. */
#ifndef TEXT_TABLE_H
#define TEXT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_entry {
    uint64_t hash;
    uint64_t count;
    uint64_t offset; /* of the word in the table's text */
    uint32_t size;
    uint32_t used; /* 0: a free place */
};

struct text_table {
    struct text_entry *entries;
    char *text;
    size_t text_size, text_room;
    size_t used;
    unsigned bits; /* 1 << bits entries, at most half used; 0: none yet */
    uint64_t seed;
};

void text_table_init(struct text_table *table);
void text_table_done(struct text_table *table);

/* 0; -ENOMEM; -EOVERFLOW: the sum would pass 64 bits. */
int text_table_add(struct text_table *table, const char *word, size_t size,
                   uint64_t count);

static inline const char *text_table_word(const struct text_table *table,
                                          const struct text_entry *entry)
{
    return table->text + entry->offset;
}

#endif
