/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limit.c - the rows of the suite with nothing but what the system gives, each
 * written for just this work; no crash safety, unless a row says robust.
 *
 *   spin-call                  64 bytes there and back, both sides spinning
 *   futex-call                 the same, both sides asleep, 2 ms after the last
 *   pipe-call [SIZE]           64 bytes, or SIZE, there and back by pipes
 *   packet-call                the same by a SEQPACKET socket
 *   ring SIZE BATCH SLOTS      one producer, one consumer, a ring in shared
 *                              memory; from 64 KiB on written and read in place
 *   robust SIZE N BATCH        N put, N get: a ring under a robust mutex
 *   chain SIZE STAGES BATCH    the same ring N times: one puts, each of STAGES
 *                              hands on by copy, one gets
 *   fill SLOTS                 64 bytes: a bare ring filled, then emptied, by
 *                              one process
 *   pipe, packet, mq SIZE N    N write, N read: items of SIZE
 *   copy SIZE                  memcpy, within the cache
 *   start                      fork two, one call by pipe, all ended
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "bench.h"

enum { LINE = 64, IN_PLACE = 64 << 10, PROCESSES_MOST = 256 };

struct shared {
    alignas(LINE) _Atomic uint32_t there;
    alignas(LINE) _Atomic uint32_t back;
    alignas(LINE) char bytes[2][LINE];
    alignas(LINE) _Atomic int go;
    _Atomic int over;
    _Atomic int64_t until, last;
    _Atomic uint64_t items;
};

static struct shared *shared;

static pid_t child_of(void)
{
    pid_t pid = fork();

    if (pid < 0)
        bench_die("fork", strerror(errno));
    return pid;
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

static void await_spinning(_Atomic uint32_t *word, uint32_t value)
{
    while (atomic_load_explicit(word, memory_order_acquire) != value)
        relax();
}

static void row_spin_call(void)
{
    pid_t pid = child_of();
    uint32_t turn = 0;
    int64_t started, end;

    if (pid == 0)
        for (;;) {
            await_spinning(&shared->there, ++turn);
            memcpy(shared->bytes[1], shared->bytes[0], LINE);
            atomic_store_explicit(&shared->back, turn, memory_order_release);
        }
    started = now_ns();
    end = started + bench_ns();
    do {
        for (int i = 0; i < LOOK_EVERY; i++) {
            memset(shared->bytes[0], (int)turn, LINE);
            atomic_store_explicit(&shared->there, ++turn, memory_order_release);
            await_spinning(&shared->back, turn);
        }
    } while (now_ns() < end);
    bench_print(now_ns() - started, turn);
    kill(pid, SIGKILL);
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

static void row_futex_call(void)
{
    pid_t pid = child_of();
    uint32_t turn = 0;
    int64_t ns = 0;

    if (pid == 0)
        for (;;) {
            await_asleep(&shared->there, ++turn);
            tell(&shared->back, turn);
        }
    for (int64_t end = now_ns() + bench_ns(); now_ns() < end;) {
        int64_t started;

        bench_pause(2000000);
        started = now_ns();
        tell(&shared->there, ++turn);
        await_asleep(&shared->back, turn);
        ns += now_ns() - started;
    }
    bench_print(ns, turn);
    kill(pid, SIGKILL);
}

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, bytes, size);

        if (put <= 0)
            return 0;
        bytes += put;
        size -= (size_t)put;
    }
    return 1;
}

static int read_all(int fd, char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t got = read(fd, bytes, size);

        if (got <= 0)
            return 0;
        bytes += got;
        size -= (size_t)got;
    }
    return 1;
}

static void row_fd_call(int ask[2], int answer[2], size_t size)
{
    char *bytes = calloc(1, size);
    uint64_t turns = 0;
    int64_t started, end;
    pid_t pid = child_of();

    if (pid == 0)
        while (read_all(ask[0], bytes, size) &&
               write_all(answer[1], bytes, size))
            ;
    started = now_ns();
    end = started + bench_ns();
    do {
        if (!write_all(ask[1], bytes, size) ||
            !read_all(answer[0], bytes, size))
            bench_die("call", strerror(errno));
        turns++;
    } while (turns % LOOK_EVERY != 0 || now_ns() < end);
    bench_print(now_ns() - started, turns);
    kill(pid, SIGKILL);
    free(bytes);
}

