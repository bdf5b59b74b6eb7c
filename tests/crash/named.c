/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * named.c - named queues, whose members have nobody but each other: one dies at
 * each named step of a put or a get, and who recovers it dies at each step of
 * that; then a third one comes and finds the queue as it was before or after
 * the call.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/queue.h>

#include "base/base.h"
#include "lib/suites.h"
#include "pool/queue_named.h"

enum { POINTS_MOST = 256, CAPACITY = 4 };

static char folder[64], trace_path[96];

static void setup(void)
{
    children_setup();
    snprintf(folder, sizeof folder, "/dev/shm/weir-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("WEIR_QUEUE_DIR", folder, 1);
    snprintf(trace_path, sizeof trace_path, "/tmp/%s", strrchr(folder, '/'));
}

static int remove_one(const char *name, void *arg)
{
    (void)arg;
    weir_queue_unlink(name, NULL);
    return 0;
}

static void teardown(void)
{
    weir_queue_names(remove_one, NULL, NULL);
    rmdir(folder);
    unlink(trace_path);
    children_teardown();
}

static weir_queue *open_it(void)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue = NULL;
    weir_error err = { 0 };

    options.capacity = CAPACITY;
    options.members = 3;
    options.bytes = 16 << 10;
    ck_assert_msg(weir_queue_open_named("q", &options, WEIR_QUEUE_CREATE,
                                        &queue, &err) == 0,
                  "%s", err.text);
    return queue;
}

/* -------------------------------------------------------- what is done ---- */

enum act { PUT_SMALL, PUT_LARGE, GET, GET_LARGE, ACTS };

/* Items: 'a' and 'b' are there, 'c' is put. */
static size_t size_of(enum act act)
{
    return act == PUT_LARGE || act == GET_LARGE ? 3000 : 8;
}

static int do_put(weir_queue *queue, enum act act, char letter)
{
    char data[3000];

    memset(data, letter, sizeof data);
    return weir_queue_put(queue, data, size_of(act), 0);
}

static void perform(enum act act)
{
    weir_queue *queue = open_it();
    char data[3000];
    size_t size;
    int code = act <= PUT_LARGE
                   ? do_put(queue, act, 'c')
                   : weir_queue_get(queue, data, sizeof data, &size, 0);

    if (code != 0)
        _exit(2);
    weir_queue_free(&queue);
    _exit(0);
}

/* What one does who comes after a death: opens, which recovers. */
static void visit(void)
{
    weir_queue *queue = open_it();

    weir_queue_free(&queue);
    _exit(0);
}

/* ---------------------------------------------------------------- dying ----
 */

struct points {
    char at[POINTS_MOST][64];
    unsigned count;
};

/* A child that passes this point for the nth time; NULL: it notes which points
 * there are. True: it was killed there. */
static bool in_child(void (*act)(enum act), enum act what, const char *point,
                     unsigned nth)
{
    char spec[128] = "";
    int status;
    pid_t pid;

    if (point != NULL)
        snprintf(spec, sizeof spec, "%s:%u:kill", point, nth);
    pid = fork();
    if (pid == 0) {
        if (point == NULL)
            setenv("WEIR_FAULT_TRACE", trace_path, 1);
        fault_start(spec, -1);
        act(what);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0 ||
                      (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL),
                  "at %s:%u: status 0x%x", point, nth, status);
    return status != 0;
}

static void visit_any(enum act act)
{
    (void)act;
    visit();
}

static void read_points(struct points *points)
{
    FILE *file = fopen(trace_path, "r");
    char line[64];

    points->count = 0;
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL &&
           points->count < POINTS_MOST) {
        line[strcspn(line, "\n")] = '\0';
        strcpy(points->at[points->count++], line);
    }
    fclose(file);
    unlink(trace_path);
    ck_assert_uint_gt(points->count, 0);
}

/* A new queue with two items. */
static void prepare(enum act act)
{
    weir_queue *queue;

    weir_queue_unlink("q", NULL);
    queue = open_it();
    ck_assert_int_eq(do_put(queue, act, 'a'), 0);
    ck_assert_int_eq(do_put(queue, act, 'b'), 0);
    weir_queue_free(&queue);
}

/* ------------------------------------------------------------ afterwards ----
 */

