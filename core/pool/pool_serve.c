/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_serve.c - runs in the helper: a pool's workers, from fork to recovery.
 *
 * When a worker has been reaped its turn is undone or finished, the call that
 * it had in hand gets the cause, and then its successor is forked into the
 * same entry, unless one stands ready in another (pool_seats.c). That comes
 * after the reaping, and not before as everywhere else: the cause is the exit
 * status, and who leases that call next gives it as the result.
 *
 * A pool is over when no worker is left and none will come; then its results
 * are closed, which is how the program sees it.
 *
 * THE END, step by step; none waits for a worker, so its time is the grace and
 * what the machine needs for the steps:
 *   1  the question is read: as soon as what this process does just then is
 *      done. That never waits but for a queue's lock, in a recovery; a worker
 *      that was stopped while it held that is told to go on after 0.1 s, by
 *      whoever waits (lock_set_alone), and one that is dead holds none
 *   2  SIGTERM and SIGCONT to all groups. What was to be forked again is not
 *   3  after grace_ns, SIGKILL to all that are left, to group and process: no
 *      handler, mask, stop or other group keeps one from dying
 *   4  those whose forks were ordered before 2: the nursery answers each order,
 *      as it waits for nobody, or dies, which is an answer; then SIGKILL
 *   5  a death is seen by pidfd, and the nursery reaps. Nothing is recovered
 *      yet: another worker may hold a lock, and be stopped
 *   6  the last one is reaped: who held a lock now is dead, or the program
 *      itself. What they had done is finished, and the results are closed
 * Nobody is forked after 2: so from 3 and 4 on the number that is left only
 * falls, by one at each death, and SIGKILL has been sent to each.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pool/pool.h"
#include "pool/pool_crash.h"
#include "pool/pool_serve.h"

/* How soon a worker that could not be forked is tried again. */
#define AGAIN_NS (100 * NS_PER_MS)
#define LIMIT_PARTS 8
/* Shorter limits are measured as this one. */
#define LIMIT_LEAST_NS NS_PER_MS

struct server {
    struct helper *helper;
    uint64_t ids;
    int64_t cared_ns;
    VEC(struct served *) pools;
};

static int open_server(struct helper *helper, void **state_out)
{
    struct server *server = calloc(1, sizeof *server);

    if (server == NULL)
        return WEIR_ENOMEM;
    server->helper = helper;
    crash_prepare();
    *state_out = server;
    return 0;
}

static struct served *pool_of(const struct server *server, uint64_t id)
{
    for (size_t i = 0; i < server->pools.count; i++)
        if (server->pools.at[i]->id == id)
            return server->pools.at[i];
    return NULL;
}

/* A worker's number with us: its pool and its own. */
static uint64_t hand_id(const struct served *pool, const struct hand *hand)
{
    return pool->id << 16 | (uint64_t)(hand - pool->hands);
}

static struct served *pool_of_hand(const struct server *server, uint64_t id,
                                   struct hand **hand_out)
{
    struct served *pool = pool_of(server, id >> 16);

    if (pool == NULL || (id & 0xffff) >= pool->plan.seats)
        return NULL;
    *hand_out = &pool->hands[id & 0xffff];
    return pool;
}

/* ----------------------------------------------------------------- ending ----
 */

static void free_pool(struct server *server, struct served *pool)
{
    for (size_t i = 0; i < server->pools.count; i++)
        if (server->pools.at[i] == pool)
            server->pools.at[i] = server->pools.at[--server->pools.count];
    segment_free(&pool->segment);
    board_done(&pool->board);
    fd_close(&pool->board_fd);
    if (pool->bell_fd >= 0)
        helper_unwatch(server->helper, pool->bell_fd);
    fd_close(&pool->bell_fd);
    buf_done(&pool->order);
    free(pool->hands);
    free(pool);
}

static void signal_all(struct served *pool, int signal)
{
    for (unsigned i = 0; i < pool->plan.seats; i++) {
        pid_t pid = pool->hands[i].pid;

        if (pid <= 0)
            continue;
        if (kill(-pid, signal) < 0 || signal == SIGKILL)
            kill(pid, signal); /* it may have gone to another group */
        if (signal == SIGTERM)
            kill(-pid, SIGCONT); /* a stopped one would not see it */
    }
}

