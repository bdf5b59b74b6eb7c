/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_death.c - core/pool/pool_serve.c: workers that die, by their own doing
 * or not, and those that hang. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool/pool_host.h"
#include "suites.h"
#include "watch.h"

static void expect_lost(weir_pool *pool, weir_function *run, char byte,
                        int code, const char *text)
{
    weir_result *result = NULL;
    weir_error err = { 0 };

    ck_assert_int_eq(weir_pool_apply(pool, run, &byte, 1, BOUND_NS, &result,
                                     &err),
                     code);
    ck_assert_str_eq(err.text, text);
}

static void expect_echo(weir_pool *pool, weir_function *run, char byte)
{
    weir_result *result = NULL;
    weir_error err = { 0 };
    weir_bytes bytes;

    ck_assert_msg(weir_pool_apply(pool, run, &byte, 1, BOUND_NS, &result,
                                  &err) == 0,
                  "%s", err.text);
    ck_assert_int_eq(weir_result_get(result, 0, &bytes, NULL), 0);
    ck_assert_uint_eq(bytes.size, 1);
    ck_assert_int_eq(*(const char *)bytes.data, byte);
    weir_result_free(&result);
}

START_TEST(d5_worker_killed)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);

    expect_lost(pool, die, SIGKILL, WEIR_ELOST,
                "the worker was killed by SIGKILL");
    expect_lost(pool, die, SIGSEGV, WEIR_ELOST,
                "the worker was killed by SIGSEGV");
    expect_lost(pool, die, SIGTERM, WEIR_ELOST,
                "the worker was killed by SIGTERM");
    expect_echo(pool, echo, 'a');
    bench_end(&pool);
}
END_TEST

START_TEST(d5_exit_in_a_task)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);

    expect_lost(pool, leave, 3, WEIR_ELOST, "the task called exit(3)");
    expect_lost(pool, leave, 0, WEIR_ELOST, "the task called exit(0)");
    expect_echo(pool, echo, 'a');
    bench_end(&pool);
}
END_TEST

START_TEST(d5_retries)
{
    weir_pool_options options = bench_options();
    const int transient = WEIR_TRANSIENT;
    weir_result *result;
    weir_error err = { 0 };
    weir_pool *pool;

    options.retries = 2;
    pool = bench_pool(&options);
    expect_echo(pool, die_at_first, 1);
    expect_echo(pool, die_at_first, 2);
    expect_lost(pool, die_at_first, 3, WEIR_ELOST,
                "the worker was killed by SIGKILL (in attempt 3)");
    expect_lost(pool, leave, 3, WEIR_ELOST,
                "the task called exit(3) (in attempt 3)");
    ck_assert_int_eq(weir_pool_apply(pool, answer, &transient, sizeof transient,
                                     BOUND_NS, &result, &err),
                     WEIR_EFAILED);
    expect_echo(pool, fail_at_first, 2);
    expect_lost(pool, fail_at_first, 3, WEIR_EFAILED, "attempt 3");
    bench_end(&pool);
}
END_TEST

/* ---------------------------------------------------- killed at random ---- */

struct killer {
    weir_pool *pool;
    unsigned most;
    atomic_bool stop;
    unsigned kills;
    int64_t pause_ns;
};

