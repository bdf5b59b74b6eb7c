/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seats.c - workers of a run: ordered from the nursery, forked, dead, replaced;
 * and what follows for stages and queues. Runs in the supervisor.
 *
 *   IDLE -> DUE -> ORDERED -> LIVE -> DUE (died) ... -> ENDED
 *                     -> DUE (refused; the nursery died)
 *   LIVE -> LIVE (another, which was ready: recycle.c), or VACANT until then
 *
 * A death is handled in this order: its last news and what it wrote, how it
 * ended (by /proc, while it is not reaped), recovery, the reaping, the
 * successor.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/process.h"
#include "run/backoff.h"
#include "run/gate.h"
#include "run/host.h"
#include "run/last_words.h"

enum {
    CLOSED_MOST = 3,   /* deaths in a row before the task was open */
    KILLED_MOST = 10,  /* the same, by somebody else's doing */
    REFUSED_MOST = 8,  /* forks refused in a row */
    NURSERY_MOST = 30, /* nurseries in a row that could not be prepared */
    LOOKS_MOST = 100,  /* in vain, with a nap between: half a second */
};
#define YOUNG_NS (100 * NS_PER_MS)
#define NURSERY_BACKOFF_NS (100 * NS_PER_MS)
#define GONE_MS 2000

static const struct death with_nursery = { CAUSE_KILLED, KILL_NURSERY };

/* ---------------------------------------------------------------- stages ----
 */

const char *seats_task(const struct supervisor *sup, unsigned stage, char *out,
                       size_t room)
{
    const struct job_stage *it = sup->stages[stage].job;

    snprintf(out, room, "%s.%s", it->plugin, it->task);
    return out;
}

static bool is_source(const struct supervisor *sup, unsigned stage)
{
    return sup->stages[stage].job->from.count == 0;
}

static bool may_start(const struct supervisor *sup, const struct stage *stage)
{
    for (size_t i = 0; i < stage->job->after.count; i++)
        if (!sup->stages[stage->job->after.at[i]].ended)
            return false;
    return true;
}

static void end_stage(struct supervisor *sup, unsigned number)
{
    struct stage *stage = &sup->stages[number];
    weir_error err = { 0 };

    if (stage->ended)
        return;
    stage->ended = sup->changed = true;
    if (stage->started && sinks_finish(sup->segment, number, &err) < 0)
        supervisor_fail(sup, "stage '%s': %s", stage->job->name, err.text);
}

void seats_stage_empty(struct supervisor *sup, unsigned number)
{
    const struct stage *stage = &sup->stages[number];

    if (stage->live == 0 && stage->spare.state == SPARE_NONE)
        end_stage(sup, number);
}

static void end_seat(struct supervisor *sup, struct seat *seat)
{
    struct stage *stage = &sup->stages[seat->stage];

    if (seat->state == SEAT_ENDED)
        return;
    seat->state = SEAT_ENDED;
    seat->asked = false;
    stage->live--;
    recycle_drop(sup, seat);
    seats_stage_empty(sup, seat->stage);
}

static void start_stage(struct supervisor *sup, unsigned number)
{
    struct stage *stage = &sup->stages[number];
    struct seat *seats = sup->seats + sup->plan.first[number];
    bool skipped = (sup->stops > 0 || sup->plan.replays) &&
                   is_source(sup, number);

    stage->started = !skipped;
    halt_begin(sup, number);
    for (unsigned i = 0; i < stage->job->workers; i++) {
        if (skipped || member_book(sup->segment, seats[i].member)->ended != 0) {
            end_seat(sup, &seats[i]); /* in the run that goes on here */
        } else {
            seats[i].state = SEAT_DUE;
            seats[i].due_ns = 0;
        }
    }
}

void seats_start_stages(struct supervisor *sup)
{
    if (!sup->changed)
        return;
    for (unsigned i = 0; i < sup->job->stages.count; i++)
        if (!sup->stages[i].started && !sup->stages[i].ended &&
            may_start(sup, &sup->stages[i]))
            start_stage(sup, i);
}

static bool filled_by_anyone(const struct supervisor *sup, unsigned queue)
{
    if (!sup->feeder.ended && (int)queue != sup->plan.output)
        return true;
    if ((int)queue == sup->plan.input)
        return !sup->reader.ended;
    if (gates_fill(sup, queue))
        return true;
    for (unsigned i = 0; i < sup->job->stages.count; i++)
        if (!sup->stages[i].ended && plan_fills(&sup->plan, i, queue))
            return true;
    return false;
}

