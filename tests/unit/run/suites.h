/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* suites.h - the suites of core/run; main.c runs them all. */
#ifndef TESTS_UNIT_RUN_SUITES_H
#define TESTS_UNIT_RUN_SUITES_H

#include "lib/suites.h"

Suite *backoff_suite(void);
Suite *brim_suite(void);
Suite *failed_store_suite(void);
Suite *failure_suite(void);
Suite *follow_suite(void);
Suite *give_suite(void);
Suite *guard_suite(void);
Suite *halt_suite(void);
Suite *inline_ends_suite(void);
Suite *inline_item_suite(void);
Suite *inline_task_suite(void);
Suite *kept_suite(void);
Suite *last_words_suite(void);
Suite *news_suite(void);
Suite *overflow_suite(void);
Suite *plan_suite(void);
Suite *post_suite(void);
Suite *report_suite(void);
Suite *settle_suite(void);
Suite *source_suite(void);
Suite *torture_suite(void);
Suite *turns_suite(void);
Suite *wrote_suite(void);

#endif
