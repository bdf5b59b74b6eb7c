/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue.c - core/pool/queue_handle.c: a library's queue, by its public calls;
 * tests are named after what their Python counterpart does. */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/queue.h>

#include "lib/suites.h"
#include "pool/queue_handle.h"
#include "suites.h"
#include "watch.h"

static weir_context *context;
static int fds_before;

static void setup(void)
{
    weir_error err = { 0 };

    children_setup();
    fds_before = watch_fds();
    ck_assert_msg(weir_context_open(NULL, &context, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    weir_context_close(&context);
    ck_assert_int_eq(watch_fds(), fds_before);
    children_teardown();
}

static weir_queue *make(uint32_t capacity, uint64_t bytes)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue = NULL;
    weir_error err = { 0 };

    options.capacity = capacity;
    if (bytes > 0)
        options.bytes = bytes;
    ck_assert_msg(weir_queue_new(context, &options, &queue, &err) == 0, "%s",
                  err.text);
    return queue;
}

static weir_queue_state state_of(weir_queue *queue)
{
    weir_queue_state state;

    ck_assert_int_eq(weir_queue_snapshot(queue, &state), 0);
    return state;
}

/* So many sleep at the queue; no event tells of it. */
static void await_sleepers(weir_queue *queue, unsigned producers,
                           unsigned consumers)
{
    int64_t deadline = clock_deadline(BOUND_NS);

    for (;;) {
        weir_queue_state state = state_of(queue);

        if (state.producers_waiting == producers &&
            state.consumers_waiting == consumers)
            return;
        ck_assert_msg(clock_left(deadline) > 0, "nobody went to sleep");
        usleep(1000);
    }
}

static void put_number(weir_queue *queue, unsigned number)
{
    ck_assert_int_eq(weir_queue_put(queue, &number, sizeof number,
                                    WEIR_FOREVER),
                     0);
}

static unsigned get_number(weir_queue *queue)
{
    unsigned number = 0;
    size_t size;

    ck_assert_int_eq(weir_queue_get(queue, &number, sizeof number, &size,
                                    BOUND_NS),
                     0);
    ck_assert_uint_eq(size, sizeof number);
    return number;
}

START_TEST(d3_put_and_get)
{
    static const size_t sizes[] = { 0, 1, 63, 64, 65, 128, 65536, 1 << 20 };
    weir_queue *queue = make(16, 4 << 20);
    char *in = malloc((1 << 20) + 8), *out = malloc(1 << 20);

    for (size_t i = 0; i < (1 << 20) + 8; i++)
        in[i] = (char)(i * 7 >> 3);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        ck_assert_int_eq(weir_queue_put(queue, in + i, sizes[i] - !!sizes[i],
                                        0),
                         0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = 99;

        ck_assert_int_eq(weir_queue_get(queue, out, 1 << 20, &size, 0), 0);
        ck_assert_uint_eq(size, sizes[i] - !!sizes[i]);
        ck_assert_int_eq(memcmp(out, in + i, size), 0);
    }
    ck_assert_int_eq(weir_queue_get(queue, out, 9, &(size_t){ 0 }, 0),
                     WEIR_EEMPTY);
    free(in);
    free(out);
    weir_queue_free(&queue);
    ck_assert_ptr_null(queue);
    weir_queue_free(&queue);
    weir_queue_free(NULL);
}
END_TEST

START_TEST(d3_put_nowait_and_get_nowait)
{
    weir_queue *queue = make(1, 0);
    size_t size;
    char c;

    ck_assert_int_eq(weir_queue_get(queue, &c, 1, &size, 0), WEIR_EEMPTY);
    ck_assert_int_eq(weir_queue_get(queue, &c, 1, &size, NS_PER_MS),
                     WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_queue_put(queue, "a", 1, 0), 0);
    ck_assert_int_eq(weir_queue_put(queue, "b", 1, 0), WEIR_EFULL);
    ck_assert_int_eq(weir_queue_put(queue, "b", 1, NS_PER_MS), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_queue_get(queue, &c, 1, &size, NS_PER_MS), 0);
    ck_assert_int_eq(c, 'a');
    ck_assert_int_eq(weir_queue_put(queue, "c", 1, NS_PER_MS), 0);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(d3_bounds_of_bytes)
{
    weir_queue *queue = make(8, 100);
    char data[101] = "", out[200];
    size_t size = 0;

    ck_assert_int_eq(weir_queue_put(queue, data, 101, WEIR_FOREVER),
                     WEIR_ETOOBIG);
    ck_assert_int_eq(weir_queue_put(queue, data, 60, 0), 0);
    ck_assert_int_eq(weir_queue_put(queue, data, 60, 0), WEIR_EFULL);
    ck_assert_int_eq(weir_queue_put(queue, data, 40, 0), 0);
    ck_assert_int_eq(weir_queue_get(queue, out, 60, &size, 0), 0);
    ck_assert_uint_eq(size, 60);
    ck_assert_int_eq(weir_queue_get(queue, out, 60, &size, 0), 0);
    ck_assert_uint_eq(size, 40);
    ck_assert_int_eq(weir_queue_put(queue, data, (size_t)5 << 30, 0),
                     WEIR_ETOOBIG);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(d3_qsize_empty_full)
{
    weir_queue *queue = make(2, 1000);
    weir_queue_state state = state_of(queue);

    ck_assert(state.empty && !state.full && !state.closed);
    ck_assert_uint_eq(state.capacity, 2);
    ck_assert_uint_eq(state.bytes_most, 1000);
    put_number(queue, 1);
    put_number(queue, 2);
    state = state_of(queue);
    ck_assert(!state.empty && state.full);
    ck_assert_uint_eq(state.size, 2);
    ck_assert_uint_eq(state.bytes, 2 * sizeof(unsigned));
    ck_assert_uint_eq(state.leased + state.staged, 0);
    ck_assert_uint_eq(get_number(queue), 1);
    ck_assert_uint_eq(get_number(queue), 2);
    state = state_of(queue);
    ck_assert(state.empty && state.bytes == 0);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(misuse)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue = NULL;
    weir_error err = { 0 };
    size_t size;
    char c;

    ck_assert_int_eq(weir_queue_new(NULL, NULL, &queue, &err), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_new(context, NULL, NULL, &err), WEIR_EINVAL);
    options.capacity = 0;
    ck_assert_int_eq(weir_queue_new(context, &options, &queue, &err),
                     WEIR_EINVAL);
    ck_assert_msg(strstr(err.text, "capacity") != NULL, "%s", err.text);
    options.capacity = 1000001;
    ck_assert_int_eq(weir_queue_new(context, &options, &queue, &err),
                     WEIR_EINVAL);
    options = (weir_queue_options)WEIR_QUEUE_OPTIONS;
    options.members = 4097;
    ck_assert_int_eq(weir_queue_new(context, &options, &queue, &err),
                     WEIR_EINVAL);
    options = (weir_queue_options)WEIR_QUEUE_OPTIONS;
    options.bytes = 0;
    ck_assert_int_eq(weir_queue_new(context, &options, &queue, &err),
                     WEIR_EINVAL);
    options.size = 0;
    ck_assert_int_eq(weir_queue_new(context, &options, &queue, &err),
                     WEIR_EINVAL);
    ck_assert_ptr_null(queue);
    ck_assert_int_eq(weir_queue_put(NULL, "a", 1, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_close(NULL), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_cancel(NULL, true), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_new(context, NULL, &queue, &err), 0);
    ck_assert_int_eq(weir_queue_put(queue, NULL, 1, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_put(queue, "a", 1, -1), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_get(queue, &c, 1, &size, -1), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_get(queue, NULL, 1, &size, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_get(queue, &c, 1, NULL, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_snapshot(queue, NULL), WEIR_EINVAL);
    weir_queue_free(&queue);
}
END_TEST

/* ------------------------------------------------------------- threads ---- */

struct waiter {
    weir_queue *queue;
    bool puts;
    int code;
};

static void *wait_at(void *arg)
{
    struct waiter *waiter = arg;
    unsigned number = 7;
    size_t size;

    waiter->code = waiter->puts
                       ? weir_queue_put(waiter->queue, &number, sizeof number,
                                        BOUND_NS)
                       : weir_queue_get(waiter->queue, &number, sizeof number,
                                        &size, BOUND_NS);
    return NULL;
}

enum { WAITERS = 4 };

/* @waiting of the same kind do so already. */
static void start_more(weir_queue *queue, bool puts, unsigned waiting,
                       struct waiter waiters[WAITERS],
                       pthread_t threads[WAITERS])
{
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){ queue, puts, 1 };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_at,
                                        &waiters[i]),
                         0);
    }
    waiting += WAITERS;
    await_sleepers(queue, puts ? waiting : 0, puts ? 0 : waiting);
}

static void start_waiters(weir_queue *queue, bool puts,
                          struct waiter waiters[WAITERS],
                          pthread_t threads[WAITERS])
{
    start_more(queue, puts, 0, waiters, threads);
}

static void end_waiters(struct waiter waiters[WAITERS],
                        pthread_t threads[WAITERS], int code)
{
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(waiters[i].code, code);
    }
}

/* Loop: waiting for an item, waiting for room. */
START_TEST(d3_close_wakes_all)
{
    struct waiter waiters[WAITERS];
    pthread_t threads[WAITERS];
    weir_queue *queue = make(1, 0);

    if (_i == 1)
        put_number(queue, 5);
    start_waiters(queue, _i == 1, waiters, threads);
    ck_assert_int_eq(weir_queue_close(queue), 0);
    end_waiters(waiters, threads, WEIR_ECLOSED);
    ck_assert_int_eq(weir_queue_close(queue), 0);
    ck_assert_int_eq(weir_queue_put(queue, "a", 1, WEIR_FOREVER), WEIR_ECLOSED);
    if (_i == 1)
        ck_assert_uint_eq(get_number(queue), 5);
    ck_assert_int_eq(weir_queue_get(queue, NULL, 0, &(size_t){ 0 },
                                    WEIR_FOREVER),
                     WEIR_ECLOSED);
    ck_assert(state_of(queue).closed);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(cancel_ends_waits)
{
    struct waiter waiters[WAITERS];
    pthread_t threads[WAITERS];
    weir_queue *queue = make(1, 0);

    if (_i == 1)
        put_number(queue, 5);
    start_waiters(queue, _i == 1, waiters, threads);
    ck_assert_int_eq(weir_queue_cancel(queue, true), 0);
    end_waiters(waiters, threads, WEIR_ECANCELED);
    wait_at(&waiters[0]);
    ck_assert_int_eq(waiters[0].code, WEIR_ECANCELED);
    if (_i == 1) /* what need not wait goes on */
        ck_assert_uint_eq(get_number(queue), 5);
    else
        put_number(queue, 5);
    ck_assert_int_eq(weir_queue_cancel(queue, false), 0);
    ck_assert_uint_eq(state_of(queue).size, _i == 0);
    if (_i == 0)
        ck_assert_uint_eq(get_number(queue), 5);
    else
        put_number(queue, 6);
    start_waiters(queue, _i == 1, waiters, threads);
    ck_assert_int_eq(weir_queue_cancel(queue, false), 0);
    end_waiters(waiters, threads, WEIR_ECANCELED);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(members_run_out)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    struct waiter waiter = { .puts = false };
    weir_queue *queue;
    pthread_t thread;

    options.members = 1;
    ck_assert_int_eq(weir_queue_new(context, &options, &queue, NULL), 0);
    waiter.queue = queue;
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_at, &waiter), 0);
    await_sleepers(queue, 0, 1);
    ck_assert_int_eq(weir_queue_put(queue, "a", 1, WEIR_FOREVER), -EAGAIN);
    ck_assert_int_eq(weir_queue_cancel(queue, false), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(waiter.code, WEIR_ECANCELED);
    ck_assert_int_eq(weir_queue_put(queue, "a", 1, WEIR_FOREVER), 0);
    weir_queue_free(&queue);
}
END_TEST

/* Entries of the handle that wait for a call. */
static unsigned count_spares(weir_queue *queue)
{
    unsigned count = 0;

    for (int i = 0; i < SPARES; i++) {
        struct member *member = atomic_load(&queue->spare[i]);

        ck_assert_msg(member != SPARE_TAKEN, "place %d is taken", i);
        count += member != NULL;
    }
    return count;
}

/* As many wait as there are places: what need not wait has one nevertheless. */
START_TEST(waiting_takes_no_place)
{
    enum { ROUNDS = SPARES / WAITERS };
    struct waiter waiters[ROUNDS][WAITERS];
    pthread_t threads[ROUNDS][WAITERS];
    weir_queue *queue = make(1, 0);

    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < ROUNDS; i++)
            start_more(queue, false, (unsigned)i * WAITERS, waiters[i],
                       threads[i]);
        ck_assert_uint_eq(count_spares(queue), 0);
        ck_assert_int_eq(weir_queue_cancel(queue, false), 0);
        for (int i = 0; i < ROUNDS; i++)
            end_waiters(waiters[i], threads[i], WEIR_ECANCELED);
        ck_assert_uint_eq(count_spares(queue), SPARES);
    }
    weir_queue_free(&queue);
}
END_TEST

