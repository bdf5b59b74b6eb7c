/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flow.c - see flow.h. Which process runs what stands at each part. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "crash/flow.h"
#include "queue/attrs.h"
#include "queue/queue.h"

enum { MEMBERS = 80, SLOTS_MOST = 4096, KEYS = 7 };
enum { WRONG_PAYLOAD = 90, WRONG_CALL = 91, WRONG_WORKER = 92 };

struct record {
    uint32_t id, output;
};

/* Memory of all processes of one run. */
struct shared {
    _Atomic uint32_t appended;      /* a hint for trickle, not the truth */
    _Atomic uint32_t workers[KEYS]; /* member + 1 that has had this key */
};

struct run {
    const struct flow *flow;
    struct segment *segment;
    struct shared *shared;
    int file;
    unsigned members, queues;
    pid_t pids[MEMBERS];
    bool ended[MEMBERS];
    const char *points[MEMBERS]; /* where it is to die; NULL: nowhere */
    unsigned seed;
    sigset_t child; /* SIGCHLD, blocked: it is waited for */
    struct flow_result *result;
};

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

/* ----------------------------------------------- in a member's process ---- */

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
static bool is_dropped(const struct flow *flow, uint32_t id)
{
    return flow->drops != 0 && id % flow->drops == 1;
}

static unsigned key_of(const struct flow *flow, uint32_t id)
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

/* -------------------------------------------------------- in the owner ---- */

static enum flow_role role_of(const struct flow *flow, unsigned number)
{
    return number == 0               ? FLOW_SOURCE
           : number <= flow->workers ? FLOW_WORKER
                                     : FLOW_APPENDER;
}

static void ask(struct run *run, enum flow_role role, struct flow_order *order)
{
    const struct flow *flow = run->flow;

    if (flow->plan != NULL && run->result->kills < flow->deaths)
        flow->plan->order(flow->plan->arg, role, order);
}

/* In a child. */
static void become(const struct run *run, enum flow_role role, const char *spec)
{
    const struct flow_plan *plan = run->flow->plan;
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (plan != NULL && plan->traces[role] != NULL)
        setenv("WEIR_FAULT_TRACE", plan->traces[role], 1);
    fault_start(spec, -1);
}

static void fork_member(struct run *run, unsigned number)
{
    const struct flow *flow = run->flow;
    struct flow_order order = { .nth = 1 };
    char spec[128] = "";
    struct member *member;
    pid_t pid;

    ask(run, role_of(flow, number), &order);
    if (flow->plan == NULL && flow->point != NULL &&
        run->result->kills < flow->deaths &&
        (flow->member < 0 || flow->member == (int)number))
        snprintf(spec, sizeof spec, "%s:%u:kill%s%s", flow->point,
                 flow->nth +
                     (flow->exact ? 0 : (unsigned)rand_r(&run->seed) % 3),
                 flow->also != NULL ? "," : "",
                 flow->also != NULL ? flow->also : "");
    if (order.point != NULL)
        snprintf(spec, sizeof spec, "%s:%u:kill", order.point, order.nth);
    run->points[number] = order.point;
    fflush(NULL);
    pid = fork();
    if (pid != 0) {
        run->pids[number] = pid;
        return;
    }
    become(run, role_of(flow, number), spec);
    demand(member_enter(run->segment, number, &member));
    if (number == 0)
        source_main(run, member);
    else if (number <= flow->workers)
        worker_main(run, member);
    else
        appender_main(run, member);
    _exit(WRONG_CALL);
}

static bool all_ended(const struct run *run, unsigned from, unsigned count)
{
    for (unsigned i = from; i < from + count; i++)
        if (!run->ended[i])
            return false;
    return true;
}

static void fault_is(struct run *run, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));

