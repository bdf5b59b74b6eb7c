/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_imap.c - core/pool/pool_imap.c: results one by one, of inputs that are
 * taken as they are needed. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/process.h"
#include "suites.h"
#include "watch.h"

/* A row of numbers as inputs, and what became of it. */
struct row {
    uint32_t count; /* how many there are */
    int end;        /* what is said then */
    uint32_t taken;
    uint32_t number; /* the input */
    size_t size;     /* of each; 0: the number */
    const char *text;
    weir_imap **imap; /* acts on it at input `at` */
    uint32_t at;
    enum { ACT_NOTHING, ACT_NEXT, ACT_CANCEL, ACT_FREE, ACT_APPLY } act;
    weir_pool *pool;
};

static void act_in_input(struct row *row)
{
    weir_result *result = NULL;

    switch (row->act) {
    case ACT_NOTHING:
        break;
    case ACT_NEXT:
        ck_assert_int_eq(weir_imap_next(*row->imap, 0, &result, NULL),
                         WEIR_ESTATE);
        break;
    case ACT_CANCEL:
        ck_assert_int_eq(weir_imap_cancel(*row->imap), 0);
        break;
    case ACT_FREE:
        weir_imap_free(row->imap);
        break;
    case ACT_APPLY:
        ck_assert_int_eq(weir_pool_apply(row->pool, echo, "x", 1, BOUND_NS,
                                         &result, NULL),
                         0);
        weir_result_free(&result);
    }
}

static int next_number(void *arg, weir_bytes *input_out, weir_error *err)
{
    static const char zeros[1 << 20];
    struct row *row = arg;

    if (row->taken == row->count) {
        if (row->text != NULL)
            strcpy(err->text, row->text);
        return row->end;
    }
    row->number = row->taken++;
    if (row->imap != NULL && *row->imap != NULL && row->number == row->at)
        act_in_input(row);
    *input_out = row->size > 0
                     ? (weir_bytes){ zeros, row->size }
                     : (weir_bytes){ &row->number, sizeof row->number };
    return 1;
}

static weir_imap *imap_of(weir_pool *pool, bool ordered, weir_function *run,
                          struct row *row, const weir_imap_options *options)
{
    weir_error err = { 0 };
    weir_imap *imap = NULL;
    int code = ordered ? weir_pool_imap(pool, run, next_number, row, options,
                                        &imap, &err)
                       : weir_pool_imap_unordered(pool, run, next_number, row,
                                                  options, &imap, &err);

    ck_assert_msg(code == 0, "%s", err.text);
    return imap;
}

/* The next one, which must be of this input, and end so. */
static void expect_next(weir_imap *imap, uint64_t index, int code,
                        const char *text)
{
    weir_result *result = NULL;
    uint64_t got = UINT64_MAX;

    ck_assert_int_eq(weir_imap_next(imap, BOUND_NS, &result, &got), 0);
    ck_assert_uint_eq(got, index);
    ck_assert_int_eq(weir_result_ready(result), 1);
    bench_expect(&result, code, text);
}

static void expect_code(weir_imap *imap, int64_t timeout_ns, int code)
{
    weir_result *result = NULL;

    ck_assert_int_eq(weir_imap_next(imap, timeout_ns, &result, NULL), code);
    ck_assert_ptr_null(result);
}

static uint32_t number_of(weir_result *result)
{
    uint32_t number = UINT32_MAX;
    weir_bytes bytes;

    if (weir_result_get(result, 0, &bytes, NULL) == 0 &&
        bytes.size == sizeof number)
        memcpy(&number, bytes.data, sizeof number);
    return number;
}

/* ------------------------------------------------------------ in order ---- */

/* However many there are, no more than the window is read ahead. Loop: the
 * usual window; of one; larger than the pool's; with a chunk. */
