/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.c - each file below a folder compressed into another folder, written by
 * hand for just this: names by a channel to forked workers. Nothing is renamed
 * into place or waited for; who is killed leaves half a file. `one` is a
 * process for each file, as xargs starts it.
 *
 *   tree limit FROM TO WORKERS
 *   tree one TO FILE...
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zstd.h>

#include "channel.h"

enum { LEVEL = 3, SLOTS = 1024, FILE_MOST = 1 << 20 };

struct packer {
    ZSTD_CCtx *zstd;
    char *in, *out;
    size_t room;
};

static struct packer packer_new(void)
{
    struct packer packer = { ZSTD_createCCtx(), malloc(FILE_MOST), NULL,
                             ZSTD_compressBound(FILE_MOST) };

    packer.out = malloc(packer.room);
    if (packer.zstd == NULL || packer.in == NULL || packer.out == NULL)
        bench_die("tree", "no memory");
    return packer;
}

static size_t read_file(const struct packer *packer, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, packer->in, FILE_MOST);

    if (size < 0 || size == FILE_MOST)
        bench_die(path, size < 0 ? strerror(errno) : "too large");
    close(fd);
    return (size_t)size;
}

static void pack(const struct packer *packer, const char *from, const char *to)
{
    size_t size = ZSTD_compressCCtx(packer->zstd, packer->out, packer->room,
                                    packer->in, read_file(packer, from), LEVEL);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (ZSTD_isError(size))
        bench_die(from, ZSTD_getErrorName(size));
    if (fd < 0 || write(fd, packer->out, size) != (ssize_t)size)
        bench_die(to, strerror(errno));
    close(fd);
}

static void pack_named(struct channel *names, size_t skip, const char *to)
{
    struct packer packer = packer_new();
    char from[PATH_MAX], path[2 * PATH_MAX];
    size_t size;

    while (channel_get(names, from, &size)) {
        snprintf(path, sizeof path, "%s/%s.zst", to, from + skip);
        pack(&packer, from, path);
    }
    _exit(0);
}

static void walk(struct channel *names, char *from, const char *to)
{
    char *roots[] = { from, NULL }, path[2 * PATH_MAX];
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry;

    while (fts != NULL && (entry = fts_read(fts)) != NULL) {
        if (entry->fts_info == FTS_D) {
            snprintf(path, sizeof path, "%s/%s", to,
                     entry->fts_path + strlen(from));
            mkdir(path, 0777);
        } else if (entry->fts_info == FTS_F) {
            channel_put(names, entry->fts_path, entry->fts_pathlen + 1u);
        }
    }
    channel_end(names);
}

static void limit(char *from, const char *to, size_t workers)
{
    struct channel *names = channel_new(PATH_MAX, SLOTS, 1);
    int status, failed = 0;

    for (size_t i = 0; i < workers; i++)
        if (fork() == 0)
            pack_named(names, strlen(from) + 1, to);
    walk(names, from, to);
    while (wait(&status) > 0)
        failed |= status;
    if (failed)
        bench_die("tree", "a worker failed");
}

/* All into one folder: their names are the last parts of their paths. */
static void one(const char *to, char **files)
{
    struct packer packer = packer_new();
    char path[2 * PATH_MAX];

    for (; *files != NULL; files++) {
        const char *slash = strrchr(*files, '/');

        snprintf(path, sizeof path, "%s/%s.zst", to,
                 slash != NULL ? slash + 1 : *files);
        pack(&packer, *files, path);
    }
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "limit") == 0)
        limit(argv[2], argv[3], bench_number(argv[4]));
    else if (argc > 3 && strcmp(argv[1], "one") == 0)
        one(argv[2], argv + 3);
    else
        bench_die("tree", "limit FROM TO WORKERS, or one TO FILE...");
    return 0;
}
