/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stepper.c - see stepper.h. */
#include "config.h"

#include "crash/stepper.h"

#if STEPPER_WORKS

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define RIP offsetof(struct user_regs_struct, rip)

enum { NOT_TRACED = 77, BREAKPOINT = 0xcc };

static int status_of(pid_t pid)
{
    int status = -1;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

pid_t stepper_fork(void (*act)(void *arg), void *arg)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(NOT_TRACED);
        raise(SIGSTOP);
        act(arg);
        _exit(0);
    }
    status = status_of(pid);
    if (WIFSTOPPED(status))
        return pid;
    ck_assert_int_eq(WEXITSTATUS(status), NOT_TRACED);
    return 0;
}

/* Until its next stop: true; or its end. */
static bool goes_on(pid_t pid, int request)
{
    int status;

    ck_assert_int_eq(ptrace(request, pid, NULL, NULL), 0);
    status = status_of(pid);
    if (WIFSTOPPED(status)) {
        ck_assert_msg(WSTOPSIG(status) == SIGTRAP, "stopped by signal %d",
                      WSTOPSIG(status));
        return true;
    }
    ck_assert_msg(status == 0, "ended with 0x%x", (unsigned)status);
    return false;
}

static uintptr_t where(pid_t pid)
{
    long at;

    errno = 0;
    at = ptrace(PTRACE_PEEKUSER, pid, RIP, NULL);
    ck_assert_int_eq(errno, 0);
    return (uintptr_t)at;
}

void stepper_walk(pid_t pid, struct path *path)
{
    path->count = 0;
    do {
        ck_assert_uint_lt(path->count, STEPPER_MOST);
        path->at[path->count++] = where(pid);
    } while (goes_on(pid, PTRACE_SINGLESTEP));
}

bool stepper_step(pid_t pid, unsigned count)
{
    while (count > 0 && goes_on(pid, PTRACE_SINGLESTEP))
        count--;
    return count == 0;
}

static void write_there(pid_t pid, uintptr_t at, long word)
{
    ck_assert_int_eq(ptrace(PTRACE_POKETEXT, pid, at, word), 0);
}

/* To where the breakpoint is; false: it has ended. */
static bool comes_to(pid_t pid, uintptr_t at, long word)
{
    write_there(pid, at, (word & ~0xffL) | BREAKPOINT);
    if (!goes_on(pid, PTRACE_CONT))
        return false;
    write_there(pid, at, word);
    ck_assert_uint_eq(where(pid), at + 1);
    ck_assert_int_eq(ptrace(PTRACE_POKEUSER, pid, RIP, at), 0);
    return true;
}

bool stepper_reach(pid_t pid, const struct path *path, unsigned k)
{
    uintptr_t at = path->at[k];
    unsigned times = 0;
    long word;

    for (unsigned i = 1; i <= k; i++)
        times += path->at[i] == at;
    errno = 0;
    word = ptrace(PTRACE_PEEKTEXT, pid, at, NULL);
    ck_assert_int_eq(errno, 0);
    for (; times > 0; times--)
        if (!stepper_step(pid, 1) || !comes_to(pid, at, word))
            return false;
    return true;
}

void stepper_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    while (!WIFSIGNALED(status_of(pid)))
        continue;
}

#endif
