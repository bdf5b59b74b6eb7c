/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * graph.c - the job as a graph: ends that are missing, circles, order. Runs in
 * the owner; time and memory grow with the number of wires.
 *
 * Two graphs are looked at. The first is that of the items, stages and queues:
 * it must have no circle, and its order is that of the queues in a segment.
 * The second is that of "cannot happen before", with three nodes for each
 * stage, since queues are bounded and a stage with `after` empties none before
 * it starts:
 *     start  its first worker begins        after the end of each `after`
 *     flow   it can go on and on            its start; the flow of all that
 *                                           take its items
 *     end    it has done all its items      its flow; the end of all that
 *                                           give it items
 * A circle there is a job that would stand still as soon as a queue is full.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "job/graph.h"
#include "job/internal.h"

enum { PATH_SHOWN = 12 };

/* ---------------------------------------------------------- first graph ----
 */

/* Stages come first, then queues. */
static int queue_node(const struct job *job, int queue)
{
    return (int)job->stages.count + queue;
}

/* Calls @each with every queue that a stage fills. */
static void for_filled(const struct job *job, int stage,
                       void (*each)(void *arg, int stage, int queue), void *arg)
{
    const struct job_stage *s = &job->stages.at[stage];

    for (size_t i = 0; i < s->outputs.count; i++)
        for (size_t k = 0; k < s->outputs.at[i].to.count; k++)
            if (s->outputs.at[i].to.at[k] >= 0)
                each(arg, stage, s->outputs.at[i].to.at[k]);
    if (s->failed >= 0)
        each(arg, stage, s->failed);
}

struct wiring {
    const struct job *job;
    struct graph *graph;
    bool *filled; /* of each queue */
};

static void wire_items(void *arg, int stage, int queue)
{
    struct wiring *wiring = arg;

    wiring->filled[queue] = true;
    graph_add(wiring->graph, stage, queue_node(wiring->job, queue));
}

static void items_wire(struct wiring *wiring)
{
    const struct job *job = wiring->job;

    for (size_t i = 0; i < job->stages.count; i++)
        for_filled(job, (int)i, wire_items, wiring);
    for (size_t i = 0; i < job->queues.count; i++)
        if (job->queues.at[i].consumer >= 0)
            graph_add(wiring->graph, queue_node(job, (int)i),
                      job->queues.at[i].consumer);
}

static const char *stage_name(const struct job *job, int stage)
{
    const char *name = job->stages.at[stage].name;

    return name ? name : "?";
}

static void tell_circle(struct reading *reading, const struct graph *graph,
                        int start)
{
    const struct job *job = reading->job;
    int stages = (int)job->stages.count;
    const struct raw_stage *raw = &reading->raw.at[start];
    CLEANUP_BUF struct buf path = { 0 };
    struct path circle = { 0 };
    size_t shown = 0;

    if (graph_path(graph, start, start, &circle) < 0) {
        starved(reading);
        return;
    }
    buf_printf(&path, "'%s'", stage_name(job, start));
    for (size_t i = 0; i < circle.nodes.count; i++) {
        int node = circle.nodes.at[i];

        if (node >= stages)
            continue;
        if (++shown <= PATH_SHOWN || i + 1 == circle.nodes.count)
            buf_printf(&path, " to '%s'", stage_name(job, node));
        else if (shown == PATH_SHOWN + 1)
            buf_text(&path, " ...");
    }
    VEC_DONE(&circle.nodes);
    if (path.failed)
        starved(reading);
    else
        mistake(reading,
                raw->from_marks.count > 0 ? raw->from_marks.at[0]
                                          : job->stages.at[start].mark,
                "items go round in a circle: %s; a job has a beginning and an "
                "end",
                path.data);
}

