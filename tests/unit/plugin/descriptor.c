/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* descriptor.c - what a plugin says of itself: taken, widened, or refused
 * with the task's name. */
#include "config.h"

#include <string.h>

#include "plugin/internal.h"
#include "scratch.h"

/* A case is a good one with one field written over. */
#pragma GCC diagnostic ignored "-Woverride-init"

static weir_error err;
static struct plugin *plugin;

static int run(weir_call *call)
{
    (void)call;
    return 0;
}

static int keep(weir_call *call, int fd)
{
    (void)call, (void)fd;
    return 0;
}

#define TASK(...)                                                              \
    {                                                                          \
        .name = "one", .summary = "One", .run = run, __VA_ARGS__               \
    }
#define DESCRIPTOR(...)                                                        \
    {                                                                          \
        .abi = WEIR_ABI, .descriptor_size = sizeof(weir_descriptor),           \
        .task_size = sizeof(weir_task), .param_size = sizeof(weir_param),      \
        .name = "mine", .version = "1", __VA_ARGS__                            \
    }

struct sized {
    uint64_t room_bytes;
    uint64_t count;
};

static const weir_param params[] = {
    WEIR_PARAM_SIZE(struct sized, room_bytes, "1 MiB", "room"),
    WEIR_PARAM_UINT(struct sized, count, NULL, "how many"),
    { 0 },
};

static int accept(const void *descriptor)
{
    err = (weir_error){ 0 };
    plugin = NULL;
    return descriptor_accept(descriptor, "mine", "/x/mine.so", &plugin, &err);
}

static void ck_refused(const void *descriptor, const char *part)
{
    ck_assert_int_eq(accept(descriptor), WEIR_EPLUGIN);
    ck_assert_ptr_null(plugin);
    ck_assert_int_eq(err.code, WEIR_EPLUGIN);
    ck_assert_msg(strstr(err.text, part), "'%s' is not in '%s'", part,
                  err.text);
}

START_TEST(good)
{
    static const weir_param nothing[] = { { 0 } };
    static const weir_task tasks[] = {
        TASK(.params = params, .outputs = "", .largest = "room"),
        { .name = "two-b",
          .summary = "Zwei \xc3\xbc",
          .run = run,
          .params = nothing,
          .save = keep,
          .load = keep },
        { 0 },
    };
    static const weir_descriptor mine = DESCRIPTOR(.tasks = tasks,
                                                   .summary = "All mine");

    ck_assert_msg(accept(&mine) == 0, "%s", err.text);
    ck_assert_str_eq(plugin->name, "mine");
    ck_assert_str_eq(plugin->file, "/x/mine.so");
    ck_assert_str_eq(plugin->descriptor->summary, "All mine");
    ck_assert_str_eq(plugin_task(plugin, "one")->params[1].field, "count");
    ck_assert_ptr_eq(plugin_task(plugin, "two-b")->save, keep);
    ck_assert_ptr_null(plugin_task(plugin, "three"));
    ck_assert_ptr_null(plugin->tasks[2].name);
    plugin_free(plugin);
}
END_TEST

START_TEST(abi)
{
    static const weir_task tasks[] = { TASK(), { 0 } };
    weir_descriptor mine = DESCRIPTOR(.tasks = tasks);

    mine.abi = 0;
    ck_refused(&mine, "ABI 0, and this weir takes 1 and above");
    mine.abi = WEIR_ABI + 1;
    ck_refused(&mine, "use a newer weir");
    mine.abi = UINT32_MAX;
    ck_refused(&mine, "ABI 4294967295");
}
END_TEST

START_TEST(wrong_sizes)
{
    static const weir_task tasks[] = { TASK(), { 0 } };
    static const uint32_t wrong[] = { 0, 8, 17, 1 << 20, UINT32_MAX };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        weir_descriptor mine = DESCRIPTOR(.tasks = tasks);

        mine.descriptor_size = wrong[i];
        ck_refused(&mine, "its descriptor has");
        mine.descriptor_size = sizeof mine;
        mine.task_size = wrong[i];
        ck_refused(&mine, "its task has");
        mine.task_size = sizeof(weir_task);
        mine.param_size = wrong[i];
        ck_refused(&mine, "its parameter has");
    }
}
END_TEST

