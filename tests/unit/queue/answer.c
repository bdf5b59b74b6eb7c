/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* answer.c - small calls and their answers, in one hold of a lock each. Member
 * 0 calls and takes answers, by queues 0 and 1; 1 and 3 answer. */
#include "config.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "desk.h"

static struct small small_of(const char *text, uint64_t root)
{
    struct small small = { .root = root,
                           .path = root * 10,
                           .size = strlen(text) };

    memcpy(small.data, text, small.size);
    return small;
}

static void call(const struct desk *desk, const char *text, uint64_t root)
{
    struct small one = small_of(text, root);

    ck_assert_int_eq(turn_call(desk->members[0], 0, &one, 1), 1);
}

static void take_answer(const struct desk *desk, const char *text,
                        uint64_t root)
{
    struct small one;

    ck_assert_int_eq(turn_take(desk->members[0], 1, &one, 1), 1);
    ck_assert_uint_eq(one.root, root);
    ck_assert_uint_eq(one.path, root * 10);
    ck_assert_uint_eq(one.size, strlen(text));
    ck_assert_mem_eq(one.data, text, one.size);
}

/* One that is leased; @result: what turn_answer says. */
static void answer(struct member *member, struct item *item, const char *text,
                   int result)
{
    struct small one = small_of(text, item->root);

    ck_assert_int_eq(turn_take_up(member, item), 0);
    ck_assert_int_eq(turn_answer(member, item, 1, &one), result);
}

static int lease(struct member *member, unsigned most, struct item *items)
{
    const unsigned queue = 0;

    return turn_lease(member, &queue, 1, most, 1, 0, items);
}

START_TEST(there_and_back)
{
    struct desk desk = desk_open(2, 4, 1 << 20);
    struct item items[4];

    call(&desk, "a", 1);
    call(&desk, "", 2);
    ck_assert_int_eq(lease(desk.members[1], 4, items), 2);
    ck_assert_uint_eq(items[0].root, 1);
    ck_assert_uint_eq(items[0].path, 10);
    answer(desk.members[1], &items[0], "A", 1);
    take_answer(&desk, "A", 1); /* the second call is not answered yet */
    answer(desk.members[1], &items[1], "", 1);
    take_answer(&desk, "", 2);
    ck_assert_int_eq(turn_take(desk.members[0], 1, &(struct small){ 0 }, 1), 0);
    desk_close(&desk);
}
END_TEST

/* Many at once, as far as there is room; where each was staged is told. */
START_TEST(calls_as_room_is)
{
    struct desk desk = desk_open(2, 4, 1 << 20);
    struct small calls[6];
    struct item_look look;

    for (unsigned i = 0; i < 6; i++)
        calls[i] = small_of("call", i + 1);
    ck_assert_int_eq(turn_call(desk.members[0], 0, calls, 6), 4);
    ck_assert_int_eq(turn_call(desk.members[0], 0, calls + 4, 2), 0);
    for (unsigned i = 0; i < 4; i++) {
        item_look(desk.segment, calls[i].ref, i + 1, &look);
        ck_assert_int_eq(look.state, ITEM_READY);
    }
    for (unsigned i = 0; i < 4; i++)
        desk_take(desk.members[1], 0, "call");
    desk_close(&desk);
}
END_TEST

/* What was answered is freed by the next look for calls, also by one that finds
 * none, and counts as leased until then. */
START_TEST(freed_by_the_next_look)
{
    struct desk desk = desk_open(2, 4, 1 << 20);
    struct item items[4];

    for (unsigned i = 1; i <= 4; i++)
        call(&desk, "x", i);
    ck_assert_int_eq(lease(desk.members[1], 3, items), 3);
    for (unsigned i = 0; i < 3; i++)
        answer(desk.members[1], &items[i], "y", 1);
    ck_assert_uint_eq(desk_state(&desk, 0).leased, 3);
    ck_assert_uint_eq(desk_state(&desk, 0).ready, 1);
    ck_assert_int_eq(lease(desk.members[1], 1, items), 1);
    ck_assert_uint_eq(items[0].root, 4);
    ck_assert_uint_eq(desk_state(&desk, 0).leased, 1);
    ck_assert_uint_eq(desk_state(&desk, 0).free, 3);
    answer(desk.members[1], &items[0], "y", 1);
    ck_assert_int_eq(lease(desk.members[1], 1, items), WEIR_EEMPTY);
    ck_assert_uint_eq(desk_state(&desk, 0).free, 4);
    for (unsigned i = 1; i <= 4; i++)
        take_answer(&desk, "y", i);
    desk_close(&desk);
}
END_TEST

