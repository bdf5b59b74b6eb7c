/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue.c - kills in a pipeline over core/queue: at random from outside, and
 * amid a trickle of items; nothing is lost, doubled, torn or left over. And
 * each mutation of the protocol is noticed. Every named step has its rows in
 * matrix.c.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "crash/flow.h"
#include "lib/suites.h"

static bool is_long(void)
{
    return getenv("WEIR_LONG") != NULL;
}

static void expect_whole(const struct flow *flow)
{
    struct flow_result result;

    flow_run(flow, &result);
    ck_assert_msg(result.fault[0] == '\0',
                  "%s (kind %d%s, capacity %u, batch %u, size %u, point %s:%u, "
                  "seed %u, %u kills)",
                  result.fault, flow->kind,
                  flow->ordered ? ", ordered"
                  : flow->keyed ? ", keyed"
                                : "",
                  flow->capacity, flow->batch, flow->size,
                  flow->point ? flow->point : "none", flow->nth, flow->seed,
                  result.kills);
    printf("# %u kills\n", result.kills);
}

/* ---------------------------------------------------------- undisturbed ----
 */

static const uint32_t capacities[] = { 1, 7, 64, 1024 };
static const uint32_t batches[] = { 1, 8, 32 };
static const uint32_t sizes[] = { 16, 65536 };

START_TEST(undisturbed)
{
    for (unsigned kind = FLOW_COPY; kind <= FLOW_PARTS; kind++) {
        struct flow flow = { .kind = kind,
                             .items = 2000,
                             .capacity = capacities[_i],
                             .batch = 8,
                             .size = 200,
                             .outputs = 5,
                             .workers = 3,
                             .appenders = 2,
                             .member = -1,
                             .limit_ms = 20000 };

        expect_whole(&flow);
    }
}
END_TEST

/* -------------------------------------------------------------- random ---- */

START_TEST(random_kills)
{
    unsigned capacity = (unsigned)_i % 4, batch = (unsigned)_i / 4 % 3;
    unsigned size = (unsigned)_i / 12;

    for (unsigned kind = FLOW_COPY; kind <= FLOW_PARTS; kind++) {
        struct flow flow = { .kind = kind,
                             .items = size != 0 ? 300 : 3000,
                             .capacity = capacities[capacity],
                             .batch = batches[batch],
                             .size = sizes[size],
                             .outputs = 10,
                             .workers = 3,
                             .appenders = 2,
                             .kills = is_long() ? 300 : 12,
                             .direct = kind % 2 == 0,
                             .member = -1,
                             .seed = 1000 + 10 * (unsigned)_i + kind,
                             .limit_ms = 60000 };

        if (is_long())
            flow.items *= 20;
        expect_whole(&flow);
    }
}
END_TEST

/* --------------------------------------------------------------- order ---- */

/* Small byte bounds, too: what is held may fill them. */
START_TEST(in_order)
{
    static const uint32_t small[] = { 1, 2, 7, 64 };

    for (unsigned kind = FLOW_COPY; kind <= FLOW_PARTS; kind++) {
        struct flow flow = { .kind = kind,
                             .ordered = true,
                             .drops = _i % 3 == 0 ? 0 : 5,
                             .items = is_long() ? 10000 : 400,
                             .capacity = small[_i % 4],
                             .batch = batches[_i % 3],
                             .size = _i % 2 ? 200 : 16,
                             .bytes = _i % 2 ? 700 : 0,
                             .outputs = 10,
                             .workers = 4,
                             .appenders = 1,
                             .kills = _i < 4      ? 0
                                      : is_long() ? 300
                                                  : 12,
                             .member = -1,
                             .seed = 100 + 10 * (unsigned)_i + kind,
                             .limit_ms = 60000 };

        expect_whole(&flow);
    }
}
END_TEST

/* ---------------------------------------------------------------- keys ----
 */

/* Each key's items come in order, from one worker. */
START_TEST(by_key)
{
    for (unsigned kind = FLOW_COPY; kind <= FLOW_PARTS; kind++) {
        struct flow flow = { .kind = kind,
                             .keyed = true,
                             .items = is_long() ? 20000 : 600,
                             .capacity = capacities[_i % 4],
                             .batch = batches[_i % 3],
                             .size = _i % 2 ? 200 : 16,
                             .outputs = 10,
                             .workers = 4,
                             .appenders = 1,
                             .kills = _i < 4      ? 0
                                      : is_long() ? 400
                                                  : 12,
                             .member = -1,
                             .seed = 300 + 10 * (unsigned)_i + kind,
                             .limit_ms = 60000 };

        expect_whole(&flow);
    }
}
END_TEST

/* Where it takes its lane, which it does once in its life. */
START_TEST(at_its_lane)
{
    struct flow flow = { .kind = FLOW_COPY,
                         .keyed = true,
                         .items = 300,
                         .capacity = 7,
                         .batch = 8,
                         .size = 16,
                         .workers = 3,
                         .appenders = 1,
                         .point = "queue.lane.served",
                         .nth = 1,
                         .exact = true,
                         .deaths = is_long() ? 100 : 10,
                         .member = -1,
                         .limit_ms = 20000 };
    struct flow_result result;

    flow_run(&flow, &result);
    ck_assert_str_eq(result.fault, "");
    ck_assert_uint_ge(result.kills, flow.deaths);
}
END_TEST

/* ------------------------------------------------------------- trickle ---- */

