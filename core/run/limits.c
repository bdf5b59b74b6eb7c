/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits.c - time limits and the sweep. Runs in the supervisor.
 *
 * No worker reads a clock for its limit: its turn number is looked at, a
 * sixteenth of the limit apart. One that stands still, while the worker waits
 * for nothing, is the same attempt all the time. The same holds for its number
 * of signs of life, where the stage has a `heartbeat`; and past the soft limit
 * the turn's number is written back to it, and means nothing for the next one.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "run/host.h"
#include "run/supervisor.h"

#define GRACE_NS (2 * NS_PER_S) /* between SIGTERM and SIGKILL */
#define GRACE_LEAST_NS (100 * NS_PER_MS)
#define SWEEP_NS (1 * NS_PER_S)
#define LATE_NS (200 * NS_PER_MS)
#define SLOW_NS (10 * NS_PER_S) /* to open, to close: then it is told */
enum { PARTS = 16, HOLDER_SEEN = 3 };

static void strike(struct supervisor *sup, struct seat *seat, int64_t limit_ns,
                   enum limit_code code)
{
    int64_t grace = limit_ns < GRACE_NS ? limit_ns : GRACE_NS;

    seat->struck = true;
    seat->verdict = (struct death){ CAUSE_LIMIT, code };
    seat->kill_ns = sup->now +
                    (grace > GRACE_LEAST_NS ? grace : GRACE_LEAST_NS);
    kill(-seat->pid, SIGTERM);
    kill(-seat->pid, SIGCONT); /* a stopped one would not see it */
}

static int64_t watch_struck(struct supervisor *sup, struct seat *seat)
{
    if (!seat->killed && sup->now >= seat->kill_ns) {
        seat->killed = true;
        kill(-seat->pid, SIGKILL);
    }
    return seat->killed ? FOREVER : seat->kill_ns;
}

/* What is new of it: another turn, or a sign of life in this one. */
static void look(struct supervisor *sup, struct seat *seat,
                 const struct member_sample *sample)
{
    if (sample->turn != seat->turn || sample->waiting != WAITING_NOT ||
        !seat->ready) {
        seat->turn = sample->turn;
        seat->turn_since = seat->beat_since = sup->now;
        seat->told = false;
    }
    if (sample->beat != seat->beat)
        seat->beat_since = sup->now;
    seat->beat = sample->beat;
}

/* To open a task takes as long as it takes, and so it does to close it where
 * the stage has no limit: no item can be blamed. People are told, once. */
static void tell_slow(struct supervisor *sup, struct seat *seat)
{
    bool closes = seat->ready && member_book(sup->segment, seat->member)->ended;
    bool *told = closes ? &seat->told_close : &seat->told_open;
    int64_t since = closes ? seat->turn_since : seat->started_ns;
    char name[96];

    if (*told || (seat->ready && !closes) || sup->now - since < SLOW_NS)
        return;
    *told = true;
    progress_say(sup, LOG_WARNING, "%s: worker %d still %s its task",
                 supervisor_who(sup, seat->member, name, sizeof name),
                 (int)seat->pid, closes ? "closes" : "opens");
}

/* Returns when this seat is to be looked at again. */
static int64_t watch_seat(struct supervisor *sup, struct seat *seat)
{
    const struct job_stage *job = sup->stages[seat->stage].job;
    int64_t shortest = sooner(job->heartbeat_ns,
                              sooner(job->soft_ns, job->timeout_ns));
    struct member_sample sample;

    if (seat->struck)
        return watch_struck(sup, seat);
    member_sample(sup->segment, seat->member, &sample);
    look(sup, seat, &sample);
    tell_slow(sup, seat);
    if (shortest == FOREVER || !seat->ready)
        return FOREVER;
    if (sup->now - seat->turn_since >= job->soft_ns && !seat->told) {
        seat->told = true;
        member_set_overdue(sup->segment, seat->member, seat->turn);
    }
    if (sup->now - seat->turn_since >= job->timeout_ns)
        strike(sup, seat, job->timeout_ns, LIMIT_TIME);
    else if (sup->now - seat->beat_since >= job->heartbeat_ns)
        strike(sup, seat, job->heartbeat_ns, LIMIT_SILENT);
    if (seat->struck)
        return seat->kill_ns;
    return sample.waiting == WAITING_NOT ? sup->now + shortest / PARTS
                                         : FOREVER;
}

