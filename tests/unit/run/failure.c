/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* failure.c - tests of core/run/failure.c. */
#include "config.h"

#include <string.h>

#include "queue/attrs.h"
#include "rig.h"
#include "run/failure.h"

START_TEST(an_items_failure)
{
    CLEANUP_BUF struct buf attrs = { 0 }, text = { 0 }, wrote = { 0 };
    struct item item = {
        .data = "one\ttwo", .size = 7, .root = 11, .path = 12
    };
    struct run_failure got;

    ck_assert_int_eq(attrs_set(&attrs, "path", "a/b", 3), 0);
    item.attrs = attrs.data;
    item.attrs_size = attrs.size;
    buf_text(&wrote, "so far\nso good");
    ck_assert_int_eq(failure_write(&text, 3, &item, 99, "it broke", 4, &wrote),
                     0);
    ck_assert_int_eq(failure_read(text.data, text.size, &got), 0);
    ck_assert_uint_eq(got.stage, 3);
    ck_assert_uint_eq(got.root, 11);
    ck_assert_uint_eq(got.path, 12);
    ck_assert_uint_eq(got.attempts, 4);
    ck_assert_str_eq(got.name, "a/b");
    ck_assert_str_eq(got.start, "one\\ttwo");
    ck_assert_str_eq(got.why, "it broke");
    ck_assert_str_eq(got.wrote, "so far\nso good");
    for (size_t size = 0; size < text.size; size++)
        ck_assert_int_eq(failure_read(text.data, size, &got), WEIR_EBROKEN);
}
END_TEST

START_TEST(a_sources_failure)
{
    CLEANUP_BUF struct buf text = { 0 };
    struct run_failure got;

    ck_assert_int_eq(failure_write(&text, 1, NULL, 99, "no such file", 1, NULL),
                     0);
    ck_assert_int_eq(failure_read(text.data, text.size, &got), 0);
    ck_assert_uint_eq(got.root, 99);
    ck_assert_ptr_null(got.name);
    ck_assert_ptr_null(got.start);
    ck_assert_str_eq(got.why, "no such file");
    ck_assert_ptr_null(got.wrote);
}
END_TEST

Suite *failure_suite(void)
{
    Suite *s = suite_create("failure");
    TCase *c = tcase_create("failure");

    tcase_add_test(c, an_items_failure);
    tcase_add_test(c, a_sources_failure);
    suite_add_tcase(s, c);
    return s;
}
