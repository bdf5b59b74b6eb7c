/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* available.c - core/shm/available.c, kills.c: what the machine and the cgroups
 * leave, and whom they have killed for it, in a tree of files that stands for
 * /proc and /sys. */
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

static void setup(void)
{
    strcpy(root, "/tmp/weir-available.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    put("proc/self/mountinfo",
        "21 1 0:20 / /proc rw - proc proc rw\n"
        "30 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup rw\n"
        "31 1 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
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

/* Wherever it is mounted, alone or with others; in a container the mount is of
 * its own group. */
START_TEST(mounted_elsewhere)
{
    struct memory_kills seen, now;
    char name[64];

    machine("1048576");
    put("proc/self/mountinfo", "31 1 0:27 /docker/x /cg/my\\040own rw - cgroup "
                               "cg rw,hugetlb,memory\n");
    put("proc/self/cgroup", "4:hugetlb,memory:/docker/x/in\n0::/z\n");
    put("cg/my own/in/memory.limit_in_bytes", "104857600\n");
    put("cg/my own/in/memory.usage_in_bytes", "94371840\n");
    ck_assert_uint_eq(left(), 10 * MIB);
    put("cg/my own/memory.limit_in_bytes", "104857600\n");
    put("cg/my own/memory.usage_in_bytes", "99614720\n");
    ck_assert_uint_eq(left(), 5 * MIB);
    put("cg/my own/in/memory.oom_control", "under_oom 0\noom_kill 1\n");
    memory_kills_look_under(root, &seen);
    put("cg/my own/in/memory.oom_control", "under_oom 0\noom_kill 2\n");
    put("cg/my own/memory.failcnt", "1\n");
    memory_kills_look_under(root, &now);
    ck_assert_uint_eq(now.levels, 2);
    ck_assert_int_eq(memory_kills_judge(&seen, &now), 1);
    ck_assert(memory_group_under(root, 1, name, sizeof name));
    ck_assert_str_eq(name, "/docker/x");
}
END_TEST

/* A machine with many mounts; the one that is looked for is the last. */
START_TEST(many_mounts)
{
    char path[512];
    FILE *file;

    put("proc/self/cgroup", "0::/a\n");
    put("sys/fs/cgroup/a/memory.max", "4194304\n");
    put("sys/fs/cgroup/a/memory.current", "1048576\n");
    snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 40000; i++)
        fprintf(file, "%d 1 0:20 / /var/lib/pods/%d rw - tmpfs tmpfs rw\n", i,
                i);
    fprintf(file, "1 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
    ck_assert_int_gt(ftell(file), 1 << 20);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_uint_eq(left(), 3 * MIB);
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

/* --------------------------------------------------------------- kills ----
 */

static struct memory_kills look(void)
{
    struct memory_kills now;

    memory_kills_look_under(root, &now);
    return now;
}

START_TEST(kills_not_known)
{
    struct memory_kills seen = look(), now;

    ck_assert(!seen.has_machine && !seen.has_group);
    ck_assert_int_eq(memory_kills_judge(&seen, &seen), MEMORY_KILL_PERHAPS);
    /* The machine's counter alone says that somebody was, and once. */
    put("proc/vmstat", "pgfault 7\noom_kill 3\nballoon 1\n");
    seen = look();
    ck_assert_int_eq(memory_kills_judge(&seen, &seen), MEMORY_KILL_NOT);
    put("proc/vmstat", "pgfault 7\noom_kill 4\n");
    now = look();
    ck_assert_int_eq(memory_kills_judge(&seen, &now), MEMORY_KILL_PERHAPS);
    ck_assert_int_eq(memory_kills_judge(&seen, &now), MEMORY_KILL_NOT);
}
END_TEST

static void events(const char *group, unsigned oom, unsigned killed)
{
    char name[128], text[128];

    snprintf(name, sizeof name, "sys/fs/cgroup%s/memory.events", group);
    snprintf(text, sizeof text, "low 0\nhigh 5\nmax 90\noom %u\noom_kill %u\n",
             oom, killed);
    put(name, text);
}

START_TEST(kills_version_2)
{
    struct memory_kills seen, now;
    char name[64];

    put("proc/vmstat", "oom_kill 3\n");
    put("proc/self/cgroup", "3:cpu:/\n0::/user/run/it\n");
    events("/user", 1, 4);
    events("/user/run", 1, 4);
    events("/user/run/it", 0, 2);
    seen = look();
    ck_assert(seen.has_group && !seen.has_machine);
    /* Somebody else's does not count. */
    put("proc/vmstat", "oom_kill 4\n");
    now = look();
    ck_assert_int_eq(memory_kills_judge(&seen, &now), MEMORY_KILL_NOT);
    /* Two at the limit of the group above, which those above it count, too. */
    events("/user", 2, 6);
    events("/user/run", 2, 6);
    events("/user/run/it", 0, 4);
    now = look();
    ck_assert_int_eq(memory_kills_judge(&seen, &now), 1);
    ck_assert_int_eq(memory_kills_judge(&seen, &now), 1);
    ck_assert_int_eq(memory_kills_judge(&seen, &now), MEMORY_KILL_NOT);
    ck_assert(memory_group_under(root, 1, name, sizeof name));
    ck_assert_str_eq(name, "/user/run");
    /* At no group's limit: the machine's. */
    events("/user/run/it", 0, 5);
    now = look();
    ck_assert_int_eq(memory_kills_judge(&seen, &now), MEMORY_KILL_MACHINE);
    events("/user/run/it", 1, 6);
    now = look();
    ck_assert_int_eq(memory_kills_judge(&seen, &now), 0);
    ck_assert(memory_group_under(root, 0, name, sizeof name));
    ck_assert_str_eq(name, "/user/run/it");
    ck_assert(!memory_group_under(root, 4, name, sizeof name));
}
END_TEST

static int judge(struct memory_kills seen, const struct memory_kills *now)
{
    return memory_kills_judge(&seen, now);
}

START_TEST(kills_version_1)
{
    struct memory_kills seen, now;

    put("proc/self/cgroup", "4:memory:/docker/x\n0::/z\n");
    /* The path is that of the host; inside there is its own root only. */
    put("sys/fs/cgroup/memory/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    put("sys/fs/cgroup/memory/memory.failcnt", "17\n");
    seen = look();
    ck_assert_int_eq(memory_kills_judge(&seen, &seen), MEMORY_KILL_NOT);
    put("sys/fs/cgroup/memory/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    put("sys/fs/cgroup/memory/memory.failcnt", "29\n");
    now = look();
    ck_assert_int_eq(memory_kills_judge(&seen, &now), 2);
    ck_assert_int_eq(memory_kills_judge(&seen, &now), MEMORY_KILL_NOT);
    /* The limit of memory and swap together does not count. */
    put("sys/fs/cgroup/memory/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
    put("sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "4096000\n");
    put("sys/fs/cgroup/memory/memory.memsw.max_usage_in_bytes", "4095999\n");
    seen = now;
    now = look();
    ck_assert_int_eq(judge(seen, &now), MEMORY_KILL_MACHINE);
    put("sys/fs/cgroup/memory/memory.memsw.max_usage_in_bytes", "4096000\n");
    now = look();
    ck_assert_int_eq(memory_kills_judge(&seen, &now), 2);
    /* Kernels before 4.17 do not count. */
    put("sys/fs/cgroup/memory/memory.oom_control", "under_oom 0\n");
    ck_assert(!look().has_group);
    put("proc/vmstat", "oom_kill 3\n");
    ck_assert(look().has_machine);
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
    tcase_add_test(tcase, mounted_elsewhere);
    tcase_add_test(tcase, many_mounts);
    tcase_add_test(tcase, odd_paths);
    tcase_add_test(tcase, this_machine);
    tcase_add_test(tcase, kills_not_known);
    tcase_add_test(tcase, kills_version_2);
    tcase_add_test(tcase, kills_version_1);
    suite_add_tcase(suite, tcase);
    return suite;
}
