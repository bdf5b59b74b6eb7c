/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.c - core/base/text.c: names, truth, signals, what was meant. */
#include "config.h"

#include <signal.h>

#include "base.h"

START_TEST(truth)
{
    weir_error err;
    bool value = false;

    ck_assert_int_eq(text_bool("true", &value, &err), 0);
    ck_assert(value);
    ck_assert_int_eq(text_bool("false", &value, &err), 0);
    ck_assert(!value);
    value = true;
    ck_assert_int_eq(text_bool("yes", &value, &err), WEIR_ESYNTAX);
    ck_assert_str_eq(err.text, "'yes' is neither true nor false");
    ck_assert(value);
    ck_assert_int_eq(text_bool("", &value, NULL), WEIR_ESYNTAX);
    ck_assert_int_eq(text_bool("True", &value, NULL), WEIR_ESYNTAX);
}
END_TEST

START_TEST(names)
{
    char name[66];

    memset(name, 'n', sizeof name);
    name[65] = '\0';
    ck_assert(!text_is_name(name));
    name[64] = '\0';
    ck_assert(text_is_name(name));
    ck_assert(text_is_name("a"));
    ck_assert(text_is_name("Top-words_2"));
    ck_assert(!text_is_name(""));
    ck_assert(!text_is_name("2a"));
    ck_assert(!text_is_name("-a"));
    ck_assert(!text_is_name("a.b"));
    ck_assert(!text_is_name("a b"));
    ck_assert(!text_is_name("a/b"));
    ck_assert(!text_is_name("\xc3\xa4"));
    ck_assert(!text_is_name("a\n"));
}
END_TEST

static const char *const keys[] = { "workers", "retries", "task", "from",
                                    "to",      "a",       NULL };

static const struct {
    const char *name, *nearest;
} near[] = {
    { "wrkers", "workers" },   /* one left out */
    { "workerss", "workers" }, /* one too many */
    { "workets", "workers" },  /* one wrong */
    { "wokrers", "workers" },  /* two swapped */
    { "retrys", "retries" },   /* two edits of six */
    { "form", "from" },        /* a swap */
    { "ot", "to" },            /* a swap is one edit */
    { "tsak", "task" },
    { "workers", "workers" }, /* itself */
    { "job", NULL },          /* too far */
    { "x", NULL },            /* all of it would be wrong */
    { "", NULL },
    { "completely-different-thing", NULL },
};

START_TEST(nearest)
{
    const char *got = text_nearest(near[_i].name, keys);

    if (near[_i].nearest == NULL)
        ck_assert_ptr_null(got);
    else
        ck_assert_pstr_eq(got, near[_i].nearest);
}
END_TEST

START_TEST(nearest_of_long_ones)
{
    char wide[300];
    const char *candidates[] = { wide, NULL };
    const char *none[] = { NULL };

    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    ck_assert_ptr_null(text_nearest(wide, candidates));
    ck_assert_ptr_null(text_nearest("wwwwwwww", candidates));
    ck_assert_ptr_null(text_nearest("name", none));
    wide[128] = '\0';
    ck_assert_ptr_eq(text_nearest(wide, candidates), wide);
}
END_TEST

START_TEST(signals)
{
    ck_assert_str_eq(text_signal(SIGKILL), "SIGKILL");
    ck_assert_str_eq(text_signal(SIGSEGV), "SIGSEGV");
    ck_assert_str_eq(text_signal(SIGSYS), "SIGSYS");
    ck_assert_str_eq(text_signal(0), "signal 0");
    ck_assert_str_eq(text_signal(64), "signal 64");
    ck_assert_str_eq(text_signal(-2147483647 - 1), "signal -2147483648");
    for (int i = 1; i < 32; i++)
        ck_assert_mem_eq(text_signal(i), "SIG", 3);
}
END_TEST

Suite *text_suite(void)
{
    Suite *suite = suite_create("text");
    TCase *tcase = tcase_create("text");

    tcase_add_test(tcase, truth);
    tcase_add_test(tcase, names);
    tcase_add_loop_test(tcase, nearest, 0, COUNT(near));
    tcase_add_test(tcase, nearest_of_long_ones);
    tcase_add_test(tcase, signals);
    suite_add_tcase(suite, tcase);
    return suite;
}
