/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * goes_on.c - a run that begins where another was: items into their queues,
 * books, states, files. Runs in the supervisor, before anybody else is there.
 *
 * Looked at first, all of it; then done. What is true if the process dies
 *
 *   while it puts back  files are cut to their lengths, and names changed that
 *                       a commit had promised: both may be done again, and the
 *                       last checkpoint still says so
 *   behind it           segment and states were this process's own, and nobody
 *                       else has begun
 *   in the journal's    the facts are those of now, the checkpoint that of
 *                       before; or the first of this run, which has the same
 *                       items and lengths. Then the notes of files go: each of
 *                       them is in that checkpoint, so found twice it counts
 *                       once. Only now workers begin (recorder.c)
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/identity.h"
#include "journal/facts.h"
#include "queue/snapshot.h"
#include "run/supervisor.h"

static const struct run_journal *journal_of(const struct supervisor *sup)
{
    return sup->options->journal;
}

/* What it had gathered is nowhere: a total would be wrong. */
static int check_states(struct supervisor *sup, weir_error *err)
{
    for (unsigned i = 0; i < sup->plan.workers; i++) {
        const struct job_stage *stage = sup->stages[sup->seats[i].stage].job;
        const struct book *book = &journal_of(sup)->from->books.at[i];

        if (!stage->desc.has_flush || stage->desc.has_save ||
            stage->desc.stateless || stage->from.count == 0 ||
            book->done == 0 || book->ended == ENDED_ALL)
            continue;
        return error_set(err, WEIR_ESTATE,
                         "the run cannot be resumed: stage '%s' had gathered "
                         "from %llu items what task '%s.%s' does not save; "
                         "start it anew",
                         stage->name, (unsigned long long)book->done,
                         stage->plugin, stage->task);
    }
    return 0;
}

/* --------------------------------------------------------------- stdin, out --
 */

static int reopen(const struct record_fact *fact, int flags, int *fd_out,
                  uint64_t *size_out, weir_error *err)
{
    const struct identity was = { .dev = fact->dev,
                                  .ino = fact->ino,
                                  .born = fact->born };
    struct identity is;
    int code;

    *fd_out = open(fact->value, flags | O_CLOEXEC | O_NOCTTY);
    code = *fd_out < 0 ? -errno : identity_of(*fd_out, &is);
    if (code < 0)
        return error_sys(err, code, "cannot open '%.500s' again", fact->value);
    if (!identity_still(&was, &is))
        return error_set(err, WEIR_ESTATE,
                         "'%.500s' is another file than it was", fact->value);
    *size_out = is.size;
    return 0;
}

static int reopen_input(struct supervisor *sup, weir_error *err)
{
    const struct record_fact *fact = facts_find(journal_of(sup)->run, "stdin");
    const struct book *book =
        &journal_of(sup)->from->books.at[sup->plan.reader];
    uint64_t size;
    int64_t start = 0;
    int code;

    if (fact == NULL || fact->value[0] == '\0' || book->ended == ENDED_ALL)
        return 0;
    code = reopen(fact, O_RDONLY, &sup->own_input, &size, err);
    if (code < 0)
        return code;
    text_int(fact->name, &start, NULL);
    if (lseek(sup->own_input, start, SEEK_SET) < 0)
        return error_sys(err, -errno, "cannot read '%.500s' again",
                         fact->value);
    sup->input = sup->own_input;
    return 0;
}

static int reopen_output(struct supervisor *sup, weir_error *err)
{
    const struct record_fact *fact = facts_find(journal_of(sup)->run, "stdout");
    const struct book *book =
        &journal_of(sup)->from->books.at[sup->plan.writer];
    uint64_t written = 0, size;
    int64_t length = 0;
    int code;

    if (fact == NULL || fact->value[0] == '\0')
        return 0;
    code = reopen(fact, O_WRONLY, &sup->own_output, &size, err);
    if (code < 0)
        return code;
    if (book->cursor_size == sizeof written)
        memcpy(&written, book->cursor, sizeof written);
    text_int(fact->name, &length, NULL);
    length += (int64_t)written;
    if (size < (uint64_t)length)
        return error_set(err, WEIR_ESTATE,
                         "'%.500s', the run's standard output, had %lld bytes "
                         "at the checkpoint, and has %llu",
                         fact->value, (long long)length,
                         (unsigned long long)size);
    if (ftruncate(sup->own_output, length) < 0 ||
        lseek(sup->own_output, 0, SEEK_END) < 0)
        return error_sys(err, -errno, "cannot cut '%.500s'", fact->value);
    sup->output = sup->own_output;
    return 0;
}

