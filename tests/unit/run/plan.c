/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.c - tests of core/run/plan.c. */
#include "config.h"

#include <string.h>

#include "rig.h"
#include "run/plan.h"

/* first -> late -> (second: stdin -> early, copies), by hand. */
static struct job job;

static struct job_stage *add_stage(const char *name, unsigned workers, int from,
                                   int to)
{
    struct job_stage *stage = VEC_ADD(&job.stages);
    struct job_output *output;

    stage->name = (char *)name;
    stage->workers = workers;
    stage->failed = JOB_NONE;
    if (from != JOB_NONE)
        *VEC_ADD(&stage->from) = from;
    if (to != JOB_NONE) {
        output = VEC_ADD(&stage->outputs);
        *VEC_ADD(&output->to) = to;
    }
    return stage;
}

static void setup(void)
{
    memset(&job, 0, sizeof job);
    *VEC_ADD(&job.queues) = (struct job_queue){
        .name = (char *)"late", .capacity = 10, .bytes = 1000, .order = 1
    };
    *VEC_ADD(&job.queues) = (struct job_queue){
        .name = (char *)"early", .capacity = 20, .bytes = 64 << 20, .order = 0
    };
    job.uses_stdin = job.uses_stdout = true;
    add_stage("first", 2, JOB_STDIN, 1)->failed = 0;
    add_stage("second", 3, 1, 0);
    add_stage("third", 1, 0, JOB_STDOUT);
}

static void teardown(void)
{
    for (size_t i = 0; i < job.stages.count; i++) {
        struct job_stage *stage = &job.stages.at[i];

        VEC_DONE(&stage->from);
        for (size_t k = 0; k < stage->outputs.count; k++)
            VEC_DONE(&stage->outputs.at[k].to);
        VEC_DONE(&stage->outputs);
    }
    VEC_DONE(&job.stages);
    VEC_DONE(&job.queues);
}

START_TEST(upstream_is_first)
{
    struct plan plan;

    ck_assert_int_eq(plan_init(&plan, &job, -1, NULL), 0);
    ck_assert_int_eq(plan.input, 0);
    ck_assert_uint_eq(plan.numbers[1], 1);
    ck_assert_uint_eq(plan.numbers[0], 2);
    ck_assert_int_eq(plan.output, 3);
    ck_assert_uint_eq(plan.report, 4);
    ck_assert_uint_eq(plan.queues.count, 5);
    ck_assert_str_eq(plan.names.at[1], "early");
    ck_assert_uint_eq(plan.queues.at[1].capacity, 20);
    /* stdout takes what any queue holds */
    ck_assert_uint_eq(plan.queues.at[3].bytes, 64 << 20);
    plan_done(&plan);
}
END_TEST

START_TEST(members_in_a_row)
{
    struct plan plan;

    ck_assert_int_eq(plan_init(&plan, &job, -1, NULL), 0);
    ck_assert_uint_eq(plan.first[0], 0);
    ck_assert_uint_eq(plan.first[1], 2);
    ck_assert_uint_eq(plan.first[2], 5);
    ck_assert_uint_eq(plan.workers, 6);
    ck_assert_uint_eq(plan.members, 9);
    plan_done(&plan);
}
END_TEST

START_TEST(who_fills_what)
{
    struct plan plan;

    ck_assert_int_eq(plan_init(&plan, &job, -1, NULL), 0);
    ck_assert(plan_fills(&plan, 0, 1));
    ck_assert(plan_fills(&plan, 0, 2)); /* by `failed` */
    ck_assert(!plan_fills(&plan, 0, 3));
    ck_assert(plan_fills(&plan, 2, 3));
    ck_assert_int_eq(plan_queue(&plan, JOB_DROP), PLAN_NONE);
    ck_assert_int_eq(plan_queue(&plan, JOB_STDIN), 0);
    plan_done(&plan);
}
END_TEST

START_TEST(a_workers_post)
{
    struct plan plan;
    struct post post;

    ck_assert_int_eq(plan_init(&plan, &job, -1, NULL), 0);
    ck_assert_int_eq(plan_post(&plan, 0, 1, &post), 0);
    ck_assert_uint_eq(post.member, 1);
    ck_assert_uint_eq(post.count, 2);
    ck_assert_uint_eq(post.from.at[0], 0);
    ck_assert_uint_eq(post.queues.count, 2);
    ck_assert_uint_eq(post.queues.at[0].number, 1);
    ck_assert_uint_eq(post.queues.at[1].number, 2);
    ck_assert_int_eq(post.outputs.at[0].at[0], 0);
    ck_assert_int_eq(post.failed, 1);
    post_done(&post);
    ck_assert_int_eq(plan_post(&plan, 2, 0, &post), 0);
    ck_assert_int_eq(post.failed, POST_REPORT);
    ck_assert_uint_eq(post.from_capacity, 10);
    post_done(&post);
    plan_done(&plan);
}
END_TEST

