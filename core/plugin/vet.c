/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vet.c - run a task's `check`: does it take these parameters?
 *
 * Runs in the vetting child, before anything starts. The call that the task
 * gets has a whole table, so that one that calls more than it may is answered
 * and not killed; but only params and fail do what they do elsewhere. A
 * refusal counts also when the task then forgets to return it: what passes
 * the check must start.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "plugin/internal.h"

struct vetting {
    struct weir_call call; /* first: the task has a pointer to it */
    const weir_task *task;
    const void *params;
    bool refused;
    char param[64];
    char text[501];
};

static struct vetting *vetting_of(weir_call *call)
{
    return (struct vetting *)(void *)call;
}

static const void *vet_params(weir_call *call)
{
    return vetting_of(call)->params;
}

/* The job's name of what the task may call by its field's name. */
static void name_param(struct vetting *vetting, const char *given)
{
    char name[FIELD_MAX];

    for (const weir_param *p = vetting->task->params; p && p->field; p++)
        if (strcmp(p->field, given) == 0 ||
            strcmp(param_name(p, name), given) == 0)
            snprintf(vetting->param, sizeof vetting->param, "%.63s",
                     param_name(p, name));
}

static int vet_fail(weir_call *call, int verdict, const char *param,
                    const char *format, va_list args)
{
    struct vetting *vetting = vetting_of(call);

    if (!vetting->refused) {
        vetting->refused = true;
        vsnprintf(vetting->text, sizeof vetting->text, format, args);
        if (param)
            name_param(vetting, param);
    }
    return verdict;
}

static void *vet_state(weir_call *call)
{
    (void)call;
    return NULL;
}

static void vet_set_state(weir_call *call, void *state)
{
    (void)call, (void)state;
}

static weir_bytes vet_input(weir_call *call)
{
    (void)call;
    return (weir_bytes){ NULL, 0 };
}

static int vet_attr(weir_call *call, const char *name, weir_bytes *value_out)
{
    (void)call, (void)name, (void)value_out;
    return WEIR_EEMPTY;
}

static int vet_set_attr(weir_call *call, const char *name, const void *value,
                        size_t size)
{
    (void)call, (void)name, (void)value, (void)size;
    return WEIR_ESTATE;
}

static void vet_id(weir_call *call, uint64_t *root_out, uint64_t *path_out)
{
    (void)call;
    *root_out = *path_out = 0;
}

static unsigned vet_attempt(weir_call *call)
{
    (void)call;
    return 1;
}

static int vet_emit(weir_call *call, unsigned output, const void *data,
                    size_t size)
{
    (void)call, (void)output, (void)data, (void)size;
    return WEIR_ESTATE;
}

static int vet_reserve(weir_call *call, unsigned output, size_t room,
                       void **data_out)
{
    (void)call, (void)output, (void)room, (void)data_out;
    return WEIR_ESTATE;
}

static int vet_submit(weir_call *call, size_t size)
{
    (void)call, (void)size;
    return WEIR_ESTATE;
}

static int vet_pass(weir_call *call, unsigned output)
{
    (void)call, (void)output;
    return WEIR_ESTATE;
}

static int vet_append(weir_call *call, int fd, const void *data, size_t size)
{
    (void)call, (void)fd, (void)data, (void)size;
    return WEIR_ESTATE;
}

static int vet_rename(weir_call *call, const char *from, const char *to)
{
    (void)call, (void)from, (void)to;
    return WEIR_ESTATE;
}

static int vet_cursor(weir_call *call, weir_bytes *cursor_out)
{
    (void)call, (void)cursor_out;
    return WEIR_ESTATE;
}

static int vet_set_cursor(weir_call *call, const void *cursor, size_t size)
{
    (void)call, (void)cursor, (void)size;
    return WEIR_ESTATE;
}

static int vet_pause(weir_call *call, int64_t pause_ns)
{
    (void)call, (void)pause_ns;
    return WEIR_ESTATE;
}

static void vet_share(weir_call *call, unsigned *index_out, unsigned *count_out)
{
    (void)call;
    *index_out = 0;
    *count_out = 1;
}

static int vet_expand(weir_call *call, const char *text, char *out, size_t room)
{
    (void)call, (void)text, (void)out, (void)room;
    return WEIR_ESTATE;
}

static bool vet_stopping(weir_call *call)
{
    (void)call;
    return false;
}

static void vet_log(weir_call *call, int level, const char *format,
                    va_list args)
{
    (void)call, (void)level, (void)format, (void)args;
}

static const struct weir_table vet_table = {
    .size = sizeof(struct weir_table),
    .params = vet_params,
    .state = vet_state,
    .set_state = vet_set_state,
    .input = vet_input,
    .attr = vet_attr,
    .set_attr = vet_set_attr,
    .id = vet_id,
    .attempt = vet_attempt,
    .emit = vet_emit,
    .reserve = vet_reserve,
    .submit = vet_submit,
    .pass = vet_pass,
    .fail = vet_fail,
    .append = vet_append,
    .rename = vet_rename,
    .cursor = vet_cursor,
    .set_cursor = vet_set_cursor,
    .pause = vet_pause,
    .share = vet_share,
    .expand = vet_expand,
    .stopping = vet_stopping,
    .log = vet_log,
};

/* A plugin's sentence goes into messages: one line, no controls. */
static int refuse(const struct vetting *vetting, weir_error *err)
{
    CLEANUP_BUF struct buf shown = { 0 };

    text_escape(&shown, vetting->text, strlen(vetting->text),
                sizeof vetting->text);
    return error_set(err, WEIR_EINVAL, "task '%s' refuses its parameters: %s",
                     vetting->task->name,
                     shown.size > 0 ? shown.data : "it does not say why");
}

int task_check(const weir_task *task, const void *bound, char *param_out,
               weir_error *err)
{
    struct vetting vetting = {
        .call.table = &vet_table,
        .task = task,
        .params = bound,
    };
    int answer;

    if (!task->check)
        return 0;
    answer = task->check(&vetting.call);
    if (answer == 0 && !vetting.refused)
        return 0;
    memcpy(param_out, vetting.param, sizeof vetting.param);
    if (!vetting.refused && answer < 0)
        return error_set(err, WEIR_EINVAL,
                         "task '%s' cannot check its parameters: %s",
                         task->name, weir_strerror(answer));
    return refuse(&vetting, err);
}
