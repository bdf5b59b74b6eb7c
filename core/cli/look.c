/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * look.c - what a plugin says of itself. The plugin is loaded in a nursery,
 * which answers with one message and is stopped again; the command's own
 * process, where the rest of this file runs, never has it in its memory.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/look.h"
#include "process/nursery.h"

/* As the nursery sees it: memory of before the fork. */
struct asked {
    const struct plugin_path *path;
    const char *name;
};

static void write_text(struct buf *out, const char *text)
{
    buf_counted(out, text, strlen(text));
}

static void write_tries(struct buf *out, const struct plugin_tries *tries)
{
    buf_u32(out, (uint32_t)tries->list.count);
    for (size_t i = 0; i < tries->list.count; i++) {
        write_text(out, tries->list.at[i].file);
        buf_u32(out, (uint32_t)tries->list.at[i].code);
        write_text(out, tries->list.at[i].why);
    }
}

static void write_plugin(struct buf *out, const struct plugin *plugin)
{
    const weir_descriptor *descriptor = plugin->descriptor;
    uint32_t count = 0;

    while (plugin->tasks[count].name)
        count++;
    write_text(out, plugin->file);
    write_text(out, descriptor->version);
    write_text(out, descriptor->summary ? descriptor->summary : "");
    buf_u32(out, count);
    for (uint32_t i = 0; i < count; i++)
        task_desc_write(out, plugin, &plugin->tasks[i]);
}

/* In the nursery. */
static int look_prepare(void *arg, struct buf *reply)
{
    const struct asked *asked = arg;
    const struct plugin *plugin = NULL;
    struct plugin_tries tries = { 0 };
    weir_error err = { 0 };
    int code;

    /* What a constructor prints is no result of ours. */
    fd_put_at(STDERR_FILENO, STDOUT_FILENO);
    code = plugin_load(asked->path, asked->name, &plugin, &tries, &err);

    buf_u32(reply, (uint32_t)code);
    write_text(reply, err.text);
    write_tries(reply, &tries);
    if (code == 0)
        write_plugin(reply, plugin);
    plugin_tries_done(&tries);
    return reply->failed ? WEIR_ENOMEM : 0;
}

/* No worker is ever ordered. */
static int look_worker(void *arg, const struct nursery_order *order)
{
    (void)arg;
    (void)order;
    return 0;
}

static int add_try(struct plugin_tries *tries, const char *file, int code,
                   const char *why)
{
    struct plugin_try *slot = VEC_ADD(&tries->list);

    if (!slot)
        return WEIR_ENOMEM;
    *slot = (struct plugin_try){ strdup(file), code, strdup(why) };
    return slot->file && slot->why ? 0 : WEIR_ENOMEM;
}

static int read_tries(struct reader *in, struct look *out)
{
    uint32_t count = read_u32(in);
    int code = 0;

    for (uint32_t i = 0; i < count && !in->bad && code == 0; i++) {
        const char *file = read_text(in);
        int why_code = (int)read_u32(in);

        code = add_try(&out->tries, file, why_code, read_text(in));
    }
    return code;
}

static int read_plugin(struct reader *in, struct look *out)
{
    uint32_t count;
    int code = 0;

    out->file = strdup(read_text(in));
    out->version = strdup(read_text(in));
    out->summary = strdup(read_text(in));
    if (!out->file || !out->version || !out->summary)
        return WEIR_ENOMEM;
    count = read_u32(in);
    for (uint32_t i = 0; i < count && !in->bad && code == 0; i++) {
        struct task_desc *desc = VEC_ADD(&out->tasks);

        code = desc ? task_desc_read(in, desc) : WEIR_ENOMEM;
        if (code < 0 && desc)
            out->tasks.count--;
    }
    return code;
}

static int read_reply(const struct buf *reply, struct look *out)
{
    struct reader in = { .data = reply->data, .size = reply->size };
    int code;

    out->code = (int)read_u32(&in);
    error_set(&out->err, out->code, "%s", read_text(&in));
    code = read_tries(&in, out);
    if (code == 0 && out->code == 0)
        code = read_plugin(&in, out);
    return code == 0 && in.bad ? -EBADMSG : code;
}

/* It died of the plugin, or was killed because that took too long. */
static int note_death(const struct asked *asked, const char *why,
                      struct look *out)
{
    CLEANUP_FREE char *file = NULL;
    int code = plugin_where(asked->path, asked->name, &file);
    const char *shown = file ? file : "built in";

    if (code < 0)
        return code;
    out->code = WEIR_EPLUGIN;
    error_set(&out->err, WEIR_EPLUGIN, "plugin '%s' cannot be used: %s: %s",
              asked->name, shown, why);
    return add_try(&out->tries, shown, WEIR_EPLUGIN, why);
}

static int ask(struct asked *asked, struct look *out, weir_error *err)
{
    struct nursery_spec spec = {
        .arg = asked,
        .prepare = look_prepare,
        .worker = look_worker,
        .prepare_timeout_ns = 30 * NS_PER_S,
    };
    CLEANUP_BUF struct buf reply = { 0 };
    struct nursery *nursery = NULL;
    int code = nursery_start(&spec, &nursery, &reply, NULL, NULL, err);

    nursery_stop(&nursery);
    if (code == WEIR_EPLUGIN || code == -EBADF)
        code = note_death(asked, err->text, out);
    else if (code == 0)
        code = read_reply(&reply, out);
    return code;
}

int look_at(const struct plugin_path *path, const char *name, struct look *out,
            weir_error *err)
{
    struct asked asked = { path, name };
    struct look look = { .name = strdup(name) };
    weir_error why = { 0 };
    int code = look.name ? ask(&asked, &look, &why) : WEIR_ENOMEM;

    if (code < 0) {
        look_done(&look);
        return error_sys(err, code, "cannot look at plugin '%s'", name);
    }
    *out = look;
    return 0;
}

void look_done(struct look *look)
{
    free(look->name);
    free(look->file);
    free(look->version);
    free(look->summary);
    plugin_tries_done(&look->tries);
    for (size_t i = 0; i < look->tasks.count; i++)
        task_desc_done(&look->tasks.at[i]);
    VEC_DONE(&look->tasks);
}

bool path_of(const struct texts *folders, struct plugin_path *out)
{
    weir_error err = { 0 };

    if (plugin_path_init(out, folders->at, NULL, NULL, &err) == 0)
        return true;
    complain_error(&err);
    return false;
}
