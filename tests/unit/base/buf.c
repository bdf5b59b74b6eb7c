/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buf.c - core/base/buf.c: growing bytes; messages and their reader. */
#include "config.h"

#include "base.h"

static struct buf buf;

static void teardown(void)
{
    fail_from(0);
    buf_done(&buf);
}

START_TEST(grows)
{
    ck_assert_int_eq(buf_text(&buf, ""), 0);
    ck_assert_str_eq(buf.data, "");
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(buf_char(&buf, (char)('a' + i % 26)), 0);
        ck_assert_uint_eq(buf.size, (size_t)i + 1);
        ck_assert_int_eq(buf.data[buf.size], '\0');
    }
    ck_assert_int_eq(buf.data[999], 'a' + 999 % 26);
    ck_assert_int_eq(buf_add(&buf, NULL, 0), 0);
    ck_assert_uint_eq(buf.size, 1000);
    buf_done(&buf);
    ck_assert_ptr_null(buf.data);
    buf_done(&buf);
}
END_TEST

START_TEST(prints)
{
    char wide[300];

    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    ck_assert_int_eq(buf_printf(&buf, "%d-%s", 7, "x"), 0);
    ck_assert_str_eq(buf.data, "7-x");
    ck_assert_int_eq(buf_printf(&buf, "%s", wide), 0);
    ck_assert_uint_eq(buf.size, 3 + 299);
    ck_assert_str_eq(buf.data + 3, wide);
    ck_assert_int_eq(buf_printf(&buf, "%s", ""), 0);
    ck_assert_uint_eq(buf.size, 3 + 299);
}
END_TEST

START_TEST(shortens)
{
    buf_cut(&buf, 0);
    buf_drop(&buf, 3);
    ck_assert_int_eq(buf_text(&buf, "abcdef"), 0);
    buf_cut(&buf, 10);
    ck_assert_str_eq(buf.data, "abcdef");
    buf_cut(&buf, 4);
    ck_assert_str_eq(buf.data, "abcd");
    buf_drop(&buf, 1);
    ck_assert_str_eq(buf.data, "bcd");
    buf_drop(&buf, 0);
    ck_assert_uint_eq(buf.size, 3);
    buf_drop(&buf, 99);
    ck_assert_uint_eq(buf.size, 0);
    ck_assert_str_eq(buf.data, "");
}
END_TEST

/* Once failed it stays so, and what was there stays. */
START_TEST(no_memory)
{
    int code;

    ck_assert_int_eq(buf_text(&buf, "kept"), 0);
    code = FAILING(1, buf_text(&buf, "short")); /* there is room */
    ck_assert_int_eq(code, 0);
    code = FAILING(1, buf_reserve(&buf, 100));
    ck_assert_int_eq(code, WEIR_ENOMEM);
    ck_assert(buf.failed);
    ck_assert_int_eq(buf_char(&buf, 'c'), WEIR_ENOMEM);
    ck_assert_int_eq(buf_printf(&buf, "%d", 1), WEIR_ENOMEM);
    ck_assert_int_eq(buf_u32(&buf, 1), WEIR_ENOMEM);
    ck_assert_int_eq(buf_counted(&buf, "x", 1), WEIR_ENOMEM);
    ck_assert_str_eq(buf.data, "keptshort");
    buf_done(&buf);
    ck_assert(!buf.failed);
    ck_assert_int_eq(buf_char(&buf, 'c'), 0);
}
END_TEST

START_TEST(sizes_do_not_wrap)
{
    ck_assert_int_eq(buf_text(&buf, "kept"), 0);
    ck_assert_int_eq(buf_reserve(&buf, SIZE_MAX), WEIR_ENOMEM);
    buf_done(&buf);
    ck_assert_int_eq(buf_reserve(&buf, SIZE_MAX), WEIR_ENOMEM);
    buf_done(&buf);
    ck_assert_int_eq(buf_counted(&buf, "x", SIZE_MAX - 2), WEIR_ENOMEM);
    ck_assert(buf.failed);
    buf_done(&buf);
    ck_assert_int_eq(buf_printf(&buf, "%ls", L"\x100"), WEIR_ENOMEM);
    ck_assert(buf.failed);
}
END_TEST

