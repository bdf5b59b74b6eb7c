/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_map.c - runs in the program: one call for each of many inputs. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "pool/pool_host.h"

/* Under the lock: one turn's worth of the inputs from @at on. What hinders one
 * alone (its size) is its own failure; what hinders all is returned. */
static int map_some(struct submission *sub, const weir_bytes *inputs,
                    size_t count, size_t *at, weir_result **results)
{
    int code = take_turn(sub);

    if (code != 0)
        return code;
    for (unsigned i = 0; i < MAP_BATCH && *at < count && code == 0; i++) {
        const weir_bytes *input = &inputs[*at];
        weir_error err = { 0 };

        code = put_call(sub, input->data, input->size, &results[*at]);
        if (code == WEIR_ETOOBIG || code == WEIR_ENOMEM) {
            explain(sub->pool, code, input->size, &err);
            results[*at] = failed_result(sub, code, err.text);
            code = results[*at] == NULL ? WEIR_ENOMEM : 0;
        }
        *at += code == 0;
    }
    if (flush_locked(sub) != 0)
        code = WEIR_EBROKEN;
    give_turn(sub->pool);
    return code;
}

/* Under the lock. Those that do not end in time are left alone: their handles
 * end here, for the caller. */
static int await_all(struct submission *sub, size_t count,
                     weir_result **results)
{
    int code = 0;

    for (size_t i = 0; i < count && code == 0; i++) {
        weir_result *result = results[i];

        if (result_await(result, sub->deadline_ns) == 0)
            continue;
        results[i] = failed_result(sub, WEIR_ETIMEDOUT,
                                   "the call has not ended in time");
        if (results[i] == NULL) {
            results[i] = result;
            code = WEIR_ENOMEM;
            continue;
        }
        result_abandon(result);
    }
    return code;
}

/* Under the lock: makes all calls, or gives each a handle that says why it
 * could not be made. */
static int put_all(struct submission *sub, const weir_bytes *inputs,
                   size_t count, weir_result **results, size_t *made)
{
    weir_error err = { 0 };
    int code = state_code(sub->pool), hindered = 0;

    if (code != 0)
        return code;
    while (hindered == 0 && *made < count)
        hindered = map_some(sub, inputs, count, made, results);
    explain(sub->pool, hindered, 0, &err);
    for (; *made < count; ++*made) {
        results[*made] = failed_result(sub, hindered, err.text);
        if (results[*made] == NULL)
            return WEIR_ENOMEM;
    }
    return 0;
}

static int count_failed(weir_result **results, size_t count, weir_error *err)
{
    int failed = 0;

    for (size_t i = 0; i < count; i++)
        if (results[i]->code != 0 && failed++ == 0)
            result_error(results[i], err);
    return failed;
}

static int check_inputs(const weir_bytes *inputs, size_t count,
                        weir_result **results, weir_error *err)
{
    if (count > INT32_MAX || (count > 0 && (inputs == NULL || results == NULL)))
        return error_set(err, WEIR_EINVAL,
                         "a count without what it counts, or beyond 2^31");
    for (size_t i = 0; i < count; i++)
        if (inputs[i].data == NULL && inputs[i].size > 0)
            return error_set(err, WEIR_EINVAL,
                             "input %zu is a size without bytes", i);
    return 0;
}

/* Under the lock. */
static void abandon_all(weir_result **results, size_t count)
{
    for (size_t i = 0; i < count; i++)
        result_abandon(results[i]);
}

int weir_pool_map(weir_pool *pool, weir_function *run, const weir_bytes *inputs,
                  size_t count, unsigned chunk, int64_t timeout_ns,
                  weir_result **results, weir_error *err)
{
    const weir_call_options options = { .size = sizeof options,
                                        .chunk = chunk };
    weir_call_options known;
    struct submission sub;
    weir_result **made;
    size_t done = 0;
    int code = submission_init(&sub, pool, run, timeout_ns, &options, &known,
                               err);

    if (code == 0)
        code = check_inputs(inputs, count, results, err);
    if (code != 0)
        return code;
    made = calloc(count + 1, sizeof *made);
    if (made == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for %zu results", count);
    pool_enter(pool);
    code = put_all(&sub, inputs, count, made, &done);
    if (code == 0)
        code = await_all(&sub, count, made);
    if (code != 0) {
        explain(pool, code, 0, err);
        abandon_all(made, done);
    }
    pool_leave(pool);
    if (code == 0) {
        code = count_failed(made, count, err);
        if (count > 0)
            memcpy(results, made, count * sizeof *made);
    }
    free(made);
    return code;
}

static struct group *new_group(const weir_call_options *known, size_t count)
{
    struct group *group = calloc(1, sizeof *group);

    if (group == NULL)
        return NULL;
    group->left = count + 1; /* one is ours, until all calls are made */
    group->on_all = known->on_all;
    group->arg = known->arg;
    return group;
}

/* Nobody is told of calls that have no handle. */
static void forget_all(weir_result **results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        results[i]->group = NULL;
        results[i]->on_done = NULL;
    }
    abandon_all(results, count);
}

int weir_pool_map_async(weir_pool *pool, weir_function *run,
                        const weir_bytes *inputs, size_t count,
                        int64_t timeout_ns, const weir_call_options *options,
                        weir_result **results, weir_error *err)
{
    weir_call_options known = { .size = sizeof known };
    struct submission sub;
    struct group *group = NULL;
    weir_result **made;
    size_t done = 0;
    int code = submission_init(&sub, pool, run, timeout_ns, options, &known,
                               err);

    if (code == 0)
        code = check_inputs(inputs, count, results, err);
    if (code != 0)
        return code;
    made = calloc(count + 1, sizeof *made);
    if (known.on_all != NULL)
        group = new_group(&known, count);
    if (made == NULL || (known.on_all != NULL && group == NULL)) {
        free(made);
        free(group);
        return error_set(err, WEIR_ENOMEM, "no memory for %zu results", count);
    }
    sub.group = group;
    pool_enter(pool);
    code = put_all(&sub, inputs, count, made, &done);
    if (code == 0) {
        if (count > 0)
            memcpy(results, made, count * sizeof *made);
        if (group != NULL)
            group_left(pool, group, false);
    } else {
        forget_all(made, done);
        free(group);
        explain(pool, code, 0, err);
    }
    if (sub.waited)
        pool_tell(pool, false);
    pool_leave(pool);
    free(made);
    return code;
}
