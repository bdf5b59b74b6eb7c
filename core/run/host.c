/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host.c - the functions that a task calls (weir/plugin.h), over the queue.
 * Run in workers.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "queue/attrs.h"
#include "run/host.h"

static struct host *host_of(weir_call *call)
{
    return (struct host *)(void *)call;
}

/* One that follows another opens, and one that was followed closes, without an
 * entry: nobody measures that. */
static void beat(const struct host *host)
{
    if (host->member != NULL)
        member_beat(host->member);
}

static const void *host_params(weir_call *call)
{
    return host_of(call)->params;
}

static void *host_state(weir_call *call)
{
    return host_of(call)->state;
}

static void host_set_state(weir_call *call, void *state)
{
    host_of(call)->state = state;
}

static weir_bytes host_input(weir_call *call)
{
    const struct item *item = host_of(call)->item;

    if (item == NULL)
        return (weir_bytes){ NULL, 0 };
    return (weir_bytes){ item->data, item->size };
}

/* --------------------------------------------------------- attributes ---- */

static int host_attr(weir_call *call, const char *name, weir_bytes *value_out)
{
    const struct item *item = host_of(call)->item;

    if (item == NULL || item->attrs_size == 0)
        return WEIR_EEMPTY;
    return attrs_find(item->attrs, item->attrs_size, name, strlen(name),
                      &value_out->data, &value_out->size);
}

/* The attributes that may be written to: a copy of those in use so far. */
static struct buf *attrs_to_set(struct host *host)
{
    const struct item *item = host->item;
    struct buf *attrs;

    if (host->attrs_now > 0 && !host->attrs_used)
        return &host->attrs.at[host->attrs_now - 1];
    attrs = host_new_attrs(host);
    if (attrs == NULL)
        return NULL;
    if (host->attrs_now > 0) {
        const struct buf *before = &host->attrs.at[host->attrs_now - 1];

        buf_add(attrs, before->data, before->size);
    } else if (item != NULL) {
        buf_add(attrs, item->attrs, item->attrs_size);
    }
    if (attrs->failed) {
        buf_done(attrs);
        return NULL;
    }
    host->attrs_now = ++host->attrs_count;
    host->attrs_used = false;
    return attrs;
}

static int host_set_attr(weir_call *call, const char *name, const void *value,
                         size_t size)
{
    struct host *host = host_of(call);
    struct buf *attrs;

    if (host->phase != PHASE_RUN && host->phase != PHASE_FLUSH)
        return WEIR_ESTATE;
    if (!text_is_name(name) || (value == NULL && size > 0))
        return WEIR_EINVAL;
    attrs = attrs_to_set(host);
    return attrs != NULL ? attrs_set(attrs, name, value, size) : WEIR_ENOMEM;
}

static void host_id(weir_call *call, uint64_t *root_out, uint64_t *path_out)
{
    struct host *host = host_of(call);

    *root_out = host->item != NULL ? host->item->root
                                   : host->root | host->ordinal;
    *path_out = host->item != NULL ? host->item->path : 0;
}

static unsigned host_attempt(weir_call *call)
{
    const struct item *item = host_of(call)->item;

    return item != NULL ? item->attempt + 1 : 1;
}

static int lookup(void *arg, const char *name, size_t name_size,
                  const void **value, size_t *size)
{
    struct host *host = arg;
    const struct item *item = host->item;
    int code = attr_derived(&host->derived, name, name_size, value, size);

    if (code != 0)
        return code < 0 ? code : 0;
    if (item == NULL || item->attrs_size == 0)
        return WEIR_EEMPTY;
    return attrs_find(item->attrs, item->attrs_size, name, name_size, value,
                      size);
}

static int host_expand(weir_call *call, const char *text, char *out,
                       size_t room)
{
    struct host *host = host_of(call);
    const struct item *item = host->item;
    struct derived *derived = &host->derived;
    char missing[64];
    int code;

    host_id(call, &derived->root, &derived->path);
    derived->file = NULL;
    if (item != NULL && item->attrs_size > 0)
        attrs_find(item->attrs, item->attrs_size, "path", 4, &derived->file,
                   &derived->file_size);
    code = template_expand(text, lookup, host, out, room, missing);
    if (code == WEIR_EEMPTY || code == WEIR_EINVAL) {
        host->verdict = WEIR_PERMANENT;
        snprintf(host->why, sizeof host->why,
                 code == WEIR_EEMPTY
                     ? "the item has no attribute '%s' for '%.300s'"
                     : "attribute '%s' has a NUL byte: no use in '%.300s'",
                 missing, text);
    }
    return code;
}

/* ------------------------------------------------------------ outputs ---- */

static int host_emit(weir_call *call, unsigned output, const void *data,
                     size_t size)
{
    if (data == NULL && size > 0)
        return WEIR_EINVAL;
    host_of(call)->cursor_set = false;
    beat(host_of(call));
    return give_emit(host_of(call), output, data, size);
}

