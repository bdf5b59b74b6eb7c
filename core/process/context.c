/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * context.c - runs in the program: opening and closing its helper, asking it.
 *
 * The helper is forked twice, so that it is no child of the program: a wait()
 * of the program's own does not meet it, whatever it does with SIGCHLD. It is
 * known by its pidfd, which it sends with its first word.
 *
 * The contexts that are open stand in a list, for the handler of exit().
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/context.h"
#include "process/fork.h"
#include "process/late.h"
#include "process/parcel.h"
#include "shm/shm.h"

/* More than the helper gives its nursery, and that its workers. */
#define CLOSE_NS (10 * NS_PER_S)
/* A helper that was stopped is woken when it has been silent for that long. */
#define SILENCE_NS NS_PER_S

struct weir_context {
    pthread_mutex_t lock; /* the socket, tags, in */
    pid_t host;           /* whose it is */
    pid_t helper;
    int helper_fd;
    int socket;
    struct life life;
    uint64_t tags;
    struct parcel in;
    atomic_bool broken; /* the helper is gone, or the context closed */
    bool late;          /* the helper has not the program's memory */
    atomic_uint refs;
    struct process_list list;
    struct weir_context *before, *after; /* those that are open */
    const struct helper_service *services[SERVICES_MOST + 1];
};

/* --------------------------------------------------------------- open ---- */

/* Those of this process. A forked child has a copy, whose lock some thread may
 * have held: it begins anew with its first context, and never looks at it
 * before. */
static struct {
    pid_t process; /* whose list it is */
    pthread_mutex_t lock;
    struct weir_context *first;
    bool hooked; /* at exit; a forked child has that, too */
} open_ones;

static void list_open(weir_context *context)
{
    if (open_ones.process != getpid()) { /* the first one, see weir/process.h */
        open_ones.process = getpid();
        open_ones.first = NULL;
        pthread_mutex_init(&open_ones.lock, NULL);
    }
    if (!open_ones.hooked)
        open_ones.hooked = atexit(context_finish_all) == 0;
    pthread_mutex_lock(&open_ones.lock);
    context->after = open_ones.first;
    if (context->after != NULL)
        context->after->before = context;
    open_ones.first = context;
    pthread_mutex_unlock(&open_ones.lock);
}

/* False: it was not in the list any more. */
static bool unlist_open(weir_context *context)
{
    bool listed;

    if (open_ones.process != getpid())
        return false;
    pthread_mutex_lock(&open_ones.lock);
    listed = context->before != NULL || open_ones.first == context;
    if (listed) {
        if (context->before != NULL)
            context->before->after = context->after;
        else
            open_ones.first = context->after;
        if (context->after != NULL)
            context->after->before = context->before;
        context->before = context->after = NULL;
    }
    pthread_mutex_unlock(&open_ones.lock);
    return listed;
}

/* ----------------------------------------------------------- handles ---- */

void context_ref(weir_context *context)
{
    atomic_fetch_add(&context->refs, 1);
}

static void close_all(weir_context *context)
{
    fd_close(&context->socket);
    life_done(&context->life);
    fd_close(&context->helper_fd);
    parcel_done(&context->in);
}

void context_unref(weir_context *context)
{
    if (atomic_fetch_sub(&context->refs, 1) != 1)
        return;
    close_all(context);
    if (context->host == getpid()) {
        pthread_mutex_destroy(&context->lock);
        pthread_mutex_destroy(&context->list.lock);
    }
    free(context);
}

int context_check(weir_context *context)
{
    if (context->host != fork_self())
        return WEIR_EPROCESS;
    return atomic_load(&context->broken) ? WEIR_EBROKEN : 0;
}

bool context_is_late(const weir_context *context)
{
    return context->late;
}

int context_alive(weir_context *context)
{
    struct pollfd poller = { .fd = context->helper_fd, .events = POLLIN };
    int code = context_check(context);

    if (code == 0 && poll(&poller, 1, 0) == 1) {
        atomic_store(&context->broken, true);
        code = WEIR_EBROKEN;
    }
    return code;
}

int context_helper_fd(const weir_context *context)
{
    return context->helper_fd;
}

pid_t context_helper_pid(const weir_context *context)
{
    return context->helper;
}

const struct helper_service *const *context_services_of(const weir_context *c)
{
    return c->services;
}

struct process_list *context_list(weir_context *context)
{
    return &context->list;
}

/* ------------------------------------------------------------- asking ---- */

