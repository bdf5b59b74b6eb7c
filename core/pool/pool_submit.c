/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_submit.c - runs in the program: the calls that go into a pool. See
 * pool_host.h for who does what. */
#include "config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_host.h"

/* Who tries once waits as long for a worker that is just making room. */
#define ONCE_NS (10 * NS_PER_MS)

/* ------------------------------------------------------------------ turn ----
 */

int state_code(const weir_pool *pool)
{
    switch (pool->state) {
    case HOST_RUNS:
        return 0;
    case HOST_CLOSED:
        return WEIR_ECLOSED;
    case HOST_TERMINATED:
        return WEIR_ETERMINATED;
    case HOST_OVER:
        break;
    }
    return pool->code;
}

static void leave_line(weir_pool *pool, struct line *line)
{
    struct line **at = &pool->first;

    while (*at != line)
        at = &(*at)->next;
    *at = line->next;
    if (*at == NULL)
        pool->last = at;
}

/* May this call be made? */
static int may_put(const struct submission *sub)
{
    int code = state_code(sub->pool);

    if (code == WEIR_ECLOSED && sub->again && sub->pool->close_owed)
        code = 0;
    if (code == 0 && sub->imap != NULL && imap_is_canceled(sub->imap))
        code = WEIR_ECANCELED;
    return code;
}

/* First come, first served. */
int take_turn(const struct submission *sub)
{
    weir_pool *pool = sub->pool;
    int64_t deadline_ns = sub->deadline_ns;
    struct line me = { NULL, false };

    if (!pool->submitting || here_runs(pool)) {
        pool->submitting = true;
        return 0;
    }
    *pool->last = &me;
    pool->last = &me.next;
    while (!me.ours) {
        int code = may_put(sub);

        /* Who tries once waits for a copy of bytes, but not for room. */
        if (code == 0 && deadline_ns == 0 && pool->full)
            code = WEIR_EFULL;
        if (code == 0)
            code = pool_wait(pool, &pool->turn,
                             deadline_ns == 0 ? FOREVER : deadline_ns);
        if (code != 0 && !me.ours) {
            leave_line(pool, &me);
            return code;
        }
    }
    return 0;
}

void give_turn(weir_pool *pool)
{
    struct line *next = pool->first;

    if (here_runs(pool))
        return; /* the turn is that of the call in which this one was made */
    pool->full = false;
    if (next == NULL) {
        pool->submitting = false;
        here_end(pool);
        return;
    }
    leave_line(pool, next);
    next->ours = true;
    pthread_cond_broadcast(&pool->turn);
}

/* ------------------------------------------------------------------ calls ----
 */

/* Without the lock: what is staged is there. */
static int flush(struct submission *sub)
{
    if (sub->staged == 0)
        return 0;
    sub->staged = 0;
    return turn_commit(sub->pool->submitter, NULL, NULL);
}

int flush_locked(struct submission *sub)
{
    int code;

    if (sub->staged == 0)
        return 0;
    pthread_mutex_unlock(&sub->pool->lock);
    code = flush(sub);
    pthread_mutex_lock(&sub->pool->lock);
    return code;
}

/* Of what a call carries beside its bytes. */
static size_t attrs_size(const struct submission *sub)
{
    if (sub->task != NULL)
        return sizeof sub->terms + sub->task->size;
    return sub->has_terms ? sizeof sub->terms : 0;
}

/* Without the lock: all other calls have ended, so the room is there as soon as
 * a worker has put away what it gave the last result for. */
static int claim_room(struct submission *sub, size_t size)
{
    const struct room room = { .queue = POOL_CALLS,
                               .slots = 1,
                               .bytes = queue_charge(size, attrs_size(sub)) };
    int64_t until = sub->deadline_ns == 0 ? clock_deadline(ONCE_NS)
                                          : sub->deadline_ns;
    int code = turn_claim(sub->pool->submitter, &room, 1, wait_part(until));

    turn_unclaim(sub->pool->submitter, &room, 1);
    if (code == WEIR_ETIMEDOUT && clock_left(until) > 0)
        code = context_alive(sub->pool->context);
    return code == WEIR_ECANCELED ? 0 : code; /* terminated: look at that */
}

