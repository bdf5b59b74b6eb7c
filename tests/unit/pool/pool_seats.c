/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_seats.c - core/pool/pool_seats.c: workers that are replaced while they
 * live, and pools that grow and shrink. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/stat.h"
#include "pool/pool_host.h"
#include "suites.h"
#include "watch.h"

enum { CALLS_MOST = 4000 };

/* What workers and test see of each other. */
static struct scene {
    atomic_int opens, closes;
    atomic_bool hold_open; /* `open` does not return */
    atomic_bool hold_close;
    atomic_int fail_opens; /* the next ones fail */
    atomic_int serving, serving_most;
    atomic_bool hold_calls;
    atomic_int runs[CALLS_MOST];
} * scene;

static void scene_setup(void)
{
    scene = mmap(NULL, sizeof *scene, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(scene, MAP_FAILED);
    bench_setup();
}

static void scene_teardown(void)
{
    bench_teardown();
    munmap(scene, sizeof *scene);
}

static void nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = NS_PER_MS }, NULL);
}

static void reaches(atomic_int *counter, int value)
{
    int64_t deadline = clock_deadline(BOUND_NS);

    while (atomic_load(counter) < value && clock_left(deadline) > 0)
        nap();
    ck_assert_int_ge(atomic_load(counter), value);
}

/* -------------------------------------------------------------- functions ----
 */

static int open_scene(weir_call *call)
{
    atomic_fetch_add(&scene->opens, 1);
    while (atomic_load(&scene->hold_open))
        nap();
    if (atomic_load(&scene->fail_opens) > 0) {
        atomic_fetch_sub(&scene->fail_opens, 1);
        return weir_fail(call, WEIR_PERMANENT, "not today");
    }
    return 0;
}

static int close_scene(weir_call *call)
{
    (void)call;
    atomic_fetch_add(&scene->closes, 1);
    while (atomic_load(&scene->hold_close))
        nap();
    return 0;
}

/* Its number, an int; gives its pid. */
static int serve(weir_call *call)
{
    int now = atomic_fetch_add(&scene->serving, 1) + 1;
    int most = atomic_load(&scene->serving_most), number;
    pid_t pid = getpid();

    while (now > most &&
           !atomic_compare_exchange_weak(&scene->serving_most, &most, now))
        continue;
    memcpy(&number, weir_input(call).data, sizeof number);
    atomic_fetch_add(&scene->runs[number], 1);
    while (atomic_load(&scene->hold_calls))
        nap();
    atomic_fetch_sub(&scene->serving, 1);
    return weir_emit(call, 0, &pid, sizeof pid);
}

