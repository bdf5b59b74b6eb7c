/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * torture.c - a job under torture: what can be compared, how often it is run,
 * and what came of it. Runs in the torturer.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/torture.h"

enum { FD_MOST = 16, HANG_TIMES = 20 };
#define HANG_LEAST_NS (120 * NS_PER_S)

void torture_result_done(struct torture_result *result)
{
    for (size_t i = 0; i < result->failures.count; i++)
        free(result->failures.at[i]);
    VEC_DONE(&result->failures);
    VEC_DONE(&result->stages);
    free(result->why);
    free(result->folder);
    *result = (struct torture_result){ .status = 0 };
}

void torture_told_done(struct torture_told *told)
{
    free(told->found);
    free(told->folder);
    *told = (struct torture_told){ .seed = 0 };
}

/* ----------------------------------------------------- what is compared ----
 */

static bool is_harmless(const struct job_stage *stage)
{
    return stage->outputs.count > 0 || torture_is_sink(stage) ||
           (strcmp(stage->plugin, "flow") == 0 &&
            strcmp(stage->task, "discard") == 0);
}

static int check_effects(const struct torture *torture, weir_error *err)
{
    for (size_t i = 0; i < torture->job->stages.count; i++) {
        const struct job_stage *stage = &torture->job->stages.at[i];

        if (!is_harmless(stage) && !torture->effects)
            return error_set(err, WEIR_EINVAL,
                             "stage '%s' is a sink (%s.%s) whose effects can "
                             "neither be turned aside nor compared, and the "
                             "job is run many times",
                             stage->name, stage->plugin, stage->task);
    }
    return 0;
}

static int check_overflow(const struct torture *torture, weir_error *err)
{
    for (size_t i = 0; i < torture->job->queues.count; i++) {
        const struct job_queue *queue = &torture->job->queues.at[i];

        if (queue->overflow != WEIR_OVERFLOW_BLOCK)
            return error_set(err, -ENOTSUP,
                             "what queue '%s' does when it is full ('overflow: "
                             "%s') is another thing in each run, and runs are "
                             "compared: write 'overflow: block' for this",
                             queue->name, job_overflow_word(queue->overflow));
    }
    return 0;
}

/* Whether some queue of the stage is filled by one that @gives the same each
 * time, or does not. */
static bool fed_by(const struct torture *torture, size_t stage, bool gives)
{
    const struct job *job = torture->job;
    const struct job_stage *it = &job->stages.at[stage];

    for (size_t i = 0; i < job->stages.count; i++)
        for (size_t m = 0; m < it->from.count; m++)
            if (torture->sights[i].gives == gives &&
                job_fills(&job->stages.at[i], it->from.at[m]))
                return true;
    return false;
}

/*
 * A task that gathers gives what it has by when its worker is replaced, as
 * parts of counts: only what is made of that in the end must be the same. So
 * what it gives is not compared, nor the stages behind it; what comes out of
 * the job is.
 */
static void look_at_stages(struct torture *torture)
{
    const struct job *job = torture->job;

    for (size_t i = 0; i < job->stage_order.count; i++) {
        size_t number = (size_t)job->stage_order.at[i];
        const struct job_stage *stage = &job->stages.at[number];
        struct torture_sight *sight = &torture->sights[number];
        bool gathers = stage->desc.has_flush && !stage->desc.stateless;

        sight->spared = gathers && !stage->desc.has_save &&
                        stage->from.count > 0;
        sight->settles = !fed_by(torture, number, false);
        sight->gives = sight->settles && !gathers;
    }
}

/* One worker everywhere, or order is kept, and no queue that several fill: then
 * nothing overtakes. */
static bool is_ordered(const struct job *job)
{
    unsigned sources = 0;

    for (size_t i = 0; i < job->stages.count; i++) {
        const struct job_stage *stage = &job->stages.at[i];

        if ((stage->workers > 1 && !stage->keeps_order) ||
            stage->from.count > 1)
            return false;
        sources += stage->from.count == 0;
    }
    if (sources + job->uses_stdin > 1)
        return false;
    for (size_t q = 0; q < job->queues.count; q++) {
        unsigned fill = 0;

        for (size_t i = 0; i < job->stages.count; i++)
            fill += job_fills(&job->stages.at[i], (int)q);
        if (fill > 1)
            return false;
    }
    return true;
}

/* Why a run of it cannot go on after its supervisor was killed; NULL: it can.
 */
static const char *one_life(const struct torture *torture)
{
    if (!journal_is_built())
        return "this weir was built without SQLite";
    if (job_known(torture->job) != NULL)
        return "a queue has a name";
    for (size_t i = 0; i < torture->job->stages.count; i++)
        if (torture->sights[i].spared)
            return "a task does not save what it gathers";
    return NULL;
}

/* ------------------------------------------------------------- scratch ---- */

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tree(const char *folder)
{
    if (nftw(folder, remove_one, FD_MOST, FTW_DEPTH | FTW_PHYS) != 0)
        log_say(LOG_WARNING, "cannot remove '%s': %s", folder, strerror(errno));
}

