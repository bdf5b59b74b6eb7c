/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* top.c - text.top: sums, order, and a successor that goes on from a save. */
#include "config.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plugins.h"

static struct fake *new_top(const char *k)
{
    struct fake *fake = fake_new(&text_LTX_weir_plugin, "text", "top", k, NULL);

    ck_assert_int_eq(fake_start(fake), 0);
    return fake;
}

static int run_text(struct fake *fake, const char *text)
{
    return fake_run(fake, text, strlen(text));
}

START_TEST(sums_and_order)
{
    struct fake *fake = new_top("k=4");

    ck_assert_int_eq(run_text(fake, "the\t5\ncat\t2\n"), 0);
    ck_assert_int_eq(run_text(fake, "dog\t2\nthe\t1\nbee\t2"), 0);
    ck_assert_int_eq(run_text(fake, "ant\t1\na\t1\n"), 0);
    ck_assert_int_eq(run_text(fake, ""), 0);
    ck_assert_uint_eq(fake->given.count, 0);
    ck_assert_int_eq(fake_flush(fake), 0);
    assert_given(fake, "|", "6\tthe|2\tbee|2\tcat|2\tdog|");
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(ties_by_bytes)
{
    struct fake *fake = new_top("k=100");

    ck_assert_int_eq(
        run_text(fake, "b\t1\nab\t1\na\t1\nB\t1\n\xc3\xa9\t1\nabc\t1\n\t1\n"),
        0);
    ck_assert_int_eq(fake_flush(fake), 0);
    assert_given(fake, "|", "1\t|1\tB|1\ta|1\tab|1\tabc|1\tb|1\t\xc3\xa9|");
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

static const struct {
    const char *text;
    unsigned line;
} bad[] = {
    { "word", 1 },
    { "word\t", 1 },
    { "word\t-1", 1 },
    { "word\t1x", 1 },
    { "word\t1\n\n", 2 },
    { "word\t1\nother 2\n", 2 },
    { "word\t18446744073709551616\n", 1 },
    { "word\t1\r\n", 1 },
};

START_TEST(an_item_counts_whole_or_not_at_all)
{
    struct fake *fake = new_top(NULL);
    char why[64];

    ck_assert_int_eq(run_text(fake, "word\t7\n"), 0);
    ck_assert_int_eq(run_text(fake, bad[_i].text), WEIR_PERMANENT);
    snprintf(why, sizeof why, "line %u of the item", bad[_i].line);
    ck_assert_ptr_nonnull(strstr(fake->why, why));
    ck_assert_int_eq(fake_flush(fake), 0);
    assert_given(fake, "|", "7\tword|");
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(sums_that_do_not_fit)
{
    struct fake *fake = new_top(NULL);

    ck_assert_int_eq(run_text(fake, "w\t18446744073709551615\n"), 0);
    ck_assert_int_eq(run_text(fake, "w\t0\n"), 0);
    ck_assert_int_eq(run_text(fake, "w\t1\n"), WEIR_FATAL);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(no_rows)
{
    struct fake *fake = new_top(NULL);

    ck_assert_int_eq(fake_flush(fake), 0);
    ck_assert_uint_eq(fake->given.count, 0);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

static int by_row(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    unsigned cx = x * 7919 % 101, cy = y * 7919 % 101;
    char wx[16], wy[16];

    if (cx != cy)
        return cx > cy ? -1 : 1;
    snprintf(wx, sizeof wx, "w%u", x);
    snprintf(wy, sizeof wy, "w%u", y);
    return strcmp(wx, wy);
}

/* Against a sort of all rows; every k around the edges. */
START_TEST(the_first_k_of_many)
{
    enum { WORDS = 5000 };
    static const unsigned ks[] = { 1,    2,         3,     10,
                                   1000, WORDS - 1, WORDS, WORDS + 1 };
    unsigned *order = malloc(WORDS * sizeof *order);
    struct buf rows = { 0 }, want = { 0 };
    char k[16];
    struct fake *fake;

    snprintf(k, sizeof k, "k=%u", ks[_i]);
    fake = new_top(k);
    for (unsigned i = 0; i < WORDS; i++) {
        order[i] = i;
        buf_printf(&rows, "w%u\t%u\n", i, i * 7919 % 101);
    }
    qsort(order, WORDS, sizeof *order, by_row);
    for (unsigned i = 0; i < ks[_i] && i < WORDS; i++)
        buf_printf(&want, "%u\tw%u\n", order[i] * 7919 % 101, order[i]);
    ck_assert_int_eq(run_text(fake, rows.data), 0);
    ck_assert_int_eq(fake_flush(fake), 0);
    assert_given(fake, "\n", want.data);
    buf_done(&rows);
    buf_done(&want);
    free(order);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

static int save_to(struct fake *fake)
{
    int fd = memfd_create("saved", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fake->task->save(&fake->call, fd), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* Killed behind every item: the successor has what was saved before. */
START_TEST(save_and_load)
{
    struct fake *fake = new_top("k=2000");
    struct buf row = { 0 }, want;
    char first[400];
    unsigned seed = 5;

    memset(first, 'x', sizeof first);
    for (unsigned i = 0; i < 300; i++) {
        int fd;

        buf_cut(&row, 0);
        for (unsigned k = 0; k < 40; k++) {
            seed = seed * 1103515245 + 12345;
            buf_printf(&row, "%.*s%u\t%u\n", (int)(i % 7 * 60), first,
                       (seed >> 16) % 500, k);
        }
        ck_assert_int_eq(run_text(fake, row.data), 0);
        if (i % 10 != (unsigned)_i)
            continue;
        fd = save_to(fake);
        fake_kill(fake);
        ck_assert_int_eq(fake_start(fake), 0);
        ck_assert_int_eq(fake->task->load(&fake->call, fd), 0);
        close(fd);
    }
    ck_assert_int_eq(fake_flush(fake), 0);
    want = fake_join(fake, "\n");
    fake_forget(fake);
    fake_stop(fake);

    /* The same without a death. */
    ck_assert_int_eq(fake_start(fake), 0);
    seed = 5;
    for (unsigned i = 0; i < 300; i++) {
        buf_cut(&row, 0);
        for (unsigned k = 0; k < 40; k++) {
            seed = seed * 1103515245 + 12345;
            buf_printf(&row, "%.*s%u\t%u\n", (int)(i % 7 * 60), first,
                       (seed >> 16) % 500, k);
        }
        ck_assert_int_eq(run_text(fake, row.data), 0);
    }
    ck_assert_int_eq(fake_flush(fake), 0);
    assert_given(fake, "\n", want.data);
    buf_done(&want);
    buf_done(&row);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(an_empty_state)
{
    struct fake *fake = new_top(NULL);
    int fd = save_to(fake);

    fake_kill(fake);
    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_int_eq(fake->task->load(&fake->call, fd), 0);
    ck_assert_int_eq(run_text(fake, "a\t1\n"), 0);
    ck_assert_int_eq(fake_flush(fake), 0);
    assert_given(fake, "|", "1\ta|");
    close(fd);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* Cut short at every byte: an error, and never a wrong sum. */
START_TEST(a_damaged_state)
{
    struct fake *fake = new_top(NULL);
    int fd, whole;
    off_t size;

    ck_assert_int_eq(run_text(fake, "one\t1\ntwo\t2\nthree\t3\n"), 0);
    whole = save_to(fake);
    size = lseek(whole, 0, SEEK_END);
    for (off_t cut = 0; cut < size; cut++) {
        char data[256];

        fd = memfd_create("cut", MFD_CLOEXEC);
        ck_assert_int_eq(pread(whole, data, (size_t)cut, 0), cut);
        ck_assert_int_eq(pwrite(fd, data, (size_t)cut, 0), cut);
        ck_assert_int_eq(fake->task->load(&fake->call, fd), WEIR_FATAL);
        close(fd);
    }
    close(whole);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(a_disk_that_is_full)
{
    struct fake *fake = new_top(NULL);
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(run_text(fake, "one\t1\n"), 0);
    ck_assert_int_eq(fake->task->save(&fake->call, fd), WEIR_TRANSIENT);
    close(fd);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

Suite *top_suite(void)
{
    Suite *suite = suite_create("top");
    TCase *tcase = tcase_create("sums");

    tcase_add_test(tcase, sums_and_order);
    tcase_add_test(tcase, ties_by_bytes);
    tcase_add_loop_test(tcase, an_item_counts_whole_or_not_at_all, 0,
                        sizeof bad / sizeof *bad);
    tcase_add_test(tcase, sums_that_do_not_fit);
    tcase_add_test(tcase, no_rows);
    tcase_add_loop_test(tcase, the_first_k_of_many, 0, 8);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("state");
    tcase_add_loop_test(tcase, save_and_load, 0, 5);
    tcase_add_test(tcase, an_empty_state);
    tcase_add_test(tcase, a_damaged_state);
    tcase_add_test(tcase, a_disk_that_is_full);
    suite_add_tcase(suite, tcase);
    return suite;
}
