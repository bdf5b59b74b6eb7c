/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pattern.c - text.grep and text.replace. */
#include "config.h"

#include "plugins.h"

static struct fake *new_task(const char *task, const char *a, const char *b,
                             const char *c)
{
    return fake_new(&text_LTX_weir_plugin, "text", task, a, b, c, NULL);
}

#ifdef HAVE_PCRE2

static const struct {
    const char *a, *b, *text;
    bool passes;
} greps[] = {
    { "pattern=a.c", NULL, "xabcx", true },
    { "pattern=a.c", NULL, "abd", false },
    { "pattern=a.c", "invert=true", "abd", true },
    { "pattern=a.c", "invert=true", "abc", false },
    { "pattern=ABC", NULL, "abc", false },
    { "pattern=ABC", "ignore_case=true", "abc", true },
    { "pattern=^$", NULL, "", true },
    { "pattern=^.$", NULL, "\xc3\xa9", true },
    { "pattern=^.$", "utf=false", "\xc3\xa9", false },
    { "pattern=^..$", "utf=false", "\xc3\xa9", true },
    { "pattern=b", NULL, "\xff\xfe b", true },
    { "pattern=c", NULL, "\xff\xfe b", false },
    { "pattern=(?m)^b", NULL, "a\nb", true },
};

