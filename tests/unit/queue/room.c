/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* room.c - bounds in items and bytes, and claims. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "desk.h"

START_TEST(bounded_bytes)
{
    struct desk desk = desk_open(1, 8, 1000);
    char data[1000] = { 0 };

    ck_assert_int_eq(desk_stage(desk.members[0], 0, data, 1001), WEIR_ETOOBIG);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, data, 600), 0);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, data, 401), WEIR_EFULL);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, data, 400), 0);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, data, 0), 0);
    ck_assert_uint_eq(desk_state(&desk, 0).bytes, 1000);
    ck_assert_int_eq(turn_drop_from(desk.members[0], 0), 0);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, data, 1000), 0);
    desk_close(&desk);
}
END_TEST

START_TEST(dropped_one)
{
    struct desk desk = desk_open(1, 8, 4096);
    struct stage_spec spec = { .queue = 0, .room = 1 };
    struct staged staged[3];

    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(turn_stage(desk.members[0], &spec, &staged[i]), 0);
        *(char *)staged[i].data = (char)('a' + i);
    }
    ck_assert_int_eq(turn_drop(desk.members[0], staged[1].ref), 0);
    ck_assert_uint_eq(turn_staged(desk.members[0]), 2);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    desk_take(desk.members[1], 0, "a");
    desk_take(desk.members[1], 0, "c");
    desk_close(&desk);
}
END_TEST

START_TEST(claim_keeps_others_out)
{
    struct desk desk = desk_open(1, 4, 4096);
    struct room room = { .queue = 0, .slots = 3, .bytes = 3 };

    ck_assert_int_eq(turn_claim(desk.members[0], &room, 1, 0), 0);
    ck_assert_int_eq(desk_stage(desk.members[1], 0, "x", 1), WEIR_EFULL);
    ck_assert_int_eq(turn_claim(desk.members[1], &room, 1, 0), WEIR_EFULL);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), 0);
    ck_assert_int_eq(turn_unclaim(desk.members[0], &room, 1), 0);
    ck_assert_int_eq(desk_stage(desk.members[1], 0, "x", 1), 0);
    desk_close(&desk);
}
END_TEST

START_TEST(claim_of_what_is_not_there)
{
    struct desk desk = desk_open(2, 4, 4096);
    struct room rooms[2] = { { .queue = 0, .slots = 4 },
                             { .queue = 1, .slots = 1 } };

    desk_put(desk.members[0], 0, "x");
    ck_assert_int_eq(turn_claim(desk.members[1], rooms, 2, 0), WEIR_EFULL);
    /* given up: others may stage */
    ck_assert_int_eq(desk_stage(desk.members[2], 0, "x", 1), 0);
    ck_assert_int_eq(turn_abort(desk.members[2]), 0);
    ck_assert_int_eq(turn_claim(desk.members[1], rooms, 2,
                                clock_deadline(NS_PER_MS)),
                     WEIR_ETIMEDOUT);
    ck_assert_int_eq(desk_stage(desk.members[2], 0, "x", 1), 0);
    rooms[0].slots = 5;
    ck_assert_int_eq(turn_claim(desk.members[1], rooms, 2, FOREVER),
                     WEIR_ETOOBIG);
    rooms[0] = (struct room){ .queue = 0, .bytes = 4097 };
    ck_assert_int_eq(turn_claim(desk.members[1], rooms, 2, FOREVER),
                     WEIR_ETOOBIG);
    desk_close(&desk);
}
END_TEST

START_TEST(claim_misused)
{
    struct desk desk = desk_open(2, 4, 4096);
    struct room rooms[2] = { { .queue = 1, .slots = 1 },
                             { .queue = 0, .slots = 1 } };

    ck_assert_int_eq(turn_claim(desk.members[0], rooms, 2, 0), WEIR_EINVAL);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), 0);
    ck_assert_int_eq(turn_claim(desk.members[0], rooms, 1, 0), WEIR_ESTATE);
    ck_assert_int_eq(turn_abort(desk.members[0]), 0);
    ck_assert_int_eq(queue_close(desk.segment, 1), 0);
    ck_assert_int_eq(turn_claim(desk.members[0], rooms, 1, FOREVER),
                     WEIR_ECLOSED);
    desk_close(&desk);
}
END_TEST

