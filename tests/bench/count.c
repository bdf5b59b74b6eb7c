/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * count.c - the function of text.count-words in a plain program of one thread:
 * what weir adds to it is what a benchmark wants to see.
 *
 *   count --rows             stdin; rows `word<TAB>count`, per 1 MiB block
 *   count --sum K            stdin is such rows: the K largest sums
 *   count --top K FILE...    both, in this process
 *   count --ring W K FILE... both, by W forked workers, blocks and rows in
 *                            shared memory: nothing but what it asks for
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "table.h"
#include "text.h"

enum { BLOCK = 1 << 20, BLOCKS = 8, RESULTS = 64 };

/* A host of the least that the task needs. */
struct host {
    weir_call call;
    void *state;
    weir_bytes input;
    char *out;
    size_t room, size;
};

static void *get_state(weir_call *call)
{
    return ((struct host *)call)->state;
}

static void set_state(weir_call *call, void *state)
{
    ((struct host *)call)->state = state;
}

static weir_bytes get_input(weir_call *call)
{
    return ((struct host *)call)->input;
}

static int reserve(weir_call *call, unsigned output, size_t room, void **data)
{
    struct host *host = (struct host *)call;

    (void)output;
    if (room > host->room) {
        free(host->out);
        host->out = malloc(room);
        host->room = host->out != NULL ? room : 0;
    }
    *data = host->out;
    return host->out != NULL ? 0 : WEIR_ENOMEM;
}

static int submit(weir_call *call, size_t size)
{
    ((struct host *)call)->size = size;
    return 0;
}

static int fail(weir_call *call, int verdict, const char *param,
                const char *format, va_list args)
{
    (void)call;
    (void)param;
    vfprintf(stderr, format, args);
    return verdict;
}

static const struct weir_table table = {
    .size = sizeof table,
    .state = get_state,
    .set_state = set_state,
    .input = get_input,
    .reserve = reserve,
    .submit = submit,
    .fail = fail,
};

typedef void bytes_use(void *arg, const char *data, size_t size);

struct counter {
    struct host *host;
    bytes_use *use; /* of the rows */
    void *arg;
};

static void count_block(void *arg, const char *data, size_t size)
{
    struct counter *counter = arg;
    struct host *host = counter->host;

    host->input = (weir_bytes){ data, size };
    if (text_words_run(&host->call) != 0)
        exit(3);
    counter->use(counter->arg, host->out, host->size);
}

/* Blocks of 1 MiB, each cut behind its last newline. */
static void cut_file(int fd, bytes_use *use, void *arg)
{
    static char block[2 * BLOCK];
    size_t kept = 0;

    for (;;) {
        ssize_t got = read(fd, block + kept, sizeof block - kept);
        size_t size = kept + (got > 0 ? (size_t)got : 0), cut = size;

        if (got < 0)
            exit(3);
        if (got > 0 && size < BLOCK) {
            kept = size;
            continue;
        }
        while (got > 0 && cut > 0 && block[cut - 1] != '\n')
            cut--;
        if (cut == 0)
            cut = size;
        use(arg, block, cut);
        kept = size - cut;
        memmove(block, block + cut, kept);
        if (got == 0)
            return;
    }
}

static void print_rows(void *arg, const char *rows, size_t size)
{
    (void)arg;
    fwrite(rows, 1, size, stdout);
}

static void add_rows(void *arg, const char *rows, size_t size)
{
    const char *end = rows + size;

    while (rows < end) {
        const char *tab = memchr(rows, '\t', (size_t)(end - rows));
        char *rest;
        uint64_t count;

        if (tab == NULL)
            exit(3);
        count = strtoull(tab + 1, &rest, 10);
        if (text_table_add(arg, rows, (size_t)(tab - rows), count) != 0)
            exit(3);
        rows = rest + 1;
    }
}

static const struct text_table *sorted;

static int by_count(const void *a, const void *b)
{
    const struct text_entry *x = a, *y = b;
    size_t least = x->size < y->size ? x->size : y->size;
    int order;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    order = memcmp(text_table_word(sorted, x), text_table_word(sorted, y),
                   least);
    return order != 0 ? order : (int)x->size - (int)y->size;
}

static void print_top(struct text_table *sums, size_t most)
{
    size_t count = sums->bits != 0 ? (size_t)1 << sums->bits : 0;

    sorted = sums;
    qsort(sums->entries, count, sizeof *sums->entries, by_count);
    for (size_t i = 0; i < most && i < sums->used; i++)
        printf("%llu\t%.*s\n", (unsigned long long)sums->entries[i].count,
               (int)sums->entries[i].size,
               text_table_word(sums, &sums->entries[i]));
}

static void sum_stdin(struct text_table *sums)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;

    while ((size = getline(&line, &room, stdin)) > 0)
        add_rows(sums, line, (size_t)size);
    free(line);
}

static void cut_files(char **paths, bytes_use *use, void *arg)
{
    for (; *paths != NULL; paths++) {
        int fd = open(*paths, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
            exit(2);
        cut_file(fd, use, arg);
        close(fd);
    }
}

static void put_bytes(void *arg, const char *data, size_t size)
{
    channel_put(arg, data, size);
}

static void count_blocks(struct host *host, struct channel *blocks,
                         struct channel *rows)
{
    struct counter counter = { host, put_bytes, rows };
    char *block = malloc(blocks->room);
    size_t size;

    while (block != NULL && channel_get(blocks, block, &size))
        count_block(&counter, block, size);
    channel_end(rows);
    _exit(block == NULL);
}

static void count_by_ring(struct host *host, size_t workers, char **paths,
                          struct text_table *sums)
{
    struct channel *blocks = channel_new(2 * BLOCK, BLOCKS, 1);
    struct channel *rows = channel_new(2 * BLOCK, RESULTS, (int)workers);
    char *some = malloc(rows->room);
    int status, failed = some == NULL;
    size_t size;

    for (size_t i = 0; i < workers; i++)
        if (fork() == 0)
            count_blocks(host, blocks, rows);
    if (fork() == 0) {
        cut_files(paths, put_bytes, blocks);
        channel_end(blocks);
        _exit(0);
    }
    while (!failed && channel_get(rows, some, &size))
        add_rows(sums, some, size);
    while (wait(&status) > 0)
        failed |= status;
    free(some);
    if (failed)
        exit(3);
}

int main(int argc, char **argv)
{
    struct host host = { .call.table = &table };
    struct text_table sums;
    struct counter to_sums = { &host, add_rows, &sums };

    text_table_init(&sums);
    if (text_words_open(&host.call) != 0)
        return 3;
    if (argc == 2 && strcmp(argv[1], "--rows") == 0) {
        cut_file(STDIN_FILENO, count_block,
                 &(struct counter){ &host, print_rows, NULL });
    } else if (argc == 3 && strcmp(argv[1], "--sum") == 0) {
        sum_stdin(&sums);
        print_top(&sums, strtoul(argv[2], NULL, 10));
    } else if (argc > 3 && strcmp(argv[1], "--top") == 0) {
        cut_files(argv + 3, count_block, &to_sums);
        print_top(&sums, strtoul(argv[2], NULL, 10));
    } else if (argc > 4 && strcmp(argv[1], "--ring") == 0) {
        count_by_ring(&host, bench_number(argv[2]), argv + 4, &sums);
        print_top(&sums, strtoul(argv[3], NULL, 10));
    } else {
        return 2;
    }
    text_words_close(&host.call);
    text_table_done(&sums);
    return fflush(stdout) == 0 ? 0 : 3;
}
