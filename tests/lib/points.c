/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* points.c - see points.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "lib/points.h"

static char trace_path[] = "/tmp/weir-points.XXXXXX";

void points_trace(void)
{
    int fd;

    strcpy(strrchr(trace_path, '.'), ".XXXXXX");
    fd = mkstemp(trace_path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(setenv("WEIR_FAULT_TRACE", trace_path, 1), 0);
}

bool points_has(const struct points *points, const char *name)
{
    unsigned i = 0;

    while (i < points->count && strcmp(points->at[i], name) != 0)
        i++;
    return i < points->count;
}

void points_read(struct points *points)
{
    FILE *file = fopen(trace_path, "r");
    char line[POINT_ROOM];

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (points_has(points, line))
            continue;
        ck_assert_uint_lt(points->count, POINTS_MOST);
        strcpy(points->at[points->count++], line);
    }
    fclose(file);
    unlink(trace_path);
    unsetenv("WEIR_FAULT_TRACE");
}

void points_listed(struct points *points, const char *test)
{
    FILE *file = fopen(TEST_SRCDIR "/tests/crash/points.list", "r");
    char line[256], name[POINT_ROOM], of[128];

    points->count = 0;
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL &&
           points->count < POINTS_MOST)
        if (line[0] != '#' && sscanf(line, "%63s %127s", name, of) == 2 &&
            strcmp(of, test) == 0)
            strcpy(points->at[points->count++], name);
    fclose(file);
}

bool points_lack(const struct points *points, const char *test, char *name_out)
{
    struct points listed;

    points_listed(&listed, test);
    ck_assert_uint_gt(listed.count, 0);
    for (unsigned i = 0; i < listed.count; i++)
        if (!points_has(points, listed.at[i])) {
            strcpy(name_out, listed.at[i]);
            return true;
        }
    return false;
}

void points_expect(const struct points *points, const char *test)
{
    char name[POINT_ROOM];

    ck_assert_msg(!points_lack(points, test, name), "nobody passes %s", name);
}
