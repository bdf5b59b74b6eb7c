/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bind.c - plugins, tasks and parameters of all stages. Runs in the nursery
 * (with --inline, in the command's own process).
 *
 * What happens here is told to the owner in a reply: for each stage how far it
 * came, what the task says of itself, and every mistake in its parameters.
 * Before anything that runs a plugin's code it says what it is busy with: if
 * the process dies then, the owner knows of what.
 *
 * A plugin's constructor may print: while plugins load, stdout is stderr, so
 * that results stay results.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "job/internal.h"

/* The mistakes of one stage, counted before they are written. */
struct report {
    struct buf text;
    uint32_t count;
};

static void report_add(void *arg, size_t index, const char *name,
                       const char *sentence)
{
    struct report *report = arg;

    report->count++;
    buf_u32(&report->text,
            index > UINT32_MAX - 1 ? BIND_NONE : (uint32_t)index);
    buf_counted(&report->text, name, strlen(name));
    buf_counted(&report->text, sentence, strlen(sentence));
}

static bool desc_has(const struct task_desc *desc, const char *name)
{
    for (size_t i = 0; i < desc->params.count; i++)
        if (strcmp(desc->params.at[i].name, name) == 0)
            return true;
    return false;
}

/* What the stage gives, but names that the task does not have and those whose
 * value was a mistake: the owner has words for both. @places has room for all;
 * their numbers. */
static size_t gather(const struct job_stage *stage,
                     const struct task_desc *desc, struct param_value *values,
                     uint32_t *places)
{
    size_t count = 0;

    for (size_t i = 0; i < stage->params.count; i++) {
        const struct job_param *param = &stage->params.at[i];

        if (!desc_has(desc, param->name) ||
            (param->texts.count == 0 && !param->list))
            continue;
        places[count] = (uint32_t)i;
        values[count++] = (struct param_value){
            .name = param->name,
            .count = param->texts.count,
            .texts = (const char *const *)param->texts.at,
            .list = param->list,
        };
    }
    return count;
}

/* Numbers in the list that was given become numbers of the stage's. */
struct translation {
    struct report *report;
    const uint32_t *places;
    size_t count;
};

static void translate(void *arg, size_t index, const char *name,
                      const char *sentence)
{
    struct translation *translation = arg;

    report_add(translation->report,
               index < translation->count ? translation->places[index]
                                          : SIZE_MAX,
               name, sentence);
}

static void busy(char what, size_t stage)
{
    char text[32];

    snprintf(text, sizeof text, "%c %zu", what, stage);
    nursery_busy_with(text);
}

static void check_task(const struct job_bound_stage *bound, size_t number,
                       const struct job_stage *stage, struct report *report)
{
    weir_error err = { 0 };
    char param[64] = "";
    size_t index = SIZE_MAX;

    if (!bound->task->check)
        return;
    busy('c', number);
    if (task_check(bound->task, bound->params, param, &err) == 0)
        return;
    for (size_t i = 0; i < stage->params.count; i++)
        if (strcmp(stage->params.at[i].name, param) == 0)
            index = i;
    report_add(report, index, "", err.text);
}

static int bind_params(struct binding *binding, size_t number,
                       const struct task_desc *desc, struct report *report)
{
    const struct job_stage *stage = &binding->job->stages.at[number];
    struct job_bound_stage *bound = &binding->bound.stages[number];
    size_t room = stage->params.count + 1;
    CLEANUP_FREE struct param_value *values = calloc(room, sizeof *values);
    CLEANUP_FREE uint32_t *places = calloc(room, sizeof *places);
    struct translation translation = { report, places, 0 };
    void *params = NULL;
    int code;

    if (!values || !places)
        return WEIR_ENOMEM;
    translation.count = gather(stage, desc, values, places);
    code = param_bind(bound->task, values, translation.count, translate,
                      &translation, &params);
    if (code == WEIR_ENOMEM)
        return code;
    bound->params = params;
    if (code == 0 && translation.count == stage->params.count &&
        !binding->skip_check[number])
        check_task(bound, number, stage, report);
    return 0;
}

/* The nearest name, and all of them when there are few. */
static void refuse_task(struct buf *reply, const struct plugin *plugin,
                        const char *name)
{
    const char *names[256] = { NULL };
    CLEANUP_BUF struct buf text = { 0 };
    size_t count = 0;
    const char *near;

    for (const weir_task *t = plugin->tasks; t->name && count < 255; t++)
        names[count++] = t->name;
    near = text_nearest(name, names);
    buf_printf(&text, "plugin '%s' has no task '%s'; ", plugin->name, name);
    if (near)
        buf_printf(&text, "did you mean '%s'?", near);
    for (size_t i = 0; !near && i < count && i < 20; i++)
        buf_printf(&text, "%s%s", i == 0 ? "it has " : ", ", names[i]);
    if (!near && count > 20)
        buf_printf(&text, " and %zu more", count - 20);
    reply->failed |= text.failed;
    buf_u32(reply, BOUND_NO_TASK);
    buf_counted(reply, text.data, text.size);
}

/* Reads back what was written: the names as the owner will see them. */
static int describe(struct binding *binding, size_t number,
                    struct task_desc *desc, struct buf *reply)
{
    const struct job_bound_stage *bound = &binding->bound.stages[number];
    CLEANUP_BUF struct buf text = { 0 };
    struct reader reader;
    int code = task_desc_write(&text, bound->plugin, bound->task);

    if (code < 0)
        return code;
    reader = (struct reader){ .data = text.data, .size = text.size };
    code = task_desc_read(&reader, desc);
    if (code == 0)
        code = buf_counted(reply, text.data, text.size);
    return code;
}

static int bind_task(struct binding *binding, size_t number, struct buf *reply)
{
    struct job_bound_stage *bound = &binding->bound.stages[number];
    struct report report = { 0 };
    struct task_desc desc = { 0 };
    uint64_t largest = 0;
    int code;

    buf_u32(reply, BOUND_TASK);
    code = describe(binding, number, &desc, reply);
    if (code < 0)
        return code;
    code = bind_params(binding, number, &desc, &report);
    if (code == 0 && bound->params && bound->task->largest)
        largest = param_size_of(bound->task, bound->params,
                                bound->task->largest);
    if (report.count > 0)
        binding->clean = false;
    buf_u64(reply, largest);
    buf_u32(reply, report.count);
    buf_add(reply, report.text.data, report.text.size);
    reply->failed |= report.text.failed;
    buf_done(&report.text);
    task_desc_done(&desc);
    return code;
}

/* The plugin of a stage; each is loaded, and refused, once. 1: it is there; 0:
 * not, which is told, now or at another stage. */
static int find_plugin(struct binding *binding, size_t number,
                       struct buf *reply)
{
    const char *name = binding->job->stages.at[number].plugin;
    struct job_bound_stage *bound = &binding->bound.stages[number];
    weir_error err = { 0 };
    bool fresh;
    uintptr_t *known = map_put(&binding->plugins, name, strlen(name), &fresh);
    int code = 0;

    if (!known)
        return WEIR_ENOMEM;
    if (fresh) {
        busy('l', number);
        code = plugin_load(&binding->job->path, name, &bound->plugin, NULL,
                           &err);
        *known = code == 0 ? (uintptr_t)bound->plugin : 0;
    }
    bound->plugin = (const struct plugin *)*known;
    if (bound->plugin || code == WEIR_ENOMEM)
        return code < 0 ? code : 1;
    binding->clean = false;
    buf_u32(reply, fresh ? BOUND_NO_PLUGIN : BOUND_SKIPPED);
    if (fresh)
        buf_counted(reply, err.text, strlen(err.text));
    return 0;
}

static int bind_stage(struct binding *binding, size_t number, struct buf *reply)
{
    const struct job_stage *stage = &binding->job->stages.at[number];
    struct job_bound_stage *bound = &binding->bound.stages[number];
    int code;

    if (!stage->plugin || binding->skip_plugin[number]) {
        binding->clean = false;
        buf_u32(reply, BOUND_SKIPPED);
        return 0;
    }
    code = find_plugin(binding, number, reply);
    if (code <= 0)
        return code;
    bound->task = plugin_task(bound->plugin, stage->task);
    if (bound->task)
        return bind_task(binding, number, reply);
    binding->clean = false;
    refuse_task(reply, bound->plugin, stage->task);
    return 0;
}

/* stdout becomes stderr; returns what it was. */
static int stdout_aside(void)
{
    int kept;

    fflush(stdout);
    kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (kept >= 0 && fd_put_at(STDERR_FILENO, STDOUT_FILENO) < 0)
        fd_close(&kept);
    return kept;
}

static int stdout_back(int kept)
{
    int code = 0;

    fflush(stdout);
    if (kept >= 0)
        code = fd_put_at(kept, STDOUT_FILENO);
    fd_close(&kept);
    return code;
}

int bind_prepare(void *arg, struct buf *reply)
{
    struct binding *binding = arg;
    int kept = stdout_aside();
    int code = 0, back;

    for (size_t i = 0; i < binding->job->stages.count && code == 0; i++)
        code = bind_stage(binding, i, reply);
    if (code == 0 && reply->failed)
        code = WEIR_ENOMEM;
    if (code == 0 && binding->clean && binding->options->bound) {
        busy('b', 0);
        code = binding->options->bound(&binding->bound, binding->bound.arg);
    }
    back = stdout_back(kept);
    code = code == 0 ? back : code;
    if (code < 0) {
        /* Not busy with anything: this is no plugin's doing. */
        nursery_busy_with("");
        buf_cut(reply, 0);
        buf_u32(reply, (uint32_t)code);
    }
    return code;
}

int binding_init(struct binding *binding, struct job *job,
                 const struct job_options *options)
{
    size_t count = job->stages.count + 1;

    *binding = (struct binding){ .options = options, .job = job };
    binding->bound.job = job;
    binding->bound.arg = options->arg;
    binding->bound.stages = calloc(count, sizeof *binding->bound.stages);
    binding->skip_plugin = calloc(count, sizeof *binding->skip_plugin);
    binding->skip_check = calloc(count, sizeof *binding->skip_check);
    if (binding->bound.stages && binding->skip_plugin && binding->skip_check)
        return 0;
    binding_done(binding);
    return WEIR_ENOMEM;
}

void binding_done(struct binding *binding)
{
    job_bound_clear(&binding->bound, binding->job);
    free(binding->skip_plugin);
    free(binding->skip_check);
    map_done(&binding->plugins);
    binding->skip_plugin = binding->skip_check = NULL;
}
