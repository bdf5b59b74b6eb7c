/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * d3.c - Queue (d3), JoinableQueue and SimpleQueue (d4) and Pipe (d7) of
 * Python's multiprocessing, and ours: tests named after each. Those of put,
 * get, their _nowait, qsize, empty, full, close and fork are in queue.c, those
 * of shutdown, close, join and the wait for any of several in queue_watch.c,
 * task_done and join with a dead consumer in queue_place.c.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <weir/queue.h>

#include "lib/suites.h"
#include "queue_rig.h"
#include "suites.h"

/* At least 1, and what is leased counts: there is no unbounded form. */
START_TEST(d3_queue_maxsize)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue = NULL;
    weir_error err = { 0 };
    weir_lease lease;

    options.capacity = 0;
    ck_assert_int_eq(weir_queue_new(rig_context, &options, &queue, &err),
                     WEIR_EINVAL);
    ck_assert_msg(strstr(err.text, "capacity") != NULL, "%s", err.text);
    queue = rig_queue(1, 0);
    rig_put(queue, 1);
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, 0), WEIR_EFULL);
    ck_assert_int_eq(weir_queue_lease(queue, 0, &lease), 0);
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, 0), WEIR_EFULL);
    ck_assert_int_eq(weir_queue_commit(&lease), 0);
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, 0), 0);
    weir_queue_free(&queue);
}
END_TEST

enum { ENOUGH = 500 };

/* Puts, and is gone in one of three ways: it ends, at once, or is killed. */
static int put_and_go(weir_child *self)
{
    weir_queue *queue = weir_child_queue(self, 0);
    unsigned how;

    memcpy(&how, weir_child_argument(self, NULL), sizeof how);
    for (unsigned i = 0; i < ENOUGH; i++)
        if (weir_queue_put(queue, &i, sizeof i, 0) != 0)
            return 1;
    if (how == 1)
        _exit(0);
    if (how == 2)
        kill(getpid(), SIGKILL);
    return 0;
}

/* All of it is there: nothing sends in the background. */
static void expect_all_put(unsigned how)
{
    weir_queue *queue = rig_queue(ENOUGH, 0);
    weir_process *child = rig_launch(put_and_go, queue, how);
    size_t size;

    ck_assert_int_eq(weir_process_join(child, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_free(&child), 0);
    ck_assert_uint_eq(rig_state(queue).size, ENOUGH);
    for (unsigned i = 0; i < ENOUGH; i++)
        ck_assert_uint_eq(rig_get(queue), i);
    ck_assert_int_eq(weir_queue_get(queue, NULL, 0, &size, 0), WEIR_EEMPTY);
    weir_queue_free(&queue);
}

START_TEST(d3_put_by_one_who_is_killed)
{
    expect_all_put(2);
}
END_TEST

START_TEST(d3_join_thread)
{
    expect_all_put(0);
}
END_TEST

START_TEST(d3_cancel_join_thread)
{
    expect_all_put(1);
}
END_TEST

static int get_for_ever(weir_child *self)
{
    char byte;
    size_t size;

    return weir_queue_get(weir_child_queue(self, 0), &byte, 1, &size,
                          WEIR_FOREVER);
}

/* A reader that is killed while it waits keeps nobody out; and what was put is
 * there for the next call, at once. */
START_TEST(d3_get_beside_one_who_is_killed)
{
    weir_queue *queue = rig_queue(4, 0);
    weir_process *child = rig_launch(get_for_ever, queue, 0);
    size_t size;
    char byte;

    rig_await(queue, consumers_waiting, 1);
    rig_kill(&child);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(weir_queue_put(queue, "x", 1, 0), 0);
        ck_assert_int_eq(weir_queue_get(queue, &byte, 1, &size, 0), 0);
    }
    weir_queue_free(&queue);
}
END_TEST

/* Of publication; and what is given back is the next again. */
START_TEST(d3_order)
{
    weir_queue *queue = rig_queue(8, 0);
    weir_lease leases[2];
    weir_slot slot;

    rig_put(queue, 1);
    ck_assert_int_eq(weir_queue_reserve(queue, sizeof(unsigned), 0, &slot), 0);
    rig_put(queue, 2);
    memcpy(slot.data, &(unsigned){ 3 }, sizeof(unsigned));
    ck_assert_int_eq(weir_queue_submit(&slot, sizeof(unsigned)), 0);
    rig_put(queue, 4);
    ck_assert_int_eq(weir_queue_lease_many(queue, leases, 2, 0), 2);
    ck_assert_int_eq(weir_queue_release(&leases[1]), 0);
    ck_assert_int_eq(weir_queue_release(&leases[0]), 0);
    for (unsigned i = 1; i <= 4; i++)
        ck_assert_uint_eq(rig_get(queue), i);
    weir_queue_free(&queue);
}
END_TEST

/* ------------------------------------------------------------------- d4 ----
 */

