/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.h - the face of core/job: from a YAML file to a validated graph.
 *
 * job_open is the one path for check and run: it reads and checks the file in
 * this process, has a nursery load the plugins, bind and check the parameters,
 * and checks the graph with what the tasks say of themselves. All mistakes of
 * a file are gathered; nothing starts unless there are none. What job_open
 * accepts, starts.
 */
#ifndef JOB_JOB_H
#define JOB_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/queue.h>

#include "base/base.h"
#include "plugin/plugin.h"
#include "process/nursery.h"

/* A place in the job file: from 1, column in characters; length in characters
 * of what is meant, for the caret (0: unknown). */
struct mark {
    unsigned line, column, length;
};

struct diag {
    struct mark mark;
    char *text;
};

/* Mistakes, in the order found; job_diag_print sorts by place. */
struct diags {
    const char *file;   /* as shown */
    const char *source; /* the text, for the caret; may be NULL */
    size_t source_size;
    VEC(struct diag) list;
    size_t more; /* that were too many to be kept */
    bool failed; /* there was no memory for one */
};

int diag_add(struct diags *diags, struct mark mark, const char *format, ...)
    WEIR_PRINTF(3, 4);
/* "file:line:column: text", the line itself, a caret; sorted by place; after
 * the first 100 "and N more". */
int diag_print(const struct diags *diags, struct buf *out, bool colour);
/* One JSON array of {file, line, column, length, offset, text}; offset is in
 * bytes, null without a place. */
int diag_json(const struct diags *diags, struct buf *out);
void diags_done(struct diags *diags);

enum { JOB_NONE = -1, JOB_STDIN = -2, JOB_STDOUT = -3, JOB_DROP = -4 };

enum { JOB_OVERFLOWS_MOST = 8 }; /* queues with `overflow` that a stage fills */

enum frame { FRAME_LINE, FRAME_NUL, FRAME_RAW };          /* to: stdout */
enum stdin_as { STDIN_LINES, STDIN_BLOCKS, STDIN_WHOLE }; /* from: stdin */

struct job_queue {
    char *name;
    uint64_t capacity, bytes;
    bool bytes_set; /* said in the file; else `largest` may have raised it */
    struct mark mark;
    int consumer; /* stage that leases from it; JOB_NONE: others, by `known` */
    int order;    /* place in topological order, upstream first */
    char *known;  /* the name by which others have it; NULL: nobody has */
    enum weir_overflow overflow; /* what is given while it is full */
    struct mark overflow_mark;
};

struct job_param {
    char *name;
    struct mark name_mark;
    VEC(char *) texts;
    VEC(struct mark) marks; /* of each text */
    bool list;
};

/* One output of a stage and where it goes: at least one place. */
struct job_output {
    char *name;
    VEC(int) to; /* queue numbers, JOB_STDOUT or JOB_DROP; several: copies */
};

enum dispatch { DISPATCH_ASYNC, DISPATCH_SYNC };

/* How long an item waits before its next attempt, by what ended the last. */
enum wait_class { WAIT_ERROR, WAIT_CRASH, WAIT_TIMEOUT, WAIT_CLASSES };

struct job_wait {
    int64_t first_ns; /* before the second attempt; 0: none */
    double factor;    /* each is so many times the one before */
    int64_t most_ns;
    double jitter; /* of 1: that part of it is chance */
};

/* Failures that end the run. */
enum halt_how { HALT_SOON, HALT_NOW };

struct job_halt {
    uint64_t failures; /* so many; 0: any number may be */
    double share;      /* of all that ended; 0: any */
    uint64_t least;    /* that must have ended before a share counts */
    int64_t within_ns; /* failures of so long only; FOREVER: of the run */
    enum halt_how how;
};

/* When a worker is replaced by another, which is ready before it goes. */
struct job_recycle {
    uint64_t items; /* so many that it has done; 0: any number */
    int64_t age_ns; /* 0: any */
    uint64_t bytes; /* of memory; 0: any */
};

