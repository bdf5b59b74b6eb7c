/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * books.c - the end of a run: what each stage took and gave, what failed, and
 * whether it balances. Runs in the supervisor, when nobody else is left.
 *
 * All that was given was taken: done, failed, left out, dropped by a full queue
 * as the oldest, or it lies in a queue still. Anything else is a fault of ours,
 * and status 3. What a full queue dropped as the newest never came into it, and
 * was not given.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/failure.h"
#include "run/gate.h"

#define LOCK_NS (1 * NS_PER_S)

/* What ever came into a queue of the segment, and what is left in it. */
static void count_queue(struct supervisor *sup, unsigned queue, uint64_t *taken,
                        uint64_t *left)
{
    struct queue_state state;

    if (queue_state(sup->segment, queue, clock_deadline(LOCK_NS), &state) < 0)
        return;
    *taken += state.published;
    *left += (uint64_t)state.ready + state.leased;
}

/* Items that were in this queue of the segment, and went to make room. */
static uint64_t missed_from(const struct supervisor *sup, unsigned queue)
{
    return plan_overflow(&sup->plan, queue) == WEIR_OVERFLOW_DROP_OLD
               ? plan_overflowed(&sup->plan, sup->segment, queue, true)
               : 0;
}

static void add_member(struct supervisor *sup, unsigned member,
                       struct run_stage *out)
{
    const struct book *book = member_book(sup->segment, member);
    struct member_sample sample;

    member_sample(sup->segment, member, &sample);
    out->done += book->done;
    out->failed += book->failed;
    out->skipped += book->skipped;
    out->given += book->emitted;
    out->dropped += book->dropped;
    out->retried += book->retried;
    out->digest += book->digest;
    out->busy_ns += (int64_t)sample.busy_ns;
    out->starved_ns += (int64_t)sample.starved_ns;
    out->blocked_ns += (int64_t)sample.blocked_ns;
}

/* How evenly keys are spread: each worker has its own, all the time. */
static void spread_keys(const struct supervisor *sup, unsigned first,
                        struct run_stage *out)
{
    out->least = UINT64_MAX;
    for (unsigned i = 0; i < out->workers; i++) {
        const struct book *book = member_book(sup->segment, first + i);
        uint64_t settled = book->done + book->failed + book->skipped;

        out->least = settled < out->least ? settled : out->least;
        out->most = settled > out->most ? settled : out->most;
    }
}

static void add_stage(struct supervisor *sup, unsigned number)
{
    const struct stage *stage = &sup->stages[number];
    struct run_stage *out = &sup->report->stages.at[number];

    for (unsigned i = 0; i < stage->job->workers; i++)
        add_member(sup, sup->plan.first[number] + i, out);
    for (size_t i = 0; i < stage->job->from.count; i++) {
        unsigned queue = (unsigned)plan_queue(&sup->plan,
                                              stage->job->from.at[i]);

        count_queue(sup, queue, &out->taken, &out->left);
        out->missed += missed_from(sup, queue);
    }
    out->keyed = stage->job->key != NULL && out->workers > 1;
    if (out->keyed)
        spread_keys(sup, sup->plan.first[number], out);
    out->ended = stage->ended;
    out->deaths = stage->deaths;
    out->busy_ns += stage->lost_ns;
    out->recycled = stage->recycled;
    out->memory_bytes = stage->memory_bytes;
    sup->report->done += out->done;
    sup->report->failed += out->failed;
}

static void add_gate(struct supervisor *sup, const struct gate *gate,
                     struct run_gate *out)
{
    const struct book *book = member_book(sup->segment, gate->member);

    out->moved = gate_moved(gate, book);
    out->failed = book->failed;
    sup->report->failed += book->failed;
}

static void balance_is_off(struct supervisor *sup, const char *name,
                           uint64_t came, uint64_t settled)
{
    supervisor_fail(sup,
                    "the books of '%s' do not balance: %" PRIu64
                    " items came and %" PRIu64
                    " are settled or left; please report this",
                    name, came, settled);
}

