/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * builtin.c - plugins that are linked into the program (--disable-shared, or
 * where shared objects are not to be had). libtool writes a table of them
 * into the program, which hands it to libltdl by LTDL_SET_PRELOADED_SYMBOLS
 * before anything here is called. The table belongs to a program: one that
 * links libweir statically has none, and then nothing is found here.
 */
#include "config.h"

#include <ltdl.h>
#include <string.h>

#include "plugin/internal.h"

/* What the walk over the table is for; libltdl's callback has no argument,
 * and one thread is here. */
static struct walk {
    struct plugin_names *names; /* add each name here, or */
    const char *wanted;         /* look for this one */
    const void *symbol;
    int code;
} walk;

static int visit(lt_dlhandle handle)
{
    const lt_dlinfo *info = lt_dlgetinfo(handle);
    const char *file = info ? info->filename : NULL;
    const char *end = file ? strrchr(file, '.') : NULL;
    const void *symbol;
    size_t size;

    if (!end)
        return 0;
    size = (size_t)(end - file);
    symbol = lt_dlsym(handle, "weir_plugin");
    if (!symbol)
        return 0;
    if (walk.names && walk.code == 0)
        walk.code = plugin_names_add(walk.names, file, size);
    else if (walk.wanted && strlen(walk.wanted) == size &&
             memcmp(walk.wanted, file, size) == 0)
        walk.symbol = symbol;
    return 0;
}

/* Opening NAME.la with lt_dladvise_preload would do for most; but libltdl
 * makes a_b of "a-b.la" and then does not find the table's a-b.a. (The symbol
 * has underscores in any case, and lt_dlsym knows it.) */
const void *builtin_find(const char *name)
{
    if (loader_start(NULL) < 0)
        return NULL;
    walk = (struct walk){ .wanted = name };
    lt_dlpreload_open(NULL, visit);
    return walk.symbol;
}

int builtin_names(struct plugin_names *names)
{
    if (loader_start(NULL) < 0)
        return WEIR_ENOMEM;
    walk = (struct walk){ .names = names };
    /* Its answer counts a table that is not there as an error, too. */
    lt_dlpreload_open(NULL, visit);
    return walk.code;
}
