/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* db.c - SQLite with codes and sentences. Runs in the journal process and the
 * keeper of a run, and in commands that read; in none of them while they fork.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/db.h"

enum { BUSY_MS = 10000 };

int db_code(struct db *db, int result)
{
    int errno_there = db->handle != NULL ? sqlite3_system_errno(db->handle) : 0;

    switch (result & 0xff) {
    case SQLITE_NOMEM:
        return WEIR_ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return WEIR_EBROKEN;
    case SQLITE_TOOBIG:
        return WEIR_ETOOBIG;
    default:
        return errno_there > 0 ? -errno_there : -EIO;
    }
}

static int never_written(const struct db *db, weir_error *err)
{
    return error_set(err, WEIR_EBROKEN,
                     "'%s' is no journal of a run, or its start was never "
                     "written",
                     db->path);
}

/* A rollback is left over only by who was killed before the store wrote ahead,
 * and with that it begins. */
static int journal_error(struct db *db, int result, weir_error *err)
{
    int code = db_code(db, result);

    if (db->handle != NULL &&
        sqlite3_extended_errcode(db->handle) == SQLITE_READONLY_ROLLBACK)
        return never_written(db, err);
    if (code == WEIR_EBROKEN)
        return error_set(err, code,
                         "'%s' is damaged, or no journal of a run: %s",
                         db->path, sqlite3_errmsg(db->handle));
    if (code == WEIR_ETOOBIG)
        return error_set(err, code, "'%s': an item is too large for a journal",
                         db->path);
    return error_sys(err, code, "cannot use '%s'", db->path);
}

/* ---------------------------------------------------------------- open ---- */

static int check_maker(struct db *db, int32_t id, int32_t version,
                       weir_error *err)
{
    int64_t is_id = 0, is_version = 0;
    int code = db_number(db, "PRAGMA application_id", &is_id, err);

    if (code == 0)
        code = db_number(db, "PRAGMA user_version", &is_version, err);
    if (code < 0)
        return code;
    if (is_id != id)
        return never_written(db, err);
    if (is_version != version)
        return error_set(err, WEIR_ESTATE,
                         "'%s' was written by another version of weir: its "
                         "form is %lld, and this one knows %d",
                         db->path, (long long)is_version, version);
    return 0;
}

int db_write_ahead(struct db *db, weir_error *err)
{
    char sql[160];

    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
             "PRAGMA journal_size_limit=%d",
             64 << 20);
    return db_run(db, sql, err);
}

int db_sign(struct db *db, int32_t id, int32_t version, weir_error *err)
{
    char sql[96];

    snprintf(sql, sizeof sql,
             "PRAGMA application_id=%d; PRAGMA user_version=%d", id, version);
    return db_run(db, sql, err);
}

/* Ours alone to read: items may be anything. */
static int make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

int db_connect(struct db *db, const char *path, int flags, db_error_fn *error,
               weir_error *err)
{
    int code = WEIR_ENOMEM, result;

    *db = (struct db){ .path = strdup(path), .error = error };
    if (db->path != NULL) {
        result = sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX,
                                 NULL);
        code = result == SQLITE_OK ? 0 : db_code(db, result);
    }
    if (code < 0) {
        error_sys(err, code, "cannot open '%s'", path);
    } else {
        sqlite3_busy_timeout(db->handle, BUSY_MS);
        /* Who is killed leaves no file in a folder for temporary ones. */
        code = db_run(db,
                      "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
                      " PRAGMA temp_store=MEMORY",
                      err);
    }
    if (code < 0)
        db_close(db);
    return code;
}

int db_open(struct db *db, const char *path, enum db_mode mode, int32_t id,
            int32_t version, weir_error *err)
{
    const int flags = mode == DB_READ ? SQLITE_OPEN_READONLY
                                      : SQLITE_OPEN_READWRITE;
    int code = mode == DB_CREATE ? make_file(path) : 0;

    *db = (struct db){ .handle = NULL };
    if (code == 0 && access(path, F_OK) < 0)
        code = -errno;
    if (code < 0)
        return error_sys(err, code, "cannot open '%s'", path);
    code = db_connect(db, path, flags, journal_error, err);
    if (code == 0 && mode != DB_CREATE)
        code = check_maker(db, id, version, err);
    if (code == 0 && mode != DB_READ)
        code = db_write_ahead(db, err);
    if (code < 0)
        db_close(db);
    return code;
}

