/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.c - the file at hand of file.lines and file.blocks. Runs in workers;
 * file_source_check in the vetting child.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source.h"

/* People know `**` from elsewhere; here it would be a `*`, silently. Braces
 * are for what is looked for, not for what is matched with. */
static int check_glob(weir_call *call, const char *param, const char *glob,
                      bool braces)
{
    if (braces && access(glob, F_OK) == 0) /* taken as it is written */
        return 0;
    if (strstr(glob, "**"))
        return weir_refuse(call, param,
                           "'%s': there is no '**'; name the folder in "
                           "'paths', and the files in 'include'",
                           glob);
    if (!braces && strchr(glob, '{'))
        return weir_refuse(call, param,
                           "'%s': braces are for 'paths'; write a list here",
                           glob);
    return 0;
}

static int check_globs(weir_call *call, const char *param,
                       const weir_list *globs, bool braces)
{
    int code = 0;

    for (size_t i = 0; i < globs->count && code == 0; i++)
        code = check_glob(call, param, globs->items[i], braces);
    return code;
}

static int check_entry(weir_call *call, const char *entry)
{
    int code = file_walk_probe(entry);

    if (code == -ENOENT && entry[0] == '\0')
        return weir_refuse(call, "paths", "an entry is empty");
    if (code == -ENOENT && strpbrk(entry, "*?[{"))
        return weir_refuse(call, "paths", "'%s' matches no file", entry);
    if (code == -ENOENT)
        return weir_refuse(call, "paths", "no such file: '%s'", entry);
    if (code < 0)
        return weir_refuse(call, "paths", "cannot read '%s': %s", entry,
                           strerror(-code));
    return 0;
}

int file_source_check(weir_call *call)
{
    const struct file_source_param *param = weir_params(call);
    int code = check_globs(call, "paths", &param->paths, true);

    if (code == 0)
        code = check_globs(call, "include", &param->include, false);
    if (code == 0)
        code = check_globs(call, "exclude", &param->exclude, false);
    if (param->missing == FILE_REFUSE)
        for (size_t i = 0; i < param->paths.count && code == 0; i++)
            code = check_entry(call, param->paths.items[i]);
    return code;
}

