/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_packed.c - runs in a worker of a pool: the calls of a pack. See
 * pool_pack.h. */
#include "config.h"

#include <string.h>

#include "pool/pool_pack.h"
#include "pool/pool_worker.h"

/* As it stands in the payload; its bounds are this process's own. */
struct pack {
    char *data;
    size_t size;
    const struct item *item; /* as it was leased */
    struct pack_head *head;
    struct pack_entry *entries;
    uint32_t count, done;
    size_t at; /* of the next answer */
    weir_function *function;
    bool over;
};

static bool open_pack(const struct item *item, struct worker *worker,
                      struct pack *pack)
{
    uint64_t progress;

    *pack = (struct pack){ .data = (char *)item->data, .size = item->size };
    pack->head = (struct pack_head *)pack->data;
    pack->entries = (struct pack_entry *)(pack->head + 1);
    if (item->size < sizeof *pack->head)
        return false;
    progress = atomic_load_explicit(&pack->head->progress,
                                    memory_order_acquire);
    pack->count = pack->head->count;
    pack->done = pack_done(progress);
    worker->base = pack_charged(progress);
    pack->at = pack->head->answers_at;
    if (pack->count > PACK_MOST || pack->done > pack->count ||
        worker->base > item->attempt ||
        sizeof *pack->head + pack->count * sizeof *pack->entries > item->size)
        return false;
    if (pack->done > 0) {
        const struct pack_entry *last = &pack->entries[pack->done - 1];

        pack->at = last->answer_at + pack_room(last->answer_size);
    }
    return pack->at <= pack->size;
}

/* The next call's argument as the item in hand. */
static bool take_argument(const struct pack *pack, struct item *item)
{
    const struct pack_entry *entry = &pack->entries[pack->done];
    uint32_t at = entry->at, size = entry->size;

    if (at > pack->size || size > pack->size - at)
        return false;
    item->data = pack->data + at;
    item->size = size;
    item->ticket = pack->done; /* for weir_id */
    return true;
}

/* The answer is whole, then it counts, with all attempts so far. False: there
 * is no room for it. */
static bool answer(struct pack *pack, unsigned charged, int code,
                   const void *data, size_t size)
{
    struct pack_entry *entry = &pack->entries[pack->done];

    if (size > PACK_LONG || pack_room(size) > pack->size - pack->at)
        return false;
    entry->answer_at = (uint32_t)pack->at;
    entry->answer_size = (uint32_t)size;
    entry->code = code;
    if (size > 0)
        memcpy(pack->data + pack->at, data, size);
    pack->data[pack->at + size] = '\0';
    pack->at += pack_room(size);
    pack->done++;
    atomic_store_explicit(&pack->head->progress,
                          pack_progress(pack->done, charged),
                          memory_order_release);
    WEIR_POINT("pool.pack.answered");
    return true;
}

/* ---------------------------------------------------------------- replies ----
 */

/* The payload itself, with the answers that are in it. */
static int stage_pack(struct worker *worker, const struct pack *pack,
                      enum reply_kind kind)
{
    int code = worker_stage_pass(worker, pack->item,
                                 worker_path(worker, pack->item, kind));

    worker->dirty |= code == 0; /* a wait for room has made all else true */
    return code;
}

/* The call in hand has an answer that goes by itself: behind those that are in
 * the pack, which are told first. */
static int reply_apart(struct worker *worker, struct pack *pack,
                       struct item *item, int code)
{
    int result = 0;

    pack->over = true;
    if (pack->done > 0)
        result = stage_pack(worker, pack, REPLY_SOME);
    if (result == 0 && code >= 0)
        result = worker_reply_result(worker, item);
    else if (result == 0)
        result = worker_reply_failure(worker, item, code, worker->text);
    return result;
}

/* Ends the pack with what it has. No call is in hand: should this one die
 * before the commit, none is charged. */
static int reply_pack(struct worker *worker, const struct pack *pack,
                      const struct item *item)
{
    int code = stage_pack(worker, pack, REPLY_PACK);

    WEIR_POINT("pool.pack.replied");
    return code == 0 ? turn_done(worker->member, item) : code;
}