/* A queue is closed when all who fill it have ended. */
void seats_close_queues(struct supervisor *sup)
{
    if (!sup->changed)
        return;
    for (unsigned i = 0; i < sup->plan.queues.count; i++) {
        if (sup->closed[i] || i == sup->plan.report || filled_by_anyone(sup, i))
            continue;
        if (!supervisor_locks_free(sup))
            return; /* in the next round */
        sup->closed[i] = true;
        if (queue_close(sup->segment, i) < 0)
            supervisor_fail(sup, "shared memory is damaged");
    }
    sup->changed = false;
}

bool seats_all_ended(const struct supervisor *sup)
{
    if (sup->stages == NULL) /* the run was not set up */
        return false;
    for (size_t i = 0; i < sup->job->stages.count; i++)
        if (!sup->stages[i].ended)
            return false;
    return true;
}

/* ---------------------------------------------------------------- orders ----
 */

uint64_t seat_settled(const struct supervisor *sup, unsigned member)
{
    const struct book *book = member_book(sup->segment, member);

    return book->done + book->failed + book->skipped + book->emitted +
           book->ordinal;
}

/* Two files without a name, for the task that saves its state. */
int seat_open_saved(struct seat *seat)
{
    for (unsigned i = 0; i < 2; i++) {
        if (seat->saved_fds[i] >= 0)
            continue;
        seat->saved_fds[i] = memfd_create("weir-state", MFD_CLOEXEC);
        if (seat->saved_fds[i] < 0)
            return -errno;
    }
    return 0;
}

/* What an heir is ordered by. */
static uint64_t heir_id(const struct supervisor *sup, unsigned stage)
{
    return (uint64_t)sup->plan.members + stage;
}

/* @turn_fd: of one that follows who sits there; -1. @wrote: for what it writes.
 */
static int order(struct supervisor *sup, struct seat *seat, int turn_fd,
                 struct wrote **wrote)
{
    struct nursery_order order = { .id = seat->member, .fd_count = POST_SAVED };
    CLEANUP_BUF struct buf data = { 0 };
    struct post post;
    bool own = false;
    int code = plan_post(&sup->plan, seat->stage, seat->index, &post);

    post.follows = turn_fd >= 0;
    if (post.follows)
        order.id = heir_id(sup, seat->stage);
    if (code == 0)
        code = post_write(&post, &data);
    post_done(&post);
    if (code == 0 && sup->stages[seat->stage].job->desc.has_save) {
        code = seat_open_saved(seat);
        order.fds[POST_SAVED] = seat->saved_fds[0];
        order.fds[POST_SAVED + 1] = seat->saved_fds[1];
        order.fd_count = POST_FDS;
    }
    if (code < 0)
        return code;
    order.data = data.data;
    order.size = data.size;
    order.fds[POST_SEGMENT] = sup->segment_fd;
    order.fds[POST_NEWS] = sup->news_out;
    order.fds[POST_STOP] = sup->stop_fd;
    order.fds[POST_FILES] = sup->journal_lock >= 0 ? sup->journal_lock
                                                   : sup->stop_fd;
    order.fds[POST_TURN] = post.follows ? turn_fd : sup->stop_fd;
    order.fds[POST_LAST_WORDS] = sup->last_words != NULL
                                     ? last_words_fd(sup->last_words)
                                     : sup->stop_fd;
    order.fds[POST_STDERR] = wrote_open(sup, seat->member, wrote, &own);
    code = nursery_fork(sup->nursery, &order);
    if (own)
        close(order.fds[POST_STDERR]);
    return code;
}

int seats_order_heir(struct supervisor *sup, struct seat *seat, int turn_fd,
                     struct wrote **wrote)
{
    return order(sup, seat, turn_fd, wrote);
}

static void refused(struct supervisor *sup, struct seat *seat, int code)
{
    seat->state = SEAT_DUE;
    seat->due_ns = sup->now + backoff_fork_ns(++seat->refused);
    if (seat->refused >= REFUSED_MOST)
        supervisor_fail(sup, "a worker of stage '%s' cannot be started: %s",
                        sup->stages[seat->stage].job->name,
                        weir_strerror(code));
}

