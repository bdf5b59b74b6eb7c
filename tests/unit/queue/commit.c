/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* commit.c - one commit: several queues, passes, copies, books, renames. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "desk.h"

static void fill(char *data, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 7 + seed);
}

/* Payload and attributes of all sizes about the bounds between inline, chunk
 * and both, through stage, pass with inherited attributes, and copy. */
START_TEST(all_sizes)
{
    static const size_t sizes[] = { 0,   1,   63,   64,    65,
                                    128, 129, 4096, 65536, 65537 };
    static const size_t attrs_sizes[] = { 0, 1, 10, 64, 65, 128, 4096 };
    struct desk desk = desk_open(3, 8, 1 << 20);
    char *data = malloc(65537), attrs[4096];

    for (unsigned i = 0; i < 10; i++)
        for (unsigned j = 0; j < 7; j++) {
            struct stage_spec spec = { .queue = 0,
                                       .room = sizes[i],
                                       .attrs = attrs,
                                       .attrs_size = attrs_sizes[j],
                                       .root = i,
                                       .path = j };
            struct staged staged;
            struct item item, copy;

            fill(data, sizes[i], i);
            fill(attrs, attrs_sizes[j], j);
            ck_assert_int_eq(turn_stage(desk.members[0], &spec, &staged), 0);
            if (sizes[i] > 0)
                memcpy(staged.data, data, sizes[i]);
            ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);

            ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), 1);
            spec = (struct stage_spec){ .queue = 1,
                                        .pass = &item,
                                        .inherit = &item };
            ck_assert_int_eq(turn_stage(desk.members[1], &spec, &staged), 0);
            copy.ref = staged.ref;
            spec = (struct stage_spec){ .queue = 2,
                                        .pass = &copy,
                                        .inherit = &copy };
            ck_assert_int_eq(turn_stage(desk.members[1], &spec, &staged), 0);
            ck_assert_int_eq(turn_done(desk.members[1], &item), 0);
            ck_assert_int_eq(turn_commit(desk.members[1], NULL, NULL), 0);

            for (unsigned q = 1; q <= 2; q++) {
                ck_assert_int_eq(desk_lease(desk.members[2], q, &item), 1);
                ck_assert_uint_eq(item.size, sizes[i]);
                if (sizes[i] > 0)
                    ck_assert_mem_eq(item.data, data, sizes[i]);
                ck_assert_uint_eq(item.attrs_size, attrs_sizes[j]);
                if (attrs_sizes[j] > 0)
                    ck_assert_mem_eq(item.attrs, attrs, attrs_sizes[j]);
                ck_assert_int_eq(turn_done(desk.members[2], &item), 0);
                ck_assert_int_eq(turn_commit(desk.members[2], NULL, NULL), 0);
            }
        }
    free(data);
    desk_close(&desk);
}
END_TEST

START_TEST(pass_copies_no_byte)
{
    struct desk desk = desk_open(2, 8, 1 << 20);
    char data[1000];
    struct item item, passed;
    struct stage_spec spec = { .queue = 1, .pass = &item };
    struct staged staged;

    fill(data, sizeof data, 1);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, data, sizeof data), 0);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), 1);
    ck_assert_int_eq(turn_stage(desk.members[1], &spec, &staged), 0);
    ck_assert_int_eq(turn_done(desk.members[1], &item), 0);
    ck_assert_int_eq(turn_commit(desk.members[1], NULL, NULL), 0);
    ck_assert_int_eq(desk_lease(desk.members[2], 1, &passed), 1);
    ck_assert_ptr_eq(passed.data, item.data);
    ck_assert_mem_eq(passed.data, data, sizeof data);
    ck_assert_int_eq(turn_done(desk.members[2], &passed), 0);
    ck_assert_int_eq(turn_commit(desk.members[2], NULL, NULL), 0);
    desk_close(&desk);
}
END_TEST

START_TEST(shrunk)
{
    struct desk desk = desk_open(1, 8, 1 << 20);
    struct stage_spec spec = { .queue = 0, .room = 5000 };
    struct staged staged;
    struct item item;

    ck_assert_int_eq(turn_stage(desk.members[0], &spec, &staged), 0);
    memcpy(staged.data, "short", 5);
    ck_assert_int_eq(turn_shrink(desk.members[0], &staged, 6000), WEIR_EINVAL);
    ck_assert_int_eq(turn_shrink(desk.members[0], &staged, 5), 0);
    ck_assert_uint_eq(desk_state(&desk, 0).bytes, 5000);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    /* it holds a chunk of 8 KiB, and is charged more than half of that */
    ck_assert_uint_eq(desk_state(&desk, 0).bytes, 4097);
    ck_assert_int_eq(desk_lease(desk.members[1], 0, &item), 1);
    ck_assert_uint_eq(item.size, 5);
    ck_assert_mem_eq(item.data, "short", 5);
    ck_assert_int_eq(turn_abort(desk.members[1]), 0);
    desk_take(desk.members[2], 0, "short");
    desk_close(&desk);
}
END_TEST

