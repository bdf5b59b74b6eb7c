/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* turns.c - tests of core/run/turns.c: what comes of an item. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "run/failure.h"

static bool input_is(weir_call *call, const char *text)
{
    weir_bytes in = weir_input(call);

    return in.size == strlen(text) && memcmp(in.data, text, in.size) == 0;
}

static int obey(weir_call *call)
{
    if (input_is(call, "once"))
        return weir_attempt(call) == 1
                   ? weir_fail(call, WEIR_TRANSIENT, "not yet")
                   : weir_pass(call, 0);
    if (input_is(call, "never"))
        return weir_fail(call, WEIR_TRANSIENT, "attempt %u",
                         weir_attempt(call));
    if (input_is(call, "bad"))
        return weir_fail(call, WEIR_PERMANENT, "it is bad");
    if (input_is(call, "skip"))
        return weir_fail(call, WEIR_SKIP, "it is none");
    if (input_is(call, "fatal"))
        return weir_fail(call, WEIR_FATAL, "the end");
    if (input_is(call, "five"))
        return 5;
    if (input_is(call, "silent"))
        return WEIR_PERMANENT;
    if (input_is(call, "io"))
        return -EIO;
    if (input_is(call, "end"))
        return WEIR_END;
    if (input_is(call, "half")) {
        weir_emit(call, 0, "lost", 4);
        return weir_fail(call, WEIR_PERMANENT, "after an output");
    }
    return weir_pass(call, 0);
}

static const weir_task obedient = { .name = "obey", .run = obey };

/* The sentence of the only failure. */
static const char *why(struct rig *rig, unsigned attempts)
{
    struct run_failure failure;
    const unsigned queue = RIG_REPORT;
    static char text[512];
    struct item item;

    ck_assert_int_eq(turn_lease(rig->consumer, &queue, 1, 1, 1, 0, &item), 1);
    ck_assert_int_eq(failure_read(item.data, item.size, &failure), 0);
    ck_assert_uint_eq(failure.attempts, attempts);
    snprintf(text, sizeof text, "%s", failure.why);
    ck_assert_int_eq(turn_done(rig->consumer, &item), 0);
    ck_assert_int_eq(turn_commit(rig->consumer, NULL, NULL), 0);
    return text;
}

static const struct {
    const char *text, *out, *why;
    unsigned attempts;
} cases[] = {
    { "fine", "fine\n", NULL, 0 },
    { "once", "once\n", NULL, 0 },
    { "never", "", "attempt 3", 3 },
    { "bad", "", "it is bad", 1 },
    { "skip", "", NULL, 0 },
    { "five", "", "the task returned 5, which is no verdict", 1 },
    { "silent", "", "the task gives no reason", 1 },
    { "io", "", "Input/output error", 3 },
    { "end", "", "the task returned 1, which is no verdict", 1 },
    { "half", "", "after an output", 1 },
};

START_TEST(each_outcome)
{
    struct rig rig;

    rig_init(&rig, &obedient, 8, 8);
    rig_put(&rig, "first", NULL);
    rig_put(&rig, cases[_i].text, NULL);
    ck_assert_int_eq(rig_work(&rig), 0);
    rig_take(&rig, RIG_A);
    ck_assert_int_eq(strncmp(rig.taken.data, "first\n", 6), 0);
    ck_assert_str_eq(rig.taken.data + 6, cases[_i].out);
    if (cases[_i].why)
        ck_assert_str_eq(why(&rig, cases[_i].attempts), cases[_i].why);
    ck_assert_uint_eq(rig_book(&rig)->failed, cases[_i].why != NULL);
    ck_assert_uint_eq(rig_book(&rig)->done + rig_book(&rig)->failed +
                          rig_book(&rig)->skipped,
                      2);
    ck_assert_uint_eq(rig_book(&rig)->ended, 1);
    ck_assert_uint_eq(rig_held(&rig, RIG_IN), 0);
    rig_done(&rig);
}
END_TEST

START_TEST(fatal_ends)
{
    struct rig rig;

    rig_init(&rig, &obedient, 8, 8);
    rig_put(&rig, "fatal", NULL);
    ck_assert_int_eq(rig_work(&rig), WEIR_EFAILED);
    ck_assert_str_eq(rig.worker.host.why, "the end");
    ck_assert_uint_eq(rig_held(&rig, RIG_IN), 1);
    rig_done(&rig);
}
END_TEST

