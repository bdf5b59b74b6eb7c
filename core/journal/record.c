/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record.c - a run's store, written. Runs in the journal process of a run. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "journal/db.h"
#include "journal/record.h"
#include "journal/schema.h"
#include "journal/seal.h"

struct record_store {
    struct db db;
};

enum { CHECKPOINTS_KEPT = 1000 }; /* their times; of the last one all */

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static const char make_tables[] =
    "CREATE TABLE run(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE fact(number INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
    " name TEXT NOT NULL, value TEXT NOT NULL, size INTEGER, dev INTEGER,"
    " ino INTEGER, born INTEGER, mtime_ns INTEGER);"
    "CREATE TABLE stage(number INTEGER PRIMARY KEY, name TEXT NOT NULL,"
    " task TEXT NOT NULL, workers INTEGER NOT NULL);"
    "CREATE TABLE queue(number INTEGER PRIMARY KEY, name TEXT NOT NULL);"
    "CREATE TABLE checkpoint(number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " at_ns INTEGER NOT NULL, reason TEXT NOT NULL, items INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, hold_ns INTEGER NOT NULL,"
    " seal INTEGER NOT NULL);"
    "CREATE TABLE published(queue INTEGER PRIMARY KEY, count INTEGER NOT NULL);"
    "CREATE TABLE slot(queue INTEGER NOT NULL, place INTEGER NOT NULL,"
    " root INTEGER NOT NULL, path INTEGER NOT NULL, skip INTEGER NOT NULL,"
    " skip_hash INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    " cause INTEGER NOT NULL, cause_code INTEGER NOT NULL,"
    " marked INTEGER NOT NULL, held INTEGER NOT NULL,"
    " ticket INTEGER NOT NULL, behind INTEGER NOT NULL,"
    " behind_of INTEGER NOT NULL, output INTEGER NOT NULL,"
    " data BLOB NOT NULL, attrs BLOB NOT NULL,"
    " PRIMARY KEY(queue, place)) WITHOUT ROWID;"
    "CREATE TABLE member(number INTEGER PRIMARY KEY, book BLOB NOT NULL,"
    " done INTEGER, failed INTEGER, skipped INTEGER, emitted INTEGER,"
    " ended INTEGER);"
    "CREATE TABLE state(member INTEGER PRIMARY KEY, sequence INTEGER NOT NULL,"
    " data BLOB NOT NULL);"
    "CREATE TABLE rename(number INTEGER PRIMARY KEY, old TEXT NOT NULL,"
    " new TEXT NOT NULL);"
    "CREATE TABLE sink(number INTEGER PRIMARY KEY, stage INTEGER NOT NULL,"
    " dev INTEGER NOT NULL, ino INTEGER NOT NULL, born INTEGER NOT NULL,"
    " length INTEGER NOT NULL, path TEXT NOT NULL);";

/* ----------------------------------------------------------------- start ----
 */

static int set_text(struct db *db, const char *name, const char *value,
                    weir_error *err)
{
    return db_do(db, err, "INSERT OR REPLACE INTO run VALUES(?,?)", "tt", name,
                 value);
}

static int set_number(struct db *db, const char *name, int64_t value,
                      weir_error *err)
{
    return db_do(db, err, "INSERT OR REPLACE INTO run VALUES(?,?)", "ti", name,
                 value);
}

static int write_facts(struct db *db, const struct record_run *run,
                       weir_error *err)
{
    int code = db_run(db, "DELETE FROM fact", err);

    for (size_t i = 0; i < run->facts.count && code == 0; i++) {
        const struct record_fact *fact = &run->facts.at[i];

        code = db_do(db, err,
                     "INSERT INTO fact(kind, name, value, size, dev, ino, "
                     "born, mtime_ns) VALUES(?,?,?,?,?,?,?,?)",
                     "tttuuuui", fact->kind, fact->name, fact->value,
                     fact->size, fact->dev, fact->ino, fact->born,
                     fact->mtime_ns);
    }
    return code;
}

static int write_graph(struct db *db, const struct record_run *run,
                       weir_error *err)
{
    int code = 0;

    for (size_t i = 0; i < run->stages.count && code == 0; i++)
        code = db_do(db, err, "INSERT INTO stage VALUES(?,?,?,?)", "itti",
                     (int64_t)i, run->stages.at[i].name, run->stages.at[i].task,
                     (int64_t)run->stages.at[i].workers);
    for (size_t i = 0; i < run->queues.count && code == 0; i++)
        code = db_do(db, err, "INSERT INTO queue VALUES(?,?)", "it", (int64_t)i,
                     run->queues.at[i]);
    return code;
}

static int write_texts(struct db *db, const struct record_run *run,
                       weir_error *err)
{
    const struct {
        const char *name, *value;
    } texts[] = { { "name", run->name }, { "version", run->version },
                  { "job", run->job },   { "file", run->file },
                  { "cwd", run->cwd },   { "command", run->command },
                  { "text", run->text }, { "kept_file", run->kept_file } };
    int code = 0;

    for (size_t i = 0; i < sizeof texts / sizeof *texts && code == 0; i++)
        if (texts[i].value != NULL)
            code = set_text(db, texts[i].name, texts[i].value, err);
    return code;
}

