/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* param.c - tables of parameters that make no sense, one by one. */
#include "config.h"

#include <string.h>

#include "plugin/internal.h"
#include "scratch.h"

/* A case is a good one with one field written over. */
#pragma GCC diagnostic ignored "-Woverride-init"

struct all {
    const char *text;
    uint64_t number;
    int64_t whole;
    double real;
    bool flag;
    uint64_t size_bytes;
    int64_t wait_ns;
    unsigned choice;
    weir_list list;
    uint64_t _bytes;
};

static weir_error err;

static void ck_refused(const weir_param *table, const char *part)
{
    err = (weir_error){ 0 };
    ck_assert_int_eq(param_table_check(table, &err), WEIR_EPLUGIN);
    ck_assert_int_eq(err.code, WEIR_EPLUGIN);
    ck_assert_msg(strstr(err.text, part), "'%s' is not in '%s'", part,
                  err.text);
}

START_TEST(good)
{
    static const weir_param table[] = {
        WEIR_PARAM_TEXT(struct all, text, "", "t", .max = "10"),
        WEIR_PARAM_UINT(struct all, number, "3", "n", .min = "3", .max = "3"),
        WEIR_PARAM_INT(struct all, whole, "-5", "w", .min = "-5"),
        WEIR_PARAM_REAL(struct all, real, "0.5", "r", .max = "1.0"),
        WEIR_PARAM_BOOL(struct all, flag, "true", "f"),
        WEIR_PARAM_SIZE(struct all, size_bytes, "64 KiB", "s", .min = "1 B",
                        .max = "1 GiB"),
        WEIR_PARAM_DURATION(struct all, wait_ns, "1s", "d", .min = "0"),
        WEIR_PARAM_CHOICE(struct all, choice, "b", "c", .choices = "a b c"),
        WEIR_PARAM_LIST(struct all, list, "", "l", .max = "2"),
        { 0 },
    };

    err = (weir_error){ 0 };
    ck_assert_msg(param_table_check(table, &err) == 0, "%s", err.text);
    ck_assert_uint_ge(param_table_room(table), offsetof(struct all, _bytes));
    ck_assert_uint_eq(param_table_room(table) % 64, 0);
}
END_TEST

START_TEST(names)
{
    static const weir_param table[] = {
        WEIR_PARAM_SIZE(struct all, size_bytes, NULL, "s"),
        WEIR_PARAM_DURATION(struct all, wait_ns, NULL, "d"),
        WEIR_PARAM_UINT(struct all, size_bytes, NULL, "no unit of a count"),
        WEIR_PARAM_SIZE(struct all, number, NULL, "no suffix"),
    };
    static const char *const want[] = { "size", "wait", "size_bytes",
                                        "number" };
    char name[FIELD_MAX];

    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(param_name(&table[i], name), want[i]);
}
END_TEST

