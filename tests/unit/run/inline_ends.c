/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inline_ends.c - standard input and output of a job in this process. */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "run/inline_ends.h"
#include "suites.h"

/* A pipe that has these bytes, and ends behind them. A longer text than a pipe
 * takes goes through a file. */
static int input_of(const char *data, size_t size)
{
    char name[] = "/tmp/weir-inline-XXXXXX";
    int fd = mkstemp(name);

    ck_assert_int_ge(fd, 0);
    unlink(name);
    ck_assert_int_eq(fd_write_all(fd, data, size), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* All items, each in brackets. */
static void reads(enum stdin_as as, const char *text, const char *want)
{
    struct inline_input input = { .fd = input_of(text, strlen(text)),
                                  .as = as };
    CLEANUP_BUF struct buf got = { 0 };
    struct inline_item item;
    uint64_t ordinal = 0;
    int code;

    while ((code = inline_input_next(&input, &item, NULL)) == 1) {
        ck_assert_uint_eq(item.root, UINT64_C(0xfff) << 52 | ordinal++);
        buf_char(&got, '[');
        buf_add(&got, item.payload->data, item.payload->size);
        buf_char(&got, ']');
        inline_item_done(&item);
    }
    ck_assert_int_eq(code, 0);
    ck_assert_int_eq(inline_input_next(&input, &item, NULL), 0);
    buf_char(&got, '\0');
    ck_assert_str_eq(got.data, want);
    close(input.fd);
    inline_input_done(&input);
}

START_TEST(lines)
{
    reads(STDIN_LINES, "", "");
    reads(STDIN_LINES, "a\nbc\n", "[a][bc]");
    reads(STDIN_LINES, "a\n\nb", "[a][][b]");
    reads(STDIN_LINES, "\n", "[]");
}
END_TEST

START_TEST(whole)
{
    reads(STDIN_WHOLE, "", "[]");
    reads(STDIN_WHOLE, "a\nb\n", "[a\nb\n]");
}
END_TEST

START_TEST(blocks)
{
    enum { MIB = 1 << 20 };
    static char text[3 * MIB];
    struct inline_input input = { .as = STDIN_BLOCKS };
    struct inline_item item;
    size_t at = 0;

    reads(STDIN_BLOCKS, "", "");
    reads(STDIN_BLOCKS, "a\nb\n", "[a\nb\n]");
    /* Lines of 100 bytes, then one that is longer than a block. */
    memset(text, 'x', sizeof text);
    for (size_t i = 99; i < MIB + MIB / 2; i += 100)
        text[i] = '\n';
    input.fd = input_of(text, sizeof text);
    while (inline_input_next(&input, &item, NULL) == 1) {
        ck_assert_uint_le(item.payload->size, MIB);
        ck_assert_mem_eq(item.payload->data, text + at, item.payload->size);
        at += item.payload->size;
        if (at < MIB)
            ck_assert_int_eq(text[at - 1], '\n');
        inline_item_done(&item);
    }
    ck_assert_uint_eq(at, sizeof text);
    close(input.fd);
    inline_input_done(&input);
}
END_TEST

START_TEST(a_bad_descriptor_is_told)
{
    struct inline_input input = { .fd = -1 };
    struct inline_item item;
    weir_error err = { 0 };

    ck_assert_int_eq(inline_input_next(&input, &item, &err), -EBADF);
    ck_assert_ptr_nonnull(strstr(err.text, "standard input"));
    inline_input_done(&input);
}
END_TEST

static void writes(enum frame frame, const char *text, size_t size,
                   const char *want, size_t want_size)
{
    struct payload *payload = payload_new(text, size);
    char got[64];
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(inline_output(ends[1], frame, payload), 0);
    close(ends[1]);
    ck_assert_int_eq(fd_read_all(ends[0], got, sizeof got), (ssize_t)want_size);
    ck_assert_mem_eq(got, want, want_size);
    close(ends[0]);
    payload_unref(&payload);
}

START_TEST(frames)
{
    writes(FRAME_LINE, "a", 1, "a\n", 2);
    writes(FRAME_LINE, "a\n", 2, "a\n", 2);
    writes(FRAME_LINE, "", 0, "\n", 1);
    writes(FRAME_NUL, "a\n", 2, "a\n\0", 3);
    writes(FRAME_RAW, "a", 1, "a", 1);
    writes(FRAME_RAW, "", 0, "", 0);
}
END_TEST

Suite *inline_ends_suite(void)
{
    Suite *suite = suite_create("inline_ends");
    TCase *tcase = tcase_create("ends");

    tcase_add_test(tcase, lines);
    tcase_add_test(tcase, whole);
    tcase_add_test(tcase, blocks);
    tcase_add_test(tcase, a_bad_descriptor_is_told);
    tcase_add_test(tcase, frames);
    suite_add_tcase(suite, tcase);
    return suite;
}
