/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_task.c - runs in a worker of a pool, or in the program when its pool has
 * none: see pool/pool_task.h. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/internal.h"
#include "pool/pool_task.h"

typedef VEC(const char *) list;

/* Cuts them apart; the last byte is a NUL. */
static int split(const char *at, size_t size, list *out)
{
    if (size == 0 || at[size - 1] != '\0')
        return WEIR_EBROKEN;
    for (const char *end = at + size; at < end; at += strlen(at) + 1) {
        const char **slot = VEC_ADD(out);

        if (slot == NULL)
            return WEIR_ENOMEM;
        *slot = at;
    }
    return 0;
}

/* libltdl has one thread at a time. A worker has one; pools without workers may
 * be used by many. */
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

static int find_task(const char *name, const weir_task **task_out,
                     weir_error *err)
{
    const char *dot = strchr(name, '.');
    struct plugin_path path = { 0 };
    const struct plugin *plugin = NULL;
    CLEANUP_FREE char *plugin_name = NULL;
    int code;

    if (dot == NULL || dot == name || dot[1] == '\0')
        return error_set(err, WEIR_EINVAL,
                         "'%s': a task is named PLUGIN.TASK, as text.upper",
                         name);
    plugin_name = strndup(name, (size_t)(dot - name));
    if (plugin_name == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory to load '%s'", name);
    pthread_mutex_lock(&loading);
    code = plugin_path_init(&path, NULL, NULL, NULL, err);
    if (code == 0)
        code = plugin_load(&path, plugin_name, &plugin, NULL, err);
    plugin_path_done(&path);
    pthread_mutex_unlock(&loading);
    if (code != 0)
        return code;
    *task_out = plugin_task(plugin, dot + 1);
    if (*task_out == NULL)
        return error_set(err, WEIR_EPLUGIN,
                         "plugin '%s' has no task '%s'; 'weir plugins %s' "
                         "lists them",
                         plugin_name, dot + 1, plugin_name);
    return 0;
}

/* A call is one item, and its result comes from that alone. */
static int check_kind(const char *name, const weir_task *task, weir_error *err)
{
    if (task->source)
        return error_set(err, WEIR_EINVAL,
                         "'%s' makes items from nothing; a pool calls tasks "
                         "that take one",
                         name);
    if (task->flush != NULL && !task->stateless)
        return error_set(err, WEIR_EINVAL,
                         "'%s' gives its result at the end of its input, which "
                         "a pool's calls do not have",
                         name);
    return 0;
}

struct mistakes {
    const char *task;
    weir_error *err;
};

/* The first one is told. */
static void note_mistake(void *arg, size_t index, const char *name,
                         const char *sentence)
{
    const struct mistakes *mistakes = arg;

    (void)index;
    if (mistakes->err->code != 0)
        return;
    if (strstr(sentence, name) != NULL)
        error_set(mistakes->err, WEIR_EINVAL, "%s: %s", mistakes->task,
                  sentence);
    else
        error_set(mistakes->err, WEIR_EINVAL, "%s: parameter '%s': %s",
                  mistakes->task, name, sentence);
}

static int make_task(const weir_task *task, const void *params,
                     struct pool_task **task_out)
{
    struct pool_task *made = calloc(1, sizeof *made);

    if (made == NULL)
        return WEIR_ENOMEM;
    *made = (struct pool_task){ .open = task->open,
                                .run = task->run,
                                .close = task->close,
                                .params = params };
    *task_out = made;
    return 0;
}

void pool_task_free(struct pool_task *task)
{
    if (task == NULL)
        return;
    param_unbind(task->params);
    free(task);
}

int pool_task_load(const char *at, size_t size, struct pool_task **task_out,
                   weir_error *err)
{
    struct mistakes mistakes = { .err = err };
    const weir_task *task = NULL;
    list texts = { 0 };
    void *params = NULL;
    int code = split(at, size, &texts);

    err->code = 0;
    if (code != 0) {
        VEC_DONE(&texts);
        return error_sys(err, code, "cannot read the name of a task");
    }
    mistakes.task = texts.at[0];
    code = find_task(texts.at[0], &task, err);
    if (code == 0)
        code = check_kind(texts.at[0], task, err);
    if (code == 0)
        code = param_bind_pairs(task, texts.at + 1, texts.count - 1,
                                note_mistake, &mistakes, &params);
    if (code == 0)
        code = make_task(task, params, task_out);
    if (code != 0)
        param_unbind(params);
    if (code != 0 && err->code == 0)
        error_sys(err, code, "cannot prepare a task");
    VEC_DONE(&texts);
    return code;
}
