/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_seats.c - runs in the helper: how many workers a pool has, and who
 * follows whom. pool_board.h tells what a seat's word means.
 *
 * RECYCLING. Who has lived or grown for too long, or is near its last call, is
 * given an heir in a seat of its own. That one opens, and waits. Then the old
 * one is told to leave (or leaves by itself, after its last call), and gives
 * its turn on. As long as the heir is not there the old one serves: an heir
 * that cannot be forked is tried again, one that dies in `open` is replaced,
 * and counts among the three in a row that end the pool.
 *   the old one dies      the heir follows at once, also when it still opens
 *   the heir dies         the old one stays; had it left already, another heir
 *                         is forked, and serves at once
 *   the helper dies       all do
 * With no seat free for an heir: an old one stays until there is; one whose
 * calls are used up goes, and is followed by one that opens then.
 *
 * RESIZING. One too many is told to leave and has no successor. It finishes
 * what it has in hand. Should the pool grow again before it has seen that, it
 * is told to stay.
 */
#include "config.h"

#include "pool/pool.h"
#include "pool/pool_serve.h"

struct hand *seats_take(struct served *pool, unsigned number)
{
    for (unsigned i = 0; i < pool->plan.seats; i++) {
        struct hand *hand = &pool->hands[i];

        if (hand->taken)
            continue;
        *hand = (struct hand){ .taken = true,
                               .number = number,
                               .generation = hand->generation,
                               .opened = hand->opened };
        pool->live++;
        return hand;
    }
    return NULL;
}

static void part(struct served *pool, struct hand *before, struct hand *heir)
{
    before->heir = NULL;
    heir->before = NULL;
    seat_no_heir(&pool->board, hand_seat(pool, before));
}

void seats_give(struct served *pool, struct hand *hand)
{
    if (hand->heir != NULL)
        part(pool, hand, hand->heir);
    if (hand->before != NULL)
        part(pool, hand->before, hand);
    hand->taken = false;
    hand->pid = 0;
    hand->again_ns = 0;
    pool->live--;
}

static bool change(struct served *pool, const struct hand *hand,
                   enum seat_word from, enum seat_word to)
{
    return seat_change(&pool->board, hand_seat(pool, hand), hand->generation,
                       from, to);
}

/* A wait for calls ends; one for room goes on. */
static void tell_to_leave(struct served *pool, const struct hand *hand)
{
    seat_wake(&pool->board, hand_seat(pool, hand));
    member_cancel(pool->segment, hand_seat(pool, hand), true);
}

/* -------------------------------------------------------------- following ----
 */

/* The one before it is dead, or has left. It may have given its turn on, and
 * died before it has woken it. */
static void follow(struct served *pool, struct hand *heir)
{
    heir->born_ns = clock_now();
    change(pool, heir, SEAT_WAIT, SEAT_SERVE);
    seat_wake(&pool->board, hand_seat(pool, heir));
}

/* It ended because there are no more calls: an heir that is not there yet is
 * not needed. */
static void drop_heir(struct served *pool, struct hand *hand)
{
    if (hand->heir != NULL && hand->heir->again_ns != 0)
        seats_give(pool, hand->heir);
}

void seats_reaped(struct served *pool, struct hand *hand)
{
    struct hand *before = hand->before, *heir;
    bool left = seat_is(&pool->board, hand_seat(pool, hand), hand->generation,
                        SEAT_LEFT);
    bool drained = pool->state == POOL_CLOSES && !left &&
                   hand_phase(pool, hand) == PHASE_CLOSING;

    if (drained)
        drop_heir(pool, hand);
    heir = hand->heir;
    if (pool->state == POOL_RUNS || pool->state == POOL_CLOSES) {
        if (before == NULL && heir == NULL && !hand->goes && !drained) {
            hand_fork(pool, hand);
            return;
        }
    } else {
        before = heir = NULL;
    }
    seats_give(pool, hand);
    if (before != NULL)
        change(pool, before, SEAT_LEAVE, SEAT_SERVE);
    if (heir != NULL)
        follow(pool, heir);
    if (pool->state == POOL_RUNS) {
        seats_fit(pool);
        seats_look(pool, clock_now());
    }
}

/* ------------------------------------------------------------- how many ----
 */

static bool is_worker(const struct hand *hand)
{
    return hand->taken && !hand->goes && hand->before == NULL;
}

static unsigned count_workers(const struct served *pool)
{
    unsigned count = 0;

    for (unsigned i = 0; i < pool->plan.seats; i++)
        count += is_worker(&pool->hands[i]);
    return count;
}

