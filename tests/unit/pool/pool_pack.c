/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_pack.c - many short calls in one item: each has its own result, and is
 * run as often as if it stood alone. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "pool/pool_host.h"
#include "suites.h"
#include "watch.h"

enum { CALLS = 200, LARGE = 5000, HUGE = 3 << 20 };

enum deed {
    PASS,
    SKIP,
    FAIL,
    FAIL_AT_LENGTH,
    GIVE_MUCH,
    GIVE_VERY_MUCH,
    DIE,
    DIE_AT_FIRST,
    FAIL_AT_FIRST,
    CRASH,
    HANG,
    WAIT, /* until the gate is open */
    DAMAGE_PLACE,
    DAMAGE_SIZE,
    DAMAGE_BOTH,
};

struct call {
    uint32_t number;
    uint32_t deed;
};

/* Of all processes. */
static struct shared {
    atomic_uint runs[CALLS];
    atomic_bool packed[CALLS];
    atomic_bool waits, gate;
} * shared;

static void rest(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static int give(weir_call *call, uint32_t number, size_t size)
{
    void *out;
    int code = weir_reserve(call, 0, size, &out);

    if (code != 0)
        return code;
    memset(out, (int)(number % 251), size);
    return weir_submit(call, size);
}

/* The pack that has this as its argument of that index; all of them are as
 * long. */
static struct pack_head *pack_around(char *argument, uint32_t index)
{
    const uint32_t before = index * (uint32_t)pack_room(sizeof(struct call));

    for (uint32_t count = index + 1; count <= PACK_MOST; count++) {
        size_t first = sizeof(struct pack_head) +
                       count * sizeof(struct pack_entry);
        struct pack_head *head;

        first = (first + PACK_ALIGN - 1) / PACK_ALIGN * PACK_ALIGN;
        head = (struct pack_head *)(argument - before - first);
        if (head->count == count &&
            ((struct pack_entry *)(head + 1))[index].at == first + before)
            return head;
    }
    return NULL;
}

/* Writes wild over the answer of the one before. */
static void damage(char *argument, uint32_t index, uint32_t deed)
{
    struct pack_head *head = pack_around(argument, index);
    struct pack_entry *entry;

    if (head == NULL)
        return;
    entry = (struct pack_entry *)(head + 1) + index - 1;
    if (deed == DAMAGE_SIZE)
        entry->answer_size = PACK_LONG + 1;
    if (deed == DAMAGE_PLACE)
        entry->answer_at = UINT32_MAX;
    if (deed == DAMAGE_BOTH) { /* each for itself might be */
        entry->answer_at = head->answers_at +
                           (uint32_t)(head->count *
                                          pack_room(sizeof(struct call)) +
                                      pack_room(PACK_LONG) - PACK_ALIGN);
        entry->answer_size = PACK_LONG;
    }
}

static int act(weir_call *call)
{
    struct call what;
    char words[301];
    uint64_t root, path;

    memcpy(&what, weir_input(call).data, sizeof what);
    weir_id(call, &root, &path);
    atomic_fetch_add(&shared->runs[what.number], 1);
    atomic_store(&shared->packed[what.number], path != 0);
    switch (what.deed) {
    case SKIP:
        return WEIR_SKIP;
    case FAIL:
        return weir_fail(call, WEIR_PERMANENT, "number %u", what.number);
    case FAIL_AT_LENGTH:
        memset(words, 'w', sizeof words - 1);
        words[sizeof words - 1] = '\0';
        return weir_fail(call, WEIR_PERMANENT, "%s", words);
    case GIVE_MUCH:
        return give(call, what.number, LARGE);
    case GIVE_VERY_MUCH:
        return give(call, what.number, HUGE);
    case DIE_AT_FIRST:
        if (weir_attempt(call) > 1)
            break;
        raise(SIGKILL);
        break;
    case DIE:
        raise(SIGKILL);
        break;
    case FAIL_AT_FIRST:
        if (weir_attempt(call) > 1)
            break;
        return weir_fail(call, WEIR_TRANSIENT, "once");
    case CRASH:
        raise(SIGSEGV);
        break;
    case HANG:
        for (;;)
            rest();
    case WAIT:
        atomic_store(&shared->waits, true);
        while (!atomic_load(&shared->gate))
            rest();
        break;
    case DAMAGE_PLACE:
    case DAMAGE_SIZE:
    case DAMAGE_BOTH:
        if (path > 1) /* there is one before */
            damage((char *)weir_input(call).data, (uint32_t)path - 1,
                   what.deed);
        break;
    default:
        break;
    }
    return weir_pass(call, 0);
}

/* ----------------------------------------------------------------- scene ----
 */

static weir_pool *pool;
static struct call calls[CALLS];
static weir_bytes inputs[CALLS];
static weir_result *results[CALLS];

static void setup(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    for (uint32_t i = 0; i < CALLS; i++) {
        calls[i] = (struct call){ .number = i };
        inputs[i] = (weir_bytes){ &calls[i], sizeof calls[i] };
    }
    bench_setup();
}

static void teardown(void)
{
    bench_teardown();
    munmap(shared, sizeof *shared);
}

static void open_pool(const weir_pool_options *more)
{
    static weir_function *const functions[] = { act };
    weir_pool_options options = *more;

    options.size = sizeof options;
    options.functions = functions;
    options.function_count = 1;
    options.workers = 2;
    pool = bench_pool(&options);
}

/* As if it were known that the calls are short. */
static int map(int64_t timeout_ns, weir_error *err)
{
    pool->rates[0] = (struct rate){ .took_ns = 100,
                                    .answer = sizeof(struct call) };
    return weir_pool_map(pool, act, inputs, CALLS, 0, timeout_ns, results, err);
}

static bool is_filled(const unsigned char *data, size_t size,
                      unsigned char with)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] != with)
            return false;
    return true;
}