enum { THREADS = 4, EACH = 5000 };

static atomic_uint seen[THREADS * EACH];

static void *put_many(void *arg)
{
    struct waiter *waiter = arg;

    for (unsigned i = 0; i < EACH && waiter->code >= 0; i++) {
        unsigned number = (unsigned)waiter->code * EACH + i;

        if (weir_queue_put(waiter->queue, &number, sizeof number, BOUND_NS) !=
            0)
            waiter->code = -1;
    }
    return NULL;
}

static void *get_many(void *arg)
{
    struct waiter *waiter = arg;
    unsigned number;
    size_t size;

    while ((waiter->code = weir_queue_get(waiter->queue, &number, sizeof number,
                                          &size, BOUND_NS)) == 0)
        atomic_fetch_add(&seen[number % (THREADS * EACH)], 1);
    return NULL;
}

START_TEST(many_threads)
{
    struct waiter putters[THREADS], getters[THREADS];
    pthread_t put[THREADS], get[THREADS];
    weir_queue *queue = make(_i == 0 ? 1 : 64, 0);

    for (int i = 0; i < THREADS; i++) {
        putters[i] = (struct waiter){ .queue = queue, .code = i };
        getters[i] = (struct waiter){ .queue = queue };
        ck_assert_int_eq(pthread_create(&put[i], NULL, put_many, &putters[i]),
                         0);
        ck_assert_int_eq(pthread_create(&get[i], NULL, get_many, &getters[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(put[i], NULL);
        ck_assert_int_eq(putters[i].code, i);
    }
    ck_assert_int_eq(weir_queue_close(queue), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(get[i], NULL);
        ck_assert_int_eq(getters[i].code, WEIR_ECLOSED);
    }
    for (int i = 0; i < THREADS * EACH; i++)
        ck_assert_uint_eq(seen[i], 1);
    weir_queue_free(&queue);
}
END_TEST

/* ----------------------------------------------------- many in one call ----
 */

enum { BLOCK = 32, BLOCK_SIZE = 1 << 10, BLOCKS = 100 };

/* Each of all blocks is unlike the others, at its ends and between. */
static void fill(char *block, unsigned number)
{
    for (unsigned i = 0; i < BLOCK * BLOCK_SIZE; i++)
        block[i] = (char)(number * 31 + i * 7 + i / BLOCK_SIZE);
}

static int put_block(weir_queue *queue, const char *block)
{
    weir_bytes items[BLOCK];
    size_t put = 0;
    int code;

    for (size_t i = 0; i < BLOCK; i++)
        items[i] = (weir_bytes){ block + i * BLOCK_SIZE, BLOCK_SIZE };
    code = weir_queue_put_many(queue, items, BLOCK, BOUND_NS, &put);
    return code == 0 && put != BLOCK ? WEIR_EBROKEN : code;
}

static void *put_blocks(void *arg)
{
    struct waiter *waiter = arg;
    char block[BLOCK * BLOCK_SIZE];

    for (unsigned i = 0; i < BLOCKS && waiter->code == 0; i++) {
        fill(block, i);
        waiter->code = put_block(waiter->queue, block);
    }
    return NULL;
}

/* As many calls as it takes; each gets what is there. */
static void expect_block(weir_queue *queue, unsigned number)
{
    char block[BLOCK * BLOCK_SIZE], got[BLOCK * BLOCK_SIZE];
    size_t sizes[BLOCK], count = 0;

    for (size_t have = 0; have < BLOCK; have += count) {
        ck_assert_int_eq(weir_queue_get_many(queue, got + have * BLOCK_SIZE,
                                             (BLOCK - have) * BLOCK_SIZE, sizes,
                                             BLOCK, BOUND_NS, &count),
                         0);
        ck_assert_uint_ge(count, 1);
        ck_assert_uint_le(count, BLOCK - have);
        for (size_t i = 0; i < count; i++)
            ck_assert_uint_eq(sizes[i], BLOCK_SIZE);
    }
    fill(block, number);
    ck_assert_int_eq(memcmp(got, block, sizeof got), 0);
}

/* All of them just fit: nobody else is needed. */
START_TEST(blocks_that_fit)
{
    weir_queue *queue = make(BLOCK, BLOCK * BLOCK_SIZE);
    char block[BLOCK * BLOCK_SIZE];

    for (unsigned i = 0; i < BLOCKS; i++) {
        fill(block, i);
        ck_assert_int_eq(put_block(queue, block), 0);
        ck_assert_int_eq(weir_queue_put(queue, "a", 1, 0), WEIR_EFULL);
        expect_block(queue, i);
        ck_assert_uint_eq(state_of(queue).bytes, 0);
    }
    weir_queue_free(&queue);
}
END_TEST

/* They do not fit: one thread puts, the other gets, and each waits for the
 * other. Loop: what there is room for, in items or in bytes. */
START_TEST(blocks_that_do_not_fit)
{
    static const uint32_t rooms[] = { 1, 5, BLOCK - 1 };
    weir_queue *queue = _i % 2 == 0 ? make(rooms[_i / 2], 0)
                                    : make(256, rooms[_i / 2] * BLOCK_SIZE);
    struct waiter putter = { .queue = queue };
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, put_blocks, &putter), 0);
    for (unsigned i = 0; i < BLOCKS; i++)
        expect_block(queue, i);
    pthread_join(thread, NULL);
    ck_assert_int_eq(putter.code, 0);
    ck_assert_uint_eq(state_of(queue).bytes, 0);
    weir_queue_free(&queue);
}
END_TEST

/* ------------------------------------------------------ other processes ----
 */

/* Queue 0 to queue 1, each number plus one, until the end. */
static int add_one(weir_child *self)
{
    weir_queue *in = weir_child_queue(self, 0),
               *out = weir_child_queue(self, 1);
    unsigned number;
    size_t size;
    int code;

    while ((code = weir_queue_get(in, &number, sizeof number, &size,
                                  WEIR_FOREVER)) == 0) {
        number++;
        if (weir_queue_put(out, &number, sizeof number, WEIR_FOREVER) != 0)
            return 2;
    }
    return code == WEIR_ECLOSED && weir_queue_close(out) == 0 ? 0 : 3;
}

static weir_process *launch(int (*run)(weir_child *self),
                            weir_queue *const *queues, size_t count)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = run,
                                     .queues = queues,
                                     .queue_count = count };
    weir_process *process;
    weir_error err = { 0 };

    ck_assert_int_eq(weir_process_new(context, &options, &process, &err), 0);
    ck_assert_msg(weir_process_start(process, &err) == 0, "%s", err.text);
    return process;
}

