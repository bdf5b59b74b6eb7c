/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fault.c - core/base/fault.c: points that kill, stop and leave a trace. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"

static char path[64];

static void setup(void)
{
    children_setup();
    unsetenv("WEIR_FAULT");
    unsetenv("WEIR_FAULT_TRACE");
    unsetenv("WEIR_MUTANT");
    snprintf(path, sizeof path, "/tmp/weir-fault.%d", (int)getpid());
    unlink(path);
}

static void teardown(void)
{
    unlink(path);
    children_teardown();
}

/* A child passes a, b, a, b, a; its status. */
static int pass(const char *spec, int member)
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        fault_start(spec, member);
        for (int i = 0; i < 5; i++) {
            errno = 42;
            WEIR_POINT(i % 2 == 0 ? "a" : "b");
            if (errno != 42)
                _exit(99);
            if (i == 4)
                _exit(0);
        }
    }
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return status;
}

static const struct {
    const char *spec;
    int member;
    int signal; /* 0: it ends well */
} specs[] = {
    { "", -1, 0 },
    { "a:1:kill", -1, SIGKILL },
    { "a:3:kill", -1, SIGKILL },
    { "a:4:kill", -1, 0 },
    { "b:2:abort", -1, SIGABRT },
    { "c:1:kill", -1, 0 },
    { "a:1:kill:2", -1, 0 },
    { "a:1:kill:2", 2, SIGKILL },
    { "a:1:kill", 2, SIGKILL },
    { "c:1:kill,b:1:abort", -1, SIGABRT },
    { "b:1:abort,a:1:kill:7", -1, SIGABRT },
};

START_TEST(orders)
{
    int status = pass(specs[_i].spec, specs[_i].member);

    if (specs[_i].signal == 0) {
        ck_assert_int_eq(status, 0);
        return;
    }
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), specs[_i].signal);
}
END_TEST

START_TEST(stops)
{
    int status = pass("b:1:stop", -1);

    ck_assert(WIFSTOPPED(status));
}
END_TEST

START_TEST(from_the_environment)
{
    setenv("WEIR_FAULT", "b:1:kill", 1);
    ck_assert(WIFSIGNALED(pass(NULL, -1)));
    ck_assert_int_eq(pass("", -1), 0); /* given here: not from there */
}
END_TEST

START_TEST(before_the_start)
{
    WEIR_POINT("a");
    ck_assert(!WEIR_MUTATED("m"));
}
END_TEST

static const char *const nonsense[] = {
    "a",        "a:1",       "a:0:kill",     "a:-1:kill",
    "a:x:kill", "a:1:die",   ":1:kill",      "a:1:kill:x",
    "a:1kill",  "a:1:kill,", "a:1:kill:1:2", "a:99999999999999999999:kill",
};

/* Said, and not taken for another. */
START_TEST(not_understood)
{
    char text[256] = "";
    int fds[2], kept = dup(STDERR_FILENO);

    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    fault_start(nonsense[_i], 1);
    ck_assert_int_eq(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    ck_assert_int_gt(read(fds[0], text, sizeof text - 1), 0);
    ck_assert_ptr_nonnull(strstr(text, "fault: cannot be understood: "));
}
END_TEST

START_TEST(too_much)
{
    char spec[2048] = "";
    char text[4096] = "";
    int fds[2], kept = dup(STDERR_FILENO);

    for (int i = 0; i < 17; i++)
        strcat(spec, i == 0 ? "a:9:kill" : ",a:9:kill");
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    fault_start(spec, -1);
    memset(spec, 'x', sizeof spec - 1);
    spec[sizeof spec - 1] = '\0';
    fault_start(spec, -1);
    ck_assert_int_eq(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    ck_assert_int_gt(read(fds[0], text, sizeof text - 1), 0);
    ck_assert_ptr_nonnull(strstr(text, "understood: a:9:kill\n"));
    ck_assert_ptr_nonnull(strstr(text, "understood: xxx"));
}
END_TEST

START_TEST(traced)
{
    char text[256] = "", name[200];
    int fd;

    setenv("WEIR_FAULT_TRACE", path, 1);
    ck_assert_int_eq(pass("", -1), 0);
    ck_assert(WIFSIGNALED(pass("b:1:kill", -1)));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(fd_read_all(fd, text, sizeof text - 1), 0);
    ck_assert_str_eq(text, "a\nb\na\nb\n"); /* once for each process */
    close(fd);
    fault_start("", -1);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    WEIR_POINT(name); /* too long for a line */
    setenv("WEIR_FAULT_TRACE", "/nowhere/at/all", 1);
    fault_start("", -1);
    WEIR_POINT("a");
}
END_TEST

START_TEST(trace_is_bounded)
{
    static char names[1100][8];
    struct buf buf = { 0 };
    int fd;

    setenv("WEIR_FAULT_TRACE", path, 1);
    fault_start("", -1);
    for (int i = 0; i < 1100; i++) {
        snprintf(names[i], sizeof names[i], "p%04d", i);
        WEIR_POINT(names[i]);
        WEIR_POINT(names[i]);
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fd_slurp(fd, &buf, 1 << 20), 0);
    ck_assert_uint_eq(buf.size, 1024 * 6);
    close(fd);
    buf_done(&buf);
}
END_TEST

START_TEST(mutants)
{
    setenv("WEIR_MUTANT", "no-wake", 1);
    ck_assert(!WEIR_MUTATED("no-wake"));
    fault_start("", -1);
    ck_assert(WEIR_MUTATED("no-wake"));
    ck_assert(!WEIR_MUTATED("no-wak"));
    ck_assert(!WEIR_MUTATED(""));
    unsetenv("WEIR_MUTANT");
    fault_start("", -1);
    ck_assert(!WEIR_MUTATED("no-wake"));
}
END_TEST

Suite *fault_suite(void)
{
    Suite *suite = suite_create("fault");
    TCase *tcase = tcase_create("fault");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, orders, 0, COUNT(specs));
    tcase_add_test(tcase, stops);
    tcase_add_test(tcase, from_the_environment);
    tcase_add_test(tcase, before_the_start);
    tcase_add_loop_test(tcase, not_understood, 0, COUNT(nonsense));
    tcase_add_test(tcase, too_much);
    tcase_add_test(tcase, traced);
    tcase_add_test(tcase, trace_is_bounded);
    tcase_add_test(tcase, mutants);
    suite_add_tcase(suite, tcase);
    return suite;
}
