/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* temporary.c - temporary files that are cleaned up by who comes next. Runs in
 * workers. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "temporary.h"

enum {
    NAMES_MOST = 64, /* writers of one file at one moment */
    TRIES_MOST = 16, /* of one name; each is lost to somebody who cleans up */
};

void file_temporaries_init(struct file_temporaries *temporaries)
{
    temporaries->next = 0;
    for (unsigned i = 0; i < FILE_TEMPORARY_HELD; i++)
        temporaries->held[i].fd = temporaries->held[i].folder = -1;
}

static void let_go(struct file_temporary *it)
{
    if (it->fd >= 0)
        close(it->fd);
    if (it->folder >= 0)
        close(it->folder);
    it->fd = it->folder = -1;
}

/* What still has its temporary name was given back, and nobody else takes it
 * away as long as the lock is held. */
static void take_away(const struct file_temporary *it)
{
    struct stat mine, there;

    if (fstat(it->fd, &mine) == 0 && mine.st_nlink > 0 &&
        fstatat(it->folder, it->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        mine.st_dev == there.st_dev && mine.st_ino == there.st_ino)
        unlinkat(it->folder, it->name, 0);
}

void file_temporaries_done(struct file_temporaries *temporaries)
{
    for (unsigned i = 0; i < FILE_TEMPORARY_HELD; i++) {
        struct file_temporary *it = &temporaries->held[i];

        if (it->fd >= 0)
            take_away(it);
        let_go(it);
    }
}

static bool same_folder(const struct file_temporary *a,
                        const struct file_temporary *b)
{
    return b->fd >= 0 && a->dev == b->dev && a->ino == b->ino;
}

/* Some file systems cannot sync a folder, and need not. */
static int sync_folder(const struct file_temporary *it)
{
    if (fsync(it->folder) == 0 || errno == EINVAL || errno == EROFS)
        return 0;
    return -errno;
}

int file_temporaries_sync(const struct file_temporaries *temporaries)
{
    for (unsigned i = 0; i < FILE_TEMPORARY_HELD; i++) {
        const struct file_temporary *it = &temporaries->held[i];
        bool again = false;
        int code;

        for (unsigned k = i + 1; k < FILE_TEMPORARY_HELD && !again; k++)
            again = same_folder(it, &temporaries->held[k]);
        if (it->fd < 0 || again)
            continue;
        code = sync_folder(it);
        if (code < 0)
            return code;
    }
    return 0;
}

/* The lock, and the file has not been taken away meanwhile. Where there are no
 * locks, files are taken for left behind, as if nobody else wrote. */
static bool lock(int fd)
{
    struct stat st;

    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return false;
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* Takes away what nobody holds any more. Returns 0; -EBUSY: it is held; or a
 * negated errno. */
static int clean(int folder, const char *name)
{
    int fd = openat(folder, name,
                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int code = 0;

    if (fd >= 0 && !lock(fd))
        code = -EBUSY;
    else if (unlinkat(folder, name, 0) < 0 && errno != ENOENT)
        code = -errno;
    if (fd >= 0)
        close(fd);
    return code;
}

/* A new file of that name: its descriptor; -EBUSY: somebody holds one; or a
 * negated errno. */
static int make_one(int folder, const char *name)
{
    for (unsigned i = 0; i < TRIES_MOST; i++) {
        int code,
            fd = openat(folder, name,
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        0666);

        if (fd >= 0 && lock(fd))
            return fd;
        if (fd >= 0) {
            close(fd);
            continue;
        }
        if (errno != EEXIST)
            return -errno;
        code = clean(folder, name);
        if (code < 0)
            return code;
    }
    return -EBUSY;
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a; two alike do no harm */

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

int file_temporary_make(struct file_temporaries *temporaries, int folder,
                        const char *final, uint64_t root, uint64_t path,
                        char *name_out)
{
    uint64_t hash = hash_of(final);
    int fd = -EBUSY;

    for (unsigned i = 0; i < NAMES_MOST && fd == -EBUSY; i++) {
        snprintf(name_out, FILE_TEMPORARY_SIZE,
                 i == 0 ? ".weir-%016" PRIx64 : ".weir-%016" PRIx64 "-%u", hash,
                 i);
        /* An earlier attempt at this very item, which was given back. */
        for (unsigned k = 0; k < FILE_TEMPORARY_HELD; k++) {
            struct file_temporary *it = &temporaries->held[k];

            if (it->root == root && it->path == path &&
                strcmp(it->name, name_out) == 0)
                let_go(it);
        }
        fd = make_one(folder, name_out);
    }
    return fd;
}

int file_temporary_keep(struct file_temporaries *temporaries,
                        const struct file_temporary *it, bool sync)
{
    struct file_temporary *place = &temporaries->held[temporaries->next];
    unsigned next = (temporaries->next + 1) % FILE_TEMPORARY_HELD;
    struct stat st;
    int code = 0;

    if (place->fd >= 0) {
        take_away(place);
        /* Of several in one folder the last one syncs it. */
        if (sync && !same_folder(place, &temporaries->held[next]))
            code = sync_folder(place);
        let_go(place);
    }
    *place = *it;
    if (fstat(it->folder, &st) == 0) {
        place->dev = st.st_dev;
        place->ino = st.st_ino;
    }
    temporaries->next = next;
    return code;
}
