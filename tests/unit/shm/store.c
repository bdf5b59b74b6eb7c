/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* store.c - core/shm/store.c: chunks, and what the store does when it is
 * short of something or damaged. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "room.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

static struct room room;

static void setup(void)
{
    children_setup();
    room_open(&room, 8 * MIB, 8 * MIB);
}

static void teardown(void)
{
    room_close(&room);
    children_teardown();
}

static const struct {
    uint64_t size, chunk;
} sizes[] = {
    { 0, 128 },           { 1, 128 },
    { 128, 128 },         { 129, 256 },
    { 256, 256 },         { 257, 512 },
    { 4096, 4096 },       { 65 * KIB, 128 * KIB },
    { MIB, MIB },         { MIB + 1, 2 * MIB },
    { 8 * MIB, 8 * MIB },
};

START_TEST(classes)
{
    ck_assert_uint_eq(store_size_for(sizes[_i].size), sizes[_i].chunk);
    ck_assert_int_eq(room_take(&room, 0, sizes[_i].size), 0);
    ck_assert_uint_eq(room.shelf->holders[0].flag, 1);
    ck_assert_uint_eq(chunk_size(room.shelf->holders[0].number),
                      sizes[_i].chunk);
    memset(room_data(&room, 0), 'x', sizes[_i].chunk);
    ck_assert_uint_eq(room_used(&room), 1);
    ck_assert_uint_eq(room_touched(&room), sizes[_i].chunk);
    ck_assert_int_eq(room_drop(&room, 0), 0);
    ck_assert_uint_eq(room_used(&room), 0);
    room_check(&room);
}
END_TEST

START_TEST(too_large)
{
    ck_assert_uint_eq(store_size_for(STORE_ITEM_MOST), STORE_ITEM_MOST);
    ck_assert_int_eq(room_take(&room, 0, 8 * MIB + 1), WEIR_ETOOBIG);
    ck_assert_int_eq(room_take(&room, 0, STORE_ITEM_MOST + 1), WEIR_ETOOBIG);
    ck_assert_int_eq(room_take(&room, 0, UINT64_MAX), WEIR_ETOOBIG);
    ck_assert_uint_eq(room.shelf->holders[0].flag, 0);
}
END_TEST

/* No two overlap, whatever their sizes. */
START_TEST(apart)
{
    uint64_t size[HOLDERS];

    for (unsigned i = 0; i < HOLDERS; i++) {
        size[i] = 100 + i * i * 17;
        ck_assert_int_eq(room_take(&room, i, size[i]), 0);
        memset(room_data(&room, i), (int)i, size[i]);
    }
    for (unsigned i = 0; i < HOLDERS; i++) {
        const char *data = room_data(&room, i);
        uint64_t same = 0;

        while (same < size[i] && data[same] == (char)i)
            same++;
        ck_assert_uint_eq(same, size[i]);
    }
    ck_assert_uint_eq(room_used(&room), HOLDERS);
    room_check(&room);
}
END_TEST

START_TEST(hottest_first)
{
    uint32_t last;

    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(room_take(&room, i, 5000), 0);
    last = room.shelf->holders[1].number;
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(room_drop(&room, (i + 2) % 3), 0);
    ck_assert_int_eq(room_take(&room, 9, 8000), 0);
    ck_assert_uint_eq(room.shelf->holders[9].number, last);
    ck_assert_uint_eq(room_touched(&room), 3 * 8 * KIB);
}
END_TEST

/* The free list is a ring: many turns in all phases. */
START_TEST(ring)
{
    for (unsigned turn = 0; turn < 50; turn++) {
        unsigned many = turn % 7 + 1;

        for (unsigned i = 0; i < many; i++)
            ck_assert_int_eq(room_take(&room, i, MIB), 0);
        room_check(&room);
        for (unsigned i = 0; i < many; i++)
            ck_assert_int_eq(room_drop(&room, (i + turn) % many), 0);
        room_check(&room);
    }
}
END_TEST

START_TEST(shared_by_some)
{
    struct holder *h = room.shelf->holders;

    ck_assert_int_eq(room_take(&room, 0, 5000), 0);
    strcpy(room_data(&room, 0), "shared");
    for (unsigned i = 1; i < 4; i++)
        ck_assert_int_eq(store_share(&room.store, h[0].number, &h[i].number,
                                     &h[i].flag),
                         0);
    ck_assert_uint_eq(room_used(&room), 1);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(room_drop(&room, i), 0);
    ck_assert_uint_eq(room_used(&room), 1);
    ck_assert_str_eq(room_data(&room, 3), "shared");
    ck_assert_int_eq(room_drop(&room, 3), 0);
    ck_assert_uint_eq(room_used(&room), 0);
    ck_assert_int_eq(room_drop(&room, 3), 0); /* once more is nothing */
    ck_assert_uint_eq(room_used(&room), 0);
    ck_assert_int_eq(store_share(&room.store, h[0].number, &h[1].number,
                                 &h[1].flag),
                     WEIR_EBROKEN);
    ck_assert_uint_eq(h[1].flag, 0);
    room_check(&room);
}
END_TEST

