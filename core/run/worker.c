/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.c - the life of a worker process: it finds its place in the run,
 * opens the task, works until the stream ends, closes. Runs in workers, forked
 * by the nursery.
 *
 * It ends in three ways: with 0 after its end was committed (the book says
 * `ended`), another has taken its place (follow.c), or the run was stopped;
 * with 1 after it has told the supervisor why; or killed, at any instruction.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "queue/snapshot.h"
#include "run/news.h"
#include "run/run.h"
#include "run/worker.h"

/* Stderr is a pipe to the supervisor, and has what a task prints to stdout,
 * too, which is the results' alone and the run's writer's; by whole lines, so
 * that they are out when it dies. A file that reaches its limit is an error,
 * not a death. The first to go when memory is short is a worker, which is
 * replaced, and not the supervisor. */
static void set_up_process(const struct worker *worker, int stderr_fd)
{
    char name[16];
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!write(fd, "500", 3);
        close(fd);
    }
    fd_put_at(stderr_fd, STDERR_FILENO);
    fd_put_at(STDERR_FILENO, STDOUT_FILENO);
    close(stderr_fd);
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGXFSZ, SIG_IGN);
    snprintf(name, sizeof name, "weir:%s", worker->post.name);
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

int worker_enter(struct worker *worker)
{
    int code = member_enter(worker->segment, worker->post.member,
                            &worker->member);

    if (code == 0 && worker->post.dropper > 0)
        code = member_enter(worker->segment, worker->post.dropper - 1,
                            &worker->host.dropper);
    worker->host.member = worker->member;
    return code;
}

static int attach(struct worker *worker, const struct nursery_order *order,
                  weir_error *err)
{
    int code = segment_attach(order->fds[POST_SEGMENT], &worker->segment, err);

    if (code == 0)
        segment_shield(worker->segment);
    if (code == 0)
        code = segment_seclude(worker->segment);
    if (code == 0 && !worker->post.follows)
        code = worker_enter(worker);
    close(order->fds[POST_SEGMENT]);
    if (code == 0)
        segment_set_sinks_log(worker->segment, order->fds[POST_FILES]);
    return code;
}

static int set_up_host(struct worker *worker, const struct job_bound *bound,
                       const struct nursery_order *order)
{
    const struct job_bound_stage *stage = &bound->stages[worker->post.stage];
    struct host *host = &worker->host;
    size_t room = stage->task->save != NULL ? MEMBER_REFS : LEASE_MOST;

    worker->task = host->task = stage->task;
    host->params = stage->params;
    host->post = &worker->post;
    host->member = worker->member;
    host->segment = worker->segment;
    host->news = order->fds[POST_NEWS];
    host->stop_fd = order->fds[POST_STOP];
    host->keeps = stage->task->save != NULL && worker->post.from.count > 0;
    host->saved_fds[0] = host->saved_fds[1] = -1;
    worker_set_turn(worker, order->fds[POST_TURN]);
    if (order->fd_count == POST_FDS) {
        host->saved_fds[0] = order->fds[POST_SAVED];
        host->saved_fds[1] = order->fds[POST_SAVED + 1];
    }
    host->last_words = last_words_attach(order->fds[POST_LAST_WORDS]);
    close(order->fds[POST_LAST_WORDS]);
    guard_init(host);
    host->root = (uint64_t)worker->post.stage << 52 |
                 (uint64_t)worker->post.index << 40;
    worker->items = calloc(room, sizeof *worker->items);
    return worker->items != NULL ? host_init(host) : WEIR_ENOMEM;
}

/* ---------------------------------------------------------- open, close ----
 */

/* The words for a call that must not fail and did. */
static int unopened(struct host *host, const char *what, int returned)
{
    char why[sizeof host->why];

    if (host->verdict == 0)
        snprintf(host->why, sizeof host->why, "%s",
                 returned < 0 ? weir_strerror(returned)
                              : "the task gives no reason");
    memcpy(why, host->why, sizeof why);
    snprintf(host->why, sizeof host->why, "%s: %.480s", what, why);
    return WEIR_EFAILED;
}

int worker_load_saved(struct worker *worker)
{
    const struct book *book = member_book(worker->segment, worker->post.member);
    struct host *host = &worker->host;
    int fd, code;

    if (worker->task->load == NULL || book->saved < 1 || book->saved > 2)
        return 0;
    fd = guard_saved(host, book->saved - 1);
    if (lseek(fd, 0, SEEK_SET) < 0)
        return unopened(host, "its saved state cannot be read", -errno);
    host->phase = PHASE_STATE;
    guard_enter(host);
    code = worker->task->load(&host->call, fd);
    guard_leave(host);
    return code == 0 ? 0
                     : unopened(host, "its saved state cannot be loaded", code);
}

