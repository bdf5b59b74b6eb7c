/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * show.c - a plugin, or a task of it, for people and for programs. The
 * command's own process.
 *
 * For people: columns that cut(1) and grep(1) can use, too; for programs the
 * same facts as JSON, with nothing abridged.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/show.h"

const char *show_type(uint32_t type)
{
    static const char *const words[] = {
        [WEIR_TYPE_TEXT] = "text",         [WEIR_TYPE_UINT] = "uint",
        [WEIR_TYPE_INT] = "int",           [WEIR_TYPE_REAL] = "real",
        [WEIR_TYPE_BOOL] = "bool",         [WEIR_TYPE_SIZE] = "size",
        [WEIR_TYPE_DURATION] = "duration", [WEIR_TYPE_CHOICE] = "choice",
        [WEIR_TYPE_LIST] = "list",
    };

    if (type < sizeof words / sizeof *words && words[type])
        return words[type];
    return "unknown";
}

static const char *kind_of(const struct task_desc *task)
{
    if (task->source)
        return "source";
    return task->outputs.count == 0 ? "sink" : "task";
}

static void bold(struct buf *out, const char *text)
{
    buf_printf(out, "%s%s%s", out_style(stdout, STYLE_BOLD), text,
               out_style(stdout, STYLE_END));
}

static void plugin_line(const struct look *look, struct buf *out)
{
    bold(out, look->name);
    buf_printf(out, " %s%s%s\n", look->version, look->summary[0] ? " - " : "",
               look->summary);
}

static size_t name_width(const struct look *look)
{
    size_t width = 0;

    for (size_t i = 0; i < look->tasks.count; i++) {
        size_t size = strlen(look->tasks.at[i].task);

        width = size > width ? size : width;
    }
    return width + strlen(look->name) + 1;
}

void show_listed(const struct look *look, struct buf *out)
{
    size_t width = look->code == 0 ? name_width(look) : 0;

    if (look->code != 0) {
        bold(out, look->name);
        buf_printf(out,
                   " %scannot be used%s; 'weir plugins --why %s' says "
                   "why\n",
                   out_style(stdout, STYLE_RED), out_style(stdout, STYLE_END),
                   look->name);
        return;
    }
    plugin_line(look, out);
    for (size_t i = 0; i < look->tasks.count; i++) {
        const struct task_desc *task = &look->tasks.at[i];

        buf_printf(out, "  %s.%-*s  %-6s  %s\n", look->name,
                   (int)(width - strlen(look->name) - 1), task->task,
                   kind_of(task), task->summary);
    }
}

/* "1 B to 1 GiB", "at least 1 entry", "lf, crlf or nul"; nothing when there
 * is no bound. */
static void range_words(const struct param_desc *param, struct buf *out)
{
    const char *unit = "";

    if (param->type == WEIR_TYPE_TEXT)
        unit = " bytes";
    else if (param->type == WEIR_TYPE_LIST)
        unit = " entries";
    for (const char *at = param->choices; at && *at; at++)
        if (*at == ' ')
            buf_text(out, " | ");
        else
            buf_char(out, *at);
    if (param->min && param->max)
        buf_printf(out, "%s to %s%s", param->min, param->max, unit);
    else if (param->min)
        buf_printf(out, "at least %s%s", param->min, unit);
    else if (param->max)
        buf_printf(out, "at most %s%s", param->max, unit);
}

static void default_words(const struct param_desc *param, struct buf *out)
{
    bool quoted = param->type == WEIR_TYPE_TEXT ||
                  param->type == WEIR_TYPE_LIST;

    if (!param->value)
        buf_text(out, "required");
    else if (quoted && param->value[0] == '\0')
        buf_text(out, "empty");
    else {
        buf_text(out, "default ");
        text_escape(out, param->value, strlen(param->value), 512);
    }
}

static void param_rows(const struct task_desc *task, struct buf *out)
{
    size_t width = 0;

    for (size_t i = 0; i < task->params.count; i++) {
        size_t size = strlen(task->params.at[i].name);

        width = size > width ? size : width;
    }
    if (task->params.count > 0)
        buf_text(out, "  parameters:\n");
    for (size_t i = 0; i < task->params.count; i++) {
        const struct param_desc *param = &task->params.at[i];
        CLEANUP_BUF struct buf range = { 0 };

        range_words(param, &range);
        buf_printf(out, "    %-*s  %s\n", (int)width, param->name,
                   param->summary);
        buf_printf(out, "    %-*s  %s%s, ", (int)width, "",
                   out_style(stdout, STYLE_DIM), show_type(param->type));
        default_words(param, out);
        if (range.size > 0)
            buf_printf(out, ", %s", range.data);
        buf_printf(out, "%s\n", out_style(stdout, STYLE_END));
    }
}

static void task_rows(const struct look *look, const struct task_desc *task,
                      struct buf *out)
{
    buf_printf(out, "%s%s.%s%s - %s\n", out_style(stdout, STYLE_BOLD),
               look->name, task->task, out_style(stdout, STYLE_END),
               task->summary);
    buf_printf(out, "  takes: %s\n",
               task->source ? "nothing (a source)" : "items");
    buf_text(out, "  gives: ");
    if (task->outputs.count == 0)
        buf_text(out, "nothing (a sink)");
    for (size_t i = 0; i < task->outputs.count; i++)
        buf_printf(out, "%s%s", i > 0 ? ", " : "", task->outputs.at[i]);
    buf_char(out, '\n');
    if (task->single)
        buf_text(out, "  workers: one\n");
    else if (task->source && !task->shares)
        buf_text(out, "  workers: one (the work cannot be shared)\n");
    if (task->has_save)
        buf_text(out, "  state: kept over items, saved\n");
    if (task->largest)
        buf_printf(out, "  largest item: '%s'\n", task->largest);
    param_rows(task, out);
}

