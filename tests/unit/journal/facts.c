/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* facts.c - tests of core/journal/facts.c: what a run depends on, and what is
 * said of it when it has changed. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/facts.h"
#include "suites.h"

static weir_error err;

/* ------------------------------------------------------------- gathering ----
 */

/* A job of one source, whose parameter has these values. */
static struct job job;

static void job_of(const char *const *values, size_t count)
{
    struct job_stage *stage;
    struct job_param *param;

    memset(&job, 0, sizeof job);
    write_file(in_scratch("job.yaml"), "weir: 1\n");
    job.file = strdup(in_scratch("job.yaml"));
    job.name = strdup("x");
    job.text = strdup("weir: 1\n");
    job.text_size = strlen(job.text);
    stage = VEC_ADD(&job.stages);
    *stage = (struct job_stage){ .name = strdup("read"),
                                 .plugin = strdup("no-such-plugin"),
                                 .task = strdup("lines"),
                                 .workers = 3 };
    param = VEC_ADD(&stage->params);
    memset(param, 0, sizeof *param);
    for (size_t i = 0; i < count; i++)
        *VEC_ADD(&param->texts) = strdup(values[i]);
}

static void job_gone(void)
{
    struct job_stage *stage = &job.stages.at[0];

    for (size_t i = 0; i < stage->params.at[0].texts.count; i++)
        free((char *)stage->params.at[0].texts.at[i]);
    VEC_DONE(&stage->params.at[0].texts);
    VEC_DONE(&stage->params);
    free(stage->name);
    free(stage->plugin);
    free(stage->task);
    VEC_DONE(&job.stages);
    free((char *)job.file);
    free(job.name);
    free(job.text);
}

static void gather(struct record_run *out)
{
    static const char *const sets[] = { "a=1", "b=2", NULL };
    const struct job_options options = { .sets = sets, .workers = 7 };

    memset(out, 0, sizeof *out);
    ck_assert_int_eq(facts_gather(&job, &options, -1, -1, out, &err), 0);
}

/* Paths of its inputs below the folder of the test, with a blank behind each.
 */
static const char *inputs_of(const struct record_run *run)
{
    static char out[1024];

    out[0] = '\0';
    for (size_t i = 0; i < run->facts.count; i++) {
        const struct record_fact *fact = &run->facts.at[i];

        if (strcmp(fact->kind, "input") != 0)
            continue;
        ck_assert_str_eq(fact->name, "read");
        ck_assert_int_eq(strncmp(fact->value, scratch, strlen(scratch)), 0);
        strcat(out, fact->value + strlen(scratch) + 1);
        strcat(out, " ");
    }
    return out;
}

static void make_tree(void)
{
    ck_assert_int_eq(mkdir(in_scratch("tree"), 0700), 0);
    ck_assert_int_eq(mkdir(in_scratch("tree/below"), 0700), 0);
    write_file(in_scratch("tree/b"), "b");
    write_file(in_scratch("tree/a"), "aa");
    write_file(in_scratch("tree/below/c"), "ccc");
    write_file(in_scratch("tree/*"), "a name like a pattern");
    ck_assert_int_eq(symlink("a", in_scratch("tree/link")), 0);
}

static const struct {
    const char *value, *inputs;
} gathers[] = {
    { "tree/a", "tree/a " },
    { "tree", "tree/* tree/a tree/b tree/below/c " }, /* in one order */
    { "tree/*", "tree/* " },                          /* a file of that name */
    { "tree/?", "tree/* tree/a tree/b " },
    { "tree/{b,a}", "tree/b tree/a " },
    { "tree/link", "tree/link " },
    { "none", "" },
    { "no*ne", "" },
};

START_TEST(inputs_are_found)
{
    struct record_run run;
    const char *value;

    make_tree();
    value = in_scratch(gathers[_i].value);
    job_of(&value, 1);
    gather(&run);
    ck_assert_str_eq(inputs_of(&run), gathers[_i].inputs);
    record_run_done(&run);
    job_gone();
}
END_TEST

START_TEST(all_else_is_noted)
{
    const char *value = "none";
    const struct record_fact *plugin;
    struct record_run run;

    job_of(&value, 1);
    gather(&run);
    ck_assert_str_eq(run.job, "x");
    ck_assert_str_eq(run.text, "weir: 1\n");
    ck_assert_uint_eq(run.workers, 7);
    ck_assert_uint_eq(run.stages.count, 1);
    ck_assert_str_eq(run.stages.at[0].task, "no-such-plugin.lines");
    ck_assert_uint_eq(run.stages.at[0].workers, 3);
    ck_assert_str_eq(facts_find(&run, "set")->value, "a=1");
    plugin = facts_find(&run, "plugin");
    ck_assert_str_eq(plugin->value, "built in");
    ck_assert_ptr_null(facts_find(&run, "stdin"));
    record_run_done(&run);
    job_gone();
}
END_TEST

static void add_queue(const char *name, enum weir_overflow overflow)
{
    *VEC_ADD(&job.queues) = (struct job_queue){ .name = (char *)name,
                                                .overflow = overflow };
}

