/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report.c - what came of a run, for people and for programs. Any process. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/run.h"

static int add_queues_of(struct run_report *report, const struct job *job)
{
    for (size_t i = 0; i < job->queues.count; i++) {
        const struct job_queue *from = &job->queues.at[i];
        struct run_queue *queue;

        if (from->overflow == WEIR_OVERFLOW_BLOCK)
            continue;
        queue = VEC_ADD(&report->queues);
        if (queue == NULL)
            return WEIR_ENOMEM;
        *queue = (struct run_queue){ .name = from->name,
                                     .number = (unsigned)i,
                                     .overflow = from->overflow };
    }
    return 0;
}

int run_report_init(struct run_report *report, const struct job *job)
{
    report->job = strdup(job->name != NULL ? job->name : "");
    if (report->job == NULL)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < job->stages.count; i++) {
        const struct job_stage *from = &job->stages.at[i];
        struct run_stage *stage = VEC_ADD(&report->stages);

        if (stage == NULL)
            return WEIR_ENOMEM;
        stage->name = from->name;
        stage->task = from->task;
        stage->workers = from->workers;
        stage->source = from->from.count == 0;
    }
    if (add_queues_of(report, job) < 0)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < job->queues.count; i++) {
        const struct job_queue *from = &job->queues.at[i];
        struct run_gate *gate = from->known != NULL ? VEC_ADD(&report->gates)
                                                    : NULL;

        if (from->known != NULL && gate == NULL)
            return WEIR_ENOMEM;
        if (gate != NULL)
            *gate = (struct run_gate){ .queue = from->name,
                                       .known = from->known,
                                       .in = from->consumer != JOB_NONE };
    }
    return 0;
}

int run_report_fail(struct run_report *report, const struct run_failure *it)
{
    struct run_failure *copy;

    if (report->failures.count >= RUN_FAILURES_KEPT)
        return 0;
    copy = VEC_ADD(&report->failures);
    if (copy == NULL)
        return WEIR_ENOMEM;
    *copy = *it;
    copy->name = it->name != NULL ? strdup(it->name) : NULL;
    copy->start = it->start != NULL ? strdup(it->start) : NULL;
    copy->wrote = it->wrote != NULL ? strdup(it->wrote) : NULL;
    copy->why = strdup(it->why != NULL ? it->why : "");
    return copy->why != NULL ? 0 : WEIR_ENOMEM;
}

void run_report_done(struct run_report *report)
{
    for (size_t i = 0; i < report->failures.count; i++) {
        free(report->failures.at[i].name);
        free(report->failures.at[i].start);
        free(report->failures.at[i].why);
        free(report->failures.at[i].wrote);
    }
    VEC_DONE(&report->failures);
    VEC_DONE(&report->stages);
    VEC_DONE(&report->gates);
    VEC_DONE(&report->queues);
    free(report->job);
    free(report->why);
    *report = (struct run_report){ .status = 0 };
}

/* ---------------------------------------------------------- for people ---- */

enum { FAILURES_SHOWN = 20, WROTE_SHOWN = 5 };

struct colours {
    const char *red, *bold, *end;
};

static struct colours colours_of(bool colour)
{
    return colour ? (struct colours){ "\033[31m", "\033[1m", "\033[0m" }
                  : (struct colours){ "", "", "" };
}

static const char *stage_name(const struct run_report *report, unsigned stage)
{
    size_t gate = stage - report->stages.count;

    if (stage < report->stages.count)
        return report->stages.at[stage].name;
    return gate < report->gates.count ? report->gates.at[gate].queue : "stdin";
}

/* The last of them: all have come before, among those of others. */
static void add_wrote(struct buf *out, const char *lines)
{
    unsigned count = 1;

    for (const char *at = lines; at != NULL && *at != '\0'; at++)
        count += *at == '\n';
    for (; count > WROTE_SHOWN; count--)
        lines = strchr(lines, '\n') + 1;
    while (lines != NULL && *lines != '\0') {
        size_t size = strcspn(lines, "\n");

        buf_printf(out, "  it wrote: %.*s\n", (int)size, lines);
        lines += size + (lines[size] == '\n');
    }
}

