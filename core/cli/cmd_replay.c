/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_replay.c - `weir replay`: items that failed for good, once more. One, in
 * this process, through the task in which it failed; or all, in a run of the
 * job that starts with them. The command's own process.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/calling.h"
#include "cli/debugger.h"
#include "cli/job_end.h"
#include "cli/kept_run.h"
#include "cli/open_job.h"

struct replay_args {
    const char *item, *cause;
    const char *output, *frame;
    bool gdb, valgrind, changed, quiet, json;
};

static const struct option_spec replay_options[] = {
    { OPTION_TEXT, '\0', "cause", "CAUSE", "only those of this cause",
      offsetof(struct replay_args, cause) },
    { OPTION_TEXT, '\0', "item", "ID",
      "this one alone, in this process, as `weir call` does",
      offsetof(struct replay_args, item) },
    { OPTION_FLAG, '\0', "gdb", NULL,
      "with --item: under gdb, stop in the task",
      offsetof(struct replay_args, gdb) },
    { OPTION_FLAG, '\0', "valgrind", NULL, "with --item: under valgrind",
      offsetof(struct replay_args, valgrind) },
    { OPTION_TEXT, 'o', "output", "OUTPUT",
      "with --item: show only this output",
      offsetof(struct replay_args, output) },
    { OPTION_TEXT, '\0', "frame", "auto|line|nul|raw",
      "with --item: what ends what is shown",
      offsetof(struct replay_args, frame) },
    { OPTION_FLAG, '\0', "changed", NULL,
      "take the job file as it is now, though it was changed",
      offsetof(struct replay_args, changed) },
    { OPTION_FLAG, 'q', "quiet", NULL, "only what fails",
      offsetof(struct replay_args, quiet) },
    { OPTION_FLAG, '\0', "json", NULL,
      "what is told, as JSON; with --item what is shown",
      offsetof(struct replay_args, json) },
    { .kind = OPTION_END },
};

/* The run as it was, by its facts. */
struct past {
    struct failed_store *store;
    char *file; /* of the store */
    struct buf job_file, text, folder, workers;
    struct texts sets, plugins; /* end with NULL */
};

static bool read_list(struct past *past, const char *what, struct texts *out)
{
    CLEANUP_BUF struct buf value = { 0 };
    char name[32];

    for (unsigned i = 0;; i++) {
        const char **slot;

        snprintf(name, sizeof name, "%s.%u", what, i);
        if (!kept_fact(past->store, name, &value))
            return false;
        slot = VEC_ADD(out);
        if (slot == NULL) {
            complain_memory();
            return false;
        }
        if (value.size == 0) {
            out->count--; /* the NULL at the end stays */
            return true;
        }
        *slot = strdup(value.data);
    }
}

static bool read_past(struct past *past)
{
    return kept_fact(past->store, "file", &past->job_file) &&
           kept_fact(past->store, "text", &past->text) &&
           kept_fact(past->store, "folder", &past->folder) &&
           kept_fact(past->store, "workers", &past->workers) &&
           read_list(past, "set", &past->sets) &&
           read_list(past, "plugins", &past->plugins);
}

static void free_texts(struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free((char *)texts->at[i]);
    VEC_DONE(texts);
}

static void past_done(struct past *past)
{
    failed_close(&past->store);
    buf_done(&past->job_file);
    buf_done(&past->text);
    buf_done(&past->folder);
    buf_done(&past->workers);
    free_texts(&past->sets);
    free_texts(&past->plugins);
    free(past->file);
}

/* Names of files are as they were for the run. */
static bool enter_folder(const struct past *past)
{
    if (past->folder.size == 0 || chdir(past->folder.data) == 0)
        return true;
    complain("cannot go to '%s', where the run was: %m", past->folder.data);
    return false;
}

/* ------------------------------------------------------------- one item ----
 */

struct one {
    struct calling *calling;
    VEC(char *) pairs;
    char *stage, *task;
    unsigned count;
    enum failed_kept kept;
};

