/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trust.c - may others change what stands under this name?
 *
 * The way to a file is walked as the kernel walks it, one component after the
 * other, and every hop of every symlink again from there. Each component must
 * belong to root or to the user of this process, and none may be written by
 * its group or by others; the exception is a folder of root with the sticky
 * bit, where nobody can take away or replace what belongs to somebody else.
 * So nobody else can exchange a component between this check and the load.
 *
 * POSIX ACLs show in the group bits (their mask), so they are covered.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "plugin/internal.h"

/* As the kernel's own limit (path_resolution(7)). */
enum { HOPS_MAX = 40 };

struct walk {
    struct buf done; /* resolved so far, "" is the root */
    char *rest;      /* still to go */
    unsigned hops;
    weir_error *err;
};

static const char *shown(const struct walk *walk)
{
    return walk->done.size > 0 ? walk->done.data : "/";
}

static const char *cure(mode_t mode)
{
    if ((mode & 022) == 022)
        return "go-w";
    return mode & 020 ? "g-w" : "o-w";
}

static int judge(const struct walk *walk, const struct stat *st)
{
    const char *kind = S_ISDIR(st->st_mode)   ? "folder"
                       : S_ISLNK(st->st_mode) ? "symlink"
                                              : "file";

    if (st->st_uid != 0 && st->st_uid != geteuid())
        return error_set(walk->err, WEIR_ETRUST,
                         "%s '%s' belongs to user %u, not to root or to you; "
                         "chown it",
                         kind, shown(walk), (unsigned)st->st_uid);
    if (S_ISLNK(st->st_mode) || !(st->st_mode & 022))
        return 0;
    if (S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX && st->st_uid == 0)
        return 0;
    return error_set(walk->err, WEIR_ETRUST,
                     "others may write %s '%s'; chmod %s '%s'", kind,
                     shown(walk), cure(st->st_mode), shown(walk));
}

/* Puts the link's target before the rest of the way. */
static int follow(struct walk *walk, size_t parent)
{
    char target[4096];
    ssize_t size = readlink(walk->done.data, target, sizeof target - 1);
    char *rest;

    if (size < 0)
        return error_sys(walk->err, -errno, "cannot read the symlink '%s'",
                         shown(walk));
    target[size] = '\0';
    if (++walk->hops > HOPS_MAX)
        return error_sys(walk->err, -ELOOP, "cannot follow '%s'", shown(walk));
    if (asprintf(&rest, "%s/%s", target, walk->rest) < 0)
        return error_sys(walk->err, WEIR_ENOMEM, "cannot follow '%s'",
                         shown(walk));
    free(walk->rest);
    walk->rest = rest;
    buf_cut(&walk->done, target[0] == '/' ? 0 : parent);
    return 0;
}

static int look(struct walk *walk, size_t parent)
{
    struct stat st;
    int code;

    if (walk->done.failed)
        return error_sys(walk->err, WEIR_ENOMEM, "cannot check a path");
    if (lstat(shown(walk), &st) < 0)
        return error_sys(walk->err, -errno, "cannot look at '%s'", shown(walk));
    code = judge(walk, &st);
    if (code < 0)
        return code;
    if (S_ISLNK(st.st_mode))
        return follow(walk, parent);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return error_set(walk->err, WEIR_ETRUST,
                         "'%s' is neither a folder nor a regular file",
                         shown(walk));
    if (!S_ISDIR(st.st_mode) && walk->rest[strspn(walk->rest, "/")] != '\0')
        return error_sys(walk->err, -ENOTDIR, "cannot go through '%s'",
                         shown(walk));
    return 0;
}

/* Back to the parent, which has been judged on the way in. */
static void up(struct walk *walk)
{
    const char *slash = walk->done.size > 0 ? strrchr(walk->done.data, '/')
                                            : NULL;

    buf_cut(&walk->done, slash ? (size_t)(slash - walk->done.data) : 0);
}

static int step(struct walk *walk)
{
    size_t skip = strspn(walk->rest, "/");
    size_t size = strcspn(walk->rest + skip, "/");
    size_t parent = walk->done.size;
    char *name = walk->rest + skip;
    int code = 0;

    if (size == 2 && name[0] == '.' && name[1] == '.') {
        up(walk);
    } else if (size > 0 && !(size == 1 && name[0] == '.')) {
        buf_char(&walk->done, '/');
        buf_add(&walk->done, name, size);
        memmove(walk->rest, name + size, strlen(name + size) + 1);
        return look(walk, parent);
    }
    memmove(walk->rest, name + size, strlen(name + size) + 1);
    return code;
}

int trust_check(const char *path, weir_error *err)
{
    struct walk walk = { .err = err };
    int code;

    if (path[0] != '/')
        return error_set(err, WEIR_EINVAL, "'%s' is not an absolute path",
                         path);
    walk.rest = strdup(path);
    code = walk.rest ? look(&walk, 0)
                     : error_sys(err, WEIR_ENOMEM, "cannot check a path");
    while (code == 0 && walk.rest[0] != '\0')
        code = step(&walk);
    free(walk.rest);
    buf_done(&walk.done);
    return code;
}
