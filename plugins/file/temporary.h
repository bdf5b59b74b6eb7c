/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * temporary.h - the temporary files of file.write. Runs in workers.
 *
 * The name is made from the final one, so that whoever writes the same file
 * later, in another attempt or another run, finds what a killed worker has left
 * behind and takes it away. The writer holds a lock (flock) on it until its
 * rename must have been done: so what is left behind is told from what another
 * run is writing at this moment, which then gets another name.
 */
#ifndef FILE_TEMPORARY_H
#define FILE_TEMPORARY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    FILE_TEMPORARY_SIZE = 32, /* of a name, with its NUL */
    /* Items that may lie between a file and its commit. A commit does at most
     * 32 renames. */
    FILE_TEMPORARY_HELD = 48,
};

struct file_temporary {
    int fd;     /* holds the lock; -1: a free place */
    int folder; /* where the name is */
    dev_t dev;  /* of the folder */
    ino_t ino;
    uint64_t root, path; /* the item's id */
    char name[FILE_TEMPORARY_SIZE];
};

/* The last files of a worker, the oldest one at `next`. */
struct file_temporaries {
    struct file_temporary held[FILE_TEMPORARY_HELD];
    unsigned next;
};

void file_temporaries_init(struct file_temporaries *temporaries);

/* Lets go of all, and takes away what was never renamed. All that is ours must
 * have been committed or given back. */
void file_temporaries_done(struct file_temporaries *temporaries);

/* Waits until the folders of all names are on disk: 0 or a negated errno. */
int file_temporaries_sync(const struct file_temporaries *temporaries);

/*
 * An empty file in @folder that is to get the name @final there; for the item
 * @root, @path. Returns its descriptor, and its name in @name_out; or a negated
 * errno: -EBUSY when too many are being written.
 */
int file_temporary_make(struct file_temporaries *temporaries, int folder,
                        const char *final, uint64_t root, uint64_t path,
                        char *name_out);

/* Takes the descriptors of @it over, and keeps them open until the commit is
 * done; with @sync, the folder is synced after that. Returns 0, or a negated
 * errno: the folder of an earlier one cannot be synced. */
int file_temporary_keep(struct file_temporaries *temporaries,
                        const struct file_temporary *it, bool sync);

#endif
