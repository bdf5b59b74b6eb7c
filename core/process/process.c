/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.c - runs in the program: process handles, from new to free. See
 * weir/process.h.
 *
 * A handle has a lock for its own state. Nobody waits for a process with it,
 * nor with the context's: a join polls the pidfds, and only then asks the
 * helper how the process ended, which the helper knows within moments.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "process/handle.h"
#include "process/process.h"
#include "process/serve.h"

/* How long a start waits for its child to say that all is set up. */
#define REPORT_NS (10 * NS_PER_S)

_Static_assert(sizeof((weir_exit *)0)->words >= EXIT_WORDS, "words fit");

int process_check(const weir_process *process)
{
    if (process == NULL)
        return WEIR_EINVAL;
    return process->host == getpid() ? 0 : WEIR_EPROCESS;
}

int process_ask(weir_process *process, uint32_t word, uint64_t number,
                struct context_reply *reply)
{
    CLEANUP_BUF struct buf bytes = { 0 };

    buf_u32(&bytes, word);
    buf_u64(&bytes, process->id);
    if (buf_u64(&bytes, number) != 0)
        return WEIR_ENOMEM;
    return context_request(process->context, &process_service, bytes.data,
                           bytes.size, NULL, 0, reply);
}

bool process_gone(const weir_process *process)
{
    struct pollfd poller = { .fd = process->pidfd, .events = POLLIN };

    return poll(&poller, 1, 0) == 1;
}

/* ---------------------------------------------------------- new, free ---- */

static void release(weir_process *process)
{
    orders_done(process);
    free(process);
}

/* "Process-3", in a child of its own "Process-3:1". */
static void give_name(weir_process *process)
{
    const char *parent = child_identity();

    snprintf(process->identity, sizeof process->identity, "%s%s%u", parent,
             *parent != '\0' ? ":" : "", child_next_number());
    if (process->name[0] == '\0')
        snprintf(process->name, sizeof process->name, "Process-%s",
                 process->identity);
}

