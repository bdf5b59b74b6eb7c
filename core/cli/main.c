/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - the command `weir`: a table of subcommands, and what is common to
 * all of them. A client of libweir: nothing that a program could want is here
 * alone.
 */
#include "config.h"

#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/plugin.h>
#include <weir/version.h>

#include "cli/cli.h"

const struct command *const commands[] = {
    &cmd_run,   &cmd_resume, &cmd_runs,   &cmd_show,    &cmd_check,
    &cmd_graph, &cmd_call,   &cmd_failed, &cmd_replay,  &cmd_torture,
    &cmd_put,   &cmd_get,    &cmd_queues, &cmd_plugins, &cmd_bench,
    &cmd_help,  NULL,
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* "version" for "--version". */
static bool is_option(const char *name)
{
    for (const struct option_spec *at = main_options; at->kind != OPTION_END;
         at++)
        if (strcmp(at->name, name) == 0)
            return true;
    return false;
}

enum status command_unknown(const char *name)
{
    const char *names[sizeof commands / sizeof *commands] = { NULL };
    const char *near;

    for (size_t i = 0; commands[i]; i++)
        names[i] = commands[i]->name;
    near = text_nearest(name, names);
    if (is_option(name))
        complain("unknown command '%s'; did you mean '--%s'?", name, name);
    else if (near)
        complain("unknown command '%s'; did you mean '%s'?", name, near);
    else
        complain("unknown command '%s'; 'weir help' lists them", name);
    return STATUS_WRONG;
}

static enum status version(bool verbose)
{
    printf("weir %s\n", weir_version());
    if (verbose)
        printf("plugin ABI: %d\ninstalled plugins: %s\n%s\n", WEIR_ABI,
               PLUGINDIR, WEIR_FEATURES);
    return STATUS_GOOD;
}

static enum status help(const struct command *command)
{
    CLEANUP_BUF struct buf out = { 0 };

    if (command)
        usage_command(command, &out);
    else
        usage_main(&out);
    out_buf(&out);
    return STATUS_GOOD;
}

static enum status run_command(const struct command *command, int argc,
                               char **argv)
{
    struct parsed parsed;
    enum status status = STATUS_WRONG;

    if (options_parse(command, argc, argv, &parsed)) {
        out_choose(parsed.common.color, parsed.common.plain);
        status = parsed.common.help ? help(command)
                                    : command->run(
                                          &(struct cli){
                                              .command = command,
                                              .operands = parsed.operands.at,
                                              .count = parsed.operands.count,
                                          },
                                          parsed.args);
    }
    parsed_done(command, &parsed);
    return status;
}

static enum status run_main(int argc, char **argv)
{
    const struct command *command;
    struct common_args args;
    int next;

    if (argc > 1 && strcmp(argv[1], "--complete") == 0)
        return complete(argc - 2, argv + 2);
    if (!options_parse_main(argc, argv, &args, &next))
        return STATUS_WRONG;
    out_choose(args.color, args.plain);
    if (args.version || args.verbose)
        return version(args.verbose);
    if (args.help && next == argc)
        return help(NULL);
    if (next == argc) {
        complain("which command? 'weir help' lists them");
        return STATUS_WRONG;
    }
    command = command_find(argv[next]);
    if (!command)
        return command_unknown(argv[next]);
    return args.help ? help(command)
                     : run_command(command, argc - next, argv + next);
}

int main(int argc, char **argv)
{
    out_guard();
    fault_start(NULL, -1);
    weir_log_set_hook(out_log, NULL);
    LTDL_SET_PRELOADED_SYMBOLS();
    return out_finish((int)run_main(argc, argv));
}
