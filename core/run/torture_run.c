/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * torture_run.c - one run of a job that is tortured: a child that opens the job
 * anew, arranged so that what it writes goes into a folder of this run, and is
 * its supervisor. Runs in the torturer, and in that child from child() on.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/process.h"
#include "run/torture.h"

enum { FAILURES_TOLD = 5, REPLY_MOST = 1 << 20 };

/* ------------------------------------------------------------- arranged ----
 */

bool torture_is_sink(const struct job_stage *stage)
{
    return strcmp(stage->plugin, "file") == 0 &&
           (strcmp(stage->task, "write") == 0 ||
            strcmp(stage->task, "append") == 0);
}

static struct job_param *find_root(const struct job_stage *stage)
{
    for (size_t i = 0; i < stage->params.count; i++)
        if (strcmp(stage->params.at[i].name, "root") == 0 &&
            stage->params.at[i].texts.count > 0)
            return &stage->params.at[i];
    return NULL;
}

static const char *root_text(const struct job_stage *stage)
{
    const struct job_param *root = find_root(stage);

    return root != NULL ? root->texts.at[0] : ".";
}

/* Stages with one root share it: they may write into one file. */
void torture_root(const struct job *job, size_t stage, char *out, size_t room)
{
    const char *root = root_text(&job->stages.at[stage]);
    size_t first = 0;

    while (!torture_is_sink(&job->stages.at[first]) ||
           strcmp(root_text(&job->stages.at[first]), root) != 0)
        first++;
    snprintf(out, room, "files-%s", job->stages.at[first].name);
}

static int add_root(struct job_stage *stage, char *text)
{
    struct job_param *param = VEC_ADD(&stage->params);
    char **slot = param != NULL ? VEC_ADD(&param->texts) : NULL;
    struct mark *mark = param != NULL ? VEC_ADD(&param->marks) : NULL;

    if (slot == NULL || mark == NULL)
        return WEIR_ENOMEM;
    *slot = text;
    *mark = param->name_mark = stage->mark;
    param->name = strdup("root");
    return param->name != NULL ? 0 : WEIR_ENOMEM;
}

static int set_root(struct job_stage *stage, char *text)
{
    struct job_param *param = find_root(stage);

    if (param == NULL)
        return add_root(stage, text);
    free(param->texts.at[0]);
    param->texts.at[0] = text;
    return 0;
}

struct arranging {
    const char *folder; /* of the run */
};

/* What a root is called follows from all of them: so all first. */
static int arrange(struct job *job, void *arg)
{
    const struct arranging *arranging = arg;
    CLEANUP_FREE char **texts = calloc(job->stages.count + 1, sizeof *texts);
    char name[96];
    int code = texts != NULL ? 0 : WEIR_ENOMEM;

    for (size_t i = 0; i < job->stages.count && code == 0; i++) {
        if (!torture_is_sink(&job->stages.at[i]))
            continue;
        torture_root(job, i, name, sizeof name);
        if (asprintf(&texts[i], "%s/%s", arranging->folder, name) < 0)
            code = WEIR_ENOMEM;
    }
    for (size_t i = 0; i < job->stages.count && code == 0; i++)
        if (texts[i] != NULL)
            code = set_root(&job->stages.at[i], texts[i]);
    return code;
}

/* Kills and waits are ours: no item may fail by them, nor the run end. */
static void relax(struct job *job)
{
    job->deadline_ns = FOREVER;
    for (size_t i = 0; i < job->stages.count; i++) {
        struct job_stage *stage = &job->stages.at[i];

        stage->retries += TORTURE_KILLS + TORTURE_NURSERIES + 1;
        stage->timeout_ns = stage->soft_ns = stage->heartbeat_ns = FOREVER;
        stage->memory = 0;
        memset(stage->waits, 0, sizeof stage->waits);
        stage->halt.failures = 0;
        stage->halt.share = 0;
    }
}

/* ------------------------------------------------------------ the child ----
 */

