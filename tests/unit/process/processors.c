/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* processors.c - core/process/processors.c, over trees that look like /proc
 * and /sys/fs/cgroup of machines and containers. */
#include "config.h"

#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "watch.h"

static char root[64];

static int remove_one(const char *path, const struct stat *stat, int type,
                      struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void setup(void)
{
    strcpy(root, "/tmp/weir-processors-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void teardown(void)
{
    ck_assert_int_eq(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Writes a file and makes the folders that it needs. */
static void put(const char *path, const char *text)
{
    char full[512];
    int fd;

    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(full, 0755);
        *at = '/';
    }
    fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_all(fd, text, strlen(text)), 0);
    close(fd);
}

#define MOUNTS_V2                                                              \
    "21 1 0:20 / /proc rw - proc proc rw\n"                                    \
    "30 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup rw\n"

static void put_v2(const char *group)
{
    put("/proc/self/mountinfo", MOUNTS_V2);
    put("/proc/self/cgroup", group);
}

START_TEST(v2)
{
    static const struct {
        const char *text;
        unsigned want;
    } rows[] = {
        { "max 100000\n", 0 },
        { "100000 100000\n", 1 },
        { "150000 100000\n", 2 },
        { "1000 100000\n", 1 },
        { "400000 100000\n", 4 },
        { "400001 100000\n", 5 },
        { "", 0 },
        { "garbage\n", 0 },
        { "100000\n", 0 },
        { "100000 0\n", 0 },
        { "-5 100000\n", 0 },
        { "9223372036854775807 1\n", 0 },
        { "200000 50000 x y\n", 4 },
    };

    put_v2("0::/a.slice/b.scope\n");
    put("/sys/fs/cgroup/a.slice/b.scope/cpu.max", rows[_i].text);
    ck_assert_uint_eq(processors_quota(root), rows[_i].want);
}
END_TEST

START_TEST(least_of_all_ancestors)
{
    put_v2("0::/a/b/c\n");
    put("/sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    ck_assert_uint_eq(processors_quota(root), 8);
    put("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    ck_assert_uint_eq(processors_quota(root), 3);
    put("/sys/fs/cgroup/cpu.max", "250000 100000\n");
    ck_assert_uint_eq(processors_quota(root), 3);
    put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    ck_assert_uint_eq(processors_quota(root), 2);
    /* Above the mount there is nothing to ask. */
    put("/sys/fs/cpu.max", "100000 100000\n");
    ck_assert_uint_eq(processors_quota(root), 2);
}
END_TEST

START_TEST(v1)
{
    put("/proc/self/mountinfo",
        "31 1 0:27 / /cg/set rw - cgroup cgroup rw,cpuset\n"
        "32 1 0:28 / /cg/my\\040cpu rw shared:7 master:1 - cgroup cgroup "
        "rw,cpuacct,cpu\n");
    put("/proc/self/cgroup", "7:cpuset:/no\n5:cpuacct,cpu:/x:y\n0::/z\n");
    put("/cg/my cpu/x:y/cpu.cfs_quota_us", "-1\n");
    put("/cg/my cpu/x:y/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(processors_quota(root), 0);
    put("/cg/my cpu/x:y/cpu.cfs_quota_us", "250000\n");
    ck_assert_uint_eq(processors_quota(root), 3);
    put("/cg/my cpu/cpu.cfs_quota_us", "100000\n");
    put("/cg/my cpu/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(processors_quota(root), 1);
}
END_TEST

/* A container without a cgroup namespace: the mount shows its own cgroup. */
START_TEST(container)
{
    put("/proc/self/mountinfo",
        "32 1 0:28 /docker/abc /cg/cpu ro - cgroup cgroup rw,cpu\n");
    put("/proc/self/cgroup", "5:cpu:/docker/abc\n");
    put("/cg/cpu/cpu.cfs_quota_us", "200000\n");
    put("/cg/cpu/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(processors_quota(root), 2);
    put("/proc/self/cgroup", "5:cpu:/docker/abcdef\n");
    ck_assert_uint_eq(processors_quota(root), 2);
    put("/proc/self/cgroup", "5:cpu:/docker/abc/in\n");
    put("/cg/cpu/in/cpu.cfs_quota_us", "50000\n");
    put("/cg/cpu/in/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(processors_quota(root), 1);
}
END_TEST

START_TEST(both)
{
    put("/proc/self/mountinfo",
        MOUNTS_V2 "32 1 0:28 / /cg/cpu rw - cgroup cgroup rw,cpu\n");
    put("/proc/self/cgroup", "5:cpu:/\n0::/\n");
    put("/cg/cpu/cpu.cfs_quota_us", "200000\n");
    put("/cg/cpu/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu.max", "700000 100000\n");
    ck_assert_uint_eq(processors_quota(root), 2);
    put("/cg/cpu/cpu.cfs_quota_us", "900000\n");
    ck_assert_uint_eq(processors_quota(root), 7);
}
END_TEST

START_TEST(nothing_there)
{
    ck_assert_uint_eq(processors_quota(root), 0);
    put("/proc/self/mountinfo", "short line\n- - - - - -\n\n");
    put("/proc/self/cgroup", "no colon\n:\n::\n0:\n");
    ck_assert_uint_eq(processors_quota(root), 0);
}
END_TEST

START_TEST(affinity)
{
    unsigned before = processors_usable();
    cpu_set_t all, one;

    ck_assert_uint_ge(before, 1);
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    ck_assert_uint_le(before, (unsigned)CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_uint_eq(processors_usable(), 1);
}
END_TEST

Suite *processors_suite(void)
{
    Suite *suite = suite_create("processors");
    TCase *tcase = tcase_create("usable");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, v2, 0, 13);
    tcase_add_test(tcase, least_of_all_ancestors);
    tcase_add_test(tcase, v1);
    tcase_add_test(tcase, container);
    tcase_add_test(tcase, both);
    tcase_add_test(tcase, nothing_there);
    tcase_add_test(tcase, affinity);
    suite_add_tcase(suite, tcase);
    return suite;
}
