/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* family.c - a context and its children. See family.h. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "family.h"

weir_context *family;
int family_pipe[2];

static int fds_before;

void family_setup(void)
{
    weir_context_options options = { .size = sizeof options,
                                     .keep = family_pipe,
                                     .keep_count = 2 };
    weir_error err = { 0 };

    children_setup();
    ck_assert_int_eq(pipe2(family_pipe, O_CLOEXEC), 0);
    fds_before = watch_fds();
    ck_assert_msg(weir_context_open(&options, &family, &err) == 0, "%s",
                  err.text);
}

void family_teardown(void)
{
    weir_context_close(&family);
    ck_assert_int_eq(watch_fds(), fds_before);
    children_teardown();
}

weir_process *family_make(const weir_process_options *options)
{
    weir_process *process = NULL;
    weir_error err = { 0 };

    ck_assert_msg(weir_process_new(family, options, &process, &err) == 0, "%s",
                  err.text);
    return process;
}

weir_process *family_start(const weir_process_options *options)
{
    weir_process *process = family_make(options);
    weir_error err = { 0 };

    ck_assert_msg(weir_process_start(process, &err) == 0, "%s", err.text);
    return process;
}

weir_process *family_run(int (*run)(weir_child *self))
{
    weir_process_options options = { .size = sizeof options, .run = run };

    return family_start(&options);
}

weir_exit family_finish(weir_process *process)
{
    weir_exit end;

    ck_assert_int_eq(weir_process_join(process, BOUND_NS), 0);
    ck_assert_int_eq(weir_process_exit(process, &end), 0);
    ck_assert_int_eq(weir_process_free(&process), 0);
    ck_assert_ptr_null(process);
    return end;
}

int family_tell(const void *data, size_t size)
{
    return fd_write_all(family_pipe[1], data, size) == 0 ? 0 : 1;
}

void family_hear(void *data, size_t size)
{
    watch_read(family_pipe[0], data, size);
}

int family_sleep(weir_child *self)
{
    (void)self;
    for (;;)
        pause();
}

int family_stubborn(weir_child *self)
{
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_IGN);
    return family_tell("s", 1) != 0 ? 1 : family_sleep(self);
}

int family_return(weir_child *self)
{
    int number;

    memcpy(&number, weir_child_argument(self, NULL), sizeof number);
    return number;
}

pid_t family_program(void (*program)(void))
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        setpgid(0, 0); /* Check kills the group of the test */
        program();
        exit(0);
    }
    return pid;
}

int family_program_end(pid_t pid)
{
    int status;

    ck_assert_msg(watch_gone(pid), "the program does not end");
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}
