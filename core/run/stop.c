/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stop.c - the signals that a run obeys. Runs in the supervisor.
 *
 * INT, TERM, HUP: once, sources end, and what is in flight finishes; twice,
 *     leases are given back, and it ends now; three times, all is killed.
 * QUIT: all is killed at once.
 * TSTP: workers are stopped, too (they stand in groups of their own), and time
 *     limits stand still.
 * USR1: tells the state now.
 * PIPE: ignored; a closed pipe is told by the writer.
 *
 * In the end the command dies of the signal that stopped it.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "run/supervisor.h"

#define END_GRACE_NS (1 * NS_PER_S)

static const int obeyed[] = {
    SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGUSR1
};

int stop_init(struct supervisor *sup)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof obeyed / sizeof *obeyed; i++) {
        struct sigaction before;

        /* nohup and shells ignore signals for those whom they start */
        if (sigaction(obeyed[i], NULL, &before) == 0 &&
            before.sa_handler == SIG_IGN && obeyed[i] != SIGUSR1)
            continue;
        sigaddset(&set, obeyed[i]);
    }
    sigaction(SIGPIPE, &ignore, &sup->pipe_before);
    if (sigprocmask(SIG_BLOCK, &set, &sup->mask_before) < 0)
        return -errno;
    sup->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (sup->signals < 0)
        return -errno;
    return supervisor_watch(sup, sup->signals, WATCH_SIGNALS, 0);
}

void stop_done(struct supervisor *sup)
{
    struct signalfd_siginfo late;

    if (sup->signals < 0)
        return;
    /* One that came meanwhile must not strike when the mask is put back. */
    while (read(sup->signals, &late, sizeof late) == sizeof late)
        continue;
    fd_close(&sup->signals);
    sigprocmask(SIG_SETMASK, &sup->mask_before, NULL);
    sigaction(SIGPIPE, &sup->pipe_before, NULL);
}

void stop_sources(struct supervisor *sup)
{
    const uint64_t one = 1;

    sup->stops++;
    (void)!write(sup->stop_fd, &one, sizeof one);
    segment_stop_sources(sup->segment);
    gates_stop(sup, false);
}

/* How many items are in hand, and how long the oldest has been. */
static unsigned in_hand(const struct supervisor *sup, int64_t *oldest_ns)
{
    unsigned count = 0;

    *oldest_ns = 0;
    for (unsigned i = 0; i < sup->plan.workers; i++) {
        const struct seat *seat = &sup->seats[i];
        struct member_sample sample;

        if (seat->state != SEAT_LIVE)
            continue;
        member_sample(sup->segment, i, &sample);
        if (!sample.in_hand)
            continue;
        count++;
        if (sup->now - seat->turn_since > *oldest_ns)
            *oldest_ns = sup->now - seat->turn_since;
    }
    return count;
}

static void stop_first(struct supervisor *sup)
{
    int64_t oldest;
    unsigned count = in_hand(sup, &oldest);
    char time[32];

    stop_sources(sup);
    progress_say(sup, LOG_WARNING,
                 "stopping: finishing what is in flight, %u item%s in hand "
                 "(oldest %s); %s gives %s back",
                 count, count == 1 ? "" : "s", text_from_duration(time, oldest),
                 sup->signal == SIGINT ? "Ctrl-C again" : "a second signal",
                 count == 1 ? "it" : "them");
}

/* Waits end, tasks are told to go; what was in hand goes back. */
void stop_at_once(struct supervisor *sup)
{
    if (sup->stops == 0)
        stop_sources(sup);
    sup->stops++;
    for (unsigned i = 0; i < sup->plan.members; i++)
        if (i != sup->plan.keeper) /* it keeps what fails up to the end */
            member_cancel(sup->segment, i, true);
    gates_stop(sup, true);
    seats_signal(sup, SIGTERM);
    seats_signal(sup, SIGCONT);
    sup->end_ns = sup->now + END_GRACE_NS;
}

static void stop(struct supervisor *sup, int signal)
{
    if (sup->signal == 0 || sup->signal == SIGPIPE)
        sup->signal = signal;
    if (signal == SIGQUIT || sup->stops >= 2) {
        sup->signal = signal;
        sup->over = true;
    } else if (sup->stops == 1) {
        stop_at_once(sup);
    } else {
        stop_first(sup);
    }
}

/* The shell has stopped us; it goes on when we do. */
static void suspend(struct supervisor *sup)
{
    int64_t before = clock_now();

    progress_clear(sup);
    seats_signal(sup, SIGSTOP);
    ends_signal(sup, SIGSTOP);
    gates_signal(sup, SIGSTOP);
    raise(SIGSTOP);
    sup->now = clock_now();
    limits_shift(sup, sup->now - before);
    seats_signal(sup, SIGCONT);
    ends_signal(sup, SIGCONT);
    gates_signal(sup, SIGCONT);
}

void stop_hear(struct supervisor *sup)
{
    struct signalfd_siginfo info;

    while (read(sup->signals, &info, sizeof info) == sizeof info) {
        int signal = (int)info.ssi_signo;

        if (signal == SIGTSTP)
            suspend(sup);
        else if (signal == SIGUSR1)
            progress_status(sup);
        else
            stop(sup, signal);
    }
}
