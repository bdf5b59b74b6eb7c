/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_worker.c - runs in a worker of a pool: leases calls and runs them;
 * pool_wire.h tells the whole path, and pool_reply.c gives the results.
 *
 * Calls are leased in batches where they are short, so that locks are taken
 * for many at once: as many as fit TURN_NS by their mean time. When they turn
 * out longer, the rest goes back at once. A pool that does not retry commits
 * after each call: a death then never makes a complete one run again.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool/pool.h"
#include "pool/pool_crash.h"
#include "pool/pool_pack.h"
#include "pool/pool_wire.h"
#include "pool/pool_worker.h"

/* How often a worker looks at its own size, where that matters. */
#define LOOK_NS NS_PER_MS

static weir_function *function_at(uint64_t address)
{
    weir_function *function;

    memcpy(&function, &address, sizeof function);
    return function;
}

/* -------------------------------------------------------------- one call ----
 */

int worker_verdict(struct worker *worker, int verdict)
{
    char *text = worker->text;

    switch (verdict) {
    case 0:
    case WEIR_SKIP:
        return verdict;
    case WEIR_TRANSIENT:
        break;
    case WEIR_PERMANENT:
    case WEIR_FATAL:
        verdict = WEIR_EFAILED;
        break;
    default:
        if (text[0] == '\0' && verdict < 0)
            snprintf(text, TEXT_MOST, "the function returned %d: %s", verdict,
                     weir_strerror(verdict));
        if (verdict > 0)
            snprintf(text, TEXT_MOST,
                     "the function returned %d, which is no verdict", verdict);
        return verdict < 0 ? verdict : WEIR_EFAILED;
    }
    if (text[0] == '\0')
        snprintf(text, TEXT_MOST, "the function failed and did not say why");
    return verdict;
}

/* What was asked for with this call, or else for all. */
struct call_terms worker_terms(const struct worker *worker,
                               const struct item *item)
{
    struct call_terms terms = { .limit_ns = worker->plan.limit_ns,
                                .deadline_ns = FOREVER,
                                .retries = worker->plan.retries };

    if (item->attrs_size >= sizeof terms)
        memcpy(&terms, item->attrs, sizeof terms);
    return terms;
}

/* How long the next attempt may take. */
static int64_t allowed(const struct call_terms *terms)
{
    int64_t left = terms->deadline_ns == FOREVER
                       ? 0
                       : clock_left(terms->deadline_ns) + 1;

    if (left == 0 || (terms->limit_ns > 0 && terms->limit_ns < left))
        return terms->limit_ns;
    return left;
}

/* Attempts, until one is the last. What worker_verdict says of that;
 * WEIR_TRANSIENT becomes a failure. */
int worker_attempts(struct worker *worker, struct item *item,
                    weir_function *function, const struct call_terms *terms)
{
    int code = 0;

    while (code == 0) {
        worker->text[0] = '\0';
        code = worker_verdict(worker, function(&worker->call));
        if (code != WEIR_TRANSIENT ||
            item->attempt - worker->base >= terms->retries ||
            call_is_late(terms) || turn_marked(worker->member, item))
            break;
        worker_drop(worker);
        member_set_limit(worker->member, allowed(terms));
        code = turn_charge(worker->member, item);
    }
    if (code == WEIR_SKIP)
        worker_drop(worker);
    return code == WEIR_TRANSIENT ? WEIR_EFAILED : code;
}

/* Loaded and opened when its first call comes. A failure is that call's: the
 * next one tries again. */
static int load_task(struct worker *worker, unsigned number,
                     const struct item *item)
{
    const char *attrs = item->attrs;

    if (number >= FUNCTIONS_MOST ||
        item->attrs_size < sizeof(struct call_terms))
        return WEIR_EBROKEN;
    if (worker->tasks[number] != NULL)
        return 0;
    return worker_load(worker, attrs + sizeof(struct call_terms),
                       item->attrs_size - sizeof(struct call_terms),
                       &worker->tasks[number]);
}

/* The function of this call, in whose scope it is to run. */
int worker_find(struct worker *worker, const struct item *item,
                weir_function **function_out)
{
    unsigned number = call_function(item->path);
    int code;

    if (number < worker->plan.function_count) {
        *function_out = function_at(worker->functions[number]);
        return 0;
    }
    code = load_task(worker, number, item);
    if (code == 0) {
        worker->scope = worker->tasks[number];
        *function_out = worker->scope->run;
    } else if (worker->text[0] == '\0') {
        snprintf(worker->text, TEXT_MOST,
                 "the call's function is not known: %s", weir_strerror(code));
    }
    return code;
}

