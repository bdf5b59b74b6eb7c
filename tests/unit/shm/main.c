/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - the suites of core/shm. */
#include "config.h"

#include "actor.h"

int main(void)
{
    static Suite *(*const suites[])(void) = {
        spin_suite,  wait_suite,         lock_suite,
        mutex_suite, memory_suite,       available_suite,
        store_suite, store_deaths_suite, NULL,
    };

    return suites_main(suites);
}
