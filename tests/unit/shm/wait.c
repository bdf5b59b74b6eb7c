/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wait.c - core/shm/wait.c: sleeping on a word, and waking who sleeps. */
#include "config.h"

#include <signal.h>

#include "actor.h"

static _Atomic uint32_t *park;

static void setup(void)
{
    children_setup();
    park = shared(sizeof *park);
}

static int sleep_for_ever(void *arg)
{
    struct spin spin = { 0 };

    (void)arg;
    park_announce(park);
    return park_sleep(park, FOREVER, &spin) == 0 ? 0 : 1;
}

static int sleep_until(void *arg)
{
    struct spin spin = { 0 };
    int64_t *deadline = arg;

    park_announce(park);
    return park_sleep(park, *deadline, &spin) == 0 ? 0 : 1;
}

static int wake(void *arg)
{
    (void)arg;
    park_wake(park);
    return 0;
}

START_TEST(token_before_sleep)
{
    struct spin spin = { 0 };

    park_announce(park);
    park_wake(park);
    ck_assert_int_eq(park_sleep(park, FOREVER, &spin), 0);
    ck_assert_uint_eq(*park, PARK_NONE);
}
END_TEST

START_TEST(token_at_the_deadline)
{
    struct spin spin = { 0 };

    park_announce(park);
    park_wake(park);
    ck_assert_int_eq(park_sleep(park, 1, &spin), 0);
}
END_TEST

/* What the token stood for shows in the tests that follow. */
START_TEST(token_before_announcing)
{
    struct spin spin = { 0 };

    park_wake(park);
    park_announce(park);
    ck_assert_uint_eq(*park, PARK_WAITING);
    ck_assert_int_eq(park_sleep(park, 1, &spin), WEIR_ETIMEDOUT);
    ck_assert_uint_eq(*park, PARK_NONE);
}
END_TEST

START_TEST(not_after_all)
{
    park_announce(park);
    park_clear(park);
    ck_assert_uint_eq(*park, PARK_NONE);
}
END_TEST

START_TEST(the_deadline)
{
    struct spin spin = { 0 };
    int64_t until = clock_deadline(2 * NS_PER_MS);

    park_announce(park);
    ck_assert_int_eq(park_sleep(park, until, &spin), WEIR_ETIMEDOUT);
    ck_assert_int_eq(clock_left(until), 0);
    ck_assert_uint_eq(*park, PARK_NONE);
}
END_TEST

START_TEST(across_processes)
{
    pid_t sleeper = actor(sleep_for_ever, NULL, NULL);

    ck_assert(becomes(park, PARK_ASLEEP));
    park_wake(park);
    returned(sleeper, 0);
    ck_assert_uint_eq(*park, PARK_NONE);
}
END_TEST

START_TEST(with_a_deadline)
{
    int64_t deadline = soon();
    pid_t sleeper = actor(sleep_until, &deadline, NULL);

    ck_assert(becomes(park, PARK_ASLEEP));
    park_wake(park);
    returned(sleeper, 0);
}
END_TEST

/* Woken between the swap and the sleep: the kernel sees that the word has
 * changed. */
START_TEST(token_before_the_kernel)
{
    pid_t sleeper = actor(sleep_for_ever, NULL, "wait.sleep:1:stop");

    stopped(sleeper);
    ck_assert_uint_eq(*park, PARK_ASLEEP);
    park_wake(park);
    kill(sleeper, SIGCONT);
    returned(sleeper, 0);
}
END_TEST

/* A stop and a signal end no sleep. */
START_TEST(stopped_and_continued)
{
    pid_t sleeper = actor(sleep_for_ever, NULL, NULL);

    ck_assert(becomes(park, PARK_ASLEEP));
    ck_assert(falls_asleep(sleeper));
    kill(sleeper, SIGSTOP);
    stopped(sleeper);
    kill(sleeper, SIGCONT);
    ck_assert(falls_asleep(sleeper));
    ck_assert_uint_eq(*park, PARK_ASLEEP);
    park_wake(park);
    returned(sleeper, 0);
}
END_TEST

START_TEST(dead_waker)
{
    pid_t sleeper = actor(sleep_for_ever, NULL, NULL);

    ck_assert(becomes(park, PARK_ASLEEP));
    ck_assert(falls_asleep(sleeper));
    killed(actor(wake, NULL, "wait.wake:1:kill"));
    ck_assert_uint_eq(*park, PARK_TOKEN);
    park_wake(park); /* as recovery does */
    returned(sleeper, 0);
}
END_TEST

/* The place of one who died asleep is used again. */
START_TEST(dead_sleeper)
{
    pid_t sleeper = actor(sleep_for_ever, NULL, NULL);
    struct spin spin = { 0 };

    ck_assert(becomes(park, PARK_ASLEEP));
    kill(sleeper, SIGKILL);
    killed(sleeper);
    park_announce(park);
    ck_assert_int_eq(park_sleep(park, 1, &spin), WEIR_ETIMEDOUT);
    sleeper = actor(sleep_for_ever, NULL, NULL);
    ck_assert(becomes(park, PARK_ASLEEP));
    park_wake(park);
    returned(sleeper, 0);
}
END_TEST

/* Two that wake each other, many times: a lost token is a hang. */
struct pair {
    _Atomic uint32_t park[2];
    _Atomic uint32_t ball;
};

enum { ROUNDS = 20000 };

static void play(struct pair *pair, uint32_t me)
{
    struct spin spin = { 0 };

    for (uint32_t i = me; i < ROUNDS; i += 2) {
        for (;;) {
            park_announce(&pair->park[me]);
            if (atomic_load(&pair->ball) == i)
                break;
            park_sleep(&pair->park[me], FOREVER, &spin);
        }
        park_clear(&pair->park[me]);
        atomic_store(&pair->ball, i + 1);
        park_wake(&pair->park[1 - me]);
    }
}

static int play_second(void *arg)
{
    play(arg, 1);
    return 0;
}

START_TEST(ping_pong)
{
    struct pair *pair = shared(sizeof *pair);
    pid_t other = actor(play_second, pair, NULL);

    play(pair, 0);
    returned(other, 0);
    ck_assert_uint_eq(pair->ball, ROUNDS);
}
END_TEST

Suite *wait_suite(void)
{
    Suite *suite = suite_create("wait");
    TCase *alone = tcase_create("alone");
    TCase *others = tcase_create("others");

    tcase_add_checked_fixture(alone, setup, NULL);
    tcase_add_test(alone, token_before_sleep);
    tcase_add_test(alone, token_at_the_deadline);
    tcase_add_test(alone, token_before_announcing);
    tcase_add_test(alone, not_after_all);
    tcase_add_test(alone, the_deadline);
    suite_add_tcase(suite, alone);
    tcase_add_checked_fixture(others, setup, children_teardown);
    tcase_set_timeout(others, 60);
    tcase_add_test(others, across_processes);
    tcase_add_test(others, with_a_deadline);
    tcase_add_test(others, token_before_the_kernel);
    tcase_add_test(others, stopped_and_continued);
    tcase_add_test(others, dead_waker);
    tcase_add_test(others, dead_sleeper);
    tcase_add_test(others, ping_pong);
    suite_add_tcase(suite, others);
    return suite;
}
