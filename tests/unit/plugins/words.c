/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* words.c - text.upper; text.count-words against a plain count, letter by
 * letter; the two forms of the inner loop against isalpha. */
#include "config.h"

#include "../../../plugins/text/letters.h"
#include "plugins.h"

static struct fake *new_task(const char *task)
{
    struct fake *fake = fake_new(&text_LTX_weir_plugin, "text", task, NULL);

    ck_assert_int_eq(fake_start(fake), 0);
    return fake;
}

static bool plain_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

START_TEST(letters_of_every_byte)
{
    char chunk[64];
    uint64_t want = 0;

    for (unsigned i = 0; i < 64; i++)
        chunk[i] = (char)((unsigned)_i * 64 + i);
    for (unsigned i = 0; i < 64; i++)
        if (plain_letter((unsigned char)chunk[i]))
            want |= UINT64_C(1) << i;
    ck_assert_uint_eq(letters_plain(chunk), want);
    ck_assert_uint_eq(letters_of(chunk), want);
}
END_TEST

START_TEST(letters_of_random_bytes)
{
    char chunk[64];
    unsigned seed = 1;

    for (unsigned round = 0; round < 2000; round++) {
        uint64_t want = 0;

        for (unsigned i = 0; i < 64; i++) {
            seed = seed * 1103515245 + 12345;
            chunk[i] = (char)(seed >> 16);
            if (plain_letter((unsigned char)chunk[i]))
                want |= UINT64_C(1) << i;
        }
        ck_assert_uint_eq(letters_plain(chunk), want);
        ck_assert_uint_eq(letters_of(chunk), want);
    }
}
END_TEST

/* In the order in which words are first met, as the task's rows. */
struct counted {
    VEC(struct plain_word {
        char *text;
        size_t size;
        unsigned count;
    })
    words;
};

static void count_plain(struct counted *all, const char *word, size_t size)
{
    struct plain_word *found = NULL;

    for (size_t i = 0; i < all->words.count && !found; i++)
        if (all->words.at[i].size == size &&
            strncasecmp(all->words.at[i].text, word, size) == 0)
            found = &all->words.at[i];
    if (!found) {
        found = VEC_ADD(&all->words);
        found->text = strndup(word, size);
        found->size = size;
        for (size_t i = 0; i < size; i++)
            found->text[i] |= 0x20;
    }
    found->count++;
}

static struct buf plain_rows(const char *text, size_t size)
{
    struct counted all = { 0 };
    struct buf rows = { 0 };

    for (size_t at = 0, end; at < size; at = end) {
        end = at;
        while (end < size && plain_letter((unsigned char)text[end]))
            end++;
        if (end > at)
            count_plain(&all, text + at, end - at);
        else
            end++;
    }
    buf_text(&rows, "");
    for (size_t i = 0; i < all.words.count; i++) {
        buf_printf(&rows, "%s\t%u\n", all.words.at[i].text,
                   all.words.at[i].count);
        free(all.words.at[i].text);
    }
    VEC_DONE(&all.words);
    return rows;
}

/* In memory of just that size: a step too far is seen by the tools. */
static void check_rows(struct fake *fake, const char *text, size_t size)
{
    struct buf want = plain_rows(text, size);
    char *copy = malloc(size > 0 ? size : 1);

    memcpy(copy, text, size);
    fake_forget(fake);
    ck_assert_int_eq(fake_run(fake, copy, size), 0);
    ck_assert_uint_eq(fake->given.count, 1);
    ck_assert_uint_eq(fake->given.at[0].data.size, want.size);
    if (want.size > 0)
        ck_assert_mem_eq(fake->given.at[0].data.data, want.data, want.size);
    free(copy);
    buf_done(&want);
}

static const char *const texts[] = {
    "",
    " ",
    "a",
    "Word word WORD wOrD",
    "it's 3 o'clock, co-op; a_b1c",
    "sixteenletterss!",
    "sixteenlettersss seventeenletterss SEVENTEENLETTERSS",
    "donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamten",
    "abcdefgh abcdefghi abcdefg abcdefghijklmnop abcdefghijklmnopq",
    "caf\xc3\xa9 na\xc3\xafve \xff\x80\x9a\xe1",
};

