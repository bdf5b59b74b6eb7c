/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* load.c - plugins in a nursery: workers that have what was bound, plugins
 * that crash, hang, print or change, and the same without a nursery. */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "house.h"

#define HEAD "weir: 1\njob: x\n"
#define JOB                                                                    \
    HEAD "queues: { a: }\nstages:\n"                                           \
         "  - { name: s, task: sample.make, with: { count: 42 }, to: a }\n"    \
         "  - { name: t, task: sample.total, from: a, to: drop }\n"

static int seen; /* set in the nursery, seen by workers */

static int see(void *bound, void *arg)
{
    const struct job_bound *b = bound;

    seen = b->arg == arg && b->stages[1].task ? *(int *)arg : -1;
    return 0;
}

static int refuse(void *bound, void *arg)
{
    (void)bound, (void)arg;
    return -ENOSPC;
}

/* 42 of the parameter, and what `see` saw. */
static int work(void *arg, const struct nursery_order *order)
{
    const struct job_bound *bound = arg;
    const uint64_t *count = bound->stages[0].params;

    if (strcmp(bound->job->stages.at[0].name, "s") != 0)
        return 1;
    return (int)*count + seen + (int)order->id;
}

static int status_of(struct nursery *nursery, uint64_t id)
{
    struct nursery_order order = { .id = id };
    struct nursery_event event = { .kind = NURSERY_GONE };
    struct pollfd poller = { .fd = nursery_fd(nursery), .events = POLLIN };

    ck_assert_int_eq(nursery_fork(nursery, &order), 0);
    while (poll(&poller, 1, 20000) == 1) {
        if (nursery_next(nursery, &event) != 1)
            continue;
        if (event.kind == NURSERY_REAPED)
            return event.exit.signaled ? -1 : event.exit.code;
        ck_assert_int_eq(event.kind, NURSERY_FORKED);
        fd_close(&event.pidfd);
        ck_assert_int_eq(nursery_reap(nursery, event.pid), 0);
    }
    ck_abort_msg("no answer");
    return -1;
}

START_TEST(load_worker)
{
    int arg = 7;

    if (!house_forks())
        return;
    house.options.worker = work;
    house.options.bound = see;
    house.options.arg = &arg;
    ck_assert_int_eq(house_open(JOB), 0);
    ck_assert_ptr_nonnull(house.nursery);
    ck_assert_int_eq(seen, 0); /* here nothing was loaded */
    ck_assert_int_eq(status_of(house.nursery, 100), 42 + 7 + 100);
}
END_TEST

START_TEST(load_again)
{
    struct nursery *other = NULL;
    weir_error err = { 0 };

    if (!house_forks())
        return;
    house.options.worker = work;
    ck_assert_int_eq(house_open(JOB), 0);
    ck_assert_int_eq(job_nursery(house.job, &house.options, &other, &err), 0);
    ck_assert_int_eq(status_of(other, 1), 43);
    nursery_stop(&other);
    house.job->stages.at[1].look++;
    ck_assert_int_eq(job_nursery(house.job, &house.options, &other, &err),
                     WEIR_EPLUGIN);
    ck_assert_ptr_nonnull(strstr(err.text, "is another one"));
    ck_assert_ptr_null(other);
}
END_TEST

START_TEST(load_again_gone)
{
    struct nursery *other = NULL;
    weir_error err = { 0 };
    char path[128];

    if (!house_forks())
        return;
    house.options.worker = work;
    ck_assert_int_eq(house_open(JOB), 0);
    snprintf(path, sizeof path, "%s/sample.so", house_path());
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(job_nursery(house.job, &house.options, &other, &err),
                     WEIR_EPLUGIN);
    ck_assert_ptr_nonnull(strstr(err.text, "no plugin 'sample'"));
}
END_TEST

START_TEST(load_mistakes_leave_no_nursery)
{
    house.options.worker = work;
    house.options.bound = refuse; /* is not called */
    ck_assert_int_eq(house_open(JOB "zebra: 1\n"), WEIR_EJOB);
    ck_assert_ptr_null(house.nursery);
    house_says("unknown key 'zebra'");
}
END_TEST

START_TEST(load_hook_refuses)
{
    if (!house_forks())
        return;
    house.options.worker = work;
    house.options.bound = refuse;
    ck_assert_int_eq(house_open(JOB), -ENOSPC);
    ck_assert_ptr_null(house.nursery);
    ck_assert_ptr_null(house.job);
    ck_assert_ptr_nonnull(strstr(house.err.text, "workers"));
}
END_TEST

START_TEST(load_inline)
{
    int arg = 3;

    house.options.inline_only = true;
    house.options.bound = see;
    house.options.arg = &arg;
    ck_assert_int_eq(house_open(JOB), 0);
    ck_assert_ptr_nonnull(house.bound);
    ck_assert_int_eq(seen, 3);
    ck_assert_int_eq(*(const int64_t *)house.bound->stages[0].params, 42);
    ck_assert_str_eq(house.bound->stages[1].task->name, "total");
    ck_assert_ptr_null(house.nursery);
}
END_TEST

