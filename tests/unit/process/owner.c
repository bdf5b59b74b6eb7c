/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* owner.c - core/process/owner.c and what the helper does beside it: what
 * becomes of children when their owner closes, exits, returns, is killed. Each
 * owner is a program of its own; its children speak by the test's pipe. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "family.h"

enum how {
    CLOSES,      /* weir_context_close */
    EXITS,       /* exit, the context open */
    KILLED,      /* SIGKILL */
    LEAVES,      /* _exit: no handler runs */
    HELPER_DIES, /* killed; then the program closes */
};

/* What the program is to do, set before it is forked. */
static struct {
    enum how how;
    weir_owner_exit on_owner_exit;
    int64_t grace_ns;
    int (*run)(weir_child *self);
} plan;

static int gate[2]; /* what its children wait for */
static int said[2]; /* what its hook has said */
static int sign[2]; /* that it may go on */

static int wait_gate(weir_child *self)
{
    pid_t pid = getpid();
    char c;

    (void)self;
    if (family_tell(&pid, sizeof pid) != 0 || read(gate[0], &c, 1) != 1)
        return 1;
    return family_tell("e", 1);
}

static void on_term(int number)
{
    (void)number;
    family_tell("t", 1);
}

/* Says 't' when it is asked to end, then 'e', and ends. */
static int wait_term(weir_child *self)
{
    pid_t pid = getpid();
    sigset_t term, before;

    (void)self;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    signal(SIGTERM, on_term);
    if (family_tell(&pid, sizeof pid) != 0)
        return 1;
    sigsuspend(&before);
    return family_tell("e", 1);
}

/* Does not end when it is asked to. */
static int stay(weir_child *self)
{
    pid_t pid = getpid();

    signal(SIGTERM, SIG_IGN);
    family_tell(&pid, sizeof pid);
    return family_sleep(self);
}

static void say(enum weir_level level, const char *category, const char *text,
                void *arg)
{
    char line[128] = "";

    (void)arg;
    snprintf(line, sizeof line, "%s: %s", category, text);
    if (level == WEIR_INFO)
        (void)!write(said[1], line, sizeof line);
}

static void owner(void)
{
    int keep[] = { family_pipe[0], family_pipe[1], gate[0] };
    weir_context_options known = { .size = sizeof known,
                                   .keep = keep,
                                   .keep_count = 3 };
    weir_process_options options = { .size = sizeof options,
                                     .run = plan.run,
                                     .name = "the child",
                                     .on_owner_exit = plan.on_owner_exit,
                                     .grace_ns = plan.grace_ns };
    weir_context *context = NULL;
    weir_process *process = NULL;

    if (weir_context_open(&known, &context, NULL) != 0 ||
        weir_process_new(context, &options, &process, NULL) != 0 ||
        weir_process_start(process, NULL) != 0)
        _exit(70);
    /* The child must have its handler first; the test has heard of it. */
    if (plan.on_owner_exit == WEIR_OWNER_EXIT_TERMINATE || plan.how == LEAVES ||
        plan.how == HELPER_DIES)
        watch_readable(sign[0]);
    switch (plan.how) {
    case CLOSES:
        weir_context_close(&context);
        _exit(0);
    case EXITS:
        exit(0);
    case LEAVES:
        _exit(0);
    case HELPER_DIES:
        kill(context_helper_pid(context), SIGKILL);
        weir_context_close(&context);
        _exit(0);
    case KILLED:
        for (;;)
            pause();
    }
}

