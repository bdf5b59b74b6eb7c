/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * graph.h - directed graphs of numbered nodes: knots, paths, order; each in
 * time linear in nodes and edges, without recursion.
 */
#ifndef JOB_GRAPH_H
#define JOB_GRAPH_H

#include <stdbool.h>

#include "base/base.h"

struct graph_edge {
    int from, to;
};

struct graph {
    int count; /* nodes, set by the caller; all else is zero at first */
    VEC(struct graph_edge) edges;
    bool failed;
    /* After graph_ready: the edges of node n go to heads[first[n]] up to, not
     * including, heads[first[n + 1]]. */
    int *first, *heads;
};

struct path {
    VEC(int) nodes;
};

/* What fails for want of memory shows in graph_ready. */
void graph_add(struct graph *graph, int from, int to);
/* All edges are there. 0 or WEIR_ENOMEM. */
int graph_ready(struct graph *graph);
void graph_done(struct graph *graph);

/* Into @knots, of each node: the number of the knot that it is in (a largest
 * set whose nodes all reach each other by at least one edge), or -1. */
int graph_knots(const struct graph *graph, int *knots);
/* A shortest way with at least one edge, without @from, with @to; empty when
 * there is none. */
int graph_path(const struct graph *graph, int from, int to,
               struct path *path_out);
/* Nodes so that all edges go forward; ties by number as far as that goes. The
 * graph has no circle. */
int graph_order(const struct graph *graph, int *order);

#endif