/* For what hangs; long enough for what does not, also under valgrind. */
static int64_t limit(void)
{
    const char *times = getenv("CK_TIMEOUT_MULTIPLIER");

    return (times ? atoi(times) : 1) * 2 * NS_PER_S;
}

/* Whatever takes the nursery: the rest is told, too. */
START_TEST(load_hang)
{
    if (!house_forks())
        return;
    house.options.load_timeout_ns = limit();
    ck_assert_int_eq(
        house_open(HEAD "queues: { a: }\nstages:\n"
                        "  - { name: p, task: hang.pass, from: stdin, to: a }\n"
                        "  - { name: t, task: sample.total, from: a,\n"
                        "      with: { k: 0 }, to: drop }\n"),
        WEIR_EJOB);
    house_says(":5:22: plugin 'hang' cannot be used: while it was loaded, it "
               "did not come to an end within");
    house_says("parameter 'k': 0 is less than 1");
}
END_TEST

START_TEST(load_check_hangs)
{
    if (!house_forks())
        return;
    house.options.load_timeout_ns = limit();
    ck_assert_int_eq(house_open(
                         HEAD
                         "stages:\n"
                         "  - { name: t, task: sample.total, from: stdin,\n"
                         "      with: { k: 99 }, to: drop }\n"),
                     WEIR_EJOB);
    house_says("task 'sample.total' cannot be used: while it checked its "
               "parameters, it did not come to an end");
}
END_TEST

START_TEST(load_noise)
{
    struct pollfd poller = { .events = POLLIN };
    int ends[2], kept = dup(STDOUT_FILENO);

    if (!house_forks())
        return;
    ck_assert_int_eq(pipe(ends), 0);
    fflush(stdout);
    ck_assert_int_eq(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
    house_open(HEAD "stages:\n"
                    "  - { name: p, task: noise.pass, from: stdin, to: drop }"
                    "\n");
    dup2(kept, STDOUT_FILENO);
    close(kept);
    close(ends[1]);
    poller.fd = ends[0];
    ck_assert_int_eq(house.code, 0);
    ck_assert_int_eq(poll(&poller, 1, 0), 1);
    ck_assert_int_eq(poller.revents & POLLIN, 0); /* its end, and nothing */
    close(ends[0]);
}
END_TEST

START_TEST(load_unknown)
{
    ck_assert_int_eq(house_open(
                         HEAD "stages:\n"
                              "  - { name: p, task: smaple.pass, from: stdin,\n"
                              "      to: drop }\n"
                              "  - { name: q, task: smaple.pass, from: stdin,\n"
                              "      to: drop }\n"),
                     WEIR_EJOB);
    house_says("there is no plugin 'smaple'; did you mean 'sample'?");
    house_says(house_path());
    /* once, not for each stage */
    ck_assert_ptr_null(strstr(house.text.data, ":6:22"));
}
END_TEST

START_TEST(load_bad_path)
{
    setenv("WEIR_PLUGIN_PATH", "relative", 1);
    ck_assert_int_eq(house_open(JOB), WEIR_EJOB);
    house_says("WEIR_PLUGIN_PATH has 'relative'");
}
END_TEST

/* `plugins` is relative to the job file. */
START_TEST(load_job_folder)
{
    house.options.plugin_paths = NULL;
    ck_assert_int_eq(house_open(JOB), WEIR_EJOB);
    ck_assert_int_eq(house_open(JOB "plugins: .\n"), 0);
    ck_assert_int_eq(house_open(JOB "plugins: [none, \"\"]\n"), WEIR_EJOB);
}
END_TEST

Suite *load_suite(void)
{
    Suite *suite = suite_create("load");
    TCase *tcase = tcase_create("nursery");

    tcase_add_unchecked_fixture(tcase, house_setup, house_teardown);
    tcase_add_checked_fixture(tcase, house_begin, house_end);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, load_worker);
    tcase_add_test(tcase, load_again);
    tcase_add_test(tcase, load_mistakes_leave_no_nursery);
    tcase_add_test(tcase, load_hook_refuses);
    tcase_add_test(tcase, load_inline);
    tcase_add_test(tcase, load_hang);
    tcase_add_test(tcase, load_check_hangs);
    tcase_add_test(tcase, load_noise);
    tcase_add_test(tcase, load_unknown);
    tcase_add_test(tcase, load_bad_path);
    tcase_add_test(tcase, load_job_folder);
    tcase_add_test(tcase, load_again_gone); /* takes the plugin away */
    suite_add_tcase(suite, tcase);
    return suite;
}
