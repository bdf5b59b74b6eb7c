/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settle.c - tests of core/run/settle.c: files that belong to a commit. */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"

static char folder[] = "/tmp/weir-settle.XXXXXX";
static int first, second;

static int open_file(const char *name)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void setup(void)
{
    strcpy(strrchr(folder, '.'), ".XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    first = open_file("first");
    second = open_file("second");
}

static void teardown(void)
{
    char command[PATH_MAX + 16];

    close(first);
    close(second);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *content(int fd)
{
    static char text[256];
    ssize_t size = pread(fd, text, sizeof text - 1, 0);

    text[size > 0 ? size : 0] = '\0';
    return text;
}

/* Items: "1 x" to the first file, "2 x" to the second, "fail", "both". */
static int append(weir_call *call)
{
    weir_bytes in = weir_input(call);
    const char *text = in.data;
    int fd = text[0] == '2' ? second : first;
    int code = weir_append(call, fd, text, in.size);

    if (code == 0)
        code = weir_append(call, fd, "\n", 1);
    if (code == 0)
        code = weir_append(call, fd, "and so on;", 10);
    if (code == 0 && text[0] == 'b')
        ck_assert_int_eq(weir_append(call, second, "x", 1), WEIR_EINVAL);
    if (code == 0 && text[0] == 'f')
        return weir_fail(call, WEIR_PERMANENT, "no");
    return code;
}

static const weir_task appender = { .name = "append",
                                    .run = append,
                                    .outputs = "a b c d" };

START_TEST(appended_once)
{
    struct rig rig;

    rig_init(&rig, &appender, 8, 8);
    rig_put(&rig, "1 a", NULL);
    rig_put(&rig, "fail", NULL);
    rig_put(&rig, "2 b", NULL);
    rig_put(&rig, "1 c", NULL);
    rig_put(&rig, "both", NULL);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_str_eq(content(first), "1 a\nand so on;1 c\nand so on;both\nand "
                                     "so on;");
    ck_assert_str_eq(content(second), "2 b\nand so on;");
    ck_assert_uint_eq(rig_book(&rig)->failed, 1);
    rig_done(&rig);
}
END_TEST

static int dies(weir_call *call)
{
    weir_bytes in = weir_input(call);

    ck_assert_int_eq(weir_append(call, first, in.data, in.size), 0);
    return weir_attempt(call) == 1 ? weir_fail(call, WEIR_FATAL, "now") : 0;
}

static const weir_task mortal = { .name = "mortal",
                                  .run = dies,
                                  .outputs = "a b c d" };

START_TEST(not_committed_not_there)
{
    struct rig rig;

    rig_init(&rig, &mortal, 8, 8);
    rig_put(&rig, "x", NULL);
    ck_assert_int_eq(rig_work(&rig), WEIR_EFAILED);
    rig_kill(&rig, SIGKILL);
    ck_assert_str_eq(content(first), "");
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_str_eq(content(first), "x");
    rig_done(&rig);
}
END_TEST

static int renames(weir_call *call)
{
    char from[PATH_MAX], to[PATH_MAX];

    snprintf(from, sizeof from, "%s/first", folder);
    snprintf(to, sizeof to, "%s/final", folder);
    ck_assert_int_eq(weir_rename(call, from, to), 0);
    ck_assert_int_eq(access(to, F_OK), -1);
    return 0;
}

static const weir_task renamer = { .name = "rename",
                                   .run = renames,
                                   .outputs = "a b c d" };

START_TEST(renamed_by_the_commit)
{
    char path[PATH_MAX];
    struct rig rig;

    rig_init(&rig, &renamer, 8, 8);
    rig_put(&rig, "x", NULL);
    ck_assert_int_eq(rig_work(&rig), 0);
    snprintf(path, sizeof path, "%s/final", folder);
    ck_assert_int_eq(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/first", folder);
    ck_assert_int_eq(access(path, F_OK), -1);
    rig_done(&rig);
}
END_TEST

static int renames_nothing(weir_call *call)
{
    return weir_rename(call, "/nowhere/at/all", "/nowhere/else");
}

static const weir_task lost = { .name = "lost",
                                .run = renames_nothing,
                                .outputs = "a b c d" };

START_TEST(a_rename_that_fails_ends_the_run)
{
    struct rig rig;

    rig_init(&rig, &lost, 8, 8);
    rig_put(&rig, "x", NULL);
    ck_assert_int_eq(rig_work(&rig), WEIR_EFAILED);
    ck_assert_str_eq(rig.worker.host.why,
                     "cannot rename '/nowhere/at/all' to '/nowhere/else': No "
                     "such file or directory");
    rig_done(&rig);
}
END_TEST

Suite *settle_suite(void)
{
    Suite *s = suite_create("settle");
    TCase *c = tcase_create("settle");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, appended_once);
    tcase_add_test(c, not_committed_not_there);
    tcase_add_test(c, renamed_by_the_commit);
    tcase_add_test(c, a_rename_that_fails_ends_the_run);
    suite_add_tcase(s, c);
    return s;
}