/* Before another is asked for: its first words may come before the news that it
 * was forked. */
void seats_clear(struct seat *seat)
{
    seat->ready = seat->unopened = false;
    seat->wish = seat->large = seat->asked = false;
}

int64_t seats_order(struct supervisor *sup)
{
    int64_t next = FOREVER;

    for (unsigned i = 0; i < sup->plan.workers; i++) {
        struct seat *seat = &sup->seats[i];
        int code;

        if (seat->state != SEAT_DUE && seat->state != SEAT_VACANT)
            continue;
        if (sup->stops > 1) {
            end_seat(sup, seat);
            continue;
        }
        if (seat->state == SEAT_VACANT)
            continue;
        if (seat->due_ns > sup->now || sup->nursery == NULL) {
            next = seat->due_ns < next ? seat->due_ns : next;
            continue;
        }
        if (wrote_is_stuck(sup))
            continue; /* until what the dead wrote could be passed on */
        seats_clear(seat);
        seat->state = SEAT_ORDERED;
        code = order(sup, seat, -1, &seat->wrote);
        if (code < 0 && code != WEIR_EBROKEN)
            refused(sup, seat, code);
        else if (code < 0) /* the nursery's death is told soon */
            seat->state = SEAT_DUE;
    }
    return next;
}

void seats_sit(struct supervisor *sup, struct seat *seat, pid_t pid, int pidfd)
{
    seat->state = SEAT_LIVE;
    seat->pid = pid;
    seat->pidfd = pidfd;
    seat->started_ns = seat->turn_since = seat->beat_since = sup->now;
    seat->settled = seat_settled(sup, seat->member);
    seat->refused = 0;
    seat->struck = seat->killed = seat->told = false;
    seat->told_open = seat->told_close = false;
    if (supervisor_watch(sup, pidfd, WATCH_SEAT, seat->member) < 0)
        supervisor_fail(sup, "no descriptors left for a worker");
}

/* ---------------------------------------------------------------- deaths ----
 */

/* What was gathered is lost when nobody else has it. */
static bool lost_state(const struct supervisor *sup, const struct seat *seat)
{
    const struct job_stage *stage = sup->stages[seat->stage].job;

    return stage->desc.has_flush && !stage->desc.has_save &&
           !stage->desc.stateless && stage->from.count > 0 &&
           member_book(sup->segment, seat->member)->done > 0;
}

/* A signal from outside, in an `open` that takes long, is no fault of the
 * stage; and who lacks memory there may have it the next time. But who ends
 * each worker as it opens, for the memory that it takes there, say, would do so
 * for ever. */
static bool may_open_yet(const struct death *death)
{
    return !deaths_own_fault(death) || death->cause == CAUSE_OUT;
}

static void cannot_open(struct supervisor *sup, struct seat *seat,
                        const struct death *death)
{
    bool yet = may_open_yet(death);
    unsigned most = yet ? KILLED_MOST + sup->options->kills : CLOSED_MOST;
    unsigned count = yet ? ++seat->cut_off : ++seat->closed;
    char words[DEATH_WORDS], last[WROTE_LAST] = "";

    if (count < most)
        return;
    wrote_add_last(seat->wrote, last, sizeof last);
    supervisor_fail(sup,
                    "stage '%s' cannot start: its worker %s while it was "
                    "opened, %u times in a row%s",
                    sup->stages[seat->stage].job->name,
                    death_words(words, sizeof words, death), count, last);
}

/* A source, or a flush, that dies again and again without a commit. */
static bool tries_used_up(const struct supervisor *sup, const struct seat *seat,
                          unsigned tries)
{
    return tries > sup->stages[seat->stage].job->retries;
}

static void replace(struct supervisor *sup, struct seat *seat,
                    const struct death *death, unsigned tries)
{
    bool progress = seat_settled(sup, seat->member) != seat->settled;

    if (!progress && sup->now - seat->started_ns < YOUNG_NS)
        seat->young++;
    else
        seat->young = 0;
    /* The tries of a source, or of a flush, are those of its worker. */
    if (tries > 0)
        recycle_drop(sup, seat);
    if (recycle_follow(sup, seat))
        return;
    seat->state = SEAT_DUE;
    seat->due_ns = sup->now + backoff_fork_ns(seat->young > 1 || !seat->ready
                                                  ? seat->young
                                                  : 0);
    if (tries > 0) {
        int64_t wait = backoff_ns(
            &sup->stages[seat->stage].job->waits[backoff_class(death->cause)],
            tries, seat->member, seat->settled);

        if (sup->now + wait > seat->due_ns)
            seat->due_ns = sup->now + wait;
    }
}

