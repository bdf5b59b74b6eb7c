/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls.c - the calls in place and in batches of a program's queue, under
 * kill -9 at random. Producers reserve and submit, or abandon, or put many;
 * consumers lease and commit, or release, or get many. The queue is one of a
 * context, whose helper recovers; or it has a name, and nobody but its members.
 * Each item is taken once, those of one producer in order; at the end nothing
 * is left over: no item, slot, chunk or member.
 *
 * What was done stands in memory that all share, noted before and after each
 * call. So of one that is killed it is known what it may have had in hand, and
 * for that alone both is right: taken by it, or again by another.
 */
#include "config.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/process.h>
#include <weir/queue.h>

#include "base/base.h"
#include "lib/suites.h"
#include "pool/queue_named.h"

enum {
    PRODUCERS = 3,
    CONSUMERS_MOST = 3,
    PEERS = PRODUCERS + CONSUMERS_MOST,
    BORN_MOST = 1100,
    NUMBERS = 4096, /* items of one producer; then it waits to be killed */
    HAND = 8,       /* items of one call */
    PAD = 3000,
};

#define BOUND_NS (60 * NS_PER_S)

/* What an item is: who made it, its number, and bytes that tell a mixture. */
struct stamp {
    unsigned born, number;
};

enum { TAKEN = 1, IN_A_DEAD_HAND = 2 };

static struct shared {
    struct {
        _Atomic unsigned put; /* so many are in the queue */
        _Atomic unsigned tried;
        _Atomic unsigned calls; /* of whatever kind, that went well */
        _Atomic unsigned held;
        struct stamp hand[HAND];
        atomic_bool blind; /* in a get_many, or not yet noted */
    } peers[BORN_MOST];
    /* Where there is one consumer: all below have been taken. */
    unsigned next[BORN_MOST];
    atomic_bool wrong;
    char fault[160];
    _Atomic uint8_t items[BORN_MOST][NUMBERS];
} * shared;

static struct {
    bool named, batches, ordered;
    unsigned capacity;
} kind;

static weir_context *context;
static weir_queue *queue;
static char folder[64];
static unsigned born, overlooked; /* by those that died in a get_many */

static int wrong(const char *format, ...)
{
    va_list args;

    if (!atomic_exchange(&shared->wrong, true)) {
        va_start(args, format);
        vsnprintf(shared->fault, sizeof shared->fault, format, args);
        va_end(args);
    }
    return 1;
}

/* ------------------------------------------------------------- producer ----
 */

static size_t size_of(const struct stamp *stamp)
{
    return sizeof *stamp +
           stamp->number * 7919 % (stamp->number % 3 ? 40 : PAD);
}

static void write_item(char *to, const struct stamp *stamp)
{
    memset(to, (int)(stamp->born + stamp->number), size_of(stamp));
    memcpy(to, stamp, sizeof *stamp);
}

static int put_in_place(unsigned me, unsigned *seed)
{
    struct stamp stamp = { me, atomic_load(&shared->peers[me].put) };
    size_t size = size_of(&stamp), more = (size_t)rand_r(seed) % 100;
    weir_slot slot;
    int code = weir_queue_reserve(queue, size + more, BOUND_NS, &slot);

    if (code != 0)
        return code;
    memset(slot.data, '?', size + more);
    if (rand_r(seed) % 8 == 0)
        return weir_queue_abandon(&slot);
    write_item(slot.data, &stamp);
    atomic_store(&shared->peers[me].tried, stamp.number + 1);
    code = weir_queue_submit(&slot, size);
    if (code == 0)
        atomic_store(&shared->peers[me].put, stamp.number + 1);
    return code;
}

static int put_batch(unsigned me, unsigned *seed)
{
    static char data[HAND][sizeof(struct stamp) + PAD];
    unsigned first = atomic_load(&shared->peers[me].put);
    unsigned count = 1 + (unsigned)rand_r(seed) % HAND;
    weir_bytes items[HAND];
    size_t put = 0;
    int code;

    for (unsigned i = 0; i < count; i++) {
        struct stamp stamp = { me, first + i };

        write_item(data[i], &stamp);
        items[i] = (weir_bytes){ data[i], size_of(&stamp) };
    }
    atomic_store(&shared->peers[me].tried, first + count);
    code = weir_queue_put_many(queue, items, count, BOUND_NS, &put);
    atomic_store(&shared->peers[me].put, first + (unsigned)put);
    return code;
}