/* A commit step by step in between keeps them; so does one that gives back. */
START_TEST(beside_other_turns)
{
    struct desk desk = desk_open(2, 4, 1 << 20);
    struct item items[3];

    for (unsigned i = 1; i <= 3; i++)
        call(&desk, "x", i);
    ck_assert_int_eq(lease(desk.members[1], 3, items), 3);
    answer(desk.members[1], &items[0], "1", 1);
    ck_assert_int_eq(turn_take_up(desk.members[1], &items[1]), 0);
    ck_assert_int_eq(desk_stage(desk.members[1], 1, "2", 1), 0);
    ck_assert_int_eq(turn_done(desk.members[1], &items[1]), 0);
    ck_assert_int_eq(turn_commit(desk.members[1], NULL, NULL), 0);
    ck_assert_uint_eq(desk_state(&desk, 0).leased, 2); /* 0, and 2 */
    ck_assert_int_eq(turn_release(desk.members[1], &items[2]), 0);
    ck_assert_uint_eq(desk_state(&desk, 0).leased, 1);
    ck_assert_int_eq(turn_abort(desk.members[1]), 0);
    ck_assert_uint_eq(desk_state(&desk, 0).leased, 0);
    take_answer(&desk, "1", 1);
    desk_take(desk.members[0], 1, "2");
    desk_take(desk.members[0], 0, "x");
    desk_close(&desk);
}
END_TEST

/* No room for the answer, or something is staged: nothing has happened. */
START_TEST(not_answered)
{
    struct desk desk = desk_open(2, 2, 1 << 20);
    struct item item;

    desk_put(desk.members[2], 1, "full");
    desk_put(desk.members[2], 1, "full");
    call(&desk, "x", 7);
    ck_assert_int_eq(lease(desk.members[1], 1, &item), 1);
    answer(desk.members[1], &item, "y", 0);
    ck_assert_uint_eq(desk_state(&desk, 1).staged, 0);
    desk_take(desk.members[0], 1, "full");
    ck_assert_int_eq(desk_stage(desk.members[1], 1, "own", 3), 0);
    answer(desk.members[1], &item, "y", 0);
    ck_assert_int_eq(turn_abort(desk.members[1]), 0);
    desk_take(desk.members[0], 0, "x");
    desk_take(desk.members[0], 1, "full");
    desk_close(&desk);
}
END_TEST

/* A call with a chunk, or in a queue of few bytes, is freed at once. */
START_TEST(freed_at_once)
{
    struct desk desk = desk_open(2, 4, _i == 0 ? 1 << 20 : 200);
    struct item item;
    char large[100];

    memset(large, 'l', sizeof large);
    if (_i == 0) {
        ck_assert_int_eq(desk_stage(desk.members[0], 0, large, sizeof large),
                         0);
        ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    } else {
        call(&desk, "x", 0);
    }
    ck_assert_int_eq(lease(desk.members[1], 1, &item), 1);
    answer(desk.members[1], &item, "y", 1);
    ck_assert_uint_eq(desk_state(&desk, 0).leased, 0);
    take_answer(&desk, "y", 0);
    desk_close(&desk);
}
END_TEST

