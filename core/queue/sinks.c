/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sinks.c - which files are appended to: an entry for each, found by what the
 * file is and not by its name, and made, under the registry's lock, when it is
 * appended to first. An entry counts when its state is stored, which is last.
 *
 * Folders have entries, too, where a run with a journal renames files: the
 * journal is to sync them.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "queue/internal.h"
#include "queue/sinks.h"
#include "queue/snapshot.h"

/* ------------------------------------------------------- which file it is ----
 */

bool sink_is_file(const struct sink_head *sink, const struct identity *id)
{
    const struct identity named = { .dev = sink->dev,
                                    .ino = sink->ino,
                                    .born = sink->born };

    return identity_same(&named, id);
}

static struct identity saved_identity(const struct saved_sink *sink)
{
    return (struct identity){ .dev = sink->dev,
                              .ino = sink->ino,
                              .born = sink->born };
}

bool saved_sink_same(const struct saved_sink *a, const struct saved_sink *b)
{
    const struct identity was = saved_identity(a), is = saved_identity(b);

    return identity_still(&was, &is);
}

static int look_again(const struct saved_sink *sink, struct identity *is)
{
    const struct identity was = saved_identity(sink);
    int code = identity_at(sink->path, is);

    return code < 0 ? code : identity_still(&was, is);
}

int saved_sink_look(const struct saved_sink *sink, uint64_t *size_out)
{
    struct identity is;
    int code = look_again(sink, &is);

    if (code >= 0)
        *size_out = is.size;
    return code;
}

/* ------------------------------------------------------------- registry ----
 */

static int nothing_to_rebuild(void *arg)
{
    (void)arg;
    return 0; /* an entry counts when its state is stored, which is last */
}

int sinks_registry_lock(struct segment *segment, int64_t deadline_ns)
{
    int code = lock_take_until(&segment->head->sinks_lock, deadline_ns,
                               nothing_to_rebuild, NULL);

    return code == WEIR_EBROKEN ? segment_damaged(segment) : code;
}

void sinks_registry_unlock(struct segment *segment)
{
    lock_give(&segment->head->sinks_lock);
}

int sink_restore(struct segment *segment, unsigned sink,
                 const struct saved_sink *saved, weir_error *err)
{
    struct sink_head *head = &segment->sinks[sink];
    struct identity is;

    if (sink >= segment->sink_count)
        return error_set(err, WEIR_EFULL, "too many files were appended to");
    head->group = saved->group;
    head->dev = look_again(saved, &is) == 1 ? is.dev : saved->dev;
    head->ino = saved->ino;
    head->born = saved->born;
    atomic_store(&head->length, saved->length);
    snprintf(head->path, sizeof head->path, "%s", saved->path);
    atomic_store(&head->state, SINK_NAMED);
    return 0;
}

/* --------------------------------------------------------------- folders ----
 */

static bool is_folder(const struct sink_head *sink, const char *path,
                      size_t size)
{
    return atomic_load(&sink->state) == SINK_FOLDER &&
           strncmp(sink->path, path, size) == 0 && sink->path[size] == '\0';
}

/* Under the registry's lock. */
static void add_folder(struct segment *segment, const char *path, size_t size)
{
    for (unsigned i = 0; i < segment->sink_count; i++) {
        struct sink_head *sink = &segment->sinks[i];

        if (is_folder(sink, path, size))
            return;
        if (atomic_load(&sink->state) != SINK_EMPTY)
            continue;
        memcpy(sink->path, path, size);
        sink->path[size] = '\0';
        atomic_store(&sink->state, SINK_FOLDER);
        return;
    }
    atomic_store(&segment->head->folders_lost, 1);
}

/* The journal syncs it before the checkpoint that builds on the new name. */
void sinks_note_folder(struct segment *segment, const char *to)
{
    const char *slash = strrchr(to, '/');
    size_t size = slash == NULL || slash == to ? 1 : (size_t)(slash - to);

    if (segment->head->journaled == 0 || slash == NULL ||
        size >= FILE_NAME_MOST)
        return;
    for (unsigned i = 0; i < segment->sink_count; i++)
        if (is_folder(&segment->sinks[i], to, size))
            return;
    if (sinks_registry_lock(segment, FOREVER) < 0)
        return;
    add_folder(segment, to, size);
    sinks_registry_unlock(segment);
}

/* ---------------------------------------------------------------- files ----
 */

bool sink_is(const struct sink_head *sink, unsigned group,
             const struct identity *id)
{
    return atomic_load(&sink->state) == SINK_NAMED && sink->group == group &&
           sink_is_file(sink, id);
}

static int name_sink(struct segment *segment, struct sink_head *sink,
                     const struct sink_wanted *wanted)
{
    const struct identity *id = wanted->id;
    char link[64];
    ssize_t size;

    snprintf(link, sizeof link, "/proc/self/fd/%d", wanted->fd);
    size = readlink(link, sink->path, FILE_NAME_MOST - 1);
    if (size < 0)
        return -errno;
    sink->path[size] = '\0';
    sink->group = wanted->group;
    sink->dev = id->dev;
    sink->ino = id->ino;
    sink->born = id->born;
    atomic_store(&sink->intent, 0);
    atomic_store(&sink->length, id->size);
    WEIR_POINT("queue.sink.filled");
    size = sinks_log(segment, sink);
    if (size < 0)
        return (int)size;
    atomic_store(&sink->state, SINK_NAMED);
    return 0;
}

