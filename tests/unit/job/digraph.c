/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* digraph.c - knots, paths, order. */
#include "config.h"

#include "house.h"
#include "job/graph.h"

static struct graph graph;

static void edges(int count, const int (*list)[2], size_t size)
{
    graph = (struct graph){ .count = count };
    for (size_t i = 0; i < size; i++)
        graph_add(&graph, list[i][0], list[i][1]);
    ck_assert_int_eq(graph_ready(&graph), 0);
}

START_TEST(digraph_knots)
{
    static const int list[][2] = { { 0, 1 }, { 1, 2 }, { 2, 0 }, { 2, 3 },
                                   { 3, 4 }, { 4, 3 }, { 5, 5 }, { 6, 0 } };
    int knots[7];

    edges(7, list, 8);
    ck_assert_int_eq(graph_knots(&graph, knots), 0);
    ck_assert_int_ge(knots[0], 0);
    ck_assert_int_eq(knots[0], knots[1]);
    ck_assert_int_eq(knots[0], knots[2]);
    ck_assert_int_eq(knots[3], knots[4]);
    ck_assert_int_ne(knots[0], knots[3]);
    ck_assert_int_ge(knots[5], 0);
    ck_assert_int_eq(knots[6], -1);
    graph_done(&graph);
}
END_TEST

START_TEST(digraph_path)
{
    static const int list[][2] = { { 0, 1 }, { 1, 2 }, { 2, 3 },
                                   { 0, 3 }, { 3, 0 }, { 4, 0 } };
    struct path path = { 0 };

    edges(5, list, 6);
    ck_assert_int_eq(graph_path(&graph, 0, 0, &path), 0);
    ck_assert_uint_eq(path.nodes.count, 2);
    ck_assert_int_eq(path.nodes.at[0], 3);
    ck_assert_int_eq(path.nodes.at[1], 0);
    VEC_DONE(&path.nodes);
    ck_assert_int_eq(graph_path(&graph, 0, 4, &path), 0);
    ck_assert_uint_eq(path.nodes.count, 0);
    graph_done(&graph);
}
END_TEST

START_TEST(digraph_order)
{
    static const int list[][2] = { { 3, 1 }, { 1, 0 }, { 3, 2 }, { 2, 0 } };
    int order[5];

    edges(5, list, 4);
    ck_assert_int_eq(graph_order(&graph, order), 0);
    ck_assert_int_eq(order[0], 3);
    ck_assert_int_eq(order[1], 4);
    ck_assert_int_eq(order[2], 1);
    ck_assert_int_eq(order[3], 2);
    ck_assert_int_eq(order[4], 0);
    graph_done(&graph);
}
END_TEST

/* Long enough to fall off the stack of who recurses. */
START_TEST(digraph_long)
{
    const int count = 500000;
    int *knots = calloc((size_t)count, sizeof *knots);

    graph = (struct graph){ .count = count };
    for (int i = 0; i < count; i++)
        graph_add(&graph, i, (i + 1) % count);
    ck_assert_int_eq(graph_ready(&graph), 0);
    ck_assert_int_eq(graph_knots(&graph, knots), 0);
    ck_assert_int_eq(knots[0], 0);
    ck_assert_int_eq(knots[count - 1], 0);
    free(knots);
    graph_done(&graph);
}
END_TEST

Suite *digraph_suite(void)
{
    Suite *suite = suite_create("digraph");
    TCase *tcase = tcase_create("all");

    tcase_add_test(tcase, digraph_knots);
    tcase_add_test(tcase, digraph_path);
    tcase_add_test(tcase, digraph_order);
    tcase_add_test(tcase, digraph_long);
    suite_add_tcase(suite, tcase);
    return suite;
}
