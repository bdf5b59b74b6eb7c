/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk.c - from `paths` to files. Runs in workers, and in `check`.
 *
 * An entry that exists as it is written is taken so, also with a bracket in
 * its name; else it is a glob. What is named may be a symbolic link and is
 * followed; inside a tree links are left alone, so a walk always ends. In a
 * tree only regular files count.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "walk.h"

/* One folder on the way down: its names, each with a byte for its kind before
 * it, sorted. */
struct level {
    char *text;
    size_t *at;
    size_t count, next;
    size_t path_size; /* of the folder's own path */
};

struct file_walk {
    struct file_choice choice;
    size_t entry; /* the next one of choice->paths */
    glob_t matches;
    size_t match; /* the next one of matches */
    bool globbed; /* matches has memory */
    struct level *levels;
    size_t depth, room;
    size_t base; /* where the relative name begins in path */
    int code;
    uint64_t count, hash;
    char path[PATH_MAX];
};

/* As the shell has them, with braces. */
static const char glob_marks[] = "*?[{";

static bool has_glob(const char *text)
{
    return strpbrk(text, glob_marks) != NULL;
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

/* Where the last component of the first @size bytes begins. */
static size_t last_part(const char *path, size_t size)
{
    while (size > 0 && path[size - 1] != '/')
        size--;
    return size;
}

static bool matches(const char *pattern, const char *relative)
{
    const char *name = relative + last_part(relative, strlen(relative));

    if (strchr(pattern, '/'))
        return fnmatch(pattern, relative, FNM_PATHNAME) == 0;
    return fnmatch(pattern, name, 0) == 0;
}

static bool any_matches(const weir_list *patterns, const char *relative)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (matches(patterns->items[i], relative))
            return true;
    return false;
}

static bool is_wanted(const struct file_walk *walk)
{
    const char *relative = walk->path + walk->base;

    if (walk->choice.include.count > 0 &&
        !any_matches(&walk->choice.include, relative))
        return false;
    return !any_matches(&walk->choice.exclude, relative);
}

static void level_done(struct level *level)
{
    free(level->text);
    free(level->at);
    *level = (struct level){ 0 };
}

static int by_bytes(const void *a, const void *b, void *text)
{
    return strcmp((char *)text + *(const size_t *)a + 1,
                  (char *)text + *(const size_t *)b + 1);
}

/* 'd' a folder, 'f' a regular file, 0 anything else. */
static char kind_of(int fd, const struct dirent *entry)
{
    struct stat st;
    mode_t mode = DTTOIF(entry->d_type);

    if (entry->d_type == DT_UNKNOWN) {
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return 0;
        mode = st.st_mode;
    }
    return S_ISDIR(mode) ? 'd' : S_ISREG(mode) ? 'f' : 0;
}

struct names {
    char *text;
    size_t size, room;
    size_t *at;
    size_t count, at_room;
};

/* Doubles an array when it is full. */
static int make_room(void *array, size_t need, size_t *room, size_t unit)
{
    void *old, *grown;
    size_t more = *room > 0 ? *room : 64;

    if (need <= *room)
        return 0;
    while (more < need)
        more *= 2;
    memcpy(&old, array, sizeof old);
    grown = realloc(old, more * unit);
    if (!grown)
        return WEIR_ENOMEM;
    memcpy(array, &grown, sizeof grown);
    *room = more;
    return 0;
}

static int add_name(struct names *names, char kind, const char *name)
{
    size_t size = strlen(name) + 2;

    if (make_room(&names->text, names->size + size, &names->room, 1) < 0 ||
        make_room(&names->at, names->count + 1, &names->at_room,
                  sizeof *names->at) < 0)
        return WEIR_ENOMEM;
    names->at[names->count++] = names->size;
    names->text[names->size] = kind;
    memcpy(names->text + names->size + 1, name, size - 1);
    names->size += size;
    return 0;
}

static int add_all(struct names *names, DIR *folder)
{
    struct dirent *entry;
    int code = 0;

    while (code == 0) {
        char kind;

        errno = 0;
        entry = readdir(folder);
        if (!entry)
            return -errno;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        kind = kind_of(dirfd(folder), entry);
        if (kind != 0)
            code = add_name(names, kind, entry->d_name);
    }
    return code;
}

/* The names in walk->path; what could be read before an error does not count,
 * so that no half of a folder is taken for the whole. */
