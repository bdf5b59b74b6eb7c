/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool.c - runs in the program: a pool's birth and end. See weir/pool.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_host.h"

enum { WINDOW_DEFAULT = 1024 };

/* Between SIGTERM and SIGKILL. */
#define GRACE_NS (500 * NS_PER_MS)

#define BYTES_DEFAULT (UINT64_C(8) << 20)
/* Sentences and parts must fit. */
#define RESULT_BYTES_LEAST (UINT64_C(64) << 10)

int pool_check(const weir_pool *pool)
{
    if (pool == NULL)
        return WEIR_EINVAL;
    return pool->process == fork_self() ? 0 : WEIR_EPROCESS;
}

int pool_ask(weir_pool *pool, uint32_t word, struct context_reply *reply)
{
    const struct pool_question question = { .word = word, .id = pool->id };

    return context_request(pool->context, &pool_service, &question,
                           sizeof question, NULL, 0, reply);
}

/* --------------------------------------------------------------- options ----
 */

static int check_ranges(const weir_pool_options *known, weir_error *err)
{
    if (known->function_count > FUNCTIONS_MOST ||
        (known->functions == NULL && known->function_count > 0))
        return error_set(err, WEIR_EINVAL,
                         "a pool takes up to %d functions in `functions`",
                         FUNCTIONS_MOST);
    for (size_t i = 0; i < known->function_count; i++)
        if (known->functions[i] == NULL)
            return error_set(err, WEIR_EINVAL, "function %zu is NULL", i);
    if (known->argument == NULL && known->argument_size > 0)
        return error_set(err, WEIR_EINVAL, "a size without bytes");
    if (known->argument_size > ARGUMENT_MOST)
        return error_set(err, WEIR_ETOOBIG,
                         "the argument has %zu bytes; at most %d can be given",
                         known->argument_size, ARGUMENT_MOST);
    if (known->workers > WORKERS_MOST && known->workers != WEIR_POOL_INLINE)
        return error_set(err, WEIR_EINVAL, "%u workers; at most %d",
                         known->workers, WORKERS_MOST);
    if (known->workers_most > WORKERS_MOST)
        return error_set(err, WEIR_EINVAL, "workers_most is %u; at most %d",
                         known->workers_most, WORKERS_MOST);
    if (known->workers_most > 0 && known->workers > known->workers_most &&
        known->workers != WEIR_POOL_INLINE)
        return error_set(err, WEIR_EINVAL, "%u workers; workers_most is %u",
                         known->workers, known->workers_most);
    if (known->retries > RETRIES_MOST)
        return error_set(err, WEIR_EINVAL, "%u retries; at most %d",
                         known->retries, RETRIES_MOST);
    if (known->window > CAPACITY_MOST)
        return error_set(err, WEIR_EINVAL, "a window of %u calls; at most %d",
                         known->window, CAPACITY_MOST);
    if (known->bytes > BYTES_MOST)
        return error_set(err, WEIR_EINVAL,
                         "a bound of %llu bytes; at most 64 GiB",
                         (unsigned long long)known->bytes);
    if (known->limit_ns < 0 || known->grace_ns < 0 || known->recycle_age_ns < 0)
        return error_set(err, WEIR_EINVAL, "a negative time limit");
    return 0;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void set_workers(weir_pool_options *known)
{
    const uint32_t processors = lesser(processors_usable(), WORKERS_MOST);

    if (known->workers == 0)
        known->workers = known->workers_most > 0
                             ? lesser(processors, known->workers_most)
                             : processors;
    if (known->workers_most == 0)
        known->workers_most = known->workers > processors ? known->workers
                                                          : processors;
}

/* Those that are to follow others open beside them. */
static uint32_t seats_of(const weir_pool_options *known)
{
    bool recycles = known->recycle > 0 || known->recycle_age_ns > 0 ||
                    known->recycle_bytes > 0;

    return known->workers_most +
           (recycles ? lesser(known->workers_most, SPARE_SEATS) : 0);
}

static int known_options(const weir_pool_options *options,
                         weir_pool_options *known, weir_error *err)
{
    int code;

    *known = (weir_pool_options){ .size = sizeof *known };
    if (options == NULL || options->size < sizeof(size_t))
        return error_set(err, WEIR_EINVAL, "the options' own size is not set");
    memcpy(known, options,
           options->size < sizeof *known ? options->size : sizeof *known);
    code = check_ranges(known, err);
    if (code != 0)
        return code;
    if (known->workers != WEIR_POOL_INLINE)
        set_workers(known);
    if (known->window == 0)
        known->window = WINDOW_DEFAULT;
    if (known->bytes == 0)
        known->bytes = BYTES_DEFAULT;
    if (known->grace_ns == 0)
        known->grace_ns = GRACE_NS;
    return 0;
}

/* ----------------------------------------------------------------- birth ----
 */

static uint64_t address_of(weir_function *function)
{
    uint64_t address = 0;

    memcpy(&address, &function, sizeof function);
    return address;
}

static uint64_t result_bytes(const weir_pool_options *known)
{
    return known->bytes > RESULT_BYTES_LEAST ? known->bytes
                                             : RESULT_BYTES_LEAST;
}

static int write_plan(const weir_pool_options *known, struct buf *bytes)
{
    const struct pool_question question = { .word = POOL_OPEN };
    const struct pool_plan plan = {
        .workers = known->workers,
        .retries = known->retries,
        .recycle = known->recycle,
        .workers_most = known->workers_most,
        .seats = seats_of(known),
        .function_count = (uint32_t)known->function_count,
        .traces = board_traces(known->window),
        .open = address_of(known->open),
        .close = address_of(known->close),
        .limit_ns = known->limit_ns,
        .grace_ns = known->grace_ns,
        .recycle_age_ns = known->recycle_age_ns,
        .recycle_bytes = known->recycle_bytes,
        .result_bytes = result_bytes(known),
        .argument_size = known->argument_size,
    };

    buf_add(bytes, &question, sizeof question);
    buf_add(bytes, &plan, sizeof plan);
    for (size_t i = 0; i < known->function_count; i++)
        buf_u64(bytes, address_of(known->functions[i]));
    return buf_add(bytes, known->argument, known->argument_size);
}

static int ask_open(weir_pool *pool, const weir_pool_options *known,
                    weir_error *err)
{
    CLEANUP_BUF struct buf bytes = { 0 };
    struct context_reply reply = { .fd = -1 };
    int fds[OPEN_FDS];
    CLEANUP_FD int board = -1;
    int code = write_plan(known, &bytes);

    if (code == 0)
        code = board_create(&pool->board, seats_of(known),
                            board_traces(known->window), &board);
    fds[START_SEGMENT] = segment_fd(pool->segment);
    fds[START_BOARD] = board;

    if (code == 0)
        code = context_request(pool->context, &pool_service, bytes.data,
                               bytes.size, fds, OPEN_FDS, &reply);
    if (code == 0 && reply.data.size != sizeof pool->id)
        code = WEIR_EBROKEN;
    if (code == 0)
        memcpy(&pool->id, reply.data.data, sizeof pool->id);
    buf_done(&reply.data);
    fd_close(&reply.fd);
    if (code == WEIR_ESTATE && context_is_late(pool->context))
        return error_set(err, WEIR_EINVAL,
                         "the pool's functions are not known to its context, "
                         "which was opened when the program had threads "
                         "already; open it before the first one, or call tasks "
                         "of plugins by name");
    if (code == WEIR_ESTATE)
        return error_set(err, WEIR_EINVAL,
                         "a function of the pool was not in memory when its "
                         "context opened; open a new context after it was "
                         "loaded");
    return code == 0 ? 0 : error_sys(err, code, "cannot start the workers");
}

/* Each worker may be about to put away a batch that has its results. */
static uint32_t call_slots(const weir_pool_options *known)
{
    uint32_t slots = known->window + known->workers_most * LEASE_MOST;

    return slots < CAPACITY_MOST ? slots : CAPACITY_MOST;
}

static int make_segment(weir_pool *pool, const weir_pool_options *known,
                        weir_error *err)
{
    const struct queue_plan queues[POOL_QUEUES] = {
        [POOL_CALLS] = { .capacity = call_slots(known),
                         .bytes = known->bytes + ATTRS_MOST },
        [POOL_RESULTS] = { .capacity = known->window,
                           .bytes = result_bytes(known) },
    };
    const struct segment_plan plan = { .queues = queues,
                                       .queue_count = POOL_QUEUES,
                                       .member_count = seats_of(known) + 4 };
    int code = segment_create(&plan, &pool->segment, err);

    if (code != 0)
        return code;
    segment_set_alone(pool->segment);
    code = member_enter(pool->segment, pool->seats, &pool->submitter);
    if (code == 0)
        code = member_enter(pool->segment, pool->seats + 1, &pool->reader);
    if (code == 0)
        code = member_enter(pool->segment, pool->seats + 2, &pool->picker);
    return code == 0 ? 0 : error_sys(err, code, "cannot make a pool");
}

static int make_lists(weir_pool *pool, const weir_pool_options *known)
{
    pool->functions = calloc(known->function_count, sizeof *pool->functions);
    pool->places = calloc(known->window, sizeof *pool->places);
    if (pool->functions == NULL || pool->places == NULL)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < known->function_count; i++)
        pool->functions[i] = known->functions[i];
    for (uint32_t i = 0; i < known->window; i++)
        pool->places[i].next_free = i + 1;
    return 0;
}

