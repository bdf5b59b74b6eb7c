/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sum.c - a program that sees the installed tree alone: a child that fills
 * a queue, and a pool that works on what comes out. Prints the sum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

enum { COUNT = 1000 };

static int fill(weir_child *self)
{
    weir_queue *queue = weir_child_queue(self, 0);

    for (long i = 1; i <= COUNT; i++)
        if (weir_queue_put(queue, &i, sizeof i, WEIR_FOREVER) != 0)
            return 1;
    return weir_queue_close(queue) == 0 ? 0 : 1;
}

/* Twice the number; the seventh kills its worker at the first try. */
static int twice(weir_call *call)
{
    long number;

    memcpy(&number, weir_input(call).data, sizeof number);
    if (number == 7 && weir_attempt(call) == 1)
        abort();
    number *= 2;
    return weir_emit(call, 0, &number, sizeof number);
}

static int give_up(const weir_error *err)
{
    fprintf(stderr, "%s\n", err->text);
    return 1;
}

static int add_up(weir_pool *pool, weir_queue *queue, long *sum_out,
                  weir_error *err)
{
    static weir_result *results[COUNT];
    long number, sum = 0;
    size_t size, count = 0;

    while (weir_queue_get(queue, &number, sizeof number, &size, WEIR_FOREVER) ==
               0 &&
           count < COUNT)
        if (weir_pool_apply_async(pool, twice, &number, sizeof number,
                                  WEIR_FOREVER, &results[count++], err) != 0)
            return -1;
    for (size_t i = 0; i < count; i++) {
        weir_bytes bytes;

        if (weir_result_get(results[i], WEIR_FOREVER, &bytes, err) != 0)
            return -1;
        memcpy(&number, bytes.data, sizeof number);
        weir_result_free(&results[i]);
        sum += number;
    }
    *sum_out = sum;
    return 0;
}

int main(void)
{
    static weir_function *const functions[] = { twice };
    weir_pool_options options = { .size = sizeof options,
                                  .functions = functions,
                                  .function_count = 1,
                                  .retries = 1 };
    weir_context *context;
    weir_queue *queue;
    weir_process_options child = {
        .size = sizeof child, .run = fill, .queues = &queue, .queue_count = 1
    };
    weir_process *process;
    weir_pool *pool;
    weir_error err;
    weir_exit end;
    long sum;

    if (weir_context_open(NULL, &context, &err) != 0 ||
        weir_queue_new(context, NULL, &queue, &err) != 0 ||
        weir_pool_new(context, &options, &pool, &err) != 0 ||
        weir_process_new(context, &child, &process, &err) != 0 ||
        weir_process_start(process, &err) != 0 ||
        add_up(pool, queue, &sum, &err) != 0)
        return give_up(&err);
    if (weir_process_join(process, WEIR_FOREVER) != 0 ||
        weir_process_exit(process, &end) != 0 || end.code != 0 ||
        weir_process_free(&process) != 0 || weir_pool_close(pool) != 0 ||
        weir_pool_join(pool, WEIR_FOREVER) != 0 || weir_pool_free(&pool) != 0)
        return 2;
    weir_queue_free(&queue);
    weir_context_close(&context);
    printf("%ld\n", sum);
    return 0;
}