/* A claim that its holder does not use: ended by the second sweep that sees
 * it, and its holder is told when it goes on. */
START_TEST(stale_claim)
{
    struct desk desk = desk_open(1, 4, 4096);
    struct room room = { .queue = 0, .slots = 1 };
    pid_t holder;

    ck_assert_int_eq(turn_claim(desk.members[0], &room, 1, 0), 0);
    ck_assert_int_ge(segment_sweep(desk.segment, &holder), 0);
    ck_assert_int_eq(desk_stage(desk.members[1], 0, "x", 1), WEIR_EFULL);
    ck_assert_int_ge(segment_sweep(desk.segment, &holder), 0);
    ck_assert_int_eq(turn_claim(desk.members[1], &room, 1, 0), 0);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), WEIR_EFULL);
    ck_assert_int_eq(turn_unclaim(desk.members[0], &room, 1), 0);
    ck_assert_int_eq(desk_stage(desk.members[1], 0, "x", 1), 0);
    desk_close(&desk);
}
END_TEST

/* Many at once: those before the first that never fits; with none before it
 * that is said, for to wait would not help. */
START_TEST(many_and_too_large)
{
    static const char large[8192];
    struct desk desk = desk_open(1, 8, 4096);
    const weir_bytes items[] = { { "a", 1 }, { large, sizeof large } };
    struct staged staged[2];

    ck_assert_int_eq(turn_stage_many(desk.members[0], 0, items + 1, 1, 1,
                                     staged),
                     WEIR_ETOOBIG);
    ck_assert_int_eq(turn_stage_many(desk.members[0], 0, items, 2, 1, staged),
                     1);
    memcpy(staged[0].data, "a", 1);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    desk_take(desk.members[1], 0, "a");
    desk_close(&desk);
}
END_TEST

/* One byte to the largest, each whole; memory is given back afterwards. */
START_TEST(large_items)
{
    static const size_t sizes[] = { 1, 65536, 256 << 20, 1 << 30 };
    size_t size = sizes[_i];
    struct desk desk = desk_open(1, 2, size);
    struct stage_spec spec = { .queue = 0, .room = size };
    struct staged staged;
    struct item item;
    const char *data;

    if (size > 256 << 20 && getenv("WEIR_LONG") == NULL) {
        desk_close(&desk);
        return;
    }
    ck_assert_int_eq(turn_stage(desk.members[0], &spec, &staged), 0);
    memset(staged.data, 'x', size);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), 1);
    ck_assert_uint_eq(item.size, size);
    data = item.data;
    ck_assert(data[0] == 'x' && data[size / 2] == 'x' && data[size - 1] == 'x');
    ck_assert_int_eq(turn_done(desk.members[1], &item), 0);
    ck_assert_int_eq(turn_commit(desk.members[1], NULL, NULL), 0);
    desk_close(&desk);
}
END_TEST

Suite *room_suite(void)
{
    Suite *suite = suite_create("room");
    TCase *test = tcase_create("room");

    tcase_set_timeout(test, 60);
    tcase_add_test(test, bounded_bytes);
    tcase_add_test(test, dropped_one);
    tcase_add_test(test, claim_keeps_others_out);
    tcase_add_test(test, claim_of_what_is_not_there);
    tcase_add_test(test, claim_misused);
    tcase_add_test(test, many_and_too_large);
    tcase_add_test(test, stale_claim);
    tcase_add_loop_test(test, large_items, 0, 4);
    suite_add_tcase(suite, test);
    return suite;
}
