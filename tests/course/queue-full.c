/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue-full.c - a queue of 3 is full at the fourth put; size, empty and full
 * are exact. */
#include "course.h"

static void show(weir_queue *queue)
{
    weir_queue_state state;

    must(weir_queue_snapshot(queue, &state), NULL);
    printf("size %u, %s\n", state.size,
           state.full    ? "full"
           : state.empty ? "empty"
                         : "neither full nor empty");
}

int main(void)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_context *context;
    weir_queue *queue;
    weir_error err;
    size_t size;
    int number, code;

    options.capacity = 3;
    must(weir_context_open(NULL, &context, &err), &err);
    must(weir_queue_new(context, &options, &queue, &err), &err);
    show(queue);
    for (number = 1; number <= 4; number++) {
        code = weir_queue_put(queue, &number, sizeof number, 0);
        printf("put %d: %s\n", number,
               code == 0 ? "done" : weir_strerror(code));
        show(queue);
    }
    code = weir_queue_put(queue, &number, sizeof number, 10000000);
    printf("put within 10 ms: %s\n", weir_strerror(code));
    while ((code = weir_queue_get(queue, &number, sizeof number, &size, 0)) ==
           0)
        printf("get: %d\n", number);
    printf("get: %s\n", weir_strerror(code));
    show(queue);
    weir_queue_free(&queue);
    weir_context_close(&context);
    return 0;
}
