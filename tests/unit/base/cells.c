/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cells.c - core/base/cells.c: how wide text is on a terminal. */
#include "config.h"

#include "base.h"

static const struct {
    const char *text;
    size_t cells;
} texts[] = {
    { "", 0 },
    { "plain", 5 },
    { "a\tb\x01", 4 },                 /* a control counts 1 */
    { "\xc3\xa4\xc3\xa4", 2 },         /* two letters of two bytes */
    { "e\xcc\x81", 1 },                /* e and an accent on it */
    { "\xe4\xb8\xad\xe6\x96\x87", 4 }, /* two of CJK */
    { "\xed\x95\x9c", 2 },             /* a syllable of Hangul */
    { "\xf0\x9f\x98\x80", 2 },         /* a face */
    { "\xef\xbc\xa1", 2 },             /* a wide A */
    { "\xef\xbd\xb1", 1 },             /* a narrow kana */
    { "a\xe2\x80\x8d"
      "b",
      2 },                     /* a joiner between */
    { "\xef\xb8\x8f", 0 },     /* a variation selector */
    { "\xff\x80", 2 },         /* no UTF-8 */
    { "\xf3\xa0\x80\x81", 0 }, /* a tag */
    { "\xe1\x84\x80", 2 },     /* the first of the wide */
    { "\xf3\xb0\x80\x80", 1 }, /* behind the last range */
};

START_TEST(cells)
{
    ck_assert_uint_eq(text_cells(texts[_i].text, strlen(texts[_i].text)),
                      texts[_i].cells);
}
END_TEST

Suite *cells_suite(void)
{
    Suite *suite = suite_create("cells");
    TCase *tcase = tcase_create("cells");

    tcase_add_loop_test(tcase, cells, 0, COUNT(texts));
    suite_add_tcase(suite, tcase);
    return suite;
}
