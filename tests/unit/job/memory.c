/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.c - no memory is an answer. Each allocation of this process fails
 * once, in turn; what the nursery takes does not count. Under a sanitizer or
 * valgrind, which have an allocator of their own, none fails.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "house.h"

#if defined __SANITIZE_ADDRESS__
#define OWN_ALLOCATOR 0
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define OWN_ALLOCATOR 0
#endif
#endif
#ifndef OWN_ALLOCATOR
#define OWN_ALLOCATOR 1
#endif

/* The allocation that is to fail, counted down; 0: none. */
static long left;
static pid_t whose;

#if OWN_ALLOCATOR
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool fails(void)
{
    if (left == 0 || --left > 0 || getpid() != whose)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}
#endif

static const char text[] =
    "weir: 1\n"
    "job: x\n"
    "description: \"a ${v}\"\n"
    "vars: { v: { default: y, description: z } }\n"
    "plugins: [.]\n"
    "queues: { a: , b: { bytes: 2 MiB }, c: }\n"
    "defaults: { workers: 2 }\n"
    "stages:\n"
    "  - { name: s, task: sample.make, with: { paths: [a, b] }, to: a }\n"
    "  - { name: p, task: sample.split, from: a, failed: c,\n"
    "      to: { long: { copy: [b, drop] }, short: b } }\n"
    "  - { name: t, task: sample.take, with: { path: \"${v}\" },\n"
    "      from: [b, c] }\n"
    "  - { name: u, task: sample.make, to: stdout, after: [t] }\n";

static const char wrong[] =
    "vars: { w: , x: { type: uint, default: y } }\n"
    "zebra: 1\n"
    "stages:\n"
    "  - { name: s, task: sample.make, with: { cuont: 1 }, to: none }\n"
    "  - { name: t, task: smaple.make, frmo: \"${v}\", after: s }\n";

/* Every allocation, or each third; the answer is there, or it is ENOMEM. */
static void fail_each(const char *job, int answer)
{
    long step = getenv("WEIR_LONG") ? 1 : 3;
    bool failed;
    char path[128];

    if (!house_forks()) /* the other allocator is valgrind's */
        return;
    house_open(job); /* writes the file, warms up */
    snprintf(path, sizeof path, "%s", house.options.file);
    house.options.file = path;
    whose = getpid();
    for (long i = 1; i < 20000; i += step) {
        struct diags diags = { 0 };
        struct job *made = NULL;
        weir_error err = { 0 };
        int code;

        left = i;
        code = job_open(&house.options, &made, &diags, NULL, NULL, &err);
        failed = left == 0;
        left = 0;
        if (code != WEIR_ENOMEM) {
            ck_assert_msg(!failed || code == WEIR_EJOB || code == answer,
                          "allocation %ld: %d: %s", i, code, err.text);
            ck_assert_msg(made != NULL, "allocation %ld: %d: %s", i, code,
                          err.text);
        }
        diags_done(&diags);
        job_free(&made);
        if (!failed) {
            ck_assert_int_eq(code, answer);
            return;
        }
    }
    ck_abort_msg("it never came to an end");
}

START_TEST(memory_fails)
{
    fail_each(text, 0);
}
END_TEST

START_TEST(memory_fails_in_mistakes)
{
    fail_each(wrong, WEIR_EJOB);
}
END_TEST

#if OWN_ALLOCATOR
/* check works in little address space, with 100,000 lines, too. */
START_TEST(memory_little)
{
    struct rlimit limit = { 400 << 20, 400 << 20 };
    struct buf large = { 0 };

    buf_text(&large, text);
    for (int i = 0; i < 100000; i++)
        buf_printf(&large, "k%d: { a: [b, c], d: e }\n", i);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    ck_assert_int_eq(house_open(large.data), WEIR_EJOB);
    house_says("and 99900 more");
    buf_done(&large);
}
END_TEST
#endif

Suite *memory_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tcase = tcase_create("all");

    tcase_add_unchecked_fixture(tcase, house_setup, house_teardown);
    tcase_add_checked_fixture(tcase, house_begin, house_end);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, memory_fails);
    tcase_add_test(tcase, memory_fails_in_mistakes);
#if OWN_ALLOCATOR
    tcase_add_test(tcase, memory_little);
#endif
    suite_add_tcase(suite, tcase);
    return suite;
}