static int produce(unsigned me, unsigned seed)
{
    int code = 0;

    while (code == 0) {
        if (atomic_load(&shared->peers[me].put) + HAND >= NUMBERS)
            pause();
        code = kind.batches ? put_batch(me, &seed) : put_in_place(me, &seed);
        atomic_fetch_add(&shared->peers[me].calls, code == 0);
    }
    return wrong("a put of producer %u: %s", me, weir_strerror(code));
}

/* ------------------------------------------------------------- consumer ----
 */

/* Reads it, whole; and says whether it may come now. */
static bool is_sound(const char *data, size_t size, struct stamp *stamp)
{
    bool whole = size >= sizeof *stamp;

    if (whole) {
        memcpy(stamp, data, sizeof *stamp);
        whole = stamp->born < BORN_MOST && stamp->number < NUMBERS &&
                size == size_of(stamp);
    }
    for (size_t i = sizeof *stamp; i < size && whole; i++)
        whole = data[i] == (char)(stamp->born + stamp->number);
    if (!whole)
        wrong("an item of %zu bytes is not what was put", size);
    return whole;
}

static bool is_due(const struct stamp *stamp)
{
    unsigned *next = &shared->next[stamp->born];
    _Atomic uint8_t *items = shared->items[stamp->born];

    if ((atomic_load(&items[stamp->number]) & TAKEN) != 0)
        return wrong("item %u of %u comes again", stamp->number, stamp->born) ==
               0;
    if (!kind.ordered)
        return true;
    while (*next < stamp->number &&
           (kind.batches || atomic_load(&items[*next])))
        ++*next; /* those that a batch jumps over are counted at the end */
    if (stamp->number > *next || (kind.batches && stamp->number < *next))
        return wrong("item %u of %u comes when %u is due", stamp->number,
                     stamp->born, *next) == 0;
    return true;
}

static bool note_taken(const struct stamp *stamp)
{
    if ((atomic_fetch_or(&shared->items[stamp->born][stamp->number], TAKEN) &
         TAKEN) == 0)
        return true;
    return wrong("item %u of %u was taken twice", stamp->number, stamp->born) ==
           0;
}

/* Some of what is leased is given back: in reverse, so that the order stays. */
static int take_in_place(unsigned me, unsigned *seed)
{
    struct stamp *hand = shared->peers[me].hand;
    unsigned most = 1 + (unsigned)rand_r(seed) % HAND, keep;
    weir_lease leases[HAND];
    int count = weir_queue_lease_many(queue, leases, most, BOUND_NS), code = 0;

    if (count < 0)
        return count;
    for (int i = 0; i < count; i++)
        if (!is_sound(leases[i].data, leases[i].size, &hand[i]))
            return WEIR_EBROKEN;
    atomic_store(&shared->peers[me].held, (unsigned)count);
    keep = (unsigned)count;
    if (rand_r(seed) % 8 == 0)
        keep = (unsigned)rand_r(seed) % (keep + 1);
    for (unsigned i = 0; i < keep && code == 0; i++) {
        if (!is_due(&hand[i]))
            return WEIR_EBROKEN;
        code = weir_queue_commit(&leases[i]);
        if (code == 0 && !note_taken(&hand[i]))
            return WEIR_EBROKEN;
    }
    for (unsigned i = (unsigned)count; i-- > keep && code == 0;)
        code = weir_queue_release(&leases[i]);
    atomic_store(&shared->peers[me].held, 0);
    return code;
}

static int take_batch(unsigned me, unsigned *seed)
{
    static char data[HAND * (sizeof(struct stamp) + PAD)];
    size_t sizes[HAND], count, at = 0, room = sizeof data;
    int code;

    if (rand_r(seed) % 4 == 0) /* so that it ends early, or too small */
        room = (size_t)rand_r(seed) % 5000;
    atomic_store(&shared->peers[me].blind, true);
    code = weir_queue_get_many(queue, data, room, sizes, HAND, BOUND_NS,
                               &count);
    if (code == -EMSGSIZE)
        return 0;
    for (size_t i = 0; i < count && code == 0; at += sizes[i++]) {
        struct stamp stamp;

        if (!is_sound(data + at, sizes[i], &stamp) || !is_due(&stamp) ||
            !note_taken(&stamp))
            return WEIR_EBROKEN;
    }
    atomic_store(&shared->peers[me].blind, false);
    return code;
}

static int consume(unsigned me, unsigned seed)
{
    int code = 0;

    while (code == 0) {
        code = kind.batches ? take_batch(me, &seed) : take_in_place(me, &seed);
        atomic_fetch_add(&shared->peers[me].calls, code == 0);
    }
    if (code == WEIR_ECLOSED)
        return 0;
    return wrong("a take of consumer %u: %s", me, weir_strerror(code));
}

