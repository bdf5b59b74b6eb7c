/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inline_task.c - a task's functions, called in this process, and what becomes
 * of the call: inline.h. The table that the task calls is in inline_host.c.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/inline_host.h"

void inline_task_init(struct inline_task *task, const struct inline_plan *plan)
{
    *task = (struct inline_task){
        .call = { .table = &inline_table },
        .plan = *plan,
        .name_hash = hash_bytes(plan->name, strlen(plan->name), 0),
        .append_fd = -1,
    };
}

/* What a commit has done, or never will do. */
static void forget_effects(struct inline_task *task)
{
    buf_cut(&task->appended, 0);
    task->append_fd = -1;
    for (size_t i = 0; i < task->renames.count; i++) {
        free(task->renames.at[i].from);
        free(task->renames.at[i].to);
    }
    task->renames.count = 0;
}

static void drop_outputs(struct inline_task *task, size_t from)
{
    for (size_t i = from; i < task->outputs.count; i++)
        inline_item_done(&task->outputs.at[i]);
    if (task->outputs.count > from)
        task->outputs.count = from;
}

void inline_forget(struct inline_task *task)
{
    forget_effects(task);
    drop_outputs(task, 0);
    task->passed = 0;
    task->cursor_set = false;
    payload_unref(&task->reserved);
    buf_cut(&task->attrs, 0);
    task->attrs_changed = false;
    task->item = NULL;
}

void inline_task_done(struct inline_task *task)
{
    inline_forget(task);
    buf_done(&task->attrs);
    buf_done(&task->appended);
    VEC_DONE(&task->renames);
    VEC_DONE(&task->outputs);
}

int __attribute__((__noinline__))
inline_task_enter(int (*run)(weir_call *), weir_call *call)
{
    return run(call);
}

/* A code that a host's function gave, and that the task had to return. */
static int by_refusal(const struct inline_task *task)
{
    return task->refused == WEIR_ENOMEM ? WEIR_TRANSIENT : WEIR_PERMANENT;
}

/* A negative code; with a call of weir_fail, or without. */
static int by_code(struct inline_task *task, int code)
{
    if (task->verdict != 0)
        return task->verdict;
    snprintf(task->why, sizeof task->why, "%s", weir_strerror(code));
    if (code == WEIR_ETOOBIG || code == WEIR_EINVAL || code == WEIR_ESTATE)
        return WEIR_PERMANENT;
    return WEIR_TRANSIENT;
}

/* What the task returned, as one of the values that inline.h names; as a
 * worker would judge it (turns.c). */
static int judge(struct inline_task *task, int code)
{
    bool source = task->plan.task->source && task->phase == INLINE_RUN;

    if (task->refused < 0)
        return by_refusal(task);
    if (code < 0)
        return by_code(task, code);
    if (code == 0 || (code == WEIR_END && source))
        return code;
    if (code < WEIR_TRANSIENT || code > WEIR_FATAL) {
        snprintf(task->why, sizeof task->why,
                 "the task returned %d, which is no verdict", code);
        return WEIR_PERMANENT;
    }
    if (task->verdict == 0)
        snprintf(task->why, sizeof task->why, "the task gives no reason");
    return code;
}

static int do_call(struct inline_task *task, enum inline_phase phase,
                   int (*function)(weir_call *))
{
    int code;

    task->phase = phase;
    task->verdict = task->refused = 0;
    task->why[0] = '\0';
    task->seen = 0;
    code = judge(task, inline_task_enter(function, &task->call));
    payload_unref(&task->reserved); /* never submitted */
    task->phase = INLINE_IDLE;
    if (code != 0 && code != WEIR_END)
        drop_outputs(task, task->passed);
    return code;
}

int inline_open(struct inline_task *task)
{
    task->state = NULL;
    if (!task->plan.task->open)
        return 0;
    return do_call(task, INLINE_OPEN, task->plan.task->open);
}

int inline_call(struct inline_task *task, const struct inline_item *item,
                unsigned attempt)
{
    inline_forget(task);
    task->item = item;
    task->attempt = attempt;
    return do_call(task, INLINE_RUN, task->plan.task->run);
}

int inline_flush(struct inline_task *task)
{
    inline_forget(task);
    task->attempt = 1;
    if (!task->plan.task->flush)
        return 0;
    return do_call(task, INLINE_FLUSH, task->plan.task->flush);
}

void inline_close(struct inline_task *task)
{
    inline_forget(task);
    if (task->plan.task->close)
        do_call(task, INLINE_CLOSE, task->plan.task->close);
}

static int append_now(struct inline_task *task)
{
    struct stat st;
    int code;

    if (task->append_fd < 0)
        return 0;
    if (fstat(task->append_fd, &st) < 0)
        return -errno;
    code = fd_pwrite_all(task->append_fd, task->appended.data,
                         task->appended.size, st.st_size);
    if (code < 0 && ftruncate(task->append_fd, st.st_size) < 0)
        return code; /* the first reason is the one to be told */
    return code;
}

static int rename_now(struct inline_task *task)
{
    for (size_t i = 0; i < task->renames.count; i++)
        if (rename(task->renames.at[i].from, task->renames.at[i].to) < 0)
            return -errno;
    return 0;
}

static int refuse_commit(struct inline_task *task, const char *what, int code)
{
    snprintf(task->why, sizeof task->why, "cannot %s: %s", what,
             weir_strerror(code));
    drop_outputs(task, 0);
    return WEIR_PERMANENT;
}

int inline_commit(struct inline_task *task)
{
    int code = append_now(task);

    if (code < 0)
        return refuse_commit(task, "append to the file", code);
    code = rename_now(task);
    if (code < 0)
        return refuse_commit(task, "rename the finished file", code);
    forget_effects(task);
    return 0;
}
