/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * failed_store.c - failed items in a SQLite file. Runs in the keeper of a run,
 * which writes, and in commands that read; never in a worker or a supervisor.
 *
 * A write-ahead log, so that who reads does not hold up who writes; and a sync
 * with each commit, since a commit here is followed by one that forgets the
 * item (keeper.c).
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/failed_store.h"

enum {
    APPLICATION = 0x77656972, /* "weir" */
    BUSY_MS = 20000,
    ROW_BYTES = 256, /* what a row takes besides the item, roughly */
};

struct failed_store {
    sqlite3 *db;
    char *file;
    bool writes;
};

static const char make_tables[] =
    "CREATE TABLE fact(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE stage(name TEXT PRIMARY KEY, task TEXT NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE param(number INTEGER PRIMARY KEY, stage TEXT NOT NULL,"
    " name TEXT NOT NULL, value TEXT NOT NULL);"
    "CREATE TABLE item(number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " root INTEGER NOT NULL, path INTEGER NOT NULL, stage TEXT NOT NULL,"
    " class TEXT NOT NULL, why TEXT NOT NULL, sentence TEXT NOT NULL,"
    " cause INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " at_ns INTEGER NOT NULL, took_ns INTEGER NOT NULL,"
    " kept INTEGER NOT NULL, size INTEGER NOT NULL, data BLOB, attrs BLOB,"
    " times INTEGER NOT NULL DEFAULT 1,"
    " settled_ns INTEGER NOT NULL DEFAULT 0,"
    " replayed_ns INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE(root, path, stage));"
    "CREATE INDEX item_cause ON item(cause, replayed_ns);";

/* -------------------------------------------------------------- errors ---- */

static int code_of(const struct failed_store *store)
{
    switch (sqlite3_errcode(store->db)) {
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
        return WEIR_EBROKEN;
    case SQLITE_NOTADB:
        return WEIR_ESTATE;
    case SQLITE_TOOBIG:
        return WEIR_ETOOBIG;
    case SQLITE_CANTOPEN:
        errno = sqlite3_system_errno(store->db);
        return errno > 0 ? -errno : -EIO;
    default:
        return -EIO;
    }
}

static int broken(struct failed_store *store, weir_error *err)
{
    int code = code_of(store);

    error_set(err, code, "cannot %s '%s': %s", store->writes ? "write" : "read",
              store->file, sqlite3_errmsg(store->db));
    return code;
}

static int exec(struct failed_store *store, const char *sql, weir_error *err)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return broken(store, err);
    return 0;
}

static int prepare(struct failed_store *store, const char *sql,
                   sqlite3_stmt **out, weir_error *err)
{
    if (sqlite3_prepare_v2(store->db, sql, -1, out, NULL) != SQLITE_OK)
        return broken(store, err);
    return 0;
}

/* The last step of a statement that gives no rows; ends it. */
static int finish(struct failed_store *store, sqlite3_stmt *stmt,
                  weir_error *err)
{
    int step = sqlite3_step(stmt);
    int code = step == SQLITE_DONE || step == SQLITE_ROW ? 0
                                                         : broken(store, err);

    sqlite3_finalize(stmt);
    return code;
}

static void bind_u64(sqlite3_stmt *stmt, int at, uint64_t value)
{
    sqlite3_bind_int64(stmt, at, (sqlite3_int64)value);
}

static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    sqlite3_bind_text(stmt, at, text != NULL ? text : "", -1, SQLITE_STATIC);
}

static const char *column_text(sqlite3_stmt *stmt, int at)
{
    return (const char *)sqlite3_column_text(stmt, at);
}

/* ---------------------------------------------------------------- open ---- */

