/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_imap.c - runs in the program: calls for a row of inputs that are taken
 * as they are needed, and their results one by one.
 *
 * A window bounds what has been taken and not been given; each weir_imap_next
 * takes inputs until it is full, then gives a result. So nothing is read ahead
 * but while somebody asks, and there is no thread that could.
 *
 * Results that wait stand in `ring`, by index, or in a list in the order of
 * their ends. What the pool says of one that could not be made is a result,
 * too: nothing is left out in silence, whatever becomes of the pool.
 *
 * Everything is guarded by the pool's lock. `pulling` is a role: who has it
 * alone calls the input function, without the lock, and makes the calls.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_host.h"

enum {
    AHEAD_OF_WORKER = 4,
    AHEAD_LEAST = 32,
};

struct weir_imap {
    weir_pool *pool;
    struct submission sub; /* of each call, but for its own index and times */
    weir_imap_input *input;
    void *arg;
    weir_call_options each;
    uint32_t window;
    uint64_t bytes_most;
    unsigned users; /* calls under way, in any thread */
    bool freed;     /* the last of them frees it */
    bool canceled;
    bool pulling;
    pthread_t puller;
    bool exhausted; /* there are no more inputs */
    bool held;      /* an input found no room yet: */
    weir_bytes bytes;
    int64_t expires_ns;    /* its call's deadline; FOREVER: none */
    weir_error failed;     /* an item is to say this, and has no handle yet */
    uint64_t taken, given; /* items: with a handle; out */
    uint64_t charged;      /* bytes of those between */
    weir_result **ring;    /* by index; NULL: in any order, */
    weir_result *first, **last;
};

/* --------------------------------------------------------------- results ----
 */

void imap_ended(weir_result *result)
{
    weir_imap *imap = result->imap;

    imap->charged += result->size;
    imap->charged -= result->charge;
    result->charge = result->size;
    if (imap->ring != NULL)
        return;
    result->after = NULL;
    *imap->last = result;
    imap->last = &result->after;
}

bool imap_is_canceled(const weir_imap *imap)
{
    return imap->canceled;
}

/* The next one to be given, which has ended; or NULL. */
static weir_result *take_ended(weir_imap *imap)
{
    weir_result **place, *result;

    if (imap->ring == NULL) {
        result = imap->first;
        if (result == NULL)
            return NULL;
        imap->first = result->after;
        if (imap->first == NULL)
            imap->last = &imap->first;
        return result;
    }
    place = &imap->ring[imap->given % imap->window];
    result = *place;
    if (result == NULL || !result->ended)
        return NULL;
    *place = NULL;
    return result;
}

/* What its callback has freed is left out: that counts as given. */
static bool give(weir_imap *imap, weir_result **result_out, uint64_t *index_out)
{
    weir_result *result;

    while ((result = take_ended(imap)) != NULL) {
        imap->given++;
        imap->charged -= result->charge;
        result->imap = NULL;
        if (!result->unwanted)
            break;
        result_abandon(result);
    }
    if (result == NULL)
        return false;
    if (index_out != NULL)
        *index_out = result->index;
    *result_out = result;
    return true;
}

static void drop_ended(weir_imap *imap)
{
    weir_result *result;

    for (uint32_t i = 0; imap->ring != NULL && i < imap->window; i++) {
        result = imap->ring[i];
        imap->ring[i] = NULL;
        if (result == NULL || !result->ended)
            continue;
        result->imap = NULL;
        result_abandon(result);
    }
    while (imap->ring == NULL && (result = take_ended(imap)) != NULL) {
        result->imap = NULL;
        result_abandon(result);
    }
}

/* Nobody will ask for its results any more. Gives the lock back meanwhile. */
static void let_go(weir_imap *imap)
{
    weir_pool *pool = imap->pool;

    imap->canceled = true;
    pthread_cond_broadcast(&pool->turn); /* who waits for room for it */
    if (imap->taken == imap->given)
        return;
    pool_cancel_imap(pool, imap);
    for (uint32_t i = 0; i < pool->window; i++) {
        weir_result *result = pool->places[i].result;

        if (result == NULL || result->imap != imap)
            continue;
        result->imap = NULL;
        result_abandon(result);
    }
    drop_ended(imap);
}

