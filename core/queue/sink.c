/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sink.c - files that are appended to, exactly once, by any number of members.
 *
 * Under the file's lock: note yourself as the holder; write at the committed
 * length; member.sink_length = the new one; commit; length = it;
 * member.sink_length = 0; unlock. Who finds the holder dead: if its TXN is
 * COMMITTED, length = max(length, its sink_length). Max, never a plain store:
 * later writers may have passed it. Bytes beyond the length count for nothing:
 * the next writer overwrites them, and they are cut off at the end.
 *
 * This is the one lock under which system calls are made.
 */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/base.h"
#include "queue/internal.h"

/* ----------------------------------------------------------------- lock ----
 */

struct sink_at {
    struct segment *segment;
    unsigned sink;
};

/* The length that a dead holder's commit made true. */
static void raise_length(struct segment *segment, unsigned sink,
                         unsigned number)
{
    struct sink_head *head = &segment->sinks[sink];
    struct member_head *member = member_at(segment, number);
    uint64_t length = atomic_load(&member->sink_length);

    if (atomic_load(&member->sink) != sink + 1 || length == 0 ||
        txn_state(atomic_load(&member->txn)) != TXN_COMMITTED)
        return;
    if (length > atomic_load(&head->length) ||
        WEIR_MUTATED("sink-length-stored"))
        atomic_store(&head->length, length);
}

static int rebuild_sink(void *arg)
{
    struct sink_at *at = arg;

    for (unsigned i = 0; i < at->segment->member_count; i++)
        raise_length(at->segment, at->sink, i);
    return 0;
}

static int sink_lock(struct segment *segment, unsigned sink)
{
    struct sink_at at = { segment, sink };

    if (lock_take(&segment->sinks[sink].lock, rebuild_sink, &at) < 0)
        return segment_damaged(segment);
    return 0;
}

/* ------------------------------------------------------------- registry ----
 */

static int nothing_to_rebuild(void *arg)
{
    (void)arg;
    return 0; /* an entry counts when its state is stored, which is last */
}

static bool is_sink(const struct sink_head *sink, unsigned group,
                    const struct stat *st)
{
    return atomic_load(&sink->state) == SINK_NAMED && sink->group == group &&
           sink->dev == (uint64_t)st->st_dev &&
           sink->ino == (uint64_t)st->st_ino;
}

static int name_sink(struct sink_head *sink, unsigned group, int fd,
                     const struct stat *st)
{
    char link[64];
    ssize_t size;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, sink->path, FILE_NAME_MOST - 1);
    if (size < 0)
        return -errno;
    sink->path[size] = '\0';
    sink->group = group;
    sink->dev = (uint64_t)st->st_dev;
    sink->ino = (uint64_t)st->st_ino;
    atomic_store(&sink->length, (uint64_t)st->st_size);
    WEIR_POINT("queue.sink.filled");
    atomic_store(&sink->state, SINK_NAMED);
    return 0;
}

