/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c - core/shm/memory.c: sealed, shared, given back. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"

enum { SIZE = 1 << 20 };

static int fd;
static char *base;

static void setup(void)
{
    void *start;

    children_setup();
    ck_assert_int_eq(memory_create("test", SIZE, &fd, &start, NULL), 0);
    base = start;
}

static uint64_t pages(void)
{
    struct stat st;

    ck_assert_int_eq(fstat(fd, &st), 0);
    return (uint64_t)st.st_blocks * 512 / memory_page();
}

START_TEST(sealed)
{
    struct stat st;

    ck_assert_int_ge(fd, 3);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(st.st_size, SIZE);
    ck_assert_int_eq(ftruncate(fd, SIZE / 2), -1);
    ck_assert_int_eq(ftruncate(fd, 2 * SIZE), -1);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    ck_assert_uint_eq(pages(), 0);
}
END_TEST

START_TEST(mapped_by_others)
{
    void *other;
    size_t size;

    ck_assert_int_eq(memory_map(fd, &other, &size, NULL), 0);
    ck_assert_uint_eq(size, SIZE);
    base[SIZE - 1] = 'x';
    ck_assert_int_eq(((char *)other)[SIZE - 1], 'x');
    memory_unmap(other, size);
    memory_unmap(NULL, 0);
}
END_TEST

