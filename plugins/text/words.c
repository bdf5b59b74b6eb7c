/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * words.c - text.count-words: how often each word stands in an item. Runs in
 * workers.
 *
 * A word is a run of ASCII letters, in lower case. Where runs begin and end is
 * read off 64 bytes at a time. A word of up to 16 letters is its own key, two
 * numbers in the table's entry, and no other memory is touched to compare it;
 * a longer one is compared where it stands in the item. Rows come in the order
 * in which words are first met, whatever the table's numbers are, so every
 * attempt at an item gives the same bytes.
 *
 * The path of a word that was met before has no branch that depends on its
 * size: sizes are not foreseen by a processor, and each wrong guess costs as
 * much as all the rest.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "letters.h"
#include "text.h"

enum { KEY = 16, CHUNK = 64, FIRST_BITS = 12 };

/* A long word's second number: above all that letters can give. */
#define LONG_MARK (UINT64_C(1) << 63)

struct word {
    uint64_t first, second; /* the letters, 0 behind the last; first 0: free */
    const char *at;         /* where it was met first */
    uint32_t size;
    uint32_t count;
};

struct words {
    struct word *table;
    uint32_t *order; /* places in the table, as first met */
    size_t used;
    size_t mask;    /* one less than the entries; at most half are used */
    unsigned shift; /* of a hash of 64 bits to a place */
    /* Odd and random: a family of hashes in which no input collides more than
     * by chance (Dietzfelbinger et al., A reliable randomized algorithm for
     * the closest-pair problem, 1997, section 2). */
    uint64_t factors[2];
};

static inline size_t place_of(const struct words *words, uint64_t first,
                              uint64_t second)
{
    uint64_t hash = first * words->factors[0] + second * words->factors[1];

    return (size_t)(hash >> words->shift);
}

/* A larger table, or the first one. Entries keep their order. */
static int grow(struct words *words)
{
    struct words more = *words;
    unsigned bits = words->table ? 64 - words->shift + 1 : FIRST_BITS;

    more.mask = ((size_t)1 << bits) - 1;
    more.shift = 64 - bits;
    more.table = calloc(more.mask + 1, sizeof *more.table);
    more.order = malloc((more.mask + 1) / 2 * sizeof *more.order);
    if (!more.table || !more.order) {
        free(more.table);
        free(more.order);
        return WEIR_ENOMEM;
    }
    for (size_t i = 0; i < words->used; i++) {
        const struct word *word = &words->table[words->order[i]];
        size_t place = place_of(&more, word->first, word->second);

        while (more.table[place].first != 0)
            place = (place + 1) & more.mask;
        more.table[place] = *word;
        more.order[i] = (uint32_t)place;
    }
    free(words->table);
    free(words->order);
    *words = more;
    return 0;
}

/* A word that was not met before, in its free place. */
__attribute__((__noinline__)) static int
add_word(struct words *words, size_t place, const struct word *word)
{
    words->table[place] = *word;
    words->order[words->used++] = (uint32_t)place;
    return words->used <= words->mask / 2 ? 0 : grow(words);
}

static inline int count_short(struct words *words, uint64_t first,
                              uint64_t second, size_t size)
{
    size_t place = place_of(words, first, second);

    for (;; place = (place + 1) & words->mask) {
        struct word *word = &words->table[place];

        if (word->first == first && word->second == second) {
            word->count++;
            return 0;
        }
        if (word->first == 0)
            break;
    }
    return add_word(words, place,
                    &(struct word){ .first = first,
                                    .second = second,
                                    .size = (uint32_t)size,
                                    .count = 1 });
}

/* In lower case; both have only letters. */
static bool same_letters(const char *a, const char *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((a[i] | 0x20) != (b[i] | 0x20))
            return false;
    return true;
}

__attribute__((__noinline__)) static int count_long(struct words *words,
                                                    const char *at, size_t size)
{
    uint64_t first = letters_load(at) | 0x20 * LETTERS_ONES;
    uint64_t second = 0;
    size_t place;

    for (size_t i = 0; i < size; i++)
        second = (second ^ (unsigned char)(at[i] | 0x20)) * 0x100000001b3u;
    second |= LONG_MARK;
    place = place_of(words, first, second);
    for (;; place = (place + 1) & words->mask) {
        struct word *word = &words->table[place];

        if (word->first == first && word->second == second &&
            word->size == size && same_letters(word->at, at, size)) {
            word->count++;
            return 0;
        }
        if (word->first == 0)
            break;
    }
    return add_word(words, place,
                    &(struct word){ .first = first,
                                    .second = second,
                                    .at = at,
                                    .size = (uint32_t)size,
                                    .count = 1 });
}

/* What of 16 bytes belongs to a word of so many letters. */
static const uint64_t masks[KEY + 1][2] = {
    { 0, 0 },
    { 0xff, 0 },
    { 0xffff, 0 },
    { 0xffffff, 0 },
    { 0xffffffff, 0 },
    { 0xffffffffff, 0 },
    { 0xffffffffffff, 0 },
    { 0xffffffffffffff, 0 },
    { UINT64_MAX, 0 },
    { UINT64_MAX, 0xff },
    { UINT64_MAX, 0xffff },
    { UINT64_MAX, 0xffffff },
    { UINT64_MAX, 0xffffffff },
    { UINT64_MAX, 0xffffffffff },
    { UINT64_MAX, 0xffffffffffff },
    { UINT64_MAX, 0xffffffffffffff },
    { UINT64_MAX, UINT64_MAX },
};

