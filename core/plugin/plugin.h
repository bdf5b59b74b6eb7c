/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plugin.h - the face of core/plugin: finding, trusting, loading plugins, and
 * parsing parameters into a task's struct.
 *
 * Loading runs in the nursery (or, for `call` and --inline, in the command's
 * own process): never in a process that others depend on. libltdl is not
 * thread-safe: one thread only. Nothing is ever unloaded.
 */
#ifndef PLUGIN_PLUGIN_H
#define PLUGIN_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/plugin.h>

#include "base/base.h"

/* The folders to search, in order; each absolute. */
struct plugin_path {
    VEC(struct plugin_folder {
        char *path;
        const char *origin; /* "--plugin-path", "the job file", ... */
    })
    folders;
};

/*
 * Builds the search path: @options (--plugin-path, as given; relative ones are
 * made absolute by the working directory), then @job (plugins: of the job file,
 * relative to @job_folder), then WEIR_PLUGIN_PATH (absolute entries only; a
 * relative one is an error that names it), then the install's folder. NULL
 * arrays are empty; arrays end with NULL.
 */
int plugin_path_init(struct plugin_path *path, const char *const *options,
                     const char *const *job, const char *job_folder,
                     weir_error *err);
void plugin_path_done(struct plugin_path *path);

/* One place that was tried for a name, for --why and for errors. */
struct plugin_try {
    char *file;
    int code;  /* 0: taken */
    char *why; /* the true reason, in words */
};

struct plugin_tries {
    VEC(struct plugin_try) list;
};
void plugin_tries_done(struct plugin_tries *tries);

/* A loaded plugin: descriptor checked (ABI, sizes, names, every task). */
struct plugin {
    const char *name;
    const char *file; /* absolute; "built in" when preloaded */
    const weir_descriptor *descriptor;
    const weir_task *tasks; /* widened to this host's struct size, ends by
                             * name == NULL */
};

/*
 * plugin_load - find and load by name ("text"); a second load gives the same.
 * The first file found decides, also when it cannot be used. Preloaded ones
 * are found after the path's folders, when the program has called
 * LTDL_SET_PRELOADED_SYMBOLS before the first call here.
 * WEIR_EPLUGIN: not found (err names each folder) or not usable (err has the
 * file and the reason); WEIR_ETRUST: others may write it; WEIR_ENOMEM. @tries
 * (may be NULL) gets each place.
 */
int plugin_load(const struct plugin_path *path, const char *name,
                const struct plugin **out, struct plugin_tries *tries,
                weir_error *err);

/*
 * plugin_where - the file that plugin_load would take for @name; nothing is
 * loaded. *file_out is the caller's; NULL: none of the path's, built in or not
 * there. Returns 0 or WEIR_ENOMEM.
 */
int plugin_where(const struct plugin_path *path, const char *name,
                 char **file_out);

/* The names that can be found on the path, sorted, once each; the caller frees
 * with plugin_names_done. For listings and nearest names: nothing is loaded.
 * WEIR_ENOMEM, or -errno of a folder that is there and cannot be read. */
struct plugin_names {
    VEC(char *) list; /* ends with a NULL element after the last */
};
int plugin_names(const struct plugin_path *path, struct plugin_names *out);
void plugin_names_done(struct plugin_names *names);

const weir_task *plugin_task(const struct plugin *plugin, const char *name);

/* Trust rule, for folders and files: 0, or WEIR_ETRUST with the component and
 * the chmod that cures it, or a negated errno. @path is absolute. */
int trust_check(const char *path, weir_error *err);

/*
 * A task as other processes know it: flat, no pointer into a plugin. Encoded
 * by task_desc_write in the nursery, read by task_desc_read in the owner.
 */
struct param_desc {
    char *name; /* the field's, less its unit */
    char *summary;
    char *value;               /* NULL: required */
    char *min, *max, *choices; /* may be NULL */
    uint32_t type;             /* enum weir_type */
};

struct task_desc {
    char *plugin, *task, *summary, *file, *version;
    VEC(char *) outputs; /* names; none: a sink */
    VEC(struct param_desc) params;
    char *largest; /* may be NULL */
    bool source, single, shares, stateless;
    bool has_open, has_flush, has_save, has_check;
};

/* 0 or WEIR_ENOMEM; reading also -EBADMSG: damaged or cut short. */
int task_desc_write(struct buf *out, const struct plugin *plugin,
                    const weir_task *task);
int task_desc_read(struct reader *in, struct task_desc *out);
void task_desc_done(struct task_desc *desc);

/* A parameter as the job gives it: one text, or a list of texts. */
struct param_value {
    const char *name;
    size_t count; /* 1 for a text */
    const char *const *texts;
    bool list; /* written as a list */
};

/*
 * param_bind - parse values and defaults into a new zeroed struct, *out (NULL
 * when the task has no parameters; param_unbind frees it). Each mistake calls
 * @mistake with the value's index (SIZE_MAX: a required parameter is missing;
 * its name is @name) and a sentence; several may come. Returns 0, WEIR_EINVAL
 * when there were mistakes, WEIR_ENOMEM. Unknown names are mistakes that name
 * the nearest.
 */
typedef void param_mistake(void *arg, size_t index, const char *name,
                           const char *sentence);
int param_bind(const weir_task *task, const struct param_value *values,
               size_t count, param_mistake *mistake, void *arg, void **out);

/* The same from "name=value" texts: a name that comes again makes a list. Also
 * runs the task's `check`; what that says is a mistake with index SIZE_MAX, and
 * with the parameter's name, or "" where the task did not say which. */
int param_bind_pairs(const weir_task *task, const char *const *pairs,
                     size_t count, param_mistake *mistake, void *arg,
                     void **out);

/* Frees what param_bind made, when nothing of the task runs any more. */
void param_unbind(const void *bound);

/* The size in bytes that parameter @name has in a bound struct; 0 when it is
 * none of type SIZE. For weir_task.largest. */
uint64_t param_size_of(const weir_task *task, const void *bound,
                       const char *name);

/*
 * task_check - run the task's `check` with these parameters, if it has one.
 * Returns 0 or WEIR_EINVAL; then @param_out (64 bytes; "" when the task did
 * not say which) and err.
 */
int task_check(const weir_task *task, const void *bound, char *param_out,
               weir_error *err);

#endif
