/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* append.c - file.append: what stands behind each item, and in which file. */
#include "config.h"

#include <sys/stat.h>
#include <unistd.h>

#include "plugins.h"

static struct fake *new_append(const char *path, const char *a, const char *b)
{
    struct fake *fake = fake_new(&file_LTX_weir_plugin, "file", "append", path,
                                 a, b, NULL);

    ck_assert_int_eq(fake_check(fake), 0);
    ck_assert_int_eq(fake_start(fake), 0);
    return fake;
}

static const struct {
    const char *frame;
    const char *want;
    size_t size;
} frames[] = {
    { NULL, "old\na\nb\n\n", 9 },
    { "frame=line", "old\na\nb\n\n", 9 },
    { "frame=nul", "old\na\0b\n\0\0", 10 },
    { "frame=raw", "old\nab\n", 7 },
};

START_TEST(frames_items)
{
    struct fake *fake;
    struct buf got;

    put_text("log", "old\n");
    fake = new_append("path=log", frames[_i].frame, NULL);
    ck_assert_int_eq(fake_run(fake, "a", 1), 0);
    ck_assert_int_eq(fake_run(fake, "b\n", 2), 0);
    ck_assert_int_eq(fake_run(fake, NULL, 0), 0);
    got = get_file("log");
    ck_assert_uint_eq(got.size, frames[_i].size);
    ck_assert_mem_eq(got.data, frames[_i].want, got.size);
    buf_done(&got);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(to_a_file_by_attribute)
{
    struct fake *fake = new_append("path=${item.day}/log", "root=logs", NULL);

    for (int i = 0; i < 6; i++) {
        fake_set_attr(fake, "day", i % 2 ? "monday" : "sunday");
        ck_assert_int_eq(fake_run(fake, "x", 1), 0);
    }
    ck_assert(file_is("logs/monday/log", "x\nx\nx\n"));
    ck_assert(file_is("logs/sunday/log", "x\nx\nx\n"));
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* More files than stay open. */
START_TEST(to_many_files)
{
    struct fake *fake = new_append("path=${item.n}", "root=d", NULL);
    char n[16];

    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 600; i++) {
            snprintf(n, sizeof n, "%d", i);
            fake_set_attr(fake, "n", n);
            ck_assert_int_eq(fake_run(fake, n, strlen(n)), 0);
        }
    ck_assert_uint_eq(count_names("d"), 600);
    ck_assert(file_is("d/0", "0\n0\n"));
    ck_assert(file_is("d/599", "599\n599\n"));
    ck_assert_uint_lt(count_names("/proc/self/fd"), 300);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(only_to_regular_files_below_the_root)
{
    struct fake *fake = new_append("path=${item.n}", "root=d", NULL);
    static const char *const bad[] = { "../x",        "/x",     "",
                                       "pipe",        "folder", "link",
                                       "none/../../x" };

    put_text("target", "old");
    ck_assert_int_eq(mkfifo("d/pipe", 0600), 0);
    ck_assert_int_eq(mkdir("d/folder", 0700), 0);
    ck_assert_int_eq(symlink("../target", "d/link"), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fake_set_attr(fake, "n", bad[i]);
        ck_assert_msg(fake_run(fake, "x", 1) == WEIR_PERMANENT, "%s", bad[i]);
    }
    ck_assert(file_is("target", "old"));
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(nothing_before_the_commit)
{
    struct fake *fake;

    put_text("log", "old\n");
    fake = new_append("path=log", NULL, NULL);
    fake->input = (weir_bytes){ "new", 3 };
    fake->phase = FAKE_RUN;
    ck_assert_int_eq(fake->task->run(&fake->call), 0);
    ck_assert(file_is("log", "old\n"));
    fake_kill(fake);
    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_int_eq(fake_run(fake, "new", 3), 0);
    ck_assert(file_is("log", "old\nnew\n"));
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

Suite *append_suite(void)
{
    Suite *suite = suite_create("append");
    TCase *tcase = tcase_create("append");

    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_loop_test(tcase, frames_items, 0, sizeof frames / sizeof *frames);
    tcase_add_test(tcase, to_a_file_by_attribute);
    tcase_add_test(tcase, to_many_files);
    tcase_add_test(tcase, only_to_regular_files_below_the_root);
    tcase_add_test(tcase, nothing_before_the_commit);
    suite_add_tcase(suite, tcase);
    return suite;
}
