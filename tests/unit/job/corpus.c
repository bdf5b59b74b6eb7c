/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * corpus.c - tests/data/jobs: one file for each mistake that a job file can
 * have, NAME.yaml, with all that is to be said of it in NAME.txt ("good" when
 * nothing is). A line "# set: NAME=VALUE" is a --set.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "house.h"

static struct dirent **files;
static int file_count;

static int is_job(const struct dirent *entry)
{
    const char *end = strrchr(entry->d_name, '.');

    return end && strcmp(end, ".yaml") == 0;
}

static void slurp(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_msg(fd >= 0, "there is no %s", path);
    ck_assert_int_eq(fd_slurp(fd, out, 64 << 20), 0);
    close(fd);
    buf_reserve(out, 0);
}

/* The --sets, cut out of @text. */
static void find_sets(char *text, const char **sets, size_t most)
{
    static const char mark[] = "# set: ";
    size_t count = 0;

    for (char *line = text; line && count + 1 < most;) {
        char *end = strchr(line, '\n');

        if (end)
            *end = '\0';
        if (strncmp(line, mark, sizeof mark - 1) == 0)
            sets[count++] = line + sizeof mark - 1;
        line = end ? end + 1 : NULL;
    }
    sets[count] = NULL;
}

START_TEST(corpus_file)
{
    char path[512], expected_path[512];
    struct buf text = { 0 }, expected = { 0 };
    const char *sets[8];
    char *dot;

    if (!house_forks() && strstr(files[_i]->d_name, "crash"))
        return;
    snprintf(path, sizeof path, "%s/%s", TEST_JOBS, files[_i]->d_name);
    snprintf(expected_path, sizeof expected_path, "%s", path);
    dot = strrchr(expected_path, '.');
    strcpy(dot, ".txt");
    slurp(path, &text);
    slurp(expected_path, &expected);
    find_sets(text.data, sets, 8);
    house.options.sets = sets;
    house_open_file(path);
    if (house.code == 0) {
        buf_text(&house.text, "good\n");
    } else {
        ck_assert_int_eq(house.code, WEIR_EJOB);
        buf_cut(&house.text, 0);
        house.diags.file = files[_i]->d_name;
        ck_assert_int_eq(diag_print(&house.diags, &house.text, false), 0);
    }
    ck_assert_msg(strcmp(house.text.data, expected.data) == 0,
                  "%s: said was\n%sand not\n%s", files[_i]->d_name,
                  house.text.data, expected.data);
    buf_done(&text);
    buf_done(&expected);
}
END_TEST

/* Each file has an answer, and there are not suddenly few of them. */
START_TEST(corpus_whole)
{
    ck_assert_int_gt(file_count, 150);
}
END_TEST

Suite *corpus_suite(void)
{
    Suite *suite = suite_create("corpus");
    TCase *tcase = tcase_create("mistakes");

    file_count = scandir(TEST_JOBS, &files, is_job, alphasort);
    tcase_add_unchecked_fixture(tcase, house_setup, house_teardown);
    tcase_add_checked_fixture(tcase, house_begin, house_end);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, corpus_whole);
    if (file_count > 0)
        tcase_add_loop_test(tcase, corpus_file, 0, file_count);
    suite_add_tcase(suite, tcase);
    return suite;
}