/* ----------------------------------------------------------------- files ----
 */

static int look_at_sink(const struct saved_sink *sink, weir_error *err)
{
    uint64_t size = 0;
    int same = saved_sink_look(sink, &size);

    if (same == -ENOENT && sink->length == 0)
        return 0; /* it had nothing, and is made again */
    if (same == -ENOENT)
        return error_set(err, WEIR_ESTATE,
                         "'%.500s', to which the run appends, is gone: it had "
                         "%llu bytes",
                         sink->path, (unsigned long long)sink->length);
    if (same < 0)
        return error_sys(err, same, "cannot look at '%.500s'", sink->path);
    if (same == 0)
        return error_set(err, WEIR_ESTATE,
                         "'%.500s', to which the run appends, is another file "
                         "than it was",
                         sink->path);
    if (size < sink->length)
        return error_set(
            err, WEIR_ESTATE,
            "'%.500s', to which the run appends, had %llu bytes at "
            "the checkpoint, and has %llu",
            sink->path, (unsigned long long)sink->length,
            (unsigned long long)size);
    return 0;
}

static int cut_sink(const struct saved_sink *sink, weir_error *err)
{
    if (truncate(sink->path, (off_t)sink->length) < 0 && errno != ENOENT)
        return error_sys(err, -errno, "cannot cut '%.500s'", sink->path);
    return 0;
}

static int redo_names(const struct snapshot *from, weir_error *err)
{
    for (size_t i = 0; i < from->renames.count; i++)
        if (rename(from->renames.at[i].from, from->renames.at[i].to) < 0 &&
            errno != ENOENT)
            return error_sys(err, -errno, "cannot rename '%.300s' to '%.300s'",
                             from->renames.at[i].from, from->renames.at[i].to);
    return 0;
}

static int restore_files(struct supervisor *sup, weir_error *err)
{
    const struct snapshot *from = journal_of(sup)->from;
    int code = 0;

    for (size_t i = 0; i < from->sinks.count && code == 0; i++)
        code = look_at_sink(&from->sinks.at[i], err);
    if (code == 0)
        code = reopen_input(sup, err);
    if (code == 0)
        code = reopen_output(sup, err);
    if (code == 0)
        code = redo_names(from, err);
    WEIR_POINT("resume.names");
    for (size_t i = 0; i < from->sinks.count && code == 0; i++) {
        code = cut_sink(&from->sinks.at[i], err);
        WEIR_POINT("resume.cut");
    }
    return code;
}

/* ---------------------------------------------------------------- states ----
 */

static int restore_states(struct supervisor *sup, weir_error *err)
{
    const record_states *states = journal_of(sup)->states;
    int code = 0;

    for (size_t i = 0; i < states->count && code == 0; i++) {
        const struct record_state *state = &states->at[i];
        uint32_t saved;

        if (state->member >= sup->plan.workers)
            continue;
        saved = journal_of(sup)->from->books.at[state->member].saved;
        if (saved < 1 || saved > 2)
            continue;
        code = seat_open_saved(&sup->seats[state->member]);
        if (code == 0)
            code = fd_pwrite_all(sup->seats[state->member].saved_fds[saved - 1],
                                 state->data.data, state->data.size, 0);
    }
    return code < 0 ? error_sys(err, code, "a saved state cannot be put back")
                    : 0;
}

/* Those who are no workers come to their end anew. */
static void begin_ends(struct supervisor *sup)
{
    const unsigned ends[] = { sup->plan.writer, sup->plan.keeper,
                              sup->plan.feeder };

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        segment_begin_again(sup->segment, ends[i]);
}

int journal_restore(struct supervisor *sup, weir_error *err)
{
    const struct run_journal *journal = journal_of(sup);
    int code;

    if (journal == NULL || journal->from == NULL)
        return 0;
    if (journal->from->books.count != sup->plan.members ||
        journal->from->published.count != sup->plan.queues.count)
        return error_set(err, WEIR_ESTATE,
                         "the job has another number of queues or workers than "
                         "it had");
    code = check_states(sup, err);
    if (code == 0)
        code = restore_files(sup, err);
    if (code == 0)
        code = segment_restore(sup->segment, journal->from, err);
    if (code == 0)
        code = restore_states(sup, err);
    if (code == 0)
        begin_ends(sup);
    WEIR_POINT("resume.restored");
    return code;
}
