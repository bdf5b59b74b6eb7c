/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.c - open a job: the one path of check and run. Runs in the owner.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "job/internal.h"

static char *folder_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    CLEANUP_FREE char *folder = NULL;

    if (strcmp(file, "-") == 0 || !slash)
        return realpath(".", NULL);
    folder = strndup(file, slash == file ? 1 : (size_t)(slash - file));
    return folder ? realpath(folder, NULL) : NULL;
}

static int file_open(const char *file, weir_error *err)
{
    struct stat st;
    int fd;

    if (strcmp(file, "-") == 0)
        fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_sys(err, -errno, "cannot open '%s'", file);
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        fd_close(&fd);
        return error_set(err, -EISDIR,
                         "'%s' is a folder; name a job file in it", file);
    }
    return fd;
}

/* The file's text into the job; a file that is too large is a mistake. */
static int text_read(struct job *job, struct diags *diags, weir_error *err)
{
    CLEANUP_BUF struct buf text = { 0 };
    CLEANUP_FD int fd = file_open(job->file, err);
    int code;

    if (fd < 0)
        return fd;
    code = fd_slurp(fd, &text, FILE_MOST);
    if (code == -EFBIG) {
        diag_add(diags, (struct mark){ 0 },
                 "the file is larger than %d MiB, and no job is",
                 FILE_MOST >> 20);
        return WEIR_EJOB;
    }
    if (code < 0)
        return error_sys(err, code, "cannot read '%s'", job->file);
    job->text = text.data ? text.data : strdup("");
    job->text_size = text.size;
    text = (struct buf){ 0 };
    if (!job->text)
        return error_sys(err, WEIR_ENOMEM, "cannot read '%s'", job->file);
    diags->source = job->text;
    diags->source_size = job->text_size;
    return 0;
}

static struct job *job_new(const char *file, weir_error *err)
{
    struct job *job = calloc(1, sizeof *job);

    if (job) {
        job->file = strdup(file);
        job->folder = folder_of(file);
    }
    if (job && job->file && job->folder)
        return job;
    error_sys(err, errno ? -errno : WEIR_ENOMEM, "cannot open '%s'", file);
    job_free(&job);
    return NULL;
}

void reading_done(struct reading *reading)
{
    for (size_t i = 0; i < reading->raw.count; i++) {
        struct raw_stage *raw = &reading->raw.at[i];

        VEC_DONE(&raw->output_marks);
        VEC_DONE(&raw->from_marks);
        VEC_DONE(&raw->after_marks);
        VEC_DONE(&raw->param_keys);
    }
    VEC_DONE(&reading->raw);
    VEC_DONE(&reading->strays);
    map_done(&reading->vars);
    map_done(&reading->queues);
    map_done(&reading->stages);
    arena_done(&reading->arena);
}

/* Until one phase leaves nothing for the next. True: there is a job. */
bool job_text_read(struct reading *reading)
{
    const struct job *job = reading->job;
    struct node *root = NULL;

    bytes_check(job->text, job->text_size, reading->diags);
    if (reading->diags->list.count > 0)
        return false;
    reading->code = tree_read(job->text, job->text_size, &reading->arena,
                              reading->diags, &root);
    if (reading->code < 0 || !root)
        return false;
    job_read(reading, root);
    return reading->code == 0;
}

void job_text_judge(struct reading *reading)
{
    job_settle(reading);
    if (reading->code == 0)
        job_graph(reading);
}

static int read_all(struct reading *reading, struct nursery **nursery,
                    struct job_bound **bound, weir_error *err)
{
    int code = 0;

    if (job_text_read(reading)) {
        if (reading->options->arrange && reading->code == 0)
            code = reading->options->arrange(reading->job,
                                             reading->options->arg);
        if (code == 0 && reading->job->stages.count > 0)
            code = job_load(reading, nursery, bound, err);
        if (code == 0 && reading->code == 0)
            job_text_judge(reading);
    }
    if (code == 0 && (reading->code < 0 || reading->diags->failed))
        code = error_sys(err, WEIR_ENOMEM, "cannot read '%s'",
                         reading->job->file);
    return code;
}

