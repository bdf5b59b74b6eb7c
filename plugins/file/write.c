/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * write.c - file.write: each item becomes a file, whole or not at all. Runs in
 * workers.
 *
 * The bytes go into a temporary file in the same folder, which is synced; the
 * rename belongs to the item's commit. What a killed worker left behind is
 * taken away by the next one that writes the same file (temporary.h).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink.h"
#include "temporary.h"

struct writing {
    struct file_root root;
    struct file_temporaries temporaries;
};

int file_write_check(weir_call *call)
{
    const struct file_write_param *param = weir_params(call);

    return file_path_check(call, param->path, param->root);
}

int file_write_open(weir_call *call)
{
    const struct file_write_param *param = weir_params(call);
    struct writing *state = calloc(1, sizeof *state);

    if (!state)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    state->root.fd = -1;
    file_temporaries_init(&state->temporaries);
    weir_set_state(call, state);
    return file_sink_root(call, param->root, true, &state->root);
}

static int fail_sync(weir_call *call, int code)
{
    return weir_fail(call, WEIR_FATAL,
                     "cannot sync a folder below '%.300s': %s",
                     ((const struct writing *)weir_state(call))->root.path,
                     strerror(-code));
}

/* The last names, too, are on disk when the stage ends. */
int file_write_flush(weir_call *call)
{
    const struct file_write_param *param = weir_params(call);
    const struct writing *state = weir_state(call);
    int code = param->sync ? file_temporaries_sync(&state->temporaries) : 0;

    return code < 0 ? fail_sync(call, code) : 0;
}

int file_write_close(weir_call *call)
{
    struct writing *state = weir_state(call);

    if (state) {
        file_temporaries_done(&state->temporaries);
        file_root_close(&state->root);
    }
    free(state);
    weir_set_state(call, NULL);
    return 0;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Some file systems say only when a file is closed that it has no room. */
static int close_copy(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (copy < 0 || (close(copy) < 0 && errno != EINTR))
        return -errno;
    return 0;
}

/* All of the item, and safe on disk. */
static int fill_file(int fd, weir_bytes in, bool sync)
{
    int code = write_all(fd, in.data, in.size);

    if (code < 0)
        return code;
    if (sync)
        return fsync(fd) < 0 ? -errno : 0;
    return close_copy(fd);
}

/* "root/folder/last", with @last instead of the name's own when given. */
static int absolute(const struct file_root *root, const struct file_name *name,
                    const char *last, char *out)
{
    const char *slash = strcmp(root->path, "/") == 0 ? "" : "/";
    int size = snprintf(out, PATH_MAX, "%s%s%.*s%s", root->path, slash,
                        (int)name->last, name->text,
                        last ? last : name->text + name->last);

    return size < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* A folder's name would fail in the commit only. */
static int check_final(int folder, const char *last)
{
    struct stat st;

    if (fstatat(folder, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    return S_ISDIR(st.st_mode) ? -EISDIR : 0;
}

/* The temporary file, complete; or it is not there. */
static int make_file(weir_call *call, const struct file_name *name,
                     struct file_temporary *it)
{
    const struct file_write_param *param = weir_params(call);
    struct writing *state = weir_state(call);
    const char *last = name->text + name->last;
    int code = check_final(it->folder, last);

    if (code < 0)
        return code;
    weir_id(call, &it->root, &it->path);
    it->fd = file_temporary_make(&state->temporaries, it->folder, last,
                                 it->root, it->path, it->name);
    if (it->fd < 0)
        return it->fd;
    code = fill_file(it->fd, weir_input(call), param->sync);
    if (code < 0) {
        unlinkat(it->folder, it->name, 0);
        close(it->fd);
    }
    return code;
}

/* Says what is to be renamed when the item is committed. Returns 0 or what run
 * returns. */
static int promise(weir_call *call, const struct file_name *name,
                   const struct file_temporary *it)
{
    const struct writing *state = weir_state(call);
    char from[PATH_MAX], to[PATH_MAX];
    int code = absolute(&state->root, name, it->name, from);

    if (code == 0)
        code = absolute(&state->root, name, NULL, to);
    if (code < 0)
        return file_fail(call, "write", name->text, code);
    return weir_rename(call, from, to);
}

/* Takes @folder over. */
static int write_item(weir_call *call, const struct file_name *name, int folder)
{
    const struct file_write_param *param = weir_params(call);
    struct writing *state = weir_state(call);
    struct file_temporary it = { .folder = folder };
    int code = make_file(call, name, &it);

    if (code < 0) {
        close(folder);
        return file_fail(call, "write", name->text, code);
    }
    code = promise(call, name, &it);
    if (code != 0) {
        unlinkat(folder, it.name, 0);
        close(it.fd);
        close(folder);
        return code;
    }
    code = file_temporary_keep(&state->temporaries, &it, param->sync);
    return code < 0 ? fail_sync(call, code) : 0;
}

int file_write_run(weir_call *call)
{
    const struct file_write_param *param = weir_params(call);
    const struct writing *state = weir_state(call);
    struct file_name name;
    int folder, code = file_path_expand(call, param->path, &name);

    if (code != 0)
        return code;
    folder = file_folder_open(&state->root, &name, true);
    if (folder < 0)
        return file_fail(call, "write", name.text, folder);
    return write_item(call, &name, folder);
}
