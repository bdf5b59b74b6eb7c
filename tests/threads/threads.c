/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * threads.c - many threads of one program at one pool: calls, callbacks,
 * cancel, map, imap and dispatch at once; each call has one answer, and the
 * right one. Built by threads.sh with all of libweir for the thread sanitizer.
 *
 *     threads WORKERS ROUNDS
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/weir.h>

enum { THREADS = 16, ROUND = 100, MOST = 4096 };

static weir_pool *pool;
static weir_function *pass, *upper;
static atomic_ulong answers, cancelled, wrong;
static atomic_bool over;

/*
 * The sanitizer of gcc 12 does not know pthread_mutex_clocklock, and takes what
 * that locks for not locked. libweir is built with this in its place.
 */
int watched_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                      const struct timespec *until);
int watched_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                      const struct timespec *until)
{
    const struct timespec little = { .tv_nsec = 50000 };
    int code;

    while ((code = pthread_mutex_trylock(mutex)) == EBUSY) {
        struct timespec now;

        clock_gettime(clock, &now);
        if (now.tv_sec > until->tv_sec ||
            (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec))
            return ETIMEDOUT;
        nanosleep(&little, NULL);
    }
    return code;
}

static void count(weir_result *result, void *arg)
{
    (void)result;
    (void)arg;
    atomic_fetch_add(&answers, 1);
}

static void note_wrong(const char *what, const char *words)
{
    if (atomic_fetch_add(&wrong, 1) == 0)
        printf("%s: %s\n", what, words);
}

static size_t size_of(unsigned i)
{
    return 1 + i * 37 % MOST;
}

static void check(weir_result **result, unsigned i, char letter)
{
    char want = (char)(i % 2 != 0 ? letter : letter - 'a' + 'A');
    weir_error err = { 0 };
    weir_bytes bytes;
    int code = weir_result_get(*result, WEIR_FOREVER, &bytes, &err);

    if (code == WEIR_ECANCELED)
        atomic_fetch_add(&cancelled, 1);
    else if (code != 0)
        note_wrong("a call failed", err.text);
    else if (bytes.size != size_of(i) ||
             ((const char *)bytes.data)[bytes.size - 1] != want)
        note_wrong("a call", "another's result");
    weir_result_free(result);
}

static void call_round(const char *text)
{
    const weir_call_options options = { .size = sizeof options,
                                        .on_done = count };
    weir_result *results[ROUND];
    weir_error err;

    for (unsigned i = 0; i < ROUND; i++)
        if (weir_pool_apply_async_with(pool, i % 2 != 0 ? pass : upper, text,
                                       size_of(i), WEIR_FOREVER, &options,
                                       &results[i], &err) != 0) {
            note_wrong("cannot call", err.text);
            exit(1);
        } else if (i % 17 == 3) {
            weir_result_cancel(results[i]);
        }
    for (unsigned i = 0; i < ROUND; i++)
        check(&results[i], i, text[0]);
}

static int next_input(void *arg, weir_bytes *input_out, weir_error *err)
{
    unsigned *left = arg;

    (void)err;
    *input_out = (weir_bytes){ "x", 1 };
    return *left == 0 ? 0 : (--*left, 1);
}

static void imap_round(void)
{
    unsigned left = ROUND, got = 0;
    weir_result *result;
    weir_imap *imap;

    if (weir_pool_imap_unordered(pool, pass, next_input, &left, NULL, &imap,
                                 NULL) != 0) {
        note_wrong("imap", "not made");
        return;
    }
    while (weir_imap_next(imap, WEIR_FOREVER, &result, NULL) == 0) {
        got += weir_result_successful(result) == 1;
        weir_result_free(&result);
    }
    weir_imap_free(&imap);
    if (got != ROUND)
        note_wrong("imap", "some are missing");
}

static void map_round(void)
{
    weir_bytes inputs[ROUND];
    weir_result *results[ROUND];

    for (unsigned i = 0; i < ROUND; i++)
        inputs[i] = (weir_bytes){ "y", 1 };
    if (weir_pool_map(pool, pass, inputs, ROUND, 0, WEIR_FOREVER, results,
                      NULL) != 0)
        note_wrong("map", "some failed");
    for (unsigned i = 0; i < ROUND; i++)
        weir_result_free(&results[i]);
}

struct caller {
    unsigned number, rounds;
};

static void *call(void *arg)
{
    const struct caller *caller = arg;
    char text[MOST];

    memset(text, 'a' + (int)caller->number, sizeof text);
    for (unsigned i = 0; i < caller->rounds; i++)
        if (caller->number == 0)
            imap_round();
        else if (caller->number == 1)
            map_round();
        else
            call_round(text);
    return NULL;
}

static void *dispatch(void *arg)
{
    while (!atomic_load(&over))
        weir_pool_dispatch(pool, 1000000);
    return arg;
}

int main(int argc, char **argv)
{
    weir_pool_options options = { .size = sizeof options, .window = 512 };
    struct caller callers[THREADS];
    pthread_t threads[THREADS], dispatcher;
    unsigned long calls;
    weir_context *context;
    weir_error err;

    if (argc != 3)
        return 2;
    options.workers = (unsigned)atoi(argv[1]);
    /* The sanitizer has a thread: the context is a late one. */
    if (weir_context_open(NULL, &context, &err) != 0 ||
        weir_pool_new(context, &options, &pool, &err) != 0 ||
        weir_pool_task(pool, "flow.pass", NULL, &pass, &err) != 0 ||
        weir_pool_task(pool, "text.upper", NULL, &upper, &err) != 0) {
        printf("%s\n", err.text);
        return 1;
    }
    pthread_create(&dispatcher, NULL, dispatch, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){ i, (unsigned)atoi(argv[2]) };
        pthread_create(&threads[i], NULL, call, &callers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&over, true);
    pthread_join(dispatcher, NULL);
    weir_pool_close(pool);
    weir_pool_join(pool, WEIR_FOREVER);
    weir_pool_free(&pool);
    weir_context_close(&context);
    calls = (THREADS - 2) * ROUND * (unsigned long)callers[0].rounds;
    printf("%lu calls, %lu answers, %lu cancelled, %lu wrong\n", calls, answers,
           cancelled, wrong);
    return wrong != 0 || answers != calls;
}
