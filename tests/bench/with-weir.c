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
 * of the workers, and rests until its input ends recovery PERCENTILE        ns
 * from a holder's death to the lease of its item
 */
#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>

#include <weir/weir.h>

#include "bench.h"

enum { IN_PLACE = 64 << 10, BATCH_MOST = 1024, PROCESSES_MOST = 256 };

/* Set before the context opens, so that the children have it. */
static struct setup {
    size_t size, batch;
} setup;

static struct shared {
    _Atomic int go;
    _Atomic int64_t until, last;
    _Atomic uint64_t items;
} * shared;

static void must(int code, const weir_error *err)
{
    if (code < 0)
        bench_die(weir_strerror(code), err != NULL ? err->text : "");
}

static int echo(weir_call *call)
{
    return weir_pass(call, 0);
}

static int nothing(weir_call *call)
{
    (void)call;
    return 0;
}

static weir_function *const functions[] = { echo, nothing };

static weir_context *open_context(void)
{
    weir_context *context;
    weir_error err;

    must(weir_context_open(NULL, &context, &err), &err);
    return context;
}

static weir_pool *open_pool(weir_context *context, size_t workers)
{
    weir_pool_options options = { .size = sizeof options,
                                  .functions = functions,
                                  .function_count = 2,
                                  .workers = (uint32_t)workers };
    weir_pool *pool;
    weir_error err;

    must(weir_pool_new(context, &options, &pool, &err), &err);
    return pool;
}

static void end_pool(weir_pool *pool)
{
    must(weir_pool_close(pool), NULL);
    must(weir_pool_join(pool, WEIR_FOREVER), NULL);
    must(weir_pool_free(&pool), NULL);
}

static void call_once(weir_pool *pool)
{
    static const char bytes[64];
    weir_result *result;
    weir_error err;

    must(weir_pool_apply(pool, echo, bytes, sizeof bytes, WEIR_FOREVER, &result,
                         &err),
         &err);
    weir_result_free(&result);
}

/* -------------------------------------------------------------- calls ---- */

static void row_call(int64_t pause_ns)
{
    weir_context *context = open_context();
    weir_pool *pool = open_pool(context, 1);
    uint64_t calls = 0;
    int64_t ns = 0;

    for (int i = 0; i < 100; i++)
        call_once(pool);
    for (int64_t end = now_ns() + bench_ns(), now = 0; now < end;) {
        int64_t started;
        int count = pause_ns > 0 ? 1 : LOOK_EVERY;

        if (pause_ns > 0)
            bench_pause(pause_ns);
        started = now_ns();
        for (int i = 0; i < count; i++)
            call_once(pool);
        now = now_ns();
        ns += now - started;
        calls += (uint64_t)count;
    }
    bench_print(ns, calls);
    end_pool(pool);
    weir_context_close(&context);
}

static void row_async(size_t workers)
{
    enum { AHEAD = 512 };
    weir_result *results[AHEAD] = { NULL };
    weir_context *context = open_context();
    weir_pool *pool = open_pool(context, workers);
    int64_t started = now_ns(), end = started + bench_ns();
    uint64_t calls = 0;
    weir_bytes bytes;
    weir_error err;

    for (int64_t now = started; now < end; calls++) {
        weir_result **place = &results[calls % AHEAD];

        if (*place != NULL) {
            must(weir_result_get(*place, WEIR_FOREVER, &bytes, &err), &err);
            weir_result_free(place);
        }
        must(weir_pool_apply_async(pool, nothing, NULL, 0, WEIR_FOREVER, place,
                                   &err),
             &err);
        if (calls % LOOK_EVERY == 0)
            now = now_ns();
    }
    for (int i = 0; i < AHEAD; i++)
        if (results[i] != NULL) {
            must(weir_result_get(results[i], WEIR_FOREVER, &bytes, &err), &err);
            weir_result_free(&results[i]);
        }
    bench_print(now_ns() - started, calls);
    end_pool(pool);
    weir_context_close(&context);
}

