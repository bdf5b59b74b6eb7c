/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* store.c - payload chunks, taken and dropped by any process that has the
 * segment. See store.h for what is truth, what is cache, and why. */
#include "config.h"

#include <string.h>
#include <time.h>

#include "base/base.h"
#include "shm/memory.h"
#include "shm/place.h"
#include "shm/store.h"

/* Growth is looked at in steps, so that /proc is read once in a while. */
#define LOOK_STEP (UINT64_C(16) << 20)
/* What is left to the rest of the machine; more than a step, since each who
 * looks may take one unlooked. */
#define MARGIN (UINT64_C(32) << 20)
/* Chunks that are new are given their pages in one go from here on: so the
 * next who looks sees them gone, and 256 faults are one call. */
#define POPULATE_LEAST (UINT64_C(1) << 20)
/* Regions begin at a page, whatever its size is here. */
#define REGION_STEP (UINT64_C(64) << 10)
/* A huge page of most machines. Chunks of that size or more begin at one, and
 * only they may have them: no byte of memory goes to what is not theirs, and
 * none is cut when a chunk is punched. */
#define HUGE_PAGE (UINT64_C(2) << 20)
/* Beyond that no sum of bounds goes; 48 times as much still fits 64 bits. */
#define BYTES_MOST (UINT64_C(1) << 56)

/* Who waits for a chunk that is being punched looks after so long whether there
 * is one. */
#define DOUBT_NS (200 * NS_PER_MS)

#define IN_PUNCH UINT32_MAX /* in refs[], only during a rebuild */
#define NONE UINT32_MAX     /* no index */
static uint64_t round_up(uint64_t value, uint64_t step)
{
    return (value + step - 1) / step * step;
}

static unsigned class_of(uint64_t size)
{
    if (size <= STORE_CHUNK_LEAST)
        return 0;
    return 64 - (unsigned)__builtin_clzll(size - 1) - STORE_LEAST_BITS;
}

static uint64_t class_size(unsigned class)
{
    return STORE_CHUNK_LEAST << class;
}

static chunk chunk_number(unsigned class, uint32_t index)
{
    return 1 + (class << STORE_INDEX_BITS | index);
}

static unsigned chunk_class(chunk number)
{
    return (number - 1) >> STORE_INDEX_BITS;
}

static uint32_t chunk_index(chunk number)
{
    return (number - 1) & ((1u << STORE_INDEX_BITS) - 1);
}

uint64_t chunk_size(chunk number)
{
    return class_size(chunk_class(number));
}

uint64_t store_size_for(uint64_t size)
{
    return class_size(class_of(size));
}

/*
 * A chunk is charged with more than half its size, whatever is written into
 * it (see slot_charge): so of n chunks of a class in use, n * size / 2 is less
 * than the bytes, n at most 2 * bytes / size; nor are there more than
 * references. (Those being punched are in no list: who finds none waits.)
 */
uint64_t store_plan(struct store_head *head, uint64_t at, uint64_t slots,
                    uint64_t bytes, uint64_t largest)
{
    memset(head, 0, sizeof *head);
    if (bytes > BYTES_MOST)
        bytes = BYTES_MOST;
    for (unsigned i = 0; i <= class_of(largest) && i < STORE_CLASSES; i++) {
        struct store_class *class = &head->classes[i];
        uint64_t count = 2 * bytes / class_size(i) + 1;

        if (count > 2 * slots)
            count = 2 * slots;
        if (count > UINT64_C(1) << STORE_INDEX_BITS)
            count = UINT64_C(1) << STORE_INDEX_BITS;
        class->count = (uint32_t)count;
        class->refs_at = round_up(at, 64);
        class->warm_at = class->refs_at + 4 * count;
        class->bare_at = class->warm_at + 4 * count;
        class->region = round_up(class->bare_at + 4 * count,
                                 class_size(i) >= HUGE_PAGE ? HUGE_PAGE
                                                            : REGION_STEP);
        at = class->region + count * class_size(i);
    }
    head->limit = 2 * bytes;
    return round_up(at, 4096);
}

int store_init(struct store *store)
{
    return lock_init(&store->head->lock);
}

/* Parts in their order, none before @from or beyond the end: sums cannot wrap,
 * since each part is compared with what is left. One that has no chunks has no
 * place either. */
