/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * segment.c - laying out a segment, and mapping another process's.
 *
 *     head | members | their references and renames | queues | sinks | store
 *
 * Created by the owner, attached by workers. A process copies all sizes into
 * memory of its own when it attaches, and checks them: what stands in shared
 * memory afterwards is never used as a bound.
 */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "queue/internal.h"

enum { PAGE = 4096 };

static uint64_t up(uint64_t value, uint64_t step)
{
    return (value + step - 1) / step * step;
}

/* Hands out @size bytes of the segment, aligned to cache lines, by pairs: so
 * that neither a slot nor the head of a queue begins in the middle of one. */
static uint64_t take(uint64_t *at, uint64_t size)
{
    uint64_t here = up(*at, LINE_PAIR);

    *at = here + size;
    return here;
}

static uint32_t ring_size(uint32_t capacity)
{
    uint32_t size = 1;

    while (size < capacity)
        size *= 2;
    return size;
}

/* ------------------------------------------------------------- layout ---- */

static void plan_members(struct segment_head *head, uint64_t *at)
{
    head->member_words = (head->member_count + 63) / 64;
    head->members_at = take(at,
                            head->member_count * sizeof(struct member_head));
}

static unsigned kept_of(const struct segment_plan *plan, unsigned queue)
{
    unsigned kept = KEPT_NOT;

    for (unsigned i = 0; i < plan->order_count; i++) {
        if (plan->orders[i].from == queue)
            kept |= KEPT_FROM;
        if (plan->orders[i].to == queue)
            kept |= KEPT_TO;
    }
    if (plan->queues[queue].key != NULL)
        kept |= KEPT_KEY;
    return kept;
}

static void plan_order(uint64_t *at, uint64_t capacity, struct queue_head *out)
{
    out->order_at = take(at, capacity * sizeof(struct slot_order));
    out->lists_at = take(at, LISTS * 2 * capacity * sizeof(uint32_t));
}

static void plan_lanes(uint64_t *at, const struct queue_plan *plan,
                       uint32_t member_words, struct queue_head *out)
{
    out->lane_count = plan->lanes;
    out->key_size = (uint32_t)strlen(plan->key);
    out->lanes_at = take(at, plan->lanes * sizeof(struct lane));
    out->lane_of_at = take(at, plan->capacity * sizeof(uint32_t));
    out->served_at = take(at, member_words * sizeof(uint64_t));
    out->key_at = take(at, out->key_size);
}

/* The heads of the queues; where their parts begin is written once they are
 * mapped, so both passes must hand out the same. */
static void plan_queue(const struct segment_head *head, uint64_t *at,
                       const struct segment_plan *all, unsigned number,
                       struct queue_head *out)
{
    const struct queue_plan *plan = &all->queues[number];
    uint32_t ring = ring_size(plan->capacity);

    out->capacity = plan->capacity;
    out->ring_mask = ring - 1;
    out->bytes_most = plan->bytes;
    out->overflow = plan->overflow;
    out->ring_at = take(at, ring * sizeof(uint32_t));
    out->free_at = take(at, plan->capacity * sizeof(uint32_t));
    out->slots_at = take(at, plan->capacity * sizeof(struct slot));
    out->sleepers_at = take(at, (uint64_t)SIDES * head->member_words *
                                    sizeof(uint64_t));
    out->kept = kept_of(all, number);
    out->order_at = out->lists_at = 0;
    out->lane_count = out->key_size = 0;
    if ((out->kept & (KEPT_FROM | KEPT_TO)) != 0)
        plan_order(at, plan->capacity, out);
    if ((out->kept & KEPT_KEY) != 0)
        plan_lanes(at, plan, head->member_words, out);
}