START_TEST(counts_texts)
{
    struct fake *fake = new_task("count-words");

    check_rows(fake, texts[_i], strlen(texts[_i]));
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(a_word_in_rows)
{
    struct fake *fake = new_task("count-words");

    ck_assert_int_eq(fake_run(fake, "The cat the dog", 15), 0);
    assert_given(fake, "|", "the\t2\ncat\t1\ndog\t1\n|");
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* Words of every length at every place of a chunk, up to the item's end. */
START_TEST(words_over_chunks)
{
    struct fake *fake = new_task("count-words");
    char text[400];

    for (size_t before = 0; before < 70; before++)
        for (size_t behind = 0; behind < 90; behind += 13) {
            size_t size = before + (size_t)_i + behind;

            memset(text, '.', sizeof text);
            for (size_t i = 0; i < (size_t)_i; i++)
                text[before + i] = (char)("aZbYcX"[i % 6]);
            check_rows(fake, text, size);
        }
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(random_texts)
{
    static const char alphabet[] = "abcdeABCDE  ..z\n";
    struct fake *fake = new_task("count-words");
    unsigned seed = (unsigned)_i + 1;
    char text[3000];

    for (unsigned round = 0; round < 30; round++) {
        size_t size;

        for (size_t i = 0; i < sizeof text; i++) {
            seed = seed * 1103515245 + 12345;
            text[i] = alphabet[seed >> 16 & 15];
        }
        seed = seed * 1103515245 + 12345;
        size = (seed >> 16) % sizeof text;
        check_rows(fake, text, size);
    }
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* The table grows, and is small work again for the next item. */
START_TEST(many_words)
{
    struct fake *fake = new_task("count-words");
    struct buf text = { 0 };
    size_t lines = 0;

    for (unsigned i = 0; i < 200000; i++) {
        char word[8] = "";

        for (unsigned rest = i, k = 0; k < 5; k++, rest /= 26)
            word[k] = (char)('a' + rest % 26);
        buf_printf(&text, "%s %s ", word, word);
    }
    ck_assert_int_eq(fake_run(fake, text.data, text.size), 0);
    for (size_t i = 0; i < fake->given.at[0].data.size; i++)
        lines += fake->given.at[0].data.data[i] == '\n';
    ck_assert_uint_eq(lines, 200000);
    ck_assert_mem_eq(fake->given.at[0].data.data, "aaaaa\t2\nbaaaa\t2\n", 16);
    check_rows(fake, "one two one", 11);
    buf_done(&text);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* A retry must give the same bytes in a worker with another seed. */
START_TEST(the_same_in_every_worker)
{
    struct fake *fake = new_task("count-words");
    struct buf first;

    ck_assert_int_eq(fake_run(fake, texts[4], strlen(texts[4])), 0);
    first = fake_join(fake, NULL);
    for (unsigned i = 0; i < 20; i++) {
        fake_stop(fake);
        fake_forget(fake);
        ck_assert_int_eq(fake_start(fake), 0);
        ck_assert_int_eq(fake_run(fake, texts[4], strlen(texts[4])), 0);
        assert_given(fake, NULL, first.data);
    }
    buf_done(&first);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(upper)
{
    struct fake *fake = new_task("upper");

    ck_assert_int_eq(fake_run(fake, "aZ{`z9 caf\xc3\xa9", 12), 0);
    assert_given(fake, "|", "AZ{`Z9 CAF\xc3\xa9|");
    ck_assert_int_eq(fake_run(fake, NULL, 0), 0);
    ck_assert_uint_eq(fake->given.count, 2);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

Suite *words_suite(void)
{
    Suite *suite = suite_create("words");
    TCase *tcase = tcase_create("words");

    tcase_add_loop_test(tcase, letters_of_every_byte, 0, 4);
    tcase_add_test(tcase, letters_of_random_bytes);
    tcase_add_loop_test(tcase, counts_texts, 0, sizeof texts / sizeof *texts);
    tcase_add_test(tcase, a_word_in_rows);
    tcase_add_loop_test(tcase, words_over_chunks, 1, 24);
    tcase_add_loop_test(tcase, random_texts, 0, 8);
    tcase_add_test(tcase, many_words);
    tcase_add_test(tcase, the_same_in_every_worker);
    tcase_add_test(tcase, upper);
    suite_add_tcase(suite, tcase);
    return suite;
}
