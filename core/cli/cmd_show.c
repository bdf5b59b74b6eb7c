/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cmd_show.c - `weir show`: one run, by its journal. The command's own process.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/journaled.h"

struct show_args {
    const char *base;
    bool json;
};

static const struct option_spec show_options[] = {
    RUNS_OPTION(struct show_args),
    { OPTION_FLAG, '\0', "json", NULL, "one JSON object, for programs",
      offsetof(struct show_args, json) },
    { .kind = OPTION_END },
};

struct shown {
    struct run_folder folder;
    struct record_run run;
    record_counts counts;
    char *holder; /* NULL: nobody has it */
};

/* Of the workers of a stage together. */
static struct record_count sum_of(const struct shown *it, size_t stage)
{
    struct record_count sum = { .ended = true };
    size_t first = 0;

    for (size_t i = 0; i < stage; i++)
        first += it->run.stages.at[i].workers;
    for (size_t i = 0; i < it->run.stages.at[stage].workers; i++) {
        const struct record_count *one;

        if (first + i >= it->counts.count)
            break;
        one = &it->counts.at[first + i];
        sum.done += one->done;
        sum.failed += one->failed;
        sum.skipped += one->skipped;
        sum.emitted += one->emitted;
        sum.ended = sum.ended && one->ended;
    }
    return sum;
}

static void end_text(const struct shown *it, struct buf *out)
{
    const struct record_run *run = &it->run;
    char when[32];

    if (it->holder != NULL)
        buf_printf(out, "under way: %s\n", it->holder);
    else if (!run->ended)
        buf_printf(out,
                   "killed, or the machine went down; 'weir resume %s' "
                   "goes on\n",
                   it->folder.name);
    else if (run->signal != 0)
        buf_printf(out, "stopped by %s at %s; 'weir resume %s' goes on\n",
                   text_signal(run->signal), when_text(when, run->ended_ns),
                   it->folder.name);
    else if (run->status == 3)
        buf_printf(out, "could not go on at %s: %s\n",
                   when_text(when, run->ended_ns),
                   run->why != NULL ? run->why : "");
    else
        buf_printf(out, "ended at %s%s\n", when_text(when, run->ended_ns),
                   run->status == 1 ? ", some items failed" : "");
}

static void facts_text(const struct record_run *run, struct buf *out)
{
    for (size_t i = 0; i < run->facts.count; i++) {
        const struct record_fact *fact = &run->facts.at[i];
        char size[32];

        if (strcmp(fact->kind, "plugin") == 0)
            buf_printf(out, "plugin %s: %s\n", fact->name, fact->value);
        else if (strcmp(fact->kind, "input") == 0)
            buf_printf(out, "input of '%s': %s, %s\n", fact->name, fact->value,
                       text_from_size(size, fact->size));
        else
            buf_printf(out, "%s: %s\n", fact->kind,
                       fact->value[0] != '\0' ? fact->value : "a pipe");
    }
}

static void show_text(const struct shown *it, struct buf *out)
{
    const struct record_run *run = &it->run;
    char when[32], bytes[32];

    buf_printf(out, "%s: %s\n", it->folder.name, run->file);
    buf_printf(out, "folder: %s\n", it->folder.path);
    buf_printf(out, "command: %s\nin: %s\n", run->command, run->cwd);
    buf_printf(out, "weir %s, started %s", run->version,
               when_text(when, run->started_ns));
    if (run->resumed > 0)
        buf_printf(out, ", resumed %llu times",
                   (unsigned long long)run->resumed);
    buf_char(out, '\n');
    end_text(it, out);
    buf_printf(out, "last of %llu checkpoints: %s, %llu items in queues, %s\n",
               (unsigned long long)run->checkpoints,
               when_text(when, run->checkpoint_ns),
               (unsigned long long)run->items,
               text_from_size(bytes, run->bytes));
    for (size_t i = 0; i < run->stages.count; i++) {
        struct record_count sum = sum_of(it, i);

        buf_printf(out, "  %s (%s): done %llu, gave %llu, failed %llu%s\n",
                   run->stages.at[i].name, run->stages.at[i].task,
                   (unsigned long long)sum.done,
                   (unsigned long long)sum.emitted,
                   (unsigned long long)sum.failed, sum.ended ? ", ended" : "");
    }
    facts_text(run, out);
}

