/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* last_words.c - core/run/last_words.c: written in one process, read in others.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/last_words.h"
#include "suites.h"

static struct last_words *words, *reader;

static void setup(void)
{
    words = last_words_new(3);
    ck_assert_ptr_nonnull(words);
    reader = last_words_attach(last_words_fd(words));
    ck_assert_ptr_nonnull(reader);
}

static void teardown(void)
{
    last_words_free(&reader);
    last_words_free(&words);
    ck_assert_ptr_null(words);
    last_words_free(&words);
}

static void put(uint64_t root, const char *text)
{
    last_words_put(words, root, ~root, text, strlen(text));
}

static void are(uint64_t root, const char *want)
{
    CLEANUP_BUF struct buf text = { 0 };

    buf_text(&text, "");
    last_words_find(reader, root, ~root, &text);
    ck_assert_str_eq(text.data, want);
}

START_TEST(of_each_item)
{
    are(0, "");
    put(0, "none of them\nis like");
    put(7, "the other");
    are(0, "none of them\nis like");
    are(7, "the other");
    are(8, "");
    put(7, "");
    are(7, "");
    put(7, "once more");
    are(7, "once more");
}
END_TEST

/* Three workers and 64. */
START_TEST(the_oldest_go)
{
    char text[16];

    for (unsigned i = 0; i < 67; i++) {
        snprintf(text, sizeof text, "of %u", i);
        put(i, text);
    }
    are(0, "of 0");
    put(1, "anew"); /* takes no other place */
    are(0, "of 0");
    put(100, "of 100");
    are(0, "");
    are(1, "anew");
    are(66, "of 66");
    are(100, "of 100");
}
END_TEST

START_TEST(as_long_as_they_may_be)
{
    char text[WROTE_BYTES + 2];

    memset(text, 'x', sizeof text);
    text[WROTE_BYTES + 1] = '\0';
    put(1, text);
    text[WROTE_BYTES] = '\0';
    are(1, text);
}
END_TEST

START_TEST(there_are_none)
{
    CLEANUP_BUF struct buf text = { 0 };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    last_words_put(NULL, 1, 2, "x", 1);
    last_words_find(NULL, 1, 2, &text);
    ck_assert_uint_eq(text.size, 0);
    ck_assert_int_eq(last_words_fd(NULL), -1);
    ck_assert_ptr_null(last_words_attach(-1));
    ck_assert_ptr_null(last_words_attach(null));
    close(null);
}
END_TEST

/* What is read is one of the texts, never half of each. */
START_TEST(while_it_is_written)
{
    static char one[WROTE_BYTES + 1], two[WROTE_BYTES + 1];
    int status;
    pid_t pid;

    memset(one, '1', WROTE_BYTES);
    memset(two, '2', WROTE_BYTES / 2);
    put(1, one);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        for (int i = 0; i < 20000; i++)
            put(1, i % 2 == 0 ? two : one);
        _exit(0);
    }
    while (waitpid(pid, &status, WNOHANG) == 0) {
        CLEANUP_BUF struct buf text = { 0 };

        buf_text(&text, "");
        last_words_find(reader, 1, ~UINT64_C(1), &text);
        if (text.size > 0 && strcmp(text.data, one) != 0)
            ck_assert_str_eq(text.data, two);
    }
    ck_assert_int_eq(status, 0);
    are(1, one);
}
END_TEST

Suite *last_words_suite(void)
{
    Suite *suite = suite_create("last_words");
    TCase *tcase = tcase_create("last_words");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, of_each_item);
    tcase_add_test(tcase, the_oldest_go);
    tcase_add_test(tcase, as_long_as_they_may_be);
    tcase_add_test(tcase, there_are_none);
    tcase_add_test(tcase, while_it_is_written);
    suite_add_tcase(suite, tcase);
    return suite;
}
