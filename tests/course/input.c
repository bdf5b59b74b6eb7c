/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* input.c - a child that asks its user: it is given the program's standard
 * input, and has the terminal as long as it runs. */
#include <string.h>

#include "course.h"

static int ask(weir_child *self)
{
    char line[64];

    (void)self;
    printf("in the child: what is your name?\n");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return 1;
    line[strcspn(line, "\n")] = '\0';
    printf("in the child: hello, %s\n", line);
    return 0;
}

int main(void)
{
    static const weir_process_give input = { .fd = 0, .number = 0 };
    weir_process_options options = {
        .size = sizeof options, .run = ask, .give = &input, .give_count = 1
    };
    weir_context *context;
    weir_process *process;
    weir_error err;
    weir_exit end;
    char line[64];

    must(weir_context_open(NULL, &context, &err), &err);
    must(weir_process_new(context, &options, &process, &err), &err);
    must(weir_process_start(process, &err), &err);
    must(weir_process_join(process, WEIR_FOREVER), NULL);
    must(weir_process_exit(process, &end), NULL);
    printf("it %s; and yours?\n", end.words);
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) != NULL)
        printf("in the program: hello, %s", line);
    weir_process_free(&process);
    weir_context_close(&context);
    return 0;
}
