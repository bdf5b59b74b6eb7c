/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* context.c - core/process/context.c and helper.c: opening and closing, deaths
 * of host, helper and nursery, and services of rooms above. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/suites.h"
#include "watch.h"

static const struct helper_service *const none[] = { NULL };

static weir_context *open_one(const struct helper_service *const *services)
{
    weir_context *context = NULL;
    weir_error err = { 0 };

    ck_assert_msg(context_open_with(NULL, services, &context, &err) == 0, "%s",
                  err.text);
    return context;
}

static int sleep_on(weir_child *self)
{
    (void)self;
    while (pause() < 0)
        continue;
    return 0;
}

static int leave_seven(weir_child *self)
{
    (void)self;
    return 7;
}

static weir_process *launch(weir_context *context, int (*run)(weir_child *self))
{
    weir_process_options options = {
        .size = sizeof options,
        .run = run,
        .on_owner_exit = WEIR_OWNER_EXIT_TERMINATE
    };
    weir_process *process;

    ck_assert_int_eq(weir_process_new(context, &options, &process, NULL), 0);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    return process;
}

static int ends_by(weir_process **process)
{
    weir_exit end;

    ck_assert_int_eq(weir_process_join(*process, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_exit(*process, &end), 0);
    ck_assert_int_eq(weir_process_free(process), 0);
    return end.code;
}

/* The parent of a process. */
static pid_t parent_of(pid_t pid)
{
    struct stat_line line;

    ck_assert_int_eq(stat_read(pid, &line), 0);
    return line.parent;
}

START_TEST(open_and_close)
{
    int before = watch_fds();

    for (int i = 0; i < 3; i++) {
        weir_context *one = open_one(none), *two = open_one(none);
        weir_process *process = launch(two, leave_seven);

        ck_assert_int_eq(ends_by(&process), 7);
        weir_context_close(&one);
        process = launch(two, leave_seven);
        ck_assert_int_eq(ends_by(&process), 7);
        weir_context_close(&two);
        ck_assert_ptr_null(two);
    }
    ck_assert_int_eq(watch_fds(), before);
}
END_TEST

START_TEST(bad_options)
{
    weir_context_options options = { .size = 0 };
    weir_context *context = NULL;

    ck_assert_int_eq(weir_context_open(&options, &context, NULL), WEIR_EINVAL);
    options.size = sizeof options;
    options.keep_count = 65;
    ck_assert_int_eq(weir_context_open(&options, &context, NULL), WEIR_EINVAL);
    ck_assert_int_eq(weir_context_open(NULL, NULL, NULL), WEIR_EINVAL);
    ck_assert_ptr_null(context);
    weir_context_close(&context);
    weir_context_close(NULL);
}
END_TEST

static void *wait_for_end(void *fd)
{
    char c;

    (void)!read(*(int *)fd, &c, 1);
    return NULL;
}

/* Services of its own are in no other program. */
START_TEST(threads_refused)
{
    weir_context *context = NULL;
    weir_error err = { 0 };
    pthread_t thread;
    int gate[2];

    ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_end, &gate[0]), 0);
    ck_assert_int_eq(context_open_with(NULL, none, &context, &err),
                     WEIR_ESTATE);
    ck_assert_msg(strstr(err.text, "threads") != NULL, "%s", err.text);
    ck_assert_ptr_null(context);
    close(gate[1]);
    pthread_join(thread, NULL);
}
END_TEST

/* The host's wait() sees no helper; what it does with SIGCHLD is its own. */
START_TEST(host_reaps_and_ignores)
{
    weir_context *context;
    weir_process *process;
    struct sigaction action;

    if (_i == 1)
        signal(SIGCHLD, SIG_IGN);
    context = open_one(none);
    process = launch(context, leave_seven);
    ck_assert_int_eq(ends_by(&process), 7);
    weir_context_close(&context);
    sigaction(SIGCHLD, NULL, &action);
    ck_assert(action.sa_handler == (_i == 1 ? SIG_IGN : SIG_DFL));
}
END_TEST

