/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_inline.c - runs in the program: a pool without workers, for debuggers.
 *
 * A call runs where it is made, in its turn to submit: so one function runs at
 * a time, and who waits in line does so with its own deadline. A function may
 * make calls of its pool; they run within it, in its turn. What it calls of
 * weir/plugin.h is what a worker has (pool_call.c), without a member: results
 * are kept in memory, and become those of handles.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_host.h"
#include "pool/pool_worker.h"

bool here_runs(const weir_pool *pool)
{
    return pool->here != NULL && pool->here->depth > 0 &&
           pthread_equal(pool->here->runner, pthread_self());
}

/* Aligned as what lies in shared memory. NULL: no memory. */
static void *copy_of(const void *data, size_t size)
{
    void *copy;

    if (posix_memalign(&copy, 64, size + 1) != 0)
        return NULL;
    if (size > 0)
        memcpy(copy, data, size);
    ((char *)copy)[size] = '\0';
    return copy;
}

static struct worker *worker_new(const weir_pool *pool)
{
    struct worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL)
        return NULL;
    worker->call.table = &worker_table;
    worker->own.params = pool->here->argument;
    worker->own.state = pool->here->state;
    worker->scope = &worker->own;
    return worker;
}

/* ------------------------------------------------------------- functions ----
 */

/* What is called between the two may call the pool: in the same thread. */
static void step_in(weir_pool *pool)
{
    pool->here->runner = pthread_self();
    pool->here->depth++;
    pthread_mutex_unlock(&pool->lock);
}

static void step_out(weir_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->here->depth--;
}

/* Under the lock, which it gives back meanwhile. */
static int run(weir_pool *pool, struct worker *worker, weir_function *function)
{
    const void *state = worker->own.state;
    int code;

    step_in(pool);
    worker->text[0] = '\0';
    code = worker_verdict(worker, function(&worker->call));
    step_out(pool);
    if (worker->own.state != state)
        pool->here->state = worker->own.state;
    return code;
}

/* Under the lock, in the turn to submit: the function of this call, in whose
 * scope it is to run. */
static int find_function(struct submission *sub, struct worker *worker,
                         weir_function **function_out)
{
    weir_pool *pool = sub->pool;
    struct pool_task **slot;
    int code = 0;

    if (sub->task == NULL) {
        *function_out = pool->functions[sub->function];
        return 0;
    }
    slot = &pool->here->tasks[sub->function];
    if (*slot == NULL) { /* as in a worker, when its first call comes */
        step_in(pool);
        code = worker_load(worker, sub->task->texts, sub->task->size, slot);
        step_out(pool);
    }
    if (code != 0)
        return code;
    worker->scope = *slot;
    *function_out = worker->scope->run;
    return 0;
}

static bool is_late(const struct submission *sub)
{
    return sub->terms.deadline_ns != FOREVER &&
           clock_left(sub->terms.deadline_ns) == 0;
}

/* Attempts, until one is the last. */
static int attempts(struct submission *sub, struct worker *worker)
{
    weir_pool *pool = sub->pool;
    struct item *item = worker->item;
    weir_function *function;
    int code;

    if (is_late(sub)) {
        snprintf(worker->text, sizeof worker->text,
                 "the call's deadline passed before it began");
        return WEIR_ELIMIT;
    }
    worker->item = NULL; /* `open` has none */
    code = find_function(sub, worker, &function);
    worker->item = item;
    while (code == 0) {
        code = run(pool, worker, function);
        if (code != WEIR_TRANSIENT ||
            worker->item->attempt >= sub->terms.retries || is_late(sub) ||
            state_code(pool) == WEIR_ETERMINATED)
            break;
        worker_drop(worker);
        worker->item->attempt++;
        code = 0;
    }
    return code == WEIR_TRANSIENT ? WEIR_EFAILED : code;
}

static void take_reply(struct worker *worker, int code,
                       struct here_reply *reply)
{
    bool given = code == 0 && worker->reply.state == REPLY_GIVEN;

    *reply = (struct here_reply){ .code = code < 0 ? code : 0 };
    if (given) {
        reply->data = worker->reply.own;
        reply->size = worker->reply.size;
        reply->data[reply->size] = '\0'; /* there is room */
        worker->reply = (struct reply){ .state = REPLY_NONE };
    } else {
        reply->data = strdup(code < 0 ? worker->text : "");
    }
    worker_drop(worker);
}

int here_call(struct submission *sub, uint64_t ticket, const void *data,
              size_t size, struct here_reply *reply)
{
    weir_pool *pool = sub->pool;
    struct worker *worker = worker_new(pool);
    void *copy = copy_of(data, size);
    struct item item = { .data = copy, .size = size, .root = ticket };

    if (worker == NULL || copy == NULL) {
        free(worker);
        free(copy);
        return WEIR_ENOMEM;
    }
    worker->item = &item;
    pool->full = true; /* who tries once does not wait for a function */
    pthread_cond_broadcast(&pool->turn);
    take_reply(worker, attempts(sub, worker), reply);
    free(worker);
    free(copy);
    return 0;
}

/* --------------------------------------------------------- birth and end ----
 */

/* Nobody else has the pool yet. */
static int run_open(weir_pool *pool)
{
    struct worker *worker = worker_new(pool);
    char text[sizeof pool->text];
    int code;

    if (worker == NULL)
        return WEIR_ENOMEM;
    pthread_mutex_lock(&pool->lock);
    pool->submitting = true;
    code = run(pool, worker, pool->here->open);
    pool->submitting = false;
    if (code != 0) {
        snprintf(text, sizeof text, "the pool's `open` failed: %.400s",
                 worker->text);
        pool_over(pool, code < 0 ? code : WEIR_EFAILED, text);
    }
    pthread_mutex_unlock(&pool->lock);
    free(worker);
    return 0;
}

int here_open(weir_pool *pool, const weir_pool_options *known)
{
    struct here *here = calloc(1, sizeof *here);

    if (here == NULL)
        return WEIR_ENOMEM;
    pool->here = here;
    here->open = known->open;
    here->close = known->close;
    here->argument = copy_of(known->argument, known->argument_size);
    if (here->argument == NULL)
        return WEIR_ENOMEM;
    return here->open == NULL ? 0 : run_open(pool);
}

void here_done(weir_pool *pool)
{
    if (pool->here == NULL)
        return;
    for (unsigned i = 0; i < FUNCTIONS_MOST; i++)
        pool_task_free(pool->here->tasks[i]);
    free(pool->here->argument);
    free(pool->here);
    pool->here = NULL;
}

static void run_close(weir_pool *pool)
{
    struct worker *worker = worker_new(pool);

    if (worker == NULL)
        return; /* as a worker that is killed */
    pool->submitting = true;
    if (pool->here->close != NULL)
        run(pool, worker, pool->here->close);
    step_in(pool);
    worker_close_tasks(worker, pool->here->tasks);
    step_out(pool);
    pool->submitting = false;
    free(worker);
}

void here_end(weir_pool *pool)
{
    if (pool->here == NULL || pool->submitting || pool->state == HOST_RUNS ||
        pool->state == HOST_OVER)
        return;
    if (pool->state == HOST_CLOSED)
        run_close(pool);
    if (pool->state == HOST_TERMINATED)
        pool_over(pool, WEIR_ETERMINATED, "the pool was terminated");
    else
        pool_over(pool, WEIR_ECLOSED, "the pool is closed");
}
