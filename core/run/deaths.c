/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * deaths.c - why workers died, and how people are told. Runs in the supervisor.
 *
 * What killed a process is not written anywhere: a signal may be its own, or
 * anybody's. It is told apart by what is known: whether weir sent one, and why;
 * what the kernel counts of those that it kills for want of memory.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "process/process.h"
#include "run/last_words.h"
#include "run/supervisor.h"

/* How old what was counted may be: while the run gets on, and at rest. */
#define KILLS_NS (10 * NS_PER_S)
#define KILLS_REST_NS (300 * NS_PER_S)
/* In that time at most TOLD_MOST of a stage are told. */
#define TOLD_NS (10 * NS_PER_S)
enum { TOLD_MOST = 5 };
#define IDLE_NS (60 * NS_PER_S)
/* Of a stage; for each worker. Of others' doing: */
enum { IDLE_MOST = 5, IDLE_MOST_EACH = 3 };
enum { OTHERS_MOST = 40, OTHERS_MOST_EACH = 10 };

static uint64_t settled(const struct supervisor *sup, unsigned number)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < sup->stages[number].job->workers; i++)
        sum += seat_settled(sup, sup->plan.first[number] + i);
    return sum;
}

/* Whether nothing was settled since this was asked last. */
static bool is_at_rest(struct supervisor *sup)
{
    uint64_t sum = 0, before = sup->settled;

    for (unsigned i = 0; i < sup->job->stages.count; i++)
        sum += settled(sup, i);
    sup->settled = sum;
    return sum == before;
}

/* Two looks back: what was counted just before a death that is not yet heard of
 * tells of it still. A look is some twenty calls of the system; what is at rest
 * takes no more memory, so there it can wait. */
void deaths_watch(struct supervisor *sup)
{
    int64_t age = sup->now - sup->kills_ns;

    if (sup->kills_ns != 0 && age < KILLS_NS)
        return;
    if (is_at_rest(sup) && sup->kills_ns != 0 && age < KILLS_REST_NS)
        return;
    sup->kills_older = sup->kills;
    memory_kills_look(&sup->kills);
    if (sup->kills_ns == 0)
        sup->kills_older = sup->kills;
    sup->kills_ns = sup->now;
}

/* The kernel kills workers with their nursery; what they were children of
 * until then is no more. */
static bool lost_nursery(const struct supervisor *sup, pid_t pid)
{
    struct stat_line line;
    pid_t nursery = sup->nursery != NULL ? nursery_pid(sup->nursery) : 0;
    int code = nursery != 0 ? stat_read(nursery, &line) : -ESRCH;

    if (code < 0)
        return code == -ESRCH;
    if (stat_is_dead(&line))
        return true;
    return stat_read(pid, &line) == 0 && line.parent != nursery;
}

struct death deaths_of(struct supervisor *sup, const struct seat *seat)
{
    struct death death;

    if (seat->struck)
        return seat->verdict;
    death = deaths_of_pid(sup, seat->pid);
    if (death.cause == CAUSE_EXIT &&
        member_parting(sup->segment, seat->member) != 0)
        death.code = (int)member_parting(sup->segment, seat->member);
    return death;
}

struct death deaths_of_pid(struct supervisor *sup, pid_t pid)
{
    struct death death = death_of(pid);

    if (death.cause == CAUSE_SIGNAL && death.code == SIGKILL &&
        lost_nursery(sup, pid))
        return (struct death){ CAUSE_KILLED, KILL_NURSERY };
    death_ask_kernel(&death, &sup->kills_older);
    if (death.cause == CAUSE_OUT)
        sup->kills = sup->kills_older;
    return death;
}

bool deaths_may_tell(struct supervisor *sup, struct stage *stage)
{
    if (sup->now - stage->told_ns >= TOLD_NS || stage->told == 0) {
        if (stage->untold > 0)
            progress_say(sup, LOG_INFO,
                         "%s: %u more workers died in this way or another",
                         stage->job->name, stage->untold);
        stage->told_ns = sup->now;
        stage->told = stage->untold = 0;
    }
    if (stage->told < TOLD_MOST)
        return stage->told++, true;
    stage->untold++;
    return false;
}

