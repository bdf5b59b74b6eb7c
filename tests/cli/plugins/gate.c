/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gate.c - a plugin for the tests of failed items: gate.pass lets an item
 * through when the file named by its parameter is there, and otherwise fails as
 * the item says: "bad 7" for good, "die" by a signal. What goes through has the
 * item's attributes, and the parameter's `mark` in front. Runs in workers.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/plugin.h>

struct pass {
    const char *file, *mark;
};

static int pass_run(weir_call *call)
{
    const struct pass *param = weir_params(call);
    weir_bytes in = weir_input(call);
    char text[256];
    int size;

    if (access(param->file, F_OK) < 0 && in.size >= 3) {
        if (memcmp(in.data, "bad", 3) == 0)
            return weir_fail(call, WEIR_PERMANENT, "line '%.*s' is bad",
                             (int)in.size, (const char *)in.data);
        if (memcmp(in.data, "die", 3) == 0)
            raise(SIGKILL);
    }
    size = snprintf(text, sizeof text, "%s%.*s", param->mark, (int)in.size,
                    (const char *)in.data);
    return weir_emit(call, 0, text, (size_t)size);
}

static const weir_param pass_params[] = {
    WEIR_PARAM_TEXT(struct pass, file, "open", "must be there"),
    WEIR_PARAM_TEXT(struct pass, mark, "", "put in front"),
    { 0 }
};
static const weir_task tasks[] = {
    { .name = "pass",
      .summary = "Let through when a file is there",
      .run = pass_run,
      .params = pass_params,
      .outputs = "out" },
    { 0 }
};
WEIR_PLUGIN(.name = "gate", .version = "1.0", .tasks = tasks);
