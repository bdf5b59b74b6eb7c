/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * torture_same.c - two runs of one job, compared: what the standard output and
 * the files of the standard sinks have in them, and what each stage took and
 * gave. Runs in the torturer.
 *
 * Where a stage has several workers, what it gives comes in any order: then
 * lines are compared, as often as each is there. The stages are looked at
 * upstream first, so the one that is named is where it began.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/torture.h"

enum { FILE_MOST = 1 << 30, SHOWN = 100, FD_MOST = 16 };

/* --------------------------------------------------------------- lines ---- */

struct line {
    const char *data;
    size_t size;
};

typedef VEC(struct line) lines;

static int by_bytes(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    size_t size = x->size < y->size ? x->size : y->size;
    int order = size > 0 ? memcmp(x->data, y->data, size) : 0;

    return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

static int cut_lines(const struct buf *bytes, char end, lines *out)
{
    size_t at = 0;

    while (at < bytes->size) {
        const char *data = bytes->data + at;
        const char *stop = memchr(data, end, bytes->size - at);
        struct line *line = VEC_ADD(out);

        if (line == NULL)
            return WEIR_ENOMEM;
        line->data = data;
        line->size = stop != NULL ? (size_t)(stop - data) : bytes->size - at;
        at += line->size + 1;
    }
    if (out->count > 0)
        qsort(out->at, out->count, sizeof *out->at, by_bytes);
    return 0;
}

static size_t count_like(const lines *all, size_t from, const struct line *it)
{
    size_t count = 0;

    while (from + count < all->count &&
           by_bytes(&all->at[from + count], it) == 0)
        count++;
    return count;
}

/* The first that is there more often in one than in the other. */
static int compare_lines(const lines *want, const lines *got, struct buf *found)
{
    size_t w = 0, g = 0;

    while (w < want->count || g < got->count) {
        const struct line *it = w == want->count  ? &got->at[g]
                                : g == got->count ? &want->at[w]
                                : by_bytes(&want->at[w], &got->at[g]) <= 0
                                    ? &want->at[w]
                                    : &got->at[g];
        size_t wanted = count_like(want, w, it), had = count_like(got, g, it);

        if (wanted != had) {
            buf_text(found, "\"");
            text_escape(found, it->data, it->size, SHOWN);
            buf_printf(found,
                       "\" is there %zu time%s, and undisturbed %zu time%s",
                       had, had == 1 ? "" : "s", wanted,
                       wanted == 1 ? "" : "s");
            return found->failed ? WEIR_ENOMEM : 1;
        }
        w += wanted;
        g += had;
    }
    return 0;
}

/* --------------------------------------------------------------- files ---- */

static int slurp(const char *folder, const char *name, struct buf *out)
{
    char path[PATH_MAX];
    CLEANUP_FD int fd = -1;

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return -ENAMETOOLONG;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd_slurp(fd, out, FILE_MOST);
}

/* 0: the same; 1: not, and how; or a code. */
static int compare_file(const struct torture_result *want,
                        const struct torture_result *got, const char *name,
                        char end, bool exact, struct buf *found)
{
    CLEANUP_BUF struct buf a = { 0 }, b = { 0 };
    lines x = { 0 }, y = { 0 };
    int code = slurp(want->folder, name, &a);

    if (code == 0)
        code = slurp(got->folder, name, &b);
    if (code < 0)
        return code;
    if (a.size == b.size &&
        (a.size == 0 || memcmp(a.data, b.data, a.size) == 0))
        return 0;
    code = cut_lines(&a, end, &x);
    if (code == 0)
        code = cut_lines(&b, end, &y);
    if (code == 0)
        code = compare_lines(&x, &y, found);
    if (code == 0 && exact) {
        buf_text(found, "the same lines are there, in another order");
        code = 1;
    }
    VEC_DONE(&x);
    VEC_DONE(&y);
    return code;
}

/* Names below a folder. nftw has no argument: one thread, one at a time. */
static struct names {
    VEC(char *) list;
    size_t skip; /* bytes in front of each */
    bool failed;
} names;

static int add_name(const char *path, const struct stat *st, int type,
                    struct FTW *ftw)
{
    char **slot;

    (void)st, (void)ftw;
    if (type != FTW_F)
        return 0;
    slot = VEC_ADD(&names.list);
    if (slot != NULL)
        *slot = strdup(path + names.skip);
    names.failed |= slot == NULL || *slot == NULL;
    return 0;
}

static void free_names(void)
{
    for (size_t i = 0; i < names.list.count; i++)
        free(names.list.at[i]);
    VEC_DONE(&names.list);
}

static int list_names(const char *folder, const char *below)
{
    char path[PATH_MAX];

    names = (struct names){ .skip = strlen(folder) + 1 };
    snprintf(path, sizeof path, "%s/%s", folder, below);
    if (access(path, F_OK) < 0)
        return 0;
    if (nftw(path, add_name, FD_MOST, FTW_PHYS) < 0 || names.failed) {
        free_names();
        return names.failed ? WEIR_ENOMEM : -errno;
    }
    return 0;
}

static bool is_there(const char *folder, const char *name)
{
    char path[PATH_MAX];

    return snprintf(path, sizeof path, "%s/%s", folder, name) <
               (int)sizeof path &&
           access(path, F_OK) == 0;
}

/* A temporary of file.write that a killed worker left is nobody's output. */
static bool is_output(const char *name)
{
    const char *last = strrchr(name, '/');

    return last == NULL || strncmp(last + 1, ".weir-", 6) != 0;
}

/* All that is in one run's folder, held against the other's; @there: whether
 * the contents are compared, too. */
static int compare_folder(const struct torture_result *one,
                          const struct torture_result *other, const char *below,
                          bool contents, bool exact, struct buf *found)
{
    int code = list_names(one->folder, below);

    for (size_t i = 0; i < names.list.count && code == 0; i++) {
        const char *name = names.list.at[i];

        if (!is_output(name))
            continue;
        if (!is_there(other->folder, name)) {
            buf_printf(found, "the file '%s' is %s there", name,
                       contents ? "not" : "there, and undisturbed not");
            code = 1;
        } else if (contents) {
            CLEANUP_BUF struct buf how = { 0 };

            code = compare_file(one, other, name, '\n', exact, &how);
            if (code == 1)
                buf_printf(found, "in the file '%s' %s", name, how.data);
        }
    }
    free_names();
    return code;
}

/* A root in which nothing is appended: each file is one item, byte for byte. */
static bool is_exact(const struct job *job, const char *below)
{
    for (size_t i = 0; i < job->stages.count; i++) {
        char other[96];

        if (!torture_is_sink(&job->stages.at[i]))
            continue;
        torture_root(job, i, other, sizeof other);
        if (strcmp(other, below) == 0 &&
            strcmp(job->stages.at[i].task, "append") == 0)
            return false;
    }
    return true;
}

static int compare_root(const struct torture *torture, const char *below,
                        const struct torture_result *want,
                        const struct torture_result *got, struct buf *found)
{
    bool exact = torture->ordered || is_exact(torture->job, below);
    int code = compare_folder(want, got, below, true, exact, found);

    return code != 0 ? code
                     : compare_folder(got, want, below, false, exact, found);
}

static int compare_files(const struct torture *torture,
                         const struct torture_result *want,
                         const struct torture_result *got, struct buf *found)
{
    const struct job *job = torture->job;
    char below[96], done[96] = "";
    int code = 0;

    for (size_t i = 0; i < job->stages.count && code == 0; i++) {
        if (!torture_is_sink(&job->stages.at[i]))
            continue;
        torture_root(job, i, below, sizeof below);
        if (strcmp(below, done) != 0)
            code = compare_root(torture, below, want, got, found);
        snprintf(done, sizeof done, "%s", below);
    }
    return code;
}

/* --------------------------------------------------------------- books ---- */

static int differs(struct buf *found, const char *stage, const char *what,
                   uint64_t want, uint64_t got)
{
    if (want == got)
        return 0;
    buf_printf(found, "stage '%s' %s %" PRIu64 ", and undisturbed %" PRIu64,
               stage, what, got, want);
    return 1;
}

/* What it gave, by number and by content; a stage that gives the same for what
 * it takes is not the one where it began. */
static int compare_stage(const struct torture *torture, size_t number,
                         const struct torture_result *a,
                         const struct torture_result *b, struct buf *found)
{
    const struct torture_stage *want = &a->stages.at[number];
    const struct torture_stage *got = &b->stages.at[number];
    const char *name = torture->job->stages.at[number].name;
    int code = 0;

    if (torture->sights[number].settles) {
        code = differs(found, name, "failed at", want->failed, got->failed);
        if (code == 1 && b->failures.count > 0)
            buf_printf(found, " (%s)", b->failures.at[0]);
        if (code == 0)
            code = differs(found, name, "left out", want->skipped,
                           got->skipped);
        if (code == 0)
            code = differs(found, name, "took", want->taken, got->taken);
        if (code == 0)
            code = differs(found, name, "has done", want->done, got->done);
    }
    if (code == 0 && torture->sights[number].gives) {
        code = differs(found, name, "gave", want->given, got->given);
        if (code == 0 && want->digest != got->digest) {
            buf_printf(found, "stage '%s' gave other bytes than undisturbed",
                       name);
            code = 1;
        }
    }
    return code;
}

static int compare_books(const struct torture *torture,
                         const struct torture_result *want,
                         const struct torture_result *got, struct buf *found)
{
    const struct job *job = torture->job;
    int code = 0;

    if (want->status != got->status || got->status > 1) {
        buf_printf(found, "the run ends with status %d, and undisturbed %d",
                   got->status, want->status);
        if (got->why != NULL && got->why[0] != '\0')
            buf_printf(found, ": %s", got->why);
        if (got->status > 1)
            return 1;
        buf_cut(found, 0); /* what failed says more */
    }
    for (size_t i = 0; i < job->stage_order.count && code == 0; i++)
        code = compare_stage(torture, (size_t)job->stage_order.at[i], want, got,
                             found);
    return code;
}

/* --------------------------------------------------------------- all of it --
 */

/* Upstream first; beside the stage, where it is to be seen. */
int torture_same(const struct torture *torture,
                 const struct torture_result *want,
                 const struct torture_result *got, char **found_out,
                 weir_error *err)
{
    CLEANUP_BUF struct buf found = { 0 }, seen = { 0 };
    char end = torture->job->stdout_frame == FRAME_NUL ? '\0' : '\n';
    int books = compare_books(torture, want, got, &found), code = 0;

    if (books >= 0 && got->status <= 1 && torture->job->uses_stdout) {
        code = compare_file(want, got, "stdout", end, torture->ordered, &seen);
        if (code == 1)
            buf_text(&found, found.size > 0 ? "; on standard output "
                                            : "on standard output ");
    }
    if (books >= 0 && code == 0 && got->status <= 1) {
        code = compare_files(torture, want, got, &seen);
        if (code == 1 && found.size > 0)
            buf_text(&found, "; ");
    }
    if (books < 0 || code < 0)
        return error_sys(err, books < 0 ? books : code,
                         "two runs cannot be compared");
    if (seen.size > 0)
        buf_add(&found, seen.data, seen.size);
    if (found.failed || seen.failed)
        return error_sys(err, WEIR_ENOMEM, "two runs cannot be compared");
    *found_out = found.size > 0 ? found.data : NULL;
    if (*found_out != NULL)
        found = (struct buf){ 0 };
    return 0;
}
