/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * with-zeromq.c - the rows of the suite with ZeroMQ over ipc, between two
 * processes.
 *
 *   call            64 bytes there and back (REQ, REP)
 *   queue SIZE      one puts, one gets (PUSH, PULL)
 */
#include <signal.h>
#include <sys/wait.h>
#include <zmq.h>

#include "bench.h"

static char address[64];

static void *open_socket(int type, int bind_it)
{
    void *socket = zmq_socket(zmq_ctx_new(), type);

    if (socket == NULL || (bind_it ? zmq_bind(socket, address)
                                   : zmq_connect(socket, address)) != 0)
        bench_die("zmq", zmq_strerror(errno));
    return socket;
}

static void row_call(void)
{
    char bytes[64] = { 0 };
    pid_t pid = fork();
    uint64_t turns = 0;
    int64_t started, end;
    void *socket;

    if (pid == 0) {
        socket = open_socket(ZMQ_REP, 1);
        while (zmq_recv(socket, bytes, sizeof bytes, 0) >= 0)
            zmq_send(socket, bytes, sizeof bytes, 0);
        _exit(0);
    }
    socket = open_socket(ZMQ_REQ, 0);
    zmq_send(socket, bytes, sizeof bytes, 0);
    zmq_recv(socket, bytes, sizeof bytes, 0);
    started = bench_now();
    end = started + row_ns();
    do {
        zmq_send(socket, bytes, sizeof bytes, 0);
        zmq_recv(socket, bytes, sizeof bytes, 0);
        turns++;
    } while (bench_now() < end);
    bench_print((double)(bench_now() - started) / (double)turns);
    kill(pid, SIGKILL);
}

static void row_queue(size_t size)
{
    char *bytes = calloc(1, size);
    uint64_t items = 0;
    int64_t started;
    void *socket;
    pid_t pid = fork();

    if (pid == 0) {
        int64_t until = 0;

        socket = open_socket(ZMQ_PUSH, 0);
        zmq_send(socket, bytes, size, 0);
        until = bench_now() + row_ns();
        while (bench_now() < until)
            for (int i = 0; i < 16; i++)
                zmq_send(socket, bytes, size, 0);
        zmq_send(socket, "", 0, 0);
        pause();
    }
    socket = open_socket(ZMQ_PULL, 1);
    zmq_recv(socket, bytes, size, 0);
    started = bench_now();
    while (zmq_recv(socket, bytes, size, 0) > 0)
        items++;
    bench_print((double)(bench_now() - started) / (double)items);
    kill(pid, SIGKILL);
    free(bytes);
}

int main(int argc, char **argv)
{
    const char *row = argc > 1 ? argv[1] : "";

    snprintf(address, sizeof address, "ipc:///tmp/weir-bench-%ld.zmq",
             (long)getpid());
    if (strcmp(row, "call") == 0)
        row_call();
    else if (strcmp(row, "queue") == 0)
        row_queue(bench_number(argc > 2 ? argv[2] : NULL));
    else
        bench_die(row, "no such row");
    unlink(address + strlen("ipc://"));
    return 0;
}