static int number_of(struct failed_store *store, const char *sql, int64_t *out,
                     weir_error *err)
{
    sqlite3_stmt *stmt;
    int code = prepare(store, sql, &stmt, err), step;

    if (code < 0)
        return code;
    step = sqlite3_step(stmt);
    if (step == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    else
        code = step == SQLITE_DONE ? WEIR_EEMPTY : broken(store, err);
    sqlite3_finalize(stmt);
    return code;
}

static int check_form(struct failed_store *store, weir_error *err)
{
    int64_t application = 0, form = 0, tables = 0;
    int code = number_of(store, "PRAGMA application_id", &application, err);

    if (code == 0)
        code = number_of(store, "PRAGMA user_version", &form, err);
    if (code == 0)
        code = number_of(store, "SELECT count(*) FROM sqlite_master", &tables,
                         err);
    if (code < 0)
        return code;
    if (application == 0 && form == 0 && tables == 0)
        return 1; /* nothing is in it yet */
    if (application != APPLICATION)
        return error_set(err, WEIR_ESTATE, "'%s' is no file of failed items",
                         store->file);
    if (form != FAILED_FORM)
        return error_set(err, WEIR_ESTATE,
                         "'%s' has form %" PRId64 " of failed items, and this "
                         "weir reads form %d",
                         store->file, form, FAILED_FORM);
    return 0;
}

/* All in one transaction: killed in it, the file is as it was. */
static int make(struct failed_store *store, weir_error *err)
{
    char pragmas[128];
    int code = exec(store, "BEGIN IMMEDIATE", err);

    if (code < 0)
        return code;
    code = check_form(store, err); /* another may have made it meanwhile */
    if (code == 1) {
        snprintf(pragmas, sizeof pragmas,
                 "PRAGMA application_id=%d; PRAGMA user_version=%d;",
                 APPLICATION, FAILED_FORM);
        code = exec(store, make_tables, err);
        if (code == 0)
            code = exec(store, pragmas, err);
    }
    if (code == 0)
        code = exec(store, "COMMIT", err);
    if (code != 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

static int set_up(struct failed_store *store, weir_error *err)
{
    int code;

    sqlite3_extended_result_codes(store->db, 0);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    if (store->writes) {
        code = exec(store, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
                    err);
        if (code < 0)
            return code;
    }
    code = check_form(store, err);
    if (code == 1 && store->writes)
        return make(store, err);
    if (code == 1)
        return error_set(err, -ENOENT, "'%s' has no failed items in it",
                         store->file);
    return code;
}

static int connect(struct failed_store *store, weir_error *err)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE;
    int result;

    if (store->writes)
        flags |= SQLITE_OPEN_CREATE;
    result = sqlite3_open_v2(store->file, &store->db, flags, NULL);
    if (result == SQLITE_OK)
        return 0;
    if (store->db == NULL)
        return error_sys(err, WEIR_ENOMEM, "cannot open '%s'", store->file);
    return error_sys(err, code_of(store), "cannot open '%s'", store->file);
}

int failed_open(const char *file, enum failed_mode mode,
                struct failed_store **out, weir_error *err)
{
    struct failed_store *store = calloc(1, sizeof *store);
    int code = WEIR_ENOMEM;

    if (store != NULL)
        store->file = strdup(file);
    if (store == NULL || store->file == NULL) {
        free(store);
        return error_sys(err, code, "cannot open '%s'", file);
    }
    store->writes = mode == FAILED_WRITE;
    code = connect(store, err);
    if (code == 0)
        code = set_up(store, err);
    if (code < 0)
        failed_close(&store);
    else
        *out = store;
    return code;
}

/* Without a log beside it, it can be read where nothing can be written. Not
 * while somebody reads: then it stays as it is. */
static void put_in_one_file(struct failed_store *store)
{
    sqlite3_busy_timeout(store->db, 0);
    sqlite3_exec(store->db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
}

void failed_close(struct failed_store **store)
{
    if (*store == NULL)
        return;
    if ((*store)->writes && (*store)->db != NULL)
        put_in_one_file(*store);
    sqlite3_close((*store)->db);
    free((*store)->file);
    free(*store);
    *store = NULL;
}

int failed_begin(struct failed_store *store, weir_error *err)
{
    return exec(store, "BEGIN IMMEDIATE", err);
}

static void undo(struct failed_store *store)
{
    if (sqlite3_get_autocommit(store->db) == 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

int failed_commit(struct failed_store *store, weir_error *err)
{
    int code = exec(store, "COMMIT", err);

    if (code < 0)
        undo(store);
    return code;
}

/* ----------------------------------------------------------------- add ---- */

static const char add_sql[] =
    "INSERT INTO item(root, path, stage, class, why, sentence, cause,"
    " attempts, at_ns, took_ns, kept, size, data, attrs)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
    " ON CONFLICT(root, path, stage) DO UPDATE SET class = excluded.class,"
    " why = excluded.why, sentence = excluded.sentence,"
    " cause = excluded.cause, attempts = excluded.attempts,"
    " at_ns = excluded.at_ns, took_ns = excluded.took_ns,"
    " kept = excluded.kept, size = excluded.size, data = excluded.data,"
    " attrs = excluded.attrs, times = times + 1, settled_ns = 0,"
    " replayed_ns = 0"
    " WHERE at_ns <> excluded.at_ns";

static int bind_row(struct failed_store *store, sqlite3_stmt *stmt,
                    const struct failed_row *row, const char *sentence,
                    uint32_t cause)
{
    bool whole = row->kept == FAILED_WHOLE && row->size <= FAILED_ITEM_MOST;
    enum failed_kept kept = row->kept == FAILED_WHOLE && !whole
                                ? FAILED_TOO_LARGE
                                : row->kept;
    const char *data = row->data != NULL ? row->data : "";
    const char *attrs = row->attrs != NULL ? row->attrs : "";

    bind_u64(stmt, 1, row->root);
    bind_u64(stmt, 2, row->path);
    bind_text(stmt, 3, row->stage);
    bind_text(stmt, 4, row->class);
    bind_text(stmt, 5, row->why);
    bind_text(stmt, 6, sentence);
    bind_u64(stmt, 7, cause);
    bind_u64(stmt, 8, row->attempts);
    sqlite3_bind_int64(stmt, 9, row->at_ns);
    sqlite3_bind_int64(stmt, 10, row->took_ns);
    bind_u64(stmt, 11, kept);
    bind_u64(stmt, 12, row->size);
    if (whole)
        sqlite3_bind_blob64(stmt, 13, data, row->size, SQLITE_STATIC);
    sqlite3_bind_blob64(stmt, 14, attrs, row->attrs_size, SQLITE_STATIC);
    return sqlite3_errcode(store->db) == SQLITE_NOMEM ? WEIR_ENOMEM : 0;
}

int failed_add(struct failed_store *store, const struct failed_row *row,
               weir_error *err)
{
    CLEANUP_BUF struct buf task = { 0 }, sentence = { 0 };
    const char *class = row->class != NULL ? row->class : "";
    sqlite3_stmt *stmt;
    int code = failed_task(store, row->stage, &task, err);

    if (code < 0 && code != WEIR_EEMPTY)
        return undo(store), code;
    if (failed_sentence(&sentence, row->why != NULL ? row->why : "") < 0)
        return undo(store), error_sys(err, WEIR_ENOMEM, "cannot keep an item");
    code = prepare(store, add_sql, &stmt, err);
    if (code == 0) {
        bind_row(store, stmt, row, sentence.data,
                 failed_cause(task.data != NULL ? task.data : row->stage, class,
                              sentence.data));
        code = finish(store, stmt, err);
    }
    if (code < 0)
        undo(store);
    return code;
}

int failed_set_settled(struct failed_store *store, uint64_t root, uint64_t path,
                       const char *stage, int64_t at_ns, weir_error *err)
{
    sqlite3_stmt *stmt;
    int code = prepare(store,
                       "UPDATE item SET settled_ns = ?4 WHERE root = ?1 AND"
                       " path = ?2 AND stage = ?3 AND replayed_ns = 0",
                       &stmt, err);

    if (code == 0) {
        bind_u64(stmt, 1, root);
        bind_u64(stmt, 2, path);
        bind_text(stmt, 3, stage);
        sqlite3_bind_int64(stmt, 4, at_ns);
        code = finish(store, stmt, err);
    }
    if (code < 0)
        undo(store);
    return code;
}

int failed_end_replay(struct failed_store *store, bool end, weir_error *err)
{
    int code = exec(store,
                    end ? "UPDATE item SET replayed_ns = settled_ns,"
                          " settled_ns = 0 WHERE settled_ns <> 0"
                        : "UPDATE item SET settled_ns = 0"
                          " WHERE settled_ns <> 0",
                    err);

    if (code < 0)
        undo(store);
    return code;
}

/* --------------------------------------------------------------- facts ---- */

static int set_words(struct failed_store *store, const char *sql,
                     const char *const *words, weir_error *err)
{
    sqlite3_stmt *stmt;
    int code = prepare(store, sql, &stmt, err);

    for (int i = 0; code == 0 && words[i] != NULL; i++)
        bind_text(stmt, i + 1, words[i]);
    if (code == 0)
        code = finish(store, stmt, err);
    if (code < 0)
        undo(store);
    return code;
}

int failed_set_fact(struct failed_store *store, const char *name,
                    const void *data, size_t size, weir_error *err)
{
    sqlite3_stmt *stmt;
    int code = prepare(store, "INSERT OR REPLACE INTO fact VALUES(?1, ?2)",
                       &stmt, err);

    if (code == 0) {
        bind_text(stmt, 1, name);
        sqlite3_bind_blob64(stmt, 2, data != NULL ? data : "", size,
                            SQLITE_STATIC);
        code = finish(store, stmt, err);
    }
    if (code < 0)
        undo(store);
    return code;
}

/* The first column of the first row of a question about @name. */
static int find(struct failed_store *store, const char *sql, const char *name,
                struct buf *out, weir_error *err)
{
    sqlite3_stmt *stmt;
    int code = prepare(store, sql, &stmt, err), step;

    if (code < 0)
        return code;
    bind_text(stmt, 1, name);
    step = sqlite3_step(stmt);
    if (step == SQLITE_DONE)
        code = WEIR_EEMPTY;
    else if (step != SQLITE_ROW)
        code = broken(store, err);
    else if (buf_reserve(out, 1) < 0 ||
             buf_add(out, sqlite3_column_blob(stmt, 0),
                     (size_t)sqlite3_column_bytes(stmt, 0)) < 0)
        code = error_sys(err, WEIR_ENOMEM, "cannot read '%s'", store->file);
    else
        out->data[out->size] = '\0';
    sqlite3_finalize(stmt);
    return code;
}

int failed_fact(struct failed_store *store, const char *name, struct buf *out,
                weir_error *err)
{
    return find(store, "SELECT value FROM fact WHERE name = ?1", name, out,
                err);
}

int failed_task(struct failed_store *store, const char *stage, struct buf *out,
                weir_error *err)
{
    return find(store, "SELECT task FROM stage WHERE name = ?1", stage, out,
                err);
}

int failed_set_stage(struct failed_store *store, const char *stage,
                     const char *task, weir_error *err)
{
    const char *const words[] = { stage, task, NULL };
    int code = set_words(store, "INSERT OR REPLACE INTO stage VALUES(?1, ?2)",
                         words, err);

    if (code == 0) /* they are told anew */
        code = set_words(store, "DELETE FROM param WHERE stage = ?1",
                         (const char *const[]){ stage, NULL }, err);
    return code;
}

int failed_set_param(struct failed_store *store, const char *stage,
                     const char *name, const char *value, weir_error *err)
{
    const char *const words[] = { stage, name, value, NULL };

    return set_words(store,
                     "INSERT INTO param(stage, name, value)"
                     " VALUES(?1, ?2, ?3)",
                     words, err);
}

int failed_params(struct failed_store *store, const char *stage,
                  failed_param_fn *fn, void *arg, weir_error *err)
{
    sqlite3_stmt *stmt;
    int code = prepare(store,
                       "SELECT name, value FROM param WHERE stage = ?1"
                       " ORDER BY number",
                       &stmt, err);
    int step = SQLITE_ROW;

    if (code < 0)
        return code;
    bind_text(stmt, 1, stage);
    while (code == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW)
        code = fn(arg, column_text(stmt, 0), column_text(stmt, 1));
    if (code == 0 && step != SQLITE_DONE)
        code = broken(store, err);
    sqlite3_finalize(stmt);
    return code;
}

/* ---------------------------------------------------------------- look ---- */

static const char row_sql[] =
    "SELECT root, path, stage, class, why, attempts, at_ns, took_ns, kept,"
    " size, times, replayed_ns, cause, sentence,"
    " (SELECT task FROM stage WHERE name = item.stage), length(attrs), number%s"
    " FROM item WHERE (?1 = 0 OR cause = ?2)"
    " AND (?3 = 0 OR (root = ?4 AND path = ?5))"
    " AND (?6 = '' OR stage = ?6) AND (?7 <> 0 OR replayed_ns = 0)"
    " AND number > ?8"
    " ORDER BY number";

static struct failed_row row_of(sqlite3_stmt *stmt, bool bytes)
{
    struct failed_row row = {
        .root = (uint64_t)sqlite3_column_int64(stmt, 0),
        .path = (uint64_t)sqlite3_column_int64(stmt, 1),
        .stage = column_text(stmt, 2),
        .class = column_text(stmt, 3),
        .why = column_text(stmt, 4),
        .attempts = (unsigned)sqlite3_column_int64(stmt, 5),
        .at_ns = sqlite3_column_int64(stmt, 6),
        .took_ns = sqlite3_column_int64(stmt, 7),
        .kept = (enum failed_kept)sqlite3_column_int(stmt, 8),
        .size = (uint64_t)sqlite3_column_int64(stmt, 9),
        .times = (unsigned)sqlite3_column_int64(stmt, 10),
        .replayed_ns = sqlite3_column_int64(stmt, 11),
        .cause = (uint32_t)sqlite3_column_int64(stmt, 12),
        .sentence = column_text(stmt, 13),
        .task = column_text(stmt, 14),
        .attrs_size = (size_t)sqlite3_column_int64(stmt, 15),
        .number = sqlite3_column_int64(stmt, 16),
    };

    if (bytes) {
        row.data = sqlite3_column_blob(stmt, 17);
        row.attrs = sqlite3_column_blob(stmt, 18);
    }
    return row;
}

static void bind_filter(sqlite3_stmt *stmt, const struct failed_filter *filter)
{
    bind_u64(stmt, 1, filter->by_cause);
    bind_u64(stmt, 2, filter->cause);
    bind_u64(stmt, 3, filter->by_id);
    bind_u64(stmt, 4, filter->root);
    bind_u64(stmt, 5, filter->path);
    bind_text(stmt, 6, filter->stage);
    bind_u64(stmt, 7, filter->with_replayed);
    sqlite3_bind_int64(stmt, 8, filter->after);
}

int failed_each(struct failed_store *store, const struct failed_filter *filter,
                bool bytes, failed_row_fn *fn, void *arg, weir_error *err)
{
    char sql[sizeof row_sql + 32];
    sqlite3_stmt *stmt;
    int code, step = SQLITE_ROW;

    snprintf(sql, sizeof sql, row_sql, bytes ? ", data, attrs" : "");
    code = prepare(store, sql, &stmt, err);
    if (code < 0)
        return code;
    bind_filter(stmt, filter);
    while (code == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct failed_row row = row_of(stmt, bytes);

        code = fn(arg, &row);
    }
    if (code == 0 && step != SQLITE_DONE)
        code = broken(store, err);
    sqlite3_finalize(stmt);
    return code;
}

/* The first that is still to be done, else the first: with min() and no other
 * aggregate, SQLite's bare columns would be of that row; a subquery says it. */
static const char groups_sql[] =
    "SELECT g.cause, i.stage,"
    " (SELECT task FROM stage WHERE name = i.stage), i.class, i.sentence,"
    " g.open, g.done, g.first, g.last, i.root, i.path"
    " FROM (SELECT cause, sum(replayed_ns = 0) AS open,"
    " sum(replayed_ns <> 0) AS done, min(at_ns) AS first, max(at_ns) AS last,"
    " coalesce(min(CASE WHEN replayed_ns = 0 THEN number END), min(number))"
    " AS example FROM item GROUP BY cause) AS g"
    " JOIN item AS i ON i.number = g.example"
    " ORDER BY g.open DESC, g.done DESC, g.example";

int failed_groups(struct failed_store *store, failed_group_fn *fn, void *arg,
                  weir_error *err)
{
    sqlite3_stmt *stmt;
    int code = prepare(store, groups_sql, &stmt, err), step = SQLITE_ROW;

    if (code < 0)
        return code;
    while (code == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct failed_group group = {
            .cause = (uint32_t)sqlite3_column_int64(stmt, 0),
            .stage = column_text(stmt, 1),
            .task = column_text(stmt, 2),
            .class = column_text(stmt, 3),
            .sentence = column_text(stmt, 4),
            .count = (uint64_t)sqlite3_column_int64(stmt, 5),
            .replayed = (uint64_t)sqlite3_column_int64(stmt, 6),
            .first_ns = sqlite3_column_int64(stmt, 7),
            .last_ns = sqlite3_column_int64(stmt, 8),
            .root = (uint64_t)sqlite3_column_int64(stmt, 9),
            .path = (uint64_t)sqlite3_column_int64(stmt, 10),
        };

        code = fn(arg, &group);
    }
    if (code == 0 && step != SQLITE_DONE)
        code = broken(store, err);
    sqlite3_finalize(stmt);
    return code;
}

/* --------------------------------------------------------------- prune ---- */

/* Kept first: what is still to be done, and of it the newest. */
static const char prune_sql[] =
    "DELETE FROM item WHERE at_ns < ?1 OR number IN (SELECT number FROM"
    " (SELECT number, sum(coalesce(length(data), 0) + length(attrs) + ?3)"
    " OVER (ORDER BY replayed_ns = 0 DESC, number DESC) AS upto FROM item"
    " WHERE at_ns >= ?1) WHERE upto > ?2)";

static int delete_rows(struct failed_store *store, const char *sql,
                       const int64_t *numbers, int count, weir_error *err)
{
    sqlite3_stmt *stmt;
    int code = prepare(store, sql, &stmt, err);

    for (int i = 0; code == 0 && i < count; i++)
        sqlite3_bind_int64(stmt, i + 1, numbers[i]);
    if (code == 0)
        code = finish(store, stmt, err);
    if (code < 0)
        undo(store);
    return code < 0 ? code : sqlite3_changes(store->db);
}

int failed_prune(struct failed_store *store, uint64_t most_bytes,
                 int64_t oldest_ns, weir_error *err)
{
    const int64_t numbers[] = {
        oldest_ns,
        most_bytes > 0 && most_bytes < INT64_MAX ? (int64_t)most_bytes
                                                 : INT64_MAX,
        ROW_BYTES,
    };
    char sql[160];
    int gone = delete_rows(store, prune_sql, numbers, 3, err);

    if (gone <= 0)
        return gone;
    snprintf(sql, sizeof sql,
             "INSERT INTO fact VALUES('gone', %d) ON CONFLICT(name) DO UPDATE"
             " SET value = value + excluded.value",
             gone);
    return exec(store, sql, err);
}

int failed_gone(struct failed_store *store, uint64_t *count_out,
                weir_error *err)
{
    int64_t count = 0;
    int code = number_of(store, "SELECT value FROM fact WHERE name = 'gone'",
                         &count, err);

    if (code < 0 && code != WEIR_EEMPTY)
        return code;
    *count_out = (uint64_t)count;
    return 0;
}

int failed_last(struct failed_store *store, int64_t *number_out,
                weir_error *err)
{
    return number_of(store, "SELECT coalesce(max(number), 0) FROM item",
                     number_out, err);
}

int failed_cut(struct failed_store *store, int64_t number, weir_error *err)
{
    int code = delete_rows(store, "DELETE FROM item WHERE number > ?1", &number,
                           1, err);

    return code < 0 ? code : 0;
}