static void say_when(char *out, size_t room, const struct supervisor *sup,
                     const struct seat *seat, const struct recovered *hand,
                     unsigned tries)
{
    const struct job_stage *stage = sup->stages[seat->stage].job;

    if (hand->had_hand)
        snprintf(out, room,
                 "with item %016" PRIx64 "%016" PRIx64
                 " in hand, in attempt %u of %u",
                 hand->root, hand->path, hand->attempt, stage->retries + 1);
    else if (!seat->ready)
        snprintf(out, room, "while it was opened");
    else if (tries > 0)
        snprintf(out, room, "in attempt %u of %u", tries, stage->retries + 1);
    else
        snprintf(out, room, "with no item in hand");
}

/* Only where that was its last attempt: then another worker gives it up. */
void deaths_leave_words(struct supervisor *sup, const struct seat *seat)
{
    CLEANUP_BUF struct buf text = { 0 };
    struct recovered hand;

    member_hand(sup->segment, seat->member, &hand);
    if (hand.had_hand && hand.attempt > sup->stages[seat->stage].job->retries &&
        wrote_last(seat->wrote, &text) == 0 && text.size > 0)
        last_words_put(sup->last_words, hand.root, hand.path, text.data,
                       text.size);
}

void deaths_tell(struct supervisor *sup, const struct seat *seat,
                 const struct death *death, const struct recovered *hand,
                 unsigned tries)
{
    bool clean = death->cause == CAUSE_EXIT && death->code == 0;
    char words[DEATH_WORDS], when[128 + WROTE_LAST], name[96];

    if ((clean && !hand->had_hand) || seat->unopened || sup->stops > 1 ||
        sup->why != NULL || !deaths_may_tell(sup, &sup->stages[seat->stage]))
        return;
    say_when(when, sizeof when, sup, seat, hand, tries);
    wrote_add_last(seat->wrote, when, sizeof when);
    progress_say(sup, LOG_INFO, "%s: worker %d %s, %s",
                 supervisor_who(sup, seat->member, name, sizeof name),
                 (int)seat->pid, death_verdict(words, sizeof words, death),
                 when);
}

/* --------------------------------------------------------------- spinning ----
 */

/* By what people and their tools send, or by weir's own doing. */
bool deaths_own_fault(const struct death *death)
{
    if (death->cause == CAUSE_SIGNAL)
        return death->code != SIGKILL && death->code != SIGTERM &&
               death->code != SIGINT && death->code != SIGHUP;
    if (death->cause == CAUSE_OUT)
        return death->code != MEMORY_KILL_PERHAPS;
    return death->cause != CAUSE_KILLED;
}

static void fail_idle(struct supervisor *sup, const struct stage *stage,
                      unsigned count, const struct death *death)
{
    char words[DEATH_WORDS], time[32];

    text_from_duration(time, sup->now - stage->idle.since_ns);
    supervisor_fail(sup,
                    "stage '%s': its workers died %u times in %s with no item "
                    "in hand, and it did not get on meanwhile; the last one %s",
                    stage->job->name, count, time,
                    death_words(words, sizeof words, death));
}

/* With an item in hand its attempts end it, a source its tries, and one that
 * cannot be opened the third time: this is what nothing else bounds, as a death
 * while the state is saved. Who waits does not get on, either: so of those that
 * died in their wait, only a minute's count, and none by others' doing. At work
 * those count too, however long it takes: they may come of what the worker
 * does, as when the kernel takes it for its memory. */
void deaths_count(struct supervisor *sup, const struct seat *seat,
                  const struct death *death, bool waited)
{
    struct stage *stage = &sup->stages[seat->stage];
    struct idle_deaths *idle = &stage->idle;
    const unsigned workers = stage->job->workers;
    uint64_t now = settled(sup, seat->stage);
    bool own = deaths_own_fault(death);

    if (!seat->ready || seat->unopened || sup->stops > 1 ||
        member_book(sup->segment, seat->member)->ended != 0 || (waited && !own))
        return;
    if (idle->own + idle->others == 0 || now != idle->settled ||
        (waited && sup->now - idle->since_ns > IDLE_NS))
        *idle = (struct idle_deaths){ .since_ns = sup->now, .settled = now };
    if (own && ++idle->own >= IDLE_MOST + IDLE_MOST_EACH * workers)
        fail_idle(sup, stage, idle->own, death);
    if (!own && ++idle->others >= OTHERS_MOST + OTHERS_MOST_EACH * workers)
        fail_idle(sup, stage, idle->others, death);
}
