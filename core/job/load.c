/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load.c - the owner's side of bind.c: starts the nursery that loads, and takes
 * in its reply.
 *
 * A plugin that crashes, hangs or exits takes the nursery. Then it is known
 * what the nursery was busy with: that is told, left out, and a new nursery
 * sees to the rest, so that one bad plugin does not hide the mistakes of all
 * others. How often, and for how long, is bounded.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "job/internal.h"
#include "shm/shm.h"

#define LOAD_NS (10 * NS_PER_S) /* one try */
enum {
    LOADS_MOST = 16, /* tries */
    LOADS_TIMES = 3, /* as long as one try may take, all together */
};

struct loading {
    int64_t limit_ns;
    struct binding binding;
    struct nursery *nursery;
    struct buf reply;
    char busy[256];
    struct exit_record exit;
    bool timed_out;
    bool deaf; /* it closed what it was heard by */
};

static int64_t limit_of(const struct job_options *options)
{
    return options->load_timeout_ns > 0 ? options->load_timeout_ns : LOAD_NS;
}

static int no_worker(void *bound, const struct nursery_order *order)
{
    (void)bound, (void)order;
    return 0;
}

static void loading_done(struct loading *loading)
{
    nursery_stop(&loading->nursery);
    buf_done(&loading->reply);
    binding_done(&loading->binding);
}

/* What prepare itself has returned, when it did; see bind_prepare. */
static int own_code(const struct loading *loading, int code, weir_error *err)
{
    struct reader reader = { .data = loading->reply.data,
                             .size = loading->reply.size };
    int own;

    if (code != WEIR_EPLUGIN || loading->busy[0] != '\0' || reader.size != 4)
        return code;
    own = (int)read_u32(&reader);
    return error_sys(err, own, "cannot make ready for the workers");
}

/* One try. WEIR_EPLUGIN with `busy`: a plugin has taken the nursery. */
static int load_once(struct loading *loading, weir_error *err)
{
    const struct job_options *options = loading->binding.options;
    struct nursery_spec spec = {
        .arg = &loading->binding,
        .prepare = bind_prepare,
        .worker = options->worker ? options->worker : no_worker,
        .prepare_timeout_ns = loading->limit_ns,
    };
    int64_t end = clock_deadline(loading->limit_ns);
    int code;

    if (options->worker)
        spin_prepare();
    buf_cut(&loading->reply, 0);
    loading->busy[0] = '\0';
    loading->exit = (struct exit_record){ 0 };
    code = nursery_start(&spec, &loading->nursery, &loading->reply,
                         loading->busy, &loading->exit, err);
    loading->timed_out = code == WEIR_EPLUGIN && clock_left(end) == 0;
    loading->deaf = code == -EBADF;
    if (loading->deaf)
        code = WEIR_EPLUGIN;
    if (loading->reply.failed)
        return error_sys(err, WEIR_ENOMEM, "cannot take in what was loaded");
    return own_code(loading, code, err);
}

/* ------------------------------------------------------------- deaths ---- */

/* How it ended, for "... : HERE". */
static const char *end_words(const struct loading *loading, char *out,
                             size_t room)
{
    char words[EXIT_WORDS], time[32];

    if (loading->timed_out)
        snprintf(out, room, "it did not come to an end within %s",
                 text_from_duration(time, loading->limit_ns));
    else if (loading->deaf)
        snprintf(out, room, "it closed descriptors that were weir's");
    else if (loading->exit.signaled)
        snprintf(out, room, "the process was %s",
                 exit_words(words, &loading->exit));
    else
        snprintf(out, room, "it ended the process (%s)",
                 exit_words(words, &loading->exit));
    return out;
}

static void skip_plugin(struct loading *loading, const char *plugin)
{
    const struct job *job = loading->binding.job;

    for (size_t i = 0; i < job->stages.count; i++)
        if (job->stages.at[i].plugin &&
            strcmp(job->stages.at[i].plugin, plugin) == 0)
            loading->binding.skip_plugin[i] = true;
}

