/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* calling.c - one task and one item, in this process. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "cli/calling.h"

/* ------------------------------------------------------------ the task ---- */

static bool unknown_task(const struct calling *calling, const char *name)
{
    VEC(const char *) names = { 0 };
    const char *near = NULL;

    for (const weir_task *at = calling->plugin->tasks; at->name; at++) {
        const char **slot = VEC_ADD(&names);

        if (slot)
            *slot = at->name;
    }
    if (VEC_ADD(&names))
        near = text_nearest(name, names.at);
    if (near)
        complain("plugin '%s' has no task '%s'; did you mean '%s'?",
                 calling->plugin->name, name, near);
    else
        complain("plugin '%s' has no task '%s'; 'weir plugins %s' lists them",
                 calling->plugin->name, name, calling->plugin->name);
    VEC_DONE(&names);
    return false;
}

static bool find_task(struct calling *calling)
{
    const char *task = strchr(calling->name, '.');
    CLEANUP_FREE char *plugin = NULL;
    weir_error err = { 0 };

    if (!task || task[1] == '\0') {
        complain("'%s': which task? it is named PLUGIN.TASK, as text.upper; "
                 "'weir plugins' lists them",
                 calling->name);
        return false;
    }
    plugin = strndup(calling->name, (size_t)(task - calling->name));
    if (!plugin)
        error_sys(&err, WEIR_ENOMEM, "cannot load a plugin");
    else
        plugin_load(&calling->path, plugin, &calling->plugin, NULL, &err);
    if (err.code != 0) {
        complain_error(&err);
        return false;
    }
    calling->task = plugin_task(calling->plugin, task + 1);
    return calling->task || unknown_task(calling, task + 1);
}

static bool name_outputs(struct calling *calling)
{
    const char *names = calling->task->outputs;
    char *at = calling->outputs = strdup(names ? names : "out");

    while (at && *at) {
        const char **slot = VEC_ADD(&calling->output_names);
        char *end = at + strcspn(at, " ");

        if (!slot)
            return false;
        *slot = at;
        at = *end ? end + 1 : end;
        *end = '\0';
    }
    if (!at || !VEC_ADD(&calling->output_names))
        return false;
    calling->output_names.count--;
    return true;
}

static bool choose_output(struct calling *calling)
{
    const char *wanted = calling->output, *near;

    calling->out = (struct call_out){
        .names = calling->output_names.at,
        .count = calling->output_names.count,
        .only = -1,
        .frame = calling->frame,
        .json = calling->json,
    };
    for (size_t i = 0; wanted && i < calling->out.count; i++)
        if (strcmp(calling->out.names[i], wanted) == 0)
            calling->out.only = (int)i;
    if (!wanted || calling->out.only >= 0)
        return true;
    near = text_nearest(wanted, calling->out.names);
    if (near)
        complain("%s has no output '%s'; did you mean '%s'?", calling->name,
                 wanted, near);
    else
        complain("%s has no output '%s'; 'weir help %s' shows them",
                 calling->name, wanted, calling->name);
    return false;
}

/* ------------------------------------------------------ its parameters ---- */

static void param_wrong(void *arg, size_t index, const char *name,
                        const char *sentence)
{
    const struct calling *calling = arg;

    (void)index;
    if (strstr(sentence, name))
        complain("%s: %s", calling->name, sentence);
    else
        complain("%s: parameter '%s': %s", calling->name, name, sentence);
}

static bool bind_params(struct calling *calling)
{
    int code = param_bind_pairs(calling->task, calling->pairs,
                                calling->pair_count, param_wrong, calling,
                                &calling->params);

    if (code == WEIR_ENOMEM)
        complain_memory();
    return code == 0;
}

/* ------------------------------------------------------------ the call ---- */

static int give_out(void *arg)
{
    struct calling *calling = arg;
    struct inline_task *host = &calling->host;

    for (size_t i = 0; i < host->outputs.count; i++) {
        call_out_item(&calling->out, &host->outputs.at[i]);
        inline_item_done(&host->outputs.at[i]);
    }
    host->outputs.count = host->passed = 0;
    return out_lost() ? WEIR_ECANCELED : 0;
}

static enum status tell_verdict(const struct calling *calling, int verdict)
{
    CLEANUP_BUF struct buf why = { 0 };
    const char *words = verdict == WEIR_SKIP ? "left the item out" : "failed";
    const char *more = "";

    if (verdict == WEIR_TRANSIENT)
        more = " (in a run it would be tried again)";
    else if (verdict == WEIR_FATAL)
        more = " (a run would end here)";
    text_escape(&why, calling->host.why, strlen(calling->host.why),
                sizeof calling->host.why);
    if (verdict == WEIR_SKIP)
        warn("%s %s: %s", calling->name, words, why.data ? why.data : "");
    else
        complain("%s %s: %s%s", calling->name, words, why.data ? why.data : "",
                 more);
    return verdict == WEIR_SKIP ? STATUS_GOOD : STATUS_FAILED;
}

/* After a call: what it gave, and how it went. */
static enum status settle(struct calling *calling, int verdict)
{
    if (verdict == 0 || verdict == WEIR_END)
        verdict = inline_commit(&calling->host);
    give_out(calling);
    if (out_lost())
        return STATUS_BROKEN;
    return verdict == 0 ? STATUS_GOOD : tell_verdict(calling, verdict);
}

static enum status run_source(struct calling *calling)
{
    enum status worst = STATUS_GOOD;

    for (;;) {
        int verdict = inline_call(&calling->host, NULL, 1);
        bool told = verdict == WEIR_PERMANENT && calling->host.cursor_set;
        enum status status = settle(calling, verdict);

        worst = status > worst ? status : worst;
        if (status == STATUS_BROKEN || (verdict != 0 && !told))
            return worst;
    }
}

static enum status run_task(struct calling *calling)
{
    struct inline_task *host = &calling->host;
    enum status status = STATUS_GOOD;
    int verdict = inline_open(host);

    if (verdict != 0)
        status = tell_verdict(calling, verdict);
    else if (calling->task->source)
        status = run_source(calling);
    else
        status = settle(calling,
                        inline_call(host, &calling->item,
                                    calling->attempt > 0 ? calling->attempt
                                                         : 1));
    if (status == STATUS_GOOD && !calling->task->source)
        status = settle(calling, inline_flush(host));
    inline_close(host);
    return status;
}

enum status calling_do(struct calling *calling)
{
    struct inline_plan plan = {
        .name = calling->name,
        .task = calling->task,
        .params = calling->params,
        .outputs = (unsigned)calling->output_names.count,
        .pause = give_out,
        .arg = calling,
    };
    enum status status;

    inline_task_init(&calling->host, &plan);
    status = run_task(calling);
    inline_task_done(&calling->host);
    return status;
}

/* -------------------------------------------------------------- all of it --
 */

enum status calling_prepare(struct calling *calling)
{
    if (!find_task(calling))
        return STATUS_WRONG;
    if (!name_outputs(calling)) {
        complain_memory();
        return STATUS_BROKEN;
    }
    return choose_output(calling) && bind_params(calling) ? STATUS_GOOD
                                                          : STATUS_WRONG;
}

void calling_done(struct calling *calling)
{
    inline_item_done(&calling->item);
    VEC_DONE(&calling->output_names);
    free(calling->outputs);
    free(calling->params);
    plugin_path_done(&calling->path);
}
