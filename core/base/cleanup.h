/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cleanup.h - scope guards for the few things that are undone everywhere. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"

#define CLEANUP(function) __attribute__((__cleanup__(function)))

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_fd(int *fd)
{
    fd_close(fd);
}

#define CLEANUP_FREE CLEANUP(cleanup_free)
#define CLEANUP_FD CLEANUP(cleanup_fd)
#define CLEANUP_BUF CLEANUP(buf_done)

#endif