/* ---------------------------------------------------------------- inputs ----
 */

/* One more item has its handle. */
static void took(weir_imap *imap, weir_result *result)
{
    if (imap->ring != NULL)
        imap->ring[imap->taken % imap->window] = result;
    imap->taken++;
}

static void no_input(weir_imap *imap, int code, weir_error *err)
{
    imap->exhausted = true;
    if (code == 0)
        return;
    err->text[sizeof err->text - 1] = '\0';
    if (err->text[0] == '\0')
        error_sys(err, code, "the input function returned %d", code);
    imap->failed = *err;
    imap->failed.code = code;
}

/* Asks for an input. 0, or WEIR_EEMPTY: none now. */
static int pull(weir_imap *imap)
{
    weir_pool *pool = imap->pool;
    weir_error err = { 0 };
    weir_bytes bytes = { NULL, 0 };
    int code;

    pthread_mutex_unlock(&pool->lock);
    code = imap->input(imap->arg, &bytes, &err);
    pthread_mutex_lock(&pool->lock);
    if (code == WEIR_EEMPTY)
        return code;
    if (code > 0 && bytes.data == NULL && bytes.size > 0)
        code = error_set(&err, WEIR_EINVAL,
                         "the input function gave a size without bytes");
    if (code > 0) {
        imap->bytes = bytes;
        imap->held = true;
        imap->expires_ns = imap->each.deadline_ns > 0
                               ? clock_deadline(imap->each.deadline_ns)
                               : FOREVER;
    } else {
        no_input(imap, code, &err);
    }
    return 0;
}

static int put_failed(weir_imap *imap)
{
    struct submission sub = imap->sub;
    weir_result *result;

    sub.index = imap->taken;
    if (!imap->held)
        sub.options = NULL; /* it is no call */
    result = failed_result(&sub, imap->failed.code, imap->failed.text);
    if (result == NULL)
        return WEIR_ENOMEM;
    imap->failed.code = 0;
    imap->held = false;
    took(imap, result);
    pool_poke(imap->pool);
    return 0;
}

/* In turn. After the flush another thread may have given the result. */
static int put_in_turn(weir_imap *imap, struct submission *sub)
{
    weir_result *result = NULL;
    size_t size = imap->bytes.size;
    int code;

    sub->alone = true;
    code = put_call(sub, imap->bytes.data, size, &result);
    if (code != 0)
        return code;
    if (!result->ended) {
        result->charge = size;
        imap->charged += size;
    }
    imap->held = false;
    took(imap, result);
    flush_locked(sub); /* damaged: the call ends by that, with the pool */
    return 0;
}

/* Makes the call of the input that is held. WEIR_EFULL, WEIR_ETIMEDOUT: it is
 * held still. What hinders this one alone is its result; what hinders all is
 * the last one's. */
static int put_held(weir_imap *imap, int64_t deadline_ns)
{
    weir_pool *pool = imap->pool;
    struct submission sub = imap->sub;
    weir_error err = { 0 };
    int code;

    sub.deadline_ns = deadline_ns;
    sub.index = imap->taken;
    sub.terms.deadline_ns = imap->expires_ns; /* however often it tries */
    code = take_turn(&sub);
    if (code == 0) {
        code = put_in_turn(imap, &sub);
        give_turn(pool);
    }
    if (code == 0 || code == WEIR_EFULL || code == WEIR_ETIMEDOUT ||
        imap->canceled)
        return code;
    explain(pool, code, imap->bytes.size, &err);
    imap->exhausted |= code != WEIR_ETOOBIG && code != WEIR_ENOMEM;
    imap->failed = err;
    imap->failed.code = code;
    return put_failed(imap);
}

static bool has_room(const weir_imap *imap)
{
    if (imap->taken == imap->given)
        return true;
    return imap->taken - imap->given < imap->window &&
           imap->charged < imap->bytes_most;
}

