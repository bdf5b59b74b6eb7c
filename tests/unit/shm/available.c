/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* available.c - core/shm/available.c: what the machine and the cgroups leave,
 * in a tree of files that stands for /proc and /sys. */
#include "config.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actor.h"

#define MIB (UINT64_C(1) << 20)

static char root[64];

static void setup(void)
{
    strcpy(root, "/tmp/weir-available.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static int drop(const char *path, const struct stat *st, int type,
                struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void teardown(void)
{
    nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file of the tree, and makes the folders above it. */
static void put(const char *name, const char *text)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static uint64_t left(void)
{
    return memory_available_under(root);
}

static void machine(const char *kib)
{
    char text[256];

    snprintf(text, sizeof text,
             "MemTotal:       16384000 kB\nMemFree:          10000 kB\n"
             "MemAvailable:   %s kB\nBuffers:         1 kB\n",
             kib);
    put("proc/meminfo", text);
}

START_TEST(nothing_known)
{
    ck_assert_uint_eq(left(), UINT64_MAX);
    put("proc/meminfo", "MemTotal: 1 kB\n");
    ck_assert_uint_eq(left(), UINT64_MAX);
    put("proc/self/cgroup", "0::/\n");
    ck_assert_uint_eq(left(), UINT64_MAX);
}
END_TEST

START_TEST(machine_alone)
{
    machine("2048");
    ck_assert_uint_eq(left(), 2 * MIB);
    put("proc/self/cgroup", "0::/there/is/none\nthis is no line\n1:cpu\n");
    ck_assert_uint_eq(left(), 2 * MIB);
}
END_TEST

START_TEST(version_2)
{
    machine("1048576");
    put("proc/self/cgroup", "0::/a/b\n");
    put("sys/fs/cgroup/a/b/memory.max", "104857600\n");
    ck_assert_uint_eq(left(), 1024 * MIB); /* a limit without use is none */
    put("sys/fs/cgroup/a/b/memory.current", "52428800\n");
    ck_assert_uint_eq(left(), 50 * MIB);
    put("sys/fs/cgroup/a/b/memory.stat",
        "anon 1\ninactive_file 10485760\nactive_file 20971520\n"
        "inactive_anon 99999999\n");
    ck_assert_uint_eq(left(), 70 * MIB); /* all of one, half of the other */
    put("sys/fs/cgroup/a/b/memory.high", "94371840\n");
    ck_assert_uint_eq(left(), 60 * MIB);
    put("sys/fs/cgroup/a/b/memory.high", "max\n");
    ck_assert_uint_eq(left(), 70 * MIB);
    machine("1024");
    ck_assert_uint_eq(left(), MIB);
}
END_TEST

START_TEST(ancestors_count)
{
    machine("1048576");
    put("proc/self/cgroup", "0::/a/b\n");
    put("sys/fs/cgroup/a/b/memory.max", "max\n");
    put("sys/fs/cgroup/a/b/memory.current", "1048576\n");
    put("sys/fs/cgroup/a/memory.max", "5242880\n");
    put("sys/fs/cgroup/a/memory.current", "4194304\n");
    ck_assert_uint_eq(left(), MIB);
    put("sys/fs/cgroup/memory.max", "5242880\n");
    put("sys/fs/cgroup/memory.current", "5242880\n");
    ck_assert_uint_eq(left(), 0);
    put("sys/fs/cgroup/memory.current", "9999999\n");
    ck_assert_uint_eq(left(), 0);
}
END_TEST

START_TEST(version_1)
{
    machine("1048576");
    put("proc/self/cgroup", "4:memory:/docker/x\n3:cpu,cpuacct:/y\n0::/z\n");
    /* The path is that of the host; inside there is its own root only. */
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n");
    put("sys/fs/cgroup/memory/memory.usage_in_bytes", "94371840\n");
    ck_assert_uint_eq(left(), 10 * MIB);
    put("sys/fs/cgroup/memory/memory.stat",
        "cache 1\ntotal_inactive_file 5242880\ninactive_file 99999999\n");
    ck_assert_uint_eq(left(), 15 * MIB);
    put("sys/fs/cgroup/memory/memory.stat",
        "total_inactive_file 99999999999\n");
    ck_assert_uint_eq(left(), 100 * MIB);
    /* No limit is written as the largest number of pages. */
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    ck_assert_uint_eq(left(), 1024 * MIB);
}
END_TEST

START_TEST(odd_paths)
{
    char line[8192], wide[6000];

    machine("1024");
    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    snprintf(line, sizeof line, "0::/%s\n0::\n0::nowhere\n", wide);
    put("proc/self/cgroup", line);
    ck_assert_uint_eq(left(), MIB);
}
END_TEST

START_TEST(this_machine)
{
    ck_assert_uint_gt(memory_available(), 0);
}
END_TEST

Suite *available_suite(void)
{
    Suite *suite = suite_create("available");
    TCase *tcase = tcase_create("available");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_known);
    tcase_add_test(tcase, machine_alone);
    tcase_add_test(tcase, version_2);
    tcase_add_test(tcase, ancestors_count);
    tcase_add_test(tcase, version_1);
    tcase_add_test(tcase, odd_paths);
    tcase_add_test(tcase, this_machine);
    suite_add_tcase(suite, tcase);
    return suite;
}