START_TEST(d5_imap)
{
    static const uint32_t windows[] = { 0, 1, 100, 64 };
    const weir_call_options each = { .size = sizeof each, .chunk = 16 };
    const weir_imap_options ahead = { .size = sizeof ahead,
                                      .window = windows[_i],
                                      .each = _i == 3 ? &each : NULL };
    const uint32_t most = windows[_i] == 0 ? 32 : windows[_i];
    weir_pool_options options = bench_options();
    struct row row = { .count = _i == 0 ? 100000 : 2000 };
    unsigned wrong = 0, far = 0;
    weir_pool *pool;
    weir_imap *imap;

    options.window = 50;
    pool = bench_pool(&options);
    imap = imap_of(pool, true, echo, &row, _i == 0 ? NULL : &ahead);
    ck_assert_uint_le(row.taken, most);
    ck_assert_uint_gt(row.taken, 0);
    for (uint32_t i = 0; i < row.count; i++) {
        weir_result *result = NULL;
        uint64_t index = UINT64_MAX;

        ck_assert_int_eq(weir_imap_next(imap, BOUND_NS, &result, &index), 0);
        wrong += index != i || number_of(result) != i;
        far += row.taken - i > most;
        weir_result_free(&result);
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(far, 0);
    expect_code(imap, BOUND_NS, WEIR_ECLOSED);
    expect_code(imap, 0, WEIR_ECLOSED);
    weir_imap_free(&imap);
    ck_assert_ptr_null(imap);
    bench_end(&pool);
}
END_TEST

START_TEST(d5_imap_of_nothing)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct row row = { 0 };
    weir_imap *imap = imap_of(pool, _i == 0, echo, &row, NULL);

    expect_code(imap, 0, WEIR_ECLOSED);
    weir_imap_free(&imap);
    weir_imap_free(&imap);
    weir_imap_free(NULL);
    bench_end(&pool);
}
END_TEST

