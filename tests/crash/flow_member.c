/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flow_member.c - what a member does: source, worker or appender. Runs in its
 * process, see flow.h. */
#include "config.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "crash/flow_run.h"
#include "queue/attrs.h"

static uint64_t word_of_item(uint32_t id, uint32_t output, uint32_t at)
{
    return hash_mix(((uint64_t)id << 32) | output, at);
}

static void fill(void *data, uint32_t size, uint32_t id, uint32_t output)
{
    struct record record = { id, output };

    memcpy(data, &record, sizeof record);
    for (uint32_t at = 8; at + 8 <= size; at += 8) {
        uint64_t word = word_of_item(id, output, at);

        memcpy((char *)data + at, &word, 8);
    }
}

static bool is_whole(const void *data, size_t size, const struct flow *flow)
{
    struct record record;

    if (size != flow->size)
        return false;
    memcpy(&record, data, sizeof record);
    for (uint32_t at = 8; at + 8 <= size; at += 8) {
        uint64_t word = word_of_item(record.id, record.output, at);

        if (memcmp((const char *)data + at, &word, 8) != 0)
            return false;
    }
    return true;
}

static void demand(int code)
{
    if (code >= 0)
        return;
    fprintf(stderr, "# member: %s\n", weir_strerror(code));
    _exit(WRONG_CALL);
}

/* One output: where to, and what. */
struct output {
    unsigned queue;
    uint32_t id, number;
    bool pass;    /* the input */
    bool is_copy; /* of the output before */
    uint32_t index;
};

/* One that gives nothing. */
bool is_dropped(const struct flow *flow, uint32_t id)
{
    return flow->drops != 0 && id % flow->drops == 1;
}

unsigned key_of(const struct flow *flow, uint32_t id)
{
    return flow->keyed ? id % KEYS : 0;
}

static const struct buf *attrs_of(unsigned key)
{
    static struct buf attrs[KEYS];
    char value = (char)('0' + key);

    if (attrs[key].size == 0)
        demand(attrs_set(&attrs[key], "k", &value, 1));
    return &attrs[key];
}

static int stage_one(struct member *member, const struct flow *flow,
                     const struct output *output, const struct item *input,
                     const struct staged *before, struct staged *staged)
{
    struct item copied = { .ref = before->ref };
    struct stage_spec spec = { .queue = output->queue,
                               .room = flow->size,
                               .root = output->id,
                               .path = output->number };
    struct stage_order order = { .ticket = ORDER_LAST, .index = output->index };
    int code;

    if (flow->ordered && output->queue != 0) {
        order.ticket = input != NULL ? input->ticket : ORDER_LAST;
        spec.order = &order;
    }
    if (flow->keyed && output->queue == 0) {
        spec.attrs = attrs_of(key_of(flow, output->id))->data;
        spec.attrs_size = attrs_of(key_of(flow, output->id))->size;
    }
    if (output->pass)
        spec.pass = spec.inherit = input;
    if (output->is_copy)
        spec.pass = &copied;
    code = turn_stage(member, &spec, staged);
    if (code == 0 && staged->data != NULL) {
        fill(staged->data, flow->size, output->id, output->number);
        code = turn_shrink(member, staged, flow->size);
    }
    return code;
}

static int stage_set(struct member *member, const struct flow *flow,
                     const struct output *outputs, unsigned count,
                     const struct item *input)
{
    unsigned mark = turn_staged(member);
    struct staged staged = { 0 };

    for (unsigned i = 0; i < count; i++) {
        int code = stage_one(member, flow, &outputs[i], input, &staged,
                             &staged);

        if (code < 0) {
            demand(turn_drop_from(member, mark));
            return code;
        }
    }
    return 0;
}

