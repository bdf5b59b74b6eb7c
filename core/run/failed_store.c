/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * failed_store.c - failed items in a SQLite file. Runs in the keeper of a run,
 * which writes, and in commands that read; never in a worker or a supervisor.
 *
 * A write-ahead log, so that who reads does not hold up who writes; and a sync
 * with each commit, since a commit here is followed by one that forgets the
 * item (keeper.c).
 *
 * A seal is a hash of what a row is to hold: SQLite sees what has no longer the
 * form of a database, but not a bit that has turned over in an item, and a
 * replay would make something else of that.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "journal/db.h"
#include "run/failed_store.h"

enum {
    APPLICATION = 0x77656972, /* "weir" */
    BUSY_MS = 20000,
    ROW_BYTES = 256, /* what a row takes besides the item, roughly */
};

struct failed_store {
    struct db db; /* the first, for say() */
    bool writes;
};

static const char make_tables[] =
    "CREATE TABLE fact(name TEXT PRIMARY KEY, value, seal INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE stage(name TEXT PRIMARY KEY, task TEXT NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE param(number INTEGER PRIMARY KEY, stage TEXT NOT NULL,"
    " name TEXT NOT NULL, value TEXT NOT NULL, seal INTEGER NOT NULL);"
    "CREATE TABLE item(number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " root INTEGER NOT NULL, path INTEGER NOT NULL, stage TEXT NOT NULL,"
    " class TEXT NOT NULL, why TEXT NOT NULL, wrote TEXT NOT NULL,"
    " sentence TEXT NOT NULL,"
    " cause INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " at_ns INTEGER NOT NULL, took_ns INTEGER NOT NULL,"
    " kept INTEGER NOT NULL, size INTEGER NOT NULL, data BLOB, attrs BLOB,"
    " seal INTEGER NOT NULL,"
    " times INTEGER NOT NULL DEFAULT 1,"
    " settled_ns INTEGER NOT NULL DEFAULT 0,"
    " replayed_ns INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE(root, path, stage));"
    "CREATE INDEX item_cause ON item(cause, replayed_ns);";

/* A file that is no database is a mistake of who names it, and no damage. */
static int say(struct db *db, int result, weir_error *err)
{
    const struct failed_store *store = (const struct failed_store *)db;
    int code = result == SQLITE_NOTADB ? WEIR_ESTATE : db_code(db, result);

    return error_set(err, code, "cannot %s '%s': %s",
                     store->writes ? "write" : "read", db->path,
                     sqlite3_errmsg(db->handle));
}

static int undo_failed(struct failed_store *store, int code)
{
    if (code < 0)
        db_rollback(&store->db);
    return code;
}

static int damaged(const struct db *db, const char *what, weir_error *err)
{
    return error_set(err, WEIR_EBROKEN,
                     "'%s' is damaged: %s what was written to it", db->path,
                     what);
}

/* ---------------------------------------------------------------- seals ----
 */

static uint64_t seal_text(uint64_t seal, const char *text)
{
    return hash_bytes(text, strlen(text), seal);
}

/* @kept: what is; with it the bytes are there, or not. */
static uint64_t seal_item(const struct failed_row *row, enum failed_kept kept)
{
    uint64_t seal = hash_mix(row->root, row->path);

    seal = hash_mix(hash_mix(seal, row->attempts), (uint64_t)row->at_ns);
    seal = hash_mix(hash_mix(seal, (uint64_t)row->took_ns), row->size);
    seal = seal_text(hash_mix(seal, kept), row->stage);
    seal = seal_text(seal, row->class != NULL ? row->class : "");
    seal = seal_text(seal, row->why != NULL ? row->why : "");
    seal = seal_text(seal, row->wrote != NULL ? row->wrote : "");
    seal = hash_bytes(row->attrs, row->attrs_size, seal);
    return kept == FAILED_WHOLE ? hash_bytes(row->data, row->size, seal) : seal;
}

static uint64_t seal_fact(const char *name, const void *data, size_t size)
{
    return hash_bytes(data, size, seal_text(0, name));
}

static uint64_t seal_param(const char *stage, const char *name,
                           const char *value)
{
    return seal_text(seal_text(seal_text(0, stage), name), value);
}