/* And in bytes: of the inputs, and of the results that wait. */
START_TEST(imap_window_of_bytes)
{
    const weir_imap_options ahead = { .size = sizeof ahead, .bytes = 100000 };
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct row row = { .count = 200, .size = 30000 };
    weir_imap *imap = imap_of(pool, _i == 0, echo, &row, &ahead);

    for (uint32_t i = 0; i < row.count; i++) {
        weir_result *result;
        weir_bytes bytes;

        ck_assert_uint_le(row.taken - i, 4);
        ck_assert_int_eq(weir_imap_next(imap, BOUND_NS, &result, NULL), 0);
        ck_assert_int_eq(weir_result_get(result, 0, &bytes, NULL), 0);
        ck_assert_uint_eq(bytes.size, row.size);
        weir_result_free(&result);
    }
    expect_code(imap, BOUND_NS, WEIR_ECLOSED);
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

/* One that fails, dies or is too large is one item. */
static int odd_fails(weir_call *call)
{
    uint32_t number;

    if (weir_input(call).size != sizeof number)
        return weir_pass(call, 0);
    memcpy(&number, weir_input(call).data, sizeof number);
    if (number == 8)
        raise(SIGKILL);
    return number % 2 == 0 ? weir_pass(call, 0)
                           : weir_fail(call, WEIR_PERMANENT, "odd");
}

static int next_odd(void *arg, weir_bytes *input_out, weir_error *err)
{
    struct row *row = arg;
    int code;

    row->size = row->taken == 4 ? 20000 : 0; /* too large */
    code = next_number(arg, input_out, err);
    return code;
}

START_TEST(d5_imap_errors)
{
    static weir_function *const functions[] = { odd_fails };
    weir_pool_options options = bench_options();
    struct row row = { .count = 20 };
    weir_error err = { 0 };
    weir_imap *imap = NULL;
    weir_pool *pool;

    options.functions = functions;
    options.function_count = 1;
    options.bytes = 10000;
    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_imap(pool, odd_fails, next_odd, &row, NULL,
                                    &imap, &err),
                     0);
    for (uint32_t i = 0; i < row.count; i++)
        if (i == 4)
            expect_next(imap, i, WEIR_ETOOBIG, "bytes");
        else if (i == 8)
            expect_next(imap, i, WEIR_ELOST, "SIGKILL");
        else
            expect_next(imap, i, i % 2 == 0 ? 0 : WEIR_EFAILED,
                        i % 2 == 0 ? "" : "odd");
    expect_code(imap, BOUND_NS, WEIR_ECLOSED);
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

/* Loop: with a sentence, or not; at once, or later; ordered, or not. */
START_TEST(d5_imap_input_fails)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct row row = { .count = _i & 2 ? 0 : 100,
                       .end = -ENOENT,
                       .text = _i & 1 ? "the file is gone" : NULL };
    weir_imap *imap = imap_of(pool, _i & 4, echo, &row, NULL);
    weir_result *last = NULL;
    uint64_t index = 0;

    for (uint32_t i = 0; i <= row.count; i++) {
        weir_result *result;

        ck_assert_int_eq(weir_imap_next(imap, BOUND_NS, &result, &index), 0);
        if (index == row.count)
            last = result;
        else
            bench_expect(&result, 0, "");
    }
    ck_assert_ptr_nonnull(last);
    bench_expect(&last, -ENOENT,
                 row.text != NULL ? row.text : "input function returned -2");
    expect_code(imap, BOUND_NS, WEIR_ECLOSED);
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

/* A size without bytes, and "none now". */
static int bad_input(void *arg, weir_bytes *input_out, weir_error *err)
{
    (void)arg, (void)err;
    *input_out = (weir_bytes){ NULL, 1 };
    return 1;
}

START_TEST(imap_input_is_bad)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    weir_imap *imap = NULL;

    ck_assert_int_eq(weir_pool_imap(pool, echo, bad_input, NULL, NULL, &imap,
                                    NULL),
                     0);
    expect_next(imap, 0, WEIR_EINVAL, "without bytes");
    expect_code(imap, 0, WEIR_ECLOSED);
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

START_TEST(imap_no_input_now)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct row row = { .end = WEIR_EEMPTY };
    weir_imap *imap = imap_of(pool, _i == 0, echo, &row, NULL);

    for (uint32_t i = 0; i < 10; i++) {
        expect_code(imap, BOUND_NS, WEIR_EEMPTY);
        expect_code(imap, 0, WEIR_EEMPTY);
        row.count++;
        expect_next(imap, i, 0, "");
    }
    row.end = 0;
    expect_code(imap, BOUND_NS, WEIR_ECLOSED);
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

/* ------------------------------------------------------------ in any order
 * ---- */

/* Each once, with its index; loop: also through a small window. */
START_TEST(d5_imap_unordered)
{
    enum { COUNT = 3000 };
    const weir_imap_options ahead = { .size = sizeof ahead, .window = 3 };
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct row row = { .count = COUNT };
    weir_imap *imap = imap_of(pool, false, echo, &row, _i == 0 ? NULL : &ahead);
    unsigned char seen[COUNT] = { 0 };
    unsigned wrong = 0;

    for (uint32_t i = 0; i < COUNT; i++) {
        weir_result *result;
        uint64_t index;

        ck_assert_int_eq(weir_imap_next(imap, BOUND_NS, &result, &index), 0);
        wrong += index >= COUNT || seen[index]++ != 0 ||
                 number_of(result) != index;
        weir_result_free(&result);
    }
    ck_assert_uint_eq(wrong, 0);
    expect_code(imap, BOUND_NS, WEIR_ECLOSED);
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

/* Number 0 waits until something can be read. */
static int first_waits(weir_call *call)
{
    uint32_t number;

    memcpy(&number, weir_input(call).data, sizeof number);
    if (number == 0 && read(bench.pipe[0], &(char){ 0 }, 1) != 1)
        return -errno;
    return weir_pass(call, 0);
}

static weir_pool *pool_of_slow_first(void)
{
    static weir_function *const functions[] = { first_waits };
    weir_pool_options options = bench_options();

    options.functions = functions;
    options.function_count = 1;
    return bench_pool(&options);
}

START_TEST(d5_imap_unordered_slow_one)
{
    weir_pool *pool = pool_of_slow_first();
    struct row row = { .count = 500 };
    weir_imap *imap = imap_of(pool, false, first_waits, &row, NULL);
    uint64_t sum = 0, index;

    for (uint32_t i = 1; i < row.count; i++) {
        weir_result *result;

        ck_assert_int_eq(weir_imap_next(imap, BOUND_NS, &result, &index), 0);
        ck_assert_uint_ne(index, 0);
        sum += index;
        weir_result_free(&result);
    }
    ck_assert_uint_eq(sum, 499 * 500 / 2);
    expect_code(imap, 0, WEIR_ETIMEDOUT);
    ck_assert_int_eq(write(bench.pipe[1], "g", 1), 1);
    expect_next(imap, 0, 0, "");
    expect_code(imap, BOUND_NS, WEIR_ECLOSED);
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

/* In order it holds up the others; a later next gives it. */
START_TEST(d6_next)
{
    weir_pool *pool = pool_of_slow_first();
    struct row row = { .count = 10 };
    weir_imap *imap = imap_of(pool, true, first_waits, &row, NULL);

    expect_code(imap, 0, WEIR_ETIMEDOUT);
    expect_code(imap, NS_PER_MS, WEIR_ETIMEDOUT);
    expect_code(imap, -1, WEIR_EINVAL);
    ck_assert_int_eq(write(bench.pipe[1], "g", 1), 1);
    for (uint32_t i = 0; i < row.count; i++)
        expect_next(imap, i, 0, "");
    expect_code(imap, 0, WEIR_ECLOSED);
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

/* ---------------------------------------------------------------- cancel ----
 */

struct blocked {
    weir_imap *imap;
    int code;
};

static void *block(void *arg)
{
    struct blocked *blocked = arg;
    weir_result *result = NULL;

    blocked->code = weir_imap_next(blocked->imap, WEIR_FOREVER, &result, NULL);
    weir_result_free(&result);
    return NULL;
}

/* A next that waits has a way out; what has not begun does not run. */
START_TEST(d6_next_is_cancelled)
{
    weir_pool_options options = bench_options();
    struct row row = { .count = 20 };
    struct blocked blocked = { 0 };
    pthread_t thread;
    weir_result *busy;
    weir_pool *pool;

    options.workers = 1;
    pool = bench_pool(&options);
    busy = bench_running(pool, be_deaf);
    blocked.imap = imap_of(pool, _i == 0, mark, &row, NULL);
    ck_assert_uint_eq(row.taken, 20);
    ck_assert_int_eq(pthread_create(&thread, NULL, block, &blocked), 0);
    if (_i % 2 == 0) /* it waits, most likely */
        expect_code(blocked.imap, 20 * NS_PER_MS, WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_imap_cancel(blocked.imap), 0);
    ck_assert_int_eq(weir_imap_cancel(blocked.imap), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(blocked.code, WEIR_ECANCELED);
    expect_code(blocked.imap, BOUND_NS, WEIR_ECANCELED);
    weir_imap_free(&blocked.imap);
    ck_assert_int_eq(weir_result_stop(busy, 0), 0);
    bench_expect(&busy, WEIR_ECANCELED, "");
    bench_expect(&(weir_result *){ bench_call(pool, mark, "z", NULL) }, 0, "");
    watch_read(bench.pipe[0], &(char){ 0 }, 1); /* only that one has run */
    bench_end(&pool);
    ck_assert_int_eq(write(bench.pipe[1], "e", 1), 1);
    char byte = 0;
    watch_read(bench.pipe[0], &byte, 1);
    ck_assert_int_eq(byte, 'e');
}
END_TEST

/* Half way, with results that wait and calls that run; then the pool goes on.
 * Loop: ordered or not; before or after the pool's end. */
START_TEST(imap_freed_in_the_middle)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct row row = { .count = 1000 };
    weir_imap *imap = imap_of(pool, _i & 1, echo, &row, NULL);
    weir_result *result, *kept;

    ck_assert_int_eq(weir_imap_next(imap, BOUND_NS, &kept, NULL), 0);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(weir_imap_next(imap, BOUND_NS, &result, NULL), 0);
        weir_result_free(&result);
    }
    if (_i & 2)
        weir_imap_free(&imap);
    bench_expect(&(weir_result *){ bench_call(pool, echo, "z", NULL) }, 0, "");
    bench_end(&pool);
    weir_imap_free(&imap);
    ck_assert_uint_lt(number_of(kept), 1000);
    weir_result_free(&kept);
}
END_TEST

/* In its own input function: next is refused, apply is fine, cancel and free
 * end it there. */
START_TEST(imap_acts_in_its_input)
{
    weir_pool_options options = bench_options();
    weir_pool *pool;
    struct row row = { .count = 100, .at = 50, .act = _i };
    weir_result *result;
    weir_imap *imap;
    unsigned given = 0;
    int code;

    options.window = 40;
    pool = row.pool = bench_pool(&options);
    row.imap = &imap;
    imap = NULL;
    imap = imap_of(pool, true, echo, &row, NULL);
    while ((code = weir_imap_next(imap, BOUND_NS, &result, NULL)) == 0) {
        weir_result_free(&result);
        given++;
    }
    if (_i == ACT_CANCEL || _i == ACT_FREE) {
        ck_assert_int_eq(code, _i == ACT_CANCEL ? WEIR_ECANCELED : code);
        ck_assert_uint_lt(given, 50);
        ck_assert_uint_eq(row.taken, 51);
    } else {
        ck_assert_int_eq(code, WEIR_ECLOSED);
        ck_assert_uint_eq(given, 100);
    }
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

struct chain {
    weir_imap *imap;
    unsigned given, told;
    int act;
};

static void on_done(weir_result *result, void *arg)
{
    struct chain *chain = arg;

    (void)result;
    chain->told++;
    if (chain->act == 1 && chain->told == 30)
        weir_imap_free(&chain->imap);
    if (chain->act == 2 && chain->imap != NULL &&
        weir_imap_next(chain->imap, BOUND_NS, &result, NULL) == 0) {
        chain->given++;
        weir_result_free(&result);
    }
}

/* Callbacks of its calls: once for each; they may free it, or ask it. */
START_TEST(imap_and_callbacks)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct row row = { .count = 200 };
    struct chain chain = { .act = _i };
    const weir_call_options each = { .size = sizeof each,
                                     .on_done = on_done,
                                     .arg = &chain };
    const weir_imap_options ahead = { .size = sizeof ahead, .each = &each };
    weir_result *result;

    chain.imap = imap_of(pool, true, echo, &row, &ahead);
    while (chain.imap != NULL &&
           weir_imap_next(chain.imap, BOUND_NS, &result, NULL) == 0) {
        chain.given++;
        weir_result_free(&result);
    }
    weir_imap_free(&chain.imap);
    bench_end(&pool);
    ck_assert_uint_eq(chain.told, row.taken);
    if (_i != 1)
        ck_assert_uint_eq(chain.given, 200);
}
END_TEST

/* What is freed in its callback, here each item but every third, is left out;
 * also when the imap is freed before it would be given. Loop: ordered or not;
 * freed half way or not; with workers or without. */
struct thief {
    unsigned told, freed;
};

static void free_some(weir_result *result, void *arg)
{
    struct thief *thief = arg;

    if (thief->told++ % 3 == 0)
        return;
    weir_result_free(&result);
    thief->freed++;
}

START_TEST(imap_freed_in_callbacks)
{
    weir_pool_options options = bench_options();
    struct row row = { .count = 200 };
    struct thief thief = { 0 };
    const weir_call_options each = { .size = sizeof each,
                                     .on_done = free_some,
                                     .arg = &thief };
    const weir_imap_options ahead = { .size = sizeof ahead, .each = &each };
    const unsigned most = _i & 2 ? 20 : 200;
    weir_result *result;
    unsigned given = 0;
    uint64_t index;
    weir_pool *pool;
    weir_imap *imap;
    int code = 0;

    if (_i & 4)
        options.workers = WEIR_POOL_INLINE;
    pool = bench_pool(&options);
    imap = imap_of(pool, _i & 1, echo, &row, &ahead);
    while (given < most &&
           (code = weir_imap_next(imap, BOUND_NS, &result, &index)) == 0) {
        ck_assert_uint_eq(number_of(result), index);
        weir_result_free(&result);
        given++;
    }
    if (most == 200) {
        ck_assert_int_eq(code, WEIR_ECLOSED);
        ck_assert_uint_eq(given + thief.freed, 200);
        ck_assert_uint_eq(thief.told, 200);
    }
    weir_imap_free(&imap);
    bench_end(&pool);
    ck_assert_uint_eq(thief.told, row.taken);
}
END_TEST

/* ----------------------------------------------------------- the pool ends
 * ----
 */

/* Closed, terminated, its helper killed: what was under way comes, then one
 * that says why, then the end; and none begins. */
START_TEST(d5_imap_and_the_pool_ends)
{
    static const int codes[] = { WEIR_ECLOSED, WEIR_ETERMINATED, WEIR_EBROKEN };
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct row row = { .count = 1000 };
    weir_imap *imap = imap_of(pool, true, echo, &row, NULL);
    weir_imap *none = NULL;
    weir_result *result;
    uint64_t index;
    int code;

    expect_next(imap, 0, 0, "");
    if (_i == 0)
        ck_assert_int_eq(weir_pool_close(pool), 0);
    else if (_i == 1)
        ck_assert_int_eq(weir_pool_terminate(pool), 0);
    else
        kill(context_helper_pid(bench.context), SIGKILL);
    for (uint64_t i = 1;; i++) {
        ck_assert_int_eq(weir_imap_next(imap, BOUND_NS, &result, &index), 0);
        ck_assert_uint_eq(index, i);
        code = weir_result_get(result, 0, NULL, NULL);
        ck_assert(code == 0 || code == codes[_i]);
        weir_result_free(&result);
        if (i == row.taken - 1)
            break;
    }
    ck_assert_int_eq(code, codes[_i]);
    ck_assert_uint_lt(row.taken, 1000);
    expect_code(imap, 0, WEIR_ECLOSED);
    ck_assert_int_eq(weir_pool_imap(pool, echo, next_number, &row, NULL, &none,
                                    NULL),
                     codes[_i]);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS),
                     _i == 2 ? WEIR_EBROKEN : 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    expect_code(imap, 0, WEIR_ECLOSED);
    weir_imap_free(&imap);
}
END_TEST

/* Terminated while a thread waits in next, and calls wait for their workers. */
START_TEST(imap_terminated_while_it_waits)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct row row = { .count = 3 };
    struct blocked blocked;
    pthread_t thread;

    blocked.imap = imap_of(pool, true, wait_on, &row, NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, block, &blocked), 0);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(blocked.code, 0);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    weir_imap_free(&blocked.imap);
}
END_TEST

