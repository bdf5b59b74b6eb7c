/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nursery_main.c - runs in the nursery (and, after its fork, in the worker).
 *
 * One thread, one loop: orders and reapings from the owner's socket, deaths by
 * signalfd. It ends when the socket or the life pipe ends, and then leaves
 * nobody behind: it is a subreaper, so all that tasks have forked comes down
 * to it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "process/fork.h"
#include "process/nursery.h"
#include "process/nursery_wire.h"

/* How long the end may take: processes in state D do not die. */
#define END_NS (2 * NS_PER_S)

struct worker {
    uint64_t id;
    pid_t pid;
    bool wanted;    /* to be reaped as soon as it is dead */
    bool dismissed; /* without a word */
    bool detached;  /* outlives us */
};

/* Said by a worker whose function returned what is no exit status. */
struct verdict {
    pid_t pid;
    int returned;
};

struct house {
    const struct nursery_spec *spec;
    int socket, life, armed;
    int deaths; /* signalfd */
    int verdict_in, verdict_out;
    VEC(struct verdict) verdicts;
    VEC(struct worker) workers;
    VEC(pid_t) groups; /* killed, and not yet empty */
    struct wire_message in;
    /* The order that is being heard. */
    struct nursery_order order;
    struct buf data;
    size_t data_due;
    bool ordering;
    bool cut; /* its descriptors found no room here */
};

/* The socket while `prepare` runs, in the nursery; -1 everywhere else. */
static int busy_socket = -1;

static int say(int socket, const struct wire_head *head, const void *text,
               const int *fds, size_t fd_count)
{
    struct wire_message message;

    message.head = *head;
    if (head->size > 0)
        memcpy(message.text, text, head->size);
    return fd_send(socket, &message, sizeof *head + head->size, fds, fd_count);
}

void nursery_busy_with(const char *what)
{
    struct wire_head head = { .kind = WIRE_BUSY };
    size_t size = strlen(what);

    if (busy_socket < 0)
        return;
    head.size = (uint32_t)(size < WIRE_BUSY_MOST ? size : WIRE_BUSY_MOST);
    say(busy_socket, &head, what, NULL, 0);
}

/* ------------------------------------------------------------ the end ---- */

/* All children are killed and reaped, and theirs, which come down to us; but
 * not those that are detached. */
static void clear_house(const struct house *house)
{
    int64_t deadline = clock_deadline(END_NS);
    VEC(pid_t) spare = { 0 }; /* freed by the exit */

    for (size_t i = 0; i < house->workers.count; i++) {
        const struct worker *worker = &house->workers.at[i];
        pid_t *pid = worker->detached ? VEC_ADD(&spare) : NULL;

        if (pid != NULL)
            *pid = worker->pid;
        else if (!worker->detached)
            kill(-worker->pid, SIGKILL);
    }
    for (;;) {
        struct pollfd poller = { .fd = house->deaths, .events = POLLIN };
        struct signalfd_siginfo died;
        pid_t got;

        do {
            got = waitpid(-1, NULL, WNOHANG);
        } while (got > 0);
        if (got < 0 || clock_left(deadline) == 0 ||
            (fork_clear_strays(spare.at, spare.count) == 0 && spare.count > 0))
            return;
        /* A stray's own child comes down without a signal: look again soon. */
        if (poll(&poller, 1, 20) == 1)
            (void)!read(house->deaths, &died, sizeof died);
    }
}

static _Noreturn void leave(const struct house *house, int status)
{
    clear_house(house);
    _exit(status);
}

static void tell(const struct house *house, const struct wire_head *head,
                 const int *fds, size_t fd_count)
{
    if (say(house->socket, head, NULL, fds, fd_count) < 0)
        leave(house, EXIT_FAILURE); /* nobody is there to be told */
}

/* ------------------------------------------------------------- deaths ---- */

/* What workers have said of themselves on their way out. */
static void hear_verdicts(struct house *house)
{
    struct verdict said;

    while (recv(house->verdict_in, &said, sizeof said, MSG_DONTWAIT) ==
           sizeof said) {
        struct verdict *verdict = VEC_ADD(&house->verdicts);

        if (verdict != NULL) /* else 255 is all that is known */
            *verdict = said;
    }
}