int worker_call(struct worker *worker, int (*function)(weir_call *call))
{
    int returned;

    guard_enter(&worker->host);
    returned = function(&worker->host.call);
    guard_leave(&worker->host);
    return returned;
}

int worker_open(struct worker *worker)
{
    struct host *host = &worker->host;
    int code = 0;

    host_begin(host, PHASE_OPEN, NULL);
    host->state = NULL;
    if (worker->task->source)
        host_begin_source(host);
    if (worker->task->open != NULL)
        code = worker_call(worker, worker->task->open);
    return code == 0 ? 0 : unopened(host, "it cannot be opened", code);
}

int worker_open_task(struct worker *worker)
{
    int code = worker_open(worker);

    return code < 0 ? code : worker_load_saved(worker);
}

void worker_close_task(struct worker *worker)
{
    struct host *host = &worker->host;
    int code = 0;

    host_begin(host, PHASE_CLOSE, NULL);
    if (worker->task->close != NULL)
        code = worker_call(worker, worker->task->close);
    if (code != 0)
        host_say(host, NEWS_LOG, WEIR_WARNING, "close failed: %s",
                 host->verdict != 0 ? host->why : weir_strerror(code));
}

/* ---------------------------------------------------------------- life ---- */

static int work(struct worker *worker)
{
    int code = 0;

    worker->now = clock_now();
    if (worker->post.keyed)
        code = turn_serve(worker->member, worker->post.from.at[0],
                          worker->post.index);
    if (code == 0)
        code = worker->task->source ? worker_source(worker)
                                    : worker_turns(worker);
    if (code == 0 && !worker->left)
        code = worker->task->source ? worker_ended(worker)
                                    : worker_flush(worker);
    return code;
}

/* So many MiB, when that is what it is to be replaced for; else 0. */
static int large_from_the_start(const struct worker *worker)
{
    const uint64_t most = worker->post.recycle_bytes;
    const uint64_t bytes = most > 0 ? stat_own_bytes(0) : 0;

    return most > 0 && bytes > most ? (int)(bytes >> 20) : 0;
}

static int live(struct worker *worker)
{
    struct host *host = &worker->host;
    unsigned member = worker->post.member;
    int code;

    /* Killed between the commit of its end and its exit. */
    if (member_book(worker->segment, member)->ended != 0)
        return 0;
    code = worker->post.follows ? worker_follow(worker)
                                : worker_open_task(worker);
    if (code < 0)
        host_say(host, NEWS_UNOPEN, code, "%s", host->why);
    if (code != 0)
        return code < 0 ? code : 0;
    host_say(host, NEWS_READY, large_from_the_start(worker), "%s", "");
    code = work(worker);
    if (code < 0 && code != WEIR_ECANCELED)
        host_say(host, NEWS_FATAL, code, "%s",
                 host->why[0] != '\0' ? host->why : weir_strerror(code));
    if (code == 0)
        worker_close_task(worker);
    return code == WEIR_ECANCELED ? 0 : code;
}

int run_worker(void *bound, const struct nursery_order *order)
{
    struct worker worker = { .mean_ns = 0 };
    weir_error err = { 0 };
    int code;

    if (order->fd_count < POST_SAVED)
        return 1;
    code = post_read(order->data, order->size, &worker.post);
    if (code == 0) {
        fault_start(NULL, (int)worker.post.member);
        set_up_process(&worker, order->fds[POST_STDERR]);
        code = attach(&worker, order, &err);
    }
    if (code == 0)
        code = set_up_host(&worker, bound, order);
    if (code == 0)
        code = live(&worker);
    else
        news_say(order->fds[POST_NEWS], worker.post.member, NEWS_UNOPEN, code,
                 "%s", err.text[0] != '\0' ? err.text : weir_strerror(code));
    if (code == 0) {
        member_leave(&worker.host.dropper);
        member_leave(&worker.member);
    }
    last_words_free(&worker.host.last_words);
    host_free(&worker.host);
    free(worker.items);
    VEC_DONE(&worker.put_off);
    post_done(&worker.post);
    return code == 0 ? 0 : 1;
}