static void plan_store(struct segment_head *head, uint64_t *at,
                       const struct segment_plan *plan)
{
    uint64_t slots = 0, bytes = 0, largest = 1;

    for (unsigned i = 0; i < plan->queue_count; i++) {
        slots += plan->queues[i].capacity;
        bytes += plan->queues[i].bytes;
        if ((kept_of(plan, i) & KEPT_TO) != 0) /* one may pass the bound */
            bytes += plan->queues[i].bytes;
        if (plan->queues[i].bytes > largest)
            largest = plan->queues[i].bytes;
    }
    if (largest < ATTRS_MOST)
        largest = ATTRS_MOST;
    if (largest > STORE_ITEM_MOST)
        largest = STORE_ITEM_MOST;
    *at = store_plan(&head->store, up(*at, PAGE), slots, bytes, largest);
    head->store.size = *at;
}

static int check_key(const struct queue_plan *plan, weir_error *err)
{
    size_t size = strlen(plan->key);

    if (size < 1 || size > KEY_MOST || plan->lanes < 1 ||
        plan->lanes > MEMBERS_MOST)
        return error_set(err, WEIR_EINVAL,
                         "a key has 1 to %d bytes, for 1 to %d members",
                         KEY_MOST, MEMBERS_MOST);
    return 0;
}

int segment_check_plan(const struct segment_plan *plan, weir_error *err)
{
    if (plan->queue_count > QUEUES_MOST || plan->member_count < 1 ||
        plan->member_count > MEMBERS_MOST)
        return error_set(err, WEIR_EINVAL,
                         "a segment has at most %d queues and 1 to %d members",
                         QUEUES_MOST, MEMBERS_MOST);
    for (unsigned i = 0; i < plan->queue_count; i++)
        if (plan->queues[i].capacity < 1 ||
            plan->queues[i].capacity > CAPACITY_MOST ||
            plan->queues[i].bytes < 1 || plan->queues[i].bytes > BYTES_MOST)
            return error_set(err, WEIR_EINVAL,
                             "a queue holds 1 to %d items and 1 B to 64 GiB",
                             CAPACITY_MOST);
    for (unsigned i = 0; i < plan->queue_count; i++)
        if (plan->queues[i].key != NULL && check_key(&plan->queues[i], err) < 0)
            return WEIR_EINVAL;
    for (unsigned i = 0; i < plan->order_count; i++)
        if (plan->orders[i].from >= plan->queue_count ||
            plan->orders[i].to >= plan->queue_count)
            return error_set(err, WEIR_EINVAL, "no queue to keep order in");
    for (unsigned i = 0; i < plan->order_count; i++)
        if (plan->queues[plan->orders[i].from].key != NULL)
            return error_set(err, WEIR_EINVAL,
                             "a queue with a key has no order to keep");
    return 0;
}

/* Fills @head; where each queue's parts are comes again in init_queues. */
void segment_plan_head(struct segment_head *head, uint64_t *queues_end,
                       const struct segment_plan *plan)
{
    struct queue_head ignored;
    uint64_t at = sizeof *head;

    memset(head, 0, sizeof *head);
    head->magic = SEGMENT_MAGIC;
    head->version = SEGMENT_VERSION;
    head->head_size = sizeof *head;
    head->member_count = plan->member_count;
    head->queue_count = plan->queue_count;
    head->sink_count = plan->sink_count;
    head->journaled = plan->journaled;
    plan_members(head, &at);
    head->queues_at = take(&at, plan->queue_count * sizeof(struct queue_head));
    *queues_end = at;
    for (unsigned i = 0; i < plan->queue_count; i++)
        plan_queue(head, &at, plan, i, &ignored);
    head->refs_at = take(&at, (uint64_t)plan->member_count * 2 * MEMBER_REFS *
                                  sizeof(uint64_t));
    head->renames_at =
        up(take(&at, (uint64_t)plan->member_count * RENAMES_SIZE + PAGE), PAGE);
    head->sinks_at = take(&at, plan->sink_count * sizeof(struct sink_head));
    head->orders_at = take(&at, plan->order_count * sizeof(struct order_link));
    head->order_count = plan->order_count;
    plan_store(head, &at, plan);
    head->size = at;
}