static void row_pipe_call(size_t size)
{
    int ask[2], answer[2];

    if (pipe(ask) < 0 || pipe(answer) < 0)
        bench_die("pipe", strerror(errno));
    row_fd_call(ask, answer, size > 0 ? size : LINE);
}

static void row_packet_call(void)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
        bench_die("socketpair", strerror(errno));
    row_fd_call((int[2]){ pair[1], pair[0] }, (int[2]){ pair[0], pair[1] },
                LINE);
}

/* -------------------------------------------- a ring for two, no lock ---- */

struct ring {
    alignas(LINE) _Atomic uint64_t tail;
    alignas(LINE) _Atomic uint64_t head;
    alignas(LINE) char bytes[];
};

static void produce_ring(struct ring *ring, size_t size, size_t batch,
                         size_t slots, const char *from)
{
    uint64_t tail = 0, head = 0;
    int64_t until = now_ns() + bench_ns();
    uint64_t turns = 0;

    do {
        while (tail + batch - head > slots) {
            head = atomic_load_explicit(&ring->head, memory_order_acquire);
            relax();
        }
        for (size_t i = 0; i < batch; i++, tail++) {
            char *to = ring->bytes + tail % slots * size;

            if (size >= IN_PLACE)
                memset(to, 'w', size);
            else
                memcpy(to, from, size);
        }
        atomic_store_explicit(&ring->tail, tail, memory_order_release);
        turns++;
    } while ((size < IN_PLACE && turns % LOOK_EVERY != 0) || now_ns() < until);
    atomic_store(&shared->over, 1);
}

static uint64_t consume_ring(struct ring *ring, size_t size, size_t batch,
                             size_t slots, char *to)
{
    uint64_t head = 0, tail = 0;

    for (;;) {
        size_t most;

        while (tail == head) {
            int over = atomic_load(&shared->over);

            tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
            if (tail == head && over)
                return head;
            relax();
        }
        most = tail - head < batch ? tail - head : batch;
        for (size_t i = 0; i < most; i++, head++) {
            const char *from = ring->bytes + head % slots * size;

            if (size >= IN_PLACE)
                bench_use(bench_read(from, size));
            else
                memcpy(to + i * size, from, size);
        }
        atomic_store_explicit(&ring->head, head, memory_order_release);
    }
}