static bool is_at_end(const weir_imap *imap)
{
    return imap->exhausted && !imap->held && imap->failed.code == 0;
}

/* Until the window is full. 0; or why not. While others are under way it waits
 * for no room: theirs comes first. */
static int fill(weir_imap *imap, int64_t deadline_ns)
{
    int code = 0;

    if (imap->pulling)
        return pthread_equal(imap->puller, pthread_self()) ? WEIR_ESTATE : 0;
    imap->pulling = true;
    imap->puller = pthread_self();
    while (code == 0 && !imap->canceled && !is_at_end(imap) && has_room(imap)) {
        if (imap->failed.code == 0 && !imap->held)
            code = pull(imap);
        if (code != 0 || imap->canceled)
            break;
        if (imap->failed.code != 0)
            code = put_failed(imap);
        else if (imap->held)
            code = put_held(imap, imap->taken == imap->given ? deadline_ns : 0);
    }
    imap->pulling = false;
    if (imap->canceled) /* meanwhile */
        let_go(imap);
    if (imap->users > 1 && (is_at_end(imap) || imap->taken == imap->given))
        pool_poke(imap->pool); /* others wait for what is not to come */
    return code;
}

/* ---------------------------------------------------------------- handles ----
 */

static void imap_free(weir_imap *imap)
{
    weir_pool *pool = imap->pool;

    free(imap->ring);
    free(imap);
    pool_unref(pool);
}

static void imap_enter(weir_imap *imap)
{
    pool_enter(imap->pool);
    imap->users++;
}

static void imap_leave(weir_imap *imap)
{
    weir_pool *pool = imap->pool;
    bool last = --imap->users == 0 && imap->freed;

    pthread_mutex_unlock(&pool->lock);
    if (last)
        imap_free(imap);
    pool_unref(pool);
}

static int imap_check(const weir_imap *imap)
{
    return imap == NULL ? WEIR_EINVAL : pool_check(imap->pool);
}

static int known_options(const weir_imap_options *options,
                         weir_imap_options *known, weir_error *err)
{
    *known = (weir_imap_options){ .size = sizeof *known };
    if (options == NULL)
        return 0;
    if (options->size < sizeof(size_t))
        return error_set(err, WEIR_EINVAL,
                         "the imap options' own size is not set");
    memcpy(known, options,
           options->size < sizeof *known ? options->size : sizeof *known);
    if (known->window > CAPACITY_MOST)
        return error_set(err, WEIR_EINVAL, "a window of %u calls; at most %d",
                         known->window, CAPACITY_MOST);
    return 0;
}

static uint32_t usual_window(const weir_pool *pool, unsigned chunk)
{
    uint32_t window = pool->workers * AHEAD_OF_WORKER;

    if (chunk > 0 && window < pool->workers * chunk * 2)
        window = pool->workers * chunk * 2;
    return window > AHEAD_LEAST ? window : AHEAD_LEAST;
}

/* NULL: no memory. */
static weir_imap *imap_new(const struct submission *sub,
                           const weir_imap_options *known,
                           const weir_call_options *each, bool ordered)
{
    weir_imap *imap = calloc(1, sizeof *imap);
    weir_pool *pool = sub->pool;

    if (imap == NULL)
        return NULL;
    imap->each = *each;
    imap->sub = *sub;
    imap->sub.imap = imap;
    if (sub->options != NULL)
        imap->sub.options = &imap->each;
    imap->last = &imap->first;
    imap->window = known->window > 0 ? known->window
                                     : usual_window(pool, each->chunk);
    imap->bytes_most = known->bytes > 0 ? known->bytes : pool->bytes;
    if (ordered)
        imap->ring = calloc(imap->window, sizeof(weir_result *));
    if (ordered && imap->ring == NULL) {
        free(imap);
        return NULL;
    }
    imap->pool = pool;
    atomic_fetch_add(&pool->refs, 1);
    return imap;
}

