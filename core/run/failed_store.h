/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * failed_store.h - items that failed for good, kept whole: a SQLite file in
 * the folder of a run.
 *
 *     failed_open("run/failed.db", FAILED_WRITE, &store, &err);
 *     failed_begin(store, &err);
 *     failed_add(store, &row, &err);
 *     failed_commit(store, &err);
 *     failed_close(&store);
 *
 * A row is known by the item's id and the stage: adding it again is the same
 * row, so that who adds may be killed at any instruction and do it again.
 * A connection must not cross a fork: open it in the process that uses it.
 * Others may read while one writes.
 */
#ifndef RUN_FAILED_STORE_H
#define RUN_FAILED_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

struct failed_store;

#define FAILED_FILE "failed.db"
enum { FAILED_FORM = 3 }; /* of the file; another one is refused */
#define FAILED_BYTES (UINT64_C(256) << 20)     /* kept by default */
#define FAILED_ITEM_MOST (UINT64_C(900) << 20) /* beyond, only its verdict */

enum failed_mode { FAILED_READ, FAILED_WRITE };

/* What is there of the item itself. */
enum failed_kept {
    FAILED_NO_ITEM = 0, /* a source's failure: there never was one */
    FAILED_WHOLE = 1,
    FAILED_TOO_LARGE = 2, /* its verdict alone */
};

struct failed_row {
    uint64_t root, path; /* its id */
    const char *stage;
    const char *class; /* "error", "crash", "limit"... (verdict.h) */
    const char *why;   /* a sentence */
    const char *wrote; /* the last lines of who died with it; "": none. To be
                        * added, NULL is the same */
    unsigned attempts;
    int64_t at_ns;   /* since 1970: when it failed for good */
    int64_t took_ns; /* its last attempt, when that ended by itself */
    enum failed_kept kept;
    const void *data, *attrs; /* attrs: encoded, attrs.h */
    uint64_t size;            /* also of what is not kept */
    size_t attrs_size;

    /* Read only. */
    int64_t number;       /* the later it came, the higher */
    const char *task;     /* "text.upper"; NULL: the stage is not recorded */
    const char *sentence; /* why, without numbers and names */
    uint32_t cause;       /* hash of task, class and sentence */
    unsigned times;       /* it failed for good: 1, and one for each replay */
    int64_t replayed_ns;  /* since 1970; 0: it was not */
};

/* Failures of one cause. */
struct failed_group {
    uint32_t cause;
    const char *stage, *task, *class, *sentence;
    uint64_t count;            /* not replayed */
    uint64_t replayed;         /* with success */
    int64_t first_ns, last_ns; /* since 1970 */
    uint64_t root, path;       /* of the first that is not replayed, if any */
};

/* Which rows. */
struct failed_filter {
    bool by_cause, by_id;
    uint32_t cause;
    uint64_t root, path;
    const char *stage;  /* NULL: any */
    int64_t after;      /* only those with a higher number */
    bool with_replayed; /* also those that are done with */
};

/*
 * failed_open - open, or with FAILED_WRITE make, the file
 *
 * Returns 0; -ENOENT: there is none; WEIR_ESTATE: of another form or no file
 * of ours; WEIR_EBROKEN: damaged; -ENOSYS: built without SQLite; -errno.
 */
int failed_open(const char *file, enum failed_mode mode,
                struct failed_store **out, weir_error *err);
void failed_close(struct failed_store **store); /* NULL-safe */

/* All between is there, or nothing. A failed begin, add or commit has undone
 * all of it. */
int failed_begin(struct failed_store *store, weir_error *err);
int failed_commit(struct failed_store *store, weir_error *err);

/* Anew, or once more: the newer verdict counts, `times` is one more when it
 * failed at another time, and it is not replayed any more. */
int failed_add(struct failed_store *store, const struct failed_row *row,
               weir_error *err);
/* In a replay: its stage has processed it to commit. What was made of it may
 * be lost still, so it is not replayed yet. 0 also when it is not there. */
int failed_set_settled(struct failed_store *store, uint64_t root, uint64_t path,
                       const char *stage, int64_t at_ns, weir_error *err);
/* A replay has come to its @end, and all that was settled is replayed; or it
 * was cut off, and nothing of it counts. */
int failed_end_replay(struct failed_store *store, bool end, weir_error *err);

/* Facts of the run: any bytes under a name. WEIR_EEMPTY: there is none. */
int failed_set_fact(struct failed_store *store, const char *name,
                    const void *data, size_t size, weir_error *err);
int failed_fact(struct failed_store *store, const char *name, struct buf *out,
                weir_error *err);
/* A stage of the run and a parameter of it, in their order. */
int failed_set_stage(struct failed_store *store, const char *stage,
                     const char *task, weir_error *err);
int failed_set_param(struct failed_store *store, const char *stage,
                     const char *name, const char *value, weir_error *err);
typedef int failed_param_fn(void *arg, const char *name, const char *value);
int failed_params(struct failed_store *store, const char *stage,
                  failed_param_fn *fn, void *arg, weir_error *err);
/* Appends the task of a stage. WEIR_EEMPTY: the run had no such stage. */
int failed_task(struct failed_store *store, const char *stage, struct buf *out,
                weir_error *err);

/* Oldest first, as of one instant. A code of @fn other than 0 ends it and is
 * returned. What the row points to is valid until @fn returns. @bytes: also
 * data and attrs. */
typedef int failed_row_fn(void *arg, const struct failed_row *row);
int failed_each(struct failed_store *store, const struct failed_filter *filter,
                bool bytes, failed_row_fn *fn, void *arg, weir_error *err);
typedef int failed_group_fn(void *arg, const struct failed_group *group);
/* Most frequent first; those that are wholly replayed at the end. */
int failed_groups(struct failed_store *store, failed_group_fn *fn, void *arg,
                  weir_error *err);

/* Lets go of the oldest until at most @most_bytes are kept (0: no limit), and
 * of all that is older than @oldest_ns; those that were replayed first. Counts
 * them in failed_gone. In or out of a transaction. */
int failed_prune(struct failed_store *store, uint64_t most_bytes,
                 int64_t oldest_ns, weir_error *err);
int failed_gone(struct failed_store *store, uint64_t *count_out,
                weir_error *err);

/* Of two rows the later one has the higher number. All with a higher number
 * than @number are forgotten: a run that goes on from a checkpoint. */
int failed_last(struct failed_store *store, int64_t *number_out,
                weir_error *err);
int failed_cut(struct failed_store *store, int64_t number, weir_error *err);

/* A sentence without what differs from item to item: numbers are N, quoted
 * names and paths are *. */
int failed_sentence(struct buf *out, const char *why);
uint32_t failed_cause(const char *task, const char *class,
                      const char *sentence);

#endif
