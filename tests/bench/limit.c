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
#include <mqueue.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "bench.h"

enum { LINE = 64 };

/* -------------------------------------------------------------- calls ---- */

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

static double by_fd_call(int ask[2], int answer[2], size_t size)
{
    char *bytes = calloc(1, size);
    uint64_t turns = 0;
    int64_t started, end;
    double ns;
    pid_t pid = bench_fork();

    if (pid == 0)
        while (read_all(ask[0], bytes, size) &&
               write_all(answer[1], bytes, size))
            ;
    started = bench_now();
    end = started + row_ns();
    do {
        if (!write_all(ask[1], bytes, size) ||
            !read_all(answer[0], bytes, size))
            bench_die("call", strerror(errno));
        turns++;
    } while (turns % BENCH_LOOK_EVERY != 0 || bench_now() < end);
    ns = (double)(bench_now() - started) / (double)turns;
    kill(pid, SIGKILL);
    free(bytes);
    return ns;
}

static double by_pipes(size_t size)
{
    int ask[2], answer[2];

    if (pipe(ask) < 0 || pipe(answer) < 0)
        bench_die("pipe", strerror(errno));
    return by_fd_call(ask, answer, size > 0 ? size : LINE);
}

static double by_packets(void)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
        bench_die("socketpair", strerror(errno));
    return by_fd_call((int[2]){ pair[1], pair[0] },
                      (int[2]){ pair[0], pair[1] }, LINE);
}

/* -------------------------------------------------------------- chains ---- */

static void pass_robust(struct robust *from, struct robust *to, size_t size,
                        size_t batch)
{
    char *bytes = malloc(size * batch);
    size_t count;

    while (bytes != NULL && (count = robust_get(from, size, batch, bytes)) > 0)
        robust_put(to, size, count, bytes);
    robust_end(to);
    _exit(bytes == NULL);
}

static double by_chain(size_t size, size_t stages, size_t batch)
{
    struct robust *first = robust_new(size), *last = first;
    uint64_t items;
    int64_t started;
    double ns;

    for (size_t i = 0; i < stages; i++) {
        struct robust *next = robust_new(size);

        if (bench_fork() == 0)
            pass_robust(last, next, size, batch);
        last = next;
    }
    started = bench_now();
    if (bench_fork() == 0) {
        robust_put_until(first, started + row_ns(), size, batch);
        robust_end(first);
        _exit(0);
    }
    items = robust_get_all(last, size, batch);
    ns = (double)(bench_now() - started) / (double)items;
    while (wait(NULL) > 0)
        ;
    return ns;
}

/* What the caches cost: all slots written, then all read. */
static double fill(size_t slots)
{
    char item[LINE] = { 0 }, *bytes = bench_shared(slots * LINE);
    int64_t started, end;
    uint64_t items = 0;

    memset(bytes, 0, slots * LINE);
    started = bench_now();
    end = started + row_ns();
    do {
        for (size_t i = 0; i < slots; i++)
            memcpy(bytes + i * LINE, item, LINE);
        for (size_t i = 0; i < slots; i++) {
            memcpy(item, bytes + i * LINE, LINE);
            bench_use((uint64_t)item[0]);
        }
        items += slots;
    } while (bench_now() < end);
    return (double)(bench_now() - started) / (double)items;
}

/* ------------------------------------- N processes put, N others get ---- */

static void put_messages(const struct bare_way *way, int64_t until)
{
    char *bytes = calloc(1, way->size);
    uint64_t turns = 0;

    do {
        if (way->queue >= 0 ? mq_send(way->queue, bytes, way->size, 0) < 0
                            : write(way->out, bytes, way->size) < 0)
            bench_die("write", strerror(errno));
        turns++;
    } while (turns % BENCH_LOOK_EVERY != 0 || bench_now() < until);
    free(bytes);
}

/* A pipe may give less than an item: bytes are counted. An empty message is
 * the end. */
static uint64_t get_messages(const struct bare_way *way)
{
    char *bytes = calloc(1, way->size);
    uint64_t sum = 0;
    ssize_t got;

    while ((got = way->queue >= 0
                      ? mq_receive(way->queue, bytes, way->size, NULL)
                      : read(way->in, bytes, way->size)) > 0) {
        sum += (uint64_t)got;
        if (way->size >= BENCH_IN_PLACE)
            bench_use(bench_read(bytes, (size_t)got));
    }
    free(bytes);
    return sum / way->size;
}

static void end_messages(const struct bare_way *way)
{
    if (way->queue < 0)
        close(way->out);
    for (size_t i = 0; way->queue >= 0 && i < way->each; i++)
        mq_send(way->queue, "", 0, 0);
}

static double many_messages(size_t size, size_t each, int in, int out,
                            int queue)
{
    return bare_many(row_ns(), &(struct bare_way){ .put = put_messages,
                                                   .get = get_messages,
                                                   .end = end_messages,
                                                   .size = size,
                                                   .batch = 1,
                                                   .each = each,
                                                   .in = in,
                                                   .out = out,
                                                   .queue = queue });
}

static double by_fds(size_t size, size_t each, int packet)
{
    int fds[2];

    if (packet ? socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0
               : pipe(fds) < 0)
        bench_die("pipe", strerror(errno));
    return many_messages(size, each, fds[0], fds[1], -1);
}

static double by_mq(size_t size, size_t each)
{
    struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = (long)size };
    char name[64];
    mqd_t queue;

    snprintf(name, sizeof name, "/weir-bench-%ld", (long)getpid());
    queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    if (queue == (mqd_t)-1)
        bench_die("mq_open", strerror(errno));
    mq_unlink(name);
    return many_messages(size, each, -1, -1, queue);
}

int main(int argc, char **argv)
{
    const char *row = argc > 1 ? argv[1] : "";
    int64_t for_ns = row_ns();
    size_t args[3] = { 0 };
    double ns = 0;

    for (int i = 0; i < 3 && i + 2 < argc; i++)
        args[i] = bench_number(argv[i + 2]);
    if (strcmp(row, "spin-call") == 0)
        ns = bare_spin_call(for_ns);
    else if (strcmp(row, "futex-call") == 0)
        ns = bare_futex_call(for_ns, 2000000);
    else if (strcmp(row, "pipe-call") == 0)
        ns = by_pipes(args[0]);
    else if (strcmp(row, "packet-call") == 0)
        ns = by_packets();
    else if (strcmp(row, "ring") == 0)
        ns = bare_ring(for_ns, args[0], args[1], args[2]);
    else if (strcmp(row, "robust") == 0)
        ns = bare_robust(for_ns, args[0], args[1], args[2]);
    else if (strcmp(row, "chain") == 0)
        ns = by_chain(args[0], args[1], args[2]);
    else if (strcmp(row, "fill") == 0)
        ns = fill(args[0]);
    else if (strcmp(row, "pipe") == 0)
        ns = by_fds(args[0], args[1], 0);
    else if (strcmp(row, "packet") == 0)
        ns = by_fds(args[0], args[1], 1);
    else if (strcmp(row, "mq") == 0)
        ns = by_mq(args[0], args[1]);
    else if (strcmp(row, "copy") == 0)
        ns = bare_copy(for_ns, args[0]);
    else if (strcmp(row, "start") == 0)
        ns = bare_start(for_ns);
    else
        bench_die(row, "no such row");
    bench_print(ns);
    return 0;
}