START_TEST(failed_has_a_queue)
{
    struct rig rig;

    rig_init(&rig, &obedient, 8, 8);
    rig.worker.post.failed = 2;
    rig_kill(&rig, SIGKILL); /* sits down anew, with that */
    rig_put(&rig, "bad", "dir/name");
    ck_assert_int_eq(rig_work(&rig), 0);
    rig_take(&rig, RIG_FAILED);
    ck_assert_str_eq(rig.taken.data, "bad\n");
    ck_assert_str_eq(rig_attr(&rig, "path"), "dir/name");
    ck_assert_str_eq(rig_attr(&rig, "failed-why"), "it is bad");
    ck_assert_str_eq(rig_attr(&rig, "failed-stage"), "stage");
    ck_assert_str_eq(rig_attr(&rig, "failed-attempts"), "1");
    ck_assert_str_eq(rig_attr(&rig, "failed-class"), "error");
    ck_assert_uint_eq(rig_held(&rig, RIG_REPORT), 0);
    rig_done(&rig);
}
END_TEST

START_TEST(failed_is_dropped)
{
    struct rig rig;

    rig_init(&rig, &obedient, 8, 8);
    rig.worker.post.failed = POST_DROP;
    rig_kill(&rig, SIGKILL);
    rig_put(&rig, "bad", NULL);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(rig_book(&rig)->failed, 1);
    ck_assert_uint_eq(rig_book(&rig)->dropped, 1);
    ck_assert_uint_eq(rig_held(&rig, RIG_REPORT), 0);
    rig_done(&rig);
}
END_TEST

/* Three workers die with the item; the fourth moves it on without running. */
START_TEST(attempts_of_the_dead)
{
    const unsigned queue = RIG_IN;
    struct rig rig;
    struct item item;

    rig_init(&rig, &obedient, 8, 8);
    rig_put(&rig, "fine", NULL);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(turn_lease(rig.worker.member, &queue, 1, 1, 1, 0,
                                    &item),
                         1);
        ck_assert_uint_eq(item.attempt, i);
        ck_assert_int_eq(turn_take_up(rig.worker.member, &item), 0);
        rig_kill(&rig, SIGSEGV);
    }
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_str_eq(why(&rig, 3), "worker was killed by SIGSEGV");
    rig_done(&rig);
}
END_TEST

/* With what the last one wrote, for whom the item goes to. */
START_TEST(last_words_of_the_dead)
{
    struct last_words *words = last_words_new(1);
    const unsigned queue = RIG_IN;
    struct rig rig;
    struct item item;

    rig_init(&rig, &obedient, 8, 8);
    rig.worker.post.retries = 0;
    rig.worker.post.failed = 2;
    rig_put(&rig, "fine", NULL);
    ck_assert_int_eq(turn_lease(rig.worker.member, &queue, 1, 1, 1, 0, &item),
                     1);
    ck_assert_int_eq(turn_take_up(rig.worker.member, &item), 0);
    last_words_put(words, item.root, item.path, "alas\nso be it", 14);
    rig_kill(&rig, SIGSEGV);
    rig.worker.host.last_words = words;
    ck_assert_int_eq(rig_work(&rig), 0);
    rig_take(&rig, RIG_FAILED);
    ck_assert_str_eq(rig.taken.data, "fine\n");
    ck_assert_str_eq(rig_attr(&rig, "failed-class"), "crash");
    ck_assert_str_eq(rig_attr(&rig, "failed-wrote"), "alas\nso be it");
    ck_assert_uint_eq(rig.worker.host.wrote.size, 0);
    rig_done(&rig);
    last_words_free(&words);
}
END_TEST

START_TEST(canceled_gives_back)
{
    struct rig rig;

    rig_init(&rig, &obedient, 8, 8);
    rig_put(&rig, "fine", NULL);
    member_cancel(rig.segment, RIG_WORKER, true);
    ck_assert_int_eq(rig_work(&rig), WEIR_ECANCELED);
    ck_assert_uint_eq(rig_held(&rig, RIG_IN), 1);
    ck_assert_uint_eq(rig_book(&rig)->ended, 0);
    rig_done(&rig);
}
END_TEST

/* Stopped amid a batch, between two items or in one: what is not done comes
 * again in its order. */
static struct rig *stopped;

static int stop_at(weir_call *call)
{
    if (!input_is(call, "stop") && !input_is(call, "in"))
        return 0;
    member_cancel(stopped->segment, RIG_WORKER, true);
    return input_is(call, "in") ? WEIR_ECANCELED : 0;
}

static const weir_task stops = { .name = "stops", .run = stop_at };

