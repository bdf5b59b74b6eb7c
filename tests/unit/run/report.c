/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report.c - tests of core/run/report.c. */
#include "config.h"

#include <signal.h>
#include <string.h>

#include "rig.h"

static struct run_stage stages[] = {
    { .name = "read",
      .task = "lines",
      .workers = 1,
      .source = true,
      .given = 12345,
      .failed = 1,
      .busy_ns = 90,
      .blocked_ns = 10 },
    { .name = "count",
      .task = "count",
      .workers = 4,
      .taken = 12345,
      .done = 12000,
      .failed = 300,
      .skipped = 40,
      .left = 5,
      .retried = 7,
      .deaths = 2,
      .recycled = 3,
      .keyed = true,
      .least = 2800,
      .most = 4100,
      .busy_ns = 20,
      .starved_ns = 80 },
};

static struct run_report sample(void)
{
    struct run_report report = { .job = strdup("words"),
                                 .time_ns = 3 * NS_PER_S,
                                 .done = 12000,
                                 .failed = 301,
                                 .status = 1 };

    for (size_t i = 0; i < 2; i++)
        *VEC_ADD(&report.stages) = stages[i];
    return report;
}

static void add_failure(struct run_report *report, const char *name)
{
    struct run_failure failure = { .stage = 1,
                                   .root = 1,
                                   .path = 2,
                                   .name = (char *)name,
                                   .start = (char *)"x",
                                   .why = (char *)"no\nuse",
                                   .wrote = (char *)(name != NULL ? "a\nb"
                                                                  : NULL),
                                   .attempts = 3 };

    ck_assert_int_eq(run_report_fail(report, &failure), 0);
}

static const char *text_of(const struct run_report *report, struct buf *buf,
                           bool summary)
{
    buf_cut(buf, 0);
    ck_assert_int_eq(run_report_text(report, buf, summary, false), 0);
    return buf->data != NULL ? buf->data : "";
}

#define HAS(text, part)                                                        \
    ck_assert_msg(strstr((text), (part)) != NULL, "'%s' is not in: %s",        \
                  (part), (text))

START_TEST(for_people)
{
    struct run_report report = sample();
    CLEANUP_BUF struct buf buf = { 0 };
    const char *text;

    add_failure(&report, "a/b");
    add_failure(&report, NULL);
    text = text_of(&report, &buf, true);
    HAS(text, "failed in 'count': 'a/b': no\\nuse (3 attempts, id "
              "00000000000000010000000000000002)\n");
    HAS(text,
        "0002)\n  it wrote: a\n  it wrote: b\nfailed in 'count': \"x\": no");
    HAS(text, "and 299 more that failed");
    HAS(text, "words: ended after 3 s, 301 failed\n");
    HAS(text, "read   gave 12.3 k");
    HAS(text, "count  took 12.3 k, done 12 k, gave 0, failed 300, left out 40, "
              "left 5, tried again 7, workers lost 2, replaced 3, "
              "a worker 2.8 k to 4.1 k\n");
    HAS(text, "'read' held the others back: 'read' busy 90 %");
    text = text_of(&report, &buf, false);
    HAS(text, "failed in 'count'");
    ck_assert_ptr_null(strstr(text, "took"));
    run_report_done(&report);
}
END_TEST

START_TEST(how_it_ended)
{
    struct run_report report = sample();
    CLEANUP_BUF struct buf buf = { 0 };

    report.signal = SIGINT;
    HAS(text_of(&report, &buf, true), "words: stopped by SIGINT after 3 s\n");
    report.signal = 0;
    report.status = 3;
    report.why = strdup("stage 'x': nothing\nmore");
    HAS(text_of(&report, &buf, false), "weir: stage 'x': nothing\\nmore\n");
    HAS(text_of(&report, &buf, true), "words: could not go on after 3 s\n");
    report.failed = 0;
    report.status = 0;
    free(report.why);
    report.why = NULL;
    ck_assert_str_eq(text_of(&report, &buf, false), "");
    HAS(text_of(&report, &buf, true), "words: done in 3 s\n");
    run_report_done(&report);
}
END_TEST

START_TEST(nobody_held_back)
{
    struct run_report report = sample();
    CLEANUP_BUF struct buf buf = { 0 };

    report.stages.at[0].busy_ns = 1;
    HAS(text_of(&report, &buf, true), "no stage was busy for half of its time");
    run_report_done(&report);
}
END_TEST

START_TEST(for_programs)
{
    struct run_report report = sample();
    CLEANUP_BUF struct buf buf = { 0 };

    add_failure(&report, "a/b");
    report.signal = SIGTERM;
    ck_assert_int_eq(run_report_json(&report, &buf), 0);
    HAS(buf.data, "{\"event\":\"report\",\"job\":\"words\",\"status\":1,"
                  "\"signal\":\"SIGTERM\",");
    HAS(buf.data, "\"name\":\"count\",\"workers\":4,\"source\":false,");
    HAS(buf.data, "\"taken\":12345,\"done\":12000,\"failed\":300,");
    HAS(buf.data, "\"worker_least\":2800,\"worker_most\":4100,");
    HAS(buf.data, "\"failures\":[{\"stage\":\"count\",\"id\":"
                  "\"00000000000000010000000000000002\",\"path\":\"a/b\","
                  "\"start\":\"x\",\"why\":\"no\\nuse\",\"attempts\":3,"
                  "\"wrote\":\"a\\nb\"}]}\n");
    ck_assert_ptr_eq(strchr(buf.data, '\n'), buf.data + buf.size - 1);
    run_report_done(&report);
}
END_TEST

START_TEST(so_many_are_kept)
{
    struct run_report report = sample();

    for (int i = 0; i < RUN_FAILURES_KEPT + 10; i++)
        add_failure(&report, NULL);
    ck_assert_uint_eq(report.failures.count, RUN_FAILURES_KEPT);
    run_report_done(&report);
}
END_TEST

Suite *report_suite(void)
{
    Suite *s = suite_create("report");
    TCase *c = tcase_create("report");

    tcase_add_test(c, for_people);
    tcase_add_test(c, how_it_ended);
    tcase_add_test(c, nobody_held_back);
    tcase_add_test(c, for_programs);
    tcase_add_test(c, so_many_are_kept);
    suite_add_tcase(s, c);
    return s;
}
