/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keeper.c - the two processes around the store of failed items: the keeper,
 * which writes it, and in a replay the feeder, which reads it. Runs in the
 * supervisor, and in them until keeper_main or feeder_main.
 *
 * A connection to the store must not cross a fork, and a sync takes its time:
 * so it is opened in a process that forks nothing and that nobody waits for but
 * who has a failure to tell and no room for it. Both hold what they do as
 * leases and commits like any worker, so that one which dies is replaced; only
 * when one dies again and again without getting on is the run over.
 */
#include "config.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/sync.h"
#include "run/keeper.h"
#include "run/supervisor.h"

enum { DEATHS_MOST = 50, END_TRIES = 3 };
#define END_NS (60 * NS_PER_S)

static _Noreturn void child(struct supervisor *sup, struct end *end)
{
    bool feeds = end == &sup->feeder;
    struct keeper_place place = { .keep = sup->options->keep,
                                  .job = sup->job,
                                  .plan = &sup->plan,
                                  .number = end->member,
                                  .news = sup->news_out };
    int code = segment_attach(sup->segment_fd, &place.segment, NULL);

    fault_start(NULL, (int)end->member);
    prctl(PR_SET_NAME, feeds ? "weir:feeder" : "weir:keeper", 0, 0, 0);
    if (code == 0)
        code = ends_enter(place.segment, place.number, &place.member);
    if (code == 0)
        code = feeds ? feeder_main(&place) : keeper_main(&place);
    ends_leave(code, &place.member);
}

static int start(struct supervisor *sup, struct end *end)
{
    const int fds[] = { sup->news_out, sup->segment_fd, sup->journal_lock };
    pid_t pid = ends_fork(sup, end, fds, sup->journal_lock >= 0 ? 3 : 2);

    if (pid == 0)
        child(sup, end);
    return pid < 0 ? (int)pid : 0;
}

int keeper_start(struct supervisor *sup, weir_error *err)
{
    int code = 0;

    sup->keeper.member = sup->plan.keeper;
    sup->feeder.member = sup->plan.feeder;
    sup->keeper.ended = sup->plan.kept == PLAN_NONE;
    sup->feeder.ended = !sup->plan.replays;
    if (!sup->keeper.ended)
        code = start(sup, &sup->keeper);
    if (code == 0 && !sup->feeder.ended)
        code = start(sup, &sup->feeder);
    if (code < 0)
        return error_sys(err, code, "the process that %s cannot be started",
                         sup->keeper.pid > 0 ? sup->feeder.what
                                             : sup->keeper.what);
    return 0;
}

static bool progress(struct supervisor *sup, const struct end *end)
{
    const struct book *book = member_book(sup->segment, end->member);
    uint64_t done = book->done + book->emitted;
    uint64_t *before = end == &sup->keeper ? &sup->keeper_done
                                           : &sup->feeder_done;
    bool moved = done != *before;

    *before = done;
    return moved;
}

static void succeed(struct supervisor *sup, struct end *end,
                    const struct death *death)
{
    unsigned *deaths = end == &sup->keeper ? &sup->keeper_deaths
                                           : &sup->feeder_deaths;
    char words[DEATH_WORDS];
    int code;

    *deaths = progress(sup, end) ? 1 : *deaths + 1;
    if (*deaths > DEATHS_MOST) {
        supervisor_fail(sup, "the process that %s %s again and again",
                        end->what, death_words(words, sizeof words, death));
        return;
    }
    code = start(sup, end);
    if (code < 0)
        supervisor_fail(sup, "the process that %s cannot be started: %s",
                        end->what, weir_strerror(code));
    else
        end->ended = false;
}

/* It told why it cannot go on: then the run is over, and it has ended. */
void keeper_died(struct supervisor *sup, struct end *end)
{
    struct death death;
    bool ended;

    if (!ends_bury(sup, end, &death))
        return;
    ended = member_book(sup->segment, end->member)->ended != 0;
    /* A feeder that has not fed all of it: no queue is closed, or what gathers
     * would give a part as if it were all. */
    if (ended || end == &sup->keeper)
        end->ended = sup->changed = true;
    if (!ended && (death.cause != CAUSE_EXIT || death.code != 0) &&
        !segment_broken(sup->segment) &&
        (death.cause != CAUSE_EXIT || sup->why == NULL))
        succeed(sup, end, &death);
}

static void wait_for_end(const struct end *end, int64_t deadline)
{
    struct pollfd poller = { .fd = end->pidfd, .events = POLLIN };
    struct death death;

    while (fd_poll(&poller, 1, deadline) <= 0 &&
           !death_of_child(end->pid, &death) && clock_left(deadline) > 0)
        continue;
}

