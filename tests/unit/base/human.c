/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* human.c - core/base/human.c: three digits and a unit. */
#include "config.h"

#include "base.h"

#define KIB UINT64_C(1024)

static const struct {
    uint64_t bytes;
    const char *text;
} sizes[] = {
    { 0, "0 B" },
    { 98, "98 B" },
    { 999, "999 B" },
    { 1000, "0.98 KiB" },
    { 1024, "1 KiB" },
    { 1280, "1.25 KiB" },
    { 1285, "1.25 KiB" },
    { 12800, "12.5 KiB" },
    { 1310720, "1.25 MiB" },
    { 999 * KIB, "999 KiB" },
    { 1023 * KIB, "1 MiB" },
    { 64 * KIB * KIB * KIB, "64 GiB" },
    { UINT64_C(1) << 40, "1 TiB" },
    { UINT64_C(1) << 50, "1 PiB" },
    { UINT64_MAX, "16 EiB" },
};

START_TEST(sized)
{
    char out[32];

    ck_assert_ptr_eq(text_from_size(out, sizes[_i].bytes), out);
    ck_assert_str_eq(out, sizes[_i].text);
}
END_TEST

static const struct {
    uint64_t count;
    const char *text;
} counts[] = {
    { 0, "0" },           { 999, "999" },           { 1000, "1 k" },
    { 1234, "1.23 k" },   { 9995, "10 k" },         { 99950, "100 k" },
    { 999499, "999 k" },  { 999500, "1 M" },        { 3100000, "3.1 M" },
    { 10000000, "10 M" }, { UINT64_MAX, "18.4 E" },
};

START_TEST(count)
{
    char out[32];

    text_from_count(out, counts[_i].count);
    ck_assert_str_eq(out, counts[_i].text);
}
END_TEST

static const struct {
    int64_t ns;
    const char *text;
} durations[] = {
    { 0, "0 ns" },
    { 999, "999 ns" },
    { 1000, "1 us" },
    { 12 * NS_PER_MS, "12 ms" },
    { 1500 * NS_PER_MS, "1.5 s" },
    { 59949 * NS_PER_MS, "59.9 s" },
    { 59950 * NS_PER_MS, "1 min" },
    { 60 * NS_PER_S, "1 min" },
    { 65 * NS_PER_S, "1 min 5 s" },
    { 3599 * NS_PER_S + 600 * NS_PER_MS, "1 h" },
    { 3900 * NS_PER_S, "1 h 5 min" },
    { 86399 * NS_PER_S, "1 d" },
    { 90000 * NS_PER_S, "1 d 1 h" },
    { -1500 * NS_PER_MS, "-1.5 s" },
    { -65 * NS_PER_S, "-1 min 5 s" },
    { FOREVER, "for ever" },
    { FOREVER - 1, "106752 d" }, /* the hours are full */
    { INT64_MIN, "-106752 d" },
};

START_TEST(duration)
{
    char out[32];

    ck_assert_ptr_eq(text_from_duration(out, durations[_i].ns), out);
    ck_assert_str_eq(out, durations[_i].text);
}
END_TEST

/* Never more than three digits before a unit, whatever the value. */
START_TEST(any_value)
{
    unsigned seed = 1;

    for (int i = 0; i < 100000; i++) {
        uint64_t value = (uint64_t)rand_r(&seed) << 33 |
                         (uint64_t)rand_r(&seed) << 2 | (uint64_t)(i & 3);
        char out[32];
        size_t digits = 0;

        value >>= rand_r(&seed) % 64;
        text_from_size(out, value);
        for (const char *at = out; *at != '\0' && *at != ' '; at++)
            digits += *at != '.';
        if (digits > 3 || strlen(out) > 8)
            ck_abort_msg("%s", out);
    }
}
END_TEST

Suite *human_suite(void)
{
    Suite *suite = suite_create("human");
    TCase *tcase = tcase_create("human");

    tcase_add_loop_test(tcase, sized, 0, COUNT(sizes));
    tcase_add_loop_test(tcase, count, 0, COUNT(counts));
    tcase_add_loop_test(tcase, duration, 0, COUNT(durations));
    tcase_add_test(tcase, any_value);
    suite_add_tcase(suite, tcase);
    return suite;
}