/* As the column is; db_text is never NULL. */
static const char *text_or_null(sqlite3_stmt *row, int column)
{
    return (const char *)sqlite3_column_text(row, column);
}

/* ---------------------------------------------------------------- open ---- */

/* 1: nothing is in it yet. */
static int check_form(struct db *db, weir_error *err)
{
    int64_t application = 0, form = 0, tables = 0;
    int code = db_number(db, "PRAGMA application_id", &application, err);

    if (code == 0)
        code = db_number(db, "PRAGMA user_version", &form, err);
    if (code == 0)
        code = db_number(db, "SELECT count(*) FROM sqlite_master", &tables,
                         err);
    if (code < 0)
        return code;
    if (application == 0 && form == 0 && tables == 0)
        return 1;
    if (application != APPLICATION)
        return error_set(err, WEIR_ESTATE, "'%s' is no file of failed items",
                         db->path);
    if (form != FAILED_FORM)
        return error_set(err, WEIR_ESTATE,
                         "'%s' has form %" PRId64 " of failed items, and this "
                         "weir reads form %d",
                         db->path, form, FAILED_FORM);
    return 0;
}

/* All in one transaction: killed in it, the file is as it was. */
static int make(struct db *db, weir_error *err)
{
    int code = db_begin(db, err);

    if (code < 0)
        return code;
    code = check_form(db, err); /* another may have made it meanwhile */
    if (code == 1) {
        code = db_run(db, make_tables, err);
        if (code == 0)
            code = db_sign(db, APPLICATION, FAILED_FORM, err);
    }
    if (code == 0)
        code = db_commit(db, err);
    if (code < 0)
        db_rollback(db);
    return code;
}

static int set_up(struct failed_store *store, weir_error *err)
{
    struct db *db = &store->db;
    int code;

    sqlite3_busy_timeout(db->handle, BUSY_MS);
    code = store->writes ? db_write_ahead(db, err) : 0;
    if (code == 0)
        code = check_form(db, err);
    if (code == 1 && store->writes)
        return make(db, err);
    if (code == 1)
        return error_set(err, -ENOENT, "'%s' has no failed items in it",
                         db->path);
    return code;
}

int failed_open(const char *file, enum failed_mode mode,
                struct failed_store **out, weir_error *err)
{
    struct failed_store *store = calloc(1, sizeof *store);
    int flags = SQLITE_OPEN_READWRITE; /* who reads mends what a kill left */
    int code;

