/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* debugger.c - this command again, under another program. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/debugger.h"

static int add_copy(struct words *words, const char *word)
{
    char **slot = VEC_ADD(words);

    if (!slot)
        return WEIR_ENOMEM;
    *slot = strdup(word);
    return *slot ? 0 : WEIR_ENOMEM;
}

/* A word as a shell would have to read it. */
static void add_quoted(struct buf *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-+=./:,@%";

    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        buf_text(out, word);
        return;
    }
    buf_char(out, '\'');
    for (; *word; word++)
        if (*word == '\'')
            buf_text(out, "'\\''");
        else
            buf_char(out, *word);
    buf_char(out, '\'');
}

static void show_command(const struct words *words)
{
    const char *path = getenv("WEIR_PLUGIN_PATH");
    CLEANUP_BUF struct buf out = { 0 };

    if (path && *path) {
        buf_text(&out, "WEIR_PLUGIN_PATH=");
        add_quoted(&out, path);
        buf_char(&out, ' ');
    }
    for (size_t i = 0; i < words->count; i++) {
        if (i > 0)
            buf_char(&out, ' ');
        add_quoted(&out, words->at[i]);
    }
    if (!out.failed)
        fprintf(stderr, "%s\n", out.data);
}

static int build(const char *const *debugger, const struct cli *cli,
                 const void *args, const char *but, struct words *out)
{
    char self[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    int code = 0;

    if (size < 0)
        return -errno;
    self[size] = '\0';
    for (; *debugger && code == 0; debugger++)
        code = add_copy(out, *debugger);
    if (code == 0)
        code = add_copy(out, self);
    if (code == 0)
        code = add_copy(out, cli->command->name);
    if (code == 0)
        code = options_words(cli->command, args, but, out);
    for (size_t i = 0; i < cli->count && code == 0; i++)
        code = add_copy(out, cli->operands[i]);
    if (code == 0 && !VEC_ADD(out)) /* the NULL that ends it */
        code = WEIR_ENOMEM;
    if (code == 0)
        out->count--;
    return code;
}

enum status debugger_exec(const char *const *debugger, const struct cli *cli,
                          const void *args, const char *but)
{
    struct words words = { 0 };
    int code = build(debugger, cli, args, but, &words);

    if (code == 0) {
        show_command(&words);
        fflush(NULL);
        execvp(words.at[0], words.at);
        code = -errno;
    }
    if (code == -ENOENT)
        complain("cannot start %s: it is not installed", debugger[0]);
    else
        complain("cannot start %s: %s", debugger[0], weir_strerror(code));
    for (size_t i = 0; i < words.count; i++)
        free(words.at[i]);
    VEC_DONE(&words);
    return STATUS_BROKEN;
}

enum status debugger_choose(bool gdb, bool valgrind, const struct cli *cli,
                            const void *args)
{
    static const char *const with_gdb[] = {
        "gdb",    "-q",
        "-ex",    "set breakpoint pending on",
        "-ex",    "break inline_task_enter",
        "--args", NULL,
    };
    static const char *const with_valgrind[] = { "valgrind",
                                                 "--leak-check=full", NULL };

    if (gdb && valgrind) {
        complain("one of --gdb and --valgrind, not both");
        return STATUS_WRONG;
    }
    return debugger_exec(gdb ? with_gdb : with_valgrind, cli, args,
                         "gdb|valgrind");
}
