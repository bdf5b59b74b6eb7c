/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* names.c - file.names: which files, in which order, and what they are called
 * below the folder that was named. */
#include "config.h"

#include <sys/stat.h>
#include <unistd.h>

#include "plugins.h"

static void put_tree(void)
{
    put_text("t/b.txt", "");
    put_text("t/a.c", "");
    put_text("t/B.txt", "");
    put_text("t/.hidden", "");
    put_text("t/sub/a.c", "");
    put_text("t/sub/deep/x.txt", "");
    put_text("t/sub-2/y.txt", "");
    put_text("t/sub.txt", "");
    put_text("t/[x]", "");
    ck_assert_int_eq(mkdir("t/empty", 0755), 0);
    ck_assert_int_eq(symlink("b.txt", "t/link"), 0);
    ck_assert_int_eq(symlink("..", "t/sub/loop"), 0);
    ck_assert_int_eq(mkfifo("t/pipe", 0600), 0);
}

static void check_names(const char *attr, const char *want, const char *a,
                        const char *b, const char *c)
{
    struct fake *fake = fake_new(&file_LTX_weir_plugin, "file", "names", a, b,
                                 c, NULL);
    struct buf all = { 0 };

    ck_assert_int_eq(fake_check(fake), 0);
    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_uint_eq(fake_drain(fake, NULL), 0);
    buf_text(&all, "");
    for (size_t i = 0; i < fake->given.count; i++) {
        const struct fake_item *item = &fake->given.at[i];

        ck_assert_str_eq(item->data.data, fake_attr(item, "path"));
        buf_printf(&all, "%s ", fake_attr(item, attr));
    }
    ck_assert_str_eq(all.data, want);
    buf_done(&all);
    fake_stop(fake);
    fake_free(&fake);
}

#define TREE                                                                   \
    ".hidden B.txt [x] a.c b.txt sub/a.c sub/deep/x.txt sub-2/y.txt sub.txt "

START_TEST(a_tree_in_order_of_bytes)
{
    put_tree();
    check_names("relative", TREE, "paths=t", NULL, NULL);
    check_names("relative", TREE, "paths=t///", NULL, NULL);
    check_names("path",
                "t/.hidden t/B.txt t/[x] t/a.c t/b.txt t/sub/a.c "
                "t/sub/deep/x.txt t/sub-2/y.txt t/sub.txt ",
                "paths=t", NULL, NULL);
}
END_TEST

static const struct {
    const char *want, *a, *b, *c;
} choices[] = {
    { "a.c ", "paths=t/a.c", NULL, NULL },
    { "[x] ", "paths=t/[x]", NULL, NULL },
    { "link ", "paths=t/link", NULL, NULL }, /* what is named is followed */
    { "B.txt b.txt sub.txt ", "paths=t/*.txt", NULL, NULL },
    { "sub/a.c sub/deep/x.txt sub-2/y.txt ", "paths=t/sub*", "exclude=sub.txt",
      NULL },
    { "sub/a.c ", "paths=t/*/a.c", NULL, NULL },
    { "b.txt a.c ", "paths=t/b.txt", "paths=t/a.c", NULL },
    { "a.c sub/a.c ", "paths=t", "include=*.c", NULL },
    { "a.c sub/a.c ", "paths=t", "include=a.?", NULL },
    { "sub/a.c ", "paths=t", "include=sub/*", NULL },
    { "sub/deep/x.txt ", "paths=t", "include=*/deep/*", NULL },
    { "B.txt b.txt sub-2/y.txt sub.txt ", "paths=t", "include=*.txt",
      "exclude=deep" },
    { "B.txt b.txt sub-2/y.txt sub.txt ", "paths=t", "include=*.txt",
      "exclude=sub/deep" },
    { "B.txt b.txt sub.txt ", "paths=t", "include=*.txt", "exclude=sub*/*" },
    { "B.txt [x] a.c b.txt sub.txt ", "paths=t", "exclude=.*",
      "exclude=sub*/*" },
    { "", "paths=t/empty", NULL, NULL },
    { "a.c sub/deep/x.txt ", "paths=t/{a.c,sub/deep,none}", NULL, NULL },
    { "t/a.c t/sub/a.c ", "paths={t/sub,t}/a.c", NULL, NULL },
    { "a.c ", "paths=\\t/a*", NULL, NULL },
};

START_TEST(chosen)
{
    put_tree();
    check_names("relative", choices[_i].want, choices[_i].a, choices[_i].b,
                choices[_i].c);
}
END_TEST

static const struct {
    const char *paths, *why;
} refused[] = {
    { "paths=none", "no such file: 'none'" },
    { "paths=t/none/x", "no such file: 't/none/x'" },
    { "paths=t/none*", "'t/none*' matches no file" },
    { "paths=t/a.c/x", "cannot read 't/a.c/x': Not a directory" },
    { "paths=", "an entry is empty" },
    { "paths=t/**/*.c", "there is no '**'" },
};

