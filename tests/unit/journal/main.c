/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - the suites of core/journal. */
#include "config.h"

#include "suites.h"

int main(void)
{
    static Suite *(*const suites[])(void) = {
        folder_suite, facts_suite,
#ifdef HAVE_SQLITE
        db_suite,     record_suite,
#endif
        NULL,
    };

    return suites_main(suites);
}
