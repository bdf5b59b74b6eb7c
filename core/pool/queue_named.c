/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue_named.c - runs in any process: queues that are opened by name. Finding
 * and making the file; all that is done with an open one is queue_handle.c,
 * and how its members look after each other core/queue/strangers.h.
 */
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "pool/pool.h"
#include "pool/queue_named.h"
#include "shm/shm.h"

/* Files that are appended to at once, or were by one that was killed and are
 * not gone on with. */
enum { APPENDED_MOST = 4 };

/* A lock that is not to be had so long, is nobody's who runs. */
#define LOCK_NS (10 * NS_PER_S)

/* Lays it out in a file without a name. */
static int make(int folder, const weir_queue_options *options,
                struct segment **out, weir_error *err)
{
    const struct queue_plan plan = { .capacity = options->capacity,
                                     .bytes = options->bytes,
                                     .overflow = options->overflow };
    const struct segment_plan segment = { .queues = &plan,
                                          .queue_count = 1,
                                          .member_count = options->members,
                                          .sink_count = APPENDED_MOST };
    CLEANUP_FD int fd = place_create(folder, options->mode, err);

    return fd < 0 ? fd : strangers_create(&segment, fd, out, err);
}

static int find(int folder, const char *name, struct segment **out,
                weir_error *err)
{
    struct queue_state state;
    CLEANUP_FD int fd = place_find(folder, name, err);
    int code;

    if (fd < 0)
        return fd;
    code = strangers_attach(fd, out, err);
    if (code == 0) {
        code = queue_state(*out, 0, clock_deadline(LOCK_NS), &state);
        if (code == 0)
            code = strangers_look(*out);
        if (code < 0)
            error_set(err, code,
                      code == WEIR_ETIMEDOUT
                          ? "its lock is held by a process that does not run"
                          : "it is damaged");
        if (code < 0)
            segment_free(out);
    }
    if (code < 0)
        error_prefix(err, "cannot use queue '%s'", name);
    if (code == WEIR_EBROKEN && err != NULL)
        code = error_set(err, code, "%s; 'weir queues --remove=%s' removes it",
                         err->text, name);
    return code < 0 ? code : 0;
}

/* One that others make, or remove, at the same time: tried again, a few times,
 * for two who make and remove without end are no reason to go on so. */
static int find_or_make(int folder, const char *name,
                        const weir_queue_options *options, unsigned flags,
                        struct segment **out, bool *made_out, weir_error *err)
{
    int code = -ENOENT;

    *made_out = false;
    for (int i = 0; i < 100; i++) {
        if ((flags & WEIR_QUEUE_EXCLUSIVE) == 0) {
            code = find(folder, name, out, err);
            if (code != -ENOENT)
                return code;
        }
        if ((flags & WEIR_QUEUE_CREATE) == 0)
            break;
        code = make(folder, options, out, err);
        if (code < 0) {
            error_prefix(err, "cannot make queue '%s'", name);
            return code;
        }
        WEIR_POINT("named.made");
        code = place_link(folder, segment_fd(*out), name, err);
        *made_out = code == 0;
        if (code == 0)
            return 0;
        segment_free(out);
        if (code != -EEXIST)
            return code;
        if ((flags & WEIR_QUEUE_EXCLUSIVE) != 0)
            return error_set(err, code, "there is a queue '%s' already", name);
    }
    return error_set(err, code, "there is no queue '%s'", name);
}

int queue_named_open(const char *name, const weir_queue_options *options,
                     unsigned flags, struct segment **out, bool *made_out,
                     weir_error *err)
{
    weir_queue_options known;
    CLEANUP_FD int folder = -1;
    int code = queue_known_options(options, &known, err);

    if (code < 0)
        return code;
    folder = place_open(err);
    if (folder < 0)
        return folder;
    return find_or_make(folder, name, &known, flags, out, made_out, err);
}

int weir_queue_open_named(const char *name, const weir_queue_options *options,
                          unsigned flags, weir_queue **queue_out,
                          weir_error *err)
{
    struct segment *segment = NULL;
    bool made;
    int code = place_check_name(name, err);

    if (code < 0)
        return code;
    if (queue_out == NULL ||
        (flags & ~(unsigned)(WEIR_QUEUE_CREATE | WEIR_QUEUE_EXCLUSIVE)) != 0 ||
        flags == WEIR_QUEUE_EXCLUSIVE)
        return error_set(err, WEIR_EINVAL,
                         "no place for the queue, or flags that are none");
    code = queue_named_open(name, options, flags, &segment, &made, err);
    if (code < 0)
        return code;
    code = queue_of(segment, queue_out);
    if (code < 0) {
        segment_free(&segment);
        return error_set(err, code, "no memory for a queue handle");
    }
    return 0;
}

int weir_queue_unlink(const char *name, weir_error *err)
{
    CLEANUP_FD int folder = -1;
    int code = place_check_name(name, err);

    if (code < 0)
        return code;
    folder = place_open(err);
    return folder < 0 ? folder : place_unlink(folder, name, err);
}

int weir_queue_names(int (*each)(const char *name, void *arg), void *arg,
                     weir_error *err)
{
    CLEANUP_FD int folder = -1;

    if (each == NULL)
        return error_set(err, WEIR_EINVAL, "nothing to call for each name");
    folder = place_open(err);
    return folder < 0 ? folder : place_each(folder, each, arg, err);
}

int weir_queue_members(weir_queue *queue, int32_t *pids, size_t room)
{
    if (queue == NULL || !queue_is_named(queue) || (pids == NULL && room > 0))
        return WEIR_EINVAL;
    if (!queue_is_own(queue))
        return WEIR_EPROCESS;
    return (int)strangers_pids(queue_segment(queue), pids,
                               room < MEMBERS_MOST ? (unsigned)room
                                                   : MEMBERS_MOST);
}
