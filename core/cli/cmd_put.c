/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_put.c - `weir put`: items from standard input or files into a queue that
 * has a name. The command's own process.
 *
 * What was put is there, however this ends: there is nothing to undo. So a
 * signal ends it where it stands, between two items.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/named.h"
#include "cli/stop.h"

struct put_args {
    struct named_args named;
    bool close, wait;
};

static const struct option_spec put_options[] = {
    { OPTION_FLAG, '0', "null", NULL, "items end in a NUL byte, not a newline",
      offsetof(struct put_args, named.null) },
    { OPTION_FLAG, '\0', "whole", NULL, "each file is one item",
      offsetof(struct put_args, named.whole) },
    NAMED_OPTIONS(struct put_args),
    { OPTION_TEXT, '\0', "timeout", "TIME",
      "longest wait for room for one item, as '30s'",
      offsetof(struct put_args, named.timeout) },
    { OPTION_FLAG, '\0', "close", NULL,
      "at the end: nobody puts any more, who gets sees the end",
      offsetof(struct put_args, close) },
    { OPTION_FLAG, 'w', "wait", NULL, "at the end: until all is taken",
      offsetof(struct put_args, wait) },
    { .kind = OPTION_END },
};

struct putting {
    const struct put_args *args;
    const char *name;
    weir_queue *queue;
    int64_t timeout_ns;
    uint64_t items;
    bool told; /* that it waits */
};

static void wake(void *arg)
{
    weir_queue_cancel(((struct putting *)arg)->queue, true);
}

struct piece {
    weir_queue *queue;
    const void *data;
    size_t size;
};

static int put_once(void *arg, int64_t timeout_ns)
{
    const struct piece *piece = arg;

    return weir_queue_put(piece->queue, piece->data, piece->size, timeout_ns);
}

static enum status put_item(struct putting *p, const char *source,
                            const void *data, size_t size)
{
    struct piece piece = { p->queue, data, size };
    int code = named_wait(put_once, &piece, p->timeout_ns, &p->told,
                          "for room in", p->name);

    p->items += code == 0;
    switch (code) {
    case 0:
    case WEIR_ECANCELED: /* by a signal, see stop_signal */
        return STATUS_GOOD;
    case WEIR_ECLOSED:
        complain("queue '%s' is closed: %llu items were put", p->name,
                 (unsigned long long)p->items);
        return STATUS_FAILED;
    case WEIR_EFULL:
    case WEIR_ETIMEDOUT:
        complain("queue '%s' had no room in time: %llu items were put", p->name,
                 (unsigned long long)p->items);
        return STATUS_FAILED;
    case WEIR_ETOOBIG:
        complain("%s: an item of %zu bytes can never fit queue '%s'; make the "
                 "queue with larger --bytes",
                 source, size, p->name);
        return STATUS_BROKEN;
    default:
        complain("cannot put into queue '%s': %s", p->name,
                 weir_strerror(code));
        return STATUS_BROKEN;
    }
}

static enum status unreadable(const char *source)
{
    complain("cannot read '%s': %s", source, strerror(errno));
    return STATUS_BROKEN;
}

static enum status put_records(struct putting *p, const char *source,
                               FILE *file)
{
    const char end = p->args->named.null ? '\0' : '\n';
    enum status status = STATUS_GOOD;
    CLEANUP_FREE char *line = NULL;
    size_t room = 0;

    while (status == STATUS_GOOD && stop_signal() == 0) {
        ssize_t size = getdelim(&line, &room, end, file);

        if (size < 0) {
            if (!feof(file) && stop_signal() == 0)
                return unreadable(source);
            break;
        }
        /* Cut off by a signal: not an item. */
        if (line[size - 1] != end && stop_signal() != 0)
            break;
        size -= line[size - 1] == end;
        status = put_item(p, source, line, (size_t)size);
    }
    return status;
}

static enum status put_whole(struct putting *p, const char *source, FILE *file)
{
    CLEANUP_BUF struct buf all = { 0 };
    int code = fd_slurp(fileno(file), &all, SIZE_MAX / 4);

    if (stop_signal() != 0)
        return STATUS_GOOD;
    if (code < 0) {
        errno = -code;
        return unreadable(source);
    }
    return put_item(p, source, all.data, all.size);
}

static enum status put_source(struct putting *p, const char *source)
{
    bool input = strcmp(source, "-") == 0;
    FILE *file = input ? stdin : fopen(source, "re");
    enum status status;

    if (file == NULL) {
        complain("cannot open '%s': %s", source, strerror(errno));
        return STATUS_WRONG;
    }
    if (input)
        source = "standard input";
    status = p->args->named.whole ? put_whole(p, source, file)
                                  : put_records(p, source, file);
    if (!input)
        fclose(file);
    return status;
}

static int wait_once(void *arg, int64_t timeout_ns)
{
    return weir_queue_wait_idle(arg, timeout_ns);
}

static enum status wait_until_taken(struct putting *p)
{
    weir_queue_state state;
    int code = named_wait(wait_once, p->queue, p->timeout_ns, &p->told,
                          "until all is taken from", p->name);

    if (code == WEIR_ETIMEDOUT &&
        (code = weir_queue_snapshot(p->queue, &state)) == 0) {
        complain("queue '%s' still has %u items", p->name,
                 state.size + state.leased + state.staged);
        return STATUS_FAILED;
    }
    if (code < 0 && code != WEIR_ECANCELED) { /* by a signal, see stop_signal */
        complain("cannot use queue '%s': %s", p->name, weir_strerror(code));
        return STATUS_BROKEN;
    }
    return STATUS_GOOD;
}

static enum status finish(struct putting *p)
{
    int code = p->args->close ? weir_queue_close(p->queue) : 0;

    if (code < 0) {
        complain("cannot close queue '%s': %s", p->name, weir_strerror(code));
        return STATUS_BROKEN;
    }
    return p->args->wait ? wait_until_taken(p) : STATUS_GOOD;
}

static enum status put_run(const struct cli *cli, const void *all)
{
    static const char *const standard[] = { "-", NULL };
    const char *const *sources = cli->count > 1 ? cli->operands + 1 : standard;
    struct putting putting = { .args = all, .name = cli->operands[0] };
    weir_queue_options options;
    enum status status;

    if (!named_parse(&putting.args->named, &options, &putting.timeout_ns))
        return STATUS_WRONG;
    status = named_open(putting.name, &putting.args->named, &options,
                        &putting.queue);
    if (status != STATUS_GOOD)
        return status;
    stop_watch(wake, &putting);
    for (; *sources != NULL && status == STATUS_GOOD && stop_signal() == 0;
         sources++)
        status = put_source(&putting, *sources);
    if (status == STATUS_GOOD && stop_signal() == 0)
        status = finish(&putting);
    stop_watch(NULL, NULL);
    weir_queue_free(&putting.queue);
    if (stop_signal() != 0)
        stop_die_by(stop_signal());
    return status;
}

const struct command cmd_put = {
    .name = "put",
    .summary = "Put items into a queue that has a name",
    .operands = "NAME [FILE]...",
    .least = 1,
    .most = 1000000,
    .completes = "queue file",
    .options = put_options,
    .args_size = sizeof(struct put_args),
    .about = "\nAn item is a line of standard input or of the files. What was "
             "put is in the\nqueue, however this ends; an item is never there "
             "in part. The queue stays\nuntil 'weir queues --remove'. Exit "
             "status 1: closed, or no room in time.\n",
    .examples = "  seq 100 | weir put --create --close numbers\n"
                "  find . -name '*.md' -print0 | weir put -0 --create files\n",
    .run = put_run,
};
