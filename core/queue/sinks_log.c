/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sinks_log.c - of a run with a journal: which files were appended to.
 *
 * A file that is appended to for the first time between two checkpoints stands
 * in none of them: after a crash nobody would know where to cut it. So it is
 * noted in a log of its own, on disk before the entry counts, and so before a
 * byte is written. Once for each file, under the registry's lock. Who dies
 * behind the note has named no file, and the next one notes it again: the first
 * note of a file counts. A note is counted, and hashed: half of one is none.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "queue/internal.h"
#include "queue/sinks.h"
#include "queue/snapshot.h"

#define LOG_MAGIC UINT32_C(0x316b7377) /* "wsk1" */

void segment_set_sinks_log(struct segment *segment, int fd)
{
    segment->sinks_log = fd;
    fd_identify(fd, &segment->sinks_log_is);
}

int sinks_log(const struct segment *segment, const struct sink_head *sink)
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
