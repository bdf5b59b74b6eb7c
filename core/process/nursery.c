/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nursery.c - the owner's side of a nursery. See nursery.h.
 *
 * The owner's socket does not block. Orders that it does not take at once wait
 * in a list with their own copies of the descriptors. An epoll descriptor
 * stands for all that may happen: an answer, room for what waits, the
 * nursery's death.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "process/fork.h"
#include "process/nursery.h"
#include "process/nursery_wire.h"

/* How long a nursery may take to kill what is left and go. */
#define STOP_NS (5 * NS_PER_S)
/* How long a killed process may take to be gone: in state D it is for ever. */
#define GONE_NS (2 * NS_PER_S)

struct waiting {
    struct waiting *next;
    struct wire_head head;
    int fds[FD_MESSAGE_FDS];
    size_t fd_count;
    char text[];
};

struct nursery {
    pid_t pid;
    int pidfd;
    int socket;
    int epoll;
    struct life life; /* read_fd is -1: the nursery has it */
    bool polling_out;
    bool over;              /* GONE was told */
    bool ended;             /* no more answers will come */
    struct exit_record end; /* then */
    struct waiting *first, **last;
    struct wire_message in;
};

/* ------------------------------------------------------------ sending ---- */

static bool has_room(int socket)
{
    struct pollfd poller = { .fd = socket, .events = POLLOUT };

    return poll(&poller, 1, 0) == 1 && (poller.revents & POLLOUT) != 0;
}

/* 0, -EAGAIN when it must wait, or another code: the nursery is gone. */
static int try_send(int socket, const struct wire_head *head, const void *text,
                    const int *fds, size_t fd_count)
{
    struct wire_message message;
    int code;

    if (!has_room(socket))
        return -EAGAIN;
    message.head = *head;
    if (head->size > 0)
        memcpy(message.text, text, head->size);
    code = fd_send(socket, &message, sizeof *head + head->size, fds, fd_count);
    /* Too many descriptors on their way: as the nursery takes them, it goes. */
    return code == -ETOOMANYREFS || code == -ENOBUFS ? -EAGAIN : code;
}

static void poll_out(struct nursery *nursery, bool on)
{
    struct epoll_event event = { .events = EPOLLIN | (on ? EPOLLOUT : 0) };

    if (nursery->polling_out == on)
        return;
    if (epoll_ctl(nursery->epoll, EPOLL_CTL_MOD, nursery->socket, &event) == 0)
        nursery->polling_out = on;
    else if (on) /* what waits would wait for ever: its end tells */
        pidfd_send_signal(nursery->pidfd, SIGKILL, NULL, 0);
}

static void waiting_free(struct waiting *waiting)
{
    for (size_t i = 0; i < waiting->fd_count; i++)
        fd_close(&waiting->fds[i]);
    free(waiting);
}

static struct waiting *waiting_new(const struct wire_head *head,
                                   const void *text, const int *fds,
                                   size_t fd_count)
{
    struct waiting *waiting = malloc(sizeof *waiting + head->size);

    if (waiting == NULL)
        return NULL;
    waiting->next = NULL;
    waiting->head = *head;
    waiting->fd_count = 0;
    if (head->size > 0)
        memcpy(waiting->text, text, head->size);
    for (size_t i = 0; i < fd_count; i++) {
        int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

        if (copy < 0) {
            int code = errno;

            waiting_free(waiting);
            errno = code;
            return NULL;
        }
        waiting->fds[waiting->fd_count++] = copy;
    }
    return waiting;
}

static void send_waiting(struct nursery *nursery)
{
    while (nursery->first != NULL) {
        struct waiting *waiting = nursery->first;

        int code = try_send(nursery->socket, &waiting->head, waiting->text,
                            waiting->fds, waiting->fd_count);

        if (code == -EAGAIN)
            break;
        /* Nobody is there any more; or it cannot be reached, and is of no use:
         * its end tells, in either case. */
        if (code != 0)
            pidfd_send_signal(nursery->pidfd, SIGKILL, NULL, 0);
        nursery->first = waiting->next;
        if (nursery->first == NULL)
            nursery->last = &nursery->first;
        waiting_free(waiting);
    }
    poll_out(nursery, nursery->first != NULL);
}

