/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exit.c - how a process ended, as a record and in words. In any process. */
#include "config.h"

#include <stdio.h>
#include <sys/wait.h>

#include "base/base.h"
#include "process/exit.h"

struct exit_record exit_from_wait(int status, const struct rusage *usage)
{
    struct exit_record record = { .usage = *usage };

    record.signaled = WIFSIGNALED(status);
    if (record.signaled) {
        record.code = WTERMSIG(status);
        record.core = WCOREDUMP(status);
    } else {
        record.code = WEXITSTATUS(status);
    }
    return record;
}

struct exit_record exit_lost(void)
{
    return (struct exit_record){ .code = -1, .lost = true };
}

char *exit_words(char *out, const struct exit_record *record)
{
    if (record->lost)
        snprintf(out, EXIT_WORDS, "ended, its exit status was taken by others");
    else if (record->signaled)
        snprintf(out, EXIT_WORDS, "killed by %s%s", text_signal(record->code),
                 record->core ? " (memory was dumped)" : "");
    else if (record->refused)
        snprintf(out, EXIT_WORDS,
                 "returned %d, which is no exit status (0 to 255)",
                 record->returned);
    else
        snprintf(out, EXIT_WORDS, "exited with status %d", record->code);
    return out;
}