void show_plugin(const struct look *look, const char *task, struct buf *out)
{
    bool first = true;

    if (!task) {
        plugin_line(look, out);
        buf_printf(out, "file: %s\n\n", look->file);
    }
    for (size_t i = 0; i < look->tasks.count; i++) {
        if (task && strcmp(task, look->tasks.at[i].task) != 0)
            continue;
        if (!first)
            buf_char(out, '\n');
        first = false;
        task_rows(look, &look->tasks.at[i], out);
    }
    if (task)
        buf_printf(out, "  plugin: %s %s, %s\n", look->name, look->version,
                   look->file);
}

/* Where libtool puts a plugin in a build tree, below the folder of the place
 * @own that was tried before it: of no interest while nothing is there. */
static bool is_libtool_place(const struct plugin_try *try, const char *own)
{
    const char *slash = own ? strrchr(own, '/') : NULL;
    size_t folder = slash ? (size_t)(slash - own) : 0;

    return slash && try->code == -ENOENT &&
           strncmp(try->file, own, folder + 1) == 0 &&
           strstr(try->file + folder, "/.libs/");
}

void show_tries(const struct look *look, struct buf *out)
{
    const char *own = NULL;

    for (size_t i = 0; i < look->tries.list.count; i++) {
        const struct plugin_try *at = &look->tries.list.at[i];
        bool broken = at->code != 0 && at->code != -ENOENT;

        if (is_libtool_place(at, own))
            continue;
        own = at->file;
        buf_printf(out, "%s: %s%s%s\n", at->file,
                   broken ? out_style(stdout, STYLE_RED) : "", at->why,
                   broken ? out_style(stdout, STYLE_END) : "");
    }
}

static void optional(struct json *json, const char *key, const char *text)
{
    if (text)
        json_text(json, key, text);
    else
        json_null(json, key);
}

static void param_json(const struct param_desc *param, struct json *json)
{
    json_object(json, NULL);
    json_text(json, "name", param->name);
    json_text(json, "summary", param->summary);
    json_text(json, "type", show_type(param->type));
    json_bool(json, "required", !param->value);
    optional(json, "default", param->value);
    optional(json, "min", param->min);
    optional(json, "max", param->max);
    json_array(json, "choices");
    for (const char *at = param->choices; at && *at;) {
        size_t size = strcspn(at, " ");

        json_bytes(json, NULL, at, size);
        at += size + (at[size] == ' ');
    }
    json_array_end(json);
    json_object_end(json);
}

static void task_json(const struct task_desc *task, struct json *json)
{
    json_object(json, NULL);
    json_text(json, "name", task->task);
    json_text(json, "summary", task->summary);
    json_bool(json, "source", task->source);
    json_bool(json, "single", task->single);
    json_bool(json, "shares", task->shares);
    json_bool(json, "saves", task->has_save);
    optional(json, "largest", task->largest);
    json_array(json, "outputs");
    for (size_t i = 0; i < task->outputs.count; i++)
        json_text(json, NULL, task->outputs.at[i]);
    json_array_end(json);
    json_array(json, "parameters");
    for (size_t i = 0; i < task->params.count; i++)
        param_json(&task->params.at[i], json);
    json_array_end(json);
    json_object_end(json);
}

void show_json(const struct look *look, const char *task, struct json *json)
{
    json_object(json, NULL);
    json_text(json, "name", look->name);
    if (look->code != 0) {
        json_text(json, "error", look->err.text);
        json_object_end(json);
        return;
    }
    json_text(json, "version", look->version);
    json_text(json, "summary", look->summary);
    json_text(json, "file", look->file);
    json_array(json, "tasks");
    for (size_t i = 0; i < look->tasks.count; i++)
        if (!task || strcmp(task, look->tasks.at[i].task) == 0)
            task_json(&look->tasks.at[i], json);
    json_array_end(json);
    json_object_end(json);
}

void show_tries_json(const struct look *look, struct json *json)
{
    json_array(json, "places");
    for (size_t i = 0; i < look->tries.list.count; i++) {
        json_object(json, NULL);
        json_text(json, "file", look->tries.list.at[i].file);
        json_bool(json, "taken", look->tries.list.at[i].code == 0);
        json_text(json, "reason", look->tries.list.at[i].why);
        json_object_end(json);
    }
    json_array_end(json);
}

const struct task_desc *look_task(const struct look *look, const char *name)
{
    VEC(const char *) names = { 0 };
    const char *near = NULL;

    for (size_t i = 0; i < look->tasks.count; i++) {
        const char **slot = VEC_ADD(&names);

        if (strcmp(look->tasks.at[i].task, name) == 0) {
            VEC_DONE(&names);
            return &look->tasks.at[i];
        }
        if (slot)
            *slot = look->tasks.at[i].task;
    }
    if (VEC_ADD(&names))
        near = text_nearest(name, names.at);
    if (near)
        complain("plugin '%s' has no task '%s'; did you mean '%s'?", look->name,
                 name, near);
    else
        complain("plugin '%s' has no task '%s'; 'weir plugins %s' lists them",
                 look->name, name, look->name);
    VEC_DONE(&names);
    return NULL;
}
