/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fail.c - linked into a copy of the command: makes the n-th allocation or the
 * n-th system call fail, of one of its processes. For each.c.
 *
 * The linker sends each call of core to a function of libc that can fail
 * (wraps.list) here first, so nothing of libc's own or of a sanitizer's is
 * touched, and it works in static builds, too. Allocations of libraries that
 * core calls come here as well, but under a sanitizer, which has an allocator
 * of its own.
 *
 * WEIR_FAIL=kind:nth:depth[:rest], of the processes so many forks away from
 * the command itself (0: it; all of one depth are counted together; -1: all):
 *   memory   an allocation has no memory
 *   error    a system call fails, with the usual error
 *   other    the same, with another one
 *   eintr    one that can be interrupted is
 *   short    read and write move less than was asked for
 * `rest`: in the process in which it struck, all fail from there on that fail
 * with the same error: no descriptors are left, or no memory, or no room. nth
 * 0: each second call, from the beginning. WEIR_FAIL_BOARD=file: what was
 * counted and struck is told there (fail.h). WEIR_FAIL_LOG=file: what was
 * struck, a line each: name, depth, error, and where it was called from, for
 * addr2line -e tests/faults/weir.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "faults/fail.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define OWN_ALLOCATOR 0
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_ALLOCATOR 0
#endif
#endif
#ifndef OWN_ALLOCATOR
#define OWN_ALLOCATOR 1
#endif

/* The linker makes their prototypes. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

long __real_syscall(long number, ...);

enum kind { NONE, MEMORY, ERROR, OTHER, INTERRUPTED, SHORT };

static enum kind kind;
static unsigned long nth;
static int wanted;         /* depth */
static bool rest, unlucky; /* all that follows fails, in this process */
static int lasting;        /* with this error */
static const char *log_path;
static int depth;

/* Of all processes of the test; with who started it, when that gave a file. */
static struct fail_board own_board;
static struct fail_board *board = &own_board;

/* ------------------------------------------------------------ when, what ----
 */

static enum kind kind_of(const char *text, size_t size)
{
    static const struct {
        const char *name;
        enum kind kind;
    } kinds[] = {
        { "memory", MEMORY },     { "error", ERROR }, { "other", OTHER },
        { "eintr", INTERRUPTED }, { "short", SHORT },
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strlen(kinds[i].name) == size &&
            memcmp(kinds[i].name, text, size) == 0)
            return kinds[i].kind;
    return NONE;
}

/* Shared with children in any case. */
static void map_board(const char *path)
{
    int fd = path == NULL ? -1
                          : (int)__real_syscall(SYS_openat, AT_FDCWD, path,
                                                O_RDWR | O_CLOEXEC, 0);
    void *at = (void *)
        __real_syscall(SYS_mmap, NULL, sizeof *board, PROT_READ | PROT_WRITE,
                       fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

    if (at != MAP_FAILED)
        board = at;
    if (fd >= 0)
        __real_syscall(SYS_close, fd);
}

/* Allocates nothing: the first allocation may be the one that is to fail. */
__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("WEIR_FAIL"), *at;
    char *end;

    log_path = getenv("WEIR_FAIL_LOG");
    at = text != NULL ? strchr(text, ':') : NULL;
    if (at == NULL)
        return;
    nth = strtoul(at + 1, &end, 10);
    wanted = *end == ':' ? (int)strtol(end + 1, &end, 10) : 0;
    rest = strcmp(end, ":rest") == 0;
    map_board(getenv("WEIR_FAIL_BOARD"));
    kind = kind_of(text, (size_t)(at - text));
}

