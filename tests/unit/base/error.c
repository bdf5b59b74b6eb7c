/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error.c - core/base/error.c: words for codes, sentences, places. */
#include "config.h"

#include <limits.h>

#include "base.h"

static char wide[2000];
static weir_error err;

static void setup(void)
{
    memset(wide, 'w', sizeof wide - 1);
    memset(&err, 'x', sizeof err);
}

START_TEST(words)
{
    ck_assert_str_eq(weir_strerror(0), "success");
    ck_assert_str_eq(weir_strerror(7), "success");
    ck_assert_str_eq(weir_strerror(-EACCES), "Permission denied");
    ck_assert_str_eq(weir_strerror(WEIR_ETIMEDOUT), "Connection timed out");
    for (int code = WEIR_ETRUST; code < WEIR_CODE_FLOOR; code++)
        ck_assert_str_ne(weir_strerror(code), "unknown error");
    ck_assert_str_eq(weir_strerror(WEIR_ECLOSED), "closed");
    ck_assert_str_eq(weir_strerror(WEIR_CODE_FLOOR), "unknown error");
    ck_assert_str_eq(weir_strerror(WEIR_ETRUST - 1), "unknown error");
    ck_assert_str_eq(weir_strerror(-4000), "unknown error");
    ck_assert_str_eq(weir_strerror(INT_MIN), "unknown error");
}
END_TEST

START_TEST(set)
{
    errno = 99;
    ck_assert_int_eq(error_set(&err, WEIR_EINVAL, "'%s' is %d", "a", 5),
                     WEIR_EINVAL);
    ck_assert_int_eq(err.code, WEIR_EINVAL);
    ck_assert_str_eq(err.text, "'a' is 5");
    ck_assert_str_eq(err.file, "");
    ck_assert_uint_eq(err.line, 0);
    ck_assert_uint_eq(err.column, 0);
    ck_assert_int_eq(errno, 99);
    ck_assert_int_eq(error_set(NULL, WEIR_EINVAL, "nobody"), WEIR_EINVAL);
    /* What it says may be part of what it shall say. */
    error_set(&err, WEIR_EINVAL, "more: %s", err.text);
    ck_assert_str_eq(err.text, "more: 'a' is 5");
}
END_TEST

START_TEST(too_long)
{
    error_set(&err, WEIR_EINVAL, "%s", wide);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    ck_assert_str_eq(err.text + sizeof err.text - 5, "w...");
    error_set(&err, WEIR_EINVAL, "%.*s", (int)sizeof err.text - 1, wide);
    ck_assert_int_eq(err.text[sizeof err.text - 2], 'w');
    error_set(&err, WEIR_EINVAL, "%.*s", (int)sizeof err.text, wide);
    ck_assert_str_eq(err.text + sizeof err.text - 5, "w...");
}
END_TEST

/* Never between the bytes of a character. */
START_TEST(cut_between_characters)
{
    char text[2000];

    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t at = shift; at < sizeof text; at += 3)
            memcpy(text + at, "\xe2\x82\xac",
                   sizeof text - at < 3 ? sizeof text - at : 3);
        text[sizeof text - 1] = '\0';
        error_set(&err, WEIR_EINVAL, "%s", text);
        ck_assert_uint_eq(text_utf8_valid(err.text, strlen(err.text)),
                          strlen(err.text));
        ck_assert_uint_ge(strlen(err.text), sizeof err.text - 4);
        error_at(&err, WEIR_EINVAL, text, 1, 1, "file");
        ck_assert_uint_lt(strlen(err.file), sizeof err.file);
        ck_assert_mem_eq(err.file, "...\xe2", 4);
    }
}
END_TEST

START_TEST(at)
{
    char path[600];

    errno = 99;
    ck_assert_int_eq(error_at(&err, WEIR_EJOB, "a.yaml", 3, 4, "key '%c'", 'k'),
                     WEIR_EJOB);
    ck_assert_str_eq(err.file, "a.yaml");
    ck_assert_uint_eq(err.line, 3);
    ck_assert_uint_eq(err.column, 4);
    ck_assert_str_eq(err.text, "key 'k'");
    ck_assert_int_eq(errno, 99);
    ck_assert_int_eq(error_at(NULL, WEIR_EJOB, "a", 1, 1, "nobody"), WEIR_EJOB);
    error_at(&err, WEIR_EJOB, err.file, 5, 6, "same file");
    ck_assert_str_eq(err.file, "a.yaml");
    snprintf(path, sizeof path, "%.500s/end.yaml", wide);
    error_at(&err, WEIR_EJOB, path, 1, 1, "long");
    ck_assert_uint_eq(strlen(err.file), sizeof err.file - 1);
    ck_assert_mem_eq(err.file, "...w", 4);
    ck_assert_str_eq(err.file + strlen(err.file) - 9, "/end.yaml");
    snprintf(path, sizeof path, "%.255s", wide);
    error_at(&err, WEIR_EJOB, path, 1, 1, "just fits");
    ck_assert_str_eq(err.file, path);
}
END_TEST

START_TEST(of_the_system)
{
    errno = 99;
    ck_assert_int_eq(error_sys(&err, -ENOENT, "cannot open '%s'", "/x"),
                     -ENOENT);
    ck_assert_str_eq(err.text, "cannot open '/x': No such file or directory");
    ck_assert_int_eq(err.code, -ENOENT);
    ck_assert_int_eq(errno, 99);
    error_sys(&err, WEIR_EFULL, "%s", "");
    ck_assert_str_eq(err.text, "no room now");
    ck_assert_int_eq(error_sys(NULL, -ENOENT, "nobody"), -ENOENT);
    error_sys(&err, -ENOENT, "%s", wide);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
}
END_TEST

START_TEST(prefixed)
{
    error_at(&err, WEIR_EJOB, "a.yaml", 3, 4, "too large");
    errno = 99;
    error_prefix(&err, "parameter '%s'", "k");
    ck_assert_str_eq(err.text, "parameter 'k': too large");
    ck_assert_str_eq(err.file, "a.yaml");
    ck_assert_uint_eq(err.line, 3);
    ck_assert_int_eq(err.code, WEIR_EJOB);
    ck_assert_int_eq(errno, 99);
    error_prefix(NULL, "nobody");
    error_prefix(&err, "%s", wide);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    error_set(&err, WEIR_EJOB, "%s", wide);
    error_prefix(&err, "front");
    ck_assert_mem_eq(err.text, "front: w", 8);
    ck_assert_str_eq(err.text + sizeof err.text - 5, "w...");
}
END_TEST

START_TEST(format_fails)
{
    /* A character that the locale does not have: vsnprintf refuses. */
    error_set(&err, -ENOENT, "%ls", L"\x100");
    ck_assert_str_eq(err.text, "No such file or directory");
    error_sys(&err, -ENOENT, "%ls", L"\x100");
    ck_assert_str_eq(err.text, "No such file or directory");
    error_prefix(&err, "%ls", L"\x100");
    ck_assert_str_eq(err.text, "No such file or directory");
}
END_TEST

Suite *error_suite(void)
{
    Suite *suite = suite_create("error");
    TCase *tcase = tcase_create("error");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, words);
    tcase_add_test(tcase, set);
    tcase_add_test(tcase, too_long);
    tcase_add_test(tcase, cut_between_characters);
    tcase_add_test(tcase, at);
    tcase_add_test(tcase, of_the_system);
    tcase_add_test(tcase, prefixed);
    tcase_add_test(tcase, format_fails);
    suite_add_tcase(suite, tcase);
    return suite;
}
