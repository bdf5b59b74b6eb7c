/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sink.c - paths out of templates, and verdicts. Runs in workers, and in the
 * vetting child. */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sink.h"

/* Whether a component is `..` before anything has been put out. */
static bool goes_up(const char *path)
{
    for (const char *at = path; *at != '\0';) {
        size_t size = strcspn(at, "/");

        if (size == 2 && at[0] == '.' && at[1] == '.')
            return true;
        at += size + (at[size] == '/');
    }
    return false;
}

int file_path_check(weir_call *call, const char *path, const char *root)
{
    struct stat st;

    if (path[0] == '/')
        return weir_refuse(call, "path",
                           "'%s' is absolute; give the folder as 'root' and "
                           "the rest as 'path'",
                           path);
    if (goes_up(path))
        return weir_refuse(call, "path",
                           "'%s' has '..' in it, and would leave 'root'", path);
    if (root[0] != '\0' && stat(root, &st) == 0 && !S_ISDIR(st.st_mode))
        return weir_refuse(call, "root", "'%s' is no folder", root);
    return 0;
}

int file_path_expand(weir_call *call, const char *text, struct file_name *out)
{
    char path[PATH_MAX];
    const char *why;
    int size = weir_expand(call, text, path, sizeof path);

    if (size == WEIR_ETOOBIG)
        return weir_fail(call, WEIR_PERMANENT, "the path is too long");
    if (size < 0)
        return size == WEIR_EEMPTY || size == WEIR_EINVAL ? WEIR_PERMANENT
                                                          : size;
    why = file_name_parse(path, out);
    if (why)
        return weir_fail(call, WEIR_PERMANENT,
                         "the path '%.300s' is refused: "
                         "%s",
                         path, why);
    return 0;
}

int file_sink_root(weir_call *call, const char *path, bool make,
                   struct file_root *out)
{
    int code = file_root_open(path, make, out);

    if (code < 0)
        return weir_fail(call, WEIR_FATAL,
                         "cannot open the folder '%.300s': "
                         "%s",
                         path, strerror(-code));
    return 0;
}

static enum weir_verdict verdict(int code)
{
    static const int passing[] = { ENOSPC, EDQUOT, ENOMEM, EMFILE, ENFILE,
                                   EAGAIN, EEXIST, EBUSY,  ETXTBSY };

    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (passing[i] == -code)
            return WEIR_TRANSIENT;
    return WEIR_PERMANENT;
}

int file_fail(weir_call *call, const char *verb, const char *path, int code)
{
    const char *why = strerror(-code);

    if (code == -ELOOP)
        why = "a symbolic link is in the way";
    else if (code == -ENXIO)
        why = "it is no regular file";
    return weir_fail(call, verdict(code), "cannot %s '%.300s': %s", verb, path,
                     why);
}