static int run(struct worker *worker, struct item *item,
               const struct call_terms *terms)
{
    weir_function *function;
    int code;

    worker->text[0] = '\0';
    member_set_limit(worker->member, allowed(terms));
    if (item->attempt > 0) /* before the attempt counts as this one */
        board_wipe_trace(&worker->board, item->root);
    code = turn_take_up(worker->member, item);
    WEIR_POINT("pool.call.taken");
    if (code == 0 && turn_marked(worker->member, item))
        return worker_reply_marked(worker, item);
    atomic_store(&worker->hand, item->root);
    if (code == 0)
        code = worker_find(worker, item, &function);
    worker->item = item;
    if (code == 0)
        code = worker_attempts(worker, item, function, terms);
    worker->scope = &worker->own;
    atomic_store(&worker->hand, 0);
    if (code >= 0) {
        code = worker_reply_result(worker, item);
        if (code == WEIR_ENOMEM)
            snprintf(worker->text, TEXT_MOST,
                     "no memory is left to give its result on");
    }
    if (code < 0 && !segment_broken(worker->segment)) {
        worker_drop(worker);
        code = worker_reply_failure(worker, item, code, worker->text);
    }
    worker_forget(&worker->reply);
    worker->item = NULL;
    return code;
}

/* Runs it, or says why not. Without retries what is done is true at once: no
 * death makes it run again. */
static int serve_call(struct worker *worker, struct item *item)
{
    const struct call_terms terms = worker_terms(worker, item);
    int code;

    worker->calls = 1;
    if (call_is_pack(item->path))
        return worker_serve_pack(worker, item);
    if (item->attempt > 0 && turn_marked(worker->member, item))
        code = worker_reply_marked(worker, item);
    else if (item->attempt > terms.retries ||
             (item->attempt > 0 && call_is_late(&terms) &&
              item->cause == CAUSE_LIMIT))
        code = worker_reply_lost(worker, item);
    else if (call_is_late(&terms))
        code = worker_reply_late(worker, item);
    else
        code = run(worker, item, &terms);
    if (code == 0 && terms.retries == 0)
        code = worker_commit(worker);
    return code;
}

/* ------------------------------------------------------------- batches ---- */

static void give_back(struct worker *worker, struct item *items, int from,
                      int count)
{
    while (count-- > from)
        turn_release(worker->member, &items[count]);
}

/* Just as many as the caller of map has asked for, if they are there. */
static int fit_chunk(struct worker *worker, struct item *items, int count,
                     int chunk)
{
    const unsigned calls = POOL_CALLS;
    int more;

    if (count >= chunk) {
        give_back(worker, items, chunk, count);
        return chunk;
    }
    more = turn_lease(worker->member, &calls, 1, (unsigned)(chunk - count), 1,
                      0, items + count);
    return more > 0 ? count + more : count;
}

static struct known *known_of(struct worker *worker, const struct item *item)
{
    return &worker->known[call_function(item->path) % FUNCTIONS_MOST];
}

static unsigned calls_of(const struct item *item)
{
    const struct pack_head *head = item->data;

    if (!call_is_pack(item->path) || item->size < sizeof *head ||
        head->count > PACK_MOST)
        return 1;
    return head->count - pack_done(atomic_load(&head->progress));
}

uint64_t worker_path(struct worker *worker, const struct item *item,
                     enum reply_kind kind)
{
    return reply_path(kind, 0) | reply_time(known_of(worker, item)->mean_ns);
}

/* Of those that were leased so many as fit one turn by the mean time of their
 * functions; one of a function that is not known yet comes alone. */
static int fit_time(struct worker *worker, struct item *items, int count)
{
    int64_t sum = 0;
    int fit = 0;

    while (fit < count) {
        const struct known *known = known_of(worker, &items[fit]);

        sum += known->mean_ns * calls_of(&items[fit]);
        if (fit > 0 && (known->calls == 0 || sum > TURN_NS))
            break;
        fit++;
    }
    give_back(worker, items, fit, count);
    return fit;
}

/* Of the calls of this item, in all. */
static void note_time(struct worker *worker, const struct item *item,
                      int64_t ns)
{
    struct known *known = known_of(worker, item);
    unsigned calls = worker->calls > 0 ? worker->calls : 1;
    int64_t each = ns / calls;

    known->mean_ns = known->calls == 0
                         ? each
                         : known->mean_ns + (each - known->mean_ns) / 8;
    known->calls += calls;
    worker->mean_ns = known->mean_ns * calls;
    worker->served += calls;
}

