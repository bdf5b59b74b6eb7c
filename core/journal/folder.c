/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * folder.c - run folders: made, found, listed, locked. Runs in the command's
 * own process.
 *
 * THE LOCK is a flock of RUN/files, and so belongs to the open file. The
 * supervisor opens it and hands that very open file to all processes that may
 * still change something: workers, the journal, who writes stdout. So a run
 * that was killed is free when the last of them is gone, and not before: none
 * can write behind the back of who resumes.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/stat.h"
#include "base/sync.h"
#include "journal/journal.h"

enum { TRIES = 100, HOLDER_MOST = 512 };

/* So long may the processes of a run that was killed take to end. */
#define END_NS (5 * NS_PER_S)
#define END_PAUSE_US 5000

static int64_t ns_of(struct timespec time)
{
    return time.tv_sec * NS_PER_S + time.tv_nsec;
}

int folder_here(char **out, weir_error *err)
{
    char *here = getcwd(NULL, 0);
    /* "(unreachable)/x" is how Linux names a folder outside the root. */
    int code = here == NULL ? -errno : here[0] != '/' ? -ENOENT : 0;

    if (code < 0) {
        free(here);
        return error_sys(err, code, "cannot name the working directory");
    }
    *out = here;
    return 0;
}

char *folder_base(const char *given, weir_error *err)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    CLEANUP_FREE char *here = NULL;
    char *base = NULL;
    int size = 0;

    if (given != NULL && given[0] == '/') {
        base = strdup(given);
    } else if (given != NULL && given[0] != '\0') {
        if (folder_here(&here, err) < 0)
            return NULL;
        size = asprintf(&base, "%s/%s", here, given);
    } else if (state != NULL && state[0] == '/') {
        size = asprintf(&base, "%s/weir/runs", state);
    } else if (home != NULL && home[0] == '/') {
        size = asprintf(&base, "%s/.local/state/weir/runs", home);
    } else {
        error_set(err, WEIR_EINVAL,
                  "there is no place for journals: neither XDG_STATE_HOME nor "
                  "HOME is set; name a folder with --journal=DIR");
        return NULL;
    }
    if (size < 0 || base == NULL) {
        error_set(err, WEIR_ENOMEM, "no memory");
        return NULL;
    }
    return base;
}

static int make_all(const char *path)
{
    char part[PATH_MAX];
    size_t size = strlen(path);

    if (size >= sizeof part)
        return -ENAMETOOLONG;
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) == 0) {
            int code = sync_folder_of(part);

            if (code < 0)
                return code;
        } else if (errno != EEXIST) {
            int code = -errno;

            if (access(part, F_OK) < 0)
                return code;
        }
    }
    return 0;
}

char *folder_file(const struct run_folder *folder, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/%s", folder->path, name) < 0 ? NULL : path;
}

void folder_done(struct run_folder *folder)
{
    fd_close(&folder->lock);
    free(folder->path);
    free(folder->name);
    *folder = (struct run_folder){ .lock = -1 };
}

/* ----------------------------------------------------------------- lock ----
 */

static int open_files(const struct run_folder *folder, int flags)
{
    CLEANUP_FREE char *path = folder_file(folder, JOURNAL_FILES);
    int fd;

    if (path == NULL)
        return WEIR_ENOMEM;
    fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

/* "process 123 on host, since 2026-11-27 00:38:12" */
static int write_holder(const struct run_folder *folder)
{
    CLEANUP_FREE char *path = folder_file(folder, JOURNAL_HOLDER);
    char host[HOST_NAME_MAX + 1] = "?", when[32];
    time_t now = time(NULL);
    struct tm local;
    FILE *file = path == NULL ? NULL : fopen(path, "we");

    if (file == NULL)
        return path == NULL ? WEIR_ENOMEM : -errno;
    gethostname(host, sizeof host - 1);
    localtime_r(&now, &local);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
    fprintf(file, "process %d on %s, since %s\n", (int)getpid(), host, when);
    return fclose(file) == 0 ? 0 : -errno;
}

static char *read_holder(const struct run_folder *folder)
{
    CLEANUP_FREE char *path = folder_file(folder, JOURNAL_HOLDER);
    CLEANUP_FD int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    struct buf text = { 0 };

    if (fd < 0 || fd_slurp(fd, &text, HOLDER_MOST) < 0 || text.size == 0) {
        buf_done(&text);
        return strdup("somebody");
    }
    if (text.data[text.size - 1] == '\n')
        buf_cut(&text, text.size - 1);
    return text.data;
}

/* Whether that process was of this machine, and is no more. */
static bool is_gone(const char *holder)
{
    char host[HOST_NAME_MAX + 1] = "?", name[HOST_NAME_MAX + 1];
    struct stat_line line;
    int pid, code;

    gethostname(host, sizeof host - 1);
    if (sscanf(holder, "process %d on %64[^,]", &pid, name) != 2 ||
        strcmp(name, host) != 0)
        return false;
    code = stat_read(pid, &line);
    return code == -ESRCH || (code == 0 && stat_is_dead(&line));
}

/* Those of a run that was killed die with it, but not in the same instant. */
static int take_lock(const struct run_folder *folder, int fd, char **holder_out)
{
    int64_t deadline = clock_deadline(END_NS);

    for (;;) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK)
            return -errno;
        free(*holder_out);
        *holder_out = read_holder(folder);
        if (*holder_out == NULL || !is_gone(*holder_out) ||
            clock_left(deadline) == 0)
            return -EBUSY;
        usleep(END_PAUSE_US);
    }
}

