/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.c - a job as numbers of a segment. Runs in the supervisor. */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "run/plan.h"
#include "run/run.h"

enum {
    END_CAPACITY = 1024,    /* of the queues at stdin and stdout */
    REPORT_BYTES = 4 << 20, /* of the queue of failures */
    SINKS_MOST = 1024,      /* files that are appended to */
};
#define END_BYTES (UINT64_C(8) << 20)
#define ITEM_MOST (UINT64_C(1) << 30)
#define KEPT_BYTES_MOST (UINT64_C(512) << 20)

static int add_queue(struct plan *plan, const char *name, uint64_t capacity,
                     uint64_t bytes)
{
    struct queue_plan *queue = VEC_ADD(&plan->queues);
    char **entry = VEC_ADD(&plan->names);

    if (queue == NULL || entry == NULL)
        return WEIR_ENOMEM;
    *queue = (struct queue_plan){ .capacity = (uint32_t)capacity,
                                  .bytes = bytes };
    *entry = (char *)name;
    return (int)plan->queues.count - 1;
}

/* All of stdin as one item must fit: a file's size is known, a pipe's is not.
 */
static uint64_t input_bytes(const struct job *job, int input)
{
    struct stat st;

    if (job->stdin_as != STDIN_WHOLE)
        return END_BYTES;
    if (input >= 0 && fstat(input, &st) == 0 && S_ISREG(st.st_mode) &&
        (uint64_t)st.st_size < ITEM_MOST)
        return (uint64_t)st.st_size * 2 + END_BYTES;
    return 2 * ITEM_MOST;
}

/* Stdout holds what any other queue could hold. */
static uint64_t output_bytes(const struct plan *plan)
{
    uint64_t most = END_BYTES;

    for (size_t i = 0; i < plan->queues.count; i++)
        if (plan->queues.at[i].bytes > most)
            most = plan->queues.at[i].bytes;
    for (size_t i = 0; i < plan->job->stages.count; i++)
        if (2 * plan->job->stages.at[i].largest > most)
            most = 2 * plan->job->stages.at[i].largest;
    return most;
}

static int by_order(const void *a, const void *b, void *arg)
{
    const struct job *job = arg;

    return job->queues.at[*(const unsigned *)a].order -
           job->queues.at[*(const unsigned *)b].order;
}

/* The job's queues, upstream first. */
static int add_queues(struct plan *plan)
{
    const struct job *job = plan->job;
    size_t count = job->queues.count;
    CLEANUP_FREE unsigned *sorted = calloc(count + 1, sizeof *sorted);

    plan->numbers = calloc(count + 1, sizeof *plan->numbers);
    if (sorted == NULL || plan->numbers == NULL)
        return WEIR_ENOMEM;
    for (unsigned i = 0; i < count; i++)
        sorted[i] = i;
    qsort_r(sorted, count, sizeof *sorted, by_order, (void *)job);
    for (size_t i = 0; i < count; i++) {
        const struct job_queue *queue = &job->queues.at[sorted[i]];
        int number = add_queue(plan, queue->name, queue->capacity,
                               queue->bytes);

        if (number < 0)
            return number;
        plan->queues.at[number].overflow = queue->overflow;
        plan->numbers[sorted[i]] = (unsigned)number;
    }
    return 0;
}

static int number_queues(struct plan *plan, int input)
{
    const struct job *job = plan->job;
    int number = 0;

    plan->input = plan->output = PLAN_NONE;
    if (job->uses_stdin)
        number = plan->input = add_queue(plan, "stdin",
                                         job->stdin_as == STDIN_WHOLE
                                             ? 1
                                             : END_CAPACITY,
                                         input_bytes(job, input));
    if (number >= 0)
        number = add_queues(plan);
    if (number >= 0 && job->uses_stdout)
        number = plan->output = add_queue(plan, "stdout", END_CAPACITY,
                                          output_bytes(plan));
    if (number >= 0)
        number = add_queue(plan, "failures", RUN_FAILURES_KEPT, REPORT_BYTES);
    plan->report = (unsigned)number;
    return number < 0 ? number : 0;
}

