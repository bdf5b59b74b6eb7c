/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper.c - runs in the helper. See helper.h.
 *
 * One loop over all that may happen: a question of the program, an answer of
 * the nursery, the death of a worker, of the nursery, of the program. It is a
 * subreaper: when the nursery is killed its workers come down to the helper,
 * which reaps them itself, so that their exit statuses are not lost.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/fork.h"
#include "process/helper.h"
#include "process/parcel.h"

/* How long what came down to us may take to die. */
#define LEAVE_NS (2 * NS_PER_S)
/* How often it is looked for meanwhile: no event tells of it. */
#define STRAYS_NS (20 * NS_PER_MS)
/* How soon a nursery that could not be forked is tried again. */
#define NURSERY_AGAIN_NS (100 * NS_PER_MS)

enum hand_state {
    HAND_ORDERED, /* no answer of the nursery yet */
    HAND_RUNS,
    HAND_DEAD, /* recovered; to be reaped */
};

/* A worker, whosever it is. */
struct hand {
    uint64_t key; /* the nursery's id of it */
    uint64_t id;  /* its service's */
    unsigned service;
    enum hand_state state;
    bool orphan;   /* its nursery is gone: ours to reap */
    bool detached; /* outlives us */
    pid_t pid;
    int pidfd;
};

struct watched {
    int fd;
    void (*ready)(void *arg, int fd);
    void *arg;
};

struct helper {
    const struct helper_birth *birth;
    void *states[SERVICES_MOST];
    unsigned service_count;
    struct nursery *nursery;
    uint64_t keys;
    VEC(struct hand) hands;
    VEC(struct watched) watched;
    VEC(struct pollfd) pollers;
    bool strays; /* a nursery was killed: its workers' own come down to us */
    struct parcel in;
};

/* What stands before a service's own bytes in an order. */
struct order_head {
    uint32_t service;
    uint32_t zero;
};

pid_t helper_host(const struct helper *helper)
{
    return helper->birth->host;
}

const struct helper_service *const *helper_services(const struct helper *helper)
{
    return helper->birth->services;
}

static const struct helper_service *service_at(const struct helper *helper,
                                               unsigned service)
{
    return helper->birth->services[service];
}

/* ------------------------------------------------------------ nursery ---- */

/* In a worker. */
static int work(void *arg, const struct nursery_order *order)
{
    struct helper *helper = arg;
    struct nursery_order own = *order;
    struct order_head head;

    if (order->size < sizeof head)
        return EXIT_REFUSED;
    memcpy(&head, order->data, sizeof head);
    if (head.service >= helper->service_count)
        return EXIT_REFUSED;
    own.data = (const char *)order->data + sizeof head;
    own.size = order->size - sizeof head;
    child_enter(helper->birth->lineage, service_at(helper, head.service)->name);
    return service_at(helper, head.service)
        ->worker(helper->states[head.service], &own);
}

static int start_nursery(struct helper *helper)
{
    const struct nursery_spec spec = {
        .arg = helper,
        .worker = work,
        .keep = helper->birth->keep,
        .keep_count = helper->birth->keep_count
    };

    return nursery_start(&spec, &helper->nursery, NULL, NULL, NULL, NULL);
}

static void remove_hand(struct helper *helper, struct hand *hand)
{
    fd_close(&hand->pidfd);
    *hand = helper->hands.at[--helper->hands.count];
}

int helper_fork_as(struct helper *helper, const struct helper_service *service,
                   uint64_t id, const struct helper_request *wanted,
                   bool detached)
{
    CLEANUP_BUF struct buf bytes = { 0 };
    struct nursery_order order = { .fd_count = wanted->fd_count,
                                   .detached = detached };
    struct order_head head = { 0 };
    struct hand *hand;
    int code;

    while (service_at(helper, head.service) != service)
        if (++head.service >= helper->service_count)
            return WEIR_EINVAL;
    if (wanted->size > HELPER_ORDER_MOST || wanted->fd_count > FD_MESSAGE_FDS)
        return WEIR_ETOOBIG;
    if (helper->nursery == NULL)
        return WEIR_ELOST;
    buf_add(&bytes, &head, sizeof head);
    if (buf_add(&bytes, wanted->data, wanted->size) != 0)
        return WEIR_ENOMEM;
    if (wanted->fd_count > 0)
        memcpy(order.fds, wanted->fds, wanted->fd_count * sizeof *order.fds);
    order.id = ++helper->keys;
    order.data = bytes.data;
    order.size = bytes.size;
    hand = VEC_ADD(&helper->hands);
    if (hand == NULL)
        return WEIR_ENOMEM;
    *hand = (struct hand){ .key = order.id,
                           .id = id,
                           .pidfd = -1,
                           .service = head.service,
                           .detached = detached };
    code = nursery_fork(helper->nursery, &order);
    if (code != 0)
        helper->hands.count--;
    return code;
}

