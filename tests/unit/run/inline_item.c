/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inline_item.c - items in private memory. */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "queue/attrs.h"
#include "run/inline.h"
#include "suites.h"

START_TEST(payloads_are_shared_and_aligned)
{
    struct payload *one = payload_new("abc", 3), *two;

    ck_assert_ptr_nonnull(one);
    ck_assert_uint_eq((uintptr_t)one->data % 64, 0);
    two = payload_ref(one);
    ck_assert_ptr_eq(two, one);
    payload_unref(&one);
    ck_assert_ptr_null(one);
    ck_assert_mem_eq(two->data, "abc", 3);
    payload_unref(&two);
    payload_unref(&two);
}
END_TEST

START_TEST(an_empty_payload_has_memory)
{
    struct payload *none = payload_new(NULL, 0);

    ck_assert_ptr_nonnull(none);
    ck_assert_ptr_nonnull(none->data);
    ck_assert_uint_eq(none->size, 0);
    payload_unref(&none);
}
END_TEST

static void has(const struct inline_item *item, const char *name,
                const char *want)
{
    const void *value;
    size_t size;
    int code = attrs_find(item->attrs->data, item->attrs->size, name,
                          strlen(name), &value, &size);

    if (!want) {
        ck_assert_int_eq(code, WEIR_EEMPTY);
        return;
    }
    ck_assert_int_eq(code, 0);
    ck_assert_uint_eq(size, strlen(want));
    ck_assert_mem_eq(value, want, size);
}

START_TEST(an_attribute_is_of_this_item_alone)
{
    struct inline_item one = { .payload = payload_new("x", 1) }, two;

    ck_assert_int_eq(inline_item_set(&one, "a", "1", 1), 0);
    two = inline_item_ref(&one);
    ck_assert_int_eq(inline_item_set(&two, "a", "22", 2), 0);
    ck_assert_int_eq(inline_item_set(&two, "b", "3", 1), 0);
    has(&one, "a", "1");
    has(&one, "b", NULL);
    has(&two, "a", "22");
    has(&two, "b", "3");
    ck_assert_ptr_eq(one.payload, two.payload);
    inline_item_done(&one);
    ck_assert_mem_eq(two.payload->data, "x", 1);
    inline_item_done(&two);
}
END_TEST

START_TEST(too_many_attributes_change_nothing)
{
    struct inline_item item = { .payload = payload_new("x", 1) };
    char large[4096];

    memset(large, 'x', sizeof large);
    ck_assert_int_eq(inline_item_set(&item, "a", "1", 1), 0);
    ck_assert_int_eq(inline_item_set(&item, "b", large, sizeof large),
                     WEIR_ETOOBIG);
    has(&item, "a", "1");
    has(&item, "b", NULL);
    inline_item_done(&item);
}
END_TEST

Suite *inline_item_suite(void)
{
    Suite *suite = suite_create("inline_item");
    TCase *tcase = tcase_create("item");

    tcase_add_test(tcase, payloads_are_shared_and_aligned);
    tcase_add_test(tcase, an_empty_payload_has_memory);
    tcase_add_test(tcase, an_attribute_is_of_this_item_alone);
    tcase_add_test(tcase, too_many_attributes_change_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