/* What the nursery was at when it ended: the number of a stage that has a
 * plugin, and 'l', loaded, or 'c', checked. False: none of that. */
static bool was_busy(const struct loading *loading, char *what, size_t *number)
{
    const struct job *job = loading->binding.job;

    return sscanf(loading->busy, "%c %zu", what, number) == 2 &&
           *number < job->stages.count && (*what == 'l' || *what == 'c') &&
           job->stages.at[*number].plugin;
}

/* Tells what took the nursery, and leaves it out from now on. False: it was
 * none of the plugins. */
static bool tell_death(struct reading *reading, struct loading *loading)
{
    const struct job_stage *stage;
    char words[160];
    size_t number;
    char what;

    if (!was_busy(loading, &what, &number))
        return false;
    stage = &reading->job->stages.at[number];
    end_words(loading, words, sizeof words);
    if (what == 'l') {
        mistake(reading, stage->task_mark,
                "plugin '%s' cannot be used: while it was loaded, %s",
                stage->plugin, words);
        skip_plugin(loading, stage->plugin);
    } else {
        mistake(reading, stage->task_mark,
                "task '%s.%s' cannot be used: while it checked its "
                "parameters, %s",
                stage->plugin, stage->task, words);
        loading->binding.skip_check[number] = true;
    }
    return true;
}

/* By somebody else, or for want of memory: no crash of a plugin ends so. */
static bool was_killed(const struct loading *loading)
{
    return !loading->timed_out && !loading->deaf && loading->exit.signaled &&
           loading->exit.code == SIGKILL;
}

static int tell_killed(const struct loading *loading, weir_error *err)
{
    size_t number;
    char what;

    if (!was_busy(loading, &what, &number))
        return error_set(err, WEIR_EBROKEN,
                         "the process that loads was killed by SIGKILL, which "
                         "weir did not send");
    return error_set(err, WEIR_EBROKEN,
                     "the process that loads was killed by SIGKILL, which "
                     "weir did not send, while it was at plugin '%s'",
                     loading->binding.job->stages.at[number].plugin);
}

/* -------------------------------------------------------------- reply ---- */

static int nonsense(weir_error *err)
{
    return error_set(err, WEIR_EPLUGIN,
                     "the process that loads plugins has sent nonsense; a "
                     "plugin may have written where it should not");
}

/* An unknown name that was meant for @name: then that is not missing. */
static bool is_misspelt(const struct job_stage *stage, const char *name)
{
    const char *const candidates[] = { name, NULL };

    for (size_t i = 0; i < stage->params.count && i < 64; i++)
        if (text_nearest(stage->params.at[i].name, candidates))
            return true;
    return false;
}

static void take_mistake(struct reading *reading, size_t number, uint32_t index,
                         const char *name, const char *sentence)
{
    const struct job_stage *stage = &reading->job->stages.at[number];
    const struct raw_stage *raw = &reading->raw.at[number];
    const struct job_param *param;

    if (index < stage->params.count) {
        param = &stage->params.at[index];
        mistake(reading,
                param->marks.count > 0 ? param->marks.at[0] : param->name_mark,
                "%s", sentence);
        return;
    }
    if (name[0] != '\0' && (raw->bad_params || is_misspelt(stage, name)))
        return;
    mistake(reading,
            raw->slots.key[STAGE_WITH] ? raw->slots.key[STAGE_WITH]->mark
                                       : stage->task_mark,
            "%s", sentence);
}

static int take_desc(struct job_stage *stage, struct reader *reader)
{
    size_t size = 0;
    const char *data = read_counted(reader, &size);
    struct reader inner = { .data = data, .size = size };
    int code;

    if (reader->bad)
        return -EBADMSG;
    stage->look = hash_bytes(data, size, 0);
    task_desc_done(&stage->desc);
    code = task_desc_read(&inner, &stage->desc);
    stage->largest = read_u64(reader);
    return code;
}

