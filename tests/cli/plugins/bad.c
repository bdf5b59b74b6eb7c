/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bad.c - a plugin that does what its items say, for the tests of the runner.
 * Runs in workers.
 *
 * bad.do takes a line `WORD [NUMBER [NUMBER]]`:
 *
 *   pass            the line itself
 *   emit N [SIZE]   N items "0", "1"... of at least SIZE bytes
 *   fail N          TRANSIENT in the first N attempts, then the line
 *   die N [SIGNAL]  the worker kills itself in the first N attempts
 *   exit S          the worker calls exit(S)
 *   abort, spin, sleep, stubborn (spins and ignores SIGTERM), stop (SIGSTOP)
 *   permanent, skip, fatal, nonsense (returns 5), end (returns WEIR_END)
 *   print           writes to stdout
 *   twins           reserves twice
 *   orphan          forks a child that leaves the group and sleeps
 *   beat MS         gives signs of life so long, then the line
 *   late            waits until it is overdue, then the line
 *   eat MIB         takes so much memory and touches it, then sleeps
 *   slow MS         waits so long, then the line
 *   other N         N items, others in each attempt; dies in the first one
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weir/plugin.h>

struct order {
    char word[16];
    unsigned long a, b;
    unsigned numbers;
};

static struct order read_order(weir_bytes in)
{
    struct order order = { .word = "" };
    char line[64] = "";

    memcpy(line, in.data, in.size < sizeof line ? in.size : sizeof line - 1);
    order.numbers = (unsigned)sscanf(line, "%15s %lu %lu", order.word, &order.a,
                                     &order.b);
    return order;
}

static void wait_ms(unsigned long ms)
{
    struct timespec time = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

    while (nanosleep(&time, &time) < 0)
        continue;
}

static int emit_many(weir_call *call, unsigned long count, unsigned long size,
                     unsigned long from)
{
    for (unsigned long i = 0; i < count; i++) {
        char number[24];
        int digits = snprintf(number, sizeof number, "%lu", from + i);
        size_t room = (size_t)digits > size ? (size_t)digits : size;
        void *data;
        int code = weir_reserve(call, 0, room, &data);

        if (code < 0)
            return code;
        memset(data, ' ', room);
        memcpy(data, number, (size_t)digits);
        code = weir_submit(call, room);
        if (code < 0)
            return code;
    }
    return 0;
}

static int do_emit(weir_call *call, const struct order *order)
{
    return emit_many(call, order->a, order->b, 0);
}

static int do_pass(weir_call *call, const struct order *order)
{
    (void)order;
    return weir_pass(call, 0);
}

static int do_fail(weir_call *call, const struct order *order)
{
    if (weir_attempt(call) <= order->a)
        return weir_fail(call, WEIR_TRANSIENT, "attempt %u of %lu that fail",
                         weir_attempt(call), order->a);
    return weir_pass(call, 0);
}

static int do_die(weir_call *call, const struct order *order)
{
    if (weir_attempt(call) <= order->a)
        raise(order->numbers > 2 ? (int)order->b : SIGKILL);
    return weir_pass(call, 0);
}

static int do_exit(weir_call *call, const struct order *order)
{
    (void)call;
    exit((int)order->a);
}

static int do_abort(weir_call *call, const struct order *order)
{
    (void)call, (void)order;
    abort();
}

static int do_spin(weir_call *call, const struct order *order)
{
    volatile bool always = true;

    (void)call, (void)order;
    while (always)
        continue;
    return 0;
}

static int do_stubborn(weir_call *call, const struct order *order)
{
    signal(SIGTERM, SIG_IGN);
    return do_spin(call, order);
}

static int do_sleep(weir_call *call, const struct order *order)
{
    volatile bool always = true;

    (void)call, (void)order;
    while (always)
        pause();
    return 0;
}

static int do_stop(weir_call *call, const struct order *order)
{
    (void)order;
    raise(SIGSTOP);
    return weir_pass(call, 0);
}

static int do_permanent(weir_call *call, const struct order *order)
{
    (void)order;
    return weir_fail(call, WEIR_PERMANENT, "it is not wanted");
}

static int do_skip(weir_call *call, const struct order *order)
{
    (void)order;
    return weir_fail(call, WEIR_SKIP, "it does not count");
}

static int do_fatal(weir_call *call, const struct order *order)
{
    (void)order;
    return weir_fail(call, WEIR_FATAL, "nothing can go on");
}

static int do_nonsense(weir_call *call, const struct order *order)
{
    (void)call, (void)order;
    return 5;
}

static int do_end(weir_call *call, const struct order *order)
{
    (void)call, (void)order;
    return WEIR_END;
}

