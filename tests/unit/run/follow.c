/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow.c - tests of core/run/follow.c: a worker that is asked to leave. Who
 * follows is tested by tests/cli/run-recycle.sh. */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"

static struct rig rig;

/* "leave" has the owner ask for it; "later" fails in its first attempt. */
static int run(weir_call *call)
{
    weir_bytes in = weir_input(call);
    unsigned *count = weir_state(call);

    if (in.size == 5 && memcmp(in.data, "leave", 5) == 0)
        member_ask_leave(rig.segment, RIG_WORKER);
    if (in.size == 5 && memcmp(in.data, "later", 5) == 0 &&
        weir_attempt(call) == 1)
        return weir_fail(call, WEIR_TRANSIENT, "not now");
    if (count)
        ++*count;
    return 0;
}

static int sum_open(weir_call *call)
{
    weir_set_state(call, calloc(1, sizeof(unsigned)));
    return 0;
}

/* Whatever is called here finds no entry of the segment. */
static int sum_close(weir_call *call)
{
    weir_heartbeat(call);
    ck_assert(!weir_overdue(call));
    ck_assert(!weir_stopping(call));
    ck_assert_int_eq(weir_emit(call, 0, "x", 1), WEIR_ESTATE);
    free(weir_state(call));
    return 0;
}

static int sum_save(weir_call *call, int fd)
{
    return write(fd, weir_state(call), sizeof(unsigned)) == sizeof(unsigned)
               ? 0
               : WEIR_FATAL;
}

static int sum_load(weir_call *call, int fd)
{
    return read(fd, weir_state(call), sizeof(unsigned)) == sizeof(unsigned)
               ? 0
               : WEIR_FATAL;
}

static const weir_task takes = { .name = "takes", .run = run };
static const weir_task sums = { .name = "sums",
                                .run = run,
                                .open = sum_open,
                                .close = sum_close,
                                .save = sum_save,
                                .load = sum_load };

static void begin(const weir_task *task)
{
    rig_init(&rig, task, 64, 64);
    rig.worker.post.recycled = true;
    rig.worker.post.sync = true; /* each by itself */
}

/* How many messages of this kind there are. */
static unsigned heard(enum news_kind kind)
{
    struct news news;
    unsigned count = 0;

    while (recv(rig.news[0], &news, sizeof news, MSG_DONTWAIT) > 0)
        count += news.kind == kind;
    return count;
}

START_TEST(leaves_with_its_state_saved)
{
    begin(&sums);
    rig_put(&rig, "1", NULL);
    rig_put(&rig, "leave", NULL);
    rig_put(&rig, "3", NULL);
    ck_assert_int_eq(worker_open_task(&rig.worker), 0);
    ck_assert_int_eq(worker_turns(&rig.worker), 0);
    ck_assert(rig.worker.left);
    ck_assert_ptr_null(rig.worker.member);
    ck_assert_uint_eq(rig_book(&rig)->done, 2);
    ck_assert_uint_ne(rig_book(&rig)->saved, 0);
    ck_assert_uint_eq(rig_held(&rig, RIG_IN), 1);
    ck_assert_uint_eq(heard(NEWS_LEFT), 1);
    worker_close_task(&rig.worker);
    rig_kill(&rig, SIGKILL); /* the next one */
    rig.worker.left = false;
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(rig_book(&rig)->done, 3);
    rig_done(&rig);
}
END_TEST

START_TEST(leaves_while_it_waits)
{
    begin(&takes);
    member_ask_leave(rig.segment, RIG_WORKER);
    ck_assert_int_eq(worker_turns(&rig.worker), 0);
    ck_assert(rig.worker.left);
    rig_done(&rig);
}
END_TEST

/* An item that waits for its next attempt when it is asked has that first. */
START_TEST(stays_for_items_that_wait)
{
    begin(&takes);
    rig.worker.post.sync = false;
    rig.worker.post.waits[WAIT_ERROR] = (struct job_wait){
        .first_ns = 20 * NS_PER_MS, .factor = 1, .most_ns = NS_PER_S
    };
    rig_put(&rig, "later", NULL);
    rig_put(&rig, "leave", NULL);
    ck_assert_int_eq(worker_turns(&rig.worker), 0);
    ck_assert(rig.worker.left);
    ck_assert_uint_eq(rig_book(&rig)->done, 2);
    ck_assert_uint_eq(rig_book(&rig)->retried, 1);
    rig_done(&rig);
}
END_TEST

START_TEST(asked_to_stay)
{
    begin(&takes);
    member_ask_leave(rig.segment, RIG_WORKER);
    ck_assert(worker_is_to_leave(&rig.worker));
    ck_assert(member_ask_stay(rig.segment, RIG_WORKER));
    ck_assert(!worker_leaves(&rig.worker));
    ck_assert(!worker_is_to_leave(&rig.worker));
    rig_put(&rig, "1", NULL);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(rig_book(&rig)->done, 1);
    rig_done(&rig);
}
END_TEST

START_TEST(wishes_once)
{
    begin(&takes);
    rig.worker.post.recycle_items = 2;
    rig_put(&rig, "1", NULL);
    ck_assert_int_eq(queue_close(rig.segment, RIG_IN), 0);
    ck_assert_int_eq(worker_turns(&rig.worker), 0);
    ck_assert_uint_eq(heard(NEWS_WISH), 0);
    worker_served(&rig.worker, 3);
    worker_served(&rig.worker, 3);
    ck_assert_uint_eq(heard(NEWS_WISH), 1);
    rig_done(&rig);
}
END_TEST

Suite *follow_suite(void)
{
    Suite *s = suite_create("follow");
    TCase *c = tcase_create("follow");

    tcase_add_test(c, leaves_with_its_state_saved);
    tcase_add_test(c, leaves_while_it_waits);
    tcase_add_test(c, stays_for_items_that_wait);
    tcase_add_test(c, asked_to_stay);
    tcase_add_test(c, wishes_once);
    suite_add_tcase(s, c);
    return s;
}