static void fault_is(struct run *run, const char *format, ...)
{
    va_list args;

    if (run->result->fault[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(run->result->fault, sizeof run->result->fault, format, args);
    va_end(args);
}

/* False: there is none. */
static bool kill_one(struct run *run)
{
    unsigned from = (unsigned)rand_r(&run->seed);

    for (unsigned i = 0; i < run->members; i++) {
        unsigned number = (from + i) % run->members;

        if (run->pids[number] == 0)
            continue;
        kill(run->pids[number], SIGKILL);
        run->points[number] = NULL;
        return true;
    }
    return false;
}

/* ---------------------------------------------- what the owner does ---- */

/* Recovers a member; closes a queue. May be ended and done again. */
struct deed {
    int (*act)(struct segment *segment, unsigned number, int signal);
    unsigned number;
    int signal;
};

static int recover_it(struct segment *segment, unsigned number, int signal)
{
    return member_recover(segment, number, CAUSE_SIGNAL, signal, NULL);
}

static int close_it(struct segment *segment, unsigned number, int signal)
{
    (void)signal;
    return queue_close(segment, number);
}

/* The owner has stopped where it was to. True: it is ended there. */
static bool interfere(struct run *run, pid_t pid,
                      const struct flow_order *order, struct flow_event *event)
{
    struct flow_order *came = &event->amid[event->amids++];

    *came = *order;
    if (order->other)
        came->other = kill_one(run);
    kill(pid, order->ends ? SIGKILL : SIGCONT);
    return order->ends;
}

/* In a process that dies, or stops, at such a point. Returns whether it has
 * come to its end. */
static bool do_apart(struct run *run, const struct deed *deed,
                     const struct flow_order *order, struct flow_event *event,
                     int *code_out)
{
    bool ends = false;
    char spec[128];
    int status;
    pid_t pid;

    snprintf(spec, sizeof spec, "%s:%u:stop", order->point, order->nth);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        become(run, FLOW_OWNER, spec);
        _exit(-deed->act(run->segment, deed->number, deed->signal));
    }
    while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status))
        ends = interfere(run, pid, order, event);
    *code_out = WIFEXITED(status) ? -WEXITSTATUS(status) : 0;
    return !ends;
}

static int do_deed(struct run *run, const struct deed *deed,
                   struct flow_event *event)
{
    unsigned most = sizeof event->amid / sizeof *event->amid;

    for (unsigned again = 0; event->amids < most; again++) {
        struct flow_order order = { .nth = 1,
                                    .closes = deed->act == close_it,
                                    .again = again };
        int code;

        ask(run, FLOW_OWNER, &order);
        if (order.point == NULL)
            break;
        if (do_apart(run, deed, &order, event, &code))
            return code;
    }
    return deed->act(run->segment, deed->number, deed->signal);
}

static void tell(const struct run *run, const struct flow_event *event)
{
    const struct flow_plan *plan = run->flow->plan;

    if (plan != NULL && plan->happened != NULL)
        plan->happened(plan->arg, event);
}

static void close_queue(struct run *run, unsigned queue)
{
    const struct deed deed = { close_it, queue, 0 };
    struct flow_event event = { 0 };
    int code = do_deed(run, &deed, &event);

    if (code < 0)
        fault_is(run, "queue %u was not closed: %s", queue,
                 weir_strerror(code));
    tell(run, &event);
}

/* -------------------------------------------------------------- deaths ---- */

struct gone {
    unsigned number;
    int status;
};

static void mourn(struct run *run, const struct gone *gone,
                  struct flow_event *event)
{
    unsigned number = gone->number;
    int status = gone->status;
    const struct deed deed = { recover_it, number,
                               WIFSIGNALED(status) ? WTERMSIG(status) : 0 };
    int code = do_deed(run, &deed, event);