/* ---------------------------------------------------------- many threads ----
 */

enum { THREADS = 4, ITEMS = 4000 };

struct shared {
    weir_imap *imap;
    unsigned char *seen;
    unsigned given;
};

static void *take_all(void *arg)
{
    struct shared *shared = arg;
    weir_result *result;
    uint64_t index;
    int code;

    while ((code = weir_imap_next(shared->imap, BOUND_NS, &result, &index)) ==
           0) {
        if (number_of(result) == index)
            __atomic_fetch_add(&shared->seen[index], 1, __ATOMIC_RELAXED);
        weir_result_free(&result);
        __atomic_fetch_add(&shared->given, 1, __ATOMIC_RELAXED);
    }
    return code == WEIR_ECLOSED ? NULL : arg;
}

/* Several threads share one: each item goes to one of them. Loop: ordered or
 * not; in a pool that others fill, too. */
START_TEST(imap_of_many_threads)
{
    weir_pool_options options = bench_options();
    unsigned char seen[ITEMS] = { 0 };
    struct row row = { .count = ITEMS };
    struct shared shared = { .seen = seen };
    pthread_t threads[THREADS];
    weir_pool *pool;
    void *wrong;

    options.window = 20;
    pool = bench_pool(&options);
    shared.imap = imap_of(pool, _i & 1, echo, &row, NULL);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_all, &shared),
                         0);
    for (int i = 0; (_i & 2) && i < 1000; i++)
        bench_expect(&(weir_result *){ bench_call(pool, echo, "x", NULL) }, 0,
                     "");
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
    ck_assert_uint_eq(shared.given, ITEMS);
    for (int i = 0; i < ITEMS; i++)
        ck_assert_uint_eq(seen[i], 1);
    weir_imap_free(&shared.imap);
    bench_end(&pool);
}
END_TEST

