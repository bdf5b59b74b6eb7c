/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* source.c - tests of core/run/source.c: cursors, and what is behind them. */
#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include "rig.h"

/* What the source is to do, as a text: a letter is an item; '|' sets the
 * cursor; '/' ends a call; '!' dies once; '?' fails once; 'x' fails for good
 * (behind the cursor); 'p' pauses. A new worker goes on at the cursor. */
static const char *script;
static unsigned at;
static bool opened, died;
static jmp_buf grave;

static int source_open(weir_call *call)
{
    weir_bytes cursor;

    ck_assert_int_eq(weir_cursor(call, &cursor), 0);
    at = 0;
    if (cursor.size == sizeof at)
        memcpy(&at, cursor.data, sizeof at);
    opened = true;
    return 0;
}

static int source_step(weir_call *call, char order)
{
    switch (order) {
    case '|':
        return weir_set_cursor(call, &at, sizeof at);
    case 'p':
        return weir_pause(call, 1000);
    case '!':
        if (!died) {
            died = true;
            longjmp(grave, 1);
        }
        return 0;
    case '?':
        if (!died) {
            died = true;
            return weir_fail(call, WEIR_TRANSIENT, "once");
        }
        return 0;
    case 'x':
        return weir_fail(call, WEIR_PERMANENT, "this one");
    default:
        return weir_emit(call, 0, &order, 1);
    }
}

static int source_run(weir_call *call)
{
    if (script[at] == '\0')
        return WEIR_END;
    while (script[at] != '\0' && script[at] != '/') {
        int code = source_step(call, script[at++]);

        if (code != 0)
            return code;
    }
    at += script[at] == '/';
    return 0;
}

static const weir_task source = {
    .name = "source", .run = source_run, .open = source_open, .source = true
};

static int work(struct rig *rig, const char *text)
{
    script = text;
    if (setjmp(grave) == 0)
        return rig_work(rig);
    rig_kill(rig, SIGKILL);
    return 1;
}

static const struct {
    const char *script, *out;
    bool dies;
    unsigned failed;
} cases[] = {
    { "", "", false, 0 },
    { "abc", "a\nb\nc\n", false, 0 },
    { "a|b|c|", "a\nb\nc\n", false, 0 },
    { "a|/bc|/|p/d|", "a\nb\nc\nd\n", false, 0 },
    { "a|b!c|d|", "a\nb\nc\nd\n", true, 0 },
    { "ab!cd", "a\nb\nc\nd\n", true, 0 },
    { "a/b/c!d|/e", "a\nb\nc\nd\ne\n", true, 0 },
    { "a|/b?c|d", "a\nb\nc\nd\n", false, 0 },
    { "a|b/c/?d|e", "a\nb\nc\nd\ne\n", false, 0 },
    { "a|/|x/b|", "a\nb\n", false, 1 },
};

START_TEST(each_item_once)
{
    struct rig rig;

    died = false;
    rig_init(&rig, &source, 8, 8);
    if (cases[_i].dies)
        ck_assert_int_eq(work(&rig, cases[_i].script), 1);
    ck_assert_int_eq(work(&rig, cases[_i].script), 0);
    rig_take(&rig, RIG_A);
    ck_assert_str_eq(rig.taken.data, cases[_i].out);
    ck_assert_uint_eq(rig_book(&rig)->emitted, strlen(cases[_i].out) / 2);
    ck_assert_uint_eq(rig_book(&rig)->failed, cases[_i].failed);
    ck_assert_uint_eq(rig_book(&rig)->ended, 1);
    rig_done(&rig);
}
END_TEST

/* Ids go on where the cursor stands, also after a death. */
START_TEST(numbers_in_a_row)
{
    const unsigned queue = RIG_A;
    struct rig rig;
    struct item items[5];

    died = false;
    rig_init(&rig, &source, 8, 8);
    ck_assert_int_eq(work(&rig, "a|b/c!d|e"), 1);
    ck_assert_int_eq(work(&rig, "a|b/c!d|e"), 0);
    ck_assert_int_eq(turn_lease(rig.consumer, &queue, 1, 5, 1, 0, items), 5);
    for (uint64_t i = 0; i < 5; i++)
        ck_assert_uint_eq(items[i].root, UINT64_C(5) << 52 | i);
    rig_done(&rig);
}
END_TEST

START_TEST(a_stop_ends_it)
{
    struct rig rig;

    rig_init(&rig, &source, 8, 8);
    segment_stop_sources(rig.segment);
    ck_assert_int_eq(work(&rig, "abc"), 0);
    ck_assert_uint_eq(rig_held(&rig, RIG_A), 0);
    ck_assert_uint_eq(rig_book(&rig)->ended, ENDED_STOPPED);
    rig_done(&rig);
}
END_TEST

START_TEST(stuck_where_it_failed)
{
    struct rig rig;

    rig_init(&rig, &source, 8, 8);
    ck_assert_int_eq(work(&rig, "a|/x"), WEIR_EFAILED);
    ck_assert_str_eq(rig.worker.host.why, "this one");
    rig_done(&rig);
}
END_TEST

Suite *source_suite(void)
{
    Suite *s = suite_create("source");
    TCase *c = tcase_create("source");

    tcase_add_loop_test(c, each_item_once, 0, sizeof cases / sizeof *cases);
    tcase_add_test(c, numbers_in_a_row);
    tcase_add_test(c, a_stop_ends_it);
    tcase_add_test(c, stuck_where_it_failed);
    suite_add_tcase(s, c);
    return s;
}
