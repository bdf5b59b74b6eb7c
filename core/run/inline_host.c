/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inline_host.c - what stands behind weir_call for a task in this process.
 * Everything that a task may do wrong here is answered as a worker's host would
 * answer it, so that what works inline works in a run, too.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "queue/attrs.h"
#include "queue/queue.h"
#include "run/inline_host.h"

enum { ITEM_MOST = 1 << 30, PATH_MOST = 4095 };

static struct inline_task *task_of(weir_call *call)
{
    return (struct inline_task *)(void *)call;
}

static int WEIR_PRINTF(3, 4)
    refuse(struct inline_task *task, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(task->why, sizeof task->why, format, args);
    va_end(args);
    task->refused = code;
    return code;
}

static int no_memory(struct inline_task *task)
{
    return refuse(task, WEIR_ENOMEM, "no memory");
}

static const void *host_params(weir_call *call)
{
    return task_of(call)->plan.params;
}

static void *host_state(weir_call *call)
{
    return task_of(call)->state;
}

static void host_set_state(weir_call *call, void *state)
{
    task_of(call)->state = state;
}

static weir_bytes host_input(weir_call *call)
{
    const struct inline_item *item = task_of(call)->item;

    if (!item)
        return (weir_bytes){ NULL, 0 };
    return (weir_bytes){ item->payload->data, item->payload->size };
}

static int find_attr(const struct inline_task *task, const char *name,
                     size_t name_size, const void **value, size_t *size)
{
    if (!task->item || !task->item->attrs)
        return WEIR_EEMPTY;
    return attrs_find(task->item->attrs->data, task->item->attrs->size, name,
                      name_size, value, size);
}

static int host_attr(weir_call *call, const char *name, weir_bytes *value_out)
{
    const void *value;
    size_t size;
    int code = find_attr(task_of(call), name, strlen(name), &value, &size);

    if (code == 0)
        *value_out = (weir_bytes){ value, size };
    return code;
}

static bool may_emit(const struct inline_task *task)
{
    return task->phase == INLINE_RUN || task->phase == INLINE_FLUSH;
}

static int host_set_attr(weir_call *call, const char *name, const void *value,
                         size_t size)
{
    struct inline_task *task = task_of(call);
    const struct payload *own = task->item ? task->item->attrs : NULL;
    int code = 0;

    if (!may_emit(task))
        return WEIR_ESTATE;
    if (!text_is_name(name) || (!value && size > 0))
        return WEIR_EINVAL;
    if (!task->attrs_changed && own)
        code = buf_add(&task->attrs, own->data, own->size);
    task->attrs_changed = true;
    if (code == 0)
        code = attrs_set(&task->attrs, name, value, size);
    return code;
}

static void host_id(weir_call *call, uint64_t *root_out, uint64_t *path_out)
{
    const struct inline_task *task = task_of(call);

    *root_out = task->item ? task->item->root : task->plan.root;
    *path_out = task->item ? task->item->path : 0;
}

static unsigned host_attempt(weir_call *call)
{
    return task_of(call)->attempt;
}

/* May an item of @size bytes go to @output now? */
static int check_emit(struct inline_task *task, unsigned output, uint64_t size)
{
    size_t attrs = task->attrs.size;
    char shown[32], most[32];
    const struct inline_bound *bound;

    task->cursor_set = false;
    if (task->refused < 0)
        return task->refused;
    if (!may_emit(task) || task->reserved)
        return WEIR_ESTATE;
    if (output >= task->plan.outputs)
        return WEIR_EINVAL;
    if (size > ITEM_MOST)
        return refuse(task, WEIR_ETOOBIG,
                      "an output of %s is more than an item may have, 1 GiB",
                      text_from_size(shown, size));
    if (!task->plan.bounds)
        return 0;
    bound = &task->plan.bounds[output];
    if (!task->attrs_changed && task->item && task->item->attrs)
        attrs = task->item->attrs->size;
    if (queue_charge(size, attrs) <= bound->bytes)
        return 0;
    return refuse(task, WEIR_ETOOBIG,
                  "an output of %s can never fit queue '%s', whose `bytes` "
                  "are %s: raise them to %llu B or more",
                  text_from_size(shown, size), bound->queue,
                  text_from_size(most, bound->bytes),
                  (unsigned long long)queue_charge(size, attrs));
}