/*
 * Under the lock: waits for a result, which tells that there is room, or is
 * about to be; @mine calls have a place already, and are not staged. Nothing
 * that is staged may wait meanwhile: workers do not see it.
 */
static int wait_for_room(struct submission *sub, size_t size, unsigned mine)
{
    weir_pool *pool = sub->pool;
    int code = flush_locked(sub);

    if (code == 0)
        code = may_put(sub);
    if (code != 0)
        return code;
    pool->full = true;
    sub->waited = true;
    pthread_cond_broadcast(&pool->turn);
    if (pool->outstanding > mine) {
        code = pool_pump(pool, sub->deadline_ns);
    } else {
        pthread_mutex_unlock(&pool->lock);
        code = claim_room(sub, size);
        pthread_mutex_lock(&pool->lock);
    }
    pool->full = false;
    if (code == WEIR_ETIMEDOUT && sub->deadline_ns == 0)
        code = WEIR_EFULL;
    return code == 0 ? may_put(sub) : code;
}

static void write_attrs(const struct submission *sub, struct stage_spec *spec)
{
    char *attrs = sub->pool->attrs;

    spec->attrs_size = attrs_size(sub);
    if (spec->attrs_size == 0)
        return;
    spec->attrs = attrs;
    memcpy(attrs, &sub->terms, sizeof sub->terms);
    if (sub->task != NULL)
        memcpy(attrs + sizeof sub->terms, sub->task->texts, sub->task->size);
}

/* The same, and it is there: a small one that stands alone, if there is room.
 */
static bool stage_small(const struct submission *sub, uint64_t ticket,
                        const void *data, size_t size, uint64_t *ref_out)
{
    struct small call = {
        .root = ticket,
        .path = call_path(sub->function, sub->chunk),
        .size = size,
    };

    if (!sub->alone || sub->pack != NULL || size > ITEM_SMALL ||
        attrs_size(sub) > 0)
        return false;
    if (size > 0)
        memcpy(call.data, data, size);
    if (turn_call(sub->pool->submitter, POOL_CALLS, &call, 1) != 1)
        return false;
    *ref_out = call.ref;
    return true;
}

/* Without the lock. */
static int stage_call(struct submission *sub, uint64_t ticket, const void *data,
                      size_t size, uint64_t *ref_out)
{
    struct stage_spec spec = {
        .queue = POOL_CALLS,
        .room = size,
        .root = ticket,
        .path = call_path(sub->function, sub->chunk) |
                (sub->pack != NULL ? CALL_PACK : 0),
    };
    struct staged staged;
    int code;

    if (stage_small(sub, ticket, data, size, ref_out))
        return 0;
    write_attrs(sub, &spec);
    code = turn_stage(sub->pool->submitter, &spec, &staged);
    if (code != 0)
        return code;
    if (size > 0)
        memcpy(staged.data, data, size);
    *ref_out = staged.ref;
    sub->staged++;
    return 0;
}

/* Who is to be told of it. */
static void address(const struct submission *sub, weir_result *result)
{
    if (sub->options != NULL) {
        result->tag = sub->options->tag;
        result->on_done = sub->options->on_done;
        result->arg = sub->options->arg;
    }
    result->abandoned = sub->unheld;
    result->group = sub->group;
    result->imap = sub->imap;
    result->plain = result->on_done == NULL && result->group == NULL &&
                    result->imap == NULL && !sub->unheld;
    result->index = sub->index;
}

/* And when it must have ended. */
static void dress(struct submission *sub, weir_result *result)
{
    weir_pool *pool = sub->pool;

    address(sub, result);
    if (sub->terms.deadline_ns == FOREVER)
        return;
    result->deadline_ns = sub->terms.deadline_ns;
    if (result->deadline_ns >= pool->expires_ns)
        return;
    pool->expires_ns = result->deadline_ns;
    watch_time(pool);
}

