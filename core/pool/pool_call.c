/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_call.c - runs in a worker of a pool: the calls of weir/plugin.h that its
 * functions make. A call gives one result, to output 0.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_worker.h"
#include "shm/shm.h"

static struct worker *worker_of(weir_call *call)
{
    return (struct worker *)call;
}

/* ------------------------------------------------------------- staging ---- */

int worker_commit(struct worker *worker)
{
    if (!worker->dirty)
        return 0;
    worker->dirty = false;
    return turn_commit(worker->member, NULL, NULL);
}

/* Stages a result, waiting for room; before that, what the batch has done
 * becomes true: nobody waits for room while it holds staged items. */
static int stage(struct worker *worker, const struct stage_spec *spec,
                 struct staged *out)
{
    struct member *member = worker->member;
    size_t size = spec->pass != NULL ? spec->pass->size : spec->room;
    const struct room room = { .queue = POOL_RESULTS,
                               .slots = 1,
                               .bytes = queue_charge(size, 0) };
    int code = turn_stage(member, spec, out);

    if (code != WEIR_EFULL)
        return code;
    code = worker_commit(worker);
    if (code != 0)
        return code;
    member_set_waiting(member, 2);
    do { /* the room is gone again when this process was stopped meanwhile */
        code = turn_claim(member, &room, 1, FOREVER);
        if (code == 0)
            code = turn_stage(member, spec, out);
        turn_unclaim(member, &room, 1);
        if (code == WEIR_ECANCELED) {
            worker_go_on(worker);
            code = WEIR_EFULL;
        }
    } while (code == WEIR_EFULL);
    member_set_waiting(member, 0);
    return code;
}

int worker_stage(struct worker *worker, uint64_t root, uint64_t path,
                 size_t size, struct staged *out)
{
    const struct stage_spec spec = {
        .queue = POOL_RESULTS, .room = size, .root = root, .path = path
    };

    return stage(worker, &spec, out);
}

int worker_stage_pass(struct worker *worker, const struct item *item,
                      uint64_t path)
{
    const struct stage_spec spec = {
        .queue = POOL_RESULTS, .pass = item, .root = item->root, .path = path
    };
    struct staged staged;

    return stage(worker, &spec, &staged);
}

void worker_go_on(struct worker *worker)
{
    member_cancel(worker->segment, worker->start.seat, false);
}

unsigned worker_count(const struct worker *worker)
{
    uint32_t count = worker->board.head != NULL
                         ? atomic_load(&worker->board.head->workers)
                         : 0;

    return count > 0 && count <= WORKERS_MOST ? count : 1;
}

/* All but the bytes. */
void worker_forget(struct reply *reply)
{
    free(reply->own);
    reply->own = NULL;
    reply->is_small = false;
    reply->size = 0;
    reply->state = REPLY_NONE;
}

void worker_drop(struct worker *worker)
{
    struct reply *reply = &worker->reply;

    if (reply->state != REPLY_NONE && reply->own == NULL && !reply->is_small)
        turn_drop(worker->member, reply->staged.ref);
    worker_forget(reply);
}

/* ----------------------------------------------------- tasks of plugins ----
 */

int worker_load(struct worker *worker, const char *texts, size_t size,
                struct pool_task **slot)
{
    struct pool_task *task = NULL;
    weir_error err = { 0 };
    int code = pool_task_load(texts, size, &task, &err);

    snprintf(worker->text, TEXT_MOST, "%.*s", TEXT_MOST - 1, err.text);
    if (code == 0 && task->open != NULL) {
        worker->scope = task;
        code = worker_verdict(worker, task->open(&worker->call));
        worker->scope = &worker->own;
    }
    if (code == 0)
        *slot = task;
    else
        pool_task_free(task);
    return code > 0 ? WEIR_EFAILED : code;
}

void worker_close_tasks(struct worker *worker, struct pool_task **tasks)
{
    for (unsigned i = 0; i < FUNCTIONS_MOST; i++)
        if (tasks[i] != NULL && tasks[i]->close != NULL) {
            worker->scope = tasks[i];
            worker->scope->close(&worker->call);
        }
    worker->scope = &worker->own;
}

/* ------------------------------------------- the calls of weir/plugin.h ----
 */

static const void *call_params(weir_call *call)
{
    return worker_of(call)->scope->params;
}

static void *call_state(weir_call *call)
{
    return worker_of(call)->scope->state;
}

static void call_set_state(weir_call *call, void *state)
{
    worker_of(call)->scope->state = state;
}

static weir_bytes call_input(weir_call *call)
{
    const struct item *item = worker_of(call)->item;

    return item == NULL ? (weir_bytes){ NULL, 0 }
                        : (weir_bytes){ item->data, item->size };
}

static void call_id(weir_call *call, uint64_t *root_out, uint64_t *path_out)
{
    const struct item *item = worker_of(call)->item;

    *root_out = item == NULL ? 0 : item->root;
    *path_out = 0;
    if (item != NULL && worker_of(call)->packed)
        *path_out = 1 + item->ticket;
}

static unsigned call_attempt(weir_call *call)
{
    const struct item *item = worker_of(call)->item;

    return item == NULL ? 1 : item->attempt - worker_of(call)->base + 1;
}

static int check_emit(const struct worker *worker, unsigned output)
{
    if (worker->item == NULL || worker->reply.state != REPLY_NONE)
        return WEIR_ESTATE;
    return output == 0 ? 0 : WEIR_EINVAL;
}

/* What takes up more than a quarter of the queue is kept here, and goes in
 * parts; what belongs into a pack, until it has its place there. */
