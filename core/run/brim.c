/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* brim.c - see brim.h. */
#include "config.h"

#include <string.h>

#include "run/brim.h"

enum { FRONT = 16, BACK = 8 };

/* Neither zeros nor text, which is what is mostly written too far; the same at
 * both ends, whatever the size. */
static const unsigned char pattern[FRONT] = {
    0x9d, 0xe1, 0xb6, 0x87, 0xfa, 0xc4, 0x93, 0xd8,
    0x9d, 0xe1, 0xb6, 0x87, 0xfa, 0xc4, 0x93, 0xd8,
};

_Static_assert(FRONT == 2 * BACK, "the ends may lie upon each other");

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Where the pattern's bytes for the last @size of the brim begin: a byte at
 * offset n of the brim is pattern[n % BACK], at either end. */
static const unsigned char *back_pattern(size_t brim, size_t size)
{
    return pattern + (brim - size) % BACK;
}

void brim_fill(void *data, size_t room, size_t brim)
{
    unsigned char *at = (unsigned char *)data + room;
    size_t back = least(brim, BACK);

    memcpy(at, pattern, least(brim, FRONT));
    memcpy(at + brim - back, back_pattern(brim, back), back);
}

enum brim brim_look(const void *data, size_t room, size_t brim)
{
    const unsigned char *at = (const unsigned char *)data + room;
    size_t back = least(brim, BACK);

    if (brim == 0)
        return BRIM_WHOLE;
    if (at[brim - 1] != pattern[(brim - 1) % BACK])
        return BRIM_BEYOND;
    if (memcmp(at, pattern, least(brim, FRONT)) != 0 ||
        memcmp(at + brim - back, back_pattern(brim, back), back) != 0)
        return BRIM_PAST;
    return BRIM_WHOLE;
}
