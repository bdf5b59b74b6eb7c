/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * path.c - the folders that are searched for plugins, and what is in them.
 *
 * Order: --plugin-path, the job file's `plugins`, WEIR_PLUGIN_PATH, the
 * install's folder (PLUGINDIR). Every folder is absolute from the start, so a
 * later chdir changes nothing, and the working directory is never searched by
 * itself: only what somebody wrote is.
 *
 * In a folder F a plugin called NAME is one of, in this order:
 *     F/NAME.so               as installed
 *     F/.libs/NAME.so         libtool's place for F/NAME.la in a build tree
 *     F/NAME/.libs/NAME.so    and for F/NAME/NAME.la: F is then the build
 *                             tree's `plugins` folder
 * The .la files themselves are text that may point anywhere: never read.
 *
 * No plugin is loaded here; runs in any process.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "plugin/internal.h"

#ifndef PLUGINDIR
#error "PLUGINDIR is the install's folder of plugins; the build gives it"
#endif

static char *join(const char *folder, const char *rest)
{
    char *path;

    if (asprintf(&path, "%s%s%s", folder,
                 folder[strlen(folder) - 1] == '/' ? "" : "/", rest) < 0)
        return NULL;
    return path;
}

static void cut_slashes(char *path)
{
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/')
        path[--size] = '\0';
}

/* Takes @folder over, also when it fails. */
static int add(struct plugin_path *path, char *folder, const char *origin)
{
    struct plugin_folder *entry;

    if (!folder)
        return WEIR_ENOMEM;
    cut_slashes(folder);
    for (size_t i = 0; i < path->folders.count; i++)
        if (strcmp(path->folders.at[i].path, folder) == 0) {
            free(folder);
            return 0;
        }
    entry = VEC_ADD(&path->folders);
    if (!entry) {
        free(folder);
        return WEIR_ENOMEM;
    }
    entry->path = folder;
    entry->origin = origin;
    return 0;
}

/* "./x" is shown as "x" is, and "." as the folder itself. */
static char *join_relative(const char *base, const char *rest)
{
    while (rest[0] == '.' && rest[1] == '/')
        for (rest++; *rest == '/'; rest++)
            continue;
    return strcmp(rest, ".") == 0 || *rest == '\0' ? strdup(base)
                                                   : join(base, rest);
}

static int add_from(struct plugin_path *path, const char *const *list,
                    const char *base, const char *origin, weir_error *err)
{
    int code;

    for (; list && *list; list++) {
        if (**list == '\0')
            return error_set(err, WEIR_EINVAL,
                             "an empty name of a plugin folder (%s)", origin);
        code = add(path,
                   **list == '/' ? strdup(*list) : join_relative(base, *list),
                   origin);
        if (code < 0)
            return error_sys(err, code, "cannot make the plugin path");
    }
    return 0;
}

static int add_options(struct plugin_path *path, const char *const *list,
                       weir_error *err)
{
    CLEANUP_FREE char *here = NULL;
    bool relative = false;

    for (size_t i = 0; list && list[i]; i++)
        relative |= list[i][0] != '/';
    if (relative) {
        here = getcwd(NULL, 0);
        /* "(unreachable)/x" is how Linux names a folder outside the root. */
        if (!here || here[0] != '/')
            return error_sys(err, here ? -ENOENT : -errno,
                             "cannot name the working directory, which "
                             "--plugin-path is relative to");
    }
    return add_from(path, list, here, "--plugin-path", err);
}

/* An empty entry would mean the working directory elsewhere; here it means
 * nothing, so that "$WEIR_PLUGIN_PATH:/more" is harmless when unset. */
static int add_environment(struct plugin_path *path, weir_error *err)
{
    const char *at = secure_getenv("WEIR_PLUGIN_PATH");
    int code;

    while (at && *at != '\0') {
        size_t size = strcspn(at, ":");

        if (size > 0 && *at != '/')
            return error_set(err, WEIR_EINVAL,
                             "WEIR_PLUGIN_PATH has '%.*s', which is relative; "
                             "write the folder's absolute path",
                             (int)(size > 200 ? 200 : size), at);
        if (size > 0) {
            code = add(path, strndup(at, size), "WEIR_PLUGIN_PATH");
            if (code < 0)
                return error_sys(err, code, "cannot make the plugin path");
        }
        at += size + (at[size] == ':');
    }
    return 0;
}

int plugin_path_init(struct plugin_path *path, const char *const *options,
                     const char *const *job, const char *job_folder,
                     weir_error *err)
{
    static const char *const install[] = { PLUGINDIR, NULL };
    struct plugin_path made = { 0 };
    int code;

    if (job && *job && (!job_folder || *job_folder != '/'))
        return error_set(err, WEIR_EINVAL,
                         "the job file's folder is not known, which its "
                         "plugins are relative to");
    code = add_options(&made, options, err);
    if (code == 0)
        code = add_from(&made, job, job_folder, "the job file", err);
    if (code == 0)
        code = add_environment(&made, err);
    if (code == 0)
        code = add_from(&made, install, "/", "the install", err);
    if (code < 0) {
        plugin_path_done(&made);
        return code;
    }
    *path = made;
    return 0;
}

