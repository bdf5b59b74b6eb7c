/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unit.c - core/base/unit.c: sizes and durations as people write them. */
#include "config.h"

#include "base.h"

#define KIB UINT64_C(1024)

static const struct {
    const char *text;
    int code;
    uint64_t value;
    const char *words; /* the sentence */
} sizes[] = {
    { "0", 0, 0, NULL },
    { "0.0", 0, 0, NULL },
    { "0 B", 0, 0, NULL },
    { "4096 B", 0, 4096, NULL },
    { "64 MiB", 0, 64 * KIB *KIB, NULL },
    { "64MiB", 0, 64 * KIB *KIB, NULL },
    { "1.5 GiB", 0, 3 * KIB *KIB *KIB / 2, NULL },
    { "1.50 GB", 0, 1500000000, NULL },
    { "1 kB", 0, 1000, NULL },
    { "1 KB", 0, 1000, NULL },
    { "2 TiB", 0, 2 * KIB *KIB *KIB *KIB, NULL },
    { "2 TB", 0, UINT64_C(2000000000000), NULL },
    { "0.3 KiB", 0, 307, NULL }, /* 307.2 */
    { "0.0005 kB", 0, 1, NULL }, /* half is rounded up */
    { "1.000 B", 0, 1, NULL },
    { "16777215.999999999999999999 TiB", -ERANGE, 0,
      "'16777215.999999999999999999 TiB' is too large for a size" },
    { "18446744073709551615 B", 0, UINT64_MAX, NULL },
    { "18446744073709551616 B", -ERANGE, 0,
      "'18446744073709551616 B' is too large for a size" },
    { "16777216 TiB", -ERANGE, 0, "'16777216 TiB' is too large for a size" },
    { "64", WEIR_ESYNTAX, 0, "'64' has no unit; write 64 B, 64 KiB or 64 MiB" },
    { "0.5", WEIR_ESYNTAX, 0,
      "'0.5' has no unit; write 0.5 B, 0.5 KiB or 0.5 MiB" },
    { "64 M", WEIR_ESYNTAX, 0,
      "unknown unit 'M' in '64 M'; there are B, KiB, MiB, GiB, TiB, kB, KB, "
      "MB, GB and TB" },
    { "64 mib", WEIR_ESYNTAX, 0,
      "unknown unit 'mib' in '64 mib'; there are B, KiB, MiB, GiB, TiB, kB, "
      "KB, MB, GB and TB" },
    { "0.5 B", WEIR_ESYNTAX, 0, "'0.5 B' divides a byte" },
    { "0.0001 KiB", WEIR_ESYNTAX, 0, "'0.0001 KiB' divides a byte" },
    { "-1 B", WEIR_ESYNTAX, 0, "'-1 B' must not be negative" },
    { "", WEIR_ESYNTAX, 0, "'' is not a size; write 30 B, 30 KiB or 30 MiB" },
    { "MiB", WEIR_ESYNTAX, 0,
      "'MiB' is not a size; write 30 B, 30 KiB or 30 MiB" },
    { " 1 B", WEIR_ESYNTAX, 0,
      "' 1 B' is not a size; write 30 B, 30 KiB or 30 MiB" },
    { "1 B ", WEIR_ESYNTAX, 0,
      "'1 B ' is not a size; write 30 B, 30 KiB or 30 MiB" },
    { "1  B", WEIR_ESYNTAX, 0,
      "'1  B' is not a size; write 30 B, 30 KiB or 30 MiB" },
    { "1. B", WEIR_ESYNTAX, 0,
      "'1. B' is not a size; write 30 B, 30 KiB or 30 MiB" },
    { ".5 MiB", WEIR_ESYNTAX, 0,
      "'.5 MiB' is not a size; write 30 B, 30 KiB or 30 MiB" },
    { "1 MiB 2 B", WEIR_ESYNTAX, 0,
      "'1 MiB 2 B' is not a size; write 30 B, 30 KiB or 30 MiB" },
    { "1.0000000000000000001 MiB", WEIR_ESYNTAX, 0,
      "'1.0000000000000000001 MiB' has more than 18 digits after the point" },
    { "1.1.1 MiB", WEIR_ESYNTAX, 0,
      "'1.1.1 MiB' is not a size; write 30 B, 30 KiB or 30 MiB" },
    { "1 \xff", WEIR_ESYNTAX, 0,
      "unknown unit '\\xff' in '1 \\xff'; there are B, KiB, MiB, GiB, TiB, "
      "kB, KB, MB, GB and TB" },
};

START_TEST(sized)
{
    uint64_t value = 77;
    weir_error err = { 0 };

    ck_assert_int_eq(text_size(sizes[_i].text, &value, &err), sizes[_i].code);
    if (sizes[_i].code == 0) {
        ck_assert_uint_eq(value, sizes[_i].value);
        return;
    }
    ck_assert_str_eq(err.text, sizes[_i].words);
    ck_assert_uint_eq(value, 77);
}
END_TEST

