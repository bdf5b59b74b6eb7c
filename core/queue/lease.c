/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lease.c - leasing items, and settling them. Runs in the member's process.
 *
 *   lease     TXN = OPEN; for each: in[], word = LEASED(w), head + 1.
 *             Dies before the word: a stale reference to a READY slot; after
 *             it: LEASED(w), head one behind: rebuilt; given back, not charged.
 *   take up   hand, attempt = base + 1. Dies from here on: charged.
 *   put off   cause; hand = 0. The attempt that failed is charged since it was
 *             taken up. Dies before hand = 0: the cause is the death's, and it
 *             is charged no other; after it: given back, no more charged.
 *   done      attempt = base, word = DONE(w), hand = 0. Counts for nothing
 *             until the commit; given back uncharged.
 */
#include "config.h"

#include "base/base.h"
#include "queue/internal.h"

void turn_open(struct member *member)
{
    if (member->open)
        return;
    atomic_store_explicit(&member->head->txn,
                          txn_of(TXN_OPEN, member->sequence),
                          memory_order_release);
    member->open = true;
    WEIR_POINT("queue.turn.open");
}

/* Where it can be read and not be written, in a process that asked for it. */
static const void *shielded(const struct segment *segment, const void *data)
{
    return segment->shield == NULL
               ? data
               : segment->shield + ((const char *)data - segment->base);
}

static int fill_item(const struct segment *segment, uint64_t ref,
                     const struct slot *slot, struct item *item)
{
    struct slot_view view;

    if (slot_view(segment, slot, &view) < 0)
        return WEIR_EBROKEN;
    *item = (struct item){
        .ref = ref,
        .queue = reference_queue(ref),
        .data = shielded(segment, view.data),
        .size = view.size,
        .attrs = shielded(segment, view.attrs),
        .attrs_size = view.attrs_size,
        .root = slot->root,
        .path = slot->path,
        .attempt = slot->attempt,
        .skip = slot->skip,
        .skip_hash = slot->skip_hash,
        .cause = slot->cause,
        .cause_code = slot->cause_code,
    };
    return 0;
}

int lease_slot(struct member *member, struct queue *queue, uint32_t number)
{
    struct slot *slot = &queue->slots[number];

    if (WEIR_MUTATED("lease-word-first")) {
        slot_set(slot, word_of(SLOT_LEASED, member->number));
        WEIR_POINT("queue.lease.mutant");
    }
    if (refs_add(member, REFS_IN, reference(queue->number, number)) < 0)
        return WEIR_ESTATE;
    slot_set(slot, word_of(SLOT_LEASED, member->number));
    WEIR_POINT("queue.lease.word");
    queue->head->leased++;
    queue_add_ready(queue->head, -1);
    return 0;
}

/* A READY slot becomes this member's. */
static int take(struct member *member, struct queue *queue, uint32_t number,
                struct item *item)
{
    struct slot *slot;
    int code;

    if (number >= queue->capacity)
        return segment_damaged(member->segment);
    slot = &queue->slots[number];
    if (atomic_load(&slot->word) != SLOT_READY ||
        fill_item(member->segment, reference(queue->number, number), slot,
                  item) < 0)
        return segment_damaged(member->segment);
    code = lease_slot(member, queue, number);
    if (code < 0 || queue->order == NULL)
        return code;
    item->ticket = queue->order[number].ticket;
    member->ordered = (queue->kept & KEPT_FROM) != 0 ? queue->number + 1
                                                     : member->ordered;
    return order_leased(queue, number);
}

int lease_one(struct member *member, struct queue *queue, struct item *item)
{
    struct queue_head *head = queue->head;
    int code = take(member, queue, queue->ring[head->head & queue->ring_mask],
                    item);

    if (code == 0)
        head->head++;
    return code;
}

static int lease_of_lane(struct member *member, struct queue *queue,
                         struct item *item)
{
    uint32_t number = lanes_first(queue, member);
    int code = take(member, queue, number, item);

    if (code == 0)
        lanes_leased(queue, member, number);
    return code;
}

/* What there is for this member; NULL: it serves no lane of this queue. */
static const _Atomic uint32_t *ready_for(const struct queue *queue,
                                         const struct member *member)
{
    return queue->lanes == NULL ? &queue->head->ready
                                : lanes_ready(queue, member);
}

