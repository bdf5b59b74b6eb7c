/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serve.c - the service of process handles: runs in the helper, and `work` in
 * the child that a program has started.
 */
#include "config.h"

#include <signal.h>
#include <stdlib.h>

#include "process/child.h"
#include "process/code.h"
#include "process/helper.h"
#include "process/serve.h"
#include "process/terminal.h"

struct child {
    uint64_t id;
    uint64_t tag; /* the question that waits for it; 0: none */
    pid_t pid;    /* 0: not yet */
    bool dead;    /* its number may be another's soon */
    bool ended;
    bool forgotten;
    bool terminal;      /* it may have the foreground */
    int64_t started_ns; /* 0: not yet */
    int64_t kill_ns;    /* then it gets SIGKILL */
    struct exit_record exit;
};

struct serve {
    struct helper *helper;
    uint64_t ids;
    VEC(struct child) children;
};

static int open_serve(struct helper *helper, void **state_out)
{
    struct serve *serve = calloc(1, sizeof *serve);

    if (serve == NULL)
        return WEIR_ENOMEM;
    serve->helper = helper;
    *state_out = serve;
    return 0;
}

static struct child *child_of(struct serve *serve, uint64_t id)
{
    for (size_t i = 0; i < serve->children.count; i++)
        if (serve->children.at[i].id == id)
            return &serve->children.at[i];
    return NULL;
}

static void remove_child(struct serve *serve, struct child *child)
{
    *child = serve->children.at[--serve->children.count];
}

/* The order is the question itself: the child reads it. */
static int start(struct serve *serve, const struct helper_request *request,
                 uint32_t flags, uint64_t run)
{
    struct child *child;
    int code;

    if (!code_is_at(run))
        return WEIR_EINVAL;
    child = VEC_ADD(&serve->children);
    if (child == NULL)
        return WEIR_ENOMEM;
    child->id = ++serve->ids;
    child->tag = request->tag;
    child->terminal = (flags & START_TERMINAL) != 0;
    child->kill_ns = FOREVER;
    code = helper_fork_as(serve->helper, &process_service, child->id, request,
                          (flags & START_DETACHED) != 0);
    if (code != 0) {
        serve->children.count--;
        return code;
    }
    return HELPER_LATER;
}

static void forked(void *state, uint64_t id, int code, pid_t pid, int pidfd)
{
    struct serve *serve = state;
    struct child *child = child_of(serve, id);
    struct serve_started started = { .id = id, .pid = pid };

    if (child == NULL)
        return;
    helper_answer(serve->helper, child->tag, code, &started, sizeof started,
                  &pidfd, code == 0);
    child->tag = 0;
    child->pid = pid;
    child->started_ns = clock_now();
    if (code != 0)
        remove_child(serve, child);
}

/* Before it is reaped, so before anybody has joined it. */
static void died(void *state, pid_t pid)
{
    struct serve *serve = state;

    for (size_t i = 0; i < serve->children.count; i++) {
        struct child *child = &serve->children.at[i];

        if (child->pid != pid || child->dead)
            continue;
        child->dead = true;
        child->exit.lived_ns = clock_now() - child->started_ns;
        if (child->terminal)
            terminal_give_back(pid, helper_host(serve->helper));
    }
}

static void reaped(void *state, uint64_t id, pid_t pid,
                   const struct exit_record *exit)
{
    struct serve *serve = state;
    struct child *child = child_of(serve, id);
    int64_t lived_ns;

    (void)pid;
    if (child == NULL)
        return;
    lived_ns = child->exit.lived_ns;
    child->exit = *exit;
    child->exit.lived_ns = lived_ns;
    child->ended = true;
    if (child->tag != 0)
        helper_answer(serve->helper, child->tag, 0, &child->exit,
                      sizeof child->exit, NULL, 0);
    if (child->tag != 0 || child->forgotten)
        remove_child(serve, child);
}

static int tell_exit(struct serve *serve, struct child *child,
                     const struct helper_request *request, struct buf *reply)
{
    if (!child->ended) {
        child->tag = request->tag;
        return HELPER_LATER;
    }
    buf_add(reply, &child->exit, sizeof child->exit);
    remove_child(serve, child);
    return 0;
}

/* Its number is its own, and its group's, until we have it reaped. */
static int send_signal(const struct child *child, int signal)
{
    if (child->dead || child->ended || child->pid <= 0)
        return 0;
    /* One that is about to lead its session has no group yet. */
    if (kill(-child->pid, signal) < 0 &&
        (errno != ESRCH || kill(child->pid, signal) < 0))
        return errno == ESRCH ? 0 : -errno;
    if (signal == SIGTERM)
        kill(-child->pid, SIGCONT); /* a stopped one would not see it */
    return 0;
}

/* From here on the steps go on by themselves: see tick. */
static int stop(struct child *child, uint64_t grace_ns)
{
    int64_t at = clock_deadline(grace_ns < FOREVER ? (int64_t)grace_ns
                                                   : FOREVER);

    if (at < child->kill_ns)
        child->kill_ns = at;
    return grace_ns > 0 ? send_signal(child, SIGTERM) : 0;
}

static int64_t tick(void *state, int64_t now_ns)
{
    struct serve *serve = state;
    int64_t least = FOREVER;

    for (size_t i = 0; i < serve->children.count; i++) {
        struct child *child = &serve->children.at[i];

        if (child->kill_ns == FOREVER)
            continue;
        if (child->kill_ns <= now_ns) {
            send_signal(child, SIGKILL);
            child->kill_ns = FOREVER;
        } else if (child->kill_ns - now_ns < least) {
            least = child->kill_ns - now_ns;
        }
    }
    return least;
}

static void forget(struct serve *serve, struct child *child)
{
    child->forgotten = true;
    if (child->ended)
        remove_child(serve, child);
}

static int request(void *state, const struct helper_request *request,
                   struct buf *reply)
{
    struct serve *serve = state;
    struct reader in = { .data = request->data, .size = request->size };
    uint32_t word = read_u32(&in);
    struct child *child;

    if (word == SERVE_START) {
        uint32_t flags = read_u32(&in);

        return start(serve, request, flags, read_u64(&in));
    }
    child = child_of(serve, read_u64(&in));
    if (child == NULL || in.bad)
        return WEIR_EINVAL;
    switch (word) {
    case SERVE_EXIT:
        return tell_exit(serve, child, request, reply);
    case SERVE_SIGNAL:
        return send_signal(child, (int)read_u64(&in));
    case SERVE_STOP:
        return stop(child, read_u64(&in));
    case SERVE_FORGET:
        forget(serve, child);
        return 0;
    default:
        return WEIR_EINVAL;
    }
}

static int work(void *state, const struct nursery_order *order)
{
    const struct serve *serve = state;

    return child_main(helper_services(serve->helper), order);
}

const struct helper_service process_service = {
    .name = "process",
    .open = open_serve,
    .request = request,
    .died = died,
    .forked = forked,
    .reaped = reaped,
    .tick = tick,
    .worker = work,
};
