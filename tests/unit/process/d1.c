/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* d1.c - module functions of Python's multiprocessing, and ours: one test for
 * each, named after it. */
#include "config.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "family.h"

struct told {
    char name[32], parent[32];
    pid_t pid, parent_pid;
    bool current;
};

static int tell_self(weir_child *self)
{
    struct told told = { .pid = getpid(),
                         .parent_pid = weir_child_parent_pid(self),
                         .current = weir_child_current() == self };

    snprintf(told.name, sizeof told.name, "%s", weir_child_name(self));
    snprintf(told.parent, sizeof told.parent, "%s",
             weir_child_parent_name(self));
    return family_tell(&told, sizeof told);
}

START_TEST(d1_current_process)
{
    weir_process_options options = { .size = sizeof options,
                                     .run = tell_self,
                                     .name = "scribe" };
    weir_process *process;
    struct told told;

    ck_assert_ptr_null(weir_child_current());
    process = family_start(&options);
    family_hear(&told, sizeof told);
    ck_assert(told.current);
    ck_assert_str_eq(told.name, "scribe");
    ck_assert_int_eq(told.pid, weir_process_pid(process));
    family_finish(process);
}
END_TEST

static int watch_parent(weir_child *self)
{
    struct pollfd poller = { .fd = weir_child_parent_fd(self),
                             .events = POLLIN };
    struct told told = { .parent_pid = weir_child_parent_pid(self) };

    snprintf(told.parent, sizeof told.parent, "%s",
             weir_child_parent_name(self));
    /* Lives now; the descriptor is the same each time. */
    told.current = poller.fd >= 0 && poll(&poller, 1, 0) == 0 &&
                   weir_child_parent_fd(self) == poller.fd &&
                   weir_child_parent_alive(self) == 1;
    family_tell(&told, sizeof told);
    if (*(const char *)weir_child_argument(self, NULL) == 'w') {
        poll(&poller, 1, -1);
        told.current = weir_child_parent_alive(self) == 0;
        family_tell(&told, sizeof told);
    }
    return 0;
}

/* Its detached child sees its end. */
static void orphan_maker(void)
{
    weir_context_options keep = { .size = sizeof keep,
                                  .keep = family_pipe,
                                  .keep_count = 2 };
    weir_process_options options = { .size = sizeof options,
                                     .run = watch_parent,
                                     .argument = "w",
                                     .argument_size = 1,
                                     .on_owner_exit = WEIR_OWNER_EXIT_DETACH };
    weir_process *process;

    if (weir_context_open(&keep, &family, NULL) != 0 ||
        weir_process_new(family, &options, &process, NULL) != 0 ||
        weir_process_start(process, NULL) != 0)
        _exit(1);
    for (;;)
        pause();
}

START_TEST(d1_parent_process)
{
    struct told told;
    pid_t program;

    family_finish(family_run(watch_parent));
    family_hear(&told, sizeof told);
    ck_assert(told.current);
    ck_assert_int_eq(told.parent_pid, getpid());
    ck_assert_str_eq(told.parent, "MainProcess");

    program = family_program(orphan_maker);
    family_hear(&told, sizeof told);
    ck_assert(told.current);
    ck_assert_int_eq(told.parent_pid, program);
    kill(program, SIGKILL);
    family_hear(&told, sizeof told);
    ck_assert(told.current);
    family_program_end(program);
}
END_TEST

