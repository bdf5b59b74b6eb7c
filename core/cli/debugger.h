/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* debugger.h - this command again, under another program. */
#ifndef CLI_DEBUGGER_H
#define CLI_DEBUGGER_H

#include "cli/cli.h"

/*
 * debugger_exec - become @debugger, which runs `weir` with the same command,
 * options (but for the flags @but) and operands. The exact command goes to
 * standard error, to be copied. Returns only when that failed, and it is told.
 * @debugger: ends with NULL
 */
enum status debugger_exec(const char *const *debugger, const struct cli *cli,
                          const void *args, const char *but);

/* The same with --gdb, which stops in the task, or --valgrind; not both. */
enum status debugger_choose(bool gdb, bool valgrind, const struct cli *cli,
                            const void *args);

#endif
