/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench_bare.c - see bench_bare.h. No crash safety, unless a name says robust;
 * processes of their own, forked here. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/bench_bare.h"

enum { LINE = 64, NS_IN_S = 1000000000 };

int64_t bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_IN_S + now.tv_nsec;
}

void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "weir: bench: %s: %s\n", what, why);
    _exit(3);
}

void *bench_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        bench_die("mmap", strerror(errno));
    return memory;
}

void bench_pause(int64_t ns)
{
    struct timespec pause = { ns / NS_IN_S, ns % NS_IN_S };

    nanosleep(&pause, NULL);
}

pid_t bench_fork(void)
{
    pid_t parent = getpid(), pid = fork();

    if (pid < 0)
        bench_die("fork", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(0);
    }
    return pid;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void bench_sort(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void *bench_memory(size_t count, size_t size)
{
    void *memory = calloc(count, size > 0 ? size : 1);

    if (memory == NULL)
        bench_die("malloc", "no memory");
    return memory;
}

static void relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* -------------------------------------------------------------- calls ---- */

/* One word each way, and what goes with it. */
struct words {
    alignas(LINE) _Atomic uint32_t there;
    alignas(LINE) _Atomic uint32_t back;
    alignas(LINE) char bytes[2][LINE];
};

static void await_spinning(_Atomic uint32_t *word, uint32_t value)
{
    while (atomic_load_explicit(word, memory_order_acquire) != value)
        relax();
}

double bare_spin_call(int64_t for_ns)
{
    struct words *words = bench_shared(sizeof *words);
    pid_t pid = bench_fork();
    uint32_t turn = 0;
    int64_t started, end, ns;

    if (pid == 0)
        for (;;) {
            await_spinning(&words->there, ++turn);
            memcpy(words->bytes[1], words->bytes[0], LINE);
            atomic_store_explicit(&words->back, turn, memory_order_release);
        }
    started = bench_now();
    end = started + for_ns;
    do {
        for (int i = 0; i < BENCH_LOOK_EVERY; i++) {
            memset(words->bytes[0], (int)turn, LINE);
            atomic_store_explicit(&words->there, ++turn, memory_order_release);
            await_spinning(&words->back, turn);
        }
    } while (bench_now() < end);
    ns = bench_now() - started;
    end_child(pid);
    return bench_each(ns, turn);
}

static void await_asleep(_Atomic uint32_t *word, uint32_t value)
{
    uint32_t seen;

    while ((seen = atomic_load(word)) != value)
        syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static void tell(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

double bare_futex_call(int64_t for_ns, int64_t pause_ns)
{
    struct words *words = bench_shared(sizeof *words);
    pid_t pid = bench_fork();
    uint32_t turn = 0;
    int64_t ns = 0;

    if (pid == 0)
        for (;;) {
            await_asleep(&words->there, ++turn);
            tell(&words->back, turn);
        }
    for (int64_t end = bench_now() + for_ns; bench_now() < end;) {
        int64_t started;

        if (pause_ns > 0)
            bench_pause(pause_ns);
        started = bench_now();
        tell(&words->there, ++turn);
        await_asleep(&words->back, turn);
        ns += bench_now() - started;
    }
    end_child(pid);
    return bench_each(ns, turn);
}

/* -------------------------------------------- a ring for two, no lock ---- */

struct ring {
    alignas(LINE) _Atomic uint64_t tail;
    alignas(LINE) _Atomic uint64_t head;
    alignas(LINE) _Atomic int over;
    alignas(LINE) char bytes[];
};

static void produce_ring(struct ring *ring, int64_t for_ns, size_t size,
                         size_t batch, size_t slots, const char *from)
{
    uint64_t tail = 0, head = 0;
    int64_t until = bench_now() + for_ns;
    uint64_t turns = 0;

    do {
        while (tail + batch - head > slots) {
            head = atomic_load_explicit(&ring->head, memory_order_acquire);
            relax();
        }
        for (size_t i = 0; i < batch; i++, tail++) {
            char *to = ring->bytes + tail % slots * size;

            if (size >= BENCH_IN_PLACE)
                memset(to, 'w', size);
            else
                memcpy(to, from, size);
        }
        atomic_store_explicit(&ring->tail, tail, memory_order_release);
        turns++;
    } while ((size < BENCH_IN_PLACE && turns % BENCH_LOOK_EVERY != 0) ||
             bench_now() < until);
    atomic_store(&ring->over, 1);
}

static uint64_t consume_ring(struct ring *ring, size_t size, size_t batch,
                             size_t slots, char *to)
{
    uint64_t head = 0, tail = 0;

    for (;;) {
        size_t most;

        while (tail == head) {
            int over = atomic_load(&ring->over);

            tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
            if (tail == head && over)
                return head;
            relax();
        }
        most = tail - head < batch ? tail - head : batch;
        for (size_t i = 0; i < most; i++, head++) {
            const char *from = ring->bytes + head % slots * size;

            if (size >= BENCH_IN_PLACE)
                bench_use(bench_read(from, size));
            else
                memcpy(to + i * size, from, size);
        }
        atomic_store_explicit(&ring->head, head, memory_order_release);
    }
}

double bare_ring(int64_t for_ns, size_t size, size_t batch, size_t slots)
{
    struct ring *ring = bench_shared(sizeof *ring + slots * size);
    char *bytes = bench_memory(batch, size);
    int64_t started, ns;
    uint64_t items;
    pid_t pid;

    memset(ring->bytes, 0, slots * size);
    started = bench_now();
    pid = bench_fork();
    if (pid == 0) {
        produce_ring(ring, for_ns, size, batch, slots, bytes);
        _exit(0);
    }
    items = consume_ring(ring, size, batch, slots, bytes);
    ns = bench_now() - started;
    waitpid(pid, NULL, 0);
    free(bytes);
    return bench_each(ns, items);
}

/* ------------------------------------------ a ring, a robust mutex ---- */

enum { ROBUST_SLOTS = 1024 };

struct robust {
    pthread_mutex_t lock;
    pthread_cond_t filled, freed;
    uint64_t head, tail;
    int over;
    char bytes[];
};

struct robust *robust_new(size_t size)
{
    struct robust *ring = bench_shared(sizeof *ring + ROBUST_SLOTS * size);
    pthread_mutexattr_t mutex;
    pthread_condattr_t cond;

    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
    pthread_condattr_init(&cond);
    pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&ring->lock, &mutex);
    pthread_cond_init(&ring->filled, &cond);
    pthread_cond_init(&ring->freed, &cond);
    return ring;
}

void robust_put(struct robust *ring, size_t size, size_t count,
                const char *from)
{
    pthread_mutex_lock(&ring->lock);
    while (ring->tail + count - ring->head > ROBUST_SLOTS)
        pthread_cond_wait(&ring->freed, &ring->lock);
    for (size_t i = 0; i < count; i++, ring->tail++)
        memcpy(ring->bytes + ring->tail % ROBUST_SLOTS * size, from + i * size,
               size);
    pthread_mutex_unlock(&ring->lock);
    pthread_cond_signal(&ring->filled);
}

size_t robust_get(struct robust *ring, size_t size, size_t batch, char *to)
{
    size_t count;

    pthread_mutex_lock(&ring->lock);
    while (ring->head == ring->tail && !ring->over)
        pthread_cond_wait(&ring->filled, &ring->lock);
    count = ring->tail - ring->head;
    count = count < batch ? count : batch;
    for (size_t i = 0; i < count; i++, ring->head++)
        memcpy(to + i * size, ring->bytes + ring->head % ROBUST_SLOTS * size,
               size);
    pthread_mutex_unlock(&ring->lock);
    pthread_cond_signal(&ring->freed);
    return count;
}

void robust_end(struct robust *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->over = 1;
    pthread_mutex_unlock(&ring->lock);
    pthread_cond_broadcast(&ring->filled);
}

/* ------------------------------------- N processes put, N others get ---- */

/* What they share beside the way itself. */
struct start {
    _Atomic int go;
    _Atomic int64_t until, last; /* the last of who gets has ended */
    _Atomic uint64_t items;
};

static void note_end(struct start *start, uint64_t items)
{
    int64_t now = bench_now(), seen = atomic_load(&start->last);

    atomic_fetch_add(&start->items, items);
    while (seen < now &&
           !atomic_compare_exchange_weak(&start->last, &seen, now))
        ;
}

_Noreturn static void run_side(const struct bare_way *way, struct start *start,
                               int putting)
{
    if (!putting && way->out >= 0)
        close(way->out);
    while (atomic_load(&start->go) == 0)
        bench_pause(100000);
    if (putting)
        way->put(way, atomic_load(&start->until));
    else
        note_end(start, way->get(way));
    _exit(0);
}

double bare_many(int64_t for_ns, const struct bare_way *way)
{
    struct start *start = bench_shared(sizeof *start);
    pid_t pids[2][BENCH_PROCESSES_MOST];
    int64_t started;

    if (way->each < 1 || way->each > BENCH_PROCESSES_MOST)
        bench_die("processes", "out of range");
    for (int putting = 0; putting < 2; putting++)
        for (size_t i = 0; i < way->each; i++) {
            pids[putting][i] = bench_fork();
            if (pids[putting][i] == 0)
                run_side(way, start, putting);
        }
    bench_pause(10000000);
    started = bench_now();
    atomic_store(&start->until, started + for_ns);
    atomic_store(&start->go, 1);
    for (size_t i = 0; i < way->each; i++)
        waitpid(pids[1][i], NULL, 0);
    way->end(way);
    for (size_t i = 0; i < way->each; i++)
        waitpid(pids[0][i], NULL, 0);
    return bench_each(atomic_load(&start->last) - started,
                      atomic_load(&start->items));
}

void robust_put_until(struct robust *ring, int64_t until, size_t size,
                      size_t batch)
{
    char *bytes = bench_memory(batch, size);
    uint64_t turns = 0;

    do {
        robust_put(ring, size, batch, bytes);
        turns++;
    } while (turns % BENCH_LOOK_EVERY != 0 || bench_now() < until);
    free(bytes);
}

uint64_t robust_get_all(struct robust *ring, size_t size, size_t batch)
{
    char *bytes = bench_memory(batch, size);
    uint64_t items = 0;
    size_t count;

    while ((count = robust_get(ring, size, batch, bytes)) > 0)
        items += count;
    free(bytes);
    return items;
}

static void put_by_robust(const struct bare_way *way, int64_t until)
{
    robust_put_until(way->ring, until, way->size, way->batch);
}

static uint64_t get_by_robust(const struct bare_way *way)
{
    return robust_get_all(way->ring, way->size, way->batch);
}

static void end_robust_way(const struct bare_way *way)
{
    robust_end(way->ring);
}

double bare_robust(int64_t for_ns, size_t size, size_t each, size_t batch)
{
    return bare_many(for_ns, &(struct bare_way){ .put = put_by_robust,
                                                 .get = get_by_robust,
                                                 .end = end_robust_way,
                                                 .size = size,
                                                 .batch = batch,
                                                 .each = each,
                                                 .ring = robust_new(size),
                                                 .in = -1,
                                                 .out = -1,
                                                 .queue = -1 });
}

/* ------------------------------------------------------- copy, start ---- */

double bare_copy(int64_t for_ns, size_t size)
{
    char *from = bench_memory(1, size), *to = bench_memory(1, size);
    uint64_t turns = 0;
    int64_t started, end, ns;

    memset(from, 'w', size);
    memset(to, 0, size);
    started = bench_now();
    end = started + for_ns;
    do {
        memcpy(to, from, size);
        bench_use((uint64_t)to[turns % size]);
        turns++;
    } while (bench_now() < end);
    ns = bench_now() - started;
    free(from);
    free(to);
    return bench_each(ns, turns);
}

static void start_once(void)
{
    int ask[2], answer[2];
    pid_t pids[2];
    char byte = 'a';

    if (pipe(ask) < 0 || pipe(answer) < 0)
        bench_die("pipe", strerror(errno));
    for (int i = 0; i < 2; i++) {
        pids[i] = bench_fork();
        if (pids[i] == 0) {
            close(ask[1]);
            if (read(ask[0], &byte, 1) == 1)
                (void)!write(answer[1], &byte, 1);
            _exit(0);
        }
    }
    (void)!write(ask[1], &byte, 1);
    (void)!read(answer[0], &byte, 1);
    close(ask[1]);
    for (int i = 0; i < 2; i++)
        waitpid(pids[i], NULL, 0);
    close(ask[0]);
    close(answer[0]);
    close(answer[1]);
}

double bare_start(int64_t for_ns)
{
    int64_t started = bench_now(), end = started + for_ns;
    uint64_t turns = 0;

    for (; bench_now() < end; turns++)
        start_once();
    return bench_each(bench_now() - started, turns);
}
