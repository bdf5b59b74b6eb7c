/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bind.c - values of a job into a task's struct, and every mistake told. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "plugin/internal.h"
#include "scratch.h"

struct all {
    const char *text;
    uint64_t number;
    int64_t whole;
    double real;
    bool flag;
    uint64_t size_bytes;
    int64_t wait_ns;
    unsigned mode;
    weir_list paths;
};

static const weir_param params[] = {
    WEIR_PARAM_TEXT(struct all, text, "deflt", "a text", .max = "8"),
    WEIR_PARAM_UINT(struct all, number, "3", "a number", .min = "1",
                    .max = "100"),
    WEIR_PARAM_INT(struct all, whole, "-5", "an int", .min = "-10"),
    WEIR_PARAM_REAL(struct all, real, "0.5", "a real", .min = "0"),
    WEIR_PARAM_BOOL(struct all, flag, "true", "a flag"),
    WEIR_PARAM_SIZE(struct all, size_bytes, "64 KiB", "a size", .min = "1 B",
                    .max = "1 GiB"),
    WEIR_PARAM_DURATION(struct all, wait_ns, "1h30m", "a duration",
                        .max = "2h"),
    WEIR_PARAM_CHOICE(struct all, mode, "slow", "a choice",
                      .choices = "fast slow safe"),
    WEIR_PARAM_LIST(struct all, paths, "*.c", "a list", .min = "1", .max = "3"),
    { 0 },
};

static const weir_task task = { .name = "all", .params = params };

static struct {
    size_t index;
    char name[64];
    char text[512];
} mistakes[16];
static size_t mistake_count;

static void note(void *arg, size_t index, const char *name,
                 const char *sentence)
{
    ck_assert_ptr_eq(arg, mistakes);
    ck_assert_uint_lt(mistake_count, 16);
    mistakes[mistake_count].index = index;
    snprintf(mistakes[mistake_count].name, 64, "%s", name);
    snprintf(mistakes[mistake_count++].text, 512, "%s", sentence);
}

#define TEXTS(...) ((const char *const[]){ __VA_ARGS__ })
#define ONE(name_, text)                                                       \
    {                                                                          \
        .name = (name_), .count = 1, .texts = TEXTS(text)                      \
    }

static int bind(const weir_task *to, const struct param_value *values,
                size_t count, void **out)
{
    mistake_count = 0;
    return param_bind(to, values, count, note, mistakes, out);
}

START_TEST(defaults)
{
    struct all *all = NULL;

    ck_assert_int_eq(bind(&task, NULL, 0, (void **)&all), 0);
    ck_assert_str_eq(all->text, "deflt");
    ck_assert_uint_eq(all->number, 3);
    ck_assert_int_eq(all->whole, -5);
    ck_assert(all->real == 0.5);
    ck_assert(all->flag);
    ck_assert_uint_eq(all->size_bytes, 64 << 10);
    ck_assert_int_eq(all->wait_ns, INT64_C(5400) * NS_PER_S);
    ck_assert_uint_eq(all->mode, 1);
    ck_assert_uint_eq(all->paths.count, 1);
    ck_assert_str_eq(all->paths.items[0], "*.c");
    ck_assert_uint_eq(param_size_of(&task, all, "size"), 64 << 10);
    ck_assert_uint_eq(param_size_of(&task, all, "number"), 0);
    ck_assert_uint_eq(param_size_of(&task, all, "none"), 0);
    ck_assert_uint_eq(param_size_of(&task, all, NULL), 0);
    free(all);
}
END_TEST

/* What was given may be gone afterwards. */
START_TEST(values)
{
    char text[] = "g\xc3\xbcte", path[] = "a b";
    struct param_value given[] = {
        ONE("text", text),
        ONE("number", "100"),
        ONE("whole", "-10"),
        ONE("real", "1.25"),
        ONE("flag", "false"),
        ONE("size", "1 GiB"),
        ONE("wait", "250ms"),
        ONE("mode", "safe"),
        { .name = "paths",
          .count = 3,
          .texts = TEXTS(path, "", "c"),
          .list = true },
    };
    struct all *all = NULL;

    ck_assert_int_eq(bind(&task, given, 9, (void **)&all), 0);
    memset(text, 'x', sizeof text - 1);
    memset(path, 'x', sizeof path - 1);
    ck_assert_str_eq(all->text, "g\xc3\xbcte");
    ck_assert_uint_eq(all->number, 100);
    ck_assert_int_eq(all->whole, -10);
    ck_assert(all->real == 1.25);
    ck_assert(!all->flag);
    ck_assert_uint_eq(all->size_bytes, 1 << 30);
    ck_assert_int_eq(all->wait_ns, 250 * NS_PER_MS);
    ck_assert_uint_eq(all->mode, 2);
    ck_assert_uint_eq(all->paths.count, 3);
    ck_assert_str_eq(all->paths.items[0], "a b");
    ck_assert_str_eq(all->paths.items[1], "");
    ck_assert_str_eq(all->paths.items[2], "c");
    free(all);
}
END_TEST

START_TEST(list_of_one_text)
{
    const struct param_value given[] = { ONE("paths", "/x") };
    struct all *all = NULL;

    ck_assert_int_eq(bind(&task, given, 1, (void **)&all), 0);
    ck_assert_uint_eq(all->paths.count, 1);
    ck_assert_str_eq(all->paths.items[0], "/x");
    free(all);
}
END_TEST

