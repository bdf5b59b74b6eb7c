/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* producer-consumer.c - one child puts, another gets; the queue between them
 * is small, so that they wait for each other. */
#include <string.h>

#include "course.h"

static int produce(weir_child *self)
{
    static const char *const words[] = { "to", "be", "or", "not", "to", "be" };
    weir_queue *queue = weir_child_queue(self, 0);

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (weir_queue_put(queue, words[i], strlen(words[i]), WEIR_FOREVER) !=
            0)
            return 1;
    return weir_queue_close(queue) == 0 ? 0 : 1; /* no more will come */
}

static int consume(weir_child *self)
{
    weir_queue *queue = weir_child_queue(self, 0);
    char word[16];
    size_t size;
    int code;

    while ((code = weir_queue_get(queue, word, sizeof word, &size,
                                  WEIR_FOREVER)) == 0)
        printf("got '%.*s'\n", (int)size, word);
    printf("%s\n", code == WEIR_ECLOSED ? "that is all" : weir_strerror(code));
    return code == WEIR_ECLOSED ? 0 : 1;
}

int main(void)
{
    static int (*const runs[2])(weir_child *) = { produce, consume };
    weir_queue_options small = WEIR_QUEUE_OPTIONS;
    weir_process *processes[2];
    weir_context *context;
    weir_queue *queue;
    weir_error err;
    weir_exit end;

    small.capacity = 2;
    must(weir_context_open(NULL, &context, &err), &err);
    must(weir_queue_new(context, &small, &queue, &err), &err);
    for (int i = 0; i < 2; i++) {
        weir_process_options options = { .size = sizeof options,
                                         .run = runs[i],
                                         .queues = &queue,
                                         .queue_count = 1 };

        must(weir_process_new(context, &options, &processes[i], &err), &err);
        must(weir_process_start(processes[i], &err), &err);
    }
    for (int i = 0; i < 2; i++) {
        must(weir_process_join(processes[i], WEIR_FOREVER), NULL);
        must(weir_process_exit(processes[i], &end), NULL);
        printf("%s %s\n", weir_process_name(processes[i]), end.words);
        weir_process_free(&processes[i]);
    }
    weir_queue_free(&queue);
    weir_context_close(&context);
    return 0;
}