static int take_task(struct reading *reading, size_t number,
                     struct reader *reader)
{
    struct job_stage *stage = &reading->job->stages.at[number];
    int code = take_desc(stage, reader);
    uint32_t count;

    if (code < 0)
        return code;
    reading->raw.at[number].described = true;
    count = read_u32(reader);
    for (uint32_t i = 0; i < count && !reader->bad && reading->code == 0; i++) {
        uint32_t index = read_u32(reader);
        const char *name = read_text(reader);
        const char *sentence = read_text(reader);

        if (!reader->bad)
            take_mistake(reading, number, index, name, sentence);
    }
    return 0;
}

static int take_stage(struct reading *reading, size_t number,
                      struct reader *reader)
{
    const struct job_stage *stage = &reading->job->stages.at[number];
    uint32_t kind = read_u32(reader);

    where_set(reading, "stage", stage->name ? stage->name : "?", 0);
    if (kind == BOUND_TASK)
        return take_task(reading, number, reader);
    if (kind == BOUND_NO_PLUGIN || kind == BOUND_NO_TASK) {
        const char *sentence = read_text(reader);

        if (!reader->bad)
            mistake(reading, stage->task_mark, "%s", sentence);
    } else if (kind != BOUND_SKIPPED) {
        reader->bad = true;
    }
    return 0;
}

static int take_reply(struct reading *reading, const struct buf *reply,
                      weir_error *err)
{
    struct reader reader = { .data = reply->data, .size = reply->size };
    int code = 0;

    for (size_t i = 0; i < reading->job->stages.count && code == 0 &&
                       reading->code == 0 && !reader.bad;
         i++)
        code = take_stage(reading, i, &reader);
    where_set(reading, NULL, NULL, 0);
    if (code == 0 && reading->code < 0)
        code = reading->code;
    if (code == WEIR_ENOMEM)
        return error_sys(err, code, "cannot take in what was loaded");
    return code < 0 || reader.bad ? nonsense(err) : 0;
}

/* ---------------------------------------------------------------- all ---- */

static int load_all(struct reading *reading, struct loading *loading,
                    weir_error *err)
{
    int64_t deadline = clock_deadline(loading->limit_ns * LOADS_TIMES);

    for (int tries = 1;; tries++) {
        int code = load_once(loading, err);

        if (code != WEIR_EPLUGIN)
            return code;
        if (was_killed(loading))
            return tell_killed(loading, err);
        if (!tell_death(reading, loading))
            return code;
        if (reading->code < 0)
            return error_sys(err, reading->code, "cannot load the plugins");
        if (tries == LOADS_MOST || clock_left(deadline) < loading->limit_ns)
            return WEIR_EJOB; /* enough was found */
    }
}

static int load_here(struct loading *loading, weir_error *err)
{
    int code = bind_prepare(&loading->binding, &loading->reply);

    return code < 0 ? error_sys(err, code, "cannot load the plugins") : 0;
}

static int path_make(struct job *job, const struct job_options *options,
                     weir_error *err)
{
    size_t count = job->plugins.count;
    CLEANUP_FREE const char **folders = calloc(count + 1, sizeof *folders);

    if (!folders)
        return error_sys(err, WEIR_ENOMEM, "cannot make the plugin path");
    for (size_t i = 0; i < count; i++)
        folders[i] = job->plugins.at[i];
    return plugin_path_init(&job->path, options->plugin_paths, folders,
                            job->folder, err);
}

/* Hands a copy of what is bound to the caller. */
static int give_bound(struct loading *loading, struct job_bound **out,
                      weir_error *err)
{
    struct job_bound *bound = malloc(sizeof *bound);

    if (!bound)
        return error_sys(err, WEIR_ENOMEM, "cannot keep what was loaded");
    *bound = loading->binding.bound;
    loading->binding.bound.stages = NULL;
    *out = bound;
    return 0;
}