bool sink_unfinished(const struct sink_head *sink)
{
    return atomic_load(&sink->intent) > atomic_load(&sink->length);
}

static bool is_noted(const struct segment *segment, unsigned sink)
{
    for (unsigned i = 0; i < segment->member_count; i++)
        if (atomic_load(&member_at(segment, i)->sink) == sink + 1)
            return true;
    return false;
}

/* The file is not where it was. One whose name did not fit may be. */
static bool is_gone(const struct sink_head *sink)
{
    struct identity id;
    int code;

    if (strlen(sink->path) >= FILE_NAME_MOST - 1)
        return false;
    code = identity_at(sink->path, &id);
    return code == 0 ? !sink_is_file(sink, &id) : code == -ENOENT;
}

/* Under the registry's lock. An entry that a dead one left is of no use when
 * nothing that it had begun to write may have to be cut off, or when the file
 * is gone. Its token is proof that nobody has it open, so none begins a write;
 * and one that died in a write, and is not recovered yet, is noted: its length
 * may still be raised. Who dies behind the store has left an empty entry. */
static bool free_sink(struct segment *segment, unsigned sink)
{
    struct sink_head *head = &segment->sinks[sink];
    bool freed = false;

    if (stranger_use(segment, sink) < 0)
        return false;
    if (!is_noted(segment, sink) && (!sink_unfinished(head) || is_gone(head))) {
        atomic_store(&head->state, SINK_EMPTY);
        WEIR_POINT("queue.sink.freed");
        freed = true;
    }
    stranger_unuse(segment, sink);
    return freed;
}

/* The first entry that could be made free; their count for none. */
static unsigned free_any(struct segment *segment)
{
    unsigned sink = 0;

    while (sink < segment->sink_count && !free_sink(segment, sink))
        sink++;
    return sink;
}

/* Under the registry's lock: the file's entry, a new one if need be. */
static int find_sink(struct segment *segment, const struct sink_wanted *wanted,
                     unsigned *sink_out, weir_error *err)
{
    const unsigned count = segment->sink_count;
    int code;

    *sink_out = count;
    for (unsigned i = 0; i < count; i++) {
        if (sink_is(&segment->sinks[i], wanted->group, wanted->id)) {
            *sink_out = i;
            return 0;
        }
        if (atomic_load(&segment->sinks[i].state) != SINK_EMPTY)
            continue;
        if (*sink_out == count)
            *sink_out = i;
        if (segment->lives == NULL)
            break; /* only strangers leave gaps: all others are empty */
    }
    if (*sink_out == count && segment->lives != NULL)
        *sink_out = free_any(segment);
    if (*sink_out == count)
        return error_set(err, WEIR_EFULL,
                         "%u files are appended to already, and no more can be",
                         count);
    code = name_sink(segment, &segment->sinks[*sink_out], wanted);
    if (code < 0)
        return error_sys(err, code,
                         segment->head->journaled != 0
                             ? "cannot note in the journal which file this is"
                             : "cannot see which file this is (is /proc "
                               "there?)");
    return 0;
}

int sink_identify(int fd, struct identity *out, weir_error *err)
{
    int code = identity_of(fd, out);

    if (code < 0)
        return error_sys(err, code, "cannot look at the file");
    if (!S_ISREG(out->mode))
        return error_set(err, WEIR_EINVAL,
                         "only a regular file can be appended to exactly once");
    return 0;
}

/* Token and entry under one lock: else it could be freed between the two. */
static int find_locked(struct segment *segment,
                       const struct sink_wanted *wanted, unsigned *sink_out,
                       weir_error *err)
{
    int code = sinks_registry_lock(segment, FOREVER);

    if (code < 0)
        return code;
    code = find_sink(segment, wanted, sink_out, err);
    if (code == 0 && wanted->use && segment->lives != NULL &&
        stranger_use(segment, *sink_out) < 0)
        code = error_set(err, WEIR_ESTATE, "another process does");
    sinks_registry_unlock(segment);
    return code;
}

int sinks_find(struct segment *segment, const struct sink_wanted *wanted,
               unsigned *sink_out, weir_error *err)
{
    int code;

    if (segment->lives == NULL)
        return find_locked(segment, wanted, sink_out, err);
    strangers_lock(segment);
    code = find_locked(segment, wanted, sink_out, err);
    strangers_unlock(segment);
    return code;
}

int sink_register(struct segment *segment, unsigned group, int fd,
                  unsigned *sink_out, weir_error *err)
{
    struct identity id;
    int code = sink_identify(fd, &id, err);

    if (code < 0)
        return code;
    return sinks_find(segment, &(struct sink_wanted){ group, fd, false, &id },
                      sink_out, err);
}
