/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cmd_torture.c - `weir torture`: a user's own job, run while its processes are
 * killed. The command's own process; core/run does it. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/open_job.h"
#include "cli/stop.h"
#include "run/torture.h"

struct torture_args {
    struct texts sets, folders;
    unsigned workers, seed, rounds, seconds;
    bool effects, json;
};

static const struct option_spec torture_options[] = {
    JOB_OPTIONS(struct torture_args),
    { OPTION_COUNT, 'j', "workers", "NUMBER",
      "workers of a stage that does not say how many",
      offsetof(struct torture_args, workers) },
    { OPTION_COUNT, '\0', "seconds", "NUMBER",
      "begin no other round after so long (30)",
      offsetof(struct torture_args, seconds) },
    { OPTION_COUNT, '\0', "rounds", "NUMBER", "so many rounds, at most",
      offsetof(struct torture_args, rounds) },
    { OPTION_COUNT, '\0', "seed", "NUMBER",
      "what is done follows from it; a round shows its own",
      offsetof(struct torture_args, seed) },
    { OPTION_FLAG, '\0', "effects", NULL,
      "run it though its sinks have other effects",
      offsetof(struct torture_args, effects) },
    { OPTION_FLAG, '\0', "json", NULL, "one JSON object a line for each round",
      offsetof(struct torture_args, json) },
    { .kind = OPTION_END },
};

enum { SECONDS = 30, LONG_SECONDS = 10 };

/* When to say that the first runs take long, and what does not end them;
 * FOREVER: it is said, or they are over. */
static int64_t long_ns = FOREVER;

static bool is_stopped(void)
{
    if (long_ns != FOREVER && clock_left(long_ns) == 0) {
        long_ns = FOREVER;
        note_line("undisturbed it has not ended in %u s; time limits do not "
                  "strike here, so an item that hangs does not fail",
                  LONG_SECONDS);
    }
    return stop_signal() != 0;
}

static unsigned new_seed(void)
{
    unsigned seed = 0;

    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (unsigned)clock_now();
    return seed % 1000000 + 1;
}

static void tell_json(const struct torture_told *told)
{
    CLEANUP_BUF struct buf out = { 0 };
    struct json json = { .out = &out };

    json_object(&json, NULL);
    json_uint(&json, "seed", told->seed);
    json_bool(&json, "same", told->found == NULL);
    if (told->found != NULL) {
        json_text(&json, "found", told->found);
        json_text(&json, "folder", told->folder);
    }
    json_uint(&json, "killed", told->deeds.kills);
    json_uint(&json, "nurseries", told->deeds.nurseries);
    json_bool(&json, "journaled", told->journaled);
    json_uint(&json, "runners", told->deeds.runners);
    json_uint(&json, "stopped", told->deeds.stops);
    json_uint(&json, "starved", told->deeds.starves);
    json_uint(&json, "retried", told->retried);
    json_int(&json, "time_ns", told->time_ns);
    json_object_end(&json);
    buf_char(&out, '\n');
    out_buf(&out);
}

static void tell_text(const struct torture_told *told, const char *file)
{
    CLEANUP_BUF struct buf out = { 0 };
    char time[32];

    buf_printf(&out,
               "seed %" PRIu64 ": %u workers killed, %u nurseries, %u runners; "
               "stopped %u, starved %u; %" PRIu64
               " items tried again; %s: %s\n",
               told->seed, told->deeds.kills, told->deeds.nurseries,
               told->deeds.runners, told->deeds.stops, told->deeds.starves,
               told->retried, text_from_duration(time, told->time_ns),
               told->found == NULL ? "the same" : "NOT the same");
    if (told->found != NULL)
        buf_printf(&out,
                   "  %s\n  what it gave is in %s\n"
                   "  again: weir torture --rounds=1 --seed=%" PRIu64 " %s\n",
                   told->found, told->folder, told->seed, file);
    out_buf(&out);
    fflush(stdout);
}

struct sums {
    unsigned rounds, failed, changed; /* changed: without failures */
    uint64_t kills;
};

static int one_round(struct torture *torture, const struct torture_args *args,
                     struct sums *sums, weir_error *err)
{
    struct torture_told told;
    int code = torture_round(torture, &told, err);

    if (code == 0) {
        sums->rounds++;
        sums->failed += told.failed;
        sums->changed += told.found != NULL && !told.failed;
        sums->kills += told.deeds.kills + told.deeds.nurseries +
                       told.deeds.runners;
        if (args->json)
            tell_json(&told);
        else
            tell_text(&told, torture->job->file);
    }
    torture_told_done(&told);
    return code;
}

