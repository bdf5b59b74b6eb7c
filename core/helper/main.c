/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - weir-helper: the helper of a program that had threads when it opened
 * its context. See process/late.h. */
#include "config.h"

#include <ltdl.h>

#include "process/late.h"

int main(int argc, char **argv)
{
    fault_start(NULL, -1);
    LTDL_SET_PRELOADED_SYMBOLS();
    return late_main(argc, argv, context_services);
}
