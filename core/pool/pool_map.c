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

/* Under the lock: each of those from @at on gets a handle that says why it
 * could not be made. */
static int fail_rest(struct submission *sub, int hindered,
                     weir_result **results, size_t *at, size_t end)
{
    weir_error err = { 0 };

    explain(sub->pool, hindered, 0, &err);
    for (; *at < end; ++*at) {
        results[*at] = failed_result(sub, hindered, err.text);
        if (results[*at] == NULL)
            return WEIR_ENOMEM;
    }
    return 0;
}

/* Under the lock: makes all calls, or gives each a handle that says why it
 * could not be made. */
static int put_all(struct submission *sub, const weir_bytes *inputs,
                   size_t count, weir_result **results, size_t *made)
{
    int code = state_code(sub->pool), hindered = 0;

    if (code != 0)
        return code;
    while (hindered == 0 && *made < count)
        hindered = map_some(sub, inputs, count, made, results);
    return fail_rest(sub, hindered, results, made, count);
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
        if (results[i] != NULL)
            result_abandon(results[i]);
}

/* ----------------------------------------------------- a map that waits ----
 */

/* Under the lock: one pack of so many. WEIR_ENOMEM: there is none. */
static int map_pack(struct submission *sub, struct mapping *map, size_t first,
                    size_t count, size_t answers)
{
    struct submission one = *sub;
    struct pack *pack = calloc(1, sizeof *pack);
    weir_result *carrier; /* may be gone when it is here */
    int code = take_turn(sub);

    if (map->room == NULL)
        map->room = malloc(PACK_BYTES);
    if (code == 0 && pack != NULL && map->room != NULL) {
        *pack = (struct pack){ .next = map->packs,
                               .map = map,
                               .first = first,
                               .count = (uint32_t)count };
        map->packs = pack;
        one.pack = pack;
        one.unheld = true;
        pthread_mutex_unlock(&sub->pool->lock);
        count = pack_write(map->inputs + first, count, answers, map->room);
        pthread_mutex_lock(&sub->pool->lock);
        code = put_call(&one, map->room, count, &carrier);
        if (code != 0)
            pack_unlink(pack);
        flush_locked(&one); /* damaged: it ends by that, with the pool */
        give_turn(sub->pool);
        sub->waited |= one.waited;
    } else if (code == 0) {
        code = WEIR_ENOMEM;
        give_turn(sub->pool);
    }
    if (code != 0)
        free(pack);
    return code;
}

/* What is not known yet is learned from the first that come back. */
static void learn(struct submission *sub)
{
    weir_pool *pool = sub->pool;

    if (pool->here == NULL && pool->rates[sub->function].took_ns == 0 &&
        queue_ready_hint(pool->segment, POOL_RESULTS) > 0)
        pool_pump(pool, 0);
}

static int put_some(struct submission *sub, struct mapping *map, size_t *at,
                    size_t end)
{
    size_t answers, count;
    int code;

    learn(sub);
    count = pack_fit(sub, map->inputs + *at, end - *at, &answers);
    if (count > 1) {
        code = map_pack(sub, map, *at, count, answers);
        *at += code == 0 ? count : 0;
        if (code != WEIR_ENOMEM)
            return code;
    }
    return map_some(sub, map->inputs, end, at, map->results);
}

/* Under the lock: makes these calls, or gives each a handle that says why it
 * could not be made. */
static int put_range(struct submission *sub, struct mapping *map, size_t at,
                     size_t end)
{
    int hindered = 0;

    while (hindered == 0 && at < end)
        hindered = put_some(sub, map, &at, end);
    return fail_rest(sub, hindered, map->results, &at, end);
}

/* What a pack did not come to. */
static int put_again(struct submission *sub, struct mapping *map)
{
    struct pack *pack = map->again;
    int code;

    map->again = pack->next;
    sub->again = true;
    code = put_range(sub, map, pack->first + pack->given,
                     pack->first + pack->count);
    sub->again = false;
    free(pack);
    return code;
}

/* Those that have not ended are left alone: their handles end here, for the
 * caller. */
static int give_up(struct submission *sub, struct mapping *map, size_t at)
{
    pack_let_go(map);
    for (; at < map->count; at++) {
        weir_result *result = map->results[at];

        if (result != NULL && result->ended)
            continue;
        map->results[at] = failed_result(sub, WEIR_ETIMEDOUT,
                                         "the call has not ended in time");
        if (map->results[at] == NULL) {
            map->results[at] = result;
            return WEIR_ENOMEM;
        }
        if (result != NULL)
            result_abandon(result);
    }
    return 0;
}

/* Under the lock. */
static int await_all(struct submission *sub, struct mapping *map)
{
    weir_pool *pool = sub->pool;
    int code = 0;

    for (size_t i = 0; i < map->count && code == 0;) {
        pool_tell(pool, false);
        if (map->results[i] != NULL && map->results[i]->ended)
            i++;
        else if (map->code != 0)
            return map->code;
        else if (map->again != NULL)
            code = put_again(sub, map);
        else if (pool_pump(pool, sub->deadline_ns) != 0 && map->again == NULL &&
                 (map->results[i] == NULL || !map->results[i]->ended))
            return give_up(sub, map, i);
    }
    return code;
}

/* Under the lock. */
static int run_map(struct submission *sub, struct mapping *map, weir_error *err)
{
    weir_pool *pool = sub->pool;
    int code = state_code(pool);

    pool->maps++;
    if (code == 0)
        code = put_range(sub, map, 0, map->count);
    if (code == 0)
        code = await_all(sub, map);
    pack_let_go(map);
    if (code != 0) {
        explain(pool, code, 0, err);
        abandon_all(map->results, map->count);
    }
    pool->maps--;
    pool_close_owed(pool);
    return code;
}

int weir_pool_map(weir_pool *pool, weir_function *run, const weir_bytes *inputs,
                  size_t count, unsigned chunk, int64_t timeout_ns,
                  weir_result **results, weir_error *err)
{
    const weir_call_options options = { .size = sizeof options,
                                        .chunk = chunk };
    struct mapping map = { .inputs = inputs, .count = count };
    weir_call_options known;
    struct submission sub;
    int code = submission_init(&sub, pool, run, timeout_ns, &options, &known,
                               err);

    if (code == 0)
        code = check_inputs(inputs, count, results, err);
    if (code != 0)
        return code;
    map.results = calloc(count + 1, sizeof *map.results);
    if (map.results == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for %zu results", count);
    pool_enter(pool);
    code = run_map(&sub, &map, err);
    pool_leave(pool);
    if (code == 0) {
        code = count_failed(map.results, count, err);
        if (count > 0)
            memcpy(results, map.results, count * sizeof *map.results);
    }
    free(map.results);
    free(map.room);
    return code;
}

/* -------------------------------------------------- one that goes on ---- */

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