static void setup(void)
{
    children_setup();
    ck_assert_int_eq(pipe2(family_pipe, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(said, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(sign, O_CLOEXEC), 0);
}

static void teardown(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    children_teardown();
}

static pid_t start_owner(enum how how, weir_owner_exit on_owner_exit,
                         int64_t grace_ns, int (*run)(weir_child *self),
                         pid_t *child_out)
{
    pid_t pid;

    plan.how = how;
    plan.on_owner_exit = on_owner_exit;
    plan.grace_ns = grace_ns;
    plan.run = run;
    pid = family_program(owner);
    family_hear(child_out, sizeof *child_out);
    ck_assert_int_eq(write(sign[1], "s", 1), 1);
    return pid;
}

static void open_gate(void)
{
    ck_assert_int_eq(write(gate[1], "g", 1), 1);
}

static void hears(char want)
{
    char heard = 0;

    family_hear(&heard, 1);
    ck_assert_int_eq(heard, want);
}

/* ----------------------------------------------------------------- wait ----
 */

/* It is waited for: the program ends after the child's last word. */
START_TEST(wait_at_close_and_exit)
{
    pid_t child,
        program = start_owner(_i == 0 ? CLOSES : EXITS, WEIR_OWNER_EXIT_WAIT, 0,
                              wait_gate, &child);

    ck_assert_int_eq(kill(child, 0), 0);
    open_gate();
    hears('e');
    ck_assert_int_eq(family_program_end(program), 0);
    ck_assert(watch_gone(child));
}
END_TEST

/* Whom it waits for is said, before it waits. */
START_TEST(wait_is_said)
{
    pid_t child, program;
    char line[128], want[128];

    weir_log_set_hook(say, NULL);
    program = start_owner(_i == 0 ? CLOSES : EXITS, WEIR_OWNER_EXIT_WAIT, 0,
                          wait_gate, &child);
    watch_read(said[0], line, sizeof line);
    snprintf(want, sizeof want, "exit: waits for process 'the child', pid %d",
             (int)child);
    ck_assert_str_eq(line, want);
    ck_assert_int_eq(kill(child, 0), 0);
    open_gate();
    hears('e');
    ck_assert_int_eq(family_program_end(program), 0);
}
END_TEST

/* A close that shall not take long asks first. */
START_TEST(wait_with_a_bound)
{
    weir_context_options keep = { .size = sizeof keep,
                                  .keep = gate,
                                  .keep_count = 2 };
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep };
    weir_process *list[1] = { NULL };
    weir_exit end;

    ck_assert_int_eq(weir_context_open(&keep, &family, NULL), 0);
    ck_assert_int_eq(weir_context_join(family, 0), 0);
    family_start(&options);
    options.on_owner_exit = WEIR_OWNER_EXIT_TERMINATE; /* not waited for */
    family_start(&options);
    ck_assert_int_eq(weir_context_join(family, 0), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_context_join(family, NS_PER_MS), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_context_join(family, -1), WEIR_EINVAL);
    ck_assert_int_eq(weir_context_join(NULL, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_context_processes(family, list, 1), 2);
    ck_assert_int_eq(weir_process_kill(list[0]), 0);
    ck_assert_int_eq(weir_context_join(family, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_exit(list[0], &end), WEIR_ESTATE);
    weir_process_free(&list[0]);
    weir_context_processes(family, list, 1);
    weir_context_close(&family);
    weir_process_free(&list[0]);
}
END_TEST

/* ------------------------------------------------------------ terminate ----
 */

START_TEST(terminate_with_grace)
{
    pid_t child, program;
    char line[128];

    weir_log_set_hook(say, NULL);
    program = start_owner(_i == 0 ? CLOSES : EXITS, WEIR_OWNER_EXIT_TERMINATE,
                          BOUND_NS, wait_term, &child);
    hears('t');
    hears('e');
    ck_assert_int_eq(family_program_end(program), 0);
    ck_assert(watch_gone(child));
    watch_read(said[0], line, sizeof line);
    ck_assert_msg(strstr(line, "exit: terminates process 'the child'") == line,
                  "%s", line);
}
END_TEST

START_TEST(terminate_stubborn)
{
    pid_t child, program = start_owner(_i == 0 ? CLOSES : EXITS,
                                       WEIR_OWNER_EXIT_TERMINATE, 5 * NS_PER_MS,
                                       stay, &child);

    ck_assert_int_eq(family_program_end(program), 0);
    ck_assert(watch_gone(child));
}
END_TEST

/* -------------------------------------------------------- a killed owner ----
 */

/* Nobody outlives it, and nobody is given time; but who is detached does. */
START_TEST(owner_dies)
{
    static const struct {
        enum how how;
        weir_owner_exit on_owner_exit;
        int (*run)(weir_child *self);
    } rows[] = {
        { KILLED, WEIR_OWNER_EXIT_WAIT, wait_gate },
        { KILLED, WEIR_OWNER_EXIT_TERMINATE, wait_term },
        { LEAVES, WEIR_OWNER_EXIT_WAIT, stay },
        { LEAVES, WEIR_OWNER_EXIT_TERMINATE, stay },
        { HELPER_DIES, WEIR_OWNER_EXIT_WAIT, stay },
        { HELPER_DIES, WEIR_OWNER_EXIT_TERMINATE, stay },
    };
    pid_t child, program = start_owner(rows[_i].how, rows[_i].on_owner_exit,
                                       BOUND_NS, rows[_i].run, &child);

    if (rows[_i].how == KILLED)
        kill(program, SIGKILL);
    family_program_end(program);
    ck_assert(watch_gone(child));
    fcntl(family_pipe[0], F_SETFL, O_NONBLOCK);
    ck_assert_int_lt(read(family_pipe[0], &child, 1), 0); /* said nothing */
}
END_TEST

/* --------------------------------------------------------------- detach ----
 */

static int wait_gate_twice(weir_child *self)
{
    pid_t pid = getpid(), other = fork();
    char c;

    (void)self;
    if (other == 0) /* its own child goes on with it */
        family_sleep(self);
    if (family_tell(&pid, sizeof pid) != 0 ||
        family_tell(&other, sizeof other) != 0 || read(gate[0], &c, 1) != 1)
        return 1;
    kill(other, SIGKILL);
    return family_tell("e", 1);
}

START_TEST(detached_goes_on)
{
    static const enum how rows[] = { CLOSES, EXITS, KILLED };
    pid_t child, other,
        program = start_owner(rows[_i], WEIR_OWNER_EXIT_DETACH, 0,
                              wait_gate_twice, &child);

    family_hear(&other, sizeof other);
    if (rows[_i] == KILLED)
        kill(program, SIGKILL);
    family_program_end(program);
    /* All of the context are gone: their parent is the subreaper, which is the
     * test. */
    for (;;) {
        pid_t found = waitpid(-1, NULL, WNOHANG);

        if (found == 0 && getsid(child) == child && getpgid(other) == child)
            break;
        ck_assert_int_ge(found, 0);
    }
    ck_assert_int_eq(kill(child, 0), 0);
    ck_assert_int_eq(kill(other, 0), 0);
    open_gate();
    hears('e');
    ck_assert(watch_gone(child));
    ck_assert(watch_gone(other));
}
END_TEST

START_TEST(detached_when_helper_dies)
{
    pid_t child, program = start_owner(HELPER_DIES, WEIR_OWNER_EXIT_DETACH, 0,
                                       wait_gate, &child);

    family_program_end(program);
    ck_assert_int_eq(kill(child, 0), 0);
    open_gate();
    hears('e');
    ck_assert(watch_gone(child));
}
END_TEST

/* The nursery is killed: a detached child goes on, and is joined as ever. */
START_TEST(detached_when_nursery_dies)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = wait_gate,
                                     .on_owner_exit = WEIR_OWNER_EXIT_DETACH };
    int keep[] = { family_pipe[0], family_pipe[1], gate[0] };
    weir_context_options known = { .size = sizeof known,
                                   .keep = keep,
                                   .keep_count = 3 };
    struct stat_line line;
    weir_process *process, *next;
    pid_t pid;
    int code;

    ck_assert_int_eq(weir_context_open(&known, &family, NULL), 0);
    process = family_start(&options);
    family_hear(&pid, sizeof pid);
    ck_assert_int_eq(stat_read(pid, &line), 0);
    kill(line.parent, SIGKILL);
    options.run = stay;
    next = family_make(&options);
    do {
        code = weir_process_start(next, NULL);
    } while (code == WEIR_ELOST);
    ck_assert_int_eq(code, 0);
    family_hear(&pid, sizeof pid);
    ck_assert_int_eq(weir_process_alive(process), 1);
    open_gate();
    hears('e');
    ck_assert_int_eq(family_finish(process).code, 0);
    ck_assert_int_eq(weir_process_stop(next, 0, BOUND_NS), 0);
    family_finish(next);
    weir_context_close(&family);
}
END_TEST

/* A handle of a detached one can be let go. */
START_TEST(detached_is_let_go)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = wait_gate,
                                     .on_owner_exit = WEIR_OWNER_EXIT_DETACH };
    int keep[] = { family_pipe[0], family_pipe[1], gate[0] };
    weir_context_options known = { .size = sizeof known,
                                   .keep = keep,
                                   .keep_count = 3 };
    weir_process *process;
    pid_t pid;

    ck_assert_int_eq(weir_context_open(&known, &family, NULL), 0);
    process = family_start(&options);
    family_hear(&pid, sizeof pid);
    if (_i == 0) {
        ck_assert_int_eq(weir_process_free(&process), 0);
        weir_context_close(&family);
    } else {
        weir_context_close(&family);
        ck_assert_int_eq(weir_process_alive(process), 1);
        ck_assert_int_eq(weir_process_join(process, 0), WEIR_EBROKEN);
        ck_assert_int_eq(weir_process_state(process), WEIR_PROCESS_STARTED);
        ck_assert_int_eq(weir_process_free(&process), 0);
    }
    ck_assert_int_eq(kill(pid, 0), 0);
    open_gate();
    hears('e');
    ck_assert(watch_gone(pid));
}
END_TEST