START_TEST(stopped_in_order)
{
    static const char *const texts[2][5] = {
        { "first", "second", "stop", "a", "b" },
        { "first", "second", "in", "a", "b" },
    };
    const unsigned queue = RIG_IN, left = _i == 0 ? 2 : 3;
    struct item items[LEASE_MOST];
    struct rig rig;

    rig_init(&rig, &stops, 8, 8);
    stopped = &rig;
    rig.worker.mean_ns = 1; /* so that there is a batch */
    for (unsigned i = 0; i < 5; i++)
        rig_put(&rig, texts[_i][i], NULL);
    ck_assert_int_eq(rig_work(&rig), WEIR_ECANCELED);
    ck_assert_uint_eq(rig_book(&rig)->done, 5 - left);
    member_cancel(rig.segment, RIG_WORKER, false);
    ck_assert_int_eq(turn_lease(rig.worker.member, &queue, 1, LEASE_MOST, 1, 0,
                                items),
                     (int)left);
    for (unsigned i = 0; i < left; i++) {
        const char *text = texts[_i][5 - left + i];

        ck_assert_uint_eq(items[i].size, strlen(text));
        ck_assert_mem_eq(items[i].data, text, strlen(text));
        ck_assert_uint_eq(items[i].attempt, 0);
    }
    ck_assert_int_eq(turn_abort(rig.worker.member), 0);
    rig_done(&rig);
}
END_TEST

/* ---------------------------------------------------------------- state ----
 */

static unsigned flushed;

static int sum_open(weir_call *call)
{
    weir_set_state(call, calloc(1, sizeof(unsigned)));
    return 0;
}

static int sum_close(weir_call *call)
{
    free(weir_state(call));
    return 0;
}

static int sum_run(weir_call *call)
{
    ++*(unsigned *)weir_state(call);
    return input_is(call, "fatal") ? weir_fail(call, WEIR_FATAL, "the end") : 0;
}

static int sum_flush(weir_call *call)
{
    char digit = (char)('0' + *(unsigned *)weir_state(call));

    if (flushed++ == 0)
        return weir_fail(call, WEIR_TRANSIENT, "not yet");
    return weir_emit(call, 0, &digit, 1);
}

static int sum_save(weir_call *call, int fd)
{
    return write(fd, weir_state(call), sizeof(unsigned)) == sizeof(unsigned)
               ? 0
               : -EIO;
}

static int sum_load(weir_call *call, int fd)
{
    return read(fd, weir_state(call), sizeof(unsigned)) == sizeof(unsigned)
               ? 0
               : -EIO;
}

static const weir_task sum = { .name = "sum",
                               .run = sum_run,
                               .open = sum_open,
                               .close = sum_close,
                               .flush = sum_flush,
                               .save = sum_save,
                               .load = sum_load };

START_TEST(state_is_saved_with_its_inputs)
{
    struct rig rig;

    flushed = 0;
    rig_init(&rig, &sum, 8, 8);  /* a quarter: two inputs for each save */
    rig.worker.post.sync = true; /* each by itself, however fast it is */
    rig_put(&rig, "1", NULL);
    rig_put(&rig, "2", NULL);
    rig_put(&rig, "3", NULL);
    rig_put(&rig, "fatal", NULL);
    rig_put(&rig, "5", NULL);
    ck_assert_int_eq(rig_work(&rig), WEIR_EFAILED);
    ck_assert_uint_ne(rig_book(&rig)->saved, 0);
    ck_assert_uint_eq(rig_book(&rig)->done, 2);
    free(rig.worker.host.state);
    rig_kill(&rig, SIGKILL);
    ck_assert_uint_eq(rig_held(&rig, RIG_IN), 3);
    rig.worker.post.retries = 0; /* the fatal one was charged: it fails now */
    ck_assert_int_eq(rig_work(&rig), WEIR_EFAILED);
    ck_assert_str_eq(rig.worker.host.why,
                     "what it gives at the end of its input failed: not yet");
    free(rig.worker.host.state);
    rig_kill(&rig, SIGKILL);
    ck_assert_int_eq(rig_work(&rig), 0);
    rig_take(&rig, RIG_A);
    ck_assert_str_eq(rig.taken.data, "4\n");
    rig_done(&rig);
}
END_TEST

START_TEST(no_flush_at_a_stop)
{
    struct rig rig;

    flushed = 1;
    rig_init(&rig, &sum, 8, 8);
    rig_put(&rig, "1", NULL);
    segment_stop_sources(rig.segment);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(rig_held(&rig, RIG_A), 0);
    ck_assert_uint_eq(rig_book(&rig)->ended, ENDED_STOPPED);
    rig_done(&rig);
}
END_TEST

Suite *turns_suite(void)
{
    Suite *s = suite_create("turns");
    TCase *c = tcase_create("turns");

    tcase_add_loop_test(c, each_outcome, 0, sizeof cases / sizeof *cases);
    tcase_add_test(c, fatal_ends);
    tcase_add_test(c, failed_has_a_queue);
    tcase_add_test(c, failed_is_dropped);
    tcase_add_test(c, attempts_of_the_dead);
    tcase_add_test(c, last_words_of_the_dead);
    tcase_add_test(c, canceled_gives_back);
    tcase_add_loop_test(c, stopped_in_order, 0, 2);
    tcase_add_test(c, state_is_saved_with_its_inputs);
    tcase_add_test(c, no_flush_at_a_stop);
    suite_add_tcase(s, c);
    return s;
}