/* All at once, when nobody is left who could hold a lock. */
static void settle_all(struct served *pool)
{
    for (unsigned i = 0; i < pool->plan.seats; i++)
        member_recover(pool->segment, i, CAUSE_SIGNAL, SIGKILL, NULL);
}

/* No successors any more; who is there goes. @reason NULL: as asked. */
static void end_pool(struct served *pool, int code, const char *reason)
{
    if (pool->state == POOL_ENDS || pool->state == POOL_OVER)
        return;
    pool->state = POOL_ENDS;
    pool->code = code;
    if (reason != NULL)
        snprintf(pool->reason, sizeof pool->reason, "%s", reason);
    for (unsigned i = 0; i < pool->plan.seats; i++) {
        if (pool->hands[i].again_ns != 0)
            seats_give(pool, &pool->hands[i]);
    }
    signal_all(pool, SIGTERM);
    pool->kill_ns = clock_deadline(pool->plan.grace_ns);
}

/* After each step that may have been the last. The pool may be gone then. */
static void look_for_end(struct server *server, struct served *pool)
{
    if (pool->live == 0 && pool->state != POOL_OVER) {
        if (pool->state == POOL_ENDS)
            settle_all(pool);
        pool->state = POOL_OVER;
        queue_close(pool->segment, POOL_CALLS);
        queue_close(pool->segment, POOL_RESULTS);
        if (pool->tag != 0)
            helper_answer(server->helper, pool->tag, pool->code, NULL, 0, NULL,
                          0);
        pool->freed |= pool->tag != 0;
        pool->tag = 0;
    }
    if (pool->state == POOL_OVER && pool->freed)
        free_pool(server, pool);
}

/* -------------------------------------------------------------- workers ----
 */

/* Who comes for another one waits until that has left. */
/* One that has left looks for its heir once, before its `close`: if it did so
 * before this one stood there, nobody else would give it its turn. Either it
 * finds the heir, or we find that it has left; both is harmless. */
static void name_heir(struct served *pool, struct hand *before,
                      struct hand *heir)
{
    const unsigned seat = hand_seat(pool, before);

    seat_set_heir(&pool->board, seat, hand_seat(pool, heir), heir->generation);
    if (seat_is(&pool->board, seat, before->generation, SEAT_LEFT))
        seat_hand_over(&pool->board, seat);
}

void hand_fork(struct served *pool, struct hand *hand)
{
    const unsigned seat = hand_seat(pool, hand);
    const struct pool_start start = { .seat = seat,
                                      .generation = ++hand->generation,
                                      .number = hand->number };
    const int fds[START_FDS] = { [START_SEGMENT] = segment_fd(pool->segment),
                                 [START_BOARD] = pool->board_fd,
                                 [START_BELL] = pool->bell_fd };
    int code;

    hand->halt = HALT_NO;
    hand->signaled = false;
    hand->again_ns = 0;
    seat_init(&pool->board, seat, hand->generation,
              hand->before != NULL ? SEAT_WAIT : SEAT_SERVE);
    if (hand->before != NULL)
        name_heir(pool, hand->before, hand);
    memcpy(pool->order.data, &start, sizeof start);
    code = helper_fork(pool->server->helper, &pool_service, hand_id(pool, hand),
                       pool->order.data, pool->order.size, fds,
                       pool->bell_fd >= 0 ? START_FDS : START_BELL);
    if (code != 0)
        hand->again_ns = clock_deadline(AGAIN_NS);
}

static void forked(void *state, uint64_t id, int code, pid_t pid, int pidfd)
{
    struct server *server = state;
    struct hand *hand;
    struct served *pool = pool_of_hand(server, id, &hand);
    bool first;

    (void)pidfd;
    if (pool == NULL)
        return;
    first = hand->first;
    hand->first = false;
    hand->pid = code == 0 ? pid : 0;
    hand->since_ns = hand->born_ns = clock_now();
    if (code != 0) {
        hand->again_ns = clock_deadline(AGAIN_NS);
        if (first)
            end_pool(pool, code, NULL);
    }
    if (pool->state == POOL_ENDS && code == 0)
        kill(pid, SIGKILL), kill(-pid, SIGKILL); /* ordered before that */
    if ((pool->state == POOL_ENDS || hand->goes) && hand->again_ns != 0)
        seats_give(pool, hand);
    if (code != 0 && pool->state == POOL_RUNS)
        seats_fit(pool);
    if (first && --pool->to_fork == 0 && pool->state == POOL_RUNS) {
        helper_answer(server->helper, pool->tag, 0, &pool->id, sizeof pool->id,
                      NULL, 0);
        pool->tag = 0;
    }
    look_for_end(server, pool);
}

