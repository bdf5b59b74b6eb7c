/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* suites.h - the suites of core/journal, and a folder of its own for each
 * test. */
#ifndef TESTS_UNIT_JOURNAL_SUITES_H
#define TESTS_UNIT_JOURNAL_SUITES_H

#include "base/base.h"
#include "lib/suites.h"

/* A checked fixture: `scratch` is the folder's absolute path. */
extern char scratch[64];
void scratch_make(void);
void scratch_remove(void);
/* A path under it; the result is good for the next eight calls. */
const char *in_scratch(const char *name);
void write_file(const char *path, const char *text);

Suite *db_suite(void);
Suite *facts_suite(void);
Suite *folder_suite(void);
Suite *record_suite(void);

#endif
