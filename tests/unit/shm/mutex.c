/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mutex.c - core/shm/mutex.c: the public mutex, and who dies with it. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <weir/mutex.h>

#include "actor.h"

enum { WORKERS = 4, TURNS = 20000 };

static struct place {
    weir_mutex mutex;
    _Atomic uint32_t held;
    uint32_t sum; /* guarded */
} * place;

static void setup(void)
{
    place = shared(sizeof *place);
    ck_assert_int_eq(weir_mutex_init(&place->mutex), 0);
}

static int count(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++) {
        if (weir_mutex_lock(&place->mutex, FOREVER) != 0)
            return 1;
        place->sum++;
        if (weir_mutex_unlock(&place->mutex) != 0)
            return 1;
    }
    return 0;
}

START_TEST(d7_mutex_excludes)
{
    pid_t pids[WORKERS];

    for (int i = 0; i < WORKERS; i++)
        pids[i] = actor(count, NULL, NULL);
    for (int i = 0; i < WORKERS; i++)
        returned(pids[i], 0);
    ck_assert_uint_eq(place->sum, WORKERS * TURNS);
}
END_TEST

static int hold(void *arg)
{
    (void)arg;
    if (weir_mutex_lock(&place->mutex, FOREVER) < 0)
        return 1;
    atomic_fetch_add(&place->held, 1);
    for (;;)
        pause();
}

static pid_t holder(uint32_t held)
{
    pid_t pid = actor(hold, NULL, NULL);

    ck_assert(becomes(&place->held, held));
    return pid;
}

/* The death is told once to who comes next, and once more when that one dies,
 * too; then it is a mutex as any. */
START_TEST(d7_mutex_tells_who_died)
{
    pid_t pid = holder(1);

    kill(pid, SIGKILL);
    killed(pid);
    pid = holder(2); /* was told, and dies in the repair */
    kill(pid, SIGKILL);
    killed(pid);
    ck_assert_int_eq(weir_mutex_lock(&place->mutex, FOREVER), WEIR_MUTEX_DIED);
    ck_assert_int_eq(weir_mutex_unlock(&place->mutex), 0);
    ck_assert_int_eq(weir_mutex_lock(&place->mutex, 0), 0);
    ck_assert_int_eq(weir_mutex_unlock(&place->mutex), 0);
}
END_TEST

static int wait_for_it(void *arg)
{
    (void)arg;
    return weir_mutex_lock(&place->mutex, FOREVER);
}

/* Who sleeps for it is woken by the death. */
START_TEST(d7_mutex_wakes_at_a_death)
{
    pid_t held = holder(1), waits = actor(wait_for_it, NULL, NULL);

    ck_assert(falls_asleep(waits));
    kill(held, SIGKILL);
    killed(held);
    returned(waits, WEIR_MUTEX_DIED);
}
END_TEST

START_TEST(d7_mutex_waits_no_longer)
{
    pid_t pid = holder(1);

    ck_assert_int_eq(weir_mutex_lock(&place->mutex, 0), -EBUSY);
    ck_assert_int_eq(weir_mutex_lock(&place->mutex, NS_PER_MS), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_mutex_unlock(&place->mutex), WEIR_ESTATE);
    kill(pid, SIGKILL);
    killed(pid);
}
END_TEST

START_TEST(d7_mutex_misuse)
{
    weir_mutex blank = { 0 };

    ck_assert_int_eq(weir_mutex_init(NULL), WEIR_EINVAL);
    ck_assert_int_eq(weir_mutex_lock(NULL, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_mutex_lock(&blank, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_mutex_unlock(&blank), WEIR_EINVAL);
    ck_assert_int_eq(weir_mutex_lock(&place->mutex, -1), WEIR_EINVAL);
    ck_assert_int_eq(weir_mutex_unlock(&place->mutex), WEIR_ESTATE);
    ck_assert_int_eq(weir_mutex_lock(&place->mutex, FOREVER), 0);
    ck_assert_int_eq(weir_mutex_lock(&place->mutex, FOREVER), WEIR_ESTATE);
    ck_assert_int_eq(weir_mutex_unlock(&place->mutex), 0);
    ck_assert_int_eq(weir_mutex_unlock(&place->mutex), WEIR_ESTATE);
}
END_TEST

Suite *mutex_suite(void)
{
    Suite *suite = suite_create("mutex");
    TCase *tcase = tcase_create("mutex");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, d7_mutex_excludes);
    tcase_add_test(tcase, d7_mutex_tells_who_died);
    tcase_add_test(tcase, d7_mutex_wakes_at_a_death);
    tcase_add_test(tcase, d7_mutex_waits_no_longer);
    tcase_add_test(tcase, d7_mutex_misuse);
    suite_add_tcase(suite, tcase);
    return suite;
}