START_TEST(who_keeps_what_failed)
{
    struct plan plan;
    struct post post;

    ck_assert_int_eq(plan_init(&plan, &job, -1, NULL), 0);
    ck_assert_int_eq(plan.kept, PLAN_NONE);
    ck_assert_int_eq(plan_keep(&plan, true, NULL), 0);
    ck_assert_int_eq(plan.kept, (int)plan.queues.count - 1);
    ck_assert_uint_eq(plan.feeder, plan.members - 1);
    ck_assert_int_eq(plan_post(&plan, 2, 0, &post), 0);
    ck_assert_int_eq(post.failed, POST_REPORT);
    ck_assert_uint_eq(post.kept, post.queues.count); /* the last one */
    ck_assert_uint_eq(post.queues.at[post.kept - 1].number,
                      (unsigned)plan.kept);
    ck_assert(post.replays);
    post_done(&post);
    plan_done(&plan);
}
END_TEST

/* One queue in, several workers: what it fills is linked, also by `failed`. */
START_TEST(order_is_kept)
{
    struct segment *segment = NULL;
    struct plan plan;
    struct post post;

    job.stages.at[0].keeps_order = job.stages.at[2].keeps_order = true;
    ck_assert_int_eq(plan_init(&plan, &job, -1, NULL), 0);
    ck_assert_uint_eq(plan.orders.count, 2);
    ck_assert_uint_eq(plan.orders.at[0].from, 0);
    ck_assert_uint_eq(plan.orders.at[0].to, 1);
    ck_assert_uint_eq(plan.orders.at[1].to, 2);
    ck_assert_int_eq(plan_segment(&plan, &segment, NULL), 0);
    segment_free(&segment);
    ck_assert_int_eq(plan_post(&plan, 0, 1, &post), 0);
    ck_assert(post.ordered);
    post_done(&post);
    ck_assert_int_eq(plan_post(&plan, 2, 0, &post), 0);
    ck_assert(!post.ordered); /* a single worker has no need of it */
    post_done(&post);
    plan_done(&plan);
}
END_TEST

/* The queue in front has a lane for each worker, also where there is one. */
START_TEST(a_key)
{
    struct segment *segment = NULL;
    struct plan plan;
    struct post post;

    job.stages.at[1].key = job.stages.at[2].key = (char *)"k";
    job.stages.at[0].keeps_order = true;
    ck_assert_int_eq(plan_init(&plan, &job, -1, NULL), 0);
    ck_assert_ptr_null(plan.queues.at[0].key);
    ck_assert_str_eq(plan.queues.at[1].key, "k");
    ck_assert_uint_eq(plan.queues.at[1].lanes, 3);
    ck_assert_uint_eq(plan.queues.at[2].lanes, 1);
    ck_assert_ptr_null(plan.queues.at[3].key);
    ck_assert_int_eq(plan_segment(&plan, &segment, NULL), 0);
    segment_free(&segment);
    ck_assert_int_eq(plan_post(&plan, 1, 2, &post), 0);
    ck_assert(post.keyed && post.in_order && !post.ordered);
    post_done(&post);
    ck_assert_int_eq(plan_post(&plan, 0, 0, &post), 0);
    ck_assert(!post.keyed);
    post_done(&post);
    plan_done(&plan);
}
END_TEST

START_TEST(too_many_workers)
{
    struct plan plan;
    weir_error err = { 0 };

    job.stages.at[0].workers = 5000;
    ck_assert_int_eq(plan_init(&plan, &job, -1, &err), WEIR_EINVAL);
    ck_assert_str_eq(err.text,
                     "the job has 5004 workers; a run has at most 4093");
    plan_done(&plan);
}
END_TEST

Suite *plan_suite(void)
{
    Suite *s = suite_create("plan");
    TCase *c = tcase_create("plan");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, upstream_is_first);
    tcase_add_test(c, members_in_a_row);
    tcase_add_test(c, who_fills_what);
    tcase_add_test(c, a_workers_post);
    tcase_add_test(c, who_keeps_what_failed);
    tcase_add_test(c, order_is_kept);
    tcase_add_test(c, a_key);
    tcase_add_test(c, too_many_workers);
    suite_add_tcase(s, c);
    return s;
}