/* Those that are small are taken, up to one that is not. */
START_TEST(takes_what_is_small)
{
    struct desk desk = desk_open(2, 4, 1 << 20);
    struct small taken[4];
    char large[100];
    struct item item;

    memset(large, 'l', sizeof large);
    desk_put(desk.members[1], 1, "a");
    desk_put(desk.members[1], 1, "b");
    ck_assert_int_eq(desk_stage(desk.members[1], 1, large, sizeof large), 0);
    ck_assert_int_eq(turn_commit(desk.members[1], NULL, NULL), 0);
    ck_assert_int_eq(turn_take(desk.members[0], 1, taken, 4), 2);
    ck_assert_mem_eq(taken[1].data, "b", 1);
    ck_assert_int_eq(turn_take(desk.members[0], 1, taken, 4), 0);
    ck_assert_int_eq(desk_lease(desk.members[0], 1, &item), 1);
    ck_assert_uint_eq(item.size, sizeof large);
    ck_assert_int_eq(turn_done(desk.members[0], &item), 0);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    desk_close(&desk);
}
END_TEST

/* Answers two of three, has the third in hand, and is killed. */
static void answer_and_die(const struct desk *desk)
{
    struct member *member;
    struct item items[3];

    if (member_enter(desk->segment, 3, &member) != 0 ||
        lease(member, 3, items) != 3)
        return;
    for (unsigned i = 0; i < 2; i++) {
        struct small one = small_of("y", items[i].root);

        turn_take_up(member, &items[i]);
        turn_answer(member, &items[i], 1, &one);
    }
    turn_take_up(member, &items[2]);
}

START_TEST(recovered)
{
    struct desk desk = desk_open(2, 4, 1 << 20);
    struct recovered found;
    struct item item;
    pid_t pid;

    for (unsigned i = 1; i <= 3; i++)
        call(&desk, "x", i);
    member_leave(&desk.members[3]);
    pid = fork();
    if (pid == 0) {
        answer_and_die(&desk);
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_uint_eq(desk_state(&desk, 0).leased, 3);
    ck_assert_int_eq(member_recover(desk.segment, 3, CAUSE_SIGNAL, SIGKILL,
                                    &found),
                     0);
    ck_assert_uint_eq(found.root, 3);
    ck_assert_uint_eq(desk_state(&desk, 0).leased, 0);
    ck_assert_uint_eq(desk_state(&desk, 0).ready, 1);
    take_answer(&desk, "y", 1);
    take_answer(&desk, "y", 2);
    ck_assert_int_eq(lease(desk.members[1], 3, &item), 1);
    ck_assert_uint_eq(item.root, 3);
    ck_assert_uint_eq(item.attempt, 1);
    answer(desk.members[1], &item, "z", 1);
    take_answer(&desk, "z", 3);
    desk_close(&desk);
}
END_TEST

/* A rebuild finds them as leased. */
START_TEST(rebuilt)
{
    struct desk desk = desk_open(2, 4, 1 << 20);
    struct item items[2];
    pid_t pid;

    call(&desk, "x", 1);
    call(&desk, "x", 2);
    ck_assert_int_eq(lease(desk.members[1], 2, items), 2);
    answer(desk.members[1], &items[0], "y", 1);
    pid = fork();
    if (pid == 0) {
        queue_lock(&desk.segment->queues[0]);
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_uint_eq(desk_state(&desk, 0).leased, 2);
    ck_assert_uint_eq(desk_state(&desk, 0).free, 2);
    answer(desk.members[1], &items[1], "y", 1);
    take_answer(&desk, "y", 1);
    take_answer(&desk, "y", 2);
    desk_close(&desk);
}
END_TEST

Suite *answer_suite(void)
{
    Suite *suite = suite_create("answer");
    TCase *test = tcase_create("small");

    tcase_add_test(test, there_and_back);
    tcase_add_test(test, calls_as_room_is);
    tcase_add_test(test, freed_by_the_next_look);
    tcase_add_test(test, beside_other_turns);
    tcase_add_test(test, not_answered);
    tcase_add_loop_test(test, freed_at_once, 0, 2);
    tcase_add_test(test, takes_what_is_small);
    tcase_add_test(test, recovered);
    tcase_add_test(test, rebuilt);
    suite_add_tcase(suite, test);
    return suite;
}