/* It is dead and recovered: who sits there next? */
static void succeed(struct supervisor *sup, struct seat *seat,
                    const struct death *death, unsigned tries)
{
    struct stage *stage = &sup->stages[seat->stage];
    bool clean = death->cause == CAUSE_EXIT && death->code == 0;
    char words[DEATH_WORDS], task[160], last[WROTE_LAST] = "";

    if (!clean && !seat->unopened)
        stage->deaths++;
    if (member_book(sup->segment, seat->member)->ended != 0 || sup->stops > 1 ||
        sup->why != NULL) {
        end_seat(sup, seat);
        return;
    }
    death_words(words, sizeof words, death);
    wrote_add_last(seat->wrote, last, sizeof last);
    if (!seat->ready) {
        if (!seat->unopened)
            cannot_open(sup, seat, death);
    } else if (lost_state(sup, seat)) {
        supervisor_fail(sup,
                        "stage '%s' has lost what it had gathered: its worker "
                        "%s, and task '%s' does not save its state%s",
                        stage->job->name, words,
                        seats_task(sup, seat->stage, task, sizeof task), last);
    } else if (tries_used_up(sup, seat, tries)) {
        supervisor_fail(sup,
                        "stage '%s': its worker %s %u times without getting "
                        "on%s",
                        stage->job->name, words, tries, last);
    }
    replace(sup, seat, death, tries);
}

/* Whoever dies, dies of that. */
static bool ends_now(const struct supervisor *sup)
{
    return sup->over || sup->stops > 1 || sup->why != NULL;
}

static void recover(struct supervisor *sup, unsigned member,
                    const struct death *death, struct recovered *hand_out)
{
    const struct seat *seat = &sup->seats[member];
    unsigned dropper = sup->plan.dropper[seat->stage];
    int code;

    if (ends_now(sup)) /* who resumes is to do it as if it had not begun */
        member_pardon(sup->segment, member);
    code = member_recover(sup->segment, member, death->cause, death->code,
                          hand_out);
    if (code >= 0 && dropper != 0)
        code = member_recover(sup->segment, dropper + seat->index, CAUSE_NONE,
                              0, NULL);
    if (code < 0)
        supervisor_fail(sup, "shared memory is damaged");
}

void seats_died(struct supervisor *sup, unsigned member)
{
    struct seat *seat = &sup->seats[member];
    struct recovered hand = { 0 };
    struct member_sample sample;
    struct death death;

    if (seat->state != SEAT_LIVE || !supervisor_locks_free(sup))
        return; /* its pidfd tells again */
    supervisor_hear_news(sup);
    if (seat->state != SEAT_LIVE || !seat_is_dead(sup, seat->pidfd) ||
        recycle_had_left(sup, seat))
        return; /* who died has left the seat to another */
    wrote_end(sup, seat->wrote);
    death = deaths_of(sup, seat);
    member_sample(sup->segment, member, &sample);
    deaths_leave_words(sup, seat);
    recover(sup, member, &death, &hand);
    deaths_tell(sup, seat, &death, &hand, sample.tries);
    if (hand.had_hand && sample.turn == seat->turn)
        sup->stages[seat->stage].lost_ns += sup->now - seat->turn_since;
    if (!hand.had_hand && sample.tries == 0)
        deaths_count(sup, seat, &death, sample.waiting != WAITING_NOT);
    supervisor_unwatch(sup, seat->pidfd);
    fd_close(&seat->pidfd);
    if (sup->nursery != NULL)
        nursery_reap(sup->nursery, seat->pid);
    else
        waitpid(seat->pid, NULL, WNOHANG); /* it came down to us */
    succeed(sup, seat, &death, sample.tries);
}

/* --------------------------------------------------------------- nursery ----
 */

/* Its pidfd tells again while it is not taken to be dead: where poll fails for
 * good, that would be for ever. Once that is known nobody else waits for it. */