/* Under the lock: as many as are there, asked for, and fair. */
static int lease_batch(struct member *member, struct queue *queue,
                       unsigned most, unsigned share, uint32_t ready,
                       struct item *items)
{
    uint32_t fair = ready / share + (ready % share != 0);
    unsigned count = 0;

    if (most > LEASE_MOST)
        most = LEASE_MOST;
    if (most > MEMBER_REFS - member->in_count)
        most = MEMBER_REFS - member->in_count;
    if (most == 0)
        return WEIR_ESTATE;
    turn_open(member);
    fetch_ready(queue, most < fair ? most : fair);
    while (count < most && count < fair) {
        int code = queue->lanes == NULL
                       ? lease_one(member, queue, &items[count])
                       : lease_of_lane(member, queue, &items[count]);

        if (code < 0)
            return code;
        count++;
    }
    return (int)count;
}

/* ------------------------------------------------------------- waiting ---- */

/* Takes this member off the list of sleepers of these queues (NULL: all), both
 * sides, and passes on a wake that was meant for it. */
void member_unlist(struct member *member, const unsigned *queues,
                   unsigned count)
{
    if (!member->listed)
        return;
    if (queues == NULL)
        count = member->segment->queue_count;
    for (unsigned i = 0; i < count; i++) {
        struct queue *queue = segment_queue(member->segment,
                                            queues == NULL ? i : queues[i]);
        struct wakes wakes = { 0 };

        if (queue == NULL || queue_lock(queue) < 0)
            continue;
        for (unsigned side = 0; side < SIDES; side++)
            sleeper_remove(queue, side, member->number);
        queue_choose_wakes(queue, &wakes);
        queue_unlock(queue);
        wakes_send(queue, &wakes);
    }
    member->listed = false;
}

/* Before the tests that may end in sleep: a token that comes from here on
 * ends it; what came before shows in the tests. */
void member_announce(struct member *member)
{
    park_announce(&member->head->park);
    member->listed = true;
}

int member_sleep(struct member *member, int64_t deadline_ns, bool spin)
{
    if (segment_broken(member->segment))
        return WEIR_EBROKEN;
    if (member_canceled(member))
        return WEIR_ECANCELED;
    member_turned(member);
    return park_sleep(&member->head->park, deadline_ns,
                      spin ? &member->park_spin : NULL);
}

struct look {
    const unsigned *queues;
    unsigned count, most, share;
    bool wait; /* announce where nothing is ready */
    unsigned ended;
};

/* One queue: leases, or announces that this member waits for it. */
static int look_at(struct member *member, struct look *look, unsigned number,
                   struct item *items)
{
    struct queue *queue = segment_queue(member->segment, number);
    struct wakes wakes = { 0 };
    const _Atomic uint32_t *ready;
    bool freed = false;
    int count = 0, code;

    if (queue == NULL || (ready = ready_for(queue, member)) == NULL)
        return WEIR_EINVAL;
    code = queue_lock(queue);
    if (code < 0)
        return code;
    if (member->listed)
        sleeper_remove(queue, SIDE_CONSUMER, member->number);
    if (member->spinning)
        spinner_end(queue, member->number);
    member->spinning = false;
    if (member->spent > 0) {
        code = spent_release(member, queue);
        freed = true;
    }
    if (code < 0) {
        count = code;
    } else if (atomic_load(ready) != 0) {
        count = lease_batch(member, queue, look->most, look->share,
                            atomic_load(ready), items);
    } else if (queue_at_end(queue)) {
        look->ended++;
    } else if (look->wait) {
        sleeper_add(queue, SIDE_CONSUMER, member->number);
    }
    if (count != 0 || member->listed || freed)
        queue_choose_wakes(queue, &wakes);
    queue_unlock(queue);
    wakes_send(queue, &wakes);
    if (count > 0 && look->count == 1)
        member->listed = false; /* it stood in no other list */
    return count;
}

/* Each queue once, beginning behind the one that gave last. */
static int look_around(struct member *member, struct look *look,
                       struct item *items)
{
    look->ended = 0;
    for (unsigned i = 0; i < look->count; i++) {
        unsigned at = (member->rotate + i) % look->count;
        int count = look_at(member, look, look->queues[at], items);

        if (count != 0) {
            member->rotate = (at + 1) % look->count;
            return count;
        }
    }
    return look->ended == look->count ? WEIR_ECLOSED : 0;
}

struct spot {
    const struct member *member;
    const struct queue_head *head;
    const _Atomic uint32_t *ready;
};