/* ------------------------------------------------- children of children ----
 */

/* Opens a context of its own, starts a child in it and returns, or is killed,
 * without closing. */
static int parent(weir_child *self)
{
    int keep[] = { family_pipe[0], family_pipe[1], gate[0] };
    weir_context_options known = { .size = sizeof known,
                                   .keep = keep,
                                   .keep_count = 3 };
    const int *way = weir_child_argument(self, NULL);
    weir_process_options options = { .size = sizeof options,
                                     .run = *way == 2 ? stay : wait_gate };
    weir_context *own = NULL;
    weir_process *process = NULL;

    if (weir_context_open(&known, &own, NULL) != 0 ||
        weir_process_new(own, &options, &process, NULL) != 0 ||
        weir_process_start(process, NULL) != 0)
        return 1;
    if (*way == 1)
        exit(7);
    return *way == 2 ? family_sleep(self) : 7;
}

START_TEST(grandchildren)
{
    int way = _i;
    weir_process_options options = { .size = sizeof options,
                                     .run = parent,
                                     .argument = &way,
                                     .argument_size = sizeof way };
    int keep[] = { family_pipe[0], family_pipe[1], gate[0] };
    weir_context_options known = { .size = sizeof known,
                                   .keep = keep,
                                   .keep_count = 3 };
    weir_process *process;
    pid_t pid;

    ck_assert_int_eq(weir_context_open(&known, &family, NULL), 0);
    process = family_start(&options);
    family_hear(&pid, sizeof pid);
    ck_assert_int_eq(weir_process_join(process, 0), WEIR_ETIMEDOUT);
    if (way == 2) {
        ck_assert_int_eq(weir_process_kill(process), 0);
        family_finish(process);
        ck_assert(watch_gone(pid)); /* it outlives nobody who was killed */
    } else { /* returned, or called exit: waits for its own child first */
        open_gate();
        hears('e');
        ck_assert_int_eq(family_finish(process).code, 7);
    }
    weir_context_close(&family);
}
END_TEST