static void give_id(const struct inline_task *task, struct inline_item *item)
{
    if (task->item) {
        item->root = task->item->root;
        item->path = hash_mix(hash_mix(task->item->path, task->name_hash),
                              task->seen);
    } else {
        item->root = task->plan.root | (task->ordinal + task->seen);
    }
}

/* Takes @payload over. */
static int give(struct inline_task *task, unsigned output,
                struct payload *payload)
{
    struct inline_item *item = payload ? VEC_ADD(&task->outputs) : NULL;

    if (!item) {
        payload_unref(&payload);
        return no_memory(task);
    }
    item->payload = payload;
    item->output = output;
    give_id(task, item);
    if (task->attrs_changed) {
        item->attrs = payload_new(task->attrs.data, task->attrs.size);
        if (!item->attrs)
            return no_memory(task);
    } else if (task->item) {
        item->attrs = payload_ref(task->item->attrs);
    }
    task->seen++;
    return 0;
}

static int host_emit(weir_call *call, unsigned output, const void *data,
                     size_t size)
{
    struct inline_task *task = task_of(call);
    int code = check_emit(task, output, size);

    if (code == 0 && !data && size > 0)
        code = WEIR_EINVAL;
    return code < 0 ? code : give(task, output, payload_new(data, size));
}

static int host_reserve(weir_call *call, unsigned output, size_t room,
                        void **data_out)
{
    struct inline_task *task = task_of(call);
    int code = check_emit(task, output, room);

    if (code < 0)
        return code;
    task->reserved = payload_new(NULL, room);
    if (!task->reserved)
        return no_memory(task);
    task->reserved_output = output;
    *data_out = task->reserved->data;
    return 0;
}

static int host_submit(weir_call *call, size_t size)
{
    struct inline_task *task = task_of(call);
    struct payload *payload = task->reserved;

    if (!payload)
        return WEIR_ESTATE;
    if (size > payload->size)
        return WEIR_EINVAL;
    payload->size = size;
    task->reserved = NULL;
    return give(task, task->reserved_output, payload);
}

static int host_pass(weir_call *call, unsigned output)
{
    struct inline_task *task = task_of(call);
    int code;

    if (!task->item)
        return WEIR_ESTATE;
    code = check_emit(task, output, task->item->payload->size);
    if (code < 0)
        return code;
    return give(task, output, payload_ref(task->item->payload));
}

static int host_fail(weir_call *call, int verdict, const char *param,
                     const char *format, va_list args)
{
    struct inline_task *task = task_of(call);

    (void)param;
    if (verdict < WEIR_TRANSIENT || verdict > WEIR_FATAL)
        verdict = WEIR_PERMANENT;
    vsnprintf(task->why, sizeof task->why, format, args);
    task->verdict = verdict;
    return verdict;
}

static int host_append(weir_call *call, int fd, const void *data, size_t size)
{
    struct inline_task *task = task_of(call);
    struct stat st;

    if (!may_emit(task) || task->reserved)
        return WEIR_ESTATE;
    if (fstat(fd, &st) < 0)
        return errno == EBADF ? WEIR_EINVAL : -errno;
    if ((!data && size > 0) || !S_ISREG(st.st_mode) ||
        (task->append_fd >= 0 && task->append_fd != fd))
        return WEIR_EINVAL;
    task->append_fd = fd;
    return buf_add(&task->appended, data, size);
}

static int host_rename(weir_call *call, const char *from, const char *to)
{
    struct inline_task *task = task_of(call);
    struct inline_rename *entry;

    if (!may_emit(task))
        return WEIR_ESTATE;
    if (from[0] != '/' || to[0] != '/' || strlen(from) > PATH_MOST ||
        strlen(to) > PATH_MOST)
        return WEIR_EINVAL;
    entry = VEC_ADD(&task->renames);
    if (!entry)
        return WEIR_ENOMEM;
    entry->from = strdup(from);
    entry->to = strdup(to);
    return entry->from && entry->to ? 0 : WEIR_ENOMEM;
}