static int serve_batch(struct worker *worker, struct item *items, int count)
{
    int chunk = (int)call_chunk(items[0].path), code = 0;
    uint64_t left = worker->plan.recycle - worker->served;
    int64_t begun = clock_now(), last = begun;

    if (worker->plan.recycle > 0 && left < (uint64_t)chunk)
        chunk = (int)left;
    if (chunk > 0)
        count = fit_chunk(worker, items, count,
                          chunk < LEASE_MOST ? chunk : LEASE_MOST);
    else
        count = fit_time(worker, items, count);
    for (int i = 0; i < count && code == 0; i++) {
        int64_t now;

        code = serve_call(worker, &items[i]);
        now = clock_now();
        note_time(worker, &items[i], now - last);
        last = now;
        if (chunk == 0 && now - begun > TURN_NS) {
            give_back(worker, items, i + 1, count);
            break;
        }
    }
    return code == 0 ? worker_commit(worker) : code;
}

/* As if the next calls were like the last one. */
static unsigned batch_size(const struct worker *worker)
{
    uint64_t left = worker->plan.recycle - worker->served;
    uint64_t most = worker->served == 0 ? 1 : LEASE_MOST;

    if (worker->mean_ns > TURN_NS / LEASE_MOST)
        most = worker->mean_ns < TURN_NS ? TURN_NS / worker->mean_ns : 1;
    if (worker->plan.recycle > 0 && left < most)
        most = left;
    return (unsigned)most;
}

/* ---------------------------------------------------------- its own end ----
 */

static bool is_too_large(struct worker *worker)
{
    int64_t now;

    if (worker->plan.recycle_bytes == 0)
        return false;
    now = clock_now();
    if (now - worker->looked_ns < LOOK_NS)
        return false;
    worker->looked_ns = now;
    return stat_own_bytes(0) > worker->born_bytes + worker->plan.recycle_bytes;
}

static void ring(const struct worker *worker)
{
    const uint64_t once = 1;

    if (worker->bell_fd >= 0)
        (void)!write(worker->bell_fd, &once, sizeof once);
}

/* What it wishes stands on the board before the bell is rung. Dies between:
 * its death tells the helper all the same. Short calls come many at a time, so
 * the last ones are near before they are leased. */
static void wish(struct worker *worker)
{
    const uint64_t most = worker->plan.recycle;
    enum seat_wish wish = worker->wish;

    if (wish == WISH_NONE && most > 0 &&
        worker->served + most / 8 + LEASE_MOST >= most)
        wish = WISH_HEIR;
    if (wish != WISH_LEAVE && is_too_large(worker))
        wish = WISH_LEAVE;
    if (wish == worker->wish)
        return;
    worker->wish = wish;
    seat_set_wish(&worker->board, worker->start.seat, worker->start.generation,
                  wish);
    ring(worker);
}

/* Asked when nothing is in hand. From then on nothing will be. */
static bool leaves(struct worker *worker)
{
    const struct board *board = &worker->board;
    const struct pool_start *start = &worker->start;

    if (seat_change(board, start->seat, start->generation, SEAT_LEAVE,
                    SEAT_LEFT))
        return true;
    if (worker->plan.recycle == 0 || worker->served < worker->plan.recycle)
        return false;
    seat_leave(board, start->seat, start->generation);
    return true;
}

/* Until the end of calls (WEIR_ECLOSED), or until it has left its seat (0). A
 * wait that is cancelled is to see that it is to leave. */
static int serve(struct worker *worker)
{
    const unsigned calls = POOL_CALLS;

    worker->born_bytes = stat_own_bytes(0);
    while (!leaves(worker)) {
        struct item items[LEASE_MOST];
        int code;

        wish(worker);
        member_set_waiting(worker->member, 1);
        code = turn_lease(worker->member, &calls, 1, batch_size(worker),
                          worker_count(worker) * 2, FOREVER, items);
        member_set_waiting(worker->member, 0);
        if (code == WEIR_ECANCELED) {
            worker_go_on(worker);
            continue;
        }
        if (code > 0)
            code = serve_batch(worker, items, code);
        if (code < 0)
            return code;
    }
    return 0;
}

/* ------------------------------------------------------- birth and end ---- */

static int set_phase(struct worker *worker, enum phase phase)
{
    struct book *book = turn_book(worker->member);

    if (book == NULL)
        return WEIR_EBROKEN;
    book->ordinal = phase_word(worker->start.generation, phase);
    return turn_commit(worker->member, NULL, NULL);
}

