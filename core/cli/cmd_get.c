/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_get.c - `weir get`: items from a queue that has a name to standard
 * output, or to a file. The command's own process.
 *
 * An item is leased, written, and only then taken off the queue. So whatever
 * happens to this process or its output, no item is lost; one that was written
 * when this process was killed before it could say so comes again: at least
 * once. To a file that it appends to, exactly once: how long the file is, is
 * part of what takes the item off the queue (core/queue/sink.c), and what a
 * killed one had written beyond that, the next one cuts off.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cli/named.h"
#include "cli/stop.h"
#include "pool/queue_named.h"

struct get_args {
    struct named_args named;
    unsigned count;
    const char *append;
    bool wait;
};

static const struct option_spec get_options[] = {
    { OPTION_COUNT, 'n', "count", "NUMBER",
      "so many items; else until the queue is closed",
      offsetof(struct get_args, count) },
    { OPTION_FLAG, '0', "null", NULL, "a NUL byte behind each, not a newline",
      offsetof(struct get_args, named.null) },
    { OPTION_FLAG, '\0', "whole", NULL, "nothing behind each",
      offsetof(struct get_args, named.whole) },
    { OPTION_TEXT, '\0', "append", "FILE",
      "to the end of this file, each exactly once",
      offsetof(struct get_args, append) },
    NAMED_OPTIONS(struct get_args),
    { OPTION_TEXT, '\0', "timeout", "TIME",
      "longest wait for one item, as '30s'",
      offsetof(struct get_args, named.timeout) },
    { OPTION_FLAG, 'w', "wait", NULL,
      "when there is no queue of this name: until there is",
      offsetof(struct get_args, wait) },
    { .kind = OPTION_END },
};

struct getting {
    const struct get_args *args;
    const char *name;
    weir_queue *queue;
    int64_t timeout_ns;
    uint64_t items;
    bool told; /* that it waits */
    bool pipe_closed;
    int file; /* that it appends to; -1: standard output */
    unsigned appended;
};

static void wake(void *arg)
{
    weir_queue_cancel(((struct getting *)arg)->queue, true);
}