/* One of the workers that are there, now and then. */
static void *kill_workers(void *arg)
{
    struct killer *killer = arg;
    unsigned seed = 11;

    while (!atomic_load(&killer->stop) && killer->kills < killer->most) {
        struct timespec pause = { .tv_nsec = rand_r(&seed) % killer->pause_ns };
        struct member_sample sample;

        member_sample(killer->pool->segment,
                      (unsigned)rand_r(&seed) % killer->pool->seats, &sample);
        if (sample.process > 0 && kill(sample.process, SIGKILL) == 0)
            killer->kills++;
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* (Each assertion of Check writes to a file: not one for each byte.) */
static void check_size(weir_result *result, size_t size)
{
    weir_bytes bytes = { NULL, 0 };
    weir_error err = { 0 };
    bool good = weir_result_get(result, BOUND_NS, &bytes, &err) == 0 &&
                bytes.size == size;

    for (size_t i = 0; i < size && good; i += 1 + size / 50)
        good = ((const unsigned char *)bytes.data)[i] ==
               (unsigned char)(i * 31 >> 7);
    if (!good)
        ck_abort_msg("%zu bytes of %zu; %s", bytes.size, size, err.text);
}

static size_t size_of_call(int loop, unsigned call)
{
    return loop == 1 ? call * 997 % 70000 : call % 300;
}

/* Every call is answered once, with what it asked for. Loop: small results in
 * batches; results that go in parts; a small window, recycling too. */
START_TEST(d8_killed_at_random)
{
    const unsigned many = _i == 0 ? 100000 : _i == 1 ? 1000 : 20000;
    weir_result **results = calloc(many, sizeof *results);
    weir_pool_options options = bench_options();
    struct killer killer = { .most = getenv("WEIR_LONG") ? 1000 : 40,
                             .pause_ns = 4 * NS_PER_MS };
    unsigned answered = 0;
    pthread_t thread;

    options.workers = 4;
    options.retries = 10000;
    options.window = _i == 2 ? 7 : 1024;
    options.recycle = _i == 2 ? 5000 : 0;
    options.bytes = _i == 1 ? 64 << 10 : 0;
    killer.pool = bench_pool(&options);
    ck_assert_int_eq(pthread_create(&thread, NULL, kill_workers, &killer), 0);
    for (unsigned i = 0; i < many || killer.kills < killer.most; i++) {
        unsigned at = i % many; /* again, as long as there are kills */
        size_t size = size_of_call(_i, at);

        if (results[at] != NULL) {
            check_size(results[at], size);
            weir_result_free(&results[at]);
        }
        if (weir_pool_apply_async(killer.pool, grow, &size, sizeof size,
                                  BOUND_NS, &results[at], NULL) != 0)
            ck_abort_msg("a call was refused");
    }
    atomic_store(&killer.stop, true);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < many; i++) {
        check_size(results[i], size_of_call(_i, i));
        weir_result_free(&results[i]);
        answered++;
    }
    ck_assert_uint_eq(answered, many);
    ck_assert_uint_ge(killer.kills, 10);
    free(results);
    bench_end(&killer.pool);
}
END_TEST

/* Without retries no function runs twice for a call, whoever is killed: each
 * run leaves a number in the pipe. */
static void *count_runs(void *arg)
{
    atomic_uint *runs = arg;
    unsigned number;

    for (;;) {
        if (read(bench.pipe[0], &number, sizeof number) != sizeof number ||
            number == UINT32_MAX)
            return NULL;
        atomic_fetch_add(&runs[number], 1);
    }
}

START_TEST(at_most_once)
{
    enum { MANY = 20000 };
    atomic_uint *runs = calloc(MANY, sizeof *runs);
    weir_result **results = calloc(MANY, sizeof *results);
    weir_pool_options options = bench_options();
    struct killer killer = { .most = 60, .pause_ns = 4 * NS_PER_MS };
    const unsigned end = UINT32_MAX;
    unsigned lost = 0;
    pthread_t reader, thread;

    options.workers = 4;
    killer.pool = bench_pool(&options);
    ck_assert_int_eq(pthread_create(&reader, NULL, count_runs, runs), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, kill_workers, &killer), 0);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_int_eq(weir_pool_apply_async(killer.pool, mark, &i, sizeof i,
                                               BOUND_NS, &results[i], NULL),
                         0);
    atomic_store(&killer.stop, true);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_int_eq(weir_result_wait(results[i], BOUND_NS), 0);
    ck_assert_int_eq(write(bench.pipe[1], &end, sizeof end), sizeof end);
    pthread_join(reader, NULL);
    for (unsigned i = 0; i < MANY; i++) {
        int code = weir_result_get(results[i], 0, NULL, NULL);

        ck_assert(code == 0 || code == WEIR_ELOST);
        ck_assert_uint_le(runs[i], 1);
        ck_assert_uint_ge(runs[i], code == 0);
        lost += code != 0;
        weir_result_free(&results[i]);
    }
    ck_assert_uint_le(lost, killer.kills);
    free(runs);
    free(results);
    bench_end(&killer.pool);
}
END_TEST