int folder_lock(struct run_folder *folder, weir_error *err)
{
    CLEANUP_FREE char *holder = NULL;
    int fd = open_files(folder, O_RDWR | O_APPEND | O_CREAT), code;

    if (fd < 0)
        return error_sys(err, fd, "cannot open '%s/%s'", folder->path,
                         JOURNAL_FILES);
    code = take_lock(folder, fd, &holder);
    if (code < 0) {
        close(fd);
        if (code == -EBUSY)
            return error_set(err, code, "the run '%s' is under way: %s has it",
                             folder->name,
                             holder != NULL ? holder : "somebody");
        return error_sys(err, code, "cannot lock '%s'", folder->path);
    }
    code = write_holder(folder);
    if (code < 0) {
        close(fd);
        return error_sys(err, code, "cannot write in '%s'", folder->path);
    }
    folder->lock = fd;
    return 0;
}

bool folder_is_held(const struct run_folder *folder, char **holder_out)
{
    CLEANUP_FD int fd = open_files(folder, O_RDONLY);
    bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 &&
                errno == EWOULDBLOCK;

    if (holder_out != NULL)
        *holder_out = held ? read_holder(folder) : NULL;
    return held;
}

/* ------------------------------------------------------------------ new ----
 */

static int make_one(const char *base, const char *job, struct run_folder *out)
{
    time_t now = time(NULL);
    uint16_t random = 0;
    struct tm local;
    char when[32];

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uint16_t)(clock_now() / NS_PER_US);
    localtime_r(&now, &local);
    strftime(when, sizeof when, "%Y%m%d-%H%M", &local);
    folder_done(out);
    if (asprintf(&out->name, "%s-%s-%04x", job, when, random) < 0) {
        out->name = NULL;
        return WEIR_ENOMEM;
    }
    if (asprintf(&out->path, "%s/%s", base, out->name) < 0) {
        out->path = NULL;
        return WEIR_ENOMEM;
    }
    return mkdir(out->path, 0700) < 0 ? -errno : sync_folder_of(out->path);
}

int folder_make(const char *base, const char *job, struct run_folder *out,
                weir_error *err)
{
    int code = make_all(base);

    *out = (struct run_folder){ .lock = -1 };
    if (code < 0)
        return error_sys(err, code, "cannot make the folder '%s'", base);
    for (unsigned i = 0; i < TRIES; i++) {
        code = make_one(base, job, out);
        if (code != -EEXIST)
            break;
    }
    if (code < 0)
        return error_sys(err, code, "cannot make a folder for the run in '%s'",
                         base);
    return folder_lock(out, err);
}

void folder_discard(struct run_folder *folder)
{
    static const char *const names[] = { JOURNAL_HOLDER, JOURNAL_FILES };
    CLEANUP_FREE char *store = folder_file(folder, JOURNAL_DB);

    if (folder->lock < 0 || store == NULL || access(store, F_OK) == 0 ||
        errno != ENOENT)
        return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CLEANUP_FREE char *path = folder_file(folder, names[i]);

        if (path != NULL)
            unlink(path);
    }
    rmdir(folder->path); /* when nobody has put something there */
}

/* ------------------------------------------------------------- find, list ----
 */

static int last_first(const void *a, const void *b)
{
    const struct run_listed *one = a, *two = b;

    if (one->started_ns != two->started_ns)
        return one->started_ns < two->started_ns ? 1 : -1;
    return strcmp(two->name, one->name);
}

/* Its holder cannot be looked at, for the reason in errno, which stays: there
 * is none, or it is another user's. */
static bool is_no_run(DIR *dir, const char *name)
{
    int code = errno;
    struct stat st;
    bool is_other = code == EACCES && fstatat(dirfd(dir), name, &st, 0) == 0 &&
                    st.st_uid != geteuid();

    errno = code;
    return code == ENOENT || code == ENOTDIR || code == ELOOP || is_other;
}

