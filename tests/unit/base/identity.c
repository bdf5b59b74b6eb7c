/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* identity.c - core/base/identity.c: which file it is. */
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "base.h"
#include "base/identity.h"

START_TEST(by_name_and_open)
{
    char path[] = "/tmp/weir-identity.XXXXXX", link[64], gone[64];
    struct identity named, opened, other;
    int fd = mkstemp(path);

    snprintf(link, sizeof link, "%s.link", path);
    snprintf(gone, sizeof gone, "%s.gone", path);
    ck_assert_int_eq(write(fd, "abc", 3), 3);
    ck_assert_int_eq(symlink(path, link), 0);
    ck_assert_int_eq(identity_of(fd, &opened), 0);
    ck_assert_int_eq(identity_at(path, &named), 0);
    ck_assert_int_eq(identity_at(link, &other), 0);
    ck_assert(identity_same(&named, &opened));
    ck_assert(!identity_same(&named, &other));
    ck_assert_uint_eq(named.size, 3);
    ck_assert_int_eq(identity_at(gone, &other), -ENOENT);
    ck_assert_int_eq(identity_of(-1, &other), -EBADF);
    unlink(link);
    unlink(path);
    close(fd);
}
END_TEST

/* Device, inode, birth of the other; what each comparison says. */
static const struct {
    struct identity is;
    bool same, still;
} cases[] = {
    { { .dev = 1, .ino = 2, .born = 3 }, true, true },
    { { .dev = 9, .ino = 2, .born = 3 }, false, true }, /* mounted anew */
    { { .dev = 1, .ino = 9, .born = 3 }, false, false },
    { { .dev = 1, .ino = 2, .born = 9 }, false, false }, /* inode used again */
    { { .dev = 1, .ino = 2 }, true, true },
    { { .dev = 9, .ino = 2 }, false, false },
};

START_TEST(compared)
{
    const struct identity was = { .dev = 1, .ino = 2, .born = 3, .size = 4 };

    ck_assert(identity_same(&was, &cases[_i].is) == cases[_i].same);
    ck_assert(identity_still(&was, &cases[_i].is) == cases[_i].still);
}
END_TEST

Suite *identity_suite(void)
{
    Suite *suite = suite_create("identity");
    TCase *test = tcase_create("files");

    tcase_add_test(test, by_name_and_open);
    tcase_add_loop_test(test, compared, 0, COUNT(cases));
    suite_add_tcase(suite, test);
    return suite;
}