/* ---------------------------------------------------------------- batches ----
 */

/* Its input is two bytes: the second says whether it kills its worker. Gives
 * the attempt that it is in. */
static int kill_if_told(weir_call *call)
{
    unsigned char attempt = (unsigned char)weir_attempt(call);

    if (((const char *)weir_input(call).data)[1] != 0)
        raise(SIGKILL);
    return weir_emit(call, 0, &attempt, 1);
}

/* A chunk of 32 goes to one worker at once, and one of them kills it: that one
 * alone fails, or is tried again; its neighbours have not lost an attempt.
 * Loop: where it stands; without retries and with some. */
START_TEST(d8_bad_one_in_a_batch)
{
    enum { MANY = 128, CHUNK = 32 };
    static weir_function *const functions[] = { kill_if_told };
    weir_pool_options options = bench_options();
    const int bad = CHUNK + (int[]){ 0, 13, 31 }[_i % 3];
    char inputs[MANY][2];
    weir_bytes bytes[MANY], attempt;
    weir_result *results[MANY];
    weir_error err = { 0 };
    weir_pool *pool;

    options.functions = functions;
    options.function_count = 1;
    options.workers = 1 + _i % 2;
    options.retries = _i < 6 ? 0 : 3;
    pool = bench_pool(&options);
    for (int i = 0; i < MANY; i++) {
        inputs[i][0] = (char)i;
        inputs[i][1] = i == bad;
        bytes[i] = (weir_bytes){ inputs[i], 2 };
    }
    ck_assert_int_eq(weir_pool_map(pool, kill_if_told, bytes, MANY, CHUNK,
                                   BOUND_NS, results, NULL),
                     1);
    for (int i = 0; i < MANY; i++) {
        int code = weir_result_get(results[i], 0, &attempt, &err);

        ck_assert_int_eq(code, i == bad ? WEIR_ELOST : 0);
        if (i == bad)
            ck_assert_str_eq(err.text,
                             _i < 6 ? "the worker was killed by SIGKILL"
                                    : "the worker was killed by SIGKILL (in "
                                      "attempt 4)");
        else
            ck_assert_int_eq(*(const unsigned char *)attempt.data, 1);
        weir_result_free(&results[i]);
    }
    bench_end(&pool);
}
END_TEST

/* ---------------------------------------------------------- time limits ----
 */

/* Loop: one that never returns; one that is stopped. */
START_TEST(d8_time_limit)
{
    weir_pool_options options = bench_options();
    weir_result *result;
    weir_error err = { 0 };
    weir_pool *pool;

    options.limit_ns = 500 * NS_PER_MS;
    options.workers = 2;
    pool = bench_pool(&options);
    if (_i == 0)
        ck_assert_int_eq(weir_pool_apply(pool, wait_on, NULL, 0, BOUND_NS,
                                         &result, &err),
                         WEIR_ELIMIT);
    else
        ck_assert_int_eq(weir_pool_apply(pool, die, &(char){ SIGSTOP }, 1,
                                         BOUND_NS, &result, &err),
                         WEIR_ELIMIT);
    ck_assert_msg(strstr(err.text, "longer than 500 ms") != NULL, "%s",
                  err.text);
    for (int i = 0; i < 100; i++)
        expect_echo(pool, echo, 'x');
    bench_end(&pool);
}
END_TEST

/* A worker that waits for room, because nobody fetches results, is not at its
 * call for too long. */
START_TEST(limit_leaves_out_waiting)
{
    weir_pool_options options = bench_options();
    size_t size = 60000;
    weir_result *results[8];
    weir_error err = { 0 };
    weir_pool *pool;

    options.limit_ns = NS_PER_S;
    options.workers = 2;
    options.bytes = 64 << 10;
    pool = bench_pool(&options);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(weir_pool_apply_async(pool, grow, &size, sizeof size,
                                               BOUND_NS, &results[i], &err),
                         0);
    usleep(1500000); /* longer than the limit: that is the test */
    for (int i = 0; i < 8; i++) {
        ck_assert_msg(weir_result_get(results[i], BOUND_NS, NULL, &err) == 0,
                      "%s", err.text);
        weir_result_free(&results[i]);
    }
    bench_end(&pool);
}
END_TEST

