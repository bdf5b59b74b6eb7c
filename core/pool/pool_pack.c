/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_pack.c - runs in the program: the packs of a map (pool_pack.h), and the
 * handles that come of them.
 *
 * A pack has one place among the calls, and a handle of its own that nobody
 * sees: the carrier. What its calls have said becomes handles of the map, all
 * of one pack's in one piece of memory. What the pack did not come to goes into
 * a list of the map, which makes those calls again. A map that waits no longer
 * lets go of its packs: what comes of them is dropped.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "pool/pool_host.h"

struct batch {
    weir_pool *pool;
    atomic_uint left; /* handles that are not freed */
    weir_result at[];
};

/* ------------------------------------------------------------ how many ---- */

void rate_note(weir_pool *pool, uint64_t ticket, uint64_t path, size_t size)
{
    uint32_t at = (uint32_t)ticket;
    struct rate *rate;

    if (at >= pool->window)
        return;
    rate = &pool->rates[pool->places[at].function];
    if (size > UINT32_MAX)
        size = UINT32_MAX;
    rate->took_ns = reply_took(path);
    if (size > rate->answer)
        rate->answer = (uint32_t)size;
    else
        rate->answer -= (rate->answer - (uint32_t)size) / 8;
}

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* As many as fit one turn of a worker, and leave something for the others. */
static size_t by_time(const struct submission *sub, size_t left)
{
    const weir_pool *pool = sub->pool;
    uint32_t took_ns = pool->rates[sub->function].took_ns;
    size_t workers = atomic_load(&pool->workers), most;

    if (took_ns == 0 || pool->here != NULL || pool->recycles || sub->chunk > 0)
        return 1;
    most = lesser((size_t)(TURN_NS / took_ns), PACK_MOST);
    most = lesser(most, pool->window / 8);
    return lesser(most, (left + 2 * workers - 1) / (2 * workers));
}

size_t pack_fit(const struct submission *sub, const weir_bytes *inputs,
                size_t left, size_t *answers_out)
{
    const weir_pool *pool = sub->pool;
    uint64_t answer = pack_room(pool->rates[sub->function].answer);
    uint64_t each = sizeof(struct pack_entry) + answer;
    uint64_t bytes = sizeof(struct pack_head) + PACK_ALIGN +
                     pack_room(PACK_LONG);
    uint64_t room = pool->bytes / 8 < PACK_BYTES ? pool->bytes / 8 : PACK_BYTES;
    size_t most = by_time(sub, left), count = 0;

    if (most < PACK_LEAST || each > PACK_LONG)
        return 1;
    while (count < most && inputs[count].size <= PACK_LONG) {
        bytes += each + pack_room(inputs[count].size);
        if (bytes > room)
            break;
        count++;
    }
    /* One may be longer than those before it. */
    *answers_out = count * answer + pack_room(PACK_LONG);
    return count < PACK_LEAST ? 1 : count;
}

/* ------------------------------------------------------------- writing ---- */

size_t pack_write(const weir_bytes *inputs, size_t count, size_t answers,
                  char *to)
{
    struct pack_head *head = (struct pack_head *)to;
    struct pack_entry *entries = (struct pack_entry *)(head + 1);
    size_t at = sizeof *head + count * sizeof *entries;

    at = (at + PACK_ALIGN - 1) / PACK_ALIGN * PACK_ALIGN;
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct pack_entry){ .at = (uint32_t)at,
                                          .size = (uint32_t)inputs[i].size };
        if (inputs[i].size > 0)
            memcpy(to + at, inputs[i].data, inputs[i].size);
        at += pack_room(inputs[i].size);
    }
    *head = (struct pack_head){ .count = (uint32_t)count,
                                .answers_at = (uint32_t)at };
    return at + answers;
}

/* ------------------------------------------------------------- handles ---- */

void batch_left(struct batch *batch)
{
    if (atomic_fetch_sub(&batch->left, 1) != 1)
        return;
    pool_unref(batch->pool);
    free(batch);
}

/* The bytes behind so many handles, where an argument might stand as well. */
static char *behind(struct batch *batch, size_t count)
{
    char *data = (char *)&batch->at[count];

    return data + -(uintptr_t)data % PACK_ALIGN;
}

/* So many, all of which have ended; and bytes behind them. */
static struct batch *new_batch(weir_pool *pool, size_t count, size_t bytes)
{
    struct batch *batch;
    const size_t handles = sizeof *batch + count * sizeof *batch->at;

    batch = calloc(1, handles + PACK_ALIGN + bytes);
    if (batch == NULL)
        return NULL;
    batch->pool = pool;
    atomic_fetch_add(&pool->refs, 1);
    atomic_init(&batch->left, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        weir_result *result = &batch->at[i];

        result->pool = pool;
        result->batch = batch;
        result->plain = true;
        result->deadline_ns = FOREVER;
        atomic_init(&result->ended, true);
    }
    return batch;
}

static void drop_batch(struct batch *batch)
{
    if (batch == NULL)
        return;
    pool_unref(batch->pool);
    free(batch);
}

/* The answers from @from on, as handles; WEIR_EBROKEN: they are nonsense. What
 * they are is read once: meanwhile a worker may write wild. */
