/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flow.c - the plugin flow. */
#include "config.h"

#include "plugins.h"

static struct fake *new_task(const char *task, const char *a, const char *b,
                             const char *c)
{
    return fake_new(&flow_LTX_weir_plugin, "flow", task, a, b, c, NULL);
}

START_TEST(generates_items)
{
    struct fake *fake = new_task("generate", "count=1000", "size=40 B", NULL);

    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_uint_eq(fake_drain(fake, NULL), 0);
    ck_assert_uint_eq(fake->given.count, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        const struct buf *data = &fake->given.at[i].data;
        char want[24];

        snprintf(want, sizeof want, "%020u", i);
        ck_assert_uint_eq(data->size, 40);
        ck_assert_mem_eq(data->data, want, 20);
        for (size_t k = 20; k < 40; k++)
            ck_assert(data->data[k] >= 'a' && data->data[k] <= 'p');
    }
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(of_any_size)
{
    static const char *const sizes[] = {
        "size=0", "size=1 B", "size=3 B", "size=20 B", "size=21 B", "size=1 MiB"
    };
    static const size_t bytes[] = { 0, 1, 3, 20, 21, 1 << 20 };
    struct fake *fake = new_task("generate", "count=12", sizes[_i], NULL);

    ck_assert_int_eq(fake_start(fake), 0);
    fake_drain(fake, NULL);
    ck_assert_uint_eq(fake->given.count, 12);
    for (unsigned i = 0; i < 12; i++)
        ck_assert_uint_eq(fake->given.at[i].data.size, bytes[_i]);
    if (bytes[_i] == 3)
        ck_assert_str_eq(fake->given.at[11].data.data, "011");
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(killed_behind_every_item)
{
    struct fake *fake = new_task("generate", "count=200", "size=20 B", NULL);

    ck_assert_int_eq(fake_start(fake), 0);
    fake_drain_killed(fake, (unsigned)_i, false, NULL);
    ck_assert_uint_eq(fake->given.count, 200);
    for (unsigned i = 0; i < 200; i++)
        ck_assert_uint_eq(strtoul(fake->given.at[i].data.data, NULL, 10), i);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* However many share the work, each number comes once. */
START_TEST(shares)
{
    enum { ITEMS = 100 };
    unsigned seen[ITEMS] = { 0 };

    for (unsigned share = 0; share < (unsigned)_i; share++) {
        struct fake *fake = new_task("generate", "count=100", "size=20 B",
                                     NULL);

        fake->share = share;
        fake->shares = (unsigned)_i;
        ck_assert_int_eq(fake_start(fake), 0);
        fake_drain(fake, NULL);
        for (size_t i = 0; i < fake->given.count; i++) {
            unsigned long n = strtoul(fake->given.at[i].data.data, NULL, 10);

            ck_assert_uint_lt(n, ITEMS);
            seen[n]++;
        }
        fake_stop(fake);
        fake_free(&fake);
    }
    for (unsigned i = 0; i < ITEMS; i++)
        ck_assert_uint_eq(seen[i], 1);
}
END_TEST

START_TEST(nothing_at_all)
{
    struct fake *fake = new_task("generate", "count=0", NULL, NULL);

    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_int_eq(fake_run(fake, NULL, 0), WEIR_END);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

/* One item at once, then none before 1000 s have passed. */
START_TEST(at_a_rate)
{
    struct fake *fake = new_task("generate", "count=3", "size=20 B",
                                 "rate=0.001");

    ck_assert_int_eq(fake_start(fake), 0);
    ck_assert_int_eq(fake_run(fake, NULL, 0), 0);
    ck_assert_uint_eq(fake->given.count, 1);
    ck_assert_int_eq(fake_run(fake, NULL, 0), 0);
    ck_assert_uint_eq(fake->given.count, 1);
    ck_assert_uint_eq(fake->paused, 1);
    ck_assert(fake->paused_ns > 900000000000 &&
              fake->paused_ns <= 1000000000001);
    fake->stopping = true;
    ck_assert_int_eq(fake_run(fake, NULL, 0), WEIR_ECANCELED);
    fake_stop(fake);
    fake_free(&fake);
}
END_TEST

START_TEST(discard_and_pass)
{
    struct fake *discard = new_task("discard", NULL, NULL, NULL);
    struct fake *pass = new_task("pass", NULL, NULL, NULL);

    ck_assert_int_eq(fake_start(discard), 0);
    ck_assert_int_eq(fake_run(discard, "x", 1), 0);
    ck_assert_uint_eq(discard->given.count, 0);
    ck_assert_int_eq(fake_start(pass), 0);
    ck_assert_int_eq(fake_run(pass, "x", 1), 0);
    ck_assert_int_eq(fake_run(pass, NULL, 0), 0);
    assert_given(pass, "|", "x||");
    fake_stop(discard);
    fake_free(&discard);
    fake_stop(pass);
    fake_free(&pass);
}
END_TEST

Suite *flow_suite(void)
{
    Suite *suite = suite_create("flow");
    TCase *tcase = tcase_create("flow");

    tcase_add_test(tcase, generates_items);
    tcase_add_loop_test(tcase, of_any_size, 0, 6);
    tcase_add_loop_test(tcase, killed_behind_every_item, 1, 9);
    tcase_add_loop_test(tcase, shares, 1, 8);
    tcase_add_test(tcase, nothing_at_all);
    tcase_add_test(tcase, at_a_rate);
    tcase_add_test(tcase, discard_and_pass);
    suite_add_tcase(suite, tcase);
    return suite;
}