/* Without side effect: the ended one is not joined by asking. */
START_TEST(d1_active_children)
{
    weir_process *list[2] = { NULL }, *one, *two, *three;
    weir_exit end;

    ck_assert_int_eq(weir_context_processes(family, NULL, 0), 0);
    one = family_run(family_sleep);
    two = family_run(family_sleep);
    three = family_run(family_sleep);
    ck_assert_int_eq(weir_context_processes(family, NULL, 0), 3);
    ck_assert_int_eq(weir_context_processes(family, list, 2), 3);
    ck_assert_ptr_eq(list[0], one);
    ck_assert_ptr_eq(list[1], two);
    ck_assert_int_eq(weir_process_kill(one), 0);
    ck_assert(watch_readable(weir_process_fd(one)));
    ck_assert_int_eq(weir_context_processes(family, list, 2), 2);
    ck_assert_ptr_eq(list[0], two);
    ck_assert_ptr_eq(list[1], three);
    ck_assert_int_eq(weir_process_exit(one, &end), WEIR_ESTATE);
    ck_assert_int_eq(family_finish(one).code, SIGKILL);
    ck_assert_int_eq(weir_context_processes(NULL, list, 2), WEIR_EINVAL);
    ck_assert_int_eq(weir_context_processes(family, NULL, 2), WEIR_EINVAL);
    ck_assert_int_eq(weir_process_stop(two, 0, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_stop(three, 0, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_free(&two), 0);
    ck_assert_int_eq(weir_process_free(&three), 0);
    ck_assert_int_eq(weir_context_processes(family, list, 2), 0);
}
END_TEST

START_TEST(d1_cpu_count)
{
    cpu_set_t set;

    ck_assert_int_ge(weir_cpu_count(), 1);
    ck_assert_int_ge(weir_cpu_count_machine(), weir_cpu_count());
    ck_assert_int_eq(weir_cpu_count_machine(), sysconf(_SC_NPROCESSORS_ONLN));
    /* The usable ones, not all of the machine. */
    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    for (int i = 0, kept = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set) && kept++ > 0)
            CPU_CLR(i, &set);
    ck_assert_int_eq(sched_setaffinity(0, sizeof set, &set), 0);
    ck_assert_int_eq(weir_cpu_count(), 1);
}
END_TEST

/* Start methods: there is one, and it is chosen by nobody. */
START_TEST(d1_get_context)
{
    weir_context *other = NULL;
    weir_process_options options = { .size = sizeof options,
                                     .run = watch_parent };
    weir_process *process = NULL;
    struct told told;

    ck_assert_int_eq(weir_context_open(NULL, &other, NULL), 0);
    ck_assert_ptr_ne(other, family);
    ck_assert_int_eq(weir_process_new(other, &options, &process, NULL), 0);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    /* This context has not been given the pipe. */
    ck_assert_int_eq(family_finish(process).code, 0);
    weir_context_close(&other);
    family_finish(family_run(watch_parent));
    family_hear(&told, sizeof told);
}
END_TEST

struct heard {
    int lines;
    char text[1024];
};

static void hear(enum weir_level level, const char *category, const char *text,
                 void *arg)
{
    struct heard *heard = arg;
    size_t size = strlen(heard->text);

    heard->lines++;
    snprintf(heard->text + size, sizeof heard->text - size, "%d %s %s\n",
             (int)level, category, text);
}

START_TEST(d1_log_to_stderr)
{
    struct heard heard = { 0 };
    weir_process_options options = { .size = sizeof options,
                                     .run = family_sleep,
                                     .name = "sleeper" };
    weir_process *process;
    char want[256];
    int pid;

    weir_log_set_hook(hear, &heard);
    process = family_start(&options);
    pid = weir_process_pid(process);
    weir_process_kill(process);
    family_finish(process);
    snprintf(want, sizeof want,
             "0 process process 'sleeper' is started, pid %d\n"
             "0 process process 'sleeper', pid %d, killed by SIGKILL\n",
             pid, pid);
    ck_assert_str_eq(heard.text, want);
    weir_log_set_hook(NULL, NULL);
    family_finish(family_run(tell_self));
    ck_assert_int_eq(heard.lines, 2);
}
END_TEST

Suite *d1_suite(void)
{
    Suite *suite = suite_create("d1");
    TCase *tcase = tcase_create("functions");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, family_setup, family_teardown);
    tcase_add_test(tcase, d1_current_process);
    tcase_add_test(tcase, d1_parent_process);
    tcase_add_test(tcase, d1_active_children);
    tcase_add_test(tcase, d1_cpu_count);
    tcase_add_test(tcase, d1_get_context);
    tcase_add_test(tcase, d1_log_to_stderr);
    suite_add_tcase(suite, tcase);
    return suite;
}
