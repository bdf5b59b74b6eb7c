/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard.c - what a task may do to the worker that it runs in, found out before
 * the worker goes on. Runs in workers.
 *
 * A worker that cannot be trusted any more ends itself, and leaves word of why
 * in the segment (member_part): the item in hand is charged an attempt, as by
 * any other death, and another worker takes its place.
 */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "run/host.h"
#include "run/news.h"

static _Noreturn void part(const struct host *host, enum parting why)
{
    if (host->member != NULL)
        member_part(host->member, why);
    _exit(EXIT_FAILURE);
}

void guard_init(struct host *host)
{
    fd_identify(host->news, &host->news_is);
    for (unsigned i = 0; i < 2; i++)
        fd_identify(host->saved_fds[i], &host->saved_is[i]);
}

void guard_enter(struct host *host)
{
    guard_step(host);
    host->called = true;
}

void guard_leave(struct host *host)
{
    host->called = false;
}

/* It is not in a call of ours, and yet it has not come back from one: by a
 * jump, over all that was to be done after it. */
void guard_step(const struct host *host)
{
    if (host->called)
        part(host, PARTING_JUMP);
}

/* The number may be another file's by now, which is the task's. */
int guard_saved(const struct host *host, unsigned which)
{
    if (!fd_is(host->saved_fds[which], &host->saved_is[which]))
        part(host, PARTING_FDS);
    return host->saved_fds[which];
}

/* What it has written to may be any item's, or what tells where items are:
 * nobody is to go on with that. */
_Noreturn void guard_past(const struct host *host, bool beyond)
{
    if (!beyond)
        part(host, PARTING_PAST);
    if (fd_is(host->news, &host->news_is))
        news_say(host->news, host->post->member, NEWS_FATAL, WEIR_EBROKEN,
                 "its task wrote past the end of an output of %zu bytes, "
                 "perhaps into items of others: shared memory is damaged",
                 host->reserved.room);
    segment_set_broken(host->segment);
    _exit(EXIT_FAILURE);
}

/* A line for people can be missed; what the supervisor must hear cannot. */
void host_vsay(const struct host *host, enum news_kind kind, int code,
               const char *format, va_list args)
{
    if (fd_is(host->news, &host->news_is))
        news_vsay(host->news, host->post->member, kind, code, format, args);
    else if (kind != NEWS_LOG)
        part(host, PARTING_FDS);
}

void host_say(const struct host *host, enum news_kind kind, int code,
              const char *format, ...)
{
    va_list args;

    va_start(args, format);
    host_vsay(host, kind, code, format, args);
    va_end(args);
}