/* The answer with this tag, in context->in. */
static int hear(weir_context *context, uint64_t tag)
{
    struct pollfd pollers[] = {
        { .fd = context->socket, .events = POLLIN },
        { .fd = context->helper_fd, .events = POLLIN },
    };

    for (;;) {
        int got = poll(pollers, 2, clock_poll_ms(SILENCE_NS)), code;

        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0 && context->helper_fd >= 0)
            pidfd_send_signal(context->helper_fd, SIGCONT, NULL, 0);
        if (got <= 0)
            continue;
        if (pollers[0].revents == 0)
            return WEIR_EBROKEN; /* it is dead, and all it said was heard */
        code = parcel_receive(context->socket, &context->in);
        if (code < 0)
            return WEIR_EBROKEN;
        if (code == 1 && context->in.head.tag == tag)
            return 0;
    }
}

static void take_reply(weir_context *context, struct context_reply *reply)
{
    struct parcel *in = &context->in;

    if (reply != NULL) {
        reply->data = in->data;
        in->data = (struct buf){ 0 };
        if (in->fd_count > 0) {
            reply->fd = in->fds[0];
            in->fds[0] = -1;
        }
    }
    parcel_done(in);
}

static int ask(weir_context *context, struct parcel_head *head,
               const void *data, const int *fds, size_t fd_count,
               struct context_reply *reply)
{
    int code;

    head->tag = ++context->tags;
    code = parcel_send(context->socket, head, data, fds, fd_count);
    if (code == -EMSGSIZE || code == -EBADF || code == -ETOOMANYREFS)
        return code; /* the head comes first: nothing was sent */
    if (code == 0)
        code = hear(context, head->tag);
    if (code != 0) {
        atomic_store(&context->broken, true);
        return WEIR_EBROKEN;
    }
    code = context->in.head.code;
    take_reply(context, reply);
    return code;
}

int context_request(weir_context *context, const struct helper_service *service,
                    const void *data, size_t size, const int *fds,
                    size_t fd_count, struct context_reply *reply)
{
    struct parcel_head head = { .total = size };
    int code = context_check(context);

    if (reply != NULL)
        *reply = (struct context_reply){ .fd = -1 };
    if (code != 0)
        return code;
    while (context->services[head.service] != service)
        if (context->services[head.service++] == NULL)
            return WEIR_EINVAL;
    pthread_mutex_lock(&context->lock);
    code = atomic_load(&context->broken)
               ? WEIR_EBROKEN
               : ask(context, &head, data, fds, fd_count, reply);
    pthread_mutex_unlock(&context->lock);
    return code;
}

/* ------------------------------------------------------------ opening ---- */

static int check_options(const weir_context_options *options,
                         weir_context_options *known, weir_error *err)
{
    *known = (weir_context_options){ .size = sizeof *known };
    if (options == NULL)
        return 0;
    if (options->size < sizeof(size_t))
        return error_set(err, WEIR_EINVAL, "the options' own size is not set");
    memcpy(known, options,
           options->size < sizeof *known ? options->size : sizeof *known);
    if (known->keep_count > FD_MESSAGE_FDS ||
        (known->keep_count > 0 && known->keep == NULL))
        return error_set(err, WEIR_EINVAL, "at most %d descriptors can be kept",
                         FD_MESSAGE_FDS);
    return 0;
}

static int copy_services(weir_context *context,
                         const struct helper_service *const *services)
{
    size_t count = 0;

    context->services[count++] = &process_service;
    for (; *services != NULL; services++) {
        if (count == SERVICES_MOST)
            return WEIR_EINVAL;
        context->services[count++] = *services;
    }
    return 0;
}

/* Its exit status may be taken by the program's own handler: then the socket
 * alone tells. */
static int fork_helper(struct helper_birth *birth)
{
    const struct heritage heritage = { .life = -1, .all = true };
    pid_t pid = fork_child(&heritage, NULL);
    int status = 0;

    if (pid == 0)
        helper_fork_off(birth);
    if (pid < 0)
        return pid;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 0;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : WEIR_EBROKEN;
}

/* Its first word: its pid and pidfd. */
static int meet_helper(weir_context *context)
{
    struct context_reply reply = { .fd = -1 };
    int code = hear(context, 0);

    if (code != 0)
        return code;
    code = context->in.head.code;
    take_reply(context, &reply);
    context->helper_fd = reply.fd;
    if (code == 0 && (reply.fd < 0 || reply.data.size != sizeof(pid_t)))
        code = -EMFILE;
    if (code == 0)
        memcpy(&context->helper, reply.data.data, sizeof(pid_t));
    buf_done(&reply.data);
    return code;
}

/* A program may have closed its standard descriptors; what gets one of their
 * numbers would not outlive the fork. */
static int lift(int *fd)
{
    int lifted;

    if (*fd > STDERR_FILENO)
        return 0;
    lifted = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (lifted < 0)
        return -errno;
    close(*fd);
    *fd = lifted;
    return 0;
}