/* The room rule: nothing staged while it waits; all of the set at once. */
static int claim_and_stage(struct member *member, const struct flow *flow,
                           const struct output *outputs, unsigned count,
                           const struct item *input)
{
    uint64_t charge = queue_charge(flow->size, 0);
    struct room rooms[2] = { { .queue = 1 }, { .queue = 2 } };
    unsigned used = 0;
    int code;

    for (unsigned i = 0; i < count; i++) {
        struct room *room = &rooms[outputs[i].queue == 2 ? 1 : 0];

        room->queue = outputs[i].queue;
        room->slots++;
        room->bytes += charge;
    }
    used = rooms[1].slots != 0 ? 2 : 1;
    do {
        code = turn_claim(member, rooms, used, FOREVER);
        if (code < 0)
            return code;
        code = stage_set(member, flow, outputs, count, input);
        demand(turn_unclaim(member, rooms, used));
    } while (code == WEIR_EFULL);
    return code;
}

/* Outputs that must stand in their queues together. */
static unsigned unit_of(const struct flow *flow, unsigned left)
{
    return flow->kind == FLOW_BOTH ? left : 1;
}

/* The first takes what room there is, and makes a part of it. */
static int emit_first(struct member *member, const struct flow *flow,
                      const struct output *outputs, unsigned count,
                      struct item *input)
{
    int code = turn_wait_first(member, input, FOREVER);

    if (code == 0)
        code = stage_set(member, flow, outputs, count, input);
    if (code != WEIR_EFULL)
        return code;
    for (unsigned done = 0; done < count;) {
        unsigned unit = unit_of(flow, count - done);

        code = stage_set(member, flow, outputs + done, unit, input);
        if (code == WEIR_EFULL) {
            struct book *book = turn_book(member);

            book->part = input->ref + 1;
            book->part_skip = input->skip + done;
            demand(turn_commit(member, NULL, NULL));
            code = claim_and_stage(member, flow, outputs + done, unit, input);
        }
        if (code < 0)
            return code;
        done += unit;
    }
    return 0;
}

/* Stages the set; commits what is done of the batch first if it must wait. */
static int emit(struct member *member, const struct flow *flow,
                const struct output *outputs, unsigned count,
                struct item *input)
{
    int code = stage_set(member, flow, outputs, count, input);

    if (code != WEIR_EFULL)
        return code;
    if (!WEIR_MUTATED("wait-with-staged"))
        demand(turn_commit(member, NULL, NULL));
    if (flow->ordered)
        return emit_first(member, flow, outputs, count, input);
    return claim_and_stage(member, flow, outputs, count, input);
}

static unsigned list_outputs(const struct flow *flow, uint32_t id,
                             unsigned from, struct output *outputs)
{
    unsigned count = 0;

    if (is_dropped(flow, id))
        return 0;
    if (flow->kind == FLOW_PARTS) {
        for (uint32_t i = from; i < flow->outputs; i++)
            outputs[count++] = (struct output){
                .queue = 1, .id = id, .number = i, .index = i
            };
        return count;
    }
    outputs[count++] = (struct output){ .queue = 1,
                                        .id = id,
                                        .pass = flow->kind == FLOW_PASS };
    if (flow->kind == FLOW_SPLIT)
        outputs[count++] = (struct output){ .queue = 2,
                                            .id = id,
                                            .pass = true };
    if (flow->kind == FLOW_BOTH)
        outputs[count++] = (struct output){ .queue = 2,
                                            .id = id,
                                            .is_copy = true };
    for (unsigned i = 0; i < count; i++)
        outputs[i].index = i;
    if (flow->ordered && from > 0) { /* a part has given the first */
        outputs[0] = outputs[1];
        count--;
    }
    return count;
}

/* More than the queue can ever hold: in parts, each committed with how many
 * outputs of this input have been. */
static void emit_parts(struct member *member, const struct flow *flow,
                       const struct output *outputs, unsigned count,
                       struct item *input)
{
    unsigned most = flow->capacity, done = 0;
    struct book *book;

    demand(turn_commit(member, NULL, NULL));
    while (count - done > most) {
        demand(claim_and_stage(member, flow, outputs + done, most, input));
        done += most;
        book = turn_book(member);
        book->part = input->ref + 1;
        book->part_skip = input->skip + done;
        demand(turn_commit(member, NULL, NULL));
    }
    demand(claim_and_stage(member, flow, outputs + done, count - done, input));
}