ssize_t file_read_at(int fd, void *data, size_t size, uint64_t offset)
{
    size_t got = 0;

    while (got < size) {
        ssize_t n = pread(fd, (char *)data + got, size - got,
                          (off_t)(offset + got));

        if (n == 0)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

int file_source_at_end(const struct file_source *source, bool *out)
{
    const struct file_place *place = &source->place;
    ssize_t got = 1;
    char byte;

    if (place->flags & FILE_DONE)
        got = 0;
    else if (place->end > 0)
        got = place->offset < place->end;
    else
        got = file_read_at(source->fd, &byte, 1, place->offset);
    *out = got == 0;
    return got < 0 ? (int)got : 0;
}

size_t file_source_room(const struct file_source *source, uint64_t size)
{
    const struct file_place *place = &source->place;

    if (place->end > 0 && place->end - place->offset < size)
        size = place->end - place->offset;
    return (size_t)size;
}

static void close_file(struct file_source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    source->fd = -1;
    source->at = source->fill = 0;
}

/* Behind the file at hand, or what was met instead of one. */
static void leave_file(struct file_source *source)
{
    close_file(source);
    source->place = (struct file_place){
        .count = file_walk_count(source->walk),
        .hash = file_walk_hash(source->walk),
    };
}

int file_source_set(weir_call *call, struct file_source *source)
{
    return weir_set_cursor(call, &source->place, sizeof source->place);
}

/* Now, or at the start of the next call when this one has emitted. */
static int tell(weir_call *call, struct file_source *source)
{
    int code;

    if (source->emitted > 0)
        return FILE_ENOUGH;
    code = file_source_set(call, source);
    if (code < 0)
        return code;
    code = weir_fail(call, WEIR_PERMANENT, "%s", source->why);
    source->why[0] = '\0';
    return code;
}

/* The task is opened again, where it was. */
static int try_again(weir_call *call, const struct file_source *source,
                     int code)
{
    return weir_fail(call, WEIR_TRANSIENT, "cannot read '%s' now: %s",
                     file_walk_path(source->walk), strerror(-code));
}

static void broken(struct file_source *source, int code)
{
    snprintf(source->why, sizeof source->why, "cannot read '%s': %s",
             file_walk_path(source->walk),
             code == -ENXIO ? "it is no regular file" : strerror(-code));
    leave_file(source);
}

int file_source_broken(weir_call *call, struct file_source *source, int code)
{
    if (file_may_pass(code))
        return try_again(call, source, code);
    broken(source, code);
    return tell(call, source);
}

int file_source_too_long(weir_call *call, struct file_source *source)
{
    snprintf(source->why, sizeof source->why,
             "'%s': the record at byte %llu is longer than 'size', %llu "
             "bytes; raise it",
             file_walk_path(source->walk),
             (unsigned long long)source->place.offset,
             (unsigned long long)source->param->size_bytes);
    source->place.flags |= FILE_SKIPPING;
    source->at = source->fill = 0;
    return tell(call, source);
}

/* Opens the file that the walk has found: 0 or a negated errno, -ENXIO for
 * what is no regular file. O_NONBLOCK: a pipe must not make us wait. */
static int open_file(struct file_source *source)
{
    struct stat st;
    int fd = open(file_walk_path(source->walk),
                  O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int code;

    if (fd < 0)
        return -errno;
    code = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -ENXIO;
    if (code < 0) {
        close(fd);
        return code;
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    if (!(source->place.flags & FILE_INSIDE))
        source->place = (struct file_place){
            .flags = FILE_INSIDE,
            .count = file_walk_count(source->walk),
            .hash = file_walk_hash(source->walk),
            .end = (uint64_t)st.st_size,
        };
    source->fd = fd;
    return 0;
}

static int set_path(weir_call *call, struct file_source *source)
{
    const char *path = file_walk_path(source->walk);

    return weir_set_attr(call, "path", path, strlen(path));
}

int file_source_named(weir_call *call, struct file_source *source, int code)
{
    if (code == WEIR_ETOOBIG) /* with what else attributes may hold */
        return file_source_broken(call, source, -ENAMETOOLONG);
    return code < 0 ? weir_fail(call, WEIR_TRANSIENT, "no memory") : 0;
}

int file_source_step(weir_call *call, struct file_source *source)
{
    enum file_event event;
    int code;

    if (source->fd >= 0)
        leave_file(source);
    code = file_walk_next(source->walk, &event);
    if (code < 0)
        return weir_fail(call, WEIR_TRANSIENT, "no memory for file names");
    if (event == FILE_FOUND)
        return 0;
    if (event == FILE_BAD)
        return file_source_broken(call, source, file_walk_code(source->walk));
    if (source->emitted > 0)
        return FILE_ENOUGH;
    code = file_source_set(call, source);
    return code < 0 ? code : WEIR_END;
}

int file_source_passed(weir_call *call, struct file_source *source)
{
    leave_file(source);
    return file_source_set(call, source);
}

int file_source_next(weir_call *call, struct file_source *source)
{
    int code = file_source_step(call, source);

    if (code != 0)
        return code;
    code = open_file(source);
    if (code < 0)
        return file_source_broken(call, source, code);
    return file_source_named(call, source, set_path(call, source));
}

/* Looks for the end of a record that is too long, at most 16 MiB further. */
static int skip(weir_call *call, struct file_source *source)
{
    static const size_t piece = 64 << 10;
    char *data = malloc(piece);
    int end = source->param->terminator == FILE_NUL ? '\0' : '\n';
    ssize_t got = 1;
    const char *found = NULL;

    if (!data)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    for (unsigned i = 0; i < 256 && got > 0 && !found; i++) {
        size_t room = file_source_room(source, piece);

        got = file_read_at(source->fd, data, room, source->place.offset);
        if (got > 0)
            found = memchr(data, end, (size_t)got);
        if (got > 0)
            source->place.offset += found ? (uint64_t)(found - data) + 1
                                          : (uint64_t)got;
    }
    free(data);
    if (got < 0)
        return file_source_broken(call, source, (int)got);
    if (found || got == 0) {
        source->place.flags &= ~(uint32_t)FILE_SKIPPING;
        source->place.line++;
    }
    return file_source_set(call, source);
}

int file_source_start(weir_call *call, struct file_source *source)
{
    source->emitted = 0;
    return source->why[0] != '\0' ? tell(call, source) : 0;
}

int file_source_begin(weir_call *call, struct file_source *source)
{
    int code = file_source_start(call, source);

    if (code != 0)
        return code;
    if (source->fd < 0)
        return file_source_next(call, source);
    if (source->place.flags & FILE_SKIPPING) {
        code = skip(call, source);
        return code == 0 ? FILE_ENOUGH : code;
    }
    return set_path(call, source);
}

/* To the place where a predecessor was. */
static int resume(weir_call *call, struct file_source *source)
{
    enum file_event event;
    weir_bytes cursor;
    int code = weir_cursor(call, &cursor);

    if (code < 0 || cursor.size == 0)
        return code;
    if (cursor.size != sizeof source->place)
        return weir_fail(call, WEIR_FATAL, "the cursor is of another version");
    memcpy(&source->place, cursor.data, sizeof source->place);
    code = file_walk_seek(source->walk, source->place.count, source->place.hash,
                          &event);
    if (code == WEIR_EEMPTY)
        return weir_fail(call, WEIR_FATAL,
                         "the file that was being read is gone, so the place "
                         "to go on is not known");
    if (code == WEIR_ENOMEM)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    if (code < 0)
        return try_again(call, source, code);
    if (!(source->place.flags & FILE_INSIDE))
        return 0;
    code = event == FILE_BAD ? file_walk_code(source->walk) : open_file(source);
    if (file_may_pass(code))
        return try_again(call, source, code);
    if (code < 0)
        broken(source, code);
    return 0;
}

int file_source_open(weir_call *call)
{
    const struct file_source_param *param = weir_params(call);
    const struct file_choice choice = {
        .paths = param->paths,
        .include = param->include,
        .exclude = param->exclude,
        .may_miss = param->missing == FILE_SKIP,
    };
    struct file_source *source = calloc(1, sizeof *source);

    if (!source || file_walk_new(&choice, &source->walk) < 0) {
        free(source);
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    }
    source->param = param;
    source->fd = -1;
    weir_set_state(call, source);
    return resume(call, source);
}

int file_source_close(weir_call *call)
{
    struct file_source *source = weir_state(call);

    if (!source)
        return 0;
    close_file(source);
    file_walk_free(&source->walk);
    free(source->buffer);
    free(source);
    weir_set_state(call, NULL);
    return 0;
}
