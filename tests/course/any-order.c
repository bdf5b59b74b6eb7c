/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* any-order.c - children end in an order of their own; the program takes each
 * as it comes. (Here it says itself who may end next, so that the output is
 * known.) */
#include "course.h"

enum { CHILDREN = 4 };

/* Works until it is told that it is done. */
static int work(weir_child *self)
{
    size_t size;
    int number;

    if (weir_queue_get(weir_child_queue(self, 0), &number, sizeof number, &size,
                       WEIR_FOREVER) != 0)
        return 255;
    return number * 10;
}

int main(void)
{
    static const int order[CHILDREN] = { 2, 0, 3, 1 };
    weir_queue *queues[CHILDREN];
    weir_process *processes[CHILDREN];
    weir_context *context;
    weir_error err;
    weir_exit end;
    size_t which;

    must(weir_context_open(NULL, &context, &err), &err);
    for (int i = 0; i < CHILDREN; i++) {
        weir_process_options options = { .size = sizeof options,
                                         .run = work,
                                         .queues = &queues[i],
                                         .queue_count = 1 };

        must(weir_queue_new(context, NULL, &queues[i], &err), &err);
        must(weir_process_new(context, &options, &processes[i], &err), &err);
        must(weir_process_start(processes[i], &err), &err);
    }
    for (int i = 0; i < CHILDREN; i++) {
        printf("%d run; ", weir_context_processes(context, NULL, 0));
        must(weir_queue_put(queues[order[i]], &order[i], sizeof order[i],
                            WEIR_FOREVER),
             NULL);
        must(weir_process_wait_any(processes, CHILDREN, WEIR_FOREVER, &which),
             NULL);
        must(weir_process_exit(processes[which], &end), NULL);
        printf("number %zu ended with %d\n", which, end.code);
        weir_process_free(
            &processes[which]); /* NULL: passed over from now on */
    }
    for (int i = 0; i < CHILDREN; i++)
        weir_queue_free(&queues[i]);
    weir_context_close(&context);
    return 0;
}
