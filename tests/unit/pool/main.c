/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - the suites of core/pool. */
#include "config.h"

#include "lib/suites.h"
#include "suites.h"

int main(void)
{
    static Suite *(*const suites[])(void) = {
        d0_suite,
        queue_suite,
        queue_death_suite,
        d3_suite,
        d5_suite,
        queue_place_suite,
        queue_watch_suite,
        named_suite,
        named_calls_suite,
        pool_suite,
        pool_map_suite,
        pool_imap_suite,
        pool_death_suite,
        pool_end_suite,
        pool_handle_suite,
        pool_notice_suite,
        pool_seats_suite,
        late_suite,
        pool_task_suite,
        pool_term_suite,
        pool_trace_suite,
        pool_watch_suite,
        pool_inline_suite,
        pool_pack_suite,
        NULL,
    };

    return suites_main(suites);
}