/* The first that has this id; a copy of it may have failed elsewhere, too. */
static int take_item(void *arg, const struct failed_row *row)
{
    struct one *one = arg;
    struct inline_item *item = &one->calling->item;

    one->kept = row->kept;
    one->count++;
    one->stage = strdup(row->stage);
    one->task = strdup(row->task != NULL ? row->task : "");
    item->root = row->root;
    item->path = row->path;
    if (row->kept == FAILED_WHOLE)
        item->payload = payload_new(row->data != NULL ? row->data : "",
                                    row->size);
    if (row->attrs_size > 0)
        item->attrs = payload_new(row->attrs, row->attrs_size);
    if (one->stage == NULL || one->task == NULL ||
        (row->kept == FAILED_WHOLE && item->payload == NULL))
        return WEIR_ENOMEM;
    return 1;
}

static int take_param(void *arg, const char *name, const char *value)
{
    struct one *one = arg;
    char **slot = VEC_ADD(&one->pairs);

    return slot != NULL && asprintf(slot, "%s=%s", name, value) >= 0
               ? 0
               : WEIR_ENOMEM;
}

static enum status load_item(struct past *past, const char *id, struct one *one)
{
    struct failed_filter filter = { .with_replayed = true };
    weir_error err = { 0 };
    int code;

    if (!kept_id(id, &filter))
        return STATUS_WRONG;
    code = failed_each(past->store, &filter, true, take_item, one, &err);
    if (code >= 0 && one->count > 0)
        code = failed_params(past->store, one->stage, take_param, one, &err);
    if (code < 0) {
        error_prefix(&err, "the item cannot be read");
        complain_error(&err);
        return STATUS_BROKEN;
    }
    if (one->count == 0)
        complain("no item of this id has failed, or it is not kept any more");
    else if (one->kept != FAILED_WHOLE)
        complain("the bytes of this item are not kept");
    return one->count > 0 && one->kept == FAILED_WHOLE ? STATUS_GOOD
                                                       : STATUS_WRONG;
}

static enum status call_item(const struct past *past,
                             const struct replay_args *args, struct one *one)
{
    struct calling *calling = one->calling;
    enum status status;
    weir_error err = { 0 };

    calling->name = one->task;
    calling->pairs = (const char *const *)one->pairs.at;
    calling->pair_count = one->pairs.count;
    calling->output = args->output;
    calling->frame = args->frame;
    calling->json = args->json;
    if (plugin_path_init(&calling->path, past->plugins.at, NULL, NULL, &err) <
        0) {
        complain_error(&err);
        return STATUS_WRONG;
    }
    status = calling_prepare(calling);
    if (status == STATUS_GOOD)
        status = calling_do(calling);
    if (status == STATUS_GOOD && !args->quiet)
        note_line("it went well; what it gave went here, and to no stage: "
                  "'weir replay' without --item does it in a run");
    return status;
}

static enum status replay_item(const struct cli *cli, struct past *past,
                               const struct replay_args *args)
{
    struct calling calling = { .name = "" };
    struct one one = { .calling = &calling };
    enum status status = load_item(past, args->item, &one);

    if (status == STATUS_GOOD && (args->gdb || args->valgrind))
        status = debugger_choose(args->gdb, args->valgrind, cli, args);
    else if (status == STATUS_GOOD)
        status = enter_folder(past) ? call_item(past, args, &one)
                                    : STATUS_BROKEN;
    calling_done(&calling);
    for (size_t i = 0; i < one.pairs.count; i++)
        free(one.pairs.at[i]);
    VEC_DONE(&one.pairs);
    free(one.stage);
    free(one.task);
    return status;
}

/* ------------------------------------------------------------- in a run ----
 */

/* What is to be replayed: how many, and of which stages. */
struct wanted {
    uint64_t whole, others;
    struct map stages; /* name to the task, as it was */
};

static int count_row(void *arg, const struct failed_row *row)
{
    struct wanted *wanted = arg;
    uintptr_t *task;

    if (row->kept != FAILED_WHOLE) {
        wanted->others++;
        return 0;
    }
    wanted->whole++;
    task = map_put(&wanted->stages, row->stage, strlen(row->stage), NULL);
    if (task == NULL)
        return WEIR_ENOMEM;
    if (*task == 0)
        *task = (uintptr_t)strdup(row->task != NULL ? row->task : "");
    return *task != 0 ? 0 : WEIR_ENOMEM;
}

