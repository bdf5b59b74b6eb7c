/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cmd_runs.c - `weir runs`: the runs that have a journal. The command's own
 * process. */
#include "config.h"

#include <stdio.h>

#include "cli/journaled.h"

struct runs_args {
    const char *base;
    bool json;
};

static const struct option_spec runs_options[] = {
    RUNS_OPTION(struct runs_args),
    { OPTION_FLAG, '\0', "json", NULL, "one JSON object a line, for programs",
      offsetof(struct runs_args, json) },
    { .kind = OPTION_END },
};

/* In a word or two. */
static const char *state_of(const struct run_folder *folder,
                            const struct record_run *run)
{
    if (folder_is_held(folder, NULL))
        return "running";
    if (!run->ended)
        return "killed";
    if (run->signal != 0)
        return "stopped";
    return run->status == 0   ? "done"
           : run->status == 1 ? "done, some failed"
                              : "could not go on";
}

static void show_json(const struct run_folder *folder,
                      const struct record_run *run, const char *error,
                      struct buf *out)
{
    struct json json = { .out = out };

    json_object(&json, NULL);
    json_text(&json, "name", folder->name);
    json_text(&json, "folder", folder->path);
    if (error != NULL) {
        json_text(&json, "error", error);
    } else {
        json_text(&json, "job", run->job);
        json_text(&json, "state", state_of(folder, run));
        json_int(&json, "started_ns", run->started_ns);
        json_uint(&json, "checkpoints", run->checkpoints);
        json_int(&json, "checkpoint_ns", run->checkpoint_ns);
        json_uint(&json, "items", run->items);
        if (run->ended)
            json_int(&json, "status", run->status);
    }
    json_object_end(&json);
    buf_char(out, '\n');
}

static void show_text(const struct run_folder *folder,
                      const struct record_run *run, const char *error,
                      struct buf *out)
{
    char when[32];

    if (error != NULL)
        buf_printf(out, "%-36s %s\n", folder->name, error);
    else
        buf_printf(out, "%-36s %-18s last checkpoint %s\n", folder->name,
                   state_of(folder, run), when_text(when, run->checkpoint_ns));
}

static enum status show(const char *base, const char *name, bool json)
{
    CLEANUP_BUF struct buf out = { 0 };
    CLEANUP_FREE char *path = NULL, *file = NULL;
    struct run_folder folder = { .lock = -1 };
    struct record_run run = { .text = NULL };
    weir_error err = { 0 };
    int code;

    if (asprintf(&path, "%s/%s", base, name) < 0)
        return STATUS_BROKEN;
    code = folder_find(base, path, &folder, &err);
    if (code == 0)
        file = folder_file(&folder, JOURNAL_DB);
    if (file != NULL)
        code = record_read(file, &run, &err);
    if (folder.name != NULL && json)
        show_json(&folder, &run, code < 0 ? err.text : NULL, &out);
    else if (folder.name != NULL)
        show_text(&folder, &run, code < 0 ? err.text : NULL, &out);
    record_run_done(&run);
    folder_done(&folder);
    out_buf(&out);
    return code < 0 ? STATUS_FAILED : STATUS_GOOD;
}

static enum status runs_run(const struct cli *cli, const void *all)
{
    const struct runs_args *args = all;
    weir_error err = { 0 };
    CLEANUP_FREE char *base = folder_base(args->base, &err);
    struct run_names names = { 0 };
    enum status status = STATUS_GOOD;

    (void)cli;
    if (base == NULL || folder_list(base, &names, &err) < 0) {
        complain_error(&err);
        return STATUS_BROKEN;
    }
    for (size_t i = 0; i < names.list.count; i++) {
        enum status one = show(base, names.list.at[i].name, args->json);

        status = status == STATUS_GOOD ? one : status;
    }
    run_names_done(&names);
    return status;
}

const struct command cmd_runs = {
    .name = "runs",
    .summary = "List the runs that keep a journal",
    .operands = "",
    .completes = "",
    .options = runs_options,
    .args_size = sizeof(struct runs_args),
    .about = "\nThe one that was started or resumed last comes first. Exit "
             "status 1: one of them\ncannot be read; the line says why.\n",
    .examples = "  weir runs\n"
                "  weir runs --json\n",
    .run = runs_run,
};
