/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - the suites of core/queue. */
#include "config.h"

#include "desk.h"
#include "lib/suites.h"

int main(void)
{
    static Suite *(*const suites[])(void) = {
        attrs_suite, segment_suite,  turn_suite,    room_suite,  direct_suite,
        sink_suite,  commit_suite,   recover_suite, order_suite, lanes_suite,
        wait_suite,  snapshot_suite, answer_suite,  NULL,
    };

    return suites_main(suites);
}