static void add_failure(const struct run_report *report, struct buf *out,
                        const struct run_failure *it, struct colours c)
{
    buf_printf(out, "%sfailed%s in '%s'", c.red, c.end,
               stage_name(report, it->stage));
    if (it->name != NULL) {
        buf_text(out, ": '");
        text_escape(out, it->name, strlen(it->name), 300);
        buf_char(out, '\'');
    } else if (it->start != NULL) {
        buf_printf(out, ": \"%s\"", it->start);
    }
    buf_text(out, ": ");
    text_escape(out, it->why, strlen(it->why), 600);
    buf_printf(out, " (%u attempt%s, id %016" PRIx64 "%016" PRIx64 ")\n",
               it->attempts, it->attempts == 1 ? "" : "s", it->root, it->path);
    add_wrote(out, it->wrote);
}

static void add_failures(const struct run_report *report, struct buf *out,
                         struct colours c)
{
    size_t shown = report->failures.count;

    if (shown > FAILURES_SHOWN)
        shown = FAILURES_SHOWN;
    for (size_t i = 0; i < shown; i++)
        add_failure(report, out, &report->failures.at[i], c);
    if (report->failed > shown && shown > 0)
        buf_printf(out,
                   "and %" PRIu64 " more that failed; --json lists up to %d, "
                   "and a stage's `failed` keeps them all\n",
                   report->failed - shown, RUN_FAILURES_KEPT);
}

/* "12,345" is not for machines: those have --json. */
static const char *count(char *out, uint64_t value)
{
    return text_from_count(out, value);
}

static void add_stage(struct buf *out, const struct run_stage *stage, int width,
                      struct colours c)
{
    char a[32], b[32];

    buf_printf(out, "  %s%-*s%s", c.bold, width, stage->name, c.end);
    if (!stage->source)
        buf_printf(out, "  took %s, done %s", count(a, stage->taken),
                   count(b, stage->done));
    buf_printf(out, "%s gave %s", stage->source ? " " : ",",
               count(a, stage->given));
    if (stage->failed > 0)
        buf_printf(out, ", %sfailed %s%s", c.red, count(a, stage->failed),
                   c.end);
    if (stage->skipped > 0)
        buf_printf(out, ", left out %s", count(a, stage->skipped));
    if (stage->dropped > 0)
        buf_printf(out, ", dropped %s", count(a, stage->dropped));
    if (stage->missed > 0)
        buf_printf(out, ", missed %s", count(a, stage->missed));
    if (stage->left > 0)
        buf_printf(out, ", left %s", count(a, stage->left));
    if (stage->retried > 0)
        buf_printf(out, ", tried again %s", count(a, stage->retried));
    if (stage->deaths > 0)
        buf_printf(out, ", workers lost %s", count(a, stage->deaths));
    if (stage->recycled > 0)
        buf_printf(out, ", replaced %s", count(a, stage->recycled));
    if (stage->keyed)
        buf_printf(out, ", a worker %s to %s", count(a, stage->least),
                   count(b, stage->most));
    buf_char(out, '\n');
}

static void add_gate(struct buf *out, const struct run_gate *gate, int width,
                     struct colours c)
{
    char text[32];

    buf_printf(out, "  %s%-*s%s  %s %s %s '%s'", c.bold, width, gate->queue,
               c.end, gate->in ? "took" : "gave", count(text, gate->moved),
               gate->in ? "from" : "to", gate->known);
    if (gate->failed > 0)
        buf_printf(out, ", %sfailed %s%s", c.red, count(text, gate->failed),
                   c.end);
    buf_char(out, '\n');
}

static void add_queue(struct buf *out, const struct run_queue *queue, int width,
                      struct colours c)
{
    bool fails = queue->overflow == WEIR_OVERFLOW_FAIL;
    char text[32];

    buf_printf(out, "  %s%-*s%s  %s: %s %s\n", c.bold, width, queue->name,
               c.end, job_overflow_word(queue->overflow),
               fails ? "failed" : "dropped",
               count(text, fails ? queue->failed : queue->dropped));
}

static int share(int64_t part, int64_t all)
{
    return all > 0 ? (int)((double)part * 100 / (double)all + 0.5) : 0;
}

static int64_t stage_time(const struct run_stage *stage)
{
    return stage->busy_ns + stage->starved_ns + stage->blocked_ns;
}

/* The stage that was busy for the greatest part of its time. */
static const struct run_stage *slowest(const struct run_report *report)
{
    const struct run_stage *most = NULL;

    for (size_t i = 0; i < report->stages.count; i++) {
        const struct run_stage *stage = &report->stages.at[i];

        if (stage_time(stage) > 0 &&
            (most == NULL ||
             (double)stage->busy_ns / (double)stage_time(stage) >
                 (double)most->busy_ns / (double)stage_time(most)))
            most = stage;
    }
    return most;
}