    if (store == NULL)
        return error_sys(err, WEIR_ENOMEM, "cannot open '%s'", file);
    store->writes = mode == FAILED_WRITE;
    if (store->writes)
        flags |= SQLITE_OPEN_CREATE;
    code = db_connect(&store->db, file, flags, say, err);
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
static void put_in_one_file(struct db *db)
{
    sqlite3_busy_timeout(db->handle, 0);
    db_run(db, "PRAGMA journal_mode=DELETE", NULL);
}

void failed_close(struct failed_store **store)
{
    if (*store == NULL)
        return;
    if ((*store)->writes && (*store)->db.handle != NULL)
        put_in_one_file(&(*store)->db);
    db_close(&(*store)->db);
    free(*store);
    *store = NULL;
}

int failed_begin(struct failed_store *store, weir_error *err)
{
    return db_begin(&store->db, err);
}

int failed_commit(struct failed_store *store, weir_error *err)
{
    return undo_failed(store, db_commit(&store->db, err));
}

/* ----------------------------------------------------------------- add ---- */

static const char add_sql[] =
    "INSERT INTO item(root, path, stage, class, why, sentence, cause,"
    " attempts, at_ns, took_ns, kept, size, data, attrs, wrote, seal)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
    " ?16)"
    " ON CONFLICT(root, path, stage) DO UPDATE SET class = excluded.class,"
    " why = excluded.why, sentence = excluded.sentence,"
    " cause = excluded.cause, attempts = excluded.attempts,"
    " at_ns = excluded.at_ns, took_ns = excluded.took_ns,"
    " kept = excluded.kept, size = excluded.size, data = excluded.data,"
    " attrs = excluded.attrs, wrote = excluded.wrote, seal = excluded.seal,"
    " times = times + 1, settled_ns = 0,"
    " replayed_ns = 0"
    " WHERE at_ns <> excluded.at_ns";

static int add_row(struct failed_store *store, const struct failed_row *row,
                   const char *class, const char *why, weir_error *err)
{
    CLEANUP_BUF struct buf task = { 0 }, sentence = { 0 };
    bool whole = row->kept == FAILED_WHOLE && row->size <= FAILED_ITEM_MOST;
    enum failed_kept kept = row->kept == FAILED_WHOLE && !whole
                                ? FAILED_TOO_LARGE
                                : row->kept;
    int code = failed_task(store, row->stage, &task, err);

    if (code < 0 && code != WEIR_EEMPTY)
        return code;
    if (failed_sentence(&sentence, why) < 0)
        return error_sys(err, WEIR_ENOMEM, "cannot keep an item");
    return db_do(&store->db, err, add_sql, "uuttttuuiiuubbtu", row->root,
                 row->path, row->stage, class, why, sentence.data,
                 (uint64_t)failed_cause(task.data != NULL ? task.data
                                                          : row->stage,
                                        class, sentence.data),
                 (uint64_t)row->attempts, row->at_ns, row->took_ns,
                 (uint64_t)kept, row->size, row->data,
                 whole ? (size_t)row->size : 0, row->attrs, row->attrs_size,
                 row->wrote != NULL ? row->wrote : "", seal_item(row, kept));
}

int failed_add(struct failed_store *store, const struct failed_row *row,
               weir_error *err)
{
    return undo_failed(store,
                       add_row(store, row, row->class != NULL ? row->class : "",
                               row->why != NULL ? row->why : "", err));
}

int failed_set_settled(struct failed_store *store, uint64_t root, uint64_t path,
                       const char *stage, int64_t at_ns, weir_error *err)
{
    return undo_failed(
        store, db_do(&store->db, err,
                     "UPDATE item SET settled_ns = ?4 WHERE root = ?1 AND"
                     " path = ?2 AND stage = ?3 AND replayed_ns = 0",
                     "uuti", root, path, stage, at_ns));
}

int failed_end_replay(struct failed_store *store, bool end, weir_error *err)
{
    return undo_failed(store,
                       db_run(&store->db,
                              end ? "UPDATE item SET replayed_ns = settled_ns,"
                                    " settled_ns = 0 WHERE settled_ns <> 0"
                                  : "UPDATE item SET settled_ns = 0"
                                    " WHERE settled_ns <> 0",
                              err));
}

/* --------------------------------------------------------------- facts ---- */

int failed_set_fact(struct failed_store *store, const char *name,
                    const void *data, size_t size, weir_error *err)
{
    return undo_failed(store,
                       db_do(&store->db, err,
                             "INSERT OR REPLACE INTO fact VALUES(?1, ?2, ?3)",
                             "tbu", name, data, size,
                             seal_fact(name, data, size)));
}

static int add_bytes(struct failed_store *store, sqlite3_stmt *row,
                     struct buf *out, weir_error *err)
{
    size_t size;
    const void *data = db_bytes(row, 0, &size);

    if (buf_reserve(out, 1) < 0 || buf_add(out, data, size) < 0)
        return error_sys(err, WEIR_ENOMEM, "cannot read '%s'", store->db.path);
    out->data[out->size] = '\0';
    return 0;
}

/* The first column of the first row of a question about @name. */
static int find(struct failed_store *store, const char *sql, const char *name,
                struct buf *out, weir_error *err)
{
    sqlite3_stmt *row = NULL;
    int code = db_bind(&store->db, &row, err, sql, "t", name);

