/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exit.c - core/process/exit.c: how a process ended, in words. */
#include "config.h"

#include <signal.h>
#include <sys/wait.h>

#include "watch.h"

static struct exit_record record_of(int status)
{
    struct rusage usage = { .ru_maxrss = 7 };

    return exit_from_wait(status, &usage);
}

START_TEST(statuses)
{
    struct exit_record record = record_of(W_EXITCODE(3, 0));
    char words[EXIT_WORDS];

    ck_assert(!record.signaled);
    ck_assert_int_eq(record.code, 3);
    ck_assert_int_eq(record.usage.ru_maxrss, 7);
    ck_assert_str_eq(exit_words(words, &record), "exited with status 3");
}
END_TEST

START_TEST(signals)
{
    struct exit_record record = record_of(W_EXITCODE(0, SIGSEGV));
    char words[EXIT_WORDS];

    ck_assert(record.signaled);
    ck_assert(!record.core);
    ck_assert_int_eq(record.code, SIGSEGV);
    ck_assert_str_eq(exit_words(words, &record), "killed by SIGSEGV");
    record = record_of(W_EXITCODE(0, SIGABRT) | WCOREFLAG);
    ck_assert_str_eq(exit_words(words, &record),
                     "killed by SIGABRT (memory was dumped)");
}
END_TEST

START_TEST(odd_ends)
{
    struct exit_record record = exit_lost();
    char words[EXIT_WORDS];

    ck_assert_str_eq(exit_words(words, &record),
                     "ended, its exit status was taken by others");
    record = record_of(W_EXITCODE(EXIT_REFUSED, 0));
    record.refused = true;
    record.returned = -2147483647 - 1;
    ck_assert_str_eq(exit_words(words, &record),
                     "returned -2147483648, which is no exit status "
                     "(0 to 255)");
}
END_TEST

Suite *exit_suite(void)
{
    Suite *suite = suite_create("exit");
    TCase *tcase = tcase_create("words");

    tcase_add_test(tcase, statuses);
    tcase_add_test(tcase, signals);
    tcase_add_test(tcase, odd_ends);
    suite_add_tcase(suite, tcase);
    return suite;
}