/* ---------------------------------------------------- who is to be killed ----
 */

struct peer {
    bool consumer;
    unsigned number; /* in order of birth, of both kinds */
    unsigned seed;
    weir_process *process; /* of a context; else: */
    pid_t pid;
};

static int act(const struct peer *peer)
{
    return peer->consumer ? consume(peer->number, peer->seed)
                          : produce(peer->number, peer->seed);
}

static int child(weir_child *self)
{
    struct peer peer;

    memcpy(&peer, weir_child_argument(self, NULL), sizeof peer);
    queue = weir_child_queue(self, 0);
    return act(&peer);
}

static void launch(struct peer *peer, bool consumer)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = child,
                                     .argument = peer,
                                     .argument_size = sizeof *peer,
                                     .queues = &queue,
                                     .queue_count = 1 };

    ck_assert_uint_lt(born, BORN_MOST);
    *peer = (struct peer){ .consumer = consumer, .number = born };
    peer->seed = born++;
    if (!kind.named) {
        ck_assert_int_eq(weir_process_new(context, &options, &peer->process,
                                          NULL),
                         0);
        ck_assert_int_eq(weir_process_start(peer->process, NULL), 0);
        return;
    }
    peer->pid = fork();
    ck_assert_int_ge(peer->pid, 0);
    if (peer->pid == 0) {
        int code = weir_queue_open_named("calls", NULL, 0, &queue, NULL);

        _exit(code == 0 ? act(peer) : wrong("open: %s", weir_strerror(code)));
    }
}

/* Its end; 0: it was killed. */
static void reap(struct peer *peer, bool killed)
{
    weir_exit end = { 0 };
    int status;

    if (kind.named) {
        ck_assert_int_eq(waitpid(peer->pid, &status, 0), peer->pid);
    } else {
        ck_assert_int_eq(weir_process_join(peer->process, BOUND_NS), 0);
        ck_assert_int_eq(weir_process_exit(peer->process, &end), 0);
        ck_assert_int_eq(weir_process_free(&peer->process), 0);
        status = end.kind == WEIR_EXIT_SIGNAL ? end.code : end.code << 8;
    }
    ck_assert_msg(!atomic_load(&shared->wrong), "%s", shared->fault);
    ck_assert_int_eq(status, killed ? SIGKILL : 0);
}

static void kill_it(struct peer *peer)
{
    unsigned held;

    if (kind.named)
        kill(peer->pid, SIGKILL);
    else
        weir_process_kill(peer->process);
    reap(peer, true);
    held = atomic_load(&shared->peers[peer->number].held);
    for (unsigned i = 0; i < held; i++) {
        const struct stamp *stamp = &shared->peers[peer->number].hand[i];

        atomic_fetch_or(&shared->items[stamp->born][stamp->number],
                        IN_A_DEAD_HAND);
    }
    if (atomic_load(&shared->peers[peer->number].blind))
        overlooked += HAND;
}

static bool has_no_more(const struct peer *peer)
{
    return !peer->consumer &&
           atomic_load(&shared->peers[peer->number].put) + HAND >= NUMBERS;
}

/* Until it has done something, whatever that takes: else all would die at
 * their birth. Or another has nothing left to do: that one, then. */
static struct peer *await_deeds(struct peer *peer, struct peer *peers)
{
    int64_t deadline = clock_deadline(BOUND_NS);

    while (atomic_load(&shared->peers[peer->number].calls) == 0) {
        for (unsigned i = 0; i < PRODUCERS; i++)
            if (has_no_more(&peers[i]))
                return &peers[i];
        ck_assert_msg(!atomic_load(&shared->wrong), "%s", shared->fault);
        ck_assert_msg(clock_left(deadline) > 0, "it stands still");
        usleep(200);
    }
    return peer;
}

/* ------------------------------------------------------------- the test ----
 */

static void setup(void)
{
    children_setup();
    snprintf(folder, sizeof folder, "/dev/shm/weir-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("WEIR_QUEUE_DIR", folder, 1);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
}

static void teardown(void)
{
    weir_queue_unlink("calls", NULL);
    rmdir(folder);
    munmap(shared, sizeof *shared);
    children_teardown();
}

static void make_queue(void)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_error err = { 0 };
    int code;

    options.capacity = kind.capacity;
    options.bytes = 64 << 10;
    options.members = 16; /* one that is lost with each death would be missed */
    if (kind.named) {
        code = weir_queue_open_named("calls", &options, WEIR_QUEUE_CREATE,
                                     &queue, &err);
    } else {
        code = weir_context_open(NULL, &context, &err);
        if (code == 0)
            code = weir_queue_new(context, &options, &queue, &err);
    }
    ck_assert_msg(code == 0, "%s", err.text);
}

