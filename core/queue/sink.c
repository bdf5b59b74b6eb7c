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
 * Before the write: intent = the length that it would make. So bytes behind the
 * intent are nobody's here; and when it is not more than the length, those
 * behind the length are not either. Who dies
 *   before the intent  has written nothing
 *   behind it          has written up to the intent, at most
 *   committed          length is raised to the intent by who finds the holder
 * It is never lowered while the file is in use: what a write that failed has
 * left counts, too, until it is cut off.
 *
 * This is the one lock under which system calls are made.
 *
 * Which files there are: sinks.c; noted in a run's journal: sinks_log.c; of a
 * process without a supervisor: sink_alone.c.
 */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/base.h"
#include "queue/internal.h"
#include "queue/sinks.h"

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

int sink_lock_until(struct segment *segment, unsigned sink, int64_t deadline_ns)
{
    struct sink_at at = { segment, sink };
    int code = lock_take_until(&segment->sinks[sink].lock, deadline_ns,
                               rebuild_sink, &at);

    return code == WEIR_EBROKEN ? segment_damaged(segment) : code;
}

int sink_lock(struct segment *segment, unsigned sink)
{
    return sink_lock_until(segment, sink, FOREVER);
}

/* --------------------------------------------------------------- writing ----
 */

/* The entry of the file that was appended to last, or a look-up. */
static int sink_of(struct member *member, const struct append *append,
                   weir_error *err)
{
    struct identity id;

    if (member->sink_fd == append->fd && identity_of(append->fd, &id) == 0 &&
        sink_is(&member->segment->sinks[member->sink], append->group, &id))
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
    if (length + append->size > atomic_load(&sink->intent))
        atomic_store(&sink->intent, length + append->size);
    WEIR_POINT("queue.sink.intent");
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
    struct identity id;
    int code = fd < 0 ? -errno : identity_of(fd, &id);

    if (code < 0)
        return error_sys(err, code,
                         "cannot cut '%.500s' to its %llu committed bytes",
                         sink->path,
                         (unsigned long long)atomic_load(&sink->length));
    if (!sink_is_file(sink, &id))
        return error_set(err, WEIR_EINVAL,
                         "'%.500s' was replaced while it was appended to",
                         sink->path);
    if (id.size > atomic_load(&sink->length) &&
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