/* ------------------------------------------------------------ mapping ---- */

/* [at, at + count * size) lies in the segment. */
static bool within(const struct segment *segment, uint64_t at, uint64_t count,
                   uint64_t size)
{
    return at % alignof(uint64_t) == 0 && at <= segment->size &&
           (size == 0 || count <= (segment->size - at) / size);
}

/* The same, and behind all before it: *end, which it moves. Parts that lie upon
 * each other would have a lock's words written over while it is held: it could
 * never be given back, and would stay in its thread's robust list. */
static bool follows(const struct segment *segment, uint64_t *end, uint64_t at,
                    uint64_t count, uint64_t size)
{
    if (at < *end || !within(segment, at, count, size))
        return false;
    *end = at + count * size;
    return true;
}

static uint64_t offset_of(const struct segment *segment, const void *part)
{
    return (uint64_t)((const char *)part - segment->base);
}

static bool adopt_order(struct segment *segment, struct queue *queue,
                        uint64_t *end)
{
    const struct queue_head *head = queue->head;

    if ((queue->kept & (KEPT_FROM | KEPT_TO)) == 0)
        return true;
    if (!follows(segment, end, head->order_at, queue->capacity,
                 sizeof *queue->order) ||
        !follows(segment, end, head->lists_at,
                 LISTS * 2 * (uint64_t)queue->capacity, sizeof(uint32_t)))
        return false;
    queue->order = (struct slot_order *)(segment->base + head->order_at);
    for (unsigned i = 0; i < LISTS; i++)
        queue->lists[i] = (uint32_t *)(segment->base + head->lists_at) +
                          (size_t)i * 2 * queue->capacity;
    return true;
}

static bool adopt_lanes(struct segment *segment, struct queue *queue,
                        uint64_t *end)
{
    const struct queue_head *head = queue->head;

    if ((queue->kept & KEPT_KEY) == 0)
        return true;
    queue->lane_count = head->lane_count;
    queue->key_size = head->key_size;
    if (queue->lane_count < 1 || queue->lane_count > MEMBERS_MOST ||
        queue->key_size > KEY_MOST ||
        !follows(segment, end, head->lanes_at, queue->lane_count,
                 sizeof *queue->lanes) ||
        !follows(segment, end, head->lane_of_at, queue->capacity,
                 sizeof *queue->lane_of) ||
        !follows(segment, end, head->served_at, segment->member_words,
                 sizeof *queue->served) ||
        !follows(segment, end, head->key_at, queue->key_size, 1))
        return false;
    queue->lanes = (struct lane *)(segment->base + head->lanes_at);
    queue->lane_of = (uint32_t *)(segment->base + head->lane_of_at);
    queue->served = (uint64_t *)(segment->base + head->served_at);
    queue->key = segment->base + head->key_at;
    return true;
}

static bool adopt_queue(struct segment *segment, struct queue_head *heads,
                        unsigned number, uint64_t *end)
{
    struct queue_head *head = &heads[number];
    struct queue *queue = &segment->queues[number];

    queue->segment = segment;
    queue->number = number;
    queue->head = head;
    queue->capacity = head->capacity;
    queue->ring_mask = head->ring_mask;
    queue->bytes_most = head->bytes_most;
    if (queue->capacity < 1 || queue->capacity > CAPACITY_MOST ||
        queue->ring_mask != ring_size(queue->capacity) - 1 ||
        !follows(segment, end, head->ring_at, queue->ring_mask + 1,
                 sizeof *queue->ring) ||
        !follows(segment, end, head->free_at, queue->capacity,
                 sizeof *queue->free) ||
        !follows(segment, end, head->slots_at, queue->capacity,
                 sizeof *queue->slots) ||
        !follows(segment, end, head->sleepers_at, SIDES * segment->member_words,
                 sizeof(uint64_t)))
        return false;
    queue->ring = (uint32_t *)(segment->base + head->ring_at);
    queue->free = (uint32_t *)(segment->base + head->free_at);
    queue->slots = (struct slot *)(segment->base + head->slots_at);
    for (unsigned side = 0; side < SIDES; side++)
        queue->sleepers[side] = (_Atomic uint64_t *)(segment->base +
                                                     head->sleepers_at) +
                                side * segment->member_words;
    queue->kept = head->kept;
    return (queue->kept & ~(uint32_t)KEPT_ALL) == 0 &&
           adopt_order(segment, queue, end) && adopt_lanes(segment, queue, end);
}

