/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top.c - text.top: adds up rows `word<TAB>count`, and gives the k words with
 * the greatest sums when the input ends. Runs in one worker.
 *
 * An item counts whole or not at all: it is read through before the first of
 * its rows is added, so one that is refused leaves the sums as they were. All
 * state is what `save` writes: a successor that loads it goes on from there.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "table.h"
#include "text.h"

struct row {
    const char *word;
    size_t size;
    uint64_t count;
};

/* Takes the row at *at, and moves there behind it. */
static bool next_row(const char **at, const char *end, struct row *out)
{
    const char *line = *at, *stop, *tab;

    stop = memchr(line, '\n', (size_t)(end - line));
    stop = stop ? stop : end;
    *at = stop < end ? stop + 1 : end;
    tab = memrchr(line, '\t', (size_t)(stop - line));
    if (!tab || tab + 1 == stop || tab - line > UINT32_MAX)
        return false;
    *out = (struct row){ .word = line, .size = (size_t)(tab - line) };
    for (const char *digit = tab + 1; digit < stop; digit++) {
        unsigned value = (unsigned char)*digit - '0';

        if (value > 9 ||
            __builtin_mul_overflow(out->count, (uint64_t)10, &out->count) ||
            __builtin_add_overflow(out->count, (uint64_t)value, &out->count))
            return false;
    }
    return true;
}

/* 0, or the number of the first row that is none. */
static size_t check_rows(weir_bytes in)
{
    const char *at = in.data, *end = at + in.size;
    struct row row;

    for (size_t number = 1; at < end; number++)
        if (!next_row(&at, end, &row))
            return number;
    return 0;
}

int text_top_open(weir_call *call)
{
    struct text_table *table = malloc(sizeof *table);

    if (!table)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    text_table_init(table);
    weir_set_state(call, table);
    return 0;
}

int text_top_close(weir_call *call)
{
    struct text_table *table = weir_state(call);

    if (table)
        text_table_done(table);
    free(table);
    weir_set_state(call, NULL);
    return 0;
}

/* Half of an item may have been added by now: nothing but the end of this
 * worker, or of the run, keeps the sums right. */
static int give_up(weir_call *call, int code)
{
    if (code == -EOVERFLOW)
        return weir_fail(call, WEIR_FATAL, "a sum is greater than 64 bits");
    return weir_fail(call, WEIR_FATAL, "no memory for the sums");
}

int text_top_run(weir_call *call)
{
    struct text_table *table = weir_state(call);
    weir_bytes in = weir_input(call);
    const char *at = in.data, *end = at + in.size;
    size_t bad = in.size > 0 ? check_rows(in) : 0;
    struct row row;

    if (bad > 0)
        return weir_fail(call, WEIR_PERMANENT,
                         "line %zu of the item is not 'word<TAB>count'", bad);
    while (in.size > 0 && at < end && next_row(&at, end, &row)) {
        int code = text_table_add(table, row.word, row.size, row.count);

        if (code < 0)
            return give_up(call, code);
    }
    return 0;
}

/* Whether a stands before b: the greater sum, then the lesser bytes. */
static bool before(const struct text_table *table, const struct text_entry *a,
                   const struct text_entry *b)
{
    size_t size = a->size < b->size ? a->size : b->size;
    int order;

    if (a->count != b->count)
        return a->count > b->count;
    order = memcmp(text_table_word(table, a), text_table_word(table, b), size);
    return order != 0 ? order < 0 : a->size < b->size;
}

/* A heap of entries whose root stands behind all others. */
struct heap {
    const struct text_table *table;
    const struct text_entry **entries;
    size_t count;
};

static void sink(struct heap *heap, size_t at)
{
    const struct text_entry *moved = heap->entries[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            before(heap->table, heap->entries[child], heap->entries[child + 1]))
            child++;
        if (!before(heap->table, moved, heap->entries[child]))
            break;
        heap->entries[at] = heap->entries[child];
        at = child;
    }
    heap->entries[at] = moved;
}

/* The @room foremost entries, sorted. */
static void choose(struct heap *heap, size_t room)
{
    const struct text_table *table = heap->table;
    size_t places = table->bits > 0 ? (size_t)1 << table->bits : 0;

    for (size_t i = 0; i < places; i++) {
        const struct text_entry *entry = &table->entries[i];

        if (!entry->used)
            continue;
        if (heap->count < room) {
            heap->entries[heap->count++] = entry;
            if (heap->count == room)
                for (size_t at = room / 2; at-- > 0;)
                    sink(heap, at);
        } else if (before(table, entry, heap->entries[0])) {
            heap->entries[0] = entry;
            sink(heap, 0);
        }
    }
    for (size_t left = heap->count; left > 1; left--) {
        const struct text_entry *last = heap->entries[0];

        heap->entries[0] = heap->entries[left - 1];
        heap->entries[left - 1] = last;
        heap->count = left - 1;
        sink(heap, 0);
    }
    heap->count = room;
}

static int emit_row(weir_call *call, const struct text_table *table,
                    const struct text_entry *entry)
{
    void *data;
    int size, code;

    code = weir_reserve(call, 0, entry->size + 24, &data);
    if (code < 0)
        return code;
    size = snprintf(data, 24, "%" PRIu64 "\t", entry->count);
    memcpy((char *)data + size, text_table_word(table, entry), entry->size);
    return weir_submit(call, (size_t)size + entry->size);
}