/* A second member for each worker that may drop what is old. */
static int number_droppers(struct plan *plan)
{
    plan->dropper = calloc(plan->job->stages.count + 1, sizeof *plan->dropper);
    if (plan->dropper == NULL)
        return WEIR_ENOMEM;
    for (unsigned i = 0; i < plan->job->stages.count; i++) {
        bool drops = false;

        for (unsigned q = 0; q < plan->queues.count && !drops; q++)
            drops = plan_overflow(plan, q) == WEIR_OVERFLOW_DROP_OLD &&
                    plan_fills(plan, i, q);
        if (!drops)
            continue;
        plan->dropper[i] = plan->members;
        plan->members += plan->job->stages.at[i].workers;
    }
    return 0;
}

static int number_members(struct plan *plan)
{
    const struct job *job = plan->job;

    plan->first = calloc(job->stages.count + 1, sizeof *plan->first);
    if (plan->first == NULL)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < job->stages.count; i++) {
        plan->first[i] = plan->workers;
        plan->workers += job->stages.at[i].workers;
        if (job->stages.at[i].outputs.count == 0)
            plan->sinks = SINKS_MOST;
    }
    plan->reader = plan->workers;
    plan->writer = plan->workers + 1;
    plan->reporter = plan->workers + 2;
    plan->gate = plan->workers + 3;
    for (size_t i = 0; i < job->queues.count; i++)
        plan->gates += job->queues.at[i].known != NULL;
    plan->members = plan->gate + plan->gates;
    if (plan->sinks == 0)
        plan->sinks = 1;
    return number_droppers(plan);
}

int plan_keep(struct plan *plan, bool replays, weir_error *err)
{
    /* By reference, in chunks that may be larger than the item. What is larger
     * than that is not kept, but for its verdict. */
    uint64_t bytes = 2 * output_bytes(plan);
    int number = add_queue(plan, "kept items", RUN_FAILURES_KEPT,
                           bytes < KEPT_BYTES_MOST ? bytes : KEPT_BYTES_MOST);

    if (number < 0)
        return error_set(err, number, "no memory for the plan of the run");
    plan->kept = number;
    plan->replays = replays;
    plan->keeper = plan->members++;
    plan->feeder = plan->members++;
    if (plan->members > MEMBERS_MOST)
        return error_set(err, WEIR_EINVAL,
                         "the job has %u workers; a run that keeps failed "
                         "items has at most %d",
                         plan->workers, MEMBERS_MOST - 5);
    return 0;
}

/* A single worker has no need of it: it leases, gives and is given back in
 * order. */
static bool is_ordered(const struct job_stage *stage)
{
    return stage->keeps_order && stage->workers > 1 && stage->from.count == 1;
}

static int link_queues(struct plan *plan)
{
    for (unsigned i = 0; i < plan->job->stages.count; i++) {
        const struct job_stage *stage = &plan->job->stages.at[i];

        for (unsigned to = 0; to < plan->queues.count; to++) {
            struct order_link *link;

            if (!is_ordered(stage) || !plan_fills(plan, i, to))
                continue;
            link = VEC_ADD(&plan->orders);
            if (link == NULL)
                return WEIR_ENOMEM;
            link->from = (uint32_t)plan_queue(plan, stage->from.at[0]);
            link->to = to;
        }
    }
    return 0;
}

/* Of a single worker, too: what is given back goes to its place. */
static void set_keys(struct plan *plan)
{
    for (size_t i = 0; i < plan->job->stages.count; i++) {
        const struct job_stage *stage = &plan->job->stages.at[i];
        struct queue_plan *queue;

        if (stage->key == NULL || stage->from.count != 1)
            continue;
        queue = &plan->queues.at[plan_queue(plan, stage->from.at[0])];
        queue->key = stage->key;
        queue->lanes = stage->workers;
    }
}

