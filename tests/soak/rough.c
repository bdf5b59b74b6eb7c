/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rough.c - a plugin whose tasks fail, hang, crash, eat and are slow, for
 * soak.sh. What an item comes to follows from its number, so that a run of any
 * length can be checked by arithmetic. Runs in workers.
 *
 *   make   a source: numbers from 0 on, with some letters behind them, until a
 *          file is there
 *   risk   now and then fails or misbehaves; gives a word, one of WORDS, and
 *          the item
 *   check  a sink: each number, in order, none left out and none twice
 *   lane   a sink: the same for the numbers of each lane, which are an
 *          attribute; now and then fails, or crashes
 *   slow   a sink that takes its time
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weir/plugin.h>

/* soak.sh knows the first two. */
enum { WORDS = 500, BAD_EVERY = 5000, BAD = 7 };
enum { LANES = 50 };
enum { PIECE = 32, ROOM = 2048, LARGE = 32768, DIGITS = 20 };
#define EATEN_BYTES ((size_t)256 << 20)

static void sleep_ms(long ms)
{
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&time, NULL);
}

/* ---------------------------------------------------------------- make ---- */

struct make {
    const char *until;
};

/* Most are small, one of a thousand is not. */
static size_t size_of(uint64_t n)
{
    return n % 1000 == 999 ? LARGE : DIGITS + 1 + n * 7919 % (ROOM - 100);
}

static int give(weir_call *call, uint64_t n)
{
    const char lane[] = { (char)('0' + n % LANES / 10),
                          (char)('0' + n % LANES % 10) };
    size_t size = size_of(n);
    void *data;
    int code = weir_set_attr(call, "lane", lane, sizeof lane);

    if (code == 0)
        code = weir_reserve(call, 0, size, &data);
    if (code < 0)
        return code;
    memset(data, 'a' + (int)(n % 26), size);
    for (size_t i = DIGITS; i-- > 0; n /= 10)
        ((char *)data)[i] = (char)('0' + n % 10);
    ((char *)data)[DIGITS] = ' ';
    return weir_submit(call, size);
}

static int make_run(weir_call *call)
{
    const struct make *param = weir_params(call);
    uint64_t next = 0;
    weir_bytes cursor;
    int code = weir_cursor(call, &cursor);

    if (code == 0 && cursor.size == sizeof next)
        memcpy(&next, cursor.data, sizeof next);
    if (access(param->until, F_OK) == 0)
        return WEIR_END;
    for (unsigned i = 0; i < PIECE && code == 0; i++)
        code = give(call, next + i);
    next += PIECE;
    return code < 0 ? code : weir_set_cursor(call, &next, sizeof next);
}

/* ---------------------------------------------------------------- risk ---- */

static uint64_t number_of(weir_call *call)
{
    return strtoull(weir_input(call).data, NULL, 10);
}

static void hang(uint64_t n)
{
    if (n % 2 != 0)
        signal(SIGTERM, SIG_IGN);
    for (;;)
        pause();
}

/* Until somebody kills it, for its stage has a limit. */
static void eat(void)
{
    char *food = malloc(EATEN_BYTES);

    if (food != NULL)
        memset(food, 1, EATEN_BYTES);
    for (;;)
        pause();
}

/* Primes, so that each meets each. */
static void misbehave(uint64_t n)
{
    if (n % 20011 == 5)
        raise(SIGSEGV);
    if (n % 30011 == 6)
        _exit(3);
    if (n % 100003 == 8)
        hang(n);
    if (n % 200003 == 9)
        eat();
    if (n % 5003 == 11)
        sleep_ms(5);
}

/* Three digits, a to j. */
static void write_word(uint64_t number, char out[3])
{
    for (unsigned i = 3; i-- > 0; number /= 10)
        out[i] = (char)('a' + number % 10);
}

static int risk_run(weir_call *call)
{
    uint64_t n = number_of(call);
    char word[3];
    int code;

    if (n % BAD_EVERY == BAD)
        return weir_fail(call, WEIR_PERMANENT, "number %" PRIu64 " is bad", n);
    if (weir_attempt(call) == 1) {
        misbehave(n);
        if (n % 997 == 3)
            return weir_fail(call, WEIR_TRANSIENT, "not at the first try");
    }
    write_word(n % WORDS, word);
    code = weir_emit(call, 0, word, sizeof word);
    return code < 0 ? code : weir_pass(call, 1);
}

/* ------------------------------------------------------ check and lane ---- */

/* How many numbers of each lane have come; `check` has but one. */
struct seen {
    uint64_t of[LANES];
};

static int seen_open(weir_call *call)
{
    struct seen *seen = calloc(1, sizeof *seen);

    if (seen == NULL)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    weir_set_state(call, seen);
    return 0;
}

static int see(weir_call *call, uint64_t lane, uint64_t lanes)
{
    struct seen *seen = weir_state(call);
    uint64_t n = number_of(call), next = seen->of[lane] * lanes + lane;

    if (n != next)
        return weir_fail(call, WEIR_FATAL,
                         "number %" PRIu64 " came where %" PRIu64 " should", n,
                         next);
    seen->of[lane]++;
    return 0;
}

static int check_run(weir_call *call)
{
    return see(call, 0, 1);
}

static int lane_run(weir_call *call)
{
    uint64_t n = number_of(call);

    if (weir_attempt(call) == 1) {
        if (n % 50021 == 10)
            raise(SIGSEGV);
        if (n % 997 == 4)
            return weir_fail(call, WEIR_TRANSIENT, "not at the first try");
    }
    return see(call, n % LANES, LANES);
}

static int seen_save(weir_call *call, int fd)
{
    const struct seen *seen = weir_state(call);

    return write(fd, seen, sizeof *seen) == sizeof *seen
               ? 0
               : weir_fail(call, WEIR_TRANSIENT, "cannot save");
}

static int seen_load(weir_call *call, int fd)
{
    struct seen *seen = weir_state(call);

    return read(fd, seen, sizeof *seen) == sizeof *seen
               ? 0
               : weir_fail(call, WEIR_TRANSIENT, "cannot load");
}

static int seen_close(weir_call *call)
{
    free(weir_state(call));
    weir_set_state(call, NULL);
    return 0;
}

static int seen_flush(weir_call *call)
{
    (void)call;
    return 0;
}

/* ---------------------------------------------------------------- slow ---- */

static int slow_run(weir_call *call)
{
    (void)call;
    sleep_ms(2);
    return 0;
}

static const weir_param make_params[] = {
    WEIR_PARAM_TEXT(struct make, until, NULL, "the file that ends it"), { 0 }
};
static const weir_task tasks[] = {
    { .name = "make",
      .summary = "Make numbers until a file is there",
      .run = make_run,
      .params = make_params,
      .source = true },
    { .name = "risk",
      .summary = "Fail now and then, in many ways",
      .run = risk_run,
      .outputs = "word rest" },
    { .name = "check",
      .summary = "See whether each number comes, in order",
      .run = check_run,
      .open = seen_open,
      .close = seen_close,
      .flush = seen_flush,
      .save = seen_save,
      .load = seen_load,
      .single = true,
      .outputs = "" },
    { .name = "lane",
      .summary = "See whether each number of a lane comes, in order",
      .run = lane_run,
      .open = seen_open,
      .close = seen_close,
      .flush = seen_flush,
      .save = seen_save,
      .load = seen_load,
      .outputs = "" },
    { .name = "slow",
      .summary = "Take items slowly",
      .run = slow_run,
      .outputs = "" },
    { 0 }
};
WEIR_PLUGIN(.name = "rough", .version = "1.0", .tasks = tasks);
