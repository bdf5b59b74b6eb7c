/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sly.c - to be preloaded (LD_PRELOAD) into the command: a system that does all
 * that it may do and seldom does. For sly.sh, which compiles it.
 *
 * WEIR_SLY names what it does, in each process of the command, the plugins and
 * SQLite included:
 *   short   read and write move one byte, of a file, and of a pipe that is read
 *   clock   the time of day jumps with each look: an hour and a year, to and
 * fro storm   a signal every two milliseconds, with a handler that interrupts
 *           system calls, and that nothing can take away; SIGALRM and SIGCHLD
 *           in turn
 *
 * By plain system calls: whatever a sanitizer has put in front is passed by.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static bool is_short, jumps, storms;

/* -------------------------------------------------------- short transfers ----
 */

static size_t less(int fd, size_t size, bool writes)
{
    int saved = errno;
    struct stat st;

    if (!is_short || size < 2 || fstat(fd, &st) < 0 ||
        !(S_ISREG(st.st_mode) || (S_ISFIFO(st.st_mode) && !writes)))
        return size;
    errno = saved;
    return 1;
}

ssize_t read(int fd, void *to, size_t size)
{
    return syscall(SYS_read, fd, to, less(fd, size, false));
}

ssize_t write(int fd, const void *from, size_t size)
{
    return syscall(SYS_write, fd, from, less(fd, size, true));
}

ssize_t pread(int fd, void *to, size_t size, off_t at)
{
    return syscall(SYS_pread64, fd, to, less(fd, size, false), at);
}

ssize_t pwrite(int fd, const void *from, size_t size, off_t at)
{
    return syscall(SYS_pwrite64, fd, from, less(fd, size, true), at);
}

ssize_t pread64(int fd, void *to, size_t size, off64_t at)
{
    return pread(fd, to, size, at);
}

ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at)
{
    return pwrite(fd, from, size, at);
}

/* The first part that is none of nothing. */
static const struct iovec *part_of(const struct iovec *parts, int count)
{
    while (count > 1 && parts->iov_len == 0)
        parts++, count--;
    return parts;
}

ssize_t readv(int fd, const struct iovec *parts, int count)
{
    const struct iovec *part = part_of(parts, count);

    if (!is_short || count < 1)
        return syscall(SYS_readv, fd, parts, count);
    return read(fd, part->iov_base, part->iov_len);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    const struct iovec *part = part_of(parts, count);

    if (!is_short || count < 1)
        return syscall(SYS_writev, fd, parts, count);
    return write(fd, part->iov_base, part->iov_len);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    const struct iovec *part = part_of(parts, count);

    if (!is_short || count < 1)
        return syscall(SYS_pwritev, fd, parts, count, at, 0L);
    return pwrite(fd, part->iov_base, part->iov_len, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    return pwritev(fd, parts, count, at);
}

/* ------------------------------------------------------------------ clock ----
 */

/* Another one with each look, by whatever thread. */
static time_t jump(void)
{
    static const time_t jumps_s[] = { 0,    3600, -3600, 31536000,
                                      7200, -1,   0,     -31536000 };
    static unsigned looks;

    if (!jumps)
        return 0;
    return jumps_s[__atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED) % 8];
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int code = (int)syscall(SYS_clock_gettime, clock, out);

    if (code == 0 && clock == CLOCK_REALTIME)
        out->tv_sec += jump();
    return code;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

/* ------------------------------------------------------------------ storm ----
 */

static void interrupt(int number)
{
    static volatile sig_atomic_t turns;

    if (number == SIGALRM && ++turns % 2 == 0)
        raise(SIGCHLD); /* of no child: nobody may count on one */
}

int __sigaction(int number, const struct sigaction *act, struct sigaction *old);

int sigaction(int number, const struct sigaction *act, struct sigaction *old)
{
    if (storms && number == SIGALRM)
        act = NULL;
    return __sigaction(number, act, old);
}

sighandler_t signal(int number, sighandler_t handler)
{
    struct sigaction act = { .sa_handler = handler, .sa_flags = SA_RESTART };
    struct sigaction old = { .sa_handler = SIG_DFL };

    if (sigaction(number, &act, &old) < 0)
        return SIG_ERR;
    return old.sa_handler;
}

static void begin_storm(void)
{
    const struct itimerval every = { { 0, 2000 }, { 0, 2000 } };
    struct sigaction act = { .sa_handler = interrupt };

    __sigaction(SIGALRM, &act, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

/* ------------------------------------------------------------------------- */

/* The shell that starts it, and what it starts that is none of it, are left
 * alone. */
__attribute__((constructor)) static void begin(void)
{
    const char *what = getenv("WEIR_SLY");

    if (what == NULL || strstr(program_invocation_short_name, "weir") == NULL)
        return;
    is_short = strcmp(what, "short") == 0;
    jumps = strcmp(what, "clock") == 0;
    storms = strcmp(what, "storm") == 0;
    if (storms) {
        pthread_atfork(NULL, NULL, begin_storm);
        begin_storm();
    }
}
