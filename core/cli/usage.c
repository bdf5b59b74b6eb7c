/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage.c - what --help says, from the tables. The command's own process. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum { FIRST_COLUMN_MOST = 28 };

/* "  -s, --set=VARIABLE=VALUE" */
static void option_words(const struct option_spec *spec, struct buf *out)
{
    if (spec->letter)
        buf_printf(out, "  -%c, --%s", spec->letter, spec->name);
    else
        buf_printf(out, "      --%s", spec->name);
    if (!spec->value)
        return;
    if (spec->value[0] == '[') { /* --journal[=DIR] */
        buf_printf(out, "[=%s", spec->value + 1);
        return;
    }
    buf_char(out, '=');
    if (!strchr(spec->value, '|'))
        buf_text(out, spec->value);
    else if (strcmp(spec->name, "color") == 0)
        buf_text(out, "WHEN"); /* as everywhere */
    else
        for (const char *at = spec->name; *at; at++)
            buf_char(out, (char)toupper((unsigned char)*at));
}

static void row(struct buf *out, const char *first, size_t width,
                const char *second)
{
    if (strlen(first) > width)
        buf_printf(out, "%s\n%*s  %s\n", first, (int)width, "", second);
    else
        buf_printf(out, "%-*s  %s\n", (int)width, first, second);
}

static size_t width_of(const struct option_spec *table, size_t width,
                       struct buf *out)
{
    for (; table && table->kind != OPTION_END; table++) {
        CLEANUP_BUF struct buf words = { 0 };

        option_words(table, &words);
        out->failed |= words.failed;
        if (words.size > width && words.size <= FIRST_COLUMN_MOST)
            width = words.size;
    }
    return width;
}

static void option_rows(const struct option_spec *table, size_t width,
                        struct buf *out)
{
    for (; table && table->kind != OPTION_END; table++) {
        CLEANUP_BUF struct buf words = { 0 };

        option_words(table, &words);
        out->failed |= words.failed;
        row(out, words.data ? words.data : "", width, table->summary);
    }
}

static void heading(struct buf *out, const char *text)
{
    buf_printf(out, "\n%s%s%s\n", out_style(stdout, STYLE_BOLD), text,
               out_style(stdout, STYLE_END));
}

void usage_main(struct buf *out)
{
    buf_text(out, "Usage: weir COMMAND [OPTION]... [ARGUMENT]...\n\n"
                  "Run native tasks over a stream of items, in worker "
                  "processes.\n");
    heading(out, "Commands:");
    for (size_t i = 0; commands[i]; i++)
        buf_printf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    heading(out, "Options:");
    option_rows(main_options, width_of(main_options, 0, out), out);
    heading(out, "Examples:");
    buf_text(out, "  weir plugins\n"
                  "  weir help text.grep\n"
                  "  weir run top-words.yaml\n\n"
                  "'weir help COMMAND' and weir(1) say more; weir-job(5) says "
                  "how a job is\n"
                  "written, weir-plugin(7) how a task is.\n");
}

void usage_command(const struct command *command, struct buf *out)
{
    size_t width = width_of(common_options, 0, out);

    width = width_of(command->options, width, out);
    buf_printf(out, "Usage: weir %s [OPTION]...%s%s\n\n%s.\n", command->name,
               command->operands[0] ? " " : "", command->operands,
               command->summary);
    if (command->about)
        buf_printf(out, "%s", command->about);
    heading(out, "Options:");
    option_rows(command->options, width, out);
    option_rows(common_options, width, out);
    heading(out, "Examples:");
    buf_text(out, command->examples);
    buf_text(out, "\nweir(1) has more: man weir\n");
}
