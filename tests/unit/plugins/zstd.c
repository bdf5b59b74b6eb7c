/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zstd.c - the plugin zstd: there and back, and what is damaged or too large.
 */
#include "config.h"

#include <zstd.h>

#include "plugins.h"

static struct fake *new_task(const char *task, const char *a)
{
    struct fake *fake = fake_new(&zstd_LTX_weir_plugin, "zstd", task, a, NULL);

    ck_assert_int_eq(fake_start(fake), 0);
    return fake;
}

static struct buf make_data(size_t size)
{
    struct buf data = { 0 };
    unsigned seed = 3;

    for (size_t i = 0; i < size; i++) {
        seed = seed * 1103515245 + 12345;
        buf_char(&data, i / 100 % 2 ? 'x' : (char)(seed >> 16));
    }
    return data;
}

START_TEST(there_and_back)
{
    static const size_t sizes[] = { 0, 1, 100, 100000, 1 << 20 };
    static const char *const levels[] = { "level=-7", "level=1", "level=3",
                                          "level=12" };
    struct buf data = make_data(sizes[_i]);
    struct fake *back = new_task("decompress", NULL);

    for (size_t i = 0; i < 4; i++) {
        struct fake *fake = new_task("compress", levels[i]);
        const struct buf *frame;

        fake_set_attr(fake, "path", "name");
        ck_assert_int_eq(fake_run(fake, data.data, data.size), 0);
        ck_assert_int_eq(fake_run(fake, data.data, data.size), 0);
        frame = &fake->given.at[1].data;
        ck_assert_uint_eq(frame->size, fake->given.at[0].data.size);
        ck_assert_str_eq(fake_attr(&fake->given.at[1], "path"), "name");
        fake_forget(back);
        ck_assert_int_eq(fake_run(back, frame->data, frame->size), 0);
        ck_assert_uint_eq(back->given.at[0].data.size, data.size);
        if (data.size > 0)
            ck_assert_mem_eq(back->given.at[0].data.data, data.data, data.size);
        fake_stop(fake);
        fake_free(&fake);
    }
    buf_done(&data);
    fake_stop(back);
    fake_free(&back);
}
END_TEST

/* A frame as of a stream: nobody knew its size when it began. */
static struct buf stream_frame(const struct buf *data)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    struct buf frame = { 0 };
    ZSTD_inBuffer in = { data->data, data->size, 0 };
    ZSTD_outBuffer out;
    ZSTD_EndDirective how = ZSTD_e_continue;
    size_t left;

    buf_reserve(&frame, ZSTD_compressBound(data->size) + 1000);
    out = (ZSTD_outBuffer){ frame.data, frame.room, 0 };
    do {
        left = ZSTD_compressStream2(context, &out, &in, how);
        ck_assert(!ZSTD_isError(left));
        if (in.pos == in.size)
            how = ZSTD_e_end;
    } while (how != ZSTD_e_end || left > 0 || in.pos < in.size);
    ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
    frame.size = out.pos;
    ZSTD_freeCCtx(context);
    return frame;
}

