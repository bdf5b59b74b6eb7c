/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sinks.h - between the files that append to files: sink.c, sinks.c,
 * sinks_log.c, sink_alone.c. */
#ifndef QUEUE_SINKS_H
#define QUEUE_SINKS_H

#include "base/identity.h"
#include "queue/internal.h"

/* --- sink.c --- */
/* Redoes what a dead holder committed. 0 or WEIR_EBROKEN. */
int sink_lock(struct segment *segment, unsigned sink);

/* --- sinks.c --- */
/* Which file it is; one that can be appended to exactly once. */
int sink_identify(int fd, struct identity *out, weir_error *err);
bool sink_is_file(const struct sink_head *sink, const struct identity *id);
/* It is named, and for that file in that group. */
bool sink_is(const struct sink_head *sink, unsigned group,
             const struct identity *id);
/* Bytes behind its length may be of a write that did not end. */
bool sink_unfinished(const struct sink_head *sink);

/* What sinks_find is to find. */
struct sink_wanted {
    unsigned group;
    int fd;
    bool use; /* take its token, too: WEIR_ESTATE when another process has it */
    const struct identity *id;
};

/* The file's entry, a new one if need be: and then its length is the file's
 * size. WEIR_EFULL; WEIR_ESTATE. */
int sinks_find(struct segment *segment, const struct sink_wanted *wanted,
               unsigned *sink_out, weir_error *err);

/* --- sinks_log.c --- */
/* Under the registry's lock, before the entry counts: on disk when it returns
 * 0. Without a journal nothing. */
int sinks_log(const struct segment *segment, const struct sink_head *sink);

#endif