/* The pool is full of others' calls: next waits for room, no longer than it
 * may, and keeps the input. */
START_TEST(imap_waits_for_room)
{
    weir_pool_options options = bench_options();
    struct row row = { .count = 3 };
    weir_result *busy[2];
    weir_pool *pool;
    weir_imap *imap;

    options.workers = 1;
    options.window = 2;
    pool = bench_pool(&options);
    for (int i = 0; i < 2; i++)
        busy[i] = bench_call(pool, wait_on, "", NULL);
    imap = imap_of(pool, true, echo, &row, NULL);
    expect_code(imap, 0, WEIR_ETIMEDOUT);
    expect_code(imap, 5 * NS_PER_MS, WEIR_ETIMEDOUT);
    ck_assert_uint_eq(row.taken, 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_ge(weir_result_stop(busy[i], 0), 0);
        weir_result_free(&busy[i]);
    }
    for (uint32_t i = 0; i < row.count; i++)
        expect_next(imap, i, 0, "");
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

static void *apply(void *pool)
{
    weir_result *result = NULL;
    int code = weir_pool_apply(pool, echo, "x", 1, WEIR_FOREVER, &result, NULL);

    weir_result_free(&result);
    return code == 0 ? NULL : pool;
}

/* Cancelled while another thread's next waits for room: that ends, and the call
 * is not made. Loop: it waits for room itself, or in line behind another. */
START_TEST(imap_cancelled_while_it_waits_for_room)
{
    weir_pool_options options = bench_options();
    struct row row = { .count = 3 };
    struct blocked blocked = { 0 };
    pthread_t thread, other;
    weir_result *busy;
    weir_pool *pool;
    void *wrong = NULL;
    char byte = 0;

    options.workers = 1;
    options.window = 1;
    pool = bench_pool(&options);
    busy = bench_running(pool, be_deaf);
    blocked.imap = imap_of(pool, true, mark, &row, NULL);
    if (_i == 1) {
        ck_assert_int_eq(pthread_create(&other, NULL, apply, pool), 0);
        usleep(50000);
    }
    ck_assert_int_eq(pthread_create(&thread, NULL, block, &blocked), 0);
    usleep(50000); /* they wait, most likely */
    ck_assert_int_eq(weir_imap_cancel(blocked.imap), 0);
    pthread_join(thread, NULL); /* though nothing has ended */
    ck_assert_int_eq(blocked.code, WEIR_ECANCELED);
    ck_assert_int_eq(weir_result_ready(busy), 0);
    ck_assert_uint_eq(row.taken, 1);
    weir_imap_free(&blocked.imap);
    ck_assert_int_eq(weir_result_stop(busy, 0), 0);
    bench_expect(&busy, WEIR_ECANCELED, "");
    if (_i == 1)
        pthread_join(other, &wrong);
    ck_assert_ptr_null(wrong);
    bench_expect(&(weir_result *){ bench_call(pool, mark, "z", NULL) }, 0, "");
    watch_read(bench.pipe[0], &byte, 1);
    ck_assert_int_eq(byte, 'z'); /* only that one has run */
    bench_end(&pool);
}
END_TEST

/* Without workers, in a function: its own call fills a window of one. */
static weir_pool *pool_within;

static int imap_within(weir_call *call)
{
    int code = weir_input(call).size == 1 ? WEIR_EFULL : 0;
    struct row row = { .count = 3 };
    weir_imap *imap = imap_of(pool_within, true, echo, &row, NULL);

    if (code != 0) {
        expect_code(imap, 0, code);
        expect_code(imap, WEIR_FOREVER, code);
    }
    for (uint32_t i = 0; code == 0 && i < row.count; i++)
        expect_next(imap, i, 0, "");
    weir_imap_free(&imap);
    return weir_pass(call, 0);
}

START_TEST(imap_within_a_call)
{
    static weir_function *const functions[] = { imap_within, echo };
    weir_pool_options options = bench_options();
    weir_result *call;

    options.functions = functions;
    options.function_count = 2;
    options.workers = WEIR_POOL_INLINE;
    options.window = (uint32_t)_i;
    pool_within = bench_pool(&options);
    call = bench_call(pool_within, imap_within, _i == 1 ? "1" : "22", NULL);
    bench_expect(&call, 0, "");
    bench_end(&pool_within);
}
END_TEST

/* A call's deadline runs from when its input was taken, however often it was
 * tried to make it. */
START_TEST(imap_deadline_of_a_held_input)
{
    weir_pool_options options = bench_options();
    const weir_call_options each = { .size = sizeof each,
                                     .deadline_ns = 100 * NS_PER_MS };
    const weir_imap_options ahead = { .size = sizeof ahead, .each = &each };
    struct row row = { .count = 1 };
    int64_t late;
    weir_result *busy;
    weir_pool *pool;
    weir_imap *imap;

    options.workers = 1;
    options.window = 1;
    pool = bench_pool(&options);
    busy = bench_running(pool, be_deaf);
    imap = imap_of(pool, true, echo, &row, &ahead);
    late = clock_deadline(each.deadline_ns);
    ck_assert_uint_eq(row.taken, 1);
    while (clock_left(late) > 0)
        expect_code(imap, 10 * NS_PER_MS, WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_result_stop(busy, 0), 0);
    bench_expect(&busy, WEIR_ECANCELED, "");
    expect_next(imap, 0, WEIR_ELIMIT, "deadline");
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

START_TEST(imap_misuse)
{
    weir_imap_options ahead = { 0 };
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    struct row row = { .count = 1 };
    weir_result *result;
    weir_error err = { 0 };
    weir_imap *imap = NULL;
    int status;
    pid_t pid;

    ck_assert_int_eq(weir_pool_imap(pool, echo, NULL, &row, NULL, &imap, &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_imap(pool, echo, next_number, &row, &ahead,
                                    &imap, &err),
                     WEIR_EINVAL);
    ahead.size = sizeof ahead;
    ahead.window = 1000001;
    ck_assert_int_eq(weir_pool_imap(pool, echo, next_number, &row, &ahead,
                                    &imap, &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_imap(pool, (weir_function *)bench_worker,
                                    next_number, &row, NULL, &imap, &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_imap(pool, echo, next_number, &row, NULL, NULL,
                                    &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_imap(NULL, echo, next_number, &row, NULL, &imap,
                                    &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_imap_next(NULL, 0, &result, NULL), WEIR_EINVAL);
    ck_assert_int_eq(weir_imap_cancel(NULL), WEIR_EINVAL);
    ck_assert_ptr_null(imap);
    ck_assert_uint_eq(row.taken, 0);
    imap = imap_of(pool, true, echo, &row, NULL);
    ck_assert_int_eq(weir_imap_next(imap, 0, NULL, NULL), WEIR_EINVAL);
    pid = fork();
    if (pid == 0) {
        int wrong = weir_imap_next(imap, 0, &result, NULL) != WEIR_EPROCESS;

        wrong += weir_imap_cancel(imap) != WEIR_EPROCESS;
        weir_imap_free(&imap);
        weir_pool_free(&pool);
        weir_context_close(&bench.context);
        _exit(wrong);
    }
    ck_assert(watch_gone(pid));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    expect_next(imap, 0, 0, "");
    weir_imap_free(&imap);
    bench_end(&pool);
}
END_TEST

Suite *pool_imap_suite(void)
{
    Suite *suite = suite_create("pool_imap");
    TCase *tcase = tcase_create("imap");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_loop_test(tcase, d5_imap, 0, 4);
    tcase_add_loop_test(tcase, d5_imap_of_nothing, 0, 2);
    tcase_add_loop_test(tcase, imap_window_of_bytes, 0, 2);
    tcase_add_test(tcase, d5_imap_errors);
    tcase_add_loop_test(tcase, d5_imap_input_fails, 0, 8);
    tcase_add_test(tcase, imap_input_is_bad);
    tcase_add_loop_test(tcase, imap_no_input_now, 0, 2);
    tcase_add_loop_test(tcase, d5_imap_unordered, 0, 2);
    tcase_add_test(tcase, d5_imap_unordered_slow_one);
    tcase_add_test(tcase, d6_next);
    tcase_add_loop_test(tcase, d6_next_is_cancelled, 0, 4);
    tcase_add_loop_test(tcase, imap_freed_in_the_middle, 0, 4);
    tcase_add_loop_test(tcase, imap_acts_in_its_input, ACT_NEXT, ACT_APPLY + 1);
    tcase_add_loop_test(tcase, imap_and_callbacks, 0, 3);
    tcase_add_loop_test(tcase, imap_freed_in_callbacks, 0, 8);
    tcase_add_loop_test(tcase, d5_imap_and_the_pool_ends, 0, 3);
    tcase_add_test(tcase, imap_terminated_while_it_waits);
    tcase_add_loop_test(tcase, imap_of_many_threads, 0, 4);
    tcase_add_test(tcase, imap_waits_for_room);
    tcase_add_loop_test(tcase, imap_cancelled_while_it_waits_for_room, 0, 2);
    tcase_add_loop_test(tcase, imap_within_a_call, 1, 3);
    tcase_add_test(tcase, imap_deadline_of_a_held_input);
    tcase_add_test(tcase, imap_misuse);
    suite_add_tcase(suite, tcase);
    return suite;
}
