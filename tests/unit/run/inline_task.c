/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inline_task.c - a task in this process: each function that it may call, each
 * value that it may return. The test's task does what the test says.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/inline.h"
#include "suites.h"

static int (*doing)(weir_call *call); /* what run, open and flush do */
static struct inline_task host;
static struct inline_item item;
static char folder[] = "/tmp/weir-inline-XXXXXX";

static int do_it(weir_call *call)
{
    return doing ? doing(call) : 0;
}

static const weir_task plain = { .name = "plain",
                                 .run = do_it,
                                 .open = do_it,
                                 .flush = do_it,
                                 .close = do_it,
                                 .outputs = "a b" };
static const weir_task source = { .name = "source",
                                  .run = do_it,
                                  .source = true };

static void start(const weir_task *task)
{
    static const struct inline_bound bounds[] = { { 1000, "small" },
                                                  { UINT64_MAX, NULL } };
    struct inline_plan plan = {
        .name = "stage",
        .task = task,
        .params = "params",
        .outputs = task->source ? 1 : 2,
        .bounds = task->source ? NULL : bounds,
        .root = UINT64_C(7) << 52,
    };

    inline_task_init(&host, &plan);
    item = (struct inline_item){ .payload = payload_new("input", 5),
                                 .root = 3,
                                 .path = 4 };
    inline_item_set(&item, "path", "x/name.txt", 10);
}

static void setup(void)
{
    start(&plain);
}

static void source_setup(void)
{
    start(&source);
}

static void teardown(void)
{
    doing = NULL;
    inline_task_done(&host);
    inline_item_done(&item);
}

static int call(int (*what)(weir_call *))
{
    doing = what;
    return inline_call(&host, host.plan.task->source ? NULL : &item, 1);
}

/* ------------------------------------------------------------- values ---- */

static int returned;

static int give_and_return(weir_call *c)
{
    ck_assert_int_eq(weir_emit(c, 0, "x", 1), 0);
    return returned;
}

static int give_and_fail(weir_call *c)
{
    ck_assert_int_eq(weir_emit(c, 0, "x", 1), 0);
    return weir_fail(c, (enum weir_verdict)returned, "because of %d", returned);
}

START_TEST(what_failed_has_given_nothing)
{
    static const int verdicts[] = { WEIR_TRANSIENT, WEIR_PERMANENT, WEIR_SKIP,
                                    WEIR_FATAL };

    for (size_t i = 0; i < 4; i++) {
        char want[32];

        returned = verdicts[i];
        ck_assert_int_eq(call(give_and_fail), verdicts[i]);
        ck_assert_uint_eq(host.outputs.count, 0);
        snprintf(want, sizeof want, "because of %d", returned);
        ck_assert_str_eq(host.why, want);
    }
}
END_TEST

START_TEST(values_without_weir_fail)
{
    static const struct {
        int returned, want;
    } table[] = {
        { 0, 0 },
        { WEIR_TRANSIENT, WEIR_TRANSIENT },
        { WEIR_END, WEIR_PERMANENT }, /* it is no source */
        { 42, WEIR_PERMANENT },
        { -EIO, WEIR_TRANSIENT },
        { WEIR_EINVAL, WEIR_PERMANENT },
        { WEIR_ESTATE, WEIR_PERMANENT },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        returned = table[i].returned;
        ck_assert_int_eq(call(give_and_return), table[i].want);
        ck_assert_uint_eq(host.outputs.count, table[i].want == 0);
        ck_assert(table[i].want == 0 || host.why[0] != '\0');
    }
}
END_TEST

/* ------------------------------------------------------------- inputs ---- */

static int look_at_input(weir_call *c)
{
    weir_bytes in = weir_input(c), value;
    uint64_t root, path;
    char text[64];

    ck_assert_str_eq(weir_params(c), "params");
    ck_assert_uint_eq(in.size, 5);
    ck_assert_mem_eq(in.data, "input", 5);
    ck_assert_int_eq(weir_attr(c, "path", &value), 0);
    ck_assert_uint_eq(value.size, 10);
    ck_assert_int_eq(weir_attr(c, "other", &value), WEIR_EEMPTY);
    weir_id(c, &root, &path);
    ck_assert_uint_eq(root, 3);
    ck_assert_uint_eq(path, 4);
    ck_assert_uint_eq(weir_attempt(c), 1);
    ck_assert_int_eq(weir_expand(c, "${item.stem}-${item.path}", text,
                                 sizeof text),
                     15);
    ck_assert_str_eq(text, "name-x/name.txt");
    ck_assert_int_eq(weir_expand(c, "${item.path}", text, 5), WEIR_ETOOBIG);
    ck_assert_int_eq(weir_cursor(c, &value), WEIR_ESTATE);
    ck_assert_int_eq(weir_set_cursor(c, "x", 1), WEIR_ESTATE);
    ck_assert(!weir_stopping(c));
    return 0;
}