/* What it returned, if that was no exit status. */
static void add_verdict(struct house *house, pid_t pid,
                        struct exit_record *exit)
{
    hear_verdicts(house);
    for (size_t i = 0; i < house->verdicts.count; i++) {
        struct verdict verdict = house->verdicts.at[i];

        if (verdict.pid != pid)
            continue;
        house->verdicts.at[i] = house->verdicts.at[--house->verdicts.count];
        exit->refused = !exit->signaled && exit->code == EXIT_REFUSED;
        exit->returned = exit->refused ? verdict.returned : 0;
        return;
    }
}

/* Group first: while the worker is not reaped, its number is its group's. */
static bool reap(struct house *house, size_t i)
{
    struct worker worker = house->workers.at[i];
    struct wire_head head = { .kind = WIRE_REAPED,
                              .id = worker.id,
                              .value = worker.pid };
    siginfo_t dead = { .si_pid = 0 };
    struct rusage usage;
    int status;

    if (waitid(P_PID, (id_t)worker.pid, &dead, WEXITED | WNOHANG | WNOWAIT) <
            0 ||
        dead.si_pid == 0)
        return false;
    kill(-worker.pid, SIGKILL);
    WEIR_POINT("nursery.reap");
    if (wait4(worker.pid, &status, WNOHANG, &usage) != worker.pid)
        return false;
    head.exit = exit_from_wait(status, &usage);
    add_verdict(house, worker.pid, &head.exit);
    if (kill(-worker.pid, 0) == 0) {
        pid_t *group = VEC_ADD(&house->groups);

        if (group != NULL) /* else they are reaped at the end */
            *group = worker.pid;
    }
    house->workers.at[i] = house->workers.at[--house->workers.count];
    if (!worker.dismissed)
        tell(house, &head, NULL, 0);
    return true;
}

static void reap_wanted(struct house *house)
{
    for (size_t i = 0; i < house->workers.count;)
        if (!house->workers.at[i].wanted || !reap(house, i))
            i++;
}

/* The rest of groups whose worker is gone. */
static void reap_groups(struct house *house)
{
    for (size_t i = 0; i < house->groups.count;) {
        pid_t got = waitpid(-house->groups.at[i], NULL, WNOHANG);

        if (got == 0) {
            i++;
        } else if (got < 0) {
            house->groups.at[i] = house->groups.at[--house->groups.count];
        }
    }
}

static bool is_worker(const struct house *house, pid_t pid)
{
    for (size_t i = 0; i < house->workers.count; i++)
        if (house->workers.at[i].pid == pid)
            return true;
    return false;
}

static void see_deaths(struct house *house)
{
    struct signalfd_siginfo died;

    while (read(house->deaths, &died, sizeof died) == sizeof died) {
        pid_t pid = (pid_t)died.ssi_pid;

        /* A stray that left its group: nobody else will want it. */
        if (pid > 0 && !is_worker(house, pid))
            waitpid(pid, NULL, WNOHANG);
    }
    reap_wanted(house);
}

/* -------------------------------------------------------------- orders ---- */

static void order_done(struct house *house)
{
    for (size_t i = 0; i < house->order.fd_count; i++)
        fd_close(&house->order.fds[i]);
    house->order.fd_count = 0;
    house->ordering = false;
    buf_cut(&house->data, 0);
}

static void refuse(struct house *house, int code)
{
    struct wire_head head = { .kind = WIRE_REFUSED,
                              .id = house->order.id,
                              .value = code };

    order_done(house);
    tell(house, &head, NULL, 0);
}

/* In a worker: where it says what it returned. */
static int verdict_out = -1;

int nursery_make_way(int number, int above)
{
    int moved;

    if (verdict_out < 0 || verdict_out != number)
        return fork_make_way(number, above);
    moved = fcntl(verdict_out, F_DUPFD_CLOEXEC, above);
    if (moved < 0)
        return -errno;
    close(verdict_out);
    verdict_out = moved;
    return 0;
}

/* A thread that was left behind may have a stream locked for ever, stdout or
 * the list of all: then only what is free is flushed. */
