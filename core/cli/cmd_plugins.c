/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_plugins.c - `weir plugins`: which there are, one in detail, and why one
 * is not found or cannot be used. The command's own process.
 */
#include "config.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/show.h"

struct plugins_args {
    struct texts folders;
    bool why, json;
};

static const struct option_spec plugins_options[] = {
    { OPTION_FLAG, '\0', "why", NULL,
      "each place that is tried for NAME, and why not there",
      offsetof(struct plugins_args, why) },
    { OPTION_LIST, '\0', "plugin-path", "FOLDER",
      "search this folder first; may be repeated",
      offsetof(struct plugins_args, folders) },
    { OPTION_FLAG, '\0', "json", NULL, "one JSON object, for programs",
      offsetof(struct plugins_args, json) },
    { .kind = OPTION_END },
};

/* Shows a plugin, or one of its tasks ("text.grep"). */
static enum status show_one(const struct plugin_path *path, const char *name,
                            struct json *json, struct buf *out)
{
    size_t size = strcspn(name, ".");
    const char *task = name[size] == '.' ? name + size + 1 : NULL;
    CLEANUP_FREE char *plugin = strndup(name, size);
    enum status status = STATUS_WRONG;
    struct look look = { 0 };
    weir_error err = { 0 };

    if (!plugin || look_at(path, plugin, &look, &err) < 0) {
        complain_error(&err);
        return STATUS_BROKEN;
    }
    if (look.code != 0) {
        complain_error(&look.err);
    } else if (!task || look_task(&look, task)) {
        status = STATUS_GOOD;
        if (json)
            show_json(&look, task, json);
        else
            show_plugin(&look, task, out);
    }
    look_done(&look);
    return status;
}

static enum status list_all(const struct plugin_path *path, struct json *json,
                            struct buf *out)
{
    struct plugin_names names = { 0 };
    enum status status = STATUS_GOOD;
    weir_error err = { 0 };
    int code = plugin_names(path, &names);

    if (code < 0) {
        complain("cannot list the plugins: %s", weir_strerror(code));
        return STATUS_BROKEN;
    }
    for (size_t i = 0; i < names.list.count && status != STATUS_BROKEN; i++) {
        struct look look = { 0 };

        if (look_at(path, names.list.at[i], &look, &err) < 0) {
            complain_error(&err);
            status = STATUS_BROKEN;
            break;
        }
        if (look.code != 0)
            status = STATUS_FAILED;
        if (json)
            show_json(&look, NULL, json);
        else
            show_listed(&look, out);
        look_done(&look);
    }
    if (names.list.count == 0)
        warn("there is no plugin in the folders that are searched; 'weir "
             "plugins --why NAME' names them");
    plugin_names_done(&names);
    return status;
}

static enum status tell_why(const struct plugin_path *path, const char *name,
                            bool as_json, struct buf *out)
{
    struct json json = { .out = out };
    struct look look = { 0 };
    weir_error err = { 0 };
    enum status status;

    if (look_at(path, name, &look, &err) < 0) {
        complain_error(&err);
        return STATUS_BROKEN;
    }
    status = look.code == 0 ? STATUS_GOOD : STATUS_WRONG;
    if (as_json) {
        json_object(&json, NULL);
        json_uint(&json, "form", 1);
        json_text(&json, "name", name);
        json_bool(&json, "usable", look.code == 0);
        if (look.code != 0)
            json_text(&json, "error", look.err.text);
        show_tries_json(&look, &json);
        json_object_end(&json);
        buf_char(out, '\n');
    } else {
        show_tries(&look, out);
        if (look.code != 0)
            complain_error(&look.err);
    }
    look_done(&look);
    return status;
}

static enum status plugins_do(const struct plugins_args *args,
                              const struct plugin_path *path,
                              const struct cli *cli, struct buf *out)
{
    struct json json = { .out = out };
    enum status status = STATUS_GOOD;

    if (args->why)
        return tell_why(path, cli->operands[0], args->json, out);
    if (args->json) {
        json_object(&json, NULL);
        json_uint(&json, "form", 1);
        json_array(&json, "plugins");
    }
    if (cli->count == 0)
        status = list_all(path, args->json ? &json : NULL, out);
    for (size_t i = 0; i < cli->count; i++) {
        enum status one;

        if (i > 0 && !args->json)
            buf_char(out, '\n');
        one = show_one(path, cli->operands[i], args->json ? &json : NULL, out);
        status = one > status ? one : status;
    }
    if (args->json) {
        json_array_end(&json);
        json_object_end(&json);
        buf_char(out, '\n');
    }
    return status;
}

static enum status plugins_run(const struct cli *cli, const void *all)
{
    const struct plugins_args *args = all;
    CLEANUP_BUF struct buf out = { 0 };
    struct plugin_path path;
    enum status status;

    if (args->why && cli->count != 1) {
        complain("--why takes the name of one plugin");
        return STATUS_WRONG;
    }
    if (!path_of(&args->folders, &path))
        return STATUS_WRONG;
    status = plugins_do(args, &path, cli, &out);
    out_buf(&out);
    plugin_path_done(&path);
    return status;
}

enum status plugins_show(const struct plugin_path *path, const char *name)
{
    CLEANUP_BUF struct buf out = { 0 };
    enum status status = show_one(path, name, NULL, &out);

    out_buf(&out);
    return status;
}

const struct command cmd_plugins = {
    .name = "plugins",
    .summary = "List the plugins and their tasks, or show one in detail",
    .operands = "[PLUGIN[.TASK]]...",
    .most = 64,
    .completes = "plugin",
    .options = plugins_options,
    .args_size = sizeof(struct plugins_args),
    .about = "\nPlugins are searched for in the folders of --plugin-path, in "
             "those of\nWEIR_PLUGIN_PATH, and where weir was installed, in "
             "this order.\n",
    .examples = "  weir plugins\n"
                "  weir plugins text\n"
                "  weir plugins --why text\n",
    .run = plugins_run,
};
