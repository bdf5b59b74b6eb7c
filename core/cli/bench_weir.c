/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench_weir.c - see bench_weir.h. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/bench_weir.h"

void bench_must(int code, const weir_error *err)
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

weir_context *bench_context(void)
{
    weir_context *context;
    weir_error err;

    bench_must(weir_context_open(NULL, &context, &err), &err);
    return context;
}

weir_pool *bench_pool(weir_context *context, size_t workers)
{
    weir_pool_options options = { .size = sizeof options,
                                  .functions = functions,
                                  .function_count = 2,
                                  .workers = (uint32_t)workers };
    weir_pool *pool;
    weir_error err;

    bench_must(weir_pool_new(context, &options, &pool, &err), &err);
    return pool;
}

void bench_end_pool(weir_pool *pool)
{
    bench_must(weir_pool_close(pool), NULL);
    bench_must(weir_pool_join(pool, WEIR_FOREVER), NULL);
    bench_must(weir_pool_free(&pool), NULL);
}

void bench_call(weir_pool *pool)
{
    static const char bytes[64];
    weir_result *result;
    weir_error err;

    bench_must(weir_pool_apply(pool, echo, bytes, sizeof bytes, WEIR_FOREVER,
                               &result, &err),
               &err);
    weir_result_free(&result);
}

weir_queue *bench_queue(weir_context *context, size_t mebibytes,
                        size_t capacity)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue;
    weir_error err;

    if (capacity > 0)
        options.capacity = (uint32_t)capacity;
    options.bytes = (uint64_t)(mebibytes > 0 ? mebibytes : 8) << 20;
    bench_must(weir_queue_new(context, &options, &queue, &err), &err);
    return queue;
}

weir_process *bench_process(weir_context *context, int (*run)(weir_child *),
                            weir_queue *const *queues, size_t count)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = run,
                                     .queues = queues,
                                     .queue_count = count };
    weir_process *process;
    weir_error err;

    bench_must(weir_process_new(context, &options, &process, &err), &err);
    bench_must(weir_process_start(process, &err), &err);
    return process;
}

void bench_join(weir_process *process)
{
    weir_exit end;

    bench_must(weir_process_join(process, WEIR_FOREVER), NULL);
    bench_must(weir_process_exit(process, &end), NULL);
    if (end.kind != WEIR_EXIT_STATUS || end.code != 0)
        bench_die("a child", end.words);
    weir_process_free(&process);
}

/* -------------------------------------------------------------- calls ---- */

double with_call(int64_t for_ns, int64_t pause_ns)
{
    weir_context *context = bench_context();
    weir_pool *pool = bench_pool(context, 1);
    uint64_t calls = 0;
    int64_t spent = 0;

    for (int i = 0; i < 100; i++)
        bench_call(pool);
    for (int64_t end = bench_now() + for_ns, now = 0; now < end;) {
        int64_t started;
        int count = pause_ns > 0 ? 1 : BENCH_LOOK_EVERY;

        if (pause_ns > 0)
            bench_pause(pause_ns);
        started = bench_now();
        for (int i = 0; i < count; i++)
            bench_call(pool);
        now = bench_now();
        spent += now - started;
        calls += (uint64_t)count;
    }
    bench_end_pool(pool);
    weir_context_close(&context);
    return bench_each(spent, calls);
}

double with_async(int64_t for_ns, size_t workers)
{
    enum { AHEAD = 512 };
    weir_result *results[AHEAD] = { NULL };
    weir_context *context = bench_context();
    weir_pool *pool = bench_pool(context, workers);
    int64_t started = bench_now(), end = started + for_ns;
    uint64_t calls = 0;
    weir_bytes bytes;
    weir_error err;
    double ns;

    for (int64_t now = started; now < end; calls++) {
        weir_result **place = &results[calls % AHEAD];

        if (*place != NULL) {
            bench_must(weir_result_get(*place, WEIR_FOREVER, &bytes, &err),
                       &err);
            weir_result_free(place);
        }
        bench_must(weir_pool_apply_async(pool, nothing, NULL, 0, WEIR_FOREVER,
                                         place, &err),
                   &err);
        if (calls % BENCH_LOOK_EVERY == 0)
            now = bench_now();
    }
    for (int i = 0; i < AHEAD; i++)
        if (results[i] != NULL) {
            bench_must(weir_result_get(results[i], WEIR_FOREVER, &bytes, &err),
                       &err);
            weir_result_free(&results[i]);
        }
    ns = bench_each(bench_now() - started, calls);
    bench_end_pool(pool);
    weir_context_close(&context);
    return ns;
}

double with_map(int64_t for_ns, size_t workers)
{
    enum { CALLS = 20000 };
    weir_bytes *inputs = calloc(CALLS, sizeof *inputs);
    weir_result **results = calloc(CALLS, sizeof *results);
    weir_context *context = bench_context();
    weir_pool *pool = bench_pool(context, workers);
    int64_t started = bench_now(), end = started + for_ns;
    uint64_t calls = 0;
    weir_error err;
    double ns;

    if (inputs == NULL || results == NULL)
        bench_die("map", "no memory");
    while (bench_now() < end) {
        bench_must(weir_pool_map(pool, nothing, inputs, CALLS, 0, WEIR_FOREVER,
                                 results, &err),
                   &err);
        for (int i = 0; i < CALLS; i++)
            weir_result_free(&results[i]);
        calls += CALLS;
    }
    ns = bench_each(bench_now() - started, calls);
    bench_end_pool(pool);
    weir_context_close(&context);
    free(inputs);
    free(results);
    return ns;
}

/* ------------------------------------------------------------- queues ---- */

/* Set before the context opens, so that the children have it. */
static struct setup {
    size_t size, batch;
} setup;