int weir_process_new(weir_context *context, const weir_process_options *options,
                     weir_process **process_out, weir_error *err)
{
    weir_process *process;
    int code;

    if (context == NULL || process_out == NULL)
        return error_set(err, WEIR_EINVAL, "no context, or no place for it");
    code = context_check(context);
    if (code != 0)
        return error_sys(err, code, "cannot make a process");
    process = calloc(1, sizeof *process);
    if (process == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for a process handle");
    code = orders_take(process, options, err);
    if (code != 0) {
        release(process);
        return code;
    }
    process->context = context;
    process->host = getpid();
    process->pidfd = -1;
    give_name(process);
    pthread_mutex_init(&process->lock, NULL);
    context_ref(context);
    *process_out = process;
    return 0;
}

int weir_process_free(weir_process **process)
{
    weir_process *p;

    if (process == NULL || *process == NULL)
        return 0;
    p = *process;
    if (p->host == getpid()) {
        bool started = p->state == PROCESS_STARTED;

        if (started && p->on_owner_exit != WEIR_OWNER_EXIT_DETACH &&
            !process_gone(p) && context_check(p->context) == 0)
            return WEIR_ESTATE;
        owner_remove(p);
        if (started)
            process_ask(p, SERVE_FORGET, 0, NULL);
        pthread_mutex_destroy(&p->lock);
    }
    *process = NULL;
    fd_close(&p->pidfd);
    context_unref(p->context);
    release(p);
    return 0;
}

/* -------------------------------------------------------------- start ---- */

/* What goes with the order: the report's pipe, what is given, the queues. The
 * latter are shared anew for each start, and closed after it. */
struct cargo {
    int fds[FD_MESSAGE_FDS];
    size_t count;
    size_t shared; /* where the queues begin */
    int report[2]; /* read end, write end */
};

static int load_queues(const weir_process *process, struct cargo *cargo)
{
    const struct helper_service *const *service = context_services_of(
        process->context);

    while (*service != NULL && (*service)->queue_share == NULL)
        service++;
    for (size_t i = 0; i < process->queue_count; i++) {
        int code = WEIR_ESTATE;

        if (*service != NULL)
            code = (*service)->queue_share(process->queues[i],
                                           &cargo->fds[cargo->count]);
        if (code != 0)
            return code;
        cargo->count++;
    }
    return 0;
}

static int load(const weir_process *process, struct cargo *cargo)
{
    if (process->report) {
        if (pipe2(cargo->report, O_CLOEXEC) < 0)
            return -errno;
        cargo->fds[cargo->count++] = cargo->report[1];
    }
    for (size_t i = 0; i < process->give_count; i++)
        cargo->fds[cargo->count++] = process->gives[i];
    cargo->shared = cargo->count;
    return load_queues(process, cargo);
}

static void unload(struct cargo *cargo)
{
    while (cargo->shared < cargo->count)
        fd_close(&cargo->fds[--cargo->count]);
    fd_close(&cargo->report[1]);
}

static int take_started(weir_process *process, struct context_reply *reply)
{
    struct serve_started started;

    if (reply->data.size != sizeof started)
        return WEIR_EBROKEN;
    memcpy(&started, reply->data.data, sizeof started);
    process->id = started.id;
    if (reply->fd < 0) { /* no descriptor left: it cannot be watched */
        process_ask(process, SERVE_SIGNAL, SIGKILL, NULL);
        process_ask(process, SERVE_FORGET, 0, NULL);
        return -EMFILE;
    }
    process->pid = started.pid;
    process->pidfd = reply->fd;
    reply->fd = -1;
    return 0;
}

/* The child says how its start went. If it dies first, or says nothing in
 * time, then its exit will tell. */
static int hear_report(const weir_process *process, int fd,
                       struct serve_report *report)
{
    struct pollfd pollers[] = {
        { .fd = fd, .events = POLLIN },
        { .fd = process->pidfd, .events = POLLIN },
        { .fd = context_helper_fd(process->context), .events = POLLIN },
    };
    int64_t deadline = clock_deadline(REPORT_NS);
    int got;

    do {
        got = poll(pollers, 3, clock_poll_ms(clock_left(deadline)));
    } while (got < 0 && errno == EINTR);
    if (got <= 0 || !(pollers[0].revents & POLLIN) ||
        read(fd, report, sizeof *report) != sizeof *report)
        return 0;
    report->text[sizeof report->text - 1] = '\0';
    return report->code;
}

/* It could not be as the options say: it ends by itself, unseen. */
static void unstart(weir_process *process)
{
    process_ask(process, SERVE_FORGET, 0, NULL);
    fd_close(&process->pidfd);
    process->pid = 0;
}

static int64_t wall_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int start(weir_process *process, struct serve_report *report)
{
    CLEANUP_BUF struct buf bytes = { 0 };
    struct context_reply reply = { .fd = -1 };
    struct cargo cargo = { .report = { -1, -1 } };
    int64_t start_time = wall_clock();
    int code;

    code = orders_start(process, &bytes);
    if (code == 0)
        code = load(process, &cargo);
    /* So that what was printed before stands before what the child prints. Not
     * all streams: a thread may be reading from one. */
    fflush(stdout);
    if (code == 0)
        code = context_request(process->context, &process_service, bytes.data,
                               bytes.size, cargo.fds, cargo.count, &reply);
    unload(&cargo);
    if (code == 0)
        code = take_started(process, &reply);
    buf_done(&reply.data);
    fd_close(&reply.fd);
    if (code == 0 && process->report) {
        code = hear_report(process, cargo.report[0], report);
        if (code != 0)
            unstart(process);
    }
    fd_close(&cargo.report[0]);
    if (code == 0) {
        process->start_time = start_time;
        process->state = PROCESS_STARTED;
    }
    return code;
}

int weir_process_start(weir_process *process, weir_error *err)
{
    struct serve_report report = { 0 };
    bool before;
    int code = process_check(process);

    if (code != 0)
        return error_sys(err, code, "cannot start a process");
    pthread_mutex_lock(&process->lock);
    before = process->state != PROCESS_NEW;
    code = before ? WEIR_ESTATE : start(process, &report);
    pthread_mutex_unlock(&process->lock);
    if (before)
        return error_set(err, code,
                         "process '%s' was started already; make a new "
                         "handle for another run",
                         process->name);
    if (code == 0) {
        owner_add(process);
        log_to(LOG_DEBUG, "process", "process '%s' is started, pid %d",
               process->name, (int)process->pid);
        return 0;
    }
    if (code == WEIR_EINVAL && report.code == 0 &&
        context_is_late(process->context))
        return error_set(err, code,
                         "the function of process '%s' is not known to its "
                         "context, which was opened when the program had "
                         "threads already; open it before the first one",
                         process->name);
    if (code == WEIR_EINVAL && report.code == 0)
        return error_set(err, code,
                         "the function of process '%s' was not in memory when "
                         "its context opened; open a new context after it was "
                         "loaded",
                         process->name);
    return report.code != 0
               ? error_sys(err, code, "cannot start process '%s': %s",
                           process->name, report.text)
               : error_sys(err, code, "cannot start process '%s'",
                           process->name);
}

/* --------------------------------------------------------------- join ---- */

int process_take_exit(weir_process *process)
{
    struct context_reply reply = { .fd = -1 };
    char words[EXIT_WORDS];
    bool told = false;
    int code = 0;

    pthread_mutex_lock(&process->lock);
    if (process->state == PROCESS_STARTED) {
        code = process_ask(process, SERVE_EXIT, 0, &reply);
        if (code == 0 && reply.data.size != sizeof process->exit)
            code = WEIR_EBROKEN;
        if (code == 0) {
            memcpy(&process->exit, reply.data.data, sizeof process->exit);
            process->state = PROCESS_ENDED;
            told = true;
        }
        buf_done(&reply.data);
    }
    pthread_mutex_unlock(&process->lock);
    if (told)
        log_to(LOG_DEBUG, "process", "process '%s', pid %d, %s", process->name,
               (int)process->pid, exit_words(words, &process->exit));
    return code;
}

/* 0: dead; WEIR_ETIMEDOUT; WEIR_EBROKEN: the helper is. */
static int wait_dead(int pidfd, int helper_fd, int64_t timeout_ns)
{
    struct pollfd pollers[] = {
        { .fd = pidfd, .events = POLLIN },
        { .fd = helper_fd, .events = POLLIN },
    };
    int64_t deadline = clock_deadline(timeout_ns);

    for (;;) {
        int got = poll(pollers, 2, clock_poll_ms(clock_left(deadline)));

        if (got < 0 && errno != EINTR)
            return -errno;
        if (got > 0)
            return pollers[1].revents != 0 ? WEIR_EBROKEN : 0;
        if (got == 0 && clock_left(deadline) == 0)
            return WEIR_ETIMEDOUT;
    }
}

int weir_process_join(weir_process *process, int64_t timeout_ns)
{
    int code = process_check(process);

    if (code != 0)
        return code;
    if (timeout_ns < 0)
        return WEIR_EINVAL;
    if (process->state != PROCESS_STARTED)
        return process->state == PROCESS_ENDED ? 0 : WEIR_ESTATE;
    code = context_check(process->context);
    if (code == 0)
        code = wait_dead(process->pidfd, context_helper_fd(process->context),
                         timeout_ns);
    return code == 0 ? process_take_exit(process) : code;
}

int weir_process_alive(const weir_process *process)
{
    int code = process_check(process);

    if (code != 0)
        return code;
    return process->state == PROCESS_STARTED && !process_gone(process);
}

/* ----------------------------------------------------------- wait any ---- */

/* What stands at once: 1 and where, 0: nothing yet, or a code. @at: two
 * places for each. */
static int look_at_all(weir_process *const *processes, size_t count,
                       struct pollfd *at, size_t *index_out)
{
    size_t there = 0;

    for (size_t i = 0; i < count; i++) {
        int code = processes[i] == NULL ? 0 : process_check(processes[i]);

        at[2 * i].fd = at[2 * i + 1].fd = -1;
        if (processes[i] == NULL)
            continue;
        there++;
        *index_out = i;
        if (code == 0 && processes[i]->state == PROCESS_NEW)
            code = WEIR_ESTATE;
        if (code == 0 && processes[i]->state == PROCESS_ENDED)
            return 1;
        if (code == 0)
            code = context_check(processes[i]->context);
        if (code != 0)
            return code;
        at[2 * i] = (struct pollfd){ processes[i]->pidfd, POLLIN, 0 };
        at[2 * i + 1] = (struct pollfd){
            context_helper_fd(processes[i]->context), POLLIN, 0
        };
    }
    return there == 0 ? WEIR_EEMPTY : 0;
}

static int poll_all(weir_process *const *processes, size_t count,
                    struct pollfd *at, int64_t timeout_ns, size_t *index_out)
{
    int64_t deadline = clock_deadline(timeout_ns);
    int got;

    do {
        got = poll(at, 2 * count, clock_poll_ms(clock_left(deadline)));
        if (got < 0 && errno != EINTR)
            return -errno;
    } while (got <= 0 && (got < 0 || clock_left(deadline) > 0));
    for (size_t i = 0; i < count && got > 0; i++) {
        if (at[2 * i].revents == 0 && at[2 * i + 1].revents == 0)
            continue;
        *index_out = i;
        return at[2 * i + 1].revents != 0 ? WEIR_EBROKEN
                                          : process_take_exit(processes[i]);
    }
    return WEIR_ETIMEDOUT;
}

int weir_process_wait_any(weir_process *const *processes, size_t count,
                          int64_t timeout_ns, size_t *index_out)
{
    CLEANUP_FREE struct pollfd *at = NULL;
    size_t index = 0;
    int code;

    if ((processes == NULL && count > 0) || timeout_ns < 0 ||
        index_out == NULL || count > SIZE_MAX / (2 * sizeof *at))
        return WEIR_EINVAL;
    if (count == 0)
        return WEIR_EEMPTY;
    at = malloc(2 * count * sizeof *at);
    if (at == NULL)
        return WEIR_ENOMEM;
    code = look_at_all(processes, count, at, &index);
    if (code == 0)
        code = poll_all(processes, count, at, timeout_ns, &index);
    else if (code == 1)
        code = 0;
    if (code != WEIR_ETIMEDOUT && code != WEIR_EEMPTY)
        *index_out = index;
    return code;
}

/* ------------------------------------------------------------ signals ---- */

static int tell(weir_process *process, uint32_t word, uint64_t number)
{
    int code = process_check(process);

    if (code != 0)
        return code;
    pthread_mutex_lock(&process->lock);
    if (process->state == PROCESS_NEW)
        code = WEIR_ESTATE;
    else if (process->state == PROCESS_STARTED)
        code = process_ask(process, word, number, NULL);
    pthread_mutex_unlock(&process->lock);
    return code;
}

int weir_process_terminate(weir_process *process)
{
    return tell(process, SERVE_SIGNAL, SIGTERM);
}

int weir_process_kill(weir_process *process)
{
    return tell(process, SERVE_SIGNAL, SIGKILL);
}

int weir_process_signal(weir_process *process, int signal)
{
    if (signal < 1 || signal > SIGRTMAX)
        return process_check(process) != 0 ? process_check(process)
                                           : WEIR_EINVAL;
    return tell(process, SERVE_SIGNAL, (uint64_t)signal);
}

int weir_process_stop(weir_process *process, int64_t grace_ns,
                      int64_t timeout_ns)
{
    int code = process_check(process);

    if (code == 0 && (grace_ns < 0 || timeout_ns < 0))
        code = WEIR_EINVAL;
    if (code == 0)
        code = tell(process, SERVE_STOP, (uint64_t)grace_ns);
    return code == 0 ? weir_process_join(process, timeout_ns) : code;
}
