/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vet.c - a task's own check: what it refuses, and how that is told. */
#include "config.h"

#include <string.h>

#include "plugin/internal.h"
#include "scratch.h"

struct limits {
    uint64_t low;
    uint64_t high_bytes;
};

static const weir_param params[] = {
    WEIR_PARAM_UINT(struct limits, low, "1", "low"),
    WEIR_PARAM_SIZE(struct limits, high_bytes, "9 B", "high"),
    { 0 },
};

static weir_error err;
static char param[64];

static int vet(int (*check)(weir_call *call), struct limits limits)
{
    const weir_task task = { .name = "t", .params = params, .check = check };

    strcpy(param, "untouched");
    err = (weir_error){ 0 };
    return task_check(&task, &limits, param, &err);
}

static int ordered(weir_call *call)
{
    const struct limits *limits = weir_params(call);

    if (limits->low > limits->high_bytes)
        return weir_refuse(call, "high_bytes", "%s is below %d", "it",
                           (int)limits->low);
    return 0;
}

static int forgets_to_return(weir_call *call)
{
    weir_refuse(call, "low", "first\nline");
    weir_refuse(call, "high", "second");
    return 0;
}

static int fails(weir_call *call)
{
    return weir_fail(call, WEIR_FATAL, "no");
}

static int other_param(weir_call *call)
{
    return weir_refuse(call, "nonesuch", "no");
}

static int silent(weir_call *call)
{
    (void)call;
    return WEIR_PERMANENT;
}

static int code(weir_call *call)
{
    (void)call;
    return WEIR_ENOMEM;
}

/* Every function of the table is there, and answers. */
static int calls_everything(weir_call *call)
{
    weir_bytes bytes = { "x", 1 };
    unsigned index = 7, count = 7;
    uint64_t root = 7, path = 7;
    void *data;
    char out[8];

    weir_set_state(call, out);
    weir_id(call, &root, &path);
    weir_share(call, &index, &count);
    weir_log(call, WEIR_INFO, "%s", "not heard");
    return !(weir_state(call) == NULL && weir_input(call).size == 0 &&
             weir_attr(call, "a", &bytes) == WEIR_EEMPTY &&
             weir_set_attr(call, "a", "b", 1) == WEIR_ESTATE && root == 0 &&
             path == 0 && index == 0 && count == 1 && weir_attempt(call) == 1 &&
             weir_emit(call, 0, "a", 1) == WEIR_ESTATE &&
             weir_reserve(call, 0, 1, &data) == WEIR_ESTATE &&
             weir_submit(call, 0) == WEIR_ESTATE &&
             weir_pass(call, 0) == WEIR_ESTATE &&
             weir_append(call, 1, "a", 1) == WEIR_ESTATE &&
             weir_rename(call, "a", "b") == WEIR_ESTATE &&
             weir_cursor(call, &bytes) == WEIR_ESTATE &&
             weir_set_cursor(call, "a", 1) == WEIR_ESTATE &&
             weir_pause(call, 1) == WEIR_ESTATE &&
             weir_expand(call, "a", out, 8) == WEIR_ESTATE &&
             !weir_stopping(call));
}

START_TEST(accepted)
{
    ck_assert_int_eq(vet(NULL, (struct limits){ 9, 1 }), 0);
    ck_assert_int_eq(vet(ordered, (struct limits){ 1, 9 }), 0);
    ck_assert_int_eq(vet(calls_everything, (struct limits){ 1, 9 }), 0);
    ck_assert_str_eq(param, "untouched");
}
END_TEST

START_TEST(refused)
{
    ck_assert_int_eq(vet(ordered, (struct limits){ 9, 1 }), WEIR_EINVAL);
    ck_assert_str_eq(param, "high");
    ck_assert_str_eq(err.text, "task 't' refuses its parameters: it is below "
                               "9");
}
END_TEST

START_TEST(refused_in_other_ways)
{
    ck_assert_int_eq(vet(forgets_to_return, (struct limits){ 0 }), WEIR_EINVAL);
    ck_assert_str_eq(param, "low");
    ck_assert_str_eq(err.text, "task 't' refuses its parameters: first\\nline");
    ck_assert_int_eq(vet(fails, (struct limits){ 0 }), WEIR_EINVAL);
    ck_assert_str_eq(param, "");
    ck_assert_int_eq(vet(other_param, (struct limits){ 0 }), WEIR_EINVAL);
    ck_assert_str_eq(param, "");
    ck_assert_int_eq(vet(silent, (struct limits){ 0 }), WEIR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "does not say why"));
    ck_assert_int_eq(vet(code, (struct limits){ 0 }), WEIR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot check"));
}
END_TEST

Suite *vet_suite(void)
{
    Suite *suite = suite_create("vet");
    TCase *tcase = tcase_create("vet");

    tcase_add_test(tcase, accepted);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, refused_in_other_ways);
    suite_add_tcase(suite, tcase);
    return suite;
}
