/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* desc.c - a task through bytes and back; any damage is an error. */
#include "config.h"

#include <string.h>

#include "plugin/internal.h"
#include "scratch.h"

struct some {
    uint64_t size_bytes;
    const char *text;
    unsigned mode;
};

static const weir_param params[] = {
    WEIR_PARAM_SIZE(struct some, size_bytes, "1 MiB", "how large", .min = "1 B",
                    .max = "1 GiB"),
    WEIR_PARAM_TEXT(struct some, text, NULL, "what"),
    WEIR_PARAM_CHOICE(struct some, mode, "a", "how", .choices = "a b"),
    { 0 },
};

static int run(weir_call *call)
{
    (void)call;
    return 0;
}

static const weir_task tasks[] = {
    { .name = "full",
      .summary = "All",
      .run = run,
      .open = run,
      .flush = run,
      .check = run,
      .params = params,
      .outputs = "x y",
      .largest = "size",
      .single = true },
    { .name = "sink",
      .summary = "End",
      .run = run,
      .outputs = "",
      .stateless = true },
    { .name = "plain",
      .summary = "Pass",
      .run = run,
      .source = true,
      .shares = true },
    { 0 },
};

static const weir_descriptor descriptor = { .version = "2.1" };
static const struct plugin plugin = {
    .name = "p",
    .file = "/x/p.so",
    .descriptor = &descriptor,
    .tasks = tasks,
};

static int through(const weir_task *task, struct task_desc *desc)
{
    struct buf bytes = { 0 };
    struct reader in;
    int code;

    ck_assert_int_eq(task_desc_write(&bytes, &plugin, task), 0);
    in = (struct reader){ .data = bytes.data, .size = bytes.size };
    code = task_desc_read(&in, desc);
    ck_assert_uint_eq(in.at, bytes.size);
    buf_done(&bytes);
    return code;
}

START_TEST(full)
{
    struct task_desc desc;

    ck_assert_int_eq(through(&tasks[0], &desc), 0);
    ck_assert_str_eq(desc.plugin, "p");
    ck_assert_str_eq(desc.task, "full");
    ck_assert_str_eq(desc.summary, "All");
    ck_assert_str_eq(desc.file, "/x/p.so");
    ck_assert_str_eq(desc.version, "2.1");
    ck_assert_str_eq(desc.largest, "size");
    ck_assert_uint_eq(desc.outputs.count, 2);
    ck_assert_str_eq(desc.outputs.at[0], "x");
    ck_assert_str_eq(desc.outputs.at[1], "y");
    ck_assert_uint_eq(desc.params.count, 3);
    ck_assert_str_eq(desc.params.at[0].name, "size");
    ck_assert_str_eq(desc.params.at[0].min, "1 B");
    ck_assert_str_eq(desc.params.at[0].max, "1 GiB");
    ck_assert_str_eq(desc.params.at[0].value, "1 MiB");
    ck_assert_uint_eq(desc.params.at[0].type, WEIR_TYPE_SIZE);
    ck_assert_ptr_null(desc.params.at[1].value);
    ck_assert_ptr_null(desc.params.at[1].choices);
    ck_assert_str_eq(desc.params.at[1].summary, "what");
    ck_assert_str_eq(desc.params.at[2].choices, "a b");
    ck_assert(desc.single && desc.has_open && desc.has_flush && desc.has_check);
    ck_assert(!desc.source && !desc.shares && !desc.has_save);
    task_desc_done(&desc);
    ck_assert_ptr_null(desc.task);
}
END_TEST

START_TEST(outputs)
{
    struct task_desc desc;

    ck_assert_int_eq(through(&tasks[1], &desc), 0);
    ck_assert_uint_eq(desc.outputs.count, 0);
    ck_assert_uint_eq(desc.params.count, 0);
    ck_assert(desc.stateless && !desc.shares);
    ck_assert_ptr_null(desc.largest);
    task_desc_done(&desc);
    ck_assert_int_eq(through(&tasks[2], &desc), 0);
    ck_assert_uint_eq(desc.outputs.count, 1);
    ck_assert_str_eq(desc.outputs.at[0], "out");
    ck_assert(desc.source && desc.shares && !desc.stateless);
    task_desc_done(&desc);
}
END_TEST

/* Each prefix is in memory of its own size, so that a read behind it shows
 * under a sanitizer. */
START_TEST(truncated)
{
    struct buf bytes = { 0 };

    ck_assert_int_eq(task_desc_write(&bytes, &plugin, &tasks[0]), 0);
    for (size_t size = 0; size < bytes.size; size++) {
        char *part = malloc(size + 1);
        struct reader in = { .data = part, .size = size };
        struct task_desc desc;

        ck_assert_ptr_nonnull(part);
        memcpy(part, bytes.data, size);
        ck_assert_int_eq(task_desc_read(&in, &desc), -EBADMSG);
        free(part);
    }
    buf_done(&bytes);
}
END_TEST

START_TEST(damaged)
{
    struct buf bytes = { 0 };
    struct task_desc desc;

    ck_assert_int_eq(task_desc_write(&bytes, &plugin, &tasks[0]), 0);
    for (size_t at = 0; at < bytes.size; at++) {
        struct reader in = { .data = bytes.data, .size = bytes.size };

        bytes.data[at] ^= (char)0xff;
        if (task_desc_read(&in, &desc) == 0)
            task_desc_done(&desc);
        else
            ck_assert(in.bad);
        bytes.data[at] ^= (char)0xff;
    }
    bytes.data[0] ^= 1;
    ck_assert_int_eq(task_desc_read(&(struct reader){ .data = bytes.data,
                                                      .size = bytes.size },
                                    &desc),
                     -EBADMSG);
    buf_done(&bytes);
}
END_TEST

Suite *desc_suite(void)
{
    Suite *suite = suite_create("desc");
    TCase *tcase = tcase_create("desc");

    tcase_add_test(tcase, full);
    tcase_add_test(tcase, outputs);
    tcase_add_test(tcase, truncated);
    tcase_add_test(tcase, damaged);
    suite_add_tcase(suite, tcase);
    return suite;
}