weir_result *failed_result(struct submission *sub, int code, const char *text)
{
    weir_result *result = result_alloc(sub->pool);

    if (result == NULL)
        return NULL;
    address(sub, result);
    result_end(result, code, text);
    return result;
}

/* Its call was not made; it has told nobody. */
static void undo(weir_pool *pool, weir_result **result)
{
    if ((*result)->pack != NULL)
        pool->packed -= (*result)->pack->count - 1;
    (*result)->on_done = NULL;
    (*result)->group = NULL;
    result_cancel(pool, (*result)->ticket);
    *result = NULL;
}

/* Without workers: it has ended on return. */
static int put_here(struct submission *sub, const void *data, size_t size,
                    weir_result **result_out)
{
    weir_pool *pool = sub->pool;
    struct here_reply reply;
    weir_result *result;
    int code;

    if (pool->free == pool->window)
        return WEIR_EFULL; /* of calls that are made one in the other */
    if (sub->deadline_ns != 0 && clock_left(sub->deadline_ns) == 0)
        return WEIR_ETIMEDOUT;
    code = result_new(pool, &result);
    if (code != 0)
        return code;
    code = here_call(sub, result->ticket, data, size, &reply);
    if (code != 0) {
        undo(pool, &result);
        return code;
    }
    address(sub, result);
    if (leave_place(pool, result->ticket) != NULL) {
        result->code = reply.data != NULL ? reply.code : WEIR_ENOMEM;
        result->data = reply.data;
        result->size = reply.size;
    } else { /* terminated meanwhile */
        free(reply.data);
        pool->ended--;
    }
    result_ended(result);
    if (pool->waiters > 0)
        pthread_cond_broadcast(&pool->moved);
    *result_out = result;
    return 0;
}

/* Under the lock. Nobody here has closed the calls' queue: the pool has ended
 * by itself, and says why when its last results have been read. */
static int see_why(weir_pool *pool, int code)
{
    if (code != WEIR_ECLOSED)
        return code;
    while (pool->state == HOST_RUNS)
        pool_pump(pool, FOREVER);
    return state_code(pool);
}

/* As many calls as the window has are without a result. */
static bool is_full(const struct submission *sub)
{
    const weir_pool *pool = sub->pool;
    uint32_t calls = sub->pack != NULL ? sub->pack->count : 1;

    return pool->free == pool->window ||
           calls > pool->window - pool->outstanding - pool->packed;
}

int put_call(struct submission *sub, const void *data, size_t size,
             weir_result **result_out)
{
    weir_pool *pool = sub->pool;
    int code = may_put(sub);
    weir_result *result;

    if (code == 0 && size > pool->bytes)
        code = WEIR_ETOOBIG;
    if (code == 0 && pool->here != NULL)
        return put_here(sub, data, size, result_out);
    while (code == 0 && is_full(sub))
        code = see_why(pool, wait_for_room(sub, size, 0));
    if (code == 0)
        code = result_new(pool, &result);
    if (code != 0)
        return code;
    pool->places[(uint32_t)result->ticket].function = sub->function;
    result->pack = sub->pack;
    pool->packed += sub->pack != NULL ? sub->pack->count - 1 : 0;
    do {
        uint64_t ref = 0;

        pthread_mutex_unlock(&pool->lock);
        code = stage_call(sub, result->ticket, data, size, &ref);
        pthread_mutex_lock(&pool->lock);
        pool->places[(uint32_t)result->ticket].ref = ref;
        if (code != WEIR_EFULL)
            break;
        code = wait_for_room(sub, size, 1);
    } while (code == 0);
    code = see_why(pool, code);
    if (code != 0 && !result->ended) {
        undo(pool, &result);
        return code;
    }
    /* Also a call that ended while it was put: terminated, or over. */
    if (!result->ended) {
        dress(sub, result);
    } else {
        address(sub, result);
        pool->ended--;
        result_ended(result);
    }
    *result_out = result;
    return 0;
}

