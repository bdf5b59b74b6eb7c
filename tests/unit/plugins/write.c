/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* write.c - file.write: whole files or none, and never out of their root. */
#include "config.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../plugins/file/beneath.h"
#include "plugins.h"

static struct fake *new_write(const char *path, const char *root)
{
    struct fake *fake = fake_new(&file_LTX_weir_plugin, "file", "write", path,
                                 root, NULL);

    ck_assert_int_eq(fake_check(fake), 0);
    ck_assert_int_eq(fake_start(fake), 0);
    return fake;
}

static int write_one(struct fake *fake, const char *name, const char *text)
{
    fake_set_attr(fake, "relative", name);
    fake->path++;
    return fake_run(fake, text, strlen(text));
}

START_TEST(makes_files_and_folders)
{
    struct fake *fake;

    file_beneath_walks = _i == 1;
    fake = new_write("path=${item.relative}.out", "root=new/root");
    ck_assert_int_eq(write_one(fake, "a", "1"), 0);
    ck_assert_int_eq(write_one(fake, "x/y/z", "22"), 0);
    ck_assert_int_eq(write_one(fake, "x/y/empty", ""), 0);
    ck_assert_int_eq(write_one(fake, "a", "3 replaced"), 0);
    ck_assert(file_is("new/root/a.out", "3 replaced"));
    ck_assert(file_is("new/root/x/y/z.out", "22"));
    ck_assert(file_is("new/root/x/y/empty.out", ""));
    ck_assert_uint_eq(count_names("new/root"), 2);
    ck_assert_uint_eq(count_names("new/root/x/y"), 2);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(binary_and_large)
{
    char *data = malloc(1 << 20);
    struct fake *fake = new_write("path=file", NULL);
    struct buf got;

    for (size_t i = 0; i < 1 << 20; i++)
        data[i] = (char)(i >> 3);
    ck_assert_int_eq(fake_run(fake, data, 1 << 20), 0);
    got = get_file("file");
    ck_assert_uint_eq(got.size, 1 << 20);
    ck_assert_mem_eq(got.data, data, 1 << 20);
    buf_done(&got);
    free(data);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* The task does its work on this item, and nothing is committed. */
static int write_only(struct fake *fake, const char *text)
{
    fake->input = (weir_bytes){ text, strlen(text) };
    fake->phase = FAKE_RUN;
    return fake->task->run(&fake->call);
}

/* A worker of its own, which dies before the commit. */
static void write_and_die(struct fake *fake, const char *text)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(fake->task->open(&fake->call) == 0 ? write_only(fake, text) : 9);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

START_TEST(nothing_before_the_commit)
{
    struct fake *fake = fake_new(&file_LTX_weir_plugin, "file", "write",
                                 "path=sub/file", NULL);

    put_text("sub/file", "old");
    write_and_die(fake, "new");
    write_and_die(fake, "newer");
    ck_assert(file_is("sub/file", "old"));
    ck_assert_uint_eq(count_names("sub"), 2);
    /* The next attempt takes away what was left behind, also when it is one
     * at another item, of another run. */
    ck_assert_int_eq(fake_start(fake), 0);
    fake->path = 77;
    ck_assert_int_eq(fake_run(fake, "new", 3), 0);
    ck_assert(file_is("sub/file", "new"));
    ck_assert_uint_eq(count_names("sub"), 1);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(given_back)
{
    struct fake *fake = new_write("path=file", NULL);

    put_text("file", "old");
    ck_assert_int_eq(write_only(fake, "one"), 0);
    ck_assert_int_eq(write_only(fake, "one"), 0); /* the same item again */
    ck_assert_uint_eq(count_names("."), 2);
    fake_stop(fake);
    ck_assert_uint_eq(count_names("."), 1);
    ck_assert(file_is("file", "old"));
    fake_free(&fake);
}
END_TEST

/* Each of them writes a file of its own, and the last commit decides. */
START_TEST(two_runs_write_one_file)
{
    struct fake *one = new_write("path=file", NULL);
    struct fake *two = new_write("path=file", NULL);

    ck_assert_int_eq(write_only(one, "first"), 0);
    ck_assert_int_eq(fake_run(two, "second", 6), 0);
    ck_assert(file_is("file", "second"));
    ck_assert_uint_eq(count_names("."), 2);
    ck_assert_uint_eq(one->renames.count, 1);
    ck_assert_int_eq(rename(one->renames.at[0].from, one->renames.at[0].to), 0);
    ck_assert(file_is("file", "first"));
    fake_stop(one);
    fake_stop(two);
    ck_assert_uint_eq(count_names("."), 1);
    fake_free(&one);
    fake_free(&two);
}
END_TEST

START_TEST(many_files)
{
    struct fake *fake = new_write("path=${item.relative}", "sync=true");
    char name[32];

    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "%d/%d", i % 3, i);
        ck_assert_int_eq(write_one(fake, name, name), 0);
    }
    ck_assert_uint_le(count_names("/proc/self/fd"), 120);
    ck_assert_int_eq(fake_flush(fake), 0);
    fake_stop(fake);
    ck_assert_uint_eq(count_names("0"), 67);
    ck_assert_uint_eq(count_names("1"), 67);
    ck_assert_uint_eq(count_names("2"), 66);
    ck_assert(file_is("1/199", "1/199"));
    fake_free(&fake);
}
END_TEST

/* A disk that is full in the middle of a file looks like this, too. */
START_TEST(a_file_that_cannot_be_finished)
{
    struct fake *fake = new_write("path=file", NULL);
    struct rlimit before, less;
    char *data = calloc(1, 65536);
    int code;

    put_text("file", "old");
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    less = before;
    less.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &less), 0);
    code = fake_run(fake, data, 65536);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(code, WEIR_PERMANENT);
    ck_assert_str_eq(fake->why, "cannot write 'file': File too large");
    ck_assert(file_is("file", "old"));
    ck_assert_uint_eq(count_names("."), 1);
    free(data);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