enum phase hand_phase(const struct served *pool, const struct hand *hand)
{
    const struct book *book = member_book(pool->segment, hand_seat(pool, hand));

    if (book->ordinal >> 8 != hand->generation)
        return PHASE_STARTING;
    return (enum phase)(book->ordinal & 0xff);
}

/* Has any worker opened well since this was asked last? */
static bool opened_since(struct served *pool)
{
    bool any = false;

    for (unsigned i = 0; i < pool->plan.seats; i++) {
        struct hand *hand = &pool->hands[i];

        if (hand->opened != hand->generation &&
            hand_phase(pool, hand) >= PHASE_WAITING) {
            hand->opened = hand->generation;
            any = true;
        }
    }
    return any;
}

static void recover(struct server *server, struct served *pool,
                    struct hand *hand, const struct exit_record *exit)
{
    struct member_sample sample;
    enum cause cause = CAUSE_SIGNAL;
    int code = exit->code;

    member_sample(pool->segment, hand_seat(pool, hand), &sample);
    if (hand->signaled && hand->over_limit && sample.in_hand &&
        sample.root == hand->halt_root)
        cause = CAUSE_LIMIT;
    else if (exit->lost)
        code = 0;
    else if (!exit->signaled)
        cause = CAUSE_EXIT;
    segment_care(pool->segment, server->helper);
    if (member_recover(pool->segment, hand_seat(pool, hand), cause, code,
                       NULL) == WEIR_EBROKEN)
        end_pool(pool, WEIR_EBROKEN, "the pool's shared memory is damaged");
}

/* It did not come to its first call, and that was its own doing. */
static void count_unfit(struct served *pool, enum phase phase,
                        const struct exit_record *exit)
{
    char words[EXIT_WORDS], reason[sizeof pool->reason];

    if (opened_since(pool))
        pool->unfit = 0;
    if (++pool->unfit < UNFIT_MOST)
        return;
    exit_words(words, exit);
    snprintf(reason, sizeof reason,
             phase == PHASE_OPENING
                 ? "the pool's `open` failed %d times in a row; its last "
                   "worker %s"
                 : "%d workers in a row could not start; the last one %s",
             UNFIT_MOST, words);
    end_pool(pool, WEIR_ELOST, reason);
}

/* From now on its number may be another's. */
static void died(void *state, pid_t pid)
{
    struct server *server = state;

    for (size_t i = 0; i < server->pools.count; i++) {
        struct served *pool = server->pools.at[i];

        for (unsigned k = 0; k < pool->plan.seats; k++)
            if (pool->hands[k].pid == pid)
                pool->hands[k].pid = 0;
    }
}

static void reaped(void *state, uint64_t id, pid_t pid,
                   const struct exit_record *exit)
{
    struct server *server = state;
    struct hand *hand;
    struct served *pool = pool_of_hand(server, id, &hand);
    enum phase phase;

    (void)pid;
    if (pool == NULL)
        return;
    hand->pid = 0;
    if (pool->state != POOL_ENDS)
        recover(server, pool, hand, exit);
    phase = hand_phase(pool, hand);
    if (phase == PHASE_OPENING ||
        (phase == PHASE_STARTING && !exit->signaled && !exit->lost))
        count_unfit(pool, phase, exit);
    else if (phase >= PHASE_WAITING && opened_since(pool))
        pool->unfit = 0;
    seats_reaped(pool, hand);
    look_for_end(server, pool);
}

/* ------------------------------------------------------------------ time ----
 */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t pool_tick(struct served *pool, int64_t now_ns)
{
    int64_t next = seats_look(pool, now_ns);

    if (pool->kill_ns != 0 && now_ns >= pool->kill_ns) {
        signal_all(pool, SIGKILL);
        pool->kill_ns = 0;
    } else if (pool->kill_ns != 0) {
        next = least(next, pool->kill_ns - now_ns);
    }
    for (unsigned i = 0; i < pool->plan.seats; i++) {
        struct hand *hand = &pool->hands[i];

        if (pool->watch_ns > 0 && pool->state != POOL_ENDS)
            hand_check_limit(pool, hand, now_ns);
        if (pool->state != POOL_ENDS)
            next = least(next, hand_see_halt(pool, hand, now_ns));
        if (hand->again_ns != 0 && now_ns >= hand->again_ns)
            hand_fork(pool, hand);
        if (hand->again_ns != 0)
            next = least(next, hand->again_ns - now_ns);
    }
    if (pool->watch_ns > 0 && pool->live > 0)
        next = least(next, pool->watch_ns / LIMIT_PARTS + NS_PER_US);
    return next;
}