/* Charged with more than half its size each, as many as fit the bytes are
 * there, in any class; and all of a class may be in use at once. */
START_TEST(enough_for_the_bounds)
{
    static const uint64_t bounds[] = { 1, 65, 200, 4096, 5000, 100000 };
    const uint64_t bytes = bounds[_i];

    room_close(&room);
    room_open(&room, bytes, bytes);
    for (uint64_t size = 1;
         store_size_for(size) / 2 + 1 <= bytes && size <= bytes;
         size = store_size_for(size) + 1) {
        uint64_t half = store_size_for(size) / 2 + 1;
        uint64_t charge = size > half ? size : half;
        unsigned many = 0;

        for (; many < HOLDERS && (many + 1) * charge <= bytes; many++)
            ck_assert_int_eq(room_take(&room, many, size), 0);
        ck_assert_uint_eq(room_used(&room), many);
        while (many-- > 0)
            ck_assert_int_eq(room_drop(&room, many), 0);
    }
    room_check(&room);
}
END_TEST

/* One class after the other at its most: what is free goes. */
START_TEST(held_to_the_limit)
{
    for (uint64_t size = 8 * KIB; size <= 8 * MIB; size *= 2) {
        unsigned many = 0;

        for (; many < HOLDERS && (many + 1) * (size / 2 + 1) <= 8 * MIB;
             many++) {
            ck_assert_int_eq(room_take(&room, many, size), 0);
            memset(room_data(&room, many), 'x', size);
        }
        ck_assert_uint_le(room_touched(&room), 16 * MIB);
        ck_assert_uint_le(room_pages(&room), 17 * MIB);
        room_check(&room);
        while (many-- > 0)
            ck_assert_int_eq(room_drop(&room, many), 0);
    }
    ck_assert_uint_eq(room_used(&room), 0);
    ck_assert_uint_eq(room.shelf->punch[0], 0);
}
END_TEST

/* Memory is scarce: free chunks go first, then it is said. */
START_TEST(no_memory)
{
    struct store_head *head = &room.shelf->head;
    uint64_t before;

    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(room_take(&room, i, 64 * KIB), 0);
        memset(room_data(&room, i), 'x', 64 * KIB);
    }
    for (unsigned i = 1; i < 4; i++)
        ck_assert_int_eq(room_drop(&room, i), 0);
    before = room_pages(&room);
    head->limit = UINT64_MAX;
    head->touched = UINT64_C(1) << 60;
    ck_assert_int_eq(room_take(&room, 1, MIB), WEIR_ENOMEM);
    ck_assert_uint_eq(room.shelf->holders[1].flag, 0);
    ck_assert_uint_le(room_pages(&room), before - 3 * 64 * KIB);
    ck_assert_uint_eq(room_used(&room), 1);
    ck_assert_int_eq(room_data(&room, 0)[64 * KIB - 1], 'x');
    ck_assert_int_eq(room_take(&room, 1, 64 * KIB), WEIR_ENOMEM);
    room_check(&room);
    head->touched = 64 * KIB;
    ck_assert_int_eq(room_take(&room, 1, MIB), 0);
}
END_TEST

/* What is given back is looked at again. */
START_TEST(allowance_shrinks)
{
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(room_take(&room, i, 8 * MIB), 0);
    ck_assert_uint_ge(room.shelf->head.allowed, 16 * MIB);
    room.shelf->head.allowed = 100 * MIB;
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(room_drop(&room, i), 0);
    ck_assert_int_eq(room_take(&room, 0, 4 * MIB), 0);
    ck_assert_uint_lt(room.shelf->head.allowed, 40 * MIB);
}
END_TEST

/* The kernel does not take locked pages back: the chunk stays as it is. */
START_TEST(locked_pages)
{
    struct store_head *head = &room.shelf->head;

    ck_assert_int_eq(room_take(&room, 0, 8 * KIB), 0);
    /* Not mlock, which sanitizers make a call of nothing. */
    if (syscall(SYS_mlock, room_data(&room, 0), 8 * KIB) < 0)
        return;
    ck_assert_int_eq(room_drop(&room, 0), 0);
    head->limit = 8 * KIB;
    ck_assert_int_eq(room_take(&room, 1, 64 * KIB), 0);
    ck_assert_uint_eq(room_touched(&room), 72 * KIB);
    ck_assert_uint_eq(room.shelf->punch[0], 0);
    room_check(&room);
    ck_assert_int_eq(room_take(&room, 0, 8 * KIB), 0);
    ck_assert_uint_eq(room_touched(&room), 72 * KIB);
}
END_TEST

