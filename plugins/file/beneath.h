/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * beneath.h - paths that come out of items, and never lead out of a root.
 * Runs in workers.
 *
 * What an item says is trusted for nothing: absolute names, empty ones and
 * `..` are refused, and no component below the root may be a symbolic link,
 * also when somebody puts one there meanwhile.
 */
#ifndef FILE_BENEATH_H
#define FILE_BENEATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct file_root {
    char path[PATH_MAX]; /* absolute, without links */
    int fd;
};

/* Opens the root; with @make it is made when it is not there. Returns 0 or a
 * negated errno. */
int file_root_open(const char *path, bool make, struct file_root *out);
void file_root_close(struct file_root *root);

/* A name below the root, taken apart. */
struct file_name {
    char text[PATH_MAX]; /* "a/b/c", components parted by one slash */
    size_t last;         /* where the last component begins */
};

/* Cleans @text ("./a//b" is "a/b"). Returns NULL, or why it is refused. */
const char *file_name_parse(const char *text, struct file_name *out);

/* Opens the folder of a name, made when it is not there; a descriptor or a
 * negated errno (-ELOOP: a link is in the way). */
int file_folder_open(const struct file_root *root, const struct file_name *name,
                     bool make);

/* Opens a file of that name for reading; a descriptor or a negated errno. */
int file_beneath_read(const struct file_root *root,
                      const struct file_name *name);

/* Without openat2, as on kernels before 5.6; for tests. */
extern bool file_beneath_walks;

#endif
