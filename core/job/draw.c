/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * draw.c - a job's graph as text for people and as DOT for Graphviz. Any
 * process that has the job.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "job/internal.h"

static const char *place_name(const struct job *job, int place)
{
    if (place == JOB_STDIN)
        return "stdin";
    if (place == JOB_STDOUT)
        return "stdout";
    return place == JOB_DROP ? "drop" : job->queues.at[place].name;
}

static void put_from(const struct job *job, const struct job_stage *stage,
                     struct buf *out)
{
    for (size_t i = 0; i < stage->from.count; i++)
        buf_printf(out, "%s%s", i > 0 ? " + " : "",
                   place_name(job, stage->from.at[i]));
}

static void put_output(const struct job *job, const struct job_output *output,
                       bool named, struct buf *out)
{
    if (named)
        buf_printf(out, "%s: ", output->name);
    for (size_t i = 0; i < output->to.count; i++)
        buf_printf(out, "%s%s", i > 0 ? " + " : "",
                   place_name(job, output->to.at[i]));
}

void job_recycle_text(const struct job_recycle *recycle, struct buf *out)
{
    const char *between = " after ";
    char text[32];

    if (recycle->items > 0) {
        buf_printf(out, "%s%" PRIu64 " item%s", between, recycle->items,
                   recycle->items == 1 ? "" : "s");
        between = " or ";
    }
    if (recycle->age_ns > 0) {
        buf_printf(out, "%s%s", between,
                   text_from_duration(text, recycle->age_ns));
        between = " or ";
    }
    if (recycle->bytes > 0)
        buf_printf(out, "%s%s", between, text_from_size(text, recycle->bytes));
}

static void put_wires(const struct job *job, const struct job_stage *stage,
                      struct buf *out)
{
    put_from(job, stage, out);
    if (stage->outputs.count > 0)
        buf_text(out, stage->from.count > 0 ? " -> " : "-> ");
    for (size_t i = 0; i < stage->outputs.count; i++) {
        if (i > 0)
            buf_text(out, ", ");
        put_output(job, &stage->outputs.at[i], stage->outputs.count > 1, out);
    }
    if (stage->key != NULL)
        buf_printf(out, "  by %s", stage->key);
    if (job_recycles(stage)) {
        buf_text(out, "  replaced");
        job_recycle_text(&stage->recycle, out);
    }
    if (stage->failed != JOB_NONE)
        buf_printf(out, "  failed -> %s", place_name(job, stage->failed));
    for (size_t i = 0; i < stage->after.count; i++)
        buf_printf(out, "%s%s", i > 0 ? ", " : "  after ",
                   job->stages.at[stage->after.at[i]].name);
    buf_char(out, '\n');
}

