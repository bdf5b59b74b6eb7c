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

#include "cli/calling.h"
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

/* What this command was told, beside the call. */
struct call_cmd {
    const struct call_args *args;
    const struct cli *cli;
    struct calling calling;
};

/* "name=value": where the value begins; NULL: told. */
static const char *value_of(const char *pair, const char *option)
{
    const char *sign = strchr(pair, '=');

    if (sign && sign > pair)
        return sign + 1;
    complain("option '%s' takes NAME=VALUE, not '%s'", option, pair);
    return NULL;
}

/* ------------------------------------------------------------ the item ---- */

enum { ITEM_MOST = 1 << 30 };

static bool read_item(struct call_cmd *cmd, const char *file)
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
        cmd->calling.item.payload = payload_new(bytes.data, bytes.size);
    if (code == 0 && !cmd->calling.item.payload)
        code = WEIR_ENOMEM;
    if (code < 0)
        complain("cannot read %s%s%s: %s", is_input ? "" : "'",
                 is_input ? "standard input" : file, is_input ? "" : "'",
                 code == -EFBIG ? "an item has at most 1 GiB"
                                : weir_strerror(code));
    return code == 0;
}

/* As file.read would: the file's name is its path. */
static bool set_attrs(struct call_cmd *cmd, const char *file)
{
    const struct texts *attrs = &cmd->args->attrs;
    int code = 0;

    if (file && strcmp(file, "-") != 0)
        code = inline_item_set(&cmd->calling.item, "path", file, strlen(file));
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
        code = name ? inline_item_set(&cmd->calling.item, name, value,
                                      strlen(value))
                    : WEIR_ENOMEM;
    }
    if (code == WEIR_ETOOBIG)
        complain("the attributes are more than an item may have, 4 KiB");
    else if (code < 0)
        complain("cannot set an attribute: %s", weir_strerror(code));
    return code == 0;
}

static bool make_item(struct call_cmd *cmd)
{
    const char *file = cmd->cli->operands[1];

    if (!cmd->calling.task->source)
        return read_item(cmd, file) && set_attrs(cmd, file);
    if (!file && cmd->args->attrs.count == 0)
        return true;
    complain("%s is a source: it makes items, and takes none",
             cmd->calling.name);
    return false;
}

static enum status under_debugger(const struct call_cmd *cmd)
{
    const struct call_args *args = cmd->args;
    const char *file = cmd->cli->operands[1];

    if (args->gdb && !args->valgrind && !cmd->calling.task->source &&
        (!file || strcmp(file, "-") == 0)) {
        complain("with --gdb the item must come from a FILE: standard input is "
                 "the debugger's");
        return STATUS_WRONG;
    }
    return debugger_choose(args->gdb, args->valgrind, cmd->cli, args);
}

static enum status call_task(struct call_cmd *cmd)
{
    const struct call_args *args = cmd->args;
    enum status status;

    for (size_t i = 0; i < args->params.count; i++)
        if (!value_of(args->params.at[i], "-p"))
            return STATUS_WRONG;
    status = calling_prepare(&cmd->calling);
    if (status != STATUS_GOOD)
        return status;
    if (args->gdb || args->valgrind)
        return under_debugger(cmd);
    return make_item(cmd) ? calling_do(&cmd->calling) : STATUS_WRONG;
}

static enum status call_run(const struct cli *cli, const void *all)
{
    const struct call_args *args = all;
    struct call_cmd cmd = {
        .args = args,
        .cli = cli,
        .calling = { .name = cli->operands[0],
                     .pairs = args->params.at,
                     .pair_count = args->params.count,
                     .output = args->output,
                     .frame = args->frame,
                     .json = args->json },
    };
    enum status status;

    if (!path_of(&args->folders, &cmd.calling.path))
        return STATUS_WRONG;
    status = call_task(&cmd);
    calling_done(&cmd.calling);
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
