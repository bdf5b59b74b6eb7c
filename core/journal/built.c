/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* built.c - whether this build has a store. Any process. */
#include "config.h"

#include "journal/journal.h"

bool journal_is_built(void)
{
#ifdef HAVE_SQLITE
    return true;
#else
    return false;
#endif
}
