/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyed.c - a plugin for the tests of `key`. Runs in workers.
 *
 * keyed.tag takes a line `KEY NUMBER [WORD [N]]`, and sets the attribute `k` to
 * KEY, but for `-`. keyed.say gives on such an item with the worker's pid in
 * front, after what it says: `fail N` and `die N` in its first N attempts,
 * `hang N` too, `slow MS`, `spoilt`. keyed.sum counts items and adds up numbers
 * by key, saves that, and gives a line for each key at the end.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weir/plugin.h>

struct line {
    char key[32], word[16];
    unsigned long number, n;
};

static struct line read_line(weir_call *call)
{
    weir_bytes in = weir_input(call);
    struct line line = { .key = "" };
    char text[128] = "";

    memcpy(text, in.data, in.size < sizeof text ? in.size : sizeof text - 1);
    sscanf(text, "%31s %lu %15s %lu", line.key, &line.number, line.word,
           &line.n);
    return line;
}

static int tag_run(weir_call *call)
{
    struct line line = read_line(call);
    int code = 0;

    if (strcmp(line.key, "-") != 0)
        code = weir_set_attr(call, "k", line.key, strlen(line.key));
    return code < 0 ? code : weir_pass(call, 0);
}

static void wait_ms(unsigned long ms)
{
    struct timespec time = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        continue;
}

static int obey(weir_call *call, const struct line *line)
{
    if (strcmp(line->word, "spoilt") == 0)
        return weir_fail(call, WEIR_PERMANENT, "it is spoilt");
    if (strcmp(line->word, "slow") == 0)
        wait_ms(line->n);
    if (weir_attempt(call) > line->n)
        return 0;
    if (strcmp(line->word, "fail") == 0)
        return weir_fail(call, WEIR_TRANSIENT, "not yet");
    if (strcmp(line->word, "die") == 0)
        raise(SIGKILL);
    while (strcmp(line->word, "hang") == 0)
        pause();
    return 0;
}

static int say_run(weir_call *call)
{
    struct line line = read_line(call);
    weir_bytes in = weir_input(call);
    char text[160];
    int code = obey(call, &line), size;

    if (code != 0)
        return code;
    size = snprintf(text, sizeof text, "%d %.*s", (int)getpid(), (int)in.size,
                    (const char *)in.data);
    return weir_emit(call, 0, text, (size_t)size);
}

/* ------------------------------------------------------------------ sums ----
 */

enum { KEYS_MOST = 256 };

struct sums {
    unsigned count;
    struct sum {
        char key[32];
        unsigned long items, last, total;
    } of[KEYS_MOST];
};

static int sum_open(weir_call *call)
{
    struct sums *sums = calloc(1, sizeof *sums);

    if (!sums)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    weir_set_state(call, sums);
    return 0;
}

static int sum_close(weir_call *call)
{
    free(weir_state(call));
    weir_set_state(call, NULL);
    return 0;
}

static struct sum *find(struct sums *sums, const char *key)
{
    unsigned i = 0;

    while (i < sums->count && strcmp(sums->of[i].key, key) != 0)
        i++;
    if (i == KEYS_MOST)
        return NULL;
    if (i == sums->count)
        strcpy(sums->of[sums->count++].key, key);
    return &sums->of[i];
}

static int sum_run(weir_call *call)
{
    struct line line = read_line(call);
    struct sum *sum = find(weir_state(call), line.key);
    int code = obey(call, &line);

    if (code != 0)
        return code;
    if (!sum)
        return weir_fail(call, WEIR_FATAL, "too many keys");
    if (line.number <= sum->last)
        return weir_fail(call, WEIR_FATAL, "%s %lu comes after %lu", line.key,
                         line.number, sum->last);
    sum->last = line.number;
    sum->items++;
    sum->total += line.number;
    return 0;
}

static int sum_flush(weir_call *call)
{
    const struct sums *sums = weir_state(call);
    int code = 0;

    for (unsigned i = 0; i < sums->count && code == 0; i++) {
        char text[128];
        int size = snprintf(text, sizeof text, "%s %lu %lu", sums->of[i].key,
                            sums->of[i].items, sums->of[i].total);

        code = weir_emit(call, 0, text, (size_t)size);
    }
    return code;
}

static int sum_save(weir_call *call, int fd)
{
    const struct sums *sums = weir_state(call);

    if (write(fd, sums, sizeof *sums) != sizeof *sums)
        return weir_fail(call, WEIR_FATAL, "cannot write");
    return 0;
}

static int sum_load(weir_call *call, int fd)
{
    struct sums *sums = weir_state(call);

    if (read(fd, sums, sizeof *sums) != sizeof *sums)
        return weir_fail(call, WEIR_FATAL, "cannot read");
    return 0;
}

static const weir_task tasks[] = {
    { .name = "tag",
      .summary = "Set the key of a line",
      .run = tag_run,
      .outputs = "out" },
    { .name = "say",
      .summary = "Do what the line says, and say who did it",
      .run = say_run,
      .outputs = "out" },
    { .name = "sum",
      .summary = "Add up numbers by key",
      .run = sum_run,
      .open = sum_open,
      .close = sum_close,
      .flush = sum_flush,
      .save = sum_save,
      .load = sum_load,
      .outputs = "out" },
    { 0 },
};

WEIR_PLUGIN(.name = "keyed", .version = "1.0", .summary = "Lines with a key",
            .tasks = tasks);
