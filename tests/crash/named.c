/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * named.c - named queues, whose members have nobody but each other: one dies at
 * each named step of what it does, and who recovers it dies at each step of
 * that; then a third one comes and finds the queue as it was before or after
 * the call.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/queue.h>

#include "base/base.h"
#include "lib/points.h"
#include "lib/suites.h"
#include "pool/queue_named.h"

enum { CAPACITY = 4, LARGE = 3000 };

#define BOUND_NS (60 * NS_PER_S)

static char folder[64];
static weir_queue *watcher; /* has a descriptor, if the act wants one */

static void setup(void)
{
    children_setup();
    snprintf(folder, sizeof folder, "/dev/shm/weir-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("WEIR_QUEUE_DIR", folder, 1);
}

static int remove_one(const char *name, void *arg)
{
    (void)arg;
    weir_queue_unlink(name, NULL);
    return 0;
}

static void teardown(void)
{
    weir_queue_free(&watcher);
    weir_queue_names(remove_one, NULL, NULL);
    rmdir(folder);
    children_teardown();
}

/* -------------------------------------------------------- what is done ---- */

/* Items are letters, all of one size. */
struct act {
    const char *name;
    int (*perform)(weir_queue *queue, size_t size);
    size_t size;
    const char *before; /* what is in the queue */
    const char *after;
    const char *also;  /* what may be, when it was killed */
    bool makes;        /* there is no queue before */
    bool closes;       /* it is closed afterwards */
    uint32_t overflow; /* of the queue */
    uint64_t drops;    /* so many are dropped, and counted */
    enum weir_queue_side watched;
};

static int put_letter(weir_queue *queue, size_t size, char letter)
{
    char data[LARGE];

    memset(data, letter, size);
    return weir_queue_put(queue, data, size, 0);
}

static int put(weir_queue *queue, size_t size)
{
    return put_letter(queue, size, 'c');
}

static int put_many(weir_queue *queue, size_t size)
{
    char data[2][LARGE];
    weir_bytes items[2] = { { data[0], size }, { data[1], size } };
    size_t count;

    memset(data[0], 'c', size);
    memset(data[1], 'd', size);
    return weir_queue_put_many(queue, items, 2, 0, &count);
}

static int submit(weir_queue *queue, size_t size)
{
    weir_slot slot;
    int code = weir_queue_reserve(queue, size + 9, 0, &slot);

    if (code == 0)
        memset(slot.data, 'c', size);
    return code != 0 ? code : weir_queue_submit(&slot, size);
}

static int abandon(weir_queue *queue, size_t size)
{
    weir_slot slot;
    int code = weir_queue_reserve(queue, size, 0, &slot);

    return code != 0 ? code : weir_queue_abandon(&slot);
}

static int get(weir_queue *queue, size_t size)
{
    char data[LARGE];

    return weir_queue_get(queue, data, size, &size, 0);
}

static int get_many(weir_queue *queue, size_t size)
{
    char data[CAPACITY * LARGE];
    size_t sizes[CAPACITY], count;

    (void)size;
    return weir_queue_get_many(queue, data, sizeof data, sizes, CAPACITY, 0,
                               &count);
}

static int commit(weir_queue *queue, size_t size)
{
    weir_lease leases[2];
    int code = weir_queue_lease_many(queue, leases, 2, 0);

    (void)size;
    for (int i = 0; i < 2 && code >= 0; i++)
        code = weir_queue_commit(&leases[i]);
    return code;
}

static int release(weir_queue *queue, size_t size)
{
    weir_lease leases[2];
    int code = weir_queue_lease_many(queue, leases, 2, 0);

    (void)size;
    for (int i = 1; i >= 0 && code >= 0; i--)
        code = weir_queue_release(&leases[i]);
    return code;
}

static int produce(weir_queue *queue, size_t size)
{
    int code = weir_queue_produce(queue);

    if (code == 0)
        code = put(queue, size);
    return code != 0 ? code : weir_queue_produce_end(queue);
}

static int close_it(weir_queue *queue, size_t size)
{
    (void)size;
    return weir_queue_close(queue);
}

static int close_now(weir_queue *queue, size_t size)
{
    (void)size;
    return weir_queue_close_now(queue, NULL);
}

static const struct act acts[] = {
    { "put", put, 8, "ab", .after = "abc" },
    { "make", put, 8, "", .after = "c", .makes = true },
    { "put, large", put, LARGE, "ab", .after = "abc" },
    { "put many", put_many, 8, "ab", .after = "abcd" },
    { "put many, large", put_many, LARGE, "ab", .after = "abcd" },
    { "submit", submit, 8, "ab", .after = "abc" },
    { "submit, large", submit, LARGE - 9, "ab", .after = "abc" },
    { "abandon", abandon, LARGE, "ab", .after = "ab" },
    { "get", get, 8, "ab", .after = "b" },
    { "get, large", get, LARGE, "ab", .after = "b" },
    { "get many", get_many, 8, "abc", .after = "" },
    { "get many, large", get_many, LARGE, "ab", .after = "" },
    { "commit", commit, 8, "ab", .after = "", .also = "b" },
    { "release", release, 8, "ab", .after = "ab" },
    { "produce", produce, 8, "ab", .after = "abc", .closes = true },
    { "close", close_it, 8, "ab", .after = "ab", .closes = true },
    { "close now", close_now, LARGE, "ab", .after = "", .closes = true,
      .drops = 2 },
    { "drop the new", put, 8, "abcd", .after = "abcd",
      .overflow = WEIR_OVERFLOW_DROP_NEW, .drops = 1 },
    { "drop the old", put, LARGE, "abde", .after = "bdec", .also = "bde",
      .overflow = WEIR_OVERFLOW_DROP_OLD, .drops = 1 },
    { "put, watched", put, 8, "", .after = "c", .watched = WEIR_QUEUE_GET },
    { "get, watched", get, 8, "abcd", .after = "bcd",
      .watched = WEIR_QUEUE_PUT },
};

enum { ACTS = sizeof acts / sizeof *acts };

static weir_queue *open_it(const struct act *act)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue = NULL;
    weir_error err = { 0 };

    options.capacity = CAPACITY;
    options.members = 8;
    options.bytes = 16 << 10;
    options.overflow = act->overflow;
    ck_assert_msg(weir_queue_open_named("q", &options, WEIR_QUEUE_CREATE,
                                        &queue, &err) == 0,
                  "%s", err.text);
    return queue;
}

