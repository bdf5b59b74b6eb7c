/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.c - a pool whose workers die at every named step, again and again, and
 * at random under many callers: each call has its one result, and nothing is
 * left over. Nor is after many pools.
 */
#include "config.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* First: Check has a macro by a name of weir/plugin.h. */
#include "pool/pool_host.h"

#include "lib/points.h"
#include "lib/suites.h"

#define BOUND_NS (60 * NS_PER_S)

static bool is_long(void)
{
    return getenv("WEIR_LONG") != NULL;
}

/* So many bytes as the number says, and some more. */
static int grow(weir_call *call)
{
    uint32_t number;
    size_t size;
    void *out;
    int code;

    memcpy(&number, weir_input(call).data, sizeof number);
    size = sizeof number + number * 7919 % 200;
    if (number % 50 == 7)
        size += 40000; /* in parts */
    code = weir_reserve(call, 0, size, &out);
    if (code != 0)
        return code;
    memset(out, (int)(number % 251), size);
    memcpy(out, &number, sizeof number);
    return weir_submit(call, size);
}

/* The result of this call, to the byte. */
static bool is_right(weir_result *result, uint32_t number, weir_error *err)
{
    size_t size = sizeof number + number * 7919 % 200 +
                  (number % 50 == 7 ? 40000 : 0);
    weir_bytes bytes;

    if (weir_result_get(result, BOUND_NS, &bytes, err) != 0)
        return false;
    if (bytes.size != size || memcmp(bytes.data, &number, sizeof number) != 0)
        return false;
    for (size_t i = sizeof number; i < size; i++)
        if (((const unsigned char *)bytes.data)[i] != number % 251)
            return false;
    return true;
}

static void expect_empty(const weir_pool *pool)
{
    uint64_t chunks, touched;

    for (unsigned queue = 0; queue < POOL_QUEUES; queue++) {
        struct queue_state state;

        ck_assert_int_eq(queue_state(pool->segment, queue, FOREVER, &state), 0);
        ck_assert_uint_eq(state.ready + state.leased + state.staged, 0);
        ck_assert_uint_eq(state.bytes, 0);
    }
    ck_assert_int_eq(segment_store_used(pool->segment, &chunks, &touched), 0);
    ck_assert_uint_eq(chunks, 0);
}

static uint32_t count_wrong(const char *what, weir_result **results,
                            uint32_t calls)
{
    weir_error err = { 0 };
    uint32_t wrong = 0;

    for (uint32_t i = 0; i < calls; i++) {
        if (!is_right(results[i], i, &err) && wrong++ == 0)
            printf("# %s: call %u: %s\n", what, i, err.text);
        weir_result_free(&results[i]);
    }
    return wrong;
}

static uint32_t call_each(weir_pool *pool, const char *fault, uint32_t calls)
{
    weir_result **results = calloc(calls, sizeof *results);
    weir_error err = { 0 };
    uint32_t wrong;

    for (uint32_t i = 0; i < calls; i++)
        if (weir_pool_apply_async(pool, grow, &i, sizeof i, BOUND_NS,
                                  &results[i], &err) != 0)
            ck_abort_msg("%s: call %u: %s", fault, i, err.text);
    wrong = count_wrong(fault, results, calls);
    free(results);
    return wrong;
}

/* All calls took as long as said here, and answered as few bytes: as measured
 * it might be too long for packs, on a machine that does other things. */
static void know_short(weir_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->rates[0] = (struct rate){ .took_ns = 1000, .answer = 200 };
    pthread_mutex_unlock(&pool->lock);
}

