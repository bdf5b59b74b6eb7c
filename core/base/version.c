/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* version.c - which version of the library this is. Any process. */
#include "config.h"

#include <weir/version.h>

const char *weir_version(void)
{
    return WEIR_VERSION;
}