static void row_map(size_t workers)
{
    enum { CALLS = 20000 };
    weir_bytes *inputs = calloc(CALLS, sizeof *inputs);
    weir_result **results = calloc(CALLS, sizeof *results);
    weir_context *context = open_context();
    weir_pool *pool = open_pool(context, workers);
    int64_t started = now_ns(), end = started + bench_ns();
    uint64_t calls = 0;
    weir_error err;

    if (inputs == NULL || results == NULL)
        bench_die("map", "no memory");
    while (now_ns() < end) {
        must(weir_pool_map(pool, nothing, inputs, CALLS, 0, WEIR_FOREVER,
                           results, &err),
             &err);
        for (int i = 0; i < CALLS; i++)
            weir_result_free(&results[i]);
        calls += CALLS;
    }
    bench_print(now_ns() - started, calls);
    end_pool(pool);
    weir_context_close(&context);
    free(inputs);
    free(results);
}

/* ------------------------------------------------------------- queues ---- */

static void wait_for_go(void)
{
    while (atomic_load(&shared->go) == 0)
        bench_pause(100000);
}

/* A put of setup.batch items, in whatever way the row asks for. */
static void put_items(weir_queue *queue, const char *bytes)
{
    if (setup.size >= IN_PLACE) {
        weir_slot slot;

        must(weir_queue_reserve(queue, setup.size, WEIR_FOREVER, &slot), NULL);
        memset(slot.data, 'w', setup.size);
        must(weir_queue_submit(&slot, setup.size), NULL);
    } else if (setup.batch == 1) {
        must(weir_queue_put(queue, bytes, setup.size, WEIR_FOREVER), NULL);
    } else {
        weir_bytes items[BATCH_MOST];
        size_t put;

        for (size_t i = 0; i < setup.batch; i++)
            items[i] = (weir_bytes){ bytes, setup.size };
        must(weir_queue_put_many(queue, items, setup.batch, WEIR_FOREVER, &put),
             NULL);
    }
}

static int producer(weir_child *self)
{
    weir_queue *queue = weir_child_queue(self, 0);
    char *bytes = calloc(1, setup.size + 1);
    uint64_t turns = 0;
    int64_t until;

    wait_for_go();
    until = atomic_load(&shared->until);
    while (bytes != NULL) {
        put_items(queue, bytes);
        if ((setup.size >= IN_PLACE || ++turns % LOOK_EVERY == 0) &&
            now_ns() >= until)
            break;
    }
    free(bytes);
    return 0;
}

static int get_items(weir_queue *queue, char *bytes, size_t room)
{
    size_t got = 1, sizes[BATCH_MOST];
    int code;

    if (setup.size >= IN_PLACE) {
        weir_lease lease;

        code = weir_queue_lease(queue, WEIR_FOREVER, &lease);
        if (code == 0) {
            bench_use(bench_read(lease.data, lease.size));
            code = weir_queue_commit(&lease);
        }
    } else if (setup.batch == 1) {
        code = weir_queue_get(queue, bytes, room, sizes, WEIR_FOREVER);
    } else {
        code = weir_queue_get_many(queue, bytes, room, sizes, setup.batch,
                                   WEIR_FOREVER, &got);
    }
    return code == 0 ? (int)got : code;
}

static int consumer(weir_child *self)
{
    weir_queue *queue = weir_child_queue(self, 0);
    size_t room = setup.size * setup.batch + 1;
    char *bytes = malloc(room);
    uint64_t items = 0;
    int64_t last, seen;
    int got = 0;

    wait_for_go();
    while (bytes != NULL && (got = get_items(queue, bytes, room)) > 0)
        items += (uint64_t)got;
    last = now_ns();
    atomic_fetch_add(&shared->items, items);
    seen = atomic_load(&shared->last);
    while (seen < last &&
           !atomic_compare_exchange_weak(&shared->last, &seen, last))
        ;
    free(bytes);
    return got == WEIR_ECLOSED ? 0 : 1;
}

static weir_process *start(weir_context *context, int (*run)(weir_child *),
                           weir_queue *const *queues, size_t count)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = run,
                                     .queues = queues,
                                     .queue_count = count };
    weir_process *process;
    weir_error err;

    must(weir_process_new(context, &options, &process, &err), &err);
    must(weir_process_start(process, &err), &err);
    return process;
}

static void join(weir_process *process)
{
    weir_exit end;

    must(weir_process_join(process, WEIR_FOREVER), NULL);
    must(weir_process_exit(process, &end), NULL);
    if (end.kind != WEIR_EXIT_STATUS || end.code != 0)
        bench_die("a child", end.words);
    weir_process_free(&process);
}