static void init_locks(weir_pool *pool)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&pool->lock, NULL);
    pthread_mutex_init(&pool->picking, NULL);
    pthread_mutex_init(&pool->resizing, NULL);
    pthread_mutex_init(&pool->arming, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->moved, &attr);
    pthread_cond_init(&pool->turn, &attr);
    pthread_condattr_destroy(&attr);
}

/* Leaves the segment; in a process that is not the pool's, as it stands. */
static void drop_segment(weir_pool *pool)
{
    watch_done(pool);
    if (pool->process == fork_self()) {
        member_leave(&pool->submitter);
        member_leave(&pool->reader);
        member_leave(&pool->picker);
    } else {
        member_forget(&pool->submitter);
        member_forget(&pool->reader);
        member_forget(&pool->picker);
    }
    segment_free(&pool->segment);
}

void pool_unref(weir_pool *pool)
{
    if (atomic_fetch_sub(&pool->refs, 1) != 1)
        return;
    if (pool->process == fork_self()) {
        pthread_mutex_destroy(&pool->lock);
        pthread_mutex_destroy(&pool->picking);
        pthread_mutex_destroy(&pool->resizing);
        pthread_mutex_destroy(&pool->arming);
        pthread_cond_destroy(&pool->moved);
        pthread_cond_destroy(&pool->turn);
    }
    drop_segment(pool);
    board_done(&pool->board);
    here_done(pool);
    if (pool->context != NULL)
        context_unref(pool->context);
    free(pool->functions);
    pool_tasks_done(pool);
    free(pool->places);
    free(pool);
}

