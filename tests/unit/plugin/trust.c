/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trust.c - what others may change is refused, with the cure. */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/internal.h"
#include "scratch.h"

static weir_error err;

static int check(const char *name)
{
    err = (weir_error){ 0 };
    return trust_check(in_scratch(name), &err);
}

static void ck_says(const char *part)
{
    ck_assert_msg(strstr(err.text, part), "'%s' is not in '%s'", part,
                  err.text);
}

/* scratch/lib/text.so, and a good way to it through sticky /tmp. */
static void setup(void)
{
    scratch_make();
    make_folder("lib");
    write_file("lib/text.so", "x", 1);
}

START_TEST(good)
{
    ck_assert_int_eq(check("lib/text.so"), 0);
    ck_assert_int_eq(check("lib"), 0);
    ck_assert_int_eq(check("lib/../lib/./text.so"), 0);
    ck_assert_int_eq(check("lib//text.so"), 0);
    ck_assert_int_eq(trust_check("/", NULL), 0);
    ck_assert_int_eq(trust_check("/..", NULL), 0);
}
END_TEST

START_TEST(file_modes)
{
    static const struct {
        mode_t mode;
        const char *cure;
    } cases[] = { { 0664, "chmod g-w" },
                  { 0646, "chmod o-w" },
                  { 0666, "chmod go-w" } };
    CLEANUP_BUF struct buf want = { 0 };

    ck_assert_int_eq(chmod(in_scratch("lib/text.so"), cases[_i].mode), 0);
    ck_assert_int_eq(check("lib/text.so"), WEIR_ETRUST);
    buf_printf(&want, "others may write file '%s'; %s '%s'",
               in_scratch("lib/text.so"), cases[_i].cure,
               in_scratch("lib/text.so"));
    ck_assert_str_eq(err.text, want.data);
    ck_assert_int_eq(err.code, WEIR_ETRUST);
}
END_TEST

START_TEST(writable_folder)
{
    ck_assert_int_eq(chmod(in_scratch("lib"), 0775), 0);
    ck_assert_int_eq(check("lib/text.so"), WEIR_ETRUST);
    ck_says("folder");
    ck_says("/lib'; chmod g-w");
    ck_assert_int_eq(check("lib"), WEIR_ETRUST);
}
END_TEST

START_TEST(writable_ancestor)
{
    ck_assert_int_eq(chmod(scratch, 0777), 0);
    ck_assert_int_eq(check("lib/text.so"), WEIR_ETRUST);
    ck_says("chmod go-w");
}
END_TEST

START_TEST(sticky_folder)
{
    ck_assert_int_eq(chmod(in_scratch("lib"), 01777), 0);
    ck_assert_int_eq(check("lib/text.so"), geteuid() == 0 ? 0 : WEIR_ETRUST);
}
END_TEST

START_TEST(stranger)
{
    if (geteuid() != 0) /* only root gives files away */
        return;
    ck_assert_int_eq(chown(in_scratch("lib/text.so"), 65534, 0), 0);
    ck_assert_int_eq(check("lib/text.so"), WEIR_ETRUST);
    ck_says("belongs to user 65534");
    ck_assert_int_eq(chown(in_scratch("lib/text.so"), 0, 0), 0);
    ck_assert_int_eq(chown(in_scratch("lib"), 65534, 0), 0);
    ck_assert_int_eq(check("lib/text.so"), WEIR_ETRUST);
    ck_assert_int_eq(chmod(in_scratch("lib"), 01777), 0);
    ck_assert_int_eq(check("lib/text.so"), WEIR_ETRUST);
}
END_TEST

START_TEST(good_symlinks)
{
    ck_assert_int_eq(symlink("lib", in_scratch("relative")), 0);
    ck_assert_int_eq(symlink(in_scratch("relative"), in_scratch("lib/back")),
                     0);
    ck_assert_int_eq(symlink("../lib/text.so", in_scratch("lib/up.so")), 0);
    ck_assert_int_eq(check("relative/text.so"), 0);
    ck_assert_int_eq(check("relative/back/up.so"), 0);
    ck_assert_int_eq(check("lib/back/../lib/text.so"), 0);
}
END_TEST

/* The name is in a good folder, and the way goes through a bad one. */
START_TEST(each_hop_is_checked)
{
    make_folder("open");
    make_folder("open/deep");
    write_file("open/deep/text.so", "x", 1);
    ck_assert_int_eq(chmod(in_scratch("open"), 0777), 0);
    ck_assert_int_eq(symlink("../open/deep/text.so", in_scratch("lib/a.so")),
                     0);
    ck_assert_int_eq(check("lib/a.so"), WEIR_ETRUST);
    ck_says("/open'");
    /* The end is good, but a hop on the way can be exchanged. */
    ck_assert_int_eq(symlink("../lib/text.so", in_scratch("open/hop.so")), 0);
    ck_assert_int_eq(symlink("../open/hop.so", in_scratch("lib/b.so")), 0);
    ck_assert_int_eq(check("lib/b.so"), WEIR_ETRUST);
    ck_says("/open'");
}
END_TEST

START_TEST(link_of_a_stranger)
{
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(symlink("text.so", in_scratch("lib/a.so")), 0);
    ck_assert_int_eq(lchown(in_scratch("lib/a.so"), 65534, 65534), 0);
    ck_assert_int_eq(check("lib/a.so"), WEIR_ETRUST);
    ck_says("symlink");
}
END_TEST

START_TEST(loop)
{
    ck_assert_int_eq(symlink("b", in_scratch("a")), 0);
    ck_assert_int_eq(symlink("a", in_scratch("b")), 0);
    ck_assert_int_eq(check("a"), -ELOOP);
}
END_TEST

START_TEST(not_there)
{
    ck_assert_int_eq(check("lib/none.so"), -ENOENT);
    ck_assert_int_eq(check("lib/text.so/more"), -ENOTDIR);
    ck_assert_int_eq(trust_check("lib/text.so", &err), WEIR_EINVAL);
    ck_assert_int_eq(trust_check("", &err), WEIR_EINVAL);
}
END_TEST

START_TEST(not_a_file)
{
    ck_assert_int_eq(mkfifo(in_scratch("lib/fifo.so"), 0600), 0);
    ck_assert_int_eq(check("lib/fifo.so"), WEIR_ETRUST);
    ck_says("regular file");
}
END_TEST

Suite *trust_suite(void)
{
    Suite *suite = suite_create("trust");
    TCase *tcase = tcase_create("trust");

    tcase_add_checked_fixture(tcase, setup, scratch_remove);
    tcase_add_test(tcase, good);
    tcase_add_loop_test(tcase, file_modes, 0, 3);
    tcase_add_test(tcase, writable_folder);
    tcase_add_test(tcase, writable_ancestor);
    tcase_add_test(tcase, sticky_folder);
    tcase_add_test(tcase, stranger);
    tcase_add_test(tcase, good_symlinks);
    tcase_add_test(tcase, each_hop_is_checked);
    tcase_add_test(tcase, link_of_a_stranger);
    tcase_add_test(tcase, loop);
    tcase_add_test(tcase, not_there);
    tcase_add_test(tcase, not_a_file);
    suite_add_tcase(suite, tcase);
    return suite;
}