static const struct {
    struct param_value value;
    const char *part;
} bad[] = {
    { ONE("number", "0"), "parameter 'number': 0 is less than 1" },
    { ONE("number", "101"), "parameter 'number': 101 is more than 100" },
    { ONE("number", "-1"), "parameter 'number': " },
    { ONE("number", "1e3"), "parameter 'number': " },
    { ONE("number", "99999999999999999999"), "parameter 'number': " },
    { ONE("whole", "-11"), "-11 is less than -10" },
    { ONE("real", "-0.1"), "-0.1 is less than 0" },
    { ONE("real", "nan"), "parameter 'real': " },
    { ONE("real", "inf"), "parameter 'real': " },
    { ONE("flag", "yes"), "parameter 'flag': " },
    { ONE("size", "0 B"), "0 B is less than 1 B" },
    { ONE("size", "2 GiB"), "2 GiB is more than 1 GiB" },
    { ONE("size", "64"), "parameter 'size': " },
    { ONE("wait", "3h"), "3h is more than 2h" },
    { ONE("wait", "30"), "30s, 30ms or 30min" },
    { ONE("mode", "fats"), "'fats' is none of: fast slow safe" },
    { ONE("mode", ""), "is none of" },
    { ONE("mode", "fast slow"), "is none of" },
    { ONE("text", "nine bytes"), "10 bytes are more than 8" },
    { ONE("text", "\xff"), "not UTF-8" },
    { ONE("numbr", "1"),
      "task 'all' has no parameter 'numbr'; did you mean 'number'?" },
    { ONE("size_bytes", "1 B"), "has no parameter 'size_bytes'" },
    { ONE("zzzzzz", "1"), "it has text, number, whole" },
    { ONE("\033[2J", "1"), "has no parameter '\\x1b[2J'" },
    { { .name = "number", .count = 1, .texts = TEXTS("1"), .list = true },
      "parameter 'number': it takes one value, not a list" },
    { { .name = "paths", .count = 0, .list = true },
      "0 entries are less than 1" },
    { { .name = "paths",
        .count = 4,
        .texts = TEXTS("a", "b", "c", "d"),
        .list = true },
      "4 entries are more than 3" },
    { { .name = "paths",
        .count = 2,
        .texts = TEXTS("a", "\xc3"),
        .list = true },
      "entry 2 is not UTF-8" },
};

START_TEST(bad_value)
{
    void *out = mistakes;

    ck_assert_int_eq(bind(&task, &bad[_i].value, 1, &out), WEIR_EINVAL);
    ck_assert_ptr_eq(out, mistakes); /* not written */
    ck_assert_uint_eq(mistake_count, 1);
    ck_assert_uint_eq(mistakes[0].index, 0);
    ck_assert_str_eq(mistakes[0].name, bad[_i].value.name);
    ck_assert_msg(strstr(mistakes[0].text, bad[_i].part), "'%s' is not in '%s'",
                  bad[_i].part, mistakes[0].text);
}
END_TEST

START_TEST(all_mistakes_at_once)
{
    static const weir_param table[] = {
        WEIR_PARAM_UINT(struct all, number, NULL, "how many"),
        WEIR_PARAM_TEXT(struct all, text, NULL, "which"),
        { 0 },
    };
    const weir_task strict = { .name = "strict", .params = table };
    const struct param_value given[] = { ONE("textt", "x"), ONE("number", "x"),
                                         ONE("number", "1") };
    void *out = NULL;

    ck_assert_int_eq(bind(&strict, given, 3, &out), WEIR_EINVAL);
    ck_assert_uint_eq(mistake_count, 4);
    ck_assert_uint_eq(mistakes[0].index, 0);
    ck_assert_uint_eq(mistakes[1].index, 1);
    ck_assert_uint_eq(mistakes[2].index, 2);
    ck_assert_str_eq(mistakes[2].text, "parameter 'number': it is given twice");
    ck_assert_uint_eq(mistakes[3].index, SIZE_MAX);
    ck_assert_str_eq(mistakes[3].name, "text");
    ck_assert_str_eq(mistakes[3].text, "parameter 'text' is missing: which");
}
END_TEST

START_TEST(no_parameters)
{
    static const weir_param nothing[] = { { 0 } };
    const weir_task bare = { .name = "bare" };
    const weir_task ended = { .name = "ended", .params = nothing };
    const struct param_value given[] = { ONE("x", "1") };
    void *out = mistakes;

    ck_assert_int_eq(bind(&bare, NULL, 0, &out), 0);
    ck_assert_ptr_null(out);
    out = mistakes;
    ck_assert_int_eq(bind(&ended, NULL, 0, &out), 0);
    ck_assert_ptr_null(out);
    ck_assert_int_eq(bind(&bare, given, 1, &out), WEIR_EINVAL);
    ck_assert_str_eq(mistakes[0].text,
                     "task 'bare' has no parameter 'x'; it has none");
    ck_assert_uint_eq(param_size_of(&bare, NULL, "x"), 0);
}
END_TEST

START_TEST(empty_list)
{
    static const weir_param table[] = {
        WEIR_PARAM_LIST(struct all, paths, "", "which"),
        { 0 },
    };
    const weir_task loose = { .name = "loose", .params = table };
    const struct param_value given[] = { { .name = "paths", .list = true } };
    struct all *all = NULL;

    for (size_t count = 0; count < 2; count++) {
        ck_assert_int_eq(bind(&loose, given, count, (void **)&all), 0);
        ck_assert_uint_eq(all->paths.count, 0);
        free(all);
    }
}
END_TEST

Suite *bind_suite(void)
{
    Suite *suite = suite_create("bind");
    TCase *tcase = tcase_create("bind");

    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, values);
    tcase_add_test(tcase, list_of_one_text);
    tcase_add_loop_test(tcase, bad_value, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(tcase, all_mistakes_at_once);
    tcase_add_test(tcase, no_parameters);
    tcase_add_test(tcase, empty_list);
    suite_add_tcase(suite, tcase);
    return suite;
}
