/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.h - the face of core/journal: the folder of a run, and what is
 * recorded in it.
 *
 *     RUN/journal.db   the store (SQLite): the run's facts, its last checkpoint
 *     RUN/files        what was appended to first after a checkpoint (files.c);
 *                      and the lock: all processes of the run hold it, by one
 *                      open file, so it is free when the last one is gone
 *     RUN/holder       who holds the lock, for people
 *     RUN/failed.db    items that failed (core/run)
 *
 * A run's folder stands in a base folder: --journal=DIR, or "runs" in
 * $XDG_STATE_HOME/weir, or in ~/.local/state/weir.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"

#define JOURNAL_DB "journal.db"
#define JOURNAL_FILES "files"
#define JOURNAL_HOLDER "holder"

/* Whether this build can keep a journal at all; else all that opens a store
 * is -ENOSYS, with a sentence. */
bool journal_is_built(void);

/* ------------------------------------------------------ folder: folder.c ----
 */

struct run_folder {
    char *path; /* absolute */
    char *name; /* its last component */
    int lock;   /* RUN/files, locked; -1: not held */
};

/* The working directory, absolute, the caller's. A code, and err: it was
 * removed, or there is no memory. */
int folder_here(char **out, weir_error *err);
/* The base folder: @given, or the default; absolute, the caller's. NULL: there
 * is no home, no working directory, or no memory; err. */
char *folder_base(const char *given, weir_error *err);
/*
 * folder_make - a new folder for a run of @job: "JOB-20261127-0038-3f9a"
 *
 * Makes the base folder, too; the run's is the user's alone (0700). It is
 * locked. folder_done in any case.
 */
int folder_make(const char *base, const char *job, struct run_folder *out,
                weir_error *err);
/*
 * folder_find - the folder that a RUN argument names
 * @name: a path; `last`, the one that was started or resumed last; or how the
 *        name of just one begins
 *
 * Not locked. WEIR_EEMPTY: there is none, or several: err says which.
 */
int folder_find(const char *base, const char *name, struct run_folder *out,
                weir_error *err);
/* -EBUSY: somebody has it; err says who, and since when. When that one is gone,
 * and processes of its are not yet, it waits for them, up to five seconds. */
int folder_lock(struct run_folder *folder, weir_error *err);
/* Whether some process of the run is there. @holder_out (may be NULL): who, in
 * words, the caller's. */
bool folder_is_held(const struct run_folder *folder, char **holder_out);
/* Of one that was made here: when its store was never begun, it is removed. */
void folder_discard(struct run_folder *folder);
/* "RUN/name"; the caller's; NULL: no memory. */
char *folder_file(const struct run_folder *folder, const char *name);
void folder_done(struct run_folder *folder);

/* Runs of a base folder, the last one first. */
struct run_names {
    VEC(struct run_listed {
        char *name;
        int64_t started_ns; /* or resumed, since 1970 */
    })
    list;
};
int folder_list(const char *base, struct run_names *out, weir_error *err);
void run_names_done(struct run_names *names);

#endif
