/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts.h - what a run depends on, in clear: gathered when it begins, and again
 * before it goes on.
 *
 * Of inputs only those are seen that a source names in its parameters: files,
 * folders with all below them, globs. What it reads from elsewhere, and what
 * other stages read, is not known here.
 */
#ifndef JOURNAL_FACTS_H
#define JOURNAL_FACTS_H

#include "job/job.h"
#include "journal/record.h"

/* Adds facts, stages and texts of the job to @out; @input and @output are the
 * run's stdin and stdout. */
int facts_gather(const struct job *job, const struct job_options *options,
                 int input, int output, struct record_run *out,
                 weir_error *err);
/* One line for each thing that is not as it was; none: all is. */
int facts_compare(const struct record_run *before, const struct record_run *now,
                  struct buf *out);
/* Whether the queues that do not wait when they are full, what they do then,
 * and the stages that fill them are what they were. */
bool facts_same_overflow(const struct record_run *before,
                         const struct record_run *now);
/* The one of this kind; NULL. */
const struct record_fact *facts_find(const struct record_run *run,
                                     const char *kind);

#endif