START_TEST(what_a_task_sees)
{
    ck_assert_int_eq(call(look_at_input), 0);
}
END_TEST

static int expand_missing(weir_call *c)
{
    char text[64];

    return weir_expand(c, "${item.colour}", text, sizeof text);
}

START_TEST(a_missing_attribute_fails_for_good)
{
    ck_assert_int_eq(call(expand_missing), WEIR_PERMANENT);
    ck_assert_ptr_nonnull(strstr(host.why, "no attribute 'colour'"));
}
END_TEST

/* ------------------------------------------------------------ outputs ---- */

static int give_all_ways(weir_call *c)
{
    void *room;

    ck_assert_int_eq(weir_emit(c, 0, "one", 3), 0);
    ck_assert_int_eq(weir_reserve(c, 1, 100, &room), 0);
    ck_assert_uint_eq((uintptr_t)room % 64, 0);
    ck_assert_int_eq(weir_emit(c, 0, "x", 1), WEIR_ESTATE);
    ck_assert_int_eq(weir_pass(c, 0), WEIR_ESTATE);
    ck_assert_int_eq(weir_reserve(c, 1, 1, &room), WEIR_ESTATE);
    ck_assert_int_eq(weir_submit(c, 101), WEIR_EINVAL);
    memcpy(room, "two", 3);
    ck_assert_int_eq(weir_submit(c, 3), 0);
    ck_assert_int_eq(weir_submit(c, 3), WEIR_ESTATE);
    ck_assert_int_eq(weir_set_attr(c, "kind", "k", 1), 0);
    ck_assert_int_eq(weir_pass(c, 1), 0);
    ck_assert_int_eq(weir_set_attr(c, "no name", "k", 1), WEIR_EINVAL);
    ck_assert_int_eq(weir_set_attr(c, "kind", NULL, 1), WEIR_EINVAL);
    ck_assert_int_eq(weir_emit(c, 2, "x", 1), WEIR_EINVAL);
    ck_assert_int_eq(weir_emit(c, 0, NULL, 1), WEIR_EINVAL);
    ck_assert_int_eq(weir_emit(c, 0, NULL, 0), 0);
    ck_assert_int_eq(weir_reserve(c, 1, 10, &room), 0); /* never submitted */
    return 0;
}

START_TEST(what_a_task_gives)
{
    const struct inline_item *at;

    ck_assert_int_eq(call(give_all_ways), 0);
    ck_assert_int_eq(inline_commit(&host), 0);
    ck_assert_uint_eq(host.outputs.count, 4);
    at = host.outputs.at;
    ck_assert_mem_eq(at[0].payload->data, "one", 3);
    ck_assert_uint_eq(at[0].output, 0);
    ck_assert_ptr_eq(at[0].attrs, item.attrs); /* inherited, not copied */
    ck_assert_uint_eq(at[1].payload->size, 3);
    ck_assert_mem_eq(at[1].payload->data, "two", 3);
    ck_assert_ptr_eq(at[2].payload, item.payload);
    ck_assert_ptr_ne(at[2].attrs, item.attrs);
    ck_assert_uint_eq(at[3].payload->size, 0);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(at[i].root, 3);
        ck_assert_uint_eq(at[i].path,
                          hash_mix(hash_mix(4, hash_bytes("stage", 5, 0)), i));
    }
    inline_forget(&host);
    ck_assert_uint_eq(host.outputs.count, 0);
}
END_TEST

static int give_too_much(weir_call *c)
{
    static char large[1001];

    ck_assert_int_eq(weir_emit(c, 1, large, sizeof large), 0);
    ck_assert_int_eq(weir_emit(c, 0, large, sizeof large), WEIR_ETOOBIG);
    ck_assert_int_eq(weir_emit(c, 1, "x", 1), WEIR_ETOOBIG); /* from now on */
    return 0;                                                /* forgotten */
}

START_TEST(what_can_never_fit_fails_for_good)
{
    ck_assert_int_eq(call(give_too_much), WEIR_PERMANENT);
    ck_assert_ptr_nonnull(strstr(host.why, "queue 'small'"));
    ck_assert_uint_eq(host.outputs.count, 0);
}
END_TEST

