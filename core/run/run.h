/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.h - the face of core/run: a job in flight, and what came of it.
 *
 *     struct job_options job_options = { .file = file, .worker = run_worker };
 *     struct run_options options = { .output = 1, .notes = 2 };
 *     struct run_report report = { 0 };
 *
 *     job_open(&job_options, &job, &diags, &nursery, NULL, &err);
 *     run_job(&options, job, &job_options, &nursery, &report, &err);
 *     run_report_text(&report, &buf, false);
 *
 * The calling process is the supervisor: it starts workers, recovers the dead,
 * limits and counts, and touches no item. It must have one thread. Whatever
 * ends it, no process and no memory of the run is left.
 */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "job/job.h"
#include "journal/record.h"
#include "run/failed_store.h"

/* Items that fail for good are kept whole, in a file (failed_store.h). */
struct run_keep {
    const char *file;
    uint64_t most_bytes; /* beyond, the oldest go; 0: no limit */
    int64_t most_age_ns; /* older ones go when a run starts; FOREVER: none */
    /* What a replay has to know of the run: pairs of name and value, ended by
     * a NULL. */
    const char *const *facts;
    /* Not NULL: sources do not start; instead these items are put before the
     * stages in which they failed. When the run has come to its end, those
     * that did not fail again are noted as replayed. */
    const struct failed_filter *replay;
};

/* A run that can go on after it was killed. */
struct run_journal {
    const struct run_folder *folder; /* locked */
    const struct record_run *run;    /* what is recorded of it */
    int64_t interval_ns;             /* between checkpoints */
    /* What it goes on from; NULL: it begins. Files that were appended to are
     * cut to these lengths, names are changed. */
    const struct snapshot *from;
    const record_states *states;
};

/*
 * run_read_back - what a run has left for who goes on with it
 * @folder: locked, unless it is only to be looked at
 * @was, @from, @states: zeroed by the caller, who ends them in any case
 *
 * WEIR_EEMPTY: it has no checkpoint. Or a code, and err.
 */
int run_read_back(const struct run_folder *folder, struct record_run *was,
                  struct snapshot *from, record_states *states,
                  weir_error *err);

struct run_options {
    bool quiet;  /* no progress, no summary; warnings and failures only */
    bool json;   /* notes are JSON objects, one a line */
    bool screen; /* notes is a terminal on which the cursor may move */
    bool colour;
    bool digests;   /* run_stage.digest is wanted; costs a look at each byte */
    unsigned kills; /* so many are on purpose, and end no run: torture.h */
    int input;      /* `from: stdin` reads here */
    int output;     /* `to: stdout` writes here, and nothing else does */
    int notes;      /* progress, log lines; -1: none */
    const struct run_keep *keep; /* NULL: failed items are reported only */
    const struct run_journal *journal; /* NULL: it keeps none */
};

enum { RUN_FAILURES_KEPT = 1000 }; /* in full; all are counted */

/* An item that failed for good. */
struct run_failure {
    unsigned stage;      /* from their count on: of gates */
    uint64_t root, path; /* its id */
    char *name;          /* attribute `path`; NULL: it has none */
    char *start;         /* its first bytes, escaped */
    char *why;           /* a sentence */
    char *wrote;         /* the last lines of its worker, when that died; NULL:
                          * none. Escaped, but for the ends of lines */
    unsigned attempts;
};

/* The books of a stage: taken = done + failed + skipped + left + dropped by its
 * queues as the oldest. Of a source, taken, done and left are 0. */
struct run_stage {
    const char *name, *task; /* the job's */
    unsigned workers;
    bool source, ended;
    uint64_t taken, done, failed, skipped, left;
    uint64_t given;    /* outputs, a copy for each place */
    uint64_t dropped;  /* to `drop` */
    uint64_t missed;   /* of `taken`: dropped by a full queue, as the oldest */
    uint64_t retried;  /* attempts that were not the last */
    uint64_t digest;   /* of the bytes of all outputs, in any order */
    uint64_t deaths;   /* workers that ended otherwise than by themselves */
    uint64_t recycled; /* workers that another followed while it went on */
    bool keyed;        /* several workers share the items by their keys */
    uint64_t least;    /* then: what one of them has settled, who had fewest */
    uint64_t most;     /* and who had most */
    int64_t busy_ns, starved_ns, blocked_ns; /* of all workers together */
    int64_t memory_bytes;                    /* most of one worker */
};

/* A queue that does not wait when it is full: what became of items by that. */
struct run_queue {
    const char *name; /* the job's */
    unsigned number;
    enum weir_overflow overflow;
    uint64_t dropped, failed; /* new or old ones; items whose outputs these
                               * would have been */
};

/* The books of a queue that has a name: what came in or went out by it. */
struct run_gate {
    const char *queue, *known; /* the job's */
    bool in;
    uint64_t moved, failed;
};

struct run_report {
    char *job;
    VEC(struct run_gate) gates;
    VEC(struct run_queue) queues; /* whose overflow is not to wait */
    VEC(struct run_stage) stages;
    VEC(struct run_failure) failures; /* at most RUN_FAILURES_KEPT */
    uint64_t done, failed; /* of all stages; failed: also of sources */
    int64_t time_ns;
    int status; /* 0, 1, 3 */
    int signal; /* the command then ends by this one; 0: none */
    char *why;  /* status 3: the sentence; else NULL */
};

/*
 * run_job - run a job to its end
 * @nursery: of job_open; ended here
 * @report:  zeroed by the caller, ended by run_report_done; filled also when
 *           the run could not go on
 *
 * Takes over the process's signals while it runs (INT, TERM, HUP, QUIT, TSTP,
 * USR1, PIPE, CHLD), and puts them back. Returns 0, and the report says how it
 * went; or a code when nothing has started (no memory, no descriptors).
 */
int run_job(const struct run_options *options, struct job *job,
            const struct job_options *job_options, struct nursery **nursery,
            struct run_report *report, weir_error *err);

/* What each worker runs: job_options.worker. */
int run_worker(void *bound, const struct nursery_order *order);

/*
 * run_inline - the same in this process alone, one item at a time; for
 * debuggers. @bound is what job_open gave with inline_only. A crash is a crash.
 */
int run_inline(const struct run_options *options, struct job *job,
               struct job_bound *bound, struct run_report *report,
               weir_error *err);

/* For people: what failed, then the books, then what held the others back.
 * Without @summary only what failed or ended the run. */
int run_report_text(const struct run_report *report, struct buf *out,
                    bool summary, bool colour);
/* One object, one line. */
int run_report_json(const struct run_report *report, struct buf *out);
void run_report_done(struct run_report *report);
/* A report with all stages of @job, and nothing counted yet. */
int run_report_init(struct run_report *report, const struct job *job);
/* Adds a failure, or only counts it when there are RUN_FAILURES_KEPT. The
 * texts are copied; @name may be NULL. */
int run_report_fail(struct run_report *report, const struct run_failure *it);

/* What would be started: stages, workers, memory. */
int run_plan_text(const struct job *job, struct buf *out);

#endif