/* ---------------------------------------------------- end of a replay ---- */

/* Something gathers, and gives nothing when it is stopped. */
static bool gathers(const struct job *job)
{
    for (size_t i = 0; i < job->stages.count; i++)
        if (job->stages.at[i].desc.has_flush &&
            !job->stages.at[i].desc.stateless)
            return true;
    return false;
}

static bool all_is_empty(struct supervisor *sup)
{
    for (unsigned i = 0; i < sup->plan.queues.count; i++) {
        struct queue_state state;

        if (i == sup->plan.report)
            continue;
        if (queue_state(sup->segment, i, clock_deadline(END_NS), &state) < 0 ||
            state.ready + state.leased + state.staged > 0)
            return false;
    }
    return true;
}

/* All that was made of what was fed has come out: nothing was cut off on its
 * way, and somebody took it. */
static bool is_whole(struct supervisor *sup)
{
    bool stopped = sup->stops > 0 || sup->halted != NULL;

    return sup->why == NULL && sup->signal != SIGPIPE &&
           !segment_broken(sup->segment) && seats_all_ended(sup) &&
           sup->writer.ended && !(stopped && gathers(sup->job)) &&
           member_book(sup->segment, sup->keeper.member)->ended != 0 &&
           all_is_empty(sup);
}

static _Noreturn void end_replay(struct supervisor *sup)
{
    struct failed_store *store = NULL;
    int code = failed_open(sup->options->keep->file, FAILED_WRITE, &store,
                           NULL);

    fault_start(NULL, (int)sup->keeper.member);
    /* Here, and before the store has it: nothing of the replay counts. */
    WEIR_POINT("keeper.ending");
    if (code == 0)
        code = failed_end_replay(store, true, NULL);
    /* Here: all of it does; once more changes nothing. */
    WEIR_POINT("keeper.ended");
    failed_close(&store);
    _exit(code == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static bool try_end_replay(struct supervisor *sup)
{
    const int fds[] = { sup->news_out };
    pid_t pid = ends_fork(sup, &sup->keeper, fds, 1);
    struct death death;

    if (pid == 0)
        end_replay(sup);
    if (sup->keeper.pid <= 0)
        return false;
    wait_for_end(&sup->keeper, clock_deadline(END_NS));
    kill(sup->keeper.pid, SIGKILL); /* it has ended, or never will */
    wait_for_end(&sup->keeper, FOREVER);
    death = death_of(sup->keeper.pid);
    ends_take_away(sup, &sup->keeper);
    return pid > 0 && death.cause == CAUSE_EXIT && death.code == 0;
}

/* What an item became is there to stay before the item is struck off. */
static bool sync_output(struct supervisor *sup)
{
    int code = sup->plan.output == PLAN_NONE ? 0 : sync_fd(sup->output);

    if (code < 0)
        supervisor_fail(sup,
                        "cannot sync standard output: %s; the next replay does "
                        "all of this one again",
                        weir_strerror(code));
    return code == 0;
}

static void note_replay(struct supervisor *sup)
{
    if (!sync_output(sup))
        return;
    for (int i = 0; i < END_TRIES; i++)
        if (try_end_replay(sup))
            return;
    supervisor_fail(sup, "what was replayed cannot be noted: the next replay "
                         "does it again");
}

/* What the dead had told is kept, however the run ends. */
static void drain(struct supervisor *sup)
{
    int64_t deadline = clock_deadline(END_NS);

    if (sup->feeder.pid > 0) {
        kill(sup->feeder.pid, SIGKILL);
        ends_take_away(sup, &sup->feeder);
        member_recover(sup->segment, sup->feeder.member, CAUSE_NONE, 0, NULL);
    }
    if (sup->keeper.pid > 0 && !segment_broken(sup->segment))
        queue_close(sup->segment, (unsigned)sup->plan.kept);
    for (int i = 0; sup->keeper.pid > 0 && i < END_TRIES; i++) {
        wait_for_end(&sup->keeper, deadline);
        if (clock_left(deadline) == 0)
            break;
        keeper_died(sup, &sup->keeper);
    }
    if (sup->keeper.pid <= 0)
        return;
    kill(sup->keeper.pid, SIGKILL);
    ends_take_away(sup, &sup->keeper);
    member_recover(sup->segment, sup->keeper.member, CAUSE_NONE, 0, NULL);
    supervisor_fail(sup, "failed items could not be kept in %d s",
                    (int)(END_NS / NS_PER_S));
}

void keeper_end(struct supervisor *sup)
{
    if (sup->segment == NULL)
        return;
    drain(sup);
    if (sup->plan.replays && is_whole(sup))
        note_replay(sup);
}