static void expect_bytes(uint32_t number, size_t size)
{
    weir_bytes bytes = { NULL, 0 };

    ck_assert_int_eq(weir_result_get(results[number], 0, &bytes, NULL), 0);
    ck_assert_uint_eq(bytes.size, size);
    ck_assert_uint_eq((uintptr_t)bytes.data % 16, 0);
    if (calls[number].deed == GIVE_MUCH || calls[number].deed == GIVE_VERY_MUCH)
        ck_assert(is_filled(bytes.data, size, number % 251));
    else if (size > 0)
        ck_assert_mem_eq(bytes.data, &calls[number], size);
    ck_assert_int_eq(((const char *)bytes.data)[size], '\0');
}

static void expect_code(uint32_t number, int code, const char *words)
{
    weir_error err = { 0 };

    ck_assert_int_eq(weir_result_get(results[number], 0, NULL, &err), code);
    ck_assert_msg(strstr(err.text, words) != NULL, "%u: %s", number, err.text);
}

static void free_all(void)
{
    for (uint32_t i = 0; i < CALLS; i++)
        weir_result_free(&results[i]);
}

/* All but those that are asked for something else; from @first on. */
static void expect_passed(uint32_t first)
{
    for (uint32_t i = first; i < CALLS; i++) {
        if (calls[i].deed == PASS)
            expect_bytes(i, sizeof calls[i]);
        if (calls[i].deed == PASS)
            ck_assert_uint_eq(atomic_load(&shared->runs[i]), 1);
    }
    ck_assert(atomic_load(&shared->packed[0]));
}

/* ------------------------------------------------------------------ tests ----
 */

START_TEST(all_kinds)
{
    weir_error err = { 0 };

    open_pool(&(weir_pool_options){ .retries = 0 });
    calls[1].deed = FAIL;
    calls[20].deed = GIVE_MUCH;
    calls[21].deed = GIVE_VERY_MUCH;
    calls[40].deed = SKIP;
    calls[60].deed = DIE;
    calls[80].deed = FAIL_AT_LENGTH;
    calls[100].deed = GIVE_VERY_MUCH;
    calls[CALLS - 1].deed = DIE;
    ck_assert_int_eq(map(BOUND_NS, &err), 4);
    ck_assert_str_eq(err.text, "number 1");
    expect_passed(0);
    expect_code(1, WEIR_EFAILED, "number 1");
    expect_bytes(20, LARGE);
    expect_bytes(21, HUGE);
    expect_bytes(40, 0);
    expect_code(60, WEIR_ELOST, "killed by SIGKILL");
    expect_code(80, WEIR_EFAILED, "wwwwwwwww");
    expect_bytes(100, HUGE);
    expect_code(CALLS - 1, WEIR_ELOST, "killed by SIGKILL");
    for (uint32_t i = 0; i < CALLS; i++)
        ck_assert_uint_eq(atomic_load(&shared->runs[i]), 1);
    free_all();
    bench_end(&pool);
}
END_TEST

