/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * letters.h - which of 64 bytes are ASCII letters, as a bit for each: the
 * inner loop of text.count-words. Two forms with one result; a test compares.
 */
#ifndef TEXT_LETTERS_H
#define TEXT_LETTERS_H

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LETTERS_ONES 0x0101010101010101u

/* 8 bytes in the order of memory: byte i in bits 8i to 8i + 7. */
static inline uint64_t letters_load(const void *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline void letters_store(void *at, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    memcpy(at, &value, sizeof value);
}

/* With words of 64 bits. The sums cannot carry from one byte into the next:
 * each summand has at most 7 bits and a remainder below 128. */
static inline uint64_t letters_plain(const char *at)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t raw = letters_load(at + 8 * i) | 0x20 * LETTERS_ONES;
        uint64_t low = raw & 0x7f * LETTERS_ONES;
        uint64_t from = low + (0x80 - 'a') * LETTERS_ONES;
        uint64_t past = low + (0x80 - 'z' - 1) * LETTERS_ONES;
        uint64_t mark = (from & ~past & ~raw) >> 7 & LETTERS_ONES;

        /* Bit 0 of byte k goes to bit 56 + k. */
        bits |= (mark * 0x0102040810204080u) >> 56 << 8 * i;
    }
    return bits;
}

#ifdef __SSE2__
static inline uint64_t letters_sse2(const char *at)
{
    const __m128i lower = _mm_set1_epi8(0x20);
    /* a to z become the 26 least signed bytes. */
    const __m128i shift = _mm_set1_epi8((char)(0x80 - 'a'));
    const __m128i bound = _mm_set1_epi8((char)(0x80 + 26));
    uint64_t bits = 0;

    for (unsigned i = 0; i < 4; i++) {
        __m128i raw = _mm_loadu_si128((const __m128i *)(at + 16 * i));
        __m128i moved = _mm_add_epi8(_mm_or_si128(raw, lower), shift);
        __m128i is = _mm_cmplt_epi8(moved, bound);

        bits |= (uint64_t)(unsigned)_mm_movemask_epi8(is) << 16 * i;
    }
    return bits;
}
#endif

static inline uint64_t letters_of(const char *at)
{
#ifdef __SSE2__
    return letters_sse2(at);
#else
    return letters_plain(at);
#endif
}

#endif