    if (code < 0)
        fault_is(run, "member %u was not recovered: %s", number,
                 weir_strerror(code));
    else if (WIFEXITED(status) && WEXITSTATUS(status) == WRONG_PAYLOAD)
        fault_is(run, "member %u got a wrong payload", number);
    else if (WIFEXITED(status) && WEXITSTATUS(status) == WRONG_WORKER)
        fault_is(run, "member %u got what another had", number);
    else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        fault_is(run, "member %u ended with %d", number, WEXITSTATUS(status));
    run->result->kills += WIFSIGNALED(status) != 0;
    run->ended[number] = member_book(run->segment, number)->ended != 0;
}

/* Forked again unless it had ended. */
static void replace(struct run *run, unsigned number)
{
    const struct flow *flow = run->flow;

    if (!run->ended[number])
        fork_member(run, number);
    else if (number == 0)
        close_queue(run, 0);
    else if (number <= flow->workers && all_ended(run, 1, flow->workers))
        for (unsigned q = 1; q < run->queues; q++)
            close_queue(run, q);
}

static unsigned number_of(const struct run *run, pid_t pid);
static pid_t await(struct run *run, int64_t deadline_ns, int *status_out);

static bool anybody(const struct run *run)
{
    unsigned number = 0;

    while (number < run->members && run->pids[number] == 0)
        number++;
    return number < run->members;
}

static void note_gone(struct run *run, struct gone *gone,
                      struct flow_event *event)
{
    unsigned number = gone->number;

    run->pids[number] = 0;
    if (!WIFSIGNALED(gone->status) || event->gone == 2)
        return;
    event->dead[event->gone].role = role_of(run->flow, number);
    event->dead[event->gone++].point = run->points[number];
}

/* Until two are dead; a short while for one to die where it is to, then of any
 * of those that are left. Returns how many are gone by then. */
static unsigned await_second(struct run *run, struct gone *gone,
                             struct flow_event *event)
{
    int64_t patience = clock_deadline(3 * NS_PER_MS);
    unsigned count = 1;

    while (event->gone == 1 && anybody(run)) {
        pid_t pid = await(run, patience, &gone[count].status);

        if (pid > 0) {
            gone[count].number = number_of(run, pid);
            note_gone(run, &gone[count++], event);
        } else if (clock_left(patience) == 0) {
            kill_one(run);
            patience = clock_deadline(3 * NS_PER_MS);
        }
    }
    return count;
}

/* All that are dead are recovered, and only then is one forked again. */
static void bury(struct run *run, unsigned number, int status)
{
    struct gone gone[MEMBERS] = { { number, status } };
    struct flow_event event = { 0 };
    unsigned count = 1, from;

    note_gone(run, gone, &event);
    if (run->flow->plan != NULL && run->flow->plan->two && event.gone == 1 &&
        run->result->kills < run->flow->deaths)
        count = await_second(run, gone, &event);
    from = count > 1 ? (unsigned)rand_r(&run->seed) % count : 0;
    for (unsigned i = 0; i < count; i++)
        mourn(run, &gone[(i + from) % count], &event);
    tell(run, &event);
    for (unsigned i = 0; i < count && run->result->fault[0] == '\0'; i++)
        replace(run, gone[i].number);
}

static unsigned number_of(const struct run *run, pid_t pid)
{
    unsigned number = 0;

    while (number < run->members && run->pids[number] != pid)
        number++;
    return number;
}

/* The next one that is gone; 0: none until then. */
static pid_t await(struct run *run, int64_t deadline_ns, int *status_out)
{
    pid_t pid = waitpid(-1, status_out, WNOHANG);
    int64_t left = clock_left(deadline_ns);
    struct timespec most = { .tv_sec = left / NS_PER_S,
                             .tv_nsec = left % NS_PER_S };

    if (pid != 0 || left == 0)
        return pid;
    sigtimedwait(&run->child, NULL, &most);
    return waitpid(-1, status_out, WNOHANG);
}