static bool shows(const void *arg)
{
    const struct spot *spot = arg;

    return atomic_load_explicit(spot->ready, memory_order_relaxed) != 0 ||
           atomic_load_explicit(&spot->head->closed, memory_order_relaxed) !=
               0 ||
           member_canceled(spot->member);
}

/* Awake, at one queue, without its lock and unseen by who fills it: true when
 * it is worth a look. A look follows in any case. */
static bool spin_for_item(struct member *member, unsigned number,
                          int64_t deadline_ns)
{
    struct queue *queue = segment_queue(member->segment, number);
    const _Atomic uint32_t *ready = ready_for(queue, member);
    struct spot spot = { .member = member };

    if (ready == NULL || !spin_pays(&member->spin) ||
        !spinner_begin(queue, member->number))
        return false;
    spot.head = queue->head;
    spot.ready = ready;
    member->spinning = true;
    return spin_until(&member->spin, deadline_ns, shows, &spot);
}

/* To leave, and it has not seen that yet. Who asks stores first, then wakes: so
 * after the announcement either this is seen, or the sleep ends. */
static bool is_asked(const struct member *member)
{
    return atomic_load(&member->head->leave) == LEAVE_ASKED;
}

static int wait_for_items(struct member *member, struct look *look,
                          int64_t deadline_ns, struct item *items)
{
    bool one = look->count == 1, spun = member->spun;
    int code = 0;

    member->spun = false;
    if (one && !spun && spin_for_item(member, look->queues[0], deadline_ns))
        code = look_around(member, look, items);
    look->wait = true;
    while (code == 0) {
        member_announce(member);
        code = look_around(member, look, items);
        if (code == 0)
            code = is_asked(member) ? WEIR_ETIMEDOUT
                                    : member_sleep(member, deadline_ns, !one);
        if (code == 0)
            continue;
        if (code == WEIR_ETIMEDOUT) {
            /* what came with the deadline is taken */
            look->wait = false;
            code = look_around(member, look, items);
            code = code == 0 ? WEIR_ETIMEDOUT : code;
        }
    }
    member_unlist(member, look->queues, look->count);
    return code;
}

/* Ended before a look: what was left to it is another's. */
static void spin_leave(struct member *member, unsigned number)
{
    struct queue *queue = segment_queue(member->segment, number);
    struct wakes wakes = { 0 };

    if (!member->spinning || queue == NULL || queue_lock(queue) < 0)
        return;
    spinner_end(queue, member->number);
    member->spinning = false;
    queue_choose_wakes(queue, &wakes);
    queue_unlock(queue);
    wakes_send(queue, &wakes);
}

/*
 * WHO GETS FASTER THAN OTHERS PUT finds each item as it comes, and each turn of
 * either side waits for the lines that the other had: five times as long as a
 * turn on lines of one's own. So where items come close behind each other one
 * who spins stays away for a while, not even looking, when the first has come:
 * for twice as long each time that there were more than it could take, half as
 * long when there were not. Items that come one by one are taken at once.
 */
#define LINGER_LEAST INT64_C(100)
#define LINGER_MOST NS_PER_US

static void linger(const struct member *member, int64_t begun)
{
    while (clock_now() - begun < member->linger_ns)
        continue;
}

void spin_learn(struct member *member, const struct queue *queue,
                unsigned count)
{
    uint32_t ready = atomic_load_explicit(&queue->head->ready,
                                          memory_order_relaxed);
    int64_t ns = member->linger_ns;

    if (!member->lingered)
        return;
    member->lingered = false;
    if (ready <= count)
        ns = ns > LINGER_LEAST ? ns / 2 : 0;
    else
        ns = ns == 0 ? LINGER_LEAST : ns * 2;
    member->linger_ns = ns < LINGER_MOST ? ns : LINGER_MOST;
}

bool turn_spin(struct member *member, unsigned number, int64_t deadline_ns)
{
    struct queue *queue = segment_queue(member->segment, number);
    int64_t begun = clock_now();
    bool found = queue != NULL && spin_for_item(member, number, deadline_ns);

    member->spun = !found;
    member->lingered = found;
    if (found) {
        int64_t now = clock_now();

        spin_waited(&member->spin, now - begun);
        linger(member, now);
    }
    return found;
}