static int write_run(struct db *db, const struct record_run *run,
                     weir_error *err)
{
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = { { "workers", run->workers },
                    { "kept_bytes", (int64_t)run->kept_bytes },
                    { "kept_age_ns", run->kept_age_ns },
                    { "interval_ns", run->interval_ns },
                    { "book_size", sizeof(struct book) },
                    { "started_ns", now_ns() },
                    { "resumed", 0 } };
    int code = write_texts(db, run, err);

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && code == 0; i++)
        code = set_number(db, numbers[i].name, numbers[i].value, err);
    if (code == 0)
        code = write_facts(db, run, err);
    if (code == 0)
        code = write_graph(db, run, err);
    return code;
}

/* The last of what changes them. */
static int seal_run(struct db *db, weir_error *err)
{
    uint64_t seal = 0;
    int code = seal_of_run(db, &seal, err);

    return code < 0 ? code : set_number(db, "seal", (int64_t)seal, err);
}

static int in_transaction(struct db *db, int code, weir_error *err)
{
    if (code == 0)
        code = db_commit(db, err);
    if (code < 0)
        db_rollback(db);
    return code;
}

static struct record_store *new_store(weir_error *err)
{
    struct record_store *store = calloc(1, sizeof *store);

    if (store == NULL)
        error_set(err, WEIR_ENOMEM, "no memory for the journal");
    return store;
}

void record_close(struct record_store **store)
{
    if (*store == NULL)
        return;
    db_close(&(*store)->db);
    free(*store);
    *store = NULL;
}

/* All of it in one transaction: killed before its end, the file is no store and
 * says so, and nothing has begun. */
int record_create(const char *path, const struct record_run *run,
                  struct record_store **out, weir_error *err)
{
    struct record_store *store = new_store(err);
    int code = store == NULL ? WEIR_ENOMEM
                             : db_open(&store->db, path, DB_CREATE, SCHEMA_ID,
                                       SCHEMA_VERSION, err);

    WEIR_POINT("journal.file");
    if (code == 0)
        code = db_begin(&store->db, err);
    if (code == 0)
        code = db_run(&store->db, make_tables, err);
    if (code == 0)
        code = db_sign(&store->db, SCHEMA_ID, SCHEMA_VERSION, err);
    WEIR_POINT("journal.signed");
    if (code == 0)
        code = write_run(&store->db, run, err);
    if (code == 0)
        code = seal_run(&store->db, err);
    if (code == 0)
        code = in_transaction(&store->db, code, err);
    if (code < 0)
        record_close(&store);
    *out = store;
    return code;
}

/* It has not ended after all. */
static int write_resumed(struct db *db, const struct record_run *run,
                         weir_error *err)
{
    int code = db_run(db,
                      "DELETE FROM run WHERE name IN ('status', 'signal', "
                      "'why', 'ended_ns');"
                      "UPDATE run SET value = value + 1 WHERE name = 'resumed'",
                      err);

    if (code == 0)
        code = set_text(db, "text", run->text, err);
    if (code == 0)
        code = write_facts(db, run, err);
    return code == 0 ? seal_run(db, err) : code;
}

int record_resume(const char *path, const struct record_run *run,
                  struct record_store **out, weir_error *err)
{
    struct record_store *store = new_store(err);
    int code = store == NULL ? WEIR_ENOMEM
                             : db_open(&store->db, path, DB_WRITE, SCHEMA_ID,
                                       SCHEMA_VERSION, err);

    if (code == 0)
        code = db_begin(&store->db, err);
    if (code == 0)
        code = write_resumed(&store->db, run, err);
    if (code == 0)
        code = in_transaction(&store->db, code, err);
    if (code < 0)
        record_close(&store);
    *out = store;
    return code;
}

/* ------------------------------------------------------------ checkpoint ----
 */

static int write_slots(struct db *db, const struct snapshot *snapshot,
                       weir_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = 0;

    for (size_t i = 0; i < snapshot->slots.count && code == 0; i++) {
        const struct saved_slot *slot = &snapshot->slots.at[i];
        const char *bytes = snapshot->data.data + slot->at;

        code = db_bind(db, &statement, err,
                       "INSERT INTO slot "
                       "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                       "iiuuiuiiiiiuuiibb", (int64_t)slot->queue, (int64_t)i,
                       slot->root, slot->path, (int64_t)slot->skip,
                       slot->skip_hash, (int64_t)slot->attempt,
                       (int64_t)slot->cause, (int64_t)slot->cause_code,
                       (int64_t)slot->marked, (int64_t)slot->held, slot->ticket,
                       slot->behind, (int64_t)slot->from, (int64_t)slot->index,
                       bytes, (size_t)slot->size, bytes + slot->size,
                       (size_t)slot->attrs_size);
        if (code == 0)
            code = db_step(db, statement, err);
    }
    sqlite3_finalize(statement);
    return code;
}