/* In packs, as soon as it is known how long they take. */
static uint32_t call_all(weir_pool *pool, const char *fault, uint32_t calls)
{
    weir_result **results = calloc(calls, sizeof *results);
    weir_bytes *inputs = calloc(calls, sizeof *inputs);
    uint32_t *numbers = calloc(calls, sizeof *numbers), wrong;
    weir_error err = { 0 };

    for (uint32_t i = 0; i < calls; i++) {
        numbers[i] = i;
        inputs[i] = (weir_bytes){ &numbers[i], sizeof numbers[i] };
    }
    if (weir_pool_map(pool, grow, inputs, calls, 0, BOUND_NS, results, &err) !=
        0)
        ck_abort_msg("%s: map: %s", fault, err.text);
    wrong = count_wrong(fault, results, calls);
    free(results);
    free(inputs);
    free(numbers);
    return wrong;
}

enum serve_first { EACH_FIRST, ALL_FIRST };

/* All calls of one pool; @fault is for its workers. */
static void serve(const char *fault, uint32_t calls, uint32_t window,
                  uint32_t recycle, enum serve_first first)
{
    static weir_function *const functions[] = { grow };
    weir_pool_options options = { .size = sizeof options,
                                  .functions = functions,
                                  .function_count = 1,
                                  .workers = 3,
                                  .retries = 10000,
                                  .window = window,
                                  .recycle = recycle,
                                  .bytes = 64 << 10 };
    weir_context *context = NULL;
    weir_pool *pool = NULL;
    weir_error err = { 0 };

    if (fault != NULL)
        ck_assert_int_eq(setenv("WEIR_FAULT", fault, 1), 0);
    ck_assert_int_eq(weir_context_open(NULL, &context, &err), 0);
    ck_assert_msg(weir_pool_new(context, &options, &pool, &err) == 0, "%s",
                  err.text);
    unsetenv("WEIR_FAULT");
    for (int i = 0; i < 2; i++) {
        bool all = (first == ALL_FIRST) == (i == 0);

        if (all && i > 0)
            know_short(pool);
        ck_assert_uint_eq(all ? call_all(pool, fault, calls)
                              : call_each(pool, fault, calls),
                          0);
    }
    ck_assert_int_eq(weir_pool_close(pool), 0);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    expect_empty(pool);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    weir_context_close(&context);
}

/* All points that workers pass. Some only by who comes first: again, until all
 * have been passed that should be. */
static void learn_points(struct points *points)
{
    char name[POINT_ROOM];
    unsigned rounds = 0;

    do {
        points_trace();
        serve(NULL, 500, 4, 20, EACH_FIRST);
        serve(NULL, 500, 1024, 0, ALL_FIRST);
        /* how long they take is known before the map: there are packs */
        serve(NULL, 500, 1024, 0, EACH_FIRST);
        points_read(points);
    } while (++rounds < 20 && points_lack(points, "tests/crash/pool.c", name));
}

/* Passed once in a worker's life. */
static bool is_once(const char *point)
{
    return strcmp(point, "pool.worker.closed") == 0 ||
           strncmp(point, "pool.seat.", 10) == 0;
}

/* Passed once for each pack. */
#define REPLIED "pool.pack.replied"

static bool is_of_packs(const char *point)
{
    return strncmp(point, "pool.pack.", 10) == 0;
}

START_TEST(at_each_point)
{
    static struct points points;

    learn_points(&points);
    printf("# %u points\n", points.count);
    points_expect(&points, "tests/crash/pool.c");
    for (unsigned i = 0; i < points.count; i++) {
        char fault[128];

        if (!is_long() && i % 3 != (unsigned)_i % 3)
            continue;
        snprintf(fault, sizeof fault, "%.63s:%u:kill", points.at[i],
                 is_once(points.at[i])                ? 1
                 : strcmp(points.at[i], REPLIED) == 0 ? 2
                                                      : 60 + i % 7);
        serve(fault, is_long() ? 5000 : 500,
              i % 2 && !is_of_packs(points.at[i]) ? 4 : 1024,
              is_once(points.at[i]) ? 20 : 0, i % 4 < 2);
    }
}
END_TEST

