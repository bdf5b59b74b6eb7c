/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* job.c - what a job file means: values, defaults, order, files. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "house.h"

#define HEAD "weir: 1\njob: x\n"

static void ck_good(const char *text)
{
    int code = house_open(text);

    ck_assert_msg(code == 0, "%d: %s\n%s", code, house.err.text,
                  house.text.data ? house.text.data : "");
}

static const struct job_queue *queue(const char *name)
{
    for (size_t i = 0; i < house.job->queues.count; i++)
        if (strcmp(house.job->queues.at[i].name, name) == 0)
            return &house.job->queues.at[i];
    ck_abort_msg("no queue %s", name);
    return NULL;
}

static const struct job_stage *stage(const char *name)
{
    for (size_t i = 0; i < house.job->stages.count; i++)
        if (strcmp(house.job->stages.at[i].name, name) == 0)
            return &house.job->stages.at[i];
    ck_abort_msg("no stage %s", name);
    return NULL;
}

START_TEST(job_defaults)
{
    const struct job_stage *s;

    house.options.workers = 5;
    ck_good(HEAD "queues: { a: , b: { capacity: 7, bytes: 1 KiB } }\n"
                 "stages:\n"
                 "  - { name: s, task: sample.make, to: a }\n"
                 "  - { name: p, task: sample.pass, from: a, to: b }\n"
                 "  - { name: t, task: sample.total, from: b, to: drop }\n");
    s = stage("p");
    ck_assert_uint_eq(s->workers, 5);
    ck_assert_uint_eq(s->retries, 2);
    ck_assert_int_eq(s->timeout_ns, FOREVER);
    ck_assert_int_eq(s->dispatch, DISPATCH_ASYNC);
    ck_assert_int_eq(s->failed, JOB_NONE);
    ck_assert_str_eq(s->outputs.at[0].name, "out");
    ck_assert_uint_eq(stage("s")->workers, 1);
    ck_assert_uint_eq(stage("t")->workers, 1);
    ck_assert_int_eq(stage("t")->outputs.at[0].to.at[0], JOB_DROP);
    ck_assert_uint_eq(queue("a")->capacity, 1024);
    ck_assert_uint_eq(queue("a")->bytes, 8 << 20);
    ck_assert(!queue("a")->bytes_set);
    ck_assert_uint_eq(queue("b")->capacity, 7);
    ck_assert_uint_eq(queue("b")->bytes, 1024);
    ck_assert(queue("b")->bytes_set);
    ck_assert_int_eq(house.job->stages.at[queue("b")->consumer].order, 2);
    ck_assert_ptr_null(house.nursery);
    ck_assert_str_eq(house.job->folder, house_path());
}
END_TEST

START_TEST(job_processors)
{
    ck_good(HEAD "stages: [ { name: s, task: sample.share, to: drop } ]\n");
    ck_assert_uint_eq(stage("s")->workers, processors_usable());
}
END_TEST

START_TEST(job_sets_and_vars)
{
    const char *sets[] = { "n=3", "n=5", NULL };
    const struct job_stage *s;
    const struct job_var *vars;

    house.options.sets = sets;
    house.options.workers = 9;
    ck_good(HEAD
            "vars:\n"
            "  n: { type: uint, default: 1 }\n"
            "  d: /x\n"
            "  e: { default: \"${d}/${n}\", description: where }\n"
            "defaults: { timeout: 1h30m, workers: 4, retries: 0, order: keep,\n"
            "            failed: drop }\n"
            "stages:\n"
            "  - { name: s, task: sample.share, workers: \"${n}\", to: drop,\n"
            "      with: {} }\n"
            "  - { name: p, task: sample.pass, from: stdin, to: stdout,\n"
            "      dispatch: sync }\n"
            "  - name: m\n"
            "    task: sample.make\n"
            "    with: { paths: [\"${e} $${d} ${item.path} $x {y}\", b] }\n"
            "    to: drop\n");
    s = stage("s");
    ck_assert_uint_eq(s->workers, 5);
    ck_assert_int_eq(s->timeout_ns, 5400 * NS_PER_S);
    ck_assert_uint_eq(s->retries, 0);
    ck_assert_int_eq(s->failed, JOB_NONE); /* a source has none */
    ck_assert(!s->keeps_order);
    ck_assert(stage("p")->keeps_order);
    ck_assert_int_eq(stage("p")->failed, JOB_DROP);
    ck_assert_uint_eq(stage("p")->workers, 1);
    ck_assert_uint_eq(stage("m")->workers, 1); /* defaults: for who can */
    ck_assert_str_eq(stage("m")->params.at[0].texts.at[0],
                     "/x/5 ${d} ${item.path} $x {y}");
    ck_assert_uint_eq(stage("m")->params.at[0].texts.count, 2);
    vars = house.job->vars.at;
    ck_assert_str_eq(vars[0].value, "5");
    ck_assert_str_eq(vars[0].origin, "--set");
    ck_assert_str_eq(vars[2].value, "/x/5");
    ck_assert_str_eq(vars[2].origin, "default");
    ck_assert_str_eq(vars[2].description, "where");
    ck_assert(house.job->uses_stdin && house.job->uses_stdout);
}
END_TEST