struct place {
    struct torture *torture;
    char *folder;
    int input, output, notes, reply;
    const struct run_journal *journal; /* NULL: it keeps none */
};

static void write_reply(const struct run_report *report, struct buf *out)
{
    size_t failures = report->failures.count < FAILURES_TOLD
                          ? report->failures.count
                          : FAILURES_TOLD;

    buf_u32(out, (uint32_t)report->status);
    buf_counted(out, report->why ? report->why : "",
                report->why ? strlen(report->why) : 0);
    buf_u64(out, (uint64_t)report->time_ns);
    buf_u32(out, (uint32_t)report->stages.count);
    for (size_t i = 0; i < report->stages.count; i++) {
        const struct run_stage *stage = &report->stages.at[i];
        const uint64_t numbers[] = { stage->taken,   stage->done,
                                     stage->failed,  stage->skipped,
                                     stage->given,   stage->dropped,
                                     stage->retried, stage->deaths,
                                     stage->digest };

        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            buf_u64(out, numbers[k]);
    }
    buf_u32(out, (uint32_t)failures);
    for (size_t i = 0; i < failures; i++) {
        const struct run_failure *failure = &report->failures.at[i];
        CLEANUP_BUF struct buf text = { 0 };

        buf_printf(&text, "'%s': %s",
                   failure->stage < report->stages.count
                       ? report->stages.at[failure->stage].name
                       : "stdin",
                   failure->why);
        buf_counted(out, text.data ? text.data : "", text.size);
    }
}

static int run(const struct place *place, struct buf *reply)
{
    struct arranging arranging = { place->folder };
    struct job_options job_options = *place->torture->job_options;
    struct run_options options = { .quiet = true,
                                   .digests = true,
                                   .kills = TORTURE_KILLS + TORTURE_NURSERIES,
                                   .input = place->input,
                                   .output = place->output,
                                   .notes = place->notes,
                                   .journal = place->journal };
    struct run_report report = { 0 };
    struct diags diags = { 0 };
    struct nursery *nursery = NULL;
    struct job *job = NULL;
    weir_error err = { 0 };
    int code;

    job_options.worker = run_worker;
    job_options.arrange = arrange;
    job_options.arg = &arranging;
    code = job_open(&job_options, &job, &diags, &nursery, NULL, &err);
    if (code == 0) {
        relax(job);
        code = run_job(&options, job, &job_options, &nursery, &report, &err);
    }
    if (code == 0) {
        write_reply(&report, reply);
    } else {
        buf_u32(reply, UINT32_MAX);
        buf_counted(reply, err.text, strlen(err.text));
    }
    nursery_stop(&nursery);
    run_report_done(&report);
    diags_done(&diags);
    job_free(&job);
    return reply->failed ? WEIR_ENOMEM : 0;
}

