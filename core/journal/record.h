/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.h - what a run's store holds: what the run is, its last checkpoint,
 * how it ended.
 *
 * Written by the run's journal process, read by commands. Each checkpoint is
 * one transaction that replaces the one before: items, books, states, lengths
 * of files. So the store is as large as what stands in the queues, twice.
 */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include "journal/journal.h"
#include "queue/snapshot.h"

/* A thing that the run depends on, as it was when it began. */
struct record_fact {
    char *kind;  /* "set", "plugin-path", "plugin", "input", "stdin"... */
    char *name;  /* the variable, the plugin, the stage */
    char *value; /* its value, or a path */
    uint64_t size, dev, ino;
    uint64_t born;    /* of stdin and stdout: as in base/identity.h */
    int64_t mtime_ns; /* -1: not there */
};

struct record_stage {
    char *name, *task;
    unsigned workers;
};

struct record_run {
    char *name;    /* of the run */
    char *version; /* of weir */
    char *job, *file, *cwd, *command;
    char *text; /* of the job file */
    size_t text_size;
    unsigned workers; /* -j; 0: not given */
    char *kept_file;  /* of failed items; NULL: it stands in the folder */
    uint64_t kept_bytes;
    int64_t kept_age_ns;
    int64_t interval_ns;
    int64_t started_ns; /* since 1970 */
    VEC(struct record_fact) facts;
    VEC(struct record_stage) stages;
    VEC(char *) queues;

    /* How far it is. */
    uint64_t checkpoints, items, bytes; /* of the last: what stands in queues */
    int64_t checkpoint_ns;              /* since 1970 */
    char *reason;
    uint64_t resumed; /* how often */
    bool ended;       /* with this: */
    int status, signal;
    int64_t ended_ns;
    char *why; /* or NULL */
};

/* A state that a task has saved. */
struct record_state {
    unsigned member;
    uint32_t sequence; /* of the commit that saved it */
    struct buf data;
};
typedef VEC(struct record_state) record_states;

/* Open in the process that writes, and in no other. */
struct record_store;
int record_create(const char *path, const struct record_run *run,
                  struct record_store **out, weir_error *err);
/* One that is there: the run goes on, on the things as they are now. */
int record_resume(const char *path, const struct record_run *run,
                  struct record_store **out, weir_error *err);
void record_close(struct record_store **store);
/*
 * record_checkpoint - replace the last checkpoint, in one transaction
 * @states: of all members that have one
 */
int record_checkpoint(struct record_store *store,
                      const struct snapshot *snapshot,
                      const record_states *states, const char *reason,
                      weir_error *err);
int record_end(struct record_store *store, int status, int signal,
               const char *why, weir_error *err);

int record_read(const char *path, struct record_run *out, weir_error *err);
/* What one stage had done, by the last checkpoint. */
struct record_count {
    unsigned member;
    uint64_t done, failed, skipped, emitted;
    bool ended;
};
typedef VEC(struct record_count) record_counts;
int record_read_counts(const char *path, record_counts *out, weir_error *err);
int record_read_checkpoint(const char *path, struct snapshot *out,
                           record_states *states, weir_error *err);
void record_run_done(struct record_run *run);
void record_states_done(record_states *states);

struct record_fact *record_add_fact(struct record_run *run, const char *kind,
                                    const char *name, const char *value);

#endif
