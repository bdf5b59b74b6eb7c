/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* identity.c - see identity.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/clock.h"
#include "base/identity.h"

static int identify(int folder, const char *name, int flags,
                    struct identity *out)
{
    struct statx stx;
    struct stat st;

    if (statx(folder, name, flags, STATX_BASIC_STATS | STATX_BTIME, &stx) ==
        0) {
        *out = (struct identity){
            .dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
            .ino = stx.stx_ino,
            .size = stx.stx_size,
            .mode = stx.stx_mode,
        };
        if ((stx.stx_mask & STATX_BTIME) != 0)
            out->born = (uint64_t)stx.stx_btime.tv_sec * NS_PER_S +
                        stx.stx_btime.tv_nsec;
        return 0;
    }
    /* A filter of system calls may know no statx. */
    if (fstatat(folder, name, &st, flags) < 0)
        return -errno;
    *out = (struct identity){ .dev = (uint64_t)st.st_dev,
                              .ino = (uint64_t)st.st_ino,
                              .size = (uint64_t)st.st_size,
                              .mode = st.st_mode };
    return 0;
}

int identity_of(int fd, struct identity *out)
{
    return identify(fd, "", AT_EMPTY_PATH, out);
}

int identity_at(const char *path, struct identity *out)
{
    return identify(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, out);
}

bool identity_same(const struct identity *a, const struct identity *b)
{
    return a->dev == b->dev && a->ino == b->ino &&
           (a->born == b->born || a->born == 0 || b->born == 0);
}

bool identity_still(const struct identity *was, const struct identity *is)
{
    if (was->born == 0 || is->born == 0)
        return identity_same(was, is);
    return was->ino == is->ino && was->born == is->born;
}
