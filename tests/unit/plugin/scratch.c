/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scratch.c - see scratch.h. The folder lies in /tmp whatever TMPDIR says:
 * the way to it must be one that the trust rules accept. */
#include "config.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"
#include "scratch.h"

char scratch[64];

void scratch_make(void)
{
    umask(022);
    strcpy(scratch, "/tmp/weir-plugin-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(scratch));
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

void scratch_remove(void)
{
    ck_assert_int_eq(nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *in_scratch(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

void make_folder(const char *name)
{
    ck_assert_int_eq(mkdir(in_scratch(name), 0755), 0);
}

void write_file(const char *name, const void *data, size_t size)
{
    int fd = open(in_scratch(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                  0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_all(fd, data, size), 0);
    fd_close(&fd);
}

char *read_file(const char *path, size_t *size_out)
{
    struct buf buf = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_msg(fd >= 0, "cannot open %s", path);
    ck_assert_int_eq(fd_slurp(fd, &buf, 16 << 20), 0);
    fd_close(&fd);
    *size_out = buf.size;
    return buf.data;
}
