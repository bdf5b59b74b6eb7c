/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recycle.c - workers that are replaced while the stage goes on. Runs in the
 * supervisor; follow.c is the workers' side.
 *
 * Beside its workers a stage has at most one process more: the spare. First it
 * is the heir of one of them; when that one has left its entry, the two change
 * places, and the spare is who has left, until it has closed its task. So a
 * stage of many workers never has many heirs that open at the same time.
 *
 *   NONE -> ORDERED -> HEIR -> (changes places) LEAVER -> NONE
 *
 *   the heir dies, or cannot be forked or opened    the old one stays; another
 *                         heir is tried later, and later each time
 *   the old one dies      the heir follows at once, also when it still opens
 *   the nursery dies      all do
 *   the stage ends        the heir closes its task, and is waited for as the
 *                         workers are; one that still opens is killed
 *
 * The heir gets its turn here, when the entry is free: because the old one has
 * left it, or was recovered. So this process always knows who has it.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/supervisor.h"

/* After one heir that did not come to serve; after more, longer and longer. */
#define AGAIN_NS (100 * NS_PER_MS)
#define AGAIN_MOST_NS (60 * NS_PER_S)
#define GRACE_NS (2 * NS_PER_S)      /* between SIGTERM and SIGKILL */
#define SLOW_NS (10 * NS_PER_S)      /* then it is told */
#define PATIENCE_NS (600 * NS_PER_S) /* with a hung one: see patience */
enum { DOUBLINGS = 10, LONGER = 3 };

static struct spare *spare_of(struct supervisor *sup, const struct seat *seat)
{
    return &sup->stages[seat->stage].spare;
}

/* Who is to follow in this seat; NULL: nobody. */
static struct spare *heir_of(struct supervisor *sup, const struct seat *seat)
{
    struct spare *spare = spare_of(sup, seat);
    bool is = spare->state == SPARE_ORDERED || spare->state == SPARE_HEIR;

    return is && spare->member == seat->member && !spare->unwanted ? spare
                                                                   : NULL;
}

static bool is_there(const struct spare *spare)
{
    return spare->state == SPARE_HEIR || spare->state == SPARE_LEAVER;
}

static void watch_anew(struct supervisor *sup, int pidfd, enum watch watch,
                       unsigned number)
{
    supervisor_unwatch(sup, pidfd);
    if (supervisor_watch(sup, pidfd, watch, number) < 0)
        supervisor_fail(sup, "no descriptors left for a worker");
}

static void clear(struct supervisor *sup, struct spare *spare)
{
    wrote_end(sup, spare->wrote);
    wrote_close(&spare->wrote);
    fd_close(&spare->pidfd);
    fd_close(&spare->turn_fd);
    *spare = (struct spare){ .state = SPARE_NONE,
                             .pidfd = -1,
                             .turn_fd = -1,
                             .due_ns = spare->due_ns,
                             .failed = spare->failed };
}

void recycle_init(struct stage *stage)
{
    stage->spare.pidfd = stage->spare.turn_fd = -1;
}

/* It did not come to serve. */
static void put_off(const struct supervisor *sup, struct spare *spare)
{
    unsigned doublings = spare->failed < DOUBLINGS ? spare->failed : DOUBLINGS;

    spare->failed++;
    spare->due_ns = sup->now + sooner(AGAIN_NS << doublings, AGAIN_MOST_NS);
}

/* ------------------------------------------------------------- the heir ----
 */

static void begin(struct supervisor *sup, struct seat *seat)
{
    struct spare *spare = spare_of(sup, seat);
    int code;

    spare->member = seat->member;
    spare->turn_fd = eventfd(0, EFD_CLOEXEC);
    code = spare->turn_fd < 0
               ? -errno
               : seats_order_heir(sup, seat, spare->turn_fd, &spare->wrote);
    if (code == 0) {
        spare->state = SPARE_ORDERED;
        spare->since_ns = sup->now; /* it may be open before it is known */
        return;
    }
    if (code != WEIR_EBROKEN) /* the nursery's death is told soon */
        put_off(sup, spare);
    clear(sup, spare);
}

