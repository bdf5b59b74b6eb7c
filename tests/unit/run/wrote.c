/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wrote.c - tests of core/run/wrote.c: pipes, without the workers. What comes
 * of it in a run is tested by tests/cli/run-wrote.sh. */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rig.h"
#include "run/supervisor.h"

static struct run_options options;
static struct supervisor sup;
static struct wrote *wrote;
static int worker_fd; /* stderr of the worker that is none */

static void setup(void)
{
    bool own;

    options = (struct run_options){ .notes = memfd_create("notes", 0) };
    sup = (struct supervisor){ .options = &options,
                               .epoll = epoll_create1(EPOLL_CLOEXEC),
                               .wrote_epoll = -1 };
    wrote_init(&sup);
    worker_fd = wrote_open(&sup, 0, &wrote, &own);
    ck_assert(own);
}

static void teardown(void)
{
    wrote_close(&wrote);
    wrote_done(&sup);
    close(worker_fd);
    close(sup.epoll);
    close(options.notes);
    buf_done(&sup.notes);
}

static void write_text(const char *text)
{
    ssize_t size = (ssize_t)strlen(text);

    ck_assert_int_eq(write(worker_fd, text, (size_t)size), size);
}

/* All that was passed on. */
static void are(const char *want)
{
    char text[256] = "";

    ck_assert_int_ge(pread(options.notes, text, sizeof text - 1, 0), 0);
    ck_assert_str_eq(text, want);
}

START_TEST(whole_lines_are_passed_on)
{
    write_text("one\ntw");
    wrote_hear(&sup);
    are("one\n");
    write_text("o\nthree");
    wrote_hear(&sup);
    are("one\ntwo\n");
    wrote_end(&sup, wrote);
    are("one\ntwo\nthree\n");
}
END_TEST

/* Between its fork and its start a process has all descriptors of this one. */
START_TEST(who_is_forgotten_has_no_events)
{
    struct epoll_event event;
    int copy = dup(wrote->fd);

    write_text("one\n");
    ck_assert_int_eq(epoll_wait(sup.wrote_epoll, &event, 1, 0), 1);
    wrote_end(&sup, wrote);
    ck_assert_int_eq(epoll_wait(sup.wrote_epoll, &event, 1, 0), 0);
    write_text("two\n");
    wrote_close(&wrote);
    ck_assert_int_eq(epoll_wait(sup.wrote_epoll, &event, 1, 0), 0);
    are("one\n");
    close(copy);
}
END_TEST

/* Also where another has read what there was. */
START_TEST(reading_never_waits)
{
    char byte;

    ck_assert_int_eq(read(wrote->fd, &byte, 1), -1);
    write_text("one\n");
    wrote_hear(&sup);
    are("one\n");
    ck_assert_int_ge(wrote->fd, 0);
}
END_TEST

Suite *wrote_suite(void)
{
    Suite *s = suite_create("wrote");
    TCase *c = tcase_create("wrote");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, whole_lines_are_passed_on);
    tcase_add_test(c, who_is_forgotten_has_no_events);
    tcase_add_test(c, reading_never_waits);
    suite_add_tcase(s, c);
    return s;
}
