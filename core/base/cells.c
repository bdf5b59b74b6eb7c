/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cells.c - how wide text is on a terminal. Any process.
 *
 * Not wcwidth: that goes by the locale of the program, and knows nothing
 * beyond ASCII in "C". The ranges are those of Markus Kuhn's wcwidth (2007,
 * Unicode 5.0) and the blocks of pictures that came later. Terminals differ in
 * the rest; a caret one cell off is no harm.
 */
#include "config.h"

#include "base/text.h"
#include "base/utf8.h"

struct range {
    uint32_t first, last;
};

/* Combining marks, joiners, variation selectors: no cell of their own. */
static const struct range no_cell[] = {
    { 0x0300, 0x036f },   { 0x0483, 0x0489 }, { 0x0591, 0x05bd },
    { 0x05bf, 0x05bf },   { 0x05c1, 0x05c2 }, { 0x05c4, 0x05c5 },
    { 0x0610, 0x061a },   { 0x064b, 0x065f }, { 0x0670, 0x0670 },
    { 0x06d6, 0x06dc },   { 0x06df, 0x06e4 }, { 0x06e7, 0x06e8 },
    { 0x06ea, 0x06ed },   { 0x0900, 0x0902 }, { 0x093c, 0x093c },
    { 0x0941, 0x0948 },   { 0x094d, 0x094d }, { 0x0e31, 0x0e31 },
    { 0x0e34, 0x0e3a },   { 0x0e47, 0x0e4e }, { 0x1160, 0x11ff },
    { 0x1ab0, 0x1aff },   { 0x1dc0, 0x1dff }, { 0x200b, 0x200f },
    { 0x202a, 0x202e },   { 0x2060, 0x2064 }, { 0x20d0, 0x20ff },
    { 0x302a, 0x302d },   { 0x3099, 0x309a }, { 0xfe00, 0xfe0f },
    { 0xfe20, 0xfe2f },   { 0xfeff, 0xfeff }, { 0x1f3fb, 0x1f3ff },
    { 0xe0001, 0xe01ef },
};

static const struct range two_cells[] = {
    { 0x1100, 0x115f },   { 0x2329, 0x232a },   { 0x2e80, 0x303e },
    { 0x3041, 0x4dbf },   { 0x4e00, 0xa4cf },   { 0xa960, 0xa97c },
    { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe10, 0xfe19 },
    { 0xfe30, 0xfe6f },   { 0xff01, 0xff60 },   { 0xffe0, 0xffe6 },
    { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff },
    { 0x20000, 0x3fffd },
};

static bool is_in(uint32_t code, const struct range *ranges, size_t count)
{
    while (count > 0) {
        const size_t half = count / 2;

        if (code > ranges[half].last) {
            ranges += half + 1;
            count -= half + 1;
        } else if (code < ranges[half].first) {
            count = half;
        } else {
            return true;
        }
    }
    return false;
}

#define IS_IN(code, ranges)                                                    \
    is_in(code, ranges, sizeof(ranges) / sizeof *(ranges))

size_t text_cells(const char *data, size_t size)
{
    size_t cells = 0;
    size_t at = 0;

    while (at < size) {
        uint32_t code = 0;
        size_t next = utf8_next(data + at, size - at, &code);

        at += next > 0 ? next : 1;
        if (code < 0x300 || !IS_IN(code, no_cell))
            cells += code >= 0x1100 && IS_IN(code, two_cells) ? 2 : 1;
    }
    return cells;
}
