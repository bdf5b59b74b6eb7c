/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kept_run.h - the folder in which a run keeps its failed items: what `run`
 * puts there for `failed` and `replay`. Command's own process.
 */
#ifndef CLI_KEPT_RUN_H
#define CLI_KEPT_RUN_H

#include "cli/cli.h"
#include "job/job.h"
#include "run/run.h"

/* The options of a run that keeps. */
struct kept_args {
    const char *folder, *size, *age;
};
#define KEPT_OPTIONS(args, field)                                              \
    { OPTION_TEXT,                                                             \
      '\0',                                                                    \
      "keep-failed",                                                           \
      "FOLDER",                                                                \
      "keep items that fail for good there, whole",                            \
      offsetof(args, field.folder) },                                          \
        { OPTION_TEXT,                                                         \
          '\0',                                                                \
          "failed-size",                                                       \
          "SIZE",                                                              \
          "keep at most so much, the newest (256 MiB)",                        \
          offsetof(args, field.size) },                                        \
    {                                                                          \
        OPTION_TEXT, '\0', "failed-age", "DURATION",                           \
            "let go of those that are older", offsetof(args, field.age)        \
    }

/* What a run is told, and what it points to. */
struct keeping_run {
    struct run_keep keep;
    char *file;
    int lock;              /* of the folder; -1 */
    struct run_folder run; /* locked, too, where it is one with a journal */
    VEC(const char *) facts;
    VEC(char *) owned;
};

#define KEEPING_NONE                                                           \
    {                                                                          \
        .lock = -1, .run = {.lock = -1 }                                       \
    }

/* Before the job is opened: the limits and the folder, which is made when it is
 * not there, and locked. STATUS_GOOD also when none is given: then nothing is
 * kept, or with a @journal in the run's folder (journal_keep). */
enum status kept_begin(const struct kept_args *args, bool journal,
                       struct keeping_run *out);
/* The facts of the job that is open. */
enum status kept_describe(struct keeping_run *keeping, const struct job *job,
                          const struct job_options *options);
/* The folder is another's meanwhile: told. */
bool kept_lock(struct keeping_run *keeping);
void kept_done(struct keeping_run *keeping);

/* The store of RUN, which is its folder, or the file; told when there is none.
 * *file_out is the caller's, absolute. */
enum status kept_open(const char *run, struct failed_store **out,
                      char **file_out);
/* Where the store of RUN would be: a path, or a run by its name; the caller's.
 * NULL: there is no such folder. */
char *kept_file(const char *run);
/* A fact, "" when there is none. */
bool kept_fact(struct failed_store *store, const char *name, struct buf *out);

/* 32 digits; told when it is none. */
bool kept_id(const char *text, struct failed_filter *filter);
/* 8 digits, as `weir failed` shows them. */
bool kept_cause(const char *text, struct failed_filter *filter);
enum { KEPT_ID_ROOM = 40 };
char *kept_id_text(char *out, uint64_t root, uint64_t path);

#endif