/* The reason goes to the program, if there is room for it just now. */
static int tell_unfit(struct worker *worker, int code)
{
    const struct stage_spec spec = { .queue = POOL_RESULTS,
                                     .room = strlen(worker->text),
                                     .path = reply_path(REPLY_UNFIT, code) };
    struct staged staged;

    if (turn_stage(worker->member, &spec, &staged) == 0) {
        memcpy(staged.data, worker->text, spec.room);
        turn_commit(worker->member, NULL, NULL);
    }
    return code;
}

/* It has opened well; the one before it may still serve. */
static int await_turn(struct worker *worker)
{
    const struct pool_start *start = &worker->start;

    if (!seat_is(&worker->board, start->seat, start->generation, SEAT_WAIT))
        return 0;
    if (set_phase(worker, PHASE_WAITING) < 0)
        return WEIR_EBROKEN;
    WEIR_POINT("pool.seat.waits");
    ring(worker);
    seat_await(&worker->board, start->seat, start->generation);
    return 0;
}

static int open_worker(struct worker *worker)
{
    int code = 0;

    if (worker->plan.open != 0) {
        code = set_phase(worker, PHASE_OPENING);
        if (code == 0)
            code = worker_verdict(worker, function_at(worker->plan.open)(
                                              &worker->call));
    }
    if (code > 0)
        code = WEIR_EFAILED;
    if (code < 0)
        return tell_unfit(worker, code);
    if (await_turn(worker) < 0)
        return WEIR_EBROKEN;
    return set_phase(worker, PHASE_SERVING);
}

static void close_worker(struct worker *worker)
{
    if (set_phase(worker, PHASE_CLOSING) == 0 && worker->plan.close != 0)
        function_at(worker->plan.close)(&worker->call);
    worker_close_tasks(worker, worker->tasks);
    WEIR_POINT("pool.worker.closed");
    member_leave(&worker->member);
}

/* Takes the order apart; it stays in memory as long as the worker. */
static bool read_order(struct worker *worker, const struct nursery_order *order)
{
    const size_t fixed = sizeof worker->start + sizeof worker->plan;
    const char *at = order->data;
    size_t functions;
    char *argument;

    if ((order->fd_count != START_FDS && order->fd_count != START_BELL) ||
        order->size < fixed)
        return false;
    memcpy(&worker->start, at, sizeof worker->start);
    memcpy(&worker->plan, at + sizeof worker->start, sizeof worker->plan);
    functions = worker->plan.function_count * sizeof(uint64_t);
    if (order->size != fixed + functions + worker->plan.argument_size)
        return false;
    worker->functions = malloc(functions + 1);
    argument = malloc(worker->plan.argument_size + 1);
    if (worker->functions == NULL || argument == NULL)
        return false;
    memcpy((void *)worker->functions, at + fixed, functions);
    memcpy(argument, at + fixed + functions, worker->plan.argument_size);
    argument[worker->plan.argument_size] = '\0';
    worker->own.params = argument;
    worker->scope = &worker->own;
    return true;
}

int pool_work(void *state, const struct nursery_order *order)
{
    static struct worker worker; /* a task that runs wild finds no stack */
    int code;

    (void)state;
    worker.call.table = &worker_table;
    if (!read_order(&worker, order))
        return EXIT_REFUSED;
    code = segment_attach(order->fds[START_SEGMENT], &worker.segment, NULL);
    if (code == 0)
        code = segment_seclude(worker.segment);
    if (code == 0)
        code = board_map(&worker.board, worker.plan.seats, worker.plan.traces,
                         order->fds[START_BOARD]);
    worker.bell_fd = order->fd_count == START_FDS ? order->fds[START_BELL] : -1;
    close(order->fds[START_SEGMENT]);
    close(order->fds[START_BOARD]);
    if (code == 0)
        code = member_enter(worker.segment, worker.start.seat, &worker.member);
    if (code != 0)
        return EXIT_REFUSED;
    crash_watch(&worker.board, &worker.hand);
    fault_start(NULL, (int)worker.start.number);
    code = open_worker(&worker);
    if (code < 0)
        return EXIT_FAILURE;
    code = serve(&worker);
    if (code < 0 && code != WEIR_ECLOSED)
        return EXIT_FAILURE;
    if (code == 0) {
        WEIR_POINT("pool.seat.left");
        seat_hand_over(&worker.board, worker.start.seat);
    }
    close_worker(&worker);
    return EXIT_SUCCESS;
}