static void perform(const struct act *act)
{
    weir_queue *queue = open_it(act);

    if (act->perform(queue, act->size) != 0)
        _exit(2);
    weir_queue_free(&queue);
    _exit(0);
}

/* What one does who comes after a death: opens, which recovers. */
static void visit(const struct act *act)
{
    weir_queue *queue = open_it(act);

    weir_queue_free(&queue);
    _exit(0);
}

/* ---------------------------------------------------------------- dying ----
 */

/* A child that passes this point for the nth time; NULL: none. True: it was
 * killed there. */
static bool in_child(void (*act)(const struct act *), const struct act *what,
                     const char *point, unsigned nth)
{
    char spec[128] = "";
    int status;
    pid_t pid;

    if (point != NULL)
        snprintf(spec, sizeof spec, "%s:%u:kill", point, nth);
    pid = fork();
    if (pid == 0) {
        fault_start(spec, -1);
        act(what);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0 ||
                      (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL),
                  "%s, at %s:%u: status 0x%x", what->name, point, nth, status);
    return status != 0;
}

/* A new queue, with what is in it before; or none. */
static void prepare(const struct act *act)
{
    weir_queue *queue;

    weir_queue_free(&watcher);
    weir_queue_unlink("q", NULL);
    if (act->makes)
        return;
    queue = open_it(act);
    for (const char *letter = act->before; *letter != '\0'; letter++)
        ck_assert_int_eq(put_letter(queue, act->size, *letter), 0);
    if (act->watched != 0)
        ck_assert_int_ge(weir_queue_fd(queue, act->watched), 0);
    if (act->watched != 0)
        watcher = queue;
    else
        weir_queue_free(&queue);
}

