/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* named_calls.c - all calls of a queue that is opened by name, between
 * processes that share nothing but the name, and nobody looks after but they.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/queue.h>

#include "lib/suites.h"
#include "queue_rig.h"
#include "suites.h"
#include "watch.h"

static char folder[64];
static int fds_before;

static void setup(void)
{
    children_setup();
    snprintf(folder, sizeof folder, "/dev/shm/weir-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("WEIR_QUEUE_DIR", folder, 1);
    fds_before = watch_fds();
}

static int remove_one(const char *name, void *arg)
{
    (void)arg;
    return weir_queue_unlink(name, NULL);
}

static void teardown(void)
{
    ck_assert_int_eq(weir_queue_names(remove_one, NULL, NULL), 0);
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(watch_fds(), fds_before);
    children_teardown();
}

static weir_queue *make(const char *name, uint32_t capacity, uint32_t overflow)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue = NULL;

    options.capacity = capacity;
    options.overflow = overflow;
    options.members = 8;
    ck_assert_int_eq(weir_queue_open_named(name, &options, WEIR_QUEUE_CREATE,
                                           &queue, NULL),
                     0);
    return queue;
}

/* Another process, that opens queue "q", does this, and stays until it is
 * killed; its end of the pipe says that it is done, or that it failed. */
