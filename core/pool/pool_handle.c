/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_handle.c - runs in the program: what is asked of a result's handle. */
#include "config.h"

#include <stdlib.h>

#include "pool/pool_host.h"

int result_check(const weir_result *result)
{
    return result == NULL ? WEIR_EINVAL : pool_check(result->pool);
}

int result_await(weir_result *result, int64_t deadline_ns)
{
    weir_pool *pool = result->pool;

    for (;;) {
        int code;

        pool_tell(pool, false);
        if (result->ended)
            return 0;
        code = pool_pump(pool, deadline_ns);
        if (code != 0 && !result->ended)
            return code;
    }
}

int result_error(const weir_result *result, weir_error *err)
{
    if (result->code == 0)
        return 0;
    return error_set(err, result->code, "%s",
                     result->data != NULL ? (const char *)result->data
                                          : weir_strerror(result->code));
}

int weir_result_ready(weir_result *result)
{
    int code = result_check(result);
    weir_pool *pool;
    bool ended;

    if (code != 0)
        return code;
    pool = result->pool;
    pool_enter(pool);
    if (!result->ended)
        pool_pump(result->pool, 0);
    ended = result->ended;
    pool_leave(pool);
    return ended;
}

int weir_result_wait(weir_result *result, int64_t timeout_ns)
{
    int code = result_check(result);
    weir_pool *pool;

    if (code != 0)
        return code;
    if (timeout_ns < 0)
        return WEIR_EINVAL;
    pool = result->pool;
    pool_enter(pool);
    code = result_await(result,
                        timeout_ns == 0 ? 0 : clock_deadline(timeout_ns));
    pool_leave(pool);
    return code;
}

int weir_result_successful(weir_result *result)
{
    int code = result_check(result);
    weir_pool *pool;

    if (code != 0)
        return code;
    pool = result->pool;
    pool_enter(pool);
    code = !result->ended ? WEIR_ESTATE : result->code == 0;
    pool_leave(pool);
    return code;
}

int weir_result_get(weir_result *result, int64_t timeout_ns,
                    weir_bytes *bytes_out, weir_error *err)
{
    int code = weir_result_wait(result, timeout_ns);

    if (code == WEIR_ETIMEDOUT)
        return error_set(err, code, "the call has not ended in time");
    if (code != 0)
        return error_sys(err, code, "cannot read a result");
    /* What has ended does not change any more. */
    code = result_error(result, err);
    if (code == 0 && bytes_out != NULL)
        *bytes_out = (weir_bytes){ result->data, result->size };
    return code;
}

void weir_result_free(weir_result **result)
{
    weir_result *r;
    weir_pool *pool;

    if (result == NULL || *result == NULL)
        return;
    r = *result;
    pool = r->pool;
    *result = NULL;
    if (pool->process != fork_self() ||
        (r->plain && atomic_load_explicit(&r->ended, memory_order_acquire))) {
        result_free(r);
        return;
    }
    pool_enter(pool);
    if (r->imap != NULL) /* in its callback: the imap still has it */
        r->unwanted = true;
    else
        result_abandon(r);
    pool_leave(pool);
}

/* ---------------------------------------------------------- many at once ----
 */

/* The first that has ended, or that has not. NULL ones are left out. */
static bool find(weir_result *const *results, size_t count, bool ended,
                 size_t *index_out)
{
    for (size_t i = 0; i < count; i++) {
        if (results[i] == NULL || results[i]->ended != ended)
            continue;
        if (index_out != NULL)
            *index_out = i;
        return true;
    }
    return false;
}

static int check_many(weir_result *const *results, size_t count,
                      int64_t timeout_ns, weir_pool **pool_out)
{
    weir_pool *pool = NULL;

    if (timeout_ns < 0 || (results == NULL && count > 0))
        return WEIR_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (results[i] == NULL)
            continue;
        if (pool != NULL && results[i]->pool != pool)
            return WEIR_EINVAL;
        pool = results[i]->pool;
    }
    *pool_out = pool;
    return pool == NULL ? 0 : pool_check(pool);
}

static int wait_many(weir_result *const *results, size_t count,
                     int64_t timeout_ns, bool any, size_t *index_out)
{
    weir_pool *pool;
    int code = check_many(results, count, timeout_ns, &pool);
    int64_t deadline;

    if (code != 0 || pool == NULL)
        return code != 0 ? code : any ? WEIR_EEMPTY : 0;
    deadline = timeout_ns == 0 ? 0 : clock_deadline(timeout_ns);
    pool_enter(pool);
    for (;;) {
        pool_tell(pool, false);
        if (find(results, count, any, index_out) == any)
            break;
        code = pool_pump(pool, deadline);
        if (code != 0 && find(results, count, any, index_out) != any)
            break;
        code = 0;
    }
    pool_leave(pool);
    return code;
}

int weir_result_wait_any(weir_result *const *results, size_t count,
                         int64_t timeout_ns, size_t *index_out)
{
    return wait_many(results, count, timeout_ns, true, index_out);
}

int weir_result_wait_all(weir_result *const *results, size_t count,
                         int64_t timeout_ns, size_t *index_out)
{
    return wait_many(results, count, timeout_ns, false, index_out);
}