bool seat_is_dead(struct supervisor *sup, int pidfd)
{
    const struct timespec nap = { .tv_nsec = 5 * NS_PER_MS };
    struct pollfd poller = { .fd = pidfd, .events = POLLIN };
    int got = poll(&poller, 1, 0);

    for (unsigned i = 0; got < 0 && i < (sup->why == NULL ? LOOKS_MOST : 1);
         i++) {
        nanosleep(&nap, NULL);
        got = poll(&poller, 1, 0);
    }
    if (got < 0)
        supervisor_fail(sup, "cannot see whether a worker has ended: %s",
                        strerror(errno));
    return got == 1;
}

void seat_wait_dead(int pidfd)
{
    struct pollfd poller = { .fd = pidfd, .events = POLLIN };
    int got;

    do {
        got = poll(&poller, 1, GONE_MS);
    } while (got < 0 && errno == EINTR);
}

/* Children of ours that are none of the nursery's orphans. */
static void clear_orphans(struct supervisor *sup)
{
    int64_t deadline = clock_deadline(GONE_MS * NS_PER_MS);
    CLEANUP_FREE pid_t *spare = calloc(sup->spare.count + 5 + sup->gate_count,
                                       sizeof *spare);
    size_t count = 0;

    if (spare == NULL)
        return;
    for (size_t i = 0; i < sup->spare.count; i++)
        spare[count++] = sup->spare.at[i];
    spare[count++] = sup->reader.pid;
    spare[count++] = sup->writer.pid;
    spare[count++] = sup->keeper.pid;
    spare[count++] = sup->feeder.pid;
    spare[count++] = sup->journal.pid;
    for (unsigned i = 0; i < sup->gate_count; i++)
        spare[count++] = sup->gates[i].pid;
    while (fork_clear_strays(spare, count) > 0 && clock_left(deadline) > 0)
        poll(NULL, 0, 1);
}

/* It was killed, and its workers with it: those we know, and those that it
 * had forked and not yet told. */
/* Who was ordered and never seen is dead, but may have begun. False: and it has
 * ended well. */
static bool undo_unseen(struct supervisor *sup, struct seat *seat)
{
    recover(sup, seat->member, &with_nursery, NULL);
    if (member_book(sup->segment, seat->member)->ended == 0)
        return true;
    end_seat(sup, seat);
    return false;
}

static void nursery_gone(struct supervisor *sup)
{
    nursery_stop(&sup->nursery);
    recycle_nursery_gone(sup);
    for (unsigned i = 0; i < sup->plan.workers; i++) {
        if (sup->seats[i].state != SEAT_LIVE)
            continue;
        if (!sup->seats[i].struck)
            sup->seats[i].verdict = with_nursery;
        sup->seats[i].struck = true;
        kill(-sup->seats[i].pid, SIGKILL);
        seat_wait_dead(sup->seats[i].pidfd);
        seats_died(sup, i);
    }
    clear_orphans(sup);
    for (unsigned i = 0; i < sup->plan.workers; i++) {
        if (sup->seats[i].state != SEAT_ORDERED)
            continue;
        wrote_end(sup, sup->seats[i].wrote);
        if (undo_unseen(sup, &sup->seats[i])) {
            sup->seats[i].state = SEAT_DUE;
            sup->seats[i].due_ns = 0;
        }
    }
}

/* Another one. It is killed perhaps while it loads, too: so now and then. */
int64_t seats_new_nursery(struct supervisor *sup)
{
    weir_error err = { 0 };
    int code;

    if (sup->nursery != NULL || sup->why != NULL || sup->stops > 1)
        return FOREVER;
    if (sup->now < sup->nursery_due_ns)
        return sup->nursery_due_ns;
    code = job_nursery(sup->job, sup->job_options, &sup->nursery, &err);
    if (code < 0) {
        int64_t wait = backoff_fork_ns(++sup->nursery_failed);

        sup->nursery_due_ns = clock_now() + (wait < NURSERY_BACKOFF_NS
                                                 ? wait
                                                 : NURSERY_BACKOFF_NS);
        if (sup->nursery_failed >= NURSERY_MOST)
            supervisor_fail(sup,
                            "the process that forks workers was killed, and "
                            "another cannot be started: %s",
                            err.text);
        return sup->nursery_due_ns;
    }
    sup->nursery_failed = 0;
    if (supervisor_watch(sup, nursery_fd(sup->nursery), WATCH_NURSERY, 0) < 0)
        supervisor_fail(sup, "no descriptors left for a nursery");
    return FOREVER;
}

