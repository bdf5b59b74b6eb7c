/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* part.c - a plugin in a project of its own: parts items by their length. */
#include <weir/plugin.h>

struct longer {
    uint64_t limit_bytes;
};

static int longer_run(weir_call *call)
{
    const struct longer *param = weir_params(call);
    weir_bytes in = weir_input(call);

    if (in.size == 0)
        return weir_fail(call, WEIR_PERMANENT, "the item is empty");
    return weir_pass(call, in.size > param->limit_bytes ? 0 : 1);
}

static const weir_param longer_params[] = {
    WEIR_PARAM_SIZE(struct longer, limit_bytes, "1 KiB",
                    "items above go to 'long'"),
    { 0 },
};
static const weir_task tasks[] = {
    { .name = "longer",
      .summary = "Part items by their length",
      .run = longer_run,
      .params = longer_params,
      .outputs = "long short" },
    { 0 },
};
WEIR_PLUGIN(.name = "part", .version = "1.0", .tasks = tasks);