START_TEST(frames_without_a_size)
{
    static const size_t sizes[] = {
        0, 1, 65535, 65536, 65537, 131072, 1000000
    };
    struct buf data = make_data(sizes[_i]), frame = stream_frame(&data);
    struct fake *fake = new_task("decompress", NULL);

    ck_assert_uint_eq(ZSTD_getFrameContentSize(frame.data, frame.size),
                      ZSTD_CONTENTSIZE_UNKNOWN);
    ck_assert_int_eq(fake_run(fake, frame.data, frame.size), 0);
    ck_assert_uint_eq(fake->given.at[0].data.size, data.size);
    if (data.size > 0)
        ck_assert_mem_eq(fake->given.at[0].data.data, data.data, data.size);
    buf_done(&data);
    buf_done(&frame);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(several_frames)
{
    struct buf data = make_data(1000), frame = stream_frame(&data),
               both = { 0 };
    struct fake *fake = new_task("compress", NULL);
    struct fake *back = new_task("decompress", NULL);

    ck_assert_int_eq(fake_run(fake, data.data, data.size), 0);
    buf_add(&both, fake->given.at[0].data.data, fake->given.at[0].data.size);
    buf_add(&both, fake->given.at[0].data.data, fake->given.at[0].data.size);
    ck_assert_int_eq(fake_run(back, both.data, both.size), 0);
    ck_assert_uint_eq(back->given.at[0].data.size, 2000);
    buf_add(&both, frame.data, frame.size);
    ck_assert_int_eq(fake_run(back, both.data, both.size), 0);
    ck_assert_uint_eq(back->given.at[1].data.size, 3000);
    ck_assert_mem_eq(back->given.at[1].data.data + 2000, data.data, 1000);
    buf_done(&data);
    buf_done(&frame);
    buf_done(&both);
    fake_stop(fake);
    fake_free(&fake);
    fake_stop(back);
    fake_free(&back);
}
END_TEST

START_TEST(cut_short_at_every_byte)
{
    struct buf data = make_data(300), frame = stream_frame(&data);
    struct fake *fake = new_task("compress", NULL);
    struct fake *back = new_task("decompress", NULL);
    const struct buf *known;

    ck_assert_int_eq(fake_run(fake, data.data, data.size), 0);
    known = &fake->given.at[0].data;
    for (size_t cut = 0; cut < known->size; cut++)
        ck_assert_int_eq(fake_run(back, known->data, cut), WEIR_PERMANENT);
    for (size_t cut = 0; cut < frame.size; cut++)
        ck_assert_int_eq(fake_run(back, frame.data, cut), WEIR_PERMANENT);
    ck_assert_uint_eq(back->given.count, 0);
    /* And whole again afterwards. */
    ck_assert_int_eq(fake_run(back, frame.data, frame.size), 0);
    ck_assert_int_eq(fake_run(back, known->data, known->size), 0);
    buf_done(&data);
    buf_done(&frame);
    fake_stop(fake);
    fake_free(&fake);
    fake_stop(back);
    fake_free(&back);
}
END_TEST

START_TEST(what_is_not_zstd)
{
    struct fake *back = new_task("decompress", NULL);
    struct fake *fake = new_task("compress", NULL);
    char *damaged;

    ck_assert_int_eq(fake_run(back, "plain text", 10), WEIR_PERMANENT);
    ck_assert_str_eq(back->why,
                     "cannot decompress: it does not begin as zstd does");
    ck_assert_int_eq(fake_run(back, NULL, 0), WEIR_PERMANENT);
    ck_assert_int_eq(fake_run(fake, "some text, some text", 20), 0);
    damaged = fake->given.at[0].data.data;
    damaged[fake->given.at[0].data.size - 1] ^= 1;
    ck_assert_int_eq(fake_run(back, damaged, fake->given.at[0].data.size),
                     WEIR_PERMANENT);
    ck_assert_str_eq(back->why, "cannot decompress: its checksum is wrong");
    fake_stop(fake);
    fake_free(&fake);
    fake_stop(back);
    fake_free(&back);
}
END_TEST

START_TEST(results_are_bounded)
{
    struct buf data = make_data(1000), frame = stream_frame(&data);
    struct fake *fake = new_task("compress", "size=500 B");
    struct fake *whole = new_task("compress", NULL);
    struct fake *back = new_task("decompress", "size=999 B");

    ck_assert_int_eq(fake_run(fake, data.data, data.size), WEIR_PERMANENT);
    ck_assert_int_eq(fake_run(fake, data.data, 100), 0);
    ck_assert_int_eq(fake_run(whole, data.data, data.size), 0);
    ck_assert_int_eq(fake_run(back, frame.data, frame.size), WEIR_PERMANENT);
    ck_assert_str_eq(back->why,
                     "it becomes more than 'size', 999 bytes; raise it");
    ck_assert_int_eq(fake_run(back, whole->given.at[0].data.data,
                              whole->given.at[0].data.size),
                     WEIR_PERMANENT);
    fake_forget(whole);
    ck_assert_int_eq(fake_run(whole, data.data, 999), 0);
    ck_assert_int_eq(fake_run(back, whole->given.at[0].data.data,
                              whole->given.at[0].data.size),
                     0);
    buf_done(&data);
    buf_done(&frame);
    fake_stop(fake);
    fake_free(&fake);
    fake_stop(whole);
    fake_free(&whole);
    fake_stop(back);
    fake_free(&back);
}
END_TEST

Suite *zstd_suite(void)
{
    Suite *suite = suite_create("zstd");
    TCase *tcase = tcase_create("zstd");

    tcase_add_loop_test(tcase, there_and_back, 0, 5);
    tcase_add_loop_test(tcase, frames_without_a_size, 0, 7);
    tcase_add_test(tcase, several_frames);
    tcase_add_test(tcase, cut_short_at_every_byte);
    tcase_add_test(tcase, what_is_not_zstd);
    tcase_add_test(tcase, results_are_bounded);
    suite_add_tcase(suite, tcase);
    return suite;
}
