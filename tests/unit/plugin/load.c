/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* load.c - real shared objects, whole and spoilt: what is loaded, what is
 * refused, and that the reason is the true one. */
#include "config.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/internal.h"
#include "scratch.h"

static struct plugin_path path;
static struct plugin_tries tries;
static const struct plugin *plugin;
static weir_error err;

/* Puts the test plugin @from at @name under the scratch folder. */
static void put_plugin(const char *from, const char *name)
{
    char file[512];
    size_t size;
    char *data;

    snprintf(file, sizeof file, "%s/%s.so", TEST_PLUGINS, from);
    data = read_file(file, &size);
    write_file(name, data, size);
    free(data);
}

/* Two folders of the scratch folder are searched, "one" first. */
static void setup(void)
{
    const char *folders[3] = { NULL };

    scratch_make();
    make_folder("one");
    make_folder("two");
    folders[0] = in_scratch("one");
    folders[1] = in_scratch("two");
    ck_assert_int_eq(plugin_path_init(&path, folders, NULL, NULL, NULL), 0);
}

static void teardown(void)
{
    plugin_tries_done(&tries);
    plugin_path_done(&path);
    scratch_remove();
}

static int load(const char *name)
{
    err = (weir_error){ 0 };
    plugin = NULL;
    plugin_tries_done(&tries);
    return plugin_load(&path, name, &plugin, &tries, &err);
}

static void ck_says(const char *part)
{
    ck_assert_msg(strstr(err.text, part), "'%s' is not in '%s'", part,
                  err.text);
}

static void ck_refused(const char *name, const char *part)
{
    const struct plugin_try *last;

    ck_assert_int_eq(load(name), WEIR_EPLUGIN);
    ck_assert_ptr_null(plugin);
    ck_says(part);
    last = &tries.list.at[tries.list.count - 1];
    ck_assert_int_lt(last->code, 0);
    ck_assert_msg(strstr(last->why, part), "tries say '%s'", last->why);
}

START_TEST(whole)
{
    const weir_task *task;

    put_plugin("good", "one/good.so");
    ck_assert_msg(load("good") == 0, "%s", err.text);
    ck_assert_str_eq(plugin->name, "good");
    ck_assert_str_eq(plugin->file, in_scratch("one/good.so"));
    ck_assert_str_eq(plugin->descriptor->version, "1.2");
    task = plugin_task(plugin, "cut");
    ck_assert_ptr_nonnull(task);
    ck_assert_ptr_nonnull(task->run);
    ck_assert_str_eq(task->outputs, "long short");
    ck_assert_str_eq(task->params[0].value, "1 KiB");
    ck_assert(plugin_task(plugin, "idle")->source);
    ck_assert_ptr_null(plugin_task(plugin, "Cut"));
    ck_assert_uint_eq(tries.list.count, 1);
    ck_assert_int_eq(tries.list.at[0].code, 0);
}
END_TEST

START_TEST(twice_is_the_same)
{
    const struct plugin *first;

    put_plugin("good", "one/good.so");
    ck_assert_int_eq(load("good"), 0);
    first = plugin;
    ck_assert_int_eq(unlink(in_scratch("one/good.so")), 0);
    ck_assert_int_eq(load("good"), 0);
    ck_assert_ptr_eq(plugin, first);
    ck_assert_str_eq(tries.list.at[0].why, "loaded before");
    ck_assert_int_eq(plugin_load(&path, "good", &plugin, NULL, NULL), 0);
}
END_TEST

START_TEST(first_folder_wins)
{
    put_plugin("good", "one/good.so");
    put_plugin("good", "two/good.so");
    ck_assert_int_eq(load("good"), 0);
    ck_assert_str_eq(plugin->file, in_scratch("one/good.so"));
}
END_TEST

START_TEST(build_tree_places)
{
    static const char *const places[] = { "two/good.so", "two/.libs/good.so",
                                          "two/good/.libs/good.so" };

    make_folder("two/.libs");
    make_folder("two/good");
    make_folder("two/good/.libs");
    for (int place = 2; place >= _i; place--)
        put_plugin("good", places[place]);
    ck_assert_int_eq(load("good"), 0);
    ck_assert_str_eq(plugin->file, in_scratch(places[_i]));
    /* Three places of "one", then as many of "two" as it took. */
    ck_assert_uint_eq(tries.list.count, 4 + (size_t)_i);
    for (size_t i = 0; i + 1 < tries.list.count; i++) {
        ck_assert_int_eq(tries.list.at[i].code, -ENOENT);
        ck_assert_str_eq(tries.list.at[i].why, "no such file");
    }
    ck_assert_str_eq(tries.list.at[1].file, in_scratch("one/.libs/good.so"));
}
END_TEST

