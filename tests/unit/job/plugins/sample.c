/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sample.c - tasks of every kind that a job file can be wrong about. */
#include <unistd.h>
#include <stdlib.h>

#include <weir/plugin.h>

struct make {
    uint64_t count;
    uint64_t size_bytes;
    int64_t period_ns;
    weir_list paths;
};

struct split {
    uint64_t limit_bytes;
    const char *pattern;
};

struct total {
    uint64_t k;
};

struct take {
    const char *path;
    bool sync;
    unsigned mode;
};

static int nothing_run(weir_call *call)
{
    (void)call;
    return WEIR_END;
}

static int pass_run(weir_call *call)
{
    return weir_pass(call, 0);
}

/* Refuses in every way that there is. */
static int total_check(weir_call *call)
{
    const struct total *total = weir_params(call);

    if (total->k == 13)
        return weir_refuse(call, "k", "13 brings bad luck");
    if (total->k == 14)
        return weir_fail(call, WEIR_PERMANENT, "none of this can be");
    if (total->k == 66)
        abort();
    if (total->k == 67)
        _exit(7);
    while (total->k == 99)
        pause();
    return 0;
}

static const weir_param make_params[] = {
    WEIR_PARAM_UINT(struct make, count, "1", "items to make", .min = "1"),
    WEIR_PARAM_SIZE(struct make, size_bytes, "1 KiB", "bytes of an item",
                    .max = "8 GiB"),
    WEIR_PARAM_DURATION(struct make, period_ns, "0", "time between two items"),
    WEIR_PARAM_LIST(struct make, paths, "", "files to read"),
    { 0 },
};

static const weir_param split_params[] = {
    WEIR_PARAM_SIZE(struct split, limit_bytes, "1 KiB", "longest short item"),
    WEIR_PARAM_TEXT(struct split, pattern, "", "what a long item has"),
    { 0 },
};

static const weir_param total_params[] = {
    WEIR_PARAM_UINT(struct total, k, "10", "rows to give", .min = "1",
                    .max = "1000"),
    { 0 },
};

static const weir_param take_params[] = {
    WEIR_PARAM_TEXT(struct take, path, NULL, "file to write", .min = "1"),
    WEIR_PARAM_BOOL(struct take, sync, "false", "wait for the disk"),
    WEIR_PARAM_CHOICE(struct take, mode, "append", "what to do with a file",
                      .choices = "append replace"),
    { 0 },
};

static const weir_task tasks[] = {
    { .name = "make",
      .summary = "Make items",
      .run = nothing_run,
      .params = make_params,
      .largest = "size",
      .source = true },
    { .name = "share",
      .summary = "Make items in several workers",
      .run = nothing_run,
      .source = true,
      .shares = true },
    { .name = "pass", .summary = "Pass items on", .run = pass_run },
    { .name = "split",
      .summary = "Part items by length",
      .run = pass_run,
      .params = split_params,
      .outputs = "long short" },
    { .name = "total",
      .summary = "Sum up all items",
      .run = pass_run,
      .check = total_check,
      .params = total_params,
      .single = true },
    { .name = "take",
      .summary = "Take items",
      .run = pass_run,
      .params = take_params,
      .outputs = "" },
    { 0 },
};

WEIR_PLUGIN(.name = "sample", .version = "1.0", .tasks = tasks);
