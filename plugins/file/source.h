/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.h - what file.lines, file.blocks and file.names share: the file at
 * hand, the place in it as a cursor, and what cannot be read. Runs in workers.
 *
 * A call of `run` does a bounded piece of work. A failure is told by a call of
 * its own, which emits nothing and first moves the cursor behind what failed:
 * so it is told once, what was emitted before it counts, and the run goes on.
 */
#ifndef FILE_SOURCE_H
#define FILE_SOURCE_H

#include <stdint.h>
#include <sys/types.h>

#include <weir/plugin.h>

#include "walk.h"

enum file_terminator { FILE_LF, FILE_CRLF, FILE_NUL };
enum file_missing { FILE_REFUSE, FILE_REPORT, FILE_SKIP };

struct file_source_param {
    weir_list paths, include, exclude;
    unsigned missing;
    uint64_t size_bytes;
    unsigned terminator;
    bool numbers;
};

enum {
    FILE_INSIDE = 1,   /* in the file of `hash`, at `offset` */
    FILE_SKIPPING = 2, /* in a record that is too long */
    FILE_DONE = 4,     /* at its end, though it may say that it has more */
};

enum {
    FILE_PIECE = 64, /* items that one call of run emits at most */
    FILE_ENOUGH = 2, /* of the functions below: return 0 from run */
};

/* The cursor. Its reader is the same program on the same machine. */
struct file_place {
    uint32_t flags;
    uint32_t reserved;
    uint64_t count, hash; /* of the walk */
    uint64_t offset;      /* all before it is emitted */
    uint64_t end;         /* the size when it was opened; 0: not known */
    uint64_t line;        /* records before offset */
};
_Static_assert(sizeof(struct file_place) <= 64, "a cursor has 64 bytes");

struct file_source {
    const struct file_source_param *param;
    struct file_walk *walk;
    struct file_place place;
    int fd;           /* -1 unless FILE_INSIDE */
    unsigned emitted; /* by this call */
    char *buffer;     /* lines: a window of the file that ends at `read` */
    size_t room, at, fill;
    char why[500]; /* "": nothing has failed */
};

/* The life of all three tasks. */
int file_source_check(weir_call *call);
int file_source_open(weir_call *call);
int file_source_close(weir_call *call);

int file_lines_run(weir_call *call);
int file_blocks_run(weir_call *call);
int file_names_run(weir_call *call);

/* At the start of run: tells what failed before. The walk's next file, not
 * opened. Both return as file_source_begin. */
int file_source_start(weir_call *call, struct file_source *source);
int file_source_step(weir_call *call, struct file_source *source);

/* The file that the walk has found is done, without being opened. */
int file_source_passed(weir_call *call, struct file_source *source);

/*
 * At the start of run: tells what failed before, or sees to it that a file is
 * open. Returns 0; FILE_ENOUGH: return 0 from run; else what run returns.
 */
int file_source_begin(weir_call *call, struct file_source *source);

/* The file at hand is done: on to the next one. Returns as file_source_begin.
 */
int file_source_next(weir_call *call, struct file_source *source);

/* The record at place.offset is too long: it is skipped. The file at hand
 * cannot be read: it is left, or tried again when that was want of memory or
 * descriptors. Both return FILE_ENOUGH or what run returns. */
int file_source_too_long(weir_call *call, struct file_source *source);
int file_source_broken(weir_call *call, struct file_source *source, int code);

/* weir_set_attr has returned @code for its path. Returns as file_source_begin:
 * one that is too long is left. */
int file_source_named(weir_call *call, struct file_source *source, int code);

/* Whether nothing is left in the file at hand. Returns 0 or a negated errno.
 * A file of /proc says that it has no bytes: only reading tells. */
int file_source_at_end(const struct file_source *source, bool *out);

/* All before place has been emitted. */
int file_source_set(weir_call *call, struct file_source *source);

/* Reads what there is, up to @size bytes; less: the end of the file. Bytes or
 * a negated errno. */
ssize_t file_read_at(int fd, void *data, size_t size, uint64_t offset);

/* The most that may be read at place.offset, out of @size. */
size_t file_source_room(const struct file_source *source, uint64_t size);

#endif
