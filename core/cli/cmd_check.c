/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_check.c - `weir check`: a job file with all that it uses. It goes the
 * way of `run` up to the point where something would start. The command's own
 * process; plugins are loaded in a nursery.
 */
#include "config.h"

#include <unistd.h>

#include "cli/open_job.h"

struct check_args {
    struct texts sets, folders;
    bool json;
};

static const struct option_spec check_options[] = {
    JOB_OPTIONS(struct check_args),
    { OPTION_FLAG, '\0', "json", NULL,
      "the mistakes as one JSON object, for programs",
      offsetof(struct check_args, json) },
    { .kind = OPTION_END },
};

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static enum status check_run(const struct cli *cli, const void *all)
{
    const struct check_args *args = all;
    struct job_options options = { 0 };
    struct job *job = NULL;
    enum status status = open_job(cli, &options, &args->sets, &args->folders,
                                  args->json, &job, NULL, NULL);

    /* A person wants to see that something has happened. */
    if (status == STATUS_GOOD && !args->json && isatty(STDERR_FILENO))
        note_line("'%s' is good: %zu stage%s, %zu queue%s", cli->operands[0],
                  job->stages.count, plural(job->stages.count),
                  job->queues.count, plural(job->queues.count));
    job_free(&job);
    return status;
}

const struct command cmd_check = {
    .name = "check",
    .summary = "Check a job file and what it uses, and start nothing",
    .operands = "FILE",
    .least = 1,
    .most = 1,
    .completes = "job",
    .options = check_options,
    .args_size = sizeof(struct check_args),
    .about = "\nAll mistakes are shown at once. What is accepted here, starts. "
             "FILE may be -,\nstandard input. Exit status 2: there are "
             "mistakes.\n",
    .examples = "  weir check top-words.yaml\n"
                "  weir check --set corpus=/etc/*.conf top-words.yaml\n",
    .run = check_run,
};