static bool is_due(const struct supervisor *sup, const struct seat *seat,
                   const struct job_recycle *recycle)
{
    return seat->wish || (recycle->age_ns > 0 &&
                          sup->now - seat->started_ns >= recycle->age_ns);
}

static bool serves(const struct supervisor *sup, const struct seat *seat)
{
    return seat->state == SEAT_LIVE && seat->ready && !seat->struck &&
           member_book(sup->segment, seat->member)->ended == 0;
}

/* The one that has served longest of those that are due; NULL: none now, and
 * *next_ns tells when. */
static struct seat *next_due(struct supervisor *sup, unsigned number,
                             int64_t *next_ns)
{
    const struct job_stage *job = sup->stages[number].job;
    struct seat *seats = sup->seats + sup->plan.first[number], *first = NULL;

    for (unsigned i = 0; i < job->workers; i++) {
        struct seat *seat = &seats[i];

        if (seat->asked) /* it has gone, and that is not yet heard */
            return NULL;
        if (!serves(sup, seat))
            continue;
        if (is_due(sup, seat, &job->recycle)) {
            if (first == NULL || seat->started_ns < first->started_ns)
                first = seat;
        } else if (job->recycle.age_ns > 0) {
            *next_ns = sooner(*next_ns, seat->started_ns + job->recycle.age_ns);
        }
    }
    return first;
}

static int64_t watch_none(struct supervisor *sup, unsigned number)
{
    struct stage *stage = &sup->stages[number];
    int64_t next = FOREVER;
    struct seat *seat;

    if (!stage->started || stage->ended || sup->stops > 0 || sup->why != NULL ||
        sup->nursery == NULL || wrote_is_stuck(sup))
        return FOREVER;
    seat = next_due(sup, number, &next);
    if (seat == NULL)
        return next;
    if (sup->now < stage->spare.due_ns)
        return stage->spare.due_ns;
    begin(sup, seat);
    return stage->spare.state == SPARE_NONE ? stage->spare.due_ns : FOREVER;
}

/* It is open: the old one ends what it has in hand, and leaves. */
static void watch_heir(struct supervisor *sup, const struct spare *spare)
{
    struct seat *seat = &sup->seats[spare->member];

    if (seat->asked || seat->state != SEAT_LIVE)
        return;
    seat->asked = true;
    member_ask_leave(sup->segment, seat->member);
}

/* While one opens or closes no other worker of the stage is replaced, so one
 * that hangs there must not have for ever. It has the time of an item; to open,
 * three times what that has taken in this stage, if that is more. */
static int64_t patience(const struct stage *stage, bool opens)
{
    int64_t timeout = stage->job->timeout_ns;
    int64_t limit = timeout != FOREVER ? timeout : PATIENCE_NS;

    return opens && stage->open_ns > limit / LONGER ? stage->open_ns * LONGER
                                                    : limit;
}

/* Long before that people are told, once. */
static int64_t tell_slow(struct supervisor *sup, struct spare *spare)
{
    char name[96];

    if (spare->told)
        return FOREVER;
    if (sup->now - spare->since_ns < SLOW_NS)
        return spare->since_ns + SLOW_NS;
    spare->told = true;
    progress_say(sup, LOG_WARNING,
                 "%s: worker %d still %s its task; until it has, no other "
                 "worker of the stage is replaced",
                 supervisor_who(sup, spare->member, name, sizeof name),
                 (int)spare->pid,
                 spare->state == SPARE_HEIR ? "opens" : "closes");
    return FOREVER;
}

/* One that opens or closes. Nothing is lost with it: an heir has done nothing
 * yet, and what a leaver has done is committed, its state saved. */
static int64_t watch_slow(struct supervisor *sup, const struct stage *stage,
                          struct spare *spare)
{
    int64_t limit = patience(stage, spare->state == SPARE_HEIR);

