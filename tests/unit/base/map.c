/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* map.c - core/base/map.c: names to values, and the fixed hash. */
#include "config.h"

#include "base.h"

static struct map map;

static void teardown(void)
{
    fail_from(0);
    map_done(&map);
}

START_TEST(many)
{
    for (uintptr_t i = 0; i < 5000; i++) {
        char name[16];
        bool new = false;
        int size = snprintf(name, sizeof name, "%ju", (uintmax_t)i);
        uintptr_t *value = map_put(&map, name, (size_t)size, &new);

        ck_assert_ptr_nonnull(value);
        ck_assert(new);
        ck_assert_uint_eq(*value, 0);
        *value = i + 1;
    }
    ck_assert_uint_eq(map.count, 5000);
    for (uintptr_t i = 0; i < 5000; i++) {
        char name[16];
        bool new = true;
        int size = snprintf(name, sizeof name, "%ju", (uintmax_t)i);

        ck_assert_uint_eq(*map_get(&map, name, (size_t)size), i + 1);
        ck_assert_uint_eq(*map_put(&map, name, (size_t)size, &new), i + 1);
        ck_assert(!new);
    }
    ck_assert_uint_eq(map.count, 5000);
    ck_assert_ptr_null(map_get(&map, "5000", 4));
}
END_TEST

START_TEST(any_bytes)
{
    ck_assert_ptr_null(map_get(&map, "", 0));
    *map_put(&map, "", 0, NULL) = 1;
    *map_put(&map, "\0", 1, NULL) = 2;
    *map_put(&map, "a\0b", 3, NULL) = 3;
    *map_put(&map, "a", 1, NULL) = 4;
    ck_assert_uint_eq(*map_get(&map, NULL, 0), 1);
    ck_assert_uint_eq(*map_get(&map, "\0\0", 1), 2);
    ck_assert_uint_eq(*map_get(&map, "a\0b", 3), 3);
    ck_assert_uint_eq(*map_get(&map, "a\0c", 1), 4);
    ck_assert_ptr_null(map_get(&map, "a\0c", 3));
}
END_TEST

/* Whichever allocation fails: no entry more, and all others stay. */
START_TEST(no_memory)
{
    uintptr_t in = 0;

    for (int i = 0; i < 200; i++) {
        char name[16];
        int size = snprintf(name, sizeof name, "%d", i);
        uintptr_t *value;

        value = FAILING(i % 3 + 1, map_put(&map, name, (size_t)size, NULL));
        if (value == NULL)
            ck_assert_ptr_null(map_get(&map, name, (size_t)size));
        else
            *value = ++in;
    }
    ck_assert_uint_gt(in, 0);
    ck_assert_uint_lt(in, 200);
    ck_assert_uint_eq(map.count, in);
}
END_TEST

/* Ids are made of these: a change would be a change of format. */
START_TEST(fixed)
{
    ck_assert_uint_eq(hash_mix(0, 0), hash_mix(0, 0));
    ck_assert_uint_eq(hash_mix(0, 0), UINT64_C(0xa706dd2f4d197e6f));
    ck_assert_uint_eq(hash_mix(1, 2), UINT64_C(0xbcd9dbb49673066b));
    ck_assert_uint_ne(hash_mix(1, 2), hash_mix(2, 1));
    ck_assert_uint_eq(hash_bytes("", 0, 0), UINT64_C(0xa706dd2f4d197e6f));
    ck_assert_uint_eq(hash_bytes("weir", 4, 0), UINT64_C(0x9ca465f6d9b79ea5));
    ck_assert_uint_eq(hash_bytes("weir and more", 13, 7),
                      UINT64_C(0xc021acd027d205d8));
    ck_assert_uint_ne(hash_bytes("a", 1, 0), hash_bytes("a\0", 2, 0));
    ck_assert_uint_ne(hash_bytes("a", 1, 0), hash_bytes("a", 1, 1));
}
END_TEST

Suite *map_suite(void)
{
    Suite *suite = suite_create("map");
    TCase *tcase = tcase_create("map");

    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, many);
    tcase_add_test(tcase, any_bytes);
    tcase_add_test(tcase, no_memory);
    tcase_add_test(tcase, fixed);
    suite_add_tcase(suite, tcase);
    return suite;
}
