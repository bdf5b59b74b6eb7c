/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * with-gearman.c - the rows of the suite with Gearman: a job server of its own
 * on the loopback, workers by fork, as libgearman has it.
 *
 *   call            64 bytes there and back, one worker
 *   async W         no-op calls, 1,000 at a time, W workers
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <libgearman/gearman.h>

#include "bench.h"

enum { AT_ONCE = 1000 };

static in_port_t port;

static void must(gearman_return_t code)
{
    if (gearman_failed(code))
        bench_die("gearman", gearman_strerror(code));
}

static pid_t child_of(void)
{
    pid_t pid = fork();

    if (pid < 0)
        bench_die("fork", strerror(errno));
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

static struct sockaddr_in loopback(in_port_t number)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(number),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* One that nobody has now. */
static in_port_t free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        bench_die("a port", strerror(errno));
    close(fd);
    return ntohs(address.sin_port);
}

/* A worker that came before its server would not be known to it. */
static void await_server(void)
{
    struct sockaddr_in address = loopback(port);
    int64_t end = bench_now() + INT64_C(10000000000);
    int code = -1;

    while (code < 0 && bench_now() < end) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        code = connect(fd, (struct sockaddr *)&address, sizeof address);
        close(fd);
        if (code < 0)
            bench_pause(10000000);
    }
    if (code < 0)
        bench_die("gearmand", "does not answer");
}

static pid_t start_server(void)
{
    char words[64];
    pid_t pid;

    port = free_port();
    snprintf(words, sizeof words, "--port=%u", (unsigned)port);
    pid = child_of();
    if (pid == 0) {
        execlp("gearmand", "gearmand", "--listen=127.0.0.1", words,
               "--log-file=none", (char *)NULL);
        bench_die("gearmand", strerror(errno));
    }
    await_server();
    return pid;
}

static void *echo(gearman_job_st *job, void *arg, size_t *size,
                  gearman_return_t *code)
{
    void *data;

    (void)arg;
    *size = gearman_job_workload_size(job);
    data = malloc(*size + 1);
    if (data != NULL)
        memcpy(data, gearman_job_workload(job), *size);
    *code = data != NULL ? GEARMAN_SUCCESS : GEARMAN_ERROR;
    return data;
}

static void *nothing(gearman_job_st *job, void *arg, size_t *size,
                     gearman_return_t *code)
{
    (void)job;
    (void)arg;
    *size = 0;
    *code = GEARMAN_SUCCESS;
    return NULL;
}

static void work(void)
{
    gearman_worker_st *worker = gearman_worker_create(NULL);

    must(gearman_worker_add_server(worker, "127.0.0.1", port));
    must(gearman_worker_add_function(worker, "echo", 0, echo, NULL));
    must(gearman_worker_add_function(worker, "nothing", 0, nothing, NULL));
    for (;;)
        must(gearman_worker_work(worker));
}

static gearman_return_t call(gearman_client_st *client)
{
    static const char bytes[64];
    gearman_return_t code;
    size_t size;

    free(gearman_client_do(client, "echo", NULL, bytes, sizeof bytes, &size,
                           &code));
    return code;
}

static gearman_client_st *connect_client(void)
{
    gearman_client_st *client = gearman_client_create(NULL);

    must(gearman_client_add_server(client, "127.0.0.1", port));
    gearman_client_set_timeout(client, 10000);
    must(call(client));
    return client;
}

static void row_call(gearman_client_st *client)
{
    int64_t started = bench_now(), end = started + row_ns();
    uint64_t turns = 0;

    do {
        must(call(client));
        turns++;
    } while (bench_now() < end);
    bench_print((double)(bench_now() - started) / (double)turns);
}

static void row_async(gearman_client_st *client)
{
    int64_t started = bench_now(), end = started + row_ns();
    uint64_t calls = 0;

    do {
        for (int i = 0; i < AT_ONCE; i++) {
            gearman_return_t code;

            gearman_client_add_task(client, NULL, NULL, "nothing", NULL, NULL,
                                    0, &code);
            must(code);
        }
        must(gearman_client_run_tasks(client));
        gearman_client_task_free_all(client);
        calls += AT_ONCE;
    } while (bench_now() < end);
    bench_print((double)(bench_now() - started) / (double)calls);
}

int main(int argc, char **argv)
{
    const char *row = argc > 1 ? argv[1] : "";
    size_t workers = bench_number(argc > 2 ? argv[2] : "1");
    gearman_client_st *client;
    pid_t server;

    signal(SIGPIPE, SIG_IGN);
    server = start_server();
    for (size_t i = 0; i < workers; i++)
        if (child_of() == 0)
            work();
    client = connect_client();
    if (strcmp(row, "call") == 0)
        row_call(client);
    else if (strcmp(row, "async") == 0)
        row_async(client);
    else
        bench_die(row, "no such row");
    gearman_client_free(client);
    fflush(stdout);
    kill(server, SIGKILL); /* the workers go with this process */
    return 0;
}