static void finish(weir_process *process, int status)
{
    weir_exit end;

    ck_assert_int_eq(weir_process_join(process, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_exit(process, &end), 0);
    ck_assert_msg(end.code == status, "%s", end.words);
    ck_assert_int_eq(weir_process_free(&process), 0);
}

/* Parent to child to child to parent; each sees the closing of its input. */
START_TEST(d3_fork)
{
    weir_queue *queues[] = { make(4, 0), make(4, 0), make(4, 0) };
    weir_process *first = launch(add_one, queues, 2);
    weir_process *second = launch(add_one, queues + 1, 2);

    for (unsigned i = 0; i < 1000; i++) {
        put_number(queues[0], i);
        if (i >= 8)
            ck_assert_uint_eq(get_number(queues[2]), i - 8 + 2);
    }
    ck_assert_int_eq(weir_queue_close(queues[0]), 0);
    for (unsigned i = 1000 - 8; i < 1000; i++)
        ck_assert_uint_eq(get_number(queues[2]), i + 2);
    ck_assert_int_eq(weir_queue_get(queues[2], NULL, 0, &(size_t){ 0 },
                                    BOUND_NS),
                     WEIR_ECLOSED);
    finish(first, 0);
    finish(second, 0);
    for (int i = 0; i < 3; i++)
        weir_queue_free(&queues[i]);
}
END_TEST

/* The program's handle is freed; the child's goes on. */
START_TEST(child_outlives_handle)
{
    weir_queue *queues[] = { make(4, 0), make(4, 0) };
    weir_process *process;

    for (unsigned i = 0; i < 4; i++)
        put_number(queues[0], i);
    ck_assert_int_eq(weir_queue_close(queues[0]), 0);
    process = launch(add_one, queues, 2);
    weir_queue_free(&queues[0]);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(get_number(queues[1]), i + 1);
    finish(process, 0);
    weir_queue_free(&queues[1]);
}
END_TEST

START_TEST(forked_child_is_refused)
{
    weir_queue *queue = make(4, 0);
    int status;
    pid_t pid;

    put_number(queue, 3);
    pid = fork();
    if (pid == 0) {
        weir_queue_state state;
        weir_queue *made;
        char c[8];
        size_t size;
        int wrong = 0;

        wrong += weir_queue_put(queue, "a", 1, 0) != WEIR_EPROCESS;
        wrong += weir_queue_get(queue, c, 8, &size, 0) != WEIR_EPROCESS;
        wrong += weir_queue_close(queue) != WEIR_EPROCESS;
        wrong += weir_queue_cancel(queue, true) != WEIR_EPROCESS;
        wrong += weir_queue_snapshot(queue, &state) != WEIR_EPROCESS;
        wrong += weir_queue_new(context, NULL, &made, NULL) != WEIR_EPROCESS;
        weir_queue_free(&queue);
        weir_context_close(&context);
        _exit(wrong);
    }
    ck_assert(watch_gone(pid));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(get_number(queue), 3);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(context_closed)
{
    weir_queue *queue = make(4, 0), *other;

    put_number(queue, 3);
    weir_context_close(&context);
    ck_assert_int_eq(weir_queue_put(queue, "a", 1, 0), WEIR_EBROKEN);
    ck_assert_int_eq(weir_queue_close(queue), WEIR_EBROKEN);
    weir_queue_free(&queue);
    ck_assert_int_eq(weir_context_open(NULL, &context, NULL), 0);
    other = make(1, 0);
    weir_queue_free(&other);
}
END_TEST

Suite *queue_suite(void)
{
    Suite *suite = suite_create("queue");
    TCase *tcase = tcase_create("library");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, d3_put_and_get);
    tcase_add_test(tcase, d3_put_nowait_and_get_nowait);
    tcase_add_test(tcase, d3_bounds_of_bytes);
    tcase_add_test(tcase, d3_qsize_empty_full);
    tcase_add_test(tcase, misuse);
    tcase_add_loop_test(tcase, d3_close_wakes_all, 0, 2);
    tcase_add_loop_test(tcase, cancel_ends_waits, 0, 2);
    tcase_add_test(tcase, members_run_out);
    tcase_add_test(tcase, waiting_takes_no_place);
    tcase_add_loop_test(tcase, many_threads, 0, 2);
    tcase_add_test(tcase, blocks_that_fit);
    tcase_add_loop_test(tcase, blocks_that_do_not_fit, 0, 6);
    tcase_add_test(tcase, d3_fork);
    tcase_add_test(tcase, child_outlives_handle);
    tcase_add_test(tcase, forked_child_is_refused);
    tcase_add_test(tcase, context_closed);
    suite_add_tcase(suite, tcase);
    return suite;
}
