/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * builtin.c - plugins that stand in the program itself. libtool writes the
 * table of them; here it is written by hand, in the same form.
 */
#include "config.h"

#include <ltdl.h>
#include <string.h>

#define WEIR_PLUGIN_PREFIX inner
#include "plugin/internal.h"
#include "scratch.h"

static int run(weir_call *call)
{
    return weir_pass(call, 0);
}

static const weir_task tasks[] = {
    { .name = "pass", .summary = "Pass", .run = run },
    { 0 },
};

WEIR_PLUGIN(.name = "inner", .version = "1", .tasks = tasks);

static const weir_descriptor dashed = {
    .abi = WEIR_ABI,
    .descriptor_size = sizeof dashed,
    .task_size = sizeof(weir_task),
    .param_size = sizeof(weir_param),
    .name = "da-sh-ed",
    .version = "1",
    .tasks = tasks,
};
static const weir_descriptor broken = { .abi = 77 };

static const lt_dlsymlist table[] = {
    { "@PROGRAM@", NULL },
    { "inner.a", NULL },
    { "inner_LTX_weir_plugin", (void *)(uintptr_t)&WEIR_DESCRIPTOR_ },
    { "broken.a", NULL },
    { "broken_LTX_weir_plugin", (void *)(uintptr_t)&broken },
    { "da-sh-ed.a", NULL },
    { "da_sh_ed_LTX_weir_plugin", (void *)(uintptr_t)&dashed },
    { "other.a", NULL },
    { "other_LTX_something", (void *)(uintptr_t)&broken },
    { NULL, NULL },
};

static struct plugin_path path;
static weir_error err;

static void setup(void)
{
    const char *folders[2] = { NULL };

    scratch_make();
    folders[0] = in_scratch("");
    ck_assert_int_eq(plugin_path_init(&path, folders, NULL, NULL, NULL), 0);
    /* As LTDL_SET_PRELOADED_SYMBOLS, first thing in a program. */
    ck_assert_int_eq(lt_dlpreload_default(table), 0);
}

static void teardown(void)
{
    plugin_path_done(&path);
    scratch_remove();
}

START_TEST(found)
{
    struct plugin_tries tries = { 0 };
    const struct plugin *plugin = NULL;

    ck_assert_msg(plugin_load(&path, "inner", &plugin, &tries, &err) == 0, "%s",
                  err.text);
    ck_assert_str_eq(plugin->file, "built in");
    ck_assert_ptr_nonnull(plugin_task(plugin, "pass"));
    ck_assert_str_eq(tries.list.at[tries.list.count - 1].file, "built in");
    ck_assert_int_eq(tries.list.at[tries.list.count - 1].code, 0);
    plugin_tries_done(&tries);
}
END_TEST

/* A symbol has no dash, and libltdl does not know. */
START_TEST(found_with_dashes)
{
    const struct plugin *plugin = NULL;

    ck_assert_msg(plugin_load(&path, "da-sh-ed", &plugin, NULL, &err) == 0,
                  "%s", err.text);
    ck_assert_str_eq(plugin->name, "da-sh-ed");
}
END_TEST

START_TEST(listed)
{
    struct plugin_names names = { 0 };

    write_file("zzz.so", "", 0);
    ck_assert_int_eq(plugin_names(&path, &names), 0);
    ck_assert_uint_ge(names.list.count, 4);
    ck_assert_str_eq(names.list.at[0], "broken");
    ck_assert_str_eq(names.list.at[1], "da-sh-ed");
    ck_assert_str_eq(names.list.at[2], "inner");
    ck_assert_str_eq(names.list.at[names.list.count - 1], "zzz");
    plugin_names_done(&names);
}
END_TEST

START_TEST(refused)
{
    const struct plugin *plugin = NULL;

    ck_assert_int_eq(plugin_load(&path, "broken", &plugin, NULL, &err),
                     WEIR_EPLUGIN);
    ck_assert_ptr_nonnull(strstr(err.text, "built in: it was built for ABI"));
    ck_assert_int_eq(plugin_load(&path, "other", &plugin, NULL, &err),
                     WEIR_EPLUGIN);
    ck_assert_ptr_nonnull(strstr(err.text, "there is no plugin 'other'"));
    ck_assert_int_eq(plugin_load(&path, "iner", &plugin, NULL, &err),
                     WEIR_EPLUGIN);
    ck_assert_ptr_nonnull(strstr(err.text, "did you mean 'inner'?"));
}
END_TEST

/* A file on the path comes first, also when it cannot be used. */
START_TEST(file_comes_first)
{
    const struct plugin *plugin = NULL;

    write_file("inner.so", "x", 1);
    ck_assert_int_eq(plugin_load(&path, "inner", &plugin, NULL, &err),
                     WEIR_EPLUGIN);
    ck_assert_ptr_nonnull(strstr(err.text, "inner.so"));
}
END_TEST

START_TEST(none)
{
    const struct plugin *plugin = NULL;

    lt_dlpreload_default(NULL);
    ck_assert_int_eq(plugin_load(&path, "inner", &plugin, NULL, &err),
                     WEIR_EPLUGIN);
}
END_TEST

Suite *builtin_suite(void)
{
    Suite *suite = suite_create("builtin");
    TCase *tcase = tcase_create("builtin");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, found);
    tcase_add_test(tcase, found_with_dashes);
    tcase_add_test(tcase, listed);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, file_comes_first);
    tcase_add_test(tcase, none);
    suite_add_tcase(suite, tcase);
    return suite;
}