static pid_t other(int (*act)(weir_queue *queue))
{
    int told[2];
    char byte = '?';
    pid_t pid;

    ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        weir_queue *queue;

        if (weir_queue_open_named("q", NULL, 0, &queue, NULL) != 0 ||
            act(queue) != 0 || write(told[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(told[1]);
    watch_read(told[0], &byte, 1);
    close(told[0]);
    ck_assert_int_eq(byte, 'x');
    return pid;
}

static void kill_it(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static bool is_readable(weir_queue *queue, unsigned side)
{
    struct pollfd poller = { .fd = weir_queue_fd(queue, side),
                             .events = POLLIN };

    return poll(&poller, 1, clock_poll_ms(BOUND_NS)) == 1;
}

/* ------------------------------------------------------- in place, batches
 * ----
 */

static int submit_and_reserve(weir_queue *queue)
{
    unsigned number = 1;
    weir_slot slot;

    if (weir_queue_reserve(queue, 1000, 0, &slot) != 0)
        return 1;
    memcpy(slot.data, &number, sizeof number);
    return weir_queue_submit(&slot, sizeof number) != 0 ||
           weir_queue_reserve(queue, 1000, 0, &slot) != 0;
}

/* What another has submitted is here; what it has only reserved is nowhere. */
START_TEST(reserve_and_submit)
{
    weir_queue *queue = make("q", 2, 0);
    pid_t pid = other(submit_and_reserve);

    ck_assert_uint_eq(rig_state(queue).staged, 1);
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, 0), WEIR_EFULL);
    kill_it(pid);
    ck_assert_int_eq(weir_queue_put(queue, &(unsigned){ 2 }, sizeof(unsigned),
                                    0),
                     0);
    ck_assert_uint_eq(rig_get(queue), 1);
    ck_assert_uint_eq(rig_get(queue), 2);
    ck_assert_uint_eq(rig_state(queue).bytes, 0);
    weir_queue_free(&queue);
}
END_TEST

static int lease_three(weir_queue *queue)
{
    weir_lease leases[3];

    return weir_queue_lease_many(queue, leases, 3, 0) != 3 ||
           weir_queue_commit(&leases[1]) != 0 ||
           weir_queue_release(&leases[2]) != 0;
}

/* One of three is committed, one is given back, one is in a dead hand. */
START_TEST(lease_and_commit)
{
    weir_queue *queue = make("q", 4, 0);
    weir_lease lease;
    pid_t pid;

    for (unsigned i = 0; i < 3; i++)
        rig_put(queue, i);
    pid = other(lease_three);
    ck_assert_int_eq(weir_queue_lease(queue, 0, &lease), 0);
    ck_assert_uint_eq(rig_number(&lease), 2);
    ck_assert_int_eq(weir_queue_commit(&lease), 0);
    ck_assert_int_eq(weir_queue_lease(queue, 0, &lease), WEIR_EEMPTY);
    kill_it(pid);
    ck_assert_int_eq(weir_queue_lease(queue, BOUND_NS, &lease), 0);
    ck_assert_uint_eq(rig_number(&lease), 0);
    ck_assert_uint_eq(lease.attempt, 1);
    ck_assert_int_eq(weir_queue_commit(&lease), 0);
    weir_queue_free(&queue);
}
END_TEST

enum { MANY = 2000 };

static int put_two_thousand(weir_queue *queue)
{
    static unsigned numbers[MANY];
    static weir_bytes items[MANY];
    size_t put;

    for (unsigned i = 0; i < MANY; i++) {
        numbers[i] = i;
        items[i] = (weir_bytes){ &numbers[i], sizeof *numbers };
    }
    return weir_queue_put_many(queue, items, MANY, BOUND_NS, &put) != 0 ||
           weir_queue_close(queue) != 0;
}

static void *take_many(void *arg)
{
    unsigned got[64], next = 0;
    size_t sizes[64], count;
    int code;

    while ((code = weir_queue_get_many(arg, got, sizeof got, sizes, 64,
                                       BOUND_NS, &count)) == 0)
        for (size_t i = 0; i < count; i++)
            if (got[i] != next++)
                return (void *)"out of order";
    return code == WEIR_ECLOSED && next == MANY ? NULL : (void *)"not all";
}

START_TEST(put_and_get_many)
{
    weir_queue *queue = make("q", 7, 0);
    pthread_t thread;
    void *wrong;
    pid_t pid;

    pthread_create(&thread, NULL, take_many, queue);
    pid = other(put_two_thousand);
    pthread_join(thread, &wrong);
    ck_assert_ptr_null(wrong);
    kill_it(pid);
    weir_queue_free(&queue);
}
END_TEST

/* ------------------------------------------------------------- the end ---- */

static void *wait_idle(void *arg)
{
    return (void *)(intptr_t)weir_queue_wait_idle(arg, BOUND_NS);
}

static int lease_one(weir_queue *queue)
{
    weir_lease lease;

    return weir_queue_lease(queue, 0, &lease);
}

static int take_one(weir_queue *queue)
{
    weir_lease lease;

    return weir_queue_lease(queue, BOUND_NS, &lease) != 0 ||
           weir_queue_commit(&lease) != 0;
}

/* A holder dies: not all done. Another does it, in another process. */
START_TEST(all_done)
{
    weir_queue *queue = make("q", 4, 0);
    pthread_t thread;
    void *code;
    pid_t pid;

    rig_put(queue, 1);
    pid = other(lease_one);
    pthread_create(&thread, NULL, wait_idle, queue);
    kill_it(pid);
    rig_await(queue, size, 1); /* by the one who waits */
    pid = other(take_one);
    pthread_join(thread, &code);
    ck_assert_int_eq((intptr_t)code, 0);
    kill_it(pid);
    weir_queue_free(&queue);
}
END_TEST

static void *get_one(void *arg)
{
    char byte;
    size_t size;

    return (void *)(intptr_t)weir_queue_get(arg, &byte, 1, &size, BOUND_NS);
}

static int close_now(weir_queue *queue)
{
    uint64_t dropped = 9;

    return weir_queue_close_now(queue, &dropped) != 0 || dropped != 2;
}

/* By another; and what is in a third one's dead hand is dropped, too. */
START_TEST(closed_now)
{
    weir_queue *queue = make("q", 4, 0);
    pid_t holder, closer;
    pthread_t thread;
    void *code;

    for (unsigned i = 0; i < 3; i++)
        rig_put(queue, i);
    holder = other(lease_one);
    closer = other(close_now);
    ck_assert(rig_state(queue).closed);
    pthread_create(&thread, NULL, get_one, queue);
    rig_await(queue, consumers_waiting, 1);
    kill_it(holder);
    pthread_join(thread, &code);
    ck_assert_int_eq((intptr_t)code, WEIR_ECLOSED);
    ck_assert_uint_eq(rig_state(queue).dropped_closed, 3);
    ck_assert_int_eq(weir_queue_wait_idle(queue, 0), 0);
    kill_it(closer);
    weir_queue_free(&queue);
}
END_TEST

static int produce(weir_queue *queue)
{
    return weir_queue_produce(queue) != 0 || weir_queue_put(queue, "x", 1, 0);
}

/* Two registered ones: one is killed, or ends; with the last, it is closed. */
START_TEST(last_producer)
{
    weir_queue *queue = make("q", 4, 0);
    pid_t first = other(produce), last = other(produce);
    pthread_t thread;
    void *code;
    char byte;
    size_t size;

    ck_assert_uint_eq(rig_state(queue).producers, 2);
    kill_it(first);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(weir_queue_get(queue, &byte, 1, &size, 0), 0);
    pthread_create(&thread, NULL, get_one, queue);
    rig_await(queue, producers, 1);
    rig_await(queue, consumers_waiting, 1);
    ck_assert(!rig_state(queue).closed);
    kill_it(last);
    pthread_join(thread, &code);
    ck_assert_int_eq((intptr_t)code, WEIR_ECLOSED);
    ck_assert_int_eq(weir_queue_produce(queue), WEIR_ECLOSED);
    weir_queue_free(&queue);
}
END_TEST

static int produce_and_end(weir_queue *queue)
{
    return produce(queue) != 0 || weir_queue_produce_end(queue) != 0;
}

START_TEST(last_producer_ends)
{
    weir_queue *queue = make("q", 4, 0);
    pid_t pid = other(produce_and_end);
    char byte;
    size_t size;

    ck_assert(rig_state(queue).closed);
    ck_assert_int_eq(weir_queue_get(queue, &byte, 1, &size, 0), 0);
    ck_assert_int_eq(weir_queue_get(queue, &byte, 1, &size, 0), WEIR_ECLOSED);
    kill_it(pid);
    weir_queue_free(&queue);
}
END_TEST

/* ---------------------------------------------------------- event loops ----
 */

/* Who only polls, and calls when it is readable. */
START_TEST(poll_and_a_dead_holder)
{
    weir_queue *queue = make("q", 4, 0);
    int code = WEIR_EEMPTY;
    weir_lease lease;
    pid_t pid;

    rig_put(queue, 1);
    pid = other(lease_one);
    ck_assert_int_ge(weir_queue_fd(queue, WEIR_QUEUE_GET), 0);
    kill_it(pid);
    while (code == WEIR_EEMPTY) {
        ck_assert(is_readable(queue, WEIR_QUEUE_GET));
        code = weir_queue_lease(queue, 0, &lease);
    }
    ck_assert_int_eq(code, 0);
    ck_assert_uint_eq(lease.attempt, 1);
    ck_assert_int_eq(weir_queue_commit(&lease), 0);
    weir_queue_free(&queue);
}
END_TEST

static int put_one(weir_queue *queue)
{
    return weir_queue_put(queue, "x", 1, 0);
}

START_TEST(wait_for_any)
{
    weir_queue *queue = make("q", 2, 0), *beside = make("beside", 1, 0);
    weir_queue_watch watches[2] = {
        { .queue = beside, .sides = WEIR_QUEUE_GET },
        { .queue = queue, .sides = WEIR_QUEUE_GET },
    };
    pid_t pid;

    ck_assert_int_eq(weir_queue_wait_any(watches, 2, 0), WEIR_ETIMEDOUT);
    pid = other(put_one);
    ck_assert_int_eq(weir_queue_wait_any(watches, 2, BOUND_NS), 1);
    ck_assert_uint_eq(watches[1].ready, WEIR_QUEUE_GET);
    kill_it(pid);
    /* Full; until another takes one. */
    ck_assert_int_eq(put_one(queue), 0);
    watches[1].sides = WEIR_QUEUE_PUT;
    ck_assert_int_eq(weir_queue_wait_any(watches, 2, NS_PER_MS),
                     WEIR_ETIMEDOUT);
    pid = other(take_one);
    ck_assert_int_eq(weir_queue_wait_any(watches, 2, BOUND_NS), 1);
    ck_assert_uint_eq(watches[1].ready, WEIR_QUEUE_PUT);
    kill_it(pid);
    weir_queue_free(&queue);
    weir_queue_free(&beside);
}
END_TEST

/* ------------------------------------------------------------- overflow ----
 */

static int overflow_at_five(weir_queue *queue)
{
    int code = 0;

    for (unsigned i = 0; i < 5 && code == 0; i++)
        code = weir_queue_put(queue, &i, sizeof i, WEIR_FOREVER);
    return code != 0 && code != WEIR_EFULL;
}

/* It is the queue's, as it was made: who opens it has no say. */
START_TEST(overflow_is_the_queue_s)
{
    uint32_t policy = WEIR_OVERFLOW_FAIL + (unsigned)_i;
    weir_queue *queue = make("q", 3, policy), *again = make("q", 9, 0);
    pid_t pid = other(overflow_at_five);
    weir_queue_state state = rig_state(again);

    ck_assert_uint_eq(state.size, 3);
    ck_assert_uint_eq(state.dropped_new,
                      policy == WEIR_OVERFLOW_DROP_NEW ? 2 : 0);
    ck_assert_uint_eq(state.dropped_old,
                      policy == WEIR_OVERFLOW_DROP_OLD ? 2 : 0);
    ck_assert_uint_eq(rig_get(again), policy == WEIR_OVERFLOW_DROP_OLD ? 2 : 0);
    kill_it(pid);
    weir_queue_free(&queue);
    weir_queue_free(&again);
}
END_TEST

Suite *named_calls_suite(void)
{
    Suite *suite = suite_create("named_calls");
    TCase *tcase = tcase_create("calls");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, reserve_and_submit);
    tcase_add_test(tcase, lease_and_commit);
    tcase_add_test(tcase, put_and_get_many);
    tcase_add_test(tcase, all_done);
    tcase_add_test(tcase, closed_now);
    tcase_add_test(tcase, last_producer);
    tcase_add_test(tcase, last_producer_ends);
    tcase_add_test(tcase, poll_and_a_dead_holder);
    tcase_add_test(tcase, wait_for_any);
    tcase_add_loop_test(tcase, overflow_is_the_queue_s, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite;
}