START_TEST(missing)
{
    put_plugin("good", "two/good.so");
    ck_assert_int_eq(rmdir(in_scratch("one")), 0);
    ck_assert_int_eq(load("god"), WEIR_EPLUGIN);
    ck_says("there is no plugin 'god'; did you mean 'good'?");
    ck_says("(--plugin-path: no such folder)");
    ck_says(in_scratch("two"));
    ck_assert_str_eq(tries.list.at[0].file, in_scratch("one"));
    ck_assert_str_eq(tries.list.at[0].why, "no such folder");
}
END_TEST

START_TEST(working_directory_is_not_searched)
{
    put_plugin("good", "good.so");
    ck_assert_int_eq(chdir(scratch), 0);
    ck_assert_int_eq(load("good"), WEIR_EPLUGIN);
    ck_says("there is no plugin");
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(paths_are_refused)
{
    static const char *const names[] = { "one/good", "./good", "../one/good",
                                         "/tmp/good" };

    put_plugin("good", "one/good.so");
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(load(names[i]), WEIR_EPLUGIN);
        ck_says("a task is named plugin.task, without a path");
        ck_assert_uint_eq(tries.list.count, 0);
    }
    ck_assert_int_eq(load(""), WEIR_EPLUGIN);
    ck_assert_int_eq(load(".."), WEIR_EPLUGIN);
    ck_assert_int_eq(load("a b"), WEIR_EPLUGIN);
    ck_says("no name");
}
END_TEST

START_TEST(others_may_write)
{
    put_plugin("good", "one/good.so");
    put_plugin("good", "two/good.so");
    ck_assert_int_eq(chmod(in_scratch("one/good.so"), 0664), 0);
    ck_assert_int_eq(load("good"), WEIR_ETRUST);
    ck_says("others may write file");
    ck_says("chmod g-w");
    ck_assert_int_eq(tries.list.at[0].code, WEIR_ETRUST);
    ck_assert_int_eq(chmod(in_scratch("one/good.so"), 0644), 0);
    ck_assert_int_eq(chmod(in_scratch("one"), 0757), 0);
    ck_assert_int_eq(load("good"), WEIR_ETRUST);
    ck_says("others may write folder");
}
END_TEST

START_TEST(dangling_link)
{
    ck_assert_int_eq(symlink("nowhere", in_scratch("one/good.so")), 0);
    put_plugin("good", "two/good.so");
    ck_assert_int_eq(load("good"), 0);
    ck_assert_str_eq(tries.list.at[0].why, "a symlink that leads nowhere");
}
END_TEST

START_TEST(unresolved_symbol)
{
    put_plugin("unresolved", "one/unresolved.so");
    ck_refused("unresolved", "undefined symbol: nobody_has_this");
    /* And the one in front decides. */
    put_plugin("good", "two/unresolved.so");
    ck_refused("unresolved", "undefined symbol");
}
END_TEST

START_TEST(no_descriptor)
{
    put_plugin("mute", "one/mute.so");
    ck_refused("mute", "no symbol weir_plugin");
    put_plugin("function", "one/function.so");
    ck_refused("function", "weir_plugin is no descriptor");
}
END_TEST

START_TEST(newer_abi)
{
    put_plugin("future", "one/future.so");
    ck_refused("future", "built for ABI 2, and this weir takes up to 1");
}
END_TEST

START_TEST(other_name)
{
    put_plugin("good", "one/better.so");
    ck_refused("better", "it calls itself 'good', and its file 'better'");
}
END_TEST

START_TEST(no_elf)
{
    write_file("one/text.so", "dlname='/etc/evil.so'\n", 22);
    ck_refused("text", "no ELF header");
    write_file("one/empty.so", "", 0);
    ck_refused("empty", "it is empty");
}
END_TEST

/* A folder of that name is not a plugin. */
START_TEST(folder_of_that_name)
{
    make_folder("one/good.so");
    ck_refused("good", "no regular file");
}
END_TEST

/* Each cut at 64 bytes: dlopen of some of these dies by SIGBUS. */
START_TEST(truncated)
{
    size_t size;
    char *data;

    put_plugin("good", "good.so");
    data = read_file(in_scratch("good.so"), &size);
    for (size_t cut = 1; cut < size; cut += cut < 64 ? 63 : 64) {
        write_file("one/good.so", data, cut);
        ck_refused("good", "");
    }
    write_file("one/good.so", data, size - 1);
    ck_refused("good", "it is cut short");
    write_file("one/good.so", data, size);
    ck_assert_int_eq(load("good"), 0);
    free(data);
}
END_TEST

