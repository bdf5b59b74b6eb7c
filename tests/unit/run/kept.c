/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kept.c - tests of core/run/kept.c: what a worker says to who keeps failed
 * items, in the commit that settles them. */
#include "config.h"

#include <signal.h>
#include <string.h>

#include "queue/attrs.h"
#include "rig.h"
#include "run/kept.h"

/* Items: "fail", "again", "skip", or the item itself is passed on. */
static int run(weir_call *call)
{
    weir_bytes in = weir_input(call);

    if (in.size == 4 && memcmp(in.data, "fail", 4) == 0)
        return weir_fail(call, WEIR_PERMANENT, "it is bad");
    if (in.size == 5 && memcmp(in.data, "again", 5) == 0)
        return weir_fail(call, WEIR_TRANSIENT, "not now");
    if (in.size == 4 && memcmp(in.data, "skip", 4) == 0)
        return weir_fail(call, WEIR_SKIP, "no");
    return weir_pass(call, 0);
}

static const weir_task task = { .name = "t", .run = run, .outputs = "a" };
static struct rig rig;

/* The queue `failed` of the rig leads to the keeper. */
static void begin(bool replays)
{
    rig_init(&rig, &task, 64, 64);
    rig.worker.post.kept = 3;
    rig.worker.post.replays = replays;
    ck_assert_int_eq(kept_init(&rig.worker.host), 0);
}

static struct kept_note note(void)
{
    static struct kept_note got;
    const void *text;
    size_t size;

    ck_assert_int_eq(attrs_find(rig.attrs.data, rig.attrs.size, KEPT_NOTE,
                                strlen(KEPT_NOTE), &text, &size),
                     0);
    ck_assert_int_eq(kept_read(text, size, &got), 0);
    return got;
}

static void put_attrs(const char *text, const struct buf *attrs)
{
    struct stage_spec spec = { .queue = RIG_IN,
                               .room = strlen(text),
                               .attrs = attrs->data,
                               .attrs_size = attrs->size,
                               .root = ++rig.made };
    struct staged staged;

    ck_assert_int_eq(turn_stage(rig.producer, &spec, &staged), 0);
    memcpy(staged.data, text, strlen(text));
    ck_assert_int_eq(turn_commit(rig.producer, NULL, NULL), 0);
}

static void put_fed(const char *text, uint64_t path)
{
    CLEANUP_BUF struct buf attrs = { 0 };

    ck_assert_int_eq(kept_feed(&attrs, rig.made + 1, path), 0);
    put_attrs(text, &attrs);
}

START_TEST(notes)
{
    CLEANUP_BUF struct buf text = { 0 };
    struct kept_note in = { .kind = KEPT_FAILED,
                            .stage = 3,
                            .attempts = 4,
                            .at_ns = -5,
                            .took_ns = 6,
                            .size = 7,
                            .item = true,
                            .class = KEPT_CRASH,
                            .why = "so",
                            .wrote = "a line\nanother" },
                     got;

    ck_assert_int_eq(kept_write(&text, &in), 0);
    ck_assert_int_eq(kept_read(text.data, text.size, &got), 0);
    ck_assert_str_eq(got.wrote, "a line\nanother");
    ck_assert_uint_eq(got.stage, 3);
    ck_assert_uint_eq(got.attempts, 4);
    ck_assert_int_eq(got.at_ns, -5);
    ck_assert_int_eq(got.took_ns, 6);
    ck_assert_uint_eq(got.size, 7);
    ck_assert(got.item && !got.bare);
    ck_assert_str_eq(got.class, "crash");
    ck_assert_str_eq(got.why, "so");
    for (size_t size = 0; size < text.size; size++)
        ck_assert_int_eq(kept_read(text.data, size, &got), WEIR_EBROKEN);
    text.data[0] = 9;
    ck_assert_int_eq(kept_read(text.data, text.size, &got), WEIR_EBROKEN);
}
END_TEST