static int do_print(weir_call *call, const struct order *order)
{
    (void)order;
    printf("a task prints\n");
    fflush(stdout);
    return weir_pass(call, 0);
}

static int do_twins(weir_call *call, const struct order *order)
{
    void *data;
    int code = weir_reserve(call, 0, 10, &data);

    (void)order;
    if (code == 0 && weir_reserve(call, 0, 10, &data) != WEIR_ESTATE)
        return weir_fail(call, WEIR_FATAL, "two reservations are open");
    return 0; /* never submitted: it is dropped */
}

static int do_orphan(weir_call *call, const struct order *order)
{
    (void)order;
    if (fork() == 0) {
        setsid();
        for (;;)
            pause();
    }
    return weir_pass(call, 0);
}

static int do_slow(weir_call *call, const struct order *order)
{
    wait_ms(order->a);
    return weir_pass(call, 0);
}

static int do_beat(weir_call *call, const struct order *order)
{
    for (unsigned long ms = 0; ms < order->a; ms += 5) {
        weir_heartbeat(call);
        wait_ms(5);
    }
    return weir_pass(call, 0);
}

static int do_late(weir_call *call, const struct order *order)
{
    (void)order;
    while (!weir_overdue(call))
        wait_ms(5);
    return weir_pass(call, 0);
}

static int do_eat(weir_call *call, const struct order *order)
{
    size_t size = order->a << 20;
    volatile char *data = malloc(size);

    (void)call;
    for (size_t i = 0; data && i < size; i += 4096)
        data[i] = 1;
    for (;;)
        pause();
}

static int do_other(weir_call *call, const struct order *order)
{
    int code = emit_many(call, order->a, 0, 1000 * weir_attempt(call));

    if (code == 0 && weir_attempt(call) == 1)
        raise(SIGKILL);
    return code;
}

static const struct {
    const char *word;
    int (*run)(weir_call *call, const struct order *order);
} orders[] = {
    { "abort", do_abort },
    { "beat", do_beat },
    { "die", do_die },
    { "eat", do_eat },
    { "late", do_late },
    { "emit", do_emit },
    { "end", do_end },
    { "exit", do_exit },
    { "fail", do_fail },
    { "fatal", do_fatal },
    { "nonsense", do_nonsense },
    { "orphan", do_orphan },
    { "other", do_other },
    { "pass", do_pass },
    { "permanent", do_permanent },
    { "print", do_print },
    { "skip", do_skip },
    { "sleep", do_sleep },
    { "slow", do_slow },
    { "spin", do_spin },
    { "stop", do_stop },
    { "stubborn", do_stubborn },
    { "twins", do_twins },
};

static int do_run(weir_call *call)
{
    struct order order = read_order(weir_input(call));

    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        if (strcmp(orders[i].word, order.word) == 0)
            return orders[i].run(call, &order);
    return weir_pass(call, 0);
}

/* Three outputs, each gets the item: one passed, one copied, one in place. */
static int three_run(weir_call *call)
{
    weir_bytes in = weir_input(call);
    void *data;
    int code = weir_pass(call, 0);

    if (code == 0)
        code = weir_emit(call, 1, in.data, in.size);
    if (code == 0)
        code = weir_reserve(call, 2, in.size + 100, &data);
    if (code < 0)
        return code;
    if (in.size > 0)
        memcpy(data, in.data, in.size);
    return weir_submit(call, in.size);
}

/* ---------------------------------------------------------------- state ----
 */

struct sum {
    unsigned long long items, bytes;
};

static int sum_open(weir_call *call)
{
    struct sum *sum = calloc(1, sizeof *sum);

    if (!sum)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    weir_set_state(call, sum);
    return 0;
}

static int sum_close(weir_call *call)
{
    free(weir_state(call));
    weir_set_state(call, NULL);
    return 0;
}

static int sum_run(weir_call *call)
{
    struct sum *sum = weir_state(call);
    weir_bytes in = weir_input(call);

    sum->items++;
    sum->bytes += in.size;
    if (in.size >= 3 && memcmp(in.data, "die", 3) == 0 &&
        weir_attempt(call) == 1)
        raise(SIGKILL);
    return 0;
}

static int sum_flush(weir_call *call)
{
    const struct sum *sum = weir_state(call);
    char text[64];
    int size = snprintf(text, sizeof text, "%llu items, %llu bytes", sum->items,
                        sum->bytes);

    return weir_emit(call, 0, text, (size_t)size);
}

