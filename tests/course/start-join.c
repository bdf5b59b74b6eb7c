/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* start-join.c - a function runs in a child; the program waits for it. */
#include "course.h"

static int greet(weir_child *self)
{
    printf("hello, %s\n", (const char *)weir_child_argument(self, NULL));
    return 0;
}

int main(void)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = greet,
                                     .argument = "bob",
                                     .argument_size = 3 };
    weir_context *context;
    weir_process *process;
    weir_error err;
    weir_exit end;

    must(weir_context_open(NULL, &context, &err), &err);
    must(weir_process_new(context, &options, &process, &err), &err);
    printf("alive before its start: %d\n", weir_process_alive(process));
    must(weir_process_start(process, &err), &err);
    must(weir_process_join(process, WEIR_FOREVER), NULL);
    printf("alive after its end: %d\n", weir_process_alive(process));
    must(weir_process_exit(process, &end), NULL);
    printf("%s %s\n", weir_process_name(process), end.words);
    weir_process_free(&process);
    weir_context_close(&context);
    return 0;
}
