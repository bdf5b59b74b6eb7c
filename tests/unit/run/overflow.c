/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* overflow.c - tests of core/run/overflow.c: queues that do not wait when they
 * are full. Queue `a` holds four, and `b` too. */
#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "rig.h"
#include "run/failure.h"
#include "run/overflow.h"

static int (*body)(weir_call *call);

static int run_body(weir_call *call)
{
    return body(call);
}

static const weir_task task = { .name = "task",
                                .run = run_body,
                                .outputs = "a b c d" };
static const weir_task source = {
    .name = "source", .run = run_body, .outputs = "a b c d", .source = true
};

/* Queue `a` has number 0 of book.overflowed, `b` has 1. */
static void begin(struct rig *rig, const weir_task *it, enum weir_overflow a,
                  enum weir_overflow b, unsigned items)
{
    struct post *post = &rig->worker.post;

    rig_init(rig, it, 64, 4);
    post->overflows = true;
    post->queues.at[0].overflow = a;
    post->queues.at[1].overflow = b;
    post->queues.at[1].counter = 1;
    for (unsigned i = 1; i <= items; i++) {
        char text[8];

        snprintf(text, sizeof text, "%u", i);
        rig_put(rig, text, NULL);
    }
}

static uint64_t counted(const struct rig *rig, unsigned counter)
{
    return rig_book(rig)->overflowed[counter] +
           member_book(rig->segment, RIG_DROPPER)->overflowed[counter];
}

static uint64_t published(const struct rig *rig, enum rig_queue queue)
{
    struct queue_state state;

    ck_assert_int_eq(queue_state(rig->segment, queue, FOREVER, &state), 0);
    return state.published;
}

static int pass(weir_call *call)
{
    return weir_pass(call, 0);
}

static int pass_to_both(weir_call *call)
{
    return weir_pass(call, 3);
}

START_TEST(new_ones_are_dropped)
{
    struct rig rig;

    body = pass;
    begin(&rig, &task, WEIR_OVERFLOW_DROP_NEW, WEIR_OVERFLOW_BLOCK, 10);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(rig_book(&rig)->done, 10);
    ck_assert_uint_eq(rig_book(&rig)->emitted, 4);
    ck_assert_uint_eq(published(&rig, RIG_A), 4);
    ck_assert_uint_eq(counted(&rig, 0), 6);
    rig_take(&rig, RIG_A);
    ck_assert_str_eq(rig.taken.data, "1\n2\n3\n4\n");
    rig_done(&rig);
}
END_TEST

START_TEST(the_oldest_are_dropped)
{
    struct rig rig;

    body = pass;
    begin(&rig, &task, WEIR_OVERFLOW_DROP_OLD, WEIR_OVERFLOW_BLOCK, 10);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(rig_book(&rig)->done, 10);
    ck_assert_uint_eq(rig_book(&rig)->emitted, 10);
    ck_assert_uint_eq(published(&rig, RIG_A), 10);
    ck_assert_uint_eq(rig_book(&rig)->overflowed[0], 0);
    ck_assert_uint_eq(counted(&rig, 0), 6);
    rig_take(&rig, RIG_A);
    ck_assert_str_eq(rig.taken.data, "7\n8\n9\n10\n");
    rig_done(&rig);
}
END_TEST

/* What is leased is somebody's: then the new ones go. */
START_TEST(leased_ones_are_kept)
{
    const unsigned a = RIG_A;
    struct item items[4];
    struct rig rig;

    body = pass;
    begin(&rig, &task, WEIR_OVERFLOW_DROP_OLD, WEIR_OVERFLOW_BLOCK, 4);
    ck_assert_int_eq(worker_open_task(&rig.worker), 0);
    rig.worker.post.count = 1;
    ck_assert_int_eq(queue_close(rig.segment, RIG_IN), 0);
    ck_assert_int_eq(worker_turns(&rig.worker), 0);
    ck_assert_int_eq(turn_lease(rig.consumer, &a, 1, 4, 1, 0, items), 4);
    host_begin(&rig.worker.host, PHASE_FLUSH, NULL);
    host_begin_source(&rig.worker.host);
    ck_assert_int_eq(weir_emit(&rig.worker.host.call, 0, "late", 4), 0);
    ck_assert_int_eq(host_commit(&rig.worker.host), 0);
    ck_assert_uint_eq(counted(&rig, 0), 1);
    ck_assert_uint_eq(rig_book(&rig)->overflowed[0], 1);
    ck_assert_uint_eq(rig_book(&rig)->emitted, 4);
    ck_assert_int_eq(turn_release(rig.consumer, &items[3]), 0);
    ck_assert_int_eq(weir_emit(&rig.worker.host.call, 0, "later", 5), 0);
    ck_assert_int_eq(host_commit(&rig.worker.host), 0);
    ck_assert_uint_eq(counted(&rig, 0), 2);
    ck_assert_uint_eq(rig_book(&rig)->overflowed[0], 1);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(turn_done(rig.consumer, &items[i]), 0);
    ck_assert_int_eq(turn_commit(rig.consumer, NULL, NULL), 0);
    rig_take(&rig, RIG_A);
    ck_assert_str_eq(rig.taken.data, "later\n");
    rig_done(&rig);
}
END_TEST

