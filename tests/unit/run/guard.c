/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guard.c - tests of core/run/guard.c: a worker whose task has made it unfit
 * ends itself, and leaves word of why. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"

static jmp_buf outside;

static int jump_run(weir_call *call)
{
    (void)call;
    longjmp(outside, 1);
}

static int take_run(weir_call *call)
{
    (void)call;
    return 0;
}

static int take_save(weir_call *call, int fd)
{
    (void)call;
    return write(fd, "state", 5) == 5 ? 0 : WEIR_FATAL;
}

static const weir_task jumps = { .name = "jumps", .run = jump_run };
static const weir_task takes = { .name = "takes",
                                 .run = take_run,
                                 .save = take_save };

static struct rig rig;

/* The child's end, and what it left behind. */
static void ends_with(pid_t child, unsigned parting)
{
    int status;

    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), parting != 0 ? EXIT_FAILURE : 0);
    ck_assert_uint_eq(member_parting(rig.segment, RIG_WORKER), parting);
    rig_done(&rig);
}

START_TEST(jump_is_seen)
{
    pid_t child;

    rig_init(&rig, &jumps, 8, 8);
    rig_put(&rig, "one", NULL);
    child = fork();
    if (child == 0) {
        if (setjmp(outside) == 0)
            rig_work(&rig);
        worker_turns(&rig.worker); /* as if nothing had been */
        _exit(0);
    }
    ends_with(child, PARTING_JUMP);
}
END_TEST

/* Another file with the number of one of weir's. */
static void replace(int fd)
{
    int other = open("/dev/null", O_RDWR | O_CLOEXEC);

    ck_assert_int_eq(dup2(other, fd), fd);
}

static const struct {
    enum news_kind kind;
    unsigned parting;
} said[] = {
    { NEWS_LOG, 0 },
    { NEWS_READY, PARTING_FDS },
    { NEWS_FATAL, PARTING_FDS },
};

START_TEST(lost_news_are_missed_or_end_it)
{
    pid_t child;

    rig_init(&rig, &takes, 8, 8);
    guard_init(&rig.worker.host);
    child = fork();
    if (child == 0) {
        replace(rig.news[1]);
        host_say(&rig.worker.host, said[_i].kind, 0, "%s", "news");
        _exit(0);
    }
    ends_with(child, said[_i].parting);
}
END_TEST

START_TEST(state_goes_to_no_other_file)
{
    pid_t child;

    rig_init(&rig, &takes, 8, 8);
    guard_init(&rig.worker.host);
    rig_put(&rig, "one", NULL);
    child = fork();
    if (child == 0) {
        replace(rig.saved[0]);
        rig_work(&rig);
        _exit(0);
    }
    ends_with(child, PARTING_FDS);
}
END_TEST

START_TEST(nothing_is_seen_where_nothing_is)
{
    rig_init(&rig, &takes, 8, 8);
    guard_init(&rig.worker.host);
    rig_put(&rig, "one", NULL);
    ck_assert_int_eq(rig_work(&rig), 0);
    ck_assert_uint_eq(member_parting(rig.segment, RIG_WORKER), 0);
    rig_done(&rig);
}
END_TEST

Suite *guard_suite(void)
{
    Suite *suite = suite_create("guard");
    TCase *tcase = tcase_create("guard");

    tcase_add_test(tcase, jump_is_seen);
    tcase_add_loop_test(tcase, lost_news_are_missed_or_end_it, 0,
                        sizeof said / sizeof *said);
    tcase_add_test(tcase, state_goes_to_no_other_file);
    tcase_add_test(tcase, nothing_is_seen_where_nothing_is);
    suite_add_tcase(suite, tcase);
    return suite;
}
