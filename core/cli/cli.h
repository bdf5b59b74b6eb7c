/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cli.h - what the subcommands of `weir` share.
 *
 * A subcommand is one cmd_<name>.c with one `struct command`, which main.c
 * lists. Its option table is the only place where its options stand: parsing,
 * --help and completion come from it; a test compares the manual with it.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"
#include "cli/out.h"

/* Exit statuses; kept for ever. */
enum status {
    STATUS_GOOD = 0,
    STATUS_FAILED = 1, /* it ended, but something of it failed for good */
    STATUS_WRONG = 2,  /* the command line or the job file is wrong */
    STATUS_BROKEN = 3, /* it could not go on */
};

enum option_kind {
    OPTION_END,   /* the last of a table */
    OPTION_FLAG,  /* bool */
    OPTION_TEXT,  /* const char *; NULL when it was not given */
    OPTION_LIST,  /* struct texts; may be given several times */
    OPTION_COUNT, /* unsigned, at least 1; 0 when it was not given */
};

/* Ends with a NULL that `count` does not count, once something is in it;
 * else `at` is NULL. */
struct texts {
    const char **at;
    size_t count;
    size_t room;
};

/* One option. What it sets is a field of the command's own struct. */
struct option_spec {
    enum option_kind kind;
    char letter;       /* '\0': none */
    const char *name;  /* without the dashes */
    const char *value; /* "FILE"; words parted by '|' are all there are; says
                        * also what is completed (complete.c). NULL: a flag;
                        * "[DIR]": it may be left out, and is "" then */
    const char *summary;
    size_t offset; /* of the field */
};

/* What a subcommand is called with. */
struct cli {
    const struct command *command;
    const char *const *operands; /* ends with NULL */
    size_t count;
};

struct command {
    const char *name;
    const char *summary;   /* one line: "Check a job file, and start nothing" */
    const char *operands;  /* "[PLUGIN[.TASK]]"; "" when there are none */
    size_t least, most;    /* how many of them */
    const char *completes; /* what each of them is, for complete.c: "task
                            * file"; the last holds for those behind it; words
                            * parted by '|' are all there are */
    const struct option_spec
        *options;         /* besides the common ones; may be NULL */
    size_t args_size;     /* of the struct; 0: there is none */
    const char *about;    /* for --help: lines, each ended by a newline; NULL */
    const char *examples; /* two or three lines, each ended by a newline */
    enum status (*run)(const struct cli *cli, const void *args);
};

extern const struct command cmd_bench;
extern const struct command cmd_call;
extern const struct command cmd_check;
extern const struct command cmd_failed;
extern const struct command cmd_get;
extern const struct command cmd_graph;
extern const struct command cmd_help;
extern const struct command cmd_plugins;
extern const struct command cmd_put;
extern const struct command cmd_queues;
extern const struct command cmd_replay;
extern const struct command cmd_resume;
extern const struct command cmd_run;
extern const struct command cmd_runs;
extern const struct command cmd_show;
extern const struct command cmd_torture;

/* main.c: ends with NULL. */
extern const struct command *const commands[];
const struct command *command_find(const char *name);
/* Tells that there is none of that name, and the nearest; STATUS_WRONG. */
enum status command_unknown(const char *name);

/* options.c: those of every subcommand, and of `weir` itself. */
struct common_args {
    bool help, version, verbose, plain;
    const char *color;
};
extern const struct option_spec common_options[];
extern const struct option_spec main_options[];

/* What was given on a command line; words are not copied. */
struct parsed {
    struct common_args common;
    void *args;
    struct texts operands;
};
/* false: told already, the command line is wrong. parsed_done in any case. */
bool options_parse(const struct command *command, int argc, char **argv,
                   struct parsed *out);
/* `weir` itself: stops at the first word that is no option, whose place is
 * *next_out. */
bool options_parse_main(int argc, char **argv, struct common_args *out,
                        int *next_out);
/* The options of @args as words ("--set=a=b"), but for flags called @but, or
 * their like: "gdb|valgrind". The words are the caller's to free. */
struct words {
    char **at;
    size_t count;
    size_t room;
};
int options_words(const struct command *command, const void *args,
                  const char *but, struct words *out);
void parsed_done(const struct command *command, struct parsed *parsed);

/* usage.c: what --help says. */
void usage_main(struct buf *out);
void usage_command(const struct command *command, struct buf *out);

struct plugin_path;
/* cmd_plugins.c: one plugin or task ("text.grep"), for people. */
enum status plugins_show(const struct plugin_path *path, const char *name);

/* complete.c: `weir --complete`, for the shell's completion. */
enum status complete(int argc, char **argv);

#endif