/* Its sister takes all there is room for, and waits for nobody. */
START_TEST(each_place_has_its_own)
{
    struct rig rig;

    body = pass_to_both;
    begin(&rig, &task, WEIR_OVERFLOW_DROP_NEW, WEIR_OVERFLOW_DROP_OLD, 10);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(rig_book(&rig)->emitted, 4 + 10);
    ck_assert_uint_eq(counted(&rig, 0), 6);
    ck_assert_uint_eq(counted(&rig, 1), 6);
    rig_take(&rig, RIG_A);
    ck_assert_str_eq(rig.taken.data, "1\n2\n3\n4\n");
    rig_take(&rig, RIG_B);
    ck_assert_str_eq(rig.taken.data, "7\n8\n9\n10\n");
    rig_done(&rig);
}
END_TEST

START_TEST(items_fail)
{
    struct run_failure failure;
    const unsigned report = RIG_REPORT;
    struct item item;
    struct rig rig;

    body = pass;
    begin(&rig, &task, WEIR_OVERFLOW_FAIL, WEIR_OVERFLOW_BLOCK, 5);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(rig_book(&rig)->done, 4);
    ck_assert_uint_eq(rig_book(&rig)->failed, 1);
    ck_assert_uint_eq(rig_book(&rig)->emitted, 4);
    ck_assert_uint_eq(rig_book(&rig)->retried, 0);
    ck_assert_uint_eq(counted(&rig, 0), 1);
    ck_assert_int_eq(turn_lease(rig.consumer, &report, 1, 1, 1, 0, &item), 1);
    ck_assert_int_eq(failure_read(item.data, item.size, &failure), 0);
    ck_assert_str_eq(failure.why, "an output found queue 'a' full, and its "
                                  "'overflow' is 'fail'");
    ck_assert_int_eq(turn_done(rig.consumer, &item), 0);
    ck_assert_int_eq(turn_commit(rig.consumer, NULL, NULL), 0);
    rig_done(&rig);
}
END_TEST

/* A queue for failed items that fails them again: they are reported. */
START_TEST(failed_ones_do_not_fail_twice)
{
    struct rig rig;

    body = pass;
    begin(&rig, &task, WEIR_OVERFLOW_FAIL, WEIR_OVERFLOW_FAIL, 10);
    rig.worker.post.failed = 1;
    *VEC_ADD(&rig.worker.host.failed_places) = 1;
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(rig_book(&rig)->failed, 6);
    ck_assert_uint_eq(counted(&rig, 0), 6);
    ck_assert_uint_eq(counted(&rig, 1), 0);
    ck_assert_uint_eq(rig_held(&rig, RIG_B), 4);
    ck_assert_uint_eq(rig_held(&rig, RIG_REPORT), 2);
    rig_done(&rig);
}
END_TEST

/* Its own failure waits for room where those go that failed, and what was done
 * before is committed meanwhile: it is counted with its item, or not yet. */
START_TEST(a_failure_counts_with_its_item)
{
    const unsigned in = RIG_IN;
    struct item items[10];
    struct host *host;
    struct rig rig;

    body = pass;
    begin(&rig, &task, WEIR_OVERFLOW_FAIL, WEIR_OVERFLOW_BLOCK, 10);
    host = &rig.worker.host;
    rig.worker.post.failed = 1;
    *VEC_ADD(&host->failed_places) = 1;
    ck_assert_int_eq(turn_lease(rig.worker.member, &in, 1, 10, 1, 0, items),
                     10);
    for (unsigned i = 0; i < 8; i++) {
        host_begin(host, PHASE_RUN, &items[i]);
        ck_assert_int_eq(weir_pass(&host->call, 0), i < 4 ? 0 : WEIR_ELOST);
        ck_assert_int_eq(i < 4 ? host_done(host) : host_fail(host, 1), 0);
    }
    host_begin(host, PHASE_RUN, &items[8]);
    ck_assert_int_eq(weir_pass(&host->call, 0), WEIR_ELOST);
    member_cancel(rig.segment, RIG_WORKER, true); /* instead of waiting */
    ck_assert_int_eq(host_fail(host, 1), WEIR_ECANCELED);
    ck_assert_uint_eq(rig_book(&rig)->failed, 4);
    ck_assert_uint_eq(counted(&rig, 0), 4);
    rig_kill(&rig, SIGKILL);
    member_cancel(rig.segment, RIG_WORKER, false);
    rig_take(&rig, RIG_B);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(rig_book(&rig)->failed, 6);
    ck_assert_uint_eq(counted(&rig, 0), 6);
    rig_done(&rig);
}
END_TEST

