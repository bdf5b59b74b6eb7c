/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seal.h - hashes that stand in a store beside what they are of. Private to the
 * stores of a run. */
#ifndef JOURNAL_SEAL_H
#define JOURNAL_SEAL_H

#include "journal/db.h"
#include "journal/record.h"

/* Of a checkpoint: the same for one that is written and one that is read. */
uint64_t seal_of_checkpoint(const struct snapshot *snapshot,
                            const record_states *states);

/* Of all rows that @sql gives, in their order: types, numbers, bytes. */
int seal_of_rows(struct db *db, const char *sql, uint64_t *seal,
                 weir_error *err);

/* Of what the run is and how it ended; all of one transaction. */
int seal_of_run(struct db *db, uint64_t *out, weir_error *err);

#endif