/* Under the registry's lock: the file's entry, a new one if need be. */
static int find_sink(struct segment *segment, unsigned group, int fd,
                     const struct stat *st, unsigned *sink_out, weir_error *err)
{
    const unsigned count = segment->sink_count;
    int code;

    *sink_out = count;
    for (unsigned i = 0; i < count; i++) {
        if (is_sink(&segment->sinks[i], group, st)) {
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
    if (*sink_out == count)
        return error_set(err, WEIR_EFULL,
                         "%u files are appended to already, and no more can be",
                         count);
    code = name_sink(&segment->sinks[*sink_out], group, fd, st);
    if (code < 0)
        return error_sys(err, code,
                         "cannot see which file this is (is /proc there?)");
    return 0;
}

int sink_register(struct segment *segment, unsigned group, int fd,
                  unsigned *sink_out, weir_error *err)
{
    struct stat st;
    int code;

    if (fstat(fd, &st) < 0)
        return error_sys(err, -errno, "cannot look at the file");
    if (!S_ISREG(st.st_mode))
        return error_set(err, WEIR_EINVAL,
                         "only a regular file can be appended to exactly once");
    if (lock_take(&segment->head->sinks_lock, nothing_to_rebuild, NULL) < 0)
        return segment_damaged(segment);
    code = find_sink(segment, group, fd, &st, sink_out, err);
    lock_give(&segment->head->sinks_lock);
    return code;
}

/* --------------------------------------------------------------- writing ----
 */

/* The entry of the file that was appended to last, or a look-up. */
static int sink_of(struct member *member, const struct append *append,
                   weir_error *err)
{
    struct stat st;

    if (member->sink_fd == append->fd && fstat(append->fd, &st) == 0 &&
        is_sink(&member->segment->sinks[member->sink], append->group, &st))
        return 0;
    member->sink_fd = append->fd;
    return sink_register(member->segment, append->group, append->fd,
                         &member->sink, err);
}

enum { PARTS_AT_ONCE = 64 };

/* Takes @done bytes off the front of the list. */
static void advance(struct iovec *parts, unsigned *count, size_t done)
{
    unsigned first = 0;

    while (first < *count && done >= parts[first].iov_len)
        done -= parts[first++].iov_len;
    memmove(parts, parts + first, (*count - first) * sizeof *parts);
    *count -= first;
    if (*count > 0) {
        parts[0].iov_base = (char *)parts[0].iov_base + done;
        parts[0].iov_len -= done;
    }
}

static int write_parts(const struct append *append, uint64_t at)
{
    struct iovec parts[PARTS_AT_ONCE];
    unsigned next = 0, count = 0;

    for (;;) {
        ssize_t put;

        while (count < PARTS_AT_ONCE && next < append->part_count)
            parts[count++] = append->parts[next++];
        if (count == 0)
            return 0;
        put = pwritev(append->fd, parts, (int)count, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        at += (uint64_t)put;
        advance(parts, &count, (size_t)put);
        WEIR_POINT("queue.sink.written");
    }
}

int sink_write(struct member *member, const struct append *append,
               weir_error *err)
{
    struct member_head *head = member->head;
    struct sink_head *sink;
    uint64_t length;
    int code = sink_of(member, append, err);

    if (code < 0)
        return code;
    sink = &member->segment->sinks[member->sink];
    atomic_store(&head->sink_length, 0);
    atomic_store(&head->sink, member->sink + 1);
    WEIR_POINT("queue.sink.noted");
    code = sink_lock(member->segment, member->sink);
    if (code < 0)
        return error_set(err, code, "shared memory is damaged");
    length = atomic_load(&sink->length);
    code = write_parts(append, length);
    if (code < 0) {
        lock_give(&sink->lock);
        atomic_store(&head->sink, 0);
        return error_sys(err, code, "cannot append to '%.500s'", sink->path);
    }
    atomic_store(&head->sink_length, length + append->size);
    WEIR_POINT("queue.sink.length");
    return 0;
}

void sink_committed(struct member *member)
{
    struct member_head *head = member->head;
    struct sink_head *sink = &member->segment->sinks[member->sink];

    atomic_store(&sink->length, atomic_load(&head->sink_length));
    WEIR_POINT("queue.sink.raised");
    atomic_store(&head->sink_length, 0);
    lock_give(&sink->lock);
    atomic_store(&head->sink, 0);
}

int sink_settle(struct segment *segment, unsigned number)
{
    struct member_head *head = member_at(segment, number);
    uint32_t sink = atomic_load(&head->sink);
    int code;

    if (sink == 0)
        return 0;
    if (sink > segment->sink_count)
        return segment_damaged(segment);
    code = sink_lock(segment, sink - 1);
    if (code < 0)
        return code;
    raise_length(segment, sink - 1, number);
    lock_give(&segment->sinks[sink - 1].lock);
    atomic_store(&head->sink_length, 0);
    atomic_store(&head->sink, 0);
    return 0;
}

/* ------------------------------------------------- a file of a stranger ----
 *
 * Who appends to it has it for itself, by a lock on the file. An entry that is
 * there when it begins is one that a dead one left: what stands behind the
 * committed length counts for nothing, and is cut off. Who is killed before the
 * entry is empty has left one that says what is true: a next one that cuts.
 */

/* One that somebody else has made shorter is as long as it is. */
static int cut_to_length(struct sink_head *sink, int fd)
{
    uint64_t length = atomic_load(&sink->length);
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if ((uint64_t)st.st_size < length)
        atomic_store(&sink->length, (uint64_t)st.st_size);
    else if ((uint64_t)st.st_size > length && ftruncate(fd, (off_t)length) < 0)
        return -errno;
    return 0;
}

static int cut_off(struct segment *segment, unsigned sink, int fd,
                   weir_error *err)
{
    int code = sink_lock(segment, sink); /* redoes what a dead one committed */

    if (code < 0)
        return error_set(err, code, "shared memory is damaged");
    code = cut_to_length(&segment->sinks[sink], fd);
    lock_give(&segment->sinks[sink].lock);
    return code < 0 ? error_sys(err, code, "cannot cut it off") : 0;
}

int sink_open(struct segment *segment, int fd, unsigned *sink_out,
              weir_error *err)
{
    int code = sink_register(segment, 0, fd, sink_out, err);

    return code < 0 ? code : cut_off(segment, *sink_out, fd, err);
}

void sink_close(struct segment *segment, unsigned sink, int fd)
{
    if (cut_off(segment, sink, fd, NULL) < 0 ||
        lock_take(&segment->head->sinks_lock, nothing_to_rebuild, NULL) < 0)
        return;
    atomic_store(&segment->sinks[sink].state, SINK_EMPTY);
    lock_give(&segment->head->sinks_lock);
}

/* -------------------------------------------------------------- the end ----
 */

uint64_t sink_length(const struct segment *segment, unsigned sink)
{
    return sink < segment->sink_count
               ? atomic_load(&segment->sinks[sink].length)
               : 0;
}

static int cut_back(const struct sink_head *sink, weir_error *err)
{
    CLEANUP_FD int fd = open(sink->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return error_sys(err, -errno,
                         "cannot cut '%.500s' to its %llu committed bytes",
                         sink->path,
                         (unsigned long long)atomic_load(&sink->length));
    if ((uint64_t)st.st_dev != sink->dev || (uint64_t)st.st_ino != sink->ino)
        return error_set(err, WEIR_EINVAL,
                         "'%.500s' was replaced while it was appended to",
                         sink->path);
    if ((uint64_t)st.st_size > atomic_load(&sink->length) &&
        ftruncate(fd, (off_t)atomic_load(&sink->length)) < 0)
        return error_sys(err, -errno, "cannot cut '%.500s'", sink->path);
    return 0;
}

int sinks_finish(struct segment *segment, unsigned group, weir_error *err)
{
    int code = 0;

    for (unsigned i = 0; i < segment->sink_count; i++) {
        const struct sink_head *sink = &segment->sinks[i];

        if (atomic_load(&sink->state) != SINK_NAMED || sink->group != group)
            continue;
        if (code == 0)
            code = cut_back(sink, err);
        else
            cut_back(sink, NULL);
    }
    return code;
}
