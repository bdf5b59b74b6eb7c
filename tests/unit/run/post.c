/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* post.c - tests of core/run/post.c. */
#include "config.h"

#include "rig.h"

static struct post sample(void)
{
    struct post post = { .member = 3,
                         .stage = 1,
                         .index = 2,
                         .count = 5,
                         .name = "count",
                         .sync = true,
                         .retries = 9,
                         .report = 4,
                         .failed = 1,
                         .kept = 2,
                         .digests = true,
                         .replays = true,
                         .recycled = true,
                         .follows = true,
                         .recycle_items = UINT64_C(1) << 33,
                         .recycle_bytes = 7 << 20,
                         .from_capacity = 128,
                         .from_bytes = UINT64_C(1) << 40 };
    post_places *places = VEC_ADD(&post.outputs);

    *VEC_ADD(&post.queues) = (struct post_queue){
        2, "words", 64, 1 << 20, WEIR_OVERFLOW_BLOCK, 0
    };
    *VEC_ADD(&post.queues) = (struct post_queue){
        3, "bad", 8, 4096, WEIR_OVERFLOW_DROP_OLD, 5
    };
    *VEC_ADD(&post.from) = 0;
    *VEC_ADD(&post.from) = 1;
    *VEC_ADD(places) = 0;
    *VEC_ADD(places) = POST_DROP;
    return post;
}

START_TEST(written_is_read)
{
    struct post post = sample(), got;
    CLEANUP_BUF struct buf buf = { 0 };

    ck_assert_int_eq(post_write(&post, &buf), 0);
    ck_assert_int_eq(post_read(buf.data, buf.size, &got), 0);
    ck_assert_uint_eq(got.member, 3);
    ck_assert_uint_eq(got.index, 2);
    ck_assert_uint_eq(got.count, 5);
    ck_assert_str_eq(got.name, "count");
    ck_assert_uint_eq(got.name_hash, hash_bytes("count", 5, 0));
    ck_assert(got.sync);
    ck_assert_uint_eq(got.retries, 9);
    ck_assert_int_eq(got.failed, 1);
    ck_assert_uint_eq(got.kept, 2);
    ck_assert(got.digests);
    ck_assert(got.replays);
    ck_assert(got.recycled);
    ck_assert(got.follows);
    ck_assert_uint_eq(got.recycle_items, UINT64_C(1) << 33);
    ck_assert_uint_eq(got.recycle_bytes, 7 << 20);
    ck_assert_uint_eq(got.queues.count, 2);
    ck_assert_str_eq(got.queues.at[1].name, "bad");
    ck_assert_uint_eq(got.queues.at[1].bytes, 4096);
    ck_assert_int_eq(got.queues.at[1].overflow, WEIR_OVERFLOW_DROP_OLD);
    ck_assert_uint_eq(got.queues.at[1].counter, 5);
    ck_assert(got.overflows);
    ck_assert_uint_eq(got.from.count, 2);
    ck_assert_uint_eq(got.from_bytes, UINT64_C(1) << 40);
    ck_assert_uint_eq(got.outputs.count, 1);
    ck_assert_uint_eq(got.outputs.at[0].count, 2);
    ck_assert_int_eq(got.outputs.at[0].at[1], POST_DROP);
    post_done(&got);
    post_done(&post);
}
END_TEST

/* With a key or an order there is one queue to take from. */
START_TEST(two_inputs_are_damage)
{
    struct post post = sample(), got;
    CLEANUP_BUF struct buf buf = { 0 };

    post.keyed = _i == 0;
    post.ordered = _i == 1;
    ck_assert_int_eq(post_write(&post, &buf), 0);
    ck_assert_int_eq(post_read(buf.data, buf.size, &got), WEIR_EBROKEN);
    ck_assert_int_eq(got.keyed, post.keyed);
    post_done(&got);
    post_done(&post);
}
END_TEST

START_TEST(cut_short_is_damage)
{
    struct post post = sample(), got;
    CLEANUP_BUF struct buf buf = { 0 };

    ck_assert_int_eq(post_write(&post, &buf), 0);
    for (size_t size = 0; size < buf.size; size++) {
        ck_assert_int_lt(post_read(buf.data, size, &got), 0);
        post_done(&got);
    }
    post_done(&post);
}
END_TEST

START_TEST(wild_place_is_damage)
{
    struct post post = sample(), got;
    CLEANUP_BUF struct buf buf = { 0 };

    post.outputs.at[0].at[0] = 2;
    ck_assert_int_eq(post_write(&post, &buf), 0);
    ck_assert_int_eq(post_read(buf.data, buf.size, &got), WEIR_EBROKEN);
    post_done(&got);
    post_done(&post);
}
END_TEST

Suite *post_suite(void)
{
    Suite *s = suite_create("post");
    TCase *c = tcase_create("post");

    tcase_add_test(c, written_is_read);
    tcase_add_loop_test(c, two_inputs_are_damage, 0, 2);
    tcase_add_test(c, cut_short_is_damage);
    tcase_add_test(c, wild_place_is_damage);
    suite_add_tcase(s, c);
    return s;
}
