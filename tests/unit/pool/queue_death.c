/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue_death.c - core/pool/queue_serve.c: what the helper does for queues when
 * children die; and what becomes of them when the helper does. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weir/queue.h>

#include "lib/suites.h"
#include "suites.h"
#include "watch.h"

enum { CHILDREN = 4 };

static weir_context *context;

static void setup(void)
{
    weir_error err = { 0 };

    children_setup();
    ck_assert_msg(weir_context_open(NULL, &context, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    weir_context_close(&context);
    children_teardown();
}

static weir_queue *make(uint32_t capacity)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue = NULL;

    options.capacity = capacity;
    ck_assert_int_eq(weir_queue_new(context, &options, &queue, NULL), 0);
    return queue;
}

static weir_process *launch(int (*run)(weir_child *self), weir_queue *queue,
                            unsigned number)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = run,
                                     .argument = &number,
                                     .argument_size = sizeof number,
                                     .queues = &queue,
                                     .queue_count = 1 };
    weir_process *process;

    ck_assert_int_eq(weir_process_new(context, &options, &process, NULL), 0);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    return process;
}

static void kill_and_free(weir_process **process)
{
    ck_assert_int_eq(weir_process_kill(*process), 0);
    ck_assert_int_eq(weir_process_join(*process, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_free(process), 0);
}

struct stamp {
    unsigned child, number;
    char rest[120]; /* beyond what lies inline */
};

/* Numbers, one after the other, for ever. */
static int put_numbers(weir_child *self)
{
    struct stamp stamp = { 0 };

    memcpy(&stamp.child, weir_child_argument(self, NULL), sizeof stamp.child);
    memset(stamp.rest, (int)stamp.child, sizeof stamp.rest);
    while (weir_queue_put(weir_child_queue(self, 0), &stamp, sizeof stamp,
                          WEIR_FOREVER) == 0)
        stamp.number++;
    return 0;
}

static void check_stamp(const struct stamp *stamp, unsigned *next,
                        unsigned children)
{
    ck_assert_uint_lt(stamp->child, children);
    ck_assert_uint_eq(stamp->number, next[stamp->child]++);
    for (size_t i = 0; i < sizeof stamp->rest; i++)
        ck_assert_int_eq(stamp->rest[i], (char)stamp->child);
}

/* Producers are killed amid their puts: of each all numbers come, in order,
 * none twice, up to the one it was killed at. */
START_TEST(d8_producers_killed)
{
    const unsigned rounds = getenv("WEIR_LONG") != NULL ? 2000 : 50;
    unsigned *next = calloc(rounds + CHILDREN, sizeof *next);
    weir_queue *queue = make(_i == 0 ? 1 : 64);
    weir_process *children[CHILDREN];
    weir_queue_state state;
    struct stamp stamp;
    unsigned born = 0;
    size_t size;

    srand(17);
    for (; born < CHILDREN; born++)
        children[born] = launch(put_numbers, queue, born);
    while (born < rounds + CHILDREN) {
        for (int i = rand() % 100; i > 0; i--) {
            ck_assert_int_eq(weir_queue_get(queue, &stamp, sizeof stamp, &size,
                                            BOUND_NS),
                             0);
            check_stamp(&stamp, next, born);
        }
        kill_and_free(&children[born % CHILDREN]);
        children[born % CHILDREN] = launch(put_numbers, queue, born);
        born++;
    }
    for (unsigned i = 0; i < CHILDREN; i++)
        kill_and_free(&children[i]);
    while (weir_queue_get(queue, &stamp, sizeof stamp, &size, 0) == 0)
        check_stamp(&stamp, next, born);
    ck_assert_int_eq(weir_queue_snapshot(queue, &state), 0);
    ck_assert_uint_eq(state.size + state.leased + state.staged, 0);
    ck_assert_uint_eq(state.bytes, 0);
    weir_queue_free(&queue);
    free(next);
}
END_TEST

static int get_numbers(weir_child *self)
{
    struct stamp stamp;
    size_t size;

    while (weir_queue_get(weir_child_queue(self, 0), &stamp, sizeof stamp,
                          &size, WEIR_FOREVER) == 0)
        continue;
    return 0;
}

/* Consumers are killed amid their gets: nothing stays leased, no room is lost,
 * nobody sleeps beside work. */
START_TEST(d8_consumers_killed)
{
    const unsigned rounds = getenv("WEIR_LONG") != NULL ? 2000 : 50;
    weir_queue *queue = make(_i == 0 ? 1 : 64);
    weir_process *children[CHILDREN];
    weir_queue_state state;
    struct stamp stamp = { 0 };

    srand(19);
    for (unsigned i = 0; i < CHILDREN; i++)
        children[i] = launch(get_numbers, queue, i);
    for (unsigned round = 0; round < rounds; round++) {
        for (int i = rand() % 100; i > 0; i--)
            ck_assert_int_eq(weir_queue_put(queue, &stamp, sizeof stamp,
                                            BOUND_NS),
                             0);
        kill_and_free(&children[round % CHILDREN]);
        children[round % CHILDREN] = launch(get_numbers, queue, round);
    }
    ck_assert_int_eq(weir_queue_close(queue), 0);
    for (unsigned i = 0; i < CHILDREN; i++) {
        ck_assert_int_eq(weir_process_join(children[i], BOUND_NS), 0);
        ck_assert_int_eq(weir_process_free(&children[i]), 0);
    }
    ck_assert_int_eq(weir_queue_snapshot(queue, &state), 0);
    ck_assert_uint_eq(state.size + state.leased + state.staged, 0);
    weir_queue_free(&queue);
}
END_TEST

static void *get_one(void *arg)
{
    char c;
    size_t size;

    return (void *)(intptr_t)weir_queue_get(arg, &c, 1, &size, WEIR_FOREVER);
}

/* Without its helper nobody recovers: who waits, even for ever, is told. */
START_TEST(d8_helper_killed)
{
    weir_queue *queue = make(1);
    pthread_t thread;
    void *result;

    ck_assert_int_eq(pthread_create(&thread, NULL, get_one, queue), 0);
    kill(context_helper_pid(context), SIGKILL);
    pthread_join(thread, &result);
    ck_assert_int_eq((intptr_t)result, WEIR_EBROKEN);
    ck_assert_int_eq(weir_queue_put(queue, "a", 1, 0), WEIR_EBROKEN);
    weir_queue_free(&queue);
}
END_TEST

static int count_maps(pid_t pid)
{
    char path[64], line[512];
    int count = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL)
        count += strstr(line, "/memfd:weir") != NULL;
    fclose(file);
    return count;
}

