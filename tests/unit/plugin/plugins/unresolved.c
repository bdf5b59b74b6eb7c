/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unresolved.c - a plugin that calls a function which nobody has. Bound when
 * it is first called, it would kill a worker; bound at load it is a message. */
#include <weir/plugin.h>

int nobody_has_this(weir_call *call);

static int call_run(weir_call *call)
{
    return nobody_has_this(call);
}

static const weir_task tasks[] = {
    { .name = "call", .summary = "Call it", .run = call_run },
    { 0 },
};

WEIR_PLUGIN(.name = "unresolved", .version = "1", .tasks = tasks);
