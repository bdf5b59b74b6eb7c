/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recorder.c - the process that writes a run's journal. Forked before the store
 * is opened, since a connection must not cross a fork; it forks nothing.
 *
 * A checkpoint, in this order:
 *
 *   1  the segment at one instant, and the saved states that its books name, in
 *      this process's memory (queue/snapshot.c); then nobody waits any more
 *   2  the files that were appended to are synced, and the folders in which
 *      names were changed: what the checkpoint says of them is on the disk
 *   3  one transaction that replaces the last checkpoint, synced by itself
 *
 * Killed before the end of 3, the last checkpoint counts, and 2 has synced more
 * than that needs; behind it, this one does. No file is cut here: bytes behind
 * a length are cut by who resumes.
 *
 * The time between two is at least twenty times what the last one took: so it
 * is never more than a twentieth of the run.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sync.h"
#include "queue/snapshot.h"
#include "run/recorder.h"

#define PATIENCE_NS (200 * NS_PER_MS) /* of one that may come later */
#define MUST_NS (30 * NS_PER_S)       /* of one that may not */
#define AGAIN_NS (50 * NS_PER_MS)
enum { PART = 20 };

struct recorder {
    struct recorder_place *place;
    struct record_store *store;
    struct snapshot snapshot;
    record_states states; /* as in the store, or newer */
    VEC(uint64_t) synced; /* length of each file, at its last sync */
    bool begun;           /* the first checkpoint is made */
    int64_t due_ns;
    weir_error err;
};

static int say(int socket, enum recorder_kind kind, const char *text)
{
    struct recorder_message message = { .kind = kind };

    snprintf(message.text, sizeof message.text, "%s", text);
    return fd_send(socket, &message, sizeof message, NULL, 0);
}

/* The runner waits for it: when it cannot be told, it is to see an end. */
static int answer(struct recorder *it, enum recorder_kind kind)
{
    int code = say(it->place->socket, kind, "");

    return code < 0 ? error_sys(&it->err, code, "cannot answer the run") : 0;
}

/* ---------------------------------------------------------------- states ----
 */

static struct record_state *state_of(struct recorder *it, unsigned member)
{
    struct record_state *state;

    for (size_t i = 0; i < it->states.count; i++)
        if (it->states.at[i].member == member)
            return &it->states.at[i];
    state = VEC_ADD(&it->states);
    if (state != NULL)
        *state = (struct record_state){ .member = member,
                                        .sequence = UINT32_MAX };
    return state;
}

