/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* path.c - which folders are searched, and what is found in them. */
#include "config.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/internal.h"
#include "scratch.h"

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(order)
{
    static const char *const want[][2] = {
        { "/opt/a", "--plugin-path" },    { "/opt/b", "--plugin-path" },
        { "/jobs/own", "the job file" },  { "/abs", "the job file" },
        { "/env/1", "WEIR_PLUGIN_PATH" }, { "/env/2", "WEIR_PLUGIN_PATH" },
        { PLUGINDIR, "the install" },
    };
    struct plugin_path path = { 0 };
    weir_error err;

    setenv("WEIR_PLUGIN_PATH", "/env/1::/env/2/:/opt/a:", 1);
    ck_assert_int_eq(plugin_path_init(&path, LIST("/opt/a", "/opt/b//"),
                                      LIST("own", "/abs"), "/jobs", &err),
                     0);
    ck_assert_uint_eq(path.folders.count, sizeof want / sizeof *want);
    for (size_t i = 0; i < path.folders.count; i++) {
        ck_assert_str_eq(path.folders.at[i].path, want[i][0]);
        ck_assert_str_eq(path.folders.at[i].origin, want[i][1]);
    }
    plugin_path_done(&path);
    ck_assert_uint_eq(path.folders.count, 0);
}
END_TEST

START_TEST(relative_option_is_made_absolute)
{
    struct plugin_path path = { 0 };

    ck_assert_int_eq(chdir(scratch), 0);
    ck_assert_int_eq(plugin_path_init(&path,
                                      LIST("plugins", ".", ".//./deep/./x/"),
                                      NULL, NULL, NULL),
                     0);
    ck_assert_str_eq(path.folders.at[0].path, in_scratch("plugins"));
    ck_assert_str_eq(path.folders.at[1].path, scratch);
    ck_assert_str_eq(path.folders.at[2].path, in_scratch("deep/./x"));
    plugin_path_done(&path);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(relative_option_without_a_working_directory)
{
    struct plugin_path path = { 0 };
    weir_error err;

    make_folder("gone");
    ck_assert_int_eq(chdir(in_scratch("gone")), 0);
    ck_assert_int_eq(rmdir(in_scratch("gone")), 0);
    ck_assert_int_eq(plugin_path_init(&path, LIST("x"), NULL, NULL, &err),
                     -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "working directory"));
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(relative_environment_is_refused)
{
    struct plugin_path path = { 0 };
    weir_error err;

    setenv("WEIR_PLUGIN_PATH", "/good:lib/plugins:/more", 1);
    ck_assert_int_eq(plugin_path_init(&path, NULL, NULL, NULL, &err),
                     WEIR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "'lib/plugins'"));
    ck_assert_ptr_null(path.folders.at);
}
END_TEST

START_TEST(empty_and_unplaced_entries_are_refused)
{
    struct plugin_path path = { 0 };

    ck_assert_int_eq(plugin_path_init(&path, LIST(""), NULL, NULL, NULL),
                     WEIR_EINVAL);
    ck_assert_int_eq(plugin_path_init(&path, NULL, LIST("own"), NULL, NULL),
                     WEIR_EINVAL);
    ck_assert_int_eq(plugin_path_init(&path, NULL, LIST("own"), "jobs", NULL),
                     WEIR_EINVAL);
}
END_TEST

START_TEST(nothing_given_leaves_the_install)
{
    struct plugin_path path = { 0 };

    setenv("WEIR_PLUGIN_PATH", "", 1);
    ck_assert_int_eq(plugin_path_init(&path, NULL, NULL, NULL, NULL), 0);
    ck_assert_uint_eq(path.folders.count, 1);
    ck_assert_str_eq(path.folders.at[0].path, PLUGINDIR);
    plugin_path_done(&path);
}
END_TEST

START_TEST(names_are_sorted_and_unique)
{
    struct plugin_path path = { 0 };
    struct plugin_names names = { 0 };

    make_folder("a");
    make_folder("b");
    make_folder("b/.libs");
    make_folder("b/tree");
    make_folder("b/tree/.libs");
    make_folder("b/empty");
    make_folder("b/folder.so");
    write_file("a/zstd.so", "", 0);
    write_file("a/text.so", "", 0);
    write_file("a/notes.txt", "", 0);
    write_file("a/.so", "", 0);
    write_file("b/text.so", "", 0);
    write_file("b/.libs/flow.so", "", 0);
    write_file("b/tree/.libs/tree.so", "", 0);
    ck_assert_int_eq(plugin_path_init(&path,
                                      LIST(in_scratch("a"), in_scratch("b")),
                                      NULL, NULL, NULL),
                     0);
    ck_assert_int_eq(plugin_names(&path, &names), 0);
    ck_assert_uint_eq(names.list.count, 4);
    ck_assert_str_eq(names.list.at[0], "flow");
    ck_assert_str_eq(names.list.at[1], "text");
    ck_assert_str_eq(names.list.at[2], "tree");
    ck_assert_str_eq(names.list.at[3], "zstd");
    ck_assert_ptr_null(names.list.at[4]);
    plugin_names_done(&names);
    plugin_path_done(&path);
}
END_TEST

START_TEST(where_is_the_first_file)
{
    const char *const folders[] = { in_scratch("a"), in_scratch("b"), NULL };
    struct plugin_path path = { 0 };
    char *file;

    make_folder("a");
    make_folder("b");
    write_file("b/text.so", "x", 1);
    ck_assert_int_eq(plugin_path_init(&path, folders, NULL, NULL, NULL), 0);
    ck_assert_int_eq(plugin_where(&path, "text", &file), 0);
    ck_assert_str_eq(file, in_scratch("b/text.so"));
    free(file);
    write_file("a/text.so", "x", 1);
    ck_assert_int_eq(plugin_where(&path, "text", &file), 0);
    ck_assert_str_eq(file, in_scratch("a/text.so"));
    free(file);
    ck_assert_int_eq(plugin_where(&path, "other", &file), 0);
    ck_assert_ptr_null(file);
    ck_assert_int_eq(plugin_where(&path, "../b/text", &file), 0);
    ck_assert_ptr_null(file);
    plugin_path_done(&path);
}
END_TEST

Suite *path_suite(void)
{
    Suite *suite = suite_create("path");
    TCase *tcase = tcase_create("path");

    tcase_add_checked_fixture(tcase, scratch_make, scratch_remove);
    tcase_add_test(tcase, order);
    tcase_add_test(tcase, relative_option_is_made_absolute);
    tcase_add_test(tcase, relative_option_without_a_working_directory);
    tcase_add_test(tcase, relative_environment_is_refused);
    tcase_add_test(tcase, empty_and_unplaced_entries_are_refused);
    tcase_add_test(tcase, nothing_given_leaves_the_install);
    tcase_add_test(tcase, names_are_sorted_and_unique);
    tcase_add_test(tcase, where_is_the_first_file);
    suite_add_tcase(suite, tcase);
    return suite;
}