int helper_fork(struct helper *helper, const struct helper_service *service,
                uint64_t id, const void *data, size_t size, const int *fds,
                size_t fd_count)
{
    const struct helper_request wanted = {
        .data = data, .size = size, .fds = (int *)fds, .fd_count = fd_count
    };

    return helper_fork_as(helper, service, id, &wanted, false);
}

static struct hand *hand_of(struct helper *helper, uint64_t key)
{
    for (size_t i = 0; i < helper->hands.count; i++)
        if (helper->hands.at[i].key == key)
            return &helper->hands.at[i];
    return NULL;
}

static void tell_forked(struct helper *helper, const struct hand *hand,
                        int code)
{
    const struct helper_service *service = service_at(helper, hand->service);

    if (service->forked != NULL)
        service->forked(helper->states[hand->service], hand->id, code,
                        code == 0 ? hand->pid : 0,
                        code == 0 ? hand->pidfd : -1);
}

/* Its last word: the entry goes first, since a service may fork anew. */
static void tell_reaped(struct helper *helper, struct hand *hand,
                        const struct exit_record *exit)
{
    const struct helper_service *service = service_at(helper, hand->service);
    struct hand gone = *hand;

    remove_hand(helper, hand);
    if (service->reaped != NULL)
        service->reaped(helper->states[gone.service], gone.id, gone.pid, exit);
}

static void tell_refused(struct helper *helper, struct hand *hand, int code)
{
    struct hand gone = *hand;

    remove_hand(helper, hand);
    tell_forked(helper, &gone, code);
}

static void nursery_says(struct helper *helper, struct nursery_event *event)
{
    struct hand *hand = hand_of(helper, event->id);

    if (hand == NULL) {
        fd_close(&event->pidfd);
        return;
    }
    switch (event->kind) {
    case NURSERY_FORKED:
        hand->pid = event->pid;
        hand->pidfd = event->pidfd;
        hand->state = HAND_RUNS;
        tell_forked(helper, hand, 0);
        break;
    case NURSERY_REFUSED:
        tell_refused(helper, hand, event->code);
        break;
    case NURSERY_REAPED:
        tell_reaped(helper, hand, &event->exit);
        break;
    case NURSERY_GONE:
        break;
    }
}

/* Its workers die with it, and come down to us. */
static void nursery_gone(struct helper *helper)
{
    nursery_stop(&helper->nursery);
    helper->strays = true;
    for (size_t i = helper->hands.count; i-- > 0;) {
        struct hand *hand = &helper->hands.at[i];

        hand->orphan = true;
        if (hand->state == HAND_ORDERED)
            tell_refused(helper, hand, WEIR_ELOST);
    }
}

static void hear_nursery(struct helper *helper)
{
    struct nursery_event event;

    while (helper->nursery != NULL &&
           nursery_next(helper->nursery, &event) == 1) {
        if (event.kind == NURSERY_GONE)
            nursery_gone(helper);
        else
            nursery_says(helper, &event);
    }
}

/* ------------------------------------------------------------- deaths ---- */

static void tell_died(struct helper *helper, pid_t pid)
{
    for (unsigned i = 0; i < helper->service_count; i++)
        if (service_at(helper, i)->died != NULL)
            service_at(helper, i)->died(helper->states[i], pid);
}

static void hand_died(struct helper *helper, struct hand *hand)
{
    uint64_t key = hand->key;

    WEIR_POINT("helper.died");
    tell_died(helper, hand->pid);
    hand = hand_of(helper, key); /* a service may have forked */
    if (hand == NULL)
        return;
    hand->state = HAND_DEAD;
    if (!hand->orphan)
        nursery_reap(helper->nursery, hand->pid); /* else: GONE will come */
}

static bool is_dead(int pidfd)
{
    struct pollfd poller = { .fd = pidfd, .events = POLLIN };

    return poll(&poller, 1, 0) == 1;
}

/* Workers that came down to us from a nursery that was killed. */
static void reap_orphans(struct helper *helper)
{
    struct rusage usage;
    int status;

    for (size_t i = helper->hands.count; i-- > 0;) {
        struct hand *hand = &helper->hands.at[i];
        struct exit_record exit = exit_lost();

        if (!hand->orphan || hand->state != HAND_DEAD)
            continue;
        kill(-hand->pid, SIGKILL);
        if (wait4(hand->pid, &status, WNOHANG, &usage) == hand->pid)
            exit = exit_from_wait(status, &usage);
        tell_reaped(helper, hand, &exit);
    }
}

