/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.c - from a command line and an option table to a command's struct.
 * The command's own process.
 *
 * getopt_long is driven by two arrays that are made from the table; its own
 * messages are replaced by ours, which name the nearest option.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define COMMON(kind_, letter_, name_, value_, summary_, field_)                \
    {                                                                          \
        kind_, letter_, name_, value_, summary_,                               \
            offsetof(struct common_args, field_)                               \
    }

const struct option_spec common_options[] = {
    COMMON(OPTION_TEXT, '\0', "color", "auto|always|never",
           "auto, always or never [auto: on a terminal]", color),
    COMMON(OPTION_FLAG, '\0', "plain", NULL,
           "no colour, no moving of the cursor", plain),
    COMMON(OPTION_FLAG, 'h', "help", NULL, "show this", help),
    { .kind = OPTION_END },
};

const struct option_spec main_options[] = {
    COMMON(OPTION_TEXT, '\0', "color", "auto|always|never",
           "auto, always or never [auto: on a terminal]", color),
    COMMON(OPTION_FLAG, '\0', "plain", NULL,
           "no colour, no moving of the cursor", plain),
    COMMON(OPTION_FLAG, 'h', "help", NULL, "show this", help),
    COMMON(OPTION_FLAG, 'V', "version", NULL, "show the version", version),
    COMMON(OPTION_FLAG, '\0', "verbose", NULL,
           "with --version: how this weir was built", verbose),
    { .kind = OPTION_END },
};

enum {
    OPTIONS_MOST = 32,
    LONG = 256, /* what getopt_long answers for the option at place 0 */
};

/* A table of our own form with the struct that it fills. */
struct target {
    const struct option_spec *spec;
    char *args;
};

struct parse {
    const char *program; /* "weir check" */
    struct target targets[OPTIONS_MOST];
    size_t count;
    struct option longs[OPTIONS_MOST + 1];
    char shorts[2 * OPTIONS_MOST + 3];
};

static void add_table(struct parse *parse, const struct option_spec *spec,
                      void *args)
{
    size_t at = strlen(parse->shorts);

    for (; spec && spec->kind != OPTION_END; spec++) {
        if (parse->count == OPTIONS_MOST)
            return;
        parse->targets[parse->count] = (struct target){ spec, args };
        parse->longs[parse->count] = (struct option){
            .name = spec->name,
            .has_arg = !spec->value            ? no_argument
                       : spec->value[0] == '[' ? optional_argument
                                               : required_argument,
            .val = LONG + (int)parse->count,
        };
        parse->count++;
        if (spec->letter == '\0')
            continue;
        parse->shorts[at++] = spec->letter;
        if (spec->value)
            parse->shorts[at++] = ':';
        parse->shorts[at] = '\0';
    }
}

static const struct target *find_target(const struct parse *parse, int answer)
{
    if (answer >= LONG)
        return &parse->targets[answer - LONG];
    for (size_t i = 0; i < parse->count; i++)
        if (parse->targets[i].spec->letter == (char)answer)
            return &parse->targets[i];
    return NULL;
}

static bool add_text(struct texts *texts, const char *text)
{
    const char **slot = VEC_ADD(texts);

    if (slot) {
        *slot = text;
        slot = VEC_ADD(texts);
    }
    if (!slot) {
        complain_memory();
        return false;
    }
    texts->count--; /* the NULL behind the last */
    return true;
}

static bool set_count(const struct option_spec *spec, const char *value,
                      unsigned *out)
{
    uint64_t number;

    if (text_uint(value, &number, NULL) == 0 && number > 0 &&
        number <= 1000000) {
        *out = (unsigned)number;
        return true;
    }
    complain("option '--%s' takes a number from 1 to 1000000, not '%s'%s",
             spec->name, value,
             strcmp(spec->name, "workers") == 0 && strcmp(value, "0") == 0
                 ? "; --inline runs all in one process"
                 : "");
    return false;
}

/* Is @value one of the words of "auto|always|never"? */
static bool is_choice(const char *words, const char *value)
{
    size_t size = strlen(value);

    for (const char *at = words;; at++) {
        size_t word = strcspn(at, "|");

        if (word == size && memcmp(at, value, size) == 0)
            return true;
        at += word;
        if (*at == '\0')
            return false;
    }
}

static bool set_option(const struct target *target, const char *value)
{
    const struct option_spec *spec = target->spec;
    void *field = target->args + spec->offset;

    if (spec->value && strchr(spec->value, '|') &&
        !is_choice(spec->value, value)) {
        complain("option '--%s' takes %s, not '%s'", spec->name, spec->value,
                 value);
        return false;
    }
    switch (spec->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return true;
    case OPTION_TEXT:
        *(const char **)field = value ? value : "";
        return true;
    case OPTION_LIST:
        return add_text(field, value);
    case OPTION_COUNT:
        return set_count(spec, value, field);
    case OPTION_END:
        break;
    }
    return false;
}

