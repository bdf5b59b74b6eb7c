/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* expand.c - templates, and the names made from an item's id and path. */
#include "config.h"

#include <string.h>

#include "plugin/expand.h"
#include "scratch.h"

static char out[64], missing[64];

static int lookup(void *arg, const char *name, size_t name_size,
                  const void **value, size_t *size)
{
    static const struct {
        const char *name, *value;
        size_t size;
    } known[] = { { "a", "alpha", 5 },
                  { "empty", NULL, 0 },
                  { "x-y_9", "!", 1 },
                  { "nul", "o\0o", 3 },
                  { "self", "${item.a}", 9 } };

    ck_assert_ptr_eq(arg, out);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == name_size &&
            memcmp(known[i].name, name, name_size) == 0) {
            *value = known[i].value;
            *size = known[i].size;
            return 0;
        }
    return name_size == 4 && memcmp(name, "oops", 4) == 0 ? WEIR_EBROKEN
                                                          : WEIR_EEMPTY;
}

static int expand(const char *text, size_t room)
{
    strcpy(missing, "?");
    memset(out, '#', sizeof out);
    return template_expand(text, lookup, out, out, room, missing);
}

static const struct {
    const char *text, *want;
} cases[] = {
    { "", "" },
    { "plain", "plain" },
    { "${item.a}", "alpha" },
    { "<${item.a}${item.a}>", "<alphaalpha>" },
    { "[${item.empty}]", "[]" },
    { "${item.x-y_9}", "!" },
    { "${item.self}", "${item.a}" }, /* once, not again */
    { "$${item.a}", "${item.a}" },
    { "$$${item.a}", "$${item.a}" },
    { "$${", "${" },
    { "${a}", "${a}" },
    { "{item.a}", "{item.a}" },
    { "${item}", "${item}" },
    { "${item.}", "${item.}" },
    { "${item.a", "${item.a" },
    { "${item.a b}", "${item.a b}" },
    { "${item.9}", "${item.9}" },
    { "${item.${item.a}}", "${item.alpha}" },
    { "$", "$" },
    { "$$", "$$" },
    { "100$ {x}", "100$ {x}" },
};

START_TEST(whole)
{
    int size = expand(cases[_i].text, sizeof out);

    ck_assert_int_eq(size, (int)strlen(cases[_i].want));
    ck_assert_str_eq(out, cases[_i].want);
    ck_assert_str_eq(missing, "");
}
END_TEST

START_TEST(not_there)
{
    ck_assert_int_eq(expand("x${item.none}", sizeof out), WEIR_EEMPTY);
    ck_assert_str_eq(missing, "none");
    ck_assert_int_eq(expand("x${item.nul}", sizeof out), WEIR_EINVAL);
    ck_assert_str_eq(missing, "nul");
    ck_assert_int_eq(expand("x${item.oops}", sizeof out), WEIR_EBROKEN);
    ck_assert_str_eq(missing, "");
    /* 64 letters are a name, whose last one missing has no room for; 65 are
     * text. */
    ck_assert_int_eq(expand("${item.aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb"
                            "ccccccccccccccccdddddddddddddddd}",
                            sizeof out),
                     WEIR_EEMPTY);
    ck_assert_uint_eq(strlen(missing), 63);
    ck_assert_int_eq(expand("${item.aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb"
                            "ccccccccccccccccdddddddddddddddde}",
                            sizeof out),
                     WEIR_ETOOBIG);
}
END_TEST

START_TEST(room)
{
    ck_assert_int_eq(expand("12${item.a}", 8), 7);
    ck_assert_str_eq(out, "12alpha");
    ck_assert_int_eq(out[8], '#');
    for (size_t few = 0; few < 8; few++) {
        ck_assert_int_eq(expand("12${item.a}", few), WEIR_ETOOBIG);
        ck_assert_int_eq(out[few], '#');
    }
    ck_assert_int_eq(expand("", 1), 0);
    ck_assert_int_eq(expand("", 0), WEIR_ETOOBIG);
    ck_assert_int_eq(expand("$${", 2), WEIR_ETOOBIG);
    ck_assert_int_eq(expand("$", 1), WEIR_ETOOBIG);
}
END_TEST

static const struct {
    const char *path, *name, *stem, *dir;
} paths[] = {
    { "a/b/file.tar.gz", "file.tar.gz", "file.tar", "a/b" },
    { "file", "file", "file", "." },
    { "/file.c", "file.c", "file", "/" },
    { "//file.c", "file.c", "file", "/" },
    { "a//b.c", "b.c", "b", "a" },
    { ".profile", ".profile", ".profile", "." },
    { "x/.a.b", ".a.b", ".a", "x" },
    { "a/b/", "b", "b", "a" },
    { "a.", "a.", "a", "." },
    { "/", "/", "/", "/" },
    { "///", "/", "/", "/" },
    { "..", "..", "..", "." },
    { "a/..", "..", "..", "a" },
    { ".", ".", ".", "." },
};

static void ck_part(struct derived *derived, const char *name, const char *want)
{
    const void *value = NULL;
    size_t size = 0;

    ck_assert_int_eq(attr_derived(derived, name, strlen(name), &value, &size),
                     1);
    ck_assert_msg(size == strlen(want) && memcmp(value, want, size) == 0,
                  "%s is '%.*s', not '%s'", name, (int)size,
                  (const char *)value, want);
}

START_TEST(parts)
{
    struct derived derived = { .file = paths[_i].path,
                               .file_size = strlen(paths[_i].path) };

    ck_part(&derived, "name", paths[_i].name);
    ck_part(&derived, "stem", paths[_i].stem);
    ck_part(&derived, "dir", paths[_i].dir);
}
END_TEST

START_TEST(id_and_others)
{
    struct derived derived = { .root = 0x12, .path = UINT64_MAX - 1 };
    const void *value;
    size_t size;

    ck_part(&derived, "id", "0000000000000012fffffffffffffffe");
    ck_assert_int_eq(attr_derived(&derived, "path", 4, &value, &size), 0);
    ck_assert_int_eq(attr_derived(&derived, "names", 5, &value, &size), 0);
    ck_assert_int_eq(attr_derived(&derived, "i", 1, &value, &size), 0);
    ck_assert_int_eq(attr_derived(&derived, "stem", 4, &value, &size),
                     WEIR_EEMPTY);
    derived.file = "x";
    ck_assert_int_eq(attr_derived(&derived, "dir", 3, &value, &size),
                     WEIR_EEMPTY);
}
END_TEST

Suite *expand_suite(void)
{
    Suite *suite = suite_create("expand");
    TCase *tcase = tcase_create("expand");

    tcase_add_loop_test(tcase, whole, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_test(tcase, not_there);
    tcase_add_test(tcase, room);
    tcase_add_loop_test(tcase, parts, 0, (int)(sizeof paths / sizeof *paths));
    tcase_add_test(tcase, id_and_others);
    suite_add_tcase(suite, tcase);
    return suite;
}