START_TEST(large_ones_have_pages)
{
    ck_assert_int_eq(room_take(&room, 0, 2 * MIB), 0);
    ck_assert(room_pages(&room) >= 2 * MIB || room_pages(&room) < MIB);
}
END_TEST

/* ------------------------------------------------------------- damage ---- */

START_TEST(wild_numbers)
{
    static const uint32_t wild[] = { 0,          1u << 27,
                                     2u << 27,   (24u << 27) + 1,
                                     UINT32_MAX, 77777777 };
    struct holder *h = room.shelf->holders;
    const uint32_t number = wild[_i];

    ck_assert_ptr_null(chunk_data(&room.store, number));
    ck_assert_int_eq(store_count_ref(&room.store, number), WEIR_EBROKEN);
    ck_assert_int_eq(store_count_punch(&room.store, number), WEIR_EBROKEN);
    ck_assert_int_eq(store_share(&room.store, number, &h[0].number, &h[0].flag),
                     WEIR_EBROKEN);
    ck_assert_uint_eq(h[0].flag, 0);
    h[1].number = number;
    h[1].flag = 1;
    ck_assert_int_eq(room_drop(&room, 1), WEIR_EBROKEN);
    room.shelf->punch[1] = number;
    ck_assert_int_eq(store_end_punch(&room.store, &room.shelf->punch[1]),
                     number == 0 ? 0 : WEIR_EBROKEN);
}
END_TEST

START_TEST(dropped_too_often)
{
    struct holder *h = room.shelf->holders;

    ck_assert_int_eq(room_take(&room, 0, 500), 0);
    h[1] = h[0];
    ck_assert_int_eq(room_drop(&room, 0), 0);
    ck_assert_int_eq(room_drop(&room, 1), WEIR_EBROKEN);
}
END_TEST

/* Each process goes by what it has checked. */
START_TEST(damaged_places)
{
    struct store_class *class = &room.shelf->head.classes[3];
    struct store_class good = *class;
    struct store fresh = room.store;
    uint32_t number;

    ck_assert_int_eq(room_take(&room, 0, 1000), 0);
    number = room.shelf->holders[0].number;
    strcpy(room_data(&room, 0), "here");
    switch (_i) {
    case 0:
        class->count = UINT32_MAX;
        break;
    case 1:
        class->region = UINT64_MAX - 65535;
        break;
    case 2:
        class->refs_at = UINT64_MAX - 3;
        break;
    case 3:
        class->warm_at = 0;
        break;
    case 4:
        class->bare_at += 8;
        break;
    case 5:
        class->refs_at++;
        class->warm_at++;
        class->bare_at++;
        break;
    case 6:
        class->region = room.size;
        break;
    default:
        class->count++;
    }
    ck_assert_int_eq(store_open(&fresh, room.size), WEIR_EBROKEN);
    ck_assert_str_eq(chunk_data(&room.store, number), "here");
    ck_assert_int_eq(room_drop(&room, 0), 0);
    ck_assert_int_eq(room_take(&room, 0, 1000), 0);
    ck_assert_uint_eq(room.shelf->holders[0].number, number);
    good.warm_head = class->warm_head;
    good.warm_tail = class->warm_tail;
    *class = good;
    room_check(&room);
}
END_TEST

START_TEST(too_small_a_segment)
{
    struct store fresh = room.store;

    ck_assert_int_eq(store_open(&fresh, room.size - 65536), WEIR_EBROKEN);
    ck_assert_int_eq(store_open(&fresh, 0), WEIR_EBROKEN);
    ck_assert_int_eq(store_open(&fresh, room.size), 0);
}
END_TEST

/* Lists that hold nonsense give an error, never a chunk in use or a crash. */
START_TEST(damaged_lists)
{
    struct store_class *class = &room.shelf->head.classes[3];
    uint32_t *warm = (uint32_t *)(room.store.base + class->warm_at);
    uint32_t *bare = (uint32_t *)(room.store.base + class->bare_at);

    ck_assert_int_eq(room_take(&room, 0, 1000), 0);
    ck_assert_int_eq(room_take(&room, 1, 1000), 0);
    ck_assert_int_eq(room_drop(&room, 0), 0);
    switch (_i) {
    case 0: /* out of range */
        warm[class->warm_head] = UINT32_MAX - 1;
        break;
    case 1: /* in use */
        warm[class->warm_head] = 1;
        break;
    case 2: /* runs away */
        class->warm_head = class->warm_tail + 5;
        warm[(class->warm_tail - 1) % class->count] = 1u << 26;
        break;
    case 3:
        class->warm_head = class->warm_tail;
        class->bare = 1;
        bare[0] = UINT32_MAX - 1;
        break;
    default: /* more than there are: not looked at */
        class->warm_head = class->warm_tail;
        class->bare = UINT32_MAX;
        class->bump = class->count;
    }
    if (_i < 4) {
        ck_assert_int_eq(room_take(&room, 5, 1000), WEIR_EBROKEN);
        ck_assert_uint_eq(room.shelf->holders[5].flag, 0);
    } else {
        class->bare = 0;
        ck_assert_int_eq(room_drop(&room, 1), 0);
    }
}
END_TEST

