/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_resume.c - `weir resume`: a run goes on from its last checkpoint. The
 * command's own process, which becomes the run's supervisor.
 *
 * The store is read whole and closed before anything is forked.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/job_end.h"
#include "cli/journaled.h"
#include "cli/open_job.h"
#include "journal/facts.h"

struct resume_args {
    const char *base, *interval;
    bool explain, accept, quiet, json;
};

static const struct option_spec resume_options[] = {
    RUNS_OPTION(struct resume_args),
    { OPTION_TEXT, '\0', "checkpoint", "TIME",
      "between two checkpoints (as the run was started)",
      offsetof(struct resume_args, interval) },
    { OPTION_FLAG, '\0', "explain", NULL,
      "say what is done, and what runs again; start nothing",
      offsetof(struct resume_args, explain) },
    { OPTION_FLAG, '\0', "accept-changes", NULL,
      "go on although something of it has changed",
      offsetof(struct resume_args, accept) },
    { OPTION_FLAG, 'q', "quiet", NULL, "only what fails",
      offsetof(struct resume_args, quiet) },
    { OPTION_FLAG, '\0', "json", NULL,
      "progress and report as JSON, on standard error",
      offsetof(struct resume_args, json) },
    { .kind = OPTION_END },
};

/* What it was, what it is, and what it goes on with. */
struct resuming {
    const struct resume_args *args;
    struct journaled it; /* run: as it is now */
    struct record_run was;
    struct texts sets, folders;
    struct keeping_run keeping;
    struct job *job;
    struct nursery *nursery;
};

/* -------------------------------------------------------------- reading ----
 */

static bool add_text(struct texts *texts, const char *text)
{
    const char **slot = VEC_ADD(texts);

    if (slot == NULL)
        return false;
    *slot = text;
    if (VEC_ADD(texts) == NULL)
        return false;
    texts->count--;
    return true;
}

/* --set and --plugin-path, as they were. */
static bool take_words(struct resuming *it)
{
    for (size_t i = 0; i < it->was.facts.count; i++) {
        const struct record_fact *fact = &it->was.facts.at[i];
        struct texts *to = strcmp(fact->kind, "set") == 0 ? &it->sets
                           : strcmp(fact->kind, "plugin-path") == 0
                               ? &it->folders
                               : NULL;

        if (to != NULL && !add_text(to, fact->value))
            return false;
    }
    return true;
}

/* -------------------------------------------------------------- changes ----
 */

static int keep_ends(struct resuming *it)
{
    static const char *const kinds[] = { "stdin", "stdout" };

    for (size_t i = 0; i < 2; i++) {
        const struct record_fact *was = facts_find(&it->was, kinds[i]);
        struct record_fact *fact;

        if (was == NULL)
            continue;
        fact = record_add_fact(&it->it.run, was->kind, was->name, was->value);
        if (fact == NULL)
            return WEIR_ENOMEM;
        fact->size = was->size;
        fact->dev = was->dev;
        fact->ino = was->ino;
        fact->born = was->born;
        fact->mtime_ns = was->mtime_ns;
    }
    return 0;
}

static void compare_stdin(const struct record_run *was, struct buf *out)
{
    const struct record_fact *fact = facts_find(was, "stdin");
    struct stat st;

    if (fact == NULL || fact->value[0] == '\0')
        return;
    if (stat(fact->value, &st) < 0)
        buf_printf(out, "standard input, '%s', is gone\n", fact->value);
    else if (fact->size != (uint64_t)st.st_size ||
             fact->mtime_ns !=
                 st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec)
        buf_printf(out, "standard input, '%s', was written to since\n",
                   fact->value);
}

/* Stages, tasks and workers: without them a book is nobody's. */
static bool same_graph(const struct record_run *was,
                       const struct record_run *now)
{
    bool same = was->stages.count == now->stages.count;

    for (size_t i = 0; same && i < was->stages.count; i++)
        same = strcmp(was->stages.at[i].name, now->stages.at[i].name) == 0 &&
               strcmp(was->stages.at[i].task, now->stages.at[i].task) == 0;
    return same;
}

static enum status check_changes(struct resuming *it, struct buf *changes)
{
    if (!same_graph(&it->was, &it->it.run)) {
        complain("the stages of '%s' are not those that they were: this run "
                 "cannot go on; start it anew",
                 it->was.file);
        return STATUS_WRONG;
    }
    if (!facts_same_overflow(&it->was, &it->it.run)) {
        complain("what the queues of '%s' do when they are full, or who fills "
                 "them, is not what it was, and what they dropped is counted: "
                 "this run cannot go on; start it anew",
                 it->was.file);
        return STATUS_WRONG;
    }
    if (facts_compare(&it->was, &it->it.run, changes) < 0) {
        complain_memory();
        return STATUS_BROKEN;
    }
    compare_stdin(&it->was, changes);
    if (changes->size == 0 || it->args->accept || it->args->explain)
        return STATUS_GOOD;
    fputs(changes->data, stderr);
    complain("not resumed: what is done would not be of one piece with what "
             "is left. 'weir resume --accept-changes %s' goes on all the same; "
             "'weir run' starts anew",
             it->it.folder.name);
    return STATUS_WRONG;
}

