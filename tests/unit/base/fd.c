/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fd.c - core/base/fd.c: whole reads and writes, and messages. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"
#include "base/clock.h"
#include "base/sync.h"

enum { LARGE = 300000 };

static char sent[LARGE], got[LARGE];

static void setup(void)
{
    children_setup();
    for (size_t i = 0; i < LARGE; i++)
        sent[i] = (char)(i * 7 + i / 256);
}

static int file_with(const void *data, size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    ck_assert_int_eq(fd_write_all(fd, data, size), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

START_TEST(closing)
{
    int fd = file_with("x", 1);
    int copy = fd;

    errno = 99;
    fd_close(&fd);
    ck_assert_int_eq(errno, 99);
    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(fcntl(copy, F_GETFD), -1);
    fd_close(&fd);
}
END_TEST

START_TEST(files)
{
    int fd = file_with("abcdef", 6);

    ck_assert_int_eq(fd_read_all(fd, got, 4), 4);
    ck_assert_int_eq(fd_read_all(fd, got + 4, 10), 2);
    ck_assert_mem_eq(got, "abcdef", 6);
    ck_assert_int_eq(fd_read_all(fd, got, 10), 0);
    ck_assert_int_eq(fd_pwrite_all(fd, "XY", 2, 2), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(fd_read_all(fd, got, 10), 6);
    ck_assert_mem_eq(got, "abXYef", 6);
    ck_assert_int_eq(fd_read_all(fd, got, 0), 0);
    ck_assert_int_eq(fd_write_all(fd, NULL, 0), 0);
    ck_assert_int_eq(fd_read_all(fd, got, SIZE_MAX), WEIR_EINVAL);
    fd_close(&fd);
    ck_assert_int_eq(fd_read_all(-1, got, 1), -EBADF);
    ck_assert_int_eq(fd_write_all(-1, got, 1), -EBADF);
    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(fd_write_all(fd, "x", 1), -ENOSPC);
    fd_close(&fd);
}
END_TEST

static void ignore(int signal)
{
    (void)signal;
}

/* Non-blocking at both ends, in parts, and with a signal every millisecond. */
START_TEST(pipes)
{
    const struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
    const struct sigaction action = { .sa_handler = ignore };
    int fds[2], status;
    pid_t pid;

    ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    pid = fork();
    if (pid == 0) {
        setitimer(ITIMER_REAL, &often, NULL);
        _exit(fd_write_all(fds[1], sent, LARGE) == 0 ? 0 : 1);
    }
    fd_close(&fds[1]);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    ck_assert_int_eq(fd_read_all(fds[0], got, LARGE), LARGE);
    ck_assert_int_eq(fd_read_all(fds[0], got, 1), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL), 0);
    ck_assert_mem_eq(got + 1, sent + 1, LARGE - 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    fd_close(&fds[0]);
}
END_TEST

/* With fewer descriptors allowed than it asks for, poll itself fails. */
START_TEST(polls_blindly)
{
    struct pollfd poller = { .events = POLLOUT };
    struct rlimit before, none;
    int fds[2];

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(pipe(fds), 0);
    poller.fd = fds[1];
    ck_assert_int_eq(fd_poll(&poller, 1, FOREVER), 1);
    ck_assert_int_eq(poller.revents, POLLOUT);
    none = before;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(poll(&poller, 1, 0), -1);
    ck_assert_int_eq(fd_poll(&poller, 1, FOREVER), 0);
    ck_assert_int_eq(poller.revents, 0);
    ck_assert_int_eq(fd_poll(&poller, 1, clock_now()), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(fd_poll(&poller, 1, FOREVER), 1);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

/* What cannot be synced need not be; what should be and is not is told. */
START_TEST(syncs)
{
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(sync_fd(fds[1]), 0);
    close(fds[0]);
    close(fds[1]);
    ck_assert_int_eq(sync_fd(fds[1]), -EBADF);
    ck_assert_int_eq(sync_folder_of("no-folder"), 0);
    ck_assert_int_eq(sync_folder_of("/tmp/name"), 0);
    ck_assert_int_eq(sync_folder_of("/there/is/none"), 0);
}
END_TEST

START_TEST(slurps)
{
    struct buf buf = { 0 };
    int fd = file_with(sent, LARGE);
    int code;

    ck_assert_int_eq(buf_text(&buf, "before"), 0);
    ck_assert_int_eq(fd_slurp(fd, &buf, LARGE), 0);
    ck_assert_uint_eq(buf.size, 6 + LARGE);
    ck_assert_mem_eq(buf.data + 6, sent, LARGE);
    ck_assert_int_eq(buf.data[buf.size], '\0');
    buf_cut(&buf, 6);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(fd_slurp(fd, &buf, LARGE - 1), -EFBIG);
    ck_assert_str_eq(buf.data, "before");
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(fd_slurp(fd, &buf, SIZE_MAX), 0);
    ck_assert_uint_eq(buf.size, 6 + LARGE);
    buf_cut(&buf, 6);
    ck_assert_int_eq(fd_slurp(fd, &buf, 0), 0); /* at its end */
    ck_assert_uint_eq(buf.size, 6);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(fd_slurp(fd, &buf, 0), -EFBIG);
    fd_close(&fd);
    ck_assert_int_eq(fd_slurp(-1, &buf, 10), -EBADF);
    ck_assert_str_eq(buf.data, "before");
    buf_done(&buf);
    code = FAILING(1, fd_slurp(-1, &buf, 10));
    ck_assert_int_eq(code, WEIR_ENOMEM);
    buf_done(&buf);
}
END_TEST

START_TEST(fills_standard)
{
    for (int i = 0; i < 3; i++)
        close(i);
    ck_assert_int_eq(fd_fill_standard(), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fcntl(i, F_GETFD),
                         0); /* open, and not closed by exec */
    ck_assert_int_eq(write(1, "x", 1), 1);
    ck_assert_int_eq(read(0, got, 1), 0);
    ck_assert_int_eq(fd_fill_standard(), 0);
    close(1);
    ck_assert_int_eq(fd_fill_standard(), 0);
    ck_assert_int_eq(fcntl(1, F_GETFD), 0);
}
END_TEST

START_TEST(messages)
{
    int pair[2], fds[4], some[2];
    size_t count = 4;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
                                pair),
                     0);
    ck_assert_int_eq(pipe(some), 0);
    ck_assert_int_eq(fd_send(pair[0], "plain", 5, NULL, 0), 0);
    ck_assert_int_eq(fd_send(pair[0], "with", 4, some, 2), 0);
    ck_assert_int_eq(fd_receive(pair[1], got, LARGE, fds, &count), 5);
    ck_assert_uint_eq(count, 0);
    count = 4;
    ck_assert_int_eq(fd_receive(pair[1], got, LARGE, fds, &count), 4);
    ck_assert_mem_eq(got, "with", 4);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(write(fds[1], "!", 1), 1);
    ck_assert_int_eq(read(some[0], got, 1), 1);
    ck_assert_int_eq(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(fd_send(pair[0], "", 0, NULL, 0), WEIR_EINVAL);
    ck_assert_int_eq(fd_send(pair[0], "x", 1, some, FD_MESSAGE_FDS + 1),
                     WEIR_EINVAL);
    ck_assert_int_eq(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(fd_receive(pair[1], got, LARGE, NULL, NULL), -EAGAIN);
    fd_close(&pair[0]);
    ck_assert_int_eq(fd_receive(pair[1], got, LARGE, NULL, NULL), 0);
    ck_assert_int_eq(fd_send(pair[1], "x", 1, NULL, 0), -EPIPE);
}
END_TEST

static int lowest_free(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

/* What does not fit is not taken: no descriptor of it stays open. */
START_TEST(messages_cut)
{
    int pair[2], fds[FD_MESSAGE_FDS], many[FD_MESSAGE_FDS];
    size_t count = 1;
    int before;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
                                pair),
                     0);
    for (size_t i = 0; i < FD_MESSAGE_FDS; i++)
        many[i] = 0;
    before = lowest_free();
    ck_assert_int_eq(fd_send(pair[0], "x", 1, many, 2), 0);
    ck_assert_int_eq(fd_receive(pair[1], got, 9, fds, &count), -EMSGSIZE);
    ck_assert_int_eq(lowest_free(), before);
    ck_assert_int_eq(fd_send(pair[0], "too long", 8, many, 1), 0);
    ck_assert_int_eq(fd_receive(pair[1], got, 3, fds, &count), -EMSGSIZE);
    ck_assert_int_eq(lowest_free(), before);
    ck_assert_int_eq(fd_send(pair[0], "x", 1, many, 1), 0);
    ck_assert_int_eq(fd_receive(pair[1], got, 9, NULL, NULL), -EMSGSIZE);
    ck_assert_int_eq(lowest_free(), before);
    count = FD_MESSAGE_FDS;
    ck_assert_int_eq(fd_send(pair[0], "x", 1, many, FD_MESSAGE_FDS), 0);
    ck_assert_int_eq(fd_receive(pair[1], got, 9, fds, &count), 1);
    ck_assert_uint_eq(count, FD_MESSAGE_FDS);
}
END_TEST

START_TEST(same_file)
{
    const struct fd_identity unknown = { 0 };
    struct fd_identity identity;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), number = fd;

    fd_identify(fd, &identity);
    ck_assert(fd_is(fd, &identity));
    ck_assert(fd_is(fd, &unknown));
    fd_close(&fd);
    ck_assert(!fd_is(number, &identity));
    fd = open("/", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fd, number);
    ck_assert(!fd_is(fd, &identity));
    fd_close(&fd);
    fd_identify(-1, &identity);
    ck_assert(fd_is(0, &identity));
}
END_TEST

Suite *fd_suite(void)
{
    Suite *suite = suite_create("fd");
    TCase *tcase = tcase_create("fd");

    tcase_add_checked_fixture(tcase, setup, children_teardown);
    tcase_add_test(tcase, closing);
    tcase_add_test(tcase, files);
    tcase_add_test(tcase, pipes);
    tcase_add_test(tcase, polls_blindly);
    tcase_add_test(tcase, syncs);
    tcase_add_test(tcase, slurps);
    tcase_add_test(tcase, fills_standard);
    tcase_add_test(tcase, messages);
    tcase_add_test(tcase, messages_cut);
    tcase_add_test(tcase, same_file);
    suite_add_tcase(suite, tcase);
    return suite;
}
