/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * digraph.c - what stands behind graph.h. Knots are the strongly connected
 * components of Tarjan, "Depth-first search and linear graph algorithms", 1972,
 * with a stack of our own; the order is Kahn's, 1962. Any process.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "job/graph.h"

void graph_add(struct graph *graph, int from, int to)
{
    struct graph_edge *edge = VEC_ADD(&graph->edges);

    if (edge)
        *edge = (struct graph_edge){ from, to };
    else
        graph->failed = true;
}

int graph_ready(struct graph *graph)
{
    CLEANUP_FREE int *next = calloc((size_t)graph->count + 1, sizeof *next);

    graph->first = calloc((size_t)graph->count + 1, sizeof *graph->first);
    graph->heads = calloc(graph->edges.count + 1, sizeof *graph->heads);
    if (!next || !graph->first || !graph->heads || graph->failed)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < graph->edges.count; i++)
        graph->first[graph->edges.at[i].from + 1]++;
    for (int n = 0; n < graph->count; n++) {
        graph->first[n + 1] += graph->first[n];
        next[n] = graph->first[n];
    }
    for (size_t i = 0; i < graph->edges.count; i++)
        graph->heads[next[graph->edges.at[i].from]++] = graph->edges.at[i].to;
    return 0;
}

void graph_done(struct graph *graph)
{
    free(graph->first);
    free(graph->heads);
    VEC_DONE(&graph->edges);
    *graph = (struct graph){ 0 };
}

/* --------------------------------------------------------------- knots ---- */

struct tarjan {
    const struct graph *graph;
    int *number; /* order of first visit, from 1; 0: not yet */
    int *low;
    int *at;    /* the next edge to look at */
    int *walk;  /* the way from the root */
    int *stack; /* visited, in no knot yet */
    bool *on;   /* on that stack */
    int visited, walked, stacked, knots;
};

static void enter(struct tarjan *t, int node)
{
    t->number[node] = t->low[node] = ++t->visited;
    t->at[node] = t->graph->first[node];
    t->walk[t->walked++] = node;
    t->stack[t->stacked++] = node;
    t->on[node] = true;
}

static bool has_loop(const struct graph *graph, int node)
{
    for (int e = graph->first[node]; e < graph->first[node + 1]; e++)
        if (graph->heads[e] == node)
            return true;
    return false;
}

/* The node is done; if it is the first of its component, all of that is. */
static void leave(struct tarjan *t, int node, int *knots)
{
    bool knot = t->stack[t->stacked - 1] != node || has_loop(t->graph, node);
    int member;

    t->walked--;
    if (t->walked > 0) {
        int parent = t->walk[t->walked - 1];

        if (t->low[node] < t->low[parent])
            t->low[parent] = t->low[node];
    }
    if (t->low[node] != t->number[node])
        return;
    do {
        member = t->stack[--t->stacked];
        t->on[member] = false;
        knots[member] = knot ? t->knots : -1;
    } while (member != node);
    t->knots += knot;
}

static void visit_from(struct tarjan *t, int root, int *knots)
{
    enter(t, root);
    while (t->walked > 0) {
        int node = t->walk[t->walked - 1];
        int head;

        if (t->at[node] == t->graph->first[node + 1]) {
            leave(t, node, knots);
            continue;
        }
        head = t->graph->heads[t->at[node]++];
        if (t->number[head] == 0)
            enter(t, head);
        else if (t->on[head] && t->number[head] < t->low[node])
            t->low[node] = t->number[head];
    }
}

int graph_knots(const struct graph *graph, int *knots)
{
    size_t count = (size_t)graph->count + 1;
    CLEANUP_FREE int *memory = calloc(count * 5, sizeof *memory);
    CLEANUP_FREE bool *on = calloc(count, sizeof *on);
    struct tarjan t = { .graph = graph, .on = on };

    if (!memory || !on)
        return WEIR_ENOMEM;
    t.number = memory;
    t.low = memory + count;
    t.at = memory + 2 * count;
    t.walk = memory + 3 * count;
    t.stack = memory + 4 * count;
    for (int node = 0; node < graph->count; node++)
        if (t.number[node] == 0)
            visit_from(&t, node, knots);
    return 0;
}

/* ---------------------------------------------------------------- path ---- */

/* @before[n]: from where n was reached, plus 1. */
static int path_back(const int *before, int from, int to, struct path *out)
{
    int node = to;

    do {
        int *slot = VEC_ADD(&out->nodes);

        if (!slot) {
            VEC_DONE(&out->nodes);
            return WEIR_ENOMEM;
        }
        *slot = node;
        node = before[node] - 1;
    } while (node != from);
    for (size_t i = 0, k = out->nodes.count - 1; i < k; i++, k--) {
        int kept = out->nodes.at[i];

        out->nodes.at[i] = out->nodes.at[k];
        out->nodes.at[k] = kept;
    }
    return 0;
}

int graph_path(const struct graph *graph, int from, int to,
               struct path *path_out)
{
    size_t count = (size_t)graph->count + 1;
    CLEANUP_FREE int *before = calloc(count, sizeof *before);
    CLEANUP_FREE int *queue = calloc(count + 1, sizeof *queue);
    int taken = 0, filled = 0;

    if (!before || !queue)
        return WEIR_ENOMEM;
    queue[filled++] = from;
    while (taken < filled && before[to] == 0) {
        int node = queue[taken++];

        for (int e = graph->first[node]; e < graph->first[node + 1]; e++) {
            int head = graph->heads[e];

            if (before[head] != 0)
                continue;
            before[head] = node + 1;
            queue[filled++] = head;
        }
    }
    return before[to] != 0 ? path_back(before, from, to, path_out) : 0;
}

/* --------------------------------------------------------------- order ---- */

int graph_order(const struct graph *graph, int *order)
{
    CLEANUP_FREE int *waits = calloc((size_t)graph->count + 1, sizeof *waits);
    int filled = 0;

    if (!waits)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < graph->edges.count; i++)
        waits[graph->edges.at[i].to]++;
    for (int node = 0; node < graph->count; node++)
        if (waits[node] == 0)
            order[filled++] = node;
    for (int taken = 0; taken < filled; taken++) {
        int node = order[taken];

        for (int e = graph->first[node]; e < graph->first[node + 1]; e++)
            if (--waits[graph->heads[e]] == 0)
                order[filled++] = graph->heads[e];
    }
    return 0;
}
