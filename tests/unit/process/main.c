/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - the suites of core/process. */
#include "config.h"

#include "lib/suites.h"
#include "watch.h"

int main(void)
{
    static Suite *(*const suites[])(void) = {
        exit_suite,       fork_suite,    nursery_suite, nursery_death_suite,
        processors_suite, context_suite, process_suite, d1_suite,
        d2_suite,         options_suite, owner_suite,   d8_suite,
        host_suite,       NULL,
    };

    return suites_main(suites);
}