/* By plain system calls: no function of libc that is counted here. */
static void tell(const char *name, int error, const void *caller)
{
    extern char __executable_start;
    char line[160];
    int size, fd;

    if (atomic_fetch_add(&board->struck, 1) == 0) {
        board->error = error;
        strncpy(board->name, name, sizeof board->name - 1);
    }
    if (log_path == NULL)
        return;
    size = snprintf(line, sizeof line, "%s %d %d +0x%lx\n", name, depth, error,
                    (unsigned long)((uintptr_t)caller -
                                    (uintptr_t)&__executable_start));
    fd = (int)__real_syscall(SYS_openat, AT_FDCWD, log_path,
                             O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    __real_syscall(SYS_write, fd, line, (size_t)size);
    __real_syscall(SYS_close, fd);
}

static bool strikes(enum kind mine)
{
    unsigned long count;

    if (kind != mine || depth >= FAIL_DEPTHS)
        return false;
    count = atomic_fetch_add(&board->counts[depth], 1) + 1;
    if (unlucky)
        return true;
    if (wanted >= 0 && depth != wanted)
        return false;
    if (nth == 0)
        return count % 2 == 1;
    if (count != nth)
        return false;
    unlucky = rest;
    return true;
}

/* Whether this call is to fail; @errors: the usual one, another one, and the
 * last that it can be interrupted. */
static bool fails(const char *name, const int *errors, const void *caller)
{
    int saved = errno, error = 0;

    if (kind == ERROR)
        error = errors[0];
    else if (kind == OTHER)
        error = errors[1];
    else if (kind == INTERRUPTED)
        error = errors[2];
    if (error == 0 || (unlucky && error != lasting) || !strikes(kind))
        return false;
    lasting = error;
    tell(name, error, caller);
    errno = saved;
    errno = error;
    return true;
}

static bool no_memory(const char *name, const void *caller)
{
    if (kind != MEMORY || !strikes(MEMORY))
        return false;
    tell(name, ENOMEM, caller);
    errno = ENOMEM;
    return true;
}

/* ------------------------------------------------------------- memory ---- */

#if OWN_ALLOCATOR
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
#define REAL(name) __libc_##name
#else
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
#define REAL(name) __real_##name
#endif

#define FAILS_MEMORY(name) no_memory(name, __builtin_return_address(0))

void *__wrap_malloc(size_t size)
{
    return FAILS_MEMORY("malloc") ? NULL : REAL(malloc)(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return FAILS_MEMORY("calloc") ? NULL : REAL(calloc)(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return FAILS_MEMORY("realloc") ? NULL : REAL(realloc)(old, size);
}

#if OWN_ALLOCATOR
/* For all others in this process; libc's own go through these, too: strdup,
 * asprintf, fopen, opendir, getdelim. */
void *malloc(size_t size)
{
    return FAILS_MEMORY("malloc, by a library") ? NULL : REAL(malloc)(size);
}

void *calloc(size_t count, size_t size)
{
    return FAILS_MEMORY("calloc, by a library") ? NULL
                                                : REAL(calloc)(count, size);
}

void *realloc(void *old, size_t size)
{
    return FAILS_MEMORY("realloc, by a library") ? NULL
                                                 : REAL(realloc)(old, size);
}
#endif

void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **out, size_t alignment, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
int __real_pthread_atfork(void (*before)(void), void (*after)(void),
                          void (*child)(void));

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return FAILS_MEMORY("aligned_alloc")
               ? NULL
               : __real_aligned_alloc(alignment, size);
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t size)
{
    return FAILS_MEMORY("posix_memalign")
               ? ENOMEM
               : __real_posix_memalign(out, alignment, size);
}

int __wrap_pthread_atfork(void (*before)(void), void (*after)(void),
                          void (*child)(void))
{
    return FAILS_MEMORY("pthread_atfork")
               ? ENOMEM
               : __real_pthread_atfork(before, after, child);
}

#define FAILS_TEXT(name) (!OWN_ALLOCATOR && FAILS_MEMORY(name))
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
int __real_vasprintf(char **out, const char *format, va_list args);

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return FAILS_TEXT("reallocarray") ? NULL
                                      : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
    return FAILS_TEXT("strdup") ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
    return FAILS_TEXT("strndup") ? NULL : __real_strndup(text, size);
}

int __wrap_vasprintf(char **out, const char *format, va_list args)
{
    return FAILS_TEXT("vasprintf") ? -1 : __real_vasprintf(out, format, args);
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;
    int size;

    if (FAILS_TEXT("asprintf"))
        return -1;
    va_start(args, format);
    size = __real_vasprintf(out, format, args);
    va_end(args);
    return size;
}

/* -------------------------------------------------------- system calls ---- */

/* CALL(result, name, bad, (usual, other, interrupted), parameters, names) */
#define UNPACK(...) __VA_ARGS__
#define CALL(result, name, bad, errors, params, names)                         \
    result __real_##name params;                                               \
    result __wrap_##name params;                                               \
    result __wrap_##name params                                                \
    {                                                                          \
        static const int list[] = { UNPACK errors };                           \
                                                                               \
        if (fails(#name, list, __builtin_return_address(0)))                   \
            return bad;                                                        \
        return __real_##name names;                                            \
    }

/* files */
CALL(int, mkdir, -1, (ENOSPC, EACCES, 0), (const char *p, mode_t m), (p, m))
CALL(int, linkat, -1, (ENOSPC, EPERM, 0),
     (int d, const char *p, int e, const char *q, int f), (d, p, e, q, f))
CALL(int, rename, -1, (ENOSPC, EACCES, 0), (const char *p, const char *q),
     (p, q))
CALL(int, unlinkat, -1, (EACCES, EBUSY, 0), (int d, const char *p, int f),
     (d, p, f))
CALL(int, unlink, -1, (EACCES, EBUSY, 0), (const char *p), (p))
CALL(int, rmdir, -1, (EBUSY, EACCES, 0), (const char *p), (p))
CALL(int, remove, -1, (EBUSY, EACCES, 0), (const char *p), (p))
CALL(int, access, -1, (EACCES, ENOMEM, 0), (const char *p, int m), (p, m))
CALL(char *, mkdtemp, NULL, (EACCES, ENOSPC, 0), (char *p), (p))
CALL(int, truncate, -1, (EIO, EACCES, EINTR), (const char *p, off_t s), (p, s))
CALL(int, fsync, -1, (EIO, ENOSPC, EINTR), (int fd), (fd))
CALL(int, fdatasync, -1, (EIO, ENOSPC, EINTR), (int fd), (fd))
CALL(int, fchmod, -1, (EPERM, EIO, 0), (int fd, mode_t m), (fd, m))
CALL(int, flock, -1, (ENOLCK, 0, EINTR), (int fd, int how), (fd, how))
CALL(off_t, lseek, -1, (ESPIPE, EOVERFLOW, 0), (int fd, off_t to, int w),
     (fd, to, w))
CALL(int, ftruncate, -1, (ENOSPC, EFBIG, EINTR), (int fd, off_t s), (fd, s))
CALL(int, fallocate, -1, (ENOSPC, ENOMEM, EINTR),
     (int fd, int m, off_t a, off_t s), (fd, m, a, s))
CALL(int, fstat, -1, (ENOMEM, EIO, 0), (int fd, struct stat *st), (fd, st))
CALL(int, stat, -1, (EACCES, ENOMEM, 0), (const char *p, struct stat *st),
     (p, st))
CALL(int, lstat, -1, (EACCES, ENOMEM, 0), (const char *p, struct stat *st),
     (p, st))
CALL(int, fstatat, -1, (EACCES, ENOMEM, 0),
     (int d, const char *p, struct stat *st, int f), (d, p, st, f))
CALL(int, statx, -1, (EACCES, ENOMEM, 0),
     (int d, const char *p, int f, unsigned m, struct statx *st),
     (d, p, f, m, st))
CALL(int, fstatfs, -1, (ENOSYS, EIO, EINTR), (int fd, struct statfs *st),
     (fd, st))
CALL(char *, realpath, NULL, (ENOMEM, EACCES, 0), (const char *p, char *out),
     (p, out))
CALL(ssize_t, readlink, -1, (EACCES, ENOMEM, 0),
     (const char *p, char *out, size_t s), (p, out, s))
CALL(DIR *, opendir, NULL, (EMFILE, EACCES, 0), (const char *p), (p))
CALL(DIR *, fdopendir, NULL, (ENOMEM, EMFILE, 0), (int fd), (fd))
CALL(struct dirent *, readdir, NULL, (EIO, ENOMEM, 0), (DIR * d), (d))
CALL(FTS *, fts_open, NULL, (ENOMEM, EMFILE, 0),
     (char *const *p, int f, int (*c)(const FTSENT **, const FTSENT **)),
     (p, f, c))
CALL(FTSENT *, fts_read, NULL, (ENOMEM, EIO, 0), (FTS * f), (f))
CALL(int, glob, GLOB_NOSPACE, (ENOMEM, 0, 0),
     (const char *p, int f, int (*e)(const char *, int), glob_t *g),
     (p, f, e, g))
CALL(int, nftw, -1, (ENOMEM, EMFILE, 0),
     (const char *p, __nftw_func_t f, int n, int fl), (p, f, n, fl))
CALL(FILE *, fopen, NULL, (EMFILE, EACCES, EINTR),
     (const char *p, const char *m), (p, m))
CALL(int, chdir, -1, (EACCES, ENOMEM, 0), (const char *p), (p))
CALL(char *, getcwd, NULL, (ENOENT, ENOMEM, 0), (char *out, size_t s), (out, s))
CALL(ssize_t, writev, -1, (EIO, ENOSPC, EINTR),
     (int fd, const struct iovec *v, int n), (fd, v, n))
CALL(ssize_t, pwritev, -1, (EIO, ENOSPC, EINTR),
     (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))

/* descriptors */
CALL(int, dup2, -1, (EBUSY, EBUSY, EINTR), (int a, int b), (a, b))
CALL(int, pipe, -1, (EMFILE, ENFILE, 0), (int *fds), (fds))
CALL(int, pipe2, -1, (EMFILE, ENFILE, 0), (int *fds, int f), (fds, f))
CALL(int, socket, -1, (EMFILE, ENOBUFS, 0), (int d, int t, int p), (d, t, p))
CALL(int, socketpair, -1, (EMFILE, ENOMEM, 0), (int d, int t, int p, int *fds),
     (d, t, p, fds))
CALL(int, bind, -1, (EADDRINUSE, ENOMEM, 0),
     (int fd, const struct sockaddr *a, socklen_t s), (fd, a, s))
CALL(ssize_t, recv, -1, (ENOMEM, ECONNRESET, EINTR),
     (int fd, void *to, size_t s, int f), (fd, to, s, f))
CALL(ssize_t, recvmsg, -1, (ENOMEM, ECONNRESET, EINTR),
     (int fd, struct msghdr *m, int f), (fd, m, f))
CALL(ssize_t, send, -1, (ENOBUFS, EPIPE, EINTR),
     (int fd, const void *from, size_t s, int f), (fd, from, s, f))
CALL(ssize_t, sendto, -1, (ENOBUFS, ECONNREFUSED, EINTR),
     (int fd, const void *from, size_t s, int f, const struct sockaddr *a,
      socklen_t n),
     (fd, from, s, f, a, n))
CALL(ssize_t, sendmsg, -1, (ENOMEM, EPIPE, EINTR),
     (int fd, const struct msghdr *m, int f), (fd, m, f))
CALL(int, poll, -1, (ENOMEM, 0, EINTR), (struct pollfd * p, nfds_t n, int ms),
     (p, n, ms))
CALL(int, ppoll, -1, (ENOMEM, 0, EINTR),
     (struct pollfd * p, nfds_t n, const struct timespec *t, const sigset_t *s),
     (p, n, t, s))
CALL(int, epoll_create1, -1, (EMFILE, ENOMEM, 0), (int f), (f))
CALL(int, epoll_wait, -1, (0, 0, EINTR),
     (int e, struct epoll_event *v, int n, int ms), (e, v, n, ms))
CALL(int, epoll_ctl, -1, (ENOMEM, ENOSPC, 0),
     (int e, int op, int fd, struct epoll_event *v), (e, op, fd, v))
CALL(int, eventfd, -1, (EMFILE, ENOMEM, 0), (unsigned v, int f), (v, f))
CALL(int, signalfd, -1, (EMFILE, ENOMEM, 0), (int fd, const sigset_t *s, int f),
     (fd, s, f))
CALL(int, timerfd_create, -1, (EMFILE, ENOMEM, 0), (int c, int f), (c, f))
CALL(int, memfd_create, -1, (EMFILE, ENOMEM, 0), (const char *n, unsigned f),
     (n, f))

/* memory */
CALL(void *, mmap, MAP_FAILED, (ENOMEM, EAGAIN, 0),
     (void *at, size_t s, int p, int f, int fd, off_t o), (at, s, p, f, fd, o))
CALL(int, madvise, -1, (ENOMEM, EINVAL, 0), (void *at, size_t s, int a),
     (at, s, a))
CALL(int, mprotect, -1, (ENOMEM, 0, 0), (void *at, size_t s, int p), (at, s, p))

/* processes */
CALL(int, pidfd_open, -1, (EMFILE, ENOSYS, 0), (pid_t pid, unsigned f),
     (pid, f))
CALL(int, waitid, -1, (0, 0, EINTR), (idtype_t t, id_t id, siginfo_t *i, int o),
     (t, id, i, o))
CALL(pid_t, waitpid, -1, (0, 0, EINTR), (pid_t pid, int *s, int o), (pid, s, o))
CALL(pid_t, wait4, -1, (0, 0, EINTR),
     (pid_t pid, int *s, int o, struct rusage *u), (pid, s, o, u))
CALL(int, getrlimit, -1, (EINVAL, 0, 0),
     (__rlimit_resource_t r, struct rlimit *l), (r, l))
CALL(int, setrlimit, -1, (EPERM, 0, 0),
     (__rlimit_resource_t r, const struct rlimit *l), (r, l))
CALL(int, setpgid, -1, (EPERM, EACCES, 0), (pid_t pid, pid_t g), (pid, g))
CALL(pid_t, setsid, -1, (EPERM, 0, 0), (void), ())
CALL(int, setpriority, -1, (EACCES, EPERM, 0),
     (__priority_which_t w, id_t who, int n), (w, who, n))
CALL(int, sched_setaffinity, -1, (EINVAL, EPERM, 0),
     (pid_t pid, size_t s, const cpu_set_t *set), (pid, s, set))
CALL(int, posix_spawn, EAGAIN, (EAGAIN, 0, 0),
     (pid_t * pid, const char *p, const posix_spawn_file_actions_t *f,
      const posix_spawnattr_t *t, char *const a[], char *const e[]),
     (pid, p, f, t, a, e))
CALL(locale_t, newlocale, (locale_t)0, (ENOMEM, 0, 0),
     (int m, const char *n, locale_t b), (m, n, b))
CALL(int, sched_getaffinity, -1, (EINVAL, 0, 0),
     (pid_t pid, size_t s, cpu_set_t *set), (pid, s, set))
CALL(ssize_t, getrandom, -1, (ENOSYS, 0, EINTR),
     (void *to, size_t s, unsigned f), (to, s, f))
CALL(int, nanosleep, -1, (0, 0, EINTR),
     (const struct timespec *t, struct timespec *left), (t, left))
CALL(int, execvp, -1, (ENOMEM, EACCES, 0), (const char *p, char *const a[]),
     (p, a))
CALL(int, sigaltstack, -1, (ENOMEM, 0, 0), (const stack_t *s, stack_t *o),
     (s, o))

pid_t __real_fork(void);
pid_t __wrap_fork(void)
{
    static const int list[] = { EAGAIN, ENOMEM, 0 };
    pid_t pid;

    if (fails("fork", list, __builtin_return_address(0)))
        return -1;
    pid = __real_fork();
    if (pid == 0) {
        depth++;
        unlucky = false;
    }
    return pid;
}

/* What it was to close is closed in any case, as Linux does it. */
int __real_close(int fd);
int __wrap_close(int fd)
{
    static const int list[] = { EIO, ENOSPC, EINTR };
    bool bad = fails("close", list, __builtin_return_address(0));
    int error = errno, result = __real_close(fd);

    if (!bad)
        return result;
    errno = error;
    return -1;
}

int __real_fclose(FILE *file);
int __wrap_fclose(FILE *file)
{
    static const int list[] = { ENOSPC, EIO, 0 };
    bool bad = fails("fclose", list, __builtin_return_address(0));
    int error = errno, result = __real_fclose(file);

    if (!bad)
        return result;
    errno = error;
    return EOF;
}

/* Where there is nothing to write there is no call that could fail. */
int __real_fflush(FILE *file);
int __wrap_fflush(FILE *file)
{
    static const int list[] = { ENOSPC, EIO, EINTR };

    if ((file == NULL || __fpending(file) > 0) &&
        fails("fflush", list, __builtin_return_address(0)))
        return EOF;
    return __real_fflush(file);
}

/* As the system fails below it: the stream has its mark of an error. */
static bool fails_to_read(const char *name, FILE *file, const void *caller)
{
    static const int list[] = { EIO, ENOMEM, EINTR };
    const int io_error_seen = 0x20; /* as in glibc's own <libio.h>: ABI */

    if (!fails(name, list, caller))
        return false;
    file->_flags |= io_error_seen;
    return true;
}

char *__real_fgets(char *out, int room, FILE *file);
char *__wrap_fgets(char *out, int room, FILE *file)
{
    if (fails_to_read("fgets", file, __builtin_return_address(0)))
        return NULL;
    return __real_fgets(out, room, file);
}

ssize_t __real_getdelim(char **line, size_t *room, int end, FILE *file);
ssize_t __wrap_getdelim(char **line, size_t *room, int end, FILE *file)
{
    if (fails_to_read("getdelim", file, __builtin_return_address(0)))
        return -1;
    return __real_getdelim(line, room, end, file);
}

/* With more parameters than there are given. */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    static const int list[] = { EMFILE, EACCES, EINTR };
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    if (fails("open", list, __builtin_return_address(0)))
        return -1;
    return __real_open(path, flags, mode);
}

int __real_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...)
{
    static const int list[] = { EMFILE, EACCES, EINTR };
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    if (fails("openat", list, __builtin_return_address(0)))
        return -1;
    return __real_openat(at, path, flags, mode);
}

int __real_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...)
{
    static const int copies[] = { EMFILE, EINVAL, 0 };
    static const int locks[] = { ENOLCK, EINVAL, EINTR };
    static const int others[] = { EPERM, EINVAL, 0 };
    const int *list = what == F_DUPFD_CLOEXEC ? copies
                      : what == F_OFD_SETLK   ? locks
                      : what == F_OFD_GETLK   ? locks
                      : what == F_ADD_SEALS   ? others
                      : what == F_GET_SEALS   ? others
                      : what == F_SETSIG      ? others
                      : what == F_SETOWN      ? others
                      : what == F_SETPIPE_SZ  ? others
                      : what == F_SETFL       ? others
                                              : NULL;
    va_list args;
    void *arg;

    va_start(args, what);
    arg = va_arg(args, void *);
    va_end(args);
    if (list != NULL && fails("fcntl", list, __builtin_return_address(0)))
        return -1;
    return __real_fcntl(fd, what, arg);
}

