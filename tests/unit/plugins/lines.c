/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lines.c - file.lines: records, their ends, and a successor at every place. */
#include "config.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins.h"

static struct fake *new_lines(const char *a, const char *b, const char *c)
{
    struct fake *fake = fake_new(&file_LTX_weir_plugin, "file", "lines", a, b,
                                 c, NULL);

    ck_assert_int_eq(fake_start(fake), 0);
    return fake;
}

/* What comes of one file with that content. */
static void check_text(const char *text, size_t size, const char *param,
                       const char *want, unsigned failures)
{
    struct fake *fake;

    put_file("text", text, size);
    fake = new_lines("paths=text", param, NULL);
    ck_assert_uint_eq(fake_drain(fake, NULL), failures);
    assert_given(fake, "|", want);
    fake_stop(fake);
    fake_free(&fake);
}

static const struct {
    const char *text;
    size_t size;
    const char *param, *want;
} ends[] = {
    { "", 0, NULL, "" },
    { "a\nb\n", 4, NULL, "a|b|" },
    { "a\nb", 3, NULL, "a|b|" },
    { "\n", 1, NULL, "|" },
    { "\n\n", 2, NULL, "||" },
    { "a\n\nb\n", 5, NULL, "a||b|" },
    { "a\r\nb\r\n", 6, NULL, "a\r|b\r|" },
    { "a\r\nb\r\n", 6, "terminator=crlf", "a|b|" },
    { "a\nb\r\r\n\r\n", 8, "terminator=crlf", "a|b\r||" },
    { "a\r", 2, "terminator=crlf", "a\r|" },
    { "a\nb\0c\0", 6, "terminator=nul", "a\nb|c|" },
    { "x", 1, "terminator=nul", "x|" },
    { "\xff\xfe\n\x80", 4, NULL, "\xff\xfe|\x80|" },
};

START_TEST(ends_of_records)
{
    check_text(ends[_i].text, ends[_i].size, ends[_i].param, ends[_i].want, 0);
}
END_TEST

