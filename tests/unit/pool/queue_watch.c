/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue_watch.c - core/pool/queue_state.c, queue_watch.c: the forms of close,
 * what is dropped, producers, all done, and event loops. Trickles: one item,
 * then silence, so that a wake that is lost is seen. */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <weir/queue.h>

#include "lib/suites.h"
#include "queue_rig.h"
#include "suites.h"

enum { ROUNDS = 50 };

static bool is_readable(int fd, int64_t bound_ns)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

    return poll(&poll_fd, 1, clock_poll_ms(bound_ns)) == 1;
}

/* ---------------------------------------------------------------- close ----
 */

START_TEST(d3_shutdown)
{
    weir_queue *queue = rig_queue(4, 0);
    size_t size;

    rig_put(queue, 1);
    ck_assert_int_eq(weir_queue_close(queue), 0);
    ck_assert_int_eq(weir_queue_close(queue), 0);
    ck_assert_int_eq(weir_queue_put(queue, "", 0, 0), WEIR_ECLOSED);
    ck_assert_uint_eq(rig_get(queue), 1);
    ck_assert_int_eq(weir_queue_get(queue, NULL, 0, &size, 0), WEIR_ECLOSED);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(d3_shutdown_immediate)
{
    weir_queue *queue = rig_queue(100, 0);
    weir_lease leases[2];
    weir_slot slot;
    uint64_t dropped = 99;

    for (unsigned i = 0; i < 60; i++)
        rig_put(queue, i);
    ck_assert_int_eq(weir_queue_lease_many(queue, leases, 2, 0), 2);
    ck_assert_int_eq(weir_queue_reserve(queue, 1, 0, &slot), 0);
    ck_assert_int_eq(weir_queue_close_now(queue, &dropped), 0);
    ck_assert_uint_eq(dropped, 58);
    ck_assert_int_eq(weir_queue_close_now(queue, &dropped), 0);
    ck_assert_uint_eq(dropped, 0);
    ck_assert_int_eq(weir_queue_put(queue, "", 0, 0), WEIR_ECLOSED);
    /* What is leased goes on, or comes to nothing. */
    ck_assert_int_eq(weir_queue_commit(&leases[0]), 0);
    ck_assert_int_eq(weir_queue_release(&leases[1]), 0);
    ck_assert_int_eq(weir_queue_submit(&slot, 1), 0);
    ck_assert_int_eq(weir_queue_lease(queue, 0, leases), WEIR_ECLOSED);
    ck_assert_uint_eq(rig_state(queue).dropped_closed, 60);
    ck_assert_int_eq(weir_queue_wait_idle(queue, 0), 0);
    weir_queue_free(&queue);
}
END_TEST

static void *get_one(void *arg)
{
    char byte;
    size_t size;

    return (void *)(intptr_t)weir_queue_get(arg, &byte, 1, &size, BOUND_NS);
}

static void *put_one(void *arg)
{
    return (void *)(intptr_t)weir_queue_put(arg, "x", 1, BOUND_NS);
}

static void *wait_idle(void *arg)
{
    return (void *)(intptr_t)weir_queue_wait_idle(arg, BOUND_NS);
}

/* 0 drain, 1 now; while they wait. */
START_TEST(d8_close_while_both_sides_wait)
{
    weir_queue *full = rig_queue(1, 0), *empty = rig_queue(1, 0);
    pthread_t producers[2], consumers[2];
    void *result;

    rig_put(full, 1);
    for (int i = 0; i < 2; i++) {
        pthread_create(&producers[i], NULL, put_one, full);
        pthread_create(&consumers[i], NULL, get_one, empty);
    }
    rig_await(full, producers_waiting, 2);
    rig_await(empty, consumers_waiting, 2);
    ck_assert_int_eq(_i == 0 ? weir_queue_close(full)
                             : weir_queue_close_now(full, NULL),
                     0);
    ck_assert_int_eq(_i == 0 ? weir_queue_close(empty)
                             : weir_queue_close_now(empty, NULL),
                     0);
    for (int i = 0; i < 2; i++) {
        pthread_join(producers[i], &result);
        ck_assert_int_eq((intptr_t)result, WEIR_ECLOSED);
        pthread_join(consumers[i], &result);
        ck_assert_int_eq((intptr_t)result, WEIR_ECLOSED);
    }
    ck_assert_uint_eq(rig_state(full).dropped_closed, (unsigned)_i);
    weir_queue_free(&full);
    weir_queue_free(&empty);
}
END_TEST

/* ------------------------------------------------------------- producers ----
 */

static int produce(weir_child *self)
{
    weir_queue *queue = weir_child_queue(self, 0);

    if (weir_queue_produce(queue) != 0 || weir_queue_put(queue, "x", 1, 0) != 0)
        return 1;
    for (;;)
        pause();
}

/* The last registered one is killed, or says so: closed, who waits is told. */
START_TEST(d3_close_by_last_producer)
{
    weir_queue *queue = rig_queue(4, 0);
    weir_process *children[2];
    pthread_t consumer;
    void *result;
    char byte;
    size_t size;

    ck_assert_int_eq(weir_queue_produce_end(queue), WEIR_ESTATE);
    ck_assert_int_eq(weir_queue_produce(queue), 0);
    ck_assert_int_eq(weir_queue_produce(queue), WEIR_ESTATE);
    for (int i = 0; i < 2; i++)
        children[i] = rig_launch(produce, queue, 0);
    rig_await(queue, size, 2);
    ck_assert_uint_eq(rig_state(queue).producers, 3);
    if (_i == 0) {
        rig_kill(&children[0]);
        rig_kill(&children[1]);
        rig_await(queue, producers, 1);
    } else {
        ck_assert_int_eq(weir_queue_produce_end(queue), 0);
        rig_kill(&children[0]);
        rig_await(queue, producers, 1);
    }
    ck_assert(!rig_state(queue).closed);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(weir_queue_get(queue, &byte, 1, &size, 0), 0);
    pthread_create(&consumer, NULL, get_one, queue);
    rig_await(queue, consumers_waiting, 1);
    if (_i == 0)
        ck_assert_int_eq(weir_queue_produce_end(queue), 0);
    else
        rig_kill(&children[1]);
    pthread_join(consumer, &result);
    ck_assert_int_eq((intptr_t)result, WEIR_ECLOSED);
    ck_assert_int_eq(weir_queue_produce(queue), WEIR_ECLOSED);
    weir_queue_free(&queue);
}
END_TEST

/* -------------------------------------------------------------- all done ----
 */

START_TEST(d4_join)
{
    weir_queue *queue = rig_queue(4, 0);
    weir_lease lease;
    pthread_t waiter;
    void *result;

    ck_assert_int_eq(weir_queue_wait_idle(queue, 0), 0);
    ck_assert_int_eq(weir_queue_wait_idle(queue, -1), WEIR_EINVAL);
    for (int i = 0; i < ROUNDS; i++) {
        rig_put(queue, 1);
        ck_assert_int_eq(weir_queue_wait_idle(queue, 1), WEIR_ETIMEDOUT);
        pthread_create(&waiter, NULL, wait_idle, queue);
        ck_assert_int_eq(weir_queue_lease(queue, 0, &lease), 0);
        ck_assert_int_eq(weir_queue_release(&lease), 0);
        ck_assert_int_eq(weir_queue_lease(queue, 0, &lease), 0);
        ck_assert_int_eq(weir_queue_commit(&lease), 0);
        pthread_join(waiter, &result);
        ck_assert_int_eq((intptr_t)result, 0);
    }
    rig_put(queue, 1);
    ck_assert_int_eq(weir_queue_cancel(queue, true), 0);
    ck_assert_int_eq(weir_queue_wait_idle(queue, BOUND_NS), WEIR_ECANCELED);
    weir_queue_free(&queue);
}
END_TEST

/* ----------------------------------------------------------- event loops ----
 */

static int trickle(weir_child *self)
{
    weir_queue *in = weir_child_queue(self, 0);

    for (int i = 0; i < ROUNDS; i++)
        if (weir_queue_put(in, "x", 1, 0) != 0 ||
            weir_queue_wait_idle(in, BOUND_NS) != 0)
            return 1;
    return weir_queue_close(in);
}

START_TEST(d7_descriptor_of_the_get_side)
{
    weir_queue *queue = rig_queue(4, 0);
    int fd = weir_queue_fd(queue, WEIR_QUEUE_GET), got = 0, code = 0;
    weir_process *child;
    char byte;
    size_t size;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(weir_queue_fd(queue, WEIR_QUEUE_GET), fd);
    ck_assert_int_eq(weir_queue_fd(queue, 3), WEIR_EINVAL);
    ck_assert(!is_readable(fd, 0));
    child = rig_launch(trickle, queue, 0);
    while (code != WEIR_ECLOSED) {
        ck_assert(is_readable(fd, BOUND_NS));
        code = weir_queue_get(queue, &byte, 1, &size, 0);
        got += code == 0;
        ck_assert(code == 0 || code == WEIR_EEMPTY || code == WEIR_ECLOSED);
    }
    ck_assert_int_eq(got, ROUNDS);
    ck_assert(is_readable(fd, 0));
    rig_join(&child, 0);
    weir_queue_free(&queue);
}
END_TEST

/* Readable as long as something is there; not readable after a get that found
 * nothing; made when something is there already. */
START_TEST(d7_descriptor_is_level)
{
    weir_queue *queue = rig_queue(2, 0);
    char byte;
    size_t size;
    int get, put;

    rig_put(queue, 1);
    rig_put(queue, 2);
    get = weir_queue_fd(queue, WEIR_QUEUE_GET);
    put = weir_queue_fd(queue, WEIR_QUEUE_PUT);
    ck_assert(is_readable(get, 0) && is_readable(get, 0));
    ck_assert(!is_readable(put, 0));
    ck_assert_uint_eq(rig_get(queue), 1);
    ck_assert(is_readable(get, 0) && is_readable(put, 0));
    ck_assert_int_eq(weir_queue_put(queue, "y", 1, 0), 0);
    ck_assert_int_eq(weir_queue_put(queue, "z", 1, 0), WEIR_EFULL);
    ck_assert(!is_readable(put, 0));
    ck_assert_uint_eq(rig_get(queue), 2);
    ck_assert(is_readable(get, 0) && is_readable(put, 0));
    ck_assert_int_eq(weir_queue_get(queue, &byte, 1, &size, 0), 0);
    ck_assert_int_eq(weir_queue_get(queue, &byte, 1, &size, 0), WEIR_EEMPTY);
    ck_assert(!is_readable(get, 0));
    rig_put(queue, 3);
    ck_assert(is_readable(get, 0));
    weir_queue_free(&queue);
}
END_TEST

/* An item of a killed holder is seen by who polls. */
static int hold(weir_child *self)
{
    weir_lease lease;

    if (weir_queue_lease(weir_child_queue(self, 0), WEIR_FOREVER, &lease) != 0)
        return 1;
    for (;;)
        pause();
}

START_TEST(d8_descriptor_and_a_killed_holder)
{
    weir_queue *queue = rig_queue(2, 0);
    weir_process *child;
    char byte[4];
    size_t size;
    int fd;

    rig_put(queue, 1);
    child = rig_launch(hold, queue, 0);
    rig_await(queue, leased, 1);
    fd = weir_queue_fd(queue, WEIR_QUEUE_GET);
    ck_assert(!is_readable(fd, 0));
    rig_kill(&child);
    ck_assert(is_readable(fd, BOUND_NS));
    ck_assert_int_eq(weir_queue_get(queue, byte, 4, &size, 0), 0);
    weir_queue_free(&queue);
}
END_TEST

static int put_later(weir_child *self)
{
    weir_queue *queue = weir_child_queue(self, 0);
    weir_lease lease;

    /* The other one's answer comes in the same queue's place. */
    for (int i = 0; i < ROUNDS; i++)
        if (weir_queue_lease(queue, BOUND_NS, &lease) != 0 ||
            weir_queue_commit(&lease) != 0)
            return 1;
    return 0;
}

START_TEST(d7_wait_any)
{
    weir_queue *queues[3] = { rig_queue(1, 0), rig_queue(1, 0),
                              rig_queue(1, 0) };
    weir_queue_watch watches[3];
    weir_process *child = rig_launch(put_later, queues[2], 0);

    for (unsigned i = 0; i < 3; i++)
        watches[i] = (weir_queue_watch){
            .queue = queues[i],
            .sides = i < 2 ? WEIR_QUEUE_GET : WEIR_QUEUE_PUT,
            .size = 1,
        };
    ck_assert_int_eq(weir_queue_wait_any(watches, 0, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_wait_any(watches, 2, 0), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_queue_wait_any(watches, 2, NS_PER_MS),
                     WEIR_ETIMEDOUT);
    rig_put(queues[1], 5);
    ck_assert_int_eq(weir_queue_wait_any(watches, 2, BOUND_NS), 1);
    ck_assert_uint_eq(watches[0].ready, 0);
    ck_assert_uint_eq(watches[1].ready, WEIR_QUEUE_GET);
    ck_assert_uint_eq(rig_get(queues[1]), 5);
    for (int i = 0; i < ROUNDS;) {
        ck_assert_int_eq(weir_queue_wait_any(watches, 3, BOUND_NS), 1);
        ck_assert_uint_eq(watches[2].ready, WEIR_QUEUE_PUT);
        i += weir_queue_put(queues[2], "x", 1, 0) == 0;
    }
    rig_join(&child, 0);
    ck_assert_int_eq(weir_queue_cancel(queues[0], true), 0);
    ck_assert_int_eq(weir_queue_wait_any(watches, 2, BOUND_NS), WEIR_ECANCELED);
    for (unsigned i = 0; i < 3; i++)
        weir_queue_free(&queues[i]);
}
END_TEST

static void *wait_for_one(void *arg)
{
    weir_queue_watch watch = { .queue = arg, .sides = WEIR_QUEUE_GET };

    return (void *)(intptr_t)weir_queue_wait_any(&watch, 1, BOUND_NS);
}

START_TEST(d7_cancel_of_wait_any)
{
    weir_queue *queue = rig_queue(1, 0);

    for (int i = 0; i < 10; i++) {
        pthread_t threads[2];
        void *result;

        for (int t = 0; t < 2; t++)
            pthread_create(&threads[t], NULL, wait_for_one, queue);
        usleep(1000); /* either way it is right */
        ck_assert_int_eq(weir_queue_cancel(queue, true), 0);
        for (int t = 0; t < 2; t++) {
            pthread_join(threads[t], &result);
            ck_assert_int_eq((intptr_t)result, WEIR_ECANCELED);
        }
        ck_assert_int_eq(weir_queue_cancel(queue, false), 0);
    }
    weir_queue_free(&queue);
}
END_TEST

/* --------------------------------------------------------------- overflow ----
 */

START_TEST(d3_overflow_fails)
{
    weir_queue *queue = rig_queue(1, WEIR_OVERFLOW_FAIL);

    rig_put(queue, 1);
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, WEIR_FOREVER), WEIR_EFULL);
    ck_assert_uint_eq(rig_get(queue), 1);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(d3_overflow_drops_new)
{
    weir_queue *queue = rig_queue(2, WEIR_OVERFLOW_DROP_NEW);
    weir_slot slot;

    for (unsigned i = 0; i < 5; i++)
        rig_put(queue, i);
    ck_assert_int_eq(weir_queue_reserve(queue, 1, WEIR_FOREVER, &slot),
                     WEIR_EFULL);
    ck_assert_uint_eq(rig_state(queue).dropped_new, 3);
    ck_assert_uint_eq(rig_get(queue), 0);
    ck_assert_uint_eq(rig_get(queue), 1);
    ck_assert_uint_eq(rig_state(queue).size, 0);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(d3_overflow_drops_old)
{
    weir_queue *queue = rig_queue(2, WEIR_OVERFLOW_DROP_OLD);
    unsigned numbers[4] = { 5, 6, 7, 8 };
    weir_bytes items[4];
    weir_lease leases[2];
    size_t count;

    for (unsigned i = 0; i < 5; i++)
        rig_put(queue, i);
    ck_assert_uint_eq(rig_state(queue).dropped_old, 3);
    ck_assert_uint_eq(rig_get(queue), 3);
    ck_assert_uint_eq(rig_get(queue), 4);
    for (unsigned i = 0; i < 4; i++)
        items[i] = (weir_bytes){ &numbers[i], sizeof numbers[i] };
    ck_assert_int_eq(weir_queue_put_many(queue, items, 4, 0, &count), 0);
    ck_assert_uint_eq(count, 4);
    ck_assert_int_eq(weir_queue_lease_many(queue, leases, 2, 0), 2);
    ck_assert_uint_eq(rig_number(&leases[0]), 7);
    /* All of it is leased: nothing that could be dropped. */
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, WEIR_FOREVER), WEIR_EFULL);
    ck_assert_uint_eq(rig_state(queue).dropped_old, 5);
    weir_queue_free(&queue);
}
END_TEST

