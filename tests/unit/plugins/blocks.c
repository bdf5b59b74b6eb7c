/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blocks.c - file.blocks: where they are cut, and a successor at every one. */
#include "config.h"

#include <unistd.h>

#include "plugins.h"

static struct fake *new_blocks(const char *a, const char *b, const char *c)
{
    struct fake *fake = fake_new(&file_LTX_weir_plugin, "file", "blocks", a, b,
                                 c, NULL);

    ck_assert_int_eq(fake_start(fake), 0);
    return fake;
}

static const struct {
    const char *text, *size, *want;
    unsigned failures;
} cuts[] = {
    { "", "size=8 B", "", 0 },
    { "\n", "size=8 B", "\n|", 0 },
    { "ab\ncd\nef\n", "size=8 B", "ab\ncd\n|ef\n|", 0 },
    { "ab\ncd\nef\n", "size=9 B", "ab\ncd\nef\n|", 0 },
    { "ab\ncd\nef\n", "size=3 B", "ab\n|cd\n|ef\n|", 0 },
    { "ab\ncd\nef", "size=3 B", "ab\n|cd\n|ef|", 0 },
    { "ab\ncd\nefg", "size=3 B", "ab\n|cd\n|efg|", 0 },
    { "abc", "size=3 B", "abc|", 0 },
    { "abc\nde\n", "size=3 B", "de\n|", 1 },
    { "ab\nlonger\nde\n", "size=3 B", "ab\n|de\n|", 1 },
    { "ab\nlonger", "size=3 B", "ab\n|", 1 },
    { "ab\r\ncd\r\n", "size=6 B", "ab\r\n|cd\r\n|", 0 },
};