static const struct {
    weir_param table[3];
    const char *part;
} bad[] = {
    { { WEIR_PARAM(10, struct all, number, NULL, "n", ) },
      "parameter 'number': its type, 10, is not known" },
    { { WEIR_PARAM(0, struct all, number, NULL, "n", ) }, "type, 0" },
    { { WEIR_PARAM_UINT(struct all, choice, NULL, "n") },
      "its field has 4 bytes, and a uint has 8" },
    { { WEIR_PARAM_BOOL(struct all, number, NULL, "n") }, "a bool has 1" },
    { { WEIR_PARAM_LIST(struct all, text, NULL, "n") }, "a list has 16" },
    { { WEIR_PARAM_CHOICE(struct all, number, NULL, "n", .choices = "a") },
      "a choice has 4" },
    { { WEIR_PARAM_UINT(struct all, number, NULL, "n", .offset = 4) },
      "cannot stand at offset 4" },
    { { WEIR_PARAM_UINT(struct all, number, NULL, "n", .offset = 1u << 31) },
      "cannot stand at offset" },
    { { WEIR_PARAM_UINT(struct all, number, NULL, NULL) }, "no summary" },
    { { WEIR_PARAM_UINT(struct all, number, NULL, "a\nb") }, "one line" },
    { { WEIR_PARAM_UINT(struct all, number, "x", "n") }, "its default: " },
    { { WEIR_PARAM_UINT(struct all, number, "", "n") }, "its default: " },
    { { WEIR_PARAM_UINT(struct all, number, "0", "n", .min = "1") },
      "its default: 0 is less than 1" },
    { { WEIR_PARAM_UINT(struct all, number, "9", "n", .max = "8") },
      "its default: 9 is more than 8" },
    { { WEIR_PARAM_INT(struct all, whole, "-2", "n", .min = "-1") },
      "-2 is less than -1" },
    { { WEIR_PARAM_REAL(struct all, real, "2", "n", .max = "1.5") },
      "2 is more than 1.5" },
    { { WEIR_PARAM_SIZE(struct all, size_bytes, "64", "n") }, "its default: " },
    { { WEIR_PARAM_SIZE(struct all, size_bytes, "2 GiB", "n", .max = "1 GiB") },
      "2 GiB is more than 1 GiB" },
    { { WEIR_PARAM_DURATION(struct all, wait_ns, "30", "n") },
      "its default: " },
    { { WEIR_PARAM_BOOL(struct all, flag, "yes", "n") }, "its default: " },
    { { WEIR_PARAM_TEXT(struct all, text, "", "n", .min = "1") },
      "0 bytes are less than 1" },
    { { WEIR_PARAM_TEXT(struct all, text, "\xff", "n") }, "not UTF-8" },
    { { WEIR_PARAM_LIST(struct all, list, "", "n", .min = "1") },
      "0 entries are less than 1" },
    { { WEIR_PARAM_CHOICE(struct all, choice, "d", "n", .choices = "a b c") },
      "'d' is none of: a b c" },
    { { WEIR_PARAM_UINT(struct all, number, NULL, "n", .min = "5",
                        .max = "4") },
      "its least value, 5, is above its greatest, 4" },
    { { WEIR_PARAM_INT(struct all, whole, NULL, "n", .min = "1", .max = "-1") },
      "above its greatest" },
    { { WEIR_PARAM_SIZE(struct all, size_bytes, NULL, "n", .min = "5") },
      "its least value: " },
    { { WEIR_PARAM_UINT(struct all, number, NULL, "n", .max = "many") },
      "its greatest value: " },
    { { WEIR_PARAM_TEXT(struct all, text, NULL, "n", .max = "1 KiB") },
      "its greatest value: " },
    { { WEIR_PARAM_BOOL(struct all, flag, NULL, "n", .min = "true") },
      "a bool has no bounds" },
    { { WEIR_PARAM_CHOICE(struct all, choice, NULL, "n", .choices = "a",
                          .max = "a") },
      "a choice has no bounds" },
    { { WEIR_PARAM_CHOICE(struct all, choice, NULL, "n") },
      "a choice without choices" },
    { { WEIR_PARAM_TEXT(struct all, text, NULL, "n", .choices = "a b") },
      "a text has no choices" },
    { { WEIR_PARAM_CHOICE(struct all, choice, NULL, "n", .choices = "a  b") },
      "parted by one space" },
    { { WEIR_PARAM_CHOICE(struct all, choice, NULL, "n", .choices = "a b a") },
      "the choice 'a' twice" },
    { { WEIR_PARAM_CHOICE(struct all, choice, NULL, "n", .choices = "") },
      "no list of choices" },
    { { WEIR_PARAM_UINT(struct all, number, NULL, "n"),
        WEIR_PARAM_UINT(struct all, number, NULL, "n") },
      "parameter 'number': it is there twice" },
    { { WEIR_PARAM_SIZE(struct all, size_bytes, NULL, "n"),
        WEIR_PARAM_UINT(struct all, number, NULL, "n", .field = "size") },
      "parameter 'size': it is there twice" },
    { { WEIR_PARAM_UINT(struct all, number, NULL, "n"),
        WEIR_PARAM_UINT(struct all, number, NULL, "n", .field = "other") },
      "its field lies over that of 'number'" },
    { { WEIR_PARAM_UINT(struct all, number, NULL, "n", .field = "a b") },
      "'a b' is no name of a parameter" },
    { { WEIR_PARAM_UINT(struct all, number, NULL, "n", .field = "") },
      "'' is no name" },
    { { WEIR_PARAM_SIZE(struct all, _bytes, NULL, "n") }, "is no name" },
};

START_TEST(bad_table)
{
    ck_refused(bad[_i].table, bad[_i].part);
}
END_TEST

Suite *param_suite(void)
{
    Suite *suite = suite_create("param");
    TCase *tcase = tcase_create("param");

    tcase_add_test(tcase, good);
    tcase_add_test(tcase, names);
    tcase_add_loop_test(tcase, bad_table, 0, (int)(sizeof bad / sizeof *bad));
    suite_add_tcase(suite, tcase);
    return suite;
}
