/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* db.c - tests of core/journal/db.c: who made a store, what goes in and comes
 * out, and what is said when it is none of ours. */
#include "config.h"

#ifdef HAVE_SQLITE

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/db.h"
#include "suites.h"

enum { ID = 0x77656972, FORM = 3 };

static struct db db;
static weir_error err;

static int open_it(const char *name, enum db_mode mode)
{
    return db_open(&db, in_scratch(name), mode, ID, FORM, &err);
}

static void new_store(void)
{
    ck_assert_int_eq(open_it("a.db", DB_CREATE), 0);
    ck_assert_int_eq(db_run(&db, "CREATE TABLE t(n INTEGER, x)", &err), 0);
    ck_assert_int_eq(db_sign(&db, ID, FORM, &err), 0);
}

START_TEST(what_is_created_is_found)
{
    struct stat st;
    int64_t number = -1;

    new_store();
    ck_assert_int_eq(stat(in_scratch("a.db"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600); /* items may be anything */
    ck_assert_int_eq(db_do(&db, &err, "INSERT INTO t VALUES(?, ?)", "ii",
                           (int64_t)7, (int64_t)INT64_MIN),
                     0);
    db_close(&db);
    ck_assert_int_eq(open_it("a.db", DB_READ), 0);
    ck_assert_int_eq(db_number(&db, "SELECT x FROM t WHERE n = 7", &number,
                               &err),
                     0);
    ck_assert_int_eq(number, INT64_MIN);
    number = 5;
    ck_assert_int_eq(db_number(&db, "SELECT x FROM t WHERE n = 8", &number,
                               &err),
                     0);
    ck_assert_int_eq(number, 5); /* there is none: it stays */
    ck_assert_int_lt(db_run(&db, "DELETE FROM t", &err), 0);
    db_close(&db);
    db_close(&db); /* of one that is closed: nothing */
}
END_TEST

START_TEST(it_is_created_once)
{
    new_store();
    db_close(&db);
    ck_assert_int_eq(open_it("a.db", DB_CREATE), -EEXIST);
    ck_assert_ptr_nonnull(strstr(err.text, "a.db"));
    ck_assert_int_eq(open_it("none.db", DB_READ), -ENOENT);
    ck_assert_int_eq(open_it("none.db", DB_WRITE), -ENOENT);
    ck_assert_int_lt(access(in_scratch("none.db"), F_OK), 0);
}
END_TEST

START_TEST(another_version_is_told)
{
    new_store();
    ck_assert_int_eq(db_sign(&db, ID, FORM + 1, &err), 0);
    db_close(&db);
    ck_assert_int_eq(open_it("a.db", DB_WRITE), WEIR_ESTATE);
    ck_assert_ptr_nonnull(strstr(err.text, "its form is 4, and this one "
                                           "knows 3"));
    ck_assert_ptr_null(db.handle);
}
END_TEST

START_TEST(what_is_not_ours_is_told)
{
    new_store();
    ck_assert_int_eq(db_sign(&db, ID + 1, FORM, &err), 0);
    db_close(&db);
    ck_assert_int_eq(open_it("a.db", DB_READ), WEIR_EBROKEN);
    write_file(in_scratch("text"), "this has never been a store of anything, "
                                   "and it is long enough for one, too\n");
    ck_assert_int_eq(open_it("text", DB_READ), WEIR_EBROKEN);
    ck_assert_ptr_nonnull(strstr(err.text, "text"));
    write_file(in_scratch("empty"), "");
    ck_assert_int_eq(open_it("empty", DB_READ), WEIR_EBROKEN);
}
END_TEST

START_TEST(all_kinds_come_back)
{
    sqlite3_stmt *statement = NULL;
    const void *bytes;
    size_t size;

    new_store();
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(db_bind(&db, &statement, &err, "SELECT ?, ?, ?, ?, ?",
                                 "iutbt", (int64_t)-1, UINT64_MAX, "text",
                                 (const void *)"a\0b", (size_t)3,
                                 (const char *)NULL),
                         0);
        ck_assert_int_eq(db_step(&db, statement, &err), 1);
        ck_assert_int_eq(db_i64(statement, 0), -1);
        ck_assert_uint_eq(db_u64(statement, 1), UINT64_MAX);
        ck_assert_str_eq(db_text(statement, 2), "text");
        bytes = db_bytes(statement, 3, &size);
        ck_assert_uint_eq(size, 3);
        ck_assert_int_eq(memcmp(bytes, "a\0b", 3), 0);
        ck_assert_str_eq(db_text(statement, 4), "");
        ck_assert_int_eq(db_step(&db, statement, &err), 0);
    }
    sqlite3_finalize(statement);
    ck_assert_int_lt(db_do(&db, &err, "INSERT INTO none VALUES(?)", "i",
                           (int64_t)1),
                     0);
    ck_assert_ptr_nonnull(strstr(err.text, "a.db"));
    db_close(&db);
}
END_TEST

/* A process that is killed has written all of a transaction, or nothing. */
START_TEST(what_was_not_committed_is_not_there)
{
    int64_t count = -1;

    new_store();
    ck_assert_int_eq(db_begin(&db, &err), 0);
    ck_assert_int_eq(db_run(&db, "INSERT INTO t VALUES(1, 1)", &err), 0);
    ck_assert_int_eq(db_commit(&db, &err), 0);
    ck_assert_int_eq(db_begin(&db, &err), 0);
    ck_assert_int_eq(db_run(&db, "INSERT INTO t VALUES(2, 2)", &err), 0);
    db_rollback(&db);
    db_rollback(&db); /* there is none: nothing */
    ck_assert_int_eq(db_begin(&db, &err), 0);
    ck_assert_int_eq(db_run(&db, "INSERT INTO t VALUES(3, 3)", &err), 0);
    db_close(&db);
    ck_assert_int_eq(open_it("a.db", DB_WRITE), 0);
    ck_assert_int_eq(db_number(&db, "SELECT sum(n) FROM t", &count, &err), 0);
    ck_assert_int_eq(count, 1);
    db_close(&db);
}
END_TEST

START_TEST(each_commit_is_on_the_disk)
{
    int64_t number = -1;

    new_store();
    ck_assert_int_eq(db_number(&db, "PRAGMA synchronous", &number, &err), 0);
    ck_assert_int_eq(number, 2); /* FULL */
    ck_assert_int_eq(db_number(&db,
                               "SELECT count(*) FROM pragma_journal_mode "
                               "WHERE journal_mode = 'wal'",
                               &number, &err),
                     0);
    ck_assert_int_eq(number, 1);
    db_close(&db);
}
END_TEST

Suite *db_suite(void)
{
    Suite *suite = suite_create("db");
    TCase *tcase = tcase_create("db");

    tcase_add_checked_fixture(tcase, scratch_make, scratch_remove);
    tcase_add_test(tcase, what_is_created_is_found);
    tcase_add_test(tcase, it_is_created_once);
    tcase_add_test(tcase, another_version_is_told);
    tcase_add_test(tcase, what_is_not_ours_is_told);
    tcase_add_test(tcase, all_kinds_come_back);
    tcase_add_test(tcase, what_was_not_committed_is_not_there);
    tcase_add_test(tcase, each_commit_is_on_the_disk);
    suite_add_tcase(suite, tcase);
    return suite;
}

#endif