/* And then what they had forked: all children but the nursery, and but those
 * workers, whose statuses are still wanted. */
static void clear_strays(struct helper *helper)
{
    VEC(pid_t) spare = { 0 };
    bool all = true;

    for (size_t i = 0; i <= helper->hands.count && all; i++) {
        pid_t *pid = VEC_ADD(&spare);

        if (pid == NULL)
            all = false;
        else if (i < helper->hands.count)
            *pid = helper->hands.at[i].pid;
        else if (helper->nursery != NULL)
            *pid = nursery_pid(helper->nursery);
        if (i < helper->hands.count && helper->hands.at[i].orphan &&
            !helper->hands.at[i].detached)
            all = false; /* first those that are known */
    }
    if (all)
        helper->strays = fork_clear_strays(spare.at, spare.count) > 0;
    VEC_DONE(&spare);
}

static void see_deaths(struct helper *helper)
{
    for (size_t i = helper->hands.count; i-- > 0;) {
        struct hand *hand = &helper->hands.at[i];

        if (i < helper->hands.count && hand->state == HAND_RUNS &&
            is_dead(hand->pidfd))
            hand_died(helper, hand);
    }
    reap_orphans(helper);
}

/* ------------------------------------------------------------ program ---- */

void helper_answer(struct helper *helper, uint64_t tag, int code,
                   const void *data, size_t size, const int *fds,
                   size_t fd_count)
{
    struct parcel_head head = { .tag = tag, .code = code, .total = size };

    /* If the program is gone, its pidfd says so. */
    parcel_send(helper->birth->socket, &head, data, fds, fd_count);
}

static void question(struct helper *helper)
{
    struct parcel *in = &helper->in;
    CLEANUP_BUF struct buf reply = { 0 };
    struct helper_request request = { .tag = in->head.tag,
                                      .data = in->data.data,
                                      .size = in->data.size,
                                      .fds = in->fds,
                                      .fd_count = in->fd_count };
    int code = WEIR_ESTATE;

    if (in->head.service < helper->service_count &&
        service_at(helper, in->head.service)->request != NULL)
        code = service_at(helper, in->head.service)
                   ->request(helper->states[in->head.service], &request,
                             &reply);
    if (code != HELPER_LATER)
        helper_answer(helper, request.tag, reply.failed ? WEIR_ENOMEM : code,
                      reply.data, reply.failed ? 0 : reply.size, NULL, 0);
    parcel_done(in);
}

/* Nobody stays behind but who is detached. */
static _Noreturn void leave(struct helper *helper)
{
    int64_t deadline = clock_deadline(LEAVE_NS);
    VEC(pid_t) spare = { 0 }; /* freed by the exit */

    for (size_t i = 0; i < helper->hands.count; i++) {
        const struct hand *hand = &helper->hands.at[i];
        pid_t *pid = hand->detached && hand->pid > 0 ? VEC_ADD(&spare) : NULL;

        if (pid != NULL)
            *pid = hand->pid;
    }
    nursery_stop(&helper->nursery);
    while (fork_clear_strays(spare.at, spare.count) > 0 &&
           clock_left(deadline) > 0)
        poll(NULL, 0, 5);
    _exit(EXIT_SUCCESS);
}

static void hear_program(struct helper *helper)
{
    int code = parcel_receive(helper->birth->socket, &helper->in);

    if (code == 1)
        question(helper);
    else if (code < 0 && code != -EAGAIN)
        leave(helper);
}

int helper_watch(struct helper *helper, int fd,
                 void (*ready)(void *arg, int fd), void *arg)
{
    struct watched *watched = VEC_ADD(&helper->watched);

    if (watched == NULL)
        return WEIR_ENOMEM;
    *watched = (struct watched){ fd, ready, arg };
    return 0;
}

void helper_unwatch(struct helper *helper, int fd)
{
    for (size_t i = 0; i < helper->watched.count; i++) {
        if (helper->watched.at[i].fd != fd)
            continue;
        helper->watched.at[i] = helper->watched.at[--helper->watched.count];
        return;
    }
}

/* --------------------------------------------------------------- loop ---- */

enum { POLL_SOCKET, POLL_LIFE, POLL_HOST, POLL_NURSERY, POLL_REST };

