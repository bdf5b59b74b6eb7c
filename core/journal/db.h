/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * db.h - the little of SQLite that a run's stores need: open, prepare, bind by
 * a line of letters, step, and errors as sentences.
 *
 * A connection must not cross a fork, not even to be closed: a process that
 * forks has none open. During a run only its journal process, its keeper and
 * what feeds a replay have one.
 */
#ifndef JOURNAL_DB_H
#define JOURNAL_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

enum db_mode {
    DB_READ,   /* it must be there; nothing is written */
    DB_WRITE,  /* it must be there */
    DB_CREATE, /* it must not be there */
};

struct db;

/* The code of what went wrong, and its sentence in @err. */
typedef int db_error_fn(struct db *db, int result, weir_error *err);

struct db {
    sqlite3 *handle;
    char *path; /* for sentences */
    db_error_fn *error;
};

/*
 * db_open - open a store
 * @id, @version: who made it: application_id and user_version. They must be the
 *                same; a new one gets them by db_sign, with what it holds.
 *
 * In write-ahead mode with every commit on the disk (synchronous=FULL); others
 * may read meanwhile. Returns 0; -ENOENT; WEIR_ESTATE for one of another
 * version; WEIR_EBROKEN when it is no store of ours, or damaged; or what the
 * system said. @db is closed then.
 */
int db_open(struct db *db, const char *path, enum db_mode mode, int32_t id,
            int32_t version, weir_error *err);
/*
 * db_connect - only open it: who made it is neither checked nor written
 * @flags: SQLITE_OPEN_...
 * @error: says what goes wrong from here on
 *
 * Returns 0, or what the system said; @db is closed then.
 */
int db_connect(struct db *db, const char *path, int flags, db_error_fn *error,
               weir_error *err);
/* Write-ahead mode, with every commit on the disk. */
int db_write_ahead(struct db *db, weir_error *err);
/* Note who made it: in the transaction that makes its tables, so that one in
 * which nothing is yet is nobody's. */
int db_sign(struct db *db, int32_t id, int32_t version, weir_error *err);
/* Also of one that is closed. */
void db_close(struct db *db);

/* Statements without parameters, parted by semicolons. */
int db_run(struct db *db, const char *sql, weir_error *err);

/*
 * db_bind - prepare a statement, bind its parameters
 * @types: one letter for each parameter: i int64_t, u uint64_t, t const char *
 *         (NULL: null), b const void * and size_t (must stay until the step)
 *
 * *statement is prepared when it is NULL, else it is used again; the caller
 * ends it by sqlite3_finalize, before db_close.
 */
int db_bind(struct db *db, sqlite3_stmt **statement, weir_error *err,
            const char *sql, const char *types, ...);
/* 1: there is a row; 0: done, and the statement can be bound anew. */
int db_step(struct db *db, sqlite3_stmt *statement, weir_error *err);
/* Bind and step of a statement that gives no rows; ended at once. */
int db_do(struct db *db, weir_error *err, const char *sql, const char *types,
          ...);

/* The first number that @sql finds; *out stays when it finds none. */
int db_number(struct db *db, const char *sql, int64_t *out, weir_error *err);

/* Columns of the row at hand. Texts and bytes are valid until the next step. */
uint64_t db_u64(sqlite3_stmt *statement, int column);
int64_t db_i64(sqlite3_stmt *statement, int column);
const char *db_text(sqlite3_stmt *statement, int column); /* never NULL */
const void *db_bytes(sqlite3_stmt *statement, int column, size_t *size_out);

/* begin immediate; commit; rollback (keeps what @err says). */
int db_begin(struct db *db, weir_error *err);
int db_commit(struct db *db, weir_error *err);
void db_rollback(struct db *db);

/* The code of what went wrong last. */
int db_code(struct db *db, int result);

#endif
