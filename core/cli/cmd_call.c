/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_call.c - `weir call`: one task and one item, in this process, so that a
 * debugger sees all of it. Nothing is forked; a task that crashes takes the
 * command with it, which is the point.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/call_out.h"
#include "cli/cli.h"
#include "cli/debugger.h"
#include "cli/look.h"

struct call_args {
    struct texts params, attrs, folders;
    const char *output, *frame;
    bool json, gdb, valgrind;
};

#define CALL(kind_, letter_, name_, value_, summary_, field_)                  \
    {                                                                          \
        kind_, letter_, name_, value_, summary_,                               \
            offsetof(struct call_args, field_)                                 \
    }

static const struct option_spec call_options[] = {
    CALL(OPTION_LIST, 'p', "param", "PARAMETER=VALUE",
         "set a parameter; again for a list", params),
    CALL(OPTION_LIST, 'a', "attr", "NAME=VALUE",
         "give the item an attribute; may be repeated", attrs),
    CALL(OPTION_TEXT, 'o', "output", "OUTPUT", "show only this output", output),
    CALL(OPTION_TEXT, '\0', "frame", "auto|line|nul|raw",
         "auto, line, nul or raw: what ends an item", frame),
    CALL(OPTION_FLAG, '\0', "json", NULL,
         "one JSON object a line for each item", json),
    CALL(OPTION_FLAG, '\0', "gdb", NULL,
         "do it under gdb, and stop in the task", gdb),
    CALL(OPTION_FLAG, '\0', "valgrind", NULL, "do it under valgrind", valgrind),
    CALL(OPTION_LIST, '\0', "plugin-path", "FOLDER",
         "search this folder first; may be repeated", folders),
    { .kind = OPTION_END },
};

/* A call that is being prepared, and then done. */
struct calling {
    const struct call_args *args;
    const struct cli *cli;
    const char *name; /* "text.grep" */
    struct plugin_path path;
    const struct plugin *plugin;
    const weir_task *task;
    void *params;
    struct inline_item item;
    struct inline_task host;
    char *outputs; /* the names, cut apart */
    VEC(const char *) output_names;
    struct call_out out;
};

/* ------------------------------------------------------------ the task ---- */

static bool unknown_task(const struct calling *calling, const char *name)
{
    VEC(const char *) names = { 0 };
    const char *near = NULL;

    for (const weir_task *at = calling->plugin->tasks; at->name; at++) {
        const char **slot = VEC_ADD(&names);

        if (slot)
            *slot = at->name;
    }
    if (VEC_ADD(&names))
        near = text_nearest(name, names.at);
    if (near)
        complain("plugin '%s' has no task '%s'; did you mean '%s'?",
                 calling->plugin->name, name, near);
    else
        complain("plugin '%s' has no task '%s'; 'weir plugins %s' lists them",
                 calling->plugin->name, name, calling->plugin->name);
    VEC_DONE(&names);
    return false;
}

static bool find_task(struct calling *calling)
{
    const char *task = strchr(calling->name, '.');
    CLEANUP_FREE char *plugin = NULL;
    weir_error err = { 0 };

    if (!task || task[1] == '\0') {
        complain("'%s': which task? it is named PLUGIN.TASK, as text.upper; "
                 "'weir plugins' lists them",
                 calling->name);
        return false;
    }
    plugin = strndup(calling->name, (size_t)(task - calling->name));
    if (!plugin)
        error_sys(&err, WEIR_ENOMEM, "cannot load a plugin");
    else
        plugin_load(&calling->path, plugin, &calling->plugin, NULL, &err);
    if (err.code != 0) {
        complain_error(&err);
        return false;
    }
    calling->task = plugin_task(calling->plugin, task + 1);
    return calling->task || unknown_task(calling, task + 1);
}

static bool name_outputs(struct calling *calling)
{
    const char *names = calling->task->outputs;
    char *at = calling->outputs = strdup(names ? names : "out");

    while (at && *at) {
        const char **slot = VEC_ADD(&calling->output_names);
        char *end = at + strcspn(at, " ");

        if (!slot)
            return false;
        *slot = at;
        at = *end ? end + 1 : end;
        *end = '\0';
    }
    if (!at || !VEC_ADD(&calling->output_names))
        return false;
    calling->output_names.count--;
    return true;
}

static bool choose_output(struct calling *calling)
{
    const char *wanted = calling->args->output, *near;

    calling->out = (struct call_out){
        .names = calling->output_names.at,
        .count = calling->output_names.count,
        .only = -1,
        .frame = calling->args->frame,
        .json = calling->args->json,
    };
    for (size_t i = 0; wanted && i < calling->out.count; i++)
        if (strcmp(calling->out.names[i], wanted) == 0)
            calling->out.only = (int)i;
    if (!wanted || calling->out.only >= 0)
        return true;
    near = text_nearest(wanted, calling->out.names);
    if (near)
        complain("%s has no output '%s'; did you mean '%s'?", calling->name,
                 wanted, near);
    else
        complain("%s has no output '%s'; 'weir help %s' shows them",
                 calling->name, wanted, calling->name);
    return false;
}