static _Noreturn void child(const struct place *place)
{
    CLEANUP_BUF struct buf reply = { 0 };
    int code;

    dup2(place->notes, STDERR_FILENO);
    dup2(place->notes, STDOUT_FILENO);
    code = run(place, &reply);
    if (code == 0)
        code = fd_write_all(place->reply, reply.data, reply.size);
    _exit(code == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* ------------------------------------------------------------- the reply ----
 */

static int read_stages(struct reader *in, struct torture_result *out)
{
    for (uint32_t left = read_u32(in); left > 0 && !in->bad; left--) {
        struct torture_stage *stage = VEC_ADD(&out->stages);

        if (stage == NULL)
            return WEIR_ENOMEM;
        stage->taken = read_u64(in);
        stage->done = read_u64(in);
        stage->failed = read_u64(in);
        stage->skipped = read_u64(in);
        stage->given = read_u64(in);
        stage->dropped = read_u64(in);
        stage->retried = read_u64(in);
        stage->deaths = read_u64(in);
        stage->digest = read_u64(in);
    }
    for (uint32_t left = read_u32(in); left > 0 && !in->bad; left--) {
        char **slot = VEC_ADD(&out->failures);

        if (slot == NULL || (*slot = strdup(read_text(in))) == NULL)
            return WEIR_ENOMEM;
    }
    return in->bad ? WEIR_EBROKEN : 0;
}

static int read_reply(const struct buf *reply, struct torture_result *out,
                      weir_error *err)
{
    struct reader in = { .data = reply->data, .size = reply->size };
    uint32_t status = read_u32(&in);
    int code;

    if (status == UINT32_MAX)
        return error_set(err, WEIR_EFAILED, "a run cannot be started: %s",
                         read_text(&in));
    out->status = (int)status;
    out->why = strdup(read_text(&in));
    out->time_ns = (int64_t)read_u64(&in);
    code = out->why != NULL ? read_stages(&in, out) : WEIR_ENOMEM;
    return code < 0 ? error_sys(err, code, "what a run says cannot be read")
                    : 0;
}

/* It was killed before it could say anything: by us, or by itself. */
static int no_reply(bool ended, int64_t limit_ns, struct torture_result *out)
{
    char time[32];

    out->status = 3;
    if (ended)
        out->why = strdup("the supervisor has died");
    else if (asprintf(&out->why, "it has not ended after %s: it hangs",
                      text_from_duration(time, limit_ns)) < 0)
        out->why = NULL;
    return out->why != NULL ? 0 : WEIR_ENOMEM;
}

/* --------------------------------------------------------------- the run ----
 */

static int open_in(const char *folder, const char *name)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

static int open_place(struct place *place)
{
    const char *input = place->torture->input_file != NULL
                            ? place->torture->input_file
                            : "/dev/null";

    if (mkdir(place->folder, 0700) < 0)
        return -errno;
    place->input = open(input, O_RDONLY | O_CLOEXEC);
    place->output = open_in(place->folder, "stdout");
    place->notes = open_in(place->folder, "notes");
    if (place->input < 0)
        return -errno;
    return place->output < 0  ? place->output
           : place->notes < 0 ? place->notes
                              : 0;
}

static pid_t start(const struct place *place)
{
    int fds[] = { place->input, place->output, place->notes, place->reply, -1 };
    struct heritage heritage = {
        .death_signal = SIGKILL, .life = -1, .fds = fds, .fd_count = 4
    };
    pid_t pid;

    if (place->journal != NULL)
        fds[heritage.fd_count++] = place->journal->folder->lock;
    pid = fork_child(&heritage, NULL);
    if (pid == 0)
        child(place);
    return pid;
}

/* ----------------------------------------------------------------- a life ----
 */

static int watch(const struct place *place, pid_t pid,
                 struct torture_fate *fate, int64_t deadline_ns,
                 struct torture_deeds *deeds, weir_error *err)
{
    CLEANUP_FD int pidfd = pidfd_open(pid, 0);
    enum torture_end end;

    if (pidfd < 0)
        return error_sys(err, -errno, "a run cannot be watched");
    end = torture_hand(place->torture, pid, pidfd, fate, deadline_ns, deeds);
    if (waitpid(pid, NULL, 0) < 0)
        return error_sys(err, -errno, "a run cannot be watched");
    return (int)end;
}

/* How it ended, or a code. What it has said is added to @said. */
static int live(struct place *place, struct torture_fate *fate,
                int64_t deadline_ns, struct torture_deeds *deeds,
                struct buf *said, weir_error *err)
{
    struct torture *torture = place->torture;
    int reply[2], end, code;
    pid_t pid;

    if (pipe2(reply, O_CLOEXEC) < 0)
        return error_sys(err, -errno, "a run cannot be started");
    place->reply = reply[1];
    pid = start(place);
    fd_close(&reply[1]);
    end = pid < 0 ? error_sys(err, (int)pid, "a run cannot be started")
                  : watch(place, pid, fate, deadline_ns, deeds, err);
    if (end == TORTURE_LATE && torture->stopped != NULL && torture->stopped())
        end = WEIR_ECANCELED;
    code = end < 0 ? 0 : fd_slurp(reply[0], said, REPLY_MOST);
    fd_close(&reply[0]);
    return code < 0 ? error_sys(err, code, "what a run says cannot be read")
                    : end;
}

/* Killed when all was said already, it has ended, too. */
static int live_once(struct place *place, struct torture_fate fate,
                     int64_t limit_ns, struct torture_result *out,
                     weir_error *err)
{
    CLEANUP_BUF struct buf said = { 0 };
    int end = live(place, &fate, clock_deadline(limit_ns), &out->deeds, &said,
                   err);

    if (end < 0)
        return end;
    return said.size > 0 ? read_reply(&said, out, err)
                         : no_reply(end == TORTURE_ENDED, limit_ns, out);
}

/* That it cannot go on is found, and ends nothing here. */
static int cannot_go_on(const weir_error *err, struct torture_result *out)
{
    out->status = 3;
    free(out->why);
    return asprintf(&out->why,
                    "its supervisor was killed, and it cannot go on: %s",
                    err->text) < 0
               ? (out->why = NULL, WEIR_ENOMEM)
               : 0;
}

/* After each death of its supervisor another one goes on. */
static int live_on(struct place *place, struct torture_lives *lives,
                   struct torture_fate fate, int64_t limit_ns,
                   struct torture_result *out, weir_error *err)
{
    int64_t deadline = clock_deadline(limit_ns);
    CLEANUP_FREE char *why = NULL;
    CLEANUP_BUF struct buf said = { 0 };
    weir_error lost = { 0 };
    int end, code;

    for (;;) {
        buf_cut(&said, 0);
        end = live(place, &fate, deadline, &out->deeds, &said, err);
        fd_close(&lives->folder.lock);
        if (end != TORTURE_KILLED || said.size > 0)
            break;
        if (lives_next(lives, &lost) < 0)
            return cannot_go_on(&lost, out);
    }
    if (end < 0)
        return end;
    if (said.size == 0)
        return no_reply(end == TORTURE_ENDED, limit_ns, out);
    code = read_reply(&said, out, err);
    if (code == 0 && out->status <= 1)
        code = lives_judge(lives, out, &why, err);
    if (code == 0 && why != NULL) {
        out->status = 3;
        free(out->why);
        out->why = why;
        why = NULL;
    }
    return code;
}

/* ---------------------------------------------------------------- the run ----
 */

bool torture_has_lives(const struct torture *torture, uint64_t seed)
{
    return torture->one_life == NULL && seed != 0 && seed % 2 == 0;
}

static int run_it(struct place *place, uint64_t seed, int64_t limit_ns,
                  struct torture_result *out, weir_error *err)
{
    struct torture_fate fate = torture_fate(place->torture, seed);
    CLEANUP_FREE char *base = NULL;
    struct torture_lives lives;
    int code;

    if (!fate.lives)
        return live_once(place, fate, limit_ns, out, err);
    if (asprintf(&base, "%s/runs", place->folder) < 0) {
        base = NULL;
        return error_sys(err, WEIR_ENOMEM, "a run cannot be started");
    }
    code = lives_begin(&lives, place->torture, base, place->input,
                       place->output, err);
    place->journal = &lives.journal;
    if (code == 0)
        code = live_on(place, &lives, fate, limit_ns, out, err);
    lives_done(&lives);
    return code;
}

int torture_run(struct torture *torture, const char *name, uint64_t seed,
                int64_t limit_ns, struct torture_result *out, weir_error *err)
{
    struct place place = {
        .torture = torture, .input = -1, .output = -1, .notes = -1, .reply = -1
    };
    int code;

    *out = (struct torture_result){ .status = 3 };
    if (asprintf(&place.folder, "%s/%s", torture->folder, name) < 0)
        return error_sys(err, WEIR_ENOMEM, "a run cannot be started");
    out->folder = place.folder;
    code = open_place(&place);
    code = code == 0 ? run_it(&place, seed, limit_ns, out, err)
                     : error_sys(err, code, "a run cannot be started");
    fd_close(&place.input);
    fd_close(&place.output);
    fd_close(&place.notes);
    return code;
}
