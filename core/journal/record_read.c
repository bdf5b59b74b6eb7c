/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record_read.c - a run's store, read. Runs in commands, which have closed it
 * before they fork. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/db.h"
#include "journal/record.h"
#include "journal/schema.h"
#include "journal/seal.h"

/* ------------------------------------------------------------------ rows ----
 */

/* Calls @row for each row; its code other than 0 ends it. */
typedef int row_fn(void *arg, sqlite3_stmt *row);

static int each(struct db *db, const char *sql, row_fn *row, void *arg,
                weir_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = db_bind(db, &statement, err, sql, ""), got = 0;

    while (code == 0 && (got = db_step(db, statement, err)) == 1) {
        code = row(arg, statement);
        if (code == WEIR_ENOMEM)
            error_set(err, code, "no memory for the journal");
    }
    sqlite3_finalize(statement);
    return got < 0 ? got : code;
}

static int run_row(void *arg, sqlite3_stmt *row)
{
    struct record_run *run = arg;
    const char *name = db_text(row, 0);
    const struct {
        const char *name;
        char **to;
    } texts[] = { { "name", &run->name },
                  { "version", &run->version },
                  { "job", &run->job },
                  { "file", &run->file },
                  { "cwd", &run->cwd },
                  { "command", &run->command },
                  { "text", &run->text },
                  { "why", &run->why },
                  { "kept_file", &run->kept_file } };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = strdup(db_text(row, 1));
            return *texts[i].to != NULL ? 0 : WEIR_ENOMEM;
        }
    if (strcmp(name, "workers") == 0)
        run->workers = (unsigned)db_i64(row, 1);
    else if (strcmp(name, "kept_bytes") == 0)
        run->kept_bytes = db_u64(row, 1);
    else if (strcmp(name, "kept_age_ns") == 0)
        run->kept_age_ns = db_i64(row, 1);
    else if (strcmp(name, "interval_ns") == 0)
        run->interval_ns = db_i64(row, 1);
    else if (strcmp(name, "started_ns") == 0)
        run->started_ns = db_i64(row, 1);
    else if (strcmp(name, "resumed") == 0)
        run->resumed = db_u64(row, 1);
    else if (strcmp(name, "ended_ns") == 0)
        run->ended_ns = db_i64(row, 1);
    else if (strcmp(name, "signal") == 0)
        run->signal = (int)db_i64(row, 1);
    else if (strcmp(name, "status") == 0) {
        run->ended = true;
        run->status = (int)db_i64(row, 1);
    }
    return 0;
}

static int fact_row(void *arg, sqlite3_stmt *row)
{
    CLEANUP_FREE char *kind = strdup(db_text(row, 0));
    CLEANUP_FREE char *name = strdup(db_text(row, 1));
    struct record_fact *fact;

    if (kind == NULL || name == NULL)
        return WEIR_ENOMEM;
    fact = record_add_fact(arg, kind, name, db_text(row, 2));
    if (fact == NULL)
        return WEIR_ENOMEM;
    fact->size = db_u64(row, 3);
    fact->dev = db_u64(row, 4);
    fact->ino = db_u64(row, 5);
    fact->born = db_u64(row, 6);
    fact->mtime_ns = db_i64(row, 7);
    return 0;
}

static int stage_row(void *arg, sqlite3_stmt *row)
{
    struct record_run *run = arg;
    struct record_stage *stage = VEC_ADD(&run->stages);

    if (stage == NULL)
        return WEIR_ENOMEM;
    stage->name = strdup(db_text(row, 0));
    stage->task = strdup(db_text(row, 1));
    stage->workers = (unsigned)db_i64(row, 2);
    return stage->name != NULL && stage->task != NULL ? 0 : WEIR_ENOMEM;
}

static int queue_row(void *arg, sqlite3_stmt *row)
{
    struct record_run *run = arg;
    char **queue = VEC_ADD(&run->queues);

    if (queue == NULL)
        return WEIR_ENOMEM;
    *queue = strdup(db_text(row, 0));
    return *queue != NULL ? 0 : WEIR_ENOMEM;
}

static int last_row(void *arg, sqlite3_stmt *row)
{
    struct record_run *run = arg;

    run->checkpoints = db_u64(row, 0);
    run->checkpoint_ns = db_i64(row, 1);
    run->items = db_u64(row, 3);
    run->bytes = db_u64(row, 4);
    run->reason = strdup(db_text(row, 2));
    return run->reason != NULL ? 0 : WEIR_ENOMEM;
}