/* A value never becomes structure. */
START_TEST(job_set_is_text)
{
    const char *sets[] = { "v=a, b], x: {y: ${v}}", NULL };

    house.options.sets = sets;
    ck_good(HEAD "vars: { v: x }\nstages:\n"
                 "  - { name: s, task: sample.make, to: drop,\n"
                 "      with: { paths: [\"${v}\"] } }\n");
    ck_assert_str_eq(stage("s")->params.at[0].texts.at[0], sets[0] + 2);
    ck_assert_uint_eq(stage("s")->params.at[0].texts.count, 1);
}
END_TEST

/* Beside a default that cannot be with it; and where it can. */
START_TEST(job_key)
{
    ck_good(HEAD "vars: { k: path }\n"
                 "defaults: { order: keep, workers: 3 }\n"
                 "queues: { a: , b: }\n"
                 "stages:\n"
                 "  - { name: s, task: sample.pass, from: stdin, to: a }\n"
                 "  - { name: t, task: sample.pass, from: a, to: b,\n"
                 "      key: \"${k}\" }\n"
                 "  - { name: u, task: sample.pass, from: b, to: stdout,\n"
                 "      key: k, workers: 1, order: keep }\n");
    ck_assert_ptr_null(stage("s")->key);
    ck_assert(stage("s")->keeps_order);
    ck_assert_str_eq(stage("t")->key, "path");
    ck_assert(!stage("t")->keeps_order);
    ck_assert_str_eq(stage("u")->key, "k");
    ck_assert(stage("u")->keeps_order);
}
END_TEST

START_TEST(job_largest)
{
    ck_good(HEAD "queues: { a: , b: { bytes: 1 MiB } }\n"
                 "stages:\n"
                 "  - { name: s, task: sample.make, with: { size: 16 MiB },\n"
                 "      to: { copy: [a, b] } }\n"
                 "  - { name: t, task: sample.take, with: { path: p },\n"
                 "      from: [a, b] }\n");
    ck_assert_uint_eq(stage("s")->largest, 16 << 20);
    ck_assert_uint_eq(queue("a")->bytes, 32 << 20);
    ck_assert_uint_eq(queue("b")->bytes, 1 << 20);
}
END_TEST

/* Outputs in the task's order, not the file's; copies; nesting; frames. */
START_TEST(job_outputs)
{
    const struct job_stage *p;

    ck_good(HEAD "queues: { a: , b: }\n"
                 "stages:\n"
                 "  - { name: t, task: sample.take, with: { path: p },\n"
                 "      from: b }\n"
                 "  - name: p\n"
                 "    task: sample.split\n"
                 "    from: a\n"
                 "    to:\n"
                 "      short: { copy: [drop, { stdout: { frame: nul } }] }\n"
                 "      long: b\n"
                 "  - { name: s, task: sample.make, to: a }\n");
    p = stage("p");
    ck_assert_uint_eq(p->outputs.count, 2);
    ck_assert_str_eq(p->outputs.at[0].name, "long");
    ck_assert_int_eq(p->outputs.at[0].to.at[0], 1);
    ck_assert_str_eq(p->outputs.at[1].name, "short");
    ck_assert_int_eq(p->outputs.at[1].to.at[0], JOB_DROP);
    ck_assert_int_eq(p->outputs.at[1].to.at[1], JOB_STDOUT);
    ck_assert_int_eq(house.job->stdout_frame, FRAME_NUL);
    /* upstream first */
    ck_assert_int_eq(stage("s")->order, 0);
    ck_assert_int_eq(p->order, 1);
    ck_assert_int_eq(stage("t")->order, 2);
    ck_assert_int_eq(queue("a")->order, 0);
    ck_assert_int_eq(queue("b")->order, 1);
    ck_assert_int_eq(house.job->stage_order.at[0], 2);
}
END_TEST

START_TEST(job_stdin)
{
    ck_good(HEAD "stages:\n"
                 "  - { name: p, task: sample.pass,\n"
                 "      from: { stdin: { as: whole } }, to: stdout }\n");
    ck_assert_int_eq(stage("p")->from.at[0], JOB_STDIN);
    ck_assert_int_eq(house.job->stdin_as, STDIN_WHOLE);
    ck_assert_int_eq(house.job->stdout_frame, FRAME_LINE);
}
END_TEST