static void drain(weir_queue *queue, enum act act, char *letters)
{
    char data[3000];
    size_t size, count = 0;

    while (weir_queue_get(queue, data, sizeof data, &size, 0) == 0) {
        ck_assert_uint_eq(size, size_of(act));
        for (size_t i = 1; i < size; i++)
            ck_assert_int_eq(data[i], data[0]);
        ck_assert_uint_lt(count, CAPACITY);
        letters[count++] = data[0];
    }
    letters[count] = '\0';
}

/* As before or after the call; whole; and nothing of the dead is left. */
static void check(enum act act, bool killed, const char *where)
{
    const char *after = act <= PUT_LARGE ? "abc" : "b";
    char letters[CAPACITY + 1];
    uint64_t chunks, touched;
    weir_queue *queue = open_it();
    weir_queue_state state;

    ck_assert_int_eq(weir_queue_snapshot(queue, &state), 0);
    ck_assert_msg(state.leased == 0 && state.staged == 0,
                  "%s: %u leased, %u staged", where, state.leased,
                  state.staged);
    ck_assert_int_eq(weir_queue_members(queue, NULL, 0), 0);
    drain(queue, act, letters);
    ck_assert_msg(strcmp(letters, after) == 0 ||
                      (killed && strcmp(letters, "ab") == 0),
                  "%s: '%s' is in the queue", where, letters);
    ck_assert_int_eq(segment_store_used(queue_segment(queue), &chunks,
                                        &touched),
                     0);
    ck_assert_msg(chunks == 0, "%s: %d chunks are left", where, (int)chunks);
    for (int i = 0; i < CAPACITY; i++)
        ck_assert_int_eq(do_put(queue, act, 'd'), 0);
    ck_assert_int_eq(do_put(queue, act, 'd'), WEIR_EFULL);
    weir_queue_free(&queue);
}

/* --------------------------------------------------------------- tests ---- */

static bool is_long(void)
{
    return getenv("WEIR_LONG") != NULL;
}

static void learn(enum act act, struct points *points)
{
    prepare(act);
    in_child(perform, act, NULL, 0);
    read_points(points);
}

/* At each step, the first and second time it is passed. */
START_TEST(at_each_step)
{
    enum act act = (enum act)_i;
    struct points points;
    unsigned kills = 0;

    learn(act, &points);
    for (unsigned i = 0; i < points.count; i++) {
        /* locks are taken when it is opened, too */
        unsigned most = strncmp(points.at[i], "lock.", 5) == 0 ? 8 : 2;

        for (unsigned nth = 1; nth <= most * (is_long() ? 3 : 1); nth++) {
            bool killed;

            prepare(act);
            killed = in_child(perform, act, points.at[i], nth);
            kills += killed;
            check(act, killed, points.at[i]);
        }
    }
    printf("# %u points, %u kills\n", points.count, kills);
    ck_assert_uint_ge(kills, points.count / 2);
}
END_TEST

/* And who recovers dies, at each step of that. */
START_TEST(in_recovery)
{
    enum act act = (enum act)_i;
    struct points points, steps;
    unsigned kills = 0, round = 0;

    learn(act, &points);
    for (unsigned i = 0; i < points.count; i++) {
        prepare(act);
        if (!in_child(perform, act, points.at[i], 1))
            continue;
        in_child(visit_any, act, NULL, 0);
        read_points(&steps);
        for (unsigned k = 0; k < steps.count; k++) {
            if (!is_long() && ++round % 13 != 0)
                continue;
            prepare(act);
            in_child(perform, act, points.at[i], 1);
            kills += in_child(visit_any, act, steps.at[k], 1);
            check(act, true, steps.at[k]);
        }
    }
    printf("# %u kills of who recovered\n", kills);
    ck_assert_uint_gt(kills, 5);
}
END_TEST

Suite *named_suite(void);
Suite *named_suite(void)
{
    Suite *suite = suite_create("named");
    TCase *tcase = tcase_create("points");

    tcase_set_timeout(tcase, is_long() ? 1800 : 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, at_each_step, 0, ACTS);
    tcase_add_loop_test(tcase, in_recovery, 0, ACTS);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    static Suite *(*const suites[])(void) = { named_suite, NULL };

    return suites_main(suites);
}