static bool adopt_links(struct segment *segment)
{
    const struct segment_head *head = segment->head;
    const struct order_link *links;
    uint64_t end = offset_of(segment, segment->sinks + segment->sink_count);

    segment->order_count = head->order_count;
    if (!follows(segment, &end, head->orders_at, segment->order_count,
                 sizeof *links))
        return false;
    segment->store.from = end;
    segment->orders = calloc(segment->order_count + 1, sizeof *links);
    if (segment->orders == NULL)
        return false;
    links = (const struct order_link *)(segment->base + head->orders_at);
    for (unsigned i = 0; i < segment->order_count; i++) {
        segment->orders[i] = links[i];
        if (segment->orders[i].from >= segment->queue_count ||
            segment->orders[i].to >= segment->queue_count)
            return false;
    }
    return true;
}

/* Takes the sizes over from the header, each checked. */
static bool adopt(struct segment *segment)
{
    const struct segment_head *head = segment->head;
    uint64_t end = sizeof *head;

    if (segment->size < sizeof *head || head->magic != SEGMENT_MAGIC ||
        head->version != SEGMENT_VERSION || head->head_size != sizeof *head ||
        head->size != segment->size || head->member_count < 1 ||
        head->member_count > MEMBERS_MOST ||
        head->member_words != (head->member_count + 63) / 64 ||
        head->queue_count > QUEUES_MOST || head->members_at % CACHE_LINE != 0 ||
        head->queues_at % CACHE_LINE != 0 ||
        !follows(segment, &end, head->members_at, head->member_count,
                 sizeof(struct member_head)) ||
        !follows(segment, &end, head->queues_at, head->queue_count,
                 sizeof(struct queue_head)) ||
        !follows(segment, &end, head->refs_at, head->member_count,
                 2 * MEMBER_REFS * sizeof(uint64_t)) ||
        !follows(segment, &end, head->renames_at, head->member_count,
                 RENAMES_SIZE) ||
        !follows(segment, &end, head->sinks_at, head->sink_count,
                 sizeof(struct sink_head)))
        return false;
    segment->member_count = head->member_count;
    segment->member_words = head->member_words;
    segment->queue_count = head->queue_count;
    segment->sink_count = head->sink_count;
    segment->members = (struct member_head *)(segment->base + head->members_at);
    segment->refs = (_Atomic uint64_t *)(segment->base + head->refs_at);
    segment->renames = segment->base + head->renames_at;
    segment->sinks = (struct sink_head *)(segment->base + head->sinks_at);
    return true;
}

/* The flags of all slots, and the chunks that are being punched: what is true
 * about chunks. Called by the store, under its lock. */
static int walk_flags(void *arg, struct store *store)
{
    struct segment *segment = arg;
    int code = 0;

    for (unsigned q = 0; q < segment->queue_count; q++) {
        const struct queue *queue = &segment->queues[q];

        for (uint32_t i = 0; i < queue->capacity && code == 0; i++) {
            const struct slot *slot = &queue->slots[i];

            if (atomic_load(&slot->chunk_ref) != 0)
                code = store_count_ref(store, slot->chunk);
            if (code == 0 && atomic_load(&slot->attrs_ref) != 0)
                code = store_count_ref(store, slot->attrs_chunk);
        }
    }
    for (unsigned i = 0; i < segment->member_count && code == 0; i++) {
        chunk punched = atomic_load(&segment->members[i].punch);

        if (punched != 0)
            code = store_count_punch(store, punched);
    }
    return code;
}