/* ------------------------------------------------------ its parameters ---- */

/* "name=value": where the value begins; NULL: told. */
static const char *value_of(const char *pair, const char *option)
{
    const char *sign = strchr(pair, '=');

    if (sign && sign > pair)
        return sign + 1;
    complain("option '%s' takes NAME=VALUE, not '%s'", option, pair);
    return NULL;
}

static void param_wrong(void *arg, size_t index, const char *name,
                        const char *sentence)
{
    const struct calling *calling = arg;

    (void)index;
    if (strstr(sentence, name))
        complain("%s: %s", calling->name, sentence);
    else
        complain("%s: parameter '%s': %s", calling->name, name, sentence);
}

static bool bind_params(struct calling *calling)
{
    const struct texts *pairs = &calling->args->params;
    int code;

    for (size_t i = 0; i < pairs->count; i++)
        if (!value_of(pairs->at[i], "-p"))
            return false;
    code = param_bind_pairs(calling->task, pairs->at, pairs->count, param_wrong,
                            calling, &calling->params);
    if (code == WEIR_ENOMEM)
        complain_memory();
    return code == 0;
}

/* ------------------------------------------------------------ the item ---- */

enum { ITEM_MOST = 1 << 30 };

static bool read_item(struct calling *calling, const char *file)
{
    bool is_input = !file || strcmp(file, "-") == 0;
    CLEANUP_FD int fd = -1;
    CLEANUP_BUF struct buf bytes = { 0 };
    int code;

    if (is_input && isatty(STDIN_FILENO))
        note_line("reading the item from standard input; Ctrl-D ends it");
    if (!is_input)
        fd = open(file, O_RDONLY | O_CLOEXEC);
    if (!is_input && fd < 0) {
        complain("cannot open '%s': %s", file, strerror(errno));
        return false;
    }
    code = fd_slurp(is_input ? STDIN_FILENO : fd, &bytes, ITEM_MOST);
    if (code == 0)
        calling->item.payload = payload_new(bytes.data, bytes.size);
    if (code == 0 && !calling->item.payload)
        code = WEIR_ENOMEM;
    if (code < 0)
        complain("cannot read %s%s%s: %s", is_input ? "" : "'",
                 is_input ? "standard input" : file, is_input ? "" : "'",
                 code == -EFBIG ? "an item has at most 1 GiB"
                                : weir_strerror(code));
    return code == 0;
}

/* As file.read would: the file's name is its path. */
static bool set_attrs(struct calling *calling, const char *file)
{
    const struct texts *attrs = &calling->args->attrs;
    int code = 0;

    if (file && strcmp(file, "-") != 0)
        code = inline_item_set(&calling->item, "path", file, strlen(file));
    for (size_t i = 0; i < attrs->count && code == 0; i++) {
        const char *value = value_of(attrs->at[i], "-a");
        CLEANUP_FREE char *name = NULL;

        if (!value)
            return false;
        name = strndup(attrs->at[i], (size_t)(value - attrs->at[i]) - 1);
        if (name && !text_is_name(name)) {
            complain("'%s' is no name of an attribute", name);
            return false;
        }
        code = name
                   ? inline_item_set(&calling->item, name, value, strlen(value))
                   : WEIR_ENOMEM;
    }
    if (code == WEIR_ETOOBIG)
        complain("the attributes are more than an item may have, 4 KiB");
    else if (code < 0)
        complain("cannot set an attribute: %s", weir_strerror(code));
    return code == 0;
}

static bool make_item(struct calling *calling)
{
    const char *file = calling->cli->operands[1];

    if (!calling->task->source)
        return read_item(calling, file) && set_attrs(calling, file);
    if (!file && calling->args->attrs.count == 0)
        return true;
    complain("%s is a source: it makes items, and takes none", calling->name);
    return false;
}

/* ------------------------------------------------------------ the call ---- */

static int give_out(void *arg)
{
    struct calling *calling = arg;
    struct inline_task *host = &calling->host;

    for (size_t i = 0; i < host->outputs.count; i++) {
        call_out_item(&calling->out, &host->outputs.at[i]);
        inline_item_done(&host->outputs.at[i]);
    }
    host->outputs.count = host->passed = 0;
    return out_lost() ? WEIR_ECANCELED : 0;
}

static enum status tell_verdict(const struct calling *calling, int verdict)
{
    CLEANUP_BUF struct buf why = { 0 };
    const char *words = verdict == WEIR_SKIP ? "left the item out" : "failed";
    const char *more = "";

