/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * append.c - file.append: each item is added to the end of a file, exactly
 * once. Runs in workers; the host writes, when the item is committed.
 *
 * Files stay open, since the host may still need a descriptor after the call;
 * when there are too many, the one that was used longest ago is closed.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink.h"

enum { FILES_MOST = 256 };

struct open_file {
    char *name;
    int fd;
    uint64_t used;
};

struct appending {
    struct file_root root;
    struct open_file files[FILES_MOST];
    size_t count;
    uint64_t clock;
};

int file_append_check(weir_call *call)
{
    const struct file_append_param *param = weir_params(call);

    return file_path_check(call, param->path, param->root);
}

int file_append_open(weir_call *call)
{
    const struct file_append_param *param = weir_params(call);
    struct appending *state = calloc(1, sizeof *state);

    if (!state)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    state->root.fd = -1;
    weir_set_state(call, state);
    return file_sink_root(call, param->root, true, &state->root);
}

static void forget(struct open_file *file)
{
    close(file->fd);
    free(file->name);
}

int file_append_close(weir_call *call)
{
    struct appending *state = weir_state(call);

    if (!state)
        return 0;
    for (size_t i = 0; i < state->count; i++)
        forget(&state->files[i]);
    file_root_close(&state->root);
    free(state);
    weir_set_state(call, NULL);
    return 0;
}

/* A descriptor or a negated errno. Not O_APPEND: the host says where. */
static int open_name(const struct file_root *root, const struct file_name *name)
{
    const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int folder = file_folder_open(root, name, true);
    struct stat st;
    int fd, code;

    if (folder < 0)
        return folder;
    fd = openat(folder, name->text + name->last, flags, 0666);
    if (fd < 0)
        fd = -errno;
    close(folder);
    if (fd < 0)
        return fd;
    code = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -ENXIO;
    if (code < 0)
        close(fd);
    return code < 0 ? code : fd;
}

/* A free place; the file that was used longest ago gives way. */
static struct open_file *place(struct appending *state)
{
    struct open_file *oldest = &state->files[0];

    if (state->count < FILES_MOST)
        return &state->files[state->count++];
    for (size_t i = 1; i < state->count; i++)
        if (state->files[i].used < oldest->used)
            oldest = &state->files[i];
    forget(oldest);
    return oldest;
}

static int find_fd(struct appending *state, const struct file_name *name)
{
    struct open_file *file;
    char *copy;
    int fd;

    for (size_t i = 0; i < state->count; i++)
        if (strcmp(state->files[i].name, name->text) == 0) {
            state->files[i].used = ++state->clock;
            return state->files[i].fd;
        }
    copy = strdup(name->text);
    if (!copy)
        return -ENOMEM;
    fd = open_name(&state->root, name);
    if (fd < 0) {
        free(copy);
        return fd;
    }
    file = place(state);
    *file = (struct open_file){ copy, fd, ++state->clock };
    return fd;
}

int file_append_run(weir_call *call)
{
    const struct file_append_param *param = weir_params(call);
    weir_bytes in = weir_input(call);
    const char *end = param->frame == FILE_FRAME_NUL ? "\0" : "\n";
    bool ended = param->frame == FILE_FRAME_RAW;
    struct file_name name;
    int fd, code = file_path_expand(call, param->path, &name);

    if (code != 0)
        return code;
    fd = find_fd(weir_state(call), &name);
    if (fd < 0)
        return file_fail(call, "append to", name.text, fd);
    if (param->frame == FILE_FRAME_LINE && in.size > 0)
        ended = ((const char *)in.data)[in.size - 1] == '\n';
    if (in.size > 0)
        code = weir_append(call, fd, in.data, in.size);
    if (code == 0 && !ended)
        code = weir_append(call, fd, end, 1);
    return code;
}