/* One worker is stopped while it holds a lock of the pool, another dies, and
 * the helper needs that lock for the recovery. */
START_TEST(stopped_with_a_lock)
{
    serve("lock.taken:90:stop:0,queue.hand.noted:20:kill:1", 500, 1024, 0,
          EACH_FIRST);
}
END_TEST

/* All are stopped so, or killed: and then it is ended. */
START_TEST(terminated_with_a_lock)
{
    static weir_function *const functions[] = { grow };
    weir_pool_options options = { .size = sizeof options,
                                  .functions = functions,
                                  .function_count = 1,
                                  .workers = 4,
                                  .retries = 10000,
                                  .grace_ns = 20 * NS_PER_MS };
    weir_result *results[300];
    weir_context *context = NULL;
    weir_pool *pool = NULL;

    ck_assert_int_eq(setenv("WEIR_FAULT",
                            "lock.taken:30:stop,queue.hand.noted:20:kill:1", 1),
                     0);
    ck_assert_int_eq(weir_context_open(NULL, &context, NULL), 0);
    ck_assert_int_eq(weir_pool_new(context, &options, &pool, NULL), 0);
    unsetenv("WEIR_FAULT");
    for (uint32_t i = 0; i < 300; i++)
        ck_assert_int_eq(weir_pool_apply_async(pool, grow, &i, sizeof i,
                                               BOUND_NS, &results[i], NULL),
                         0);
    ck_assert_int_eq(weir_result_wait(results[20 * _i], BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_terminate(pool), 0);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    for (uint32_t i = 0; i < 300; i++)
        weir_result_free(&results[i]);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    weir_context_close(&context);
}
END_TEST

/* ------------------------------------------------- many callers, many kills
 * ----
 */

enum { CALLERS = 16, ROUND = 200 };

struct crowd {
    weir_pool *pool;
    atomic_bool over; /* enough are killed */
    unsigned kills;
};

struct caller {
    struct crowd *crowd;
    uint32_t number;
    uint64_t calls;
    uint64_t wrong; /* answers, or their count */
    atomic_uint answers[ROUND];
    char words[256];
};

static void count_answer(weir_result *result, void *arg)
{
    (void)result;
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static void note_wrong(struct caller *caller, const char *words)
{
    if (caller->wrong++ == 0)
        snprintf(caller->words, sizeof caller->words, "%.255s", words);
}

/* So many calls at once; each is answered, rightly and once. */
static void call_round(struct caller *caller)
{
    weir_result *results[ROUND] = { NULL };
    weir_error err = { 0 };

    for (uint32_t i = 0; i < ROUND; i++) {
        const uint32_t number = caller->number * ROUND + i;
        const weir_call_options options = { .size = sizeof options,
                                            .on_done = count_answer,
                                            .arg = &caller->answers[i] };

        atomic_store(&caller->answers[i], 0);
        if (weir_pool_apply_async_with(caller->crowd->pool, grow, &number,
                                       sizeof number, BOUND_NS, &options,
                                       &results[i], &err) != 0)
            note_wrong(caller, err.text);
    }
    for (uint32_t i = 0; i < ROUND; i++)
        if (results[i] != NULL &&
            !is_right(results[i], caller->number * ROUND + i, &err))
            note_wrong(caller, err.text);
    for (uint32_t i = 0; i < ROUND; i++) {
        int64_t deadline = clock_deadline(BOUND_NS);

        /* Another thread may be just about to tell. */
        while (results[i] != NULL && caller->answers[i] == 0 &&
               clock_left(deadline) > 0)
            weir_pool_dispatch(caller->crowd->pool, NS_PER_MS);
        weir_result_free(&results[i]);
        if (caller->answers[i] != 1)
            note_wrong(caller, "not answered once");
    }
    caller->calls += ROUND;
}

static void *call_on(void *arg)
{
    struct caller *caller = arg;

    do
        call_round(caller);
    while (!atomic_load(&caller->crowd->over));
    return NULL;
}

/* Any of those who have a seat, also who waits for one. */
static void kill_some(struct crowd *crowd, unsigned most)
{
    unsigned seed = 17;

    while (crowd->kills < most) {
        const struct timespec pause = { .tv_nsec = rand_r(&seed) %
                                                   (8 * NS_PER_MS) };
        struct member_sample sample;

        member_sample(crowd->pool->segment,
                      (unsigned)rand_r(&seed) % crowd->pool->seats, &sample);
        if (sample.process > 0 && kill(sample.process, SIGKILL) == 0)
            crowd->kills++;
        nanosleep(&pause, NULL);
    }
    atomic_store(&crowd->over, true);
}

START_TEST(many_callers)
{
    static weir_function *const functions[] = { grow };
    static struct caller callers[CALLERS];
    weir_pool_options options = { .size = sizeof options,
                                  .functions = functions,
                                  .function_count = 1,
                                  .workers = is_long() ? 64 : 12,
                                  .retries = 10000,
                                  .recycle = 500 };
    weir_context *context = NULL;
    struct crowd crowd = { .pool = NULL };
    pthread_t threads[CALLERS];
    uint64_t calls = 0;

    ck_assert_int_eq(weir_context_open(NULL, &context, NULL), 0);
    ck_assert_int_eq(weir_pool_new(context, &options, &crowd.pool, NULL), 0);
    for (uint32_t i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){ .crowd = &crowd, .number = i };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call_on,
                                        &callers[i]),
                         0);
    }
    kill_some(&crowd, is_long() ? 1000 : 40);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_msg(callers[i].wrong == 0, "caller %d: %llu wrong: %s", i,
                      (unsigned long long)callers[i].wrong, callers[i].words);
        calls += callers[i].calls;
    }
    printf("# %llu calls, %u kills\n", (unsigned long long)calls, crowd.kills);
    ck_assert_int_eq(weir_pool_close(crowd.pool), 0);
    ck_assert_int_eq(weir_pool_join(crowd.pool, BOUND_NS), 0);
    expect_empty(crowd.pool);
    ck_assert_int_eq(weir_pool_free(&crowd.pool), 0);
    weir_context_close(&context);
}
END_TEST