/* What it all comes to. */
static enum status conclude(const struct sums *sums)
{
    if (sums->failed > 0)
        complain("%u of %u rounds failed as none does undisturbed: why is told "
                 "with each",
                 sums->failed, sums->rounds);
    if (sums->changed > 0)
        complain("%u of %u rounds gave something else than undisturbed: a task "
                 "is not safe to retry, or its output changes by itself",
                 sums->changed, sums->rounds);
    if (sums->failed + sums->changed > 0)
        return STATUS_FAILED;
    if (sums->kills == 0) {
        complain("nothing was killed: the job ends too soon; give it more to "
                 "do");
        return STATUS_BROKEN;
    }
    note_line("%u round%s with %" PRIu64 " kill%s gave the same as undisturbed",
              sums->rounds, sums->rounds == 1 ? "" : "s", sums->kills,
              sums->kills == 1 ? "" : "s");
    return STATUS_GOOD;
}

static enum status run_rounds(struct torture *torture,
                              const struct torture_args *args, weir_error *err)
{
    unsigned seconds = args->seconds > 0  ? args->seconds
                       : args->rounds > 0 ? 0
                                          : SECONDS;
    int64_t end = seconds > 0 ? clock_deadline(seconds * NS_PER_S) : FOREVER;
    struct sums sums = { 0 };
    char time[32];
    int code;

    long_ns = clock_deadline(LONG_SECONDS * NS_PER_S);
    code = torture_undisturbed(torture, err);
    long_ns = FOREVER;
    if (code == 0)
        note_line("undisturbed it takes %s, and is the same twice",
                  text_from_duration(time, torture->first.time_ns));
    if (code == 0 && torture->one_life != NULL)
        note_line("no runner is killed: %s", torture->one_life);
    while (code == 0 && !is_stopped() && !out_lost() &&
           (args->rounds == 0 || sums.rounds < args->rounds) &&
           (sums.rounds == 0 || clock_left(end) > 0))
        code = one_round(torture, args, &sums, err);
    if (code == WEIR_ECANCELED || is_stopped())
        return STATUS_BROKEN;
    if (code < 0) {
        complain_error(err);
        return STATUS_BROKEN;
    }
    return conclude(&sums);
}

static enum status torture_job(const struct torture_args *args,
                               const struct job_options *options,
                               const struct job *job)
{
    struct torture torture = {
        .job_options = options,
        .seed = args->seed > 0 ? args->seed : new_seed(),
        .input = STDIN_FILENO,
        .effects = args->effects,
        .stopped = is_stopped,
    };
    weir_error err = { 0 };
    enum status status;
    int code;

    stop_watch(NULL, NULL);
    if (job->uses_stdin && isatty(STDIN_FILENO))
        note_line("reading standard input, for all runs; Ctrl-D ends it");
    code = torture_prepare(&torture, job, &err);
    if (code == 0) {
        status = run_rounds(&torture, args, &err);
    } else {
        complain_error(&err);
        status = code == WEIR_EINVAL || code == -ENOTSUP ? STATUS_WRONG
                                                         : STATUS_BROKEN;
        if (code == WEIR_EINVAL)
            note_line("--effects runs it all the same, effects and all");
    }
    torture_done(&torture);
    if (is_stopped())
        stop_die_by(stop_signal());
    return status;
}

static enum status torture_run_command(const struct cli *cli, const void *all)
{
    const struct torture_args *args = all;
    struct job_options options = { .workers = args->workers };
    struct job *job = NULL;
    struct nursery *nursery = NULL;
    struct job_bound *bound = NULL;
    enum status status;

    if (strcmp(cli->operands[0], "-") == 0) {
        complain("a job that is run many times comes from a file, not from "
                 "standard input");
        return STATUS_WRONG;
    }
    status = open_job(cli, &options, &args->sets, &args->folders, false, &job,
                      &nursery, &bound);
    if (status == STATUS_GOOD)
        status = torture_job(args, &options, job);
    nursery_stop(&nursery);
    job_free(&job);
    return status;
}

const struct command cmd_torture = {
    .name = "torture",
    .summary = "Run a job while its processes are killed",
    .operands = "FILE",
    .least = 1,
    .most = 1,
    .completes = "job",
    .options = torture_options,
    .args_size = sizeof(struct torture_args),
    .about = "\nThe job is run twice undisturbed, then in rounds while its "
             "processes are\n"
             "killed, stopped and starved at random, in each second one the "
             "runner, too, which\n"
             "then goes on from its journal; each must give the same. So tasks "
             "are found that\n"
             "are not safe to retry. Standard output and the files of "
             "file.write and\n"
             "file.append go into a scratch folder. Jobs with other sinks are "
             "refused, since\n"
             "what those do outside is done each time.\n\n"
             "Exit status 0: the same each time; 1: it was not; 3: nothing can "
             "be said.\n",
    .examples = "  weir torture --rounds=1 top-words.yaml\n"
                "  weir torture --rounds=1 --seed=7 --json top-words.yaml\n",
    .run = torture_run_command,
};
