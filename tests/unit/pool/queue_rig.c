/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue_rig.c - see queue_rig.h. */
#include "config.h"

#include <string.h>

#include "lib/suites.h"
#include "queue_rig.h"
#include "suites.h"

weir_context *rig_context;
static int fds_before;

void rig_setup(void)
{
    weir_error err = { 0 };

    children_setup();
    fds_before = watch_fds();
    ck_assert_msg(weir_context_open(NULL, &rig_context, &err) == 0, "%s",
                  err.text);
}

void rig_teardown(void)
{
    weir_context_close(&rig_context);
    ck_assert_int_eq(watch_fds(), fds_before);
    children_teardown();
}

weir_queue *rig_queue(uint32_t capacity, uint32_t overflow)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue = NULL;
    weir_error err = { 0 };

    options.capacity = capacity;
    options.overflow = overflow;
    ck_assert_msg(weir_queue_new(rig_context, &options, &queue, &err) == 0,
                  "%s", err.text);
    return queue;
}

weir_queue_state rig_state(weir_queue *queue)
{
    weir_queue_state state;

    ck_assert_int_eq(weir_queue_snapshot(queue, &state), 0);
    return state;
}

void rig_put(weir_queue *queue, unsigned number)
{
    ck_assert_int_eq(weir_queue_put(queue, &number, sizeof number, BOUND_NS),
                     0);
}

unsigned rig_get(weir_queue *queue)
{
    unsigned number = 0;
    size_t size;

    ck_assert_int_eq(weir_queue_get(queue, &number, sizeof number, &size,
                                    BOUND_NS),
                     0);
    ck_assert_uint_eq(size, sizeof number);
    return number;
}

unsigned rig_number(const weir_lease *lease)
{
    unsigned number;

    ck_assert_uint_eq(lease->size, sizeof number);
    memcpy(&number, lease->data, sizeof number);
    return number;
}

weir_process *rig_launch(int (*run)(weir_child *self), weir_queue *queue,
                         unsigned number)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = run,
                                     .argument = &number,
                                     .argument_size = sizeof number,
                                     .queues = &queue,
                                     .queue_count = 1 };
    weir_process *process;

    ck_assert_int_eq(weir_process_new(rig_context, &options, &process, NULL),
                     0);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    return process;
}

void rig_kill(weir_process **process)
{
    ck_assert_int_eq(weir_process_kill(*process), 0);
    ck_assert_int_eq(weir_process_join(*process, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_free(process), 0);
}

void rig_join(weir_process **process, int status)
{
    weir_exit end;

    ck_assert_int_eq(weir_process_join(*process, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_exit(*process, &end), 0);
    ck_assert_int_eq(end.kind, WEIR_EXIT_STATUS);
    ck_assert_int_eq(end.code, status);
    ck_assert_int_eq(weir_process_free(process), 0);
}
