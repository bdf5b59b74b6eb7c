/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - the suites of core/plugin. */
#include "config.h"

#include <stdlib.h>

#include "lib/suites.h"
#include "scratch.h"

int main(void)
{
    static Suite *(*const suites[])(void) = {
        path_suite, trust_suite,  descriptor_suite, param_suite, bind_suite,
        desc_suite, expand_suite, builtin_suite,    vet_suite,
#ifdef TEST_PLUGINS /* a build without shared objects has none to load */
        load_suite,
#endif
        NULL,
    };

    unsetenv("WEIR_PLUGIN_PATH");
    return suites_main(suites);
}
