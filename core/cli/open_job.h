/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* open_job.h - what `run`, `check` and `graph` do alike: open a job file, and
 * tell all that is wrong with it. */
#ifndef CLI_OPEN_JOB_H
#define CLI_OPEN_JOB_H

#include "cli/cli.h"
#include "job/job.h"

/* Options that all of them have; @args is the struct, which has the fields
 * `sets` and `folders`. */
#define JOB_OPTIONS(args)                                                      \
    { OPTION_LIST,                                                             \
      's',                                                                     \
      "set",                                                                   \
      "VARIABLE=VALUE",                                                        \
      "set a variable of the job; may be repeated",                            \
      offsetof(args, sets) },                                                  \
    {                                                                          \
        OPTION_LIST, '\0', "plugin-path", "FOLDER",                            \
            "search this folder first; may be repeated",                       \
            offsetof(args, folders)                                            \
    }

/*
 * open_job - job_open, with everything told on standard error
 * @options: file, sets and plugin_paths may be left out: they are taken from
 *           the command line
 * @json:    mistakes go to standard output, as one JSON object
 * @job_out: also set when there are mistakes; job_free
 *
 * STATUS_GOOD, STATUS_WRONG or STATUS_BROKEN.
 */
enum status open_job(const struct cli *cli, struct job_options *options,
                     const struct texts *sets, const struct texts *folders,
                     bool json, struct job **job_out,
                     struct nursery **nursery_out,
                     struct job_bound **bound_out);

#endif