/* "--colr": told, with the nearest that there is. */
static void unknown_long(const struct parse *parse, const char *word)
{
    const char *names[OPTIONS_MOST + 1] = { NULL };
    CLEANUP_FREE char *name = strndup(word + 2, strcspn(word + 2, "="));
    const char *near;

    for (size_t i = 0; i < parse->count; i++)
        names[i] = parse->targets[i].spec->name;
    near = name ? text_nearest(name, names) : NULL;
    if (near)
        complain("unknown option '--%s'; did you mean '--%s'?", name, near);
    else
        complain("unknown option '--%s'; '%s --help' lists them",
                 name ? name : "", parse->program);
}

/* What made getopt_long answer '?', or ':'. */
static void refuse(const struct parse *parse, int answer, const char *word)
{
    const struct target *target = optopt ? find_target(parse, optopt) : NULL;

    if (target && answer == ':')
        complain("option '%s' needs %s", word, target->spec->value);
    else if (target) /* --flag=value */
        complain("option '--%s' takes no value", target->spec->name);
    else if (optopt)
        complain("unknown option '-%c'; '%s --help' lists them", optopt,
                 parse->program);
    else if (word)
        unknown_long(parse, word);
}

static bool walk(struct parse *parse, int argc, char **argv)
{
    optind = 0; /* a new scan: glibc */
    opterr = 0;
    for (;;) {
        int place = -1, answer;

        optopt = 0;
        answer = getopt_long(argc, argv, parse->shorts, parse->longs, &place);
        if (answer == -1)
            return true;
        if (answer == '?' || answer == ':') {
            refuse(parse, answer, optind > 0 ? argv[optind - 1] : NULL);
            return false;
        }
        if (!set_option(find_target(parse, answer), optarg))
            return false;
    }
}

static bool check_operands(const struct command *command,
                           const struct texts *operands)
{
    if (operands->count >= command->least && operands->count <= command->most)
        return true;
    if (operands->count > command->most)
        complain("one word too many, '%s'; usage: weir %s %s",
                 operands->at[command->most], command->name, command->operands);
    else
        complain("'weir %s' needs %s; 'weir %s --help' says more",
                 command->name, command->operands, command->name);
    return false;
}

bool options_parse(const struct command *command, int argc, char **argv,
                   struct parsed *out)
{
    struct parse parse = { .shorts = ":" };
    CLEANUP_FREE char *program = NULL;

    *out = (struct parsed){ 0 };
    if (asprintf(&program, "weir %s", command->name) < 0) {
        complain_memory();
        return false;
    }
    parse.program = program;
    out->args = calloc(1, command->args_size + 1);
    if (!out->args) {
        complain_memory();
        return false;
    }
    add_table(&parse, command->options, out->args);
    add_table(&parse, common_options, &out->common);
    if (!walk(&parse, argc, argv))
        return false;
    for (int i = optind; i < argc; i++)
        if (!add_text(&out->operands, argv[i]))
            return false;
    return out->common.help || check_operands(command, &out->operands);
}

bool options_parse_main(int argc, char **argv, struct common_args *out,
                        int *next_out)
{
    struct parse parse = { .program = "weir", .shorts = "+:" };
    bool good;

    *out = (struct common_args){ 0 };
    add_table(&parse, main_options, out);
    good = walk(&parse, argc, argv);
    *next_out = optind;
    return good;
}

static int add_word(struct words *out, const char *name, const char *value)
{
    char **slot = VEC_ADD(out);

    if (!slot)
        return WEIR_ENOMEM;
    if (asprintf(slot, value ? "--%s=%s" : "--%s", name, value) < 0) {
        out->count--;
        return WEIR_ENOMEM;
    }
    return 0;
}

static int add_option(const struct option_spec *spec, const void *field,
                      struct words *out)
{
    const struct texts *texts = field;
    char number[16];
    int code = 0;

    switch (spec->kind) {
    case OPTION_FLAG:
        return *(const bool *)field ? add_word(out, spec->name, NULL) : 0;
    case OPTION_TEXT:
        if (!*(const char *const *)field)
            return 0;
        return add_word(out, spec->name, *(const char *const *)field);
    case OPTION_LIST:
        for (size_t i = 0; i < texts->count && code == 0; i++)
            code = add_word(out, spec->name, texts->at[i]);
        return code;
    case OPTION_COUNT:
        snprintf(number, sizeof number, "%u", *(const unsigned *)field);
        return number[0] != '0' ? add_word(out, spec->name, number) : 0;
    case OPTION_END:
        break;
    }
    return 0;
}

int options_words(const struct command *command, const void *args,
                  const char *but, struct words *out)
{
    const struct option_spec *spec = command->options;
    int code = 0;

    for (; spec && spec->kind != OPTION_END && code == 0; spec++)
        if (!is_choice(but, spec->name))
            code = add_option(spec, (const char *)args + spec->offset, out);
    return code;
}

void parsed_done(const struct command *command, struct parsed *parsed)
{
    const struct option_spec *spec = command->options;

    for (; parsed->args && spec && spec->kind != OPTION_END; spec++)
        if (spec->kind == OPTION_LIST) {
            struct texts *texts = (void *)((char *)parsed->args + spec->offset);

            VEC_DONE(texts);
        }
    free(parsed->args);
    parsed->args = NULL;
    VEC_DONE(&parsed->operands);
}