int job_open(const struct job_options *options, struct job **out,
             struct diags *diags, struct nursery **nursery_out,
             struct job_bound **bound_out, weir_error *err)
{
    struct reading reading = { .diags = diags,
                               .options = options,
                               .near_left = NEAR_MOST };
    struct nursery *nursery = NULL;
    struct job_bound *bound = NULL;
    bool keep = options->worker && nursery_out;
    int code;

    reading.job = job_new(options->file, err);
    if (!reading.job)
        return err && err->code ? err->code : WEIR_ENOMEM;
    diags->file = strcmp(options->file, "-") == 0 ? "stdin" : reading.job->file;
    code = text_read(reading.job, diags, err);
    if (code == 0)
        code = read_all(&reading, keep ? &nursery : NULL,
                        options->inline_only && bound_out ? &bound : NULL, err);
    reading_done(&reading);
    if (code == 0 && diags->list.count > 0)
        code = WEIR_EJOB;
    if (code < 0) {
        nursery_stop(&nursery);
        job_bound_free(&bound);
    }
    if (code < 0 && code != WEIR_EJOB) {
        diags->file = diags->source = NULL;
        diags->source_size = 0;
        job_free(&reading.job);
        return code;
    }
    if (nursery_out)
        *nursery_out = nursery;
    if (bound_out)
        *bound_out = bound;
    *out = reading.job;
    return code;
}

/* ---------------------------------------------------------------- free ---- */

static void stage_free(struct job_stage *stage)
{
    for (size_t i = 0; i < stage->params.count; i++) {
        struct job_param *param = &stage->params.at[i];

        for (size_t k = 0; k < param->texts.count; k++)
            free(param->texts.at[k]);
        VEC_DONE(&param->texts);
        VEC_DONE(&param->marks);
        free(param->name);
    }
    for (size_t i = 0; i < stage->outputs.count; i++) {
        free(stage->outputs.at[i].name);
        VEC_DONE(&stage->outputs.at[i].to);
    }
    VEC_DONE(&stage->params);
    VEC_DONE(&stage->outputs);
    VEC_DONE(&stage->from);
    VEC_DONE(&stage->after);
    task_desc_done(&stage->desc);
    free(stage->name);
    free(stage->key);
    free(stage->plugin);
    free(stage->task);
}

static void lists_free(struct job *job)
{
    for (size_t i = 0; i < job->vars.count; i++) {
        free(job->vars.at[i].name);
        free(job->vars.at[i].value);
        free(job->vars.at[i].description);
        free(job->vars.at[i].origin);
    }
    for (size_t i = 0; i < job->plugins.count; i++)
        free(job->plugins.at[i]);
    for (size_t i = 0; i < job->queues.count; i++) {
        free(job->queues.at[i].name);
        free(job->queues.at[i].known);
    }
    for (size_t i = 0; i < job->stages.count; i++)
        stage_free(&job->stages.at[i]);
    VEC_DONE(&job->vars);
    VEC_DONE(&job->plugins);
    VEC_DONE(&job->queues);
    VEC_DONE(&job->stages);
    VEC_DONE(&job->stage_order);
}

const struct job_queue *job_known(const struct job *job)
{
    for (size_t i = 0; i < job->queues.count; i++)
        if (job->queues.at[i].known != NULL)
            return &job->queues.at[i];
    return NULL;
}

void job_free(struct job **job)
{
    struct job *j = *job;

    if (!j)
        return;
    *job = NULL;
    lists_free(j);
    plugin_path_done(&j->path);
    free(j->file);
    free(j->folder);
    free(j->text);
    free(j->name);
    free(j->description);
    free(j);
}