static int copy_input(struct torture *torture, weir_error *err)
{
    char block[1 << 16];
    CLEANUP_FD int fd = -1;
    ssize_t size;
    int code = 0;

    if (!torture->job->uses_stdin || torture->input < 0)
        return 0;
    if (asprintf(&torture->input_file, "%s/stdin", torture->folder) < 0) {
        torture->input_file = NULL;
        return error_sys(err, WEIR_ENOMEM, "standard input cannot be kept");
    }
    fd = open(torture->input_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
              0600);
    if (fd < 0)
        return error_sys(err, -errno, "cannot make '%s'", torture->input_file);
    while (code == 0 &&
           (size = fd_read_all(torture->input, block, sizeof block)) != 0)
        code = size < 0 ? (int)size : fd_write_all(fd, block, (size_t)size);
    return code < 0 ? error_sys(err, code, "standard input cannot be kept") : 0;
}

static int make_scratch(struct torture *torture, weir_error *err)
{
    const char *base = getenv("TMPDIR");

    if (base == NULL || base[0] != '/')
        base = "/tmp";
    if (asprintf(&torture->folder, "%s/weir-torture.XXXXXX", base) < 0) {
        torture->folder = NULL;
        return error_sys(err, WEIR_ENOMEM, "there is no place for the runs");
    }
    if (mkdtemp(torture->folder) == NULL) {
        int code = error_sys(err, -errno, "cannot make a folder in '%s'", base);

        free(torture->folder);
        torture->folder = NULL;
        return code;
    }
    return copy_input(torture, err);
}

int torture_prepare(struct torture *torture, const struct job *job,
                    weir_error *err)
{
    int code;

    torture->job = job;
    torture->sights = calloc(job->stages.count + 1, sizeof *torture->sights);
    if (torture->sights == NULL)
        return error_sys(err, WEIR_ENOMEM, "the job cannot be looked at");
    look_at_stages(torture);
    torture->ordered = is_ordered(job);
    torture->one_life = one_life(torture);
    code = check_effects(torture, err);
    if (code == 0)
        code = check_overflow(torture, err);
    return code < 0 ? code : make_scratch(torture, err);
}

void torture_done(struct torture *torture)
{
    torture_result_done(&torture->first);
    if (torture->folder != NULL)
        remove_tree(torture->folder);
    free(torture->folder);
    free(torture->input_file);
    free(torture->sights);
}

/* ---------------------------------------------------------------- runs ---- */

static int judge_first(const struct torture_result *first, weir_error *err)
{
    if (first->status <= 1)
        return 0;
    return error_set(err, WEIR_EFAILED,
                     "the job does not end well by itself: %s",
                     first->why != NULL ? first->why : "it cannot go on");
}

int torture_undisturbed(struct torture *torture, weir_error *err)
{
    struct torture_result second = { .status = 0 };
    CLEANUP_FREE char *found = NULL;
    int code = torture_run(torture, "undisturbed", 0, FOREVER, &torture->first,
                           err);

    if (code == 0)
        code = judge_first(&torture->first, err);
    if (code == 0)
        code = torture_run(torture, "again", 0, FOREVER, &second, err);
    if (code == 0)
        code = torture_same(torture, &torture->first, &second, &found, err);
    if (second.folder != NULL)
        remove_tree(second.folder);
    torture_result_done(&second);
    if (code < 0)
        return code;
    return found == NULL
               ? 0
               : error_set(err, WEIR_EFAILED,
                           "the job is not the same twice, also when nobody "
                           "disturbs it: %s",
                           found);
}

static int64_t limit_of(const struct torture *torture)
{
    int64_t limit = torture->first.time_ns < FOREVER / HANG_TIMES
                        ? torture->first.time_ns * HANG_TIMES
                        : FOREVER;

    return limit < HANG_LEAST_NS ? HANG_LEAST_NS : limit;
}

/* Moved away from what is removed at the end. */
static int keep_folder(const struct torture *torture, const char *name,
                       struct torture_result *result, char **out,
                       weir_error *err)
{
    char *kept;

    if (asprintf(&kept, "%s-%s", torture->folder, name) < 0)
        return error_sys(err, WEIR_ENOMEM, "what was found cannot be kept");
    if (rename(result->folder, kept) < 0) {
        int code = error_sys(err, -errno, "cannot make '%s'", kept);

        free(kept);
        return code;
    }
    *out = kept;
    return 0;
}

static void tell(const struct torture_result *result, struct torture_told *out)
{
    out->deeds = result->deeds;
    out->time_ns = result->time_ns;
    for (size_t i = 0; i < result->stages.count; i++) {
        out->retried += result->stages.at[i].retried;
        out->deaths += result->stages.at[i].deaths;
    }
}

static uint64_t count_failed(const struct torture_result *result)
{
    uint64_t count = 0;

    for (size_t i = 0; i < result->stages.count; i++)
        count += result->stages.at[i].failed;
    return count;
}

int torture_round(struct torture *torture, struct torture_told *out,
                  weir_error *err)
{
    struct torture_result result;
    char name[32];
    int code;

    snprintf(name, sizeof name, "round-%u", torture->round + 1);
    *out = (struct torture_told){
        .seed = torture->seed + torture->round,
        .journaled = torture_has_lives(torture, torture->seed + torture->round),
    };
    torture->round++;
    code = torture_run(torture, name, out->seed != 0 ? out->seed : 1,
                       limit_of(torture), &result, err);
    if (code == 0) {
        tell(&result, out);
        code = torture_same(torture, &torture->first, &result, &out->found,
                            err);
        out->failed = out->found != NULL &&
                      (result.status > 1 ||
                       count_failed(&result) > count_failed(&torture->first));
    }
    if (code == 0 && out->found != NULL)
        code = keep_folder(torture, name, &result, &out->folder, err);
    else if (result.folder != NULL)
        remove_tree(result.folder);
    torture_result_done(&result);
    return code;
}
