/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool-async.c - 10 tasks for a pool of 3, all at once; then close and join.
 * They end in any order: their results are read in the order of the calls. */
#include <string.h>

#include "course.h"

enum { TASKS = 10 };

static int square(weir_call *call)
{
    long number;

    memcpy(&number, weir_input(call).data, sizeof number);
    number *= number;
    return weir_emit(call, 0, &number, sizeof number);
}

int main(void)
{
    static weir_function *const functions[] = { square };
    weir_pool_options options = { .size = sizeof options,
                                  .functions = functions,
                                  .function_count = 1,
                                  .workers = 3 };
    weir_result *results[TASKS];
    weir_context *context;
    weir_bytes bytes;
    weir_pool *pool;
    weir_error err;
    long number;

    must(weir_context_open(NULL, &context, &err), &err);
    must(weir_pool_new(context, &options, &pool, &err), &err);
    for (long i = 0; i < TASKS; i++)
        must(weir_pool_apply_async(pool, square, &i, sizeof i, WEIR_FOREVER,
                                   &results[i], &err),
             &err);
    printf("join before close: %s\n",
           weir_strerror(weir_pool_join(pool, WEIR_FOREVER)));
    must(weir_pool_close(pool), NULL);
    number = 11;
    printf("a call after close: %s\n",
           weir_strerror(weir_pool_apply_async(pool, square, &number,
                                               sizeof number, WEIR_FOREVER,
                                               &results[0], NULL)));
    must(weir_pool_join(pool, WEIR_FOREVER), NULL);
    for (long i = 0; i < TASKS; i++) {
        must(weir_result_get(results[i], 0, &bytes, &err), &err);
        memcpy(&number, bytes.data, sizeof number);
        printf("%ld squared is %ld\n", i, number);
        weir_result_free(&results[i]);
    }
    weir_pool_free(&pool);
    weir_context_close(&context);
    return 0;
}