static weir_queue *open_queue(weir_context *context, size_t mebibytes,
                              size_t capacity)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue;
    weir_error err;

    if (capacity > 0)
        options.capacity = (uint32_t)capacity;
    options.bytes = (uint64_t)(mebibytes > 0 ? mebibytes : 8) << 20;
    must(weir_queue_new(context, &options, &queue, &err), &err);
    return queue;
}

static void row_queue(size_t size, size_t each, size_t batch, size_t mebibytes,
                      size_t capacity)
{
    weir_process *producers[PROCESSES_MOST], *consumers[PROCESSES_MOST];
    weir_context *context;
    weir_queue *queue;
    int64_t started;

    if (each < 1 || each > PROCESSES_MOST || batch < 1 || batch > BATCH_MOST)
        bench_die("queue", "out of range");
    setup = (struct setup){ .size = size, .batch = batch };
    context = open_context();
    queue = open_queue(context, mebibytes, capacity);
    for (size_t i = 0; i < each; i++) {
        consumers[i] = start(context, consumer, &queue, 1);
        producers[i] = start(context, producer, &queue, 1);
    }
    bench_pause(10000000);
    started = now_ns();
    atomic_store(&shared->until, started + bench_ns());
    atomic_store(&shared->go, 1);
    for (size_t i = 0; i < each; i++)
        join(producers[i]);
    must(weir_queue_close(queue), NULL);
    for (size_t i = 0; i < each; i++)
        join(consumers[i]);
    bench_print(atomic_load(&shared->last) - started,
                atomic_load(&shared->items));
    weir_queue_free(&queue);
    weir_context_close(&context);
}

static void row_fill(size_t capacity)
{
    weir_context *context = open_context();
    weir_queue *queue = open_queue(context, capacity / 8192 + 8, capacity);
    char bytes[64] = { 0 };
    int64_t started = 0, end = 0;
    uint64_t items = 0;
    size_t size;

    /* The first turn touches its memory. */
    for (uint64_t turns = 0; turns < 2 || now_ns() < end; turns++) {
        if (turns == 1) {
            started = now_ns();
            end = started + bench_ns();
            items = 0;
        }
        for (size_t i = 0; i < capacity; i++)
            must(weir_queue_put(queue, bytes, sizeof bytes, 0), NULL);
        for (size_t i = 0; i < capacity; i++)
            must(weir_queue_get(queue, bytes, sizeof bytes, &size, 0), NULL);
        items += capacity;
    }
    bench_print(now_ns() - started, items);
    weir_queue_free(&queue);
    weir_context_close(&context);
}