/* -------------------------------------------------------------- explain ----
 */

static void explain_stages(const struct resuming *it, struct buf *out)
{
    size_t member = 0;

    for (size_t i = 0; i < it->was.stages.count; i++) {
        const struct record_stage *stage = &it->was.stages.at[i];
        uint64_t done = 0, given = 0;
        bool ended = true, source = it->job->stages.at[i].from.count == 0;

        for (unsigned k = 0; k < stage->workers; k++, member++) {
            const struct book *book = &it->it.from.books.at[member];

            done += book->done + book->failed + book->skipped;
            given += book->emitted;
            ended = ended && book->ended == ENDED_ALL;
        }
        if (ended)
            buf_printf(out, "stage '%s' has ended: nothing of it runs again\n",
                       stage->name);
        else if (source)
            buf_printf(out,
                       "stage '%s' goes on at its cursor, behind the %llu "
                       "items that it gave\n",
                       stage->name, (unsigned long long)given);
        else
            buf_printf(out,
                       "stage '%s' has %llu items behind it, which are not "
                       "done again\n",
                       stage->name, (unsigned long long)done);
    }
}

static void explain_queues(const struct resuming *it, struct buf *out)
{
    const struct snapshot *from = &it->it.from;

    for (size_t q = 0; q < from->published.count; q++) {
        size_t count = 0;

        for (size_t i = 0; i < from->slots.count; i++)
            count += from->slots.at[i].queue == q;
        if (count > 0)
            buf_printf(out,
                       "%zu items stood in queue '%s', or were in hand: they "
                       "are put back\n",
                       count,
                       q < it->was.queues.count ? it->was.queues.at[q] : "?");
    }
}

static void explain_files(const struct resuming *it, struct buf *out)
{
    const struct record_fact *input = facts_find(&it->was, "stdin");
    const struct record_fact *output = facts_find(&it->was, "stdout");

    for (size_t i = 0; i < it->it.from.sinks.count; i++)
        buf_printf(out,
                   "'%s' is cut to %llu bytes: what was appended behind them "
                   "is not of this checkpoint, and comes again\n",
                   it->it.from.sinks.at[i].path,
                   (unsigned long long)it->it.from.sinks.at[i].length);
    if (input != NULL)
        buf_printf(
            out, "standard input %s%s%s\n",
            input->value[0] != '\0'
                ? "is read on in '"
                : "was a pipe: "
                  "give the same once more, from its beginning; what is done "
                  "of it is left out",
            input->value, input->value[0] != '\0' ? "'" : "");
    if (output != NULL)
        buf_printf(out, "standard output %s%s%s\n",
                   output->value[0] != '\0'
                       ? "is cut back, and goes on in '"
                       : "was a pipe or a terminal: what came after the "
                         "checkpoint comes again",
                   output->value, output->value[0] != '\0' ? "'" : "");
}

static enum status explain(const struct resuming *it, const struct buf *changes)
{
    CLEANUP_BUF struct buf out = { 0 };
    char when[32];

    buf_printf(&out,
               "%s goes on from its checkpoint of %s; what was done "
               "later is done again\n",
               it->it.folder.name, when_text(when, it->was.checkpoint_ns));
    explain_stages(it, &out);
    explain_queues(it, &out);
    explain_files(it, &out);
    if (changes->size > 0) {
        buf_text(&out, "it is refused without --accept-changes:\n");
        buf_add(&out, changes->data, changes->size);
    }
    out_buf(&out);
    return STATUS_GOOD;
}

/* ---------------------------------------------------------------- going ----
 */

static enum status nothing_to_do(const struct resuming *it)
{
    if (!it->args->quiet)
        note_line("nothing to do: '%s' has ended%s", it->it.folder.name,
                  it->was.status == 1
                      ? ", some items failed; 'weir failed' shows them"
                      : "");
    return it->was.status == 1 ? STATUS_FAILED : STATUS_GOOD;
}

/* Failed items go where they went. */
static bool keep_there(struct resuming *it)
{
    struct keeping_run *keeping = &it->keeping;

    if (it->was.kept_file == NULL)
        return journal_keep(keeping, &it->it.folder);
    keeping->keep.file = keeping->file = strdup(it->was.kept_file);
    if (keeping->file == NULL)
        complain_memory();
    return keeping->file != NULL && kept_lock(keeping);
}

static enum status keep_on(struct resuming *it,
                           const struct job_options *options)
{
    it->keeping.keep.most_bytes = it->was.kept_bytes;
    it->keeping.keep.most_age_ns = it->was.kept_age_ns;
    if (!keep_there(it))
        return STATUS_BROKEN;
    return kept_describe(&it->keeping, it->job, options);
}