/* So that the next ones are done before it. */
static void dawdle(uint32_t id)
{
    struct timespec nap = { .tv_nsec = id % 32 == 0 ? 2000000 : 100000 };

    if (hash_mix(id, 1) % 8 == 0 || id % 32 == 0)
        nanosleep(&nap, NULL);
}

/* Each key is with one member, in all its lives. */
static void check_worker(const struct run *run, const struct member *member,
                         uint32_t id)
{
    _Atomic uint32_t *worker = &run->shared->workers[key_of(run->flow, id)];
    uint32_t nobody = 0, own = member_number(member) + 1;

    if (!atomic_compare_exchange_strong(worker, &nobody, own) && nobody != own)
        _exit(WRONG_WORKER);
}

static void work_on(const struct run *run, struct member *member,
                    struct item *item)
{
    const struct flow *flow = run->flow;
    struct output outputs[1024];
    struct record record;
    unsigned count;
    int code;

    if (!is_whole(item->data, item->size, flow))
        _exit(WRONG_PAYLOAD);
    memcpy(&record, item->data, sizeof record);
    demand(turn_take_up(member, item));
    if (flow->back && record.id % 3 == 0) {
        demand(turn_put_off(member, item, CAUSE_ERROR));
        demand(turn_take_up(member, item));
    }
    count = list_outputs(flow, record.id, item->skip, outputs);
    if (flow->keyed)
        check_worker(run, member, record.id);
    if (flow->ordered || flow->keyed)
        dawdle(record.id);
    if (!flow->ordered && flow->kind == FLOW_PARTS && count > flow->capacity) {
        emit_parts(member, flow, outputs, count, item);
    } else if (count > 0) {
        code = emit(member, flow, outputs, count, item);
        demand(code);
    }
    demand(turn_done(member, item));
}

/* What an ordered worker gives at the end of its input, behind all others. */
static void flush(const struct run *run, struct member *member)
{
    struct output output = { .queue = 1,
                             .id = run->flow->items + member_number(member) };

    if (stage_set(member, run->flow, &output, 1, NULL) == 0)
        return;
    demand(claim_and_stage(member, run->flow, &output, 1, NULL));
}

static void end_member(struct member *member)
{
    turn_book(member)->ended = 1;
    demand(turn_commit(member, NULL, NULL));
    member_leave(&member);
    _exit(0);
}

/* Of some batches all but the first item goes back, as when a run is stopped.
 * Returns how many are left. */
static int give_some_back(struct member *member, const struct item *items,
                          int count)
{
    if (count < 2 || hash_mix(items[0].root, 2) % 4 != 0)
        return count;
    for (int i = 1; i < count; i++)
        demand(turn_release(member, &items[i]));
    return 1;
}

/* Now and then, all that is left of the batch: who leases it next may be
 * another. Not some of it: where order is kept, those behind would wait for an
 * item that nobody has. */
static bool give_back(struct member *member, const struct item *items,
                      int count)
{
    static unsigned calls;

    if (hash_mix(items[0].root, ++calls) % 5 != 0)
        return false;
    for (int i = 0; i < count; i++)
        demand(turn_release(member, &items[i]));
    return true;
}

static void worker_main(const struct run *run, struct member *member)
{
    static const unsigned queues[] = { 0 };
    struct item items[LEASE_MOST];
    unsigned share = run->flow->share != 0 ? run->flow->share
                                           : 2 * run->flow->workers;

    if (run->flow->keyed)
        demand(turn_serve(member, 0, member_number(member) - 1));
    for (;;) {
        int count = turn_lease(member, queues, 1, run->flow->batch, share,
                               FOREVER, items);

        if (count == WEIR_ECLOSED && run->flow->ordered)
            flush(run, member);
        if (count == WEIR_ECLOSED)
            end_member(member);
        demand(count);
        if (run->flow->keyed)
            count = give_some_back(member, items, count);
        for (int i = 0; i < count; i++) {
            if (run->flow->back && give_back(member, &items[i], count - i))
                break;
            work_on(run, member, &items[i]);
        }
        demand(turn_commit(member, NULL, NULL));
    }
}