    if (verdict == WEIR_TRANSIENT)
        more = " (in a run it would be tried again)";
    else if (verdict == WEIR_FATAL)
        more = " (a run would end here)";
    text_escape(&why, calling->host.why, strlen(calling->host.why),
                sizeof calling->host.why);
    if (verdict == WEIR_SKIP)
        warn("%s %s: %s", calling->name, words, why.data ? why.data : "");
    else
        complain("%s %s: %s%s", calling->name, words, why.data ? why.data : "",
                 more);
    return verdict == WEIR_SKIP ? STATUS_GOOD : STATUS_FAILED;
}

/* After a call: what it gave, and how it went. */
static enum status settle(struct calling *calling, int verdict)
{
    if (verdict == 0 || verdict == WEIR_END)
        verdict = inline_commit(&calling->host);
    give_out(calling);
    if (out_lost())
        return STATUS_BROKEN;
    return verdict == 0 ? STATUS_GOOD : tell_verdict(calling, verdict);
}

static enum status run_source(struct calling *calling)
{
    enum status worst = STATUS_GOOD;

    for (;;) {
        int verdict = inline_call(&calling->host, NULL, 1);
        bool told = verdict == WEIR_PERMANENT && calling->host.cursor_set;
        enum status status = settle(calling, verdict);

        worst = status > worst ? status : worst;
        if (status == STATUS_BROKEN || (verdict != 0 && !told))
            return worst;
    }
}

static enum status run_task(struct calling *calling)
{
    struct inline_task *host = &calling->host;
    enum status status = STATUS_GOOD;
    int verdict = inline_open(host);

    if (verdict != 0)
        status = tell_verdict(calling, verdict);
    else if (calling->task->source)
        status = run_source(calling);
    else
        status = settle(calling, inline_call(host, &calling->item, 1));
    if (status == STATUS_GOOD && !calling->task->source)
        status = settle(calling, inline_flush(host));
    inline_close(host);
    return status;
}

static enum status do_call(struct calling *calling)
{
    struct inline_plan plan = {
        .name = calling->name,
        .task = calling->task,
        .params = calling->params,
        .outputs = (unsigned)calling->output_names.count,
        .pause = give_out,
        .arg = calling,
    };
    enum status status;

    inline_task_init(&calling->host, &plan);
    status = run_task(calling);
    inline_task_done(&calling->host);
    return status;
}

static enum status under_debugger(const struct calling *calling)
{
    static const char *const gdb[] = {
        "gdb",    "-q",
        "-ex",    "set breakpoint pending on",
        "-ex",    "break inline_task_enter",
        "--args", NULL,
    };
    static const char *const valgrind[] = { "valgrind", "--leak-check=full",
                                            NULL };
    const char *file = calling->cli->operands[1];

    if (calling->args->gdb && calling->args->valgrind) {
        complain("one of --gdb and --valgrind, not both");
        return STATUS_WRONG;
    }
    if (calling->args->gdb && !calling->task->source &&
        (!file || strcmp(file, "-") == 0)) {
        complain("with --gdb the item must come from a FILE: standard input is "
                 "the debugger's");
        return STATUS_WRONG;
    }
    return debugger_exec(calling->args->gdb ? gdb : valgrind, calling->cli,
                         calling->args, "gdb|valgrind");
}

static enum status call_task(struct calling *calling)
{
    enum status status = STATUS_WRONG;

    if (!find_task(calling))
        return STATUS_WRONG;
    if (!name_outputs(calling)) {
        complain_memory();
        return STATUS_BROKEN;
    }
    if (!choose_output(calling) || !bind_params(calling))
        return STATUS_WRONG;
    if (calling->args->gdb || calling->args->valgrind)
        return under_debugger(calling);
    if (make_item(calling))
        status = do_call(calling);
    return status;
}

static enum status call_run(const struct cli *cli, const void *args)
{
    struct calling calling = {
        .args = args,
        .cli = cli,
        .name = cli->operands[0],
    };
    enum status status;

    if (!path_of(&calling.args->folders, &calling.path))
        return STATUS_WRONG;
    status = call_task(&calling);
    inline_item_done(&calling.item);
    VEC_DONE(&calling.output_names);
    free(calling.outputs);
    free(calling.params);
    plugin_path_done(&calling.path);
    return status;
}

const struct command cmd_call = {
    .name = "call",
    .summary = "Run one task on one item, in this process",
    .operands = "PLUGIN.TASK [FILE]",
    .least = 1,
    .most = 2,
    .completes = "task file",
    .options = call_options,
    .args_size = sizeof(struct call_args),
    .about = "\nThe item is FILE, or standard input. What the task gives goes "
             "to standard\noutput. A source is run to its end, and takes no "
             "item. Exit status 1: the\ntask failed.\n",
    .examples = "  weir call text.upper README.md\n"
                "  weir call text.grep -p pattern=weir README.md\n"
                "  weir call file.lines -p paths=README.md\n",
    .run = call_run,
};
