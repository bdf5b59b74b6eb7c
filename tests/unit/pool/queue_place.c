/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue_place.c - core/pool/queue_lease.c, and the batches of queue_copy.c:
 * items in place, and many at once. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/queue.h>

#include "lib/suites.h"
#include "queue_rig.h"
#include "suites.h"
#include "watch.h"

START_TEST(d3_reserve_and_submit)
{
    static const size_t sizes[] = { 0, 5, 64, 65, 5000 };
    size_t room = sizes[_i];
    weir_queue *queue = rig_queue(4, 0);
    weir_slot slot, copy;
    weir_lease lease;

    ck_assert_int_eq(weir_queue_reserve(queue, room, 0, &slot), 0);
    ck_assert_uint_eq(slot.size, room);
    ck_assert_uint_eq(rig_state(queue).staged, 1);
    ck_assert_int_eq(weir_queue_lease(queue, 0, &lease), WEIR_EEMPTY);
    memset(slot.data, 'x', room);
    ck_assert_int_eq(weir_queue_submit(&slot, room + 1), WEIR_EINVAL);
    copy = slot;
    ck_assert_int_eq(weir_queue_submit(&slot, room - room / 2), 0);
    ck_assert_int_eq(weir_queue_submit(&slot, 0), WEIR_ESTATE);
    ck_assert_int_eq(weir_queue_submit(&copy, 0), WEIR_ESTATE);
    ck_assert_int_eq(weir_queue_abandon(&copy), WEIR_ESTATE);
    ck_assert_int_eq(weir_queue_lease(queue, 0, &lease), 0);
    ck_assert_uint_eq(lease.size, room - room / 2);
    for (size_t i = 0; i < lease.size; i++)
        ck_assert_int_eq(((const char *)lease.data)[i], 'x');
    ck_assert_int_eq(weir_queue_commit(&lease), 0);
    ck_assert_int_eq(weir_queue_reserve(queue, room, 0, &slot), 0);
    ck_assert_int_eq(weir_queue_abandon(&slot), 0);
    ck_assert_int_eq(weir_queue_wait_idle(queue, 0), 0);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(d4_task_done)
{
    weir_queue *queue = rig_queue(4, 0);
    weir_lease lease, copy, other;

    rig_put(queue, 1);
    rig_put(queue, 2);
    ck_assert_int_eq(weir_queue_lease(queue, 0, &lease), 0);
    copy = lease;
    ck_assert_uint_eq(lease.attempt, 0);
    ck_assert_uint_ne(lease.id.root, 0);
    ck_assert_uint_eq(rig_state(queue).leased, 1);
    ck_assert_int_eq(weir_queue_commit(&lease), 0);
    ck_assert_int_eq(weir_queue_commit(&lease), WEIR_ESTATE);
    /* The same entry holds another item by now: it is not touched. */
    ck_assert_int_eq(weir_queue_lease(queue, 0, &other), 0);
    ck_assert_int_eq(weir_queue_commit(&copy), WEIR_ESTATE);
    ck_assert_int_eq(weir_queue_release(&copy), WEIR_ESTATE);
    ck_assert_uint_eq(rig_state(queue).leased, 1);
    ck_assert_uint_eq(rig_number(&other), 2);
    ck_assert_int_eq(weir_queue_release(&other), 0);
    ck_assert_uint_eq(rig_state(queue).size, 1);
    ck_assert_uint_eq(rig_get(queue), 2);
    ck_assert_int_eq(weir_queue_commit(NULL), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_commit(&(weir_lease){ .data = NULL }),
                     WEIR_ESTATE);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(d3_lease_many)
{
    weir_queue *queue = rig_queue(64, 0);
    weir_lease leases[40];
    size_t count = 0;

    for (unsigned i = 0; i < 40; i++)
        rig_put(queue, i);
    ck_assert_int_eq(weir_queue_lease_many(queue, leases, 40, 0), 32);
    ck_assert_int_eq(weir_queue_lease_many(queue, leases + 32, 8, 0), 8);
    ck_assert_int_eq(weir_queue_lease_many(queue, leases, 1, 0), WEIR_EEMPTY);
    for (unsigned i = 0; i < 40; i++)
        ck_assert_uint_eq(rig_number(&leases[i]), i);
    for (unsigned i = 0; i < 40; i += 2, count++)
        ck_assert_int_eq(weir_queue_commit(&leases[i]), 0);
    for (unsigned i = 39; i < 40; i -= 2)
        ck_assert_int_eq(weir_queue_release(&leases[i]), 0);
    ck_assert_uint_eq(rig_state(queue).leased, 0);
    for (unsigned i = 1; i < 40; i += 2)
        ck_assert_uint_eq(rig_get(queue), i);
    /* Freed with what it holds: that is there for the others. */
    rig_put(queue, 7);
    ck_assert_int_eq(weir_queue_lease_many(queue, leases, 2, 0), 1);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(d3_put_and_get_many)
{
    weir_queue *queue = rig_queue(10, 0);
    unsigned in[25], out[25];
    weir_bytes items[25];
    size_t sizes[25], count = 99;

    for (unsigned i = 0; i < 25; i++) {
        in[i] = i;
        items[i] = (weir_bytes){ &in[i], sizeof in[i] };
    }
    ck_assert_int_eq(weir_queue_put_many(queue, items, 25, 0, &count),
                     WEIR_EFULL);
    ck_assert_uint_eq(count, 10);
    ck_assert_int_eq(weir_queue_put_many(queue, items, 1, NS_PER_MS, &count),
                     WEIR_ETIMEDOUT);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(weir_queue_get_many(queue, out, 3, sizes, 25, 0, &count),
                     -EMSGSIZE);
    ck_assert_uint_eq(sizes[0], sizeof *in);
    ck_assert_int_eq(weir_queue_get_many(queue, out, 15, sizes, 25, 0, &count),
                     0);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(weir_queue_get_many(queue, out + 3, sizeof out, sizes, 25,
                                         BOUND_NS, &count),
                     0);
    ck_assert_uint_eq(count, 7);
    ck_assert_int_eq(memcmp(in, out, 10 * sizeof *in), 0);
    ck_assert_int_eq(weir_queue_get_many(queue, out, sizeof out, sizes, 25, 0,
                                         &count),
                     WEIR_EEMPTY);
    ck_assert_int_eq(weir_queue_put_many(queue, items, 0, 0, &count), 0);
    weir_queue_close(queue);
    ck_assert_int_eq(weir_queue_put_many(queue, items, 2, 0, &count),
                     WEIR_ECLOSED);
    ck_assert_uint_eq(count, 0);
    weir_queue_free(&queue);
}
END_TEST

/* More than the queue holds, to a child that takes them. */
static int take_all(weir_child *self)
{
    weir_queue *queue = weir_child_queue(self, 0);
    unsigned out[16], next = 0;
    size_t sizes[16], count;

    while (weir_queue_get_many(queue, out, sizeof out, sizes, 16, WEIR_FOREVER,
                               &count) == 0)
        for (size_t i = 0; i < count; i++)
            if (out[i] != next++)
                return 1;
    return next == 1000 ? 0 : 2;
}

START_TEST(d3_many_through_a_small_queue)
{
    weir_queue *queue = rig_queue(3, 0);
    weir_process *process = rig_launch(take_all, queue, 0);
    unsigned in[1000];
    weir_bytes items[1000];
    size_t count;

    for (unsigned i = 0; i < 1000; i++) {
        in[i] = i;
        items[i] = (weir_bytes){ &in[i], sizeof in[i] };
    }
    ck_assert_int_eq(weir_queue_put_many(queue, items, 1000, BOUND_NS, &count),
                     0);
    ck_assert_uint_eq(count, 1000);
    weir_queue_close(queue);
    rig_join(&process, 0);
    weir_queue_free(&queue);
}
END_TEST

/* Of a forked child, nothing is its own. */
START_TEST(d8_leases_and_fork)
{
    weir_queue *queue = rig_queue(4, 0);
    weir_lease lease;
    weir_slot slot;
    int status;
    pid_t pid;

    rig_put(queue, 1);
    ck_assert_int_eq(weir_queue_lease(queue, 0, &lease), 0);
    ck_assert_int_eq(weir_queue_reserve(queue, 9, 0, &slot), 0);
    pid = fork();
    if (pid == 0) {
        int bad = weir_queue_commit(&lease) != WEIR_EPROCESS ||
                  weir_queue_submit(&slot, 1) != WEIR_EPROCESS ||
                  weir_queue_fd(queue, WEIR_QUEUE_GET) != WEIR_EPROCESS ||
                  weir_queue_wait_idle(queue, 0) != WEIR_EPROCESS ||
                  weir_queue_produce(queue) != WEIR_EPROCESS;

        weir_queue_free(&queue);
        _exit(bad);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(weir_queue_commit(&lease), 0);
    ck_assert_int_eq(weir_queue_submit(&slot, 1), 0);
    weir_queue_free(&queue);
}
END_TEST

/* A holder is killed: both items are at the head, in order, charged. */
static int hold_two(weir_child *self)
{
    weir_queue *queue = weir_child_queue(self, 0);
    weir_lease leases[2];
    weir_slot slot;

    if (weir_queue_lease_many(queue, leases, 2, WEIR_FOREVER) != 2 ||
        weir_queue_reserve(queue, 1, 0, &slot) != 0)
        return 1;
    return weir_queue_wait_idle(queue, WEIR_FOREVER);
}

START_TEST(d4_join_with_a_dead_consumer)
{
    weir_queue *queue = rig_queue(4, 0);
    weir_process *process;
    weir_lease leases[3];

    for (unsigned i = 0; i < 3; i++)
        rig_put(queue, i);
    process = rig_launch(hold_two, queue, 0);
    rig_await(queue, staged, 1);
    ck_assert_uint_eq(rig_state(queue).leased, 2);
    ck_assert_int_eq(weir_queue_wait_idle(queue, 0), WEIR_ETIMEDOUT);
    rig_kill(&process);
    ck_assert_int_eq(weir_queue_lease_many(queue, leases, 3, BOUND_NS), 3);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(rig_number(&leases[i]), i);
        ck_assert_uint_eq(leases[i].attempt, i < 2);
        ck_assert_int_eq(weir_queue_commit(&leases[i]), 0);
    }
    ck_assert_int_eq(weir_queue_wait_idle(queue, BOUND_NS), 0);
    weir_queue_free(&queue);
}
END_TEST

Suite *queue_place_suite(void)
{
    Suite *suite = suite_create("queue_place");
    TCase *tcase = tcase_create("place");

    tcase_add_checked_fixture(tcase, rig_setup, rig_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, d3_reserve_and_submit, 0, 5);
    tcase_add_test(tcase, d4_task_done);
    tcase_add_test(tcase, d3_lease_many);
    tcase_add_test(tcase, d3_put_and_get_many);
    tcase_add_test(tcase, d3_many_through_a_small_queue);
    tcase_add_test(tcase, d8_leases_and_fork);
    tcase_add_test(tcase, d4_join_with_a_dead_consumer);
    suite_add_tcase(suite, tcase);
    return suite;
}
