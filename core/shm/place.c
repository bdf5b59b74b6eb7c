/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* place.c - files in memory, by name, and life tokens. Any process. See
 * place.h. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "shm/memory.h"
#include "shm/place.h"

/* Where the tokens are: behind all that a file can have. */
#define TOKENS_AT (INT64_C(1) << 60)

int place_check_name(const char *name, weir_error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t size = name == NULL ? 0 : strlen(name);
    CLEANUP_BUF struct buf shown = { 0 };

    if (size == 0)
        return error_set(err, WEIR_EINVAL, "a queue's name is empty");
    if (size <= PLACE_NAME_MOST && name[0] != '.' && name[0] != '-' &&
        strspn(name, letters) == size)
        return 0;
    text_escape(&shown, name, size, 2 * PLACE_NAME_MOST);
    return error_set(err, WEIR_EINVAL,
                     "'%s' cannot be a queue's name: write 1 to %d letters, "
                     "digits, '.', '_' and '-', beginning with none of '.-'",
                     shown.data ? shown.data : "", PLACE_NAME_MOST);
}

/* ----------------------------------------------------------- the folder ----
 */

/* @own: the folder that weir makes itself; else one that the user chose. */
static int check_folder(int fd, const char *path, bool own, weir_error *err)
{
    struct stat st;
    struct statfs fs;

    if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
        return error_sys(err, -errno, "cannot look at folder '%s'", path);
    if (st.st_uid != geteuid() && (own || st.st_uid != 0))
        return error_set(err, WEIR_ETRUST,
                         "folder '%s' belongs to user %u; named queues are "
                         "kept in a folder of one's own (set WEIR_QUEUE_DIR "
                         "to another)",
                         path, (unsigned)st.st_uid);
    if ((st.st_mode & (own ? S_IRWXG | S_IRWXO : S_IWOTH)) != 0)
        return error_set(err, WEIR_ETRUST,
                         "folder '%s' is open to others; 'chmod %s %s' "
                         "closes it",
                         path, own ? "700" : "o-w", path);
    if (fs.f_type != TMPFS_MAGIC)
        return error_set(err, WEIR_EINVAL,
                         "folder '%s' is not in memory (tmpfs); set "
                         "WEIR_QUEUE_DIR to one that is",
                         path);
    return 0;
}

static int open_folder(const char *path, bool own, weir_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int code;

    if (fd < 0 && errno == ENOENT && own) {
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return error_sys(err, -errno, "cannot make folder '%s'", path);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return error_set(err, WEIR_ETRUST,
                         "'%s' is no folder; named queues are kept there, so "
                         "remove it (or set WEIR_QUEUE_DIR)",
                         path);
    if (fd < 0)
        return error_sys(err, -errno, "cannot open folder '%s'", path);
    code = check_folder(fd, path, own, err);
    if (code < 0) {
        fd_close(&fd);
        return code;
    }
    return fd;
}

int place_open(weir_error *err)
{
    const char *chosen = secure_getenv("WEIR_QUEUE_DIR");
    char path[64];

    if (chosen != NULL && chosen[0] != '\0')
        return open_folder(chosen, false, err);
    snprintf(path, sizeof path, "/dev/shm/weir-%u", (unsigned)geteuid());
    return open_folder(path, true, err);
}

/* ------------------------------------------------------------- the files ----
 */

/* Standard streams that are closed must not become a queue. */
static int above_standard(int fd)
{
    int moved;

    if (fd < 0 || fd > 2)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    fd_close(&fd);
    return moved;
}

int place_create(int folder, mode_t mode, weir_error *err)
{
    int fd = above_standard(
        openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    int code;

    if (fd < 0)
        return error_sys(err, -errno, "cannot make a file for a queue");
    if (fchmod(fd, mode & 0777) < 0) { /* whatever the umask */
        code = error_sys(err, -errno, "cannot set a queue's mode");
        fd_close(&fd);
        return code;
    }
    return fd;
}

int place_link(int folder, int fd, const char *name, weir_error *err)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, path, folder, name, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    return errno == EEXIST ? -EEXIST
                           : error_sys(err, -errno,
                                       "cannot give queue '%s' its name", name);
}

int place_find(int folder, const char *name, weir_error *err)
{
    int fd = above_standard(
        openat(folder, name,
               O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0 && errno != ELOOP && errno != EISDIR && errno != ENXIO)
        return error_sys(err, -errno, "cannot open queue '%s'", name);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        fd_close(&fd);
        return error_set(err, WEIR_EBROKEN,
                         "'%s' is no queue: it is no plain file", name);
    }
    return fd;
}

int place_unlink(int folder, const char *name, weir_error *err)
{
    if (unlinkat(folder, name, 0) == 0)
        return 0;
    if (errno == ENOENT)
        return error_set(err, -ENOENT, "there is no queue '%s'", name);
    return error_sys(err, -errno, "cannot remove queue '%s'", name);
}

int place_each(int folder, int (*each)(const char *name, void *arg), void *arg,
               weir_error *err)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    int code = 0;

    if (entries == NULL) {
        code = error_sys(err, -errno, "cannot list the queues");
        fd_close(&fd);
        return code;
    }
    while (code == 0) {
        code = dir_next(entries, &entry);
        if (code < 0)
            error_sys(err, code, "cannot list the queues");
        if (code != 1)
            break;
        code = place_check_name(entry->d_name, NULL) == 0
                   ? each(entry->d_name, arg)
                   : 0;
    }
    closedir(entries);
    return code;
}

