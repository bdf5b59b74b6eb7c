/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk.h - the files that `paths`, `include` and `exclude` name, one by one,
 * always in the same order: entries as given, what a glob matches and what a
 * folder holds sorted by bytes. Runs in workers; `check` uses the same rules.
 *
 * Memory: the names in the folders on the way down, and a glob's matches; not
 * those of the whole tree. No descriptor stays open between two calls.
 */
#ifndef FILE_WALK_H
#define FILE_WALK_H

#include <stdint.h>

#include <weir/plugin.h>

/* Patterns without a slash are matched with the last component, others with
 * the whole name below the folder that `paths` names. */
struct file_choice {
    weir_list paths, include, exclude;
    bool may_miss; /* an entry of paths that is not there is no event */
};

enum file_event {
    FILE_END,
    FILE_FOUND, /* path, relative */
    FILE_BAD,   /* path cannot be read: code is a negated errno */
};

struct file_walk;

/* Whether a negated errno says that this process or the machine is short of
 * something, perhaps not for long: the file may be as good as any. */
bool file_may_pass(int code);

/* The lists of @choice are used until file_walk_free. */
int file_walk_new(const struct file_choice *choice, struct file_walk **out);
void file_walk_free(struct file_walk **walk);

/* The next event; WEIR_ENOMEM alone is an error. */
int file_walk_next(struct file_walk *walk, enum file_event *event_out);

/* Of the last event, until the next one. */
const char *file_walk_path(const struct file_walk *walk);
const char *file_walk_relative(const struct file_walk *walk);
int file_walk_code(const struct file_walk *walk);

/* How many events there were, and a hash of the last one's path: a place to
 * which another walk over the same files can be brought. */
uint64_t file_walk_count(const struct file_walk *walk);
uint64_t file_walk_hash(const struct file_walk *walk);

/*
 * Brings a new walk to a place: the event of that number and hash was the last
 * one. When files came or went before it, the hash alone decides. Returns 0,
 * WEIR_EEMPTY when no file of that hash is there any more, WEIR_ENOMEM, or what
 * file_may_pass: something on the way, at file_walk_path, cannot be read now.
 */
int file_walk_seek(struct file_walk *walk, uint64_t count, uint64_t hash,
                   enum file_event *event_out);

/* For check: 0, or a negated errno for this entry of paths: it is not there,
 * or a glob that matches nothing. */
int file_walk_probe(const char *entry);

#endif