static void learn(void (*act)(const struct act *), const struct act *what,
                  struct points *points)
{
    points_trace();
    in_child(act, what, NULL, 0);
    points_read(points);
}

/* ------------------------------------------------------------ afterwards ----
 */

/* Who only polls comes to know of it, whoever was killed before it told. */
static void expect_readable(const struct act *act, const char *where)
{
    struct pollfd poller = { .fd = weir_queue_fd(watcher, act->watched),
                             .events = POLLIN };
    weir_queue_state state;
    bool reason;

    do {
        ck_assert_msg(poll(&poller, 1, clock_poll_ms(BOUND_NS)) == 1,
                      "%s, %s: nobody tells", act->name, where);
        ck_assert_int_eq(weir_queue_snapshot(watcher, &state), 0);
        reason = act->watched == WEIR_QUEUE_GET ? !state.empty : !state.full;
        /* Readable for nothing: a call finds that, and looks after the dead. */
    } while (!reason && (act->watched == WEIR_QUEUE_GET
                             ? get(watcher, act->size) == WEIR_EEMPTY
                             : put(watcher, act->size) == WEIR_EFULL));
}

static void drain(weir_queue *queue, const struct act *act, char *letters)
{
    char data[LARGE];
    size_t size, count = 0;

    while (weir_queue_get(queue, data, sizeof data, &size, 0) == 0) {
        ck_assert_uint_eq(size, act->size);
        for (size_t i = 1; i < size; i++)
            ck_assert_int_eq(data[i], data[0]);
        ck_assert_uint_lt(count, CAPACITY);
        letters[count++] = data[0];
    }
    letters[count] = '\0';
}

static bool is_allowed(const struct act *act, bool killed, const char *letters,
                       const weir_queue_state *state)
{
    bool is_after = strcmp(letters, act->after) == 0;
    uint64_t dropped = state->dropped_new + state->dropped_old +
                       state->dropped_closed;

    if (!killed)
        return is_after && state->closed == act->closes &&
               dropped == act->drops;
    if (act->perform == close_now)
        return state->closed ? is_after && dropped == act->drops
                             : strcmp(letters, act->before) == 0;
    if (act->overflow == WEIR_OVERFLOW_DROP_OLD)
        return dropped == (letters[0] != act->before[0]) &&
               (dropped == 0 || is_after || strcmp(letters, act->also) == 0);
    return (is_after || strcmp(letters, act->before) == 0 ||
            (act->also != NULL && strcmp(letters, act->also) == 0)) &&
           (!state->closed || act->closes) && dropped <= act->drops;
}

/* There is room again for as much as there was. */
static void expect_room(weir_queue *queue, const struct act *act)
{
    weir_slot slots[CAPACITY + 1];

    for (int i = 0; i < CAPACITY; i++)
        ck_assert_int_eq(weir_queue_reserve(queue, act->size, 0, &slots[i]), 0);
    ck_assert_int_eq(weir_queue_reserve(queue, act->size, 0, &slots[CAPACITY]),
                     WEIR_EFULL);
    for (int i = 0; i < CAPACITY; i++)
        ck_assert_int_eq(weir_queue_abandon(&slots[i]), 0);
}