static void add_shares(struct buf *out, const struct run_stage *stage)
{
    int64_t all = stage_time(stage);

    buf_printf(out, "'%s' busy %d %%, starved %d %%, blocked %d %%",
               stage->name, share(stage->busy_ns, all),
               share(stage->starved_ns, all), share(stage->blocked_ns, all));
}

/* Who was busy for less than half of its time held nobody back: then it was
 * what the run reads from, or writes to, or the machine. */
static void add_slowest(const struct run_report *report, struct buf *out)
{
    const struct run_stage *most = slowest(report);
    bool any = false;

    if (most == NULL || report->time_ns < NS_PER_S / 10)
        return;
    if (2 * most->busy_ns >= stage_time(most))
        buf_printf(out, "'%s' held the others back", most->name);
    else
        buf_text(out, "no stage was busy for half of its time");
    for (size_t i = 0; i < report->stages.count; i++) {
        if (stage_time(&report->stages.at[i]) == 0)
            continue;
        buf_text(out, any ? "; " : ": ");
        add_shares(out, &report->stages.at[i]);
        any = true;
    }
    buf_char(out, '\n');
}

static void add_head(const struct run_report *report, struct buf *out,
                     struct colours c)
{
    char time[32], failed[32];

    text_from_duration(time, report->time_ns);
    buf_printf(out, "%s%s%s: ", c.bold, report->job, c.end);
    if (report->status == 3)
        buf_printf(out, "%scould not go on%s after %s\n", c.red, c.end, time);
    else if (report->signal != 0)
        buf_printf(out, "stopped by %s after %s\n", text_signal(report->signal),
                   time);
    else if (report->failed > 0)
        buf_printf(out, "ended after %s, %s%s failed%s\n", time, c.red,
                   count(failed, report->failed), c.end);
    else
        buf_printf(out, "done in %s\n", time);
}

int run_report_text(const struct run_report *report, struct buf *out,
                    bool summary, bool colour)
{
    struct colours c = colours_of(colour);
    int width = 0;

    add_failures(report, out, c);
    if (report->why != NULL) {
        buf_text(out, "weir: ");
        text_escape(out, report->why, strlen(report->why), 1000);
        buf_char(out, '\n');
    }
    if (!summary)
        return out->failed ? WEIR_ENOMEM : 0;
    add_head(report, out, c);
    for (size_t i = 0; i < report->stages.count; i++)
        if ((int)strlen(report->stages.at[i].name) > width)
            width = (int)strlen(report->stages.at[i].name);
    for (size_t i = 0; i < report->stages.count; i++)
        add_stage(out, &report->stages.at[i], width, c);
    for (size_t i = 0; i < report->gates.count; i++)
        add_gate(out, &report->gates.at[i], width, c);
    for (size_t i = 0; i < report->queues.count; i++)
        add_queue(out, &report->queues.at[i], width, c);
    add_slowest(report, out);
    return out->failed ? WEIR_ENOMEM : 0;
}

/* -------------------------------------------------------- for programs ---- */

static void json_stage(struct json *json, const struct run_stage *stage)
{
    json_object(json, NULL);
    json_text(json, "name", stage->name);
    json_uint(json, "workers", stage->workers);
    json_bool(json, "source", stage->source);
    json_bool(json, "ended", stage->ended);
    json_uint(json, "taken", stage->taken);
    json_uint(json, "done", stage->done);
    json_uint(json, "failed", stage->failed);
    json_uint(json, "skipped", stage->skipped);
    json_uint(json, "missed", stage->missed);
    json_uint(json, "left", stage->left);
    json_uint(json, "given", stage->given);
    json_uint(json, "dropped", stage->dropped);
    json_uint(json, "retried", stage->retried);
    json_uint(json, "workers_lost", stage->deaths);
    json_uint(json, "workers_replaced", stage->recycled);
    if (stage->keyed) {
        json_uint(json, "worker_least", stage->least);
        json_uint(json, "worker_most", stage->most);
    }
    json_int(json, "busy_ns", stage->busy_ns);
    json_int(json, "starved_ns", stage->starved_ns);
    json_int(json, "blocked_ns", stage->blocked_ns);
    json_int(json, "memory_bytes", stage->memory_bytes);
    json_object_end(json);
}

static void json_gate(struct json *json, const struct run_gate *gate)
{
    json_object(json, NULL);
    json_text(json, "queue", gate->queue);
    json_text(json, "name", gate->known);
    json_text(json, "direction", gate->in ? "in" : "out");
    json_uint(json, "moved", gate->moved);
    json_uint(json, "failed", gate->failed);
    json_object_end(json);
}