static int64_t tick(void *state, int64_t now_ns)
{
    struct server *server = state;
    bool care = now_ns - server->cared_ns >= SEGMENT_CARE_NS;
    int64_t next = FOREVER;

    if (care)
        server->cared_ns = now_ns;
    for (size_t i = server->pools.count; i-- > 0;) {
        struct served *pool = server->pools.at[i];

        if (care && segment_sleepers(pool->segment))
            segment_care(pool->segment, server->helper);
        next = least(next, pool_tick(pool, now_ns));
    }
    return server->pools.count == 0
               ? FOREVER
               : least(next, server->cared_ns + SEGMENT_CARE_NS - now_ns);
}

/* --------------------------------------------------------------- opening ----
 */

/* What is not there now will not be there in the workers. */
static bool functions_are_there(const struct pool_plan *plan,
                                const uint64_t *functions)
{
    bool good = (plan->open == 0 || code_is_at(plan->open)) &&
                (plan->close == 0 || code_is_at(plan->close));

    for (unsigned i = 0; good && i < plan->function_count; i++) {
        uint64_t address;

        memcpy(&address, functions + i, sizeof address);
        good = code_is_at(address);
    }
    return good;
}

static void rung(void *arg, int fd)
{
    uint64_t times;

    if (read(fd, &times, sizeof times) == sizeof times)
        seats_look(arg, clock_now());
}

/* Where workers are replaced while they live, they say what they wish. */
static int hang_bell(struct server *server, struct served *pool)
{
    if (pool->plan.recycle == 0 && pool->plan.recycle_age_ns == 0 &&
        pool->plan.recycle_bytes == 0)
        return 0;
    pool->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->bell_fd < 0)
        return -errno;
    return helper_watch(server->helper, pool->bell_fd, rung, pool);
}

static int fill_pool(struct server *server, struct served *pool,
                     const struct helper_request *request)
{
    const struct pool_start start = { 0 };
    const char *plan = (const char *)request->data +
                       sizeof(struct pool_question);
    size_t size = request->size - sizeof(struct pool_question);
    int code;

    if (size < sizeof pool->plan || request->fd_count != OPEN_FDS)
        return WEIR_EINVAL;
    memcpy(&pool->plan, plan, sizeof pool->plan);
    if (pool->plan.workers < 1 || pool->plan.workers_most > WORKERS_MOST ||
        pool->plan.workers > pool->plan.workers_most ||
        pool->plan.seats < pool->plan.workers_most ||
        pool->plan.seats > WORKERS_MOST + SPARE_SEATS ||
        pool->plan.function_count > FUNCTIONS_MOST ||
        size != sizeof pool->plan +
                    pool->plan.function_count * sizeof(uint64_t) +
                    pool->plan.argument_size)
        return WEIR_EINVAL;
    if (!functions_are_there(&pool->plan,
                             (const uint64_t *)(plan + sizeof pool->plan)))
        return WEIR_ESTATE;
    pool->hands = calloc(pool->plan.seats, sizeof *pool->hands);
    buf_add(&pool->order, &start, sizeof start);
    if (buf_add(&pool->order, plan, size) != 0 || pool->hands == NULL)
        return WEIR_ENOMEM;
    pool->board_fd = request->fds[START_BOARD];
    request->fds[START_BOARD] = -1;
    code = board_map(&pool->board, pool->plan.seats, pool->plan.traces,
                     pool->board_fd);
    if (code == 0)
        code = segment_attach(request->fds[START_SEGMENT], &pool->segment,
                              NULL);
    return code == 0 ? hang_bell(server, pool) : code;
}