/* Closed while daemons run: nobody is left, and handles say so. */
START_TEST(closed_under_handles)
{
    weir_context *context = open_one(none);
    weir_process *process = launch(context, sleep_on), *made;
    weir_process_options options = { .size = sizeof options, .run = sleep_on };
    pid_t pid = weir_process_pid(process);
    weir_exit end;

    ck_assert_int_eq(weir_process_new(context, &options, &made, NULL), 0);
    if (_i == 1) /* a helper that was stopped is woken */
        kill(context_helper_pid(context), SIGSTOP);
    weir_context_close(&context);
    ck_assert_int_eq(watch_state(pid), 0);
    ck_assert_int_eq(weir_process_join(process, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_exit(process, &end), 0);
    ck_assert_int_eq(end.code, SIGKILL);
    ck_assert_int_eq(weir_process_alive(process), 0);
    ck_assert_int_eq(weir_process_join(made, BOUND_NS), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_kill(made), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_start(made, NULL), WEIR_EBROKEN);
    ck_assert_int_eq(weir_process_free(&process), 0);
    ck_assert_int_eq(weir_process_free(&made), 0);
}
END_TEST

/* ------------------------------------------------------------- deaths ---- */

START_TEST(helper_killed)
{
    int before = watch_fds();
    weir_context *context = open_one(none);
    weir_process *process = launch(context, sleep_on), *made;
    weir_process_options options = { .size = sizeof options, .run = sleep_on };
    pid_t pid = weir_process_pid(process), nursery = parent_of(pid);

    kill(context_helper_pid(context), SIGKILL);
    ck_assert_int_eq(weir_process_join(process, BOUND_NS), WEIR_EBROKEN);
    ck_assert(watch_gone(pid));
    ck_assert(watch_gone(nursery));
    ck_assert_int_eq(weir_process_kill(process), WEIR_EBROKEN);
    ck_assert_int_eq(weir_process_new(context, &options, &made, NULL),
                     WEIR_EBROKEN);
    ck_assert_int_eq(weir_process_free(&process), 0);
    weir_context_close(&context);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    ck_assert_int_eq(watch_fds(), before);
}
END_TEST

/* A child of the first nursery ends by that nursery's kill; the next one is
 * forked by another. */
START_TEST(nursery_killed)
{
    weir_context *context = open_one(none);
    weir_process *process = launch(context, sleep_on), *next = NULL;
    weir_process_options options = { .size = sizeof options, .run = sleep_on };
    pid_t nursery = parent_of(weir_process_pid(process));
    int code;

    if (_i == 1) {
        kill(nursery, SIGSTOP);
        ck_assert(watch_until(nursery, 'T'));
    }
    kill(nursery, SIGKILL);
    ck_assert_int_eq(ends_by(&process), SIGKILL);
    ck_assert_int_eq(weir_process_new(context, &options, &next, NULL), 0);
    do { /* refused at most while the new one is forked */
        code = weir_process_start(next, NULL);
    } while (code == WEIR_ELOST);
    ck_assert_int_eq(code, 0);
    ck_assert_int_ne(parent_of(weir_process_pid(next)), nursery);
    ck_assert_int_eq(weir_process_terminate(next), 0);
    ck_assert_int_eq(ends_by(&next), SIGTERM);
    weir_context_close(&context);
}
END_TEST

struct told {
    pid_t helper, nursery, child, copy;
};

/* A host that is killed while a forked child of its own, with copies of all
 * its descriptors, lives on. */
static _Noreturn void host_main(int tell)
{
    struct told told = { 0 };
    weir_context *context = NULL;
    weir_process *process;

    if (context_open_with(NULL, none, &context, NULL) != 0)
        _exit(1);
    process = launch(context, sleep_on);
    told.helper = context_helper_pid(context);
    told.child = weir_process_pid(process);
    told.nursery = parent_of(told.child);
    told.copy = fork();
    if (told.copy == 0)
        for (;;)
            pause();
    fd_write_all(tell, &told, sizeof told);
    for (;;)
        pause();
}

START_TEST(host_killed)
{
    struct told told;
    int pipes[2];
    pid_t host;

    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    host = fork();
    if (host == 0)
        host_main(pipes[1]);
    watch_read(pipes[0], &told, sizeof told);
    if (_i == 0) { /* nobody holds copies: the life pipe wakes it, too */
        kill(told.copy, SIGKILL);
        kill(told.helper, SIGSTOP);
        kill(told.nursery, SIGSTOP);
        ck_assert(watch_until(told.helper, 'T'));
        ck_assert(watch_gone(told.copy));
    }
    kill(host, SIGKILL);
    ck_assert(watch_gone(host));
    ck_assert(watch_gone(told.child));
    ck_assert(watch_gone(told.nursery));
    ck_assert(watch_gone(told.helper));
    if (_i == 1) {
        ck_assert_int_eq(kill(told.copy, 0), 0);
        kill(told.copy, SIGKILL);
    }
    ck_assert(watch_gone(told.copy));
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}
END_TEST

/* ----------------------------------------------------------- services ---- */

/* A service that forks workers, answers now and later, and notes what it is
 * told, in order. */
struct notes {
    struct helper *helper;
    char text[256];
    uint64_t later; /* a question that waits for the first reaping */
    bool reaped;
    int64_t ticks;
    int pipe;
    int64_t tag_of_pipe;
};

enum {
    ASK_FORK = 'f',
    ASK_NOTES = 'n',
    ASK_LATER = 'l',
    ASK_FAIL = 'x',
    ASK_TICKS = 't',
    ASK_WATCH = 'w'
};

static void note(struct notes *notes, const char *what)
{
    size_t size = strlen(notes->text);

    snprintf(notes->text + size, sizeof notes->text - size, "%s ", what);
}

static int notes_open(struct helper *helper, void **state_out)
{
    struct notes *notes = calloc(1, sizeof *notes);

    if (notes == NULL)
        return WEIR_ENOMEM;
    notes->helper = helper;
    *state_out = notes;
    return 0;
}

static const struct helper_service notes_service;

static void pipe_ready(void *arg, int fd)
{
    struct notes *notes = arg;
    char c;

    (void)!read(fd, &c, 1);
    helper_unwatch(notes->helper, fd);
    close(fd);
    helper_answer(notes->helper, (uint64_t)notes->tag_of_pipe, 0, &c, 1, NULL,
                  0);
}

static int notes_request(void *state, const struct helper_request *request,
                         struct buf *reply)
{
    struct notes *notes = state;

    switch (request->size > 0 ? *(const char *)request->data : 0) {
    case ASK_FORK:
        return helper_fork(notes->helper, &notes_service, 77, request->data,
                           request->size, request->fds, request->fd_count);
    case ASK_NOTES:
        return buf_text(reply, notes->text);
    case ASK_LATER:
        if (notes->reaped)
            return buf_text(reply, "done");
        notes->later = request->tag;
        return HELPER_LATER;
    case ASK_TICKS:
        return buf_u64(reply, (uint64_t)notes->ticks);
    case ASK_WATCH:
        notes->tag_of_pipe = (int64_t)request->tag;
        if (helper_watch(notes->helper, request->fds[0], pipe_ready, notes))
            return WEIR_ENOMEM;
        request->fds[0] = -1;
        return HELPER_LATER;
    default:
        return WEIR_EFAILED;
    }
}

static void notes_forked(void *state, uint64_t id, int code, pid_t pid,
                         int pidfd)
{
    note(state,
         id == 77 && code == 0 && pid > 0 && pidfd >= 0 ? "forked" : "wrong");
}

/* Dead and not reaped: its number is still its own. */
static void notes_died(void *state, pid_t pid)
{
    struct stat_line line;

    note(state,
         stat_read(pid, &line) == 0 && line.state == 'Z' ? "died" : "wrong");
}

static void notes_reaped(void *state, uint64_t id, pid_t pid,
                         const struct exit_record *exit)
{
    struct notes *notes = state;

    (void)pid;
    note(notes, id == 77 && exit->code == 5 ? "reaped" : "wrong");
    notes->reaped = true;
    if (notes->later != 0)
        helper_answer(notes->helper, notes->later, 0, "done", 4, NULL, 0);
    notes->later = 0;
}

static int64_t notes_tick(void *state, int64_t now_ns)
{
    struct notes *notes = state;

    (void)now_ns;
    notes->ticks++;
    return NS_PER_MS;
}

static int notes_worker(void *state, const struct nursery_order *order)
{
    (void)state;
    return order->size == 3 && memcmp(order->data, "fab", 3) == 0 ? 5 : 6;
}

static const struct helper_service notes_service = {
    .name = "notes",
    .open = notes_open,
    .request = notes_request,
    .died = notes_died,
    .forked = notes_forked,
    .reaped = notes_reaped,
    .tick = notes_tick,
    .worker = notes_worker,
};

static const struct helper_service *const with_notes[] = { &notes_service,
                                                           NULL };

/* What weir_context_open gives: here, no more than the room's own. */
const struct helper_service *const context_services[] = { NULL };

static int ask(weir_context *context, const char *text,
               struct context_reply *reply)
{
    return context_request(context, &notes_service, text, strlen(text), NULL, 0,
                           reply);
}

START_TEST(service)
{
    weir_context *context = open_one(with_notes);
    struct context_reply reply;
    uint64_t ticks;
    int before = watch_fds(), pipes[2];

    ck_assert_int_eq(ask(context, "x", NULL), WEIR_EFAILED);
    ck_assert_int_eq(ask(context, "", NULL), WEIR_EFAILED);
    ck_assert_int_eq(ask(context, "fab", NULL), 0);
    ck_assert_int_eq(ask(context, "l", &reply), 0);
    ck_assert_str_eq(reply.data.data, "done");
    buf_done(&reply.data);
    ck_assert_int_eq(ask(context, "n", &reply), 0);
    ck_assert_str_eq(reply.data.data, "forked died reaped ");
    buf_done(&reply.data);
    do { /* it ticks by itself */
        ck_assert_int_eq(ask(context, "t", &reply), 0);
        memcpy(&ticks, reply.data.data, sizeof ticks);
        buf_done(&reply.data);
    } while (ticks < 20);
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    ck_assert_int_eq(write(pipes[1], "!", 1), 1);
    ck_assert_int_eq(context_request(context, &notes_service, "w", 1, pipes, 1,
                                     &reply),
                     0);
    ck_assert_str_eq(reply.data.data, "!");
    buf_done(&reply.data);
    close(pipes[0]);
    close(pipes[1]);
    ck_assert_int_eq(watch_fds(), before);
    weir_context_close(&context);
}
END_TEST

START_TEST(service_unknown)
{
    weir_context *context = open_one(none);

    ck_assert_int_eq(ask(context, "n", NULL), WEIR_EINVAL);
    weir_context_close(&context);
}
END_TEST

/* A stranger's worker: `died` comes for it too. */
START_TEST(service_sees_all_deaths)
{
    weir_context *context = open_one(with_notes);
    struct context_reply reply;
    weir_process *process = launch(context, leave_seven);

    ck_assert_int_eq(ends_by(&process), 7);
    ck_assert_int_eq(ask(context, "n", &reply), 0);
    ck_assert_str_eq(reply.data.data, "died ");
    buf_done(&reply.data);
    weir_context_close(&context);
}
END_TEST

static int refuse_to_open(struct helper *helper, void **state_out)
{
    (void)helper;
    (void)state_out;
    return -EMLINK;
}

START_TEST(service_that_cannot_open)
{
    static const struct helper_service bad = { .name = "bad",
                                               .open = refuse_to_open };
    static const struct helper_service *const services[] = { &bad, NULL };
    int before = watch_fds();
    weir_context *context = NULL;

    ck_assert_int_eq(context_open_with(NULL, services, &context, NULL),
                     -EMLINK);
    ck_assert_ptr_null(context);
    ck_assert_int_eq(watch_fds(), before);
}
END_TEST

Suite *context_suite(void)
{
    Suite *suite = suite_create("context");
    TCase *life = tcase_create("life");
    TCase *deaths = tcase_create("deaths");
    TCase *services = tcase_create("services");

    tcase_set_timeout(life, 60);
    tcase_add_checked_fixture(life, children_setup, children_teardown);
    tcase_add_test(life, open_and_close);
    tcase_add_test(life, bad_options);
    tcase_add_test(life, threads_refused);
    tcase_add_loop_test(life, host_reaps_and_ignores, 0, 2);
    tcase_add_loop_test(life, closed_under_handles, 0, 2);
    suite_add_tcase(suite, life);
    tcase_set_timeout(deaths, 60);
    tcase_add_checked_fixture(deaths, children_setup, children_teardown);
    tcase_add_test(deaths, helper_killed);
    tcase_add_loop_test(deaths, nursery_killed, 0, 2);
    tcase_add_loop_test(deaths, host_killed, 0, 2);
    suite_add_tcase(suite, deaths);
    tcase_set_timeout(services, 60);
    tcase_add_checked_fixture(services, children_setup, children_teardown);
    tcase_add_test(services, service);
    tcase_add_test(services, service_unknown);
    tcase_add_test(services, service_sees_all_deaths);
    tcase_add_test(services, service_that_cannot_open);
    suite_add_tcase(suite, services);
    return suite;
}
