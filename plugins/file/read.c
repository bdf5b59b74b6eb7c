/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read.c - file.read: the content of the file that an item names. Runs in
 * workers. The bytes go from the page cache into the queue's memory at once.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink.h"
#include "source.h"

struct reading {
    struct file_root root; /* fd -1: anywhere */
};

int file_read_check(weir_call *call)
{
    const struct file_read_param *param = weir_params(call);
    struct stat st;

    if (param->root[0] == '\0')
        return 0;
    if (stat(param->root, &st) < 0)
        return weir_refuse(call, "root", "cannot use '%s': %s", param->root,
                           strerror(errno));
    return file_path_check(call, param->path, param->root);
}

int file_read_open(weir_call *call)
{
    const struct file_read_param *param = weir_params(call);
    struct reading *state = calloc(1, sizeof *state);

    if (!state)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    state->root.fd = -1;
    weir_set_state(call, state);
    if (param->root[0] == '\0')
        return 0;
    return file_sink_root(call, param->root, false, &state->root);
}

int file_read_close(weir_call *call)
{
    struct reading *state = weir_state(call);

    if (state)
        file_root_close(&state->root);
    free(state);
    weir_set_state(call, NULL);
    return 0;
}

/* The item's bytes, or the template put out. Returns 0 or what run returns. */
static int find_path(weir_call *call, const char *template, char *out)
{
    weir_bytes in = weir_input(call);
    int size;

    if (template[0] != '\0') {
        size = weir_expand(call, template, out, PATH_MAX);
        if (size >= 0)
            return 0;
        if (size == WEIR_ETOOBIG)
            return weir_fail(call, WEIR_PERMANENT, "the path is too long");
        return size == WEIR_EEMPTY || size == WEIR_EINVAL ? WEIR_PERMANENT
                                                          : size;
    }
    if (in.size == 0)
        return weir_fail(call, WEIR_PERMANENT,
                         "the item is empty; it should be a path");
    if (in.size >= PATH_MAX)
        return weir_fail(call, WEIR_PERMANENT,
                         "the item is no path: it has %zu bytes", in.size);
    if (memchr(in.data, '\0', in.size))
        return weir_fail(call, WEIR_PERMANENT,
                         "the item is no path: it has a NUL byte");
    memcpy(out, in.data, in.size);
    out[in.size] = '\0';
    return 0;
}

/* A descriptor; or -1 and *code, what run returns. */
static int open_path(weir_call *call, const struct reading *state,
                     const char *path, int *code)
{
    struct file_name name;
    const char *why;
    int fd;

    if (state->root.fd < 0) {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        fd = fd < 0 ? -errno : fd;
    } else {
        why = file_name_parse(path, &name);
        if (why) {
            *code = weir_fail(call, WEIR_PERMANENT,
                              "the path '%.300s' is refused: %s", path, why);
            return -1;
        }
        fd = file_beneath_read(&state->root, &name);
    }
    if (fd < 0)
        *code = file_fail(call, "read", path, fd);
    return fd < 0 ? -1 : fd;
}

static int too_big(weir_call *call, const char *path, uint64_t bytes)
{
    const struct file_read_param *param = weir_params(call);

    return weir_fail(call, WEIR_PERMANENT,
                     "'%.300s' has %llu bytes or more, and 'size' is %llu; "
                     "raise it",
                     path, (unsigned long long)bytes,
                     (unsigned long long)param->size_bytes);
}

static int give_known(weir_call *call, int fd, const char *path, size_t size)
{
    void *data;
    ssize_t got;
    int code = weir_reserve(call, 0, size, &data);

    if (code < 0)
        return code;
    got = file_read_at(fd, data, size, 0);
    if (got < 0)
        return file_fail(call, "read", path, (int)got);
    return weir_submit(call, (size_t)got);
}

/* An empty file, or one of /proc that does not know its size. */
static int give_unknown(weir_call *call, int fd, const char *path)
{
    const struct file_read_param *param = weir_params(call);
    uint64_t room = 64 << 10;
    size_t size = 0;
    char *data = NULL;
    ssize_t got;
    int code = 0;

    for (;;) {
        char *grown = realloc(data, (size_t)room);

        if (!grown) {
            code = file_fail(call, "read", path, -ENOMEM);
            break;
        }
        data = grown;
        got = file_read_at(fd, data + size, (size_t)room - size, size);
        if (got < 0)
            code = file_fail(call, "read", path, (int)got);
        else
            size += (size_t)got;
        if (code == 0 && size > param->size_bytes)
            code = too_big(call, path, size);
        if (code != 0 || size < room)
            break;
        room *= 2;
    }
    if (code == 0)
        code = weir_emit(call, 0, data, size);
    free(data);
    return code;
}

static int give(weir_call *call, int fd, const char *path, size_t size)
{
    int code = weir_set_attr(call, "path", path, strlen(path));

    if (code < 0)
        return file_fail(call, "read", path,
                         code == WEIR_ETOOBIG ? -ENAMETOOLONG : code);
    return size > 0 ? give_known(call, fd, path, size)
                    : give_unknown(call, fd, path);
}

int file_read_run(weir_call *call)
{
    const struct file_read_param *param = weir_params(call);
    char path[PATH_MAX];
    struct stat st;
    int fd, code = find_path(call, param->path, path);

    if (code != 0)
        return code;
    fd = open_path(call, weir_state(call), path, &code);
    if (fd < 0)
        return code;
    if (fstat(fd, &st) < 0)
        code = file_fail(call, "read", path, -errno);
    else if (!S_ISREG(st.st_mode))
        code = file_fail(call, "read", path, -ENXIO);
    else if ((uint64_t)st.st_size > param->size_bytes)
        code = too_big(call, path, (uint64_t)st.st_size);
    else
        code = give(call, fd, path, (size_t)st.st_size);
    close(fd);
    return code;
}