static int put_for_ever(weir_child *self)
{
    weir_queue *queue = weir_child_queue(self, 0);

    for (unsigned i = 0;; i++)
        if (weir_queue_put(queue, &i, sizeof i, 0) != 0)
            return 1;
}

/* Killed anywhere: what was got and what was dropped are all that was put, and
 * numbers only leave gaps that are counted. */
START_TEST(d8_drops_are_counted_under_kills)
{
    weir_queue *queue = rig_queue(3, WEIR_OVERFLOW_DROP_OLD);
    uint64_t left = 0;

    for (int round = 0; round < 20; round++) {
        uint64_t before = rig_state(queue).dropped_old, gaps = 0;
        weir_process *child = rig_launch(put_for_ever, queue, 0);
        unsigned next = 0, number;
        size_t size;

        for (int i = 0; i < 30 + round; i++) {
            number = rig_get(queue);
            ck_assert_uint_ge(number, next);
            gaps += number - next;
            next = number + 1;
        }
        rig_kill(&child);
        while (weir_queue_get(queue, &number, sizeof number, &size, 0) == 0) {
            if (number < next) { /* was in the dead hand, to be dropped */
                gaps--;
                continue;
            }
            gaps += number - next;
            next = number + 1;
        }
        left = rig_state(queue).dropped_old - before;
        /* It may have dropped all there was, and died before its put. */
        ck_assert_uint_ge(left, gaps);
        ck_assert_uint_le(left, gaps + 3);
        ck_assert_int_eq(weir_queue_wait_idle(queue, BOUND_NS), 0);
    }
    weir_queue_free(&queue);
}
END_TEST

Suite *queue_watch_suite(void)
{
    Suite *suite = suite_create("queue_watch");
    TCase *tcase = tcase_create("watch");

    tcase_add_checked_fixture(tcase, rig_setup, rig_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, d3_shutdown);
    tcase_add_test(tcase, d3_shutdown_immediate);
    tcase_add_loop_test(tcase, d8_close_while_both_sides_wait, 0, 2);
    tcase_add_loop_test(tcase, d3_close_by_last_producer, 0, 2);
    tcase_add_test(tcase, d4_join);
    tcase_add_test(tcase, d7_descriptor_of_the_get_side);
    tcase_add_test(tcase, d7_descriptor_is_level);
    tcase_add_test(tcase, d8_descriptor_and_a_killed_holder);
    tcase_add_test(tcase, d7_wait_any);
    tcase_add_test(tcase, d7_cancel_of_wait_any);
    tcase_add_test(tcase, d3_overflow_fails);
    tcase_add_test(tcase, d3_overflow_drops_new);
    tcase_add_test(tcase, d3_overflow_drops_old);
    tcase_add_test(tcase, d8_drops_are_counted_under_kills);
    suite_add_tcase(suite, tcase);
    return suite;
}