int segment_view(void *base, size_t size, int fd, struct segment **out,
                 weir_error *err)
{
    struct segment *segment = calloc(1, sizeof *segment);

    if (segment == NULL) {
        memory_unmap(base, size);
        return error_set(err, WEIR_ENOMEM, "no memory for a segment");
    }
    segment->base = base;
    segment->size = size;
    segment->head = base;
    segment->fd = fd;
    *out = segment;
    return 0;
}

static int open_queues(struct segment *segment, weir_error *err)
{
    const uint64_t heads_at = segment->head->queues_at;
    struct queue_head *heads = (struct queue_head *)(segment->base + heads_at);
    uint64_t end = heads_at + segment->queue_count * sizeof *heads;

    segment->queues = calloc(segment->queue_count + 1, sizeof *segment->queues);
    if (segment->queues == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for %u queues",
                         segment->queue_count);
    for (unsigned i = 0; i < segment->queue_count; i++)
        if (!adopt_queue(segment, heads, i, &end) ||
            end > offset_of(segment, segment->refs))
            return error_set(err, WEIR_EBROKEN,
                             "shared memory is damaged: queue %u", i);
    if (!adopt_links(segment))
        return error_set(err, WEIR_EBROKEN,
                         "shared memory is damaged: its order");
    segment->store.base = segment->base;
    segment->store.head = &segment->head->store;
    segment->store.walk = walk_flags;
    segment->store.arg = segment;
    if (store_open(&segment->store, segment->size) < 0)
        return error_set(err, WEIR_EBROKEN,
                         "shared memory is damaged: its store");
    return 0;
}

/* Once: nobody writes them again. */
static void init_links(struct segment *segment, const struct segment_plan *plan)
{
    struct order_link *links = (struct order_link *)(segment->base +
                                                     segment->head->orders_at);

    for (unsigned i = 0; i < plan->order_count; i++)
        links[i] = plan->orders[i];
}

static int init_queues(struct segment *segment, uint64_t at,
                       const struct segment_plan *plan)
{
    struct queue_head *heads = (struct queue_head *)(segment->base +
                                                     segment->head->queues_at);

    for (unsigned i = 0; i < segment->queue_count; i++) {
        int code;

        plan_queue(segment->head, &at, plan, i, &heads[i]);
        code = lock_init(&heads[i].lock);
        if (code < 0)
            return code;
        heads[i].head = heads[i].tail = POSITION_START;
        atomic_store(&heads[i].next, POSITION_START);
        heads[i].free_count = plan->queues[i].capacity;
        if (plan->queues[i].key != NULL)
            memcpy(segment->base + heads[i].key_at, plan->queues[i].key,
                   heads[i].key_size);
    }
    return 0;
}

/* The free stacks: the first slots are used first. */
static void init_free(struct segment *segment)
{
    for (unsigned i = 0; i < segment->queue_count; i++) {
        struct queue *queue = &segment->queues[i];

        for (uint32_t n = 0; n < queue->capacity; n++)
            queue->free[n] = queue->capacity - 1 - n;
    }
}

static int init_locks(struct segment *segment)
{
    int code = store_init(&segment->store);

    if (code == 0)
        code = lock_init(&segment->head->sinks_lock);
    for (unsigned i = 0; i < segment->sink_count && code == 0; i++)
        code = lock_init(&segment->sinks[i].lock);
    return code;
}

int segment_adopt(struct segment *segment, weir_error *err)
{
    if (!adopt(segment))
        return error_set(err, WEIR_EBROKEN,
                         "this is no segment of this version of weir, or it "
                         "is damaged");
    return open_queues(segment, err);
}

int segment_init(struct segment *segment, uint64_t queues_end,
                 const struct segment_plan *plan, weir_error *err)
{
    int code = 0;

    init_links(segment, plan);
    if (!adopt(segment))
        code = error_set(err, WEIR_EINVAL, "a segment of %zu bytes",
                         segment->size);
    if (code == 0)
        code = init_queues(segment, queues_end, plan);
    if (code == 0)
        code = open_queues(segment, err);
    if (code == 0)
        code = init_locks(segment);
    if (code == 0)
        init_free(segment);
    return code;
}