int turn_lease(struct member *member, const unsigned *queues,
               unsigned queue_count, unsigned most, unsigned share,
               int64_t deadline_ns, struct item *items)
{
    struct look look = {
        .queues = queues, .count = queue_count, .most = most, .share = share
    };
    int64_t begun;
    int code;

    if (queue_count == 0 || most == 0 || share == 0)
        return WEIR_EINVAL;
    if (segment_broken(member->segment))
        return WEIR_EBROKEN;
    if (member_canceled(member)) {
        spin_leave(member, queues[0]);
        return WEIR_ECANCELED;
    }
    code = look_around(member, &look, items);
    if (code != 0)
        return code;
    if (deadline_ns == 0)
        return WEIR_EEMPTY;
    begun = clock_now();
    code = wait_for_items(member, &look, deadline_ns, items);
    if (queue_count == 1)
        spin_waited(&member->spin, clock_now() - begun);
    return code;
}

/* ------------------------------------------------------------ settling ---- */

/* The slot of an item that this member holds, in that state; NULL when it is
 * not so: the caller's mistake, or damage. */
struct slot *held_slot(const struct member *member, uint64_t ref,
                       enum slot_state state)
{
    struct slot *slot = segment_slot(member->segment, ref);

    return slot != NULL && slot_is(slot, state, member->number) ? slot : NULL;
}

static void store_attempt(struct slot *slot, unsigned attempt)
{
    slot->attempt = (uint16_t)(attempt < UINT16_MAX ? attempt : UINT16_MAX);
    atomic_signal_fence(memory_order_seq_cst);
}

int turn_take_up(struct member *member, struct item *item)
{
    struct slot *slot = held_slot(member, item->ref, SLOT_LEASED);

    if (slot == NULL)
        return WEIR_ESTATE;
    member_turned(member);
    atomic_store_explicit(&member->head->hand, item->ref + 1,
                          memory_order_release);
    WEIR_POINT("queue.hand.noted");
    store_attempt(slot, item->attempt + 1);
    WEIR_POINT("queue.hand.charged");
    return 0;
}

int turn_charge(struct member *member, struct item *item)
{
    struct slot *slot = held_slot(member, item->ref, SLOT_LEASED);

    if (slot == NULL)
        return WEIR_ESTATE;
    member_turned(member);
    item->attempt++;
    store_attempt(slot, item->attempt + 1);
    return 0;
}

static void put_down(struct member *member, const struct item *item)
{
    if (atomic_load_explicit(&member->head->hand, memory_order_relaxed) ==
        item->ref + 1)
        atomic_store_explicit(&member->head->hand, 0, memory_order_release);
}

int turn_put_off(struct member *member, struct item *item, enum cause cause)
{
    struct slot *slot = held_slot(member, item->ref, SLOT_LEASED);

    if (slot == NULL)
        return WEIR_ESTATE;
    member_turned(member);
    item->attempt++;
    item->cause = cause;
    item->cause_code = 0;
    store_attempt(slot, item->attempt);
    slot->cause = (uint8_t)cause;
    slot->cause_code = 0;
    WEIR_POINT("queue.putoff.noted");
    put_down(member, item);
    WEIR_POINT("queue.putoff.down");
    return 0;
}

/* It gives no more for this item: what the first may, it may no longer. */
static void let_go(struct member *member, const struct item *item)
{
    put_down(member, item);
    if (member->first == item->ticket)
        member->first = 0;
}

int turn_done(struct member *member, const struct item *item)
{
    struct slot *slot = held_slot(member, item->ref, SLOT_LEASED);

    if (slot == NULL)
        return WEIR_ESTATE;
    store_attempt(slot, item->attempt);
    slot_set(slot, word_of(SLOT_DONE, member->number));
    WEIR_POINT("queue.done.word");
    let_go(member, item);
    return 0;
}

int turn_release(struct member *member, const struct item *item)
{
    struct slot *slot = held_slot(member, item->ref, SLOT_LEASED);
    struct queue *queue;
    struct wakes wakes = { 0 };
    int code;

    if (slot == NULL)
        return WEIR_ESTATE;
    store_attempt(slot, item->attempt);
    queue = segment_queue(member->segment, reference_queue(item->ref));
    code = queue_lock(queue);
    if (code < 0)
        return code;
    queue_give_back(queue, reference_slot(item->ref));
    queue_choose_wakes(queue, &wakes);
    queue_unlock(queue);
    WEIR_POINT("queue.release.unlocked");
    let_go(member, item);
    refs_remove(member, REFS_IN, item->ref);
    wakes_send(queue, &wakes);
    return 0;
}