    if (spare->killed)
        return FOREVER;
    if (!spare->struck) {
        if (sup->now - spare->since_ns < limit)
            return sooner(spare->since_ns + limit, tell_slow(sup, spare));
        spare->struck = true;
        spare->since_ns = sup->now;
        kill(-spare->pid, SIGTERM);
        kill(-spare->pid, SIGCONT);
    }
    if (sup->now - spare->since_ns < GRACE_NS)
        return spare->since_ns + GRACE_NS;
    spare->killed = true;
    kill(-spare->pid, SIGKILL);
    return FOREVER;
}

int64_t recycle_watch(struct supervisor *sup)
{
    int64_t next = FOREVER;

    for (unsigned i = 0; i < sup->job->stages.count; i++) {
        struct stage *stage = &sup->stages[i];
        struct spare *spare = &stage->spare;

        if (!job_recycles(stage->job))
            continue;
        if (spare->state == SPARE_NONE)
            next = sooner(next, watch_none(sup, i));
        else if (spare->state == SPARE_HEIR && spare->open)
            watch_heir(sup, spare);
        else if (is_there(spare))
            next = sooner(next, watch_slow(sup, stage, spare));
    }
    return next;
}

/* ------------------------------------------------------------ its turn ---- */

static void tell_turn(const struct spare *spare, uint64_t turn)
{
    (void)!write(spare->turn_fd, &turn, sizeof turn);
}

/* The entry is free: the heir has it from here on. */
static void seat_heir(struct supervisor *sup, struct seat *seat,
                      struct spare *heir)
{
    supervisor_unwatch(sup, heir->pidfd);
    seats_sit(sup, seat, heir->pid, heir->pidfd);
    heir->pidfd = -1;
    wrote_close(&seat->wrote);
    seat->wrote = heir->wrote;
    heir->wrote = NULL;
    WEIR_POINT("recycle.seated");
    tell_turn(heir, TURN_SERVE);
    heir->failed = 0;
    clear(sup, heir);
}

bool recycle_follow(struct supervisor *sup, struct seat *seat)
{
    struct spare *heir = heir_of(sup, seat);

    seat->asked = false;
    if (heir == NULL)
        return false;
    seats_clear(seat);
    seat->state = SEAT_VACANT;
    if (heir->state == SPARE_HEIR)
        seat_heir(sup, seat, heir);
    return true;
}

/* It has left its entry, and may be in its `close` for long. */
void recycle_left(struct supervisor *sup, struct seat *seat)
{
    struct stage *stage = &sup->stages[seat->stage];
    struct spare *spare = &stage->spare, heir = *spare;
    struct member_sample sample;

    member_sample(sup->segment, seat->member, &sample);
    if (seat->state != SEAT_LIVE || !seat->asked || sample.process != 0)
        return;
    WEIR_POINT("recycle.left");
    *spare = (struct spare){ .state = SPARE_LEAVER,
                             .member = seat->member,
                             .pid = seat->pid,
                             .pidfd = seat->pidfd,
                             .turn_fd = -1,
                             .wrote = seat->wrote,
                             .since_ns = sup->now };
    seat->wrote = NULL;
    watch_anew(sup, spare->pidfd, WATCH_SPARE, seat->stage);
    seat->pidfd = -1;
    seats_clear(seat);
    seat->state = SEAT_DUE;
    seat->due_ns = 0;
    stage->recycled++;
    if (heir.state == SPARE_HEIR)
        seat_heir(sup, seat, &heir);
}

bool recycle_had_left(struct supervisor *sup, struct seat *seat)
{
    struct member_sample sample;

    if (!seat->asked || sup->stops > 1 ||
        member_book(sup->segment, seat->member)->ended != 0)
        return false;
    member_sample(sup->segment, seat->member, &sample);
    if (sample.process != 0)
        return false;
    recycle_left(sup, seat);
    return true;
}

