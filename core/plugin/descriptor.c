/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptor.c - from what a plugin exports to what this host works with.
 *
 * A plugin says with which sizes its three structs were compiled. They only
 * ever grow at the end, so an older plugin's are copied into this host's and
 * the rest is zero, and of a newer one's the first bytes are taken, as long
 * as the ABI number is one that this host takes. Nothing behind the copies
 * ever looks at the plugin's own tables again.
 *
 * All that can be known to be wrong is refused here, with the task's and the
 * parameter's name, once, when the plugin is loaded: what runs later does not
 * check it again.
 */
#include "config.h"

#include <string.h>

#include "plugin/internal.h"

/* The public part is first, so one pointer serves for both. */
struct accepted {
    struct plugin plugin;
    weir_descriptor descriptor;
    weir_task *tasks;
    char *name, *file;
};

_Static_assert(offsetof(weir_task, name) == 0, "the end of a list of tasks");
_Static_assert(offsetof(weir_param, field) == 0, "the end of a table");

static int check_abi(uint32_t abi, weir_error *err)
{
    if (abi > ABI_NEWEST)
        return error_set(err, WEIR_EPLUGIN,
                         "it was built for ABI %u, and this weir takes up to "
                         "%u; use a newer weir, or build it with this one's "
                         "headers",
                         (unsigned)abi, (unsigned)ABI_NEWEST);
    if (abi < ABI_OLDEST)
        return error_set(err, WEIR_EPLUGIN,
                         "it was built for ABI %u, and this weir takes %u and "
                         "above; build it with this weir's headers",
                         (unsigned)abi, (unsigned)ABI_OLDEST);
    return 0;
}

static int check_size(const char *what, uint32_t size, size_t least,
                      weir_error *err)
{
    if (size >= least && size <= STRUCT_MAX && size % _Alignof(void *) == 0)
        return 0;
    return error_set(err, WEIR_EPLUGIN,
                     "it says that its %s has %u bytes, which cannot be; "
                     "describe it with WEIR_PLUGIN",
                     what, (unsigned)size);
}

static int copy_descriptor(const void *symbol, weir_descriptor *out,
                           weir_error *err)
{
    uint32_t size;
    int code;

    memcpy(&out->abi, symbol, sizeof out->abi);
    code = check_abi(out->abi, err);
    if (code < 0)
        return code;
    memcpy(&size,
           (const char *)symbol + offsetof(weir_descriptor, descriptor_size),
           sizeof size);
    code = check_size("descriptor", size, DESCRIPTOR_LEAST, err);
    if (code < 0)
        return code;
    memcpy(out, symbol, size < sizeof *out ? size : sizeof *out);
    code = check_size("task", out->task_size, TASK_LEAST, err);
    if (code == 0)
        code = check_size("parameter", out->param_size, PARAM_LEAST, err);
    return code;
}

/* Copies a list whose elements have @stride bytes, up to the one whose first
 * pointer is NULL, into elements of @own bytes; the last stays zero. */
static int widen(const void *from, size_t stride, size_t own, size_t most,
                 void *list_out, const char *what, weir_error *err)
{
    size_t count = 0, bytes = stride < own ? stride : own;
    char *list;

    for (;; count++) {
        const char *first;

        memcpy(&first, (const char *)from + count * stride, sizeof first);
        if (!first)
            break;
        if (count == most)
            return error_set(err, WEIR_EPLUGIN,
                             "it lists more than %zu %ss; a list ends with "
                             "{ 0 }",
                             most, what);
    }
    list = calloc(count + 1, own);
    if (!list)
        return error_sys(err, WEIR_ENOMEM, "cannot take its %ss", what);
    for (size_t i = 0; i < count; i++)
        memcpy(list + i * own, (const char *)from + i * stride, bytes);
    memcpy(list_out, &list, sizeof list);
    return 0;
}

static bool word_is_reserved(struct word word)
{
    return word_is(word, "copy") || word_is(word, "drop") ||
           word_is(word, "stdin") || word_is(word, "stdout");
}

static int check_output(struct word word, weir_error *err)
{
    char name[65] = "";

    if (word.size < sizeof name)
        memcpy(name, word.text, word.size);
    if (!name_is_lower(name))
        return error_set(err, WEIR_EPLUGIN, "'%.*s' is no name of an output",
                         (int)(word.size > 64 ? 64 : word.size), word.text);
    if (word_is_reserved(word))
        return error_set(err, WEIR_EPLUGIN,
                         "no output may be called '%s', which jobs use", name);
    return 0;
}

static int check_outputs(const char *outputs, weir_error *err)
{
    int code;

    if (!outputs || outputs[0] == '\0')
        return 0;
    code = line_check(outputs, "list of outputs", err);
    if (code == 0)
        code = words_check(outputs, "output", OUTPUTS_MAX, err);
    for (const char *at = outputs; code == 0 && *at != '\0';)
        code = check_output(word_next(&at), err);
    return code;
}

/* The field or the name, as authors may write either. */
static int check_largest(const weir_task *task, weir_error *err)
{
    char name[FIELD_MAX];

    if (!task->largest)
        return 0;
    for (const weir_param *p = task->params; p && p->field; p++)
        if (strcmp(param_name(p, name), task->largest) == 0 &&
            p->type == WEIR_TYPE_SIZE)
            return 0;
    return error_set(err, WEIR_EPLUGIN,
                     "its largest item, '%.64s', is no parameter of type size",
                     task->largest);
}

