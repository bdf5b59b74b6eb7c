/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* number.c - core/base/number.c: plain numbers, in any locale. */
#include "config.h"

#include <locale.h>

#include "base.h"

static const struct {
    const char *text;
    int code;
    uint64_t value;
    const char *words; /* a part of the sentence */
} uints[] = {
    { "0", 0, 0, NULL },
    { "007", 0, 7, NULL },
    { "18446744073709551615", 0, UINT64_MAX, NULL },
    { "00000000000000000000000001", 0, 1, NULL },
    { "18446744073709551616", -ERANGE, 0,
      "too large; at most 18446744073709551615 can be" },
    { "99999999999999999999999", -ERANGE, 0, "too large" },
    { "-1", WEIR_ESYNTAX, 0, "'-1' must not be negative" },
    { "", WEIR_ESYNTAX, 0, "'' is not a whole number; write digits only" },
    { "-", WEIR_ESYNTAX, 0, "is not a whole number" },
    { "+1", WEIR_ESYNTAX, 0, "is not a whole number" },
    { " 1", WEIR_ESYNTAX, 0, "is not a whole number" },
    { "1 ", WEIR_ESYNTAX, 0, "is not a whole number" },
    { "1.0", WEIR_ESYNTAX, 0, "is not a whole number" },
    { "0x10", WEIR_ESYNTAX, 0, "is not a whole number" },
    { "1e3", WEIR_ESYNTAX, 0, "is not a whole number" },
    { "\xd9\xa1", WEIR_ESYNTAX, 0, "is not a whole number" },
};

START_TEST(unsigned_ones)
{
    uint64_t value = 77;
    weir_error err;

    ck_assert_int_eq(text_uint(uints[_i].text, &value, &err), uints[_i].code);
    if (uints[_i].code == 0) {
        ck_assert_uint_eq(value, uints[_i].value);
        return;
    }
    ck_assert_uint_eq(value, 77);
    ck_assert_msg(strstr(err.text, uints[_i].words) != NULL, "%s", err.text);
    ck_assert_int_eq(text_uint(uints[_i].text, &value, NULL), uints[_i].code);
}
END_TEST

static const struct {
    const char *text;
    int code;
    int64_t value;
} ints[] = {
    { "0", 0, 0 },
    { "-0", 0, 0 },
    { "-7", 0, -7 },
    { "9223372036854775807", 0, INT64_MAX },
    { "-9223372036854775808", 0, INT64_MIN },
    { "9223372036854775808", -ERANGE, 0 },
    { "-9223372036854775809", -ERANGE, 0 },
    { "99999999999999999999999", -ERANGE, 0 },
    { "", WEIR_ESYNTAX, 0 },
    { "-", WEIR_ESYNTAX, 0 },
    { "--1", WEIR_ESYNTAX, 0 },
    { "1-", WEIR_ESYNTAX, 0 },
};

START_TEST(signed_ones)
{
    int64_t value = 77;
    weir_error err;

    ck_assert_int_eq(text_int(ints[_i].text, &value, &err), ints[_i].code);
    ck_assert_int_eq(value, ints[_i].code == 0 ? ints[_i].value : 77);
}
END_TEST

static const struct {
    const char *text;
    int code;
    double value;
} reals[] = {
    { "0", 0, 0 },
    { "-0.5", 0, -0.5 },
    { "12", 0, 12 },
    { "1e-3", 0, 1e-3 },
    { "1E+3", 0, 1e3 },
    { "1.25e2", 0, 125 },
    { "1e-999", 0, 0 },
    { "1e999", -ERANGE, 0 },
    { "-1e999", -ERANGE, 0 },
    { "", WEIR_ESYNTAX, 0 },
    { ".5", WEIR_ESYNTAX, 0 },
    { "1.", WEIR_ESYNTAX, 0 },
    { "1e", WEIR_ESYNTAX, 0 },
    { "1e+", WEIR_ESYNTAX, 0 },
    { "nan", WEIR_ESYNTAX, 0 },
    { "inf", WEIR_ESYNTAX, 0 },
    { "0x1p3", WEIR_ESYNTAX, 0 },
    { "1,5", WEIR_ESYNTAX, 0 },
    { " 1", WEIR_ESYNTAX, 0 },
    { "1 ", WEIR_ESYNTAX, 0 },
};

START_TEST(real_ones)
{
    double value = 77;
    weir_error err;

    errno = 9;
    ck_assert_int_eq(text_real(reals[_i].text, &value, &err), reals[_i].code);
    ck_assert_int_eq(errno, 9);
    ck_assert_double_eq(value, reals[_i].code == 0 ? reals[_i].value : 77);
}
END_TEST

START_TEST(other_locale)
{
    double value;

    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL)
        return; /* not installed: nothing to see */
    ck_assert_int_eq(text_real("1.5", &value, NULL), 0);
    ck_assert_double_eq(value, 1.5);
    ck_assert_int_eq(text_real("1,5", &value, NULL), WEIR_ESYNTAX);
}
END_TEST

Suite *number_suite(void)
{
    Suite *suite = suite_create("number");
    TCase *tcase = tcase_create("number");

    tcase_add_loop_test(tcase, unsigned_ones, 0, COUNT(uints));
    tcase_add_loop_test(tcase, signed_ones, 0, COUNT(ints));
    tcase_add_loop_test(tcase, real_ones, 0, COUNT(reals));
    tcase_add_test(tcase, other_locale);
    suite_add_tcase(suite, tcase);
    return suite;
}
