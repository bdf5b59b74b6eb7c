/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* give.c - tests of core/run/give.c and host.c: what a task can do with its
 * outputs, and the rule of room. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

/* The test's own function is the task's. */
static int (*body)(weir_call *call);

static int run_body(weir_call *call)
{
    return body(call);
}

static const weir_task task = { .name = "task",
                                .run = run_body,
                                .outputs = "a b c d" };

static void run_one(struct rig *rig, int (*function)(weir_call *call))
{
    body = function;
    rig_init(rig, &task, 8, 8);
    rig_put(rig, "input", "some/where.txt");
    ck_assert_int_eq(rig_work(rig), 0);
}

/* ------------------------------------------------------------- calls ---- */

static int all_ways(weir_call *call)
{
    void *data;

    ck_assert_int_eq(weir_emit(call, 0, "copied", 6), 0);
    ck_assert_int_eq(weir_emit(call, 0, NULL, 0), 0);
    ck_assert_int_eq(weir_reserve(call, 0, 1000, &data), 0);
    ck_assert_uint_eq((uintptr_t)data % 64, 0);
    memcpy(data, "in place", 8);
    ck_assert_int_eq(weir_submit(call, 8), 0);
    ck_assert_int_eq(weir_pass(call, 0), 0);
    ck_assert_int_eq(weir_emit(call, 2, "dropped", 7), 0);
    ck_assert_int_eq(weir_reserve(call, 2, 100, &data), 0);
    memset(data, 'x', 100);
    ck_assert_int_eq(weir_submit(call, 100), 0);
    return weir_emit(call, 3, "both", 4);
}

START_TEST(every_way_to_give)
{
    struct rig rig;

    run_one(&rig, all_ways);
    rig_take(&rig, RIG_A);
    ck_assert_str_eq(rig.taken.data, "copied\n\nin place\ninput\nboth\n");
    ck_assert_str_eq(rig_attr(&rig, "path"), "some/where.txt");
    rig_take(&rig, RIG_B);
    ck_assert_str_eq(rig.taken.data, "both\n");
    ck_assert_uint_eq(rig_book(&rig)->emitted, 6);
    ck_assert_uint_eq(rig_book(&rig)->dropped, 2);
    rig_done(&rig);
}
END_TEST

static int misuse(weir_call *call)
{
    void *data;
    char text[8];
    weir_bytes value;

    ck_assert_int_eq(weir_emit(call, 4, "x", 1), WEIR_EINVAL);
    ck_assert_int_eq(weir_emit(call, 0, NULL, 1), WEIR_EINVAL);
    ck_assert_int_eq(weir_submit(call, 1), WEIR_ESTATE);
    ck_assert_int_eq(weir_reserve(call, 0, 10, &data), 0);
    ck_assert_int_eq(weir_reserve(call, 0, 10, &data), WEIR_ESTATE);
    ck_assert_int_eq(weir_emit(call, 0, "x", 1), WEIR_ESTATE);
    ck_assert_int_eq(weir_pass(call, 0), WEIR_ESTATE);
    ck_assert_int_eq(weir_submit(call, 11), WEIR_EINVAL);
    ck_assert_int_eq(weir_submit(call, 0), 0);
    ck_assert_int_eq(weir_set_attr(call, "no name", "x", 1), WEIR_EINVAL);
    ck_assert_int_eq(weir_attr(call, "none", &value), WEIR_EEMPTY);
    ck_assert_int_eq(weir_cursor(call, &value), WEIR_ESTATE);
    ck_assert_int_eq(weir_set_cursor(call, "x", 1), WEIR_ESTATE);
    ck_assert_int_eq(weir_pause(call, 1), WEIR_ESTATE);
    ck_assert_int_eq(weir_expand(call, "${item.name}", text, 3), WEIR_ETOOBIG);
    ck_assert_int_eq(weir_append(call, 0, "x", 1), WEIR_EINVAL);
    ck_assert_int_eq(weir_rename(call, "relative", "/x"), WEIR_EINVAL);
    /* never submitted: dropped when the call ends */
    return weir_reserve(call, 0, 10, &data);
}

START_TEST(misuse_is_a_code)
{
    struct rig rig;

    run_one(&rig, misuse);
    rig_take(&rig, RIG_A);
    ck_assert_str_eq(rig.taken.data, "\n");
    ck_assert_uint_eq(rig_book(&rig)->done, 1);
    rig_done(&rig);
}
END_TEST

