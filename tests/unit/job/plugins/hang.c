/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hang.c - a plugin that never comes to an end while it is loaded. */
#include <unistd.h>

#include <weir/plugin.h>

static void begin(void) __attribute__((__constructor__));

static void begin(void)
{
    for (;;)
        pause();
}

static int pass_run(weir_call *call)
{
    return weir_pass(call, 0);
}

static const weir_task tasks[] = {
    { .name = "pass", .summary = "Pass items on", .run = pass_run },
    { 0 },
};

WEIR_PLUGIN(.name = "hang", .version = "1.0", .tasks = tasks);