/* The attempts of one call are its own. */
START_TEST(tried_again)
{
    open_pool(&(weir_pool_options){ .retries = 2 });
    calls[3].deed = DIE_AT_FIRST;
    calls[4].deed = DIE_AT_FIRST;
    calls[5].deed = FAIL_AT_FIRST;
    calls[6].deed = DIE;
    calls[7].deed = DIE_AT_FIRST;
    ck_assert_int_eq(map(BOUND_NS, NULL), 1);
    expect_passed(0);
    expect_code(6, WEIR_ELOST, "killed by SIGKILL (in attempt 3)");
    ck_assert_uint_eq(atomic_load(&shared->runs[6]), 3);
    for (uint32_t i = 3; i < 8; i++)
        if (i != 6) {
            expect_bytes(i, sizeof calls[i]);
            ck_assert_uint_eq(atomic_load(&shared->runs[i]), 2);
        }
    free_all();
    bench_end(&pool);
}
END_TEST

/* Each that crashes has its own trace, also two of one pack. */
START_TEST(traces)
{
    const char *text;

    open_pool(&(weir_pool_options){ .retries = 0 });
    calls[3].deed = CRASH;
    calls[8].deed = CRASH;
    ck_assert_int_eq(map(BOUND_NS, NULL), 2);
    expect_passed(0);
    ck_assert_int_eq(weir_result_trace(results[3], &text), 0);
    ck_assert_int_eq(weir_result_trace(results[8], &text), 0);
    ck_assert_int_eq(weir_result_trace(results[4], &text), WEIR_EEMPTY);
    free_all();
    bench_end(&pool);
}
END_TEST

/* The limit is each call's. */
START_TEST(one_hangs)
{
    open_pool(&(weir_pool_options){ .limit_ns = 300 * NS_PER_MS,
                                    .grace_ns = NS_PER_MS });
    calls[5].deed = HANG;
    ck_assert_int_eq(map(BOUND_NS, NULL), 1);
    expect_passed(0);
    expect_code(5, WEIR_ELIMIT, "took longer than 300 ms");
    free_all();
    bench_end(&pool);
}
END_TEST

/* What is not there in time is told; what a pack says later is dropped. */
START_TEST(not_in_time)
{
    weir_error err = { 0 };
    int failed;

    open_pool(&(weir_pool_options){ .retries = 0 });
    calls[5].deed = WAIT;
    failed = map(300 * NS_PER_MS, &err);
    ck_assert_int_ge(failed, 1);
    ck_assert_int_eq(err.code, WEIR_ETIMEDOUT);
    expect_code(5, WEIR_ETIMEDOUT, "not ended in time");
    free_all();
    atomic_store(&shared->gate, true);
    calls[5].deed = PASS;
    memset(shared->runs, 0, sizeof shared->runs);
    ck_assert_int_eq(map(BOUND_NS, NULL), 0);
    free_all();
    bench_end(&pool);
}
END_TEST

static void *map_in_thread(void *arg)
{
    *(int *)arg = map(BOUND_NS, NULL);
    return NULL;
}

/* One is in the gate, and all have been made: the other worker came to the last
 * one. */
static void await_waiter(void)
{
    int64_t deadline = clock_deadline(BOUND_NS);

    while ((!atomic_load(&shared->waits) ||
            atomic_load(&shared->runs[CALLS - 1]) == 0) &&
           clock_left(deadline) > 0)
        rest();
    ck_assert(atomic_load(&shared->waits));
    ck_assert_uint_gt(atomic_load(&shared->runs[CALLS - 1]), 0);
}

/* Calls that were made before a close are answered, also those that a pack did
 * not come to. Loop: what a long one does to those behind it. */