/* A few items, then silence: what stands still is not repaired by traffic. */
START_TEST(trickle)
{
    static const char *const steps[] = {
        NULL,
        "wait.sleep",
        "wait.woken",
        "wait.wake",
        "queue.wake.chosen",
        "queue.sleep.bit",
        "queue.spin.begun",
        "queue.lease.word",
        "queue.commit.open",
        "queue.slots.unlocked",
    };
    struct flow flow = { .kind = FLOW_COPY,
                         .items = 300,
                         .capacity = 64,
                         .batch = 8,
                         .size = 16,
                         .workers = 4,
                         .appenders = 2,
                         .trickle = 1,
                         .kills = steps[_i] == NULL ? 20 : 0,
                         .point = steps[_i],
                         .nth = 2,
                         .deaths = is_long() ? 100 : 15,
                         .member = -1,
                         .seed = (unsigned)_i,
                         .limit_ms = 20000 };

    expect_whole(&flow);
}
END_TEST

/* ----------------------------------------------------------- mutations ---- */

static const struct mutant {
    const char *name;
    struct flow flow; /* what makes it show */
} mutants[] = {
    { "publish-before-commit",
      { .kind = FLOW_COPY, .batch = 8, .point = "queue.commit.mutant" } },
    { "free-before-commit",
      { .kind = FLOW_COPY, .batch = 8, .point = "queue.commit.mutant" } },
    { "idle-before-publish",
      { .kind = FLOW_COPY,
        .batch = 8,
        .point = "queue.commit.mutant",
        .nth = 2 } },
    { "word-before-pos",
      { .kind = FLOW_COPY, .batch = 8, .point = "queue.ready.mutant" } },
    { "lease-word-first",
      { .kind = FLOW_COPY, .batch = 8, .point = "queue.lease.mutant" } },
    { "stage-word-first",
      { .kind = FLOW_COPY, .batch = 8, .point = "queue.stage.mutant" } },
    { "stays-committed",
      { .kind = FLOW_COPY,
        .batch = 8,
        .point = "queue.stage.word",
        .nth = 20 } },
    { "blind-redo",
      { .kind = FLOW_COPY,
        .batch = 8,
        .point = "queue.ready.word",
        .nth = 3,
        .share = 1 } },
    { "no-recovery-wake",
      { .kind = FLOW_COPY, .batch = 8, .trickle = 1, .point = "wait.wake" } },
    { "token-is-enough",
      { .kind = FLOW_COPY, .batch = 1, .trickle = 1, .point = "wait.wake" } },
    { "no-wake", { .kind = FLOW_COPY, .batch = 8 } },
    { "private-futex", { .kind = FLOW_COPY, .batch = 1, .trickle = 1 } },
    { "sink-length-stored",
      { .kind = FLOW_COPY, .batch = 8, .point = "queue.sink.raised" } },
    { "no-rebuild",
      { .kind = FLOW_COPY, .batch = 8, .point = "queue.ready.word" } },
    { "not-held", { .ordered = true, .batch = 1 } },
    { "next-ignored", { .ordered = true, .batch = 1 } },
    { "free-before-hold",
      { .ordered = true, .batch = 1, .point = "queue.commit.mutant" } },
    { "no-order-recovery",
      { .ordered = true,
        .batch = 1,
        .trickle = 1,
        .point = "queue.order.freed" } },
    { "last-slot", { .ordered = true, .batch = 1, .capacity = 2 } },
    { "first-waits", { .ordered = true, .batch = 1, .capacity = 1 } },
    { "lane-back-last",
      { .keyed = true, .batch = 8, .point = "queue.commit.before" } },
    { "lane-unsorted",
      { .keyed = true, .batch = 1, .point = "queue.lane.linked", .nth = 4 } },
    { "wait-with-staged",
      { .kind = FLOW_PARTS, .outputs = 3, .batch = 8, .share = 1 } },
};

START_TEST(mutation)
{
    const struct mutant *mutant = &mutants[_i];
    struct flow flow = mutant->flow;
    struct flow_result result;
    unsigned round = 0;

    flow.items = flow.items ? flow.items : 400;
    flow.capacity = flow.capacity ? flow.capacity : 16;
    flow.size = 16;
    flow.workers = flow.workers ? flow.workers : 4;
    flow.appenders = flow.ordered || flow.keyed ? 1 : 2;
    if (flow.point != NULL && flow.deaths == 0)
        flow.deaths = 40;
    flow.nth = flow.nth ? flow.nth : 1;
    flow.member = -1;
    flow.limit_ms = 3000;
    ck_assert_int_eq(setenv("WEIR_MUTANT", mutant->name, 1), 0);
    do {
        flow.seed = round;
        flow_run(&flow, &result);
    } while (result.fault[0] == '\0' && ++round < 40);
    ck_assert_msg(result.fault[0] != '\0', "%s was not noticed", mutant->name);
    printf("# %s: %s\n", mutant->name, result.fault);
}
END_TEST

static Suite *queue_suite(void)
{
    Suite *suite = suite_create("queue");
    TCase *test = tcase_create("kills");
    int seconds = is_long() ? 3600 : 120;

    tcase_set_timeout(test, seconds);
    tcase_add_checked_fixture(test, children_setup, children_teardown);
    tcase_add_loop_test(test, undisturbed, 0, 4);
    tcase_add_loop_test(test, random_kills, 0, 24);
    tcase_add_loop_test(test, in_order, 0, 12);
    tcase_add_loop_test(test, by_key, 0, 12);
    tcase_add_test(test, at_its_lane);
    tcase_add_loop_test(test, trickle, 0, 10);
    suite_add_tcase(suite, test);
    test = tcase_create("mutations");
    tcase_set_timeout(test, seconds);
    tcase_add_checked_fixture(test, children_setup, children_teardown);
    tcase_add_loop_test(test, mutation, 0, sizeof mutants / sizeof *mutants);
    suite_add_tcase(suite, test);
    return suite;
}

int main(void)
{
    static Suite *(*const suites[])(void) = { queue_suite, NULL };

    return suites_main(suites);
}