static void wanted_done(struct wanted *wanted)
{
    for (size_t i = 0; i < wanted->stages.room; i++)
        free((char *)wanted->stages.entries[i].value);
    map_done(&wanted->stages);
}

static bool has_stage(const struct job *job, const char *name, const char *task)
{
    char now[160];

    for (size_t i = 0; i < job->stages.count; i++) {
        const struct job_stage *stage = &job->stages.at[i];

        snprintf(now, sizeof now, "%s.%s", stage->plugin, stage->task);
        if (strcmp(stage->name, name) == 0)
            return stage->from.count > 0 && strcmp(now, task) == 0;
    }
    return false;
}

/* The items stand before a stage: it must be there, with its task. Whatever
 * else was changed is the user's choice. */
static enum status check_job(const struct past *past, const struct job *job,
                             const struct wanted *wanted, bool changed)
{
    for (size_t i = 0; i < wanted->stages.room; i++) {
        const struct map_entry *entry = &wanted->stages.entries[i];

        if (entry->name == NULL ||
            has_stage(job, entry->name, (const char *)entry->value))
            continue;
        complain("items failed in stage '%s' with task '%s', and '%s' has none "
                 "such any more: nothing was started",
                 entry->name, (const char *)entry->value, job->file);
        return STATUS_WRONG;
    }
    if (changed || strcmp(job->text, past->text.data) == 0)
        return STATUS_GOOD;
    complain("'%s' was changed since the run: --changed takes it as it is now; "
             "nothing was started",
             job->file);
    return STATUS_WRONG;
}

/* How it went, by the store. */
static void tell_left(const struct past *past,
                      const struct failed_filter *filter, uint64_t before)
{
    struct failed_store *store = NULL;
    struct wanted left = { 0 };
    weir_error err = { 0 };

    if (failed_open(past->file, FAILED_READ, &store, &err) == 0 &&
        failed_each(store, filter, false, count_row, &left, &err) == 0)
        note_line("%" PRIu64 " of %" PRIu64 " failed items went well now%s",
                  before > left.whole ? before - left.whole : 0, before,
                  left.whole > 0 ? "; 'weir failed' shows the others" : "");
    failed_close(&store);
    wanted_done(&left);
}

static int run_replay(const struct replay_args *args,
                      const struct job_options *job_options,
                      const struct job *job, struct nursery **nursery,
                      struct keeping_run *keeping, struct run_report *report,
                      weir_error *err)
{
    struct run_options options = { .quiet = args->quiet,
                                   .json = args->json,
                                   .screen = out_live() && !args->json,
                                   .colour = out_coloured(stderr),
                                   .input = STDIN_FILENO,
                                   .output = STDOUT_FILENO,
                                   .notes = STDERR_FILENO,
                                   .keep = &keeping->keep };

    return run_job(&options, (struct job *)job, job_options, nursery, report,
                   err);
}

static enum status
replay_opened(const struct past *past, const struct replay_args *args,
              const struct job_options *options, const struct job *job,
              struct nursery **nursery, const struct failed_filter *filter,
              const struct wanted *wanted)
{
    struct keeping_run keeping = KEEPING_NONE;
    struct run_report report = { 0 };
    weir_error err = { 0 };
    enum status status = STATUS_BROKEN;
    int code;

    keeping.file = strdup(past->file);
    keeping.keep = (struct run_keep){ .file = past->file,
                                      .most_age_ns = FOREVER,
                                      .replay = filter };
    if (keeping.file != NULL && kept_lock(&keeping))
        status = kept_describe(&keeping, job, options);
    if (status == STATUS_GOOD) {
        code = run_replay(args, options, job, nursery, &keeping, &report, &err);
        status = job_end(code, &err, &report, args->quiet, args->json);
        if (code == 0 && !args->quiet && !args->json)
            tell_left(past, filter, wanted->whole);
    }
    kept_done(&keeping);
    return status;
}

