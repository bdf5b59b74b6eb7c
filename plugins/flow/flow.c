/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flow.c - the plugin `flow`: items from nothing, into nothing, and straight
 * on; for trying out and measuring. Runs in workers. flow.md is the manual.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir/plugin.h>

struct generate_param {
    uint64_t count, size_bytes;
    double rate;
};

struct generate {
    uint64_t next; /* the next one of this worker's share */
    uint64_t share, shares;
    uint64_t first;   /* `next` when the clock began */
    int64_t start_ns; /* 0: no clock yet */
};

enum { PIECE = 64, PIECE_BYTES = 1 << 20, DIGITS = 20 };

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Item n begins with n in 20 digits, or as many as it has room for, the last
 * ones; then letters that n decides. */
static void fill(char *data, size_t size, uint64_t n)
{
    size_t digits = size < DIGITS ? size : DIGITS;
    uint64_t rest = n, letters = n;

    for (size_t i = digits; i-- > 0; rest /= 10)
        data[i] = (char)('0' + rest % 10);
    for (size_t i = digits; i < size; i += 8) {
        uint64_t mixed = letters += 0x9e3779b97f4a7c15u; /* splitmix64 */
        size_t part = size - i < 8 ? size - i : 8;

        mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
        mixed ^= mixed >> 31;
        for (size_t k = 0; k < part; k++, mixed >>= 8)
            data[i + k] = (char)('a' + (mixed & 15));
    }
}

static int generate_open(weir_call *call)
{
    struct generate *state = calloc(1, sizeof *state);
    unsigned index, count;
    weir_bytes cursor;
    int code;

    if (!state)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    weir_set_state(call, state);
    weir_share(call, &index, &count);
    state->share = index;
    state->shares = count;
    code = weir_cursor(call, &cursor);
    if (code < 0)
        return code;
    if (cursor.size == sizeof state->next)
        memcpy(&state->next, cursor.data, sizeof state->next);
    return 0;
}

static int generate_close(weir_call *call)
{
    free(weir_state(call));
    weir_set_state(call, NULL);
    return 0;
}

/* How many items are due now; when there are none, *wait_ns until the next
 * one. All workers together keep the rate, so each keeps its part of it. Who
 * was held up catches up by one piece, and not by a flood. */
static uint64_t due(struct generate *state, double rate, int64_t *wait_ns)
{
    double each_ns = 1e9 * (double)state->shares / rate;
    uint64_t given = state->next - state->first;
    double at_ns = (double)given * each_ns, passed;

    if (state->start_ns == 0) {
        state->start_ns = now_ns();
        state->first = state->next;
        return 1;
    }
    passed = (double)(now_ns() - state->start_ns);
    *wait_ns = at_ns > passed ? (int64_t)(at_ns - passed) + 1 : 0;
    if (*wait_ns > 0)
        return 0;
    passed = (passed - at_ns) / each_ns;
    if (passed < PIECE)
        return (uint64_t)passed + 1;
    state->start_ns = now_ns() - (int64_t)(PIECE * each_ns);
    state->first = state->next;
    return PIECE;
}

static int one_item(weir_call *call, struct generate *state, size_t size)
{
    uint64_t n = state->next * state->shares + state->share;
    void *data;
    int code = weir_reserve(call, 0, size, &data);

    if (code < 0)
        return code;
    fill(data, size, n);
    code = weir_submit(call, size);
    if (code < 0)
        return code;
    state->next++;
    return weir_set_cursor(call, &state->next, sizeof state->next);
}

static bool at_end(const struct generate *state, uint64_t count)
{
    return state->share >= count ||
           state->next > (count - 1 - state->share) / state->shares;
}

static int generate_run(weir_call *call)
{
    const struct generate_param *param = weir_params(call);
    struct generate *state = weir_state(call);
    uint64_t bytes = 0, count;
    int64_t wait_ns = 0;
    int code;

    if (at_end(state, param->count))
        return WEIR_END;
    count = due(state, param->rate, &wait_ns);
    if (count == 0) {
        code = weir_set_cursor(call, &state->next, sizeof state->next);
        return code < 0 ? code : weir_pause(call, wait_ns);
    }
    for (code = 0; code == 0 && count > 0 && bytes < PIECE_BYTES; count--) {
        code = one_item(call, state, (size_t)param->size_bytes);
        bytes += param->size_bytes;
        if (at_end(state, param->count))
            break;
    }
    return code;
}

static int discard_run(weir_call *call)
{
    (void)call;
    return 0;
}

static int pass_run(weir_call *call)
{
    return weir_pass(call, 0);
}

static const weir_param generate_params[] = {
    WEIR_PARAM_UINT(struct generate_param, count, NULL, "how many items",
                    .max = "1000000000000"),
    WEIR_PARAM_SIZE(struct generate_param, size_bytes, "64 B",
                    "bytes of each item", .max = "1 GiB"),
    WEIR_PARAM_REAL(struct generate_param, rate, "1000000000",
                    "most items a second, of all workers together",
                    .min = "0.001", .max = "1000000000"),
    { 0 },
};

static const weir_task tasks[] = {
    {
        .name = "generate",
        .summary = "Make items from nothing",
        .run = generate_run,
        .open = generate_open,
        .close = generate_close,
        .params = generate_params,
        .largest = "size",
        .source = true,
        .shares = true,
    },
    {
        .name = "discard",
        .summary = "Take items, and do nothing with them",
        .run = discard_run,
        .outputs = "",
    },
    {
        .name = "pass",
        .summary = "Give items on as they are",
        .run = pass_run,
    },
    { 0 },
};

WEIR_PLUGIN(.name = "flow", .version = PACKAGE_VERSION,
            .summary = "Items from nothing, into nothing, and straight on",
            .tasks = tasks);