/* A large chunk begins where a huge page can, and the kernel is told so. */
START_TEST(huge_pages)
{
    struct store_head head;
    char line[256], want[32];
    uintptr_t place;
    bool inside = false, told = false;
    FILE *maps;

    store_plan(&head, 12345, 1000, 64 * MIB, 64 * MIB);
    for (unsigned i = 0; i < STORE_CLASSES; i++)
        if (head.classes[i].count > 0 && STORE_CHUNK_LEAST << i >= 2 * MIB)
            ck_assert_uint_eq(head.classes[i].region % (2 * MIB), 0);
    ck_assert_int_eq(room_take(&room, 0, 2 * MIB), 0);
    place = (uintptr_t)room_data(&room, 0);
    maps = fopen("/proc/self/smaps", "re");
    if (maps == NULL || access("/sys/kernel/mm/transparent_hugepage", F_OK) < 0)
        return; /* of a kernel that has none */
    while (fgets(line, sizeof line, maps) != NULL) {
        uintptr_t start, end;

        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %31s", &start, &end,
                   want) == 3)
            inside = start <= place && place < end;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            told = strstr(line, " hg") != NULL;
    }
    fclose(maps);
    ck_assert(told);
}
END_TEST

/* Counters say that all are in use, and nobody punches: they are made anew,
 * before anybody is told that there is no memory. */
START_TEST(counters_that_lie)
{
    struct store_class *class = &room.shelf->head.classes[3];

    ck_assert_int_eq(room_take(&room, 0, 1000), 0);
    class->bump = class->count;
    class->bare = 0;
    class->warm_head = class->warm_tail = 0;
    ck_assert_int_eq(room_take(&room, 1, 1000), 0);
    ck_assert_uint_ne(room.shelf->holders[0].number,
                      room.shelf->holders[1].number);
    ck_assert_int_eq(room_drop(&room, 0), 0);
    ck_assert_int_eq(room_drop(&room, 1), 0);
    ck_assert_uint_eq(room_used(&room), 0);
    room_check(&room);
}
END_TEST

START_TEST(huge_plans)
{
    struct store_head head;

    ck_assert_uint_gt(store_plan(&head, 0, UINT64_C(1) << 33, UINT64_MAX,
                                 UINT64_MAX),
                      UINT64_C(1) << 40);
    for (unsigned i = 0; i < STORE_CLASSES; i++)
        ck_assert_uint_le(head.classes[i].count, UINT32_C(1) << 27);
    store_plan(&head, 0, 1, 1, 1);
    ck_assert_uint_eq(head.classes[0].count, 1);
    ck_assert_uint_eq(head.classes[1].count, 0);
}
END_TEST

Suite *store_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *chunks = tcase_create("chunks");
    TCase *damage = tcase_create("damage");

    tcase_add_checked_fixture(chunks, setup, teardown);
    tcase_add_loop_test(chunks, classes, 0, 11);
    tcase_add_test(chunks, too_large);
    tcase_add_test(chunks, apart);
    tcase_add_test(chunks, hottest_first);
    tcase_add_test(chunks, ring);
    tcase_add_test(chunks, shared_by_some);
    tcase_add_loop_test(chunks, enough_for_the_bounds, 0, 6);
    tcase_add_test(chunks, held_to_the_limit);
    tcase_add_test(chunks, no_memory);
    tcase_add_test(chunks, allowance_shrinks);
    tcase_add_test(chunks, locked_pages);
    tcase_add_test(chunks, large_ones_have_pages);
    tcase_add_test(chunks, huge_pages);
    tcase_add_test(chunks, huge_plans);
    suite_add_tcase(suite, chunks);
    tcase_add_checked_fixture(damage, setup, teardown);
    tcase_add_loop_test(damage, wild_numbers, 0, 6);
    tcase_add_test(damage, dropped_too_often);
    tcase_add_loop_test(damage, damaged_places, 0, 8);
    tcase_add_test(damage, too_small_a_segment);
    tcase_add_loop_test(damage, damaged_lists, 0, 5);
    tcase_add_test(damage, counters_that_lie);
    suite_add_tcase(suite, damage);
    return suite;
}
