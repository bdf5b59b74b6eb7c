/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parcel.c - messages between a program and its helper, in either. See
 * parcel.h. The first message has the head and the descriptors. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "process/parcel.h"

struct message {
    struct parcel_head head;
    char text[PARCEL_TEXT];
};

static int send_one(int socket, const void *data, size_t size, const int *fds,
                    size_t fd_count)
{
    for (;;) {
        struct pollfd poller = { .fd = socket, .events = POLLOUT };
        int code = fd_send(socket, data, size, fds, fd_count);

        if (code != -EAGAIN)
            return code;
        fd_poll(&poller, 1, FOREVER);
    }
}

int parcel_send(int socket, const struct parcel_head *head, const void *data,
                const int *fds, size_t fd_count)
{
    size_t at = 0;
    int code;

    if (head->total > PARCEL_MOST)
        return -EMSGSIZE;
    code = send_one(socket, head, sizeof *head, fds, fd_count);
    while (code == 0 && at < head->total) {
        size_t size = head->total - at;

        if (size > PARCEL_TEXT)
            size = PARCEL_TEXT;
        code = send_one(socket, (const char *)data + at, size, NULL, 0);
        at += size;
    }
    return code;
}

int parcel_receive(int socket, struct parcel *parcel)
{
    struct message message;
    size_t fd_count = FD_MESSAGE_FDS;
    int fds[FD_MESSAGE_FDS];
    ssize_t size = fd_receive(socket, &message, sizeof message, fds, &fd_count);

    if (size == -EAGAIN)
        return -EAGAIN;
    if (size == 0 || size == -ECONNRESET || size == -EPIPE)
        return WEIR_ECLOSED;
    if (size == -EMSGSIZE && !parcel->open) {
        /* Its descriptors found no room here: it comes without them. */
        size = sizeof message.head;
        fd_count = 0;
    }
    if (size < 0)
        return WEIR_EBROKEN;
    if (!parcel->open) {
        parcel_done(parcel);
        parcel->fd_count = fd_count;
        memcpy(parcel->fds, fds, fd_count * sizeof *fds);
        if (size != sizeof message.head || message.head.total > PARCEL_MOST)
            return WEIR_EBROKEN;
        parcel->head = message.head;
        parcel->open = true;
    } else {
        for (size_t i = 0; i < fd_count; i++)
            fd_close(&fds[i]);
        if ((size_t)size > parcel->head.total - parcel->data.size)
            return WEIR_EBROKEN;
        if (buf_add(&parcel->data, &message, (size_t)size) != 0)
            return WEIR_EBROKEN;
    }
    parcel->open = parcel->data.size < parcel->head.total;
    return parcel->open ? 0 : 1;
}

void parcel_done(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->fd_count; i++)
        fd_close(&parcel->fds[i]);
    buf_done(&parcel->data);
    *parcel = (struct parcel){ 0 };
}
