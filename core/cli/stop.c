/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stop.c - see stop.h. */
#include "config.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>

#include "cli/stop.h"

static volatile sig_atomic_t came;
static void (*volatile wake_hook)(void *arg);
static void *volatile wake_arg;

static void note(int signal)
{
    came = signal;
    if (wake_hook != NULL)
        wake_hook(wake_arg);
}

void stop_watch(void (*wake)(void *arg), void *arg)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = note,
                                .sa_flags = (int)SA_RESETHAND };
    struct sigaction before;

    wake_hook = NULL; /* a signal may come between */
    wake_arg = arg;
    wake_hook = wake;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], NULL, &before) == 0 &&
            before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    action = (struct sigaction){ .sa_handler = SIG_IGN };
    sigaction(SIGPIPE, &action, NULL);
}

int stop_signal(void)
{
    return came;
}

void stop_die_by(int signal)
{
    const struct rlimit none = { 0, 0 };
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigset_t set;

    fflush(NULL);
    setrlimit(RLIMIT_CORE, &none);
    sigaction(signal, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(signal);
}
