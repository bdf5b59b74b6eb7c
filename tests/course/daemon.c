/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* daemon.c - what becomes of children when the program ends: a worker is waited
 * for, a daemon is terminated; the log hook says so. */
#include <string.h>
#include <unistd.h>

#include "course.h"

static int serve(weir_child *self)
{
    (void)self;
    while (pause() < 0)
        continue;
    return 0;
}

static int work(weir_child *self)
{
    weir_queue *queue = weir_child_queue(self, 0);
    size_t size;
    char c;

    /* Until the program has said all that it has to say. */
    weir_queue_get(queue, &c, 1, &size, WEIR_FOREVER);
    printf("the worker has done its work\n");
    return 0;
}

static weir_queue *queue;

/* "waits for process 'worker', pid 17" */
static void hear(enum weir_level level, const char *category, const char *text,
                 void *arg)
{
    (void)category;
    (void)arg;
    if (level < WEIR_INFO)
        return;
    printf("the program %.*s\n", (int)(strchr(text, ',') - text), text);
    fflush(stdout);
    if (strstr(text, "waits") != NULL)
        weir_queue_put(queue, "g", 1, 0);
}

int main(void)
{
    weir_process_options worker = { .size = sizeof worker,
                                    .name = "worker",
                                    .run = work,
                                    .queues = &queue,
                                    .queue_count = 1 };
    weir_process_options daemon = { .size = sizeof daemon,
                                    .name = "daemon",
                                    .run = serve,
                                    .on_owner_exit = WEIR_OWNER_EXIT_TERMINATE,
                                    .grace_ns = 1000000000 };
    weir_process *processes[2];
    weir_context *context;
    weir_error err;

    weir_log_set_hook(hear, NULL);
    must(weir_context_open(NULL, &context, &err), &err);
    must(weir_queue_new(context, NULL, &queue, &err), &err);
    must(weir_process_new(context, &daemon, &processes[0], &err), &err);
    must(weir_process_new(context, &worker, &processes[1], &err), &err);
    must(weir_process_start(processes[0], &err), &err);
    must(weir_process_start(processes[1], &err), &err);
    printf("the program ends\n");
    return 0;
}
