/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* globals.c - memory is not shared: a child has what there was when the
 * context opened, and what it writes is its own. */
#include "course.h"

static int counter = 1;

static int count(weir_child *self)
{
    (void)self;
    printf("in the child: %d\n", counter);
    counter += 100;
    printf("in the child: %d\n", counter);
    return 0;
}

int main(void)
{
    weir_process_options options = { .size = sizeof options, .run = count };
    weir_context *context;
    weir_process *process;
    weir_error err;

    counter = 2;
    must(weir_context_open(NULL, &context, &err), &err);
    counter = 3; /* too late for the children of this context */
    for (int i = 0; i < 2; i++) {
        must(weir_process_new(context, &options, &process, &err), &err);
        must(weir_process_start(process, &err), &err);
        must(weir_process_join(process, WEIR_FOREVER), NULL);
        weir_process_free(&process);
    }
    printf("in the program: %d\n", counter);
    weir_context_close(&context);
    return 0;
}