static const char *const bad_names[] = {
    "../out", "/abs", "a/../../out", "",         ".",      "./",
    "a/",     "..",   "link/x",      "inside/x", "folder",
};

START_TEST(never_out_of_its_root)
{
    struct fake *fake;

    put_text("root/folder/x", "");
    ck_assert_int_eq(mkdir("elsewhere", 0755), 0);
    ck_assert_int_eq(symlink("../elsewhere", "root/link"), 0);
    ck_assert_int_eq(symlink("folder", "root/inside"), 0);
    for (int walks = 0; walks < 2; walks++) {
        file_beneath_walks = walks == 1;
        fake = new_write("path=${item.relative}", "root=root");
        ck_assert_int_eq(write_one(fake, bad_names[_i], "x"), WEIR_PERMANENT);
        fake_stop(fake);
        fake_free(&fake);
    }
    ck_assert_uint_eq(count_names("."), 2);
    ck_assert_uint_eq(count_names("elsewhere"), 0);
    ck_assert_uint_eq(count_names("root"), 3);
    ck_assert_uint_eq(count_names("root/folder"), 1);
}
END_TEST

/* A link in the last place is replaced, not followed. */
START_TEST(a_link_is_replaced)
{
    struct fake *fake;
    struct stat st;

    put_text("target", "old");
    ck_assert_int_eq(symlink("target", "link"), 0);
    fake = new_write("path=link", NULL);
    ck_assert_int_eq(fake_run(fake, "new", 3), 0);
    ck_assert(file_is("target", "old"));
    ck_assert(file_is("link", "new"));
    ck_assert_int_eq(lstat("link", &st), 0);
    ck_assert(S_ISREG(st.st_mode));
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(names_that_are_too_long)
{
    char name[300];
    struct fake *fake = new_write("path=${item.relative}", "sync=false");

    memset(name, 'n', 255);
    name[255] = '\0';
    ck_assert_int_eq(write_one(fake, name, "x"), 0);
    name[255] = 'n';
    name[256] = '\0';
    ck_assert_int_eq(write_one(fake, name, "x"), WEIR_PERMANENT);
    name[100] = '/';
    ck_assert_int_eq(write_one(fake, name, "x"), 0);
    ck_assert_uint_eq(count_names("."), 2);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

static const char *const up[] = { "path=..", "path=../x", "path=a/../x",
                                  "path=${item.stem}/..", "path=a/.." };

START_TEST(templates_that_go_up)
{
    struct fake *fake = fake_new(&file_LTX_weir_plugin, "file",
                                 _i % 2 ? "write" : "append", up[_i], NULL);

    ck_assert_int_lt(fake_check(fake), 0);
    ck_assert_str_eq(fake->param, "path");
    ck_assert_ptr_nonnull(strstr(fake->why, "has '..' in it"));
    fake_free(&fake);
}
END_TEST

START_TEST(refused_by_check)
{
    struct fake *fake;

    put_text("file", "");
    fake = fake_new(&file_LTX_weir_plugin, "file", "write", "path=/abs", NULL);
    ck_assert_int_lt(fake_check(fake), 0);
    ck_assert_str_eq(fake->param, "path");
    fake_free(&fake);
    fake = fake_new(&file_LTX_weir_plugin, "file", "write", "path=x",
                    "root=file", NULL);
    ck_assert_int_lt(fake_check(fake), 0);
    ck_assert_str_eq(fake->param, "root");
    ck_assert_int_eq(fake_start(fake), WEIR_FATAL);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

Suite *write_suite(void)
{
    Suite *suite = suite_create("write");
    TCase *tcase = tcase_create("write");

    tcase_add_checked_fixture(tcase, folder_setup, folder_teardown);
    tcase_add_loop_test(tcase, makes_files_and_folders, 0, 2);
    tcase_add_test(tcase, binary_and_large);
    tcase_add_test(tcase, nothing_before_the_commit);
    tcase_add_test(tcase, given_back);
    tcase_add_test(tcase, two_runs_write_one_file);
    tcase_add_test(tcase, many_files);
    tcase_add_test(tcase, a_file_that_cannot_be_finished);
    tcase_add_loop_test(tcase, never_out_of_its_root, 0,
                        sizeof bad_names / sizeof *bad_names);
    tcase_add_test(tcase, a_link_is_replaced);
    tcase_add_test(tcase, names_that_are_too_long);
    tcase_add_loop_test(tcase, templates_that_go_up, 0, sizeof up / sizeof *up);
    tcase_add_test(tcase, refused_by_check);
    suite_add_tcase(suite, tcase);
    return suite;
}
