/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parcel.h - what a program and its helper say to each other: a code, bytes of
 * any length and descriptors, in messages of one SOCK_SEQPACKET pair.
 */
#ifndef PROCESS_PARCEL_H
#define PROCESS_PARCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

enum {
    PARCEL_TEXT = 16 << 10, /* bytes in one message */
    PARCEL_MOST = 64 << 20, /* bytes of a whole one */
};

struct parcel_head {
    uint32_t service; /* whose, in the helper's table */
    int32_t code;     /* of an answer */
    uint64_t tag;     /* an answer has its question's */
    uint64_t total;   /* bytes of the whole parcel */
};

struct parcel {
    struct parcel_head head;
    struct buf data;
    int fds[FD_MESSAGE_FDS];
    size_t fd_count;
    bool open; /* more of it is to come */
};

/* Sends all of it; waits for room. 0 or a negated errno. */
int parcel_send(int socket, const struct parcel_head *head, const void *data,
                const int *fds, size_t fd_count);

/* Takes one message. 1: the parcel is whole, its descriptors the caller's; 0:
 * more is to come; -EAGAIN; WEIR_ECLOSED: the end; WEIR_EBROKEN: nonsense. */
int parcel_receive(int socket, struct parcel *parcel);

/* Closes the descriptors that are still in it; empty afterwards. */
void parcel_done(struct parcel *parcel);

#endif