/* As before or after the call; whole; and nothing of the dead is left. */
static void check(const struct act *act, bool killed, const char *where)
{
    char letters[CAPACITY + 1];
    uint64_t chunks, touched;
    weir_queue *queue = open_it(act);
    weir_queue_state state;

    ck_assert_int_eq(weir_queue_snapshot(queue, &state), 0);
    ck_assert_msg(state.leased == 0 && state.staged == 0 &&
                      state.producers == 0,
                  "%s, %s: %u leased, %u staged, %u producers", act->name,
                  where, state.leased, state.staged, state.producers);
    ck_assert_int_eq(weir_queue_members(queue, NULL, 0), 0);
    drain(queue, act, letters);
    ck_assert_int_eq(weir_queue_snapshot(queue, &state), 0);
    ck_assert_msg(is_allowed(act, killed, letters, &state),
                  "%s, %s: '%s' is in the queue, %s, %d dropped", act->name,
                  where, letters, state.closed ? "closed" : "open",
                  (int)(state.dropped_new + state.dropped_old +
                        state.dropped_closed));
    ck_assert_int_eq(segment_store_used(queue_segment(queue), &chunks,
                                        &touched),
                     0);
    ck_assert_msg(chunks == 0, "%s: %d chunks are left", where, (int)chunks);
    if (!state.closed)
        expect_room(queue, act);
    weir_queue_free(&queue);
}

/* --------------------------------------------------------------- tests ---- */

static bool is_long(void)
{
    return getenv("WEIR_LONG") != NULL;
}

/* At each step, the first and second time it is passed. */
START_TEST(at_each_step)
{
    const struct act *act = &acts[_i];
    struct points points = { 0 };
    unsigned kills = 0;

    prepare(act);
    learn(perform, act, &points);
    for (unsigned i = 0; i < points.count; i++) {
        /* locks are taken when it is opened, too */
        unsigned most = strncmp(points.at[i], "lock.", 5) == 0 ? 8 : 2;

        for (unsigned nth = 1; nth <= most * (is_long() ? 3 : 1); nth++) {
            bool killed;

            prepare(act);
            killed = in_child(perform, act, points.at[i], nth);
            kills += killed;
            /* Here all was done, and nobody was told. */
            if (act->watched != 0 && strcmp(points.at[i], "bell.ring") == 0)
                expect_readable(act, points.at[i]);
            check(act, killed, points.at[i]);
        }
    }
    printf("# %s: %u points, %u kills\n", act->name, points.count, kills);
    ck_assert_uint_ge(kills, points.count / 2);
}
END_TEST

START_TEST(all_points)
{
    struct points points = { 0 };

    for (unsigned i = 0; i < ACTS; i++) {
        prepare(&acts[i]);
        learn(perform, &acts[i], &points);
    }
    prepare(&acts[0]);
    in_child(perform, &acts[0], "queue.ready.word", 1); /* in the lock */
    learn(visit, &acts[0], &points);
    points_expect(&points, "tests/crash/named.c");
}
END_TEST

/* And who recovers dies, at each step of that. */
START_TEST(in_recovery)
{
    const struct act *act = &acts[_i];
    struct points points = { 0 };
    unsigned kills = 0, round = (unsigned)_i;

    prepare(act);
    learn(perform, act, &points);
    for (unsigned i = 0; i < points.count; i++) {
        struct points steps = { 0 };

        prepare(act);
        if (!in_child(perform, act, points.at[i], 1))
            continue;
        learn(visit, act, &steps);
        for (unsigned k = 0; k < steps.count; k++) {
            if (!is_long() && strstr(steps.at[k], "rebuil") == NULL &&
                ++round % 13 != 0)
                continue;
            prepare(act);
            in_child(perform, act, points.at[i], 1);
            kills += in_child(visit, act, steps.at[k], 1);
            check(act, true, steps.at[k]);
        }
    }
    printf("# %s: %u kills of who recovered\n", act->name, kills);
    ck_assert_uint_gt(kills, 2);
}
END_TEST

Suite *named_suite(void);
Suite *named_suite(void)
{
    Suite *suite = suite_create("named");
    TCase *tcase = tcase_create("points");

    tcase_set_timeout(tcase, is_long() ? 1800 : 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, at_each_step, 0, ACTS);
    tcase_add_test(tcase, all_points);
    tcase_add_loop_test(tcase, in_recovery, 0, ACTS);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    static Suite *(*const suites[])(void) = { named_suite, NULL };

    return suites_main(suites);
}