/* ------------------------------------------------------------ the others ----
 */

/* A worker whose nursery was just killed may still answer: it is the helper's
 * child then, or gone. */
static pid_t nursery_of(weir_pool *pool)
{
    struct stat_line line;

    while (stat_read(bench_worker(pool), &line) != 0 ||
           line.parent == context_helper_pid(bench.context))
        ;
    return line.parent;
}

/* The nursery's death takes all workers with it: others come. */
START_TEST(nursery_killed)
{
    weir_pool_options options = bench_options();
    weir_pool *pool;

    options.retries = 5;
    pool = bench_pool(&options);
    for (int i = 0; i < 3; i++) {
        while (kill(nursery_of(pool), SIGKILL) < 0)
            ;
        for (int k = 0; k < 10; k++)
            expect_echo(pool, echo, 'x');
    }
    bench_end(&pool);
}
END_TEST

/* Without its helper the pool is over: every handle ends, and says so. */
START_TEST(helper_killed)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    weir_result *result, *other;

    ck_assert_int_eq(weir_pool_apply_async(pool, wait_on, NULL, 0, 0, &result,
                                           NULL),
                     0);
    kill(context_helper_pid(bench.context), SIGKILL);
    ck_assert_int_eq(weir_result_get(result, WEIR_FOREVER, NULL, NULL),
                     WEIR_EBROKEN);
    ck_assert_int_eq(weir_pool_apply(pool, echo, NULL, 0, WEIR_FOREVER, &other,
                                     NULL),
                     WEIR_EBROKEN);
    ck_assert_int_eq(weir_pool_join(pool, WEIR_FOREVER), WEIR_EBROKEN);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    weir_result_free(&result);
}
END_TEST

START_TEST(d8_sixty_four_workers)
{
    enum { MANY = 5000 };
    weir_result *results[MANY];
    weir_pool_options options = bench_options();
    weir_pool *pool;

    options.workers = 64;
    pool = bench_pool(&options);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(weir_pool_apply_async(pool, echo, &i, sizeof i,
                                               BOUND_NS, &results[i], NULL),
                         0);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(weir_result_get(results[i], BOUND_NS, NULL, NULL), 0);
        weir_result_free(&results[i]);
    }
    bench_end(&pool);
}
END_TEST

/* A worker for each call. */
START_TEST(d8_recycled_after_one)
{
    weir_pool_options options = bench_options();
    pid_t last = 0;
    weir_pool *pool;

    options.workers = 1;
    options.recycle = 1;
    pool = bench_pool(&options);
    for (int i = 0; i < 50; i++) {
        pid_t pid = bench_worker(pool);

        ck_assert_int_ne(pid, last);
        last = pid;
    }
    bench_end(&pool);
}
END_TEST

/* A task's own child, which outlives the task, harms nothing and is killed
 * with its worker's group. */
START_TEST(d8_task_forks)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);

    for (int i = 0; i < 10; i++)
        expect_echo(pool, leave_child, 'f');
    bench_end(&pool);
}
END_TEST

Suite *pool_death_suite(void)
{
    Suite *suite = suite_create("pool_death");
    TCase *tcase = tcase_create("killed");

    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, d5_worker_killed);
    tcase_add_test(tcase, d5_exit_in_a_task);
    tcase_add_test(tcase, d5_retries);
    tcase_add_loop_test(tcase, d8_killed_at_random, 0, 3);
    tcase_add_test(tcase, at_most_once);
    tcase_add_loop_test(tcase, d8_bad_one_in_a_batch, 0, 12);
    tcase_add_loop_test(tcase, d8_time_limit, 0, 2);
    tcase_add_test(tcase, limit_leaves_out_waiting);
    tcase_add_test(tcase, nursery_killed);
    tcase_add_test(tcase, helper_killed);
    tcase_add_test(tcase, d8_sixty_four_workers);
    tcase_add_test(tcase, d8_recycled_after_one);
    tcase_add_test(tcase, d8_task_forks);
    suite_add_tcase(suite, tcase);
    return suite;
}