/* A plugin of an earlier time, whose structs ended early. What stands behind
 * them in memory must not be taken for fields. */
START_TEST(smaller_structs)
{
    static const struct {
        const char *name, *summary;
        int (*run)(weir_call *call);
        int (*open)(weir_call *call);
    } tasks[] = {
        { "one", "One", run, run },
        { "two", "Two", run, NULL },
        { NULL, NULL, NULL, NULL },
    };
    weir_descriptor mine = DESCRIPTOR(.tasks = (const weir_task *)tasks);

    mine.task_size = sizeof *tasks;
    ck_assert_msg(accept(&mine) == 0, "%s", err.text);
    ck_assert_ptr_eq(plugin->tasks[0].open, run);
    ck_assert_ptr_null(plugin->tasks[0].close);
    ck_assert_ptr_null(plugin->tasks[0].params);
    ck_assert(!plugin->tasks[0].source);
    ck_assert_str_eq(plugin->tasks[1].name, "two");
    ck_assert_ptr_null(plugin->tasks[1].open);
    ck_assert_ptr_null(plugin->tasks[2].name);
    plugin_free(plugin);
}
END_TEST

/* A plugin of a later time, whose structs have grown. */
START_TEST(larger_structs)
{
    static const struct {
        weir_param known;
        const char *more;
    } wide_params[] = {
        { WEIR_PARAM_SIZE(struct sized, room_bytes, "1 MiB", "room"), "x" },
        { WEIR_PARAM_UINT(struct sized, count, "7", "how many"), "y" },
        { { 0 }, NULL },
    };
    static const struct {
        weir_task known;
        void *more[5];
    } tasks[] = {
        { TASK(.params = &wide_params[0].known), { &err } },
        { { .name = "two", .summary = "Two", .run = run }, { &err } },
        { { 0 }, { NULL } },
    };
    static const struct {
        weir_descriptor known;
        uint64_t more[4];
    } mine = {
        .known = { .abi = WEIR_ABI,
                   .descriptor_size = sizeof mine,
                   .task_size = sizeof *tasks,
                   .param_size = sizeof *wide_params,
                   .name = "mine",
                   .version = "1",
                   .tasks = &tasks[0].known },
        .more = { 1, 2, 3, 4 },
    };

    ck_assert_msg(accept(&mine) == 0, "%s", err.text);
    ck_assert_str_eq(plugin->tasks[0].params[1].value, "7");
    ck_assert_ptr_null(plugin->tasks[0].params[2].field);
    ck_assert_str_eq(plugin->tasks[1].name, "two");
    plugin_free(plugin);
}
END_TEST

#define LONG16 "abcdefghijklmnop"

START_TEST(bad_descriptors)
{
    static const weir_task tasks[] = { TASK(), { 0 } }, empty[] = { { 0 } };
    const struct {
        weir_descriptor mine;
        const char *part;
    } cases[] = {
        { DESCRIPTOR(.tasks = NULL), "it lists no task" },
        { DESCRIPTOR(.tasks = empty), "it lists no task" },
        { DESCRIPTOR(.tasks = tasks, .name = NULL), "it has no name" },
        { DESCRIPTOR(.tasks = tasks, .name = "Mine"), "'Mine' is no name" },
        { DESCRIPTOR(.tasks = tasks, .name = "your"), "calls itself 'your'" },
        { DESCRIPTOR(.tasks = tasks, .version = NULL), "it has no version" },
        { DESCRIPTOR(.tasks = tasks, .version = ""), "it has no version" },
        { DESCRIPTOR(.tasks = tasks, .version = "1\n"), "control character" },
        { DESCRIPTOR(.tasks = tasks, .summary = "\xff"), "not UTF-8" },
    };

    ck_refused(&cases[_i].mine, cases[_i].part);
}
END_TEST