void recycle_drop(struct supervisor *sup, const struct seat *seat)
{
    struct spare *heir = heir_of(sup, seat);

    if (heir == NULL)
        return;
    heir->unwanted = true;
    if (heir->state != SPARE_HEIR)
        return;
    heir->state = SPARE_LEAVER;
    heir->since_ns = sup->now;
    if (heir->open) {
        tell_turn(heir, TURN_GO);
        return;
    }
    heir->killed = true;
    kill(-heir->pid, SIGKILL);
}

/* ----------------------------------------------------------------- news ----
 */

void recycle_note_open(struct supervisor *sup, unsigned number,
                       int64_t since_ns)
{
    struct stage *stage = &sup->stages[number];

    if (sup->now - since_ns > stage->open_ns)
        stage->open_ns = sup->now - since_ns;
}

void recycle_hear_open(struct supervisor *sup, const struct seat *seat)
{
    struct spare *heir = heir_of(sup, seat);

    if (heir == NULL)
        return;
    heir->open = true;
    recycle_note_open(sup, seat->stage, heir->since_ns);
}

/* True: it was the heir's, of one that stays. */
bool recycle_hear_unopened(struct supervisor *sup, const struct seat *seat,
                           const char *text)
{
    struct spare *heir = heir_of(sup, seat);
    char name[96];

    if (heir == NULL || seat->state == SEAT_VACANT)
        return false;
    heir->unopened = true;
    if (deaths_may_tell(sup, &sup->stages[seat->stage]))
        progress_say(sup, LOG_WARNING,
                     "%s: worker %d stays: who is to follow it cannot start: "
                     "%s",
                     supervisor_who(sup, seat->member, name, sizeof name),
                     (int)seat->pid, text);
    return true;
}

static void forked(struct supervisor *sup, unsigned number,
                   const struct nursery_event *event)
{
    struct spare *spare = &sup->stages[number].spare;
    struct seat *seat = &sup->seats[spare->member];

    spare->state = SPARE_HEIR;
    spare->pid = event->pid;
    spare->pidfd = event->pidfd;
    spare->since_ns = sup->now;
    watch_anew(sup, spare->pidfd, WATCH_SPARE, number);
    if (seat->state == SEAT_VACANT) {
        seat_heir(sup, seat, spare);
    } else if (spare->unwanted) {
        spare->state = SPARE_LEAVER;
        spare->killed = true;
        kill(spare->pid, SIGKILL);
    }
}

static void refused(struct supervisor *sup, unsigned number)
{
    struct spare *spare = &sup->stages[number].spare;
    struct seat *seat = &sup->seats[spare->member];

    put_off(sup, spare);
    clear(sup, spare);
    if (seat->state == SEAT_VACANT) {
        seat->state = SEAT_DUE;
        seat->due_ns = 0;
    }
    seats_stage_empty(sup, number);
}

void recycle_answer(struct supervisor *sup, unsigned number,
                    const struct nursery_event *event)
{
    if (sup->stages[number].spare.state != SPARE_ORDERED) {
        if (event->pidfd >= 0)
            close(event->pidfd);
        return;
    }
    if (event->kind == NURSERY_FORKED)
        forked(sup, number, event);
    else
        refused(sup, number);
}

/* --------------------------------------------------------------- deaths ----
 */

static void tell(struct supervisor *sup, const struct spare *spare,
                 const struct death *death)
{
    const struct seat *seat = &sup->seats[spare->member];
    struct stage *stage = &sup->stages[seat->stage];
    char words[DEATH_WORDS], name[96];

    if (sup->stops > 1 || sup->why != NULL || !deaths_may_tell(sup, stage))
        return;
    progress_say(sup, LOG_INFO, "%s: worker %d %s, %s",
                 supervisor_who(sup, seat->member, name, sizeof name),
                 (int)spare->pid, death_verdict(words, sizeof words, death),
                 spare->state == SPARE_LEAVER
                     ? "after it had been replaced"
                     : "before it came to replace another");
}

