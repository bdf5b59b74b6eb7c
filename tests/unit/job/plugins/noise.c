/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* noise.c - a plugin that prints while it is loaded. */
#include <stdio.h>

#include <weir/plugin.h>

static void begin(void) __attribute__((__constructor__));

static void begin(void)
{
    puts("noise on stdout");
}

static int pass_run(weir_call *call)
{
    return weir_pass(call, 0);
}

static const weir_task tasks[] = {
    { .name = "pass", .summary = "Pass items on", .run = pass_run },
    { 0 },
};

WEIR_PLUGIN(.name = "noise", .version = "1.0", .tasks = tasks);
