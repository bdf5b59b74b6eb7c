/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* torture.c - tests of core/run/torture_same.c: two runs, compared. That they
 * are run and killed is tested by tests/cli/torture.sh and
 * tests/crash/torture.sh. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/torture.h"
#include "suites.h"

static char base[32];
static struct job job;
static struct torture_sight sights[2];
static struct torture torture;
static struct torture_result want, got;
static char *found;

/* A stage `make` that gives to stdout, and a sink `keep`. */
static void setup(void)
{
    struct job_stage *stage;

    strcpy(base, "/tmp/weir-torture.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    memset(&job, 0, sizeof job);
    job.uses_stdout = true;
    stage = VEC_ADD(&job.stages);
    stage->name = (char *)"make";
    stage->plugin = (char *)"flow";
    stage->task = (char *)"pass";
    stage = VEC_ADD(&job.stages);
    stage->name = (char *)"keep";
    stage->plugin = (char *)"file";
    stage->task = (char *)"append";
    *VEC_ADD(&job.stage_order) = 0;
    *VEC_ADD(&job.stage_order) = 1;
    for (int i = 0; i < 2; i++)
        sights[i] = (struct torture_sight){ .settles = true, .gives = true };
    torture = (struct torture){ .job = &job, .sights = sights };
    for (int i = 0; i < 2; i++) {
        struct torture_result *result = i == 0 ? &want : &got;
        char path[96];

        *result = (struct torture_result){ .status = 0 };
        for (int k = 0; k < 2; k++)
            *VEC_ADD(&result->stages) = (struct torture_stage){
                .taken = 9, .done = 9, .given = 9, .digest = 7
            };
        ck_assert_int_ge(asprintf(&result->folder, "%s/%d", base, i), 0);
        ck_assert_int_eq(mkdir(result->folder, 0700), 0);
        snprintf(path, sizeof path, "%s/files-keep", result->folder);
        ck_assert_int_eq(mkdir(path, 0700), 0);
    }
    found = NULL;
}

static void teardown(void)
{
    char command[64];

    torture_result_done(&want);
    torture_result_done(&got);
    VEC_DONE(&job.stages);
    VEC_DONE(&job.stage_order);
    free(found);
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    ck_assert_int_eq(system(command), 0);
}

static void put(const struct torture_result *result, const char *name,
                const char *text)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/%s", result->folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_all(fd, text, strlen(text)), 0);
    close(fd);
}

static void both(const char *name, const char *a, const char *b)
{
    put(&want, name, a);
    put(&got, name, b);
}

static const char *compare(void)
{
    weir_error err = { 0 };

    free(found);
    found = NULL;
    ck_assert_msg(torture_same(&torture, &want, &got, &found, &err) == 0, "%s",
                  err.text);
    return found != NULL ? found : "";
}

START_TEST(lines_in_any_order)
{
    both("stdout", "a\nb\nb\n", "b\na\nb\n");
    ck_assert_str_eq(compare(), "");
    both("stdout", "a\nb\nb\n", "b\na\n");
    ck_assert_str_eq(compare(), "on standard output \"b\" is there 1 time, and "
                                "undisturbed 2 times");
    both("stdout", "a\n", "a\nc\n");
    ck_assert_str_eq(compare(), "on standard output \"c\" is there 1 time, and "
                                "undisturbed 0 times");
    both("stdout", "", "");
    ck_assert_str_eq(compare(), "");
    both("stdout", "a", "a\n"); /* of one line each */
    ck_assert_str_eq(compare(), "");
}
END_TEST

START_TEST(byte_for_byte)
{
    torture.ordered = true;
    both("stdout", "a\nb\n", "b\na\n");
    ck_assert_str_eq(compare(), "on standard output the same lines are there, "
                                "in another order");
    both("stdout", "a\nb\n", "a\nb\n");
    ck_assert_str_eq(compare(), "");
}
END_TEST