static void json_stages(struct json *json, const struct shown *it)
{
    json_array(json, "stages");
    for (size_t i = 0; i < it->run.stages.count; i++) {
        struct record_count sum = sum_of(it, i);

        json_object(json, NULL);
        json_text(json, "name", it->run.stages.at[i].name);
        json_text(json, "task", it->run.stages.at[i].task);
        json_uint(json, "workers", it->run.stages.at[i].workers);
        json_uint(json, "done", sum.done);
        json_uint(json, "given", sum.emitted);
        json_uint(json, "failed", sum.failed);
        json_uint(json, "skipped", sum.skipped);
        json_bool(json, "ended", sum.ended);
        json_object_end(json);
    }
    json_array_end(json);
}

static void json_facts(struct json *json, const struct record_run *run)
{
    json_array(json, "facts");
    for (size_t i = 0; i < run->facts.count; i++) {
        const struct record_fact *fact = &run->facts.at[i];

        json_object(json, NULL);
        json_text(json, "kind", fact->kind);
        json_text(json, "name", fact->name);
        json_text(json, "value", fact->value);
        json_uint(json, "size", fact->size);
        json_int(json, "mtime_ns", fact->mtime_ns);
        json_object_end(json);
    }
    json_array_end(json);
}

static void show_json(const struct shown *it, struct buf *out)
{
    const struct record_run *run = &it->run;
    struct json json = { .out = out };

    json_object(&json, NULL);
    json_text(&json, "name", it->folder.name);
    json_text(&json, "folder", it->folder.path);
    json_text(&json, "job", run->job);
    json_text(&json, "file", run->file);
    json_text(&json, "cwd", run->cwd);
    json_text(&json, "command", run->command);
    json_text(&json, "version", run->version);
    json_int(&json, "started_ns", run->started_ns);
    json_uint(&json, "resumed", run->resumed);
    json_bool(&json, "running", it->holder != NULL);
    json_bool(&json, "ended", run->ended);
    if (run->ended)
        json_int(&json, "status", run->status);
    if (run->signal != 0)
        json_text(&json, "signal", text_signal(run->signal));
    if (run->why != NULL)
        json_text(&json, "why", run->why);
    json_uint(&json, "checkpoints", run->checkpoints);
    json_int(&json, "checkpoint_ns", run->checkpoint_ns);
    json_uint(&json, "items", run->items);
    json_uint(&json, "bytes", run->bytes);
    json_stages(&json, it);
    json_facts(&json, run);
    json_object_end(&json);
    buf_char(out, '\n');
}

static int read_run(struct shown *it, weir_error *err)
{
    CLEANUP_FREE char *file = folder_file(&it->folder, JOURNAL_DB);
    int code = file == NULL ? error_set(err, WEIR_ENOMEM, "no memory")
                            : record_read(file, &it->run, err);

    if (code == 0)
        code = record_read_counts(file, &it->counts, err);
    return code;
}

static enum status show_run(const struct cli *cli, const void *all)
{
    const struct show_args *args = all;
    struct shown it = { .folder = { .lock = -1 } };
    CLEANUP_BUF struct buf out = { 0 };
    weir_error err = { 0 };
    enum status status = journal_find(args->base, cli->operands[0], &it.folder);

    if (status != STATUS_GOOD) {
        folder_done(&it.folder);
        return status;
    }
    folder_is_held(&it.folder, &it.holder);
    if (read_run(&it, &err) < 0) {
        complain_error(&err);
        status = STATUS_BROKEN;
    } else if (args->json) {
        show_json(&it, &out);
    } else {
        show_text(&it, &out);
    }
    out_buf(&out);
    free(it.holder);
    VEC_DONE(&it.counts);
    record_run_done(&it.run);
    folder_done(&it.folder);
    return status;
}

const struct command cmd_show = {
    .name = "show",
    .summary = "Show a run that keeps a journal",
    .operands = "RUN",
    .least = 1,
    .most = 1,
    .completes = "run",
    .options = show_options,
    .args_size = sizeof(struct show_args),
    .about = "\nRUN is 'last', how the name of just one run begins, or a "
             "path.\n",
    .examples = "  weir show last\n"
                "  weir show --json last\n",
    .run = show_run,
};