static int read_state(int fd, struct buf *out)
{
    struct stat st;
    ssize_t got = 0;
    size_t size;

    buf_cut(out, 0);
    if (fstat(fd, &st) < 0)
        return -errno;
    size = (size_t)st.st_size;
    if (buf_reserve(out, size) < 0)
        return WEIR_ENOMEM;
    while (out->size < size) {
        got = pread(fd, out->data + out->size, size - out->size,
                    (off_t)out->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        out->size += (size_t)got;
    }
    return 0;
}

/* Within the hold: the files that the books name. One of the same commit as
 * before is here already. */
static int read_states(void *arg, const struct snapshot *snapshot)
{
    struct recorder *it = arg;

    for (unsigned i = 0; i < it->place->state_count; i++) {
        uint32_t saved = snapshot->books.at[i].saved;
        uint32_t sequence = snapshot->sequences.at[i] >> 8;
        struct record_state *state;
        int code;

        if (saved < 1 || saved > 2 || it->place->states[i][saved - 1] < 0)
            continue;
        state = state_of(it, i);
        if (state == NULL)
            return WEIR_ENOMEM;
        if (state->sequence == sequence)
            continue;
        code = read_state(it->place->states[i][saved - 1], &state->data);
        if (code < 0)
            return code;
        state->sequence = sequence;
    }
    return 0;
}

/* ----------------------------------------------------------------- syncs ----
 */

/* A file that is gone or is another now is told by who resumes, or by the end
 * of the run. */
static int sync_file(struct recorder *it, size_t number)
{
    const struct saved_sink *sink = &it->snapshot.sinks.at[number];
    bool first = number >= it->synced.count;
    uint64_t *synced = first ? VEC_ADD(&it->synced) : &it->synced.at[number];
    int code = 0;

    if (synced == NULL)
        return WEIR_ENOMEM;
    if (!first && *synced == sink->length)
        return 0;
    code = sync_path(sink->path, O_NOFOLLOW);
    if (code == 0 && first)
        code = sync_folder_of(sink->path);
    if (code == 0)
        *synced = sink->length;
    return code < 0
               ? error_sys(&it->err, code, "cannot sync '%.500s'", sink->path)
               : 0;
}

static int sync_folders(struct recorder *it)
{
    const struct snapshot *snapshot = &it->snapshot;
    int code = 0;

    for (size_t i = 0; i < snapshot->folders.count && code == 0; i++)
        code = sync_path(snapshot->folders.at[i], O_DIRECTORY);
    for (size_t i = 0; i < snapshot->renames.count && code == 0; i++) {
        code = sync_folder_of(snapshot->renames.at[i].from);
        if (code == 0)
            code = sync_folder_of(snapshot->renames.at[i].to);
    }
    if (snapshot->folders_lost)
        sync();
    return code < 0 ? error_sys(&it->err, code, "cannot sync a folder") : 0;
}

static int sync_all(struct recorder *it)
{
    int code = 0;

    for (size_t i = 0; i < it->snapshot.sinks.count && code == 0; i++)
        code = sync_file(it, i);
    if (code == 0)
        code = sync_folders(it);
    if (code < 0 || it->place->output < 0)
        return code;
    code = sync_fd(it->place->output);
    return code < 0 ? error_sys(&it->err, code, "cannot sync standard output")
                    : 0;
}

/* ------------------------------------------------------------ checkpoint ----
 */

/* 1: it was made; 0: not now, soon; or a code, and err. */
static int checkpoint(struct recorder *it, const char *reason, bool must)
{
    int64_t begun = clock_now(), took;
    int code = segment_snapshot(it->place->segment,
                                must ? MUST_NS : PATIENCE_NS, read_states, it,
                                &it->snapshot);

    if (code == WEIR_ETIMEDOUT && !must) {
        it->due_ns = clock_now() + AGAIN_NS;
        return 0;
    }
    if (code < 0)
        return error_sys(&it->err, code, "no checkpoint can be made");
    WEIR_POINT("journal.copied");
    code = sync_all(it);
    WEIR_POINT("journal.synced");
    if (code == 0)
        code = record_checkpoint(it->store, &it->snapshot, &it->states, reason,
                                 &it->err);
    if (code < 0)
        return code;
    took = clock_now() - begun;
    it->due_ns = clock_now() + (took * PART > it->place->journal->interval_ns
                                    ? took * PART
                                    : it->place->journal->interval_ns);
    return 1;
}

/* ------------------------------------------------------------------ life ----
 */

static int open_store(struct recorder *it)
{
    const struct run_journal *journal = it->place->journal;
    CLEANUP_FREE char *path = folder_file(journal->folder, JOURNAL_DB);

    if (path == NULL)
        return error_set(&it->err, WEIR_ENOMEM, "no memory");
    return journal->from == NULL
               ? record_create(path, journal->run, &it->store, &it->err)
               : record_resume(path, journal->run, &it->store, &it->err);
}

/* What was never begun is not there for who would resume it. */
static void remove_store(const struct run_folder *folder)
{
    static const char *const names[] = { JOURNAL_DB, JOURNAL_DB "-wal",
                                         JOURNAL_DB "-shm" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CLEANUP_FREE char *path = folder_file(folder, names[i]);

        if (path != NULL)
            unlink(path);
    }
}

/* States that it goes on with stand in the store; those of the first commits
 * here have other numbers. */
static int begin(struct recorder *it)
{
    const struct run_journal *journal = it->place->journal;
    int code = open_store(it);

    WEIR_POINT("journal.open");
    if (code < 0)
        return code;
    code = checkpoint(it, journal->from == NULL ? "start" : "resume", true);
    WEIR_POINT("journal.begun");
    /* Notes of files that this checkpoint has. */
    if (code == 1 && journal->from != NULL &&
        ftruncate(journal->folder->lock, 0) < 0)
        code = error_sys(&it->err, -errno, "cannot cut '%s/%s'",
                         journal->folder->path, JOURNAL_FILES);
    if (code < 0)
        return code;
    it->begun = true;
    return answer(it, RECORDER_READY);
}

/* 1: that was the end, here and below. */
static int obey(struct recorder *it, const struct recorder_message *message)
{
    int code;

    if (message->kind == RECORDER_END) {
        code = record_end(it->store, message->status, message->signal,
                          message->has_text != 0 ? message->text : NULL,
                          &it->err);
        return code < 0 ? code : 1;
    }
    code = checkpoint(it, message->text, true);
    if (code < 0)
        return code;
    return answer(it, RECORDER_DONE);
}

static int hear(struct recorder *it)
{
    struct recorder_message message;
    int fds[FD_MESSAGE_FDS];
    size_t count = FD_MESSAGE_FDS;
    ssize_t size = fd_receive(it->place->socket, &message, sizeof message, fds,
                              &count);

    if (size == -EAGAIN)
        return 0;
    if (size != (ssize_t)sizeof message)
        return size == 0 ? 1 : WEIR_EBROKEN;
    message.text[RECORDER_TEXT - 1] = '\0';
    return obey(it, &message);
}

/* It asks the socket itself, whatever poll says: where poll fails for good, the
 * run's word is heard, and its end is seen, all the same. */
static int live(struct recorder *it)
{
    struct pollfd poller = { .fd = it->place->socket, .events = POLLIN };
    int code = begin(it);

    while (code == 0) {
        fd_poll(&poller, 1, it->due_ns);
        code = hear(it);
        if (code == 0 && clock_left(it->due_ns) == 0) {
            code = checkpoint(it, "time", false);
            if (code == 1)
                code = 0;
        }
    }
    return code;
}

int recorder_main(struct recorder_place *place)
{
    struct recorder it = { .place = place };
    int code = live(&it);

    record_close(&it.store);
    if (!it.begun && place->journal->from == NULL)
        remove_store(place->journal->folder);
    if (code < 0)
        say(place->socket, RECORDER_FAILED,
            it.err.text[0] != '\0' ? it.err.text : weir_strerror(code));
    return code < 0 ? code : 0;
}
