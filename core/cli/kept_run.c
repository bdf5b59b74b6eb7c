/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kept_run.c - the folder in which a run keeps its failed items. The command's
 * own process. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/kept_run.h"

/* ---------------------------------------------------------------- a run ----
 */

static bool read_limits(const struct kept_args *args, bool journal,
                        struct run_keep *keep)
{
    weir_error err = { 0 };
    int code = 0;

    keep->most_bytes = FAILED_BYTES;
    keep->most_age_ns = FOREVER;
    if (args->size != NULL &&
        (code = text_size(args->size, &keep->most_bytes, &err)) < 0)
        complain("option '--failed-size': %s", err.text);
    else if (args->age != NULL &&
             (code = text_duration(args->age, &keep->most_age_ns, &err)) < 0)
        complain("option '--failed-age': %s", err.text);
    if (code == 0 && args->folder == NULL && !journal &&
        (args->size || args->age)) {
        complain("--failed-size and --failed-age go with --keep-failed or "
                 "--journal");
        return false;
    }
    return code == 0;
}

/* The run itself may be under way, or be resumed. */
static bool lock_run(struct keeping_run *keeping, const char *folder)
{
    CLEANUP_FREE char *files = NULL;
    weir_error err = { 0 };
    int code = 0;

    if (asprintf(&files, "%s" JOURNAL_FILES, folder) < 0)
        code = error_sys(&err, WEIR_ENOMEM, "cannot lock '%s'", folder);
    else if (access(files, F_OK) == 0 || errno != ENOENT)
        code = folder_find(NULL, folder, &keeping->run, &err);
    if (code == 0 && keeping->run.path != NULL)
        code = folder_lock(&keeping->run, &err);
    if (code < 0)
        complain_error(&err);
    return code == 0;
}

/* SQLite locks the file; this is for the run, and another lock. */
bool kept_lock(struct keeping_run *keeping)
{
    char *end = strrchr(keeping->file, '/');
    CLEANUP_FREE char *folder = strndup(keeping->file,
                                        (size_t)(end - keeping->file) + 1);

    if (folder == NULL) {
        complain_memory();
        return false;
    }
    keeping->lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (keeping->lock >= 0 && flock(keeping->lock, LOCK_EX | LOCK_NB) == 0)
        return lock_run(keeping, folder);
    if (errno == EWOULDBLOCK)
        complain("another run or replay works in '%s' now", folder);
    else
        complain("cannot lock '%s': %s", folder, strerror(errno));
    return false;
}

static bool set_file(struct keeping_run *keeping, const char *folder)
{
    CLEANUP_FREE char *full = realpath(folder, NULL);

    if (full == NULL) {
        complain("cannot use '%s': %s", folder, strerror(errno));
        return false;
    }
    if (asprintf(&keeping->file, "%s/" FAILED_FILE, full) < 0) {
        keeping->file = NULL;
        complain_memory();
        return false;
    }
    keeping->keep.file = keeping->file;
    return true;
}

enum status kept_begin(const struct kept_args *args, bool journal,
                       struct keeping_run *out)
{
    *out = (struct keeping_run)KEEPING_NONE;
    if (!read_limits(args, journal, &out->keep))
        return STATUS_WRONG;
    if (args->folder == NULL)
        return STATUS_GOOD;
    if (mkdir(args->folder, 0777) < 0 && errno != EEXIST) {
        complain("cannot make '%s': %s", args->folder, strerror(errno));
        return STATUS_BROKEN;
    }
    if (!set_file(out, args->folder) || !kept_lock(out))
        return STATUS_BROKEN;
    /* Ids are the same in every run over the same input. */
    if (access(out->file, F_OK) == 0 || errno != ENOENT) {
        complain("'%s' has the failed items of another run: remove them, or "
                 "choose another folder",
                 args->folder);
        return STATUS_WRONG;
    }
    return STATUS_GOOD;
}

/* A pair; @value is copied when @own. */
static bool add_fact(struct keeping_run *keeping, const char *name,
                     const char *value, bool own)
{
    const char *both[] = { name, value };
    char **slot = NULL;

    if (own && (slot = VEC_ADD(&keeping->owned)) != NULL)
        both[1] = *slot = strdup(value);
    for (int i = 0; i < 2; i++) {
        const char **at = VEC_ADD(&keeping->facts);

        if (at == NULL || both[i] == NULL || (own && slot == NULL))
            return false;
        *at = both[i];
    }
    return true;
}

static bool add_numbered(struct keeping_run *keeping, const char *what,
                         size_t number, const char *value)
{
    char **slot = VEC_ADD(&keeping->owned);

    if (slot == NULL || asprintf(slot, "%s.%zu", what, number) < 0)
        return false;
    return add_fact(keeping, *slot, value, false);
}

