/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_run.c - `weir run`: a job, to its end. The command's own process, which
 * becomes the run's supervisor.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "cli/job_end.h"
#include "cli/journaled.h"
#include "cli/kept_run.h"
#include "cli/open_job.h"
#include "run/run.h"

struct run_args {
    struct texts sets, folders;
    unsigned workers;
    bool dry_run, inline_only, quiet, json;
    struct kept_args kept;
    struct journal_args journal;
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
    KEPT_OPTIONS(struct run_args, kept),
    JOURNAL_OPTIONS(struct run_args, journal),
    { .kind = OPTION_END },
};

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

/* What a run opens. */
struct opened {
    struct job *job;
    struct nursery *nursery;
    struct job_bound *bound;
    struct keeping_run keeping;
    struct journaled journaled;
};

static enum status start(const struct run_args *args,
                         const struct job_options *job_options,
                         struct opened *it)
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
    int code;

    if (args->journal.folder != NULL) {
        enum status status = journal_begin(&args->journal, it->job, job_options,
                                           &it->keeping, &it->journaled);

        if (status != STATUS_GOOD)
            return status;
        options.journal = &it->journaled.journal;
    }
    if (it->keeping.file != NULL) {
        enum status status = kept_describe(&it->keeping, it->job, job_options);

        if (status != STATUS_GOOD)
            return status;
        options.keep = &it->keeping.keep;
    }
    code = args->inline_only
               ? run_inline(&options, it->job, it->bound, &report, &err)
               : run_job(&options, it->job, job_options, &it->nursery, &report,
                         &err);
    return job_end(code, &err, &report, args->quiet, args->json);
}

static enum status run_opened(const struct cli *cli,
                              const struct run_args *args, struct opened *it)
{
    struct job_options options = { .workers = args->workers,
                                   .inline_only = args->inline_only,
                                   .worker = args->dry_run ? NULL
                                                           : run_worker };
    enum status status = STATUS_GOOD;

    if (args->inline_only && args->kept.folder != NULL) {
        complain("--inline keeps no failed items: leave out --keep-failed");
        return STATUS_WRONG;
    }
    if (args->inline_only && args->journal.folder != NULL) {
        complain("--inline keeps no journal: leave out --journal");
        return STATUS_WRONG;
    }
    if (!journal_args_good(&args->journal))
        return STATUS_WRONG;
    if (!args->dry_run)
        status = kept_begin(&args->kept, args->journal.folder != NULL,
                            &it->keeping);
    if (status == STATUS_GOOD)
        status = open_job(cli, &options, &args->sets, &args->folders, false,
                          &it->job, &it->nursery, &it->bound);
    if (status == STATUS_GOOD && args->dry_run)
        return show_plan(it->job);
    return status == STATUS_GOOD ? start(args, &options, it) : status;
}

static enum status run_run(const struct cli *cli, const void *args)
{
    struct opened it = { .keeping = KEEPING_NONE,
                         .journaled = { .folder = { .lock = -1 } } };
    enum status status = run_opened(cli, args, &it);

    nursery_stop(&it.nursery);
    job_bound_free(&it.bound);
    job_free(&it.job);
    kept_done(&it.keeping);
    folder_discard(&it.journaled.folder);
    journaled_done(&it.journaled);
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
                "  weir run --journal top-words.yaml || weir resume last\n",
    .run = run_run,
};