static bool place_fits(const struct store_place *place, unsigned class,
                       uint64_t from, uint64_t size)
{
    const uint64_t list = 4 * (uint64_t)place->count;

    return (place->count == 0 || place->refs_at >= from) &&
           place->count <= UINT32_C(1) << STORE_INDEX_BITS &&
           place->region <= size && place->bare_at <= place->region &&
           place->warm_at <= place->bare_at &&
           place->refs_at <= place->warm_at && place->refs_at % 4 == 0 &&
           place->warm_at - place->refs_at == list &&
           place->bare_at - place->warm_at == list &&
           place->region - place->bare_at >= list &&
           place->region % REGION_STEP == 0 &&
           (size - place->region) / class_size(class) >= place->count;
}

int store_open(struct store *store, uint64_t size)
{
    uint64_t from = store->from;

    for (unsigned i = 0; i < STORE_CLASSES; i++) {
        const struct store_class *class = &store->head->classes[i];
        const struct store_place place = {
            .count = class->count,
            .region = class->region,
            .refs_at = class->refs_at,
            .warm_at = class->warm_at,
            .bare_at = class->bare_at,
        };

        if (!place_fits(&place, i, from, size))
            return WEIR_EBROKEN;
        store->places[i] = place;
        if (place.count > 0)
            from = place.region + place.count * class_size(i);
    }
    return 0;
}

static uint32_t *words(const struct store *store, uint64_t at)
{
    return (uint32_t *)(store->base + at);
}

/* Where a chunk stands, and its class; place NULL: the number is wild. */
struct spot {
    const struct store_place *place;
    struct store_class *class;
    uint32_t index;
    uint64_t size;
};

static struct spot spot_of(const struct store *store, chunk number)
{
    struct spot spot = { 0 };
    unsigned class = chunk_class(number);

    if (number == 0 || class >= STORE_CLASSES ||
        chunk_index(number) >= store->places[class].count)
        return spot;
    spot.place = &store->places[class];
    spot.class = &store->head->classes[class];
    spot.index = chunk_index(number);
    spot.size = class_size(class);
    return spot;
}

static uint32_t *refs_of(const struct store *store, const struct spot *spot)
{
    return words(store, spot->place->refs_at) + spot->index;
}

void *chunk_data(const struct store *store, chunk number)
{
    struct spot spot = spot_of(store, number);

    if (spot.place == NULL)
        return NULL;
    return store->base + spot.place->region + spot.index * spot.size;
}

/* ------------------------------------------------------------ rebuild ---- */

int store_count_ref(struct store *store, chunk number)
{
    struct spot spot = spot_of(store, number);
    uint32_t *refs;

    if (spot.place == NULL)
        return WEIR_EBROKEN;
    refs = words(store, spot.place->refs_at);
    for (uint32_t i = spot.class->bump; i <= spot.index; i++)
        refs[i] = 0;
    if (spot.class->bump <= spot.index)
        spot.class->bump = spot.index + 1;
    /* In use, whatever a punch holder says. */
    if (refs[spot.index] == IN_PUNCH)
        refs[spot.index] = 0;
    refs[spot.index]++;
    return 0;
}

int store_count_punch(struct store *store, chunk number)
{
    struct spot spot = spot_of(store, number);

    if (spot.place == NULL)
        return WEIR_EBROKEN;
    if (spot.index < spot.class->bump && *refs_of(store, &spot) == 0)
        *refs_of(store, &spot) = IN_PUNCH;
    return 0;
}

/* The lists from refs[]: what nobody holds is free, and counts as touched (at
 * worst a chunk without pages is punched again). Returns how many chunks of
 * the class count as touched. */
static uint64_t relist(struct store *store, unsigned number)
{
    struct store_class *class = &store->head->classes[number];
    uint32_t *refs = words(store, store->places[number].refs_at);
    uint32_t *warm = words(store, store->places[number].warm_at);
    uint64_t touched = class->bump;

    class->warm_head = class->warm_tail = class->bare = 0;
    for (uint32_t i = 0; i < class->bump; i++) {
        if (refs[i] == IN_PUNCH) {
            refs[i] = 0;
            touched--;
        } else if (refs[i] == 0) {
            warm[class->warm_tail++] = i;
        }
    }
    return touched;
}