void plugin_path_done(struct plugin_path *path)
{
    for (size_t i = 0; i < path->folders.count; i++)
        free(path->folders.at[i].path);
    VEC_DONE(&path->folders);
}

char *path_place(const char *folder, const char *name, int place)
{
    char *rest, *file;
    int size;

    if (place == 0)
        size = asprintf(&rest, "%s.so", name);
    else if (place == 1)
        size = asprintf(&rest, ".libs/%s.so", name);
    else
        size = asprintf(&rest, "%s/.libs/%s.so", name, name);
    if (size < 0)
        return NULL;
    file = join(folder, rest);
    free(rest);
    return file;
}

int plugin_where(const struct plugin_path *path, const char *name,
                 char **file_out)
{
    struct stat st;

    *file_out = NULL;
    if (!text_is_name(name))
        return 0;
    for (size_t i = 0; i < path->folders.count; i++)
        for (int place = 0; place < PLACES; place++) {
            char *file = path_place(path->folders.at[i].path, name, place);

            if (!file)
                return WEIR_ENOMEM;
            if (stat(file, &st) == 0) {
                *file_out = file;
                return 0;
            }
            free(file);
        }
    return 0;
}

int plugin_names_add(struct plugin_names *names, const char *name, size_t size)
{
    char **slot;
    char *copy = strndup(name, size);

    if (!copy)
        return WEIR_ENOMEM;
    slot = VEC_ADD(&names->list);
    if (!slot) {
        free(copy);
        return WEIR_ENOMEM;
    }
    *slot = copy;
    return 0;
}

/* There is nothing; other errors mean that nobody can tell. */
static bool is_nothing(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/* Adds @name when one of its places in @folder is a file. */
static int add_found(struct plugin_names *names, const char *folder,
                     const char *name)
{
    bool found = false;

    for (int place = 0; place < PLACES && !found; place++) {
        CLEANUP_FREE char *file = path_place(folder, name, place);
        struct stat st;

        if (!file)
            return WEIR_ENOMEM;
        if (stat(file, &st) == 0)
            found = S_ISREG(st.st_mode);
        else if (!is_nothing(errno))
            return -errno;
    }
    return found ? plugin_names_add(names, name, strlen(name)) : 0;
}

/* NAME of "NAME.so" or of a folder "NAME"; both may be one. */
static int add_entry(struct plugin_names *names, const char *folder,
                     const char *entry)
{
    char name[65];
    size_t size = strlen(entry);

    if (size > 3 && strcmp(entry + size - 3, ".so") == 0)
        size -= 3;
    if (size >= sizeof name)
        return 0;
    memcpy(name, entry, size);
    name[size] = '\0';
    return text_is_name(name) ? add_found(names, folder, name) : 0;
}

/* Entries of @folder/@sub. A folder that is not there holds nothing. */
static int add_entries(struct plugin_names *names, const char *folder,
                       const char *sub)
{
    CLEANUP_FREE char *scan = join(folder, sub);
    const struct dirent *entry;
    DIR *dir;
    int code = 0;

    if (!scan)
        return WEIR_ENOMEM;
    dir = opendir(scan);
    if (!dir)
        return is_nothing(errno) ? 0 : -errno;
    while (code == 0 && (code = dir_next(dir, &entry)) == 1)
        code = add_entry(names, folder, entry->d_name);
    closedir(dir);
    return code;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, once each, and the NULL that `count` does not count. */
static int finish(struct plugin_names *names)
{
    size_t kept = 0;

    if (!VEC_ADD(&names->list))
        return WEIR_ENOMEM;
    names->list.count--;
    qsort(names->list.at, names->list.count, sizeof *names->list.at, compare);
    for (size_t i = 0; i < names->list.count; i++)
        if (kept > 0 &&
            strcmp(names->list.at[kept - 1], names->list.at[i]) == 0)
            free(names->list.at[i]);
        else
            names->list.at[kept++] = names->list.at[i];
    names->list.count = kept;
    names->list.at[kept] = NULL;
    return 0;
}

int plugin_names(const struct plugin_path *path, struct plugin_names *out)
{
    struct plugin_names names = { 0 };
    int code = builtin_names(&names);

    for (size_t i = 0; i < path->folders.count && code == 0; i++) {
        code = add_entries(&names, path->folders.at[i].path, "");
        if (code == 0)
            code = add_entries(&names, path->folders.at[i].path, ".libs");
    }
    if (code == 0)
        code = finish(&names);
    if (code < 0) {
        plugin_names_done(&names);
        return code;
    }
    *out = names;
    return 0;
}

void plugin_names_done(struct plugin_names *names)
{
    for (size_t i = 0; i < names->list.count; i++)
        free(names->list.at[i]);
    VEC_DONE(&names->list);
}