int64_t limits_watch(struct supervisor *sup)
{
    int64_t next = FOREVER;

    for (unsigned i = 0; i < sup->plan.workers; i++) {
        int64_t wish;

        if (sup->seats[i].state != SEAT_LIVE)
            continue;
        wish = watch_seat(sup, &sup->seats[i]);
        next = sooner(next, wish);
    }
    return next;
}

void limits_shift(struct supervisor *sup, int64_t ns)
{
    if (sup->deadline_ns != FOREVER)
        sup->deadline_ns += ns;
    recycle_shift(sup, ns);
    for (unsigned i = 0; i < sup->plan.workers; i++) {
        sup->seats[i].turn_since += ns;
        sup->seats[i].beat_since += ns;
        sup->seats[i].kill_ns += ns;
        sup->seats[i].started_ns += ns;
        if (sup->seats[i].due_ns > 0)
            sup->seats[i].due_ns += ns;
    }
}

/* Who comes that late was stopped or frozen, and the workers perhaps with it; a
 * look would find them where they were, and blame their items for that time. It
 * is the supervisor's, too, where it alone was stopped: then an attempt has so
 * much more time. */
void limits_awake(struct supervisor *sup, int64_t until, int64_t now)
{
    int64_t due = until > sup->now ? until : sup->now;

    if (due != FOREVER && now - due > LATE_NS)
        limits_shift(sup, now - due);
}

static struct seat *seat_of(const struct supervisor *sup, pid_t pid)
{
    for (unsigned i = 0; i < sup->plan.workers; i++)
        if (sup->seats[i].state == SEAT_LIVE && sup->seats[i].pid == pid)
            return &sup->seats[i];
    return NULL;
}

static bool is_ours(const struct supervisor *sup, pid_t pid)
{
    return seat_of(sup, pid) != NULL || pid == sup->reader.pid ||
           pid == sup->writer.pid || pid == sup->keeper.pid ||
           pid == sup->feeder.pid || pid == sup->journal.pid ||
           gates_have(sup, pid);
}

/* Who was stopped while it held a lock holds up everybody: it goes on, or it
 * goes. */
static void press_holder(struct supervisor *sup, pid_t holder)
{
    struct stat_line line;
    struct seat *seat;

    sup->holder_seen = holder == sup->holder ? sup->holder_seen + 1 : 1;
    sup->holder = holder;
    if (!is_ours(sup, holder) || stat_read(holder, &line) != 0 ||
        !stat_is_stopped(&line))
        return;
    seat = seat_of(sup, holder);
    if (sup->holder_seen >= HOLDER_SEEN && seat != NULL && !seat->struck) {
        seat->struck = seat->killed = true;
        seat->verdict = (struct death){ CAUSE_KILLED, KILL_HOLDER };
    }
    kill(holder, sup->holder_seen < HOLDER_SEEN ? SIGCONT : SIGKILL);
}

bool supervisor_locks_free(struct supervisor *sup)
{
    pid_t holder = 0;

    if (segment_sweep(sup->segment, &holder) < 0) {
        supervisor_fail(sup, "shared memory is damaged");
        return true;
    }
    if (holder != 0)
        press_holder(sup, holder);
    else
        sup->holder = 0;
    return holder == 0;
}

void limits_sweep(struct supervisor *sup)
{
    if (sup->now - sup->swept_ns < SWEEP_NS)
        return;
    sup->swept_ns = sup->now;
    if (segment_broken(sup->segment))
        supervisor_fail(sup, "shared memory was damaged by a worker");
    else if (segment_sleepers(sup->segment))
        supervisor_locks_free(sup);
}