static int write_members(struct db *db, const struct snapshot *snapshot,
                         weir_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = 0;

    for (size_t i = 0; i < snapshot->books.count && code == 0; i++) {
        const struct book *book = &snapshot->books.at[i];

        code = db_bind(db, &statement, err,
                       "INSERT INTO member VALUES(?,?,?,?,?,?,?)", "ibuuuui",
                       (int64_t)i, (const void *)book, sizeof *book, book->done,
                       book->failed, book->skipped, book->emitted,
                       (int64_t)book->ended);
        if (code == 0)
            code = db_step(db, statement, err);
    }
    sqlite3_finalize(statement);
    for (size_t i = 0; i < snapshot->published.count && code == 0; i++)
        code = db_do(db, err, "INSERT INTO published VALUES(?,?)", "iu",
                     (int64_t)i, snapshot->published.at[i]);
    return code;
}

/* One that is there already, of the same commit, is not written again. */
static int write_states(struct db *db, const record_states *states,
                        weir_error *err)
{
    int code = 0;

    for (size_t i = 0; i < states->count && code == 0; i++) {
        const struct record_state *state = &states->at[i];

        code = db_do(db, err,
                     "INSERT INTO state VALUES(?1,?2,?3) ON CONFLICT(member) "
                     "DO UPDATE SET sequence = ?2, data = ?3 "
                     "WHERE sequence != ?2",
                     "iib", (int64_t)state->member, (int64_t)state->sequence,
                     (const void *)state->data.data, state->data.size);
    }
    return code;
}

static int write_files(struct db *db, const struct snapshot *snapshot,
                       weir_error *err)
{
    int code = 0;

    for (size_t i = 0; i < snapshot->renames.count && code == 0; i++)
        code = db_do(db, err, "INSERT INTO rename(old, new) VALUES(?,?)", "tt",
                     snapshot->renames.at[i].from, snapshot->renames.at[i].to);
    for (size_t i = 0; i < snapshot->sinks.count && code == 0; i++) {
        const struct saved_sink *sink = &snapshot->sinks.at[i];

        code = db_do(db, err, "INSERT INTO sink VALUES(?,?,?,?,?,?,?)",
                     "iiuuuut", (int64_t)i, (int64_t)sink->group, sink->dev,
                     sink->ino, sink->born, sink->length, sink->path);
    }
    return code;
}

static int write_checkpoint(struct db *db, const struct snapshot *snapshot,
                            uint64_t seal, const char *reason, weir_error *err)
{
    uint64_t bytes = 0;
    int code;

    for (size_t i = 0; i < snapshot->slots.count; i++)
        bytes += snapshot->slots.at[i].size + snapshot->slots.at[i].attrs_size;
    code = db_do(db, err,
                 "INSERT INTO checkpoint(at_ns, reason, items, bytes, hold_ns, "
                 "seal) VALUES(?,?,?,?,?,?)",
                 "ituuiu", now_ns(), reason, (uint64_t)snapshot->slots.count,
                 bytes, snapshot->hold_ns, seal);
    if (code == 0)
        code = db_do(db, err,
                     "DELETE FROM checkpoint WHERE number <= (SELECT "
                     "MAX(number) FROM checkpoint) - ?",
                     "i", (int64_t)CHECKPOINTS_KEPT);
    return code;
}

int record_checkpoint(struct record_store *store,
                      const struct snapshot *snapshot,
                      const record_states *states, const char *reason,
                      weir_error *err)
{
    struct db *db = &store->db;
    int code = db_begin(db, err);

    if (code == 0)
        code = db_run(db,
                      "DELETE FROM slot; DELETE FROM member; DELETE FROM "
                      "published; DELETE FROM rename; DELETE FROM sink",
                      err);
    if (code == 0)
        code = write_slots(db, snapshot, err);
    WEIR_POINT("journal.slots");
    if (code == 0)
        code = write_members(db, snapshot, err);
    if (code == 0)
        code = write_states(db, states, err);
    if (code == 0)
        code = write_files(db, snapshot, err);
    if (code == 0)
        code = write_checkpoint(db, snapshot,
                                seal_of_checkpoint(snapshot, states), reason,
                                err);
    WEIR_POINT("journal.written");
    code = in_transaction(db, code, err);
    WEIR_POINT("journal.committed");
    return code;
}

int record_end(struct record_store *store, int status, int signal,
               const char *why, weir_error *err)
{
    struct db *db = &store->db;
    int code = db_begin(db, err);

    if (code == 0)
        code = set_number(db, "status", status, err);
    if (code == 0)
        code = set_number(db, "signal", signal, err);
    if (code == 0 && why != NULL)
        code = set_text(db, "why", why, err);
    if (code == 0)
        code = set_number(db, "ended_ns", now_ns(), err);
    if (code == 0)
        code = seal_run(db, err);
    return in_transaction(db, code, err);
}
