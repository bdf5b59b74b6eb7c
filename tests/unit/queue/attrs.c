/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attrs.c - attributes as bytes. */
#include "config.h"

#include <string.h>

#include "desk.h"
#include "queue/attrs.h"

static const char *get(const struct buf *attrs, const char *name, size_t *size)
{
    const void *value = NULL;

    return attrs_find(attrs->data, attrs->size, name, strlen(name), &value,
                      size) == 0
               ? value
               : NULL;
}

START_TEST(set_and_find)
{
    CLEANUP_BUF struct buf attrs = { 0 };
    size_t size;

    ck_assert_int_eq(attrs_set(&attrs, "path", "a/b", 3), 0);
    ck_assert_int_eq(attrs_set(&attrs, "nul", "x\0y", 3), 0);
    ck_assert_mem_eq(get(&attrs, "path", &size), "a/b", 3);
    ck_assert_uint_eq(size, 3);
    ck_assert_mem_eq(get(&attrs, "nul", &size), "x\0y", 3);
    ck_assert_int_eq(attrs_set(&attrs, "path", "longer", 6), 0);
    ck_assert_mem_eq(get(&attrs, "path", &size), "longer", 6);
    ck_assert_int_eq(attrs_set(&attrs, "path", NULL, 0), 0);
    ck_assert_ptr_null(get(&attrs, "path", &size));
    ck_assert_ptr_nonnull(get(&attrs, "nul", &size));
    ck_assert_int_eq(attrs_set(&attrs, "gone", NULL, 0), 0);
}
END_TEST

START_TEST(bounds)
{
    CLEANUP_BUF struct buf attrs = { 0 };
    char large[ATTRS_MOST + 1] = { 0 };

    ck_assert_int_eq(attrs_set(&attrs, "", "x", 1), WEIR_EINVAL);
    ck_assert_int_eq(attrs_set(&attrs, "a", large, sizeof large), WEIR_ETOOBIG);
    ck_assert_int_eq(attrs_set(&attrs, "a", large, ATTRS_MOST - 4), 0);
    ck_assert_uint_eq(attrs.size, ATTRS_MOST);
    ck_assert_int_eq(attrs_set(&attrs, "b", "x", 1), WEIR_ETOOBIG);
    /* what it replaces makes room */
    ck_assert_int_eq(attrs_set(&attrs, "a", large, ATTRS_MOST - 5), 0);
    ck_assert_uint_eq(attrs.size, ATTRS_MOST - 1);
}
END_TEST

/* Whatever bytes stand there: an end or WEIR_EBROKEN, and no read beyond. */
START_TEST(damage)
{
    CLEANUP_BUF struct buf attrs = { 0 };

    ck_assert_int_eq(attrs_set(&attrs, "name", "value", 5), 0);
    for (size_t cut = 1; cut < attrs.size; cut++) {
        CLEANUP_FREE void *copy = malloc(cut);
        struct attr attr;
        size_t at = 0;

        memcpy(copy, attrs.data, cut);
        ck_assert_int_eq(attrs_next(copy, cut, &at, &attr), WEIR_EBROKEN);
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        CLEANUP_FREE unsigned char *copy = malloc(attrs.size);
        struct attr attr;
        size_t at = 0;

        memcpy(copy, attrs.data, attrs.size);
        copy[1] = (unsigned char)byte;
        while (attrs_next(copy, attrs.size, &at, &attr) == 1)
            ck_assert_uint_le(at, attrs.size);
    }
}
END_TEST

Suite *attrs_suite(void)
{
    Suite *suite = suite_create("attrs");
    TCase *test = tcase_create("attrs");

    tcase_add_test(test, set_and_find);
    tcase_add_test(test, bounds);
    tcase_add_test(test, damage);
    suite_add_tcase(suite, test);
    return suite;
}
