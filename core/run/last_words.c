/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * last_words.c - see last_words.h.
 *
 * Of each entry `turn` is odd while the supervisor writes it: who reads takes a
 * copy, and what it has counts only when the same even number stood there
 * before and after. Should the supervisor die in between, the run is over. Who
 * reads holds nothing, and may die anywhere.
 */
#include "config.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/last_words.h"
#include "shm/memory.h"

enum { ENTRIES_LEAST = 64, TRIES = 100 };

struct entry {
    _Atomic uint32_t turn; /* 0: it never had one */
    uint32_t size;
    uint64_t root, path;
    char text[WROTE_BYTES];
};

struct last_words {
    struct entry *entries; /* shared */
    size_t count, bytes;
    size_t next; /* the oldest; the supervisor's */
    int fd;
};

static size_t whole_pages(size_t bytes)
{
    size_t page = memory_page();

    return (bytes + page - 1) / page * page;
}

struct last_words *last_words_new(unsigned workers)
{
    struct last_words *words = calloc(1, sizeof *words);
    size_t count = ENTRIES_LEAST + (size_t)workers;
    void *base;

    if (words == NULL)
        return NULL;
    words->count = count;
    words->bytes = whole_pages(count * sizeof *words->entries);
    if (memory_create("weir-last-words", words->bytes, &words->fd, &base,
                      NULL) < 0) {
        free(words);
        return NULL;
    }
    words->entries = base;
    return words;
}

void last_words_free(struct last_words **words)
{
    if (*words == NULL)
        return;
    memory_unmap((*words)->entries, (*words)->bytes);
    fd_close(&(*words)->fd);
    free(*words);
    *words = NULL;
}

int last_words_fd(const struct last_words *words)
{
    return words != NULL ? words->fd : -1;
}

static struct entry *entry_of(const struct last_words *words, uint64_t root,
                              uint64_t path)
{
    for (size_t i = 0; i < words->count; i++) {
        struct entry *entry = &words->entries[i];

        if (atomic_load(&entry->turn) != 0 && entry->root == root &&
            entry->path == path)
            return entry;
    }
    return NULL;
}

void last_words_put(struct last_words *words, uint64_t root, uint64_t path,
                    const char *text, size_t size)
{
    struct entry *entry;

    if (words == NULL)
        return;
    entry = entry_of(words, root, path);
    if (entry == NULL) {
        entry = &words->entries[words->next];
        words->next = (words->next + 1) % words->count;
    }
    atomic_fetch_add(&entry->turn, 1);
    atomic_thread_fence(memory_order_release); /* odd before what follows */
    entry->root = root;
    entry->path = path;
    entry->size = (uint32_t)(size < WROTE_BYTES ? size : WROTE_BYTES);
    if (entry->size > 0)
        memcpy(entry->text, text, entry->size);
    atomic_fetch_add(&entry->turn, 1);
}

struct last_words *last_words_attach(int fd)
{
    struct last_words *words;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        st.st_size < (off_t)sizeof(struct entry))
        return NULL;
    words = calloc(1, sizeof *words);
    if (words == NULL)
        return NULL;
    words->fd = -1;
    words->bytes = (size_t)st.st_size;
    words->count = words->bytes / sizeof *words->entries;
    words->entries = memory_map_again(fd, words->bytes);
    if (words->entries == NULL) {
        free(words);
        return NULL;
    }
    memory_dontfork(words->entries, words->bytes);
    return words;
}

void last_words_find(const struct last_words *words, uint64_t root,
                     uint64_t path, struct buf *out)
{
    const struct entry *entry;
    size_t before = out->size;

    if (words == NULL)
        return;
    entry = entry_of(words, root, path);
    for (int i = 0; entry != NULL && i < TRIES; i++) {
        uint32_t turn = atomic_load(&entry->turn), size = entry->size;
        bool same = entry->root == root && entry->path == path;

        buf_cut(out, before);
        if (turn % 2 == 0 && size <= WROTE_BYTES)
            buf_add(out, entry->text, size);
        atomic_thread_fence(memory_order_acquire);
        if (turn % 2 == 0 && atomic_load(&entry->turn) == turn) {
            if (!same)
                buf_cut(out, before); /* another's by now */
            return;
        }
    }
    buf_cut(out, before);
}
