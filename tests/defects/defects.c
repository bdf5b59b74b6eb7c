/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * defects.c - known defects of Python's multiprocessing, tried on libweir:
 *
 *     defects NAME
 *
 * prints "right", or what is wrong. defects.py has the same names.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <weir/weir.h>

#define BOUND (INT64_C(10) * 1000 * 1000 * 1000)
#define EXPECT(condition)                                                      \
    do {                                                                       \
        if (!(condition)) {                                                    \
            printf("line %d: not so: %s\n", __LINE__, #condition);             \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

static weir_context *context;
static atomic_int *opened; /* shared with all children */

/* ------------------------------------------------------------ functions ----
 */

static int echo(weir_call *call)
{
    return weir_pass(call, 0);
}

static int killed(weir_call *call)
{
    (void)call;
    raise(SIGKILL);
    return 0;
}

static int exits(weir_call *call)
{
    (void)call;
    exit(3);
}

static int sleeps(weir_call *call)
{
    (void)call;
    pause();
    return 0;
}

static int killed_at_seven(weir_call *call)
{
    return *(const char *)weir_input(call).data == 7 ? killed(call)
                                                     : echo(call);
}

static int open_fails(weir_call *call)
{
    atomic_fetch_add(opened, 1);
    return weir_fail(call, WEIR_PERMANENT, "there is no licence");
}

static weir_function *const functions[] = { echo, killed, exits, sleeps,
                                            killed_at_seven };

static weir_pool *pool_of(unsigned workers, weir_function *open)
{
    weir_pool_options options = {
        .size = sizeof options,
        .functions = functions,
        .function_count = sizeof functions / sizeof *functions,
        .open = open,
        .workers = workers,
    };
    weir_pool *pool;

    EXPECT(weir_pool_new(context, &options, &pool, NULL) == 0);
    return pool;
}

static int apply(weir_pool *pool, weir_function *run, weir_error *err)
{
    weir_result *result = NULL;
    int code = weir_pool_apply(pool, run, "x", 1, BOUND, &result, err);

    weir_result_free(&result);
    return code;
}

static void end(weir_pool *pool)
{
    EXPECT(weir_pool_terminate(pool) == 0);
    EXPECT(weir_pool_join(pool, BOUND) == 0);
    EXPECT(weir_pool_free(&pool) == 0);
}

static weir_queue *queue_of(uint32_t capacity)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue;

    options.capacity = capacity;
    EXPECT(weir_queue_new(context, &options, &queue, NULL) == 0);
    return queue;
}

static weir_queue_state state_of(weir_queue *queue)
{
    weir_queue_state state;

    EXPECT(weir_queue_snapshot(queue, &state) == 0);
    return state;
}

static weir_process *start(int (*run)(weir_child *), weir_queue *queue)
{
    weir_process_options options = {
        .size = sizeof options, .run = run, .queues = &queue, .queue_count = 1
    };
    weir_process *process;

    EXPECT(weir_process_new(context, &options, &process, NULL) == 0);
    EXPECT(weir_process_start(process, NULL) == 0);
    return process;
}

static void kill_it(weir_process *process)
{
    EXPECT(weir_process_kill(process) == 0);
    EXPECT(weir_process_join(process, BOUND) == 0);
    EXPECT(weir_process_free(&process) == 0);
}

/* -------------------------------------------------------------- defects ----
 */

static void apply_killed(void)
{
    weir_pool *pool = pool_of(2, NULL);

    EXPECT(apply(pool, killed, NULL) == WEIR_ELOST);
    EXPECT(apply(pool, echo, NULL) == 0);
    end(pool);
}

static void apply_exits(void)
{
    weir_pool *pool = pool_of(2, NULL);
    weir_error err = { 0 };

    EXPECT(apply(pool, exits, &err) == WEIR_ELOST);
    EXPECT(strstr(err.text, "exit(3)") != NULL);
    EXPECT(apply(pool, echo, NULL) == 0);
    end(pool);
}

static void one_kill_of_fifty(void)
{
    weir_pool *pool = pool_of(2, NULL);
    weir_result *results[50];

    for (char i = 0; i < 50; i++)
        EXPECT(weir_pool_apply_async(pool, killed_at_seven, &i, 1, BOUND,
                                     &results[(int)i], NULL) == 0);
    for (int i = 0; i < 50; i++) {
        EXPECT(weir_result_get(results[i], BOUND, NULL, NULL) ==
               (i == 7 ? WEIR_ELOST : 0));
        weir_result_free(&results[i]);
    }
    end(pool);
}

static void get_after_terminate(void)
{
    weir_pool *pool = pool_of(1, NULL);
    weir_result *result;

    EXPECT(weir_pool_apply_async(pool, sleeps, NULL, 0, BOUND, &result, NULL) ==
           0);
    EXPECT(weir_pool_terminate(pool) == 0);
    EXPECT(weir_result_get(result, BOUND, NULL, NULL) == WEIR_ETERMINATED);
    weir_result_free(&result);
    end(pool);
}

static _Noreturn int read_for_ever(weir_child *self)
{
    char byte;
    size_t size;

    for (;;)
        weir_queue_get(weir_child_queue(self, 0), &byte, 1, &size,
                       WEIR_FOREVER);
}

static void reader_killed(void)
{
    weir_queue *queue = queue_of(4);
    weir_process *process = start(read_for_ever, queue);
    size_t size;
    char byte;

    while (state_of(queue).consumers_waiting == 0)
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    kill_it(process);
    EXPECT(weir_queue_put(queue, "x", 1, 0) == 0);
    EXPECT(weir_queue_get(queue, &byte, 1, &size, BOUND) == 0);
    EXPECT(size == 1 && byte == 'x');
    weir_queue_free(&queue);
}

static _Noreturn int write_for_ever(weir_child *self)
{
    static char large[1 << 20];

    memset(large, 'x', sizeof large);
    for (;;)
        weir_queue_put(weir_child_queue(self, 0), large, sizeof large,
                       WEIR_FOREVER);
}

/* Killed anywhere in a put: what is there is whole, and the queue goes on. */
static void writer_killed(void)
{
    weir_queue *queue = queue_of(4);
    char *item = malloc(1 << 20);
    size_t size;

    EXPECT(item != NULL);
    for (long i = 0; i < 20; i++) {
        weir_process *process = start(write_for_ever, queue);

        for (int k = 0; k < 3; k++)
            EXPECT(weir_queue_get(queue, item, 1 << 20, &size, BOUND) == 0);
        nanosleep(&(struct timespec){ .tv_nsec = i * 50000 }, NULL);
        kill_it(process);
        while (weir_queue_get(queue, item, 1 << 20, &size, 0) == 0)
            EXPECT(size == 1 << 20 && item[0] == 'x' && item[size - 1] == 'x');
    }
    EXPECT(weir_queue_put(queue, "y", 1, 0) == 0);
    EXPECT(weir_queue_get(queue, item, 1 << 20, &size, BOUND) == 0);
    EXPECT(size == 1 && item[0] == 'y');
    free(item);
    weir_queue_free(&queue);
}

static void empty_after_put(void)
{
    weir_queue *queue = queue_of(4);
    size_t size;
    char byte;

    for (int i = 0; i < 10000; i++) {
        EXPECT(weir_queue_put(queue, "x", 1, 0) == 0);
        EXPECT(!state_of(queue).empty);
        EXPECT(weir_queue_get(queue, &byte, 1, &size, 0) == 0);
        EXPECT(state_of(queue).empty);
    }
    weir_queue_free(&queue);
}

static void size_and_get(void)
{
    weir_queue *queue = queue_of(100);
    size_t size;
    char byte;

    for (unsigned i = 0; i < 100; i++) {
        EXPECT(state_of(queue).size == i);
        EXPECT(weir_queue_put(queue, "x", 1, 0) == 0);
    }
    EXPECT(state_of(queue).full);
    for (unsigned i = 100; i > 0; i--) {
        EXPECT(state_of(queue).size == i);
        EXPECT(weir_queue_get(queue, &byte, 1, &size, 0) == 0);
    }
    EXPECT(weir_queue_get(queue, &byte, 1, &size, 0) == WEIR_EEMPTY);
    weir_queue_free(&queue);
}

/* Bytes can always be sent; what cannot is too large, and the put says so. */
static void put_of_what_cannot_be_sent(void)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue;

    options.bytes = 1000;
    EXPECT(weir_queue_new(context, &options, &queue, NULL) == 0);
    EXPECT(weir_queue_put(queue, functions, 1001, BOUND) == WEIR_ETOOBIG);
    EXPECT(state_of(queue).empty);
    weir_queue_free(&queue);
}

static void initializer_fails(void)
{
    weir_pool *pool = pool_of(2, open_fails);
    weir_error err = { 0 };

    EXPECT(apply(pool, echo, &err) < 0);
    EXPECT(strstr(err.text, "there is no licence") != NULL);
    EXPECT(weir_pool_join(pool, BOUND) == 0);
    EXPECT(atomic_load(opened) <= 6);
    EXPECT(weir_pool_free(&pool) == 0);
}

static void chunk_of_zero(void)
{
    weir_pool *pool = pool_of(2, NULL);
    weir_bytes inputs[100], got;
    weir_result *results[100];

    for (size_t i = 0; i < 100; i++)
        inputs[i] = (weir_bytes){ .data = "abc", .size = i % 4 };
    EXPECT(weir_pool_map(pool, echo, inputs, 100, 0, BOUND, results, NULL) ==
           0);
    for (size_t i = 0; i < 100; i++) {
        EXPECT(weir_result_get(results[i], 0, &got, NULL) == 0);
        EXPECT(got.size == i % 4 && memcmp(got.data, "abc", got.size) == 0);
        weir_result_free(&results[i]);
    }
    end(pool);
}

static void call_badly(weir_result *result, void *arg)
{
    (void)result;
    EXPECT(weir_pool_join(arg, BOUND) == WEIR_ESTATE);
    EXPECT(weir_pool_free(&(weir_pool *){ arg }) == WEIR_ESTATE);
    EXPECT(apply(arg, killed, NULL) == WEIR_ELOST);
}

/* Callbacks run where the program waits; what one of them does wrong is a code,
 * and concerns no other call. */
static void callback_fails(void)
{
    weir_pool *pool = pool_of(2, NULL);
    const weir_call_options each = { .size = sizeof each,
                                     .on_done = call_badly,
                                     .arg = pool };

    EXPECT(weir_pool_apply_async_with(pool, echo, "x", 1, BOUND, &each, NULL,
                                      NULL) == 0);
    EXPECT(weir_pool_dispatch(pool, BOUND) >= 0);
    EXPECT(apply(pool, echo, NULL) == 0);
    end(pool);
}

static int count_taken(void *arg, weir_bytes *input_out, weir_error *err)
{
    int *taken = arg;

    (void)err;
    *input_out = (weir_bytes){ taken, sizeof *taken };
    return ++*taken <= 10000;
}

static void reads_ahead(void)
{
    weir_pool *pool = pool_of(2, NULL);
    weir_result *result;
    weir_imap *imap;
    int taken = 0;

    EXPECT(weir_pool_imap(pool, echo, count_taken, &taken, NULL, &imap, NULL) ==
           0);
    EXPECT(weir_imap_next(imap, BOUND, &result, NULL) == 0);
    weir_result_free(&result);
    EXPECT(taken <= 33); /* the window, and the one that was given */
    weir_imap_free(&imap);
    end(pool);
}

static const struct {
    const char *name;
    void (*run)(void);
} defects[] = {
    { "apply-killed", apply_killed },
    { "apply-exits", apply_exits },
    { "one-kill-of-fifty", one_kill_of_fifty },
    { "get-after-terminate", get_after_terminate },
    { "reader-killed", reader_killed },
    { "writer-killed", writer_killed },
    { "empty-after-put", empty_after_put },
    { "size-and-get", size_and_get },
    { "put-of-what-cannot-be-sent", put_of_what_cannot_be_sent },
    { "initializer-fails", initializer_fails },
    { "callback-fails", callback_fails },
    { "reads-ahead", reads_ahead },
    { "chunk-of-zero", chunk_of_zero },
};

int main(int argc, char **argv)
{
    opened = mmap(NULL, sizeof *opened, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(opened != MAP_FAILED);
    EXPECT(weir_context_open(NULL, &context, NULL) == 0);
    for (size_t i = 0; argc == 2 && i < sizeof defects / sizeof *defects; i++) {
        if (strcmp(argv[1], defects[i].name) != 0)
            continue;
        defects[i].run();
        weir_context_close(&context);
        puts("right");
        return 0;
    }
    puts("no such defect");
    return 2;
}