static int open_pool(struct server *server,
                     const struct helper_request *request)
{
    struct served *pool = calloc(1, sizeof *pool), **place;
    int code;

    if (pool == NULL)
        return WEIR_ENOMEM;
    pool->server = server;
    pool->board_fd = pool->bell_fd = -1;
    code = fill_pool(server, pool, request);
    place = code == 0 ? VEC_ADD(&server->pools) : NULL;
    if (place == NULL) {
        free_pool(server, pool);
        return code == 0 ? WEIR_ENOMEM : code;
    }
    *place = pool;
    pool->id = ++server->ids;
    pool->tag = request->tag;
    pool->watch_ns = pool->plan.limit_ns;
    pool->wanted = pool->to_fork = pool->plan.workers;
    atomic_store(&pool->board.head->workers, pool->wanted);
    for (unsigned i = 0; i < pool->wanted; i++) {
        struct hand *hand = seats_take(pool, i);

        hand->first = true;
        hand_fork(pool, hand);
    }
    return HELPER_LATER;
}

/* ------------------------------------------------------------- questions ----
 */

/* Tickets that nobody has in hand have ended, or their mark is seen before
 * they are run. */
static int stop_calls(struct served *pool, const struct helper_request *request)
{
    const char *at = (const char *)request->data + sizeof(struct pool_question);
    size_t size = request->size - sizeof(struct pool_question);
    struct pool_stop stop;

    if (size < sizeof stop)
        return WEIR_EINVAL;
    memcpy(&stop, at, sizeof stop);
    if (stop.count > STOP_MOST ||
        size != sizeof stop + stop.count * sizeof(uint64_t))
        return WEIR_EINVAL;
    for (uint64_t i = 0; i < stop.count; i++) {
        uint64_t ticket;

        memcpy(&ticket, at + sizeof stop + i * sizeof ticket, sizeof ticket);
        for (unsigned k = 0; k < pool->plan.seats; k++)
            if (hand_has(pool, &pool->hands[k], ticket))
                hand_stop(&pool->hands[k], ticket, stop.grace_ns, false);
    }
    return 0;
}

static int watch(struct served *pool, const struct helper_request *request)
{
    int64_t watch_ns;

    if (request->size != sizeof(struct pool_question) + sizeof watch_ns)
        return WEIR_EINVAL;
    memcpy(&watch_ns,
           (const char *)request->data + sizeof(struct pool_question),
           sizeof watch_ns);
    if (watch_ns < LIMIT_LEAST_NS)
        watch_ns = LIMIT_LEAST_NS;
    if (pool->watch_ns == 0 || watch_ns < pool->watch_ns)
        pool->watch_ns = watch_ns;
    return 0;
}

static int resize(struct served *pool, const struct helper_request *request)
{
    uint64_t workers;

    if (request->size != sizeof(struct pool_question) + sizeof workers)
        return WEIR_EINVAL;
    memcpy(&workers, (const char *)request->data + sizeof(struct pool_question),
           sizeof workers);
    if (workers < 1 || workers > pool->plan.workers_most)
        return WEIR_EINVAL;
    if (pool->state != POOL_RUNS)
        return WEIR_ECLOSED;
    pool->wanted = (unsigned)workers;
    atomic_store(&pool->board.head->workers, pool->wanted);
    seats_fit(pool);
    return 0;
}

static int request(void *state, const struct helper_request *request,
                   struct buf *reply)
{
    struct server *server = state;
    struct pool_question question;
    struct served *pool;
    int code = 0;

    if (request->size < sizeof question)
        return WEIR_EINVAL;
    memcpy(&question, request->data, sizeof question);
    if (question.word == POOL_OPEN)
        return open_pool(server, request);
    pool = pool_of(server, question.id);
    if (pool == NULL)
        return WEIR_EINVAL;
    switch (question.word) {
    case POOL_CLOSE:
        if (pool->state == POOL_RUNS)
            pool->state = POOL_CLOSES;
        break;
    case POOL_REASON:
        code = pool->code;
        buf_text(reply, pool->reason);
        break;
    case POOL_FREED:
        pool->freed = true;
        end_pool(pool, 0, NULL);
        break;
    case POOL_TERMINATE:
        end_pool(pool, 0, NULL);
        break;
    case POOL_STOP:
        code = stop_calls(pool, request);
        break;
    case POOL_RESIZE:
        code = resize(pool, request);
        break;
    case POOL_WATCH:
        code = watch(pool, request);
        break;
    default:
        return WEIR_EINVAL;
    }
    look_for_end(server, pool);
    return code;
}

const struct helper_service pool_service = {
    .name = "pool",
    .open = open_server,
    .request = request,
    .died = died,
    .forked = forked,
    .reaped = reaped,
    .tick = tick,
    .worker = pool_work,
};