/* The helper lets a queue go when nobody has it any more. */
START_TEST(helper_lets_go)
{
    pid_t helper = context_helper_pid(context);
    weir_queue *queue = make(4), *other = make(4);
    weir_process *child = launch(get_numbers, queue, 0);
    int64_t deadline = clock_deadline(BOUND_NS);

    ck_assert_int_eq(count_maps(helper), 2);
    weir_queue_free(&other);
    ck_assert_int_eq(count_maps(helper), 1);
    weir_queue_free(&queue);
    ck_assert_int_eq(count_maps(helper), 1); /* the child has it */
    kill_and_free(&child);
    while (count_maps(helper) > 0) {
        ck_assert_msg(clock_left(deadline) > 0, "it is still mapped");
        other = make(1); /* a question, to be looked at anew */
        weir_queue_free(&other);
    }
}
END_TEST

Suite *queue_death_suite(void)
{
    Suite *suite = suite_create("queue_death");
    TCase *tcase = tcase_create("killed");

    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, d8_producers_killed, 0, 2);
    tcase_add_loop_test(tcase, d8_consumers_killed, 0, 2);
    tcase_add_test(tcase, d8_helper_killed);
    tcase_add_test(tcase, helper_lets_go);
    suite_add_tcase(suite, tcase);
    return suite;
}
