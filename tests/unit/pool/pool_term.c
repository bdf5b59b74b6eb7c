/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_term.c - core/pool/pool_serve.c: whatever workers do,
 * weir_pool_terminate ends them. See THE END there. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/pool_host.h"
#include "suites.h"
#include "watch.h"

static struct tally {
    atomic_int begun; /* workers that do what the test is about */
    atomic_int terms; /* SIGTERM that they had */
} * tally;

static void tally_setup(void)
{
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(tally, MAP_FAILED);
    bench_setup();
}

static void tally_teardown(void)
{
    bench_teardown();
    munmap(tally, sizeof *tally);
}

static void begin(void)
{
    atomic_fetch_add(&tally->begun, 1);
}

static void wait_for(int count)
{
    int64_t deadline = clock_deadline(BOUND_NS);

    while (atomic_load(&tally->begun) < count && clock_left(deadline) > 0)
        nanosleep(&(struct timespec){ .tv_nsec = NS_PER_MS }, NULL);
    ck_assert_int_ge(atomic_load(&tally->begun), count);
}

/* -------------------------------------------------------- what they do ---- */

static void count_term(int signal)
{
    (void)signal;
    atomic_fetch_add(&tally->terms, 1);
}

static int ignore(weir_call *call)
{
    signal(SIGTERM, SIG_IGN);
    begin();
    return wait_on(call);
}

static int count(weir_call *call)
{
    signal(SIGTERM, count_term);
    begin();
    return wait_on(call);
}

static int stand_still(weir_call *call)
{
    signal(SIGTERM, SIG_IGN);
    begin();
    for (;;)
        raise(SIGSTOP);
    return wait_on(call);
}

static int spin(weir_call *call)
{
    sigset_t all;

    (void)call;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    begin();
    for (volatile int i = 0;; i++)
        continue;
    return 0;
}

/* A few that stay, then one after the other. */
static int breed(weir_call *call)
{
    signal(SIGTERM, SIG_IGN);
    for (int i = 0; i < 5; i++)
        if (fork() == 0)
            wait_on(call);
    begin();
    for (;;) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
    return 0;
}

/* Into the group of a child: the worker's own has nobody left. */
static int change_groups(weir_call *call)
{
    pid_t pid = fork();

    if (pid == 0) {
        setpgid(0, 0);
        wait_on(call);
    }
    setpgid(pid, pid);
    setpgid(0, pid);
    return ignore(call);
}

static weir_function *const functions[] = { ignore, count, stand_still,
                                            spin,   breed, change_groups,
                                            echo };
enum { WAYS = sizeof functions / sizeof *functions - 1 };

static weir_pool_options term_options(void)
{
    weir_pool_options options = bench_options();

    options.functions = functions;
    options.function_count = WAYS + 1;
    options.grace_ns = 20 * NS_PER_MS;
    return options;
}

/* ------------------------------------------------------------------ tests ----
 */

/* So many calls, each in its worker; then the end. */
static void end_while(weir_pool *pool, weir_function *run, int calls)
{
    weir_result *results[64];

    for (int i = 0; i < calls; i++)
        results[i] = bench_call(pool, run, "", NULL);
    wait_for(calls);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    for (int i = 0; i < calls; i++) {
        ck_assert_int_eq(weir_result_get(results[i], 0, NULL, NULL),
                         WEIR_ETERMINATED);
        weir_result_free(&results[i]);
    }
    ck_assert_int_eq(weir_pool_free(&pool), 0);
}

/* Loop: each way to stay. (Who is left behind, children_teardown finds.) */
START_TEST(each_way)
{
    weir_pool_options options = term_options();

    options.workers = 3;
    end_while(bench_pool(&options), functions[_i], 3);
}
END_TEST

START_TEST(many_workers)
{
    weir_pool_options options = term_options();

    options.workers = 64;
    end_while(bench_pool(&options), ignore, 64);
}
END_TEST

/* Each is asked once, and then killed. */
START_TEST(asked_once)
{
    weir_pool_options options = term_options();

    options.workers = 8;
    end_while(bench_pool(&options), count, 8);
    ck_assert_int_eq(tally->terms, 8);
}
END_TEST

/* Loop: how. None comes to a call. */
START_TEST(in_open)
{
    weir_pool_options options = term_options();
    weir_pool *pool;

    options.workers = 3;
    options.open = functions[_i];
    pool = bench_pool(&options);
    wait_for(3);
    bench_end_now(&pool);
}
END_TEST

/* At once: workers whose start is ordered, and has not come back. */
START_TEST(while_they_start)
{
    weir_pool_options options = term_options();

    options.workers = 16;
    options.workers_most = 64;
    options.open = ignore;
    for (int i = 0; i < 5; i++) {
        weir_pool *pool = bench_pool(&options);

        ck_assert_int_eq(weir_pool_resize(pool, 64), 0);
        bench_end_now(&pool);
    }
}
END_TEST

struct feeder {
    weir_pool *pool;
    atomic_bool stop;
};

static void *feed(void *arg)
{
    struct feeder *feeder = arg;

    while (!atomic_load(&feeder->stop)) {
        weir_result *result = NULL;

        if (weir_pool_apply(feeder->pool, echo, "x", 1, BOUND_NS, &result,
                            NULL) != 0)
            return arg;
        weir_result_free(&result);
    }
    return NULL;
}

/* The helper has another pool to look after, which forks all the time. */
START_TEST(busy_helper)
{
    weir_pool_options options = term_options();
    struct feeder feeder = { NULL, false };
    pthread_t threads[4];
    void *failed;

    options.recycle = 1;
    feeder.pool = bench_pool(&options);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, feed, &feeder), 0);
    options.recycle = 0;
    options.workers = 4;
    for (int i = 0; i < 5; i++) {
        atomic_store(&tally->begun, 0);
        end_while(bench_pool(&options), ignore, 4);
    }
    atomic_store(&feeder.stop, true);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    bench_end(&feeder.pool);
}
END_TEST

Suite *pool_term_suite(void)
{
    Suite *suite = suite_create("pool_term");
    TCase *tcase = tcase_create("term");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, tally_setup, tally_teardown);
    tcase_add_loop_test(tcase, each_way, 0, WAYS);
    tcase_add_test(tcase, many_workers);
    tcase_add_test(tcase, asked_once);
    tcase_add_loop_test(tcase, in_open, 0, WAYS);
    tcase_add_test(tcase, while_they_start);
    tcase_add_test(tcase, busy_helper);
    suite_add_tcase(suite, tcase);
    return suite;
}