START_TEST(message)
{
    struct reader reader;
    const char *data;
    size_t size;

    buf_u32(&buf, 0xdeadbeef);
    buf_u64(&buf, UINT64_MAX - 1);
    buf_counted(&buf, "a\0b", 3);
    buf_counted(&buf, "text", 4);
    buf_counted(&buf, NULL, 0);
    reader = (struct reader){ .data = buf.data, .size = buf.size };
    ck_assert_uint_eq(read_u32(&reader), 0xdeadbeef);
    ck_assert_uint_eq(read_u64(&reader), UINT64_MAX - 1);
    data = read_counted(&reader, &size);
    ck_assert_uint_eq(size, 3);
    ck_assert_mem_eq(data, "a\0b", 4);
    ck_assert_str_eq(read_text(&reader), "text");
    ck_assert_str_eq(read_text(&reader), "");
    ck_assert(!reader.bad);
    ck_assert_uint_eq(reader.at, reader.size);
    ck_assert_uint_eq(read_u32(&reader), 0);
    ck_assert(reader.bad);
}
END_TEST

/* Cut anywhere, it is bad and gives nothing more. */
START_TEST(cut_message)
{
    buf_u32(&buf, 1);
    buf_counted(&buf, "text", 4);
    buf_u64(&buf, 2);
    for (size_t cut = 0; cut < buf.size; cut++) {
        struct reader reader = { .data = buf.data, .size = cut };

        read_u32(&reader);
        read_text(&reader);
        read_u64(&reader);
        ck_assert(reader.bad);
        ck_assert_str_eq(read_text(&reader), "");
        ck_assert_uint_eq(read_u64(&reader), 0);
    }
}
END_TEST

START_TEST(wild_message)
{
    static const uint64_t counts[] = { 5, 1000, INT64_MAX, UINT64_MAX - 1,
                                       UINT64_MAX };
    struct reader reader = { 0 };
    size_t size = 7;

    ck_assert_uint_eq(read_u32(&reader), 0);
    ck_assert(reader.bad);
    buf_u64(&buf, counts[_i]);
    buf_add(&buf, "abcde", 5); /* no NUL where one belongs */
    reader = (struct reader){ .data = buf.data, .size = buf.size };
    ck_assert_str_eq(read_counted(&reader, &size), "");
    ck_assert_uint_eq(size, 0);
    ck_assert(reader.bad);
    reader = (struct reader){ .data = buf.data, .size = 3, .at = 9 };
    ck_assert_uint_eq(read_u32(&reader), 0);
    ck_assert(reader.bad);
}
END_TEST

START_TEST(wrong_terminator)
{
    struct reader reader;
    size_t size;

    buf_u64(&buf, 4);
    buf_add(&buf, "abcde", 5);
    reader = (struct reader){ .data = buf.data, .size = buf.size };
    ck_assert_str_eq(read_counted(&reader, &size), "");
    ck_assert(reader.bad);
}
END_TEST

START_TEST(guards)
{
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    {
        CLEANUP_FREE char *text = strdup("freed");
        CLEANUP_BUF struct buf inner = { 0 };
        CLEANUP_FD int fd = fds[0];

        ck_assert_ptr_nonnull(text);
        ck_assert_int_eq(buf_text(&inner, "freed"), 0);
        ck_assert_int_ge(fd, 0);
    }
    ck_assert_int_eq(close(fds[0]), -1);
    ck_assert_int_eq(close(fds[1]), 0);
}
END_TEST

Suite *buf_suite(void)
{
    Suite *suite = suite_create("buf");
    TCase *tcase = tcase_create("buf");

    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, grows);
    tcase_add_test(tcase, prints);
    tcase_add_test(tcase, shortens);
    tcase_add_test(tcase, no_memory);
    tcase_add_test(tcase, sizes_do_not_wrap);
    tcase_add_test(tcase, message);
    tcase_add_test(tcase, cut_message);
    tcase_add_loop_test(tcase, wild_message, 0, 5);
    tcase_add_test(tcase, wrong_terminator);
    tcase_add_test(tcase, guards);
    suite_add_tcase(suite, tcase);
    return suite;
}
