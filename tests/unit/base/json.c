/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.c - core/base/json.c: what is written is JSON, whatever goes in. */
#include "config.h"

#include <locale.h>
#include <math.h>

#include "base.h"

static struct buf out;
static struct json json;

static void setup(void)
{
    json = (struct json){ .out = &out };
}

static void teardown(void)
{
    fail_from(0);
    buf_done(&out);
}

START_TEST(structure)
{
    json_object(&json, NULL);
    json_text(&json, "a", "x");
    json_array(&json, "list");
    json_int(&json, NULL, -1);
    json_uint(&json, NULL, UINT64_MAX);
    json_object(&json, NULL);
    json_object_end(&json);
    json_array(&json, NULL);
    json_array_end(&json);
    json_array_end(&json);
    json_bool(&json, "yes", true);
    json_bool(&json, "no", false);
    json_null(&json, "none");
    json_text(&json, "nothing", NULL);
    json_object_end(&json);
    ck_assert_str_eq(out.data,
                     "{\"a\":\"x\",\"list\":[-1,18446744073709551615,{},[]],"
                     "\"yes\":true,\"no\":false,\"none\":null,"
                     "\"nothing\":null}");
    ck_assert(!out.failed);
}
END_TEST

static const struct {
    const char *data;
    size_t size;
    const char *want;
} texts[] = {
    { "", 0, "\"\"" },
    { "a\"b\\c/", 6, "\"a\\\"b\\\\c/\"" },
    { "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"" },
    { "\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"" },
    { "\xc3\xa4\xf0\x9f\x98\x80", 6, "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
    { "a\xff"
      "b",
      3,
      "\"a\xef\xbf\xbd"
      "b\"" },
    { "\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
    { "\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
};

START_TEST(text)
{
    json_bytes(&json, NULL, texts[_i].data, texts[_i].size);
    ck_assert_uint_eq(out.size, strlen(texts[_i].want));
    ck_assert_str_eq(out.data, texts[_i].want);
}
END_TEST

START_TEST(keys_are_quoted_too)
{
    json_object(&json, NULL);
    json_null(&json, "a\"\n");
    json_object_end(&json);
    ck_assert_str_eq(out.data, "{\"a\\\"\\n\":null}");
}
END_TEST

static const struct {
    double value;
    const char *want;
} reals[] = {
    { 0, "0" },
    { -0.5, "-0.5" },
    { 0.1, "0.1" },
    { 1e300, "1e+300" },
    { 3, "3" },
    { 1.0 / 3, "0.3333333333333333" },
    { NAN, "null" },
    { INFINITY, "null" },
    { 5e-324, "4.94065645841247e-324" },
};

START_TEST(real)
{
    json_real(&json, NULL, reals[_i].value);
    ck_assert_str_eq(out.data, reals[_i].want);
}
END_TEST

START_TEST(reals_read_back)
{
    unsigned seed = 1;

    for (int i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)rand_r(&seed) << 33 |
                        (uint64_t)rand_r(&seed) << 2 | (uint64_t)(i & 3);
        double value, read;

        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        buf_cut(&out, 0);
        json.comma = false;
        json_real(&json, NULL, value);
        read = strtod(out.data, NULL);
        if (memcmp(&read, &value, sizeof value) != 0)
            ck_abort_msg("%s", out.data);
    }
}
END_TEST

START_TEST(other_locale)
{
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL)
        return; /* not installed: nothing to see */
    json_real(&json, NULL, 0.5);
    ck_assert_str_eq(out.data, "0.5");
}
END_TEST

START_TEST(no_memory)
{
    fail_from(1);
    json_object(&json, NULL);
    fail_from(0);
    json_text(&json, "key", "\xff\n\x01");
    json_real(&json, "real", 0.5);
    json_object_end(&json);
    ck_assert(out.failed);
    ck_assert_uint_eq(out.size, 0);
}
END_TEST

Suite *json_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *tcase = tcase_create("json");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, structure);
    tcase_add_loop_test(tcase, text, 0, COUNT(texts));
    tcase_add_test(tcase, keys_are_quoted_too);
    tcase_add_loop_test(tcase, real, 0, COUNT(reals));
    tcase_add_test(tcase, reals_read_back);
    tcase_add_test(tcase, other_locale);
    tcase_add_test(tcase, no_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}