static enum status go(struct resuming *it, const struct job_options *options)
{
    struct run_options run = { .quiet = it->args->quiet,
                               .json = it->args->json,
                               .screen = out_live() && !it->args->json,
                               .colour = out_coloured(stderr),
                               .input = STDIN_FILENO,
                               .output = STDOUT_FILENO,
                               .notes = STDERR_FILENO };
    const struct record_fact *output = facts_find(&it->was, "stdout");
    struct run_report report = { 0 };
    weir_error err = { 0 };
    enum status status = keep_on(it, options);
    int code;

    if (status != STATUS_GOOD)
        return status;
    if (output != NULL && output->value[0] == '\0' && !it->was.ended)
        warn("standard output was a pipe or a terminal: what came after the "
             "last checkpoint comes again");
    it->it.journal.folder = &it->it.folder;
    it->it.journal.run = &it->it.run;
    it->it.journal.from = &it->it.from;
    it->it.journal.states = &it->it.states;
    run.journal = &it->it.journal;
    run.keep = &it->keeping.keep;
    code = run_job(&run, it->job, options, &it->nursery, &report, &err);
    return job_end(code, &err, &report, it->args->quiet, it->args->json);
}

/* As many workers as there were: their books, cursors and states are kept by
 * number. */
static void same_workers(struct resuming *it)
{
    for (size_t i = 0; i < it->job->stages.count && i < it->was.stages.count;
         i++) {
        it->job->stages.at[i].workers = it->was.stages.at[i].workers;
        if (i < it->it.run.stages.count)
            it->it.run.stages.at[i].workers = it->was.stages.at[i].workers;
    }
}

static enum status open_and_go(const struct cli *cli, struct resuming *it)
{
    const char *operands[] = { it->was.file, NULL };
    struct cli job_cli = { .command = cli->command,
                           .operands = operands,
                           .count = 1 };
    struct job_options options = { .workers = it->was.workers,
                                   .worker = it->args->explain ? NULL
                                                               : run_worker };
    CLEANUP_BUF struct buf changes = { 0 };
    weir_error err = { 0 };
    enum status status = open_job(&job_cli, &options, &it->sets, &it->folders,
                                  false, &it->job, &it->nursery, NULL);

    if (status != STATUS_GOOD)
        return status;
    if (facts_gather(it->job, &options, -1, -1, &it->it.run, &err) < 0) {
        complain_error(&err);
        return STATUS_BROKEN;
    }
    if (keep_ends(it) < 0) {
        complain_memory();
        return STATUS_BROKEN;
    }
    status = check_changes(it, &changes);
    if (status != STATUS_GOOD)
        return status;
    same_workers(it);
    return it->args->explain ? explain(it, &changes) : go(it, &options);
}

static enum status resume(const struct cli *cli, struct resuming *it)
{
    weir_error err = { 0 };
    enum status status = journal_find(it->args->base, cli->operands[0],
                                      &it->it.folder);
    int code;

    if (status != STATUS_GOOD)
        return status;
    if (!it->args->explain && (code = folder_lock(&it->it.folder, &err)) < 0) {
        complain_error(&err);
        return STATUS_BROKEN;
    }
    if (run_read_back(&it->it.folder, &it->was, &it->it.from, &it->it.states,
                      &err) < 0) {
        complain_error(&err);
        return STATUS_BROKEN;
    }
    if (it->was.ended && it->was.signal == 0 && it->was.status < 3)
        return nothing_to_do(it);
    it->it.journal.interval_ns = it->was.interval_ns;
    if (!journal_interval(it->args->interval, &it->it.journal.interval_ns))
        return STATUS_WRONG;
    if (chdir(it->was.cwd) < 0) {
        complain("cannot go to '%s', where the run was started: %s",
                 it->was.cwd, strerror(errno));
        return STATUS_BROKEN;
    }
    if (!take_words(it)) {
        complain_memory();
        return STATUS_BROKEN;
    }
    return open_and_go(cli, it);
}

static enum status resume_run(const struct cli *cli, const void *args)
{
    struct resuming it = { .args = args,
                           .it = { .folder = { .lock = -1 } },
                           .keeping = KEEPING_NONE };
    enum status status = resume(cli, &it);

    nursery_stop(&it.nursery);
    job_free(&it.job);
    kept_done(&it.keeping);
    journaled_done(&it.it);
    record_run_done(&it.was);
    VEC_DONE(&it.sets);
    VEC_DONE(&it.folders);
    return status;
}

const struct command cmd_resume = {
    .name = "resume",
    .summary = "Go on with a run that was killed or stopped",
    .operands = "RUN",
    .least = 1,
    .most = 1,
    .completes = "run",
    .options = resume_options,
    .args_size = sizeof(struct resume_args),
    .about = "\nRUN is 'last', how the name of just one run begins, or a path; "
             "it was started\nwith 'weir run --journal'. It goes on from its "
             "last checkpoint, where it was\nstarted and with the options of "
             "then. A run that has ended: nothing is done.\n",
    .examples = "  weir resume last\n"
                "  weir resume --explain last\n",
    .run = resume_run,
};
