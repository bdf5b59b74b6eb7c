/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* good.c - a plugin as an author would write it, for the loader's tests. */
#include <weir/plugin.h>

struct cut {
    uint64_t limit_bytes;
};

static int cut_run(weir_call *call)
{
    return weir_pass(call, 0);
}

static int idle_run(weir_call *call)
{
    (void)call;
    return WEIR_END;
}

static const weir_param cut_params[] = {
    WEIR_PARAM_SIZE(struct cut, limit_bytes, "1 KiB", "longest item",
                    .min = "1 B"),
    { 0 },
};

static const weir_task tasks[] = {
    { .name = "cut",
      .summary = "Cut items",
      .run = cut_run,
      .params = cut_params,
      .outputs = "long short",
      .largest = "limit" },
    { .name = "idle",
      .summary = "Make nothing",
      .run = idle_run,
      .source = true },
    { 0 },
};

WEIR_PLUGIN(.name = "good", .version = "1.2", .tasks = tasks);
