/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inline.h - one task in this process: a host behind weir_call that keeps all
 * in private memory, without a segment and without workers. For `weir call`
 * and `weir run --inline`, that is for debuggers: a crash is a crash, and a
 * time limit does not strike while somebody looks.
 *
 *     inline_task_init(&task, &plan);
 *     code = inline_open(&task);
 *     code = inline_call(&task, item);      an item, or NULL for a source
 *     if (code == 0)
 *         code = inline_commit(&task);      appends, renames, cursor: now
 *     ... take task.outputs, then inline_forget(&task) ...
 *     inline_close(&task);
 *     inline_task_done(&task);
 */
#ifndef RUN_INLINE_H
#define RUN_INLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "plugin/expand.h"
#include "plugin/plugin.h"

/* Bytes that several items may share. */
struct payload {
    size_t refs;
    size_t size;
    char *data; /* aligned to 64 */
};

/* NULL: no memory. @data NULL: @size bytes, unspecified. */
struct payload *payload_new(const void *data, size_t size);
struct payload *payload_ref(struct payload *payload);
void payload_unref(struct payload **payload); /* NULL-safe */

struct inline_item {
    struct payload *payload;
    struct payload *attrs; /* attrs.h; NULL: none */
    uint64_t root, path;
    unsigned output; /* which it was emitted on */
};

/* A second one of the same bytes. */
struct inline_item inline_item_ref(const struct inline_item *item);
void inline_item_done(struct inline_item *item);
/* Sets an attribute of this item alone: 0, or as attrs_set. */
int inline_item_set(struct inline_item *item, const char *name,
                    const void *value, size_t size);

/* What an item of an output may have at most. */
struct inline_bound {
    uint64_t bytes;
    const char *queue; /* for the message */
};

struct inline_plan {
    const char *name; /* the stage's, or the task's: for ids and messages */
    const weir_task *task;
    const void *params;
    unsigned outputs;                  /* how many */
    const struct inline_bound *bounds; /* one for each output; NULL: none */
    uint64_t root;                     /* of a source: its number, shifted */
    /* Before a source pauses: what it has emitted is committed and stands in
     * `outputs`. Returns 0, or WEIR_ECANCELED to end the pause at once. */
    int (*pause)(void *arg);
    void *arg;
};

/* To be done when the call has gone well. */
struct inline_rename {
    char *from, *to;
};

enum inline_phase {
    INLINE_IDLE,
    INLINE_OPEN,
    INLINE_RUN,
    INLINE_FLUSH,
    INLINE_CLOSE,
};

struct inline_task {
    struct weir_call call; /* first: the task has a pointer to it */
    struct inline_plan plan;
    uint64_t name_hash;
    void *state;
    enum inline_phase phase;

    /* Of the call that is under way, or was the last. */
    const struct inline_item *item; /* NULL: a source, or no item */
    unsigned attempt;               /* from 1 */
    struct buf attrs;               /* of what is emitted, when changed */
    bool attrs_changed;
    uint64_t seen; /* outputs of this call, for their ids */
    struct payload *reserved;
    unsigned reserved_output;
    int verdict; /* of weir_fail; 0: not called */
    int refused; /* a call gave a code that the task must return */
    struct derived derived;
    bool cursor_set; /* and nothing was emitted since */
    int append_fd;   /* -1: none */
    struct buf appended;
    VEC(struct inline_rename) renames;

    /* What came of it. Outputs that a source's cursor has passed stay, also
     * when the call fails. */
    VEC(struct inline_item) outputs;
    size_t passed;
    char why[512]; /* after a failure: the sentence */
    char cursor[64];
    size_t cursor_size;
    uint64_t ordinal; /* items that a source has made */
};

void inline_task_init(struct inline_task *task, const struct inline_plan *plan);
void inline_task_done(struct inline_task *task);

/*
 * The task's functions. They return 0, WEIR_END (a source), WEIR_TRANSIENT,
 * WEIR_PERMANENT, WEIR_SKIP or WEIR_FATAL; in the last four `why` has the
 * sentence, and what was emitted (by a source: behind its cursor) is forgotten.
 * Values that no task may return are PERMANENT, and the sentence says so.
 */
int inline_open(struct inline_task *task);
int inline_call(struct inline_task *task, const struct inline_item *item,
                unsigned attempt);
int inline_flush(struct inline_task *task);
void inline_close(struct inline_task *task);

/* After a call that went well: what was to be appended is written, what was to
 * be renamed is. WEIR_PERMANENT: it could not be done (`why`); what had been
 * appended is cut off again. */
int inline_commit(struct inline_task *task);
/* The outputs, and all else of the last call. */
void inline_forget(struct inline_task *task);

/* A place for a breakpoint: every run of a task goes through it. */
int inline_task_enter(int (*run)(weir_call *call), weir_call *call);

#endif
