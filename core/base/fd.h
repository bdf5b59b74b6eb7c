/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fd.h - descriptors: whole reads and writes, EINTR, close-on-exec, and
 * messages with descriptors over sockets. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* Closes *fd when >= 0 and sets it to -1; keeps errno. */
void fd_close(int *fd);

/* As poll, until @deadline_ns. It does not fail: when the system cannot look
 * (there may be fewer descriptors than are asked for, by now, or no memory), it
 * says after some ms that there is nothing, as it does after a signal. */
struct pollfd;
int fd_poll(struct pollfd *polls, size_t count, int64_t deadline_ns);

/* All bytes or a negated errno; a short read (end of file) gives how many
 * there were. EINTR and EAGAIN never show (EAGAIN polls). */
ssize_t fd_read_all(int fd, void *data, size_t size);
int fd_write_all(int fd, const void *data, size_t size);
int fd_pwrite_all(int fd, const void *data, size_t size, int64_t offset);
/* The whole file into @buf, at most @most bytes (-EFBIG beyond). */
int fd_slurp(int fd, struct buf *buf, size_t most);

/* The next entry of a folder: 1; 0: there are no more; or a negated errno, and
 * then what was seen so far is not all of it. */
int dir_next(DIR *dir, const struct dirent **entry_out);

/* dup2, again when the system says that it could not just now. */
int fd_put_at(int fd, int number);

/* Which open file a descriptor is: whoever closes it and opens another gets the
 * same number. All files that are eventfds and the like are one. */
struct fd_identity {
    uint64_t dev, ino; /* both 0: it is not known, and anyone is taken for it */
};

void fd_identify(int fd, struct fd_identity *out);
bool fd_is(int fd, const struct fd_identity *identity);

/* Opens /dev/null on each of 0, 1, 2 that is closed: first thing in main. */
int fd_fill_standard(void);

/* One message with up to FD_MESSAGE_FDS descriptors over a SOCK_SEQPACKET
 * socket. The receiver's are close-on-exec, count in *fd_count (in: room).
 * Receiving gives the message's size, 0 at the end of the stream, -EAGAIN
 * when the socket is non-blocking and empty, -EMSGSIZE when cut. */
#define FD_MESSAGE_FDS 64
int fd_send(int socket, const void *data, size_t size, const int *fds,
            size_t fd_count);
ssize_t fd_receive(int socket, void *data, size_t room, int *fds,
                   size_t *fd_count);

#endif