int explain(const weir_pool *pool, int code, size_t size, weir_error *err)
{
    char given[32], most[32];

    switch (code) {
    case 0:
        return 0;
    case WEIR_ETOOBIG:
        return error_set(err, code,
                         "an argument of %s; this pool takes at most %s: make "
                         "`bytes` of its options larger",
                         text_from_size(given, size),
                         text_from_size(most, pool->bytes));
    case WEIR_ECLOSED:
        return error_set(err, code, "the pool is closed");
    case WEIR_ETERMINATED:
        return error_set(err, code, "the pool was terminated");
    case WEIR_EFULL:
        return error_set(err, code, "no room for a call now");
    case WEIR_ETIMEDOUT:
        return error_set(err, code, "no room for the call in time");
    default:
        if (pool->state == HOST_OVER)
            return error_set(err, code, "%s", pool->text);
        return error_sys(err, code, "cannot make the call");
    }
}

/* ---------------------------------------------------------------- options ----
 */

static int known_options(const weir_call_options *options,
                         weir_call_options *known, weir_error *err)
{
    *known = (weir_call_options){ .size = sizeof *known };
    if (options->size < sizeof(size_t))
        return error_set(err, WEIR_EINVAL,
                         "the call options' own size is not set");
    memcpy(known, options,
           options->size < sizeof *known ? options->size : sizeof *known);
    if (known->limit_ns < 0 || known->deadline_ns < 0)
        return error_set(err, WEIR_EINVAL, "a negative time limit");
    if (known->retries < WEIR_NO_RETRIES || known->retries > RETRIES_MOST)
        return error_set(err, WEIR_EINVAL, "%d retries; at most %d",
                         known->retries, RETRIES_MOST);
    if (known->chunk > LEASE_MOST)
        return error_set(err, WEIR_EINVAL, "a chunk has at most %d calls",
                         LEASE_MOST);
    return 0;
}

/* In the place of the pool's own. */
static void set_terms(struct submission *sub, const weir_call_options *known)
{
    sub->options = known;
    sub->chunk = known->chunk;
    sub->has_terms = known->limit_ns > 0 || known->deadline_ns > 0 ||
                     known->retries != 0;
    if (known->limit_ns > 0)
        sub->terms.limit_ns = known->limit_ns;
    if (known->deadline_ns > 0)
        sub->terms.deadline_ns = clock_deadline(known->deadline_ns);
    if (known->retries != 0)
        sub->terms.retries = known->retries < 0 ? 0 : (uint32_t)known->retries;
}

/* The helper looks as often as the shortest limit needs; it is told of half
 * the time, so that a row of ever shorter ones asks a few times only. */
static int watch_limits(struct submission *sub, weir_error *err)
{
    weir_pool *pool = sub->pool;
    int64_t shortest = sub->terms.limit_ns > 0 ? sub->terms.limit_ns : FOREVER;
    struct {
        struct pool_question question;
        int64_t watch_ns;
    } ask = { .question = { .word = POOL_WATCH, .id = pool->id } };
    bool tell;
    int code;

    if (sub->options->deadline_ns > 0 && sub->options->deadline_ns < shortest)
        shortest = sub->options->deadline_ns;
    pthread_mutex_lock(&pool->lock);
    tell = shortest < pool->watched_ns;
    ask.watch_ns = shortest / 2;
    if (tell)
        pool->watched_ns = ask.watch_ns;
    pthread_mutex_unlock(&pool->lock);
    if (!tell)
        return 0;
    code = context_request(pool->context, &pool_service, &ask, sizeof ask, NULL,
                           0, NULL);
    /* A pool that is over says so itself. */
    return code == 0 || code == WEIR_EINVAL
               ? 0
               : error_sys(err, code, "cannot watch over the call");
}