static int load_into(struct reading *reading, struct loading *loading,
                     weir_error *err)
{
    const struct job_options *options = reading->options;
    int code = options->inline_only ? load_here(loading, err)
                                    : load_all(reading, loading, err);

    if (code == WEIR_EJOB)
        return 0;
    return code < 0 ? code : take_reply(reading, &loading->reply, err);
}

int job_load(struct reading *reading, struct nursery **nursery_out,
             struct job_bound **bound_out, weir_error *err)
{
    struct loading loading = { .limit_ns = limit_of(reading->options) };
    weir_error why = { 0 };
    int code = path_make(reading->job, reading->options, &why);

    if (code == WEIR_EINVAL) { /* the user's doing */
        mistake(reading, (struct mark){ 0 }, "%s", why.text);
        return 0;
    }
    if (code < 0) {
        if (err)
            *err = why;
        return code;
    }
    if (binding_init(&loading.binding, reading->job, reading->options) < 0)
        return error_sys(err, WEIR_ENOMEM, "cannot load the plugins");
    loading.binding.clean = reading->diags->list.count == 0 &&
                            reading->strays.count == 0;
    code = load_into(reading, &loading, err);
    if (code == 0 && nursery_out) {
        *nursery_out = loading.nursery;
        loading.nursery = NULL;
    }
    if (code == 0 && bound_out)
        code = give_bound(&loading, bound_out, err);
    loading_done(&loading);
    return code;
}

void job_bound_clear(struct job_bound *bound, const struct job *job)
{
    for (size_t i = 0; bound->stages && i < job->stages.count; i++)
        param_unbind(bound->stages[i].params);
    free(bound->stages);
    bound->stages = NULL;
}

void job_bound_free(struct job_bound **bound)
{
    if (!*bound)
        return;
    job_bound_clear(*bound, (*bound)->job);
    free(*bound);
    *bound = NULL;
}

/* ---------------------------------------------------------- once more ---- */

static int same_stage(const struct job_stage *stage, struct reader *reader,
                      weir_error *err)
{
    struct job_stage now = { .name = NULL };
    uint32_t kind = read_u32(reader);
    int code = 0;

    if (kind == BOUND_NO_PLUGIN || kind == BOUND_NO_TASK)
        return error_set(err, WEIR_EPLUGIN, "%s", read_text(reader));
    if (kind != BOUND_TASK)
        return nonsense(err);
    code = take_desc(&now, reader);
    task_desc_done(&now.desc);
    if (code < 0)
        return nonsense(err);
    if (read_u32(reader) > 0) {
        read_u32(reader);
        read_text(reader);
        return error_set(err, WEIR_EPLUGIN, "stage '%s': %s", stage->name,
                         read_text(reader));
    }
    if (now.look != stage->look || now.largest != stage->largest)
        return error_set(err, WEIR_EPLUGIN,
                         "plugin '%s' is another one than when the job was "
                         "started: '%s'",
                         stage->plugin, stage->desc.file);
    return reader->bad ? nonsense(err) : 0;
}

int job_nursery(struct job *job, const struct job_options *options,
                struct nursery **out, weir_error *err)
{
    struct loading loading = { .limit_ns = limit_of(options) };
    struct reader reader;
    int code = binding_init(&loading.binding, job, options);

    if (code < 0)
        return error_sys(err, code, "cannot load the plugins again");
    loading.binding.clean = true;
    code = load_once(&loading, err);
    reader = (struct reader){ .data = loading.reply.data,
                              .size = loading.reply.size };
    for (size_t i = 0; code == 0 && i < job->stages.count; i++)
        code = same_stage(&job->stages.at[i], &reader, err);
    if (code == 0) {
        *out = loading.nursery;
        loading.nursery = NULL;
    }
    loading_done(&loading);
    return code;
}