int text_top_flush(weir_call *call)
{
    const struct text_top_param *param = weir_params(call);
    const struct text_table *table = weir_state(call);
    size_t room = param->k < table->used ? (size_t)param->k : table->used;
    struct heap heap = { .table = table };
    int code = 0;

    if (room == 0)
        return 0;
    heap.entries = malloc(room * sizeof(void *));
    if (!heap.entries)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    choose(&heap, room);
    for (size_t i = 0; i < room && code == 0; i++)
        code = emit_row(call, table, heap.entries[i]);
    free(heap.entries);
    return code;
}

/* What save writes: a head, then for each word its sum, its size, its bytes.
 * Read by the same program on the same machine. */
struct head {
    char magic[8];
    uint64_t words;
};
struct saved {
    uint64_t count;
    uint32_t size;
    uint32_t reserved;
};
static const char magic[8] = "weirtop";

struct stream {
    int fd;
    int code;
    size_t at, fill;
    char data[64 << 10];
};

static void flush_out(struct stream *stream)
{
    for (size_t at = 0; at < stream->at && stream->code == 0;) {
        ssize_t n = write(stream->fd, stream->data + at, stream->at - at);

        if (n > 0)
            at += (size_t)n;
        else if (n < 0 && errno != EINTR)
            stream->code = -errno;
    }
    stream->at = 0;
}

static void put(struct stream *stream, const void *data, size_t size)
{
    const char *from = data;

    while (size > 0 && stream->code == 0) {
        size_t room = sizeof stream->data - stream->at;
        size_t part = size < room ? size : room;

        memcpy(stream->data + stream->at, from, part);
        stream->at += part;
        from += part;
        size -= part;
        if (stream->at == sizeof stream->data)
            flush_out(stream);
    }
}

int text_top_save(weir_call *call, int fd)
{
    const struct text_table *table = weir_state(call);
    struct head head = { .words = table->used };
    size_t places = table->bits > 0 ? (size_t)1 << table->bits : 0;
    struct stream *stream = malloc(sizeof *stream);
    int code;

    if (!stream)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    stream->fd = fd;
    stream->code = 0;
    stream->at = 0;
    memcpy(head.magic, magic, sizeof magic);
    put(stream, &head, sizeof head);
    for (size_t i = 0; i < places; i++) {
        const struct text_entry *entry = &table->entries[i];
        struct saved saved = { .count = entry->count, .size = entry->size };

        if (!entry->used)
            continue;
        put(stream, &saved, sizeof saved);
        put(stream, text_table_word(table, entry), entry->size);
    }
    flush_out(stream);
    code = stream->code;
    free(stream);
    if (code < 0)
        return weir_fail(call, WEIR_TRANSIENT, "cannot save the sums: %s",
                         strerror(-code));
    return 0;
}

/* All of @size bytes, or a code: -EBADMSG at the end of the file. */
static void get(struct stream *stream, void *data, size_t size)
{
    char *to = data;

    while (size > 0 && stream->code == 0) {
        size_t have = stream->fill - stream->at;
        size_t part = size < have ? size : have;

        memcpy(to, stream->data + stream->at, part);
        stream->at += part;
        to += part;
        size -= part;
        if (size > 0) {
            ssize_t n = read(stream->fd, stream->data, sizeof stream->data);

            stream->at = 0;
            stream->fill = n > 0 ? (size_t)n : 0;
            if (n == 0)
                stream->code = -EBADMSG;
            else if (n < 0 && errno != EINTR)
                stream->code = -errno;
        }
    }
}

static void get_word(struct stream *stream, struct text_table *table,
                     char **word, size_t *room)
{
    struct saved saved;

    get(stream, &saved, sizeof saved);
    if (stream->code == 0 && saved.size > *room) {
        char *grown = realloc(*word, saved.size);

        if (!grown) {
            stream->code = -ENOMEM;
            return;
        }
        *word = grown;
        *room = saved.size;
    }
    if (stream->code == 0)
        get(stream, *word, saved.size);
    if (stream->code == 0)
        stream->code = text_table_add(table, *word, saved.size, saved.count);
}

int text_top_load(weir_call *call, int fd)
{
    struct text_table *table = weir_state(call);
    struct stream *stream = malloc(sizeof *stream);
    struct head head;
    char *word = NULL;
    size_t room = 0;
    int code;

    if (!stream)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    stream->fd = fd;
    stream->code = 0;
    stream->at = stream->fill = 0;
    text_table_done(table);
    text_table_init(table);
    get(stream, &head, sizeof head);
    if (stream->code == 0 && memcmp(head.magic, magic, sizeof magic) != 0)
        stream->code = -EBADMSG;
    for (uint64_t i = 0; stream->code == 0 && i < head.words; i++)
        get_word(stream, table, &word, &room);
    code = stream->code;
    free(word);
    free(stream);
    if (code < 0)
        return weir_fail(call, WEIR_FATAL, "cannot load the sums: %s",
                         code == -EBADMSG ? "they are damaged"
                                          : strerror(-code));
    return 0;
}