START_TEST(job_names)
{
    ck_good(HEAD
            "queues: { in: { name: a.b }, mid: {}, out: { name: c_d-1 } }\n"
            "stages:\n"
            "  - { name: p, task: sample.pass, from: in, to: mid }\n"
            "  - { name: r, task: sample.pass, from: mid, to: out }\n");
    ck_assert_str_eq(house.job->queues.at[0].known, "a.b");
    ck_assert_int_eq(house.job->queues.at[0].consumer, 0);
    ck_assert_ptr_null(house.job->queues.at[1].known);
    ck_assert_str_eq(house.job->queues.at[2].known, "c_d-1");
    ck_assert_int_eq(house.job->queues.at[2].consumer, JOB_NONE);
    ck_assert_ptr_eq(job_known(house.job), &house.job->queues.at[0]);
}
END_TEST

/* ---------------------------------------------------------------- files ----
 */

START_TEST(job_no_file)
{
    char path[128];

    ck_assert_int_eq(house_open_file("/nonexistent/x.yaml"), -ENOENT);
    ck_assert_ptr_null(house.job);
    ck_assert_ptr_nonnull(strstr(house.err.text, "/nonexistent/x.yaml"));
    ck_assert_int_eq(house_open_file(house_path()), -EISDIR);
    snprintf(path, sizeof path, "%s/none.yaml", house_path());
    ck_assert_int_eq(house_open_file(path), -ENOENT);
    ck_assert_uint_eq(house.diags.list.count, 0);
}
END_TEST

START_TEST(job_from_stdin)
{
    static const char text[] = HEAD
        "stages: [ { name: s, task: sample.make, to: drop } ]\nx: 1\n";
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], text, sizeof text - 1), sizeof text - 1);
    close(ends[1]);
    ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    ck_assert_int_eq(house_open_file("-"), WEIR_EJOB);
    house_says("stdin:4:1: unknown key 'x'");
}
END_TEST

START_TEST(job_too_large)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/large.yaml", house_path());
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (16 << 20) + 1), 0);
    close(fd);
    ck_assert_int_eq(house_open_file(path), WEIR_EJOB);
    house_says("larger than 16 MiB");
}
END_TEST

/* Time grows with the square of the depth, unless somebody stops it. */
START_TEST(job_deep)
{
    struct buf text = { 0 };

    buf_text(&text, HEAD "stages: ");
    for (int i = 0; i < 1000000; i++)
        buf_char(&text, '[');
    ck_assert_int_eq(house_open(text.data), WEIR_EJOB);
    house_says("nested more than 64 deep");
    buf_done(&text);
}
END_TEST

/* A chain as long as a job may have, and one key wrong in each stage. */
START_TEST(job_long)
{
    struct buf text = { 0 };
    const int count = 1500;

    buf_text(&text, HEAD "queues:\n");
    for (int i = 1; i < count; i++)
        buf_printf(&text, "  q%d:\n", i);
    buf_text(&text, "stages:\n"
                    "  - { name: s0, task: sample.make, to: q1 }\n");
    for (int i = 1; i < count; i++)
        buf_printf(&text,
                   "  - name: s%d\n    task: sample.pass\n    from: q%d\n"
                   "    to: %s%.0d\n    workers: 1\n",
                   i, i, i + 1 < count ? "q" : "drop",
                   i + 1 < count ? i + 1 : 0);
    ck_good(text.data);
    ck_assert_uint_eq(house.job->stage_order.count, (unsigned)count);
    ck_assert_int_eq(queue("q1499")->order, count - 2);
    for (int i = 0; i < count; i++)
        buf_printf(&text, "k%d: 1\n", i);
    ck_assert_int_eq(house_open(text.data), WEIR_EJOB);
    house_says("and 1400 more");
    buf_done(&text);
}
END_TEST

Suite *job_suite(void)
{
    Suite *suite = suite_create("job");
    TCase *tcase = tcase_create("meaning");

    tcase_add_unchecked_fixture(tcase, house_setup, house_teardown);
    tcase_add_checked_fixture(tcase, house_begin, house_end);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, job_defaults);
    tcase_add_test(tcase, job_processors);
    tcase_add_test(tcase, job_sets_and_vars);
    tcase_add_test(tcase, job_set_is_text);
    tcase_add_test(tcase, job_key);
    tcase_add_test(tcase, job_largest);
    tcase_add_test(tcase, job_outputs);
    tcase_add_test(tcase, job_stdin);
    tcase_add_test(tcase, job_names);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("files");
    tcase_add_unchecked_fixture(tcase, house_setup, house_teardown);
    tcase_add_checked_fixture(tcase, house_begin, house_end);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, job_no_file);
    tcase_add_test(tcase, job_from_stdin);
    tcase_add_test(tcase, job_too_large);
    tcase_add_test(tcase, job_deep);
    tcase_add_test(tcase, job_long);
    suite_add_tcase(suite, tcase);
    return suite;
}