/* ------------------------------------------------------------ its memory ----
 */

static int map(int fd, size_t size, void **base_out, weir_error *err)
{
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (base == MAP_FAILED)
        return error_sys(err, -errno,
                         "cannot map %zu bytes of shared memory (see "
                         "ulimit -v)",
                         size);
    *base_out = base;
    return 0;
}

int place_grow(int fd, size_t size, void **base_out, weir_error *err)
{
    struct rlimit limit;

    /* Beyond the limit the kernel would send SIGXFSZ, too. */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
        limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur)
        return error_sys(err, -EFBIG,
                         "shared memory needs %zu bytes of address space (see "
                         "ulimit -f)",
                         size);
    if (ftruncate(fd, (off_t)size) < 0)
        return error_sys(err, -errno,
                         "cannot give shared memory its %zu bytes of address "
                         "space",
                         size);
    return map(fd, size, base_out, err);
}

int place_map(int fd, void **base_out, size_t *size_out, weir_error *err)
{
    struct stat st;
    int code;

    if (fstat(fd, &st) < 0)
        return error_sys(err, -errno, "cannot look at shared memory");
    code = map(fd, (size_t)st.st_size, base_out, err);
    if (code == 0)
        *size_out = (size_t)st.st_size;
    return code;
}

int place_fill(int fd, uint64_t at, uint64_t size)
{
    int code;

    if (size == 0)
        return 0;
    do
        code = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)size);
    while (code < 0 && errno == EINTR);
    if (code == 0)
        return 0;
    return errno == ENOSPC || errno == EDQUOT ? WEIR_ENOMEM : -errno;
}

/* ----------------------------------------------------------- life tokens ----
 */

static struct flock token(unsigned n, short type)
{
    return (struct flock){ .l_type = type,
                           .l_whence = SEEK_SET,
                           .l_start = TOKENS_AT + n,
                           .l_len = 1 };
}

int life_token_take(int fd, unsigned n)
{
    struct flock lock = token(n, F_WRLCK);

    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

void life_token_drop(int fd, unsigned n)
{
    struct flock lock = token(n, F_UNLCK);
    int saved = errno;

    fcntl(fd, F_OFD_SETLK, &lock);
    errno = saved;
}

uint64_t place_pid_space(void)
{
    struct stat st;

    return stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
}