static int attributes(weir_call *call)
{
    weir_bytes value;
    char text[64];

    ck_assert_int_eq(weir_attr(call, "path", &value), 0);
    ck_assert_uint_eq(value.size, 14);
    ck_assert_int_eq(weir_expand(call, "${item.dir}|${item.stem}|${item.path}",
                                 text, sizeof text),
                     25);
    ck_assert_str_eq(text, "some|where|some/where.txt");
    ck_assert_int_eq(weir_set_attr(call, "n", "1", 1), 0);
    ck_assert_int_eq(weir_emit(call, 0, "one", 3), 0);
    ck_assert_int_eq(weir_set_attr(call, "n", "2", 1), 0);
    ck_assert_int_eq(weir_set_attr(call, "path", NULL, 0), 0);
    ck_assert_int_eq(weir_attr(call, "path", &value), 0); /* the input's */
    ck_assert_int_eq(weir_emit(call, 1, "two", 3), 0);
    ck_assert_int_eq(weir_expand(call, "${item.none}", text, sizeof text),
                     WEIR_EEMPTY);
    return 0;
}

START_TEST(attributes_of_outputs)
{
    struct rig rig;

    run_one(&rig, attributes);
    rig_take(&rig, RIG_A);
    ck_assert_str_eq(rig_attr(&rig, "n"), "1");
    ck_assert_str_eq(rig_attr(&rig, "path"), "some/where.txt");
    rig_take(&rig, RIG_B);
    ck_assert_str_eq(rig_attr(&rig, "n"), "2");
    ck_assert_str_eq(rig_attr(&rig, "path"), "");
    rig_done(&rig);
}
END_TEST

static int too_large(weir_call *call)
{
    static char big[70000];

    ck_assert_int_eq(weir_emit(call, 1, big, sizeof big), WEIR_ETOOBIG);
    ck_assert_int_eq(weir_emit(call, 0, "x", 1), WEIR_ETOOBIG);
    return 0; /* what could not be given is not forgotten */
}

START_TEST(never_fits)
{
    struct rig rig;

    run_one(&rig, too_large);
    ck_assert_uint_eq(rig_book(&rig)->failed, 1);
    ck_assert_uint_eq(rig_held(&rig, RIG_A), 0);
    ck_assert_uint_eq(rig_held(&rig, RIG_REPORT), 1);
    rig_done(&rig);
}
END_TEST

/* --------------------------------------------------------------- room ---- */

/* Takes from a and b until both are closed. */
struct drain {
    struct rig *rig;
    char *order; /* of what came from a: first bytes */
    unsigned from_a, from_b;
};

static void *drain_main(void *arg)
{
    static const unsigned queues[] = { RIG_A, RIG_B };
    struct drain *drain = arg;
    struct member *member = drain->rig->consumer;
    struct item item;

    while (turn_lease(member, queues, 2, 1, 1, FOREVER, &item) == 1) {
        if (item.ref >> 32 == RIG_A)
            drain->order[drain->from_a++] = *(const char *)item.data;
        else
            drain->from_b++;
        if (turn_done(member, &item) < 0 || turn_commit(member, NULL, NULL) < 0)
            break;
    }
    return NULL;
}

