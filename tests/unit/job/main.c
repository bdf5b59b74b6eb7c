/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - the suites of core/job. */
#include "config.h"

#include "house.h"

int main(void)
{
    static Suite *(*const suites[])(void) = {
        digraph_suite, diag_suite,   yaml_suite, schema_suite,
#ifdef TEST_PLUGINS
        job_suite,     corpus_suite, draw_suite, load_suite,   memory_suite,
#endif
        NULL,
    };

    return suites_main(suites);
}