static int width(const struct job *job, bool of_task)
{
    size_t most = 0;

    for (size_t i = 0; i < job->stages.count; i++) {
        const struct job_stage *stage = &job->stages.at[i];
        size_t size = of_task ? strlen(stage->plugin) + strlen(stage->task) + 1
                              : strlen(stage->name);

        if (size > most)
            most = size;
    }
    return (int)most;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void put_stage(const struct job *job, const struct job_stage *stage,
                      struct buf *out)
{
    int task = (int)(strlen(stage->plugin) + strlen(stage->task) + 1);

    buf_printf(out, "  %-*s  %s.%s%*s  %4u worker%s%s  ", width(job, false),
               stage->name, stage->plugin, stage->task, width(job, true) - task,
               "", stage->workers, plural(stage->workers),
               stage->workers == 1 ? " " : "");
    put_wires(job, stage, out);
}

static void put_queues(const struct job *job, struct buf *out)
{
    size_t most = 0;

    for (size_t i = 0; i < job->queues.count; i++)
        if (strlen(job->queues.at[i].name) > most)
            most = strlen(job->queues.at[i].name);
    if (most > 0)
        buf_text(out, "queues\n");
    for (size_t i = 0; i < job->queues.count; i++) {
        const struct job_queue *queue = &job->queues.at[i];
        char bytes[32];

        buf_printf(out, "  %-*s  at most %" PRIu64 " item%s, %s", (int)most,
                   queue->name, queue->capacity, plural(queue->capacity),
                   text_from_size(bytes, queue->bytes));
        if (queue->overflow != WEIR_OVERFLOW_BLOCK)
            buf_printf(out, ", when full: %s",
                       job_overflow_word(queue->overflow));
        if (queue->known != NULL)
            buf_printf(out, ", %s '%s'",
                       queue->consumer >= 0 ? "filled through"
                                            : "emptied through",
                       queue->known);
        buf_char(out, '\n');
    }
}

int job_graph_text(const struct job *job, struct buf *out)
{
    buf_printf(out, "%s\n", job->name);
    for (size_t i = 0; i < job->stage_order.count; i++)
        put_stage(job, &job->stages.at[job->stage_order.at[i]], out);
    put_queues(job, out);
    return out->failed ? WEIR_ENOMEM : 0;
}

/* ----------------------------------------------------------------- DOT ---- */

/* Names are letters, digits, '-' and '_': nothing in them needs an escape. A
 * prefix keeps stages, queues and the words of DOT apart. */
static void dot_place(const struct job *job, int place, struct buf *out)
{
    if (place >= 0)
        buf_printf(out, "\"q %s\"", job->queues.at[place].name);
    else
        buf_printf(out, "\"%s\"", place_name(job, place));
}

static void dot_ends(const struct job *job, struct buf *out)
{
    bool drops = false;

    for (size_t i = 0; i < job->stages.count; i++) {
        const struct job_stage *stage = &job->stages.at[i];

        drops |= stage->failed == JOB_DROP;
        for (size_t k = 0; k < stage->outputs.count; k++)
            for (size_t n = 0; n < stage->outputs.at[k].to.count; n++)
                drops |= stage->outputs.at[k].to.at[n] == JOB_DROP;
    }
    if (job->uses_stdin)
        buf_text(out, "  \"stdin\" [shape=plaintext];\n");
    if (job->uses_stdout)
        buf_text(out, "  \"stdout\" [shape=plaintext];\n");
    if (drops)
        buf_text(out, "  \"drop\" [shape=plaintext];\n");
}

static void dot_nodes(const struct job *job, struct buf *out)
{
    for (size_t i = 0; i < job->stages.count; i++) {
        const struct job_stage *stage = &job->stages.at[i];

        buf_printf(out,
                   "  \"s %s\" [shape=box, label=\"%s\\n%s.%s\\n%u worker%s"
                   "%s%s",
                   stage->name, stage->name, stage->plugin, stage->task,
                   stage->workers, plural(stage->workers),
                   stage->key != NULL ? " by " : "",
                   stage->key != NULL ? stage->key : "");
        if (job_recycles(stage)) {
            buf_text(out, "\\nreplaced");
            job_recycle_text(&stage->recycle, out);
        }
        buf_text(out, "\"];\n");
    }
    for (size_t i = 0; i < job->queues.count; i++)
        buf_printf(out, "  \"q %s\" [shape=cds, label=\"%s\\n%" PRIu64 "\"];\n",
                   job->queues.at[i].name, job->queues.at[i].name,
                   job->queues.at[i].capacity);
}

/* Other programs at a queue that they know; its name needs no escape. */
static void dot_known(const struct job_queue *queue, struct buf *out)
{
    if (queue->known == NULL)
        return;
    buf_printf(out, "  \"n %s\" [shape=plaintext, label=\"%s\"];\n",
               queue->name, queue->known);
    if (queue->consumer >= 0)
        buf_printf(out, "  \"n %s\" -> \"q %s\";\n", queue->name, queue->name);
    else
        buf_printf(out, "  \"q %s\" -> \"n %s\";\n", queue->name, queue->name);
}

static void dot_wires(const struct job *job, const struct job_stage *stage,
                      struct buf *out)
{
    for (size_t i = 0; i < stage->from.count; i++) {
        buf_text(out, "  ");
        dot_place(job, stage->from.at[i], out);
        buf_printf(out, " -> \"s %s\";\n", stage->name);
    }
    for (size_t i = 0; i < stage->outputs.count; i++) {
        const struct job_output *output = &stage->outputs.at[i];

        for (size_t k = 0; k < output->to.count; k++) {
            buf_printf(out, "  \"s %s\" -> ", stage->name);
            dot_place(job, output->to.at[k], out);
            if (stage->outputs.count > 1)
                buf_printf(out, " [label=\"%s\"]", output->name);
            buf_text(out, ";\n");
        }
    }
    if (stage->failed != JOB_NONE) {
        buf_printf(out, "  \"s %s\" -> ", stage->name);
        dot_place(job, stage->failed, out);
        buf_text(out, " [label=\"failed\", style=dashed];\n");
    }
    for (size_t i = 0; i < stage->after.count; i++)
        buf_printf(out,
                   "  \"s %s\" -> \"s %s\" [label=\"after\", style=dotted];\n",
                   job->stages.at[stage->after.at[i]].name, stage->name);
}

int job_graph_dot(const struct job *job, struct buf *out)
{
    buf_printf(out, "digraph \"%s\" {\n  rankdir=LR;\n", job->name);
    dot_nodes(job, out);
    dot_ends(job, out);
    for (size_t i = 0; i < job->stage_order.count; i++)
        dot_wires(job, &job->stages.at[job->stage_order.at[i]], out);
    for (size_t i = 0; i < job->queues.count; i++)
        dot_known(&job->queues.at[i], out);
    buf_text(out, "}\n");
    return out->failed ? WEIR_ENOMEM : 0;
}