/* One message for each knot of circles, at its first stage in the file. */
static bool tell_circles(struct reading *reading, const struct graph *graph)
{
    int stages = (int)reading->job->stages.count;
    int *knots = calloc((size_t)graph->count + 1, sizeof *knots);
    bool *told = calloc((size_t)graph->count + 1, sizeof *told);
    bool any = false;

    if (!knots || !told || graph_knots(graph, knots) < 0) {
        starved(reading);
        stages = 0;
    }
    for (int i = 0; i < stages; i++)
        if (knots[i] >= 0 && !told[knots[i]]) {
            told[knots[i]] = any = true;
            tell_circle(reading, graph, i);
        }
    free(knots);
    free(told);
    return any;
}

/* --------------------------------------------------------------- loose ---- */

/* A misspelt name is told; that its queue lacks an end then is its echo. */
static void holes(const struct reading *reading, bool *in, bool *out)
{
    *in = *out = reading->holes;
    for (size_t i = 0; i < reading->raw.count; i++) {
        const struct raw_stage *raw = &reading->raw.at[i];
        const struct job_stage *stage = &reading->job->stages.at[i];

        *in |= raw->bad_to ||
               (raw->slots.key[STAGE_FAILED] && stage->failed == JOB_NONE);
        *out |= raw->bad_from;
        if (raw->described) {
            *in |= !raw->slots.key[STAGE_TO] && stage->desc.outputs.count > 0;
            *out |= !raw->slots.key[STAGE_FROM] && !stage->desc.source;
        }
    }
}

static void tell_loose(struct reading *reading, const bool *filled)
{
    bool bad_in, bad_out;

    holes(reading, &bad_in, &bad_out);
    for (size_t i = 0; i < reading->job->queues.count; i++) {
        const struct job_queue *queue = &reading->job->queues.at[i];
        bool empty = queue->consumer >= 0;

        if (queue->known && filled[i] && empty)
            mistake(reading, queue->mark,
                    "queue '%s' has a name, and stages at both ends: others "
                    "can fill one that no stage fills, or empty one that no "
                    "stage empties; take 'name' away, or one of its ends",
                    queue->name);
        else if (queue->known && (filled[i] || empty))
            continue;
        else if (!filled[i] && !empty && !bad_in && !bad_out)
            mistake(reading, queue->mark,
                    "no stage uses queue '%s'; take it away, or wire it",
                    queue->name);
        else if (filled[i] && !empty && !bad_out)
            mistake(reading, queue->mark,
                    "nobody empties queue '%s': no stage has 'from: %s'; to "
                    "throw items away, write 'to: drop'",
                    queue->name, queue->name);
        else if (!filled[i] && empty && !bad_in)
            mistake(reading, queue->mark,
                    "nobody fills queue '%s': no stage has 'to: %s'",
                    queue->name, queue->name);
    }
}

/* --------------------------------------------------------- second graph ----
 */

enum event { START, FLOW, END, EVENTS };

static int event_node(int stage, enum event event)
{
    return stage * EVENTS + (int)event;
}

static void wire_events(void *arg, int stage, int queue)
{
    struct wiring *wiring = arg;
    int taker = wiring->job->queues.at[queue].consumer;

    if (taker < 0)
        return;
    graph_add(wiring->graph, event_node(stage, FLOW), event_node(taker, FLOW));
    graph_add(wiring->graph, event_node(taker, END), event_node(stage, END));
}

static void events_wire(struct wiring *wiring)
{
    const struct job *job = wiring->job;

    for (int i = 0; i < (int)job->stages.count; i++) {
        const struct job_stage *stage = &job->stages.at[i];

        graph_add(wiring->graph, event_node(i, END), event_node(i, FLOW));
        graph_add(wiring->graph, event_node(i, FLOW), event_node(i, START));
        for (size_t k = 0; k < stage->after.count; k++)
            graph_add(wiring->graph, event_node(i, START),
                      event_node(stage->after.at[k], END));
        for_filled(job, i, wire_events, wiring);
    }
}

/* One step of the circle in words; most steps say nothing. */
static void say_step(const struct job *job, int from, int to, struct buf *out)
{
    const char *a = stage_name(job, from / EVENTS);
    const char *b = stage_name(job, to / EVENTS);
    enum event what = (enum event)(from % EVENTS);

    if (from / EVENTS == to / EVENTS)
        return;
    if (what == START)
        buf_printf(out, "; '%s' starts after '%s' has ended", a, b);
    else if (what == FLOW)
        buf_printf(out, "; '%s' goes on only while '%s' takes its items", a, b);
    else
        buf_printf(out, "; '%s' ends after '%s', which feeds it", a, b);
}