/* What a producer has put is there, and nothing that it has not tried to. */
static void expect_all_taken(void)
{
    unsigned items = 0, missing = 0;

    for (unsigned i = 0; i < born; i++) {
        unsigned end = NUMBERS;

        while (end > 0 && atomic_load(&shared->items[i][end - 1]) == 0)
            end--;
        ck_assert_uint_le(end, atomic_load(&shared->peers[i].tried));
        if (end < atomic_load(&shared->peers[i].put))
            end = atomic_load(&shared->peers[i].put);
        for (unsigned n = 0; n < end; n++)
            missing += atomic_load(&shared->items[i][n]) == 0;
        items += end;
    }
    printf("# %u items, %u got by those that were killed then\n", items,
           missing);
    ck_assert_uint_gt(items, 0);
    ck_assert_uint_le(missing, overlooked);
}

/* No slot and no chunk is lost: there is room for as many as it holds. */
static void expect_all_room(void)
{
    weir_slot slots[64];

    for (unsigned i = 0; i < kind.capacity; i++)
        ck_assert_int_eq(weir_queue_reserve(queue, 3000, 0, &slots[i]), 0);
    for (unsigned i = 0; i < kind.capacity; i++)
        ck_assert_int_eq(weir_queue_abandon(&slots[i]), 0);
}

static void expect_nothing_left(void)
{
    uint64_t chunks, touched;
    weir_queue_state state;

    if (kind.named) { /* who opens it looks after those that died last */
        weir_queue_free(&queue);
        ck_assert_int_eq(weir_queue_open_named("calls", NULL, 0, &queue, NULL),
                         0);
    }

    ck_assert_int_eq(weir_queue_snapshot(queue, &state), 0);
    ck_assert_uint_eq(state.size + state.leased + state.staged, 0);
    ck_assert_uint_eq(state.bytes, 0);
    ck_assert_uint_eq(state.producers_waiting + state.consumers_waiting, 0);
    ck_assert_int_eq(segment_store_used(queue_segment(queue), &chunks,
                                        &touched),
                     0);
    ck_assert_uint_eq(chunks, 0);
    if (kind.named)
        ck_assert_int_eq(weir_queue_members(queue, NULL, 0), 0);
}

/* Bits of _i: in batches; with a name; one consumer, and then in order. */
START_TEST(killed_at_random)
{
    const unsigned kills = getenv("WEIR_LONG") != NULL ? 1000 : 40;
    unsigned consumers, count, seed = 100 + (unsigned)_i;
    struct peer peers[PEERS];

    kind.batches = _i & 1;
    kind.named = _i & 2;
    kind.ordered = _i & 4;
    kind.capacity = kind.ordered ? 10 : 4;
    consumers = kind.ordered ? 1 : CONSUMERS_MOST;
    count = PRODUCERS + consumers;
    make_queue();
    for (unsigned i = 0; i < count; i++)
        launch(&peers[i], i >= PRODUCERS);
    for (unsigned i = 0; i < kills; i++) {
        struct peer *peer = &peers[(unsigned)rand_r(&seed) % count];

        peer = await_deeds(peer, peers);
        usleep((useconds_t)rand_r(&seed) % 2000);
        kill_it(peer);
        launch(peer, peer->consumer);
    }
    for (unsigned i = 0; i < PRODUCERS; i++)
        kill_it(&peers[i]);
    ck_assert_int_eq(weir_queue_wait_idle(queue, BOUND_NS), 0);
    expect_all_room();
    ck_assert_int_eq(weir_queue_close(queue), 0);
    for (unsigned i = PRODUCERS; i < count; i++)
        reap(&peers[i], false);
    expect_all_taken();
    expect_nothing_left();
    weir_queue_free(&queue);
    weir_context_close(&context);
}
END_TEST

static Suite *calls_suite(void)
{
    Suite *suite = suite_create("calls");
    TCase *tcase = tcase_create("killed");

    tcase_set_timeout(tcase, 600);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, killed_at_random, 0, 8);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    static Suite *(*const suites[])(void) = { calls_suite, NULL };

    return suites_main(suites);
}