int segment_create(const struct segment_plan *plan, struct segment **out,
                   weir_error *err)
{
    struct segment_head head;
    struct segment *segment = NULL;
    uint64_t queues_end;
    void *base;
    int fd, code;

    code = segment_check_plan(plan, err);
    if (code < 0)
        return code;
    segment_plan_head(&head, &queues_end, plan);
    code = memory_create("weir", head.size, &fd, &base, err);
    if (code < 0)
        return code;
    memcpy(base, &head, sizeof head);
    code = segment_view(base, head.size, fd, &segment, err);
    if (code < 0) {
        fd_close(&fd);
        return code;
    }
    code = segment_init(segment, queues_end, plan, err);
    if (code < 0) {
        segment_free(&segment);
        return code;
    }
    *out = segment;
    return 0;
}

int segment_attach(int fd, struct segment **out, weir_error *err)
{
    struct segment *segment = NULL;
    size_t size;
    void *base;
    int own, code;

    own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0)
        return error_sys(err, -errno, "cannot keep shared memory");
    code = memory_map(own, &base, &size, err);
    if (code == 0)
        code = segment_view(base, size, own, &segment, err);
    if (code < 0) {
        fd_close(&own);
        return code;
    }
    code = segment_adopt(segment, err);
    if (code < 0) {
        segment_free(&segment);
        return code;
    }
    *out = segment;
    return 0;
}

void segment_free(struct segment **segment)
{
    struct segment *s = *segment;

    if (s == NULL)
        return;
    *segment = NULL;
    memory_unmap((void *)s->shield, s->size);
    if (s->lives == NULL || lives_free(s))
        memory_unmap(s->base, s->size);
    fd_close(&s->fd);
    free(s->queues);
    free(s->orders);
    free(s);
}

int segment_fd(const struct segment *segment)
{
    return segment->fd;
}

void segment_shield(struct segment *segment)
{
    void *shield = memory_map_again(segment->fd, segment->size);

    if (shield != NULL && memory_dontfork(shield, segment->size) == 0)
        segment->shield = shield;
    else
        memory_unmap(shield, segment->size);
}

int segment_seclude(struct segment *segment)
{
    fd_close(&segment->fd);
    return memory_dontfork(segment->base, segment->size);
}

/* ------------------------------------------------------------- reading ---- */

bool segment_broken(const struct segment *segment)
{
    return atomic_load(&segment->head->broken) != 0;
}

void segment_set_alone(struct segment *segment)
{
    for (unsigned i = 0; i < segment->queue_count; i++)
        lock_set_alone(&segment->queues[i].head->lock);
    for (unsigned i = 0; i < segment->sink_count; i++)
        lock_set_alone(&segment->sinks[i].lock);
    lock_set_alone(&segment->head->sinks_lock);
    lock_set_alone(&segment->head->store.lock);
}

void segment_set_broken(struct segment *segment)
{
    atomic_store(&segment->head->broken, 1);
    for (unsigned i = 0; i < segment->member_count; i++)
        member_wake(segment, i);
}

int segment_damaged(struct segment *segment)
{
    if (!segment_broken(segment))
        segment_set_broken(segment);
    return WEIR_EBROKEN;
}

unsigned segment_queue_count(const struct segment *segment)
{
    return segment->queue_count;
}

unsigned segment_member_count(const struct segment *segment)
{
    return segment->member_count;
}

void segment_stop_sources(struct segment *segment)
{
    atomic_store(&segment->head->stopping, 1);
    for (unsigned i = 0; i < segment->member_count; i++)
        member_wake(segment, i);
}

int segment_store_used(struct segment *segment, uint64_t *chunks_out,
                       uint64_t *touched_out)
{
    return store_used(&segment->store, chunks_out, touched_out);
}