START_TEST(refused)
{
    int unsealed = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    weir_error err;
    void *other;
    size_t size;

    ck_assert_int_eq(ftruncate(unsealed, SIZE), 0);
    ck_assert_int_eq(memory_map(unsealed, &other, &size, &err), WEIR_EBROKEN);
    ck_assert_str_eq(err.text, "this descriptor is no shared memory of weir");
    ck_assert_int_eq(memory_map(null, &other, &size, NULL), WEIR_EBROKEN);
    ck_assert_int_eq(memory_map(-1, &other, &size, NULL), WEIR_EBROKEN);
    close(unsealed);
    unsealed = memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_eq(fcntl(unsealed, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    ck_assert_int_lt(memory_map(unsealed, &other, &size, &err), 0);
    close(unsealed);
    close(null);
}
END_TEST

START_TEST(not_created)
{
    weir_error err;
    void *start;
    int made = -7;

    ck_assert_int_lt(memory_create("none", 0, &made, &start, &err), 0);
    ck_assert_int_lt(memory_create("huge", SIZE_MAX, &made, &start, &err), 0);
    ck_assert_int_eq(made, -7);
}
END_TEST

/* A closed stdout must not become the memory. */
START_TEST(above_standard)
{
    void *start;
    int made;

    for (int i = 0; i < 3; i++)
        close(i);
    ck_assert_int_eq(memory_create("test", SIZE, &made, &start, NULL), 0);
    ck_assert_int_ge(made, 3);
    ck_assert_int_ne(fcntl(made, F_GETFD) & FD_CLOEXEC, 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fcntl(i, F_GETFD), -1);
}
END_TEST

static void limit(int resource, rlim_t most)
{
    struct rlimit limits;

    ck_assert_int_eq(getrlimit(resource, &limits), 0);
    limits.rlim_cur = most;
    ck_assert_int_eq(setrlimit(resource, &limits), 0);
}

/* Not by a signal that ends the program. */
START_TEST(file_limit)
{
    weir_error err;
    void *start;
    int made = -7;

    limit(RLIMIT_FSIZE, SIZE / 2);
    ck_assert_int_eq(memory_create("test", SIZE, &made, &start, &err), -EFBIG);
    ck_assert_ptr_nonnull(strstr(err.text, "ulimit -f"));
    ck_assert_int_eq(made, -7);
    ck_assert_int_eq(memory_create("test", SIZE / 2, &made, &start, &err), 0);
}
END_TEST

START_TEST(descriptor_limit)
{
    weir_error err;
    void *start;
    int made, code;

    limit(RLIMIT_NOFILE, 0);
    code = memory_create("test", SIZE, &made, &start, &err);
    limit(RLIMIT_NOFILE, 64); /* what looks for leaks needs some */
    ck_assert_int_eq(code, -EMFILE);
    ck_assert_str_eq(err.text,
                     "cannot create shared memory: Too many open files");
}
END_TEST

/* Sanitizers map more than any limit. */
#if !SANITIZED
START_TEST(address_limit)
{
    weir_error err;
    void *start;
    size_t size;
    int made;

    limit(RLIMIT_AS, SIZE);
    ck_assert_int_eq(memory_create("test", SIZE, &made, &start, &err),
                     WEIR_ENOMEM);
    ck_assert_ptr_nonnull(strstr(err.text, "ulimit -v"));
    ck_assert_int_eq(memory_map(fd, &start, &size, &err), WEIR_ENOMEM);
}
END_TEST
#endif

START_TEST(punch)
{
    size_t page = memory_page();

    memset(base, 'x', 4 * page);
    ck_assert_uint_eq(pages(), 4);
    ck_assert_int_eq(memory_punch(base + page, 2 * page), 0);
    ck_assert_uint_eq(pages(), 2);
    ck_assert_int_eq(base[page - 1], 'x');
    ck_assert_int_eq(base[page], 0);
    ck_assert_int_eq(base[3 * page - 1], 0);
    ck_assert_int_eq(base[3 * page], 'x');
    ck_assert_int_eq(memory_punch(base + 1, page), -EINVAL);
}
END_TEST

START_TEST(populate)
{
    size_t page = memory_page();

    errno = 7;
    memory_populate(base, 2 * page + 1);
    ck_assert_int_eq(errno, 7);
    /* Where the kernel does not know it, nothing happens. */
    ck_assert(pages() == 3 || pages() == 0);
}
END_TEST

static int touch(void *arg)
{
    (void)arg;
    signal(SIGSEGV, SIG_DFL);
    *(volatile char *)base = 'y';
    return 0;
}

START_TEST(not_for_forks)
{
    pid_t pid;
    int status;

    returned(actor(touch, NULL, NULL), 0);
    ck_assert_int_eq(base[0], 'y');
    ck_assert_int_eq(memory_dontfork(base, SIZE), 0);
    pid = actor(touch, NULL, NULL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGSEGV);
    ck_assert_int_lt(memory_dontfork(NULL, SIZE), 0);
}
END_TEST

static int keep(void *arg)
{
    (void)arg;
    while (pause() < 0)
        ;
    return 0;
}

/* A duplicate in any process counts, and a mapping; the one that asks does
 * not. */
START_TEST(held)
{
    int copy = dup(fd), asking;
    pid_t pid;

    ck_assert_int_eq(memory_hold(fd), 0);
    asking = memory_reopen(fd);
    ck_assert_int_ge(asking, 3);
    ck_assert(memory_held(asking));
    close(fd);
    ck_assert(memory_held(asking));
    close(copy);
    ck_assert(memory_held(asking));
    pid = actor(keep, NULL, NULL);
    memory_unmap(base, SIZE);
    ck_assert(memory_held(asking));
    kill(pid, SIGKILL);
    killed(pid);
    ck_assert(!memory_held(asking));
    close(asking);
    ck_assert_int_eq(memory_hold(-1), -EBADF);
    ck_assert_int_lt(memory_reopen(-1), 0);
    ck_assert(memory_held(-1)); /* not known: taken for yes */
}
END_TEST

Suite *memory_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tcase = tcase_create("memory");

    tcase_add_checked_fixture(tcase, setup, children_teardown);
    tcase_add_test(tcase, sealed);
    tcase_add_test(tcase, mapped_by_others);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, not_created);
    tcase_add_test(tcase, above_standard);
    tcase_add_test(tcase, file_limit);
    tcase_add_test(tcase, descriptor_limit);
#if !SANITIZED
    tcase_add_test(tcase, address_limit);
#endif
    tcase_add_test(tcase, punch);
    tcase_add_test(tcase, populate);
    tcase_add_test(tcase, not_for_forks);
    tcase_add_test(tcase, held);
    suite_add_tcase(suite, tcase);
    return suite;
}
