/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* brim.c - tests of core/run/brim.c, and of what comes of a task that writes
 * past its output: its worker ends, and nothing of it counts. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"
#include "run/brim.h"
#include "run/news.h"

/* ------------------------------------------------------------- pattern ---- */

enum { ROOM = 5, MOST = 40 };

START_TEST(each_byte_at_the_ends_is_seen)
{
    const size_t brim = (size_t)_i;
    unsigned char data[ROOM + MOST + 1];

    for (size_t at = 0; at < brim; at++) {
        bool is_seen = at < 16 || at + 8 >= brim;

        memset(data, 'x', sizeof data);
        brim_fill(data, ROOM, brim);
        ck_assert_int_eq(data[ROOM - 1], 'x');
        ck_assert_int_eq(data[ROOM + brim], 'x');
        ck_assert_int_eq(brim_look(data, ROOM, brim), BRIM_WHOLE);
        data[ROOM + at] ^= 1;
        ck_assert_int_eq(brim_look(data, ROOM, brim), at + 1 == brim
                                                          ? BRIM_BEYOND
                                                      : is_seen ? BRIM_PAST
                                                                : BRIM_WHOLE);
    }
}
END_TEST

START_TEST(nothing_behind_is_nothing_seen)
{
    unsigned char data[2] = "x";

    brim_fill(data, 1, 0);
    ck_assert_int_eq(data[1], 0);
    ck_assert_int_eq(brim_look(data, 1, 0), BRIM_WHOLE);
}
END_TEST

/* ------------------------------------------------------------- a worker ----
 */

/* How the output is made. */
enum way { STAGED, PRIVATE, LEFT_OPEN };

static const struct past {
    size_t room, past; /* how many bytes too many */
    const char *attr;  /* of the input, and so of the output */
    enum way way;
    bool breaks; /* shared memory */
} pasts[] = {
    { 30, 0, NULL, STAGED, false },
    { 100, 0, "some/where.txt", STAGED, false },
    { 30, 1, NULL, STAGED, false },
    { 0, 1, NULL, STAGED, false },
    { 30, 1, "some/where.txt", STAGED, false },
    { 63, 1, NULL, STAGED, true }, /* it ends where the next slot begins */
    { 100, 1, NULL, STAGED, false },
    { 100, 27, NULL, STAGED, false },
    { 100, 28, NULL, STAGED, true },
    { 100, 200, NULL, STAGED, true },
    { 60000, 1, NULL, STAGED, false },
    { 64, 1, NULL, STAGED, false }, /* these fill what they would stand in */
    { 128, 1, NULL, STAGED, false },
    { 1024, 1, NULL, STAGED, false },
    { 40, 1, "fills.txt", STAGED, false }, /* up to its attributes */
    { 30, 1, NULL, PRIVATE, false },
    { 1000, 20, NULL, PRIVATE, false },
    { 2048, 1, NULL, PRIVATE, false },
    { 100, 0, NULL, LEFT_OPEN, false },
    { 100, 1, NULL, LEFT_OPEN, false },
    { 100, 28, NULL, LEFT_OPEN, true },
};

static const struct past *now;

static int past_run(weir_call *call)
{
    char *data;
    int code = now->way == PRIVATE ? weir_emit(call, 0, "first", 5) : 0;

    if (code == 0)
        code = weir_reserve(call, 0, now->room, (void **)&data);
    if (code < 0)
        return code;
    for (size_t i = 0; i < now->room + now->past; i++)
        ((volatile char *)data)[i] = '\0'; /* what ends a text, mostly */
    return now->way == LEFT_OPEN ? 0 : weir_submit(call, now->room);
}

static const weir_task task = { .name = "past", .run = past_run };

static struct rig rig;

static void check_whole(int status)
{
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_uint_eq(rig_book(&rig)->done, 1);
    ck_assert_uint_eq(rig_held(&rig, RIG_A), now->way == LEFT_OPEN ? 0 : 1);
}

static void check_past(int status)
{
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), EXIT_FAILURE);
    ck_assert_uint_eq(member_parting(rig.segment, RIG_WORKER),
                      now->breaks ? 0 : PARTING_PAST);
    ck_assert_int_eq(segment_broken(rig.segment), now->breaks);
}

/* The one who watches hears why, in a sentence. */
static void check_said(void)
{
    struct news news;

    ck_assert_int_eq(news_next(rig.news[0], &news), 1);
    while (news.kind != NEWS_FATAL)
        ck_assert_int_eq(news_next(rig.news[0], &news), 1);
    ck_assert_ptr_nonnull(strstr(news.text, "past the end of an output of 1"
                                            "00 bytes"));
}

START_TEST(past_an_output)
{
    pid_t child;
    int status;

    now = &pasts[_i];
    /* The queue is full at once: what comes is private. */
    rig_init(&rig, &task, 8, now->way == PRIVATE ? 1 : 8);
    guard_init(&rig.worker.host);
    rig_put(&rig, "one", now->attr);
    child = fork();
    if (child == 0) {
        alarm(60);
        _exit(rig_work(&rig) == 0 ? 0 : 2);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (now->past == 0)
        check_whole(status);
    else
        check_past(status);
    if (now->breaks && now->room == 100)
        check_said();
    if (now->breaks)
        return; /* what is there is not to be used any more */
    rig_kill(&rig, SIGKILL);
    ck_assert_uint_eq(rig_held(&rig, RIG_IN), now->past > 0 ? 1 : 0);
    rig_done(&rig);
}
END_TEST

Suite *brim_suite(void)
{
    Suite *suite = suite_create("brim");
    TCase *tcase = tcase_create("brim");

    tcase_add_loop_test(tcase, each_byte_at_the_ends_is_seen, 1, MOST);
    tcase_add_test(tcase, nothing_behind_is_nothing_seen);
    tcase_add_loop_test(tcase, past_an_output, 0, sizeof pasts / sizeof *pasts);
    suite_add_tcase(suite, tcase);
    return suite;
}
