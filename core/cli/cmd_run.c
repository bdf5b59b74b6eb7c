/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_run.c - `weir run`: a job, to its end. The command's own process, which
 * becomes the run's supervisor.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "cli/open_job.h"
#include "cli/stop.h"
#include "run/run.h"

struct run_args {
    struct texts sets, folders;
    unsigned workers;
    bool dry_run, inline_only, quiet, json;
};

static const struct option_spec run_options[] = {
    JOB_OPTIONS(struct run_args),
    { OPTION_COUNT, 'j', "workers", "NUMBER",
      "workers of a stage that does not say how many",
      offsetof(struct run_args, workers) },
    { OPTION_FLAG, 'n', "dry-run", NULL, "show what would be started",
      offsetof(struct run_args, dry_run) },
    { OPTION_FLAG, '\0', "inline", NULL, "all in this process, for debuggers",
      offsetof(struct run_args, inline_only) },
    { OPTION_FLAG, 'q', "quiet", NULL, "only what fails",
      offsetof(struct run_args, quiet) },
    { OPTION_FLAG, '\0', "json", NULL,
      "progress and report as JSON, on standard error",
      offsetof(struct run_args, json) },
    { .kind = OPTION_END },
};

static void tell(const struct run_args *args, const struct run_report *report)
{
    CLEANUP_BUF struct buf out = { 0 };
    int code = args->json ? run_report_json(report, &out)
                          : run_report_text(report, &out, !args->quiet,
                                            out_coloured(stderr));

    if (code < 0)
        complain_memory();
    else if (out.size > 0)
        fwrite(out.data, 1, out.size, stderr);
    fflush(stderr);
}

static enum status show_plan(const struct job *job)
{
    CLEANUP_BUF struct buf out = { 0 };

    if (run_plan_text(job, &out) < 0) {
        complain_memory();
        return STATUS_BROKEN;
    }
    out_buf(&out);
    return STATUS_GOOD;
}

static enum status start(const struct run_args *args,
                         const struct job_options *job_options, struct job *job,
                         struct nursery **nursery, struct job_bound *bound)
{
    struct run_options options = { .quiet = args->quiet,
                                   .json = args->json,
                                   .screen = out_live() && !args->json,
                                   .colour = out_coloured(stderr),
                                   .input = STDIN_FILENO,
                                   .output = STDOUT_FILENO,
                                   .notes = STDERR_FILENO };
    struct run_report report = { 0 };
    weir_error err = { 0 };
    enum status status;
    int code = args->inline_only
                   ? run_inline(&options, job, bound, &report, &err)
                   : run_job(&options, job, job_options, nursery, &report,
                             &err);

    if (code < 0)
        complain_error(&err);
    else
        tell(args, &report);
    status = code < 0 ? STATUS_BROKEN : (enum status)report.status;
    if (code == 0 && report.signal != 0)
        stop_die_by(report.signal);
    run_report_done(&report);
    return status;
}

static enum status run_run(const struct cli *cli, const void *all)
{
    const struct run_args *args = all;
    struct job_options options = { .workers = args->workers,
                                   .inline_only = args->inline_only,
                                   .worker = args->dry_run ? NULL
                                                           : run_worker };
    struct job *job = NULL;
    struct nursery *nursery = NULL;
    struct job_bound *bound = NULL;
    enum status status = open_job(cli, &options, &args->sets, &args->folders,
                                  false, &job, &nursery, &bound);

    if (status == STATUS_GOOD && args->dry_run)
        status = show_plan(job);
    else if (status == STATUS_GOOD)
        status = start(args, &options, job, &nursery, bound);
    nursery_stop(&nursery);
    job_bound_free(&bound);
    job_free(&job);
    return status;
}

const struct command cmd_run = {
    .name = "run",
    .summary = "Run a job",
    .operands = "FILE",
    .least = 1,
    .most = 1,
    .completes = "job",
    .options = run_options,
    .args_size = sizeof(struct run_args),
    .about = "\nResults go to standard output, all else to standard error. "
             "Ctrl-C once: what is\nin flight finishes; twice: it is given "
             "back, and the run ends now.\n\nExit status 0: all went well; 1: "
             "some items failed for good; 2: the job file is\nwrong; 3: the "
             "run could not go on.\n",
    .examples = "  weir run top-words.yaml\n"
                "  weir run -j 8 --set corpus='/etc/*.conf' top-words.yaml\n"
                "  seq 1000 | weir run --quiet numbers.yaml | head\n",
    .run = run_run,
};
