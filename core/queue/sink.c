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
 */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "queue/internal.h"
#include "queue/snapshot.h"

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

static int sink_lock(struct segment *segment, unsigned sink)
{
    return sink_lock_until(segment, sink, FOREVER);
}

/* ------------------------------------------------------- which file it is ----
 */

/* An inode's number is given out again when its file is gone; so the time of
 * its birth belongs to it, where it is to be had. */
struct identity {
    uint64_t dev, ino, born, size;
    mode_t mode;
};

static int identify(int folder, const char *name, int flags,
                    struct identity *out)
{
    struct statx stx;
    struct stat st;

    if (statx(folder, name, flags, STATX_BASIC_STATS | STATX_BTIME, &stx) ==
        0) {
        *out = (struct identity){
            .dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
            .ino = stx.stx_ino,
            .size = stx.stx_size,
            .mode = stx.stx_mode,
        };
        if ((stx.stx_mask & STATX_BTIME) != 0)
            out->born = (uint64_t)stx.stx_btime.tv_sec * NS_PER_S +
                        stx.stx_btime.tv_nsec;
        return 0;
    }
    /* A filter of system calls may know no statx. */
    if (fstatat(folder, name, &st, flags) < 0)
        return -errno;
    *out = (struct identity){ .dev = (uint64_t)st.st_dev,
                              .ino = (uint64_t)st.st_ino,
                              .size = (uint64_t)st.st_size,
                              .mode = st.st_mode };
    return 0;
}

static int identify_open(int fd, struct identity *out)
{
    return identify(fd, "", AT_EMPTY_PATH, out);
}

static bool is_same(const struct identity *id, uint64_t dev, uint64_t ino,
                    uint64_t born)
{
    return id->dev == dev && id->ino == ino &&
           (id->born == born || id->born == 0 || born == 0);
}

static bool is_file(const struct sink_head *sink, const struct identity *id)
{
    return is_same(id, sink->dev, sink->ino, sink->born);
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

/* ------------------------------------------------------ of a run's journal
 * ----
 *
 * A file that is appended to for the first time between two checkpoints stands
 * in none of them: after a crash nobody would know where to cut it. So it is
 * noted in a log of its own, on disk before the entry counts, and so before a
 * byte is written. Once for each file, under the registry's lock. Who dies
 * behind the note has named no file, and the next one notes it again: the first
 * note of a file counts. A note is counted, and hashed: half of one is none.
 */
#define LOG_MAGIC UINT32_C(0x316b7377) /* "wsk1" */

void segment_set_sinks_log(struct segment *segment, int fd)
{
    segment->sinks_log = fd;
    fd_identify(fd, &segment->sinks_log_is);
}

static int log_sink(const struct segment *segment, const struct sink_head *sink)
{
    CLEANUP_BUF struct buf note = { 0 }, body = { 0 };
    int code;

    if (segment->head->journaled == 0 || segment->sinks_log <= 0)
        return 0;
    buf_u32(&body, sink->group);
    buf_u64(&body, sink->dev);
    buf_u64(&body, sink->ino);
    buf_u64(&body, sink->born);
    buf_u64(&body, atomic_load(&sink->length));
    buf_counted(&body, sink->path, strlen(sink->path));
    buf_u32(&note, LOG_MAGIC);
    buf_u64(&note, hash_bytes(body.data, body.size, LOG_MAGIC));
    buf_counted(&note, body.data, body.size);
    if (body.failed || note.failed)
        return WEIR_ENOMEM;
    if (!fd_is(segment->sinks_log, &segment->sinks_log_is))
        return -EBADF; /* a task has closed it: the number is another file's */
    code = fd_write_all(segment->sinks_log, note.data, note.size);
    if (code < 0)
        return code;
    WEIR_POINT("queue.sink.logged");
    return fdatasync(segment->sinks_log) < 0 ? -errno : 0;
}

static int read_note(struct reader *in, struct snapshot *out)
{
    struct saved_sink *sink = VEC_ADD(&out->sinks);

    if (sink == NULL)
        return WEIR_ENOMEM;
    sink->group = read_u32(in);
    sink->dev = read_u64(in);
    sink->ino = read_u64(in);
    sink->born = read_u64(in);
    sink->length = read_u64(in);
    sink->path = strdup(read_text(in));
    return sink->path != NULL ? 0 : WEIR_ENOMEM;
}

int sinks_log_read(int fd, struct snapshot *out, weir_error *err)
{
    CLEANUP_BUF struct buf all = { 0 };
    int code = fd_slurp(fd, &all, 64 << 20);

    for (size_t at = 0; code == 0 && at < all.size;) {
        struct reader in = { .data = all.data + at, .size = all.size - at };
        uint32_t magic = read_u32(&in);
        uint64_t hash = read_u64(&in);
        size_t size = 0;
        const char *body = read_counted(&in, &size);

        if (in.bad || magic != LOG_MAGIC ||
            hash != hash_bytes(body, size, LOG_MAGIC)) {
            at++;
            continue;
        }
        at += in.at;
        code = read_note(&(struct reader){ .data = body, .size = size }, out);
    }
    return code < 0 ? error_sys(err, code,
                                "cannot read which files the run "
                                "appended to")
                    : 0;
}

int sink_restore(struct segment *segment, unsigned sink,
                 const struct saved_sink *saved, weir_error *err)
{
    struct sink_head *head = &segment->sinks[sink];

    if (sink >= segment->sink_count)
        return error_set(err, WEIR_EFULL, "too many files were appended to");
    head->group = saved->group;
    head->dev = saved->dev;
    head->ino = saved->ino;
    head->born = saved->born;
    atomic_store(&head->length, saved->length);
    snprintf(head->path, sizeof head->path, "%s", saved->path);
    atomic_store(&head->state, SINK_NAMED);
    return 0;
}

int saved_sink_look(const struct saved_sink *sink, uint64_t *size_out)
{
    struct identity id;
    int code = identify(AT_FDCWD, sink->path, AT_SYMLINK_NOFOLLOW, &id);

    if (code < 0)
        return code;
    *size_out = id.size;
    return is_same(&id, sink->dev, sink->ino, sink->born);
}

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

/* What register_sink is to find. */
struct wanted {
    unsigned group;
    int fd;
    bool use; /* take its token, too: WEIR_ESTATE when another process has it */
    const struct identity *id;
};

static bool is_sink(const struct sink_head *sink, unsigned group,
                    const struct identity *id)
{
    return atomic_load(&sink->state) == SINK_NAMED && sink->group == group &&
           is_file(sink, id);
}

static int name_sink(struct segment *segment, struct sink_head *sink,
                     const struct wanted *wanted)
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
    size = log_sink(segment, sink);
    if (size < 0)
        return (int)size;
    atomic_store(&sink->state, SINK_NAMED);
    return 0;
}

