/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold.c - a plugin for the tests of runs that are stopped on the way:
 * hold.mark gives each item on with a mark in front, and waits at one of them
 * as long as a file is there. So a run ends when the test says so, on any
 * machine. Runs in workers.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weir/plugin.h>

struct mark {
    const char *file, *at, *mark;
};

static int mark_run(weir_call *call)
{
    const struct mark *param = weir_params(call);
    const struct timespec moment = { .tv_nsec = 5000000 };
    weir_bytes in = weir_input(call);
    char text[256];
    int size;

    if (in.size == strlen(param->at) &&
        memcmp(in.data, param->at, in.size) == 0)
        while (access(param->file, F_OK) == 0)
            nanosleep(&moment, NULL);
    size = snprintf(text, sizeof text, "%s%.*s", param->mark, (int)in.size,
                    (const char *)in.data);
    return weir_emit(call, 0, text, (size_t)size);
}

static const weir_param mark_params[] = {
    WEIR_PARAM_TEXT(struct mark, file, NULL, "is waited for to be gone"),
    WEIR_PARAM_TEXT(struct mark, at, NULL, "the item that waits"),
    WEIR_PARAM_TEXT(struct mark, mark, "", "put in front"),
    { 0 }
};
static const weir_task tasks[] = {
    { .name = "mark",
      .summary = "Put a mark in front, and wait at one item",
      .run = mark_run,
      .params = mark_params,
      .outputs = "out" },
    { 0 }
};
WEIR_PLUGIN(.name = "hold", .version = "1.0", .tasks = tasks);
