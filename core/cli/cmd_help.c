/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_help.c - `weir help`: of weir, of a subcommand, of a plugin or a task.
 * The command's own process.
 */
#include "config.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/look.h"

struct help_args {
    struct texts folders;
};

static const struct option_spec help_options[] = {
    { OPTION_LIST, '\0', "plugin-path", "FOLDER",
      "search this folder first; may be repeated",
      offsetof(struct help_args, folders) },
    { .kind = OPTION_END },
};

/* Neither a command nor a plugin: told, with the nearest of both. */
static enum status unknown_topic(const struct plugin_names *plugins,
                                 const char *topic)
{
    VEC(const char *) names = { 0 };
    const char **slot = NULL, *near = NULL;

    for (size_t i = 0; commands[i]; i++)
        if ((slot = VEC_ADD(&names)))
            *slot = commands[i]->name;
    for (size_t i = 0; i < plugins->list.count; i++)
        if ((slot = VEC_ADD(&names)))
            *slot = plugins->list.at[i];
    if (VEC_ADD(&names))
        near = text_nearest(topic, names.at);
    VEC_DONE(&names);
    if (near)
        complain("there is no command and no plugin '%s'; did you mean '%s'?",
                 topic, near);
    else
        complain("there is no command and no plugin '%s'; 'weir help' and "
                 "'weir plugins' list them",
                 topic);
    return STATUS_WRONG;
}

static bool has_name(const struct plugin_names *names, const char *name)
{
    for (size_t i = 0; i < names->list.count; i++)
        if (strcmp(names->list.at[i], name) == 0)
            return true;
    return false;
}

/* A command's name wins over a plugin's. */
static enum status help_topic(const struct help_args *args, const char *topic)
{
    struct plugin_names names = { 0 };
    struct plugin_path path;
    enum status status = STATUS_BROKEN;
    int code;

    if (!path_of(&args->folders, &path))
        return STATUS_WRONG;
    code = plugin_names(&path, &names);
    if (code < 0)
        complain("cannot list the plugins: %s", weir_strerror(code));
    else if (strchr(topic, '.') || has_name(&names, topic))
        status = plugins_show(&path, topic);
    else
        status = unknown_topic(&names, topic);
    plugin_names_done(&names);
    plugin_path_done(&path);
    return status;
}

static enum status help_run(const struct cli *cli, const void *args)
{
    const struct command *command = NULL;
    CLEANUP_BUF struct buf out = { 0 };

    if (cli->count > 0) {
        command = command_find(cli->operands[0]);
        if (!command)
            return help_topic(args, cli->operands[0]);
        usage_command(command, &out);
    } else {
        usage_main(&out);
    }
    out_buf(&out);
    return STATUS_GOOD;
}

const struct command cmd_help = {
    .name = "help",
    .summary = "Show what a command, a plugin or a task is for",
    .operands = "[COMMAND | PLUGIN[.TASK]]",
    .most = 1,
    .completes = "topic",
    .options = help_options,
    .args_size = sizeof(struct help_args),
    .examples = "  weir help\n"
                "  weir help plugins\n"
                "  weir help text.grep\n",
    .run = help_run,
};
