/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * look.h - what a plugin says of itself, asked in a process of its own: a
 * plugin that crashes or hangs while it is loaded is a reason like another.
 */
#ifndef CLI_LOOK_H
#define CLI_LOOK_H

#include "cli/cli.h"
#include "plugin/plugin.h"

struct look {
    char *name;
    int code;                       /* 0, or why it cannot be used: */
    weir_error err;                 /* the sentence */
    struct plugin_tries tries;      /* each place, in order */
    char *file, *version, *summary; /* when code is 0; summary may be "" */
    VEC(struct task_desc) tasks;
};

/* 0 also when the plugin cannot be used; a negative code and err when nothing
 * can be said of it. */
int look_at(const struct plugin_path *path, const char *name, struct look *out,
            weir_error *err);
void look_done(struct look *look);

/* The search path of the command line; false: told already. */
bool path_of(const struct texts *folders, struct plugin_path *out);

#endif