static enum status replay_job(const struct cli *cli, const struct past *past,
                              const struct replay_args *args,
                              const struct failed_filter *filter,
                              const struct wanted *wanted)
{
    const char *const operands[] = { past->job_file.data, NULL };
    const struct cli as_run = { cli->command, operands, 1 };
    struct job_options options = {
        .workers = (unsigned)strtoul(past->workers.data, NULL, 10),
        .worker = run_worker,
    };
    struct job *job = NULL;
    struct nursery *nursery = NULL;
    struct job_bound *bound = NULL;
    enum status status = open_job(&as_run, &options, &past->sets,
                                  &past->plugins, false, &job, &nursery,
                                  &bound);

    if (status == STATUS_GOOD)
        status = check_job(past, job, wanted, args->changed);
    if (status == STATUS_GOOD)
        status = replay_opened(past, args, &options, job, &nursery, filter,
                               wanted);
    nursery_stop(&nursery);
    job_free(&job);
    return status;
}

static enum status replay_all(const struct cli *cli, struct past *past,
                              const struct replay_args *args)
{
    struct failed_filter filter = { 0 };
    struct wanted wanted = { 0 };
    weir_error err = { 0 };
    enum status status = STATUS_GOOD;

    if (args->cause && !kept_cause(args->cause, &filter))
        return STATUS_WRONG;
    if (failed_each(past->store, &filter, false, count_row, &wanted, &err) <
        0) {
        complain_error(&err);
        status = STATUS_BROKEN;
    }
    failed_close(&past->store); /* a connection must not cross a fork */
    if (wanted.others > 0 && !args->quiet)
        note_line("%" PRIu64 " failures cannot be replayed: they have no item, "
                  "or one that was too large",
                  wanted.others);
    if (status == STATUS_GOOD && wanted.whole == 0)
        note_line("there is nothing to replay");
    else if (status == STATUS_GOOD && strcmp(past->job_file.data, "-") == 0)
        complain("the job came from standard input, and is gone: 'weir replay "
                 "--item' still does one"),
            status = STATUS_WRONG;
    else if (status == STATUS_GOOD)
        status = enter_folder(past)
                     ? replay_job(cli, past, args, &filter, &wanted)
                     : STATUS_BROKEN;
    wanted_done(&wanted);
    return status;
}

static bool options_fit(const struct replay_args *args)
{
    const char *needs = args->gdb        ? "--gdb"
                        : args->valgrind ? "--valgrind"
                        : args->output   ? "--output"
                        : args->frame    ? "--frame"
                                         : NULL;

    if (needs && !args->item)
        complain("%s goes with --item; 'weir failed' shows the ids", needs);
    else if (args->item && args->cause)
        complain("one of --item and --cause, not both");
    else
        return true;
    return false;
}

static enum status replay_run(const struct cli *cli, const void *all)
{
    const struct replay_args *args = all;
    struct past past = { .store = NULL };
    enum status status;

    if (!options_fit(args))
        return STATUS_WRONG;
    status = kept_open(cli->operands[0], &past.store, &past.file);
    if (status == STATUS_GOOD && !read_past(&past))
        status = STATUS_BROKEN;
    if (status == STATUS_GOOD)
        status = args->item ? replay_item(cli, &past, args)
                            : replay_all(cli, &past, args);
    past_done(&past);
    return status;
}

const struct command cmd_replay = {
    .name = "replay",
    .summary = "Do again what failed in a run",
    .operands = "RUN",
    .least = 1,
    .most = 1,
    .completes = "folder",
    .options = replay_options,
    .args_size = sizeof(struct replay_args),
    .about =
        "\nRUN is the folder of a run that keeps failed items. Each stands "
        "before the stage\nin which it failed, the sources do not start, "
        "and the run goes on to its end.\nWhat went well then counts as "
        "replayed, "
        "and no other replay does it again.\n\nWith --item one item "
        "goes through its task alone, in this process, with the\n"
        "parameters and attributes of the run; what it gives goes to "
        "standard output.\n",
    .examples = "  weir replay kept\n"
                "  weir replay --cause=1f3a2b4c kept\n"
                "  weir replay --gdb --item=fff00000000000000000000000000000 "
                "kept\n",
    .run = replay_run,
};