static int read_answers(weir_pool *pool, const struct item *item, uint32_t from,
                        uint32_t to, struct batch **batch_out)
{
    const struct pack_head *head = item->data;
    struct pack_entry entries[PACK_MOST];
    const uint32_t count = to - from;
    struct batch *batch;
    size_t bytes = 0;
    char *data;

    memcpy(entries, (const struct pack_entry *)(head + 1) + from,
           count * sizeof *entries);
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i].answer_at > item->size ||
            entries[i].answer_size > PACK_LONG ||
            entries[i].answer_size > item->size - entries[i].answer_at)
            return WEIR_EBROKEN;
        bytes += pack_room(entries[i].answer_size);
    }
    batch = new_batch(pool, count, bytes);
    if (batch == NULL)
        return WEIR_ENOMEM;
    data = behind(batch, count);
    for (uint32_t i = 0; i < count; i++) {
        weir_result *result = &batch->at[i];
        size_t size = entries[i].answer_size;

        memcpy(data, (const char *)item->data + entries[i].answer_at, size);
        result->code = entries[i].code;
        result->data = data;
        result->size = result->code == 0 ? size : 0;
        data += pack_room(size);
    }
    *batch_out = batch;
    return 0;
}

/* Under the lock: the next handles of its map. */
static void give(struct pack *pack, struct batch *batch, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pack->map->results[pack->first + pack->given + i] = &batch->at[i];
}

/* ---------------------------------------------------------------- ends ---- */

void pack_unlink(struct pack *pack)
{
    struct pack **at = &pack->map->packs;

    while (*at != pack)
        at = &(*at)->next;
    *at = pack->next;
}

/* Under the lock: one more has its answer (there is one, unless a worker wrote
 * wild), or all the rest. */
static void give_same(struct pack *pack, const weir_result *carrier)
{
    const uint32_t to = pack->apart && pack->given < pack->count
                            ? pack->given + 1
                            : pack->count;
    const size_t size = carrier->code == 0 ? carrier->size : 0;
    const size_t bytes = size > 0 || carrier->data == NULL
                             ? size
                             : strlen(carrier->data);

    for (; pack->given < to; pack->given++) {
        struct batch *batch = new_batch(carrier->pool, 1, bytes + 1);
        weir_result *result;

        if (batch == NULL) {
            pack->map->code = WEIR_ENOMEM;
            continue;
        }
        result = &batch->at[0];
        result->code = carrier->code;
        result->data = behind(batch, 1);
        result->size = size;
        if (bytes > 0)
            memcpy(result->data, carrier->data, bytes);
        if (carrier->code == WEIR_ELOST)
            result->trace = board_read_trace(&carrier->pool->board,
                                             carrier->ticket);
        give(pack, batch, 1);
    }
}

void pack_ended(weir_result *carrier)
{
    struct pack *pack = carrier->pack;
    struct mapping *map = pack->map;

    carrier->pack = NULL;
    carrier->pool->packed -= pack->count - 1;
    if (map == NULL) {
        free(pack);
        return;
    }
    pack_unlink(pack);
    if (!pack->over)
        give_same(pack, carrier);
    if (pack->given == pack->count) {
        free(pack);
        return;
    }
    pack->next = map->again;
    map->again = pack;
}

void pack_let_go(struct mapping *map)
{
    struct pack *pack;

    for (pack = map->packs; pack != NULL; pack = pack->next)
        pack->map = NULL;
    map->packs = NULL;
    while ((pack = map->again) != NULL) {
        map->again = pack->next;
        free(pack);
    }
}

/* How many of its answers are there; 0: none that are new, or nonsense. */
static uint32_t answers_in(const struct item *item, uint32_t count)
{
    const struct pack_head *head = item->data;
    uint32_t done;

    if (item->size < sizeof *head + count * sizeof(struct pack_entry))
        return 0;
    done = pack_done(
        atomic_load_explicit(&head->progress, memory_order_acquire));
    return done <= count ? done : 0;
}

/* Under the lock. The pack of this item, when it is one that goes on. */
static struct pack *pack_of(const weir_pool *pool, const struct item *item)
{
    const weir_result *carrier = result_of(pool, item->root);

    return carrier != NULL ? carrier->pack : NULL;
}

static void note_answers(weir_pool *pool, const struct item *item,
                         const struct batch *batch, uint32_t count)
{
    size_t most = 0;

    for (uint32_t i = 0; i < count; i++)
        if (batch->at[i].size > most)
            most = batch->at[i].size;
    rate_note(pool, item->root, item->path, most);
}

/* In the role of the reader, without the lock. */
void pack_move(weir_pool *pool, const struct item *item)
{
    bool over = reply_kind(item->path) == REPLY_PACK;
    uint32_t given = 0, count = 0, done;
    struct batch *batch = NULL;
    struct pack *pack;
    int code = 0;

    pthread_mutex_lock(&pool->lock);
    pack = pack_of(pool, item);
    if (pack != NULL) {
        given = pack->given;
        count = pack->count;
    }
    pthread_mutex_unlock(&pool->lock);
    done = answers_in(item, count);
    if (done > given)
        code = read_answers(pool, item, given, done, &batch);
    pthread_mutex_lock(&pool->lock);
    pack = pack_of(pool, item); /* or terminated meanwhile */
    if (pack != NULL && batch != NULL) {
        weir_result *last = &batch->at[done - given - 1];

        note_answers(pool, item, batch, done - given);
        if (pack->map != NULL) {
            if (last->code == WEIR_ELOST)
                last->trace = board_read_trace(&pool->board, item->root);
            give(pack, batch, done - given);
            batch = NULL;
        }
        pack->given = done;
    } else if (pack != NULL && done > given && pack->map != NULL) {
        pack->map->code = code;
        pack->given = done;
    }
    if (pack != NULL && over) {
        pack->over = true;
        result_ended(leave_place(pool, item->root));
    }
    pthread_mutex_unlock(&pool->lock);
    drop_batch(batch);
}