/* Takes so many MiB, and keeps them. */
static int hoard(weir_call *call)
{
    size_t size = (size_t) * (const unsigned char *)weir_input(call).data << 20;
    volatile char *more = mmap(NULL, size, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pid_t pid = getpid();

    if (more == MAP_FAILED)
        return -ENOMEM;
    for (size_t i = 0; i < size; i += 4096)
        more[i] = 1;
    return weir_emit(call, 0, &pid, sizeof pid);
}

static weir_pool_options scene_options(void)
{
    static weir_function *const functions[] = { serve, hoard, echo, wait_on };
    weir_pool_options options = bench_options();

    options.functions = functions;
    options.function_count = sizeof functions / sizeof *functions;
    options.open = open_scene;
    options.close = close_scene;
    options.workers = 1;
    return options;
}

static weir_result *begin(weir_pool *pool, int number)
{
    weir_result *result = NULL;
    weir_error err = { 0 };

    if (weir_pool_apply_async(pool, serve, &number, sizeof number, BOUND_NS,
                              &result, &err) != 0)
        ck_abort_msg("call %d: %s", number, err.text);
    return result;
}

/* The pid of who served it. */
static pid_t finish(weir_result **result)
{
    weir_error err = { 0 };
    weir_bytes bytes;
    pid_t pid;

    if (weir_result_get(*result, BOUND_NS, &bytes, &err) != 0)
        ck_abort_msg("%s", err.text);
    memcpy(&pid, bytes.data, sizeof pid);
    weir_result_free(result);
    return pid;
}

static pid_t served_by(weir_pool *pool)
{
    weir_result *result = begin(pool, 0);

    return finish(&result);
}

/* Calls, until another one than this serves. */
static pid_t until_another(weir_pool *pool, pid_t pid)
{
    int64_t deadline = clock_deadline(BOUND_NS);

    while (clock_left(deadline) > 0) {
        pid_t now = served_by(pool);

        if (now != pid)
            return now;
        nap();
    }
    ck_abort_msg("%d still serves", (int)pid);
    return 0;
}

static void expect_one_run_each(int count)
{
    for (int i = 0; i < count; i++)
        if (atomic_load(&scene->runs[i]) != 1)
            ck_abort_msg("call %d ran %d times", i, scene->runs[i]);
}

/* ---------------------------------------------------------------- recycling
 * ----
 */

/* Loop: the bound. At full load; no more serve at once than there are to be,
 * none serves more calls than it may, and each call runs once. */
START_TEST(recycle_calls)
{
    const int bound = _i == 0 ? 1 : 7, many = 300;
    weir_pool_options options = scene_options();
    weir_result *results[300];
    pid_t pids[300];
    weir_pool *pool;

    options.workers = 3;
    options.recycle = (uint32_t)bound;
    pool = bench_pool(&options);
    for (int i = 0; i < many; i++)
        results[i] = begin(pool, i);
    for (int i = 0; i < many; i++)
        pids[i] = finish(&results[i]);
    for (int i = 0; i < many; i++) {
        int same = 0;

        for (int k = 0; k < many; k++)
            same += pids[k] == pids[i];
        ck_assert_int_le(same, bound);
    }
    expect_one_run_each(many);
    ck_assert_int_le(scene->serving_most, 3);
    bench_end(&pool);
}
END_TEST

/* All that was called before the close is answered, though the only worker may
 * not serve it all. */
START_TEST(recycle_after_close)
{
    weir_pool_options options = scene_options();
    weir_result *results[50];
    weir_pool *pool;

    options.recycle = 3;
    pool = bench_pool(&options);
    for (int i = 0; i < 50; i++)
        results[i] = begin(pool, i);
    bench_end(&pool);
    for (int i = 0; i < 50; i++)
        finish(&results[i]);
    expect_one_run_each(50);
}
END_TEST

/* It is too old; while its heir opens it serves. */
START_TEST(recycle_age)
{
    weir_pool_options options = scene_options();
    weir_pool *pool;
    pid_t old;

    options.recycle_age_ns = 100 * NS_PER_MS;
    pool = bench_pool(&options);
    old = served_by(pool);
    atomic_store(&scene->hold_open, true);
    until_another(pool, 0);
    reaches(&scene->opens, 2);
    old = served_by(pool);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(served_by(pool), old);
    atomic_store(&scene->hold_open, false);
    until_another(pool, old);
    ck_assert_int_le(scene->serving_most, 1);
    bench_end(&pool);
    ck_assert_int_le(scene->closes, scene->opens);
}
END_TEST

/* One that nobody calls is replaced as well. */
START_TEST(recycle_idle)
{
    weir_pool_options options = scene_options();
    weir_pool *pool;

    options.recycle_age_ns = 10 * NS_PER_MS;
    pool = bench_pool(&options);
    reaches(&scene->closes, 5);
    served_by(pool);
    bench_end(&pool);
}
END_TEST

START_TEST(recycle_bytes)
{
    weir_pool_options options = scene_options();
    pid_t pid, first = 0;
    weir_pool *pool;
    int calls = 0;

    options.recycle_bytes = UINT64_C(256) << 20;
    pool = bench_pool(&options);
    do {
        const unsigned char most = 16;
        weir_result *result = NULL;

        ck_assert_int_eq(weir_pool_apply_async(pool, hoard, &most, 1, BOUND_NS,
                                               &result, NULL),
                         0);
        pid = finish(&result);
        first = first == 0 ? pid : first;
        nap();
    } while (pid == first && ++calls < 100);
    ck_assert_int_ne(pid, first);
    ck_assert_int_ge(calls, 4);
    bench_end(&pool);
}
END_TEST

/* What a worker has of the program's memory is not its own growth. */
START_TEST(recycle_bytes_of_the_program)
{
    const size_t size = 64 << 20;
    weir_pool_options options = scene_options();
    weir_context *context = NULL;
    weir_pool *pool = NULL;
    char *large = malloc(size);
    pid_t pid;

    memset(large, 1, size);
    ck_assert_int_eq(weir_context_open(NULL, &context, NULL), 0);
    options.recycle_bytes = size / 2;
    ck_assert_int_eq(weir_pool_new(context, &options, &pool, NULL), 0);
    pid = served_by(pool);
    for (int i = 0; i < 200; i++)
        nap();
    ck_assert_int_eq(served_by(pool), pid);
    ck_assert_int_eq(atomic_load(&scene->opens), 1);
    bench_end(&pool);
    weir_context_close(&context);
    free(large);
}
END_TEST

/* Those that have left do not come out of `close`: their heirs serve, and the
 * heirs of those, as long as there are seats. */
START_TEST(close_never_returns)
{
    weir_pool_options options = scene_options();
    weir_pool *pool;

    options.recycle = 10;
    options.workers_most = 2; /* and two seats for heirs */
    pool = bench_pool(&options);
    atomic_store(&scene->hold_close, true);
    for (int i = 0; i < 35; i++)
        served_by(pool);
    atomic_store(&scene->hold_close, false);
    bench_end(&pool);
}
END_TEST

/* The heir fails in `open`, and then one comes that does not. */
START_TEST(heir_fails)
{
    weir_pool_options options = scene_options();
    weir_pool *pool;
    pid_t old;

    options.recycle_age_ns = NS_PER_S / 4;
    pool = bench_pool(&options);
    old = served_by(pool);
    atomic_store(&scene->fail_opens, 2);
    until_another(pool, old);
    ck_assert_int_ge(scene->opens, 4);
    bench_end(&pool);
}
END_TEST

/* It always fails: the pool ends with that, as with any worker. */
START_TEST(heir_never_opens)
{
    weir_pool_options options = scene_options();
    weir_error err = { 0 };
    weir_result *result;
    weir_pool *pool;

    options.recycle_age_ns = NS_PER_S / 4;
    pool = bench_pool(&options);
    served_by(pool);
    atomic_store(&scene->fail_opens, 1000);
    result = bench_call(pool, wait_on, "", NULL);
    ck_assert_int_eq(weir_result_get(result, BOUND_NS, NULL, &err),
                     WEIR_EFAILED);
    ck_assert_msg(strstr(err.text, "not today") != NULL, "%s", err.text);
    weir_result_free(&result);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}
END_TEST

/* The nursery has no descriptors left: the old one goes on, until it has. */
START_TEST(heir_is_not_forked)
{
    weir_pool_options options = scene_options();
    struct rlimit few = { 3, 3 }, many;
    struct stat_line line;
    weir_pool *pool;
    pid_t old;

    options.recycle_age_ns = NS_PER_S / 2;
    pool = bench_pool(&options);
    old = served_by(pool);
    atomic_store(&scene->hold_open, true); /* of one that comes too early */
    ck_assert_int_eq(stat_read(old, &line), 0);
    ck_assert_int_eq(prlimit(line.parent, RLIMIT_NOFILE, NULL, &many), 0);
    few.rlim_max = many.rlim_max;
    ck_assert_int_eq(prlimit(line.parent, RLIMIT_NOFILE, &few, NULL), 0);
    old = until_another(pool, 0);
    for (int64_t until = clock_deadline(NS_PER_S); clock_left(until) > 0;)
        ck_assert_int_eq(served_by(pool), old);
    ck_assert_int_eq(prlimit(line.parent, RLIMIT_NOFILE, &many, NULL), 0);
    atomic_store(&scene->hold_open, false);
    until_another(pool, old);
    bench_end(&pool);
}
END_TEST

/* Who is replaced all the time, and all the time somebody ends it. Loop: which
 * bound makes it so. */
START_TEST(terminated_meanwhile)
{
    for (int round = 0; round < 10; round++) {
        weir_pool_options options = scene_options();
        weir_result *results[200];
        weir_pool *pool;

        options.workers = 3;
        if (_i == 0)
            options.recycle = 1;
        else if (_i == 1)
            options.recycle_age_ns = 1;
        else
            options.recycle_bytes = 1;
        pool = bench_pool(&options);
        for (int i = 0; i < 200; i++)
            results[i] = begin(pool, i);
        for (int i = 0; i < round * 10; i++)
            ck_assert_int_eq(weir_result_wait(results[i], BOUND_NS), 0);
        ck_assert_int_eq(weir_pool_terminate(pool), 0);
        for (int i = 0; i < 200; i++) {
            int code = weir_result_get(results[i], 0, NULL, NULL);

            ck_assert(code == 0 || code == WEIR_ETERMINATED);
            weir_result_free(&results[i]);
        }
        ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
        ck_assert_int_eq(weir_pool_free(&pool), 0);
    }
}
END_TEST

/* ------------------------------------------------------ killed at random ----
 */

struct hunter {
    weir_pool *pool;
    unsigned most, kills;
    atomic_bool stop;
};

/* Workers, and those that wait to be. */
static void *hunt(void *arg)
{
    struct hunter *hunter = arg;
    unsigned seed = 5;

    while (!atomic_load(&hunter->stop) && hunter->kills < hunter->most) {
        struct timespec pause = { .tv_nsec = rand_r(&seed) % (4 * NS_PER_MS) };
        struct member_sample sample;

        member_sample(hunter->pool->segment,
                      (unsigned)rand_r(&seed) % hunter->pool->seats, &sample);
        if (sample.process > 0 && kill(sample.process, SIGKILL) == 0)
            hunter->kills++;
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* Up and down under full load. Loop: nobody is killed, and each call runs once;
 * some are; some are, and recycled, too. */
START_TEST(resize_under_load)
{
    weir_pool_options options = scene_options();
    struct hunter hunter = { .most = _i == 0 ? 0 : 40 };
    weir_result *results[CALLS_MOST];
    pthread_t thread;

    options.workers = 2;
    options.workers_most = 6;
    options.retries = _i == 0 ? 0 : 10000;
    options.recycle = _i == 2 ? 20 : 0;
    options.recycle_age_ns = _i == 2 ? 20 * NS_PER_MS : 0;
    hunter.pool = bench_pool(&options);
    ck_assert_int_eq(pthread_create(&thread, NULL, hunt, &hunter), 0);
    for (int i = 0; i < CALLS_MOST; i++) {
        results[i] = begin(hunter.pool, i);
        if (i % 20 == 0)
            ck_assert_int_eq(weir_pool_resize(hunter.pool,
                                              1 + (unsigned)(i * 7 % 6)),
                             0);
    }
    atomic_store(&hunter.stop, true);
    pthread_join(thread, NULL);
    for (int i = 0; i < CALLS_MOST; i++)
        finish(&results[i]);
    if (_i == 0)
        expect_one_run_each(CALLS_MOST);
    bench_end(&hunter.pool);
}
END_TEST

/* ------------------------------------------------------------------ resize
 * ----
 */

/* It grows to 4 that serve at once, then 3 go: each after its call. */
START_TEST(grow_and_shrink)
{
    weir_pool_options options = scene_options();
    weir_result *results[4];
    weir_pool *pool;

    options.workers_most = 4;
    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_resize(pool, 4), 0);
    ck_assert_int_eq(weir_pool_workers(pool), 4);
    atomic_store(&scene->hold_calls, true);
    for (int i = 0; i < 4; i++)
        results[i] = begin(pool, i);
    reaches(&scene->serving, 4);
    ck_assert_int_eq(weir_pool_resize(pool, 1), 0);
    ck_assert_int_eq(weir_pool_workers(pool), 1);
    ck_assert_int_eq(scene->closes, 0);
    atomic_store(&scene->hold_calls, false);
    for (int i = 0; i < 4; i++)
        finish(&results[i]);
    reaches(&scene->closes, 3);
    expect_one_run_each(4);
    atomic_store(&scene->serving_most, 0);
    for (int i = 4; i < 100; i++)
        results[0] = begin(pool, i), finish(&results[0]);
    ck_assert_int_eq(scene->serving_most, 1);
    ck_assert_int_eq(scene->opens, 4);
    bench_end(&pool);
    ck_assert_int_eq(scene->closes, 4);
}
END_TEST

/* Those that were to go, and have not seen it, stay. */
START_TEST(shrink_and_grow)
{
    weir_pool_options options = scene_options();
    weir_result *results[4];
    weir_pool *pool;

    options.workers = 4;
    pool = bench_pool(&options);
    atomic_store(&scene->hold_calls, true);
    for (int i = 0; i < 4; i++)
        results[i] = begin(pool, i);
    reaches(&scene->serving, 4);
    ck_assert_int_eq(weir_pool_resize(pool, 1), 0);
    ck_assert_int_eq(weir_pool_resize(pool, 4), 0);
    atomic_store(&scene->hold_calls, false);
    for (int i = 0; i < 4; i++)
        finish(&results[i]);
    atomic_store(&scene->hold_calls, true);
    for (int i = 0; i < 4; i++)
        results[i] = begin(pool, 10 + i);
    reaches(&scene->serving, 4);
    atomic_store(&scene->hold_calls, false);
    for (int i = 0; i < 4; i++)
        finish(&results[i]);
    ck_assert_int_eq(scene->opens, 4);
    ck_assert_int_eq(scene->closes, 0);
    bench_end(&pool);
}
END_TEST

/* Idle ones go at once; and one that opens, when it has. */
START_TEST(shrink_idle)
{
    weir_pool_options options = scene_options();
    weir_pool *pool;

    options.workers = 4;
    pool = bench_pool(&options);
    reaches(&scene->opens, 4);
    ck_assert_int_eq(weir_pool_resize(pool, 2), 0);
    reaches(&scene->closes, 2);
    atomic_store(&scene->hold_open, true);
    ck_assert_int_eq(weir_pool_resize(pool, 3), 0);
    reaches(&scene->opens, 5);
    ck_assert_int_eq(weir_pool_resize(pool, 2), 0);
    served_by(pool);
    atomic_store(&scene->hold_open, false);
    reaches(&scene->closes, 3);
    bench_end(&pool);
    ck_assert_int_eq(scene->closes, 5);
}
END_TEST

START_TEST(resize_refused)
{
    weir_pool_options options = scene_options();
    weir_result *result;
    weir_pool *pool;
    weir_error err;

    options.workers = 2;
    options.workers_most = 1;
    ck_assert_int_eq(weir_pool_new(bench.context, &options, &pool, &err),
                     WEIR_EINVAL);
    options.workers_most = 1025;
    ck_assert_int_eq(weir_pool_new(bench.context, &options, &pool, &err),
                     WEIR_EINVAL);
    options.workers_most = 3;
    pool = bench_pool(&options);
    ck_assert_int_eq(weir_pool_resize(NULL, 1), WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_resize(pool, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_resize(pool, 4), WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_workers(pool), 2);
    result = bench_call(pool, wait_on, "", NULL);
    ck_assert_int_eq(weir_pool_close(pool), 0);
    ck_assert_int_eq(weir_pool_resize(pool, 1), WEIR_ECLOSED);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    ck_assert_int_eq(weir_pool_resize(pool, 1), WEIR_ETERMINATED);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_resize(pool, 1), WEIR_ETERMINATED);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    weir_result_free(&result);
}
END_TEST

Suite *pool_seats_suite(void)
{
    Suite *suite = suite_create("pool_seats");
    TCase *tcase = tcase_create("seats");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, scene_setup, scene_teardown);
    tcase_add_loop_test(tcase, recycle_calls, 0, 2);
    tcase_add_test(tcase, recycle_after_close);
    tcase_add_test(tcase, recycle_age);
    tcase_add_test(tcase, recycle_idle);
    tcase_add_test(tcase, recycle_bytes);
    tcase_add_test(tcase, recycle_bytes_of_the_program);
    tcase_add_test(tcase, close_never_returns);
    tcase_add_test(tcase, heir_fails);
    tcase_add_test(tcase, heir_never_opens);
    tcase_add_test(tcase, heir_is_not_forked);
    tcase_add_loop_test(tcase, terminated_meanwhile, 0, 3);
    tcase_add_loop_test(tcase, resize_under_load, 0, 3);
    tcase_add_test(tcase, grow_and_shrink);
    tcase_add_test(tcase, shrink_and_grow);
    tcase_add_test(tcase, shrink_idle);
    tcase_add_test(tcase, resize_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