static void flush_output(void)
{
    if (fork_threads() <= 1) {
        fflush(NULL);
    } else if (ftrylockfile(stdout) == 0) {
        fflush(stdout);
        funlockfile(stdout);
    }
}

static _Noreturn void worker_main(struct house *house)
{
    struct verdict verdict = { .pid = getpid() };
    int returned;

    verdict_out = house->verdict_out;
    WEIR_POINT("nursery.fork.child");
    returned = house->spec->worker(house->spec->arg, &house->order);
    flush_output();
    if (returned < 0 || returned > 255) {
        verdict.returned = returned;
        send(verdict_out, &verdict, sizeof verdict,
             MSG_DONTWAIT | MSG_NOSIGNAL);
        returned = EXIT_REFUSED;
    }
    _exit(returned);
}

/* It may have begun; who is told that there is none can rely on that. It stays
 * to be reaped. */
static void put_down(pid_t pid)
{
    siginfo_t dead;

    kill(pid, SIGKILL); /* its group may not be there yet */
    kill(-pid, SIGKILL);
    while (waitid(P_PID, (id_t)pid, &dead, WEXITED | WNOWAIT) < 0 &&
           errno == EINTR)
        continue;
}

static void fork_worker(struct house *house)
{
    const int ours[] = { house->socket, house->deaths, house->verdict_in,
                         house->life, house->armed };
    const bool detached = house->order.detached;
    const struct heritage heritage = { .death_signal = detached ? 0 : SIGKILL,
                                       .life = detached ? -1 : house->life,
                                       .life_signal = SIGKILL,
                                       .all = true,
                                       .session = detached,
                                       .fds = ours,
                                       .fd_count = 5 };
    struct wire_head head = { .kind = WIRE_FORKED, .id = house->order.id };
    struct worker *worker = VEC_ADD(&house->workers);
    int armed, pidfd;
    pid_t pid;

    if (worker == NULL) {
        refuse(house, WEIR_ENOMEM);
        return;
    }
    pid = fork_child(&heritage, &armed);
    if (pid == 0)
        worker_main(house);
    if (pid < 0) {
        house->workers.count--;
        refuse(house, pid);
        return;
    }
    *worker = (struct worker){ .id = house->order.id,
                               .pid = pid,
                               .detached = detached };
    pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        int code = -errno;

        put_down(pid);
        worker->wanted = worker->dismissed = true;
        refuse(house, code);
        return;
    }
    WEIR_POINT("nursery.forked");
    order_done(house);
    head.value = pid;
    tell(house, &head, &pidfd, 1);
    close(pidfd);
}

static void hear_order(struct house *house, const int *fds, size_t fd_count,
                       bool cut)
{
    const struct wire_head *head = &house->in.head;

    if (house->ordering || head->value < 0 || head->value > NURSERY_ORDER_MAX)
        leave(house, EXIT_FAILURE);
    house->order = (struct nursery_order){ .id = head->id,
                                           .fd_count = fd_count,
                                           .detached = head->detached != 0 };
    memcpy(house->order.fds, fds, fd_count * sizeof *fds);
    house->data_due = (size_t)head->value;
    house->ordering = true;
    house->cut = cut;
    buf_cut(&house->data, 0);
}

/* All of it was heard: a worker, or why not. */
static void order_heard(struct house *house)
{
    if (house->data.failed) {
        buf_done(&house->data);
        refuse(house, WEIR_ENOMEM);
        return;
    }
    if (house->cut) {
        refuse(house, -EMFILE);
        return;
    }
    house->order.data = house->data.data;
    house->order.size = house->data.size;
    fork_worker(house);
}

static void hear_pid(struct house *house, pid_t pid, bool dismissed)
{
    for (size_t i = 0; i < house->workers.count; i++) {
        if (house->workers.at[i].pid != pid)
            continue;
        house->workers.at[i].wanted = true;
        if (dismissed) {
            house->workers.at[i].dismissed = true;
            kill(-pid, SIGKILL);
        }
        reap(house, i);
        return;
    }
}

