/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suites.h - what the unit tests share: the main of a room, and a fixture that
 * sees processes that a test has left behind.
 *
 *     int main(void)
 *     {
 *         static Suite *(*const suites[])(void) = {
 *             buf_suite, map_suite, NULL,
 *         };
 *         return suites_main(suites);
 *     }
 *
 * A case whose tests fork has children_setup and children_teardown as a
 * checked fixture: tcase_add_checked_fixture(c, children_setup,
 * children_teardown).
 */
#ifndef LIB_SUITES_H
#define LIB_SUITES_H

#include <check.h>

/* Whether the address sanitizer is there, which maps more than any limit and
 * ends the program at some calls that would only fail. */
#if defined __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined __has_feature
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

/*
 * Runs all suites of the list, which ends with NULL; CK_RUN_SUITE, CK_RUN_CASE
 * and the tags choose some. Under a debugger no test forks. Returns the exit
 * status of main: 0 only when a test ran and none failed. Check alone calls a
 * misspelt suite a success.
 */
int suites_main(Suite *(*const suites[])(void));
/* Says that none of them can run here, and why; the status of main. */
int suites_skip(const char *why);

/* In the test's process, before and after it. The teardown fails the test
 * when a child, or a child's child that lost its parent, is still there: one
 * that did not end within 5 seconds is killed and named. Check alone kills
 * what is in the test's process group and says nothing. */
void children_setup(void);
void children_teardown(void);

#endif
