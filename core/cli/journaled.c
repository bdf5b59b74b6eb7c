/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journaled.c - the journal of a run, begun and found. The command's own
 * process. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/journaled.h"
#include "journal/facts.h"

#define INTERVAL_NS (5 * NS_PER_S)
#define INTERVAL_LEAST_NS (10 * NS_PER_MS)

bool journal_interval(const char *text, int64_t *out)
{
    weir_error err = { 0 };

    if (text == NULL)
        return true;
    if (text_duration(text, out, &err) < 0) {
        complain("option '--checkpoint': %s", err.text);
        return false;
    }
    if (*out < INTERVAL_LEAST_NS) {
        complain("option '--checkpoint': at least 10ms");
        return false;
    }
    return true;
}

bool journal_args_good(const struct journal_args *args)
{
    int64_t interval;

    if (!journal_interval(args->interval, &interval))
        return false;
    if (args->interval != NULL && args->folder == NULL) {
        complain("--checkpoint goes with --journal");
        return false;
    }
    if (args->folder != NULL && !journal_is_built()) {
        complain("this weir was built without SQLite: it keeps no journal");
        return false;
    }
    return true;
}

/* As it would be typed: what was given, of this process. */
static char *command_line(void)
{
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    struct buf text = { 0 };

    if (fd >= 0)
        fd_slurp(fd, &text, 1 << 20);
    fd_close(&fd);
    for (size_t i = 0; i + 1 < text.size; i++)
        if (text.data[i] == '\0')
            text.data[i] = ' ';
    return text.data != NULL ? text.data : strdup("weir");
}

bool journal_keep(struct keeping_run *keeping, const struct run_folder *folder)
{
    keeping->file = folder_file(folder, FAILED_FILE);
    keeping->keep.file = keeping->file;
    if (keeping->file == NULL)
        complain_memory();
    return keeping->file != NULL;
}

/* Where they are kept: who resumes goes on there. */
static bool keep_failed(struct keeping_run *keeping, struct journaled *out)
{
    if (keeping->file == NULL)
        return journal_keep(keeping, &out->folder);
    out->run.kept_file = strdup(keeping->file);
    if (out->run.kept_file == NULL)
        complain_memory();
    return out->run.kept_file != NULL;
}

enum status journal_begin(const struct journal_args *args,
                          const struct job *job,
                          const struct job_options *options,
                          struct keeping_run *keeping, struct journaled *out)
{
    weir_error err = { 0 };
    CLEANUP_FREE char *base = folder_base(args->folder, &err);
    int code = base == NULL ? err.code : 0;

    if (job_known(job) != NULL) {
        complain("queue '%s' has a name, and what others put there or took "
                 "no journal knows: leave out --journal, or 'name'",
                 job_known(job)->name);
        return STATUS_WRONG;
    }
    if (code == 0)
        code = facts_gather(job, options, STDIN_FILENO, STDOUT_FILENO,
                            &out->run, &err);
    if (code == 0)
        code = folder_make(base, job->name, &out->folder, &err);
    if (code < 0) {
        complain_error(&err);
        return code == WEIR_EINVAL ? STATUS_WRONG : STATUS_BROKEN;
    }
    out->run.name = strdup(out->folder.name);
    out->run.command = command_line();
    if (!keep_failed(keeping, out))
        return STATUS_BROKEN;
    out->run.kept_bytes = keeping->keep.most_bytes;
    out->run.kept_age_ns = keeping->keep.most_age_ns;
    out->run.interval_ns = INTERVAL_NS;
    journal_interval(args->interval, &out->run.interval_ns);
    out->journal = (struct run_journal){ .folder = &out->folder,
                                         .run = &out->run,
                                         .interval_ns = out->run.interval_ns };
    if (out->run.name == NULL || out->run.command == NULL) {
        complain_memory();
        return STATUS_BROKEN;
    }
    return STATUS_GOOD;
}

void journaled_done(struct journaled *it)
{
    record_run_done(&it->run);
    record_states_done(&it->states);
    snapshot_done(&it->from);
    folder_done(&it->folder);
}

enum status journal_find(const char *base, const char *name,
                         struct run_folder *out)
{
    weir_error err = { 0 };
    CLEANUP_FREE char *path = folder_base(base, &err);
    int code = path == NULL ? err.code : folder_find(path, name, out, &err);

    if (code == 0)
        return STATUS_GOOD;
    complain_error(&err);
    return STATUS_WRONG;
}

char *when_text(char *out, int64_t ns)
{
    time_t seconds = (time_t)(ns / NS_PER_S);
    struct tm local;

    localtime_r(&seconds, &local);
    strftime(out, 32, "%Y-%m-%d %H:%M:%S", &local);
    return out;
}
