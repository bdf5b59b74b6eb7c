/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_graph.c - `weir graph`: which stage feeds which, for people or for
 * dot(1). The command's own process.
 */
#include "config.h"

#include "cli/open_job.h"

struct graph_args {
    struct texts sets, folders;
    bool dot;
};

static const struct option_spec graph_options[] = {
    JOB_OPTIONS(struct graph_args),
    { OPTION_FLAG, '\0', "dot", NULL, "for Graphviz: pipe it into dot",
      offsetof(struct graph_args, dot) },
    { .kind = OPTION_END },
};

static enum status graph_run(const struct cli *cli, const void *all)
{
    const struct graph_args *args = all;
    struct job_options options = { 0 };
    CLEANUP_BUF struct buf out = { 0 };
    struct job *job = NULL;
    enum status status = open_job(cli, &options, &args->sets, &args->folders,
                                  false, &job, NULL, NULL);
    int code = 0;

    if (status == STATUS_GOOD) {
        code = args->dot ? job_graph_dot(job, &out) : job_graph_text(job, &out);
        out.failed |= code < 0;
        out_buf(&out);
    }
    job_free(&job);
    return status;
}

const struct command cmd_graph = {
    .name = "graph",
    .summary = "Show the stages and queues of a job",
    .operands = "FILE",
    .least = 1,
    .most = 1,
    .completes = "job",
    .options = graph_options,
    .args_size = sizeof(struct graph_args),
    .examples = "  weir graph top-words.yaml\n"
                "  weir graph --dot top-words.yaml | dot -Tsvg -o graph.svg\n",
    .run = graph_run,
};