static bool keeps_here(const struct worker *worker, size_t size)
{
    return worker->member == NULL || size > worker->plan.result_bytes / 4 ||
           (worker->packed && size > ITEM_SMALL);
}

static int call_reserve(weir_call *call, unsigned output, size_t room,
                        void **data_out)
{
    struct worker *worker = worker_of(call);
    struct reply *reply = &worker->reply;
    int code = check_emit(worker, output);

    if (code != 0)
        return code;
    if (room > STORE_ITEM_MOST)
        return WEIR_ETOOBIG;
    if (keeps_here(worker, room)) {
        if (posix_memalign(&reply->own, 64, room + 1) != 0)
            return WEIR_ENOMEM;
        *data_out = reply->own;
    } else if (room <= ITEM_SMALL) {
        reply->is_small = true;
        *data_out = reply->small;
    } else {
        code = worker_stage(worker, worker->item->root,
                            reply_path(REPLY_DONE, 0), room, &reply->staged);
        if (code != 0)
            return code;
        *data_out = reply->staged.data;
    }
    reply->size = room;
    reply->state = REPLY_OPEN;
    return 0;
}

static int call_submit(weir_call *call, size_t size)
{
    struct worker *worker = worker_of(call);
    struct reply *reply = &worker->reply;
    int code = 0;

    if (reply->state != REPLY_OPEN)
        return WEIR_ESTATE;
    if (size > reply->size)
        return WEIR_EINVAL;
    if (reply->own == NULL && !reply->is_small && size < reply->size)
        code = turn_shrink(worker->member, &reply->staged, size);
    if (code != 0)
        return code;
    reply->size = size;
    reply->state = REPLY_GIVEN;
    return 0;
}

static int call_emit(weir_call *call, unsigned output, const void *data,
                     size_t size)
{
    void *to;
    int code;

    if (data == NULL && size > 0)
        return WEIR_EINVAL;
    code = call_reserve(call, output, size, &to);
    if (code != 0)
        return code;
    if (size > 0)
        memcpy(to, data, size);
    return call_submit(call, size);
}

static int call_pass(weir_call *call, unsigned output)
{
    struct worker *worker = worker_of(call);
    struct stage_spec spec = { .queue = POOL_RESULTS,
                               .pass = worker->item,
                               .path = reply_path(REPLY_DONE, 0) };
    int code = check_emit(worker, output);

    if (code != 0)
        return code;
    if (keeps_here(worker, worker->item->size) ||
        worker->item->size <= ITEM_SMALL)
        return call_emit(call, output, worker->item->data, worker->item->size);
    spec.root = worker->item->root;
    code = stage(worker, &spec, &worker->reply.staged);
    if (code == 0)
        worker->reply.state = REPLY_GIVEN;
    return code;
}

static int call_fail(weir_call *call, int verdict, const char *param,
                     const char *format, va_list args)
{
    struct worker *worker = worker_of(call);

    (void)param;
    vsnprintf(worker->text, sizeof worker->text, format, args);
    return verdict;
}

static void call_log(weir_call *call, int level, const char *format,
                     va_list args)
{
    char text[TEXT_MOST];

    (void)call;
    vsnprintf(text, sizeof text, format, args);
    log_say((enum log_level)level, "%s", text);
}

static void call_share(weir_call *call, unsigned *index_out,
                       unsigned *count_out)
{
    const struct worker *worker = worker_of(call);
    unsigned count = worker_count(worker);

    /* One of those that are too many may still be here. */
    *index_out = worker->start.number;
    *count_out = count > *index_out ? count : *index_out + 1;
}

static bool call_stopping(weir_call *call)
{
    (void)call;
    return false;
}

/* What only a run has: files, cursors, attributes. */

static int no_attr(weir_call *call, const char *name, weir_bytes *value_out)
{
    (void)call, (void)name, (void)value_out;
    return WEIR_EEMPTY;
}

static int no_set_attr(weir_call *call, const char *name, const void *value,
                       size_t size)
{
    (void)call, (void)name, (void)value, (void)size;
    return WEIR_ESTATE;
}

static int no_append(weir_call *call, int fd, const void *data, size_t size)
{
    (void)call, (void)fd, (void)data, (void)size;
    return WEIR_ESTATE;
}

static int no_rename(weir_call *call, const char *from, const char *to)
{
    (void)call, (void)from, (void)to;
    return WEIR_ESTATE;
}

static int no_cursor(weir_call *call, weir_bytes *cursor_out)
{
    (void)call, (void)cursor_out;
    return WEIR_ESTATE;
}

static int no_set_cursor(weir_call *call, const void *cursor, size_t size)
{
    (void)call, (void)cursor, (void)size;
    return WEIR_ESTATE;
}

static int no_pause(weir_call *call, int64_t pause_ns)
{
    (void)call, (void)pause_ns;
    return WEIR_ESTATE;
}

static int no_expand(weir_call *call, const char *text, char *out, size_t room)
{
    (void)call, (void)text, (void)out, (void)room;
    return WEIR_ESTATE;
}

const struct weir_table worker_table = {
    .size = sizeof worker_table,
    .params = call_params,
    .state = call_state,
    .set_state = call_set_state,
    .input = call_input,
    .attr = no_attr,
    .set_attr = no_set_attr,
    .id = call_id,
    .attempt = call_attempt,
    .emit = call_emit,
    .reserve = call_reserve,
    .submit = call_submit,
    .pass = call_pass,
    .fail = call_fail,
    .append = no_append,
    .rename = no_rename,
    .cursor = no_cursor,
    .set_cursor = no_set_cursor,
    .pause = no_pause,
    .share = call_share,
    .expand = no_expand,
    .stopping = call_stopping,
    .log = call_log,
};