/* What came in was given; what went out was taken. */
static void balance_gate(struct supervisor *sup, const struct gate *gate,
                         uint64_t *given, uint64_t *taken)
{
    const struct book *book = member_book(sup->segment, gate->member);
    uint64_t came = 0, left = 0, settled;

    if (gate->in) {
        *given += book->emitted;
        return;
    }
    count_queue(sup, gate->number, &came, &left);
    *taken += came;
    settled = book->done + book->failed + left + missed_from(sup, gate->number);
    if (came != settled)
        balance_is_off(sup, gate->queue->name, came, settled);
}

static void balance(struct supervisor *sup)
{
    uint64_t given = member_book(sup->segment, sup->plan.reader)->emitted;
    uint64_t taken = 0, left = 0;

    if (sup->plan.replays)
        given += member_book(sup->segment, sup->plan.feeder)->emitted;
    if (sup->plan.output != PLAN_NONE) {
        uint64_t done = member_book(sup->segment, sup->plan.writer)->done;

        count_queue(sup, (unsigned)sup->plan.output, &taken, &left);
        if (taken != done + left)
            balance_is_off(sup, "stdout", taken, done + left);
    }
    for (unsigned i = 0; i < sup->gate_count; i++)
        balance_gate(sup, &sup->gates[i], &given, &taken);
    for (size_t i = 0; i < sup->report->stages.count; i++) {
        const struct run_stage *stage = &sup->report->stages.at[i];
        uint64_t settled = stage->done + stage->failed + stage->skipped +
                           stage->left + stage->missed;

        given += stage->given;
        taken += stage->taken;
        if (!stage->source && stage->taken != settled)
            balance_is_off(sup, stage->name, stage->taken, settled);
        if (sup->stops == 0 && stage->ended && stage->left > 0)
            balance_is_off(sup, stage->name, stage->taken,
                           settled - stage->left);
    }
    if (given != taken)
        balance_is_off(sup, "the run", given, taken);
}

static void add_queues(struct supervisor *sup)
{
    struct run_report *report = sup->report;

    for (size_t i = 0; i < report->queues.count; i++) {
        struct run_queue *out = &report->queues.at[i];
        unsigned queue = sup->plan.numbers[out->number];
        uint64_t count = plan_overflowed(&sup->plan, sup->segment, queue,
                                         false);

        *(out->overflow == WEIR_OVERFLOW_FAIL ? &out->failed
                                              : &out->dropped) = count;
    }
}

/* ------------------------------------------------------------- failures ----
 */

static int add_failures(struct supervisor *sup, const struct item *items,
                        unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct run_failure failure;
        int code = failure_read(items[i].data, items[i].size, &failure);

        if (code == 0)
            code = run_report_fail(sup->report, &failure);
        if (code < 0)
            return code;
    }
    return 0;
}

static void read_failures(struct supervisor *sup)
{
    struct item items[LEASE_MOST];
    struct member *member = NULL;
    int count, code = member_enter(sup->segment, sup->plan.reporter, &member);

    while (code == 0) {
        count = turn_lease(member, &sup->plan.report, 1, LEASE_MOST, 1, 0,
                           items);
        if (count <= 0)
            break;
        code = add_failures(sup, items, (unsigned)count);
        for (int i = 0; i < count && code == 0; i++)
            code = turn_done(member, &items[i]);
        if (code == 0)
            code = turn_commit(member, NULL, NULL);
    }
    member_leave(&member);
}

void books_close(struct supervisor *sup)
{
    struct run_report *report = sup->report;

    for (unsigned i = 0; i < sup->job->stages.count; i++)
        add_stage(sup, i);
    if (sup->plan.input != PLAN_NONE)
        report->failed += member_book(sup->segment, sup->plan.reader)->failed;
    for (unsigned i = 0; i < sup->gate_count; i++)
        add_gate(sup, &sup->gates[i], &report->gates.at[i]);
    add_queues(sup);
    if (!segment_broken(sup->segment)) {
        read_failures(sup);
        balance(sup);
    }
    halt_end(sup);
    report->time_ns = clock_now() - sup->started_ns;
    report->signal = sup->signal;
    report->status = sup->why != NULL ? 3 : report->failed > 0 ? 1 : 0;
    if (sup->why != NULL)
        report->signal = 0;
    report->why = sup->why;
    sup->why = NULL;
}
