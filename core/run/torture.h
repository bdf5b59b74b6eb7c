/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * torture.h - a user's own job, run while its processes are killed, stopped and
 * starved at random, and compared with itself undisturbed: so a task that is
 * not safe to retry is found before a bad night does it.
 *
 *     struct torture torture = { .job_options = &options, .rounds = 3 };
 *     torture_prepare(&torture, job, &err);      what cannot be compared
 *     torture_undisturbed(&torture, &err);
 *     while (torture_round(&torture, &round, &err) == 0 && ...) tell(&round);
 *     torture_done(&torture);
 *
 * Each run is a child with a supervisor of its own. Standard output goes into a
 * file, and what the standard sinks write goes into a folder of the run, in the
 * place of their `root`. Two runs undisturbed say what the job gives, and what
 * of it differs by itself. In every second round the run keeps a journal, its
 * supervisor is killed, too, and another one goes on.
 *
 * torture.c        what is run, and what is made of it
 * torture_run.c    one run
 * torture_lives.c  a run that goes on after its supervisor was killed
 * torture_hand.c   what is done to its processes
 * torture_same.c   two runs, compared
 */
#ifndef RUN_TORTURE_H
#define RUN_TORTURE_H

#include <sys/types.h>

#include "run/run.h"

/* So often, at most, is some worker killed in one run: each kill charges an
 * item at most one attempt, and stages have so many more. */
enum { TORTURE_KILLS = 40, TORTURE_NURSERIES = 3, TORTURE_RUNNERS = 6 };

/* What was done to the processes of a run. */
struct torture_deeds {
    unsigned kills, nurseries, runners, stops, starves;
};

struct torture_stage {
    uint64_t taken, done, failed, skipped, given, dropped, retried, deaths;
    uint64_t digest;
};

/* What came of a run. */
struct torture_result {
    int status; /* of the run */
    char *why;  /* status 3 */
    VEC(struct torture_stage) stages;
    VEC(char *) failures; /* "stage: why", the first ones */
    int64_t time_ns;
    struct torture_deeds deeds;
    char *folder; /* `stdout`, `notes`, and a folder for each root */
};
void torture_result_done(struct torture_result *result);

/* What the supervisor of the job must know of a stage. */
struct torture_sight {
    bool spared;  /* its worker's death ends the run: it is not killed */
    bool settles; /* what it takes is the same in each run */
    bool gives;   /* so is what it gives */
};

struct torture {
    /* The caller's. */
    const struct job_options *job_options; /* `arrange` and `arg` are ours */
    uint64_t seed;                         /* of the first round */
    int input;                             /* stdin of the job; -1 */
    bool effects;                          /* sinks that we cannot turn aside */
    bool (*stopped)(void); /* asked now and then; true: give up; may be NULL */

    const struct job *job;
    struct torture_sight *sights; /* by stage */
    bool ordered;                 /* stdout must be the same byte for byte */
    const char *one_life;         /* why no runner is killed; NULL: they are */
    char *folder;                 /* scratch */
    char *input_file;             /* a copy of stdin; NULL */
    struct torture_result first;  /* undisturbed */
    unsigned round;
};

struct torture_told {
    uint64_t seed; /* that does it again */
    bool journaled;
    struct torture_deeds deeds;
    uint64_t retried, deaths; /* of all stages */
    int64_t time_ns;
    char *found;  /* a sentence; NULL: the same as undisturbed */
    bool failed;  /* more than undisturbed: `found` has the reason, which may
                   * be anybody's, also the system's */
    char *folder; /* what it gave, when something was found; stays */
};

/*
 * torture_prepare - look at what the job does outside, make the scratch folder
 * @job: open, not started; must stay
 *
 * WEIR_EINVAL: a stage has effects that cannot be turned aside or compared, and
 * `effects` is not set; err names it. -ENOTSUP: no two runs of it are the same.
 * Or a code.
 */
int torture_prepare(struct torture *torture, const struct job *job,
                    weir_error *err);
/* Twice. WEIR_EFAILED: the job does not end well by itself, or is not the same
 * twice: err says so. WEIR_ECANCELED: stopped. */
int torture_undisturbed(struct torture *torture, weir_error *err);
/* Once more, under torture; the next one has the next seed. @out is ended by
 * torture_told_done. 0 also when something was found. */
int torture_round(struct torture *torture, struct torture_told *out,
                  weir_error *err);
void torture_told_done(struct torture_told *told);
/* What is found stays. */
void torture_done(struct torture *torture);

/* --- torture_run.c --- */
/* @seed 0: undisturbed. @limit_ns: longer than that is a hang: why says it, and
 * the status is 3. */
int torture_run(struct torture *torture, const char *name, uint64_t seed,
                int64_t limit_ns, struct torture_result *out, weir_error *err);
/* Whether the runner is killed in the round of this seed. */
bool torture_has_lives(const struct torture *torture, uint64_t seed);
/* Where the files of this stage go below a run's folder; @room bytes. */
void torture_root(const struct job *job, size_t stage, char *out, size_t room);
/* Of the standard sinks: what they write can be turned aside. */
bool torture_is_sink(const struct job_stage *stage);

/* --- torture_lives.c --- */
/* The journal of a run, and what its next life goes on from. */
struct torture_lives {
    const struct torture *torture;
    const char *base; /* of its folder */
    int input, output;
    struct run_folder folder; /* locked while a life begins */
    struct record_run run;
    struct snapshot from;
    record_states states;
    struct run_journal journal; /* what run_job is told */
    bool begun;                 /* there is a checkpoint */
};
/* @base: of its folder, made here; @input, @output: the run's ends; all must
 * stay. lives_done in any case. */
int lives_begin(struct torture_lives *lives, const struct torture *torture,
                const char *base, int input, int output, weir_error *err);
/* The supervisor is dead: waits until all of the run are, and reads what it has
 * left. */
int lives_next(struct torture_lives *lives, weir_error *err);
/* The run has ended: what its journal says must be what it says itself. NULL in
 * *why_out: it is; else a sentence, the caller's. */
int lives_judge(const struct torture_lives *lives,
                const struct torture_result *result, char **why_out,
                weir_error *err);
void lives_done(struct torture_lives *lives);

/* --- torture_hand.c --- */
/* What comes over a run; goes on over its lives. */
struct torture_fate {
    uint64_t random; /* what is done follows from it; 0: nothing */
    bool lives;      /* the supervisor may be killed */
};
enum torture_end {
    TORTURE_ENDED,  /* by itself */
    TORTURE_KILLED, /* the supervisor was, as one of the deeds */
    TORTURE_LATE,   /* it had not ended, or we were told to give up: it was
                     * killed with all of its own */
};
/* Until the supervisor @pid ends, is killed, or the deadline. */
enum torture_end torture_hand(struct torture *torture, pid_t pid, int pidfd,
                              struct torture_fate *fate, int64_t deadline_ns,
                              struct torture_deeds *deeds);
/* Of the seed of a round. */
struct torture_fate torture_fate(const struct torture *torture, uint64_t seed);

/* --- torture_same.c --- */
/* NULL: the same. Else the sentence, the caller's; "no memory" and the like are
 * codes. @first, @second: as they are called in it. */
int torture_same(const struct torture *torture,
                 const struct torture_result *want,
                 const struct torture_result *got, char **found_out,
                 weir_error *err);

#endif
