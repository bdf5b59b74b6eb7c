/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sink.c - appending to files, exactly once. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "desk.h"

static char path[64];
static int fd = -1;

static void setup(void)
{
    strcpy(path, "/tmp/weir-sink.XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
}

static void teardown(void)
{
    close(fd);
    unlink(path);
}

static int append(struct member *member, const char *text)
{
    struct iovec part = { .iov_base = (void *)text, .iov_len = strlen(text) };
    struct append append = {
        .fd = fd, .parts = &part, .part_count = 1, .size = part.iov_len
    };

    return turn_commit(member, &append, NULL);
}

static void file_is(const char *text)
{
    CLEANUP_BUF struct buf got = { 0 };

    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(fd_slurp(fd, &got, 1 << 20), 0);
    ck_assert_uint_eq(got.size, strlen(text));
    ck_assert_mem_eq(got.data ? got.data : "", text, got.size);
}

START_TEST(in_turn)
{
    struct desk desk = desk_open(1, 8, 4096);

    ck_assert_int_eq(write(fd, "old\n", 4), 4);
    ck_assert_int_eq(append(desk.members[0], "a\n"), 0);
    ck_assert_int_eq(append(desk.members[1], "b\n"), 0);
    ck_assert_int_eq(append(desk.members[0], "c\n"), 0);
    ck_assert_uint_eq(sink_length(desk.segment, 0), 10);
    /* what nobody committed is cut off at the end */
    ck_assert_int_eq(pwrite(fd, "torn", 4, 10), 4);
    ck_assert_int_eq(sinks_finish(desk.segment, 0, NULL), 0);
    file_is("old\na\nb\nc\n");
    desk_close(&desk);
}
END_TEST

START_TEST(many_parts)
{
    struct desk desk = desk_open(1, 8, 4096);
    struct iovec parts[200];
    struct append append = { .fd = fd, .parts = parts, .part_count = 200 };
    static const char *const beginnings[] = { "", "x", "xy" };
    char want[401];

    for (unsigned i = 0; i < 200; i++) {
        parts[i] = (struct iovec){ .iov_base = (void *)beginnings[i % 3],
                                   .iov_len = i % 3 };
        append.size += i % 3;
    }
    ck_assert_int_eq(turn_commit(desk.members[0], &append, NULL), 0);
    want[0] = '\0';
    for (unsigned i = 0; i < 200; i++)
        strcat(want, beginnings[i % 3]);
    file_is(want);
    desk_close(&desk);
}
END_TEST

START_TEST(no_space)
{
    struct desk desk = desk_open(1, 8, 4096);
    struct rlimit limit = { 4, 4 };

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(append(desk.members[0], "abcd"), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), 0);
    ck_assert_int_eq(append(desk.members[0], "e"), -EFBIG);
    /* nothing has happened; the lock is free */
    ck_assert_uint_eq(desk_state(&desk, 0).staged, 1);
    ck_assert_int_eq(append(desk.members[1], "f"), -EFBIG);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    file_is("abcd");
    desk_take(desk.members[1], 0, "x");
    desk_close(&desk);
}
END_TEST

START_TEST(refused)
{
    struct desk desk = desk_open(1, 8, 4096);
    unsigned sink, other;
    int pipes[2], third;
    char name[] = "/tmp/weir-sink3.XXXXXX";
    weir_error err;

    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_int_eq(sink_register(desk.segment, 0, pipes[1], &sink, &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(sink_register(desk.segment, 0, fd, &sink, &err), 0);
    ck_assert_int_eq(sink_register(desk.segment, 0, fd, &other, &err), 0);
    ck_assert_uint_eq(sink, other);
    ck_assert_int_eq(sink_register(desk.segment, 1, fd, &other, &err), 0);
    ck_assert_uint_ne(sink, other);
    third = mkstemp(name);
    ck_assert_int_eq(sink_register(desk.segment, 0, third, &other, &err),
                     WEIR_EFULL);
    unlink(name);
    close(third);
    desk_close(&desk);
}
END_TEST

START_TEST(replaced)
{
    struct desk desk = desk_open(1, 8, 4096);
    weir_error err;
    int other;

    ck_assert_int_eq(append(desk.members[0], "a"), 0);
    unlink(path);
    ck_assert_int_eq(sinks_finish(desk.segment, 0, &err), -ENOENT);
    other = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_eq(sinks_finish(desk.segment, 0, &err), WEIR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "replaced"));
    close(other);
    desk_close(&desk);
}
END_TEST

/* An entry of a dead one; the file has 4 bytes. */
START_TEST(left_behind)
{
    static const struct {
        uint64_t length, intent;
        int code;
        const char *text;
    } cases[] = {
        { 2, 4, 0, "ab" },             /* what it wrote, whole */
        { 2, 9, 0, "ab" },             /* a part of it */
        { 2, 3, WEIR_EINVAL, "abcd" }, /* and more by others */
        { 2, 2, 0, "abcd" },           /* by others, all */
        { 2, 0, 0, "abcd" },           /* the same */
        { 4, 9, 0, "abcd" },           /* it wrote nothing yet */
        { 9, 12, 0, "abcd" },
        { 9, 9, 0, "abcd" }, /* made shorter */
    };
    struct desk desk = desk_open(1, 8, 4096);
    weir_error err;
    unsigned sink;

    ck_assert_int_eq(write(fd, "abcd", 4), 4);
    ck_assert_int_eq(sink_register(desk.segment, 0, fd, &sink, &err), 0);
    atomic_store(&desk.segment->sinks[sink].length, cases[_i].length);
    atomic_store(&desk.segment->sinks[sink].intent, cases[_i].intent);
    ck_assert_int_eq(sink_open(desk.segment, fd, &sink, &err), cases[_i].code);
    file_is(cases[_i].text);
    if (cases[_i].code == 0)
        ck_assert_uint_eq(sink_length(desk.segment, sink),
                          strlen(cases[_i].text));
    desk_close(&desk);
}
END_TEST

/* Its inode, but not it. */
START_TEST(born_later)
{
    struct desk desk = desk_open(1, 8, 4096);
    unsigned sink, other;

    ck_assert_int_eq(sink_register(desk.segment, 0, fd, &sink, NULL), 0);
    if (desk.segment->sinks[sink].born != 0) {
        desk.segment->sinks[sink].born++;
        ck_assert_int_eq(sink_register(desk.segment, 0, fd, &other, NULL), 0);
        ck_assert_uint_ne(sink, other);
    }
    desk.segment->sinks[sink].born = 0; /* as far as is known, it is */
    ck_assert_int_eq(sink_register(desk.segment, 0, fd, &other, NULL), 0);
    ck_assert_uint_eq(sink, other);
    desk_close(&desk);
}
END_TEST

Suite *sink_suite(void)
{
    Suite *suite = suite_create("sink");
    TCase *test = tcase_create("sink");

    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_test(test, in_turn);
    tcase_add_test(test, many_parts);
    tcase_add_test(test, no_space);
    tcase_add_test(test, refused);
    tcase_add_test(test, replaced);
    tcase_add_loop_test(test, left_behind, 0, 8);
    tcase_add_test(test, born_later);
    suite_add_tcase(suite, test);
    return suite;
}
