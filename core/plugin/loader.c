/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loader.c - find a plugin by name, see that it may be trusted, load it.
 *
 * Runs in the nursery (or, for `call` and --inline, in the command's own
 * process), in one thread: libltdl is not thread-safe. Nothing is unloaded:
 * a plugin's defaults, its code and what its constructors left behind are
 * used until the process ends.
 *
 * The first file found decides. When it cannot be used, that is the answer:
 * going on to a folder further down would quietly run another version than
 * the one in front.
 *
 * libltdl says "file not found" whatever is wrong, and binds functions when
 * they are first called. So a plain dlopen goes before it, which binds now
 * and knows the reason; it stays open, and libltdl gets the same object.
 */
#include "config.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <ltdl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "plugin/internal.h"

/* What dlopen has done is the process's; so is the list of it. */
static VEC(struct plugin *) loaded;

int loader_start(weir_error *err)
{
    static bool started;

    if (started)
        return 0;
    if (lt_dlinit() != 0) {
        const char *why = lt_dlerror();

        return error_set(err, WEIR_EPLUGIN, "cannot start libltdl: %s",
                         why ? why : "it does not say why");
    }
    started = true;
    return 0;
}

void plugin_tries_done(struct plugin_tries *tries)
{
    for (size_t i = 0; i < tries->list.count; i++) {
        free(tries->list.at[i].file);
        free(tries->list.at[i].why);
    }
    VEC_DONE(&tries->list);
}

static int add_try(struct plugin_tries *tries, const char *file, int code,
                   const char *why)
{
    struct plugin_try made = { strdup(file), code, strdup(why) };
    struct plugin_try *slot = NULL;

    if (made.file && made.why)
        slot = VEC_ADD(&tries->list);
    if (!slot) {
        free(made.file);
        free(made.why);
        return WEIR_ENOMEM;
    }
    *slot = made;
    return 0;
}

static int check_name(const char *name, weir_error *err)
{
    char shown[QUOTED_MAX];

    if (strchr(name, '/'))
        return error_set(err, WEIR_EPLUGIN,
                         "'%s': a task is named plugin.task, without a path; "
                         "name the folder with --plugin-path or `plugins:`",
                         quoted(shown, name));
    if (!text_is_name(name))
        return error_set(err, WEIR_EPLUGIN, "'%s' is no name of a plugin",
                         quoted(shown, name));
    return 0;
}