START_TEST(items_of_any_bytes)
{
    job.stdout_frame = FRAME_NUL;
    both("stdout", "a\nb", "a\nb");
    ck_assert_str_eq(compare(), "");
    both("stdout", "a\nb", "b\na");
    ck_assert_str_eq(compare(), "on standard output \"a\\nb\" is there 0 "
                                "times, and undisturbed 1 time");
}
END_TEST

START_TEST(files)
{
    both("stdout", "", "");
    both("files-keep/x", "a\nb\n", "b\na\n");
    ck_assert_str_eq(compare(), "");
    both("files-keep/x", "a\n", "b\n");
    ck_assert_str_eq(compare(), "in the file 'files-keep/x' \"a\" is there 0 "
                                "times, and undisturbed 1 time");
    both("files-keep/x", "", "");
    put(&want, "files-keep/y", "");
    ck_assert_str_eq(compare(), "the file 'files-keep/y' is not there");
    put(&got, "files-keep/y", "");
    put(&got, "files-keep/z", "");
    ck_assert_str_eq(compare(), "the file 'files-keep/z' is there, and "
                                "undisturbed not there");
}
END_TEST

START_TEST(left_by_who_was_killed)
{
    both("stdout", "", "");
    put(&got, "files-keep/.weir-0123456789abcdef", "half");
    ck_assert_str_eq(compare(), "");
}
END_TEST

START_TEST(whole_files_are_exact)
{
    job.stages.at[1].task = (char *)"write";
    both("stdout", "", "");
    both("files-keep/x", "a\nb\n", "b\na\n");
    ck_assert_str_eq(compare(), "in the file 'files-keep/x' the same lines are "
                                "there, in another order");
}
END_TEST

START_TEST(books)
{
    both("stdout", "", "");
    got.stages.at[1].digest++;
    ck_assert_str_eq(compare(),
                     "stage 'keep' gave other bytes than undisturbed");
    got.stages.at[0].given++;
    ck_assert_str_eq(compare(), "stage 'make' gave 10, and undisturbed 9");
    got.stages.at[0].failed = 2;
    *VEC_ADD(&got.failures) = strdup("'make': it is bad");
    got.status = 1;
    ck_assert_str_eq(compare(), "stage 'make' failed at 2, and undisturbed 0 "
                                "('make': it is bad)");
    got.status = 3;
    got.why = strdup("it broke");
    ck_assert_str_eq(compare(), "the run ends with status 3, and undisturbed "
                                "0: it broke");
}
END_TEST

/* Behind what gathers, and of it: only what comes out. */
START_TEST(what_is_not_looked_at)
{
    both("stdout", "a\n", "a\n");
    sights[0].gives = false;
    sights[1].settles = sights[1].gives = false;
    got.stages.at[0].given++;
    got.stages.at[0].digest++;
    got.stages.at[1].taken++;
    got.stages.at[1].digest++;
    ck_assert_str_eq(compare(), "");
    both("stdout", "a\n", "b\n");
    ck_assert_str_ne(compare(), "");
}
END_TEST

START_TEST(that_cannot_be_read)
{
    weir_error err = { 0 };

    put(&want, "stdout", "");
    ck_assert_int_lt(torture_same(&torture, &want, &got, &found, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot be compared"));
}
END_TEST

Suite *torture_suite(void)
{
    Suite *s = suite_create("torture");
    TCase *c = tcase_create("same");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, lines_in_any_order);
    tcase_add_test(c, byte_for_byte);
    tcase_add_test(c, items_of_any_bytes);
    tcase_add_test(c, files);
    tcase_add_test(c, left_by_who_was_killed);
    tcase_add_test(c, whole_files_are_exact);
    tcase_add_test(c, books);
    tcase_add_test(c, what_is_not_looked_at);
    tcase_add_test(c, that_cannot_be_read);
    suite_add_tcase(s, c);
    return s;
}