static int open_helper(weir_context *context,
                       const weir_context_options *options, weir_error *err)
{
    struct lineage lineage;
    struct helper_birth birth = { .lineage = &lineage,
                                  .host = getpid(),
                                  .keep = options->keep,
                                  .keep_count = options->keep_count };
    int pair[2], code;

    memcpy(birth.services, context->services, sizeof birth.services);
    child_lineage(&lineage);
    code = life_init(&context->life);
    if (code != 0)
        return code;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    context->socket = pair[0];
    birth.socket = pair[1];
    birth.host_fd = pidfd_open(birth.host, 0);
    code = birth.host_fd < 0 ? -errno : lift(&birth.host_fd);
    if (code == 0)
        code = lift(&birth.socket);
    if (code == 0)
        code = lift(&context->life.read_fd);
    birth.life = context->life.read_fd;
    spin_prepare();
    fflush(NULL); /* what waits in stdio shall not be written twice */
    if (code == 0)
        code = context->late ? late_start(&birth, err) : fork_helper(&birth);
    fd_close(&birth.socket);
    fd_close(&birth.host_fd);
    fd_close(&context->life.read_fd);
    return code == 0 ? meet_helper(context) : code;
}

int context_open_with(const weir_context_options *options,
                      const struct helper_service *const *services,
                      weir_context **context_out, weir_error *err)
{
    weir_context_options known;
    weir_context *context;
    weir_error why = { 0 };
    bool late;
    int code;

    if (context_out == NULL)
        return error_set(err, WEIR_EINVAL, "no place for the context");
    code = check_options(options, &known, err);
    if (code != 0)
        return code;
    late = fork_threads() > 1;
    if (late && services != context_services)
        return error_set(err, WEIR_ESTATE,
                         "the program has threads already, and weir-helper has "
                         "no such services");
    context = calloc(1, sizeof *context);
    if (context == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for a context");
    context->host = getpid();
    context->late = late;
    context->helper_fd = context->socket = -1;
    context->life = (struct life){ -1, -1 };
    atomic_init(&context->refs, 1);
    pthread_mutex_init(&context->lock, NULL);
    pthread_mutex_init(&context->list.lock, NULL);
    code = copy_services(context, services);
    if (code == 0)
        code = open_helper(context, &known, &why);
    if (code != 0) {
        weir_context_close(&context);
        return why.code != 0
                   ? error_set(err, why.code, "%s", why.text)
                   : error_sys(err, code, "cannot start the helper process");
    }
    list_open(context);
    *context_out = context;
    return 0;
}

int weir_context_open(const weir_context_options *options,
                      weir_context **context_out, weir_error *err)
{
    return context_open_with(options, context_services, context_out, err);
}

/* ------------------------------------------------------------ closing ---- */

static bool gone_within(int pidfd, int64_t timeout_ns)
{
    struct pollfd poller = { .fd = pidfd, .events = POLLIN };
    int64_t deadline = clock_deadline(timeout_ns);
    int got;

    do {
        got = poll(&poller, 1, clock_poll_ms(clock_left(deadline)));
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

/* At exit a call of another thread may be under way: it keeps its socket. */
static void end_helper(weir_context *context)
{
    struct timespec until = clock_timespec(clock_deadline(SILENCE_NS));
    bool alone = pthread_mutex_clocklock(&context->lock, CLOCK_MONOTONIC,
                                         &until) == 0;

    atomic_store(&context->broken, true);
    fd_close(&context->life.write_fd); /* also wakes one that was stopped */
    if (alone) {
        fd_close(&context->socket);
        pthread_mutex_unlock(&context->lock);
    }
    if (context->helper_fd < 0)
        return;
    if (!gone_within(context->helper_fd, CLOSE_NS)) {
        pidfd_send_signal(context->helper_fd, SIGKILL, NULL, 0);
        gone_within(context->helper_fd, NS_PER_S);
    }
    /* A program that is a subreaper has become its parent. */
    if (context->helper > 0)
        waitpid(context->helper, NULL, WNOHANG);
}

void weir_context_close(weir_context **context)
{
    weir_context *c;

    if (context == NULL || *context == NULL)
        return;
    c = *context;
    *context = NULL;
    if (c->host == getpid()) {
        if (unlist_open(c)) {
            owner_end(c);
            owner_collect(c);
        }
        end_helper(c);
    }
    context_unref(c);
}

void context_finish_all(void)
{
    if (open_ones.process != getpid())
        return;
    for (;;) {
        weir_context *context;

        pthread_mutex_lock(&open_ones.lock);
        context = open_ones.first;
        pthread_mutex_unlock(&open_ones.lock);
        if (context == NULL || !unlist_open(context))
            return;
        /* Not freed: handles, and the caller's pointer, are still there. */
        owner_end(context);
        end_helper(context);
    }
}
