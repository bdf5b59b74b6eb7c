/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_task.c - core/pool: tasks of plugins, called by name. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "lib/suites.h"
#include "suites.h"
#include "watch.h"

static char folder[64];

/* A folder that nobody else may write, with the plugin. */
static void setup(void)
{
    char command[512];

    snprintf(folder, sizeof folder, "/tmp/weir-pool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(command, sizeof command, "cp '%s/tasks.so' '%s' && chmod 644 %s/*",
             TEST_PLUGINS, folder, folder);
    ck_assert_int_eq(system(command), 0);
    setenv("WEIR_PLUGIN_PATH", folder, 1);
    bench_setup();
}

static void teardown(void)
{
    char command[128];

    bench_teardown();
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static weir_function *task_of(weir_pool *pool, const char *name,
                              const char *param)
{
    const char *params[] = { param, NULL };
    weir_function *run = NULL;
    weir_error err = { 0 };

    ck_assert_msg(weir_pool_task(pool, name, params, &run, &err) == 0, "%s",
                  err.text);
    ck_assert_ptr_nonnull(run);
    return run;
}

static void expect(weir_pool *pool, weir_function *run, int code,
                   const char *text)
{
    weir_result *result = NULL;
    weir_error err = { 0 };
    weir_bytes bytes;
    int got = weir_pool_apply(pool, run, "ab", 2, BOUND_NS, &result, &err);

    ck_assert_msg(got == code, "%d: %s", got, err.text);
    if (code != 0) {
        ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
        return;
    }
    ck_assert_int_eq(weir_result_get(result, 0, &bytes, NULL), 0);
    ck_assert_uint_eq(bytes.size, strlen(text));
    ck_assert_mem_eq(bytes.data, text, bytes.size);
    weir_result_free(&result);
}

/* Beside functions, with parameters of their own, each with its state. Loop:
 * in a worker; in this process. */
START_TEST(called_by_name)
{
    weir_pool_options options = bench_options();
    weir_function *once, *twice, *again;
    weir_pool *pool;

    options.workers = _i == 0 ? 1 : WEIR_POOL_INLINE;
    pool = bench_pool(&options);
    once = task_of(pool, "tasks.repeat", NULL);
    expect(pool, once, 0, "ab1");
    twice = task_of(pool, "tasks.repeat", "times=2");
    expect(pool, twice, 0, "abab1");
    expect(pool, reverse, 0, "ba");
    expect(pool, once, 0, "ab2");
    expect(pool, twice, 0, "abab2");
    again = task_of(pool, "tasks.repeat", "times=2");
    ck_assert(again == twice);
    bench_end(&pool);
}
END_TEST

/* A pool needs no function of the program's own. */
START_TEST(tasks_alone)
{
    weir_pool_options options = { .size = sizeof options, .workers = 2 };
    weir_bytes inputs[100];
    weir_result *results[100];
    weir_pool *pool = bench_pool(&options);
    weir_function *run = task_of(pool, "tasks.repeat", "times=3");

    for (int i = 0; i < 100; i++)
        inputs[i] = (weir_bytes){ "abc", 3 };
    ck_assert_int_eq(weir_pool_map(pool, run, inputs, 100, 0, BOUND_NS, results,
                                   NULL),
                     0);
    for (int i = 0; i < 100; i++) {
        weir_bytes bytes;

        ck_assert_int_eq(weir_result_get(results[i], 0, &bytes, NULL), 0);
        ck_assert_uint_eq(bytes.size, 10);
        ck_assert_mem_eq(bytes.data, "abcabcabc", 9);
        weir_result_free(&results[i]);
    }
    bench_end(&pool);
}
END_TEST

/* Workers come and go: each loads what it needs. */
START_TEST(after_a_death)
{
    weir_pool_options options = bench_options();
    weir_function *crash, *twice;
    weir_pool *pool;

    options.workers = 1;
    options.retries = 1;
    options.recycle = 3;
    pool = bench_pool(&options);
    crash = task_of(pool, "tasks.crash", NULL);
    twice = task_of(pool, "tasks.repeat", "times=2");
    for (int i = 0; i < 10; i++) {
        weir_result *result;
        weir_bytes bytes;

        expect(pool, crash, 0, "ab");
        ck_assert_int_eq(weir_pool_apply(pool, twice, "ab", 2, BOUND_NS,
                                         &result, NULL),
                         0);
        ck_assert_int_eq(weir_result_get(result, 0, &bytes, NULL), 0);
        ck_assert_mem_eq(bytes.data, "abab", 4);
        weir_result_free(&result);
    }
    bench_end(&pool);
}
END_TEST

/* With terms of its own, and with as many bytes as the pool takes. */
START_TEST(with_options)
{
    weir_pool_options options = bench_options();
    weir_call_options own = { .size = sizeof own, .retries = 1 };
    weir_function *crash;
    weir_result *result;
    weir_bytes bytes;
    weir_pool *pool;
    char *large;

    options.bytes = 1 << 20;
    pool = bench_pool(&options);
    crash = task_of(pool, "tasks.crash", NULL);
    expect(pool, crash, WEIR_ELOST, "SIGKILL");
    large = calloc(1, options.bytes);
    ck_assert_int_eq(weir_pool_apply_async_with(pool, crash, large,
                                                options.bytes, BOUND_NS, &own,
                                                &result, NULL),
                     0);
    ck_assert_int_eq(weir_result_get(result, BOUND_NS, &bytes, NULL), 0);
    ck_assert_uint_eq(bytes.size, options.bytes);
    weir_result_free(&result);
    free(large);
    bench_end(&pool);
}
END_TEST

static const struct wrong {
    const char *task, *param;
    int code;
    const char *words;
} wrong[] = {
    { "nowhere.upper", NULL, WEIR_EPLUGIN, "nowhere" },
    { "tasks.upper", NULL, WEIR_EPLUGIN, "plugin 'tasks' has no task 'upper'" },
    { "tasks.repeat", "often=2", WEIR_EINVAL, "often" },
    { "tasks.repeat", "times=no", WEIR_EINVAL, "times" },
    { "tasks.repeat", "times", WEIR_EINVAL, "NAME=VALUE" },
    { "tasks.repeat", "times=13", WEIR_EINVAL, "13 brings bad luck" },
    { "tasks.shut", NULL, WEIR_EFAILED, "closed today" },
    { "tasks.make", NULL, WEIR_EINVAL, "from nothing" },
    { "tasks.sum", NULL, WEIR_EINVAL, "at the end of its input" },
};

/* The call says why; the pool goes on. */
START_TEST(wrong_tasks)
{
    const struct wrong *one = &wrong[_i / 2];
    weir_pool_options options = bench_options();
    weir_function *run;
    weir_pool *pool;

    options.workers = _i % 2 == 0 ? 1 : WEIR_POOL_INLINE;
    pool = bench_pool(&options);
    run = task_of(pool, one->task, one->param);
    for (int i = 0; i < 3; i++)
        expect(pool, run, one->code, one->words);
    expect(pool, reverse, 0, "ba");
    bench_end(&pool);
}
END_TEST

/* What can be seen at once is told at once. */
START_TEST(wrong_names)
{
    static const char *const names[] = { "",       ".",      "upper", "text.",
                                         ".upper", "a/b.so", "/a.b" };
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    weir_function *run = NULL;
    char large[5000] = "pattern=";
    const char *params[] = { large, NULL };
    weir_error err = { 0 };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_int_eq(weir_pool_task(pool, names[i], NULL, &run, NULL),
                         WEIR_EINVAL);
    memset(large + 8, 'x', sizeof large - 9);
    ck_assert_int_eq(weir_pool_task(pool, "text.grep", params, &run, &err),
                     WEIR_ETOOBIG);
    ck_assert_ptr_nonnull(strstr(err.text, "text.grep"));
    ck_assert_int_eq(weir_pool_task(pool, NULL, NULL, &run, NULL), WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_task(pool, "a.b", NULL, NULL, NULL),
                     WEIR_EINVAL);
    ck_assert_int_eq(weir_pool_task(NULL, "a.b", NULL, &run, NULL),
                     WEIR_EINVAL);
    ck_assert_ptr_null(run);
    bench_end(&pool);
}
END_TEST

/* Functions and tasks together: 256. */
START_TEST(too_many)
{
    weir_pool_options options = bench_options();
    weir_pool *pool = bench_pool(&options);
    weir_function *run;
    char name[32];
    int code = 0, count = (int)options.function_count;

    for (; code == 0; count++) {
        snprintf(name, sizeof name, "tasks.t%d", count);
        code = weir_pool_task(pool, name, NULL, &run, NULL);
    }
    ck_assert_int_eq(code, WEIR_EFULL);
    ck_assert_int_eq(count - 1, 256);
    bench_end(&pool);
}
END_TEST

Suite *pool_task_suite(void)
{
    Suite *suite = suite_create("pool_task");
    TCase *tcase = tcase_create("tasks");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, called_by_name, 0, 2);
    tcase_add_test(tcase, tasks_alone);
    tcase_add_test(tcase, after_a_death);
    tcase_add_test(tcase, with_options);
    tcase_add_loop_test(tcase, wrong_tasks, 0,
                        2 * sizeof wrong / sizeof *wrong);
    tcase_add_test(tcase, wrong_names);
    tcase_add_test(tcase, too_many);
    suite_add_tcase(suite, tcase);
    return suite;
}