/* A queue once, in the job's order, however a stage fills it. */
START_TEST(queues_that_do_not_wait_are_noted)
{
    const char *value = "none";
    struct job_stage *stage;
    CLEANUP_BUF struct buf noted = { 0 };
    struct record_run run;

    job_of(&value, 1);
    add_queue("a", WEIR_OVERFLOW_DROP_OLD);
    add_queue("b", WEIR_OVERFLOW_BLOCK);
    add_queue("c", WEIR_OVERFLOW_FAIL);
    add_queue("d", WEIR_OVERFLOW_DROP_NEW); /* of another stage */
    stage = &job.stages.at[0];
    stage->failed = JOB_DROP;
    for (int i = 0; i < 2; i++) {
        struct job_output *output = VEC_ADD(&stage->outputs);

        memset(output, 0, sizeof *output);
        *VEC_ADD(&output->to) = 2;
        *VEC_ADD(&output->to) = i == 0 ? 1 : 0;
        *VEC_ADD(&output->to) = JOB_STDOUT;
    }
    gather(&run);
    for (size_t i = 0; i < run.facts.count; i++)
        if (strcmp(run.facts.at[i].kind, "overflow") == 0)
            buf_printf(&noted, "%s %s;", run.facts.at[i].name,
                       run.facts.at[i].value);
    ck_assert_str_eq(noted.data, "read a: drop-old;read c: fail;");
    record_run_done(&run);
    for (size_t i = 0; i < stage->outputs.count; i++)
        VEC_DONE(&stage->outputs.at[i].to);
    VEC_DONE(&stage->outputs);
    VEC_DONE(&job.queues);
    job_gone();
}
END_TEST

START_TEST(a_job_from_stdin_is_refused)
{
    const struct job from_stdin = { .file = (char *)"-" };
    struct record_run run = { .text = NULL };

    ck_assert_int_eq(facts_gather(&from_stdin, NULL, 0, 1, &run, &err),
                     WEIR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "leave out --journal"));
}
END_TEST

/* ------------------------------------------------------------ comparison ----
 */

static void change_nothing(void)
{
}

static void change_size(void)
{
    write_file(in_scratch("tree/a"), "aaaa");
}

static void change_time(void)
{
    const struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };

    ck_assert_int_eq(utimensat(AT_FDCWD, in_scratch("tree/below/c"), times, 0),
                     0);
}

static void change_name(void)
{
    ck_assert_int_eq(rename(in_scratch("tree/b"), in_scratch("tree/d")), 0);
}

static void change_text(void)
{
    free(job.text);
    job.text = strdup("weir: 2\n");
}

static const struct {
    void (*change)(void);
    const char *says; /* in this order, parted by '|' */
} changes[] = {
    { change_nothing, "" },
    { change_size, "tree/a' of stage 'read' had 2 B, and has 4 B" },
    { change_time, "tree/below/c' of stage 'read' was written to since" },
    { change_name, "tree/b' of stage 'read' is gone|tree/d' of stage 'read' "
                   "is new" },
    { change_text, "job.yaml' has changed" },
};

START_TEST(what_has_changed_is_said)
{
    CLEANUP_BUF struct buf out = { 0 };
    const char *value, *at;
    struct record_run before, now;
    size_t lines = 0;

    make_tree();
    value = in_scratch("tree");
    job_of(&value, 1);
    gather(&before);
    changes[_i].change();
    gather(&now);
    buf_text(&out, "");
    ck_assert_int_eq(facts_compare(&before, &now, &out), 0);
    at = out.data;
    for (const char *says = changes[_i].says; *says != '\0';
         says += strcspn(says, "|"), says += *says == '|') {
        char part[100];

        snprintf(part, sizeof part, "%.*s\n", (int)strcspn(says, "|"), says);
        at = strstr(at, part);
        ck_assert_msg(at != NULL, "'%s' is not in: %s", part, out.data);
        lines++;
    }
    for (size_t i = 0; i < out.size; i++)
        lines -= out.data[i] == '\n';
    ck_assert_msg(lines == 0, "more is said: %s", out.data);
    record_run_done(&before);
    record_run_done(&now);
    job_gone();
}
END_TEST

static const struct {
    const char *before[2], *now[2]; /* of queues that do not wait */
    bool same;
} overflows[] = {
    { { NULL }, { NULL }, true },
    { { "a: fail" }, { "a: fail" }, true },
    { { "a: fail" }, { "a: drop-old" }, false },
    { { "a: fail" }, { NULL }, false },
    { { NULL }, { "a: fail" }, false },
    { { "a: fail", "b: fail" }, { "a: fail", "b: fail" }, true },
    { { "a: fail", "b: fail" }, { "b: fail", "a: fail" }, false },
    { { "a: fail", "b: fail" }, { "a: fail" }, false },
};

static void note_overflows(struct record_run *run, const char *const *values)
{
    memset(run, 0, sizeof *run);
    record_add_fact(run, "set", "", "before");
    for (int i = 0; i < 2 && values[i] != NULL; i++) {
        record_add_fact(run, "overflow", "stage", values[i]);
        record_add_fact(run, "input", "stage", "between");
    }
}

START_TEST(overflow_is_the_same_or_not)
{
    struct record_run before, now;

    note_overflows(&before, overflows[_i].before);
    note_overflows(&now, overflows[_i].now);
    record_add_fact(&now, "set", "", "behind");
    ck_assert_int_eq(facts_same_overflow(&before, &now), overflows[_i].same);
    record_run_done(&before);
    record_run_done(&now);
}
END_TEST

Suite *facts_suite(void)
{
    Suite *suite = suite_create("facts");
    TCase *tcase = tcase_create("facts");

    tcase_add_checked_fixture(tcase, scratch_make, scratch_remove);
    tcase_add_loop_test(tcase, inputs_are_found, 0,
                        sizeof gathers / sizeof *gathers);
    tcase_add_test(tcase, all_else_is_noted);
    tcase_add_test(tcase, queues_that_do_not_wait_are_noted);
    tcase_add_test(tcase, a_job_from_stdin_is_refused);
    tcase_add_loop_test(tcase, what_has_changed_is_said, 0,
                        sizeof changes / sizeof *changes);
    tcase_add_loop_test(tcase, overflow_is_the_same_or_not, 0,
                        sizeof overflows / sizeof *overflows);
    suite_add_tcase(suite, tcase);
    return suite;
}