static bool unfinished(const struct sink_head *sink)
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
    code = identify(AT_FDCWD, sink->path, AT_SYMLINK_NOFOLLOW, &id);
    return code == 0 ? !is_file(sink, &id) : code == -ENOENT;
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
    if (!is_noted(segment, sink) && (!unfinished(head) || is_gone(head))) {
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
static int find_sink(struct segment *segment, const struct wanted *wanted,
                     unsigned *sink_out, weir_error *err)
{
    const unsigned count = segment->sink_count;
    int code;

    *sink_out = count;
    for (unsigned i = 0; i < count; i++) {
        if (is_sink(&segment->sinks[i], wanted->group, wanted->id)) {
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

static int sink_identify(int fd, struct identity *out, weir_error *err)
{
    int code = identify_open(fd, out);

    if (code < 0)
        return error_sys(err, code, "cannot look at the file");
    if (!S_ISREG(out->mode))
        return error_set(err, WEIR_EINVAL,
                         "only a regular file can be appended to exactly once");
    return 0;
}

/* Token and entry under one lock: else it could be freed between the two. */
static int register_locked(struct segment *segment, const struct wanted *wanted,
                           unsigned *sink_out, weir_error *err)
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

static int register_sink(struct segment *segment, const struct wanted *wanted,
                         unsigned *sink_out, weir_error *err)
{
    int code;

    if (segment->lives == NULL)
        return register_locked(segment, wanted, sink_out, err);
    strangers_lock(segment);
    code = register_locked(segment, wanted, sink_out, err);
    strangers_unlock(segment);
    return code;
}

static void unuse_sink(struct segment *segment, unsigned sink)
{
    if (segment->lives == NULL)
        return;
    strangers_lock(segment);
    stranger_unuse(segment, sink);
    strangers_unlock(segment);
}

int sink_register(struct segment *segment, unsigned group, int fd,
                  unsigned *sink_out, weir_error *err)
{
    struct identity id;
    int code = sink_identify(fd, &id, err);

    if (code < 0)
        return code;
    return register_sink(segment, &(struct wanted){ group, fd, false, &id },
                         sink_out, err);
}

/* --------------------------------------------------------------- writing ----
 */

/* The entry of the file that was appended to last, or a look-up. */
static int sink_of(struct member *member, const struct append *append,
                   weir_error *err)
{
    struct identity id;

    if (member->sink_fd == append->fd && identify_open(append->fd, &id) == 0 &&
        is_sink(&member->segment->sinks[member->sink], append->group, &id))
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

/* ------------------------------------------------- a file of a stranger ----
 *
 * Who appends to it has it for itself, by a lock on the file, and the entry by
 * a token (strangers.h). An entry that is there when it begins is one that a
 * dead one left: what that one had begun to write, and nothing else, is cut
 * off. Who is killed before the entry is empty has left one that says what is
 * true: a next one that cuts.
 *
 * Meanwhile others may have written to the file, or to another of the same
 * inode: all that is known not to be of an unfinished write stays.
 */

/* The file is as long as it is. Who dies between has left no write unfinished,
 * so the next one comes here again. */
static void take_as_it_is(struct sink_head *sink, uint64_t size)
{
    atomic_store(&sink->intent, 0);
    atomic_store(&sink->length, size);
}

static int cut_to_length(struct sink_head *sink, int fd, weir_error *err)
{
    uint64_t length = atomic_load(&sink->length);
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_sys(err, -errno, "cannot look at the file");
    if (!unfinished(sink) || (uint64_t)st.st_size <= length) {
        take_as_it_is(sink, (uint64_t)st.st_size);
        return 0;
    }
    if ((uint64_t)st.st_size > atomic_load(&sink->intent))
        return error_set(
            err, WEIR_EINVAL,
            "one that was killed may have left a part of an item behind byte "
            "%llu, and somebody else has written since: look there, and go on "
            "with a copy or another file",
            (unsigned long long)length);
    if (ftruncate(fd, (off_t)length) < 0)
        return error_sys(err, -errno, "cannot cut it off");
    take_as_it_is(sink, length);
    return 0;
}

static int cut_off(struct segment *segment, unsigned sink, int fd,
                   weir_error *err)
{
    int code = sink_lock(segment, sink); /* redoes what a dead one committed */

    if (code < 0)
        return error_set(err, code, "shared memory is damaged");
    code = cut_to_length(&segment->sinks[sink], fd, err);
    lock_give(&segment->sinks[sink].lock);
    return code;
}

enum { USE_TRIES = 2000, USE_PAUSE_US = 1000 };

/* Its entry, for this process. One that is being killed gives the lock on the
 * file back a moment before the token. */
static int use_sink(struct segment *segment, int fd, unsigned *sink_out,
                    weir_error *err)
{
    struct identity id;
    int code = sink_identify(fd, &id, err);

    for (unsigned i = 0; code == 0; i++) {
        code = register_sink(segment, &(struct wanted){ 0, fd, true, &id },
                             sink_out, err);
        if (code != WEIR_ESTATE || i == USE_TRIES)
            return code;
        usleep(USE_PAUSE_US);
        code = 0;
    }
    return code;
}

int sink_open(struct segment *segment, int fd, unsigned *sink_out,
              weir_error *err)
{
    int code = use_sink(segment, fd, sink_out, err);

    if (code < 0)
        return code;
    code = cut_off(segment, *sink_out, fd, err);
    if (code < 0)
        unuse_sink(segment, *sink_out);
    return code;
}

void sink_close(struct segment *segment, unsigned sink, int fd)
{
    if (cut_off(segment, sink, fd, NULL) == 0 &&
        sinks_registry_lock(segment, FOREVER) == 0) {
        atomic_store(&segment->sinks[sink].state, SINK_EMPTY);
        sinks_registry_unlock(segment);
    }
    unuse_sink(segment, sink);
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
    int code = fd < 0 ? -errno : identify_open(fd, &id);

    if (code < 0)
        return error_sys(err, code,
                         "cannot cut '%.500s' to its %llu committed bytes",
                         sink->path,
                         (unsigned long long)atomic_load(&sink->length));
    if (!is_file(sink, &id))
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
