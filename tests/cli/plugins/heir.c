/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * heir.c - a plugin whose workers are replaced while they work, for the tests
 * of `recycle`. Runs in workers.
 *
 * All that happens to a worker is a line of the file `log`: "open PID", "load
 * PID", "save PID", "close PID". With `every`, a worker that has done so many
 * items waits, amid the last one, until another has opened: so a run is never
 * over before that.
 *
 * In the folder of the run: while there is a file `hold`, `open` waits, that of
 * the n-th worker and those behind it when it has the number n in it; while
 * there is a file `bar`, it fails; while there is a file `late`, `close` waits.
 *
 * heir.pass   passes items on; one that is "eat N" takes N MiB first, and
 *             keeps them
 * heir.sum    counts items and their bytes, and tells that at the end
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weir/plugin.h>

struct param {
    const char *log;
    uint64_t every, size;
};

struct state {
    unsigned long long items, bytes; /* of all workers before it, too */
    unsigned long long own;
    unsigned opened; /* how many had been opened when it was, and it */
};

static void wait_moment(void)
{
    const struct timespec moment = { .tv_nsec = 1000000 };

    nanosleep(&moment, NULL);
}

static void note(weir_call *call, const char *what)
{
    const struct param *param = weir_params(call);
    int fd = open(param->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    char line[64];
    int size = snprintf(line, sizeof line, "%s %d\n", what, (int)getpid());

    if (fd < 0 || write(fd, line, (size_t)size) != size)
        abort();
    close(fd);
}

static unsigned count_opened(weir_call *call)
{
    const struct param *param = weir_params(call);
    FILE *file = fopen(param->log, "re");
    unsigned count = 0;
    char line[64];

    while (file && fgets(line, sizeof line, file))
        count += strncmp(line, "open ", 5) == 0;
    if (file)
        fclose(file);
    return count;
}

static int is_held(unsigned number)
{
    FILE *file = fopen("hold", "re");
    unsigned first = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%u", &first) != 1)
        first = 0;
    fclose(file);
    return number >= first;
}

static volatile char *eaten; /* the last of it */

static void eat(uint64_t size)
{
    if (size == 0)
        return;
    eaten = malloc(size);
    for (uint64_t i = 0; eaten && i < size; i += 4096)
        eaten[i] = 1;
}

static int heir_open(weir_call *call)
{
    const struct param *param = weir_params(call);
    struct state *state = calloc(1, sizeof *state);

    if (!state)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    weir_set_state(call, state);
    weir_heartbeat(call); /* all that may be called at any time */
    if (weir_overdue(call))
        return weir_fail(call, WEIR_PERMANENT, "overdue at the start");
    eat(param->size);
    note(call, "open");
    state->opened = count_opened(call);
    while (is_held(state->opened) && !weir_stopping(call))
        wait_moment();
    if (access("bar", F_OK) == 0)
        return weir_fail(call, WEIR_PERMANENT, "the bar is down");
    state->opened = count_opened(call);
    return 0;
}

static int heir_close(weir_call *call)
{
    weir_heartbeat(call);
    if (weir_emit(call, 0, "x", 1) != WEIR_ESTATE)
        abort();
    note(call, "close");
    while (access("late", F_OK) == 0)
        wait_moment();
    free(weir_state(call));
    return 0;
}

static void wait_for_heir(weir_call *call, const struct state *state)
{
    while (count_opened(call) <= state->opened)
        wait_moment();
}

static void count(weir_call *call)
{
    const struct param *param = weir_params(call);
    struct state *state = weir_state(call);

    state->items++;
    state->own++;
    state->bytes += weir_input(call).size;
    if (state->own == param->every)
        wait_for_heir(call, state);
    else if (param->every > 0 && state->own > param->every)
        wait_moment();
}

static int pass_run(weir_call *call)
{
    weir_bytes in = weir_input(call);
    unsigned long size;
    char text[32] = "";

    memcpy(text, in.data, in.size < sizeof text ? in.size : sizeof text - 1);
    count(call);
    if (sscanf(text, "eat %lu", &size) == 1)
        eat(size << 20);
    return weir_pass(call, 0);
}

static int sum_run(weir_call *call)
{
    count(call);
    return 0;
}

static int sum_flush(weir_call *call)
{
    const struct state *state = weir_state(call);
    char text[64];
    int size = snprintf(text, sizeof text, "%llu items, %llu bytes",
                        state->items, state->bytes);

    return weir_emit(call, 0, text, (size_t)size);
}

static int sum_save(weir_call *call, int fd)
{
    const struct state *state = weir_state(call);

    note(call, "save");
    if (write(fd, state, sizeof *state) != sizeof *state)
        return weir_fail(call, WEIR_FATAL, "cannot write");
    return 0;
}

static int sum_load(weir_call *call, int fd)
{
    struct state *state = weir_state(call), saved;

    if (read(fd, &saved, sizeof saved) != sizeof saved)
        return weir_fail(call, WEIR_FATAL, "cannot read");
    state->items = saved.items;
    state->bytes = saved.bytes;
    note(call, "load");
    return 0;
}

static const weir_param params[] = {
    WEIR_PARAM_TEXT(struct param, log, "log", "where lines are added"),
    WEIR_PARAM_UINT(struct param, every, "0",
                    "wait for the next one after so "
                    "many items"),
    WEIR_PARAM_SIZE(struct param, size, "0 B", "memory that it takes in open"),
    { 0 },
};

static const weir_task tasks[] = {
    { .name = "pass",
      .summary = "Pass items on",
      .run = pass_run,
      .open = heir_open,
      .close = heir_close,
      .params = params },
    { .name = "sum",
      .summary = "Count items",
      .run = sum_run,
      .open = heir_open,
      .close = heir_close,
      .flush = sum_flush,
      .save = sum_save,
      .load = sum_load,
      .params = params,
      .single = true },
    { 0 },
};

WEIR_PLUGIN(.name = "heir", .version = "1.0", .tasks = tasks);