static void hear(struct house *house)
{
    struct wire_head *head = &house->in.head;
    int fds[FD_MESSAGE_FDS];
    size_t fd_count = FD_MESSAGE_FDS;
    ssize_t size;
    bool cut;

    memset(head, 0, sizeof *head);
    size = fd_receive(house->socket, &house->in, sizeof house->in, fds,
                      &fd_count);
    cut = size == -EMSGSIZE && head->kind == WIRE_ORDER;
    if (cut) {
        size = sizeof *head;
        fd_count = 0;
    }
    if (size < (ssize_t)sizeof *head ||
        (size_t)size != sizeof *head + head->size)
        leave(house, size == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    if (head->kind == WIRE_ORDER) {
        hear_order(house, fds, fd_count, cut);
    } else if (head->kind == WIRE_DATA && house->ordering &&
               head->size <= house->data_due) {
        buf_add(&house->data, house->in.text, head->size);
        house->data_due -= head->size;
    } else if (head->kind == WIRE_REAP || head->kind == WIRE_DISMISS) {
        hear_pid(house, (pid_t)head->value, head->kind == WIRE_DISMISS);
    } else {
        leave(house, EXIT_FAILURE);
    }
    if (house->ordering && house->data_due == 0)
        order_heard(house);
}

/* --------------------------------------------------------------- life ---- */

static void send_reply(const struct house *house, const struct buf *reply)
{
    for (size_t at = 0; at < reply->size;) {
        size_t size = reply->size - at < WIRE_TEXT ? reply->size - at
                                                   : WIRE_TEXT;
        struct wire_head head = { .kind = WIRE_DATA, .size = (uint32_t)size };

        if (say(house->socket, &head, reply->data + at, NULL, 0) < 0)
            leave(house, EXIT_FAILURE);
        at += size;
    }
}

/* From here on the owner's end wakes us, and we leave nobody behind. */
static int settle(struct house *house)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction normal = { .sa_handler = SIG_DFL };
    int verdicts[2];
    sigset_t set;

    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGCHLD, &normal, NULL);
    sigaction(SIGCONT, &normal, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_SETMASK, &set, NULL);
    house->deaths = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (house->deaths < 0)
        return -errno;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, verdicts) < 0)
        return -errno;
    house->verdict_in = verdicts[0];
    house->verdict_out = verdicts[1];
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGCONT);
    if (house->armed >= 0)
        life_rearm(house->armed, SIGCONT);
    return 0;
}

/* Says what came of it, also that nothing did. */
static int prepare(struct house *house)
{
    struct wire_head head = { .kind = WIRE_PREPARED };
    struct buf reply = { 0 };
    int code = 0;

    if (house->spec->prepare != NULL) {
        busy_socket = house->socket;
        code = house->spec->prepare(house->spec->arg, &reply);
        busy_socket = -1;
    }
    fflush(NULL); /* what plugins have printed: not again in each worker */
    if (reply.failed)
        code = WEIR_ENOMEM;
    if (code >= 0)
        code = settle(house);
    send_reply(house, &reply);
    buf_done(&reply);
    head.value = code;
    tell(house, &head, NULL, 0);
    return code;
}

_Noreturn void nursery_main(const struct nursery_birth *birth)
{
    struct house *house = calloc(1, sizeof *house);

    if (house == NULL)
        _exit(EXIT_FAILURE);
    prctl(PR_SET_NAME, "weir-nursery", 0, 0, 0);
    house->spec = birth->spec;
    house->socket = birth->socket;
    house->life = birth->life;
    house->armed = birth->armed;
    house->deaths = -1;
    if (prepare(house) < 0)
        leave(house, EXIT_FAILURE);
    for (;;) {
        struct pollfd poller[] = {
            { .fd = house->socket, .events = POLLIN },
            { .fd = house->deaths, .events = POLLIN },
            { .fd = house->life, .events = POLLIN },
        };

        if (poll(poller, 3, -1) < 0 && errno != EINTR)
            leave(house, EXIT_FAILURE);
        if (poller[2].revents != 0)
            leave(house, EXIT_SUCCESS);
        if (poller[1].revents != 0)
            see_deaths(house);
        if (poller[0].revents != 0)
            hear(house);
        reap_groups(house); /* some died before their group was listed */
    }
}
