/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* actor.c - see actor.h. */
#include "config.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "actor.h"

int64_t soon(void)
{
    return clock_deadline(20 * NS_PER_S);
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 200 * NS_PER_US }, NULL);
}

void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    ck_assert_ptr_ne(memory, MAP_FAILED);
    return memory;
}

pid_t actor(int (*act)(void *arg), void *arg, const char *fault)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        fault_start(fault == NULL ? "" : fault, -1);
        _exit(act(arg));
    }
    return pid;
}

static int status_of(pid_t pid, int options)
{
    int64_t deadline = soon();
    int status = 0;
    pid_t got;

    while ((got = waitpid(pid, &status, WNOHANG | options)) == 0 &&
           clock_left(deadline) > 0)
        pause_briefly();
    if (got == 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        ck_abort_msg("process %d hangs", (int)pid);
    }
    ck_assert_int_eq(got, pid);
    return status;
}

void returned(pid_t pid, int code)
{
    int status = status_of(pid, 0);

    ck_assert_msg(WIFEXITED(status), "it ended with status %x", status);
    ck_assert_int_eq(WEXITSTATUS(status), code);
}

void killed(pid_t pid)
{
    int status = status_of(pid, 0);

    ck_assert_msg(WIFSIGNALED(status), "it ended with status %x", status);
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
}

void stopped(pid_t pid)
{
    int status = status_of(pid, WUNTRACED);

    ck_assert_msg(WIFSTOPPED(status), "it ended with status %x", status);
}

bool becomes(const _Atomic uint32_t *word, uint32_t value)
{
    int64_t deadline = soon();

    while (atomic_load(word) != value && clock_left(deadline) > 0)
        pause_briefly();
    return atomic_load(word) == value;
}

bool falls_asleep(pid_t pid)
{
    int64_t deadline = soon();

    while (clock_left(deadline) > 0) {
        struct stat_line line;

        ck_assert_int_eq(stat_read(pid, &line), 0);
        if (line.state == 'S')
            return true;
        pause_briefly();
    }
    return false;
}