static int host_reserve(weir_call *call, unsigned output, size_t room,
                        void **data_out)
{
    host_of(call)->cursor_set = false;
    beat(host_of(call));
    return give_reserve(host_of(call), output, room, data_out);
}

static int host_submit(weir_call *call, size_t size)
{
    return give_submit(host_of(call), size);
}

static int host_pass(weir_call *call, unsigned output)
{
    beat(host_of(call));
    return give_pass(host_of(call), output);
}

static int host_fail_call(weir_call *call, int verdict, const char *param,
                          const char *format, va_list args)
{
    struct host *host = host_of(call);

    snprintf(host->param, sizeof host->param, "%s", param != NULL ? param : "");
    vsnprintf(host->why, sizeof host->why, format, args);
    host->verdict = verdict;
    return verdict;
}

static bool may_settle(const struct host *host)
{
    return host->phase == PHASE_RUN || host->phase == PHASE_FLUSH;
}

static int host_append_call(weir_call *call, int fd, const void *data,
                            size_t size)
{
    struct host *host = host_of(call);

    if (!may_settle(host) || host->reserved.open)
        return WEIR_ESTATE;
    if (data == NULL && size > 0)
        return WEIR_EINVAL;
    return host_append(host, fd, data, size);
}

static int host_rename_call(weir_call *call, const char *from, const char *to)
{
    struct host *host = host_of(call);

    return may_settle(host) ? host_rename(host, from, to) : WEIR_ESTATE;
}

/* ------------------------------------------------------------- source ---- */

static int host_cursor(weir_call *call, weir_bytes *cursor_out)
{
    struct host *host = host_of(call);

    if (!host->task->source)
        return WEIR_ESTATE;
    *cursor_out = (weir_bytes){ host->cursor.data, host->cursor.size };
    return 0;
}

static int host_set_cursor_call(weir_call *call, const void *cursor,
                                size_t size)
{
    struct host *host = host_of(call);

    if (!host->task->source || host->phase != PHASE_RUN)
        return WEIR_ESTATE;
    return host_set_cursor(host, cursor, size);
}

/* One system call for the whole pause; the stop ends it. */
static int host_pause(weir_call *call, int64_t pause_ns)
{
    struct host *host = host_of(call);
    struct pollfd stop = { .fd = host->stop_fd, .events = POLLIN };
    int64_t before, deadline = clock_deadline(pause_ns);
    int got, code;

    if (!host->task->source || !host->cursor_set)
        return WEIR_ESTATE;
    if (pause_ns < 0)
        return WEIR_EINVAL;
    code = host_commit(host);
    if (code < 0)
        return code;
    before = clock_now();
    member_set_waiting(host->member, WAITING_ITEM);
    do {
        struct timespec left = clock_timespec(clock_left(deadline));

        got = ppoll(&stop, 1, &left, NULL);
    } while (got < 0 && errno == EINTR);
    member_set_waiting(host->member, WAITING_NOT);
    host->paused_ns += clock_now() - before;
    return got > 0 ? WEIR_ECANCELED : 0;
}

static void host_share(weir_call *call, unsigned *index_out,
                       unsigned *count_out)
{
    *index_out = host_of(call)->post->index;
    *count_out = host_of(call)->post->count;
}

static bool host_stopping(weir_call *call)
{
    const struct host *host = host_of(call);

    return segment_stopping(host->segment) ||
           (host->member != NULL && member_canceled(host->member));
}

static void host_log(weir_call *call, int level, const char *format,
                     va_list args)
{
    struct host *host = host_of(call);

    if (level > WEIR_DEBUG)
        host_vsay(host, NEWS_LOG, level, format, args);
}

static void host_heartbeat(weir_call *call)
{
    beat(host_of(call));
}

static bool host_overdue(weir_call *call)
{
    const struct host *host = host_of(call);

    return host->member != NULL && member_overdue(host->member);
}

const struct weir_table host_table = {
    .size = sizeof host_table,
    .params = host_params,
    .state = host_state,
    .set_state = host_set_state,
    .input = host_input,
    .attr = host_attr,
    .set_attr = host_set_attr,
    .id = host_id,
    .attempt = host_attempt,
    .emit = host_emit,
    .reserve = host_reserve,
    .submit = host_submit,
    .pass = host_pass,
    .fail = host_fail_call,
    .append = host_append_call,
    .rename = host_rename_call,
    .cursor = host_cursor,
    .set_cursor = host_set_cursor_call,
    .pause = host_pause,
    .share = host_share,
    .expand = host_expand,
    .stopping = host_stopping,
    .log = host_log,
    .heartbeat = host_heartbeat,
    .overdue = host_overdue,
};