static void supervise(struct run *run)
{
    const struct flow *flow = run->flow;
    int64_t deadline = clock_deadline(flow->limit_ms * NS_PER_MS);
    int64_t sweep = clock_deadline(NS_PER_S / 20);
    unsigned kills = flow->kills;

    while (!all_ended(run, 0, run->members) && run->result->fault[0] == '\0') {
        struct timespec nap = { .tv_nsec = 1 +
                                           (long)rand_r(&run->seed) % 600000 };
        int status;
        pid_t pid = await(run, kills > 0 ? 0 : clock_deadline(NS_PER_S / 50),
                          &status);

        if (pid > 0) {
            bury(run, number_of(run, pid), status);
            continue;
        }
        if (clock_left(deadline) == 0)
            fault_is(run, "it stands still");
        if (flow->sweep && clock_left(sweep) == 0) {
            pid_t holder;

            segment_sweep(run->segment, &holder);
            sweep = clock_deadline(NS_PER_S / 20);
        }
        if (kills > 0) {
            kill_one(run);
            if (flow->ordered) /* what two had is given back in any order */
                kill_one(run);
            kills--;
            nanosleep(&nap, NULL);
        }
    }
    for (unsigned i = 0; i < run->members; i++)
        if (run->pids[i] != 0) {
            kill(run->pids[i], SIGKILL);
            waitpid(run->pids[i], NULL, 0);
        }
}

/* ---------------------------------------------------- what must be true ----
 */

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

static void check_file(struct run *run)
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
static void check_rest(struct run *run)
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

static int open_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[256];
    int fd;

    snprintf(path, sizeof path, "%s/weir-flow.XXXXXX",
             folder != NULL ? folder : "/tmp");
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

/* It has no name, so it is not cut by sinks_finish. */
static void cut_file(struct run *run)
{
    if (ftruncate(run->file, (off_t)sink_length(run->segment, 0)) < 0)
        fault_is(run, "the file cannot be cut");
}

static int open_run(struct run *run)
{
    const struct flow *flow = run->flow;
    static const struct order_link orders[] = { { 0, 1 }, { 0, 2 } };
    struct queue_plan plans[3];
    struct segment_plan plan = { .queues = plans,
                                 .queue_count = run->queues,
                                 .orders = orders,
                                 .order_count = flow->ordered ? run->queues - 1
                                                              : 0,
                                 .member_count = run->members,
                                 .sink_count = 1 };

    for (unsigned q = 0; q < run->queues; q++)
        plans[q] = (struct queue_plan){ .capacity = flow->capacity,
                                        .bytes = flow->bytes && q > 0
                                                     ? flow->bytes
                                                     : UINT64_C(8) << 20 };
    if (flow->keyed) {
        plans[0].key = "k";
        plans[0].lanes = flow->workers;
    }
    run->file = open_file();
    run->shared = mmap(NULL, sizeof *run->shared, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run->file < 0 || run->shared == MAP_FAILED)
        return -errno;
    return segment_create(&plan, &run->segment, NULL);
}

void flow_run(const struct flow *flow, struct flow_result *result)
{
    bool second = flow->kind == FLOW_SPLIT || flow->kind == FLOW_BOTH;
    struct run run = { .flow = flow,
                       .queues = second ? 3 : 2,
                       .members = 1 + flow->workers + flow->appenders,
                       .seed = flow->seed,
                       .result = result };

    sigset_t before;

    memset(result, 0, sizeof *result);
    fault_start("", -1);
    if (open_run(&run) < 0) {
        fault_is(&run, "no segment");
        return;
    }
    sigemptyset(&run.child);
    sigaddset(&run.child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &run.child, &before);
    for (unsigned i = 0; i < run.members; i++)
        fork_member(&run, i);
    supervise(&run);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (result->fault[0] == '\0')
        cut_file(&run);
    if (result->fault[0] == '\0')
        check_file(&run);
    if (result->fault[0] == '\0')
        check_rest(&run);
    segment_free(&run.segment);
    munmap(run.shared, sizeof *run.shared);
    close(run.file);
}