int submission_init(struct submission *sub, weir_pool *pool, weir_function *run,
                    int64_t timeout_ns, const weir_call_options *options,
                    weir_call_options *known, weir_error *err)
{
    const struct task_name *task;
    int code = pool_check(pool);
    unsigned number = 0;

    if (code != 0)
        return error_sys(err, code, "cannot use the pool");
    if (timeout_ns < 0)
        return error_set(err, WEIR_EINVAL, "a negative timeout");
    task = pool_task_of(pool, run, &number);
    while (task == NULL && number < pool->function_count &&
           pool->functions[number] != run)
        number++;
    if (run == NULL || (task == NULL && number == pool->function_count))
        return error_set(err, WEIR_EINVAL,
                         "this is none of the pool's functions; give it to "
                         "weir_pool_new in `functions`");
    *sub = (struct submission){
        .pool = pool,
        .function = number,
        .task = task,
        .terms = { .limit_ns = pool->limit_ns,
                   .deadline_ns = FOREVER,
                   .retries = pool->retries },
        .deadline_ns = timeout_ns == 0 ? 0 : clock_deadline(timeout_ns),
    };
    if (options == NULL)
        return 0;
    code = known_options(options, known, err);
    if (code != 0)
        return code;
    set_terms(sub, known);
    return sub->has_terms && pool->here == NULL ? watch_limits(sub, err) : 0;
}

/* ----------------------------------------------------------- public calls ----
 */

int submit(struct submission *sub, const void *data, size_t size,
           weir_result **result_out)
{
    int code = take_turn(sub);

    if (code != 0)
        return code;
    sub->alone = true;
    code = put_call(sub, data, size, result_out);
    if (code == 0)
        flush_locked(sub); /* damaged: the call ends by that, with the pool */
    give_turn(sub->pool);
    return code;
}

static int check_data(const void *data, size_t size, weir_result **result_out,
                      const weir_call_options *options, weir_error *err)
{
    if (data == NULL && size > 0)
        return error_set(err, WEIR_EINVAL, "a size without bytes");
    if (result_out == NULL &&
        (options == NULL || options->size < offsetof(weir_call_options, arg) ||
         options->on_done == NULL))
        return error_set(err, WEIR_EINVAL, "no place for the result");
    return 0;
}

int weir_pool_apply_async_with(weir_pool *pool, weir_function *run,
                               const void *data, size_t size,
                               int64_t timeout_ns,
                               const weir_call_options *options,
                               weir_result **result_out, weir_error *err)
{
    weir_call_options known;
    struct submission sub;
    weir_result *result = NULL;
    int code = check_data(data, size, result_out, options, err);

    if (code == 0)
        code = submission_init(&sub, pool, run, timeout_ns, options, &known,
                               err);
    if (code != 0)
        return code;
    sub.unheld = result_out == NULL;
    pool_enter(pool);
    code = explain(pool, submit(&sub, data, size, &result), size, err);
    if (code == 0 && !sub.unheld)
        *result_out = result;
    if (sub.waited)
        pool_tell(pool, false);
    pool_leave(pool);
    return code;
}

int weir_pool_apply_async(weir_pool *pool, weir_function *run, const void *data,
                          size_t size, int64_t timeout_ns,
                          weir_result **result_out, weir_error *err)
{
    return weir_pool_apply_async_with(pool, run, data, size, timeout_ns, NULL,
                                      result_out, err);
}

int weir_pool_apply(weir_pool *pool, weir_function *run, const void *data,
                    size_t size, int64_t timeout_ns, weir_result **result_out,
                    weir_error *err)
{
    struct submission sub;
    weir_result *result = NULL;
    int code = check_data(data, size, result_out, NULL, err);

    if (code == 0)
        code = submission_init(&sub, pool, run, timeout_ns, NULL, NULL, err);
    if (code != 0)
        return code;
    pool_enter(pool);
    code = explain(pool, submit(&sub, data, size, &result), size, err);
    if (code == 0) {
        code = result_await(result, sub.deadline_ns);
        code = code != 0
                   ? error_set(err, code, "the call has not ended in time")
                   : result_error(result, err);
        if (code == 0)
            *result_out = result;
        else
            result_abandon(result);
    }
    pool_leave(pool);
    return code;
}