static int open_to_read(struct db *db, const char *path, weir_error *err)
{
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        *db = (struct db){ .handle = NULL };
        return error_set(err, -ENOENT,
                         "the run has not begun: there is no '%s'; if it was "
                         "killed, nothing of it is done: start it anew",
                         path);
    }
    return db_open(db, path, DB_READ, SCHEMA_ID, SCHEMA_VERSION, err);
}

static int damaged(const struct db *db, weir_error *err)
{
    return error_set(err, WEIR_EBROKEN,
                     "'%s' is damaged: it holds something else than what was "
                     "written to it",
                     db->path);
}

static int check_seal(struct db *db, const char *sql, uint64_t seal,
                      weir_error *err)
{
    int64_t written = 0;
    int code = db_number(db, sql, &written, err);

    return code == 0 && (uint64_t)written != seal ? damaged(db, err) : code;
}

static int check_run(struct db *db, weir_error *err)
{
    uint64_t seal = 0;
    int code = seal_of_run(db, &seal, err);

    return code < 0
               ? code
               : check_seal(db, "SELECT value FROM run WHERE name = 'seal'",
                            seal, err);
}

int record_read(const char *path, struct record_run *out, weir_error *err)
{
    struct db db;
    int code = open_to_read(&db, path, err);

    *out = (struct record_run){ .text = NULL };
    if (code < 0)
        return code;
    code = db_run(&db, "BEGIN", err);
    if (code == 0)
        code = check_run(&db, err);
    if (code == 0)
        code = each(&db, "SELECT name, value FROM run", run_row, out, err);
    if (code == 0)
        code = each(&db,
                    "SELECT kind, name, value, size, dev, ino, born, "
                    "mtime_ns FROM fact ORDER BY number",
                    fact_row, out, err);
    if (code == 0)
        code = each(&db,
                    "SELECT name, task, workers FROM stage ORDER BY number",
                    stage_row, out, err);
    if (code == 0)
        code = each(&db, "SELECT name FROM queue ORDER BY number", queue_row,
                    out, err);
    if (code == 0)
        code = each(&db,
                    "SELECT number, at_ns, reason, items, bytes FROM "
                    "checkpoint ORDER BY number DESC LIMIT 1",
                    last_row, out, err);
    db_close(&db);
    if (code == 0 && (out->text == NULL || out->job == NULL ||
                      out->file == NULL || out->cwd == NULL))
        code = error_set(err, WEIR_EBROKEN, "'%s' does not say what it is of",
                         path);
    if (code < 0)
        record_run_done(out);
    else
        out->text_size = strlen(out->text);
    return code;
}

/* ------------------------------------------------------------ checkpoint ----
 */

struct reading {
    struct snapshot *out;
    record_states *states;
};

static int slot_row(void *arg, sqlite3_stmt *row)
{
    struct snapshot *out = ((struct reading *)arg)->out;
    struct saved_slot *slot = VEC_ADD(&out->slots);
    size_t size, attrs_size;
    const void *data, *attrs;

    if (slot == NULL)
        return WEIR_ENOMEM;
    data = db_bytes(row, 14, &size);
    attrs = db_bytes(row, 15, &attrs_size);
    *slot = (struct saved_slot){ .queue = (unsigned)db_i64(row, 0),
                                 .root = db_u64(row, 1),
                                 .path = db_u64(row, 2),
                                 .skip = (uint32_t)db_u64(row, 3),
                                 .skip_hash = db_u64(row, 4),
                                 .attempt = (unsigned)db_i64(row, 5),
                                 .cause = (unsigned)db_i64(row, 6),
                                 .cause_code = (int)db_i64(row, 7),
                                 .marked = db_i64(row, 8) != 0,
                                 .held = db_i64(row, 9) != 0,
                                 .ticket = db_u64(row, 10),
                                 .behind = db_u64(row, 11),
                                 .from = (uint32_t)db_u64(row, 12),
                                 .index = (uint32_t)db_u64(row, 13),
                                 .size = (uint32_t)size,
                                 .attrs_size = (uint32_t)attrs_size,
                                 .at = out->data.size };
    buf_add(&out->data, data, size);
    return buf_add(&out->data, attrs, attrs_size);
}

static int member_row(void *arg, sqlite3_stmt *row)
{
    struct snapshot *out = ((struct reading *)arg)->out;
    struct book *book = VEC_ADD(&out->books);
    uint32_t *sequence = VEC_ADD(&out->sequences);
    size_t size;
    const void *data = db_bytes(row, 0, &size);

    if (book == NULL || sequence == NULL)
        return WEIR_ENOMEM;
    if (size != sizeof *book)
        return WEIR_ESTATE;
    memcpy(book, data, size);
    return 0;
}

