/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pids.c - who is whose child. The number of the parent is that of the program
 * which started the child, not what getppid() says. */
#include <unistd.h>

#include "course.h"

struct told {
    pid_t pid;
    pid_t parent;
};

static int tell(weir_child *self)
{
    struct told told = { getpid(), weir_child_parent_pid(self) };

    printf("in the child: %s, a child of %s\n", weir_child_name(self),
           weir_child_parent_name(self));
    return weir_queue_put(weir_child_queue(self, 0), &told, sizeof told,
                          WEIR_FOREVER) == 0
               ? 0
               : 1;
}

int main(void)
{
    weir_context *context;
    weir_process *process;
    weir_queue *queue;
    weir_process_options options = { .size = sizeof options,
                                     .name = "the pupil",
                                     .run = tell,
                                     .queues = &queue,
                                     .queue_count = 1 };
    struct told told;
    weir_error err;
    size_t size;

    must(weir_context_open(NULL, &context, &err), &err);
    must(weir_queue_new(context, NULL, &queue, &err), &err);
    must(weir_process_new(context, &options, &process, &err), &err);
    must(weir_process_start(process, &err), &err);
    must(weir_queue_get(queue, &told, sizeof told, &size, WEIR_FOREVER), NULL);
    must(weir_process_join(process, WEIR_FOREVER), NULL);
    printf("its pid is what the handle says: %s\n",
           told.pid == weir_process_pid(process) ? "yes" : "no");
    printf("its parent is this program: %s\n",
           told.parent == getpid() ? "yes" : "no");
    weir_process_free(&process);
    weir_queue_free(&queue);
    weir_context_close(&context);
    return 0;
}
