/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* diag.c - how mistakes are shown: order, carets, bytes. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "house.h"

static struct diags diags;
static struct buf out;

static void setup(void)
{
    diags = (struct diags){ .file = "a.yaml" };
    out = (struct buf){ 0 };
}

static void teardown(void)
{
    diags_done(&diags);
    buf_done(&out);
}

static void source(const char *text)
{
    diags.source = text;
    diags.source_size = strlen(text);
}

static void add(unsigned line, unsigned column, unsigned length,
                const char *text)
{
    ck_assert_int_eq(diag_add(&diags, (struct mark){ line, column, length },
                              "%s", text),
                     0);
}

static void ck_printed(const char *expected)
{
    ck_assert_int_eq(diag_print(&diags, &out, false), 0);
    ck_assert_str_eq(out.data, expected);
}

START_TEST(diag_order)
{
    source("one\ntwo three\n");
    add(2, 5, 5, "third");
    add(2, 1, 3, "second");
    add(0, 0, 0, "first");
    add(2, 1, 3, "second"); /* said twice, shown once */
    ck_printed("a.yaml: first\n"
               "a.yaml:2:1: second\n"
               "    2 | two three\n"
               "      | ^~~\n"
               "a.yaml:2:5: third\n"
               "    2 | two three\n"
               "      |     ^~~~~\n");
}
END_TEST

/* Cells are not characters, and characters are not bytes. */
START_TEST(diag_wide)
{
    source("\xef\xbb\xbf\xe6\x97\xa5\xe6\x9c\xac e\xcc\x81 x: \xc3\xa4\r\n");
    add(1, 4, 2, "accent");
    add(1, 7, 1, "x");
    add(1, 1, 2, "wide");
    ck_printed("a.yaml:1:1: wide\n"
               "    1 | \xe6\x97\xa5\xe6\x9c\xac e\xcc\x81 x: \xc3\xa4\n"
               "      | ^~~~\n"
               "a.yaml:1:4: accent\n"
               "    1 | \xe6\x97\xa5\xe6\x9c\xac e\xcc\x81 x: \xc3\xa4\n"
               "      |      ^\n"
               "a.yaml:1:7: x\n"
               "    1 | \xe6\x97\xa5\xe6\x9c\xac e\xcc\x81 x: \xc3\xa4\n"
               "      |        ^\n");
}
END_TEST

START_TEST(diag_odd_bytes)
{
    source("a\tb\x1b\xff c\n");
    add(1, 7, 1, "c \x1b[31m");
    ck_printed("a.yaml:1:7: c \\x1b[31m\n"
               "    1 | a b?? c\n"
               "      |       ^\n");
}
END_TEST

START_TEST(diag_long_line)
{
    struct buf text = { 0 };
    const char *caret, *x;

    for (int i = 0; i < 1000; i++)
        buf_char(&text, 'a');
    buf_char(&text, 'x');
    for (int i = 0; i < 1000; i++)
        buf_char(&text, 'b');
    source(text.data);
    add(1, 1001, 1, "x");
    ck_assert_int_eq(diag_print(&diags, &out, false), 0);
    caret = strchr(out.data, '^');
    x = strstr(out.data, "axb");
    ck_assert_ptr_nonnull(caret);
    ck_assert_ptr_nonnull(x);
    ck_assert_uint_lt(out.size, 400);
    /* the caret stands under the x */
    ck_assert_int_eq(caret - strrchr(out.data, '|'),
                     x + 1 - strchr(out.data, '|'));
    buf_done(&text);
}
END_TEST

/* Beyond the end of line or file; without a source. */
START_TEST(diag_outside)
{
    source("ab\ncd");
    add(1, 9, 5, "behind");
    add(2, 3, 1, "end");
    add(7, 1, 1, "below");
    ck_printed("a.yaml:1:9: behind\n"
               "    1 | ab\n"
               "      |   ^\n"
               "a.yaml:2:3: end\n"
               "    2 | cd\n"
               "      |   ^\n"
               "a.yaml:7:1: below\n");
    buf_cut(&out, 0);
    diags.source = NULL;
    ck_printed("a.yaml:1:9: behind\na.yaml:2:3: end\na.yaml:7:1: below\n");
}
END_TEST

START_TEST(diag_many)
{
    for (unsigned i = 1; i <= 12000; i++)
        add(i, 1, 1, "x");
    ck_assert_uint_eq(diags.list.count, DIAGS_MOST);
    ck_assert_int_eq(diag_print(&diags, &out, false), 0);
    ck_assert_ptr_nonnull(strstr(out.data, "a.yaml:100:1: x\n"));
    ck_assert_ptr_null(strstr(out.data, "a.yaml:101:1: x\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "a.yaml: and 11900 more\n"));
}
END_TEST

START_TEST(diag_colour)
{
    source("ab\n");
    add(1, 1, 2, "x");
    ck_assert_int_eq(diag_print(&diags, &out, true), 0);
    ck_assert_str_eq(out.data, "\033[1ma.yaml:1:1: \033[0mx\n"
                               "    1 | ab\n"
                               "      | \033[1;31m^~\033[0m\n");
}
END_TEST

START_TEST(diag_as_json)
{
    source("\xc3\xa4\n\xc3\xa4 b\n");
    add(2, 3, 1, "say \"b\"");
    add(0, 0, 0, "all");
    ck_assert_int_eq(diag_json(&diags, &out), 0);
    ck_assert_str_eq(
        out.data, "[{\"file\":\"a.yaml\",\"line\":0,\"column\":0,\"length\":0,"
                  "\"offset\":null,\"text\":\"all\"},"
                  "{\"file\":\"a.yaml\",\"line\":2,\"column\":3,\"length\":1,"
                  "\"offset\":6,\"text\":\"say \\\"b\\\"\"}]");
}
END_TEST

START_TEST(diag_none)
{
    ck_assert_int_eq(diag_json(&diags, &out), 0);
    ck_assert_str_eq(out.data, "[]");
    buf_cut(&out, 0);
    ck_assert_int_eq(diag_print(&diags, &out, false), 0);
    ck_assert_uint_eq(out.size, 0);
}
END_TEST

Suite *diag_suite(void)
{
    Suite *suite = suite_create("diag");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, diag_order);
    tcase_add_test(tcase, diag_wide);
    tcase_add_test(tcase, diag_odd_bytes);
    tcase_add_test(tcase, diag_long_line);
    tcase_add_test(tcase, diag_outside);
    tcase_add_test(tcase, diag_many);
    tcase_add_test(tcase, diag_colour);
    tcase_add_test(tcase, diag_as_json);
    tcase_add_test(tcase, diag_none);
    suite_add_tcase(suite, tcase);
    return suite;
}