static int make(weir_pool *pool, bool ordered, weir_function *run,
                weir_imap_input *input, void *arg,
                const weir_imap_options *options, weir_imap **imap_out,
                weir_error *err)
{
    weir_call_options each = { .size = sizeof each };
    weir_imap_options known;
    struct submission sub;
    weir_imap *imap;
    int code = known_options(options, &known, err);

    if (code == 0)
        code = submission_init(&sub, pool, run, 0, known.each, &each, err);
    if (code != 0)
        return code;
    if (input == NULL || imap_out == NULL)
        return error_set(err, WEIR_EINVAL,
                         "no function for inputs, or no place for the imap");
    imap = imap_new(&sub, &known, &each, ordered);
    if (imap == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for an imap");
    imap->input = input;
    imap->arg = arg;
    imap_enter(imap);
    code = explain(pool, state_code(pool), 0, err);
    if (code == 0) {
        fill(imap, 0);
        *imap_out = imap;
    }
    imap->freed = code != 0;
    imap_leave(imap);
    return code;
}

int weir_pool_imap(weir_pool *pool, weir_function *run, weir_imap_input *input,
                   void *arg, const weir_imap_options *options,
                   weir_imap **imap_out, weir_error *err)
{
    return make(pool, true, run, input, arg, options, imap_out, err);
}

int weir_pool_imap_unordered(weir_pool *pool, weir_function *run,
                             weir_imap_input *input, void *arg,
                             const weir_imap_options *options,
                             weir_imap **imap_out, weir_error *err)
{
    return make(pool, false, run, input, arg, options, imap_out, err);
}

/* Under the lock: 1: given; 0: look again; or why not. */
static int next(weir_imap *imap, int64_t deadline_ns, weir_result **result_out,
                uint64_t *index_out)
{
    weir_pool *pool = imap->pool;
    uint64_t given;
    int code;

    pool_tell(pool, false);
    code = imap->canceled ? WEIR_ECANCELED : fill(imap, deadline_ns);
    if (imap->canceled)
        return WEIR_ECANCELED;
    if (code == WEIR_ESTATE)
        return code;
    if (pool_tell(pool, false) > 0) /* a callback comes before its result */
        return 0;
    given = imap->given;
    if (give(imap, result_out, index_out))
        return 1;
    if (given != imap->given)
        return 0;
    if (code == WEIR_ENOMEM)
        return code;
    if (imap->taken == imap->given && !imap->pulling) {
        if (is_at_end(imap))
            return WEIR_ECLOSED;
        /* In a call that it would wait for: there will be no room. */
        if (code == WEIR_EFULL && here_runs(pool))
            return code;
        if (code == WEIR_EFULL) /* nothing to wait for but room, now */
            return clock_left(deadline_ns) > 0 ? 0 : WEIR_ETIMEDOUT;
        if (code != 0)
            return code;
    }
    code = pool_pump(pool, deadline_ns);
    if (code == 0 || imap->canceled)
        return 0;
    return give(imap, result_out, index_out) ? 1 : code;
}

int weir_imap_next(weir_imap *imap, int64_t timeout_ns,
                   weir_result **result_out, uint64_t *index_out)
{
    int code = imap_check(imap);
    int64_t deadline;

    if (code != 0)
        return code;
    if (timeout_ns < 0 || result_out == NULL)
        return WEIR_EINVAL;
    deadline = timeout_ns == 0 ? 0 : clock_deadline(timeout_ns);
    imap_enter(imap);
    do {
        code = next(imap, deadline, result_out, index_out);
    } while (code == 0);
    imap_leave(imap);
    return code == 1 ? 0 : code;
}

int weir_imap_cancel(weir_imap *imap)
{
    int code = imap_check(imap);

    if (code != 0)
        return code;
    imap_enter(imap);
    let_go(imap);
    pool_poke(imap->pool);
    imap_leave(imap);
    return 0;
}

void weir_imap_free(weir_imap **imap)
{
    weir_imap *i;

    if (imap == NULL || *imap == NULL)
        return;
    i = *imap;
    *imap = NULL;
    if (imap_check(i) != 0) {
        drop_ended(i);
        imap_free(i);
        return;
    }
    imap_enter(i);
    let_go(i);
    pool_poke(i->pool);
    i->freed = true;
    imap_leave(i);
}