static struct shared {
    _Atomic int go;
    _Atomic int64_t until, last;
    _Atomic uint64_t items;
} * shared;

static void wait_for_go(void)
{
    while (atomic_load(&shared->go) == 0)
        bench_pause(100000);
}

/* A put of setup.batch items, in whatever way the row asks for. */
static void put_items(weir_queue *queue, const char *bytes)
{
    if (setup.size >= BENCH_IN_PLACE) {
        weir_slot slot;

        bench_must(weir_queue_reserve(queue, setup.size, WEIR_FOREVER, &slot),
                   NULL);
        memset(slot.data, 'w', setup.size);
        bench_must(weir_queue_submit(&slot, setup.size), NULL);
    } else if (setup.batch == 1) {
        bench_must(weir_queue_put(queue, bytes, setup.size, WEIR_FOREVER),
                   NULL);
    } else {
        weir_bytes items[BENCH_BATCH_MOST];
        size_t put;

        for (size_t i = 0; i < setup.batch; i++)
            items[i] = (weir_bytes){ bytes, setup.size };
        bench_must(weir_queue_put_many(queue, items, setup.batch, WEIR_FOREVER,
                                       &put),
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
        if ((setup.size >= BENCH_IN_PLACE || ++turns % BENCH_LOOK_EVERY == 0) &&
            bench_now() >= until)
            break;
    }
    free(bytes);
    return 0;
}

static int get_items(weir_queue *queue, char *bytes, size_t room)
{
    size_t got = 1, sizes[BENCH_BATCH_MOST];
    int code;

    if (setup.size >= BENCH_IN_PLACE) {
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
    last = bench_now();
    atomic_fetch_add(&shared->items, items);
    seen = atomic_load(&shared->last);
    while (seen < last &&
           !atomic_compare_exchange_weak(&shared->last, &seen, last))
        ;
    free(bytes);
    return got == WEIR_ECLOSED ? 0 : 1;
}

double with_queue(int64_t for_ns, size_t size, size_t each, size_t batch,
                  size_t mebibytes, size_t capacity)
{
    weir_process *producers[BENCH_PROCESSES_MOST],
        *consumers[BENCH_PROCESSES_MOST];
    weir_context *context;
    weir_queue *queue;
    int64_t started;

    if (each < 1 || each > BENCH_PROCESSES_MOST || batch < 1 ||
        batch > BENCH_BATCH_MOST)
        bench_die("queue", "out of range");
    shared = bench_shared(sizeof *shared);
    setup = (struct setup){ .size = size, .batch = batch };
    context = bench_context();
    queue = bench_queue(context, mebibytes, capacity);
    for (size_t i = 0; i < each; i++) {
        consumers[i] = bench_process(context, consumer, &queue, 1);
        producers[i] = bench_process(context, producer, &queue, 1);
    }
    bench_pause(10000000);
    started = bench_now();
    atomic_store(&shared->until, started + for_ns);
    atomic_store(&shared->go, 1);
    for (size_t i = 0; i < each; i++)
        bench_join(producers[i]);
    bench_must(weir_queue_close(queue), NULL);
    for (size_t i = 0; i < each; i++)
        bench_join(consumers[i]);
    weir_queue_free(&queue);
    weir_context_close(&context);
    return bench_each(atomic_load(&shared->last) - started,
                      atomic_load(&shared->items));
}

/* ---------------------------------------------------- start, recovery ---- */

double with_start(int64_t for_ns)
{
    int64_t started = bench_now(), end = started + for_ns;
    uint64_t turns = 0;

    for (; bench_now() < end; turns++) {
        weir_context *context = bench_context();
        weir_pool *pool = bench_pool(context, 2);

        bench_call(pool);
        bench_end_pool(pool);
        weir_context_close(&context);
    }
    return bench_each(bench_now() - started, turns);
}

static int holder(weir_child *self)
{
    weir_lease lease;

    bench_must(weir_queue_lease(weir_child_queue(self, 0), WEIR_FOREVER,
                                &lease),
               NULL);
    bench_must(weir_queue_put(weir_child_queue(self, 1), "held", 4,
                              WEIR_FOREVER),
               NULL);
    pause();
    return 1; /* killed before */
}

double with_recovery(int64_t for_ns, double percentile)
{
    enum { DEATHS_MOST = 100000 };
    double *times = bench_memory(DEATHS_MOST, sizeof *times);
    int64_t end = bench_now() + for_ns;
    weir_context *context = bench_context();
    weir_queue *queues[2] = { bench_queue(context, 0, 0),
                              bench_queue(context, 0, 0) };
    size_t deaths = 0, size;
    double ns;
    char word[8];

    bench_must(weir_queue_put(queues[0], "item", 4, WEIR_FOREVER), NULL);
    while (deaths < DEATHS_MOST && (deaths == 0 || bench_now() < end)) {
        weir_process *process = bench_process(context, holder, queues, 2);
        weir_lease lease;
        int64_t died;

        bench_must(weir_queue_get(queues[1], word, sizeof word, &size,
                                  WEIR_FOREVER),
                   NULL);
        bench_pause(1000000);
        died = bench_now();
        kill(weir_process_pid(process), SIGKILL);
        bench_must(weir_queue_lease(queues[0], WEIR_FOREVER, &lease), NULL);
        times[deaths++] = (double)(bench_now() - died);
        bench_must(weir_queue_release(&lease), NULL);
        bench_must(weir_process_join(process, WEIR_FOREVER), NULL);
        weir_process_free(&process);
    }
    bench_sort(times, deaths);
    ns = times[(size_t)((double)(deaths - 1) * percentile / 100)];
    free(times);
    for (int i = 0; i < 2; i++)
        weir_queue_free(&queues[i]);
    weir_context_close(&context);
    return ns;
}