static void spoil(size_t offset, const void *bytes, size_t size,
                  const char *part)
{
    size_t length;
    char *data = read_file(in_scratch("good.so"), &length);

    memcpy(data + offset, bytes, size);
    write_file("one/good.so", data, length);
    ck_refused("good", part);
    free(data);
}

START_TEST(spoilt_headers)
{
    const ElfW(Half) machine = EM_PARISC; /* no host of ours */
    const ElfW(Half) type = ET_EXEC, many = 60000, zero = 0;
    const ElfW(Off) wild = (ElfW(Off)) - 16;
    const char class = sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64;
    const char order = ELFDATANUM;

    put_plugin("good", "good.so");
    spoil(offsetof(ElfW(Ehdr), e_machine), &machine, 2,
          "it was built for another machine");
    spoil(offsetof(ElfW(Ehdr), e_type), &type, 2, "no shared object");
    spoil(EI_CLASS, &class, 1, "-bit");
    spoil(EI_DATA, &order, 1, "byte order");
    spoil(offsetof(ElfW(Ehdr), e_phoff), &wild, sizeof wild, "make no sense");
    spoil(offsetof(ElfW(Ehdr), e_shoff), &wild, sizeof wild, "make no sense");
    spoil(offsetof(ElfW(Ehdr), e_phnum), &many, 2, "cut short");
    spoil(offsetof(ElfW(Ehdr), e_phnum), &zero, 2, "make no sense");
    spoil(offsetof(ElfW(Ehdr), e_shnum), &many, 2, "cut short");
    spoil(sizeof(ElfW(Ehdr)) + offsetof(ElfW(Phdr), p_filesz), &wild,
          sizeof wild, "");
}
END_TEST

/* Every byte of the first headers set to each of a few values: good or bad,
 * but never a crash or a read outside. */
START_TEST(fuzzed_headers)
{
    static const unsigned char values[] = { 0, 1, 0x7f, 0x80, 0xff };
    size_t size;
    char *data;

    put_plugin("good", "good.so");
    data = read_file(in_scratch("good.so"), &size);
    for (size_t at = 0; at < 1024 && at < size; at++)
        for (size_t v = 0; v < sizeof values; v++) {
            char kept = data[at];
            int fd;

            data[at] = (char)values[v];
            write_file("fuzzed.so", data, size);
            fd = open(in_scratch("fuzzed.so"), O_RDONLY | O_CLOEXEC);
            ck_assert_int_ge(fd, 0);
            ck_assert_int_le(elf_check(fd, size, &err), 0);
            fd_close(&fd);
            data[at] = kept;
        }
    free(data);
}
END_TEST

START_TEST(bad_then_good)
{
    put_plugin("good", "good.so");
    write_file("one/good.so", "x", 1);
    ck_assert_int_eq(load("good"), WEIR_EPLUGIN);
    ck_assert_int_eq(rename(in_scratch("good.so"), in_scratch("one/good.so")),
                     0);
    ck_assert_msg(load("good") == 0, "%s", err.text);
}
END_TEST

Suite *load_suite(void)
{
    Suite *suite = suite_create("load");
    TCase *tcase = tcase_create("load");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, whole);
    tcase_add_test(tcase, twice_is_the_same);
    tcase_add_test(tcase, first_folder_wins);
    tcase_add_loop_test(tcase, build_tree_places, 0, 3);
    tcase_add_test(tcase, missing);
    tcase_add_test(tcase, working_directory_is_not_searched);
    tcase_add_test(tcase, paths_are_refused);
    tcase_add_test(tcase, others_may_write);
    tcase_add_test(tcase, dangling_link);
    tcase_add_test(tcase, unresolved_symbol);
    tcase_add_test(tcase, no_descriptor);
    tcase_add_test(tcase, newer_abi);
    tcase_add_test(tcase, other_name);
    tcase_add_test(tcase, no_elf);
    tcase_add_test(tcase, folder_of_that_name);
    tcase_add_test(tcase, truncated);
    tcase_add_test(tcase, spoilt_headers);
    tcase_add_test(tcase, fuzzed_headers);
    tcase_add_test(tcase, bad_then_good);
    suite_add_tcase(suite, tcase);
    return suite;
}
