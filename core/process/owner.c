/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * owner.c - runs in the program: the processes of a context, and what becomes
 * of them at its end. See "the owner's end" in weir/process.h.
 *
 * Here is the end that the program knows of: a close, an exit. The other one,
 * when it is killed, is the helper's and the kernel's: see helper.c, fork.h.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "process/handle.h"
#include "process/helper.h"
#include "process/serve.h"

/* How long one that got SIGKILL may take to be gone. */
#define GONE_NS (2 * NS_PER_S)
/* How often it is looked when there is no descriptor left to wait with. */
#define LOOK_NS (20 * NS_PER_MS)

void owner_add(weir_process *process)
{
    struct process_list *list = context_list(process->context);

    pthread_mutex_lock(&list->lock);
    process->before = list->last;
    *(list->last != NULL ? &list->last->after : &list->first) = process;
    list->last = process;
    process->listed = true;
    pthread_mutex_unlock(&list->lock);
}

void owner_remove(weir_process *process)
{
    struct process_list *list = context_list(process->context);
    weir_process *before, *after;

    pthread_mutex_lock(&list->lock);
    before = process->before;
    after = process->after;
    if (process->listed) {
        *(before != NULL ? &before->after : &list->first) = after;
        *(after != NULL ? &after->before : &list->last) = before;
    }
    process->listed = false;
    pthread_mutex_unlock(&list->lock);
}

static bool runs(const weir_process *process)
{
    return process->state == PROCESS_STARTED && !process_gone(process);
}

int weir_context_processes(weir_context *context, weir_process **list,
                           size_t room)
{
    struct process_list *all;
    size_t count = 0;
    int code;

    if (context == NULL || (list == NULL && room > 0))
        return WEIR_EINVAL;
    code = context_check(context);
    if (code == WEIR_EPROCESS)
        return code;
    all = context_list(context);
    pthread_mutex_lock(&all->lock);
    for (weir_process *p = all->first; p != NULL; p = p->after)
        if (runs(p) && count++ < room)
            list[count - 1] = p;
    pthread_mutex_unlock(&all->lock);
    return (int)count;
}

/* --------------------------------------------------------------- wait ---- */

enum { NONE = -1 };

/* A descriptor of the first of this kind that runs, the caller's own, for the
 * handle may be freed meanwhile; NONE; -EMFILE: one runs, and there is no
 * descriptor left. */
static int first_running(struct process_list *list, weir_owner_exit kind)
{
    int fd = NONE;

    pthread_mutex_lock(&list->lock);
    for (weir_process *p = list->first; p != NULL; p = p->after) {
        if (p->on_owner_exit != kind || !runs(p))
            continue;
        fd = fcntl(p->pidfd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            fd = -EMFILE;
        break;
    }
    pthread_mutex_unlock(&list->lock);
    return fd;
}

static int wait_kind(weir_context *context, weir_owner_exit kind,
                     int64_t deadline)
{
    for (;;) {
        struct pollfd pollers[] = {
            { .fd = NONE, .events = POLLIN },
            { .fd = context_helper_fd(context), .events = POLLIN },
        };
        int64_t left = clock_left(deadline);
        int code = context_alive(context);

        if (code != 0)
            return code;
        pollers[0].fd = first_running(context_list(context), kind);
        if (pollers[0].fd == NONE)
            return 0;
        if (pollers[0].fd < 0 && left > LOOK_NS)
            left = LOOK_NS;
        if (left > 0)
            fd_poll(pollers, 2, clock_deadline(left));
        fd_close(&pollers[0].fd);
        if (left == 0)
            return WEIR_ETIMEDOUT;
    }
}

int weir_context_join(weir_context *context, int64_t timeout_ns)
{
    int code = context == NULL || timeout_ns < 0 ? WEIR_EINVAL
                                                 : context_check(context);

    if (code != 0)
        return code;
    return wait_kind(context, WEIR_OWNER_EXIT_WAIT, clock_deadline(timeout_ns));
}

/* ------------------------------------------------------------ the end ---- */

/* The hook hears of each of this kind, in the order of their start; without
 * the lock, for it may ask us something. Returns how many there are. */
static size_t say_all(struct process_list *list, weir_owner_exit kind,
                      const char *what)
{
    size_t said = 0;

    for (;;) {
        char name[NAME_MOST + 1] = "";
        pid_t pid = 0;
        size_t at = 0;

        pthread_mutex_lock(&list->lock);
        for (weir_process *p = list->first; p != NULL; p = p->after) {
            if (p->on_owner_exit != kind || !runs(p) || at++ < said)
                continue;
            memcpy(name, p->name, sizeof name);
            pid = p->pid;
            break;
        }
        pthread_mutex_unlock(&list->lock);
        if (pid == 0)
            return said;
        said++;
        log_to(LOG_INFO, "exit", "%s process '%s', pid %d", what, name,
               (int)pid);
    }
}

/* Returns until when they should be gone. */
static int64_t terminate_all(struct process_list *list)
{
    int64_t grace_ns = 0;

    pthread_mutex_lock(&list->lock);
    for (weir_process *p = list->first; p != NULL; p = p->after) {
        if (p->on_owner_exit != WEIR_OWNER_EXIT_TERMINATE || !runs(p))
            continue;
        process_ask(p, SERVE_STOP, (uint64_t)p->grace_ns, NULL);
        if (p->grace_ns > grace_ns)
            grace_ns = p->grace_ns;
    }
    pthread_mutex_unlock(&list->lock);
    return clock_deadline(grace_ns < FOREVER - GONE_NS ? grace_ns + GONE_NS
                                                       : FOREVER);
}

void owner_end(weir_context *context)
{
    struct process_list *list = context_list(context);
    int64_t deadline;

    if (context_alive(context) != 0)
        return; /* and all children are killed */
    say_all(list, WEIR_OWNER_EXIT_TERMINATE, "terminates");
    deadline = terminate_all(list);
    if (say_all(list, WEIR_OWNER_EXIT_WAIT, "waits for") > 0)
        fflush(stdout); /* a person should see what there is meanwhile */
    wait_kind(context, WEIR_OWNER_EXIT_WAIT, FOREVER);
    wait_kind(context, WEIR_OWNER_EXIT_TERMINATE, deadline);
}

void owner_collect(weir_context *context)
{
    struct process_list *list = context_list(context);

    for (weir_process *p = list->first; p != NULL; p = p->after)
        if (p->state == PROCESS_STARTED && process_gone(p))
            process_take_exit(p);
}