int plan_init(struct plan *plan, const struct job *job, int input,
              weir_error *err)
{
    int code;

    memset(plan, 0, sizeof *plan);
    plan->job = job;
    plan->kept = PLAN_NONE;
    plan->keeper = plan->feeder = UINT_MAX;
    code = number_queues(plan, input);
    if (code == 0)
        code = link_queues(plan);
    if (code == 0)
        set_keys(plan);
    if (code == 0)
        code = number_members(plan);
    if (code < 0)
        return error_set(err, code, "no memory for the plan of the run");
    if (plan->members > MEMBERS_MOST)
        return error_set(err, WEIR_EINVAL,
                         "the job has %u workers; a run has at most %d",
                         plan->workers, MEMBERS_MOST - 3 - (int)plan->gates);
    return 0;
}

void plan_done(struct plan *plan)
{
    VEC_DONE(&plan->queues);
    VEC_DONE(&plan->names);
    VEC_DONE(&plan->orders);
    free(plan->numbers);
    free(plan->first);
    free(plan->dropper);
    memset(plan, 0, sizeof *plan);
}

int plan_segment(const struct plan *plan, struct segment **out, weir_error *err)
{
    struct segment_plan segment = {
        .queues = plan->queues.at,
        .queue_count = (unsigned)plan->queues.count,
        .orders = plan->orders.at,
        .order_count = (unsigned)plan->orders.count,
        .member_count = plan->members,
        .sink_count = plan->journaled ? SINKS_MOST : plan->sinks,
        .journaled = plan->journaled,
    };

    return segment_create(&segment, out, err);
}

int plan_queue(const struct plan *plan, int queue)
{
    if (queue == JOB_STDIN)
        return plan->input;
    if (queue == JOB_STDOUT)
        return plan->output;
    return queue >= 0 ? (int)plan->numbers[queue] : PLAN_NONE;
}

bool plan_fills(const struct plan *plan, unsigned stage, unsigned queue)
{
    const struct job_stage *it = &plan->job->stages.at[stage];

    if (plan_queue(plan, it->failed) == (int)queue)
        return true;
    if (plan->kept == (int)queue)
        return true;
    for (size_t i = 0; i < it->outputs.count; i++)
        for (size_t k = 0; k < it->outputs.at[i].to.count; k++)
            if (plan_queue(plan, it->outputs.at[i].to.at[k]) == (int)queue)
                return true;
    return false;
}

/* ----------------------------------------------------------- overflow ---- */

enum weir_overflow plan_overflow(const struct plan *plan, unsigned queue)
{
    return (enum weir_overflow)plan->queues.at[queue].overflow;
}

/* Which of book.overflowed a stage's members count this queue by: that of its
 * place among those that do not wait. */
static unsigned counter_of(const struct plan *plan, unsigned stage,
                           unsigned queue)
{
    unsigned counter = 0;

    for (unsigned i = 0; i < queue; i++)
        counter += plan_overflow(plan, i) != WEIR_OVERFLOW_BLOCK &&
                   plan_fills(plan, stage, i);
    return counter;
}

static uint64_t counted(const struct segment *segment, unsigned first,
                        unsigned count, unsigned counter)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < count; i++)
        sum += member_book(segment, first + i)->overflowed[counter];
    return sum;
}

uint64_t plan_overflowed(const struct plan *plan, const struct segment *segment,
                         unsigned queue, bool old)
{
    uint64_t sum = 0;

    if (plan_overflow(plan, queue) == WEIR_OVERFLOW_BLOCK)
        return 0;
    for (unsigned i = 0; i < plan->job->stages.count; i++) {
        unsigned counter, workers = plan->job->stages.at[i].workers;

        if (!plan_fills(plan, i, queue))
            continue;
        counter = counter_of(plan, i, queue);
        if (counter >= OVERFLOWS_MOST)
            continue; /* no job that was checked */
        if (!old)
            sum += counted(segment, plan->first[i], workers, counter);
        if (plan->dropper[i] != 0)
            sum += counted(segment, plan->dropper[i], workers, counter);
    }
    return sum;
}

