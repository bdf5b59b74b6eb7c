/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot.h - all that a segment holds, as of one instant, in this process's
 * own memory; and put back into a new one. snapshot.c has the argument.
 */
#ifndef QUEUE_SNAPSHOT_H
#define QUEUE_SNAPSHOT_H

#include "queue/queue.h"

/* An item, as it would stand ready in its queue, or held: bytes at data.data +
 * at, then its attributes. */
struct saved_slot {
    unsigned queue;
    uint64_t root, path, skip_hash;
    uint32_t skip;
    unsigned attempt; /* charged; not the one that was under way */
    unsigned cause;   /* enum cause */
    int cause_code;
    bool marked;
    uint32_t size, attrs_size;
    size_t at;

    /* Where order is kept (order.c): its ticket, 0: none yet; or it is held
     * behind its input's. As they are in a new segment. */
    bool held;
    uint64_t ticket, behind;
    uint32_t from, index;

    uint32_t word; /* the rest is the snapshot's own, for the order */
    uint32_t slot;
    uint64_t pos;
};

struct saved_rename {
    char *from, *to;
};

struct saved_sink {
    unsigned group;
    uint64_t dev, ino, born, length;
    char *path;
};

struct snapshot {
    VEC(struct saved_slot) slots; /* queue by queue, each in its order */
    struct buf data;
    VEC(uint64_t) published; /* of each queue, with all of its slots */
    VEC(struct book) books;  /* of each member */
    VEC(uint32_t)
    sequences;                        /* of its last commit: as long as it is
                                       * the same, so is the book */
    VEC(struct saved_rename) renames; /* committed, maybe not done yet */
    VEC(struct saved_sink) sinks;
    VEC(char *) folders; /* where names were changed */
    bool folders_lost;   /* and others */
    int64_t hold_ns;     /* how long nobody could put or lease */

    VEC(uint32_t) txns; /* the snapshot's own */
};

/*
 * segment_snapshot - copy all that counts
 * @patience_ns: longest wait for the locks; and for the rest to stand still
 * @with: called at that instant, while nobody can change a queue, with the
 *        books in place (may be NULL): to read what the books name. Its code
 *        ends the snapshot.
 *
 * @out is zeroed storage, or an earlier snapshot, whose memory is used again.
 * Returns 0; WEIR_ETIMEDOUT: not now; WEIR_EBROKEN; WEIR_ENOMEM.
 */
typedef int snapshot_with(void *arg, const struct snapshot *snapshot);
int segment_snapshot(struct segment *segment, int64_t patience_ns,
                     snapshot_with *with, void *arg, struct snapshot *out);
void snapshot_done(struct snapshot *snapshot);
/* Empty, its memory kept. */
void snapshot_clear(struct snapshot *snapshot);

/*
 * segment_restore - into a new segment of the same plan, before anybody else
 * has it: slots are ready, books count, files have their lengths
 *
 * WEIR_EFULL: a queue is smaller than it was; WEIR_ENOMEM; WEIR_EINVAL.
 */
int segment_restore(struct segment *segment, const struct snapshot *snapshot,
                    weir_error *err);

/* Of a restored one: this member has not ended. */
void segment_begin_again(struct segment *segment, unsigned member);

/* In a process of a run with a journal: @fd is where the file that is appended
 * to first is noted, before it is. The caller keeps it open. */
void segment_set_sinks_log(struct segment *segment, int fd);
/* What was noted in it, in that order; half a note at its end is none. */
int sinks_log_read(int fd, struct snapshot *out, weir_error *err);

/* Of the same file, as far as can be told when it may have been mounted anew
 * between them. */
bool saved_sink_same(const struct saved_sink *a, const struct saved_sink *b);
/* Which file it is now. 1: the same; 0: another; -ENOENT: none; -errno.
 * *size_out: its size. */
int saved_sink_look(const struct saved_sink *sink, uint64_t *size_out);

#endif
