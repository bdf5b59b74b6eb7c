/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - the suites of core/run. The supervisor as a whole is tested from
 * outside, by the scripts tests/cli/run-*.sh and tests/crash/run-*.sh. */
#include "config.h"

#include "suites.h"

int main(void)
{
    static Suite *(*const suites[])(void) = {
        news_suite,        post_suite,         failure_suite,
        report_suite,      failed_store_suite, kept_suite,
        torture_suite,     plan_suite,         turns_suite,
        give_suite,        settle_suite,       source_suite,
        overflow_suite,    inline_ends_suite,  inline_item_suite,
        inline_task_suite, guard_suite,        brim_suite,
        backoff_suite,     halt_suite,         follow_suite,
        last_words_suite,  wrote_suite,        NULL,
    };

    return suites_main(suites);
}
