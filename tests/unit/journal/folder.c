/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folder.c - tests of core/journal/folder.c: where runs are, how they are
 * called and found, and who has one. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/journal.h"
#include "suites.h"

static weir_error err;

static void base_is(const char *given, const char *want)
{
    CLEANUP_FREE char *base = folder_base(given, &err);

    ck_assert_ptr_nonnull(base);
    ck_assert_str_eq(base, want);
}

START_TEST(where_runs_are)
{
    char here[4096];

    ck_assert_int_eq(chdir(scratch), 0);
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    setenv("HOME", "/home/of", 1);
    setenv("XDG_STATE_HOME", "/state", 1);
    base_is("/a/b", "/a/b");
    strcat(here, "/a");
    base_is("a", here);
    base_is(NULL, "/state/weir/runs");
    base_is("", "/state/weir/runs");
    setenv("XDG_STATE_HOME", "relative", 1);
    base_is(NULL, "/home/of/.local/state/weir/runs");
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    ck_assert_ptr_null(folder_base(NULL, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "--journal=DIR"));
}
END_TEST

static void make(struct run_folder *folder, const char *job)
{
    ck_assert_int_eq(folder_make(in_scratch("a/b/runs"), job, folder, &err), 0);
}

START_TEST(a_new_one)
{
    struct run_folder folder;
    struct stat st;

    make(&folder, "top-words");
    ck_assert_ptr_nonnull(folder.path);
    ck_assert_int_eq(strncmp(folder.name, "top-words-2", 11), 0);
    ck_assert_uint_eq(strlen(folder.name), strlen("top-words-20261127-0038-3f9"
                                                  "a"));
    ck_assert_int_eq(stat(folder.path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    ck_assert_int_ge(folder.lock, 0);
    folder_done(&folder);
    folder_done(&folder);
    ck_assert_int_eq(folder.lock, -1);
}
END_TEST

/* Also those that begin in the same minute. */
START_TEST(each_has_a_name_of_its_own)
{
    struct run_names names;

    for (int i = 0; i < 20; i++) {
        struct run_folder folder;

        make(&folder, "x");
        folder_done(&folder);
    }
    ck_assert_int_eq(folder_list(in_scratch("a/b/runs"), &names, &err), 0);
    ck_assert_uint_eq(names.list.count, 20);
    for (size_t i = 1; i < names.list.count; i++)
        ck_assert_int_ge(names.list.at[i - 1].started_ns,
                         names.list.at[i].started_ns);
    run_names_done(&names);
}
END_TEST

START_TEST(a_folder_that_cannot_be)
{
    struct run_folder folder;

    write_file(in_scratch("file"), "");
    ck_assert_int_lt(folder_make(in_scratch("file/runs"), "x", &folder, &err),
                     0);
    ck_assert_ptr_nonnull(strstr(err.text, "file/runs"));
    folder_done(&folder);
}
END_TEST

/* The lock is the open file's: a child that has it keeps it. */
START_TEST(one_has_it)
{
    struct run_folder folder, other;
    char *holder = NULL;
    int gate[2], status;
    pid_t child;
    char byte;

    make(&folder, "x");
    ck_assert_int_eq(folder_find(NULL, folder.path, &other, &err), 0);
    ck_assert_str_eq(other.name, folder.name);
    ck_assert_int_eq(folder_lock(&other, &err), -EBUSY);
    ck_assert_ptr_nonnull(strstr(err.text, "is under way: process "));
    ck_assert_int_eq(pipe(gate), 0);
    child = fork();
    if (child == 0) {
        close(gate[1]);
        _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(gate[0]);
    fd_close(&folder.lock);
    ck_assert(folder_is_held(&other, &holder));
    ck_assert_ptr_nonnull(strstr(holder, "since 2"));
    free(holder);
    close(gate[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(!folder_is_held(&other, &holder));
    ck_assert_ptr_null(holder);
    ck_assert_int_eq(folder_lock(&other, &err), 0);
    folder_done(&folder);
    folder_done(&other);
}
END_TEST

/* The runner is dead and gone; one of its processes has the lock until @held,
 * a pipe, is closed. Its folder's path. */
static char *leave_one_behind(const int *held)
{
    static char path[4096];
    struct run_folder folder;
    int said[2], status;
    pid_t runner;

    ck_assert_int_eq(pipe(said), 0);
    runner = fork();
    if (runner == 0) {
        if (folder_make(in_scratch("a/b/runs"), "x", &folder, &err) < 0)
            _exit(1);
        if (fork() == 0) {
            char byte;

            close(held[1]);
            _exit(read(held[0], &byte, 1) == 0 ? 0 : 1);
        }
        _exit(write(said[1], folder.path, strlen(folder.path) + 1) > 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(runner, &status, 0), runner);
    ck_assert_int_eq(status, 0);
    ck_assert_int_gt(read(said[0], path, sizeof path), 0);
    close(said[0]);
    close(said[1]);
    return path;
}

/* Of a run that was killed the last process may end a little later: so who is
 * in the way is looked up, and then waited for. */
START_TEST(those_who_end_are_waited_for)
{
    CLEANUP_FREE char *holder = NULL;
    struct run_folder folder;
    char *path, event[4096];
    int held[2], status, looks;
    pid_t child;

    ck_assert_int_eq(pipe(held), 0);
    path = leave_one_behind(held);
    ck_assert_int_eq(folder_find(NULL, path, &folder, &err), 0);
    ck_assert(folder_is_held(&folder, NULL));
    holder = folder_file(&folder, JOURNAL_HOLDER);
    looks = inotify_init1(IN_CLOEXEC);
    ck_assert_int_ge(inotify_add_watch(looks, holder, IN_ACCESS), 0);
    child = fork();
    if (child == 0) {
        close(held[1]);
        _exit(folder_lock(&folder, &err) == 0 ? 0 : 1);
    }
    ck_assert_int_gt(read(looks, event, sizeof event), 0);
    close(held[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    close(looks);
    close(held[0]);
    folder_done(&folder);
}
END_TEST

static void named(const char *name, int64_t started_s)
{
    const struct timespec times[2] = { { started_s, 0 }, { started_s, 0 } };
    CLEANUP_FREE char *holder = NULL;
    struct run_folder folder = { .path = (char *)in_scratch(name) };

    ck_assert_int_eq(mkdir(folder.path, 0700), 0);
    holder = folder_file(&folder, JOURNAL_HOLDER);
    write_file(holder, "process 1 on x\n");
    ck_assert_int_eq(utimensat(AT_FDCWD, holder, times, 0), 0);
}

static const struct {
    const char *name, *found; /* NULL: none, and then said: */
    const char *said;
} finds[] = {
    { "last", "words-3", NULL },
    { "words-1", "words-1", NULL },
    { "words-12", "words-12", NULL },
    { "wo", NULL, "several runs begin with 'wo'" },
    { "tr", "tree-1", NULL },
    { "tree-1", "tree-1", NULL },
    { "words-4", NULL, "did you mean" },
    { "quite another", NULL, "no run 'quite another'" },
    { "", NULL, "a run has a name" },
    { "no/where", NULL, "no run 'no/where'" },
};

START_TEST(one_is_found)
{
    struct run_folder folder;
    int code;

    named("words-1", 100);
    named("words-12", 200);
    named("tree-1", 300);
    named("words-3", 400); /* begun, or resumed, last */
    ck_assert_int_eq(mkdir(in_scratch("no-run"), 0700), 0);
    write_file(in_scratch("file"), "");
    code = folder_find(scratch, finds[_i].name, &folder, &err);
    if (finds[_i].found != NULL) {
        ck_assert_int_eq(code, 0);
        ck_assert_str_eq(folder.name, finds[_i].found);
        ck_assert_int_eq(folder.lock, -1);
    } else {
        ck_assert_int_lt(code, 0);
        ck_assert_ptr_nonnull(strstr(err.text, finds[_i].said));
    }
    folder_done(&folder);
}
END_TEST

/* A link that leads nowhere, or to itself, is no run, and hides none. */
START_TEST(others_beside_them)
{
    struct run_names names;
    struct run_folder folder;

    make(&folder, "x");
    folder_done(&folder);
    ck_assert_int_eq(symlink("loop", in_scratch("a/b/runs/loop")), 0);
    ck_assert_int_eq(symlink("nowhere", in_scratch("a/b/runs/dangling")), 0);
    write_file(in_scratch("a/b/runs/file"), "");
    ck_assert_int_eq(folder_list(in_scratch("a/b/runs"), &names, &err), 0);
    ck_assert_uint_eq(names.list.count, 1);
    run_names_done(&names);
}
END_TEST

START_TEST(none_are_listed_where_none_are)
{
    struct run_names names;

    ck_assert_int_eq(folder_list(in_scratch("none"), &names, &err), 0);
    ck_assert_uint_eq(names.list.count, 0);
    run_names_done(&names);
    write_file(in_scratch("file"), "");
    ck_assert_int_eq(folder_list(in_scratch("file"), &names, &err), -ENOTDIR);
}
END_TEST

START_TEST(what_never_began_goes)
{
    CLEANUP_FREE char *store = NULL;
    struct run_folder folder;

    make(&folder, "x");
    store = folder_file(&folder, JOURNAL_DB);
    write_file(store, "");
    folder_discard(&folder); /* it has a store */
    ck_assert_int_eq(access(folder.path, F_OK), 0);
    ck_assert_int_eq(unlink(store), 0);
    folder_discard(&folder);
    ck_assert_int_lt(access(folder.path, F_OK), 0);
    folder_done(&folder);
}
END_TEST

Suite *folder_suite(void)
{
    Suite *suite = suite_create("folder");
    TCase *tcase = tcase_create("folder");

    tcase_add_checked_fixture(tcase, scratch_make, scratch_remove);
    tcase_add_test(tcase, where_runs_are);
    tcase_add_test(tcase, a_new_one);
    tcase_add_test(tcase, each_has_a_name_of_its_own);
    tcase_add_test(tcase, a_folder_that_cannot_be);
    tcase_add_test(tcase, one_has_it);
    tcase_add_test(tcase, those_who_end_are_waited_for);
    tcase_add_loop_test(tcase, one_is_found, 0, sizeof finds / sizeof *finds);
    tcase_add_test(tcase, others_beside_them);
    tcase_add_test(tcase, none_are_listed_where_none_are);
    tcase_add_test(tcase, what_never_began_goes);
    suite_add_tcase(suite, tcase);
    return suite;
}