/* dlerror begins with the file, which every message of ours has already. */
static int refuse_dlerror(const char *file, weir_error *err)
{
    const char *why = dlerror();
    size_t size = strlen(file);

    if (!why)
        why = "dlopen does not say why";
    if (strncmp(why, file, size) == 0 && strncmp(why + size, ": ", 2) == 0)
        why += size + 2;
    return error_set(err, WEIR_EPLUGIN, "%s", why);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int check_file(const char *file, struct stat *st, weir_error *err)
{
    CLEANUP_FD int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return error_sys(err, -errno, "cannot open it");
    if (fstat(fd, st) < 0)
        return error_sys(err, -errno, "cannot look at it");
    if (!S_ISREG(st->st_mode))
        return error_set(err, WEIR_EPLUGIN, "it is no regular file");
    return elf_check(fd, (uint64_t)st->st_size, err);
}

/* Opens it for good; what was checked must be what was opened. */
static int bind_now(const char *file, void **object_out, weir_error *err)
{
    struct stat before, after;
    void *object;
    int code = check_file(file, &before, err);

    if (code < 0)
        return code;
    dlerror();
    object = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        return refuse_dlerror(file, err);
    if (stat(file, &after) < 0 || !same_file(&before, &after))
        return error_set(err, WEIR_EPLUGIN,
                         "it was changed while it was loaded; try again");
    *object_out = object;
    return 0;
}

static int open_module(const char *file, lt_dlhandle *handle_out,
                       weir_error *err)
{
    lt_dladvise advise;
    lt_dlhandle handle = NULL;
    const char *why;

    if (lt_dladvise_init(&advise) != 0)
        return error_sys(err, WEIR_ENOMEM, "cannot load it");
    if (lt_dladvise_local(&advise) == 0)
        handle = lt_dlopenadvise(file, advise);
    why = handle ? NULL : lt_dlerror();
    if (!handle)
        error_set(err, WEIR_EPLUGIN, "libltdl: %s",
                  why ? why : "it does not say why");
    lt_dladvise_destroy(&advise);
    if (!handle)
        return WEIR_EPLUGIN;
    *handle_out = handle;
    return 0;
}

/* Is @symbol data of this very object (a search goes on into the libraries
 * that it needs), and large enough to be read? */
static int check_symbol(void *object, const void *symbol, weir_error *err)
{
    struct link_map *own = NULL, *found = NULL;
    const ElfW(Sym) *entry = NULL;
    Dl_info info;

    if (dlinfo(object, RTLD_DI_LINKMAP, &own) != 0 ||
        dladdr1(symbol, &info, (void **)&found, RTLD_DL_LINKMAP) == 0 ||
        own != found)
        return error_set(err, WEIR_EPLUGIN,
                         "it has no descriptor of its own; the one found is a "
                         "library's that it needs");
    if (dladdr1(symbol, &info, (void **)(void *)&entry, RTLD_DL_SYMENT) == 0 ||
        !entry)
        return 0;
    if ((entry->st_info & 15) != STT_OBJECT ||
        entry->st_size < DESCRIPTOR_LEAST)
        return error_set(err, WEIR_EPLUGIN,
                         "its weir_plugin is no descriptor; describe it with "
                         "WEIR_PLUGIN");
    return 0;
}

static int load_file(const char *file, const char *name, struct plugin **out,
                     weir_error *err)
{
    lt_dlhandle handle = NULL;
    void *object = NULL, *symbol;
    int code = trust_check(file, err);

    if (code == 0)
        code = loader_start(err);
    if (code == 0)
        code = bind_now(file, &object, err);
    if (code == 0)
        code = open_module(file, &handle, err);
    if (code < 0)
        return code;
    symbol = lt_dlsym(handle, "weir_plugin");
    if (!symbol)
        return error_set(err, WEIR_EPLUGIN,
                         "it has no descriptor (no symbol weir_plugin); is it "
                         "a plugin of weir?");
    code = check_symbol(object, symbol, err);
    return code < 0 ? code : descriptor_accept(symbol, name, file, out, err);
}

/* A search in progress. */
struct search {
    const struct plugin_path *path;
    const char *name;
    struct plugin_tries *tries;
    struct plugin *found;
    weir_error *err;
};

static int refuse(const struct search *search, const char *file,
                  const weir_error *why)
{
    if (why->code == WEIR_ENOMEM)
        return error_sys(search->err, WEIR_ENOMEM, "cannot load plugin '%s'",
                         search->name);
    return error_set(search->err,
                     why->code == WEIR_ETRUST ? WEIR_ETRUST : WEIR_EPLUGIN,
                     "plugin '%s' cannot be used: %s: %s", search->name, file,
                     why->text);
}

static int no_memory(const struct search *search)
{
    return error_sys(search->err, WEIR_ENOMEM, "cannot look for plugin '%s'",
                     search->name);
}

static const char *absence(const char *file, int code)
{
    struct stat st;

    if (code == -ENOENT && lstat(file, &st) == 0)
        return "a symlink that leads nowhere";
    return code == -ENOENT ? "no such file" : weir_strerror(code);
}

/* 1: taken; 0: not there; negative: found, and unusable. */
static int try_file(struct search *search, const char *file)
{
    weir_error why = { 0 };
    struct stat st;
    int code;

    if (stat(file, &st) < 0) {
        code = -errno;
        code = add_try(search->tries, file, code, absence(file, code));
        return code < 0 ? no_memory(search) : 0;
    }
    code = load_file(file, search->name, &search->found, &why);
    if (add_try(search->tries, file, code, code < 0 ? why.text : "taken") < 0)
        code = why.code = WEIR_ENOMEM;
    return code < 0 ? refuse(search, file, &why) : 1;
}

static int try_folder(struct search *search, const char *folder)
{
    struct stat st;
    int code = 0;

    if (stat(folder, &st) < 0)
        code = -errno;
    else if (!S_ISDIR(st.st_mode))
        code = -ENOTDIR;
    if (code < 0) {
        code = add_try(search->tries, folder, code,
                       code == -ENOENT ? "no such folder"
                                       : weir_strerror(code));
        return code < 0 ? no_memory(search) : 0;
    }
    for (int place = 0; place < PLACES && code == 0; place++) {
        char *file = path_place(folder, search->name, place);

        code = file ? try_file(search, file) : no_memory(search);
        free(file);
    }
    return code;
}

static int try_builtin(struct search *search)
{
    const void *symbol = builtin_find(search->name);
    weir_error why = { 0 };
    int code;

    if (!symbol)
        return 0;
    code = descriptor_accept(symbol, search->name, "built in", &search->found,
                             &why);
    if (add_try(search->tries, "built in", code,
                code < 0 ? why.text : "taken") < 0)
        code = why.code = WEIR_ENOMEM;
    return code < 0 ? refuse(search, "built in", &why) : 1;
}

static void describe_places(const struct plugin_path *path, struct buf *out)
{
    for (size_t i = 0; i < path->folders.count; i++) {
        const struct plugin_folder *folder = &path->folders.at[i];
        struct stat st;
        bool there = stat(folder->path, &st) == 0 && S_ISDIR(st.st_mode);

        buf_printf(out, "%s%s (%s%s)", i > 0 ? ", " : "", folder->path,
                   folder->origin, there ? "" : ": no such folder");
    }
}

static int not_found(const struct search *search)
{
    CLEANUP_BUF struct buf places = { 0 };
    struct plugin_names names = { 0 };
    const char *near = NULL;

    if (plugin_names(search->path, &names) == 0)
        near = text_nearest(search->name, (const char *const *)names.list.at);
    describe_places(search->path, &places);
    error_set(search->err, WEIR_EPLUGIN,
              "there is no plugin '%s'%s%s%s looked in %s", search->name,
              near ? "; did you mean '" : ";", near ? near : "",
              near ? "'?" : "", places.size > 0 ? places.data : "no folder");
    plugin_names_done(&names);
    return WEIR_EPLUGIN;
}

static int search_all(struct search *search)
{
    const struct plugin_path *path = search->path;
    int code = 0;

    for (size_t i = 0; i < path->folders.count && code == 0; i++)
        code = try_folder(search, path->folders.at[i].path);
    if (code == 0)
        code = try_builtin(search);
    return code == 0 ? not_found(search) : code;
}

static struct plugin *find_loaded(const char *name)
{
    for (size_t i = 0; i < loaded.count; i++)
        if (strcmp(loaded.at[i]->name, name) == 0)
            return loaded.at[i];
    return NULL;
}

static int keep(struct search *search)
{
    struct plugin **slot = VEC_ADD(&loaded);

    if (!slot) {
        plugin_free(search->found);
        return no_memory(search);
    }
    *slot = search->found;
    return 0;
}

static int find(struct search *search)
{
    int code = check_name(search->name, search->err);

    if (code < 0)
        return code;
    search->found = find_loaded(search->name);
    if (search->found) {
        code = add_try(search->tries, search->found->file, 0, "loaded before");
        return code < 0 ? no_memory(search) : 0;
    }
    code = search_all(search);
    return code < 0 ? code : keep(search);
}

int plugin_load(const struct plugin_path *path, const char *name,
                const struct plugin **out, struct plugin_tries *tries,
                weir_error *err)
{
    struct plugin_tries own = { 0 };
    struct search search = {
        .path = path,
        .name = name,
        .tries = tries ? tries : &own,
        .err = err,
    };
    int code = find(&search);

    plugin_tries_done(&own);
    if (code == 0)
        *out = search.found;
    return code;
}