/* A file, pipe or terminal; cut short only by a signal (-EINTR) or an error. */
static int write_parts(struct iovec *parts, int count)
{
    while (count > 0) {
        struct pollfd ready = { .fd = STDOUT_FILENO, .events = POLLOUT };
        ssize_t size = writev(STDOUT_FILENO, parts, count);

        if (size < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (size < 0 && stop_signal() != 0)
            return -EINTR;
        if (size < 0 && errno == EAGAIN)
            fd_poll(&ready, 1, FOREVER);
        for (; count > 0 && size >= (ssize_t)parts->iov_len; count--)
            size -= (ssize_t)parts++->iov_len;
        if (count > 0 && size > 0) {
            parts->iov_base = (char *)parts->iov_base + size;
            parts->iov_len -= (size_t)size;
        }
    }
    return 0;
}

/* The item, and what stands behind it: how many parts. */
static int parts_of(const struct getting *g, const weir_lease *item,
                    struct iovec parts[2])
{
    const char *data = item->data;
    bool ended = g->args->named.whole ||
                 (!g->args->named.null && item->size > 0 &&
                  data[item->size - 1] == '\n');

    parts[0] = (struct iovec){ (void *)item->data, item->size };
    parts[1] = (struct iovec){ (void *)(g->args->named.null ? "" : "\n"), 1 };
    return ended ? 1 : 2;
}

struct leasing {
    struct getting *getting;
    weir_lease *item;
};

static int lease_once(void *arg, int64_t timeout_ns)
{
    struct leasing *leasing = arg;

    return weir_queue_lease(leasing->getting->queue, timeout_ns, leasing->item);
}

static int lease(struct getting *g, weir_lease *item)
{
    struct leasing leasing = { g, item };

    return named_wait(lease_once, &leasing, g->timeout_ns, &g->told,
                      "for an item in", g->name);
}

static enum status less(const struct getting *g, const char *why)
{
    if (g->args->count != 0)
        complain("queue '%s' %s: %llu of %u items", g->name, why,
                 (unsigned long long)g->items, g->args->count);
    return STATUS_FAILED;
}

/* The output's fault, not the queue's. */
static enum status unwritten(struct getting *g, int code)
{
    if (code == -EINTR)
        return STATUS_GOOD; /* by a signal, see stop_signal */
    if (code == -EPIPE)
        g->pipe_closed = true; /* which needs no words */
    else
        complain("cannot write standard output: %s", strerror(-code));
    return STATUS_BROKEN;
}

static enum status unusable(const struct getting *g, int code)
{
    if (code == -EAGAIN)
        complain("queue '%s' has no room for one more who uses it", g->name);
    else
        complain("cannot use queue '%s': %s; 'weir queues --remove=%s' removes "
                 "it",
                 g->name, weir_strerror(code), g->name);
    return STATUS_BROKEN;
}

/* Why there is no next item. */
static enum status ended(const struct getting *g, int code)
{
    switch (code) {
    case WEIR_ECANCELED: /* by a signal, see stop_signal */
        return STATUS_GOOD;
    case WEIR_ECLOSED:
        return g->args->count == 0 ? STATUS_GOOD : less(g, "is closed");
    case WEIR_ETIMEDOUT:
    case WEIR_EEMPTY:
        return less(g, "had no more in time");
    default:
        return unusable(g, code);
    }
}

/* Written first, then taken off the queue. */
static enum status pass_on(struct getting *g, weir_lease *item)
{
    struct iovec parts[2];
    int count = parts_of(g, item, parts);
    int code = write_parts(parts, count);

    WEIR_POINT("get.written");
    if (code < 0)
        return unwritten(g, code);
    code = weir_queue_commit(item);
    return code < 0 ? unusable(g, code) : STATUS_GOOD;
}

/* Written and taken off the queue, in one. */
static enum status append(struct getting *g, weir_lease *item)
{
    struct iovec parts[2];
    int count = parts_of(g, item, parts);
    weir_error err = { 0 };
    int code = queue_append_commit(item, g->file, parts, (unsigned)count, &err);

    if (code == 0)
        return STATUS_GOOD;
    if (code < WEIR_CODE_FLOOR)
        return unusable(g, code);
    complain("cannot append to '%s': %s", g->args->append, strerror(-code));
    return STATUS_BROKEN;
}

static enum status get_all(struct getting *g)
{
    const unsigned count = g->args->count;
    enum status status = STATUS_GOOD;

    while (status == STATUS_GOOD && stop_signal() == 0 &&
           (count == 0 || g->items < count)) {
        weir_lease item;
        int code = lease(g, &item);

        if (code < 0)
            return ended(g, code);
        status = g->file < 0 ? pass_on(g, &item) : append(g, &item);
        g->items += status == STATUS_GOOD;
    }
    return status;
}

/* After the queue was opened, which has recovered the one before, if that was
 * killed. This one's alone, as long as it runs. */
static enum status open_file(struct getting *g)
{
    weir_error err = { 0 };

    if (g->args->append == NULL)
        return STATUS_GOOD;
    g->file = open(g->args->append, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (g->file < 0) {
        complain("cannot open '%s': %s", g->args->append, strerror(errno));
        return STATUS_WRONG;
    }
    if (flock(g->file, LOCK_EX | LOCK_NB) < 0) {
        complain("cannot append to '%s': %s", g->args->append,
                 errno == EWOULDBLOCK ? "another process does"
                                      : strerror(errno));
        return STATUS_BROKEN;
    }
    if (queue_append_open(g->queue, g->file, &g->appended, &err) < 0) {
        complain("cannot append to '%s': %s", g->args->append, err.text);
        return STATUS_BROKEN;
    }
    return STATUS_GOOD;
}

/* Until there is one of this name, or the time is up. */
static void await_queue(const struct getting *g)
{
    int64_t deadline = clock_deadline(g->timeout_ns);
    weir_queue *queue;

    while (stop_signal() == 0 && clock_left(deadline) > 0) {
        int code = weir_queue_open_named(g->name, NULL, 0, &queue, NULL);

        if (code == 0)
            weir_queue_free(&queue);
        if (code != -ENOENT)
            return;
        usleep(50000);
    }
}

static enum status get_run(const struct cli *cli, const void *all)
{
    struct getting getting = { .args = all,
                               .name = cli->operands[0],
                               .file = -1 };
    weir_queue_options options;
    enum status status;

    if (!named_parse(&getting.args->named, &options, &getting.timeout_ns))
        return STATUS_WRONG;
    if (getting.args->wait && !getting.args->named.create)
        await_queue(&getting);
    status = named_open(getting.name, &getting.args->named, &options,
                        &getting.queue);
    if (status == STATUS_GOOD)
        status = open_file(&getting);
    if (status == STATUS_GOOD) {
        stop_watch(wake, &getting);
        status = get_all(&getting);
        stop_watch(NULL, NULL);
        if (getting.file >= 0)
            queue_append_close(getting.queue, getting.file, getting.appended);
    }
    weir_queue_free(&getting.queue); /* what is not written goes back */
    if (stop_signal() != 0)
        stop_die_by(stop_signal());
    if (getting.pipe_closed)
        stop_die_by(SIGPIPE);
    return status;
}

const struct command cmd_get = {
    .name = "get",
    .summary = "Take items from a queue that has a name",
    .operands = "NAME",
    .least = 1,
    .most = 1,
    .completes = "queue",
    .options = get_options,
    .args_size = sizeof(struct get_args),
    .about = "\nEach item is written to standard output, and then taken off "
             "the queue: none is\nlost, whatever happens to this process or to "
             "its output; one may come twice\nwhen this process is killed "
             "between the two. With --append each is in the file\nonce: what "
             "one that was killed had begun to write, the next one cuts off.\n"
             "Exit status 1: closed, or nothing came in time, before there was "
             "as much as was\nasked for.\n",
    .examples = "  weir get numbers\n"
                "  weir get -n 1 --timeout=30s files\n"
                "  weir get --append=kept.txt numbers\n",
    .run = get_run,
};
