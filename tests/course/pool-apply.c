/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool-apply.c - 10 tasks for a pool of 3, one after another. */
#include <string.h>

#include "course.h"

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
    weir_context *context;
    weir_result *result;
    weir_bytes bytes;
    weir_pool *pool;
    weir_error err;
    long number;

    must(weir_context_open(NULL, &context, &err), &err);
    must(weir_pool_new(context, &options, &pool, &err), &err);
    printf("%d workers\n", weir_pool_workers(pool));
    for (long i = 0; i < 10; i++) {
        must(weir_pool_apply(pool, square, &i, sizeof i, WEIR_FOREVER, &result,
                             &err),
             &err);
        must(weir_result_get(result, 0, &bytes, &err), &err);
        memcpy(&number, bytes.data, sizeof number);
        printf("%ld squared is %ld\n", i, number);
        weir_result_free(&result);
    }
    must(weir_pool_close(pool), NULL);
    must(weir_pool_join(pool, WEIR_FOREVER), NULL);
    weir_pool_free(&pool);
    weir_context_close(&context);
    return 0;
}