/* ------------------------------------------------------------------ calls ----
 */

static int answer_call(struct worker *worker, struct pack *pack,
                       struct item *item, int code)
{
    const struct reply *reply = &worker->reply;
    const void *data = NULL;
    size_t size = 0;

    if (code < 0) {
        data = worker->text;
        size = strlen(worker->text);
    } else if (reply->state == REPLY_GIVEN) {
        data = reply->own != NULL ? reply->own : reply->small;
        size = reply->size;
    }
    if (answer(pack, item->attempt + 1, code < 0 ? code : 0, data, size)) {
        worker->base = ++item->attempt; /* the next call has none yet */
        code = 0;
    } else {
        code = reply_apart(worker, pack, item, code);
    }
    worker_forget(&worker->reply);
    return code;
}

static int run_call(struct worker *worker, struct pack *pack, struct item *item,
                    const struct call_terms *terms)
{
    int code = take_argument(pack, item) ? turn_take_up(worker->member, item)
                                         : WEIR_EBROKEN;

    WEIR_POINT("pool.call.taken");
    if (code != 0)
        return code;
    worker->text[0] = '\0';
    if (pack->function == NULL)
        code = worker_find(worker, item, &pack->function);
    if (code == 0)
        code = worker_attempts(worker, item, pack->function, terms);
    if (code < 0)
        worker_drop(worker);
    return answer_call(worker, pack, item, code);
}

/* Its last attempt ended a worker: that is its answer, and the pack's end. */
static int lost_call(struct worker *worker, struct pack *pack,
                     struct item *item)
{
    int code = worker_lost(worker, item);

    return answer(pack, item->attempt, code, worker->text, strlen(worker->text))
               ? 0
               : reply_apart(worker, pack, item, code);
}

/* One call of many may take longer than all of them should. Seen by a clock
 * that costs nothing, and then looked at closely. */
static bool takes_long(int64_t begun_ns, int64_t *coarse_ns)
{
    int64_t coarse = clock_coarse();

    if (coarse == *coarse_ns)
        return false;
    *coarse_ns = coarse;
    return clock_now() - begun_ns > 2 * TURN_NS;
}

static int run_calls(struct worker *worker, struct pack *pack,
                     struct item *item, const struct call_terms *terms)
{
    const int64_t begun = clock_now();
    int64_t coarse = clock_coarse();
    uint32_t first = pack->done;
    int code = 0;

    while (code == 0 && !pack->over && pack->done < pack->count) {
        code = run_call(worker, pack, item, terms);
        if (takes_long(begun, &coarse) || item->attempt > PACK_TRIES)
            break;
    }
    worker->calls = pack->done - first + pack->over;
    return code;
}

int worker_serve_pack(struct worker *worker, struct item *item)
{
    const struct call_terms terms = worker_terms(worker, item);
    const struct item whole = *item;
    struct pack pack;
    int code;

    worker->text[0] = '\0';
    if (!open_pack(item, worker, &pack)) {
        worker->base = 0;
        return worker_reply_failure(worker, item, WEIR_EBROKEN,
                                    "the call was overwritten in the worker");
    }
    pack.item = &whole;
    member_set_limit(worker->member, terms.limit_ns);
    atomic_store(&worker->hand, item->root);
    worker->item = item;
    worker->packed = true;
    if (item->attempt - worker->base > terms.retries) {
        code = lost_call(worker, &pack, item);
    } else {
        if (item->attempt > worker->base)
            board_wipe_trace(&worker->board, item->root);
        code = run_calls(worker, &pack, item, &terms);
    }
    worker->packed = false;
    worker->scope = &worker->own;
    atomic_store(&worker->hand, 0);
    worker->item = NULL;
    worker->base = 0;
    item->data = whole.data;
    item->size = whole.size;
    if (code == 0 && !pack.over)
        code = reply_pack(worker, &pack, item);
    return code == 0 ? worker_commit(worker) : code;
}