static bool add_facts(struct keeping_run *keeping, const struct job *job,
                      const struct job_options *options)
{
    char full[PATH_MAX] = "-", here[PATH_MAX] = "", number[16];
    bool good;

    if (strcmp(options->file, "-") != 0 && !realpath(options->file, full))
        return false;
    if (!getcwd(here, sizeof here))
        return false;
    snprintf(number, sizeof number, "%u", options->workers);
    good = add_fact(keeping, "job", job->name, false) &&
           add_fact(keeping, "text", job->text, false) &&
           add_fact(keeping, "file", full, true) &&
           add_fact(keeping, "folder", here, true) &&
           add_fact(keeping, "workers", number, true);
    for (size_t i = 0; options->sets && options->sets[i] && good; i++)
        good = add_numbered(keeping, "set", i, options->sets[i]);
    for (size_t i = 0; i < job->path.folders.count && good; i++)
        good = add_numbered(keeping, "plugins", i,
                            job->path.folders.at[i].path);
    return good && VEC_ADD(&keeping->facts) != NULL; /* the NULL */
}

enum status kept_describe(struct keeping_run *keeping, const struct job *job,
                          const struct job_options *options)
{
    if (!add_facts(keeping, job, options)) {
        complain("cannot note of what the failed items are: %m");
        return STATUS_BROKEN;
    }
    keeping->keep.facts = keeping->facts.at;
    return STATUS_GOOD;
}

void kept_done(struct keeping_run *keeping)
{
    for (size_t i = 0; i < keeping->owned.count; i++)
        free(keeping->owned.at[i]);
    VEC_DONE(&keeping->owned);
    VEC_DONE(&keeping->facts);
    free(keeping->file);
    fd_close(&keeping->lock);
    folder_done(&keeping->run);
}

/* ------------------------------------------------------------ looking ---- */

char *kept_file(const char *run)
{
    CLEANUP_FREE char *full = realpath(run, NULL);
    CLEANUP_FREE char *base = NULL;
    struct run_folder folder = { .lock = -1 };
    char *file = NULL;

    if (full != NULL)
        return asprintf(&file, "%s/" FAILED_FILE, full) < 0 ? NULL : file;
    base = folder_base(NULL, NULL);
    if (base != NULL && folder_find(base, run, &folder, NULL) == 0)
        file = folder_file(&folder, FAILED_FILE);
    folder_done(&folder);
    return file;
}

enum status kept_open(const char *run, struct failed_store **out,
                      char **file_out)
{
    char *file = kept_file(run);
    weir_error err = { 0 };
    int code = file != NULL ? failed_open(file, FAILED_READ, out, &err)
                            : -ENOENT;

    if (code == 0) {
        *file_out = file;
        return STATUS_GOOD;
    }
    free(file);
    if (code == -ENOENT)
        complain(
            "'%s' is no folder of a run that keeps failed items ('weir run "
            "--keep-failed=FOLDER' makes one)",
            run);
    else
        complain_error(&err);
    return code == -ENOENT || code == WEIR_ESTATE ? STATUS_WRONG
                                                  : STATUS_BROKEN;
}

bool kept_fact(struct failed_store *store, const char *name, struct buf *out)
{
    weir_error err = { 0 };
    int code;

    buf_cut(out, 0);
    buf_text(out, "");
    code = failed_fact(store, name, out, &err);
    if (code < 0 && code != WEIR_EEMPTY)
        complain_error(&err);
    return code == 0 || code == WEIR_EEMPTY;
}

/* Just @digits of them, to the end of the text or of these. */
static bool read_hex(const char *text, size_t digits, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < digits; i++) {
        const char *hex = "0123456789abcdef";
        const char *at = text[i] != '\0' ? strchr(hex, text[i] | 0x20) : NULL;

        if (at == NULL)
            return false;
        *out = *out << 4 | (uint64_t)(at - hex);
    }
    return true;
}

bool kept_id(const char *text, struct failed_filter *filter)
{
    filter->by_id = strlen(text) == 32 && read_hex(text, 16, &filter->root) &&
                    read_hex(text + 16, 16, &filter->path);
    if (!filter->by_id)
        complain("'%s' is no id of an item: 32 digits, as 'weir failed' and "
                 "the report show them",
                 text);
    return filter->by_id;
}

bool kept_cause(const char *text, struct failed_filter *filter)
{
    uint64_t cause;

    filter->by_cause = strlen(text) == 8 && read_hex(text, 8, &cause);
    if (filter->by_cause)
        filter->cause = (uint32_t)cause;
    else
        complain("'%s' is no cause: 8 digits, as 'weir failed' shows them",
                 text);
    return filter->by_cause;
}

char *kept_id_text(char *out, uint64_t root, uint64_t path)
{
    snprintf(out, KEPT_ID_ROOM, "%016" PRIx64 "%016" PRIx64, root, path);
    return out;
}
