/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tasks.c - a plugin whose tasks pools call by name. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/plugin.h>

struct repeat {
    uint64_t times;
};

/* The state counts the calls of one worker. */
static int repeat_open(weir_call *call)
{
    unsigned *calls = calloc(1, sizeof *calls);

    weir_set_state(call, calls);
    return calls != NULL ? 0 : weir_fail(call, WEIR_FATAL, "no memory");
}

static int repeat_run(weir_call *call)
{
    const struct repeat *param = weir_params(call);
    weir_bytes in = weir_input(call);
    unsigned *calls = weir_state(call);
    char *out;
    void *room;
    int code = weir_reserve(call, 0, in.size * param->times + 1, &room);

    if (code != 0)
        return code;
    out = room;
    for (uint64_t i = 0; i < param->times; i++)
        memcpy(out + i * in.size, in.data, in.size);
    out[in.size * param->times] = (char)('0' + ++*calls % 10);
    return weir_submit(call, in.size * param->times + 1);
}

static int repeat_close(weir_call *call)
{
    free(weir_state(call));
    return 0;
}

static int repeat_check(weir_call *call)
{
    const struct repeat *param = weir_params(call);

    return param->times == 13 ? weir_refuse(call, "times", "13 brings bad luck")
                              : 0;
}

/* Kills its worker in the first attempt. */
static int crash_run(weir_call *call)
{
    if (weir_attempt(call) == 1)
        raise(SIGKILL);
    return weir_pass(call, 0);
}

static int shut_open(weir_call *call)
{
    return weir_fail(call, WEIR_PERMANENT, "closed today");
}

static int pass_run(weir_call *call)
{
    return weir_pass(call, 0);
}

static const weir_param repeat_params[] = {
    WEIR_PARAM_UINT(struct repeat, times, "1", "how often"),
    { 0 },
};
static const weir_task tasks[] = {
    { .name = "repeat",
      .summary = "Repeat the bytes, then the number of calls",
      .run = repeat_run,
      .open = repeat_open,
      .close = repeat_close,
      .check = repeat_check,
      .params = repeat_params },
    { .name = "crash", .summary = "Kill the worker once", .run = crash_run },
    { .name = "shut",
      .summary = "Cannot be opened",
      .run = pass_run,
      .open = shut_open },
    { .name = "make",
      .summary = "Make items",
      .run = pass_run,
      .source = true },
    { .name = "sum",
      .summary = "Give all at the end",
      .run = pass_run,
      .flush = pass_run },
    { 0 },
};
WEIR_PLUGIN(.name = "tasks", .version = "1.0", .tasks = tasks);