START_TEST(refused_by_check)
{
    struct fake *fake;

    put_tree();
    fake = fake_new(&file_LTX_weir_plugin, "file", "names", "paths=t",
                    refused[_i].paths, NULL);
    ck_assert_int_lt(fake_check(fake), 0);
    ck_assert_str_eq(fake->param, "paths");
    ck_assert_ptr_nonnull(strstr(fake->why, refused[_i].why));
    fake_free(&fake);
}
END_TEST

START_TEST(globs_of_other_tools)
{
    static const char *const pairs[] = { "include=**/*.c", "exclude=deep/**",
                                         "include=*.{c,h}" };
    struct fake *fake;

    put_tree();
    put_text("t/a**b", "");
    fake = fake_new(&file_LTX_weir_plugin, "file", "names", "paths=t",
                    pairs[_i], NULL);
    ck_assert_int_lt(fake_check(fake), 0);
    ck_assert_int_eq(strncmp(fake->param, pairs[_i], 7), 0);
    ck_assert_ptr_nonnull(
        strstr(fake->why, _i < 2 ? "there is no '**'" : "write a list here"));
    fake_free(&fake);
    check_names("relative", "a**b ", "paths=t/a**b", NULL, NULL);
}
END_TEST

/* As with a file that another stage makes before this one starts. */
START_TEST(what_is_not_there)
{
    static const char *const missing[] = { "missing=report", "missing=skip" };
    struct fake *fake = fake_new(&file_LTX_weir_plugin, "file", "names",
                                 "paths=none", "paths=none*", "paths=t/a.c",
                                 missing[_i], NULL);
    struct buf why = { 0 };

    ck_assert_int_eq(fake_check(fake), 0);
    put_tree();
    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_uint_eq(fake_drain(fake, &why), _i == 0 ? 2 : 0);
    assert_given(fake, " ", "t/a.c ");
    if (_i == 0)
        ck_assert_str_eq(why.data,
                         "cannot read 'none': No such file or directory\n"
                         "cannot read 'none*': No such file or directory\n");
    buf_done(&why);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(killed_behind_every_name)
{
    struct fake *fake;
    struct buf all = { 0 };

    put_tree();
    fake = fake_new(&file_LTX_weir_plugin, "file", "names", "paths=t",
                    "paths=t/*.txt", "exclude=.hidden", NULL);
    ck_assert_int_eq(fake_start(fake), 0);
    fake_drain_killed(fake, (unsigned)_i, false, NULL);
    for (size_t i = 0; i < fake->given.count; i++)
        buf_printf(&all, "%s ", fake_attr(&fake->given.at[i], "relative"));
    ck_assert_str_eq(all.data, "B.txt [x] a.c b.txt sub/a.c sub/deep/x.txt "
                               "sub-2/y.txt sub.txt B.txt b.txt sub.txt ");
    buf_done(&all);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(a_folder_that_cannot_be_read)
{
    struct buf why = { 0 };
    struct fake *fake;

    put_tree();
    fake = fake_new(&file_LTX_weir_plugin, "file", "names", "paths=t",
                    "paths=gone", "paths=t/sub", NULL);
    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_uint_eq(fake_drain(fake, &why), 1);
    ck_assert_str_eq(why.data,
                     "cannot read 'gone': No such file or directory\n");
    ck_assert_uint_eq(fake->given.count, 9 + 2);
    buf_done(&why);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(many_files_in_one_folder)
{
    char path[64], last[64] = "";
    struct fake *fake;

    for (int i = 0; i < 500; i++) {
        snprintf(path, sizeof path, "t/%d", i * 7919 % 1000);
        put_text(path, "");
    }
    fake = fake_new(&file_LTX_weir_plugin, "file", "names", "paths=t", NULL);
    ck_assert_int_eq(fake_start(fake), 0);
    fake_drain(fake, NULL);
    ck_assert_uint_eq(fake->given.count, 500);
    for (size_t i = 0; i < 500; i++) {
        ck_assert_int_gt(strcmp(fake->given.at[i].data.data, last), 0);
        strcpy(last, fake->given.at[i].data.data);
    }
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

Suite *names_suite(void)
{
    Suite *suite = suite_create("names");
    TCase *tcase = tcase_create("names");

    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_test(tcase, a_tree_in_order_of_bytes);
    tcase_add_loop_test(tcase, chosen, 0, sizeof choices / sizeof *choices);
    tcase_add_loop_test(tcase, globs_of_other_tools, 0, 3);
    tcase_add_loop_test(tcase, what_is_not_there, 0, 2);
    tcase_add_loop_test(tcase, refused_by_check, 0,
                        sizeof refused / sizeof *refused);
    tcase_add_loop_test(tcase, killed_behind_every_name, 1, 12);
    tcase_add_test(tcase, a_folder_that_cannot_be_read);
    tcase_add_test(tcase, many_files_in_one_folder);
    suite_add_tcase(suite, tcase);
    return suite;
}