static int add_listed(DIR *dir, const char *name, struct run_names *out)
{
    char file[NAME_MAX + sizeof JOURNAL_HOLDER + 2];
    struct run_listed *run;
    struct stat st;

    snprintf(file, sizeof file, "%s/%s", name, JOURNAL_HOLDER);
    if (name[0] == '.')
        return 0;
    if (fstatat(dirfd(dir), file, &st, 0) < 0)
        return is_no_run(dir, name) ? 0 : -errno;
    run = VEC_ADD(&out->list);
    if (run == NULL)
        return WEIR_ENOMEM;
    run->started_ns = ns_of(st.st_mtim);
    run->name = strdup(name);
    return run->name != NULL ? 0 : WEIR_ENOMEM;
}

int folder_list(const char *base, struct run_names *out, weir_error *err)
{
    DIR *dir = opendir(base);
    const struct dirent *entry;
    int code = 0;

    *out = (struct run_names){ 0 };
    if (dir == NULL)
        return errno == ENOENT
                   ? 0
                   : error_sys(err, -errno, "cannot read '%s'", base);
    while (code == 0 && (code = dir_next(dir, &entry)) == 1)
        code = add_listed(dir, entry->d_name, out);
    closedir(dir);
    if (code < 0) {
        run_names_done(out);
        return error_sys(err, code, "cannot read '%s'", base);
    }
    if (out->list.count > 0)
        qsort(out->list.at, out->list.count, sizeof *out->list.at, last_first);
    return 0;
}

void run_names_done(struct run_names *names)
{
    for (size_t i = 0; i < names->list.count; i++)
        free(names->list.at[i].name);
    VEC_DONE(&names->list);
}

static int set_path(struct run_folder *out, const char *path, weir_error *err)
{
    const char *slash;

    out->path = realpath(path, NULL);
    if (out->path == NULL)
        return error_sys(err, -errno, "no run '%s'", path);
    slash = strrchr(out->path, '/');
    out->name = strdup(slash != NULL ? slash + 1 : out->path);
    return out->name != NULL ? 0 : error_set(err, WEIR_ENOMEM, "no memory");
}

/* The one that is meant among those that are there; -1: none, -2: several. */
static int meant(const struct run_names *names, const char *name)
{
    size_t size = strlen(name);
    int found = -1;

    if (strcmp(name, "last") == 0)
        return names->list.count > 0 ? 0 : -1;
    for (size_t i = 0; i < names->list.count; i++) {
        if (strcmp(names->list.at[i].name, name) == 0)
            return (int)i;
        if (strncmp(names->list.at[i].name, name, size) == 0)
            found = found == -1 ? (int)i : -2;
    }
    return found;
}

static int not_found(const struct run_names *names, const char *base,
                     const char *name, int found, weir_error *err)
{
    CLEANUP_FREE const char **all = calloc(names->list.count + 1, sizeof *all);
    const char *near = NULL;

    for (size_t i = 0; all != NULL && i < names->list.count; i++)
        all[i] = names->list.at[i].name;
    if (all != NULL)
        near = text_nearest(name, all);
    if (names->list.count == 0)
        return error_set(err, WEIR_EEMPTY, "there is no run in '%s'", base);
    if (found == -2)
        return error_set(err, WEIR_EEMPTY,
                         "several runs begin with '%s'; 'weir runs' lists them",
                         name);
    if (near != NULL)
        return error_set(err, WEIR_EEMPTY, "no run '%s'; did you mean '%s'?",
                         name, near);
    return error_set(err, WEIR_EEMPTY, "no run '%s'; 'weir runs' lists them",
                     name);
}

int folder_find(const char *base, const char *name, struct run_folder *out,
                weir_error *err)
{
    CLEANUP_FREE char *path = NULL;
    struct run_names names;
    int found, code;

    *out = (struct run_folder){ .lock = -1 };
    if (name[0] == '\0')
        return error_set(err, WEIR_EEMPTY, "a run has a name");
    if (strchr(name, '/') != NULL || strcmp(name, ".") == 0)
        return set_path(out, name, err);
    code = folder_list(base, &names, err);
    if (code < 0)
        return code;
    found = meant(&names, name);
    if (found < 0)
        code = not_found(&names, base, name, found, err);
    else if (asprintf(&path, "%s/%s", base, names.list.at[found].name) < 0)
        code = error_set(err, WEIR_ENOMEM, "no memory");
    else
        code = set_path(out, path, err);
    run_names_done(&names);
    return code;
}