static void reaped(struct supervisor *sup, const struct nursery_event *event)
{
    uint64_t id = event->id;
    struct stage *stage =
        &sup->stages[id < sup->plan.members ? sup->seats[id].stage
                                            : id - sup->plan.members];
    int64_t bytes = event->exit.usage.ru_maxrss * INT64_C(1024);

    if (bytes > stage->memory_bytes)
        stage->memory_bytes = bytes;
}

void seats_nursery(struct supervisor *sup)
{
    struct nursery_event event;

    while (sup->nursery != NULL && nursery_next(sup->nursery, &event) == 1) {
        unsigned member = (unsigned)event.id;

        if (event.kind == NURSERY_GONE) {
            nursery_gone(sup);
            return;
        }
        if (event.kind == NURSERY_REAPED)
            reaped(sup, &event);
        else if (event.id >= sup->plan.members)
            recycle_answer(sup, (unsigned)(event.id - sup->plan.members),
                           &event);
        else if (event.kind == NURSERY_FORKED)
            seats_sit(sup, &sup->seats[member], event.pid, event.pidfd);
        else if (undo_unseen(sup, &sup->seats[member]))
            refused(sup, &sup->seats[member], event.code);
    }
}

/* ------------------------------------------------------------- the whole ----
 */

void seats_signal(struct supervisor *sup, int signal)
{
    for (unsigned i = 0; i < sup->plan.workers; i++)
        if (sup->seats[i].state == SEAT_LIVE)
            kill(-sup->seats[i].pid, signal);
    recycle_signal(sup, signal);
}

void seats_end(struct supervisor *sup)
{
    const struct death death = { CAUSE_NONE, 0 };

    if (sup->nursery != NULL && sup->epoll >= 0)
        supervisor_unwatch(sup, nursery_fd(sup->nursery));
    nursery_stop(&sup->nursery);
    recycle_end(sup);
    for (unsigned i = 0; sup->seats != NULL && i < sup->plan.workers; i++) {
        struct seat *seat = &sup->seats[i];

        if (seat->state == SEAT_LIVE) {
            seat_wait_dead(seat->pidfd);
            waitpid(seat->pid, NULL, WNOHANG);
        }
        wrote_end(sup, seat->wrote);
        if (seat->state == SEAT_LIVE || seat->state == SEAT_ORDERED)
            recover(sup, i, &death, NULL);
        fd_close(&seat->pidfd);
    }
    if (sup->adopts)
        clear_orphans(sup);
}

int seats_init(struct supervisor *sup, weir_error *err)
{
    const struct job *job = sup->job;

    sup->seats = calloc(sup->plan.workers + 1, sizeof *sup->seats);
    sup->stages = calloc(job->stages.count + 1, sizeof *sup->stages);
    sup->closed = calloc(sup->plan.queues.count + 1, sizeof *sup->closed);
    if (sup->seats == NULL || sup->stages == NULL || sup->closed == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for the run");
    for (unsigned i = 0; i < job->stages.count; i++) {
        struct stage *stage = &sup->stages[i];

        stage->job = &job->stages.at[i];
        stage->live = stage->job->workers;
        recycle_init(stage);
        for (unsigned k = 0; k < stage->job->workers; k++) {
            unsigned member = sup->plan.first[i] + k;

            sup->seats[member] = (struct seat){ .member = member,
                                                .stage = i,
                                                .index = k,
                                                .pidfd = -1,
                                                .saved_fds = { -1, -1 } };
        }
    }
    return 0;
}

void seats_done(struct supervisor *sup)
{
    for (unsigned i = 0; sup->seats != NULL && i < sup->plan.workers; i++) {
        fd_close(&sup->seats[i].pidfd);
        fd_close(&sup->seats[i].saved_fds[0]);
        fd_close(&sup->seats[i].saved_fds[1]);
        wrote_close(&sup->seats[i].wrote);
    }
    for (size_t i = 0; sup->stages != NULL && i < sup->job->stages.count; i++)
        halt_done(&sup->stages[i].halt);
    free(sup->seats);
    free(sup->stages);
    free(sup->closed);
}