static int sum_save(weir_call *call, int fd)
{
    const struct sum *sum = weir_state(call);

    if (write(fd, sum, sizeof *sum) != sizeof *sum)
        return weir_fail(call, WEIR_FATAL, "cannot write");
    return 0;
}

static int sum_load(weir_call *call, int fd)
{
    struct sum *sum = weir_state(call);

    if (read(fd, sum, sizeof *sum) != sizeof *sum)
        return weir_fail(call, WEIR_FATAL, "cannot read");
    return 0;
}

/* -------------------------------------------------------- open, source ---- */

struct how {
    const char *how;
};

static int how_to_end(weir_call *call, const char *how)
{
    if (strcmp(how, "fail") == 0)
        return weir_fail(call, WEIR_PERMANENT, "there is no such thing");
    if (strcmp(how, "die") == 0)
        raise(SIGSEGV);
    if (strcmp(how, "exit") == 0)
        exit(7);
    if (strcmp(how, "hang") == 0)
        for (;;)
            pause();
    return 0;
}

/* Sleeps, and for so long that it is no lock: it waits for an item. */
static bool main_waits(void)
{
    char path[64], state = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)getpid());
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 0;
    fclose(file);
    return state == 'S';
}

static void *kill_idle(void *arg)
{
    const struct timespec moment = { .tv_nsec = 10000000 };

    for (int seen = 0; seen < 10; seen = main_waits() ? seen + 1 : 0)
        nanosleep(&moment, NULL);
    kill(getpid(), (int)(intptr_t)arg);
    return NULL;
}

/* Between items, when it has been opened and has told so. */
static void die_later(int with)
{
    pthread_t thread;

    pthread_create(&thread, NULL, kill_idle, (void *)(intptr_t)with);
}

/* As if somebody ended it, as long as the file `dies` is there; each time is a
 * byte more in `opened`. */
static void end_later(void)
{
    int fd = open("opened", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd >= 0 && write(fd, "x", 1) == 1 && access("dies", F_OK) == 0)
        die_later(SIGTERM);
    close(fd);
}

static int opens_open(weir_call *call)
{
    const struct how *how = weir_params(call);

    if (strcmp(how->how, "ended") == 0)
        return end_later(), 0;
    if (strcmp(how->how, "later") == 0)
        return die_later(SIGSEGV), 0;
    return how_to_end(call, how->how);
}

static int opens_run(weir_call *call)
{
    return weir_pass(call, 0);
}

/* Gives one item, then ends as it is told to. */
static int source_run(weir_call *call)
{
    const struct how *how = weir_params(call);
    weir_bytes cursor;
    int code = weir_cursor(call, &cursor);

    if (code < 0)
        return code;
    if (weir_state(call))
        return WEIR_END;
    if (cursor.size == 0) {
        code = weir_emit(call, 0, "one", 3);
        if (code == 0)
            code = weir_set_cursor(call, "1", 1);
        weir_set_state(call, strcmp(how->how, "once") == 0 ? call : NULL);
        if (code == 0 && strcmp(how->how, "pause") == 0)
            code = weir_pause(call, INT64_C(3600) * 1000000000);
        return code;
    }
    if (strcmp(how->how, "flood") == 0)
        return emit_many(call, 100, 0, 0);
    code = how_to_end(call, how->how);
    return code != 0 ? code : WEIR_END;
}

static int source_close(weir_call *call)
{
    weir_set_state(call, NULL);
    return 0;
}

static const weir_param how_params[] = {
    WEIR_PARAM_TEXT(struct how, how, "once", "how it ends"),
    { 0 },
};

static const weir_task tasks[] = {
    { .name = "do", .summary = "Do what the item says", .run = do_run },
    { .name = "three",
      .summary = "Give the item on three outputs",
      .run = three_run,
      .outputs = "a b c" },
    { .name = "sum",
      .summary = "Count items and bytes, and save that",
      .run = sum_run,
      .open = sum_open,
      .close = sum_close,
      .flush = sum_flush,
      .save = sum_save,
      .load = sum_load,
      .single = true },
    { .name = "forgetful",
      .summary = "Count items and bytes, and save nothing",
      .run = sum_run,
      .open = sum_open,
      .close = sum_close,
      .flush = sum_flush,
      .single = true },
    { .name = "opens",
      .summary = "Open as the parameter says",
      .run = opens_run,
      .open = opens_open,
      .params = how_params },
    { .name = "source",
      .summary = "Give an item and end as the parameter says",
      .run = source_run,
      .close = source_close,
      .params = how_params,
      .source = true },
    { 0 },
};

WEIR_PLUGIN(.name = "bad", .version = "1.0",
            .summary = "Does what it should not", .tasks = tasks);
