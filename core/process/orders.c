/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * orders.c - runs in the program: from the options of a process to what its
 * child reads (child.c, in the same order).
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "process/handle.h"
#include "process/helper.h"
#include "process/serve.h"

enum {
    ARGUMENT_MOST = 252 << 10,
    REST_MOST = 512 << 10,
    LIMITS_MOST = 16,
    GIVEN_MOST = FD_MESSAGE_FDS - 1, /* one is for the report */
    FOLDER_MOST = 4095,
};

_Static_assert(ARGUMENT_MOST + REST_MOST + 4096 < HELPER_ORDER_MOST,
               "name, argument and the rest fit an order");

static int known_options(const weir_process_options *options,
                         weir_process_options *known, weir_error *err)
{
    *known = (weir_process_options){ .size = sizeof *known };
    if (options == NULL || options->size < sizeof(size_t))
        return error_set(err, WEIR_EINVAL, "the options' own size is not set");
    memcpy(known, options,
           options->size < sizeof *known ? options->size : sizeof *known);
    if (known->run == NULL)
        return error_set(err, WEIR_EINVAL, "a process needs a function to run");
    if (known->name != NULL && strlen(known->name) > NAME_MOST)
        return error_set(err, WEIR_EINVAL, "the name is longer than %d bytes",
                         NAME_MOST);
    if ((known->argument_size > 0 && known->argument == NULL) ||
        (known->queue_count > 0 && known->queues == NULL) ||
        (known->limit_count > 0 && known->limits == NULL) ||
        (known->give_count > 0 && known->give == NULL))
        return error_set(err, WEIR_EINVAL, "a count without what it counts");
    if (known->argument_size > ARGUMENT_MOST)
        return error_set(err, WEIR_ETOOBIG,
                         "the argument has %zu bytes, at most %d can be "
                         "given; put what is larger into a queue",
                         known->argument_size, ARGUMENT_MOST);
    return 0;
}

static int check_gives(const weir_process_options *known, weir_error *err)
{
    if (known->queue_count > GIVEN_MOST || known->give_count > GIVEN_MOST ||
        known->queue_count + known->give_count > GIVEN_MOST)
        return error_set(err, WEIR_EINVAL,
                         "at most %d queues and descriptors can be given",
                         GIVEN_MOST);
    for (size_t i = 0; i < known->give_count; i++) {
        const weir_process_give *give = &known->give[i];

        if (give->fd < 0)
            return error_set(err, WEIR_EINVAL,
                             "descriptor %d, which is none, is to be given",
                             give->fd);
        if (give->number < 0 || give->number > NUMBER_MOST)
            return error_set(err, WEIR_EINVAL,
                             "a descriptor is to become the child's %d; a "
                             "number is 0 to %d",
                             give->number, NUMBER_MOST);
        for (size_t k = 0; k < i; k++)
            if (known->give[k].number == give->number)
                return error_set(err, WEIR_EINVAL,
                                 "two descriptors are to become the child's %d",
                                 give->number);
    }
    return 0;
}

static int check_rest(const weir_process_options *known, weir_error *err)
{
    if (known->cwd != NULL &&
        (known->cwd[0] == '\0' || strlen(known->cwd) > FOLDER_MOST))
        return error_set(err, WEIR_EINVAL,
                         "the name of its folder is empty, or longer than %d "
                         "bytes",
                         FOLDER_MOST);
    if (known->limit_count > LIMITS_MOST)
        return error_set(err, WEIR_EINVAL, "at most %d limits can be set",
                         LIMITS_MOST);
    if ((unsigned)known->on_owner_exit > WEIR_OWNER_EXIT_DETACH ||
        known->grace_ns < 0)
        return error_set(err, WEIR_EINVAL,
                         "on_owner_exit or grace_ns is out of its range");
    if (known->on_owner_exit == WEIR_OWNER_EXIT_DETACH &&
        known->queue_count > 0)
        return error_set(err, WEIR_EINVAL,
                         "a detached process cannot be given queues, whose "
                         "helper ends with the program; let it open a named "
                         "queue");
    return 0;
}

