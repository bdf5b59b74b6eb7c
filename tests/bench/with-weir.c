/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * with-weir.c - the rows of the suite as a program writes them with libweir.
 *
 *   call                       a call of 64 bytes and its result; one worker
 *   call-asleep                the same, 2 ms after the last one
 *   async WORKERS              no-op calls by apply_async
 *   map WORKERS                no-op calls by map
 *   queue SIZE N BATCH [MIB [CAPACITY]]
 *                              N processes put, N others get; BATCH at once;
 *                              from 64 KiB on written and read in place; byte
 *                              bound in MiB (8), capacity in items (1,024)
 *   fill CAPACITY              64 bytes: a queue filled, then emptied, by one
 *                              process
 *   pingpong SIZE              an item there and one back, by two queues
 *   start                      context, pool of two, one call, all ended
 *   idle WORKERS               bytes (Pss) of a worker that waits
 *   rest WORKERS               says "ready" when they are idle, with the pids
 *                              of the workers, and rests until its input ends
 *   recovery PERCENTILE        ns from a holder's death to the lease of its
 * item
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "bench.h"
#include "cli/bench_weir.h"

static size_t item_size; /* set before the context opens: children have it */

static void row_fill(size_t capacity)
{
    weir_context *context = bench_context();
    weir_queue *queue = bench_queue(context, capacity / 8192 + 8, capacity);
    char bytes[64] = { 0 };
    int64_t started = 0, end = 0;
    uint64_t items = 0;
    size_t size;

    /* The first turn touches its memory. */
    for (uint64_t turns = 0; turns < 2 || bench_now() < end; turns++) {
        if (turns == 1) {
            started = bench_now();
            end = started + row_ns();
            items = 0;
        }
        for (size_t i = 0; i < capacity; i++)
            bench_must(weir_queue_put(queue, bytes, sizeof bytes, 0), NULL);
        for (size_t i = 0; i < capacity; i++)
            bench_must(weir_queue_get(queue, bytes, sizeof bytes, &size, 0),
                       NULL);
        items += capacity;
    }
    bench_print((double)(bench_now() - started) / (double)items);
    weir_queue_free(&queue);
    weir_context_close(&context);
}

static int mirror(weir_child *self)
{
    char *bytes = malloc(item_size + 1);
    size_t size;

    while (bytes != NULL && weir_queue_get(weir_child_queue(self, 0), bytes,
                                           item_size, &size, WEIR_FOREVER) == 0)
        bench_must(weir_queue_put(weir_child_queue(self, 1), bytes, size,
                                  WEIR_FOREVER),
                   NULL);
    free(bytes);
    return 0;
}

static void row_pingpong(size_t size)
{
    char *bytes = calloc(1, size + 1);
    weir_context *context;
    weir_queue *queues[2];
    weir_process *process;
    uint64_t turns = 0;
    int64_t started, end;

    item_size = size;
    context = bench_context();
    queues[0] = bench_queue(context, 0, 0);
    queues[1] = bench_queue(context, 0, 0);
    process = bench_process(context, mirror, queues, 2);
    started = bench_now();
    end = started + row_ns();
    do {
        for (int i = 0; i < BENCH_LOOK_EVERY; i++) {
            size_t got;

            bench_must(weir_queue_put(queues[0], bytes, size, WEIR_FOREVER),
                       NULL);
            bench_must(weir_queue_get(queues[1], bytes, size, &got,
                                      WEIR_FOREVER),
                       NULL);
        }
        turns += BENCH_LOOK_EVERY;
    } while (bench_now() < end);
    bench_print((double)(bench_now() - started) / (double)turns);
    bench_must(weir_queue_close(queues[0]), NULL);
    bench_join(process);
    weir_queue_free(&queues[0]);
    weir_queue_free(&queues[1]);
    weir_context_close(&context);
    free(bytes);
}

/* ------------------------------------------------------------- memory ---- */

static uint64_t pss_of(long pid)
{
    char path[64], line[256];
    unsigned long kilobytes = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", pid);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Pss: %lu kB", &kilobytes) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return (uint64_t)kilobytes << 10;
}

/* Each process below @pid that has no child itself. */
static void each_leaf(long pid, void (*use)(long pid, void *arg), void *arg)
{
    char path[64];
    unsigned below = 0;
    long child;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
    file = fopen(path, "re");
    while (file != NULL && fscanf(file, "%ld", &child) == 1) {
        each_leaf(child, use, arg);
        below++;
    }
    if (file != NULL)
        fclose(file);
    if (below == 0)
        use(pid, arg);
}

struct memory {
    uint64_t bytes;
    unsigned processes;
};

static void add_memory(long pid, void *arg)
{
    struct memory *memory = arg;

    memory->bytes += pss_of(pid);
    memory->processes++;
}

/* A pool whose workers have each done something, and rest. Its helper is an
 * orphan at birth: this process takes it in, to find it. */
static weir_pool *open_resting_pool(weir_context **context_out, size_t workers)
{
    weir_pool *pool;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    *context_out = bench_context();
    pool = bench_pool(*context_out, workers);
    for (size_t i = 0; i < workers * 4; i++)
        bench_call(pool);
    bench_pause(200000000);
    return pool;
}

static void row_idle(size_t workers)
{
    weir_context *context;
    weir_pool *pool = open_resting_pool(&context, workers);
    struct memory memory = { 0 };

    each_leaf(getpid(), add_memory, &memory);
    bench_print((double)memory.bytes / memory.processes);
    bench_end_pool(pool);
    weir_context_close(&context);
}

static void print_pid(long pid, void *arg)
{
    (void)arg;
    printf(" %ld", pid);
}

static void row_rest(size_t workers)
{
    weir_context *context;
    weir_pool *pool = open_resting_pool(&context, workers);

    printf("ready");
    each_leaf(getpid(), print_pid, NULL);
    printf("\n");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    bench_end_pool(pool);
    weir_context_close(&context);
}

int main(int argc, char **argv)
{
    const char *row = argc > 1 ? argv[1] : "";
    int64_t for_ns = row_ns();
    size_t args[5] = { 0 };

    for (int i = 0; i < 5 && i + 2 < argc; i++)
        args[i] = bench_number(argv[i + 2]);
    if (strcmp(row, "call") == 0)
        bench_print(with_call(for_ns, 0));
    else if (strcmp(row, "call-asleep") == 0)
        bench_print(with_call(for_ns, 2000000));
    else if (strcmp(row, "async") == 0)
        bench_print(with_async(for_ns, args[0]));
    else if (strcmp(row, "map") == 0)
        bench_print(with_map(for_ns, args[0]));
    else if (strcmp(row, "queue") == 0)
        bench_print(
            with_queue(for_ns, args[0], args[1], args[2], args[3], args[4]));
    else if (strcmp(row, "fill") == 0)
        row_fill(args[0]);
    else if (strcmp(row, "pingpong") == 0)
        row_pingpong(args[0]);
    else if (strcmp(row, "start") == 0)
        bench_print(with_start(for_ns));
    else if (strcmp(row, "idle") == 0)
        row_idle(args[0]);
    else if (strcmp(row, "rest") == 0)
        row_rest(args[0]);
    else if (strcmp(row, "recovery") == 0)
        bench_print(with_recovery(4 * for_ns, argc > 2 ? atof(argv[2]) : 50));
    else
        bench_die(row, "no such row");
    return 0;
}