static int store_rebuild(void *arg)
{
    struct store *store = arg;
    struct store_head *head = store->head;
    int code;

    for (unsigned i = 0; i < STORE_CLASSES; i++) {
        struct store_class *class = &head->classes[i];

        if (class->bump > store->places[i].count)
            return WEIR_EBROKEN;
        memset(words(store, store->places[i].refs_at), 0,
               4 * (size_t) class->bump);
    }
    code = store->walk(store->arg, store);
    if (code < 0)
        return code;
    head->touched = 0;
    for (unsigned i = 0; i < STORE_CLASSES; i++)
        head->touched += relist(store, i) * class_size(i);
    return 0;
}

int store_lock_until(struct store *store, int64_t deadline_ns)
{
    return lock_take_until(&store->head->lock, deadline_ns, store_rebuild,
                           store);
}

int store_lock(struct store *store)
{
    return store_lock_until(store, FOREVER);
}

void store_unlock(struct store *store)
{
    lock_give(&store->head->lock);
}

/* --------------------------------------------------------- the lists ---- */

/* Ring places run freely modulo count: never more than count are in it. */
static bool warm_push(struct store *store, const struct spot *spot)
{
    struct store_class *class = spot->class;
    const uint32_t count = spot->place->count;

    if (class->warm_tail - class->warm_head >= count)
        return false;
    words(store, spot->place->warm_at)[class->warm_tail % count] = spot->index;
    class->warm_tail++;
    if (class->warm_tail >= 2 * count && class->warm_head >= count) {
        class->warm_tail -= count;
        class->warm_head -= count;
    }
    return true;
}

static bool bare_push(struct store *store, const struct spot *spot)
{
    if (spot->class->bare >= spot->place->count)
        return false;
    words(store, spot->place->bare_at)[spot->class->bare++] = spot->index;
    return true;
}

static uint32_t warm_count(const struct store_class *class)
{
    return class->warm_tail - class->warm_head;
}

/* A free chunk of the class, hottest first; NONE. *bare_out: without pages. */
static uint32_t pop(struct store *store, unsigned number, bool *bare_out)
{
    const struct store_place *place = &store->places[number];
    struct store_class *class = &store->head->classes[number];

    *bare_out = warm_count(class) == 0;
    if (!*bare_out) {
        class->warm_tail--;
        return words(store, place->warm_at)[class->warm_tail % place->count];
    }
    if (class->bare > 0 && class->bare <= place->count) {
        store->head->touched += class_size(number);
        return words(store, place->bare_at)[--class->bare];
    }
    if (class->bump < place->count) {
        store->head->touched += class_size(number);
        return class->bump++;
    }
    return NONE;
}

/* ------------------------------------------------------ pages go, come ---- */

/* The class that has most to give: bytes in free chunks with pages. Chunks
 * smaller than a page share it with their neighbours. */
static unsigned richest(const struct store *store)
{
    unsigned best = STORE_CLASSES;
    uint64_t most = 0;

    for (unsigned i = 0; i < STORE_CLASSES; i++) {
        uint64_t bytes = warm_count(&store->head->classes[i]) * class_size(i);

        if (class_size(i) >= memory_page() && bytes > most) {
            most = bytes;
            best = i;
        }
    }
    return best;
}

/* Takes the coldest free chunk off its list; its number is in *punch first.
 * False: nothing to punch. */
static bool pick_victim(struct store *store, _Atomic uint32_t *punch)
{
    struct store_head *head = store->head;
    unsigned best = richest(store);
    struct store_class *class;
    uint32_t index;

    if (best == STORE_CLASSES || store->places[best].count == 0)
        return false;
    class = &head->classes[best];
    index = words(store,
                  store->places[best]
                      .warm_at)[class->warm_head % store->places[best].count];
    if (index >= store->places[best].count)
        return false;
    atomic_store(punch, chunk_number(best, index));
    WEIR_POINT("store.punch.noted");
    class->warm_head++;
    head->touched -= class_size(best);
    /* What is given back is not ours any more: others may take it, so to grow
     * again is to look again. */
    if (atomic_load(&head->allowed) > head->touched + LOOK_STEP)
        atomic_store(&head->allowed, head->touched + LOOK_STEP);
    return true;
}

/* The pages of the chunk in *punch go, and it is free. Where the kernel does
 * not let them go (locked memory), it stays one with pages: *gone_out. */