/* -------------------------------------------------------------- state ---- */

static int set_up(weir_call *c)
{
    ck_assert_ptr_null(weir_state(c));
    weir_set_state(c, folder);
    ck_assert_uint_eq(weir_input(c).size, 0);
    ck_assert_int_eq(weir_emit(c, 0, "x", 1), WEIR_ESTATE);
    ck_assert_int_eq(weir_set_attr(c, "a", "x", 1), WEIR_ESTATE);
    ck_assert_int_eq(weir_rename(c, "/a", "/b"), WEIR_ESTATE);
    return 0;
}

static int give_state(weir_call *c)
{
    ck_assert_ptr_eq(weir_state(c), folder);
    ck_assert_int_eq(weir_pass(c, 0), WEIR_ESTATE);
    return weir_emit(c, 1, "total", 5);
}

START_TEST(a_life)
{
    doing = set_up;
    ck_assert_int_eq(inline_open(&host), 0);
    ck_assert_int_eq(call(NULL), 0);
    doing = give_state;
    ck_assert_int_eq(inline_flush(&host), 0);
    ck_assert_int_eq(inline_commit(&host), 0);
    ck_assert_uint_eq(host.outputs.count, 1);
    doing = NULL;
    inline_close(&host);
}
END_TEST

/* -------------------------------------------------------------- files ---- */

static int file_fd;

static void files_setup(void)
{
    start(&plain);
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    file_fd = open("log", O_RDWR | O_CREAT, 0600);
    ck_assert_int_ge(file_fd, 0);
}

static void files_teardown(void)
{
    close(file_fd);
    unlink("log");
    unlink("new");
    unlink("old");
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(folder);
    teardown();
}

static int append_lines(weir_call *c)
{
    int other = open("/dev/null", O_WRONLY);

    ck_assert_int_eq(weir_append(c, other, "x", 1), WEIR_EINVAL);
    ck_assert_int_eq(weir_append(c, file_fd, "one ", 4), 0);
    ck_assert_int_eq(weir_append(c, file_fd, "two\n", 4), 0);
    ck_assert_int_eq(weir_append(c, dup(file_fd), "x", 1), WEIR_EINVAL);
    close(other);
    return returned ? weir_fail(c, WEIR_PERMANENT, "no") : 0;
}

static void log_is(const char *want)
{
    char got[64];
    ssize_t size = pread(file_fd, got, sizeof got, 0);

    ck_assert_int_eq(size, (ssize_t)strlen(want));
    ck_assert_mem_eq(got, want, (size_t)size);
}

START_TEST(appended_at_the_commit)
{
    returned = 0;
    ck_assert_int_eq(call(append_lines), 0);
    log_is("");
    ck_assert_int_eq(inline_commit(&host), 0);
    log_is("one two\n");
    returned = 1;
    ck_assert_int_eq(call(append_lines), WEIR_PERMANENT);
    inline_forget(&host);
    returned = 0;
    ck_assert_int_eq(call(append_lines), 0);
    ck_assert_int_eq(inline_commit(&host), 0);
    log_is("one two\none two\n");
}
END_TEST

static char from[128], to[128];

static int rename_one(weir_call *c)
{
    ck_assert_int_eq(weir_rename(c, "new", to), WEIR_EINVAL);
    ck_assert_int_eq(weir_rename(c, from, to), 0);
    return weir_emit(c, 0, "done", 4);
}

