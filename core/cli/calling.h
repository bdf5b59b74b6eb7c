/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calling.h - what `call` and `replay --item` do alike: one task and one item,
 * in this process, so that a debugger sees all of it.
 */
#ifndef CLI_CALLING_H
#define CLI_CALLING_H

#include "cli/call_out.h"
#include "cli/cli.h"
#include "plugin/plugin.h"

/* A call that is being prepared, and then done. */
struct calling {
    /* The caller's: zeroed but for these. */
    const char *name;         /* "text.grep" */
    const char *const *pairs; /* "parameter=value" */
    size_t pair_count;
    const char *output; /* show only this one; NULL: all */
    const char *frame;  /* call_out.h */
    bool json;
    struct plugin_path path;
    struct inline_item item; /* before calling_do */
    unsigned attempt;        /* 0: the first */

    const struct plugin *plugin;
    const weir_task *task;
    void *params;
    struct inline_task host;
    char *outputs; /* the names, cut apart */
    VEC(const char *) output_names;
    struct call_out out;
};

/* Finds the task, binds its parameters: STATUS_GOOD, or told what is wrong. */
enum status calling_prepare(struct calling *calling);
/* Opens, runs, flushes, closes; what comes out is on standard output. */
enum status calling_do(struct calling *calling);
void calling_done(struct calling *calling);

#endif
