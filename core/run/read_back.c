/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read_back.c - what a run has left in its folder for who goes on with it. Runs
 * in that process, before anything is forked: the store is closed again.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "run/run.h"

/* The log has files that no checkpoint has; the first note of each counts. */
static bool is_known(const struct snapshot *from, size_t count,
                     const struct saved_sink *sink)
{
    for (size_t i = 0; i < count; i++)
        if (from->sinks.at[i].group == sink->group &&
            saved_sink_same(&from->sinks.at[i], sink))
            return true;
    return false;
}

static int add_noted(const struct run_folder *folder, struct snapshot *from,
                     weir_error *err)
{
    CLEANUP_FREE char *path = folder_file(folder, JOURNAL_FILES);
    CLEANUP_FD int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    size_t kept = from->sinks.count;
    int code = fd < 0 ? error_sys(err, -errno,
                                  "cannot read which files the "
                                  "run appended to")
                      : sinks_log_read(fd, from, err);

    for (size_t i = kept; i < from->sinks.count; i++) {
        struct saved_sink sink = from->sinks.at[i];

        if (code < 0 || is_known(from, kept, &sink))
            free(sink.path);
        else
            from->sinks.at[kept++] = sink;
    }
    from->sinks.count = kept;
    return code;
}

int run_read_back(const struct run_folder *folder, struct record_run *was,
                  struct snapshot *from, record_states *states, weir_error *err)
{
    CLEANUP_FREE char *path = folder_file(folder, JOURNAL_DB);
    int code = path == NULL ? error_set(err, WEIR_ENOMEM, "no memory")
                            : record_read(path, was, err);

    if (code == 0)
        code = record_read_checkpoint(path, from, states, err);
    return code < 0 ? code : add_noted(folder, from, err);
}