struct job_stage {
    char *name;
    struct mark mark;
    char *plugin, *task;
    struct mark task_mark;
    VEC(struct job_param) params;
    VEC(int) from; /* queue numbers or JOB_STDIN; none: a source */
    VEC(struct job_output) outputs; /* as the task numbers them, all wired */
    unsigned workers;               /* final; at least 1 */
    enum dispatch dispatch;
    bool keeps_order; /* outputs in the order of the inputs */
    char *key;        /* attribute that chooses the worker; NULL: none */
    unsigned retries;
    int64_t timeout_ns;   /* FOREVER: none */
    int64_t soft_ns;      /* FOREVER: none; then the task is told */
    int64_t heartbeat_ns; /* FOREVER: none; between two signs of life */
    uint64_t memory;      /* bytes of one worker; 0: no limit */
    struct job_wait waits[WAIT_CLASSES];
    struct job_halt halt;
    struct job_recycle recycle;
    VEC(int) after; /* stages that must have ended first */
    int failed;     /* queue, JOB_NONE: report, JOB_STDOUT or JOB_DROP */
    int order;      /* place in topological order */
    struct task_desc desc;
    uint64_t largest; /* bytes, 0: not declared */
    uint64_t look;    /* hash of all that the plugin said of the task */
};

struct job_var {
    char *name;
    char *value;       /* what counts: the default, or --set's */
    char *description; /* NULL: none */
    char *origin;      /* "default" or "--set" */
};

struct job {
    char *file;   /* as given; "-" is stdin */
    char *folder; /* absolute folder of the file */
    char *text;   /* its source */
    size_t text_size;
    char *name, *description;
    VEC(struct job_var) vars;
    VEC(char *) plugins; /* folders, as written */
    VEC(struct job_queue) queues;
    VEC(struct job_stage) stages;
    VEC(int) stage_order; /* stage numbers, upstream first */
    int64_t deadline_ns;  /* of a run; FOREVER: none */
    enum stdin_as stdin_as;
    enum frame stdout_frame;
    bool uses_stdin, uses_stdout;
    struct plugin_path path;
};

struct job_options {
    const char *file;                /* "-": standard input */
    const char *const *sets;         /* "name=value", ends with NULL; NULL */
    const char *const *plugin_paths; /* --plugin-path; ends with NULL; NULL */
    unsigned workers; /* -j N: total default for stages without `workers`; 0 */
    /* What each worker runs; NULL for check: the nursery is stopped again. Its
     * arg is the struct job_bound of the nursery. */
    int (*worker)(void *bound, const struct nursery_order *order);
    /* Called in the nursery after all stages are bound, before workers. */
    int (*bound)(void *bound, void *arg);
    void *arg;
    /* The file was read, nothing is bound: changes values, for another run than
     * its author's. 0, or a code that job_open returns. */
    int (*arrange)(struct job *job, void *arg);
    bool inline_only;        /* no nursery: load plugins in this process */
    int64_t load_timeout_ns; /* for loading and checking; 0: 10 s */
};

struct job_bound_stage {
    const struct plugin *plugin;
    const weir_task *task;
    const void *params;
};

/* What a nursery (or --inline) has of each stage, in the order of stages. */
struct job_bound {
    const struct job *job;
    void *arg; /* job_options.arg */
    struct job_bound_stage *stages;
};

/*
 * job_open - read, check and bind a job
 * @diags:       gets every mistake; the job stays valid for its texts
 * @nursery_out: the prepared nursery; NULL in a check or inline
 * @bound_out:   inline only, else NULL
 *
 * Returns 0; WEIR_EJOB with at least one diag; or another code with err (the
 * file cannot be read, no memory, fork refused; WEIR_EBROKEN: somebody killed
 * what loads): then *out is NULL, and the diags, whose texts stay, have no
 * source. With mistakes neither *nursery_out
 * nor *bound_out is set. *bound_out is freed by job_bound_free.
 */
int job_open(const struct job_options *options, struct job **out,
             struct diags *diags, struct nursery **nursery_out,
             struct job_bound **bound_out, weir_error *err);

/* A new nursery for a job that is open: after the first one was killed. */
int job_nursery(struct job *job, const struct job_options *options,
                struct nursery **out, weir_error *err);

void job_free(struct job **job);
/* Before job_free, when nothing of the tasks runs any more; NULL-safe. */
void job_bound_free(struct job_bound **bound);

/* Whether an output of the stage, or what fails in it, goes to this queue. */
bool job_fills(const struct job_stage *stage, int queue);
/* Whether its workers are replaced while it goes on. */
bool job_recycles(const struct job_stage *stage);
/* " after 10 items or 1 h": when. */
void job_recycle_text(const struct job_recycle *recycle, struct buf *out);
/* As it stands in the file. */
const char *job_overflow_word(enum weir_overflow overflow);

/* The first queue that others have by a name; NULL: there is none. */
const struct job_queue *job_known(const struct job *job);

/* For people and for dot(1). */
int job_graph_text(const struct job *job, struct buf *out);
int job_graph_dot(const struct job *job, struct buf *out);

#endif