static const struct {
    weir_task tasks[3];
    const char *part;
} bad_tasks[] = {
    { { TASK(.run = NULL) }, "task 'one': it has no run" },
    { { TASK(.summary = NULL) }, "task 'one': it has no summary" },
    { { TASK(.summary = "") }, "it has no summary" },
    { { TASK(.summary = "a\033[2J") }, "control character" },
    { { TASK(), TASK() }, "task 'one': it is there twice" },
    { { TASK(.name = "") }, "no name of a task" },
    { { TASK(.name = "One") }, "'One' is no name of a task" },
    { { TASK(.name = "a.b") }, "'a.b' is no name of a task" },
    { { TASK(.name = "a/b") }, "no name of a task" },
    { { TASK(.name = "1a") }, "no name of a task" },
    { { TASK(.name = LONG16 LONG16 LONG16 LONG16 "q") }, "at most 64" },
    { { TASK(.save = keep) }, "only one of save and load" },
    { { TASK(.load = keep) }, "only one of save and load" },
    { { TASK(.shares = true) }, "is no source" },
    { { TASK(.shares = true, .source = true, .single = true) }, "single" },
    { { TASK(.stateless = true, .save = keep, .load = keep) },
      "stateless and saves" },
    { { TASK(.source = true, .outputs = "") }, "source without an output" },
    { { TASK(.outputs = "a  b") }, "parted by one space" },
    { { TASK(.outputs = " a") }, "parted by one space" },
    { { TASK(.outputs = "a ") }, "parted by one space" },
    { { TASK(.outputs = " ") }, "parted by one space" },
    { { TASK(.outputs = "a b a") }, "the output 'a' twice" },
    { { TASK(.outputs = "a B") }, "'B' is no name of an output" },
    { { TASK(.outputs = "a\tb") }, "control character" },
    { { TASK(.outputs = "ok stdout") }, "no output may be called 'stdout'" },
    { { TASK(.outputs = "copy") }, "no output may be called 'copy'" },
    { { TASK(.largest = "room") }, "no parameter of type size" },
    { { TASK(.params = params, .largest = "count") },
      "no parameter of type size" },
    { { TASK(.params = params, .largest = "room_bytes") },
      "no parameter of type size" },
};

START_TEST(bad_task)
{
    weir_descriptor mine = DESCRIPTOR(.tasks = bad_tasks[_i].tasks);

    ck_refused(&mine, bad_tasks[_i].part);
}
END_TEST

/* The second of three is wrong: what was copied for the first is freed, and
 * nothing of the plugin's own is (the sanitizer would tell). */
START_TEST(bad_task_in_the_middle)
{
    static const weir_task tasks[] = {
        TASK(.params = params),
        { .name = "two", .summary = "Two", .params = params },
        { .name = "three", .summary = "3", .run = run, .params = params },
        { 0 },
    };
    weir_descriptor mine = DESCRIPTOR(.tasks = tasks);

    ck_refused(&mine, "task 'two': it has no run");
}
END_TEST

START_TEST(no_end)
{
    static weir_task many[TASKS_MAX + 8];
    static weir_param endless[PARAMS_MAX + 8];
    static weir_task one[2] = { TASK(.params = endless) };
    weir_descriptor mine = DESCRIPTOR(.tasks = many);

    for (size_t i = 0; i < TASKS_MAX + 8; i++)
        many[i] = (weir_task){ .name = "x", .summary = "x", .run = run };
    ck_refused(&mine, "more than 256 tasks");
    for (size_t i = 0; i < PARAMS_MAX + 8; i++)
        endless[i].field = "x";
    mine.tasks = one;
    ck_refused(&mine, "more than 64 parameters");
}
END_TEST

Suite *descriptor_suite(void)
{
    Suite *suite = suite_create("descriptor");
    TCase *tcase = tcase_create("descriptor");

    tcase_add_test(tcase, good);
    tcase_add_test(tcase, abi);
    tcase_add_test(tcase, wrong_sizes);
    tcase_add_test(tcase, smaller_structs);
    tcase_add_test(tcase, larger_structs);
    tcase_add_loop_test(tcase, bad_descriptors, 0, 9);
    tcase_add_loop_test(tcase, bad_task, 0,
                        (int)(sizeof bad_tasks / sizeof *bad_tasks));
    tcase_add_test(tcase, bad_task_in_the_middle);
    tcase_add_test(tcase, no_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
