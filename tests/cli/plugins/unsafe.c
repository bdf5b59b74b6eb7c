/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unsafe.c - tasks that are not safe to retry, each in a way of its own, for
 * the tests of `weir torture`. Runs in workers.
 *
 *   number   puts a number in front, of a counter that dies with the worker
 *   attempt  says which attempt it is
 *   random   gives something else each time
 *   sink     takes items, and what it does with them nobody knows
 *   safe     passes on; slow enough to be hit
 *   slow     the same; and takes long to open
 *   hangs    never comes back
 *   count    keeps how many came to itself until the end
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <weir/plugin.h>

static int give(weir_call *call, unsigned long number)
{
    weir_bytes in = weir_input(call);
    char text[128];
    int size = snprintf(text, sizeof text, "%lu %.*s", number, (int)in.size,
                        (const char *)in.data);

    return weir_emit(call, 0, text, (size_t)size);
}

static void take_time(void)
{
    const struct timespec time = { 0, 300000 };

    nanosleep(&time, NULL);
}

static int number_run(weir_call *call)
{
    static unsigned long count;

    take_time();
    return give(call, ++count);
}

static int attempt_run(weir_call *call)
{
    take_time();
    return give(call, weir_attempt(call));
}

static int random_run(weir_call *call)
{
    return give(call, (unsigned long)getpid());
}

static int sink_run(weir_call *call)
{
    (void)call;
    return 0;
}

static int safe_run(weir_call *call)
{
    take_time();
    return weir_pass(call, 0);
}

static int slow_open(weir_call *call)
{
    const struct timespec time = { 0, 300000000 };

    (void)call;
    nanosleep(&time, NULL);
    return 0;
}

static unsigned long seen;

static int count_run(weir_call *call)
{
    (void)call;
    seen++;
    return 0;
}

static int count_flush(weir_call *call)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%lu", seen);

    return weir_emit(call, 0, text, (size_t)size);
}

static const weir_task tasks[] = {
    { .name = "number",
      .summary = "Count",
      .run = number_run,
      .outputs = "out" },
    { .name = "attempt",
      .summary = "Say the attempt",
      .run = attempt_run,
      .outputs = "out" },
    { .name = "random",
      .summary = "Say the pid",
      .run = random_run,
      .outputs = "out" },
    { .name = "sink", .summary = "Swallow", .run = sink_run, .outputs = "" },
    { .name = "safe", .summary = "Pass on", .run = safe_run, .outputs = "out" },
    { .name = "hangs", .summary = "Hang", .run = hangs_run, .outputs = "out" },
    { .name = "slow",
      .summary = "Pass on, once it is open",
      .run = safe_run,
      .open = slow_open,
      .outputs = "out" },
    { .name = "count",
      .summary = "Count to the end",
      .run = count_run,
      .flush = count_flush,
      .single = true },
    { 0 }
};
WEIR_PLUGIN(.name = "unsafe", .version = "1.0", .tasks = tasks);
