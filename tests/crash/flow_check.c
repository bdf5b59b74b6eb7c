/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flow_check.c - what must be true when all have ended. Runs in the owner, see
 * flow.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "crash/flow_run.h"

/* Where order is kept, or that of each key: each queue's, as the one appender
 * got them. */
static void check_order(struct run *run, const struct record *record,
                        uint64_t (*last)[KEYS])
{
    uint64_t at = (uint64_t)record->id << 31 | (record->output & ~(1u << 31));
    uint64_t *queue =
        &last[record->output >> 31][key_of(run->flow, record->id)];

    if (record->id >= run->flow->items) /* flushes: in any order, but last */
        at = (uint64_t)run->flow->items << 31;
    if (at < *queue)
        fault_is(run, "item %u.%u is out of order", record->id, record->output);
    *queue = at;
}

static uint32_t dropped(const struct flow *flow)
{
    uint32_t count = 0;

    for (uint32_t id = 0; id < flow->items; id++)
        count += is_dropped(flow, id);
    return count;
}

void check_file(struct run *run)
{
    const struct flow *flow = run->flow;
    uint32_t outputs = flow->kind == FLOW_PARTS ? flow->outputs : 1;
    bool second = flow->kind == FLOW_SPLIT || flow->kind == FLOW_BOTH;
    size_t expected = (size_t)flow->items * outputs * (second ? 2 : 1);
    size_t less = (size_t)dropped(flow) * outputs * (second ? 2 : 1);
    uint64_t last[2][KEYS] = { { 0 } }, flushed = 0;
    uint8_t *seen = calloc(expected, 1);
    struct record record;
    size_t count = 0;
    FILE *file = fdopen(dup(run->file), "r");

    rewind(file);
    for (; fread(&record, sizeof record, 1, file) == 1; count++) {
        size_t which = record.output >> 31;
        size_t at = ((size_t)record.id * outputs +
                     (record.output & ~(1u << 31))) *
                        (second ? 2 : 1) +
                    which;

        if (flow->ordered || flow->keyed)
            check_order(run, &record, last);
        if (flow->ordered && record.id > flow->items &&
            record.id <= flow->items + flow->workers) {
            if ((flushed >> (record.id - flow->items) & 1) != 0)
                fault_is(run, "worker %u has ended twice",
                         record.id - flow->items);
            flushed |= UINT64_C(1) << (record.id - flow->items);
            less--;
            continue;
        }
        if (record.id >= flow->items || at >= expected)
            fault_is(run, "item %u.%u is of no source", record.id,
                     record.output);
        else if (seen[at]++ != 0)
            fault_is(run, "item %u.%u is there twice", record.id,
                     record.output);
    }
    if (flow->ordered && flushed != (UINT64_C(2) << flow->workers) - 2)
        fault_is(run, "some worker's end is not there");
    if (count != expected - less)
        fault_is(run, "%zu of %zu items are there", count, expected - less);
    fclose(file);
    free(seen);
}

/* Every queue is empty, has all its slots, and no chunk is in use. */
void check_rest(struct run *run)
{
    const struct flow *flow = run->flow;
    uint64_t chunks, touched;

    for (unsigned q = 0; q < run->queues; q++) {
        uint64_t published = flow->items;
        struct queue_state state;

        if (q > 0 && flow->kind == FLOW_PARTS)
            published *= flow->outputs;
        if (q > 0)
            published -= dropped(flow) * (uint64_t)(published / flow->items);
        if (q == 1 && flow->ordered)
            published += flow->workers;
        if (queue_state(run->segment, q, FOREVER, &state) < 0) {
            fault_is(run, "queue %u is damaged", q);
            return;
        }
        if (state.held != 0)
            fault_is(run, "queue %u: %u held", q, state.held);
        if (state.ready + state.leased + state.staged != 0 || state.bytes != 0)
            fault_is(run, "queue %u: %u ready, %u leased, %u staged, %llu B", q,
                     state.ready, state.leased, state.staged,
                     (unsigned long long)state.bytes);
        if (state.published != published)
            fault_is(run, "queue %u: %llu of %llu items were published", q,
                     (unsigned long long)state.published,
                     (unsigned long long)published);
        if (state.free != flow->capacity)
            fault_is(run, "queue %u has lost slots", q);
    }
    if (segment_store_used(run->segment, &chunks, &touched) < 0)
        fault_is(run, "the store is damaged");
    else if (chunks != 0)
        fault_is(run, "%llu chunks are left over", (unsigned long long)chunks);
}