    if (code == 0)
        code = db_step(&store->db, row, err);
    if (code >= 0)
        code = code == 1 ? add_bytes(store, row, out, err) : WEIR_EEMPTY;
    sqlite3_finalize(row);
    return code;
}

int failed_fact(struct failed_store *store, const char *name, struct buf *out,
                weir_error *err)
{
    sqlite3_stmt *row = NULL;
    size_t before = out->size;
    int code = db_bind(&store->db, &row, err,
                       "SELECT value, seal FROM fact WHERE name = ?1", "t",
                       name);

    if (code == 0)
        code = db_step(&store->db, row, err);
    if (code >= 0)
        code = code == 1 ? add_bytes(store, row, out, err) : WEIR_EEMPTY;
    if (code == 0 && db_u64(row, 1) != seal_fact(name, out->data + before,
                                                 out->size - before))
        code = damaged(&store->db, "a fact of the run is not", err);
    sqlite3_finalize(row);
    return code;
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
    struct db *db = &store->db;
    int code = db_do(db, err, "INSERT OR REPLACE INTO stage VALUES(?1, ?2)",
                     "tt", stage, task);

    if (code == 0) /* they are told anew */
        code = db_do(db, err, "DELETE FROM param WHERE stage = ?1", "t", stage);
    return undo_failed(store, code);
}

int failed_set_param(struct failed_store *store, const char *stage,
                     const char *name, const char *value, weir_error *err)
{
    return undo_failed(store, db_do(&store->db, err,
                                    "INSERT INTO param(stage, name, value,"
                                    " seal) VALUES(?1, ?2, ?3, ?4)",
                                    "tttu", stage, name, value,
                                    seal_param(stage, name, value)));
}

int failed_params(struct failed_store *store, const char *stage,
                  failed_param_fn *fn, void *arg, weir_error *err)
{
    sqlite3_stmt *row = NULL;
    int code = db_bind(&store->db, &row, err,
                       "SELECT name, value, seal FROM param WHERE stage = ?1"
                       " ORDER BY number",
                       "t", stage);

    while (code == 0 && (code = db_step(&store->db, row, err)) == 1)
        code = db_u64(row, 2) ==
                       seal_param(stage, db_text(row, 0), db_text(row, 1))
                   ? fn(arg, db_text(row, 0), db_text(row, 1))
                   : damaged(&store->db, "a parameter is not", err);
    sqlite3_finalize(row);
    return code;
}

/* ---------------------------------------------------------------- look ---- */

static const char row_sql[] =
    "SELECT root, path, stage, class, why, attempts, at_ns, took_ns, kept,"
    " size, times, replayed_ns, cause, sentence,"
    " (SELECT task FROM stage WHERE name = item.stage), length(attrs), number,"
    " CASE WHEN ?9 THEN data END, CASE WHEN ?9 THEN attrs END, wrote, seal"
    " FROM item WHERE (?1 = 0 OR cause = ?2)"
    " AND (?3 = 0 OR (root = ?4 AND path = ?5))"
    " AND (?6 IS NULL OR stage = ?6) AND (?7 <> 0 OR replayed_ns = 0)"
    " AND number > ?8"
    " ORDER BY number";

static struct failed_row row_of(sqlite3_stmt *row)
{
    return (struct failed_row){
        .root = db_u64(row, 0),
        .path = db_u64(row, 1),
        .stage = db_text(row, 2),
        .class = db_text(row, 3),
        .why = db_text(row, 4),
        .attempts = (unsigned)db_u64(row, 5),
        .at_ns = db_i64(row, 6),
        .took_ns = db_i64(row, 7),
        .kept = (enum failed_kept)db_i64(row, 8),
        .size = db_u64(row, 9),
        .times = (unsigned)db_u64(row, 10),
        .replayed_ns = db_i64(row, 11),
        .cause = (uint32_t)db_u64(row, 12),
        .sentence = db_text(row, 13),
        .task = text_or_null(row, 14),
        .attrs_size = (size_t)db_u64(row, 15),
        .number = db_i64(row, 16),
        .data = sqlite3_column_blob(row, 17),
        .attrs = sqlite3_column_blob(row, 18),
        .wrote = db_text(row, 19),
    };
}

/* What the row says of its bytes is what there is of them; and with all of
 * them, it is what was written. */
static bool is_sound(const struct failed_row *at, bool bytes, sqlite3_stmt *row)
{
    uint64_t size = (uint64_t)sqlite3_column_bytes(row, 17);

    if (size != (bytes && at->kept == FAILED_WHOLE ? at->size : 0))
        return false;
    if (!bytes)
        return true;
    return (size_t)sqlite3_column_bytes(row, 18) == at->attrs_size &&
           seal_item(at, at->kept) == db_u64(row, 20);
}

int failed_each(struct failed_store *store, const struct failed_filter *filter,
                bool bytes, failed_row_fn *fn, void *arg, weir_error *err)
{
    sqlite3_stmt *row = NULL;
    int code = db_bind(&store->db, &row, err, row_sql, "uuuuutuiu",
                       (uint64_t)filter->by_cause, (uint64_t)filter->cause,
                       (uint64_t)filter->by_id, filter->root, filter->path,
                       filter->stage, (uint64_t)filter->with_replayed,
                       filter->after, (uint64_t)bytes);

    while (code == 0 && (code = db_step(&store->db, row, err)) == 1) {
        struct failed_row at = row_of(row);

        code = is_sound(&at, bytes, row)
                   ? fn(arg, &at)
                   : damaged(&store->db, "an item is not", err);
    }
    sqlite3_finalize(row);
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

static struct failed_group group_of(sqlite3_stmt *row)
{
    return (struct failed_group){
        .cause = (uint32_t)db_u64(row, 0),
        .stage = db_text(row, 1),
        .task = text_or_null(row, 2),
        .class = db_text(row, 3),
        .sentence = db_text(row, 4),
        .count = db_u64(row, 5),
        .replayed = db_u64(row, 6),
        .first_ns = db_i64(row, 7),
        .last_ns = db_i64(row, 8),
        .root = db_u64(row, 9),
        .path = db_u64(row, 10),
    };
}

int failed_groups(struct failed_store *store, failed_group_fn *fn, void *arg,
                  weir_error *err)
{
    sqlite3_stmt *row = NULL;
    int code = db_bind(&store->db, &row, err, groups_sql, "");

    while (code == 0 && (code = db_step(&store->db, row, err)) == 1) {
        struct failed_group group = group_of(row);

        code = fn(arg, &group);
    }
    sqlite3_finalize(row);
    return code;
}

/* --------------------------------------------------------------- prune ---- */

/* Kept first: what is still to be done, and of it the newest. */
static const char prune_sql[] =
    "DELETE FROM item WHERE at_ns < ?1 OR number IN (SELECT number FROM"
    " (SELECT number, sum(coalesce(length(data), 0) + length(attrs)"
    " + length(wrote) + ?3)"
    " OVER (ORDER BY replayed_ns = 0 DESC, number DESC) AS upto FROM item"
    " WHERE at_ns >= ?1) WHERE upto > ?2)";

int failed_prune(struct failed_store *store, uint64_t most_bytes,
                 int64_t oldest_ns, weir_error *err)
{
    struct db *db = &store->db;
    int64_t most = most_bytes > 0 && most_bytes < INT64_MAX
                       ? (int64_t)most_bytes
                       : INT64_MAX;
    int code = db_do(db, err, prune_sql, "iii", oldest_ns, most,
                     (int64_t)ROW_BYTES);
    int gone = code == 0 ? sqlite3_changes(db->handle) : 0;

    if (gone > 0)
        code =
            db_do(db, err,
                  "INSERT INTO fact VALUES('gone', ?1, 0) ON CONFLICT(name) DO"
                  " UPDATE SET value = value + excluded.value",
                  "i", (int64_t)gone);
    return undo_failed(store, code);
}

int failed_gone(struct failed_store *store, uint64_t *count_out,
                weir_error *err)
{
    int64_t count = 0;
    int code = db_number(&store->db,
                         "SELECT value FROM fact WHERE name = 'gone'", &count,
                         err);

    if (code == 0)
        *count_out = (uint64_t)count;
    return code;
}

int failed_last(struct failed_store *store, int64_t *number_out,
                weir_error *err)
{
    return db_number(&store->db, "SELECT coalesce(max(number), 0) FROM item",
                     number_out, err);
}

int failed_cut(struct failed_store *store, int64_t number, weir_error *err)
{
    return undo_failed(store, db_do(&store->db, err,
                                    "DELETE FROM item WHERE number > ?1", "i",
                                    number));
}