static int mirror(weir_child *self)
{
    char *bytes = malloc(setup.size + 1);
    size_t size;

    while (bytes != NULL &&
           weir_queue_get(weir_child_queue(self, 0), bytes, setup.size, &size,
                          WEIR_FOREVER) == 0)
        must(weir_queue_put(weir_child_queue(self, 1), bytes, size,
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

    setup.size = size;
    context = open_context();
    queues[0] = open_queue(context, 0, 0);
    queues[1] = open_queue(context, 0, 0);
    process = start(context, mirror, queues, 2);
    started = now_ns();
    end = started + bench_ns();
    do {
        for (int i = 0; i < LOOK_EVERY; i++) {
            size_t got;

            must(weir_queue_put(queues[0], bytes, size, WEIR_FOREVER), NULL);
            must(weir_queue_get(queues[1], bytes, size, &got, WEIR_FOREVER),
                 NULL);
        }
        turns += LOOK_EVERY;
    } while (now_ns() < end);
    bench_print(now_ns() - started, turns);
    must(weir_queue_close(queues[0]), NULL);
    join(process);
    weir_queue_free(&queues[0]);
    weir_queue_free(&queues[1]);
    weir_context_close(&context);
    free(bytes);
}

/* -------------------------------------------- start, memory, recovery ---- */

static void row_start(void)
{
    int64_t started = now_ns(), end = started + bench_ns();
    uint64_t turns = 0;

    for (; now_ns() < end; turns++) {
        weir_context *context = open_context();
        weir_pool *pool = open_pool(context, 2);

        call_once(pool);
        end_pool(pool);
        weir_context_close(&context);
    }
    bench_print(now_ns() - started, turns);
}

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

/* A pool whose workers have each done something, and rest. */
static weir_pool *open_resting_pool(weir_context *context, size_t workers)
{
    weir_pool *pool = open_pool(context, workers);

    for (size_t i = 0; i < workers * 4; i++)
        call_once(pool);
    bench_pause(200000000);
    return pool;
}

static void row_idle(size_t workers)
{
    weir_context *context = open_context();
    weir_pool *pool = open_resting_pool(context, workers);
    struct memory memory = { 0 };

    each_leaf(getpid(), add_memory, &memory);
    bench_print((int64_t)memory.bytes, memory.processes);
    end_pool(pool);
    weir_context_close(&context);
}

static void print_pid(long pid, void *arg)
{
    (void)arg;
    printf(" %ld", pid);
}

static void row_rest(size_t workers)
{
    weir_context *context = open_context();
    weir_pool *pool = open_resting_pool(context, workers);

    printf("ready");
    each_leaf(getpid(), print_pid, NULL);
    printf("\n");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    end_pool(pool);
    weir_context_close(&context);
}

static int holder(weir_child *self)
{
    weir_lease lease;

    must(weir_queue_lease(weir_child_queue(self, 0), WEIR_FOREVER, &lease),
         NULL);
    must(weir_queue_put(weir_child_queue(self, 1), "held", 4, WEIR_FOREVER),
         NULL);
    pause();
    return 1; /* killed before */
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void row_recovery(double percentile)
{
    enum { DEATHS_MOST = 100000 };
    int64_t *times = calloc(DEATHS_MOST, sizeof *times);
    int64_t end = now_ns() + 4 * bench_ns();
    weir_context *context = open_context();
    weir_queue *queues[2] = { open_queue(context, 0, 0),
                              open_queue(context, 0, 0) };
    size_t deaths = 0, size;
    char word[8];

    must(weir_queue_put(queues[0], "item", 4, WEIR_FOREVER), NULL);
    while (times != NULL && deaths < DEATHS_MOST && now_ns() < end) {
        weir_process *process = start(context, holder, queues, 2);
        weir_lease lease;
        int64_t died;

        must(weir_queue_get(queues[1], word, sizeof word, &size, WEIR_FOREVER),
             NULL);
        bench_pause(1000000);
        died = now_ns();
        kill(weir_process_pid(process), SIGKILL);
        must(weir_queue_lease(queues[0], WEIR_FOREVER, &lease), NULL);
        times[deaths++] = now_ns() - died;
        must(weir_queue_release(&lease), NULL);
        must(weir_process_join(process, WEIR_FOREVER), NULL);
        weir_process_free(&process);
    }
    qsort(times, deaths, sizeof *times, by_size);
    bench_print(times[(size_t)((double)(deaths - 1) * percentile / 100)], 1);
    free(times);
    for (int i = 0; i < 2; i++)
        weir_queue_free(&queues[i]);
    weir_context_close(&context);
}

int main(int argc, char **argv)
{
    const char *row = argc > 1 ? argv[1] : "";
    const char *args[5] = { NULL };

    for (int i = 0; i < 5 && i + 2 < argc; i++)
        args[i] = argv[i + 2];
    shared = bench_shared(sizeof *shared);
    if (strcmp(row, "call") == 0)
        row_call(0);
    else if (strcmp(row, "call-asleep") == 0)
        row_call(2000000);
    else if (strcmp(row, "async") == 0)
        row_async(bench_number(args[0]));
    else if (strcmp(row, "map") == 0)
        row_map(bench_number(args[0]));
    else if (strcmp(row, "queue") == 0)
        row_queue(bench_number(args[0]), bench_number(args[1]),
                  bench_number(args[2]), bench_number(args[3]),
                  bench_number(args[4]));
    else if (strcmp(row, "fill") == 0)
        row_fill(bench_number(args[0]));
    else if (strcmp(row, "pingpong") == 0)
        row_pingpong(bench_number(args[0]));
    else if (strcmp(row, "start") == 0)
        row_start();
    else if (strcmp(row, "idle") == 0)
        row_idle(bench_number(args[0]));
    else if (strcmp(row, "rest") == 0)
        row_rest(bench_number(args[0]));
    else if (strcmp(row, "recovery") == 0)
        row_recovery(args[0] != NULL ? atof(args[0]) : 50);
    else
        bench_die(row, "no such row");
    return 0;
}