static const struct {
    const char *text;
    int code;
    int64_t value;
    const char *words;
} durations[] = {
    { "0", 0, 0, NULL },
    { "30s", 0, 30 * NS_PER_S, NULL },
    { "30 s", 0, 30 * NS_PER_S, NULL },
    { "250ms", 0, 250 * NS_PER_MS, NULL },
    { "10us", 0, 10 * NS_PER_US, NULL },
    { "5ns", 0, 5, NULL },
    { "2min", 0, 120 * NS_PER_S, NULL },
    { "2m", 0, 120 * NS_PER_S, NULL },
    { "1h30m", 0, 5400 * NS_PER_S, NULL },
    { "1h 30min", 0, 5400 * NS_PER_S, NULL },
    { "1d", 0, 86400 * NS_PER_S, NULL },
    { "1.5s", 0, 1500 * NS_PER_MS, NULL },
    { "1h0.5s", 0, 3600 * NS_PER_S + NS_PER_S / 2, NULL },
    { "1d2h3m4s5ms6us7ns", 0,
      INT64_C(93784) * NS_PER_S + 5 * NS_PER_MS + 6 * NS_PER_US + 7, NULL },
    { "9223372036854775806ns", 0, FOREVER - 1, NULL },
    { "9223372036854775807ns", -ERANGE, 0,
      "'9223372036854775807ns' is too large for a duration" },
    { "106751d9999999d", WEIR_ESYNTAX, 0,
      "'106751d9999999d': larger units come first, each once, a fraction "
      "last, as in 1h30m" },
    { "106751d23h59min", -ERANGE, 0,
      "'106751d23h59min' is too large for a duration" },
    { "999999999999999999999d", -ERANGE, 0,
      "'999999999999999999999d' is too large for a duration" },
    { "30", WEIR_ESYNTAX, 0, "'30' has no unit; write 30s, 30ms or 30min" },
    { "1h30", WEIR_ESYNTAX, 0, "'1h30' has no unit; write 30s, 30ms or 30min" },
    { "30m1h", WEIR_ESYNTAX, 0,
      "'30m1h': larger units come first, each once, a fraction last, as in "
      "1h30m" },
    { "1s1s", WEIR_ESYNTAX, 0,
      "'1s1s': larger units come first, each once, a fraction last, as in "
      "1h30m" },
    { "1.5h30m", WEIR_ESYNTAX, 0,
      "'1.5h30m': larger units come first, each once, a fraction last, as in "
      "1h30m" },
    { "30 sec", WEIR_ESYNTAX, 0,
      "unknown unit 'sec' in '30 sec'; there are ns, us, ms, s, min, m, h and "
      "d" },
    { "-1s", WEIR_ESYNTAX, 0, "'-1s' must not be negative" },
    { "0.5ns", WEIR_ESYNTAX, 0, "'0.5ns' divides a nanosecond" },
    { "30s ", WEIR_ESYNTAX, 0,
      "'30s ' is not a duration; write 30s, 30ms or 30min" },
    { "s", WEIR_ESYNTAX, 0, "'s' is not a duration; write 30s, 30ms or 30min" },
    { "0 0", WEIR_ESYNTAX, 0,
      "'0 0' is not a duration; write 30s, 30ms or 30min" },
};

START_TEST(duration)
{
    int64_t value = 77;
    weir_error err = { 0 };

    ck_assert_int_eq(text_duration(durations[_i].text, &value, &err),
                     durations[_i].code);
    if (durations[_i].code == 0) {
        ck_assert_int_eq(value, durations[_i].value);
        return;
    }
    ck_assert_str_eq(err.text, durations[_i].words);
    ck_assert_int_eq(value, 77);
}
END_TEST

/* Whatever it is, it is answered, and in one clean line. */
START_TEST(any_text)
{
    static const char letters[] = "0123456789.. -+smhdunBKMGTikb\xff\xc3\xa4";
    unsigned seed = 1;

    for (int i = 0; i < 20000; i++) {
        char text[24];
        size_t size = (size_t)rand_r(&seed) % sizeof text;
        weir_error err = { 0 };
        uint64_t bytes;
        int64_t ns;

        for (size_t at = 0; at < size; at++)
            text[at] = letters[(size_t)rand_r(&seed) % (sizeof letters - 1)];
        text[size == 0 ? 0 : size - 1] = '\0';
        if ((text_size(text, &bytes, &err) < 0 && err.text[0] == '\0') ||
            (text_duration(text, &ns, &err) < 0 &&
             text_utf8_valid(err.text, strlen(err.text)) != strlen(err.text)))
            ck_abort_msg("'%s': %s", text, err.text);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("unit");
    TCase *tcase = tcase_create("unit");

    tcase_add_loop_test(tcase, sized, 0, COUNT(sizes));
    tcase_add_loop_test(tcase, duration, 0, COUNT(durations));
    tcase_add_test(tcase, any_text);
    suite_add_tcase(suite, tcase);
    return suite;
}
