/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* future.c - a plugin of an ABI that is not there yet. */
#include <weir/plugin.h>

static int pass_run(weir_call *call)
{
    return weir_pass(call, 0);
}

static const weir_task tasks[] = {
    { .name = "pass", .summary = "Pass", .run = pass_run },
    { 0 },
};

extern WEIR_EXPORT_ const weir_descriptor weir_plugin;
WEIR_EXPORT_ const weir_descriptor weir_plugin = {
    .abi = WEIR_ABI + 1,
    .descriptor_size = sizeof(weir_descriptor),
    .task_size = sizeof(weir_task),
    .param_size = sizeof(weir_param),
    .name = "future",
    .version = "9",
    .tasks = tasks,
};