static int check_kind(const weir_task *task, weir_error *err)
{
    const char *wrong = NULL;

    if (!task->run)
        wrong = "it has no run";
    else if (!task->save != !task->load)
        wrong = "it has only one of save and load";
    else if (task->shares && !task->source)
        wrong = "it shares its work, but is no source";
    else if (task->shares && task->single)
        wrong = "it is single and shares its work";
    else if (task->stateless && task->save)
        wrong = "it is stateless and saves its state";
    else if (task->source && task->outputs && task->outputs[0] == '\0')
        wrong = "it is a source without an output";
    return wrong ? error_set(err, WEIR_EPLUGIN, "%s", wrong) : 0;
}

static int check_task(const weir_task *tasks, const weir_task *task,
                      weir_error *err)
{
    int code = line_check(task->summary, "summary", err);

    for (const weir_task *t = tasks; code == 0 && t != task; t++)
        if (strcmp(t->name, task->name) == 0)
            code = error_set(err, WEIR_EPLUGIN, "it is there twice");
    if (code == 0)
        code = check_kind(task, err);
    if (code == 0)
        code = check_outputs(task->outputs, err);
    if (code == 0 && task->params)
        code = param_table_check(task->params, err);
    if (code == 0)
        code = check_largest(task, err);
    return code;
}

static int accept_task(weir_task *tasks, weir_task *task, uint32_t param_size,
                       weir_error *err)
{
    char shown[QUOTED_MAX];
    int code = 0;

    if (!name_is_lower(task->name)) {
        /* What is not ours to free must not look like a copy. */
        task->params = NULL;
        return error_set(err, WEIR_EPLUGIN,
                         "'%s' is no name of a task: lower-case letters, "
                         "digits, '-' and '_', first a letter, at most 64",
                         quoted(shown, task->name));
    }
    if (task->params) {
        const void *from = task->params;

        task->params = NULL;
        code = widen(from, param_size, sizeof(weir_param), PARAMS_MAX,
                     &task->params, "parameter", err);
    }
    if (code == 0)
        code = check_task(tasks, task, err);
    if (code < 0)
        error_prefix(err, "task '%s'", task->name);
    return code;
}

/* On failure the tasks behind the one that failed still point to the
 * plugin's own tables: they are cut off, so that plugin_free sees copies. */
static int accept_tasks(struct accepted *made, weir_error *err)
{
    const weir_descriptor *descriptor = &made->descriptor;
    int code;

    if (!descriptor->tasks)
        return error_set(err, WEIR_EPLUGIN, "it lists no task");
    code = widen(descriptor->tasks, descriptor->task_size, sizeof(weir_task),
                 TASKS_MAX, &made->tasks, "task", err);
    if (code < 0)
        return code;
    if (!made->tasks[0].name)
        return error_set(err, WEIR_EPLUGIN, "it lists no task");
    for (weir_task *task = made->tasks; task->name; task++) {
        code = accept_task(made->tasks, task, descriptor->param_size, err);
        if (code < 0) {
            task[1].name = NULL;
            return code;
        }
    }
    return 0;
}

static int check_names(const weir_descriptor *descriptor, const char *name,
                       weir_error *err)
{
    char shown[QUOTED_MAX];
    int code = line_check(descriptor->name, "name", err);

    if (code < 0)
        return code;
    if (!name_is_lower(descriptor->name))
        return error_set(err, WEIR_EPLUGIN, "'%s' is no name of a plugin",
                         quoted(shown, descriptor->name));
    if (strcmp(descriptor->name, name) != 0)
        return error_set(err, WEIR_EPLUGIN,
                         "it calls itself '%s', and its file '%s'; both must "
                         "be the same",
                         descriptor->name, name);
    code = line_check(descriptor->version, "version", err);
    if (code == 0 && descriptor->summary)
        code = line_check(descriptor->summary, "summary", err);
    return code;
}

static int fill(struct accepted *made, const void *symbol, const char *name,
                const char *file, weir_error *err)
{
    int code;

    made->name = strdup(name);
    made->file = strdup(file);
    if (!made->name || !made->file)
        return error_sys(err, WEIR_ENOMEM, "cannot take it");
    code = copy_descriptor(symbol, &made->descriptor, err);
    if (code == 0)
        code = check_names(&made->descriptor, name, err);
    if (code == 0)
        code = accept_tasks(made, err);
    made->plugin = (struct plugin){
        .name = made->name,
        .file = made->file,
        .descriptor = &made->descriptor,
        .tasks = made->tasks,
    };
    return code;
}

int descriptor_accept(const void *symbol, const char *name, const char *file,
                      struct plugin **out, weir_error *err)
{
    struct accepted *made = calloc(1, sizeof *made);
    int code;

    if (!made)
        return error_sys(err, WEIR_ENOMEM, "cannot take it");
    code = fill(made, symbol, name, file, err);
    if (code < 0) {
        plugin_free(&made->plugin);
        if (code == WEIR_ENOMEM)
            return code;
        if (err)
            err->code = WEIR_EPLUGIN;
        return WEIR_EPLUGIN;
    }
    *out = &made->plugin;
    return 0;
}

void plugin_free(struct plugin *plugin)
{
    struct accepted *made = (struct accepted *)(void *)plugin;

    if (!made)
        return;
    for (weir_task *task = made->tasks; task && task->name; task++)
        free((void *)task->params);
    free(made->tasks);
    free(made->name);
    free(made->file);
    free(made);
}

const weir_task *plugin_task(const struct plugin *plugin, const char *name)
{
    for (const weir_task *task = plugin->tasks; task->name; task++)
        if (strcmp(task->name, name) == 0)
            return task;
    return NULL;
}