/* Five for each, of which one finds no room; the first attempt fails. */
static int five(weir_call *call)
{
    for (int i = 0; i < 5; i++) {
        void *data;
        int code = weir_reserve(call, 0, 100, &data);

        if (code < 0)
            return code;
        memset(data, 'x', 100);
        code = weir_submit(call, 100);
        if (code < 0)
            return code;
    }
    if (weir_attempt(call) == 1)
        return weir_fail(call, WEIR_TRANSIENT, "again");
    return 0;
}

START_TEST(attempts_that_fail_drop_nothing)
{
    struct rig rig;

    body = five;
    begin(&rig, &task, WEIR_OVERFLOW_DROP_NEW, WEIR_OVERFLOW_BLOCK, 1);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(rig_book(&rig)->done, 1);
    ck_assert_uint_eq(rig_book(&rig)->retried, 1);
    ck_assert_uint_eq(rig_book(&rig)->emitted, 4);
    ck_assert_uint_eq(counted(&rig, 0), 1);
    rig_done(&rig);
}
END_TEST

static jmp_buf grave;

static int give_and_die(weir_call *call)
{
    int code = weir_emit(call, 0, "new", 3);

    if (code < 0 || weir_attempt(call) > 1)
        return code;
    longjmp(grave, 1);
}

/* Who dies behind the drop of an old one has dropped it; the next attempt drops
 * another when it must, and all of them are counted. */
START_TEST(deaths_lose_no_count)
{
    const int policy = _i;
    struct rig rig;

    body = give_and_die;
    begin(&rig, &task, (enum weir_overflow)policy, WEIR_OVERFLOW_BLOCK, 0);
    for (unsigned i = 0; i < 4; i++) {
        struct stage_spec spec = { .queue = RIG_A, .room = 3 };
        struct staged staged;

        ck_assert_int_eq(turn_stage(rig.producer, &spec, &staged), 0);
        memcpy(staged.data, "old", 3);
        ck_assert_int_eq(turn_commit(rig.producer, NULL, NULL), 0);
    }
    rig_put(&rig, "1", NULL);
    if (setjmp(grave) == 0)
        rig_work(&rig);
    else
        rig_kill(&rig, SIGKILL);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(rig_book(&rig)->done, 1);
    ck_assert_uint_eq(counted(&rig, 0), 1);
    ck_assert_uint_eq(published(&rig, RIG_A), 4 + rig_book(&rig)->emitted);
    rig_take(&rig, RIG_A);
    ck_assert_str_eq(rig.taken.data, policy == WEIR_OVERFLOW_DROP_OLD
                                         ? "old\nold\nold\nnew\n"
                                         : "old\nold\nold\nold\n");
    rig_done(&rig);
}
END_TEST

/* A source whose parts are known by their hash, also what was dropped of it. */
static unsigned calls;

static int count_to_ten(weir_call *call)
{
    char text[8];
    int code;

    snprintf(text, sizeof text, "%u", ++calls);
    code = weir_emit(call, 0, text, strlen(text));
    if (code < 0)
        return code;
    return calls < 10 ? 0 : WEIR_END;
}

START_TEST(a_source_drops_too)
{
    struct rig rig;

    body = count_to_ten;
    calls = 0;
    begin(&rig, &source, (enum weir_overflow)_i, WEIR_OVERFLOW_BLOCK, 0);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(counted(&rig, 0), 6);
    rig_take(&rig, RIG_A);
    ck_assert_str_eq(rig.taken.data, _i == WEIR_OVERFLOW_DROP_OLD
                                         ? "7\n8\n9\n10\n"
                                         : "1\n2\n3\n4\n");
    rig_done(&rig);
}
END_TEST

Suite *overflow_suite(void)
{
    Suite *s = suite_create("overflow");
    TCase *c = tcase_create("overflow");

    tcase_add_test(c, new_ones_are_dropped);
    tcase_add_test(c, the_oldest_are_dropped);
    tcase_add_test(c, leased_ones_are_kept);
    tcase_add_test(c, each_place_has_its_own);
    tcase_add_test(c, items_fail);
    tcase_add_test(c, failed_ones_do_not_fail_twice);
    tcase_add_test(c, a_failure_counts_with_its_item);
    tcase_add_test(c, attempts_that_fail_drop_nothing);
    tcase_add_loop_test(c, deaths_lose_no_count, WEIR_OVERFLOW_DROP_NEW,
                        WEIR_OVERFLOW_DROP_OLD + 1);
    tcase_add_loop_test(c, a_source_drops_too, WEIR_OVERFLOW_DROP_NEW,
                        WEIR_OVERFLOW_DROP_OLD + 1);
    suite_add_tcase(s, c);
    return s;
}
