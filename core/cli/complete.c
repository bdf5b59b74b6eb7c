/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * complete.c - `weir --complete PLACE WORD...`: what may stand at that place
 * of a command line, one candidate a line; asked by the shell's completion.
 * The command's own process.
 *
 * Options, their values and commands come from the tables, plugins and tasks
 * from the plugins themselves. ":file", ":folder" and ":job" leave names of
 * files to the shell. Words are as bash gives them: "--color=al" comes as
 * three, "--color", "=", "al". Nothing is ever told on standard error: it would
 * stand in the middle of what is being typed.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/queue.h>

#include "cli/cli.h"
#include "cli/kept_run.h"
#include "journal/journal.h"
#include "cli/show.h"
#include "job/job.h"

/* The line that is being typed. */
struct line {
    char **words;
    size_t place; /* of the word to be completed */
    const char *current;
    const struct command *command;
    const struct option_spec *waiting; /* the option whose value it is */
    const char *name; /* in "-p NAME=": what stands before the '='; or NULL */
    struct texts operands; /* before the place */
    struct texts folders;  /* of --plugin-path, before the place */
    struct buf *out;
};

/* @size bytes of @word, and @end, when it goes on from what is typed. */
static void offer_part(const struct line *line, const char *word, size_t size,
                       const char *end)
{
    size_t typed = strlen(line->current);

    if (size >= typed && strncmp(word, line->current, typed) == 0)
        buf_printf(line->out, "%.*s%s\n", (int)size, word, end);
}

static void offer(const struct line *line, const char *word, const char *end)
{
    offer_part(line, word, strlen(word), end);
}

static const struct option_spec *find_option(const struct command *command,
                                             const char *word)
{
    const struct option_spec *tables[] = { command ? command->options : NULL,
                                           command ? common_options
                                                   : main_options };

    for (size_t i = 0; i < 2; i++)
        for (const struct option_spec *at = tables[i];
             at && at->kind != OPTION_END; at++) {
            if (word[0] == '-' && at->letter && word[1] == at->letter &&
                word[2] == '\0')
                return at;
            if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, at->name) == 0)
                return at;
        }
    return NULL;
}

static void keep(struct texts *texts, const char *text)
{
    const char **slot = VEC_ADD(texts);

    if (slot)
        *slot = text;
    if (slot && VEC_ADD(texts))
        texts->count--;
}

/* From the word behind the command to the one that is typed. */
static void walk(struct line *line, size_t from)
{
    size_t i = from;

    while (i < line->place) {
        const struct option_spec *option = find_option(line->command,
                                                       line->words[i]);
        size_t value = i + 1;

        if (line->words[i][0] != '-' || line->words[i][1] == '\0')
            keep(&line->operands, line->words[i]);
        i++;
        /* one that may be left out stands behind a sign, or is not there */
        if (option && option->value && option->value[0] == '[' &&
            (value >= line->place || strcmp(line->words[value], "=") != 0))
            continue;
        if (option && option->value) {
            if (value < line->place && strcmp(line->words[value], "=") == 0)
                value++;
            if (value >= line->place)
                line->waiting = option;
            else if (strcmp(option->name, "plugin-path") == 0)
                keep(&line->folders, line->words[value]);
            i = value + 1;
        }
        /* "NAME=VALUE" as a value or an operand. */
        if (i < line->place && strcmp(line->words[i], "=") == 0) {
            if (i + 1 >= line->place && option) {
                line->waiting = option;
                line->name = line->words[i - 1];
            }
            i += 2;
        }
    }
}

static void offer_options(const struct line *line)
{
    const struct option_spec *tables[] = {
        line->command ? line->command->options : NULL,
        line->command ? common_options : main_options
    };

    for (size_t i = 0; i < 2; i++)
        for (const struct option_spec *at = tables[i];
             at && at->kind != OPTION_END; at++) {
            char word[64];

            snprintf(word, sizeof word, "--%s", at->name);
            offer(line, word, at->value && at->value[0] != '[' ? "=" : "");
        }
}

static void offer_commands(const struct line *line)
{
    for (size_t i = 0; commands[i]; i++)
        offer(line, commands[i]->name, "");
}

static bool look_quietly(const struct line *line, const char *name,
                         struct look *out)
{
    struct plugin_path path;
    bool good = false;

    if (plugin_path_init(&path, line->folders.at, NULL, NULL, NULL) < 0)
        return false;
    good = look_at(&path, name, out, NULL) == 0;
    plugin_path_done(&path);
    return good;
}