static void drain_end(struct drain *drain, pthread_t thread)
{
    ck_assert_int_eq(queue_close(drain->rig->segment, RIG_A), 0);
    ck_assert_int_eq(queue_close(drain->rig->segment, RIG_B), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

static int many(weir_call *call)
{
    for (int i = 0; i < 26; i++) {
        char letter = (char)('a' + i);
        int code = weir_emit(call, 0, &letter, 1);

        if (code == 0 && i % 2 == 0)
            code = weir_pass(call, 1);
        if (code < 0)
            return code;
    }
    return 0;
}

START_TEST(more_than_the_queues_hold)
{
    struct rig rig;
    char order[256] = "";
    struct drain drain = { &rig, order, 0, 0 };
    pthread_t thread;

    body = many;
    rig_init(&rig, &task, 8, (unsigned)_i);
    rig_put(&rig, "one", NULL);
    rig_put(&rig, "two", NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, drain_main, &drain), 0);
    ck_assert_int_eq(rig_work(&rig), 0);
    drain_end(&drain, thread);
    ck_assert_str_eq(order,
                     "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
    ck_assert_uint_eq(drain.from_b, 26);
    ck_assert_uint_eq(rig_book(&rig)->done, 2);
    ck_assert_uint_eq(rig_book(&rig)->emitted, 78);
    rig_done(&rig);
}
END_TEST

/* Dies (as far as the segment can see) after so many outputs. */
static jmp_buf grave;
static int die_after, shift;

static int mortal(weir_call *call)
{
    for (int i = 0; i < 20; i++) {
        char letter = (char)('a' + i + shift);
        int code;

        if (i == die_after) {
            die_after = -1;
            longjmp(grave, 1);
        }
        code = weir_emit(call, 0, &letter, 1);
        if (code < 0)
            return code;
    }
    return 0;
}

static int work_and_die(struct rig *rig)
{
    if (setjmp(grave) == 0)
        return rig_work(rig);
    rig_kill(rig, SIGKILL);
    return 1;
}

START_TEST(parts_are_not_given_twice)
{
    struct rig rig;
    char order[64] = "";
    struct drain drain = { &rig, order, 0, 0 };
    pthread_t thread;

    body = mortal;
    die_after = _i;
    shift = 0;
    rig_init(&rig, &task, 8, 4);
    rig_put(&rig, "one", NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, drain_main, &drain), 0);
    ck_assert_int_eq(work_and_die(&rig), 1);
    ck_assert_int_eq(work_and_die(&rig), 0);
    drain_end(&drain, thread);
    ck_assert_str_eq(order, "abcdefghijklmnopqrst");
    ck_assert_uint_eq(rig_book(&rig)->emitted, 20);
    rig_done(&rig);
}
END_TEST

START_TEST(other_outputs_are_refused)
{
    struct rig rig;
    char order[64] = "";
    struct drain drain = { &rig, order, 0, 0 };
    pthread_t thread;

    body = mortal;
    die_after = 15;
    shift = 0;
    rig_init(&rig, &task, 8, 4);
    rig_put(&rig, "one", NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, drain_main, &drain), 0);
    ck_assert_int_eq(work_and_die(&rig), 1);
    shift = 1;
    ck_assert_int_eq(work_and_die(&rig), 0);
    drain_end(&drain, thread);
    ck_assert_uint_eq(rig_book(&rig)->failed, 1);
    ck_assert_int_eq(strncmp(order, "abcdefghijklmno", strlen(order)), 0);
    rig_done(&rig);
}
END_TEST

static int ids(weir_call *call)
{
    uint64_t root, path;

    weir_id(call, &root, &path);
    ck_assert_uint_eq(root, 1);
    ck_assert_uint_eq(path, 0);
    ck_assert_int_eq(weir_emit(call, 0, "x", 1), 0);
    return weir_emit(call, 0, "y", 1);
}

START_TEST(ids_are_the_same_in_every_run)
{
    const unsigned queue = RIG_A;
    struct rig rig;
    struct item items[2];

    run_one(&rig, ids);
    ck_assert_int_eq(turn_lease(rig.consumer, &queue, 1, 2, 1, 0, items), 2);
    for (uint64_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(items[i].root, 1);
        ck_assert_uint_eq(items[i].path,
                          hash_mix(hash_mix(0, hash_bytes("stage", 5, 0)), i));
        ck_assert_int_eq(turn_release(rig.consumer, &items[1 - i]), 0);
    }
    rig_done(&rig);
}
END_TEST

Suite *give_suite(void)
{
    Suite *s = suite_create("give");
    TCase *c = tcase_create("calls");

    tcase_add_test(c, every_way_to_give);
    tcase_add_test(c, misuse_is_a_code);
    tcase_add_test(c, attributes_of_outputs);
    tcase_add_test(c, never_fits);
    tcase_add_test(c, ids_are_the_same_in_every_run);
    suite_add_tcase(s, c);
    c = tcase_create("room");
    tcase_add_loop_test(c, more_than_the_queues_hold, 1, 9);
    tcase_add_loop_test(c, parts_are_not_given_twice, 0, 20);
    tcase_add_test(c, other_outputs_are_refused);
    suite_add_tcase(s, c);
    return s;
}