START_TEST(closed_meanwhile)
{
    pthread_t thread;
    int failed = -1;

    open_pool(&(weir_pool_options){ .retries = 0 });
    calls[2].deed = WAIT;
    calls[4].deed = _i == 0 ? GIVE_VERY_MUCH : DIE;
    ck_assert_int_eq(pthread_create(&thread, NULL, map_in_thread, &failed), 0);
    await_waiter();
    ck_assert_int_eq(weir_pool_close(pool), 0);
    ck_assert_int_eq(weir_pool_close(pool), 0); /* once more changes nothing */
    for (int i = 0; i < 20; i++)
        rest();
    atomic_store(&shared->gate, true);
    pthread_join(thread, NULL);
    ck_assert_int_eq(failed, _i);
    expect_passed(0);
    free_all();
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}
END_TEST

START_TEST(terminated_meanwhile)
{
    pthread_t thread;
    int failed = -1;

    open_pool(&(weir_pool_options){ .grace_ns = NS_PER_MS });
    calls[2].deed = HANG;
    calls[3].deed = WAIT;
    calls[CALLS - 1].deed = WAIT;
    ck_assert_int_eq(pthread_create(&thread, NULL, map_in_thread, &failed), 0);
    await_waiter();
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    pthread_join(thread, NULL);
    ck_assert_int_ge(failed, 2);
    expect_code(2, WEIR_ETERMINATED, "terminated");
    expect_code(CALLS - 1, WEIR_ETERMINATED, "terminated");
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    free_all();
}
END_TEST

/* A window bounds the calls in packs, too; and where it is small there are
 * none. Loop: the window. */
START_TEST(small_window)
{
    static const uint32_t windows[] = { 1, 8, 40, 64 };

    open_pool(&(weir_pool_options){ .window = windows[_i] });
    ck_assert_int_eq(map(BOUND_NS, NULL), 0);
    for (uint32_t i = 0; i < CALLS; i++) {
        expect_bytes(i, sizeof calls[i]);
        ck_assert_uint_eq(atomic_load(&shared->runs[i]), 1);
    }
    ck_assert_uint_eq(pool->packed, 0);
    ck_assert_uint_eq(pool->outstanding, 0);
    free_all();
    bench_end(&pool);
}
END_TEST

/* Answers that were written over are told as damage, and the pool goes on. One
 * that is at the head of its pack finds none: then once more. Loop: what is
 * wrong with them. */
START_TEST(damaged)
{
    int64_t deadline = clock_deadline(BOUND_NS);
    weir_error err = { 0 };
    int code = 0;

    open_pool(&(weir_pool_options){ .retries = 0 });
    for (uint32_t i = 0; i < CALLS; i++)
        calls[i].deed = DAMAGE_PLACE + (uint32_t)_i;
    while (code == 0 && clock_left(deadline) > 0) {
        code = map(BOUND_NS, &err);
        if (code == 0)
            free_all();
    }
    ck_assert_int_eq(code, WEIR_EBROKEN);
    ck_assert_int_eq(err.code, WEIR_EBROKEN);
    for (uint32_t i = 0; i < CALLS; i++)
        calls[i].deed = PASS;
    ck_assert_int_eq(map(BOUND_NS, NULL), 0);
    free_all();
    bench_end(&pool);
}
END_TEST

/* Nobody needs to know: what comes back tells how long they take. */
START_TEST(learned)
{
    int64_t deadline = clock_deadline(BOUND_NS);
    bool packed = false;

    open_pool(&(weir_pool_options){ .retries = 0 });
    while (!packed && clock_left(deadline) > 0) {
        ck_assert_int_eq(weir_pool_map(pool, act, inputs, CALLS, 0, BOUND_NS,
                                       results, NULL),
                         0);
        free_all();
        packed = atomic_load(&shared->packed[0]);
    }
    ck_assert(packed);
    bench_end(&pool);
}
END_TEST

Suite *pool_pack_suite(void)
{
    Suite *suite = suite_create("pool_pack");
    TCase *tcase = tcase_create("pack");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, all_kinds);
    tcase_add_test(tcase, tried_again);
    tcase_add_test(tcase, traces);
    tcase_add_test(tcase, one_hangs);
    tcase_add_test(tcase, not_in_time);
    tcase_add_loop_test(tcase, closed_meanwhile, 0, 2);
    tcase_add_test(tcase, terminated_meanwhile);
    tcase_add_loop_test(tcase, small_window, 0, 4);
    tcase_add_loop_test(tcase, damaged, 0, 3);
    tcase_add_test(tcase, learned);
    suite_add_tcase(suite, tcase);
    return suite;
}