static int published_row(void *arg, sqlite3_stmt *row)
{
    uint64_t *count = VEC_ADD(&((struct reading *)arg)->out->published);

    if (count == NULL)
        return WEIR_ENOMEM;
    *count = db_u64(row, 0);
    return 0;
}

static int state_row(void *arg, sqlite3_stmt *row)
{
    struct record_state *state = VEC_ADD(((struct reading *)arg)->states);
    size_t size;
    const void *data = db_bytes(row, 2, &size);

    if (state == NULL)
        return WEIR_ENOMEM;
    state->member = (unsigned)db_i64(row, 0);
    state->sequence = (uint32_t)db_u64(row, 1);
    return buf_add(&state->data, data, size);
}

static int rename_row(void *arg, sqlite3_stmt *row)
{
    struct saved_rename *it = VEC_ADD(&((struct reading *)arg)->out->renames);

    if (it == NULL)
        return WEIR_ENOMEM;
    it->from = strdup(db_text(row, 0));
    it->to = strdup(db_text(row, 1));
    return it->from != NULL && it->to != NULL ? 0 : WEIR_ENOMEM;
}

static int sink_row(void *arg, sqlite3_stmt *row)
{
    struct saved_sink *sink = VEC_ADD(&((struct reading *)arg)->out->sinks);

    if (sink == NULL)
        return WEIR_ENOMEM;
    sink->group = (unsigned)db_i64(row, 0);
    sink->dev = db_u64(row, 1);
    sink->ino = db_u64(row, 2);
    sink->born = db_u64(row, 3);
    sink->length = db_u64(row, 4);
    sink->path = strdup(db_text(row, 5));
    return sink->path != NULL ? 0 : WEIR_ENOMEM;
}

/* Without any there is none to be sealed. */
static int check_checkpoint(struct db *db, const struct snapshot *is,
                            const record_states *states, weir_error *err)
{
    int64_t count = 0;
    int code = db_number(db, "SELECT count(*) FROM checkpoint", &count, err);

    if (code < 0 || (count == 0 && is->books.count == 0))
        return code;
    return check_seal(db,
                      "SELECT seal FROM checkpoint ORDER BY number DESC "
                      "LIMIT 1",
                      seal_of_checkpoint(is, states), err);
}

int record_read_checkpoint(const char *path, struct snapshot *out,
                           record_states *states, weir_error *err)
{
    static const struct {
        const char *sql;
        row_fn *row;
    } parts[] = {
        { "SELECT queue, root, path, skip, skip_hash, attempt, cause, "
          "cause_code, marked, held, ticket, behind, behind_of, output, data, "
          "attrs FROM slot ORDER BY queue, place",
          slot_row },
        { "SELECT book FROM member ORDER BY number", member_row },
        { "SELECT count FROM published ORDER BY queue", published_row },
        { "SELECT member, sequence, data FROM state", state_row },
        { "SELECT old, new FROM rename ORDER BY number", rename_row },
        { "SELECT stage, dev, ino, born, length, path FROM sink ORDER BY "
          "number",
          sink_row },
    };
    struct reading reading = { out, states };
    struct db db;
    int code = open_to_read(&db, path, err);

    if (code < 0)
        return code;
    code = db_run(&db, "BEGIN", err);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && code == 0; i++)
        code = each(&db, parts[i].sql, parts[i].row, &reading, err);
    if (code == 0)
        code = check_checkpoint(&db, out, states, err);
    db_close(&db);
    if (code == WEIR_ESTATE)
        return error_set(err, code,
                         "'%s' was written by another build of weir, whose "
                         "books have another form",
                         path);
    if (code == 0 && out->books.count == 0)
        return error_set(err, WEIR_EEMPTY,
                         "'%s' has no checkpoint: nothing had begun", path);
    return code;
}

static int count_row(void *arg, sqlite3_stmt *row)
{
    record_counts *counts = arg;
    struct record_count *count = VEC_ADD(counts);

    if (count == NULL)
        return WEIR_ENOMEM;
    *count = (struct record_count){ .member = (unsigned)db_i64(row, 0),
                                    .done = db_u64(row, 1),
                                    .failed = db_u64(row, 2),
                                    .skipped = db_u64(row, 3),
                                    .emitted = db_u64(row, 4),
                                    .ended = db_i64(row, 5) == ENDED_ALL };
    return 0;
}

int record_read_counts(const char *path, record_counts *out, weir_error *err)
{
    struct db db;
    int code = open_to_read(&db, path, err);

    if (code < 0)
        return code;
    code = each(&db,
                "SELECT number, done, failed, skipped, emitted, ended FROM "
                "member ORDER BY number",
                count_row, out, err);
    db_close(&db);
    return code;
}
