/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.c - shared memory that no path leads to.
 *
 * A memfd is not under the limit of /dev/shm. On it neither fallocate nor a
 * page fault answers "no memory": both end in the OOM killer, so whoever
 * grows it looks first (memory_available).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/memory.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int fd_above_standard(int fd)
{
    int moved;

    if (fd > 2)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    fd_close(&fd);
    return moved;
}

/* The kernel would not only refuse: it sends SIGXFSZ, which ends a program
 * that has not thought of it. */
static bool too_large_for_a_file(size_t size)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur;
}

int memory_create(const char *name, size_t size, int *fd_out, void **base_out,
                  weir_error *err)
{
    CLEANUP_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *base;

    if (fd >= 0)
        fd = fd_above_standard(fd);
    if (fd < 0)
        return error_sys(err, -errno, "cannot create shared memory");
    if (too_large_for_a_file(size))
        return error_sys(err, -EFBIG,
                         "shared memory needs %zu bytes of address space "
                         "(see ulimit -f)",
                         size);
    if (ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return error_sys(err, -errno,
                         "cannot give shared memory its %zu bytes of address "
                         "space",
                         size);
    base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                fd, 0);
    if (base == MAP_FAILED)
        return error_sys(err, -errno,
                         "cannot map %zu bytes of shared memory (see "
                         "ulimit -v)",
                         size);
    *fd_out = fd;
    *base_out = base;
    fd = -1;
    return 0;
}

int memory_map(int fd, void **base_out, size_t *size_out, weir_error *err)
{
    struct stat st;
    void *base;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
        return error_set(err, WEIR_EBROKEN,
                         "this descriptor is no shared memory of weir");
    if (fstat(fd, &st) < 0)
        return error_sys(err, -errno, "cannot look at shared memory");
    base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (base == MAP_FAILED)
        return error_sys(err, -errno, "cannot map %lld bytes",
                         (long long)st.st_size);
    *base_out = base;
    *size_out = (size_t)st.st_size;
    return 0;
}

void *memory_map_again(int fd, size_t size)
{
    int saved = errno;
    void *again = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd,
                       0);

    errno = saved;
    return again == MAP_FAILED ? NULL : again;
}

void memory_unmap(void *base, size_t size)
{
    if (base != NULL)
        munmap(base, size);
}

int memory_dontfork(void *base, size_t size)
{
    return madvise(base, size, MADV_DONTFORK) < 0 ? -errno : 0;
}

size_t memory_page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void memory_populate(void *start, size_t size)
{
#ifdef MADV_POPULATE_WRITE
    const size_t page = memory_page();
    int saved = errno;

    madvise(start, (size + page - 1) / page * page, MADV_POPULATE_WRITE);
    errno = saved;
#else
    (void)start;
    (void)size;
#endif
}

void memory_allow_huge(void *start, size_t size)
{
    int saved = errno;

    madvise(start, size, MADV_HUGEPAGE);
    errno = saved;
}

int memory_punch(void *start, size_t size)
{
    return madvise(start, size, MADV_REMOVE) < 0 ? -errno : 0;
}

/* ------------------------------------------------------------ holders ---- */

/* A lock of an open file description: shared by all duplicates, gone with the
 * last of them. */
int memory_hold(int fd)
{
    struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

    return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

int memory_reopen(int fd)
{
    char path[64];
    int again;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    again = open(path, O_RDWR | O_CLOEXEC);
    return again < 0 ? -errno : again;
}

bool memory_held(int reopened_fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fcntl(reopened_fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}