static int end_punch(struct store *store, _Atomic uint32_t *punch,
                     bool *gone_out)
{
    struct spot spot = spot_of(store, atomic_load(punch));
    bool good = true;
    int code;

    if (spot.place == NULL)
        return WEIR_EBROKEN;
    *gone_out = memory_punch(chunk_data(store, atomic_load(punch)),
                             spot.size) == 0;
    WEIR_POINT("store.punch.done");
    code = store_lock(store);
    if (code < 0)
        return code;
    if (*refs_of(store, &spot) != 0) {
        good = false; /* in use while it was in no list */
    } else if (*gone_out) {
        good = bare_push(store, &spot);
    } else {
        good = warm_push(store, &spot);
        store->head->touched += spot.size;
    }
    WEIR_POINT("store.punch.listed");
    atomic_store(punch, 0);
    store_unlock(store);
    return good ? 0 : WEIR_EBROKEN;
}

int store_end_punch(struct store *store, _Atomic uint32_t *punch)
{
    bool gone;

    return atomic_load(punch) == 0 ? 0 : end_punch(store, punch, &gone);
}

/* Before memory grows: is there any? The kernel would not say no, it kills. */
static bool is_enough(struct store *store, uint64_t touched)
{
    struct store_head *head = store->head;
    uint64_t allowed = atomic_load(&head->allowed);
    uint64_t left;

    if (touched <= allowed)
        return true;
    left = memory_available();
    if (left < MARGIN || left - MARGIN < touched - allowed)
        return false;
    atomic_store(&head->allowed, touched + LOOK_STEP);
    return true;
}

/* Before @more bytes are touched: gives pages of free chunks back as long as
 * the limit would be passed, or as memory is scarce. Outside the lock. */
static int make_room(struct store *store, uint64_t more,
                     _Atomic uint32_t *punch)
{
    struct store_head *head = store->head;
    bool scarce = false;
    bool can = true; /* the kernel takes pages back */

    for (;;) {
        bool victim = false;
        uint64_t touched;
        int code = store_lock(store);

        if (code < 0)
            return code;
        touched = head->touched + more;
        if (can && (touched > head->limit || scarce))
            victim = pick_victim(store, punch);
        store_unlock(store);
        if (victim) {
            scarce = false;
            code = end_punch(store, punch, &can);
            if (code < 0)
                return code;
        } else if (is_enough(store, touched)) {
            return 0;
        } else if (scarce || !can) {
            return WEIR_ENOMEM;
        } else {
            scarce = true;
        }
    }
}

/* --------------------------------------------------------- take, drop ---- */

/* Locks with a chunk at hand, or with room for one more to be touched. */
static int lock_for(struct store *store, unsigned class,
                    _Atomic uint32_t *punch)
{
    int code = store_lock(store);

    if (code < 0 || warm_count(&store->head->classes[class]) > 0)
        return code;
    store_unlock(store);
    code = make_room(store, class_size(class), punch);
    return code < 0 ? code : store_lock(store);
}

/* Under the lock: the free chunk at @index is in use from here on. */
static int hand_out(struct store *store, unsigned class, uint32_t index,
                    uint32_t *number, _Atomic uint8_t *flag)
{
    struct spot spot = spot_of(store, chunk_number(class, index));

    if (index >= store->places[class].count || *refs_of(store, &spot) != 0)
        return WEIR_EBROKEN;
    WEIR_POINT("store.take.popped");
    *number = chunk_number(class, index);
    atomic_store_explicit(flag, 1, memory_order_release);
    WEIR_POINT("store.take.flag");
    *refs_of(store, &spot) = 1;
    return 0;
}

bool store_is_warm(const struct store *store, uint64_t size)
{
    const unsigned class = class_of(size);

    return store->file == 0 && class < STORE_CLASSES &&
           store->places[class].count > 0 &&
           warm_count(&store->head->classes[class]) > 0;
}

int store_take_locked(struct store *store, uint64_t size, uint32_t *number,
                      _Atomic uint8_t *flag)
{
    bool bare;

    if (!store_is_warm(store, size))
        return WEIR_EEMPTY;
    return hand_out(store, class_of(size), pop(store, class_of(size), &bare),
                    number, flag);
}