static void poll_for(struct helper *helper, int fd)
{
    struct pollfd *poller = VEC_ADD(&helper->pollers);

    if (poller == NULL)
        leave(helper);
    poller->fd = fd;
    poller->events = POLLIN;
}

/* Returns how many descriptors of services stand behind POLL_REST. */
static size_t list_pollers(struct helper *helper)
{
    helper->pollers.count = 0;
    poll_for(helper, helper->birth->socket);
    poll_for(helper, helper->birth->life);
    poll_for(helper, helper->birth->host_fd);
    poll_for(helper,
             helper->nursery != NULL ? nursery_fd(helper->nursery) : -1);
    for (size_t i = 0; i < helper->watched.count; i++)
        poll_for(helper, helper->watched.at[i].fd);
    for (size_t i = 0; i < helper->hands.count; i++)
        if (helper->hands.at[i].state == HAND_RUNS)
            poll_for(helper, helper->hands.at[i].pidfd);
    return helper->watched.count;
}

static int64_t tick(struct helper *helper)
{
    int64_t now = clock_now();
    int64_t least = helper->strays ? STRAYS_NS : FOREVER;

    if (helper->nursery == NULL && start_nursery(helper) != 0)
        least = NURSERY_AGAIN_NS;
    for (unsigned i = 0; i < helper->service_count; i++) {
        int64_t next = FOREVER;

        if (service_at(helper, i)->tick != NULL)
            next = service_at(helper, i)->tick(helper->states[i], now);
        if (next < least)
            least = next;
    }
    return least;
}

static void hear_watched(struct helper *helper, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct pollfd poller = helper->pollers.at[POLL_REST + i];

        if (poller.revents == 0)
            continue;
        for (size_t k = 0; k < helper->watched.count; k++) {
            struct watched watched = helper->watched.at[k];

            if (watched.fd != poller.fd)
                continue;
            watched.ready(watched.arg, watched.fd);
            break;
        }
    }
}

static void turn(struct helper *helper)
{
    int64_t wait = tick(helper);
    size_t watched = list_pollers(helper);

    if (poll(helper->pollers.at, helper->pollers.count, clock_poll_ms(wait)) <
        0) {
        if (errno != EINTR && errno != EAGAIN)
            leave(helper);
        return;
    }
    if (helper->pollers.at[POLL_LIFE].revents != 0 ||
        helper->pollers.at[POLL_HOST].revents != 0)
        leave(helper);
    hear_nursery(helper);
    see_deaths(helper);
    if (helper->strays)
        clear_strays(helper);
    hear_watched(helper, watched);
    if (helper->pollers.at[POLL_SOCKET].revents != 0)
        hear_program(helper);
}

/* The first word: it is ready, or why not. */
static int open_services(struct helper *helper)
{
    int code = 0;

    while (service_at(helper, helper->service_count) != NULL)
        helper->service_count++;
    for (unsigned i = 0; i < helper->service_count && code == 0; i++)
        if (service_at(helper, i)->open != NULL)
            code = service_at(helper, i)->open(helper, &helper->states[i]);
    return code == 0 ? start_nursery(helper) : code;
}

_Noreturn void helper_main(const struct helper_birth *birth)
{
    struct helper *helper = calloc(1, sizeof *helper);
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    pid_t self = getpid();
    int filled = fd_fill_standard(); /* nothing of ours becomes a stdout */
    int pidfd = pidfd_open(self, 0), code;

    if (helper == NULL || pidfd < 0 || filled < 0)
        _exit(EXIT_FAILURE);
    helper->birth = birth;
    prctl(PR_SET_NAME, "weir-helper", 0, 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    sigaction(SIGPIPE, &ignore, NULL);
    code = open_services(helper);
    helper_answer(helper, 0, code, &self, sizeof self, &pidfd, 1);
    fd_close(&pidfd);
    if (code != 0)
        leave(helper);
    for (;;)
        turn(helper);
}

_Noreturn void helper_fork_off(const struct helper_birth *birth)
{
    int fds[FD_MESSAGE_FDS + 3];
    struct heritage heritage = { .life = birth->life,
                                 .life_signal = SIGCONT,
                                 .fds = fds,
                                 .fd_count = birth->keep_count + 3 };
    pid_t pid;

    fds[0] = birth->socket;
    fds[1] = birth->life;
    fds[2] = birth->host_fd;
    for (size_t i = 0; i < birth->keep_count; i++)
        fds[3 + i] = birth->keep[i];
    pid = fork_child(&heritage, NULL);
    if (pid == 0)
        helper_main(birth);
    _exit(pid < 0 ? -pid : 0); /* an errno, all of which are below 256 */
}
