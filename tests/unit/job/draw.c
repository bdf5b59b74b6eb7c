/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* draw.c - the graph as text and as DOT. */
#include "config.h"

#include "house.h"

static const char text[] =
    "weir: 1\n"
    "job: parts\n"
    "queues: { a: , b: { capacity: 1 } }\n"
    "stages:\n"
    "  - { name: make, task: sample.make, to: a }\n"
    "  - { name: part, task: sample.split, from: a, workers: 3,\n"
    "      to: { long: { copy: [b, stdout] }, short: drop }, failed: drop }\n"
    "  - { name: t, task: sample.take, with: { path: p }, from: b,\n"
    "      workers: 1 }\n"
    "  - { name: u, task: sample.make, to: stdout, after: [t] }\n";

START_TEST(draw_text)
{
    struct buf out = { 0 };

    ck_assert_int_eq(house_open(text), 0);
    ck_assert_int_eq(job_graph_text(house.job, &out), 0);
    ck_assert_str_eq(
        out.data, "parts\n"
                  "  make  sample.make      1 worker   -> a\n"
                  "  u     sample.make      1 worker   -> stdout  after t\n"
                  "  part  sample.split     3 workers  a -> long: b + stdout, "
                  "short: drop  failed -> drop\n"
                  "  t     sample.take      1 worker   b\n"
                  "queues\n"
                  "  a  at most 1024 items, 8 MiB\n"
                  "  b  at most 1 item, 8 MiB\n");
    buf_done(&out);
}
END_TEST

START_TEST(draw_dot)
{
    struct buf out = { 0 };

    ck_assert_int_eq(house_open(text), 0);
    ck_assert_int_eq(job_graph_dot(house.job, &out), 0);
    ck_assert_str_eq(
        out.data,
        "digraph \"parts\" {\n"
        "  rankdir=LR;\n"
        "  \"s make\" [shape=box, label=\"make\\nsample.make\\n1 worker\"];\n"
        "  \"s part\" [shape=box, label=\"part\\nsample.split\\n3 workers\"];\n"
        "  \"s t\" [shape=box, label=\"t\\nsample.take\\n1 worker\"];\n"
        "  \"s u\" [shape=box, label=\"u\\nsample.make\\n1 worker\"];\n"
        "  \"q a\" [shape=cds, label=\"a\\n1024\"];\n"
        "  \"q b\" [shape=cds, label=\"b\\n1\"];\n"
        "  \"stdout\" [shape=plaintext];\n"
        "  \"drop\" [shape=plaintext];\n"
        "  \"s make\" -> \"q a\";\n"
        "  \"s u\" -> \"stdout\";\n"
        "  \"s t\" -> \"s u\" [label=\"after\", style=dotted];\n"
        "  \"q a\" -> \"s part\";\n"
        "  \"s part\" -> \"q b\" [label=\"long\"];\n"
        "  \"s part\" -> \"stdout\" [label=\"long\"];\n"
        "  \"s part\" -> \"drop\" [label=\"short\"];\n"
        "  \"s part\" -> \"drop\" [label=\"failed\", style=dashed];\n"
        "  \"q b\" -> \"s t\";\n"
        "}\n");
    buf_done(&out);
}
END_TEST

Suite *draw_suite(void)
{
    Suite *suite = suite_create("draw");
    TCase *tcase = tcase_create("all");

    tcase_add_unchecked_fixture(tcase, house_setup, house_teardown);
    tcase_add_checked_fixture(tcase, house_begin, house_end);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, draw_text);
    tcase_add_test(tcase, draw_dot);
    suite_add_tcase(suite, tcase);
    return suite;
}