/* All that a pool without workers has. */
static weir_pool *pool_alloc(const weir_pool_options *known)
{
    weir_pool *pool = calloc(1, sizeof *pool);

    if (pool == NULL)
        return NULL;
    pool->process = fork_self();
    atomic_init(&pool->refs, 1);
    pool->window = known->window;
    pool->recycles = known->recycle > 0;
    pool->bytes = known->bytes;
    pool->function_count = (uint32_t)known->function_count;
    pool->limit_ns = known->limit_ns;
    pool->retries = known->retries;
    pool->last = &pool->first;
    pool->last_notice = &pool->notices;
    pool->watch.fd = -1;
    pool->expires_ns = FOREVER;
    pool->watched_ns = known->limit_ns > 0 ? known->limit_ns : FOREVER;
    init_locks(pool);
    if (make_lists(pool, known) == 0)
        return pool;
    pool_unref(pool);
    return NULL;
}

static int start_workers(weir_pool *pool, const weir_pool_options *known,
                         weir_error *err)
{
    int code;

    atomic_init(&pool->workers, known->workers);
    pool->workers_most = known->workers_most;
    pool->seats = seats_of(known);
    code = make_segment(pool, known, err);
    fflush(NULL); /* what waits in stdio shall not be written twice */
    return code == 0 ? ask_open(pool, known, err) : code;
}