/* Unfinished is what is ready, leased or being put: nothing is counted. */
START_TEST(d4_joinable_queue_put)
{
    weir_queue *queue = rig_queue(4, 0);
    weir_lease lease;
    weir_slot slot;

    rig_put(queue, 1);
    ck_assert_int_eq(weir_queue_wait_idle(queue, 0), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_queue_lease(queue, 0, &lease), 0);
    ck_assert_int_eq(weir_queue_wait_idle(queue, 0), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_queue_reserve(queue, 1, 0, &slot), 0);
    ck_assert_int_eq(weir_queue_commit(&lease), 0);
    ck_assert_int_eq(weir_queue_wait_idle(queue, 0), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_queue_abandon(&slot), 0);
    ck_assert_int_eq(weir_queue_wait_idle(queue, 0), 0);
    /* What a copying get takes is done with. */
    rig_put(queue, 2);
    ck_assert_uint_eq(rig_get(queue), 2);
    ck_assert_int_eq(weir_queue_wait_idle(queue, 0), 0);
    weir_queue_free(&queue);
}
END_TEST

/* One of capacity 1, with time limits, and a use after close that is told. */
START_TEST(d4_simple_queue)
{
    weir_queue *queue = rig_queue(1, 0);
    size_t size;

    ck_assert(rig_state(queue).empty);
    rig_put(queue, 1);
    ck_assert(!rig_state(queue).empty);
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, NS_PER_MS), WEIR_ETIMEDOUT);
    ck_assert_uint_eq(rig_get(queue), 1);
    ck_assert_int_eq(weir_queue_close(queue), 0);
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, 0), WEIR_ECLOSED);
    ck_assert_int_eq(weir_queue_get(queue, NULL, 0, &size, 0), WEIR_ECLOSED);
    ck_assert(rig_state(queue).empty && rig_state(queue).closed);
    weir_queue_free(&queue);
}
END_TEST

/* ------------------------------------------------------------------- d7 ----
 */

/* Takes what comes, until the end. */
static int read_on(weir_child *self)
{
    weir_queue *queue = weir_child_queue(self, 0);
    weir_lease lease;
    int code = 0;

    while (code == 0) {
        code = weir_queue_lease(queue, WEIR_FOREVER, &lease);
        if (code == 0)
            code = weir_queue_commit(&lease);
    }
    return code == WEIR_ECLOSED ? 0 : 1;
}

/* send_bytes, poll, recv_bytes_into a buffer that is too short, EOF. */
START_TEST(d7_pipe_buffer_too_short)
{
    weir_queue *queue = rig_queue(4, 0);
    int fd = weir_queue_fd(queue, WEIR_QUEUE_GET);
    struct pollfd poller = { .fd = fd, .events = POLLIN };
    char out[80] = "";
    weir_bytes items[3] = { { "first", 5 }, { "", 0 }, { out, sizeof out } };
    size_t size = 99, sizes[3], count;

    ck_assert_int_eq(poll(&poller, 1, 0), 0);
    ck_assert_int_eq(weir_queue_put_many(queue, items, 3, 0, &count), 0);
    ck_assert_int_eq(poll(&poller, 1, 0), 1);
    for (size_t room = 0; room < 5; room++) {
        ck_assert_int_eq(weir_queue_get(queue, out, room, &size, 0), -EMSGSIZE);
        ck_assert_uint_eq(size, 5);
    }
    ck_assert_uint_eq(rig_state(queue).size, 3);
    ck_assert_int_eq(weir_queue_get(queue, out, size, &size, 0), 0);
    ck_assert_int_eq(memcmp(out, "first", 5), 0);
    ck_assert_int_eq(weir_queue_get(queue, NULL, 0, &size, 0), 0);
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(weir_queue_get_many(queue, out, 79, sizes, 3, 0, &count),
                     -EMSGSIZE);
    ck_assert_uint_eq(sizes[0], 80);
    ck_assert_int_eq(weir_queue_close(queue), 0);
    ck_assert_int_eq(weir_queue_get_many(queue, out, 80, sizes, 3, 0, &count),
                     0);
    /* The end is told each time, and to who polls. */
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(weir_queue_get(queue, out, 80, &size, 0),
                         WEIR_ECLOSED);
        ck_assert_int_eq(poll(&poller, 1, 0), 1);
    }
    weir_queue_free(&queue);
}
END_TEST

/* The end of a stream is seen by another process, after all that was sent. */
START_TEST(d7_pipe_end)
{
    weir_queue *queue = rig_queue(2, 0);
    weir_process *child = rig_launch(read_on, queue, 0);

    for (unsigned i = 0; i < 20; i++)
        rig_put(queue, i);
    ck_assert_int_eq(weir_queue_close(queue), 0);
    rig_join(&child, 0);
    ck_assert_int_eq(weir_queue_wait_idle(queue, 0), 0);
    weir_queue_free(&queue);
}
END_TEST

Suite *d3_suite(void)
{
    Suite *suite = suite_create("d3");
    TCase *tcase = tcase_create("rows");

    tcase_add_checked_fixture(tcase, rig_setup, rig_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, d3_queue_maxsize);
    tcase_add_test(tcase, d3_put_by_one_who_is_killed);
    tcase_add_test(tcase, d3_join_thread);
    tcase_add_test(tcase, d3_cancel_join_thread);
    tcase_add_test(tcase, d3_get_beside_one_who_is_killed);
    tcase_add_test(tcase, d3_order);
    tcase_add_test(tcase, d4_joinable_queue_put);
    tcase_add_test(tcase, d4_simple_queue);
    tcase_add_test(tcase, d7_pipe_buffer_too_short);
    tcase_add_test(tcase, d7_pipe_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