START_TEST(nul_bytes_stay)
{
    struct fake *fake;

    put_file("text", "a\0b\n", 4);
    fake = new_lines("paths=text", NULL, NULL);
    fake_drain(fake, NULL);
    ck_assert_uint_eq(fake->given.count, 1);
    ck_assert_uint_eq(fake->given.at[0].data.size, 3);
    ck_assert_mem_eq(fake->given.at[0].data.data, "a\0b", 3);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

static const struct {
    const char *text, *param, *want;
    unsigned failures;
} sizes[] = {
    { "abcd\nabc\n", "size=4 B", "abcd|abc|", 0 },
    { "abcde\nabc\n", "size=4 B", "abc|", 1 },
    { "ab\nabcde\nabc\n", "size=4 B", "ab|abc|", 1 },
    { "ab\nabcdefghij", "size=4 B", "ab|", 1 },
    { "abcdefghij\nabcdefghij\nxy", "size=4 B", "xy|", 2 },
    { "a\n", "size=1 B", "a|", 0 },
    { "ab\n\n", "size=1 B", "|", 1 },
};

START_TEST(records_that_are_too_long)
{
    check_text(sizes[_i].text, strlen(sizes[_i].text), sizes[_i].param,
               sizes[_i].want, sizes[_i].failures);
}
END_TEST

START_TEST(too_long_is_told_once_with_its_place)
{
    struct buf why = { 0 };
    struct fake *fake;

    put_text("text", "ab\nabcdefgh\nxy\n");
    fake = new_lines("paths=text", "size=4 B", NULL);
    ck_assert_uint_eq(fake_drain(fake, &why), 1);
    ck_assert_str_eq(why.data, "'text': the record at byte 3 is longer than "
                               "'size', 4 bytes; raise it\n");
    buf_done(&why);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* Longer than the window that is read at first. */
START_TEST(records_longer_than_the_window)
{
    enum { SIZE = 700000 };
    char *text = malloc(SIZE + 3);
    struct fake *fake;

    memset(text, 'x', SIZE);
    memcpy(text + SIZE, "\ny\n", 3);
    put_file("text", text, SIZE + 3);
    fake = new_lines("paths=text", NULL, NULL);
    ck_assert_uint_eq(fake_drain(fake, NULL), 0);
    ck_assert_uint_eq(fake->given.count, 2);
    ck_assert_uint_eq(fake->given.at[0].data.size, SIZE);
    ck_assert_mem_eq(fake->given.at[0].data.data, text, SIZE);
    ck_assert_str_eq(fake->given.at[1].data.data, "y");
    fake_stop(fake);
    fake_free(&fake);
    free(text);
}
END_TEST

START_TEST(attributes)
{
    struct fake *fake;
    struct buf all;

    put_text("d/a", "1\n2\n");
    put_text("d/b", "3\n");
    fake = new_lines("paths=d", "numbers=true", NULL);
    fake_drain(fake, NULL);
    all = with_attr(fake, "path");
    ck_assert_str_eq(all.data, "d/a=1\nd/a=2\nd/b=3\n");
    buf_done(&all);
    all = with_attr(fake, "line");
    ck_assert_str_eq(all.data, "1=1\n2=2\n1=3\n");
    buf_done(&all);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

static void put_many(void)
{
    put_text("d/a", "one\ntwo\nthree");
    put_text("d/b", "");
    put_text("d/c", "much too long for four\nfour\n\nfive\n");
    put_text("d/e/f", "six\nseven\n");
    put_text("d/g", "\n");
    put_text("d/h", "also too long");
}

#define MANY "one|two|four||five|six||"

/* Every record is some round's place of death. */
START_TEST(killed_behind_every_cursor)
{
    struct buf why = { 0 };
    struct fake *fake;

    put_many();
    fake = new_lines("paths=d", "size=4 B", NULL);
    fake_drain_killed(fake, (unsigned)_i, false, &why);
    assert_given(fake, "|", MANY);
    if (_i > 5) /* else it may be killed at just that cursor */
        ck_assert_ptr_nonnull(strstr(why.data, "byte 0"));
    buf_done(&why);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(killed_before_the_commit)
{
    struct fake *fake;

    put_many();
    fake = new_lines("paths=d", "size=4 B", NULL);
    fake_drain_killed(fake, (unsigned)_i, true, NULL);
    assert_given(fake, "|", MANY);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(numbers_go_on_after_a_kill)
{
    struct fake *fake;
    struct buf all;

    put_text("a", "x\nmuch too long\ny\nz\n");
    fake = new_lines("paths=a", "numbers=true", "size=4 B");
    fake_drain_killed(fake, 1, false, NULL);
    all = with_attr(fake, "line");
    ck_assert_str_eq(all.data, "1=x\n3=y\n4=z\n");
    buf_done(&all);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* More records than one call gives. */
START_TEST(a_call_is_a_bounded_piece)
{
    struct buf text = { 0 };
    struct fake *fake;

    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "%d\n", i);
    put_file("text", text.data, text.size);
    fake = new_lines("paths=text", NULL, NULL);
    ck_assert_int_eq(fake_run(fake, NULL, 0), 0);
    ck_assert_uint_gt(fake->given.count, 0);
    ck_assert_uint_le(fake->given.count, 64);
    fake_drain(fake, NULL);
    assert_given(fake, "\n", text.data);
    buf_done(&text);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
    struct buf why = { 0 };
    struct fake *fake;

    put_text("a", "1\n");
    put_text("gone", "");
    put_text("z", "2\n");
    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    fake = fake_new(&file_LTX_weir_plugin, "file", "lines", "paths=a",
                    "paths=gone", "paths=pipe", "paths=z", NULL);
    ck_assert_int_eq(fake_check(fake), 0);
    ck_assert_int_eq(unlink("gone"), 0);
    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_uint_eq(fake_drain(fake, &why), 2);
    ck_assert_str_eq(why.data, "cannot read 'gone': No such file or directory\n"
                               "cannot read 'pipe': it is no regular file\n");
    assert_given(fake, "|", "1|2|");
    buf_done(&why);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* How many descriptors there may be: no more than there are, or as before. */
static void limit_files(bool limited)
{
    static struct rlimit before;
    struct rlimit less;
    int lowest;

    if (!limited) {
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        return;
    }
    lowest = dup(STDERR_FILENO);
    ck_assert_int_ge(lowest, 0);
    close(lowest);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    less = before;
    less.rlim_cur = (rlim_t)lowest;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &less), 0);
}

static void open_again(struct fake *fake)
{
    fake_stop(fake);
    ck_assert_int_eq(fake_start(fake), 0);
}

START_TEST(a_file_that_cannot_be_read_now)
{
    struct fake *fake;

    put_text("a", "1\n");
    put_text("z", "2\n");
    fake = new_lines("paths=a", "paths=z", NULL);
    limit_files(true);
    ck_assert_int_eq(fake_run(fake, NULL, 0), WEIR_TRANSIENT);
    limit_files(false);
    ck_assert_str_eq(fake->why, "cannot read 'a' now: Too many open files");
    open_again(fake);
    ck_assert_uint_eq(fake_drain(fake, NULL), 0);
    assert_given(fake, "|", "1|2|");
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(a_place_that_cannot_be_read_now)
{
    struct fake *fake;

    put_text("d/b", "1\n2\n");
    put_text("d/c", "3\n");
    fake = new_lines(_i == 0 ? "paths=d" : "paths=d/b",
                     _i == 0 ? NULL : "paths=d/c", NULL);
    fake->kill_cursor = 1;
    ck_assert_int_eq(fake_run(fake, NULL, 0), FAKE_KILLED);
    limit_files(true);
    ck_assert_int_eq(fake_start(fake), WEIR_TRANSIENT);
    limit_files(false);
    ck_assert_str_eq(fake->why,
                     _i == 0 ? "cannot read 'd' now: Too many open files"
                             : "cannot read 'd/b' now: Too many open files");
    open_again(fake);
    ck_assert_uint_eq(fake_drain(fake, NULL), 0);
    assert_given(fake, "|", "1|2|3|");
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(a_file_that_grows_or_shrinks)
{
    struct fake *fake;
    struct buf text = { 0 };

    for (int i = 0; i < 100; i++)
        buf_printf(&text, "%02d\n", i);
    put_file("a", text.data, text.size);
    fake = new_lines("paths=a", NULL, NULL);
    ck_assert_int_eq(fake_run(fake, NULL, 0), 0);
    put_text("a", "xx\n"); /* what was read ahead is still given */
    fake_drain(fake, NULL);
    ck_assert_uint_eq(fake->given.count, 100);
    fake_stop(fake);
    fake_forget(fake);
    fake->cursor_size = 0;

    put_file("a", text.data, text.size);
    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_int_eq(fake_run(fake, NULL, 0), 0);
    buf_text(&text, "more\nand more\n");
    put_file("a", text.data, text.size);
    fake_drain(fake, NULL);
    ck_assert_uint_eq(fake->given.count, 100);
    fake_stop(fake);
    fake_free(&fake);
    buf_done(&text);
}
END_TEST

START_TEST(files_that_come_before_the_place)
{
    struct fake *fake;

    put_text("d/b", "1\n2\n");
    put_text("d/c", "3\n");
    fake = new_lines("paths=d", NULL, NULL);
    fake->kill_cursor = 1;
    ck_assert_int_eq(fake_run(fake, NULL, 0), FAKE_KILLED);
    put_text("d/a", "new\n");
    ck_assert_int_eq(fake_start(fake), 0);
    fake_drain(fake, NULL);
    assert_given(fake, "|", "1|2|3|");
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(a_place_that_is_gone)
{
    struct fake *fake;

    put_text("d/b", "1\n2\n");
    put_text("d/c", "3\n");
    fake = new_lines("paths=d", NULL, NULL);
    fake->kill_cursor = 1;
    ck_assert_int_eq(fake_run(fake, NULL, 0), FAKE_KILLED);
    ck_assert_int_eq(unlink("d/b"), 0);
    ck_assert_int_eq(fake_start(fake), WEIR_FATAL);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(files_of_unknown_size)
{
    struct fake *fake = new_lines("paths=/proc/self/status", NULL, NULL);

    ck_assert_uint_eq(fake_drain(fake, NULL), 0);
    ck_assert_uint_gt(fake->given.count, 10);
    ck_assert_int_eq(strncmp(fake->given.at[0].data.data, "Name:", 5), 0);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

Suite *lines_suite(void)
{
    Suite *suite = suite_create("lines");
    TCase *tcase = tcase_create("records");

    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_loop_test(tcase, ends_of_records, 0, sizeof ends / sizeof *ends);
    tcase_add_loop_test(tcase, records_that_are_too_long, 0,
                        sizeof sizes / sizeof *sizes);
    tcase_add_test(tcase, nul_bytes_stay);
    tcase_add_test(tcase, too_long_is_told_once_with_its_place);
    tcase_add_test(tcase, records_longer_than_the_window);
    tcase_add_test(tcase, attributes);
    tcase_add_test(tcase, a_call_is_a_bounded_piece);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("files");
    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_test(tcase, files_that_cannot_be_read);
    tcase_add_test(tcase, a_file_that_cannot_be_read_now);
    tcase_add_loop_test(tcase, a_place_that_cannot_be_read_now, 0, 2);
    tcase_add_test(tcase, a_file_that_grows_or_shrinks);
    tcase_add_test(tcase, files_of_unknown_size);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("killed");
    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_loop_test(tcase, killed_behind_every_cursor, 1, 14);
    tcase_add_loop_test(tcase, killed_before_the_commit, 1, 10);
    tcase_add_test(tcase, numbers_go_on_after_a_kill);
    tcase_add_test(tcase, files_that_come_before_the_place);
    tcase_add_test(tcase, a_place_that_is_gone);
    suite_add_tcase(suite, tcase);
    return suite;
}