START_TEST(kept_whole)
{
    begin(false);
    rig_put(&rig, "fail", "a/b");
    rig_put(&rig, "good", NULL);
    ck_assert_int_eq(rig_work(&rig), 0);
    rig_take(&rig, RIG_FAILED);
    ck_assert_str_eq(rig.taken.data, "fail\n");
    ck_assert_str_eq(rig_attr(&rig, "path"), "a/b");
    ck_assert_str_eq(note().class, KEPT_ERROR);
    ck_assert_str_eq(note().why, "it is bad");
    ck_assert_uint_eq(note().attempts, 1);
    ck_assert_uint_eq(note().size, 4);
    ck_assert_int_gt(note().took_ns, 0);
    ck_assert_uint_eq(rig_book(&rig)->failed, 1);
    ck_assert_uint_eq(rig_book(&rig)->emitted, 1); /* of the good one */
    rig_take(&rig, RIG_REPORT);
    ck_assert_uint_eq(rig.count, 1);
    rig_done(&rig);
}
END_TEST

START_TEST(classes)
{
    begin(false);
    rig_put(&rig, "again", NULL);
    ck_assert_int_eq(rig_work(&rig), 0);
    rig_take(&rig, RIG_FAILED);
    ck_assert_str_eq(note().class, KEPT_AGAIN);
    ck_assert_uint_eq(note().attempts, 3);
    ck_assert_str_eq(kept_class(CAUSE_SIGNAL), KEPT_CRASH);
    ck_assert_str_eq(kept_class(CAUSE_EXIT), KEPT_EXIT);
    ck_assert_str_eq(kept_class(CAUSE_LIMIT), KEPT_LIMIT);
    rig_done(&rig);
}
END_TEST

/* Attributes that leave little room: why is cut; none: they are lost, and it
 * is said. */
START_TEST(full_attributes)
{
    static char large[ATTRS_MOST];

    for (size_t size = ATTRS_MOST - 100; size < ATTRS_MOST - 4; size += 90) {
        CLEANUP_BUF struct buf attrs = { 0 };

        begin(false);
        ck_assert_int_eq(attrs_set(&attrs, "x", large, size), 0);
        put_attrs("fail", &attrs);
        ck_assert_int_eq(rig_work(&rig), 0);
        rig_take(&rig, RIG_FAILED);
        ck_assert_str_eq(rig.taken.data, "fail\n");
        ck_assert_str_eq(note().class, KEPT_ERROR);
        ck_assert_int_eq(note().bare, size > ATTRS_MOST - 60);
        rig_done(&rig);
    }
}
END_TEST

START_TEST(one_that_was_fed)
{
    begin(true);
    put_fed("good", 0);
    put_fed("skip", 0);
    put_fed("made of it", 7); /* the mark of another */
    rig_put(&rig, "good", NULL);
    ck_assert_int_eq(rig_work(&rig), 0);
    rig_take(&rig, RIG_FAILED);
    ck_assert_uint_eq(rig.count, 2);
    ck_assert_str_eq(rig.taken.data, "\n\n"); /* without its bytes */
    ck_assert_int_eq(note().kind, KEPT_SETTLED);
    ck_assert_uint_eq(rig_book(&rig)->emitted, 3);
    ck_assert_uint_eq(rig_book(&rig)->skipped, 1);
    rig_done(&rig);
}
END_TEST

START_TEST(fed_and_failed_again)
{
    begin(true);
    put_fed("fail", 0);
    ck_assert_int_eq(rig_work(&rig), 0);
    rig_take(&rig, RIG_FAILED);
    ck_assert_uint_eq(rig.count, 1);
    ck_assert_int_eq(note().kind, KEPT_FAILED);
    rig_done(&rig);
}
END_TEST

START_TEST(stripped)
{
    CLEANUP_BUF struct buf attrs = { 0 };

    ck_assert_int_eq(attrs_set(&attrs, "x", "y", 1), 0);
    ck_assert_int_eq(kept_feed(&attrs, 1, 2), 0);
    kept_strip(&attrs);
    ck_assert_uint_eq(attrs.size, 3 + 1 + 1);
    kept_strip(&attrs);
    ck_assert_uint_eq(attrs.size, 3 + 1 + 1);
}
END_TEST

Suite *kept_suite(void)
{
    Suite *s = suite_create("kept");
    TCase *c = tcase_create("kept");

    tcase_add_test(c, notes);
    tcase_add_test(c, kept_whole);
    tcase_add_test(c, classes);
    tcase_add_test(c, full_attributes);
    tcase_add_test(c, one_that_was_fed);
    tcase_add_test(c, fed_and_failed_again);
    tcase_add_test(c, stripped);
    suite_add_tcase(s, c);
    return s;
}