static void heir_died(struct supervisor *sup, struct spare *spare)
{
    struct seat *seat = &sup->seats[spare->member];

    put_off(sup, spare);
    if (seat->asked && member_ask_stay(sup->segment, seat->member))
        seat->asked = false;
}

static void bury(struct supervisor *sup, unsigned number)
{
    struct stage *stage = &sup->stages[number];
    struct spare *spare = &stage->spare;
    struct death death = deaths_of_pid(sup, spare->pid);
    bool clean = death.cause == CAUSE_EXIT && death.code == 0;
    bool heir = spare->state == SPARE_HEIR;
    /* It found that there is no more to be done. */
    bool late = clean && member_book(sup->segment, spare->member)->ended != 0;

    if (spare->struck)
        death = (struct death){ CAUSE_LIMIT, LIMIT_TIME };
    if (heir)
        heir_died(sup, spare);
    if (!spare->unopened && !(spare->unwanted && spare->killed) && !late &&
        (heir || !clean)) {
        stage->deaths++;
        tell(sup, spare, &death);
    }
}

void recycle_died(struct supervisor *sup, unsigned number)
{
    struct spare *spare = &sup->stages[number].spare;

    supervisor_hear_news(sup);
    if (!is_there(spare) || !seat_is_dead(sup, spare->pidfd))
        return; /* they have changed places meanwhile */
    bury(sup, number);
    supervisor_unwatch(sup, spare->pidfd);
    if (sup->nursery != NULL)
        nursery_reap(sup->nursery, spare->pid);
    else
        waitpid(spare->pid, NULL, WNOHANG); /* it came down to us */
    clear(sup, spare);
    seats_stage_empty(sup, number);
}

/* Its workers are dead, or about to be. */
void recycle_nursery_gone(struct supervisor *sup)
{
    supervisor_hear_news(sup);
    for (unsigned i = 0; i < sup->job->stages.count; i++) {
        struct spare *spare = &sup->stages[i].spare;

        if (is_there(spare)) {
            kill(-spare->pid, SIGKILL);
            seat_wait_dead(spare->pidfd);
            supervisor_unwatch(sup, spare->pidfd);
            waitpid(spare->pid, NULL, WNOHANG);
        }
        clear(sup, spare);
        seats_stage_empty(sup, i);
    }
    for (unsigned i = 0; i < sup->plan.workers; i++) {
        if (sup->seats[i].state != SEAT_VACANT)
            continue;
        sup->seats[i].state = SEAT_DUE;
        sup->seats[i].due_ns = 0;
    }
}

void recycle_signal(struct supervisor *sup, int signal)
{
    for (unsigned i = 0; i < sup->job->stages.count; i++)
        if (is_there(&sup->stages[i].spare))
            kill(-sup->stages[i].spare.pid, signal);
}

void recycle_shift(struct supervisor *sup, int64_t ns)
{
    for (unsigned i = 0; i < sup->job->stages.count; i++) {
        sup->stages[i].spare.since_ns += ns;
        sup->stages[i].spare.due_ns += ns;
    }
}

void recycle_end(struct supervisor *sup)
{
    for (size_t i = 0; sup->stages != NULL && i < sup->job->stages.count; i++) {
        struct spare *spare = &sup->stages[i].spare;

        if (is_there(spare)) {
            seat_wait_dead(spare->pidfd);
            waitpid(spare->pid, NULL, WNOHANG);
        }
        if (spare->state != SPARE_NONE)
            clear(sup, spare);
    }
}

void recycle_status(struct supervisor *sup)
{
    for (unsigned i = 0; i < sup->job->stages.count; i++) {
        const struct spare *spare = &sup->stages[i].spare;
        const struct seat *seat = &sup->seats[spare->member];

        if (!is_there(spare))
            continue;
        buf_printf(&sup->notes, "  %s.%u: pid %d, %s\n",
                   sup->stages[i].job->name, seat->index + 1, (int)spare->pid,
                   spare->state == SPARE_LEAVER ? "closes"
                   : spare->open                ? "waits to follow"
                                                : "opens, to follow");
    }
}
