/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* read.c - file.read: whole files, by an item's bytes or attributes. */
#include "config.h"

#include <sys/stat.h>
#include <unistd.h>

#include "../../../plugins/file/beneath.h"
#include "plugins.h"

static struct fake *new_read(const char *a, const char *b)
{
    struct fake *fake = fake_new(&file_LTX_weir_plugin, "file", "read", a, b,
                                 NULL);

    ck_assert_int_eq(fake_check(fake), 0);
    ck_assert_int_eq(fake_start(fake), 0);
    return fake;
}

static int run_text(struct fake *fake, const char *text)
{
    return fake_run(fake, text, strlen(text));
}

START_TEST(by_its_bytes)
{
    struct fake *fake;

    put_text("d/a", "content\n");
    fake = new_read(NULL, NULL);
    fake_set_attr(fake, "path", "somewhere");
    fake_set_attr(fake, "relative", "a");
    ck_assert_int_eq(run_text(fake, "d/a"), 0);
    assert_given(fake, "|", "content\n|");
    ck_assert_str_eq(fake_attr(&fake->given.at[0], "path"), "d/a");
    ck_assert_str_eq(fake_attr(&fake->given.at[0], "relative"), "a");
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(by_a_template)
{
    struct fake *fake;

    put_text("d/a.txt", "text");
    fake = new_read("path=d/${item.which}.txt", NULL);
    fake_set_attr(fake, "which", "a");
    ck_assert_int_eq(run_text(fake, "not a path"), 0);
    assert_given(fake, "|", "text|");
    ck_assert_str_eq(fake_attr(&fake->given.at[0], "path"), "d/a.txt");
    fake_stop(fake);
    fake_free(&fake);
    fake = new_read("path=${item.missing}", NULL);
    ck_assert_int_eq(run_text(fake, ""), WEIR_PERMANENT);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(of_any_size)
{
    static const size_t sizes[] = { 0, 1, 65536, 1 << 20, 3000001 };
    char *data = malloc(3000001);
    struct fake *fake;

    for (size_t i = 0; i < 3000001; i++)
        data[i] = (char)(i * 7);
    put_file("a", data, sizes[_i]);
    fake = new_read(NULL, NULL);
    ck_assert_int_eq(run_text(fake, "a"), 0);
    ck_assert_uint_eq(fake->given.count, 1);
    ck_assert_uint_eq(fake->given.at[0].data.size, sizes[_i]);
    if (sizes[_i] > 0)
        ck_assert_mem_eq(fake->given.at[0].data.data, data, sizes[_i]);
    fake_stop(fake);
    fake_free(&fake);
    free(data);
}
END_TEST

START_TEST(not_larger_than_size)
{
    struct fake *fake;

    put_text("a", "12345678");
    put_text("b", "123456789");
    fake = new_read("size=8 B", NULL);
    ck_assert_int_eq(run_text(fake, "a"), 0);
    ck_assert_int_eq(run_text(fake, "b"), WEIR_PERMANENT);
    ck_assert_str_eq(fake->why,
                     "'b' has 9 bytes or more, and 'size' is 8; raise it");
    ck_assert_int_eq(run_text(fake, "/proc/self/status"), WEIR_PERMANENT);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(what_is_no_file)
{
    struct fake *fake = new_read(NULL, NULL);

    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    ck_assert_int_eq(mkdir("folder", 0700), 0);
    ck_assert_int_eq(run_text(fake, "gone"), WEIR_PERMANENT);
    ck_assert_str_eq(fake->why,
                     "cannot read 'gone': No such file or directory");
    ck_assert_int_eq(run_text(fake, "pipe"), WEIR_PERMANENT);
    ck_assert_int_eq(run_text(fake, "folder"), WEIR_PERMANENT);
    ck_assert_int_eq(run_text(fake, ""), WEIR_PERMANENT);
    ck_assert_int_eq(fake_run(fake, "a\0b", 3), WEIR_PERMANENT);
    ck_assert_int_eq(run_text(fake, "/proc/self/status"), 0);
    ck_assert_uint_gt(fake->given.at[0].data.size, 100);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* With openat2, and without. */
START_TEST(never_out_of_its_root)
{
    static const char *const bad[] = { "../secret",      "/etc/hostname",
                                       "d/../../secret", "link",
                                       "out/secret",     "in/a" };
    struct fake *fake;

    file_beneath_walks = _i == 1;
    put_text("secret", "s");
    put_text("root/d/a", "a");
    ck_assert_int_eq(symlink("../secret", "root/link"), 0);
    ck_assert_int_eq(symlink("..", "root/out"), 0);
    ck_assert_int_eq(symlink("d", "root/in"), 0);
    fake = new_read("root=root", NULL);
    ck_assert_int_eq(run_text(fake, "d/a"), 0);
    ck_assert_int_eq(run_text(fake, ".//d/./a"), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(run_text(fake, bad[i]) == WEIR_PERMANENT, "%s", bad[i]);
    assert_given(fake, "|", "a|a|");
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(refused_by_check)
{
    struct fake *fake = fake_new(&file_LTX_weir_plugin, "file", "read",
                                 "root=gone", NULL);

    ck_assert_int_lt(fake_check(fake), 0);
    ck_assert_str_eq(fake->param, "root");
    fake_free(&fake);
}
END_TEST

Suite *read_suite(void)
{
    Suite *suite = suite_create("read");
    TCase *tcase = tcase_create("read");

    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_test(tcase, by_its_bytes);
    tcase_add_test(tcase, by_a_template);
    tcase_add_loop_test(tcase, of_any_size, 0, 5);
    tcase_add_test(tcase, not_larger_than_size);
    tcase_add_test(tcase, what_is_no_file);
    tcase_add_loop_test(tcase, never_out_of_its_root, 0, 2);
    tcase_add_test(tcase, refused_by_check);
    suite_add_tcase(suite, tcase);
    return suite;
}