/* ------------------------------------------------------- many pools after ----
 * each other: what a process has before and after. */

struct holdings {
    unsigned fds, maps, segments;
    long data_kb; /* VmData */
};

static unsigned count_fds(pid_t pid)
{
    unsigned count = 0;
    char path[64];
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static FILE *open_proc(pid_t pid, const char *name)
{
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    return file;
}

/* A sanitizer keeps what was freed, for a while, and maps as it likes: its
 * mappings have no file. */
#ifdef __SANITIZE_ADDRESS__
#define DATA_KB_MORE (256 << 10)
static bool is_allocators(const char *line)
{
    return strchr(line, '/') == NULL;
}
#else
#define DATA_KB_MORE 1024
static bool is_allocators(const char *line)
{
    (void)line;
    return false;
}
#endif

static struct holdings holdings_of(pid_t pid)
{
    struct holdings held = { .fds = count_fds(pid) };
    FILE *file = open_proc(pid, "maps");
    char line[512];

    while (fgets(line, sizeof line, file) != NULL) {
        held.maps += !is_allocators(line);
        held.segments += strstr(line, "memfd:weir") != NULL;
    }
    fclose(file);
    file = open_proc(pid, "status");
    while (fgets(line, sizeof line, file) != NULL)
        sscanf(line, "VmData: %ld kB", &held.data_kb);
    fclose(file);
    return held;
}

/* Allocators keep a little; nobody keeps a descriptor, or a segment. */
static void expect_same(const char *who, const struct holdings *before,
                        const struct holdings *after)
{
    printf("# %s: %u fds, %u maps, %ld kB\n", who, after->fds, after->maps,
           after->data_kb);
    ck_assert_msg(after->fds == before->fds, "%s: %u fds, %u before", who,
                  after->fds, before->fds);
    ck_assert_msg(after->segments == before->segments,
                  "%s: %u segments, %u before", who, after->segments,
                  before->segments);
    ck_assert_msg(after->maps <= before->maps + 4, "%s: %u maps, %u before",
                  who, after->maps, before->maps);
    ck_assert_msg(after->data_kb <= before->data_kb + DATA_KB_MORE,
                  "%s: %ld kB, %ld before", who, after->data_kb,
                  before->data_kb);
}

static int crash(weir_call *call)
{
    (void)call;
    raise(SIGSEGV);
    return 0;
}

/* Another kind each time: closed; terminated with calls in it; with one that
 * crashed; recycled and resized. */
static void make_and_end(weir_context *context, unsigned i)
{
    static weir_function *const functions[] = { grow, crash };
    weir_pool_options options = { .size = sizeof options,
                                  .functions = functions,
                                  .function_count = 2,
                                  .workers = 1 + i % 2,
                                  .workers_most = 2,
                                  .window = 16,
                                  .recycle = i % 4 == 3 ? 2 : 0 };
    weir_pool *pool = NULL;
    weir_result *results[4];
    const char *text;

    ck_assert_int_eq(weir_pool_new(context, &options, &pool, NULL), 0);
    for (uint32_t k = 0; k < 4; k++)
        ck_assert_int_eq(weir_pool_apply_async(pool, i % 4 == 2 ? crash : grow,
                                               &k, sizeof k, BOUND_NS,
                                               &results[k], NULL),
                         0);
    if (i % 4 == 3)
        ck_assert_int_eq(weir_pool_resize(pool, 1), 0);
    ck_assert_int_eq(i % 4 == 1 ? weir_pool_terminate(pool)
                                : weir_pool_close(pool),
                     0);
    ck_assert_int_eq(weir_pool_join(pool, BOUND_NS), 0);
    if (i % 4 == 2)
        ck_assert_int_eq(weir_result_trace(results[0], &text), 0);
    ck_assert_int_eq(weir_pool_free(&pool), 0);
    for (int k = 0; k < 4; k++)
        weir_result_free(&results[k]);
}

START_TEST(many_pools)
{
    enum { WARM = 100 };
    const unsigned many = is_long() ? 100000 : 200;
    struct holdings own, helper, now;
    weir_context *context = NULL;
    struct mallinfo2 before;
    pid_t pid;

    ck_assert_int_eq(weir_context_open(NULL, &context, NULL), 0);
    pid = context_helper_pid(context);
    /* What is made once, late or by chance: tables, and what malloc keeps. */
    for (unsigned i = 0; i < WARM; i++)
        make_and_end(context, i);
    own = holdings_of(getpid());
    helper = holdings_of(pid);
    before = mallinfo2();
    for (unsigned i = 0; i < many; i++)
        make_and_end(context, i);
    ck_assert_uint_le(mallinfo2().uordblks, before.uordblks + 4096);
    now = holdings_of(getpid());
    expect_same("the program", &own, &now);
    now = holdings_of(pid);
    expect_same("the helper", &helper, &now);
    weir_context_close(&context);
}
END_TEST

static Suite *pool_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("killed");

    tcase_set_timeout(tcase, 3600);
    tcase_add_checked_fixture(tcase, children_setup, children_teardown);
    tcase_add_loop_test(tcase, at_each_point, 0, is_long() ? 1 : 3);
    tcase_add_test(tcase, stopped_with_a_lock);
    tcase_add_loop_test(tcase, terminated_with_a_lock, 0, 4);
    tcase_add_test(tcase, many_callers);
    tcase_add_test(tcase, many_pools);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    static Suite *(*const suites[])(void) = { pool_suite, NULL };

    return suites_main(suites);
}
