/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vec.c - core/base/vec.c: a growing array. */
#include "config.h"

#include "base.h"

struct wide {
    int number;
    char rest[100];
};

START_TEST(grows)
{
    VEC(struct wide) wide = { 0 };

    for (int i = 0; i < 1000; i++) {
        struct wide *one = VEC_ADD(&wide);

        ck_assert_ptr_nonnull(one);
        ck_assert_ptr_eq(one, &wide.at[wide.count - 1]);
        ck_assert_int_eq(one->number, 0);
        ck_assert_int_eq(one->rest[99], 0);
        one->number = i;
        memset(one->rest, 'x', sizeof one->rest);
    }
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(wide.at[i].number, i);
    VEC_DONE(&wide);
    ck_assert_ptr_null(wide.at);
    ck_assert_uint_eq(wide.count, 0);
    VEC_DONE(&wide);
}
END_TEST

START_TEST(no_memory)
{
    VEC(int) ints = { 0 };
    int *none;

    none = FAILING(1, VEC_ADD(&ints));
    ck_assert_ptr_null(none);
    ck_assert_uint_eq(ints.count, 0);
    for (int i = 0; i < 8; i++)
        *VEC_ADD(&ints) = i;
    none = FAILING(1, VEC_ADD(&ints));
    ck_assert_ptr_null(none);
    ck_assert_uint_eq(ints.count, 8);
    ck_assert_int_eq(ints.at[7], 7);
    VEC_DONE(&ints);
}
END_TEST

START_TEST(does_not_wrap)
{
    void *at = NULL;
    size_t count = SIZE_MAX / 2 + 1, room = SIZE_MAX / 2 + 1;

    ck_assert_ptr_null(vec_grow(&at, &count, &room, 1));
#if !SANITIZED /* ends the program at a product that wraps */
    count = room = 8;
    ck_assert_ptr_null(vec_grow(&at, &count, &room, SIZE_MAX / 9));
    ck_assert_uint_eq(count, 8);
#endif
}
END_TEST

Suite *vec_suite(void)
{
    Suite *suite = suite_create("vec");
    TCase *tcase = tcase_create("vec");

    tcase_add_test(tcase, grows);
    tcase_add_test(tcase, no_memory);
    tcase_add_test(tcase, does_not_wrap);
    suite_add_tcase(suite, tcase);
    return suite;
}