/* ------------------------------------------------------- a forked child ----
 */

/* A child that the program forks by itself ends as it likes: exit() in it
 * waits for nobody and harms nobody. */
START_TEST(forked_child_exits)
{
    weir_process_options options = { .size = sizeof options, .run = stay };
    weir_context_options known = { .size = sizeof known,
                                   .keep = family_pipe,
                                   .keep_count = 2 };
    weir_process *process;
    pid_t pid, copy;
    int status;

    ck_assert_int_eq(weir_context_open(&known, &family, NULL), 0);
    process = family_start(&options);
    family_hear(&pid, sizeof pid);
    fflush(NULL);
    copy = fork();
    if (copy == 0)
        exit(0);
    ck_assert(watch_gone(copy));
    ck_assert_int_eq(waitpid(copy, &status, 0), copy);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(weir_process_alive(process), 1);
    ck_assert_int_eq(weir_process_stop(process, 0, BOUND_NS), 0);
    family_finish(process);
    weir_context_close(&family);
}
END_TEST

Suite *owner_suite(void)
{
    Suite *suite = suite_create("owner");
    TCase *tcase = tcase_create("owner");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, wait_at_close_and_exit, 0, 2);
    tcase_add_loop_test(tcase, wait_is_said, 0, 2);
    tcase_add_test(tcase, wait_with_a_bound);
    tcase_add_loop_test(tcase, terminate_with_grace, 0, 2);
    tcase_add_loop_test(tcase, terminate_stubborn, 0, 2);
    tcase_add_loop_test(tcase, owner_dies, 0, 6);
    tcase_add_loop_test(tcase, detached_goes_on, 0, 3);
    tcase_add_test(tcase, detached_when_helper_dies);
    tcase_add_test(tcase, detached_when_nursery_dies);
    tcase_add_loop_test(tcase, detached_is_let_go, 0, 2);
    tcase_add_loop_test(tcase, grandchildren, 0, 3);
    tcase_add_test(tcase, forked_child_exits);
    suite_add_tcase(suite, tcase);
    return suite;
}
