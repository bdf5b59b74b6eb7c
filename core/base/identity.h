/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* identity.h - which file it is, whatever its name. */
#ifndef BASE_IDENTITY_H
#define BASE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* An inode's number is given out again when its file is gone; so the time of
 * its birth belongs to it. */
struct identity {
    uint64_t dev, ino;
    uint64_t born; /* ns of its clock; 0: the file system does not say */
    uint64_t size;
    mode_t mode;
};

/* 0 or -errno. */
int identity_of(int fd, struct identity *out);
/* Of what has that name itself: a link is not followed. */
int identity_at(const char *path, struct identity *out);

/* Both taken while the file system was mounted. */
bool identity_same(const struct identity *a, const struct identity *b);
/* The machine may have been started anew since @was: then the file system may
 * have another number, as one that has no device of its own always may (btrfs,
 * overlay, NFS). An inode that was born at the same nanosecond is the same. */
bool identity_still(const struct identity *was, const struct identity *is);

#endif