/* The pieces of one thing that is to be said. */
struct outbox {
    struct nursery *nursery;
    struct waiting *first, **last;
};

static int outbox_add(struct outbox *box, const struct wire_head *head,
                      const void *text, const int *fds, size_t fd_count)
{
    struct waiting *waiting = waiting_new(head, text, fds, fd_count);

    if (waiting == NULL)
        return errno != 0 ? -errno : WEIR_ENOMEM;
    *box->last = waiting;
    box->last = &waiting->next;
    return 0;
}

static void outbox_drop(struct outbox *box)
{
    while (box->first != NULL) {
        struct waiting *waiting = box->first;

        box->first = waiting->next;
        waiting_free(waiting);
    }
}

static void outbox_post(struct outbox *box)
{
    if (box->first == NULL)
        return;
    *box->nursery->last = box->first;
    box->nursery->last = box->last;
    send_waiting(box->nursery);
}

static int usable(const struct nursery *nursery)
{
    if (nursery == NULL)
        return WEIR_EINVAL;
    return nursery->over || nursery->ended ? WEIR_EBROKEN : 0;
}

/* All pieces are made before the first is sent: it is whole or not at all. */
int nursery_fork(struct nursery *nursery, const struct nursery_order *order)
{
    struct outbox box = { .nursery = nursery, .last = &box.first };
    struct wire_head head = { .kind = WIRE_ORDER };
    int code = usable(nursery);

    if (code != 0)
        return code;
    if (order == NULL || order->size > NURSERY_ORDER_MAX ||
        order->fd_count > FD_MESSAGE_FDS ||
        (order->size > 0 && order->data == NULL))
        return WEIR_EINVAL;
    head.id = order->id;
    head.value = (int64_t)order->size;
    head.detached = order->detached;
    code = outbox_add(&box, &head, NULL, order->fds, order->fd_count);
    for (size_t at = 0; code == 0 && at < order->size;) {
        size_t size = order->size - at < WIRE_TEXT ? order->size - at
                                                   : WIRE_TEXT;
        struct wire_head data = { .kind = WIRE_DATA, .size = (uint32_t)size };

        code = outbox_add(&box, &data, (const char *)order->data + at, NULL, 0);
        at += size;
    }
    if (code != 0) {
        outbox_drop(&box);
        return code;
    }
    outbox_post(&box);
    return 0;
}

static int say(struct nursery *nursery, uint32_t kind, int64_t value)
{
    struct outbox box = { .nursery = nursery, .last = &box.first };
    struct wire_head head = { .kind = kind, .value = value };
    int code = outbox_add(&box, &head, NULL, NULL, 0);

    if (code == 0)
        outbox_post(&box);
    return code;
}

int nursery_reap(struct nursery *nursery, pid_t pid)
{
    int code = usable(nursery);

    if (code != 0)
        return code;
    return pid > 0 ? say(nursery, WIRE_REAP, pid) : WEIR_EINVAL;
}

/* ---------------------------------------------------------- receiving ---- */

/* Size of a well-formed message, 0 at the end, -EAGAIN, or WEIR_EBROKEN. One
 * whose descriptor found no room here is well-formed, with *fd_out = -1. */
static ssize_t take_message(struct nursery *nursery, int *fd_out)
{
    struct wire_message *in = &nursery->in;
    int fds[FD_MESSAGE_FDS];
    size_t fd_count = FD_MESSAGE_FDS;
    ssize_t size;

    *fd_out = -1;
    memset(&in->head, 0, sizeof in->head);
    size = fd_receive(nursery->socket, in, sizeof *in, fds, &fd_count);
    if (size == -EAGAIN || size == 0)
        return size;
    if (size == -EMSGSIZE && in->head.kind == WIRE_FORKED)
        return sizeof in->head;
    if (size < 0)
        return WEIR_EBROKEN;
    if (fd_count > 0)
        *fd_out = fds[0];
    for (size_t i = 1; i < fd_count; i++)
        fd_close(&fds[i]);
    if ((size_t)size < sizeof in->head ||
        (size_t)size != sizeof in->head + in->head.size) {
        fd_close(fd_out);
        return WEIR_EBROKEN;
    }
    return size;
}