int weir_pool_new(weir_context *context, const weir_pool_options *options,
                  weir_pool **pool_out, weir_error *err)
{
    weir_pool_options known;
    weir_pool *pool;
    int code = known_options(options, &known, err);
    bool here = code == 0 && known.workers == WEIR_POOL_INLINE;

    if (pool_out == NULL || (context == NULL && code == 0 && !here))
        return error_set(err, WEIR_EINVAL, "no context, or no place for it");
    if (context != NULL && context_check(context) != 0)
        return error_sys(err, context_check(context), "cannot make a pool");
    if (code != 0)
        return code;
    pool = pool_alloc(&known);
    if (pool == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for a pool");
    if (context != NULL)
        context_ref(context);
    pool->context = context;
    if (!here)
        code = start_workers(pool, &known, err);
    else if (here_open(pool, &known) != 0)
        code = error_set(err, WEIR_ENOMEM, "no memory for a pool");
    if (code != 0) {
        pool_unref(pool);
        return code;
    }
    *pool_out = pool;
    return 0;
}

/* ------------------------------------------------------------------- end ----
 */

static int close_calls(weir_pool *pool)
{
    int code = pool_ask(pool, POOL_CLOSE, NULL);

    return code == 0 ? queue_close(pool->segment, POOL_CALLS) : code;
}

int weir_pool_close(weir_pool *pool)
{
    int code = pool_check(pool);
    bool first;

    if (code != 0)
        return code;
    pthread_mutex_lock(&pool->lock);
    first = pool->state == HOST_RUNS;
    if (first) {
        pool->state = HOST_CLOSED;
        pool->close_owed = pool->here == NULL && pool->maps > 0;
    }
    pthread_cond_broadcast(&pool->turn);
    here_end(pool);
    first = first && pool->here == NULL && !pool->close_owed;
    pthread_mutex_unlock(&pool->lock);
    return first ? close_calls(pool) : 0;
}

void pool_close_owed(weir_pool *pool)
{
    if (pool->maps > 0 || !pool->close_owed)
        return;
    pool->close_owed = false;
    pthread_mutex_unlock(&pool->lock);
    close_calls(pool); /* a helper that is gone tells so itself */
    pthread_mutex_lock(&pool->lock);
}

int weir_pool_terminate(weir_pool *pool)
{
    int code = pool_check(pool);
    bool first;

    if (code != 0)
        return code;
    pthread_mutex_lock(&pool->lock);
    first = pool->state == HOST_RUNS || pool->state == HOST_CLOSED;
    if (first) {
        pool->state = HOST_TERMINATED;
        pool_end_all(pool, WEIR_ETERMINATED, "the pool was terminated");
    }
    if (first && pool->here == NULL) {
        member_cancel(pool->segment, member_number(pool->submitter), true);
        member_cancel(pool->segment, member_number(pool->reader), true);
    }
    here_end(pool);
    pthread_mutex_unlock(&pool->lock);
    return first && pool->here == NULL ? pool_ask(pool, POOL_TERMINATE, NULL)
                                       : 0;
}

int weir_pool_join(weir_pool *pool, int64_t timeout_ns)
{
    int code = pool_check(pool);
    int64_t deadline;

    if (code != 0)
        return code;
    if (timeout_ns < 0)
        return WEIR_EINVAL;
    deadline = timeout_ns == 0 ? 0 : clock_deadline(timeout_ns);
    pool_enter(pool);
    if (pool->state == HOST_RUNS)
        pool_pump(pool, 0); /* it may have ended by itself */
    if (pool->state == HOST_RUNS || here_runs(pool))
        code = WEIR_ESTATE;
    while (code == 0 && pool->state != HOST_OVER)
        code = pool_turn(pool, deadline);
    pool_tell(pool, false);
    if (pool->state == HOST_OVER)
        code = pool->code == WEIR_EBROKEN ? WEIR_EBROKEN : 0;
    pool_leave(pool);
    return code;
}

int weir_pool_workers(const weir_pool *pool)
{
    int code = pool_check(pool);

    return code != 0 ? code : (int)atomic_load(&pool->workers);
}

static int ask_resize(weir_pool *pool, uint64_t workers)
{
    struct {
        struct pool_question head;
        uint64_t workers;
    } question = { { .word = POOL_RESIZE, .id = pool->id }, workers };

    return context_request(pool->context, &pool_service, &question,
                           sizeof question, NULL, 0, NULL);
}

/* What the helper was told last is what stands in the handle. */
int weir_pool_resize(weir_pool *pool, unsigned workers)
{
    int code = pool_check(pool);

    if (code != 0)
        return code;
    if (workers < 1 || workers > pool->workers_most)
        return WEIR_EINVAL;
    pthread_mutex_lock(&pool->resizing);
    pthread_mutex_lock(&pool->lock);
    code = state_code(pool);
    pthread_mutex_unlock(&pool->lock);
    if (code == 0)
        code = ask_resize(pool, workers);
    if (code == 0)
        atomic_store(&pool->workers, workers);
    pthread_mutex_unlock(&pool->resizing);
    return code;
}

int weir_pool_free(weir_pool **pool)
{
    weir_pool *p;

    if (pool == NULL || *pool == NULL)
        return 0;
    p = *pool;
    if (p->process == fork_self()) {
        if (p->state != HOST_OVER &&
            (p->here != NULL || context_alive(p->context) == 0))
            return WEIR_ESTATE;
        *pool = NULL; /* also for callbacks */
        pool_enter(p);
        pool_over(p, WEIR_EBROKEN, "the helper process is gone");
        pool_tell(p, true); /* the last chance */
        pool_leave(p);
        if (p->here == NULL)
            pool_ask(p, POOL_FREED, NULL);
    }
    *pool = NULL;
    drop_segment(p);
    board_done(&p->board);
    pool_unref(p);
    return 0;
}