/* Meanwhile it may have been given its turn, but not back: hence three. */
static void send_away(struct served *pool, struct hand *hand)
{
    struct hand *heir = hand->heir;

    if (heir != NULL)
        part(pool, hand, heir);
    hand->goes = true;
    if (hand->again_ns != 0)
        seats_give(pool, hand);
    else if (change(pool, hand, SEAT_SERVE, SEAT_LEAVE) ||
             change(pool, hand, SEAT_WAIT, SEAT_LEAVE) ||
             change(pool, hand, SEAT_SERVE, SEAT_LEAVE))
        tell_to_leave(pool, hand);
    if (heir != NULL)
        send_away(pool, heir);
}

/* One that was sent away and has not seen it. */
static bool call_back(struct served *pool)
{
    for (unsigned i = 0; i < pool->plan.seats; i++) {
        struct hand *hand = &pool->hands[i];

        if (hand->taken && hand->goes &&
            change(pool, hand, SEAT_LEAVE, SEAT_SERVE)) {
            hand->goes = false;
            return true;
        }
    }
    return false;
}

/* The least that no worker has, also none that is about to go. */
static unsigned free_number(const struct served *pool)
{
    bool used[WORKERS_MOST + SPARE_SEATS] = { false };
    unsigned number = 0;

    for (unsigned i = 0; i < pool->plan.seats; i++)
        if (pool->hands[i].taken)
            used[pool->hands[i].number] = true;
    while (number + 1 < pool->plan.seats && used[number])
        number++;
    return number;
}

static bool add_worker(struct served *pool)
{
    struct hand *hand = seats_take(pool, free_number(pool));

    if (hand == NULL)
        return false;
    hand_fork(pool, hand);
    return true;
}

/* The last in order, which are the youngest as long as nobody died. */
static void send_one_away(struct served *pool)
{
    for (unsigned i = pool->plan.seats; i-- > 0;)
        if (is_worker(&pool->hands[i])) {
            send_away(pool, &pool->hands[i]);
            return;
        }
}

void seats_fit(struct served *pool)
{
    unsigned count = count_workers(pool);

    for (; count > pool->wanted; count--)
        send_one_away(pool);
    for (; count < pool->wanted; count++)
        if (!call_back(pool) && !add_worker(pool))
            return; /* all seats are taken: again when one is free */
}

/* -------------------------------------------------------------- recycling ----
 */

static void seek_heir(struct served *pool, struct hand *hand)
{
    struct hand *heir = seats_take(pool, hand->number);

    if (heir == NULL)
        return;
    hand->heir = heir;
    heir->before = hand;
    hand_fork(pool, heir);
}

/* What it wishes, or must. */
static enum seat_wish wish_of(const struct served *pool,
                              const struct hand *hand, int64_t now_ns)
{
    const int64_t age_ns = pool->plan.recycle_age_ns;

    if (age_ns > 0 && now_ns - hand->born_ns >= age_ns)
        return WISH_LEAVE;
    return seat_wish(&pool->board, hand_seat(pool, hand), hand->generation);
}

static void see_wish(struct served *pool, struct hand *hand,
                     enum seat_wish wish)
{
    if (hand->heir == NULL)
        seek_heir(pool, hand);
    else if (wish == WISH_LEAVE &&
             hand_phase(pool, hand->heir) == PHASE_WAITING &&
             change(pool, hand, SEAT_SERVE, SEAT_LEAVE))
        tell_to_leave(pool, hand);
}

/* Who has left may be in its `close` for long, or for ever. Its heir is one of
 * the workers from now on, with heirs of its own. */
static void see_left(struct served *pool)
{
    for (unsigned i = 0; i < pool->plan.seats; i++) {
        struct hand *hand = &pool->hands[i], *heir = hand->heir;

        if (!hand->taken || heir == NULL || heir->again_ns != 0 ||
            !seat_is(&pool->board, i, hand->generation, SEAT_LEFT))
            continue;
        hand->goes = true;
        part(pool, hand, heir);
        follow(pool, heir);
    }
}

int64_t seats_look(struct served *pool, int64_t now_ns)
{
    const int64_t age_ns = pool->plan.recycle_age_ns;
    int64_t next = FOREVER;

    if (pool->bell_fd < 0 || pool->state != POOL_RUNS)
        return FOREVER;
    see_left(pool);
    for (unsigned i = 0; i < pool->plan.seats; i++) {
        struct hand *hand = &pool->hands[i];
        enum seat_wish wish;

        if (!is_worker(hand) || hand->pid <= 0)
            continue;
        wish = wish_of(pool, hand, now_ns);
        if (wish != WISH_NONE)
            see_wish(pool, hand, wish);
        else if (age_ns > 0 && hand->born_ns + age_ns - now_ns < next)
            next = hand->born_ns + age_ns - now_ns;
    }
    return next;
}