long __wrap_syscall(long number, ...)
{
    static const int futexes[] = { 0, 0, EINTR };
    static const int others[] = { ENOSYS, ENOMEM, 0 };
    long a[6];
    va_list args;

    va_start(args, number);
    for (unsigned i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number != SYS_gettid && number != SYS_getpid && number != SYS_kill &&
        fails("syscall", number == SYS_futex ? futexes : others,
              __builtin_return_address(0)))
        return -1;
    return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ------------------------------------------------------- read and write ----
 */

/* What a file, and a pipe that is read, may give less of at any time. */
static size_t less(int fd, size_t size, bool writes)
{
    int saved = errno;
    struct stat st;

    if (kind != SHORT || size < 2 || __real_fstat(fd, &st) < 0 ||
        !(S_ISREG(st.st_mode) || (S_ISFIFO(st.st_mode) && !writes)) ||
        !strikes(SHORT))
        return size;
    tell(writes ? "write" : "read", 0, __builtin_return_address(0));
    errno = saved;
    return size / 2;
}

#define MOVE(name, writes, params, names)                                      \
    ssize_t __real_##name params;                                              \
    ssize_t __wrap_##name params;                                              \
    ssize_t __wrap_##name params                                               \
    {                                                                          \
        static const int list[] = { EIO, writes ? ENOSPC : ENOMEM, EINTR };    \
                                                                               \
        if (fails(#name, list, __builtin_return_address(0)))                   \
            return -1;                                                         \
        s = less(fd, s, writes);                                               \
        return __real_##name names;                                            \
    }

MOVE(read, false, (int fd, void *to, size_t s), (fd, to, s))
MOVE(pread, false, (int fd, void *to, size_t s, off_t at), (fd, to, s, at))
MOVE(write, true, (int fd, const void *from, size_t s), (fd, from, s))
MOVE(pwrite, true, (int fd, const void *from, size_t s, off_t at),
     (fd, from, s, at))
