/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fd.c - whole reads and writes, and messages with descriptors. Any process.
 *
 * Descriptors may be non-blocking because somebody else made them so (the
 * open file is shared with a shell, say); nothing here changes that, it polls.
 * Whoever writes to a pipe or a stream socket has dealt with SIGPIPE.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

enum { SLURP_STEP = 65536 };
#define BLIND_NS (5 * NS_PER_MS)

void fd_close(int *fd)
{
    int saved = errno;

    if (*fd < 0)
        return;
    close(*fd); /* not again on EINTR: on Linux it is closed already */
    *fd = -1;
    errno = saved;
}

int dir_next(DIR *dir, const struct dirent **entry_out)
{
    errno = 0;
    *entry_out = readdir(dir);
    if (*entry_out != NULL)
        return 1;
    return -errno;
}

int fd_poll(struct pollfd *polls, size_t count, int64_t deadline_ns)
{
    int64_t left = clock_left(deadline_ns);
    int got = poll(polls, count, clock_poll_ms(left));

    if (got >= 0)
        return got;
    for (size_t i = 0; i < count; i++)
        polls[i].revents = 0;
    if (errno != EINTR) {
        struct timespec time = clock_timespec(left < BLIND_NS ? left
                                                              : BLIND_NS);

        nanosleep(&time, NULL);
    }
    return 0;
}

/* After a failed call: 0 when it is to be done again, else the code. */
static int again(int fd, short events)
{
    struct pollfd wait = { .fd = fd, .events = events };

    if (errno == EINTR)
        return 0;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return -errno;
    if (poll(&wait, 1, -1) < 0 && errno != EINTR)
        return -errno;
    return 0;
}

ssize_t fd_read_all(int fd, void *data, size_t size)
{
    size_t at = 0;

    if (size > SSIZE_MAX)
        return WEIR_EINVAL;
    while (at < size) {
        ssize_t got = read(fd, (char *)data + at, size - at);

        if (got == 0)
            break;
        if (got < 0) {
            int rc = again(fd, POLLIN);

            if (rc < 0)
                return rc;
            continue;
        }
        at += (size_t)got;
    }
    return (ssize_t)at;
}

/* @offset NULL: where the descriptor stands. */
static int write_all(int fd, const char *data, size_t size, int64_t *offset)
{
    while (size > 0) {
        ssize_t put = offset ? pwrite(fd, data, size, *offset)
                             : write(fd, data, size);

        if (put == 0)
            return -EIO; /* a device that takes nothing would loop for ever */
        if (put < 0) {
            int rc = again(fd, POLLOUT);

            if (rc < 0)
                return rc;
            continue;
        }
        data += put;
        size -= (size_t)put;
        if (offset)
            *offset += put;
    }
    return 0;
}

int fd_write_all(int fd, const void *data, size_t size)
{
    return write_all(fd, data, size, NULL);
}

int fd_pwrite_all(int fd, const void *data, size_t size, int64_t offset)
{
    return write_all(fd, data, size, &offset);
}

int fd_slurp(int fd, struct buf *buf, size_t most)
{
    size_t before = buf->size;
    int rc = 0;

    for (;;) {
        size_t left = most - (buf->size - before);
        size_t step = left < SLURP_STEP ? left + 1 : SLURP_STEP;
        ssize_t got;

        rc = buf_reserve(buf, step);
        if (rc < 0)
            break;
        got = fd_read_all(fd, buf->data + buf->size, step);
        if (got < 0) {
            rc = (int)got;
            break;
        }
        if ((size_t)got > left) {
            rc = -EFBIG;
            break;
        }
        buf->size += (size_t)got;
        buf->data[buf->size] = '\0';
        if ((size_t)got < step)
            return 0;
    }
    /* What was read past the size has written over the NUL there. */
    buf->size = before;
    if (buf->data)
        buf->data[before] = '\0';
    return rc;
}

/* EBUSY: another thread was about to open @number. */
int fd_put_at(int fd, int number)
{
    int got = -1;

    for (unsigned i = 0; i < 1000 && got < 0; i++) {
        got = dup2(fd, number);
        if (got < 0 && errno != EINTR && errno != EBUSY)
            break;
    }
    return got < 0 ? -errno : 0;
}

void fd_identify(int fd, struct fd_identity *out)
{
    struct stat st;

    *out = (struct fd_identity){ 0 };
    if (fd >= 0 && fstat(fd, &st) == 0)
        *out = (struct fd_identity){ (uint64_t)st.st_dev, (uint64_t)st.st_ino };
}

bool fd_is(int fd, const struct fd_identity *identity)
{
    struct stat st;

    if (identity->dev == 0 && identity->ino == 0)
        return true; /* nobody knows */
    if (fstat(fd, &st) < 0)
        return errno != EBADF;
    return (uint64_t)st.st_dev == identity->dev &&
           (uint64_t)st.st_ino == identity->ino;
}

int fd_fill_standard(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        int null;

        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        /* The lowest free number is fd. Not close-on-exec: programs that are
         * started must find all three open, too. */
        null = open("/dev/null", O_RDWR);
        if (null < 0)
            return -errno;
        if (null != fd) { /* another thread was faster */
            int code = fd_put_at(null, fd);

            fd_close(&null);
            if (code < 0)
                return code;
        }
    }
    return 0;
}

/* Room for the descriptors of one message, aligned as the kernel wants. */
union control {
    char bytes[CMSG_SPACE(FD_MESSAGE_FDS * sizeof(int))];
    struct cmsghdr align;
};

int fd_send(int socket, const void *data, size_t size, const int *fds,
            size_t fd_count)
{
    struct iovec part = { .iov_base = (void *)data, .iov_len = size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    union control control;
    ssize_t sent;

    /* An empty message would look like the end of the stream. */
    if (size == 0 || fd_count > FD_MESSAGE_FDS)
        return WEIR_EINVAL;
    if (fd_count > 0) {
        struct cmsghdr *header;

        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    return (size_t)sent == size ? 0 : -EMSGSIZE; /* not SOCK_SEQPACKET */
}

/* Moves the descriptors of a message to @fds; those beyond @room are closed.
 * Returns how many there were. */
static size_t take_fds(struct msghdr *message, int *fds, size_t room)
{
    struct cmsghdr *header;
    size_t count = 0;

    for (header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR(message, header)) {
        size_t size = header->cmsg_len - CMSG_LEN(0);

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < size / sizeof(int); i++, count++) {
            int fd;

            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (count < room)
                fds[count] = fd;
            else
                fd_close(&fd);
        }
    }
    return count;
}

ssize_t fd_receive(int socket, void *data, size_t room, int *fds,
                   size_t *fd_count)
{
    struct iovec part = { .iov_base = data, .iov_len = room };
    union control control;
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    size_t fd_room = fd_count ? *fd_count : 0;
    size_t count;
    ssize_t got;

    do
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    count = take_fds(&message, fds, fd_room);
    if (count > fd_room || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        for (size_t i = 0; i < count && i < fd_room; i++)
            fd_close(&fds[i]);
        return -EMSGSIZE;
    }
    if (fd_count)
        *fd_count = count;
    return got;
}