START_TEST(books)
{
    struct desk desk = desk_open(1, 8, 4096);

    turn_book(desk.members[0])->ordinal = 7;
    ck_assert_uint_eq(member_book(desk.segment, 0)->ordinal, 0);
    ck_assert_int_eq(turn_abort(desk.members[0]), 0);
    turn_book(desk.members[0])->done = 3;
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    ck_assert_uint_eq(member_book(desk.segment, 0)->ordinal, 0);
    ck_assert_uint_eq(member_book(desk.segment, 0)->done, 3);
    turn_book(desk.members[0])->ordinal = 1;
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    ck_assert_uint_eq(member_book(desk.segment, 0)->done, 3);
    ck_assert_uint_eq(member_book(desk.segment, 0)->ordinal, 1);
    desk_close(&desk);
}
END_TEST

/* Leased and not done stays leased over a commit. */
START_TEST(part)
{
    struct desk desk = desk_open(2, 8, 4096);
    struct item items[3];
    const unsigned queue = 0;
    struct book *book;

    for (unsigned i = 0; i < 3; i++)
        desk_put(desk.members[0], 0, "x");
    ck_assert_int_eq(turn_lease(desk.members[1], &queue, 1, 3, 1, 0, items), 3);
    ck_assert_int_eq(turn_done(desk.members[1], &items[0]), 0);
    ck_assert_int_eq(turn_take_up(desk.members[1], &items[1]), 0);
    book = turn_book(desk.members[1]);
    book->part = items[1].ref + 1;
    book->part_skip = 5;
    book->part_hash = 99;
    ck_assert_int_eq(turn_commit(desk.members[1], NULL, NULL), 0);
    ck_assert_uint_eq(desk_state(&desk, 0).leased, 2);
    ck_assert_int_eq(turn_abort(desk.members[1]), 0);
    ck_assert_int_eq(turn_lease(desk.members[1], &queue, 1, 3, 1, 0, items), 2);
    ck_assert_uint_eq(items[0].skip, 5);
    ck_assert_uint_eq(items[0].skip_hash, 99);
    ck_assert_uint_eq(items[1].skip, 0);
    desk_close(&desk);
}
END_TEST

static void touch(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    close(fd);
}

START_TEST(renames)
{
    struct desk desk = desk_open(1, 8, 4096);
    char folder[] = "/tmp/weir-renames.XXXXXX", from[64], to[64];
    weir_error err;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(from, sizeof from, "%s/from", folder);
    snprintf(to, sizeof to, "%s/to", folder);
    touch(from);
    ck_assert_int_eq(turn_rename(desk.members[0], from, to), 0);
    ck_assert_int_eq(turn_abort(desk.members[0]), 0);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    ck_assert_int_eq(access(from, F_OK), 0);
    ck_assert_int_eq(turn_rename(desk.members[0], from, to), 0);
    ck_assert_uint_eq(turn_renames(desk.members[0]), 1);
    ck_assert_int_eq(access(from, F_OK), 0);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    ck_assert_int_eq(access(to, F_OK), 0);
    /* of that commit only */
    touch(from);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    ck_assert_int_eq(access(from, F_OK), 0);
    /* one that fails is told, and the commit stands */
    unlink(from);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), 0);
    ck_assert_int_eq(turn_rename(desk.members[0], from, to), 0);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, from));
    desk_take(desk.members[1], 0, "x");
    for (unsigned i = 0; i < RENAME_MOST; i++)
        ck_assert_int_eq(turn_rename(desk.members[0], from, to), 0);
    ck_assert_int_eq(turn_rename(desk.members[0], from, to), WEIR_ESTATE);
    turn_cut_renames(desk.members[0], 0);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, &err), 0);
    unlink(to);
    rmdir(folder);
    desk_close(&desk);
}
END_TEST

START_TEST(references_full)
{
    struct desk desk = desk_open(1, 2 * MEMBER_REFS, 1 << 20);

    for (unsigned i = 0; i < MEMBER_REFS; i++)
        ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), 0);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), WEIR_ESTATE);
    ck_assert_int_eq(turn_drop_from(desk.members[0], MEMBER_REFS - 2), 0);
    ck_assert_int_eq(desk_stage(desk.members[0], 0, "x", 1), 0);
    ck_assert_uint_eq(turn_staged(desk.members[0]), MEMBER_REFS - 1);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    ck_assert_uint_eq(desk_state(&desk, 0).ready, MEMBER_REFS - 1);
    desk_close(&desk);
}
END_TEST

Suite *commit_suite(void)
{
    Suite *suite = suite_create("commit");
    TCase *test = tcase_create("commit");

    tcase_add_test(test, all_sizes);
    tcase_add_test(test, pass_copies_no_byte);
    tcase_add_test(test, shrunk);
    tcase_add_test(test, books);
    tcase_add_test(test, part);
    tcase_add_test(test, renames);
    tcase_add_test(test, references_full);
    suite_add_tcase(suite, test);
    return suite;
}