static void json_queue(struct json *json, const struct run_queue *queue)
{
    json_object(json, NULL);
    json_text(json, "name", queue->name);
    json_text(json, "overflow", job_overflow_word(queue->overflow));
    json_uint(json, "dropped", queue->dropped);
    json_uint(json, "failed", queue->failed);
    json_object_end(json);
}

static void json_failure(struct json *json, const struct run_report *report,
                         const struct run_failure *it)
{
    char id[33];

    snprintf(id, sizeof id, "%016" PRIx64 "%016" PRIx64, it->root, it->path);
    json_object(json, NULL);
    json_text(json, "stage", stage_name(report, it->stage));
    json_text(json, "id", id);
    if (it->name != NULL)
        json_text(json, "path", it->name);
    if (it->start != NULL)
        json_text(json, "start", it->start);
    json_text(json, "why", it->why);
    json_uint(json, "attempts", it->attempts);
    if (it->wrote != NULL)
        json_text(json, "wrote", it->wrote);
    json_object_end(json);
}

int run_report_json(const struct run_report *report, struct buf *out)
{
    struct json json = { .out = out };

    json_object(&json, NULL);
    json_text(&json, "event", "report");
    json_text(&json, "job", report->job);
    json_int(&json, "status", report->status);
    if (report->signal != 0)
        json_text(&json, "signal", text_signal(report->signal));
    if (report->why != NULL)
        json_text(&json, "why", report->why);
    json_int(&json, "time_ns", report->time_ns);
    json_uint(&json, "done", report->done);
    json_uint(&json, "failed", report->failed);
    json_array(&json, "stages");
    for (size_t i = 0; i < report->stages.count; i++)
        json_stage(&json, &report->stages.at[i]);
    json_array_end(&json);
    if (report->gates.count > 0) {
        json_array(&json, "gates");
        for (size_t i = 0; i < report->gates.count; i++)
            json_gate(&json, &report->gates.at[i]);
        json_array_end(&json);
    }
    if (report->queues.count > 0) {
        json_array(&json, "queues");
        for (size_t i = 0; i < report->queues.count; i++)
            json_queue(&json, &report->queues.at[i]);
        json_array_end(&json);
    }
    json_array(&json, "failures");
    for (size_t i = 0; i < report->failures.count; i++)
        json_failure(&json, report, &report->failures.at[i]);
    json_array_end(&json);
    json_object_end(&json);
    buf_char(out, '\n');
    return out->failed ? WEIR_ENOMEM : 0;
}

/* ------------------------------------------------------------- dry run ---- */

static void plan_places(const struct job *job, const struct job_stage *stage,
                        struct buf *out)
{
    for (size_t i = 0; i < stage->outputs.count; i++)
        for (size_t k = 0; k < stage->outputs.at[i].to.count; k++) {
            int to = stage->outputs.at[i].to.at[k];

            buf_printf(out, "%s%s", i + k == 0 ? " -> " : ", ",
                       to == JOB_STDOUT ? "stdout"
                       : to == JOB_DROP ? "drop"
                                        : job->queues.at[to].name);
        }
}

int run_plan_text(const struct job *job, struct buf *out)
{
    uint64_t bytes = 0;
    char text[32];

    buf_printf(out, "%s: nothing was started\n", job->name);
    for (size_t i = 0; i < job->stage_order.count; i++) {
        const struct job_stage *stage = &job->stages.at[job->stage_order.at[i]];

        buf_printf(out, "  %s: %s.%s, %u worker%s", stage->name, stage->plugin,
                   stage->task, stage->workers, stage->workers == 1 ? "" : "s");
        if (stage->key != NULL)
            buf_printf(out, " by %s", stage->key);
        if (job_recycles(stage)) {
            buf_text(out, ", replaced");
            job_recycle_text(&stage->recycle, out);
        }
        plan_places(job, stage, out);
        buf_char(out, '\n');
    }
    for (size_t i = 0; i < job->queues.count; i++) {
        const struct job_queue *queue = &job->queues.at[i];

        bytes += queue->bytes;
        if (queue->known != NULL)
            buf_printf(out, "  %s: %s the queue named '%s'\n", queue->name,
                       queue->consumer != JOB_NONE ? "from" : "to",
                       queue->known);
    }
    buf_printf(out, "  queues: %zu, at most %s of items\n", job->queues.count,
               text_from_size(text, bytes));
    return out->failed ? WEIR_ENOMEM : 0;
}