/* 0, or 1: there is none at this moment. */
static int try_take(struct store *store, uint64_t size, uint32_t *number,
                    _Atomic uint8_t *flag, _Atomic uint32_t *punch)
{
    const unsigned class = class_of(size);
    struct spot spot;
    uint32_t index;
    chunk taken;
    bool bare;
    int code = lock_for(store, class, punch);

    if (code < 0)
        return code;
    index = pop(store, class, &bare);
    if (index == NONE) { /* all are in use, or it is damaged */
        code = store->head->classes[class].bump == store->places[class].count
                   ? 1
                   : WEIR_EBROKEN;
        store_unlock(store);
        return code;
    }
    code = hand_out(store, class, index, number, flag);
    store_unlock(store);
    if (code < 0)
        return code;
    taken = chunk_number(class, index); /* *number is anybody's to write to */
    spot = spot_of(store, taken);
    /* Also one that counts as warm: after a rebuild all that are free do. */
    if (store->file != 0)
        return place_fill(store->file - 1,
                          spot.place->region + spot.index * spot.size, size);
    if (bare && spot.size >= HUGE_PAGE)
        memory_allow_huge(chunk_data(store, taken), spot.size);
    if (bare && size >= POPULATE_LEAST)
        memory_populate(chunk_data(store, taken), size);
    return 0;
}

/* No punch takes so long: it may be that the caches are wrong, as in memory
 * that somebody wrote to. They are made anew, once; dying in there is as dying
 * in any rebuild. */
static int recount(struct store *store)
{
    int code = store_lock(store);

    if (code < 0)
        return code;
    code = store_rebuild(store);
    store_unlock(store);
    return code < 0 ? WEIR_EBROKEN : 0;
}

int store_take(struct store *store, uint64_t size, uint32_t *number,
               _Atomic uint8_t *flag, _Atomic uint32_t *punch)
{
    const struct timespec pause = { .tv_nsec = 50 * NS_PER_US };
    int64_t deadline = 0, doubt = 0;

    if (class_of(size) >= STORE_CLASSES ||
        store->places[class_of(size)].count == 0)
        return WEIR_ETOOBIG;
    for (;;) {
        int code = try_take(store, size, number, flag, punch);

        if (code <= 0)
            return code;
        /* There are as many as can be in use: the rest are being punched, which
         * ends soon, or when a dead one is recovered. */
        if (deadline == 0) {
            deadline = clock_deadline(10 * NS_PER_S);
            doubt = clock_deadline(DOUBT_NS);
        }
        if (clock_left(deadline) == 0)
            return WEIR_ENOMEM;
        if (clock_left(doubt) == 0) {
            doubt = FOREVER;
            code = recount(store);
            if (code < 0)
                return code;
        }
        nanosleep(&pause, NULL);
    }
}

int store_share(struct store *store, chunk number, uint32_t *holder,
                _Atomic uint8_t *flag)
{
    struct spot spot = spot_of(store, number);
    int code;

    if (spot.place == NULL)
        return WEIR_EBROKEN;
    code = store_lock(store);
    if (code < 0)
        return code;
    if (*refs_of(store, &spot) == 0) {
        store_unlock(store);
        return WEIR_EBROKEN; /* nobody has it */
    }
    *holder = number;
    atomic_store_explicit(flag, 1, memory_order_release);
    WEIR_POINT("store.share.flag");
    ++*refs_of(store, &spot);
    store_unlock(store);
    return 0;
}

int store_drop_locked(struct store *store, chunk number, _Atomic uint8_t *flag)
{
    struct spot spot = spot_of(store, number);
    uint32_t *refs;

    if (atomic_load_explicit(flag, memory_order_relaxed) == 0)
        return 0; /* dropped before: by a redo that died */
    if (spot.place == NULL)
        return WEIR_EBROKEN;
    refs = refs_of(store, &spot);
    atomic_store_explicit(flag, 0, memory_order_release);
    WEIR_POINT("store.drop.flag");
    if (*refs == 0)
        return WEIR_EBROKEN;
    if (--*refs == 0 && !warm_push(store, &spot))
        return WEIR_EBROKEN;
    return 0;
}

int store_used(struct store *store, uint64_t *chunks_out, uint64_t *touched_out)
{
    uint64_t used = 0;
    int code = store_lock(store);

    if (code < 0)
        return code;
    for (unsigned i = 0; i < STORE_CLASSES; i++) {
        const struct store_class *class = &store->head->classes[i];

        used += class->bump - class->bare - warm_count(class);
    }
    *chunks_out = used;
    *touched_out = store->head->touched;
    store_unlock(store);
    return 0;
}
