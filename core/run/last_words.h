/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * last_words.h - the last lines that a worker wrote before it died with an item
 * whose attempts it used up: written by the supervisor, read by the worker that
 * gives the item up. Memory of its own, shared, which workers can only read.
 *
 * Each entry is of one item. Who finds none says nothing: it is for people, and
 * no outcome hangs on it. There is room for more items than can well wait to be
 * given up at a time; then the oldest entry goes.
 */
#ifndef RUN_LAST_WORDS_H
#define RUN_LAST_WORDS_H

#include <stdint.h>

#include "base/base.h"
#include "run/wrote.h"

struct last_words;

/* --- in the supervisor --- */
/* For a run of so many workers. NULL: no memory, and there are none. */
struct last_words *last_words_new(unsigned workers);
void last_words_free(struct last_words **words);
/* For the workers; -1 of NULL. */
int last_words_fd(const struct last_words *words);
/* Before the item is given back, so that whoever takes it finds them. @text has
 * at most WROTE_BYTES. */
void last_words_put(struct last_words *words, uint64_t root, uint64_t path,
                    const char *text, size_t size);

/* --- in a worker --- */
/* @fd stays the caller's. NULL: there are none. */
struct last_words *last_words_attach(int fd);
/* Appends those of this item, if there are any. */
void last_words_find(const struct last_words *words, uint64_t root,
                     uint64_t path, struct buf *out);

#endif
