/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sink_alone.c - a file that one process without a supervisor appends to.
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
#include "config.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "queue/internal.h"
#include "queue/sinks.h"

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
    if (!sink_unfinished(sink) || (uint64_t)st.st_size <= length) {
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
        code = sinks_find(segment, &(struct sink_wanted){ 0, fd, true, &id },
                          sink_out, err);
        if (code != WEIR_ESTATE || i == USE_TRIES)
            return code;
        usleep(USE_PAUSE_US);
        code = 0;
    }
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
