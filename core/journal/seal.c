/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seal.c - hashes that stand in a store beside what they are of. SQLite sees
 * what no longer has the form of a database, but not a bit that has turned over
 * in a number or in an item: a run that went on from it would end well, with
 * other bytes in its files.
 *
 * What is sealed is what was meant to be written, not what the store gives
 * back: so what is lost on the way is seen, too.
 */
#include "config.h"

#include <string.h>

#include "journal/seal.h"

/* ------------------------------------------------------------ checkpoint ----
 */

static uint64_t add(uint64_t seal, uint64_t number)
{
    return hash_mix(seal, number);
}

static uint64_t add_text(uint64_t seal, const char *text)
{
    return hash_bytes(text, strlen(text), seal);
}

static uint64_t add_slot(uint64_t seal, const struct saved_slot *slot,
                         const char *bytes)
{
    const uint64_t numbers[] = { slot->queue,     slot->root,
                                 slot->path,      slot->skip,
                                 slot->skip_hash, slot->attempt,
                                 slot->cause,     (uint64_t)slot->cause_code,
                                 slot->marked,    slot->held,
                                 slot->ticket,    slot->behind,
                                 slot->from,      slot->index,
                                 slot->size,      slot->attrs_size };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        seal = add(seal, numbers[i]);
    return hash_bytes(bytes, (size_t)slot->size + slot->attrs_size, seal);
}

static uint64_t add_items(uint64_t seal, const struct snapshot *snapshot)
{
    seal = add(seal, snapshot->slots.count);
    for (size_t i = 0; i < snapshot->slots.count; i++) {
        const struct saved_slot *slot = &snapshot->slots.at[i];

        seal = add_slot(seal, slot, snapshot->data.data + slot->at);
    }
    seal = add(seal, snapshot->published.count);
    for (size_t i = 0; i < snapshot->published.count; i++)
        seal = add(seal, snapshot->published.at[i]);
    seal = add(seal, snapshot->books.count);
    for (size_t i = 0; i < snapshot->books.count; i++)
        seal = hash_bytes(&snapshot->books.at[i], sizeof snapshot->books.at[i],
                          seal);
    return seal;
}

static uint64_t add_files(uint64_t seal, const struct snapshot *snapshot)
{
    seal = add(seal, snapshot->renames.count);
    for (size_t i = 0; i < snapshot->renames.count; i++) {
        seal = add_text(seal, snapshot->renames.at[i].from);
        seal = add_text(seal, snapshot->renames.at[i].to);
    }
    seal = add(seal, snapshot->sinks.count);
    for (size_t i = 0; i < snapshot->sinks.count; i++) {
        const struct saved_sink *sink = &snapshot->sinks.at[i];

        seal = add(add(seal, sink->group), sink->dev);
        seal = add(add(seal, sink->ino), sink->born);
        seal = add_text(add(seal, sink->length), sink->path);
    }
    return seal;
}

/* Those that the books name, in any order; others are nobody's any more. */
static uint64_t of_states(const struct snapshot *snapshot,
                          const record_states *states)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < states->count; i++) {
        const struct record_state *state = &states->at[i];

        if (state->member < snapshot->books.count &&
            snapshot->books.at[state->member].saved != 0)
            sum += hash_bytes(state->data.data, state->data.size,
                              add(0, state->member));
    }
    return sum;
}

uint64_t seal_of_checkpoint(const struct snapshot *snapshot,
                            const record_states *states)
{
    uint64_t seal = add_files(add_items(0, snapshot), snapshot);

    return add(seal, of_states(snapshot, states));
}

/* ------------------------------------------------------------------ rows ----
 */

static uint64_t add_column(uint64_t seal, sqlite3_stmt *row, int column)
{
    int type = sqlite3_column_type(row, column);
    const void *data;
    size_t size;

    seal = add(seal, (uint64_t)type);
    if (type == SQLITE_INTEGER)
        return add(seal, db_u64(row, column));
    data = db_bytes(row, column, &size);
    return hash_bytes(data, size, seal);
}

int seal_of_rows(struct db *db, const char *sql, uint64_t *seal,
                 weir_error *err)
{
    sqlite3_stmt *row = NULL;
    int code = db_bind(db, &row, err, sql, "");

    while (code == 0 && (code = db_step(db, row, err)) == 1) {
        for (int i = 0; i < sqlite3_column_count(row); i++)
            *seal = add_column(*seal, row, i);
        code = 0;
    }
    sqlite3_finalize(row);
    return code;
}

int seal_of_run(struct db *db, uint64_t *out, weir_error *err)
{
    static const char *const tables[] = {
        "SELECT * FROM run WHERE name <> 'seal' ORDER BY name",
        "SELECT * FROM fact ORDER BY number",
        "SELECT * FROM stage ORDER BY number",
        "SELECT * FROM queue ORDER BY number",
    };
    uint64_t seal = 0;
    int code = 0;

    for (size_t i = 0; i < sizeof tables / sizeof *tables && code == 0; i++) {
        seal = add(seal, i);
        code = seal_of_rows(db, tables[i], &seal, err);
    }
    *out = seal;
    return code;
}
