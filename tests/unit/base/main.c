/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - the suites of core/base. */
#include "config.h"

#include "base.h"

int main(void)
{
    static Suite *(*const suites[])(void) = {
        error_suite, buf_suite,      vec_suite,    map_suite,  utf8_suite,
        cells_suite, text_suite,     number_suite, unit_suite, human_suite,
        json_suite,  log_suite,      clock_suite,  fd_suite,   fault_suite,
        stat_suite,  identity_suite, NULL,
    };

    return suites_main(suites);
}
