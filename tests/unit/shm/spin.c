/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spin.c - core/shm/spin.c: whether it pays to wait awake. */
#include "config.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"

static bool always(const void *arg)
{
    (void)arg;
    return true;
}

static bool never(const void *arg)
{
    (void)arg;
    return false;
}

static bool several(void)
{
    return processors_usable() > 1;
}

/* Waits, all in vain; how many of them began awake? */
static unsigned in_vain(struct spin *spin, unsigned waits)
{
    unsigned awake = 0;

    for (unsigned i = 0; i < waits; i++) {
        if (!spin_pays(spin))
            continue;
        awake++;
        ck_assert(!spin_until(spin, FOREVER, never, NULL));
    }
    return awake;
}

START_TEST(short_waits)
{
    struct spin spin = { 0 };

    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(spin_pays(&spin), several());
        ck_assert(spin_until(&spin, FOREVER, always, NULL));
        spin_waited(&spin, NS_PER_US);
    }
}
END_TEST

/* Long ones are spent asleep, until short ones come again. */
START_TEST(long_waits)
{
    struct spin spin = { 0 };
    unsigned asleep = 0;

    for (unsigned i = 0; i < 3; i++)
        spin_waited(&spin, NS_PER_S);
    ck_assert(!spin_pays(&spin));
    for (; asleep < 100 && several() && !spin_pays(&spin); asleep++)
        spin_waited(&spin, 10 * NS_PER_US);
    ck_assert_uint_lt(asleep, 20);
}
END_TEST

START_TEST(on_one_processor)
{
    struct spin spin = { 0 };

    if (!several())
        ck_assert_uint_eq(in_vain(&spin, 100), 0);
}
END_TEST

/* Where nothing comes although waits are short, it is not tried again and
 * again; and one that is rewarded makes up for all. */
START_TEST(misses)
{
    struct spin spin = { 0 };

    ck_assert_uint_le(in_vain(&spin, 1000), 15);
    if (!several())
        return;
    while (!spin_pays(&spin))
        ;
    ck_assert(spin_until(&spin, FOREVER, always, NULL));
    for (unsigned i = 0; i < 100; i++) {
        ck_assert(spin_pays(&spin));
        ck_assert(spin_until(&spin, FOREVER, always, NULL));
    }
}
END_TEST

/* What can come at any time is looked for at least once. */
START_TEST(the_deadline)
{
    struct spin spin = { 0 };

    spin_waited(&spin, 20 * NS_PER_US);
    ck_assert(!spin_until(&spin, clock_now() - 1, never, NULL));
    ck_assert(spin_until(&spin, FOREVER, always, NULL));
}
END_TEST

/* On one processor of those that it may use. */
static int prepare_on_one(void)
{
    int here = sched_getcpu();
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET((size_t)here, &one);
    if (here < 0 || sched_setaffinity(0, sizeof one, &one) != 0 ||
        spin_is_vain())
        return 1;
    spin_prepare();
    return spin_is_vain() ? 0 : 2;
}

START_TEST(known_before_it_pays)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(prepare_on_one());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

Suite *spin_suite(void)
{
    Suite *suite = suite_create("spin");
    TCase *tcase = tcase_create("spin");

    tcase_add_test(tcase, short_waits);
    tcase_add_test(tcase, long_waits);
    tcase_add_test(tcase, on_one_processor);
    tcase_add_test(tcase, misses);
    tcase_add_test(tcase, the_deadline);
    tcase_add_test(tcase, known_before_it_pays);
    suite_add_tcase(suite, tcase);
    return suite;
}