/* KEY bytes from @at on can be read. */
static inline int count_word(struct words *words, const char *at, size_t size)
{
    uint64_t first, second;

    if (size > KEY)
        return count_long(words, at, size);
    first = (letters_load(at) | 0x20 * LETTERS_ONES) & masks[size][0];
    second = (letters_load(at + 8) | 0x20 * LETTERS_ONES) & masks[size][1];
    return count_short(words, first, second, size);
}

/* Near the end of the item. */
static int count_last(struct words *words, const char *at, size_t size)
{
    char copy[KEY] = { 0 };

    if (size > KEY)
        return count_long(words, at, size);
    memcpy(copy, at, size);
    return count_word(words, copy, size);
}

/* The words that end in one chunk. @open: a word that began before it, or
 * NULL; then one that goes on behind it. */
static inline int count_chunk(struct words *words, const char *chunk,
                              const char **open)
{
    uint64_t bits = letters_of(chunk);
    /* Where words begin and end, in turn. */
    uint64_t edges = bits ^ (bits << 1 | (*open != NULL));
    int code = 0;

    if (*open && edges != 0) {
        const char *end = chunk + __builtin_ctzll(edges);

        edges &= edges - 1;
        code = count_word(words, *open, (size_t)(end - *open));
        *open = NULL;
    }
    while (edges != 0 && code == 0) {
        const char *start = chunk + __builtin_ctzll(edges);

        edges &= edges - 1;
        if (edges == 0) {
            *open = start;
            break;
        }
        code = count_word(words, start,
                          (size_t)(chunk + __builtin_ctzll(edges) - start));
        edges &= edges - 1;
    }
    return code;
}

static bool is_letter(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

static int count_all(struct words *words, const char *data, size_t size)
{
    const char *at = data, *end = data + size, *open = NULL;
    int code = 0;

    for (; code == 0 && end - at >= CHUNK + KEY; at += CHUNK)
        code = count_chunk(words, at, &open);
    for (; code == 0 && at < end; at++) {
        if (is_letter(*at)) {
            open = open ? open : at;
        } else if (open) {
            code = count_last(words, open, (size_t)(at - open));
            open = NULL;
        }
    }
    if (code == 0 && open)
        code = count_last(words, open, (size_t)(end - open));
    return code;
}

static unsigned digits_of(uint32_t value)
{
    unsigned digits = 1;

    for (; value >= 10; value /= 10)
        digits++;
    return digits;
}

/* KEY bytes from @out on can be written. */
static char *put_word(char *out, const struct word *word)
{
    if (word->size <= KEY) {
        letters_store(out, word->first);
        letters_store(out + 8, word->second);
    } else {
        for (size_t i = 0; i < word->size; i++)
            out[i] = (char)(word->at[i] | 0x20);
    }
    return out + word->size;
}

static char *put_row(char *out, const struct word *word)
{
    uint32_t rest = word->count;
    unsigned digits = digits_of(rest);

    out = put_word(out, word);
    *out++ = '\t';
    for (unsigned i = digits; i-- > 0; rest /= 10)
        out[i] = (char)('0' + rest % 10);
    out[digits] = '\n';
    return out + digits + 1;
}

static int give_rows(weir_call *call, const struct words *words)
{
    size_t size = KEY; /* put_word goes so far */
    void *data;
    char *out;
    int code;

    for (size_t i = 0; i < words->used; i++) {
        const struct word *word = &words->table[words->order[i]];

        size += word->size + digits_of(word->count) + 2;
    }
    code = weir_reserve(call, 0, size, &data);
    if (code < 0)
        return code;
    out = data;
    for (size_t i = 0; i < words->used; i++)
        out = put_row(out, &words->table[words->order[i]]);
    return weir_submit(call, size - KEY);
}

/* For the next item; its size may have nothing to do with this one's. */
static void clear(struct words *words)
{
    for (size_t i = 0; i < words->used; i++)
        words->table[words->order[i]].first = 0;
    words->used = 0;
}

int text_words_open(weir_call *call)
{
    struct words *words = calloc(1, sizeof *words);

    if (!words)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    weir_set_state(call, words);
    if (getrandom(words->factors, sizeof words->factors, GRND_NONBLOCK) < 0)
        words->factors[0] = words->factors[1] = UINT64_C(0x9e3779b97f4a7c15);
    words->factors[0] |= 1;
    words->factors[1] |= 1;
    if (grow(words) < 0)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    return 0;
}

int text_words_close(weir_call *call)
{
    struct words *words = weir_state(call);

    if (words) {
        free(words->table);
        free(words->order);
    }
    free(words);
    weir_set_state(call, NULL);
    return 0;
}

int text_words_run(weir_call *call)
{
    struct words *words = weir_state(call);
    weir_bytes in = weir_input(call);
    int code;

    clear(words);
    if (in.size > UINT32_MAX)
        return weir_fail(call, WEIR_PERMANENT,
                         "the item has %zu bytes, more than can be counted",
                         in.size);
    code = count_all(words, in.data, in.size);
    if (code < 0)
        return weir_fail(call, WEIR_TRANSIENT,
                         "no memory for the item's words");
    return give_rows(call, words);
}
