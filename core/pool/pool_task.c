/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_task.c - runs in the program: tasks by name. See pool_task.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "pool/pool_host.h"

/* What stands for a task in calls: no function lies at so low an address. */
static weir_function *token_of(unsigned number)
{
    uintptr_t address = number + 1;
    weir_function *function;

    memcpy(&function, &address, sizeof function);
    return function;
}

static unsigned number_of(weir_function *function)
{
    uintptr_t address;

    memcpy(&address, &function, sizeof address);
    return address == 0 || address > FUNCTIONS_MOST ? FUNCTIONS_MOST
                                                    : (unsigned)address - 1;
}

const struct task_name *pool_task_of(const weir_pool *pool, weir_function *run,
                                     unsigned *number_out)
{
    unsigned number = number_of(run);

    if (number >= atomic_load_explicit(&pool->task_count, memory_order_acquire))
        return NULL;
    *number_out = pool->function_count + number;
    return pool->tasks[number];
}

static bool is_task_name(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot != NULL && dot != name && dot[1] != '\0' &&
           strchr(name, '/') == NULL;
}

static struct task_name *write_name(const char *name, const char *const *params)
{
    size_t size = strlen(name) + 1;
    struct task_name *task;
    char *at;

    for (size_t i = 0; params != NULL && params[i] != NULL; i++)
        size += strlen(params[i]) + 1;
    task = malloc(sizeof *task + size);
    if (task == NULL)
        return NULL;
    task->size = size;
    at = stpcpy(task->texts, name) + 1;
    for (size_t i = 0; params != NULL && params[i] != NULL; i++)
        at = stpcpy(at, params[i]) + 1;
    return task;
}

/* The same again is the same; a number is in use for ever. */
static int add_task(weir_pool *pool, struct task_name *task,
                    unsigned *number_out)
{
    unsigned count = atomic_load(&pool->task_count);

    for (unsigned i = 0; i < count; i++)
        if (pool->tasks[i]->size == task->size &&
            memcmp(pool->tasks[i]->texts, task->texts, task->size) == 0) {
            free(task);
            *number_out = i;
            return 0;
        }
    if (pool->function_count + count >= FUNCTIONS_MOST)
        return WEIR_EFULL;
    pool->tasks[count] = task;
    atomic_store_explicit(&pool->task_count, count + 1, memory_order_release);
    *number_out = count;
    return 0;
}

int weir_pool_task(weir_pool *pool, const char *name, const char *const *params,
                   weir_function **run_out, weir_error *err)
{
    int code = pool_check(pool);
    struct task_name *task;
    unsigned number;

    if (code != 0)
        return error_sys(err, code, "cannot use the pool");
    if (name == NULL || run_out == NULL)
        return error_set(err, WEIR_EINVAL, "no name, or no place for the task");
    if (!is_task_name(name))
        return error_set(err, WEIR_EINVAL,
                         "'%s': a task is named PLUGIN.TASK, as text.upper",
                         name);
    task = write_name(name, params);
    if (task == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for a task");
    if (task->size > TASK_NAME_MOST) {
        free(task);
        return error_set(err, WEIR_ETOOBIG,
                         "'%s' and its parameters have more than %d bytes",
                         name, TASK_NAME_MOST);
    }
    pthread_mutex_lock(&pool->lock);
    code = add_task(pool, task, &number);
    pthread_mutex_unlock(&pool->lock);
    if (code != 0) {
        free(task);
        return error_set(err, code, "a pool has at most %d functions and tasks",
                         FUNCTIONS_MOST);
    }
    *run_out = token_of(number);
    return 0;
}

void pool_tasks_done(weir_pool *pool)
{
    for (unsigned i = 0; i < atomic_load(&pool->task_count); i++)
        free(pool->tasks[i]);
}