static void row_ring(size_t size, size_t batch, size_t slots)
{
    struct ring *ring = bench_shared(sizeof *ring + slots * size);
    char *bytes = calloc(batch, size);
    int64_t started;
    uint64_t items;
    pid_t pid;

    memset(ring->bytes, 0, slots * size);
    started = now_ns();
    pid = child_of();
    if (pid == 0) {
        produce_ring(ring, size, batch, slots, bytes);
        _exit(0);
    }
    items = consume_ring(ring, size, batch, slots, bytes);
    bench_print(now_ns() - started, items);
    waitpid(pid, NULL, 0);
    free(bytes);
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

static struct robust *robust_new(size_t size)
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

static void give_robust(struct robust *ring, size_t size, size_t count,
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

/* At most @batch of them; 0 at the end. */
static size_t take_robust(struct robust *ring, size_t size, size_t batch,
                          char *to)
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

static void end_robust(struct robust *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->over = 1;
    pthread_mutex_unlock(&ring->lock);
    pthread_cond_broadcast(&ring->filled);
}

static void produce_robust(struct robust *ring, size_t size, size_t batch,
                           const char *from)
{
    int64_t until = atomic_load(&shared->until);
    uint64_t turns = 0;

    do {
        give_robust(ring, size, batch, from);
        turns++;
    } while (turns % LOOK_EVERY != 0 || now_ns() < until);
}

static uint64_t consume_robust(struct robust *ring, size_t size, size_t batch,
                               char *to)
{
    uint64_t items = 0;
    size_t count;

    while ((count = take_robust(ring, size, batch, to)) > 0)
        items += count;
    return items;
}

static void pass_robust(struct robust *from, struct robust *to, size_t size,
                        size_t batch)
{
    char *bytes = malloc(size * batch);
    size_t count;

    while (bytes != NULL && (count = take_robust(from, size, batch, bytes)) > 0)
        give_robust(to, size, count, bytes);
    end_robust(to);
    _exit(bytes == NULL);
}

static void row_chain(size_t size, size_t stages, size_t batch)
{
    char *bytes = calloc(batch, size);
    struct robust *first = robust_new(size), *last = first;
    uint64_t items;
    int64_t started;

    for (size_t i = 0; i < stages; i++) {
        struct robust *next = robust_new(size);

        if (child_of() == 0)
            pass_robust(last, next, size, batch);
        last = next;
    }
    started = now_ns();
    atomic_store(&shared->until, started + bench_ns());
    if (child_of() == 0) {
        produce_robust(first, size, batch, bytes);
        end_robust(first);
        _exit(0);
    }
    items = consume_robust(last, size, batch, bytes);
    bench_print(now_ns() - started, items);
    while (wait(NULL) > 0)
        ;
    free(bytes);
}

/* What the caches cost: all slots written, then all read. */
static void row_fill(size_t slots)
{
    char item[LINE] = { 0 }, *bytes = bench_shared(slots * LINE);
    int64_t started, end;
    uint64_t items = 0;

    memset(bytes, 0, slots * LINE);
    started = now_ns();
    end = started + bench_ns();
    do {
        for (size_t i = 0; i < slots; i++)
            memcpy(bytes + i * LINE, item, LINE);
        for (size_t i = 0; i < slots; i++) {
            memcpy(item, bytes + i * LINE, LINE);
            bench_use((uint64_t)item[0]);
        }
        items += slots;
    } while (now_ns() < end);
    bench_print(now_ns() - started, items);
}

/* ------------------------------------- N processes put, N others get ---- */

struct way {
    size_t size, batch;
    struct robust *ring;
    int in, out;
    mqd_t mq;
};

static void note_end(uint64_t items)
{
    int64_t now = now_ns(), seen = atomic_load(&shared->last);

    atomic_fetch_add(&shared->items, items);
    while (seen < now &&
           !atomic_compare_exchange_weak(&shared->last, &seen, now))
        ;
}

static void produce_messages(const struct way *way, const char *bytes)
{
    int64_t until = atomic_load(&shared->until);
    uint64_t turns = 0;

    do {
        if (way->mq != (mqd_t)-1 ? mq_send(way->mq, bytes, way->size, 0) < 0
                                 : write(way->out, bytes, way->size) < 0)
            bench_die("write", strerror(errno));
        turns++;
    } while (turns % LOOK_EVERY != 0 || now_ns() < until);
}

/* A pipe may give less than an item: bytes are counted. An empty message is
 * the end. */
static uint64_t consume_messages(const struct way *way, char *bytes)
{
    uint64_t sum = 0;
    ssize_t got;

    while ((got = way->mq != (mqd_t)-1
                      ? mq_receive(way->mq, bytes, way->size, NULL)
                      : read(way->in, bytes, way->size)) > 0) {
        sum += (uint64_t)got;
        if (way->size >= IN_PLACE)
            bench_use(bench_read(bytes, (size_t)got));
    }
    return sum / way->size;
}

static void run_side(const struct way *way, int producer)
{
    char *bytes = calloc(way->batch, way->size);

    while (atomic_load(&shared->go) == 0)
        bench_pause(100000);
    if (producer && way->ring != NULL)
        produce_robust(way->ring, way->size, way->batch, bytes);
    else if (producer)
        produce_messages(way, bytes);
    else if (way->ring != NULL)
        note_end(consume_robust(way->ring, way->size, way->batch, bytes));
    else
        note_end(consume_messages(way, bytes));
    _exit(0);
}

static void end_way(const struct way *way, size_t each)
{
    if (way->ring != NULL) {
        end_robust(way->ring);
    } else if (way->mq != (mqd_t)-1) {
        for (size_t i = 0; i < each; i++)
            mq_send(way->mq, "", 0, 0);
    } else {
        close(way->out);
    }
}

static void row_many(const struct way *way, size_t each)
{
    pid_t pids[2][PROCESSES_MOST];
    int64_t started;

    if (each < 1 || each > PROCESSES_MOST)
        bench_die("processes", "out of range");
    for (int producer = 0; producer < 2; producer++)
        for (size_t i = 0; i < each; i++) {
            pids[producer][i] = child_of();
            if (pids[producer][i] == 0) {
                if (!producer && way->out >= 0)
                    close(way->out);
                run_side(way, producer);
            }
        }
    bench_pause(10000000);
    started = now_ns();
    atomic_store(&shared->until, started + bench_ns());
    atomic_store(&shared->go, 1);
    for (size_t i = 0; i < each; i++)
        waitpid(pids[1][i], NULL, 0);
    end_way(way, each);
    for (size_t i = 0; i < each; i++)
        waitpid(pids[0][i], NULL, 0);
    bench_print(atomic_load(&shared->last) - started,
                atomic_load(&shared->items));
}

static void row_fds(size_t size, size_t each, int packet)
{
    struct way way = { .size = size, .batch = 1, .mq = (mqd_t)-1 };
    int fds[2];

    if (packet ? socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0
               : pipe(fds) < 0)
        bench_die("pipe", strerror(errno));
    way.in = fds[0];
    way.out = fds[1];
    row_many(&way, each);
}

static void row_mq(size_t size, size_t each)
{
    struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = (long)size };
    struct way way = { .size = size, .batch = 1, .in = -1, .out = -1 };
    char name[64];

    snprintf(name, sizeof name, "/weir-bench-%ld", (long)getpid());
    way.mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    if (way.mq == (mqd_t)-1)
        bench_die("mq_open", strerror(errno));
    mq_unlink(name);
    row_many(&way, each);
}

/* ------------------------------------------------------- copy, start ---- */

static void row_copy(size_t size)
{
    char *from = malloc(size), *to = malloc(size);
    uint64_t turns = 0;
    int64_t started, end;

    memset(from, 'w', size);
    memset(to, 0, size);
    started = now_ns();
    end = started + bench_ns();
    do {
        memcpy(to, from, size);
        bench_use((uint64_t)to[turns % size]);
        turns++;
    } while (now_ns() < end);
    bench_print(now_ns() - started, turns);
    free(from);
    free(to);
}

static void row_start(void)
{
    int64_t started = now_ns(), end = started + bench_ns();
    uint64_t turns = 0;

    for (; now_ns() < end; turns++) {
        int ask[2], answer[2];
        char byte = 'a';

        if (pipe(ask) < 0 || pipe(answer) < 0)
            bench_die("pipe", strerror(errno));
        for (int i = 0; i < 2; i++)
            if (child_of() == 0) {
                close(ask[1]);
                if (read(ask[0], &byte, 1) == 1)
                    (void)!write(answer[1], &byte, 1);
                _exit(0);
            }
        (void)!write(ask[1], &byte, 1);
        (void)!read(answer[0], &byte, 1);
        close(ask[1]);
        while (wait(NULL) > 0)
            ;
        close(ask[0]);
        close(answer[0]);
        close(answer[1]);
    }
    bench_print(now_ns() - started, turns);
}

int main(int argc, char **argv)
{
    const char *row = argc > 1 ? argv[1] : "";
    size_t args[3] = { 0 };

    for (int i = 0; i < 3 && i + 2 < argc; i++)
        args[i] = bench_number(argv[i + 2]);
    shared = bench_shared(sizeof *shared);
    if (strcmp(row, "spin-call") == 0)
        row_spin_call();
    else if (strcmp(row, "futex-call") == 0)
        row_futex_call();
    else if (strcmp(row, "pipe-call") == 0)
        row_pipe_call(args[0]);
    else if (strcmp(row, "packet-call") == 0)
        row_packet_call();
    else if (strcmp(row, "ring") == 0)
        row_ring(args[0], args[1], args[2]);
    else if (strcmp(row, "robust") == 0)
        row_many(&(struct way){ .size = args[0],
                                .batch = args[2],
                                .ring = robust_new(args[0]),
                                .in = -1,
                                .out = -1,
                                .mq = (mqd_t)-1 },
                 args[1]);
    else if (strcmp(row, "chain") == 0)
        row_chain(args[0], args[1], args[2]);
    else if (strcmp(row, "fill") == 0)
        row_fill(args[0]);
    else if (strcmp(row, "pipe") == 0)
        row_fds(args[0], args[1], 0);
    else if (strcmp(row, "packet") == 0)
        row_fds(args[0], args[1], 1);
    else if (strcmp(row, "mq") == 0)
        row_mq(args[0], args[1]);
    else if (strcmp(row, "copy") == 0)
        row_copy(args[0]);
    else if (strcmp(row, "start") == 0)
        row_start();
    else
        bench_die(row, "no such row");
    return 0;
}