static void offer_tasks_of(const struct line *line, const char *name)
{
    struct look look = { 0 };

    if (!look_quietly(line, name, &look))
        return;
    for (size_t i = 0; i < look.tasks.count; i++) {
        CLEANUP_FREE char *word = NULL;

        if (asprintf(&word, "%s.%s", name, look.tasks.at[i].task) < 0)
            break;
        offer(line, word, "");
    }
    look_done(&look);
}

/* Names of plugins; with @tasks those of their tasks. */
static void offer_plugins(const struct line *line, bool plugins, bool tasks)
{
    struct plugin_names names = { 0 };
    struct plugin_path path;

    if (plugin_path_init(&path, line->folders.at, NULL, NULL, NULL) < 0)
        return;
    if (plugin_names(&path, &names) == 0)
        for (size_t i = 0; i < names.list.count; i++) {
            size_t size = strlen(names.list.at[i]);

            if (plugins)
                offer(line, names.list.at[i], "");
            /* Loaded only when what is typed may be one of its tasks. */
            if (tasks &&
                strncmp(names.list.at[i], line->current,
                        strnlen(line->current, size)) == 0 &&
                (strlen(line->current) <= size || line->current[size] == '.'))
                offer_tasks_of(line, names.list.at[i]);
        }
    plugin_names_done(&names);
    plugin_path_done(&path);
}

/* "-p": the parameters of the task that stands on the line, or the values of
 * one. */
static void offer_params(const struct line *line, const struct look *look,
                         const char *name)
{
    const struct task_desc *task = NULL;

    for (size_t i = 0; i < look->tasks.count && !task; i++)
        if (strcmp(look->tasks.at[i].task, name) == 0)
            task = &look->tasks.at[i];
    for (size_t i = 0; task && i < task->params.count; i++) {
        const struct param_desc *param = &task->params.at[i];
        const char *words = param->type == WEIR_TYPE_BOOL ? "true false"
                                                          : param->choices;

        if (!line->name) {
            offer(line, param->name, "=");
            continue;
        }
        if (strcmp(param->name, line->name) != 0)
            continue;
        if (!words)
            buf_text(line->out, ":file\n");
        for (const char *at = words; at && *at;) {
            size_t size = strcspn(at, " ");

            offer_part(line, at, size, "");
            at += size + (at[size] == ' ');
        }
    }
}

static void offer_task_params(const struct line *line)
{
    const char *operand = line->operands.count > 0 ? line->operands.at[0] : "";
    size_t size = strcspn(operand, ".");
    CLEANUP_FREE char *plugin = strndup(operand, size);
    struct look look = { 0 };

    if (!plugin || operand[size] != '.' || !look_quietly(line, plugin, &look))
        return;
    offer_params(line, &look, operand + size + 1);
    look_done(&look);
}

/* The variables of the job file on the line; what is wrong with the file is
 * told when it is used. */
static void offer_variables(const struct line *line)
{
    struct job_options options = { .plugin_paths = line->folders.at };
    struct diags diags = { 0 };
    struct job *job = NULL;

    if (line->name) {
        buf_text(line->out, ":file\n");
        return;
    }
    if (line->operands.count == 0)
        return;
    options.file = line->operands.at[0];
    job_open(&options, &job, &diags, NULL, NULL, NULL);
    for (size_t i = 0; job && i < job->vars.count; i++)
        offer(line, job->vars.at[i].name, "=");
    diags_done(&diags);
    job_free(&job);
}

static void offer_words(const struct line *line, const char *words)
{
    for (const char *at = words; *at;) {
        size_t size = strcspn(at, "|");

        offer_part(line, at, size, "");
        at += size + (at[size] == '|');
    }
}

static int offer_queue(const char *name, void *arg)
{
    offer(arg, name, "");
    return 0;
}

static void offer_queues(const struct line *line)
{
    weir_queue_names(offer_queue, (void *)line, NULL);
}

static int offer_cause(void *arg, const struct failed_group *group)
{
    char text[16];

    snprintf(text, sizeof text, "%08" PRIx32, group->cause);
    offer(arg, text, "");
    return 0;
}

static int offer_id(void *arg, const struct failed_row *row)
{
    char text[KEPT_ID_ROOM];

    offer(arg, kept_id_text(text, row->root, row->path), "");
    return 0;
}

