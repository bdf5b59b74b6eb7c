/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utf8.c - core/base/utf8.c: what is UTF-8, cutting it, showing what is not. */
#include "config.h"

#include "base.h"

/* The first byte that is wrong; -1: none. */
static const struct {
    const char *text;
    int bad;
} texts[] = {
    { "", -1 },
    { "plain", -1 },
    { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", -1 },
    { "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf", -1 },
    { "\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80", -1 },
    { "a\x80", 1 },            /* a further byte first */
    { "a\xc3", 1 },            /* cut */
    { "a\xe2\x82", 1 },        /* cut */
    { "a\xf0\x9f\x98", 1 },    /* cut */
    { "a\xc3x", 1 },           /* not continued */
    { "a\xe2\x82x", 1 },       /* not continued */
    { "\xc0\x80", 0 },         /* overlong NUL */
    { "\xc1\xbf", 0 },         /* overlong */
    { "\xe0\x9f\xbf", 0 },     /* overlong */
    { "\xf0\x8f\xbf\xbf", 0 }, /* overlong */
    { "\xed\xa0\x80", 0 },     /* surrogate */
    { "\xed\xbf\xbf", 0 },     /* surrogate */
    { "\xf4\x90\x80\x80", 0 }, /* above U+10FFFF */
    { "\xf5\x80\x80\x80", 0 }, /* no such first byte */
    { "\xff", 0 },             /* no such byte */
};

START_TEST(well_formed)
{
    size_t size = strlen(texts[_i].text);
    size_t want = texts[_i].bad < 0 ? size : (size_t)texts[_i].bad;

    ck_assert_uint_eq(text_utf8_valid(texts[_i].text, size), want);
}
END_TEST

START_TEST(nul_is_a_character)
{
    ck_assert_uint_eq(text_utf8_valid("a\0b", 3), 3);
}
END_TEST

/* Each code point there is reads back, and no three bytes say another. */
START_TEST(all_code_points)
{
    for (uint32_t code = 0x80; code <= 0x10ffff; code++) {
        char text[4];
        uint32_t got = 0;
        size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        bool is_surrogate = code >= 0xd800 && code <= 0xdfff;

        for (size_t i = size - 1; i > 0; i--)
            text[i] = (char)(0x80 | (code >> (6 * (size - 1 - i)) & 0x3f));
        text[0] = (char)((0xf00 >> size & 0xff) | code >> (6 * (size - 1)));
        if (utf8_next(text, size, &got) != (is_surrogate ? 0 : size) ||
            (!is_surrogate && got != code) ||
            utf8_next(text, size - 1, &got) != 0)
            ck_abort_msg("U+%04X", code);
    }
}
END_TEST

START_TEST(cuts)
{
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";
    static const size_t want[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11 };

    for (size_t most = 0; most < COUNT(want); most++)
        ck_assert_uint_eq(utf8_cut(text, 11, most), want[most]);
    ck_assert_uint_eq(utf8_cut(text, 11, 99), 11);
    ck_assert_uint_eq(utf8_cut("\x80\x80\x80\x80", 4, 2), 2);
    ck_assert_uint_eq(utf8_cut("\xff\xe2\x82", 3, 2), 2); /* cut already */
}
END_TEST

static const struct {
    const char *data;
    size_t size, most;
    const char *shown;
} escapes[] = {
    { "plain \xc3\xa4", 8, 99, "plain \xc3\xa4" },
    { "a\nb\tc\x01\x7f", 7, 99, "a\\nb\\tc\\x01\\x7f" },
    { "\0", 1, 99, "\\x00" },
    { "\xff\xc3", 2, 99, "\\xff\\xc3" },
    { "\x1b[31m", 5, 99, "\\x1b[31m" },
    { "\xc2\x9b", 2, 99, "\\xc2\\x9b" },          /* CSI in one */
    { "\xe2\x80\xae", 3, 99, "\\xe2\\x80\\xae" }, /* right to left */
    { "\xef\xbb\xbf", 3, 99, "\\xef\\xbb\\xbf" }, /* byte order mark */
    { "abcdef", 6, 3, "abc..." },
    { "ab\xc3\xa4", 4, 3, "ab..." },
    { "abc", 3, 3, "abc" },
    { "", 0, 0, "" },
    { "abc", 3, 0, "..." },
};

START_TEST(escaped)
{
    CLEANUP_BUF struct buf buf = { 0 };

    ck_assert_int_eq(text_escape(&buf, escapes[_i].data, escapes[_i].size,
                                 escapes[_i].most),
                     0);
    ck_assert_str_eq(buf.data, escapes[_i].shown);
}
END_TEST

START_TEST(no_memory)
{
    CLEANUP_BUF struct buf buf = { 0 };

    int code = FAILING(1, text_escape(&buf, "text", 4, 9));

    ck_assert_int_eq(code, WEIR_ENOMEM);
    ck_assert_int_eq(text_escape(&buf, "", 0, 9), WEIR_ENOMEM);
}
END_TEST

START_TEST(shown)
{
    char out[SHOWN_ROOM], wild[400];

    ck_assert_str_eq(utf8_shown(out, ""), "");
    ck_assert_str_eq(utf8_shown(out, "a\tb\xff"), "a\\tb\\xff");
    memset(wild, 'x', sizeof wild - 1);
    wild[sizeof wild - 1] = '\0';
    utf8_shown(out, wild);
    ck_assert_uint_lt(strlen(out), SHOWN_ROOM);
    ck_assert_str_eq(out + strlen(out) - 4, "x...");
    memset(wild, '\xff', sizeof wild - 1);
    utf8_shown(out, wild);
    ck_assert_uint_lt(strlen(out), SHOWN_ROOM);
    ck_assert_str_eq(out + strlen(out) - 7, "\\xff...");
}
END_TEST

Suite *utf8_suite(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tcase = tcase_create("utf8");

    tcase_add_loop_test(tcase, well_formed, 0, COUNT(texts));
    tcase_add_test(tcase, nul_is_a_character);
    tcase_add_test(tcase, all_code_points);
    tcase_add_test(tcase, cuts);
    tcase_add_loop_test(tcase, escaped, 0, COUNT(escapes));
    tcase_add_test(tcase, no_memory);
    tcase_add_test(tcase, shown);
    suite_add_tcase(suite, tcase);
    return suite;
}