/* --------------------------------------------------------------- post ---- */

/* The queues that this stage fills, in the segment's order. In a replay all of
 * them wait: what is fed anew is to come through. */
static int add_post_queues(const struct plan *plan, unsigned stage,
                           struct post *post)
{
    for (unsigned i = 0; i < plan->queues.count; i++) {
        struct post_queue *queue;

        if (!plan_fills(plan, stage, i))
            continue;
        queue = VEC_ADD(&post->queues);
        if (queue == NULL)
            return WEIR_ENOMEM;
        *queue = (struct post_queue){ .number = i,
                                      .name = plan->names.at[i],
                                      .capacity = plan->queues.at[i].capacity,
                                      .bytes = plan->queues.at[i].bytes };
        if (plan_overflow(plan, i) == WEIR_OVERFLOW_BLOCK || plan->replays)
            continue;
        queue->overflow = plan_overflow(plan, i);
        queue->counter = counter_of(plan, stage, i);
    }
    return 0;
}

static int place_of(const struct plan *plan, const struct post *post, int queue)
{
    int number = plan_queue(plan, queue);

    for (size_t i = 0; i < post->queues.count; i++)
        if ((int)post->queues.at[i].number == number)
            return (int)i;
    return POST_DROP;
}

static unsigned kept_place(const struct plan *plan, const struct post *post)
{
    unsigned at = 0;

    while (at < post->queues.count &&
           (int)post->queues.at[at].number != plan->kept)
        at++;
    return at < post->queues.count ? at + 1 : 0;
}

static int add_post_outputs(const struct plan *plan,
                            const struct job_stage *stage, struct post *post)
{
    for (size_t i = 0; i < stage->outputs.count; i++) {
        post_places *places = VEC_ADD(&post->outputs);

        if (places == NULL)
            return WEIR_ENOMEM;
        for (size_t k = 0; k < stage->outputs.at[i].to.count; k++) {
            int *place = VEC_ADD(places);

            if (place == NULL)
                return WEIR_ENOMEM;
            *place = place_of(plan, post, stage->outputs.at[i].to.at[k]);
        }
    }
    post->failed = stage->failed == JOB_NONE
                       ? POST_REPORT
                       : place_of(plan, post, stage->failed);
    post->kept = kept_place(plan, post);
    post->replays = plan->replays;
    post->digests = plan->digests;
    return 0;
}

static int add_post_inputs(const struct plan *plan,
                           const struct job_stage *stage, struct post *post)
{
    for (size_t i = 0; i < stage->from.count; i++) {
        unsigned *from = VEC_ADD(&post->from);

        if (from == NULL)
            return WEIR_ENOMEM;
        *from = (unsigned)plan_queue(plan, stage->from.at[i]);
        post->from_capacity += plan->queues.at[*from].capacity;
        post->from_bytes += plan->queues.at[*from].bytes;
    }
    return 0;
}

int plan_post(const struct plan *plan, unsigned stage, unsigned index,
              struct post *out)
{
    const struct job_stage *it = &plan->job->stages.at[stage];
    int code;

    *out = (struct post){ .member = plan->first[stage] + index,
                          .stage = stage,
                          .index = index,
                          .count = it->workers,
                          .name = it->name,
                          .sync = it->dispatch == DISPATCH_SYNC,
                          .ordered = is_ordered(it),
                          .in_order = it->keeps_order || it->key != NULL,
                          .keyed = it->key != NULL && it->from.count == 1,
                          .retries = it->retries,
                          .report = plan->report,
                          .recycled = job_recycles(it),
                          .recycle_items = it->recycle.items,
                          .recycle_bytes = it->recycle.bytes };
    if (plan->dropper[stage] != 0)
        out->dropper = plan->dropper[stage] + index + 1;
    memcpy(out->waits, it->waits, sizeof out->waits);
    code = add_post_queues(plan, stage, out);
    if (code == 0)
        code = add_post_outputs(plan, it, out);
    if (code == 0)
        code = add_post_inputs(plan, it, out);
    return code;
}