/* As child.c reads it. */
static void write_rest(const weir_process_options *known, struct buf *bytes)
{
    const char *const *at = known->environment;
    uint32_t count = 0;

    buf_u32(bytes, (uint32_t)known->give_count);
    for (size_t i = 0; i < known->give_count; i++)
        buf_u32(bytes, (uint32_t)known->give[i].number);
    while (at != NULL && at[count] != NULL)
        count++;
    buf_u32(bytes, at != NULL ? count + 1 : 0);
    for (uint32_t i = 0; i < count; i++)
        buf_counted(bytes, at[i], strlen(at[i]));
    at = &known->cwd;
    buf_counted(bytes, *at, *at != NULL ? strlen(*at) : 0);
    buf_u32(bytes, (uint32_t)known->nice);
    buf_u32(bytes, (uint32_t)known->limit_count);
    for (size_t i = 0; i < known->limit_count; i++) {
        buf_u32(bytes, (uint32_t)known->limits[i].resource);
        buf_u64(bytes, known->limits[i].soft);
    }
}

static int copy(weir_process *process, const weir_process_options *known,
                weir_error *err)
{
    size_t before;

    buf_counted(&process->order, known->argument, known->argument_size);
    before = process->order.size;
    write_rest(known, &process->order);
    process->queues = calloc(known->queue_count + 1, sizeof *process->queues);
    process->gives = calloc(known->give_count + 1, sizeof *process->gives);
    if (process->order.failed || process->queues == NULL ||
        process->gives == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for a process handle");
    if (process->order.size - before > REST_MOST)
        return error_set(err, WEIR_ETOOBIG,
                         "environment, folder and limits have %zu bytes, at "
                         "most %d can be given",
                         process->order.size - before, REST_MOST);
    for (size_t i = 0; i < known->queue_count; i++)
        process->queues[i] = known->queues[i];
    for (size_t i = 0; i < known->give_count; i++) {
        process->gives[i] = known->give[i].fd;
        process->terminal |= known->give[i].number == 0;
    }
    return 0;
}

int orders_take(weir_process *process, const weir_process_options *options,
                weir_error *err)
{
    weir_process_options known;
    int code = known_options(options, &known, err);

    if (code == 0)
        code = check_gives(&known, err);
    if (code == 0)
        code = check_rest(&known, err);
    if (code == 0)
        code = copy(process, &known, err);
    if (code != 0)
        return code;
    process->run = known.run;
    process->on_owner_exit = known.on_owner_exit;
    process->grace_ns = known.grace_ns;
    process->queue_count = known.queue_count;
    process->give_count = known.give_count;
    process->report = known.cwd != NULL || known.environment != NULL ||
                      known.nice != 0 || known.limit_count > 0 ||
                      known.give_count > 0 || known.queue_count > 0 ||
                      known.on_owner_exit == WEIR_OWNER_EXIT_DETACH;
    if (known.name != NULL)
        memcpy(process->name, known.name, strlen(known.name) + 1);
    return 0;
}

void orders_done(weir_process *process)
{
    buf_done(&process->order);
    free(process->queues);
    free(process->gives);
}

int orders_start(const weir_process *process, struct buf *bytes)
{
    uint64_t address = 0;
    uint32_t flags = 0;

    if (process->on_owner_exit == WEIR_OWNER_EXIT_DETACH)
        flags |= START_DETACHED;
    if (process->report)
        flags |= START_REPORT;
    if (process->terminal)
        flags |= START_TERMINAL;
    memcpy(&address, &process->run, sizeof process->run);
    buf_u32(bytes, SERVE_START);
    buf_u32(bytes, flags);
    buf_u64(bytes, address);
    buf_counted(bytes, process->name, strlen(process->name));
    buf_counted(bytes, process->identity, strlen(process->identity));
    return buf_add(bytes, process->order.data, process->order.size);
}