START_TEST(renamed_at_the_commit)
{
    snprintf(from, sizeof from, "%s/new", folder);
    snprintf(to, sizeof to, "%s/old", folder);
    close(open(from, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(call(rename_one), 0);
    ck_assert_int_ne(access(to, F_OK), 0);
    ck_assert_int_eq(inline_commit(&host), 0);
    ck_assert_int_eq(access(to, F_OK), 0);
    /* It is gone now: the item fails, and gives nothing. */
    ck_assert_int_eq(call(rename_one), 0);
    ck_assert_int_eq(inline_commit(&host), WEIR_PERMANENT);
    ck_assert_ptr_nonnull(strstr(host.why, "No such file"));
    ck_assert_uint_eq(host.outputs.count, 0);
}
END_TEST

/* ------------------------------------------------------------- source ---- */

static int passed_and_behind(weir_call *c)
{
    ck_assert_int_eq(weir_emit(c, 0, "passed", 6), 0);
    ck_assert_int_eq(weir_set_cursor(c, "1", 1), 0);
    ck_assert_int_eq(weir_emit(c, 0, "behind", 6), 0);
    ck_assert_int_eq(weir_pause(c, 1), WEIR_ESTATE);
    ck_assert_int_eq(weir_pass(c, 0), WEIR_ESTATE);
    return returned ? weir_fail(c, WEIR_TRANSIENT, "no") : 0;
}

START_TEST(what_the_cursor_has_passed_stays)
{
    returned = 1;
    ck_assert_int_eq(call(passed_and_behind), WEIR_TRANSIENT);
    ck_assert_uint_eq(host.outputs.count, 1);
    ck_assert_mem_eq(host.outputs.at[0].payload->data, "passed", 6);
    ck_assert_uint_eq(host.outputs.at[0].root, UINT64_C(7) << 52);
    ck_assert_uint_eq(host.cursor_size, 1);
    ck_assert(!host.cursor_set);
    returned = 0;
    ck_assert_int_eq(call(passed_and_behind), 0);
    ck_assert_uint_eq(host.outputs.count, 2);
    ck_assert_uint_eq(host.outputs.at[1].root, (UINT64_C(7) << 52) + 2);
}
END_TEST

static int cannot_read(weir_call *c)
{
    char large[65] = "";
    unsigned index, count;
    weir_bytes cursor;

    weir_share(c, &index, &count);
    ck_assert_uint_eq(index, 0);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(weir_cursor(c, &cursor), 0);
    ck_assert_int_eq(weir_set_cursor(c, large, sizeof large), WEIR_EINVAL);
    ck_assert_int_eq(weir_set_cursor(c, "2", 1), 0);
    return weir_fail(c, WEIR_PERMANENT, "unreadable");
}

START_TEST(a_failure_that_is_told)
{
    ck_assert_int_eq(call(cannot_read), WEIR_PERMANENT);
    ck_assert(host.cursor_set);
    ck_assert_uint_eq(host.outputs.count, 0);
}
END_TEST

static size_t paused_with;

static int pausing(void *arg)
{
    (void)arg;
    paused_with = host.outputs.count;
    return paused_with == 1 ? 0 : WEIR_ECANCELED;
}

static int give_and_pause(weir_call *c)
{
    ck_assert_int_eq(weir_emit(c, 0, "x", 1), 0);
    ck_assert_int_eq(weir_set_cursor(c, "1", 1), 0);
    ck_assert_int_eq(weir_pause(c, -1), WEIR_EINVAL);
    ck_assert_int_eq(weir_pause(c, 1000), 0);
    ck_assert_int_eq(weir_emit(c, 0, "x", 1), 0);
    ck_assert_int_eq(weir_set_cursor(c, "2", 1), 0);
    return weir_pause(c, 1000);
}

START_TEST(a_pause_gives_on_first)
{
    host.plan.pause = pausing;
    ck_assert_int_eq(call(give_and_pause), WEIR_TRANSIENT);
    ck_assert_uint_eq(paused_with, 2);
}
END_TEST

static int end(weir_call *c)
{
    (void)c;
    return WEIR_END;
}

START_TEST(the_end)
{
    ck_assert_int_eq(call(end), WEIR_END);
    ck_assert_int_eq(inline_commit(&host), 0);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*before)(void),
                       void (*after)(void))
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, before, after);
    suite_add_tcase(suite, tcase);
    return tcase;
}

Suite *inline_task_suite(void)
{
    Suite *suite = suite_create("inline_task");
    TCase *tcase = add_case(suite, "task", setup, teardown);

    tcase_add_test(tcase, what_failed_has_given_nothing);
    tcase_add_test(tcase, values_without_weir_fail);
    tcase_add_test(tcase, what_a_task_sees);
    tcase_add_test(tcase, a_missing_attribute_fails_for_good);
    tcase_add_test(tcase, what_a_task_gives);
    tcase_add_test(tcase, what_can_never_fit_fails_for_good);
    tcase_add_test(tcase, a_life);
    tcase = add_case(suite, "files", files_setup, files_teardown);
    tcase_add_test(tcase, appended_at_the_commit);
    tcase_add_test(tcase, renamed_at_the_commit);
    tcase = add_case(suite, "source", source_setup, teardown);
    tcase_add_test(tcase, what_the_cursor_has_passed_stays);
    tcase_add_test(tcase, a_failure_that_is_told);
    tcase_add_test(tcase, a_pause_gives_on_first);
    tcase_add_test(tcase, the_end);
    return suite;
}