START_TEST(cut_at_ends)
{
    struct fake *fake;

    put_text("text", cuts[_i].text);
    fake = new_blocks("paths=text", cuts[_i].size, NULL);
    ck_assert_uint_eq(fake_drain(fake, NULL), cuts[_i].failures);
    assert_given(fake, "|", cuts[_i].want);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(cut_at_nul)
{
    struct fake *fake;
    struct buf all;

    put_file("text", "a\nb\0c\nd\0e", 9);
    fake = new_blocks("paths=text", "size=6 B", "terminator=nul");
    fake_drain(fake, NULL);
    all = fake_join(fake, NULL);
    ck_assert_uint_eq(fake->given.count, 2);
    ck_assert_uint_eq(fake->given.at[0].data.size, 4);
    ck_assert_mem_eq(all.data, "a\nb\0c\nd\0e", 9);
    buf_done(&all);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(attributes)
{
    struct fake *fake;
    struct buf all;

    put_text("d/a", "ab\ncd\n");
    put_text("d/b", "ef\n");
    fake = new_blocks("paths=d", "size=3 B", NULL);
    fake_drain(fake, NULL);
    all = with_attr(fake, "path");
    ck_assert_str_eq(all.data, "d/a=ab\n\nd/a=cd\n\nd/b=ef\n\n");
    buf_done(&all);
    all = with_attr(fake, "offset");
    ck_assert_str_eq(all.data, "0=ab\n\n3=cd\n\n0=ef\n\n");
    buf_done(&all);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* Lines of every length, so that every kind of cut is met. */
static struct buf many_lines(void)
{
    struct buf text = { 0 };

    for (int i = 0; i < 60; i++)
        buf_printf(&text, "%.*s\n", i % 17, "abcdefghijklmnopqr");
    return text;
}

START_TEST(blocks_are_the_file)
{
    struct buf text = many_lines(), all;
    char size[32];
    struct fake *fake;

    snprintf(size, sizeof size, "size=%d B", 17 + _i);
    put_file("text", text.data, text.size);
    fake = new_blocks("paths=text", size, NULL);
    ck_assert_uint_eq(fake_drain(fake, NULL), 0);
    all = fake_join(fake, NULL);
    ck_assert_str_eq(all.data, text.data);
    for (size_t i = 0; i < fake->given.count; i++) {
        const struct buf *data = &fake->given.at[i].data;

        ck_assert_uint_le(data->size, 17u + (unsigned)_i);
        ck_assert_int_eq(data->data[data->size - 1], '\n');
    }
    buf_done(&all);
    buf_done(&text);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(killed_behind_every_cursor)
{
    struct buf text = many_lines(), all;
    struct fake *fake;

    put_file("d/a", text.data, text.size);
    put_text("d/b", "");
    put_text("d/c", "end");
    fake = new_blocks("paths=d", "size=20 B", NULL);
    fake_drain_killed(fake, (unsigned)_i, false, NULL);
    all = fake_join(fake, NULL);
    buf_text(&text, "end");
    ck_assert_str_eq(all.data, text.data);
    buf_done(&all);
    fake_forget(fake);
    fake_stop(fake);
    fake->cursor_size = 0;
    ck_assert_int_eq(fake_start(fake), 0);
    fake_drain_killed(fake, (unsigned)_i, true, NULL);
    all = fake_join(fake, NULL);
    ck_assert_str_eq(all.data, text.data);
    buf_done(&all);
    buf_done(&text);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* A record that is skipped in many steps, and a death among them. */
START_TEST(killed_while_it_skips)
{
    enum { SIZE = 40 << 20 };
    char *text = malloc(SIZE);
    struct fake *fake;
    unsigned calls = 0;
    int code;

    memset(text, 'x', SIZE);
    memcpy(text + SIZE - 5, "\nend\n", 5);
    put_file("text", text, SIZE);
    free(text);
    fake = new_blocks("paths=text", "size=64 KiB", NULL);
    ck_assert_int_eq(fake_run(fake, NULL, 0), WEIR_PERMANENT);
    do {
        fake_kill(fake);
        ck_assert_int_eq(fake_start(fake), 0);
        code = fake_run(fake, NULL, 0);
        ck_assert(code == 0 || code == WEIR_END);
        ck_assert_uint_lt(++calls, 10);
    } while (code != WEIR_END);
    ck_assert_uint_gt(calls, 3);
    assert_given(fake, "|", "end\n|");
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(a_file_that_shrinks)
{
    struct buf text = many_lines();
    struct fake *fake;

    put_file("a", text.data, text.size);
    put_text("b", "b\n");
    fake = fake_new(&file_LTX_weir_plugin, "file", "blocks", "paths=a",
                    "paths=b", "size=20 B", NULL);
    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_int_eq(fake_run(fake, NULL, 0), 0);
    fake_forget(fake);
    ck_assert_int_eq(truncate("a", _i), 0);
    ck_assert_uint_eq(fake_drain(fake, NULL), 0);
    ck_assert_str_eq(fake->given.at[fake->given.count - 1].data.data, "b\n");
    buf_done(&text);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(files_of_unknown_size)
{
    struct buf all;
    struct fake *fake = new_blocks("paths=/proc/self/status", "size=512 B",
                                   NULL);

    ck_assert_uint_eq(fake_drain(fake, NULL), 0);
    ck_assert_uint_gt(fake->given.count, 1);
    all = fake_join(fake, NULL);
    ck_assert_int_eq(strncmp(all.data, "Name:", 5), 0);
    ck_assert_int_eq(all.data[all.size - 1], '\n');
    buf_done(&all);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(a_queue_that_is_too_small)
{
    struct fake *fake;

    put_text("a", "some text\n");
    fake = new_blocks("paths=a", NULL, NULL);
    fake->room = 4;
    ck_assert_int_eq(fake_run(fake, NULL, 0), WEIR_ETOOBIG);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

Suite *blocks_suite(void)
{
    Suite *suite = suite_create("blocks");
    TCase *tcase = tcase_create("cut");

    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_loop_test(tcase, cut_at_ends, 0, sizeof cuts / sizeof *cuts);
    tcase_add_test(tcase, cut_at_nul);
    tcase_add_test(tcase, attributes);
    tcase_add_loop_test(tcase, blocks_are_the_file, 0, 12);
    tcase_add_loop_test(tcase, a_file_that_shrinks, 0, 30);
    tcase_add_test(tcase, files_of_unknown_size);
    tcase_add_test(tcase, a_queue_that_is_too_small);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("killed");
    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_loop_test(tcase, killed_behind_every_cursor, 1, 8);
    tcase_add_test(tcase, killed_while_it_skips);
    suite_add_tcase(suite, tcase);
    return suite;
}