void db_close(struct db *db)
{
    sqlite3_close(db->handle);
    free(db->path);
    *db = (struct db){ .handle = NULL };
}

/* ---------------------------------------------------------- statements ---- */

int db_run(struct db *db, const char *sql, weir_error *err)
{
    int result = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return result == SQLITE_OK ? 0 : db->error(db, result, err);
}

static int bind_all(sqlite3_stmt *statement, const char *types, va_list args)
{
    int result = SQLITE_OK;

    for (int i = 1; *types != '\0' && result == SQLITE_OK; i++, types++) {
        if (*types == 'i') {
            result = sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
        } else if (*types == 'u') {
            result = sqlite3_bind_int64(statement, i,
                                        (int64_t)va_arg(args, uint64_t));
        } else if (*types == 't') {
            result = sqlite3_bind_text(statement, i, va_arg(args, const char *),
                                       -1, SQLITE_TRANSIENT);
        } else {
            const void *data = va_arg(args, const void *);
            size_t size = va_arg(args, size_t);

            result = sqlite3_bind_blob64(statement, i, data != NULL ? data : "",
                                         size, SQLITE_STATIC);
        }
    }
    return result;
}

static int bind(struct db *db, sqlite3_stmt **statement, weir_error *err,
                const char *sql, const char *types, va_list args)
{
    int result = SQLITE_OK;

    if (*statement == NULL)
        result = sqlite3_prepare_v2(db->handle, sql, -1, statement, NULL);
    else
        sqlite3_reset(*statement);
    if (result == SQLITE_OK)
        result = bind_all(*statement, types, args);
    return result == SQLITE_OK ? 0 : db->error(db, result, err);
}

int db_bind(struct db *db, sqlite3_stmt **statement, weir_error *err,
            const char *sql, const char *types, ...)
{
    va_list args;
    int code;

    va_start(args, types);
    code = bind(db, statement, err, sql, types, args);
    va_end(args);
    return code;
}

int db_step(struct db *db, sqlite3_stmt *statement, weir_error *err)
{
    int result = sqlite3_step(statement);

    if (result == SQLITE_ROW)
        return 1;
    if (result == SQLITE_DONE) {
        sqlite3_reset(statement);
        return 0;
    }
    return db->error(db, result, err);
}

int db_do(struct db *db, weir_error *err, const char *sql, const char *types,
          ...)
{
    sqlite3_stmt *statement = NULL;
    va_list args;
    int code;

    va_start(args, types);
    code = bind(db, &statement, err, sql, types, args);
    va_end(args);
    if (code == 0)
        code = db_step(db, statement, err);
    sqlite3_finalize(statement);
    return code < 0 ? code : 0;
}

int db_number(struct db *db, const char *sql, int64_t *out, weir_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = db_bind(db, &statement, err, sql, "");

    if (code == 0)
        code = db_step(db, statement, err);
    if (code == 1)
        *out = db_i64(statement, 0);
    sqlite3_finalize(statement);
    return code < 0 ? code : 0;
}

uint64_t db_u64(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

int64_t db_i64(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_int64(statement, column);
}

const char *db_text(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);

    return text != NULL ? (const char *)text : "";
}

const void *db_bytes(sqlite3_stmt *statement, int column, size_t *size_out)
{
    const void *data = sqlite3_column_blob(statement, column);

    *size_out = (size_t)sqlite3_column_bytes(statement, column);
    return data != NULL ? data : "";
}

int db_begin(struct db *db, weir_error *err)
{
    return db_run(db, "BEGIN IMMEDIATE", err);
}

int db_commit(struct db *db, weir_error *err)
{
    return db_run(db, "COMMIT", err);
}

void db_rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}