static int read_folder(struct file_walk *walk, bool follow, struct level *out)
{
    struct names names = { 0 };
    int fd, code;
    DIR *folder;

    fd = open(walk->path,
              O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return -errno;
    folder = fdopendir(fd);
    if (!folder) {
        code = -errno;
        close(fd);
        return code;
    }
    code = add_all(&names, folder);
    closedir(folder);
    if (code < 0) {
        free(names.text);
        free(names.at);
        return code;
    }
    if (names.count > 1)
        qsort_r(names.at, names.count, sizeof *names.at, by_bytes, names.text);
    *out = (struct level){
        .text = names.text,
        .at = names.at,
        .count = names.count,
        .path_size = strlen(walk->path),
    };
    return 0;
}

static int go_down(struct file_walk *walk, bool follow)
{
    struct level level;
    int code = make_room(&walk->levels, walk->depth + 1, &walk->room,
                         sizeof *walk->levels);

    if (code == 0)
        code = read_folder(walk, follow, &level);
    if (code == 0)
        walk->levels[walk->depth++] = level;
    return code;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* As glob(3), but sorted by bytes whatever the locale is. */
static int expand(const char *pattern, glob_t *out)
{
    switch (glob(pattern, GLOB_NOSORT | GLOB_BRACE, NULL, out)) {
    case 0:
        break;
    case GLOB_NOMATCH:
        return -ENOENT;
    case GLOB_NOSPACE:
        return WEIR_ENOMEM;
    default:
        return -EIO;
    }
    qsort(out->gl_pathv, out->gl_pathc, sizeof *out->gl_pathv, by_text);
    return 0;
}

static bool exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 || lstat(path, &st) == 0;
}

int file_walk_probe(const char *entry)
{
    struct stat st;
    glob_t found;
    int code;

    if (entry[0] == '\0' || strlen(entry) >= PATH_MAX)
        return entry[0] == '\0' ? -ENOENT : -ENAMETOOLONG;
    if (stat(entry, &st) == 0)
        return 0;
    code = -errno;
    if (!has_glob(entry) || exists(entry))
        return code;
    code = expand(entry, &found);
    if (code == 0)
        globfree(&found);
    return code;
}

int file_walk_new(const struct file_choice *choice, struct file_walk **out)
{
    struct file_walk *walk = calloc(1, sizeof *walk);

    if (!walk)
        return WEIR_ENOMEM;
    walk->choice = *choice;
    *out = walk;
    return 0;
}

static void let_go(struct file_walk *walk)
{
    while (walk->depth > 0)
        level_done(&walk->levels[--walk->depth]);
    if (walk->globbed)
        globfree(&walk->matches);
    walk->globbed = false;
}

void file_walk_free(struct file_walk **walk)
{
    if (!*walk)
        return;
    let_go(*walk);
    free((*walk)->levels);
    free(*walk);
    *walk = NULL;
}

static void restart(struct file_walk *walk)
{
    let_go(walk);
    walk->entry = walk->match = 0;
    walk->count = walk->hash = 0;
}

/* Copies @path without slashes at its end; the root keeps its own. */
static int set_path(struct file_walk *walk, const char *path)
{
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/')
        size--;
    if (size >= sizeof walk->path) {
        walk->path[0] = '\0';
        return -ENAMETOOLONG;
    }
    memcpy(walk->path, path, size);
    walk->path[size] = '\0';
    return 0;
}

/* Whether an event came of it; a folder that was entered gives none yet. */
static bool event(struct file_walk *walk, int code, enum file_event *event_out)
{
    walk->code = code;
    walk->count++;
    walk->hash = hash_of(walk->path);
    *event_out = code < 0 ? FILE_BAD : FILE_FOUND;
    return true;
}

/* A path that is named or that a glob has matched. @base: 0 when it is named,
 * else where the component of the first glob begins. */
static int take_named(struct file_walk *walk, const char *path, size_t base,
                      bool globbed, bool *got, enum file_event *event_out)
{
    struct stat st;
    int code = set_path(walk, path);

    walk->base = base;
    if (code == 0 && stat(walk->path, &st) < 0)
        code = -errno;
    if (code == -ENOENT && walk->choice.may_miss)
        return 0;
    if (code < 0) {
        *got = event(walk, code, event_out);
        return 0;
    }
    if (!S_ISDIR(st.st_mode)) {
        if (!globbed)
            walk->base = last_part(walk->path, strlen(walk->path));
        if (is_wanted(walk))
            *got = event(walk, 0, event_out);
        return 0;
    }
    if (!globbed)
        walk->base = strlen(walk->path) + (strcmp(walk->path, "/") != 0);
    else if (any_matches(&walk->choice.exclude, walk->path + base))
        return 0;
    code = go_down(walk, true);
    if (code == WEIR_ENOMEM)
        return code;
    if (code < 0) {
        if (!globbed)
            walk->base = 0;
        *got = event(walk, code, event_out);
    }
    return 0;
}

/* The next name of the innermost folder. */
static int take_below(struct file_walk *walk, bool *got,
                      enum file_event *event_out)
{
    struct level *level = &walk->levels[walk->depth - 1];
    const char *name;
    size_t size = level->path_size;
    int code;

    walk->path[size] = '\0';
    if (level->next == level->count) {
        level_done(level);
        walk->depth--;
        return 0;
    }
    name = level->text + level->at[level->next++];
    if (size + strlen(name + 1) + 2 > sizeof walk->path) {
        *got = event(walk, -ENAMETOOLONG, event_out);
        return 0;
    }
    if (walk->path[size - 1] != '/')
        walk->path[size++] = '/';
    strcpy(walk->path + size, name + 1);
    if (name[0] == 'f') {
        if (is_wanted(walk))
            *got = event(walk, 0, event_out);
        return 0;
    }
    if (any_matches(&walk->choice.exclude, walk->path + walk->base))
        return 0;
    code = go_down(walk, false);
    if (code < 0 && code != WEIR_ENOMEM) {
        *got = event(walk, code, event_out);
        code = 0;
    }
    return code;
}

/* Where the component of @path begins that stands for the first one of
 * @pattern with a glob in it: behind as many slashes. Never at a slash. */
static size_t glob_base(const char *pattern, const char *path)
{
    size_t size = last_part(pattern, strcspn(pattern, glob_marks));
    size_t slashes = 0, base = 0;

    for (size_t i = 0; i < size; i++)
        slashes += pattern[i] == '/';
    for (size_t i = 0; path[i] != '\0' && slashes > 0; i++)
        if (path[i] == '/') {
            base = i + 1;
            slashes--;
        }
    while (path[base] == '/')
        base++;
    return base;
}

static int begin_entry(struct file_walk *walk, bool *got,
                       enum file_event *event_out)
{
    const char *entry = walk->choice.paths.items[walk->entry++];
    int code;

    if (walk->globbed)
        globfree(&walk->matches);
    walk->globbed = false;
    walk->match = 0;
    if (!has_glob(entry) || exists(entry))
        return take_named(walk, entry, 0, false, got, event_out);
    code = expand(entry, &walk->matches);
    if (code == 0) {
        walk->globbed = true;
        return 0;
    }
    if (code == WEIR_ENOMEM)
        return code;
    if (code == -ENOENT && walk->choice.may_miss)
        return 0;
    set_path(walk, entry);
    walk->base = 0;
    *got = event(walk, code, event_out);
    return 0;
}

int file_walk_next(struct file_walk *walk, enum file_event *event_out)
{
    bool got = false;
    int code = 0;

    while (!got && code == 0) {
        if (walk->depth > 0) {
            code = take_below(walk, &got, event_out);
        } else if (walk->globbed && walk->match < walk->matches.gl_pathc) {
            const char *pattern = walk->choice.paths.items[walk->entry - 1];
            const char *path = walk->matches.gl_pathv[walk->match++];

            code = take_named(walk, path, glob_base(pattern, path), true, &got,
                              event_out);
        } else if (walk->entry < walk->choice.paths.count) {
            code = begin_entry(walk, &got, event_out);
        } else {
            *event_out = FILE_END;
            break;
        }
    }
    return code;
}

const char *file_walk_path(const struct file_walk *walk)
{
    return walk->path;
}

const char *file_walk_relative(const struct file_walk *walk)
{
    return walk->path + walk->base;
}

int file_walk_code(const struct file_walk *walk)
{
    return walk->code;
}

uint64_t file_walk_count(const struct file_walk *walk)
{
    return walk->count;
}

uint64_t file_walk_hash(const struct file_walk *walk)
{
    return walk->hash;
}

bool file_may_pass(int code)
{
    return code == -ENOMEM || code == -EMFILE || code == -ENFILE;
}

/* Where something cannot be read now, events are missing behind it. */
static int seek_next(struct file_walk *walk, enum file_event *event_out)
{
    int code = file_walk_next(walk, event_out);

    if (code == 0 && *event_out == FILE_BAD && file_may_pass(walk->code))
        code = walk->code;
    return code;
}

int file_walk_seek(struct file_walk *walk, uint64_t count, uint64_t hash,
                   enum file_event *event_out)
{
    int code = 0;

    *event_out = FILE_FOUND;
    while (code == 0 && walk->count < count && *event_out != FILE_END)
        code = seek_next(walk, event_out);
    if (code < 0 || (walk->count == count && walk->hash == hash))
        return code;
    restart(walk);
    do {
        code = seek_next(walk, event_out);
    } while (code == 0 && *event_out != FILE_END && walk->hash != hash);
    return code == 0 && *event_out == FILE_END ? WEIR_EEMPTY : code;
}
