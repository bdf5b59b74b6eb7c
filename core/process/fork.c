/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fork.c - the only fork in the tree. See fork.h.
 *
 * It is fork(), never a raw clone: glibc renews its cached thread id and robust
 * list only there, and robust mutexes need both. Between the fork and the
 * caller's code the child allocates nothing and takes no lock.
 */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "process/fork.h"

int life_init(struct life *life)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    life->read_fd = ends[0];
    life->write_fd = ends[1];
    return 0;
}

void life_done(struct life *life)
{
    fd_close(&life->write_fd);
    fd_close(&life->read_fd);
}

bool life_over(int read_fd)
{
    struct pollfd poller = { .fd = read_fd, .events = POLLIN };

    return poll(&poller, 1, 0) == 1 && (poller.revents & POLLHUP) != 0;
}

int life_arm(int read_fd, int signal)
{
    char path[32];
    int fd;

    snprintf(path, sizeof path, "/proc/self/fd/%d", read_fd);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    /* The group, not the process: a task's own children go with it. */
    if (fcntl(fd, F_SETOWN, -getpgrp()) < 0 ||
        fcntl(fd, F_SETSIG, signal) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC) < 0) {
        int code = -errno;

        close(fd);
        return code;
    }
    return fd;
}

int life_rearm(int armed_fd, int signal)
{
    return fcntl(armed_fd, F_SETSIG, signal) < 0 ? -errno : 0;
}

static void default_signals(void)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        sigaction(s, &action, NULL); /* those that cannot be set refuse */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The least descriptor above @fd that stays open; -1: none. No sorted copy: the
 * list is short, and it is the caller's. */
static int next_kept(const struct heritage *heritage, int armed, int fd)
{
    int next = armed > fd ? armed : -1;

    for (size_t i = 0; i < heritage->fd_count; i++) {
        int kept = heritage->fds[i];

        if (kept > fd && (next < 0 || kept < next))
            next = kept;
    }
    return next;
}

static void close_others(const struct heritage *heritage, int armed)
{
    int from = 3;

    for (;;) {
        int kept = next_kept(heritage, armed, from - 1);

        if (kept < 0)
            break;
        if (kept > from)
            close_range((unsigned)from, (unsigned)kept - 1, 0);
        from = kept + 1;
    }
    close_range((unsigned)from, ~0u, 0);
}

static void close_listed(const struct heritage *heritage)
{
    for (size_t i = 0; i < heritage->fd_count; i++)
        if (heritage->fds[i] > 2)
            close(heritage->fds[i]);
}

/* stdin is nobody's: a reader in the background would stop on SIGTTIN. */
static void empty_stdin(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (fd > 0) {
        fd_put_at(fd, 0);
        close(fd);
    } else if (fd < 0) {
        close(0);
    }
}

/* As the signal would have ended it, had it been armed in time: whoever learns
 * how it ended is told the truth. */
static _Noreturn void end_with_owner(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause(); /* a signal to oneself comes before kill returns */
}

/* This child's own arming of the life pipe: it must stay open. */
static int tied = -1;

int fork_make_way(int number, int above)
{
    int moved;

    if (tied < 0 || tied != number)
        return 0;
    moved = fcntl(tied, F_DUPFD_CLOEXEC, above); /* the same description */
    if (moved < 0)
        return -errno;
    close(tied);
    tied = moved;
    return 0;
}

/* Tied to the owner, or gone. */
static int tie(const struct heritage *heritage, pid_t parent)
{
    int armed = -1;

    if (heritage->death_signal != 0) {
        prctl(PR_SET_PDEATHSIG, heritage->death_signal);
        WEIR_POINT("fork.armed");
        if (getppid() != parent) /* died before it was armed */
            end_with_owner();
    }
    if (heritage->life >= 0) {
        armed = life_arm(heritage->life, heritage->life_signal);
        if (life_over(heritage->life))
            end_with_owner();
    }
    tied = armed < 0 ? -1 : armed;
    return tied;
}

pid_t fork_child(const struct heritage *heritage, int *armed_out)
{
    pid_t parent = getpid(), pid;
    sigset_t all, before;
    int code, armed;

    /* A handler of the parent's shall not run in the child. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    code = errno;
    if (pid != 0) {
        if (pid > 0 && !heritage->session)
            setpgid(pid, pid); /* both do it: whoever is first */
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return pid > 0 ? pid : -code;
    }
    WEIR_POINT("fork.child");
    if (heritage->session)
        setsid();
    else
        setpgid(0, 0);
    armed = tie(heritage, parent);
    default_signals();
    empty_stdin();
    if (heritage->all)
        close_listed(heritage);
    else
        close_others(heritage, armed);
    if (armed_out != NULL)
        *armed_out = armed;
    WEIR_POINT("fork.ready");
    return 0;
}

static bool spared(const pid_t *spare, size_t count, pid_t pid,
                   const struct stat_line *line)
{
    for (size_t i = 0; i < count; i++)
        if (spare[i] == pid || spare[i] == line->session)
            return true;
    return false;
}

/* All processes of the machine are looked at to find those that are ours, so it
 * is asked first whether there is any. */
static bool has_children(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 ||
           errno != ECHILD;
}

size_t fork_clear_strays(const pid_t *spare, size_t count)
{
    pid_t self = getpid();
    struct dirent *entry;
    size_t found = 0;
    DIR *proc = has_children() ? opendir("/proc") : NULL;

    if (proc == NULL)
        return 0;
    while ((entry = readdir(proc)) != NULL) {
        struct stat_line line;
        pid_t pid;

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        pid = (pid_t)strtol(entry->d_name, NULL, 10);
        /* A child of ours keeps its number until we reap it. */
        if (stat_read(pid, &line) != 0 || line.parent != self ||
            spared(spare, count, pid, &line))
            continue;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, WNOHANG);
        found++;
    }
    closedir(proc);
    return found;
}

unsigned fork_threads(void)
{
    struct dirent *entry;
    unsigned threads = 0;
    DIR *tasks = opendir("/proc/self/task");

    if (tasks == NULL)
        return 0;
    while ((entry = readdir(tasks)) != NULL)
        threads += entry->d_name[0] != '.';
    closedir(tasks);
    return threads;
}

/* A page that the kernel clears in each child: 0 there is "not yet known". */
static _Atomic pid_t *self_word;

static void map_self(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *at = mmap(NULL, page, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return;
    if (madvise(at, page, MADV_WIPEONFORK) == 0)
        self_word = at;
    else
        munmap(at, page);
}

pid_t fork_self(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pid_t self;

    pthread_once(&once, map_self);
    if (self_word == NULL)
        return getpid();
    self = atomic_load_explicit(self_word, memory_order_relaxed);
    if (self == 0) {
        self = getpid();
        atomic_store_explicit(self_word, self, memory_order_relaxed);
    }
    return self;
}
