/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_task.h - tasks of plugins as functions of a pool.
 *
 * The program knows a task by its name and parameters alone, and numbers it
 * after the pool's functions. Each of its calls carries both, behind its terms:
 * so a worker that sees the number for the first time, however late it was
 * forked, can load the task, and nobody else has to.
 */
#ifndef POOL_POOL_TASK_H
#define POOL_POOL_TASK_H

#include <weir/error.h>
#include <weir/plugin.h>

/* "text.grep", then "pattern=x" and so on, each with its NUL. */
struct task_name {
    size_t size;
    char texts[];
};

/* A task as a worker has it. */
struct pool_task {
    int (*open)(weir_call *call); /* NULL: none */
    int (*run)(weir_call *call);
    int (*close)(weir_call *call); /* NULL: none */
    const void *params;
    void *state;
};

/* In core/plugin, which stands above this room: finds and loads the plugin,
 * binds and checks the parameters. 0 or a code and its sentence. The plugin is
 * never unloaded. */
int pool_task_load(const char *texts, size_t size, struct pool_task **task_out,
                   weir_error *err);
/* NULL-safe. Nothing of the task runs any more. */
void pool_task_free(struct pool_task *task);

#endif