static bool wait_gone(int pidfd, int64_t timeout_ns)
{
    struct pollfd poller = { .fd = pidfd, .events = POLLIN };
    int64_t deadline = clock_deadline(timeout_ns);
    int got;

    do {
        got = poll(&poller, 1, clock_poll_ms(clock_left(deadline)));
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

/* The nursery ends, by itself or killed, and is reaped. */
static void end_nursery(struct nursery *nursery, int64_t grace_ns)
{
    struct rusage usage;
    int status;
    pid_t got;

    if (nursery->ended)
        return;
    nursery->ended = true;
    nursery->end = exit_lost();
    if (!wait_gone(nursery->pidfd, grace_ns)) {
        pidfd_send_signal(nursery->pidfd, SIGKILL, NULL, 0);
        if (!wait_gone(nursery->pidfd, GONE_NS))
            return;
    }
    do {
        got = wait4(nursery->pid, &status, WNOHANG, &usage);
    } while (got < 0 && errno == EINTR);
    if (got == nursery->pid)
        nursery->end = exit_from_wait(status, &usage);
}

static int tell_gone(struct nursery *nursery, struct nursery_event *event)
{
    /* Its socket is closed: it is on its way out, or it is of no use. */
    end_nursery(nursery, GONE_NS);
    nursery->over = true;
    fd_close(&nursery->life.write_fd); /* for those that it left behind */
    epoll_ctl(nursery->epoll, EPOLL_CTL_DEL, nursery->socket, NULL);
    epoll_ctl(nursery->epoll, EPOLL_CTL_DEL, nursery->pidfd, NULL);
    *event = (struct nursery_event){ .kind = NURSERY_GONE,
                                     .pid = nursery->pid,
                                     .pidfd = -1,
                                     .exit = nursery->end };
    return 1;
}

/* 1: told; 0: nothing that the owner is told. */
static int tell(struct nursery *nursery, int fd, struct nursery_event *event)
{
    const struct wire_head *head = &nursery->in.head;

    *event = (struct nursery_event){ .id = head->id, .pidfd = -1 };
    switch (head->kind) {
    case WIRE_FORKED:
        event->kind = NURSERY_FORKED;
        event->pid = (pid_t)head->value;
        event->pidfd = fd;
        if (fd >= 0)
            return 1;
        /* No descriptor left here for its pidfd: it cannot be watched. */
        say(nursery, WIRE_DISMISS, head->value);
        event->kind = NURSERY_REFUSED;
        event->pid = 0;
        event->code = -EMFILE;
        return 1;
    case WIRE_REFUSED:
        event->kind = NURSERY_REFUSED;
        event->code = (int)head->value;
        break;
    case WIRE_REAPED:
        event->kind = NURSERY_REAPED;
        event->pid = (pid_t)head->value;
        event->exit = head->exit;
        break;
    default:
        fd_close(&fd);
        return 0;
    }
    fd_close(&fd);
    return 1;
}

int nursery_next(struct nursery *nursery, struct nursery_event *event_out)
{
    int fd;

    if (nursery == NULL || event_out == NULL)
        return WEIR_EINVAL;
    if (nursery->over)
        return WEIR_EBROKEN;
    send_waiting(nursery);
    for (;;) {
        bool gone = wait_gone(nursery->pidfd, 0); /* before the last message */
        ssize_t size = take_message(nursery, &fd);

        if (size == -EAGAIN && !gone)
            return 0;
        if (size == -EAGAIN)
            return tell_gone(nursery, event_out);
        if (size <= 0) {
            if (size < 0) /* it says what no nursery of ours says */
                pidfd_send_signal(nursery->pidfd, SIGKILL, NULL, 0);
            return tell_gone(nursery, event_out);
        }
        if (tell(nursery, fd, event_out) == 1)
            return 1;
    }
}

int nursery_fd(const struct nursery *nursery)
{
    return nursery->epoll;
}

pid_t nursery_pid(const struct nursery *nursery)
{
    return nursery->pid;
}

/* -------------------------------------------------------- start, stop ---- */

static void nursery_free(struct nursery *nursery)
{
    struct outbox rest = { .first = nursery->first };

    outbox_drop(&rest);
    fd_close(&nursery->socket);
    fd_close(&nursery->epoll);
    fd_close(&nursery->pidfd);
    life_done(&nursery->life);
    free(nursery);
}

void nursery_stop(struct nursery **nursery)
{
    struct nursery *n = *nursery;

    if (n == NULL)
        return;
    *nursery = NULL;
    /* The pipe's end kills the workers, wakes the nursery; the socket's end
     * tells it to go when nobody is left. */
    fd_close(&n->life.write_fd);
    fd_close(&n->socket);
    end_nursery(n, STOP_NS);
    nursery_free(n);
}

static int watch(struct nursery *nursery, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };

    return epoll_ctl(nursery->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno
                                                                    : 0;
}

/* The child's ends of what both need. */
struct ends {
    int socket;
    int life;
};

static int open_ends(struct nursery *nursery, struct ends *ends)
{
    int pair[2], code;

    nursery->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (nursery->epoll < 0)
        return -errno;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    nursery->socket = pair[0];
    ends->socket = pair[1];
    if (fcntl(nursery->socket, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    code = life_init(&nursery->life);
    ends->life = nursery->life.read_fd;
    nursery->life.read_fd = -1;
    return code;
}

/* The child goes into nursery_main and stays there. */
static int give_birth(struct nursery *nursery, const struct nursery_spec *spec,
                      const struct ends *ends)
{
    size_t count = 2 + spec->keep_count;
    CLEANUP_FREE int *keep = malloc(count * sizeof *keep);
    struct heritage heritage = { .death_signal = SIGKILL,
                                 .life = ends->life,
                                 .life_signal = SIGKILL,
                                 .fds = keep,
                                 .fd_count = count };
    struct nursery_birth birth = { .spec = spec,
                                   .socket = ends->socket,
                                   .life = ends->life };

    if (keep == NULL)
        return WEIR_ENOMEM;
    keep[0] = ends->socket;
    keep[1] = ends->life;
    for (size_t i = 0; i < spec->keep_count; i++)
        keep[2 + i] = spec->keep[i];
    fflush(NULL); /* what waits in stdio shall not be written twice */
    nursery->pid = fork_child(&heritage, &birth.armed);
    if (nursery->pid == 0)
        nursery_main(&birth);
    if (nursery->pid < 0)
        return nursery->pid;
    nursery->pidfd = pidfd_open(nursery->pid, 0);
    if (nursery->pidfd < 0) {
        int code = -errno;

        kill(nursery->pid, SIGKILL);
        while (waitpid(nursery->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        nursery->pid = -1;
        return code;
    }
    return 0;
}

struct preparing {
    struct buf *reply;
    char *busy; /* 256 bytes */
    bool answered;
    int64_t answer;
};

static void preparing_hears(struct preparing *preparing,
                            const struct wire_message *message)
{
    size_t size = message->head.size;

    switch (message->head.kind) {
    case WIRE_BUSY:
        if (size > WIRE_BUSY_MOST)
            size = WIRE_BUSY_MOST;
        memcpy(preparing->busy, message->text, size);
        preparing->busy[size] = '\0';
        break;
    case WIRE_DATA:
        if (preparing->reply != NULL)
            buf_add(preparing->reply, message->text, size);
        break;
    case WIRE_PREPARED:
        preparing->answered = true;
        preparing->answer = message->head.value;
        break;
    default:
        break;
    }
}

/* Until it says that it is prepared: 0; or it ends, WEIR_EPLUGIN; or the time
 * is over, WEIR_ETIMEDOUT; or it cannot be heard, WEIR_EBROKEN. */
static int hear_out(struct nursery *nursery, struct preparing *preparing,
                    int64_t deadline)
{
    int fd;

    for (;;) {
        ssize_t size = take_message(nursery, &fd);

        fd_close(&fd);
        if (size == -EAGAIN) {
            struct pollfd poller[2] = {
                { .fd = nursery->socket, .events = POLLIN },
                { .fd = nursery->pidfd, .events = POLLIN },
            };
            int got = fd_poll(poller, 2, deadline);

            if (got == 0 && clock_left(deadline) == 0)
                return WEIR_ETIMEDOUT;
            if (got > 0 && poller[0].revents == 0 && poller[1].revents != 0)
                return WEIR_EPLUGIN; /* all that it said was heard */
            continue;
        }
        if (size <= 0)
            return size < 0 ? WEIR_EBROKEN : WEIR_EPLUGIN;
        preparing_hears(preparing, &nursery->in);
        if (preparing->answered)
            return 0;
    }
}

static int judge(struct nursery *nursery, const struct nursery_spec *spec,
                 const struct preparing *preparing, int heard, weir_error *err)
{
    char words[EXIT_WORDS], time[32];
    const char *with = preparing->busy[0] != '\0' ? " while it was busy with "
                                                  : "";

    if (heard == WEIR_ETIMEDOUT) {
        end_nursery(nursery, 0);
        return error_set(err, WEIR_EPLUGIN,
                         "loading took longer than %s and was killed%s%s",
                         text_from_duration(time, spec->prepare_timeout_ns),
                         with, preparing->busy);
    }
    if (heard == WEIR_EBROKEN) {
        end_nursery(nursery, 0);
        return error_set(err, heard,
                         "cannot hear the process that loads and forks");
    }
    if (heard != 0 && !wait_gone(nursery->pidfd, GONE_NS)) {
        end_nursery(nursery, 0);
        return error_set(err, -EBADF,
                         "the process that loads closed descriptors that were "
                         "weir's, and was killed%s%s",
                         with, preparing->busy);
    }
    if (heard != 0) {
        end_nursery(nursery, GONE_NS);
        return error_set(err, WEIR_EPLUGIN, "the process that loads was %s%s%s",
                         nursery->end.signaled || nursery->end.lost
                             ? exit_words(words, &nursery->end)
                             : "ended by a call of exit",
                         with, preparing->busy);
    }
    if (preparing->answer < 0) {
        end_nursery(nursery, STOP_NS);
        return error_set(err, WEIR_EPLUGIN, "loading failed%s%s: %s", with,
                         preparing->busy,
                         weir_strerror((int)preparing->answer));
    }
    return 0;
}

/* The nursery is there: until it is prepared. */
static int raise_nursery(struct nursery *nursery,
                         const struct nursery_spec *spec, struct buf *reply,
                         char *busy, weir_error *err)
{
    struct preparing preparing = { .reply = reply, .busy = busy };
    int64_t limit = spec->prepare != NULL ? spec->prepare_timeout_ns : FOREVER;
    int code = hear_out(nursery, &preparing, clock_deadline(limit));

    code = judge(nursery, spec, &preparing, code, err);
    if (code != 0)
        return code;
    if (reply != NULL && reply->failed)
        return error_set(err, WEIR_ENOMEM, "no memory for what was loaded");
    code = watch(nursery, nursery->socket);
    if (code == 0)
        code = watch(nursery, nursery->pidfd);
    return code == 0
               ? 0
               : error_sys(err, code, "cannot watch the process that forks");
}

int nursery_start(const struct nursery_spec *spec, struct nursery **out,
                  struct buf *reply, char *busy_out,
                  struct exit_record *exit_out, weir_error *err)
{
    char busy[WIRE_BUSY_MOST + 1] = "";
    struct ends ends = { -1, -1 };
    struct nursery *nursery;
    int code;

    if (spec == NULL || out == NULL || spec->worker == NULL)
        return error_set(err, WEIR_EINVAL, "a nursery needs a worker function");
    nursery = calloc(1, sizeof *nursery);
    if (nursery == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for a nursery");
    nursery->pid = -1;
    nursery->pidfd = nursery->socket = nursery->epoll = -1;
    nursery->life = (struct life){ -1, -1 };
    nursery->last = &nursery->first;
    code = open_ends(nursery, &ends);
    if (code == 0)
        code = give_birth(nursery, spec, &ends);
    fd_close(&ends.socket);
    fd_close(&ends.life);
    if (code != 0) {
        nursery_free(nursery);
        return error_sys(err, code, "cannot start the process that forks");
    }
    code = raise_nursery(nursery, spec, reply, busy, err);
    if (code != 0) {
        if (busy_out != NULL)
            memcpy(busy_out, busy, sizeof busy);
        if (exit_out != NULL && nursery->ended)
            *exit_out = nursery->end;
        nursery_stop(&nursery);
        return code;
    }
    *out = nursery;
    return 0;
}