/* Of the run on the line. */
static void offer_failed(const struct line *line, bool causes)
{
    const struct failed_filter all = { .with_replayed = true };
    CLEANUP_FREE char *file = NULL;
    struct failed_store *store = NULL;

    if (line->operands.count > 0)
        file = kept_file(line->operands.at[0]);
    if (!file || failed_open(file, FAILED_READ, &store, NULL) < 0)
        return;
    if (causes)
        failed_groups(store, offer_cause, (void *)line, NULL);
    else
        failed_each(store, &all, false, offer_id, (void *)line, NULL);
    failed_close(&store);
}

/* The last one first; and `last` itself. */
static void offer_runs(const struct line *line)
{
    CLEANUP_FREE char *base = folder_base(NULL, NULL);
    struct run_names names = { 0 };

    if (base == NULL || folder_list(base, &names, NULL) < 0)
        return;
    if (names.list.count > 0)
        offer(line, "last", "");
    for (size_t i = 0; i < names.list.count; i++)
        offer(line, names.list.at[i].name, "");
    run_names_done(&names);
}

static void offer_value(const struct line *line)
{
    const char *value = line->waiting->value;

    if (strchr(value, '|'))
        offer_words(line, value);
    else if (strcmp(value, "PARAMETER=VALUE") == 0)
        offer_task_params(line);
    else if (strcmp(value, "VARIABLE=VALUE") == 0)
        offer_variables(line);
    else if (strcmp(value, "CAUSE") == 0 || strcmp(value, "ID") == 0)
        offer_failed(line, value[0] == 'C');
    else if (line->command == &cmd_queues)
        offer_queues(line);
    else if (strcmp(value, "FOLDER") == 0 || strcmp(value, "DIR") == 0 ||
             strcmp(value, "[DIR]") == 0)
        buf_text(line->out, ":folder\n");
    else if (strcmp(value, "FILE") == 0)
        buf_text(line->out, ":file\n");
}

static void offer_operand(const struct line *line)
{
    const char *kinds = line->command->completes;
    size_t number = line->operands.count, size;

    if (!kinds)
        return;
    for (; number > 0 && strchr(kinds, ' '); number--)
        kinds = strchr(kinds, ' ') + 1;
    size = strcspn(kinds, " ");
    if (line->operands.count >= line->command->most)
        return;
    if (size == 0)
        return;
    if (strchr(kinds, '|'))
        offer_words(line, kinds);
    else if (strncmp(kinds, "plugin", size) == 0)
        offer_plugins(line, true, true);
    else if (strncmp(kinds, "queue", size) == 0)
        offer_queues(line);
    else if (strncmp(kinds, "run", size) == 0)
        offer_runs(line);
    else if (strncmp(kinds, "task", size) == 0)
        offer_plugins(line, false, true);
    else if (strncmp(kinds, "topic", size) == 0) {
        offer_commands(line);
        offer_plugins(line, true, true);
    } else
        buf_printf(line->out, ":%.*s\n", (int)size, kinds);
}

/* Behind the options of weir itself, and their values. */
static size_t skip_main_options(const struct line *line)
{
    size_t at = 1;

    while (at < line->place && line->words[at][0] == '-') {
        const struct option_spec *option = find_option(NULL, line->words[at]);

        at++;
        if (!option || !option->value)
            continue;
        if (at < line->place && strcmp(line->words[at], "=") == 0)
            at++;
        if (at < line->place)
            at++;
    }
    return at;
}

enum status complete(int argc, char **argv)
{
    CLEANUP_BUF struct buf out = { 0 };
    struct line line = { .current = "", .out = &out };
    uint64_t place;
    size_t at;

    if (argc < 2 || text_uint(argv[0], &place, NULL) < 0 || place < 1)
        return STATUS_WRONG;
    line.words = argv + 1;
    line.place = place < (uint64_t)argc - 1 ? (size_t)place : (size_t)argc - 1;
    if (line.place + 1 < (size_t)argc)
        line.current = line.words[line.place];
    at = skip_main_options(&line);
    if (at < line.place)
        line.command = command_find(line.words[at]);
    if (line.command || at >= line.place) {
        /* "--color=" typed: the '=' is the word, and the value is empty. */
        if (strcmp(line.current, "=") == 0) {
            line.current = "";
            line.words[line.place++] = (char *)"=";
        }
        walk(&line, line.command ? at + 1 : 1);
        if (line.waiting)
            offer_value(&line);
        else if (line.current[0] == '-')
            offer_options(&line);
        else if (line.command)
            offer_operand(&line);
        else
            offer_commands(&line);
    }
    VEC_DONE(&line.operands);
    VEC_DONE(&line.folders);
    out_buf(&out);
    return STATUS_GOOD;
}
