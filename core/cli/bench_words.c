/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench_words.c - see bench_words.h.
 *
 * Each rule compares figures of one run with each other, never with those of
 * another machine.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>

#include "cli/bench_words.h"

/* Rounds of one bare program that differ by more speak of other work on the
 * machine: it does the same each time. */
#define NOISY 2.0
/* Items that cost no more than so many copies cost their bytes, not more. */
#define MOVED_MOST 4

struct talk {
    const struct bench_machine *machine;
    const struct bench_measured *rows;
    void (*say)(const char *sentence, void *arg);
    void *arg;
};

static void say(const struct talk *talk, const char *format, ...)
    WEIR_PRINTF(2, 3);
static void say(const struct talk *talk, const char *format, ...)
{
    char text[640];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    talk->say(text, talk->arg);
}

static double weir_ns(const struct talk *talk, enum bench_id id)
{
    return talk->rows[id].weir.median;
}

static double bare_ns(const struct talk *talk, enum bench_id id)
{
    return talk->rows[id].bare.median;
}

static const char *time_text(char *out, double ns)
{
    return text_from_duration(out, (int64_t)ns);
}

static void say_processors(const struct talk *talk)
{
    if (talk->machine->processors == 1)
        say(talk,
            "One processor may be used, by affinity or the quota of a cgroup: "
            "who puts and who gets take turns on it, and each turn is a switch "
            "of the kernel. More processors help most.");
}

static void say_noise(const struct talk *talk)
{
    double worst = 1;

    for (int i = 0; i < BENCH_ROWS; i++) {
        const struct bench_figure *bare = &talk->rows[i].bare;

        if (bare->least > 0 && bare->most / bare->least > worst)
            worst = bare->most / bare->least;
    }
    if (worst > NOISY)
        say(talk,
            "The machine has other work, or its processors are shared: one and "
            "the same bare program took up to %.1f times as long in one round "
            "as in another. Take all figures as rough.",
            worst);
}

static void say_call(const struct talk *talk)
{
    char call[32], bare[32], rest[32];

    /* A bare word that is slower had no processor: say_noise tells. */
    if (talk->machine->processors == 1 ||
        weir_ns(talk, BENCH_CALL) <= bare_ns(talk, BENCH_CALL))
        return;
    say(talk,
        "A call takes %s there and back. %s of it is what two processors need "
        "to hand each other a word; the other %s are the call's turns at "
        "queues that survive a kill.",
        time_text(call, weir_ns(talk, BENCH_CALL)),
        time_text(bare, bare_ns(talk, BENCH_CALL)),
        time_text(rest, weir_ns(talk, BENCH_CALL) - bare_ns(talk, BENCH_CALL)));
}

static void say_wake(const struct talk *talk)
{
    char call[32], bare[32];

    if (weir_ns(talk, BENCH_CALL_ASLEEP) == 0)
        return;
    say(talk,
        "A worker that sleeps answers after %s; the kernel takes %s to wake a "
        "process, and it the first one. That is what limits a call now and "
        "then.",
        time_text(call, weir_ns(talk, BENCH_CALL_ASLEEP)),
        time_text(bare, bare_ns(talk, BENCH_CALL_ASLEEP)));
}

static void say_calls(const struct talk *talk)
{
    char each[32], task[32], map[32];
    double async = weir_ns(talk, BENCH_ASYNC);

    if (async == 0)
        return;
    say(talk,
        "One caller hands out a call each %s. So it keeps %u workers busy when "
        "a task takes %s or more; for shorter ones let one call do several.",
        time_text(each, async), talk->machine->workers,
        time_text(task, async * talk->machine->workers));
    if (weir_ns(talk, BENCH_MAP) > 0 && weir_ns(talk, BENCH_MAP) < 0.8 * async)
        say(talk, "By map it is a call each %s: it hands over many at once.",
            time_text(map, weir_ns(talk, BENCH_MAP)));
}

static void say_items(const struct talk *talk)
{
    char one[32], bare[32], many[32];
    double queue = weir_ns(talk, BENCH_QUEUE);
    double batch = weir_ns(talk, BENCH_BATCH);

    if (queue > 0)
        say(talk,
            "A small item goes from one process to another in %s; a bare ring "
            "under a robust mutex needs %s. The rest is what makes it survive "
            "a kill: lease, commit, and who has what.",
            time_text(one, queue), time_text(bare, bare_ns(talk, BENCH_QUEUE)));
    if (queue > 0 && batch > 0 && batch < 0.8 * queue)
        say(talk,
            "32 at once take %s each: put_many and get_many are %.1f times as "
            "fast. Stages of a job do so by themselves.",
            time_text(many, batch), queue / batch);
}

static void say_bytes(const struct talk *talk)
{
    double middle = weir_ns(talk, BENCH_64K), large = weir_ns(talk, BENCH_1M);
    double queue = weir_ns(talk, BENCH_QUEUE);
    char size[32];

    if (middle == 0)
        return;
    say(talk,
        "Items of 64 KiB go through at %.1f GB/s, written and read in place; "
        "one memcpy does %.1f GB/s here.%s",
        65536 / middle, 65536 / bare_ns(talk, BENCH_64K),
        middle < MOVED_MOST * bare_ns(talk, BENCH_64K)
            ? " Each byte is moved twice, by who writes and by who reads: that "
              "limits them."
            : "");
    if (queue > 0)
        say(talk,
            "From about %s on, an item's bytes take longer than handing it "
            "over: what is much smaller pays mostly for the latter, so put "
            "more into one item, or more items into one put.",
            text_from_size(size, (uint64_t)(queue * 65536 / middle)));
    if (large > 0 && large > 2 * 16 * middle)
        say(talk,
            "Items of 1 MiB go through at %.1f GB/s only: they leave the "
            "processor's cache on the way. A queue with fewer `bytes` keeps "
            "them in it.",
            1048576 / large);
}

static void say_start(const struct talk *talk)
{
    char start[32], bare[32], enough[32];

    if (weir_ns(talk, BENCH_START) == 0)
        return;
    say(talk,
        "A context and a pool take %s to start and end, of which two forks "
        "take %s: keep a pool where all its work takes less than %s.",
        time_text(start, weir_ns(talk, BENCH_START)),
        time_text(bare, bare_ns(talk, BENCH_START)),
        time_text(enough, 10 * weir_ns(talk, BENCH_START)));
}

static void say_recovery(const struct talk *talk)
{
    char time[32];

    if (weir_ns(talk, BENCH_RECOVERY) > 0)
        say(talk,
            "The item of a process that is killed is taken up by another after "
            "%s.",
            time_text(time, weir_ns(talk, BENCH_RECOVERY)));
}

void bench_words(const struct bench_machine *machine,
                 const struct bench_measured rows[BENCH_ROWS],
                 void (*sentence)(const char *sentence, void *arg), void *arg)
{
    const struct talk talk = { machine, rows, sentence, arg };

    say_processors(&talk);
    say_noise(&talk);
    say_call(&talk);
    say_wake(&talk);
    say_calls(&talk);
    say_items(&talk);
    say_bytes(&talk);
    say_start(&talk);
    say_recovery(&talk);
}
