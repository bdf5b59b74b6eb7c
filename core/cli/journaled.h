/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journaled.h - the journal of a run: what `run` begins and `resume` goes on
 * with. The command's own process. */
#ifndef CLI_JOURNALED_H
#define CLI_JOURNALED_H

#include "cli/cli.h"
#include "cli/kept_run.h"
#include "job/job.h"
#include "run/run.h"

struct journal_args {
    const char *folder, *interval;
};
#define JOURNAL_OPTIONS(args, field)                                           \
    { OPTION_TEXT,                                                             \
      '\0',                                                                    \
      "journal",                                                               \
      "[DIR]",                                                                 \
      "record what it needs to go on after a crash",                           \
      offsetof(args, field.folder) },                                          \
    {                                                                          \
        OPTION_TEXT, '\0', "checkpoint", "TIME",                               \
            "with --journal: between two checkpoints (5s)",                    \
            offsetof(args, field.interval)                                     \
    }
#define RUNS_OPTION(args)                                                      \
    {                                                                          \
        OPTION_TEXT, '\0', "journal", "DIR", "where the runs stand",           \
            offsetof(args, base)                                               \
    }

/* What a run is told, and what it points to. */
struct journaled {
    struct run_journal journal;
    struct run_folder folder;
    struct record_run run;
    struct snapshot from;
    record_states states;
};

/* What --checkpoint says, into *out, which stays as it is when it is NULL. Told
 * when it is no such time. */
bool journal_interval(const char *text, int64_t *out);
/* Told when they are not. */
bool journal_args_good(const struct journal_args *args);
/* A new folder; failed items are kept there, unless elsewhere. */
enum status journal_begin(const struct journal_args *args,
                          const struct job *job,
                          const struct job_options *options,
                          struct keeping_run *keeping, struct journaled *out);
/* Failed items are kept in the run's folder. Told when they cannot be. */
bool journal_keep(struct keeping_run *keeping, const struct run_folder *folder);
void journaled_done(struct journaled *it);

/* The folder that RUN names. Told when there is none. */
enum status journal_find(const char *base, const char *name,
                         struct run_folder *out);
/* "2026-11-27 00:38:12", 32 bytes. */
char *when_text(char *out, int64_t ns);

#endif