START_TEST(greps_items)
{
    struct fake *fake = new_task("grep", greps[_i].a, greps[_i].b, NULL);

    ck_assert_int_eq(fake_check(fake), 0);
    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_int_eq(fake_run(fake, greps[_i].text, strlen(greps[_i].text)), 0);
    assert_given(fake, NULL, greps[_i].passes ? greps[_i].text : "");
    ck_assert_uint_eq(fake->given.count, greps[_i].passes);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(nul_bytes_in_items)
{
    struct fake *fake = new_task("grep", "pattern=b$", NULL, NULL);

    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_int_eq(fake_run(fake, "a\0b", 3), 0);
    ck_assert_int_eq(fake_run(fake, NULL, 0), 0);
    ck_assert_uint_eq(fake->given.count, 1);
    ck_assert_uint_eq(fake->given.at[0].data.size, 3);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(steps_are_bounded)
{
    struct fake *fake = new_task("grep", "pattern=(a+a+)+$", "steps=1000",
                                 NULL);
    struct fake *replace = new_task("replace", "pattern=(a+a+)+$", "steps=1000",
                                    "with=x");

    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_int_eq(fake_run(fake, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac",
                              37),
                     WEIR_PERMANENT);
    ck_assert_ptr_nonnull(strstr(fake->why, "'steps'"));
    ck_assert_int_eq(fake_start(replace), 0);
    ck_assert_int_eq(fake_run(replace, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac",
                              37),
                     WEIR_PERMANENT);
    fake_stop(fake);
    fake_free(&fake);
    fake_stop(replace);
    fake_free(&replace);
}
END_TEST

static const struct {
    const char *pattern, *with, *other, *text, *want;
} replaces[] = {
    { "pattern=a", "with=b", NULL, "banana", "bbnbnb" },
    { "pattern=a", "with=b", "once=true", "banana", "bbnana" },
    { "pattern=a", "with=", NULL, "banana", "bnn" },
    { "pattern=x", "with=y", NULL, "banana", "banana" },
    { "pattern=(.)(.)", "with=$2$1", NULL, "abcde", "badce" },
    { "pattern=(?<first>.).", "with=${first}", NULL, "abcd", "ac" },
    { "pattern=(x)|b", "with=<$1>", NULL, "abx", "a<><x>" },
    { "pattern=", "with=-", NULL, "ab", "-a-b-" },
    { "pattern=^", "with=> ", NULL, "", "> " },
    { "pattern=N", "with=m", "ignore_case=true", "banana", "bamama" },
    { "pattern=.", "with=x", NULL, "\xc3\xa9", "x" },
    { "pattern=.", "with=x", "utf=false", "\xc3\xa9", "xx" },
    { "pattern=a", "with=b", NULL,
      "\xff"
      "a\xfe"
      "a",
      "\xff"
      "b\xfe"
      "b" },
    { "pattern=\\$", "with=$$", NULL, "1$", "1$" },
};

START_TEST(replaces_in_items)
{
    struct fake *fake = new_task("replace", replaces[_i].pattern,
                                 replaces[_i].with, replaces[_i].other);

    ck_assert_int_eq(fake_check(fake), 0);
    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_int_eq(fake_run(fake, replaces[_i].text,
                              strlen(replaces[_i].text)),
                     0);
    ck_assert_uint_eq(fake->given.count, 1);
    assert_given(fake, NULL, replaces[_i].want);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(results_are_bounded)
{
    struct fake *fake = new_task("replace", "pattern=a", "with=bbbb",
                                 "size=8 B");
    static const struct {
        const char *text;
        int code;
    } items[] = { { "a", 0 },
                  { "aa", 0 },
                  { "aac", WEIR_PERMANENT },
                  { "aaa", WEIR_PERMANENT },
                  { "cccccccca", WEIR_PERMANENT },
                  { "aa", 0 } };

    ck_assert_int_eq(fake_start(fake), 0);
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        ck_assert_int_eq(fake_run(fake, items[i].text, strlen(items[i].text)),
                         items[i].code);
    assert_given(fake, "|", "bbbb|bbbbbbbb|bbbbbbbb|");
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(results_larger_than_the_buffer)
{
    struct fake *fake = new_task("replace", "pattern=a", "with=0123456789",
                                 NULL);
    char *text = malloc(100000);

    memset(text, 'a', 100000);
    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_int_eq(fake_run(fake, text, 100000), 0);
    ck_assert_uint_eq(fake->given.at[0].data.size, 1000000);
    free(text);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

static const struct {
    const char *task, *a, *b, *param, *why;
} refused[] = {
    { "grep", "pattern=a(b", NULL, "pattern", "closing parenthesis" },
    { "grep", "pattern=[", NULL, "pattern", "at byte 1" },
    { "replace", "pattern=*", "with=x", "pattern", "'*'" },
    { "replace", "pattern=a", "with=$1", "with", "'$1'" },
    { "replace", "pattern=a", "with=${", "with", "'${'" },
    { "replace", "pattern=(?<x>a)", "with=${y}", "with", "'${y}'" },
};

START_TEST(refused_by_check)
{
    struct fake *fake = new_task(refused[_i].task, refused[_i].a, refused[_i].b,
                                 NULL);

    ck_assert_int_lt(fake_check(fake), 0);
    ck_assert_str_eq(fake->param, refused[_i].param);
    ck_assert_ptr_nonnull(strstr(fake->why, refused[_i].why));
    fake_free(&fake);
}
END_TEST

#else

START_TEST(refused_without_pcre2)
{
    struct fake *fake = new_task("grep", "pattern=a", NULL, NULL);

    ck_assert_int_lt(fake_check(fake), 0);
    ck_assert_ptr_nonnull(strstr(fake->why, "libpcre2-dev"));
    fake_free(&fake);
}
END_TEST

#endif

Suite *pattern_suite(void)
{
    Suite *suite = suite_create("pattern");
    TCase *tcase = tcase_create("pattern");

#ifdef HAVE_PCRE2
    tcase_add_loop_test(tcase, greps_items, 0, sizeof greps / sizeof *greps);
    tcase_add_test(tcase, nul_bytes_in_items);
    tcase_add_test(tcase, steps_are_bounded);
    tcase_add_loop_test(tcase, replaces_in_items, 0,
                        sizeof replaces / sizeof *replaces);
    tcase_add_test(tcase, results_are_bounded);
    tcase_add_test(tcase, results_larger_than_the_buffer);
    tcase_add_loop_test(tcase, refused_by_check, 0,
                        sizeof refused / sizeof *refused);
#else
    tcase_add_test(tcase, refused_without_pcre2);
#endif
    suite_add_tcase(suite, tcase);
    return suite;
}