static void appender_main(const struct run *run, struct member *member)
{
    static const unsigned queues[] = { 1, 2 };
    struct record records[LEASE_MOST];
    struct item items[LEASE_MOST];
    struct iovec part = { .iov_base = records };
    struct append append = { .fd = run->file, .parts = &part, .part_count = 1 };

    for (;;) {
        int count = turn_lease(member, queues, run->queues - 1,
                               run->flow->batch, 2, FOREVER, items);

        if (count == WEIR_ECLOSED)
            end_member(member);
        demand(count);
        for (int i = 0; i < count; i++) {
            if (!is_whole(items[i].data, items[i].size, run->flow))
                _exit(WRONG_PAYLOAD);
            demand(turn_take_up(member, &items[i]));
            memcpy(&records[i], items[i].data, sizeof *records);
            if (items[i].queue == 2)
                records[i].output |= 1u << 31;
            demand(turn_done(member, &items[i]));
        }
        part.iov_len = (size_t)count * sizeof *records;
        append.size = part.iov_len;
        demand(turn_commit(member, &append, NULL));
        atomic_fetch_add(&run->shared->appended, (uint32_t)count);
    }
}

/* Waits until all that it has given is through: whatever then stands still
 * was not woken, and nothing that comes later repairs it. */
static void rest(const struct run *run, uint32_t given)
{
    const struct flow *flow = run->flow;
    uint32_t outputs = flow->kind == FLOW_PARTS ? flow->outputs : 1;
    uint32_t copies = flow->kind == FLOW_SPLIT || flow->kind == FLOW_BOTH ? 2
                                                                          : 1;

    /* A killed appender may have committed and not counted: then the queues
     * tell. */
    while (atomic_load(&run->shared->appended) < given * outputs * copies) {
        unsigned busy = 0;

        for (unsigned q = 0; q < run->queues; q++) {
            struct queue_state state;

            demand(queue_state(run->segment, q, FOREVER, &state));
            busy += state.ready + state.leased + state.staged;
        }
        if (busy == 0)
            break;
        sched_yield();
    }
}

/* One, in one hold of the lock; 0: it must be done step by step. */
static uint32_t put_small(const struct flow *flow, struct member *member,
                          uint32_t id)
{
    char data[ITEM_DIRECT];
    weir_bytes item = { data, flow->size };
    struct book *book = turn_book(member);
    int code;

    fill(data, flow->size, id, 0);
    id++;
    memcpy(book->cursor, &id, sizeof id);
    book->cursor_size = sizeof id;
    code = turn_put(member, 0, &item, 1, id - 1);
    demand(code);
    return (uint32_t)code;
}

static void source_main(const struct run *run, struct member *member)
{
    const struct flow *flow = run->flow;
    uint32_t next = 0, most = flow->batch;

    if (most > flow->capacity)
        most = flow->capacity;
    if (flow->trickle != 0 && flow->trickle < most)
        most = flow->trickle;
    if (member_book(run->segment, 0)->cursor_size != 0)
        memcpy(&next, member_book(run->segment, 0)->cursor, sizeof next);
    while (next < flow->items) {
        struct output outputs[LEASE_MOST];
        uint32_t count = 0;
        struct book *book;
        int code;

        if (flow->direct && flow->size <= ITEM_DIRECT &&
            put_small(flow, member, next) != 0) {
            next++;
            continue;
        }
        for (; count < most && next + count < flow->items; count++)
            outputs[count] = (struct output){ .id = next + count };
        code = stage_set(member, flow, outputs, count, NULL);
        if (code == WEIR_EFULL)
            code = claim_and_stage(member, flow, outputs, count, NULL);
        demand(code);
        next += count;
        book = turn_book(member);
        memcpy(book->cursor, &next, sizeof next);
        book->cursor_size = sizeof next;
        demand(turn_commit(member, NULL, NULL));
        if (flow->trickle != 0)
            rest(run, next);
    }
    end_member(member);
}

void flow_member(const struct run *run, unsigned number)
{
    struct member *member;

    demand(member_enter(run->segment, number, &member));
    if (number == 0)
        source_main(run, member);
    else if (number <= run->flow->workers)
        worker_main(run, member);
    else
        appender_main(run, member);
    _exit(WRONG_CALL);
}