static int host_cursor(weir_call *call, weir_bytes *cursor_out)
{
    const struct inline_task *task = task_of(call);

    if (!task->plan.task->source)
        return WEIR_ESTATE;
    *cursor_out = (weir_bytes){ task->cursor, task->cursor_size };
    return 0;
}

static int host_set_cursor(weir_call *call, const void *cursor, size_t size)
{
    struct inline_task *task = task_of(call);

    if (!task->plan.task->source || task->phase != INLINE_RUN)
        return WEIR_ESTATE;
    if (size > sizeof task->cursor)
        return WEIR_EINVAL;
    if (task->reserved)
        return WEIR_ESTATE;
    if (size > 0)
        memcpy(task->cursor, cursor, size);
    task->cursor_size = size;
    task->cursor_set = true;
    task->ordinal += task->seen;
    task->seen = 0;
    task->passed = task->outputs.count;
    return 0;
}

static int host_pause(weir_call *call, int64_t pause_ns)
{
    struct inline_task *task = task_of(call);
    struct timespec left;
    int code;

    if (!task->cursor_set)
        return WEIR_ESTATE;
    if (pause_ns < 0)
        return WEIR_EINVAL;
    code = inline_commit(task);
    if (code == 0 && task->plan.pause)
        code = task->plan.pause(task->plan.arg);
    if (code != 0)
        return code;
    left = clock_timespec(pause_ns);
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
    return 0;
}

static void host_share(weir_call *call, unsigned *index_out,
                       unsigned *count_out)
{
    (void)call;
    *index_out = 0;
    *count_out = 1;
}

static int lookup(void *arg, const char *name, size_t name_size,
                  const void **value, size_t *size)
{
    struct inline_task *task = arg;
    struct derived *derived = &task->derived;
    const void *file = NULL;
    int code;

    *derived = (struct derived){ 0 };
    host_id(&task->call, &derived->root, &derived->path);
    if (find_attr(task, "path", 4, &file, &derived->file_size) == 0)
        derived->file = file;
    code = attr_derived(derived, name, name_size, value, size);
    if (code != 0)
        return code < 0 ? code : 0;
    return find_attr(task, name, name_size, value, size);
}

static int host_expand(weir_call *call, const char *text, char *out,
                       size_t room)
{
    struct inline_task *task = task_of(call);
    char missing[64];
    int code = template_expand(text, lookup, task, out, room, missing);

    if (code != WEIR_EEMPTY && code != WEIR_EINVAL)
        return code;
    task->verdict = WEIR_PERMANENT;
    snprintf(task->why, sizeof task->why,
             code == WEIR_EEMPTY
                 ? "the item has no attribute '%s' for '%.300s'"
                 : "attribute '%s' has a NUL byte: no use in '%.300s'",
             missing, text);
    return code;
}

static bool host_stopping(weir_call *call)
{
    (void)call;
    return false;
}

static void host_log(weir_call *call, int level, const char *format,
                     va_list args)
{
    const struct inline_task *task = task_of(call);
    char text[1000];

    vsnprintf(text, sizeof text, format, args);
    if (level < WEIR_DEBUG || level > WEIR_ERROR)
        level = WEIR_INFO;
    log_say((enum log_level)level, "%s: %s", task->plan.name, text);
}

/* No time limit strikes while somebody looks. */
static void host_heartbeat(weir_call *call)
{
    (void)call;
}

static bool host_overdue(weir_call *call)
{
    (void)call;
    return false;
}

const struct weir_table inline_table = {
    .size = sizeof inline_table,
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
    .fail = host_fail,
    .append = host_append,
    .rename = host_rename,
    .cursor = host_cursor,
    .set_cursor = host_set_cursor,
    .pause = host_pause,
    .share = host_share,
    .expand = host_expand,
    .stopping = host_stopping,
    .log = host_log,
    .heartbeat = host_heartbeat,
    .overdue = host_overdue,
};