static void tell_standstill(struct reading *reading, const struct graph *graph,
                            int stage, size_t which)
{
    const struct job *job = reading->job;
    int last = event_node(job->stages.at[stage].after.at[which], END);
    CLEANUP_BUF struct buf path = { 0 };
    struct path circle = { 0 };

    if (graph_path(graph, last, event_node(stage, START), &circle) < 0) {
        starved(reading);
        return;
    }
    for (size_t i = 0; i < circle.nodes.count; i++) {
        if (i < PATH_SHOWN * 2)
            say_step(job, last, circle.nodes.at[i], &path);
        last = circle.nodes.at[i];
    }
    VEC_DONE(&circle.nodes);
    if (path.failed)
        starved(reading);
    else
        mistake(reading, reading->raw.at[stage].after_marks.at[which],
                "stage '%s' would never start: it waits for '%s' to end%s",
                stage_name(job, stage),
                stage_name(job, job->stages.at[stage].after.at[which]),
                path.data ? path.data : "");
}

static void tell_standstills(struct reading *reading, const struct graph *graph)
{
    const struct job *job = reading->job;
    int *knots = calloc((size_t)graph->count + 1, sizeof *knots);
    bool *told = calloc((size_t)graph->count + 1, sizeof *told);
    int stages = (int)job->stages.count;

    if (!knots || !told || graph_knots(graph, knots) < 0) {
        starved(reading);
        stages = 0;
    }
    for (int i = 0; i < stages; i++)
        for (size_t k = 0; k < job->stages.at[i].after.count; k++) {
            int knot = knots[event_node(i, START)];
            int other = knots[event_node(job->stages.at[i].after.at[k], END)];

            if (knot < 0 || knot != other || told[knot])
                continue;
            told[knot] = true;
            tell_standstill(reading, graph, i, k);
        }
    free(knots);
    free(told);
}

static void look_at_events(struct reading *reading)
{
    struct graph graph = { .count = (int)reading->job->stages.count * EVENTS };
    struct wiring wiring = { reading->job, &graph, NULL };

    events_wire(&wiring);
    if (graph_ready(&graph) < 0)
        starved(reading);
    else
        tell_standstills(reading, &graph);
    graph_done(&graph);
}

/* ---------------------------------------------------------------- order ----
 */

static void give_order(struct reading *reading, const struct graph *graph)
{
    struct job *job = reading->job;
    int *order = calloc((size_t)graph->count + 1, sizeof *order);
    int queues = 0;

    if (!order || graph_order(graph, order) < 0) {
        starved(reading);
        free(order);
        return;
    }
    for (int i = 0; i < graph->count && reading->code == 0; i++) {
        int node = order[i];
        int *slot;

        if (node >= (int)job->stages.count) {
            job->queues.at[node - (int)job->stages.count].order = queues++;
            continue;
        }
        job->stages.at[node].order = (int)job->stage_order.count;
        slot = VEC_ADD(&job->stage_order);
        if (slot)
            *slot = node;
        else
            starved(reading);
    }
    free(order);
}

void job_graph(struct reading *reading)
{
    struct job *job = reading->job;
    struct graph graph = { .count = (int)(job->stages.count +
                                          job->queues.count) };
    CLEANUP_FREE bool *filled = calloc(job->queues.count + 1, sizeof *filled);
    struct wiring wiring = { job, &graph, filled };

    if (!filled) {
        starved(reading);
        return;
    }
    items_wire(&wiring);
    if (graph_ready(&graph) < 0) {
        starved(reading);
    } else {
        tell_loose(reading, filled);
        if (!tell_circles(reading, &graph)) {
            look_at_events(reading);
            give_order(reading, &graph);
        }
    }
    graph_done(&graph);
}
